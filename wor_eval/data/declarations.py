"""Reads the files of a data dictionary, and lists everything that is wrong in them at once."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from wor_eval.data.schema import Column, ColumnType, TableSchema, Text

_TEXTS = frozenset({"name", "label", "description", "description_nl"})
TABLE_KEYS = _TEXTS | {"grain", "required", "primaryKey", "foreignKeys", "ordered", "fields"}
FIELD_KEYS = _TEXTS | {"type", "unit", "codes", "optional", "default", "disclosive", "constraints"}
CONSTRAINTS = frozenset({"required", "unique", "minimum", "maximum", "pattern"})
_NUMERIC = ("integer", "year", "number")
_NO_TEXT = Text(nl="", en="")
Levels = Mapping[str, Text]


def parse_dictionary(folder: Path) -> tuple[Mapping[str, TableSchema], tuple[str, ...]]:
    """Read every table and code list below a folder.

    Parameters
    ----------
    folder : pathlib.Path
        Folder with ``raw/`` and ``codes/``.

    Returns
    -------
    tables : mapping of str to TableSchema
        The tables by name.
    problems : tuple of str
        One line for each thing that is wrong; the tables are only to be used if there are none.
    """
    problems: list[str] = []
    lists = {path.stem: _levels(path, problems) for path in sorted((folder / "codes").glob("*.csv"))}
    paths = sorted((folder / "raw").glob("*.yaml"))
    if not paths:
        problems.append("there is no raw/<table>.yaml: give the folder that holds raw/ and codes/")
    parsed = [table for path in paths if (table := _table(path, lists, problems)) is not None]
    tables = {table.name: table for table in sorted(parsed, key=lambda t: (not t.required, t.name))}
    problems += _dangling(tables)
    return MappingProxyType(tables), tuple(problems)


def _levels(path: Path, problems: list[str]) -> Levels:
    """Read one code list: a code and its two labels per row."""
    where = f"codes/{path.name}"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        problems.append(f"{where}: not a comma-separated UTF-8 file ({type(error).__name__})")
        return {}
    if not rows or not {"code", "label_nl", "label_en"} <= set(rows[0]):
        problems.append(f"{where}: needs the columns code, label_nl, label_en and at least one row")
        return {}
    for number, row in enumerate(rows, start=2):
        if not all((row[key] or "").strip() for key in ("code", "label_nl", "label_en")) or None in row:
            problems.append(f"{where}: line {number} needs a code and a label in both languages")
    codes = [row["code"] for row in rows]
    problems += [
        f"{where}: code {code!r} occurs twice" for code in sorted({c for c in codes if codes.count(c) > 1})
    ]
    return MappingProxyType({row["code"]: Text(nl=row["label_nl"], en=row["label_en"]) for row in rows})


def _table(path: Path, lists: Mapping[str, Levels], problems: list[str]) -> TableSchema | None:
    """Read one table."""
    raw = _mapping(path, problems)
    if raw is None:
        return None
    where = f"raw/{path.name}"
    problems += [f"{where}: property {key!r} is not known" for key in sorted(set(raw) - TABLE_KEYS)]
    if raw.get("name") != path.stem:
        problems.append(f"{where}: name must be {path.stem!r}, as the file")
    listed = _list(raw, "fields", where, problems)
    fields = [f for f in listed if isinstance(f, dict) and isinstance(f.get("name"), str)]
    if not fields or len(fields) != len(listed):
        problems.append(f"{where}: fields must be a list, each with a name")
    names = [f["name"] for f in fields]
    problems += [
        f"{where}: field {n!r} occurs twice" for n in sorted({n for n in names if names.count(n) > 1})
    ]
    key = tuple(_names(raw.get("primaryKey"), names, f"{where}: primaryKey", problems))
    refers_to = dict(_references(_list(raw, "foreignKeys", where, problems), names, where, problems))
    columns = [_column(f, where=where, lists=lists, problems=problems) for f in fields]
    return TableSchema(
        name=path.stem,
        label=_text(raw.get("label"), f"{where}: label", problems),
        description=_description(raw, where, problems),
        grain=_text(raw.get("grain"), f"{where}: grain", problems),
        required=_flag(raw, "required", where, problems),
        columns=MappingProxyType({c.name: _placed(c, key, refers_to) for c in columns}),
        primary_key=key,
        ordered=_ordered(_list(raw, "ordered", where, problems), fields, where, problems),
    )


def _mapping(path: Path, problems: list[str]) -> dict[str, Any] | None:
    """Read a YAML file that must hold one mapping."""
    import yaml

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        at = f" at line {mark.line + 1}" if mark else ""
        problems.append(f"raw/{path.name}: not valid YAML in UTF-8{at}")
        return None
    if not isinstance(raw, dict):
        problems.append(f"raw/{path.name}: must hold name, label, fields, …")
        return None
    return raw


def _placed(column: Column, key: Sequence[str], refers_to: Mapping[str, tuple[str, str]]) -> Column:
    """Return the column with what the table says of it: it is the key, or it refers to a table."""
    unique = column.unique or tuple(key) == (column.name,)
    return replace(column, unique=unique, refers_to=refers_to.get(column.name))


def _column(
    raw: Mapping[str, Any], *, where: str, lists: Mapping[str, Levels], problems: list[str]
) -> Column:
    """Read one column."""
    where = f"{where}: {raw['name']}"
    rules = raw.get("constraints", {})
    if not isinstance(rules, dict):
        problems.append(f"{where}: constraints must be a mapping")
        rules = {}
    problems += [f"{where}: property {key!r} is not known" for key in sorted(set(raw) - FIELD_KEYS)]
    problems += [f"{where}: constraint {key!r} is not known" for key in sorted(set(rules) - CONSTRAINTS)]
    kind: Any = raw.get("type")
    if kind not in get_args(ColumnType):
        problems.append(f"{where}: type must be one of {', '.join(get_args(ColumnType))}")
        kind = "string"
    problems += _rule_problems(raw, rules, kind, where)
    codes = raw.get("codes")
    if codes is not None and codes not in lists:
        problems.append(f"{where}: there is no code list codes/{codes}.csv")
    return Column(
        name=raw["name"],
        type=kind,
        label=_text(raw.get("label"), f"{where}: label", problems),
        description=_description(raw, where, problems),
        unit=None if raw.get("unit") is None else _text(raw["unit"], f"{where}: unit", problems),
        required=_flag(rules, "required", where, problems, absent=False),
        unique=_flag(rules, "unique", where, problems, absent=False),
        optional=_flag(raw, "optional", where, problems, absent=False),
        minimum=rules.get("minimum"),
        maximum=rules.get("maximum"),
        pattern=rules.get("pattern"),
        codes=codes,
        levels=lists.get(codes, {}) if codes is not None else {},
        disclosive=_flag(raw, "disclosive", where, problems),
        default=raw.get("default"),
    )


def _rule_problems(raw: Mapping[str, Any], rules: Mapping[str, Any], kind: str, where: str) -> Iterator[str]:
    """Yield what is wrong in the rules of one column."""
    low, high = rules.get("minimum"), rules.get("maximum")
    limits = [limit for limit in (low, high) if limit is not None]
    if limits and (
        kind not in _NUMERIC or any(isinstance(v, bool) or not isinstance(v, int | float) for v in limits)
    ):
        yield f"{where}: minimum and maximum must be numbers, of a numeric column"
    elif len(limits) == 2 and limits[0] > limits[1]:
        yield f"{where}: minimum is above maximum"
    if (raw.get("codes") or rules.get("pattern")) and kind != "string":
        yield f"{where}: codes and pattern belong to a column of type string"
    if (pattern := rules.get("pattern")) is not None:
        try:
            re.compile(pattern)
        except (re.error, TypeError):
            yield f"{where}: pattern is not a regular expression"
    default = raw.get("default")
    if default is not None and not (raw.get("optional") and kind == "integer" and type(default) is int):
        yield f"{where}: default must be a whole number, of an optional column of type integer"


def _text(raw: object, where: str, problems: list[str]) -> Text:
    """Read a text in two languages."""
    if isinstance(raw, dict) and set(raw) == {"nl", "en"} and all(_filled(v) for v in raw.values()):
        return Text(nl=raw["nl"], en=raw["en"])
    problems.append(f"{where} needs a text in nl and in en")
    return _NO_TEXT


def _description(raw: Mapping[str, Any], where: str, problems: list[str]) -> Text:
    """Read a description; Frictionless has it in one language, so the Dutch one stands beside it."""
    if _filled(raw.get("description")) and _filled(raw.get("description_nl")):
        return Text(nl=raw["description_nl"], en=raw["description"])
    problems.append(f"{where}: needs description (English) and description_nl")
    return _NO_TEXT


def _list(raw: Mapping[str, Any], key: str, where: str, problems: list[str]) -> list[Any]:
    """Read a list that may be absent."""
    value = raw.get(key, [])
    if isinstance(value, list):
        return value
    problems.append(f"{where}: {key} must be a list")
    return []


def _filled(raw: object) -> bool:
    return isinstance(raw, str) and bool(raw.strip())


def _flag(
    raw: Mapping[str, Any], key: str, where: str, problems: list[str], *, absent: bool | None = None
) -> bool:
    """Read true or false; without `absent` it must be there."""
    value = raw.get(key, absent)
    if isinstance(value, bool):
        return value
    problems.append(f"{where}: {key} must be true or false")
    return False


def _names(raw: object, names: Sequence[str], where: str, problems: list[str]) -> list[str]:
    """Read a list of names of columns."""
    if raw is None:
        return []
    if not isinstance(raw, list) or not set(map(str, raw)) <= set(names):
        problems.append(f"{where} must be a list of fields of this table")
        return []
    return [str(name) for name in raw]


def _references(
    raw: Sequence[Any], names: Sequence[str], where: str, problems: list[str]
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each column that refers to another table, with the table and column it refers to."""
    for key in raw:
        try:
            (column,), table, (target,) = (
                key["fields"],
                key["reference"]["resource"],
                key["reference"]["fields"],
            )
        except (KeyError, TypeError, ValueError):
            problems.append(f"{where}: a foreign key needs one field, and one field of one resource")
            continue
        if column not in names:
            problems.append(f"{where}: foreign key: there is no field {column!r}")
        yield column, (table, target)


def _ordered(
    raw: Sequence[Any], fields: Sequence[Mapping[str, Any]], where: str, problems: list[str]
) -> tuple[tuple[str, ...], ...]:
    """Read the chains of dates that must follow each other."""
    dates = [f["name"] for f in fields if f.get("type") == "date"]
    return tuple(tuple(_names(chain, dates, f"{where}: ordered (dates)", problems)) for chain in raw)


def _dangling(tables: Mapping[str, TableSchema]) -> Iterator[str]:
    """Yield the references to a table or column that does not exist."""
    for table in tables.values():
        for column in table.columns.values():
            target = column.refers_to
            if target and (target[0] not in tables or target[1] not in tables[target[0]].columns):
                yield f"raw/{table.name}.yaml: {column.name}: there is no {target[0]}.{target[1]} to refer to"
