"""Figures for a report: from results to a picture in the report's language. Persons are never drawn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from wor_eval.language import number
from wor_eval.report.columns import HIDDEN
from wor_eval.report.picture import (
    COLOURS,
    GRID,
    INK,
    LINES,
    MARKERS,
    MUTED,
    Picture,
    decimal_axis,
    finish,
    label_rows,
    new_figure,
    nothing_to_show,
)
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def flow(results: Results) -> Picture:
    """Draw who was left after each step, and how many each step left out.

    Parameters
    ----------
    results : Results
        With the table ``attrition``.

    Returns
    -------
    Picture
        A flow diagram of the referred.
    """
    frame, lang = results.table("attrition"), results.lang
    figure, (axes,) = new_figure(height=0.72 * len(frame) + 0.2)
    axes.set(xlim=(0, 10), ylim=(-len(frame) + 0.45, 0.55))
    axes.axis("off")
    previous = None
    for position, (_, row) in enumerate(frame.iterrows()):
        left = row["n_referred"]
        label = f"{row[f'reason_{lang}']}\nn = {_count(left, lang)}"
        _box(axes, (3.4, -position), label, emphasis=position in (0, len(frame) - 1))
        if previous is not None:
            _step(axes, position, _dropped(previous, left, lang))
        previous = left
    steps = [f"{row[f'reason_{lang}']}: {_count(row['n_referred'], lang)}" for _, row in frame.iterrows()]
    return finish(figure, alt="; ".join(steps))


def _count(value: Any, lang: Lang) -> str:
    return HIDDEN if math.isnan(float(value)) else number(float(value), lang=lang)


def _dropped(previous: Any, left: Any, lang: Lang) -> str:
    out = "afgevallen" if lang == "nl" else "left out"
    return f"{out}: {_count(previous - left, lang)}"


def _box(axes: Axes, at: tuple[float, float], text: str, *, emphasis: bool) -> None:
    style = {
        "boxstyle": "round,pad=0.45",
        "facecolor": "#eaf1f7" if emphasis else "white",
        "edgecolor": COLOURS[0],
    }
    axes.text(*at, text, ha="center", va="center", bbox=style, color=INK, fontsize=9, linespacing=1.35)


def _step(axes: Axes, position: int, text: str) -> None:
    arrow = {"arrowstyle": "-|>", "color": MUTED, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=(3.4, -position + 0.29), xytext=(3.4, -position + 0.71), arrowprops=arrow)
    axes.text(7.0, -position + 0.5, text, ha="left", va="center", color=MUTED, fontsize=9)
    axes.plot([3.4, 6.9], [-position + 0.5] * 2, color=GRID, lw=1, zorder=0)


def forest(
    results: Results,
    *,
    contrast: str = "before_after",
    scale: Literal["ratio", "difference"] = "ratio",
) -> Picture:
    """Draw the effects of a contrast with their 95 % intervals, by age band and method.

    Parameters
    ----------
    results : Results
        With the table ``effects``.
    contrast : str
        Which contrast.
    scale : {"ratio", "difference"}
        Ratios stand on a logarithmic axis with 1 as the neutral value, differences on a linear one with 0.

    Returns
    -------
    Picture
        A forest plot; a sentence where every value is hidden.
    """
    frame, lang = results.table("effects"), results.lang
    frame = frame[(frame["contrast"] == contrast) & (frame["scale"] == scale) & ~frame["suppressed"]]
    if frame.empty:
        return nothing_to_show(lang)
    bands = list(dict.fromkeys(frame["age_band"]))
    figure, (axes,) = new_figure(height=0.34 * len(frame) + 0.35 * len(bands) + 0.9)
    rows = _forest_rows(axes, frame, lang)
    axes.set_yticks(list(rows), list(rows.values()), fontsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    neutral_line(axes, scale, lang)
    axes.set_xlabel(_axis_label(scale, lang))
    return finish(figure, alt=_forest_words(frame, lang))


def _forest_rows(axes: Axes, frame: pd.DataFrame, lang: Lang) -> dict[float, str]:
    """Draw a row for each estimate below the name of its band; give the heights with their labels."""
    methods = list(dict.fromkeys(frame["method"]))
    beside: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center"}
    labels: dict[float, str] = {}
    height = 0.0
    for band, rows in frame.groupby("age_band", sort=False):
        axes.text(-0.02, height, term(str(band), lang), ha="right", fontweight="bold", color=INK, **beside)
        for _, row in rows.iterrows():
            height -= 1
            whisker(axes, row, height, methods.index(row["method"]))
            axes.text(1.02, height, _digits(row, lang), ha="left", fontsize=8.5, **beside)
            labels[height] = term(row["method"], lang)
        height -= 1.3
    return labels


def whisker(
    axes: Axes,
    row: pd.Series[Any],
    height: float,
    style: int,
    *,
    names: tuple[str, str, str] = ("estimate", "conf_low", "conf_high"),
) -> None:
    """Draw one estimate with its interval at a height, in one of the styles."""
    middle, low, high = (row[name] for name in names)
    colour = COLOURS[style % len(COLOURS)]
    axes.plot([low, high], [height] * 2, color=colour, lw=1.8, solid_capstyle="butt")
    axes.plot([middle], [height], marker=MARKERS[style % len(MARKERS)], color=colour, ms=6)


def _digits(row: pd.Series[Any], lang: Lang) -> str:
    values = [number(row[name], 2, lang=lang) for name in ("estimate", "conf_low", "conf_high")]
    to = "tot" if lang == "nl" else "to"
    return f"{values[0]} ({values[1]} {to} {values[2]})"


def neutral_line(axes: Axes, scale: str, lang: Lang) -> None:
    """Draw the line of no effect, and give a ratio its logarithmic axis."""
    neutral = 1.0 if scale == "ratio" else 0.0
    axes.axvline(neutral, color=MUTED, lw=1, ls=(0, (4, 3)), zorder=0)
    if scale == "ratio":
        axes.set_xscale("log")
        round_ticks(axes.xaxis)
    decimal_axis(axes.xaxis, lang)


def round_ticks(axis: Any) -> None:
    """Mark round numbers along a logarithmic axis, and nothing between them."""
    from matplotlib.ticker import MaxNLocator, NullLocator

    axis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axis.set_minor_locator(NullLocator())


def _axis_label(scale: str, lang: Lang) -> str:
    words = {
        ("ratio", "nl"): "Verhouding erna / ervoor (logaritmische schaal; 1 = geen verschil)",
        ("ratio", "en"): "Ratio after / before (logarithmic scale; 1 = no difference)",
        ("difference", "nl"): "Verschil in contacten per persoonsjaar (0 = geen verschil)",
        ("difference", "en"): "Difference in contacts per person-year (0 = no difference)",
    }
    return words[scale, lang]


def _forest_words(frame: pd.DataFrame, lang: Lang) -> str:
    return "; ".join(
        f"{term(row['age_band'], lang)}, {term(row['method'], lang)}: {_digits(row, lang)}"
        for _, row in frame.iterrows()
    )


def course(results: Results, *, outcome: str | None = None) -> Picture:
    """Draw the monthly rate around the index date of the referred, by age band.

    Parameters
    ----------
    results : Results
        With the table ``monthly``.
    outcome : str, optional
        Which outcome; the headline outcome by default.

    Returns
    -------
    Picture
        Lines with 95 % bands, the windows of the plan shaded; a sentence where every value is hidden.
    """
    frame, lang = results.table("monthly"), results.lang
    outcome = outcome or results.study.headline.outcomes[0]
    frame = frame[(frame["outcome"] == outcome) & (frame["arm"] == "referred") & (frame["age_band"] != "all")]
    if frame["suppressed"].all():
        return nothing_to_show(lang)
    figure, (axes,) = new_figure(height=3.9)
    shade_windows(axes, results)
    for style, (band, rows) in enumerate(frame.groupby("age_band", sort=False)):
        monthly_rate(axes, rows[~rows["suppressed"]], style, label=term(str(band), lang))
    monthly_axes(axes, lang)
    axes.set_xlabel(
        "Blokken van 30 dagen vanaf de verwijzing" if lang == "nl" else "Blocks of 30 days from referral"
    )
    return finish(figure, alt=_course_words(frame, lang))


def monthly_rate(axes: Axes, rows: pd.DataFrame, style: int, *, label: str) -> None:
    """Draw a rate in the middle of each block of 30 days, as a line with its 95 % band."""
    middle, colour = rows["month"] + 0.5, COLOURS[style]
    axes.fill_between(middle, rows["conf_low"], rows["conf_high"], color=colour, alpha=0.15, lw=0)
    look: dict[str, Any] = {"ls": LINES[style], "lw": 1.6, "marker": MARKERS[style], "ms": 3.5}
    axes.plot(middle, rows["rate"], color=colour, label=label, **look)


def monthly_axes(axes: Axes, lang: Lang) -> None:
    """Finish a figure of monthly rates: from zero up, with the index date and the names of the lines."""
    axes.axvline(0, color=INK, lw=1.2)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color=GRID, lw=0.7)
    decimal_axis(axes.yaxis, lang)
    decimal_axis(axes.xaxis, lang)
    axes.set_ylabel("Contacten per persoonsjaar" if lang == "nl" else "Contacts per person-year")
    axes.legend(loc="lower left", ncols=2)


def shade_windows(axes: Axes, results: Results) -> None:
    """Shade and name the windows of the plan, in blocks of 30 days."""
    for name, (first, last) in results.study.windows.named().items():
        left, right = first / 30, (last + 1) / 30
        axes.axvspan(left, right, color="#f1f4f7" if name == "placebo" else "#e4ebf2", lw=0, zorder=0)
        label = term(name, results.lang)
        axes.text(
            (left + right) / 2,
            1.01,
            label,
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=8.5,
            color=MUTED,
        )


def _course_words(frame: pd.DataFrame, lang: Lang) -> str:
    shown = frame[~frame["suppressed"]]
    peak, block = ("hoogste frequentie", "blok") if lang == "nl" else ("highest rate", "block")
    words = []
    for band, rows in shown.groupby("age_band", sort=False):
        top = rows.loc[rows["rate"].idxmax()]
        rate, month = number(top["rate"], 1, lang=lang), number(int(top["month"]), lang=lang)
        words.append(f"{band}: {peak} {rate}, {block} {month}")
    return "; ".join(words)


def regression_to_mean(results: Results) -> Picture:
    """Draw the observed change beside the change expected with no effect, by age band and method.

    Parameters
    ----------
    results : Results
        With the table ``regression_to_mean``.

    Returns
    -------
    Picture
        One panel per age band; zero is no change. A sentence where every value is hidden.
    """
    frame, lang = results.table("regression_to_mean"), results.lang
    frame = frame[~frame["suppressed"]]
    if frame.empty:
        return nothing_to_show(lang)
    bands = list(dict.fromkeys(frame["age_band"]))
    figure, panels = new_figure(height=0.6 + 0.23 * (len(frame) + 3 * len(bands)), rows=len(bands))
    changes = [0.0, *frame["observed"], *frame["expected"]]
    margin = 0.06 * (max(changes) - min(changes))
    for axes, band in zip(panels, bands, strict=True):
        _expected_panel(axes, frame[frame["age_band"] == band], lang)
        axes.set_title(term(band, lang), loc="left", fontweight="bold")
        axes.set_xlim(min(changes) - margin, max(changes) + margin)
    label = (
        "Verandering in contacten per persoonsjaar" if lang == "nl" else "Change in contacts per person-year"
    )
    panels[-1].set_xlabel(label)
    words = [
        f"{term(r['age_band'], lang)}, {term(r['method'], lang)}: {number(r['expected'], 2, lang=lang)}"
        for _, r in frame.iterrows()
    ]
    return finish(figure, alt="; ".join(words))


def _expected_panel(axes: Axes, rows: pd.DataFrame, lang: Lang) -> None:
    observed = "Waargenomen" if lang == "nl" else "Observed"
    names = [observed, *(term(method, lang) for method in rows["method"])]
    changes = [rows["observed"].iloc[0], *rows["expected"]]
    for position, change in enumerate(changes):
        colour = COLOURS[0] if position == 0 else COLOURS[1]
        axes.plot([0, change], [-position] * 2, color=colour, lw=2.2)
        axes.plot([change], [-position], marker=MARKERS[min(position, 1)], color=colour, ms=6)
        axes.text(
            1.01,
            -position,
            number(change, 2, lang=lang),
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=8.5,
        )
    axes.axvline(0, color=MUTED, lw=1, ls=(0, (4, 3)), zorder=0)
    label_rows(axes, names)
    axes.spines["left"].set_visible(False)
    decimal_axis(axes.xaxis, lang)
