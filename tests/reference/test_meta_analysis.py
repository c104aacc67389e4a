"""Random-effects meta-analysis beside statsmodels, and beside the restricted likelihood written out in full."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, multivariate_normal, t
from statsmodels.stats.meta_analysis import combine_effects

from wor_eval.effects.meta_analysis import pool_effects

CASES = {
    "spread": ([-0.5, -0.1, -0.3, 0.1, -0.9], [0.1, 0.1, 0.2, 0.15, 0.3]),
    "alike": ([-0.30, -0.25, -0.35, -0.28], [0.2, 0.1, 0.3, 0.15]),
    "three": ([1.2, 0.4, 2.0], [0.3, 0.2, 0.5]),
}
every_case = pytest.mark.parametrize("case", CASES)


@every_case
def test_paule_mandel_with_hartung_and_knapp_beside_statsmodels(case: str) -> None:
    """statsmodels stops its iteration when Q is within 1e-5 of its degrees of freedom: so far do its digits go."""
    y, s = (np.array(part) for part in CASES[case])
    ours = pool_effects(y, s, spread="paule_mandel")
    theirs = combine_effects(y, s**2, method_re="pm", use_t=True)
    assert ours.tau2 == pytest.approx(theirs.tau2, abs=2e-6)
    assert ours.estimate == pytest.approx(theirs.mean_effect_re, abs=2e-6)
    assert ours.std_error == pytest.approx(theirs.sd_eff_w_re_hksj, abs=2e-6)
    low, high = theirs.conf_int()[3]
    assert (ours.conf_low, ours.conf_high) == (pytest.approx(low, abs=1e-5), pytest.approx(high, abs=1e-5))
    assert ours.q == pytest.approx(theirs.q, rel=1e-10)
    assert ours.q_p_value == pytest.approx(chi2.sf(theirs.q, y.size - 1), rel=1e-10)


def restricted_likelihood(y: np.ndarray, variance: np.ndarray, tau2: float) -> float:
    """The density of the contrasts of y, which do not depend on the mean: what REML maximises, by its definition."""
    contrasts = np.column_stack([-np.ones(y.size - 1), np.eye(y.size - 1)])
    covariance = contrasts @ np.diag(variance + tau2) @ contrasts.T
    return float(multivariate_normal(np.zeros(y.size - 1), covariance).logpdf(contrasts @ y))


@every_case
def test_reml_beside_a_search_over_the_likelihood_of_contrasts(case: str) -> None:
    """The grid of the search is 1e-4 wide: that is the tolerance on τ², and far more than its effect on the mean."""
    y, s = (np.array(part) for part in CASES[case])
    grid = np.arange(0, 4, 1e-4)
    best = grid[np.argmax([restricted_likelihood(y, s**2, tau2) for tau2 in grid])]
    ours = pool_effects(y, s)
    assert ours.tau2 == pytest.approx(best, abs=1.01e-4)

    weight = 1 / (s**2 + best)
    mean = np.average(y, weights=weight)
    error = np.sqrt(np.average((y - mean) ** 2, weights=weight) / (y.size - 1))
    half = t.ppf(0.975, y.size - 1) * error
    reach = t.ppf(0.975, y.size - 2) * np.sqrt(best + error**2)
    assert ours.estimate == pytest.approx(mean, abs=1e-4)
    assert ours.std_error == pytest.approx(error, abs=1e-4)
    assert ours.conf_low == pytest.approx(mean - half, abs=5e-4)
    assert ours.conf_high == pytest.approx(mean + half, abs=5e-4)
    # With three studies the limits rest on a t of one degree of freedom, 12.7 times the error.
    assert ours.prediction_low == pytest.approx(mean - reach, abs=3e-3)
    assert ours.prediction_high == pytest.approx(mean + reach, abs=3e-3)
    assert ours.p_value == pytest.approx(2 * t.sf(abs(mean) / error, y.size - 1), abs=1e-3)


def test_with_equal_errors_it_is_the_interval_of_a_mean() -> None:
    """A special case with a known answer: equal weights, so Hartung and Knapp is the one-sample t interval."""
    y = np.array([0.2, -0.4, 0.9, 0.1, -0.2])
    ours = pool_effects(y, np.full(5, 0.1))
    assert ours.estimate == pytest.approx(y.mean())
    assert ours.std_error == pytest.approx(y.std(ddof=1) / np.sqrt(5))
    assert ours.tau2 == pytest.approx(y.var(ddof=1) - 0.1**2, abs=1e-6)
    assert ours.i2 == pytest.approx(1 - 0.1**2 / y.var(ddof=1), abs=1e-5)
