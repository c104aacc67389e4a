"""Meta-analysis recovers the mean of true effects, and its prediction interval holds a next study."""

from __future__ import annotations

import numpy as np
import pytest

from wor_eval.effects.meta_analysis import pool_effects

MEAN, SPREAD, STUDIES, REPLICATES = -0.2, 0.25, 12, 800


@pytest.mark.parametrize("method", ["reml", "paule_mandel"])
def test_bias_and_coverage(method):
    rng = np.random.default_rng(7)
    errors = rng.uniform(0.08, 0.3, STUDIES)
    means, covered, foretold = [], [], []
    for _ in range(REPLICATES):
        true = rng.normal(MEAN, SPREAD, STUDIES + 1)
        found = pool_effects(rng.normal(true[:-1], errors), errors, spread=method)
        means.append(found.estimate)
        covered.append(found.conf_low <= MEAN <= found.conf_high)
        foretold.append(found.prediction_low <= true[-1] <= found.prediction_high)
    # Four Monte-Carlo errors either side: 3.1 points for a coverage of 95 % in 800 studies.
    assert np.mean(means) == pytest.approx(MEAN, abs=4 * np.std(means) / np.sqrt(REPLICATES))
    assert np.mean(covered) == pytest.approx(0.95, abs=0.031)
    # The prediction interval is known to be short of its level with a dozen studies (Partlett and Riley 2017,
    # doi:10.1002/sim.7140, found 90 to 95 %); 6,000 studies of this size gave 91 %.
    assert np.mean(foretold) == pytest.approx(0.91, abs=0.04)
