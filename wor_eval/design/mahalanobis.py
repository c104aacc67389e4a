"""Nearest-neighbour matching on the Mahalanobis distance between covariates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.design.coordinates import mahalanobis_coordinates
from wor_eval.design.line import Order, stable_order, strata_with_both_arms, turn_of_referred
from wor_eval.design.pairs import Pairing
from wor_eval.design.sets import BoolArray, FloatArray, IntArray, Sets
from wor_eval.errors import DesignError

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

# Relative slack between the distances of the search tree and those computed here.
_SLACK = 1e-9
# Asking the tree for more than one in this many points takes longer than comparing all of them.
_TREE_PAYS = 128


def nearest_mahalanobis(
    X: ArrayLike,
    treated: ArrayLike,
    *,
    names: Sequence[str],
    strata: ArrayLike | None = None,
    ratio: int = 1,
    replacement: bool = False,
    order: Order = "data",
    score: ArrayLike | None = None,
    caliper: float | None = None,
    seed: int | None = None,
) -> Sets:
    """Match each referred person to the nearest comparison persons in Mahalanobis distance, one by one.

    Pair by pair the result of MatchIt 4.7.1 (``method = "nearest", distance = "mahalanobis"``).

    Parameters
    ----------
    X : array_like of float, shape (n, p)
        Covariates to match on: see `mahalanobis_coordinates`.
    treated : array_like of bool, shape (n,)
        True for a referred person.
    names : sequence of str, length p
        Name of each column, for messages.
    strata : array_like of int, shape (n,), optional
        Codes from 0; pairs never cross strata. The covariance is that of everyone, not of each stratum.
    ratio : int
        Comparison persons per referred person, chosen in rounds: see `nearest_on_score`.
    replacement : bool
        Whether a comparison person may be chosen by several referred persons.
    order : {"data", "random", "largest", "smallest"}
        Who chooses first: row order, random (needs `seed`), or by `score`.
    score : array_like of float, shape (n,), optional
        Propensity score or its logit, for `caliper` and `order`.
    caliper : float, optional
        Largest difference in `score` within a pair, in the unit of the score: a width of the score, never of the
        Mahalanobis distance (as MatchIt with ``mahvars`` and ``caliper``).
    seed : int, optional
        For ``order="random"``.

    Returns
    -------
    Sets
        One set per matched referred person, with ATT weights.

    Raises
    ------
    DesignError
        Bad input, a caliper without a score, or nobody can be matched.

    Notes
    -----
    Ties (equal distance to the last bit, as in MatchIt, so a tie in exact arithmetic can be decided by
    rounding): the comparison person farthest away in the order of the stratum by first coordinate and row;
    the later one where two are equally far.

    Neighbours come from a k-d tree per stratum over the distinct rows of covariates. With more than about
    eight covariates and no strata a tree helps little: a million rows then take minutes.
    Rubin 1980, doi:10.2307/2529981; Bentley 1975, doi:10.1145/361002.361007.

    Examples
    --------
    >>> X = [[30.0, 2.0], [60.0, 9.0], [61.0, 8.0], [31.0, 3.0], [30.0, 9.0], [60.0, 2.0]]
    >>> nearest_mahalanobis(X, [1, 1, 0, 0, 0, 0], names=["age", "contacts"]).pairs
    array([[0, 3],
           [1, 2]])
    """
    Z = mahalanobis_coordinates(X, treated, names=names)
    return nearest_on_coordinates(
        Z,
        treated,
        strata=strata,
        ratio=ratio,
        replacement=replacement,
        order=order,
        score=score,
        caliper=caliper,
        seed=seed,
    )


def nearest_on_coordinates(
    Z: FloatArray,
    treated: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    ratio: int = 1,
    replacement: bool = False,
    order: Order = "data",
    score: ArrayLike | None = None,
    caliper: float | None = None,
    seed: int | None = None,
) -> Sets:
    """Match on coordinates that are already there: `nearest_mahalanobis` from its second step.

    For matching in parts (month by month) with the covariance of everyone.

    Parameters
    ----------
    Z : ndarray of float, shape (n, rank)
        Coordinates, as `mahalanobis_coordinates` gives them.
    treated, strata, ratio, replacement, order, score, caliper, seed
        As in `nearest_mahalanobis`; the caliper is a width of `score`, never of the distance.

    Returns
    -------
    Sets
        One set per matched referred person, with ATT weights.

    Raises
    ------
    DesignError
        Bad input, or a caliper without a score.
    NobodyMatchedError
        Nobody can be matched.

    Examples
    --------
    >>> nearest_on_coordinates(np.array([[0.0], [3.0], [1.0]]), [1, 0, 0]).pairs
    array([[0, 2]])
    """
    asked = Pairing.checked(
        Z[:, 0] if score is None else score,  # without a score there is no caliper either
        treated,
        strata=strata,
        ratio=ratio,
        caliper=caliper,
        replacement=replacement,
    )
    if score is None and caliper is not None:
        raise DesignError("a caliper on the Mahalanobis distance is a width of a score: give the score too")
    referred = np.flatnonzero(asked.arm)
    chooses = turn_of_referred(referred, order=order, score=None if score is None else asked.score, seed=seed)
    turn = np.empty(asked.arm.size, dtype=np.int64)
    turn[referred[chooses]] = np.arange(referred.size)
    found = [
        rows[_match_stratum(_Stratum.of(Z, asked, rows), turn[rows], ratio, replacement)]
        for rows in strata_with_both_arms(stable_order(asked.strata), asked.strata, asked.arm)
    ]
    return asked.sets(np.concatenate([np.empty((0, 2), dtype=np.int64), *found]))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Stratum:
    """The persons of one stratum, with the comparison persons gathered by distinct point.

    Attributes
    ----------
    Z, score : ndarray
        Coordinates and score of every person of the stratum.
    place : ndarray of int
        Place of every person in the order by first coordinate and row.
    referred : ndarray of int
        Row of each referred person in the stratum.
    point, point_score : ndarray
        Distinct coordinates (and scores, under a caliper) of the comparison persons.
    member : ndarray of int
        Rows of the comparison persons, by point and then by place.
    home : ndarray of int
        Point of each row that is a comparison person.
    edge : ndarray of int
        The persons of point i are ``member[edge[i]:edge[i + 1]]``.
    head, tail : ndarray of int
        Free persons of a point: ``member[head:tail]``. Changed as persons are chosen, always at an end.
    caliper : float
        Largest difference in score.
    tree : cKDTree
        Search tree over `point`.
    """

    Z: FloatArray
    score: FloatArray
    place: IntArray
    referred: IntArray
    point: FloatArray
    point_score: FloatArray
    member: IntArray
    home: IntArray
    edge: IntArray
    head: IntArray
    tail: IntArray
    caliper: float
    tree: "cKDTree"

    @classmethod
    def of(cls, Z: FloatArray, asked: Pairing, rows: IntArray) -> "_Stratum":
        """Gather the comparison persons among these rows by distinct point and build the tree."""
        from scipy.spatial import cKDTree

        Z, arm, score = Z[rows], asked.arm[rows], asked.score[rows]
        place = np.empty(arm.size, dtype=np.int64)
        place[np.argsort(Z[:, 0], kind="stable")] = np.arange(arm.size)
        comparison = np.flatnonzero(~arm)
        tell_apart = Z if np.isinf(asked.caliper) else np.column_stack([Z, score])
        first, group = _distinct(tell_apart[comparison])
        edge = np.concatenate([[0], np.cumsum(np.bincount(group))])
        home = np.zeros(arm.size, dtype=np.int64)
        home[comparison] = group
        point = Z[comparison[first]]
        return cls(
            Z=Z,
            score=score,
            place=place,
            referred=np.flatnonzero(arm),
            point=point,
            point_score=score[comparison[first]],
            member=comparison[np.lexsort((place[comparison], group))],
            home=home,
            edge=edge,
            head=edge[:-1].copy(),
            tail=edge[1:].copy(),
            caliper=asked.caliper,
            tree=cKDTree(point, leafsize=64, balanced_tree=False, compact_nodes=False),
        )

    def distance(self, row: IntArray, point: IntArray) -> FloatArray:
        """Return the squared distance between persons and points, summed coordinate by coordinate."""
        total = np.zeros(np.broadcast_shapes(row.shape, point.shape))
        for j in range(self.Z.shape[1]):
            total += (self.Z[row, j] - self.point[point, j]) ** 2
        return total

    def neighbours(self, row: IntArray, k: int) -> tuple[IntArray, FloatArray]:
        """Return the k nearest points of some persons and their squared distances, both of shape (rows, k)."""
        point = self.tree.query(self.Z[row], k=np.arange(1, k + 1))[1].astype(np.int64)
        gap = self.distance(row[:, None], point)
        order = np.argsort(gap, axis=1, kind="stable")
        return np.take_along_axis(point, order, axis=1), np.take_along_axis(gap, order, axis=1)

    def open(self, row: int, point: IntArray) -> BoolArray:
        """Say which of these points still have a free person within the caliper."""
        near = np.abs(self.point_score[point] - self.score[row]) <= self.caliper
        return np.asarray(near & (self.tail[point] > self.head[point]))

    def take(self, row: int, points: IntArray) -> int:
        """Take the free person of these equally near points who stands farthest away in the order."""
        ends = np.concatenate([self.member[self.head[points]], self.member[self.tail[points] - 1]])
        steps = self.place[ends] - self.place[row]
        best = int(np.argmax(2 * np.abs(steps) + (steps > 0)))
        chosen, point = int(ends[best]), points[best % points.size]
        if best < points.size:
            self.head[point] += 1
        else:
            self.tail[point] -= 1
        return chosen

    def release(self, person: int) -> None:
        """Make everyone at the point of this person free again."""
        point = self.home[person]
        self.head[point], self.tail[point] = self.edge[point], self.edge[point + 1]


def _distinct(rows: FloatArray) -> tuple[IntArray, IntArray]:
    """Return the first row of each group of identical rows, and the group of each row."""
    mix = np.random.default_rng(0).integers(1, 2**63, rows.shape[1], dtype=np.uint64) * 2 + 1
    bits = np.ascontiguousarray(rows).view(np.uint64)
    _, first, group = np.unique((bits * mix).sum(axis=1), return_index=True, return_inverse=True)
    if (rows == rows[first[group]]).all():
        return first, group
    return np.arange(rows.shape[0]), np.arange(rows.shape[0])


def _match_stratum(stratum: _Stratum, turn: IntArray, ratio: int, replacement: bool) -> IntArray:
    """Let the referred persons of a stratum choose; return pairs of rows of the stratum."""
    k = min(4 * ratio + 4, stratum.point.shape[0])
    point, gap = stratum.neighbours(stratum.referred, k)
    known = {int(row): (point[i], gap[i]) for i, row in enumerate(stratum.referred)}
    in_turn = stratum.referred[np.argsort(turn[stratum.referred])].tolist()
    pairs: list[tuple[int, int]] = []
    for group in [[row] for row in in_turn] if replacement else [in_turn]:
        waiting, begin = group, len(pairs)
        for _ in range(ratio):
            served = [(row, c) for row in waiting if (c := _choose(stratum, row, known)) is not None]
            pairs += served
            waiting = [row for row, _ in served]
        for _, person in pairs[begin:] if replacement else []:
            stratum.release(person)
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _choose(stratum: _Stratum, row: int, known: dict[int, tuple[IntArray, FloatArray]]) -> int | None:
    """Choose the nearest free person; look farther while the known neighbours do not settle it."""
    while True:
        point, gap = known[row]
        free = np.flatnonzero(stratum.open(row, point))
        if free.size and gap[free[0]] * (1 + _SLACK) < gap[-1]:
            return stratum.take(row, point[free[gap[free] == gap[free[0]]]])
        k = 8 * point.size
        if k > stratum.point.shape[0] // _TREE_PAYS:
            break
        known[row] = tuple(part[0] for part in stratum.neighbours(np.array([row]), k))
    everyone = np.arange(stratum.point.shape[0])
    point = everyone[stratum.open(row, everyone)]
    if not point.size:
        return None
    gap = stratum.distance(np.array([row]), point)
    return stratum.take(row, point[gap == gap.min()])
