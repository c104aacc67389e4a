"""Before the study: what the headline contrast of a plan will be able to find, by age band."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from wor_eval.cohort.wide import wide_outcome
from wor_eval.effects.contrasts import FEW_CLUSTERS, SIGNS
from wor_eval.effects.estimate import ALL_BANDS
from wor_eval.effects.power_numbers import (
    TwoPeriods,
    crossing,
    design_effect,
    detectable_ratio,
    needed_size,
    power_of,
    two_period_error,
    two_periods,
)
from wor_eval.effects.power_simulation import ERRORS, Job, planned_study, simulate_many, simulated_match
from wor_eval.effects.published_numbers import wilson
from wor_eval.errors import EstimationError, StudyError
from wor_eval.power_plan import PowerPlan
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Row = dict[str, Any]
PILOTS: Final = 6
"""Studies that are drawn and matched beforehand, to measure the moments that the closed form needs."""
_DRAWN: Final = frozenset({"age_band", "sex", "practice_id", "recent_quarter", "age", "n_chronic"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Basis:
    """What the closed form rests on in one age band, measured in matched studies without an effect.

    Attributes
    ----------
    referred, comparison : TwoPeriods
        Moments of the counts of the matched arms in the two windows of the headline contrast.
    share : float
        Matched referred of this band, as a share of all referrals.
    comparisons : float
        Effective number of comparison persons for each matched referred person.
    """

    referred: TwoPeriods
    comparison: TwoPeriods
    share: float
    comparisons: float


def power_tables(
    study: Study, *, workers: int | None = None, progress: Callable[[str], None] = lambda step: None
) -> dict[str, pd.DataFrame]:
    """Simulate the planned study, and tell what it can find.

    Estimand: the probability that the 95 % interval of the headline contrast, as a ratio of rates, leaves out 1
    when the true ratio is one of those of the plan. Each simulated study is matched by the plan's own design with
    the package's own functions; the interval of a power is Wilson's, for the number of simulated studies.

    Parameters
    ----------
    study : Study
        The plan, with a ``[power]`` part.
    workers : int, optional
        Processes; one for each core by default.
    progress : callable
        Told what is being simulated.

    Returns
    -------
    dict of str to DataFrame
        ``power, power_detectable, power_needed, power_basis, power_inputs``.

    Raises
    ------
    StudyError
        The plan cannot be planned for: everything it lacks is listed.
    EstimationError
        Nobody can be matched in any simulated study.
    """
    import pandas as pd

    power = planned_part(study)
    progress("matched studies to measure spread")
    basis, practice_sd = _basis(study, power)
    found = {}
    for size in power.sizes:
        job = _job(study, power, size, practice_sd)
        say = _counting(progress, size=size, studies=power.simulations)
        found[size] = simulate_many(
            job, studies=power.simulations, seed=study.seed, workers=workers, progress=say
        )
    curve = pd.DataFrame(
        [row for size in power.sizes for row in _curve_rows(study, size, found[size], basis)]
    )
    return {
        "power": curve,
        "power_detectable": pd.DataFrame(_detectable_rows(study, curve, basis)),
        "power_needed": pd.DataFrame(_needed_rows(study, curve)),
        "power_basis": pd.DataFrame(_basis_rows(basis, practice_sd)),
        "power_inputs": pd.DataFrame(_input_rows(power)),
    }


def planned_part(study: Study) -> PowerPlan:
    """Give the planning part of a plan, or say all that stands in the way."""
    power, design = study.power, study.design
    headline = study.outcome(study.headline.outcomes[0])
    named = () if design is None else (*design.exact, *design.covariates)
    unknown = sorted(set(named) - _DRAWN)
    contrast, limits = study.headline.contrast, study.cohort.bands
    wrong = {
        "a [power] part is needed: practices, referrals, loss and so on, each with its source": power is None,
        "a [design] is needed: with no comparison persons the headline finds regression to the mean": design
        is None,
        f"contrast {contrast} of the headline has no comparison persons": contrast not in SIGNS,
        f"outcome {headline.name} of the headline is not a rate of contacts: nothing else is simulated": (
            headline.measure != "rate_per_year"
        ),
        f"the design uses what is not simulated: {', '.join(unknown)}": bool(unknown),
        "cohort.bands must have a limit at 65: older_share is that of 65 and over": 65 not in limits,
    }
    problems = [problem for problem, found in wrong.items() if found]
    if problems or power is None:
        raise StudyError(f"the power of plan {study.name} cannot be calculated", problems=problems)
    return power


def _job(study: Study, power: PowerPlan, size: int, practice_sd: float) -> Job:
    planned = planned_study(study, power, referrals=size)
    return Job(study=study, planned=planned, ratios=(1.0, *power.ratios), practice_sd=practice_sd)


def _counting(progress: Callable[[str], None], *, size: int, studies: int) -> Callable[[int], None]:
    """Tell about ten times how far the simulation of one size is."""
    told = 0

    def say(done: int) -> None:
        nonlocal told
        if done * 10 // studies > told:
            told = done * 10 // studies
            progress(f"{size} referrals per practice: {done} of {studies} simulated studies")

    return say


def _basis(study: Study, power: PowerPlan) -> tuple[dict[str, Basis], float]:
    """Measure the moments by band in some matched studies, and turn the correlation into a spread of practices.

    With V the variance of a referred person's relative change, a correlation ρ within practices is a variance
    ``ρ V / (1 - ρ)`` between them.
    """
    job = _job(study, power, power.sizes[-1], 0.0)
    seeds = np.random.SeedSequence([study.seed, 0]).spawn(PILOTS)
    rows = np.concatenate([_pilot(job, np.random.default_rng(seed)) for seed in seeds])
    all_referrals = PILOTS * job.planned.practices * job.planned.referrals
    bands = (*study.cohort.band_names, ALL_BANDS)
    basis = {
        band: _band_basis(rows[(rows[:, 0] == i) | (band == ALL_BANDS)], all_referrals)
        for i, band in enumerate(bands)
    }
    correlation = power.practice_correlation.value
    person = basis[ALL_BANDS].referred.person_variance()
    return basis, math.sqrt(correlation / (1 - correlation) * person)


def _pilot(job: Job, rng: np.random.Generator) -> Floats:
    """Match one study and give its rows: band, referred, weight, count in the first window and in the second."""
    matched = simulated_match(job, rng)
    names = job.study.cohort.band_names
    windows = {window for _, window in SIGNS[job.study.headline.contrast]}
    first = next((window for window in ("placebo", "before") if window in windows), "after")
    wide = wide_outcome(matched.cohort, job.study.headline.outcomes[0], (first, "after"))
    bands = matched.cohort.persons["age_band"].to_numpy()
    code = np.array([names.index(band) for band in bands])
    rows = np.column_stack([code, matched.referred, matched.weight, wide.value])
    return rows[matched.weight > 0]


def _band_basis(rows: Floats, all_referrals: int) -> Basis:
    referred = rows[:, 1] == 1
    weight, first, second = rows[:, 2], rows[:, 3], rows[:, 4]
    if referred.sum() < 2:
        raise EstimationError(
            "an age band has no referred persons that find a comparison: nothing to plan on"
        )
    w = weight[~referred]
    return Basis(
        referred=two_periods(first[referred], second[referred], weight[referred]),
        comparison=two_periods(first[~referred], second[~referred], w),
        share=float(referred.sum()) / all_referrals,
        comparisons=float(w.sum() ** 2 / (w @ w) / referred.sum()),
    )


def _closed_error(study: Study, basis: Basis, size: float, *, ratio: float) -> float:
    power = planned_part(study)
    n = power.practices.value * size * basis.share
    return two_period_error(
        _of_contrast(study, basis.referred),
        _of_contrast(study, basis.comparison),
        n_referred=n,
        n_comparison=n * basis.comparisons,
        ratio=ratio,
        design=design_effect(size * basis.share, power.practice_correlation.value),
    )


def _freedom(power: PowerPlan, errors: str) -> float:
    """Give the degrees of freedom of the test, as :func:`wor_eval.effects.contrasts.contrast_rates` does."""
    practices = round(power.practices.value)
    return practices - 1 if errors == "practice" and practices < FEW_CLUSTERS else math.inf


def _of_contrast(study: Study, moments: TwoPeriods) -> TwoPeriods:
    """Leave the first period out of the formula where the contrast has none."""
    if study.headline.contrast != "after_only":
        return moments
    return replace(moments, mean_first=math.inf, spread_first=0.0, shared=0.0)


def _curve_rows(study: Study, size: int, found: Floats, basis: dict[str, Basis]) -> Iterator[Row]:
    power = planned_part(study)
    for i, ratio in enumerate((1.0, *power.ratios)):
        for j, band in enumerate((*study.cohort.band_names, ALL_BANDS)):
            error = _closed_error(study, basis[band], size, ratio=ratio)
            for k, errors in enumerate(ERRORS):
                yield {
                    "age_band": band,
                    "size": size,
                    "n_referrals": round(power.practices.value) * size,
                    "ratio": ratio,
                    "errors": errors,
                    "planned": errors == power.errors,
                    **_rejections(found[:, i, j, k], ratio),
                    "closed_form": power_of(ratio, error, df=_freedom(power, errors)),
                }


def _rejections(found: Floats, ratio: float) -> Row:
    """Count how often the interval leaves out 1; a study without an estimate found nothing."""
    estimate, error, low, high = found.T
    usable = np.isfinite(estimate)
    if not usable.any():
        raise EstimationError(
            "in none of the simulated studies was there an estimate: more referrals are needed"
        )
    rejected = (low > 0) | (high < 0)
    covered = (low <= math.log(ratio)) & (math.log(ratio) <= high)
    limits = wilson(int(rejected.sum()), len(found))
    return {
        "power": float(rejected.mean()),
        "conf_low": limits[0],
        "conf_high": limits[1],
        "mean_ratio": float(np.exp(estimate[usable].mean())),
        "spread": float(estimate[usable].std(ddof=1)),
        "std_error": float(error[usable].mean()),
        "coverage": float(covered[usable].mean()),
        "n_studies": len(found),
        "n_failed": int((~usable).sum()),
    }


def _detectable_rows(study: Study, curve: pd.DataFrame, basis: dict[str, Basis]) -> Iterator[Row]:
    """Give the smallest fall that is found with the wanted power, simulated and in closed form."""
    power = planned_part(study)
    for (band, size), rows in curve[curve["planned"]].groupby(["age_band", "size"], sort=False):
        df, ratio = _freedom(power, power.errors), 1.0
        for _ in range(20):  # the error itself depends on the effect: a few rounds settle it
            ratio = detectable_ratio(
                _closed_error(study, basis[str(band)], float(size), ratio=ratio), power.target, df=df
            )
        yield {
            "age_band": band,
            "size": size,
            "n_referrals": int(rows["n_referrals"].iloc[0]),
            "months": 12 * size / power.referrals_per_year.value,
            "target": power.target,
            "simulated": crossing(rows["ratio"].to_numpy(), rows["power"].to_numpy(), power.target),
            "closed_form": ratio,
        }


def _needed_rows(study: Study, curve: pd.DataFrame) -> Iterator[Row]:
    """Give the referrals per practice and the months that each true effect calls for, or the practices.

    The spread of the simulated estimates is that of the sizes; it is brought down to where the closed form has the
    wanted power.
    """
    power = planned_part(study)
    distance = -math.log(detectable_ratio(1.0, power.target, df=_freedom(power, power.errors)))
    follow_up = (study.windows.after[1] + 1) / 365.25 * 12
    for (band, ratio), rows in curve[curve["planned"] & (curve["ratio"] < 1)].groupby(
        ["age_band", "ratio"], sort=False
    ):
        wanted = (math.log(float(ratio)) / distance) ** 2
        sizes, variances = rows["size"].to_numpy(float), rows["spread"].to_numpy() ** 2
        size = needed_size(sizes, variances, wanted)
        months = 12 * size / power.referrals_per_year.value
        yield {
            "age_band": band,
            "ratio": ratio,
            "target": power.target,
            "reachable": not math.isnan(size),
            "referrals_per_practice": math.nan if math.isnan(size) else math.ceil(size - 1e-6),
            "months": months,
            "months_with_follow_up": months + follow_up,
            "practices": math.ceil(
                power.practices.value * _variance_at(sizes, variances, power.planned_size) / wanted
            ),
        }


def _variance_at(sizes: Floats, variances: Floats, size: float) -> float:
    """Give the variance at a size, straight between the simulated ones as a function of one over the size."""
    return float(np.interp(1 / size, 1 / sizes[::-1], variances[::-1]))


def _basis_rows(basis: dict[str, Basis], practice_sd: float) -> Iterator[Row]:
    for band, found in basis.items():
        measures = {
            "matched_share": found.share,
            "comparisons": found.comparisons,
            "mean_first": found.referred.mean_first,
            "mean_second": found.referred.mean_second,
            "person_variance": found.referred.person_variance(),
            "comparison_variance": found.comparison.person_variance(),
        }
        if band == ALL_BANDS:
            measures["practice_sd"] = practice_sd
        yield from ({"age_band": band, "measure": name, "value": value} for name, value in measures.items())


def _input_rows(power: PowerPlan) -> Iterator[Row]:
    for name, given in power.inputs().items():
        low, high = (math.nan if limit is None else limit for limit in (given.low, given.high))
        yield {
            "input": name,
            "value": given.value,
            "low": low,
            "high": high,
            "source_nl": given.source.nl,
            "source_en": given.source.en,
        }
