"""What the synthetic study is calibrated to: published figures, and the free parameters beside them.

Facts are read from ``data_dictionary/`` (``calibration``, and ``tariffs`` for the scoring of questionnaires), each
row with its source. Everything in capitals in this module is a free parameter, chosen so that the simulation
reproduces the facts, and stated as such.
"""

import csv
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from wor_eval.assets import asset

Floats = npt.NDArray[np.float64]

OLDEST = 105
"""Last age in completed years; older persons count as this age."""

FEMALE_RATIO = 1.2
"""Contacts of women over those of men of the same age. Free: no source splits the rates by sex."""

PRACTICE_SD = 0.1
"""Standard deviation of the log of a practice's level of contacts. Free."""

SEASON = 0.08
"""Amplitude of the yearly wave in contacts, highest in January. Free."""

LEVEL_SHAPE = 2.4
"""Shape of the gamma distribution of the permanent level (mean 1, variance 1 / shape)."""

EPISODE_SD = 0.93
"""Standard deviation of the log of the transient episode (log-normal, mean 1)."""

EPISODE_MEMORY = 0.79
"""Correlation of the log of the episode from one month to the next.

LEVEL_SHAPE, EPISODE_SD and EPISODE_MEMORY were set together by a grid search (shape 1.2-3, SD 0.6-1.2, memory
0.5-0.9; up to 300,000 persons) towards 15.4 % of frequent attenders who are so in three years running (Smits et
al. 2009), where referral on a peak without an effect shows a before-after rate ratio well below 1 and matching
on last year's total one well above 1. With these values, over a million persons: 15.2 % over three years; 35 %
still frequent the next year, where the source says "about 30" (with a gamma level and 15.4 % over three years no
point of the grid gave less than 33 %); rate ratios 0.75 (before-after), 0.71 (unmatched difference-in-
differences), 1.15 (matched on last year's total) and 1.00 (matched on the last four quarters).
"""

OPEN_ENDED_FALL = 0.75
"""Share of each age still there one year of age on, from 90 (the facts end at "90+"). Free."""

