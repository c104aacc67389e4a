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
