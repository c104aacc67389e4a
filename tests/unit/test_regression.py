"""Regression: what it refuses, and what must not change the answer."""

import doctest
import importlib

import numpy as np
import pytest

from wor_eval.effects.fit import coefficients, contrast, wald_test
from wor_eval.effects.g_computation import QUANTITIES, g_computation
from wor_eval.effects.gee import gee_poisson
from wor_eval.effects.identification import collinear_columns
from wor_eval.effects.model_rows import code_ids
from wor_eval.effects.negative_binomial import negative_binomial_regression
from wor_eval.effects.regression import gamma_regression, linear_regression, poisson_regression
from wor_eval.errors import EstimationError

MODULES = [
    "covariance",
    "fit",
    "g_computation",
    "gee",
    "identification",
    "model_rows",
    "negative_binomial",
    "newton",
    "regression",
    "sandwich",
]
COUNTS = [poisson_regression, negative_binomial_regression]
ALL = [*COUNTS, gamma_regression, linear_regression]
N = 240
RNG = np.random.default_rng(11)
PERSON = np.repeat(np.arange(N // 4), 4)
PRACTICE = np.array(["a", "b", "c"])[PERSON % 3]
AFTER = np.tile([0.0, 0.0, 1.0, 1.0], N // 4)
AGE = RNG.normal(0, 1, N // 4)[PERSON]
X = np.column_stack([np.ones(N), AFTER, AGE])
Y = RNG.poisson(np.exp(1 + 0.2 * AGE) * RNG.gamma(2, 0.5, N // 4)[PERSON]).astype(float)
Y_POSITIVE = Y + 1


def fitted(model, y=Y, design=X, **options):
    ready = np.where(y == 0, 1.0, y) if model is gamma_regression else y
    return model(ready, design, **options)


def with_value(values, value):
    changed = np.array(values, dtype=float)
    changed[3] = value
    return changed


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    module = importlib.import_module(f"wor_eval.effects.{name}")
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_missing_values_are_refused_all_at_once(model, value):
    with pytest.raises(EstimationError) as caught:
        fitted(model, with_value(Y, value), X * with_value(np.ones(N), value)[:, None])
    assert caught.value.problems[0] == "y: 1 rows are missing or infinite"
    assert [line.split(":")[0] for line in caught.value.problems] == ["y", "x1", "x2", "x3"]


@pytest.mark.parametrize("model", COUNTS)
def test_negative_counts_are_refused(model):
    with pytest.raises(EstimationError, match="y: 1 rows are negative"):
        model(with_value(Y, -1), X)


def test_counts_that_are_not_whole():
    assert np.isfinite(poisson_regression(with_value(Y, 1.5), X).coef).all()
    with pytest.raises(EstimationError, match="1 rows are negative or not a whole number"):
        negative_binomial_regression(with_value(Y, 1.5), X)


def test_gamma_refuses_zero_costs():
    with pytest.raises(EstimationError, match=r"y: \d+ rows are zero or negative"):
        gamma_regression(Y, X)


@pytest.mark.parametrize("exposure", [0.0, -1.0])
def test_no_exposure_is_refused(exposure):
    with np.errstate(all="ignore"):
        offset = np.log(with_value(np.ones(N), exposure))
    with pytest.raises(EstimationError, match=r"offset: 1 rows are missing or infinite .*exposure"):
        poisson_regression(Y, X, offset=offset)


def test_shapes_and_names_are_checked_together():
    with pytest.raises(EstimationError) as caught:
        poisson_regression(Y[:-1], X, weights=np.ones(3), names=["a", "a", "b"], clusters=PERSON[:-2])
    assert len(caught.value.problems) == 4


def test_weights_are_checked():
    with pytest.raises(EstimationError, match="weights: 1 rows are negative"):
        poisson_regression(Y, X, weights=with_value(np.ones(N), -1))
    with pytest.raises(EstimationError, match="no row has a weight above zero"):
        poisson_regression(Y, X, weights=np.zeros(N))


@pytest.mark.parametrize("model", ALL)
def test_one_cluster_is_refused(model):
    with pytest.raises(EstimationError, match="all rows are in one cluster"):
        fitted(model, clusters=np.zeros(N))


def test_one_cluster_after_leaving_out_rows_is_refused():
    with pytest.raises(EstimationError, match="fewer than two clusters"):
        poisson_regression(Y, X, weights=PERSON == 0, clusters=PERSON)


def test_missing_cluster_is_refused():
    ids = PERSON.astype(object)
    ids[:3] = None
    with pytest.raises(EstimationError, match="3 rows have no identifier"):
        poisson_regression(Y, X, clusters=ids)


def test_clusters_that_are_the_arms_are_refused():
    """The scores of each arm sum to zero, so the sandwich would give a standard error of zero."""
    with pytest.raises(EstimationError, match="too few clusters"):
        poisson_regression(Y, X[:, :2], clusters=AFTER)


def test_clusters_beside_a_model_covariance_are_refused():
    with pytest.raises(EstimationError, match='"model" covariance takes every row as independent'):
        poisson_regression(Y, X, clusters=PERSON, covariance="model")


@pytest.mark.parametrize("model", ALL)
def test_collinear_columns_are_named(model):
    design = np.column_stack([X, 2 * AGE - 1])
    with pytest.raises(EstimationError, match="combination of the columns before") as caught:
        fitted(model, design=design, names=["one", "after", "age", "again"])
    assert caught.value.problems == ("again",)


@pytest.mark.parametrize("model", ALL)
def test_constant_within_absorbed_groups_is_named(model):
    with pytest.raises(EstimationError, match="within the absorbed groups") as caught:
        fitted(model, absorb=PERSON, names=["one", "after", "age"])
    assert caught.value.problems == ("one", "age")


def test_collinear_columns_keep_the_first():
    rows = np.vstack([np.zeros(50), RNG.normal(0, 1, (2, 50)), np.ones(50)])
    dependent = np.vstack([rows, rows[1] - rows[2], rows[3] * 5])
    assert collinear_columns(dependent) == [0, 4, 5]
    assert collinear_columns(rows[1:]) == []


@pytest.mark.parametrize("model", COUNTS)
def test_a_level_without_events_is_named(model):
    level = PERSON < 5
    y = np.where(level, 0, Y)
    with pytest.raises(EstimationError, match="separation") as caught:
        model(y, np.column_stack([X, level]), names=["one", "after", "age", "level"])
    assert caught.value.problems == ("level",)


def test_separation_by_two_columns_together_is_named():
    """Each column has events on both sides; only where exactly one of the two is 1 there are none."""
    u, v = RNG.integers(0, 2, (2, N)).astype(float)
    y = np.where(u == v, Y + 1, 0)
    with pytest.raises(EstimationError) as caught:
        poisson_regression(
            y, np.column_stack([X, u, v, u * v]), names=["one", "after", "age", "u", "v", "uv"]
        )
    assert set(caught.value.problems) == {"u", "v", "uv"}


def test_few_events_without_separation_are_fitted():
    """Fewer rows with events than columns, yet a maximum exists: counts of zero lie on both sides."""
    x = np.array([1.0, 1.0, -1.0, 3.0, 2.0, 0.5])
    y = np.array([2.0, 0, 0, 0, 0, 0])
    fit = poisson_regression(y, np.column_stack([np.ones(6), x]), covariance="model")
    design = np.column_stack([np.ones(6), x])
    np.testing.assert_allclose(design.T @ (y - np.exp(design @ fit.coef)), 0, atol=1e-8)


def test_no_events_at_all():
    with pytest.raises(EstimationError, match="every count is zero"):
        poisson_regression(np.zeros(N), X)


def test_too_few_rows():
    with pytest.raises(EstimationError, match=r"3 rows .* cannot determine 3 coefficients"):
        poisson_regression(Y[:3], X[:3])


@pytest.mark.parametrize("y", [np.zeros(N), 2 + 3 * AFTER])
@pytest.mark.parametrize("covariance", ["model", "robust"])
def test_an_exact_fit_has_no_standard_error(y, covariance):
    with pytest.raises(EstimationError, match="fits every row exactly"):
        linear_regression(y, X, covariance=covariance)
    with pytest.raises(EstimationError, match="fits every row exactly"):
        gee_poisson(1 + AFTER, X[:, :2], groups=PERSON)


def test_even_counts_have_no_dispersion():
    with pytest.raises(EstimationError, match="use poisson_regression"):
        negative_binomial_regression(np.full(N, 3.0), X)


@pytest.mark.parametrize("model", COUNTS)
def test_groups_without_events_drop_out(model):
    silent = PERSON < 6
    y = np.where(silent, 0, Y)
    practice = np.where(silent, "silent", PRACTICE)
    fit = model(y, X[:, 1:], absorb=practice, clusters=PERSON)
    without = model(y[~silent], X[~silent, 1:], absorb=practice[~silent], clusters=PERSON[~silent])
    np.testing.assert_array_equal(fit.cov, without.cov)
    assert list(fit.groups.without_events) == ["silent"]
    assert fit.n_obs == N - silent.sum()


@pytest.mark.parametrize("model", [*ALL, gee_poisson])
def test_order_of_rows_and_scale_of_weights_do_not_matter(model):
    shuffled = np.random.default_rng(2).permutation(N)
    weights = 1 + PERSON % 3
    key = "groups" if model is gee_poisson else "clusters"
    first = fitted(model, design=X[:, 1:], absorb=PRACTICE, weights=weights, **{key: PERSON})
    second = fitted(
        model,
        Y[shuffled],
        X[shuffled, 1:],
        absorb=PRACTICE[shuffled],
        weights=1000 * weights[shuffled],
        **{key: PERSON[shuffled]},
    )
    np.testing.assert_allclose(first.coef, second.coef, rtol=1e-9)
    np.testing.assert_allclose(first.cov, second.cov, rtol=1e-9)


def test_inputs_are_not_changed():
    copies = [Y.copy(), X.copy(), AFTER.copy()]
    poisson_regression(Y, X[:, 1:], offset=AFTER, absorb=PRACTICE, clusters=PERSON)
    gee_poisson(Y, X, offset=AFTER, groups=PERSON)
    for now, before in zip([Y, X, AFTER], copies, strict=True):
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize("what", ["clusters", "absorb"])
def test_gee_groups_must_nest(what):
    crossing = np.arange(N) % 5
    with pytest.raises(EstimationError, match=f"{what}: 60 groups lie in more than one {what} level"):
        gee_poisson(Y, X[:, 1:], groups=PERSON, **{what: crossing})


def test_gee_without_repeats_has_no_correlation():
    with pytest.raises(EstimationError, match="no group has two rows"):
        gee_poisson(Y, X, groups=np.arange(N))
    assert gee_poisson(Y, X, groups=np.arange(N), working="independence").correlation == 0


def test_gee_correlation_outside_its_range():
    pairs = np.repeat(np.arange(40), 2)
    with pytest.raises(EstimationError, match="outside its range"):
        gee_poisson(np.tile([0.0, 2.0], 40), np.ones((80, 1)), groups=pairs)


def test_contrast_is_the_sum_of_coefficients():
    fit = poisson_regression(Y, X, clusters=PERSON)
    table = contrast(fit, [[0, 1, 0], [0, 1, 2]], names=("after", "older"), scale="ratio")
    c = np.array([0, 1, 2])
    error = np.sqrt(c @ fit.cov @ c)
    assert table.estimate[1] == pytest.approx(np.exp(c @ fit.coef))
    assert table.std_error[1] == pytest.approx(error)
    assert table.conf_high[1] == pytest.approx(np.exp(c @ fit.coef + 1.959963984540054 * error))
    frame = table.to_frame()
    assert list(frame.columns) == ["term", "estimate", "std_error", "conf_low", "conf_high", "p_value"]
    z = coefficients(fit).estimate[1] / coefficients(fit).std_error[1]
    test = wald_test(fit, [0, 1, 0])
    assert test.statistic == pytest.approx(z**2)
    assert test.p_value == pytest.approx(table.p_value[0])


def test_contrasts_are_refused():
    linear = linear_regression(Y, X)
    with pytest.raises(EstimationError, match="ratio needs a log link"):
        coefficients(linear, scale="ratio")
    with pytest.raises(EstimationError, match="expected 3 finite weights"):
        contrast(linear, [1, 0])
    with pytest.raises(EstimationError, match="no variance"):
        contrast(linear, [0, 0, 0])
    with pytest.raises(EstimationError, match="cannot be tested together"):
        wald_test(linear, [[0, 1, 0], [0, 2, 0]])
    with pytest.raises(EstimationError, match="between 0 and 1"):
        coefficients(linear, level=95)


ARMS = [np.column_stack([np.full(N, value), AGE]) for value in (1.0, 0.0)]


def test_g_computation_without_interaction_gives_the_rate_ratio():
    fit = poisson_regression(Y, X[:, 1:], absorb=PRACTICE, clusters=PERSON)
    table = g_computation(fit, *ARMS, absorb=PRACTICE)
    ratio = coefficients(fit, scale="ratio")
    assert table.names == QUANTITIES
    for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value"):
        assert getattr(table, name)[2] == pytest.approx(getattr(ratio, name)[0], rel=1e-9)
    assert np.isnan(table.p_value[:2]).all()


def test_g_computation_takes_groups_without_events_as_zero():
    silent = PERSON < 6
    practice = np.where(silent, "silent", PRACTICE)
    fit = poisson_regression(np.where(silent, 0, Y), X[:, 1:], absorb=practice, clusters=PERSON)
    everyone = g_computation(fit, *ARMS, absorb=practice, clusters=PERSON)
    heard = [arm[~silent] for arm in ARMS]
    others = g_computation(fit, *heard, absorb=practice[~silent], clusters=PERSON[~silent])
    np.testing.assert_allclose(everyone.estimate[:2], others.estimate[:2] * (~silent).mean())
    assert everyone.estimate[2] == pytest.approx(others.estimate[2])
    assert everyone.std_error[2] == pytest.approx(others.std_error[2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give the group of each person"),
        ({"absorb": np.full(N, "z")}, "1 groups are not in the fit"),
        ({"absorb": PRACTICE, "clusters": PERSON + 1000}, "60 clusters are not in the fit"),
        ({"absorb": PRACTICE, "person_years": np.zeros(N)}, "240 persons are missing, zero or below"),
        ({"absorb": PRACTICE, "weights": -np.ones(N)}, "240 persons are missing or negative"),
        ({"absorb": PRACTICE, "weights": np.zeros(N)}, "average predicted rate is zero"),
    ],
)
def test_g_computation_refusals(options, message):
    fit = poisson_regression(Y, X[:, 1:], absorb=PRACTICE, clusters=PERSON)
    with pytest.raises(EstimationError, match=message):
        g_computation(fit, *ARMS, **options)


def test_g_computation_needs_what_the_fit_has_not():
    with pytest.raises(EstimationError, match="needs a log link"):
        g_computation(linear_regression(Y, X[:, 1:]), *ARMS)
    with pytest.raises(EstimationError, match="no single cluster identifier"):
        g_computation(poisson_regression(Y, X[:, 1:]), *ARMS, clusters=PERSON)
    with pytest.raises(EstimationError, match="a single cluster identifier"):
        g_computation(poisson_regression(Y, X[:, 1:], absorb=PRACTICE), *ARMS, absorb=PRACTICE)
    with pytest.raises(EstimationError, match="X_referred: shape"):
        g_computation(poisson_regression(Y, X), *ARMS)


def test_codes_follow_the_labels():
    ids = code_ids(["b", "a", "b"], "clusters")
    assert list(ids.codes) == [1, 0, 1]
    assert list(ids.labels) == ["a", "b"]
    np.testing.assert_array_equal(ids.total(np.array([1.0, 2.0, 3.0])), [2.0, 4.0])
