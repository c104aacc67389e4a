"""Matched sets: who belongs together, with what weight, and who was left out and why.

Every matching method of this package ends in one `Sets`. It holds positions (row numbers of the arrays
that were matched), never identifiers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.errors import DesignError, NobodyMatchedError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

UNMATCHED = -1
IN_SEVERAL_SETS = -2


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sets:
    """The result of one matching of n persons.

    Attributes
    ----------
    set_id : ndarray of int, shape (n,)
        Number of the set of each person, from 0, in the order of the first referred person of each set.
        -1: unmatched. -2: a comparison person who stands in several sets (only with replacement): see
        `set_members`.
    weight : ndarray of float, shape (n,)
        ATT weight: 1 for a matched referred person; for a comparison person the number of referred persons
        of the set divided by its number of comparison persons, summed over the sets the person stands in;
        0 for the unmatched. The comparison weights sum to the number of matched referred persons.
        `scale_weights` gives the scaling of MatchIt.
    pairs : ndarray of int, shape (m, 2)
        Positions of (referred, comparison), by referred person and then in the order in which they were
        chosen. Empty for methods without pairs (exact, subclasses).
    dropped : mapping of str to ndarray of int
        Positions of the referred persons without a set, by reason: ``no_comparison`` (nobody to compare with
        in the stratum), ``caliper`` (nobody near enough), ``used_up`` (those near enough were taken by
        others).
    """

    set_id: IntArray
    weight: FloatArray
    pairs: IntArray
    dropped: Mapping[str, IntArray]

    @property
    def n_sets(self) -> int:
        """Number of sets."""
        return int(self.set_id.max(initial=UNMATCHED)) + 1


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SetMembers:
    """Sets with one row per person and set: the long form of `Sets`.

    Attributes
    ----------
    person, set_id : ndarray of int, shape (r,)
        Position of the person and number of the set, sorted by set and then by person.
    weight : ndarray of float, shape (r,)
        ATT weight of this person in this set.
    """

    person: IntArray
    set_id: IntArray
    weight: FloatArray


def check_arms(treated: ArrayLike) -> BoolArray:
    """Return the arm of each person as booleans, after checking that both arms are there.

    Parameters
    ----------
    treated : array_like of bool or of 0 and 1, shape (n,)
        True for a referred person.

    Raises
    ------
    DesignError
        The values are not booleans or 0 and 1, or an arm is empty.

    Examples
    --------
    >>> check_arms([1, 0, 0])
    array([ True, False, False])
    """
    arm = np.asarray(treated)
    if arm.ndim != 1:
        raise DesignError(f"the arm must be one value per person, not an array of shape {arm.shape}")
    if arm.dtype != np.bool_:
        wrong = int(np.count_nonzero((arm != 0) & (arm != 1)))
        if wrong:
            raise DesignError(f"the arm of {wrong} of {arm.size} persons is not 0 or 1: mend the arm column")
        arm = arm == 1
    n_referred = int(arm.sum())
    if n_referred in (0, arm.size):
        raise DesignError(
            f"matching needs two arms: there are {n_referred} referred and {arm.size - n_referred} "
            "comparison persons"
        )
    return arm


def check_strata(strata: ArrayLike | None, n: int) -> IntArray:
    """Return the stratum code of each person; zeros where there are no strata.

    Parameters
    ----------
    strata : array_like of int, shape (n,), or None
        Codes from 0, such as `exact_codes` gives. They are renumbered where they exceed n.
    n : int
        Number of persons.

    Raises
    ------
    DesignError
        Another length, codes that are not whole numbers, or codes below 0.
    """
    if strata is None:
        return np.zeros(n, dtype=np.int64)
    codes = np.asarray(strata)
    if codes.shape != (n,):
        raise DesignError(f"there are {n} persons, but the strata have shape {codes.shape}")
    if not np.issubdtype(codes.dtype, np.integer) or codes.min(initial=0) < 0:
        raise DesignError("strata must be whole-number codes from 0: make them with exact_codes()")
    if codes.max(initial=0) >= n:
        codes = np.unique(codes, return_inverse=True)[1]
    return codes.astype(np.int64, copy=False)


def check_score(score: ArrayLike, n: int) -> FloatArray:
    """Return the score of each person, after checking its length and that every value is finite.

    Parameters
    ----------
    score : array_like of float, shape (n,)
        Propensity score, its logit, or another number to match on.
    n : int
        Number of persons.

    Raises
    ------
    DesignError
        Another length, or values that are missing or infinite.
    """
    values = np.asarray(score, dtype=np.float64)
    if values.shape != (n,):
        raise DesignError(f"there are {n} persons, but the score has shape {values.shape}")
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        raise DesignError(
            f"the score of {bad} of {n} persons is missing or infinite: leave them out before matching"
        )
    return values


def check_caliper(caliper: float | None) -> float:
    """Return the caliper as an absolute width; infinity where there is none.

    Raises
    ------
    DesignError
        The caliper is negative or not a number.
    """
    if caliper is None:
        return np.inf
    if not caliper >= 0:
        raise DesignError("a caliper is a width of 0 or more, in the unit of the score")
    return float(caliper)


def check_ratio(ratio: int) -> None:
    """Refuse a number of comparison persons per referred person below 1.

    Raises
    ------
    DesignError
        The ratio is below 1.
    """
    if ratio < 1:
        raise DesignError(f"the ratio must be 1 or more comparison persons per referred person, not {ratio}")


def sets_from_pairs(pairs: IntArray, treated: BoolArray, *, dropped: Mapping[str, IntArray]) -> Sets:
    """Build sets of one referred person each from (referred, comparison) pairs.

    Parameters
    ----------
    pairs : ndarray of int, shape (m, 2)
        Positions; the pairs of one referred person in the order in which they were chosen.
    treated : ndarray of bool, shape (n,)
        True for a referred person.
    dropped : mapping of str to ndarray of int
        Positions of referred persons without a pair, by reason.

    Returns
    -------
    Sets

    Examples
    --------
    >>> arm = np.array([True, False, False, True])
    >>> sets = sets_from_pairs(np.array([[3, 1], [0, 1], [0, 2]]), arm, dropped={})
    >>> sets.set_id, sets.weight
    (array([ 0, -2,  0,  1]), array([1. , 1.5, 0.5, 1. ]))
    """
    ordered = pairs[np.argsort(pairs[:, 0], kind="stable")]
    referred, member, size = np.unique(ordered[:, 0], return_inverse=True, return_counts=True)
    weight = np.bincount(ordered[:, 1], 1.0 / size[member], treated.size).astype(np.float64)
    weight[referred] = 1.0
    set_id = np.full(treated.size, UNMATCHED, dtype=np.int64)
    set_id[referred] = np.arange(referred.size)
    set_id[ordered[:, 1]] = member
    uses = np.bincount(ordered[:, 1], minlength=treated.size)
    set_id[uses > 1] = IN_SEVERAL_SETS
    return Sets(set_id=set_id, weight=weight, pairs=ordered, dropped=dropped)


def sets_from_groups(group: IntArray, treated: BoolArray, *, pairs: IntArray | None = None) -> Sets:
    """Build sets from a grouping of the persons; groups without both arms are left out.

    Parameters
    ----------
    group : ndarray of int, shape (n,)
        Group of each person, codes from 0; -1 for a person outside every group.
    treated : ndarray of bool, shape (n,)
        True for a referred person.
    pairs : ndarray of int, shape (m, 2), optional
        Pairs to keep for audit.

    Returns
    -------
    Sets

    Raises
    ------
    NobodyMatchedError
        No group holds both arms.

    Examples
    --------
    >>> arm = np.array([True, False, False, True])
    >>> sets_from_groups(np.array([7, 7, 7, 2]), arm).weight
    array([1. , 0.5, 0.5, 0. ])
    """
    inside = group >= 0
    n_groups = int(group.max(initial=-1)) + 1
    n_referred = np.bincount(group[inside & treated], minlength=n_groups)
    n_comparison = np.bincount(group[inside & ~treated], minlength=n_groups)
    whole = (n_referred > 0) & (n_comparison > 0)
    if not whole.any():
        raise NobodyMatchedError(
            "no stratum holds both a referred and a comparison person: match on fewer or coarser columns"
        )
    kept = inside & whole[group]
    number = _number_by_first_referred(group[kept & treated], n_groups)
    set_id = np.where(kept, number[group], UNMATCHED)
    ratio = np.divide(n_referred, n_comparison, out=np.zeros(n_groups), where=whole)
    weight = np.where(kept, np.where(treated, 1.0, ratio[group]), 0.0)
    dropped = {"no_comparison": np.flatnonzero(treated & ~kept)}
    no_pairs = np.empty((0, 2), dtype=np.int64)
    return Sets(set_id=set_id, weight=weight, pairs=no_pairs if pairs is None else pairs, dropped=dropped)


def _number_by_first_referred(groups: IntArray, n_groups: int) -> IntArray:
    """Give each group its place, from 0, in order of first appearance."""
    codes, first = np.unique(groups, return_index=True)
    number = np.full(n_groups, UNMATCHED, dtype=np.int64)
    number[codes[np.argsort(first)]] = np.arange(codes.size)
    return number


def set_members(sets: Sets) -> SetMembers:
    """Return one row per person and set, also where a comparison person stands in several sets.

    Parameters
    ----------
    sets : Sets
        The result of a matching.

    Returns
    -------
    SetMembers

    Examples
    --------
    >>> arm = np.array([True, False, True])
    >>> members = set_members(sets_from_pairs(np.array([[0, 1], [2, 1]]), arm, dropped={}))
    >>> members.person, members.set_id, members.weight
    (array([0, 1, 1, 2]), array([0, 0, 1, 1]), array([1., 1., 1., 1.]))
    """
    person = np.flatnonzero(sets.set_id >= 0)
    set_id, weight = sets.set_id[person], sets.weight[person]
    shared = sets.set_id[sets.pairs[:, 1]] == IN_SEVERAL_SETS
    if shared.any():
        size = np.bincount(sets.set_id[sets.pairs[:, 0]], minlength=sets.n_sets)
        extra = sets.set_id[sets.pairs[shared, 0]]
        person = np.concatenate([person, sets.pairs[shared, 1]])
        set_id = np.concatenate([set_id, extra])
        weight = np.concatenate([weight, 1.0 / size[extra]])
    order = np.lexsort((person, set_id))
    return SetMembers(person=person[order], set_id=set_id[order], weight=weight[order])


def scale_weights(weight: FloatArray, treated: BoolArray) -> FloatArray:
    """Scale weights as MatchIt reports them: within each arm they sum to the number of persons used.

    Parameters
    ----------
    weight : ndarray of float, shape (n,)
        `Sets.weight`.
    treated : ndarray of bool, shape (n,)
        True for a referred person.

    Returns
    -------
    ndarray of float, shape (n,)
        The referred keep 1; comparison weights average 1 over the comparison persons used. Estimates that
        divide by the sum of the weights do not change.

    Notes
    -----
    MatchIt 4.7.1, ``matchit(normalize = TRUE)``. Ho, Imai, King and Stuart 2011, doi:10.18637/jss.v042.i08.

    Examples
    --------
    >>> scale_weights(np.array([1.0, 0.5, 0.5, 0.0]), np.array([True, False, False, False]))
    array([1., 1., 1., 0.])
    """
    scaled = weight.astype(np.float64)
    for arm in (treated, ~treated):
        used = arm & (weight > 0)
        scaled[used] *= used.sum() / weight[used].sum()
    return scaled
