"""Planning: the closed form by brute force, the simulation by the package's own estimates, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, nbinom

from tests.planned_study import planned, planned_content, planned_run
from wor_eval.assets import asset
from wor_eval.cohort.planned import month_blocks
from wor_eval.cohort.wide import WideOutcome
from wor_eval.data.planned import draw_planned
from wor_eval.effects.contrasts import contrast_rates, matched_effects
from wor_eval.effects.power import planned_part
from wor_eval.effects.power_numbers import (
    TwoPeriods,
    crossing,
    design_effect,
    detectable_ratio,
    needed_size,
    power_of,
    two_period_error,
    two_periods,
)
from wor_eval.effects.power_simulation import Job, planned_study, simulate_many, simulate_one, simulated_match
from wor_eval.effects.published_numbers import wilson
from wor_eval.errors import StudyError
from wor_eval.study import power_study, read_study, study_plan

# The closed form


def test_moments_of_a_known_distribution():
    """Gamma-Poisson counts that share their gamma: φ and φ12 are both 1 / shape (400,000 draws: 4 errors is 0.01)."""
    rng = np.random.default_rng(5)
    level = rng.gamma(2.0, 0.5, 400_000)
    found = two_periods(rng.poisson(6 * level).astype(float), rng.poisson(4 * level).astype(float))
    assert found.mean_first == pytest.approx(6, abs=0.05)
    assert found.spread_first == pytest.approx(0.5, abs=0.012)
    assert found.spread_second == pytest.approx(0.5, abs=0.012)
    assert found.shared == pytest.approx(0.5, abs=0.012)
    assert found.person_variance() == pytest.approx(1 / 6 + 1 / 4, abs=0.02)


def simple_case(rng, *, n: int, ratio: float, practices: int, practice_sd: float):
    """Two arms of counts in two periods with a lasting and a passing part; practices differ in their effect."""
    referred = np.repeat([True, False], n)
    practice = np.tile(np.arange(n) % practices, 2)
    level = rng.gamma(2.0, 0.5, 2 * n)
    passing = rng.gamma(4.0, 0.25, (2 * n, 2))
    effect = ratio * np.exp(practice_sd * rng.standard_normal(practices) - practice_sd**2 / 2)[practice]
    mean = 5 * level[:, None] * passing
    mean[:, 1] *= np.where(referred, effect, 1.0)
    counts = rng.poisson(mean).astype(float)
    value = np.column_stack([np.zeros(2 * n), counts])
    return (
        WideOutcome(value=value, years=np.ones_like(value), windows=("placebo", "before", "after")),
        referred,
        practice,
    )


# Variance of u·e with E = 1: (1 + 1/2)(1 + 1/4) - 1; of the shared part alone: 1/2.
ARM = TwoPeriods(mean_first=5, mean_second=5, spread_first=0.875, spread_second=0.875, shared=0.5)


@pytest.mark.parametrize("practice_sd", [0.0, 0.2])
def test_simulation_and_formula_agree_in_the_simple_case(practice_sd):
    """The power of the package's own contrast in 1,000 simulated studies, and of the formula from its parameters.

    4 Monte-Carlo errors of a power of one half are 6.3 points; the delta method and an estimated standard error
    leave another point.
    """
    n, ratio, practices = 300, 0.8, 60
    person = ARM.person_variance(ratio=ratio)
    correlation = practice_sd**2 / (practice_sd**2 + person)
    error = two_period_error(
        ARM,
        ARM,
        n_referred=n,
        n_comparison=n,
        ratio=ratio,
        design=design_effect(n / practices, correlation) / (1 - correlation),
    )
    rng = np.random.default_rng(11)
    found = []
    for _ in range(1000):
        wide, referred, practice = simple_case(
            rng, n=n, ratio=ratio, practices=practices, practice_sd=practice_sd
        )
        value = contrast_rates(
            wide,
            referred,
            weight=np.ones(2 * n),
            clusters=practice,
            contrast="difference_in_differences",
            scale="ratio",
        )
        found.append((value.estimate, abs(value.estimate) > 1.96 * value.std_error))
    estimates, rejected = np.array(found).T
    assert np.std(estimates) == pytest.approx(error, rel=0.09)  # 4 errors of a spread over 1,000
    assert rejected.mean() == pytest.approx(power_of(ratio, error), abs=0.073)


def test_power_with_few_clusters_is_that_of_a_t_test():
    """By simulation of t tests with 9 degrees of freedom: 4 Monte-Carlo errors of 100,000 are 0.6 points."""
    rng = np.random.default_rng(2)
    error, ratio, df = 0.1, 0.75, 9
    estimate = math.log(ratio) + error * rng.standard_normal(100_000)
    found = error * np.sqrt(rng.chisquare(df, 100_000) / df)
    from scipy.stats import t

    power = (np.abs(estimate) / found > t.ppf(0.975, df)).mean()
    assert power_of(ratio, error, df=df) == pytest.approx(power, abs=0.0065)
    assert power_of(detectable_ratio(error, 0.8, df=df), error, df=df) == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize("n", [100, 1000])
def test_the_monte_carlo_interval_covers_the_power(n):
    """Exact coverage: every outcome of n simulated studies, weighted with its chance, for powers from 5 % to 95 %."""
    limits = np.array([wilson(k, n) for k in range(n + 1)])
    coverage = []
    for power in np.linspace(0.05, 0.95, 91):
        covered = (limits[:, 0] <= power) & (power <= limits[:, 1])
        coverage.append(binom.pmf(np.arange(n + 1), n, power)[covered].sum())
    assert np.mean(coverage) == pytest.approx(0.95, abs=0.005)
    assert min(coverage) > 0.92


def test_crossing_and_size():
    assert math.isnan(crossing(np.array([1.0, 0.9]), np.array([0.05, 0.3]), 0.8))
    ratios = np.array([1.0, 0.9, 0.8, 0.7, 0.6])
    power = np.array([power_of(ratio, 0.1) for ratio in ratios])
    # The curve is straight on this scale but for its curvature between points 10 % apart.
    assert crossing(ratios, power, 0.8) == pytest.approx(detectable_ratio(0.1, 0.8), abs=0.006)
    assert math.isnan(needed_size(np.array([10.0, 20.0]), np.array([0.03, 0.025]), 0.02))
    assert needed_size(np.array([10.0, 20.0, 40.0]), np.array([0.05, 0.03, 0.02]), 0.015) == pytest.approx(80)


# The simulation


@pytest.fixture(scope="module")
def job() -> Job:
    study = planned()
    return Job(
        study=study,
        planned=planned_study(study, planned_part(study), referrals=16),
        ratios=(1.0, 0.8),
        practice_sd=0.0,
    )


def test_drawn_persons_are_as_planned(job):
    drawn = draw_planned(np.random.default_rng(1), job.planned)
    assert drawn.referred.sum() == 5 * 16
    assert (np.bincount(drawn.practice[drawn.referred]) == 16).all()
    assert drawn.referred.size == 5 * 16 * 20
    referred, others = drawn.counts["quarter-1"][drawn.referred], drawn.counts["quarter-1"][~drawn.referred]
    assert referred.mean() > 2 * others.mean(), "who is referred is on a peak"
    parts = sum(drawn.counts[f"quarter-{back}"] for back in range(1, 5))
    assert (parts == drawn.counts["before"]).all(), "windows that overlap share their contacts"
    lost = drawn.observed["after"] < 12
    assert lost.mean() == pytest.approx(0.05, abs=0.02)
    assert (drawn.counts["after"][drawn.observed["after"] == 0] == 0).all()
    assert (drawn.age_months >= 12 * 18).all()


def test_windows_in_months():
    blocks = month_blocks(planned().windows)
    assert blocks["placebo"] == (-24, -12)
    assert blocks["after"] == (1, 13)
    assert blocks["quarter-1"] == (-3, 0)
    assert blocks["year-3"] == (-36, -24)


def test_a_simulated_study_is_estimated_as_the_package_does(job):
    seed = np.random.SeedSequence(4)
    found = simulate_one(job, seed)
    matched = simulated_match(job, np.random.default_rng(seed))
    for k, cluster in enumerate(("set", "practice")):
        table = matched_effects(
            matched, job.study, outcome="gp_contacts", contrasts=("against_earlier_year",), cluster=cluster
        ).to_frame()
        rows = table[table["scale"] == "ratio"]
        assert np.exp(found[0, :, k, 0]) == pytest.approx(rows["estimate"].to_numpy())
        assert found[0, :, k, 1] == pytest.approx(rows["std_error"].to_numpy())
        assert np.exp(found[0, :, k, 2]) == pytest.approx(rows["conf_low"].to_numpy())
        assert np.exp(found[0, :, k, 3]) == pytest.approx(rows["conf_high"].to_numpy())


def test_the_same_seed_gives_the_same_studies_however_many_share_the_work(job):
    told = []
    alone = simulate_many(job, studies=7, seed=3, workers=1, progress=told.append)
    shared = simulate_many(job, studies=7, seed=3, workers=2)
    np.testing.assert_array_equal(alone, shared)
    assert told == [5, 7]
    assert not np.array_equal(alone, simulate_many(job, studies=7, seed=4, workers=1))


def test_the_tables_of_a_planned_study():
    tables = planned_run().tables
    power = tables["power"]
    assert len(power) == 2 * 3 * 3 * 2  # sizes, ratios with 1, bands with all, errors
    assert (power["n_studies"] == 40).all()
    assert ((power["conf_low"] <= power["power"]) & (power["power"] <= power["conf_high"])).all()
    everyone = power[(power["age_band"] == "all") & power["planned"] & (power["size"] == 16)]
    assert everyone["power"].is_monotonic_increasing
    assert everyone["power"].iloc[-1] > 0.5
    # With no effect: 5 %, give or take 4 Monte-Carlo errors of 40 studies.
    assert everyone["power"].iloc[0] <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 40)
    # The estimates are centred on the truth: 4 errors of a mean over 40 studies of this spread.
    bias = np.log(everyone["mean_ratio"] / everyone["ratio"])
    assert (bias.abs() < 4 * everyone["spread"] / math.sqrt(40) + 0.03).all()
    detectable = tables["power_detectable"]
    assert set(detectable["age_band"]) == {"18-64", "65+", "all"}
    assert (detectable["closed_form"] < 1).all()
    needed = tables["power_needed"]
    in_reach = needed[needed["reachable"]]
    assert (in_reach["months"] - 12 * in_reach["referrals_per_practice"] / 16).abs().max() < 1
    assert set(tables["power_inputs"]["input"]) >= {"practices", "loss", "practice_correlation"}


def test_larger_correlation_within_practices_lowers_the_closed_form():
    low = two_period_error(ARM, ARM, n_referred=500, n_comparison=1500, design=design_effect(25, 0.0))
    high = two_period_error(ARM, ARM, n_referred=500, n_comparison=1500, design=design_effect(25, 0.05))
    assert power_of(0.8, high) < power_of(0.8, low)


def test_counts_of_the_closed_form_are_negative_binomial():
    """A special case with known moments: NB counts have variance m + φ m²."""
    counts = nbinom.rvs(n=2, p=2 / (2 + 5), size=200_000, random_state=1).astype(float)
    assert two_periods(counts, counts[::-1]).spread_first == pytest.approx(0.5, abs=0.02)


# Refusals


def test_a_plan_that_cannot_be_planned_for_says_all_that_it_lacks():
    with pytest.raises(StudyError, match="cannot be calculated") as caught:
        planned_part(read_study(asset("analyses", "before_after.toml")))
    said = " ".join(caught.value.problems)
    assert "a [power] part is needed" in said
    assert "a [design] is needed" in said
    assert "contrast before_after of the headline has no comparison persons" in said


def test_a_design_on_what_is_not_simulated_is_refused():
    content = planned_content()
    content["design"]["covariates"] = ["age", "income_quintile"]
    content["cohort"]["bands"] = [18, 60]
    with pytest.raises(StudyError) as caught:
        planned_part(planned(content))
    assert list(caught.value.problems) == [
        "the design uses what is not simulated: income_quintile",
        "cohort.bands must have a limit at 65: older_share is that of 65 and over",
    ]


def test_inputs_without_a_source_and_impossible_ones_are_refused():
    content = planned_content()
    del content["power"]["loss"]["source"]
    with pytest.raises(StudyError) as caught:
        study_plan(content)
    assert any(problem.startswith("power.loss.source") for problem in caught.value.problems)
    content = planned_content()
    content["power"]["sizes"] = [20, 10]
    content["power"]["practices"]["value"] = 1
    with pytest.raises(StudyError) as caught:
        study_plan(content)
    said = " ".join(caught.value.problems)
    assert "sizes must rise" in said
    assert "practices: two or more are needed" in said
    assert "sizes must hold the planned referrals per practice: 16" in said


def test_power_is_that_of_a_study_of_effects():
    with pytest.raises(StudyError, match="kind published_evidence"):
        power_study(read_study(asset("analyses", "published_evidence.toml")))
