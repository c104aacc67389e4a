"""Weights, entropy balancing and overlap: small cases, special cases and refusals."""

import doctest
import importlib
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize

from wor_eval.design.entropy import entropy_balance
from wor_eval.design.weighting import (
    effective_sample_size,
    overlap_summary,
    propensity_weights,
    referred_mask,
    truncate_weights,
)
from wor_eval.errors import DesignError


def cohort(seed: int, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(50, 15, n), rng.poisson(4, n), rng.integers(0, 2, n)])
    chance = 1 / (1 + np.exp(2.5 - 0.02 * X[:, 0] - 0.2 * X[:, 1]))
    return X, (rng.random(n) < chance).astype(int)


NAMES = ["age", "contacts", "female"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("att", [1, 1 / 3, 4]),
        ("ate", [2, 4 / 3, 5]),
        ("ate_stabilised", [2 / 3, 8 / 9, 10 / 3]),
        ("overlap", [0.5, 0.25, 0.8]),
    ],
)
def test_weights_by_hand(kind: Any, expected: list[float]) -> None:
    found = propensity_weights([0.5, 0.25, 0.8], [1, 0, 0], kind=kind)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_overlap_weights_balance_a_logistic_model_exactly() -> None:
    X, t = cohort(1)
    design = sm.add_constant(X)
    e = sm.Logit(t, design).fit(disp=False, tol=1e-14).predict()
    w = propensity_weights(e, t, kind="overlap")
    means = [np.average(X[t == arm], axis=0, weights=w[t == arm]) for arm in (1, 0)]
    # A property of the maximum-likelihood fit (Li 2018, theorem 3).
    np.testing.assert_allclose(means[0], means[1], rtol=1e-9)


def test_unusable_propensities_are_counted_together() -> None:
    with pytest.raises(DesignError) as caught:
        propensity_weights([0, 0, 1, np.nan, -0.1, 1.2, 0.5], [1, 0, 1, 0, 1, 0, 1], kind="att")
    assert caught.value.problems == (
        "1 of 7 propensities are missing",
        "2 of 7 propensities are outside [0, 1]",
        "2 of 7 propensities are exactly 0",
        "1 of 7 propensities are exactly 1",
    )


@pytest.mark.parametrize(
    "treated", [[1, 0], [1, 1, 1], [0, 0, 0], [1, 2, 0], [1, np.nan, 0], [[1, 0, 1]]], ids=str
)
def test_bad_arms(treated: Any) -> None:
    with pytest.raises(DesignError):
        referred_mask(treated, 3)


def test_unknown_kind() -> None:
    with pytest.raises(DesignError, match="atc"):
        propensity_weights([0.5, 0.5], [1, 0], kind="atc")  # type: ignore[arg-type]


@pytest.mark.parametrize("weights", [[1, np.nan], [1, -1], [1, np.inf], [0, 0], [], [[1, 2]]], ids=str)
def test_bad_weights(weights: Any) -> None:
    with pytest.raises(DesignError):
        effective_sample_size(weights)
    with pytest.raises(DesignError):
        truncate_weights(weights)


@pytest.mark.parametrize(("lower", "upper"), [(0.5, 0.5), (-0.1, 0.9), (0.1, 1.1), (0.9, 0.1)])
def test_bad_quantiles(lower: float, upper: float) -> None:
    with pytest.raises(DesignError, match="lower"):
        truncate_weights([1, 2, 3], lower=lower, upper=upper)


def test_inputs_are_left_alone() -> None:
    X, t = cohort(2)
    weights = np.arange(1.0, 401)
    before = X.copy(), t.copy(), weights.copy()
    truncate_weights(weights)
    entropy_balance(X, t, names=NAMES, base_weights=weights)
    for given, kept in zip((X, t, weights), before, strict=True):
        np.testing.assert_array_equal(given, kept)


def test_effective_sample_size_ignores_scale() -> None:
    w = np.array([1.0, 2.0, 3.0])
    assert effective_sample_size(w) == pytest.approx(36 / 14)
    # Squares of such weights overflow or vanish: the scale is taken out first.
    assert effective_sample_size(w * 1e200) == pytest.approx(36 / 14)
    assert effective_sample_size(w * 1e-200) == pytest.approx(36 / 14)


def test_entropy_balance_is_the_constrained_minimum() -> None:
    """Brute force: minimise the divergence under the constraints with a general optimiser."""
    X, t = cohort(3, 40)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    rng = np.random.default_rng(3)
    base = rng.uniform(0.5, 2, 40)
    found = entropy_balance(X, t, names=NAMES, base_weights=base)
    q = base[t == 0] / base[t == 0].sum()
    target = np.average(X[t == 1], axis=0, weights=base[t == 1])
    theirs = minimize(
        lambda p: np.sum(p * np.log(p / q)),
        q,
        jac=lambda p: np.log(p / q) + 1,
        bounds=[(1e-12, 1)] * q.size,
        constraints=[
            {"type": "eq", "fun": lambda p: p @ X[t == 0] - target},
            {"type": "eq", "fun": lambda p: p.sum() - 1},
        ],
        options={"ftol": 1e-15, "maxiter": 500},
    )
    # The optimiser stops at a divergence flat to 1e-15, so weights to about the square root of that.
    np.testing.assert_allclose(found.weights[t == 0] / base[t == 1].sum(), theirs.x, atol=1e-7)


def test_entropy_balance_of_one_binary_covariate_is_post_stratification() -> None:
    x = np.array([1, 1, 1, 0, 1, 0, 0, 0])[:, None]
    t = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    found = entropy_balance(x, t, names=["female"])
    np.testing.assert_allclose(found.weights, [1, 1, 1, 1, 3, 1 / 3, 1 / 3, 1 / 3], rtol=1e-7)


