"""Refuse a regression whose coefficients the data do not determine, and name the columns."""

import numpy as np
from numpy.typing import NDArray

from wor_eval.effects.model_rows import Floats, Ids, ModelRows
from wor_eval.errors import EstimationError

# Below this share of its own length left after projection, a column is taken as a combination of others:
# the normal equations square it, and 1e-12 still leaves four digits in the standard error.
COLLINEAR = 1e-6
_SUSPECT = 1e-8


def check_identified(rows: ModelRows, *, counts: bool) -> None:
    """Refuse too few rows, constant or collinear columns, and, for counts, separation.

    Parameters
    ----------
    rows : ModelRows
        The checked rows.
    counts : bool
        The response is a count and the link is the log, so that a coefficient can run to infinity.

    Raises
    ------
    EstimationError
        With the names of the columns.
    """
    if rows.n <= rows.n_parameters:
        raise EstimationError(
            f"{rows.n} rows with weight and events cannot determine {rows.n_parameters} coefficients"
        )
    _check_collinear(rows)
    if counts:
        _check_separation(rows)


def collinear_columns(columns: Floats) -> list[int]:
    """Find columns that are combinations of the columns before them.

    Parameters
    ----------
    columns : ndarray, shape (k, n)
        One column per row.

    Returns
    -------
    list of int
        Positions; a column of zeros is one of them.

    Examples
    --------
    >>> collinear_columns(np.array([[1.0, 1.0, 1.0], [1.0, 2.0, 4.0], [3.0, 5.0, 9.0]]))
    [2]
    """
    length = np.sqrt(np.einsum("ij,ij->i", columns, columns))
    scaled = columns / np.where(length > 0, length, 1.0)[:, None]
    triangle: Floats = np.asarray(np.linalg.qr(scaled.T, mode="r"))
    basis: list[Floats] = []
    found = []
    for j, column in enumerate(triangle.T):
        left = column.copy()
        for axis in basis * 2:  # twice: Gram-Schmidt loses orthogonality once
            left = left - axis * (axis @ left)
        size = float(np.linalg.norm(left))
        if size < COLLINEAR:
            found.append(j)
        else:
            basis.append(left / size)
    return found


def _within_groups(columns: Floats, absorbed: Ids, weights: Floats) -> Floats:
    """Columns (k, n) minus their weighted mean in the absorbed group; a column without variation is zero."""
    if not absorbed.size:
        return columns
    total = absorbed.total(weights)
    mean = absorbed.total(columns * weights) / np.where(total > 0, total, 1.0)
    within = columns - mean[:, absorbed.codes]
    constant = np.linalg.norm(within, axis=1) < COLLINEAR * np.linalg.norm(columns, axis=1)
    within[constant] = 0.0
    return within


def _clearly_independent(columns: Floats, absorbed: Ids) -> bool:
    """Look at the Gram matrix of the columns within groups: cheap, and sure only when it says yes."""
    gram = columns @ columns.T
    length = np.sqrt(np.diag(gram))
    if absorbed.size:
        total = absorbed.total(columns)
        gram = gram - (total / np.bincount(absorbed.codes)) @ total.T
    if not length.all():
        return False
    return bool(np.linalg.eigvalsh(gram / np.outer(length, length))[0] > _SUSPECT)


def _check_collinear(rows: ModelRows) -> None:
    if _clearly_independent(rows.columns, rows.absorbed):
        return
    found = collinear_columns(_within_groups(rows.columns, rows.absorbed, np.ones(rows.n)))
    if found:
        inside = " within the absorbed groups" if rows.absorbed.size else ""
        raise EstimationError(
            f"{len(found)} columns are constant or a combination of the columns before them{inside}; "
            "leave them out (or centre a column before taking its square)",
            problems=[rows.names[j] for j in found],
        )


def _check_separation(rows: ModelRows) -> None:
    """Look for a combination of columns that is zero wherever there are events and never positive elsewhere.

    Along it the likelihood rises without end (Correia, Guimarães and Zylkin 2019, arXiv:1903.01633).
    """
    events = rows.y > 0
    groups = rows.absorbed.take(events) if rows.absorbed.size else rows.absorbed
    if events.all() or _clearly_independent(rows.columns[:, events], groups):
        return
    within = _within_groups(rows.columns, rows.absorbed, events.astype(np.float64))
    scaled = within / np.sqrt(np.einsum("ij,ij->i", within, within))[:, None]
    direction = _separating(scaled[:, events], scaled[:, ~events])
    if direction is not None:
        named = [name for name, size in zip(rows.names, direction, strict=True) if abs(size) > _SUSPECT**0.5]
        raise EstimationError(
            "the counts are all zero on one side of these columns (separation), so their coefficients have "
            "no finite value; leave them out, merge levels, or absorb the group they stand for",
            problems=named,
        )


def _separating(events: Floats, zeros: Floats) -> Floats | None:
    """Find the direction d (k,) with d·events = 0 and d·zeros <= 0 that is below zero most often, or None."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, eye_array, hstack

    free = _null_space(events)
    if free.shape[1] == 0:
        return None
    reach = zeros.T @ free
    reach = np.unique(np.round(reach / max(float(np.abs(reach).max()), 1e-300), 9), axis=0)
    n, m = reach.shape
    solved = linprog(
        np.concatenate([np.zeros(m), -np.ones(n)]),
        A_ub=hstack([csr_array(reach), eye_array(n)]),  # reach·d + t <= 0, with t in [0, 1] to be large
        b_ub=np.zeros(n),
        bounds=[(None, None)] * m + [(0.0, 1.0)] * n,
    )
    if solved.x is None or solved.fun > -1e-7:
        return None
    best: Floats = free @ (solved.x[:m] / np.abs(solved.x[:m]).max())
    return best


def _null_space(columns: Floats) -> NDArray[np.float64]:
    """Orthonormal directions d (k, m) with d·columns = 0."""
    _, size, vectors = np.linalg.svd(np.linalg.qr(columns.T, mode="r"), full_matrices=True)
    padded = np.zeros(len(columns))
    padded[: size.size] = size
    directions: Floats = vectors[padded <= COLLINEAR * max(float(padded.max()), 1e-300)].T
    return directions
