"""Tables for a report: from results to a pipe table in the report's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from wor_eval.language import MISSING, interval, number, p_value, percent
from wor_eval.report.results import Results, describe_table
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


def _labels(results: Results, table: str) -> Mapping[str, str]:
    return {name: label[results.lang] for name, label in describe_table(table).labels.items()}


def _text(header: str, column: str, lang: Lang) -> Column:
    """Make a column of terms: codes of the results in the words of the language."""
    return Column(header=header, cell=lambda row: term(str(row[column]), lang), numeric=False)


def _count(header: str, column: str, lang: Lang) -> Column:
    return Column(header=header, cell=lambda row: number(float(row[column]), lang=lang))


def _number(header: str, column: str, lang: Lang, digits: int = 2) -> Column:
    return Column(header=header, cell=lambda row: number(float(row[column]), digits, lang=lang))


def _interval(lang: Lang, digits: int = 2) -> Column:
    header = "95%-BI" if lang == "nl" else "95% CI"
    return Column(
        header=header, cell=lambda row: interval(row["conf_low"], row["conf_high"], digits, lang=lang)
    )


def _as_is(header: str, column: str) -> Column:
    return Column(header=header, cell=lambda row: MISSING if row.isna()[column] else str(row[column]))


def attrition(results: Results) -> ReportTable:
    """Show who was left after each step, by arm."""
    frame, lang = results.table("attrition"), results.lang
    labels = _labels(results, "attrition")
    columns = [
        Column(
            header=labels[f"reason_{lang}"].split(" (")[0],
            cell=lambda r: str(r[f"reason_{lang}"]),
            numeric=False,
        ),
        _count(labels["n_referred"], "n_referred", lang),
    ]
    if frame["n_comparison"].fillna(1).any():
        columns.append(_count(labels["n_comparison"], "n_comparison", lang))
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
    """Show events, person-years and rate by window and age band of the referred."""
    frame, lang = results.table("rates"), results.lang
    labels = _labels(results, "rates")
    columns = [
        _text(labels["age_band"], "age_band", lang),
        _text(labels["window"], "window", lang),
        _count(labels["n_persons"], "n_persons", lang),
        _count(labels["events"], "events", lang),
        _number(labels["person_years"], "person_years", lang, 0),
        _number(labels["rate"], "rate", lang),
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
    labels = _labels(results, "effects")
    columns = [
        _text(labels["age_band"], "age_band", lang),
        _text(labels["method"], "method", lang),
        _number(term(scale, lang), "estimate", lang),
        _interval(lang),
        Column(header=labels["p_value"], cell=lambda r: p_value(r["p_value"], lang=lang)),
        _count(labels["n_referred"], "n_referred", lang),
    ]
    return report_table(chosen, columns)


def interaction(results: Results) -> ReportTable:
    """Show the test of whether the effect differs between age bands."""
    lang, labels = results.lang, _labels(results, "interaction")
    columns = [
        _text(labels["scale"], "scale", lang),
        _text(labels["method"], "method", lang),
        _number(labels["statistic"], "statistic", lang),
        _count(labels["df"], "df", lang),
        Column(header=labels["p_value"], cell=lambda r: p_value(r["p_value"], lang=lang)),
    ]
    return report_table(results.table("interaction"), columns)


def change(results: Results) -> ReportTable:
    """Show how many persons fell, stayed and rose, by age band."""
    lang, labels = results.lang, _labels(results, "change")
    columns = [
        _text(labels["age_band"], "age_band", lang),
        _text(labels["direction"], "direction", lang),
        _count(labels["n_persons"], "n_persons", lang),
        Column(header=labels["share"], cell=lambda r: percent(r["share"], lang=lang)),
    ]
    return report_table(results.table("change"), columns)


def concentration(results: Results) -> ReportTable:
    """Show what share of the total change the most extreme persons carry."""
    lang, labels = results.lang, _labels(results, "concentration")
    columns = [
        _text(labels["age_band"], "age_band", lang),
        Column(
            header=labels["extreme_share"],
            cell=lambda r: percent(r["extreme_share"], lang=lang),
            hides=False,
        ),
        _count(labels["n_extreme"], "n_extreme", lang),
        Column(header=labels["share_of_change"], cell=lambda r: percent(r["share_of_change"], lang=lang)),
        _number(labels["mean_change"], "mean_change", lang),
        _number(labels["mean_change_without"], "mean_change_without", lang),
    ]
    return report_table(results.table("concentration"), columns)


def composition(results: Results) -> ReportTable:
    """Show the rate ratio over all rows beside the one over persons seen in both windows."""
    lang, labels = results.lang, _labels(results, "composition")
    columns = [
        _text(labels["persons"], "persons", lang),
        _count(labels["n_before"], "n_before", lang),
        _count(labels["n_after"], "n_after", lang),
        _number(term("ratio", lang), "estimate", lang),
        _interval(lang),
    ]
    return report_table(results.table("composition"), columns)


def regression_to_mean(results: Results, *, age_band: str | None = None) -> ReportTable:
    """Show the change expected with no effect beside the observed change."""
    frame, lang = results.table("regression_to_mean"), results.lang
    if age_band is not None:
        frame = frame[frame["age_band"] == age_band]
    labels = _labels(results, "regression_to_mean")
    columns = [
        _text(labels["age_band"], "age_band", lang),
        _text(labels["method"], "method", lang),
        _number(labels["observed"], "observed", lang),
        _number(labels["expected"], "expected", lang),
        _number(term("unexplained", lang), "estimate", lang),
        _interval(lang),
    ]
    return report_table(frame, columns)


def design_numbers(results: Results) -> ReportTable:
    """Show the size of the design, and who was left out."""
    lang, labels = results.lang, _labels(results, "design")
    columns = [
        _text(labels["measure"], "measure", lang),
        Column(
            header=labels["value"], cell=lambda r: number(r["value"], 2 if r["value"] < 1 else 0, lang=lang)
        ),
    ]
    return report_table(results.table("design"), columns)


def balance(results: Results, *, age_band: str = "all") -> ReportTable:
    """Show means and standardised differences after matching, with the difference before; beyond the limit: !."""
    from wor_eval.report.matched_figures import covariate_words

    frame, lang = results.table("balance"), results.lang
    frame = frame[frame["age_band"] == age_band]
    before = frame[frame["sample"] == "before"].set_index("covariate")["smd"]
    after = frame[frame["sample"] == "after"].assign(smd_before=lambda d: d["covariate"].map(before))
    labels, nl = _labels(results, "balance"), lang == "nl"

    def smd(row: pd.Series[Any]) -> str:
        mark = " !" if row["flagged"] else ""
        return f"{number(row['smd'], 2, lang=lang)}{mark}"

    columns = [
        Column(
            header=labels["covariate"], cell=lambda r: covariate_words(r["covariate"], lang), numeric=False
        ),
        _number(term("referred", lang), "mean_referred", lang),
        _number(term("comparison", lang), "mean_comparison", lang),
        _number("SMD ervoor" if nl else "SMD before", "smd_before", lang),
        Column(header="SMD erna" if nl else "SMD after", cell=smd),
        _number("Var. verh." if nl else "Var. ratio", "variance_ratio", lang),
        _number("KS", "ks", lang),
    ]
    return report_table(after, columns)


def triangulation(results: Results, *, age_band: str = "all", scale: str = "ratio") -> ReportTable:
    """Show every design with its effect and its placebo contrast; a star marks the plan's headline."""
    from wor_eval.report.matched_figures import design_words

    frame, lang = results.table("triangulation"), results.lang
    frame = frame[(frame["age_band"] == age_band) & (frame["scale"] == scale)]
    labels = _labels(results, "triangulation")
    columns = [
        Column(header=labels["design"], cell=lambda r: design_words(r, results), numeric=False),
        _number("Effect", "estimate", lang),
        _interval(lang),
        _number("Placebo", "placebo", lang),
        Column(
            header="95%-BI" if lang == "nl" else "95% CI",
            cell=lambda r: interval(r["placebo_low"], r["placebo_high"], 2, lang=lang),
        ),
    ]
    return report_table(frame, columns)


