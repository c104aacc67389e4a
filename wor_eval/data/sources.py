"""Where the tables of a study come from: a folder, a database, or a ``[sources]`` table in TOML."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wor_eval.data.databases import is_address, shown
from wor_eval.data.dictionary import Dictionary
from wor_eval.data.files import SUFFIXES, table_files
from wor_eval.data.mappings import FileMapping, TableMapping, read_mapping
from wor_eval.errors import DataError

__all__ = ["Source", "Sources", "find_sources", "holds_sources"]

SOURCES = "sources.toml"
_SETTINGS = ("folder", "mapping", "database", "accept")
_KEYS = frozenset({"file", "mapping", "database", "table", "query", "sheet"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where one table comes from.

    Parameters
    ----------
    table : str
        Name of the table in the dictionary.
    files : tuple of pathlib.Path
        Its file or files; empty where it comes from a database.
    database : str
        Address of the database.
    relation, query : str
        Table in the database, or the question to ask it.
    sheet : str
        Sheet of a workbook; empty for the only one.
    mapping : TableMapping, optional
        How foreign columns become those of the dictionary.
    """

    table: str
    files: tuple[Path, ...] = ()
    database: str = ""
    relation: str = ""
    query: str = ""
    sheet: str = ""
    mapping: TableMapping | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """Where the tables of a study come from.

    Parameters
    ----------
    tables : tuple of Source
        One for each table.
    root : pathlib.Path, optional
        Folder to which names in the digest are relative.
    mappings : tuple of FileMapping
        The mappings that are used, for the digest.
    accept : tuple of str
        What the study accepts of these data.
    notes : tuple of str
        What was not read.
    """

    tables: tuple[Source, ...]
    root: Path | None = None
    mappings: tuple[FileMapping, ...] = ()
    accept: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def find_sources(where: Path | str, dictionary: Dictionary) -> Sources:
    """Find out where the tables of a study come from.

    Parameters
    ----------
    where : pathlib.Path or str
        A folder with a file per table, or with ``sources.toml``; the address of a database
        (``duckdb:study.duckdb``, ``sqlite:study.db``, ``postgres://...``); or a TOML file with ``[sources]``.
    dictionary : Dictionary
        The tables to look for.

    Returns
    -------
    Sources
        The tables that were found.

    Raises
    ------
    DataError
        If there is no such place, or what it says cannot be used: all mistakes at once.
    """
    if is_address(str(where)):
        return _database(str(where), dictionary)
    path = Path(where)
    if (path / SOURCES).is_file():
        return _declared(path / SOURCES, dictionary)
    if path.is_dir():
        return _folder(path, dictionary)
    if path.is_file() and path.suffix.lower() == ".toml":
        return _declared(path, dictionary)
    if path.is_file():
        raise DataError(f"{path.name} is one file: give the folder it is in, or a TOML file with [sources]")
    raise DataError(f"there is no folder {path}: give the folder that holds the raw tables")


def holds_sources(path: Path) -> bool:
    """Tell whether a TOML file, such as a study plan, has a table ``[sources]``."""
    try:
        return "sources" in tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False


def _folder(folder: Path, dictionary: Dictionary) -> Sources:
    found, others = table_files(folder, dictionary.tables)
    notes = (f"not read, because no table has this name: {', '.join(others)}",) if others else ()
    tables = tuple(Source(table=name, files=paths) for name, paths in found.items())
    return Sources(tables=tables, root=folder, notes=notes)


def _database(address: str, dictionary: Dictionary) -> Sources:
    tables = tuple(Source(table=name, database=address, relation=name) for name in dictionary.tables)
    return Sources(tables=tables)


