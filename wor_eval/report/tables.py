"""Tables for a report: from results to a pipe table in the report's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from wor_eval.language import MISSING, interval, number, p_value, percent
from wor_eval.report.gate_words import amount, verdict
from wor_eval.report.results import Results, describe_table
from wor_eval.report.strobe import items
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd

HIDDEN: Final = "×"
Cell = Callable[["pd.Series[Any]"], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportTable:
    """A table that is ready to print: texts only.

    It shows itself as a Markdown pipe table, which becomes a real table in HTML, PDF and Word.
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    align: tuple[Literal["left", "right"], ...]

    def _repr_markdown_(self) -> str:
        rule = ["---:" if side == "right" else ":---" for side in self.align]
        lines = [self.headers, tuple(rule), *self.rows]
        return "\n".join("| " + " | ".join(_one_cell(text) for text in line) + " |" for line in lines) + "\n"

    def __repr__(self) -> str:
        return self._repr_markdown_()


def _one_cell(text: str) -> str:
    """Keep a text of a plan, with bars or line ends, within its cell."""
    return " ".join(text.split()).replace("|", "\\|")


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column of a report table: its header, how a row fills it, and whether it hides with its row."""

    header: str
    cell: Cell
    numeric: bool = True
    hides: bool = True


def report_table(frame: pd.DataFrame, columns: Sequence[Column]) -> ReportTable:
    """Fill a table row by row.

    Parameters
    ----------
    frame : DataFrame
        Rows of a results table; a row that is ``suppressed`` shows a cross in its numeric cells.
    columns : sequence of Column
        What to show.

    Returns
    -------
    ReportTable
        The texts.
    """
    rows = [tuple(_fill(column, row) for column in columns) for _, row in frame.iterrows()]
    return ReportTable(
        headers=tuple(column.header for column in columns),
        rows=tuple(rows),
        align=tuple("right" if column.numeric else "left" for column in columns),
    )


def _fill(column: Column, row: pd.Series[Any]) -> str:
    return HIDDEN if column.numeric and column.hides and row["suppressed"] else column.cell(row)


def column_labels(results: Results, table: str) -> Mapping[str, str]:
    """Give the labels of a results table in the report's language."""
    return {name: label[results.lang] for name, label in describe_table(table).labels.items()}


def text_column(header: str, column: str, lang: Lang) -> Column:
    """Make a column of terms: codes of the results in the words of the language."""
    return Column(header=header, cell=lambda row: term(str(row[column]), lang), numeric=False)


def count_column(header: str, column: str, lang: Lang) -> Column:
    """Make a column of whole numbers."""
    return Column(header=header, cell=lambda row: number(float(row[column]), lang=lang))


def number_column(header: str, column: str, lang: Lang, digits: int = 2) -> Column:
    """Make a column of numbers with decimals."""
    return Column(header=header, cell=lambda row: number(float(row[column]), digits, lang=lang))


def interval_column(lang: Lang, digits: int = 2) -> Column:
    """Make a column of 95 % intervals, of ``conf_low`` and ``conf_high``."""
    header = "95%-BI" if lang == "nl" else "95% CI"
    return Column(
        header=header, cell=lambda row: interval(row["conf_low"], row["conf_high"], digits, lang=lang)
    )


def _as_is(header: str, column: str) -> Column:
    return Column(header=header, cell=lambda row: MISSING if row.isna()[column] else str(row[column]))


