"""Weighted contrasts, AIPW and g-formula: special cases that must collapse, brute force, and refusals."""

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import approx_fprime

from wor_eval.effects.aipw import aipw, g_formula, weighted_difference
from wor_eval.errors import DesignError, EstimationError


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    n = 600
    x = rng.normal(size=n)
    t = (rng.random(n) < 1 / (1 + np.exp(0.7 - 0.6 * x))).astype(int)
    exposure = rng.uniform(0.4, 1, n)
    practice = rng.integers(0, 40, n)
    rate = np.exp(1.2 + 0.4 * x - 0.3 * t + 0.3 * rng.normal(size=40)[practice])
    return {
        "x": x,
        "t": t,
        "exposure": exposure,
        "practice": practice,
        "events": rng.poisson(rate * exposure).astype(float),
        "value": rng.normal(2 * x + t, 1 + 0.5 * t),
        "weights": rng.uniform(0.2, 3, n),
        "e": 1 / (1 + np.exp(0.7 - 0.6 * x)),
    }


def rows(data: dict[str, np.ndarray], arm: float) -> np.ndarray:
    ones = np.ones_like(data["x"])
    return np.column_stack([ones, arm * ones, data["x"], arm * data["x"]])


@pytest.mark.filterwarnings("ignore:cov_type not fully supported with var_weights")
@pytest.mark.parametrize("clustered", [False, True])
def test_rate_ratio_is_a_robust_poisson_regression(data: dict[str, np.ndarray], clustered: bool) -> None:
    found = weighted_difference(
        data["events"],
        data["t"],
        data["weights"],
        exposure=data["exposure"],
        clusters=data["practice"] if clustered else None,
        scale="log_ratio",
    )
    model = sm.GLM(
        data["events"],
        sm.add_constant(data["t"]),
        family=sm.families.Poisson(),
        offset=np.log(data["exposure"]),
        var_weights=data["weights"],
    )
    n, G = 600, 40
    if clustered:
        fit = model.fit(cov_type="cluster", cov_kwds={"groups": data["practice"], "use_correction": False})
        factor = G / (G - 1)
    else:
        fit, factor = model.fit(cov_type="HC0"), n / (n - 1)
    # The weighted rates are the solution of the weighted Poisson score: rounding only.
    assert found.estimate == pytest.approx(fit.params[1], rel=1e-8)
    assert found.std_error == pytest.approx(fit.bse[1] * np.sqrt(factor), rel=1e-8)
    assert found.p_value == pytest.approx(fit.pvalues[1], rel=0.1)
    assert (found.n_persons, found.n_clusters) == (600, 40 if clustered else 600)


def test_clusters_are_summed(data: dict[str, np.ndarray]) -> None:
    found = weighted_difference(data["value"], data["t"], data["weights"], clusters=data["practice"])
    fit = sm.WLS(data["value"], sm.add_constant(data["t"]), weights=data["weights"]).fit(
        cov_type="cluster", cov_kwds={"groups": data["practice"], "use_correction": False}
    )
    assert found.estimate == pytest.approx(fit.params[1], rel=1e-10)
    assert found.std_error == pytest.approx(fit.bse[1] * np.sqrt(40 / 39), rel=1e-10)


def test_clusters_of_one_person_change_nothing(data: dict[str, np.ndarray]) -> None:
    labels = [f"person {i}" for i in range(600)]
    first = weighted_difference(data["value"], data["t"], data["weights"])
    second = weighted_difference(data["value"], data["t"], data["weights"], clusters=labels)
    assert second.std_error == pytest.approx(first.std_error, rel=1e-12)


def test_persons_without_weight_do_not_count(data: dict[str, np.ndarray]) -> None:
    keep = data["x"] > -0.5
    weights = np.where(keep, data["weights"], 0)
    whole = weighted_difference(data["value"], data["t"], weights)
    part = weighted_difference(data["value"][keep], data["t"][keep], weights[keep])
    assert whole.std_error == pytest.approx(part.std_error, rel=1e-12)
    assert whole.n_persons == keep.sum()


@pytest.mark.parametrize("estimand", ["att", "ate"])
@pytest.mark.parametrize("scale", ["difference", "log_ratio"])
def test_aipw_weights_are_as_good_as_copies(data: dict[str, np.ndarray], estimand: Any, scale: Any) -> None:
    copies = np.random.default_rng(2).integers(0, 3, 600)
    again = np.repeat(np.arange(600), copies)
    mu0, mu1 = (data["exposure"] * np.exp(1.2 + 0.4 * data["x"] - 0.3 * arm) for arm in (0, 1))
    found = aipw(
        data["events"],
        data["t"],
        data["e"],
        mu0=mu0,
        mu1=mu1,
        estimand=estimand,
        weights=copies,
        exposure=data["exposure"],
        clusters=np.arange(600),
        scale=scale,
    )
    repeated = aipw(
        data["events"][again],
        data["t"][again],
        data["e"][again],
        mu0=mu0[again],
        mu1=mu1[again],
        estimand=estimand,
        exposure=data["exposure"][again],
        clusters=again,
        scale=scale,
    )
    # The same sums in another order.
    assert found.estimate == pytest.approx(repeated.estimate, rel=1e-10)
    assert found.std_error == pytest.approx(repeated.std_error, rel=1e-10)


