"""Cost lines of table costs: checked, credits netted, at the prices of one year.

The lines never pass through pandas: every function gives an Ibis expression or a few counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wor_eval.cohort.price_index import consumer_prices, price_factors
from wor_eval.data.dictionary import read_dictionary
from wor_eval.errors import DataError, StudyError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

_KEY = ("person_id", "category", "payer")


@dataclass(frozen=True, kw_only=True, slots=True)
class Credits:
    """How many cost lines take an earlier line back.

    Parameters
    ----------
    n_lines : int
        Cost lines.
    n_credits : int
        Lines with a negative amount.
    n_equal : int
        Credits of exactly the amount of an earlier line of the same person, category and payer.
    n_unmatched : int
        Credits without any earlier line of the same person, category and payer.
    n_negative : int
        Combinations of person and category whose lines add up to less than zero.
    """

    n_lines: int
    n_credits: int
    n_equal: int
    n_unmatched: int
    n_negative: int


def check_costs(costs: ir.Table) -> None:
    """Refuse cost lines with an unknown payer, category or price year, or without an amount.

    Parameters
    ----------
    costs : ibis table
        Table costs: ``category, payer, amount, price_year``.

    Raises
    ------
    DataError
        Everything that is wrong, with the number of lines.

    Examples
    --------
    >>> import ibis
    >>> import pandas as pd
    >>> line = {"category": ["hospital"], "payer": ["nhs"], "amount": [100.0], "price_year": [2022]}
    >>> check_costs(ibis.memtable(pd.DataFrame(line)))
    Traceback (most recent call last):
    wor_eval.errors.DataError: table costs cannot be priced
      - payer: 1 lines have no known code; use one of zvw, wmo, wlz, own
    """
    amount = costs.amount.cast("float64")
    lines = costs.group_by("category", "payer", "price_year").aggregate(
        lines=costs.count(),
        bad_amounts=costs.count(where=amount.isnull() | amount.isnan() | amount.isinf()),
    )
    if problems := list(_broken(lines.to_pandas())):
        raise DataError("table costs cannot be priced", problems=problems)


def net_credits(costs: ir.Table) -> ir.Table:
    """Put each credit line on the days of the line that it takes back.

    A credit is dated later than the line it corrects, so that it would fall in another window. It is put on
    the latest line of the same person, category and payer that starts on or before it: one of exactly the same
    amount if there is one, any other if not; else it stays where it is. Sums over all time do not change.

    Parameters
    ----------
    costs : ibis table
        Table costs.

    Returns
    -------
    ibis table
        ``person_id, from_on, to_on, category, payer, amount, price_year``, with ``to_on`` filled in.
    """
    import ibis

    lines = _lines(costs)
    matched = _matched(lines)
    moved = matched.select(
        *_KEY,
        "amount",
        "price_year",
        from_on=ibis.coalesce(matched.equal_from, matched.any_from, matched.from_on),
        to_on=ibis.coalesce(matched.equal_to, matched.any_to, matched.to_on),
    )
    return lines.filter(lines.amount >= 0).union(moved.select(*lines.columns))


def count_credits(costs: ir.Table) -> Credits:
    """Count the credit lines, and what they net against.

    Parameters
    ----------
    costs : ibis table
        Table costs.

    Returns
    -------
    Credits
        The counts. Credits by whose netting a person's costs of a category fall below zero
        (``n_negative``) take back lines that are not in the data.

    Examples
    --------
    >>> import ibis
    >>> import pandas as pd
    >>> line = {"person_id": "a", "from_on": ["2022-05-01", "2022-06-01"], "to_on": None, "category": "hospital",
    ...         "payer": "zvw", "amount": [100.0, -100.0], "price_year": 2022}
    >>> costs = ibis.memtable(pd.DataFrame(line)).cast({"from_on": "date", "to_on": "date"})
    >>> count_credits(costs)
    Credits(n_lines=2, n_credits=1, n_equal=1, n_unmatched=0, n_negative=0)
    >>> net_credits(costs).from_on.to_pandas().astype(str).tolist()
    ['2022-05-01', '2022-05-01']
    """
    lines = _lines(costs)
    matched = _matched(lines)
    sums = lines.group_by("person_id", "category").aggregate(total=lines.amount.sum())
    # A rounding remainder of floating-point sums is no credit: half a cent is the smallest amount.
    return Credits(
        n_lines=_number(lines.count()),
        n_credits=_number(matched.count()),
        n_equal=_number(matched.count(where=matched.equal_from.notnull())),
        n_unmatched=_number(matched.count(where=matched.any_from.isnull())),
        n_negative=_number(sums.count(where=sums.total < -0.005)),
    )


def priced_costs(costs: ir.Table, *, price_year: int) -> ir.Table:
    """Bring cost lines to the prices of one year, credits netted.

    Parameters
    ----------
    costs : ibis table
        Table costs.
    price_year : int
        Price year of the result.

    Returns
    -------
    ibis table
        ``person_id, from_on, to_on, category, payer, amount`` in EUR at prices of ``price_year``; see
        :func:`net_credits` for credit lines and :func:`wor_eval.cohort.price_index.price_factors` for the index.

    Raises
    ------
    DataError
        See :func:`check_costs`; or ``price_year`` has no consumer price index.

    Examples
    --------
    >>> import ibis
    >>> import pandas as pd
    >>> line = {"person_id": ["a"], "from_on": ["2022-05-01"], "to_on": [None], "category": ["hospital"],
    ...         "payer": ["zvw"], "amount": [100.0], "price_year": [2022]}
    >>> costs = ibis.memtable(pd.DataFrame(line)).cast({"from_on": "date", "to_on": "date"})
    >>> priced_costs(costs, price_year=2023).amount.to_pandas().round(2).tolist()
    [103.84]
    """
    import ibis
    import pandas as pd

    check_costs(costs)
    factors = price_factors(list(consumer_prices()), price_year)
    frame = pd.DataFrame({"price_year": list(factors), "factor": list(factors.values())})
    priced = net_credits(costs).inner_join(ibis.memtable(frame), "price_year")
    return priced.select(
        "person_id", "from_on", "to_on", "category", "payer", amount=priced.amount * priced.factor
    )


def costs_known(persons: ir.Table, municipalities: ir.Table, *, payers: Sequence[str]) -> ir.Table:
    """Tell for whom the costs of some payers are known.

    Municipalities deliver their Wmo costs voluntarily. Where one does not, or a person's municipality is not
    known, the absence of Wmo lines says nothing: such costs are missing, not zero, and so is every sum that
    holds them.

    Parameters
    ----------
    persons : ibis table
        ``person_id, municipality_code``.
    municipalities : ibis table
        ``municipality_code, wmo_delivered``.
    payers : sequence of str
        Payers whose costs are added up.

    Returns
    -------
    ibis table
        ``person_id, known``: one row per person.

    Raises
    ------
    StudyError
        A payer is not known, or there is none.

    Examples
    --------
    >>> import ibis
    >>> import pandas as pd
    >>> persons = pd.DataFrame({"person_id": ["a", "b"], "municipality_code": ["x", "y"]})
    >>> places = pd.DataFrame({"municipality_code": ["x", "y"], "wmo_delivered": [True, False]})
    >>> known = costs_known(ibis.memtable(persons), ibis.memtable(places), payers=("wmo",))
    >>> known.order_by("person_id").known.to_pandas().tolist()
    [True, False]
    """
    import ibis

    known = read_dictionary().column("costs", "payer").levels
    if not payers or set(payers) - set(known):
        raise StudyError(f"payers must be among {', '.join(known)}, at least one")
    if "wmo" not in payers:
        return persons.select("person_id", known=ibis.literal(True))
    delivering = municipalities.select("municipality_code", "wmo_delivered")
    joined = persons.left_join(delivering, "municipality_code")
    return joined.select("person_id", known=ibis.coalesce(joined.wmo_delivered, False))


def _lines(costs: ir.Table) -> ir.Table:
    import ibis

    return costs.select(
        *_KEY,
        "price_year",
        "from_on",
        amount=costs.amount.cast("float64"),
        to_on=ibis.coalesce(costs.to_on, costs.from_on),
    )


def _matched(lines: ir.Table) -> ir.Table:
    """Give every credit line with the days of an earlier line of the same amount, and of any amount.

    Only windows, joins and sums, so that every engine can do it: not all of them join on the latest earlier row.
    """
    import ibis

    lines = lines.mutate(
        cents=(100 * lines.amount).abs().round().cast("int64"), is_credit=ibis.ifelse(lines.amount < 0, 1, 0)
    )
    credit = lines.filter(lines.is_credit == 1)
    charge = lines.filter(lines.is_credit == 0).semi_join(credit, list(_KEY))
    equal = charge.group_by(*_KEY, "cents", equal_from=charge.from_on).aggregate(equal_to=charge.to_on.max())
    anyhow = charge.group_by(*_KEY, any_from=charge.from_on).aggregate(any_to=charge.to_on.max())
    both = charge.union(credit.select(*charge.columns))
    day = ibis.ifelse(both.is_credit == 0, both.from_on, ibis.null("date"))
    found = both.mutate(
        equal_from=day.max().over(_until_now(*_KEY, "cents")), any_from=day.max().over(_until_now(*_KEY))
    )
    found = found.filter(found.is_credit == 1)
    once = found.left_join(equal, [*_KEY, "cents", "equal_from"]).select(*found.columns, "equal_to")
    twice = once.left_join(anyhow, [*_KEY, "any_from"]).select(*once.columns, "any_to")
    return twice.drop("is_credit", "cents")


def _until_now(*key: str) -> Any:
    """Give the window of all lines of a key up to and including a line; of one day, credits come last."""
    import ibis

    return ibis.window(group_by=list(key), order_by=["from_on", "is_credit"], rows=(None, 0))


def _broken(lines: pd.DataFrame) -> Iterator[str]:
    dictionary = read_dictionary()
    for name in ("category", "payer"):
        levels = dictionary.column("costs", name).levels
        unknown = lines.loc[~lines[name].isin(list(levels)), "lines"].sum()
        if unknown:
            yield f"{name}: {unknown} lines have no known code; use one of {', '.join(levels)}"
    years = list(consumer_prices())
    unknown = lines.loc[~lines["price_year"].isin(years), "lines"].sum()
    if unknown:
        yield (
            f"price_year: {unknown} lines are of a year without a consumer price index ({min(years)} to "
            f"{max(years)}); state them at prices of one of these years"
        )
    if bad := lines["bad_amounts"].sum():
        yield f"amount: {bad} lines have no amount, or an infinite one; give it, or leave the line out"


def _number(count: ir.IntegerScalar) -> int:
    return int(count.to_pyarrow().as_py())
