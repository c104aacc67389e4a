"""Paired counts and tests against R: cases 01 (balanced pairs) and 15."""

import doctest
import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from wor_eval.effects import paired, paired_tests, quantity
from wor_eval.effects.paired import changes, concentration, conditional_poisson, paired_rates
from wor_eval.effects.paired_tests import (
    adjust_p_values,
    exact_rate_ratio,
    mcnemar_any,
    paired_t,
    sign_test,
    wilcoxon_signed_rank,
)
from wor_eval.errors import EstimationError

# Both sides are closed forms in double precision; R's GLM fits stop at 1e-14 of the deviance.
EXACT = {"rel": 1e-10}
ITERATED = {"rel": 1e-6}


@pytest.fixture(scope="module")
def case(shared):
    return json.loads((shared / "reference/r/01_drvisits_before_after.json").read_text())["balanced_pairs"]


@pytest.fixture(scope="module")
def visits(shared):
    rows = pd.read_csv(shared / "reference/data/drvisits.csv")
    pairs = rows.pivot_table(index="id", columns="reform", values="numvisit").dropna()
    year = np.full(len(pairs), 365.25)
    return pairs[0].to_numpy(), pairs[1].to_numpy(), year, year


@pytest.fixture(scope="module")
def tests(shared):
    return json.loads((shared / "reference/r/15_paired_tests.json").read_text())


@pytest.mark.parametrize("module", [paired, paired_tests, quantity])
def test_examples_run(module):
    assert doctest.testmod(module).failed == 0


def test_rate_ratio_is_that_of_gee_and_clustered_poisson(case, visits):
    found = paired_rates(*visits)
    assert (found.n_persons, found.events_before, found.events_after) == (
        case["n"],
        case["sum_before"],
        case["sum_after"],
    )
    assert math.log(found.ratio.estimate) == pytest.approx(case["gee_exch"]["est"], **ITERATED)
    assert found.ratio.std_error == pytest.approx(case["gee_exch"]["se"], **ITERATED)
    peer = case["poisson_cluster"]
    assert found.ratio.estimate == pytest.approx(peer["rr"], **ITERATED)
    assert found.ratio.conf_low == pytest.approx(peer["rr_lo"], **ITERATED)
    assert found.ratio.conf_high == pytest.approx(peer["rr_hi"], **ITERATED)
    assert found.ratio.p_value == pytest.approx(peer["p"], **ITERATED)


def test_rate_difference_is_the_paired_t_test_but_for_its_degrees_of_freedom(case, visits):
    found = paired_rates(*visits).difference
    n, peer = case["n"], case["t"]
    assert found.estimate == pytest.approx(peer["diff"], **EXACT)
    # HC0: no factor n / (n - 1).
    error = peer["diff"] / peer["t"] * math.sqrt((n - 1) / n)
    assert found.std_error == pytest.approx(error, **EXACT)
    assert found.conf_high == pytest.approx(peer["diff"] + stats.norm.ppf(0.975) * error, **EXACT)


def test_unequal_time_is_poisson_regression_with_an_offset(visits):
    before, after, _, _ = visits
    rng = np.random.default_rng(1)
    days = rng.uniform(100, 365, (2, before.size))
    found = paired_rates(before, after, days[0], days[1])
    n = before.size
    X = np.column_stack([np.ones(2 * n), np.repeat([0.0, 1.0], n)])
    family, y, time = sm.families.Poisson(), np.concatenate([before, after]), np.log(days.ravel() / 365.25)
    fit = sm.GLM(y, X, family=family, offset=time).fit(
        cov_type="cluster",
        cov_kwds={"groups": np.tile(np.arange(n), 2), "use_correction": False},
        tol=1e-14,
    )
    assert math.log(found.ratio.estimate) == pytest.approx(fit.params[1], **ITERATED)
    assert found.ratio.std_error == pytest.approx(fit.bse[1], **ITERATED)
    low, high = np.exp(fit.conf_int()[1])
    assert (found.ratio.conf_low, found.ratio.conf_high) == pytest.approx((low, high), **ITERATED)
    V = fit.cov_params()
    rates = np.exp([fit.params[0], fit.params.sum()])
    gradient = np.array([rates[1] - rates[0], rates[1]])
    assert found.difference.estimate == pytest.approx(rates[1] - rates[0], **ITERATED)
    assert found.difference.std_error == pytest.approx(math.sqrt(gradient @ V @ gradient), **ITERATED)


