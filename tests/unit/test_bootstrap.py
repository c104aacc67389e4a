"""The bootstrap engine against brute force with the same counts, and against scipy."""

import doctest
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from wor_eval.effects import bootstrap, bootstrap_estimators, bootstrap_intervals
from wor_eval.effects.bootstrap import bootstrap_draws, cluster_totals, jackknife_influence
from wor_eval.effects.bootstrap_estimators import bootstrap_linear, bootstrap_rates
from wor_eval.effects.bootstrap_intervals import bootstrap_interval
from wor_eval.errors import EstimationError


def itself(sums):
    return sums


def mean_of(sums):
    return sums[:, 0] / sums[:, 1]


def drawn_counts(size, *, replicates, seed, strata=None):
    """How often each cluster is drawn: the sums of an identity matrix."""
    found = bootstrap_draws(np.eye(size), statistic=itself, replicates=replicates, seed=seed, strata=strata)
    return found.draws


@pytest.fixture(scope="module")
def persons():
    rng = np.random.default_rng(5)
    n = 300
    practice = rng.integers(0, 25, n)
    X = np.column_stack([np.ones(n), rng.integers(0, 2, n), rng.normal(55, 15, n)])
    costs = rng.gamma(0.6, 3000.0, n) + 30 * X[:, 2] + 200 * rng.normal(size=25)[practice]
    return practice, X, costs, 0.01 * X[:, 2] + rng.normal(size=n), rng.uniform(0.2, 2.0, n)


@pytest.mark.parametrize("module", [bootstrap, bootstrap_intervals, bootstrap_estimators])
def test_examples_run(module):
    assert doctest.testmod(module).failed == 0


def test_cluster_totals_are_pandas_group_sums():
    rng = np.random.default_rng(0)
    values, clusters = rng.normal(size=(500, 3)), rng.choice(list("qwerty"), 500)
    expected = pd.DataFrame(values).groupby(clusters).sum().to_numpy()
    np.testing.assert_allclose(cluster_totals(values, clusters), expected, rtol=1e-12)


@pytest.mark.parametrize("size", [2, 7, 16, 17, 300, 1500])
def test_every_replicate_draws_as_many_clusters_as_there_are(size):
    counts = drawn_counts(size, replicates=200, seed=3)
    assert (counts.sum(axis=1) == size).all()
    assert (counts >= 0).all()


def test_counts_of_three_clusters_have_the_multinomial_distribution():
    counts = drawn_counts(3, replicates=40_000, seed=11).astype(int)
    cells = [(i, j, 3 - i - j) for i in range(4) for j in range(4 - i)]
    expected = [math.factorial(3) / math.prod(map(math.factorial, c)) / 27 for c in cells]
    observed = [int((counts == c).all(axis=1).sum()) for c in cells]
    # A seeded draw: a p-value above 0.001 says that the distribution is right.
    assert stats.chisquare(observed, np.array(expected) * 40_000).pvalue > 1e-3


