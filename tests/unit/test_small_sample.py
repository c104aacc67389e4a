"""CR2 against clubSandwich, against its formula with explicit matrices, and where it must collapse."""

import doctest
import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from scipy.special import ndtri

from wor_eval.effects import small_sample
from wor_eval.effects.small_sample import cr2_linear, cr2_log_link
from wor_eval.errors import EstimationError


class RStream:
    """R's default random numbers (Mersenne Twister, inversion), to make the data of a published R script."""

    def __init__(self, seed):
        state, words = seed, []
        for _ in range(50 + 625):
            state = (69069 * state + 1) & 0xFFFFFFFF
            words.append(state)
        self.bits = np.random.MT19937()
        key = np.array(words[51:], dtype=np.uint32)
        self.bits.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": 624}}

    def runif(self, n):
        return self.bits.random_raw(n) * 2.3283064365386963e-10

    def rnorm(self, n):
        pairs = self.runif(2 * n).reshape(n, 2)
        return ndtri((np.floor(134217728 * pairs[:, 0]) + pairs[:, 1]) / 134217728)


def symmetric_power(matrix, power):
    values, vectors = np.linalg.eigh(matrix)
    powers = np.where(values > 1e-10, np.where(values > 1e-10, values, 1.0) ** power, 0.0)
    return vectors * powers @ vectors.T


def by_the_formula(model, clusters, contrasts, *, root):
    """Write CR2 out with n x n matrices, as Pustejovsky and Tipton do."""
    X, residuals, weights, target = model
    n = len(X)
    W, theta = np.diag(weights), np.diag(target)
    M = np.linalg.inv(X.T @ W @ X)
    rest = np.eye(n) - X @ M @ X.T @ W
    spread = rest @ theta @ rest.T
    V, P = np.zeros((len(contrasts), len(contrasts))), []
    for g in np.unique(clusters):
        rows = np.flatnonzero(clusters == g)
        D = np.diag(np.sqrt(target[rows]))
        inner = spread[np.ix_(rows, rows)]
        if root == "symmetric":
            A = D @ symmetric_power(D @ inner @ D, -0.5) @ D
        else:
            E = np.linalg.inv(D)
            A = D @ symmetric_power(E @ inner @ E, -0.5) @ E
        left = contrasts @ M @ X[rows].T @ W[np.ix_(rows, rows)] @ A
        score = left @ residuals[rows]
        V += np.outer(score, score)
        P.append(left @ rest[rows])
    df = []
    for i in range(len(contrasts)):
        p = np.array([row[i] for row in P])
        omega = p @ theta @ p.T
        df.append(np.trace(omega) ** 2 / (omega**2).sum())
    return V, np.array(df)


def shocked(seed, sizes):
    """The data sets of igerber/diff-diff, benchmarks/R/generate_clubsandwich_golden.R."""
    stream, cluster = RStream(seed), np.repeat(np.arange(len(sizes)), sizes)
    x = stream.runif(cluster.size)
    shock = 0.5 * stream.rnorm(len(sizes))
    y = 1 + 0.5 * x + shock[cluster] + 0.2 * stream.rnorm(cluster.size)
    return y, np.column_stack([np.ones(x.size), x]), cluster


def test_examples_run():
    assert doctest.testmod(small_sample).failed == 0


