"""A piece of running text of a report, and what many sentences say in the same words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wor_eval.language import INTERVAL, interval
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd

TOO_FEW: Final = {
    "nl": "Dit is niet te publiceren: er staan te weinig personen achter.",
    "en": "This cannot be published: too few persons stand behind it.",
}
HIDDEN_RESULT: Final = {
    "nl": "De uitkomst is niet te publiceren: er staan te weinig personen achter.",
    "en": "The result cannot be published: too few persons stand behind it.",
}


@dataclass(frozen=True, slots=True)
class Prose:
    """A piece of running text that shows itself as Markdown."""

    text: str

    def _repr_markdown_(self) -> str:
        return self.text.replace("€ ", "€\u00a0")

    def __str__(self) -> str:
        return self.text


def named_interval(row: pd.Series[Any], digits: int, lang: Lang, *, of: str = "conf", times: int = 1) -> str:
    """Write the interval of a row with its name: ``95% CI 1.2 to 3.4``."""
    low, high = (times * float(row[f"{of}_{end}"]) for end in ("low", "high"))
    return f"{INTERVAL[lang]} {interval(low, high, digits, lang=lang)}"
