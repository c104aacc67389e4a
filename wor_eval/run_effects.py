"""The tables of a study of effects, by its design: before and after, matched, economic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from wor_eval.kept import counted_parts, kept_course, kept_tables
from wor_eval.stages import ALONE, Steps
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.cohort.build import Cohort
    from wor_eval.data.read import StudyData
    from wor_eval.design.matched import MatchedCohort


def before_after_tables(
    data: StudyData, cohort: Cohort, study: Study, *, progress: Steps = ALONE
) -> dict[str, pd.DataFrame]:
    """Make the tables of a before-and-after study, with the change expected with no effect beside each.

    Parameters
    ----------
    data : StudyData
        The raw tables, for costs by payer, every questionnaire and the times to an event.
    cohort : Cohort
        Persons and outcomes.
    study : Study
        The plan.
    progress : Steps
        Told the name of each step as it starts; keeps finished stages.

    Returns
    -------
    dict of str to DataFrame
        ``effects, interaction, change, concentration, composition, interrupted`` for contacts and, where the plan has a
        placebo window and comparison persons, ``regression_to_mean``; for costs, scores and times to an event
        those of :func:`wor_eval.effects.outcome_tables.outcome_tables`.
    """
    from wor_eval.effects.before_after import band_interaction, before_after_effects
    from wor_eval.effects.change import change_table, composition_table, concentration_table
    from wor_eval.effects.describe import describe_cohort, monthly
    from wor_eval.effects.gates import before_after_gates
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
    contacts = _together(makers, study, progress=progress, measures=("rate_per_year",))
    described = describe_cohort(cohort, study)
    judged = {"gates": before_after_gates(cohort, study)} if study.gates.declared else {}
    course = described["monthly"] if study.windows.months else monthly(cohort, study)
    others = _other_tables(data, cohort, study, course, progress=progress)
    return {**described, **judged, **contacts, **others}


def matched_tables(
    data: StudyData,
    cohort: Cohort,
    study: Study,
    *,
    progress: Steps = ALONE,
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
    progress : Steps
        Told the name of each step as it starts; keeps finished stages.

    Returns
    -------
    dict of str to DataFrame
        ``attrition, characteristics, rates, monthly, interrupted`` and, for all outcomes on the one matched cohort,
        ``effects``; for the headline outcome ``design, balance, overlap, event_study, subgroups, robustness,
        triangulation, specification``; for costs, scores and times to an event those of
        :func:`wor_eval.effects.outcome_tables.outcome_tables`.
    """
    from wor_eval.design import diagnostics
    from wor_eval.design.matching import match_cohort
    from wor_eval.effects import checks
    from wor_eval.effects.describe import characteristics, monthly, rates
    from wor_eval.effects.event_study import event_study
    from wor_eval.effects.subgroups import subgroup_effects
    from wor_eval.effects.triangulation import triangulate

    headline = study.headline.outcomes[0]
    progress("matching")
    matched = match_cohort(cohort, study, outcome=headline)
    matched = replace(matched, cohort=kept_course(data, matched, study, progress))
    for_headline: dict[str, Callable[[], pd.DataFrame]] = {
        "design": lambda: diagnostics.design_numbers(matched, study, outcome=headline),
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
    described = {"attrition": cohort.attrition, "characteristics": characteristics(cohort, study)}
    described["rates"] = rates(matched.cohort, study, weight=matched.weight)
    described["monthly"] = monthly(matched.cohort, study, weight=matched.weight)
    progress("designs side by side and checks")
    checked = kept_tables(for_headline, study, progress)
    judged = _judged(matched, study, history=headline, tables=checked)
    others = _other_tables(data, matched, study, described["monthly"], progress=progress)
    effects = _effects_on_all(matched, study, progress)
    return {**described, **judged, **effects, **checked, **others}


def economic_tables(
    data: StudyData,
    cohort: Cohort,
    study: Study,
    *,
    progress: Steps = ALONE,
) -> dict[str, pd.DataFrame]:
    """Make the tables of an economic evaluation: design, balance, effects on scores, costs beside effects.

    Parameters
    ----------
    data, cohort, study, progress
        As for :func:`matched_tables`; the plan has an economic part.

    Returns
    -------
    dict of str to DataFrame
        ``attrition, characteristics, design, balance, gates, effects`` and those of
        :func:`wor_eval.economics.study.economic_tables`.
    """
    from wor_eval.design import diagnostics
    from wor_eval.design.matching import match_cohort
    from wor_eval.economics.study import economic_tables as evaluate
    from wor_eval.effects.describe import characteristics

    history = study.economics.matched_on if study.economics is not None else study.headline.outcomes[0]
    progress("matching")
    matched = match_cohort(cohort, study, outcome=history)
    balance = diagnostics.balance(matched, study, outcome=history)
    progress("costs and effects")
    return {
        "attrition": cohort.attrition,
        "characteristics": characteristics(cohort, study),
        "design": diagnostics.design_numbers(matched, study, outcome=history),
        "balance": balance,
        **_judged(matched, study, history=history, tables={"balance": balance}),
        **_effects_on_all(matched, study, progress),
        **evaluate(data, matched, study),
    }


def _together(
    makers: Mapping[str, Callable[[str], pd.DataFrame]],
    study: Study,
    *,
    progress: Steps = ALONE,
    measures: tuple[str, ...] = ("rate_per_year", "cost_per_year", "mean_score"),
) -> dict[str, pd.DataFrame]:
    """Make each table for each outcome of the plan's effects, and put the outcomes below each other."""
    import pandas as pd

    def below_each_other(make: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
        return pd.concat([make(name) for name in names], ignore_index=True)

    names = list(dict.fromkeys(name for effect in study.effects for name in effect.outcomes))
    names = [name for name in names if study.outcome(name).measure in measures]
    tables = {table: partial(below_each_other, make) for table, make in makers.items() if names}
    return kept_tables(tables, study, progress)


def _effects_on_all(matched: MatchedCohort, study: Study, progress: Steps) -> dict[str, pd.DataFrame]:
    """Make the table of effects: all outcomes on the one matched cohort."""
    from wor_eval.effects.contrasts import matched_effects

    makers: dict[str, Callable[[str], pd.DataFrame]] = {
        "effects": lambda name: matched_effects(matched, study, outcome=name).to_frame(),
    }
    return _together(makers, study, progress=progress)


def _judged(
    matched: MatchedCohort, study: Study, *, history: str, tables: Mapping[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """Judge the gates that the plan declares, if any."""
    from wor_eval.effects.gates import matched_gates

    if not study.gates.declared:
        return {}
    balance, robustness = tables["balance"], tables.get("robustness")
    return {"gates": matched_gates(matched, study, history=history, balance=balance, robustness=robustness)}


def _other_tables(
    data: StudyData, who: Cohort | MatchedCohort, study: Study, monthly: pd.DataFrame, *, progress: Steps
) -> dict[str, pd.DataFrame]:
    """Make the tables of costs, scores and times to an event of either design, and the interrupted time series."""
    from wor_eval.cohort.build import Cohort
    from wor_eval.effects.arms import matched_arms, referred_alone
    from wor_eval.effects.interrupted_tables import interrupted_tables
    from wor_eval.effects.outcome_tables import outcome_tables

    progress("costs, scores and times to an event")
    arms = referred_alone(who) if isinstance(who, Cohort) else matched_arms(who)
    others = progress.keep("other outcomes", counted_parts(study), lambda: outcome_tables(data, arms, study))
    return {**interrupted_tables(monthly, study), **others}


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
