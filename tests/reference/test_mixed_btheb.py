"""Mixed models, MMRM, pre-post effect sizes and ANCOVA against R on 100 GP patients (cases 14 and 15)."""

import json

import numpy as np
import pytest

from wor_eval.effects.ancova import adjusted_change, ancova, change_difference
from wor_eval.effects.fit import coefficients
from wor_eval.effects.mixed import random_intercept
from wor_eval.effects.mmrm import mmrm, mmrm_contrast
from wor_eval.effects.random_slope import random_slope
from wor_eval.effects.regression import linear_regression
from wor_eval.effects.wellbeing import responders, score_change, standardised_difference

# lmer's optimiser stops at a ratio of variances 1e-7 from its top: the likelihood is flat there.
LME4 = 1e-6
# gls stops where the likelihood is still 3e-8 below the top found here.
NLME = 5e-5
CLOSED_FORM = 1e-12


@pytest.fixture(scope="module")
def answers(shared):
    return json.loads((shared / "reference/r/14_btheb_mixed.json").read_text())


@pytest.fixture(scope="module")
def paired_answers(shared):
    return json.loads((shared / "reference/r/15_paired_tests.json").read_text())


@pytest.fixture(scope="module")
def waves(shared):
    import pandas as pd

    return pd.read_csv(shared / "reference/data/btheb_long.csv").dropna(subset=["bdi"])


@pytest.fixture(scope="module")
def wide(shared):
    import pandas as pd

    return pd.read_csv(shared / "reference/data/btheb.csv")


def covariates(waves):
    columns = [
        waves["bdi.pre"],
        waves.time,
        waves.treatment == "BtheB",
        waves.drug == "Yes",
        waves.length == ">6m",
    ]
    return np.column_stack([np.ones(len(waves)), *columns]).astype(float)


def wave_by_arm(waves):
    later, arm = [waves.time == t for t in (3, 5, 8)], waves.treatment == "BtheB"
    columns = [waves["bdi.pre"], *later, arm, *(month & arm for month in later)]
    return np.column_stack([np.ones(len(waves)), *columns]).astype(float)


@pytest.mark.parametrize(
    "model",
    [
        ("ri_ml", "ml", covariates),
        ("ri_reml", "reml", covariates),
        ("mmrm_like_reml", "reml", wave_by_arm),
    ],
)
def test_random_intercept_is_lmer(waves, answers, model):
    case, likelihood, design = model
    model, peer = random_intercept(waves.bdi, design(waves), waves.id, likelihood=likelihood), answers[case]
    table = coefficients(model.fit)
    for ours, theirs in (("estimate", "est"), ("std_error", "se"), ("conf_low", "lo"), ("conf_high", "hi")):
        np.testing.assert_allclose(getattr(table, ours), [row[theirs] for row in peer["table"]], rtol=LME4)
    np.testing.assert_allclose(table.p_value, [row["p"] for row in peer["table"]], atol=LME4)
    assert model.var_person == pytest.approx(peer["var_id"], rel=LME4)
    assert model.var_residual == pytest.approx(peer["resid_var"], rel=LME4)
    # Log-likelihoods are flat at the top: they agree to rounding.
    assert model.fit.loglik == pytest.approx(peer["loglik"], abs=1e-10)
    assert (model.aic, model.bic) == pytest.approx((peer["aic"], peer["bic"]), abs=1e-9)
    assert (model.fit.n_obs, model.n_persons) == (peer["n_obs"], peer["n_groups"])


def test_random_intercept_is_what_the_book_prints(waves, answers):
    book = answers["published"]  # HSAUR3, chapter 13
    model = random_intercept(waves.bdi, covariates(waves), waves.id, likelihood="ml")
    error = np.sqrt(np.diag(model.fit.cov))
    for j, name in enumerate(("bdi.pre", "time", "treatmentBtheB", "drugYes", "length"), start=1):
        assert (model.fit.coef[j], error[j]) == pytest.approx(book[name], abs=6e-6)
    assert (model.var_person, model.var_residual) == pytest.approx(
        (book["var_subject"], book["var_resid"]), abs=6e-3
    )
    assert model.fit.loglik == pytest.approx(book["loglik"], abs=6e-3)


