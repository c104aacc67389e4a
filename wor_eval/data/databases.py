"""Reads tables from a database: DuckDB and PostgreSQL through Ibis, SQLite through Python's own library.

Nothing is downloaded: no extension of DuckDB is needed. A password never appears in a message or a note.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wor_eval.data.files import Unreadable
from wor_eval.data.loose_cells import LooseCells, text_schema
from wor_eval.data.receive import Received, refusing_damage, store

if TYPE_CHECKING:
    import pyarrow as pa

_ADDRESS = re.compile(r"(duckdb|sqlite|postgres|postgresql):.+", re.IGNORECASE | re.DOTALL)
_ASKED = "wor_eval_asked"
_READS = re.compile(r"\s*(select|with)\b", re.IGNORECASE)


def is_address(text: str) -> bool:
    """Tell whether a text is the address of a database.

    Examples
    --------
    >>> is_address("duckdb:study.duckdb"), is_address("C:/study")
    (True, False)
    """
    return _ADDRESS.fullmatch(text) is not None


def shown(address: str) -> str:
    """Return an address as it may be shown: without user, password and folder.

    Examples
    --------
    >>> shown("postgres://me:secret@host/study"), shown("duckdb:data/study.duckdb")
    ('postgres://host/study', 'duckdb:study.duckdb')
    """
    kind, _, rest = address.partition(":")
    if rest.startswith("//"):
        return f"{kind}://{rest[2:].rpartition('@')[2].partition('?')[0]}"
    return f"{kind}:{Path(rest).name}"


def has_table(address: str, name: str) -> bool:
    """Tell whether a database has a table or a view of some name.

    Raises
    ------
    Unreadable
        If the database cannot be opened.
    """
    return name in _tables(address)


def receive_database(backend: Any, address: str, *, name: str, relation: str, query: str = "") -> Received:
    """Bring a table of a database into DuckDB.

    Parameters
    ----------
    backend : ibis.backends.duckdb.Backend
        Where to bring it.
    address : str
        ``duckdb:path``, ``sqlite:path`` or ``postgres://user:password@host/database``.
    name : str
        Name to store it by.
    relation : str
        The table or view.
    query : str
        A question in SQL to ask instead: it must start with select or with.

    Returns
    -------
    Received
        The rows, with their types.

    Raises
    ------
    Unreadable
        If the database cannot be opened, or it has no such table.
    """
    if query and not _READS.match(query):
        raise Unreadable("the query does not read", "write a query that starts with SELECT or WITH")
    if not query and relation not in _tables(address):
        raise Unreadable(f"{shown(address)} has no table {relation}", "correct the name in [sources]")
    asked = query or f'SELECT * FROM "{relation}"'  # noqa: S608  (the name is one the database gave)
    if address.lower().startswith("sqlite:"):
        return _from_sqlite(backend, address, name, asked)
    if address.lower().startswith("duckdb:"):
        return _from_duckdb(backend, address, name, asked)
    with refusing_damage():
        form, batches = _batches(address, relation, query)
        placed = [field.with_name(f"c{i}") for i, field in enumerate(form)]
        rows = store(backend, name, _renamed(batches, placed), _schema(placed))
    return Received(
        rows=rows, header=tuple(form.names), origin=f"{shown(address)} {relation}", notes=("PostgreSQL",)
    )


def _from_duckdb(backend: Any, address: str, name: str, query: str) -> Received:
    """Copy what a query gives from another DuckDB database, inside DuckDB."""
    path = str(_existing(address)).replace("'", "''")
    with refusing_damage():
        backend.con.execute(f"ATTACH '{path}' AS other (READ_ONLY)")
        try:
            backend.con.execute("USE other")
            backend.con.execute(f'CREATE TABLE memory.main."stored_{name}" AS {query}')
        finally:
            backend.con.execute("USE memory")
            backend.con.execute("DETACH other")
        rows = backend.table(f"stored_{name}")
    return Received(rows=rows, header=tuple(rows.columns), origin=shown(address), notes=("DuckDB",))


def _schema(fields: list[pa.Field]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema(fields)


def _renamed(batches: Iterator[pa.RecordBatch], fields: list[pa.Field]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for batch in batches:
        yield pa.RecordBatch.from_arrays(batch.columns, schema=pa.schema(fields))


def _existing(address: str) -> Path:
    path = Path(address.partition(":")[2])
    if not path.is_file():
        raise Unreadable(f"there is no database {path.name}", "correct its address")
    return path


def _open(address: str) -> Any:
    """Open a database of PostgreSQL."""
    import ibis

    try:
        return ibis.connect(re.sub("^postgresql?:", "postgres:", address, flags=re.IGNORECASE))
    except ImportError:
        raise Unreadable(
            "PostgreSQL needs the library psycopg", "install it: pip install 'ibis-framework[postgres]'"
        ) from None
    except Exception as error:  # a message of the driver may hold the password
        raise Unreadable(
            f"{shown(address)} cannot be opened ({type(error).__name__})",
            "check host, name, user and password",
        ) from None


def _tables(address: str) -> set[str]:
    if address.lower().startswith("sqlite:"):
        with _refusing_sqlite(), closing(_sqlite(address)) as connection:
            return {
                row[0]
                for row in connection.execute(
                    "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
                )
            }
    with refusing_damage():
        if address.lower().startswith("duckdb:"):
            import duckdb

            with duckdb.connect(str(_existing(address)), read_only=True) as connection:
                found = connection.execute("SELECT table_name FROM information_schema.tables").fetchall()
            return {row[0] for row in found}
        opened = _open(address)
        try:
            return set(opened.list_tables())
        finally:
            opened.disconnect()


def _batches(address: str, relation: str, query: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the types of a table or a query of PostgreSQL, and its rows in batches."""
    opened = _open(address)
    try:
        if query:
            # Backend.sql of Ibis names no view when it drops the one it made, which PostgreSQL refuses.
            opened.raw_sql(f"CREATE TEMPORARY VIEW {_ASKED} AS {query}")
        reader = opened.table(_ASKED if query else relation).to_pyarrow_batches()
    except Exception as error:
        raise Unreadable(
            f"the query cannot be carried out ({type(error).__name__})", "try it in the database itself"
        ) from None
    return reader.schema, iter(reader)


def _sqlite(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{_existing(address).absolute().as_uri()}?mode=ro", uri=True)
    connection.text_factory = lambda raw: raw.decode("utf-8")
    return connection


def _refusing_sqlite() -> Any:
    from contextlib import contextmanager

    @contextmanager
    def refusing() -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise Unreadable(
                f"the SQLite database cannot be read ({type(error).__name__})",
                "check that it opens where it was made",
            ) from None

    return refusing()


def _from_sqlite(backend: Any, address: str, name: str, query: str) -> Received:
    """Read a table of SQLite, in which every cell has a type of its own."""
    with _refusing_sqlite(), closing(_sqlite(address)) as connection:
        cursor = connection.execute(query)
        header = tuple(column[0] for column in cursor.description)
        if len(set(header)) < len(header):
            raise Unreadable("two columns have the same name", "give every column its own name")
        cells = LooseCells(header=header, rows=_without_bytes(cursor), digits=18)
        form = text_schema(header)
        rows = store(backend, name, cells.batches(form), form)
    return Received(rows=rows, header=header, origin=shown(address), notes=("SQLite",), stored=cells.stored)


def _without_bytes(cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
    for row in cursor:
        if any(isinstance(cell, bytes) for cell in row):
            raise Unreadable("cells that hold bytes", "store the table as text and numbers")
        yield row
