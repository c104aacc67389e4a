"""Regression against statsmodels, against the model with dummies, and against M-estimation by brute force."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import digamma
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

from wor_eval.effects.fit import coefficients
from wor_eval.effects.g_computation import g_computation
from wor_eval.effects.gee import gee_poisson
from wor_eval.effects.negative_binomial import negative_binomial_regression
from wor_eval.effects.regression import gamma_regression, linear_regression, poisson_regression

STATSMODELS = "G/(G-1)*(N-1)/(N-K)"
EXACT = 1e-8  # both converge to rounding; statsmodels stops a little earlier


class Panel:
    """Persons in practices, with 1 to 5 unequal periods each, in no order."""

    def __init__(self, seed=5, persons=150, practices=7):
        rng = np.random.default_rng(seed)
        self.person = rng.permutation(np.repeat(np.arange(persons), rng.integers(1, 6, persons)))
        n = self.n = self.person.size
        self.practice = np.array(list("gbdface"))[(rng.integers(0, practices, persons))][self.person]
        self.region = rng.integers(0, 9, n)
        self.after = rng.integers(0, 2, n).astype(float)
        self.age = rng.normal(0, 1, persons)[self.person]
        self.X = np.column_stack([self.after, self.age])
        self.constant = np.column_stack([np.ones(n), self.X])
        levels = np.unique(self.practice)
        self.dummies = np.column_stack([self.X, self.practice[:, None] == levels]).astype(float)
        self.years = rng.uniform(0.3, 1.2, n)
        self.offset = np.log(self.years)
        frailty = rng.gamma(2, 0.5, persons)[self.person]
        effect = dict(zip(levels, rng.normal(1, 0.4, levels.size), strict=True))
        level = np.array([effect[practice] for practice in self.practice])
        self.rate = np.exp(level + self.X @ [-0.3, 0.2]) * frailty
        self.y = rng.poisson(self.rate * self.years).astype(float)
        self.cost = rng.gamma(0.7, 100 * self.rate)
        self.weights = rng.integers(1, 4, persons)[self.person].astype(float)

    def times(self, values):
        """Each row as often as its weight."""
        return np.repeat(values, self.weights.astype(int), axis=0)


@pytest.fixture(scope="module")
def panel():
    return Panel()


def by_person(panel, *, correction=True):
    return {"cov_type": "cluster", "cov_kwds": {"groups": panel.person, "use_correction": correction}}


def assert_same(fit, params, cov, *, tolerance=EXACT):
    k = fit.coef.size
    params, cov = np.asarray(params)[:k], np.asarray(cov)[:k, :k]
    np.testing.assert_allclose(fit.coef, params, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(fit.cov, cov, rtol=tolerance, atol=tolerance * np.abs(cov).max())


@pytest.mark.parametrize("factor", ["none", STATSMODELS])
def test_absorbed_poisson_is_poisson_with_dummies(panel, factor):
    p = panel
    fit = poisson_regression(
        p.y, p.X, offset=p.offset, absorb=p.practice, clusters=p.person, small_sample=factor
    )
    peer = sm.GLM(p.y, p.dummies, family=sm.families.Poisson(), offset=p.offset).fit(
        tol=1e-14, tol_criterion="params", **by_person(p, correction=factor != "none")
    )
    assert_same(fit, peer.params, peer.cov_params())
    assert fit.loglik == pytest.approx(peer.llf, rel=1e-10)
    assert fit.dispersion == pytest.approx(peer.pearson_chi2 / peer.df_resid, rel=1e-8)
    np.testing.assert_allclose(fit.groups.effects, peer.params[2:], rtol=1e-8)
    table = coefficients(fit)
    np.testing.assert_allclose(
        np.column_stack([table.conf_low, table.conf_high]), peer.conf_int()[:2], rtol=EXACT, atol=EXACT
    )
    np.testing.assert_allclose(table.p_value, peer.pvalues[:2], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("model", [poisson_regression, gamma_regression, linear_regression])
@pytest.mark.parametrize("weighted", [False, True])
def test_absorbed_is_dummies_in_every_family(panel, model, weighted):
    p = panel
    y = p.y if model is poisson_regression else p.cost
    options = {"weights": p.weights if weighted else None, "clusters": p.region, "small_sample": STATSMODELS}
    absorbed, dummies = model(y, p.X, absorb=p.practice, **options), model(y, p.dummies, **options)
    assert_same(absorbed, dummies.coef, dummies.cov, tolerance=1e-10)
    assert absorbed.dispersion == pytest.approx(dummies.dispersion, rel=1e-10)


@pytest.mark.parametrize("information", ["expected", "observed"])
def test_gamma(panel, information):
    p = panel
    fit = gamma_regression(
        p.cost, p.constant, clusters=p.person, small_sample=STATSMODELS, information=information
    )
    family = sm.families.Gamma(sm.families.links.Log())
    peer = sm.GLM(p.cost, p.constant, family=family).fit(tol=1e-14, tol_criterion="params")
    np.testing.assert_allclose(fit.coef, peer.params, rtol=EXACT)
    mu = peer.mu
    bread = np.linalg.inv((p.constant.T * (p.cost / mu if information == "observed" else 1.0)) @ p.constant)
    sums = np.zeros((150, 3))
    np.add.at(sums, p.person, p.constant * (p.cost / mu - 1)[:, None])
    G = np.unique(p.person).size
    factor = G / (G - 1) * (p.n - 1) / (p.n - 3)
    np.testing.assert_allclose(fit.cov, factor * bread @ (sums.T @ sums) @ bread, rtol=EXACT)
    model = gamma_regression(p.cost, p.constant, covariance="model")
    assert_same(model, peer.params, peer.cov_params())


def test_gamma_observed_is_statsmodels(panel):
    p = panel
    fit = gamma_regression(
        p.cost, p.constant, clusters=p.person, small_sample=STATSMODELS, information="observed"
    )
    family = sm.families.Gamma(sm.families.links.Log())
    peer = sm.GLM(p.cost, p.constant, family=family).fit(method="newton", tol=1e-14, **by_person(p))
    assert_same(fit, peer.params, peer.cov_params())


@pytest.mark.parametrize(("factor", "kind"), [("none", "HC0"), (STATSMODELS, "HC1")])
def test_linear_heteroskedastic(panel, factor, kind):
    p = panel
    peer = sm.WLS(p.cost, p.constant, weights=p.weights).fit(cov_type=kind)
    fit = linear_regression(p.cost, p.constant, weights=p.weights, small_sample=factor)
    assert_same(fit, peer.params, peer.cov_params())


def test_linear_cluster_and_model(panel):
    p = panel
    peer = sm.WLS(p.cost, p.dummies, weights=p.weights).fit(**by_person(p))
    fit = linear_regression(
        p.cost, p.X, weights=p.weights, absorb=p.practice, clusters=p.person, small_sample=STATSMODELS
    )
    assert_same(fit, peer.params, peer.cov_params())
    plain = sm.WLS(p.cost, p.dummies, weights=p.weights).fit()
    model = linear_regression(p.cost, p.X, weights=p.weights, absorb=p.practice, covariance="model")
    assert_same(model, plain.params, plain.cov_params())
    assert model.dispersion == pytest.approx(plain.scale, rel=1e-10)


def test_two_way_clusters(panel):
    """Persons and regions cross; statsmodels gives each part its own G/(G-1)*(N-1)/(N-K)."""
    p = panel
    fit = linear_regression(p.cost, p.constant, clusters=(p.person, p.region), small_sample=STATSMODELS)
    peer = sm.OLS(p.cost, p.constant).fit()
    both = cov_cluster_2groups(peer, p.person, p.region, use_correction=True)[0]
    assert_same(fit, peer.params, both)
    assert fit.n_clusters == 9


@pytest.mark.parametrize("correction", [False, True])
def test_negative_binomial_joint_is_statsmodels(panel, correction):
    p = panel
    factor = STATSMODELS if correction else "none"
    fit = negative_binomial_regression(
        p.y, p.constant, offset=p.offset, clusters=p.person, information="joint", small_sample=factor
    )
    model = sm.NegativeBinomial(p.y, p.constant, offset=p.offset)
    peer = model.fit(disp=0, method="newton", maxiter=200, tol=1e-14, **by_person(p, correction=correction))
    # statsmodels counts alpha among the K coefficients.
    share = (p.n - 4) / (p.n - 3) if correction else 1.0
    assert_same(fit, peer.params, peer.cov_params() * share, tolerance=5e-8)
    assert fit.alpha == pytest.approx(peer.params[-1], rel=1e-7)
    assert fit.alpha_std_error == pytest.approx(peer.bse[-1] * np.sqrt(share), rel=1e-7)
    assert fit.loglik == pytest.approx(peer.llf, rel=1e-12)


def test_negative_binomial_model_covariance(panel):
    p = panel
    fit = negative_binomial_regression(
        p.y, p.constant, offset=p.offset, covariance="model", information="joint"
    )
    peer = sm.NegativeBinomial(p.y, p.constant, offset=p.offset).fit(disp=0, method="newton", tol=1e-14)
    assert_same(fit, peer.params, peer.cov_params(), tolerance=1e-7)  # numerical in statsmodels
    assert fit.alpha_std_error == pytest.approx(peer.bse[-1], rel=1e-7)


@pytest.mark.parametrize("information", ["expected", "observed", "joint"])
def test_absorbed_negative_binomial_is_dummies(panel, information):
    p = panel
    options = {"offset": p.offset, "weights": p.weights, "clusters": p.region, "information": information}
    absorbed = negative_binomial_regression(p.y, p.X, absorb=p.practice, **options)
    dummies = negative_binomial_regression(p.y, p.dummies, **options)
    assert_same(absorbed, dummies.coef, dummies.cov, tolerance=1e-9)
    assert absorbed.alpha == pytest.approx(dummies.alpha, rel=1e-9)
    assert absorbed.alpha_std_error == pytest.approx(dummies.alpha_std_error, rel=1e-9)


@pytest.mark.parametrize("working", ["independence", "exchangeable"])
def test_gee_is_statsmodels_without_its_degrees_of_freedom(panel, working):
    p = panel
    structure = getattr(sm.cov_struct, working.capitalize())()
    model = sm.GEE(
        p.y, p.constant, groups=p.person, offset=p.offset, family=sm.families.Poisson(), cov_struct=structure
    )
    peer = model.fit(ctol=1e-12, maxiter=200, ddof_scale=0)
    fit = gee_poisson(p.y, p.constant, groups=p.person, offset=p.offset, working=working, small_sample="none")
    assert_same(fit, peer.params, peer.cov_params())
    if working == "exchangeable":
        assert fit.correlation == pytest.approx(structure.dep_params, rel=EXACT)


def test_absorbed_gee_is_dummies(panel):
    p = panel
    options = {"groups": p.person, "offset": p.offset, "weights": p.weights, "clusters": p.practice}
    absorbed = gee_poisson(p.y, p.X, absorb=p.practice, **options)
    dummies = gee_poisson(p.y, p.dummies, **options)
    assert_same(absorbed, dummies.coef, dummies.cov, tolerance=1e-9)
    assert absorbed.correlation == pytest.approx(dummies.correlation, rel=1e-10)


def test_gee_clusters_of_groups(panel):
    """The robust covariance by practice sums the scores of the persons in it: by hand, matrix by matrix."""
    p = panel
    fit = gee_poisson(p.y, p.constant, groups=p.person, clusters=p.practice, small_sample="none")
    mu = np.exp(p.constant @ fit.coef)
    information, sums = np.zeros((3, 3)), {}
    for person in np.unique(p.person):
        i = p.person == person
        R = np.full((i.sum(), i.sum()), fit.correlation) + (1 - fit.correlation) * np.eye(i.sum())
        D = p.constant[i] * mu[i, None]
        V = np.linalg.inv(np.sqrt(mu[i])[:, None] * R * np.sqrt(mu[i]))
        information += D.T @ V @ D
        practice = p.practice[i][0]
        sums[practice] = sums.get(practice, 0) + D.T @ V @ (p.y[i] - mu[i])
    scores = np.array(list(sums.values()))
    np.testing.assert_allclose(scores.sum(axis=0), 0, atol=1e-8)
    bread = np.linalg.inv(information)
    np.testing.assert_allclose(fit.cov, bread @ scores.T @ scores @ bread, rtol=1e-8)


@pytest.mark.parametrize("model", [poisson_regression, negative_binomial_regression, gamma_regression])
def test_weights_are_replicated_rows(panel, model):
    p = panel
    y = p.cost if model is gamma_regression else p.y
    weighted = model(y, p.constant, offset=p.offset, weights=p.weights, clusters=p.person)
    rows = model(p.times(y), p.times(p.constant), offset=p.times(p.offset), clusters=p.times(p.person))
    assert_same(weighted, rows.coef, rows.cov, tolerance=1e-10)
    for name in ("alpha", "loglik"):
        if getattr(rows, name) is not None:
            assert getattr(weighted, name) == pytest.approx(getattr(rows, name), rel=1e-9)


def test_gee_weights_are_replicated_groups(panel):
    p = panel
    order = np.argsort(p.person, kind="stable")
    weighted = gee_poisson(p.y, p.constant, groups=p.person, weights=p.weights, clusters=p.practice)
    copies = [order[p.weights[order] > copy] for copy in range(3)]
    rows = np.concatenate(copies)
    groups = np.concatenate([p.person[part] + 1000 * copy for copy, part in enumerate(copies)])
    replicated = gee_poisson(p.y[rows], p.constant[rows], groups=groups, clusters=p.practice[rows])
    assert_same(weighted, replicated.coef, replicated.cov, tolerance=1e-10)
    assert weighted.correlation == pytest.approx(replicated.correlation, rel=1e-10)


def alpha_scores(y, mu, alpha):
    """Derivative of each row's NB2 log-likelihood in alpha, with digamma functions."""
    r = 1 / alpha
    gammas = digamma(y + r) - digamma(r) - np.log1p(alpha * mu)
    return -(r**2) * gammas + (y - mu) / (alpha * (1 + alpha * mu))


