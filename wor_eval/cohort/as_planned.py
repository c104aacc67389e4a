"""What a plan says of an outcome, carried out: contacts at the plan's prices, answers by the plan's scoring."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from wor_eval.cohort.answers import parse_items
from wor_eval.cohort.instruments import Instrument, adapt, check_scores, read_instruments, score_items
from wor_eval.cohort.prices import PriceList, add_prices, read_prices, unit_prices
from wor_eval.errors import DataError, StudyError
from wor_eval.outcome_plan import Outcome

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from wor_eval.cohort.wide import Floats


def planned_prices(outcome: Outcome) -> PriceList:
    """Give the prices of an outcome: those of the package from its side, with those of the plan in their place."""
    prices = read_prices(view=outcome.prices or "societal")
    own = {price.item: price.model_dump(exclude={"item", "view"}) for price in outcome.own_prices}
    return add_prices(prices, own)


def used_prices(outcome: Outcome) -> pd.DataFrame:
    """Give the price of each kind of contact of an outcome in its price year, with year and source.

    Returns
    -------
    DataFrame
        ``item, unit, category, payer, price_eur, from_year, source``.
    """
    table = unit_prices(planned_prices(outcome), price_year=outcome.price_year or 0)
    return table[table["item"].isin(outcome.kinds)] if outcome.kinds else table


def priced_contacts(contacts: ir.Table, outcome: Outcome) -> ir.Table:
    """Put the price of each contact in the place of its number.

    Parameters
    ----------
    contacts : ibis table
        ``kind, n_contacts`` and more.
    outcome : Outcome
        From which side, at which price year, with which prices of the plan.

    Returns
    -------
    ibis table
        The same columns; ``n_contacts`` is now in EUR.

    Raises
    ------
    DataError
        Contacts of a kind without a price in that year: kinds with the number of rows.
    """
    import ibis

    prices = unit_prices(planned_prices(outcome), price_year=outcome.price_year or 0)
    rows = contacts.group_by("kind").aggregate(rows=contacts.count()).to_pandas()
    bare = rows[~rows["kind"].isin(prices["item"])]
    if len(bare):
        named = bare["kind"].astype("string").fillna("(empty)")
        raise DataError(
            f"outcome {outcome.name}: {bare['rows'].sum()} of {rows['rows'].sum()} rows of contacts have no "
            f"{outcome.prices} price in {outcome.price_year}; give it in the plan ([[prices]], with its source), or "
            "leave the kind out (kinds) and say so",
            problems=sorted(f"{kind}: {count} rows" for kind, count in zip(named, bare["rows"], strict=True)),
        )
    table = ibis.memtable(prices[["item", "price_eur"]].rename(columns={"item": "kind"}))
    joined = contacts.inner_join(table, "kind")
    return joined.mutate(n_contacts=joined.n_contacts * joined.price_eur).select(*contacts.columns)


def planned_instrument(outcome: Outcome) -> Instrument:
    """Give the instrument of an outcome as the plan wants it: what it adds, and the range of a subscale.

    Raises
    ------
    StudyError
        The instrument or subscale is not known, or the instrument has no total and no subscale is named.
    """
    instrument = read_instruments().get(outcome.instrument or "")
    if instrument is None:
        raise StudyError(f"outcome {outcome.name}: instrument {outcome.instrument} is not known")
    own = outcome.scoring
    if own is not None:
        instrument = adapt(
            instrument,
            max_missing=own.max_missing,
            fill=own.fill,
            smallest_change=own.smallest_change,
            subscales=own.subscales,
            value_set=own.value_set,
            source=own.source,
        )
    known = ", ".join(instrument.subscales)
    if outcome.subscale is None:
        if instrument.combine == "mean":
            raise StudyError(
                f"outcome {outcome.name}: {instrument.code} has no total; name a subscale: {known}"
            )
        return instrument
    if outcome.subscale not in instrument.subscales:
        raise StudyError(
            f"outcome {outcome.name}: {instrument.code} has no subscale {outcome.subscale}; use one of "
            f"{known or '(none)'}"
        )
    # What is published of the total does not hold for a part of it.
    smallest = instrument.smallest_change if own is not None and own.smallest_change else None
    return replace(
        instrument,
        score_range=_subscale_range(instrument, outcome.subscale),
        smallest_change=smallest,
        cut_offs=(),
        conversion=None,
    )


def _subscale_range(instrument: Instrument, subscale: str) -> tuple[float, float]:
    items = len(instrument.subscales[subscale])
    low, high = (0, 1) if instrument.dichotomy_from is not None else instrument.item_range or (0, 0)
    return (
        instrument.score_range if instrument.combine == "mean" else (float(items * low), float(items * high))
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DeliveredScores:
    """Scores of n questionnaires of one instrument, and how they came about.

    Attributes
    ----------
    values : ndarray, shape (n,)
        Scores; NaN where none can be given.
    counts : dict of str to int
        Questionnaires: ``answers``, of which ``scores_delivered`` and ``scored_by_item``, and those without a score
        by reason: ``no_answers, too_few_answers, no_rule``; ``contrary_items`` counts items that run against the
        others.
    """

    values: Floats
    counts: dict[str, int]


def delivered_scores(answers: pd.DataFrame, outcome: Outcome) -> DeliveredScores:
    """Score questionnaires: a delivered score is checked and taken as it is, answers by item are scored.

    Parameters
    ----------
    answers : DataFrame
        ``score, items``, of the instrument of the outcome.
    outcome : Outcome
        Instrument, subscale and scoring. A delivered score is a total: a subscale is scored from the items.

    Returns
    -------
    DeliveredScores

    Raises
    ------
    StudyError
        See :func:`planned_instrument`.
    DataError
        Scores or answers that the instrument cannot have, with their number.
    """
    instrument = planned_instrument(outcome)
    delivered = answers["score"].to_numpy(float, na_value=np.nan)
    given = np.isfinite(delivered) & (outcome.subscale is None)
    scores = np.full(len(answers), np.nan)
    if given.any():
        scores[given] = check_scores(delivered[given], instrument)
    by_item = ~given & answers["items"].notna().to_numpy()
    counts = {"answers": len(answers), "scores_delivered": int(given.sum()), "scored_by_item": 0}
    reasons = {"no_answers": int((~given & ~by_item).sum()), "too_few_answers": 0, "no_rule": 0}
    contrary = 0
    if by_item.any():
        found = score_items(parse_items(answers.loc[by_item, "items"].tolist(), instrument), instrument)
        part = found.score if outcome.subscale is None else found.subscales[outcome.subscale]
        scores[by_item] = part
        counts["scored_by_item"] = int(np.isfinite(part).sum())
        contrary = len(found.contrary_items)
        if outcome.subscale is None:
            reasons = {reason: reasons[reason] + found.missing[reason] for reason in reasons}
        else:
            reasons["too_few_answers"] = int(np.isnan(part).sum())
    return DeliveredScores(values=scores, counts={**counts, **reasons, "contrary_items": contrary})
