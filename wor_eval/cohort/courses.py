"""What a unit went through after its index date: every score of an instrument, deaths, contacts with the coach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wor_eval.cohort.measures import scored_answers
from wor_eval.cohort.wide import DAYS_PER_YEAR, Floats
from wor_eval.errors import DesignError
from wor_eval.study import Days, Outcome, Text

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.data.read import StudyData

_ANY = Text(nl="-", en="-")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreCourse:
    """The course of a score of n units over a horizon, read off day by day.

    Attributes
    ----------
    baseline : ndarray, shape (n,)
        Last score in the baseline window; missing without one.
    daily : ndarray, shape (n, horizon + 1)
        Score on each day from the index date: straight lines from the baseline through the later scores, the last
        one held; 0 from the day of death. Missing for units without a baseline, or not followed long enough.
    """

    baseline: Floats
    daily: Floats


def score_course(
    data: StudyData, units: pd.DataFrame, *, instrument: str, baseline: Days, until: int, horizon: int
) -> ScoreCourse:
    """Read the course of a score off the questionnaires of units.

    Parameters
    ----------
    data : StudyData
        The raw tables.
    units : DataFrame, n rows
        ``unit, person_id, index_on, last_on, died_on``.
    instrument : str
        Code of the instrument.
    baseline : (int, int)
        Days in which the baseline score lies; it stands on day 0.
    until : int
        Day at or after which the last score, or the death, must lie.
    horizon : int
        Last day.

    Returns
    -------
    ScoreCourse
        In the order of ``units``.
    """
    outcome = Outcome(
        name="course", label=_ANY, table="questionnaires", measure="mean_score", instrument=instrument
    )
    answers = scored_answers(data, units, outcome)
    died = death_days(units)
    place = {unit: row for row, unit in enumerate(units["unit"])}
    first, daily = np.full(len(units), np.nan), np.full((len(units), horizon + 1), np.nan)
    days = np.arange(horizon + 1)
    for unit, rows in answers.groupby("unit"):
        row = place[unit]
        day, value = rows["day"].to_numpy(), rows["value"].to_numpy(float)
        before = (day >= baseline[0]) & (day <= baseline[1])
        if not before.any():
            continue
        first[row] = value[before][-1]
        after = day > max(baseline[1], 0)
        last = day[after][-1] if after.any() else 0
        if max(last, 0) >= until or died[row] <= horizon:
            daily[row] = np.interp(days, [0, *day[after]], [first[row], *value[after]])
            daily[row, days >= died[row]] = 0.0
    return ScoreCourse(baseline=first, daily=daily)


def death_days(units: pd.DataFrame) -> Floats:
    """Give the day of death from the index date, infinite for those who did not die, shape (n,)."""
    import pandas as pd

    if "died_on" not in units.columns:
        return np.full(len(units), np.inf)
    day = (pd.to_datetime(units["died_on"]) - pd.to_datetime(units["index_on"])).dt.days
    return np.asarray(day.to_numpy(float, na_value=np.inf))


def alive_years(units: pd.DataFrame, *, horizon: int) -> Floats:
    """Give the years of a horizon of days that each unit lived, shape (n,)."""
    return np.asarray(np.clip(death_days(units), 0, horizon) / DAYS_PER_YEAR)


def coach_contacts(data: StudyData, units: pd.DataFrame) -> Floats:
    """Give the contacts of each referred unit with the coach in the trajectory that began on its index date.

    Returns
    -------
    ndarray, shape (n,)
        Missing where it was not written down, and for comparison units.

    Raises
    ------
    DesignError
        The referrals do not count contacts.
    """
    import pandas as pd

    table = data.tables["referrals"]
    if "n_coach_contacts" not in table.columns:
        raise DesignError(
            "economics.trajectory: hours_per_contact needs n_coach_contacts in table referrals; give hours alone"
        )
    frame = table.select("person_id", "referred_on", "n_coach_contacts").to_pandas()
    frame["index_on"] = pd.to_datetime(frame.pop("referred_on"))
    counted = frame.groupby(["person_id", "index_on"], as_index=False)["n_coach_contacts"].max()
    wanted = units[["person_id", "arm"]].assign(index_on=pd.to_datetime(units["index_on"]))
    found = wanted.merge(counted, on=["person_id", "index_on"], how="left")
    contacts = found["n_coach_contacts"].to_numpy(float, na_value=np.nan)
    return np.where(found["arm"].to_numpy() == "referred", contacts, np.nan)
