"""Tables of published evidence: sources, printed beside recomputed, what can be pooled, what is quoted otherwise."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from wor_eval.language import INTERVAL, MISSING, interval, number
from wor_eval.report.columns import Column, ReportTable, columns_of, report_table
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd

_BARE = ("ratio", "correlation")  # units without a word
_WORST_FIRST = ("does_not_follow", "within_rounding", "follows")


def short(citation: str) -> str:
    """Give authors and year of a citation.

    Examples
    --------
    >>> short("Carnes et al. (2017), social prescribing in City and Hackney")
    'Carnes et al. (2017)'
    """
    found = re.match(r".*?\(\d{4}\)", citation)
    return found[0] if found else citation


def with_unit(value: float, unit: str, digits: int, lang: Lang) -> str:
    """Write a number with its unit: ``44%``, ``1,956 GBP``; a ratio has none."""
    if math.isnan(value):
        return MISSING
    text = number(value, digits, lang=lang)
    word = "" if unit in _BARE else term(f"unit_{unit}", lang, otherwise=unit)
    return f"{text}%" if word == "%" else f"{text} {word}".strip()


def _citation(lang: Lang) -> Column:
    return Column(header="Publicatie" if lang == "nl" else "Publication", cell=_cited, numeric=False)


def _cited(row: pd.Series[Any]) -> str:
    return short(str(row["citation"]))


def _text(header: str, stem: str, lang: Lang) -> Column:
    def cell(row: pd.Series[Any]) -> str:
        text = row[f"{stem}_{lang}"]
        return text if isinstance(text, str) else ""

    return Column(header=header, cell=cell, numeric=False)


def _words(results: Results, table: str, *stems: str) -> tuple[str, ...]:
    """Give the labels of columns that come in both languages, without the name of the language."""
    labels = columns_of(results, table).labels
    return tuple(labels[f"{stem}_{results.lang}"].split(" (")[0] for stem in stems)


def sources(results: Results) -> ReportTable:
    """Show each source: its design, who they are and how many."""
    lang, column = results.lang, columns_of(results, "published_sources")
    study, population = _words(results, "published_sources", "study", "population")
    columns = [
        _citation(lang),
        column.text("design", prefix="published_"),
        _text(study, "study", lang),
        _text(population, "population", lang),
        column.count("n_persons"),
    ]
    return report_table(results.table("published_sources"), columns)


def access(results: Results) -> ReportTable:
    """Show what of each source could be seen, and where it is found."""
    lang, column = results.lang, columns_of(results, "published_sources")
    (seen,) = _words(results, "published_sources", "access")
    columns = [
        _citation(lang),
        _text(seen, "access", lang),
        Column(header=column.labels["found_at"], cell=lambda row: _link(str(row["found_at"])), numeric=False),
    ]
    return report_table(results.table("published_sources"), columns)


def _link(found_at: str) -> str:
    address = found_at.removeprefix("https://doi.org/")
    return f"[{address}]({found_at})" if found_at.startswith("http") else found_at


def beside(results: Results) -> ReportTable:
    """Show what is printed beside what follows from the other printed numbers, the largest trouble first."""
    lang, column = results.lang, columns_of(results, "recomputed")
    frame = results.table("recomputed")
    frame = frame[frame["verdict"] != "nothing_printed"]
    order = frame["verdict"].map({verdict: place for place, verdict in enumerate(_WORST_FIRST)})
    frame = frame.assign(order=order).sort_values("order", kind="stable")
    (quantity,) = _words(results, "recomputed", "quantity")
    columns = [
        _citation(lang),
        _text(quantity, "quantity", lang),
        Column(header=column.labels["printed"], cell=lambda row: _printed(row, lang)),
        Column(
            header=column.labels["recomputed"],
            cell=lambda row: number(row["recomputed"], int(row["decimals"]), lang=lang),
        ),
        Column(
            header=column.labels["gap"], cell=lambda row: number(row["gap"], int(row["decimals"]), lang=lang)
        ),
        column.text("verdict", prefix="verdict_"),
    ]
    return report_table(frame, columns)


def _printed(row: pd.Series[Any], lang: Lang) -> str:
    return with_unit(row["printed"], row["unit"], max(int(row["decimals"]) - 1, 0), lang)


def _followed(row: pd.Series[Any], lang: Lang) -> str:
    return with_unit(row["recomputed"], row["unit"], int(row["decimals"]), lang)


def follows(results: Results) -> ReportTable:
    """Show what follows from the printed numbers where the source prints nothing to set beside it."""
    lang, column = results.lang, columns_of(results, "recomputed")
    frame = results.table("recomputed")
    frame = frame[frame["verdict"] == "nothing_printed"]
    (quantity,) = _words(results, "recomputed", "quantity")
    rounding = "Door afronding tussen" if lang == "nl" else "Given rounding, between"
    columns = [
        _citation(lang),
        _text(quantity, "quantity", lang),
        Column(header=column.labels["recomputed"], cell=lambda row: _followed(row, lang)),
        Column(
            header=INTERVAL[lang],
            cell=lambda row: _limits(row, ("conf_low", "conf_high"), lang),
        ),
        Column(header=rounding, cell=lambda row: _limits(row, ("rounding_low", "rounding_high"), lang)),
    ]
    return report_table(frame, columns)


def _limits(row: pd.Series[Any], names: tuple[str, str], lang: Lang) -> str:
    """Write two limits; nothing where there are none, or where they are one number."""
    low, high = (float(row[name]) for name in names)
    if math.isnan(low) or low == high:
        return MISSING
    return interval(low, high, int(row["decimals"]), lang=lang)


def misquoted(results: Results) -> ReportTable:
    """Show how later texts quote a source, and what it says: in words and in its own printed numbers."""
    lang = results.lang
    by, says, in_fact = _words(results, "misquoted", "by", "says", "in_fact")
    columns = [
        _citation(lang),
        _text(by, "by", lang),
        _text(says, "says", lang),
        Column(header=in_fact, cell=lambda row: _in_fact(results, row), numeric=False),
    ]
    return report_table(results.table("misquoted"), columns)


def _in_fact(results: Results, row: pd.Series[Any]) -> str:
    numbers, fact = rests_on(results, row), str(row[f"in_fact_{results.lang}"])
    return fact if numbers == MISSING else f"{fact} {numbers}."


def rests_on(results: Results, row: pd.Series[Any]) -> str:
    """Write the printed numbers that a quotation rests on, with what they are of."""
    names = row["rests_on"].split() if isinstance(row["rests_on"], str) else []
    numbers, lang = results.table("published_numbers"), results.lang
    found = [
        numbers[(numbers["source"] == row["source"]) & (numbers["number"] == name)].iloc[0] for name in names
    ]
    return "; ".join(f"{item[f'quantity_{lang}']}: {as_printed(item, lang)}" for item in found) or MISSING


def as_printed(row: pd.Series[Any], lang: Lang) -> str:
    """Write a printed number as it is printed, or the printed statement."""
    if math.isnan(row["value"]):
        return str(row[f"text_{lang}"])
    text = with_unit(row["value"], str(row["unit"]), int(row["decimals"]), lang)
    if math.isnan(row["conf_low"]):
        return text
    return f"{text} ({interval(row['conf_low'], row['conf_high'], int(row['decimals']), lang=lang)})"


def printed(results: Results) -> ReportTable:
    """Show every printed number of every source, with where it stands."""
    lang, column = results.lang, columns_of(results, "published_numbers")
    quantity, where = _words(results, "published_numbers", "quantity", "where")
    columns = [
        _citation(lang),
        _text(quantity, "quantity", lang),
        Column(header=column.labels["value"], cell=lambda row: as_printed(row, lang)),
        column.text("basis", prefix="basis_"),
        _text(where, "where", lang),
    ]
    return report_table(results.table("published_numbers"), columns)


def pooled(results: Results) -> ReportTable:
    """Show by outcome and design what is pooled, with a prediction interval, or that there is too little to pool."""
    lang, column = results.lang, columns_of(results, "pooled")
    (label,) = _words(results, "pooled", "label")
    columns = [
        _text(label, "label", lang),
        column.text("design", prefix="published_"),
        column.count("n_found"),
        column.count("n_usable"),
        Column(header=column.labels["pooled"], cell=lambda row: _pooled(row, lang)),
        Column(
            header="Volgend onderzoek" if lang == "nl" else "Next study",
            cell=lambda row: _range(row, "prediction", lang),
        ),
        column.percent("i2", header="I²"),
    ]
    return report_table(results.table("pooled"), columns)


def _pooled(row: pd.Series[Any], lang: Lang) -> str:
    if not row["pooled"]:
        return "niet: te weinig" if lang == "nl" else "no: too few"
    return f"{number(row['estimate'], 2, lang=lang)} ({_range(row, 'conf', lang)})"


def _range(row: pd.Series[Any], stem: str, lang: Lang) -> str:
    low, high = row[f"{stem}_low"], row[f"{stem}_high"]
    return MISSING if math.isnan(low) else interval(low, high, 2, lang=lang)
