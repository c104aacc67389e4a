"""Contacts, psychosocial contacts and costs of each person by calendar year, over three whole years."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from wor_eval.attenders_plan import YEARS, FrequentAttenders
from wor_eval.cohort.cost_lines import costs_known, priced_costs
from wor_eval.errors import DesignError
from wor_eval.plan_parts import group_names

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd
    from numpy.typing import NDArray

    from wor_eval.data.read import StudyData


@dataclass(frozen=True, kw_only=True, slots=True)
class Yearly:
    """Persons registered throughout three calendar years.

    Attributes
    ----------
    years : tuple of int
        The years.
    persons : DataFrame
        ``person_id, sex, age, age_group, n_chronic, referred``: age in the middle of the first year; ``referred``
        whether before the end of the last year.
    contacts : ndarray, shape (n, 3)
        Contacts in each year.
    coded, psychosocial : ndarray, shape (n, 3)
        Contacts with a reason, and those with a psychosocial one; missing without column icpc.
    costs : ndarray, shape (n, 3)
        EUR in each year; missing where they are not known, or not in the plan or the data.
    n_left_out : int
        Persons old enough and registered in the first year, but not throughout all three.
    """

    years: tuple[int, ...]
    persons: pd.DataFrame
    contacts: NDArray[np.float64]
    coded: NDArray[np.float64]
    psychosocial: NDArray[np.float64]
    costs: NDArray[np.float64]
    n_left_out: int


def yearly_contacts(data: StudyData, plan: FrequentAttenders) -> Yearly:
    """Count contacts by calendar year of everybody registered and alive throughout three years.

    Raises
    ------
    DesignError
        The contacts do not cover three whole calendar years from the first, or nobody is registered throughout.
    """
    if "contacts" not in data.tables:
        raise DesignError(
            "frequent attenders are told by their contacts: table contacts is not among the data"
        )
    years = _years(data, plan)
    persons, left_out = _persons(data, plan, years)
    if persons.empty:
        raise DesignError(
            f"nobody of {plan.age_groups[0]} or older is registered throughout {years[0]} to {years[-1]}: "
            "look at start_on and end_on in table registrations"
        )
    contacts = data.tables["contacts"]
    contacts = contacts.filter(contacts.recall_days.isnull())
    if plan.kinds:
        contacts = contacts.filter(contacts.kind.isin(plan.kinds))
    dated = contacts.mutate(year=contacts.contact_on.year(), amount=contacts.n_contacts)
    social = dated.icpc.left(1).isin(plan.psychosocial) | dated.icpc.left(3).isin(plan.psychosocial)
    coded = dated.filter(dated.icpc.notnull())
    return Yearly(
        years=years,
        persons=persons,
        contacts=_by_year(dated, persons, years),
        coded=_by_year(coded, persons, years),
        psychosocial=_by_year(coded.filter(social), persons, years),
        costs=_costs(data, plan, persons, years),
        n_left_out=left_out,
    )


def _years(data: StudyData, plan: FrequentAttenders) -> tuple[int, ...]:
    """Give the three years, or refuse: the contacts tell which calendar years are whole."""
    import pandas as pd

    contacts = data.tables["contacts"]
    recorded = contacts.filter(contacts.recall_days.isnull())
    found = recorded.aggregate(first=recorded.contact_on.min(), last=recorded.contact_on.max()).to_pandas()
    first, last = (pd.Timestamp(found.loc[0, name]) for name in ("first", "last"))
    if pd.isna(first):
        raise DesignError(
            "table contacts holds no recorded contact: a count over a recall period names no year"
        )
    # a year without contacts in its first or last two weeks is not delivered whole
    starts = first.year if first <= pd.Timestamp(first.year, 1, 14) else first.year + 1
    ends = last.year if last >= pd.Timestamp(last.year, 12, 18) else last.year - 1
    chosen = plan.first_year or starts
    years = tuple(range(chosen, chosen + YEARS))
    if chosen < starts or years[-1] > ends:
        raise DesignError(
            f"persistence is followed over {YEARS} whole calendar years, {years[0]} to {years[-1]}; the recorded "
            f"contacts run from {first.date()} to {last.date()}: that is {max(ends - starts + 1, 0)} whole years"
        )
    return years


def _persons(data: StudyData, plan: FrequentAttenders, years: tuple[int, ...]) -> tuple[pd.DataFrame, int]:
    """Give the persons registered and alive on every day of the years, and how many are not but started."""
    import ibis

    first, last = date(years[0], 1, 1), date(years[-1], 12, 31)
    persons = data.tables["persons"]
    spells = data.tables["registrations"].inner_join(persons.select("person_id", "died_on"), "person_id")
    start, end = ibis.date(first.isoformat()), ibis.date(last.isoformat())
    until = ibis.least(ibis.coalesce(spells.end_on, end), ibis.coalesce(spells.died_on, end), end)
    days = spells.mutate(days=until.delta(ibis.greatest(spells.start_on, start), unit="day") + 1)
    days = days.filter(days.days > 0).group_by("person_id").aggregate(days=days.days.sum())
    referrals = data.tables["referrals"]
    treated = referrals.filter(referrals.referred_on <= end).select("person_id").distinct()
    known = persons.inner_join(days, "person_id").left_join(treated.mutate(referred=True), "person_id")
    frame = known.select(
        "person_id", "sex", "birth_year", "birth_month", "n_chronic", "days", "referred"
    ).to_pandas()
    birth_month = frame["birth_month"].fillna(7).astype(int)
    frame["age"] = years[0] - frame["birth_year"].astype(int) - (birth_month > 7).astype(int)
    frame = frame[frame["age"] >= plan.age_groups[0]].sort_values("person_id", ignore_index=True)
    whole = frame["days"] >= (last - first).days + 1
    left_out = int((~whole).sum())
    frame = frame[whole].reset_index(drop=True)
    place = np.searchsorted(plan.age_groups, frame["age"], side="right") - 1
    frame["age_group"] = np.array(group_names(plan.age_groups), dtype=object)[place]
    frame["referred"] = frame["referred"].notna()
    return frame[["person_id", "sex", "age", "age_group", "n_chronic", "referred"]], left_out


def _by_year(rows: ir.Table, persons: pd.DataFrame, years: tuple[int, ...]) -> NDArray[np.float64]:
    """Sum amounts by person and year: shape (persons, years), 0 where there is no row."""
    rows = rows.filter(rows.year.isin(years))
    summed = rows.group_by("person_id", "year").aggregate(amount=rows.amount.sum()).to_pandas()
    wide = summed.pivot(index="person_id", columns="year", values="amount")
    wide = wide.reindex(index=persons["person_id"], columns=list(years)).fillna(0)
    found: NDArray[np.float64] = wide.to_numpy(float)
    return found


def _costs(
    data: StudyData, plan: FrequentAttenders, persons: pd.DataFrame, years: tuple[int, ...]
) -> NDArray[np.float64]:
    """Sum costs by person and year at the price year of the plan; missing where they are not known."""
    if plan.costs is None or "costs" not in data.tables:
        return np.full((len(persons), len(years)), np.nan)
    lines = priced_costs(data.tables["costs"], price_year=plan.costs.price_year)
    lines = lines.filter(lines.payer.isin(plan.costs.payers))
    summed = _by_year(lines.mutate(year=lines.from_on.year()), persons, years)
    if "municipalities" in data.tables:
        known = costs_known(data.tables["persons"], data.tables["municipalities"], payers=plan.costs.payers)
        there = set(known.filter(known.known).select("person_id").to_pandas()["person_id"])
        summed[~persons["person_id"].isin(there).to_numpy()] = np.nan
    return summed
