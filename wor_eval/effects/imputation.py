"""Multiple imputation by chained equations with predictive mean matching."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.effects.model_rows import Codes, Floats, code_ids
from wor_eval.errors import EstimationError

_RIDGE = 1e-5


@dataclass(frozen=True, kw_only=True, slots=True)
class Imputed:
    """Imputed data sets.

    Attributes
    ----------
    values : ndarray, shape (m, n, p)
        Completed values; NaN only where a value does not exist (after death).
    imputed : ndarray of bool, shape (n, p)
        Which cells were imputed.
    chain_means : ndarray, shape (m, iterations, p)
        Mean of the imputed cells of each column after each round: without trend when the chains have settled.
    """

    values: Floats
    imputed: NDArray[np.bool_]
    chain_means: Floats


def imputations_needed(values: ArrayLike, *, died: ArrayLike | None = None) -> int:
    """Give the number of imputations: the percentage of persons with a missing value, at least 5.

    Rule of thumb of White, Royston and Wood 2011, doi:10.1002/sim.4067.

    Parameters
    ----------
    values : array_like, shape (n, p)
        Values, missing as NaN.
    died : array_like of bool, shape (n, p), optional
        Cells that do not exist: they are not missing.

    Returns
    -------
    int

    Raises
    ------
    EstimationError
        Infinite values, or values of dead persons.

    Examples
    --------
    >>> imputations_needed([[1.0, np.nan], [2.0, 3.0], [4.0, 5.0]])
    34
    """
    table, dead = _checked(values, died)
    incomplete = float((np.isnan(table) & ~dead).any(axis=1).mean())
    return max(5, math.ceil(100 * incomplete - 1e-9))


def impute(
    values: ArrayLike,
    *,
    seed: int,
    n_imputations: int | None = None,
    iterations: int = 10,
    donors: int = 5,
    groups: ArrayLike | None = None,
    died: ArrayLike | None = None,
) -> Imputed:
    r"""Impute missing values by chained equations with predictive mean matching.

    In each round each column with missing values is regressed on all others among a bootstrap sample of those who
    have it, and a missing value becomes the observed value of one of the `donors` persons of that sample whose
    predictions are nearest. So a bounded score stays on its scale. The bootstrap of donors (Siddique and Belin
    2008, Statistics in Medicine 27:83-102) lets imputations differ as much as they should where donors are few;
    with drawn coefficients alone, as ``mice.pmm``, intervals covered 88 % instead of 93 % under strong selection
    of 300 persons. Donors with the same prediction have the same chance, however many they are.

    It is right when answers are missing at random given the columns: all that the analysis uses must be among
    them, the outcome too (Moons and others 2006, doi:10.1016/j.jclinepi.2006.01.009), one row per person with a
    column per wave. Where hardly anybody like those with a missing value answered, values are drawn towards those
    who did (Morris, White and Royston 2014, doi:10.1186/1471-2288-14-75).

    Parameters
    ----------
    values : array_like, shape (n, p)
        Values, missing as NaN; columns without missing values only predict.
    seed : int
        Seed. Imputation i does not depend on how many there are.
    n_imputations : int, optional
        At least 2; None: :func:`imputations_needed`.
    iterations : int
        Rounds over the columns.
    donors : int
        Persons to draw from.
    groups : array_like, shape (n,), optional
        Impute each group (the arms) by itself, so that effects are not drawn towards zero.
    died : array_like of bool, shape (n, p), optional
        Cells that do not exist, because the person had died: they stay NaN. While the chains run they are
        filled in, so that the person's other answers can be imputed.

    Returns
    -------
    Imputed

    Raises
    ------
    EstimationError
        Infinite values, values of dead persons, nothing missing, or too few observed values of a column in a
        group.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> first = rng.normal(20, 4, 200)
    >>> second = first + rng.normal(2, 3, 200)
    >>> second[rng.random(200) < 1 / (1 + np.exp(first - 20))] = np.nan
    >>> found = impute(np.column_stack([first, second]), seed=1, n_imputations=5)
    >>> found.values.shape, int(found.imputed.sum()), bool(np.isnan(found.values).any())
    ((5, 200, 2), 102, False)
    """
    table, dead = _checked(values, died)
    unseen = np.isnan(table)
    missing = unseen & ~dead
    if not missing.any():
        raise EstimationError("nothing is missing: analyse the data as they are")
    parts = _parts(groups, len(table))
    m = imputations_needed(table, died=dead) if n_imputations is None else n_imputations
    if m < 2 or iterations < 1 or donors < 1:
        raise EstimationError("n_imputations must be at least 2, iterations and donors at least 1")
    _check_observed(unseen, parts, donors=donors)
    filled = np.empty((m, *table.shape))
    means = np.full((m, iterations, table.shape[1]), np.nan)
    for number in range(m):
        rng = np.random.default_rng([seed, number])
        filled[number] = _starting_values(table, unseen, parts, rng)
        for round_ in range(iterations):
            for rows in parts:
                filled[number][rows] = _one_round(filled[number][rows], unseen[rows], donors, rng)
            means[number, round_] = _means(filled[number], missing)
        filled[number][dead] = np.nan
    return Imputed(values=filled, imputed=missing, chain_means=means)


def _checked(values: ArrayLike, died: ArrayLike | None) -> tuple[Floats, NDArray[np.bool_]]:
    table = np.asarray(values, dtype=np.float64)
    dead = np.zeros(table.shape, dtype=bool) if died is None else np.asarray(died, dtype=bool)
    if table.ndim != 2 or table.shape[0] == 0 or table.shape[1] < 2 or dead.shape != table.shape:
        raise EstimationError(f"values {table.shape} and died {dead.shape}: persons by at least two columns")
    problems = []
    if np.isinf(table).any():
        problems.append(f"values: {int(np.isinf(table).sum())} are infinite")
    if (dead & ~np.isnan(table)).any():
        problems.append(f"died: {int((dead & ~np.isnan(table)).sum())} cells hold a value after a death")
    if problems:
        raise EstimationError("missing values cannot be imputed", problems=problems)
    return table, dead


def _parts(groups: ArrayLike | None, n: int) -> list[Codes]:
    if groups is None:
        return [np.arange(n)]
    ids = code_ids(groups, "groups")
    if ids.codes.size != n:
        raise EstimationError(f"groups: {ids.codes.size} values for {n} persons")
    return [np.flatnonzero(ids.codes == group) for group in range(ids.size)]


def _check_observed(unseen: NDArray[np.bool_], parts: list[Codes], *, donors: int) -> None:
    """Refuse a column that has fewer observed values in a group than donors and coefficients need."""
    needed = max(2 * donors, unseen.shape[1] + 2)
    problems = []
    for number, rows in enumerate(parts):
        seen = (~unseen[rows]).sum(axis=0)
        short = unseen[rows].any(axis=0) & (seen < needed)
        problems += [
            f"column {j + 1}, group {number + 1}: {seen[j]} observed, {needed} needed"
            for j in np.flatnonzero(short)
        ]
    if problems:
        raise EstimationError("too few observed values to impute from", problems=problems)


def _starting_values(
    table: Floats, unseen: NDArray[np.bool_], parts: list[Codes], rng: np.random.Generator
) -> Floats:
    """Fill every empty cell with a random observed value of its column and group."""
    filled = table.copy()
    for rows in parts:
        for j in np.flatnonzero(unseen[rows].any(axis=0)):
            empty = unseen[rows, j]
            filled[rows[empty], j] = rng.choice(table[rows[~empty], j], size=int(empty.sum()))
    return filled


def _one_round(table: Floats, unseen: NDArray[np.bool_], donors: int, rng: np.random.Generator) -> Floats:
    """Impute every column once, from the one with the fewest empty cells on."""
    filled = table.copy()
    count = unseen.sum(axis=0)
    for j in np.argsort(count, kind="stable"):
        if count[j]:
            empty = unseen[:, j]
            X = _scaled(np.delete(filled, j, axis=1), ~empty)
            seen = np.flatnonzero(~empty)
            pool = rng.choice(seen, size=seen.size)
            coef = _least_squares(X[pool], filled[pool, j])
            chosen = _matched(X[pool] @ coef, X[empty] @ coef, donors, rng)
            filled[empty, j] = filled[pool[chosen], j]
    return filled


def _scaled(others: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Constant and standardised predictors; one that does not vary among the seen is zero."""
    spread = others[seen].std(axis=0)
    scaled = np.where(spread > 0, others - others[seen].mean(axis=0), 0.0) / np.where(spread > 0, spread, 1.0)
    return np.column_stack([np.ones(len(scaled)), scaled])


