"""Sentences about a matched cohort that follow from its results, in Dutch and English."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wor_eval.design_plan import PAIR_METHODS
from wor_eval.effects.estimate import ALL_BANDS, Estimate
from wor_eval.effects.triangulation import selection_pattern
from wor_eval.language import interval, listing, number, percent
from wor_eval.report.gate_words import struck
from wor_eval.report.matched_figures import covariate_words, design_words, is_headline
from wor_eval.report.other_headline import headline_by_name, other_outcome
from wor_eval.report.prose import HIDDEN_RESULT, Prose
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.report.words import age_words, estimate
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd


def headline(results: Results) -> Prose:
    """Say what the headline contrast of a matched cohort shows, overall and by age band."""
    lang = results.lang
    found = {band: _effect(results, band) for band in (*results.study.cohort.band_names, ALL_BANDS)}
    overall = found.pop(ALL_BANDS)
    if overall is None:
        return Prose(HIDDEN_RESULT[lang])
    if outcome := other_outcome(results):
        known = {band: effect for band, effect in found.items() if effect is not None}
        return headline_by_name(results, outcome, {ALL_BANDS: overall, **known})
    parts = [struck(results, _overall(overall, lang))]
    parts += [
        struck(results, _band(band, effect, lang), band)
        for band, effect in found.items()
        if effect is not None
    ]
    return Prose(" ".join(parts))


def _effect(results: Results, band: str) -> Estimate | None:
    design = results.study.design
    method = design.method if design else ""
    return estimate(
        results, contrast=results.study.headline.contrast, age_band=band, method=method, scale="ratio"
    )


def _overall(effect: Estimate, lang: Lang) -> str:
    change = percent(abs(effect.estimate - 1), lang=lang)
    limits = effect.text(lang)
    if lang == "nl":
        says = {
            "lower": f"Verwezen mensen hadden in het jaar daarna {change} minder contacten met de huisartspraktijk "
            "dan te verwachten was op grond van vergelijkbare mensen die niet zijn verwezen",
            "higher": f"Verwezen mensen hadden in het jaar daarna {change} meer contacten met de huisartspraktijk "
            "dan te verwachten was op grond van vergelijkbare mensen die niet zijn verwezen",
            "unclear": "Tussen verwezen mensen en vergelijkbare mensen die niet zijn verwezen is in het jaar daarna "
            "geen duidelijk verschil in contacten met de huisartspraktijk te zien",
        }[effect.direction]
        return f"{says}. Verhouding: {limits}."
    says = {
        "lower": f"In the year after, referred persons had {change} fewer contacts with the GP practice than was to "
        "be expected from comparable persons who were not referred",
        "higher": f"In the year after, referred persons had {change} more contacts with the GP practice than was to "
        "be expected from comparable persons who were not referred",
        "unclear": "Between referred persons and comparable persons who were not referred there is no clear "
        "difference in contacts with the GP practice in the year after",
    }[effect.direction]
    return f"{says}. Ratio: {limits}."


def in_brief(results: Results) -> Prose:
    """Say for the index with whom the referred were compared, and why this comparison rather than a simpler one."""
    lang = results.lang
    rows = results.table("triangulation")
    rows = rows[(rows["age_band"] == ALL_BANDS) & (rows["scale"] == "ratio") & ~rows["suppressed"]]
    own = rows[[is_headline(row, results) for _, row in rows.iterrows()]]
    design = results.study.design
    parts = [_COMPARED[lang, design is not None and design.history in ("year", "quarters", "level")]]
    if not own.empty and _apart(rows, own.iloc[0]).empty:
        parts.append(_AGREE[lang])
    elif not own.empty:
        told = number(own.iloc[0]["estimate"], 2, lang=lang)
        span = interval(rows["estimate"].min(), rows["estimate"].max(), 2, lang=lang)
        parts.append(_DIFFER[lang].format(span=span, told=told))
    return Prose(" ".join([*parts, _NOT_PROVEN[lang]]))


_COMPARED: Final = {
    (
        "nl",
        True,
    ): "Verwezen mensen zijn vergeleken met mensen bij wie het in het jaar ervoor net zo verliep, en die toen "
    "niet zijn verwezen.",
    (
        "nl",
        False,
    ): "Verwezen mensen zijn vergeleken met mensen die op hen leken, en die toen niet zijn verwezen.",
    (
        "en",
        True,
    ): "The referred were compared with persons who ran the same course in the year before, and who were not "
    "referred then.",
    (
        "en",
        False,
    ): "The referred were compared with persons who were like them, and who were not referred then.",
}
_AGREE: Final = {
    "nl": "Andere opzetten spreken dat niet tegen.",
    "en": "Other designs do not contradict this.",
}
_DIFFER: Final = {
    "nl": "Andere opzetten geven andere antwoorden (verhoudingen van {span}; hier {told}); het rapport zegt welke "
    "daarvan al een verschil zien in jaren waarin er geen kan zijn.",
    "en": "Other designs give other answers (ratios from {span}; here {told}); the report says which of them see a "
    "difference already in years in which there can be none.",
}
_NOT_PROVEN: Final = {
    "nl": "Dat Welzijn op Recept de oorzaak is, is daarmee aannemelijk te maken, niet te bewijzen.",
    "en": "That Welzijn op Recept is the cause can be made plausible in this way, not proven.",
}


def _apart(rows: pd.DataFrame, own: pd.Series[Any]) -> pd.DataFrame:
    """Give the designs whose interval does not hold the estimate of the headline design."""
    return rows[(rows["conf_high"] < own["estimate"]) | (rows["conf_low"] > own["estimate"])]


def _band(band: str, effect: Estimate, lang: Lang) -> str:
    where, change = age_words(band, lang), percent(abs(effect.estimate - 1), lang=lang)
    if lang == "nl":
        says = {"lower": f"{change} minder", "higher": f"{change} meer", "unclear": "geen duidelijk verschil"}
        return f"Bij {where} is het {says[effect.direction]}: {effect.text(lang)}."
    says = {"lower": f"{change} fewer", "higher": f"{change} more", "unclear": "no clear difference"}
    return f"At {where} it is {says[effect.direction]}: {effect.text(lang)}."


def balance(results: Results) -> Prose:
    """Say whether the arms are in balance after matching, and on what they are not."""
    frame, lang = results.table("balance"), results.lang
    after = frame[(frame["sample"] == "after") & ~frame["suppressed"]]
    if after.empty:
        return Prose(HIDDEN_RESULT[lang])
    worst = after.loc[after["smd"].abs().idxmax()]
    largest = number(abs(worst["smd"]), 2, lang=lang)
    off = after[after["flagged"].astype(bool)]
    if off.empty:
        if lang == "nl":
            return Prose(
                f"De groepen zijn in balans: geen gestandaardiseerd verschil is groter dan {largest}."
            )
        return Prose(f"The arms are in balance: no standardised difference is larger than {largest}.")
    named = listing(
        [
            f"{covariate_words(r['covariate'], lang).lower()} ({term(r['age_band'], lang).lower()})"
            for _, r in off.iterrows()
        ],
        lang=lang,
    )
    on_age = _difference_of_age(results) if (off["covariate"] == "age").any() else ""
    if lang == "nl":
        return Prose(
            f"**De groepen zijn niet op alles in balans.** Boven de grens: {named}. Het grootste verschil is {largest}."
            f"{on_age}"
        )
    return Prose(
        f"**The arms are not in balance on everything.** Beyond the limit: {named}. The largest difference is {largest}."
        f"{on_age}"
    )


def _difference_of_age(results: Results) -> str:
    """Say why a difference of age can remain, and what it means for the plan's contrasts."""
    design, lang = results.study.design, results.lang
    scarce = design is not None and design.method in PAIR_METHODS and not design.replacement
    cancels = results.study.headline.contrast in ("against_earlier_year", "difference_in_differences")
    return "".join(f" {text[lang]}" for text, holds in ((_SCARCE, scarce), (_CANCELS, cancels)) if holds)


