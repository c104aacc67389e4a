"""Random-intercept model and MMRM: peers, special cases with a known answer, weights, refusals."""

import doctest
import importlib
import warnings

import numpy as np
import pytest

from wor_eval.effects.fit import coefficients
from wor_eval.effects.mixed import random_intercept
from wor_eval.effects.mmrm import mmrm, mmrm_contrast
from wor_eval.effects.random_slope import random_slope
from wor_eval.errors import EstimationError


@pytest.mark.parametrize("name", ["mixed", "mmrm", "wellbeing", "ancova"])
def test_examples(name):
    found = doctest.testmod(importlib.import_module(f"wor_eval.effects.{name}"))
    assert found.failed == 0
    assert found.attempted > 0


def panel(persons=120, waves=5, seed=1):
    """Scores with a random intercept; a fifth of the rows is missing."""
    rng = np.random.default_rng(seed)
    person, wave = np.repeat(np.arange(persons), waves), np.tile(np.arange(waves), persons)
    arm = rng.integers(0, 2, persons)[person]
    X = np.column_stack([np.ones(person.size), wave, arm, wave * arm]).astype(float)
    y = X @ [20, 0.3, -0.5, 0.4] + rng.normal(0, 3, persons)[person] + rng.normal(0, 2, person.size)
    keep = rng.random(person.size) < 0.8
    return y[keep], X[keep], person[keep], wave[keep]


@pytest.mark.parametrize("likelihood", ["ml", "reml"])
def test_random_intercept_is_mixedlm(likelihood):
    import statsmodels.api as sm

    y, X, person, _ = panel()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = sm.MixedLM(y, X, person).fit(reml=likelihood == "reml", method="bfgs", gtol=1e-10)
    model = random_intercept(y, X, person, likelihood=likelihood)
    # MixedLM's optimiser leaves about 1e-6 in the variances.
    np.testing.assert_allclose(model.fit.coef, peer.fe_params, rtol=1e-5)
    assert model.var_person == pytest.approx(float(np.squeeze(peer.cov_re)), rel=1e-4)
    assert model.var_residual == pytest.approx(peer.scale, rel=1e-5)
    assert model.fit.loglik == pytest.approx(peer.llf, abs=1e-6)
    if likelihood == "reml":
        np.testing.assert_allclose(np.sqrt(np.diag(model.fit.cov)), peer.bse_fe, rtol=1e-4)


def test_balanced_panel_is_analysis_of_variance():
    """With everybody seen at every wave the variances are those of the mean squares."""
    rng = np.random.default_rng(2)
    person, wave = np.repeat(np.arange(40), 4), np.tile(np.arange(4), 40)
    y = rng.normal(0, 2, 40)[person] + rng.normal(0, 1, 160)
    X = (wave[:, None] == np.arange(4)).astype(float)
    model = random_intercept(y, X, person)
    table = y.reshape(40, 4)
    inside = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    residual = (inside**2).sum() / (39 * 3)
    between = 4 * table.mean(axis=1).var(ddof=1)
    assert model.var_residual == pytest.approx(residual, rel=1e-9)
    assert model.var_person == pytest.approx((between - residual) / 4, rel=1e-9)


def test_no_likeness_within_persons_is_least_squares():
    rng = np.random.default_rng(3)
    person = np.repeat(np.arange(30), 4)
    y = np.tile([1.0, 2.0, 3.0, 4.0], 30) + rng.normal(0, 0.01, 120)  # means of persons hardly differ
    X = np.ones((120, 1))
    model = random_intercept(y, X, person)
    assert model.var_person == 0.0
    assert model.fit.coef[0] == pytest.approx(y.mean(), rel=1e-12)
    assert model.fit.cov[0, 0] == pytest.approx(y.var(ddof=1) / 120, rel=1e-9)


def test_a_weight_of_two_is_the_person_twice():
    y, X, person, _ = panel(persons=60)
    weight = 1.0 + (np.arange(60) % 3 == 0)[person]
    twice = weight == 2
    found = random_intercept(
        y, X, person, likelihood="ml", weights=weight, clusters=person, small_sample="none"
    )
    copies = random_intercept(
        np.concatenate([y, y[twice]]),
        np.vstack([X, X[twice]]),
        np.concatenate([person, person[twice] + 1000]),
        likelihood="ml",
        clusters=np.concatenate([person, person[twice]]),
        small_sample="none",
    )
    np.testing.assert_allclose(found.fit.coef, copies.fit.coef, rtol=1e-9)
    np.testing.assert_allclose(found.fit.cov, copies.fit.cov, rtol=1e-8)
    assert found.var_person == pytest.approx(copies.var_person, rel=1e-8)
    assert found.fit.n_clusters == 60


