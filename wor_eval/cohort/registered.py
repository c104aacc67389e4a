"""Who is registered where and when, as time at risk of being referred, and who is referred."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from wor_eval.errors import DesignError
from wor_eval.plan_parts import group_names

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from wor_eval.data.read import StudyData
    from wor_eval.reach_plan import Reach

UNKNOWN = "unknown"
"""A place or a quintile that the data do not give."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Registered:
    """The registered population of a study and those of them who were referred.

    Attributes
    ----------
    spans : tuple of (str, date, date)
        The quarters: name, first and last day.
    time : ibis table
        A row per person, registration and quarter: ``person_id, quarter, practice, municipality, income, sex, age,
        age_group, age_band, days``. ``days`` are those on which the person was registered, alive and old enough, in
        the quarter.
    referrals : DataFrame
        A row per referral in these quarters of somebody old enough, with the same columns on its day but ``days``,
        and ``referred_on, referrer, reason, intake_on, started_on, ended_on, outcome``; ``practice`` is missing where
        the person was not registered on that day.
    last_on : date
        Last day of the data.
    """

    spans: tuple[tuple[str, date, date], ...]
    time: ir.Table
    referrals: pd.DataFrame
    last_on: date

    def by(self, *keys: str) -> pd.DataFrame:
        """Sum the time by some columns: ``person_years`` and ``n_registered`` (persons)."""
        table = self.time.group_by(list(keys)) if keys else self.time
        summed = table.aggregate(
            person_years=self.time.days.sum() / 365.25, n_registered=self.time.person_id.nunique()
        )
        frame: pd.DataFrame = summed.order_by(list(keys)).to_pandas() if keys else summed.to_pandas()
        return frame


