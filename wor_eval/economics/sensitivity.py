"""What the answer hangs on: one input at a time, two at a time, scenarios, break-even, and subgroups.

A model is any function from named inputs to one number, for instance a net benefit. Take a net benefit rather
than a ratio: a ratio changes its meaning where the effect changes sign.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.economics.checked import Floats, finite, threshold_grid
from wor_eval.economics.decision import net_benefit
from wor_eval.economics.intervals import Intervals
from wor_eval.economics.joint import JointDifference
from wor_eval.errors import EstimationError

Model = Callable[[Mapping[str, float]], float]


@dataclass(frozen=True, kw_only=True, slots=True)
class TornadoBar:
    """The result at the ends of one input.

    Attributes
    ----------
    name : str
        The input.
    low, high : float
        The ends of its range.
    at_low, at_high : float
        The result there, with every other input at its base value.
    """

    name: str
    low: float
    high: float
    at_low: float
    at_high: float

    @property
    def width(self) -> float:
        """Distance between the two results."""
        return abs(self.at_high - self.at_low)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tornado:
    """One-way sensitivity: bars from the widest to the narrowest.

    Attributes
    ----------
    base : float
        The result with every input at its base value.
    bars : tuple of TornadoBar
        Widest first; of equal width in the order in which they were given.
    """

    base: float
    bars: tuple[TornadoBar, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakEven:
    """The price at which a trajectory is just worth its money.

    Attributes
    ----------
    thresholds : ndarray, shape (K,)
        Euros per unit of effect.
    per_trajectory, per_hour : Intervals, shape (K,)
        Euros per trajectory and per hour of the coach, overhead and activities included. At or below zero no
        price is low enough.
    """

    thresholds: Floats
    per_trajectory: Intervals
    per_hour: Intervals


@dataclass(frozen=True, kw_only=True, slots=True)
class SubgroupValue:
    """What is gained by deciding for each subgroup apart.

    Attributes
    ----------
    thresholds : ndarray, shape (K,)
        Euros per unit of effect.
    best_for_all : ndarray of int, shape (K,)
        Position of the best single strategy.
    best_by_group : ndarray of int, shape (K, B)
        Position of the best strategy in each subgroup.
    lost_by_group : ndarray, shape (K, B)
        What each subgroup loses by the single decision, in euros per person in it.
    value : ndarray, shape (K,)
        The same over all subgroups, in euros per person.
    """

    thresholds: Floats
    best_for_all: np.ndarray[tuple[int], np.dtype[np.intp]]
    best_by_group: np.ndarray[tuple[int, int], np.dtype[np.intp]]
    lost_by_group: Floats
    value: Floats


def tornado(model: Model, base: Mapping[str, float], *, ranges: Mapping[str, tuple[float, float]]) -> Tornado:
    """Move one input at a time to the ends of its range.

    Parameters
    ----------
    model : callable
        From inputs to one number.
    base : mapping of str to float
        Base value of every input.
    ranges : mapping of str to (float, float)
        Lowest and highest value of the inputs that are moved.

    Returns
    -------
    Tornado

    Raises
    ------
    EstimationError
        Unknown inputs, ranges that do not hold the base value, or a result that is not a finite number.

    Examples
    --------
    >>> benefit = lambda x: 20_000 * x["qaly"] - x["cost"]
    >>> found = tornado(
    ...     benefit, {"qaly": 0.04, "cost": 500.0}, ranges={"cost": (400, 600), "qaly": (0.0, 0.08)}
    ... )
    >>> found.base, found.bars[0].name, found.bars[0].width
    (300.0, 'qaly', 1600.0)
    """
    _known(base, ranges)
    outside = [k for k, (low, high) in ranges.items() if not low <= base[k] <= high or low == high]
    if outside or not ranges:
        raise EstimationError(f"ranges that do not hold their base value, or none: {', '.join(outside)}")
    bars = []
    for name, (low, high) in ranges.items():
        ends = [_result(model, {**base, name: value}) for value in (low, high)]
        bars.append(TornadoBar(name=name, low=low, high=high, at_low=ends[0], at_high=ends[1]))
    return Tornado(base=_result(model, base), bars=tuple(sorted(bars, key=lambda bar: -bar.width)))


def two_way(
    model: Model,
    base: Mapping[str, float],
    *,
    first: tuple[str, Sequence[float]],
    second: tuple[str, Sequence[float]],
) -> Floats:
    """Give the result over a grid of two inputs.

    Parameters
    ----------
    model, base
        As for :func:`tornado`.
    first, second : (str, sequence of float)
        Name and values of each input.

    Returns
    -------
    ndarray, shape (values of first, values of second)

    Raises
    ------
    EstimationError
        Unknown inputs, twice the same one, or a result that is not a finite number.

    Examples
    --------
    >>> benefit = lambda x: 20_000 * x["qaly"] - x["cost"]
    >>> two_way(benefit, {"qaly": 0, "cost": 0}, first=("qaly", [0, 0.1]), second=("cost", [0, 500]))
    array([[   0., -500.],
           [2000., 1500.]])
    """
    _known(base, (first[0], second[0]))
    if first[0] == second[0]:
        raise EstimationError(f"two-way: {first[0]} is named twice; name two inputs")
    return np.array(
        [[_result(model, {**base, first[0]: a, second[0]: b}) for b in second[1]] for a in first[1]]
    )


def scenarios(
    model: Model, base: Mapping[str, float], *, changes: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Give the result of each scenario: inputs that change together.

    Parameters
    ----------
    model, base
        As for :func:`tornado`.
    changes : mapping of str to mapping
        For each scenario the inputs that differ from the base.

    Returns
    -------
    dict of str to float
        In the order given.

    Raises
    ------
    EstimationError
        Unknown inputs, or a result that is not a finite number.

    Examples
    --------
    >>> benefit = lambda x: 20_000 * x["qaly"] - x["cost"]
    >>> scenarios(benefit, {"qaly": 0.04, "cost": 500.0}, changes={"dear": {"cost": 900.0}})
    {'dear': -100.0}
    """
    for change in changes.values():
        _known(base, change)
    return {name: _result(model, {**base, **change}) for name, change in changes.items()}


