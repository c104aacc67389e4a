"""The data dictionary: what each raw table holds, read from the declarations in ``data_dictionary/``.

``data_dictionary/raw/<table>.yaml`` describes a table as a Frictionless Table Schema with a few extra
properties; ``data_dictionary/codes/<list>.csv`` holds the codes of a column with their labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from wor_eval.assets import asset
from wor_eval.data.declarations import parse_dictionary
from wor_eval.data.schema import Column, ColumnType, Language, TableSchema, Text
from wor_eval.errors import DataError

__all__ = [
    "Column",
    "ColumnType",
    "Dictionary",
    "Language",
    "TableSchema",
    "Text",
    "codebook",
    "read_dictionary",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Dictionary:
    """The raw tables of a study and what each column holds.

    Parameters
    ----------
    tables : mapping of str to TableSchema
        The tables by name.

    Examples
    --------
    >>> dictionary = read_dictionary()
    >>> dictionary
    <Dictionary: 8 tables, 47 columns>
    >>> dictionary.label("persons", "sex", lang="nl")
    'Geslacht'
    >>> dictionary.code_label("persons", "sex", "F", lang="en")
    'female'
    """

    tables: Mapping[str, TableSchema]

    def column(self, table: str, column: str) -> Column:
        """Return one column.

        Raises
        ------
        DataError
            If the dictionary has no such table or column.
        """
        if table not in self.tables:
            raise DataError(
                f"the data dictionary has no table {table!r}; it has {', '.join(sorted(self.tables))}"
            )
        columns = self.tables[table].columns
        if column not in columns:
            raise DataError(f"table {table} has no column {column!r}; it has {', '.join(columns)}")
        return columns[column]

    def label(self, table: str, column: str, *, lang: Language) -> str:
        """Return the display name of a column in one language."""
        return self.column(table, column).label.in_language(lang)

    def code_label(self, table: str, column: str, code: str, *, lang: Language) -> str:
        """Return the display name of one code of a column in one language.

        Raises
        ------
        DataError
            If the column has no such code.
        """
        levels = self.column(table, column).levels
        if code not in levels:
            known = ", ".join(levels) or "no codes at all"
            raise DataError(f"{table}.{column} does not have the code asked for; it has {known}")
        return levels[code].in_language(lang)

    def summary(self) -> str:
        """Return one line per table: its name, what a row is, and how many columns it has."""
        return "\n".join(f"{t.name}: {t.grain.en}, {len(t.columns)} columns" for t in self.tables.values())

    def __repr__(self) -> str:
        n_columns = sum(len(table.columns) for table in self.tables.values())
        return f"<Dictionary: {len(self.tables)} tables, {n_columns} columns>"


def read_dictionary(folder: Path | None = None) -> Dictionary:
    """Read a data dictionary.

    Parameters
    ----------
    folder : pathlib.Path, optional
        Folder with ``raw/<table>.yaml`` and ``codes/<list>.csv``; without it, the dictionary that
        ships with the package.

    Returns
    -------
    Dictionary
        The tables: those no study can do without first, then by name.

    Raises
    ------
    DataError
        If the dictionary is broken: everything that is wrong is listed at once.

    Examples
    --------
    >>> read_dictionary().tables["registrations"].primary_key
    ('person_id', 'practice_id', 'start_on')
    """
    return _shipped() if folder is None else _read(Path(folder))


@cache  # it does not change while a program runs, and parsing it takes half a second
def _shipped() -> Dictionary:
    return _read(asset("data_dictionary"))


def _read(folder: Path) -> Dictionary:
    tables, problems = parse_dictionary(folder)
    if problems:
        raise DataError("the data dictionary cannot be used", problems=problems)
    return Dictionary(tables=tables)


def codebook(dictionary: Dictionary, *, lang: Language) -> str:
    """Write the codebook of a dictionary as one Markdown page.

    Parameters
    ----------
    dictionary : Dictionary
        The tables to describe.
    lang : {"nl", "en"}
        Language of the page.

    Returns
    -------
    str
        Per table what it holds, a pipe table of its columns with type, unit and rules, and the
        codes of each column with their labels.

    Examples
    --------
    >>> print(codebook(read_dictionary(), lang="nl").splitlines()[0])
    # Codeboek
    """
    parts = [f"# {_WORDS['title'].in_language(lang)}"]
    for table in dictionary.tables.values():
        need = _WORDS["needed" if table.required else "spare"].in_language(lang)
        parts.append(f"## {table.label.in_language(lang)} (`{table.name}`)")
        parts.append(table.description.in_language(lang))
        parts.append(f"*{table.grain.in_language(lang)}; {need}*")
        parts.append("\n".join(_rows(table, lang)))
        parts.append("\n".join(_lists(table, lang)))
    return "\n\n".join(part for part in parts if part) + "\n"


_WORDS = {
    "title": Text(nl="Codeboek", en="Codebook"),
    "needed": Text(nl="verplichte tabel", en="required table"),
    "spare": Text(nl="de tabel mag ontbreken", en="the table may be absent"),
    "head": Text(
        nl="| kolom | naam | betekenis | type | eenheid | regels |",
        en="| column | name | meaning | type | unit | rules |",
    ),
    "string": Text(nl="tekst", en="text"),
    "integer": Text(nl="geheel getal", en="whole number"),
    "year": Text(nl="jaartal", en="year"),
    "number": Text(nl="getal", en="number"),
    "date": Text(nl="datum", en="date"),
    "boolean": Text(nl="ja of nee", en="true or false"),
    "required": Text(nl="altijd gevuld", en="never empty"),
    "key": Text(nl="deel van de sleutel", en="part of the key"),
    "unique": Text(nl="uniek", en="unique"),
    "optional": Text(nl="kolom mag ontbreken", en="column may be absent"),
    "default": Text(nl="dan", en="then"),
    "from": Text(nl="minimaal", en="at least"),
    "to": Text(nl="maximaal", en="at most"),
    "refers_to": Text(nl="komt voor in", en="occurs in"),
    "disclosive": Text(nl="kan herleidbaar zijn", en="may identify a person"),
    "codes": Text(nl="codes", en="codes"),
    "pattern": Text(nl="patroon", en="pattern"),
}


def _rows(table: TableSchema, lang: Language) -> Iterator[str]:
    """Yield the pipe table of the columns of a table."""
    yield _WORDS["head"].in_language(lang)
    yield "|---|---|---|---|---|---|"
    for column in table.columns.values():
        cells = (
            f"`{column.name}`",
            column.label.in_language(lang),
            column.description.in_language(lang),
            _WORDS[column.type].in_language(lang),
            column.unit.in_language(lang) if column.unit else "",
            "; ".join(_rules(column, table, lang)),
        )
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _rules(column: Column, table: TableSchema, lang: Language) -> Iterator[str]:
    """Yield the rules of one column in words; codes and patterns stand below the table."""

    def word(key: str) -> str:
        return _WORDS[key].in_language(lang)

    if column.optional:
        yield word("optional") + (
            f" ({word('default')} {column.default})" if column.default is not None else ""
        )
    if column.required:
        yield word("required")
    if column.unique:
        yield word("unique")
    elif column.name in table.primary_key:
        yield word("key")
    if column.minimum is not None:
        yield f"{word('from')} {column.minimum:g}"
    if column.maximum is not None:
        yield f"{word('to')} {column.maximum:g}"
    if column.refers_to:
        yield f"{word('refers_to')} `{column.refers_to[0]}`"
    if column.disclosive:
        yield word("disclosive")


def _lists(table: TableSchema, lang: Language) -> Iterator[str]:
    """Yield the codes and patterns of the columns of a table as a list."""
    for column in table.columns.values():
        if column.levels:
            codes = ", ".join(f"`{code}` ({text.in_language(lang)})" for code, text in column.levels.items())
            yield f"- `{column.name}`, {_WORDS['codes'].in_language(lang)}: {codes}"
        if column.pattern:
            yield f"- `{column.name}`, {_WORDS['pattern'].in_language(lang)}: `{column.pattern}`"
