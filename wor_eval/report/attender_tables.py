"""Tables of frequent attenders: who they are, who stays, what they carry, how far they fall, what was published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from wor_eval.language import MISSING, interval, number, percent
from wor_eval.report.absent import table_or_sentence
from wor_eval.report.results import Results
from wor_eval.report.tables import (
    HIDDEN,
    Column,
    ReportTable,
    column_labels,
    count_column,
    interval_column,
    number_column,
    report_table,
)
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd


def _coded(header: str, column: str, prefix: str, lang: Lang) -> Column:
    return Column(
        header=header,
        cell=lambda r: term(f"{prefix}_{r[column]}", lang, otherwise=term(str(r[column]), lang)),
        numeric=False,
    )


def _share(header: str, column: str, lang: Lang, digits: int = 1) -> Column:
    return Column(header=header, cell=lambda r: percent(float(r[column]), digits, lang=lang))


def _percent_interval(lang: Lang) -> Column:
    header = "95%-BI" if lang == "nl" else "95% CI"
    return Column(
        header=header,
        cell=lambda r: interval(100 * float(r["conf_low"]), 100 * float(r["conf_high"]), 1, lang=lang),
    )


def selection(results: Results) -> ReportTable:
    """Show the threshold by sex and age group, and who reaches it."""
    lang, labels = results.lang, column_labels(results, "attender_selection")
    columns = [
        _coded(labels["sex"], "sex", "attenders", lang),
        _coded(labels["age_group"], "age_group", "age", lang),
        count_column(labels["n_persons"], "n_persons", lang),
        count_column(labels["threshold"], "threshold", lang),
        count_column(labels["n_frequent"], "n_frequent", lang),
        _share(labels["share"], "share", lang),
        count_column(labels["n_tied"], "n_tied", lang),
    ]
    return report_table(results.table("attender_selection"), columns)


def persistence(results: Results) -> ReportTable:
    """Show how many are still frequent after one, two and three years, beside two simple worlds."""
    lang, labels = results.lang, column_labels(results, "attender_persistence")
    columns = [
        _coded(labels["age_group"], "age_group", "age", lang),
        count_column(labels["years"], "years", lang),
        count_column(labels["n_still"], "n_still", lang),
        _share(labels["share"], "share", lang),
        _percent_interval(lang),
        _share(labels["independent"], "independent", lang),
        _share(labels["normal"], "normal", lang),
    ]
    frame = results.table("attender_persistence")
    return report_table(frame[frame["years"] > 1], columns)


def means(results: Results) -> ReportTable:
    """Show mean contacts in the first year by age group."""
    lang, labels = results.lang, column_labels(results, "attender_means")
    columns = [
        _coded(labels["age_group"], "age_group", "age", lang),
        _coded(labels["frequent"], "frequent", "frequent", lang),
        count_column(labels["n_persons"], "n_persons", lang),
        number_column(labels["mean"], "mean", lang, 1),
        interval_column(lang, 1),
        number_column(labels["ratio"], "ratio", lang, 1),
    ]
    return report_table(results.table("attender_means"), columns)


def burden(results: Results) -> ReportTable:
    """Show what share of persons, contacts and costs each group carries, and what of it is psychosocial."""
    lang, labels = results.lang, column_labels(results, "attender_burden")
    columns = [
        _coded(labels["frequent"], "frequent", "frequent", lang),
        count_column(labels["n_persons"], "n_persons", lang),
        *(_share(labels[name], name, lang) for name in ("share_persons", "share_contacts", "share_costs")),
        number_column(labels["mean_contacts"], "mean_contacts", lang, 1),
        count_column(labels["mean_costs"], "mean_costs", lang),
        _share(labels["share_psychosocial"], "share_psychosocial", lang),
    ]
    return report_table(results.table("attender_burden"), columns)


@table_or_sentence
def prediction(results: Results) -> ReportTable:
    """Show the odds ratios of staying frequent."""
    lang, labels = results.lang, column_labels(results, "attender_prediction")
    columns = [
        _coded(labels["term"], "term", "predictor", lang),
        number_column("Odds-ratio" if lang == "nl" else "Odds ratio", "estimate", lang),
        interval_column(lang),
    ]
    return report_table(results.table("attender_prediction"), columns)


@table_or_sentence
def accuracy(results: Results) -> ReportTable:
    """Show how good the prediction is."""
    lang, labels = results.lang, column_labels(results, "attender_accuracy")
    columns = [
        _coded(labels["measure"], "measure", "accuracy", lang),
        number_column(labels["estimate"], "estimate", lang),
        interval_column(lang),
        count_column(labels["n_events"], "n_events", lang),
        count_column(labels["n_persons"], "n_persons", lang),
    ]
    return report_table(results.table("attender_accuracy"), columns)


@table_or_sentence
def calibration(results: Results) -> ReportTable:
    """Show the predicted beside the observed share that stays frequent."""
    lang, labels = results.lang, column_labels(results, "attender_calibration")
    columns = [
        Column(header=labels["fifth"], cell=lambda r: number(float(r["fifth"]), lang=lang), hides=False),
        count_column(labels["n_events"], "n_events", lang),
        _share(labels["predicted"], "predicted", lang),
        _share(labels["observed"], "observed", lang),
        _percent_interval(lang),
    ]
    return report_table(results.table("attender_calibration"), columns)


def fall(results: Results) -> ReportTable:
    """Show mean contacts with their interval by year, with nobody treated; a column for each year."""
    lang, frame = results.lang, results.table("attender_fall")
    labels = column_labels(results, "attender_fall")
    years = sorted(set(frame["year"]))
    rows = []
    for (age_group, frequent), part in frame.groupby(["age_group", "frequent"], sort=False):
        cells = {int(row["year"]): _mean_cell(row, lang) for _, row in part.iterrows()}
        about = (term(str(age_group), lang), term(f"frequent_{frequent}", lang))
        rows.append((*about, *(cells[int(year)] for year in years)))
    headers = (labels["age_group"], labels["frequent"], *(str(int(year)) for year in years))
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
    lang, labels = results.lang, column_labels(results, "attender_expected")
    columns = [
        _coded(labels["age_group"], "age_group", "age", lang),
        _coded(labels["method"], "method", "fall", lang),
        number_column(labels["observed"], "observed", lang, 1),
        interval_column(lang, 1),
        number_column(labels["expected"], "expected", lang, 1),
        _share(labels["share_expected"], "share_expected", lang, 0),
    ]
    return report_table(results.table("attender_expected"), columns)


def published(results: Results) -> ReportTable:
    """Show each published figure with its source beside that of this study."""
    lang, frame = results.lang, results.table("attender_published")
    labels = column_labels(results, "attender_published")

    def what(row: pd.Series[Any]) -> str:
        name = str(row["quantity"])
        if not name.startswith("mean_"):
            return term(f"published_{name}", lang)
        group = {"not": "not", "one": "first_year", "three": "three_years"}[name.split("_")[1]]
        age = "-".join(name.split("_")[2:])
        return f"{labels_of_means(lang)}, {age}: {term(f'frequent_{group}', lang).lower()}"

    def ours(row: pd.Series[Any]) -> str:
        if row["suppressed"]:
            return HIDDEN
        digits = 2 if row["unit"] == "auc" else 1
        if row[["estimate"]].isna().any():
            return MISSING
        value = number(float(row["estimate"]), digits, lang=lang)
        if row[["conf_low", "conf_high"]].isna().any():
            return value
        return f"{value} ({interval(float(row['conf_low']), float(row['conf_high']), digits, lang=lang)})"

    study = "Dit onderzoek (95%-BI)" if lang == "nl" else "This study (95% CI)"
    columns = [
        Column(header=labels["quantity"], cell=what, numeric=False),
        Column(
            header=labels["published"],
            cell=lambda r: number(float(r["published"]), 2 if r["unit"] == "auc" else 1, lang=lang),
            hides=False,
        ),
        Column(header=study, cell=ours),
        Column(header=labels["source"], cell=lambda r: str(r["source"]), numeric=False),
    ]
    return report_table(frame, columns)


def labels_of_means(lang: Lang) -> str:
    """Name the mean contacts of an age group."""
    return "Contacten per jaar" if lang == "nl" else "Contacts per year"