_SCARCE: Final = {
    "nl": "Mensen met zoveel contacten zijn schaars en tellen elk een keer mee als vergelijkingspersoon; daardoor staat "
    "een deel van de verwezen mensen naast iemand van een andere leeftijd.",
    "en": "Persons with so many contacts are scarce, and each serves once as a comparison person; so some of the "
    "referred stand beside somebody of another age.",
}
_CANCELS: Final = {
    "nl": "De hoofduitkomst vergelijkt elke groep met haar eigen eerdere jaar, zodat een blijvend verschil door leeftijd "
    "daaruit wegvalt; waar alleen het jaar erna wordt vergeleken, valt het niet weg.",
    "en": "The headline sets each arm against its own earlier year, so that a lasting difference due to age drops out of "
    "it; where only the year after is compared, it does not.",
}


def triangulation(results: Results, *, age_band: str = ALL_BANDS) -> Prose:
    """Say whether the designs agree, and what their disagreement tells about how persons were selected."""
    lang = results.lang
    table = results.table("triangulation")
    table = table[~table["suppressed"]]
    rows = table[(table["age_band"] == age_band) & (table["scale"] == "ratio")]
    own = rows[[is_headline(row, results) for _, row in rows.iterrows()]]
    if own.empty:
        return Prose(HIDDEN_RESULT[lang])
    pattern = selection_pattern(table)
    return Prose(f"{_agreement(rows, own.iloc[0], results)} {_PATTERN[pattern, lang]}")


