"""Tables of how costs and scores were delivered and read, which prices were used, and what the instruments are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wor_eval.cohort.as_planned import planned_instrument
from wor_eval.data.dictionary import read_dictionary
from wor_eval.effects.arms import outcomes_of
from wor_eval.language import number
from wor_eval.report.absent import table_or_sentence
from wor_eval.report.columns import Column, ReportTable, columns_of, report_table, written
from wor_eval.report.outcome_tables import by_outcome, outcome_label
from wor_eval.report.results import Results
from wor_eval.report.terms import term

if TYPE_CHECKING:
    import pandas as pd


@table_or_sentence
def costs(results: Results) -> ReportTable:
    """Show how many cost lines were delivered, netted and indexed."""
    return _delivered(results, "cost_per_year")


@table_or_sentence
def scores(results: Results) -> ReportTable:
    """Show how many questionnaires were delivered, scored, and why some have no score."""
    return _delivered(results, "mean_score")


def _delivered(results: Results, measure: str) -> ReportTable:
    column = columns_of(results, "delivered")
    frame = results.table("delivered")
    frame = frame[frame["outcome"].isin(outcomes_of(results.study, measure))]
    columns = [
        column.text("check", prefix="delivered_"),
        column.count("n_rows"),
    ]
    return by_outcome(results, frame, columns)


@table_or_sentence
def prices(results: Results) -> ReportTable:
    """Show the price of each kind of contact with its source; claims have amounts of their own."""
    lang, column = results.lang, columns_of(results, "prices")
    frame = results.table("prices")
    dictionary = read_dictionary()

    def kind(row: pd.Series[Any]) -> str:
        known = dictionary.column("contacts", "kind").levels
        item = str(row["item"])
        return dictionary.code_label("contacts", "kind", item, lang=lang) if item in known else item

    columns = [
        Column(header=column.labels["item"], cell=kind, numeric=False),
        column.text("view", prefix="view_"),
        column.number("price_eur"),
        Column(header=column.labels["price_year"], cell=lambda r: str(int(r["price_year"]))),
        Column(header=column.labels["from_year"], cell=lambda r: str(int(r["from_year"]))),
        column.written("source"),
    ]
    return by_outcome(results, frame, columns)


@table_or_sentence
def instruments(results: Results) -> ReportTable:
    """Show of each score its range, its direction, and the smallest relevant change with its source."""
    import pandas as pd

    lang, nl = results.lang, results.lang == "nl"
    rows = []
    for name in outcomes_of(results.study, "mean_score"):
        found = planned_instrument(results.study.outcome(name))
        low, high = (number(end, 0 if float(end).is_integer() else 3, lang=lang) for end in found.score_range)
        smallest = found.smallest_change
        rows.append(
            {
                "name": outcome_label(results, name),
                "range": f"{low} {'tot' if nl else 'to'} {high}",
                "better": term(f"higher_{found.higher_is}", lang),
                "smallest": "–" if smallest is None else number(smallest.value, 2, lang=lang),
                "source": term("no_smallest_change", lang)
                if smallest is None
                else found.sources["smallest_change"],
                "said": term(f"said_{found.code}", lang, otherwise="–"),
                "suppressed": False,
            }
        )
    headers = {
        "name": ("Uitkomst", "Outcome"),
        "range": ("Bereik", "Range"),
        "better": ("Hoger is", "Higher is"),
        "smallest": ("Kleinste relevante verandering", "Smallest relevant change"),
        "source": ("Bron daarvan", "Its source"),
        "said": ("Erbij te zeggen", "To be said"),
    }
    shown = [key for key in headers if key != "said" or any(row["said"] != "–" for row in rows)]
    return report_table(
        pd.DataFrame(rows), [written(headers[key][0 if nl else 1], key, numeric=False) for key in shown]
    )
