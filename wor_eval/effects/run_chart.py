"""A run chart of rates by quarter: limits of chance, and stated rules for what counts as a signal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.errors import EstimationError

_Floats = NDArray[np.float64]
_SIGMAS = 3.0
_MEAN_MOVING_RANGE = 1.128  # of two standard normal draws: 2 / sqrt(pi)
FEWEST = 10
"""Fewest points off the centre for the rules on runs to say anything."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunChart:
    """Rates in order of time with their limits and signals.

    Attributes
    ----------
    rate, low, high : ndarray, shape (points,)
        Events per unit of time, and the limits of each point; missing where there is no time at risk.
    centre : float
        All events over all time.
    widening : float
        Factor on the limits for variation beyond chance between neighbouring points (at least 1).
    outside : ndarray of bool, shape (points,)
        Points outside their limits.
    longest_run, longest_allowed : int
        Most points in a row on one side of the centre, and how many chance allows.
    crossings, fewest_allowed : int
        How often the line crosses the centre, and how few times chance allows.
    """

    rate: _Floats
    low: _Floats
    high: _Floats
    centre: float
    widening: float
    outside: NDArray[np.bool_]
    longest_run: int
    longest_allowed: int
    crossings: int
    fewest_allowed: int

    @property
    def runs_known(self) -> bool:
        """Whether there are points enough for the rules on runs."""
        return self.longest_allowed > 0

    @property
    def shift(self) -> bool:
        """Whether a rule on runs finds a shift: a run too long, or too few crossings."""
        too_few = self.crossings < self.fewest_allowed
        return self.runs_known and (self.longest_run > self.longest_allowed or too_few)


def run_chart(count: ArrayLike, time: ArrayLike) -> RunChart:
    """Set out rates in order of time, with limits and the rules that call a signal.

    Limits are ``u +- 3 k sqrt(u / t)`` about the centre ``u`` (a u chart); ``k`` is the mean moving range of the
    standardised points over 1.128, at least 1, so that variation beyond chance from point to point is not called
    a signal (Laney 2002, doi:10.1081/QEN-120003555). Rules: a point outside its limits; more than
    ``round(log2 n + 3)`` points in a row on one side; fewer crossings of the centre than the 5 % quantile of a
    binomial with ``n - 1`` draws of one half (Anhoej and Olesen 2014, doi:10.1371/journal.pone.0113825). Points on
    the centre do not count in ``n``; with fewer than 10 the rules on runs say nothing.

    Parameters
    ----------
    count : array-like, shape (points,)
        Events.
    time : array-like, shape (points,)
        Time at risk. 0 is a point without a rate: it is left out of every rule.

    Returns
    -------
    RunChart

    Raises
    ------
    EstimationError
        Unusable input, no time at all, or events where there is no time.

    Examples
    --------
    >>> chart = run_chart([4, 6, 5, 4, 6, 5, 4, 6, 4, 30], [100] * 10)
    >>> chart.outside.tolist().index(True), chart.longest_run, round(chart.centre, 3)
    (9, 9, 0.074)
    """
    from scipy.stats import binom

    x, t = np.asarray(count, dtype=float), np.asarray(time, dtype=float)
    if x.ndim != 1 or x.shape != t.shape or not (np.isfinite(x) & np.isfinite(t) & (x >= 0) & (t >= 0)).all():
        raise EstimationError("count and time: finite numbers of at least 0 in order of time are needed")
    if (x[t == 0] > 0).any():
        raise EstimationError(f"{int((x[t == 0] > 0).sum())} points have events but no time at risk")
    if not (t > 0).any():
        raise EstimationError("no point has time at risk")
    there = t > 0
    centre = float(x.sum() / t.sum())
    rate = np.divide(x, t, out=np.full(x.shape, np.nan), where=there)
    error = np.sqrt(np.divide(centre, t, out=np.full(x.shape, np.nan), where=there))
    widening = _widening(((rate - centre) / error)[there]) if centre > 0 else 1.0
    half = _SIGMAS * widening * error
    side = np.sign(rate[there] - centre)
    side = side[side != 0]
    enough = side.size >= FEWEST
    return RunChart(
        rate=rate,
        low=np.maximum(centre - half, 0),
        high=centre + half,
        centre=centre,
        widening=widening,
        outside=there & (np.abs(rate - centre) > half),
        longest_run=_longest_run(side),
        longest_allowed=round(np.log2(side.size) + 3) if enough else 0,
        crossings=int((side[1:] != side[:-1]).sum()),
        fewest_allowed=int(binom.ppf(0.05, side.size - 1, 0.5)) if enough else 0,
    )


def _widening(z: _Floats) -> float:
    if z.size < 2:
        return 1.0
    return max(1.0, float(np.abs(np.diff(z)).mean() / _MEAN_MOVING_RANGE))


def _longest_run(side: _Floats) -> int:
    if not side.size:
        return 0
    changes = np.flatnonzero(side[1:] != side[:-1]) + 1
    return int(np.diff(np.concatenate(([0], changes, [side.size]))).max())
