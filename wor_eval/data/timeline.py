"""Days of the synthetic study: when each person came, was referred, left or died, to the day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wor_eval.data.panel import Panel
from wor_eval.data.people import MONTHS, Bools, Ints

EFFECT_FROM = 30
"""Days from referral from which the effect holds in the tables (in the panel: the month after referral)."""

Days = npt.NDArray[np.int64]
Dates = npt.NDArray[np.datetime64]

MONTH_START: Days = (
    np.arange("2019-01", "2025-02", dtype="datetime64[M]").astype("datetime64[D]").astype("i8")
)
"""First day of months 0 to 72, in days from 1970-01-01."""

LAST_DAY = int(MONTH_START[MONTHS] - 1)
"""2024-12-31, the last day of the synthetic data."""

_ALL_DAYS = np.arange(MONTH_START[0], LAST_DAY + 1)
_WORKDAYS = _ALL_DAYS[np.is_busday(_ALL_DAYS.astype("datetime64[D]"))]
_FIRST_WORKDAY = np.searchsorted(_WORKDAYS, MONTH_START)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timeline:
    """Days of each person, in days from 1970-01-01; -1 is never.

    Parameters
    ----------
    first, last : array of int, shape (n,)
        First and last day in the synthetic data on which the person is registered and alive.
    died : array of int, shape (n,)
        Day of death.
    referred : array of int, shape (n,)
        Day of the referral.
    """

    first: Days
    last: Days
    died: Days
    referred: Days

    def share_after(self, person: Ints, start: Days, end: Days) -> npt.NDArray[np.float64]:
        """Give the share of the days ``start`` to ``end`` on which the effect holds for a person."""
        effect = self.referred[person] + EFFECT_FROM
        share = np.clip((end - np.maximum(start, effect) + 1) / (end - start + 1), 0.0, 1.0)
        return np.where(self.referred[person] >= 0, share, 0.0)


def draw_timeline(rng: np.random.Generator, panel: Panel) -> Timeline:
    """Draw the days of deaths and referrals within their months.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    panel : Panel
        The months.

    Returns
    -------
    Timeline
        Days of each person; referrals fall on working days.
    """
    died = np.where(panel.death_month >= 0, random_day(rng, panel.death_month), -1)
    last = np.where(died >= 0, died, MONTH_START[panel.last_month + 1] - 1)
    referred = np.where(panel.referred, random_workday(rng, panel.referral_month), -1)
    return Timeline(first=MONTH_START[panel.first_month], last=last, died=died, referred=referred)


def random_day(rng: np.random.Generator, month: Ints) -> Days:
    """Draw a day in each month."""
    length = MONTH_START[month + 1] - MONTH_START[month]
    return MONTH_START[month] + (rng.random(month.size) * length).astype(np.int64)


def random_workday(rng: np.random.Generator, month: Ints) -> Days:
    """Draw a day from Monday to Friday in each month (public holidays are not left out)."""
    first = _FIRST_WORKDAY[month]
    count = _FIRST_WORKDAY[month + 1] - first
    return _WORKDAYS[
        np.minimum(first + (rng.random(month.size) * count).astype(np.int64), _WORKDAYS.size - 1)
    ]


def as_dates(days: Days, *, present: Bools | None = None) -> Dates:
    """Give days from 1970-01-01 as dates, not-a-time where not ``present`` (default: where negative)."""
    dates = days.astype("datetime64[D]").astype("datetime64[us]")
    dates[days < 0 if present is None else ~present] = np.datetime64("NaT", "us")
    return dates
