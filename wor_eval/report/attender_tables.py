"""Tables of frequent attenders: who they are, who stays, what they carry, how far they fall, what was published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from wor_eval.language import MISSING, interval, number
from wor_eval.report.absent import table_or_sentence
from wor_eval.report.columns import HIDDEN, Column, Columns, ReportTable, columns_of, report_table
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd


def _group(column: Columns, name: str, kind: str) -> Column:
    """Make a column of groups, of which all together has a word of its own kind."""
    return Column(
        header=column.labels[name],
        cell=lambda r: term(f"{kind}_{r[name]}", column.lang, otherwise=term(str(r[name]), column.lang)),
        numeric=False,
    )


def selection(results: Results) -> ReportTable:
    """Show the threshold by sex and age group, and who reaches it."""
    column = columns_of(results, "attender_selection")
    columns = [
        _group(column, "sex", "attenders"),
        _group(column, "age_group", "age"),
        column.count("n_persons"),
        column.count("threshold"),
        column.count("n_frequent"),
        column.percent("share", 1),
        column.count("n_tied"),
    ]
    return report_table(results.table("attender_selection"), columns)


def persistence(results: Results) -> ReportTable:
    """Show how many are still frequent after one, two and three years, beside two simple worlds."""
    column = columns_of(results, "attender_persistence")
    columns = [
        _group(column, "age_group", "age"),
        column.count("years"),
        column.count("n_still"),
        column.percent("share", 1),
        column.interval(1, times=100),
        column.percent("independent", 1),
        column.percent("normal", 1),
    ]
    frame = results.table("attender_persistence")
    return report_table(frame[frame["years"] > 1], columns)


def means(results: Results) -> ReportTable:
    """Show mean contacts in the first year by age group."""
    column = columns_of(results, "attender_means")
    columns = [
        _group(column, "age_group", "age"),
        column.text("frequent", prefix="frequent_"),
        column.count("n_persons"),
        column.number("mean", 1),
        column.interval(1),
        column.number("ratio", 1),
    ]
    return report_table(results.table("attender_means"), columns)


def burden(results: Results) -> ReportTable:
    """Show what share of persons, contacts and costs each group carries, and what of it is psychosocial."""
    column = columns_of(results, "attender_burden")
    columns = [
        column.text("frequent", prefix="frequent_"),
        column.count("n_persons"),
        *(column.percent(name, 1) for name in ("share_persons", "share_contacts", "share_costs")),
        column.number("mean_contacts", 1),
        column.count("mean_costs"),
        column.percent("share_psychosocial", 1),
    ]
    return report_table(results.table("attender_burden"), columns)


@table_or_sentence
def prediction(results: Results) -> ReportTable:
    """Show the odds ratios of staying frequent."""
    lang, column = results.lang, columns_of(results, "attender_prediction")
    columns = [
        column.text("term", prefix="predictor_"),
        column.number("estimate", header="Odds-ratio" if lang == "nl" else "Odds ratio"),
        column.interval(),
    ]
    return report_table(results.table("attender_prediction"), columns)


@table_or_sentence
def accuracy(results: Results) -> ReportTable:
    """Show how good the prediction is."""
    column = columns_of(results, "attender_accuracy")
    columns = [
        column.text("measure", prefix="accuracy_"),
        column.number("estimate"),
        column.interval(),
        column.count("n_events"),
        column.count("n_persons"),
    ]
    return report_table(results.table("attender_accuracy"), columns)


@table_or_sentence
def calibration(results: Results) -> ReportTable:
    """Show the predicted beside the observed share that stays frequent."""
    column = columns_of(results, "attender_calibration")
    columns = [
        column.count("fifth").always(),
        column.count("n_events"),
        column.percent("predicted", 1),
        column.percent("observed", 1),
        column.interval(1, times=100),
    ]
    return report_table(results.table("attender_calibration"), columns)


def fall(results: Results) -> ReportTable:
    """Show mean contacts with their interval by year, with nobody treated; a column for each year."""
    lang, frame = results.lang, results.table("attender_fall")
    column = columns_of(results, "attender_fall")
    years = sorted(set(frame["year"]))
    rows = []
    for (age_group, frequent), part in frame.groupby(["age_group", "frequent"], sort=False):
        cells = {int(row["year"]): _mean_cell(row, lang) for _, row in part.iterrows()}
        about = (term(str(age_group), lang), term(f"frequent_{frequent}", lang))
        rows.append((*about, *(cells[int(year)] for year in years)))
    headers = (column.labels["age_group"], column.labels["frequent"], *(str(int(year)) for year in years))
    return ReportTable(headers=headers, rows=tuple(rows), align=("left", "left", *_right(len(years))))


def _right(columns: int) -> tuple[Literal["left", "right"], ...]:
    side: Literal["right"] = "right"
    return (side,) * columns


def _mean_cell(row: pd.Series[Any], lang: Lang) -> str:
    if row["suppressed"]:
        return HIDDEN
    limits = interval(float(row["conf_low"]), float(row["conf_high"]), 1, lang=lang)
    return f"{number(float(row['mean']), 1, lang=lang)} ({limits})"


def expected(results: Results) -> ReportTable:
    """Show the untreated fall beside what formulas expect."""
    column = columns_of(results, "attender_expected")
    columns = [
        _group(column, "age_group", "age"),
        column.text("method", prefix="fall_"),
        column.number("observed", 1),
        column.interval(1),
        column.number("expected", 1),
        column.percent("share_expected"),
    ]
    return report_table(results.table("attender_expected"), columns)


def published(results: Results) -> ReportTable:
    """Show each published figure with its source beside that of this study."""
    lang, frame = results.lang, results.table("attender_published")
    column = columns_of(results, "attender_published")

    def what(row: pd.Series[Any]) -> str:
        name = str(row["quantity"])
        if not name.startswith("mean_"):
            return term(f"published_{name}", lang)
        group = {"not": "not", "one": "first_year", "three": "three_years"}[name.split("_")[1]]
        age = "-".join(name.split("_")[2:])
        return f"{labels_of_means(lang)}, {age}: {term(f'frequent_{group}', lang).lower()}"

    def digits(row: pd.Series[Any]) -> int:
        return 2 if row["unit"] == "auc" else 1

    def ours(row: pd.Series[Any]) -> str:
        if row["suppressed"]:
            return HIDDEN
        if row[["estimate"]].isna().any():
            return MISSING
        value = number(float(row["estimate"]), digits(row), lang=lang)
        if row[["conf_low", "conf_high"]].isna().any():
            return value
        return (
            f"{value} ({interval(float(row['conf_low']), float(row['conf_high']), digits(row), lang=lang)})"
        )

    study = "Dit onderzoek (95%-BI)" if lang == "nl" else "This study (95% CI)"
    columns = [
        Column(header=column.labels["quantity"], cell=what, numeric=False),
        column.number("published", digits).always(),
        Column(header=study, cell=ours),
        column.written("source"),
    ]
    return report_table(frame, columns)


def labels_of_means(lang: Lang) -> str:
    """Name the mean contacts of an age group."""
    return "Contacten per jaar" if lang == "nl" else "Contacts per year"
