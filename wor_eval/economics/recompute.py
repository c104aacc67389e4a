"""Recomputing what a source prints: the number that follows, the gap, and what rounding can explain of it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from wor_eval.data.published_entry import Entry, PrintedFigure, Recomputation
from wor_eval.effects import published_numbers as numbers
from wor_eval.effects.published_numbers import Followed

Verdict = Literal["follows", "within_rounding", "does_not_follow", "nothing_printed"]
_SLACK: Final = 1e-9
_OWN_UNIT: Final[Mapping[str, str]] = {
    "share": "percent", "percentage": "percent", "persistence": "percent", "ratio": "ratio",
    "ratio_of_ratios": "ratio", "z_of_interval": "ratio", "standardised_change": "standard_deviations",
}  # fmt: skip
_UNIT_OF_SECOND: Final = ("part_of", "product", "mean", "net_benefit", "threshold_of_net_benefit")


def net_benefit(effect: float, cost: float, threshold: float) -> float:
    """Give the net monetary benefit: effect times threshold, less cost.

    Examples
    --------
    >>> round(net_benefit(0.056, -453, 20_000))
    1573
    """
    return threshold * effect - cost


def threshold_of_net_benefit(effect: float, cost: float, benefit: float) -> float:
    """Give the threshold at which effect and cost give a net benefit.

    Examples
    --------
    >>> round(threshold_of_net_benefit(0.056, -453, 1573))
    20000
    """
    return (benefit + cost) / effect


FOLLOWS: Final[Mapping[str, Callable[..., float | Followed]]] = {
    "change": lambda before, after: after - before,
    "ratio": lambda below, above: above / below,
    "percentage": lambda part, whole: 100 * part / whole,
    "share": numbers.share_interval,
    "part_of": lambda percentage, whole: percentage * whole / 100,
    "per_head": lambda amount, n: amount / n,
    "total": lambda *parts: sum(parts),
    "product": lambda factor, value: factor * value,
    "mean": numbers.mean_interval,
    "standardised_change": lambda before, after, deviation: (after - before) / deviation,
    "difference_in_differences": numbers.difference_in_differences,
    "ratio_of_ratios": numbers.ratio_of_ratios,
    "error_of_interval": numbers.error_of_interval,
    "deviation_of_interval": lambda low, high, n: numbers.error_of_interval(low, high) * math.sqrt(n),
    "middle_of_interval": lambda low, high: (low + high) / 2,
    "z_of_interval": lambda middle, low, high: middle / numbers.error_of_interval(low, high),
    "net_benefit": net_benefit,
    "threshold_of_net_benefit": threshold_of_net_benefit,
    "persistence": numbers.persistence,
}
"""Each recomputation that an entry may name; the numbers come in the order in which the entry names them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """A recomputed number beside the printed one.

    Attributes
    ----------
    followed : Followed
        What follows from the printed numbers, at their printed values.
    low, high : float
        The lowest and highest that could follow from the numbers before they were rounded.
    printed : float
        The printed number; missing where none is printed.
    gap : float
        Recomputed minus printed.
    verdict : {"follows", "within_rounding", "does_not_follow", "nothing_printed"}
        It rounds to what is printed; it could, given that its parts are rounded too; it could not.
    unit : str
    """

    followed: Followed
    low: float
    high: float
    printed: float
    gap: float
    verdict: Verdict
    unit: str


def recompute(entry: Entry, item: Recomputation) -> Beside:
    """Recompute one number of a source and set it beside what the source prints.

    What rounding can explain is found by recomputing with every part at either end of its rounding; all of
    :data:`FOLLOWS` rise or fall in each of their parts over so small a range.

    Parameters
    ----------
    entry : Entry
        The source.
    item : Recomputation
        One of its recomputations.

    Returns
    -------
    Beside

    Raises
    ------
    EstimationError
        The numbers do not allow it: a part larger than its whole, for instance.
    """
    known = entry.numbers()
    parts = [known[name] for name in item.from_]
    follow = FOLLOWS[item.how]
    followed = _followed(follow(*(value for value, _ in parts)))
    ends = [(value - half, value + half) if half else (value,) for value, half in parts]
    reached = [_followed(follow(*corner)).value for corner in itertools.product(*ends)]
    low, high = min(reached), max(reached)
    printed, half = (math.nan, 0.0) if item.printed is None else known[item.printed]
    return Beside(
        followed=followed,
        low=low,
        high=high,
        printed=printed,
        gap=followed.value - printed,
        verdict=_verdict(followed.value, (low, high), printed, half),
        unit=_unit(entry, item),
    )


def _followed(found: float | Followed) -> Followed:
    return found if isinstance(found, Followed) else Followed(value=found)


def _verdict(value: float, reached: tuple[float, float], printed: float, half: float) -> Verdict:
    if math.isnan(printed):
        return "nothing_printed"
    slack = _SLACK * max(1.0, abs(printed))
    if abs(value - printed) <= half + slack:
        return "follows"
    apart = reached[0] - half - slack > printed or reached[1] + half + slack < printed
    return "does_not_follow" if apart else "within_rounding"


def _unit(entry: Entry, item: Recomputation) -> str:
    """Give the unit: of the printed number beside it, else what the recomputation makes of the units of its parts."""
    if item.printed is not None:
        return entry.figure(item.printed).unit or ""
    if item.how in _OWN_UNIT:
        return _OWN_UNIT[item.how]
    return _figure(entry, item.from_[1 if item.how in _UNIT_OF_SECOND else 0]).unit or ""


def _figure(entry: Entry, name: str) -> PrintedFigure:
    return entry.figure(name.removesuffix(".low").removesuffix(".high"))
