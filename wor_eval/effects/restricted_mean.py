"""Mean time without an event up to a horizon: an effect in days that needs no proportional hazards."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.design.weighting import referred_mask
from wor_eval.effects.event_times import EventTimes, event_times
from wor_eval.effects.model_rows import Floats
from wor_eval.effects.quantity import Quantity, difference
from wor_eval.effects.survival import single_event, survival_steps
from wor_eval.errors import EstimationError


def restricted_mean(
    time: ArrayLike,
    event: ArrayLike,
    *,
    horizon: float,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Quantity:
    r"""Estimate the mean time without the event up to a horizon.

    Estimand: ``E(min(T, horizon))``, the area under the Kaplan-Meier curve (Royston and Parmar 2013,
    doi:10.1186/1471-2288-13-152). Standard error as ``print(survfit, rmean = )`` in R.

    Parameters
    ----------
    time, event, weights, clusters, level
        As in :func:`wor_eval.effects.survival.kaplan_meier`.
    horizon : float
        Above zero, and not after the last time that anybody was observed.

    Returns
    -------
    Quantity
        In the unit of `time`; its p-value is NaN, as zero is no hypothesis.

    Raises
    ------
    EstimationError
        As :func:`wor_eval.effects.survival.kaplan_meier`; a horizon after the last
        observation; nobody had the event before it.

    Examples
    --------
    >>> found = restricted_mean([6, 6, 6, 7, 10, 13, 16, 22], [1, 1, 1, 1, 0, 1, 1, 0], horizon=12)
    >>> round(found.estimate, 3), round(found.std_error, 3)
    (9.125, 1.022)
    """
    found = single_event(event_times(time, event, weights=weights, clusters=clusters))
    mean, influence = _restricted(found, horizon)
    plain = difference(mean, float(np.sqrt(found.variance(influence))), level=level)
    return Quantity(
        estimate=mean,
        std_error=plain.std_error,
        conf_low=plain.conf_low,
        conf_high=plain.conf_high,
        p_value=float("nan"),
    )


def restricted_mean_difference(
    time: ArrayLike,
    event: ArrayLike,
    referred: ArrayLike,
    *,
    horizon: float,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Quantity:
    """Compare the mean time without the event up to a horizon: referred minus comparison.

    Unlike a hazard ratio this needs no proportional hazards. With clusters that hold both arms (matched sets) the
    arms' covariance is in the standard error.

    Parameters
    ----------
    time, event, horizon, weights, clusters, level
        As in :func:`restricted_mean`; the horizon must not be after the last observation in either arm.
    referred : array_like of bool or 0/1, shape (n,)
        Arm of each person.

    Returns
    -------
    Quantity

    Raises
    ------
    EstimationError
        As :func:`restricted_mean`.
    DesignError
        An arm is empty.

    Examples
    --------
    >>> time, event = [6, 6, 6, 7, 10, 13, 16, 22, 1, 2, 3, 8, 12, 15], [1, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0]
    >>> found = restricted_mean_difference(time, event, [1] * 8 + [0] * 6, horizon=12)
    >>> round(found.estimate, 2), round(found.std_error, 2)
    (2.79, 2.13)
    """
    found = single_event(event_times(time, event, weights=weights, clusters=clusters))
    arm = referred_mask(referred, np.size(time))
    if weights is not None:
        arm = arm[np.asarray(weights, dtype=np.float64) > 0]
    parts = [_restricted(_part(found, mask), horizon) for mask in (arm, ~arm)]
    influence = np.zeros(arm.size)
    influence[arm], influence[~arm] = parts[0][1], -parts[1][1]
    return difference(parts[0][0] - parts[1][0], float(np.sqrt(found.variance(influence))), level=level)


def _part(found: EventTimes, mask: NDArray[np.bool_]) -> EventTimes:
    return event_times(found.time[mask], found.cause[mask], weights=found.weights[mask])


def _restricted(found: EventTimes, horizon: float) -> tuple[float, Floats]:
    """Restricted mean and the influence of each person on it, (n,)."""
    steps = survival_steps(found)
    if not 0 < horizon < np.inf or (horizon > found.times[-1] and steps.survival[-1] > 0):
        raise EstimationError("horizon: above zero, and not after the last time that anybody was observed")
    inside = found.times < horizon
    edges = np.concatenate([[0.0], found.times[inside], [horizon]])
    height = np.concatenate([[1.0], steps.survival[inside]])
    pieces = height * np.diff(edges)
    after = np.zeros(found.times.size)
    after[inside] = np.cumsum(pieces[::-1])[::-1][1:]
    own = np.where(found.cause > 0, (after * steps.event)[found.place], 0.0)
    before = np.cumsum(after * steps.risk)[found.place]
    return float(pieces.sum()), found.weights * (before - own)
