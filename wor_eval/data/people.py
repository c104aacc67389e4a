"""The simulated people: who they are, when they are registered where, and their permanent level."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wor_eval.data.calibration import LEVEL_SHAPE, OLDEST, population

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

MONTHS = 72
"""Months of the panel: 2019-01 is month 0, 2024-12 is month 71."""

YOUNGEST = 13
"""Youngest age at month 0; these persons turn 18 while the panel runs. Free."""

PRACTICE_SIZE = 500
"""Persons per practice. Free."""

LATE_ENTRY = 0.08
"""Share of persons who register after month 0. Free."""

LEAVING = 0.0012
"""Monthly hazard of leaving the region, twice as high under 36. Free."""

MOVING = 0.0008
"""Monthly hazard of moving to another practice of the study. Free."""

DEATH_AT_65, DEATH_SLOPE = 0.010, 0.10
"""Yearly hazard of death at 65 and its rise per year of age on the log scale. Free."""

_CHRONIC_AGES = np.array([18.0, 45.0, 65.0, 85.0])
_CHRONIC_MEANS = np.array([0.2, 0.7, 1.6, 3.0])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class People:
    """Persons of the simulation, one element per person in every array.

    Parameters
    ----------
    birth : array of int
        Month of birth counted from 2019-01 (month 0), so negative.
    sex : array of str
        ``F`` or ``M``.
    practice, next_practice : array of int
        Practice at first, and practice after a move within the study (-1: none).
    move_month : array of int
        First month in the next practice (-1: none).
    n_chronic : array of int
        Number of chronic conditions, rising with age and with the permanent level (free).
    income_quintile : array of int
        1 (lowest) to 5, lower for persons with a high permanent level (free).
    level : array of float
        Truth: the permanent level, gamma with mean 1, independent of age, sex and practice.
    first_month, last_month : array of int
        First and last month of registration; the month of death counts as registered.
    death_month : array of int
        Month of death while registered (-1: none).
    """

    birth: Ints
    sex: npt.NDArray[np.str_]
    practice: Ints
    next_practice: Ints
    move_month: Ints
    n_chronic: Ints
    income_quintile: Ints
    level: Floats
    first_month: Ints
    last_month: Ints
    death_month: Ints

    @property
    def n(self) -> int:
        """Number of persons."""
        return int(self.birth.size)

    @property
    def female(self) -> Ints:
        """1 for women and 0 for men, shape (n,)."""
        female: Ints = (self.sex == "F").astype(np.int64)
        return female

    def age(self, month: int | Ints) -> Ints:
        """Give the age in completed years in a month, or in one month per person, shape (n,)."""
        return (month - self.birth) // 12

    def practice_at(self, month: int | Ints) -> Ints:
        """Give the practice in a month, or in one month per person, shape (n,)."""
        return np.where(
            (self.move_month >= 0) & (month >= self.move_month), self.next_practice, self.practice
        )

    def registered(self) -> Bools:
        """Tell for every person and month whether the person was registered, shape (n, 72)."""
        month = np.arange(MONTHS)
        return (month >= self.first_month[:, None]) & (month <= self.last_month[:, None])


def draw_people(rng: np.random.Generator, persons: int) -> People:
    """Draw persons with the age and sex of the Dutch population (Vektis 2023) and their registrations.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    persons : int
        Number of persons.

    Returns
    -------
    People
        Ages and sexes follow the facts; levels of death, moving, chronic conditions and income are free.
    """
    birth, female = _births(rng, persons)
    level = rng.gamma(LEVEL_SHAPE, 1 / LEVEL_SHAPE, persons)
    age = -birth / 12
    expected = expected_chronic(age)
    n_chronic = rng.poisson(expected * (0.4 + 0.6 * level))
    need = rng.standard_normal(persons) - 0.3 * np.log(level)
    quintile = 1 + (5 * np.argsort(np.argsort(need))) // persons
    first, last, death = _registrations(rng, age, n_chronic / expected)
    practice, following, moved = _practices(rng, first, last)
    return People(
        birth=birth,
        sex=np.where(female == 1, "F", "M"),
        practice=practice,
        next_practice=following,
        move_month=moved,
        n_chronic=n_chronic,
        income_quintile=quintile,
        level=level,
        first_month=first,
        last_month=last,
        death_month=death,
    )


def expected_chronic(age: Floats) -> Floats:
    """Give the mean number of chronic conditions at an age in years (free)."""
    expected: Floats = np.interp(age, _CHRONIC_AGES, _CHRONIC_MEANS)
    return expected


def n_practices(persons: int) -> int:
    """Give the number of practices for a number of persons (40 for 20,000, at least 4)."""
    return max(4, persons // PRACTICE_SIZE)


def _births(rng: np.random.Generator, persons: int) -> tuple[Ints, Ints]:
    weight = population().persons.copy()
    weight[:YOUNGEST] = 0
    cell = rng.choice(weight.size, persons, p=weight.ravel() / weight.sum())
    return -(12 * (cell // 2) + rng.integers(1, 13, persons)), cell % 2


def _registrations(rng: np.random.Generator, age: Floats, burden: Floats) -> tuple[Ints, Ints, Ints]:
    """Draw the first and last month and the month of death; no chronic conditions lower the hazard by a tenth."""
    persons = age.size
    first = np.where(rng.random(persons) < LATE_ENTRY, rng.integers(1, 61, persons), 0)
    yearly = DEATH_AT_65 * np.exp(DEATH_SLOPE * (np.minimum(age, OLDEST) - 65)) * (0.9 + 0.1 * burden)
    waiting = rng.exponential(size=persons)
    death = (12 / DEATH_SLOPE * np.log1p(DEATH_SLOPE * waiting / yearly)).astype(np.int64)
    first = np.where(death <= first, 0, first)
    leaving = first + 1 + rng.exponential(1 / (LEAVING * np.where(age < 36, 2, 1))).astype(np.int64)
    last = np.minimum(np.minimum(leaving, death), MONTHS - 1)
    return first, last, np.where(death == last, death, -1)


def _practices(rng: np.random.Generator, first: Ints, last: Ints) -> tuple[Ints, Ints, Ints]:
    """Draw the practice of each person, and the next practice of those who move within the study."""
    persons, count = first.size, n_practices(first.size)
    size = rng.gamma(8.0, size=count)
    practice = rng.choice(count, persons, p=size / size.sum())
    month = first + 1 + rng.exponential(1 / MOVING, persons).astype(np.int64)
    moves = month <= last
    following = (practice + rng.integers(1, count, persons)) % count
    return practice, np.where(moves, following, -1), np.where(moves, month, -1)
