"""A funnel plot of practices: how far each may lie from the whole by chance, with overdispersion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.errors import EstimationError

_Floats = NDArray[np.float64]
Overdispersion = Literal["additive", "multiplicative", "none"]
LEVELS = (0.95, 0.998)
"""Levels of the two pairs of limits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FunnelPlot:
    """Units of a funnel plot and its limits.

    Attributes
    ----------
    ratio : ndarray, shape (units,)
        Observed over expected.
    z : ndarray, shape (units,)
        Distance from 1 in standard errors, overdispersion taken into account.
    low, high : ndarray, shape (units, 2)
        Limits of 95 % and 99.8 % at the expected number of each unit.
    dispersion : float
        ``phi``: mean squared winsorised distance before overdispersion; about 1 where there is none.
    factor : float
        ``sqrt(phi)`` where the limits are widened by it (multiplicative), else 1.
    variance_between : float
        ``tau^2``: variance between units on the scale of the root of the ratio (additive).
    """

    ratio: _Floats
    z: _Floats
    low: _Floats
    high: _Floats
    dispersion: float
    factor: float
    variance_between: float


def funnel_plot(
    observed: ArrayLike,
    expected: ArrayLike,
    *,
    winsorise: float = 0.1,
    overdispersion: Overdispersion = "additive",
) -> FunnelPlot:
    """Compare units with the whole, as Spiegelhalter (2005, doi:10.1002/sim.1970).

    The root of observed over expected has standard error ``s = 1 / (2 sqrt(expected))`` about 1, so
    ``z = 2 (sqrt(observed) - sqrt(expected))``. With the most extreme ``z`` drawn in (winsorised), ``phi`` is the
    mean of their squares. Where ``phi`` exceeds ``1 + 2 sqrt(2 / I)`` there is overdispersion over ``I`` units:
    ``multiplicative`` widens ``s`` by ``sqrt(phi)``; ``additive`` adds
    ``tau^2 = (I phi - (I - 1)) / (sum w - sum w^2 / sum w)``, ``w = 1 / s^2``, to ``s^2``.

    Parameters
    ----------
    observed, expected : array-like, shape (units,)
        Events, and those to be expected with the rates of all units together.
    winsorise : float, default 0.1
        Share on each side that is drawn in.
    overdispersion : {"additive", "multiplicative", "none"}
        Which model.

    Returns
    -------
    FunnelPlot

    Raises
    ------
    EstimationError
        Fewer than two units, shapes that differ, or an expected number that is not above zero.

    Examples
    --------
    >>> found = funnel_plot([9, 16, 25, 60], [9, 16, 25, 25], winsorise=0, overdispersion="none")
    >>> print(found.z.round(2), found.high[:, 0].round(2))
    [0.   0.   0.   5.49] [1.76 1.55 1.43 1.43]
    """
    o, e = np.asarray(observed, dtype=float), np.asarray(expected, dtype=float)
    if o.ndim != 1 or o.shape != e.shape or o.size < 2:
        raise EstimationError(f"observed {o.shape} and expected {e.shape}: two or more units are needed")
    if not (np.isfinite(o) & (o >= 0)).all() or not (np.isfinite(e) & (e > 0)).all():
        raise EstimationError(
            "observed must be 0 or more, expected above 0: a unit without persons has no rate"
        )
    if not 0 <= winsorise < 0.5:
        raise EstimationError("winsorise must be at least 0 and below 0.5")
    error = 1 / (2 * np.sqrt(e))
    z = (np.sqrt(o / e) - 1) / error
    drawn_in = np.clip(z, *np.quantile(z, (winsorise, 1 - winsorise)))
    phi = float((drawn_in**2).mean())
    over = phi > 1 + 2 * np.sqrt(2 / o.size)
    between = _between(phi, error) if over and overdispersion == "additive" else 0.0
    factor = float(np.sqrt(phi)) if over and overdispersion == "multiplicative" else 1.0
    low, high = funnel_limits(e, factor=factor, variance_between=between)
    return FunnelPlot(
        ratio=o / e,
        z=(np.sqrt(o / e) - 1) / _total_error(e, factor, between),
        low=low,
        high=high,
        dispersion=phi,
        factor=factor,
        variance_between=between,
    )


def funnel_limits(
    expected: ArrayLike, *, factor: float = 1.0, variance_between: float = 0.0
) -> tuple[_Floats, _Floats]:
    """Give the limits of a funnel at some expected numbers.

    Parameters
    ----------
    expected : array-like, shape (n,)
        Expected numbers, above zero.
    factor, variance_between : float
        As in :class:`FunnelPlot`.

    Returns
    -------
    (ndarray, ndarray), shape (n, 2)
        Lower and upper limits of the ratio, at 95 % and 99.8 %.

    Examples
    --------
    >>> low, high = funnel_limits([25])
    >>> print(low.round(2), high.round(2))
    [[0.65 0.48]] [[1.43 1.71]]
    """
    from scipy.special import ndtri

    total = _total_error(np.asarray(expected, dtype=float), factor, variance_between)
    distance = total[:, None] * ndtri(0.5 + np.array(LEVELS) / 2)
    return np.maximum(1 - distance, 0) ** 2, (1 + distance) ** 2


def _total_error(expected: _Floats, factor: float, between: float) -> _Floats:
    total: _Floats = np.sqrt(factor**2 / (4 * expected) + between)
    return total


def _between(phi: float, error: _Floats) -> float:
    weight = 1 / error**2
    units = error.size
    found = (units * phi - (units - 1)) / (weight.sum() - (weight**2).sum() / weight.sum())
    return max(0.0, float(found))
