"""Which report shows a study, and its answer in a few sentences: by the kind of its plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from wor_eval.report import brief_words, matched_words, words
from wor_eval.report.results import Results
from wor_eval.study import Study, StudyPlan


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """How a kind of study is shown.

    Attributes
    ----------
    report : str
        Stem of the report, ``reports/<report>.<lang>.qmd``, also of studies of that kind with another name.
    summary : callable
        From results to the answer in a few sentences, for the index.
    """

    report: str
    summary: Callable[[Results], str]


def shown(plan: StudyPlan) -> Shown:
    """Tell how a study is shown."""
    if not isinstance(plan, Study):
        return KINDS[plan.kind]
    if plan.economics is not None:
        return _ECONOMIC
    return _BEFORE_AFTER if plan.design is None else _MATCHED


def _before_after_answer(found: Results) -> str:
    """Give the change with its verdict: the one never stands without the other."""
    verdict = words.regression_to_mean(found).text.split("**")
    return f"{words.headline(found)} {verdict[1] if len(verdict) > 1 else verdict[0]}"


_BEFORE_AFTER: Final = Shown(report="before_after", summary=_before_after_answer)
_MATCHED: Final = Shown(report="matched_cohort", summary=lambda found: matched_words.headline(found).text)
_ECONOMIC: Final = Shown(
    report="cost_effectiveness", summary=lambda found: brief_words.answer(found).text.replace("**", "")
)
KINDS: Final[Mapping[str, Shown]] = {}
"""How each kind of study of :data:`wor_eval.study.PLANS` other than ``effects`` is shown."""
