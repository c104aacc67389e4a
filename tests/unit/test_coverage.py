"""Days without data are not days without events: in dense tables they are refused or left out, sparse ones are kept."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from tests.unit.test_plan_outcomes import CARE, data, plan, tables
from wor_eval.cohort.build import build_cohort
from wor_eval.cohort.coverage import covered_days
from wor_eval.cohort.persons import observed_period
from wor_eval.errors import DesignError
from wor_eval.study import Study

YEAR = (date(2023, 1, 1), date(2023, 12, 31))


def lines(days: list[date], long: int = 0) -> ibis.Table:
    return ibis.memtable({"from_on": days, "to_on": [day + timedelta(days=long) for day in days]})


def spread(number: int) -> list[date]:
    """So many days, evenly over the year, both ends among them."""
    return [YEAR[0] + timedelta(days=int(day)) for day in np.linspace(0, 364, number).round()]


@pytest.mark.parametrize(
    ("number", "gap", "covered"),
    [
        (4000, 31, False),  # within a month nothing is concluded, however many events
        (4000, 32, True),
        (121, 60, False),  # 121 x 60 / 365 = 19.9 expected
        (122, 60, True),
        (1, 366, False),
        (20, 364, False),
        (20, 365, True),
    ],
)
def test_an_end_is_not_covered_when_twenty_events_were_to_be_expected_in_more_than_a_month(
    number: int, gap: int, covered: bool
) -> None:
    events = lines(spread(number) if number > 1 else [YEAR[1]])
    later = YEAR[1] + timedelta(days=gap)
    assert (covered_days(events, (YEAR[0], later))[1] == YEAR[1]) == covered
    if number > 1:
        earlier = YEAR[0] - timedelta(days=gap)
        assert (covered_days(events, (earlier, YEAR[1]))[0] == YEAR[0]) == covered


def test_a_line_covers_the_days_it_runs_over() -> None:
    annual = lines([YEAR[0]] * 50, long=364)
    assert covered_days(annual, (YEAR[0], date(2024, 1, 20))) == (YEAR[0], date(2024, 1, 20))
    assert covered_days(annual, (YEAR[0], date(2024, 12, 31))) == YEAR


def test_no_events_say_nothing_and_a_shorter_period_stands() -> None:
    assert covered_days(lines(spread(2)).limit(0), YEAR) == YEAR
    inside = (date(2023, 3, 1), date(2023, 9, 1))
    assert covered_days(lines(spread(365)), inside) == inside


def study(**cohort: Any) -> Study:
    return plan({**CARE, "payers": ["zvw"]}, cohort={"bands": [18, 65], **cohort})


def test_a_plan_that_observes_months_beyond_the_contacts_is_refused_with_the_number_of_days() -> None:
    on = pd.to_datetime(tables()["contacts"]["contact_on"])
    first, last = on.min().date(), on.max().date()
    near = study(observed_from=first - timedelta(days=31), observed_until=last + timedelta(days=31))
    assert observed_period(data(), near) == (first - timedelta(days=31), last + timedelta(days=31))
    with pytest.raises(DesignError, match=r"observed_until = .* lies 32 days after the last contact"):
        observed_period(data(), study(observed_until=last + timedelta(days=32)))
    with pytest.raises(DesignError, match=r"observed_from = .* lies 40 days before the first contact"):
        observed_period(data(), study(observed_from=first - timedelta(days=40)))


def after(outcomes: pd.DataFrame, outcome: str) -> pd.DataFrame:
    return outcomes[(outcomes["outcome"] == outcome) & (outcomes["window"] == "after")]


def test_days_that_the_cost_lines_do_not_cover_are_not_days_without_costs() -> None:
    """Claims that end 400 days before the contacts: no day after their last line counts, for costs alone."""
    costs = tables()["costs"]
    cut = pd.to_datetime(tables()["contacts"]["contact_on"]).max() - pd.Timedelta(days=400)
    late = costs[pd.to_datetime(costs["to_on"].fillna(costs["from_on"])) <= cut]
    whole, short = (build_cohort(data(costs=given), study()) for given in (costs, late))
    assert after(whole.outcomes, "gp_contacts").equals(after(short.outcomes, "gp_contacts"))

    index = short.persons.set_index("unit")["index_on"]
    end = pd.to_datetime(late["to_on"].fillna(late["from_on"])[late["payer"] == "zvw"]).max()
    seen = after(short.outcomes, "care").set_index("unit")["observed_days"]
    latest = (end - index.loc[seen.index]).dt.days - 30 + 1  # window after starts on day 30
    assert (seen <= latest).all()
    known = after(whole.outcomes, "care").set_index("unit")["observed_days"]
    assert seen.sum() < known.sum()
    expected = np.minimum(known, (end - index.loc[known.index]).dt.days - 30 + 1).clip(lower=0)
    assert seen.sum() == expected.sum()
