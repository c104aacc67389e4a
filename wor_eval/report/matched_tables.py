"""Tables of a matched cohort: the design, its balance, its effects, the designs side by side, the checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from wor_eval.language import interval, number, p_value
from wor_eval.report.absent import table_or_sentence
from wor_eval.report.matched_figures import covariate_words, design_words
from wor_eval.report.results import AbsentTableError, Results
from wor_eval.report.tables import (
    Column,
    ReportTable,
    column_labels,
    count_column,
    interval_column,
    number_column,
    report_table,
    text_column,
)
from wor_eval.report.terms import term

if TYPE_CHECKING:
    import pandas as pd


def design_numbers(results: Results) -> ReportTable:
    """Show the size of the design, and who was left out."""
    lang, labels = results.lang, column_labels(results, "design")
    columns = [
        text_column(labels["measure"], "measure", lang),
        Column(
            header=labels["value"], cell=lambda r: number(r["value"], 2 if r["value"] < 1 else 0, lang=lang)
        ),
    ]
    return report_table(results.table("design"), columns)


def balance(results: Results, *, age_band: str = "all") -> ReportTable:
    """Show means and standardised differences after matching, with the difference before; beyond the limit: !."""
    frame, lang = results.table("balance"), results.lang
    frame = frame[frame["age_band"] == age_band]
    before = frame[frame["sample"] == "before"].set_index("covariate")["smd"]
    after = frame[frame["sample"] == "after"].assign(smd_before=lambda d: d["covariate"].map(before))
    labels, nl = column_labels(results, "balance"), lang == "nl"

    def smd(row: pd.Series[Any]) -> str:
        mark = " !" if row["flagged"] else ""
        return f"{number(row['smd'], 2, lang=lang)}{mark}"

    columns = [
        Column(
            header=labels["covariate"], cell=lambda r: covariate_words(r["covariate"], lang), numeric=False
        ),
        number_column(term("referred", lang), "mean_referred", lang),
        number_column(term("comparison", lang), "mean_comparison", lang),
        number_column("SMD ervoor" if nl else "SMD before", "smd_before", lang),
        Column(header="SMD erna" if nl else "SMD after", cell=smd),
        number_column("Var. verh." if nl else "Var. ratio", "variance_ratio", lang),
        number_column("KS", "ks", lang),
    ]
    return report_table(after, columns)


def triangulation(results: Results, *, age_band: str = "all", scale: str = "ratio") -> ReportTable:
    """Show every design with its effect and its placebo contrast; a star marks the plan's headline."""
    frame, lang = results.table("triangulation"), results.lang
    frame = frame[(frame["age_band"] == age_band) & (frame["scale"] == scale)]
    labels = column_labels(results, "triangulation")
    columns = [
        Column(header=labels["design"], cell=lambda r: design_words(r, results), numeric=False),
        number_column("Effect", "estimate", lang),
        interval_column(lang),
        number_column("Placebo", "placebo", lang),
        Column(
            header="95%-BI" if lang == "nl" else "95% CI",
            cell=lambda r: interval(r["placebo_low"], r["placebo_high"], 2, lang=lang),
        ),
    ]
    return report_table(frame, columns)


def robustness(results: Results) -> ReportTable:
    """Show the checks beside the headline."""
    lang, labels = results.lang, column_labels(results, "robustness")
    columns = [
        text_column(labels["check"], "check", lang),
        number_column(labels["estimate"], "estimate", lang),
        number_column(labels["conf_low"], "conf_low", lang),
        number_column(labels["conf_high"], "conf_high", lang),
        count_column(labels["n_referred"], "n_referred", lang),
    ]
    return report_table(results.table("robustness"), columns)


@table_or_sentence
def contrasts(
    results: Results, *, scale: Literal["ratio", "difference"], outcome: str | None = None
) -> ReportTable:
    """Show every contrast of the plan's design for one outcome on one scale, by age band."""
    name = outcome or results.study.headline.outcomes[0]
    if name not in {known.name for known in results.study.outcomes}:
        raise AbsentTableError(f"results {results.study.name} do not hold outcome {name}")
    frame, lang = results.table("effects"), results.lang
    frame = frame[(frame["outcome"] == name) & (frame["scale"] == scale)].dropna(subset=["estimate"])
    labels = column_labels(results, "effects")
    digits = 0 if results.study.outcome(name).unit == "eur_per_person_year" and scale == "difference" else 2
    columns = [
        text_column(labels["contrast"], "contrast", lang),
        text_column(labels["age_band"], "age_band", lang),
        number_column(
            term("ratio", lang) if scale == "ratio" else labels["estimate"], "estimate", lang, digits
        ),
        interval_column(lang, digits),
        Column(header=labels["p_value"], cell=lambda r: p_value(r["p_value"], lang=lang)),
        count_column(labels["n_referred"], "n_referred", lang),
    ]
    return report_table(frame.assign(contrast="contrast_" + frame["contrast"]), columns)


def subgroups(results: Results, *, scale: Literal["ratio", "difference"] = "ratio") -> ReportTable:
    """Show the headline estimate by level of each modifier, with the test of whether the levels differ."""
    frame, lang = results.table("subgroups"), results.lang
    labels = column_labels(results, "subgroups")
    columns = [
        text_column(labels["modifier"], "modifier", lang),
        text_column(labels["level"], "level", lang),
        number_column(term("ratio", lang) if scale == "ratio" else labels["estimate"], "estimate", lang),
        interval_column(lang),
        Column(header=labels["p_interaction"], cell=lambda r: p_value(r["p_interaction"], lang=lang)),
        Column(header=labels["p_holm"], cell=lambda r: p_value(r["p_holm"], lang=lang)),
        count_column(labels["n_referred"], "n_referred", lang),
    ]
    return report_table(frame[frame["scale"] == scale], columns)