def threshold_value(
    model: Model, base: Mapping[str, float], *, name: str, between: tuple[float, float]
) -> float:
    """Give the value of one input at which the result is zero, for instance a net benefit.

    Parameters
    ----------
    model, base
        As for :func:`tornado`; the result must be continuous in the input.
    name : str
        The input.
    between : (float, float)
        Where to look; the result must change sign between the ends.

    Returns
    -------
    float

    Raises
    ------
    EstimationError
        Unknown input, or no change of sign: then the conclusion holds on the whole range.

    Examples
    --------
    >>> benefit = lambda x: 20_000 * x["qaly"] - x["cost"]
    >>> round(threshold_value(benefit, {"qaly": 0.04, "cost": 500.0}, name="cost", between=(0, 2000)), 6)
    800.0
    """
    from scipy.optimize import brentq

    _known(base, (name,))
    ends = [_result(model, {**base, name: end}) for end in between]
    if ends[0] * ends[1] > 0:
        raise EstimationError(
            f"{name}: the result is {'positive' if ends[0] > 0 else 'negative'} on the whole range; "
            "there is no break-even value in it"
        )
    return float(
        brentq(lambda value: _result(model, {**base, name: value}), *between, xtol=1e-12, rtol=1e-14)
    )


def break_even_price(
    without_trajectory: JointDifference, thresholds: ArrayLike, *, coach_hours: float, level: float = 0.95
) -> BreakEven:
    """Give the highest price of a trajectory at which it is worth its money at each threshold.

    ``k effect - cost`` where cost leaves the trajectory out: the net benefit before anything is paid for it,
    with its t interval.

    Parameters
    ----------
    without_trajectory : JointDifference
        Incremental cost of care *without* that of the trajectory, and incremental effect.
    thresholds : array-like, shape (K,)
        Euros per unit of effect; 0 asks whether a trajectory pays for itself.
    coach_hours : float
        Mean hours of the coach per trajectory, above 0.
    level : float, default 0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    BreakEven

    Raises
    ------
    EstimationError
        Hours that are not above zero, or unusable thresholds.

    Examples
    --------
    >>> from wor_eval.economics.joint import arm_differences
    >>> care = arm_differences([4, 3, 5, 2, 3, 2], [7, 8, 6, 5, 6, 7], [1, 1, 1, 0, 0, 0])
    >>> print(break_even_price(care, [10], coach_hours=2).per_hour.estimate.round(2))
    [4.17]
    """
    if not (np.isfinite(coach_hours) and coach_hours > 0):
        raise EstimationError("coach_hours: a number above zero is needed to give a price per hour")
    found = net_benefit(without_trajectory, thresholds, level=level)
    return BreakEven(
        thresholds=found.thresholds, per_trajectory=found.limits, per_hour=found.limits.times(1 / coach_hours)
    )