def test_conditional_poisson_is_that_of_r(case, visits):
    found, peer = conditional_poisson(*visits), case["fe_poisson"]
    assert found.ratio.estimate == pytest.approx(peer["rr_check"], **EXACT)
    assert math.log(found.ratio.estimate) == pytest.approx(peer["logrr"], **ITERATED)
    assert found.model_std_error == pytest.approx(peer["se_model"], **ITERATED)
    assert found.ratio.std_error == pytest.approx(peer["se_robust_HC0"], **ITERATED)


def test_conditional_poisson_with_unequal_time_is_a_binomial_regression(visits):
    before, after, _, _ = visits
    days = np.random.default_rng(2).uniform(100, 365, (2, before.size))
    found = conditional_poisson(before, after, *days)
    some = before + after > 0
    fit = sm.GLM(
        np.column_stack([after, before])[some],
        np.ones(some.sum()),
        family=sm.families.Binomial(),
        offset=np.log(days[1] / days[0])[some],
    )
    plain, robust = fit.fit(tol=1e-14), fit.fit(cov_type="HC0", tol=1e-14)
    assert math.log(found.ratio.estimate) == pytest.approx(plain.params[0], **ITERATED)
    assert found.model_std_error == pytest.approx(plain.bse[0], **ITERATED)
    assert found.ratio.std_error == pytest.approx(robust.bse[0], **ITERATED)
    assert found.n_informative == some.sum()


def test_classical_tests_of_the_visits_are_those_of_r(case, visits):
    before, after, _, _ = visits
    change = after - before
    t = paired_t(change)
    assert (t.estimate, t.estimate / t.std_error, t.df, t.p_value) == pytest.approx(
        (case["t"]["diff"], case["t"]["t"], case["t"]["df"], case["t"]["p"]), **EXACT
    )
    assert (t.conf_low, t.conf_high) == pytest.approx(tuple(case["t"]["ci"]), **EXACT)
    peer = case["wilcoxon"]
    for method, p in (("normal_corrected", peer["p_cc"]), ("normal", peer["p_nocc"])):
        found = wilcoxon_signed_rank(change, method=method)
        assert (found.statistic, found.n_used) == (peer["V"], peer["n_nonzero"])
        assert found.p_value == pytest.approx(p, **EXACT)
    signs = sign_test(change)
    assert (signs.statistic, signs.p_value) == (
        case["sign_test"]["pos"],
        pytest.approx(case["sign_test"]["p"]),
    )
    counted = changes(*visits)
    assert (counted.n_rose, counted.n_fell) == (case["sign_test"]["pos"], case["sign_test"]["neg"])
    assert counted.n_stayed == case["n"] - case["wilcoxon"]["n_nonzero"]
    assert sum(counted.shares) == pytest.approx(1.0)


def test_mcnemar_is_that_of_r(case, visits, tests):
    peer, (before, after, _, _) = case["mcnemar_any_visit"], visits
    table = tests["mcnemar_approval"]["table"]
    cells = [table[0][0], table[0][1], table[1][0], table[1][1]]
    approval = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], cells, axis=0).T
    for (first, second), r in (((before, after), peer), (approval, tests["mcnemar_approval"])):
        corrected = mcnemar_any(first, second, method="chi2_corrected")
        plain = mcnemar_any(first, second, method="chi2")
        assert (corrected.statistic, corrected.p_value) == pytest.approx((r["chi2_cc"], r["p_cc"]), **EXACT)
        assert (plain.statistic, plain.p_value) == pytest.approx((r["chi2"], r["p"]), **EXACT)
        exact = mcnemar_any(first, second, method="exact")
        assert exact.p_value == pytest.approx(r["exact_p"], **EXACT)
    assert mcnemar_any(before, after, method="exact").n_used == peer["b_01"] + peer["c_10"]


