"""Answers from two strategies: ratio with dominance in words, quadrants of the plane, net benefit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.economics.checked import Floats, finite, threshold_grid
from wor_eval.economics.draws import JointDraws
from wor_eval.economics.intervals import Intervals, t_intervals
from wor_eval.economics.joint import JointDifference
from wor_eval.errors import EstimationError
from wor_eval.language import number
from wor_eval.study import Lang, Text

Verdict = Literal["dominant", "dominated", "costs_more_for_more", "saves_for_less"]

VERDICTS: Final = MappingProxyType(
    {
        "dominant": Text(
            nl="dominant: meer effect, niet duurder", en="dominant: more effect, at no extra cost"
        ),
        "dominated": Text(
            nl="gedomineerd: minder effect, niet goedkoper", en="dominated: less effect, no cheaper"
        ),
        "costs_more_for_more": Text(
            nl="meer effect voor meer geld: {} per gewonnen eenheid effect",
            en="more effect for more money: {} per unit of effect gained",
        ),
        "saves_for_less": Text(
            nl="minder effect voor minder geld: {} minder uitgegeven per verloren eenheid effect",
            en="less effect for less money: {} less spent per unit of effect lost",
        ),
    }
)
"""What each verdict says; ``{}`` takes the ratio."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Icer:
    """The incremental cost-effectiveness ratio, where there is one.

    Attributes
    ----------
    cost, effect : float
        Incremental cost in euros and incremental effect.
    verdict : {"dominant", "dominated", "costs_more_for_more", "saves_for_less"}
        Where the point lies in the plane.
    ratio : float or None
        Euros per unit of effect; None where one alternative dominates. With ``saves_for_less`` it is what is
        saved per unit of effect that is lost, and a *high* ratio speaks for the strategy.
    """

    cost: float
    effect: float
    verdict: Verdict
    ratio: float | None

    def text(self, lang: Lang) -> str:
        """Say it in words."""
        amount = "" if self.ratio is None else f"€ {number(self.ratio, lang=lang)}"
        return VERDICTS[self.verdict].in_(lang).format(amount)


