"""Sentences in a report that follow from the results, in Dutch and English."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from wor_eval.effects.estimate import ALL_BANDS, Estimate
from wor_eval.errors import WorEvalError
from wor_eval.language import day, interval, number, p_value, percent
from wor_eval.report.gate_words import struck
from wor_eval.report.other_headline import headline_by_name, other_outcome
from wor_eval.report.prose import Prose as Prose  # noqa: PLC0414 - named here by other modules
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["no_fall", "explained", "unclear", "beyond", "unknown"]
HEADLINE_METHOD = "gee_poisson"
EXPECTED_METHODS = ("same_course", "own_earlier_year")


def title(results: Results) -> Prose:
    """Give the title of the study."""
    return Prose(results.plan.title.in_(results.lang))


def question(results: Results) -> Prose:
    """Give the question of the study."""
    return Prose(results.plan.question.in_(results.lang))


def estimate(
    results: Results, *, contrast: str, age_band: str, method: str, scale: Literal["ratio", "difference"]
) -> Estimate | None:
    """Give one effect of the results, or None where it was hidden or could not be estimated.

    Raises
    ------
    WorEvalError
        The results hold no such effect.
    """
    frame = results.table("effects")
    rows = frame[
        (frame["outcome"] == results.study.headline.outcomes[0])
        & (frame["contrast"] == contrast)
        & (frame["age_band"] == age_band)
        & (frame["method"] == method)
        & (frame["scale"] == scale)
    ]
    if len(rows) != 1:
        raise WorEvalError(f"{len(rows)} effects fit {contrast}, {age_band}, {method}, {scale}")
    row = rows.iloc[0].to_dict()
    if row.pop("suppressed") or math.isnan(row["estimate"]):
        return None
    return Estimate(**row)


def headline(results: Results) -> Prose:
    """Say what the headline contrast shows, overall and by age band."""
    lang, contrast = results.lang, results.study.headline.contrast
    ratio = estimate(results, contrast=contrast, age_band=ALL_BANDS, method=HEADLINE_METHOD, scale="ratio")
    difference = estimate(results, contrast=contrast, age_band=ALL_BANDS, method="robust", scale="difference")
    if ratio is None or difference is None:
        return Prose(_HIDDEN[lang])
    bands = [
        estimate(results, contrast=contrast, age_band=band, method=HEADLINE_METHOD, scale="ratio")
        for band in results.study.cohort.band_names
    ]
    known = [found for found in bands if found is not None]
    if outcome := other_outcome(results):
        return headline_by_name(results, outcome, {found.age_band: found for found in (ratio, *known)})
    parts = [struck(results, _overall(ratio, difference, lang))]
    parts += [struck(results, _band(found, lang), found.age_band) for found in known]
    return Prose(" ".join(parts))


_HIDDEN = {
    "nl": "De uitkomst is niet te geven: er staan te weinig personen of contacten achter.",
    "en": "The result cannot be given: too few persons or contacts stand behind it.",
}


def _overall(ratio: Estimate, difference: Estimate, lang: Lang) -> str:
    size = number(abs(difference.estimate), 1, lang=lang)
    low, high = difference.conf_low, difference.conf_high
    if difference.direction == "lower":  # "4.0 fewer" has its limits without a sign too
        low, high = -high, -low
    limits = interval(low, high, 1, lang=lang)
    if lang == "nl":
        says = {
            "lower": f"In het jaar na de verwijzing waren er {size} contacten per persoon per jaar minder",
            "higher": f"In het jaar na de verwijzing waren er {size} contacten per persoon per jaar meer",
            "unclear": "Tussen het jaar voor en het jaar na de verwijzing is geen duidelijk verschil te zien",
        }[difference.direction]
        return f"{says} (95%-BI {limits}). Verhouding erna tot ervoor: {ratio.text(lang)}."
    says = {
        "lower": f"In the year after referral there were {size} fewer contacts per person per year",
        "higher": f"In the year after referral there were {size} more contacts per person per year",
        "unclear": "There is no clear difference between the year before and the year after referral",
    }[difference.direction]
    return f"{says} (95% CI {limits}). Ratio of after to before: {ratio.text(lang)}."


def _band(found: Estimate, lang: Lang) -> str:
    change = percent(abs(found.estimate - 1), lang=lang)
    if lang == "nl":
        words = {"lower": f"{change} lager", "higher": f"{change} hoger", "unclear": "niet duidelijk anders"}
        return f"Bij {age_words(found.age_band, lang)} was dat {words[found.direction]}: {found.text(lang)}."
    words = {"lower": f"{change} lower", "higher": f"{change} higher", "unclear": "not clearly different"}
    return f"At {age_words(found.age_band, lang)} it was {words[found.direction]}: {found.text(lang)}."


def age_words(age_band: str, lang: Lang) -> str:
    """Write an age band as in a sentence: ``18-64 jaar``, ``65 jaar en ouder``, ``alle leeftijden``."""
    if age_band == ALL_BANDS:
        return term(ALL_BANDS, lang).lower()
    if age_band.endswith("+"):
        low = age_band.rstrip("+")
        return f"{low} jaar en ouder" if lang == "nl" else f"{low} and over"
    return f"{age_band} jaar" if lang == "nl" else f"age {age_band}"


def verdict(results: Results, *, age_band: str = ALL_BANDS) -> Verdict:
    """Tell whether regression to the mean alone produces the change that was seen.

    The observed change is held against the change expected with no effect from persons who were not referred
    and had the same course before; where there are none, from the own earlier year. ``no_fall``: the rate did
    not fall. ``beyond``: it fell further than expected, and the interval of the difference says so.
    ``explained``: the interval covers zero, and at least four fifths of the fall was to be expected. ``unclear``:
    the interval covers zero, but more than a fifth of the fall is left: too few persons to tell. ``unknown``:
    hidden or not estimated.

    Parameters
    ----------
    results : Results
        With the table ``regression_to_mean``.
    age_band : str
        An age band, or ``all``.

    Returns
    -------
    {"no_fall", "explained", "unclear", "beyond", "unknown"}
        The verdict.
    """
    row = _expected_row(results, age_band)
    if row is None:
        return "unknown"
    if row["observed"] >= 0:
        return "no_fall"
    if row["conf_high"] < 0:
        return "beyond"
    return "explained" if row["expected"] <= _MOSTLY * row["observed"] else "unclear"


def _expected_row(results: Results, age_band: str) -> pd.Series[Any] | None:
    if "regression_to_mean" not in results.tables:
        return None
    frame = results.table("regression_to_mean")
    rows = frame[(frame["age_band"] == age_band) & frame["conf_high"].notna()].set_index("method", drop=False)
    usable = [method for method in EXPECTED_METHODS if method in rows.index]
    return rows.loc[usable[0]] if usable else None


def regression_to_mean(results: Results, *, age_band: str = ALL_BANDS) -> Prose:
    """Say what part of the change regression to the mean produces by itself."""
    lang = results.lang
    said = verdict(results, age_band=age_band)
    row = _expected_row(results, age_band)
    if row is None:
        return Prose(_UNKNOWN[lang])
    fall = number(abs(row["observed"]), 1, lang=lang)
    expected = number(abs(min(row["expected"], 0)), 1, lang=lang)
    low, high = row["conf_low"], row["conf_high"]
    if said == "beyond":  # "a fall of 1.7 is left" has its limits without a sign too
        low, high = -high, -low
    left = number(abs(row["observed"] - row["expected"]), 1, lang=lang)
    rest = interval(low, high, 1, lang=lang)
    return Prose(_SAYS[said, lang].format(fall=fall, expected=expected, rest=rest, left=left))


_MOSTLY = 0.8
_UNKNOWN = {
    "nl": "Wat regressie naar het gemiddelde bijdraagt, is met deze gegevens niet te zeggen.",
    "en": "What regression to the mean contributes cannot be said with these data.",
}
_SAYS: dict[tuple[Verdict, Lang], str] = {
    ("explained", "nl"): (
        "**De daling is wat regressie naar het gemiddelde alleen al geeft.** Mensen worden verwezen als het "
        "slecht gaat; daarna daalt het aantal contacten vanzelf. Zonder enig effect was een daling van "
        "{expected} contacten per persoonsjaar te verwachten; gezien is {fall}. Het verschil daartussen is niet "
        "van nul of van een stijging te onderscheiden (95%-BI {rest}). Uit deze vergelijking volgt dus niet dat "
        "Welzijn op Recept het aantal contacten verlaagt."
    ),
    ("explained", "en"): (
        "**The fall is what regression to the mean alone produces.** Persons are referred when things are bad; "
        "after that their contacts fall by themselves. With no effect at all a fall of {expected} contacts per "
        "person-year was to be expected; {fall} was seen. The difference between the two cannot be told from "
        "zero or from a rise (95% CI {rest}). So it does not follow from this comparison that Welzijn op Recept "
        "lowers the number of contacts."
    ),
    ("beyond", "nl"): (
        "**De daling is groter dan regressie naar het gemiddelde alleen geeft.** Zonder effect was een daling "
        "van {expected} contacten per persoonsjaar te verwachten; gezien is {fall}. Er blijft een daling van {left} "
        "over (95%-BI {rest}). Of Welzijn op Recept de oorzaak is, vraagt een vergelijking "
        "met vergelijkbare mensen die niet zijn verwezen."
    ),
    ("beyond", "en"): (
        "**The fall is larger than regression to the mean alone produces.** With no effect a fall of {expected} "
        "contacts per person-year was to be expected; {fall} was seen. A fall of {left} is left (95% CI {rest}). "
        "Whether Welzijn op Recept is the cause calls for a comparison with comparable "
        "persons who were not referred."
    ),
    ("unclear", "nl"): (
        "**Of de daling groter is dan regressie naar het gemiddelde alleen geeft, is niet te zeggen.** Zonder effect was "
        "een daling van {expected} contacten per persoonsjaar te verwachten; gezien is {fall}. Het verschil kan nul "
        "zijn, maar ook van belang (95%-BI {rest}): er zijn te weinig personen om het te weten."
    ),
    ("unclear", "en"): (
        "**Whether the fall is larger than regression to the mean alone produces cannot be told.** With no effect a "
        "fall of {expected} contacts per person-year was to be expected; {fall} was seen. The difference may be zero, "
        "but it may also matter (95% CI {rest}): there are too few persons to know."
    ),
    ("no_fall", "nl"): (
        "**Er is geen daling om te verklaren.** De contactfrequentie was na de verwijzing niet lager dan ervoor."
    ),
    ("no_fall", "en"): (
        "**There is no fall to explain.** The rate after referral was not lower than before it."
    ),
}


def other_methods(results: Results) -> Prose:
    """Say how many of the other ways to foretell the change come to another verdict; nothing where there are none."""
    lang, row, said = results.lang, _expected_row(results, ALL_BANDS), verdict(results)
    if row is None or said not in ("beyond", "explained", "unclear"):
        return Prose("")
    frame = results.table("regression_to_mean")
    rows = frame[(frame["age_band"] == ALL_BANDS) & ~frame["suppressed"] & frame["conf_high"].notna()]
    rows = rows[rows["method"] != row["method"]]
    further = int((rows["conf_high"] < 0).sum())
    other = len(rows) - further if said == "beyond" else further
    if rows.empty or not other:
        return Prose("" if rows.empty else _SAME[lang])
    side = "beyond" if said == "beyond" else "explained"
    method, others = term(str(row["method"]), lang), number(len(rows), lang=lang)
    return Prose(_OTHERWISE[side, lang].format(n=others, k=number(other, lang=lang), method=method))


_SAME = {
    "nl": "De andere manieren om de verandering zonder effect te voorspellen zeggen hetzelfde.",
    "en": "The other ways to foretell the change with no effect say the same.",
}
_OTHERWISE = {
    ("beyond", "nl"): (
        "Niet elke manier om de verandering zonder effect te voorspellen zegt dit: bij {k} van de {n} andere is wat "
        "overblijft niet van nul te onderscheiden. Vooraf is gekozen voor *{method}*."
    ),
    ("beyond", "en"): (
        "Not every way to foretell the change with no effect says so: by {k} of the {n} others what is left cannot be "
        "told from zero. The choice beforehand was *{method}*."
    ),
    ("explained", "nl"): (
        "Niet elke manier om de verandering zonder effect te voorspellen zegt dit: bij {k} van de {n} andere is de "
        "daling groter dan verwacht. Vooraf is gekozen voor *{method}*."
    ),
    ("explained", "en"): (
        "Not every way to foretell the change with no effect says so: by {k} of the {n} others the fall is larger than "
        "expected. The choice beforehand was *{method}*."
    ),
}


def methods_disagree(results: Results) -> Prose:
    """Say how far the ways to foretell the change lie apart, for all ages together."""
    frame, lang = results.table("regression_to_mean"), results.lang
    rows = frame[(frame["age_band"] == ALL_BANDS) & ~frame["suppressed"]]
    named = [(term(r["method"], lang), number(r["expected"], 1, lang=lang)) for _, r in rows.iterrows()]
    if not named:
        return Prose(_UNKNOWN[lang])
    told = "; ".join(f"*{name}*: {said}" for name, said in named)
    if lang == "nl":
        return Prose(
            f"De verwachte verandering zonder effect is per methode, in contacten per persoonsjaar: "
            f"{told}. De methoden verschillen omdat aantallen contacten scheef verdeeld zijn "
            "en omdat zij de verwijzing verschillend opvatten: de eerste kijkt naar het hele verloop ervoor, "
            "de tweede naar het eigen eerdere niveau, de andere alleen naar het aantal in één jaar."
        )
    return Prose(
        f"The change expected with no effect is, by method and in contacts per person-year: "
        f"{told}. The methods differ because counts of contacts are skewed and because they "
        "take referral differently: the first looks at the whole course before, the second at the own earlier "
        "level, the others only at the count in one year."
    )


def interaction(results: Results) -> Prose:
    """Say whether the effect differs between the age bands."""
    lang, frame = results.lang, results.table("interaction")
    rows = frame[(frame["method"] == HEADLINE_METHOD) & frame["p_value"].notna()]
    if rows.empty:
        return Prose(_HIDDEN[lang])
    p = float(rows.iloc[0]["p_value"])
    told = p_value(p, lang=lang)
    if lang == "nl":
        clear = "verschilt" if p < 0.05 else "verschilt niet aantoonbaar"
        return Prose(f"De verhouding {clear} tussen de leeftijdsgroepen (toets op interactie: p = {told}).")
    clear = "differs" if p < 0.05 else "does not demonstrably differ"
    return Prose(f"The ratio {clear} between the age bands (test of interaction: p = {told}).")


def assumptions(results: Results) -> Prose:
    """List the assumptions of the plan with their basis and how much hangs on them."""
    lang = results.lang
    weight = {
        "nl": {"low": "klein", "moderate": "matig", "high": "groot"},
        "en": {"low": "low", "moderate": "moderate", "high": "high"},
    }[lang]
    impact = "Gewicht" if lang == "nl" else "Impact"
    return Prose(
        "\n".join(
            f"- {a.text.in_(lang)} *{a.basis.in_(lang)}* {impact}: {weight[a.impact]}."
            for a in results.plan.assumptions
        )
    )


def period(results: Results) -> Prose:
    """Say over which period the data run."""
    from datetime import date

    first, last = (date.fromisoformat(text) for text in results.manifest["observed"])
    to = "tot en met" if results.lang == "nl" else "to"
    return Prose(f"{day(first, lang=results.lang)} {to} {day(last, lang=results.lang)}")


def verifying(results: Results) -> Prose:
    """Say how a reader checks that the results behind this page are still what they were."""
    name, digest = results.plan.name, results.manifest["digest"][:16]
    command = f"`wor-eval verify results/{name}{' --data DATA' if results.plan.needs_data else ''}`"
    if results.lang == "nl":
        return Prose(
            f"Dit rapport hoort bij de resultaten met vingerafdruk `{digest}`. {command} rekent de vingerafdrukken na "
            "en zegt wat er anders is: gegevens, onderzoeksplan, startgetal, versie of een bestand dat met de hand "
            "is veranderd."
        )
    return Prose(
        f"This report belongs to the results with digest `{digest}`. {command} recomputes the digests and says what "
        "differs: data, study plan, seed, version, or a file that was changed by hand."
    )
