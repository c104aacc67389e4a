"""Choosing between two or more strategies: acceptability, frontier and value of perfect information.

Over the thresholds the net benefit of a draw is a straight line for each strategy, so each strategy is best on
one stretch of thresholds. The ends of those stretches are found once and sorted; the answer at any threshold is
then a count and a cumulative sum, and the number of thresholds costs next to nothing.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.economics.checked import Floats, finite, strategy_draws, threshold_grid
from wor_eval.economics.intervals import Intervals
from wor_eval.errors import EstimationError

FrontierStatus = Literal["on_frontier", "dominated", "extendedly_dominated"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Acceptability:
    """What the draws say at each threshold.

    Attributes
    ----------
    thresholds : ndarray, shape (K,)
        Euros per unit of effect.
    probability : ndarray, shape (K, S)
        Acceptability: share of the draws in which a strategy has the highest net benefit; rows add up to 1.
    expected_net_benefit : ndarray, shape (K, S)
        Mean net benefit in euros per person, as difference from the first strategy.
    best : ndarray of int, shape (K,)
        Position of the strategy with the highest expected net benefit.
    frontier : ndarray, shape (K,)
        Acceptability frontier: the probability that this best strategy is best.
    evpi : ndarray, shape (K,)
        Expected value of perfect information, in euros per person.
    """

    thresholds: Floats
    probability: Floats
    expected_net_benefit: Floats
    best: np.ndarray[tuple[int], np.dtype[np.intp]]
    frontier: Floats
    evpi: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Frontier:
    """The efficiency frontier of strategies.

    Attributes
    ----------
    status : tuple of str
        For each strategy: on the frontier, dominated, or extendedly dominated (a mix of two others gives more
        effect for its cost).
    order : tuple of int
        Positions of the strategies on the frontier, from least to most effect.
    ratio : tuple of float or None
        For each strategy euros per unit of effect against the one before it on the frontier; None for the
        first and for those not on it.
    """

    status: tuple[FrontierStatus, ...]
    order: tuple[int, ...]
    ratio: tuple[float | None, ...]


def acceptability(cost: ArrayLike, effect: ArrayLike, thresholds: ArrayLike) -> Acceptability:
    """Give acceptability, its frontier, expected net benefit and value of perfect information.

    Acceptability and its frontier: Fenwick, Claxton and Sculpher 2001 (doi:10.1002/hec.635); value of perfect
    information ``E[max_s NB_s] - max_s E[NB_s]``: Claxton 1999 (doi:10.1016/S0167-6296(98)00039-3). Of equal
    net benefits the earlier strategy wins, as in R's BCEA, so put the comparison first.

    Parameters
    ----------
    cost, effect : array-like, shape (R, S) or (R,)
        Joint draws by strategy, or differences from one alternative.
    thresholds : array-like, shape (K,)
        Euros per unit of effect, not negative, in any order.

    Returns
    -------
    Acceptability

    Raises
    ------
    EstimationError
        One strategy only, unequal shapes, missing or infinite values, negative thresholds.

    Examples
    --------
    >>> answer = acceptability([50.0, 70.0, 40.0], [0.01, -0.02, 0.03], [0, 10_000])
    >>> print(answer.probability[:, 1].round(3), answer.evpi.round(1))
    [0.    0.667] [ 0. 90.]
    """
    costs, effects = strategy_draws(cost, effect)
    grid = threshold_grid(thresholds)
    costs, effects = costs - costs[:, :1], effects - effects[:, :1]
    low, high = _best_ranges(costs, effects)
    shares, gained = np.empty((grid.size, low.shape[1])), np.zeros(grid.size)
    for s in range(low.shape[1]):
        lines = np.column_stack([costs[:, s], effects[:, s]])
        wins, cost_sum, effect_sum = _sums_where_best(low[:, s], high[:, s], lines, grid)
        shares[:, s] = wins / len(costs)
        gained += (grid * effect_sum - cost_sum) / len(costs)
    expected = grid[:, None] * effects.mean(axis=0) - costs.mean(axis=0)
    best = expected.argmax(axis=1)
    rows = np.arange(grid.size)
    return Acceptability(
        thresholds=grid,
        probability=shares,
        expected_net_benefit=expected,
        best=best,
        frontier=shares[rows, best],
        evpi=np.maximum(gained - expected[rows, best], 0.0),
    )


def net_benefit_of_draws(
    cost: ArrayLike, effect: ArrayLike, thresholds: ArrayLike, *, level: float = 0.95
) -> Intervals:
    """Give the expected net benefit of each strategy against the first, with percentile limits of the draws.

    For draws of a decision model. With data of persons the t interval of
    :func:`wor_eval.economics.decision.net_benefit` holds better where clusters are few.

    Parameters
    ----------
    cost, effect : array-like, shape (R, S) or (R,)
        Joint draws by strategy, or differences from one alternative.
    thresholds : array-like, shape (K,)
        Euros per unit of effect, not negative.
    level : float, default 0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    Intervals, shape (K, S - 1)

    Raises
    ------
    EstimationError
        As for :func:`acceptability`, or too few draws for the level.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> limits = net_benefit_of_draws(rng.normal(100, 20, 999), rng.normal(0.02, 0.01, 999), [20_000])
    >>> print(limits.estimate.round(), limits.conf_low.round(), limits.conf_high.round())
    [[299.]] [[-98.]] [[691.]]
    """
    from wor_eval.effects.bootstrap_intervals import bootstrap_interval

    costs, effects = strategy_draws(cost, effect)
    grid = threshold_grid(thresholds)
    costs, effects = costs[:, 1:] - costs[:, :1], effects[:, 1:] - effects[:, :1]
    found = []
    for k in grid:
        draws = k * effects - costs
        found.append(bootstrap_interval(draws, draws.mean(axis=0), method="percentile", level=level))
    return Intervals(
        estimate=np.stack([f.estimate for f in found]),
        std_error=np.stack([f.std_error for f in found]),
        conf_low=np.stack([f.conf_low for f in found]),
        conf_high=np.stack([f.conf_high for f in found]),
        p_value=np.stack([f.p_value for f in found]),
    )


def efficiency_frontier(cost: ArrayLike, effect: ArrayLike) -> Frontier:
    """Say which strategies can be best at some threshold, and what each step along them costs.

    A strategy is dominated where another has at least its effect at no more cost, and extendedly dominated
    where the ratio of the step to it is higher than that of the step beyond it (Karlsson and Johannesson 1996,
    doi:10.2165/00019053-199609020-00003). Of identical strategies the first stays.

    Parameters
    ----------
    cost, effect : array-like, shape (S,)
        Expected cost in euros and effect of each strategy.

    Returns
    -------
    Frontier

    Raises
    ------
    EstimationError
        One strategy only, unequal lengths, missing or infinite values.

    Examples
    --------
    >>> frontier = efficiency_frontier([0, 100, 300, 250], [0, 0.010, 0.020, 0.011])
    >>> frontier.status[3], [round(r) if r else None for r in frontier.ratio]
    ('extendedly_dominated', [None, 10000, 20000, None])
    """
    costs, effects = finite("cost", cost, ndim=1), finite("effect", effect, ndim=1)
    if costs.shape != effects.shape or costs.size < 2:
        raise EstimationError(
            f"{costs.size} costs and {effects.size} effects: at least two strategies, each with both"
        )
    status: list[FrontierStatus] = ["dominated"] * costs.size
    kept: list[int] = []
    for s in np.lexsort((np.arange(costs.size), -effects, costs)):
        if kept and effects[s] <= effects[kept[-1]]:
            continue
        while len(kept) > 1 and _step(kept[-2], kept[-1], costs, effects) > _step(
            kept[-1], s, costs, effects
        ):
            status[kept.pop()] = "extendedly_dominated"
        kept.append(int(s))
    ratios: list[float | None] = [None] * costs.size
    for before, s in itertools.pairwise(kept):
        ratios[s] = _step(before, s, costs, effects)
    for s in kept:
        status[s] = "on_frontier"
    return Frontier(status=tuple(status), order=tuple(kept), ratio=tuple(ratios))


def _step(start: int, end: int, costs: Floats, effects: Floats) -> float:
    return float((costs[end] - costs[start]) / (effects[end] - effects[start]))


def _best_ranges(costs: Floats, effects: Floats) -> tuple[Floats, Floats]:
    """Give for each draw and strategy the open stretch of thresholds (R, S) on which it is best.

    A later strategy that only ties must lose, an earlier one win: its end is moved by the smallest number.
    """
    low, high = np.full(costs.shape, -np.inf), np.full(costs.shape, np.inf)
    for s in range(costs.shape[1]):
        for other in range(costs.shape[1]):
            if other == s:
                continue
            dc, de = costs[:, s] - costs[:, other], effects[:, s] - effects[:, other]
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                crossing = dc / de
            floor, ceiling = (crossing, crossing) if other < s else _opened(crossing)
            low[:, s] = np.where(de > 0, np.maximum(low[:, s], floor), low[:, s])
            high[:, s] = np.where(de < 0, np.minimum(high[:, s], ceiling), high[:, s])
            loses = (de == 0) & ((dc > 0) | ((dc == 0) & (other < s)))
            low[:, s] = np.where(loses, np.inf, low[:, s])
    return low, high


def _opened(crossing: Floats) -> tuple[Floats, Floats]:
    return np.nextafter(crossing, -np.inf), np.nextafter(crossing, np.inf)


def _sums_where_best(low: Floats, high: Floats, lines: Floats, grid: Floats) -> Floats:
    """Give for each threshold the draws with ``low < k < high``: their number and the sums of their lines.

    ``lines`` is (R, 2), cost and effect; the answer is (3, K).
    """
    inside = low < high
    lines = lines[inside]
    opened = _cumulative(low[inside], lines)
    closed = _cumulative(high[inside], lines)
    after = opened[1][:, np.searchsorted(opened[0], grid, side="left")]
    before = closed[1][:, np.searchsorted(closed[0], grid, side="right")]
    return np.asarray(after - before)


def _cumulative(ends: Floats, lines: Floats) -> tuple[Floats, Floats]:
    """Sort ends (R,), and give the running count and sums of lines (3, R + 1) in that order."""
    order = np.argsort(ends)
    running = np.zeros((3, ends.size + 1))
    running[0] = np.arange(ends.size + 1)
    np.cumsum(lines[order], axis=0, out=running[1:, 1:].T)
    return ends[order], running
