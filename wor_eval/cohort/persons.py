"""Units: one person at one index date, with what is known of them on that day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from wor_eval.cohort.attrition import Attrition
from wor_eval.cohort.coverage import covered_days
from wor_eval.cohort.entries import offered_entries, referred_entries, sampled_persons
from wor_eval.errors import DesignError
from wor_eval.study import Study, Text

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from wor_eval.data.read import StudyData

_REFERRALS = Text(nl="Verwijzingen in de onderzoeksperiode", en="Referrals in the study period")
_OFFERED = Text(
    nl="Personen (eerste verwijzing, of aangeboden instapdatum)",
    en="Persons (first referral, or offered an entry date)",
)
_NOT_YET = Text(nl="Nog niet verwezen op de indexdatum", en="Not yet referred at the index date")
_PRESENT = Text(
    nl="In leven en ingeschreven bij een praktijk op de indexdatum",
    en="Alive and registered with a practice at the index date",
)

_FAR_DAYS = 366
_FAR_BEFORE_DAYS = 5 * 366


def observed_period(data: StudyData, study: Study) -> tuple[date, date]:
    """Give the first and last day of observation: the plan's, or those of the dated contacts.

    Raises
    ------
    DesignError
        The plan states no period and there is no contact to take it from; or its period reaches so far beyond the
        dated contacts that days without data would count as days without contacts: see
        :func:`wor_eval.cohort.coverage.covered_days`.
    """
    import pandas as pd

    plan = study.cohort
    contacts = data.tables["contacts"]
    found = contacts.aggregate(first=contacts.contact_on.min(), last=contacts.contact_on.max()).to_pandas()
    first, last = pd.Timestamp(found.loc[0, "first"]), pd.Timestamp(found.loc[0, "last"])
    if plan.observed_from and plan.observed_until and (pd.isna(first) or not _counts_days(study)):
        return plan.observed_from, plan.observed_until
    if pd.isna(first):
        raise DesignError("table contacts is empty: state observed_from and observed_until in the plan")
    observed = plan.observed_from or first.date(), plan.observed_until or last.date()
    if _counts_days(study):
        _refuse_days_without_data(contacts, observed, (first.date(), last.date()))
    return observed


def _refuse_days_without_data(
    contacts: ir.Table, observed: tuple[date, date], found: tuple[date, date]
) -> None:
    """Refuse a period of observation that reaches beyond the contacts: in sparse data only when it does so by years."""
    dated = contacts.filter(contacts.recall_days.isnull())
    covered = covered_days(dated.select(from_on=dated.contact_on, to_on=dated.contact_on), observed)
    wrong = {
        f"cohort.observed_from = {observed[0]} lies {(found[0] - observed[0]).days} days before the first contact": (
            covered[0] > observed[0] or (found[0] - observed[0]).days > _FAR_BEFORE_DAYS
        ),
        f"cohort.observed_until = {observed[1]} lies {(observed[1] - found[1]).days} days after the last contact": (
            covered[1] < observed[1] or (observed[1] - found[1]).days > _FAR_DAYS
        ),
    }
    problems = [problem for problem, far in wrong.items() if far]
    if problems:
        raise DesignError(
            "days without data would count as days without contacts: state the days that table contacts covers, or "
            "leave observed_from and observed_until out, and the first and last contact count as such",
            problems=problems,
        )


def _counts_days(study: Study) -> bool:
    return any(o.table == "contacts" and o.exposure == "registration" for o in study.outcomes)


def enter(data: StudyData, study: Study, attrition: Attrition, *, shift_days: int = 0) -> pd.DataFrame:
    """Give the index dates of both arms, moved by some days: ``person_id, arm, index_on, first_referral``.

    Raises
    ------
    DesignError
        No referral lies in the study period.
    """
    import pandas as pd

    referrals = data.tables["referrals"].select("person_id", "referred_on").to_pandas()
    referrals["referred_on"] = pd.to_datetime(referrals["referred_on"])
    in_period = _in_period(referrals, study)
    attrition.add(_REFERRALS, in_period.assign(arm="referred"))
    referred = referred_entries(in_period).assign(arm="referred")
    referred["index_on"] += pd.Timedelta(days=shift_days)
    arms = [referred]
    if study.cohort.entries:
        everybody = data.tables["persons"].select("person_id").to_pandas()["person_id"].to_numpy()
        everybody = sampled_persons(everybody, share=study.cohort.offered_share, seed=study.seed)
        dates = referred["index_on"].to_numpy()
        offered = offered_entries(everybody, dates, entries=study.cohort.entries, seed=study.seed)
        arms.append(offered.assign(arm="comparison"))
    units = pd.concat(arms, ignore_index=True)
    attrition.add(_OFFERED, units)
    first = referrals.groupby("person_id")["referred_on"].min().rename("first_referral")
    return units.merge(first.reset_index(), on="person_id", how="left")


def _in_period(referrals: pd.DataFrame, study: Study) -> pd.DataFrame:
    plan = study.cohort
    inside = referrals["referred_on"].notna()
    if plan.referred_from:
        inside &= referrals["referred_on"].dt.date >= plan.referred_from
    if plan.referred_until:
        inside &= referrals["referred_on"].dt.date <= plan.referred_until
    if not inside.any():
        raise DesignError(
            f"none of the {len(referrals)} referrals lies in the study period: "
            "look at referred_from and referred_until in the plan"
        )
    return referrals[inside]


def describe(data: StudyData, units: pd.DataFrame, observed: tuple[date, date]) -> pd.DataFrame:
    """Add what is known of each unit at its index date, and ``last_on``, its last day of observation.

    A comparison person is observed until the day before their own referral, everybody until death or the end
    of the data.
    """
    import ibis
    import pandas as pd

    entered = ibis.memtable(units.reset_index(names="row"))
    entered = entered.mutate(index_on=entered.index_on.date())
    persons = data.tables["persons"]
    known = entered.left_join(persons, "person_id").drop("person_id_right")
    practice = _practice_at_index(data, entered)
    frame: pd.DataFrame = known.left_join(practice, "row").drop("row_right").order_by("row").to_pandas()
    for column in ("index_on", "died_on", "first_referral"):
        frame[column] = pd.to_datetime(frame[column])
    end = pd.Timestamp(observed[1])
    ahead = (frame["arm"] == "comparison") | (frame["first_referral"] > frame["index_on"])
    own_referral = frame["first_referral"].where(ahead) - pd.Timedelta(days=1)
    last = pd.concat([own_referral, frame["died_on"]], axis=1).min(axis=1)
    last = last.where(last < end, end)
    return frame.assign(last_on=last, age=_age(frame)).drop(columns=["row"])


def _practice_at_index(data: StudyData, entered: ir.Table) -> ir.Table:
    spells = data.tables["registrations"].select("person_id", "practice_id", "start_on", "end_on")
    at_index = entered.select("row", "person_id", "index_on").inner_join(spells, "person_id")
    present = (at_index.start_on <= at_index.index_on) & (
        at_index.end_on.isnull() | (at_index.end_on >= at_index.index_on)
    )
    at_index = at_index.filter(present)
    return at_index.group_by("row").aggregate(practice_id=at_index.practice_id.min())


def _age(frame: pd.DataFrame) -> pd.Series[Any]:
    """Completed years at the index date; an unknown month of birth counts as July."""
    month = frame["birth_month"].fillna(7).astype(int)
    not_yet = frame["index_on"].dt.month < month
    age: pd.Series[Any] = frame["index_on"].dt.year - frame["birth_year"].astype(int) - not_yet.astype(int)
    return age.astype(int)


def keep_present(units: pd.DataFrame, attrition: Attrition) -> pd.DataFrame:
    """Keep units that are not yet referred, alive and registered at their index date, and number them."""
    waiting = (units["arm"] == "referred") | ~(units["first_referral"] <= units["index_on"])
    units = units[waiting]
    attrition.add(_NOT_YET, units)
    alive = ~(units["died_on"] < units["index_on"])
    units = units[alive & units["practice_id"].notna()]
    attrition.add(_PRESENT, units)
    return units.assign(unit=range(len(units)))


def observation_periods(data: StudyData, observed: tuple[date, date]) -> ir.Table:
    """Give the spells in which each person was registered and alive: ``person_id, first_on, last_on``."""
    import ibis

    registrations = data.tables["registrations"]
    persons = data.tables["persons"].select("person_id", "died_on")
    spells = registrations.inner_join(persons, "person_id")
    first, last = ibis.date(observed[0].isoformat()), ibis.date(observed[1].isoformat())
    spells = spells.select(
        "person_id",
        first_on=ibis.greatest(spells.start_on, first),
        last_on=ibis.least(ibis.coalesce(spells.end_on, last), ibis.coalesce(spells.died_on, last), last),
    )
    return spells.filter(spells.first_on <= spells.last_on)


def unit_table(units: pd.DataFrame) -> ir.Table:
    """Give ``unit, person_id, index_on, last_on`` as a table that the engine can join."""
    import ibis
    import pyarrow as pa

    columns = ["unit", "person_id", "index_on", "last_on"]
    types = pa.schema(zip(columns, (pa.int64(), pa.string(), pa.date32(), pa.date32()), strict=True))
    return ibis.memtable(pa.Table.from_pandas(units[columns], schema=types, preserve_index=False, safe=False))