def subgroup_value(
    cost: ArrayLike, effect: ArrayLike, *, shares: ArrayLike, thresholds: ArrayLike
) -> SubgroupValue:
    """Give what is lost by one decision for all subgroups, such as both age bands.

    The static value of heterogeneity, ``sum_b w_b max_s NB_bs - max_s sum_b w_b NB_bs``, with expected net
    benefits (Espinoza et al. 2014, doi:10.1177/0272989X14538705). It takes the estimates as they are: chance
    differences between subgroups make it too high, so read it beside the interaction test.

    Parameters
    ----------
    cost, effect : array-like, shape (B, S)
        Expected cost in euros and effect by subgroup and strategy; only differences between strategies count.
    shares : array-like, shape (B,)
        Share of each subgroup among the eligible; they add up to 1.
    thresholds : array-like, shape (K,)
        Euros per unit of effect, not negative.

    Returns
    -------
    SubgroupValue

    Raises
    ------
    EstimationError
        One strategy or one subgroup only, unequal shapes, missing values, or shares that do not add up to 1.

    Examples
    --------
    >>> found = subgroup_value([[0, 500], [0, 500]], [[0, 0.04], [0, 0.01]], shares=[0.5, 0.5], thresholds=[2e4])
    >>> found.best_by_group, found.lost_by_group, found.value
    (array([[1, 0]]), array([[300.,   0.]]), array([150.]))
    """
    costs, effects = finite("cost", cost, ndim=2), finite("effect", effect, ndim=2)
    weights, grid = finite("shares", shares, ndim=1), threshold_grid(thresholds)
    if costs.shape != effects.shape or min(costs.shape) < 2:
        raise EstimationError(
            f"cost {costs.shape} and effect {effects.shape}: two subgroups and two strategies"
        )
    if weights.shape != costs.shape[:1] or (weights <= 0).any() or abs(weights.sum() - 1) > 1e-9:
        raise EstimationError("shares: one share above zero per subgroup, adding up to 1")
    benefit = grid[:, None, None] * effects - costs
    one = np.einsum("b,kbs->ks", weights, benefit - benefit[:, :, :1]).argmax(axis=1)
    lost = benefit.max(axis=2) - np.take_along_axis(benefit, one[:, None, None], axis=2)[:, :, 0]
    return SubgroupValue(
        thresholds=grid,
        best_for_all=one,
        best_by_group=benefit.argmax(axis=2),
        lost_by_group=lost,
        value=lost @ weights,
    )


def _known(base: Mapping[str, float], names: Mapping[str, object] | Sequence[str]) -> None:
    unknown = [name for name in names if name not in base]
    if unknown:
        raise EstimationError(f"unknown inputs: {', '.join(unknown)}; the model has {', '.join(base)}")


def _result(model: Model, inputs: Mapping[str, float]) -> float:
    value = float(model(inputs))
    if not np.isfinite(value):
        raise EstimationError("the model gives no finite number for these inputs: check the ranges")
    return value
