"""Tables of the synthetic study on who and where: persons, registrations, practices, municipalities, referrals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wor_eval.data.panel import Panel
from wor_eval.data.people import Floats, Ints
from wor_eval.data.timeline import LAST_DAY, MONTH_START, Days, Timeline, as_dates

if TYPE_CHECKING:
    import pandas as pd

MUNICIPALITIES = 8
"""Municipalities of the study. Free."""

WITHOUT_WMO = 2
"""Municipalities that deliver no Wmo data. Free."""

EARLIEST_START = -300
"""Earliest start of a registration, in months from 2019-01. Free."""

SECOND_REFERRAL = 0.05
"""Share of the referred who are referred once more, 200 to 400 days later. Free."""

_REFERRERS = ("gp", "practice_nurse", "psychologist", "physiotherapist", "social_work", "other")
_REFERRER_SHARES = (0.45, 0.35, 0.05, 0.05, 0.07, 0.03)
_REASONS = (
    "loneliness",
    "low_mood",
    "stress",
    "unexplained_complaints",
    "life_event",
    "inactivity",
    "other",
    None,
)
_REASON_SHARES = (0.30, 0.20, 0.14, 0.12, 0.10, 0.06, 0.05, 0.03)


def person_ids(panel: Panel) -> npt.NDArray[np.object_]:
    """Give the id of each person, an array of str of shape (n,)."""
    width = max(6, len(str(panel.n)))
    return np.array([f"P{number:0{width}d}" for number in range(1, panel.n + 1)], dtype=object)


def practice_ids(panel: Panel) -> npt.NDArray[np.object_]:
    """Give the id of each practice, an array of str of shape (practices,)."""
    return np.array([f"H{number:04d}" for number in range(1, panel.wor_from.size + 1)], dtype=object)


def municipality_of(panel: Panel) -> Ints:
    """Give the number of the municipality of each person, that of the first practice, shape (n,)."""
    return panel.practice % MUNICIPALITIES


def delivers_wmo() -> npt.NDArray[np.bool_]:
    """Tell for each municipality whether it delivers Wmo data, shape (8,)."""
    return np.arange(MUNICIPALITIES) < MUNICIPALITIES - WITHOUT_WMO


def people_tables(rng: np.random.Generator, panel: Panel, timeline: Timeline) -> dict[str, pd.DataFrame]:
    """Build the tables persons, registrations, practices and municipalities.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    panel : Panel
        The persons.
    timeline : Timeline
        Their days.

    Returns
    -------
    dict of DataFrame
        The four tables, as in the data dictionary.
    """
    return {
        "persons": _persons(panel, timeline),
        "registrations": _registrations(rng, panel, timeline),
        "practices": _practices(panel),
        "municipalities": _municipalities(),
    }


def _codes() -> npt.NDArray[np.object_]:
    return np.array([f"S{number:03d}" for number in range(1, MUNICIPALITIES + 1)], dtype=object)


def _persons(panel: Panel, timeline: Timeline) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "person_id": person_ids(panel),
            "birth_year": 2019 + panel.birth // 12,
            "birth_month": 1 + panel.birth % 12,
            "sex": panel.sex.astype(object),
            "municipality_code": _codes()[municipality_of(panel)],
            "died_on": as_dates(timeline.died),
            "n_chronic": panel.n_chronic,
            "income_quintile": panel.income_quintile,
        }
    )


def _registrations(rng: np.random.Generator, panel: Panel, timeline: Timeline) -> pd.DataFrame:
    """Build one row per person, and a second one for those who moved to another practice of the study."""
    import pandas as pd

    earliest = np.maximum(panel.birth + 1, EARLIEST_START)
    before = earliest + (rng.random(panel.n) * -earliest).astype(np.int64)
    epoch = np.datetime64("2019-01", "M")
    before_day = (epoch + before).astype("datetime64[D]").astype(np.int64)
    start = np.where(panel.first_month > 0, timeline.first, before_day)
    open_ended = (timeline.last == LAST_DAY) & (timeline.died < 0)
    moved = np.flatnonzero(panel.move_month >= 0)
    move_day = MONTH_START[panel.move_month[moved]]
    end, ended = timeline.last.copy(), ~open_ended
    end[moved], ended[moved] = move_day - 1, True
    row = np.concatenate((np.arange(panel.n), moved))
    order = np.argsort(row, kind="stable")
    practice = np.concatenate((panel.practice, panel.next_practice[moved]))
    end_on = as_dates(
        np.concatenate((end, timeline.last[moved])), present=np.concatenate((ended, ~open_ended[moved]))
    )
    return pd.DataFrame(
        {
            "person_id": person_ids(panel)[row[order]],
            "practice_id": practice_ids(panel)[practice[order]],
            "start_on": np.concatenate((start, move_day))
            .astype("datetime64[D]")
            .astype("datetime64[us]")[order],
            "end_on": end_on[order],
        }
    )


def _practices(panel: Panel) -> pd.DataFrame:
    import pandas as pd

    start = np.where(panel.wor_from >= 0, MONTH_START[panel.wor_from], -1)
    number = np.arange(panel.wor_from.size)
    return pd.DataFrame(
        {
            "practice_id": practice_ids(panel),
            "municipality_code": _codes()[number % MUNICIPALITIES],
            "wor_from": as_dates(start),
        }
    )


def _municipalities() -> pd.DataFrame:
    import pandas as pd

    names = [f"Voorbeeldgemeente {number}" for number in range(1, MUNICIPALITIES + 1)]
    return pd.DataFrame({"municipality_code": _codes(), "name": names, "wmo_delivered": delivers_wmo()})


def referral_table(rng: np.random.Generator, panel: Panel, timeline: Timeline) -> pd.DataFrame:
    """Build the table referrals. Shares, delays and outcomes are free parameters.

    Some of the referred come a second time. The effect in the synthetic study does not depend on how the
    trajectory went, so it is an effect of being referred.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    panel : Panel
        The persons.
    timeline : Timeline
        Their days.

    Returns
    -------
    DataFrame
        Table referrals, ordered by person and date.
    """
    import pandas as pd

    first = np.flatnonzero(panel.referred)
    again = first[rng.random(first.size) < SECOND_REFERRAL]
    later = timeline.referred[again] + rng.integers(200, 401, again.size)
    again, later = again[later < timeline.last[again]], later[later < timeline.last[again]]
    person = np.concatenate((first, again))
    day = np.concatenate((timeline.referred[first], later))
    order = np.lexsort((day, person))
    person, day = person[order], day[order]
    reason = rng.choice(np.array(_REASONS, dtype=object), person.size, p=_REASON_SHARES)
    frame = pd.DataFrame(
        {
            "person_id": person_ids(panel)[person],
            "referred_on": as_dates(day),
            "referrer": rng.choice(np.array(_REFERRERS, dtype=object), person.size, p=_REFERRER_SHARES),
            "reason": reason,
        }
    )
    return frame.assign(**_trajectory(rng, day, timeline.last[person]))


def _trajectory(rng: np.random.Generator, day: Days, last: Days) -> dict[str, object]:
    """Draw intake, start, end, outcome and number of contacts; nothing happens after the last day."""
    n = day.size
    intake = day + rng.integers(5, 36, n)
    start = intake + rng.integers(7, 43, n)
    end = start + rng.integers(60, 241, n)
    came = (rng.random(n) < 0.85) & (intake <= last)
    started = came & (rng.random(n) < 0.8) & (start <= last)
    ended = started & (end <= last)
    stopped = ended & (rng.random(n) < 0.2)
    outcome = np.where(rng.random(n) < 0.5, "no_show", "declined").astype(object)
    outcome[came] = np.where(rng.random(came.sum()) < 0.6, "dropped_out", "referred_elsewhere")
    outcome[started], outcome[ended] = "ongoing", "completed"
    outcome[stopped | (started & ~ended & (last < LAST_DAY))] = "dropped_out"
    contacts = came + rng.poisson(_mean_contacts(started, ended)) * came
    return {
        "intake_on": as_dates(intake, present=came),
        "started_on": as_dates(start, present=started),
        "ended_on": as_dates(end, present=ended),
        "outcome": outcome,
        "n_coach_contacts": contacts.astype(np.int64),
    }


def _mean_contacts(started: npt.NDArray[np.bool_], ended: npt.NDArray[np.bool_]) -> Floats:
    return 0.5 + 1.5 * started + 2.0 * ended
