"""Bounded scores with a third of the answers missing: who is unbiased, who covers, and who can only warn.

Missing at random: a low score before and the referred leave more often. Not at random: the referred who feel
worse afterwards leave. The truth is that of everybody's answers.
"""

import numpy as np
import pytest

from wor_eval.effects.ancova import ancova, change_difference
from wor_eval.effects.imputation import impute
from wor_eval.effects.mixed import random_intercept
from wor_eval.effects.mmrm import mmrm, mmrm_contrast
from wor_eval.effects.tipping_point import analyse_missing, tipping_point

RUNS = 160
LOW, HIGH = 7, 35  # a scale of seven items of 1 to 5
N = 300


def scores(latent):
    """Whole points on a bounded scale; a few per cent lie at its ends."""
    return np.clip(np.round(22 + 5 * latent), LOW, HIGH)


def persons(rng, *, at_random):
    """Arm, score before and after, and the score after with gaps."""
    arm, level = np.arange(N) % 2, rng.normal(size=N)
    before = scores(level + 0.6 * rng.normal(size=N))
    after = scores(level + 0.3 * arm + 0.6 * rng.normal(size=N))
    pull = -1.2 + 0.15 * (20 - before) + arm if at_random else -1.3 + 0.35 * arm * (26 - after)
    return arm, before, after, np.where(rng.random(N) < 1 / (1 + np.exp(-pull)), np.nan, after)


def by_ancova(arm):
    def analysis(table, rows):
        return ancova(table[rows, 0], table[rows, 1], arm[rows])

    return analysis


@pytest.fixture(scope="module")
def truth():
    """Effect in everybody, from 400,000 persons."""
    rng = np.random.default_rng(99)
    n = 400_000
    arm, level = np.arange(n) % 2, rng.normal(size=n)
    before = scores(level + 0.6 * rng.normal(size=n))
    return ancova(before, scores(level + 0.3 * arm + 0.6 * rng.normal(size=n)), arm).estimate


def run(rng, *, at_random):
    arm, before, _, seen = persons(rng, at_random=at_random)
    values = np.column_stack([before, seen])
    imputed = impute(values, seed=int(rng.integers(2**31)), n_imputations=12, iterations=3, groups=arm)
    both = analyse_missing(values, imputed, by_ancova(arm), columns=[0, 1])
    answered = np.isfinite(seen)
    change = change_difference(before[answered], seen[answered], arm[answered])
    pooled = both.pooled
    limits = float(pooled.conf_low[0]), float(pooled.conf_high[0])
    return float(pooled.estimate[0]), *limits, both.complete_case.estimate, change.estimate, answered.mean()


def bias_and_coverage(rows, truth):
    rows = np.array(rows)
    covered = np.mean((rows[:, 1] <= truth) & (truth <= rows[:, 2]))
    noise = rows[:, :1].std() / np.sqrt(len(rows))
    return rows[:, 0].mean() - truth, covered, noise, rows


def test_missing_at_random_is_repaired_by_imputation(truth):
    rng = np.random.default_rng(1)
    bias, covered, noise, rows = bias_and_coverage([run(rng, at_random=True) for _ in range(RUNS)], truth)
    assert rows[:, 5].mean() == pytest.approx(0.67, abs=0.05)  # a third is missing
    # Predictive mean matching draws a little towards those who answered: less than a quarter of a standard error.
    assert abs(bias) < 0.14
    assert noise < 0.06
    # Monte-Carlo error of a coverage over 160 runs: 1.7 %.
    assert 0.90 <= covered <= 0.99


def test_change_scores_of_complete_cases_are_biased_where_ancova_is_not(truth):
    """Leaving depends on the score before: adjusting for it repairs that, a change score does not."""
    rng = np.random.default_rng(2)
    many = []
    for _ in range(600):
        arm, before, _, seen = persons(rng, at_random=True)
        answered = np.isfinite(seen)
        cut = before[answered], seen[answered], arm[answered]
        many.append((ancova(*cut).estimate - truth, change_difference(*cut).estimate - truth))
    mean, noise = np.mean(many, axis=0), np.std(many, axis=0) / np.sqrt(len(many))
    assert abs(mean[0]) < 0.12  # the ends of the scale leave a little
    assert abs(mean[1]) > 4 * noise[1]