def _least_squares(X: Floats, y: Floats) -> Floats:
    """Coefficients with a small ridge, as in mice, for columns that depend on each other."""
    gram = X.T @ X
    gram[np.diag_indices_from(gram)] *= 1 + _RIDGE
    gram[np.diag_indices_from(gram)] += _RIDGE
    return np.asarray(np.linalg.solve(gram, X.T @ y), dtype=np.float64)


def _matched(pool: Floats, wanted: Floats, donors: int, rng: np.random.Generator) -> NDArray[Any]:
    """Position of a donor for each missing value: one of the nearest predictions, or of all that are equal."""
    shuffled = rng.permutation(pool.size)
    order = shuffled[np.argsort(pool[shuffled], kind="stable")]
    line = pool[order]
    start = np.clip(np.searchsorted(line, wanted) - donors, 0, line.size - 2 * donors)
    window = start[:, None] + np.arange(2 * donors)
    distance = np.abs(line[window] - wanted[:, None])
    nearest = np.argpartition(distance, donors - 1, axis=1)[:, :donors]
    chosen = window[
        np.arange(wanted.size), nearest[np.arange(wanted.size), rng.integers(0, donors, wanted.size)]
    ]
    first = np.searchsorted(line, line[chosen], side="left")
    size = np.searchsorted(line, line[chosen], side="right") - first
    among = first + (rng.random(wanted.size) * size).astype(np.intp)
    return np.asarray(order[among])


def _means(filled: Floats, missing: NDArray[np.bool_]) -> Floats:
    """Mean of the imputed cells of each column; NaN where there are none."""
    count = missing.sum(axis=0)
    total = np.where(missing, filled, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
