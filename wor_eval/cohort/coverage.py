"""Which days of observation a table of dated events covers: days without data are not days without events."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ibis.expr.types as ir

SLACK_DAYS: Final = 31
"""Dates may be those of the month: so many days without an event at either end say nothing."""

EXPECTED_EVENTS: Final = 20
"""With so many events expected, none at all has a chance of 2 in a thousand million (Poisson): there are no data."""

_YEAR: Final = 365


def covered_days(events: ir.Table, observed: tuple[date, date]) -> tuple[date, date]:
    """Give the part of a period of observation that a table of events covers.

    An end of the period is not covered when more than :data:`SLACK_DAYS` lie between it and the nearest event while, at
    the pace of the year of data next to it, :data:`EXPECTED_EVENTS` or more would have come in these days. A sparse
    table, such as that of a small study, shows no such end and keeps its whole period.

    Parameters
    ----------
    events : ibis table
        ``from_on, to_on``: first and last day of each event.
    observed : tuple of date
        First and last day of observation.

    Returns
    -------
    tuple of date
        First and last day that the table covers; those of the period where the table does not show otherwise.

    Examples
    --------
    >>> import ibis
    >>> days = [date(2023, 1, 1) + timedelta(days=day) for day in range(365)]
    >>> events = ibis.memtable({"from_on": days, "to_on": days})
    >>> covered_days(events, (date(2023, 1, 1), date(2024, 3, 31)))
    (datetime.date(2023, 1, 1), datetime.date(2023, 12, 31))
    >>> covered_days(events.limit(5), (date(2023, 1, 1), date(2024, 3, 31)))
    (datetime.date(2023, 1, 1), datetime.date(2024, 3, 31))
    """
    import pandas as pd

    ends = events.aggregate(first=events.from_on.min(), last=events.to_on.max()).to_pandas().loc[0]
    if pd.isna(ends["first"]):
        return observed
    first, last = pd.Timestamp(ends["first"]).date(), pd.Timestamp(ends["last"]).date()
    start, end = observed
    year = timedelta(days=_YEAR - 1)
    if _empty((first - start).days, events, (first, first + year)):
        start = first
    if _empty((end - last).days, events, (last - year, last)):
        end = last
    return start, end


def _empty(gap: int, events: ir.Table, beside: tuple[date, date]) -> bool:
    """Tell whether so many days without an event are days without data, by the pace of the year beside them."""
    if gap <= SLACK_DAYS:
        return False
    import ibis

    first, last = (ibis.date(day.isoformat()) for day in beside)
    count = events.filter((events.to_on >= first) & (events.from_on <= last)).count().to_pyarrow().as_py()
    return bool(count * gap >= EXPECTED_EVENTS * _YEAR)
