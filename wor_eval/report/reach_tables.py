"""Tables of reach: who is referred, by place and quarter, and what becomes of a referral."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wor_eval.data.dictionary import read_dictionary
from wor_eval.effects.proportions import difference_of
from wor_eval.errors import WorEvalError
from wor_eval.language import INTERVAL, MISSING, interval, number
from wor_eval.reach_plan import Reach
from wor_eval.report.columns import HIDDEN, Column, Columns, ReportTable, columns_of, report_table
from wor_eval.report.indicators import Indicator, read_indicators
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd

_CODED = ("referrer", "reason", "outcome")


def plan_of(results: Results) -> Reach:
    """Give the plan of a study of reach.

    Raises
    ------
    WorEvalError
        These are the results of another kind of study.
    """
    if not isinstance(results.plan, Reach):
        raise WorEvalError(f"results {results.plan.name} are not of a study of reach")
    return results.plan


def per(results: Results) -> str:
    """Write per how many person-years rates are."""
    lang = results.lang
    count = number(plan_of(results).per, lang=lang)
    return f"per {count} persoonsjaren" if lang == "nl" else f"per {count} person-years"


def level_words(dimension: str, level: str, lang: Lang) -> str:
    """Write a group of a breakdown: the label of its code, or of its term, or the level as it is."""
    if dimension in _CODED:
        levels = read_dictionary().tables["referrals"].columns[dimension].levels
        if level in levels:
            return levels[level].in_language(lang)
    return term(f"{dimension}_{level}", lang, otherwise=term(level, lang))


def _words(column: Columns, name: str, dimension: str, *, header: str | None = None) -> Column:
    return Column(
        header=header or column.labels[name],
        cell=lambda r: level_words(dimension, str(r[name]), column.lang),
        numeric=False,
    )


def flags(results: Results) -> ReportTable:
    """Show what stands in the way of a rate, and how often."""
    lang, column = results.lang, columns_of(results, "reach_flags")

    def count(row: pd.Series[Any]) -> str:
        return number(float(row["n_referrals"]) or float(row["n_units"]), lang=lang)

    columns = [
        _words(column, "reason", "reason"),
        Column(header=column.labels["n_units"], cell=count),
    ]
    return report_table(results.table("reach_flags"), columns)


def pyramid(results: Results) -> ReportTable:
    """Show the referred beside the registered, by age and sex."""
    column = columns_of(results, "reach_pyramid")
    columns = [
        _words(column, "age_group", "age"),
        _words(column, "sex", "sex"),
        column.count("n_referred"),
        column.count("n_registered"),
        column.percent("share_referred"),
        column.percent("share_registered"),
        column.number("rate", 1, header=f"{column.labels['rate']} ({per(results)})"),
    ]
    return report_table(results.table("reach_pyramid"), columns)


def rates(results: Results, *, dimensions: tuple[str, ...]) -> ReportTable:
    """Show crude and standardised rates of some breakdowns, with gamma intervals."""
    frame, lang = results.table("reach_rates"), results.lang
    column = columns_of(results, "reach_rates")
    columns = [
        Column(
            header=column.labels["level"],
            cell=lambda r: level_words(str(r["dimension"]), str(r["level"]), lang),
            numeric=False,
        ),
        column.count("referrals"),
        column.number("person_years", 0),
        column.number("crude", 1),
        column.interval(1, of=("crude_low", "crude_high"), header=f"{INTERVAL[lang]} "),
    ]
    chosen = frame[frame["dimension"].isin(dimensions)]
    if chosen.loc[~chosen["suppressed"], "standardised"].notna().all():
        columns += [
            column.number("standardised", 1),
            column.interval(1, of=("standardised_low", "standardised_high")),
        ]
    return report_table(chosen, columns)


def equity(results: Results) -> ReportTable:
    """Show standardised rates by neighbourhood income, and their ratio to the highest quintile."""
    frame, lang = results.table("reach_rates"), results.lang
    column = columns_of(results, "reach_rates")
    columns = [
        _words(column, "level", "income", header=term("dimension_income", lang)),
        column.count("referrals"),
        column.number("standardised", 1),
        column.interval(1, of=("standardised_low", "standardised_high")),
        column.number("ratio"),
        column.interval(of=("ratio_low", "ratio_high"), header=f"{INTERVAL[lang]} "),
    ]
    return report_table(frame[frame["dimension"] == "income"], columns)


def quarters(results: Results) -> ReportTable:
    """Show the rate by quarter of all areas together, with the limits of chance."""
    frame, lang = results.table("reach_quarters"), results.lang
    column = columns_of(results, "reach_quarters")
    columns = [
        column.written("quarter"),
        column.count("referrals"),
        column.number("person_years", 0),
        column.number("rate", 1),
        column.interval(1, of=("low", "high"), header="Grenzen" if lang == "nl" else "Limits"),
        Column(header=column.labels["outside"], cell=lambda r: term(str(r["outside"]), lang)),
    ]
    chosen = frame[frame["area"] == "all"]
    if (chosen["flag"] != "ok").any():
        columns.append(_words(column, "flag", "flag"))
    return report_table(chosen, columns)


def signals(results: Results) -> ReportTable:
    """Show what the rules for signals find, by area."""
    lang, column = results.lang, columns_of(results, "reach_signals")

    def limit(allowed: float) -> str:
        return number(float(allowed), lang=lang) if allowed else MISSING

    def of(found: str, allowed: str) -> Column:
        return Column(
            header=f"{column.labels[found]} ({column.labels[allowed].lower()})",
            cell=lambda r: f"{number(float(r[found]), lang=lang)} ({limit(r[allowed])})",
        )

    columns = [
        _words(column, "area", "area"),
        column.number("centre", 1),
        column.count("n_outside"),
        of("longest_run", "longest_allowed"),
        of("crossings", "fewest_allowed"),
        Column(header=column.labels["shift"], cell=lambda r: term(f"shift_{r['shift']}", lang)),
    ]
    return report_table(results.table("reach_signals"), columns)


def practices(results: Results) -> ReportTable:
    """Show the practices outside the limits, by their drawn number; a cross where persons would be too few."""
    frame, lang = results.table("reach_funnel"), results.lang
    column = columns_of(results, "reach_funnel")
    columns = [
        column.written("practice"),
        column.count("n_referred"),
        column.number("expected", 1),
        column.number("ratio"),
        column.number("z", 1),
        Column(header=column.labels["position"], cell=lambda r: term(f"position_{r['position']}", lang)),
    ]
    return report_table(frame, columns)


def sources(results: Results, *, dimension: str) -> ReportTable:
    """Show referrals by referrer or by reason."""
    frame = results.table("reach_sources")
    column = columns_of(results, "reach_sources")
    columns = [
        _words(column, "level", dimension),
        column.count("referrals"),
        column.percent("share"),
    ]
    return report_table(frame[frame["dimension"] == dimension], columns)


def steps(results: Results) -> ReportTable:
    """Show how many referrals reach each step, and the days between."""
    lang, column = results.lang, columns_of(results, "reach_steps")

    def days(row: pd.Series[Any]) -> str:
        if row[["days_p25", "days_median", "days_p75"]].isna().any():
            return MISSING
        low, high = float(row["days_p25"]), float(row["days_p75"])
        return f"{number(float(row['days_median']), lang=lang)} ({interval(low, high, lang=lang)})"

    middle = "Dagen: mediaan (middelste helft)" if lang == "nl" else "Days: median (middle half)"
    columns = [
        _words(column, "age_band", "age"),
        _words(column, "step", "step"),
        column.count("n_reached"),
        column.percent("share"),
        Column(header=middle, cell=days),
    ]
    return report_table(results.table("reach_steps"), columns)


def departures(results: Results) -> ReportTable:
    """Show the referrals that were not completed, by where they stopped and why."""
    column = columns_of(results, "reach_departures")
    columns = [
        _words(column, "stage", "stage"),
        _words(column, "outcome", "outcome"),
        column.count("n_referrals"),
        column.percent("share"),
    ]
    return report_table(results.table("reach_departures"), columns)


def indicator_definitions(results: Results) -> ReportTable:
    """Show what each indicator means, with numerator, denominator and source."""
    lang, plan = results.lang, plan_of(results)
    headers = {
        "nl": ("Indicator", "Definitie", "Teller", "Noemer", "Bron"),
        "en": ("Indicator", "Definition", "Numerator", "Denominator", "Source"),
    }[lang]
    rows = []
    for known in read_indicators().values():
        within = "" if known.days is None else _days(getattr(plan, known.days), lang)
        texts = (known.numerator, known.denominator, known.source)
        meaning = f"{known.definition.in_(lang)}{within}"
        rows.append((known.label.in_(lang), meaning, *(text.in_(lang) for text in texts)))
    return ReportTable(headers=headers, rows=tuple(rows), align=("left",) * 5)


def _days(days: int, lang: Lang) -> str:
    return f" ({number(days, lang=lang)} {'dagen' if lang == 'nl' else 'days'})"


def indicators(results: Results, *, area: str = "all") -> ReportTable:
    """Show each indicator in the last quarter for which it is known, and the change from the quarter before."""
    lang, frame = results.lang, results.table("reach_indicators")
    words = {
        "nl": ("Indicator", "Kwartaal", "Teller / noemer", "Waarde", "95%-BI", "Verandering", "95%-BI "),
        "en": ("Indicator", "Quarter", "Numerator / denominator", "Value", "95% CI", "Change", "95% CI "),
    }[lang]
    rows = []
    for name, known in read_indicators().items():
        mine = frame[(frame["indicator"] == name) & (frame["area"] == area)]
        rows.append(_indicator_row(known, mine, lang))
    return ReportTable(headers=words, rows=tuple(rows), align=("left", "left", *("right",) * 5))


def _indicator_row(known: Indicator, mine: pd.DataFrame, lang: Lang) -> tuple[str, ...]:
    label, there = known.label.in_(lang), mine[mine["flag"] == "ok"]
    if there.empty:
        reason = term(f"flag_{mine['flag'].iloc[-1]}", lang) if len(mine) else MISSING
        return (label, reason, *(MISSING,) * 5)
    last = there.iloc[-1]
    before = mine.iloc[: mine.index.get_loc(there.index[-1])]
    if last["suppressed"]:
        return (label, str(last["quarter"]), *(HIDDEN,) * 5)
    decimals = 0 if known.unit == "share" else 1
    scale = 100.0 if known.unit == "share" else 1.0
    sign = "%" if known.unit == "share" else ""
    now = tuple(scale * float(last[c]) for c in ("value", "conf_low", "conf_high"))
    shown = (
        f"{number(float(last['numerator']), lang=lang)} / {number(float(last['denominator']), lang=lang)}",
        f"{number(now[0], decimals, lang=lang)}{sign}",
        interval(now[1], now[2], decimals, lang=lang),
    )
    change = _change(now, before, scale, decimals=decimals, lang=lang)
    return (label, str(last["quarter"]), *shown, *change)


def _change(
    now: tuple[float, ...], before: pd.DataFrame, scale: float, *, decimals: int, lang: Lang
) -> tuple[str, str]:
    """Write the change from the quarter before, where it is known and not hidden."""
    if before.empty or before.iloc[-1]["flag"] != "ok":
        return MISSING, MISSING
    if before.iloc[-1]["suppressed"]:
        return HIDDEN, HIDDEN
    then = tuple(scale * float(before.iloc[-1][c]) for c in ("value", "conf_low", "conf_high"))
    size, low, high = difference_of((now[0], now[1], now[2]), (then[0], then[1], then[2]))
    return number(size, decimals, lang=lang), interval(low, high, decimals, lang=lang)
