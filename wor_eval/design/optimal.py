"""Optimal matching on one number: pairs with the least total distance, and full matching."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.design.line import Line, stable_order, strata_with_both_arms
from wor_eval.design.pairs import Pairing
from wor_eval.design.sets import (
    BoolArray,
    FloatArray,
    IntArray,
    Sets,
    check_arms,
    check_score,
    check_strata,
    sets_from_groups,
)


def optimal_pairs(
    score: ArrayLike,
    treated: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    ratio: int = 1,
    caliper: float | None = None,
) -> Sets:
    """Match each referred person to comparison persons so that the total distance is least.

    Minimises the sum over pairs of ``|score_referred - score_comparison|``, exactly, within strata, each
    comparison person used once. Where not everybody can have `ratio` comparison persons (too few, or none
    within the caliper) the number of pairs is made as large as possible first, and the total distance is the
    least among those matchings.

    Parameters
    ----------
    score : array_like of float, shape (n,)
        Propensity score, its logit, or another number. Finite.
    treated : array_like of bool, shape (n,)
        True for a referred person.
    strata : array_like of int, shape (n,), optional
        Codes from 0; pairs never cross strata.
    ratio : int
        Comparison persons per referred person. Where they run out, some referred persons get fewer.
    caliper : float, optional
        Largest distance allowed, in the unit of the score.

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
    Sort both arms. (1) Given who is matched, pairing them in sorted order is optimal, because the distance is
    a convex function of the difference (infinite beyond the caliper is still convex); so only matchings in
    sorted order need be searched, and dynamic programming over (referred person, comparison person) finds the
    best. A referred person with k comparison persons counts as k persons at one place.

    (2) Only a window of comparison persons matters for each referred person. Number them so that referred
    person i has ``b[i]`` comparison persons below, and let ``l[i] = min over s >= i of b[s] - (s - i) - 1``.
    Some optimal matching gives everybody i a comparison person ``j >= l[i]``: take an optimal matching in
    sorted order with the smallest total number of places between partners, suppose ``j < l[i]``, and take the
    longest run of comparison persons j, j + 1, …, all used, by referred persons v0 = i < v1 < … in that order.
    If all of these stood below their referred persons with at least one place between, moving the whole run
    up one place would bring everybody nearer. So some ``j + k >= b[v_k] - 1``, hence
    ``j >= b[v_k] - k - 1 >= b[v_k] - (v_k - i) - 1 >= l[i]``, a contradiction. Mirrored, the window ends at
    ``max over s <= i of b[s] + (i - s)``. Moves bring partners nearer, so calipers and the number of pairs
    stay.

    The optimum need not be unique; MatchIt and optmatch may pair differently at the same total. Rosenbaum 1989,
    doi:10.1080/01621459.1989.10478868; windows of this kind: Sävje 2020, doi:10.1214/19-STS739.

    Examples
    --------
    >>> sets = optimal_pairs([0.5, 0.6, 0.45, 0.58, 0.9], [1, 1, 0, 0, 0])
    >>> sets.pairs
    array([[0, 2],
           [1, 3]])
    """
    asked = Pairing.checked(score, treated, strata=strata, ratio=ratio, caliper=caliper)
    return asked.sets_of_places(_least_total(_windows(asked.line, ratio), asked.line, asked.caliper))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Windows:
    """One row per referred person and copy: who it is, and the first and last place it may be given."""

    referred: IntArray
    first: IntArray
    last: IntArray


def _windows(line: Line, ratio: int) -> _Windows:
    """Find the places that an optimal matching needs: see the notes of `optimal_pairs`."""
    referred = np.repeat(np.flatnonzero(line.start < line.stop), ratio)
    start, stop = line.start[referred], line.stop[referred]
    row = np.arange(referred.size)
    # Strata are set apart by more than any run of persons, so that no run crosses them.
    apart = np.cumsum(np.diff(start, prepend=0) > 0) * (referred.size + 1)
    lead = line.before[referred] + apart - row
    lowest = np.minimum.accumulate(lead[::-1])[::-1] + row - 1 - apart
    highest = np.maximum.accumulate(lead) + row - apart
    return _Windows(referred=referred, first=np.maximum(lowest, start), last=np.minimum(highest, stop - 1))


def _penalties(rows: _Windows, line: Line, caliper: float) -> FloatArray:
    """Return the cost of leaving a row out: more than any change of distance among the rows whose windows touch."""
    own = line.referred_score[rows.referred]
    ends = line.comparison_score[np.stack([rows.first, rows.last])]
    most = np.minimum(np.abs(ends - own).max(axis=0), caliper)
    group = np.cumsum(np.concatenate([[True], rows.first[1:] > rows.last[:-1]])) - 1
    total = np.bincount(group, most)[group]
    return np.where(total > 0, 2.0 * total, 1.0)


def _least_total(rows: _Windows, line: Line, caliper: float) -> IntArray:
    """Return (place of the referred, place of the comparison person) of the best matching in sorted order.

    ``value[j]`` is the least cost of the rows so far with the comparison persons up to place ``base + j``;
    only differences between its entries matter, so it is kept small by subtracting its last entry.
    """
    if rows.referred.size == 0:
        return np.empty((0, 2), dtype=np.int64)
    own, penalty = line.referred_score[rows.referred], _penalties(rows, line, caliper)
    first, last = rows.first.tolist(), rows.last.tolist()
    value, base = np.zeros(1), first[0] - 1
    steps: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
    for i, (low, high) in enumerate(zip(first, last, strict=True)):
        earlier = value[np.minimum(np.arange(low - 1 - base, high - base + 1), value.size - 1)]
        gap = np.abs(line.comparison_score[low : high + 1] - own[i])
        gap[gap > caliper] = np.inf
        take = earlier[:-1] + gap
        best = np.minimum.accumulate(take)
        value = earlier + penalty[i]
        taken = best < value[1:]
        value[1:][taken] = best[taken]
        value -= value[-1]
        base = low - 1
        steps.append((np.packbits(taken), np.packbits(take == best)))
    return _trace_back(rows, steps)


def _trace_back(rows: _Windows, steps: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> IntArray:
    """Read the best matching from the decisions, last row first.

    Each step holds bits per place of the window: whether the row is matched, given that only places up to
    here are left, and whether this place is the best so far.
    """
    chosen = []
    top = int(rows.last[-1])
    for i in range(rows.referred.size - 1, -1, -1):
        first = int(rows.first[i])
        k = min(top, int(rows.last[i])) - first
        if k < 0 or not np.unpackbits(steps[i][0], count=k + 1)[k]:
            continue
        top = first + int(np.flatnonzero(np.unpackbits(steps[i][1], count=k + 1))[-1])
        chosen.append((int(rows.referred[i]), top))
        top -= 1
    return np.array(chosen[::-1], dtype=np.int64).reshape(-1, 2)


def optimal_full(score: ArrayLike, treated: ArrayLike, *, strata: ArrayLike | None = None) -> Sets:
    """Put everyone in a set of one referred and several comparison persons, or the reverse, at least distance.

    Optimal full matching without limits on the size of a set: minimises the sum over sets of
    ``|score_referred - score_comparison|`` over the pairs of the set, exactly, within strata.

    Parameters
    ----------
    score : array_like of float, shape (n,)
        Propensity score, its logit, or another number. Finite.
    treated : array_like of bool, shape (n,)
        True for a referred person.
    strata : array_like of int, shape (n,), optional
        Codes from 0; sets never cross strata. Strata with one arm only are left out.

    Returns
    -------
    Sets
        ATT weights; `pairs` holds every (referred, comparison) pair of every set.

    Raises
    ------
    DesignError
        Bad input, or no stratum holds both arms.

    Notes
    -----
    A full matching is a set of pairs that leaves nobody out, at least total distance (an edge cover: in an
    optimal one every connected part has a single hub). On a line, in sorted order, persons fall into runs of
    one arm, and an optimal solution links neighbouring runs only. Where the last x persons of a run and the
    first y of the next are linked, each at least once, every link spans the gap between the runs, and
    ``max(x, y)`` links suffice; so the cost is the distance of these persons to the gap plus ``max(x, y)``
    times its width. Dynamic programming over the runs chooses x and y, in time linear in n once sorted
    (Colannino and others 2007, doi:10.1007/s00373-007-0714-3).

    The optimum need not be unique: with tied scores another solution of the same total may have other sets,
    and so other weights. Hansen and Klopfer 2006, doi:10.1198/106186006X137047.

    Examples
    --------
    >>> sets = optimal_full([0.50, 0.52, 0.90, 0.40, 0.51, 0.93], [1, 1, 1, 0, 0, 0])
    >>> sets.set_id, sets.weight
    (array([0, 1, 2, 0, 1, 2]), array([1., 1., 1., 1., 1., 1.]))
    """
    arm = check_arms(treated)
    values, codes = check_score(score, arm.size), check_strata(strata, arm.size)
    by_score = np.argsort(values, kind="stable")
    order = by_score[stable_order(codes[by_score])]
    links = [
        people[_cover(values[people], arm[people])] for people in strata_with_both_arms(order, codes, arm)
    ]
    pairs = _without_spare(np.concatenate([np.empty((0, 2), dtype=np.int64), *links]), arm.size)
    pairs = np.where(arm[pairs[:, :1]], pairs, pairs[:, ::-1])
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    hub = np.where(np.bincount(pairs[:, 1], minlength=arm.size)[pairs[:, 1]] > 1, pairs[:, 1], pairs[:, 0])
    group = np.full(arm.size, -1, dtype=np.int64)
    group[pairs] = hub[:, None]
    sets = sets_from_groups(group, arm, pairs=pairs)
    _assert_full(sets, arm, codes)
    return sets


def _cover(x: FloatArray, arm: BoolArray) -> IntArray:
    """Link sorted persons so that nobody is left out, at least total distance; return pairs of places."""
    begin = np.concatenate([[0], np.flatnonzero(np.diff(arm)) + 1, [x.size]])
    runs = [x[start:stop] for start, stop in pairwise(begin)]
    gaps = [float(after[0] - before[-1]) for before, after in pairwise(runs)]
    # cost[y]: least cost so far with the first y persons of the run linked back; none in the first run.
    cost = np.where(np.arange(runs[0].size + 1) == 0, 0.0, np.inf)
    onward = []
    for before, after, gap in zip(runs[:-1], runs[1:], gaps, strict=True):
        # onward[x]: the same with the last x persons of the run linked on, up to the end of the run.
        onward.append(cost[::-1] + np.concatenate([[0.0], np.cumsum(before[-1] - before[::-1])]))
        cost = _carry(onward[-1], after.size, gap) + np.concatenate([[0.0], np.cumsum(after - after[0])])
    links, back = [], runs[-1].size
    for k in range(len(gaps) - 1, -1, -1):
        size = np.arange(onward[k].size)
        ahead = int(np.argmin(onward[k] + gaps[k] * np.maximum(size, back)))
        links.append(_link(int(begin[k + 1]), ahead, back))
        back = runs[k].size - ahead
    return np.concatenate(links)


def _carry(onward: FloatArray, n_after: int, gap: float) -> FloatArray:
    """Return the least of ``onward[x] + gap * max(x, y)`` over x, for y = 0 … `n_after`, less a constant."""
    y = np.arange(n_after + 1)
    last = onward.size - 1
    least: FloatArray = np.minimum.accumulate(onward)[np.minimum(y, last)] + gap * y
    ahead = np.minimum.accumulate((onward + gap * np.arange(last + 1))[::-1])[::-1][: y.size]
    least[: ahead.size] = np.minimum(least[: ahead.size], ahead)
    least -= least.min()
    return least


def _link(gap_at: int, ahead: int, back: int) -> IntArray:
    """Pair the last `ahead` places before `gap_at` with the first `back` after it, all of them, in order."""
    t = np.arange(max(ahead, back))
    low = gap_at - 1 - np.maximum(0, ahead - 1 - t)
    high = gap_at + np.maximum(0, t - max(ahead - back, 0)) if ahead >= back else gap_at + t
    return np.column_stack([low, high])


def _without_spare(links: IntArray, n: int) -> IntArray:
    """Leave out links whose two ends both have another one: possible only where scores are tied."""
    degree = np.bincount(links.ravel(), minlength=n)
    keep = np.ones(links.shape[0], dtype=np.bool_)
    for i in np.flatnonzero((degree[links] > 1).all(axis=1)):
        if (degree[links[i]] > 1).all():
            degree[links[i]] -= 1
            keep[i] = False
    return links[keep]


def _assert_full(sets: Sets, arm: BoolArray, codes: IntArray) -> None:
    """Assert that sets stay within strata, have one hub, and hold everyone whose stratum has both arms."""
    referred, comparison = sets.pairs[:, 0], sets.pairs[:, 1]
    assert arm[referred].all() and not arm[comparison].any(), "a pair within one arm"
    assert (codes[referred] == codes[comparison]).all(), "a pair across strata"
    assert (sets.set_id[referred] == sets.set_id[comparison]).all(), "a pair across sets"
    kept = sets.set_id >= 0
    sizes = [np.bincount(sets.set_id[kept & which], minlength=sets.n_sets) for which in (arm, ~arm)]
    assert (np.minimum(*sizes) == 1).all(), "a set without a single hub"
    whole = np.intersect1d(codes[arm], codes[~arm])
    assert (kept == np.isin(codes, whole)).all(), "somebody left out"
