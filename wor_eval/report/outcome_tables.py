"""Tables of the other outcomes: costs, scores, missing answers, times to an event, in either design."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wor_eval.data.dictionary import read_dictionary
from wor_eval.language import INTERVAL, interval, number
from wor_eval.report.absent import table_or_sentence
from wor_eval.report.columns import HIDDEN, Column, ReportTable, columns_of, report_table, written
from wor_eval.report.results import Results
from wor_eval.report.tables import concentration_columns
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd

# Decimals by scale of an estimate: euros are whole.
_DIGITS = {"difference": 0, "ratio": 2, "power": 2, "coefficient": 2}
_CHECKS = ("park", "link")


@table_or_sentence
def cost_effects(results: Results) -> ReportTable:
    """Show the effect on costs by age and method, in euros per person-year or as a ratio."""
    frame = results.table("cost_effects")
    return _costs(frame[~frame["method"].isin(_CHECKS)], results)


@table_or_sentence
def cost_checks(results: Results) -> ReportTable:
    """Show the checks of the gamma model by age: the power of the variance, and the test of the link."""
    frame = results.table("cost_effects")
    return _costs(frame[frame["method"].isin(_CHECKS)], results)


def _costs(frame: pd.DataFrame, results: Results) -> ReportTable:
    lang, column = results.lang, columns_of(results, "cost_effects")

    def digits(row: pd.Series[Any]) -> int:
        return _DIGITS[str(row["scale"])]

    columns = [
        column.text("age_band"),
        Column(header=column.labels["method"], cell=lambda r: _method(r, lang), numeric=False),
        column.number("estimate", digits),
        column.interval(digits),
        column.p_value(),
        _persons(results, "cost_effects"),
    ]
    return by_outcome(results, frame, columns)


def by_outcome(
    results: Results,
    frame: pd.DataFrame,
    columns: list[Column],
    *,
    named: Callable[[Results, str], str] | None = None,
) -> ReportTable:
    """Fill a table; where it is about several outcomes, a row with the name of each stands above its rows."""
    name = named or outcome_label
    if frame["outcome"].nunique() < 2:
        return report_table(frame, columns)
    rows: list[tuple[str, ...]] = []
    for outcome, part in frame.groupby("outcome", sort=False):
        rows.append((f"**{name(results, str(outcome))}**", *[""] * (len(columns) - 1)))
        rows += report_table(part, columns).rows
    return replace(report_table(frame, columns), rows=tuple(rows))


def outcome_label(results: Results, outcome: str) -> str:
    """Write an outcome as the plan does."""
    return results.study.outcome(outcome).label.in_(results.lang)


def _paid(results: Results, outcome: str) -> str:
    """Name the costs of which a table shows the parts: claims are those of every payer, whatever the outcome counts."""
    if results.study.outcome(outcome).table != "costs":
        return outcome_label(results, outcome)
    return "Gedeclareerde kosten" if results.lang == "nl" else "Claims"


def _two_arms(results: Results, table: str) -> bool:
    return results.study.design is not None and bool(
        (results.table(table)["n_comparison"].fillna(1) > 0).any()
    )


def _persons(results: Results, table: str) -> Column:
    """Make one column of the persons of each arm: two columns make the table too wide for a page."""
    lang, column = results.lang, columns_of(results, table)
    if not _two_arms(results, table):
        return column.count("n_referred")
    arms = ("n_referred", "n_comparison")
    return Column(
        header=" / ".join(column.labels[arm] for arm in arms),
        cell=lambda r: " / ".join(number(float(r[arm]), lang=lang) for arm in arms),
    )


def _interval(row: pd.Series[Any], digits: int, lang: Lang) -> str:
    low, high = row["conf_low"], row["conf_high"]
    return "–" if row[["conf_low", "conf_high"]].isna().any() else interval(low, high, digits, lang=lang)


def _method(row: pd.Series[Any], lang: Lang) -> str:
    """Write a method with its scale: the two-part model gives both a ratio and a difference."""
    name = term(f"cost_{row['method']}", lang)
    scale = {"ratio": ("verhouding", "ratio"), "difference": ("euro", "euros")}.get(str(row["scale"]))
    return f"{name}, {scale[0 if lang == 'nl' else 1]}" if scale else name


@table_or_sentence
def cost_parts(results: Results, *, age_band: str = "all") -> ReportTable:
    """Show mean costs per person-year by payer and category, before and after, by arm, and the difference."""
    import pandas as pd

    frame, effects, lang = results.table("cost_parts"), results.table("cost_part_effects"), results.lang
    frame, effects = (table[table["age_band"] == age_band] for table in (frame, effects))
    arms = [arm for arm in ("referred", "comparison") if (frame["arm"] == arm).any()]
    found = {(r["outcome"], r["payer"], r["category"]): r for _, r in effects.iterrows()}
    rows, several = [], frame["outcome"].nunique() > 1
    for (outcome, payer, category), part in frame.groupby(["outcome", "payer", "category"], sort=False):
        cells = {f"{r['arm']}_{r['window']}": _euros(r, lang) for _, r in part.iterrows()}
        effect = found.get((outcome, payer, category))
        name = _part_name(str(payer), str(category), lang)
        name = f"{_paid(results, str(outcome))}: {name}" if several else name
        rows.append({"name": name, "suppressed": False, **cells, **_gap(effect, lang)})
    columns = [written(columns_of(results, "cost_parts").labels["payer"], "name", numeric=False)]
    for arm in arms:
        for window in dict.fromkeys(frame["window"]):
            said = term(window, lang).split(" (")[0]
            header = f"{term(arm, lang)}, {said.lower()}" if len(arms) > 1 else said
            columns.append(written(header, f"{arm}_{window}"))
    columns.append(written("Verschil" if lang == "nl" else "Difference", "gap"))
    columns.append(written(INTERVAL[lang], "limits"))
    return report_table(pd.DataFrame(rows), columns)


def _gap(effect: pd.Series[Any] | None, lang: Lang) -> dict[str, str]:
    """Write the difference of a payer or category with its interval."""
    if effect is None:
        return {"gap": "–", "limits": "–"}
    if effect["suppressed"]:
        return {"gap": HIDDEN, "limits": HIDDEN}
    return {"gap": number(effect["estimate"], 0, lang=lang), "limits": _interval(effect, 0, lang)}


@table_or_sentence
def cost_by_payer(results: Results) -> ReportTable:
    """Show the difference in costs of each payer by age, in euros per person-year."""
    lang, column = results.lang, columns_of(results, "cost_part_effects")
    frame = results.table("cost_part_effects")
    frame = frame[frame["category"] == "all"]
    columns = [
        Column(
            header=column.labels["payer"], cell=lambda r: _part_name(r["payer"], "all", lang), numeric=False
        ),
        column.text("age_band"),
        column.number("estimate", 0),
        column.interval(0),
        _persons(results, "cost_part_effects"),
    ]
    return by_outcome(results, frame, columns, named=_paid)


def _euros(row: pd.Series[Any], lang: Lang) -> str:
    return HIDDEN if row["suppressed"] else number(row["mean"], 0, lang=lang)


def _part_name(payer: str, category: str, lang: Lang) -> str:
    """Write a payer, or one of its categories, as the data dictionary does."""
    dictionary = read_dictionary()
    if category == "all":
        return f"**{dictionary.code_label('costs', 'payer', payer, lang=lang)}**"
    return dictionary.code_label("costs", "category", category, lang=lang)


@table_or_sentence
def cost_concentration(results: Results) -> ReportTable:
    """Show what share of the change in costs the most extreme persons carry, and the change without them."""
    columns = concentration_columns(results, "cost_concentration", digits=0)
    return by_outcome(results, results.table("cost_concentration"), columns)


@table_or_sentence
def score_change(results: Results) -> ReportTable:
    """Show scores before and after of the referred who answered twice, by age: a row per measure."""
    import pandas as pd

    whole, lang = results.table("score_change"), results.lang
    labels = columns_of(results, "score_change").labels
    bands = list(dict.fromkeys(whole["age_band"]))
    several, rows = whole["outcome"].nunique() > 1, []
    for outcome, frame in whole.groupby("outcome", sort=False):
        prefix = f"{outcome_label(results, str(outcome))}: " if several else ""
        persons = frame.drop_duplicates("age_band").set_index("age_band")
        counts = {
            str(b): HIDDEN if r["suppressed"] else _count(r["n_persons"], lang) for b, r in persons.iterrows()
        }
        label = prefix + labels["n_persons"]
        rows.append({"name": label, "suppressed": False, **counts})
        for measure, part in frame.groupby("measure", sort=False):
            cells = {str(r["age_band"]): _measured(r, lang) for _, r in part.iterrows()}
            rows.append({"name": prefix + term(f"score_{measure}", lang), "suppressed": False, **cells})
    columns = [
        written(labels["measure"], "name", numeric=False),
        *(written(term(band, lang), band) for band in bands),
    ]
    return report_table(pd.DataFrame(rows), columns)


def _count(value: Any, lang: Lang) -> str:
    return number(float(value), lang=lang)


def _measured(row: pd.Series[Any], lang: Lang) -> str:
    """Write one measure: shares as percentages, points with a decimal, with the interval where it has one."""
    if row["suppressed"]:
        return HIDDEN
    share = str(row["measure"]).startswith(("improved", "worsened", "floor", "ceiling"))
    digits = 0 if share else 2 if row["measure"] == "response_mean" else 1
    times = 100 if share else 1
    said = number(times * row["estimate"], digits, lang=lang) + ("%" if share else "")
    if row[["conf_low", "conf_high"]].isna().any():
        return said
    return f"{said} ({interval(times * row['conf_low'], times * row['conf_high'], digits, lang=lang)})"


@table_or_sentence
def score_effects(results: Results) -> ReportTable:
    """Show the effect on a score by age and method; imputation with how many times."""
    lang, column = results.lang, columns_of(results, "score_effects")
    frame, two = results.table("score_effects"), _two_arms(results, "score_effects")
    columns = [
        column.text("age_band"),
        Column(header=column.labels["method"], cell=lambda r: _score_method(r, lang, two=two), numeric=False),
        column.number("estimate"),
        column.interval(),
        column.p_value(),
        _persons(results, "score_effects"),
    ]
    return by_outcome(results, frame, columns)


def _score_method(row: pd.Series[Any], lang: Lang, *, two: bool) -> str:
    name = term(f"{'matched' if two else 'paired'}_{row['method']}", lang)
    if row[["n_imputations"]].isna().any():
        return name
    times = number(float(row["n_imputations"]), lang=lang)
    return f"{name}, {times} keer" if lang == "nl" else f"{name}, {times} times"


@table_or_sentence
def score_missing(results: Results) -> ReportTable:
    """Show how many answers are missing, by arm, age and wave."""
    column = columns_of(results, "score_missing")
    columns = [
        column.text("arm"),
        column.text("age_band"),
        column.text("wave", prefix="wave_"),
        column.count("n_asked"),
        column.count("n_missing"),
        column.percent("share_missing"),
    ]
    return by_outcome(results, results.table("score_missing"), columns)


@table_or_sentence
def score_nonresponse(results: Results) -> ReportTable:
    """Show who does not answer: odds ratios of a missing answer."""
    column = columns_of(results, "score_nonresponse")
    columns = [
        column.text("term", prefix="known_"),
        column.number("estimate", header="Odds ratio"),
        column.interval(),
        column.p_value(),
    ]
    return by_outcome(results, results.table("score_nonresponse"), columns)


@table_or_sentence
def score_tipping(results: Results) -> ReportTable:
    """Show the effect when imputed answers of the referred are made worse, step by step."""
    column = columns_of(results, "score_tipping")
    columns = [
        column.number("delta", 1),
        column.number("estimate"),
        column.interval(),
        column.percent("share_cut"),
    ]
    frame = results.table("score_tipping")
    frame = frame.assign(size=frame["delta"].abs()).sort_values(["outcome", "size"], kind="stable")
    return by_outcome(results, frame, columns)


@table_or_sentence
def event_effects(results: Results, *, age_band: str = "all") -> ReportTable:
    """Show the mean days without each event, their difference, and the hazard ratio with its check."""
    frame, lang = results.table("event_effects"), results.lang
    frame = frame[frame["age_band"] == age_band]
    column = columns_of(results, "event_effects")

    def digits(row: pd.Series[Any]) -> int:
        return 2 if row["measure"] == "hazard_ratio" else 0

    columns = [
        column.text("event", prefix="event_"),
        column.text("measure", prefix="event_"),
        column.number("estimate", digits),
        column.interval(digits),
        column.p_value(),
        Column(
            header="Gebeurtenissen" if lang == "nl" else "Events",
            cell=lambda r: number(float(r["n_events_referred"] + r["n_events_comparison"]), lang=lang),
        ),
    ]
    return report_table(frame, columns)


@table_or_sentence
def event_curves(results: Results, *, age_band: str = "all") -> ReportTable:
    """Show after each year who was still at risk, and the share with each event by both estimators."""
    frame, lang = results.table("event_curves"), results.lang
    yearly = (frame["quarter"] % 4 == 0) & (frame["quarter"] > 0)
    frame = frame[(frame["age_band"] == age_band) & yearly]
    keys = ["event", "arm", "quarter"]
    alone = frame[frame["method"] == "kaplan_meier"][[*keys, "estimate"]].rename(
        columns={"estimate": "alone"}
    )
    frame = frame[frame["method"] == "cumulative_incidence"].merge(alone, on=keys, how="left")
    column = columns_of(results, "event_curves")
    columns = [
        column.text("event", prefix="event_"),
        column.text("arm"),
        column.count("quarter").always(),
        column.count("n_risk"),
        column.percent("estimate", 1, header="Aalen-Johansen"),
        Column(header=INTERVAL[lang], cell=lambda r: _shares(r, lang)),
        column.percent("alone", 1, header="Kaplan-Meier"),
    ]
    return report_table(frame, columns)


def _shares(row: pd.Series[Any], lang: Lang) -> str:
    if row[["conf_low", "conf_high"]].isna().any():
        return "–"
    return f"{interval(100 * row['conf_low'], 100 * row['conf_high'], 1, lang=lang)}%"


@table_or_sentence
def interrupted(results: Results, *, age_band: str = "all") -> ReportTable:
    """Show the interrupted time series by arm: trend before, step, bend, difference, with and without the peak."""
    frame = results.table("interrupted")
    frame = frame[(frame["age_band"] == age_band) & (frame["outcome"] == results.study.headline.outcomes[0])]
    column = columns_of(results, "interrupted")
    columns = [
        column.text("series"),
        column.text("term", prefix="series_"),
        column.number("estimate"),
        column.interval(),
    ]
    if frame["arm"].nunique() > 1:
        columns.insert(0, column.text("arm"))
    else:
        columns += [column.p_value()]
    return report_table(frame, columns)
