"""Matching finds a known effect under confounding, and the propensity model a known model."""

import numpy as np

from wor_eval.design.line import caliper_width
from wor_eval.design.mahalanobis import nearest_mahalanobis
from wor_eval.design.nearest import nearest_on_score
from wor_eval.design.optimal import optimal_full, optimal_pairs
from wor_eval.design.propensity import fit_propensity

EFFECT = 2.0
SLOPES = np.array([0.8, -0.5])
NAMES = ["contacts", "age"]
REPLICATES = 200


def simulate(rng: np.random.Generator, n: int = 1200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Referral and outcome both depend on the covariates; unmatched, the effect looks 1.3 too large."""
    X = rng.normal(size=(n, 2))
    treated = rng.random(n) < 1 / (1 + np.exp(2.5 - X @ SLOPES))
    return X, treated, EFFECT * treated + X @ [1.5, -0.5] + rng.normal(size=n)


def test_propensity_slopes_are_recovered_and_covered():
    rng = np.random.default_rng(20240501)
    estimates, inside, replicates = [], np.zeros(2), 1500
    for _ in range(replicates):
        X, treated, _ = simulate(rng)
        fit = fit_propensity(X, treated, names=NAMES)
        estimates.append(fit.estimate[1:])
        inside += np.abs(fit.estimate[1:] - SLOPES) <= 1.959964 * fit.std_error[1:]
    # Three Monte-Carlo standard errors (0.003), and 1 % for the small-sample bias of logistic regression away
    # from zero with about 130 events.
    assert (np.abs(np.mean(estimates, axis=0) - SLOPES) < 0.009 + 0.01 * np.abs(SLOPES)).all()
    # Three binomial standard errors of a coverage of 95 %.
    assert (np.abs(inside / replicates - 0.95) < 3 * np.sqrt(0.95 * 0.05 / replicates)).all()


def test_matched_effects_are_recovered():
    rng = np.random.default_rng(20240501)
    effects: dict[str, list[float]] = {}
    for _ in range(REPLICATES):
        X, treated, y = simulate(rng)
        fit = fit_propensity(X, treated, names=NAMES)
        narrow = 0.25 * caliper_width(fit.linear, treated)
        found = {
            "greedy": nearest_on_score(fit.linear, treated, caliper=narrow),
            "greedy 1:2": nearest_on_score(fit.linear, treated, caliper=narrow, ratio=2),
            "optimal pairs": optimal_pairs(fit.linear, treated, caliper=narrow),
            "optimal full": optimal_full(fit.linear, treated),
            "Mahalanobis": nearest_mahalanobis(
                X, treated, names=NAMES, score=fit.linear, caliper=narrow, order="largest"
            ),
        }
        for name, sets in found.items():
            here, there = treated & (sets.weight > 0), ~treated
            difference = y[here].mean() - np.average(y[there], weights=sets.weight[there])
            effects.setdefault(name, []).append(float(difference))
        effects.setdefault("unmatched", []).append(float(y[treated].mean() - y[~treated].mean()))
    assert np.mean(effects.pop("unmatched")) > EFFECT + 1.0
    for name, values in effects.items():
        # Three Monte-Carlo standard errors; 0.05 SD of the logit leaves no bias that this could see.
        assert abs(np.mean(values) - EFFECT) < 3 * np.std(values) / np.sqrt(REPLICATES), name