def brute_force(psi, theta, clusters):
    """Covariance of an M-estimator: psi(theta) gives scores (n, q); the Jacobian is numerical."""
    q = theta.size
    jacobian = np.empty((q, q))
    for j in range(q):
        step = np.zeros(q)
        step[j] = 1e-5 * max(1.0, abs(theta[j]))
        jacobian[:, j] = (psi(theta + step) - psi(theta - step)).sum(axis=0) / (2 * step[j])
    scores = psi(theta)
    _, codes = np.unique(clusters, return_inverse=True)
    sums = np.zeros((codes.max() + 1, q))
    np.add.at(sums, codes, scores)
    inverse = np.linalg.inv(jacobian)
    return inverse @ (sums.T @ sums) @ inverse.T


@pytest.mark.parametrize("clusters", ["person", "region"])
@pytest.mark.parametrize("model", ["poisson", "negative_binomial"])
def test_g_computation_is_stacked_m_estimation(panel, model, clusters):
    """Coefficients, practice effects, alpha and both rates solved together; practices nested or crossed."""
    p = panel
    ids = getattr(p, clusters)
    X = np.column_stack([p.after, p.age, p.after * p.age])
    arms = [np.column_stack([np.full(p.n, a), p.age, a * p.age]) for a in (1.0, 0.0)]
    options = {"offset": p.offset, "absorb": p.practice, "clusters": ids, "small_sample": "none"}
    if model == "poisson":
        fit = poisson_regression(p.y, X, **options)
    else:
        fit = negative_binomial_regression(p.y, X, information="joint", **options)
    table = g_computation(
        fit, *arms, person_years=p.years, weights=p.weights, absorb=p.practice, clusters=ids
    )

    dummies = (p.practice[:, None] == fit.groups.labels).astype(float)
    full = np.column_stack([X, dummies])
    counterfactual = [np.column_stack([arm, dummies]) for arm in arms]
    k = full.shape[1]
    share = p.weights * p.years

    def psi(theta):
        eta = full @ theta[:k] + p.offset
        mu = np.exp(eta)
        score = full * ((p.y - mu) / (1 + theta[k] * mu))[:, None]
        alpha_score = alpha_scores(p.y, mu, theta[k]) if fit.alpha else np.full(p.n, theta[k])
        scores = [score, alpha_score[:, None]]
        events = [share * np.exp(C @ theta[:k]) for C in counterfactual]
        rates = [e - share * theta[k + 1 + i] for i, e in enumerate(events)]
        difference = events[0] - events[1] - p.weights * theta[k + 3]
        return np.column_stack([*scores, *rates, difference])

    coef = np.concatenate([fit.coef, fit.groups.effects, [fit.alpha or 0.0]])
    rates = table.estimate[[0, 1, 4]]
    theta = np.concatenate([coef, rates])
    np.testing.assert_allclose(psi(theta).sum(axis=0), 0, atol=1e-6)
    cov = brute_force(psi, theta, ids)[-3:, -3:]
    contrast = np.array([1.0, -1.0, 0.0])
    logs = np.array([1 / rates[0], -1 / rates[1], 0.0])
    expected = [cov[0, 0], cov[1, 1], logs @ cov @ logs, contrast @ cov @ contrast, cov[2, 2]]
    np.testing.assert_allclose(table.std_error, np.sqrt(expected), rtol=1e-6)  # numerical Jacobian
    low_high = np.array([table.conf_low, table.conf_high])
    center = np.array([*rates[:2], np.log(rates[0] / rates[1]), rates[0] - rates[1], rates[2]])
    ends = center + 1.959963984540054 * np.sqrt(expected) * np.array([[-1.0], [1.0]])
    ends[:, 2] = np.exp(ends[:, 2])
    np.testing.assert_allclose(low_high, ends, rtol=1e-5)


