"""Weighting, g-formula and AIPW on NHEFS (case 06: R's sandwich, survey, ebal, WeightIt, and "What If")."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import norm
from statsmodels.treatment.treatment_effects import TreatmentEffect

from wor_eval.design.entropy import entropy_balance
from wor_eval.design.weighting import (
    effective_sample_size,
    overlap_summary,
    propensity_weights,
    truncate_weights,
)
from wor_eval.effects.aipw import aipw, g_formula, weighted_difference

# The propensity model is fitted by two programs, each to about 1e-12: that is all that differs.
FITTED = 1e-9


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict[str, Any]:
    path = shared / "reference" / "r" / "06_nhefs_weighting.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def nhefs(shared: Path) -> dict[str, Any]:
    raw = pd.read_csv(shared / "reference" / "data" / "nhefs.csv")
    d = raw[raw["wt82_71"].notna()].sort_values("seqn").reset_index(drop=True)

    def dummies(name: str) -> pd.DataFrame:
        return pd.get_dummies(d[name], prefix=name, drop_first=True).astype(float)

    first = pd.concat(
        [
            d[["sex", "race", "age"]].astype(float),
            dummies("education"),
            d[["smokeintensity", "smokeyrs"]].astype(float),
            dummies("exercise"),
            dummies("active"),
            d[["wt71"]],
        ],
        axis=1,
    )
    squares = first[["age", "smokeintensity", "smokeyrs", "wt71"]].pow(2).add_suffix("_squared")
    both = pd.concat([first, squares], axis=1)
    treated = d["qsmk"].to_numpy()
    logit = sm.GLM(treated, sm.add_constant(both.to_numpy()), family=sm.families.Binomial())
    return {
        "y": d["wt82_71"].to_numpy(),
        "treated": treated,
        "first": first,
        "both": both,
        "propensity": logit.fit(tol=1e-14, maxiter=100).fittedvalues,
        "rows": [
            np.column_stack([np.ones(len(d)), np.full(len(d), arm), both, arm * d["smokeintensity"]])
            for arm in (0.0, 1.0)
        ],
    }


def check_weighted(found_weights: np.ndarray, nhefs: dict[str, Any], theirs: dict[str, float]) -> None:
    y, t, n = nhefs["y"], nhefs["treated"], nhefs["y"].size
    found = weighted_difference(y, t, found_weights)
    assert found.estimate == pytest.approx(theirs["est"], abs=FITTED)
    assert found.std_error == pytest.approx(theirs["se_svyglm"], abs=FITTED)
    # sandwich HC0 and geeglm leave n / (n - 1) out of the variance.
    assert found.std_error * np.sqrt((n - 1) / n) == pytest.approx(theirs["se_HC0"], abs=FITTED)
    assert found.std_error * np.sqrt((n - 1) / n) == pytest.approx(theirs["se_gee"], abs=FITTED)
    reach = norm.ppf(0.975) * theirs["se_svyglm"]
    assert (found.conf_low, found.conf_high) == pytest.approx(
        (theirs["est"] - reach, theirs["est"] + reach), abs=FITTED
    )
    assert found_weights.mean() == pytest.approx(theirs["mean_w"], abs=FITTED)
    assert found_weights.sum() == pytest.approx(theirs["sum_w"], rel=FITTED)
    assert (found_weights.min(), found_weights.max()) == pytest.approx(
        (theirs["min_w"], theirs["max_w"]), rel=FITTED
    )
    assert effective_sample_size(found_weights[t == 1]) == pytest.approx(theirs["ess_t"], rel=FITTED)
    assert effective_sample_size(found_weights[t == 0]) == pytest.approx(theirs["ess_c"], rel=FITTED)


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        ("ipw_unstab", "ate"),
        ("ipw_stab", "ate_stabilised"),
        ("ipw_att", "att"),
        ("overlap_ato", "overlap"),
    ],
)
def test_propensity_weights(case: str, kind: Any, nhefs: dict[str, Any], reference: dict[str, Any]) -> None:
    weights = propensity_weights(nhefs["propensity"], nhefs["treated"], kind=kind)
    check_weighted(weights, nhefs, reference[case])


def test_truncated_weights(nhefs: dict[str, Any], reference: dict[str, Any]) -> None:
    weights = propensity_weights(nhefs["propensity"], nhefs["treated"], kind="ate")
    check_weighted(truncate_weights(weights), nhefs, reference["ipw_trunc_1_99"])


def test_published_ipw_interval(nhefs: dict[str, Any]) -> None:
    weights = propensity_weights(nhefs["propensity"], nhefs["treated"], kind="ate_stabilised")
    found = weighted_difference(nhefs["y"], nhefs["treated"], weights)
    # "What If" section 12.3, printed with one decimal; its interval is that of a robust GEE.
    assert (round(found.estimate, 1), round(found.conf_low, 1), round(found.conf_high, 1)) == (3.4, 2.4, 4.5)


def test_overlap_range(nhefs: dict[str, Any], reference: dict[str, Any]) -> None:
    e, t = nhefs["propensity"], nhefs["treated"]
    found = overlap_summary(e, t, np.ones(t.size))
    ranges = reference["ps_range"]
    assert [e[t == 1].min(), e[t == 1].max()] == pytest.approx(ranges["treated"], abs=FITTED)
    assert [e[t == 0].min(), e[t == 0].max()] == pytest.approx(ranges["control"], abs=FITTED)
    low, high = ranges["control"]
    assert found.n_outside == np.count_nonzero((e[t == 1] < low) | (e[t == 1] > high))
    assert found.count_referred.sum() == reference["n_qsmk"]
    pairs = np.subtract.outer(e[t == 1], e[t == 0])
    # Brute force over all pairs, the same ties.
    assert found.c_statistic == pytest.approx(np.mean((pairs > 0) + 0.5 * (pairs == 0)), abs=1e-12)


@pytest.mark.parametrize(
    ("columns", "cases"),
    [
        ("first", ["entropy_balancing_ebal", "entropy_balancing_weightit"]),
        ("both", ["entropy_balancing_2moments"]),
    ],
)
def test_entropy_balancing(
    columns: str, cases: list[str], nhefs: dict[str, Any], reference: dict[str, Any]
) -> None:
    X, t, n = nhefs[columns], nhefs["treated"], nhefs["y"].size
    found = entropy_balance(X.to_numpy(), t, names=list(X))
    effect = weighted_difference(nhefs["y"], t, found.weights)
    for case in cases:
        theirs = reference[case]
        # WeightIt stops at a gap of 4e-7 between the means, ebal at 1e-14.
        slack = 1e-6 if case.endswith("weightit") else 1e-8
        assert effect.estimate == pytest.approx(theirs["att"], abs=slack)
        assert effect.std_error * np.sqrt((n - 1) / n) == pytest.approx(theirs["se_HC0"], abs=slack)
        assert effective_sample_size(found.weights[t == 0]) == pytest.approx(theirs["ess_c"], rel=slack)
    gap = X[t == 1].mean().to_numpy() - np.average(X[t == 0], axis=0, weights=found.weights[t == 0])
    assert np.abs(gap / X[t == 0].std().to_numpy()).max() < 1e-8
    assert found.imbalance < 1e-8


def test_entropy_weights_of_persons(nhefs: dict[str, Any], reference: dict[str, Any]) -> None:
    X, t = nhefs["first"], nhefs["treated"]
    found = entropy_balance(X.to_numpy(), t, names=list(X))
    theirs = reference["entropy_balancing_ebal"]
    first_ten = [row["w"] for row in theirs["w_first10_controls"]]
    # Both solve the same equations to about 1e-10.
    assert found.weights[t == 0][:10] == pytest.approx(first_ten, abs=1e-9)
    assert found.weights[t == 0].sum() == pytest.approx(theirs["sum_w"], abs=1e-9)


def test_standardisation(nhefs: dict[str, Any], reference: dict[str, Any]) -> None:
    rows, theirs = nhefs["rows"], reference["standardisation"]
    found = {
        estimand: g_formula(
            nhefs["y"],
            nhefs["treated"],
            design_comparison=rows[0],
            design_referred=rows[1],
            link="identity",
            estimand=estimand,
        )
        for estimand in ("ate", "att")
    }
    # Least squares on columns up to 1e4: rounding only.
    assert found["ate"].estimate == pytest.approx(theirs["ate"], abs=1e-9)
    assert found["att"].estimate == pytest.approx(theirs["att"], abs=1e-9)
    assert found["ate"].mean_referred == pytest.approx(theirs["y1"], abs=1e-9)
    assert found["ate"].mean_comparison == pytest.approx(theirs["y0"], abs=1e-9)
    # "What If" section 13.3 prints 2.6 to 4.5 from a bootstrap, which moves by 0.1 with its draws.
    assert (found["ate"].conf_low, found["ate"].conf_high) == pytest.approx((2.6, 4.5), abs=0.1)


@pytest.mark.parametrize("estimand", ["ate", "att"])
def test_standardisation_error_against_gmm(estimand: Any, nhefs: dict[str, Any]) -> None:
    y, t, X = nhefs["y"], nhefs["treated"], sm.add_constant(nhefs["first"].to_numpy())
    logit = sm.Logit(t, X).fit(disp=False)
    theirs = TreatmentEffect(sm.OLS(y, X), t, results_select=logit).ra(
        return_results=True, effect_group="all" if estimand == "ate" else 1
    )
    nothing = np.zeros_like(X)
    found = g_formula(
        y,
        t,
        design_comparison=np.hstack([X, nothing]),
        design_referred=np.hstack([X, X]),
        link="identity",
        estimand=estimand,
    )
    n = y.size
    # statsmodels minimises numerically and leaves n / (n - 1) out.
    assert found.estimate == pytest.approx(theirs.results_gmm.params[0], rel=1e-5)
    assert found.std_error * np.sqrt((n - 1) / n) == pytest.approx(theirs.results_gmm.bse[0], rel=1e-4)
    unscaled = (found.conf_high - found.conf_low) / 2 * np.sqrt((n - 1) / n)
    assert unscaled == pytest.approx(norm.ppf(0.975) * theirs.results_gmm.bse[0], rel=1e-4)


def predictions(nhefs: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    comparison, referred = nhefs["rows"]
    observed = np.where(nhefs["treated"][:, None] == 1, referred, comparison)
    beta = np.linalg.lstsq(observed, nhefs["y"], rcond=None)[0]
    return comparison @ beta, referred @ beta


def test_aipw_ate(nhefs: dict[str, Any], reference: dict[str, Any]) -> None:
    mu0, mu1 = predictions(nhefs)
    found = aipw(nhefs["y"], nhefs["treated"], nhefs["propensity"], mu0=mu0, mu1=mu1, estimand="ate")
    theirs = reference["aipw"]
    assert found.estimate == pytest.approx(theirs["ate"], abs=FITTED)
    assert found.std_error == pytest.approx(theirs["se"], abs=FITTED)
    reach = norm.ppf(0.975) * theirs["se"]
    assert (found.conf_low, found.conf_high) == pytest.approx(
        (theirs["ate"] - reach, theirs["ate"] + reach), abs=FITTED
    )


def test_aipw_error_near_joint_gmm(nhefs: dict[str, Any]) -> None:
    """Taking both models as known costs little against estimating them jointly."""
    y, t, X = nhefs["y"], nhefs["treated"], sm.add_constant(nhefs["first"].to_numpy())
    logit = sm.Logit(t, X).fit(disp=False, tol=1e-12)
    theirs = TreatmentEffect(sm.OLS(y, X), t, results_select=logit).aipw(return_results=True)
    fits = [sm.OLS(y[t == arm], X[t == arm]).fit() for arm in (0, 1)]
    found = aipw(y, t, logit.predict(), mu0=X @ fits[0].params, mu1=X @ fits[1].params, estimand="ate")
    assert found.estimate == pytest.approx(theirs.results_gmm.params[0], abs=1e-6)
    # 1.1 % apart: both models are only nearly right here, so the joint error is the larger one.
    assert found.std_error == pytest.approx(theirs.results_gmm.bse[0], rel=0.015)


def test_aipw_att_by_hand(nhefs: dict[str, Any], reference: dict[str, Any]) -> None:
    y, t, e = nhefs["y"], nhefs["treated"], nhefs["propensity"]
    mu0, _ = predictions(nhefs)
    found = aipw(y, t, e, mu0=mu0, estimand="att")
    part = t * (y - mu0) - (1 - t) * e / (1 - e) * (y - mu0)
    effect = part.sum() / t.sum()
    influence = (part - t * effect) / t.mean()
    # Written out from Hahn (1998): the same arithmetic, so rounding only.
    assert found.estimate == pytest.approx(effect, abs=1e-12)
    assert found.std_error == pytest.approx(influence.std(ddof=1) / np.sqrt(y.size), abs=1e-12)
    # Close to the g-formula and IPW for the same estimand, which differ by a tenth of a kilogram.
    assert found.estimate == pytest.approx(reference["standardisation"]["att"], abs=0.1)
    assert found.estimate == pytest.approx(reference["ipw_att"]["est"], abs=0.1)
