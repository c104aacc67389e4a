"""Figures of an economic evaluation: the plane from draws, acceptability, net benefit, payers, budget, sensitivity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from wor_eval.language import number, percent
from wor_eval.report.economics_tables import plan, scenario_names
from wor_eval.report.picture import (
    COLOURS,
    GRID,
    INK,
    LINES,
    MARKERS,
    MUTED,
    Picture,
    finish,
    new_figure,
    nothing_to_show,
)
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_DRAWN: Final = 2000
_CORNERS: Final = {
    "more_effect_more_cost": (0.98, 0.97, "right", "top"),
    "more_effect_less_cost": (0.98, 0.03, "right", "bottom"),
    "less_effect_less_cost": (0.02, 0.03, "left", "bottom"),
    "less_effect_more_cost": (0.02, 0.97, "left", "top"),
}


def plane(results: Results) -> Picture:
    """Draw the cost-effectiveness plane by age band: draws, never persons, with the share in each quadrant.

    Parameters
    ----------
    results : Results
        With the tables ``draws`` and ``quadrants``.

    Returns
    -------
    Picture
        One panel per age band; the line through the origin is the main threshold.
    """
    draws, lang, nl = _shown(results.table("draws")), results.lang, results.lang == "nl"
    bands = [band for band in results.study.cohort.band_names if (draws["age_band"] == band).any()]
    if not bands:
        return nothing_to_show(lang)
    figure, panels = new_figure(height=3.7, columns=len(bands))
    middle = draws[draws["age_band"].isin(bands)][["effect", "cost"]].quantile([0.005, 0.995]).abs().max()
    wide, high = 1.15 * float(middle["effect"]), 1.25 * float(middle["cost"])
    words = []
    for style, (axes, band) in enumerate(zip(panels, bands, strict=True)):
        _cloud(axes, draws[draws["age_band"] == band], style)
        axes.set(xlim=(-wide, wide), ylim=(-high, high))
        words.append(f"{term(band, lang)}: {_corners(axes, results, band)}")
        _threshold_line(axes, results, wide)
        axes.set_title(term(band, lang))
        thousands(axes.xaxis, lang, 3)
        thousands(axes.yaxis, lang)
        axes.locator_params(axis="x", nbins=5)
        unit = plan(results).effect.unit.in_(lang)
        axes.set_xlabel(f"Verschil in effect ({unit})" if nl else f"Difference in effect ({unit})")
    panels[0].set_ylabel("Verschil in kosten (€)" if nl else "Difference in cost (€)")
    return finish(figure, alt="; ".join(words))


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[~frame["suppressed"]]


def _cloud(axes: Axes, rows: pd.DataFrame, style: int) -> None:
    """Draw the first draws of a band, few enough for a page, with their mean."""
    some = rows.head(_DRAWN)
    axes.plot(
        some["effect"],
        some["cost"],
        ls="none",
        marker=".",
        ms=2.2,
        mew=0,
        color=COLOURS[style],
        alpha=0.35,
        rasterized=True,
    )
    axes.plot(rows["effect"].mean(), rows["cost"].mean(), marker=MARKERS[style], ms=8, color=INK, mec="white")
    axes.axhline(0, color=MUTED, lw=1)
    axes.axvline(0, color=MUTED, lw=1)


def _corners(axes: Axes, results: Results, band: str) -> str:
    """Write the share of the draws in each corner; give the same in words."""
    frame, lang = results.table("quadrants"), results.lang
    rows = frame[frame["age_band"] == band].set_index("quadrant")
    words = []
    for name, (x, y, side, edge) in _CORNERS.items():
        share = percent(float(rows.loc[name, "share"]), lang=lang)
        axes.text(
            x, y, share, transform=axes.transAxes, ha=side, va=edge, fontsize=10, fontweight="bold", color=INK
        )
        words.append(f"{term(f'quadrant_{name}', lang)} {share}")
    return ", ".join(words)


def _threshold_line(axes: Axes, results: Results, wide: float) -> None:
    main = plan(results).thresholds.main
    axes.plot([-wide, wide], [-wide * main, wide * main], color=COLOURS[1], lw=1.3, ls=LINES[1])


def thousands(axis: Any, lang: Lang, digits: int = 0) -> None:
    """Write the numbers along an axis as the language does, with thousands apart."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value, digits, lang=lang)))


