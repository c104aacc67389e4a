"""Sentences about reach that follow from the results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wor_eval.language import listing, number, percent
from wor_eval.report.prose import TOO_FEW, named_interval
from wor_eval.report.reach_tables import level_words, per, plan_of
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.report.words import Prose, age_words

if TYPE_CHECKING:
    import pandas as pd


def _rate_row(results: Results, dimension: str, level: str) -> pd.Series[Any] | None:
    frame = results.table("reach_rates")
    rows = frame[(frame["dimension"] == dimension) & (frame["level"] == level) & ~frame["suppressed"]]
    return None if rows.empty else rows.iloc[0]


def headline(results: Results) -> Prose:
    """Say how many are referred, at which rate, and how that differs by age."""
    lang, row = results.lang, _rate_row(results, "all", "all")
    if row is None:
        return Prose(TOO_FEW[lang])
    count, rate = number(float(row["referrals"]), lang=lang), number(float(row["crude"]), 1, lang=lang)
    limits, every = named_interval(row, 1, lang, of="crude"), per(results)
    if lang == "nl":
        first = f"Er waren {count} verwijzingen: {rate} {every} van ingeschrevenen ({limits})."
    else:
        first = f"There were {count} referrals: {rate} {every} of the registered ({limits})."
    return Prose(" ".join([first, *_oldest(results)]))


def _oldest(results: Results) -> list[str]:
    """Say what share of the referrals, and of the registered, is in the oldest age band."""
    lang, band = results.lang, f"{plan_of(results).bands[-1]}+"
    row, whole = _rate_row(results, "age_band", band), _rate_row(results, "all", "all")
    if row is None or whole is None:
        return []
    referred = percent(float(row["referrals"]) / float(whole["referrals"]), lang=lang)
    registered = percent(float(row["person_years"]) / float(whole["person_years"]), lang=lang)
    who = age_words(band, lang)
    if lang == "nl":
        return [
            f"Van de verwijzingen was {referred} van mensen van {who}; van de ingeschreven tijd {registered}."
        ]
    return [f"Of the referrals {referred} were of people of {who}; of the registered time {registered}."]


def signals(results: Results) -> Prose:
    """Say whether the rate is stable over the quarters, by the rules of the run chart."""
    lang, frame = results.lang, results.table("reach_signals")
    row = frame[frame["area"] == "all"].iloc[0]
    if row["suppressed"]:
        return Prose(TOO_FEW[lang])
    out, count = number(float(row["n_outside"]), lang=lang), number(float(row["n_quarters"]), lang=lang)
    nl = lang == "nl"
    if not row["n_outside"]:
        out = "geen" if nl else "none"
    points = (
        f"Van de {count} kwartalen {'ligt' if out == '1' else 'liggen'} er {out} buiten de grenzen van toeval."
        if nl
        else f"Of the {count} quarters {out} {'lies' if out == '1' else 'lie'} outside the limits of chance."
    )
    runs = {
        "yes": (
            "De reeks verschuift: er liggen meer kwartalen achter elkaar aan een kant van de middellijn, of de lijn "
            "kruist haar minder vaak, dan bij toeval past.",
            "The series shifts: more quarters in a row lie on one side of the centre line, or the line crosses it "
            "less often, than chance allows.",
        ),
        "no": (
            "Er is geen verschuiving te zien: de kwartalen wisselen om de middellijn zoals bij toeval past.",
            "No shift can be seen: the quarters move about the centre line as chance would have it.",
        ),
        "too_few_quarters": (
            "Voor de regels over reeksen zijn er te weinig kwartalen.",
            "There are too few quarters for the rules on runs.",
        ),
    }[str(row["shift"])]
    return Prose(f"{points} {runs[0] if nl else runs[1]}")


def practices(results: Results) -> Prose:
    """Say how much practices differ beyond chance, and how many lie outside the limits."""
    lang = results.lang
    if "reach_spread" not in results.tables:
        return Prose(
            "Er zijn geen twee praktijken om te vergelijken."
            if lang == "nl"
            else "There are no two practices to compare."
        )
    row = results.table("reach_spread").iloc[0]
    if row["suppressed"]:
        return Prose(TOO_FEW[lang])
    count, out = number(float(row["n_practices"]), lang=lang), number(float(row["n_outside_95"]), lang=lang)
    far, phi = number(float(row["n_outside_99_8"]), lang=lang), number(float(row["dispersion"]), 1, lang=lang)
    wide = float(row["sd_between"]) > 0 or float(row["limits_factor"]) > 1
    if lang == "nl":
        spread = (
            f"Praktijken verschillen meer dan bij toeval past (phi {phi}; bij toeval alleen ongeveer een); de grenzen "
            "zijn daarop verbreed."
            if wide
            else f"Praktijken verschillen niet duidelijk meer dan bij toeval past (phi {phi})."
        )
        return Prose(f"{spread} Van {count} praktijken liggen er {out} buiten de grenzen van 95%, waarvan {far} buiten "
                     f"die van {number(99.8, 1, lang=lang)}%.")  # fmt: skip
    spread = (
        f"Practices differ more than chance allows (phi {phi}; about one under chance alone); the limits are widened "
        "for that."
        if wide
        else f"Practices do not clearly differ more than chance allows (phi {phi})."
    )
    return Prose(f"{spread} Of {count} practices {out} lie outside the 95% limits, of which {far} outside those of "
                 f"{number(99.8, 1, lang=lang)}%.")  # fmt: skip


def equity(results: Results) -> Prose:
    """Say how the lowest-income neighbourhoods compare with the highest, or that income is not known."""
    lang, row = results.lang, _rate_row(results, "income", "1")
    if row is None or row[["ratio", "ratio_low", "ratio_high"]].isna().any():
        return Prose(
            "Het inkomen van de buurt staat niet in de gegevens, of het is te klein om te vergelijken."
            if lang == "nl"
            else "Neighbourhood income is not in the data, or numbers are too small to compare."
        )
    ratio, limits = number(float(row["ratio"]), 2, lang=lang), named_interval(row, 2, lang, of="ratio")
    apart = float(row["ratio_low"]) > 1 or float(row["ratio_high"]) < 1
    if lang == "nl":
        clear = "" if apart else " Dat verschil is niet duidelijk."
        return Prose(f"Bij gelijke leeftijd en geslacht is het verwijscijfer in de buurten met het laagste inkomen "
                     f"{ratio} maal dat in de buurten met het hoogste ({limits}).{clear}")  # fmt: skip
    clear = "" if apart else " That difference is not clear."
    return Prose(f"At equal age and sex, the rate of referral in the lowest-income neighbourhoods is {ratio} times that "
                 f"in the highest ({limits}).{clear}")  # fmt: skip


def steps(results: Results) -> Prose:
    """Say how many referrals come to an intake, an activity and completion."""
    lang, frame = results.lang, results.table("reach_steps")
    rows = frame[(frame["age_band"] == "all") & ~frame["suppressed"]].set_index("step")
    parts = [
        f"{term(f'step_{step}', lang).lower()} {percent(float(rows.loc[step, 'share']), lang=lang)}"
        for step in ("intake", "started", "completed")
        if step in rows.index
    ]
    if not parts:
        return Prose(TOO_FEW[lang])
    days = number(plan_of(results).steps_days, lang=lang)
    if lang == "nl":
        return Prose(
            f"Binnen {days} dagen na de verwijzing: {listing(parts, lang=lang)} van de verwijzingen."
        )
    return Prose(f"Within {days} days of the referral: {listing(parts, lang=lang)} of the referrals.")


def sources(results: Results) -> Prose:
    """Say who refers most, and for what."""
    lang, frame = results.lang, results.table("reach_sources")
    parts = []
    for dimension in ("referrer", "reason"):
        rows = frame[(frame["dimension"] == dimension) & ~frame["suppressed"] & (frame["level"] != "unknown")]
        if len(rows):
            top = rows.iloc[0]
            share = percent(float(top["share"]), lang=lang)
            parts.append(f"{level_words(dimension, str(top['level']), lang)} ({share})")
    if len(parts) < 2:
        return Prose(TOO_FEW[lang])
    if lang == "nl":
        return Prose(f"De vaakste verwijzer is de {parts[0]}; de vaakste reden {parts[1]}.")
    return Prose(f"The most frequent referrer is the {parts[0]}; the most frequent reason {parts[1]}.")


def flags(results: Results) -> Prose:
    """Say whether anything in the data stands in the way of the rates."""
    lang, frame = results.lang, results.table("reach_flags")
    missing = frame[frame["reason"] != "outside_period"]
    trouble = bool((missing[["n_units", "n_referrals"]].fillna(1).to_numpy(float) > 0).any())
    if lang == "nl":
        return Prose(
            "Let op: bij een deel van de verwijzingen, praktijken of kwartalen ontbreekt de noemer."
            if trouble
            else "Bij elke verwijzing, elke praktijk en elk kwartaal is er een noemer."
        )
    return Prose(
        "Mind: for some of the referrals, practices or quarters the denominator is missing."
        if trouble
        else "Every referral, every practice and every quarter has a denominator."
    )
