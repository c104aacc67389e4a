"""Ways in which a cell may be written, and how each becomes a value.

Every cell is looked at as text, whatever it was stored as, so that text files, databases, spreadsheets
and frames pass the same door.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING

from wor_eval.data.findings import Finding
from wor_eval.data.schema import Column, ColumnType

if TYPE_CHECKING:
    import ibis

Counts = Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """One way in which the cells of a column may be written.

    Parameters
    ----------
    name : str
        Name for notes and messages; empty for the plain way, which needs no note.
    pattern : str
        What a whole cell must match.
    dtype : str
        Ibis type of the result.
    rewrite : tuple of (str, str)
        Patterns with their replacements, that turn the cell into text that can be cast.
    day_zero : datetime.date, optional
        The cell is a number of days from this day.
    """

    name: str
    pattern: str
    dtype: str
    rewrite: tuple[tuple[str, str], ...] = ()
    day_zero: date | None = None

    def value(self, text: ibis.Value) -> ibis.Value:
        """Return the cast cell; null where it cannot be cast."""
        for pattern, replacement in self.rewrite:
            text = text.re_replace(pattern, replacement)
        if self.day_zero is not None:
            return _days_after(self.day_zero, text.try_cast("int64"))
        return text if self.dtype == "string" else text.try_cast(self.dtype)

    def takes(self, cell: ibis.Value) -> bool:
        """Tell whether a column is stored as what it must become: it need not be looked at as text."""
        dtype = cell.type()
        if self.dtype == "float64":
            return bool(dtype.is_floating() or dtype.is_signed_integer())
        kinds = {"int64": dtype.is_signed_integer, "date": dtype.is_date, "boolean": dtype.is_boolean}
        return self.dtype in kinds and bool(kinds[self.dtype]())

    def fits(self, text: ibis.Value) -> ibis.Value:
        """Return true where a cell is written this way."""
        if self.dtype == "string":
            return text.notnull()
        value = self.value(text)
        usable = value.notnull() & ~value.isinf() if self.dtype == "float64" else value.notnull()
        return text.re_search(self.pattern) & usable


_MIDNIGHT = r"([ T]0?0:00(:00(\.0+)?)?(\+00(:00)?)?)?"
_DASHES = rf"^(\d{{1,2}})-(\d{{1,2}})-(\d{{4}}){_MIDNIGHT}$"
_SLASHES = rf"^(\d{{1,2}})/(\d{{1,2}})/(\d{{4}}){_MIDNIGHT}$"
_WHOLE = (
    Layout(name="", pattern=r"^[+-]?\d{1,18}$", dtype="int64"),
    Layout(
        name="whole numbers with .0",
        pattern=r"^[+-]?\d{1,18}[.,]?0{0,2}$",
        dtype="int64",
        rewrite=((r"[.,]0+$", ""),),
    ),
)
_YES, _NO = r"(?i)^(true|ja|1|1\.0)$", r"(?i)^(false|nee|0|0\.0)$"

LAYOUTS: Mapping[ColumnType, tuple[Layout, ...]] = {
    "string": (Layout(name="", pattern="", dtype="string"),),
    "integer": _WHOLE,
    "year": _WHOLE,
    "number": (
        Layout(name="decimal point", pattern=r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$", dtype="float64"),
        Layout(
            name="decimal comma", pattern=r"^[+-]?(\d+,?\d*|,\d+)$", dtype="float64", rewrite=((",", "."),)
        ),
    ),
    "date": (
        Layout(name="", pattern=r"^\d{4}-\d{2}-\d{2}$", dtype="date"),
        Layout(
            name="yyyy-mm-dd 00:00",
            pattern=rf"^\d{{4}}-\d{{2}}-\d{{2}}{_MIDNIGHT}$",
            dtype="date",
            rewrite=(("[ T].*$", ""),),
        ),
        Layout(name="dd-mm-yyyy", pattern=_DASHES, dtype="date", rewrite=((_DASHES, r"\3-\2-\1"),)),
        Layout(name="dd/mm/yyyy", pattern=_SLASHES, dtype="date", rewrite=((_SLASHES, r"\3-\2-\1"),)),
        Layout(name="mm/dd/yyyy", pattern=_SLASHES, dtype="date", rewrite=((_SLASHES, r"\3-\1-\2"),)),
        Layout(
            name="yyyymmdd",
            pattern=r"^\d{8}$",
            dtype="date",
            rewrite=((r"^(\d{4})(\d{2})(\d{2})$", r"\1-\2-\3"),),
        ),
    ),
    "boolean": (
        Layout(name="", pattern=f"{_YES}|{_NO}", dtype="boolean", rewrite=((_YES, "true"), (_NO, "false"))),
    ),
}
REMEDIES: Mapping[ColumnType, tuple[str, str]] = {
    "string": ("not text", "store the column as text"),
    "integer": ("not a whole number", "write whole numbers without a sign for thousands"),
    "year": ("not a year", "write years with four digits"),
    "number": (
        "not a number",
        "write numbers without a sign for thousands or a currency, with one decimal sign",
    ),
    "date": (
        "not a date",
        "write every date of the column as yyyy-mm-dd, or every one as dd-mm-yyyy or yyyymmdd",
    ),
    "boolean": ("not true or false", "write true or false, 1 or 0, ja or nee"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How a column is read.

    Parameters
    ----------
    layout : Layout
        The way it is written.
    unreadable : int
        Number of cells that are not written this way.
    void : bool
        No cell can be used.
    findings : tuple of Finding
        What is wrong with it.
    notes : tuple of str
        What was detected.
    as_stored : bool
        Every cell is stored as what it must become.
    """

    layout: Layout
    unreadable: int = 0
    void: bool = False
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    as_stored: bool = False


