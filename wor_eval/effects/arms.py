"""The persons of either design as arrays: the referred against themselves, or beside matched comparison persons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wor_eval.cohort.wide import Floats, wide_outcome
from wor_eval.design.matched import MatchedCohort
from wor_eval.effects.contrasts import SIGNS, cluster_codes
from wor_eval.effects.estimate import ALL_BANDS
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.cohort.build import Cohort

Signs = dict[tuple[str, str], int]
BEFORE_AFTER: Signs = {("referred", "after"): 1, ("referred", "before"): -1}


@dataclass(frozen=True, kw_only=True, slots=True)
class Arms:
    """The n units of a design, each with a weight above zero.

    Attributes
    ----------
    cohort : Cohort
        Where the units come from.
    unit : ndarray of int, shape (n,)
        Their numbers in the cohort.
    referred : ndarray of bool, shape (n,)
        Arm; all true where the referred are their own comparison.
    weight : ndarray, shape (n,)
        1 without a design, else the weights of the matched cohort.
    cluster : ndarray, shape (n,)
        What standard errors are robust to: the person, or the matched set.
    """

    cohort: Cohort
    unit: NDArray[np.int64]
    referred: NDArray[np.bool_]
    weight: Floats
    cluster: NDArray[Any]

    def __len__(self) -> int:
        return len(self.unit)

    @property
    def two(self) -> bool:
        """Whether there is a comparison arm."""
        return not bool(self.referred.all())

    @property
    def persons(self) -> pd.DataFrame:
        """The rows of the cohort's persons, in the order of the units."""
        return self.cohort.persons.iloc[self.unit]

    def where(self, chosen: NDArray[np.bool_]) -> Arms:
        """Keep some of the units."""
        return Arms(
            cohort=self.cohort,
            unit=self.unit[chosen],
            referred=self.referred[chosen],
            weight=self.weight[chosen],
            cluster=self.cluster[chosen],
        )

    def bands(self, study: Study) -> list[tuple[str, Arms]]:
        """Give each age band of the plan, and all ages together."""
        band = self.persons["age_band"].to_numpy()
        parts = [(name, self.where(band == name)) for name in study.cohort.band_names]
        return [*((name, part) for name, part in parts if len(part)), (ALL_BANDS, self)]

    def sides(self) -> list[tuple[str, Arms]]:
        """Give each arm by name."""
        sides = [("referred", self.where(self.referred)), ("comparison", self.where(~self.referred))]
        return [(name, side) for name, side in sides if len(side)]

    @property
    def sizes(self) -> dict[str, int]:
        """Number of units by arm, as columns of a results table."""
        return {"n_referred": int(self.referred.sum()), "n_comparison": int((~self.referred).sum())}


def referred_alone(cohort: Cohort) -> Arms:
    """Take the referred of a cohort, each with weight 1: the before-and-after design."""
    unit = np.flatnonzero((cohort.persons["arm"] == "referred").to_numpy())
    return Arms(
        cohort=cohort,
        unit=unit,
        referred=np.ones(unit.size, dtype=bool),
        weight=np.ones(unit.size),
        cluster=cohort.persons["person_id"].to_numpy()[unit],
    )


def matched_arms(matched: MatchedCohort) -> Arms:
    """Take both arms of a matched cohort with their weights, clustered on the matched set."""
    weight = matched.weight
    unit = np.flatnonzero(weight > 0)
    return Arms(
        cohort=matched.cohort,
        unit=unit,
        referred=matched.referred[unit],
        weight=weight[unit],
        cluster=cluster_codes(matched, "set")[unit],
    )


def contrast_of(study: Study, outcome: str) -> str:
    """Give the contrast by which the plan looks at an outcome."""
    return next(effect.contrast for effect in study.effects if outcome in effect.outcomes)


def outcomes_of(study: Study, measure: str) -> list[str]:
    """Name the outcomes with this measure that the plan's effects are about."""
    named = dict.fromkeys(name for effect in study.effects for name in effect.outcomes)
    return [name for name in named if study.outcome(name).measure == measure]


def signs_of(contrast: str) -> Signs:
    """Give the signs over (arm, window) of a contrast, that of before and after too."""
    return BEFORE_AFTER if contrast == "before_after" else dict(SIGNS[contrast])


@dataclass(frozen=True, kw_only=True, slots=True)
class Cells:
    """Amounts and years of n units in the k cells of a contrast, 0 and 0 where a unit has no part in a cell.

    ``value`` and ``years`` are of shape (n, k), ``signs`` of shape (k,).
    """

    value: Floats
    years: Floats
    signs: Floats


def contrast_cells(arms: Arms, outcome: str, contrast: str) -> Cells:
    """Lay an outcome out over the cells of a contrast.

    With two arms an earlier window counts each unit by the time it was followed in window after, as
    :func:`wor_eval.effects.contrasts.contrast_rates` does: who left early counts as much before as after.

    Parameters
    ----------
    arms : Arms
        The n units.
    outcome : str
        Name of the outcome.
    contrast : str
        ``before_after`` or a key of :data:`wor_eval.effects.contrasts.SIGNS`.

    Returns
    -------
    Cells
        ``sum_k signs_k (sum w value_k) / (sum w years_k)`` is the contrast of rates.
    """
    signs = signs_of(contrast)
    names = list(dict.fromkeys(window for _, window in signs))
    wide = wide_outcome(arms.cohort, outcome, names)
    value, years = wide.value[arms.unit], wide.years[arms.unit]
    followed = np.ones(len(arms))
    if arms.two and "after" in names and len(names) > 1:
        followed = years[:, names.index("after")]
    columns = []
    for arm, window in signs:
        place = names.index(window)
        part = (arms.referred == (arm == "referred")) * (1.0 if window == "after" else followed)
        columns.append((value[:, place] * part, years[:, place] * part))
    return Cells(
        value=np.column_stack([column for column, _ in columns]),
        years=np.column_stack([column for _, column in columns]),
        signs=np.array(list(signs.values()), dtype=np.float64),
    )