def robustness(results: Results) -> ReportTable:
    """Show the checks beside the headline."""
    lang, labels = results.lang, _labels(results, "robustness")
    columns = [
        _text(labels["check"], "check", lang),
        _number(labels["estimate"], "estimate", lang),
        _number(labels["conf_low"], "conf_low", lang),
        _number(labels["conf_high"], "conf_high", lang),
        _count(labels["n_referred"], "n_referred", lang),
    ]
    return report_table(results.table("robustness"), columns)


def contrasts(results: Results, *, scale: Literal["ratio", "difference"]) -> ReportTable:
    """Show every contrast of the plan's design on one scale, by age band."""
    frame, lang = results.table("effects"), results.lang
    labels = _labels(results, "effects")
    columns = [
        _text(labels["contrast"], "contrast", lang),
        _text(labels["age_band"], "age_band", lang),
        _number(term("ratio", lang) if scale == "ratio" else labels["estimate"], "estimate", lang),
        _interval(lang),
        Column(header=labels["p_value"], cell=lambda r: p_value(r["p_value"], lang=lang)),
        _count(labels["n_referred"], "n_referred", lang),
    ]
    shown = frame[frame["scale"] == scale]
    return report_table(shown.assign(contrast="contrast_" + shown["contrast"]), columns)


def windows(results: Results) -> ReportTable:
    """Show the windows of the plan."""
    nl, lang = results.lang == "nl", results.lang
    rows = [
        (term(name, lang), number(first, lang=lang), number(last, lang=lang))
        for name, (first, last) in results.study.windows.named().items()
    ]
    headers = ("Venster", "Eerste dag", "Laatste dag") if nl else ("Window", "First day", "Last day")
    return ReportTable(headers=headers, rows=tuple(rows), align=("left", "right", "right"))


def provenance(results: Results) -> ReportTable:
    """Show what the numbers come from: plan, data, seed, versions, and how many rows are hidden."""
    manifest, nl = results.manifest, results.lang == "nl"
    versions = [f"{name} {version}" for name, version in sorted(manifest["versions"].items())]
    rows = (
        ("Onderzoeksplan (SHA-256)" if nl else "Study plan (SHA-256)", f"`{manifest['plan_digest'][:16]}`"),
        ("Gegevens (SHA-256)" if nl else "Data (SHA-256)", f"`{manifest['data_digest'][:16]}`"),
        ("Startgetal" if nl else "Seed", str(manifest["seed"])),
        ("Verborgen rijen" if nl else "Hidden rows", str(sum(manifest["rows_suppressed"].values()))),
        ("Versies" if nl else "Versions", ", ".join(versions)),
    )
    headers = ("Bron", "Waarde") if nl else ("Source", "Value")
    return ReportTable(headers=headers, rows=rows, align=("left", "left"))
