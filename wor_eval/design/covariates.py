"""What comparison persons are made comparable on: covariates and history before the index date, never after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wor_eval.cohort.wide import Floats, WideOutcome, wide_outcome
from wor_eval.design.level import permanent_level
from wor_eval.errors import DesignError
from wor_eval.study import Design, Study

if TYPE_CHECKING:
    from wor_eval.cohort.build import Cohort

_RECENT = ("quarter-1", "quarter-2")
_FEWEST_MISSING = 10
_BEFORE = ("placebo", "before", "quarter-", "half-", "year-")
_QUARTERS = ("quarter-1", "quarter-2", "quarter-3", "quarter-4")


@dataclass(frozen=True, kw_only=True, slots=True)
class Covariates:
    """Covariates of n units.

    Attributes
    ----------
    names : tuple of str, length p
        What each column is.
    matrix : ndarray, shape (n, p)
        Values without gaps, in the order of ``cohort.persons``.
    n_imputed : int
        Values that were missing and stand at the mean, beside an indicator where ten or more of each arm miss it.
    reliability : float or None
        With ``history = "level"``: what share of the variance of the observed history is permanent (0-1).
    """

    names: tuple[str, ...]
    matrix: Floats
    n_imputed: int
    reliability: float | None

    def with_squares(self) -> tuple[Floats, tuple[str, ...]]:
        """Add the square of every column with more than two values: the flexible terms of a propensity model."""
        curved = [i for i, column in enumerate(self.matrix.T) if np.unique(column[:1000]).size > 2]
        centred = self.matrix[:, curved] - self.matrix[:, curved].mean(axis=0)
        names = tuple(f"{self.names[i]} squared" for i in curved)
        return np.column_stack([self.matrix, centred**2]), self.names + names


def build_covariates(cohort: Cohort, study: Study, design: Design, *, outcome: str) -> Covariates:
    """Lay out the covariates of a design.

    Counts of history enter as the log of one plus the yearly rate, so that the few with very many do not rule
    the model. Only windows that end before the index date are read: what happens afterwards cannot move the
    design.

    Parameters
    ----------
    cohort : Cohort
        Both arms.
    study : Study
        The plan: windows.
    design : Design
        Which covariates and which history.
    outcome : str
        The outcome whose history counts.

    Returns
    -------
    Covariates

    Raises
    ------
    DesignError
        A covariate does not exist, is not a number, or is missing for some units while the plan refuses that.
    """
    columns = _person_columns(cohort, design)
    history, reliability = _history(cohort, study, design, outcome)
    columns.update(history)
    arm = (cohort.persons["arm"] == "referred").to_numpy()
    return _filled(columns, design, reliability, arm)


def _person_columns(cohort: Cohort, design: Design) -> dict[str, Floats]:
    import pandas as pd

    missing = [name for name in design.covariates if ":" not in name and name not in cohort.persons.columns]
    if missing:
        raise DesignError(
            f"covariates that the cohort does not have: {', '.join(missing)}",
            problems=[f"there are: {', '.join(sorted(cohort.persons.columns))}, and <outcome>:<window>"],
        )
    columns: dict[str, Floats] = {}
    for name in design.covariates:
        if ":" in name:
            columns[name] = _outcome_before(cohort, name)
            continue
        values = cohort.persons[name]
        if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
            columns[name] = values.to_numpy(dtype=float, na_value=np.nan)
            continue
        for level in sorted(values.dropna().unique())[1:]:
            columns[f"{name}={level}"] = (values == level).to_numpy(float)
    return columns


def _outcome_before(cohort: Cohort, name: str) -> Floats:
    """Give the log yearly rate of an outcome in a window before the index date, such as ``care_costs:half-1``."""
    outcome, window = name.split(":", 1)
    if not window.startswith(_BEFORE):
        raise DesignError(
            f"covariate {name}: a design reads windows before the index date only: {', '.join(_BEFORE)}"
        )
    windows: tuple[str, ...] = (window,)
    if window.startswith("half-"):
        back = int(window.removeprefix("half-"))
        windows = (f"quarter-{2 * back - 1}", f"quarter-{2 * back}")
    wide = wide_outcome(cohort, outcome, windows)
    together = WideOutcome(
        value=wide.value.sum(axis=1, keepdims=True),
        years=wide.years.sum(axis=1, keepdims=True),
        windows=(window,),
    )
    return _log_rate(together, 0)


def _history(
    cohort: Cohort, study: Study, design: Design, outcome: str
) -> tuple[dict[str, Floats], float | None]:
    windows = {"none": (), "placebo": ("placebo",), "year": ("before",), "quarters": _QUARTERS}
    if design.history == "level":
        return _level_and_deviations(cohort, study, outcome)
    wide = wide_outcome(cohort, outcome, windows[design.history])
    return {f"{outcome}:{name}": _log_rate(wide, i) for i, name in enumerate(wide.windows)}, None


def _log_rate(wide: WideOutcome, column: int) -> Floats:
    """Log of one plus the yearly rate; missing where the window was not observed."""
    years = wide.years[:, column]
    with np.errstate(divide="ignore", invalid="ignore"):
        rate: Floats = np.where(years > 0, np.log1p(np.maximum(wide.value[:, column], 0.0) / years), np.nan)
    return rate


def _level_and_deviations(
    cohort: Cohort, study: Study, outcome: str
) -> tuple[dict[str, Floats], float | None]:
    """Give the log of the permanent level from earlier history, and what the last two quarters add to it."""
    earlier = ("quarter-3", "quarter-4", *study.windows.yearly())
    history = wide_outcome(cohort, outcome, earlier)
    recent = wide_outcome(cohort, outcome, _RECENT)
    level = permanent_level(cohort, history)
    columns = {f"{outcome}:level": np.log(level.level * level.expected_rate)}
    for i, name in enumerate(recent.windows):
        foretold = level.level * level.expected_rate * recent.years[:, i]
        columns[f"{outcome}:deviation {name}"] = np.log((recent.value[:, i] + 0.5) / (foretold + 0.5))
    return columns, level.reliability


def _filled(
    columns: dict[str, Floats], design: Design, reliability: float | None, arm: NDArray[np.bool_]
) -> Covariates:
    gaps = {name: int(np.isnan(values).sum()) for name, values in columns.items()}
    gaps = {name: count for name, count in gaps.items() if count}
    if gaps and design.missing == "refuse":
        raise DesignError(
            "covariates have missing values; add a rule that leaves these units out, or set "
            'missing = "indicator" in the design',
            problems=[f"{name}: {count} units" for name, count in gaps.items()],
        )
    filled: dict[str, Floats] = {}
    for name, values in columns.items():
        gone: NDArray[np.bool_] = np.isnan(values)
        filled[name] = np.where(gone, np.nanmean(values), values) if gone.any() else values
        # An indicator that hardly anybody has would separate the arms; the mean alone does then.
        if min((gone & arm).sum(), (gone & ~arm).sum()) >= _FEWEST_MISSING:
            filled[f"{name} missing"] = gone.astype(float)
    if not filled:
        raise DesignError("the design has no covariates and no history: there is nothing to match on")
    matrix = np.column_stack(list(filled.values()))
    return Covariates(
        names=tuple(filled), matrix=matrix, n_imputed=sum(gaps.values()), reliability=reliability
    )
