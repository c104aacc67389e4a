"""Proposes a mapping for a foreign file: by the names of its columns, the values in them and how they are stored."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from wor_eval.data.dictionary import Dictionary
from wor_eval.data.files import SUFFIXES, Unreadable
from wor_eval.data.mapping_rules import ColumnRule
from wor_eval.data.mappings import read_mapping, shipped_mappings
from wor_eval.data.receive import Received, connect, receive_files
from wor_eval.data.schema import Column, TableSchema, Text
from wor_eval.data.value_labels import codes_by_label
from wor_eval.data.writing import LAYOUTS, as_text
from wor_eval.errors import DataError

if TYPE_CHECKING:
    import ibis

__all__ = ["Foreign", "Match", "Proposal", "propose_mapping"]

_ALIKE = 0.72
_MOST_VALUES = 40
_SAMPLE = 20_000
_ENOUGH = 0.98
_WORDS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Foreign:
    """A column of the foreign file.

    Parameters
    ----------
    name : str
        Its name.
    values : tuple of str
        Its values, where there are few; else nothing.
    labels : mapping of str to str
        Its value labels.
    fits : mapping of str to float
        Per type of the dictionary the share of its filled cells that can be read so.
    """

    name: str
    values: tuple[str, ...]
    labels: Mapping[str, str]
    fits: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """A column of the dictionary with the foreign column that is proposed for it.

    Parameters
    ----------
    column : Column
        Column of the dictionary.
    foreign : Foreign
        The proposed column.
    reason : str
        Why.
    codes : mapping of str to str
        From its codes to those of the dictionary; a question mark for a code that is not known.
    text : str
        Text of several columns, instead of one column.
    """

    column: Column
    foreign: Foreign
    reason: str
    codes: Mapping[str, str] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A proposed mapping of one file to one table.

    Parameters
    ----------
    table : TableSchema
        The table.
    file : str
        Name of the file without its ending.
    matches : tuple of Match
        What was found.
    unused : tuple of str
        Foreign columns that are not used.
    """

    table: TableSchema
    file: str
    matches: tuple[Match, ...]
    unused: tuple[str, ...]

    @property
    def missing(self) -> tuple[Column, ...]:
        """The columns that the table cannot do without, and that were not found."""
        found = {match.column.name for match in self.matches}
        return tuple(c for c in self.table.columns.values() if not c.optional and c.name not in found)


def propose_mapping(path: Path | str, dictionary: Dictionary, *, table: str | None = None) -> Proposal:
    """Propose a mapping for a file.

    Parameters
    ----------
    path : pathlib.Path or str
        A file in any format that can be read.
    dictionary : Dictionary
        The tables to map to.
    table : str, optional
        The table; by default the one of which most columns are found.

    Returns
    -------
    Proposal
        What was found, for a person to look over.

    Raises
    ------
    DataError
        If there is no such file or table, or the file cannot be read.
    """
    path = Path(path)
    if not path.is_file() or not path.name.lower().endswith(SUFFIXES):
        raise DataError(f"there is no file {path.name} that ends in {', '.join(SUFFIXES)}")
    if table is not None and table not in dictionary.tables:
        raise DataError(f"the data dictionary has no table {table!r}; it has {', '.join(dictionary.tables)}")
    columns = _columns(path)
    tables = [dictionary.tables[table]] if table else list(dictionary.tables.values())
    proposals = [_proposal(schema, path, columns) for schema in tables]
    return max(proposals, key=_found)


def _found(proposal: Proposal) -> float:
    """Return how much of a table was found: what it cannot do without, and a little for the rest."""
    needed = sum(not column.optional for column in proposal.table.columns.values())
    return (needed - len(proposal.missing)) / needed + 0.01 * len(proposal.matches)


def _columns(path: Path) -> list[Foreign]:
    """Look at the columns of a file."""
    nothing = Text(nl="bestand", en="file")
    schema = TableSchema(
        name="foreign", label=nothing, description=nothing, grain=nothing, required=False,
        columns=MappingProxyType({}),
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="wor_eval_") as scratch:
        try:
            received = receive_files(connect(), schema, (path,), scratch=Path(scratch))
            return [_column(received, name) for name in received.header if name]
        except Unreadable as error:
            raise DataError(f"{path.name} cannot be read", problems=[str(error.finding(path.name))]) from None


def _column(received: Received, name: str) -> Foreign:
    text = as_text(received.cell(name))
    rows = received.rows.select(text=text).limit(_SAMPLE)
    counts: dict[str, ibis.Value] = {"filled": rows.text.count()}
    for kind, layouts in LAYOUTS.items():
        counts |= {
            f"{kind}_{i}": rows.text.count(where=layout.fits(rows.text)) for i, layout in enumerate(layouts)
        }
    found = Received(rows=rows, header=("text",), origin=name, count_rejects=received.count_rejects).count(
        counts
    )
    filled = max(found["filled"], 1)
    fits = {
        str(kind): max(found[f"{kind}_{i}"] for i in range(len(ways))) / filled
        for kind, ways in LAYOUTS.items()
    }
    few = (
        rows.drop_null().distinct().order_by("text").limit(_MOST_VALUES + 1).to_pyarrow()["text"].to_pylist()
    )
    return Foreign(
        name=name,
        values=tuple(few) if len(few) <= _MOST_VALUES else (),
        labels=received.labels.get(name, {}),
        fits=fits if found["filled"] else {},
    )


