"""A checklist for reports in our own words: its items, and where a report answers each, or why nothing does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wor_eval.plan_parts import Text
from wor_eval.report.columns import ReportTable
from wor_eval.study import Lang

_REFERENCES = ("sec-", "tbl-", "fig-")


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One item: its number, what it asks in our words, and where it is answered."""

    number: str
    name: Text
    where: Text


def where(places: str, elsewhere: Mapping[str, Text]) -> Text:
    """Give places in words; sections, tables and figures become references that the report resolves.

    Examples
    --------
    >>> where("sec-who title", {"title": Text(nl="Titel", en="Title")}).en
    '@sec-who; Title'
    """
    parts = [
        Text(nl=f"@{place}", en=f"@{place}") if place.startswith(_REFERENCES) else elsewhere[place]
        for place in places.split()
    ]
    return Text(nl="; ".join(part.nl for part in parts), en="; ".join(part.en for part in parts))


def checklist(items: Sequence[Item], lang: Lang) -> ReportTable:
    """Show each item with where it is answered, or that it is not."""
    rows = [(item.number, item.name.in_(lang), item.where.in_(lang)) for item in items]
    headers = ("Nr.", "Onderwerp", "Waar") if lang == "nl" else ("No.", "Item", "Where")
    return ReportTable(headers=headers, rows=tuple(rows), align=("right", "left", "left"))
