"""Tables of a planned study: its power, the smallest fall it can find, what that takes, and what it rests on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from wor_eval.language import MISSING, number, percent
from wor_eval.report.columns import Column, ReportTable, columns_of, report_table, written
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd


def fall(ratio: float, lang: Lang) -> str:
    """Write a ratio below 1 as a fall in per cent; a dash where there is none."""
    return MISSING if math.isnan(ratio) else percent(1 - ratio, lang=lang)


def _fall_words(lang: Lang) -> str:
    return "Werkelijke daling" if lang == "nl" else "True fall"


def curve(results: Results) -> ReportTable:
    """Show the power by size and true effect: simulated with its interval, and by formula, an age band a column."""
    import pandas as pd

    frame, lang = results.table("power"), results.lang
    frame = frame[frame["planned"]]
    bands = list(dict.fromkeys(frame["age_band"]))
    column, formula = columns_of(results, "power"), "formule" if lang == "nl" else "formula"
    wide = []
    for (size, ratio), rows in frame.groupby(["size", "ratio"], sort=False):
        cells: dict[str, Any] = {"size": size, "ratio": ratio, "suppressed": False}
        for _, row in rows.iterrows():
            cells[str(row["age_band"])] = _with_limits(row, lang)
            cells[f"{row['age_band']} closed"] = percent(row["closed_form"], lang=lang)
        wide.append(cells)
    columns = [
        column.count("size"),
        Column(header=_fall_words(lang), cell=lambda row: fall(float(row["ratio"]), lang)),
    ]
    for band in bands:
        columns += [written(term(band, lang), band), written(formula, f"{band} closed")]
    return report_table(pd.DataFrame(wide), columns)


def _with_limits(row: pd.Series[Any], lang: Lang) -> str:
    low, high = (number(100 * row[name], lang=lang) for name in ("conf_low", "conf_high"))
    to = "tot" if lang == "nl" else "to"
    return f"{percent(row['power'], lang=lang)} ({low} {to} {high})"


def detectable(results: Results) -> ReportTable:
    """Show the smallest fall that is found with the wanted power, by age band and size."""
    lang, column = results.lang, columns_of(results, "power_detectable")
    columns = [
        column.text("age_band"),
        column.count("size"),
        column.count("n_referrals"),
        column.count("months"),
        Column(header=column.labels["simulated"], cell=lambda row: fall(row["simulated"], lang)),
        Column(header=column.labels["closed_form"], cell=lambda row: fall(row["closed_form"], lang)),
    ]
    return report_table(results.table("power_detectable"), columns)


def needed(results: Results) -> ReportTable:
    """Show what finding each effect takes: referrals per practice and months, or practices."""
    lang, column = results.lang, columns_of(results, "power_needed")
    columns = [
        column.text("age_band"),
        Column(header=_fall_words(lang), cell=lambda row: fall(float(row["ratio"]), lang)),
        column.count("referrals_per_practice"),
        column.count("months"),
        column.count("months_with_follow_up"),
        column.count("practices"),
    ]
    return report_table(results.table("power_needed"), columns)


def false_alarms(results: Results) -> ReportTable:
    """Show how often an effect is found where there is none, with standard errors robust to sets and to practices."""
    frame, lang = results.table("power"), results.lang
    column = columns_of(results, "power")
    columns = [
        column.text("age_band"),
        column.count("size"),
        column.text("errors", prefix="power_"),
        Column(
            header="Vals alarm (95%-BI)" if lang == "nl" else "False alarms (95% CI)",
            cell=lambda row: _with_limits(row, lang),
        ),
        column.percent("coverage"),
        column.count("n_studies"),
        column.count("n_failed"),
    ]
    return report_table(frame[frame["ratio"] == 1], columns)


def inputs(results: Results) -> ReportTable:
    """Show what the plan takes to be so, with its source."""
    lang, column = results.lang, columns_of(results, "power_inputs")
    columns = [
        column.text("input", prefix="input_"),
        Column(header=column.labels["value"], cell=lambda row: _short_number(row["value"], lang)),
        Column(
            header="Bron" if lang == "nl" else "Source",
            cell=lambda row: str(row[f"source_{lang}"]),
            numeric=False,
        ),
    ]
    return report_table(results.table("power_inputs"), columns)


def _short_number(value: float, lang: Lang) -> str:
    return number(value, 0 if float(value).is_integer() else 2, lang=lang)


def basis(results: Results) -> ReportTable:
    """Show what the formula rests on, an age band a column."""
    import pandas as pd

    frame, lang = results.table("power_basis"), results.lang
    bands = list(dict.fromkeys(frame["age_band"]))
    wide = [
        {"measure": measure, "suppressed": False, **dict(zip(rows["age_band"], rows["value"], strict=True))}
        for measure, rows in frame.groupby("measure", sort=False)
    ]
    column = columns_of(results, "power_basis")
    columns = [column.text("measure", prefix="power_")]
    columns += [column.number(band, header=term(band, lang)) for band in bands]
    return report_table(pd.DataFrame(wide), columns)
