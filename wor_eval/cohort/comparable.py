"""Refuses a study that asks of its data what they cannot tell apart."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from wor_eval.errors import DesignError
from wor_eval.study import Study

if TYPE_CHECKING:
    from wor_eval.data.read import StudyData


def refuse_what_cannot_be_told_apart(data: StudyData, study: Study, observed: tuple[date, date]) -> None:
    """Refuse age limits within the classes of the data, and kinds of contact that changed within the study period.

    Parameters
    ----------
    data : StudyData
        The checked raw tables.
    study : Study
        The plan.
    observed : tuple of date
        First and last day of observation.

    Raises
    ------
    DesignError
        Everything that the data cannot answer.
    """
    problems = [*_ages(data, study), *_kinds(data, study, observed)]
    if problems:
        raise DesignError("the data cannot tell apart what the plan asks for", problems=problems)


def _ages(data: StudyData, study: Study) -> Iterator[str]:
    """Yield the limits of age that fall within a class of the data."""
    if data.age_cuts is None:
        return
    cuts = ", ".join(map(str, data.age_cuts))
    for limit in study.cohort.bands:
        if limit not in data.age_cuts:
            yield (
                f"cohort.bands: the ages in the data are classes that cannot be split at {limit}; "
                f"they can at {cuts}: deliver the year of birth, or take limits from these"
            )
    for rule in study.cohort.include:
        limits = [
            x for x in (rule.at_least, None if rule.at_most is None else rule.at_most + 1) if x is not None
        ]
        if rule.column == "age" and any(limit not in data.age_cuts for limit in limits):
            yield f"cohort.include: the ages in the data are classes that can only be split at {cuts}"


def _kinds(data: StudyData, study: Study, observed: tuple[date, date]) -> Iterator[str]:
    """Yield the outcomes that count some of the kinds that can only be compared together."""
    at = data.kind_break
    if at is None or not observed[0] < at.on <= observed[1]:
        return
    for outcome in study.outcomes:
        counted = set(outcome.kinds)
        if counted & at.together and not at.together <= counted:
            yield (
                f"outcome {outcome.name}: the codes behind {', '.join(sorted(counted & at.together))} changed on "
                f"{at.on}: over that day only {', '.join(sorted(at.together))} together can be compared; count them "
                "together, or state observed_from or observed_until on one side of it"
            )
