"""The whole flow of one study: the place to start reading."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.cohort.build import Cohort
    from wor_eval.data.read import StudyData
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
    from wor_eval.effects.describe import describe_cohort
    from wor_eval.report.results import Results

    progress("cohort")
    cohort = build_cohort(data, study)
    progress("description")
    described = describe_cohort(cohort, study)
    progress("effects")
    effects = before_after_tables(cohort, study)
    manifest = {
        "study": study.name,
        "data_digest": data.digest,
        "observed": [day.isoformat() for day in cohort.observed],
        "notes": list(data.notes),
    }
    return Results(study=study, tables={**described, **effects}, manifest=manifest)


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
    import pandas as pd

    from wor_eval.effects.before_after import band_interaction, before_after_effects
    from wor_eval.effects.change import change_table, composition_table, concentration_table
    from wor_eval.effects.no_effect import no_effect_table

    names = list(dict.fromkeys(name for effect in study.effects for name in effect.outcomes))
    makers: dict[str, Callable[[str], pd.DataFrame]] = {
        "effects": lambda name: before_after_effects(cohort, study, outcome=name).to_frame(),
        "interaction": lambda name: band_interaction(cohort, study, outcome=name),
        "change": lambda name: change_table(cohort, study, outcome=name),
        "concentration": lambda name: concentration_table(cohort, study, outcome=name),
        "composition": lambda name: composition_table(cohort, outcome=name),
    }
    if study.windows.placebo and study.cohort.entries:
        makers["regression_to_mean"] = lambda name: no_effect_table(cohort, study, outcome=name)
    return {
        table: pd.concat([make(name) for name in names], ignore_index=True) for table, make in makers.items()
    }
