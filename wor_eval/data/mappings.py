"""Mappings: from the columns and codes of somebody else's file to those of the dictionary, declared in TOML.

A mapping is data. It says per table which file, which columns, which codes; nothing in it is executed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from wor_eval.assets import asset
from wor_eval.data.accepted import ASSUMPTIONS
from wor_eval.data.dictionary import Dictionary, TableSchema
from wor_eval.data.mapping_rules import ColumnRule, DateWriting, KindBreak, Unpivot, Where, clean_cuts
from wor_eval.errors import DataError

__all__ = ["FileMapping", "TableMapping", "read_mapping", "shipped_mappings"]

_TABLE_KEYS = {"file", "sheet", "where", "distinct", "unpivot", "columns", "refused", "assumption", "break"}
_RULE_KEYS = {
    "column",
    "text",
    "value",
    "codes",
    "other",
    "date",
    "factor",
    "shift_days",
    "ages",
    "on",
    "items",
}
_TOP_KEYS = {"title", "about", "source"}


@dataclass(frozen=True, kw_only=True, slots=True)
class TableMapping:
    """How one table of the dictionary is made from a foreign file.

    Parameters
    ----------
    table : str
        Name of the table.
    file : str
        Regular expression for the name of the file, without its ending; a named group can be used as a column.
    sheet : str
        Sheet of a workbook; by default the only one.
    columns : mapping of str to ColumnRule
        Per column of the dictionary where it comes from.
    where : tuple of Where
        Rows to keep.
    distinct : bool
        Equal rows count once.
    unpivot : Unpivot, optional
        Columns that become rows.
    refused : str
        Why this file cannot be used; empty if it can.
    assumption : str
        What the study must accept in ``[sources]`` before the table is read; empty if nothing.
    kind_break : KindBreak, optional
        A day over which kinds of contact cannot all be compared.
    """

    table: str
    columns: Mapping[str, ColumnRule]
    file: str = ""
    sheet: str = ""
    where: tuple[Where, ...] = ()
    distinct: bool = False
    unpivot: Unpivot | None = None
    refused: str = ""
    assumption: str = ""
    kind_break: KindBreak | None = None

    @property
    def age_cuts(self) -> tuple[int, ...] | None:
        """The ages at which persons can be told apart, where ages come in classes."""
        classes = [rule.ages for rule in self.columns.values() if rule.ages]
        return clean_cuts(classes[0]) if classes else None


@dataclass(frozen=True, kw_only=True, slots=True)
class FileMapping:
    """A mapping file.

    Parameters
    ----------
    name : str
        Its name.
    tables : mapping of str to TableMapping
        What it says of each table.
    content : bytes
        Its text, for the digest of the data.
    """

    name: str
    tables: Mapping[str, TableMapping]
    content: bytes = field(repr=False)


def shipped_mappings() -> tuple[str, ...]:
    """Return the names of the mappings that ship with the package.

    Examples
    --------
    >>> "cbs" in shipped_mappings()
    True
    """
    return tuple(path.stem for path in sorted(asset("data_dictionary", "mappings").glob("*.toml")))


def read_mapping(name: str, *, dictionary: Dictionary, beside: Path | None = None) -> FileMapping:
    """Read a mapping.

    Parameters
    ----------
    name : str
        Name of one that is shipped, or of a TOML file.
    dictionary : Dictionary
        The tables it maps to.
    beside : pathlib.Path, optional
        Folder to which the name of a file is relative.

    Returns
    -------
    FileMapping
        The checked mapping.

    Raises
    ------
    DataError
        If there is none, or it holds mistakes: all of them are listed, required columns that it leaves
        unmapped among them.
    """
    path = _place(name, beside)
    content = path.read_bytes()
    try:
        raw = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"mapping {path.name} is not valid TOML: {error}") from None
    problems: list[str] = []
    tables = {key: part for key, part in raw.items() if key not in _TOP_KEYS}
    unknown = [
        key for key, part in tables.items() if key not in dictionary.tables or not isinstance(part, dict)
    ]
    problems += [f"{key}: no table of the data dictionary" for key in unknown]
    found = {
        key: _table(key, part, dictionary, problems) for key, part in tables.items() if key not in unknown
    }
    if not tables:
        problems.append("it maps no table")
    if problems:
        raise DataError(f"mapping {path.name} cannot be used", problems=problems)
    return FileMapping(name=path.stem, tables=MappingProxyType(found), content=content)


def _place(name: str, beside: Path | None) -> Path:
    here = (beside or Path()) / name
    for path in (
        here,
        here.with_name(f"{here.name}.toml"),
        asset("data_dictionary", "mappings", f"{name}.toml"),
    ):
        if path.is_file():
            return path
    raise DataError(
        f"there is no mapping {name}: give a TOML file, or one of {', '.join(shipped_mappings())}"
    )


def _table(name: str, raw: Mapping[str, Any], dictionary: Dictionary, problems: list[str]) -> TableMapping:
    """Read what a mapping says of one table."""
    wrong = [f"{name}: {key!r} is not known" for key in raw if key not in _TABLE_KEYS]
    schema, columns = dictionary.tables[name], raw.get("columns", {})
    if not isinstance(columns, dict):
        wrong.append(f"{name}: columns must be a table")
        columns = {}
    wrong += [
        f"{name}.{column}: no column of the data dictionary"
        for column in columns
        if column not in schema.columns
    ]
    rules = {column: _rule(f"{name}.{column}", rule, wrong) for column, rule in columns.items()}
    wrong += [] if raw.get("refused") else _unmapped(schema, columns)
    try:
        re.compile(raw.get("file", ""))
    except (re.error, TypeError):
        wrong.append(f"{name}: file is not a regular expression")
    if raw.get("assumption") and raw["assumption"] not in ASSUMPTIONS:
        wrong.append(f"{name}: assumption must be one of {', '.join(ASSUMPTIONS)}")
    if not isinstance(raw.get("where", []), list):
        wrong.append(f"{name}: where must be a list")
    unpivot = _unpivot(name, raw.get("unpivot"), wrong)
    kind_break = _kind_break(name, raw.get("break"), wrong)
    where = tuple(_where(name, part, wrong) for part in _listed(raw.get("where")))
    problems += wrong
    return TableMapping(
        table=name,
        columns=MappingProxyType(rules),
        file=str(raw.get("file", "")),
        sheet=str(raw.get("sheet", "")),
        where=where,
        distinct=bool(raw.get("distinct", False)),
        unpivot=unpivot,
        refused=str(raw.get("refused", "")),
        assumption=str(raw.get("assumption", "")),
        kind_break=kind_break,
    )


def _unmapped(schema: TableSchema, columns: Mapping[str, Any]) -> list[str]:
    """Name the required columns that a mapping leaves out."""
    return [
        f"{schema.name}.{column.name}: required, and left unmapped ({column.description.en.rstrip('.')})"
        for column in schema.columns.values()
        if not column.optional and column.name not in columns
    ]


def _rule(where: str, raw: object, problems: list[str]) -> ColumnRule:
    """Read where one column comes from."""
    if isinstance(raw, str):
        return ColumnRule(text=raw) if "{" in raw else ColumnRule(columns=(raw,))
    if not isinstance(raw, dict):
        problems.append(f"{where}: give the name of a column, a text with {{columns}}, or a table")
        return ColumnRule()
    problems += [f"{where}: {key!r} is not known" for key in raw if key not in _RULE_KEYS]
    if sum(key in raw for key in ("column", "text", "value", "items")) != 1:
        problems.append(f"{where}: needs exactly one of column, text, value and items")
    if "date" in raw and raw["date"] not in get_args(DateWriting):
        problems.append(f"{where}: date must be one of {', '.join(get_args(DateWriting))}")
    problems += _wrong_types(where, raw)
    if any(True for _ in _wrong_types(where, raw)):
        return ColumnRule()
    open_codes = [code for code, value in raw.get("codes", {}).items() if value == "?"]
    if open_codes:
        problems.append(f"{where}: fill in the code of the dictionary for {', '.join(map(repr, open_codes))}")
    named = raw.get("column", ())
    return ColumnRule(
        columns=(named,) if isinstance(named, str) else tuple(named),
        text=raw.get("text", ""),
        value=None if "value" not in raw else _plain(raw["value"]),
        items=tuple(raw.get("items", ())),
        codes={key: _plain(value) for key, value in raw.get("codes", {}).items()},
        other=raw.get("other"),
        date=raw.get("date"),
        factor=raw.get("factor"),
        shift_days=raw.get("shift_days", 0),
        ages={label: (limits[0], limits[1]) for label, limits in raw.get("ages", {}).items()},
        on=raw.get("on", ""),
    )


def _listed(raw: object) -> list[Any]:
    return raw if isinstance(raw, list) else []


def _wrong_types(where: str, raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is of the wrong type in the rule of one column."""
    kinds: Mapping[str, tuple[type, ...]] = {
        "column": (str, list), "text": (str,), "codes": (dict,), "other": (str,), "factor": (int, float),
        "shift_days": (int,), "ages": (dict,), "on": (str,), "items": (list,),
    }  # fmt: skip
    for key, kind in kinds.items():
        if key in raw and not isinstance(raw[key], kind):
            yield f"{where}: {key} must be {' or '.join(k.__name__ for k in kind)}"
    for key in ("column", "items"):
        if not all(isinstance(name, str) for name in _listed(raw.get(key))):
            yield f"{where}: {key} must be a list of names"
    ages = raw.get("ages", {})
    if isinstance(ages, dict) and ages:
        if not all(
            isinstance(v, list) and len(v) == 2 and all(type(x) is int for x in v) for v in ages.values()
        ):
            yield f"{where}: ages must give the lowest and highest age of each class"
        if "on" not in raw:
            yield f"{where}: ages needs on, the column with the day at which they hold"


