"""Sentences about published evidence that follow from the results, in Dutch and English."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wor_eval.language import listing, number
from wor_eval.report.published_tables import rests_on, short, with_unit
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.report.words import Prose

if TYPE_CHECKING:
    import pandas as pd


def answer(results: Results) -> Prose:
    """Give the answer in a few sentences: what is there, what does not follow, what can be pooled."""
    return Prose(
        " ".join(part(results).text for part in (what_there_is, what_does_not_follow, what_is_pooled))
    )


def what_there_is(results: Results) -> Prose:
    """Count the sources by design, and the numbers that were recomputed."""
    sources, recomputed, lang = results.table("published_sources"), results.table("recomputed"), results.lang
    counts = {design: int((sources["design"] == design).sum()) for design in dict.fromkeys(sources["design"])}
    order = [d for d in ("uncontrolled", "matched", "randomised", "none") if d in counts]
    kinds = [f"{number(counts[d], lang=lang)} {_KIND[d][lang]}" for d in order]
    n, beside = len(recomputed), int((recomputed["verdict"] != "nothing_printed").sum())
    all_of, checked = number(len(sources), lang=lang), number(beside, lang=lang)
    if lang == "nl":
        return Prose(
            f"Er zijn {all_of} bronnen: {listing(kinds, lang=lang)}. Uit wat zij afdrukken zijn "
            f"{number(n, lang=lang)} getallen nagerekend; bij {checked} daarvan staat er een gedrukt getal naast."
        )
    return Prose(
        f"There are {all_of} sources: {listing(kinds, lang=lang)}. From what they print, {number(n, lang=lang)} "
        f"numbers "
        f"were recomputed; {checked} of these have a printed number beside them."
    )


_KIND = {
    "uncontrolled": {"nl": "zonder vergelijkingsgroep", "en": "with no comparison group"},
    "matched": {
        "nl": "met een vergelijkingsgroep die niet is geloot",
        "en": "with a comparison group, not randomised",
    },
    "randomised": {"nl": "geloot", "en": "randomised"},
    "none": {"nl": "zonder onderzoek naar een effect", "en": "that study no effect"},
}


def what_does_not_follow(results: Results) -> Prose:
    """Name the printed numbers that do not follow from the figures beside them, with the gap."""
    frame, lang = results.table("recomputed"), results.lang
    wrong = frame[frame["verdict"] == "does_not_follow"]
    if wrong.empty:
        says = {
            "nl": "Alle gedrukte getallen volgen uit de cijfers ernaast, binnen de afronding.",
            "en": "All printed numbers follow from the figures beside them, within rounding.",
        }
        return Prose(says[lang])
    each = [_not_following(rows, results) for _, rows in wrong.groupby(["source", "printed"], sort=False)]
    rest = int(frame["verdict"].isin(["follows", "within_rounding"]).sum())
    others = number(rest, lang=lang)
    last = (
        f"De andere {others} gedrukte getallen volgen wel, binnen de afronding."
        if lang == "nl"
        else f"The other {others} printed numbers do follow, within rounding."
    )
    return Prose(" ".join([*each, last]))


def _not_following(rows: pd.DataFrame, results: Results) -> str:
    lang, first = results.lang, rows.iloc[0]
    digits = max(int(first["decimals"]) - 1, 0)
    found = listing(
        [with_unit(value, first["unit"], digits, lang) for value in rows["recomputed"]], lang=lang
    )
    named = [str(text).lower() for text in rows[f"quantity_{lang}"]]
    printed, who = with_unit(first["printed"], first["unit"], digits, lang), short(first["citation"])
    if lang == "nl":
        return f"Wat {who} drukt, {printed}, **volgt niet**: nagerekend is het {found} ({listing(named, lang=lang)})."
    return f"What {who} prints, {printed}, **does not follow**: recomputed it is {found} ({listing(named, lang=lang)})."


def what_is_pooled(results: Results) -> Prose:
    """Say for each outcome and design what was pooled, or that there was too little."""
    frame, lang = results.table("pooled"), results.lang
    pooled = frame[frame["pooled"]]
    parts = [_pooled(row, results) for _, row in pooled.iterrows()]
    if len(pooled) < len(frame):
        parts.append(_too_few(frame[~frame["pooled"]], results, nothing=pooled.empty))
    return Prose(" ".join(parts)) if parts else Prose(term("nothing_to_show", lang))


def _pooled(row: pd.Series[Any], results: Results) -> str:
    lang = results.lang
    values = {name: number(row[name], 2, lang=lang) for name in _POOLED}
    design, n = term(f"published_{row['design']}", lang).lower(), number(row["n_usable"], lang=lang)
    if lang == "nl":
        return (
            f"{row['label_nl']}, {design}: {values['estimate']} (95%-BI {values['conf_low']} tot "
            f"{values['conf_high']}) "
            f"uit {n} onderzoeken; een volgend onderzoek ligt naar verwachting tussen {values['prediction_low']} en "
            f"{values['prediction_high']}."
        )
    return (
        f"{row['label_en']}, {design}: {values['estimate']} (95% CI {values['conf_low']} to "
        f"{values['conf_high']}) from "
        f"{n} studies; a next study is expected between {values['prediction_low']} and {values['prediction_high']}."
    )


_POOLED = ("estimate", "conf_low", "conf_high", "prediction_low", "prediction_high")


def _too_few(rows: pd.DataFrame, results: Results, *, nothing: bool) -> str:
    lang, fewest = results.lang, number(int(rows["fewest"].max()), lang=results.lang)
    most = number(int(rows["n_usable"].max()), lang=lang)
    if lang == "nl":
        start = "Samenvoegen kan niet" if nothing else "Voor de andere opzetten kan samenvoegen niet"
        return (
            f"{start}: daarvoor zijn per opzet ten minste {fewest} vergelijkbare resultaten met een "
            f"standaardfout nodig, en "
            f"er zijn er ten hoogste {most}."
        )
    start = "Nothing can be pooled" if nothing else "For the other designs nothing can be pooled"
    return (
        f"{start}: that takes at least {fewest} comparable results with a standard error by design, and there are at "
        f"most {most}."
    )


def misquotes(results: Results) -> Prose:
    """Say how later texts quote a source, and what it says."""
    frame, lang = results.table("misquoted"), results.lang
    if frame.empty:
        return Prose(
            "Er zijn geen onjuiste aanhalingen bekend." if lang == "nl" else "No misquotations are known."
        )
    return Prose(" ".join(_misquote(row, results) for _, row in frame.iterrows()))


def _misquote(row: pd.Series[Any], results: Results) -> str:
    lang, who = results.lang, short(str(row["citation"]))
    numbers = rests_on(results, row)
    proof = "" if numbers == "–" else f" ({numbers})"
    says, fact = str(row[f"says_{lang}"]).rstrip("."), str(row[f"in_fact_{lang}"]).rstrip(".")
    if lang == "nl":
        return (
            f"{row['by_nl']} haalt {who} aan als: “{says}”. Wat er staat: {fact[0].lower()}{fact[1:]}{proof}."
        )
    return f"{row['by_en']} quote {who} as: “{says}”. What it says: {fact[0].lower()}{fact[1:]}{proof}."
