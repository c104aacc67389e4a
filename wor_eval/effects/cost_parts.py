"""Costs by payer and by category: the mean per person-year in each window, arm and age band, and the effect."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from wor_eval.cohort.as_planned import used_prices
from wor_eval.cohort.outcomes import measure_outcomes
from wor_eval.cohort.wide import Floats, wide_outcome
from wor_eval.effects.arms import Arms, contrast_cells, contrast_of, signs_of
from wor_eval.effects.costs import cost_contrast
from wor_eval.errors import DesignError, EstimationError
from wor_eval.outcome_plan import Outcome
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.data.read import StudyData

ALL = "all"


def cost_parts(data: StudyData, arms: Arms, study: Study, *, outcome: str) -> dict[str, pd.DataFrame]:
    """Give mean costs per person-year by payer and by category, of all payers, and the contrast of the plan for each.

    Persons whose municipality delivers no Wmo data have no part in what that payer pays: missing is not zero.

    Parameters
    ----------
    data : StudyData
        The raw tables.
    arms : Arms
        The units, with weights.
    study : Study
        The plan.
    outcome : str
        A cost outcome; its price year, and for costs of contacts its prices, are used.

    Returns
    -------
    dict of str to DataFrame
        ``cost_parts``: ``outcome, payer, category, arm, age_band, window, n_persons, n_users, mean, largest_share``;
        category ``all`` is the payer as a whole, ``n_users`` had any such cost. ``cost_part_effects``: ``outcome,
        contrast, payer, category, age_band, estimate, std_error, conf_low, conf_high, n_referred, n_comparison,
        n_users, largest_share``: difference in EUR per person-year with the bootstrap-t interval.
    """
    import pandas as pd

    rows, effects = [], []
    contrast = contrast_of(study, outcome)
    persons = arms.persons.assign(unit=np.arange(len(arms)))
    for payer, category, variant in _variants(data, study.outcome(outcome)):
        try:
            frame = measure_outcomes(data, persons, _only(study, variant, contrast), arms.cohort.observed)
        except DesignError:  # no such cost in any window of these persons
            continue
        here = replace(
            arms, unit=np.arange(len(arms)), cohort=replace(arms.cohort, persons=persons, outcomes=frame)
        )
        named = {"outcome": outcome, "payer": payer, "category": category}
        rows += [{**named, **row} for row in _means(here, study, outcome)]
        effects += [{**named, "contrast": contrast, **row} for row in _effects(here, study, outcome)]
    columns = ["outcome", "payer", "category", "arm", "age_band", "window", "n_persons", "n_users", "mean"]
    of_effects = ["outcome", "contrast", "payer", "category", "age_band", "estimate", "std_error", "conf_low"]
    of_effects += ["conf_high", "n_referred", "n_comparison", "n_users", "largest_share"]
    return {
        "cost_parts": pd.DataFrame(rows, columns=[*columns, "largest_share"]),
        "cost_part_effects": pd.DataFrame(effects, columns=of_effects),
    }


def _effects(arms: Arms, study: Study, outcome: str) -> list[dict[str, Any]]:
    """Estimate the contrast of the plan by band, among those whose costs are known."""
    rows = []
    for band, part in arms.bands(study):
        cells = contrast_cells(part, outcome, contrast_of(study, outcome))
        seen = np.asarray((cells.years > 0).any(axis=1))
        try:
            found = cost_contrast(
                cells.value[seen],
                cells.years[seen],
                part.cluster[seen],
                signs=cells.signs,
                weights=part.weight[seen],
                replicates=study.replicates,
                seed=study.seed,
            )
        except EstimationError:  # an arm without such costs or without observation
            continue
        interval = found.bootstrap_t
        rows.append(
            {
                "age_band": band,
                "estimate": float(interval.estimate),
                "std_error": found.linear.std_error,
                "conf_low": float(interval.conf_low),
                "conf_high": float(interval.conf_high),
                **part.where(seen).sizes,
                "n_users": int((cells.value[seen] > 0).any(axis=1).sum()),
                "largest_share": _largest_share(part.weight[seen, None] * cells.value[seen]),
            }
        )
    return rows


def _largest_share(amounts: Floats) -> float:
    """Give the largest share that one unit has in the total of a cell, of amounts (n, cells)."""
    total = amounts.sum(axis=0)
    share = np.divide(amounts.max(axis=0), total, out=np.zeros_like(total), where=total > 0)
    return float(share.max())


def _variants(data: StudyData, outcome: Outcome) -> list[tuple[str, str, Outcome]]:
    """Give an outcome for each payer as a whole, and for its categories where it pays for more than one."""
    if outcome.prices:
        found = used_prices(outcome)
        found = found[found["item"].isin(_kinds(data))]
    else:
        found = data.tables["costs"].select("payer", "category").distinct().to_pandas()
    variants = []
    for payer, lines in found.groupby("payer", sort=True):
        variants.append((str(payer), ALL, _part(outcome, lines, payer=str(payer))))
        names = sorted(set(lines["category"])) if lines["category"].nunique() > 1 else []
        for name in names:
            part = _part(outcome, lines[lines["category"] == name], payer=str(payer), category=name)
            variants.append((str(payer), name, part))
    return variants


def _kinds(data: StudyData) -> list[str]:
    return list(data.tables["contacts"].select("kind").distinct().to_pandas()["kind"].dropna())


def _part(outcome: Outcome, lines: pd.DataFrame, *, payer: str, category: str | None = None) -> Outcome:
    """Narrow an outcome to a payer and a category: kinds of contact that it pays for, or lines that say so."""
    if outcome.prices:
        return outcome.model_copy(update={"kinds": tuple(lines["item"])})
    return outcome.model_copy(update={"payers": (payer,), "categories": (category,) if category else ()})


def _only(study: Study, outcome: Outcome, contrast: str) -> Study:
    """Keep one outcome and the windows that its contrast looks at."""
    change: dict[str, Any] = {"months": None, "quarters": 0, "years": 1}
    if all(window != "placebo" for _, window in signs_of(contrast)):
        change["placebo"] = None
    windows = study.windows.model_copy(update=change)
    return study.model_copy(update={"outcomes": (outcome,), "windows": windows})


def _means(arms: Arms, study: Study, outcome: str) -> list[dict[str, Any]]:
    """Give the means in the windows that the contrast compares; beside after alone, before."""
    looked_at = {window for _, window in signs_of(contrast_of(study, outcome))}
    windows = ("placebo" if "placebo" in looked_at else "before", "after")
    rows = []
    for band, part in arms.bands(study):
        for arm, side in part.sides():
            wide = wide_outcome(side.cohort, outcome, windows)
            for column, window in enumerate(wide.windows):
                value, years = wide.value[side.unit, column], wide.years[side.unit, column]
                total, seen = float(side.weight @ value), int((years > 0).sum())
                if not seen:
                    continue
                rows.append(
                    {
                        "arm": arm,
                        "age_band": band,
                        "window": window,
                        "n_persons": seen,
                        "n_users": int((value > 0).sum()),
                        "mean": total / float(side.weight @ years),
                        "largest_share": float((side.weight * value).max()) / total if total else 0.0,
                    }
                )
    return rows
