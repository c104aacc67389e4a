"""Poisson, negative binomial and GEE regression against R on real counts (cases 01 and 02)."""

import json

import numpy as np
import pytest

from wor_eval.effects.fit import coefficients, wald_test
from wor_eval.effects.g_computation import g_computation
from wor_eval.effects.gee import gee_poisson
from wor_eval.effects.negative_binomial import negative_binomial_regression
from wor_eval.effects.regression import poisson_regression

COLUMNS = ["reform", "age", "educ", "married", "badh", "loginc"]
FACTORS = {
    "cluster_HC0_noadj": "none",
    "cluster_HC0_cadjust": "G/(G-1)",
    "cluster_HC1": "G/(G-1)*(N-1)/(N-K)",
}
# glm.nb stops theta and beta in turn at 1e-12; glm() keeps the weights of its last step but one, which leaves
# 1e-9 in its standard errors and intervals.
R_NB = 1e-8
R_GLM = 1e-8


@pytest.fixture(scope="module")
def drvisits(shared):
    import pandas as pd

    return pd.read_csv(shared / "reference/data/drvisits.csv")


@pytest.fixture(scope="module")
def answers(shared):
    return json.loads((shared / "reference/r/01_drvisits_before_after.json").read_text())


@pytest.fixture(scope="module")
def adjusted(drvisits):
    return np.column_stack([np.ones(len(drvisits)), drvisits[COLUMNS]])