def test_paired_t_is_that_of_r(tests, shared):
    sleep = tests["student_sleep"]
    found = paired_t(np.subtract(sleep["x"], sleep["y"]))
    assert found.estimate / found.std_error == pytest.approx(sleep["stat"], **EXACT)
    assert (found.estimate, found.p_value) == pytest.approx((sleep["est"], sleep["p"]), **EXACT)
    assert [found.conf_low, found.conf_high] == pytest.approx(sleep["ci"], **EXACT)
    weights = pd.read_csv(shared / "reference/data/anorexia.csv")
    for arm, rows in weights.groupby("Treat"):
        change, peer = rows["Postwt"] - rows["Prewt"], tests["anorexia"][arm]
        found = paired_t(change)
        assert (found.estimate, found.df, found.p_value) == pytest.approx(
            (peer["est"], peer["df"], peer["p"]), **EXACT
        )
        assert [found.conf_low, found.conf_high] == pytest.approx(peer["ci"], **EXACT)
        assert wilcoxon_signed_rank(change, method="normal").statistic == peer["V"]


def test_wilcoxon_is_that_of_r(tests, shared):
    sleep, depression = tests["student_sleep"], tests["hamilton_depression"]
    change = np.subtract(sleep["x"], sleep["y"])
    corrected = wilcoxon_signed_rank(change, method="normal_corrected")
    assert [corrected.statistic, corrected.p_value] == pytest.approx(sleep["wilcox"], **EXACT)
    exact = wilcoxon_signed_rank(change, method="exact")
    assert [exact.statistic, exact.p_value] == pytest.approx(sleep["wilcox_exact_pairs"], **EXACT)
    exact = wilcoxon_signed_rank(np.subtract(depression["x"], depression["y"]), method="exact")
    assert (exact.statistic, exact.p_value) == pytest.approx((depression["V"], depression["p_two"]), **EXACT)
    rows = pd.read_csv(shared / "reference/data/anorexia.csv")
    for arm, method in (("CBT", "normal_corrected"), ("Cont", "normal_corrected"), ("FT", "exact")):
        # Not rounded, because R did not: 3.5 and -3.5 are no tie in the last binary digit.
        change = (rows["Postwt"] - rows["Prewt"])[rows["Treat"] == arm]
        peer = tests["anorexia"][arm]
        assert wilcoxon_signed_rank(change, method=method).p_value == pytest.approx(peer["p_w"], **EXACT)


def test_exact_wilcoxon_with_ties_is_the_sum_over_all_signs():
    change = np.array([1, 1, -2, 2, 2, -1, 3, 5, 5, -5, 0])
    moved = change[change != 0]
    ranks = stats.rankdata(np.abs(moved))
    sums = np.array([ranks @ np.array(signs) for signs in itertools.product([0, 1], repeat=moved.size)])
    found = wilcoxon_signed_rank(change, method="exact")
    expected = 2 * min((sums <= found.statistic).mean(), (sums >= found.statistic).mean())
    assert found.p_value == pytest.approx(expected, **EXACT)


def test_exact_rate_ratio_is_that_of_r(tests):
    peer = tests["poisson_two_rates"]
    found = exact_rate_ratio(*peer["x"], *peer["T"])
    assert (found.estimate, found.p_value) == pytest.approx((peer["rr"], peer["p"]), **EXACT)
    # R's binom.test and scipy find the Clopper-Pearson limits from different beta quantiles: 1e-9.
    assert [found.conf_low, found.conf_high] == pytest.approx(peer["ci"], rel=1e-7)


def test_exact_rate_ratio_at_its_ends():
    none, all_after = exact_rate_ratio(0, 8, 1.0, 1.0), exact_rate_ratio(8, 0, 1.0, 1.0)
    assert (none.estimate, none.conf_low) == (0.0, 0.0)
    assert (all_after.estimate, all_after.conf_high) == (math.inf, math.inf)
    assert all_after.conf_low == pytest.approx(1 / none.conf_high)


