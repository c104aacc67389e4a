"""What happened to each unit in each window: person x outcome x window."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wor_eval.cohort.measures import dated_events, known_periods, last_scores, recalled_contacts
from wor_eval.cohort.persons import observation_periods, unit_table
from wor_eval.cohort.windows import count_events, observed_days, outcome_frame, recall_counts
from wor_eval.errors import DesignError
from wor_eval.study import Days, Outcome, Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.cohort.build import Cohort
    from wor_eval.data.read import StudyData


def measure_outcomes(
    data: StudyData, units: pd.DataFrame, study: Study, observed: tuple[date, date]
) -> pd.DataFrame:
    """Measure every outcome of the plan: in all windows, the monthly blocks for the referred only.

    Comparison persons are many and few of them are matched; :func:`add_course` gives those their blocks later.

    Returns
    -------
    DataFrame
        ``unit, outcome, window, value, observed_days``, the names as categories. Windows in which a unit was not
        observed have no row.

    Raises
    ------
    DesignError
        An outcome has no event at all for anybody in the cohort.
    """
    windows = {**study.windows.named(), **study.windows.quarterly(), **study.windows.yearly()}
    frames = [_measure(data, units, outcome, (observed, windows)) for outcome in study.outcomes]
    for outcome, frame in zip(study.outcomes, frames, strict=True):
        if not frame["value"].any():
            raise DesignError(
                f"outcome {outcome.name}: no event of table {outcome.table} falls in any window of the cohort; "
                "look at what of this table counts for it in the plan, and at its windows"
            )
    if study.windows.months is not None:
        frames += _course(data, units[units["arm"] == "referred"], study, observed)
    return _categories(frames)


def add_course(data: StudyData, cohort: Cohort, study: Study, *, units: NDArray[np.int64]) -> Cohort:
    """Add the monthly blocks of some comparison units, the matched ones, to the outcomes of a cohort.

    Parameters
    ----------
    data : StudyData
        The raw tables of the cohort.
    cohort : Cohort
        As built; the referred have their blocks already.
    study : Study
        The plan.
    units : ndarray of int
        Numbers of the comparison units.

    Returns
    -------
    Cohort
        The same cohort with more rows in ``outcomes``.
    """
    from dataclasses import replace

    if study.windows.months is None or len(units) == 0:
        return cohort
    chosen = cohort.persons[cohort.persons["unit"].isin(units) & (cohort.persons["arm"] == "comparison")]
    frames = _course(data, chosen, study, cohort.observed)
    return replace(cohort, outcomes=_categories([cohort.outcomes, *frames]))


def _course(
    data: StudyData, units: pd.DataFrame, study: Study, observed: tuple[date, date]
) -> list[pd.DataFrame]:
    where = (observed, study.windows.monthly())
    over_time = [outcome for outcome in study.outcomes if outcome.measure != "mean_score"]
    return [_measure(data, units, outcome, where) for outcome in over_time]


def _categories(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Put frames below each other, names as categories: millions of rows hold a few names."""
    import pandas as pd
    from pandas.api.types import union_categoricals

    names = {
        column: union_categoricals(
            [frame[column].astype("category") for frame in frames], sort_categories=True
        )
        for column in ("outcome", "window")
    }
    numbers = [frame[["unit", "value", "observed_days"]] for frame in frames]
    together = pd.concat(numbers, ignore_index=True).assign(**names)
    return together[["unit", "outcome", "window", "value", "observed_days"]]


def _measure(
    data: StudyData,
    units: pd.DataFrame,
    outcome: Outcome,
    where: tuple[tuple[date, date], Mapping[str, Days]],
) -> pd.DataFrame:
    observed, windows = where
    own = outcome.windows
    if own is not None:
        windows = {name: own[name] for name in windows if name in own}
    joined = unit_table(units)
    if outcome.measure == "mean_score":
        return last_scores(data, units, outcome, windows)
    if outcome.exposure == "recall":
        counts = recall_counts(recalled_contacts(data, outcome), joined, windows)
        return outcome_frame(counts.drop("observed_days"), counts.drop("value"), outcome=outcome.name)
    values = count_events(dated_events(data, outcome, persons=joined), joined, windows)
    periods = observation_periods(data, observed)
    days = observed_days(known_periods(data, periods, outcome), joined, windows)
    return outcome_frame(values, days, outcome=outcome.name)
