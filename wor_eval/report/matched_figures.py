"""Figures of a matched cohort: balance, overlap, course, designs side by side, specifications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wor_eval.effects.estimate import ALL_BANDS
from wor_eval.language import number
from wor_eval.report.figures import (
    monthly_axes,
    monthly_rate,
    neutral_line,
    round_ticks,
    shade_windows,
    whisker,
)
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
)
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd

_LIMIT = 0.1
_BLOCKS = {"nl": "Blokken van 30 dagen vanaf de indexdatum", "en": "Blocks of 30 days from the index date"}


def love(results: Results, *, age_band: str = ALL_BANDS) -> Picture:
    """Draw the standardised differences of the covariates before and after matching (a love plot).

    Parameters
    ----------
    results : Results
        With the table ``balance``.
    age_band : str
        An age band, or ``all``.

    Returns
    -------
    Picture
        Open marks before, filled marks after matching; the band between the dashed lines is in balance.
    """
    frame, lang = results.table("balance"), results.lang
    frame = frame[(frame["age_band"] == age_band) & ~frame["suppressed"]]
    names = list(dict.fromkeys(frame["covariate"]))
    figure, (axes,) = new_figure(height=0.33 * len(names) + 1.1)
    for sample, marker, face in (("before", "o", "white"), ("after", "s", COLOURS[0])):
        rows = frame[frame["sample"] == sample].set_index("covariate").reindex(names)
        label = {"before": ("voor matchen", "before matching"), "after": ("na matchen", "after matching")}
        text = label[sample][0 if lang == "nl" else 1]
        axes.plot(
            rows["smd"],
            [-i for i in range(len(names))],
            ls="none",
            marker=marker,
            ms=6.5,
            mfc=face,
            mec=COLOURS[0],
            label=text,
        )
    for limit in (-_LIMIT, _LIMIT):
        axes.axvline(limit, color=MUTED, lw=1, ls=(0, (4, 3)), zorder=0)
    axes.axvline(0, color=GRID, lw=1, zorder=0)
    axes.set_yticks([-i for i in range(len(names))], [covariate_words(n, lang) for n in names], fontsize=8.5)
    axes.tick_params(axis="y", length=0)
    decimal_axis(axes.xaxis, lang)
    axes.set_xlabel("Gestandaardiseerd verschil" if lang == "nl" else "Standardised difference")
    axes.legend(loc="lower right")
    after = frame[frame["sample"] == "after"]
    words = [
        f"{covariate_words(r['covariate'], lang)}: {number(r['smd'], 2, lang=lang)}"
        for _, r in after.iterrows()
    ]
    return finish(figure, alt="; ".join(words))


def covariate_words(name: str, lang: Lang) -> str:
    """Write the name of a covariate in the report's language.

    Parameters
    ----------
    name : str
        As in the table ``balance``: ``age``, ``gp_contacts:quarter-1``, ...
    lang : {"nl", "en"}
        Language.

    Returns
    -------
    str
        For history the window alone: the outcome stands in the caption.
    """
    if ":" not in name:
        return term(f"covariate_{name}", lang, otherwise=name)
    part = name.split(":", 1)[1]
    if part.startswith("quarter-"):
        back = part.removeprefix("quarter-")
        return f"Kwartaal −{back}" if lang == "nl" else f"Quarter −{back}"
    return term(part, lang)


def overlap(results: Results) -> Picture:
    """Draw the distribution of the chance of referral by arm, as it was and after weighting.

    Parameters
    ----------
    results : Results
        With the table ``overlap``.

    Returns
    -------
    Picture
        Two panels of steps on the logit scale.
    """
    frame, lang = results.table("overlap"), results.lang
    figure, panels = new_figure(height=3.0, columns=2)
    titles = ("Voor matchen", "Na matchen") if lang == "nl" else ("Before matching", "After matching")
    for axes, column, title in zip(panels, ("share", "share_weighted"), titles, strict=True):
        for style, (arm, rows) in enumerate(frame.groupby("arm", sort=False)):
            values = rows[column].where(~rows["suppressed"], 0.0)
            edges = [*rows["bin_low"], rows["bin_high"].iloc[-1]]
            axes.stairs(
                values, edges, color=COLOURS[style], ls=LINES[style], lw=1.6, label=term(str(arm), lang)
            )
        axes.set_title(title)
        decimal_axis(axes.yaxis, lang)
        decimal_axis(axes.xaxis, lang)
        axes.set_xlabel("Kans op verwijzing (logit)" if lang == "nl" else "Chance of referral (logit)")
    panels[0].set_ylabel("Aandeel" if lang == "nl" else "Share")
    panels[0].legend(loc="upper left")
    alt = (
        "Verdeling van de kans op verwijzing bij verwezen en vergelijkingspersonen, voor en na matchen."
        if lang == "nl"
        else "Distribution of the chance of referral among referred and comparison persons, before and after."
    )
    return finish(figure, alt=alt)


def course_by_arm(results: Results, *, age_band: str = ALL_BANDS) -> Picture:
    """Draw the monthly rate around the index date of the referred and their matched comparison persons.

    Parameters
    ----------
    results : Results
        With the table ``monthly``, weighted.
    age_band : str
        An age band, or ``all``.

    Returns
    -------
    Picture
        Two lines with 95 % bands, the windows of the plan shaded.
    """
    frame, lang = results.table("monthly"), results.lang
    outcome = results.study.headline.outcomes[0]
    frame = frame[(frame["outcome"] == outcome) & (frame["age_band"] == age_band) & ~frame["suppressed"]]
    figure, (axes,) = new_figure(height=3.9)
    shade_windows(axes, results)
    words = []
    for style, arm in enumerate(("referred", "comparison")):
        rows = frame[frame["arm"] == arm].sort_values("month")
        monthly_rate(axes, rows, style, label=term(arm, lang))
        words.append(f"{term(arm, lang)}: {number(rows['rate'].max(), 1, lang=lang)} max")
    monthly_axes(axes, lang)
    axes.set_xlabel(_BLOCKS[lang])
    return finish(figure, alt="; ".join(words))


def event_study(results: Results, *, age_band: str = ALL_BANDS) -> Picture:
    """Draw the ratio of referred to comparison per block of 30 days, relative to the placebo year.

    Parameters
    ----------
    results : Results
        With the table ``event_study``.
    age_band : str
        An age band, or ``all``.

    Returns
    -------
    Picture
        Points with 95 % intervals; 1 means that the arms run parallel.
    """
    frame, lang = results.table("event_study"), results.lang
    frame = frame[(frame["age_band"] == age_band) & ~frame["suppressed"]]
    figure, (axes,) = new_figure(height=3.3)
    shade_windows(axes, results)
    middle = frame["month"] + 0.5
    axes.vlines(middle, frame["conf_low"], frame["conf_high"], color=COLOURS[0], lw=1.5)
    axes.plot(middle, frame["estimate"], ls="none", marker="o", ms=4.5, color=COLOURS[0])
    axes.axvline(0, color=INK, lw=1.2)
    axes.axhline(1, color=MUTED, lw=1, ls=(0, (4, 3)))
    axes.set_yscale("log")
    round_ticks(axes.yaxis)
    decimal_axis(axes.yaxis, lang)
    decimal_axis(axes.xaxis, lang)
    axes.set_xlabel(_BLOCKS[lang])
    axes.set_ylabel("Verhouding t.o.v. placebojaar" if lang == "nl" else "Ratio relative to placebo year")
    last = frame.iloc[-1]
    return finish(figure, alt=f"{int(last['month'])}: {number(last['estimate'], 2, lang=lang)}")


def triangulation(results: Results, *, age_band: str = ALL_BANDS) -> Picture:
    """Draw every design with its effect and its placebo contrast beside each other.

    Parameters
    ----------
    results : Results
        With the table ``triangulation``.
    age_band : str
        An age band, or ``all``.

    Returns
    -------
    Picture
        Left the effect, right the placebo contrast, which should lie on 1. A star marks the plan's headline.
    """
    frame, lang = results.table("triangulation"), results.lang
    frame = frame[(frame["age_band"] == age_band) & (frame["scale"] == "ratio") & ~frame["suppressed"]]
    figure, panels = new_figure(height=0.36 * len(frame) + 1.3, columns=2)
    titles = ("Effect", "Placebocontrast") if lang == "nl" else ("Effect", "Placebo contrast")
    for axes, title, prefix in zip(panels, titles, ("conf_", "placebo_"), strict=True):
        middle = "estimate" if prefix == "conf_" else "placebo"
        for place, (_, row) in enumerate(frame.iterrows()):
            whisker(
                axes,
                row,
                -place,
                _style(row, results, prefix),
                names=(middle, f"{prefix}low", f"{prefix}high"),
            )
        neutral_line(axes, "ratio", lang)
        axes.set_title(title)
        axes.set_ylim(-len(frame) + 0.4, 0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("Verhouding (log)" if lang == "nl" else "Ratio (log)")
    panels[0].set_yticks(
        [-i for i in range(len(frame))], [design_words(r, results) for _, r in frame.iterrows()], fontsize=8.5
    )
    panels[1].set_yticks([])
    words = [
        f"{design_words(r, results)}: {number(r['estimate'], 2, lang=lang)} ({number(r['placebo'], 2, lang=lang)})"
        for _, r in frame.iterrows()
    ]
    return finish(figure, alt="; ".join(words))


def _style(row: pd.Series[Any], results: Results, prefix: str) -> int:
    """Give the style of a row: the headline stands out, a placebo contrast beside 1 too."""
    if prefix == "placebo_":
        return 0 if row["placebo_low"] <= 1 <= row["placebo_high"] else 1
    return 0 if is_headline(row, results) else 2


def is_headline(row: pd.Series[Any], results: Results) -> bool:
    """Tell whether a row of the designs is the one that the plan fixed."""
    design = results.study.design
    if design is None or row["contrast"] != results.study.headline.contrast:
        return False
    own = {"none": "covariates", "placebo": "placebo_year", "quarters": "quarters", "level": "level"}
    names = {own.get(design.history, "")}
    if design.history == "quarters":
        names.add("quarters_earlier")
    return row["design"] in names


def design_words(row: pd.Series[Any], results: Results) -> str:
    """Write the name of a design, with a star for the plan's headline."""
    star = " ★" if is_headline(row, results) else ""
    return f"{term('design_' + row['design'], results.lang)}{star}"


