"""Case 09: the teaching trial of Glick et al., 500 persons, against R (boot, systemfit, sandwich)."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from wor_eval.economics.acceptability import acceptability
from wor_eval.economics.decision import (
    bootstrap_ratio_interval,
    fieller_interval,
    icer,
    net_benefit,
    quadrants,
)
from wor_eval.economics.draws import JointDraws, joint_bootstrap, t_draws
from wor_eval.economics.information import normal_evpi
from wor_eval.economics.joint import JointDifference, arm_differences, joint_regression
from wor_eval.economics.sur import seemingly_unrelated
from wor_eval.effects.regression import gamma_regression

# Both sides are closed formulas in double precision; R prints 15 digits.
EXACT = 1e-11
ALL = ["dissev", "race", "blcost", "blqaly", "male"]


@pytest.fixture(scope="module")
def trial(shared: Path) -> pd.DataFrame:
    return pd.read_csv(shared / "reference" / "data" / "glick_cea.csv")


@pytest.fixture(scope="module")
def answers(shared: Path) -> dict[str, Any]:
    path = shared / "reference" / "r" / "09_glick_cea.json"
    return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def arms(trial: pd.DataFrame) -> JointDifference:
    return arm_differences(trial["cost"], trial["qaly"], trial["treat"])


@pytest.fixture(scope="module")
def drawn(trial: pd.DataFrame) -> JointDraws:
    return joint_bootstrap(trial["cost"], trial["qaly"], trial["treat"], replicates=60_000, seed=3)


def normal(fit: JointDifference) -> JointDifference:
    """R used the normal distribution for net benefit and Fieller."""
    return dataclasses.replace(fit, df=np.full(2, np.inf))


def test_differences_and_their_covariance(arms: JointDifference, answers: dict[str, Any]) -> None:
    delta = answers["delta"]
    np.testing.assert_allclose(arms.estimate, [delta["cost"], delta["qaly"]], rtol=EXACT)
    np.testing.assert_allclose(arms.std_error, [delta["se_cost"], delta["se_qaly"]], rtol=EXACT)
    assert arms.covariance[0, 1] == pytest.approx(delta["cov"], rel=EXACT)
    assert arms.correlation == pytest.approx(delta["cor"], rel=EXACT)
    assert (arms.n_referred, arms.n_comparison) == (answers["n1"], answers["n0"])


def test_means_and_spread_of_the_arms(trial: pd.DataFrame, answers: dict[str, Any]) -> None:
    """The file itself is that of R: what follows rests on it."""
    for arm in (0, 1):
        rows = trial[trial["treat"] == arm]
        for name in ("cost", "qaly"):
            assert rows[name].mean() == pytest.approx(answers["means"][f"{name}{arm}"], rel=EXACT)
            assert rows[name].std() == pytest.approx(answers["means"][f"sd_{name}{arm}"], rel=EXACT)
        assert rows["cost"].corr(rows["qaly"]) == pytest.approx(answers["means"][f"cor{arm}"], rel=EXACT)


def test_gamma_regression_of_costs(trial: pd.DataFrame, answers: dict[str, Any]) -> None:
    expected = pd.DataFrame(answers["gamma_cost"]["table"])
    names = ["treat", "dissev", "blcost", "male"]
    columns = np.column_stack([np.ones(len(trial)), trial[names]])
    fit = gamma_regression(trial["cost"], columns, names=["(Intercept)", *names], small_sample="none")
    # R stops when the deviance changes by less than 1e-13 of itself; coefficients are then good to its root.
    np.testing.assert_allclose(fit.coef, expected["est"], rtol=1e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.cov)), expected["se"], rtol=1e-6)
    ends = [
        np.exp(np.column_stack([columns[:, 0], np.full(500, t), columns[:, 2:]]) @ fit.coef) for t in (1, 0)
    ]
    assert np.mean(ends[0] - ends[1]) == pytest.approx(answers["gamma_cost"]["diff_recycled"], rel=1e-6)


def test_welch(arms: JointDifference, answers: dict[str, Any]) -> None:
    limits = arms.intervals()
    for i, name in enumerate(("cost", "qaly")):
        welch = answers["welch"][name]
        assert arms.estimate[i] / arms.std_error[i] == pytest.approx(welch["t"], rel=EXACT)
        assert arms.df[i] == pytest.approx(welch["df"], rel=EXACT)
        assert limits.p_value[i] == pytest.approx(welch["p"], rel=1e-9)  # two t distributions
        np.testing.assert_allclose([limits.conf_low[i], limits.conf_high[i]], welch["ci"], rtol=1e-9)


def test_ratio_and_fieller(arms: JointDifference, answers: dict[str, Any]) -> None:
    found = icer(*arms.estimate)
    assert found.ratio == pytest.approx(answers["delta"]["icer"], rel=EXACT)
    assert found.verdict == "costs_more_for_more"
    interval = fieller_interval(normal(arms))
    assert interval.bounded
    # The quadratic loses a few digits: its leading term is 4e-4.
    assert interval.conf_low == pytest.approx(answers["fieller95"]["lo"], rel=1e-9)
    assert interval.conf_high == pytest.approx(answers["fieller95"]["hi"], rel=1e-9)
    cost, effect = arms.estimate
    gradient = np.array([1 / effect, -cost / effect**2])
    delta_error = np.sqrt(gradient @ arms.covariance @ gradient)
    assert delta_error == pytest.approx(answers["icer_delta_se"], rel=1e-10)


def test_net_benefit_over_thresholds(arms: JointDifference, answers: dict[str, Any]) -> None:
    table = pd.DataFrame(answers["inmb"])
    found = net_benefit(normal(arms), table["k"])
    np.testing.assert_allclose(found.limits.estimate, table["inmb"], rtol=EXACT)
    np.testing.assert_allclose(found.limits.std_error, table["se"], rtol=EXACT)
    np.testing.assert_allclose(found.limits.conf_low, table["lo"], rtol=1e-10)
    np.testing.assert_allclose(found.limits.conf_high, table["hi"], rtol=1e-10)
    np.testing.assert_allclose(found.probability, table["ceac_normal"], rtol=EXACT)
    closed = pd.DataFrame(answers["evpi_normal_closed"])
    # A difference of two terms of its own size, up to 100 times larger than itself.
    np.testing.assert_allclose(
        normal_evpi(found.limits.estimate, found.limits.std_error), closed["evpi"], rtol=1e-9
    )


@pytest.mark.parametrize(
    ("covariance", "column"), [("model", "se_ols"), ("hc0", "se_HC0"), ("hc3", "se_HC3")]
)
def test_net_benefit_regression(
    trial: pd.DataFrame, answers: dict[str, Any], covariance: Any, column: str
) -> None:
    table = pd.DataFrame(answers["nbr"])
    fit = joint_regression(
        trial["cost"], trial["qaly"], trial["treat"], covariates=trial[ALL], covariance=covariance
    )
    found = net_benefit(fit, table["k"])
    np.testing.assert_allclose(found.limits.estimate, table["est"], rtol=EXACT)
    np.testing.assert_allclose(found.limits.std_error, table[column], rtol=EXACT)


@pytest.mark.parametrize(
    ("residual_df", "case"), [("geometric_mean", "sur_geomean"), ("rows", "sur_noDfCor")]
)
def test_seemingly_unrelated(
    trial: pd.DataFrame, answers: dict[str, Any], residual_df: Any, case: str
) -> None:
    expected = answers[case]
    table = pd.DataFrame(expected["table"])
    fit = seemingly_unrelated(
        trial["cost"],
        trial["qaly"],
        trial["treat"],
        cost_covariates=trial[["dissev", "blcost", "male"]],
        effect_covariates=trial[["dissev", "blqaly", "male"]],
        covariance="model",
        residual_df=residual_df,
    )
    # systemfit inverts the unscaled system of costs and QALYs: its own answers agree to 1e-11 between df.
    np.testing.assert_allclose(np.append(fit.cost, fit.effect), table["est"], rtol=1e-10)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance)), table["se"], rtol=1e-10)
    np.testing.assert_allclose(fit.residual_covariance, expected["resid_cov"], rtol=1e-10)
    assert fit.difference.covariance[0, 1] == pytest.approx(expected["cov_treat"], rel=1e-10)
    assert icer(*fit.difference.estimate).ratio == pytest.approx(expected["icer"], rel=1e-10)


def test_seemingly_unrelated_without_covariates_is_least_squares(
    trial: pd.DataFrame, answers: dict[str, Any]
) -> None:
    expected = answers["sur_unadjusted"]
    fit = seemingly_unrelated(trial["cost"], trial["qaly"], trial["treat"], covariance="model").difference
    np.testing.assert_allclose(fit.estimate, [expected["cost"], expected["qaly"]], rtol=1e-10)
    np.testing.assert_allclose(fit.std_error, [expected["se_cost"], expected["se_qaly"]], rtol=1e-10)
    assert fit.covariance[0, 1] == pytest.approx(expected["cov"], rel=1e-10)


def test_bootstrap_spread_and_limits(drawn: JointDraws, answers: dict[str, Any]) -> None:
    expected = answers["bootstrap"]
    # Monte-Carlo error of a standard error: 0.5 % in R (20,000 draws), 0.3 % here (60,000).
    np.testing.assert_allclose(
        drawn.draws.std(axis=0, ddof=1), [expected["se_cost"], expected["se_qaly"]], rtol=0.015
    )
    exact = answers["delta"]["se_cost"] * np.sqrt(249 / 250), answers["delta"]["se_qaly"] * np.sqrt(249 / 250)
    np.testing.assert_allclose(drawn.draws.std(axis=0), exact, rtol=0.012)  # 4 Monte-Carlo errors
    correlation = np.corrcoef(drawn.draws.T)[0, 1]
    assert correlation == pytest.approx(expected["cor"], abs=0.03)  # Monte-Carlo error 0.0065 each
    limits = np.quantile(drawn.draws, [0.025, 0.975], axis=0)
    for i, name in enumerate(("cost", "qaly")):
        # The Monte-Carlo error of a 2.5 % point is 0.018 standard errors in R, and less here.
        tolerance = 4 * 0.018 * np.sqrt(2) * drawn.draws[:, i].std()
        np.testing.assert_allclose(limits[:, i], expected[f"ci_{name}"]["perc"], atol=tolerance)
        basic = 2 * drawn.estimate[i] - limits[::-1, i]
        np.testing.assert_allclose(basic, expected[f"ci_{name}"]["basic"], atol=tolerance)
        normal = drawn.estimate[i] + np.array([-1.959964, 1.959964]) * drawn.draws[:, i].std()
        # R moves the normal interval by the bias of its draws: their mean has an error of 0.007 standard errors.
        np.testing.assert_allclose(normal, expected[f"ci_{name}"]["norm"], atol=tolerance)


def test_bootstrap_acceptability_quadrants_and_evpi(drawn: JointDraws, answers: dict[str, Any]) -> None:
    expected = answers["bootstrap"]
    curve = pd.DataFrame(expected["ceac"])
    found = acceptability(drawn.draws[:, 0], drawn.draws[:, 1], curve["k"])
    # Runs of 20,000 and 60,000: Monte-Carlo error at most 0.004 for their difference.
    np.testing.assert_allclose(found.probability[:, 1], curve["p"], atol=0.01)
    shares = quadrants(drawn)
    assert shares.more_effect_more_cost == pytest.approx(expected["quadrants"]["NE"], abs=0.01)
    assert shares.more_effect_less_cost == pytest.approx(expected["quadrants"]["SE"], abs=0.01)
    assert shares.less_effect_less_cost == pytest.approx(expected["quadrants"]["SW"], abs=0.01)
    assert shares.less_effect_more_cost == pytest.approx(expected["quadrants"]["NW"], abs=0.01)
    information = pd.DataFrame(expected["evpi_per_person"])
    # Euros per person: 4 Monte-Carlo errors of the run in R, and half as much again for ours.
    losses = np.maximum(0, drawn.draws[:, [0]] - drawn.draws[:, [1]] * information["k"].to_numpy())
    errors = losses.std(axis=0) / np.sqrt(20_000) * 1.2
    assert (np.abs(found.evpi - information["evpi"]) < 4 * errors + 1e-9).all()


def test_bootstrap_interval_of_the_ratio_resembles_fieller(drawn: JointDraws, arms: JointDifference) -> None:
    resampled, formula = bootstrap_ratio_interval(drawn), fieller_interval(normal(arms))
    assert resampled.bounded and resampled.conf_low is not None and resampled.conf_high is not None
    assert formula.conf_low is not None and formula.conf_high is not None
    # No reference value: both ends are far out in a heavy tail, so only the order of size can agree.
    assert resampled.conf_low == pytest.approx(formula.conf_low, rel=0.25)
    assert resampled.conf_high == pytest.approx(formula.conf_high, rel=0.25)


def test_draws_of_the_fit_give_the_acceptability_of_its_t_interval(arms: JointDifference) -> None:
    draws = t_draws(arms, replicates=40_000, seed=5).draws
    thresholds = [0.0, 5000.0, 20_000.0, 200_000.0]
    found = acceptability(draws[:, 0], draws[:, 1], thresholds)
    # 40,000 draws: Monte-Carlo error at most 0.0025.
    np.testing.assert_allclose(found.probability[:, 1], net_benefit(arms, thresholds).probability, atol=0.01)
