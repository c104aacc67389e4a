"""Casts the cells of a received table to the types of the dictionary.

Every cell is looked at as text, whatever it was stored as, so that CSV, Parquet and frames pass the
same door. A column is read in one way only: the way that fits all its cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from wor_eval.data import stored_text
from wor_eval.data.dictionary import Column, TableSchema
from wor_eval.data.receive import Received
from wor_eval.data.writing import (
    LAYOUTS,
    REMEDIES,
    Counts,
    Layout,
    Reading,
    as_text,
    day_number,
    known,
    refused,
)

if TYPE_CHECKING:
    import ibis


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
        if LAYOUTS[kind][0].takes(cell):
            yield from _measures_as_stored(name, cell)
            continue
        yield f"filled {name}", text.count()
        yield f"plain {name}", text.count(where=LAYOUTS[kind][0].fits(text))
        if kind == "string":
            yield f"exact {name}", text.count(where=text == cell.cast("string"))
            yield f"given {name}", cell.count()
            yield from stored_text.measures(name, cell)
        if kind == "number":
            yield f"parted {name}", text.count(where=text.re_search("[.,]"))
            yield f"grouped {name}", text.count(where=text.re_search(r"^[+-]?[1-9]\d{0,2}[.,]\d{3}$"))


def _measures_as_stored(name: str, cell: ibis.Value) -> Iterator[tuple[str, ibis.Value]]:
    """Yield the same counts of a column that is stored as what it must become; infinite is no number."""
    import ibis

    value = known(cell)
    yield f"filled {name}", value.count()
    yield f"plain {name}", value.count(where=~value.isinf()) if cell.type().is_floating() else value.count()
    yield f"parted {name}", value.count(where=ibis.literal(False))
    yield f"grouped {name}", value.count(where=ibis.literal(False))


def choose_layouts(
    received: Received, cells: Mapping[str, ibis.Value], schema: TableSchema, counts: Counts
) -> dict[str, Reading]:
    """Find the one way in which each column is written.

    Parameters
    ----------
    received : Received
        The table as it was delivered.
    cells : mapping of str to ibis.Value
        The columns of the dictionary that were received, as they were stored.
    schema : TableSchema
        What the table should hold.
    counts : mapping of str to int
        The results of `measures`.

    Returns
    -------
    dict of str to Reading
        How to read each column.
    """
    odd = [name for name in cells if counts[f"plain {name}"] < counts[f"filled {name}"]]
    ways = {name: _ways(schema.columns[name], received) for name in cells}
    tries = {
        f"{name} {place}": as_text(cells[name]).count(where=layout.fits(as_text(cells[name])))
        for name in odd
        for place, layout in enumerate(ways[name])
    }
    tried = received.count(tries) if tries else {}
    readings = {}
    for name, cell in cells.items():
        column, filled, stored = schema.columns[name], counts[f"filled {name}"], received.stored.get(name)
        fits = [tried.get(f"{name} {place}", 0) for place in range(len(ways[name]))]
        if name not in odd:
            fits[0] = filled
        if column.type == "string":
            readings[name] = stored_text.reading(received, column, schema.name, counts)
        elif column.type == "number" and stored is not None and 0 < stored.numbers < filled:
            readings[name] = _partly_text(schema.name, column, filled - stored.numbers)
        elif column.type == "number" and 0 < counts[f"parted {name}"] == counts[f"grouped {name}"]:
            numbers = bool(stored and stored.numbers) or not cell.type().is_string()
            readings[name] = _thousands(schema.name, column, filled, numbers=numbers)
        else:
            readings[name] = _reading(schema.name, column, dict(zip(ways[name], fits, strict=True)), filled)
            whole = column.type == "number" and not counts[f"parted {name}"]
            if whole or not cell.type().is_string():
                readings[name] = replace(readings[name], notes=())
        readings[name] = replace(readings[name], as_stored=_as_stored(cell, name, readings[name], counts))
    return readings


def _as_stored(cell: ibis.Value, name: str, reading: Reading, counts: Counts) -> bool:
    """Tell whether every cell is stored as what it must become."""
    if reading.void or reading.unreadable:
        return False
    if reading.layout.dtype != "string":
        return reading.layout.takes(cell)
    exact = counts[f"exact {name}"] == counts[f"given {name}"]
    return exact and not reading.layout.rewrite and bool(cell.type().is_string())


def _ways(column: Column, received: Received) -> tuple[Layout, ...]:
    """Return the ways in which a column may be written; a spreadsheet counts days."""
    if column.type == "date" and received.day_zero is not None:
        return (*LAYOUTS["date"][:1], day_number(received.day_zero), *LAYOUTS["date"][1:])
    return LAYOUTS[column.type]


def _reading(table: str, column: Column, fits: Mapping[Layout, int], filled: int) -> Reading:
    """Choose the way of writing that fits most cells, and say what is wrong with it."""
    best = max(fits, key=lambda layout: fits[layout])
    every = [layout.name for layout, n in fits.items() if n == filled > 0]
    if {"dd/mm/yyyy", "mm/dd/yyyy"} <= set(every):
        rule = "it cannot be told which number is the day and which the month"
        return refused(table, column, best, rule=rule, rows=filled, remedy="write dates as yyyy-mm-dd")
    if fits[best] < filled:
        rule, remedy = REMEDIES[column.type]
        if sum(n > 0 for n in fits.values()) > 1:
            remedy += "; here several ways of writing occur together"
        remedy += "; leave missing cells empty"
        return refused(table, column, best, rule=rule, rows=filled - fits[best], remedy=remedy, void=False)
    notes = (f"{column.name}: {best.name}",) if best.name and filled else ()
    return Reading(layout=best, notes=notes)


def _thousands(table: str, column: Column, filled: int, *, numbers: bool) -> Reading:
    """Refuse text such as 1.234 in a whole column: it may be a thousand, or one and a bit."""
    layout = LAYOUTS["number"][0]
    if numbers:
        return Reading(layout=layout)
    rule = "it cannot be told whether the sign in the numbers marks decimals or thousands"
    remedy = "write two decimals, or none, and no sign for thousands"
    return refused(table, column, layout, rule=rule, rows=filled, remedy=remedy)


def _partly_text(table: str, column: Column, rows: int) -> Reading:
    """Refuse numbers of which some are stored as text: a sign in those may mean something else."""
    rule = "numbers of which some are stored as text"
    remedy = "store the whole column as numbers"
    return refused(table, column, LAYOUTS["number"][0], rule=rule, rows=rows, remedy=remedy)


def cast_cell(cell: ibis.Value, reading: Reading) -> ibis.Value:
    """Return the cell cast the way its column is read; null where it is not written that way."""
    import ibis

    if reading.as_stored:
        return known(cell).cast(reading.layout.dtype)
    text = as_text(cell)
    value = reading.layout.value(text)
    if reading.void:
        value = ibis.null(reading.layout.dtype)
    elif reading.unreadable:
        value = ibis.ifelse(reading.layout.fits(text), value, ibis.null(reading.layout.dtype))
    return value
