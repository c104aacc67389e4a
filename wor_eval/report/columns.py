"""From rows of a results table to a table of texts: columns with their labels, numbers in the report's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from wor_eval.language import INTERVAL, MISSING, interval, number, p_value, percent
from wor_eval.report.results import Results, describe_table
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd

HIDDEN: Final = "×"
Cell = Callable[["pd.Series[Any]"], str]
Digits = int | Callable[["pd.Series[Any]"], int]


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

    def always(self) -> Column:
        """Show it in rows that are hidden too: it tells nothing of persons."""
        return replace(self, hides=False)


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


def written(header: str, name: str, *, numeric: bool = True) -> Column:
    """Make a column of texts that stand ready in the frame; a dash where there is none."""
    return Column(
        header=header,
        cell=lambda row: MISSING if row.isna()[name] else str(row[name]),
        numeric=numeric,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The columns of one results table: each under its label in the report's language, unless a header is given.

    Attributes
    ----------
    labels : mapping of str to str
        The label of each column of the results table.
    lang : {"nl", "en"}
        Language.
    """

    labels: Mapping[str, str]
    lang: Lang

    def _head(self, name: str, header: str | None) -> str:
        return self.labels[name] if header is None else header

    def text(self, name: str, *, prefix: str = "", header: str | None = None) -> Column:
        """Make a column of terms: codes of the results, after a prefix, in the words of the language."""
        return Column(
            header=self._head(name, header),
            cell=lambda row: term(f"{prefix}{row[name]}", self.lang),
            numeric=False,
        )

    def written(self, name: str) -> Column:
        """Make a column of texts as they stand."""
        return written(self.labels[name], name, numeric=False)

    def count(self, name: str) -> Column:
        """Make a column of whole numbers."""
        return self.number(name, 0)

    def number(self, name: str, digits: Digits = 2, *, header: str | None = None) -> Column:
        """Make a column of numbers with decimals, which a row can choose."""
        return Column(
            header=self._head(name, header),
            cell=lambda row: number(float(row[name]), _digits(digits, row), lang=self.lang),
        )

    def percent(self, name: str, digits: int = 0, *, header: str | None = None) -> Column:
        """Make a column of shares (0-1) as percentages."""
        return Column(
            header=self._head(name, header), cell=lambda row: percent(row[name], digits, lang=self.lang)
        )

    def p_value(self, name: str = "p_value") -> Column:
        """Make a column of p-values."""
        return Column(header=self.labels[name], cell=lambda row: p_value(row[name], lang=self.lang))

    def interval(
        self,
        digits: Digits = 2,
        *,
        of: tuple[str, str] = ("conf_low", "conf_high"),
        header: str | None = None,
        times: int = 1,
    ) -> Column:
        """Make a column of intervals, 95 % unless a header says otherwise; a dash where a limit is missing."""
        names = list(of)

        def cell(row: pd.Series[Any]) -> str:
            if row[names].isna().any():
                return MISSING
            low, high = (times * float(row[name]) for name in names)
            return interval(low, high, _digits(digits, row), lang=self.lang)

        return Column(header=INTERVAL[self.lang] if header is None else header, cell=cell)


def _digits(digits: Digits, row: pd.Series[Any]) -> int:
    return digits if isinstance(digits, int) else digits(row)


def columns_of(results: Results, table: str) -> Columns:
    """Give the columns of a results table, under its labels."""
    labels = describe_table(table).labels
    return Columns(labels={name: label[results.lang] for name, label in labels.items()}, lang=results.lang)