def test_counts_of_many_clusters_have_binomial_margins_and_multinomial_covariance():
    size, replicates = 400, 4000
    counts = drawn_counts(size, replicates=replicates, seed=12)
    upper = 5
    observed = np.bincount(np.minimum(counts, upper).astype(int).ravel(), minlength=upper + 1)
    chances = stats.binom.pmf(np.arange(upper), size, 1 / size)
    expected = np.append(chances, 1 - chances.sum()) * counts.size
    # Cells of one replicate are nearly independent (correlation -1/400): twice the chi-squared bound.
    assert stats.chisquare(observed, expected).statistic < 2 * stats.chi2.ppf(0.999, upper)
    # Variance 1 - 1/G; its Monte-Carlo error over 1.6 million cells is about 0.002.
    assert counts.var() == pytest.approx(1 - 1 / size, abs=0.008)
    half = counts[:, : size // 2].sum(axis=1)
    # Half the clusters are drawn G/2 times with variance G/4; relative error sqrt(2/4000) = 2.2 %.
    assert half.mean() == pytest.approx(size / 2, abs=4 * math.sqrt(size / 4 / replicates))
    assert half.var() == pytest.approx(size / 4, rel=0.09)


@pytest.mark.parametrize("cells", [1, 3000, 10_000_000])
def test_draws_do_not_depend_on_the_block_size(cells, monkeypatch):
    before = drawn_counts(50, replicates=333, seed=7)
    monkeypatch.setattr(bootstrap, "_BLOCK_CELLS", cells)
    np.testing.assert_array_equal(drawn_counts(50, replicates=333, seed=7), before)


def test_seed_gives_the_same_bytes_and_more_draws_continue_the_same_row():
    short, long = (drawn_counts(30, replicates=r, seed=1) for r in (100, 400))
    np.testing.assert_array_equal(long[:100], short)
    assert drawn_counts(30, replicates=100, seed=1).tobytes() == short.tobytes()
    assert (drawn_counts(30, replicates=100, seed=2) != short).any()


def test_strata_keep_their_number_of_clusters():
    strata = np.repeat(["a", "b", "c"], [5, 20, 2])
    counts = drawn_counts(27, replicates=300, seed=4, strata=strata)
    for name, size in (("a", 5), ("b", 20), ("c", 2)):
        assert (counts[:, strata == name].sum(axis=1) == size).all()


def test_linear_draws_are_weighted_least_squares_with_the_drawn_counts(persons):
    practice, X, cost, effect, weights = persons
    found = bootstrap_linear(
        np.column_stack([cost, effect]), X, practice, replicates=60, seed=8, weights=weights
    )
    counts = drawn_counts(25, replicates=60, seed=8)
    for draw, count in zip(found.draws, counts, strict=True):
        root = np.sqrt(weights * count[practice])[:, None]
        exact = np.linalg.lstsq(X * root, np.column_stack([cost, effect]) * root, rcond=None)[0]
        # Single precision of the deviation from the estimate: about 1e-6 of a standard error.
        np.testing.assert_allclose((draw - exact) / found.draws.std(axis=0), 0.0, atol=2e-5)
    whole = np.sqrt(weights)[:, None]
    expected = np.linalg.lstsq(X * whole, cost[:, None] * whole, rcond=None)[0][:, 0]
    np.testing.assert_allclose(found.estimate[:, 0], expected, rtol=1e-10)


def test_joint_outcomes_have_the_draws_of_separate_calls(persons):
    practice, X, cost, effect, _ = persons
    both = bootstrap_linear(np.column_stack([cost, effect]), X, practice, replicates=40, seed=2)
    for j, y in enumerate((cost, effect)):
        single = bootstrap_linear(y, X, practice, replicates=40, seed=2)
        np.testing.assert_allclose(both.draws[:, :, j], single.draws, rtol=1e-6)


def test_linear_influence_is_the_infinitesimal_jackknife(persons):
    practice, X, cost, _, weights = persons
    found = bootstrap_linear(cost, X, practice, replicates=10, seed=2, weights=weights)
    bread = np.linalg.inv((X * weights[:, None]).T @ X)
    residual = cost - X @ found.estimate
    for g in (0, 13, 24):
        rows = practice == g
        expected = bread @ (X[rows].T @ (weights[rows] * residual[rows]))
        np.testing.assert_allclose(found.influence[g], expected, rtol=1e-8, atol=1e-10)


def test_rate_contrast_and_its_error_are_the_brute_force_ones():
    rng = np.random.default_rng(3)
    n, clusters = 80, np.repeat(np.arange(40), 2)
    time = rng.uniform(0.2, 1.0, (n, 4)) * np.tile([[1, 1, 0, 0], [0, 0, 1, 1]], (40, 1))
    events = rng.poisson(5 * time)
    signs = np.array([1.0, -1.0, -1.0, 1.0])
    found = bootstrap_rates(events, time, clusters, signs=signs, replicates=50, seed=9)
    counts = drawn_counts(40, replicates=50, seed=9)
    for draw, error, count in zip(found.draws, found.std_errors, counts, strict=True):
        rows = np.repeat(np.arange(n), count[clusters].astype(int))
        rates = events[rows].sum(axis=0) / time[rows].sum(axis=0)
        assert draw == pytest.approx(rates @ signs, rel=1e-10)
        parts = (events - rates * time) / time[rows].sum(axis=0) @ signs
        by_cluster = np.bincount(clusters, weights=parts)
        assert error == pytest.approx(math.sqrt((count * by_cluster**2).sum() * 40 / 39), rel=1e-8)
    assert found.influence.sum() == pytest.approx(0.0, abs=1e-10)
    assert found.std_error == pytest.approx(math.sqrt((found.influence**2).sum() * 40 / 39), rel=1e-10)


def test_empty_arms_are_drawn_again_and_counted():
    few = np.array([[1.0, 0.0, 5.0, 1.0]] * 8 + [[4.0, 1.0, 0.0, 0.0], [6.0, 1.0, 0.0, 0.0]] * 2)

    def gap(sums):
        return sums[:, 0] / sums[:, 1] - sums[:, 2] / sums[:, 3]

    found = bootstrap_draws(few, statistic=gap, replicates=3000, seed=1)
    # An arm of 4 in 12 clusters is empty with chance (8/12)^12 = 0.77 %: 23 in 3,000, error 4.8.
    assert 4 <= found.n_redrawn <= 43
    assert np.isfinite(found.draws).all()
    with pytest.raises(EstimationError, match="too few clusters in an arm"):
        bootstrap_draws(few[:10], statistic=gap, replicates=3000, seed=1)
    fixed = bootstrap_draws(few, statistic=gap, replicates=3000, seed=1, strata=[0] * 8 + [1] * 4)
    assert fixed.n_redrawn == 0


def test_a_covariate_that_vanishes_is_drawn_again():
    X = np.column_stack([np.ones(40), np.arange(40) < 8])
    y = np.random.default_rng(1).normal(size=40)
    found = bootstrap_linear(y, X, np.repeat(np.arange(20), 2), replicates=2000, seed=5)
    # 4 of 20 clusters hold the arm: (16/20)^20 = 1.2 % of the draws are singular.
    assert 5 <= found.n_redrawn <= 50
    assert np.abs(found.draws).max() < 20


SKEWED = np.random.default_rng(21).gamma(0.5, 2000.0, 60)


@pytest.mark.parametrize(("ours", "scipys"), [("percentile", "percentile"), ("bca", "BCa")])
def test_intervals_of_a_mean_are_those_of_scipy(ours, scipys):
    totals = np.column_stack([SKEWED, np.ones(60)])
    found = bootstrap_draws(totals, statistic=mean_of, replicates=40_000, seed=1)
    mine = bootstrap_interval(
        found.draws, found.estimate, method=ours, influence=jackknife_influence(totals, statistic=mean_of)
    )
    peer = stats.bootstrap(
        (SKEWED,), np.mean, n_resamples=40_000, method=scipys, batch=2000, rng=np.random.default_rng(2)
    )
    # Ends of two runs of 40,000: Monte-Carlo error 1.2 % of a standard error each.
    for end, other in zip(
        (mine.conf_low, mine.conf_high, mine.std_error),
        (*peer.confidence_interval, peer.standard_error),
        strict=True,
    ):
        assert end == pytest.approx(other, abs=0.05 * mine.std_error)


def test_bca_with_strata_is_scipys_two_sample_interval():
    other = np.random.default_rng(22).gamma(0.7, 1500.0, 45)
    arm = np.repeat([0.0, 1.0], [60, 45])
    y = np.concatenate([SKEWED, other])
    totals = np.column_stack([y * (1 - arm), 1 - arm, y * arm, arm])

    def gap(sums):
        return sums[:, 2] / sums[:, 3] - sums[:, 0] / sums[:, 1]

    found = bootstrap_draws(totals, statistic=gap, replicates=40_000, seed=1, strata=arm)
    influence = jackknife_influence(totals, statistic=gap, strata=arm)
    mine = bootstrap_interval(found.draws, found.estimate, method="bca", influence=influence)
    peer = stats.bootstrap(
        (SKEWED, other),
        lambda a, b, axis: b.mean(axis=axis) - a.mean(axis=axis),
        n_resamples=40_000,
        method="BCa",
        batch=2000,
        rng=np.random.default_rng(2),
    ).confidence_interval
    # As above: Monte-Carlo error of the ends of two runs.
    assert mine.conf_low == pytest.approx(peer.low, abs=0.05 * mine.std_error)
    assert mine.conf_high == pytest.approx(peer.high, abs=0.05 * mine.std_error)


def test_studentised_interval_of_a_mean_is_the_one_drawn_by_hand():
    found = bootstrap_rates(
        SKEWED[:, None], np.ones((60, 1)), np.arange(60), signs=[1.0], replicates=40_000, seed=3
    )
    mine = bootstrap_interval(
        found.draws,
        found.estimate,
        method="studentised",
        std_error=found.std_error,
        std_errors=found.std_errors,
    )
    drawn = SKEWED[np.random.default_rng(4).integers(0, 60, (40_000, 60))]
    error = SKEWED.std(ddof=1) / math.sqrt(60)
    t = (drawn.mean(axis=1) - SKEWED.mean()) / (drawn.std(axis=1, ddof=1) / math.sqrt(60))
    low, high = SKEWED.mean() - error * np.quantile(t, [0.975, 0.025])
    assert found.std_error == pytest.approx(error, rel=1e-10)
    # Long tail of t on skewed data: Monte-Carlo error of the upper end about 3 % of a standard error.
    assert mine.conf_low == pytest.approx(low, abs=0.05 * error)
    assert mine.conf_high == pytest.approx(high, abs=0.15 * error)


@pytest.mark.parametrize("method", ["percentile", "normal", "bca", "studentised"])
def test_the_interval_at_the_p_value_touches_zero(method):
    shifted = SKEWED - SKEWED.mean() + 0.22 * SKEWED.std()
    found = bootstrap_rates(
        shifted[:, None], np.ones((60, 1)), np.arange(60), signs=[1.0], replicates=20_000, seed=3
    )
    extra = {
        "influence": found.influence,
        "std_error": found.std_error,
        "std_errors": found.std_errors,
    }
    p = float(bootstrap_interval(found.draws, found.estimate, method=method, **extra).p_value)
    at = bootstrap_interval(found.draws, found.estimate, method=method, level=1 - p, **extra)
    assert 1e-4 < p < 0.5
    # Interpolation between draws in the tail.
    assert at.conf_low == pytest.approx(0.0, abs=0.05 * float(at.std_error))


def test_jackknife_influence_of_a_mean_is_its_deviation():
    influence = jackknife_influence(np.column_stack([SKEWED, np.ones(60)]), statistic=mean_of)
    np.testing.assert_allclose(influence, (SKEWED - SKEWED.mean()) / 60, rtol=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cluster_totals([1.0, np.nan], [1, 2]), "1 of 2 rows"),
        (lambda: cluster_totals([1.0, 2.0], [1]), "clusters of shape"),
        (lambda: drawn_counts(3, replicates=0, seed=1), "replicates"),
        (lambda: drawn_counts(3, replicates=9, seed=1, strata=[1, 1, 2]), "1 of 2 strata hold one cluster"),
        (lambda: drawn_counts(3, replicates=9, seed=1, strata=[1, 1]), "strata of shape"),
        (
            lambda: bootstrap_draws([[1.0, 0.0]] * 3, statistic=mean_of, replicates=9, seed=1),
            "does not exist in the data",
        ),
        (lambda: bootstrap_draws([[np.inf]], statistic=itself, replicates=9, seed=1), "finite sums"),
        (
            lambda: jackknife_influence([[1.0, 1.0], [1.0, 0.0]], statistic=mean_of),
            "does not exist without one cluster",
        ),
        (
            lambda: bootstrap_linear(np.ones(4), np.ones((4, 2)), range(4), replicates=9, seed=1),
            "depend on each other",
        ),
        (
            lambda: bootstrap_linear(np.ones(3), np.ones((4, 1)), range(4), replicates=9, seed=1),
            "of shape",
        ),
        (
            lambda: bootstrap_linear([1, 2, np.nan], np.ones((3, 1)), range(3), replicates=9, seed=1),
            "1 rows of X or values of y",
        ),
        (
            lambda: bootstrap_linear(
                [1, 2, 3], np.ones((3, 1)), range(3), replicates=9, seed=1, weights=[1, -1, 1]
            ),
            "1 weights are negative",
        ),
        (
            lambda: bootstrap_linear(
                [1, 2, 3, 4], np.ones((4, 1)), [1, 1, 2, 2], replicates=9, seed=1, strata=[1, 2, 2, 2]
            ),
            "1 clusters lie in more than one stratum",
        ),
        (
            lambda: bootstrap_rates([[1.0]], [[1.0]], [1], signs=[1, 2], replicates=9, seed=1),
            r"signs \(k,\)",
        ),
        (
            lambda: bootstrap_rates([[1.0]] * 2, [[-1.0]] * 2, [1, 2], signs=[1], replicates=9, seed=1),
            "2 person-times are negative",
        ),
        (lambda: bootstrap_interval(np.ones(100), 1.0, method="normal"), "all draws are the same"),
        (lambda: bootstrap_interval([1.0, 2.0], 1.0, method="percentile"), "2 draws say nothing"),
        (lambda: bootstrap_interval(np.arange(100.0), 1.0, method="bca"), "needs the influence"),
        (
            lambda: bootstrap_interval(np.arange(100.0), -5.0, method="bca", influence=[1.0, -1.0]),
            "outside all its draws",
        ),
        (lambda: bootstrap_interval(np.arange(100.0), 1.0, method="studentised"), "needs std_error"),
        (lambda: bootstrap_interval(np.ones((100, 2)), 1.0, method="normal"), "do not fit"),
        (lambda: bootstrap_interval([np.nan] * 100, 1.0, method="normal"), "100 draws are missing"),
    ],
)
def test_unusable_input_is_refused(call, message):
    with pytest.raises(EstimationError, match=message):
        call()
