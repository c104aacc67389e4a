"""The outcomes of a plan: what is counted, costed or scored, with prices and scoring that only the plan can give."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wor_eval.plan_parts import Days, Plan, Text, Year

View = Literal["societal", "payer"]
Source = Annotated[str, Field(min_length=1)]

_TABLES = {
    "rate_per_year": ("contacts",),
    "cost_per_year": ("costs", "contacts"),
    "mean_score": ("questionnaires",),
}


class OwnPrice(Plan):
    """A price that the plan adds, or puts in the place of those that ship with the package.

    ``view`` says from which side it is seen: ``societal`` beside the reference prices, ``payer`` beside the tariffs.
    """

    item: Annotated[str, Field(min_length=1)]
    view: View
    price_eur: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    price_year: Year
    unit: Annotated[str, Field(min_length=1)]
    category: str
    payer: str
    source: Source
    currency: Literal["EUR"] = "EUR"


class Scoring(Plan):
    """What a plan says of an instrument where nothing is published, or in its place; the source is required."""

    smallest_change: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    max_missing: Annotated[int, Field(ge=0)] | None = None
    fill: Literal["person_mean", "zero"] | None = None
    subscales: dict[str, tuple[int, ...]] | None = None
    value_set: str | None = None
    source: Source


class Outcome(Plan):
    """An outcome: a rate of contacts, costs per year, or the score of an instrument.

    Costs are amounts of table costs, or contacts times a price: ``prices`` then says from which side. ``exposure`` is
    ``registration`` for dated events, observed while the person is registered, or ``recall`` for self-reported counts,
    each of which carries its own number of days. ``windows`` replaces windows of the plan for this outcome: a
    questionnaire is answered on a day, not over a year. ``subscale`` takes a subscale of an instrument instead of its
    total, ``scoring`` what the plan must say of it.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    label: Text
    table: Literal["contacts", "costs", "questionnaires"] = "contacts"
    measure: Literal["rate_per_year", "cost_per_year", "mean_score"] = "rate_per_year"
    exposure: Literal["registration", "recall"] = "registration"
    kinds: tuple[str, ...] = ()
    icpc: tuple[str, ...] = ()
    payers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    prices: View | None = None
    own_prices: tuple[OwnPrice, ...] = ()
    price_year: Year | None = None
    instrument: str | None = None
    subscale: str | None = None
    scoring: Scoring | None = None
    windows: dict[str, Days] | None = None

    @model_validator(mode="after")
    def _says_what_it_needs(self) -> Self:
        costs, priced = self.measure == "cost_per_year", self.table == "contacts"
        wrong = {
            f"measure {self.measure} is of table {' or '.join(_TABLES[self.measure])}": self.table
            not in _TABLES[self.measure],
            "costs need a price_year": costs and self.price_year is None,
            "costs of contacts need prices: societal (reference prices) or payer (tariffs)": costs
            and priced
            and self.prices is None,
            "prices are of contacts with measure cost_per_year: amounts of table costs have theirs": bool(
                self.prices
            )
            and not (costs and priced),
            "payers and categories are of table costs": bool(self.payers or self.categories)
            and self.table != "costs",
            "a score needs an instrument": self.measure == "mean_score" and self.instrument is None,
            "subscale and scoring are of a score": bool(self.subscale or self.scoring)
            and self.measure != "mean_score",
        }
        problems = [problem for problem, found in wrong.items() if found]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def window_problems(self, planned: Mapping[str, Days]) -> list[str]:
        """Say what is wrong with the windows of this outcome, against those of the plan by name.

        Dated events before and after the index date may not be counted on the wrong side of it; a questionnaire may.
        """
        own = self.windows
        if own is None:
            return []
        before, after = own.get("before"), own.get("after")
        dated = self.measure != "mean_score" and self.exposure == "registration"
        wrong = {
            "no window is given": not own,
            f"the plan has no window {', '.join(sorted(set(own) - set(planned)))}": bool(
                set(own) - set(planned)
            ),
            "a window ends before it starts": any(first > last for first, last in own.values()),
            "window before must end before window after starts": bool(
                before and after and before[1] >= after[0]
            ),
            "window before must end before the index date (day 0)": bool(dated and before and before[1] >= 0),
            "window after must not start before the index date (day 0)": bool(
                dated and after and after[0] < 0
            ),
        }
        return [f"windows of outcome {self.name}: {problem}" for problem, found in wrong.items() if found]

    @property
    def scales(self) -> tuple[Literal["ratio", "difference"], ...]:
        """The scales on which an effect on this outcome is meant: a score has no ratio."""
        return ("difference",) if self.measure == "mean_score" else ("ratio", "difference")

    @property
    def unit(self) -> str:
        """Unit of a difference."""
        units = {"rate_per_year": "per_person_year", "cost_per_year": "eur_per_person_year"}
        return units.get(self.measure, "points")


def price_problems(prices: tuple[OwnPrice, ...], outcomes: tuple[Outcome, ...]) -> list[str]:
    """Say which prices of a plan stand twice, or are seen from a side that no outcome looks from."""
    keys = [(price.item, price.view) for price in prices]
    twice = sorted({f"{item} ({view})" for item, view in keys if keys.count((item, view)) > 1})
    views = {outcome.prices for outcome in outcomes}
    unused = sorted({view for _, view in keys if view not in views})
    problems = [f"prices: {name} stands more than once" for name in twice]
    return problems + [
        f"prices: no outcome has prices = {view!r}, so they would not be used" for view in unused
    ]


def with_own_prices(outcomes: tuple[Outcome, ...], prices: tuple[OwnPrice, ...]) -> tuple[Outcome, ...]:
    """Give each outcome that is priced from one side the prices of the plan from that side."""
    return tuple(
        outcome.model_copy(update={"own_prices": tuple(p for p in prices if p.view == outcome.prices)})
        if outcome.prices
        else outcome
        for outcome in outcomes
    )