@pytest.mark.parametrize("estimand", ["att", "ate"])
def test_aipw_of_rates_with_equal_exposure_is_the_mean_rescaled(
    data: dict[str, np.ndarray], estimand: Any
) -> None:
    mu0, mu1 = (np.exp(1.0 + 0.3 * data["x"] - 0.3 * arm) for arm in (0, 1))
    plain = aipw(data["events"], data["t"], data["e"], mu0=mu0, mu1=mu1, estimand=estimand)
    found = aipw(
        data["events"],
        data["t"],
        data["e"],
        mu0=mu0,
        mu1=mu1,
        estimand=estimand,
        exposure=np.full(600, 0.5),
    )
    assert found.estimate == pytest.approx(2 * plain.estimate, rel=1e-12)
    assert found.std_error == pytest.approx(2 * plain.std_error, rel=1e-12)


def test_att_ignores_mu1(data: dict[str, np.ndarray]) -> None:
    zeros = np.zeros(600)
    first = aipw(data["value"], data["t"], data["e"], mu0=zeros, estimand="att")
    second = aipw(data["value"], data["t"], data["e"], mu0=zeros, mu1=zeros + 9, estimand="att")
    assert first == second


def test_aipw_in_a_trial_with_arm_means_is_the_difference_of_means(data: dict[str, np.ndarray]) -> None:
    y, t = data["value"], data["t"]
    mu0, mu1 = (np.full(600, y[t == arm].mean()) for arm in (0, 1))
    found = aipw(y, t, np.full(600, t.mean()), mu0=mu0, mu1=mu1, estimand="ate")
    plain = weighted_difference(y, t, np.ones(600))
    assert found.estimate == pytest.approx(plain.estimate, rel=1e-12)
    assert found.std_error == pytest.approx(plain.std_error, rel=1e-12)


@pytest.mark.parametrize("estimand", ["att", "ate"])
@pytest.mark.parametrize("scale", ["difference", "log_ratio"])
def test_g_formula_against_stacked_equations(data: dict[str, np.ndarray], estimand: Any, scale: Any) -> None:
    """Brute force: all estimating equations in one system, its derivative by finite differences."""
    y, t, s, exposure = data["events"], data["t"], data["weights"], data["exposure"]
    found = g_formula(
        y,
        t,
        design_comparison=rows(data, 0),
        design_referred=rows(data, 1),
        link="log",
        estimand=estimand,
        weights=s,
        exposure=exposure,
        clusters=data["practice"],
        scale=scale,
    )
    X = np.where(t[:, None] == 1, rows(data, 1), rows(data, 0))
    r = t if estimand == "att" else np.ones(600)

    def equations(theta: np.ndarray) -> np.ndarray:
        beta, m1, m0 = theta[:4], theta[4], theta[5]
        score = X * (y - exposure * np.exp(X @ beta))[:, None]
        means = [r * exposure * (np.exp(rows(data, arm) @ beta) - m) for arm, m in ((1, m1), (0, m0))]
        return s[:, None] * np.column_stack([score, *means])

    fit = sm.GLM(y, X, family=sm.families.Poisson(), offset=np.log(exposure), var_weights=s).fit(tol=1e-12)
    beta = fit.params
    m1, m0 = (np.average(np.exp(rows(data, arm) @ beta), weights=s * r * exposure) for arm in (1, 0))
    theta = np.array([*beta, m1, m0])
    bread = approx_fprime(theta, lambda v: equations(v).sum(axis=0), 1e-7)
    influence = -equations(theta) @ np.linalg.inv(bread).T
    sums = np.array([influence[data["practice"] == g].sum(axis=0) for g in range(40)])
    covariance = sums.T @ sums * 40 / 39
    gradient = np.zeros(6)
    gradient[4:] = (1, -1) if scale == "difference" else (1 / m1, -1 / m0)
    estimate = m1 - m0 if scale == "difference" else np.log(m1 / m0)
    assert found.estimate == pytest.approx(estimate, rel=1e-8)
    # Finite differences are good to about 1e-6.
    assert found.std_error == pytest.approx(np.sqrt(gradient @ covariance @ gradient), rel=1e-5)


