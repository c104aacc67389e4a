"""Reads the raw tables of a study: the only door through which data come in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from wor_eval.data.dictionary import Dictionary, TableSchema, read_dictionary
from wor_eval.data.load import Loaded, load_frames, load_sources, sources_digest
from wor_eval.data.mapping_rules import KindBreak
from wor_eval.data.sources import find_sources
from wor_eval.data.validate import check_loaded
from wor_eval.errors import DataError
from wor_eval.study import Assumption

if TYPE_CHECKING:
    import ibis
    import pandas as pd

_IBIS_TYPES = {
    "string": "string",
    "integer": "int64",
    "year": "int64",
    "number": "float64",
    "date": "date",
    "boolean": "boolean",
}


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class StudyData:
    """The raw tables of a study, validated.

    Parameters
    ----------
    tables : mapping of str to ibis.Table
        The tables that were delivered, each with all columns of the dictionary, in its order and
        types: string, int64 (integer, year), float64 (number), date, boolean. A table that was not
        delivered is not here: missing is not zero.
    dictionary : Dictionary
        What each column holds.
    digest : str
        SHA-256 of what was delivered, 64 hexadecimal digits.
    notes : tuple of str
        What was detected per file (separator, encoding, decimal sign, dates), and notices.
    assumptions : tuple of Assumption
        What the study accepted of these data; printed in every report.
    age_cuts : tuple of int, optional
        Where ages came in classes: the ages at which persons can be told apart.
    kind_break : KindBreak, optional
        A day over which kinds of contact cannot all be compared.
    """

    tables: Mapping[str, ibis.Table]
    dictionary: Dictionary
    digest: str
    notes: tuple[str, ...]
    assumptions: tuple[Assumption, ...] = ()
    age_cuts: tuple[int, ...] | None = None
    kind_break: KindBreak | None = None

    def summary(self) -> str:
        """Return the number of rows of each table, and the notes."""
        rows = (f"{name}: {table.count().to_pyarrow().as_py()} rows" for name, table in self.tables.items())
        return "\n".join((f"digest {self.digest}", *rows, *self.notes))

    def __repr__(self) -> str:
        return f"<StudyData: {', '.join(self.tables)}; digest {self.digest[:12]}>"


def read_data(folder: Path | str, *, dictionary: Dictionary | None = None) -> StudyData:
    """Read and validate the raw tables of a study.

    A table is read from ``<table>.csv``, ``<table>.csv.gz``, ``<table>.parquet``, ``<table>.sav``,
    ``<table>.zsav``, ``<table>.dta``, ``<table>.xlsx`` or a folder ``<table>/`` of Parquet parts. Of a
    CSV file the separator (comma, semicolon, tab, bar), the encoding (UTF-8, UTF-16 with a byte-order
    mark, cp1252), the decimal sign and the way dates are written (yyyy-mm-dd, dd-mm-yyyy, yyyymmdd, or
    with slashes where it is clear which number is the day) are detected; a column must be written in
    one way. Ids stay text, leading zeros included.

    Parameters
    ----------
    folder : pathlib.Path or str
        Folder with the files, or with a ``sources.toml``; a TOML file with ``[sources]``; or the address of a
        database: ``duckdb:file``, ``sqlite:file``, ``postgres://...``.
    dictionary : Dictionary, optional
        What the tables should hold; without it, the dictionary that ships with the package.

    Returns
    -------
    StudyData
        The tables, in a database in memory.

    Raises
    ------
    DataError
        If any rule is broken; every broken rule is listed, with table, column and number of rows.
    """
    dictionary = read_dictionary() if dictionary is None else dictionary
    return _validated(load_sources(find_sources(folder, dictionary), dictionary), dictionary)


def data_digest(folder: Path | str, *, dictionary: Dictionary | None = None) -> str:
    """Return the digest that :func:`read_data` gives the raw tables of a study; files are not read as tables.

    Parameters
    ----------
    folder : pathlib.Path or str
        Folder with the files, or with a ``sources.toml``; a TOML file with ``[sources]``; or the address of a
        database: ``duckdb:file``, ``sqlite:file``, ``postgres://...``.
    dictionary : Dictionary, optional
        The tables to look for; without it, the dictionary that ships with the package.

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits.

    Raises
    ------
    DataError
        If there is no such place.
    """
    dictionary = read_dictionary() if dictionary is None else dictionary
    sources = find_sources(folder, dictionary)
    if any(source.database for source in sources.tables):
        return load_sources(sources, dictionary).digest
    return sources_digest(sources)


def study_data(frames: Mapping[str, pd.DataFrame], *, dictionary: Dictionary | None = None) -> StudyData:
    """Validate frames in memory, by the rules that files must keep.

    Parameters
    ----------
    frames : mapping of str to pandas.DataFrame
        Frames by name of the table; they are not changed, and an index is left out.
    dictionary : Dictionary, optional
        What the tables should hold; without it, the dictionary that ships with the package.

    Returns
    -------
    StudyData
        The tables, in a database in memory. The digest is taken over the cast tables, so it does
        not depend on how pandas stores a column.

    Raises
    ------
    DataError
        If any rule is broken; every broken rule is listed, with table, column and number of rows.

    Examples
    --------
    >>> import pandas as pd
    >>> frames = {
    ...     "persons": pd.DataFrame(
    ...         {"person_id": ["01"], "birth_year": [1950], "sex": ["F"], "municipality_code": ["0001"]}
    ...     ),
    ...     "registrations": pd.DataFrame(
    ...         {"person_id": ["01"], "practice_id": ["p1"], "start_on": ["2015-01-01"], "end_on": [None]}
    ...     ),
    ... }
    >>> study_data(frames)
    Traceback (most recent call last):
    wor_eval.errors.DataError: the data cannot be used: 1 rule is broken
      - referrals: missing table: deliver referrals.csv, referrals.csv.gz or referrals.parquet
    """
    dictionary = read_dictionary() if dictionary is None else dictionary
    return _validated(load_frames(frames, dictionary), dictionary)


def _validated(loaded: Loaded, dictionary: Dictionary) -> StudyData:
    """Return the loaded tables, or raise with everything that is wrong with them."""
    findings = check_loaded(loaded, dictionary)
    errors = [str(finding) for finding in findings if finding.severity == "error"]
    if errors:
        count = f"{len(errors)} rules are" if len(errors) > 1 else "1 rule is"
        raise DataError(f"the data cannot be used: {count} broken", problems=errors)
    tables = {
        name: _completed(loaded.tables[name], schema)
        for name, schema in dictionary.tables.items()
        if name in loaded.tables
    }
    notices = (str(finding) for finding in findings)
    return StudyData(
        tables=MappingProxyType(tables),
        dictionary=dictionary,
        digest=loaded.digest,
        notes=(*loaded.notes, *notices),
        assumptions=tuple(dict.fromkeys(loaded.assumptions)),
        age_cuts=loaded.age_cuts,
        kind_break=loaded.kind_break,
    )


def _completed(table: ibis.Table, schema: TableSchema) -> ibis.Table:
    """Return the table with every column of the dictionary; absent ones hold their default, or nothing."""
    import ibis

    absent = {
        column.name: ibis.literal(column.default, type=_IBIS_TYPES[column.type])
        for column in schema.columns.values()
        if column.name not in table.columns
    }
    return table.mutate(**absent).select(*schema.columns) if absent else table.select(*schema.columns)
