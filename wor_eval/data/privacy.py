"""Refuses columns that should not be there: citizen service numbers, free text, ages in unusable classes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from wor_eval.data.dictionary import Column, TableSchema
from wor_eval.data.findings import Finding
from wor_eval.data.receive import Received, refusing_damage
from wor_eval.data.writing import Counts, as_text, numeral

if TYPE_CHECKING:
    import ibis

Count = Callable[[Mapping[str, "ibis.Value"]], Counts]

BSN_SHARE = 0.9
FREE_TEXT_LENGTH = 20
FREE_TEXT_VALUES = 20
AGE_CUT = 65
_MOST_CLASSES = 200
_OLDEST = 130
_SAMPLE = 20_000
_NINE_DIGITS = r"^\d{8,9}(\.0)?$"
_BSN_WEIGHTS = (9, 8, 7, 6, 5, 4, 3, 2, -1)
_BAND_NAME = re.compile(r"(age|leeftijd)s?[_ -]?(class|band|group|cat|kl|gr|range)", re.IGNORECASE)
_BAND = re.compile(
    r"(?P<side><=?|≤|>=?|≥)?\s*(?P<low>\d{1,3})\s*(?:(?P<open>\+|jaar en ouder|en ouder)|"
    r"(?P<sign>-|–|tot en met|t/m|tot|to)\s*(?P<high>\d{1,3}))?\s*(?:jaar|jr|years?)?",
    re.IGNORECASE,
)


def screened(column: Column | None) -> bool:
    """Tell whether a column must be screened: it is outside the dictionary, or few rules bind its cells."""
    if column is None:
        return True
    bounded = column.levels or column.pattern or column.maximum is not None
    return column.type == "year" or (column.type in ("string", "integer", "number") and not bounded)


def measures(cells: Mapping[str, ibis.Value]) -> Iterator[tuple[str, ibis.Value]]:
    """Yield the counts that tell which columns need a closer look.

    Parameters
    ----------
    cells : mapping of str to ibis.Value
        The columns to screen, by the name to show, as they were stored.

    Yields
    ------
    tuple of (str, ibis.Value)
        Name and aggregate.
    """
    for name, cell in cells.items():
        text = as_text(cell)
        yield f"screened {name}", text.count()
        yield f"nine {name}", text.count(where=_nine_digits(cell))
        if cell.type().is_string():
            yield f"spaced {name}", text.count(where=text.contains(" "))
            yield f"length {name}", text.length().sum()


def _nine_digits(cell: ibis.Value) -> ibis.Value:
    """Return true where a cell is a number of eight or nine digits."""
    if cell.type().is_signed_integer():
        return cell.between(10**7, 10**9 - 1)
    text = numeral(as_text(cell))
    return text.length().between(8, 11) & text.re_search(_NINE_DIGITS)


def screen(
    received: Received, schema: TableSchema, *, cells: Mapping[str, ibis.Value], counts: Counts
) -> Iterator[Finding]:
    """Yield what should not be in a table.

    Parameters
    ----------
    received : Received
        The table as it was delivered.
    schema : TableSchema
        What the table should hold.
    cells : mapping of str to ibis.Value
        The columns to screen, by the name to show.
    counts : mapping of str to int
        The results of `measures`.

    Yields
    ------
    Finding
        One for each column that must be taken out or replaced.
    """
    yield from bsn_like(schema.name, cells, counts, received=received)
    extra = {name: cell for name, cell in cells.items() if cell.type().is_string()}
    yield from free_text(schema.name, extra, counts, count=received.count)
    if schema.name == "persons":
        ages = {name: cell for name, cell in extra.items() if _may_hold_ages(name, schema)}
        yield from banded_age(schema.name, ages, received)


def screen_foreign(received: Received, table: str) -> Iterator[Finding]:
    """Yield what should not be in a file that a mapping reads, in columns that it does not use either.

    Parameters
    ----------
    received : Received
        The table as it was delivered.
    table : str
        Name of the table that is made of it.

    Yields
    ------
    Finding
        One for each column that must be taken out or replaced.
    """
    cells = {
        name or f"column {place}": received.rows[column]
        for place, (name, column) in enumerate(
            zip(received.header, received.rows.columns, strict=True), start=1
        )
    }
    cells = {
        name: cell for name, cell in cells.items() if cell.type().is_string() or cell.type().is_integer()
    }
    counts = received.count(dict(measures(cells)))
    yield from bsn_like(table, cells, counts, received=received)
    texts = {name: cell for name, cell in cells.items() if cell.type().is_string()}
    yield from free_text(table, texts, counts, count=received.count)


def bsn_like(
    table: str, cells: Mapping[str, ibis.Value], counts: Counts, *, received: Received
) -> Iterator[Finding]:
    """Refuse a column in which nearly all cells pass the eleven test of a citizen service number.

    Nine digits d1..d9 pass if 9 d1 + 8 d2 + ... + 2 d8 - d9 is a multiple of eleven. A number of eight
    digits is one whose leading zero was lost. Other numbers pass one time in eleven, so a look at some rows
    tells which columns need a look at all.
    """
    suspects = {
        name: cell for name, cell in cells.items()
        if counts[f"nine {name}"] >= BSN_SHARE * counts[f"screened {name}"] > 0
    }  # fmt: skip
    if suspects:
        some = replace(received, rows=received.rows.limit(_SAMPLE))
        passes = some.count({name: _passing(cell) for name, cell in suspects.items()})
        filled = some.count({name: as_text(cell).count() for name, cell in suspects.items()})
        suspects = {name: cell for name, cell in suspects.items() if 2 * passes[name] >= filled[name]}
    found = received.count({name: _passing(cell) for name, cell in suspects.items()}) if suspects else {}
    for name, rows in found.items():
        if rows >= BSN_SHARE * counts[f"screened {name}"]:
            remedy = "replace it by a pseudonym, or take the column out, before the data are delivered"
            rule = "looks like a citizen service number (BSN)"
            yield Finding(table=table, column=name, rule=rule, rows=rows, remedy=remedy)


def _passing(cell: ibis.Value) -> ibis.Value:
    """Count the cells that pass the eleven test."""
    digits = as_text(cell).re_replace(r"\.0$", "").lpad(9, "0")
    total = sum(digits.substr(i, 1).try_cast("int64") * w for i, w in enumerate(_BSN_WEIGHTS))
    nine = as_text(cell).re_search(_NINE_DIGITS)
    return cell.count(where=nine & (total % 11 == 0) & (digits != "000000000"))


def free_text(
    table: str, cells: Mapping[str, ibis.Value], counts: Counts, *, count: Count
) -> Iterator[Finding]:
    """Refuse a column of sentences: long on average, with spaces, and rarely the same twice."""
    suspects = {
        name: as_text(cell).approx_nunique()
        for name, cell in cells.items()
        if (counts[f"length {name}"] or 0) > FREE_TEXT_LENGTH * counts[f"screened {name}"]
        and 2 * counts[f"spaced {name}"] > counts[f"screened {name}"]
    }
    for name, values in (count(suspects) if suspects else {}).items():
        rows = counts[f"screened {name}"]
        if values > FREE_TEXT_VALUES or 2 * values > rows:
            remedy = "take the column out: free text may identify a person, and nothing here uses it"
            yield Finding(table=table, column=name, rule="looks like free text", rows=rows, remedy=remedy)


def banded_age(table: str, cells: Mapping[str, ibis.Value], received: Received) -> Iterator[Finding]:
    """Refuse ages that arrive in classes of which one holds ages on both sides of 65.

    Persons of 18-64 and of 65 and over are reported apart; a class such as 61-75 cannot be divided
    over the two.
    """
    for name, cell in cells.items():
        classes = _distinct(received, cell)
        limits = {label: _limits(label) for label in classes}
        readable = {label: both for label, both in limits.items() if both is not None}
        if len(readable) < BSN_SHARE * len(classes) and not (_BAND_NAME.search(name) and readable):
            continue
        across = sorted(label for label, (low, high) in readable.items() if low < AGE_CUT <= high)
        if across:
            yield Finding(
                table=table,
                column=name,
                rule=f"age in classes that run across {AGE_CUT}: {', '.join(across)}",
                rows=0,
                remedy=f"deliver birth_year: persons under {AGE_CUT} and of {AGE_CUT} and over are reported "
                "apart, and a class that holds both cannot be divided",
            )


def _may_hold_ages(name: str, schema: TableSchema) -> bool:
    return name not in schema.columns or schema.columns[name].type == "year"


def _distinct(received: Received, cell: ibis.Value) -> list[str]:
    """Return the different texts of a column; none if there are more than any division into classes has."""
    few = received.rows.select(text=as_text(cell)).drop_null().distinct().limit(_MOST_CLASSES + 1)
    with refusing_damage(received.count_rejects):
        texts = few.to_pyarrow()["text"].to_pylist()
    return texts if len(texts) <= _MOST_CLASSES else []


def _limits(label: str) -> tuple[int, int] | None:
    """Return the lowest and highest whole age of a class; None if it is not a class of ages."""
    match = _BAND.fullmatch(label.strip())
    if match is None:
        return None
    first = int(match["low"])
    side = match["side"]
    if side and (match["open"] or match["high"]):
        return None
    if side and side[0] in "<≤":
        return 0, first - (side == "<")
    if side or match["open"]:
        return first + (side == ">"), _OLDEST
    if match["high"] is None:
        return None
    high = int(match["high"]) - (match["sign"].lower() == "tot")
    return (first, high) if first <= high <= _OLDEST else None
