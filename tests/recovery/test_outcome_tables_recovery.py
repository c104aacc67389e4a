"""Rows of the report's tables of costs and scores, from raw tables of whole studies with a known effect.

A small version of ``benchmarks/outcome_recovery.py``, whose table stands in ``docs/outcome_recovery.md``.
"""

import numpy as np
import pandas as pd
import pytest

from benchmarks.outcome_recovery import one_study, plan, summary

STUDIES = 2


@pytest.fixture(scope="module")
def rows():
    study = plan(replicates=200)
    return pd.concat([one_study(seed, 3_500, study) for seed in range(101, 101 + STUDIES)], ignore_index=True)


def test_the_truth_is_what_was_put_in(rows):
    """Costs fall by 10 % and 5 %; scores rise by 1.5 and 1.0, less where the scale ends."""
    truth = rows.groupby(["outcome", "scale", "age_band"])["truth"].mean()
    assert truth["care_costs", "ratio", "18-64"] == pytest.approx(0.90, abs=0.01)
    assert truth["care_costs", "ratio", "65+"] == pytest.approx(0.95, abs=0.01)
    assert truth["wellbeing", "difference", "18-64"] == pytest.approx(1.5, abs=0.4)
    assert truth["wellbeing", "difference", "65+"] == pytest.approx(1.0, abs=0.4)


@pytest.mark.parametrize(
    "method", ["bootstrap_t", "bca", "two_part", "complete_case", "mixed", "mmrm", "imputed"]
)
def test_estimates_lie_around_the_truth(rows, method):
    """Of the bands of a few studies, the errors over their standard errors: a mean near 0, and none far off."""
    mine = rows[(rows["method"] == method) & (rows["scale"] == "difference") & (rows["age_band"] != "all")]
    mine = mine.dropna(subset=["estimate", "std_error"])
    score = (mine["estimate"] - mine["truth"]) / mine["std_error"]
    assert len(score) >= STUDIES
    # Standard normal if estimate and standard error are right; 4.5 of them is one in 150,000 for each.
    assert abs(score.mean()) < 4 / np.sqrt(len(score))
    assert score.abs().max() < 4.5


def test_the_summary_counts_what_is_covered(rows):
    found = summary(rows).set_index(["outcome", "method", "scale", "age_band"])
    row = found.loc[("wellbeing", "mmrm", "difference", "all")]
    mine = rows[(rows["method"] == "mmrm") & (rows["age_band"] == "all")]
    inside = (mine["conf_low"] <= mine["truth"]) & (mine["truth"] <= mine["conf_high"])
    assert row["coverage"] == pytest.approx(inside.mean())
    assert row["bias"] == pytest.approx((mine["estimate"] - mine["truth"]).mean())
