"""The economic part of a plan: what a trajectory costs, what counts as effect, who decides, who might be referred.

No price has a default. Every input carries its source, and the range over which it is moved stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from wor_eval.plan_parts import Plan, Text

Perspective = Literal["societal", "healthcare", "municipality"]
Payer = Literal["zvw", "wmo", "wlz", "own"]

VALUED_INSTRUMENTS = frozenset({"eq5d5l", "eq5d3l"})
"""Instruments with a Dutch value set; only these give QALYs."""

_LONGEST_UNDISCOUNTED_DAYS = 380
_SLACK_DAYS = 15


class Input(Plan):
    """A number that the study brings along: its value, the range over which it is moved, and its source.

    Examples
    --------
    >>> given = Input(value=55, low=40, high=75, source={"nl": "begroting", "en": "budget"})
    >>> given.high - given.low
    35.0
    """

    value: Annotated[float, Field(ge=0)]
    low: Annotated[float, Field(ge=0)] | None = None
    high: Annotated[float, Field(ge=0)] | None = None
    source: Text

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high go together")
        if self.low is not None and self.high is not None and not self.low <= self.value <= self.high:
            raise ValueError("low, value and high must rise")
        if not (self.source.nl.strip() and self.source.en.strip()):
            raise ValueError("source: say in both languages where the number comes from")
        return self


class Trajectory(Plan):
    """What Welzijn op Recept itself costs; there is no default price.

    The hours of the coach are ``hours + hours_per_contact x contacts`` of each referred person. Overhead is a share
    on top of the hours; time of volunteers is valued but nobody pays it.
    """

    payer: Payer
    price_year: int
    hours: Input
    hours_per_contact: Input | None = None
    coach_hour: Input
    overhead: Input
    activity: Input
    volunteer_hours: Input
    volunteer_hour: Input

    @model_validator(mode="after")
    def _not_free(self) -> Self:
        per_contact = self.hours_per_contact.value if self.hours_per_contact else 0.0
        if self.hours.value + per_contact <= 0:
            raise ValueError("hours: a trajectory takes hours of a coach; give a number above zero")
        if self.coach_hour.value <= 0:
            raise ValueError("coach_hour: a price above zero is needed; a trajectory is not free")
        if self.volunteer_hours.value > 0 and self.volunteer_hour.value <= 0:
            raise ValueError("volunteer_hour: hours of volunteers are given but no value of an hour")
        return self

    def inputs(self) -> dict[str, Input]:
        """Give the inputs that are there, by name."""
        names = ("hours", "hours_per_contact", "coach_hour", "overhead", "activity")
        found = {name: getattr(self, name) for name in (*names, "volunteer_hours", "volunteer_hour")}
        return {name: value for name, value in found.items() if value is not None}


class EffectMeasure(Plan):
    """What is gained: QALYs, or the area under a score in its own unit.

    Scores are read off straight lines between questionnaires; the last one stands until the horizon. The baseline
    is the last score in window ``baseline``; somebody whose last questionnaire lies before day ``followed_until``
    has no effect.
    """

    measure: Literal["qaly", "area"]
    instrument: str
    unit: Text
    baseline: tuple[int, int] = (-182, 14)
    followed_until: Annotated[int, Field(gt=0)] = 150

    @model_validator(mode="after")
    def _has_values(self) -> Self:
        if self.measure == "qaly" and self.instrument not in VALUED_INSTRUMENTS:
            known = ", ".join(sorted(VALUED_INSTRUMENTS))
            raise ValueError(
                f"instrument {self.instrument} has no Dutch value set, so no QALY (those with one: {known}); take "
                'measure = "area", its score in its own unit'
            )
        if self.baseline[0] > self.baseline[1]:
            raise ValueError("window baseline ends before it starts")
        return self


class Uptake(Plan):
    """Which share of the eligible is referred: in the first year and in the last, by age band."""

    first: Mapping[str, Annotated[float, Field(ge=0, le=1)]]
    last: Mapping[str, Annotated[float, Field(ge=0, le=1)]]


class UptakeScenario(Uptake):
    """A scenario of referral, with its name."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    label: Text


class Budget(Plan):
    """Who might be referred in the years to come, and which scenarios are held against today's."""

    years: Annotated[int, Field(ge=2, le=20)] = 5
    eligible: Mapping[str, Input]
    current: Uptake
    scenarios: Annotated[tuple[UptakeScenario, ...], Field(min_length=1)]
    source: Text

    @field_validator("eligible")
    @classmethod
    def _somebody(cls, eligible: Mapping[str, Input]) -> Mapping[str, Input]:
        none = [band for band, persons in eligible.items() if persons.value <= 0]
        if none:
            raise ValueError(f"no eligible persons at {', '.join(none)}: a number above zero is needed")
        return eligible


