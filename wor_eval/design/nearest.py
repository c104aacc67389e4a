"""Greedy nearest-neighbour matching on one number, such as the propensity score or its logit."""

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.design.line import Line, Order, turn_of_referred
from wor_eval.design.pairs import Pairing
from wor_eval.design.sets import IntArray, Sets


def nearest_on_score(
    score: ArrayLike,
    treated: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    ratio: int = 1,
    replacement: bool = False,
    order: Order = "largest",
    caliper: float | None = None,
    seed: int | None = None,
) -> Sets:
    """Match each referred person to the nearest comparison persons on a score, one after the other.

    The distance of a pair is ``|score_referred - score_comparison|``. The result is the same, pair by pair,
    as that of MatchIt 4.7.1 (``method = "nearest"``).

    Parameters
    ----------
    score : array_like of float, shape (n,)
        Propensity score (0-1), its logit, or another number. Finite.
    treated : array_like of bool, shape (n,)
        True for a referred person.
    strata : array_like of int, shape (n,), optional
        Codes from 0; pairs never cross strata. A person's entry date can be part of the code (risk sets).
    ratio : int
        Comparison persons per referred person. Without replacement matching goes in rounds: every referred
        person chooses a first comparison person before anyone chooses a second. A referred person who finds
        nobody in one round is left out of the later ones and keeps what was found.
    replacement : bool
        Whether a comparison person may be chosen by several referred persons. The order then has no effect.
    order : {"largest", "smallest", "data", "random"}
        Who chooses first: the largest or smallest score (ties: first row), row order, or random (needs
        `seed`).
    caliper : float, optional
        Largest distance allowed, in the unit of the score: see `caliper_width`.
    seed : int, optional
        For ``order="random"``.

    Returns
    -------
    Sets
        One set per matched referred person, with ATT weights.

    Raises
    ------
    DesignError
        Bad input, or nobody can be matched; the message then says what wider calipers would reach.

    Notes
    -----
    Ties. Comparison persons with the same score on the same side: the one that stands nearest in the order by
    score and row. Equal distance on both sides: the one fewer places away in that order, counted over
    everyone; the lower one where that is equal too.

    Rosenbaum and Rubin 1985, doi:10.1080/00031305.1985.10479383; Austin 2011, doi:10.1002/pst.433; Ho, Imai,
    King and Stuart 2011, doi:10.18637/jss.v042.i08. The free neighbours are found with a union-find structure
    (Tarjan 1975, doi:10.1145/321879.321884), so each choice takes nearly constant time.

    Examples
    --------
    >>> score = [0.50, 0.70, 0.48, 0.69, 0.10]
    >>> nearest_on_score(score, [1, 1, 0, 0, 0], caliper=0.05).pairs
    array([[0, 2],
           [1, 3]])
    """
    asked = Pairing.checked(
        score, treated, strata=strata, ratio=ratio, caliper=caliper, replacement=replacement
    )
    if replacement:
        return asked.sets_of_places(_choose_freely(asked.line, ratio, asked.caliper))
    turn = turn_of_referred(asked.line.referred, order=order, score=asked.score, seed=seed)
    return asked.sets_of_places(_choose_in_turn(asked.line, turn, ratio, asked.caliper))


def _choose_in_turn(line: Line, turn: IntArray, ratio: int, caliper: float) -> IntArray:
    """Return (place of the referred, place of the comparison person) on the line, round by round.

    `lower` and `upper` lead from a used place towards the next free one on the left and on the right; a place
    that is not in them is free.
    """
    lower: dict[int, int] = {}
    upper: dict[int, int] = {}
    score, rank = line.comparison_score.data, line.comparison_rank.data
    before, start, stop = line.before.tolist(), line.start.tolist(), line.stop.tolist()
    own, left, right = line.referred_score.tolist(), line.referred_rank.tolist(), line.referred_rank.tolist()
    chosen: list[tuple[int, int]] = []
    waiting = turn.tolist()
    for _ in range(ratio):
        served = []
        for i in waiting:
            low, high = _free(lower, before[i] - 1), _free(upper, before[i])
            gap_low = own[i] - score[low] if low >= start[i] else np.inf
            gap_high = score[high] - own[i] if high < stop[i] else np.inf
            gap = min(gap_low, gap_high)
            if gap > caliper or gap == np.inf:
                continue
            tie = gap_low == gap_high
            if (left[i] - rank[low] <= rank[high] - right[i]) if tie else (gap_low < gap_high):
                place, left[i] = low, rank[low]
            else:
                place, right[i] = high, rank[high]
            lower[place], upper[place] = place - 1, place + 1
            chosen.append((i, place))
            served.append(i)
        waiting = served
    return np.array(chosen, dtype=np.int64).reshape(-1, 2)


def _free(onward: dict[int, int], place: int) -> int:
    """Follow the links from a place to the first free one, halving the path on the way."""
    step = onward.get(place)
    while step is not None:
        beyond = onward.get(step)
        if beyond is None:
            return step
        onward[place] = beyond
        place, step = beyond, onward.get(beyond)
    return place


def _choose_freely(line: Line, ratio: int, caliper: float) -> IntArray:
    """Return (place of the referred, place of the comparison person): the nearest ones, used or not."""
    step = np.concatenate([-np.arange(1, ratio + 1), np.arange(ratio)])
    place = line.before[:, None] + step
    inside = (place >= line.start[:, None]) & (place < line.stop[:, None])
    known = np.where(inside, place, 0)
    gap = np.abs(line.comparison_score[known] - line.referred_score[:, None])
    gap[~inside | (gap > caliper)] = np.inf
    away = np.abs(line.comparison_rank[known] - line.referred_rank[:, None])
    nearest = np.lexsort((np.broadcast_to(step >= 0, gap.shape), away, gap))[:, :ratio]
    row = np.repeat(np.arange(line.referred.size), nearest.shape[1])
    column = nearest.ravel()
    found = np.isfinite(gap[row, column])
    return np.column_stack([row, place[row, column]])[found]
