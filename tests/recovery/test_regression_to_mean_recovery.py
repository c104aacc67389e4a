"""Selection on a peak, or on a permanent level, with a known effect: what each expectation leaves unexplained."""

import math

import numpy as np
import pytest

from wor_eval.effects.expected_change import (
    expected_fall_from_placebo_year,
    expected_fall_from_untreated,
    window_counts,
)
from wor_eval.effects.gamma_poisson import expected_fall_from_model, fit_gamma_poisson
from wor_eval.effects.regression_to_mean import barnett, mee_chua

RUNS, PERSONS, CUT = 200, 3000, 12
DAYS = 365.25


def windows(counts):
    return window_counts(counts[:, 0], counts[:, 1], days_before=DAYS, days_after=DAYS)


def three_years(rng, *, passing):
    """Placebo, before and after: permanent gamma levels, passing deviations or none, mean 5."""
    level = rng.gamma(1.2, 5 / 1.2, PERSONS)[:, None]
    deviation = rng.gamma(2.0, 0.5, (PERSONS, 3)) if passing else 1.0
    return rng.poisson(level * deviation * np.ones((1, 3))), level[:, 0]


def run(method, *, passing=True, effect=0.0, seed=1):
    """Give unexplained changes and whether their intervals hold the truth, over simulated studies."""
    rng, left, held = np.random.default_rng(seed), [], []
    for _ in range(RUNS):
        years, _ = three_years(rng, passing=passing)
        picked = (years[:, 1] >= CUT) & (rng.random(PERSONS) < 0.3)
        truth = effect * years[picked, 2].mean()
        years[picked, 2] = rng.binomial(years[picked, 2], 1 + effect)
        found = method(years, picked).unexplained
        left.append(found.estimate - truth)
        held.append(found.conf_low <= truth <= found.conf_high)
    return np.array(left), np.array(held)


def same_count(years, picked):
    return expected_fall_from_untreated(windows(years[picked, 1:]), windows(years[~picked, 1:]))


def placebo_year(years, picked):
    return expected_fall_from_placebo_year(windows(years[picked, 1:]), windows(years[:, :2]))


def two_parts(years, picked):
    return expected_fall_from_model(windows(years[picked, 1:]), windows(years[:, :2]), model="gamma_poisson")


def permanent(years, picked):
    return expected_fall_from_model(
        windows(years[picked, 1:]), windows(years[:, :2]), model="negative_binomial"
    )


@pytest.mark.parametrize(
    ("method", "passing"),
    [(same_count, True), (same_count, False), (placebo_year, True), (two_parts, True), (permanent, False)],
)
def test_a_peak_with_no_effect_leaves_nothing_unexplained(method, passing):
    left, held = run(method, passing=passing)
    # Mean of 200 runs: four Monte-Carlo errors.
    assert abs(left.mean()) < 4 * left.std() / math.sqrt(RUNS)
    # Coverage of 95 %: Monte-Carlo error 1.5 %.
    assert 0.90 <= held.mean() <= 0.99


@pytest.mark.parametrize("method", [same_count, placebo_year])
def test_a_true_effect_is_what_is_left(method):
    left, held = run(method, effect=-0.25, seed=2)
    assert abs(left.mean()) < 4 * left.std() / math.sqrt(RUNS)
    assert 0.90 <= held.mean() <= 0.99


def test_the_negative_binomial_misses_passing_deviations():
    left, _ = run(permanent, passing=True, seed=3)
    # The fall is about 7; all variation of one year taken as permanent explains about a third of it.
    assert left.mean() < -3


def test_under_a_permanent_level_the_same_count_expects_too_large_a_fall():
    rng, left = np.random.default_rng(4), []
    for _ in range(50):
        years, level = three_years(rng, passing=True)
        picked = rng.random(PERSONS) < 0.3 * (level > 9)
        left.append(same_count(years, picked).unexplained.estimate)
    # Nobody changes, and the referred seem to rise.
    assert np.mean(left) > 1.0


def test_moments_recover_the_shapes():
    rng = np.random.default_rng(5)
    level = rng.gamma(1.2, 5 / 1.2, 200_000)[:, None]
    counts = rng.poisson(level * rng.gamma(2.0, 0.5, (200_000, 2)))
    fit = fit_gamma_poisson(counts[:, 0], counts[:, 1], model="gamma_poisson")
    # Moments of 200,000 skewed counts: about 2 %.
    assert (fit.shape_person, fit.shape_year) == pytest.approx((1.2, 2.0), rel=0.08)


@pytest.mark.parametrize("baselines", [1, 2])
def test_barnett_on_normal_measurements(baselines):
    rng = np.random.default_rng(6)
    n, mean, sd, rho = 400_000, 10.0, 4.0, 0.6
    person = rng.normal(mean, sd * math.sqrt(rho), n)
    values = person[:, None] + rng.normal(0, sd * math.sqrt(1 - rho), (n, baselines + 1))
    first, last = values[:, :-1].mean(axis=1), values[:, -1]
    chosen = first > 14
    fall = first[chosen] - last[chosen]
    expected = barnett(mean=mean, sd=sd, cutoff=14, correlation=rho, baselines=baselines)
    assert fall.mean() == pytest.approx(expected, abs=4 * fall.std() / math.sqrt(chosen.sum()))


def test_mee_chua_covers_the_effect_on_normal_measurements():
    rng, held = np.random.default_rng(7), []
    for _ in range(500):
        person = rng.normal(50, 8, 800)
        first, second = person + rng.normal(0, 6, 800), person + rng.normal(0, 6, 800) - 2.0
        chosen = first > 58
        found = mee_chua(first[chosen], second[chosen], population_mean=50)
        held.append(found.conf_low <= -2.0 <= found.conf_high)
    # Monte-Carlo error of a coverage over 500 runs: 1 %.
    assert 0.92 <= np.mean(held) <= 0.98