# clubSandwich 0.7.0 under R 4.5.2, as printed in igerber/diff-diff (MIT), commit 08b6a66,
# benchmarks/data/clubsandwich_cr2_golden.json: (seed, cluster sizes), then CR2 variances, covariance and df.
PUBLISHED = {
    "balanced": ((101, [6] * 5), (0.05521248306042478, 0.06774697283981687, -0.03274214553627666)),
    "unbalanced": ((202, range(3, 11)), (0.1192052700634108, 0.09454689012283392, -0.04806533789647253)),
    "singletons": (
        (303, [1, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (0.1616023734490589, 0.238142463018284, -0.1899859611041032),
    ),
}
PUBLISHED_DF = {
    "balanced": (3.212621630843576, 3.575881216615637),
    "unbalanced": (6.387834602264484, 5.850537239807559),
    "singletons": (4.423211980441538, 5.952656131218101),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_least_squares_is_that_of_club_sandwich(name):
    (seed, sizes), (first, second, between) = PUBLISHED[name]
    fit = cr2_linear(*shocked(seed, list(sizes)))
    expected = [[first, between], [between, second]]
    # The data are remade to 1e-14; both programs work in double precision.
    np.testing.assert_allclose(fit.covariance, expected, rtol=1e-9)
    np.testing.assert_allclose(fit.std_error**2, [first, second], rtol=1e-9)
    np.testing.assert_allclose(fit.df, PUBLISHED_DF[name], rtol=1e-9)


def test_weighted_least_squares_is_that_of_club_sandwich():
    stream, cluster = RStream(50300), np.repeat(np.arange(8), range(3, 11))
    x, z, shock = stream.rnorm(52), stream.rnorm(52), 0.3 * stream.rnorm(8)
    y = 1 + 0.5 * x + 0.3 * z + shock[cluster] + 0.4 * stream.rnorm(52)
    weights = 0.3 + 2.7 * stream.runif(52)
    fit = cr2_linear(y, np.column_stack([np.ones(52), x, z]), cluster, weights=weights)
    # Same file, scenario weighted_unbalanced_clusters.
    np.testing.assert_allclose(
        fit.estimate, [0.9460723269689574, 0.409443850090639, 0.2522796102420196], rtol=1e-9
    )
    np.testing.assert_allclose(
        fit.std_error, [0.1242729168044559, 0.1048524482756453, 0.06910671404353529], rtol=1e-9
    )
    np.testing.assert_allclose(fit.df, [5.433322579854079, 4.639148851013618, 6.20486806011078], rtol=1e-9)


def test_weighted_contrast_with_fixed_effects_is_that_of_club_sandwich():
    stream = RStream(50601)
    unit, period = np.tile(np.arange(15), 4), np.repeat(np.arange(4), 15)
    treated = (unit < 10).astype(float)
    y = 1 + 0.5 * treated * (period >= 2) + 0.5 * stream.rnorm(60) + 0.1 * (unit + 1) + 0.2 * (period + 1)
    weights = (0.5 + 2.0 * stream.runif(15))[unit]
    X = np.column_stack(
        [
            unit[:, None] == np.arange(15),
            period[:, None] == np.arange(1, 4),
            treated[:, None] * (period[:, None] == np.arange(1, 4)),
        ]
    ).astype(float)
    contrasts = np.zeros((4, 21))
    contrasts[:3, 18:] = np.eye(3)
    contrasts[3, 18:] = 1 / 3
    fit = cr2_linear(y, X, unit, weights=weights, contrasts=contrasts)
    # Same file, scenario weighted_mpd_avg_att_dof (coefficients, their CR2 variances, df of the average).
    np.testing.assert_allclose(
        fit.estimate[:3], [0.03040493582558063, 0.5187722995270357, -0.2629232950280215], rtol=1e-8
    )
    np.testing.assert_allclose(
        fit.std_error[:3] ** 2, [0.05762030108252313, 0.05048554445738759, 0.3345854039445968], rtol=1e-8
    )
    assert fit.df[3] == pytest.approx(5.084769819665292, rel=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
def test_linear_is_the_written_out_formula(seed, weighted):
    rng = np.random.default_rng(seed)
    n = 90
    clusters = rng.choice([f"p{i}" for i in range(9)], n)
    X = np.column_stack([np.ones(n), clusters < "p4", rng.normal(50, 20, n), rng.integers(0, 3, n)])
    y = rng.gamma(1.0, 900.0, n)
    w = rng.uniform(0.1, 3.0, n) if weighted else np.ones(n)
    contrasts = np.vstack([np.eye(4), [0, 1, 0.5, -2]])
    fit = cr2_linear(y, X, clusters, weights=w if weighted else None, contrasts=contrasts)
    ols = sm.WLS(y, X, weights=w).fit()
    np.testing.assert_allclose(fit.estimate, contrasts @ ols.params, rtol=1e-9)
    V, df = by_the_formula((X, ols.resid, w, np.ones(n)), clusters, contrasts, root="symmetric")
    np.testing.assert_allclose(fit.covariance, V, rtol=1e-7, atol=1e-9 * np.abs(V).max())
    np.testing.assert_allclose(fit.df, df, rtol=1e-7)
    half = stats.t.ppf(0.975, df) * np.sqrt(np.diag(V))
    np.testing.assert_allclose(fit.conf_high - fit.estimate, half, rtol=1e-7)
    np.testing.assert_allclose(
        fit.p_value, 2 * stats.t.sf(np.abs(fit.estimate) / np.sqrt(np.diag(V)), df), rtol=1e-6
    )


FAMILIES = {
    "poisson": (sm.families.Poisson(), 0.0, lambda m: m),
    "negative_binomial": (sm.families.NegativeBinomial(alpha=0.8), 0.8, lambda m: m + 0.8 * m**2),
    "gamma": (sm.families.Gamma(sm.families.links.Log()), 0.0, lambda m: m**2),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_log_link_is_the_written_out_formula(family, weighted):
    rng = np.random.default_rng(6)
    peer, alpha, variance = FAMILIES[family]
    n, clusters = 100, np.arange(100) % 10
    X = np.column_stack([np.ones(n), clusters < 4, rng.normal(size=n)])
    offset = np.log(rng.uniform(0.5, 2.0, n))
    y = rng.poisson(np.exp(0.8 + 0.3 * X[:, 2] + 0.4 * rng.normal(size=10)[clusters] + offset)) + 1.0
    w = rng.uniform(0.3, 2.0, n) if weighted else np.ones(n)
    glm = sm.GLM(y, X, family=peer, offset=offset, var_weights=w).fit(tol=1e-14, maxiter=200)
    fit = cr2_log_link(
        y, X, clusters, coefficients=glm.params, offset=offset, family=family, alpha=alpha, weights=w
    )
    m = glm.mu
    written = ((m[:, None] * X, y - m, w / variance(m), variance(m)), clusters, np.eye(3))
    V, df = by_the_formula(*written, root="kauermann_carroll")
    np.testing.assert_allclose(fit.covariance, V, rtol=1e-6, atol=1e-8 * np.abs(V).max())
    np.testing.assert_allclose(fit.df, df, rtol=1e-6)
    V, df = by_the_formula(*written, root="symmetric")
    # The symmetric root of clubSandwich is another solution of the same equation: close, not equal.
    np.testing.assert_allclose(fit.std_error, np.sqrt(np.diag(V)), rtol=0.02)
    np.testing.assert_allclose(fit.df, df, rtol=0.06)


def test_rows_as_clusters_give_hc2():
    rng = np.random.default_rng(3)
    X = np.column_stack([np.ones(50), rng.normal(size=(50, 2))])
    y = rng.normal(size=50) * (1 + X[:, 1] ** 2)
    fit = cr2_linear(y, X, np.arange(50))
    np.testing.assert_allclose(fit.covariance, sm.OLS(y, X).fit(cov_type="HC2").cov_params(), rtol=1e-8)


@pytest.mark.parametrize("groups", [(6, 6), (3, 9)])
def test_two_arms_of_equal_clusters_give_the_t_test_on_cluster_means(groups):
    rng = np.random.default_rng(4)
    total = sum(groups)
    cluster = np.repeat(np.arange(total), 5)
    arm = (np.arange(total) >= groups[0])[cluster].astype(float)
    y = rng.normal(size=total)[cluster] + rng.normal(size=5 * total)
    fit = cr2_linear(y, np.column_stack([np.ones(arm.size), arm]), cluster, contrasts=[0, 1])
    means = y.reshape(total, 5).mean(axis=1)
    welch = stats.ttest_ind(means[groups[0] :], means[: groups[0]], equal_var=False)
    assert fit.estimate[0] / fit.std_error[0] == pytest.approx(welch.statistic, rel=1e-9)
    # Satterthwaite df under equal variances: known arm sizes in place of Welch's estimated variances.
    g0, g1 = groups
    df = (1 / g0 + 1 / g1) ** 2 / (1 / (g0**2 * (g0 - 1)) + 1 / (g1**2 * (g1 - 1)))
    assert fit.df[0] == pytest.approx(df, rel=1e-9)
    if g0 == g1:
        pooled = stats.ttest_ind(means[g0:], means[:g0])
        assert (fit.df[0], fit.p_value[0]) == pytest.approx((2 * g0 - 2, pooled.pvalue), rel=1e-8)


def test_before_and_after_in_the_same_practices_is_the_paired_t_test():
    rng = np.random.default_rng(5)
    before, after = rng.normal(size=(2, 11))
    practice = np.tile(np.arange(11), 2)
    X = np.column_stack([np.ones(22), np.repeat([0.0, 1.0], 11)])
    fit = cr2_linear(np.concatenate([before, after]), X, practice, contrasts=[0, 1])
    paired = stats.ttest_rel(after, before)
    assert (fit.df[0], fit.p_value[0]) == pytest.approx((10, paired.pvalue), rel=1e-9)
    assert (fit.conf_low[0], fit.conf_high[0]) == pytest.approx(tuple(paired.confidence_interval()))


def test_order_and_scale_of_the_rows_do_not_matter():
    y, X, cluster = shocked(202, list(range(3, 11)))
    fit = cr2_linear(y, X, cluster)
    order = np.random.default_rng(1).permutation(y.size)
    other = cr2_linear(y[order], X[order] * [1, 1e6], cluster[order])
    np.testing.assert_allclose(other.std_error, fit.std_error / [1, 1e6], rtol=1e-8)
    np.testing.assert_allclose(other.df, fit.df, rtol=1e-8)


def test_blocks_of_clusters_do_not_matter(monkeypatch):
    data = shocked(303, [1, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    fit = cr2_linear(*data)
    monkeypatch.setattr(small_sample, "_BLOCK_BYTES", 1)
    np.testing.assert_allclose(cr2_linear(*data).covariance, fit.covariance, rtol=1e-12)


Y, X, CLUSTER = np.arange(6.0) ** 2, np.column_stack([np.ones(6), np.arange(6.0)]), np.repeat([1, 2, 3], 2)
SAME = np.column_stack([X, X[:, 1]])
WITHIN = (CLUSTER[:, None] == [1, 2, 3]).astype(float)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cr2_linear(Y, X[:5], CLUSTER), "where X has 5 rows"),
        (lambda: cr2_linear(np.append(Y[1:], np.nan), X, CLUSTER), "1 missing or infinite values"),
        (lambda: cr2_linear(Y, X, CLUSTER, weights=[1, 1, 1, 1, 0, -1]), "2 weights are not positive"),
        (lambda: cr2_linear(Y, X, CLUSTER, contrasts=[1, 0, 0]), "2 columns are needed"),
        (lambda: cr2_linear(Y, SAME, CLUSTER), "depend on each other"),
        (lambda: cr2_linear(Y, X, np.ones(6)), "one cluster"),
        (lambda: cr2_linear(Y, WITHIN, CLUSTER), "positions 0, 1, 2 have no variance"),
        (lambda: cr2_linear(2 + 3 * X[:, 1], X, CLUSTER), "explained without error"),
        (lambda: cr2_linear(Y, X, CLUSTER, level=95), "level"),
        (lambda: cr2_linear(Y, np.ones(6), CLUSTER), "a matrix with rows and columns"),
        (lambda: cr2_log_link(Y, X, CLUSTER, coefficients=[0.0, 0.0]), "do not solve"),
        (lambda: cr2_log_link(Y, X, CLUSTER, coefficients=[0.0]), "2 finite numbers"),
        (lambda: cr2_log_link(-Y, X, CLUSTER, coefficients=[0.0, 0.0]), "5 outcomes are negative"),
        (lambda: cr2_log_link(Y, X, CLUSTER, coefficients=[0.0, 0.0], alpha=-1), "alpha"),
        (lambda: cr2_log_link(Y, X, CLUSTER, coefficients=[0.0, 0.0], family="normal"), "family"),
    ],
)
def test_unusable_input_is_refused(call, message):
    with pytest.raises(EstimationError, match=message):
        call()


def test_many_clusters_are_no_burden():
    rng = np.random.default_rng(9)
    n = 6000
    X = np.column_stack([np.ones(n), rng.normal(size=n)])
    y = rng.normal(size=n)
    fit = cr2_linear(y, X, np.arange(n) // 2)
    residual = sm.OLS(y, X).fit().resid
    scores = (X * residual[:, None]).reshape(-1, 2, 2).sum(axis=1)
    bread = np.linalg.inv(X.T @ X)
    cr1 = 3000 / 2999 * bread @ scores.T @ scores @ bread
    # With 3,000 clusters CR2 and CR1 are the same thing.
    np.testing.assert_allclose(fit.std_error, np.sqrt(np.diag(cr1)), rtol=2e-3)
    assert math.isclose(fit.df[0], 2999, rel_tol=1e-3)
