"""The descriptive tables of a cohort against sums by hand."""

import dataclasses

import numpy as np
import pytest
import statsmodels.api as sm

from tests.small_cohort import YEAR, small_cohort, small_plan
from wor_eval.effects.describe import characteristics, describe_cohort, monthly, rates

N = 40
STUDY = small_plan(windows={"before": [-365, -1], "after": [30, 394], "months": [-1, 1]})


class Case:
    """Forty persons, half of them referred, seen for different numbers of days."""

    def __init__(self):
        rng = np.random.default_rng(4)
        self.age = rng.integers(20, 90, N)
        self.arm = np.repeat(["referred", "comparison"], N // 2)
        self.sex = np.where(rng.random(N) < 0.7, "F", "M")
        self.weight = rng.uniform(0, 2, N)
        self.weight[:3] = 0
        months = ("month-1", "month+0", "month+1")
        windows = ("before", "after", *months)
        self.days = {name: rng.integers(0, 31 if name in months else 366, N) for name in windows}
        self.counts = {name: rng.poisson(8 * days / YEAR) for name, days in self.days.items()}
        self.chronic = np.where(rng.random(N) < 0.2, np.nan, rng.integers(0, 4, N))
        cohort = small_cohort(self.counts, days=self.days, age=self.age, arm=self.arm, sex=self.sex)
        persons = cohort.persons.assign(
            n_chronic=self.chronic, days_before=self.days["before"], days_after=self.days["after"]
        )
        self.cohort = dataclasses.replace(cohort, persons=persons)

    def inside(self, arm, band):
        chosen = self.arm == arm
        return chosen if band == "all" else chosen & ((self.age >= 65) == (band == "65+"))


@pytest.fixture(scope="module")
def case():
    return Case()


@pytest.mark.parametrize("weighted", [False, True])
def test_rates_are_sums_over_persons_seen(case, weighted):
    weight = case.weight if weighted else np.ones(N)
    table = rates(case.cohort, STUDY, weight=case.weight if weighted else None)
    assert len(table) == 2 * 2 * 3
    for _, row in table.iterrows():
        seen = case.inside(row["arm"], row["age_band"]) & (case.days[row["window"]] > 0) & (weight > 0)
        events = (weight * case.counts[row["window"]])[seen]
        years = (weight * case.days[row["window"]])[seen].sum() / YEAR
        assert row["n_persons"] == seen.sum()
        assert row["events"] == pytest.approx(events.sum(), rel=1e-12)
        assert row["person_years"] == pytest.approx(years, rel=1e-12)
        assert row["rate"] == pytest.approx(events.sum() / years, rel=1e-12)
        assert row["largest_share"] == pytest.approx(events.max() / events.sum(), rel=1e-12)
    order = list(dict.fromkeys(zip(table["age_band"], table["window"], strict=True)))
    assert order == [(band, window) for band in ("18-64", "65+", "all") for window in ("before", "after")]


@pytest.mark.filterwarnings("ignore:The Identity link:statsmodels.tools.sm_exceptions.DomainWarning")
def test_the_monthly_interval_is_robust_by_person(case):
    table = monthly(case.cohort, STUDY)
    assert sorted(set(table["month"])) == [-1, 0, 1]
    for _, row in table.iterrows():
        window = f"month{row['month']:+d}"
        seen = case.inside(row["arm"], row["age_band"]) & (case.days[window] > 0)
        years = case.days[window][seen] / YEAR
        model = sm.GLM(
            case.counts[window][seen], years, family=sm.families.Poisson(sm.families.links.Identity())
        )
        start = [case.counts[window][seen].sum() / years.sum()]
        peer = model.fit(start_params=start, cov_type="HC0", tol=1e-12, tol_criterion="params")
        low, high = peer.conf_int()[0]
        assert row["rate"] == pytest.approx(peer.params[0], rel=1e-9, abs=1e-9)
        # A rate has no negative limit.
        assert row["conf_low"] == pytest.approx(max(low, 0), rel=1e-6, abs=1e-9)
        assert row["conf_high"] == pytest.approx(high, rel=1e-6)


def test_characteristics_are_those_of_the_referred(case):
    table = characteristics(case.cohort, STUDY).set_index(["variable", "level", "age_band"])
    for band in ("18-64", "65+", "all"):
        inside = case.inside("referred", band)
        assert table.loc[("persons", "persons", band), "n_persons"] == inside.sum()
        women = inside & (case.sex == "F")
        assert table.loc[("sex", "F", band), "n_persons"] == women.sum()
        assert table.loc[("sex", "F", band), "share"] == pytest.approx(women.sum() / inside.sum())
        age = table.loc[("age", "mean", band)]
        assert (age["mean"], age["std_dev"]) == pytest.approx(
            (case.age[inside].mean(), case.age[inside].std(ddof=1))
        )
        known = case.chronic[inside & ~np.isnan(case.chronic)]
        assert table.loc[("n_chronic", "mean", band), "n_persons"] == known.size
        assert table.loc[("n_chronic", "mean", band), "mean"] == pytest.approx(known.mean())
    assert list(dict.fromkeys(table.index.get_level_values("variable"))) == [
        "persons",
        "sex",
        "age",
        "n_chronic",
        "days_before",
        "days_after",
    ]


def test_a_level_that_a_band_lacks_is_told_as_zero(case):
    men_are_old = case.cohort.persons.assign(sex=np.where(case.age >= 65, "M", "F"))
    cohort = dataclasses.replace(case.cohort, persons=men_are_old)
    table = characteristics(cohort, STUDY).set_index(["variable", "level", "age_band"])
    assert table.loc[("sex", "M", "18-64"), ["n_persons", "share"]].tolist() == [0, 0]


def test_months_are_made_where_the_plan_has_them(case):
    assert set(describe_cohort(case.cohort, STUDY)) == {"attrition", "characteristics", "rates", "monthly"}
    assert "monthly" not in describe_cohort(case.cohort, small_plan())
