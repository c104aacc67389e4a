"""Figures of published evidence: every effect with its interval, and what is pooled below those of its design."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from wor_eval.language import interval, number
from wor_eval.report.figures import neutral_line
from wor_eval.report.picture import (
    COLOURS,
    INK,
    MARKERS,
    MUTED,
    Picture,
    finish,
    label_rows,
    new_figure,
    nothing_to_show,
)
from wor_eval.report.published_tables import short
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DESIGNS: Final = ("uncontrolled", "matched", "randomised")
_KEY: Final = ["outcome", "scale", "unit"]


def forest(results: Results) -> Picture:
    """Draw every published effect: a panel for each outcome in its own unit, a marker for each design.

    Parameters
    ----------
    results : Results
        With the tables ``published_effects`` and ``pooled``.

    Returns
    -------
    Picture
        An effect without an interval is an open marker; a pooled one is a diamond with its prediction interval.
    """
    frame, lang = results.table("published_effects"), results.lang
    if frame.empty:
        return nothing_to_show(lang)
    pooled = results.table("pooled")
    pooled = pooled[pooled["pooled"]]
    panels = [(key, _ordered(rows), _of(pooled, key)) for key, rows in frame.groupby(_KEY, sort=False)]
    heights = [len(rows) + len(of) + 1.3 for _, rows, of in panels]
    figure, axes = new_figure(height=0.31 * sum(heights) + 0.6, rows=len(panels), heights=heights)
    for one, (key, rows, of) in zip(axes, panels, strict=True):
        _panel(one, (rows, of), (str(key[0]), str(key[1]), str(key[2])), lang)
    _legend(figure, frame, lang)
    return finish(figure, alt="; ".join(_alt(row, lang) for _, row in frame.iterrows()))


def _ordered(rows: pd.DataFrame) -> pd.DataFrame:
    place = rows["design"].map({design: i for i, design in enumerate(_DESIGNS)})
    return rows.assign(place=place).sort_values(["place", "source"], kind="stable")


def _of(pooled: pd.DataFrame, key: Any) -> pd.DataFrame:
    same = pooled[_KEY].apply(tuple, axis=1) == tuple(key) if len(pooled) else []
    return pooled[same]


def _panel(
    axes: Axes, parts: tuple[pd.DataFrame, pd.DataFrame], key: tuple[str, str, str], lang: Lang
) -> None:
    rows, pooled = parts
    labels: list[str] = []
    for _, row in rows.iterrows():
        _effect(axes, row, -len(labels), lang)
        labels.append(short(str(row["citation"])))
    for _, row in pooled.iterrows():
        _diamond(axes, row, -len(labels), lang)
        together = "Samengevoegd" if lang == "nl" else "Pooled"
        of = term("published_" + row["design"], lang).split(",")[0].lower()
        labels.append(together if len(pooled) == 1 else f"{together}: {of}")
    label_rows(axes, labels)
    axes.spines["left"].set_visible(False)
    neutral_line(axes, key[1], lang)
    axes.margins(x=0.08)
    axes.locator_params(axis="x", nbins=6)
    unit = (
        term("ratio", lang).lower() if key[2] == "ratio" else term(f"unit_{key[2]}", lang, otherwise=key[2])
    )
    name = term(f"published_outcome_{key[0]}", lang, otherwise=key[0])
    axes.set_title(f"{name}, {unit}", loc="left", fontsize=9, fontweight="bold")


def _effect(axes: Axes, row: pd.Series[Any], height: int, lang: Lang) -> None:
    style = _DESIGNS.index(row["design"]) if row["design"] in _DESIGNS else len(_DESIGNS)
    colour, marker = COLOURS[style], MARKERS[style]
    if row["usable"]:
        axes.plot(
            [row["conf_low"], row["conf_high"]], [height] * 2, color=colour, lw=1.8, solid_capstyle="butt"
        )
    face = colour if row["usable"] else "white"
    axes.plot([row["estimate"]], [height], marker=marker, color=colour, mfc=face, ms=6, ls="")
    _beside(axes, height, _digits(row, lang))


def _diamond(axes: Axes, row: pd.Series[Any], height: int, lang: Lang) -> None:
    low, middle, high = row["conf_low"], row["estimate"], row["conf_high"]
    axes.fill([low, middle, high, middle], [height, height + 0.3, height, height - 0.3], color=INK, lw=0)
    axes.plot(
        [row["prediction_low"], row["prediction_high"]], [height] * 2, color=MUTED, lw=1.2, ls=(0, (2, 2))
    )
    _beside(axes, height, _digits(row, lang))


def _beside(axes: Axes, height: int, text: str) -> None:
    axes.text(1.02, height, text, ha="left", va="center", fontsize=8.5, transform=axes.get_yaxis_transform())


def _digits(row: pd.Series[Any], lang: Lang) -> str:
    size = abs(row["estimate"])
    digits = 3 if size < 0.1 else 0 if size >= 100 else 2
    value = number(row["estimate"], digits, lang=lang)
    if math.isnan(row["conf_low"]):
        return f"{value} ({'geen interval' if lang == 'nl' else 'no interval'})"
    return f"{value} ({interval(row['conf_low'], row['conf_high'], digits, lang=lang)})"


def _legend(figure: Figure, frame: pd.DataFrame, lang: Lang) -> None:
    from matplotlib.lines import Line2D

    designs = [design for design in _DESIGNS if (frame["design"] == design).any()]
    marks = [
        Line2D([], [], marker=MARKERS[i], color=COLOURS[i], ls="", label=term(f"published_{design}", lang))
        for i, design in enumerate(_DESIGNS)
        if design in designs
    ]
    figure.legend(
        handles=marks, loc="outside upper left", ncols=3, fontsize=8.5, handletextpad=0.2, frameon=False
    )


def _alt(row: pd.Series[Any], lang: Lang) -> str:
    name = term(f"published_outcome_{row['outcome']}", lang, otherwise=str(row["outcome"]))
    return f"{short(str(row['citation']))}, {name}: {_digits(row, lang)}"
