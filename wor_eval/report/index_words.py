"""What the index says about a study: its headline per outcome and age band, with the uncertainty in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wor_eval.effects.estimate import ALL_BANDS
from wor_eval.language import number, percent
from wor_eval.report import believed_words, gate_words, words
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.study import Lang, Study

if TYPE_CHECKING:
    import pandas as pd

_COST_METHOD: Final = "bootstrap_t"
_SCORE_METHOD: Final = "complete_case"
"""The plan's own contrast among those who answered, as the report says it: ANCOVA on a matched cohort is biased where
persons are referred because their score is low (docs/outcome_recovery.md)."""
_UNITS: Final = {
    ("eur_per_person_year", "nl"): "euro",
    ("eur_per_person_year", "en"): "euros",
    ("points", "nl"): "punt",
    ("points", "en"): "points",
}
_WHOLE: Final = ("euro", "euros")
"""Units that are said without decimals."""
_BESIDE: Final = {
    (True, "nl"): "erna naast ervoor",
    (True, "en"): "after beside before",
    (False, "nl"): "naast vergelijkbare mensen",
    (False, "en"): "beside comparable persons",
}
_PER_YEAR: Final = {"nl": ", per persoon per jaar", "en": ", per person per year"}
_HIDDEN: Final = {
    "nl": "niet te publiceren, er staan te weinig personen achter",
    "en": "cannot be published, too few persons stand behind it",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OutcomeLines:
    """One outcome, a sentence, as Markdown, for each age band, and how far these can be believed."""

    label: str
    lines: tuple[str, ...]
    note: str = ""


def outcome_lines(results: Results) -> tuple[OutcomeLines, ...]:
    """Say for each outcome what was found, overall and by age band, the uncertainty in words.

    Parameters
    ----------
    results : Results
        Of any study; its language is that of the sentences.

    Returns
    -------
    tuple of OutcomeLines
        The headline outcome first; empty for a study without effects on outcomes.

    Examples
    --------
    >>> likely(0.7, (0.6, 0.8), lang="en")
    '30% lower, and very likely between 20% and 40% lower'
    >>> likely(2.0, (-1.0, 5.0), lang="en", unit="points")
    'no clear difference: it may be 1.0 points lower, but also 5.0 points higher'
    >>> likely(0.9, (0.8, 1.004), lang="nl")
    'geen duidelijk verschil: het kan 20% lager zijn, maar ook 0,4% hoger'
    """
    if not isinstance(results.plan, Study) or results.plan.economics is not None:
        return ()
    headline = results.study.headline.outcomes[0]
    names = [headline, *(o.name for o in results.study.outcomes if o.name != headline)]
    found = [_outcome(results, name) for name in names]
    return tuple(lines for lines in found if lines is not None)


def _outcome(results: Results, name: str) -> OutcomeLines | None:
    rows = _rows(results, name)
    if rows is None or rows.empty:
        return None
    bands = [ALL_BANDS, *results.study.cohort.band_names]
    lines = [_line(row, results) for band in bands for _, row in rows[rows["age_band"] == band].iterrows()]
    outcome, lang = results.study.outcome(name), results.lang
    year = _PER_YEAR[lang] if outcome.unit == "eur_per_person_year" else ""
    label = f"{outcome.label.in_(lang)}{year}: {_BESIDE[results.study.design is None, lang]}"
    note = believed_words.believed(results, name).text if results.study.design is not None else ""
    return OutcomeLines(label=label, lines=tuple(lines), note=note)


def _rows(results: Results, name: str) -> pd.DataFrame | None:
    """Give one row per age band: the estimate that the report has at its head."""
    outcome = results.study.outcome(name)
    if outcome.measure == "cost_per_year" and "cost_effects" in results.tables:
        frame = results.table("cost_effects")
        frame = frame[(frame["outcome"] == name) & (frame["method"] == _COST_METHOD)]
        return frame.assign(unit=outcome.unit)
    if outcome.unit == "points" and "score_effects" in results.tables:
        frame = results.table("score_effects")
        frame = frame[(frame["outcome"] == name) & (frame["method"] == _SCORE_METHOD)]
        return frame.assign(scale="difference", unit="points")
    if "effects" not in results.tables:
        return None
    frame = results.table("effects")
    method = words.HEADLINE_METHOD if results.study.design is None else results.study.design.method
    chosen = (frame["outcome"] == name) & (frame["contrast"] == results.study.headline.contrast)
    return frame[chosen & (frame["method"] == method) & (frame["scale"] == "ratio")]


def _line(row: pd.Series[Any], results: Results) -> str:
    """Say what was found in an age band, struck with the reason where a gate of the plan failed."""
    lang, age_band = results.lang, str(row["age_band"])
    band = words.age_words(age_band, lang)
    if row["suppressed"] or math.isnan(row["conf_low"]):
        return f"{band[0].upper()}{band[1:]}: {_HIDDEN[lang]}."
    limits = (float(row["conf_low"]), float(row["conf_high"]))
    unit = None if row["scale"] == "ratio" else _UNITS.get((row["unit"], lang), "")
    said = f"{band[0].upper()}{band[1:]}: {likely(row['estimate'], limits, lang=lang, unit=unit)}."
    return f"{_STRUCK[lang]} ~~{said}~~" if gate_words.failed(results, age_band) else said


_STRUCK: Final = {
    "nl": "**Niet aan te halen, een poort is niet gehaald:**",
    "en": "**Not to be quoted, a gate failed:**",
}


def gate_lines(results: Results) -> tuple[str, ...]:
    """Say of each gate that the plan declares whether it holds, with a word and a sign, in Markdown.

    Parameters
    ----------
    results : Results
        Of any study; its language is that of the lines.

    Returns
    -------
    tuple of str
        One line per gate, over all ages, and one for each age band where it failed; empty where the plan declares
        none.
    """
    if "gates" not in results.tables:
        return ()
    frame, lang = results.table("gates"), results.lang
    shown = frame[(frame["age_band"] == ALL_BANDS) | (frame["verdict"] == "failed")]
    return tuple(_gate(row, lang) for _, row in shown.iterrows())


def _gate(row: pd.Series[Any], lang: Lang) -> str:
    verdict = "hidden" if row["suppressed"] else str(row["verdict"])
    sign, word = _VERDICTS.get((verdict, lang), _VERDICTS["unknown", lang])
    gate, age_band = str(row["gate"]), str(row["age_band"])
    name = _DEMANDS.get((gate, lang)) or term(f"gate_{gate}", lang)
    band = "" if age_band == ALL_BANDS else f", {words.age_words(age_band, lang)}"
    values = [gate_words.amount(gate, float(row[key]), lang) for key in ("value", "limit")]
    told = verdict == "failed" or (verdict == "passed" and gate != "placebo")
    return f"{sign} {name}{band}: **{word}**{_LIMIT[lang].format(*values) if told else ''}"


_DEMANDS: Final = {
    ("balance", "nl"): "De groepen lijken op elkaar (balans)",
    ("balance", "en"): "The arms are alike (balance)",
    ("placebo", "nl"): "Vóór de verwijzing is er nog geen verschil (placebocontrast)",
    ("placebo", "en"): "Before referral there is no difference yet (placebo contrast)",
    ("overlap", "nl"): "Voor genoeg verwezen mensen is een vergelijking gevonden (overlap)",
    ("overlap", "en"): "Enough of the referred have a comparison (overlap)",
    ("sets", "nl"): "Het aantal is groot genoeg",
    ("sets", "en"): "The number is large enough",
    ("follow_up", "nl"): "Van het jaar erna is genoeg gezien",
    ("follow_up", "en"): "Enough of the year after was seen",
}
"""What each gate asks, for a reader who does not know its name; the others have the name of the report."""
_VERDICTS: Final = {
    ("passed", "nl"): ("✓", "gehaald"),
    ("passed", "en"): ("✓", "passed"),
    ("failed", "nl"): ("✗", "niet gehaald"),
    ("failed", "en"): ("✗", "failed"),
    ("hidden", "nl"): ("×", "verborgen om personen te beschermen"),
    ("hidden", "en"): ("×", "hidden to protect persons"),
    ("unknown", "nl"): ("?", "niet te beoordelen met deze gegevens"),
    ("unknown", "en"): ("?", "cannot be judged with these data"),
}
_LIMIT: Final = {"nl": " ({}; grens {})", "en": " ({}; limit {})"}


def likely(estimate: float, limits: tuple[float, float], *, lang: Lang, unit: str | None = None) -> str:
    """Say an estimate with its 95 % interval in words.

    Parameters
    ----------
    estimate : float
        A ratio or a difference.
    limits : tuple of float
        The ends of its interval.
    lang : {"nl", "en"}
        Language.
    unit : str, optional
        Unit of a difference, in words; without it the estimate is a ratio.

    Returns
    -------
    str
        Part of a sentence.
    """
    neutral = 1.0 if unit is None else 0.0
    low, high = limits
    if low <= neutral <= high:
        below, above = (_size(abs(value - neutral), lang, unit) for value in limits)
        named = f" {unit}" if unit else ""
        return _UNCLEAR[lang].format(low=f"{below}{named}", high=f"{above}{named}")
    side = _SIDES[lang][estimate > neutral]
    near, far = (_size(off, lang, unit) for off in sorted(abs(value - neutral) for value in limits))
    middle = f"{_size(abs(estimate - neutral), lang, unit)} {unit or ''}".strip()
    return _CLEAR[lang].format(size=middle, near=near, far=f"{far} {unit or ''}".strip(), side=side)


def _size(off: float, lang: Lang, unit: str | None) -> str:
    """Write a distance from no difference with so many decimals that it does not look like none."""
    written = percent if unit is None else number
    fewest = 1 if unit and unit not in _WHOLE else 0
    said = [written(off, digits, lang=lang) for digits in range(fewest, fewest + 3)]
    return next((text for text in said if any(sign in "123456789" for sign in text)), said[0])


_SIDES: Final = {"nl": ("lager", "hoger"), "en": ("lower", "higher")}
_UNCLEAR: Final = {
    "nl": "geen duidelijk verschil: het kan {low} lager zijn, maar ook {high} hoger",
    "en": "no clear difference: it may be {low} lower, but also {high} higher",
}
_CLEAR: Final = {
    "nl": "{size} {side}, en zeer waarschijnlijk tussen {near} en {far} {side}",
    "en": "{size} {side}, and very likely between {near} and {far} {side}",
}
