"""What a report shows where the data did not hold an outcome: a sentence, not a hole."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar, cast

from wor_eval.report.columns import ReportTable
from wor_eval.report.picture import Picture, sentence
from wor_eval.report.results import AbsentTableError, Results
from wor_eval.report.words import Prose

P = ParamSpec("P")
T = TypeVar("T")
Maker = Callable[Concatenate[Results, P], T]

_SAYS = {
    "nl": "Deze uitkomst staat niet in de gegevens van dit onderzoek.",
    "en": "This outcome is not in the data of this study.",
}


def _or_else(make: Maker[P, T], instead: Callable[[Results], T]) -> Maker[P, T]:
    @wraps(make)
    def shown(results: Results, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return make(results, *args, **kwargs)
        except AbsentTableError:
            return instead(results)

    return cast(Maker[P, T], shown)


def table_or_sentence(make: Maker[P, ReportTable]) -> Maker[P, ReportTable]:
    """Give a table of one sentence where the results do not hold what it shows."""

    def instead(results: Results) -> ReportTable:
        header = "Uitkomst" if results.lang == "nl" else "Outcome"
        return ReportTable(headers=(header,), rows=((_SAYS[results.lang],),), align=("left",))

    return _or_else(make, instead)


def figure_or_sentence(make: Maker[P, Picture]) -> Maker[P, Picture]:
    """Give a figure of one sentence where the results do not hold what it shows."""
    return _or_else(make, lambda results: sentence(_SAYS[results.lang]))


def words_or_sentence(make: Maker[P, Prose]) -> Maker[P, Prose]:
    """Give one sentence where the results do not hold what the words are about."""
    return _or_else(make, lambda results: Prose(_SAYS[results.lang]))