@dataclass(frozen=True, kw_only=True, slots=True)
class RatioInterval:
    """Interval of the ratio, where it is bounded.

    Attributes
    ----------
    bounded : bool
        Whether the effect differs enough from zero for an interval to exist.
    conf_low, conf_high : float or None
        Limits in euros per unit of effect, None where unbounded. A negative limit is not a price: with a
        positive effect it means dominant, with a negative effect dominated.
    method : {"fieller", "bootstrap"}
        How it was found.
    """

    bounded: bool
    conf_low: float | None
    conf_high: float | None
    method: Literal["fieller", "bootstrap"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NetBenefit:
    """Incremental net monetary benefit over thresholds.

    Attributes
    ----------
    thresholds : ndarray, shape (K,)
        Euros per unit of effect.
    limits : Intervals, shape (K,)
        Net benefit in euros per person.
    probability : ndarray, shape (K,)
        Parametric acceptability: probability that the net benefit is above zero under its t distribution.
    """

    thresholds: Floats
    limits: Intervals
    probability: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Quadrants:
    """Shares of the draws in the quadrants of the plane; together 1.

    Attributes
    ----------
    more_effect_more_cost, more_effect_less_cost, less_effect_less_cost, less_effect_more_cost : float
        North-east, south-east, south-west and north-west. A draw of exactly zero counts as less.
    """

    more_effect_more_cost: float
    more_effect_less_cost: float
    less_effect_less_cost: float
    less_effect_more_cost: float


def icer(cost: float, effect: float) -> Icer:
    """Give the ratio of incremental cost to incremental effect, or the word for dominance.

    Parameters
    ----------
    cost, effect : float
        Incremental cost in euros and incremental effect.

    Returns
    -------
    Icer

    Raises
    ------
    EstimationError
        Missing or infinite values, or an effect of exactly zero.

    Examples
    --------
    >>> icer(25.0, 0.0425).text("en")
    'more effect for more money: € 588 per unit of effect gained'
    >>> icer(-25.0, 0.0425).ratio is None
    True
    """
    if not (math.isfinite(cost) and math.isfinite(effect)):
        raise EstimationError("cost and effect: finite numbers are needed")
    if effect == 0:
        raise EstimationError("the incremental effect is exactly zero: no ratio exists; compare the costs")
    if effect > 0:
        verdict: Verdict = "costs_more_for_more" if cost > 0 else "dominant"
    else:
        verdict = "saves_for_less" if cost < 0 else "dominated"
    ratio = None if verdict in {"dominant", "dominated"} else cost / effect
    return Icer(cost=float(cost), effect=float(effect), verdict=verdict, ratio=ratio)


def fieller_interval(fit: JointDifference, *, level: float = 0.95) -> RatioInterval:
    """Give Fieller's interval of the ratio, or say that it is unbounded.

    All ratios ``k`` at which the net benefit does not differ from zero: bounded exactly when the effect differs
    from zero at this level (Willan and O'Brien 1996,
    doi:10.1002/(SICI)1099-1050(199607)5:4<297::AID-HEC216>3.0.CO;2-T). The quantile is that of t with the
    smaller df of cost and effect.

    Parameters
    ----------
    fit : JointDifference
        Incremental cost and effect.
    level : float, default 0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    RatioInterval

    Raises
    ------
    EstimationError
        A level outside (0, 1).

    Examples
    --------
    >>> from wor_eval.economics.joint import arm_differences
    >>> fit = arm_differences([4, 3, 5, 2, 3, 2], [7, 8, 6, 5, 6, 7], [1, 1, 1, 0, 0, 0])
    >>> fieller_interval(fit).bounded
    False
    """
    from scipy.special import stdtrit

    if not 0 < level < 1:
        raise EstimationError("level: a number between 0 and 1 is needed")
    square = float(stdtrit(fit.freedom(np.eye(2)).min(), 0.5 + level / 2)) ** 2
    cost, effect = fit.estimate
    leading = effect**2 - square * fit.covariance[1, 1]
    if leading <= 0:
        return RatioInterval(bounded=False, conf_low=None, conf_high=None, method="fieller")
    middle = effect * cost - square * fit.covariance[0, 1]
    last = cost**2 - square * fit.covariance[0, 0]
    half = math.sqrt(max(middle**2 - last * leading, 0.0))
    return RatioInterval(
        bounded=True,
        conf_low=float((middle - half) / leading),
        conf_high=float((middle + half) / leading),
        method="fieller",
    )


def bootstrap_ratio_interval(joint: JointDraws, *, level: float = 0.95) -> RatioInterval:
    """Give the percentile interval of the ratio from joint draws, or say that it is unbounded.

    Draws are ordered by the angle at which they lie, seen from the origin and counted from the estimate, with
    both axes in units of their spread: a ratio of draws on both sides of the vertical axis has no order, an
    angle has. The percentiles of the angle are turned back into ratios where both lie on the side of the
    estimate; where one does not, the interval is unbounded.

    Parameters
    ----------
    joint : JointDraws
        Draws of incremental cost and effect.
    level : float, default 0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    RatioInterval

    Raises
    ------
    EstimationError
        Too few draws for the level, or draws that do not vary.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> draws = np.column_stack([rng.normal(500, 50, 2000), rng.normal(0.05, 0.005, 2000)])
    >>> joint = JointDraws(
    ...     estimate=np.array([500, 0.05]), draws=draws, method="", n_referred=9, n_comparison=9, n_clusters=18
    ... )
    >>> bootstrap_ratio_interval(joint).bounded
    True
    """
    draws = finite("draws", joint.draws, ndim=2)
    spread = draws.std(axis=0)
    if not 0 < level < 1 or (len(draws) + 1) * (1 - level) / 2 < 1 or not spread.all():
        raise EstimationError(f"{len(draws)} draws say nothing about the ends of a {level} interval")
    scaled, point = draws / spread, joint.estimate / spread
    centre = math.atan2(point[0], point[1])
    angles = np.mod(np.arctan2(scaled[:, 0], scaled[:, 1]) - centre + np.pi, 2 * np.pi) - np.pi
    low, high = centre + np.quantile(angles, [(1 - level) / 2, (1 + level) / 2])
    edge = math.pi / 2 if point[1] > 0 else math.copysign(math.pi * 3 / 2, centre)
    inner = -math.pi / 2 if point[1] > 0 else math.copysign(math.pi / 2, centre)
    if not min(inner, edge) < low <= high < max(inner, edge):
        return RatioInterval(bounded=False, conf_low=None, conf_high=None, method="bootstrap")
    limits = np.tan([low, high]) * spread[0] / spread[1]
    return RatioInterval(
        bounded=True, conf_low=float(limits[0]), conf_high=float(limits[1]), method="bootstrap"
    )


def net_benefit(fit: JointDifference, thresholds: ArrayLike, *, level: float = 0.95) -> NetBenefit:
    """Give the incremental net benefit at each threshold, with its interval.

    ``k effect - cost`` with variance ``k^2 V_ee - 2 k V_ec + V_cc`` (Stinnett and Mullahy 1998,
    doi:10.1177/0272989X98018002S09), and the t interval with the df of that combination
    (:meth:`wor_eval.economics.joint.JointDifference.freedom`).

    Parameters
    ----------
    fit : JointDifference
        Incremental cost and effect; from :func:`wor_eval.economics.joint.joint_regression` this is the net
        benefit regression at every threshold.
    thresholds : array-like, shape (K,)
        Euros per unit of effect, not negative.
    level : float, default 0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    NetBenefit

    Raises
    ------
    EstimationError
        Unusable thresholds or level.

    Examples
    --------
    >>> from wor_eval.economics.joint import arm_differences
    >>> fit = arm_differences([4, 3, 5, 2, 3, 2], [7, 8, 6, 5, 6, 7], [1, 1, 1, 0, 0, 0])
    >>> print(net_benefit(fit, [0, 10]).limits.estimate.round(2))
    [-1.67  8.33]
    """
    from scipy.special import stdtr

    grid = threshold_grid(thresholds)
    slopes = np.column_stack([-np.ones(grid.size), grid])
    variance = ((slopes @ fit.covariance) * slopes).sum(axis=1)
    df = fit.freedom(slopes)
    limits = t_intervals(slopes @ fit.estimate, np.sqrt(np.maximum(variance, 0)), df=df, level=level)
    probability = np.asarray(stdtr(df, limits.estimate / limits.std_error), dtype=float)
    return NetBenefit(thresholds=grid, limits=limits, probability=probability)


def quadrants(joint: JointDraws) -> Quadrants:
    """Give the share of the draws in each quadrant of the cost-effectiveness plane.

    Parameters
    ----------
    joint : JointDraws
        Draws of incremental cost and effect.

    Returns
    -------
    Quadrants

    Examples
    --------
    >>> draws = np.array([[10, 0.1], [-10, 0.1], [-10, -0.1], [10, 0.2]])
    >>> joint = JointDraws(
    ...     estimate=draws[0], draws=draws, method="", n_referred=9, n_comparison=9, n_clusters=18
    ... )
    >>> quadrants(joint).more_effect_more_cost
    0.5
    """
    draws = finite("draws", joint.draws, ndim=2)
    dearer, better = draws[:, 0] > 0, draws[:, 1] > 0
    return Quadrants(
        more_effect_more_cost=float((dearer & better).mean()),
        more_effect_less_cost=float((~dearer & better).mean()),
        less_effect_less_cost=float((~dearer & ~better).mean()),
        less_effect_more_cost=float((dearer & ~better).mean()),
    )
