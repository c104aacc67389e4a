"""Prices of care: reference prices or tariffs, brought to the prices of one year.

Two views, never mixed: *societal* takes the reference price of the Dutch costing manual, what care costs;
*payer* takes the tariff of the Dutch Healthcare Authority (NZa), what the insurer is billed. A GP's tariff is
not the cost of a contact: capitation pays the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wor_eval.cohort.price_index import consumer_prices, index_prices
from wor_eval.data.dictionary import read_dictionary
from wor_eval.data.tariffs import tariff
from wor_eval.errors import DataError, StudyError

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
View = Literal["societal", "payer"]

_TABLES = {"societal": "reference_prices", "payer": "nza_tariffs"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """The price of one unit of care in one year.

    Parameters
    ----------
    item : str
        Name of the care; for GP contacts a code of ``contact_kind``.
    unit : str
        What is counted.
    price_eur : float
        EUR per unit, at prices of ``price_year``.
    price_year : int
        Calendar year of the price.
    category, payer : str
        Codes of ``cost_category`` and ``payer``.
    source : str
        Where the price comes from.
    valid_from, valid_to : int, optional
        Years in which the declaration code existed, both included.
    """

    item: str
    unit: str
    price_eur: float
    price_year: int
    category: str
    payer: str
    source: str
    valid_from: int | None = None
    valid_to: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceList:
    """Prices seen from one side.

    Parameters
    ----------
    view : {"societal", "payer"}
        Reference prices or tariffs.
    prices : tuple of Price
        All prices; an item can have one for several years.
    """

    view: View
    prices: tuple[Price, ...]

    @property
    def items(self) -> tuple[str, ...]:
        """Items that have a price, in the order of the list."""
        return tuple(dict.fromkeys(price.item for price in self.prices))

    def __repr__(self) -> str:
        return f"<PriceList {self.view}: {len(self.items)} items, {len(self.prices)} prices>"


class _OwnPrice(BaseModel):
    """A price as a plan gives it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    price_eur: float = Field(ge=0, allow_inf_nan=False)
    price_year: int
    unit: str = Field(min_length=1)
    category: str
    payer: str
    source: str = Field(min_length=1)
    currency: Literal["EUR"] = "EUR"


def read_prices(*, view: View) -> PriceList:
    """Read the prices that ship with the package.

    Parameters
    ----------
    view : {"societal", "payer"}
        Reference prices of the costing manual 2024 (price year 2022), or NZa tariffs.

    Returns
    -------
    PriceList
        Prices, each with its source. Which scheme pays (``payer``) is an assumption of this package. A short
        consultation is tariff 12000 until 2018 and 12011 (5 to 20 minutes) since; telephone and e-mail have
        no tariff since 2019. There is no price of a welzijnscoach trajectory: see :func:`add_prices`.

    Raises
    ------
    StudyError
        The view is not known.

    Examples
    --------
    >>> read_prices(view="societal")
    <PriceList societal: 23 items, 23 prices>
    """
    if view not in _TABLES:
        raise StudyError(f"there is no view {view!r} on prices: use 'societal' or 'payer'")
    return PriceList(view=view, prices=tuple(_price(row) for row in tariff(_TABLES[view])))


