"""Sentences for a policy brief: the same results without jargon, uncertainty in words.

A brief says that something costs more or less only where the interval does not cover zero.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from wor_eval.language import listing, number
from wor_eval.report.economics_tables import plan, scenario_names
from wor_eval.report.economics_words import chance, difference, direction, payer_rows, row_of, worth
from wor_eval.report.gate_words import failed, unless_struck, why
from wor_eval.report.prose import HIDDEN_RESULT, Prose
from wor_eval.report.results import Results
from wor_eval.report.words import age_words
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd


def answer(results: Results) -> Prose:
    """Say in one or two plain sentences whether it is worth its money, for all ages together."""
    lang, row = results.lang, worth(results, "all")
    if row is None:
        return Prose(HIDDEN_RESULT[lang])
    if reason := why(results):
        return Prose(f"**{_NO_ANSWER[lang]}** {reason}")
    side = direction(row)
    if side != "unclear":
        return Prose(_CLEAR[side, lang])
    return Prose(_UNCLEAR[lang].format(_tenths(chance(results, "all"), lang)))


_NO_ANSWER: Final = {
    "nl": "Of Welzijn op Recept zijn geld waard is, kan dit onderzoek niet zeggen.",
    "en": "Whether Welzijn op Recept is worth its money cannot be told from this study.",
}
_CLEAR: Final = {
    ("above", "nl"): "**Welzijn op Recept was in dit onderzoek zijn geld waard.**",
    ("above", "en"): "**In this study Welzijn op Recept was worth its money.**",
    ("below", "nl"): "**Welzijn op Recept was in dit onderzoek zijn geld niet waard.**",
    ("below", "en"): "**In this study Welzijn op Recept was not worth its money.**",
}
_UNCLEAR: Final = {
    "nl": "**Of Welzijn op Recept zijn geld waard is, staat niet vast.** De uitkomsten passen bij een programma dat meer "
    "oplevert dan het kost, en ook bij een programma dat dat niet doet. De kans dat het zijn geld waard is, schatten we "
    "op ongeveer {} van de 10.",
    "en": "**Whether Welzijn op Recept is worth its money is not settled.** The results fit a programme that yields more "
    "than it costs, and also one that does not. We put the chance that it is worth its money at about {} in 10.",
}


def _lean(share: float, lang: Lang) -> str:
    """Say the chance that it is worth its money, as a number out of ten."""
    tenths = _tenths(share, lang)
    if lang == "nl":
        return f"de kans daarop schatten we op ongeveer {tenths} van de 10"
    return f"we put the chance of that at about {tenths} in 10"


def _tenths(share: float, lang: Lang) -> str:
    """Give a chance in tenths; never none and never all, for that is not known."""
    return number(min(max(round(10 * share), 1), 9), lang=lang)


def about(value: float, lang: Lang) -> str:
    """Write an amount in euros as one says it: two digits and zeros, without a sign.

    Examples
    --------
    >>> about(-1234.0, "en")
    '€ 1,200'
    """
    size = abs(value)
    if size >= 1:
        unit = 10.0 ** max(math.floor(math.log10(size)) - 1, 0)
        size = round(size / unit) * unit
    return f"€ {number(size, lang=lang)}"


@unless_struck
def gain(results: Results) -> Prose:
    """Say what referral does to health (or the score of the plan) and to all costs, each with how sure that is."""
    lang = results.lang
    cost, effect = (difference(results, quantity, "all") for quantity in ("cost", "effect"))
    if cost is None or effect is None:
        return Prose(HIDDEN_RESULT[lang])
    said = _GAINS[direction(effect), lang].format(what=_what(results, lang))
    return Prose(f"{said} {_money(cost, lang)}")


def _what(results: Results, lang: Lang) -> str:
    """Name what is gained: health where the effect is in QALYs, else the outcome that was scored."""
    measured = plan(results).effect
    if measured.measure == "qaly":
        return "gezondheid" if lang == "nl" else "health"
    named = [o.label.in_(lang) for o in results.study.outcomes if o.instrument == measured.instrument]
    return named[0].lower() if named else measured.unit.in_(lang)


_GAINS: Final = {
    (
        "above",
        "nl",
    ): "Verwezen mensen stonden er in het jaar daarna beter voor dan vergelijkbare mensen ({what}).",
    ("above", "en"): "In the year after, the referred were better off than comparable persons ({what}).",
    (
        "below",
        "nl",
    ): "Verwezen mensen stonden er in het jaar daarna slechter voor dan vergelijkbare mensen ({what}).",
    ("below", "en"): "In the year after, the referred were worse off than comparable persons ({what}).",
    ("unclear", "nl"): "Of verwezen mensen er in {what} op vooruitgaan, is niet met zekerheid te zien.",
    ("unclear", "en"): "Whether the referred gain in {what} cannot be seen with certainty.",
}


def _money(row: pd.Series[Any], lang: Lang) -> str:
    low, high = row["conf_low"], row["conf_high"]
    if lang == "nl":
        if direction(row) == "above":
            return f"De totale kosten waren hoger: waarschijnlijk {about(low, lang)} tot {about(high, lang)} per persoon."
        if direction(row) == "below":
            return f"De totale kosten waren lager: waarschijnlijk {about(high, lang)} tot {about(low, lang)} per persoon."
        return (
            f"De totale kosten per persoon kunnen lager zijn (tot {about(low, lang)}), maar ook hoger (tot "
            f"{about(high, lang)}): de kosten van zorg verschillen zo sterk tussen mensen dat het toeval zwaar weegt."
        )
    if direction(row) == "above":
        return f"Total costs were higher: probably {about(low, lang)} to {about(high, lang)} per person."
    if direction(row) == "below":
        return f"Total costs were lower: probably {about(high, lang)} to {about(low, lang)} per person."
    return (
        f"Total costs per person may be lower (by up to {about(low, lang)}), but also higher (by up to "
        f"{about(high, lang)}): costs of care differ so much between persons that chance weighs heavily."
    )


def price(results: Results) -> Prose:
    """Say what a trajectory costs, who pays it, and where the price comes from."""
    lang, given = results.lang, plan(results).trajectory
    frame = results.table("payer_balance")
    rows = frame[
        (frame["per"] == "person")
        & (frame["part"] == "trajectory")
        & (frame["age_band"] == "all")
        & (frame["payer"] == given.payer)
        & ~frame["suppressed"]
    ]
    if rows.empty:
        return Prose(HIDDEN_RESULT[lang])
    amount = about(float(rows["estimate"].iloc[0]), lang)
    payer = _with_article(given.payer, lang)
    source = given.coach_hour.source.in_(lang)
    if lang == "nl":
        return Prose(
            f"Een traject kost gemiddeld ongeveer {amount} per verwezen persoon; {payer} betaalt dat. Bron: {source}"
        )
    return Prose(
        f"A trajectory costs about {amount} on average per referred person; {payer} pays it. Source: {source}"
    )


def answered(results: Results) -> Prose:
    """Say of how many in a hundred the health is known in both groups, and that the rest is estimated."""
    lang, frame = results.lang, results.table("completeness")
    rows = frame[(frame["age_band"] == "all") & ~frame["suppressed"]].set_index("arm")
    if len(rows) < 2:
        return Prose(HIDDEN_RESULT[lang])
    share = (100 * rows["n_effect"] / rows["n_matched"]).round()
    ours, theirs = (number(float(share[arm]), lang=lang) for arm in ("referred", "comparison"))
    if min(share) > 95:
        return Prose("")
    what = _what(results, lang)
    if lang == "nl":
        return Prose(
            f"Van de verwezen mensen is van {ours} op de 100 de {what} gevolgd, van de vergelijkbare mensen van {theirs} "
            "op de 100; wat ontbreekt is geschat, en dat maakt de uitkomst onzekerder."
        )
    return Prose(
        f"The {what} of {ours} in 100 referred persons was followed, and of {theirs} in 100 comparable persons; "
        "what is missing was estimated, which makes the result less certain."
    )


_ARTICLES: Final = {
    ("zvw", "nl"): "de zorgverzekeraar",
    ("zvw", "en"): "the health insurer",
    ("wmo", "nl"): "de gemeente",
    ("wmo", "en"): "the municipality",
    ("wlz", "nl"): "het zorgkantoor",
    ("wlz", "en"): "the care office",
    ("own", "nl"): "de persoon zelf",
    ("own", "en"): "the person",
}


def _with_article(payer: str, lang: Lang) -> str:
    return _ARTICLES[payer, lang]


@unless_struck
def payers(results: Results) -> Prose:
    """Say for each payer whether it pays more, less, or that this is not certain."""
    lang = results.lang
    rows = [row for row in payer_rows(results) if row["payer"] != "all"]
    clear = [_payer(row, lang) for row in rows if direction(row) != "unclear"]
    rest = [_with_article(row["payer"], lang) for row in rows if direction(row) == "unclear"]
    told = [f"{text[0].upper()}{text[1:]}." for text in clear]
    if rest:
        told.append(
            f"Voor {listing(rest, lang=lang)} is niet met zekerheid te zeggen of de uitgaven stijgen of dalen."
            if lang == "nl"
            else f"For {listing(rest, lang=lang)} it cannot be said with certainty whether spending rises or falls."
        )
    return Prose(" ".join(told) if told else HIDDEN_RESULT[lang])


def _payer(row: pd.Series[Any], lang: Lang) -> str:
    more = direction(row) == "above"
    ends = sorted(abs(row[name]) for name in ("conf_low", "conf_high"))
    low, high = (about(end, lang) for end in ends)
    who = _with_article(row["payer"], lang)
    if ends[0] < 1:
        word = ("meer" if more else "minder") if lang == "nl" else ("more" if more else "less")
        return (
            f"{who} geeft iets {word} uit, hooguit {high}"
            if lang == "nl"
            else f"{who} spends a little {word}, {high} at most"
        )
    if lang == "nl":
        return f"{who} geeft {'meer' if more else 'minder'} uit: waarschijnlijk {low} tot {high} per verwezen persoon"
    return f"{who} spends {'more' if more else 'less'}: probably {low} to {high} per referred person"


@unless_struck
def attention(results: Results) -> Prose:
    """Say for each uptake scenario what it does to the payer of the trajectory and to all payers together."""
    lang, names = results.lang, scenario_names(results)
    told = [
        _scenario(results, scenario.name, names[scenario.name]) for scenario in plan(results).budget.scenarios
    ]
    return Prose("\n".join(f"- {text}" for text in told) if any(told) else HIDDEN_RESULT[lang])


def _scenario(results: Results, name: str, label: str) -> str:
    lang, payer = results.lang, plan(results).trajectory.payer
    chosen = {"scenario": name, "age_band": "all", "year": 0}
    own = row_of(results, "budget_impact", {**chosen, "payer": payer})
    everybody = row_of(results, "budget_impact", {**chosen, "payer": "all"})
    if own is None or everybody is None:
        return HIDDEN_RESULT[lang]
    years, extra = number(plan(results).budget.years, lang=lang), number(own["extra_referred"], lang=lang)
    who = _with_article(payer, lang)
    if lang == "nl":
        head = f"**{label}**: {extra} mensen meer verwezen in {years} jaar."
        mine = _spending(own, f"{who[0].upper()}{who[1:]}", lang)
        return f"{head} {mine} {_spending(everybody, 'Alle betalers samen', lang)}"
    head = f"**{label}**: {extra} more persons referred in {years} years."
    mine = _spending(own, f"{who[0].upper()}{who[1:]}", lang)
    return f"{head} {mine} {_spending(everybody, 'All payers together', lang)}"


def _spending(row: pd.Series[Any], who: str, lang: Lang) -> str:
    side, many = direction(row), who.startswith(("Alle", "All"))
    ends = sorted(abs(row[name]) for name in ("conf_low", "conf_high"))
    low, high = (about(end, lang) for end in ends)
    less, more = about(row["conf_low"], lang), about(row["conf_high"], lang)
    if lang == "nl":
        verb = "geven" if many else "geeft"
        if side == "unclear":
            return f"{who} {verb} misschien minder uit (tot {less}), misschien meer (tot {more})."
        return f"{who} {verb} waarschijnlijk {low} tot {high} {'meer' if side == 'above' else 'minder'} uit."
    if side == "unclear":
        return f"{who} may spend less (by up to {less}) or more (by up to {more})."
    verb = "spend" if many else "spends"
    return f"{who} probably {verb} {low} to {high} {'more' if side == 'above' else 'less'}."


@unless_struck
def ages(results: Results) -> Prose:
    """Say for each age band whether it is worth its money."""
    lang, told, refused = results.lang, [], False
    for band in results.study.cohort.band_names:
        row = worth(results, band)
        refused = refused or bool(failed(results, band))
        if row is None or failed(results, band):
            continue
        side, where = direction(row), age_words(band, lang)
        lean = f"; {_lean(chance(results, band), lang)}" if side == "unclear" else ""
        told.append(f"{_AGES[side, lang].format(where)}{lean}.")
    if refused:
        return Prose(" ".join([*told, _REFUSED[lang]]))
    return Prose(" ".join([*told, *_between_ages(results)]) if told else HIDDEN_RESULT[lang])


_REFUSED: Final = {
    "nl": "Waar de vergelijking per leeftijd niet voldoet aan de eisen die vooraf zijn gesteld, geven we geen antwoord.",
    "en": "Where the comparison by age does not meet the demands set beforehand, we give no answer.",
}


def _between_ages(results: Results) -> list[str]:
    """Say whether one age band gains more than another: a question of its own, answered apart."""
    lang, frame = results.lang, results.table("band_difference")
    rows = frame[(frame["quantity"] == "net_benefit") & (frame["threshold"] == plan(results).thresholds.main)]
    return [
        _BETWEEN[direction(row), lang].format(*(age_words(row[name], lang) for name in ("first", "second")))
        for _, row in rows[~rows["suppressed"]].iterrows()
    ]


_BETWEEN: Final = {
    ("above", "nl"): "Bij {0} levert het per saldo meer op dan bij {1}.",
    ("above", "en"): "On balance it yields more at {0} than at {1}.",
    ("below", "nl"): "Bij {1} levert het per saldo meer op dan bij {0}.",
    ("below", "en"): "On balance it yields more at {1} than at {0}.",
    ("unclear", "nl"): "Dat het bij de ene leeftijd meer oplevert dan bij de andere, is niet gebleken.",
    ("unclear", "en"): "That it yields more at one age than at the other has not been shown.",
}
_AGES: Final = {
    ("above", "nl"): "Bij {} was het zijn geld waard",
    ("above", "en"): "At {} it was worth its money",
    ("below", "nl"): "Bij {} was het zijn geld niet waard",
    ("below", "en"): "At {} it was not worth its money",
    ("unclear", "nl"): "Of het bij {} zijn geld waard is, staat niet vast",
    ("unclear", "en"): "Whether it is worth its money at {} is not settled",
}


@unless_struck
def highest_price(results: Results) -> Prose:
    """Say which price of a trajectory would just be worth it, or that no price can be named."""
    lang = results.lang
    chosen = {"age_band": "all", "threshold": plan(results).thresholds.main, "quantity": "per_trajectory"}
    row = row_of(results, "break_even", chosen)
    if row is None:
        return Prose(HIDDEN_RESULT[lang])
    if direction(row) == "above":
        middle, low, high = (about(row[name], lang) for name in ("estimate", "conf_low", "conf_high"))
        if lang == "nl":
            return Prose(
                f"Naar beste schatting is een traject zijn geld waard zolang het niet meer kost dan {middle}, maar die "
                f"grens kan ook bij {low} of bij {high} liggen."
            )
        return Prose(
            f"By the best estimate a trajectory is worth its money as long as it costs no more than {middle}, but that "
            f"limit may also lie at {low} or at {high}."
        )
    if lang == "nl":
        return Prose(
            "Welke prijs voor een traject nog de moeite waard is, kan met deze gegevens niet worden genoemd."
        )
    return Prose("Which price of a trajectory would still be worth it cannot be named from these data.")


@unless_struck
def more_research(results: Results) -> Prose:
    """Say what certainty would be worth, and about what."""
    lang, frame = results.lang, results.table("information")
    frame = frame[(frame["age_band"] == "all") & (frame["threshold"] == plan(results).thresholds.main)]
    rows = frame[~frame["suppressed"]].set_index("about")
    if rows.empty:
        return Prose(HIDDEN_RESULT[lang])
    amount = about(float(rows.loc["everything", "population"]), lang)
    larger = "cost" if rows.loc["cost", "per_person"] >= rows.loc["effect", "per_person"] else "effect"
    subject = {
        ("cost", "nl"): "de kosten van zorg",
        ("cost", "en"): "the costs of care",
        ("effect", "nl"): "de gezondheid",
        ("effect", "en"): "health",
    }[larger, lang]
    years = number(plan(results).budget.years, lang=lang)
    if lang == "nl":
        return Prose(
            f"Meer zekerheid is geld waard: over {years} jaar en alle mensen die in aanmerking komen hooguit {amount}. "
            f"Vooral over {subject} valt nog veel te leren."
        )
    return Prose(
        f"More certainty is worth money: over {years} years and all who are eligible at most {amount}. Most is left to "
        f"learn about {subject}."
    )


def rests_on(results: Results) -> Prose:
    """List the assumptions on which much hangs."""
    lang = results.lang
    heavy = [given.text.in_(lang) for given in results.study.assumptions if given.impact == "high"]
    return Prose("\n".join(f"- {text}" for text in heavy))
