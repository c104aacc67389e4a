"""What counts for an outcome: which contacts, which costs at which prices, which answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from wor_eval.cohort.as_planned import delivered_scores, priced_contacts
from wor_eval.cohort.cost_lines import costs_known, priced_costs
from wor_eval.cohort.coverage import covered_days
from wor_eval.cohort.wide import DAYS_PER_YEAR
from wor_eval.errors import DesignError
from wor_eval.study import Days, Outcome

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from wor_eval.cohort.wide import Floats
    from wor_eval.data.read import StudyData


def dated_events(data: StudyData, outcome: Outcome, *, persons: ir.Table | None = None) -> ir.Table:
    """Give the dated events of an outcome: ``person_id, event_on, amount``.

    Contacts count as many as the row stands for; costs are in EUR at the price year of the plan, credits netted, on
    the first day of the line. With ``persons`` (``person_id``) the costs of others are not looked at.

    Raises
    ------
    DesignError
        The table of the outcome is not among the data.
    """
    if outcome.table == "costs":
        # Credits net within person, payer and category: choosing first leaves every sum as it is.
        lines = _table(data, outcome)
        if outcome.payers:
            lines = lines.filter(lines.payer.isin(outcome.payers))
        if outcome.categories:
            lines = lines.filter(lines.category.isin(outcome.categories))
        if persons is not None:
            lines = lines.semi_join(persons, "person_id")
        lines = priced_costs(lines, price_year=outcome.price_year or 0)
        return lines.select("person_id", event_on=lines.from_on, amount=lines.amount)
    contacts = _contacts(data, outcome)
    return contacts.filter(contacts.recall_days.isnull()).drop("recall_days")


def recalled_contacts(data: StudyData, outcome: Outcome) -> ir.Table:
    """Give the self-reported counts of an outcome: ``person_id, event_on, amount, recall_days``."""
    contacts = _contacts(data, outcome)
    return contacts.filter(contacts.recall_days.notnull())


def _table(data: StudyData, outcome: Outcome) -> ir.Table:
    if outcome.table not in data.tables:
        raise DesignError(f"outcome {outcome.name} needs table {outcome.table}, which is not among the data")
    return data.tables[outcome.table]


def _contacts(data: StudyData, outcome: Outcome) -> ir.Table:
    """Give the contacts of an outcome; for costs, the price of each instead of its number."""
    table = _table(data, outcome)
    if outcome.kinds:
        table = table.filter(table.kind.isin(outcome.kinds))
    if outcome.icpc:
        table = table.filter(table.icpc.left(3).isin(outcome.icpc))
    if outcome.prices:
        table = priced_contacts(table, outcome)
    return table.select(
        "person_id", event_on=table.contact_on, amount=table.n_contacts, recall_days=table.recall_days
    )


def known_periods(data: StudyData, periods: ir.Table, outcome: Outcome) -> ir.Table:
    """Leave out the time in which costs are not known.

    That is the time of persons in a municipality that delivers no Wmo data, and the days before and after those that
    the lines of these payers cover (:func:`wor_eval.cohort.coverage.covered_days`): claims often come later than
    contacts.

    Parameters
    ----------
    data : StudyData
        The raw tables.
    periods : ibis table
        ``person_id, first_on, last_on``.
    outcome : Outcome
        Costs of which payers; without payers, all of them.

    Returns
    -------
    ibis table
        The periods in which the outcome is observed: missing is not zero.
    """
    if outcome.table != "costs":
        return periods
    periods = _within(periods, _covering(data, outcome))
    if "municipalities" not in data.tables:
        return periods
    payers = outcome.payers or ("zvw", "wmo", "wlz", "own")
    known = costs_known(data.tables["persons"], data.tables["municipalities"], payers=payers)
    return periods.semi_join(known.filter(known.known), "person_id")


def _covering(data: StudyData, outcome: Outcome) -> ir.Table:
    """Give the days of the cost lines of an outcome's payers, of whatever category and whichever person."""
    lines = _table(data, outcome)
    if outcome.payers:
        lines = lines.filter(lines.payer.isin(outcome.payers))
    return lines.select("from_on", to_on=lines.to_on.fill_null(lines.from_on))


def _within(periods: ir.Table, lines: ir.Table) -> ir.Table:
    """Cut periods of observation down to the days that the lines cover."""
    import ibis
    import pandas as pd

    ends = periods.aggregate(first=periods.first_on.min(), last=periods.last_on.max()).to_pandas().loc[0]
    if pd.isna(ends["first"]):
        return periods
    observed = pd.Timestamp(ends["first"]).date(), pd.Timestamp(ends["last"]).date()
    covered = covered_days(lines, observed)
    if covered == observed:
        return periods
    first, last = (ibis.date(day.isoformat()) for day in covered)
    cut = periods.mutate(
        first_on=ibis.greatest(periods.first_on, first), last_on=ibis.least(periods.last_on, last)
    )
    return cut.filter(cut.first_on <= cut.last_on)


def last_scores(
    data: StudyData, units: pd.DataFrame, outcome: Outcome, windows: Mapping[str, Days]
) -> pd.DataFrame:
    """Give the last score of each unit in each window; a score counts as one year of observation.

    Questionnaires are few, so they are scored here and not in the engine.

    Returns
    -------
    DataFrame
        ``unit, outcome, window, value, observed_days``; a weighted rate of such rows is a weighted mean score.

    Raises
    ------
    StudyError
        The instrument is not known.
    DataError
        Answers outside the range of the instrument.
    """
    import pandas as pd

    joined = scored_answers(data, units, outcome)
    day = joined["day"]
    found = []
    for name, (first, last) in windows.items():
        inside = joined[(day >= first) & (day <= last)].sort_values(["unit", "answered_on"], kind="stable")
        found.append(inside.groupby("unit").tail(1)[["unit", "value"]].assign(window=name))
    frame = pd.concat(found, ignore_index=True).sort_values(["unit", "window"], ignore_index=True)
    frame = frame.assign(outcome=outcome.name, observed_days=DAYS_PER_YEAR)
    return frame[["unit", "outcome", "window", "value", "observed_days"]]


def scored_answers(data: StudyData, units: pd.DataFrame, outcome: Outcome) -> pd.DataFrame:
    """Give every score of an instrument that lies within the observation of a unit, in order of time.

    Returns
    -------
    DataFrame
        ``unit, day, value, answered_on``: days from the index date, before it below zero.

    Raises
    ------
    StudyError
        The instrument is not known.
    DataError
        Answers outside the range of the instrument.
    """
    import pandas as pd

    table = _table(data, outcome)
    rows = table.filter(table.instrument == outcome.instrument)
    answers = rows.select("person_id", "answered_on", "score", "items").to_pandas()
    answers["value"] = _scores(answers, outcome)
    answers["answered_on"] = pd.to_datetime(answers["answered_on"])
    joined = units[["unit", "person_id", "index_on", "last_on"]].merge(answers, on="person_id")
    joined = joined[joined["value"].notna() & (joined["answered_on"] <= joined["last_on"])]
    joined = joined.assign(day=(joined["answered_on"] - joined["index_on"]).dt.days)
    joined = joined.sort_values(["unit", "answered_on"], kind="stable", ignore_index=True)
    return joined[["unit", "day", "value", "answered_on"]]


def _scores(answers: pd.DataFrame, outcome: Outcome) -> Floats:
    """Score the answers by item; a score that was delivered is checked and taken as it is."""
    return delivered_scores(answers, outcome).values
