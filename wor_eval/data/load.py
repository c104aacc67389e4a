"""Brings delivered tables into DuckDB, cast to the types of the dictionary.

Two passes over a file, in bounded memory: one counts how its cells are written, one casts them.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wor_eval.data import convert, privacy
from wor_eval.data.accepted import AGES_IN_CLASSES, ASSUMPTIONS
from wor_eval.data.arrivals import drop_arrivals, receive_source
from wor_eval.data.dictionary import Dictionary, TableSchema
from wor_eval.data.files import Unreadable, digest_files
from wor_eval.data.findings import Finding
from wor_eval.data.mapping_rules import KindBreak
from wor_eval.data.receive import Received, connect, receive_frame, refusing_damage
from wor_eval.data.sources import Source, Sources
from wor_eval.study import Assumption

if TYPE_CHECKING:
    import ibis
    import pandas as pd

IN_PLACE_FROM = 2_000_000
"""Rows from which a Parquet file that is already of the right types is read where it stands, and not copied."""


@dataclass(kw_only=True, slots=True)
class Loaded:
    """Tables that were delivered, with what was noticed on the way.

    Parameters
    ----------
    tables : dict of str to ibis.Table
        The tables that could be read: the columns of the dictionary that were delivered, cast.
    findings : list of Finding
        What is wrong with the files and their cells.
    notes : list of str
        What was detected, one line per table.
    unreadable : dict of (str, str) to int
        Per table and column, the number of cells that could not be cast.
    refused : set of str
        Tables that were delivered and could not be read.
    digest : str
        SHA-256 of what was delivered.
    assumptions : list of Assumption
        What the study accepted of these data.
    age_cuts : tuple of int, optional
        The ages at which persons can be told apart, where ages came in classes.
    kind_break : KindBreak, optional
        A day over which kinds of contact cannot all be compared.
    """

    tables: dict[str, ibis.Table] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unreadable: dict[tuple[str, str], int] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    digest: str = ""
    assumptions: list[Assumption] = field(default_factory=list)
    age_cuts: tuple[int, ...] | None = None
    kind_break: KindBreak | None = None


def load_sources(sources: Sources, dictionary: Dictionary) -> Loaded:
    """Load the tables of a study from where they stand.

    Parameters
    ----------
    sources : Sources
        Where each table comes from.
    dictionary : Dictionary
        What the tables should hold.

    Returns
    -------
    Loaded
        The tables, and what is wrong with them.
    """
    loaded, backend = Loaded(), connect()
    loaded.notes += sources.notes
    for source in sources.tables:
        schema = dictionary.tables[source.table]
        with tempfile.TemporaryDirectory(prefix="wor_eval_") as scratch, _refusing(loaded, source.table):
            _accepted(loaded, source, sources.accept)
            received = receive_source(backend, source, schema, scratch=Path(scratch))
            if received is not None:
                _admit(loaded, backend, received, schema)
        drop_arrivals(backend, source.table)
    if not any(source.database for source in sources.tables):
        loaded.digest = sources_digest(sources)
    elif not loaded.refused:
        loaded.digest = _digest_tables(loaded.tables)
    return loaded


def _accepted(loaded: Loaded, source: Source, accept: tuple[str, ...]) -> None:
    """Require that the study accepts what a mapping supposes, and keep it as an assumption to print."""
    mapping = source.mapping
    if mapping is None:
        return
    if mapping.age_cuts is not None:
        loaded.age_cuts = mapping.age_cuts
        loaded.assumptions.append(AGES_IN_CLASSES)
    loaded.kind_break = mapping.kind_break or loaded.kind_break
    if mapping.assumption:
        supposed = ASSUMPTIONS[mapping.assumption]
        if mapping.assumption not in accept:
            raise Unreadable(
                supposed.refusal,
                f"if the study accepts this, put {mapping.assumption!r} in accept, "
                "in [sources]; the report then prints it as an assumption",
            )
        loaded.assumptions.append(supposed.assumption)


def sources_digest(sources: Sources) -> str:
    """Return the SHA-256 of the files of a study, and of what its mappings say."""
    total = digest_files((path for source in sources.tables for path in source.files), root=sources.root)
    if not sources.mappings and not sources.accept:
        return total
    said = [mapping.content for mapping in sources.mappings] + [name.encode() for name in sources.accept]
    return hashlib.sha256(b"\0".join([total.encode(), *said])).hexdigest()


def load_frames(frames: Mapping[str, pd.DataFrame], dictionary: Dictionary) -> Loaded:
    """Load frames in memory, through the same checks as files.

    Parameters
    ----------
    frames : mapping of str to pandas.DataFrame
        Frames by name of the table; an index is left out.
    dictionary : Dictionary
        What the tables should hold.

    Returns
    -------
    Loaded
        The tables, and what is wrong with them.
    """
    loaded, backend = Loaded(), connect()
    for name, frame in frames.items():
        with _refusing(loaded, str(name)):
            if name not in dictionary.tables:
                raise Unreadable("unknown table", f"use one of {', '.join(dictionary.tables)}")
            _admit(loaded, backend, receive_frame(frame, name), dictionary.tables[name])
    if not loaded.refused:
        loaded.digest = _digest_tables(loaded.tables)
    return loaded


@contextmanager
def _refusing(loaded: Loaded, table: str) -> Iterator[None]:
    """Turn an unreadable table into a finding, and go on with the next."""
    try:
        yield
    except Unreadable as error:
        loaded.findings.append(error.finding(table))
        loaded.refused.add(table)


def _admit(loaded: Loaded, backend: Any, received: Received, schema: TableSchema) -> None:
    """Screen and cast one table, and store it."""
    for before in received.before:
        loaded.findings += privacy.screen_foreign(before, schema.name)
    cells = _named_cells(received, schema)
    known = {name: cells[name] for name in schema.columns if name in cells}
    if not known:
        raise Unreadable(
            "the header holds no column of the data dictionary", "start with one line of the names it gives"
        )
    if odd := [name for name, cell in known.items() if not _is_plain(cell)]:
        rule = f"columns stored as a type that cannot be read: {', '.join(odd)}"
        raise Unreadable(rule, "store them as text, numbers, dates or truth values")
    suspects = {
        name: cell
        for name, cell in cells.items()
        if privacy.screened(schema.columns.get(name)) and _may_hold_text(cell)
    }
    counts = received.count({**dict(convert.measures(known, schema)), **dict(privacy.measures(suspects))})
    readings = convert.choose_layouts(received, known, schema, counts)
    loaded.findings += [finding for reading in readings.values() for finding in reading.findings]
    loaded.findings += privacy.screen(received, schema, cells=suspects, counts=counts)
    loaded.unreadable |= {(schema.name, name): r.unreadable for name, r in readings.items() if r.unreadable}
    typed = {name: convert.cast_cell(cell, readings[name]) for name, cell in known.items()}
    rows = received.rows.select(**typed)
    large = max(counts[f"filled {name}"] for name in known) >= IN_PLACE_FROM
    if large and received.lasting and all(reading.as_stored for reading in readings.values()):
        loaded.tables[schema.name] = rows
    else:
        with refusing_damage(received.count_rejects):
            loaded.tables[schema.name] = backend.create_table(schema.name, rows)
    notes = [*received.notes, *(note for reading in readings.values() for note in reading.notes)]
    if extra := [name for name in cells if name not in schema.columns]:
        notes.append(f"columns that are not in the dictionary, ignored: {', '.join(extra)}")
    if notes:
        loaded.notes.append(f"{received.origin}: {'; '.join(notes)}")


def _named_cells(received: Received, schema: TableSchema) -> dict[str, ibis.Value]:
    """Return the columns by the name to show.

    A column outside the dictionary is shown by its position where a column of the dictionary is
    missing: the first line may then be no header, but the data of a person.
    """
    complete = all(c.optional or c.name in received.header for c in schema.columns.values())
    named = {}
    for place, (name, column) in enumerate(zip(received.header, received.rows.columns, strict=True), start=1):
        shown = name if name and (complete or name in schema.columns) else f"column {place}"
        named[shown] = received.rows[column]
    return named


def _is_plain(cell: ibis.Value) -> bool:
    """Tell whether a column holds text, numbers, dates or truth values."""
    dtype = cell.type()
    return _may_hold_text(cell) or dtype.is_boolean() or dtype.is_date() or dtype.is_timestamp()


def _may_hold_text(cell: ibis.Value) -> bool:
    """Tell whether a column holds text or numbers."""
    return cell.type().is_string() or (cell.type().is_numeric() and not cell.type().is_boolean())


def _digest_tables(tables: Mapping[str, ibis.Table]) -> str:
    """Return the SHA-256 over cast tables, written as CSV in the order of the dictionary."""
    total = hashlib.sha256()
    with tempfile.TemporaryDirectory(prefix="wor_eval_") as scratch:
        for name in sorted(tables):
            path = Path(scratch) / f"{name}.csv"
            tables[name].to_csv(path)
            with path.open("rb") as file:
                total.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
            path.unlink()
    return total.hexdigest()