def add_prices(prices: PriceList, own: Mapping[str, Mapping[str, Any]]) -> PriceList:
    """Add prices of a study plan, or put them in the place of those of the package.

    Parameters
    ----------
    prices : PriceList
        Prices to start from; the own prices are seen from the same side.
    own : mapping of str to mapping
        Per item ``price_eur, price_year, unit, category, payer, source``, and optionally ``currency``, which
        must be EUR. An item that already has prices loses them all.

    Returns
    -------
    PriceList
        A new list.

    Raises
    ------
    StudyError
        A price is incomplete, in another currency, or has an unknown payer, category or year: all are listed.

    Examples
    --------
    >>> hour = {"price_eur": 80.0, "price_year": 2024, "unit": "hour", "category": "other", "payer": "wmo",
    ...         "source": "contract of the municipality"}
    >>> add_prices(read_prices(view="societal"), {"coach_hour": hour}).items[-1]
    'coach_hour'
    """
    added, problems = [], []
    for item, given in own.items():
        try:
            price = _OwnPrice.model_validate(dict(given))
        except ValidationError as error:
            problems += [f"{item}.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            continue
        problems += [f"{item}.{problem}" for problem in _unknown_codes(price)]
        added.append(Price(item=item, **price.model_dump(exclude={"currency"})))
    if problems:
        raise StudyError("prices of the plan cannot be used", problems=problems)
    kept = tuple(price for price in prices.prices if price.item not in own)
    return replace(prices, prices=(*kept, *added))


def unit_prices(prices: PriceList, *, price_year: int) -> pd.DataFrame:
    """Give one price per item, at the prices of one year.

    Of the prices of an item that are valid in ``price_year``, the one of the nearest year is taken (of two
    equally near, the earlier) and indexed. An item without a valid price has no row.

    Parameters
    ----------
    prices : PriceList
        Prices seen from one side.
    price_year : int
        Price year that is wanted.

    Returns
    -------
    DataFrame
        ``item, unit, category, payer, price_eur, from_year, source``.

    Examples
    --------
    >>> unit_prices(read_prices(view="payer"), price_year=2023)["item"].tolist()
    ['consult_short', 'consult_long', 'visit_short', 'visit_long']
    """
    import pandas as pd

    rows = []
    for item in prices.items:
        valid = [price for price in prices.prices if price.item == item and _is_valid(price, price_year)]
        if valid:
            price = min(valid, key=lambda p: (abs(p.price_year - price_year), p.price_year))
            amount = float(index_prices(price.price_eur, price.price_year, price_year))
            rows.append(
                (item, price.unit, price.category, price.payer, amount, price.price_year, price.source)
            )
    columns = ["item", "unit", "category", "payer", "price_eur", "from_year", "source"]
    return pd.DataFrame(rows, columns=columns)


def price_use(use: pd.DataFrame, prices: PriceList, *, price_year: int) -> pd.DataFrame:
    """Turn care use into costs: count times price.

    Parameters
    ----------
    use : DataFrame
        ``item, count`` and any other columns: one row per person (or unit, window) and item. A missing count
        gives a missing cost.
    prices : PriceList
        Prices seen from one side.
    price_year : int
        Price year of the costs.

    Returns
    -------
    DataFrame
        The columns of ``use``, then ``category, payer, amount`` (EUR), ``view`` and ``price_year``; the rows in
        the same order.

    Raises
    ------
    DataError
        A column is missing, a count is negative or infinite, or an item has no price valid in that year: with
        counts.

    Examples
    --------
    >>> import pandas as pd
    >>> use = pd.DataFrame({"item": ["consult_long", "visit_short"], "count": [2, 1]})
    >>> price_use(use, read_prices(view="societal"), price_year=2022)["amount"].tolist()
    [84.94, 36.72]
    """
    table = unit_prices(prices, price_year=price_year).set_index("item")
    counts = _counts(use)
    known = use["item"].isin(table.index)
    if not known.all():
        unknown = use.loc[~known, "item"].astype("string").fillna("(empty)").value_counts().sort_index()
        problems = [f"{item}: {rows} rows" for item, rows in unknown.items()]
        raise DataError(
            f"{(~known).sum()} of {len(use)} rows of care use have no {prices.view} price valid in {price_year}; "
            "give the prices in the plan (add_prices), or leave the care out and say so",
            problems=problems,
        )
    found = table.loc[use["item"]]
    return use.assign(
        category=found["category"].to_numpy(),
        payer=found["payer"].to_numpy(),
        amount=counts * found["price_eur"].to_numpy(),
        view=prices.view,
        price_year=price_year,
    )


def join_costs(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put costs from :func:`price_use` under one another, if they may stand together.

    Parameters
    ----------
    parts : sequence of DataFrame
        Each with columns ``view`` and ``price_year``.

    Returns
    -------
    DataFrame
        All rows.

    Raises
    ------
    StudyError
        There is nothing to join, or the parts mix views or price years.

    Examples
    --------
    >>> import pandas as pd
    >>> use = pd.DataFrame({"item": ["visit_short"], "count": [1]})
    >>> costs = [price_use(use, read_prices(view=view), price_year=2022) for view in ("societal", "payer")]
    >>> join_costs(costs)
    Traceback (most recent call last):
    wor_eval.errors.StudyError: costs cannot be joined: they mix the views payer and societal; ...
    """
    import pandas as pd

    views = sorted({view for part in parts for view in part["view"].unique()})
    years = sorted({int(year) for part in parts for year in part["price_year"].unique()})
    if len(views) > 1:
        raise StudyError(
            f"costs cannot be joined: they mix the views {' and '.join(views)}; price all care from one side"
        )
    if len(years) > 1:
        raise StudyError(
            f"costs cannot be joined: they mix the price years {', '.join(map(str, years))}; use one price year"
        )
    if not views:
        raise StudyError("there are no costs to join")
    return pd.concat(parts, ignore_index=True)


def _price(row: Mapping[str, str]) -> Price:
    return Price(
        item=row["item"],
        unit=row["unit"],
        price_eur=float(row["price_eur"]),
        price_year=int(row["price_year"]),
        category=row["category"],
        payer=row["payer"],
        source=row["source"],
        valid_from=int(row["valid_from"]) if row["valid_from"] else None,
        valid_to=int(row["valid_to"]) if row["valid_to"] else None,
    )


def _is_valid(price: Price, year: int) -> bool:
    return (price.valid_from or year) <= year <= (price.valid_to or year)


def _unknown_codes(price: _OwnPrice) -> list[str]:
    dictionary = read_dictionary()
    problems = []
    for name, code in (("category", price.category), ("payer", price.payer)):
        levels = dictionary.column("costs", name).levels
        if code not in levels:
            problems.append(f"{name}: not a known code; use one of {', '.join(levels)}")
    index = consumer_prices()
    if price.price_year not in index:
        problems.append(f"price_year: no consumer price index; it runs from {min(index)} to {max(index)}")
    return problems


def _counts(use: pd.DataFrame) -> Floats:
    if absent := [name for name in ("item", "count") if name not in use.columns]:
        raise DataError(f"care use lacks the columns {', '.join(absent)}: give item and count")
    counts: Floats = use["count"].to_numpy(dtype=float, na_value=np.nan)
    bad = (counts < 0) | np.isinf(counts)
    if bad.any():
        raise DataError(
            f"care use: {bad.sum()} of {bad.size} counts are negative or infinite; correct them, or empty them"
        )
    return counts
