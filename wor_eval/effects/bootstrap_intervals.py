"""Intervals from bootstrap draws: percentile, normal, BCa and studentised (bootstrap-t)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.errors import EstimationError

_Array = NDArray[Any]
IntervalMethod = Literal["percentile", "normal", "bca", "studentised"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BootstrapInterval:
    """Estimates with bootstrap limits; every field but the last two has the shape of the estimate.

    Attributes
    ----------
    estimate, std_error, conf_low, conf_high, p_value : ndarray, shape (...)
        ``std_error`` is the standard deviation of the draws. ``p_value`` is the two-sided p-value of zero that
        goes with the method: the level at which its interval just touches zero, never below
        ``2 / (replicates + 1)``.
    method : str
        How the limits were found.
    n_replicates : int
        Number of draws.
    """

    estimate: _Array
    std_error: _Array
    conf_low: _Array
    conf_high: _Array
    p_value: _Array
    method: IntervalMethod
    n_replicates: int


def bootstrap_interval(
    draws: ArrayLike,
    estimate: ArrayLike,
    *,
    method: IntervalMethod,
    level: float = 0.95,
    influence: ArrayLike | None = None,
    std_error: ArrayLike | None = None,
    std_errors: ArrayLike | None = None,
) -> BootstrapInterval:
    """Turn bootstrap draws into an interval.

    With ``q`` the quantiles of the draws (numpy's default, R's type 7), ``e`` the estimate and ``s`` the
    standard deviation of the draws:

    - ``percentile``: ``q(a/2), q(1 - a/2)``;
    - ``normal``: ``e -+ z s``, without a correction for bias;
    - ``bca``: percentile limits at levels corrected for bias (share of draws below ``e``, ties half) and for
      acceleration (from ``influence``), Efron 1987, doi:10.1080/01621459.1987.10478410;
    - ``studentised``: ``e - se q_t(1 - a/2), e - se q_t(a/2)``, with ``t = (draw - e) / (its standard error)``;
      for mean costs, Barber and Thompson 2000, doi:10.1002/1097-0258(20001215)19:23<3219::AID-SIM623>3.0.CO;2-P.

    Parameters
    ----------
    draws : array-like, shape (replicates, ...)
        Draws of the estimate.
    estimate : array-like, shape (...)
        The estimate from the data.
    method : {"percentile", "normal", "bca", "studentised"}
        How the limits are found.
    level : float, default 0.95
        Level of the interval, between 0 and 1.
    influence : array-like, shape (clusters, ...), optional
        Influence of each cluster; needed for ``bca``.
    std_error, std_errors : array-like, shapes (...) and (replicates, ...), optional
        Standard error from the data and in each replicate; needed for ``studentised``.

    Returns
    -------
    BootstrapInterval

    Raises
    ------
    EstimationError
        Missing or infinite values, wrong shapes, too few draws for the level, what the method needs is
        missing, or the estimate lies outside all its draws.

    Examples
    --------
    >>> import numpy as np
    >>> draws = np.random.default_rng(1).normal(2.0, 1.0, 4000)
    >>> result = bootstrap_interval(draws, 2.0, method="percentile")
    >>> print(result.conf_low.round(1), result.conf_high.round(1), result.p_value.round(2))
    0.1 4.0 0.04
    """
    values, point = np.asarray(draws, dtype=float), np.asarray(estimate, dtype=float)
    if values.ndim == 0 or values.shape[1:] != point.shape:
        raise EstimationError(f"draws of shape {values.shape} do not fit an estimate of shape {point.shape}")
    if not np.isfinite(values).all() or not np.isfinite(point).all():
        raise EstimationError(f"{int((~np.isfinite(values)).sum())} draws are missing or infinite")
    if not 0 < level < 1 or (len(values) + 1) * (1 - level) / 2 < 1:
        raise EstimationError(f"{len(values)} draws say nothing about the ends of a {level} interval")
    flat, centre = values.reshape(len(values), -1), point.reshape(-1)
    if method == "percentile":
        low, high, p = _percentile(flat, level)
    elif method == "normal":
        low, high, p = _normal(flat, centre, level)
    elif method == "bca":
        low, high, p = _bca(flat, centre, level, influence=influence)
    elif method == "studentised":
        low, high, p = _studentised(flat, centre, level, errors=(std_error, std_errors))
    else:
        raise EstimationError("method: percentile, normal, bca or studentised is needed")
    return BootstrapInterval(
        estimate=point,
        std_error=values.std(axis=0, ddof=1),
        conf_low=low.reshape(point.shape),
        conf_high=high.reshape(point.shape),
        p_value=p.reshape(point.shape),
        method=method,
        n_replicates=len(values),
    )


def _tail(draws: _Array, at: ArrayLike) -> _Array:
    """Give the two-sided p-value of a value in the distribution of the draws."""
    below, above = (draws <= at).sum(axis=0), (draws >= at).sum(axis=0)
    return np.asarray(np.minimum(1.0, 2.0 * (np.minimum(below, above) + 1) / (len(draws) + 1)))


def _percentile(draws: _Array, level: float) -> tuple[_Array, _Array, _Array]:
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high, _tail(draws, 0.0)


def _normal(draws: _Array, estimate: _Array, level: float) -> tuple[_Array, _Array, _Array]:
    from scipy.special import ndtr, ndtri

    spread = draws.std(axis=0, ddof=1)
    if not spread.all():
        raise EstimationError("all draws are the same: no interval can be given")
    half = ndtri((1 + level) / 2) * spread
    return estimate - half, estimate + half, 2.0 * ndtr(-np.abs(estimate) / spread)


def _bca(
    draws: _Array, estimate: _Array, level: float, *, influence: ArrayLike | None
) -> tuple[_Array, _Array, _Array]:
    from scipy.special import ndtr, ndtri

    if influence is None:
        raise EstimationError("method bca needs the influence of each cluster: see jackknife_influence")
    parts = np.asarray(influence, dtype=float)
    parts = parts.reshape(len(parts), -1)
    if parts.shape[1] != estimate.size or not np.isfinite(parts).all() or not parts.any(axis=0).all():
        raise EstimationError(
            "influence: finite values are needed, one row per cluster, not all of them zero"
        )
    share = ((draws < estimate).mean(axis=0) + (draws <= estimate).mean(axis=0)) / 2
    if (share <= 0).any() or (share >= 1).any():
        raise EstimationError("an estimate lies outside all its draws: are they draws of the same quantity?")
    bias = ndtri(share)
    acceleration = (parts**3).sum(axis=0) / (6.0 * (parts**2).sum(axis=0) ** 1.5)
    limits = []
    for z in ndtri([(1 - level) / 2, (1 + level) / 2]):
        stretched = 1.0 - acceleration * (bias + z)
        if (stretched <= 0).any():
            raise EstimationError(
                "the estimate is too skewed for a BCa interval: use studentised or percentile"
            )
        at = ndtr(bias + (bias + z) / stretched)
        limits.append(np.array([np.quantile(draws[:, j], at[j]) for j in range(estimate.size)]))
    below = (draws <= 0).sum(axis=0)
    below = np.where(estimate >= 0, below + 1, below) / (len(draws) + 1)
    z_zero = ndtri(below) - bias
    z_level = z_zero / (1.0 + acceleration * z_zero) - bias
    p = np.clip(2.0 * ndtr(-np.abs(z_level)), 2.0 / (len(draws) + 1), 1.0)
    return limits[0], limits[1], p


def _studentised(
    draws: _Array, estimate: _Array, level: float, *, errors: tuple[ArrayLike | None, ArrayLike | None]
) -> tuple[_Array, _Array, _Array]:
    if errors[0] is None or errors[1] is None:
        raise EstimationError("method studentised needs std_error and std_errors: see bootstrap_rates")
    own = np.asarray(errors[0], dtype=float).reshape(-1)
    each = np.asarray(errors[1], dtype=float).reshape(len(draws), -1)
    if own.shape != estimate.shape or each.shape != draws.shape:
        raise EstimationError("std_error and std_errors must have the shapes of the estimate and the draws")
    usable = (each > 0) & np.isfinite(each)
    if not usable.all() or not (own > 0).all():
        raise EstimationError(f"{int((~usable).sum())} standard errors of draws are zero or not finite")
    t = (draws - estimate) / each
    low, high = np.quantile(t, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return estimate - own * high, estimate - own * low, _tail(t, estimate / own)