def test_g_computation_for_these_persons_is_the_delta_method(panel):
    """Covariates held fixed: gradient of each quantity by finite differences, with or without clusters."""
    p = panel
    X = np.column_stack([p.constant, p.after * p.age])
    arms = [X.copy(), X.copy()]
    for arm, value in zip(arms, (1.0, 0.0), strict=True):
        arm[:, 1], arm[:, 3] = value, value * p.age

    def quantities(coef):
        events = [p.years @ np.exp(arm @ coef) for arm in arms]
        rates = np.array(events) / p.years.sum()
        return np.array(
            [*rates, np.log(rates[0] / rates[1]), rates[0] - rates[1], (events[0] - events[1]) / p.n]
        )

    for options in ({"covariance": "model"}, {"clusters": p.person}):
        fit = poisson_regression(p.y, X, offset=p.offset, **options)
        table = g_computation(fit, *arms, person_years=p.years)
        steps = 1e-6 * np.eye(4)
        gradient = np.array([quantities(fit.coef + s) - quantities(fit.coef - s) for s in steps]) / 2e-6
        error = np.sqrt(np.einsum("ji,jk,ki->i", gradient, fit.cov, gradient))
        np.testing.assert_allclose(table.std_error, error, rtol=1e-7)  # numerical gradient
        expected = quantities(fit.coef)
        expected[2] = np.exp(expected[2])
        np.testing.assert_allclose(table.estimate, expected, rtol=1e-12)
