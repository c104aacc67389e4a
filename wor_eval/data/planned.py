"""A study that has not been done yet, drawn at the index date: who could be referred, and their contacts by window."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wor_eval.data.calibration import (
    LEVEL_SHAPE,
    PRACTICE_SD,
    contact_rate,
    population,
    sex_factor,
)
from wor_eval.data.panel import episodes
from wor_eval.data.people import expected_chronic
from wor_eval.data.selection import LEVEL_POWER, RECENT, peak_weight

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Block = tuple[int, int]
_ADULT, _OLDER = 18, 65


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """What is drawn.

    Attributes
    ----------
    practices, referrals : int
        Practices, and referrals in each.
    candidates : int
        Persons at an index date for each referral, the referred among them.
    months : int
        Months in which persons are referred.
    older_share, peak_share : float
        Share of the referred of 65 and over, and share referred on an observed peak.
    loss : float
        Share that leaves before the end of window after.
    blocks : mapping of str to (int, int)
        Windows in months from the index date, the last month not included.
    """

    practices: int
    referrals: int
    candidates: int
    months: int
    older_share: float
    peak_share: float
    loss: float
    blocks: Mapping[str, Block]


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """Persons at an index date, n of them.

    Attributes
    ----------
    age_months, female, practice, month, n_chronic : ndarray of int, shape (n,)
    referred : ndarray of bool, shape (n,)
    counts : mapping of str to ndarray of int, shape (n,)
        Contacts in each window, with no effect of referral.
    observed : mapping of str to ndarray of int, shape (n,)
        Months of each window in which the person was followed.
    """

    age_months: Ints
    female: Ints
    practice: Ints
    month: Ints
    n_chronic: Ints
    referred: Bools
    counts: Mapping[str, Ints]
    observed: Mapping[str, Ints]


def draw_planned(rng: np.random.Generator, planned: Planned) -> Drawn:
    """Draw one study as planned, with no effect of referral.

    The model is that of :func:`wor_eval.data.panel.simulate_panel`, at the index date: contacts of a month are
    Poisson with mean (published yearly rate of the age / 12) x practice x permanent level x transient episode.
    Within each practice and age band the planned number is referred, with a chance that follows the observed counts
    of the last three months (a peak) or the permanent level. Counts are drawn by stretch between the edges of the
    windows, so that a study of some thousands of persons takes milliseconds. Season is left out: it is the same for
    all who share a calendar month, and persons are compared within months.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    planned : Planned
        Sizes, shares and windows.

    Returns
    -------
    Drawn
    """
    n = planned.practices * planned.referrals * planned.candidates
    age_months, female = _ages(rng, n)
    practice = np.repeat(np.arange(planned.practices), n // planned.practices)
    level = rng.gamma(LEVEL_SHAPE, 1 / LEVEL_SHAPE, n)
    leaves = np.where(rng.random(n) < planned.loss, rng.random(n), 1.0)
    rate = contact_rate()[age_months] * sex_factor()[age_months // 12, female] / 12
    rate *= level * np.exp(PRACTICE_SD * rng.standard_normal(planned.practices))[practice]
    counts, observed = _contacts(rng, rate, planned.blocks, leaves)
    recent = _recent(counts, planned.blocks)
    referred = _referred(
        rng, planned, (age_months, practice), (peak_weight(recent, age_months), level**LEVEL_POWER)
    )
    return Drawn(
        age_months=age_months,
        female=female,
        practice=practice,
        month=rng.integers(0, planned.months, n),
        n_chronic=rng.poisson(expected_chronic(age_months / 12) * (0.4 + 0.6 * level)),
        referred=referred,
        counts=counts,
        observed=observed,
    )


def _ages(rng: np.random.Generator, n: int) -> tuple[Ints, Ints]:
    """Draw age in months and sex as in the adult population."""
    weight = population().persons.copy()
    weight[:_ADULT] = 0
    cell = rng.choice(weight.size, n, p=weight.ravel() / weight.sum())
    months = np.minimum(12 * (cell // 2) + rng.integers(0, 12, n), contact_rate().size - 1)
    return months.astype(np.int64), (cell % 2).astype(np.int64)


def _contacts(
    rng: np.random.Generator, rate: Floats, blocks: Mapping[str, Block], leaves: Floats
) -> tuple[dict[str, Ints], dict[str, Ints]]:
    """Draw the counts of every window from stretches that windows share; after month 0 some persons leave."""
    first, last = min(b[0] for b in blocks.values()), max(b[1] for b in blocks.values())
    total = np.zeros((last - first + 1, rate.size), dtype=np.float32)
    np.cumsum(episodes(rng, last - first, rate.size), axis=0, out=total[1:])
    edges = sorted({edge for block in blocks.values() for edge in block})
    end = np.where(leaves < 1, np.floor(leaves * last), last).astype(np.int64)
    everyone = np.arange(rate.size)
    drawn: dict[Block, tuple[Ints, Ints]] = {}
    for low, high in itertools.pairwise(edges):
        start, stop = (
            np.minimum(edge, np.maximum(end, 0)) if edge > 0 else np.full_like(end, edge)
            for edge in (low, high)
        )
        mean = rate * (total[stop - first, everyone] - total[start - first, everyone])
        drawn[low, high] = rng.poisson(np.maximum(mean, 0.0)), stop - start
    parts = {
        name: [d for (low, high), d in drawn.items() if low >= a and high <= b]
        for name, (a, b) in blocks.items()
    }
    counts = {name: sum((count for count, _ in part), np.zeros_like(end)) for name, part in parts.items()}
    observed = {name: sum((months for _, months in part), np.zeros_like(end)) for name, part in parts.items()}
    return counts, observed


def _recent(counts: Mapping[str, Ints], blocks: Mapping[str, Block]) -> Ints:
    """Give the contacts of the last three months before the index date."""
    name = next(name for name, block in blocks.items() if block == (-RECENT, 0))
    return counts[name]


def _referred(
    rng: np.random.Generator, planned: Planned, who: tuple[Ints, Ints], weights: Sequence[Floats]
) -> Bools:
    """Refer the planned number in each practice and band: the first to come in a race with those chances."""
    age_months, practice = who
    older = (age_months >= 12 * _OLDER).astype(np.int64)
    cell = 2 * practice + older
    aged = rng.binomial(planned.referrals, planned.older_share, planned.practices)
    wanted = np.column_stack([planned.referrals - aged, aged]).ravel()
    on_peak = rng.binomial(wanted, planned.peak_share)
    referred = np.zeros(age_months.size, dtype=bool)
    for weight, number in zip(weights, (on_peak, wanted - on_peak), strict=True):
        with np.errstate(divide="ignore"):
            waiting = np.where(referred | (weight <= 0), np.inf, rng.exponential(size=weight.size) / weight)
        order = np.lexsort((waiting, cell))
        start = np.searchsorted(cell[order], np.arange(2 * planned.practices))
        rank = np.arange(cell.size) - start[cell[order]]
        referred[order[(rank < number[cell[order]]) & np.isfinite(waiting[order])]] = True
    return referred
