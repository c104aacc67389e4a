"""Interrupted time series around the index date, of either design, from the rates by block of 30 days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from wor_eval.cohort.wide import DAYS_PER_YEAR
from wor_eval.effects.arms import outcomes_of
from wor_eval.effects.interrupted import InterruptedSeries, interrupted_series
from wor_eval.effects.quantity import Quantity, difference
from wor_eval.errors import EstimationError
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

BLOCK: Final = 30
# Blocks of 30 days in a year: seasons of the calendar are waves of this length around any index dates.
_YEAR = DAYS_PER_YEAR / BLOCK
# Blocks just before the index date that are left out to see what a peak there does.
QUARTER_BEFORE: Final = 3
SERIES: Final = ("all_months", "without_quarter_before")
_FIELDS = ("estimate", "std_error", "conf_low", "conf_high", "p_value")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Blocks:
    """The T blocks of one arm and age band that a series uses: number, events, person-years, all (T,)."""

    arm: str
    age_band: str
    series: str
    frame: pd.DataFrame
    found: InterruptedSeries

    @property
    def years_after(self) -> float:
        """Person-years after the index date."""
        return float(self.frame["person_years"][self.frame["month"] >= 0].sum())

    @property
    def difference(self) -> Quantity:
        """Events after, fitted minus expected, per person-year."""
        found, years = self.found.difference, self.years_after
        return difference(found.estimate / years, found.std_error / years, df=self.found.df)


def interrupted_tables(monthly: pd.DataFrame, study: Study) -> dict[str, pd.DataFrame]:
    """Fit a segmented regression to the rates around the index date, by arm and age band.

    Rates by block of 30 days, with a yearly wave for the seasons: seasons of the calendar, averaged over the index
    dates, are waves of that length around day 0. Blocks of the run-in are left out. The series ``all_months``
    takes every block before; ``without_quarter_before`` leaves out the three just before the index date, where a
    peak that led to the referral lies: what the two disagree on is that peak, not an effect. With two arms
    ``contrast`` sets them against each other: the ratio of their changes, and the difference of their
    differences, the two series taken as independent (matched series rise and fall together, so that the
    interval is if anything too wide).

    Parameters
    ----------
    monthly : DataFrame
        ``outcome, arm, age_band, month, n_persons, events, person_years`` from
        :func:`wor_eval.effects.describe.monthly`.
    study : Study
        The plan, whose window after says which blocks are the run-in.

    Returns
    -------
    dict of str to DataFrame
        For each rate of contacts that the plan's effects are about. ``interrupted``: ``outcome, arm, age_band,
        series, term, estimate, std_error, conf_low, conf_high, p_value, n_persons, n_months, lags, dispersion,
        autocorrelation``, terms ``trend`` (ratio per year), ``level_change`` (ratio), ``slope_change`` (ratio per
        year) and ``difference`` (per person-year after).
        ``interrupted_course``: ``outcome, arm, age_band, series, month, n_persons, fitted, expected``, rates per
        person-year. Both are empty where the plan has too few blocks before or after.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    course: list[pd.DataFrame] = []
    for outcome in outcomes_of(study, "rate_per_year"):
        fits = list(_fits(monthly[monthly["outcome"] == outcome], study))
        for one in fits:
            named = {"outcome": outcome, "arm": one.arm, "age_band": one.age_band, "series": one.series}
            rows += [{**named, **row, **_size(one)} for row in _terms(one)]
            course.append(_course(one).assign(**named))
        rows += [{"outcome": outcome, **row} for row in _contrasts(fits)]
    keys = ["outcome", "arm", "age_band", "series"]
    sizes = ["n_persons", "n_months", "lags", "dispersion", "autocorrelation"]
    lines = ["month", "n_persons", "fitted", "expected"]
    whole = pd.concat(course, ignore_index=True) if course else pd.DataFrame(columns=[*keys, *lines])
    return {
        "interrupted": pd.DataFrame(rows, columns=[*keys, "term", *_FIELDS, *sizes]),
        "interrupted_course": whole[[*keys, *lines]],
    }