def test_base_weights_are_as_good_as_copies() -> None:
    X, t = cohort(4)
    copies = np.random.default_rng(4).integers(0, 3, t.size)
    found = entropy_balance(X, t, names=NAMES, base_weights=copies)
    repeated = entropy_balance(np.repeat(X, copies, axis=0), np.repeat(t, copies), names=NAMES)
    np.testing.assert_allclose(
        np.repeat(found.weights / np.maximum(copies, 1), copies), repeated.weights, rtol=1e-6
    )
    assert not found.weights[copies == 0].any()


def test_redundant_and_constant_columns_do_no_harm() -> None:
    X, t = cohort(5)
    more = np.column_stack([X, 1 - X[:, 2], X[:, 0] * 1000 - X[:, 1], np.full(t.size, 7.0)])
    plain = entropy_balance(X, t, names=NAMES)
    found = entropy_balance(more, t, names=[*NAMES, "male", "sum", "constant"])
    np.testing.assert_allclose(found.weights, plain.weights, rtol=1e-6)


def test_target_outside_the_range_is_named() -> None:
    X, t = cohort(6)
    X[t == 1, 1] = 50
    with pytest.raises(DesignError) as caught:
        entropy_balance(X, t, names=NAMES)
    assert caught.value.problems == ("contacts",)


def test_constant_among_comparison_persons_only_is_named() -> None:
    X, t = cohort(6)
    X[t == 0, 2] = 1
    with pytest.raises(DesignError) as caught:
        entropy_balance(X, t, names=NAMES)
    assert caught.value.problems == ("female",)


def test_joint_target_outside_the_hull_is_named() -> None:
    """Each mean is within range, but no comparison person is high on both."""
    rng = np.random.default_rng(7)
    a = rng.uniform(0, 1, 200)
    comparison = np.column_stack([a, (1 - a) * rng.uniform(0, 1, 200), rng.normal(size=200)])
    referred = np.column_stack([np.full(20, 0.8), np.full(20, 0.8), rng.normal(size=20)])
    with pytest.raises(DesignError, match="no weights") as caught:
        entropy_balance(np.vstack([referred, comparison]), [1] * 20 + [0] * 200, names=["a", "b", "noise"])
    # The nearest reachable point is on the line a + b = 1, so both stay apart and the noise does not.
    assert {problem.split(":")[0] for problem in caught.value.problems} == {"a", "b"}


def test_redundant_column_that_contradicts_is_named() -> None:
    """The sum is implied among comparison persons but not among the referred."""
    X, t = cohort(8)
    total = X[:, 0] + X[:, 1]
    total[t == 1] += 1
    with pytest.raises(DesignError, match="no weights"):
        entropy_balance(np.column_stack([X, total]), t, names=[*NAMES, "total"])


def test_too_few_steps() -> None:
    X, t = cohort(8)
    with pytest.raises(DesignError, match="did not converge in 1 steps"):
        entropy_balance(X, t, names=NAMES, max_iterations=1)


def test_target_on_the_edge_empties_the_other_cell() -> None:
    """No referred person is female: the female comparison persons end with next to no weight."""
    X, t = cohort(9)
    X[t == 1, 2] = 0
    found = entropy_balance(X, t, names=NAMES)
    female = (t == 0) & (X[:, 2] == 1)
    assert found.weights[female].sum() < 1e-6 * found.weights[t == 0].sum()
    only = entropy_balance(X[~female, :2], t[~female], names=NAMES[:2])
    np.testing.assert_allclose(found.weights[~female], only.weights, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ["age"]}, "one column per name"),
        ({"covariates": [[1.0, np.nan, 0.0]] * 4}, "missing"),
        ({"base_weights": [1, 1, 0, 0]}, "base weights that are all 0"),
        ({"base_weights": [1, 1]}, "base_weights have shape"),
        ({"treated": [1, 1, 1, 1]}, "both arms"),
    ],
)
def test_bad_input_to_entropy_balance(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {
        "covariates": [[1.0, 2.0, 0.0]] * 4,
        "treated": [1, 1, 0, 0],
        "names": NAMES,
        "base_weights": None,
    } | change
    with pytest.raises(DesignError, match=message):
        entropy_balance(
            given["covariates"], given["treated"], names=given["names"], base_weights=given["base_weights"]
        )


def test_overlap_counts_and_sums() -> None:
    e = np.array([0.02, 0.5, 0.95, 0.1, 0.5, 0.9])
    t = np.array([1, 1, 1, 0, 0, 0])
    w = np.array([1, 1, 1, 0.5, 0, 2.5])
    found = overlap_summary(e, t, w, bins=4)
    assert (found.n_outside, found.share_outside) == (2, pytest.approx(2 / 3))
    assert found.count_referred.tolist() == [1, 0, 1, 1]
    assert found.weight_comparison.tolist() == [0.5, 0, 0, 2.5]
    assert found.c_statistic == pytest.approx((0 + 1.5 + 3) / 9)


@pytest.mark.parametrize("bins", [0, -1])
def test_overlap_needs_bins(bins: int) -> None:
    with pytest.raises(DesignError, match="bins"):
        overlap_summary([0.5, 0.5], [1, 0], [1, 1], bins=bins)


def test_overlap_needs_one_weight_per_person() -> None:
    with pytest.raises(DesignError, match="weights"):
        overlap_summary([0.5, 0.5], [1, 0], [1, 1, 1])


@pytest.mark.parametrize(
    "name", ["design.weighting", "design.entropy", "design.balance", "effects.influence", "effects.aipw"]
)
def test_examples(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"wor_eval.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