def refused(
    table: str, column: Column, layout: Layout, *, rule: str, rows: int, remedy: str, void: bool = True
) -> Reading:
    """Return a reading that carries one finding."""
    finding = Finding(table=table, column=column.name, rule=rule, rows=rows, remedy=remedy)
    return Reading(layout=layout, unreadable=rows, void=void, findings=(finding,))


def as_text(cell: ibis.Value) -> ibis.Value:
    """Return a cell as text without spaces around it, null where there is nothing in it.

    A number that is whole, and small enough to be known to the last digit, has no decimals: 1, not 1.0.
    """
    dtype = cell.type()
    if dtype.is_floating():
        cell = known(cell)
        return is_whole(cell).ifelse(cell.try_cast("int64").cast("string"), cell.cast("string"))
    if not dtype.is_string():
        return cell.cast("string")
    untidy = (cell < "!") | cell.endswith(" ") | (_functions().strlen(cell) != cell.length())
    return untidy.ifelse(_functions().trim(cell).nullif(""), cell)


def numeral(text: ibis.Value) -> ibis.Value:
    """Return a text that may start with a digit or a sign, else null: other text need not be looked at."""
    import ibis

    return (text < ":").ifelse(text, ibis.null("string"))


def known(cell: ibis.Value) -> ibis.Value:
    """Return a cell as it is stored, null where it is not a number."""
    return cell.nullif(float("nan")) if cell.type().is_floating() else cell


def is_whole(cell: ibis.Value) -> ibis.Value:
    """Return true where a decimal number is whole, and small enough that its type holds every whole number."""
    limit = (2**24 if cell.type().nbytes == 4 else 2**53) - 1  # the first that two numbers share
    near = cell.between(-limit, limit).ifelse(cell, 0.5)
    return near == near.floor()


def day_number(zero: date) -> Layout:
    """Return the way of writing a date as a number of days from another."""
    return Layout(name=f"days from {zero}", pattern=r"^\d{1,6}$", dtype="date", day_zero=zero)


def _days_after(zero: date, days: ibis.Value) -> ibis.Value:
    import ibis

    usable = days.between(0, 10**6)
    return usable.ifelse(ibis.date(zero.isoformat()) + days.as_interval("D"), ibis.null("date"))


@cache
def _functions() -> SimpleNamespace:
    """Return functions of DuckDB that Ibis has no name for.

    ``strlen`` counts bytes: where it is the number of characters, only a blank can be trimmed. ``trim`` stands for
    `strip` of Ibis, which names six signs to trim and takes four times as long.
    """
    import ibis

    def trim(text: str) -> str: ...  # type: ignore[empty-body]  # the body is DuckDB's

    def strlen(text: str) -> int: ...  # type: ignore[empty-body]

    return SimpleNamespace(trim=ibis.udf.scalar.builtin(trim), strlen=ibis.udf.scalar.builtin(strlen))
