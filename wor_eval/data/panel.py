"""The synthetic panel: monthly GP contacts with a known effect, fast enough to be drawn thousands of times."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from wor_eval.data.calibration import (
    EPISODE_MEMORY,
    EPISODE_SD,
    PRACTICE_SD,
    SEASON,
    contact_rate,
    sex_factor,
)
from wor_eval.data.people import MONTHS, Bools, Floats, Ints, People, draw_people, n_practices
from wor_eval.data.selection import FIRST_REFERRAL, draw_referrals, draw_uptake
from wor_eval.errors import StudyError

Scenario = Literal["null-peak", "null-level", "effect", "mixed"]
Counts = npt.NDArray[np.int16]

BANDS = ("18-64", "65+")
"""Age bands of the true effects, by age in the month of referral."""

PEAK_SHARE: Mapping[str, float] = {"null-peak": 1.0, "null-level": 0.0, "effect": 1.0, "mixed": 0.5}
"""Share of referrals drawn on an observed peak, by scenario."""

EFFECTS: Mapping[str, float] = {"18-64": 0.80, "65+": 0.90}
"""Rate ratio of GP contacts after referral in the scenarios with an effect. Free, not a fact."""

FEWEST = 500
"""Fewest persons: under this there are too few referrals in the younger band to simulate."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel(People):
    """A simulated panel of persons and months, with its truth.

    Months run from 2019-01 (0) to 2024-12 (71). With referral in month m, *before* is months m-12..m-1 and
    *after* is months m+1..m+12; the effect starts in month m+1.

    Parameters
    ----------
    counts : array of int16, shape (n, 72)
        GP contacts per month as observed; 0 in months without registration (see :meth:`registered`).
    counterfactual : array of int16, shape (n, 72)
        Truth: the contacts there would have been without any referral.
    episode : array of float32, shape (n, 72)
        Truth: the transient by which contacts of the month are multiplied (mean 1).
    referral_month : array of int, shape (n,)
        Month of referral; -1 for persons never referred.
    selected_on : array of str, shape (n,)
        Truth: ``peak``, ``level``, or empty for persons never referred.
    wor_from : array of int, shape (practices,)
        First month in which each practice refers (-1: never).
    effects : mapping
        Truth: rate ratio of contacts after referral by age band; 1 where there is none.
    scenario, seed
        As given.
    """

    counts: Counts
    counterfactual: Counts
    episode: npt.NDArray[np.float32]
    referral_month: Ints
    selected_on: npt.NDArray[np.str_]
    wor_from: Ints
    effects: Mapping[str, float]
    scenario: Scenario
    seed: int

    @property
    def referred(self) -> Bools:
        """Tell for every person whether the person was ever referred, shape (n,)."""
        return self.referral_month >= 0

    def older(self) -> Bools:
        """Tell for every referred person whether the age in the month of referral is 65 or over, shape (n,)."""
        return self.referred & (self.age(self.referral_month) >= 65)


def simulate_panel(
    *,
    persons: int = 20_000,
    seed: int = 1,
    scenario: Scenario = "effect",
    referral_share: float = 0.04,
    peak_share: float | None = None,
    effects: Mapping[str, float] | None = None,
    ageing: bool = True,
) -> Panel:
    """Simulate monthly GP contacts of persons, some of whom are referred, with a known effect.

    Contacts of a month are Poisson with mean (yearly rate by age and sex / 12) x practice x season x permanent
    level x transient episode. The permanent level is gamma with mean 1, so that a negative-binomial random
    effect is the right model for it; the log of the episode is a Gaussian AR(1) by month. Referrals fall from
    2022-01 to 2023-10, so that three years of history and a year of follow-up exist. A referral *on a peak* has
    a hazard that depends on the observed count of the last three months relative to the published rate of that
    age, and on nothing else about the person: matching on the last quarters is right. A referral *on the
    level* has a hazard that rises with the permanent level and does not depend on the counts: before-after is
    right, but for ageing (the rate of a person rises by 2 to 5 % a year, as rates differ between ages). The
    effect is a binomial thinning of the counterfactual counts from the month after referral on.

    Facts (with source in ``data_dictionary/calibration``): the rate of contacts by age group (Nivel, 2017); the
    age and sex of the population (Vektis, 2023); the persistence of frequent attenders (Smits et al. 2009) to
    which the latent parameters are tuned. Free parameters: everything else, among which the ratio of women to
    men, the season, the practices, death and moving, the share referred, and all effects.

    Parameters
    ----------
    persons : int
        Number of persons, at least 500.
    seed : int
        Same seed and arguments, same panel.
    scenario : {"null-peak", "null-level", "effect", "mixed"}
        ``null-peak``: no effect, all referred on a peak. ``null-level``: no effect, all referred on the level.
        ``effect``: an effect, all on a peak. ``mixed``: an effect, half on a peak, half on the level.
    referral_share : float
        Expected share of persons referred, above 0 and at most 0.2 (free).
    peak_share : float, optional
        Share of referrals on a peak, 0 to 1; by default that of the scenario.
    effects : mapping, optional
        Rate ratio after referral, above 0 and at most 1, for the bands ``18-64`` and ``65+``; by default 0.80
        and 0.90 (free). Refused in the scenarios without an effect.
    ageing : bool
        Whether the rate of a person moves along with age. Without it, each person keeps the rate of the age in
        2022-01: before-after is then exactly right in ``null-level``, and the published rates by age hold around
        that month only.

    Returns
    -------
    Panel
        Counts and truth.

    Raises
    ------
    StudyError
        An argument is out of its range; all of them are listed.

    Examples
    --------
    >>> panel = simulate_panel(persons=1000, seed=7, scenario="null-peak")
    >>> panel.counts.shape
    (1000, 72)
    >>> bool((panel.counts == panel.counterfactual).all())
    True
    """
    _check(persons, referral_share, scenario=scenario, peak_share=peak_share, effects=effects)
    on_peak = PEAK_SHARE[scenario] if peak_share is None else peak_share
    ratio = dict(effects or EFFECTS) if scenario in ("effect", "mixed") else dict.fromkeys(BANDS, 1.0)
    rng = np.random.default_rng([seed, 1])
    people = draw_people(rng, persons)
    uptake = draw_uptake(rng, n_practices(persons))
    episode = episodes(rng, MONTHS, persons)
    counterfactual = _contacts(rng, people, episode, ageing=ageing)
    month, selected_on = draw_referrals(
        rng, people, counterfactual, uptake=uptake, share=referral_share, peak_share=on_peak
    )
    older = people.age(month) >= 65
    counts = _thinned(rng, counterfactual, month, np.where(older, ratio["65+"], ratio["18-64"]))
    return Panel(
        **{field.name: getattr(people, field.name) for field in fields(People)},
        counts=np.ascontiguousarray(counts.T),
        counterfactual=np.ascontiguousarray(counterfactual.T),
        episode=np.ascontiguousarray(episode.T),
        referral_month=month,
        selected_on=selected_on,
        wor_from=uptake.first_month,
        effects=ratio,
        scenario=scenario,
        seed=seed,
    )