def assert_table(fit, rows, tolerance):
    """Estimate, standard error, interval and p-value as in R's coeftest (normal)."""
    table = coefficients(fit)
    peer = {name: np.array([row[name] for row in rows]) for name in rows[0] if name != "term"}
    np.testing.assert_allclose(table.estimate, peer["est"], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(table.std_error, peer["se"], rtol=tolerance)
    if "lo" in peer:
        np.testing.assert_allclose(table.conf_low, peer["lo"], rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(table.conf_high, peer["hi"], rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(table.p_value, peer["p"], atol=tolerance)


def test_poisson_model_and_robust(drvisits, adjusted, answers):
    peer = answers["poisson"]
    model = poisson_regression(drvisits.numvisit, adjusted, covariance="model")
    assert_table(model, peer["model"], R_GLM)
    robust = poisson_regression(drvisits.numvisit, adjusted, small_sample="none")
    assert_table(robust, peer["robust_HC0"], R_GLM)
    assert model.loglik == pytest.approx(peer["loglik"], rel=1e-12)
    assert model.dispersion == pytest.approx(peer["pearson_dispersion"], rel=1e-10)


@pytest.mark.parametrize("convention", FACTORS)
def test_poisson_cluster_conventions(drvisits, adjusted, answers, convention):
    factor = FACTORS[convention]
    fit = poisson_regression(drvisits.numvisit, adjusted, clusters=drvisits.id, small_sample=factor)
    assert_table(fit, answers["poisson"][convention], R_GLM)
    assert (fit.n_obs, fit.n_clusters) == (answers["n_rows"], answers["n_persons"])


def test_rate_ratios_with_interval(drvisits, adjusted, answers):
    fit = poisson_regression(drvisits.numvisit, adjusted, clusters=drvisits.id)
    table = coefficients(fit, scale="ratio")
    peer = answers["poisson"]["cluster_HC0_cadjust"]
    np.testing.assert_allclose(table.estimate, [row["rr"] for row in peer], rtol=R_GLM)
    np.testing.assert_allclose(table.conf_low, [row["rr_lo"] for row in peer], rtol=R_GLM)
    np.testing.assert_allclose(table.conf_high, [row["rr_hi"] for row in peer], rtol=R_GLM)


def test_negative_binomial_model(drvisits, adjusted, answers):
    peer = answers["nb2"]
    fit = negative_binomial_regression(drvisits.numvisit, adjusted, covariance="model")
    assert_table(fit, peer["model"], R_NB)
    assert fit.alpha == pytest.approx(peer["alpha"], rel=R_NB)
    assert fit.alpha_std_error / fit.alpha**2 == pytest.approx(
        peer["se_theta"], rel=1e-6
    )  # theta.ml: eps^1/4
    assert fit.loglik == pytest.approx(peer["loglik"], rel=1e-12)


@pytest.mark.parametrize("convention", [*FACTORS, "cluster_oim_noadj"])
def test_negative_binomial_cluster_conventions(drvisits, adjusted, answers, convention):
    fit = negative_binomial_regression(
        drvisits.numvisit,
        adjusted,
        clusters=drvisits.id,
        small_sample=FACTORS.get(convention, "none"),
        information="observed" if "oim" in convention else "expected",
    )
    assert_table(fit, answers["nb2"][convention], R_NB)


def test_unadjusted(drvisits, adjusted, answers):
    y, X, ids = drvisits.numvisit, adjusted[:, :2], drvisits.id
    peer = answers["unadjusted"]
    poisson = poisson_regression(y, X, clusters=ids, small_sample="none")
    assert_table(poisson, peer["poisson_cluster"], R_GLM)
    nb = negative_binomial_regression(y, X, clusters=ids, small_sample="none")
    assert_table(nb, peer["nb_cluster"], R_NB)


@pytest.mark.parametrize("band", ["20-39", "40-49", "50-60"])
def test_by_band(drvisits, adjusted, answers, band):
    peer = answers["by_band_nb"][band]
    here = (drvisits.age_band == band).to_numpy()
    fit = negative_binomial_regression(
        drvisits.numvisit[here], adjusted[here, :2], clusters=drvisits.id[here], small_sample="none"
    )
    table = coefficients(fit)
    ours = [table.estimate[1], table.std_error[1], table.conf_low[1], table.conf_high[1], 1 / fit.alpha]
    theirs = [peer["est"], peer["se"], peer["lo"], peer["hi"], peer["theta"]]
    np.testing.assert_allclose(ours, theirs, rtol=1e-7)  # theta of the smallest band stops at 1e-8 in R
    assert (fit.n_obs, fit.n_clusters) == (peer["n"], peer["persons"])


def test_band_interaction(drvisits, adjusted, answers):
    peer = answers["band_interaction"]
    bands = [(drvisits.age_band == band).to_numpy(dtype=float) for band in ("40-49", "50-60")]
    reform = adjusted[:, 1]
    X = np.column_stack([adjusted[:, :2], *bands, *(reform * band for band in bands)])
    fit = negative_binomial_regression(drvisits.numvisit, X, clusters=drvisits.id, small_sample="none")
    assert_table(fit, peer["table"], R_NB)
    test = wald_test(fit, np.eye(6)[4:])
    assert test.statistic == pytest.approx(peer["wald_chi2"], rel=R_NB)
    assert (test.df, test.p_value) == (peer["df"], pytest.approx(peer["p"], rel=R_NB))


@pytest.mark.parametrize("working", ["independence", "exchangeable"])
def test_gee_is_geepack(drvisits, adjusted, answers, working):
    """Same estimating equations as geepack: divide by N and by the number of pairs, not by those minus K.

    With ``ddof_scale=0`` statsmodels gives geepack's numbers too: its default is the whole difference of 1e-3.
    """
    peer = answers[f"gee_poisson_{working}"]
    fit = gee_poisson(drvisits.numvisit, adjusted, groups=drvisits.id, working=working, small_sample="none")
    # geepack stops when the coefficients move less than 1e-4; its own error is then about 1e-7.
    assert_table(fit, peer["table"], 5e-7)
    assert fit.correlation == pytest.approx(peer["alpha"], abs=1e-8)
    assert fit.dispersion == pytest.approx(peer["phi"], rel=1e-7)


def test_balanced_pairs(drvisits, answers):
    peer = answers["balanced_pairs"]
    both = drvisits[drvisits.groupby("id").id.transform("size") == 2]
    X = np.column_stack([np.ones(len(both)), both.reform])
    fit = gee_poisson(both.numvisit, X, groups=both.id, small_sample="none")
    ours = [fit.coef[1], np.sqrt(fit.cov[1, 1]), fit.correlation, fit.dispersion]
    theirs = [peer["gee_exch"][name] for name in ("est", "se", "alpha", "phi")]
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)  # balanced: nothing depends on how far geepack got
    nb = negative_binomial_regression(both.numvisit, X, clusters=both.id, small_sample="none")
    np.testing.assert_allclose(
        [nb.coef[1], np.sqrt(nb.cov[1, 1])], [peer["nb_cluster"]["est"], peer["nb_cluster"]["se"]], rtol=R_NB
    )


def test_absorbed_persons_are_conditional_poisson(drvisits, answers):
    peer = answers["balanced_pairs"]["fe_poisson"]
    both = drvisits[drvisits.groupby("id").id.transform("size") == 2]
    fit = poisson_regression(
        both.numvisit, both[["reform"]], absorb=both.id, clusters=both.id, small_sample="none"
    )
    assert fit.coef[0] == pytest.approx(peer["logrr"], rel=1e-10)
    assert np.sqrt(fit.cov[0, 0]) == pytest.approx(peer["se_robust_HC0"], rel=1e-10)
    model = poisson_regression(both.numvisit, both[["reform"]], absorb=both.id, covariance="model")
    assert np.sqrt(model.cov[0, 0]) == pytest.approx(peer["se_model"], rel=1e-7)  # glm(binomial) at 1e-8


@pytest.fixture(scope="module")
def nmes(shared):
    import pandas as pd

    d = pd.read_csv(shared / "reference/data/nmes1988.csv")
    flags = [d.health == "excellent", d.health == "poor"]
    columns = [
        np.ones(len(d)),
        d.hospital,
        *flags,
        d.chronic,
        d.gender == "male",
        d.school,
        d.insurance == "yes",
    ]
    answers = json.loads((shared / "reference/r/02_nmes1988_counts.json").read_text())
    return d.visits.to_numpy(), np.column_stack(columns).astype(float), answers


def test_nmes_poisson(nmes):
    y, X, peer = nmes
    model = poisson_regression(y, X, covariance="model")
    assert_table(model, peer["poisson"]["table"], R_GLM)
    assert_table(poisson_regression(y, X, small_sample="none"), peer["poisson"]["robust_HC0"], R_GLM)
    assert model.loglik == pytest.approx(peer["poisson"]["loglik"], rel=1e-12)


def test_nmes_quasi_poisson(nmes):
    y, X, peer = nmes
    fit = poisson_regression(y, X, covariance="quasi")
    assert_table(fit, peer["quasipoisson"]["table"], 1e-5)  # this glm() stopped at R's default of 1e-8
    # R takes the weights of the step before the last, here 2e-5 away.
    assert fit.dispersion == pytest.approx(peer["quasipoisson"]["dispersion"], rel=1e-4)


def test_nmes_negative_binomial(nmes):
    y, X, peer = nmes
    fit = negative_binomial_regression(y, X, covariance="model")
    assert_table(fit, peer["nb"]["table"], R_NB)
    assert_table(negative_binomial_regression(y, X, small_sample="none"), peer["nb"]["robust_HC0"], R_NB)
    assert 1 / fit.alpha == pytest.approx(peer["nb"]["theta"], rel=1e-8)
    assert fit.alpha_std_error / fit.alpha**2 == pytest.approx(peer["nb"]["se_theta"], rel=1e-4)  # theta.ml
    assert fit.loglik == pytest.approx(peer["nb"]["loglik"], rel=1e-12)


@pytest.mark.parametrize(
    ("model", "key"),
    [
        (poisson_regression, "recycled_poisson_insurance"),
        (negative_binomial_regression, "recycled_nb_insurance"),
    ],
)
def test_recycled_predictions(nmes, model, key):
    y, X, answers = nmes
    insured, not_insured = X.copy(), X.copy()
    insured[:, -1], not_insured[:, -1] = 1, 0
    table = g_computation(model(y, X), insured, not_insured)
    peer = answers[key]
    np.testing.assert_allclose(table.estimate[:2], [peer["yes"], peer["no"]], rtol=1e-8)
    assert table.estimate[2] == pytest.approx(peer["yes"] / peer["no"], rel=1e-8)
    assert table.estimate[3] == pytest.approx(peer["yes"] - peer["no"], rel=1e-8)
