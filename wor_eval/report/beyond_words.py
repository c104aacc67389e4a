"""Sentences about the years after the observed one: what the plan adds and assumes, or that it adds nothing."""

from typing import Final

from wor_eval.economics.qaly import extrapolate
from wor_eval.language import number
from wor_eval.report.economics_tables import plan
from wor_eval.report.economics_words import row_of
from wor_eval.report.prose import HIDDEN_RESULT, Prose, named_interval
from wor_eval.report.results import Results

_NOTHING: Final = {
    "nl": "Na het waargenomen jaar is niets meegeteld: het plan vraagt geen extrapolatie.",
    "en": "Nothing is counted after the observed year: the plan asks for no extrapolation.",
}


def beyond(results: Results) -> Prose:
    """Say what later years would add, with every assumption behind it, or that nothing is added."""
    lang, asked = results.lang, plan(results).beyond
    if asked is None:
        return Prose(_NOTHING[lang])
    found = [
        row_of(results, "beyond", {"age_band": "all", "quantity": q})
        for q in ("cost", "effect", "net_benefit")
    ]
    if any(row is None for row in found):
        return Prose(HIDDEN_RESULT[lang])
    unit = plan(results).effect.unit.in_(lang)
    told = []
    for row, digits in zip(found, (0, 3, 0), strict=True):
        if row is not None:
            amount = number(row["estimate"], digits, lang=lang)
            told.append(f"{amount} ({named_interval(row, digits, lang)})")
    assumed = [
        extrapolate(
            [1.0], observed_years=1, added_years=asked.years, decline=decline, rate=0.0
        ).assumption.in_(lang)
        for decline in (asked.effect, asked.costs)
    ]
    years, source = number(asked.years, lang=lang), asked.source.in_(lang)
    if lang == "nl":
        return Prose(
            f"**Met {years} jaar erbij, zoals het plan aanneemt:** verschil in kosten € {told[0]}, verschil in effect "
            f"{told[1]} {unit}, nettobaat € {told[2]}, per verwezen persoon in contante waarde. Effect: {assumed[0]} "
            f"Kosten van zorg: {assumed[1]} Bron: {source} Het interval weet niet hoe zeker deze aanname is."
        )
    return Prose(
        f"**With {years} years added, as the plan assumes:** difference in cost € {told[0]}, difference in effect "
        f"{told[1]} {unit}, net benefit € {told[2]}, per referred person at present value. Effect: {assumed[0]} Costs of "
        f"care: {assumed[1]} Source: {source} The interval does not know how sure this assumption is."
    )