def test_missing_not_at_random_only_the_tipping_point_warns(truth):
    rng = np.random.default_rng(3)
    bias, covered, noise, rows = bias_and_coverage([run(rng, at_random=False) for _ in range(80)], truth)
    complete = rows[:, 3].mean() - truth
    assert bias > 4 * noise  # imputation is as wrong as complete cases: nothing in the data shows it
    assert complete > 4 * noise
    assert covered < 0.9
    # In one study: the shift that brings the estimate back to the truth is one of a few points.
    arm, before, after, seen = persons(np.random.default_rng(4), at_random=False)
    imputed = impute(np.column_stack([before, seen]), seed=5, n_imputations=20, groups=arm)
    found = tipping_point(
        imputed,
        by_ancova(arm),
        columns=[0, 1],
        shifted=1,
        among=arm == 1,
        deltas=np.arange(-10, 1),
        bounds=(LOW, HIGH),
    )
    gap = np.isnan(seen) & (arm == 1)
    needed = after[gap].mean() - imputed.values[:, gap, 1].mean()
    assert -6 < needed < -1
    assert found.tips_at is not None and -8 < found.tips_at < 0
    assert np.interp(needed, found.deltas, found.estimate) == pytest.approx(truth, abs=1.2)


def longitudinal(rng, n, waves):
    """Scores of two arms that part by a half point per wave; who scores low leaves for good (at random)."""
    arm, level = np.arange(n) % 2, 4 * rng.normal(size=n)
    table = 22 + level[:, None] + 0.5 * arm[:, None] * np.arange(waves) + 3 * rng.normal(size=(n, waves))
    there = np.ones((n, waves), dtype=bool)
    for wave in range(1, waves):
        leaves = rng.random(n) < 1 / (1 + np.exp(2 + 0.25 * (table[:, wave - 1] - 20)))
        there[:, wave] = there[:, wave - 1] & ~leaves
    person, wave = np.nonzero(there)
    X = np.column_stack([np.ones(person.size), wave, arm[person], wave * arm[person]]).astype(float)
    return table[there], X, person, wave


def test_random_intercept_recovers_the_slope_under_dropout():
    rng, rows = np.random.default_rng(6), []
    for _ in range(300):
        y, X, person, _ = longitudinal(rng, 200, 5)
        fit = random_intercept(y, X, person).fit
        robust = random_intercept(y, X, person, clusters=person).fit
        rows.append((fit.coef[3], np.sqrt(fit.cov[3, 3]), np.sqrt(robust.cov[3, 3])))
    rows = np.array(rows)
    spread = rows[:, 0].std()
    assert rows[:, 0].mean() == pytest.approx(0.5, abs=4 * spread / np.sqrt(300))
    # A standard deviation of 300 runs has an error of 4 %.
    np.testing.assert_allclose(rows[:, 1:].mean(axis=0), spread, rtol=0.16)
    covered = np.mean(np.abs(rows[:, 0] - 0.5) < 1.96 * rows[:, 1])
    assert 0.91 <= covered <= 0.985


def test_mmrm_covers_in_a_small_study_where_normal_intervals_do_not():
    rng, rows = np.random.default_rng(7), []
    for _ in range(250):
        y, X, person, wave = longitudinal(rng, 20, 3)
        at = (wave[:, None] == np.arange(3)).astype(float)
        model = mmrm(y, np.hstack([at, at * X[:, 2:3]]), person, wave)
        found = mmrm_contrast(model, [0, 0, 0, 0, 0, 1])
        rows.append((found.estimate - 1.0, found.std_error, found.conf_high - found.estimate))
    rows = np.array(rows)
    # Monte-Carlo error of a coverage over 250 runs: 1.4 %.
    assert 0.92 <= np.mean(np.abs(rows[:, 0]) < rows[:, 2]) <= 0.985
    assert np.mean(rows[:, 2] / rows[:, 1]) > 2.05  # t with about 17 degrees of freedom, not 1.96
    assert rows[:, 0].mean() == pytest.approx(0.0, abs=4 * rows[:, 0].std() / np.sqrt(250))
