"""Cluster bootstrap: a replicate is another weight vector over persons, matched sets or practices.

Every estimator here is a function of sums over clusters, so a replicate needs no rows: the counts with which
the clusters are drawn, times the sums of each cluster, by one matrix product. Outcomes whose sums stand side by
side in one matrix get the same counts, so their draws are joint; so do two calls with the same seed,
number of clusters and strata.

Counts are multinomial: as many clusters are drawn as there are. They are made as Poisson counts with a mean a
little below 1 (from 16 random bits), topped up with uniform draws to the right total; given their total,
Poisson counts are multinomial, so nothing is approximated but the 16 bits.

With fewer than about 24 clusters in an arm bootstrap intervals are too narrow (Flynn and Peters 2004,
doi:10.1186/1472-6963-4-33): use :mod:`wor_eval.effects.small_sample` there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.errors import EstimationError

_Array = NDArray[Any]
Statistic = Callable[[_Array], _Array]
_BLOCK_CELLS = 500_000
_MOST_REDRAWN = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class BootstrapDraws:
    """Draws of one or more estimates.

    Attributes
    ----------
    estimate : ndarray, shape (...)
        The estimate from the data themselves.
    draws : ndarray, shape (replicates, ...)
        The estimate in each replicate.
    influence : ndarray, shape (clusters, ...), or None
        Influence of each cluster on the estimate, in sorted order of the clusters: what the BCa interval needs.
        None from :func:`bootstrap_draws`: see :func:`jackknife_influence`.
    std_error, std_errors : ndarray, shapes (...) and (replicates, ...), or None
        Standard error from the data and in each replicate: what the studentised interval needs.
    n_clusters, n_redrawn : int
        Clusters; and replicates that were thrown away because the estimate did not exist in them.
    """

    estimate: _Array
    draws: _Array
    influence: _Array | None = None
    std_error: _Array | None = None
    std_errors: _Array | None = None
    n_clusters: int
    n_redrawn: int


def cluster_totals(values: ArrayLike, clusters: ArrayLike) -> _Array:
    """Sum rows by cluster: the sufficient sums of a cluster bootstrap.

    Parameters
    ----------
    values : array-like, shape (n,) or (n, p)
        Rows to add up, weights already multiplied in.
    clusters : array-like, shape (n,)
        Cluster of each row.

    Returns
    -------
    ndarray, shape (G, p)
        One row per cluster, in sorted order of the clusters.

    Raises
    ------
    EstimationError
        Wrong shapes, or missing or infinite values.

    Examples
    --------
    >>> cluster_totals([[2, 365], [1, 100], [4, 365]], ["b", "a", "b"])
    array([[  1., 100.],
           [  6., 730.]])
    """
    rows = np.asarray(values, dtype=float)
    rows = rows[:, None] if rows.ndim == 1 else rows
    codes = _codes(clusters, rows)
    return np.stack([np.bincount(codes, weights=column) for column in rows.T], axis=1)


def bootstrap_draws(
    totals: ArrayLike, *, statistic: Statistic, replicates: int, seed: int, strata: ArrayLike | None = None
) -> BootstrapDraws:
    """Draw clusters with replacement and give the statistic of each replicate.

    Parameters
    ----------
    totals : array-like, shape (G, p)
        Sums by cluster, from :func:`cluster_totals`.
    statistic : callable
        From sums ``(R, p)`` to estimates ``(R, ...)``, row by row; NaN where the estimate does not exist, for
        instance because an arm is empty (0 / 0 does so by itself).
    replicates : int
        Number of draws.
    seed : int
        Seed; the draws do not depend on the size of the blocks in which they are made.
    strata : array-like, shape (G,), optional
        Clusters are drawn within strata, so that each keeps its number of clusters (arms, regions).

    Returns
    -------
    BootstrapDraws
        Replicates without an estimate are drawn again and counted in ``n_redrawn``.

    Raises
    ------
    EstimationError
        Unusable input, a stratum of one cluster, no estimate in the data themselves, or an estimate that does
        not exist in more than 5 % of the replicates: too few clusters in an arm to resample.

    Examples
    --------
    A rate, events per person-year, of six practices.

    >>> sums = cluster_totals([[30, 10], [12, 6], [25, 9], [40, 11], [8, 7], [20, 8]], list("abcdef"))
    >>> rate = lambda s: s[:, 0] / s[:, 1]
    >>> result = bootstrap_draws(sums, statistic=rate, replicates=2000, seed=1)
    >>> print(result.estimate.round(3), result.draws.shape, result.draws.std().round(2))
    2.647 (2000,) 0.32
    """
    sums = np.asarray(totals)
    sums = sums if sums.dtype == np.float32 else sums.astype(float)
    if sums.ndim != 2 or sums.size == 0 or not np.isfinite(sums).all():
        raise EstimationError("totals: a matrix of finite sums, one row per cluster, is needed")
    if replicates < 1:
        raise EstimationError("replicates: at least 1 is needed")
    groups = _groups(strata, len(sums))
    estimate = _defined(statistic, sums.sum(axis=0, dtype=float)[None, :])[0]
    if not np.isfinite(estimate).all():
        raise EstimationError(
            "the estimate does not exist in the data themselves: is an arm or window empty?"
        )
    draws, n_redrawn = _collect(sums, statistic, groups, replicates=replicates, seed=seed)
    return BootstrapDraws(estimate=estimate, draws=draws, n_clusters=len(sums), n_redrawn=n_redrawn)


def jackknife_influence(
    totals: ArrayLike, *, statistic: Statistic, strata: ArrayLike | None = None
) -> _Array:
    """Give the influence of each cluster by leaving it out: what the BCa interval needs.

    ``(m - 1) / m`` times the mean over the stratum of the leave-one-out estimates minus that of the cluster,
    with ``m`` clusters in the stratum (Davison and Hinkley 1997, section 3.2.1; Efron 1987,
    doi:10.1080/01621459.1987.10478410).

    Parameters
    ----------
    totals, statistic, strata
        As in :func:`bootstrap_draws`.

    Returns
    -------
    ndarray, shape (G, ...)

    Raises
    ------
    EstimationError
        The estimate does not exist without one of the clusters.

    Examples
    --------
    >>> mean = lambda s: s[:, 0] / s[:, 1]
    >>> print(jackknife_influence([[1, 1], [2, 1], [6, 1]], statistic=mean).round(3))
    [-0.667 -0.333  1.   ]
    """
    sums = np.asarray(totals, dtype=float)
    groups = _groups(strata, len(sums))
    left_out = _defined(statistic, sums.sum(axis=0) - sums)
    undefined = len(sums) - int(_rows_defined(left_out).sum())
    if undefined:
        raise EstimationError(
            f"the estimate does not exist without one cluster ({undefined} of {len(sums)}): an arm hangs on it"
        )
    influence = np.empty_like(left_out)
    for members in groups:
        centred = left_out[members].mean(axis=0) - left_out[members]
        influence[members] = centred * (1.0 - 1.0 / members.size)
    return influence


def _collect(
    sums: _Array, statistic: Statistic, groups: list[NDArray[np.intp]], *, replicates: int, seed: int
) -> tuple[_Array, int]:
    """Take draws in order until there are enough; those without an estimate are counted and skipped."""
    parts: list[_Array] = []
    missing, n_redrawn = replicates, 0
    for block in _replicate_sums(sums, groups, replicates=replicates, seed=seed):
        values = _defined(statistic, block)
        good = _rows_defined(values)
        used = int(np.searchsorted(np.cumsum(good), missing)) + 1 if good.sum() >= missing else good.size
        n_redrawn += int((~good[:used]).sum())
        if n_redrawn > _MOST_REDRAWN * replicates:
            raise EstimationError(
                f"the estimate does not exist in more than {_MOST_REDRAWN:.0%} of the replicates: too few "
                "clusters in an arm; draw within arms (strata), or use CR2 standard errors"
            )
        parts.append(values[:used][good[:used]])
        missing -= len(parts[-1])
        if missing == 0:
            break
    return np.concatenate(parts), n_redrawn


def _replicate_sums(
    sums: _Array, groups: list[NDArray[np.intp]], *, replicates: int, seed: int
) -> Iterator[_Array]:
    """Give replicate sums (rows, p) without end, each stratum from random streams of its own."""
    streams = []
    for members, child in zip(groups, np.random.SeedSequence(seed).spawn(len(groups)), strict=True):
        for_bits, for_extra = child.spawn(2)
        streams.append((sums[members], np.random.PCG64(for_bits), np.random.default_rng(for_extra)))
    rows = int(np.clip(_BLOCK_CELLS // len(sums), 8, replicates))
    while True:
        block = np.zeros((rows, sums.shape[1]))
        for stratum, bits, extra in streams:
            block += _product(_counts(bits, extra, len(stratum), rows).astype(sums.dtype), stratum)
        yield block


def _counts(bits: np.random.PCG64, extra: np.random.Generator, size: int, rows: int) -> NDArray[np.int8]:
    """Give multinomial counts (rows, size), each row adding up to ``size``.

    A row whose Poisson counts already add up to more (about 3 in 100,000) is drawn from uniform draws alone.
    No count can pass 127 but with a chance far below 1e-100.
    """
    words = -(-size // 4)
    raw = bits.random_raw(rows * words).view(np.uint16).reshape(rows, -1)[:, :size]
    counts = np.zeros((rows, size), dtype=np.int8)
    for threshold in _thresholds(size):
        counts += raw >= threshold
    short = size - counts.sum(axis=1, dtype=np.int64)
    counts[short < 0] = 0
    short[short < 0] = size
    cells = np.repeat(np.arange(rows) * size, short) + extra.integers(0, size, size=int(short.sum()))
    np.add.at(counts.reshape(-1), cells, np.int8(1))
    return counts


def _product(counts: _Array, sums: _Array) -> _Array:
    """Multiply (rows, G) with (G, p) in slices that OpenBLAS does on one thread (up to 2^18 products).

    A second thread gains little on so thin a matrix and costs a factor of ten when the other cores are busy;
    the result does not depend on the number of cores.
    """
    depth = max(64, 2**18 // (len(counts) * sums.shape[1]))
    whole = len(sums) // depth * depth
    left = counts[:, :whole].reshape(len(counts), -1, depth).swapaxes(0, 1)
    slices = left @ sums[:whole].reshape(-1, depth, sums.shape[1])
    return np.asarray(slices.sum(axis=0, dtype=float) + counts[:, whole:] @ sums[whole:])


def _thresholds(size: int) -> list[np.uint16]:
    """Give the Poisson distribution function in 65,536ths, for a mean four standard deviations below 1."""
    mean = max(0.0, 1.0 - 4.0 / math.sqrt(size))
    steps = [math.exp(-mean)]
    while round(math.fsum(steps) * 65536) < 65536:
        steps.append(steps[-1] * mean / len(steps))
    return [np.uint16(round(math.fsum(steps[: i + 1]) * 65536)) for i in range(len(steps) - 1)]


def _rows_defined(values: _Array) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(values.reshape(len(values), -1)).all(axis=1))


def _defined(statistic: Statistic, sums: _Array) -> _Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(statistic(sums), dtype=float)


def _codes(clusters: ArrayLike, rows: _Array) -> NDArray[np.intp]:
    """Give each cluster a number from 0 in sorted order, beside rows that must be finite."""
    names = np.asarray(clusters)
    if rows.ndim != 2 or names.shape != (len(rows),) or names.size == 0:
        raise EstimationError(f"clusters of shape {names.shape} beside rows of shape {rows.shape}")
    bad = int((~np.isfinite(rows)).any(axis=1).sum())
    if bad:
        raise EstimationError(f"{bad} of {len(rows)} rows hold missing or infinite values")
    return np.unique(names, return_inverse=True)[1]


def _groups(strata: ArrayLike | None, n_clusters: int) -> list[NDArray[np.intp]]:
    """Give the positions of the clusters of each stratum."""
    names = np.zeros(n_clusters) if strata is None else np.asarray(strata)
    if names.shape != (n_clusters,):
        raise EstimationError(f"strata of shape {names.shape}: one value for each of {n_clusters} clusters")
    _, codes, sizes = np.unique(names, return_inverse=True, return_counts=True)
    if sizes.min() < 2:
        raise EstimationError(
            f"{int((sizes < 2).sum())} of {sizes.size} strata hold one cluster, which cannot be resampled"
        )
    return np.split(np.argsort(codes, kind="stable"), np.cumsum(sizes)[:-1])
