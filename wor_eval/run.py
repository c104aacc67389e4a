"""The whole flow of one study: the place to start reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from wor_eval.kept import counted_parts, kept_cohort, kept_course, kept_tables
from wor_eval.published_plan import PublishedStudy
from wor_eval.stages import ALONE, Steps, Store
from wor_eval.study import PowerStudy, Study, StudyPlan

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.attenders_plan import FrequentAttenders
    from wor_eval.cohort.build import Cohort
    from wor_eval.data.read import StudyData
    from wor_eval.design.matched import MatchedCohort
    from wor_eval.reach_plan import Reach
    from wor_eval.report.results import Results


def run_study(
    data: StudyData | None,
    plan: StudyPlan,
    *,
    progress: Callable[[str], None] = lambda step: None,
    stages: Store | None = None,
) -> Results:
    """Carry out a study of any kind.

    Parameters
    ----------
    data : StudyData or None
        The checked raw tables; None for a kind of study that reads none.
    plan : StudyPlan
        The plan, as :func:`wor_eval.read_study` gives it.
    progress : callable
        Told the name of each step as it starts.
    stages : Store, optional
        Where finished stages are kept, so that an interrupted run goes on where it was; see
        :mod:`wor_eval.stages`. Without it nothing of a person is written.

    Returns
    -------
    Results
        Every table of the study; nothing is hidden yet, that happens on save.

    Raises
    ------
    WorEvalError
        The plan does not fit the data; the message says what and where.
    """
    from wor_eval.data.engine import on_engine
    from wor_eval.errors import StudyError
    from wor_eval.report.results import Results

    if data is None and plan.needs_data:
        raise StudyError(f"study {plan.name} is carried out on raw tables: say with --data where they are")
    if data is None:
        made = KINDS[plan.kind](data, plan, Steps(say=progress))
    else:
        steps = Steps(say=progress, store=stages, inputs=data.digest)
        assumed = plan.model_copy(update={"assumptions": (*plan.assumptions, *data.assumptions)})
        with on_engine(data, plan.engine) as tables:
            made = KINDS[plan.kind](tables, assumed, steps)
    manifest = {
        "study": plan.name,
        "data_digest": data.digest if data is not None and plan.needs_data else made.digest,
        "plan_as_given": plan.digest,
        "observed": [day.isoformat() for day in made.observed],
        "notes": [*(data.notes if data is not None and plan.needs_data else ()), *made.notes],
    }
    return Results(plan=made.plan, tables=made.tables, manifest=manifest)


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What carrying out a study gives.

    Attributes
    ----------
    plan : StudyPlan
        The plan as it was carried out; outcomes that the data do not hold are left out.
    tables : mapping of str to DataFrame
        The results tables.
    observed : tuple of date
        First and last day of observation; empty where the study reads no data.
    notes : sequence of str
        What the reader of the results must know.
    digest : str or None
        Digest of what the study read in place of raw tables.
    """

    plan: StudyPlan
    tables: Mapping[str, pd.DataFrame]
    observed: tuple[date, ...] = ()
    notes: Sequence[str] = ()
    digest: str | None = None


def _effects(data: StudyData, study: Study, progress: Steps) -> Made:
    """Carry out a study of effects: cohort, design, effects, economics."""
    study, left_out = _with_data(study, data)
    progress("cohort")
    cohort = kept_cohort(data, study, progress)
    arms = cohort.persons["arm"].value_counts()
    progress(
        f"effects, on {arms.get('referred', 0):,} referred and {arms.get('comparison', 0):,} comparison units"
    )
    if study.design is None:
        tables = before_after_tables(data, cohort, study, progress=progress)
    elif study.economics is not None:
        tables = economic_tables(data, cohort, study, progress=progress)
    else:
        tables = matched_tables(data, cohort, study, progress=progress)
    return Made(plan=study, tables=tables, observed=cohort.observed, notes=left_out)


