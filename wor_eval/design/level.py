"""Each person's permanent level of contacts, by shrinkage of all earlier history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wor_eval.cohort.wide import Floats, WideOutcome
from wor_eval.errors import DesignError

if TYPE_CHECKING:
    from wor_eval.cohort.build import Cohort

_AGE_GROUP = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class PermanentLevel:
    """Levels of n units.

    Attributes
    ----------
    level : ndarray, shape (n,)
        Posterior mean of the person's level; 1 is the mean of persons of the same sex and age.
    expected_rate : ndarray, shape (n,)
        Events per year of persons of the same sex and age.
    variance : float
        Variance of the level between persons.
    overdispersion : float
        Variance within persons, in units of the Poisson variance.
    reliability : float
        Mean share of the variance of the observed history that is permanent.
    """

    level: Floats
    expected_rate: Floats
    variance: float
    overdispersion: float
    reliability: float


def permanent_level(cohort: Cohort, history: WideOutcome) -> PermanentLevel:
    """Estimate the permanent level of each person from the windows of their history.

    Model: events in a window are, given the level g, of mean g·m and variance phi·g·m, with m the events of
    persons of the same sex and age in the same time, and g gamma-distributed with mean 1 and variance v. The
    posterior mean is ``(1/v + y/phi) / (1/v + m/phi)`` with y and m summed over the windows: the negative
    binomial random effect for phi = 1, and the credibility formula of Bühlmann and Straub (1970) in general.
    v and phi are moments of the comparison persons: v from products of different windows of the same person, phi
    from the variance that is left within persons.

    Parameters
    ----------
    cohort : Cohort
        Both arms; the comparison persons give the expected rates and the moments.
    history : WideOutcome
        Two or more windows before the index date.

    Returns
    -------
    PermanentLevel
        Units without any history have level 1.

    Raises
    ------
    DesignError
        Fewer than two windows, or no permanent differences between persons can be seen.
    """
    if len(history.windows) < 2:
        raise DesignError("a permanent level needs two or more windows of history")
    rate = _expected_rate(cohort, history)
    expected = rate[:, None] * history.years
    pool = (cohort.persons["arm"] == "comparison").to_numpy()
    variance, overdispersion = _moments(history.value[pool], expected[pool])
    total, mean = history.value.sum(axis=1), expected.sum(axis=1)
    prior = 1.0 / variance
    level = (prior + total / overdispersion) / (prior + mean / overdispersion)
    reliability = mean / (mean + overdispersion * prior)
    return PermanentLevel(
        level=level,
        expected_rate=rate,
        variance=variance,
        overdispersion=overdispersion,
        reliability=float(reliability[pool].mean()),
    )


def _expected_rate(cohort: Cohort, history: WideOutcome) -> Floats:
    """Give the yearly rate of comparison persons of the same sex and five-year age group."""
    persons = cohort.persons
    group = persons["age"].to_numpy() // _AGE_GROUP * 2 + (persons["sex"] == "F").to_numpy()
    pool = (persons["arm"] == "comparison").to_numpy()
    size = int(group.max()) + 1
    events = np.bincount(group[pool], weights=history.value[pool].sum(axis=1), minlength=size)
    years = np.bincount(group[pool], weights=history.years[pool].sum(axis=1), minlength=size)
    if not events.sum() > 0:
        raise DesignError(
            "design.history = level: the comparison persons have no events in the third and fourth quarter before the "
            "index date or the years before that, so there is no level to see; take another history"
        )
    overall = events.sum() / years.sum()
    # A group with few years leans on the overall rate: ten events' worth of it are added to every group.
    rate = (events + 10.0) / (years + 10.0 / overall)
    own: Floats = rate[group]
    return own


def _moments(value: Floats, expected: Floats) -> tuple[float, float]:
    """Give the variance of the level and the overdispersion within persons.

    For windows a and b of a person, E (y_a - m_a)(y_b - m_b) = v m_a m_b; for the same window it is
    v m_a^2 + phi m_a. Both sums run over all persons.
    """
    residual = value - expected
    across = residual.sum(axis=1) ** 2 - (residual**2).sum(axis=1)
    pairs = expected.sum(axis=1) ** 2 - (expected**2).sum(axis=1)
    variance = float(across.sum() / pairs.sum())
    if not variance > 0:
        raise DesignError("no permanent differences between persons can be seen in the history")
    within = (residual**2).sum() - variance * (expected**2).sum()
    return variance, max(1.0, float(within / expected.sum()))
