"""Coverage of bootstrap intervals on skewed costs in few clusters."""

import numpy as np
import pytest

from wor_eval.effects.bootstrap_estimators import bootstrap_linear, bootstrap_rates
from wor_eval.effects.bootstrap_intervals import bootstrap_interval

RUNS = 400


@pytest.fixture(scope="module")
def coverage():
    """Mean cost of persons in 24 practices, gamma within and lognormal between: four intervals, 400 studies."""
    rng = np.random.default_rng(1)
    truth, held = 1000.0, {m: [] for m in ("percentile", "normal", "bca", "studentised")}
    for _ in range(RUNS):
        practice = np.repeat(np.arange(24), rng.integers(5, 20, 24))
        level = rng.lognormal(-0.32, 0.8, 24)[practice]
        cost = truth * level * rng.gamma(0.5, 2.0, practice.size)
        found = bootstrap_rates(
            cost[:, None], np.ones((cost.size, 1)), practice, signs=[1.0], replicates=999, seed=3
        )
        for method, results in held.items():
            ends = bootstrap_interval(
                found.draws,
                found.estimate,
                method=method,
                influence=found.influence,
                std_error=found.std_error,
                std_errors=found.std_errors,
            )
            results.append(ends.conf_low <= truth <= ends.conf_high)
    return {method: float(np.mean(results)) for method, results in held.items()}


def test_the_studentised_interval_holds_on_skewed_costs(coverage):
    # Monte-Carlo error of 95 % over 400 studies: 1.1 %; 24 skewed clusters cost it 1 or 2 % more.
    assert 0.91 <= coverage["studentised"] <= 0.98


@pytest.mark.parametrize("method", ["percentile", "normal", "bca"])
def test_the_other_intervals_are_too_narrow_but_not_absurd(coverage, method):
    # Known for skewed means in few clusters: about 85 to 91 % in place of 95.
    assert 0.82 <= coverage[method] <= 0.95
    assert coverage[method] <= coverage["studentised"]


def test_the_adjusted_difference_has_the_right_error():
    rng = np.random.default_rng(2)
    errors, estimates = [], []
    for _ in range(RUNS):
        practice = np.arange(480) % 40
        X = np.column_stack([np.ones(480), practice < 20, rng.normal(size=480)])
        y = 500 * rng.gamma(1.0, 1.0, 480) + 100 * rng.normal(size=40)[practice] + 80 * X[:, 2]
        found = bootstrap_linear(y, X, practice, replicates=200, seed=1, strata=practice < 20)
        errors.append(found.draws[:, 1].std(ddof=1))
        estimates.append(found.estimate[1])
    # Relative Monte-Carlo error of the spread 3.5 %; a bootstrap of 2 x 20 clusters is 2.5 % too small.
    assert np.mean(errors) == pytest.approx(np.std(estimates), rel=0.13)
    assert np.mean(estimates) == pytest.approx(0.0, abs=4 * np.std(estimates) / np.sqrt(RUNS))
