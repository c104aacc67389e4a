"""Figures of reach: the pyramid, the run chart, the funnel of practices, rates by group, the steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wor_eval.effects.funnel import funnel_limits
from wor_eval.effects.reach_steps import STEPS
from wor_eval.language import number, percent
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
    new_figure,
    nothing_to_show,
    percent_axis,
)
from wor_eval.report.reach_tables import level_words, per
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def pyramid(results: Results) -> Picture:
    """Draw the share of the referred beside the share of the registered, by age and sex.

    Parameters
    ----------
    results : Results
        With the table ``reach_pyramid``.

    Returns
    -------
    Picture
        Filled bars are the referred, outlined bars the registered; women to the left, men to the right. A cross
        where a cell is hidden.
    """
    frame, lang = results.table("reach_pyramid"), results.lang
    if frame["suppressed"].all():
        return nothing_to_show(results.lang)
    ages = list(dict.fromkeys(frame["age_group"]))
    figure, (axes,) = new_figure(height=0.42 * len(ages) + 1.3)
    highest = 100 * float(np.nanmax(frame[["share_referred", "share_registered"]].to_numpy(float)))
    for style, (sex, sign) in enumerate((("F", -1), ("M", 1))):
        rows = frame[frame["sex"] == sex].set_index("age_group").reindex(ages)
        _side(axes, rows, sign, style)
        axes.text(
            sign * highest / 2,
            len(ages) - 0.35,
            term(sex, lang),
            ha="center",
            color=COLOURS[style],
            weight="bold",
        )
    axes.axvline(0, color=INK, lw=1)
    axes.set_yticks(range(len(ages)), ages)
    axes.set_ylim(-0.6, len(ages) + 0.1)
    axes.set_xlim(-1.12 * highest, 1.12 * highest)
    axes.xaxis.set_major_formatter(lambda value, _: f"{number(abs(value), lang=lang)}%")
    axes.set_xlabel(
        "Deel van alle verwijzingen (gevuld) en van alle ingeschreven tijd (omlijnd)"
        if lang == "nl"
        else "Share of all referrals (filled) and of all registered time (outlined)"
    )
    axes.tick_params(axis="y", length=0)
    return finish(figure, alt=_pyramid_words(frame, lang))


def _side(axes: Axes, rows: pd.DataFrame, sign: int, style: int) -> None:
    for height, (_, row) in enumerate(rows.iterrows()):
        if row["suppressed"]:
            axes.text(sign * 0.3, height, HIDDEN, ha="center", va="center", color=MUTED)
            continue
        referred, registered = (100 * float(row[c]) for c in ("share_referred", "share_registered"))
        axes.barh(height, sign * referred, height=0.62, color=COLOURS[style], alpha=0.85)
        axes.barh(height, sign * registered, height=0.82, facecolor="none", edgecolor=INK, lw=1.1)


def _pyramid_words(frame: pd.DataFrame, lang: Lang) -> str:
    beside = "ingeschreven" if lang == "nl" else "registered"
    shown = frame[~frame["suppressed"]]
    return "; ".join(
        f"{r['age_group']}, {term(r['sex'], lang)}: {percent(float(r['share_referred']), lang=lang)} "
        f"({beside} {percent(float(r['share_registered']), lang=lang)})"
        for _, r in shown.iterrows()
    )


def run_chart(results: Results, *, area: str = "all") -> Picture:
    """Draw the rate by quarter with its centre line and the limits of chance.

    Parameters
    ----------
    results : Results
        With the table ``reach_quarters``.
    area : str
        Which area; ``all`` is all together.

    Returns
    -------
    Picture
        Points outside the limits are diamonds in another colour; a quarter that is hidden or without registered
        persons leaves a gap.
    """
    frame, lang = results.table("reach_quarters"), results.lang
    rows = frame[frame["area"] == area].reset_index(drop=True)
    if rows.empty or rows["suppressed"].all() or rows["rate"].isna().all():
        return nothing_to_show(lang)
    figure, (axes,) = new_figure(height=3.6)
    at = np.arange(len(rows))
    rate, low, high, centre = (rows[c].to_numpy(float) for c in ("rate", "low", "high", "centre"))
    axes.fill_between(at, low, high, step="mid", color=COLOURS[0], alpha=0.1, lw=0)
    for limit in (low, high):
        axes.step(at, limit, where="mid", color=MUTED, ls=LINES[3], lw=1.2)
    axes.axhline(float(centre[0]), color=MUTED, ls=LINES[1], lw=1.2)
    axes.plot(at, rate, color=COLOURS[0], lw=1.6, marker=MARKERS[0], ms=5)
    out = (rows["outside"] == "yes").to_numpy()
    axes.plot(at[out], rate[out], ls="none", marker=MARKERS[2], ms=9, color=COLOURS[1])
    axes.set_xticks(at, list(rows["quarter"]), rotation=45, ha="right", fontsize=8.5)
    axes.set_ylim(bottom=0)
    decimal_axis(axes.yaxis, lang)
    axes.grid(axis="y", color=GRID, lw=0.7)
    axes.set_ylabel(f"{'Verwijzingen' if lang == 'nl' else 'Referrals'} {per(results)}")
    return finish(figure, alt=_run_words(rows, lang))


def _run_words(rows: pd.DataFrame, lang: Lang) -> str:
    shown = rows[~rows["suppressed"]].dropna(subset=["rate"])
    return "; ".join(f"{r['quarter']}: {number(float(r['rate']), 1, lang=lang)}" for _, r in shown.iterrows())


def funnel(results: Results) -> Picture:
    """Draw each practice's ratio of referrals to those to be expected, with limits that allow for overdispersion.

    Parameters
    ----------
    results : Results
        With the tables ``reach_funnel`` and ``reach_spread``.

    Returns
    -------
    Picture
        Practices with too few persons are not drawn and practices carry no name; a sentence where fewer than two
        are left.
    """
    if "reach_funnel" not in results.tables:
        return nothing_to_show(results.lang)
    frame, spread = results.table("reach_funnel"), results.table("reach_spread").iloc[0]
    frame, lang = frame[~frame["suppressed"]].astype({"expected": float, "ratio": float}), results.lang
    if len(frame) < 2 or spread["suppressed"]:
        return nothing_to_show(results.lang)
    figure, (axes,) = new_figure(height=4.1)
    grid = np.linspace(0.6 * frame["expected"].min(), 1.08 * frame["expected"].max(), 200)
    low, high = funnel_limits(
        grid, factor=float(spread["limits_factor"]), variance_between=float(spread["sd_between"]) ** 2
    )
    for place, name in enumerate(("95%", "99,8%" if lang == "nl" else "99.8%")):
        for limit, label in ((low, name), (high, None)):
            axes.plot(grid, limit[:, place], color=MUTED, ls=LINES[1 + 2 * place], lw=1.3, label=label)
    axes.axhline(1, color=INK, lw=1)
    for style, inside in enumerate((True, False)):
        rows = frame[(frame["position"] == "within") == inside]
        where = {
            "nl": ("binnen de grenzen", "buiten 95%"), "en": ("within the limits", "outside 95%")
        }[lang][style]  # fmt: skip
        axes.plot(
            rows["expected"],
            rows["ratio"],
            ls="none",
            marker=MARKERS[(0, 2)[style]],
            ms=6,
            color=COLOURS[style],
            label=where,
        )
    axes.set_ylim(0, 1.08 * max(float(frame["ratio"].max()), float(high[len(grid) // 4, 1])))
    axes.set_xlim(float(grid[0]), float(grid[-1]))
    decimal_axis(axes.yaxis, lang)
    decimal_axis(axes.xaxis, lang)
    axes.set_xlabel("Te verwachten verwijzingen" if lang == "nl" else "Expected referrals")
    axes.set_ylabel("Waargenomen / te verwachten" if lang == "nl" else "Observed / expected")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.13), ncols=4, fontsize=8.5, columnspacing=1.0)
    return finish(figure, alt=_funnel_words(frame, lang))


def _funnel_words(frame: pd.DataFrame, lang: Lang) -> str:
    out = int((frame["position"] != "within").sum())
    low, high = (number(float(v), 2, lang=lang) for v in (frame["ratio"].min(), frame["ratio"].max()))
    if lang == "nl":
        return (
            f"{len(frame)} praktijken getoond, verhouding {low} tot {high}; {out} buiten de grenzen van 95%"
        )
    return f"{len(frame)} practices shown, ratio {low} to {high}; {out} outside the 95% limits"


def rates(results: Results, *, dimension: str) -> Picture:
    """Draw standardised rates of the groups of a breakdown, with 95 % intervals and the rate of all.

    Parameters
    ----------
    results : Results
        With the table ``reach_rates``.
    dimension : str
        Which breakdown, ``income`` or ``municipality``.

    Returns
    -------
    Picture
        One row per group; a hidden group shows a cross.
    """
    frame, lang = results.table("reach_rates"), results.lang
    rows = frame[frame["dimension"] == dimension].reset_index(drop=True)
    if rows.empty or rows["suppressed"].all():
        return nothing_to_show(results.lang)
    figure, (axes,) = new_figure(height=0.34 * len(rows) + 1.1)
    for place, row in rows.iterrows():
        height = -int(place)
        if row["suppressed"] or np.isnan(float(row["standardised"])):
            axes.text(0, height, HIDDEN, ha="left", va="center", color=MUTED)
            continue
        low, high = float(row["standardised_low"]), float(row["standardised_high"])
        axes.plot([low, high], [height] * 2, color=COLOURS[0], lw=1.8)
        axes.plot([float(row["standardised"])], [height], marker=MARKERS[0], ms=6, color=COLOURS[0])
    everybody = frame[(frame["dimension"] == "all") & ~frame["suppressed"]]
    for value in everybody["crude"]:
        axes.axvline(float(value), color=MUTED, ls=LINES[1], lw=1.2)
    axes.set_yticks(
        [-i for i in range(len(rows))], [level_words(dimension, str(level), lang) for level in rows["level"]]
    )
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.set_xlim(left=0)
    axes.tick_params(axis="y", length=0)
    decimal_axis(axes.xaxis, lang)
    says = "Gestandaardiseerde verwijzingen" if lang == "nl" else "Standardised referrals"
    axes.set_xlabel(f"{says} {per(results)}")
    return finish(figure, alt=_rate_words(rows, dimension, lang))


def _rate_words(rows: pd.DataFrame, dimension: str, lang: Lang) -> str:
    shown = rows[~rows["suppressed"]]
    return "; ".join(
        f"{level_words(dimension, str(r['level']), lang)}: {number(float(r['standardised']), 1, lang=lang)}"
        for _, r in shown.iterrows()
    )


def steps(results: Results) -> Picture:
    """Draw the share of referrals that reach each step, with 95 % intervals, by age band.

    Parameters
    ----------
    results : Results
        With the table ``reach_steps``.

    Returns
    -------
    Picture
        A line per age band.
    """
    frame, lang = results.table("reach_steps"), results.lang
    frame = frame[(frame["age_band"] != "all") & ~frame["suppressed"]]
    if frame.empty:
        return nothing_to_show(results.lang)
    figure, (axes,) = new_figure(height=3.4)
    for style, (band, rows) in enumerate(frame.groupby("age_band", sort=False)):
        at = np.array([STEPS.index(step) for step in rows["step"]]) + 0.06 * (2 * style - 1)
        middle, low, high = (100 * rows[c].to_numpy(float) for c in ("share", "conf_low", "conf_high"))
        look: dict[str, Any] = {"color": COLOURS[style % len(COLOURS)]}
        axes.plot(
            at,
            middle,
            marker=MARKERS[style],
            ls=LINES[style],
            lw=1.6,
            ms=6,
            label=term(str(band), lang),
            **look,
        )
        axes.vlines(at, low, high, lw=1.4, **look)
    axes.set_xticks(range(len(STEPS)), [term(f"step_{step}", lang) for step in STEPS])
    axes.set_ylim(0, 104)
    percent_axis(axes.yaxis, lang)
    axes.grid(axis="y", color=GRID, lw=0.7)
    axes.set_ylabel("Deel van de verwijzingen" if lang == "nl" else "Share of referrals")
    axes.legend(loc="lower left")
    words = [
        f"{term(str(r['age_band']), lang)}, {term('step_' + r['step'], lang)}: {percent(float(r['share']), lang=lang)}"
        for _, r in frame.iterrows()
    ]
    return finish(figure, alt="; ".join(words))
