"""Well-being of either design: change, responders, floors, and the effect by several models, with what is missing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wor_eval.cohort.instruments import floor_ceiling
from wor_eval.cohort.wide import Floats, WideOutcome, wide_outcome
from wor_eval.effects.ancova import adjusted_change, ancova
from wor_eval.effects.arms import contrast_of
from wor_eval.effects.contrasts import contrast_rates
from wor_eval.effects.fit import contrast as linear_contrast
from wor_eval.effects.imputation import Imputed, imputations_needed, impute
from wor_eval.effects.mixed import random_intercept
from wor_eval.effects.mmrm import mmrm, mmrm_contrast
from wor_eval.effects.paired_tests import paired_t
from wor_eval.effects.quantity import Quantity, difference
from wor_eval.effects.score_waves import Bools, ScoreWaves
from wor_eval.effects.tipping_point import Analysis, analyse_missing
from wor_eval.effects.wellbeing import responders, score_change
from wor_eval.errors import EstimationError
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.cohort.build import Cohort

BEFORE, BETWEEN, AFTER = 0, 1, 2
Codes = NDArray[np.int64]
_FIELDS = ("estimate", "std_error", "conf_low", "conf_high", "p_value")
_MISSING = dict.fromkeys(_FIELDS, np.nan)
# Replicates of the plan per imputation: 2,000 replicates give at most 20 imputed data sets.
_PER_IMPUTATION = 100
Row = dict[str, Any]


def score_changes(waves: ScoreWaves, study: Study, *, outcome: str) -> pd.DataFrame:
    """Describe the scores of the referred who answered before and after.

    Measures: ``mean_before, mean_after, change, response_mean`` (standardised response mean), ``improved`` and
    ``worsened`` (by the smallest relevant change, where the instrument has one), and the shares at the lowest and
    highest possible score, ``floor_before, ceiling_before, floor_after, ceiling_after``.

    Returns
    -------
    DataFrame
        ``outcome, age_band, measure, estimate, std_error, conf_low, conf_high, n_persons, n_with``; ``n_with``
        counts the persons with the property where the measure is a share.
    """
    import pandas as pd

    columns = ["outcome", "age_band", "measure", "estimate", "std_error", "conf_low", "conf_high"]
    rows = []
    for band, part in waves.where(waves.arms.referred).bands(study):
        both = _answered(part.score, (BEFORE, AFTER))
        before, after = part.score[both, BEFORE], part.score[both, AFTER]
        try:
            made = [*_described(before, after), *_responded(before, after, part), *_ends(before, after, part)]
        except EstimationError:  # fewer than two persons, or all changed alike
            continue
        rows += [{"outcome": outcome, "age_band": band, "n_persons": int(both.sum()), **row} for row in made]
    return pd.DataFrame(rows, columns=[*columns, "n_persons", "n_with"])


def _answered(score: Floats, columns: tuple[int, ...]) -> Bools:
    """Tell who has a score in each of these waves, (n,)."""
    return np.asarray(np.isfinite(score[:, list(columns)]).all(axis=1))


def _described(before: Floats, after: Floats) -> list[Row]:
    found, n = score_change(before, after), before.size
    rows: list[Row] = [
        {"measure": "mean_before", "estimate": found.mean_before, "std_error": found.sd_before / np.sqrt(n)},
        {"measure": "mean_after", "estimate": found.mean_after, "std_error": found.sd_after / np.sqrt(n)},
        {"measure": "change", **_values(found.change)},
        {"measure": "response_mean", **_values(found.response_mean)},
    ]
    return [{**row, "n_with": n} for row in rows]


def _responded(before: Floats, after: Floats, waves: ScoreWaves) -> list[Row]:
    smallest = waves.instrument.smallest_change
    if smallest is None:
        return []
    rows: list[Row] = []
    up = waves.instrument.higher_is == "better"
    for measure, better in (("improved", up), ("worsened", not up)):
        found = responders(
            before, after, smallest_change=smallest.value, better="higher" if better else "lower"
        )
        rows.append({"measure": measure, **_values(found.improved), "n_with": found.n_improved})
    return rows


def _ends(before: Floats, after: Floats, waves: ScoreWaves) -> list[Row]:
    rows: list[Row] = []
    for window, scores in (("before", before), ("after", after)):
        found = floor_ceiling(scores, waves.instrument)
        for end, share, count in (
            ("floor", found.share_floor, found.n_floor),
            ("ceiling", found.share_ceiling, found.n_ceiling),
        ):
            rows.append({"measure": f"{end}_{window}", "estimate": share, "n_with": count})
    return rows


def _values(found: Any) -> dict[str, float]:
    return {field: float(np.squeeze(getattr(found, field))) for field in _FIELDS if field != "p_value"}


def score_effects(waves: ScoreWaves, imputed: Imputed | None, study: Study, *, outcome: str) -> pd.DataFrame:
    """Estimate the contrast of the plan for one score in several ways, by age band.

    Methods: ``complete_case`` (the contrast on those who answered); ``imputed`` (the same on imputed answers,
    pooled); ``mixed`` (random intercept per person, all answers of all waves); ``mmrm`` (an answer per wave, each wave
    with its own variance and correlations: for small studies); ``ancova``: with two arms the
    difference at the same score before, with one arm the change at the mean score before of those not referred,
    which is what regression to the mean leaves over.

    Returns
    -------
    DataFrame
        ``outcome, contrast, age_band, method, estimate, std_error, conf_low, conf_high, p_value, n_referred,
        n_comparison, n_imputations``; missing values where a method cannot be carried out.
    """
    import pandas as pd

    contrast = contrast_of(study, outcome)
    population = _population_mean(waves.arms.cohort, outcome)
    rows = []
    band_of = waves.arms.persons["age_band"].to_numpy()
    for band, part in waves.bands(study):
        inside = np.ones(band_of.size, dtype=bool) if band == "all" else band_of == band
        makers: dict[str, Callable[[], Row]] = {
            "complete_case": partial(_complete, part, contrast),
            "ancova": partial(_ancova, part, population.get(band)),
            "mixed": partial(_mixed, part, contrast),
            "mmrm": partial(_mmrm, part, contrast),
            "imputed": partial(pooled, waves, imputed, contrast, inside=inside),
        }
        for method, make in makers.items():
            try:
                values = make()
            except EstimationError:
                values = {**_MISSING, **part.arms.sizes}
            named = {"outcome": outcome, "contrast": contrast, "age_band": band, "method": method}
            rows.append({"n_imputations": None, **named, **values})
    columns = ["outcome", "contrast", "age_band", "method", *_FIELDS, "n_referred", "n_comparison"]
    return pd.DataFrame(rows, columns=[*columns, "n_imputations"]).astype({"n_imputations": "Int64"})


def _quantity(found: Any) -> Row:
    return {field: float(np.squeeze(getattr(found, field))) for field in _FIELDS}


def used_columns(contrast: str) -> tuple[int, ...]:
    """Give the waves that a contrast of scores needs."""
    return (AFTER,) if contrast == "after_only" else (BEFORE, AFTER)


def score_analysis(waves: ScoreWaves, contrast: str) -> Analysis:
    """Give the analysis of complete scores, as a function of a table (n, 3 or more) and its rows.

    Before and after: the paired t. Two arms: the weighted contrast of means, clustered on the matched set, the
    same as in :func:`wor_eval.effects.contrasts.matched_effects`.
    """
    arms = waves.arms
    cluster = np.unique(arms.cluster, return_inverse=True)[1]

    def analysis(table: Floats, rows: NDArray[np.intp]) -> Quantity:
        if contrast == "before_after":
            return paired_t(table[rows, AFTER] - table[rows, BEFORE])
        seen = np.isfinite(table[rows][:, [BEFORE, AFTER]])
        value = np.where(seen, table[rows][:, [BEFORE, AFTER]], 0.0)
        found = contrast_rates(
            WideOutcome(value=value, years=seen.astype(np.float64), windows=("before", "after")),
            arms.referred[rows],
            weight=arms.weight[rows],
            clusters=cluster[rows],
            contrast=contrast,
            scale="difference",
        )
        return difference(found.estimate, found.std_error, df=found.df)

    return analysis


def _complete(waves: ScoreWaves, contrast: str) -> Row:
    full = _answered(waves.score, used_columns(contrast))
    found = score_analysis(waves, contrast)(waves.score, np.flatnonzero(full))
    return {**_quantity(found), **waves.arms.where(full).sizes}


def _ancova(waves: ScoreWaves, population: float | None) -> Row:
    both = _answered(waves.score, (BEFORE, AFTER))
    part = waves.arms.where(both)
    before, after = waves.score[both, BEFORE], waves.score[both, AFTER]
    if part.two:
        found = ancova(before, after, part.referred, weights=part.weight, clusters=part.cluster)
    elif population is None:
        raise EstimationError("nobody who was not referred answered before: there is no mean to compare with")
    else:
        found = adjusted_change(before, after, before[:, None], at=[population])
    return {**_quantity(found), **part.sizes}


def _population_mean(cohort: Cohort, outcome: str) -> dict[str, float]:
    """Give the mean score before of units that were not referred, by age band."""
    wide = wide_outcome(cohort, outcome, ("before",))
    seen = (wide.years[:, 0] > 0) & (cohort.persons["arm"] == "comparison").to_numpy()
    if not seen.any():
        return {}
    band = cohort.persons["age_band"].to_numpy()[seen]
    score = wide.value[seen, 0]
    means = {str(name): float(score[band == name].mean()) for name in np.unique(band)}
    return {**means, "all": float(score.mean())}


def _wave_columns(waves: ScoreWaves, contrast: str, *, unit: Codes, wave: Codes) -> tuple[Floats, list[int]]:
    """Give columns for answers, wave by arm, and the signs that make the contrast of them."""
    arms = waves.arms
    columns = [np.ones(unit.size), wave == BETWEEN, wave == AFTER]
    signs = [0, 0, 1]
    if arms.two:
        referred = arms.referred[unit]
        columns += [referred, referred & (wave == BETWEEN), referred & (wave == AFTER)]
        signs = [0, 0, 0, int(contrast == "after_only"), 0, 1]
    used = [place for place, column in enumerate(columns) if np.any(column)]
    X = np.column_stack([columns[place] for place in used]).astype(np.float64)
    return X, [signs[place] for place in used]


def _mixed(waves: ScoreWaves, contrast: str) -> Row:
    """Fit every answer on its wave, by arm, with an intercept per person; the referred after is the effect."""
    arms, unit = waves.arms, waves.answer_unit
    X, signs = _wave_columns(waves, contrast, unit=unit, wave=waves.answer_wave)
    model = random_intercept(
        waves.answer_score,
        X,
        unit,
        weights=arms.weight[unit] if arms.two else None,
        clusters=arms.cluster[unit],
    )
    answered = np.bincount(unit, minlength=len(arms)) > 0
    return {**_quantity(linear_contrast(model.fit, [signs])), **arms.where(answered).sizes}


def _mmrm(waves: ScoreWaves, contrast: str) -> Row:
    """Fit the score of each wave on the wave, by arm, with free covariances; model errors where nobody is weighted."""
    arms = waves.arms
    unit, wave = np.nonzero(np.isfinite(waves.score))
    X, signs = _wave_columns(waves, contrast, unit=unit, wave=wave)
    weights, clusters = (arms.weight[unit], arms.cluster[unit]) if arms.two else (None, None)
    model = mmrm(waves.score[unit, wave], X, unit, wave, weights=weights, clusters=clusters)
    answered = np.bincount(unit, minlength=len(arms)) > 0
    return {**_quantity(mmrm_contrast(model, signs)), **arms.where(answered).sizes}


def impute_scores(waves: ScoreWaves, study: Study) -> Imputed | None:
    """Impute the scores of all units that were asked, each arm by itself; None where nothing is missing.

    None too where an arm has too few answers to impute from: a small study still has its other analyses.

    The columns are the three waves and all that is known of everybody. The number of imputations is the percentage
    of persons with a missing score, at most one per hundred replicates of the plan, seeded by the plan.
    """
    table, died = imputed_table(waves)
    if not (np.isnan(table) & ~died).any():
        return None
    few = max(5, study.replicates // _PER_IMPUTATION)
    try:
        return impute(
            table,
            seed=study.seed,
            n_imputations=min(few, imputations_needed(table, died=died)),
            groups=waves.arms.referred[waves.asked] if waves.arms.two else None,
            died=died,
        )
    except EstimationError:
        return None


def imputed_table(waves: ScoreWaves) -> tuple[Floats, NDArray[np.bool_]]:
    """Give the table that is imputed, a row for each unit asked, and which of its cells do not exist by death."""
    table = np.column_stack([waves.score, waves.known])[waves.asked]
    died = np.zeros(table.shape, dtype=bool)
    died[:, : waves.score.shape[1]] = waves.died[waves.asked]
    return table, died


def pooled(waves: ScoreWaves, imputed: Imputed | None, contrast: str, *, inside: NDArray[np.bool_]) -> Row:
    """Pool the contrast over the imputed data sets, for the units ``inside`` (n,) that were asked."""
    if imputed is None:
        raise EstimationError("nothing is missing: there is nothing to impute")
    chosen = inside[waves.asked]
    part = waves.where(waves.asked & inside)
    here = Imputed(
        values=imputed.values[:, chosen], imputed=imputed.imputed[chosen], chain_means=imputed.chain_means
    )
    table = imputed_table(part)[0]
    columns = used_columns(contrast)
    found = analyse_missing(table, here, score_analysis(part, contrast), columns=columns)
    alive = _answered(here.values[0], columns)
    values = {**_quantity(found.pooled), **part.arms.where(alive).sizes}
    return {**values, "n_imputations": found.pooled.n_imputations}
