"""Tables of an economic evaluation: trajectory, costs and effects, payers, budget, sensitivity, CHEERS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from wor_eval.errors import WorEvalError
from wor_eval.language import MISSING, number, percent
from wor_eval.report.checklist import checklist
from wor_eval.report.cheers import ITEMS
from wor_eval.report.columns import Column, ReportTable, columns_of, report_table
from wor_eval.report.results import Results
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
    column = columns_of(results, "completeness")
    counts = [column.count(name) for name in ("n_matched", "n_cost", "n_effect", "n_both")]
    columns = [
        column.text("arm"),
        column.text("age_band"),
        *counts,
    ]
    return report_table(results.table("completeness"), columns)


def incremental(results: Results, *, method: str | None = None) -> ReportTable:
    """Show incremental cost and effect of the main perspective, by age band; of all methods, or of one."""
    frame = results.table("incremental")
    frame = frame[frame["perspective"] == plan(results).perspective]
    column = columns_of(results, "incremental")
    columns = [
        column.text("age_band"),
        Column(header=column.labels["quantity"], cell=lambda r: _quantity(r, results), numeric=False),
        column.number("estimate", _digits),
        column.interval(_digits),
    ]
    if method is not None:
        sizes = [column.count(name) for name in ("n_referred", "n_comparison")]
        return report_table(frame[frame["method"] == method], [*columns, *sizes])
    return report_table(frame, [column.text("method", prefix="missing_"), *columns])


def _digits(row: pd.Series[Any]) -> int:
    return 3 if row["quantity"] == "effect" else 0


def _quantity(row: pd.Series[Any], results: Results) -> str:
    if row["quantity"] != "effect":
        return term(f"quantity_{row['quantity']}", results.lang)
    return plan(results).effect.unit.in_(results.lang)


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
    column = columns_of(results, "incremental")
    columns = [
        Column(header=column.labels["perspective"], cell=lambda r: _perspective(r, lang), numeric=False),
        column.text("age_band"),
        column.number("estimate", 0, header="Kosten (€)" if nl else "Cost (€)"),
        column.interval(0),
        column.number("estimate_nb", 0, header="Nettobaat (€)" if nl else "Net benefit (€)"),
        column.interval(0, of=("conf_low_nb", "conf_high_nb")),
    ]
    return report_table(frame, columns)


def _perspective(row: pd.Series[Any], lang: Lang) -> str:
    """Name a perspective, with a star where nobody in it pays the trajectory."""
    star = "" if str(row["trajectory_counted"]) == "True" else " *"
    return f"{term('perspective_' + row['perspective'], lang)}{star}"


def net_benefit(results: Results) -> ReportTable:
    """Show net benefit and the probability that referral is the best choice, at the thresholds of the plan."""
    lang, column = results.lang, columns_of(results, "acceptability")
    values = plan(results).thresholds.values
    benefit, chance = results.table("net_benefit"), results.table("acceptability")
    benefit = benefit[
        benefit["threshold"].isin(values) & (benefit["perspective"] == plan(results).perspective)
    ]
    frame = benefit.merge(chance, on=["age_band", "threshold"], suffixes=("", "_curve"))
    columns = [
        column.text("age_band"),
        column.number("threshold", 0),
        column.number("estimate", 0, header="Nettobaat (€)" if lang == "nl" else "Net benefit (€)"),
        column.interval(0),
        column.percent("probability"),
    ]
    return report_table(frame, columns)


def quadrants(results: Results) -> ReportTable:
    """Show which share of the draws lies in each quadrant, by age band."""
    column = columns_of(results, "quadrants")
    columns = [
        column.text("age_band"),
        column.text("quadrant", prefix="quadrant_"),
        column.percent("share"),
    ]
    return report_table(results.table("quadrants"), columns)


def payers(results: Results, *, per: Literal["person", "thousand"]) -> ReportTable:
    """Show what each payer pays more or less, by age band: care, the trajectory, and both; in all per thousand."""
    frame, lang, nl = results.table("payer_balance"), results.lang, results.lang == "nl"
    frame, keys = frame[frame["per"] == per], ["payer", "age_band"]
    net = frame[frame["part"] == "net"]
    for part in ("care", "trajectory"):
        net = net.merge(frame[frame["part"] == part][[*keys, "estimate"]], on=keys, suffixes=("", f"_{part}"))
    column = columns_of(results, "payer_balance")
    parts = [
        column.number(f"estimate_{part}", 0, header=f"{term(f'part_{part}', lang)} (€)")
        for part in ("care", "trajectory")
    ]
    columns = [
        column.text("payer", prefix="payer_"),
        column.text("age_band"),
        *(parts if per == "person" else ()),
        column.number("estimate", 0, header="Per saldo (€)" if nl else "On balance (€)"),
        column.interval(0),
    ]
    return report_table(net, columns)


def scores(results: Results, *, outcome: str) -> ReportTable:
    """Show the effect on a score in its own unit, by the contrast that the plan names for it."""
    planned = [effect.contrast for effect in results.study.effects if outcome in effect.outcomes]
    frame = results.table("effects")
    frame = frame[(frame["outcome"] == outcome) & frame["contrast"].isin(planned)]
    column = columns_of(results, "effects")
    columns = [
        column.text("contrast"),
        column.text("age_band"),
        column.number("estimate"),
        column.interval(),
        column.count("n_referred"),
    ]
    return report_table(frame.assign(contrast="contrast_" + frame["contrast"]), columns)


def budget(results: Results) -> ReportTable:
    """Show what each uptake scenario costs or spares each payer, all years together and all ages."""
    frame = results.table("budget_impact")
    frame = frame[(frame["year"] == 0) & (frame["age_band"] == "all")]
    column, names = columns_of(results, "budget_impact"), scenario_names(results)
    columns = [
        Column(header=column.labels["scenario"], cell=lambda r: names[r["scenario"]], numeric=False),
        column.count("extra_referred"),
        column.text("payer", prefix="payer_"),
        column.number("estimate", 0, header=f"{column.labels['estimate']} (€)"),
        column.interval(0),
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
    lang, column = results.lang, columns_of(results, "one_way")
    ends = [
        Column(header=column.labels[name], cell=lambda r, name=name: _end(r[name], r["input"], lang))  # type: ignore[misc]
        for name in ("low", "high")
    ]
    columns = [
        column.text("input", prefix="input_"),
        *ends,
        column.number("at_low", 0),
        column.number("at_high", 0),
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
    column, names = columns_of(results, "input_scenarios"), scenario_names(results)
    columns = [
        Column(header=column.labels["scenario"], cell=lambda r: names[r["scenario"]], numeric=False),
        column.number("net_benefit", 0),
    ]
    return report_table(results.table("input_scenarios"), columns)


def break_even(results: Results, *, quantity: str = "per_trajectory") -> ReportTable:
    """Show the highest price of a trajectory at which it is worth its money, by threshold."""
    frame, lang = results.table("break_even"), results.lang
    column = columns_of(results, "break_even")
    columns = [
        column.text("age_band"),
        column.number("threshold", 0),
        column.number("estimate", 0, header=term(f"quantity_{quantity}", lang)),
        column.interval(0),
    ]
    return report_table(frame[frame["quantity"] == quantity], columns)


def subgroups(results: Results) -> ReportTable:
    """Show what one choice for all ages would lose, by threshold and age band."""
    lang, column = results.lang, columns_of(results, "subgroup_value")
    columns = [
        column.number("threshold", 0),
        column.text("age_band"),
        column.text("best_for_all", prefix="choice_"),
        column.text("best_for_band", prefix="choice_"),
        column.number("lost", 0, header="Verlies (€)" if lang == "nl" else "Lost (€)"),
    ]
    return report_table(results.table("subgroup_value"), columns)


def band_differences(results: Results) -> ReportTable:
    """Show how cost, effect and net benefit of referral differ between age bands, with intervals."""
    frame = results.table("band_difference")
    column = columns_of(results, "band_difference")
    columns = [
        column.text("first"),
        column.text("second"),
        Column(header=column.labels["quantity"], cell=lambda r: _quantity(r, results), numeric=False),
        column.number("threshold", 0),
        column.number("estimate", _digits),
        column.interval(_digits),
    ]
    return report_table(frame, columns)


def information(results: Results) -> ReportTable:
    """Show what more research is worth, per person and for everybody who is eligible, all ages."""
    frame = results.table("information")
    column = columns_of(results, "information")
    columns = [
        column.text("about", prefix="about_"),
        column.number("threshold", 0),
        column.number("per_person", 0),
        column.number("population", 0),
    ]
    return report_table(frame[frame["age_band"] == "all"], columns)


def cheers(results: Results) -> ReportTable:
    """Show each item of CHEERS 2022 with where it is answered, or that it is not."""
    return checklist(ITEMS, results.lang)
