"""Which report shows a study, and what the index says of it in a few sentences: by the kind of its plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from wor_eval.report import (
    attender_words,
    brief_words,
    matched_words,
    power_words,
    published_words,
    reach_words,
    words,
)
from wor_eval.report.results import Results
from wor_eval.study import Lang, Study, StudyPlan


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """How a kind of study is shown.

    Attributes
    ----------
    report : str
        Stem of the report, ``reports/<report>.<lang>.qmd``, also of studies of that kind with another name.
    summary : callable
        From results to a few sentences of Markdown, in their language, for the index; the effects on outcomes, by
        age band, follow by themselves where a study has them.
    order : int
        Where it stands on the index: first what is best to be believed.
    question : mapping, optional
        What the index asks instead of the question of the plan.
    """

    report: str
    summary: Callable[[Results], str]
    order: int = 3
    question: Mapping[Lang, str] | None = None


def shown(plan: StudyPlan) -> Shown:
    """Tell how a study is shown."""
    if not isinstance(plan, Study):
        return KINDS[plan.kind]
    if plan.economics is not None:
        return _ECONOMIC
    return _BEFORE_AFTER if plan.design is None else _MATCHED


def _before_after(found: Results) -> str:
    """Give the verdict: a change never stands without what regression to the mean makes of it."""
    said = (words.regression_to_mean(found).text, words.other_methods(found).text, _NOT_AN_EFFECT[found.lang])
    return " ".join(part for part in said if part)


_NOT_AN_EFFECT: Final = {
    "nl": "Wat hieronder staat is verandering, nog geen effect: ook kosten en welbevinden worden na een verwijzing "
    "zonder hulp gemiddeld beter.",
    "en": "What stands below is change, not yet an effect: costs and well-being, too, get better on average after a "
    "referral without help.",
}
_BEFORE_AFTER: Final = Shown(report="before_after", summary=_before_after, order=2)
_MATCHED: Final = Shown(
    report="matched_cohort", summary=lambda found: matched_words.in_brief(found).text, order=0
)
_ECONOMIC: Final = Shown(
    report="cost_effectiveness",
    summary=lambda found: f"{brief_words.answer(found)} {brief_words.ages(found)}",
    order=1,
)
KINDS: Final[Mapping[str, Shown]] = {
    "frequent_attenders": Shown(
        report="frequent_attenders", summary=lambda found: attender_words.headline(found).text
    ),
    "reach": Shown(report="reach", summary=lambda found: reach_words.headline(found).text),
    "published_evidence": Shown(
        report="published_evidence",
        summary=lambda found: published_words.answer(found).text,
    ),
    "power": Shown(
        report="power",
        summary=lambda found: power_words.answer(found).text,
        question={
            "nl": "Hoe groot moet een effect zijn om met dit onderzoek te worden gevonden?",
            "en": "How large must an effect be for this study to find it?",
        },
    ),
}
"""How each kind of study of :data:`wor_eval.study.PLANS` other than ``effects`` is shown."""
