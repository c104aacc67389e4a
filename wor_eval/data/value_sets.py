"""Value sets: what each answer of a preference-based questionnaire adds to, or takes from, its value."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from wor_eval.data.tariffs import tariff
from wor_eval.errors import StudyError

Floats = npt.NDArray[np.float64]

EQ5D_DIMENSIONS = ("MO", "SC", "UA", "PD", "AD")
ICECAP_O_ATTRIBUTES = ("Attachment", "Security", "Role", "Enjoyment", "Control")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ValueSet:
    """Value of each answer to each item, for a value that is a sum.

    Parameters
    ----------
    name : str
        Name of the set.
    terms : ndarray of shape (k, levels)
        Added for each item (row) at each level (column, from 1).
    intercept : float
        Value before anything is added.
    any_problem : float
        Added once when any item is above level 1.
    any_extreme : float
        Added once when any item is at its highest level.
    decimals : int
        Decimals with which the set is published; values are rounded to these.
    source : str
        Where it comes from.
    """

    name: str
    terms: Floats
    intercept: float
    any_problem: float
    any_extreme: float
    decimals: int
    source: str

    @property
    def levels(self) -> int:
        """Number of levels of each item."""
        return int(self.terms.shape[1])

    @property
    def extremes(self) -> tuple[float, float]:
        """Lowest and highest value of any profile in which each item is at its worst or best."""
        low = self.intercept + self.any_problem + self.any_extreme + self.terms.min(axis=1).sum()
        high = self.intercept + self.terms.max(axis=1).sum()
        return round(float(low), self.decimals) + 0.0, round(float(high), self.decimals)


@cache
def read_value_set(name: str) -> ValueSet:
    """Read a value set that ships with the package.

    Parameters
    ----------
    name : {"versteegh_2016", "lamers_2006", "nl_2026", "icecap_o_uk"}
        EQ-5D-5L (Versteegh et al. 2016, doi:10.1016/j.jval.2016.01.003); EQ-5D-3L (Lamers et al. 2006,
        doi:10.1002/hec.1124, and a later one, doi:10.1007/s10198-025-01892-2), all Dutch; ICECAP-O with the
        UK tariff (Coast et al. 2008), as no Dutch one was found.

    Returns
    -------
    ValueSet
        The set.

    Raises
    ------
    StudyError
        There is no such set.

    Examples
    --------
    >>> read_value_set("versteegh_2016").extremes
    (-0.446, 1.0)
    """
    if name == "versteegh_2016":
        return _eq5d(name, tariff("eq5d5l_nl"), levels=5)
    if name in ("lamers_2006", "nl_2026"):
        rows = tuple(row for row in tariff("eq5d3l_nl") if row["value_set"] == name)
        return _eq5d(name, rows, levels=3)
    if name == "icecap_o_uk":
        return _icecap_o()
    known = "versteegh_2016 (EQ-5D-5L), lamers_2006 or nl_2026 (EQ-5D-3L), icecap_o_uk (ICECAP-O)"
    raise StudyError(f"there is no value set {name!r}: use {known}")


def _eq5d(name: str, rows: tuple[dict[str, str], ...], *, levels: int) -> ValueSet:
    """Build an EQ-5D set: a loss per dimension and level, the constant N2 and, where there is one, N3."""
    added = {row["term"]: float(row["coefficient"]) for row in rows}
    terms = [[0.0, *(added[f"{d}{level}"] for level in range(2, levels + 1))] for d in EQ5D_DIMENSIONS]
    return ValueSet(
        name=name,
        terms=np.array(terms),
        intercept=1.0,
        any_problem=added["constant"],
        any_extreme=added.get("N3", 0.0),
        decimals=3,
        source=rows[0]["source"],
    )


def _icecap_o() -> ValueSet:
    rows = tariff("icecap_o_uk")
    value = {(row["attribute"], int(row["level"])): float(row["value"]) for row in rows}
    return ValueSet(
        name="icecap_o_uk",
        terms=np.array([[value[a, level] for level in range(1, 5)] for a in ICECAP_O_ATTRIBUTES]),
        intercept=0.0,
        any_problem=0.0,
        any_extreme=0.0,
        decimals=4,
        source=rows[0]["source"],
    )
