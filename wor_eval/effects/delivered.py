"""How costs and scores were delivered and read: credit lines, price years, prices used, questionnaires without score."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from wor_eval.cohort.as_planned import delivered_scores, used_prices
from wor_eval.cohort.cost_lines import count_credits
from wor_eval.effects.arms import outcomes_of
from wor_eval.outcome_plan import Outcome
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.data.read import StudyData


def delivered(data: StudyData, study: Study) -> pd.DataFrame:
    """Count, for each cost and score of the plan's effects, what was delivered and what was done with it.

    Costs from lines: ``n_lines``, ``n_credits`` (negative amounts, put on the day of the line they take back), of which
    ``n_equal`` match a line of the same amount and ``n_unmatched`` no line at all; ``n_negative`` persons and categories
    that add up to less than zero; ``n_indexed`` lines brought to the price year from another. Scores: ``answers``,
    ``scores_delivered``, ``scored_by_item``, those without a score by reason, and ``contrary_items``.

    Returns
    -------
    DataFrame
        ``outcome, check, n_rows``.
    """
    import pandas as pd

    rows = []
    for name in (*outcomes_of(study, "cost_per_year"), *outcomes_of(study, "mean_score")):
        outcome = study.outcome(name)
        if outcome.prices:
            continue
        counts = _lines(data, outcome) if outcome.table == "costs" else _answers(data, outcome)
        rows += [(name, check, count) for check, count in counts.items()]
    return pd.DataFrame(rows, columns=["outcome", "check", "n_rows"]).astype({"n_rows": "int64"})


def _lines(data: StudyData, outcome: Outcome) -> dict[str, int]:
    lines = data.tables["costs"]
    if outcome.payers:
        lines = lines.filter(lines.payer.isin(outcome.payers))
    if outcome.categories:
        lines = lines.filter(lines.category.isin(outcome.categories))
    found = count_credits(lines)
    counts = {field.name: int(getattr(found, field.name)) for field in fields(found)}
    other = lines.count(where=lines.price_year != outcome.price_year).to_pyarrow().as_py()
    return {**counts, "n_indexed": int(other)}


def _answers(data: StudyData, outcome: Outcome) -> dict[str, int]:
    table = data.tables["questionnaires"]
    rows = table.filter(table.instrument == outcome.instrument).select("score", "items").to_pandas()
    return delivered_scores(rows, outcome).counts


def prices(study: Study) -> pd.DataFrame:
    """Give the price of each kind of contact that the plan's effects count as costs, with its source.

    Returns
    -------
    DataFrame
        ``outcome, view, item, unit, payer, category, price_eur, price_year, from_year, source``: the price at
        ``price_year``, indexed from ``from_year``.
    """
    import pandas as pd

    columns = ["outcome", "view", "item", "unit", "payer", "category", "price_eur", "price_year", "from_year"]
    frames = []
    for name in outcomes_of(study, "cost_per_year"):
        outcome = study.outcome(name)
        if outcome.prices:
            named = {"outcome": name, "view": outcome.prices, "price_year": outcome.price_year}
            frames.append(used_prices(outcome).assign(**named))
    empty = pd.DataFrame(columns=[*columns, "source"])
    return pd.concat(frames, ignore_index=True)[[*columns, "source"]] if frames else empty
