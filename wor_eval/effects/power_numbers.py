"""Power in closed form: counts of the same persons in two periods, with a design effect for practices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wor_eval.errors import EstimationError

Floats = NDArray[np.float64]
Z95: Final = 1.959963984540054


@dataclass(frozen=True, kw_only=True, slots=True)
class TwoPeriods:
    """Moments of the counts of one arm in a first and a second period.

    Attributes
    ----------
    mean_first, mean_second : float
        Mean counts per person.
    spread_first, spread_second : float
        Overdispersion φ: the variance is ``m + φ m²``.
    shared : float
        Covariance of the two counts over the product of their means.
    """

    mean_first: float
    mean_second: float
    spread_first: float
    spread_second: float
    shared: float

    def person_variance(self, *, ratio: float = 1.0) -> float:
        """Give the variance of one person's relative change, ``1/m1 + 1/(r m2) + φ1 + φ2 - 2 φ12``.

        Parameters
        ----------
        ratio : float
            True rate ratio r in the second period; it thins the counts and leaves their overdispersion.

        Returns
        -------
        float
            n times the variance of the log ratio of the two mean counts of n persons (delta method).
        """
        counting = 1 / self.mean_first + 1 / (ratio * self.mean_second)
        return max(counting + self.spread_first + self.spread_second - 2 * self.shared, 1e-12)


def two_periods(first: Floats, second: Floats, weight: Floats | None = None) -> TwoPeriods:
    """Measure the moments of counts in two periods.

    Parameters
    ----------
    first, second : ndarray, shape (n,)
        Counts of the same persons.
    weight : ndarray, shape (n,), optional
        Weights.

    Returns
    -------
    TwoPeriods

    Raises
    ------
    EstimationError
        A period has no events.

    Examples
    --------
    >>> moments = two_periods(np.array([2.0, 4.0, 6.0]), np.array([1.0, 3.0, 5.0]))
    >>> moments.mean_first, round(moments.person_variance(), 3)
    (4.0, 0.019)
    """
    w = np.ones(len(first)) if weight is None else weight
    w = w / w.sum()
    m1, m2 = float(w @ first), float(w @ second)
    if m1 <= 0 or m2 <= 0:
        raise EstimationError("a period has no events: there is nothing to plan on")
    v1, v2 = float(w @ (first - m1) ** 2), float(w @ (second - m2) ** 2)
    return TwoPeriods(
        mean_first=m1,
        mean_second=m2,
        spread_first=(v1 - m1) / m1**2,
        spread_second=(v2 - m2) / m2**2,
        shared=float(w @ ((first - m1) * (second - m2))) / (m1 * m2),
    )


def design_effect(cluster_size: float, correlation: float) -> float:
    """Give by how much clusters of a size raise a variance: ``1 + (m - 1) ρ``.

    Examples
    --------
    >>> round(design_effect(25, 0.02), 2)
    1.48
    """
    return 1 + max(cluster_size - 1, 0.0) * correlation


def two_period_error(
    referred: TwoPeriods,
    comparison: TwoPeriods | None,
    *,
    n_referred: float,
    n_comparison: float = math.inf,
    ratio: float = 1.0,
    design: float = 1.0,
) -> float:
    """Give the standard error of a log rate ratio, or of a ratio of rate ratios, of counts in two periods.

    ``√(design V_r(ratio) / n_r + V_c / n_c)``, with V of :meth:`TwoPeriods.person_variance`: the delta method for
    ratios of mean counts, the design effect of practices on the referred alone.

    Parameters
    ----------
    referred, comparison : TwoPeriods
        Moments of the arms; None where there is no comparison arm.
    n_referred, n_comparison : float
        Persons; for weighted comparison persons their effective number.
    ratio : float
        True rate ratio.
    design : float
        Design effect.

    Returns
    -------
    float

    Examples
    --------
    >>> arm = TwoPeriods(mean_first=5, mean_second=5, spread_first=0.5, spread_second=0.5, shared=0.4)
    >>> round(two_period_error(arm, arm, n_referred=400, n_comparison=1600), 4)
    0.0433
    """
    variance = design * referred.person_variance(ratio=ratio) / n_referred
    if comparison is not None:
        variance += comparison.person_variance() / n_comparison
    return math.sqrt(variance)


def power_of(ratio: float, error: float, *, df: float = math.inf) -> float:
    """Give the power of a two-sided 5 % test of a log ratio: noncentral t, or normal with many clusters.

    Examples
    --------
    >>> round(power_of(1.0, 0.1), 3), round(power_of(0.75, 0.1), 2), round(power_of(0.75, 0.1, df=19), 2)
    (0.05, 0.82, 0.78)
    """
    from scipy.special import nctdtr, ndtr, stdtrit

    distance = abs(math.log(ratio)) / error
    if math.isinf(df):
        return float(ndtr(distance - Z95) + ndtr(-distance - Z95))
    limit = float(stdtrit(df, 0.975))
    below, wrong_side = float(nctdtr(df, distance, limit)), float(nctdtr(df, distance, -limit))
    # Far from no effect SciPy gives up on tails that are next to nothing.
    return 1 - (0.0 if math.isnan(below) else below) + (0.0 if math.isnan(wrong_side) else wrong_side)


def detectable_ratio(error: float, target: float, *, df: float = math.inf) -> float:
    """Give the rate ratio below 1 that is found with a power: where :func:`power_of` reaches the target.

    Examples
    --------
    >>> round(detectable_ratio(0.1, 0.8), 3)
    0.756
    """
    from scipy.optimize import brentq

    def beyond(distance: float) -> float:
        return power_of(math.exp(-distance * error), error, df=df) - target

    return math.exp(-float(brentq(beyond, 1e-9, 20.0)) * error)


def crossing(ratios: Floats, power: Floats, target: float) -> float:
    """Read off a power curve at which ratio it reaches a target, straight on the normal scale of the power.

    Parameters
    ----------
    ratios : ndarray, shape (k,)
        Falling.
    power : ndarray, shape (k,)
        Power at each, 0-1.
    target : float
        Wanted power.

    Returns
    -------
    float
        The ratio (log scale between points); missing where the curve does not reach the target.

    Examples
    --------
    >>> round(crossing(np.array([1.0, 0.9, 0.8]), np.array([0.05, 0.5, 0.95]), 0.8), 3)
    0.847
    """
    from scipy.special import ndtri

    reached = np.flatnonzero(power >= target)
    if reached.size == 0 or reached[0] == 0:
        return math.nan
    right = int(reached[0])
    z = ndtri(np.clip(power[right - 1 : right + 1], 1e-4, 1 - 1e-4))
    share = (float(ndtri(target)) - z[0]) / (z[1] - z[0])
    logs = np.log(ratios[right - 1 : right + 1])
    return math.exp(float(logs[0] + share * (logs[1] - logs[0])))


def needed_size(sizes: Floats, variances: Floats, wanted: float) -> float:
    """Give the size at which a variance ``a + b / size`` comes down to what is wanted.

    a (no less than 0) and b are fitted to the sizes by least squares, each relative to its own variance: a is what
    more persons in the same practices do not take away.

    Parameters
    ----------
    sizes, variances : ndarray, shape (k,)
        Two or more.
    wanted : float
        Variance that is small enough.

    Returns
    -------
    float
        Missing where no size is enough.

    Examples
    --------
    >>> needed_size(np.array([10.0, 20.0]), np.array([0.04, 0.02]), 0.01)
    40.0
    """
    rows = np.column_stack([1 / variances, 1 / (sizes * variances)])
    (floor, slope), *_ = np.linalg.lstsq(rows, np.ones(sizes.size), rcond=None)
    if floor < 0:
        floor, slope = 0.0, float(rows[:, 1].sum() / (rows[:, 1] @ rows[:, 1]))
    return round(float(slope / (wanted - floor)), 6) if wanted > floor else math.nan