def _plain(value: object) -> str:
    """Return a constant as the text of a cell."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _unpivot(where: str, raw: object, problems: list[str]) -> Unpivot | None:
    if raw is None:
        return None
    if not isinstance(raw, dict) or not isinstance(raw.get("columns"), list) or not raw["columns"]:
        problems.append(f"{where}: unpivot needs columns, a list of names")
        return None
    known = {"columns", "name", "value", "skip_zero", "total", "within"}
    problems += [f"{where}: unpivot: {key!r} is not known" for key in raw if key not in known]
    return Unpivot(
        columns=tuple(map(str, raw["columns"])),
        name=str(raw.get("name", "item")),
        value=str(raw.get("value", "amount")),
        skip_zero=bool(raw.get("skip_zero", False)),
        total=str(raw.get("total", "")),
    )


def _where(table: str, raw: object, problems: list[str]) -> Where:
    if (
        isinstance(raw, dict)
        and set(raw) <= {"column", "one_of", "none_of"}
        and isinstance(raw.get("column"), str)
    ):
        return Where(
            column=raw["column"],
            one_of=tuple(map(_plain, raw.get("one_of", ()))),
            none_of=tuple(map(_plain, raw.get("none_of", ()))),
        )
    problems.append(
        f"{table}: where needs column, with one_of or none_of, or alone: rows in which it is filled"
    )
    return Where(column="")


def _kind_break(table: str, raw: object, problems: list[str]) -> KindBreak | None:
    if raw is None:
        return None
    if isinstance(raw, dict) and isinstance(raw.get("on"), date) and isinstance(raw.get("together"), list):
        return KindBreak(on=raw["on"], together=frozenset(map(str, raw["together"])))
    problems.append(f"{table}: break needs on, a date, and together, a list of kinds")
    return None
