"""How far a result can be believed: what was and was not made alike, what other contrasts say, which study to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from wor_eval.effects.estimate import ALL_BANDS
from wor_eval.language import interval, listing, number
from wor_eval.report.absent import words_or_sentence
from wor_eval.report.matched_figures import covariate_words
from wor_eval.report.other_headline import other_outcome
from wor_eval.report.prose import Prose
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.study import Design, Lang, Study, StudyPlan

if TYPE_CHECKING:
    import pandas as pd

_TRUTH: Final = "truth.csv"


def simulated(results: Results) -> Prose:
    """Say that the persons are simulated where the true effects lay beside the data; nothing else."""
    notes = results.manifest.get("notes", [])
    return Prose(_SIMULATED[results.lang] if any(_TRUTH in str(note) for note in notes) else "")


_SIMULATED: Final = {
    "nl": "**Gesimuleerde gegevens: deze uitkomsten gaan niet over echte mensen.**",
    "en": "**Simulated data: these results are not about real persons.**",
}


def made_alike(results: Results) -> Prose:
    """Say with whom the referred were compared: what was made alike, and how, as the plan asks."""
    study, lang = results.study, results.lang
    design = study.design or Design()
    other = other_outcome(results)
    counted = other.label.in_(lang).lower() if other else _CONTACTS[lang]
    same = [_SAME_AS.get((name, lang)) or _OTHER_SAME[lang].format(name) for name in design.exact]
    same.append(_SAME_AS["month", lang])
    near = [covariate_words(name, lang).lower() for name in design.covariates]
    near += [_HISTORY[design.history, lang].format(counted)] if design.history != "none" else []
    how = _HOW.get((design.method, lang)) or _HOW["nearest", lang]
    within = how.format(listing(near, lang=lang)) if near and design.method != "exact" else ""
    return Prose(_ALIKE[lang].format(same=listing(same, lang=lang).format(counted), within=within))


_CONTACTS: Final = {"nl": "contacten", "en": "contacts"}
_ALIKE: Final = {
    "nl": "Verwezen mensen staan naast mensen met {same}{within}. Wat er na de indexdatum gebeurde, speelt daarbij geen "
    "rol.",
    "en": "The referred stand beside persons with {same}{within}. What happened after the index date plays no part in "
    "it.",
}
_SAME_AS: Final = {
    ("age_band", "nl"): "dezelfde leeftijdsgroep",
    ("age_band", "en"): "the same age band",
    ("sex", "nl"): "hetzelfde geslacht",
    ("sex", "en"): "the same sex",
    ("practice_id", "nl"): "dezelfde praktijk",
    ("practice_id", "en"): "the same practice",
    ("recent_quarter", "nl"): "evenveel {} in het laatste kwartaal",
    ("recent_quarter", "en"): "as many {} in the last quarter",
    ("month", "nl"): "een indexdatum in dezelfde kalendermaand",
    ("month", "en"): "an index date in the same calendar month",
}
_OTHER_SAME: Final = {"nl": "dezelfde waarde van `{}`", "en": "the same value of `{}`"}
_HISTORY: Final = {
    ("placebo", "nl"): "de {} in het jaar daarvoor",
    ("placebo", "en"): "the {} in the year before that",
    ("year", "nl"): "de {} in het hele jaar ervoor",
    ("year", "en"): "the {} in the whole year before",
    ("quarters", "nl"): "de {} per kwartaal in het jaar ervoor",
    ("quarters", "en"): "the {} by quarter in the year before",
    ("level", "nl"): "het blijvend niveau van de {} en de afwijkingen daarvan in de laatste kwartalen",
    ("level", "en"): "the permanent level of the {} and the departures from it in the last quarters",
}
_WEIGHTED: Final = {
    "nl": ", en daarbinnen met gewichten die de groepen gelijk maken in {}",
    "en": ", and within these with weights that make the arms alike in {}",
}
_HOW: Final = {
    ("nearest", "nl"): ", en daarbinnen met een gelijke kans op verwijzing, gegeven {}",
    ("nearest", "en"): ", and within these with an equal chance of referral, given {}",
    ("mahalanobis", "nl"): ", en daarbinnen met de kleinste afstand in {}",
    ("mahalanobis", "en"): ", and within these at the smallest distance in {}",
    **{(method, lang): said for method in ("ipw", "overlap", "entropy") for lang, said in _WEIGHTED.items()},
}


def believed(results: Results, outcome: str) -> Prose:
    """Say in a sentence or two how far the estimate of an outcome of a matched cohort can be believed.

    Parameters
    ----------
    results : Results
        Of a matched cohort.
    outcome : str
        An outcome of its plan.

    Returns
    -------
    Prose
        Nothing for the outcome that was matched on.
    """
    if outcome == results.study.headline.outcomes[0]:
        return Prose("")
    if results.study.outcome(outcome).measure == "mean_score":
        return Prose(_SCORE[results.lang])
    return costs(results, outcome=outcome)


_SCORE: Final = {
    "nl": "Op deze score is niet gematcht, en wie geen vragenlijst invulde telt niet mee: lees dit als een aanwijzing.",
    "en": "The arms were not matched on this score, and who did not answer does not count: read this as an indication.",
}


@words_or_sentence
def costs(results: Results, *, outcome: str | None = None) -> Prose:
    """Say that costs were not matched on, what other contrasts give, and why the plan chose its own."""
    lang = results.lang
    outcome = outcome or next(iter(results.table("cost_effects")["outcome"]))
    chosen = next(e.contrast for e in results.study.effects if outcome in e.outcomes)
    rows = _contrasts(results, outcome)
    others = [_told(row, lang) for name, row in rows.items() if name not in (chosen, "placebo")]
    parts = [_NOT_MATCHED[lang]]
    if others:
        parts.append(_OTHERS[lang].format("; ".join(others)))
    sides = {_side(row) for name, row in rows.items() if name != "placebo"}
    if len(sides) > 1:
        parts.append(_DISAGREE[lang])
    return Prose(" ".join(parts))


@words_or_sentence
def why_contrast(results: Results, *, outcome: str | None = None) -> Prose:
    """Say why the contrast of the plan suits an outcome that was not matched on, or what to hold against it."""
    lang = results.lang
    outcome = outcome or next(iter(results.table("cost_effects")["outcome"]))
    chosen = next(e.contrast for e in results.study.effects if outcome in e.outcomes)
    placebo = _contrasts(results, outcome).get("placebo")
    parts = [_WHY.get((chosen, lang), "")]
    if placebo is not None:
        limits = interval(placebo["conf_low"], placebo["conf_high"], lang=lang)
        told = number(placebo["estimate"], lang=lang)
        parts.append(_PLACEBO[lang, _side(placebo) == 0].format(told, limits))
    return Prose(" ".join(part for part in parts if part))


def _contrasts(results: Results, outcome: str) -> dict[str, pd.Series[Any]]:
    frame = results.table("effects")
    frame = frame[(frame["outcome"] == outcome) & (frame["age_band"] == ALL_BANDS)]
    frame = frame[(frame["scale"] == "difference") & ~frame["suppressed"] & frame["conf_low"].notna()]
    return {str(row["contrast"]): row for _, row in frame.iterrows()}


def _told(row: pd.Series[Any], lang: Lang) -> str:
    name = _PLAIN.get((str(row["contrast"]), lang)) or term(f"contrast_{row['contrast']}", lang).lower()
    limits = interval(row["conf_low"], row["conf_high"], lang=lang)
    return f"{name}: {number(row['estimate'], lang=lang)} euro{'' if lang == 'nl' else 's'} ({limits})"


_PLAIN: Final = {
    ("after_only", "nl"): "alleen het jaar erna",
    ("after_only", "en"): "the year after only",
    (
        "difference_in_differences",
        "nl",
    ): "de verandering sinds het jaar vlak ervoor (verschil in verschillen)",
    ("difference_in_differences", "en"): "the change since the year just before (difference-in-differences)",
    ("against_earlier_year", "nl"): "de verandering sinds het jaar daarvoor",
    ("against_earlier_year", "en"): "the change since the year before that",
}


def _side(row: pd.Series[Any]) -> int:
    return int(row["conf_low"] > 0) - int(row["conf_high"] < 0)


_NOT_MATCHED: Final = {
    "nl": "Op kosten is niet gematcht: lees dit als een aanwijzing, niet als een besparing.",
    "en": "The arms were not matched on costs: read this as an indication, not as a saving.",
}
_OTHERS: Final = {
    "nl": "Anders vergeleken is het verschil over alle leeftijden: {}.",
    "en": "Compared otherwise the difference over all ages is: {}.",
}
_DISAGREE: Final = {
    "nl": "Ze wijzen niet dezelfde kant op; wie er één uitkiest, kan vinden wat hij zoekt.",
    "en": "They do not point the same way; whoever picks one of them can find what they look for.",
}
_WHY: Final = {
    ("against_earlier_year", "nl"): (
        "Het plan vergelijkt de kosten met het jaar daarvoor en niet met het jaar vlak voor de verwijzing. In dat "
        "laatste jaar lopen ook de kosten anders dan gewoonlijk, en lijken mensen die op hun contacten zijn gekoppeld in "
        "kosten niet genoeg op elkaar: in simulaties zonder enig effect vond het contrast met dat jaar een verschil dat "
        "er niet was, het contrast met het jaar daarvoor niet."
    ),
    ("against_earlier_year", "en"): (
        "The plan compares costs with the year before that and not with the year just before referral. In the latter "
        "costs run differently from usual too, and persons matched on their contacts are not alike enough in costs then: "
        "in simulations with no effect at all the contrast with that year found a difference that was not there, and the "
        "contrast with the year before that did not."
    ),
    ("difference_in_differences", "nl"): (
        "Het plan vergelijkt de kosten met het jaar vlak voor de verwijzing. In simulaties zonder enig effect vond dat "
        "contrast een verschil dat er niet was, en het contrast tegen het eigen eerdere jaar niet: lees dat ernaast."
    ),
    ("difference_in_differences", "en"): (
        "The plan compares costs with the year just before referral. In simulations with no effect at all that contrast "
        "found a difference that was not there, and the contrast against the own earlier year did not: read it beside."
    ),
    ("after_only", "nl"): "Het plan vergelijkt alleen erna: een verschil in kosten dat er al was, telt mee.",
    (
        "after_only",
        "en",
    ): "The plan compares after only: a difference in costs that was there already counts in it.",
}
_PLACEBO: Final = {
    ("nl", True): (
        "Tussen twee jaren voor de verwijzing, toen er niets gebeurd kon zijn, is het verschil in kosten {} euro "
        "(95%-BI {}): dat past bij geen verschil."
    ),
    ("en", True): (
        "Between two years before referral, when nothing can have happened, the difference in costs is {} euros (95% CI "
        "{}): that fits no difference."
    ),
    ("nl", False): (
        "**Ook tussen twee jaren voor de verwijzing, toen er niets gebeurd kon zijn, is er een verschil in kosten**: {} "
        "euro (95%-BI {}). De groepen liepen in kosten al uiteen."
    ),
    ("en", False): (
        "**Between two years before referral, when nothing can have happened, there is a difference in costs too**: {} "
        "euros (95% CI {}). The arms ran apart in costs already."
    ),
}


def which_study(plans: Sequence[StudyPlan], lang: Lang) -> str:
    """Say which of several studies of effects to believe, and why; nothing where there is no choice.

    Parameters
    ----------
    plans : sequence of StudyPlan
        The studies that are shown together.
    lang : {"nl", "en"}
        Language.

    Returns
    -------
    str
        Markdown.
    """
    effects = [plan for plan in plans if isinstance(plan, Study) and plan.economics is None]
    matched = [plan for plan in effects if plan.design is not None]
    alone = [plan for plan in effects if plan.design is None]
    if not alone:
        return ""
    if not matched:
        return _ALONE[lang]
    named = listing([f"*{plan.title.in_(lang)}*" for plan in matched], lang=lang)
    other = listing([f"*{plan.title.in_(lang)}*" for plan in alone], lang=lang)
    return _WHICH[lang].format(matched=named, alone=other)


_ALONE: Final = {
    "nl": "**Hoe dit te lezen.** Een vergelijking van voor en na zegt niet wat Welzijn op Recept doet: mensen worden "
    "verwezen als het slecht gaat, en daarna gaat het ook zonder hulp gemiddeld beter. Er is hier geen vergelijking met "
    "mensen die niet zijn verwezen.",
    "en": "**How to read this.** A comparison of before and after does not say what Welzijn op Recept does: persons are "
    "referred when things are bad, and after that things get better on average without help too. There is no comparison "
    "here with persons who were not referred.",
}
_WHICH: Final = {
    "nl": "**Welke uitkomst te geloven.** Of Welzijn op Recept werkt, is het best te lezen in {matched}: daar staan "
    "verwezen mensen naast mensen bij wie het net zo liep en die niet zijn verwezen. {alone} staat erbij omdat die "
    "vergelijking het meest wordt gemaakt, en het effect te groot laat lijken: mensen worden verwezen als het slecht "
    "gaat, en daarna gaat het ook zonder hulp gemiddeld beter. Verschillen die niet zijn gemeten, blijven bij elke opzet "
    "mogelijk.",
    "en": "**Which result to believe.** Whether Welzijn op Recept works is best read in {matched}: there referred "
    "persons stand beside persons with the same course who were not referred. {alone} is shown because that comparison "
    "is made most often, and makes the effect look too large: persons are referred when things are bad, and after that "
    "things get better on average without help too. Differences that were not measured remain possible in every design.",
}
