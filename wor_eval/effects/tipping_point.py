"""An analysis with missing answers: complete cases, imputed, and imputed answers made worse until it turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.effects.imputation import Imputed
from wor_eval.effects.model_rows import Floats
from wor_eval.effects.quantity import Quantity
from wor_eval.effects.rubin import Pooled, pool
from wor_eval.errors import EstimationError

Analysis: TypeAlias = Callable[[Floats, NDArray[np.intp]], Quantity]


@dataclass(frozen=True, kw_only=True, slots=True)
class MissingAnalysis:
    """One analysis on complete cases and on imputed data.

    Attributes
    ----------
    complete_case : Quantity
        From the persons with every value the analysis uses.
    pooled : Pooled
        From the imputed data, by Rubin's rules; arrays of shape (1,).
    n_complete, n_imputed : int
        Persons in each; those who died before a value are in neither.
    """

    complete_case: Quantity
    pooled: Pooled
    n_complete: int
    n_imputed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TippingPoint:
    """The pooled estimate as imputed values are shifted; arrays have shape (deltas,).

    Attributes
    ----------
    deltas : ndarray
        Shifts, sorted, 0 among them.
    estimate, std_error, conf_low, conf_high, p_value : ndarray
        Pooled at each shift.
    share_cut : ndarray
        Share of the shifted cells that ran into an end of the scale.
    tips_at : float or None
        The shift nearest to 0 at which the interval crosses zero (or ceases to), linear between grid points;
        None where the conclusion stands at all shifts looked at.
    """

    deltas: Floats
    estimate: Floats
    std_error: Floats
    conf_low: Floats
    conf_high: Floats
    p_value: Floats
    share_cut: Floats
    tips_at: float | None


def analyse_missing(
    values: ArrayLike, imputed: Imputed, analysis: Analysis, *, columns: Sequence[int], level: float = 0.95
) -> MissingAnalysis:
    """Run an analysis on complete cases and on each imputed data set, and pool.

    Parameters
    ----------
    values : array_like, shape (n, p)
        Values before imputation, missing as NaN.
    imputed : Imputed
        From :func:`wor_eval.effects.imputation.impute` of the same values.
    analysis : callable
        From a table (n, p) and the positions of the rows to use (r,) to a Quantity. Its ``df`` are those of the
        complete data.
    columns : sequence of int
        Columns that the analysis uses: rows without a value in one of them are left out.
    level : float
        Level of the pooled interval.

    Returns
    -------
    MissingAnalysis

    Raises
    ------
    EstimationError
        Shapes that do not fit, and what the analysis refuses.

    Examples
    --------
    >>> from wor_eval.effects.imputation import impute
    >>> from wor_eval.effects.paired_tests import paired_t
    >>> rng = np.random.default_rng(0)
    >>> before = rng.normal(20, 4, 100)
    >>> after = np.where(rng.random(100) < 0.3, np.nan, before + rng.normal(1, 3, 100))
    >>> values = np.column_stack([before, after])
    >>> found = analyse_missing(values, impute(values, seed=1), columns=[0, 1],
    ...     analysis=lambda table, rows: paired_t(table[rows, 1] - table[rows, 0]))
    >>> found.n_complete, found.n_imputed, round(found.complete_case.estimate, 2), found.pooled.estimate.round(2)
    (72, 100, 0.5, array([0.45]))
    """
    table = np.asarray(values, dtype=np.float64)
    used = list(columns)
    _check(table, imputed, used)
    complete = np.flatnonzero(np.isfinite(table[:, used]).all(axis=1))
    rows = np.flatnonzero(np.isfinite(imputed.values[0][:, used]).all(axis=1))
    return MissingAnalysis(
        complete_case=analysis(table, complete),
        pooled=_pooled(imputed.values, analysis, rows, level=level),
        n_complete=complete.size,
        n_imputed=rows.size,
    )


def tipping_point(
    imputed: Imputed,
    analysis: Analysis,
    *,
    columns: Sequence[int],
    shifted: int,
    among: ArrayLike,
    deltas: ArrayLike,
    bounds: tuple[float, float] | None = None,
    level: float = 0.95,
) -> TippingPoint:
    """Shift imputed values until the conclusion turns: how far from "missing at random" would be too far.

    Every imputed value of one column is moved by delta (delta adjustment after imputation; Carpenter and Kenward
    2013, chapter 10; Cro and others 2020, doi:10.1002/sim.8569), then the data are analysed and pooled again.
    Nothing in the data says which delta holds: judge whether `tips_at` is plausible for the instrument.

    Parameters
    ----------
    imputed : Imputed
        Imputed data sets.
    analysis, columns, level
        As in :func:`analyse_missing`.
    shifted : int
        The column whose imputed values are moved, the score after say.
    among : array_like of bool, shape (n,)
        Persons whose imputed values are moved: the referred, say, or everybody.
    deltas : array_like, shape (d,)
        Shifts in points of the score; 0 is added.
    bounds : (float, float), optional
        Ends of the scale: shifted values stay between them.

    Returns
    -------
    TippingPoint

    Raises
    ------
    EstimationError
        Shapes that do not fit, no imputed value to move, deltas that are not finite.

    Examples
    --------
    >>> from wor_eval.effects.imputation import impute
    >>> from wor_eval.effects.paired_tests import paired_t
    >>> rng = np.random.default_rng(0)
    >>> before = rng.normal(20, 4, 100)
    >>> after = np.where(rng.random(100) < 0.3, np.nan, before + rng.normal(2, 3, 100))
    >>> found = tipping_point(impute(np.column_stack([before, after]), seed=1), columns=[0, 1], shifted=1,
    ...     among=[True] * 100, deltas=np.arange(-4, 1), bounds=(0, 40),
    ...     analysis=lambda table, rows: paired_t(table[rows, 1] - table[rows, 0]))
    >>> found.estimate.round(2), round(found.tips_at, 1)
    (array([0.33, 0.61, 0.89, 1.17, 1.45]), -2.2)
    """
    used, who = list(columns), np.asarray(among, dtype=bool)
    _check(imputed.values[0], imputed, used)
    if who.shape != (len(imputed.imputed),) or shifted not in used:
        raise EstimationError("among: one value per person is needed; shifted must be one of the columns")
    cells = np.flatnonzero(imputed.imputed[:, shifted] & who)
    steps = np.unique(np.append(np.asarray(deltas, dtype=np.float64).ravel(), 0.0))
    if not np.isfinite(steps).all() or not cells.size:
        raise EstimationError(f"deltas must be finite, and there are {cells.size} imputed values to move")
    rows = np.flatnonzero(np.isfinite(imputed.values[0][:, used]).all(axis=1))
    found, cut = [], []
    for delta in steps:
        moved, share = _moved(imputed, cells, shifted, delta=float(delta), bounds=bounds)
        found.append(_pooled(moved, analysis, rows, level=level))
        cut.append(share)
    fields = {
        name: np.array([getattr(pooled, name)[0] for pooled in found])
        for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value")
    }
    return TippingPoint(deltas=steps, share_cut=np.array(cut), tips_at=_tips_at(steps, fields), **fields)


def _check(table: Floats, imputed: Imputed, columns: list[int]) -> None:
    shape = imputed.values.shape[1:]
    if table.shape != shape:
        raise EstimationError(f"values of shape {table.shape} beside imputed ones of shape {shape}")
    if not columns or min(columns) < 0 or max(columns) >= shape[1]:
        raise EstimationError(f"columns: positions from 0 to {shape[1] - 1} are needed")


def _pooled(values: Floats, analysis: Analysis, rows: NDArray[Any], *, level: float) -> Pooled:
    """Pool over imputations; with different df (Satterthwaite) their mean counts as that of complete data."""
    answers = [analysis(table, rows) for table in values]
    return pool(
        [answer.estimate for answer in answers],
        [answer.std_error**2 for answer in answers],
        df_complete=float(np.mean([answer.df for answer in answers])),
        level=level,
    )


def _moved(
    imputed: Imputed,
    cells: NDArray[np.intp],
    column: int,
    *,
    delta: float,
    bounds: tuple[float, float] | None,
) -> tuple[Floats, float]:
    """Imputed data with shifted cells, and the share of them that the ends of the scale held back."""
    moved = imputed.values.copy()
    wanted = moved[:, cells, column] + delta
    low, high = bounds if bounds is not None else (-np.inf, np.inf)
    moved[:, cells, column] = np.clip(wanted, low, high)
    return moved, float((moved[:, cells, column] != wanted).mean())


def _tips_at(deltas: Floats, fields: dict[str, Floats]) -> float | None:
    """Find the crossing of zero by a limit of the interval that lies nearest to a shift of 0."""
    outside = (fields["conf_low"] > 0) | (fields["conf_high"] < 0)
    crossings = []
    for i in np.flatnonzero(outside[1:] != outside[:-1]):
        for limit in (fields["conf_low"], fields["conf_high"]):
            if (limit[i] > 0) != (limit[i + 1] > 0):
                share = limit[i] / (limit[i] - limit[i + 1])
                crossings.append(float(deltas[i] + share * (deltas[i + 1] - deltas[i])))
    return min(crossings, key=abs) if crossings else None
