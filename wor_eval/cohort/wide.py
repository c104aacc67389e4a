"""The outcomes of a cohort as arrays: one row per unit, one column per window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wor_eval.errors import EstimationError

if TYPE_CHECKING:
    from wor_eval.cohort.build import Cohort

Floats = NDArray[np.float64]
DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, kw_only=True, slots=True)
class WideOutcome:
    """Events and observed years of all n units of a cohort in w windows.

    Attributes
    ----------
    value, years : ndarray, shape (n, w)
        Events and observed years, in the order of ``cohort.persons``; 0 and 0 where a window was not observed.
    windows : tuple of str, length w
        The windows.
    """

    value: Floats
    years: Floats
    windows: tuple[str, ...]

    def of_units(self, units: NDArray[np.intp]) -> WideOutcome:
        """Keep the rows of these units, in this order."""
        return WideOutcome(value=self.value[units], years=self.years[units], windows=self.windows)


def wide_outcome(cohort: Cohort, outcome: str, windows: Sequence[str]) -> WideOutcome:
    """Lay one outcome of a cohort out as arrays.

    Parameters
    ----------
    cohort : Cohort
        Its units are numbered from 0 in the order of ``persons``.
    outcome : str
        Name of the outcome.
    windows : sequence of str
        The windows, in the order wanted.

    Returns
    -------
    WideOutcome

    Raises
    ------
    EstimationError
        The cohort does not have the outcome.
    """
    import pandas as pd

    rows = cohort.outcomes
    names = rows["outcome"].astype("category")
    if outcome not in set(names.cat.categories):
        raise EstimationError(f"the cohort has no outcome {outcome}")
    of_outcome = (names.cat.codes == names.cat.categories.get_loc(outcome)).to_numpy()
    found = rows["window"].astype("category").cat
    place = pd.Index(windows).get_indexer(found.categories)
    column = place[found.codes.to_numpy()]
    wanted = np.flatnonzero((column >= 0) & of_outcome)
    unit = rows["unit"].to_numpy()[wanted]
    value = np.zeros((len(cohort.persons), len(windows)))
    years = np.zeros_like(value)
    value[unit, column[wanted]] = rows["value"].to_numpy()[wanted]
    years[unit, column[wanted]] = rows["observed_days"].to_numpy()[wanted] / DAYS_PER_YEAR
    return WideOutcome(value=value, years=years, windows=tuple(windows))
