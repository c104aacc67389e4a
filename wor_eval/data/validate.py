"""Validates raw tables against the data dictionary, and lists every broken rule at once."""

from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from wor_eval.data.dictionary import Dictionary, read_dictionary
from wor_eval.data.findings import Check, Finding, count_findings
from wor_eval.data.load import Loaded, load_sources
from wor_eval.data.rules import RULES, Scope
from wor_eval.data.sources import find_sources

if TYPE_CHECKING:
    import ibis

__all__ = ["Finding", "check_data", "check_loaded", "check_tables"]


def check_data(folder: Path | str, *, dictionary: Dictionary | None = None) -> tuple[Finding, ...]:
    """Check the raw tables of a study.

    Parameters
    ----------
    folder : pathlib.Path or str
        Where they stand, as `wor_eval.data.read.read_data` takes it.
    dictionary : Dictionary, optional
        What the tables should hold; without it, the dictionary that ships with the package.

    Returns
    -------
    tuple of Finding
        Everything that is wrong, unreadable files included; empty if nothing is.

    Raises
    ------
    DataError
        If there is no such place.
    """
    dictionary = read_dictionary() if dictionary is None else dictionary
    return check_loaded(load_sources(find_sources(folder, dictionary), dictionary), dictionary)


def check_loaded(loaded: Loaded, dictionary: Dictionary) -> tuple[Finding, ...]:
    """Check tables that were just loaded: what the loading found, and every rule.

    Parameters
    ----------
    loaded : Loaded
        The tables, with what was noticed when they were loaded.
    dictionary : Dictionary
        What the tables should hold.

    Returns
    -------
    tuple of Finding
        Everything that is wrong, in the order of the dictionary, notices last.
    """
    broken = check_tables(
        loaded.tables, dictionary, unreadable=loaded.unreadable, refused=frozenset(loaded.refused)
    )
    return _sorted((*loaded.findings, *broken), dictionary)


def check_tables(
    tables: Mapping[str, ibis.Table],
    dictionary: Dictionary,
    *,
    unreadable: Mapping[tuple[str, str], int] | None = None,
    refused: Set[str] = frozenset(),
) -> tuple[Finding, ...]:
    """Check tables that are already cast to the types of the dictionary.

    Parameters
    ----------
    tables : mapping of str to ibis.Table
        The tables, all in one database; a column that is absent counts as not delivered.
    dictionary : Dictionary
        What the tables should hold.
    unreadable : mapping of (str, str) to int, optional
        Per table and column, the number of cells that are empty because they could not be cast;
        they do not count as empty.
    refused : set of str
        Tables that were delivered but could not be read; they do not count as missing.

    Returns
    -------
    tuple of Finding
        Every rule that is broken, with how many rows break it; never a value of a person.

    Examples
    --------
    >>> import ibis
    >>> from wor_eval.data.dictionary import read_dictionary
    >>> con = ibis.duckdb.connect()
    >>> rows = ibis.memtable({"practice_id": ["a", "a"], "municipality_code": ["0001", None]})
    >>> tables = {"practices": con.create_table("practices", rows)}
    >>> found = check_tables(tables, read_dictionary(), refused={"persons", "referrals", "registrations"})
    >>> [(finding.column, finding.rule, finding.rows) for finding in found]
    [('practice_id', 'key occurs more than once', 1)]
    """
    scope = Scope(
        tables=tables,
        dictionary=dictionary,
        today=datetime.now(tz=UTC).date(),
        unreadable=unreadable or {},
        refused=frozenset(refused),
    )
    results = [result for rule in RULES for result in rule(scope)]
    checks = [result for result in results if isinstance(result, Check)]
    found = [result for result in results if isinstance(result, Finding)]
    return _sorted((*found, *count_findings(checks)), dictionary)


def _sorted(findings: tuple[Finding, ...], dictionary: Dictionary) -> tuple[Finding, ...]:
    """Sort findings by table and column as in the dictionary, notices last."""
    tables = list(dictionary.tables)

    def place(finding: Finding) -> tuple[bool, int, int]:
        table = tables.index(finding.table) if finding.table in tables else len(tables)
        columns = list(dictionary.tables[finding.table].columns) if finding.table in tables else []
        column = columns.index(finding.column) if finding.column in columns else -1
        return finding.severity == "notice", table, column

    return tuple(sorted(findings, key=place))
