"""Persons to match in pairs: what is asked of a pair, checked, and from pairs to sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.design.line import Line, lay_out, nearest_gap, widths_and_reach
from wor_eval.design.sets import (
    BoolArray,
    FloatArray,
    IntArray,
    Sets,
    check_arms,
    check_caliper,
    check_ratio,
    check_score,
    check_strata,
    sets_from_pairs,
)
from wor_eval.errors import NobodyMatchedError


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pairing:
    """Persons to match in pairs, and what is asked of a pair.

    Attributes
    ----------
    arm : ndarray of bool, shape (n,)
        True for a referred person.
    score : ndarray of float, shape (n,)
        What the caliper is a width of.
    strata : ndarray of int, shape (n,)
        Codes from 0; pairs never cross strata.
    ratio : int
        Largest number of comparison persons per referred person.
    replacement : bool
        Whether a comparison person may be chosen by several referred persons.
    caliper : float
        Largest difference in score within a pair, infinity for none.
    line : Line
        The persons in the order of stratum and score.
    """

    arm: BoolArray
    score: FloatArray
    strata: IntArray
    ratio: int
    replacement: bool
    caliper: float
    line: Line

    @classmethod
    def checked(
        cls,
        score: ArrayLike,
        treated: ArrayLike,
        *,
        strata: ArrayLike | None,
        ratio: int,
        caliper: float | None,
        replacement: bool = False,
    ) -> Pairing:
        """Check what a matching is given and lay the persons on a line.

        Raises
        ------
        DesignError
            Bad input: see the checks of :mod:`wor_eval.design.sets`.
        """
        check_ratio(ratio)
        arm = check_arms(treated)
        values, codes = check_score(score, arm.size), check_strata(strata, arm.size)
        return cls(
            arm=arm,
            score=values,
            strata=codes,
            ratio=ratio,
            replacement=replacement,
            caliper=check_caliper(caliper),
            line=lay_out(values, arm, codes),
        )

    def sets_of_places(self, places: IntArray) -> Sets:
        """Build the sets from (place of the referred, place of the comparison person) on the line."""
        line = self.line
        return self.sets(np.column_stack([line.referred[places[:, 0]], line.comparison[places[:, 1]]]))

    def sets(self, pairs: IntArray) -> Sets:
        """Build the sets from positions of (referred, comparison), and assert what they promise.

        Parameters
        ----------
        pairs : ndarray of int, shape (m, 2)
            The pairs of one referred person in the order in which they were chosen.

        Returns
        -------
        Sets
            One set per matched referred person, with ATT weights; the others by the reason they were dropped.

        Raises
        ------
        NobodyMatchedError
            There is no pair; the message says what wider calipers would reach.
        AssertionError
            A promise is broken: a mistake in this package, not in the data.
        """
        if not pairs.size:
            raise self._nobody_matched()
        matched = np.zeros(self.arm.size, dtype=np.bool_)
        matched[pairs] = True
        sets = sets_from_pairs(pairs, self.arm, dropped=self._reasons_dropped(matched))
        self._assert_kept(sets)
        return sets

    def _nobody_matched(self) -> NobodyMatchedError:
        """Say why there is no pair, and what wider calipers would reach."""
        gap = nearest_gap(self.line)
        if not np.isfinite(gap).any():
            return NobodyMatchedError(
                "no stratum holds both a referred and a comparison person: use fewer exact columns"
            )
        return NobodyMatchedError(
            f"no referred person has a comparison person within the caliper of {self.caliper:.4g}: widen it, "
            "or match on fewer exact columns",
            problems=[
                f"a caliper of {row.width:.4g} would reach {row.share:.1%} of the referred"
                for row in widths_and_reach(gap, self.caliper)
            ],
        )

    def _reasons_dropped(self, matched: BoolArray) -> dict[str, IntArray]:
        """Sort the referred persons who are not matched by reason: see `Sets`."""
        line = self.line
        out, gap = ~matched[line.referred], nearest_gap(line)
        empty, near = line.start == line.stop, gap <= self.caliper
        kinds = {"no_comparison": empty, "caliper": ~empty & ~near, "used_up": ~empty & near}
        return {reason: np.sort(line.referred[out & which]) for reason, which in kinds.items()}

    def _assert_kept(self, sets: Sets) -> None:
        """Assert what every matching in pairs promises: arms, strata, caliper, no second use, and weights."""
        referred, comparison = sets.pairs[:, 0], sets.pairs[:, 1]
        gap = np.abs(self.score[referred] - self.score[comparison])
        assert self.arm[referred].all() and not self.arm[comparison].any(), "a pair within one arm"
        assert (self.strata[referred] == self.strata[comparison]).all(), "a pair across strata"
        assert (gap <= self.caliper).all(), "a pair beyond the caliper"
        assert np.bincount(referred).max(initial=0) <= self.ratio, "too many pairs for one referred person"
        twice = np.bincount(comparison).max(initial=0) > 1
        assert self.replacement or not twice, "a comparison person used twice"
        assert np.unique(referred * self.arm.size + comparison).size == referred.size, "a pair found twice"
        total = sets.weight[~self.arm].sum()
        assert np.isclose(total, np.unique(referred).size, rtol=1e-9, atol=0), (
            "weights do not sum to the sets"
        )
