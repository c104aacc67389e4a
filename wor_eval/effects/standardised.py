"""Rates standardised for age and sex, with gamma intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.errors import EstimationError

_Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """Rates of some areas.

    Attributes
    ----------
    estimate, std_error, conf_low, conf_high : ndarray, shape (areas,)
        Events per unit of time; missing where an area has no time, or none in a stratum that counts.
    """

    estimate: _Floats
    std_error: _Floats
    conf_low: _Floats
    conf_high: _Floats


def direct_rates(
    count: ArrayLike, time: ArrayLike, *, standard: ArrayLike | None = None, level: float = 0.95
) -> Rates:
    """Give directly standardised rates with the gamma interval of Fay and Feuer.

    Estimand: the rate an area would have with the standard population, ``R = sum_j w_j x_j / t_j`` with ``w`` the
    share of each stratum in the standard. Its variance is ``v = sum_j (w_j / t_j)^2 x_j``; the limits are the
    quantiles of a gamma distribution with mean ``R`` and variance ``v``, for the upper one with ``R + k`` and
    ``v + k^2``, ``k`` the largest ``w_j / t_j`` (Fay and Feuer 1997,
    doi:10.1002/(SICI)1097-0258(19970415)16:7<791::AID-SIM500>3.0.CO;2-#). With one stratum this is the exact
    Poisson interval of Garwood.

    Parameters
    ----------
    count : array-like, shape (areas, strata)
        Events.
    time : array-like, shape (areas, strata)
        Time at risk.
    standard : array-like, shape (strata,), optional
        Standard population. None: the crude rate, all strata as one.
    level : float, default 0.95
        Level of the interval.

    Returns
    -------
    Rates
        Missing for an area without time in a stratum that has a share in the standard: what the rate there would
        be cannot be told.

    Raises
    ------
    EstimationError
        Shapes that differ, negative or missing values, events without time, or an empty standard.

    Examples
    --------
    >>> found = direct_rates([[10, 40]], [[1000, 1000]], standard=[3, 1])
    >>> print(found.estimate.round(4), found.conf_low.round(4), found.conf_high.round(4))
    [0.0175] [0.0124] [0.0245]
    """
    x, t = _counted(count, time)
    if standard is None:
        x, t = x.sum(axis=1, keepdims=True), t.sum(axis=1, keepdims=True)
        share = np.ones(1)
    else:
        share = np.asarray(standard, dtype=float)
        if (
            share.shape != x.shape[1:]
            or not np.isfinite(share).all()
            or (share < 0).any()
            or share.sum() <= 0
        ):
            raise EstimationError(f"standard: {x.shape[1]} shares of at least 0 are needed, not all 0")
        share = share / share.sum()
    known = ~((t == 0) & (share > 0)).any(axis=1)
    weight = np.divide(share, t, out=np.zeros_like(t), where=t > 0)
    rate, variance = (weight * x).sum(axis=1), (weight**2 * x).sum(axis=1)
    low, high = _gamma_limits(rate, variance, weight.max(axis=1), level=level)
    hidden = np.where(known, 1.0, np.nan)
    return Rates(
        estimate=rate * hidden,
        std_error=np.sqrt(variance) * hidden,
        conf_low=low * hidden,
        conf_high=high * hidden,
    )


def _gamma_limits(
    rate: _Floats, variance: _Floats, largest: _Floats, *, level: float
) -> tuple[_Floats, _Floats]:
    from scipy.special import gammaincinv

    tail = (1 - level) / 2
    low = np.zeros_like(rate)
    some = variance > 0
    low[some] = variance[some] / rate[some] * gammaincinv(rate[some] ** 2 / variance[some], tail)
    upper_rate, upper_variance = rate + largest, variance + largest**2
    high = np.full_like(rate, np.nan)
    at = upper_variance > 0
    shape = upper_rate[at] ** 2 / upper_variance[at]
    high[at] = upper_variance[at] / upper_rate[at] * gammaincinv(shape, 1 - tail)
    return low, high


def expected_counts(count: ArrayLike, time: ArrayLike) -> _Floats:
    """Give the events each area would have with the rates by stratum of all areas together.

    Parameters
    ----------
    count, time : array-like, shape (areas, strata)
        Events and time at risk.

    Returns
    -------
    ndarray, shape (areas,)
        They add up to the events there are.

    Raises
    ------
    EstimationError
        As in :func:`direct_rates`.

    Examples
    --------
    >>> expected_counts([[4, 0], [2, 6]], [[10, 10], [10, 20]]).tolist()
    [5.0, 7.0]
    """
    x, t = _counted(count, time)
    total = t.sum(axis=0)
    rate = np.divide(x.sum(axis=0), total, out=np.zeros_like(total), where=total > 0)
    expected: _Floats = t @ rate
    return expected


def rate_ratio(rates: Rates, *, reference: int, level: float = 0.95) -> Rates:
    """Give the ratio of each rate to that of a reference area, with a log-normal interval.

    The standard error of the logarithm is the root of the summed squared relative errors of both (Breslow and Day
    1987, section 2.3: delta method).

    Parameters
    ----------
    rates : Rates
        Rates of independent areas.
    reference : int
        Which of them is the reference.
    level : float, default 0.95
        Level of the interval.

    Returns
    -------
    Rates
        Ratios; 1 without an interval for the reference itself, missing where a rate is 0 or missing.

    Examples
    --------
    >>> found = rate_ratio(direct_rates([[40], [80]], [[1000], [1000]]), reference=0)
    >>> print(found.estimate, found.conf_low.round(2), found.conf_high.round(2))
    [1. 2.] [ nan 1.37] [ nan 2.92]
    """
    from scipy.special import ndtri

    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = rates.estimate / rates.estimate[reference]
        relative = (rates.std_error / rates.estimate) ** 2
        error = np.sqrt(relative + relative[reference])
    ratio, error = (np.where(np.isfinite(v) & (ratio > 0), v, np.nan) for v in (ratio, error))
    error[reference] = np.nan
    spread = np.exp(ndtri(0.5 + level / 2) * error)
    return Rates(estimate=ratio, std_error=ratio * error, conf_low=ratio / spread, conf_high=ratio * spread)


def _counted(count: ArrayLike, time: ArrayLike) -> tuple[_Floats, _Floats]:
    x, t = np.asarray(count, dtype=float), np.asarray(time, dtype=float)
    if x.ndim != 2 or x.shape != t.shape:
        raise EstimationError(f"count {x.shape} and time {t.shape}: areas by strata are needed")
    if not (np.isfinite(x) & np.isfinite(t) & (x >= 0) & (t >= 0)).all():
        raise EstimationError("count and time must be finite numbers of at least 0")
    without = int(((t == 0) & (x > 0)).sum())
    if without:
        raise EstimationError(
            f"{without} strata have events but no time at risk: the denominators are incomplete"
        )
    return x, t
