"""Tables of reach: who is referred, by place and quarter, and what becomes of a referral."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wor_eval.data.dictionary import read_dictionary
from wor_eval.effects.proportions import difference_of
from wor_eval.errors import WorEvalError
from wor_eval.language import MISSING, interval, number, percent
from wor_eval.reach_plan import Reach
from wor_eval.report.indicators import Indicator, read_indicators
from wor_eval.report.results import Results
from wor_eval.report.tables import (
    HIDDEN,
    Column,
    ReportTable,
    column_labels,
    count_column,
    number_column,
    report_table,
)
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


def _words(header: str, column: str, prefix: str, lang: Lang) -> Column:
    return Column(header=header, cell=lambda r: level_words(prefix, str(r[column]), lang), numeric=False)


def _share(header: str, column: str, lang: Lang) -> Column:
    return Column(header=header, cell=lambda r: percent(float(r[column]), lang=lang))


def flags(results: Results) -> ReportTable:
    """Show what stands in the way of a rate, and how often."""
    lang, labels = results.lang, column_labels(results, "reach_flags")

    def count(row: pd.Series[Any]) -> str:
        return number(float(row["n_referrals"]) or float(row["n_units"]), lang=lang)

    columns = [
        _words(labels["reason"], "reason", "reason", lang),
        Column(header=labels["n_units"], cell=count),
    ]
    return report_table(results.table("reach_flags"), columns)


def pyramid(results: Results) -> ReportTable:
    """Show the referred beside the registered, by age and sex."""
    lang, labels = results.lang, column_labels(results, "reach_pyramid")
    columns = [
        _words(labels["age_group"], "age_group", "age", lang),
        _words(labels["sex"], "sex", "sex", lang),
        count_column(labels["n_referred"], "n_referred", lang),
        count_column(labels["n_registered"], "n_registered", lang),
        _share(labels["share_referred"], "share_referred", lang),
        _share(labels["share_registered"], "share_registered", lang),
        number_column(f"{labels['rate']} ({per(results)})", "rate", lang, 1),
    ]
    return report_table(results.table("reach_pyramid"), columns)


def _limits(header: str, names: tuple[str, str], lang: Lang, digits: int = 1) -> Column:
    low, high = names
    return Column(
        header=header,
        cell=lambda r: (
            MISSING
            if r[[low, high]].isna().any()
            else interval(float(r[low]), float(r[high]), digits, lang=lang)
        ),
    )


def rates(results: Results, *, dimensions: tuple[str, ...]) -> ReportTable:
    """Show crude and standardised rates of some breakdowns, with gamma intervals."""
    frame, lang = results.table("reach_rates"), results.lang
    labels = column_labels(results, "reach_rates")
    ci = "95%-BI" if lang == "nl" else "95% CI"
    columns = [
        Column(
            header=labels["level"],
            cell=lambda r: level_words(str(r["dimension"]), str(r["level"]), lang),
            numeric=False,
        ),
        count_column(labels["referrals"], "referrals", lang),
        number_column(labels["person_years"], "person_years", lang, 0),
        number_column(labels["crude"], "crude", lang, 1),
        _limits(f"{ci} ", ("crude_low", "crude_high"), lang),
    ]
    chosen = frame[frame["dimension"].isin(dimensions)]
    if chosen.loc[~chosen["suppressed"], "standardised"].notna().all():
        columns += [
            number_column(labels["standardised"], "standardised", lang, 1),
            _limits(ci, ("standardised_low", "standardised_high"), lang),
        ]
    return report_table(chosen, columns)


def equity(results: Results) -> ReportTable:
    """Show standardised rates by neighbourhood income, and their ratio to the highest quintile."""
    frame, lang = results.table("reach_rates"), results.lang
    labels = column_labels(results, "reach_rates")
    ci = "95%-BI" if lang == "nl" else "95% CI"
    columns = [
        _words(term("dimension_income", lang), "level", "income", lang),
        count_column(labels["referrals"], "referrals", lang),
        number_column(labels["standardised"], "standardised", lang, 1),
        _limits(ci, ("standardised_low", "standardised_high"), lang),
        number_column(labels["ratio"], "ratio", lang),
        _limits(f"{ci} ", ("ratio_low", "ratio_high"), lang, 2),
    ]
    return report_table(frame[frame["dimension"] == "income"], columns)


def quarters(results: Results) -> ReportTable:
    """Show the rate by quarter of all areas together, with the limits of chance."""
    frame, lang = results.table("reach_quarters"), results.lang
    labels = column_labels(results, "reach_quarters")
    columns = [
        Column(header=labels["quarter"], cell=lambda r: str(r["quarter"]), numeric=False),
        count_column(labels["referrals"], "referrals", lang),
        number_column(labels["person_years"], "person_years", lang, 0),
        number_column(labels["rate"], "rate", lang, 1),
        _limits("Grenzen" if lang == "nl" else "Limits", ("low", "high"), lang),
        Column(header=labels["outside"], cell=lambda r: term(str(r["outside"]), lang)),
    ]
    chosen = frame[frame["area"] == "all"]
    if (chosen["flag"] != "ok").any():
        columns.append(_words(labels["flag"], "flag", "flag", lang))
    return report_table(chosen, columns)


def signals(results: Results) -> ReportTable:
    """Show what the rules for signals find, by area."""
    lang, labels = results.lang, column_labels(results, "reach_signals")

    def limit(allowed: float) -> str:
        return number(float(allowed), lang=lang) if allowed else MISSING

    def of(found: str, allowed: str) -> Column:
        return Column(
            header=f"{labels[found]} ({labels[allowed].lower()})",
            cell=lambda r: f"{number(float(r[found]), lang=lang)} ({limit(r[allowed])})",
        )

    columns = [
        _words(labels["area"], "area", "area", lang),
        number_column(labels["centre"], "centre", lang, 1),
        count_column(labels["n_outside"], "n_outside", lang),
        of("longest_run", "longest_allowed"),
        of("crossings", "fewest_allowed"),
        Column(header=labels["shift"], cell=lambda r: term(f"shift_{r['shift']}", lang)),
    ]
    return report_table(results.table("reach_signals"), columns)


def practices(results: Results) -> ReportTable:
    """Show the practices outside the limits, by their drawn number; a cross where persons would be too few."""
    frame, lang = results.table("reach_funnel"), results.lang
    labels = column_labels(results, "reach_funnel")
    columns = [
        Column(header=labels["practice"], cell=lambda r: str(r["practice"]), numeric=False),
        count_column(labels["n_referred"], "n_referred", lang),
        number_column(labels["expected"], "expected", lang, 1),
        number_column(labels["ratio"], "ratio", lang),
        number_column(labels["z"], "z", lang, 1),
        Column(header=labels["position"], cell=lambda r: term(f"position_{r['position']}", lang)),
    ]
    return report_table(frame, columns)


def sources(results: Results, *, dimension: str) -> ReportTable:
    """Show referrals by referrer or by reason."""
    frame, lang = results.table("reach_sources"), results.lang
    labels = column_labels(results, "reach_sources")
    columns = [
        _words(labels["level"], "level", dimension, lang),
        count_column(labels["referrals"], "referrals", lang),
        _share(labels["share"], "share", lang),
    ]
    return report_table(frame[frame["dimension"] == dimension], columns)


def steps(results: Results) -> ReportTable:
    """Show how many referrals reach each step, and the days between."""
    lang, labels = results.lang, column_labels(results, "reach_steps")

    def days(row: pd.Series[Any]) -> str:
        if row[["days_p25", "days_median", "days_p75"]].isna().any():
            return MISSING
        low, high = float(row["days_p25"]), float(row["days_p75"])
        return f"{number(float(row['days_median']), lang=lang)} ({interval(low, high, lang=lang)})"

    middle = "Dagen: mediaan (middelste helft)" if lang == "nl" else "Days: median (middle half)"
    columns = [
        _words(labels["age_band"], "age_band", "age", lang),
        _words(labels["step"], "step", "step", lang),
        count_column(labels["n_reached"], "n_reached", lang),
        _share(labels["share"], "share", lang),
        Column(header=middle, cell=days),
    ]
    return report_table(results.table("reach_steps"), columns)


def departures(results: Results) -> ReportTable:
    """Show the referrals that were not completed, by where they stopped and why."""
    lang, labels = results.lang, column_labels(results, "reach_departures")
    columns = [
        _words(labels["stage"], "stage", "stage", lang),
        _words(labels["outcome"], "outcome", "outcome", lang),
        count_column(labels["n_referrals"], "n_referrals", lang),
        _share(labels["share"], "share", lang),
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
