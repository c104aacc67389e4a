"""The rules that raw tables must keep, one function each.

A rule looks at the tables through the dictionary and yields what is broken, or a `Check` that counts
the rows that break it. No rule yields a value of a person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import combinations
from typing import TYPE_CHECKING

from wor_eval.data.dictionary import Column, Dictionary
from wor_eval.data.findings import Check, Finding

if TYPE_CHECKING:
    import ibis

_END_OF_TIME = date(9999, 12, 31)
_MOST_CODES_LISTED = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """What a rule may look at.

    Parameters
    ----------
    tables : mapping of str to ibis.Table
        The tables that were received, each with the columns that were received, cast to the types
        of the dictionary.
    dictionary : Dictionary
        What the tables should hold.
    today : datetime.date
        The day of the check.
    unreadable : mapping of (str, str) to int
        Per table and column the number of cells that could not be cast, and are empty for that reason.
    refused : frozenset of str
        Names of tables that were received but could not be read.
    """

    tables: Mapping[str, ibis.Table]
    dictionary: Dictionary
    today: date
    unreadable: Mapping[tuple[str, str], int] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()

    def columns(self) -> Iterator[tuple[str, ibis.Table, Column]]:
        """Yield every column of the dictionary that was received, with its table."""
        for name, table in self.tables.items():
            for column in self.dictionary.tables[name].columns.values():
                if column.name in table.columns:
                    yield name, table, column

    def has(self, table: str, *columns: str) -> bool:
        """Tell whether a table was received with all these columns."""
        return table in self.tables and set(columns) <= set(self.tables[table].columns)

    def has_whole(self, table: str, *columns: str) -> bool:
        """Tell whether a table was received with all these columns, and every cell could be cast."""
        return self.has(table, *columns) and not any((table, name) in self.unreadable for name in columns)


Rule = Callable[[Scope], Iterator[Finding | Check]]


def missing_table(scope: Scope) -> Iterator[Finding]:
    """Require the tables that no study can do without."""
    for name, table in scope.dictionary.tables.items():
        if table.required and name not in scope.tables and name not in scope.refused:
            remedy = f"deliver {name}.csv, {name}.csv.gz or {name}.parquet"
            yield Finding(table=name, column="", rule="missing table", rows=0, remedy=remedy)


def empty_table(scope: Scope) -> Iterator[Finding]:
    """Refuse a required table without rows; tell it of the others."""
    for name, table in scope.tables.items():
        if table.count().to_pyarrow().as_py() == 0:
            yield Finding(
                table=name,
                column="",
                rule="no rows",
                rows=0,
                remedy="deliver the rows; a table that was not collected is better left out than empty",
                severity="error" if scope.dictionary.tables[name].required else "notice",
            )


def missing_column(scope: Scope) -> Iterator[Finding]:
    """Require every column that may not be absent."""
    for name, received in scope.tables.items():
        for column in scope.dictionary.tables[name].columns.values():
            if not column.optional and column.name not in received.columns:
                remedy = f"add it ({column.description.en.rstrip('.')}), or correct its name in the header"
                yield Finding(table=name, column=column.name, rule="missing column", rows=0, remedy=remedy)


def empty_value(scope: Scope) -> Iterator[Check]:
    """Require a value in every cell of a required column."""
    for name, table, column in scope.columns():
        if column.required:
            yield Check(
                table=name,
                column=column.name,
                rule="required value is empty",
                remedy="fill in the value, or leave the row out and report how many were left out",
                relation=table,
                rows=table.count(where=table[column.name].isnull()),
                excused=scope.unreadable.get((name, column.name), 0),
            )


def unknown_code(scope: Scope) -> Iterator[Check]:
    """Allow only the codes of the code list."""
    for name, table, column in scope.columns():
        if column.levels:
            value = table[column.name]
            listed = f"use one of {', '.join(column.levels)}"
            if len(column.levels) > _MOST_CODES_LISTED:
                listed = f"use a code of data_dictionary/codes/{column.codes}.csv"
            yield Check(
                table=name,
                column=column.name,
                rule="unknown code",
                remedy=listed,
                relation=table,
                rows=table.count(where=value.notin(list(column.levels))),
            )


def out_of_range(scope: Scope) -> Iterator[Check]:
    """Allow only numbers between minimum and maximum."""
    for name, table, column in scope.columns():
        value = table[column.name]
        limits = []
        if column.minimum is not None:
            limits.append((value < column.minimum, f"at least {column.minimum:g}"))
        if column.maximum is not None:
            limits.append((value > column.maximum, f"at most {column.maximum:g}"))
        for broken, limit in limits:
            yield Check(
                table=name,
                column=column.name,
                rule="out of range",
                remedy=f"must be {limit}; correct it, or leave the cell empty if that is allowed",
                relation=table,
                rows=table.count(where=broken),
            )


def wrong_pattern(scope: Scope) -> Iterator[Check]:
    """Require the pattern of the dictionary."""
    for name, table, column in scope.columns():
        if column.pattern:
            value = table[column.name]
            yield Check(
                table=name,
                column=column.name,
                rule="does not match the pattern",
                remedy=f"write it as {column.pattern}",
                relation=table,
                rows=table.count(where=~value.re_search(f"^(?:{column.pattern})$")),
            )


def duplicate_key(scope: Scope) -> Iterator[Check]:
    """Allow every key once."""
    for name, table in scope.tables.items():
        schema = scope.dictionary.tables[name]
        unique = [(c.name,) for c in schema.columns.values() if c.unique]
        for key in dict.fromkeys([schema.primary_key, *unique]):
            if key and scope.has(name, *key):
                groups = table.drop_null(list(key)).group_by(list(key)).aggregate(n=lambda t: t.count())
                yield Check(
                    table=name,
                    column=", ".join(key),
                    rule="key occurs more than once",
                    remedy="keep one row for each key; the count is of the rows beyond the first",
                    relation=groups,
                    rows=groups.n.sum() - groups.count(),
                )


def dangling_reference(scope: Scope) -> Iterator[Check]:
    """Require that a value occurs in the table it refers to, if that table was received."""
    for name, table, column in scope.columns():
        if column.refers_to is None or not scope.has_whole(*column.refers_to):
            continue
        parent, target = column.refers_to
        known = scope.tables[parent].select(**{column.name: target})
        loose = table.filter(table[column.name].notnull()).anti_join(known, column.name)
        yield Check(
            table=name,
            column=column.name,
            rule=f"does not occur in {parent}.{target}",
            remedy=f"add the missing rows to {parent}, or check that both tables write the id the same way",
            relation=loose,
            rows=loose.count(),
        )


def date_too_late(scope: Scope) -> Iterator[Check]:
    """Refuse dates more than a year after today."""
    import ibis

    latest = scope.today + timedelta(days=365)
    for name, table, column in scope.columns():
        if column.type == "date":
            yield Check(
                table=name,
                column=column.name,
                rule="date more than a year after today",
                remedy="correct the date; leave the cell empty where the day is not known or still to come",
                relation=table,
                rows=table.count(where=table[column.name] > ibis.date(latest.isoformat())),
            )


def date_before_birth(scope: Scope) -> Iterator[Check]:
    """Refuse dates before the year in which the person was born."""
    import ibis

    if not scope.has("persons", "person_id", "birth_year"):
        return
    persons = scope.tables["persons"]
    latest = persons.birth_year.max().to_pyarrow().as_py()
    if latest is None:
        return
    born = persons.group_by("person_id").aggregate(born_in=persons.birth_year.min())
    for name, table, column in scope.columns():
        if column.type == "date" and scope.has(name, "person_id"):
            early = table.filter(
                table[column.name] < ibis.date(f"{min(max(latest, 1), 9999):04d}-01-01")
            )  # often none: no join
            joined = early.inner_join(born, "person_id")
            yield Check(
                table=name,
                column=column.name,
                rule="date before the year of birth",
                remedy="correct the date, or persons.birth_year",
                relation=joined,
                rows=joined.count(where=joined[column.name].year() < joined.born_in),
            )


def dates_out_of_order(scope: Scope) -> Iterator[Check]:
    """Require that the dates of one row fall in the order of the dictionary."""
    for name, table in scope.tables.items():
        for chain in scope.dictionary.tables[name].ordered:
            present = [column for column in chain if column in table.columns]
            for first, then in combinations(present, 2):
                yield Check(
                    table=name,
                    column=then,
                    rule=f"date before {first}",
                    remedy=f"{then} must be on or after {first}: correct one of the two",
                    relation=table,
                    rows=table.count(where=table[then] < table[first]),
                )


def contact_outside_registration(scope: Scope) -> Iterator[Check]:
    """Require that a recorded contact falls within a registration of the person."""
    if not scope.has("contacts", "person_id", "contact_on"):
        return
    if not scope.has_whole("registrations", "person_id", "start_on", "end_on"):
        return
    contacts = scope.tables["contacts"]
    recorded = contacts.filter(contacts.contact_on.notnull())
    if "recall_days" in contacts.columns:
        recorded = recorded.filter(recorded.recall_days.isnull())
    periods = _periods(scope.tables["registrations"])
    outside = recorded.anti_join(
        periods,
        [
            recorded.person_id == periods.person_id,
            recorded.contact_on >= periods.start_on,
            recorded.contact_on <= periods.until,
        ],
    )
    yield Check(
        table="contacts",
        column="contact_on",
        rule="contact outside every registration of the person",
        remedy="complete the registrations, or leave these contacts out: outside a registration "
        "it is not known which contacts are missing",
        relation=outside,
        rows=outside.count(),
    )


def _periods(registrations: ibis.Table) -> ibis.Table:
    """Return the registrations with `until`, their last day; far away while still registered."""
    import ibis

    until = registrations.end_on.fill_null(ibis.date(_END_OF_TIME.isoformat()))
    return registrations.select("person_id", "start_on", until=until)


def overlapping_registrations(scope: Scope) -> Iterator[Check]:
    """Allow a person in one practice at a time."""
    import ibis

    if not scope.has("registrations", "person_id", "start_on", "end_on"):
        return
    periods = _periods(scope.tables["registrations"]).drop_null()
    earlier = ibis.window(group_by="person_id", order_by=["start_on", "until"], rows=(None, -1))
    ranked = periods.mutate(occupied_until=periods.until.max().over(earlier))
    yield Check(
        table="registrations",
        column="start_on",
        rule="registration starts before an earlier one of the person has ended",
        remedy="end_on is the last day of a registration, that day included: "
        "let it be before the start of the next, and give each period once",
        relation=ranked,
        rows=ranked.count(where=ranked.start_on <= ranked.occupied_until),
    )


def follow_up_before_referral(scope: Scope) -> Iterator[Check]:
    """Refuse a questionnaire called a follow-up that was answered before the person was ever referred."""
    if not scope.has_whole("questionnaires", "person_id", "answered_on", "wave"):
        return
    if not scope.has_whole("referrals", "person_id", "referred_on"):
        return
    answers, referrals = scope.tables["questionnaires"], scope.tables["referrals"]
    first = referrals.group_by("person_id").aggregate(first_on=referrals.referred_on.min())
    follow_ups = answers.filter(answers.wave.startswith("month_")).inner_join(first, "person_id")
    yield Check(
        table="questionnaires",
        column="answered_on",
        rule="follow-up answered before the referral",
        remedy="scores are placed by their date: correct answered_on, or call the wave baseline or panel",
        relation=follow_ups,
        rows=follow_ups.count(where=follow_ups.answered_on < follow_ups.first_on),
    )


def credit_line(scope: Scope) -> Iterator[Check]:
    """Tell how many cost lines are negative."""
    if scope.has("costs", "amount"):
        costs = scope.tables["costs"]
        yield Check(
            table="costs",
            column="amount",
            rule="negative amount",
            remedy="read as a credit line; check that the line it corrects is in the data too",
            relation=costs,
            rows=costs.count(where=costs.amount < 0),
            severity="notice",
        )


RULES: tuple[Rule, ...] = (
    missing_table,
    empty_table,
    missing_column,
    empty_value,
    unknown_code,
    out_of_range,
    wrong_pattern,
    duplicate_key,
    dangling_reference,
    date_too_late,
    date_before_birth,
    dates_out_of_order,
    contact_outside_registration,
    overlapping_registrations,
    follow_up_before_referral,
    credit_line,
)
