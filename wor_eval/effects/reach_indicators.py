"""The indicators of monitoring, by area and quarter; what each means stands in data_dictionary/indicators/."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from wor_eval.cohort.registered import UNKNOWN, Registered
from wor_eval.effects.proportions import wilson
from wor_eval.effects.reach import ALL
from wor_eval.effects.reach_steps import reached
from wor_eval.effects.standardised import direct_rates
from wor_eval.plan_parts import group_names
from wor_eval.reach_plan import Reach

if TYPE_CHECKING:
    import pandas as pd

RATE: Final = "referral_rate"
PRACTICES: Final = "practices_referring"


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """An indicator that is a share of referrals: who counts in the denominator, and who in the numerator."""

    of: Callable[[pd.DataFrame], pd.Series[bool]]
    who: Callable[[pd.DataFrame], pd.Series[bool]]
    followed: int = 0


def shares(plan: Reach) -> Mapping[str, Share]:
    """Give the indicators that are a share of referrals, by name."""

    def everybody(referrals: pd.DataFrame) -> pd.Series[bool]:
        return referrals["referred_on"].notna()

    def within(step: str, days: int) -> Share:
        return Share(of=everybody, who=lambda r: reached(r, step, within=days), followed=days)

    oldest = group_names(plan.bands)[-1]
    return {
        "share_oldest": Share(of=everybody, who=lambda r: r["age_band"] == oldest),
        "share_women": Share(of=everybody, who=lambda r: r["sex"] == "F"),
        "share_lowest_income": Share(
            of=lambda r: r["income"].notna() & (r["income"] != UNKNOWN), who=lambda r: r["income"] == "1"
        ),
        "intake_in_time": within("intake", plan.intake_days),
        "activity_in_time": within("started", plan.activity_days),
        "completed_in_time": within("completed", plan.steps_days),
    }


def indicators(population: Registered, plan: Reach) -> pd.DataFrame:
    """Compute every indicator for all areas and by municipality, for each quarter.

    Returns
    -------
    DataFrame
        ``indicator, area, quarter, n_persons, n_rest, numerator, denominator, value, conf_low, conf_high, flag``.
        ``flag`` says why a value is missing: ``no_registered``, ``no_referrals``, or ``not_followed``: not every
        referral of that quarter was followed for as long as the indicator asks.
    """
    import pandas as pd

    everywhere = population.by("quarter").assign(area=ALL)
    places = population.by("municipality", "quarter").rename(columns={"municipality": "area"})
    time = pd.concat([everywhere, places]).set_index(["area", "quarter"])
    practices = _practices(population)
    counted = population.referrals.dropna(subset=["practice"])
    made = pd.concat([counted.assign(area=ALL), counted.assign(area=counted["municipality"])])
    groups = dict(tuple(made.groupby(["area", "quarter"])))
    rows = []
    for area in (ALL, *sorted(places["area"].unique())):
        for quarter, _, ends in population.spans:
            cell = (area, quarter)
            part = groups.get(cell, counted.iloc[:0])
            years = float(time["person_years"].get(cell, 0.0))
            about = {"area": area, "quarter": quarter}
            rows.append({"indicator": RATE, **about, **_rate(part, years, plan)})
            rows.append({"indicator": PRACTICES, **about, **_referring(part, practices.get(cell, 0))})
            seen = (population.last_on - ends).days
            rows += [
                {"indicator": name, **about, **_share(part, share, seen=seen)}
                for name, share in shares(plan).items()
            ]
    return pd.DataFrame(rows)


def _practices(population: Registered) -> Mapping[Any, int]:
    """Count the practices with registered persons, by area and quarter."""
    table = population.time
    by_place = table.group_by("municipality", "quarter").aggregate(n=table.practice.nunique()).to_pandas()
    everywhere = table.group_by("quarter").aggregate(n=table.practice.nunique()).to_pandas()
    found = {(ALL, row["quarter"]): int(row["n"]) for _, row in everywhere.iterrows()}
    return found | {(row["municipality"], row["quarter"]): int(row["n"]) for _, row in by_place.iterrows()}


def _row(
    part: pd.DataFrame, fraction: tuple[float, float], values: Any, flag: str, *, rest: int = 0
) -> dict[str, Any]:
    names = ("value", "conf_low", "conf_high")
    shown = values if flag == "ok" else (np.nan,) * 3
    return {
        "n_persons": int(part["person_id"].nunique()), "n_rest": rest,
        "numerator": fraction[0], "denominator": fraction[1],
        **dict(zip(names, (float(v) for v in shown), strict=True)), "flag": flag,
    }  # fmt: skip


def _rate(part: pd.DataFrame, years: float, plan: Reach) -> dict[str, Any]:
    flag = "ok" if years > 0 else "no_registered"
    found = direct_rates([[len(part) if years > 0 else 0]], [[years]])
    values = [plan.per * v[0] for v in (found.estimate, found.conf_low, found.conf_high)]
    return _row(part, (len(part), years), values, flag)


def _referring(part: pd.DataFrame, practices: int) -> dict[str, Any]:
    referring = min(int(part["practice"].nunique()), practices)
    flag = "ok" if practices else "no_registered"
    return _row(part, (referring, practices), [v[0] for v in wilson([referring], [practices])], flag)


def _share(part: pd.DataFrame, share: Share, *, seen: int) -> dict[str, Any]:
    of = part[share.of(part)]
    who = of[share.who(of)]
    flag = "no_referrals" if of.empty else "not_followed" if seen < share.followed else "ok"
    values = [v[0] for v in wilson([len(who)], [len(of)])]
    return _row(who, (len(who), len(of)), values, flag, rest=len(of) - len(who))
