"""Joint estimation of cost and effect: against brute force and peers, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from wor_eval.economics.decision import net_benefit
from wor_eval.economics.draws import joint_bootstrap, t_draws
from wor_eval.economics.joint import JointDifference, arm_differences, joint_regression, pool_imputations
from wor_eval.economics.sur import seemingly_unrelated
from wor_eval.effects.small_sample import cr2_linear
from wor_eval.errors import EstimationError


@pytest.fixture(scope="module")
def trial():
    """200 persons of 20 practices with skewed costs; both arms in each practice."""
    rng = np.random.default_rng(8)
    n, practice = 200, np.arange(200) % 20
    referred = (np.arange(n) // 20 % 2).astype(float)
    before = rng.gamma(0.6, 2500.0, n)
    cost = 0.5 * before + rng.gamma(0.5, 2000.0, n) + 200 * referred + 100 * rng.normal(size=20)[practice]
    effect = rng.normal(0.7, 0.2, n) - 2e-5 * cost + 0.02 * referred
    return cost, effect, referred, practice, before, rng.uniform(0.5, 2.0, n)


def fit_of(cost, effect, *, spread, df=np.inf):
    return JointDifference(
        estimate=np.array([cost, effect], dtype=float),
        covariance=np.asarray(spread, dtype=float),
        df=np.full(2, float(df)),
        method="given",
        n_referred=100,
        n_comparison=100,
        n_clusters=200,
    )


@pytest.mark.parametrize("threshold", [0.0, 20_000.0, 80_000.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_net_benefit_regression_is_cr2_of_the_net_benefit_itself(trial, threshold, weighted):
    cost, effect, referred, practice, before, weights = trial
    weight = weights if weighted else None
    joint = joint_regression(cost, effect, referred, covariates=before, clusters=practice, weights=weight)
    found = net_benefit(joint, [threshold]).limits
    X = np.column_stack([np.ones(200), referred, before])
    own = cr2_linear(threshold * effect - cost, X, practice, weights=weight, contrasts=[0, 1, 0])
    # The same formula on one outcome: only rounding differs.
    np.testing.assert_allclose(found.estimate, own.estimate, rtol=1e-9)
    np.testing.assert_allclose(found.std_error, own.std_error, rtol=1e-9)
    np.testing.assert_allclose(joint.df, own.df[0], rtol=1e-8)
    np.testing.assert_allclose(
        [found.conf_low, found.conf_high, found.p_value],
        [own.conf_low, own.conf_high, own.p_value],
        rtol=1e-7,
    )


def test_persons_on_their_own_are_clusters_of_one(trial):
    cost, effect, referred, _, before, _ = trial
    alone = joint_regression(cost, effect, referred, covariates=before)
    named = joint_regression(cost, effect, referred, covariates=before, clusters=np.arange(200))
    np.testing.assert_allclose(alone.covariance, named.covariance, rtol=1e-12)
    X = np.column_stack([np.ones(200), referred, before])
    # CR2 of single persons is HC2.
    hc2 = sm.OLS(cost, X).fit(cov_type="HC2").bse[1]
    assert alone.std_error[0] == pytest.approx(hc2, rel=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_unrelated_regressions_with_the_same_covariates_are_least_squares(trial, weighted):
    cost, effect, referred, practice, before, weights = trial
    weight = weights if weighted else None
    together = seemingly_unrelated(
        cost,
        effect,
        referred,
        cost_covariates=before,
        effect_covariates=before,
        clusters=practice,
        weights=weight,
    ).difference
    apart = joint_regression(cost, effect, referred, covariates=before, clusters=practice, weights=weight)
    np.testing.assert_allclose(together.estimate, apart.estimate, rtol=1e-9)
    np.testing.assert_allclose(together.covariance, apart.covariance, rtol=1e-8)
    np.testing.assert_allclose(together.df, apart.df, rtol=1e-8)


def test_unrelated_regressions_with_clusters_resemble_the_sandwich(trial):
    cost, effect, referred, practice, before, _ = trial
    fit = seemingly_unrelated(
        cost, effect, referred, cost_covariates=before, clusters=practice, residual_df="rows"
    )
    one = np.column_stack([np.ones(200), referred])
    X = np.zeros((400, 5))
    X[:200, :3], X[200:, 3:] = np.column_stack([one, before]), one
    first = [
        y - c @ np.linalg.lstsq(c, y, rcond=None)[0] for y, c in ((cost, X[:200, :3]), (effect, X[200:, 3:]))
    ]
    inverse = np.linalg.inv(np.cov(first))
    G = np.kron(inverse, np.eye(200))
    bread = np.linalg.inv(X.T @ G @ X)
    b = bread @ X.T @ G @ np.concatenate([cost, effect])
    np.testing.assert_allclose(fit.difference.estimate, b[[1, 4]], rtol=1e-9)
    scores = X * (G @ (np.concatenate([cost, effect]) - X @ b))[:, None]
    sums = np.stack([np.bincount(np.tile(practice, 2), weights=s) for s in scores.T], axis=1)
    plain = np.sqrt(np.diag(bread @ sums.T @ sums @ bread)[[1, 4]])
    # CR2 is larger than the uncorrected sandwich by about half of 1/20 here, never smaller.
    assert (fit.difference.std_error > plain).all()
    np.testing.assert_allclose(fit.difference.std_error, plain, rtol=0.06)


def test_imputations_are_pooled_as_mice_does(shared: Path):
    pooled = json.loads((shared / "reference" / "r" / "19_mice_rubin.json").read_text())["pool_scalar"]
    fits = [
        fit_of(q, -q, spread=[[u, -u / 2], [-u / 2, u]], df=pooled["n"] - pooled["k"])
        for q, u in zip(pooled["Q"], pooled["U"], strict=True)
    ]
    found = pool_imputations(fits)
    # The same closed formulas.
    np.testing.assert_allclose(found.estimate, [pooled["qbar"], -pooled["qbar"]], rtol=1e-12)
    np.testing.assert_allclose(np.diag(found.covariance), pooled["t"], rtol=1e-12)
    # df: the variance is a sum of two estimates, one known with the df of complete data and one with m - 1.
    share = (1 + 1 / len(pooled["Q"])) * pooled["b"] / pooled["t"]
    complete = pooled["n"] - pooled["k"]
    df = 1 / ((1 - share) ** 2 / complete + share**2 / (len(pooled["Q"]) - 1))
    np.testing.assert_allclose(found.freedom(np.eye(2)), df, rtol=1e-12)
    endless = pool_imputations(
        [fit_of(q, q, spread=[[u, 0], [0, u]]) for q, u in zip(pooled["Q"], pooled["U"], strict=True)]
    )
    np.testing.assert_allclose(endless.freedom(np.eye(2)), pooled["df_rubin_inf"], rtol=1e-12)


def test_draws_with_missing_answers_have_the_net_benefit_of_their_interval():
    rng = np.random.default_rng(3)
    fits = [
        fit_of(500, 0.02 + 0.02 * rng.normal(), spread=[[250_000, -0.5], [-0.5, 1e-4]], df=14)
        for _ in range(40)
    ]
    fit = pool_imputations(fits)
    draws = t_draws(fit, replicates=200_000, seed=4).draws
    grid = [0.0, 20_000.0, 80_000.0]
    found = net_benefit(fit, grid)
    for k, limits in enumerate(zip(found.limits.conf_low, found.limits.conf_high, strict=True)):
        benefit = grid[k] * draws[:, 1] - draws[:, 0]
        # A sum of two t distributions is nearly the t with Satterthwaite's df: ends within 2 % of the width.
        np.testing.assert_allclose(
            np.quantile(benefit, [0.025, 0.975]), limits, atol=0.02 * (limits[1] - limits[0])
        )
        assert (benefit > 0).mean() == pytest.approx(found.probability[k], abs=0.005)
    # What is missing concerns the effect alone, so it counts more the more an effect is worth.
    assert fit.missing is not None
    np.testing.assert_allclose(fit.freedom(np.array([[1.0, 0.0]])), 14, rtol=1e-12)


def test_bootstrap_draws_matched_sets_whole(trial):
    cost, effect, referred, *_ = trial
    order = np.argsort(referred, kind="stable")
    sets = np.empty(200, dtype=int)
    sets[order] = np.tile(np.arange(100), 2)
    joint = joint_bootstrap(cost, effect, referred, replicates=20_000, seed=1, clusters=sets)
    gaps = np.stack([y[order][100:] - y[order][:100] for y in (cost, effect)], axis=1)
    # The mean of 100 paired differences, drawn with replacement; Monte-Carlo error 0.5 %.
    np.testing.assert_allclose(joint.estimate, gaps.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(joint.draws.std(axis=0), gaps.std(axis=0) / 10, rtol=0.02)
    assert joint.n_clusters == 100


def test_bootstrap_keeps_the_size_of_arms_only_where_clusters_lie_in_one(trial, monkeypatch):
    from wor_eval.effects import bootstrap_estimators

    cost, effect, referred, practice, *_ = trial
    seen = []
    real = bootstrap_estimators.bootstrap_linear

    def watched(*args, **options):
        seen.append(options["strata"] is not None)
        return real(*args, **options)

    monkeypatch.setattr(bootstrap_estimators, "bootstrap_linear", watched)
    joint_bootstrap(cost, effect, referred, replicates=50, seed=1)
    joint_bootstrap(cost, effect, referred, replicates=50, seed=1, clusters=practice)
    assert seen == [True, False]


def test_same_seed_same_draws_and_inputs_are_left_alone(trial):
    cost, effect, referred, practice, before, weights = (np.array(column) for column in trial)
    kept = [column.copy() for column in (cost, effect, referred, practice, before, weights)]
    for column in (cost, effect, referred, practice, before, weights):
        column.setflags(write=False)
    first, second = (
        joint_bootstrap(
            cost,
            effect,
            referred,
            replicates=300,
            seed=4,
            covariates=before,
            weights=weights,
            clusters=practice,
        )
        for _ in range(2)
    )
    assert first.draws.tobytes() == second.draws.tobytes()
    seemingly_unrelated(cost, effect, referred, cost_covariates=before, weights=weights, clusters=practice)
    for old, new in zip(kept, (cost, effect, referred, practice, before, weights), strict=True):
        np.testing.assert_array_equal(old, new)


def test_t_draws_have_the_spread_of_the_t_distribution():
    found = t_draws(
        fit_of(100, 0.02, spread=[[2500, -0.1], [-0.1, 1e-4]], df=18), replicates=200_000, seed=2
    ).draws
    # Variance of t is df / (df - 2); Monte-Carlo error about 0.4 %.
    np.testing.assert_allclose(np.cov(found.T) * 16 / 18, [[2500, -0.1], [-0.1, 1e-4]], rtol=0.03)
    np.testing.assert_allclose(found.mean(axis=0), [100, 0.02], rtol=0.01)


@pytest.mark.parametrize("estimator", [arm_differences, joint_regression, seemingly_unrelated])
def test_unusable_rows_are_refused_together(estimator):
    with pytest.raises(EstimationError) as error:
        estimator([1.0, np.nan, 3.0, 4.0], [1.0, 2.0], [0, 1, 2, 1])
    assert len(error.value.problems) == 3
    with pytest.raises(EstimationError, match="at least two referred"):
        estimator([1.0, 2, 3, 4], [1.0, 2, 3, 4], [0, 0, 0, 1])


def test_estimators_refuse_what_has_no_standard_error(trial):
    cost, effect, referred, practice, before, weights = trial
    with pytest.raises(EstimationError, match="does not vary"):
        joint_regression(np.ones(200), effect, referred)
    with pytest.raises(EstimationError, match="depend on each other"):
        joint_regression(cost, effect, referred, covariates=np.column_stack([before, 2 * before]))
    with pytest.raises(EstimationError, match="depend on each other"):
        joint_regression(cost, effect, referred, covariates=1 - referred, covariance="hc3")
    with pytest.raises(EstimationError, match="the same"):
        seemingly_unrelated(cost, 2 * cost, referred)
    with pytest.raises(EstimationError, match="without error"):
        joint_regression(before, effect, referred, covariates=before)
    with pytest.raises(EstimationError, match="knows no clusters"):
        joint_regression(cost, effect, referred, clusters=practice, covariance="hc0")
    with pytest.raises(EstimationError, match="knows no clusters"):
        seemingly_unrelated(cost, effect, referred, weights=weights, covariance="model")
    with pytest.raises(EstimationError, match="one cluster"):
        joint_bootstrap(cost, effect, referred, replicates=10, seed=1, clusters=np.ones(200))
    with pytest.raises(EstimationError, match="covariates"):
        joint_bootstrap(cost, effect, referred, replicates=10, seed=1, covariates=before[:50])


@pytest.mark.parametrize("nobody", [np.nan, None, pd.NA])
def test_persons_without_a_practice_are_refused(trial, nobody):
    cost, effect, referred, practice, *_ = trial
    with_gap = practice.astype(object)
    with_gap[:3] = nobody
    with pytest.raises(EstimationError, match="3 of 200 persons have none"):
        joint_regression(cost, effect, referred, clusters=with_gap)
    if isinstance(nobody, float):
        with pytest.raises(EstimationError, match="3 of 200 persons have none"):
            joint_regression(cost, effect, referred, clusters=with_gap.astype(float))
