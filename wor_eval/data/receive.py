"""Opens what was delivered, a file or a frame, as rows in DuckDB; no cell is interpreted yet."""

from __future__ import annotations

import glob
import os
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wor_eval.data import statistical_files, workbooks
from wor_eval.data.dictionary import TableSchema
from wor_eval.data.files import CsvFile, Unreadable, open_csv
from wor_eval.data.loose_cells import LooseCells, Stored, text_schema
from wor_eval.data.statistical_files import SPSS, STATA
from wor_eval.data.value_labels import Labels, translate
from wor_eval.data.workbooks import EXCEL

if TYPE_CHECKING:
    import ibis
    import pandas as pd
    import pyarrow as pa

MEMORY = "1500MB"
"""Memory of the engine, so that a run stays under 2 GB; more is quicker on data that do not fit in it."""

_DAMAGED = "deliver the file again, and check that it opens where it was made"
_MARKS = {",": "','", ";": "';'", "\t": "tab", "|": "'|'"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """One table as it was delivered.

    Parameters
    ----------
    rows : ibis.Table
        The rows, with columns in the order of `header`.
    header : tuple of str
        Names of the columns; a column without a name has an empty one.
    origin : str
        Name of the file or frame, for the notes.
    notes : tuple of str
        What was detected.
    count_rejects : callable, optional
        Counts the rows that cannot be divided into cells.
    stored : mapping of str to Stored
        Per column of text, how many of its cells were stored as numbers; empty where a column has one type.
    day_zero : datetime.date, optional
        The day from which a date that is stored as a number is counted.
    labels : mapping of str to mapping of str to str
        Per column its codes with their value labels.
    before : tuple of Received
        The tables as they were before a mapping.
    lasting : bool
        The rows can be read again at any time, as quickly.
    """

    rows: ibis.Table
    header: tuple[str, ...]
    origin: str
    notes: tuple[str, ...] = ()
    count_rejects: Callable[[], int] | None = field(default=None, repr=False)
    stored: Mapping[str, Stored] = field(default_factory=dict)
    day_zero: date | None = None
    labels: Labels = field(default_factory=dict)
    before: tuple[Received, ...] = ()
    lasting: bool = False

    def cell(self, name: str) -> ibis.Value:
        """Return a column by its name in the header."""
        return self.rows[self.rows.columns[self.header.index(name)]]

    def count(self, measures: Mapping[str, ibis.Value]) -> dict[str, Any]:
        """Count aggregates over the rows in one pass."""
        names = {f"n{place}": measure for place, measure in enumerate(measures.values())}
        with refusing_damage(self.count_rejects):
            row = self.rows.aggregate(**names).to_pyarrow().to_pylist()[0]
        return dict(zip(measures, row.values(), strict=True))


def connect() -> Any:
    """Open a DuckDB database in memory; what does not fit goes to a temporary folder, removed with it.

    What fits is :data:`MEMORY`, or what the environment says in ``WOR_EVAL_MEMORY``.
    """
    import duckdb
    import ibis

    scratch = tempfile.TemporaryDirectory(prefix="wor_eval_", ignore_cleanup_errors=True)
    backend = ibis.duckdb.connect(
        temp_directory=scratch.name,
        autoinstall_known_extensions=False,
        memory_limit=os.environ.get("WOR_EVAL_MEMORY", MEMORY),
    )
    with suppress(duckdb.InvalidInputException):  # in a notebook without widgets there is no bar to hide
        backend.settings["enable_progress_bar"] = False
    weakref.finalize(backend, scratch.cleanup)
    return backend


@contextmanager
def refusing_damage(count_rejects: Callable[[], int] | None = None) -> Iterator[None]:
    """Turn an error of DuckDB into `Unreadable`: its own message may hold a line of the file."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException:
        raise Unreadable(
            "not enough memory to read the table", "free memory, or room on the temporary disk"
        ) from None
    except duckdb.Error as error:
        rejects = count_rejects() if count_rejects else 0
        if rejects:
            raise Unreadable(
                "rows that do not have as many cells as the header, or a quotation mark that is not closed",
                "put quotation marks around cells that hold the separator, and leave no remarks in the file",
                rows=rejects,
            ) from None
        raise Unreadable(f"the file cannot be read ({type(error).__name__})", _DAMAGED) from None


def receive_files(
    backend: Any,
    schema: TableSchema,
    paths: tuple[Path, ...],
    *,
    scratch: Path,
    name: str = "",
    sheet: str = "",
) -> Received:
    """Open the files of one table.

    Parameters
    ----------
    backend : ibis.backends.duckdb.Backend
        Where to open them.
    schema : TableSchema
        What the table should hold.
    paths : tuple of pathlib.Path
        One file, or the parts of a Parquet folder.
    scratch : pathlib.Path
        Folder for a copy in UTF-8, needed as long as the rows are.
    name : str
        Name to store the rows by; by default that of the table.
    sheet : str
        Sheet of a workbook; by default that with the name of the table, or the only one.

    Returns
    -------
    Received
        The rows.

    Raises
    ------
    Unreadable
        If there are several files, or the file cannot be read as a table.
    """
    path, parquet = paths[0], [path.name.lower().endswith(".parquet") for path in paths]
    parts = all(parquet) and all(path.parent.name == schema.name or "=" in path.parent.name for path in paths)
    if len(paths) > 1 and not parts:
        names = ", ".join(sorted(path.name for path in paths))
        raise Unreadable(f"several files for one table ({names})", "leave one of them in the folder")
    name = name or schema.name
    if parquet[0]:
        return _receive_parquet(backend, name, paths)
    if path.name.lower().endswith((*SPSS, *STATA)):
        return _receive_statistical(backend, schema, path, name=name)
    if path.name.lower().endswith(EXCEL):
        return _receive_sheet(backend, path, name, wanted=(sheet or schema.name, bool(sheet)))
    return _receive_csv(backend, schema, path, name=name, scratch=scratch)


def _receive_statistical(backend: Any, schema: TableSchema, path: Path, *, name: str) -> Received:
    file = statistical_files.describe(path)
    rows = store(backend, name, statistical_files.batches(path, file), file.schema)
    rows, translated = translate(rows, file.header, file.labels, schema)
    notes = (*file.notes, *translated)
    return Received(rows=rows, header=file.header, origin=path.name, notes=notes, labels=file.labels)


def _receive_sheet(backend: Any, path: Path, name: str, *, wanted: tuple[str, bool]) -> Received:
    with workbooks.open_sheet(path, wanted=wanted[0], named=wanted[1]) as sheet:
        cells = LooseCells(header=sheet.header, rows=sheet.rows, digits=workbooks.DIGITS)
        form = text_schema(sheet.header)
        rows = store(backend, name, cells.batches(form), form)
    return Received(
        rows=rows,
        header=sheet.header,
        origin=path.name,
        notes=("Excel", f"sheet {sheet.name}"),
        stored=cells.stored,
        day_zero=sheet.day_zero,
    )


def store(backend: Any, name: str, batches: Iterator[pa.RecordBatch], form: pa.Schema) -> ibis.Table:
    """Put rows into the database as they come, and return them."""
    import pyarrow as pa

    place = f"stored_{name}"
    empty = backend.create_table(place, schema=_ibis_schema(form))
    for batch in batches:
        with refusing_damage():
            backend.con.register("arriving", pa.Table.from_batches([batch]))
            backend.con.execute(f'INSERT INTO "{place}" SELECT * FROM arriving')  # noqa: S608  (names of our own)
            backend.con.unregister("arriving")
    return empty


def _ibis_schema(form: pa.Schema) -> ibis.Schema:
    import ibis

    return ibis.Schema.from_pyarrow(form)


def _receive_parquet(backend: Any, name: str, paths: tuple[Path, ...]) -> Received:
    hive = "=" in paths[0].parent.name
    with refusing_damage():
        rows = backend.read_parquet(
            [glob.escape(str(p)) for p in paths],
            table_name=f"files_{name}",
            hive_partitioning=hive,
            hive_types_autocast=False,
            union_by_name=hive,
        )
    origin = paths[0].name if len(paths) == 1 and not hive else f"{name}/ ({len(paths)} parts)"
    notes = ("Parquet, partitioned",) if hive else ("Parquet",)
    return Received(rows=rows, header=tuple(rows.columns), origin=origin, notes=notes, lasting=True)


def _receive_csv(backend: Any, schema: TableSchema, path: Path, *, name: str, scratch: Path) -> Received:
    csv = open_csv(path, known=schema.columns, scratch=scratch)

    def count_rejects() -> int:
        rows = _csv_rows(backend, csv, name=f"rejects_{name}", count_rejects=True)
        with refusing_damage():
            rows.count().to_pyarrow()
            lines = backend.table(f"rejects_{name}_lines", database="temp.main").line
            return int(lines.nunique().to_pyarrow().as_py())

    return Received(
        rows=_csv_rows(backend, csv, name=f"received_{name}"),
        header=csv.header,
        origin=path.name,
        notes=(f"separator {_MARKS[csv.separator]}", f"encoding {csv.encoding}"),
        count_rejects=count_rejects,
    )


def _csv_rows(backend: Any, csv: CsvFile, *, name: str, count_rejects: bool = False) -> ibis.Table:
    """Open a text file with every cell as text; columns are named by their position."""
    rejects: dict[str, Any] = {
        "ignore_errors": True,
        "store_rejects": True,
        "rejects_table": f"{name}_lines",
        "rejects_scan": f"{name}_scans",
    }
    with refusing_damage():
        return backend.read_csv(
            glob.escape(str(csv.path)),
            table_name=name,
            columns={f"c{place}": "string" for place in range(len(csv.header))},
            auto_detect=False,
            header=True,
            delim=csv.separator,
            quote='"',
            escape='"',
            **(rejects if count_rejects else {}),
        )


def receive_frame(frame: pd.DataFrame, name: str) -> Received:
    """Open a frame.

    Parameters
    ----------
    frame : pandas.DataFrame
        The frame; its index is left out.
    name : str
        Name of the table.

    Returns
    -------
    Received
        The rows.

    Raises
    ------
    Unreadable
        If it is not a frame, two columns have one name, or a column mixes kinds of values.
    """
    import ibis
    import pandas as pd
    import pyarrow as pa

    if not isinstance(frame, pd.DataFrame):
        raise Unreadable(f"not a frame but a {type(frame).__name__}", "give a pandas.DataFrame")
    header = tuple(map(str, frame.columns))
    if len(set(header)) < len(header):
        raise Unreadable("two columns have the same name", "give every column its own name")
    arrays, mixed = {}, []
    for place, column in enumerate(header):
        try:
            cells = pa.array(frame.iloc[:, place], from_pandas=True)
        except (pa.ArrowException, OverflowError):
            mixed.append(column)
            continue
        arrays[f"c{place}"] = cells.cast("string") if pa.types.is_null(cells.type) else cells
    if mixed:
        raise Unreadable(
            f"columns that mix kinds of values: {', '.join(mixed)}",
            "give every column one type; ids are text",
        )
    return Received(rows=ibis.memtable(pa.table(arrays)), header=header, origin=name)
