"""The power curve of a planned study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wor_eval.language import percent
from wor_eval.report.picture import COLOURS, GRID, LINES, MARKERS, MUTED, Picture, finish, new_figure
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def curve(results: Results) -> Picture:
    """Draw the power against the true fall, a panel for each age band and a line for each size.

    Parameters
    ----------
    results : Results
        With the tables ``power`` and ``power_detectable``.

    Returns
    -------
    Picture
        Markers and bands are simulated, with Monte-Carlo intervals; thin dotted lines are the formula.
    """
    frame, lang = results.table("power"), results.lang
    frame = frame[frame["planned"]]
    target = float(results.table("power_detectable")["target"].iloc[0])
    bands = list(dict.fromkeys(frame["age_band"]))
    figure, panels = new_figure(height=2.35 * len(bands) + 0.5, rows=len(bands))
    for axes, band in zip(panels, bands, strict=True):
        _panel(axes, frame[frame["age_band"] == band], target, lang)
        axes.set_title(term(band, lang), loc="left", fontweight="bold")
    panels[-1].set_xlabel("Werkelijke daling in contacten" if lang == "nl" else "True fall in contacts")
    panels[0].legend(
        loc="upper left",
        title="Verwijzingen per praktijk" if lang == "nl" else "Referrals per practice",
        framealpha=1.0,
        edgecolor="none",
    )
    return finish(figure, alt=_alt(frame, lang))


def _panel(axes: Axes, frame: pd.DataFrame, target: float, lang: Lang) -> None:
    from matplotlib.ticker import FuncFormatter

    for style, (size, rows) in enumerate(frame.groupby("size", sort=False)):
        x, colour = 1 - rows["ratio"], COLOURS[style % len(COLOURS)]
        axes.fill_between(x, rows["conf_low"], rows["conf_high"], color=colour, alpha=0.15, lw=0)
        axes.plot(x, rows["closed_form"], color=colour, lw=1, ls=":")
        axes.plot(
            x,
            rows["power"],
            color=colour,
            ls=LINES[style % 3],
            lw=1.6,
            marker=MARKERS[style % len(MARKERS)],
            ms=4.5,
            label=str(size),
        )
    axes.axhline(target, color=MUTED, lw=1, ls=(0, (4, 3)), zorder=0)
    axes.set_ylim(0, 1.02)
    axes.grid(axis="y", color=GRID, lw=0.7)
    axes.set_ylabel("Vermogen" if lang == "nl" else "Power")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: percent(value, lang=lang)))


def _alt(frame: pd.DataFrame, lang: Lang) -> str:
    each, per = ("daling", "per praktijk") if lang == "nl" else ("fall", "per practice")
    return "; ".join(
        f"{term(row['age_band'], lang)}, {row['size']} {per}, {each} {percent(1 - row['ratio'], lang=lang)}: "
        f"{percent(row['power'], lang=lang)}"
        for _, row in frame.iterrows()
    )