def quarters(first: date, last: date) -> tuple[tuple[str, date, date], ...]:
    """Give the whole calendar quarters within a period.

    Examples
    --------
    >>> from datetime import date
    >>> [name for name, _, _ in quarters(date(2023, 2, 1), date(2023, 12, 31))]
    ['2023-Q2', '2023-Q3', '2023-Q4']
    """
    found = []
    for year in range(first.year, last.year + 1):
        for quarter in range(1, 5):
            start = date(year, 3 * quarter - 2, 1)
            following = date(year + quarter // 4, 3 * quarter % 12 + 1, 1)
            if start >= first and following - timedelta(days=1) <= last:
                found.append((f"{year}-Q{quarter}", start, following - timedelta(days=1)))
    return tuple(found)


def registered_population(data: StudyData, plan: Reach) -> Registered:
    """Set out the registered population and the referrals by whole calendar quarter.

    The period runs from the first quarter with a referral to the last whole quarter of the data, or as the plan
    says. Age is that in completed years in the middle of the quarter, for the registered and the referred alike; an
    unknown month of birth counts as July. The municipality is that of the person, else of the practice.

    Raises
    ------
    DesignError
        No whole quarter with a referral, or nobody of these ages is registered.
    """
    first, last_on = _period(data, plan)
    last = min(plan.observed_until or last_on, last_on)
    spans = quarters(first, last)
    if not spans:
        raise DesignError(f"there is no whole calendar quarter between {first} and {last}")
    time = _time(data, plan, spans)
    referrals = _referrals(data, plan, spans)
    if referrals.empty:
        raise DesignError(f"nobody of {plan.age_groups[0]} or older is referred from {first} to {last}")
    if not time.count().to_pyarrow().as_py():
        raise DesignError(
            f"nobody of {plan.age_groups[0]} or older is registered from {first} to {last}: "
            "table registrations gives the denominators"
        )
    return Registered(spans=spans, time=time, referrals=referrals, last_on=last_on)


def _period(data: StudyData, plan: Reach) -> tuple[date, date]:
    """Give where the period starts (the plan, or the quarter of the first referral) and the last day of the data."""
    import pandas as pd

    referrals, registrations = data.tables["referrals"], data.tables["registrations"]
    found = referrals.aggregate(first=referrals.referred_on.min(), last=referrals.referred_on.max())
    given = found.to_pandas().loc[0]
    ends = [given["last"], registrations.end_on.max().to_pandas()]
    if "contacts" in data.tables:
        ends.append(data.tables["contacts"].contact_on.max().to_pandas())
    known = [pd.Timestamp(day).date() for day in ends if not pd.isna(day)]
    if pd.isna(given["first"]) or not known:
        raise DesignError("table referrals is empty: there is no reach to describe")
    start = pd.Timestamp(given["first"]).date()
    start = date(start.year, 3 * ((start.month - 1) // 3) + 1, 1)
    return plan.observed_from or start, max(known)


def _known(data: StudyData) -> ir.Table:
    """Give what is known of each registration: the person and the practice."""
    import ibis

    persons = data.tables["persons"].select(
        "person_id", "birth_year", "birth_month", "sex", "municipality_code", "died_on", "income_quintile"
    )
    spells = data.tables["registrations"].inner_join(persons, "person_id")
    if "practices" in data.tables:
        places = data.tables["practices"].select("practice_id", practice_municipality="municipality_code")
        spells = spells.left_join(places, "practice_id").drop("practice_id_right")
    else:
        spells = spells.mutate(practice_municipality=ibis.null("string"))
    unknown = ibis.literal(UNKNOWN)
    return spells.mutate(
        practice=spells.practice_id,
        municipality=ibis.coalesce(spells.municipality_code, spells.practice_municipality, unknown),
        income=ibis.coalesce(spells.income_quintile.cast("string"), unknown),
    )


def _span_table(spans: tuple[tuple[str, date, date], ...]) -> ir.Table:
    import ibis
    import pandas as pd

    rows = [(name, first, last, first + (last - first) / 2) for name, first, last in spans]
    frame = pd.DataFrame(rows, columns=["quarter", "span_first", "span_last", "middle"])
    for column in ("span_first", "span_last", "middle"):
        frame[column] = pd.to_datetime(frame[column])
    table = ibis.memtable(frame)
    return table.mutate(
        span_first=table.span_first.date(), span_last=table.span_last.date(), middle=table.middle.date()
    )


def _with_ages(table: ir.Table, plan: Reach) -> ir.Table:
    """Add age, age group and age band in the middle of the quarter; leave out who is too young."""
    import ibis

    month = ibis.coalesce(table.birth_month, 7)
    before_birthday = (table.middle.month() < month).cast("int64")
    aged = table.mutate(age=table.middle.year() - table.birth_year - before_birthday)
    aged = aged.filter(aged.age >= plan.age_groups[0])
    for column, limits in (("age_group", plan.age_groups), ("age_band", plan.bands)):
        names = list(zip(limits, group_names(limits), strict=True))
        grouped = ibis.cases(*[(aged.age >= low, name) for low, name in reversed(names)], else_=UNKNOWN)
        aged = aged.mutate(**{column: grouped})
    return aged


_ABOUT = ("person_id", "quarter", "practice", "municipality", "income", "sex", "age", "age_group", "age_band")


def _time(data: StudyData, plan: Reach, spans: tuple[tuple[str, date, date], ...]) -> ir.Table:
    import ibis

    spells = _known(data)
    last = ibis.date(spans[-1][2].isoformat())
    spells = spells.mutate(
        until=ibis.least(ibis.coalesce(spells.end_on, last), ibis.coalesce(spells.died_on, last), last)
    )
    crossed = spells.cross_join(_span_table(spans))
    first, until = (
        ibis.greatest(crossed.start_on, crossed.span_first),
        ibis.least(crossed.until, crossed.span_last),
    )
    crossed = crossed.mutate(days=until.delta(first, unit="day") + 1)
    return _with_ages(crossed.filter(crossed.days > 0), plan).select(*_ABOUT, "days")


def _referrals(data: StudyData, plan: Reach, spans: tuple[tuple[str, date, date], ...]) -> pd.DataFrame:
    """Give the referrals of the period with what is known of the person on that day."""
    import pandas as pd

    given = data.tables["referrals"].drop("n_coach_contacts")
    quarter = _span_table(spans)
    given = given.inner_join(
        quarter, [given.referred_on >= quarter.span_first, given.referred_on <= quarter.span_last]
    )
    persons = data.tables["persons"].select("person_id", "birth_year", "birth_month", "sex")
    aged = _with_ages(given.inner_join(persons, "person_id"), plan)
    known = _known(data).select("person_id", "practice", "municipality", "income", "start_on", "end_on")
    known = aged.select("person_id", "referred_on").inner_join(known, "person_id")
    here = (known.start_on <= known.referred_on) & (
        known.end_on.isnull() | (known.end_on >= known.referred_on)
    )
    place = known.filter(here).group_by(["person_id", "referred_on"])
    where = place.aggregate(
        practice=known.practice.min(), municipality=known.municipality.min(), income=known.income.min()
    )
    frame: pd.DataFrame = (
        aged.left_join(where, ["person_id", "referred_on"])
        .select(
            *_ABOUT, "referred_on", "referrer", "reason", "intake_on", "started_on", "ended_on", "outcome"
        )
        .order_by("person_id", "referred_on")
        .to_pandas()
    )
    for column in ("referred_on", "intake_on", "started_on", "ended_on"):
        frame[column] = pd.to_datetime(frame[column])
    return frame
