"""The whole flow of one study: the place to start reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.cohort.build import Cohort
    from wor_eval.data.read import StudyData
    from wor_eval.design.matched import MatchedCohort
    from wor_eval.report.results import Results


def run_study(
    data: StudyData, study: Study, *, progress: Callable[[str], None] = lambda step: None
) -> Results:
    """Carry out a study: cohort, effects, checks, results.

    Parameters
    ----------
    data : StudyData
        The checked raw tables.
    study : Study
        The plan.
    progress : callable
        Told the name of each step as it starts.

    Returns
    -------
    Results
        Every table of the study; nothing is hidden yet, that happens on save.

    Raises
    ------
    WorEvalError
        The plan does not fit the data; the message says what and where.
    """
    from wor_eval.cohort.build import build_cohort
    from wor_eval.report.results import Results

    progress("cohort")
    cohort = build_cohort(data, study)
    progress("effects")
    if study.design is None:
        tables = before_after_tables(cohort, study)
    else:
        tables = matched_tables(data, cohort, study, progress=progress)
    manifest = {
        "study": study.name,
        "data_digest": data.digest,
        "observed": [day.isoformat() for day in cohort.observed],
        "notes": list(data.notes),
    }
    return Results(study=study, tables=tables, manifest=manifest)


def _together(makers: Mapping[str, Callable[[str], pd.DataFrame]], study: Study) -> dict[str, pd.DataFrame]:
    """Make each table for each outcome of the plan's effects, and put the outcomes below each other."""
    import pandas as pd

    names = list(dict.fromkeys(name for effect in study.effects for name in effect.outcomes))
    return {
        table: pd.concat([make(name) for name in names], ignore_index=True) for table, make in makers.items()
    }


def before_after_tables(cohort: Cohort, study: Study) -> dict[str, pd.DataFrame]:
    """Make the tables of a before-and-after study, with the change expected with no effect beside each.

    Parameters
    ----------
    cohort : Cohort
        Persons and outcomes.
    study : Study
        The plan.

    Returns
    -------
    dict of str to DataFrame
        ``effects, interaction, change, concentration, composition`` and, where the plan has a placebo window
        and comparison persons, ``regression_to_mean``.
    """
    from wor_eval.effects.before_after import band_interaction, before_after_effects
    from wor_eval.effects.change import change_table, composition_table, concentration_table
    from wor_eval.effects.describe import describe_cohort
    from wor_eval.effects.no_effect import no_effect_table

    makers: dict[str, Callable[[str], pd.DataFrame]] = {
        "effects": lambda name: before_after_effects(cohort, study, outcome=name).to_frame(),
        "interaction": lambda name: band_interaction(cohort, study, outcome=name),
        "change": lambda name: change_table(cohort, study, outcome=name),
        "concentration": lambda name: concentration_table(cohort, study, outcome=name),
        "composition": lambda name: composition_table(cohort, outcome=name),
    }
    if study.windows.placebo and study.cohort.entries:
        makers["regression_to_mean"] = lambda name: no_effect_table(cohort, study, outcome=name)
    return {**describe_cohort(cohort, study), **_together(makers, study)}


def matched_tables(
    data: StudyData,
    cohort: Cohort,
    study: Study,
    *,
    progress: Callable[[str], None] = lambda step: None,
) -> dict[str, pd.DataFrame]:
    """Make the tables of a matched cohort: design, balance, effects, designs side by side, checks.

    Parameters
    ----------
    data : StudyData
        The raw tables, for the monthly course of the matched comparison persons.
    cohort : Cohort
        Both arms.
    study : Study
        The plan, with a design.
    progress : callable
        Told the name of each step as it starts.

    Returns
    -------
    dict of str to DataFrame
        ``attrition, characteristics, rates, monthly`` and, for all outcomes on the one matched cohort,
        ``effects``; for the headline outcome ``design, balance, overlap, event_study, subgroups, robustness,
        triangulation, specification``.
    """
    from wor_eval.cohort.outcomes import add_course
    from wor_eval.design import diagnostics
    from wor_eval.design.matching import match_cohort
    from wor_eval.effects import checks
    from wor_eval.effects.contrasts import matched_effects
    from wor_eval.effects.describe import characteristics, monthly, rates
    from wor_eval.effects.event_study import event_study
    from wor_eval.effects.subgroups import subgroup_effects
    from wor_eval.effects.triangulation import triangulate

    headline = study.headline.outcomes[0]
    progress("matching")
    matched = match_cohort(cohort, study, outcome=headline)
    used = np.flatnonzero(matched.weight > 0)
    matched = replace(matched, cohort=add_course(data, cohort, study, units=used))
    makers: dict[str, Callable[[str], pd.DataFrame]] = {
        "effects": lambda name: matched_effects(matched, study, outcome=name).to_frame(),
    }
    for_headline: dict[str, Callable[[], pd.DataFrame]] = {
        "design": lambda: diagnostics.design_numbers(matched, outcome=headline),
        "balance": lambda: diagnostics.balance(matched, study, outcome=headline),
        "overlap": lambda: diagnostics.overlap(matched, outcome=headline),
        "event_study": lambda: event_study(matched, study, outcome=headline),
        "subgroups": lambda: subgroup_effects(matched, study, outcome=headline),
        "robustness": lambda: checks.robustness(
            matched, study, outcome=headline, earlier=_earlier_index(data, study, headline)
        ),
        "triangulation": lambda: triangulate(cohort, study, outcome=headline),
        "specification": lambda: checks.specification_curve(cohort, study, outcome=headline),
    }
    described = {
        "attrition": cohort.attrition,
        "characteristics": characteristics(cohort, study),
        "rates": rates(matched.cohort, study, weight=matched.weight),
        "monthly": monthly(matched.cohort, study, weight=matched.weight),
    }
    progress("designs side by side and checks")
    checked = {name: make() for name, make in for_headline.items()}
    return {**described, **_together(makers, study), **checked}


def _earlier_index(data: StudyData, study: Study, outcome: str) -> MatchedCohort | None:
    """Match the same way two years before the index dates; None where the data do not reach back that far."""
    from wor_eval.cohort.build import build_cohort
    from wor_eval.design.matching import match_cohort
    from wor_eval.errors import DesignError, EstimationError

    alone = study.model_copy(update={"outcomes": (study.outcome(outcome),)})
    try:
        cohort = build_cohort(data, alone, shift_days=-730)
        return match_cohort(cohort, alone, outcome=outcome)
    except (DesignError, EstimationError):
        return None
