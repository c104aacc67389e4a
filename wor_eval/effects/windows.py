"""A cohort as arrays: the events and observed days of units in two windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from wor_eval.cohort.wide import Floats, wide_outcome
from wor_eval.errors import EstimationError

if TYPE_CHECKING:
    from wor_eval.cohort.build import Cohort


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowPair:
    """Events and observed years of n units in a first and a second window.

    Attributes
    ----------
    value, years : ndarray, shape (n, 2)
        Events and observed years; a window without observation has 0 years.
    unit, person, practice, age_band : ndarray, shape (n,)
        Which unit, who, where and how old.
    """

    unit: NDArray[np.int64]
    value: Floats
    years: Floats
    person: NDArray[Any]
    practice: NDArray[Any]
    age_band: NDArray[Any]

    def __len__(self) -> int:
        return len(self.value)

    def where(self, chosen: NDArray[np.bool_]) -> Self:
        """Keep some of the units."""
        return type(self)(
            unit=self.unit[chosen],
            value=self.value[chosen],
            years=self.years[chosen],
            person=self.person[chosen],
            practice=self.practice[chosen],
            age_band=self.age_band[chosen],
        )

    def band(self, age_band: str) -> Self:
        """Keep one age band, or everybody with ``all``."""
        return self if age_band == "all" else self.where(self.age_band == age_band)

    @property
    def both(self) -> NDArray[np.bool_]:
        """Units that were observed in both windows, shape (n,)."""
        observed: NDArray[np.bool_] = np.all(self.years > 0, axis=1)
        return observed

    @property
    def rates(self) -> Floats:
        """Events per person-year in each window, shape (2,).

        Raises
        ------
        EstimationError
            Nobody was observed in one of the windows.
        """
        years = self.years.sum(axis=0)
        if not (years > 0).all():
            raise EstimationError("nobody was observed in one of the two windows")
        rates: Floats = self.value.sum(axis=0) / years
        return rates

    def rate_influence(self) -> Floats:
        """Give each unit's influence on the two rates, shape (n, 2): rate - mean ≈ the sum over units."""
        influence: Floats = (self.value - self.years * self.rates) / self.years.sum(axis=0)
        return influence


def window_pair(
    cohort: Cohort,
    outcome: str,
    *,
    windows: tuple[str, str] = ("before", "after"),
    arm: Literal["referred", "comparison"] = "referred",
) -> WindowPair:
    """Take the events and observed years of one arm in two windows.

    Parameters
    ----------
    cohort : Cohort
        Persons and outcomes.
    outcome : str
        Name of the outcome.
    windows : (str, str)
        The first and the second window.
    arm : {"referred", "comparison"}
        Which arm.

    Returns
    -------
    WindowPair
        Units observed in at least one of the windows.

    Raises
    ------
    EstimationError
        Nobody of this arm was observed in one of the windows.
    """
    wide = wide_outcome(cohort, outcome, windows)
    persons = cohort.persons
    in_arm = (persons["arm"] == arm).to_numpy()
    for column, window in enumerate(windows):
        if not (wide.years[in_arm, column] > 0).any():
            raise EstimationError(f"nobody of arm {arm} was observed in window {window} ({outcome})")
    chosen = in_arm & np.any(wide.years > 0, axis=1)
    return WindowPair(
        unit=np.flatnonzero(chosen),
        value=wide.value[chosen],
        years=wide.years[chosen],
        person=persons["person_id"].to_numpy()[chosen],
        practice=persons["practice_id"].to_numpy()[chosen],
        age_band=persons["age_band"].to_numpy()[chosen],
    )