def _in_sentence(row: pd.Series[Any], results: Results) -> str:
    """Name a design as within a sentence: what it adds to matching on covariates in full."""
    said = design_words(row, results)
    if said.startswith("+ "):
        added = "gematcht, ook op " if results.lang == "nl" else "matched, also on "
        said = added + said.removeprefix("+ ")
    return said if said[:2].isupper() else f"{said[0].lower()}{said[1:]}"


def _agreement(rows: pd.DataFrame, own: pd.Series[Any], results: Results) -> str:
    """Say which designs cannot be reconciled with the headline: their interval does not hold its estimate."""
    lang = results.lang
    told = number(own["estimate"], 2, lang=lang)
    apart = _apart(rows, own)
    low, high = rows["estimate"].min(), rows["estimate"].max()
    span = interval(low, high, 2, lang=lang)
    if apart.empty:
        if lang == "nl":
            return f"**De opzetten spreken elkaar niet tegen** (verhoudingen van {span}; hoofdopzet {told})."
        return f"**The designs do not contradict each other** (ratios from {span}; headline design {told})."
    named = "; ".join(
        f"{_in_sentence(r, results)} ({number(r['estimate'], 2, lang=lang)})" for _, r in apart.iterrows()
    )
    if lang == "nl":
        return (
            f"**De opzetten geven verschillende antwoorden** (verhoudingen van {span}). Niet te rijmen met de "
            f"hoofdopzet ({told}) zijn: {named}."
        )
    return (
        f"**The designs give different answers** (ratios from {span}). Not to be reconciled with the headline "
        f"design ({told}) are: {named}."
    )