def test_g_formula_without_covariates_is_the_weighted_rate_ratio(data: dict[str, np.ndarray]) -> None:
    options: dict[str, Any] = {
        "exposure": data["exposure"],
        "clusters": data["practice"],
        "scale": "log_ratio",
    }
    found = g_formula(
        data["events"],
        data["t"],
        design_comparison=rows(data, 0)[:, :2],
        design_referred=rows(data, 1)[:, :2],
        link="log",
        estimand="att",
        weights=data["weights"],
        **options,
    )
    plain = weighted_difference(data["events"], data["t"], data["weights"], **options)
    assert found.estimate == pytest.approx(plain.estimate, rel=1e-8)
    assert found.std_error == pytest.approx(plain.std_error, rel=1e-8)


def test_g_formula_does_not_mind_the_unit_of_a_covariate(data: dict[str, np.ndarray]) -> None:
    unit = np.array([1, 1, 1e6, 1e6])
    first, second = (
        g_formula(
            data["value"],
            data["t"],
            design_comparison=rows(data, 0) * scale,
            design_referred=rows(data, 1) * scale,
            link="identity",
            estimand="ate",
        )
        for scale in (1.0, unit)
    )
    assert second.std_error == pytest.approx(first.std_error, rel=1e-9)


Y, T, E = np.array([1.0, 2.0, 3.0, 5.0]), np.array([1, 1, 0, 0]), np.full(4, 0.5)


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        ([1, np.nan, 2, 3], {}, "y: 1 of 4"),
        ([[1, 2, 3, 4]], {}, "y has shape"),
        (Y, {"exposure": [1, 1, 0, 1]}, "exposure: 1 of 4"),
        (Y, {"exposure": [1, 1, 1]}, "exposure has shape"),
        (Y, {"clusters": [1, 1, 1, 1]}, "two clusters"),
        (Y, {"clusters": ["a", None, "b", "b"]}, "clusters: 1 of 4"),
        (Y, {"clusters": [1, 2]}, "clusters have shape"),
        ([-1, 0, 1, 2], {"scale": "log_ratio"}, "both means above 0"),
        ([1, 1, 1, 1], {}, "does not vary"),
        (Y, {"scale": "ratio"}, "'ratio'"),
    ],
)
def test_bad_outcomes(y: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises((EstimationError, DesignError), match=message):
        weighted_difference(y, T if len(y) == 4 else [1, 1, 0, 0], np.ones(4), **options)


def test_an_arm_without_weight() -> None:
    with pytest.raises(EstimationError, match="all 0"):
        weighted_difference(Y, T, [0, 0, 1, 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimand": "ate"}, "needs mu1"),
        ({"estimand": "overlap"}, "overlap"),
        ({"estimand": "att", "mu0": [1, 2, 3]}, "mu0 has shape"),
        ({"estimand": "att", "mu0": [1, np.nan, 3, 4]}, "mu0: 1 of 4"),
        ({"estimand": "ate", "mu1": [1, np.inf, 3, 4]}, "mu1: 1 of 4"),
    ],
)
def test_bad_predictions(options: dict[str, Any], message: str) -> None:
    with pytest.raises(EstimationError, match=message):
        aipw(Y, T, E, **({"mu0": Y} | options))


def test_aipw_refuses_certain_propensities() -> None:
    with pytest.raises(DesignError, match="no weights"):
        aipw(Y, T, [0.5, 1.0, 0.5, 0.5], mu0=Y, estimand="att")


ROWS0, ROWS1 = np.array([[1.0, 0.0]] * 4), np.array([[1.0, 1.0]] * 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exposure": [1, 1, 1, 1]}, "link='log'"),
        ({"link": "logit"}, "logit"),
        ({"estimand": "overlap"}, "overlap"),
        ({"design_referred": ROWS1[:3]}, "design_referred has shape"),
        ({"design_comparison": ROWS0[:, :1]}, "same columns"),
        ({"design_referred": ROWS1 * np.nan}, "design_referred: 8 values"),
        ({"design_comparison": ROWS1, "design_referred": ROWS1}, "rank 1"),
        ({"y": [-1, 2, 3, 4], "link": "log"}, "y: 1 of 4 are negative"),
        ({"y": [0, 0, 3, 4], "link": "log"}, "no events"),
    ],
)
def test_bad_g_formula(changes: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {
        "y": Y,
        "design_comparison": ROWS0,
        "design_referred": ROWS1,
        "link": "identity",
        "estimand": "ate",
    } | changes
    with pytest.raises(EstimationError, match=message):
        g_formula(given.pop("y"), T, **given)
