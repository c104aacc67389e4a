"""Simulated studies of a plan: drawn, matched by the plan's own design, and tested under several true effects."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from wor_eval.cohort.planned import month_blocks, planned_cohort
from wor_eval.cohort.wide import WideOutcome, wide_outcome
from wor_eval.data.planned import Planned, draw_planned
from wor_eval.design.matching import match_cohort
from wor_eval.effects.contrasts import WINDOWS, ContrastValue, cluster_codes, contrast_rates
from wor_eval.effects.estimate import ALL_BANDS
from wor_eval.errors import DesignError, EstimationError
from wor_eval.power_plan import PowerPlan
from wor_eval.study import Study

if TYPE_CHECKING:
    from wor_eval.design.matched import MatchedCohort

Floats = NDArray[np.float64]
ERRORS: Final = ("set", "practice")
_CHUNK: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One size of a study, to be simulated.

    Attributes
    ----------
    study : Study
        The plan.
    planned : Planned
        Sizes and shares.
    ratios : tuple of float
        True rate ratios, falling, the first of them 1.
    practice_sd : float
        Standard deviation between practices of the log of the change of the referred.
    """

    study: Study
    planned: Planned
    ratios: tuple[float, ...]
    practice_sd: float


def planned_study(study: Study, power: PowerPlan, *, referrals: int) -> Planned:
    """Give the sizes and shares of a plan with a number of referrals in each practice.

    Parameters
    ----------
    study : Study
        The plan: its windows.
    power : PowerPlan
        Its inputs.
    referrals : int
        Referrals per practice; the months of inclusion grow with them at the rate of the plan.

    Returns
    -------
    Planned
    """
    months = 12 * referrals / power.referrals_per_year.value
    return Planned(
        practices=round(power.practices.value),
        referrals=referrals,
        candidates=round(power.candidates.value),
        months=max(1, round(months)),
        older_share=power.older_share.value,
        peak_share=power.peak_share.value,
        loss=power.loss.value,
        blocks=_needed_blocks(study),
    )


def _needed_blocks(study: Study) -> dict[str, tuple[int, int]]:
    """Leave out the windows that the design does not look at: each costs time in every simulated study."""
    blocks = month_blocks(study.windows)
    level = study.design is not None and study.design.history == "level"
    return {name: block for name, block in blocks.items() if level or not name.startswith("year-")}


def simulated_match(job: Job, rng: np.random.Generator) -> MatchedCohort:
    """Draw one study and match it as the plan says.

    Raises
    ------
    DesignError, EstimationError
        Nobody finds a comparison, or the propensity model cannot be fitted.
    """
    outcome = job.study.headline.outcomes[0]
    cohort = planned_cohort(draw_planned(rng, job.planned), job.study, outcome=outcome)
    return match_cohort(cohort, job.study, outcome=outcome)


def simulate_one(job: Job, seed: np.random.SeedSequence) -> Floats:
    """Simulate one study and test the headline contrast under every true effect.

    The draws are the same under every effect: contacts of the referred after the index date are thinned step by
    step, and each practice has its own log-normal factor on them. Standard errors are those of the package,
    robust to sets and to practices.

    Parameters
    ----------
    job : Job
        What to simulate.
    seed : SeedSequence
        Of this study alone, so that the order in which studies are simulated does not matter.

    Returns
    -------
    ndarray, shape (ratios, bands + 1, errors, 4)
        Estimate and standard error of the log ratio, and limits of its interval; missing where there is none.
    """
    rng = np.random.default_rng(seed)
    bands = (*job.study.cohort.band_names, ALL_BANDS)
    found = np.full((len(job.ratios), len(bands), len(ERRORS), 4), np.nan)
    try:
        matched = simulated_match(job, rng)
    except (DesignError, EstimationError):
        return found
    used = matched.weight > 0
    wide = wide_outcome(matched.cohort, job.study.headline.outcomes[0], WINDOWS)
    wide = replace(wide, value=wide.value[used], years=wide.years[used])
    clusters = [cluster_codes(matched, kind)[used] for kind in ("set", "practice")]
    band_of = matched.cohort.persons["age_band"].to_numpy()[used]
    arms = matched.referred[used], matched.weight[used]
    practice = matched.cohort.persons["practice_id"].to_numpy()[used]
    for i, value in enumerate(_under_effects(wide, (arms[0], practice), job, rng)):
        for j, band in enumerate(bands):
            inside = np.where((band_of == band) | (band == ALL_BANDS), arms[1], 0.0)
            for k, codes in enumerate(clusters):
                found[i, j, k] = _tested(replace(wide, value=value), (arms[0], inside, codes), job.study)
    return found


