"""Rosenbaum bounds against enumeration, and what E-values and bounds refuse."""

import doctest
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, norm, rankdata, wilcoxon
from statsmodels.stats.contingency_tables import mcnemar

from wor_eval.effects import sensitivity
from wor_eval.effects.sensitivity import e_value, pair_differences, rosenbaum_bounds
from wor_eval.errors import DesignError, EstimationError


def enumerated(differences: list[float], chances: np.ndarray, test: str) -> float:
    """P(statistic at least the observed) over every way the signs can fall."""
    d = np.array([x for x in differences if x])
    scores = rankdata(np.abs(d)) if test == "signed_rank" else np.ones(d.size)
    observed = scores[d > 0].sum()
    total = 0.0
    for signs in product([0, 1], repeat=d.size):
        s = np.array(signs)
        if scores @ s >= observed - 1e-9:
            total += np.prod(np.where(s == 1, chances, 1 - chances))
    return total


SAMPLES = [
    [3, 1, 4, 2, 5, 6],
    [3.5, -1.2, 4.1, 2.2, -0.3, 6.0, 1.1, 2.9],
    [2, 2, -1, 3, 3, 1, 0, 2, 0],
    [1, 1, -1, 1, 0, 0, 1, 1],
    [-1, -2, -3, 4],
]


@pytest.mark.parametrize("differences", SAMPLES, ids=str)
@pytest.mark.parametrize("test", ["signed_rank", "sign"])
@pytest.mark.parametrize("gamma", [1.0, 1.3, 2.0, 6.0])
def test_exact_bounds(differences: list[float], test: Any, gamma: float) -> None:
    found = rosenbaum_bounds(differences, [gamma], test=test, alternative="greater")
    n = found.n_pairs
    # Sums of a few hundred products: rounding only.
    upper = enumerated(differences, np.full(n, gamma / (1 + gamma)), test)
    lower = enumerated(differences, np.full(n, 1 / (1 + gamma)), test)
    assert found.p_upper[0] == pytest.approx(upper, abs=1e-12)
    assert found.p_lower[0] == pytest.approx(lower, abs=1e-12)
    assert (found.n_zero, found.method) == (differences.count(0), "exact")


def test_no_pattern_of_hidden_bias_beats_the_bounds() -> None:
    differences, gamma = [3.0, -1.0, 4.0, 2.0, 5.0], 1.7
    found = rosenbaum_bounds(differences, [gamma], test="signed_rank", alternative="greater")
    corners = product([1 / (1 + gamma), gamma / (1 + gamma)], repeat=5)
    values = [enumerated(differences, np.array(corner), "signed_rank") for corner in corners]
    assert found.p_upper[0] == pytest.approx(max(values), abs=1e-12)
    assert found.p_lower[0] == pytest.approx(min(values), abs=1e-12)


def test_without_bias_it_is_the_ordinary_test() -> None:
    rng = np.random.default_rng(1)
    d = rng.normal(0.3, 1, 45)
    found = rosenbaum_bounds(d, [1.0], test="signed_rank", alternative="greater")
    assert found.p_upper[0] == pytest.approx(
        wilcoxon(d, alternative="greater", method="exact").pvalue, rel=1e-10
    )
    less = rosenbaum_bounds(d, [1.0], test="signed_rank", alternative="less")
    assert less.p_upper[0] == pytest.approx(wilcoxon(d, alternative="less", method="exact").pvalue, rel=1e-10)
    sign = rosenbaum_bounds(d, [1.0], test="sign", alternative="greater")
    theirs = binomtest(int((d > 0).sum()), 45, alternative="greater").pvalue
    assert sign.p_upper[0] == pytest.approx(theirs, rel=1e-10)


