"""Discount rates and reference values, each by the edition of the guideline that sets them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.data.tariffs import tariff
from wor_eval.economics.checked import Floats, finite
from wor_eval.errors import EstimationError, StudyError

_COSTS, _EFFECTS, _BOTH = "discount_rate_costs", "discount_rate_effects", "discount_rate_standard"


@dataclass(frozen=True, kw_only=True, slots=True)
class Guideline:
    """Discount rates of one edition.

    Attributes
    ----------
    edition : str
        Name of the edition, such as ``ZIN 2024``.
    costs, effects : float
        Yearly discount rates of costs and of effects.
    source : str
        Where the rates were taken from.
    """

    edition: str
    costs: float
    effects: float
    source: str


def guideline(edition: str) -> Guideline:
    """Give the discount rates of one edition.

    Parameters
    ----------
    edition : str
        Edition as it is called in ``data_dictionary/tariffs/guideline.csv``.

    Returns
    -------
    Guideline

    Raises
    ------
    StudyError
        No edition was named, or no rates of that edition are known.

    Examples
    --------
    >>> guideline("ZIN 2024").costs, guideline("ZIN 2016").costs
    (0.03, 0.04)
    """
    rates = [row for row in tariff("guideline") if row["parameter"] in {_COSTS, _EFFECTS, _BOTH}]
    mine = {row["parameter"]: row for row in rates if row["edition"] == edition}
    cost_row, effect_row = mine.get(_COSTS, mine.get(_BOTH)), mine.get(_EFFECTS, mine.get(_BOTH))
    if cost_row is None or effect_row is None:
        known = ", ".join(dict.fromkeys(row["edition"] for row in rates))
        raise StudyError(f"discount rates need an edition of the guideline; known are: {known}")
    sources = dict.fromkeys([cost_row["source"], effect_row["source"]])
    return Guideline(
        edition=edition,
        costs=float(cost_row["value"]),
        effects=float(effect_row["value"]),
        source="; ".join(sources),
    )


def reference_values() -> tuple[float, ...]:
    """Give the reference values for a QALY, in euros, rising.

    Returns
    -------
    tuple of float

    Examples
    --------
    >>> reference_values()
    (20000.0, 50000.0, 80000.0)
    """
    rows = (row for row in tariff("guideline") if row["parameter"].startswith("wtp_"))
    return tuple(sorted(float(row["value"]) for row in rows))


def discount_factors(years: int, *, rate: float) -> Floats:
    """Give the discount factor of each year: ``(1 + rate)^-(year - 1)``, so the first year counts in full.

    Parameters
    ----------
    years : int
        Number of years, at least 1.
    rate : float
        Yearly rate, at least 0 and below 1.

    Returns
    -------
    ndarray, shape (years,)

    Raises
    ------
    EstimationError
        No years, or a rate outside [0, 1).

    Examples
    --------
    >>> print(discount_factors(3, rate=0.03).round(4))
    [1.     0.9709 0.9426]
    """
    if years < 1 or not 0 <= rate < 1:
        raise EstimationError(
            "discounting: at least one year, and a rate of 0 or more and below 1 are needed"
        )
    return np.asarray((1.0 + rate) ** -np.arange(years, dtype=float))


def discounted(by_year: ArrayLike, *, rate: float) -> Floats:
    """Add up amounts by year, each at its present value.

    Parameters
    ----------
    by_year : array-like, shape (n, years)
        Costs in euros or effects of each person in each year since the index date.
    rate : float
        Yearly rate: ``costs`` or ``effects`` of a :class:`Guideline`.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    EstimationError
        Missing or infinite values, or a rate outside [0, 1).

    Examples
    --------
    >>> print(discounted([[100.0, 100.0]], rate=0.03).round(2))
    [197.09]
    """
    amounts = finite("by_year", by_year, ndim=2)
    return np.asarray(amounts @ discount_factors(amounts.shape[1], rate=rate))
