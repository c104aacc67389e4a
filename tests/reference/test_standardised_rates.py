"""Standardised rates, funnel limits and run charts beside R (epitools), published tables and loops written here."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from wor_eval.effects.funnel import funnel_limits, funnel_plot
from wor_eval.effects.proportions import difference_of, wilson
from wor_eval.effects.run_chart import run_chart
from wor_eval.effects.standardised import direct_rates, expected_counts, rate_ratio
from wor_eval.errors import EstimationError


@pytest.fixture(scope="module")
def case(shared):
    return json.loads(
        (shared / "reference" / "r" / "24_rates_standardisation.json").read_text(encoding="utf-8")
    )


def test_direct_rates_are_those_of_epitools(case):
    given = case["fay_feuer_downs"]
    count, time = ([group[name] for group in given["groups"]] for name in ("count", "pop"))
    found = direct_rates(count, time, standard=given["stdpop"])
    crude = direct_rates(count, time)
    for place, group in enumerate(given["groups"]):
        # the same formula; 1e-9 is the precision of the printed digits
        assert found.estimate[place] == pytest.approx(group["adj"], rel=1e-9)
        assert found.conf_low[place] == pytest.approx(group["lci"], rel=1e-9)
        assert found.conf_high[place] == pytest.approx(group["uci"], rel=1e-9)
        assert crude.estimate[place] == pytest.approx(group["crude"], rel=1e-9)


def test_the_standard_error_is_that_of_a_sum_of_poisson_counts(case):
    group, standard = case["fay_feuer_downs"]["groups"][0], case["fay_feuer_downs"]["stdpop"]
    found = direct_rates([group["count"]], [group["pop"]], standard=standard)
    variance = sum(
        (w / sum(standard) / t) ** 2 * x
        for w, t, x in zip(standard, group["pop"], group["count"], strict=True)
    )
    assert found.std_error[0] == pytest.approx(math.sqrt(variance), rel=1e-12)


def test_direct_rates_of_two_populations_are_those_of_selvin(case):
    given = case["direct_selvin"]
    found = direct_rates([given["dth40"]], [given["pop40"]], standard=given["pop60"])
    assert found.estimate[0] == pytest.approx(given["adj.rate"], rel=1e-9)
    assert (found.conf_low[0], found.conf_high[0]) == pytest.approx((given["lci"], given["uci"]), rel=1e-9)


def test_expected_counts_are_those_of_indirect_standardisation(case):
    given = case["direct_selvin"]
    # R's indirect rates take the standard alone; with it as a first, far larger area the rates are nearly its own
    count = np.array([np.array(given["dth60"]) * 1e9, given["dth40"]])
    time = np.array([np.array(given["pop60"]) * 1e9, given["pop40"]])
    assert expected_counts(count, time)[1] == pytest.approx(case["indirect"]["sir"]["exp"], rel=1e-6)


def test_one_stratum_is_the_exact_poisson_interval():
    for events in (0, 1, 7, 200):
        found = direct_rates([[events]], [[50.0]])
        low = 0.0 if events == 0 else stats.chi2.ppf(0.025, 2 * events) / 2
        assert found.conf_low[0] * 50 == pytest.approx(low, rel=1e-9)
        assert found.conf_high[0] * 50 == pytest.approx(stats.chi2.ppf(0.975, 2 * events + 2) / 2, rel=1e-9)


def test_a_rate_ratio_is_that_of_two_poisson_counts(case):
    a, t1, b, t0 = case["rate_ratio_breast"]["in_"]
    found = rate_ratio(direct_rates([[b], [a]], [[t0], [t1]]), reference=0)
    assert found.estimate[1] == pytest.approx(case["rate_ratio_breast"]["irr"]["est"], rel=1e-9)
    half = 1.959963984540054 * math.sqrt(1 / a + 1 / b)  # Wald on the log scale; R's limits are exact
    assert found.conf_low[1] == pytest.approx(a / t1 / (b / t0) * math.exp(-half), rel=1e-9)
    assert found.conf_high[1] == pytest.approx(a / t1 / (b / t0) * math.exp(half), rel=1e-9)
    assert np.isnan(found.conf_low[0])


def test_a_rate_without_time_in_a_stratum_is_missing_and_events_without_time_are_refused():
    found = direct_rates([[3, 0], [1, 2]], [[10, 0], [10, 10]], standard=[1, 1])
    assert np.isnan(found.estimate[0]) and np.isnan(found.conf_high[0]) and np.isfinite(found.estimate[1])
    with pytest.raises(EstimationError, match="1 strata have events but no time"):
        direct_rates([[3, 2]], [[10, 0]])


# Funnel


def funnel_by_hand(observed, expected, trim):
    """Spiegelhalter 2005, section A.4, line by line."""
    y = [math.sqrt(o / e) for o, e in zip(observed, expected, strict=True)]
    s = [1 / (2 * math.sqrt(e)) for e in expected]
    z = [(a - 1) / b for a, b in zip(y, s, strict=True)]
    low, high = np.quantile(z, trim), np.quantile(z, 1 - trim)
    drawn_in = [min(max(value, low), high) for value in z]
    units = len(z)
    phi = sum(value**2 for value in drawn_in) / units
    w = [1 / b**2 for b in s]
    tau2 = (units * phi - (units - 1)) / (sum(w) - sum(v**2 for v in w) / sum(w))
    tau2 = max(0.0, tau2) if phi > 1 + 2 * math.sqrt(2 / units) else 0.0
    return phi, tau2, [(a - 1) / math.sqrt(b**2 + tau2) for a, b in zip(y, s, strict=True)]


@pytest.mark.parametrize("spread", [0.0, 0.4])
@pytest.mark.parametrize("trim", [0.0, 0.1, 0.2])
def test_a_funnel_is_the_formula_written_out(spread, trim):
    rng = np.random.default_rng(7)
    expected = rng.uniform(8, 90, 40)
    observed = rng.poisson(expected * rng.lognormal(0, spread, 40))
    found = funnel_plot(observed, expected, winsorise=trim)
    phi, tau2, z = funnel_by_hand(observed, expected, trim)
    assert (found.dispersion, found.variance_between) == pytest.approx((phi, tau2), rel=1e-12)
    assert found.z == pytest.approx(z, rel=1e-12)
    for place, level in enumerate((0.95, 0.998)):
        half = stats.norm.ppf(0.5 + level / 2) * np.sqrt(1 / (4 * expected) + tau2)
        assert found.high[:, place] == pytest.approx((1 + half) ** 2, rel=1e-12)
        assert found.low[:, place] == pytest.approx(np.maximum(1 - half, 0) ** 2, rel=1e-12)


def test_without_trimming_the_between_variance_is_that_of_dersimonian_and_laird():
    """About a known mean of 1: (Q - (I - 1)) / (sum w - sum w^2 / sum w)."""
    rng = np.random.default_rng(8)
    expected = rng.uniform(20, 60, 30)
    observed = rng.poisson(expected * rng.lognormal(0, 0.5, 30))
    y, w = np.sqrt(observed / expected), 4 * expected
    q = (w * (y - 1) ** 2).sum()
    expects = (q - 29) / (w.sum() - (w**2).sum() / w.sum())
    assert funnel_plot(observed, expected, winsorise=0).variance_between == pytest.approx(expects, rel=1e-12)


def test_the_multiplicative_model_widens_every_limit_by_one_factor():
    rng = np.random.default_rng(9)
    expected = rng.uniform(20, 60, 30)
    observed = rng.poisson(expected * rng.lognormal(0, 0.5, 30))
    found = funnel_plot(observed, expected, overdispersion="multiplicative")
    plain = funnel_plot(observed, expected, overdispersion="none")
    assert found.factor == pytest.approx(math.sqrt(found.dispersion))
    assert plain.z / found.z == pytest.approx(np.full(30, found.factor))
    assert funnel_limits(expected, factor=found.factor)[1] == pytest.approx(found.high)


# Run charts


@pytest.mark.parametrize(
    ("points", "longest", "crossings"),
    [(10, 6, 2), (12, 7, 3), (16, 7, 4), (20, 7, 6), (24, 8, 8), (40, 8, 14)],
)
def test_the_rules_on_runs_are_the_published_table(points, longest, crossings):
    """Longest run and fewest crossings by number of useful points: log2(n) + 3, and the 5 % binomial quantile."""
    half = points // 2
    chart = run_chart([1] * half + [3] * half, [1.0] * points)
    assert (chart.longest_allowed, chart.fewest_allowed) == (longest, crossings)
    assert sum(math.comb(points - 1, k) for k in range(crossings)) / 2 ** (points - 1) < 0.05
    assert sum(math.comb(points - 1, k) for k in range(crossings + 1)) / 2 ** (points - 1) >= 0.05
    assert (chart.longest_run, chart.crossings) == (half, 1)


def test_limits_and_widening_are_those_of_laney_written_out():
    rng = np.random.default_rng(10)
    count, time = rng.poisson(30, 20), rng.uniform(0.5, 2, 20)
    count = np.where(np.arange(20) % 2, 2 * count, count)
    chart = run_chart(count, time)
    centre = count.sum() / time.sum()
    z = [(x / t - centre) / math.sqrt(centre / t) for x, t in zip(count, time, strict=True)]
    moving = sum(abs(b - a) for a, b in pairwise(z)) / 19 / 1.128
    assert chart.widening == pytest.approx(max(1, moving), rel=1e-12)
    assert chart.high == pytest.approx(centre + 3 * moving * np.sqrt(centre / time), rel=1e-12)


def test_a_quarter_without_time_is_left_out_of_every_rule():
    chart = run_chart([4, 0, 6, 5], [100, 0, 100, 100])
    assert np.isnan(chart.rate[1]) and np.isnan(chart.high[1]) and not chart.outside[1]
    assert chart.centre == pytest.approx(0.05)
    with pytest.raises(EstimationError, match="1 points have events but no time"):
        run_chart([4, 3], [100, 0])


# Shares


def test_wilson_is_the_interval_of_statsmodels():
    from statsmodels.stats.proportion import proportion_confint

    count, of = np.array([0, 3, 50, 100]), np.array([10, 20, 60, 100])
    share, low, high = wilson(count, of)
    expects = proportion_confint(count, of, method="wilson")
    assert share == pytest.approx(count / of)
    assert low == pytest.approx(expects[0], abs=1e-12)
    assert high == pytest.approx(expects[1], abs=1e-12)


def test_a_difference_of_shares_is_the_interval_of_newcombe():
    from statsmodels.stats.proportion import confint_proportions_2indep

    (share, low, high) = wilson([56, 48], [70, 80])
    found = difference_of((share[0], low[0], high[0]), (share[1], low[1], high[1]))
    expects = confint_proportions_2indep(56, 70, 48, 80, method="newcomb", compare="diff")
    assert found[0] == pytest.approx(0.2)
    assert found[1:] == pytest.approx(expects, abs=1e-9)
