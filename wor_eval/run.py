"""The whole flow of one study: the place to start reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from wor_eval.errors import StudyError
from wor_eval.kept import kept_cohort
from wor_eval.published_plan import PublishedStudy
from wor_eval.run_effects import before_after_tables, economic_tables, matched_tables
from wor_eval.stages import Steps, Store
from wor_eval.study import PowerStudy, Study, StudyPlan

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.attenders_plan import FrequentAttenders
    from wor_eval.data.read import StudyData
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
    if study.design is not None and study.headline.contrast == "before_after":
        raise StudyError(
            "the headline contrast before_after has no comparison persons, and the plan has a [design]: take another "
            "contrast, or leave [design] out (a matched study shows before and after beside its designs)"
        )
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