@dataclass(kw_only=True, slots=True)
class _Reader:
    """Reads ``[sources]``, and gathers everything that is wrong with it."""

    place: Path
    dictionary: Dictionary
    content: Mapping[str, Any]
    problems: list[str] = field(default_factory=list)
    mappings: dict[str, FileMapping] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.place.parent / str(self.content.get("folder", "."))

    def mapping(self, name: object) -> FileMapping | None:
        """Read a mapping once."""
        if name is None:
            return None
        if not isinstance(name, str):
            self.problems.append("mapping must be the name of a mapping")
            return None
        try:
            if name not in self.mappings:
                self.mappings[name] = read_mapping(name, dictionary=self.dictionary, beside=self.place.parent)
        except DataError as error:
            problems = [f"{error.message}: {problem}" for problem in error.problems] or [error.message]
            self.problems += [problem for problem in problems if problem not in self.problems]
            return None
        return self.mappings[name]

    def sources(self) -> Iterator[Source]:
        """Yield the source of each table: as it is named, or else as the mapping finds it."""
        default = self.mapping(self.content.get("mapping"))
        database = str(self.content.get("database", ""))
        named = {key: value for key, value in self.content.items() if key not in _SETTINGS}
        for key in set(named) - set(self.dictionary.tables):
            self.problems.append(f"{key}: neither a table of the data dictionary nor {', '.join(_SETTINGS)}")
        for table in self.dictionary.tables:
            rule = default.tables.get(table) if default else None
            if table in named:
                source = self._named(table, named[table], rule)
                if source is not None:
                    yield source
            elif rule is not None and not database:
                if files := tuple(_matching(self.folder, rule)):
                    yield Source(table=table, files=files, sheet=rule.sheet, mapping=rule)
            elif database:
                yield Source(table=table, database=_located(database, self.place.parent), relation=table)

    def _named(self, table: str, raw: object, rule: TableMapping | None) -> Source | None:
        """Read the source of one table."""
        raw = {"file": raw} if isinstance(raw, str | list) else raw
        if not isinstance(raw, dict) or not set(raw) <= _KEYS:
            self.problems.append(f"{table}: give a file, or a table with {', '.join(sorted(_KEYS))}")
            return None
        if "mapping" in raw:
            chosen = self.mapping(raw["mapping"])
            rule = chosen.tables.get(table) if chosen else None
            if chosen and rule is None:
                self.problems.append(f"{table}: mapping {raw['mapping']} says nothing of this table")
        database = str(raw.get("database", "") or ("" if "file" in raw else self.content.get("database", "")))
        files = tuple(self._files(table, raw.get("file", [])))
        if bool(files) == bool(database) and not self.problems:
            self.problems.append(f"{table}: give either file or database")
        return Source(
            table=table,
            files=files,
            database=_located(database, self.place.parent) if database else "",
            relation=str(raw.get("table", table)),
            query=str(raw.get("query", "")),
            sheet=str(raw.get("sheet", rule.sheet if rule else "")),
            mapping=rule,
        )

    def _files(self, table: str, given: object) -> Iterator[Path]:
        for name in given if isinstance(given, list) else [given]:
            path = self.folder / str(name)
            if path.is_file():
                yield path
            else:
                self.problems.append(f"{table}: there is no file {name}")


def _declared(place: Path, dictionary: Dictionary) -> Sources:
    """Read the ``[sources]`` of a TOML file."""
    try:
        content = tomllib.loads(place.read_text(encoding="utf-8")).get("sources")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{place.name} is not valid TOML: {error}") from None
    if not isinstance(content, dict):
        raise DataError(f"{place.name} has no table [sources]: it says where each table comes from")
    reader = _Reader(place=place, dictionary=dictionary, content=content)
    tables = tuple(reader.sources())
    accept = content.get("accept", [])
    if not isinstance(accept, list):
        reader.problems.append("accept must be a list")
    if reader.problems:
        raise DataError(f"[sources] of {place.name} cannot be used", problems=reader.problems)
    used = {path for source in tables for path in source.files}
    others = [p.name for p in _delivered(reader.folder) if p not in used]
    notes = (f"not read, because [sources] does not name it: {', '.join(others)}",) if others else ()
    return Sources(
        tables=tables,
        root=reader.folder,
        mappings=tuple(reader.mappings.values()),
        accept=tuple(map(str, accept)),
        notes=notes,
    )


def _delivered(folder: Path) -> list[Path]:
    """Return the files in a folder that may hold a table."""
    if not folder.is_dir():
        return []
    return [p for p in sorted(folder.iterdir()) if p.is_file() and p.name.lower().endswith(SUFFIXES)]


def stem(path: Path) -> str:
    """Return the name of a file without its ending."""
    return next(
        path.name[: -len(end)]
        for end in sorted(SUFFIXES, key=len, reverse=True)
        if path.name.lower().endswith(end)
    )


def _matching(folder: Path, rule: TableMapping) -> Iterator[Path]:
    """Yield the files whose name a mapping recognises."""
    if rule.file:
        yield from (path for path in _delivered(folder) if re.fullmatch(rule.file, stem(path)))


def _located(database: str, folder: Path) -> str:
    """Return an address whose file is relative to the TOML file that names it."""
    kind, _, rest = database.partition(":")
    if kind in ("duckdb", "sqlite") and rest and not Path(rest).is_absolute():
        return f"{kind}:{folder / rest}"
    if not is_address(database):
        raise DataError(f"{shown(database)} is no address of a database: use duckdb:, sqlite: or postgres://")
    return database