def test_adjusted_p_values_are_those_of_r(tests):
    peer = tests["p_adjust"]
    p = np.array(peer["p"], dtype=float)
    for method in ("holm", "bh"):
        expected = np.array(peer[method], dtype=float)
        np.testing.assert_allclose(adjust_p_values(p, method=method), expected, rtol=1e-12)
    assert p[0] == peer["p"][0]


def test_concentration_is_the_sum_of_the_largest_falls():
    year = np.full(6, 365.25)
    before, after = np.array([30, 20, 5, 5, 5, 4]), np.array([10, 10, 5, 7, 4, 3])
    found = concentration(before, after, year, year, n_extreme=2)
    # Changes -20, -10, 0, +2, -1, -1: total -30; the two largest falls carry 30 of 30.
    assert found.share == pytest.approx(1.0)
    assert (found.mean_change, found.mean_change_without, found.n_tied) == (
        pytest.approx(-5.0),
        pytest.approx(0.0),
        0,
    )
    by_share = concentration(before, after, year, year, top_share=0.5)
    assert (by_share.n_extreme, by_share.n_tied) == (3, 1)
    rose = concentration(after, before, year, year, n_extreme=2)
    assert (rose.share, rose.mean_change) == (pytest.approx(1.0), pytest.approx(5.0))


def test_changes_are_counted_on_rates():
    found = changes([4, 4, 4], [2, 2, 3], [360, 360, 360], [180, 90, 360])
    assert (found.n_fell, found.n_stayed, found.n_rose) == (1, 1, 1)


YEAR = [365.0] * 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paired_rates([1, 2, -1], [1, 2, 3], YEAR, YEAR), "before: 1 negative"),
        (lambda: paired_rates([1, 2, 3], [1, 2, np.nan], YEAR, YEAR), "after: 1 missing"),
        (lambda: paired_rates([1, 2, 3], [1, 2, 3], YEAR, [365, 0, 0]), "days_after: 2 persons are not"),
        (lambda: paired_rates([1, 2, 3], [1, 2], YEAR, YEAR), "after: shape"),
        (lambda: paired_rates([0, 0, 0], [0, 0, 0], YEAR, YEAR), "nobody has a contact"),
        (lambda: paired_rates([1, 1, 1], [2, 2, 2], YEAR, YEAR), "no finite standard error"),
        (lambda: conditional_poisson([1, 2, 3], [0, 0, 0], YEAR, YEAR), "no contacts"),
        (lambda: exact_rate_ratio(0, 0, 1, 1), "no contacts"),
        (lambda: exact_rate_ratio(1.5, 2, 1, 1), "whole numbers"),
        (lambda: exact_rate_ratio(1, 2, 0, 1), "above zero"),
        (lambda: concentration([1, 2, 3], [3, 2, 1], YEAR, YEAR, n_extreme=1), "total change is zero"),
        (lambda: concentration([1, 2, 3], [0, 0, 0], YEAR, YEAR, n_extreme=3), "fewer than 3"),
        (lambda: concentration([1, 2, 3], [0, 0, 0], YEAR, YEAR), "one of the two"),
        (lambda: paired_t([1.0, np.inf]), "1 of 2 persons"),
        (lambda: paired_t([[1.0, 2.0]]), "shape"),
        (lambda: sign_test([0, 0]), "nobody changed"),
        (lambda: wilcoxon_signed_rank([0, 0], method="normal"), "nobody changed"),
        (lambda: wilcoxon_signed_rank(np.arange(1, 302), method="exact"), "301 persons changed"),
        (lambda: mcnemar_any([1, 0], [1, 0], method="exact"), "nobody went"),
        (lambda: mcnemar_any([1, 0], [1, 0, 1], method="exact"), "must be the same"),
        (lambda: adjust_p_values([0.1, 1.2], method="holm"), "between 0 and 1"),
        (lambda: adjust_p_values([np.nan], method="bh"), "between 0 and 1"),
    ],
)
def test_unusable_input_is_refused(call, message):
    with pytest.raises(EstimationError, match=message):
        call()


def test_a_window_without_contacts_has_a_difference_but_no_ratio():
    found = paired_rates([1, 2, 3], [0, 0, 0], YEAR, YEAR)
    assert found.ratio is None
    assert found.difference.conf_high < 0