def test_sign_test_of_yes_and_no_is_mcnemar() -> None:
    differences = [1] * 14 + [-1] * 5 + [0] * 30
    found = rosenbaum_bounds(differences, [1.0], test="sign", alternative="greater")
    # McNemar's exact test is two-sided: twice the smaller tail.
    assert 2 * found.p_upper[0] == pytest.approx(mcnemar([[30, 5], [14, 0]], exact=True).pvalue, rel=1e-10)
    assert (found.n_pairs, found.n_zero) == (19, 30)


def test_normal_approximation() -> None:
    rng = np.random.default_rng(2)
    d = np.round(rng.normal(0.3, 1, 400), 1)
    gammas = [1.0, 1.2, 1.5]
    found = rosenbaum_bounds(d, gammas, test="signed_rank", alternative="greater")
    q = rankdata(np.abs(d[d != 0]))
    statistic = q[d[d != 0] > 0].sum()
    for gamma, upper, lower in zip(gammas, found.p_upper, found.p_lower, strict=True):
        for bound, p in ((upper, gamma / (1 + gamma)), (lower, 1 / (1 + gamma))):
            z = (statistic - p * q.sum()) / np.sqrt(p * (1 - p) * (q @ q))
            assert bound == pytest.approx(norm.sf(z), rel=1e-10)
    assert found.method == "normal"
    assert found.p_upper[0] == pytest.approx(
        wilcoxon(d, alternative="greater", method="approx", correction=False).pvalue, rel=1e-10
    )


def test_exact_and_normal_agree_at_the_switch() -> None:
    rng = np.random.default_rng(3)
    d = rng.normal(0.3, 1, 201)
    gammas = [1.0, 1.3, 1.6]
    normal = rosenbaum_bounds(d, gammas, test="signed_rank", alternative="greater")
    exact = rosenbaum_bounds(d[:200], gammas, test="signed_rank", alternative="greater")
    assert (normal.method, exact.method) == ("normal", "exact")
    # One pair more or less and a normal for 200 ranks: within 0.02 in probability.
    np.testing.assert_allclose(normal.p_upper, exact.p_upper, atol=0.02)


@pytest.mark.parametrize("n", [30, 400])
@pytest.mark.parametrize("test", ["signed_rank", "sign"])
def test_tipping_gamma(n: int, test: Any) -> None:
    d = np.random.default_rng(4).normal(0.8, 1, n)
    found = rosenbaum_bounds(d, [1.0, 2.0, 4.0, 8.0], test=test, alternative="greater", alpha=0.025)
    assert np.all(np.diff(found.p_upper) >= 0)
    assert np.all(np.diff(found.p_lower) <= 0)
    assert found.tipping_gamma is not None
    at = rosenbaum_bounds(d, [found.tipping_gamma], test=test, alternative="greater")
    assert at.p_upper[0] == pytest.approx(0.025, abs=1e-7)


def test_nothing_to_tip_when_not_significant() -> None:
    found = rosenbaum_bounds([1, -2, 3, -4], [1.0], test="signed_rank", alternative="greater")
    assert found.tipping_gamma is None


def test_pair_differences_follow_the_labels() -> None:
    found = pair_differences([4, 9, 1, 5], [0, 1, 1, 0], ["b", "a", "b", "a"])
    assert found.tolist() == [4, -3]


@pytest.mark.parametrize(
    ("treated", "sets", "message"),
    [
        ([1, 0, 0, 1, 0], ["a", "a", "a", "b", "b"], "1 of 2 sets.*pairs only"),
        ([1, 1, 0, 1, 0], ["a", "a", "a", "b", "b"], "pairs only"),
        ([1, 0, 1, 0, 0], ["a", "a", "b", "b", "c"], "1 of 3 sets"),
        ([1, 0, 1, 0, 0], ["a", "a", "b", "b"], "sets have shape"),
        ([1, 0, 1, 0, 0], ["a", "a", "b", None, "b"], "sets: 1 of 5 are missing"),
    ],
)
def test_pairs_only(treated: list[int], sets: list[Any], message: str) -> None:
    with pytest.raises(EstimationError, match=message):
        pair_differences([1.0, 2, 3, 4, 5], treated, sets)


