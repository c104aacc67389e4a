"""Regression to the mean by formula: how far a selected group moves by itself, for normal measurements.

To be shown beside :mod:`wor_eval.effects.expected_change`, which takes no distribution, and
:mod:`wor_eval.effects.gamma_poisson`, which models counts: on skewed counts the normal formula explains too
little of a fall.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.errors import EstimationError

_Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class MeeChua:
    """Effect beyond regression to the mean, for each population mean that was tried.

    Attributes
    ----------
    estimate, std_error, conf_low, conf_high, p_value : ndarray, shape of the population mean
        Change of a person who starts at the population mean, which regression to the mean leaves alone.
    p_greater : ndarray
        One-sided p-value of an effect above zero; that of an effect below zero is one minus it.
    slope : float
        Slope of after on before.
    df : int
        Degrees of freedom.
    """

    estimate: _Floats
    std_error: _Floats
    conf_low: _Floats
    conf_high: _Floats
    p_value: _Floats
    p_greater: _Floats
    slope: float
    df: int


def barnett(
    *,
    mean: ArrayLike,
    sd: ArrayLike,
    cutoff: ArrayLike,
    correlation: ArrayLike,
    baselines: ArrayLike = 1,
    side: Literal["above", "below"] = "above",
) -> _Floats:
    """Give the regression to the mean of persons selected beyond a cut-off, for normal measurements.

    ``R = (s_w^2 / m) / sqrt(s_b^2 + s_w^2 / m) * phi(z) / (1 - Phi(z))`` with ``s_b^2 = rho s^2``,
    ``s_w^2 = (1 - rho) s^2`` and ``z`` the distance of the cut-off from the mean in standard deviations of the
    mean of ``m`` baselines (equations 1 and 2 of Barnett, van der Pols and Dobson 2005,
    doi:10.1093/ije/dyh299). On counts it is too small: their tail is longer than a normal one.

    Parameters
    ----------
    mean, sd : array-like
        Mean and standard deviation of one measurement in the population.
    cutoff : array-like
        Persons are selected above (or below) it, on the mean of their baselines.
    correlation : array-like
        Correlation of two measurements of a person, 0 to 1.
    baselines : array-like, default 1
        Number of baseline measurements that are averaged.
    side : {"above", "below"}
        Who is selected.

    Returns
    -------
    ndarray, broadcast shape
        Expected move towards the mean, not negative: a fall for ``above``, a rise for ``below``.

    Raises
    ------
    EstimationError
        Values that are not finite, a standard deviation that is not above zero, a correlation outside 0 to 1,
        or fewer than one baseline.

    Examples
    --------
    >>> print(barnett(mean=60, sd=15, cutoff=40, correlation=[0.5, 0.9], side="below").round(3))
    [13.486  2.697]
    """
    from scipy.special import log_ndtr

    given = [np.asarray(v, dtype=float) for v in (mean, sd, cutoff, correlation, baselines)]
    if not all(np.isfinite(v).all() for v in given):
        raise EstimationError("mean, sd, cutoff, correlation and baselines must be finite numbers")
    centre, spread, cut, rho, m = given
    if (spread <= 0).any() or (rho < 0).any() or (rho > 1).any() or (m < 1).any():
        raise EstimationError("sd must be above 0, correlation from 0 to 1, baselines at least 1")
    within = (1.0 - rho) * spread**2 / m
    total = np.sqrt(rho * spread**2 + within)
    z = (cut - centre) / total * (1.0 if side == "above" else -1.0)
    hazard = np.exp(-(z**2) / 2 - math.log(2 * math.pi) / 2 - log_ndtr(-z))
    return np.asarray(within / total * hazard)


def mee_chua(
    before: ArrayLike, after: ArrayLike, *, population_mean: ArrayLike, level: float = 0.95
) -> MeeChua:
    """Test a change beyond regression to the mean, by regression through the population mean.

    ``after = mu + effect + slope (before - mu) + error`` by least squares (Mee and Chua 1991,
    American Statistician 45:39-42). Where the population mean is not known, give a range and see for which
    of them the effect stands (Ostermann, Willich and Luedtke 2008, doi:10.1186/1471-2288-8-52).

    Parameters
    ----------
    before, after : array-like, shape (n,)
        Measurements of the selected persons.
    population_mean : array-like
        Mean of the population that they were selected from; one, or several to try.
    level : float, default 0.95
        Level of the interval.

    Returns
    -------
    MeeChua

    Raises
    ------
    EstimationError
        Unusable input, fewer than three persons, or everyone has the same value before.

    Examples
    --------
    >>> first = [45, 52, 63, 68, 57, 55, 60, 59]
    >>> again = [49, 50, 70, 71, 53, 61, 62, 67]
    >>> result = mee_chua(first, again, population_mean=60)
    >>> print(result.estimate.round(3), result.std_error.round(3), round(result.slope, 3))
    3.292 1.716 1.111
    """
    from scipy.special import stdtr, stdtrit

    x, y, mu = np.asarray(before, float), np.asarray(after, float), np.asarray(population_mean, float)
    if x.ndim != 1 or x.shape != y.shape or x.size < 3:
        raise EstimationError(
            f"before {x.shape} and after {y.shape}: the same three or more persons are needed"
        )
    if not all(np.isfinite(v).all() for v in (x, y, mu)) or not 0 < level < 1:
        raise EstimationError("before, after and population_mean must be finite, level between 0 and 1")
    squares = float(((x - x.mean()) ** 2).sum())
    if squares == 0:
        raise EstimationError("everyone has the same value before: no slope can be found")
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / squares
    df = x.size - 2
    residual = float(((y - y.mean() - slope * (x - x.mean())) ** 2).sum()) / df
    if residual == 0:
        raise EstimationError("after lies on a line of before: no standard error can be given")
    estimate = y.mean() + slope * (mu - x.mean()) - mu
    error = np.sqrt(residual * (1.0 / x.size + (mu - x.mean()) ** 2 / squares))
    half = stdtrit(df, 0.5 + level / 2) * error
    return MeeChua(
        estimate=np.asarray(estimate),
        std_error=np.asarray(error),
        conf_low=np.asarray(estimate - half),
        conf_high=np.asarray(estimate + half),
        p_value=np.asarray(2.0 * stdtr(df, -np.abs(estimate / error))),
        p_greater=np.asarray(stdtr(df, -estimate / error)),
        slope=slope,
        df=df,
    )