def _under_effects(
    wide: WideOutcome, who: tuple[NDArray[np.bool_], NDArray[np.int64]], job: Job, rng: np.random.Generator
) -> Iterator[Floats]:
    """Give the counts under each true effect; those of the referred after the index date alone differ.

    A practice whose factor is above 1 gets added contacts, one below 1 loses some; then each ratio thins the last.
    """
    referred, practice = who
    after = wide.windows.index("after")
    factor = np.exp(job.practice_sd * rng.standard_normal(job.planned.practices) - job.practice_sd**2 / 2)[
        practice
    ]
    base = wide.value[:, after].astype(np.int64)
    counts = np.where(
        factor <= 1,
        rng.binomial(base, np.minimum(factor, 1)),
        base + rng.poisson(base * np.maximum(factor - 1, 0)),
    )
    value, last = wide.value.copy(), 1.0
    for ratio in job.ratios:
        counts = rng.binomial(counts, ratio / last)
        last = ratio
        value[:, after] = np.where(referred, counts, wide.value[:, after])
        yield value.copy()


def _tested(
    wide: WideOutcome, design: tuple[NDArray[np.bool_], Floats, NDArray[np.int64]], study: Study
) -> tuple[float, float, float, float]:
    from scipy.special import stdtrit

    referred, weight, codes = design
    try:
        found: ContrastValue = contrast_rates(
            wide, referred, weight=weight, clusters=codes, contrast=study.headline.contrast, scale="ratio"
        )
    except EstimationError:
        return (np.nan,) * 4
    half = float(stdtrit(found.df, 0.975)) * found.std_error
    return found.estimate, found.std_error, found.estimate - half, found.estimate + half


def simulate_many(
    job: Job,
    *,
    studies: int,
    seed: int,
    workers: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Floats:
    """Simulate many studies of one size, over all cores.

    Parameters
    ----------
    job : Job
        What to simulate.
    studies : int
        How many.
    seed : int
        Same seed, same studies, however many processes share the work.
    workers : int, optional
        Processes; one for each core by default.
    progress : callable
        Told how many are done.

    Returns
    -------
    ndarray, shape (studies, ratios, bands + 1, errors, 4)
        As :func:`simulate_one` gives.
    """
    seeds = np.random.SeedSequence([seed, job.planned.referrals]).spawn(studies)
    parts = [seeds[start : start + _CHUNK] for start in range(0, studies, _CHUNK)]
    count = workers or os.cpu_count() or 1
    found: list[Floats] = []
    if count == 1:
        for part in parts:
            found += _some(job, part)
            progress(len(found))
        return np.stack(found)
    pool = ProcessPoolExecutor(count, initializer=_leave_interrupts_to_the_parent)
    try:
        for several in pool.map(_some, [job] * len(parts), parts):
            found += several
            progress(len(found))
    finally:
        pool.shutdown(cancel_futures=True)
    return np.stack(found)


def _some(job: Job, seeds: list[np.random.SeedSequence]) -> list[Floats]:
    return [simulate_one(job, seed) for seed in seeds]


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a worker that is told to stop has nothing to clear away
