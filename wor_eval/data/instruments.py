"""What is known of each questionnaire, read from ``data_dictionary/instruments/<code>.yaml``.

A rule stands there only with a public source. What has no source is left empty: a plan must then give it
(:func:`adapt`), and what needs it refuses until it does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Literal

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from wor_eval.assets import asset
from wor_eval.data.value_sets import read_value_set
from wor_eval.errors import DataError, StudyError

Combine = Literal["sum", "mean", "value_set", "scored_only"]
Fill = Literal["person_mean", "zero"]
Direction = Literal["better", "worse"]

FROM_PLAN = "the study plan"

_FACT_OF = {"value_set": "scoring", "score_range": "scoring"}


class _Strict:
    """A declaration without unknown keys."""

    __slots__ = ()
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, slots=True)
class MissingRule(_Strict):
    """How many answers may be missing, and what stands in for them.

    Parameters
    ----------
    max_missing : int
        Most missing answers with which the total still counts.
    fill : {"person_mean", "zero"}
        A missing answer counts as the mean of the person's other answers, or as nothing.
    subscale_max_missing : int
        The same as ``max_missing``, for each subscale.
    """

    max_missing: int
    fill: Fill
    subscale_max_missing: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class CutOff(_Strict):
    """A published limit of a score: exactly one of ``below``, ``at_most`` and ``at_least``."""

    name: str
    below: float | None = None
    at_most: float | None = None
    at_least: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SmallestChange(_Strict):
    """The smallest change of a score that is relevant, in points, and what it rests on."""

    value: float
    basis: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Instrument(_Strict):
    """How a questionnaire is scored.

    Parameters
    ----------
    code : str
        Code of ``data_dictionary/codes/instrument.csv``.
    n_items : int
        Number of answers; 0 where only scores are taken.
    combine : {"sum", "mean", "value_set", "scored_only"}
        ``mean`` gives means per subscale and no total.
    score_range : tuple of float
        Lowest and highest possible score (of a subscale, for ``mean``).
    higher_is : {"better", "worse"}
        Direction of the scale.
    licence, note : str
        Conditions of use, and what must be said beside a result.
    item_range : tuple of int, optional
        Lowest and highest answer.
    coding : str
        What the lowest and highest answer mean, and the order of the items.
    reversed_items : tuple of int
        Items, counted from 1, whose answer is turned round before scoring.
    dichotomy_from : int, optional
        An answer (after turning round) of at least this counts 1, and otherwise 0.
    factor : float
        The sum is multiplied by this.
    conversion : str, optional
        Table of ``data_dictionary/tariffs`` that turns the raw sum into the score.
    value_set : str, optional
        Value set, see :func:`wor_eval.data.value_sets.read_value_set`.
    subscales : mapping of str to tuple of int
        Items of each subscale; empty where no public source says which.
    missing : MissingRule, optional
        None where no published rule was found: only complete answers are then scored.
    cut_offs : tuple of CutOff
        Published limits of the score.
    smallest_change : SmallestChange, optional
        None where no published value was found.
    sources : mapping of str to str
        Source of each fact.
    """

    code: str
    n_items: int
    combine: Combine
    score_range: tuple[float, float]
    higher_is: Direction
    licence: str
    note: str = ""
    item_range: tuple[int, int] | None = None
    coding: str = ""
    reversed_items: tuple[int, ...] = ()
    dichotomy_from: int | None = None
    factor: float = 1
    conversion: str | None = None
    value_set: str | None = None
    subscales: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    missing: MissingRule | None = None
    cut_offs: tuple[CutOff, ...] = ()
    smallest_change: SmallestChange | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        low, high = self.score_range
        return (
            f"<Instrument {self.code}: {self.n_items} items, {low:g} to {high:g}, higher is {self.higher_is}>"
        )


def read_instruments(folder: Path | None = None) -> Mapping[str, Instrument]:
    """Read the declarations of the instruments.

    Parameters
    ----------
    folder : pathlib.Path, optional
        Folder with ``<code>.yaml``; without it, the declarations that ship with the package.

    Returns
    -------
    mapping of str to Instrument
        By code, in alphabetical order.

    Raises
    ------
    DataError
        A declaration is broken, or states a fact without a source: everything wrong is listed at once.

    Examples
    --------
    >>> read_instruments()["who5"]
    <Instrument who5: 5 items, 0 to 100, higher is better>
    """
    return _read(asset("data_dictionary", "instruments") if folder is None else Path(folder))


def adapt(
    instrument: Instrument,
    *,
    max_missing: int | None = None,
    fill: Fill | None = None,
    smallest_change: float | None = None,
    subscales: Mapping[str, Sequence[int]] | None = None,
    value_set: str | None = None,
    source: str = "",
) -> Instrument:
    """Replace facts of an instrument by what a study plan says; the plan then stands as their source.

    Parameters
    ----------
    instrument : Instrument
        Instrument to adapt.
    max_missing : int, optional
        Most missing answers with which a score still counts; for means per subscale, in each subscale.
    fill : {"person_mean", "zero"}, optional
        What stands in for a missing answer; without it as published, else ``person_mean``.
    smallest_change : float, optional
        Smallest relevant change, in points of the score.
    subscales : mapping of str to sequence of int, optional
        Items, counted from 1, of each subscale.
    value_set : str, optional
        Another value set.
    source : str
        Where the plan has it from.

    Returns
    -------
    Instrument
        A new instrument.

    Raises
    ------
    StudyError
        What the plan says does not fit the instrument.

    Examples
    --------
    >>> adapt(read_instruments()["wemwbs"], max_missing=3).missing
    MissingRule(max_missing=3, fill='person_mean', subscale_max_missing=0)
    """
    origin = f"{FROM_PLAN}: {source}" if source else FROM_PLAN
    given = {
        "missing": _planned_rule(instrument, max_missing, fill),
        "smallest_change": None
        if smallest_change is None
        else SmallestChange(value=smallest_change, basis=origin),
        "subscales": None if subscales is None else {name: tuple(items) for name, items in subscales.items()},
        "value_set": value_set,
        "score_range": None if value_set is None else read_value_set(value_set).extremes,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    named = {_FACT_OF.get(name, name): origin for name in changes}
    adapted = replace(instrument, **changes, sources={**instrument.sources, **named})  # type: ignore[arg-type]
    if problems := list(_problems(adapted)):
        raise StudyError(f"the plan cannot be followed for instrument {instrument.code}", problems=problems)
    return adapted


@cache
def _read(folder: Path) -> Mapping[str, Instrument]:
    found, problems = {}, []
    for path in sorted(folder.glob("*.yaml")):
        try:
            instrument = _DECLARATION.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (ValidationError, yaml.YAMLError) as error:
            problems.append(f"{path.name}: {_in_short(error)}")
            continue
        problems += [f"{path.name}: {problem}" for problem in _problems(instrument)]
        if instrument.code != path.stem:
            problems.append(f"{path.name}: the code inside is {instrument.code}")
        found[instrument.code] = instrument
    if problems or not found:
        raise DataError(
            "the declarations of the instruments cannot be used", problems=problems or ["none found"]
        )
    return MappingProxyType(found)


_DECLARATION = TypeAdapter(Instrument)


def _in_short(error: ValidationError | yaml.YAMLError) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    return "not valid YAML"


def _planned_rule(instrument: Instrument, max_missing: int | None, fill: Fill | None) -> MissingRule | None:
    if max_missing is None:
        if fill is not None:
            raise StudyError(f"instrument {instrument.code}: fill needs max_missing")
        return None
    published = instrument.missing.fill if instrument.missing else "person_mean"
    of_subscales = max_missing if instrument.combine == "mean" else 0
    return MissingRule(max_missing=max_missing, fill=fill or published, subscale_max_missing=of_subscales)


def _problems(instrument: Instrument) -> Iterator[str]:
    yield from _unsourced(instrument)
    if instrument.score_range[0] >= instrument.score_range[1]:
        yield "score_range: the lowest score must be below the highest"
    if (instrument.combine == "scored_only") != (instrument.n_items == 0):
        yield "n_items: 0 goes with combine scored_only, and only with it"
    if instrument.n_items and (
        instrument.item_range is None or instrument.item_range[0] >= instrument.item_range[1]
    ):
        yield "item_range: the lowest and the highest answer are needed"
    if (instrument.combine == "value_set") != (instrument.value_set is not None):
        yield "value_set: goes with combine value_set, and only with it"
    elif not _fits_value_set(instrument):
        yield f"value_set: {instrument.value_set} is a set for another questionnaire"
    used = {*instrument.reversed_items, *(item for items in instrument.subscales.values() for item in items)}
    if used - set(range(1, instrument.n_items + 1)):
        yield f"items must be numbered from 1 to {instrument.n_items}"
    if any(len(items) != len(set(items)) for items in instrument.subscales.values()):
        yield "subscales: an item is named twice in one subscale"
    yield from _bad_limits(instrument)


def _fits_value_set(instrument: Instrument) -> bool:
    if instrument.value_set is None or instrument.item_range is None:
        return True
    wanted = (instrument.n_items, instrument.item_range[1])
    return read_value_set(instrument.value_set).terms.shape == wanted


def _bad_limits(instrument: Instrument) -> Iterator[str]:
    rule, change = instrument.missing, instrument.smallest_change
    if rule and not 0 <= rule.max_missing < max(instrument.n_items, 1):
        yield f"max_missing: must be from 0 to {instrument.n_items - 1}"
    if rule and rule.max_missing and (instrument.value_set or instrument.conversion):
        yield "max_missing: a score looked up in a table needs every answer; impute the score instead"
    if change and not 0 < change.value <= instrument.score_range[1] - instrument.score_range[0]:
        yield "smallest_change: must be above 0 and within the range of the score"
    for cut in instrument.cut_offs:
        if sum(limit is not None for limit in (cut.below, cut.at_most, cut.at_least)) != 1:
            yield f"cut_offs: {cut.name} needs exactly one of below, at_most, at_least"


def _unsourced(instrument: Instrument) -> Iterator[str]:
    """Yield each fact that is stated without a source."""
    stated = {
        "items": bool(instrument.n_items),
        "scoring": True,
        "direction": True,
        "licence": True,
        "subscales": bool(instrument.subscales),
        "missing": instrument.missing is not None,
        "cut_offs": bool(instrument.cut_offs),
        "smallest_change": instrument.smallest_change is not None,
    }
    for fact, is_stated in stated.items():
        if is_stated and not instrument.sources.get(fact, "").strip():
            yield f"sources: {fact} is stated without a source"
