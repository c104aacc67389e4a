"""Text that was stored as a number on its way here: taken as it is, restored where nothing is lost, or refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wor_eval.data.receive import Received
from wor_eval.data.schema import Column
from wor_eval.data.writing import (
    LAYOUTS,
    REMEDIES,
    Counts,
    Layout,
    Reading,
    as_text,
    is_whole,
    numeral,
    refused,
)

if TYPE_CHECKING:
    import ibis

_PLAIN = LAYOUTS["string"][0]
_WITHOUT_ZERO = Layout(name="numbers with .0", pattern="", dtype="string", rewrite=((r"\.0$", ""),))
_ENDS_IN_ZERO = r"^\d+\.0$"
_EXACT = r"^\d{1,15}\.0$"
_POWER = r"^\d([.,]\d+)?[eE]\+\d+$"
_LOST = "as a number it loses its leading zeros, and digits after the fifteenth"


def measures(name: str, cell: ibis.Value) -> Iterator[tuple[str, ibis.Value]]:
    """Yield the counts that tell whether a column of text was once stored as numbers.

    Parameters
    ----------
    name : str
        Name of the column.
    cell : ibis.Value
        The column, as it was stored.

    Yields
    ------
    tuple of (str, ibis.Value)
        Name and aggregate.
    """
    text = as_text(cell)
    if cell.type().is_string():
        text = numeral(text)
        yield f"zero {name}", text.count(where=text.endswith(".0"))
        yield f"power {name}", text.count(where=text.contains("E+") | text.contains("e+"))
    elif cell.type().is_numeric() and not cell.type().is_boolean():
        yield f"shortest {name}", text.length().min()
        yield f"longest {name}", text.length().max()
        if cell.type().is_floating():
            yield f"inexact {name}", text.count(where=~is_whole(cell))


def reading(received: Received, column: Column, table: str, counts: Counts) -> Reading:
    """Tell how a column of text is read.

    Parameters
    ----------
    received : Received
        The table as it was delivered.
    column : Column
        The column.
    table : str
        Name of the table.
    counts : mapping of str to int
        The results of `measures`.

    Returns
    -------
    Reading
        As it stands; without ``.0`` where a program stored whole numbers as decimal ones; or void.
    """
    name, filled = column.name, counts[f"filled {column.name}"]
    cell = received.cell(name)
    if filled == 0:
        return Reading(layout=_PLAIN)
    if cell.type().is_string():
        stored = received.stored.get(name)
        if stored is not None and stored.numbers:
            return _from_cells(received, column, table, filled)
        return _from_text(received, column, table, counts)
    if cell.type().is_floating() or cell.type().is_integer():
        lost = counts.get(f"inexact {name}", 0)
        return _refusal(table, column, lost) if lost else _whole(column, counts)
    if cell.type().is_decimal():
        return _refusal(table, column, filled)
    rule, remedy = REMEDIES["string"]
    return refused(table, column, _PLAIN, rule=rule, rows=filled, remedy=remedy)


def _whole(column: Column, counts: Counts) -> Reading:
    """Accept whole numbers, and say what may be lost."""
    note = f"{column.name} stored as whole numbers: leading zeros, if there were any, were lost before"
    shortest, longest = counts[f"shortest {column.name}"], counts[f"longest {column.name}"]
    if shortest < longest:
        note += f" (they have {shortest} to {longest} digits: check that no zero is missing)"
    return Reading(layout=_PLAIN, notes=(note,))


def _from_cells(received: Received, column: Column, table: str, filled: int) -> Reading:
    """Judge a column in which some cells were stored as numbers, others as text."""
    stored = received.stored[column.name]
    if stored.broken or stored.imprecise:
        return _refusal(table, column, stored.broken + stored.imprecise)
    share = "" if stored.numbers >= filled else f"in {stored.numbers} of {filled} rows "
    note = f"{column.name} {share}stored as whole numbers: leading zeros, if there were any, were lost before"
    return Reading(layout=_PLAIN, notes=(note,))


def _from_text(received: Received, column: Column, table: str, counts: Counts) -> Reading:
    """Look for what a program makes of ids that it takes for numbers: 123.0, or 1.23E+12."""
    name, filled = column.name, counts[f"filled {column.name}"]
    if not counts[f"zero {name}"] and not counts[f"power {name}"]:
        return Reading(layout=_PLAIN)
    text = as_text(received.cell(name))
    patterns = {"zero": _ENDS_IN_ZERO, "exact": _EXACT, "power": _POWER}
    found = received.count({key: text.count(where=text.re_search(p)) for key, p in patterns.items()})
    if found["power"]:
        return _refusal(table, column, found["power"])
    if found["exact"] == filled:
        note = f"{name} written as numbers with .0, read without: leading zeros, if there were any, were lost before"
        return Reading(layout=_WITHOUT_ZERO, notes=(note,))
    return _refusal(table, column, found["zero"]) if found["zero"] else Reading(layout=_PLAIN)


def _refusal(table: str, column: Column, rows: int) -> Reading:
    return refused(
        table,
        column,
        _PLAIN,
        rule="text stored as a decimal number",
        rows=rows,
        remedy=f"store it as text: {_LOST}",
    )