def test_pairs_need_two_arms() -> None:
    with pytest.raises(DesignError):
        pair_differences([1.0, 2.0], [1, 1], ["a", "a"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"differences": [1.0, np.nan]}, "differences: 1 of 2"),
        ({"differences": [0.0, 0.0]}, "all 2 differences are 0"),
        ({"differences": [[1.0, 2.0]]}, "shape"),
        ({"differences": []}, "all 0 differences"),
        ({"gammas": [0.5]}, "gammas need 1"),
        ({"gammas": 2.0}, "shape"),
        ({"alpha": 0.5}, "alpha"),
        ({"alpha": 0.0}, "alpha"),
        ({"test": "t"}, "'t'"),
        ({"alternative": "two-sided"}, "two-sided"),
    ],
)
def test_bad_bounds(changes: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {
        "differences": [1.0, 2.0],
        "gammas": [1.0],
        "test": "sign",
        "alternative": "greater",
        "alpha": 0.05,
    } | changes
    with pytest.raises(EstimationError, match=message):
        rosenbaum_bounds(given.pop("differences"), given.pop("gammas"), **given)


def test_e_value_turns_round_below_one() -> None:
    up, down = (
        e_value(2.0, 1.5, 2.6, scale="risk_ratio"),
        e_value(1 / 2, 1 / 2.6, 1 / 1.5, scale="risk_ratio"),
    )
    assert up.e_value == pytest.approx(down.e_value, rel=1e-14)
    assert up.e_value_limit == pytest.approx(down.e_value_limit, rel=1e-14)


def test_e_value_of_nothing_is_one() -> None:
    found = e_value(1.0, 0.8, 1.2, scale="rate_ratio")
    assert (found.e_value, found.e_value_limit) == (1.0, 1.0)


def test_e_value_of_a_difference_does_not_depend_on_the_unit() -> None:
    first = e_value(2.0, 1.0, 3.0, scale="mean_difference", standard_deviation=8.0)
    second = e_value(200.0, 100.0, 300.0, scale="mean_difference", standard_deviation=800.0)
    assert first.e_value == pytest.approx(second.e_value, rel=1e-12)
    assert first.e_value_limit == pytest.approx(second.e_value_limit, rel=1e-12)


def test_e_value_with_only_the_far_limit_has_none_for_the_limit() -> None:
    assert e_value(2.0, None, 3.0, scale="risk_ratio").e_value_limit is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"estimate": -0.2, "scale": "risk_ratio"}, "not logarithms"),
        ({"estimate": 0.0, "scale": "odds_ratio"}, "above 0"),
        ({"estimate": 2.0, "conf_low": 0.0, "scale": "rate_ratio"}, "above 0"),
        ({"estimate": 2.0, "true_value": -1.0, "scale": "rate_ratio"}, "above 0"),
        ({"estimate": np.nan, "scale": "risk_ratio"}, "finite"),
        ({"estimate": 2.0, "conf_low": 2.5, "scale": "risk_ratio"}, "does not hold"),
        ({"estimate": 2.0, "conf_high": 1.5, "scale": "risk_ratio"}, "does not hold"),
        ({"estimate": 2.0, "scale": "mean_difference"}, "needs the standard deviation"),
        ({"estimate": 2.0, "scale": "mean_difference", "standard_deviation": 0.0}, "standard deviation"),
        ({"estimate": 2.0, "scale": "risk_ratio", "standard_deviation": 1.0}, "mean difference only"),
        ({"estimate": 2.0, "scale": "risk_difference"}, "risk_difference"),
    ],
)
def test_bad_e_values(given: dict[str, Any], message: str) -> None:
    with pytest.raises(EstimationError, match=message):
        e_value(**given)


def test_examples() -> None:
    found = doctest.testmod(sensitivity)
    assert found.attempted > 0
    assert found.failed == 0