def _check(
    persons: int,
    referral_share: float,
    *,
    scenario: str,
    peak_share: float | None,
    effects: Mapping[str, float] | None,
) -> None:
    problems = []
    if persons < FEWEST:
        problems.append(f"persons: {persons} is fewer than {FEWEST}; ask for more")
    if not 0 < referral_share <= 0.2:
        problems.append(f"referral_share: {referral_share} is not above 0 and at most 0.2")
    if scenario not in get_args(Scenario):
        problems.append(f"scenario: {scenario!r} is not one of {', '.join(get_args(Scenario))}")
    if peak_share is not None and not 0 <= peak_share <= 1:
        problems.append(f"peak_share: {peak_share} is not between 0 and 1")
    problems += _wrong_effects(effects, scenario)
    if problems:
        raise StudyError("this panel cannot be simulated", problems=problems)


def _wrong_effects(effects: Mapping[str, float] | None, scenario: str) -> list[str]:
    if effects is None:
        return []
    if scenario.startswith("null"):
        return [f"effects: scenario {scenario} has no effect; leave effects out or take another scenario"]
    if set(effects) != set(BANDS):
        return [f"effects: one rate ratio is needed for each of the bands {', '.join(BANDS)}"]
    wrong = [band for band, ratio in effects.items() if not 0 < ratio <= 1]
    return [f"effects: the rate ratio of band {band} is not above 0 and at most 1" for band in wrong]


def episodes(rng: np.random.Generator, months: int, n: int) -> npt.NDArray[np.float32]:
    """Draw the transient of each month and person, shape (months, n): log-normal AR(1) with mean 1."""
    log = rng.standard_normal((months, n), dtype=np.float32)
    fresh = np.float32(np.sqrt(1 - EPISODE_MEMORY**2))
    for month in range(1, months):
        log[month] = np.float32(EPISODE_MEMORY) * log[month - 1] + fresh * log[month]
    episode: npt.NDArray[np.float32] = np.exp(np.float32(EPISODE_SD) * log - np.float32(EPISODE_SD**2 / 2))
    return episode


def _contacts(
    rng: np.random.Generator, people: People, episode: npt.NDArray[np.float32], *, ageing: bool
) -> Counts:
    """Draw the counts without any referral, shape (72, n)."""
    month = np.arange(MONTHS)[:, None]
    table = contact_rate()[:, None] / 12 * np.repeat(sex_factor(), 12, axis=0)
    age = np.minimum((month if ageing else FIRST_REFERRAL) - people.birth, table.shape[0] - 1)
    mean = table.ravel()[2 * age + people.female] * people.level * episode
    mean *= 1 + SEASON * np.cos(2 * np.pi * month / 12)
    mean *= people.registered().T
    _times_practice(rng, people, mean)
    counts: Counts = rng.poisson(mean).astype(np.int16)
    return counts


def _times_practice(rng: np.random.Generator, people: People, mean: Floats) -> None:
    """Multiply the means by the factor of the practice, whose mean over persons is 1."""
    factor = np.exp(PRACTICE_SD * rng.standard_normal(n_practices(people.n)))
    factor /= factor[people.practice].mean()
    mean *= factor[people.practice]
    for person in np.flatnonzero(people.move_month >= 0):
        later = slice(people.move_month[person], None)
        mean[later, person] *= factor[people.next_practice[person]] / factor[people.practice[person]]


def _thinned(rng: np.random.Generator, counterfactual: Counts, referral_month: Ints, ratio: Floats) -> Counts:
    """Keep each contact after the month of referral with probability ``ratio`` (one per person)."""
    counts = counterfactual.copy()
    referred = np.flatnonzero((referral_month >= 0) & (ratio < 1))
    after = np.arange(MONTHS)[:, None] > referral_month[referred]
    block = counterfactual[:, referred]
    kept = rng.binomial(block, ratio[referred])
    counts[:, referred] = np.where(after, kept, block)
    return counts
