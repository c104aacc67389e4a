"""Carries out a mapping: rows as they were delivered become rows with the columns of the dictionary.

Everything is an expression in the database; no row passes through Python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING

from wor_eval.data.files import Unreadable
from wor_eval.data.loose_cells import Stored
from wor_eval.data.mapping_rules import ColumnRule, Unpivot
from wor_eval.data.mapping_values import (
    birth_year,
    coded,
    dated,
    joined_items,
    multiplied,
    shifted,
)
from wor_eval.data.mappings import TableMapping
from wor_eval.data.receive import Received
from wor_eval.data.schema import Column, TableSchema
from wor_eval.data.value_labels import codes_by_label
from wor_eval.data.writing import as_text, is_whole

if TYPE_CHECKING:
    import ibis

_CENT = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Foreign:
    """A received table with its columns by name, whatever the case of the letters.

    Parameters
    ----------
    rows : ibis.Table
        The rows, with columns named as in the file.
    names : mapping of str to str
        Per name in small letters the name of the column.
    received : Received
        The table as it was delivered.
    """

    rows: ibis.Table
    names: Mapping[str, str]
    received: Received

    def has(self, name: str) -> bool:
        """Tell whether there is such a column."""
        return name.lower() in self.names

    def cell(self, name: str) -> ibis.Value:
        """Return a column as it was stored."""
        return self.rows[self.names[name.lower()]]

    def text(self, name: str) -> ibis.Value:
        """Return a column as text."""
        return as_text(self.cell(name))


def apply_mapping(
    received: Received, mapping: TableMapping, schema: TableSchema, *, groups: Mapping[str, str]
) -> Received:
    """Return a received table with the columns of the dictionary.

    Parameters
    ----------
    received : Received
        The table as it was delivered.
    mapping : TableMapping
        Where each column comes from.
    schema : TableSchema
        What the table should hold.
    groups : mapping of str to str
        Columns that come from the name of the file.

    Returns
    -------
    Received
        The mapped rows.

    Raises
    ------
    Unreadable
        If the mapping refuses such files, a column that it needs is not there, an id would lose digits, or the
        columns that become rows do not add up to their total.
    """
    if mapping.refused:
        raise Unreadable(mapping.refused, "see docs/data.md for what such files can be used for")
    foreign = _foreign(received, groups)
    foreign = _kept(foreign, mapping)
    if mapping.unpivot is not None:
        foreign = _unpivoted(foreign, mapping.unpivot)
    used, absent = _usable(foreign, mapping, schema)
    _refuse_inexact(foreign, used)
    cells = {name: _cell(foreign, rule, schema.columns[name]) for name, rule in used.items()}
    rows = foreign.rows.select(**{f"c{place}": cell for place, cell in enumerate(cells.values())})
    renamed = {name: rule.columns for name, rule in used.items() if rule.is_rename}
    notes = [*received.notes]
    if absent:
        notes.append(f"not in the file, so left empty: {', '.join(absent)}")
    for place, rule in enumerate(used.values()):
        rows = rows.filter(rows[f"c{place}"].notnull()) if rule.items else rows
    return replace(
        received,
        rows=rows.distinct() if mapping.distinct else rows,
        header=tuple(cells),
        notes=tuple(notes),
        stored={name: s for name, names in renamed.items() if (s := _stored(foreign, names)) is not None},
        labels={},
        before=(received,),
    )


def _foreign(received: Received, groups: Mapping[str, str]) -> Foreign:
    """Name the columns as the file does; a name that occurs twice but for its case is refused."""
    import ibis

    columns = zip(received.header, received.rows.columns, strict=True)
    named = {
        name or f"column {i}": received.rows[column] for i, (name, column) in enumerate(columns, start=1)
    }
    named |= {name: ibis.literal(value) for name, value in groups.items()}
    small = {name.lower(): name for name in named}
    if len(small) < len(named):
        raise Unreadable("two columns have the same name", "give every column its own name")
    return Foreign(rows=received.rows.select(**named), names=small, received=received)


def _stored(foreign: Foreign, names: Sequence[str]) -> Stored | None:
    first = next(name for name in names if foreign.has(name))
    return foreign.received.stored.get(foreign.names[first.lower()])


def _kept(foreign: Foreign, mapping: TableMapping) -> Foreign:
    """Keep the rows that the mapping asks for."""
    rows = foreign.rows
    for where in mapping.where:
        _require(foreign, [(where.column,)], mapping.table)
        text = foreign.text(where.column)
        keep = text.notnull()
        if where.one_of:
            keep = text.isin(where.one_of)
        if where.none_of:
            keep = text.notin(where.none_of)
        rows = rows.filter(keep)
    return replace(foreign, rows=rows)


def _unpivoted(foreign: Foreign, unpivot: Unpivot) -> Foreign:
    """Turn columns into rows, after a look at whether they add up."""
    present = [foreign.names[name.lower()] for name in unpivot.columns if foreign.has(name)]
    if not present:
        raise Unreadable(
            f"the file has none of the columns {', '.join(unpivot.columns[:3])}, …", "correct the mapping"
        )
    if unpivot.total and foreign.has(unpivot.total):
        _refuse_other_total(foreign, present, unpivot.total)
    rows = foreign.rows.mutate(**{name: as_text(foreign.rows[name]) for name in present})
    long = rows.pivot_longer(present, names_to=unpivot.name, values_to=unpivot.value)
    value = long[unpivot.value]
    long = long.filter(value.notnull())
    if unpivot.skip_zero:
        long = long.filter(~value.re_search(r"^[+-]?0+([.,]0*)?$"))
    names = {name.lower(): name for name in long.columns}
    canonical = {name.lower(): name for name in unpivot.columns}
    item = long[unpivot.name]
    same = item.cases(*((name, canonical[name.lower()]) for name in present), else_=item)
    return replace(foreign, rows=long.mutate(**{unpivot.name: same}), names=names)


def _refuse_other_total(foreign: Foreign, present: Sequence[str], total: str) -> None:
    """Refuse parts that do not add up to the total of their row: some are counted twice, or are missing."""
    numbers = [_as_number(as_text(foreign.rows[name])).fill_null(0.0) for name in present]
    whole = _as_number(foreign.text(total))
    summed = reduce(lambda one, other: one + other, numbers)
    counts = foreign.rows.aggregate(
        above=foreign.rows.count(where=summed - whole > _CENT),
        below=foreign.rows.count(where=whole - summed > _CENT),
    )
    found = counts.to_pyarrow().to_pylist()[0]
    if found["above"] or found["below"]:
        raise Unreadable(
            f"the parts do not add up to {total} (more in {found['above']} rows, less in {found['below']})",
            "map every part once: sub-items are in the sum already; a part that is new this year is missing",
            rows=found["above"] + found["below"],
        )


def _as_number(text: ibis.Value) -> ibis.Value:
    return text.re_replace(r"^([+-]?\d+),(\d+)$", r"\1.\2").try_cast("float64")


def _usable(
    foreign: Foreign, mapping: TableMapping, schema: TableSchema
) -> tuple[dict[str, ColumnRule], list[str]]:
    """Return the rules whose columns are there, and the optional columns whose are not."""
    used, absent, needed = {}, [], []
    for name, rule in mapping.columns.items():
        missing = [names for names in rule.needs() if not any(foreign.has(n) for n in names)]
        if not missing:
            used[name] = rule
        elif schema.columns[name].optional:
            absent.append(name)
        else:
            needed += [f"{' or '.join(names)} (for {schema.name}.{name})" for names in missing]
    if needed:
        raise Unreadable(
            f"the file has no column {', '.join(needed)}",
            "correct the name in the mapping, or add the column",
        )
    return used, absent


def _require(foreign: Foreign, names: Sequence[Sequence[str]], table: str) -> None:
    missing = [" or ".join(options) for options in names if not any(foreign.has(n) for n in options)]
    if missing:
        raise Unreadable(
            f"the file has no column {', '.join(missing)} (for {table})", "correct the name in the mapping"
        )


def _refuse_inexact(foreign: Foreign, used: Mapping[str, ColumnRule]) -> None:
    """Refuse to build an id of numbers that are not whole, or too large to be known to the last digit."""
    names = {name for rule in used.values() for _, name, _ in rule.parts() if name}
    suspects = {name: foreign.cell(name) for name in sorted(names) if foreign.cell(name).type().is_floating()}
    stored = {name: foreign.received.stored.get(foreign.names[name.lower()]) for name in names}
    counts = {name: as_text(cell).count(where=~is_whole(cell)) for name, cell in suspects.items()}
    found: dict[str, int] = {name: s.broken + s.imprecise for name, s in stored.items() if s is not None}
    if counts:
        row = (
            foreign.rows.aggregate(**{f"n{i}": n for i, n in enumerate(counts.values())})
            .to_pyarrow()
            .to_pylist()[0]
        )
        found |= dict(zip(counts, row.values(), strict=True))
    if bad := {name: rows for name, rows in found.items() if rows}:
        raise Unreadable(
            f"text stored as a decimal number: {', '.join(bad)}",
            "store it as text: as a number it loses its leading zeros, and digits after the fifteenth",
            rows=max(bad.values()),
        )


def _cell(foreign: Foreign, rule: ColumnRule, column: Column) -> ibis.Value:
    """Return one column of the dictionary."""
    import ibis

    if rule.value is not None:
        return ibis.literal(rule.value)
    if rule.items:
        return joined_items([foreign.text(name) for name in rule.items])
    if rule.columns:
        name = next(option for option in rule.columns if foreign.has(option))
        labels = foreign.received.labels.get(foreign.names[name.lower()], {})
        translated = codes_by_label(labels, column) if not rule.codes else {}
        if rule.is_rename and not translated:
            return foreign.cell(name)
        text = foreign.text(name)
        by_label = {code: rule.codes[label] for code, label in labels.items() if label in rule.codes}
        codes = (by_label | dict(rule.codes)) or translated
    else:
        text, codes = _filled_in(foreign, rule), dict(rule.codes)
    steps: list[tuple[bool, Callable[[ibis.Value], ibis.Value]]] = [
        (bool(codes), lambda t: coded(t, codes, other=rule.other, column=column)),
        (bool(rule.ages), lambda t: birth_year(t, rule.ages, on=foreign.text(rule.on))),
        (rule.date is not None, lambda t: dated(t, rule.date or "yyyy-mm-dd")),
        (rule.factor is not None, lambda t: multiplied(t, rule.factor or 1.0)),
        (bool(rule.shift_days), lambda t: shifted(t, rule.shift_days)),
    ]
    for needed, step in steps:
        text = step(text) if needed else text
    return text


def _filled_in(foreign: Foreign, rule: ColumnRule) -> ibis.Value:
    """Return the text with its columns filled in; null where one of them is empty."""
    import ibis

    whole = ibis.literal("")
    for before, name, width in rule.parts():
        whole = whole + before if before else whole
        if name:
            cell = foreign.text(name)
            whole = whole + (cell.lpad(width, "0") if width else cell)
    return whole
