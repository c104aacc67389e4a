"""Interrupted time series: Newey-West written out, quasi-Poisson, the counterfactual, refusals."""

import doctest

import numpy as np
import pytest

from wor_eval.effects import interrupted
from wor_eval.effects.interrupted import interrupted_series
from wor_eval.effects.regression import poisson_regression
from wor_eval.errors import EstimationError


def test_examples():
    assert doctest.testmod(interrupted).failed == 0


def series(seed=1, T=72, start=48, effect=-0.2):
    rng = np.random.default_rng(seed)
    month = np.arange(T)
    size = rng.uniform(900, 1100, T)
    noise = np.zeros(T)
    for t in range(1, T):
        noise[t] = 0.4 * noise[t - 1] + rng.normal(0, 0.08)
    rate = 0.3 * np.exp(0.003 * month + 0.1 * np.sin(np.pi * month / 6) + effect * (month >= start) + noise)
    return rng.poisson(rate * size).astype(float), size


def design(T, start):
    month = np.arange(T)
    after = month >= start
    waves = [f(2 * np.pi * k * month / 12) for k in (1, 2) for f in (np.sin, np.cos)]
    return np.column_stack([np.ones(T), month - start, after, after * (month - start), *waves]).astype(float)


def test_newey_west_written_out():
    y, size = series()
    found, X = interrupted_series(y, start=48, exposure=size, lags=5), design(72, 48)
    fit = poisson_regression(y, X, offset=np.log(size), covariance="model")
    scores = X * (y - size * np.exp(X @ fit.coef))[:, None]
    middle = scores.T @ scores
    for lag in range(1, 6):
        cross = scores[lag:].T @ scores[:-lag]
        middle += (1 - lag / 6) * (cross + cross.T)
    cov = 72 / (72 - 8) * fit.cov @ middle @ fit.cov
    np.testing.assert_allclose(np.log(found.terms.estimate), fit.coef[1:4], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.terms.std_error, np.sqrt(np.diag(cov))[1:4], rtol=1e-6)
    half = 1.959963984540054 * np.sqrt(cov[2, 2])
    assert found.terms.conf_low[1] == pytest.approx(np.exp(fit.coef[2] - half), rel=1e-6)
    assert found.lags == 5


