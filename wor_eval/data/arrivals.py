"""Brings the rows of one table into the database, from its file or files or from a database, mapped or as they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

from wor_eval.data.databases import has_table, receive_database
from wor_eval.data.mapped import apply_mapping
from wor_eval.data.receive import Received, receive_files
from wor_eval.data.schema import TableSchema
from wor_eval.data.sources import Source, stem
from wor_eval.data.writing import as_text


def receive_source(backend: Any, source: Source, schema: TableSchema, *, scratch: Path) -> Received | None:
    """Receive one table.

    Parameters
    ----------
    backend : ibis.backends.duckdb.Backend
        Where to bring it.
    source : Source
        Where it comes from.
    schema : TableSchema
        What the table should hold.
    scratch : pathlib.Path
        Folder for copies, needed as long as the rows are.

    Returns
    -------
    Received or None
        The rows; None where a database does not have the table.

    Raises
    ------
    Unreadable
        If it cannot be read, or the mapping does not fit.
    """
    mapping = source.mapping
    if source.database:
        asked_for = source.query or source.relation != source.table
        if not asked_for and not has_table(source.database, source.relation):
            return None
        received = receive_database(
            backend, source.database, name=source.table, relation=source.relation, query=source.query
        )
        return received if mapping is None else apply_mapping(received, mapping, schema, groups={})
    if mapping is None:
        return receive_files(backend, schema, source.files, scratch=scratch, sheet=source.sheet)
    parts = []
    for place, path in enumerate(source.files):
        received = receive_files(
            backend, schema, (path,), scratch=scratch, name=f"{source.table}_{place}", sheet=source.sheet
        )
        matched = re.fullmatch(mapping.file, stem(path)) if mapping.file else None
        groups = {name: value for name, value in (matched.groupdict() if matched else {}).items() if value}
        parts.append(apply_mapping(received, mapping, schema, groups=groups))
    return parts[0] if len(parts) == 1 else _together(parts, schema, distinct=mapping.distinct)


def _together(parts: list[Received], schema: TableSchema, *, distinct: bool) -> Received:
    """Put tables below each other: by name, as text, so that a column may be stored in several ways."""
    import ibis

    header = tuple(name for name in schema.columns if any(name in part.header for part in parts))
    texts = []
    for part in parts:
        cells = {
            f"c{place}": as_text(part.cell(name)) if name in part.header else ibis.null("string")
            for place, name in enumerate(header)
        }
        texts.append(part.rows.select(**cells))
    counters = [part.count_rejects for part in parts if part.count_rejects is not None]
    rows = reduce(lambda one, other: one.union(other), texts)
    return replace(
        parts[0],
        rows=rows.distinct() if distinct else rows,
        header=header,
        origin=", ".join(part.origin for part in parts),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        count_rejects=_summed(counters) if counters else None,
        stored={},
        before=tuple(before for part in parts for before in part.before),
    )


def _summed(counters: list[Callable[[], int]]) -> Callable[[], int]:
    return lambda: sum(count() for count in counters)


def drop_arrivals(backend: Any, table: str) -> None:
    """Remove what a table was read from, once it is cast."""
    pattern = re.compile(rf"(received|stored|rejects)_{table}(_\d+)?")
    for kind, place in (("VIEW", "duckdb_views()"), ("TABLE", "duckdb_tables()")):
        column = "view_name" if kind == "VIEW" else "table_name"
        names = backend.con.execute(f"SELECT {column} FROM {place}").fetchall()  # noqa: S608  (words of our own)
        for (name,) in names:
            if pattern.fullmatch(name):
                backend.raw_sql(f'DROP {kind} IF EXISTS "{name}"')
