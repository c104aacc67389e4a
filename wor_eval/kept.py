"""The stages of a study: made, or taken over from a run that was interrupted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from wor_eval.stages import Steps

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.cohort.build import Cohort
    from wor_eval.data.read import StudyData
    from wor_eval.design.matched import MatchedCohort
    from wor_eval.study import Study

_SAID_ONLY = {"name", "title", "question", "assumptions", "disclosure", "engine"}


def counted_parts(study: Study) -> dict[str, Any]:
    """Give the parts of a plan on which a number can depend: not its texts, not what is hidden on saving."""
    return study.model_dump(mode="json", exclude=_SAID_ONLY)


def kept_cohort(data: StudyData, study: Study, steps: Steps) -> Cohort:
    """Build the cohort, or take it over. It depends on who is in, when, and what is counted."""
    import pandas as pd

    from wor_eval.cohort.build import Cohort, build_cohort

    def make() -> dict[str, pd.DataFrame]:
        cohort = build_cohort(data, study)
        return {
            "persons": cohort.persons,
            "outcomes": cohort.outcomes,
            "attrition": cohort.attrition,
            "observed": pd.DataFrame({"day": pd.to_datetime(list(cohort.observed))}),
        }

    parts = study.model_dump(mode="json", include={"cohort", "windows", "outcomes", "seed"})
    frames = dict(steps.keep("cohort", parts, make))
    first, last = frames.pop("observed")["day"].dt.date
    return Cohort(
        persons=frames["persons"],
        outcomes=frames["outcomes"],
        attrition=frames["attrition"],
        observed=(first, last),
    )


def kept_course(data: StudyData, matched: MatchedCohort, study: Study, steps: Steps) -> Cohort:
    """Add the monthly course of the matched comparison persons to the cohort, or take it over."""
    import numpy as np

    from wor_eval.cohort.outcomes import add_course

    cohort, used = matched.cohort, np.flatnonzero(matched.weight > 0)

    def make() -> dict[str, pd.DataFrame]:
        return {"outcomes": add_course(data, cohort, study, units=used).outcomes}

    made = steps.keep("course of the matched", counted_parts(study), make)
    return replace(cohort, outcomes=made["outcomes"])


def kept_tables(
    makers: Mapping[str, Callable[[], pd.DataFrame]], study: Study, steps: Steps
) -> dict[str, pd.DataFrame]:
    """Make tables one by one, telling which; those that an earlier run made are taken over."""
    tables: dict[str, pd.DataFrame] = {}
    for place, (name, make) in enumerate(makers.items(), start=1):
        steps(f"table {place} of {len(makers)}: {name}")
        tables |= steps.keep(f"table {name}", counted_parts(study), partial(_named, name, make))
    return tables


def _named(name: str, make: Callable[[], pd.DataFrame]) -> dict[str, pd.DataFrame]:
    return {name: make()}
