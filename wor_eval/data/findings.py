"""What a broken rule is, and how many rows break it, counted in one pass over a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import ibis

Severity = Literal["error", "notice"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One rule that the data break.

    Parameters
    ----------
    table : str
        Name of the table, or of the file where it is not known which table it holds.
    column : str
        Name of the column; empty where the rule is about the whole table.
    rule : str
        The rule, in a few words.
    rows : int
        Number of rows that break it; 0 where it is not about rows.
    remedy : str
        What to do.
    severity : {"error", "notice"}
        An error stops the reading; a notice is only told.

    Examples
    --------
    >>> print(Finding(table="persons", column="sex", rule="unknown code", rows=3, remedy="use F or M"))
    persons.sex: unknown code (3 rows): use F or M
    """

    table: str
    column: str
    rule: str
    rows: int
    remedy: str
    severity: Severity = "error"

    def __str__(self) -> str:
        place = f"{self.table}.{self.column}" if self.column else self.table
        count = f" ({self.rows} row{'' if self.rows == 1 else 's'})" if self.rows else ""
        return f"{place}: {self.rule}{count}: {self.remedy}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A rule to be counted: a finding if any row breaks it.

    Parameters
    ----------
    table, column, rule, remedy, severity
        As in `Finding`.
    relation : ibis.Table
        The rows that are looked at.
    rows : ibis.Value
        Aggregate over `relation`: how many rows break the rule.
    excused : int
        Rows to leave out of the count, because another finding counts them already.
    """

    table: str
    column: str
    rule: str
    remedy: str
    relation: ibis.Table
    rows: ibis.Value
    severity: Severity = "error"
    excused: int = 0


def count_findings(checks: Iterable[Check]) -> Iterator[Finding]:
    """Yield a finding for every check that some row breaks.

    All checks over the same rows are counted in one query.

    Parameters
    ----------
    checks : iterable of Check
        The rules to count.

    Yields
    ------
    Finding
        One for each check with at least one row.
    """
    groups: dict[object, list[Check]] = {}
    for check in checks:
        groups.setdefault(check.relation.op(), []).append(check)
    for group in groups.values():
        counts = {f"n{i}": check.rows for i, check in enumerate(group)}
        row = group[0].relation.aggregate(**counts).to_pyarrow().to_pylist()[0]
        for i, check in enumerate(group):
            rows = (row[f"n{i}"] or 0) - check.excused
            if rows > 0:
                yield Finding(
                    table=check.table,
                    column=check.column,
                    rule=check.rule,
                    rows=rows,
                    remedy=check.remedy,
                    severity=check.severity,
                )
