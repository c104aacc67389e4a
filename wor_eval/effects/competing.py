"""Time to an event that a death can come before: cumulative incidence by Aalen and Johansen."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.effects.event_times import EventTimes, IntervalScale, event_times, positions, share_limits
from wor_eval.effects.model_rows import Codes, Floats
from wor_eval.effects.survival import Curve, Steps, curve_at, survival_steps
from wor_eval.errors import EstimationError


def cumulative_incidence(
    time: ArrayLike,
    event: ArrayLike,
    *,
    cause: int = 1,
    at: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    interval: IntervalScale = "log-log",
    level: float = 0.95,
) -> Curve:
    r"""Estimate the share of persons in whom one event came first, over time.

    Estimand: ``F(t) = P(T <= t, first event is this cause)`` by ``Σ S(s-) d_cause(s) / Y(s)``, with S the
    Kaplan-Meier curve of any event (Aalen and Johansen 1978). One minus Kaplan-Meier with deaths as ends of
    observation would be larger: it answers what would happen if nobody died.

    Standard error: infinitesimal jackknife, as R's ``survfit`` for several states; without weights and clusters
    that is the delta-method formula of lifelines, and without competing events Greenwood's.

    Parameters
    ----------
    time : array_like, shape (n,)
        Time to the first event or to the end of observation. With both at one time, the event comes first.
    event : array_like of int, shape (n,)
        0 where observation ended first, else the number of the first event: 1 admission, 2 death, say.
    cause : int
        Which event.
    at, weights, clusters, level
        As in :func:`wor_eval.effects.survival.kaplan_meier`; by default every time with any event.
    interval : {"log-log", "log"}
        Scale of the interval.

    Returns
    -------
    Curve
        ``n_event`` counts persons with this event.

    Raises
    ------
    EstimationError
        Unusable input, nobody with this event, times after the last observation.

    Examples
    --------
    >>> curve = cumulative_incidence([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 1, 0, 2, 1, 0, 2], cause=1, at=[3, 7])
    >>> curve.estimate.round(3), curve.n_event
    (array([0.25 , 0.406]), array([2, 3]))
    """
    found = event_times(time, event, weights=weights, clusters=clusters)
    mine = found.cause == cause
    if cause < 1 or not mine.any():
        raise EstimationError(f"event: nobody has the event numbered {cause}")
    steps = survival_steps(found)
    when, place = positions(found, at, ended=bool(steps.survival[-1] == 0))
    rise = _rise(found, steps, mine.astype(np.float64))
    estimate = np.append(np.cumsum(rise), 0.0)[place]
    error = _errors(found, steps, rise, place, cause=cause)
    limits = share_limits(estimate, error, scale=interval, level=level)
    return curve_at(found, (when, place), (estimate, error, *limits), had=mine)


def _rise(found: EventTimes, steps: Steps, mine: Floats) -> Floats:
    """Increase of the curve at each distinct time, (m,)."""
    before = np.append(1.0, steps.survival[:-1])
    return np.asarray(before * found.by_time(found.weights * mine) / found.at_risk(found.weights))


def _errors(found: EventTimes, steps: Steps, rise: Floats, place: Codes, *, cause: int) -> Floats:
    """Give the standard error of F at distinct times number `place`."""
    if not found.plain:
        return np.array([_error(found, steps, rise, int(last), cause=cause) for last in place])
    curve, own = np.cumsum(rise), rise / found.at_risk(found.weights)
    before = np.append(1.0, steps.survival[:-1])
    # Σ (F(t) - F(s))² d/(Y(Y-d)) - 2 Σ (F(t) - F(s)) S(s-) d₁/Y² + Σ S(s-)² d₁(Y-d₁)/Y³, in running sums over s
    squared, linear, constant = (
        np.cumsum(part)
        for part in (
            steps.risk,
            curve * steps.risk + own,
            curve**2 * steps.risk + 2 * curve * own + own * (before - rise),
        )
    )
    variance = curve**2 * squared - 2 * curve * linear + constant
    return np.append(np.sqrt(np.maximum(variance, 0.0)), 0.0)[place]


def _error(found: EventTimes, steps: Steps, rise: Floats, last: int, *, cause: int) -> float:
    """Give the standard error of F at distinct time number `last`.

    A person adds to F through the share with the event at its own time, and through the survival of all events
    before each later rise.
    """
    if last < 0:
        return 0.0
    curve = np.cumsum(rise)
    ahead = curve[last] - curve
    ahead[last:] = 0.0
    risk = found.at_risk(found.weights)
    before = np.append(1.0, steps.survival[:-1])
    upto = np.minimum(found.place, last)
    inside = found.place <= last
    through = np.cumsum(ahead * steps.risk - rise / risk)[upto]
    through -= np.where(inside & (found.cause > 0), (ahead * steps.event)[found.place], 0.0)
    through += np.where(inside & (found.cause == cause), (before / risk)[found.place], 0.0)
    return float(np.sqrt(found.variance(found.weights * through)))
