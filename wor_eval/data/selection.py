"""Who is referred in the simulation: on an observed peak, or on the permanent level."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wor_eval.data.calibration import Floats, contact_rate
from wor_eval.data.people import Bools, Ints, People
from wor_eval.errors import StudyError

FIRST_REFERRAL, LAST_REFERRAL = 36, 57
"""Months of referral: 2022-01 to 2023-10."""

OLDER_SHARE = 0.6
"""Share of referrals at 65 and over. Free."""

PEAK_ABOVE = 1.0
"""Ratio of the last three months to the published rate of the age above which a peak begins. Free."""

LEVEL_POWER = 2.0
"""Power of the permanent level to which the hazard of a referral on the level is proportional. Free."""

NEVER_REFERS = 0.1
"""Share of practices that never refer. Free."""

RECENT = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Uptake:
    """How much each practice refers.

    Parameters
    ----------
    factor : array of float, shape (practices,)
        Factor on the hazard of referral, mean about 1.
    first_month : array of int, shape (practices,)
        First month in which the practice refers (-1: never).
    """

    factor: Floats
    first_month: Ints


def draw_uptake(rng: np.random.Generator, practices: int) -> Uptake:
    """Draw how much each practice refers, and from when (all free parameters).

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    practices : int
        Number of practices; at least two of them refer.

    Returns
    -------
    Uptake
        One element per practice.
    """
    early = rng.random(practices) < 0.7
    start = np.where(
        early,
        rng.integers(6, FIRST_REFERRAL, practices),
        rng.integers(FIRST_REFERRAL, LAST_REFERRAL - 6, practices),
    )
    never = rng.random(practices) < NEVER_REFERS
    never[:2] = False
    return Uptake(factor=rng.gamma(3.0, 1 / 3.0, practices), first_month=np.where(never, -1, start))


def peak_weight(recent: npt.NDArray[np.integer], age_months: Ints) -> Floats:
    """Give the weight of a person-month for a referral on a peak: it depends on observed counts only.

    Parameters
    ----------
    recent : array of int
        Observed contacts in the last three months.
    age_months : array of int, same shape
        Age in completed months.

    Returns
    -------
    array of float, same shape
        By how much the count exceeds what the published rate of the age predicts, as a ratio less
        :data:`PEAK_ABOVE`; 0 without a peak.

    Examples
    --------
    >>> peak_weight(np.array([0, 6]), np.array([360, 360])).round(1).tolist()
    [0.0, 5.4]
    """
    rate = contact_rate()
    expected = rate[np.minimum(age_months, rate.size - 1)] * RECENT / 12
    return np.maximum(recent / expected - PEAK_ABOVE, 0.0)


def draw_referrals(
    rng: np.random.Generator,
    people: People,
    counts: npt.NDArray[np.int16],
    *,
    uptake: Uptake,
    share: float,
    peak_share: float,
) -> tuple[Ints, npt.NDArray[np.str_]]:
    """Draw at most one referral per person, as the first event of two competing hazards.

    Eligible in a month: registered before it, in it and in the month after it; 18 or over; and the practice of
    that month refers.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    people : People
        The persons.
    counts : array of int16, shape (72, n)
        Contacts by month and person; before a referral the counterfactual ones are the observed ones.
    uptake : Uptake
        How much each practice refers.
    share, peak_share : float
        Expected share of persons referred, and the share of these on a peak.

    Returns
    -------
    month : array of int, shape (n,)
        Month of referral (-1: never).
    selected_on : array of str, shape (n,)
        ``peak``, ``level`` or empty.

    Raises
    ------
    StudyError
        The share is more than can be referred.
    """
    months = np.arange(FIRST_REFERRAL, LAST_REFERRAL + 1)[:, None]
    allowed = _allowed(people, months, uptake)
    age = months - people.birth
    total = np.cumsum(counts[: LAST_REFERRAL + 1], axis=0, dtype=np.int64)
    recent = total[FIRST_REFERRAL - 1 : -1] - total[FIRST_REFERRAL - 1 - RECENT : -1 - RECENT]
    target = people.n * share
    by_peak = _scaled(peak_weight(recent, age) * allowed, age >= 65 * 12, target * peak_share)
    by_level = _scaled(people.level**LEVEL_POWER * allowed, age >= 65 * 12, target * (1 - peak_share))
    hazard = by_peak + by_level
    happened = np.cumsum(hazard, axis=0) >= rng.exponential(size=people.n)
    first = happened.argmax(axis=0)
    everyone = np.arange(people.n)
    peak = by_peak[first, everyone] > rng.random(people.n) * hazard[first, everyone]
    referred = happened[-1]
    month = np.where(referred, months[first, 0], -1)
    return month, np.where(referred, np.where(peak, "peak", "level"), "")


def _allowed(people: People, months: Ints, uptake: Uptake) -> Floats:
    """Give the factor of the practice where a person can be referred and 0 elsewhere, shape (months, n)."""
    practice = people.practice_at(months)
    start = uptake.first_month[practice]
    eligible: Bools = (months > people.first_month) & (months < people.last_month)
    eligible &= (months - people.birth >= 18 * 12) & (start >= 0) & (months >= start)
    return np.where(eligible, uptake.factor[practice], 0.0)


def _scaled(weight: Floats, older: Bools, target: float) -> Floats:
    """Scale weights to hazards, so that the expected number referred in each band is that of the target."""
    hazard = np.zeros_like(weight)
    if target == 0:
        return hazard
    for band, wanted in ((older, target * OLDER_SHARE), (~older, target * (1 - OLDER_SHARE))):
        scale = _scale((weight * band).sum(axis=0), wanted)
        hazard += scale * weight * band
    return hazard


def _scale(weight: Floats, wanted: float) -> float:
    """Solve the scale at which ``sum(1 - exp(-scale * weight))`` is the wanted number, by fixed point."""
    if np.count_nonzero(weight) <= 1.2 * wanted:
        raise StudyError("too few persons can be referred: lower referral_share or raise persons")
    scale = wanted / weight.sum()
    for _ in range(60):
        scale *= wanted / -np.expm1(-scale * weight).sum()
    return float(scale)