def specification(results: Results) -> Picture:
    """Draw the headline estimate under every other choice, in rising order (a specification curve).

    Parameters
    ----------
    results : Results
        With the table ``specification``.

    Returns
    -------
    Picture
        Estimates with 95 % intervals; markers and colours tell the history, a ring marks the plan's choice.
    """
    frame, lang = results.table("specification"), results.lang
    frame = frame[~frame["suppressed"]].sort_values("estimate", ignore_index=True)
    figure, (axes,) = new_figure(height=3.4)
    histories = ["none", "year", "quarters", "level"]
    for style, history in enumerate(histories):
        rows = frame[frame["history"] == history]
        axes.vlines(rows.index, rows["conf_low"], rows["conf_high"], color=COLOURS[style], lw=1.3)
        axes.plot(
            rows.index,
            rows["estimate"],
            ls="none",
            marker=MARKERS[style],
            ms=4.5,
            color=COLOURS[style],
            label=term(f"history_{history}", lang),
        )
    own = frame[frame["planned"]]
    axes.plot(own.index, own["estimate"], ls="none", marker="o", ms=12, mfc="none", mec=INK, mew=1.6)
    axes.axhline(1, color=MUTED, lw=1, ls=(0, (4, 3)))
    axes.set_yscale("log")
    round_ticks(axes.yaxis)
    decimal_axis(axes.yaxis, lang)
    axes.set_xticks([])
    axes.set_xlabel(
        "Specificaties, van laag naar hoog" if lang == "nl" else "Specifications, from low to high"
    )
    axes.set_ylabel("Verhouding" if lang == "nl" else "Ratio")
    axes.legend(loc="upper left", ncols=4, fontsize=8.5)
    low, high = number(frame["estimate"].min(), 2, lang=lang), number(frame["estimate"].max(), 2, lang=lang)
    return finish(figure, alt=f"{low} – {high}")
