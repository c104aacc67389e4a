"""Casts the cells of a received table to the types of the dictionary.

Every cell is looked at as text, whatever it was stored as, so that CSV, Parquet and frames pass the
same door. A column is read in one way only: the way that fits all its cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from wor_eval.data.dictionary import Column, ColumnType, TableSchema
from wor_eval.data.findings import Finding

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
    """

    name: str
    pattern: str
    dtype: str
    rewrite: tuple[tuple[str, str], ...] = ()

    def value(self, text: ibis.Value) -> ibis.Value:
        """Return the cast cell; null where it cannot be cast."""
        for pattern, replacement in self.rewrite:
            text = text.re_replace(pattern, replacement)
        return text if self.dtype == "string" else text.try_cast(self.dtype)

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
_REMEDIES: Mapping[ColumnType, tuple[str, str]] = {
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
    """

    layout: Layout
    unreadable: int = 0
    void: bool = False
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


def as_text(cell: ibis.Value) -> ibis.Value:
    """Return a cell as text without spaces around it, null where there is nothing in it."""
    if cell.type().is_floating():
        cell = cell.nullif(float("nan"))
    if not cell.type().is_string():
        return cell.cast("string")
    return _trim()(cell).nullif("")


@cache
def _trim() -> Callable[[ibis.Value], ibis.Value]:
    """Return DuckDB's `trim`; `strip` of Ibis names six signs to trim, which takes four times as long."""
    import ibis

    def trim(text: str) -> str: ...  # type: ignore[empty-body]  # the body is DuckDB's

    return ibis.udf.scalar.builtin(trim)  # type: ignore[no-any-return]


def measures(cells: Mapping[str, ibis.Value], schema: TableSchema) -> Iterator[tuple[str, ibis.Value]]:
    """Yield the counts that tell whether each column is written the plain way.

    Parameters
    ----------
    cells : mapping of str to ibis.Value
        The columns of the dictionary that were received, as they were stored.
    schema : TableSchema
        What the table should hold.

    Yields
    ------
    tuple of (str, ibis.Value)
        Name and aggregate.
    """
    for name, cell in cells.items():
        text, kind = as_text(cell), schema.columns[name].type
        yield f"filled {name}", text.count()
        yield f"plain {name}", text.count(where=LAYOUTS[kind][0].fits(text))
        if kind == "number":
            yield f"parted {name}", text.count(where=text.re_search("[.,]"))
            yield f"grouped {name}", text.count(where=text.re_search(r"^[+-]?[1-9]\d{0,2}[.,]\d{3}$"))


def choose_layouts(
    cells: Mapping[str, ibis.Value],
    schema: TableSchema,
    counts: Counts,
    *,
    count: Callable[[Mapping[str, ibis.Value]], Counts],
) -> dict[str, Reading]:
    """Find the one way in which each column is written.

    Parameters
    ----------
    cells : mapping of str to ibis.Value
        The columns of the dictionary that were received, as they were stored.
    schema : TableSchema
        What the table should hold.
    counts : mapping of str to int
        The results of `measures`.
    count : callable
        Counts aggregates over the table, for the columns that are not written the plain way.

    Returns
    -------
    dict of str to Reading
        How to read each column.
    """
    odd = [name for name in cells if counts[f"plain {name}"] < counts[f"filled {name}"]]
    tries = {
        f"{name} {place}": as_text(cells[name]).count(where=layout.fits(as_text(cells[name])))
        for name in odd
        for place, layout in enumerate(LAYOUTS[schema.columns[name].type])
    }
    tried = count(tries) if tries else {}
    readings = {}
    for name, cell in cells.items():
        column, filled = schema.columns[name], counts[f"filled {name}"]
        layouts = LAYOUTS[column.type]
        fits = [tried.get(f"{name} {place}", 0) for place in range(len(layouts))]
        if name not in odd:
            fits[0] = filled
        if column.type == "string":
            readings[name] = _stored_as_text(schema.name, column, cell, filled)
        elif column.type == "number" and 0 < counts[f"parted {name}"] == counts[f"grouped {name}"]:
            readings[name] = _thousands(schema.name, column, cell, filled)
        else:
            readings[name] = _reading(schema.name, column, dict(zip(layouts, fits, strict=True)), filled)
            whole = column.type == "number" and not counts[f"parted {name}"]
            if whole or not cell.type().is_string():
                readings[name] = replace(readings[name], notes=())
    return readings


def _reading(table: str, column: Column, fits: Mapping[Layout, int], filled: int) -> Reading:
    """Choose the way of writing that fits most cells, and say what is wrong with it."""
    best = max(fits, key=lambda layout: fits[layout])
    every = [layout.name for layout, n in fits.items() if n == filled > 0]
    if {"dd/mm/yyyy", "mm/dd/yyyy"} <= set(every):
        rule = "it cannot be told which number is the day and which the month"
        return _refused(table, column, best, rule=rule, rows=filled, remedy="write dates as yyyy-mm-dd")
    if fits[best] < filled:
        rule, remedy = _REMEDIES[column.type]
        if sum(n > 0 for n in fits.values()) > 1:
            remedy += "; here several ways of writing occur together"
        remedy += "; leave missing cells empty"
        return _refused(table, column, best, rule=rule, rows=filled - fits[best], remedy=remedy, void=False)
    notes = (f"{column.name}: {best.name}",) if best.name and filled else ()
    return Reading(layout=best, notes=notes)


def _stored_as_text(table: str, column: Column, cell: ibis.Value, filled: int) -> Reading:
    """Accept text and whole numbers for a column of text, and nothing else."""
    layout, dtype = LAYOUTS["string"][0], cell.type()
    if filled == 0 or dtype.is_string():
        return Reading(layout=layout)
    if dtype.is_integer():
        note = f"{column.name} stored as whole numbers: leading zeros, if there were any, were lost before"
        return Reading(layout=layout, notes=(note,))
    rule, remedy = _REMEDIES["string"]
    if dtype.is_floating() or dtype.is_decimal():
        rule = "text stored as a decimal number"
        remedy = "store it as text: as a number it loses its leading zeros, and digits after the fifteenth"
    return _refused(table, column, layout, rule=rule, rows=filled, remedy=remedy)


def _thousands(table: str, column: Column, cell: ibis.Value, filled: int) -> Reading:
    """Refuse text such as 1.234 in a whole column: it may be a thousand, or one and a bit."""
    layout = LAYOUTS["number"][0]
    if not cell.type().is_string():
        return Reading(layout=layout)
    rule = "it cannot be told whether the sign in the numbers marks decimals or thousands"
    remedy = "write two decimals, or none, and no sign for thousands"
    return _refused(table, column, layout, rule=rule, rows=filled, remedy=remedy)


def _refused(
    table: str, column: Column, layout: Layout, *, rule: str, rows: int, remedy: str, void: bool = True
) -> Reading:
    finding = Finding(table=table, column=column.name, rule=rule, rows=rows, remedy=remedy)
    return Reading(layout=layout, unreadable=rows, void=void, findings=(finding,))


def cast_cell(cell: ibis.Value, reading: Reading) -> ibis.Value:
    """Return the cell cast the way its column is read; null where it is not written that way."""
    import ibis

    text = as_text(cell)
    value = reading.layout.value(text)
    if reading.void:
        value = ibis.null(reading.layout.dtype)
    elif reading.unreadable:
        value = ibis.ifelse(reading.layout.fits(text), value, ibis.null(reading.layout.dtype))
    return value