def _fits(monthly: pd.DataFrame, study: Study) -> Iterator[_Blocks]:
    """Fit each arm, age band and series that has enough blocks."""
    run_in = -(-study.windows.after[0] // BLOCK)
    order = [*study.cohort.band_names, "all"]
    for band in order:
        for arm in ("referred", "comparison"):
            rows = monthly[(monthly["age_band"] == band) & (monthly["arm"] == arm)]
            rows = rows[(rows["person_years"] > 0) & ((rows["month"] < 0) | (rows["month"] >= run_in))]
            for series in SERIES:
                near = rows["month"].between(-QUARTER_BEFORE, -1)
                frame = rows[~near] if series == "without_quarter_before" else rows
                try:
                    found = _fit(frame.sort_values("month"))
                except EstimationError:  # too few blocks, or hardly any events
                    continue
                yield _Blocks(arm=arm, age_band=band, series=series, frame=frame, found=found)


def _fit(frame: pd.DataFrame) -> InterruptedSeries:
    return interrupted_series(
        frame["events"].to_numpy(float),
        months=frame["month"].to_numpy(float),
        start=0,
        exposure=frame["person_years"].to_numpy(float),
        harmonics=1,
        period=_YEAR,
        errors="wider",
    )


def _size(one: _Blocks) -> dict[str, Any]:
    found = one.found
    return {
        "n_persons": int(one.frame["n_persons"].min()),
        "n_months": len(one.frame),
        "lags": found.lags,
        "dispersion": found.dispersion,
        "autocorrelation": float(found.autocorrelation[0]),
    }


def _terms(one: _Blocks) -> list[dict[str, Any]]:
    """Give the terms, trends per year instead of per block, and the difference per person-year."""
    table = one.found.terms
    rows = []
    for place, name in enumerate(table.names):
        power = 1.0 if name == "level_change" else _YEAR
        values = {field: float(getattr(table, field)[place]) for field in _FIELDS}
        values |= {field: values[field] ** power for field in ("estimate", "conf_low", "conf_high")}
        rows.append({"term": name, **values, "std_error": power * values["std_error"]})
    found = one.difference
    return [*rows, {"term": "difference", **{field: getattr(found, field) for field in _FIELDS}}]


def _contrasts(fits: list[_Blocks]) -> Iterator[dict[str, Any]]:
    """Set the referred against the comparison persons, term by term."""
    by_name = {(one.age_band, one.series, one.arm): one for one in fits}
    for (band, series, arm), mine in by_name.items():
        theirs = by_name.get((band, series, "comparison"))
        if arm != "referred" or theirs is None:
            continue
        named = {"arm": "contrast", "age_band": band, "series": series}
        sizes = [_size(mine), _size(theirs)]
        size = {
            "n_persons": min(s["n_persons"] for s in sizes),
            "n_months": min(s["n_months"] for s in sizes),
        }
        for own, other in zip(_terms(mine), _terms(theirs), strict=True):
            logs = own["term"] != "difference"
            gap = np.log(own["estimate"] / other["estimate"]) if logs else own["estimate"] - other["estimate"]
            found = difference(
                float(gap),
                float(np.hypot(own["std_error"], other["std_error"])),
                df=min(mine.found.df, theirs.found.df),
            )
            values = {field: getattr(found, field) for field in _FIELDS}
            if logs:
                values |= {
                    field: float(np.exp(values[field])) for field in ("estimate", "conf_low", "conf_high")
                }
            yield {**named, "term": own["term"], **values, **size}


def _course(one: _Blocks) -> pd.DataFrame:
    years = one.frame["person_years"].to_numpy(float)
    return one.frame[["month", "n_persons"]].assign(
        fitted=one.found.fitted / years, expected=one.found.expected / years
    )
