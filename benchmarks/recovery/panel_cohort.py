"""A cohort straight from the simulated panel, in blocks of months: fast enough for hundreds of studies."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from wor_eval.cohort.build import Cohort
from wor_eval.cohort.wide import DAYS_PER_YEAR
from wor_eval.data.panel import Panel

FIRST_YEAR = 2019
# Months from the month of the index date, first and last included; month 0 holds the index date itself.
BLOCKS = {
    "placebo": (-24, -13),
    "before": (-12, -1),
    "after": (1, 12),
    "quarter-1": (-3, -1),
    "quarter-2": (-6, -4),
    "quarter-3": (-9, -7),
    "quarter-4": (-12, -10),
    "year-2": (-24, -13),
    "year-3": (-36, -25),
}


def panel_cohort(panel: Panel, *, entries: int, seed: int) -> Cohort:
    """Give the cohort of a panel: the referred, and everybody else at drawn months until their own referral."""
    who, month, referred = _units(panel, entries=entries, seed=seed)
    age = (month - panel.birth[who]) / 12
    adult = age >= 18
    who, month, referred, age = who[adult], month[adult], referred[adult], age[adult]
    persons = pd.DataFrame(
        {
            "unit": np.arange(who.size),
            "person_id": who,
            "arm": np.where(referred, "referred", "comparison"),
            "index_on": (np.datetime64(f"{FIRST_YEAR}-01") + month).astype("datetime64[us]"),
            "practice_id": panel.practice[who],
            "sex": panel.sex[who],
            "age": age.astype(int),
            "age_band": np.where(age >= 65, "65+", "18-64"),
            "n_chronic": panel.n_chronic[who].astype(float),
        }
    )
    last = np.minimum(panel.last_month[who], np.where(referred, 10_000, _own_referral(panel, who) - 1))
    frames = [_window(panel, name, (who, month, panel.first_month[who], last)) for name in BLOCKS]
    outcomes = pd.concat(frames, ignore_index=True)
    outcomes = outcomes.astype({"outcome": "category", "window": "category"})
    empty = pd.DataFrame({"step": []})
    span = (date(FIRST_YEAR, 1, 1), date(FIRST_YEAR + 5, 12, 31))
    return Cohort(persons=persons, outcomes=outcomes, attrition=empty, observed=span)


def _own_referral(panel: Panel, who: np.ndarray) -> np.ndarray:
    own = panel.referral_month[who]
    return np.where(own < 0, 10_000, own)


def _units(panel: Panel, *, entries: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    case = np.flatnonzero(panel.referral_month >= 0)
    months = panel.referral_month[case]
    everybody = np.repeat(np.arange(panel.counts.shape[0]), entries)
    drawn = rng.choice(months, size=everybody.size)
    waiting = _own_referral(panel, everybody) > drawn
    who = np.concatenate([case, everybody[waiting]])
    month = np.concatenate([months, drawn[waiting]])
    referred = np.arange(who.size) < case.size
    fresh = ~pd.DataFrame({"who": who, "month": month}).duplicated().to_numpy()
    whole = (panel.first_month[who] <= month - 24) & (panel.last_month[who] >= month + 3)
    kept = fresh & whole
    return who[kept], month[kept], referred[kept]


def _window(panel: Panel, name: str, units: tuple[np.ndarray, ...]) -> pd.DataFrame:
    who, month, first_seen, last_seen = units
    first, last = BLOCKS[name]
    start = np.maximum(month + first, first_seen)
    stop = np.minimum(month + last, last_seen) + 1
    months = np.maximum(stop - start, 0)
    total = np.concatenate([np.zeros((panel.counts.shape[0], 1)), np.cumsum(panel.counts, axis=1)], axis=1)
    n = total.shape[1] - 1
    value = total[who, np.clip(stop, 0, n)] - total[who, np.clip(start, 0, n)]
    seen = months > 0
    return pd.DataFrame(
        {
            "unit": np.flatnonzero(seen),
            "outcome": "gp_contacts",
            "window": name,
            "value": value[seen],
            "observed_days": months[seen] * DAYS_PER_YEAR / 12,
        }
    )
