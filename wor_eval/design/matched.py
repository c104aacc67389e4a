"""The result of every design: sets and weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from wor_eval.design.covariates import Covariates
from wor_eval.design.weighting import effective_sample_size
from wor_eval.study import Design

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.cohort.build import Cohort

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class MatchedCohort:
    """Comparable persons, as sets and weights over the units of a cohort.

    Attributes
    ----------
    cohort : Cohort
        Both arms.
    design : Design
        How they were made comparable.
    estimand : {"att", "overlap"}
        For whom the effect is: the referred who have a comparison, or the region of overlap.
    sets : DataFrame
        ``unit, set_id, weight``. Weighted designs have a set per person. Weights of the referred are 1 (ATT), those
        of the comparison persons sum to the number of referred in the design.
    covariates : Covariates
        What they were made comparable on.
    score : ndarray, shape (n,)
        Propensity score of each unit (0-1); missing for designs without one.
    dropped : mapping of str to int
        Referred persons without comparison, by reason.
    """

    cohort: Cohort
    design: Design
    estimand: Literal["att", "overlap"]
    sets: pd.DataFrame
    covariates: Covariates
    score: Floats
    dropped: dict[str, int]
    referred: NDArray[np.bool_] = field(init=False, repr=False, compare=False)
    """Which units of the cohort are referred, shape (n,)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "referred", (self.cohort.persons["arm"] == "referred").to_numpy())

    def __repr__(self) -> str:
        return f"MatchedCohort({self.design.method}, {self.n_sets} sets, {self.estimand})"

    @property
    def n_sets(self) -> int:
        """Number of sets that hold both arms; for weighted designs the number of persons."""
        return int(self.sets["set_id"].nunique())

    @property
    def weight(self) -> Floats:
        """Weight of every unit of the cohort, 0 outside the design, shape (n,)."""
        return self.part(self.sets)[0]

    def part(self, rows: pd.DataFrame) -> tuple[Floats, tuple[int, int, int]]:
        """Give the weight of every unit in some rows of the sets, and how many referred, comparison and sets."""
        weight = np.zeros(len(self.cohort.persons))
        np.add.at(weight, rows["unit"].to_numpy(), rows["weight"].to_numpy())
        used = weight > 0
        n_referred = int((used & self.referred).sum())
        return weight, (n_referred, int(used.sum()) - n_referred, int(rows["set_id"].nunique()))

    def summary(self) -> dict[str, Any]:
        """Give the size of the design: persons by arm, sets, effective comparison persons, who was dropped."""
        weight, arm = self.weight, self.referred
        return {
            "n_referred": int((weight[arm] > 0).sum()),
            "n_comparison": int((weight[~arm] > 0).sum()),
            "n_sets": self.n_sets,
            "effective_comparison": float(effective_sample_size(weight[~arm])),
            **{f"dropped_{reason}": count for reason, count in self.dropped.items()},
        }