def _known_texts(schema: TableSchema, columns: Mapping[str, Foreign]) -> Iterator[tuple[str, str]]:
    """Yield the columns that a shipped mapping makes of several columns, where the file has all of them."""
    for table, column, rule in _shipped_rules():
        names = [name for _, name, _ in rule.parts() if name]
        if table == schema.name and names and set(names) <= set(columns):
            yield column, rule.text


def _proposal(schema: TableSchema, path: Path, columns: Sequence[Foreign]) -> Proposal:
    """Give each column of a table the foreign column that is most like it, the surest first."""
    scored = sorted(
        ((score, reason, column, foreign) for column in schema.columns.values() for foreign in columns
         for score, reason in [_likeness(schema, column, foreign)] if score >= _ALIKE),
        key=lambda found: -found[0],
    )  # fmt: skip
    matches: dict[str, Match] = {}
    used: set[str] = set()
    for _, reason, column, foreign in scored:
        if column.name not in matches and foreign.name not in used:
            codes = {code: target or "?" for code, target in _codes(column, foreign).items()}
            matches[column.name] = Match(column=column, foreign=foreign, reason=reason, codes=codes)
            used.add(foreign.name)
    for name, text in _known_texts(schema, {foreign.name: foreign for foreign in columns}):
        first = next(foreign for foreign in columns if f"{{{foreign.name}" in text)
        reason = "as in a mapping that is shipped"
        matches[name] = Match(column=schema.columns[name], foreign=first, reason=reason, text=text)
        used |= {foreign.name for foreign in columns if f"{{{foreign.name}" in text}
    ending = next(end for end in sorted(SUFFIXES, key=len, reverse=True) if path.name.lower().endswith(end))
    return Proposal(
        table=schema,
        file=path.name[: -len(ending)],
        matches=tuple(matches[name] for name in schema.columns if name in matches),
        unused=tuple(foreign.name for foreign in columns if foreign.name not in used),
    )


def _likeness(schema: TableSchema, column: Column, foreign: Foreign) -> tuple[float, str]:
    """Return how sure it is that a foreign column is a column of the dictionary, and why."""
    if foreign.fits and foreign.fits[column.type] < _ENOUGH and not foreign.labels:
        return 0.0, ""
    name = _plain(foreign.name)
    likeness, word = max(
        (SequenceMatcher(None, name, _plain(word)).ratio(), word) for word in _names(schema, column)
    )
    reason = "same name" if likeness == 1 else f"name like {word!r}"
    if column.levels and foreign.values:
        known = _codes(column, foreign)
        share = sum(bool(code) for code in known.values()) / max(len(known), 1)
        if share == 1 and (likeness >= 0.4 or len(known) > 1):
            return max(likeness, 0.75) + 0.1, f"{reason}, and every code is known"
        if share < 0.5 and not foreign.labels and likeness < 0.95:
            likeness -= 0.15
    return likeness, reason


def _names(schema: TableSchema, column: Column) -> Iterator[str]:
    """Yield what a column may be called: its name, its labels, and its names in the mappings that are shipped."""
    yield from (column.name, column.label.nl, column.label.en)
    yield from _known_names().get((schema.name, column.name), ())


@cache
def _known_names() -> Mapping[tuple[str, str], tuple[str, ...]]:
    known: dict[tuple[str, str], list[str]] = {}
    for table, column, rule in _shipped_rules():
        known.setdefault((table, column), []).extend(rule.columns)
    return {place: tuple(names) for place, names in known.items()}


@cache
def _shipped_rules() -> tuple[tuple[str, str, ColumnRule], ...]:
    """Return what the shipped mappings say of each column."""
    from wor_eval.data.dictionary import read_dictionary

    dictionary = read_dictionary()
    return tuple(
        (table.table, column, rule)
        for name in shipped_mappings()
        for table in read_mapping(name, dictionary=dictionary).tables.values()
        for column, rule in table.columns.items()
    )


def _plain(name: str) -> str:
    return _WORDS.sub("", name.lower())


def _codes(column: Column, foreign: Foreign) -> dict[str, str]:
    """Return the code of the dictionary for each foreign code, by its label or by what it is called."""
    if not column.levels or not (foreign.values or foreign.labels):
        return {}
    codes = {**dict.fromkeys(foreign.values, ""), **dict.fromkeys(foreign.labels, "")}
    named = {code: foreign.labels.get(code, code) for code in codes}
    for code, label in named.items():
        codes[code] = codes_by_label({"x": label}, column).get("x", "") or _dutch(column, label)
    if not all(codes.values()):
        codes = _shipped_codes(column, foreign, codes)
    return {} if all(code == target for code, target in codes.items()) else codes


def _shipped_codes(column: Column, foreign: Foreign, codes: dict[str, str]) -> dict[str, str]:
    """Return the codes of a shipped mapping for a column of the same name, if it has them all."""
    for _, name, rule in _shipped_rules():
        if (
            name == column.name
            and foreign.name.lower() in {n.lower() for n in rule.columns}
            and set(codes) <= set(rule.codes)
        ):
            return {code: rule.codes[code] for code in codes}
    return codes


def _dutch(column: Column, label: str) -> str:
    """Return the code whose label starts as a short code does: V is vrouw, and no other label starts so."""
    starts = {
        code
        for code, text in column.levels.items()
        if len(label) == 1
        and label.isalpha()
        and (text.nl.lower().startswith(label.lower()) or code == label)
    }
    return starts.pop() if len(starts) == 1 else ""