def test_mmrm_is_gls(waves, answers):
    peer = answers["mmrm_unstructured_reml"]
    model = mmrm(waves.bdi, wave_by_arm(waves), waves.id, waves.time)
    np.testing.assert_allclose(model.fit.coef, list(peer["coef"].values()), rtol=NLME)
    np.testing.assert_allclose(np.sqrt(np.diag(model.fit.cov)), list(peer["se"].values()), rtol=NLME)
    assert 0 <= model.fit.loglik - peer["loglik"] < 1e-6  # a little higher than gls climbed
    for j, row in enumerate(peer["emm_diff"]):
        weights = np.zeros(9)
        weights[5] = 1.0
        if j:
            weights[5 + j] = 1.0
        found = mmrm_contrast(model, weights)
        assert found.estimate == pytest.approx(row["estimate"], abs=1e-4)
        assert found.std_error == pytest.approx(row["SE"], rel=NLME)


def test_ancova_and_change_are_lm(wide, answers):
    seen = wide.dropna(subset=["bdi.2m"])
    scores = seen["bdi.pre"], seen["bdi.2m"]
    arm = seen.treatment == "BtheB"
    for found, peer in (
        (ancova(*scores, arm), answers["ancova_2m"][1]),
        (change_difference(*scores, arm), answers["change_did_2m"][1]),
    ):
        assert (found.estimate, found.std_error) == pytest.approx((peer["est"], peer["se"]), rel=CLOSED_FORM)
        # The JSON has normal intervals; lm's own, with t, are longer by a known factor.
        from scipy.stats import norm, t

        factor = t.ppf(0.975, found.df) / norm.ppf(0.975)
        half = (peer["hi"] - peer["lo"]) / 2 * factor
        assert (found.conf_low, found.conf_high) == pytest.approx(
            (peer["est"] - half, peer["est"] + half), rel=1e-9
        )


def test_ancova_of_three_arms(shared, paired_answers):
    import pandas as pd

    data = pd.read_csv(shared / "reference/data/anorexia.csv")
    X = np.column_stack([np.ones(len(data)), data.Prewt, data.Treat == "CBT", data.Treat == "FT"]).astype(
        float
    )
    table = coefficients(linear_regression(data.Postwt, X, covariance="model"))
    peer = paired_answers["anorexia_ancova"]["table"]
    np.testing.assert_allclose(table.estimate, [row["est"] for row in peer], rtol=1e-10)
    np.testing.assert_allclose(table.std_error, [row["se"] for row in peer], rtol=1e-10)
    two = data[data.Treat != "FT"]
    alone = ancova(two.Prewt, two.Postwt, two.Treat == "CBT")
    own = linear_regression(two.Postwt, X[data.Treat != "FT"][:, :3], covariance="model")
    assert alone.estimate == pytest.approx(own.coef[2], rel=CLOSED_FORM)


@pytest.mark.parametrize("arm", ["BtheB", "TAU"])
def test_effect_sizes_before_after(wide, answers, arm):
    seen, peer = wide[(wide.treatment == arm) & wide["bdi.2m"].notna()], answers["prepost_2m"][arm]
    found = score_change(seen["bdi.pre"], seen["bdi.2m"])
    ours = (found.mean_before, found.mean_after, found.change.estimate, found.sd_change, found.correlation)
    theirs = (peer["mean_pre"], peer["mean_post"], peer["diff"], peer["sd_diff"], peer["r"])
    assert ours == pytest.approx(theirs, rel=CLOSED_FORM)
    sizes = (found.response_mean.estimate, found.hedges_gz, found.cohen_dav)
    assert sizes == pytest.approx((peer["cohen_dz"], peer["hedges_gz"], peer["cohen_dav"]), rel=CLOSED_FORM)
    assert (found.change.conf_low, found.change.conf_high) == pytest.approx(tuple(peer["ci"]), rel=1e-10)
    assert found.change.p_value == pytest.approx(peer["p"], rel=1e-9)
    assert found.n_persons == peer["n"] and found.change.df == peer["df"]


def test_response_mean_of_three_treatments(shared, paired_answers):
    import pandas as pd

    data = pd.read_csv(shared / "reference/data/anorexia.csv")
    for arm, part in data.groupby("Treat"):
        found, peer = score_change(part.Prewt, part.Postwt), paired_answers["anorexia"][arm]
        assert found.response_mean.estimate == pytest.approx(peer["dz"], rel=1e-10)
        assert found.change.p_value == pytest.approx(peer["p"], rel=1e-9)


def test_hedges_g_is_effectsize(wide, paired_answers):
    seen, peer = wide.dropna(subset=["bdi.8m"]), paired_answers["btheb_8m_groups"]
    found = standardised_difference(seen["bdi.8m"], seen.treatment == "BtheB")
    assert found.estimate == pytest.approx(peer["hedges_g"], rel=CLOSED_FORM)
    # effectsize finds its limits by optim, to about 1e-6.
    assert (found.conf_low, found.conf_high) == pytest.approx((peer["g_lo"], peer["g_hi"]), abs=1e-6)


