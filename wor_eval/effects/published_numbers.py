"""What follows from printed numbers alone: changes, shares, standard errors out of intervals, persistence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from wor_eval.errors import EstimationError

Z95 = 1.959963984540054
"""97.5 % point of the normal distribution: half the width of a 95 % interval in standard errors."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Followed:
    """A number that follows from others, with a 95 % interval where they give one (missing elsewhere)."""

    value: float
    conf_low: float = math.nan
    conf_high: float = math.nan


def mean_interval(n: float, mean: float, deviation: float) -> Followed:
    """Give the t interval of a mean from n, mean and standard deviation; also of a mean change from those of changes.

    Examples
    --------
    >>> found = mean_interval(172, 19.28, 3.921)
    >>> round(found.conf_low, 2), round(found.conf_high, 2)
    (18.69, 19.87)
    """
    from scipy.special import stdtrit

    if n < 2 or deviation < 0:
        raise EstimationError("an interval of a mean needs two or more persons and a standard deviation")
    half = float(stdtrit(n - 1, 0.975)) * deviation / math.sqrt(n)
    return Followed(value=mean, conf_low=mean - half, conf_high=mean + half)


def share_interval(part: float, whole: float) -> Followed:
    """Give a share of persons as a percentage, with Wilson's interval (doi:10.1080/01621459.1927.10502953).

    Examples
    --------
    >>> found = share_interval(470, 3045)
    >>> round(found.value, 1), round(found.conf_low, 1), round(found.conf_high, 1)
    (15.4, 14.2, 16.8)
    """
    if not (0 <= part <= whole and whole > 0):
        raise EstimationError("a share needs a part of at least 0 and at most the whole")
    low, high = wilson(part, whole)
    return Followed(value=100 * part / whole, conf_low=100 * low, conf_high=100 * high)


def wilson(part: float, whole: float) -> tuple[float, float]:
    """Give Wilson's 95 % interval of a binomial probability.

    Examples
    --------
    >>> [round(limit, 3) for limit in wilson(80, 100)]
    [0.711, 0.867]
    """
    p, square = part / whole, Z95**2
    middle = (p + square / (2 * whole)) / (1 + square / whole)
    half = Z95 / (1 + square / whole) * math.sqrt(p * (1 - p) / whole + square / (4 * whole**2))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def difference_in_differences(
    referred_before: float, referred_after: float, comparison_before: float, comparison_after: float
) -> float:
    """Give the change of the referred less that of the comparison group.

    Examples
    --------
    >>> round(difference_in_differences(10.0, 8.6, 3.9, 4.3), 1)
    -1.8
    """
    return (referred_after - referred_before) - (comparison_after - comparison_before)


def ratio_of_ratios(
    referred_before: float, referred_after: float, comparison_before: float, comparison_after: float
) -> float:
    """Give the relative change of the referred over that of the comparison group.

    Examples
    --------
    >>> round(ratio_of_ratios(10.0, 8.6, 3.9, 4.3), 3)
    0.78
    """
    return (referred_after / referred_before) / (comparison_after / comparison_before)


def error_of_interval(low: float, high: float) -> float:
    """Give the standard error behind a 95 % interval by the normal distribution.

    Examples
    --------
    >>> round(error_of_interval(-152.30, -2.84), 2)
    38.13
    """
    if low > high:
        raise EstimationError("an interval ends before it starts")
    return (high - low) / (2 * Z95)


def persistence(selected: float, correlation: float, years: float) -> float:
    """Give who is in the top group in every one of some years, of those who are in it in the first.

    The liability of each year is standard normal, with the same correlation between any two years; the top group
    is the same percentage each year. Given the shared part the years are independent, so that one integral remains:
    ``P(all years) = ∫ Φ((√r z - t) / √(1 - r))^years φ(z) dz``.

    Parameters
    ----------
    selected : float
        Percentage in the top group each year, above 0 and below 100.
    correlation : float
        Between 0 and 1.
    years : float
        Number of years, 1 or more.

    Returns
    -------
    float
        Percentage.

    Raises
    ------
    EstimationError
        An argument is out of its range.

    Examples
    --------
    >>> round(persistence(10.0, 0.0, 3), 6)
    1.0
    """
    from scipy.special import ndtr, ndtri

    if not (0 < selected < 100 and 0 <= correlation < 1 and years >= 1):
        raise EstimationError(
            "persistence needs 0 < selected < 100, 0 <= correlation < 1 and years of 1 or more"
        )
    z, weight = _nodes()
    limit = -ndtri(selected / 100)
    in_top = ndtr((math.sqrt(correlation) * z - limit) / math.sqrt(1 - correlation))
    every_year = float(weight @ in_top**years) / math.sqrt(2 * math.pi)
    return 100 * every_year / (selected / 100)


@cache
def _nodes() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the nodes and weights of an integral over a normal density."""
    z, weight = np.polynomial.hermite_e.hermegauss(120)
    return z, weight
