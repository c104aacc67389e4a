"""Effects that lean on a model of the outcome: ANCOVA on a matched cohort, and AIPW on everybody."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wor_eval.cohort.wide import Floats, wide_outcome
from wor_eval.design.matched import MatchedCohort
from wor_eval.design.matching import match_cohort
from wor_eval.effects.aipw import aipw
from wor_eval.effects.contrasts import MISSING_VALUE, ContrastValue, as_estimate, cluster_codes
from wor_eval.effects.estimate import ALL_BANDS, EffectTable, Estimate, Scale, effect_table
from wor_eval.effects.g_computation import g_computation
from wor_eval.effects.regression import poisson_regression
from wor_eval.errors import EstimationError
from wor_eval.study import Design, Study

if TYPE_CHECKING:
    from wor_eval.cohort.build import Cohort

# What the outcome of a contrast is, and the window before it that is adjusted for.
_ADJUSTED = {"after_only": ("after", "before"), "placebo": ("before", "placebo")}


def ancova_effects(
    matched: MatchedCohort,
    study: Study,
    *,
    outcome: str,
    contrasts: Iterable[str] = ("after_only", "placebo"),
) -> EffectTable:
    """Estimate the effect by analysis of covariance on a matched cohort.

    Estimand: the marginal rate after of the referred over (minus) that without referral, from a weighted Poisson
    model of the rate after on arm, the log of the rate before and the design's person covariates, by
    g-computation over the referred; errors robust by set. ``placebo`` models the rate before on the placebo year.

    Parameters
    ----------
    matched : MatchedCohort
        Usually matched on person covariates only.
    study : Study
        The plan: bands.
    outcome : str
        Name of the outcome.
    contrasts : iterable of {"after_only", "placebo"}
        Which.

    Returns
    -------
    EffectTable
        Method ``ancova``; missing values where a band has no estimate.
    """
    clusters = cluster_codes(matched, "set")
    band_of = matched.cohort.persons["age_band"].to_numpy()
    rows: list[list[Estimate]] = []
    for contrast in contrasts:
        for band in (*study.cohort.band_names, ALL_BANDS):
            used = matched.weight > 0
            used = used if band == ALL_BANDS else used & (band_of == band)
            arms = matched.referred[used]
            sizes = (int(arms.sum()), int((~arms).sum()), int(np.unique(clusters[used]).size))
            values = _or_missing(partial(_ancova, matched, outcome, (contrast, used), clusters))
            rows.append(_pair(values, (outcome, contrast, band, "ancova"), sizes))
    return effect_table(rows)


def _or_missing(
    estimate: Callable[[], tuple[ContrastValue, ContrastValue]],
) -> tuple[ContrastValue, ContrastValue]:
    try:
        return estimate()
    except EstimationError:
        return MISSING_VALUE, MISSING_VALUE


def _pair(
    values: tuple[ContrastValue, ContrastValue], named: tuple[str, str, str, str], sizes: tuple[int, int, int]
) -> list[Estimate]:
    scales: tuple[Scale, Scale] = ("ratio", "difference")
    return [
        as_estimate(value, named=named, scale=scale, sizes=sizes)
        for scale, value in zip(scales, values, strict=True)
    ]


def _ancova(
    matched: MatchedCohort,
    outcome: str,
    what: tuple[str, NDArray[np.bool_]],
    clusters: NDArray[np.int64],
) -> tuple[ContrastValue, ContrastValue]:
    contrast, used = what
    wide = wide_outcome(matched.cohort, outcome, _ADJUSTED[contrast])
    rows = used & np.all(wide.years > 0, axis=1)
    if not rows.any():
        raise EstimationError("nobody of these ages was observed in both windows")
    value, years = wide.value[rows], wide.years[rows]
    base = np.log1p(value[:, 1] / years[:, 1])
    person = [i for i, name in enumerate(matched.covariates.names) if not name.startswith(f"{outcome}:")]
    columns = [base, base**2, *matched.covariates.matrix[rows][:, person].T]
    kept = [column for column in columns if np.ptp(column) > 0]
    arm = matched.referred[rows].astype(float)
    X = np.column_stack([np.ones(arm.size), arm, *kept])
    weight = matched.weight[rows]
    fit = poisson_regression(
        value[:, 0], X, offset=np.log(years[:, 0]), weights=weight, clusters=clusters[rows]
    )
    referred = arm == 1
    on, off = X[referred].copy(), X[referred].copy()
    on[:, 1], off[:, 1] = 1.0, 0.0
    table = g_computation(fit, on, off, person_years=years[referred, 0])
    place = {name: i for i, name in enumerate(table.names)}
    ratio, difference = place["rate_ratio"], place["rate_difference_per_person_year"]
    return (
        ContrastValue(
            estimate=float(np.log(table.estimate[ratio])), std_error=float(table.std_error[ratio]), df=np.inf
        ),
        ContrastValue(
            estimate=float(table.estimate[difference]),
            std_error=float(table.std_error[difference]),
            df=np.inf,
        ),
    )


def aipw_effects(cohort: Cohort, study: Study, design: Design, *, outcome: str) -> EffectTable:
    """Estimate the effect doubly robustly: propensity and outcome model over everybody at one entry date.

    Estimand: ATT, the rate of the referred over (minus) the rate they would have had; right when either the
    propensity model (the design's covariates and history, with squares) or the outcome model (a Poisson model of
    the comparison persons on the same) is right. ``placebo`` takes the rate before as the outcome and only the
    placebo year as history. Errors by person from the influence function.

    Parameters
    ----------
    cohort : Cohort
        Both arms.
    study : Study
        The plan: windows, bands, seed.
    design : Design
        Covariates and history.
    outcome : str
        Name of the outcome.

    Returns
    -------
    EffectTable
        Method ``aipw``; missing values where a band has no estimate.
    """
    rows: list[list[Estimate]] = []
    for contrast, window in (("after_only", "after"), ("placebo", "before")):
        history = design.history if contrast == "after_only" else "placebo"
        how = design.model_copy(update={"method": "ipw", "history": history})
        weighted = match_cohort(cohort, study, design=how, outcome=outcome)
        for band in (*study.cohort.band_names, ALL_BANDS):
            band_of = cohort.persons["age_band"].to_numpy()
            inside = np.isfinite(weighted.score) & ((band == ALL_BANDS) | (band_of == band))
            arms = weighted.referred[inside]
            sizes = (int(arms.sum()), int((~arms).sum()), 0)
            values = _or_missing(partial(_aipw, weighted, outcome, window, inside))
            rows.append(_pair(values, (outcome, contrast, band, "aipw"), sizes))
    return effect_table(rows)


def _aipw(
    weighted: MatchedCohort, outcome: str, window: str, inside: NDArray[np.bool_]
) -> tuple[ContrastValue, ContrastValue]:
    wide = wide_outcome(weighted.cohort, outcome, (window,))
    rows = inside & (wide.years[:, 0] > 0)
    y, years, arm = wide.value[rows, 0], wide.years[rows, 0], weighted.referred[rows]
    if arm.all() or not arm.any():
        raise EstimationError(f"one arm alone was observed in window {window}")
    columns, _ = replace(weighted.covariates, matrix=weighted.covariates.matrix[rows]).with_squares()
    X = np.column_stack([np.ones(arm.size), columns[:, np.ptp(columns[~arm], axis=0) > 0]])
    fit = poisson_regression(y[~arm], X[~arm], offset=np.log(years[~arm]))
    expected: Floats = np.exp(X @ fit.coef) * years
    found = [
        aipw(y, arm, weighted.score[rows], mu0=expected, estimand="att", exposure=years, scale=scale)
        for scale in ("log_ratio", "difference")
    ]
    ratio, difference = (ContrastValue(estimate=f.estimate, std_error=f.std_error, df=np.inf) for f in found)
    return ratio, difference
