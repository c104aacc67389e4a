"""Times to an event, checked once, and the numbers at risk at each distinct time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.effects.model_rows import Codes, Floats, Ids, code_clusters, sum_by_code
from wor_eval.errors import EstimationError

IntervalScale: TypeAlias = Literal["log-log", "log"]


@dataclass(frozen=True, kw_only=True, slots=True)
class EventTimes:
    """Checked times, one per person.

    Attributes
    ----------
    time : ndarray, shape (n,)
        Time to the event, or to the end of observation, from the index date.
    cause : ndarray of int, shape (n,)
        0 where observation ended first, else the number of the event.
    weights : ndarray, shape (n,)
        Weights above zero.
    clusters : Ids or None
        Cluster of each person.
    times : ndarray, shape (m,)
        Distinct times in order.
    place : ndarray of int, shape (n,)
        Position of each person's time among them.
    """

    time: Floats
    cause: NDArray[np.int64]
    weights: Floats
    clusters: Ids | None
    times: Floats
    place: Codes

    @property
    def plain(self) -> bool:
        """Whether every weight is 1 and there are no clusters, so that standard errors have a closed form."""
        return self.clusters is None and bool((self.weights == 1).all())

    def at_risk(self, values: Floats) -> Floats:
        """Sum values (n,) over the persons still observed just before each distinct time, (m,)."""
        totals = self.by_time(values)
        risk: Floats = np.cumsum(totals[::-1])[::-1]
        return risk

    def by_time(self, values: Floats) -> Floats:
        """Sum values (n,) by distinct time, (m,)."""
        return sum_by_code(self.place, values, self.times.size)

    def variance(self, influence: Floats) -> float:
        """Sum of squared influences (n,), added up within clusters first; no small-sample factor."""
        sums = influence if self.clusters is None else self.clusters.total(influence)
        return float(sums @ sums)


def event_times(
    time: ArrayLike,
    event: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> EventTimes:
    """Check times and events, and leave out persons with weight zero.

    Parameters
    ----------
    time : array_like, shape (n,)
        Zero or more, in any unit.
    event : array_like of int or bool, shape (n,)
        0 where observation ended without an event, 1 where the event came; competing events 2, 3, …
    weights : array_like, shape (n,), optional
        Weights, zero or more.
    clusters : array_like, shape (n,), optional
        Cluster of each person.

    Returns
    -------
    EventTimes

    Raises
    ------
    EstimationError
        Every problem found: shapes, missing, infinite or negative times, events that are no whole number of
        at least 0, negative weights, one cluster.

    Examples
    --------
    >>> found = event_times([5, 3, 5, 8], [1, 0, 1, 0])
    >>> found.times, found.at_risk(found.weights)
    (array([3., 5., 8.]), array([4., 3., 1.]))
    """
    values, codes = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=np.float64)
    n = values.size
    w = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    ids = code_clusters(clusters)
    shapes = [("time", values), ("event", codes), ("weights", w), *(("clusters", i.codes) for i in ids)]
    problems = [f"{name}: shape {v.shape}, expected ({n},)" for name, v in shapes if v.shape != (n,)]
    checks = (
        ("time", ~(np.isfinite(values) & (values >= 0)), "are missing, infinite or negative"),
        ("event", ~(np.isfinite(codes) & (codes >= 0) & (codes == np.floor(codes))), "are not 0, 1, 2, …"),
        ("weights", ~(np.isfinite(w) & (w >= 0)), "are missing, infinite or negative"),
    )
    problems += [f"{name}: {int(bad.sum())} of {n} {what}" for name, bad, what in checks if bad.any()]
    keep = w > 0
    if n == 0 or not keep.any():
        problems.append("no person has a weight above zero")
    if problems:
        raise EstimationError("the times to the event cannot be used", problems=problems)
    times, place = np.unique(values[keep], return_inverse=True)
    return EventTimes(
        time=values[keep],
        cause=codes[keep].astype(np.int64),
        weights=w[keep],
        clusters=ids[0].take(keep) if ids else None,
        times=times,
        place=place.astype(np.intp),
    )


def share_limits(
    share: Floats, std_error: Floats, *, scale: IntervalScale, level: float
) -> tuple[Floats, Floats]:
    """Limits of shares between 0 and 1, formed on ``log(-log(share))`` or ``log(share)``, cut off at 1.

    NaN where the share is 0 or 1: no event yet, or nobody left, gives no interval.
    """
    from scipy.special import ndtri

    if not 0 < level < 1:
        raise EstimationError("level: a number between 0 and 1 is needed")
    z = float(ndtri(0.5 + level / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        if scale == "log":
            half = z * std_error / share
            low, high = share * np.exp(-half), np.minimum(share * np.exp(half), 1.0)
        else:
            half = z * std_error / (share * np.abs(np.log(share)))
            low, high = share ** np.exp(half), share ** np.exp(-half)
    none = (share <= 0) | (share >= 1)
    return np.where(none, np.nan, low), np.where(none, np.nan, high)


def positions(found: EventTimes, at: ArrayLike | None, *, ended: bool) -> tuple[Floats, Codes]:
    """Give the times to report and the last distinct time not after each (-1: before the first).

    Parameters
    ----------
    found : EventTimes
        The persons.
    at : array_like, shape (q,), or None
        Times; None: every distinct time with an event.
    ended : bool
        Nobody is left after the last time, so that the curve is known for ever.

    Raises
    ------
    EstimationError
        Times that are not finite, or later than anybody was observed.
    """
    if at is None:
        place = np.unique(found.place[found.cause > 0])
        if not place.size:
            raise EstimationError("nobody had the event: give the times at which to report")
        return found.times[place], place.astype(np.intp)
    wanted = np.atleast_1d(np.asarray(at, dtype=np.float64))
    late = int((wanted > found.times[-1]).sum())
    if not np.isfinite(wanted).all() or wanted.ndim != 1:
        raise EstimationError("at: finite times are needed")
    if late and not ended:
        raise EstimationError(f"at: {late} times lie after the last day that anybody was observed")
    return wanted, np.searchsorted(found.times, wanted, side="right").astype(np.intp) - 1