_PATTERN: Final[dict[tuple[str, Lang], str]] = {
    ("peak", "nl"): (
        "De placebocontrasten wijzen op **verwijzing op een piek**: in het jaar voor de verwijzing stegen de contacten "
        "van verwezen mensen boven hun eigen eerdere niveau, en die van anderen niet. Vergelijkingen die het verloop "
        "ervoor niet gelijk maken zien het terugzakken van die piek aan voor een effect."
    ),
    ("peak", "en"): (
        "The placebo contrasts point to **selection on a peak**: in the year before referral the contacts of the "
        "referred rose above their own earlier level, and those of others did not. Comparisons that do not make the "
        "course before alike take the fall from that peak for an effect."
    ),
    ("level", "nl"): (
        "De placebocontrasten wijzen op **verwijzing op een blijvend hoger niveau**: er is geen piek, en matchen op "
        "recente aantallen koppelt verwezen mensen aan mensen die toevallig even hoog zaten. Die zakken daarna terug, "
        "zodat verwezen mensen lijken te stijgen. Vergelijkingen met het eigen eerdere niveau hebben dat niet."
    ),
    ("level", "en"): (
        "The placebo contrasts point to **selection on a permanently higher level**: there is no peak, and matching "
        "on recent counts pairs the referred with persons who happened to be as high. Those fall back afterwards, so "
        "that the referred seem to rise. Comparisons with the own earlier level do not have this."
    ),
    ("both", "nl"): (
        "De placebocontrasten wijzen op **beide soorten verwijzing**: op een piek en op een blijvend hoger niveau. Geen "
        "eenvoudige opzet is dan juist. De opzet die op het verloop matcht en vergelijkt met het eerdere jaar is "
        "hiervoor gemaakt en in simulaties het minst vertekend."
    ),
    ("both", "en"): (
        "The placebo contrasts point to **both kinds of selection**: on a peak and on a permanently higher level. No "
        "simple design is right then. The design that matches on the course and compares with the earlier year is "
        "made for this, and was the least biased in simulations."
    ),
    ("none", "nl"): (
        "De placebocontrasten laten geen piek en geen blijvend hoger niveau zien waarop is verwezen; de eenvoudige en "
        "de zorgvuldige opzetten zouden dan op hetzelfde moeten uitkomen."
    ),
    ("none", "en"): (
        "The placebo contrasts show neither a peak nor a permanently higher level on which persons were referred; the "
        "simple and the careful designs should then come out alike."
    ),
    ("unknown", "nl"): "Hoe er is verwezen, is uit deze gegevens niet op te maken.",
    ("unknown", "en"): "How persons were selected cannot be told from these data.",
}


def placebo(results: Results) -> Prose:
    """Say whether the placebo contrast of the headline design passes."""
    lang = results.lang
    design = results.study.design
    found = estimate(
        results,
        contrast="placebo",
        age_band=ALL_BANDS,
        method=design.method if design else "",
        scale="ratio",
    )
    if found is None:
        return Prose(HIDDEN_RESULT[lang])
    passed = found.direction == "unclear"
    if lang == "nl":
        says = (
            "past bij geen verschil"
            if passed
            else "**wijkt af: de groepen liepen vóór de verwijzing al uiteen**"
        )
        return Prose(
            f"Het placebocontrast van de hoofdopzet, tussen twee jaren voor de verwijzing, {says}: {found.text(lang)}."
        )
    says = "fits no difference" if passed else "**is off: the arms ran apart before referral already**"
    return Prose(
        f"The placebo contrast of the headline design, between two years before referral, {says}: {found.text(lang)}."
    )


def sensitivity(results: Results) -> Prose:
    """Say how strong a hidden cause would have to be to explain the headline."""
    lang = results.lang
    rows = results.table("robustness")
    rows = rows[~rows["suppressed"]].set_index("check")
    parts = []
    if "e_value" in rows.index:
        point, limit = (number(rows.loc["e_value", name], 1, lang=lang) for name in ("estimate", "conf_low"))
        parts.append(
            f"Een niet-gemeten oorzaak zou met zowel verwijzing als contacten een verhouding van {point} moeten hebben "
            f"om de schatting te verklaren, en van {limit} om het interval tot geen verschil te brengen (E-waarde)."
            if lang == "nl"
            else f"An unmeasured cause would need a ratio of {point} with both referral and contacts to explain the "
            f"estimate, and of {limit} to move its interval to no difference (E-value)."
        )
    if "rosenbaum" in rows.index:
        gamma = number(rows.loc["rosenbaum", "estimate"], 2, lang=lang)
        parts.append(
            f"Bij paren verdwijnt de zekerheid als verborgen verschillen de kansverhouding op verwijzing {gamma} maal "
            "kunnen vergroten (Rosenbaum)."
            if lang == "nl"
            else f"In pairs the certainty is gone if hidden differences can multiply the odds of referral by {gamma} "
            "(Rosenbaum)."
        )
    return Prose(" ".join(parts))