@pytest.mark.parametrize("lags", [0, 3, 6])
def test_newey_west_is_that_of_statsmodels(lags):
    import statsmodels.api as sm

    y, size = series()
    found, X = interrupted_series(y, start=48, exposure=size, lags=lags), design(72, 48)
    model = sm.GLM(y, X, family=sm.families.Poisson(), offset=np.log(size))
    peer = model.fit(cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}, tol=1e-12)
    low, high = peer.conf_int().T
    # The same closed form at the same top: only the steps to it round differently.
    np.testing.assert_allclose(np.log(found.terms.estimate), peer.params[1:4], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.terms.std_error, peer.bse[1:4], rtol=1e-8)
    np.testing.assert_allclose(np.log(found.terms.conf_low), low[1:4], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(np.log(found.terms.conf_high), high[1:4], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.terms.p_value, peer.pvalues[1:4], rtol=1e-6)


def test_wider_errors_written_out():
    from scipy.stats import t

    y, size = series()
    found, X = interrupted_series(y, start=48, exposure=size, lags=2, errors="wider"), design(72, 48)
    mean = found.fitted
    bread = np.linalg.inv(X.T @ (X * mean[:, None]))
    hat = np.diag(np.sqrt(np.diag(mean)) @ X @ bread @ X.T @ np.sqrt(np.diag(mean)))
    scores = X * ((y - mean) / (1 - hat))[:, None]
    middle = scores.T @ scores
    for lag in (1, 2):
        cross = scores[lag:].T @ scores[:-lag]
        middle += (1 - lag / 3) * (cross + cross.T)
    robust, quasi = np.diag(bread @ middle @ bread), found.dispersion * np.diag(bread)
    error = np.sqrt(np.maximum(robust, quasi))[1:4]
    np.testing.assert_allclose(found.terms.std_error, error, rtol=1e-7)
    assert found.df == 64
    low = np.exp(np.log(found.terms.estimate) - t.ppf(0.975, 64) * error)
    np.testing.assert_allclose(found.terms.conf_low, low, rtol=1e-7)


def test_months_left_out_and_another_length_of_the_year():
    """A run-in that is left out is a series without these rows; the start is a month, not a row."""
    y, size = series(effect=-0.5)
    months = np.arange(-48, 24)
    kept = (months < 0) | (months >= 2)
    found = interrupted_series(
        y[kept], start=0, months=months[kept], exposure=size[kept], period=12.175, errors="quasi"
    )
    angle = 2 * np.pi * months[kept] / 12.175
    after = months[kept] >= 0
    waves = [f(k * angle) for k in (1, 2) for f in (np.sin, np.cos)]
    X = np.column_stack([np.ones(kept.sum()), months[kept], after, after * months[kept], *waves]).astype(
        float
    )
    fit = poisson_regression(y[kept], X, offset=np.log(size[kept]), covariance="quasi")
    np.testing.assert_allclose(np.log(found.terms.estimate), fit.coef[1:4], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.terms.std_error, np.sqrt(np.diag(fit.cov))[1:4], rtol=1e-6)
    with pytest.raises(EstimationError, match="must rise"):
        interrupted_series(y, start=0, months=np.abs(months))


@pytest.mark.parametrize(("errors", "low", "high"), [("wider", 0.9, 1.0), ("newey_west", 0.6, 0.9)])
def test_coverage_in_a_short_series(errors, low, high):
    """36 months with autocorrelation: the textbook's intervals are far too short, the wider ones nearly right."""
    inside = 0
    for seed in range(150):
        y, size = series(seed, T=36, start=24)
        found = interrupted_series(y, start=24, exposure=size, harmonics=1, errors=errors)
        inside += found.terms.conf_low[1] <= np.exp(-0.2) <= found.terms.conf_high[1]
    assert low <= inside / 150 <= high


def test_difference_by_numeric_derivative():
    y, size = series()
    found, X = interrupted_series(y, start=48, exposure=size, errors="quasi"), design(72, 48)
    fit = poisson_regression(y, X, offset=np.log(size), covariance="quasi")
    without = X.copy()
    without[:, 2:4] = 0.0

    def events(b):
        return float((size * (np.exp(X @ b) - np.exp(without @ b)))[48:].sum())

    step = 1e-6
    slope = [(events(fit.coef + step * e) - events(fit.coef - step * e)) / (2 * step) for e in np.eye(8)]
    assert found.difference.estimate == pytest.approx(events(fit.coef), rel=1e-8)
    assert found.difference.std_error == pytest.approx(np.sqrt(slope @ fit.cov @ slope), rel=1e-5)
    assert found.dispersion == pytest.approx(fit.dispersion, rel=1e-8)
    np.testing.assert_allclose(found.terms.std_error, np.sqrt(np.diag(fit.cov))[1:4], rtol=1e-6)
    np.testing.assert_allclose(found.expected[:48], found.fitted[:48])


def test_a_step_is_found_and_autocorrelation_shown():
    found = [
        interrupted_series(*series(seed)[:1], start=48, exposure=series(seed)[1], change="level")
        for seed in range(60)
    ]
    logs = np.log([one.terms.estimate[1] for one in found])
    # Monte-Carlo error of a mean of 60.
    assert logs.mean() == pytest.approx(-0.2, abs=4 * logs.std() / np.sqrt(60))
    assert np.mean([one.autocorrelation[0] for one in found]) > 0.1
    assert np.mean([one.dispersion for one in found]) > 1.2


def test_refused_series():
    y, size = series()
    with pytest.raises(EstimationError) as caught:
        interrupted_series(np.append(y[:-1], -1.0), start=70, exposure=np.where(size > 1000, 0, size))
    assert len(caught.value.problems) == 3
    with pytest.raises(EstimationError, match="at least 24"):
        interrupted_series(y, start=20)
    assert interrupted_series(y, start=20, harmonics=0).lags == 3
    with pytest.raises(EstimationError, match="too few"):
        interrupted_series(y[:30], start=25, harmonics=4)
    with pytest.raises(EstimationError, match="missing or infinite"):
        interrupted_series(np.append(y[:-1], np.nan), start=48)
    with pytest.raises(EstimationError, match="all are zero"):
        interrupted_series(np.zeros(72), start=48)
    with pytest.raises(EstimationError, match="lags"):
        interrupted_series(y, start=48, lags=40)
    with pytest.raises(EstimationError, match="change"):
        interrupted_series(y, start=48, change="step")


def test_no_events_on_one_side_of_the_start_have_no_estimate():
    """The logarithm of a rate of zero does not exist; the fit runs off to a ratio without bounds."""
    y, size = series()
    months = np.arange(72)
    for empty in (months >= 48, months < 48):
        with pytest.raises(EstimationError, match="months without events"):
            interrupted_series(np.where(empty, 0.0, y), start=48, exposure=size)
