"""The headline sentences of a study whose headline is no count of contacts, in reports that are written for contacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from wor_eval.effects.estimate import Estimate
from wor_eval.language import percent
from wor_eval.report.gate_words import struck
from wor_eval.report.prose import Prose
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.study import Outcome


def other_outcome(results: Results) -> Outcome | None:
    """Give the outcome of the headline where that is no count of contacts."""
    outcome = results.study.outcome(results.study.headline.outcomes[0])
    return None if outcome.table == "contacts" and not outcome.prices else outcome


def headline_by_name(results: Results, outcome: Outcome, found: Mapping[str, Estimate]) -> Prose:
    """Say what the headline ratio of an outcome shows by its name, and how to read what stands below.

    Parameters
    ----------
    results : Results
        The saved results.
    outcome : Outcome
        The outcome of the headline.
    found : mapping of str to Estimate
        Its ratio for all ages and each age band that can be given.
    """
    lang = results.lang
    label, beside = outcome.label.in_(lang), _BESIDE[results.study.design is not None, lang]
    parts = []
    for band, ratio in found.items():
        change = percent(abs(ratio.estimate - 1), lang=lang)
        who = term(band, lang).lower()
        says = _SAYS[ratio.direction, lang].format(change=change, beside=beside)
        parts.append(struck(results, f"{label}, {who}: {says} ({_RATIO[lang]} {ratio.text(lang)}).", band))
    return Prose(" ".join([*parts, _READ[lang].format(label)]))


_RATIO: Final = {"nl": "verhouding", "en": "ratio"}
_BESIDE: Final = {
    (True, "nl"): "te verwachten was op grond van vergelijkbare mensen die niet zijn verwezen",
    (True, "en"): "was to be expected from comparable persons who were not referred",
    (False, "nl"): "in het jaar voor de verwijzing",
    (False, "en"): "in the year before referral",
}
_SAYS: Final = {
    ("lower", "nl"): "in het jaar erna {change} lager dan {beside}",
    ("lower", "en"): "{change} lower in the year after than {beside}",
    ("higher", "nl"): "in het jaar erna {change} hoger dan {beside}",
    ("higher", "en"): "{change} higher in the year after than {beside}",
    ("unclear", "nl"): "in het jaar erna niet duidelijk anders dan {beside}",
    ("unclear", "en"): "not clearly higher or lower in the year after than {beside}",
}
_READ: Final = {
    "nl": "Dit rapport is geschreven voor contacten met de huisarts: waar een kop, opschrift of as hieronder van "
    "contacten spreekt, lees daar “{}”.",
    "en": "This report is written for GP contacts: where a heading, caption or axis below speaks of contacts, read "
    "“{}”.",
}
