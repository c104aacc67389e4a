"""What a published source prints, as structured facts: a model of one file in ``reports/published/``.

Facts and figures only, in our own words. A number is written as it is printed, so that what rounding can explain is
known. What a source does not print is not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from wor_eval.plan_parts import Plan, Text

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Printed = Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?$")]
PublishedDesign = Literal["uncontrolled", "matched", "randomised", "none"]
Unit = Literal[
    "persons", "practices", "municipalities", "millions", "groups", "years", "percent", "ratio", "points",
    "standard_deviations", "contacts_per_year", "contacts_per_quarter", "problems", "qaly", "gbp", "eur", "auc",
    "correlation",
]  # fmt: skip
How = Literal[
    "change", "ratio", "percentage", "share", "part_of", "per_head", "total", "product", "mean",
    "standardised_change", "difference_in_differences", "ratio_of_ratios", "error_of_interval",
    "deviation_of_interval", "middle_of_interval", "z_of_interval", "net_benefit", "threshold_of_net_benefit",
    "persistence",
]  # fmt: skip
TAKES: Final[dict[str, int | None]] = {
    "change": 2, "ratio": 2, "percentage": 2, "share": 2, "part_of": 2, "per_head": 2, "total": None, "product": 2,
    "mean": 3, "standardised_change": 3, "difference_in_differences": 4, "ratio_of_ratios": 4,
    "error_of_interval": 2, "deviation_of_interval": 3, "middle_of_interval": 2, "z_of_interval": 3,
    "net_benefit": 3, "threshold_of_net_benefit": 3, "persistence": 3,
}  # fmt: skip
"""How many numbers each recomputation takes; None for one or more."""


class Source(Plan):
    """Where the numbers stand, and what kind of study they come from."""

    citation: Annotated[str, Field(min_length=1)]
    doi: Annotated[str, Field(pattern=r"^10\.\d+/\S+$")] | None = None
    url: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    reference: str | None = None
    year: int
    design: PublishedDesign
    study: Text
    population: Text
    n: Annotated[int, Field(gt=0)] | None = None
    access: Text

    @model_validator(mode="after")
    def _can_be_found(self) -> Self:
        if not (self.doi or self.url or (self.reference or "").strip()):
            raise ValueError(
                "a source needs a doi, a url or a reference: without one its numbers cannot be checked"
            )
        return self

    @property
    def found_at(self) -> str:
        """Where to find it: DOI, else URL, else the reference in words."""
        return f"https://doi.org/{self.doi}" if self.doi else self.url or self.reference or ""


class PrintedFigure(Plan):
    """One printed number, with its interval where one is printed, or one printed statement without a number.

    ``basis`` says whether it is printed, implied by what is printed, or chosen for a recomputation. ``exact``
    numbers (counts) are not rounded; ``within`` is how far a number printed as "about" may be off.
    """

    id: Identifier
    quantity: Text
    value: Printed | None = None
    text: Text | None = None
    conf_low: Printed | None = None
    conf_high: Printed | None = None
    unit: Unit | None = None
    exact: bool = False
    within: Printed | None = None
    basis: Literal["printed", "implied", "chosen"] = "printed"
    where: Text

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        problems = []
        if (self.value is None) == (self.text is None):
            problems.append("give either a value or a text")
        if self.value is not None and self.unit is None:
            problems.append("a value needs a unit")
        if (self.conf_low is None) != (self.conf_high is None):
            problems.append("conf_low and conf_high go together")
        elif self.conf_low is not None and self.conf_high is not None and self.value is not None:
            low, middle, high = (Decimal(text) for text in (self.conf_low, self.value, self.conf_high))
            if not low <= middle <= high:
                problems.append(f"the interval {low} to {high} does not contain its estimate {middle}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def numbers(self) -> dict[str, tuple[float, float]]:
        """Give each number by its name (``id``, ``id.low``, ``id.high``), with what rounding may hide."""
        named = {self.id: self.value, f"{self.id}.low": self.conf_low, f"{self.id}.high": self.conf_high}
        return {name: (float(text), self.rounding(text)) for name, text in named.items() if text is not None}

    def rounding(self, text: str) -> float:
        """Give by how much a printed number may differ from the number before rounding."""
        if self.within is not None:
            return float(self.within)
        exponent = Decimal(text).as_tuple().exponent
        return 0.0 if self.exact else 0.5 * 10.0 ** int(exponent)


class Recomputation(Plan):
    """A number that follows from printed ones, and the printed number it should agree with, if there is one."""

    id: Identifier | None = None
    quantity: Text
    how: How
    from_: Annotated[tuple[str, ...], Field(alias="from", min_length=1)]
    printed: Identifier | None = None
    note: Text | None = None

    @model_validator(mode="after")
    def _takes(self) -> Self:
        takes = TAKES[self.how]
        if takes is not None and len(self.from_) != takes:
            raise ValueError(f"{self.how} takes {takes} numbers, not {len(self.from_)}")
        return self


class PublishedEffect(Plan):
    """An effect that may stand beside those of other sources.

    ``estimate`` names a printed number or a recomputation; ``times`` brings it to the unit that it is compared in.
    """

    outcome: Identifier
    scale: Literal["difference", "ratio"]
    unit: Unit
    estimate: Identifier
    times: Annotated[str, Field(pattern=r"^\d+(\.\d+)?$")] = "1"


class Quotation(Plan):
    """How later texts quote the source, where that is not what it says."""

    by: Text
    says: Text
    in_fact: Text
    rests_on: tuple[Identifier, ...] = ()


class Entry(Plan):
    """One published source."""

    name: Identifier
    source: Source
    printed: tuple[PrintedFigure, ...]
    recomputed: tuple[Recomputation, ...] = ()
    effects: tuple[PublishedEffect, ...] = ()
    quoted: tuple[Quotation, ...] = ()

    @model_validator(mode="after")
    def _names_what_is_there(self) -> Self:
        problems = [*self._twice(), *self._unknown()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _twice(self) -> Iterator[str]:
        ids = [item.id for item in self.printed]
        ids += [item.id for item in self.recomputed if item.id is not None]
        yield from (f"two numbers are called {name}" for name in sorted({i for i in ids if ids.count(i) > 1}))

    def _unknown(self) -> Iterator[str]:
        numbers = self.numbers()
        recomputed = {item.id for item in self.recomputed}
        printed = {item.id for item in self.printed}
        for item in self.recomputed:
            for name in item.from_:
                if name not in numbers:
                    yield f"{item.how} takes {name}, which is not a printed number"
            if item.printed is not None and item.printed not in numbers:
                yield f"{item.how} is set beside {item.printed}, which is not a printed number"
        for effect in self.effects:
            if effect.estimate not in numbers and effect.estimate not in recomputed:
                yield f"effect on {effect.outcome}: there is no number {effect.estimate}"
        for quotation in self.quoted:
            yield from (
                f"a quotation rests on {i}, which is not there"
                for i in quotation.rests_on
                if i not in printed
            )

    def numbers(self) -> dict[str, tuple[float, float]]:
        """Give every printed number of the source by name, with what rounding may hide."""
        return {name: number for item in self.printed for name, number in item.numbers().items()}

    def figure(self, name: str) -> PrintedFigure:
        """Give one printed figure by its identifier."""
        return next(item for item in self.printed if item.id == name)
