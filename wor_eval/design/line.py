"""Persons laid on a line: sorted by stratum and score, so that neighbours stand next to each other.

Matching on one number (a propensity score or its logit) needs no distance matrix: the nearest comparison
persons of a referred person are their neighbours in sorted order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.design.sets import (
    BoolArray,
    FloatArray,
    IntArray,
    check_arms,
    check_caliper,
    check_score,
    check_strata,
)
from wor_eval.errors import DesignError

Order = Literal["largest", "smallest", "data", "random"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Line:
    """Referred and comparison persons sorted by stratum, score and row.

    Attributes
    ----------
    comparison, comparison_score, comparison_rank : ndarray, shape (n_comparison,)
        Position in the data, score, and place in the order by score of all persons of all strata.
    referred, referred_score, referred_rank : ndarray, shape (n_referred,)
        The same for the referred.
    before : ndarray of int, shape (n_referred,)
        Number of comparison persons on the line before each referred person: the left neighbour is
        ``before - 1``, the right neighbour ``before``.
    start, stop : ndarray of int, shape (n_referred,)
        The comparison persons in the stratum of each referred person: ``comparison[start:stop]``.
    """

    comparison: IntArray
    comparison_score: FloatArray
    comparison_rank: IntArray
    referred: IntArray
    referred_score: FloatArray
    referred_rank: IntArray
    before: IntArray
    start: IntArray
    stop: IntArray


def stable_order(codes: IntArray) -> IntArray:
    """Return the stable sorting order of codes from 0; with few codes by counting, which is much faster.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        Codes from 0.

    Examples
    --------
    >>> stable_order(np.array([2, 0, 2, 1]))
    array([1, 3, 0, 2])
    """
    few = codes.max(initial=0) < np.iinfo(np.uint16).max
    return np.argsort(codes.astype(np.uint16) if few else codes, kind="stable")


def strata_with_both_arms(order: IntArray, strata: IntArray, treated: BoolArray) -> Iterator[IntArray]:
    """Yield the positions of the persons of each stratum that holds both arms.

    Parameters
    ----------
    order : ndarray of int, shape (n,)
        Positions of all persons, sorted by stratum; within a stratum they stay in this order.
    strata : ndarray of int, shape (n,)
        Codes from 0.
    treated : ndarray of bool, shape (n,)
        True for a referred person.

    Examples
    --------
    >>> strata, arm = np.array([0, 1, 1]), np.array([True, True, False])
    >>> list(strata_with_both_arms(stable_order(strata), strata, arm))
    [array([1, 2])]
    """
    for rows in np.split(order, np.flatnonzero(np.diff(strata[order])) + 1):
        if 0 < np.count_nonzero(treated[rows]) < rows.size:
            yield rows


def lay_out(score: FloatArray, treated: BoolArray, strata: IntArray) -> Line:
    """Sort all persons by stratum, then score, then row.

    Parameters
    ----------
    score : ndarray of float, shape (n,)
        What persons are matched on.
    treated : ndarray of bool, shape (n,)
        True for a referred person.
    strata : ndarray of int, shape (n,)
        Codes from 0.

    Returns
    -------
    Line

    Examples
    --------
    >>> line = lay_out(np.array([0.5, 0.4, 0.9]), np.array([True, False, False]), np.zeros(3, int))
    >>> line.comparison, line.before
    (array([1, 2]), array([1]))
    """
    by_score = np.argsort(score, kind="stable")
    rank = stable_order(strata[by_score])
    order = by_score[rank]
    arm, codes = treated[order], strata[order]
    comparison_codes, referred_codes = codes[~arm], codes[arm]
    comparison, referred = order[~arm], order[arm]
    return Line(
        comparison=comparison,
        comparison_score=score[comparison],
        comparison_rank=rank[~arm],
        referred=referred,
        referred_score=score[referred],
        referred_rank=rank[arm],
        before=np.flatnonzero(arm) - np.arange(referred.size),
        start=np.searchsorted(comparison_codes, referred_codes, side="left"),
        stop=np.searchsorted(comparison_codes, referred_codes, side="right"),
    )


def nearest_gap(line: Line) -> FloatArray:
    """Distance of each referred person on the line to the nearest comparison person of the stratum.

    Parameters
    ----------
    line : Line
        Persons in sorted order.

    Returns
    -------
    ndarray of float, shape (n_referred,)
        In the order of ``line.referred``; infinity where the stratum has no comparison person.
    """
    gap = np.full(line.referred.size, np.inf)
    for place, inside in (
        (line.before - 1, line.before > line.start),
        (line.before, line.before < line.stop),
    ):
        there = np.abs(line.comparison_score[place[inside]] - line.referred_score[inside])
        gap[inside] = np.minimum(gap[inside], there)
    return gap


def turn_of_referred(
    referred: IntArray, *, order: Order, score: FloatArray | None, seed: int | None
) -> IntArray:
    """Return the order in which the referred persons choose.

    Parameters
    ----------
    referred : ndarray of int, shape (n_referred,)
        Positions of the referred persons.
    order : {"largest", "smallest", "data", "random"}
        Largest or smallest score first (ties: first row first), row order, or random.
    score : ndarray of float, shape (n,), or None
        Needed for ``largest`` and ``smallest``.
    seed : int or None
        Needed for ``random``.

    Returns
    -------
    ndarray of int, shape (n_referred,)
        Indices into `referred`.

    Raises
    ------
    DesignError
        An unknown order, or an order without the score or seed it needs.

    Examples
    --------
    >>> turn_of_referred(np.array([0, 2]), order="largest", score=np.array([0.1, 0.5, 0.9]), seed=None)
    array([1, 0])
    """
    by_row = np.argsort(referred, kind="stable")
    if order == "data":
        return by_row
    if order == "random":
        if seed is None:
            raise DesignError("a random order of matching needs a seed")
        return np.random.default_rng(seed).permutation(by_row)
    if order not in ("largest", "smallest"):
        raise DesignError(f"unknown order of matching {order!r}: use largest, smallest, data or random")
    if score is None:
        raise DesignError(f"the order {order!r} needs a score")
    signed = score[referred[by_row]] * (-1.0 if order == "largest" else 1.0)
    return by_row[np.argsort(signed, kind="stable")]


def caliper_width(
    score: ArrayLike,
    treated: ArrayLike,
    *,
    sd: float = 0.2,
    definition: Literal["all", "pooled_within"] = "all",
) -> float:
    """Turn a caliper in standard deviations into an absolute width.

    Parameters
    ----------
    score : array_like of float, shape (n,)
        Propensity score or its logit.
    treated : array_like of bool, shape (n,)
        True for a referred person.
    sd : float
        Number of standard deviations.
    definition : {"all", "pooled_within"}
        ``all``: the standard deviation over everyone, as MatchIt. ``pooled_within``: the root of the mean of
        the two within-arm variances, as Austin. Both divide by n - 1.

    Returns
    -------
    float
        Width in the unit of the score.

    Raises
    ------
    DesignError
        A bad score, an empty arm, fewer than two persons in an arm, or no spread.

    Notes
    -----
    Austin 2011, doi:10.1002/pst.433 (0.2 SD of the logit of the propensity score). With rare referral the two
    definitions are close; on `lalonde` 0.36 against 0.27.

    Examples
    --------
    >>> round(caliper_width([0.0, 1.0, 2.0, 3.0], [0, 0, 1, 1]), 4)
    0.2582
    >>> round(caliper_width([0.0, 1.0, 2.0, 3.0], [0, 0, 1, 1], definition="pooled_within"), 4)
    0.1414
    """
    arm = check_arms(treated)
    values = check_score(score, arm.size)
    parts = [values] if definition == "all" else [values[arm], values[~arm]]
    if min(part.size for part in parts) < 2:
        raise DesignError("a standard deviation needs at least two persons in each arm")
    spread = float(np.sqrt(np.mean([part.var(ddof=1) for part in parts])))
    if spread == 0:
        raise DesignError("the score is the same for everyone: there is no standard deviation to scale with")
    return check_caliper(sd * spread)


@dataclass(frozen=True, kw_only=True, slots=True)
class CaliperReach:
    """Share of the referred (0-1) with a comparison person of their stratum within a width."""

    width: float
    share: float


def wider_calipers(
    score: ArrayLike, treated: ArrayLike, *, caliper: float, strata: ArrayLike | None = None
) -> tuple[CaliperReach, ...]:
    """Say what share of the referred a caliper and wider ones would reach.

    Parameters
    ----------
    score : array_like of float, shape (n,)
        What the caliper is a width of.
    treated : array_like of bool, shape (n,)
        True for a referred person.
    caliper : float
        Absolute width; 1, 1.5, 2, 3, 5 and 10 times this width are tried.
    strata : array_like of int, shape (n,), optional
        Codes within which persons must be matched.

    Returns
    -------
    tuple of CaliperReach
        Reach before competition: matching without replacement can keep fewer, never more.

    Examples
    --------
    >>> reach = wider_calipers([0.5, 0.4, 0.9, 0.2], [1, 0, 1, 0], caliper=0.1)
    >>> [(round(row.width, 2), row.share) for row in reach][:2]
    [(0.1, 0.5), (0.15, 0.5)]
    """
    arm = check_arms(treated)
    line = lay_out(check_score(score, arm.size), arm, check_strata(strata, arm.size))
    return tuple(widths_and_reach(nearest_gap(line), check_caliper(caliper)))


def widths_and_reach(gap: FloatArray, caliper: float) -> Iterator[CaliperReach]:
    """Yield what a caliper and wider ones would reach, from the distances that `nearest_gap` gives."""
    for factor in (1.0, 1.5, 2.0, 3.0, 5.0, 10.0):
        yield CaliperReach(width=factor * caliper, share=float(np.mean(gap <= factor * caliper)))
