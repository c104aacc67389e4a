"""What a data dictionary can say of a table, a column and a code: the types, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from wor_eval.errors import DataError

Language = Literal["nl", "en"]
ColumnType = Literal["string", "integer", "year", "number", "date", "boolean"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """One text in both languages.

    Parameters
    ----------
    nl, en : str
        The text in Dutch and in English.
    """

    nl: str
    en: str

    def in_language(self, lang: Language) -> str:
        """Return the text in one language."""
        if lang not in ("nl", "en"):
            raise DataError(f"language {lang!r} is not known: use 'nl' or 'en'")
        return self.nl if lang == "nl" else self.en


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """What the dictionary says of one column.

    Parameters
    ----------
    name : str
        Name in the raw table.
    type : {"string", "integer", "year", "number", "date", "boolean"}
        How a value is read; ids are strings.
    label, description : Text
        Name to display, and definition.
    unit : Text, optional
        Unit of a count, score or amount.
    required : bool
        No cell may be empty.
    unique : bool
        No value may occur twice.
    optional : bool
        The column may be absent; it is then added with `default`, or empty.
    minimum, maximum : float, optional
        Smallest and largest value allowed, both included.
    pattern : str, optional
        Regular expression that a whole value must match.
    codes : str, optional
        Name of the code list.
    levels : mapping of str to Text
        The codes of that list with their labels; empty without a code list.
    refers_to : tuple of (str, str), optional
        Table and column in which every value must occur.
    disclosive : bool
        The column may help to identify a person.
    default : int, optional
        Value where the column is absent.
    """

    name: str
    type: ColumnType
    label: Text
    description: Text
    disclosive: bool
    unit: Text | None = None
    required: bool = False
    unique: bool = False
    optional: bool = False
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    codes: str | None = None
    levels: Mapping[str, Text] = field(default_factory=dict)
    refers_to: tuple[str, str] | None = None
    default: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TableSchema:
    """What the dictionary says of one table.

    Parameters
    ----------
    name : str
        Name of the table, and of the file it is read from.
    label, description, grain : Text
        Name to display, what it holds, and what one row is.
    required : bool
        No study can do without it.
    columns : mapping of str to Column
        The columns, in order.
    primary_key : tuple of str
        Columns that together identify a row; empty if there are none.
    ordered : tuple of tuple of str
        Date columns of one row, in the order in which they must fall.
    """

    name: str
    label: Text
    description: Text
    grain: Text
    required: bool
    columns: Mapping[str, Column]
    primary_key: tuple[str, ...] = ()
    ordered: tuple[tuple[str, ...], ...] = ()