class Change(Plan):
    """A scenario in which inputs differ together from the base."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    label: Text
    values: Mapping[str, Annotated[float, Field(ge=0)]]


class Beyond(Plan):
    """What is assumed after the observed year; without this part of the plan nothing is counted there.

    ``effect`` and ``costs`` say how the yearly difference goes on: it stays (``none``), or falls in a straight line to
    zero at the end of the years added (``linear``). The trajectory itself is paid once.
    """

    years: Annotated[int, Field(ge=1, le=30)]
    effect: Literal["none", "linear"]
    costs: Literal["none", "linear"]
    source: Text


class Thresholds(Plan):
    """What may be paid for one unit of effect; ``main`` is the one that sentences and sensitivity use."""

    values: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]
    main: float
    source: Text

    @model_validator(mode="after")
    def _main_among_them(self) -> Self:
        if self.main not in self.values or list(self.values) != sorted(set(self.values)):
            raise ValueError("values must rise, and main must be one of them")
        return self


class Economics(Plan):
    """The economic evaluation: costs and effects over one horizon, from one perspective.

    ``costs`` names for each payer the outcome that holds its costs; ``matched_on`` the outcome whose history serves
    the design. ``guideline`` is the edition whose discount rates count; ``effect`` and ``trajectory`` as above.
    """

    perspective: Perspective
    horizon_days: Annotated[int, Field(gt=0)]
    guideline: str | None = None
    matched_on: str
    costs: Annotated[Mapping[Payer, str], Field(min_length=1)]
    effect: EffectMeasure
    trajectory: Trajectory
    thresholds: Thresholds
    budget: Budget
    beyond: Beyond | None = None
    scenarios: tuple[Change, ...] = ()
    two_way: tuple[str, str] = ("coach_hour", "hours")
    replicates: Annotated[int, Field(ge=1000)] = 2000
    imputations: Annotated[int, Field(ge=2)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _has_a_price(cls, content: object) -> object:
        if isinstance(content, Mapping) and not content.get("trajectory"):
            raise ValueError(
                "economics.trajectory is missing: give the hours, prices, payer and sources of Welzijn op Recept "
                "itself; there is no default, and without it nothing can be said about value for money"
            )
        return content

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = [*self._moved_problems()]
        if self.trajectory.payer not in self.costs:
            problems.append(f"payer {self.trajectory.payer} pays the trajectory but has no outcome in costs")
        if self.horizon_days > _LONGEST_UNDISCOUNTED_DAYS:
            problems.append(
                "horizon_days: costs and effects beyond a year are not carried by this version; to count later years "
                "give economics.beyond, with what is assumed there"
            )
        if self.guideline is None:
            problems.append(
                f"guideline: a budget over {self.budget.years} years and the value of research need discount rates; "
                "name the edition of the guideline"
            )
        if self.effect.followed_until > self.horizon_days:
            problems.append("effect.followed_until lies beyond the horizon")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _moved_problems(self) -> list[str]:
        """List inputs that are moved but not there, or have no range."""
        inputs = self.trajectory.inputs()
        unknown = sorted({name for change in self.scenarios for name in change.values} - set(inputs))
        found = [f"scenarios: {name} is no input of the trajectory" for name in unknown]
        fixed = [name for name in self.two_way if name not in inputs or inputs[name].low is None]
        return found + [f"two_way: {name} is no input of the trajectory with low and high" for name in fixed]

    def problems(
        self, bands: tuple[str, ...], windows: Mapping[str, tuple[int, int]], price_years: Mapping[str, int]
    ) -> list[str]:
        """Say what does not fit the rest of the plan.

        Parameters
        ----------
        bands : tuple of str
            Age bands of the plan.
        windows : mapping of str to (int, int)
            Window ``after`` of each outcome of the plan.
        price_years : mapping of str to int
            Price year of each cost outcome of the plan.

        Returns
        -------
        list of str
            Every mismatch.
        """
        found = []
        named = {*self.costs.values(), self.matched_on}
        found += [
            f"economics names outcome {name}, which the plan does not have"
            for name in sorted(named - set(windows))
        ]
        for payer, name in self.costs.items():
            days = windows.get(name)
            length = None if days is None else days[1] - days[0] + 1
            if length is not None and (
                days is None or days[0] != 0 or abs(length - self.horizon_days) > _SLACK_DAYS
            ):
                found.append(
                    f"costs of {payer} cover {length} days and effects {self.horizon_days}: measure both over one "
                    "horizon that starts on the index date (windows.after of the outcome)"
                )
            if name in windows and price_years.get(name) != self.trajectory.price_year:
                found.append(f"costs of {payer} and the trajectory are not in prices of one year")
        uptakes = (self.budget.current, *self.budget.scenarios)
        for part in (self.budget.eligible, *(u.first for u in uptakes), *(u.last for u in uptakes)):
            if set(part) != set(bands):
                found.append(f"economics.budget: give a number for each of {', '.join(bands)}")
                break
        return found
