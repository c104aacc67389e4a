"""The plan of a study of effects: what is asked, who is in, which windows, which outcomes, which effects.

A plan is data. It is read from TOML, checked as a whole (every mistake at once), digested into the manifest
of the results and printed in the report. Nothing in it is executed. Other kinds of study have a module of their own
and stand in :data:`PLANS`.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from wor_eval.attenders_plan import FrequentAttenders
from wor_eval.design_plan import Design
from wor_eval.economics_plan import Economics
from wor_eval.errors import StudyError
from wor_eval.gates_plan import Gates
from wor_eval.outcome_plan import Outcome, OwnPrice, price_problems, with_own_prices
from wor_eval.plan_parts import Age, Assumption, Day, Days, Disclosure, Lang, StudyPlan, Text, group_names
from wor_eval.plan_parts import Plan as _Plan
from wor_eval.power_plan import PowerPlan
from wor_eval.published_plan import PublishedStudy
from wor_eval.reach_plan import Reach

__all__ = [
    "PLANS", "Assumption", "CohortPlan", "Days", "Design", "Disclosure", "Economics", "EffectPlan", "Gates", "Lang",
    "Outcome", "PowerStudy", "Rule", "Study", "StudyPlan", "Text", "Windows", "power_study", "read_study", "study_plan",
]  # fmt: skip


def _refuse(problems: list[str]) -> None:
    """Say everything that is wrong with a part of the plan at once."""
    if problems:
        raise ValueError("; ".join(problems))


class Rule(_Plan):
    """A rule that a person must meet to be in the cohort.

    ``column`` is a column of the cohort's persons: a column of ``persons``, ``age``, ``practice_id``, or
    ``days_<window>``, the days of a window in which the person was observed.
    """

    column: str
    at_least: float | None = None
    at_most: float | None = None
    one_of: tuple[str, ...] | None = None
    reason: Text

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.at_least is None and self.at_most is None and not self.one_of:
            raise ValueError("a rule needs at_least, at_most or one_of")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"nobody has at_least {self.at_least:g} and at_most {self.at_most:g}")
        return self


class CohortPlan(_Plan):
    """Who is in: the index date, the study period, the age bands, the rules.

    Everybody is offered ``entries`` entry dates as a comparison person, or a random ``offered_share`` of everybody:
    a national register holds more persons than a study can use.
    """

    index: Literal["referrals.referred_on"] = "referrals.referred_on"
    referred_from: Day | None = None
    referred_until: Day | None = None
    observed_from: Day | None = None
    observed_until: Day | None = None
    bands: tuple[Age, ...] = (18, 65)
    entries: Annotated[int, Field(ge=0, le=366)] = 0
    offered_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    include: tuple[Rule, ...] = ()

    @field_validator("bands")
    @classmethod
    def _rising(cls, bands: tuple[int, ...]) -> tuple[int, ...]:
        if not bands or list(bands) != sorted(set(bands)) or bands[0] < 0:
            raise ValueError("bands must be rising ages, the lower limit of each band")
        return bands

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for first, last in (
            (self.referred_from, self.referred_until),
            (self.observed_from, self.observed_until),
        ):
            if first and last and first > last:
                raise ValueError(f"the period {first} to {last} ends before it starts")
        return self

    @property
    def band_names(self) -> tuple[str, ...]:
        """The age bands by name: ``18-64`` and ``65+`` for limits 18 and 65."""
        return group_names(self.bands)


Month = Annotated[int, Field(ge=-1200, le=1200)]


class Windows(_Plan):
    """Windows of observation, in days from the index date, both ends included."""

    placebo: Days | None = None
    before: Days
    after: Days
    months: tuple[Month, Month] | None = None
    quarters: Annotated[int, Field(ge=0, le=400)] = 0
    years: Annotated[int, Field(ge=1, le=100)] = 1

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        wrong = {f"window {name} ends before it starts": a > b for name, (a, b) in self.named().items()}
        wrong["window before must end before the index date (day 0)"] = self.before[1] >= 0
        wrong["window after must not start before the index date (day 0)"] = self.after[0] < 0
        wrong["window placebo must end before window before starts"] = bool(
            self.placebo and self.placebo[1] >= self.before[0]
        )
        wrong["months must rise"] = bool(self.months and self.months[0] > self.months[1])
        _refuse([problem for problem, found in wrong.items() if found])
        return self

    def named(self) -> dict[str, Days]:
        """Give placebo, before and after, those that the plan has."""
        named = {"placebo": self.placebo, "before": self.before, "after": self.after}
        return {name: days for name, days in named.items() if days is not None}

    def monthly(self) -> dict[str, Days]:
        """Give the blocks of 30 days around the index date that the plan asks for, by name (``month-1``)."""
        if self.months is None:
            return {}
        return {
            f"month{block:+d}": (30 * block, 30 * block + 29)
            for block in range(self.months[0], self.months[1] + 1)
        }

    def quarterly(self) -> dict[str, Days]:
        """Give the quarters of 91 days before the index date that the plan asks for, by name (``quarter-1``)."""
        return {f"quarter-{back}": (-91 * back, -91 * (back - 1) - 1) for back in range(1, self.quarters + 1)}

    def yearly(self) -> dict[str, Days]:
        """Give the years of history before window before, by name (``year-2``, ``year-3``, ...)."""
        return {f"year-{back}": (-365 * back, -365 * (back - 1) - 1) for back in range(2, self.years + 1)}

    def all(self) -> dict[str, Days]:
        """Give every window by name."""
        return {**self.named(), **self.quarterly(), **self.yearly(), **self.monthly()}


_COMPARED: Final[Mapping[str, tuple[str, ...]]] = {
    "before_after": ("before", "after"),
    "after_only": ("after",),
    "difference_in_differences": ("before", "after"),
    "against_earlier_year": ("placebo", "after"),
}
"""The windows that each contrast compares."""


class EffectPlan(_Plan):
    """A contrast for some outcomes; the headline is the one that the plan fixes beforehand."""

    contrast: Literal["before_after", "after_only", "difference_in_differences", "against_earlier_year"]
    outcomes: tuple[str, ...]
    headline: bool = False


class Study(StudyPlan):
    """The plan of a study of effects, as read by :func:`read_study`."""

    kind: Literal["effects"] = "effects"
    replicates: Annotated[int, Field(ge=100, le=1_000_000)] = 2000
    cohort: CohortPlan
    windows: Windows
    outcomes: Annotated[tuple[Outcome, ...], Field(min_length=1)]
    prices: tuple[OwnPrice, ...] = ()
    design: Design | None = None
    effects: Annotated[tuple[EffectPlan, ...], Field(min_length=1)]
    negative_control: str | None = None
    economics: Economics | None = None
    gates: Gates = Gates()
    power: PowerPlan | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [outcome.name for outcome in self.outcomes]
        used = {name for effect in self.effects for name in effect.outcomes} | {
            self.negative_control or names[0]
        }
        unknown = ", ".join(sorted(used - set(names)))
        headlines = [effect for effect in self.effects if effect.headline]
        wrong = {
            "two outcomes have the same name": len(names) != len(set(names)),
            f"effects or checks name outcomes that are not in the plan: {unknown}": bool(unknown),
            "exactly one effect, with one outcome, must be the headline": len(headlines) != 1
            or len(headlines[0].outcomes) != 1,
        }
        problems = [problem for problem, found in wrong.items() if found]
        problems += price_problems(self.prices, self.outcomes)
        own = {**self.windows.named(), **self.windows.quarterly(), **self.windows.yearly()}
        problems += [problem for outcome in self.outcomes for problem in outcome.window_problems(own)]
        problems = problems or self._left_out_windows()
        _refuse(problems + self._design_problems() + self._economic_problems())
        # The plan is frozen from here on: prices are handed to the outcomes while it is being made.
        object.__setattr__(self, "outcomes", with_own_prices(self.outcomes, self.prices))
        return self

    def _left_out_windows(self) -> list[str]:
        """Say which windows of its own an outcome leaves out while a contrast or the design reads them."""
        reads = [
            (name, f"contrast {e.contrast}", _COMPARED[e.contrast])
            for e in self.effects
            for name in e.outcomes
        ]
        if self.design is not None:
            history = self.economics.matched_on if self.economics else self.headline.outcomes[0]
            reads.append((history, "the history of [design]", self.design.history_windows))
        own = {outcome.name: outcome.windows for outcome in self.outcomes if outcome.windows is not None}
        lacking = [
            (name, reader, ", ".join(window for window in windows if window not in own[name]))
            for name, reader, windows in reads
            if name in own
        ]
        return [
            f"windows of outcome {name}: {reader} needs {windows}; give it there too, or leave windows out"
            for name, reader, windows in dict.fromkeys(lacking)
            if windows
        ]

    def _design_problems(self) -> list[str]:
        """Say what a design needs that the plan does not give."""
        contrasts = {effect.contrast for effect in self.effects}
        if self.design is None:
            unmatched = contrasts - {"before_after"}
            problems = [f"contrast {name} needs a [design]" for name in sorted(unmatched)]
            return problems + self.gates.problems(has_design=False)
        needs = {
            "cohort.entries must be 1 or more: a design needs comparison persons": self.cohort.entries > 0,
            "windows.placebo is needed for the placebo contrast": self.windows.placebo is not None,
            "windows.quarters must be 4 or more for history by quarter": self.windows.quarters >= 4,
            "windows.years must be 2 or more for history = level": self.design.history != "level"
            or self.windows.years > 1,
        }
        return [problem for problem, met in needs.items() if not met]

    def _economic_problems(self) -> list[str]:
        """Say what an economic evaluation needs that the plan does not give."""
        if self.economics is None:
            return []
        if self.design is None:
            return ["economics needs a [design]: with one strategy there is nothing to choose between"]
        windows = {o.name: (o.windows or self.windows.named()).get("after", (0, 0)) for o in self.outcomes}
        years = {o.name: o.price_year for o in self.outcomes if o.price_year is not None}
        return self.economics.problems(self.cohort.band_names, windows, years)

    @property
    def headline(self) -> EffectPlan:
        """The effect that the plan fixed as the answer to its question."""
        return next(effect for effect in self.effects if effect.headline)

    def outcome(self, name: str) -> Outcome:
        """Give one outcome by name."""
        return next(outcome for outcome in self.outcomes if outcome.name == name)


class PowerStudy(StudyPlan):
    """The planning of a study of effects: the same plan, simulated instead of carried out; it reads no data."""

    needs_data: ClassVar[bool] = False
    kind: Literal["power"] = "power"
    study: Study


def power_study(study: StudyPlan) -> PowerStudy:
    """Give the planning of a study of effects, by the name ``<study>_power``.

    Raises
    ------
    StudyError
        The plan is of another kind: there is no contrast to plan for.
    """
    if not isinstance(study, Study):
        raise StudyError(f"plan {study.name} is of kind {study.kind}: power is that of a study of effects")
    return PowerStudy(
        name=f"{study.name}_power",
        title=Text(nl=f"Vooraf: {study.title.nl}", en=f"Beforehand: {study.title.en}"),
        question=study.question,
        seed=study.seed,
        assumptions=study.assumptions,
        disclosure=study.disclosure,
        study=study,
    )


PLANS: Final[Mapping[str, type[StudyPlan]]] = {
    "effects": Study,
    "reach": Reach,
    "frequent_attenders": FrequentAttenders,
    "published_evidence": PublishedStudy,
    "power": PowerStudy,
}
"""The model of each kind of plan; ``kind`` of a plan is ``effects`` where it says nothing."""


def read_study(path: Path | str) -> StudyPlan:
    """Read a study plan from TOML.

    Parameters
    ----------
    path : Path or str
        The plan. The stem of its name is the name of the study. Its ``[sources]``, if it has any, are left to
        :func:`wor_eval.data.read.read_data`.

    Returns
    -------
    StudyPlan
        The checked plan: a :class:`Study`, or the model of the kind that it names.

    Raises
    ------
    StudyError
        The file is not there, is not TOML, or holds mistakes; all of them are listed.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise StudyError(f"there is no study plan {path.name}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(f"{path.name} is not valid TOML: {error}") from None
    content.pop("sources", None)  # where the data stand is no part of what is asked of them
    return study_plan({"name": path.stem, **content}, origin=path.name)


def study_plan(content: Mapping[str, Any], *, origin: str = "the plan") -> StudyPlan:
    """Check a plan that is already in memory.

    Parameters
    ----------
    content : mapping
        The plan as nested mappings, with ``name``.
    origin : str
        What to call the plan in a message.

    Returns
    -------
    StudyPlan
        The checked plan: a :class:`Study`, or the model of the kind that it names.

    Raises
    ------
    StudyError
        The plan holds mistakes; all of them are listed.
    """
    kind = content.get("kind", "effects")
    if not isinstance(kind, str) or kind not in PLANS:
        raise StudyError(f"{origin}: there is no kind of study {kind!r}; kind is one of {', '.join(PLANS)}")
    try:
        return PLANS[kind].model_validate(content)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in item['loc']) or 'plan'}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        ]
        raise StudyError(f"{origin} cannot be carried out as it stands", problems=problems) from None
