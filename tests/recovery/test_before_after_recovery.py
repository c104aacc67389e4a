"""Before and after on simulated persons with a known ratio: bias, standard errors and coverage of each method."""

import math

import numpy as np
import pytest

from tests.small_cohort import OUTCOME, paired_counts, small_cohort, small_plan
from wor_eval.effects.before_after import band_interaction, before_after_effects

RATIOS = {"18-64": 0.80, "65+": 0.90}
MEAN, PER_BAND, RUNS = 6.0, 60, 300
PRACTICES, PER_PRACTICE, PRACTICE_RUNS = 40, 8, 200
PRACTICE_SD = 0.35


@pytest.fixture(scope="module")
def runs():
    """Estimate, standard error, and whether the interval holds the truth, by (scale, method, band)."""
    rng, study = np.random.default_rng(20), small_plan(replicates=300)
    age = np.repeat([40, 75], PER_BAND)
    ratio = np.where(age < 65, RATIOS["18-64"], RATIOS["65+"])
    found = {}
    for _ in range(RUNS):
        days = np.where(rng.random(age.size) < 0.2, rng.integers(90, 365, age.size), 365)
        before, after = paired_counts(rng, age.size, mean=MEAN, ratio=ratio * days / 365)
        cohort = small_cohort(
            {"before": before, "after": after}, days={"before": 365, "after": days}, age=age
        )
        for row in before_after_effects(cohort, study, outcome=OUTCOME).rows:
            if row.age_band == "all":
                continue
            truth = RATIOS[row.age_band]
            if row.scale == "difference":
                truth = MEAN * (truth - 1) * 365.25 / 365
            value = math.log(row.estimate / truth) if row.scale == "ratio" else row.estimate - truth
            held = row.conf_low <= truth <= row.conf_high
            key = (row.scale, row.method, row.age_band)
            found.setdefault(key, []).append((value, row.std_error, held))
    return {key: np.array(values, dtype=float).T for key, values in found.items()}


@pytest.mark.parametrize("band", list(RATIOS))
@pytest.mark.parametrize(
    ("scale", "method"),
    [
        ("ratio", "gee_poisson"),
        ("ratio", "negative_binomial_person"),
        ("ratio", "conditional_poisson"),
        ("ratio", "bootstrap_person"),
        ("difference", "robust"),
        ("difference", "bootstrap_person"),
    ],
)
def test_the_known_change_is_found(runs, scale, method, band):
    bias, error, held = runs[scale, method, band]
    spread = bias.std(ddof=1)
    # Four Monte-Carlo errors of a mean of 300.
    assert abs(bias.mean()) < 4 * spread / math.sqrt(RUNS)
    # A standard deviation of 300 draws has an error of 4 %; sandwich errors are a little small at 60 persons.
    assert error.mean() == pytest.approx(spread, rel=0.12)
    # Coverage of 95 % has an error of 1.3 %; normal intervals lose about 1.5 % at 60 skewed persons.
    assert 0.90 <= held.mean() <= 0.985


def test_two_bands_with_the_same_ratio_are_told_apart_one_time_in_twenty():
    rng, study = np.random.default_rng(21), small_plan()
    age = np.repeat([40, 75], PER_BAND)
    mean = np.where(age < 65, 4.0, 9.0)
    p_values = []
    for _ in range(RUNS):
        before, after = paired_counts(rng, age.size, mean=mean, ratio=0.8)
        cohort = small_cohort({"before": before, "after": after}, age=age)
        table = band_interaction(cohort, study, outcome=OUTCOME).set_index("scale")
        p_values.append(table.loc["ratio", "p_value"])
    # 5 % with a Monte-Carlo error of 1.3 %.
    assert 0.01 <= np.mean(np.array(p_values) < 0.05) <= 0.095


def test_practices_that_differ_in_their_change_widen_the_interval():
    """Persons of a practice change alike: errors by person are too small, those by practice are right."""
    rng, study = np.random.default_rng(22), small_plan(cohort={"bands": [18]}, replicates=300)
    practice = np.repeat([f"p{i:02d}" for i in range(PRACTICES)], PER_PRACTICE)
    held = {}
    for _ in range(PRACTICE_RUNS):
        # Mean 1: the ratio of the expected rates is 0.8.
        factor = np.exp(PRACTICE_SD * rng.standard_normal(PRACTICES) - PRACTICE_SD**2 / 2)
        before, after = paired_counts(rng, practice.size, ratio=0.8 * np.repeat(factor, PER_PRACTICE))
        cohort = small_cohort({"before": before, "after": after}, practice=practice)
        for row in before_after_effects(cohort, study, outcome=OUTCOME).rows:
            if row.age_band == "all" and row.scale == "ratio":
                held.setdefault(row.method, []).append(row.conf_low <= 0.8 <= row.conf_high)
    coverage = {method: np.mean(values) for method, values in held.items()}
    # Monte-Carlo error 1.5 %; with 40 clusters the sandwich loses about 2 %.
    assert 0.88 <= coverage["negative_binomial_practice"] <= 0.985
    assert 0.88 <= coverage["bootstrap_practice"] <= 0.985
    assert 0.88 <= coverage["gee_poisson"] <= 0.985