def test_cluster_robust_covariance_written_out():
    y, X, person, _ = panel(persons=40)
    practice = person % 8
    model = random_intercept(y, X, person, clusters=practice)
    meat, bread = np.zeros((4, 4)), np.zeros((4, 4))
    scores = np.zeros((8, 4))
    for i in np.unique(person):
        rows = person == i
        V = model.var_residual * np.eye(rows.sum()) + model.var_person
        inverse = np.linalg.inv(V)
        bread += X[rows].T @ inverse @ X[rows]
        scores[i % 8] += X[rows].T @ inverse @ (y[rows] - X[rows] @ model.fit.coef)
    meat = scores.T @ scores
    wanted = 8 / 7 * np.linalg.inv(bread) @ meat @ np.linalg.inv(bread)
    np.testing.assert_allclose(model.fit.cov, wanted, rtol=1e-9)
    assert coefficients(model.fit).std_error.shape == (4,)


def test_order_of_rows_does_not_matter():
    y, X, person, _ = panel(persons=30)
    order = np.random.default_rng(0).permutation(y.size)
    one, other = random_intercept(y, X, person), random_intercept(y[order], X[order], person[order])
    np.testing.assert_allclose(one.fit.coef, other.fit.coef, rtol=1e-10)
    assert one.fit.loglik == pytest.approx(other.fit.loglik, rel=1e-12)


def test_mmrm_with_complete_answers_is_multivariate_least_squares():
    """Estimates are those of each wave by itself, and a difference between arms has n - 2 df."""
    rng = np.random.default_rng(4)
    n, T = 24, 3
    arm = np.arange(n) % 2
    root = np.linalg.cholesky([[4, 2, 1], [2, 5, 3], [1, 3, 6]])
    table = rng.normal(size=(n, T)) @ root.T + arm[:, None] * [0, 1, 2]
    person, wave = np.repeat(np.arange(n), T), np.tile(np.arange(T), n)
    at = (wave[:, None] == np.arange(T)).astype(float)
    model = mmrm(table.ravel(), np.hstack([at, at * arm[person][:, None]]), person, wave)
    residual = table - np.where(arm[:, None] == 1, table[arm == 1].mean(axis=0), table[arm == 0].mean(axis=0))
    np.testing.assert_allclose(model.wave_covariance, residual.T @ residual / (n - 2), rtol=1e-7)
    for t in range(T):
        found = mmrm_contrast(model, np.eye(2 * T)[T + t])
        gap = table[arm == 1, t].mean() - table[arm == 0, t].mean()
        error = np.sqrt(model.wave_covariance[t, t] * 4 / n)
        assert (found.estimate, found.std_error) == pytest.approx((gap, error), rel=1e-7)
        assert found.df == pytest.approx(n - 2, rel=1e-5)  # from numeric second derivatives


def test_mmrm_of_a_random_intercept_is_near_it():
    y, X, person, wave = panel(persons=300)
    one, other = random_intercept(y, X, person), mmrm(y, X, person, wave)
    # The unstructured covariance only adds noise to the same estimates: half a standard error is far.
    gap = np.abs(one.fit.coef - other.fit.coef) / np.sqrt(np.diag(one.fit.cov))
    assert gap.max() < 0.5
    assert other.fit.loglik > one.fit.loglik


def test_mmrm_does_not_depend_on_units():
    y, X, person, wave = panel(persons=50)
    one, other = mmrm(y, X, person, wave), mmrm(1000 * y, X, person, wave)
    np.testing.assert_allclose(other.fit.coef, 1000 * one.fit.coef, rtol=1e-7)
    assert mmrm_contrast(other, [0, 0, 1, 4]).df == pytest.approx(
        mmrm_contrast(one, [0, 0, 1, 4]).df, rel=1e-4
    )


def test_robust_covariance_of_mmrm_written_out():
    y, X, person, wave = panel(persons=60)
    keep = np.random.default_rng(1).random(y.size) < 0.85
    y, X, person, wave = y[keep], X[keep], person[keep], wave[keep]
    weight = np.where(np.arange(60) % 3, 0.5, 1.0)
    model = mmrm(y, X, person, wave, weights=weight[person], clusters=person % 12)
    bread, scores = np.zeros((4, 4)), np.zeros((12, 4))
    for i in np.unique(person):
        rows = person == i
        inverse = weight[i] * np.linalg.inv(model.wave_covariance[np.ix_(wave[rows], wave[rows])])
        bread += X[rows].T @ inverse @ X[rows]
        scores[i % 12] += X[rows].T @ inverse @ (y[rows] - X[rows] @ model.fit.coef)
    np.testing.assert_allclose(scores.sum(axis=0), 0, atol=1e-7)  # the weighted equations are solved
    wanted = 12 / 11 * np.linalg.inv(bread) @ (scores.T @ scores) @ np.linalg.inv(bread)
    np.testing.assert_allclose(model.fit.cov, wanted, rtol=1e-8)
    assert mmrm_contrast(model, [0, 0, 1, 0]).df == 11
    with pytest.raises(EstimationError, match="give clusters"):
        mmrm(y, X, person, wave, weights=weight[person])