def _published(data: None, study: PublishedStudy, progress: Steps) -> Made:
    """Carry out a study of published evidence: entries, recomputed and pooled."""
    from wor_eval.data.published import entries_digest, read_entries
    from wor_eval.economics.published import published_tables

    progress("published entries")
    entries = read_entries(study.folders)
    progress("recomputing and pooling")
    return Made(plan=study, tables=published_tables(entries, study), digest=entries_digest(entries))


def _power(data: None, planned: PowerStudy, progress: Steps) -> Made:
    """Simulate a study that has not been carried out yet."""
    from wor_eval.effects.power import power_tables

    return Made(plan=planned, tables=power_tables(planned.study, progress=progress))


def _reach(data: StudyData, plan: Reach, progress: Steps) -> Made:
    """Carry out a study of reach: who is referred, against who is registered."""
    from wor_eval.effects.reach_study import reach_tables

    tables, observed = reach_tables(data, plan, progress=progress)
    return Made(plan=plan, tables=tables, observed=observed)


def _attenders(data: StudyData, plan: FrequentAttenders, progress: Steps) -> Made:
    """Carry out a study of frequent attenders: who stays, what they carry, how far they fall."""
    from wor_eval.effects.attenders import attender_tables

    tables, years, notes = attender_tables(data, plan, progress=progress)
    observed = (date(years[0], 1, 1), date(years[-1], 12, 31))
    return Made(plan=plan, tables=tables, observed=observed, notes=notes)


KINDS: Final[Mapping[str, Callable[[Any, Any, Steps], Made]]] = {
    "effects": _effects,
    "published_evidence": _published,
    "power": _power,
    "reach": _reach,
    "frequent_attenders": _attenders,
}
"""How each kind of study of :data:`wor_eval.study.PLANS` is carried out."""


def _with_data(study: Study, data: StudyData) -> tuple[Study, list[str]]:
    """Leave out the outcomes whose table is not among the data; the headline outcome may not be one of them."""
    absent = [
        o.name for o in study.outcomes if o.table not in data.tables and o.name not in study.headline.outcomes
    ]
    if not absent or study.economics is not None:
        return study, []
    outcomes = tuple(o for o in study.outcomes if o.name not in absent)
    kept = [(e, tuple(n for n in e.outcomes if n not in absent)) for e in study.effects]
    effects = tuple(e.model_copy(update={"outcomes": names}) for e, names in kept if names)
    notes = [f"outcome {name} is left out: its table is not among the data" for name in absent]
    return study.model_copy(update={"outcomes": outcomes, "effects": effects}), notes


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
    from wor_eval.effects.contrasts import matched_effects
    from wor_eval.effects.describe import characteristics, monthly, rates
    from wor_eval.effects.event_study import event_study
    from wor_eval.effects.subgroups import subgroup_effects
    from wor_eval.effects.triangulation import triangulate

    headline = study.headline.outcomes[0]
    progress("matching")
    matched = match_cohort(cohort, study, outcome=headline)
    matched = replace(matched, cohort=kept_course(data, matched, study, progress))
    makers: dict[str, Callable[[str], pd.DataFrame]] = {
        "effects": lambda name: matched_effects(matched, study, outcome=name).to_frame(),
    }
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
    return {**described, **judged, **_together(makers, study, progress=progress), **checked, **others}


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
    from wor_eval.effects.contrasts import matched_effects
    from wor_eval.effects.describe import characteristics

    history = study.economics.matched_on if study.economics is not None else study.headline.outcomes[0]
    progress("matching")
    matched = match_cohort(cohort, study, outcome=history)
    makers: dict[str, Callable[[str], pd.DataFrame]] = {
        "effects": lambda name: matched_effects(matched, study, outcome=name).to_frame(),
    }
    balance = diagnostics.balance(matched, study, outcome=history)
    progress("costs and effects")
    return {
        "attrition": cohort.attrition,
        "characteristics": characteristics(cohort, study),
        "design": diagnostics.design_numbers(matched, study, outcome=history),
        "balance": balance,
        **_judged(matched, study, history=history, tables={"balance": balance}),
        **_together(makers, study, progress=progress),
        **evaluate(data, matched, study),
    }


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
