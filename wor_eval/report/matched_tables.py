"""Tables of a matched cohort: the design, its balance, its effects, the designs side by side, the checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from wor_eval.language import number
from wor_eval.report.absent import table_or_sentence
from wor_eval.report.columns import Column, ReportTable, columns_of, report_table
from wor_eval.report.matched_figures import covariate_words, design_words
from wor_eval.report.results import AbsentTableError, Results
from wor_eval.report.terms import term

if TYPE_CHECKING:
    import pandas as pd


def design_numbers(results: Results) -> ReportTable:
    """Show the size of the design, and who was left out."""
    lang, column = results.lang, columns_of(results, "design")
    columns = [
        column.text("measure"),
        Column(
            header=column.labels["value"],
            cell=lambda r: number(r["value"], 2 if r["value"] < 1 else 0, lang=lang),
        ),
    ]
    return report_table(results.table("design"), columns)


def balance(results: Results, *, age_band: str = "all") -> ReportTable:
    """Show means and standardised differences after matching, with the difference before; beyond the limit: !."""
    frame, lang = results.table("balance"), results.lang
    frame = frame[frame["age_band"] == age_band]
    before = frame[frame["sample"] == "before"].set_index("covariate")["smd"]
    after = frame[frame["sample"] == "after"].assign(smd_before=lambda d: d["covariate"].map(before))
    column, nl = columns_of(results, "balance"), lang == "nl"

    def smd(row: pd.Series[Any]) -> str:
        mark = " !" if row["flagged"] else ""
        return f"{number(row['smd'], 2, lang=lang)}{mark}"

    columns = [
        Column(
            header=column.labels["covariate"],
            cell=lambda r: covariate_words(r["covariate"], lang),
            numeric=False,
        ),
        column.number("mean_referred", header=term("referred", lang)),
        column.number("mean_comparison", header=term("comparison", lang)),
        column.number("smd_before", header="SMD ervoor" if nl else "SMD before"),
        Column(header="SMD erna" if nl else "SMD after", cell=smd),
        column.number("variance_ratio", header="Var. verh." if nl else "Var. ratio"),
        column.number("ks", header="KS"),
    ]
    return report_table(after, columns)


def triangulation(results: Results, *, age_band: str = "all", scale: str = "ratio") -> ReportTable:
    """Show every design with its effect and its placebo contrast; a star marks the plan's headline."""
    frame = results.table("triangulation")
    frame = frame[(frame["age_band"] == age_band) & (frame["scale"] == scale)]
    column = columns_of(results, "triangulation")
    columns = [
        Column(header=column.labels["design"], cell=lambda r: design_words(r, results), numeric=False),
        column.number("estimate", header="Effect"),
        column.interval(),
        column.number("placebo", header="Placebo"),
        column.interval(of=("placebo_low", "placebo_high")),
    ]
    return report_table(frame, columns)


def robustness(results: Results) -> ReportTable:
    """Show the checks beside the headline."""
    column = columns_of(results, "robustness")
    columns = [
        column.text("check"),
        column.number("estimate"),
        column.number("conf_low"),
        column.number("conf_high"),
        column.count("n_referred"),
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
    column = columns_of(results, "effects")
    digits = 0 if results.study.outcome(name).unit == "eur_per_person_year" and scale == "difference" else 2
    columns = [
        column.text("contrast"),
        column.text("age_band"),
        column.number(
            "estimate", digits, header=term("ratio", lang) if scale == "ratio" else column.labels["estimate"]
        ),
        column.interval(digits),
        column.p_value(),
        column.count("n_referred"),
    ]
    return report_table(frame.assign(contrast="contrast_" + frame["contrast"]), columns)


def subgroups(results: Results, *, scale: Literal["ratio", "difference"] = "ratio") -> ReportTable:
    """Show the headline estimate by level of each modifier, with the test of whether the levels differ."""
    frame, lang = results.table("subgroups"), results.lang
    column = columns_of(results, "subgroups")
    columns = [
        column.text("modifier"),
        column.text("level"),
        column.number(
            "estimate", header=term("ratio", lang) if scale == "ratio" else column.labels["estimate"]
        ),
        column.interval(),
        column.p_value("p_interaction"),
        column.p_value("p_holm"),
        column.count("n_referred"),
    ]
    return report_table(frame[frame["scale"] == scale], columns)
