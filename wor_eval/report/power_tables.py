"""Tables of a planned study: its power, the smallest fall it can find, what that takes, and what it rests on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from wor_eval.language import MISSING, number, percent
from wor_eval.report.results import Results
from wor_eval.report.tables import Column, ReportTable, column_labels, count_column, report_table, text_column
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
    labels, formula = column_labels(results, "power"), "formule" if lang == "nl" else "formula"
    wide = []
    for (size, ratio), rows in frame.groupby(["size", "ratio"], sort=False):
        cells: dict[str, Any] = {"size": size, "ratio": ratio, "suppressed": False}
        for _, row in rows.iterrows():
            cells[str(row["age_band"])] = _with_limits(row, lang)
            cells[f"{row['age_band']} closed"] = percent(row["closed_form"], lang=lang)
        wide.append(cells)
    columns = [
        count_column(labels["size"], "size", lang),
        Column(header=_fall_words(lang), cell=lambda row: fall(float(row["ratio"]), lang)),
    ]
    for band in bands:
        columns += [
            _cell(term(band, lang), band),
            _cell(formula, f"{band} closed"),
        ]
    return report_table(pd.DataFrame(wide), columns)


def _cell(header: str, name: str) -> Column:
    return Column(header=header, cell=lambda row: str(row[name]))


def _with_limits(row: pd.Series[Any], lang: Lang) -> str:
    low, high = (number(100 * row[name], lang=lang) for name in ("conf_low", "conf_high"))
    to = "tot" if lang == "nl" else "to"
    return f"{percent(row['power'], lang=lang)} ({low} {to} {high})"


def detectable(results: Results) -> ReportTable:
    """Show the smallest fall that is found with the wanted power, by age band and size."""
    lang, labels = results.lang, column_labels(results, "power_detectable")
    columns = [
        text_column(labels["age_band"], "age_band", lang),
        count_column(labels["size"], "size", lang),
        count_column(labels["n_referrals"], "n_referrals", lang),
        count_column(labels["months"], "months", lang),
        Column(header=labels["simulated"], cell=lambda row: fall(row["simulated"], lang)),
        Column(header=labels["closed_form"], cell=lambda row: fall(row["closed_form"], lang)),
    ]
    return report_table(results.table("power_detectable"), columns)


def needed(results: Results) -> ReportTable:
    """Show what finding each effect takes: referrals per practice and months, or practices."""
    lang, labels = results.lang, column_labels(results, "power_needed")
    columns = [
        text_column(labels["age_band"], "age_band", lang),
        Column(header=_fall_words(lang), cell=lambda row: fall(float(row["ratio"]), lang)),
        count_column(labels["referrals_per_practice"], "referrals_per_practice", lang),
        count_column(labels["months"], "months", lang),
        count_column(labels["months_with_follow_up"], "months_with_follow_up", lang),
        count_column(labels["practices"], "practices", lang),
    ]
    return report_table(results.table("power_needed"), columns)


def false_alarms(results: Results) -> ReportTable:
    """Show how often an effect is found where there is none, with standard errors robust to sets and to practices."""
    frame, lang = results.table("power"), results.lang
    labels = column_labels(results, "power")
    columns = [
        text_column(labels["age_band"], "age_band", lang),
        count_column(labels["size"], "size", lang),
        Column(header=labels["errors"], cell=lambda row: term(f"power_{row['errors']}", lang), numeric=False),
        Column(
            header="Vals alarm (95%-BI)" if lang == "nl" else "False alarms (95% CI)",
            cell=lambda row: _with_limits(row, lang),
        ),
        Column(header=labels["coverage"], cell=lambda row: percent(row["coverage"], lang=lang)),
        count_column(labels["n_studies"], "n_studies", lang),
        count_column(labels["n_failed"], "n_failed", lang),
    ]
    return report_table(frame[frame["ratio"] == 1], columns)


def inputs(results: Results) -> ReportTable:
    """Show what the plan takes to be so, with its source."""
    lang, labels = results.lang, column_labels(results, "power_inputs")
    columns = [
        Column(header=labels["input"], cell=lambda row: term(f"input_{row['input']}", lang), numeric=False),
        Column(header=labels["value"], cell=lambda row: _short_number(row["value"], lang)),
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
    measure = column_labels(results, "power_basis")["measure"]
    columns = [Column(header=measure, cell=lambda row: term(f"power_{row['measure']}", lang), numeric=False)]
    columns += [_number_cell(term(band, lang), band, lang) for band in bands]
    return report_table(pd.DataFrame(wide), columns)


def _number_cell(header: str, name: str, lang: Lang) -> Column:
    return Column(header=header, cell=lambda row: number(row[name], 2, lang=lang))
