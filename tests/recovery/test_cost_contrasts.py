"""With no effect and arms matched on contacts: the contrast of costs that the shipped plan chose finds nothing.

A few studies of ``benchmarks/cost_contrasts.py``, whose table stands in ``docs/cost_contrasts.md``.
"""

import pandas as pd
import pytest

from benchmarks.cost_contrasts import contacts_alone, one_study
from wor_eval.assets import asset
from wor_eval.study import read_study

STUDIES = 3


@pytest.fixture(scope="module")
def found():
    """Mean of each contrast, referral on a permanent level; between studies of this size each spreads by 0.04."""
    study = contacts_alone()
    rows = [one_study(seed, 5_000, study, peak_share=0.0) for seed in range(1, 1 + STUDIES)]
    return pd.DataFrame(rows).mean()


def test_the_year_just_before_makes_an_effect_on_costs_out_of_nothing(found):
    """Of eight larger studies the mean is 0.07: matching on contacts does not make costs alike."""
    assert found["difference_in_differences"] > 0.02
    assert found["placebo"] < -0.02


def test_the_year_before_that_does_not(found):
    """Three times the spread over the square root of the number of studies."""
    assert abs(found["against_earlier_year"]) < 0.07
    assert abs(found["against_earlier_year"]) < found["difference_in_differences"]


def test_the_shipped_plan_compares_costs_with_the_year_before_that():
    study = read_study(asset("analyses", "matched_cohort.toml"))
    assert {e.contrast for e in study.effects if "care_costs" in e.outcomes} == {"against_earlier_year"}
