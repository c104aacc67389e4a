"""What becomes of a referral: referrer and reason, the steps to the end with the time between, and who leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wor_eval.cohort.registered import UNKNOWN, Registered
from wor_eval.effects.proportions import wilson
from wor_eval.effects.reach import ALL
from wor_eval.plan_parts import group_names
from wor_eval.reach_plan import Reach

if TYPE_CHECKING:
    import pandas as pd

STEPS = ("referred", "intake", "started", "completed")
_DAYS = {"referred": "referred_on", "intake": "intake_on", "started": "started_on", "completed": "ended_on"}


def sources(population: Registered) -> pd.DataFrame:
    """Count referrals by referrer and by reason.

    Returns
    -------
    DataFrame
        ``dimension, level, n_referred, referrals, share``; what was not given is ``unknown``.
    """
    import pandas as pd

    parts = []
    for name in ("referrer", "reason"):
        given = population.referrals.assign(level=population.referrals[name].fillna(UNKNOWN))
        made = given.groupby("level")["person_id"].agg(["nunique", "size"]).reset_index()
        made = made.sort_values(["size", "level"], ascending=[False, True])
        parts.append(
            pd.DataFrame(
                {
                    "dimension": name,
                    "level": made["level"].to_numpy(),
                    "n_referred": made["nunique"].to_numpy(),
                    "referrals": made["size"].to_numpy(),
                    "share": (made["size"] / len(given)).to_numpy(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def followed(population: Registered, days: int) -> pd.DataFrame:
    """Give the referrals that were in the data for so many days at the end of the data."""
    import pandas as pd

    referrals = population.referrals
    return referrals[referrals["referred_on"] + pd.Timedelta(days=days) <= pd.Timestamp(population.last_on)]


def reached(referrals: pd.DataFrame, step: str, *, within: int) -> pd.Series[bool]:
    """Tell which referrals reached a step within so many days."""
    if step == "referred":
        return referrals["referred_on"].notna()
    days = (referrals[_DAYS[step]] - referrals["referred_on"]).dt.days
    there = days.notna() & (days <= within)
    return there & (referrals["outcome"] == "completed") if step == "completed" else there


def steps(population: Registered, plan: Reach) -> pd.DataFrame:
    """Follow referrals to intake, activity and end, by age band.

    Only referrals followed for ``steps_days`` count, and only what came within those days.

    Returns
    -------
    DataFrame
        ``age_band, step, n_reached, n_lost, share, conf_low, conf_high, days_p25, days_median, days_p75``: the share
        is of all referrals (Wilson interval); the days are those from the step before.
    """
    import pandas as pd

    whole = followed(population, plan.steps_days)
    rows: list[dict[str, Any]] = []
    for band in (*group_names(plan.bands), ALL):
        part = whole if band == ALL else whole[whole["age_band"] == band]
        before = None
        for step in STEPS:
            here = reached(part, step, within=plan.steps_days)
            here = here if before is None else here & before[1]
            share, low, high = wilson([here.sum()], [max(len(part), 1)])
            lost = 0 if before is None else int(before[1].sum() - here.sum())
            quartiles = _days_between(part[here], before[0] if before else None, step)
            rows.append(
                {
                    "age_band": band, "step": step, "n_reached": int(here.sum()), "n_lost": lost,
                    "share": share[0], "conf_low": low[0], "conf_high": high[0], **quartiles,
                }
            )  # fmt: skip
            before = (step, here)
    return pd.DataFrame(rows)


def _days_between(part: pd.DataFrame, earlier: str | None, step: str) -> dict[str, float]:
    names = ("days_p25", "days_median", "days_p75")
    if earlier is None or part.empty:
        return dict.fromkeys(names, np.nan)
    days = (part[_DAYS[step]] - part[_DAYS[earlier]]).dt.days
    return dict(zip(names, days.quantile([0.25, 0.5, 0.75]).to_numpy(), strict=True))


def departures(population: Registered, plan: Reach) -> pd.DataFrame:
    """Count referrals that did not end completed, by where they stopped and why.

    Returns
    -------
    DataFrame
        ``stage, outcome, n_referrals, share``: the share is of all referrals followed for ``steps_days``.
    """
    whole = followed(population, plan.steps_days)
    left = whole[~reached(whole, "completed", within=plan.steps_days)]
    stage = np.select(
        [left["intake_on"].isna(), left["started_on"].isna()],
        ["before_intake", "before_activity"],
        "in_activity",
    )
    late = left["outcome"] == "completed"
    outcome = left["outcome"].fillna(UNKNOWN).mask(late, "completed_later")
    made = left.assign(stage=stage, outcome=outcome).groupby(["stage", "outcome"]).size()
    frame = made.rename("n_referrals").reset_index()
    order = {"before_intake": 0, "before_activity": 1, "in_activity": 2}
    frame = frame.sort_values(
        ["stage", "n_referrals"], key=lambda c: c.map(order) if c.name == "stage" else -c
    )
    return frame.assign(share=frame["n_referrals"] / max(len(whole), 1)).reset_index(drop=True)