def test_weights_of_mmrm_are_copies():
    """A person of weight 2 is two persons with the same answers."""
    y, X, person, wave = panel(persons=40)
    weight = np.where(np.arange(40) < 10, 2.0, 1.0)[person]
    again = person < 10
    one = mmrm(y, X, person, wave, weights=weight, clusters=person)
    other = mmrm(
        np.append(y, y[again]),
        np.vstack([X, X[again]]),
        np.append(person, 100 + person[again]),
        np.append(wave, wave[again]),
    )
    np.testing.assert_allclose(one.fit.coef, other.fit.coef, rtol=1e-7)
    np.testing.assert_allclose(one.wave_covariance, other.wave_covariance, rtol=1e-6)


def spoil(y, value):
    spoiled = y.copy()
    spoiled[3] = value
    return spoiled


def test_refusals_of_the_random_intercept():
    y, X, person, _ = panel(persons=20)
    with pytest.raises(EstimationError, match="missing or infinite"):
        random_intercept(spoil(y, np.nan), X, person)
    with pytest.raises(EstimationError, match="combination"):
        random_intercept(y, np.column_stack([X, X[:, 1]]), person)
    with pytest.raises(EstimationError, match="two answers"):
        random_intercept(y, X, np.arange(y.size))
    with pytest.raises(EstimationError, match="give clusters"):
        random_intercept(y, X, person, weights=np.ones(y.size))
    with pytest.raises(EstimationError, match="more than one cluster"):
        random_intercept(y, X, person, clusters=np.arange(y.size) % 5)
    with pytest.raises(EstimationError, match="different weights"):
        random_intercept(y, X, person, weights=1 + np.arange(y.size) % 2, clusters=person)
    with pytest.raises(EstimationError, match="differs within a person"):
        random_intercept(person.astype(float), X[:, :1], person)
    with pytest.raises(EstimationError, match="pseudo-likelihood"):
        print(random_intercept(y, X, person, weights=np.ones(y.size), clusters=person).aic)


def test_refusals_of_mmrm():
    y, X, person, wave = panel(persons=20)
    with pytest.raises(EstimationError, match="second answer"):
        mmrm(y, X, person, np.where(wave == 1, 0, wave))
    with pytest.raises(EstimationError, match="never answered by the same person"):
        apart = (wave < 2) == (person % 2 == 0)
        mmrm(y[apart], X[apart][:, :3], person[apart], wave[apart])
    with pytest.raises(EstimationError, match="finite weights"):
        mmrm_contrast(mmrm(y, X, person, wave), [1, 0])
    with pytest.raises(EstimationError, match="cannot be estimated"):
        few = person < 4
        mmrm(y[few], X[few][:, :2], person[few], wave[few])


def test_refusals_and_invariance_of_the_random_slope():
    y, X, person, wave = panel(persons=60)
    with pytest.raises(EstimationError, match="no slope to differ"):
        random_slope(y, X, person, np.zeros(y.size))
    with pytest.raises(EstimationError, match="missing or infinite"):
        random_slope(spoil(y, np.nan), X, person, wave)
    one, other = random_slope(y, X, person, wave), random_slope(10 * y, X, person, wave / 7.0)
    np.testing.assert_allclose(other.fit.coef, 10 * one.fit.coef, rtol=1e-4)
    assert other.var_person[1, 1] == pytest.approx(4900 * one.var_person[1, 1], rel=2e-2, abs=1e-3)
    assert one.fit.loglik >= random_intercept(y, X, person).fit.loglik - 1e-6


def test_weights_that_add_up_to_less_than_the_coefficients_are_refused() -> None:
    """A variance over fewer rows than coefficients would be negative: no number then, and no warning of NumPy."""
    person, wave = np.repeat(np.arange(8), 2), np.tile([1, 2], 8)
    score = np.random.default_rng(2).normal(15, 3, 16)
    X = np.column_stack([np.ones(16), wave == 2, person < 4, (wave == 2) & (person < 4)]).astype(float)
    with pytest.raises(EstimationError, match=r"add up to 3\.2 rows are too few for 4 coefficients"):
        mmrm(score, X, person, wave, weights=np.full(16, 0.2), clusters=person)
