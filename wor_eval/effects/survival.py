"""Time to an event that nothing competes with: Kaplan-Meier and the log-rank test.

Standard errors are sums of squared influences (the infinitesimal jackknife, as R's ``survfit`` with weights or
clusters). Without weights and clusters that is Greenwood's formula exactly, because the increments of a person at
different times are uncorrelated. Where a death can come first use :mod:`wor_eval.effects.competing`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.effects.event_times import EventTimes, IntervalScale, event_times, positions, share_limits
from wor_eval.effects.model_rows import Codes, Floats, code_ids
from wor_eval.errors import EstimationError


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """A share of persons over time; each field has shape (q,).

    Attributes
    ----------
    time : ndarray
        Times, in the unit of the input.
    n_risk : ndarray of int
        Persons still observed, without an event, just before the time.
    n_event : ndarray of int
        Persons with the event up to and including the time.
    estimate, std_error, conf_low, conf_high : ndarray
        Share of persons, its standard error and limits. No limits (NaN) where the share is 0 or 1.
    """

    time: Floats
    n_risk: NDArray[np.int64]
    n_event: NDArray[np.int64]
    estimate: Floats
    std_error: Floats
    conf_low: Floats
    conf_high: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeQuantile:
    """The time by which a share of the persons had the event; NaN where that is never seen."""

    estimate: float
    conf_low: float
    conf_high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LogRank:
    """Log-rank test: chi-squared `statistic` on `df`; observed and expected events by group (groups,)."""

    statistic: float
    df: int
    p_value: float
    groups: NDArray[np.generic]
    observed: Floats
    expected: Floats


def kaplan_meier(
    time: ArrayLike,
    event: ArrayLike,
    *,
    at: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    interval: IntervalScale = "log-log",
    level: float = 0.95,
) -> Curve:
    r"""Estimate the share of persons without the event over time.

    Estimand: ``S(t) = P(T > t)`` by ``Π (1 - d/Y)`` over the event times up to t, d events and Y at risk (Kaplan
    and Meier 1958, doi:10.1080/01621459.1958.10501452). Ending observation must have nothing to do with the event.

    Parameters
    ----------
    time : array_like, shape (n,)
        Time to the event or to the end of observation. With both at one time, the event comes first.
    event : array_like of 0/1, shape (n,)
        1 where the event came.
    at : array_like, shape (q,), optional
        Times to report. None: every time with an event.
    weights : array_like, shape (n,), optional
        Weights, zero or more (1 / ratio of a matched set).
    clusters : array_like, shape (n,), optional
        Matched set or practice: the standard error adds influences up within it. With weights or clusters
        each time costs a pass over the persons: give `at`.
    interval : {"log-log", "log"}
        Scale of the interval: as Stata and lifelines, or the default of R's ``survfit``.
    level : float
        Level of the interval.

    Returns
    -------
    Curve

    Raises
    ------
    EstimationError
        Unusable input, other events than 0 and 1, times after the last observation.

    Examples
    --------
    >>> curve = kaplan_meier([6, 6, 6, 7, 10, 13, 16, 22], [1, 1, 1, 1, 0, 1, 1, 0], at=[6, 20])
    >>> curve.n_risk, curve.estimate.round(3), curve.std_error.round(3)
    (array([8, 1]), array([0.625, 0.167]), array([0.171, 0.148]))
    """
    found = single_event(event_times(time, event, weights=weights, clusters=clusters))
    steps = survival_steps(found)
    when, place = positions(found, at, ended=bool(steps.survival[-1] == 0))
    estimate = np.append(steps.survival, 1.0)[place]
    error = _curve_errors(found, steps, place)
    limits = share_limits(estimate, error, scale=interval, level=level)
    return curve_at(found, (when, place), (estimate, error, *limits), had=found.cause > 0)


def curve_at(
    found: EventTimes,
    at: tuple[Floats, NDArray[np.intp]],
    known: tuple[Floats, Floats, Floats, Floats],
    *,
    had: NDArray[np.bool_],
) -> Curve:
    """Make a curve at the times and places that :func:`positions` gives, with the persons at risk and with the event.

    `known` is the estimate with its standard error and limits, each (q,); `had` tells who had the event, (n,).
    """
    when, place = at
    estimate, error, low, high = known
    events = np.append(np.cumsum(found.by_time(had.astype(np.float64))), 0)
    return Curve(
        time=when,
        n_risk=(found.time.size - np.searchsorted(np.sort(found.time), when, side="left")).astype(np.int64),
        n_event=events[place].astype(np.int64),
        estimate=estimate,
        std_error=error,
        conf_low=low,
        conf_high=high,
    )


def time_quantile(curve: Curve, share: float = 0.5) -> TimeQuantile:
    """Give the time by which a share of the persons had the event, with its limits from those of the curve.

    Parameters
    ----------
    curve : Curve
        From :func:`kaplan_meier` at every event time (``at=None``).
    share : float, default 0.5
        Between 0 and 1; 0.5 is the median.

    Returns
    -------
    TimeQuantile
        The first time at which the curve is at or below ``1 - share``; where it lies on it, the middle of that
        step, as R does. Limits by Brookmeyer and Crowley 1982, doi:10.2307/2530286.

    Raises
    ------
    EstimationError
        A share that is not between 0 and 1.

    Examples
    --------
    >>> time_quantile(kaplan_meier([3, 5, 7, 8, 9], [1, 1, 1, 0, 1])).estimate
    7.0
    """
    if not 0 < share < 1:
        raise EstimationError("share: a number between 0 and 1 is needed")
    values = (
        _crossing(curve.time, line, 1 - share) for line in (curve.estimate, curve.conf_low, curve.conf_high)
    )
    estimate, low, high = values
    return TimeQuantile(estimate=estimate, conf_low=low, conf_high=high)


def log_rank(time: ArrayLike, event: ArrayLike, group: ArrayLike) -> LogRank:
    """Test whether the event comes as fast in all groups (log-rank, hypergeometric variance).

    For persons in clusters or with weights it is too sure of itself: use
    :func:`wor_eval.effects.cox.cox_regression` with clusters.

    Parameters
    ----------
    time, event
        As in :func:`kaplan_meier`.
    group : array_like, shape (n,)
        Group of each person.

    Returns
    -------
    LogRank
        As R's ``survdiff`` (Mantel 1966).

    Raises
    ------
    EstimationError
        As :func:`kaplan_meier`; fewer than two groups, or no events.

    Examples
    --------
    >>> found = log_rank([6, 6, 7, 10, 13, 1, 2, 3, 8, 12], [1, 1, 1, 0, 1, 1, 1, 1, 1, 1], list("aaaaabbbbb"))
    >>> round(found.statistic, 3), found.observed, found.expected.round(2)
    (1.613, array([4., 5.]), array([5.71, 3.29]))
    """
    from scipy.special import chdtrc

    found = single_event(event_times(time, event))
    ids = code_ids(group, "group")
    if ids.codes.size != found.time.size or ids.size < 2 or not found.cause.any():
        raise EstimationError("the log-rank test needs events, and at least two groups, one for each person")
    members = [(ids.codes == g).astype(np.float64) for g in range(ids.size)]
    risk = np.stack([found.at_risk(member) for member in members])
    had = (found.cause > 0).astype(np.float64)
    observed = np.array([member @ had for member in members])
    events, total = found.by_time(had), risk.sum(axis=0)
    share = risk / total
    expected = share @ events
    spread = events * np.where(total > 1, (total - events) / np.maximum(total - 1, 1), 0.0)
    variance = np.diag(share @ spread) - (share * spread) @ share.T
    gap = (observed - expected)[:-1]
    statistic = float(gap @ np.linalg.solve(variance[:-1, :-1], gap))
    return LogRank(
        statistic=statistic,
        df=ids.size - 1,
        p_value=float(chdtrc(ids.size - 1, statistic)),
        groups=ids.labels,
        observed=observed,
        expected=expected,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Steps:
    """At each distinct time: survival after it; what an event there, and being at risk there, add to -log S."""

    survival: Floats
    event: Floats
    risk: Floats


def survival_steps(found: EventTimes) -> Steps:
    """Give the product-limit steps of any event, whatever its cause."""
    risk = found.at_risk(found.weights)
    events = found.by_time(found.weights * (found.cause > 0))
    left = risk - events
    left[np.abs(left) < 1e-12 * risk] = (
        0.0  # everybody left had the event: sums in two orders differ by rounding
    )
    inverse = np.divide(1.0, left, out=np.zeros_like(left), where=left > 0)
    survival = np.asarray(np.cumprod(left / risk), dtype=np.float64)
    return Steps(survival=survival, event=inverse, risk=events / risk * inverse)


def single_event(found: EventTimes) -> EventTimes:
    """Refuse competing events."""
    several = int((found.cause > 1).sum())
    if several:
        raise EstimationError(
            f"event: {several} persons have an event other than 0 and 1; "
            "with competing events use cumulative_incidence"
        )
    return found


def _curve_errors(found: EventTimes, steps: Steps, place: Codes) -> Floats:
    """Give the standard error of S at distinct times number `place`; NaN where nobody is left."""
    if found.plain:
        spread = np.append(np.sqrt(np.cumsum(steps.risk)), 0.0)
    else:
        spread = np.zeros(found.times.size + 1)
        spread[place] = [_log_error(found, steps, int(last)) for last in place]
    survival = np.append(steps.survival, 1.0)
    return np.where(survival > 0, survival * spread, np.nan)[place]


def _log_error(found: EventTimes, steps: Steps, last: int) -> float:
    """Give the standard error of -log S at one distinct time, from the influence of each person."""
    before = np.cumsum(steps.risk)[np.minimum(found.place, last)]
    own = np.where((found.cause > 0) & (found.place <= last), steps.event[found.place], 0.0)
    return float(np.sqrt(found.variance(found.weights * (own - before)))) if last >= 0 else 0.0


def _crossing(time: Floats, line: Floats, level: float) -> float:
    """First time at which a falling line reaches a level; the middle of the step where it lies on it."""
    known = np.flatnonzero(line <= level + 1e-12)
    if not known.size:
        return float("nan")
    first = int(known[0])
    below = np.flatnonzero(line < level - 1e-12)
    if abs(line[first] - level) <= 1e-12 and below.size:
        return float((time[first] + time[below[0]]) / 2)
    return float(time[first])
