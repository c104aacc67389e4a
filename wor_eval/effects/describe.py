"""Descriptive tables of a cohort: attrition, characteristics, rates, the course around the index date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wor_eval.cohort.build import Cohort
from wor_eval.cohort.wide import DAYS_PER_YEAR, Floats
from wor_eval.effects.estimate import ALL_BANDS
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

_Z95 = 1.959963984540054
_MEANS = ("age", "n_chronic", "days_before", "days_after")


def describe_cohort(cohort: Cohort, study: Study) -> dict[str, pd.DataFrame]:
    """Make the descriptive tables of a study.

    Parameters
    ----------
    cohort : Cohort
        Persons and outcomes.
    study : Study
        The plan.

    Returns
    -------
    dict of str to DataFrame
        ``attrition``, ``characteristics``, ``rates`` and, where the plan has months, ``monthly``.
    """
    tables = {
        "attrition": cohort.attrition,
        "characteristics": characteristics(cohort, study),
        "rates": rates(cohort, study),
    }
    if study.windows.months is not None:
        tables["monthly"] = monthly(cohort, study)
    return tables


def _bands(study: Study) -> tuple[str, ...]:
    return (*study.cohort.band_names, ALL_BANDS)


def characteristics(cohort: Cohort, study: Study) -> pd.DataFrame:
    """Describe the referred at their index date, by age band."""
    import pandas as pd

    referred = cohort.persons[cohort.persons["arm"] == "referred"]
    rows: list[dict[str, Any]] = []
    for band in _bands(study):
        part = referred if band == ALL_BANDS else referred[referred["age_band"] == band]
        rows.append(_row("persons", "persons", band, len(part)))
        counts = part["sex"].value_counts().reindex(sorted(referred["sex"].dropna().unique()), fill_value=0)
        for level, count in counts.items():
            rows.append({**_row("sex", str(level), band, int(count)), "share": count / max(len(part), 1)})
        for name in _MEANS:
            known = part[name].dropna().astype(float)
            if len(known):
                spread = known.std() if len(known) > 1 else np.nan
                rows.append({**_row(name, "mean", band, len(known)), "mean": known.mean(), "std_dev": spread})
    frame = pd.DataFrame(rows)
    order = {name: place for place, name in enumerate(("persons", "sex", *_MEANS))}
    return frame.sort_values("variable", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def _row(variable: str, level: str, band: str, count: int) -> dict[str, Any]:
    blank = {"share": np.nan, "mean": np.nan, "std_dev": np.nan}
    return {"variable": variable, "level": level, "age_band": band, "n_persons": count, **blank}


def rates(cohort: Cohort, study: Study, *, weight: Floats | None = None) -> pd.DataFrame:
    """Give events, person-years and rate by outcome, arm, age band and window, weighted where weights are given."""
    named = list(study.windows.named())
    totals = _totals(cohort, named, weight).drop(columns=["std_error"])
    order = {name: place for place, name in enumerate(named)}
    totals = totals.sort_values("window", key=lambda names: names.map(order), kind="stable")
    return totals.sort_values(
        "age_band", key=lambda names: names.map(_bands(study).index), kind="stable", ignore_index=True
    )


def monthly(cohort: Cohort, study: Study, *, weight: Floats | None = None) -> pd.DataFrame:
    """Give the rate per block of 30 days around the index date, with a 95 % interval robust by person."""
    totals = _totals(cohort, list(study.windows.monthly()), weight)
    half = _Z95 * totals.pop("std_error")
    totals = totals.assign(
        month=[int(name.removeprefix("month")) for name in totals["window"]],
        conf_low=(totals["rate"] - half).clip(lower=0),
        conf_high=totals["rate"] + half,
    ).drop(columns=["window"])
    return totals.sort_values(["outcome", "arm", "age_band", "month"], kind="stable", ignore_index=True)


def _totals(cohort: Cohort, windows: list[str], weight: Floats | None) -> pd.DataFrame:
    """Sum events and years over units with a weight, for each age band and for all ages together."""
    import pandas as pd

    known = cohort.persons[["unit", "arm", "age_band"]]
    known = known.assign(weight=1.0 if weight is None else weight)
    rows = cohort.outcomes[cohort.outcomes["window"].isin(windows)]
    rows = rows.astype({"outcome": "object", "window": "object"}).merge(known[known["weight"] > 0], on="unit")
    rows["years"] = rows["weight"] * rows["observed_days"] / DAYS_PER_YEAR
    rows["events"] = rows["weight"] * rows["value"]
    parts = pd.concat([rows, rows.assign(age_band=ALL_BANDS)], ignore_index=True)
    keys = ["outcome", "arm", "age_band", "window"]
    out = (
        parts.groupby(keys, sort=True, observed=True)
        .agg(
            n_persons=("unit", "nunique"),
            events=("events", "sum"),
            person_years=("years", "sum"),
            largest=("events", "max"),
        )
        .reset_index()
    )
    out["rate"] = out["events"] / out["person_years"]
    out["largest_share"] = out.pop("largest") / out["events"].where(out["events"] > 0)
    return out.assign(std_error=_rate_error(parts, out, keys))


def _rate_error(parts: pd.DataFrame, out: pd.DataFrame, keys: list[str]) -> pd.Series[float]:
    """Give the standard error of a ratio of sums: the root of the summed squared influences of persons."""
    joined = parts[[*keys, "events", "years"]].merge(out[[*keys, "rate", "person_years"]], on=keys)
    squared = ((joined["events"] - joined["rate"] * joined["years"]) / joined["person_years"]) ** 2
    summed = squared.groupby([joined[key] for key in keys], sort=True).sum()
    return np.sqrt(summed).reset_index(drop=True)