def attrition(results: Results) -> ReportTable:
    """Show who was left after each step, by arm."""
    frame, lang = results.table("attrition"), results.lang
    labels = column_labels(results, "attrition")
    columns = [
        Column(
            header=labels[f"reason_{lang}"].split(" (")[0],
            cell=lambda r: str(r[f"reason_{lang}"]),
            numeric=False,
        ),
        count_column(labels["n_referred"], "n_referred", lang),
    ]
    if frame["n_comparison"].fillna(1).any():
        columns.append(count_column(labels["n_comparison"], "n_comparison", lang))
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
    columns = [Column(header=term("characteristic", lang), cell=lambda r: str(r["name"]), numeric=False)]
    columns += [_as_is(term(band, lang), band) for band in bands]
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
    frame, lang = results.table("rates"), results.lang
    frame = frame[frame["outcome"] == results.study.headline.outcomes[0]]
    labels = column_labels(results, "rates")
    columns = [
        text_column(labels["age_band"], "age_band", lang),
        text_column(labels["window"], "window", lang),
        count_column(labels["n_persons"], "n_persons", lang),
        count_column(labels["events"], "events", lang),
        number_column(labels["person_years"], "person_years", lang, 0),
        number_column(labels["rate"], "rate", lang),
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
    labels = column_labels(results, "effects")
    columns = [
        text_column(labels["age_band"], "age_band", lang),
        text_column(labels["method"], "method", lang),
        number_column(term(scale, lang), "estimate", lang),
        interval_column(lang),
        Column(header=labels["p_value"], cell=lambda r: p_value(r["p_value"], lang=lang)),
        count_column(labels["n_referred"], "n_referred", lang),
    ]
    return report_table(chosen, columns)


def interaction(results: Results) -> ReportTable:
    """Show the test of whether the effect differs between age bands."""
    lang, labels = results.lang, column_labels(results, "interaction")
    columns = [
        text_column(labels["scale"], "scale", lang),
        text_column(labels["method"], "method", lang),
        number_column(labels["statistic"], "statistic", lang),
        count_column(labels["df"], "df", lang),
        Column(header=labels["p_value"], cell=lambda r: p_value(r["p_value"], lang=lang)),
    ]
    return report_table(results.table("interaction"), columns)


def change(results: Results) -> ReportTable:
    """Show how many persons fell, stayed and rose, by age band."""
    lang, labels = results.lang, column_labels(results, "change")
    columns = [
        text_column(labels["age_band"], "age_band", lang),
        text_column(labels["direction"], "direction", lang),
        count_column(labels["n_persons"], "n_persons", lang),
        Column(header=labels["share"], cell=lambda r: percent(r["share"], lang=lang)),
    ]
    return report_table(results.table("change"), columns)


def concentration(results: Results) -> ReportTable:
    """Show what share of the total change the most extreme persons carry."""
    lang, labels = results.lang, column_labels(results, "concentration")
    columns = [
        text_column(labels["age_band"], "age_band", lang),
        Column(
            header=labels["extreme_share"],
            cell=lambda r: percent(r["extreme_share"], lang=lang),
            hides=False,
        ),
        count_column(labels["n_extreme"], "n_extreme", lang),
        Column(header=labels["share_of_change"], cell=lambda r: percent(r["share_of_change"], lang=lang)),
        number_column(labels["mean_change"], "mean_change", lang),
        number_column(labels["mean_change_without"], "mean_change_without", lang),
    ]
    return report_table(results.table("concentration"), columns)


def composition(results: Results) -> ReportTable:
    """Show the rate ratio over all rows beside the one over persons seen in both windows."""
    lang, labels = results.lang, column_labels(results, "composition")
    columns = [
        text_column(labels["persons"], "persons", lang),
        count_column(labels["n_before"], "n_before", lang),
        count_column(labels["n_after"], "n_after", lang),
        number_column(term("ratio", lang), "estimate", lang),
        interval_column(lang),
    ]
    return report_table(results.table("composition"), columns)


def regression_to_mean(results: Results, *, age_band: str | None = None) -> ReportTable:
    """Show the change expected with no effect beside the observed change."""
    frame, lang = results.table("regression_to_mean"), results.lang
    if age_band is not None:
        frame = frame[frame["age_band"] == age_band]
    labels = column_labels(results, "regression_to_mean")
    columns = [
        text_column(labels["age_band"], "age_band", lang),
        text_column(labels["method"], "method", lang),
        number_column(labels["observed"], "observed", lang),
        number_column(labels["expected"], "expected", lang),
        number_column(term("unexplained", lang), "estimate", lang),
        interval_column(lang),
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
    lang, labels = results.lang, column_labels(results, "gates")
    if "gates" not in results.tables:
        return ReportTable(headers=(labels["gate"],), rows=((verdict(results).text,),), align=("left",))

    def written(column: str) -> Callable[[pd.Series[Any]], str]:
        return lambda row: amount(str(row["gate"]), float(row[column]), lang)

    columns = [
        Column(header=labels["gate"], cell=lambda r: term(f"gate_{r['gate']}", lang), numeric=False),
        text_column(labels["age_band"], "age_band", lang),
        Column(header=labels["value"], cell=written("value")),
        Column(header=labels["limit"], cell=written("limit"), hides=False),
        Column(header=labels["verdict"], cell=lambda r: term(f"verdict_{r['verdict']}", lang)),
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
    lang, nl = results.lang, results.lang == "nl"
    found = items("before_after" if results.study.design is None else "matched_cohort")
    rows = [(item.number, item.name.in_(lang), item.where.in_(lang)) for item in found]
    headers = ("Nr.", "Onderwerp", "Waar") if nl else ("No.", "Item", "Where")
    return ReportTable(headers=headers, rows=tuple(rows), align=("right", "left", "left"))