def test_wilson_interval_of_responders(paired_answers):
    for row in paired_answers["binom_wilson"]:
        n, improved = row["n"], row["x"]
        after = np.where(np.arange(n) < improved, 5.0, 0.0)
        found = responders(np.zeros(n), after, smallest_change=5, better="higher")
        ours = (found.improved.conf_low, found.improved.conf_high)
        assert ours == pytest.approx(tuple(row["wilson"]), abs=1e-12)
        assert (found.n_improved, found.n_between) == (improved, n - improved)


def test_adjusted_change_at_the_mean_is_the_mean_change(wide):
    seen = wide.dropna(subset=["bdi.2m"])
    X = seen[["bdi.pre"]].to_numpy()
    found = adjusted_change(seen["bdi.pre"], seen["bdi.2m"], X, at=X.mean(axis=0))
    raw = score_change(seen["bdi.pre"], seen["bdi.2m"])
    assert found.estimate == pytest.approx(raw.change.estimate, rel=1e-10)
    assert found.std_error < raw.change.std_error


def test_random_slope_is_lmer(waves, answers):
    """The log-likelihood and the test against a random intercept are those of lme4."""
    one = random_intercept(waves.bdi, covariates(waves), waves.id, likelihood="ml")
    two = random_slope(waves.bdi, covariates(waves), waves.id, waves.time, likelihood="ml")
    peer = answers["lrt_ri_rs"]
    # lmer stops within 1e-6 of the top of a flat likelihood.
    assert two.fit.loglik == pytest.approx(answers["rs_ml"]["loglik"], abs=1e-5)
    statistic = 2 * (two.fit.loglik - one.fit.loglik)
    assert statistic == pytest.approx(peer["chisq"], abs=2e-5)
    from scipy.stats import chi2

    assert chi2.sf(statistic, 2) == pytest.approx(peer["p"], abs=1e-5)
    assert chi2.sf(statistic, 2) == pytest.approx(answers["published"]["lrt_p"], abs=6e-5)


@pytest.mark.parametrize("likelihood", ["ml", "reml"])
def test_random_slope_estimates_and_errors_are_statsmodels(waves, likelihood):
    """No R estimates of this model are at hand: statsmodels fits the same model by another route."""
    import statsmodels.api as sm

    X, time = covariates(waves), waves.time.to_numpy(float)
    ours = random_slope(waves.bdi, X, waves.id, time, likelihood=likelihood)
    Z = np.column_stack([np.ones(len(time)), time])
    model = sm.MixedLM(waves.bdi.to_numpy(float), X, waves.id.to_numpy(), exog_re=Z)
    peer = model.fit(reml=likelihood == "reml", method="bfgs", gtol=1e-8, maxiter=500)
    assert ours.fit.loglik == pytest.approx(peer.llf, abs=1e-5)
    # The top is flat: parameters agree less closely than the likelihood there.
    np.testing.assert_allclose(ours.fit.coef, peer.fe_params, rtol=2e-3)
    np.testing.assert_allclose(ours.var_person, peer.cov_re, rtol=0.02, atol=0.02)
    assert ours.var_residual == pytest.approx(peer.scale, rel=1e-2)


@pytest.mark.parametrize("likelihood", ["ml", "reml"])
def test_random_slope_written_out(waves, likelihood):
    """At the variances found, the whole covariance gives the coefficients, their errors and the likelihood."""
    X, time, person = covariates(waves), waves.time.to_numpy(float), waves.id.to_numpy()
    y = waves.bdi.to_numpy(float)
    model = random_slope(y, X, person, time, likelihood=likelihood)
    Z = np.column_stack([np.ones(len(time)), time])
    V = model.var_residual * np.eye(len(y)) + (person[:, None] == person) * (Z @ model.var_person @ Z.T)
    inverse = np.linalg.inv(V)
    cov = np.linalg.inv(X.T @ inverse @ X)
    coef = cov @ X.T @ inverse @ y
    np.testing.assert_allclose(model.fit.coef, coef, rtol=1e-8)
    np.testing.assert_allclose(model.fit.cov, cov, rtol=1e-6)
    residual, k = y - X @ coef, X.shape[1]
    deviance = np.linalg.slogdet(V)[1] + residual @ inverse @ residual
    deviance += (len(y) - k * (likelihood == "reml")) * np.log(2 * np.pi)
    deviance -= np.linalg.slogdet(cov)[1] if likelihood == "reml" else 0
    assert model.fit.loglik == pytest.approx(-deviance / 2, abs=1e-8)