def acceptability(results: Results) -> Picture:
    """Draw the probability that referral is the best choice along the threshold, by age band.

    Parameters
    ----------
    results : Results
        With the table ``acceptability``.

    Returns
    -------
    Picture
        A curve per age band; vertical lines are the thresholds of the plan.
    """
    frame, lang, nl = _shown(results.table("acceptability")), results.lang, results.lang == "nl"
    figure, (axes,) = new_figure(height=3.3)
    words = []
    for style, (band, rows) in enumerate(frame.groupby("age_band", sort=False)):
        axes.plot(
            rows["threshold"],
            rows["probability"],
            color=COLOURS[style],
            ls=LINES[style],
            marker=MARKERS[style],
            markevery=20,
            lw=1.8,
            label=term(str(band), lang),
        )
        last = rows.iloc[-1]
        words.append(f"{term(str(band), lang)}: {percent(last['probability'], lang=lang)}")
    _along_thresholds(axes, results)
    axes.axhline(0.5, color=GRID, lw=1)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(lambda value, _: percent(value, lang=lang))
    axes.set_ylabel("Kans dat verwijzen het beste is" if nl else "Probability that referring is best")
    axes.legend(loc="lower right")
    return finish(figure, alt="; ".join(words))


def _along_thresholds(axes: Axes, results: Results) -> None:
    """Mark the thresholds of the plan along the axis below."""
    lang = results.lang
    for value in plan(results).thresholds.values:
        axes.axvline(value, color=MUTED, lw=0.9, ls=(0, (4, 3)), zorder=0)
    axes.set_xticks([0, *plan(results).thresholds.values])
    thousands(axes.xaxis, lang)
    unit = plan(results).effect.unit.in_(lang)
    axes.set_xlabel(f"Drempelwaarde (€ per {unit})" if lang == "nl" else f"Threshold (€ per {unit})")


def net_benefit(results: Results) -> Picture:
    """Draw the net benefit with its interval along the threshold, by age band.

    Parameters
    ----------
    results : Results
        With the table ``net_benefit``.

    Returns
    -------
    Picture
        One panel per age band; above zero referral is worth its money.
    """
    frame, lang, nl = _shown(results.table("net_benefit")), results.lang, results.lang == "nl"
    frame = frame[frame["perspective"] == plan(results).perspective]
    bands = list(dict.fromkeys(frame["age_band"]))
    figure, panels = new_figure(height=3.0, columns=len(bands))
    lowest, highest = frame["conf_low"].min(), frame["conf_high"].max()
    words = []
    for style, (axes, band) in enumerate(zip(panels, bands, strict=True)):
        rows = frame[frame["age_band"] == band]
        axes.fill_between(
            rows["threshold"], rows["conf_low"], rows["conf_high"], color=COLOURS[style], alpha=0.15, lw=0
        )
        axes.plot(rows["threshold"], rows["estimate"], color=COLOURS[style], ls=LINES[style], lw=1.8)
        axes.axhline(0, color=INK, lw=1)
        axes.set_ylim(lowest, highest)
        axes.set_title(term(str(band), lang))
        _along_thresholds(axes, results)
        if style != len(bands) // 2:
            axes.set_xlabel("")
        axes.tick_params(axis="x", labelsize=7.5)
        thousands(axes.yaxis, lang)
        words.append(f"{term(str(band), lang)}: {number(rows['estimate'].iloc[-1], lang=lang)}")
    panels[0].set_ylabel("Nettobaat (€ per persoon)" if nl else "Net benefit (€ per person)")
    return finish(figure, alt="; ".join(words))


def payers(results: Results) -> Picture:
    """Draw what each payer pays more or less per referred person, with its interval, by age band.

    Parameters
    ----------
    results : Results
        With the table ``payer_balance``.

    Returns
    -------
    Picture
        Bars right of zero are extra spending, left of it less.
    """
    frame, lang, nl = _shown(results.table("payer_balance")), results.lang, results.lang == "nl"
    frame = frame[(frame["per"] == "person") & (frame["part"] == "net")]
    names = list(dict.fromkeys(frame["payer"]))
    bands = [band for band in results.study.cohort.band_names if (frame["age_band"] == band).any()]
    figure, (axes,) = new_figure(height=0.38 * len(names) + 1.1)
    words = []
    for style, band in enumerate(bands):
        rows = frame[frame["age_band"] == band].set_index("payer").reindex(names)
        at = -np.arange(len(names)) + 0.19 - 0.38 * style
        _bars(axes, rows, at, style=style, label=term(band, lang))
        words += [
            f"{term(band, lang)}, {term(f'payer_{p}', lang)}: {number(v, lang=lang)}"
            for p, v in rows["estimate"].items()
        ]
    axes.axvline(0, color=INK, lw=1)
    axes.set_yticks(-np.arange(len(names)), [term(f"payer_{name}", lang) for name in names])
    axes.tick_params(axis="y", length=0)
    thousands(axes.xaxis, lang)
    axes.set_xlabel(
        "← minder uitgaven     € per verwezen persoon in een jaar     meer uitgaven →"
        if nl
        else "← less spent     € per referred person in a year     more spent →"
    )
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=len(bands), frameon=False)
    return finish(figure, alt="; ".join(words))


