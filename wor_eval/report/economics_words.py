"""Sentences about costs and effects that follow from the results, in Dutch and English.

Nothing is said to cost or to spare money where its interval covers zero.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from wor_eval.language import interval, listing, number, percent
from wor_eval.report.economics_tables import plan, scenario_names
from wor_eval.report.gate_words import struck
from wor_eval.report.prose import HIDDEN_RESULT, named_interval
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.report.words import Prose, age_words
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd

Direction = Literal["above", "below", "unclear"]


def direction(row: pd.Series[Any]) -> Direction:
    """Say on which side of zero an interval lies, or that it covers zero."""
    if row["conf_low"] > 0:
        return "above"
    return "below" if row["conf_high"] < 0 else "unclear"


def row_of(results: Results, table: str, chosen: dict[str, Any]) -> pd.Series[Any] | None:
    """Give the one row that fits, or None where it is hidden or not there."""
    frame = results.table(table)
    for column, value in chosen.items():
        frame = frame[frame[column] == value]
    if len(frame) != 1 or frame.iloc[0]["suppressed"] or math.isnan(frame.iloc[0].get("estimate", 0.0)):
        return None
    return frame.iloc[0]


def difference(results: Results, quantity: str, band: str) -> pd.Series[Any] | None:
    """Give the main estimate of incremental cost or effect in a band."""
    main = next(iter(results.table("incremental")["method"]))
    perspective = plan(results).perspective
    chosen = {"method": main, "perspective": perspective, "age_band": band, "quantity": quantity}
    return row_of(results, "incremental", chosen)


def worth(results: Results, band: str) -> pd.Series[Any] | None:
    """Give the net benefit at the main threshold in a band."""
    chosen = {"perspective": plan(results).perspective, "age_band": band}
    return row_of(results, "net_benefit", {**chosen, "threshold": plan(results).thresholds.main})


def chance(results: Results, band: str) -> float:
    """Give the probability that referral is the best choice at the main threshold."""
    frame = results.table("acceptability")
    rows = frame[(frame["age_band"] == band) & (frame["threshold"] == plan(results).thresholds.main)]
    return float(rows["probability"].iloc[0])


def answer(results: Results, *, age_band: str = "all") -> Prose:
    """Say whether referral is worth its money at the main threshold, with the interval of its net benefit."""
    row = worth(results, age_band)
    if row is None:
        return Prose(HIDDEN_RESULT[results.lang])
    return Prose(struck(results, _answer(results, row, age_band), age_band))


def _answer(results: Results, row: pd.Series[Any], age_band: str) -> str:
    lang = results.lang
    limits = named_interval(row, 0, lang)
    value, money = number(row["estimate"], lang=lang), number(plan(results).thresholds.main, lang=lang)
    unit, share = plan(results).effect.unit.in_(lang), percent(chance(results, age_band), lang=lang)
    said = _ANSWERS[direction(row), lang]
    if lang == "nl":
        return (
            f"**{said}** Bij € {money} per {unit} is de nettobaat € {value} per verwezen persoon "
            f"({limits}); de kans dat verwijzen de beste keuze is, is {share}."
        )
    return (
        f"**{said}** At € {money} per {unit} the net benefit is € {value} per referred person ({limits}); "
        f"the probability that referring is the best choice is {share}."
    )


_ANSWERS: dict[tuple[Direction, Lang], str] = {
    ("above", "nl"): "Welzijn op Recept is in deze vergelijking zijn geld waard.",
    ("above", "en"): "In this comparison Welzijn op Recept is worth its money.",
    ("below", "nl"): "Welzijn op Recept is in deze vergelijking zijn geld niet waard.",
    ("below", "en"): "In this comparison Welzijn op Recept is not worth its money.",
    ("unclear", "nl"): "Of Welzijn op Recept zijn geld waard is, is met deze gegevens niet te zeggen.",
    ("unclear", "en"): "Whether Welzijn op Recept is worth its money cannot be told from these data.",
}


def differences(results: Results) -> Prose:
    """Say how costs and effect of the referred differ, overall and by age band."""
    lang = results.lang
    parts = [_both(results, band) for band in ("all", *results.study.cohort.band_names)]
    told = [part for part in parts if part]
    return Prose(" ".join(told) if told else HIDDEN_RESULT[lang])


def _both(results: Results, band: str) -> str:
    cost, effect = (difference(results, quantity, band) for quantity in ("cost", "effect"))
    lang, unit = results.lang, plan(results).effect.unit.in_(results.lang)
    if cost is None or effect is None:
        return ""
    money = f"€ {number(cost['estimate'], lang=lang)}"
    cost_limits = named_interval(cost, 0, lang)
    gain = number(effect["estimate"], 3, lang=lang)
    gain_limits = named_interval(effect, 3, lang)
    if lang == "nl":
        where = "Over alle leeftijden" if band == "all" else f"Bij {age_words(band, lang)}"
        says = {"above": "hoger", "below": "lager", "unclear": "niet aantoonbaar anders"}
        return (
            f"{where} waren de kosten van verwezen mensen {says[direction(cost)]} (verschil {money}, "
            f"{cost_limits}) en was het effect {says[direction(effect)]} (verschil {gain} {unit}, {gain_limits})."
        )
    where = "Over all ages" if band == "all" else f"At {age_words(band, lang)}"
    says = {"above": "higher", "below": "lower", "unclear": "not demonstrably different"}
    return (
        f"{where} the costs of the referred were {says[direction(cost)]} (difference {money}, {cost_limits}) and "
        f"the effect was {says[direction(effect)]} (difference {gain} {unit}, {gain_limits})."
    )


def ratio(results: Results, *, age_band: str = "all") -> Prose:
    """Say the cost per unit of effect, or who dominates, and whether an interval exists."""
    frame, lang = results.table("icer"), results.lang
    frame = frame[(frame["perspective"] == plan(results).perspective) & (frame["age_band"] == age_band)]
    row = frame.iloc[0]
    if row["suppressed"]:
        return Prose(HIDDEN_RESULT[lang])
    amount = number(row["ratio"], lang=lang)
    unit = plan(results).effect.unit.in_(lang)
    said = _VERDICTS[row["verdict"], lang].format(amount=amount, unit=unit)
    if str(row["bounded"]) == "True" and row["conf_low"] > 0:
        return Prose(f"{said} ({named_interval(row, 0, lang)}).")
    return Prose(f"{said}. {_UNBOUNDED[lang]}")


_VERDICTS = {
    ("dominant", "nl"): "De puntschatting is *dominant*: meer effect, niet duurder; dan is er geen verhouding",
    ("dominant", "en"): "The point estimate is *dominant*: more effect, at no extra cost; there is no ratio then",
    ("dominated", "nl"): "De puntschatting is *gedomineerd*: minder effect, niet goedkoper; dan is er geen verhouding",
    ("dominated", "en"): "The point estimate is *dominated*: less effect, no cheaper; there is no ratio then",
    ("costs_more_for_more", "nl"): "De puntschatting is € {amount} per gewonnen {unit}",
    ("costs_more_for_more", "en"): "The point estimate is € {amount} per {unit} gained",
    ("saves_for_less", "nl"): "De puntschatting is minder effect voor minder geld: € {amount} per verloren {unit}",
    ("saves_for_less", "en"): "The point estimate is less effect for less money: € {amount} per {unit} lost",
}  # fmt: skip
_UNBOUNDED = {
    "nl": "Een interval voor de verhouding bestaat niet als prijs: kosten en effect zijn daarvoor te onzeker. Lees "
    "daarom de nettobaat.",
    "en": "An interval of the ratio does not exist as a price: cost and effect are too uncertain for that. Read the net "
    "benefit instead.",
}


def payers(results: Results) -> Prose:
    """Say which payers demonstrably pay more or less because of referral, all ages together."""
    lang = results.lang
    rows = payer_rows(results)
    sides = {
        side: [_payer(row, lang) for row in rows if direction(row) == side]
        for side in ("above", "below", "unclear")
    }
    words = {
        "nl": {
            "above": "Meer uitgaven per verwezen persoon: {}.",
            "below": "Minder uitgaven per verwezen persoon: {}.",
            "unclear": "Niet aantoonbaar anders: {}.",
        },
        "en": {
            "above": "More spent per referred person: {}.",
            "below": "Less spent per referred person: {}.",
            "unclear": "Not demonstrably different: {}.",
        },
    }[lang]
    told = [words[side].format(listing(found, lang=lang)) for side, found in sides.items() if found]
    return Prose(" ".join(told) if told else HIDDEN_RESULT[lang])


def payer_rows(results: Results) -> list[pd.Series[Any]]:
    """Give the balance of each payer per referred person, all ages together."""
    frame = results.table("payer_balance")
    frame = frame[(frame["per"] == "person") & (frame["part"] == "net") & (frame["age_band"] == "all")]
    return [row for _, row in frame[~frame["suppressed"]].iterrows()]


def _payer(row: pd.Series[Any], lang: Lang) -> str:
    name, euros = term(f"payer_{row['payer']}", lang).lower(), number(row["estimate"], lang=lang)
    return f"{name} (€ {euros}; {named_interval(row, 0, lang)})"


def budget(results: Results) -> Prose:
    """Say what each uptake scenario does to all payers together, over all years."""
    lang, names = results.lang, scenario_names(results)
    frame = results.table("budget_impact")
    frame = frame[(frame["payer"] == "all") & (frame["age_band"] == "all") & (frame["year"] == 0)]
    told = []
    for _, row in frame[~frame["suppressed"]].iterrows():
        size, extra = number(abs(row["estimate"]), lang=lang), number(row["extra_referred"], lang=lang)
        years = number(plan(results).budget.years, lang=lang)
        said = _BUDGETS[direction(row), lang].format(size=size)
        if lang == "nl":
            head = f"*{names[row['scenario']]}* ({extra} mensen meer verwezen in {years} jaar): {said}"
        else:
            head = f"*{names[row['scenario']]}* ({extra} more persons referred in {years} years): {said}"
        told.append(f"{head} ({named_interval(row, 0, lang)}).")
    return Prose(" ".join(told) if told else HIDDEN_RESULT[lang])


_BUDGETS: dict[tuple[Direction, Lang], str] = {
    ("above", "nl"): "alle betalers samen geven € {size} meer uit",
    ("above", "en"): "all payers together spend € {size} more",
    ("below", "nl"): "alle betalers samen geven € {size} minder uit",
    ("below", "en"): "all payers together spend € {size} less",
    ("unclear", "nl"): "of alle betalers samen meer of minder uitgeven, is niet te zeggen",
    ("unclear", "en"): "whether all payers together spend more or less cannot be told",
}


def groups(results: Results) -> Prose:
    """Say whether one choice for all age bands loses anything at the main threshold."""
    lang = results.lang
    frame = results.table("subgroup_value")
    rows = frame[(frame["threshold"] == plan(results).thresholds.main) & ~frame["suppressed"]]
    if rows.empty:
        return Prose(HIDDEN_RESULT[lang])
    lost, choice = float(rows["lost_over_all"].iloc[0]), term(f"choice_{rows['best_for_all'].iloc[0]}", lang)
    if lost < 0.5:
        if lang == "nl":
            return Prose(
                f"Naar de puntschattingen is dezelfde keuze ({choice.lower()}) de beste voor alle leeftijdsgroepen: "
                "apart beslissen levert niets op. Toeval kan groepen schijnbaar laten verschillen, of hun verschil "
                "verbergen."
            )
        return Prose(
            f"By the point estimates the same choice ({choice.lower()}) is best for every age band: deciding apart gains "
            "nothing. Chance can make bands seem to differ, or hide that they do."
        )
    apart = [
        f"{age_words(r['age_band'], lang)}: {term('choice_' + r['best_for_band'], lang).lower()}"
        for _, r in rows.iterrows()
    ]
    size = number(lost, lang=lang)
    if lang == "nl":
        return Prose(
            f"Naar de puntschattingen verschilt de beste keuze per leeftijd ({listing(apart, lang=lang)}). Eén keuze "
            f"voor allen ({choice.lower()}) kost € {size} per persoon; dat is een bovengrens, want toevallige "
            "verschillen tellen mee."
        )
    return Prose(
        f"By the point estimates the best choice differs by age ({listing(apart, lang=lang)}). One choice for all "
        f"({choice.lower()}) loses € {size} per person; that is an upper limit, since chance differences count."
    )


def apart(results: Results) -> Prose:
    """Say whether the net benefit of referral differs between the age bands, with the interval of that difference."""
    lang, frame = results.lang, results.table("band_difference")
    rows = frame[(frame["quantity"] == "net_benefit") & (frame["threshold"] == plan(results).thresholds.main)]
    told = []
    for _, row in rows[~rows["suppressed"]].iterrows():
        who = {name: age_words(row[name], lang) for name in ("first", "second")}
        size = number(abs(row["estimate"]), lang=lang)
        limits = interval(row["conf_low"], row["conf_high"], lang=lang)
        told.append(_APART[direction(row), lang].format(**who, size=size, limits=limits))
    return Prose(" ".join(told) if told else HIDDEN_RESULT[lang])


_APART: dict[tuple[Direction, Lang], str] = {
    ("above", "nl"): "Bij {first} is de nettobaat € {size} hoger dan bij {second} (95%-BI {limits}).",
    ("above", "en"): "At {first} the net benefit is € {size} higher than at {second} (95% CI {limits}).",
    ("below", "nl"): "Bij {first} is de nettobaat € {size} lager dan bij {second} (95%-BI {limits}).",
    ("below", "en"): "At {first} the net benefit is € {size} lower than at {second} (95% CI {limits}).",
    (
        "unclear",
        "nl",
    ): "Dat de nettobaat bij {first} anders is dan bij {second}, is niet aangetoond (verschil 95%-BI "
    "€ {limits}).",
    (
        "unclear",
        "en",
    ): "That the net benefit at {first} differs from that at {second} has not been shown (95% CI of the "
    "difference € {limits}).",
}


def research(results: Results) -> Prose:
    """Say what knowing everything for certain would be worth to all who are eligible."""
    lang = results.lang
    frame = results.table("information")
    frame = frame[(frame["age_band"] == "all") & (frame["threshold"] == plan(results).thresholds.main)]
    rows = frame[~frame["suppressed"]].set_index("about")
    if rows.empty:
        return Prose(HIDDEN_RESULT[lang])
    worth, years = number(rows.loc["everything", "population"], lang=lang), plan(results).budget.years
    larger = "cost" if rows.loc["cost", "per_person"] >= rows.loc["effect", "per_person"] else "effect"
    if lang == "nl":
        about = {"cost": "de kosten", "effect": "het effect"}[larger]
        return Prose(
            f"Zeker weten wat de beste keuze is, zou voor iedereen die in {number(years, lang=lang)} jaar in aanmerking "
            f"komt hooguit € {worth} waard zijn. Het meest valt te winnen bij kennis over {about}."
        )
    about = {"cost": "costs", "effect": "the effect"}[larger]
    return Prose(
        f"Knowing for certain which choice is best would be worth at most € {worth} to all who are eligible in "
        f"{number(years, lang=lang)} years. Most is to be gained from knowledge about {about}."
    )


def missing(results: Results) -> Prose:
    """Say of how many matched persons costs and effect are known, and what was done about the others."""
    frame, lang = results.table("completeness"), results.lang
    rows = frame[frame["age_band"] == "all"].set_index("arm")
    told = []
    for arm in ("referred", "comparison"):
        row = rows.loc[arm]
        if row["suppressed"]:
            return Prose(HIDDEN_RESULT[lang])
        counts = [number(float(row[name]), lang=lang) for name in ("n_matched", "n_cost", "n_both")]
        name = term(arm, lang).lower()
        told.append(
            f"{name}: van {counts[0]} gematchte personen zijn van {counts[1]} alle kosten bekend, en van {counts[2]} ook "
            "het effect"
            if lang == "nl"
            else f"{name}: of {counts[0]} matched persons all costs are known of {counts[1]}, and the effect too of "
            f"{counts[2]}"
        )
    text = "; ".join(told)
    return Prose(f"{text[0].upper()}{text[1:]}.")


def method(results: Results) -> Prose:
    """Say over which horizon, in which prices, by which guideline and with how many draws."""
    lang, economics = results.lang, plan(results)
    days, year = number(economics.horizon_days, lang=lang), economics.trajectory.price_year
    perspective = term(f"perspective_{economics.perspective}", lang).lower()
    draws = number(economics.replicates, lang=lang)
    effect = _MEASURES[economics.effect.measure, lang].format(
        instrument=results.study.outcome(_effect_outcome(results)).label.in_(lang)
        if _effect_outcome(results)
        else economics.effect.instrument
    )
    if lang == "nl":
        return Prose(
            f"Kosten en effecten zijn geteld over {days} dagen vanaf de indexdatum, vanuit het perspectief "
            f"*{perspective}*, in euro's van {year}. {effect} Binnen één jaar wordt niet verdisconteerd; waar latere "
            f"jaren meetellen geldt de discontovoet van {economics.guideline}. Drempelwaarden: "
            f"{economics.thresholds.source.nl} De onzekerheid "
            f"komt uit {draws} gezamenlijke trekkingen van kosten en effect."
        )
    return Prose(
        f"Costs and effects are counted over {days} days from the index date, from the perspective *{perspective}*, in "
        f"euros of {year}. {effect} Within one year nothing is discounted; where later years count, the discount rate of "
        f"{economics.guideline} holds. Thresholds: {economics.thresholds.source.en} The uncertainty comes from {draws} "
        "joint draws of cost and effect."
    )


_MEASURES = {
    (
        "qaly",
        "nl",
    ): "Het effect is in QALY's: de oppervlakte onder de waarden van {instrument} volgens het Nederlandse "
    "tarief, gecorrigeerd voor de waarde bij aanvang.",
    (
        "qaly",
        "en",
    ): "The effect is in QALYs: the area under the values of {instrument} by the Dutch value set, adjusted for "
    "the value at baseline.",
    (
        "area",
        "nl",
    ): "Het effect is de oppervlakte onder {instrument}, gecorrigeerd voor de score bij aanvang.",
    ("area", "en"): "The effect is the area under {instrument}, adjusted for the score at baseline.",
}


def _effect_outcome(results: Results) -> str:
    """Give the outcome of the plan with the instrument of the effect; empty where there is none."""
    instrument = plan(results).effect.instrument
    return next((o.name for o in results.study.outcomes if o.instrument == instrument), "")
