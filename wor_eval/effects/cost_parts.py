"""Costs by payer and by category: the mean per person-year in each window, arm and age band."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from wor_eval.cohort.outcomes import measure_outcomes
from wor_eval.cohort.wide import wide_outcome
from wor_eval.effects.arms import Arms
from wor_eval.errors import DesignError
from wor_eval.study import Outcome, Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.data.read import StudyData

ALL = "all"


def cost_parts(data: StudyData, arms: Arms, study: Study, *, outcome: str) -> pd.DataFrame:
    """Give mean costs per person-year by payer and by category, of all payers, at the prices of an outcome.

    Persons whose municipality delivers no Wmo data have no row for that payer: missing is not zero.

    Parameters
    ----------
    data : StudyData
        The raw tables.
    arms : Arms
        The units, with weights.
    study : Study
        The plan.
    outcome : str
        A cost outcome; its price year is used.

    Returns
    -------
    DataFrame
        ``outcome, payer, category, arm, age_band, window, n_persons, n_users, mean, largest_share``; category ``all``
        is the payer as a whole, ``n_users`` had any such cost.
    """
    import pandas as pd

    rows = []
    persons = arms.persons.assign(unit=np.arange(len(arms)))
    for payer, category, variant in _variants(data, study.outcome(outcome)):
        try:
            frame = measure_outcomes(data, persons, _only(study, variant), arms.cohort.observed)
        except DesignError:  # no such cost in any window of these persons
            continue
        here = replace(
            arms, unit=np.arange(len(arms)), cohort=replace(arms.cohort, persons=persons, outcomes=frame)
        )
        named = {"outcome": outcome, "payer": payer, "category": category}
        rows += [{**named, **row} for row in _means(here, study, outcome)]
    columns = ["outcome", "payer", "category", "arm", "age_band", "window", "n_persons", "n_users", "mean"]
    return pd.DataFrame(rows, columns=[*columns, "largest_share"])


def _variants(data: StudyData, outcome: Outcome) -> list[tuple[str, str, Outcome]]:
    """Give an outcome for each payer as a whole, and for its categories where it pays for more than one."""
    costs = data.tables["costs"]
    found = costs.select("payer", "category").distinct().to_pandas()
    variants = []
    for payer, lines in found.groupby("payer", sort=True):
        whole = outcome.model_copy(update={"payers": (payer,), "categories": ()})
        variants.append((str(payer), ALL, whole))
        names = sorted(lines["category"]) if len(lines) > 1 else []
        variants += [(str(payer), name, whole.model_copy(update={"categories": (name,)})) for name in names]
    return variants


def _only(study: Study, outcome: Outcome) -> Study:
    windows = study.windows.model_copy(update={"months": None, "quarters": 0, "years": 1, "placebo": None})
    return study.model_copy(update={"outcomes": (outcome,), "windows": windows})


def _means(arms: Arms, study: Study, outcome: str) -> list[dict[str, Any]]:
    rows = []
    for band, part in arms.bands(study):
        for arm, side in part.sides():
            wide = wide_outcome(side.cohort, outcome, ("before", "after"))
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
