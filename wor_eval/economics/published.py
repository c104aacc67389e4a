"""Tables of published evidence: what is printed, what follows from it, what can be pooled."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from wor_eval.data.published_entry import Entry, PublishedEffect
from wor_eval.economics.recompute import Beside, recompute
from wor_eval.effects.meta_analysis import Pooled, pool_effects
from wor_eval.effects.published_numbers import error_of_interval
from wor_eval.errors import DataError, EstimationError
from wor_eval.published_plan import Pool, PublishedStudy

if TYPE_CHECKING:
    import pandas as pd

DESIGNS: Final = ("uncontrolled", "matched", "randomised")
"""Designs whose effects are never pooled with each other."""
Row = dict[str, Any]


def published_tables(entries: Sequence[Entry], plan: PublishedStudy) -> dict[str, pd.DataFrame]:
    """Make the tables of a study of published evidence.

    Parameters
    ----------
    entries : sequence of Entry
        The sources.
    plan : PublishedStudy
        Which effects are pooled, and how.

    Returns
    -------
    dict of str to DataFrame
        ``published_sources, published_numbers, recomputed, misquoted, published_effects, pooled``.

    Raises
    ------
    DataError
        Numbers of an entry do not allow a recomputation that it names; all of them are listed.
    """
    import pandas as pd

    beside = _all_recomputed(entries)
    effects = pd.DataFrame(_effect_rows(entries, beside))
    return {
        "published_sources": pd.DataFrame([_source_row(entry) for entry in entries]),
        "published_numbers": pd.DataFrame([row for entry in entries for row in _number_rows(entry)]),
        "recomputed": pd.DataFrame([row for entry in entries for row in _recomputed_rows(entry, beside)]),
        "misquoted": pd.DataFrame([row for entry in entries for row in _quoted_rows(entry)], columns=_QUOTED),
        "published_effects": effects,
        "pooled": pd.DataFrame([row for pool in plan.pools for row in _pool_rows(pool, effects, plan)]),
    }


def _all_recomputed(entries: Sequence[Entry]) -> dict[tuple[str, int], Beside]:
    """Recompute everything; what cannot be is listed at once."""
    found, problems = {}, []
    for entry in entries:
        for position, item in enumerate(entry.recomputed):
            try:
                found[entry.name, position] = recompute(entry, item)
            except (EstimationError, ZeroDivisionError, ValueError) as error:
                problems.append(f"{entry.name}: {item.how} of {', '.join(item.from_)}: {error}")
    if problems:
        raise DataError("published numbers that do not allow what is to be recomputed", problems=problems)
    return found


def _source_row(entry: Entry) -> Row:
    source = entry.source
    texts = {
        f"{name}_{lang}": getattr(getattr(source, name), lang)
        for name in _SOURCE_TEXTS
        for lang in ("nl", "en")
    }
    return {
        "source": entry.name,
        "citation": source.citation,
        "found_at": source.found_at,
        "year": source.year,
        "design": source.design,
        "n_persons": math.nan if source.n is None else source.n,
        **texts,
    }


_SOURCE_TEXTS: Final = ("study", "population", "access")


def _number_rows(entry: Entry) -> Iterator[Row]:
    for item in entry.printed:
        yield {
            "source": entry.name,
            "citation": entry.source.citation,
            "number": item.id,
            "quantity_nl": item.quantity.nl,
            "quantity_en": item.quantity.en,
            "value": _float(item.value),
            "decimals": decimals(item.value),
            "conf_low": _float(item.conf_low),
            "conf_high": _float(item.conf_high),
            "text_nl": item.text.nl if item.text else "",
            "text_en": item.text.en if item.text else "",
            "unit": item.unit or "",
            "basis": item.basis,
            "where_nl": item.where.nl,
            "where_en": item.where.en,
        }


def decimals(text: str | None) -> int:
    """Give how many decimals a number is printed with.

    Examples
    --------
    >>> decimals("10.0"), decimals("1956")
    (1, 0)
    """
    return len(text.partition(".")[2]) if text else 0


def _float(text: str | None) -> float:
    return math.nan if text is None else float(text)


def _recomputed_rows(entry: Entry, beside: dict[tuple[str, int], Beside]) -> Iterator[Row]:
    for position, item in enumerate(entry.recomputed):
        found = beside[entry.name, position]
        yield {
            "source": entry.name,
            "citation": entry.source.citation,
            "quantity_nl": item.quantity.nl,
            "quantity_en": item.quantity.en,
            "how": item.how,
            "unit": found.unit,
            "printed": found.printed,
            "decimals": _shown_decimals(entry, item.printed, found.followed.value),
            "recomputed": found.followed.value,
            "conf_low": found.followed.conf_low,
            "conf_high": found.followed.conf_high,
            "gap": found.gap,
            "rounding_low": found.low,
            "rounding_high": found.high,
            "verdict": found.verdict,
            "note_nl": item.note.nl if item.note else "",
            "note_en": item.note.en if item.note else "",
        }


def _shown_decimals(entry: Entry, printed: str | None, value: float) -> int:
    """Give one decimal more than is printed; three significant digits where nothing is printed."""
    if printed is not None:
        return decimals(entry.figure(printed).value) + 1
    return 0 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))


_QUOTED: Final = [
    "source", "citation", "by_nl", "by_en", "says_nl", "says_en", "in_fact_nl", "in_fact_en", "rests_on",
]  # fmt: skip


def _quoted_rows(entry: Entry) -> Iterator[Row]:
    for item in entry.quoted:
        texts = {
            f"{name}_{lang}": getattr(getattr(item, name), lang)
            for name in ("by", "says", "in_fact")
            for lang in ("nl", "en")
        }
        rests_on = " ".join(item.rests_on)
        yield {"source": entry.name, "citation": entry.source.citation, **texts, "rests_on": rests_on}


def _effect_rows(entries: Sequence[Entry], beside: dict[tuple[str, int], Beside]) -> list[Row]:
    return [
        {
            "outcome": effect.outcome,
            "scale": effect.scale,
            "unit": effect.unit,
            "design": entry.source.design,
            "source": entry.name,
            "citation": entry.source.citation,
            **_effect_numbers(entry, effect, beside),
        }
        for entry in entries
        for effect in entry.effects
    ]


def _effect_numbers(entry: Entry, effect: PublishedEffect, beside: dict[tuple[str, int], Beside]) -> Row:
    """Give estimate, standard error and interval in the unit of comparison; for a ratio the error is that of its log."""
    known, times = entry.numbers(), float(effect.times)
    if effect.estimate in known:
        middle, low, high = (
            known.get(f"{effect.estimate}{end}", (math.nan, 0))[0] for end in ("", ".low", ".high")
        )
    else:
        position = next(i for i, item in enumerate(entry.recomputed) if item.id == effect.estimate)
        found = beside[entry.name, position].followed
        middle, low, high = found.value, found.conf_low, found.conf_high
    if effect.scale == "ratio":
        error = error_of_interval(math.log(low), math.log(high)) if low > 0 else math.nan
    else:
        low, middle, high = low * times, middle * times, high * times
        error = error_of_interval(low, high)
    return {
        "estimate": middle,
        "std_error": error,
        "conf_low": low,
        "conf_high": high,
        "usable": bool(math.isfinite(error) and error > 0),
    }


def _pool_rows(pool: Pool, effects: pd.DataFrame, plan: PublishedStudy) -> Iterator[Row]:
    """Give a row for each design: pooled where there are enough comparable results, and why not elsewhere."""
    alike = effects[
        (effects["outcome"] == pool.outcome)
        & (effects["scale"] == pool.scale)
        & (effects["unit"] == pool.unit)
    ]
    for design in DESIGNS:
        found = alike[alike["design"] == design]
        usable = found[found["usable"]]
        enough = len(usable) >= plan.fewest
        yield {
            "outcome": pool.outcome,
            "label_nl": pool.label.nl,
            "label_en": pool.label.en,
            "scale": pool.scale,
            "unit": pool.unit,
            "design": design,
            "n_found": len(found),
            "n_usable": len(usable),
            "fewest": plan.fewest,
            "pooled": enough,
            **(_pooled(usable, pool, plan) if enough else dict.fromkeys(_POOLED, math.nan)),
        }


_POOLED: Final = tuple(field.name for field in fields(Pooled) if field.name != "n_studies")
_BACK: Final = ("estimate", "conf_low", "conf_high", "prediction_low", "prediction_high")


def _pooled(usable: pd.DataFrame, pool: Pool, plan: PublishedStudy) -> Row:
    ratio = pool.scale == "ratio"
    estimate = usable["estimate"].to_numpy(float)
    found = pool_effects(np.log(estimate) if ratio else estimate, usable["std_error"], spread=plan.spread)
    values = {name: value for name, value in asdict(found).items() if name in _POOLED}
    return {name: math.exp(v) if ratio and name in _BACK else v for name, v in values.items()}
