"""The rows of a regression, checked once at the door: response, columns, offset, weights and ids."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.errors import EstimationError

Floats: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.intp]
Response: TypeAlias = Literal["count", "whole_count", "positive", "real"]

# Stays in the cache, and below the size at which OpenBLAS starts threads for a handful of columns.
_BLOCK = 4096
_RESPONSE_RULE: dict[Response, str] = {
    "count": "negative",
    "whole_count": "negative or not a whole number",
    "positive": "zero or negative",
    "real": "",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ids:
    """Integer codes of an identifier.

    Attributes
    ----------
    codes : ndarray of int, shape (n,)
        Code of each row, from 0.
    labels : ndarray, shape (m,)
        The identifier of each code.
    starts : ndarray of int, shape (m,), or None
        First row of each identifier, in the order of the rows, where the rows of an identifier stand
        together: sums are then five times as fast.
    """

    codes: Codes
    labels: NDArray[Any]
    starts: Codes | None = None

    @property
    def size(self) -> int:
        """How many different identifiers there are."""
        return int(self.labels.size)

    def take(self, rows: NDArray[Any]) -> "Ids":
        """Return the codes of some rows (mask or positions); identifiers without a row disappear."""
        codes = self.codes[rows]
        there = np.zeros(self.size, dtype=bool)
        there[codes] = True
        if not there.all():
            codes = (np.cumsum(there) - 1)[codes]
        return ids_of(codes, self.labels[there])

    def total(self, values: Floats) -> Floats:
        """Sum values (n,) or (p, n) by identifier: (m,) or (p, m)."""
        if self.starts is not None:
            sums = np.empty((*values.shape[:-1], self.size))
            sums[..., self.codes[self.starts]] = np.add.reduceat(values, self.starts, axis=-1)
            return sums
        if values.ndim == 1:
            return sum_by_code(self.codes, values, self.size)
        return np.stack([sum_by_code(self.codes, row, self.size) for row in values])


def sum_by_code(codes: Codes, values: Floats, size: int) -> Floats:
    """Sum values (n,) by code: (size,)."""
    return np.asarray(np.bincount(codes, weights=values, minlength=size), dtype=np.float64)


def ids_of(codes: NDArray[Any], labels: NDArray[Any]) -> Ids:
    """Make Ids from codes (n,) and labels (m,), and see whether each identifier is one run of rows."""
    codes = codes.astype(np.intp, copy=False)
    if not codes.size:
        return Ids(codes=codes, labels=labels)
    starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
    return Ids(codes=codes, labels=labels, starts=starts if starts.size == labels.size else None)


NO_IDS = Ids(codes=np.zeros(0, dtype=np.intp), labels=np.zeros(0))


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRows:
    """Checked rows of a regression, without rows that say nothing about the coefficients.

    Attributes
    ----------
    y : ndarray, shape (n,)
        Response.
    columns : ndarray, shape (k, n)
        Columns of the design, one per row, contiguous.
    names : tuple of str, length k
        Their names.
    offset, weights : ndarray, shape (n,)
        Offset of the linear predictor and prior weights (> 0).
    clusters : tuple of Ids
        Cluster identifiers; empty where every row is its own cluster.
    absorbed : Ids
        Group of each row; without absorbed groups it has no labels.
    groups_without_events : ndarray, shape (z,)
        Labels of absorbed groups whose counts are all zero: their rows are not among the n.
    """

    y: Floats
    columns: Floats
    names: tuple[str, ...]
    offset: Floats
    weights: Floats
    clusters: tuple[Ids, ...]
    absorbed: Ids
    groups_without_events: NDArray[Any]

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.y.size)

    @property
    def n_parameters(self) -> int:
        """Number of coefficients, the absorbed groups included."""
        return len(self.names) + self.absorbed.size

    def predictor(self, coef: Floats) -> Floats:
        """Offset plus columns times coefficients, (n,); einsum, as threads only slow this shape down."""
        eta: Floats = np.einsum("j,ji->i", coef, self.columns)
        eta += self.offset
        return eta

    def score(self, residual: Floats) -> Floats:
        """Columns times residual (n,), summed over the rows: (k,)."""
        score: Floats = np.einsum("ji,i->j", self.columns, residual)
        return score

    def gram(self, weight: Floats) -> Floats:
        """Weighted cross-products of the columns, (k, k); in blocks, so that no copy of all columns is made."""
        k = len(self.columns)
        gram = np.zeros((k, k))
        for start in range(0, self.n, _BLOCK):
            block = self.columns[:, start : start + _BLOCK]
            gram += (block * weight[start : start + _BLOCK]) @ block.T
        return gram

    def column_total(self, ids: Ids, weight: Floats) -> Floats:
        """Sum of weight (n,) times each column by identifier, (k, m)."""
        if not ids.size:
            return np.zeros((len(self.columns), 0))
        return np.stack([ids.total(column * weight) for column in self.columns])

    def group_total(self, values: Floats) -> Floats:
        """Sum values (n,) by absorbed group, with no groups where nothing is absorbed."""
        return self.absorbed.total(values) if self.absorbed.size else np.zeros(0)


def code_ids(values: ArrayLike, what: str) -> Ids:
    """Give each identifier of `values` (n,) a number, in sorted order.

    Raises
    ------
    EstimationError
        Where an identifier is missing.
    """
    import pandas as pd

    array = np.asarray(values)
    if array.ndim != 1:
        raise EstimationError(f"{what}: expected one identifier per row, found an array of {array.ndim} axes")
    codes, labels = pd.factorize(array, sort=True)
    missing = int(np.count_nonzero(codes < 0))
    if missing:
        raise EstimationError(f"{what}: {missing} rows have no identifier; leave them out or give them one")
    return ids_of(np.asarray(codes), np.asarray(labels))


def code_clusters(clusters: ArrayLike | tuple[ArrayLike, ...] | None) -> tuple[Ids, ...]:
    """Code one cluster identifier, or a tuple of them, and refuse fewer than two clusters."""
    if clusters is None:
        return ()
    several = clusters if isinstance(clusters, tuple) else (clusters,)
    coded = tuple(code_ids(one, "clusters") for one in several)
    if any(ids.size < 2 for ids in coded):
        raise EstimationError(
            "clusters: all rows are in one cluster, so no cluster-robust standard error exists; "
            "give a finer cluster identifier"
        )
    return coded


def as_columns(X: ArrayLike, what: str = "X") -> Floats:
    """Return X (n, k) transposed to (k, n), contiguous and finite."""
    array = np.asarray(X, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] == 0:
        raise EstimationError(f"{what}: expected rows by columns, found shape {array.shape}")
    return np.ascontiguousarray(array.T)


def model_rows(
    y: ArrayLike,
    X: ArrayLike,
    *,
    response: Response,
    names: Sequence[str] | None,
    offset: ArrayLike | None,
    weights: ArrayLike | None,
    clusters: ArrayLike | tuple[ArrayLike, ...] | None,
    absorb: ArrayLike | None,
) -> ModelRows:
    """Check the arrays of a regression and leave out rows that carry no information.

    Left out are rows of weight zero and, for counts, absorbed groups without a single event: their group
    effect goes to minus infinity and they drop out of the likelihood of the other coefficients.

    Parameters
    ----------
    y : array_like, shape (n,)
        Response.
    X : array_like, shape (n, k)
        Columns of the design.
    response : {"count", "whole_count", "positive", "real"}
        Which responses are allowed.
    names : sequence of str, length k, or None
        Names of the columns; "x1", "x2", … where None.
    offset, weights, absorb : array_like, shape (n,), or None
        Offset, prior weights (>= 0), group to absorb.
    clusters : array_like, shape (n,), tuple of these, or None
        Cluster identifiers.

    Returns
    -------
    ModelRows

    Raises
    ------
    EstimationError
        With every problem found: shapes, missing or infinite values, a response outside its range,
        negative weights, one cluster.
    """
    columns = as_columns(X)
    response_values = np.asarray(y, dtype=np.float64)
    n = columns.shape[1]
    labels = tuple(names) if names is not None else tuple(f"x{j + 1}" for j in range(len(columns)))
    vectors = {
        "y": response_values,
        "offset": np.zeros(n) if offset is None else np.asarray(offset, dtype=np.float64),
        "weights": np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64),
    }
    coded = code_clusters(clusters)
    groups = None if absorb is None else code_ids(absorb, "absorb")
    problems = _shape_problems(columns, labels, vectors, [*coded, *([groups] if groups else [])])
    if not problems:
        problems = _value_problems(columns, labels, vectors, response)
    if problems:
        raise EstimationError("the regression cannot be fitted", problems=problems)
    rows = ModelRows(
        y=vectors["y"],
        columns=columns,
        names=labels,
        offset=vectors["offset"],
        weights=vectors["weights"],
        clusters=coded,
        absorbed=groups or NO_IDS,
        groups_without_events=NO_IDS.labels,
    )
    return _together(_informative(rows, is_count=response in ("count", "whole_count")))


def _shape_problems(
    columns: Floats, names: tuple[str, ...], vectors: dict[str, Floats], ids: list[Ids]
) -> list[str]:
    k, n = columns.shape
    problems = [f"{name}: shape {v.shape}, expected ({n},)" for name, v in vectors.items() if v.shape != (n,)]
    if any(one.codes.size != n for one in ids):
        problems.append(f"clusters and absorb: expected one identifier for each of the {n} rows")
    if len(names) != k or len(set(names)) != len(names):
        problems.append(f"names: expected {k} different names, found {len(set(names))}")
    return problems


def _value_problems(
    columns: Floats, names: tuple[str, ...], vectors: dict[str, Floats], response: Response
) -> list[str]:
    advice = {"offset": " (the log of an exposure that is zero, negative or missing?)"}
    problems = [
        f"{name}: {count} rows are missing or infinite{advice.get(name, '')}"
        for name, values in (*vectors.items(), *zip(names, columns, strict=True))
        if (count := int(np.count_nonzero(~np.isfinite(values))))
    ]
    y, weights = vectors["y"], vectors["weights"]
    wrong = {
        "count": y < 0,
        "whole_count": np.isfinite(y) & ((y < 0) | (y != np.floor(y))),
        "positive": y <= 0,
        "real": np.zeros(0, dtype=bool),
    }[response]
    if wrong.any():
        problems.append(f"y: {int(wrong.sum())} rows are {_RESPONSE_RULE[response]}")
    if (weights < 0).any():
        problems.append(f"weights: {int((weights < 0).sum())} rows are negative")
    if not (weights > 0).any():
        problems.append("weights: no row has a weight above zero")
    return problems


def _informative(rows: ModelRows, *, is_count: bool) -> ModelRows:
    keep = rows.weights > 0
    empty = np.zeros(rows.absorbed.size, dtype=bool)
    if is_count and not (rows.y[keep] > 0).any():
        raise EstimationError("y: every count is zero, so no rate ratio exists")
    if rows.absorbed.size and is_count:
        weighted = rows.absorbed.total(rows.weights)
        empty = (rows.absorbed.total(rows.y * rows.weights) == 0) & (weighted > 0)
        keep = keep & ~empty[rows.absorbed.codes]
    if keep.all():
        return rows
    kept = _take(rows, keep)
    if any(ids.size < 2 for ids in kept.clusters):
        raise EstimationError("clusters: fewer than two clusters have rows with weight and events")
    return replace(kept, groups_without_events=rows.absorbed.labels[empty])


def _together(rows: ModelRows) -> ModelRows:
    """Put the rows of an absorbed group together, which makes the sums of every step faster."""
    if not rows.absorbed.size or rows.absorbed.starts is not None:
        return rows
    codes = rows.absorbed.codes
    small = codes.astype(np.uint16) if rows.absorbed.size < 2**16 else codes  # sorted by radix
    return _take(rows, np.argsort(small, kind="stable"))


def _take(rows: ModelRows, which: NDArray[Any]) -> ModelRows:
    """Rows by mask or position, in the order given."""
    return replace(
        rows,
        y=rows.y[which],
        columns=np.stack([column[which] for column in rows.columns]),
        offset=rows.offset[which],
        weights=rows.weights[which],
        clusters=tuple(ids.take(which) for ids in rows.clusters),
        absorbed=rows.absorbed.take(which) if rows.absorbed.size else rows.absorbed,
    )
