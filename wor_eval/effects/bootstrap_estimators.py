"""Estimators that the cluster bootstrap draws from sums alone: least squares, and contrasts of rates."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.effects.bootstrap import (
    BootstrapDraws,
    Statistic,
    bootstrap_draws,
    cluster_totals,
)
from wor_eval.errors import EstimationError

_Array = NDArray[Any]
_SINGULAR = 1e-4


def bootstrap_linear(
    y: ArrayLike,
    X: ArrayLike,
    clusters: ArrayLike,
    *,
    replicates: int,
    seed: int,
    weights: ArrayLike | None = None,
    strata: ArrayLike | None = None,
) -> BootstrapDraws:
    """Draw the coefficients of (weighted) least squares by resampling clusters.

    Estimand: ``b = (X'WX)^-1 X'Wy``; with an arm and covariates, the adjusted mean difference. Only the
    cross-products of a cluster are needed, in a basis that is orthonormal in the data and with residuals in the
    place of outcomes, so that single precision is exact to about 1e-6 of a standard error.

    Parameters
    ----------
    y : array-like, shape (n,) or (n, m)
        Outcome, or outcomes that are drawn jointly (cost and effect).
    X : array-like, shape (n, p)
        Columns of the model, with the intercept; of full rank.
    clusters : array-like, shape (n,)
        What is drawn: person, matched set or practice.
    replicates, seed : int
        As in :func:`bootstrap_draws`.
    weights : array-like, shape (n,), optional
        Weights of the rows, not negative; 1 when left out.
    strata : array-like, shape (n,), optional
        Stratum of each row, the same within a cluster.

    Returns
    -------
    BootstrapDraws
        ``estimate`` (p,) or (p, m), ``draws`` (replicates, p) or (replicates, p, m), with ``influence``.

    Raises
    ------
    EstimationError
        Unusable input, columns that depend on each other, or too few clusters (see :func:`bootstrap_draws`).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> referred = np.repeat([0.0, 1.0], 50)
    >>> X = np.column_stack([np.ones(100), referred, rng.normal(size=100)])
    >>> cost = 300 - 40 * referred + rng.gamma(1.0, 100.0, 100)
    >>> result = bootstrap_linear(cost, X, np.arange(100), replicates=1000, seed=1)
    >>> print(result.draws.shape, result.estimate[1].round(1), result.draws[:, 1].std().round(1))
    (1000, 3) -12.7 18.5
    """
    columns, targets = _model(X, y)
    weight = _row_weights(weights, len(columns))
    basis, coefficients, triangle = _basis(columns, targets, weight)
    residuals = targets - columns @ coefficients
    upper = np.triu_indices(columns.shape[1])
    products = np.hstack(
        [basis[:, upper[0]] * basis[:, upper[1]], *(basis * r[:, None] for r in residuals.T)]
    )
    totals = cluster_totals(products * weight[:, None], clusters)
    solve = _normal_equations(columns.shape[1], targets.shape[1])
    drawn = bootstrap_draws(
        totals.astype(np.float32),
        statistic=solve,
        replicates=replicates,
        seed=seed,
        strata=_cluster_strata(strata, clusters),
    )
    back = np.linalg.inv(triangle)
    shape = (columns.shape[1], *np.shape(y)[1:])
    scores = totals[:, upper[0].size :].reshape(len(totals), targets.shape[1], -1).swapaxes(1, 2)
    return BootstrapDraws(
        estimate=coefficients.reshape(shape),
        draws=(coefficients + back @ drawn.draws).reshape(-1, *shape),
        influence=(back @ scores / weight.sum()).reshape(-1, *shape),
        n_clusters=drawn.n_clusters,
        n_redrawn=drawn.n_redrawn,
    )


def bootstrap_rates(
    events: ArrayLike,
    time: ArrayLike,
    clusters: ArrayLike,
    *,
    signs: ArrayLike,
    replicates: int,
    seed: int,
    weights: ArrayLike | None = None,
    strata: ArrayLike | None = None,
) -> BootstrapDraws:
    """Draw a contrast of rates, with the standard error of each draw for the studentised interval.

    Estimand: ``sum_k signs_k * (sum_i w_i events_ik) / (sum_i w_i time_ik)`` over cells ``k`` of arm and window:
    signs (-1, 1) over (before, after) is a before-after difference, (1, -1, -1, 1) over (comparison before,
    comparison after, referred before, referred after) a difference in differences. With ``time`` 1 a rate is a
    mean, of costs for instance. Standard errors are linearised, by cluster, times ``G / (G - 1)`` in the
    variance; they treat strata other than the cells themselves as if they were not there.

    Parameters
    ----------
    events : array-like, shape (n, k)
        Counts, costs or scores of each row in each cell; 0 where the row has no part in a cell.
    time : array-like, shape (n, k)
        Person-time of each row in each cell, not negative; 0 where the row has no part in it.
    clusters : array-like, shape (n,)
        What is drawn: person, matched set or practice.
    signs : array-like, shape (k,)
        Sign or size with which each rate enters.
    replicates, seed : int
        As in :func:`wor_eval.effects.bootstrap.bootstrap_draws`.
    weights : array-like, shape (n,), optional
        Weights of the rows, not negative; 1 when left out.
    strata : array-like, shape (n,), optional
        Stratum of each row, the same within a cluster.

    Returns
    -------
    BootstrapDraws
        ``estimate`` a single number, ``draws`` (replicates,), with influence and standard errors.

    Raises
    ------
    EstimationError
        Unusable input, a cell without person-time, or too few clusters.

    Examples
    --------
    >>> visits = [[6, 4], [3, 3], [9, 5], [4, 5], [7, 3], [5, 4]]
    >>> years = [[1, 1], [1, 1], [1, 0.5], [1, 1], [1, 1], [1, 1]]
    >>> result = bootstrap_rates(visits, years, range(6), signs=[-1, 1], replicates=1000, seed=1)
    >>> print(result.estimate.round(3), result.std_error.round(3))
    -1.303 0.721
    """
    above, below = np.asarray(events, dtype=float), np.asarray(time, dtype=float)
    sizes = np.asarray(signs, dtype=float)
    if above.ndim != 2 or above.shape != below.shape or sizes.shape != above.shape[1:]:
        raise EstimationError(f"events {above.shape} and time {below.shape} must be (n, k), signs (k,)")
    if (below < 0).any() or not np.isfinite(sizes).all():
        raise EstimationError(f"{int((below < 0).sum())} person-times are negative, or signs are not finite")
    weight = _row_weights(weights, len(above))
    sums = cluster_totals(np.hstack([above, below]) * weight[:, None], clusters)
    upper = np.triu_indices(sums.shape[1])
    drawn = bootstrap_draws(
        np.hstack([sums, sums[:, upper[0]] * sums[:, upper[1]]]),
        statistic=_rate_contrast(sizes, len(sums)),
        replicates=replicates,
        seed=seed,
        strata=_cluster_strata(strata, clusters),
    )
    gradient = _gradient(sums.sum(axis=0)[None, :], sizes)[0]
    return BootstrapDraws(
        estimate=drawn.estimate[0],
        draws=drawn.draws[:, 0],
        influence=sums @ gradient,
        std_error=drawn.estimate[1],
        std_errors=drawn.draws[:, 1],
        n_clusters=drawn.n_clusters,
        n_redrawn=drawn.n_redrawn,
    )


def _gradient(sums: _Array, signs: _Array) -> _Array:
    """Give the derivative of the contrast to each sum: (R, 2k) from sums (R, 2k)."""
    k = signs.size
    return np.hstack([signs / sums[:, k:], -signs * sums[:, :k] / sums[:, k:] ** 2])


def _rate_contrast(signs: _Array, n_clusters: int) -> Statistic:
    """Make the statistic from sums and their upper products to (contrast, standard error)."""
    k = signs.size
    left, right = np.triu_indices(2 * k)
    twice = np.where(left == right, 1.0, 2.0)

    def contrast(sums: _Array) -> _Array:
        estimate = (sums[:, :k] / sums[:, k : 2 * k]) @ signs
        slopes = _gradient(sums[:, : 2 * k], signs)
        variance = (sums[:, 2 * k :] * slopes[:, left] * slopes[:, right]) @ twice
        error = np.sqrt(np.maximum(variance, 0.0) * n_clusters / (n_clusters - 1))
        return np.stack([estimate, error], axis=1)

    return contrast


def _normal_equations(p: int, m: int) -> Statistic:
    """Make the statistic from cross-products to coefficients (R, p, m); NaN where they do not exist."""
    rows, columns = np.triu_indices(p)

    def solve(sums: _Array) -> _Array:
        grams = np.empty((len(sums), p, p))
        grams[:, rows, columns] = grams[:, columns, rows] = sums[:, : rows.size]
        sides = sums[:, rows.size :].reshape(len(sums), m, p).swapaxes(1, 2)
        values = np.linalg.eigvalsh(grams)
        singular = values[:, 0] <= _SINGULAR * values[:, -1]
        grams[singular] = np.eye(p)
        solved = np.linalg.solve(grams, sides)
        solved[singular] = np.nan
        return solved

    return solve


def _basis(columns: _Array, targets: _Array, weight: _Array) -> tuple[_Array, _Array, _Array]:
    """Give columns orthonormal under the weights (mean square 1), the coefficients, and the triangle between."""
    root = np.sqrt(weight)[:, None]
    scale = np.sqrt((columns**2 * weight[:, None]).mean(axis=0))
    if (
        not scale.all()
        or np.linalg.matrix_rank(columns * root / scale, tol=1e-9 * np.sqrt(len(root))) < scale.size
    ):
        raise EstimationError("the columns of X depend on each other: leave the redundant ones out")
    triangle = np.linalg.qr(columns * root, mode="r") / np.sqrt(weight.sum())
    basis = np.linalg.solve(triangle.T, columns.T).T
    coefficients = np.linalg.lstsq(columns * root, targets * root, rcond=None)[0]
    return basis, coefficients, triangle


def _model(X: ArrayLike, y: ArrayLike) -> tuple[_Array, _Array]:
    """Check the columns (n, p) and the outcomes, given back as (n, m)."""
    columns, outcomes = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    if columns.ndim != 2 or columns.size == 0 or outcomes.ndim not in {1, 2} or len(outcomes) != len(columns):
        raise EstimationError(
            f"X of shape {columns.shape} and y of shape {outcomes.shape}: (n, p) and (n,) or (n, m)"
        )
    bad = int((~np.isfinite(columns)).any(axis=1).sum() + (~np.isfinite(outcomes)).sum())
    if bad:
        raise EstimationError(f"{bad} rows of X or values of y are missing or infinite")
    return columns, outcomes.reshape(len(outcomes), -1)


def _row_weights(weights: ArrayLike | None, n: int) -> _Array:
    values = np.ones(n) if weights is None else np.asarray(weights, dtype=float)
    if values.shape != (n,):
        raise EstimationError(f"weights of shape {values.shape} beside {n} rows")
    bad = int((~np.isfinite(values) | (values < 0)).sum())
    if bad or not values.any():
        raise EstimationError(f"{bad} weights are negative or not finite, or all are zero")
    return values


def _cluster_strata(strata: ArrayLike | None, clusters: ArrayLike) -> _Array | None:
    """Bring strata from rows to clusters; each cluster must lie in one stratum."""
    if strata is None:
        return None
    names, codes = np.asarray(strata), np.unique(np.asarray(clusters), return_inverse=True)[1]
    if names.shape != codes.shape:
        raise EstimationError(f"strata of shape {names.shape} beside {codes.size} rows")
    first = np.unique(codes, return_index=True)[1]
    split = np.unique(codes[names != names[first][codes]]).size
    if split:
        raise EstimationError(f"{split} clusters lie in more than one stratum: draw larger clusters")
    return np.asarray(names[first])
