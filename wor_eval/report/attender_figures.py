"""Figures of frequent attenders: who stays, how far they fall with nobody treated, predicted beside observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wor_eval.language import number, percent
from wor_eval.report.absent import figure_or_sentence
from wor_eval.report.picture import (
    COLOURS,
    GRID,
    LINES,
    MARKERS,
    MUTED,
    Picture,
    decimal_axis,
    finish,
    label_rows,
    new_figure,
    nothing_to_show,
    percent_axis,
)
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def persistence(results: Results) -> Picture:
    """Draw the share still frequent after each year, by age group, beside what two simple worlds expect.

    Parameters
    ----------
    results : Results
        With the table ``attender_persistence``.

    Returns
    -------
    Picture
        A line per age group; grey lines for independent years and for a normal correlation between years.
    """
    frame, lang = results.table("attender_persistence"), results.lang
    shown = frame[~frame["suppressed"] & (frame["years"] > 1)]
    if shown.empty:
        return nothing_to_show(lang)
    figure, (axes,) = new_figure(height=3.4)
    groups = list(dict.fromkeys(shown["age_group"]))
    for style, age_group in enumerate(groups):
        rows = shown[shown["age_group"] == age_group]
        at = rows["years"].to_numpy(float) + 0.09 * (style - (len(groups) - 1) / 2)
        middle, low, high = (100 * rows[c].to_numpy(float) for c in ("share", "conf_low", "conf_high"))
        colour, marker = COLOURS[style % len(COLOURS)], MARKERS[style % len(MARKERS)]
        axes.plot(at, middle, color=colour, marker=marker, ls="none", ms=7, label=term(str(age_group), lang))
        axes.vlines(at, low, high, color=colour, lw=1.6)
    _simple_worlds(axes, shown[shown["age_group"] == "all"], lang)
    words = {"nl": ("Eerste twee jaar", "Alle drie de jaren"), "en": ("First two years", "All three years")}[
        lang
    ]
    axes.set_xticks([2, 3], list(words))
    axes.set_xlim(1.6, 3.4)
    axes.set_ylim(0, 1.25 * 100 * float(shown["conf_high"].max()))
    axes.set_ylabel("Nog steeds frequent" if lang == "nl" else "Still frequent")
    percent_axis(axes.yaxis, lang)
    axes.grid(axis="y", color=GRID, lw=0.7)
    axes.legend(loc="upper right", fontsize=8.5)
    alt = [
        f"{term(str(r['age_group']), lang)}, {r['years']}: {percent(float(r['share']), 1, lang=lang)}"
        for _, r in shown.iterrows()
    ]
    return finish(figure, alt="; ".join(alt))


def _simple_worlds(axes: Axes, whole: pd.DataFrame, lang: Lang) -> None:
    """Draw what independent years and a normal correlation expect, as short grey lines."""
    names = (
        ("onafhankelijke jaren", "normale samenhang")
        if lang == "nl"
        else ("independent years", "normal correlation")
    )
    for column, name, line in zip(("independent", "normal"), names, (":", "--"), strict=True):
        for place, (_, row) in enumerate(whole.iterrows()):
            year, value = float(row["years"]), 100 * float(row[column])
            axes.hlines(
                value,
                year - 0.25,
                year + 0.25,
                color=MUTED,
                ls=line,
                lw=1.5,
                label="_nolegend_" if place else name,
            )


def fall(results: Results) -> Picture:
    """Draw mean contacts by year of those frequent in the first year, beside the others, with nobody treated.

    Parameters
    ----------
    results : Results
        With the table ``attender_fall``.

    Returns
    -------
    Picture
        A panel per age group, with 95 % intervals.
    """
    frame, lang = results.table("attender_fall"), results.lang
    shown = frame[~frame["suppressed"]]
    groups = list(dict.fromkeys(shown["age_group"]))
    if not groups:
        return nothing_to_show(lang)
    figure, panels = new_figure(height=3.3, columns=len(groups))
    highest = 1.08 * float(shown["conf_high"].max())
    for axes, age_group in zip(panels, groups, strict=True):
        rows = shown[shown["age_group"] == age_group]
        _course(axes, rows, lang)
        axes.set_title(term(str(age_group), lang), fontsize=9)
        axes.set_ylim(0, highest)
        if axes is not panels[0]:
            axes.set_yticklabels([])
    panels[0].set_ylabel("Contacten per jaar" if lang == "nl" else "Contacts per year")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=8.5)
    words = [
        f"{term(str(r['age_group']), lang)}, {term('frequent_' + r['frequent'], lang)}, {r['year']}: "
        f"{number(float(r['mean']), 1, lang=lang)}"
        for _, r in shown.iterrows()
    ]
    return finish(figure, alt="; ".join(words))


def _course(axes: Axes, rows: pd.DataFrame, lang: Lang) -> None:
    for style, name in enumerate(("first_year", "not")):
        part = rows[rows["frequent"] == name]
        year, mean, low, high = (part[c].to_numpy(float) for c in ("year", "mean", "conf_low", "conf_high"))
        axes.plot(year, mean, color=COLOURS[style], marker=MARKERS[style], ls=LINES[style], lw=1.6, ms=5,
                  label=term(f"frequent_{name}", lang))  # fmt: skip
        axes.vlines(year, low, high, color=COLOURS[style], lw=1.3)
    years = sorted(set(rows["year"]))
    axes.set_xticks(years, [str(int(year)) for year in years], fontsize=8.5)
    axes.margins(x=0.12)
    axes.grid(axis="y", color=GRID, lw=0.7)
    decimal_axis(axes.yaxis, lang)


def expected(results: Results) -> Picture:
    """Draw the untreated fall of all ages beside what each formula expects.

    Parameters
    ----------
    results : Results
        With the table ``attender_expected``.

    Returns
    -------
    Picture
        Bars from zero: the observed fall with its 95 % interval, then the expected ones.
    """
    frame, lang = results.table("attender_expected"), results.lang
    rows = frame[(frame["age_group"] == "all") & ~frame["suppressed"]].dropna(subset=["expected"])
    if rows.empty:
        return nothing_to_show(lang)
    figure, (axes,) = new_figure(height=0.4 * len(rows) + 1.2)
    first = rows.iloc[0]
    names = [
        "Waargenomen" if lang == "nl" else "Observed",
        *(term(f"fall_{m}", lang) for m in rows["method"]),
    ]
    values = np.array([first["observed"], *rows["expected"]], dtype=float)
    for place, value in enumerate(values):
        style = min(place, 1)
        axes.plot([0, value], [-place] * 2, color=COLOURS[style], lw=2.2, ls=LINES[style])
        axes.plot([value], [-place], marker=MARKERS[style], color=COLOURS[style], ms=6)
        axes.text(1.01, -place, number(float(value), 1, lang=lang), transform=axes.get_yaxis_transform(),
                  va="center", fontsize=8.5)  # fmt: skip
    axes.plot(
        [float(first["conf_low"]), float(first["conf_high"])], [0, 0], color=COLOURS[0], lw=5, alpha=0.3
    )
    axes.axvline(0, color=MUTED, lw=1)
    label_rows(axes, names)
    decimal_axis(axes.xaxis, lang)
    axes.set_xlabel(
        "Verandering in contacten per jaar, van het eerste naar het tweede jaar"
        if lang == "nl"
        else "Change in contacts per year, from the first year to the second"
    )
    alt = "; ".join(f"{n}: {number(float(v), 1, lang=lang)}" for n, v in zip(names, values, strict=True))
    return finish(figure, alt=alt)


@figure_or_sentence
def calibration(results: Results) -> Picture:
    """Draw the observed share that stays frequent against the predicted one, by fifth of predicted risk.

    Parameters
    ----------
    results : Results
        With the table ``attender_calibration``.

    Returns
    -------
    Picture
        Points with 95 % intervals; on the dashed line predicted and observed are equal.
    """
    frame, lang = results.table("attender_calibration"), results.lang
    rows = frame[~frame["suppressed"]]
    if rows.empty:
        return nothing_to_show(lang)
    figure, (axes,) = new_figure(height=3.8)
    predicted, observed, low, high = (
        100 * rows[c].to_numpy(float) for c in ("predicted", "observed", "conf_low", "conf_high")
    )
    top = 1.1 * float(max(high.max(), predicted.max()))
    axes.plot([0, top], [0, top], color=MUTED, ls=LINES[1], lw=1.2)
    axes.vlines(predicted, low, high, color=COLOURS[0], lw=1.4)
    axes.plot(predicted, observed, ls="none", marker=MARKERS[0], ms=6, color=COLOURS[0])
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    percent_axis(axes.xaxis, lang)
    percent_axis(axes.yaxis, lang)
    axes.grid(axis="y", color=GRID, lw=0.7)
    axes.set_xlabel("Voorspeld" if lang == "nl" else "Predicted")
    axes.set_ylabel("Waargenomen" if lang == "nl" else "Observed")
    pairs = zip(predicted, observed, strict=True)
    words = [f"{number(float(p), 0, lang=lang)}%: {number(float(o), 0, lang=lang)}%" for p, o in pairs]
    return finish(figure, alt="; ".join(words))
