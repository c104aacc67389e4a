"""Tables for a report: from results to a pipe table in the report's language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from wor_eval.language import MISSING, number, percent
from wor_eval.report.checklist import checklist
from wor_eval.report.columns import HIDDEN, Column, ReportTable, columns_of, report_table, written
from wor_eval.report.gate_words import amount, verdict
from wor_eval.report.results import Results
from wor_eval.report.strobe import items
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd


def attrition(results: Results) -> ReportTable:
    """Show who was left after each step, by arm."""
    frame, lang = results.table("attrition"), results.lang
    column = columns_of(results, "attrition")
    columns = [
        Column(
            header=column.labels[f"reason_{lang}"].split(" (")[0],
            cell=lambda r: str(r[f"reason_{lang}"]),
            numeric=False,
        ),
        column.count("n_referred"),
    ]
    if frame["n_comparison"].fillna(1).any():
        columns.append(column.count("n_comparison"))
    return report_table(frame, columns)


def characteristics(results: Results) -> ReportTable:
    """Show who the referred are, by age band."""
    import pandas as pd

    frame, lang = results.table("characteristics"), results.lang
    bands = list(dict.fromkeys(frame["age_band"]))
    wide = []
    for (variable, level), rows in frame.groupby(["variable", "level"], sort=False):
        cells = {row["age_band"]: _characteristic(row, lang) for _, row in rows.iterrows()}
        bare = level in ("mean", variable)
        name = term(variable, lang) if bare else f"{term(variable, lang)}: {term(level, lang)}"
        wide.append({"name": name, "suppressed": False, **cells})
    columns = [written(term("characteristic", lang), "name", numeric=False)]
    columns += [written(term(band, lang), band) for band in bands]
    return report_table(pd.DataFrame(wide), columns)


def _characteristic(row: pd.Series[Any], lang: Lang) -> str:
    if row["suppressed"]:
        return HIDDEN
    if row["level"] == "mean":
        return f"{number(row['mean'], 1, lang=lang)} ({number(row['std_dev'], 1, lang=lang)})"
    if row["variable"] == "persons":
        return number(float(row["n_persons"]), lang=lang)
    return f"{number(float(row['n_persons']), lang=lang)} ({percent(row['share'], lang=lang)})"


def rates(results: Results) -> ReportTable:
    """Show events, person-years and rate by window and age band of the referred, for the headline outcome."""
    frame = results.table("rates")
    frame = frame[frame["outcome"] == results.study.headline.outcomes[0]]
    column = columns_of(results, "rates")
    columns = [
        column.text("age_band"),
        column.text("window"),
        column.count("n_persons"),
        column.count("events"),
        column.number("person_years", 0),
        column.number("rate"),
    ]
    return report_table(frame[frame["arm"] == "referred"], columns)


def effects(
    results: Results,
    *,
    contrast: str,
    scale: Literal["ratio", "difference"],
    methods: Sequence[str] | None = None,
) -> ReportTable:
    """Show the effects of one contrast on one scale, by age band and method."""
    frame, lang = results.table("effects"), results.lang
    chosen = frame[(frame["contrast"] == contrast) & (frame["scale"] == scale)]
    if methods is not None:
        chosen = chosen[chosen["method"].isin(methods)]
    column = columns_of(results, "effects")
    columns = [
        column.text("age_band"),
        column.text("method"),
        column.number("estimate", header=term(scale, lang)),
        column.interval(),
        column.p_value(),
        column.count("n_referred"),
    ]
    return report_table(chosen, columns)


def interaction(results: Results) -> ReportTable:
    """Show the test of whether the effect differs between age bands."""
    column = columns_of(results, "interaction")
    columns = [
        column.text("scale"),
        column.text("method"),
        column.number("statistic"),
        column.count("df"),
        column.p_value(),
    ]
    return report_table(results.table("interaction"), columns)


def change(results: Results) -> ReportTable:
    """Show how many persons fell, stayed and rose, by age band."""
    column = columns_of(results, "change")
    columns = [
        column.text("age_band"),
        column.text("direction"),
        column.count("n_persons"),
        column.percent("share"),
    ]
    return report_table(results.table("change"), columns)


def concentration(results: Results) -> ReportTable:
    """Show what share of the total change the most extreme persons carry."""
    return report_table(results.table("concentration"), concentration_columns(results, "concentration"))


def concentration_columns(results: Results, table: str, *, digits: int = 2) -> list[Column]:
    """Make the columns of a table of how concentrated a change is, with the change without the most extreme."""
    column = columns_of(results, table)
    return [
        column.text("age_band"),
        column.percent("extreme_share").always(),
        column.count("n_extreme"),
        column.percent("share_of_change"),
        column.number("mean_change", digits),
        column.number("mean_change_without", digits),
    ]


def composition(results: Results) -> ReportTable:
    """Show the rate ratio over all rows beside the one over persons seen in both windows."""
    lang, column = results.lang, columns_of(results, "composition")
    columns = [
        column.text("persons"),
        column.count("n_before"),
        column.count("n_after"),
        column.number("estimate", header=term("ratio", lang)),
        column.interval(),
    ]
    return report_table(results.table("composition"), columns)


def regression_to_mean(results: Results, *, age_band: str | None = None) -> ReportTable:
    """Show the change expected with no effect beside the observed change."""
    frame, lang = results.table("regression_to_mean"), results.lang
    if age_band is not None:
        frame = frame[frame["age_band"] == age_band]
    column = columns_of(results, "regression_to_mean")
    columns = [
        column.text("age_band"),
        column.text("method"),
        column.number("observed"),
        column.number("expected"),
        column.number("estimate", header=term("unexplained", lang)),
        column.interval(),
    ]
    return report_table(frame, columns)


def windows(results: Results) -> ReportTable:
    """Show the windows of the plan."""
    nl, lang = results.lang == "nl", results.lang
    rows = [
        (term(name, lang), number(first, lang=lang), number(last, lang=lang))
        for name, (first, last) in results.study.windows.named().items()
    ]
    headers = ("Venster", "Eerste dag", "Laatste dag") if nl else ("Window", "First day", "Last day")
    return ReportTable(headers=headers, rows=tuple(rows), align=("left", "right", "right"))


def _shortened(digest: str | None) -> str:
    """Give the start of a digest; a dash where the study reads no data."""
    return MISSING if digest is None else f"`{digest[:16]}`"


def gates(results: Results) -> ReportTable:
    """Show the gates of the plan with their limit, and whether each was passed."""
    lang, column = results.lang, columns_of(results, "gates")
    if "gates" not in results.tables:
        return ReportTable(
            headers=(column.labels["gate"],), rows=((verdict(results).text,),), align=("left",)
        )

    def written(column: str) -> Callable[[pd.Series[Any]], str]:
        return lambda row: amount(str(row["gate"]), float(row[column]), lang)

    columns = [
        column.text("gate", prefix="gate_"),
        column.text("age_band"),
        Column(header=column.labels["value"], cell=written("value")),
        Column(header=column.labels["limit"], cell=written("limit"), hides=False),
        Column(header=column.labels["verdict"], cell=lambda r: term(f"verdict_{r['verdict']}", lang)),
    ]
    return report_table(results.table("gates"), columns)


def provenance(results: Results) -> ReportTable:
    """Show what the numbers come from: plan, data, seed, versions, and how many rows are hidden."""
    manifest, nl = results.manifest, results.lang == "nl"
    versions = [f"{name} {version}" for name, version in sorted(manifest["versions"].items())]
    rows = (
        ("Resultaten (SHA-256)" if nl else "Results (SHA-256)", f"`{manifest['digest'][:16]}`"),
        ("Onderzoeksplan (SHA-256)" if nl else "Study plan (SHA-256)", f"`{manifest['plan_digest'][:16]}`"),
        ("Gegevens (SHA-256)" if nl else "Data (SHA-256)", _shortened(manifest["data_digest"])),
        ("Startgetal" if nl else "Seed", str(manifest["seed"])),
        ("Verborgen rijen" if nl else "Hidden rows", str(sum(manifest["rows_suppressed"].values()))),
        ("Versies" if nl else "Versions", ", ".join(versions)),
    )
    headers = ("Bron", "Waarde") if nl else ("Source", "Value")
    return ReportTable(headers=headers, rows=rows, align=("left", "left"))


def strobe(results: Results) -> ReportTable:
    """Show each item of STROBE and RECORD with where it is answered, or that it is not."""
    found = items("before_after" if results.study.design is None else "matched_cohort")
    return checklist(found, results.lang)
