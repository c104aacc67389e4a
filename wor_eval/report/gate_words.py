"""What the gates of a plan do to its answer: what fails strikes the estimate, with the reason in words."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from wor_eval.effects.estimate import ALL_BANDS
from wor_eval.language import listing, number, percent
from wor_eval.report.prose import Prose
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd

_SHARES: Final = ("overlap", "follow_up")


def failed(results: Results, age_band: str = ALL_BANDS) -> tuple[str, ...]:
    """Name the gates that failed for an age band; none where the plan declares no gates."""
    return tuple(str(row["gate"]) for row in _failing(results, age_band))


def _failing(results: Results, age_band: str) -> list[pd.Series[Any]]:
    if "gates" not in results.tables:
        return []
    frame = results.table("gates")
    rows = frame[(frame["age_band"] == age_band) & (frame["verdict"] == "failed") & ~frame["suppressed"]]
    return [row for _, row in rows.iterrows()]


def struck(results: Results, text: str, age_band: str = ALL_BANDS) -> str:
    """Strike a statement about an age band where a gate failed, and say why in words before it.

    Parameters
    ----------
    results : Results
        With the table ``gates``; without it nothing is struck.
    text : str
        The statement.
    age_band : str
        What it is about.

    Returns
    -------
    str
        The statement as it was, or its reason followed by the statement struck through.
    """
    reason = why(results, age_band)
    return f"**{reason}** ~~{text.replace('**', '').strip()}~~" if reason else text


def why(results: Results, age_band: str = ALL_BANDS) -> str:
    """Say which gates failed for an age band and by how much; nothing where none did."""
    rows, lang = _failing(results, age_band), results.lang
    if not rows:
        return ""
    reasons = listing([_reason(row, lang) for row in rows], lang=lang)
    if lang == "nl":
        return f"Doorgestreept, want een poort van het onderzoeksplan is niet gehaald: {reasons}."
    return f"Struck, because a gate of the study plan failed: {reasons}."


def _reason(row: pd.Series[Any], lang: Lang) -> str:
    value, limit = (amount(str(row["gate"]), float(row[name]), lang) for name in ("value", "limit"))
    most = row["gate"] in ("balance", "placebo")
    if lang == "nl":
        return f"{_name(row, lang)} ({value}; {'hooguit' if most else 'ten minste'} {limit})"
    return f"{_name(row, lang)} ({value}; {'at most' if most else 'at least'} {limit})"


def _name(row: pd.Series[Any], lang: Lang) -> str:
    return term(f"gate_{row['gate']}", lang).lower()


def amount(gate: str, value: float, lang: Lang) -> str:
    """Write the value or the limit of a gate: a share in per cent, sets as a count, else two decimals."""
    if gate in _SHARES:
        return percent(value, lang=lang)
    return number(value, 0 if gate == "sets" else 2, lang=lang)


def verdict(results: Results) -> Prose:
    """Say whether the gates of the plan hold, for the box at the top of a report."""
    lang = results.lang
    if "gates" not in results.tables:
        return Prose(_SAYS["later" if results.plan.kind == "power" else "undeclared", lang])
    frame = results.table("gates")
    rows = frame[~frame["suppressed"]]
    off = rows[rows["verdict"] == "failed"]
    unknown = rows[(rows["verdict"] == "unknown") & (rows["age_band"] == ALL_BANDS)]
    parts = [_SAYS["passed", lang] if off.empty else _off(off, lang)]
    if not unknown.empty:
        named = listing([_name(row, lang) for _, row in unknown.iterrows()], lang=lang)
        parts.append(f"{_SAYS['unknown', lang]} {named}.")
    return Prose(" ".join(parts))


_SAYS: Final = {
    ("undeclared", "nl"): "Het onderzoeksplan stelt geen poorten: of de uitkomst mag staan, is aan de lezer.",
    ("undeclared", "en"): "The study plan declares no gates: whether the answer may stand is up to the reader.",
    ("later", "nl"): "Dit onderzoek is nog niet uitgevoerd: de poorten worden beoordeeld als de gegevens er zijn.",
    ("later", "en"): "This study has not been carried out yet: its gates are judged when the data are there.",
    ("passed", "nl"): "Alle poorten die het onderzoeksplan vooraf stelde en die te beoordelen waren, zijn gehaald.",
    ("passed", "en"): "Every gate that the study plan set beforehand and that could be judged has been passed.",
    ("unknown", "nl"): "Niet te beoordelen met deze gegevens:",
    ("unknown", "en"): "Not to be judged with these data:",
}  # fmt: skip


def _off(off: pd.DataFrame, lang: Lang) -> str:
    bands = [
        f"{term(band, lang)}: {listing([_reason(row, lang) for _, row in rows.iterrows()], lang=lang)}"
        for band, rows in off.groupby("age_band", sort=False)
    ]
    if lang == "nl":
        return (
            f"**Niet alle poorten van het onderzoeksplan zijn gehaald.** {'; '.join(bands)}. Wat daarop steunt, staat "
            "doorgestreept en mag niet worden aangehaald."
        )
    return (
        f"**Not every gate of the study plan has been passed.** {'; '.join(bands)}. What rests on it is struck and may "
        "not be quoted."
    )


def unless_struck(say: Callable[[Results], Prose]) -> Callable[[Results], Prose]:
    """Keep a sentence back where a gate failed for all ages: a brief does not quote what is struck."""

    @wraps(say)
    def said(results: Results) -> Prose:
        return Prose(_KEPT_BACK[results.lang]) if failed(results) else say(results)

    return said


_KEPT_BACK: Final = {
    "nl": "Niet gegeven: een poort van het onderzoeksplan is niet gehaald (zie het antwoord).",
    "en": "Not given: a gate of the study plan failed (see the answer).",
}
