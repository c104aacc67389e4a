"""Tables of an economic evaluation: trajectory, costs and effects, payers, budget, sensitivity, CHEERS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from wor_eval.errors import WorEvalError
from wor_eval.language import MISSING, interval, number, percent
from wor_eval.report.cheers import ITEMS
from wor_eval.report.results import Results
from wor_eval.report.tables import (
    Column,
    ReportTable,
    column_labels,
    count_column,
    interval_column,
    number_column,
    report_table,
    text_column,
)
from wor_eval.report.terms import term
from wor_eval.study import Economics, Lang

if TYPE_CHECKING:
    import pandas as pd


def plan(results: Results) -> Economics:
    """Give the economic part of the plan.

    Raises
    ------
    WorEvalError
        These results are of a study without one.
    """
    if results.study.economics is None:
        raise WorEvalError(f"results {results.study.name} are of a plan without [economics]")
    return results.study.economics


def trajectory(results: Results) -> ReportTable:
    """Show the inputs of the plan: value, range and source of each."""
    lang, nl = results.lang, results.lang == "nl"
    rows = [
        (
            term(f"input_{name}", lang),
            _plain(given.value, lang),
            MISSING if given.low is None else f"{_plain(given.low, lang)} – {_plain(given.high or 0, lang)}",
            given.source.in_(lang),
        )
        for name, given in plan(results).trajectory.inputs().items()
    ]
    headers = ("Invoer", "Waarde", "Bereik", "Bron") if nl else ("Input", "Value", "Range", "Source")
    return ReportTable(headers=headers, rows=tuple(rows), align=("left", "right", "right", "left"))


def _plain(value: float, lang: Lang) -> str:
    """Write a number with the decimals it has, two at most."""
    digits = 0 if float(value).is_integer() else 1 if float(10 * value).is_integer() else 2
    return number(value, digits, lang=lang)


def eligible(results: Results) -> ReportTable:
    """Show who might be referred: persons a year, and the share referred in each scenario."""
    budget, lang, nl = plan(results).budget, results.lang, results.lang == "nl"
    scenarios = [(("Zoals nu", "As now")[not nl], budget.current)]
    scenarios += [(scenario.label.in_(lang), scenario) for scenario in budget.scenarios]
    rows = [
        (
            name,
            term(band, lang),
            number(budget.eligible[band].value, lang=lang),
            percent(uptake.first[band], lang=lang),
            percent(uptake.last[band], lang=lang),
        )
        for name, uptake in scenarios
        for band in results.study.cohort.band_names
    ]
    headers = (
        ("Scenario", "Leeftijd", "In aanmerking per jaar", "Verwezen, eerste jaar", "Verwezen, laatste jaar")
        if nl
        else ("Scenario", "Age", "Eligible a year", "Referred, first year", "Referred, last year")
    )
    return ReportTable(headers=headers, rows=tuple(rows), align=("left", "left", "right", "right", "right"))


def completeness(results: Results) -> ReportTable:
    """Show of how many matched persons costs and effect are known."""
    lang, labels = results.lang, column_labels(results, "completeness")
    counts = [
        count_column(labels[name], name, lang) for name in ("n_matched", "n_cost", "n_effect", "n_both")
    ]
    columns = [
        text_column(labels["arm"], "arm", lang),
        text_column(labels["age_band"], "age_band", lang),
        *counts,
    ]
    return report_table(results.table("completeness"), columns)


def incremental(results: Results, *, method: str | None = None) -> ReportTable:
    """Show incremental cost and effect of the main perspective, by age band; of all methods, or of one."""
    frame, lang = results.table("incremental"), results.lang
    frame = frame[frame["perspective"] == plan(results).perspective]
    labels = column_labels(results, "incremental")
    columns = [
        text_column(labels["age_band"], "age_band", lang),
        Column(header=labels["quantity"], cell=lambda r: _quantity(r, results), numeric=False),
        Column(header=labels["estimate"], cell=lambda r: number(r["estimate"], _digits(r), lang=lang)),
        Column(
            header="95%-BI" if lang == "nl" else "95% CI",
            cell=lambda r: interval(r["conf_low"], r["conf_high"], _digits(r), lang=lang),
        ),
    ]
    if method is not None:
        sizes = [count_column(labels[name], name, lang) for name in ("n_referred", "n_comparison")]
        return report_table(frame[frame["method"] == method], [*columns, *sizes])
    return report_table(frame, [_prefixed(labels["method"], "missing_", "method", lang), *columns])


def _digits(row: pd.Series[Any]) -> int:
    return 3 if row["quantity"] == "effect" else 0


def _quantity(row: pd.Series[Any], results: Results) -> str:
    if row["quantity"] != "effect":
        return term(f"quantity_{row['quantity']}", results.lang)
    return plan(results).effect.unit.in_(results.lang)


def _prefixed(header: str, prefix: str, column: str, lang: Lang) -> Column:
    return Column(header=header, cell=lambda r: term(f"{prefix}{r[column]}", lang), numeric=False)


def perspectives(results: Results) -> ReportTable:
    """Show cost and net benefit at the main threshold from each perspective, by age band."""
    lang, nl = results.lang, results.lang == "nl"
    costs = results.table("incremental")
    main = next(iter(costs["method"]))
    costs = costs[(costs["quantity"] == "cost") & (costs["method"] == main)]
    benefit = results.table("net_benefit")
    benefit = benefit[benefit["threshold"] == plan(results).thresholds.main]
    keys = ["perspective", "age_band"]
    frame = costs.merge(benefit, on=keys, suffixes=("", "_nb"))
    ci = "95%-BI" if nl else "95% CI"
    labels = column_labels(results, "incremental")
    columns = [
        Column(header=labels["perspective"], cell=lambda r: _perspective(r, lang), numeric=False),
        text_column(labels["age_band"], "age_band", lang),
        number_column("Kosten (€)" if nl else "Cost (€)", "estimate", lang, 0),
        interval_column(lang, 0),
        number_column("Nettobaat (€)" if nl else "Net benefit (€)", "estimate_nb", lang, 0),
        Column(header=ci, cell=lambda r: interval(r["conf_low_nb"], r["conf_high_nb"], 0, lang=lang)),
    ]
    return report_table(frame, columns)


def _perspective(row: pd.Series[Any], lang: Lang) -> str:
    """Name a perspective, with a star where nobody in it pays the trajectory."""
    star = "" if str(row["trajectory_counted"]) == "True" else " *"
    return f"{term('perspective_' + row['perspective'], lang)}{star}"


def net_benefit(results: Results) -> ReportTable:
    """Show net benefit and the probability that referral is the best choice, at the thresholds of the plan."""
    lang, labels = results.lang, column_labels(results, "acceptability")
    values = plan(results).thresholds.values
    benefit, chance = results.table("net_benefit"), results.table("acceptability")
    benefit = benefit[
        benefit["threshold"].isin(values) & (benefit["perspective"] == plan(results).perspective)
    ]
    frame = benefit.merge(chance, on=["age_band", "threshold"], suffixes=("", "_curve"))
    columns = [
        text_column(labels["age_band"], "age_band", lang),
        number_column(labels["threshold"], "threshold", lang, 0),
        number_column("Nettobaat (€)" if lang == "nl" else "Net benefit (€)", "estimate", lang, 0),
        interval_column(lang, 0),
        Column(header=labels["probability"], cell=lambda r: percent(r["probability"], lang=lang)),
    ]
    return report_table(frame, columns)


def quadrants(results: Results) -> ReportTable:
    """Show which share of the draws lies in each quadrant, by age band."""
    lang, labels = results.lang, column_labels(results, "quadrants")
    columns = [
        text_column(labels["age_band"], "age_band", lang),
        _prefixed(labels["quadrant"], "quadrant_", "quadrant", lang),
        Column(header=labels["share"], cell=lambda r: percent(r["share"], lang=lang)),
    ]
    return report_table(results.table("quadrants"), columns)


def payers(results: Results, *, per: Literal["person", "thousand"]) -> ReportTable:
    """Show what each payer pays more or less, by age band: care, the trajectory, and both; in all per thousand."""
    frame, lang, nl = results.table("payer_balance"), results.lang, results.lang == "nl"
    frame, keys = frame[frame["per"] == per], ["payer", "age_band"]
    net = frame[frame["part"] == "net"]
    for part in ("care", "trajectory"):
        net = net.merge(frame[frame["part"] == part][[*keys, "estimate"]], on=keys, suffixes=("", f"_{part}"))
    labels = column_labels(results, "payer_balance")
    parts = [
        number_column(f"{term(f'part_{part}', lang)} (€)", f"estimate_{part}", lang, 0)
        for part in ("care", "trajectory")
    ]
    columns = [
        _prefixed(labels["payer"], "payer_", "payer", lang),
        text_column(labels["age_band"], "age_band", lang),
        *(parts if per == "person" else ()),
        number_column("Per saldo (€)" if nl else "On balance (€)", "estimate", lang, 0),
        interval_column(lang, 0),
    ]
    return report_table(net, columns)


def scores(results: Results, *, outcome: str) -> ReportTable:
    """Show the effect on a score in its own unit, by the contrast that the plan names for it."""
    planned = [effect.contrast for effect in results.study.effects if outcome in effect.outcomes]
    frame, lang = results.table("effects"), results.lang
    frame = frame[(frame["outcome"] == outcome) & frame["contrast"].isin(planned)]
    labels = column_labels(results, "effects")
    columns = [
        text_column(labels["contrast"], "contrast", lang),
        text_column(labels["age_band"], "age_band", lang),
        number_column(labels["estimate"], "estimate", lang),
        interval_column(lang),
        count_column(labels["n_referred"], "n_referred", lang),
    ]
    return report_table(frame.assign(contrast="contrast_" + frame["contrast"]), columns)


def budget(results: Results) -> ReportTable:
    """Show what each uptake scenario costs or spares each payer, all years together and all ages."""
    frame, lang = results.table("budget_impact"), results.lang
    frame = frame[(frame["year"] == 0) & (frame["age_band"] == "all")]
    labels, names = column_labels(results, "budget_impact"), scenario_names(results)
    columns = [
        Column(header=labels["scenario"], cell=lambda r: names[r["scenario"]], numeric=False),
        count_column(labels["extra_referred"], "extra_referred", lang),
        _prefixed(labels["payer"], "payer_", "payer", lang),
        number_column(f"{labels['estimate']} (€)", "estimate", lang, 0),
        interval_column(lang, 0),
    ]
    return report_table(frame, columns)


def scenario_names(results: Results) -> dict[str, str]:
    """Give the names of the scenarios of the plan, of uptake and of inputs."""
    economics, lang = plan(results), results.lang
    uptakes = {item.name: item.label.in_(lang) for item in economics.budget.scenarios}
    inputs = {item.name: item.label.in_(lang) for item in economics.scenarios}
    return {"base": term("scenario_base", lang), **uptakes, **inputs}


def one_way(results: Results) -> ReportTable:
    """Show the net benefit with one input at a time at the ends of its range."""
    lang, labels = results.lang, column_labels(results, "one_way")
    ends = [
        Column(header=labels[name], cell=lambda r, name=name: _end(r[name], r["input"], lang))  # type: ignore[misc]
        for name in ("low", "high")
    ]
    columns = [
        _prefixed(labels["input"], "input_", "input", lang),
        *ends,
        number_column(labels["at_low"], "at_low", lang, 0),
        number_column(labels["at_high"], "at_high", lang, 0),
    ]
    return report_table(results.table("one_way"), columns)


def _end(value: float, name: str, lang: Lang) -> str:
    if name == "effect":
        return number(value, 3, lang=lang)
    return number(value, lang=lang) if name == "care" else _plain(value, lang)


def two_way(results: Results) -> ReportTable:
    """Show the net benefit over two inputs: one down, the other across."""
    frame, lang = results.table("two_way"), results.lang
    first, second = (str(frame[name].iloc[0]) for name in ("first", "second"))
    wide = frame.pivot(index="first_value", columns="second_value", values="net_benefit")
    across = [f"{term(f'input_{second}', lang)}: {_plain(value, lang)}" for value in wide.columns]
    rows = [
        (_plain(value, lang), *(number(cell, lang=lang) for cell in cells))
        for value, cells in zip(wide.index, wide.to_numpy(), strict=True)
    ]
    return ReportTable(
        headers=(term(f"input_{first}", lang), *across),
        rows=tuple(rows),
        align=tuple("right" for _ in range(len(across) + 1)),
    )


def input_scenarios(results: Results) -> ReportTable:
    """Show the net benefit in each scenario of the inputs."""
    lang, labels, names = results.lang, column_labels(results, "input_scenarios"), scenario_names(results)
    columns = [
        Column(header=labels["scenario"], cell=lambda r: names[r["scenario"]], numeric=False),
        number_column(labels["net_benefit"], "net_benefit", lang, 0),
    ]
    return report_table(results.table("input_scenarios"), columns)


def break_even(results: Results, *, quantity: str = "per_trajectory") -> ReportTable:
    """Show the highest price of a trajectory at which it is worth its money, by threshold."""
    frame, lang = results.table("break_even"), results.lang
    labels = column_labels(results, "break_even")
    columns = [
        text_column(labels["age_band"], "age_band", lang),
        number_column(labels["threshold"], "threshold", lang, 0),
        number_column(term(f"quantity_{quantity}", lang), "estimate", lang, 0),
        interval_column(lang, 0),
    ]
    return report_table(frame[frame["quantity"] == quantity], columns)


def subgroups(results: Results) -> ReportTable:
    """Show what one choice for all ages would lose, by threshold and age band."""
    lang, labels = results.lang, column_labels(results, "subgroup_value")
    columns = [
        number_column(labels["threshold"], "threshold", lang, 0),
        text_column(labels["age_band"], "age_band", lang),
        _prefixed(labels["best_for_all"], "choice_", "best_for_all", lang),
        _prefixed(labels["best_for_band"], "choice_", "best_for_band", lang),
        number_column("Verlies (€)" if lang == "nl" else "Lost (€)", "lost", lang, 0),
    ]
    return report_table(results.table("subgroup_value"), columns)


def band_differences(results: Results) -> ReportTable:
    """Show how cost, effect and net benefit of referral differ between age bands, with intervals."""
    frame, lang = results.table("band_difference"), results.lang
    labels = column_labels(results, "band_difference")
    ci = "95%-BI" if lang == "nl" else "95% CI"
    columns = [
        text_column(labels["first"], "first", lang),
        text_column(labels["second"], "second", lang),
        Column(header=labels["quantity"], cell=lambda r: _quantity(r, results), numeric=False),
        number_column(labels["threshold"], "threshold", lang, 0),
        Column(header=labels["estimate"], cell=lambda r: number(r["estimate"], _digits(r), lang=lang)),
        Column(header=ci, cell=lambda r: interval(r["conf_low"], r["conf_high"], _digits(r), lang=lang)),
    ]
    return report_table(frame, columns)


def information(results: Results) -> ReportTable:
    """Show what more research is worth, per person and for everybody who is eligible, all ages."""
    frame, lang = results.table("information"), results.lang
    labels = column_labels(results, "information")
    columns = [
        _prefixed(labels["about"], "about_", "about", lang),
        number_column(labels["threshold"], "threshold", lang, 0),
        number_column(labels["per_person"], "per_person", lang, 0),
        number_column(labels["population"], "population", lang, 0),
    ]
    return report_table(frame[frame["age_band"] == "all"], columns)


def cheers(results: Results) -> ReportTable:
    """Show each item of CHEERS 2022 with where it is answered, or that it is not."""
    nl = results.lang == "nl"
    rows = [(str(item.number), item.name.in_(results.lang), item.where.in_(results.lang)) for item in ITEMS]
    headers = ("Nr.", "Onderwerp", "Waar") if nl else ("No.", "Item", "Where")
    return ReportTable(headers=headers, rows=tuple(rows), align=("right", "left", "left"))
