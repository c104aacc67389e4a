"""The area under the curve and the expected fall are right on average, where the truth is known."""

import numpy as np
import pandas as pd
from scipy import stats

from wor_eval.cohort.yearly import Yearly
from wor_eval.effects.attenders_fall import predictions
from wor_eval.effects.auc import area_under_curve
from wor_eval.effects.frequent import top_of_strata


def test_intervals_of_the_area_hold_the_true_one():
    rng = np.random.default_rng(1)
    truth = stats.norm.cdf(0.6 / np.sqrt(2))  # two normal scores 0.6 apart
    event = np.repeat([1, 0], [60, 240])
    inside, areas = [], []
    for _ in range(1500):
        found = area_under_curve(event, rng.normal(0.6 * event, 1))
        inside.append(found.conf_low <= truth <= found.conf_high)
        areas.append(found.estimate)
    assert abs(np.mean(areas) - truth) < 0.003
    assert 0.935 < np.mean(inside) < 0.965  # Monte-Carlo error 0.6 points


def yearly(rng, n, *, bad_years):
    """Three years of counts: a permanent level, and bad years or none."""
    level = rng.gamma(1.5, 1 / 1.5, (n, 1))
    year = rng.gamma(1.2, 1 / 1.2, (n, 3)) if bad_years else np.ones((n, 3))
    counts = rng.poisson(5 * level * year).astype(float)
    persons = pd.DataFrame({"sex": "F", "age_group": "15-44", "referred": False}, index=range(n))
    blank = np.full((n, 3), np.nan)
    return Yearly(years=(2019, 2020, 2021), persons=persons, contacts=counts, coded=blank, psychosocial=blank,
                  costs=blank, n_left_out=0)  # fmt: skip


def expected_over_observed(given):
    top = top_of_strata(given.contacts[:, 0], np.zeros(len(given.contacts)))
    chosen, line = np.column_stack([top.chosen] * 3), np.column_stack([top.threshold] * 3)
    found = predictions(given, chosen, line, np.ones(len(top.chosen), dtype=bool))
    first = given.contacts[top.chosen]
    observed = (first[:, 1] - first[:, 0]).mean()
    return {method: (values[top.chosen] - first[:, 0]).mean() / observed for method, values in found.items()}


def test_the_model_with_bad_years_expects_the_fall_and_the_others_do_not():
    found = [
        expected_over_observed(yearly(np.random.default_rng(s), 20_000, bad_years=True)) for s in range(8)
    ]
    mean = pd.DataFrame(found).mean()
    assert abs(mean["gamma_poisson"] - 1) < 0.03
    assert abs(mean["linear"] - 1) < 0.1
    assert mean["negative_binomial"] < 0.5
    assert mean["barnett"] < 0.9


def test_without_bad_years_the_model_of_permanent_levels_expects_the_fall_too():
    found = [
        expected_over_observed(yearly(np.random.default_rng(s), 20_000, bad_years=False)) for s in range(8)
    ]
    mean = pd.DataFrame(found).mean()
    assert abs(mean["negative_binomial"] - 1) < 0.04
    assert abs(mean["gamma_poisson"] - 1) < 0.06
