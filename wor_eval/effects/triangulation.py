"""Several designs side by side, each with its placebo contrast: do they agree, and what does it mean if not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from wor_eval.cohort.wide import wide_outcome
from wor_eval.design.matching import RECENT_QUARTER, match_cohort
from wor_eval.effects.adjusted import aipw_effects, ancova_effects
from wor_eval.effects.contrasts import (
    MISSING_VALUE,
    WINDOWS,
    ContrastValue,
    as_estimate,
    contrast_rates,
    matched_effects,
)
from wor_eval.effects.estimate import ALL_BANDS, Estimate, Scale
from wor_eval.effects.windows import WindowPair, window_pair
from wor_eval.errors import DesignError, EstimationError
from wor_eval.study import Design, Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.cohort.build import Cohort

_KEYS = ("age_band", "scale")


def triangulate(cohort: Cohort, study: Study, *, outcome: str) -> pd.DataFrame:
    """Estimate the effect by every design on the same cohort, with a placebo contrast for each.

    Designs, from the naive to the careful:

    - ``before_after``: the referred against themselves;
    - ``unmatched``: difference-in-differences against everybody else;
    - ``covariates``, ``placebo_year``, ``quarters``, ``level``: difference-in-differences in a cohort matched on
      the covariates of the plan, and on the placebo year, the quarters of the year before, or the permanent level
      and the deviations from it (the last two also exactly on the count of the last quarter, in classes);
    - ``quarters_earlier``: matched on the quarters before, change against the placebo year instead of the year
      before, so that a lasting difference in level that noisy quarters leave is taken out;
    - ``ancova``: matched on the covariates, after adjusted for before;
    - ``aipw``: doubly robust on covariates and quarters.

    The placebo contrast is the same comparison between two windows before the index date, where nothing can have
    happened (for ``before_after`` the change of the referred from the placebo year to the year before).

    Parameters
    ----------
    cohort : Cohort
        Both arms.
    study : Study
        The plan; its design gives covariates, strata, caliper and ratio.
    outcome : str
        Name of the outcome.

    Returns
    -------
    DataFrame
        ``outcome, design, contrast, age_band, scale, estimate, std_error, conf_low, conf_high, p_value, n_referred,
        n_comparison, n_sets, placebo, placebo_low, placebo_high, placebo_p``. A design that cannot be carried out
        has no rows.

    Raises
    ------
    DesignError
        The plan has no design.
    """
    import pandas as pd

    if study.design is None:
        raise DesignError("the plan has no [design]: there is nothing to set beside the naive comparison")
    rows = []
    for design, contrast, estimates in _designs(cohort, study, study.design, outcome):
        placebo = {(e.age_band, e.scale): e for e in estimates if e.contrast == "placebo"}
        rows += [
            _row(design, effect, placebo[effect.age_band, effect.scale])
            for effect in estimates
            if effect.contrast == contrast
        ]
    return pd.DataFrame(rows)


def _row(design: str, effect: Estimate, placebo: Estimate) -> dict[str, object]:
    names = ("contrast", *_KEYS, "estimate", "std_error", "conf_low", "conf_high", "p_value")
    counts = ("n_referred", "n_comparison", "n_sets")
    return {
        "outcome": effect.outcome,
        "design": design,
        **{name: getattr(effect, name) for name in (*names, *counts)},
        "placebo": placebo.estimate,
        "placebo_low": placebo.conf_low,
        "placebo_high": placebo.conf_high,
        "placebo_p": placebo.p_value,
    }


def _designs(
    cohort: Cohort, study: Study, plan: Design, outcome: str
) -> Iterator[tuple[str, str, tuple[Estimate, ...]]]:
    """Give each design with the contrast that is its estimate, and all its estimates."""
    yield "before_after", "before_after", tuple(_before_after(cohort, study, outcome))
    yield "unmatched", "difference_in_differences", tuple(_unmatched(cohort, study, outcome))
    histories = {
        "covariates": "none",
        "placebo_year": "placebo",
        "quarters": "quarters",
        **({"level": "level"} if study.windows.years > 1 else {}),
    }
    without = tuple(name for name in plan.exact if name != RECENT_QUARTER)
    for name, history in histories.items():
        exact = (*without, RECENT_QUARTER) if history in ("quarters", "level") else without
        try:
            design = plan.model_copy(update={"history": history, "missing": "indicator", "exact": exact})
            matched = match_cohort(cohort, study, design=design, outcome=outcome)
        except (DesignError, EstimationError):
            continue
        found = matched_effects(matched, study, outcome=outcome).rows
        yield name, "difference_in_differences", found
        if name == "quarters":
            yield "quarters_earlier", "against_earlier_year", found
        if name == "covariates":
            yield "ancova", "after_only", ancova_effects(matched, study, outcome=outcome).rows
    try:
        adjusted = plan.model_copy(update={"history": "quarters", "missing": "indicator"})
        yield "aipw", "after_only", aipw_effects(cohort, study, adjusted, outcome=outcome).rows
    except (DesignError, EstimationError):
        return


def _before_after(cohort: Cohort, study: Study, outcome: str) -> Iterator[Estimate]:
    """Give the change of the referred, and for placebo their change in the year before."""
    for contrast, windows in (("before_after", ("before", "after")), ("placebo", ("placebo", "before"))):
        pair = window_pair(cohort, outcome, windows=windows)
        for band in (*study.cohort.band_names, ALL_BANDS):
            part = pair.band(band)
            for scale in _scales():
                named = (outcome, contrast, band, "before_after")
                yield as_estimate(_change(part, scale), named=named, scale=scale, sizes=(len(part), 0, 0))


def _change(pair: WindowPair, scale: Scale) -> ContrastValue:
    """Give the second rate against the first, with errors by person."""
    try:
        first, second = pair.rates
    except EstimationError:
        return MISSING_VALUE
    influence = pair.rate_influence()
    estimate = second - first
    if scale == "ratio":
        if not (first > 0 and second > 0):
            return MISSING_VALUE
        influence, estimate = influence / pair.rates, np.log(second / first)
    error = float(np.sqrt((np.diff(influence, axis=1) ** 2).sum()))
    return ContrastValue(estimate=float(estimate), std_error=error, df=np.inf)


def _scales() -> tuple[Scale, Scale]:
    return ("ratio", "difference")


def _unmatched(cohort: Cohort, study: Study, outcome: str) -> Iterator[Estimate]:
    """Give the contrasts of the referred against all comparison units, unweighted, with errors by person."""
    import pandas as pd

    wide = wide_outcome(cohort, outcome, WINDOWS)
    arm = (cohort.persons["arm"] == "referred").to_numpy()
    person = pd.factorize(cohort.persons["person_id"])[0].astype(np.int64)
    band_of = cohort.persons["age_band"].to_numpy()
    for contrast in ("difference_in_differences", "placebo"):
        for band in (*study.cohort.band_names, ALL_BANDS):
            weight = np.ones(arm.size) if band == ALL_BANDS else (band_of == band).astype(float)
            for scale in _scales():
                try:
                    value = contrast_rates(
                        wide, arm, weight=weight, clusters=person, contrast=contrast, scale=scale
                    )
                except EstimationError:
                    value = MISSING_VALUE
                inside = weight > 0
                sizes = (int((inside & arm).sum()), int((inside & ~arm).sum()), 0)
                yield as_estimate(
                    value, named=(outcome, contrast, band, "unmatched"), scale=scale, sizes=sizes
                )


def selection_pattern(table: pd.DataFrame) -> str:
    """Say what the placebo contrasts tell about how persons were selected, for all ages on the ratio scale.

    Without matching, a rise of the referred from the placebo year to the year before, beyond that of the others,
    is a *peak*. In a cohort matched on the quarters before, a fall from the placebo year to the year before beyond
    that of the others means that matching on noisy counts has paired persons of different *permanent level*.

    Returns
    -------
    {"peak", "level", "both", "none", "unknown"}
        The pattern.
    """
    rows = table[(table["age_band"] == ALL_BANDS) & (table["scale"] == "ratio")].set_index("design")
    if not {"unmatched", "quarters"} <= set(rows.index):
        return "unknown"
    peak = bool(rows.loc["unmatched", "placebo_low"] > 1)
    level = bool(rows.loc["quarters", "placebo_high"] < 1)
    return {(True, False): "peak", (False, True): "level", (True, True): "both"}.get((peak, level), "none")