_RATE_KNOTS = np.array([12.0, 31.0, 55.0, 69.5, 79.5, 90.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """The Dutch population of 10 and over by single year of age, from the insured years of 2023.

    Parameters
    ----------
    persons : array of float, shape (106, 2)
        Insured years by completed age (row) and sex (column 0 men, column 1 women).
    female_share : array of float, shape (106,)
        Share of women by completed age (0 under 10).
    """

    persons: Floats
    female_share: Floats


@cache
def facts(
    name: str, *, folder: Literal["calibration", "tariffs"] = "calibration"
) -> tuple[dict[str, str], ...]:
    """Read one file of facts.

    Parameters
    ----------
    name : str
        Stem of a file in the folder.
    folder : {"calibration", "tariffs"}
        Folder in ``data_dictionary``: what the study is calibrated to, or value sets and conversions.

    Returns
    -------
    tuple of dict
        One mapping per row; the key ``source`` says where the figure comes from.

    Examples
    --------
    >>> facts("frequent_attenders")[3]["value"]
    '15.4'
    """
    path = asset("data_dictionary", folder, f"{name}.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@cache
def population() -> Population:
    """Give the population by single year of age and sex.

    The facts (Vektis 2023) are by five years of age: persons are spread evenly within them, and over 90+ as a
    geometric fall (:data:`OPEN_ENDED_FALL`, a free parameter).

    Returns
    -------
    Population
        Insured years by age and sex.
    """
    persons = np.zeros((OLDEST + 1, 2))
    for row in facts("zvw_costs_by_age_sex"):
        ages = _ages(row)
        share = OPEN_ENDED_FALL ** np.arange(ages.size) if ages[-1] == OLDEST else np.ones(ages.size)
        persons[ages, int(row["sex"] == "F")] = float(row["insured_years"]) * share / share.sum()
    total = persons.sum(axis=1)
    female = np.divide(persons[:, 1], total, out=np.zeros(total.size), where=total > 0)
    return Population(persons=persons, female_share=female)


@cache
def contact_rate() -> Floats:
    """Give the yearly rate of GP contacts by age in months.

    The facts (Nivel, 2017) are means of age groups (5-17, 18-44, 45-64, 65-74, 75-84, 85+). The rate is linear
    between one knot in each group; the height of the knots is solved from the six means, weighted with the
    population by age, so that the mean of each group is the published one and nobody's rate jumps on a
    birthday.

    Returns
    -------
    array of float, shape (1272,)
        Contacts per person-year at completed months of age, both sexes together.

    Examples
    --------
    >>> contact_rate()[[12 * 30, 12 * 70]].round(1).tolist()
    [3.7, 5.9]
    """
    age = (np.arange(12 * (OLDEST + 1)) + 0.5) / 12
    hats = np.array([np.interp(age, _RATE_KNOTS, knot) for knot in np.eye(_RATE_KNOTS.size)])
    weight = np.repeat(population().persons.sum(axis=1), 12)
    means, targets = [], []
    for row in facts("gp_contacts_by_age"):
        in_group = (age >= int(row["age_from"])) & (age < int(row["age_to"]) + 1)
        means.append(np.average(hats[:, in_group], axis=1, weights=weight[in_group]))
        targets.append(float(row["contacts_per_year"]))
    rate: Floats = np.linalg.solve(np.array(means), np.array(targets)) @ hats
    return rate


@cache
def sex_factor() -> Floats:
    """Give the factor by which each sex differs from the rate of its age.

    The ratio of women to men is :data:`FEMALE_RATIO` (free); the mean over both sexes is 1 at every age, so
    the published rates by age are kept.

    Returns
    -------
    array of float, shape (106, 2)
        Factor by completed age (row) and sex (column 0 men, column 1 women).
    """
    male = 1 / (1 + (FEMALE_RATIO - 1) * population().female_share)
    return np.column_stack((male, FEMALE_RATIO * male))


@cache
def zvw_costs() -> Floats:
    """Give the insured-care costs by age and sex (Vektis 2023).

    Returns
    -------
    array of float, shape (106, 2)
        EUR per insured year at prices of 2023, by completed age (row) and sex (column 0 men, column 1 women);
        NaN under 10.
    """
    costs = np.full((OLDEST + 1, 2), np.nan)
    for row in facts("zvw_costs_by_age_sex"):
        costs[_ages(row), int(row["sex"] == "F")] = float(row["eur_per_insured_year"])
    return costs


@cache
def kinds_of_contact() -> tuple[tuple[str, ...], Floats]:
    """Give the kinds of contact and the share of each in all contacts (Nivel, 2017).

    Returns
    -------
    kinds : tuple of str
        Codes of ``contact_kind``; what the source calls M&I is ``other``.
    shares : array of float
        Share of each kind; they add up to 1.

    Examples
    --------
    >>> kinds, shares = kinds_of_contact()
    >>> round(float(shares[kinds.index("telephone")]), 3)
    0.277
    """
    rows = facts("gp_contacts_by_kind")
    rates = np.array([float(row["contacts_per_year"]) for row in rows])
    return tuple(row["kind"] for row in rows), rates / rates.sum()


@cache
def icpc_codes(kind: str) -> tuple[str, ...]:
    """Give the ICPC codes that contacts are simulated with.

    Parameters
    ----------
    kind : str
        ``psychosocial`` (chapters P and Z) or ``somatic`` (a few common complaints). The frequency of the
        codes is free: all codes of a kind are equally likely.

    Returns
    -------
    tuple of str
        ICPC codes.

    Examples
    --------
    >>> icpc_codes("somatic")[:3]
    ('A01', 'A04', 'D01')
    """
    return tuple(row["code"] for row in facts("icpc_codes") if row["kind"] == kind)


def _ages(row: dict[str, str]) -> npt.NDArray[np.int64]:
    return np.arange(int(row["age_from"]), int(row["age_to"]) + 1)