_HATCH: Final = ("", "///", "...", "xx")


def _bars(axes: Axes, rows: pd.DataFrame, at: Any, *, style: int, label: str) -> None:
    axes.barh(
        at,
        rows["estimate"],
        height=0.34,
        color=COLOURS[style],
        hatch=_HATCH[style],
        edgecolor="white",
        alpha=0.85,
        label=label,
    )
    axes.hlines(at, rows["conf_low"], rows["conf_high"], color=INK, lw=1.3)


def budget(results: Results, *, payer: str = "all") -> Picture:
    """Draw the budget impact of each uptake scenario by year, with its interval.

    Parameters
    ----------
    results : Results
        With the table ``budget_impact``.
    payer : str
        A payer, or ``all`` together.

    Returns
    -------
    Picture
        One panel per scenario; above zero it costs money.
    """
    frame, lang, nl = _shown(results.table("budget_impact")), results.lang, results.lang == "nl"
    frame = frame[(frame["payer"] == payer) & (frame["age_band"] == "all") & (frame["year"] > 0)]
    names, labels = list(dict.fromkeys(frame["scenario"])), scenario_names(results)
    if not names:
        return nothing_to_show(lang)
    figure, panels = new_figure(height=2.9, columns=len(names))
    lowest, highest = min(0.0, frame["conf_low"].min()), max(0.0, frame["conf_high"].max())
    words = []
    for style, (axes, name) in enumerate(zip(panels, names, strict=True)):
        rows = frame[frame["scenario"] == name]
        axes.bar(rows["year"], rows["estimate"] / 1000, color=COLOURS[style], alpha=0.85, width=0.7)
        axes.vlines(rows["year"], rows["conf_low"] / 1000, rows["conf_high"] / 1000, color=INK, lw=1.3)
        axes.axhline(0, color=INK, lw=1)
        axes.set_ylim(1.05 * lowest / 1000, 1.05 * highest / 1000)
        axes.set_title(_two_lines(labels[name]), fontsize=8.5)
        axes.set_xticks(rows["year"])
        axes.set_xlabel("Jaar" if nl else "Year")
        thousands(axes.yaxis, lang)
        words.append(f"{labels[name]}: {number(rows['estimate'].iloc[-1], lang=lang)}")
    panels[0].set_ylabel("Duizend € (boven nul: kosten)" if nl else "Thousand € (above zero: costs)")
    return finish(figure, alt="; ".join(words))


def _two_lines(text: str) -> str:
    """Break a label at the space nearest its middle."""
    spaces = [at for at, sign in enumerate(text) if sign == " "]
    if not spaces:
        return text
    at = min(spaces, key=lambda place: abs(place - len(text) / 2))
    return f"{text[:at]}\n{text[at + 1 :]}"


def tornado(results: Results) -> Picture:
    """Draw the net benefit with one input at a time at the ends of its range (a tornado).

    Parameters
    ----------
    results : Results
        With the table ``one_way``.

    Returns
    -------
    Picture
        The widest bar on top; the vertical lines are the base and zero.
    """
    frame, lang, nl = _shown(results.table("one_way")), results.lang, results.lang == "nl"
    if frame.empty:
        return nothing_to_show(lang)
    figure, (axes,) = new_figure(height=0.34 * len(frame) + 1.0)
    base = float(frame["net_benefit"].iloc[0])
    for style, (column, label) in enumerate(
        (("at_low", ("laagste waarde", "lowest value")), ("at_high", ("hoogste waarde", "highest value")))
    ):
        axes.barh(
            -np.arange(len(frame)),
            frame[column] - base,
            left=base,
            height=0.62,
            color=COLOURS[style],
            hatch=_HATCH[style],
            edgecolor="white",
            alpha=0.85,
            label=label[0 if nl else 1],
        )
    axes.axvline(base, color=INK, lw=1)
    axes.axvline(0, color=MUTED, lw=1, ls=(0, (4, 3)))
    axes.set_yticks(
        -np.arange(len(frame)), [term(f"input_{name}", lang) for name in frame["input"]], fontsize=8.5
    )
    axes.tick_params(axis="y", length=0)
    thousands(axes.xaxis, lang)
    axes.set_xlabel("Nettobaat (€ per persoon)" if nl else "Net benefit (€ per person)")
    axes.legend(loc="lower left")
    words = [
        f"{term('input_' + r['input'], lang)}: {number(r['at_low'], lang=lang)}, {number(r['at_high'], lang=lang)}"
        for _, r in frame.iterrows()
    ]
    return finish(figure, alt="; ".join(words))
