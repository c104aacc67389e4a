"""Figures of the other outcomes: time to an event with the numbers at risk, patterns of missing answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wor_eval.effects.estimate import ALL_BANDS
from wor_eval.language import number, percent
from wor_eval.report.absent import figure_or_sentence
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
)
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_WAVES = ("before", "between", "after")


@figure_or_sentence
def event_curve(results: Results, *, event: str, age_band: str = ALL_BANDS) -> Picture:
    """Draw the share of persons with an event by quarter after the index date, death as a competing event.

    Parameters
    ----------
    results : Results
        With the table ``event_curves``.
    event : str
        Which event.
    age_band : str
        An age band, or ``all``.

    Returns
    -------
    Picture
        A step line per arm with its 95 % interval, the numbers at risk below; points that are hidden are left
        out. A sentence where every point is.
    """
    frame, lang = results.table("event_curves"), results.lang
    chosen = (frame["event"] == event) & (frame["age_band"] == age_band)
    frame = frame[chosen & (frame["method"] == "cumulative_incidence") & ~frame["suppressed"]]
    frame = frame.groupby("arm", sort=False).filter(lambda rows: (rows["n_event"] > 0).any())
    if frame.empty:
        return nothing_to_show(lang)
    arms = list(dict.fromkeys(frame["arm"]))
    figure, (axes,) = new_figure(height=3.3 + 0.22 * len(arms))
    for style, arm in enumerate(arms):
        rows = frame[frame["arm"] == arm].astype({"estimate": float, "quarter": float})
        _line(axes, rows, style, term(arm, lang))
        _at_risk(axes, rows, style, term(arm, lang))
    _frame(axes, frame, lang, arms=len(arms))
    figure.set_layout_engine("constrained", h_pad=0.14)  # room below the numbers at risk
    return finish(figure, alt=_curve_words(frame, event, lang))


def _line(axes: Axes, rows: pd.DataFrame, style: int, label: str) -> None:
    look: dict[str, Any] = {"color": COLOURS[style]}
    axes.step(rows["quarter"], rows["estimate"], where="post", ls=LINES[style], lw=1.6, label=label, **look)
    axes.plot(rows["quarter"], rows["estimate"], ls="none", marker=MARKERS[style], ms=5, **look)
    known = rows.dropna(subset=["conf_low", "conf_high"])
    shift = 0.05 * (2 * style - 1)
    axes.vlines(
        known["quarter"] + shift,
        known["conf_low"].astype(float),
        known["conf_high"].astype(float),
        lw=1,
        **look,
    )


def _at_risk(axes: Axes, rows: pd.DataFrame, style: int, label: str) -> None:
    """Write the numbers at risk of an arm below the axis."""
    height = -0.34 - 0.085 * style
    below: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "fontsize": 8, "va": "center"}
    axes.text(-0.45, height, label, ha="right", color=COLOURS[style], **below)
    for _, row in rows.iterrows():
        axes.text(row["quarter"], height, f"{int(row['n_risk'])}", ha="center", color=INK, **below)


def _frame(axes: Axes, frame: pd.DataFrame, lang: Lang, *, arms: int) -> None:
    last = int(frame["quarter"].max())
    axes.set_xlim(-0.2, last + 0.3)
    axes.set_ylim(0, min(1.0, 1.15 * float(frame["conf_high"].astype(float).max())))
    axes.set_xticks(range(last + 1))
    decimal_axis(axes.yaxis, lang)
    nl = lang == "nl"
    axes.set_xlabel("Kwartalen na de indexdatum" if nl else "Quarters after the index date")
    axes.set_ylabel("Deel van de personen" if nl else "Share of persons")
    says = "Nog gevolgd" if nl else "At risk"
    axes.text(
        -0.45,
        -0.255,
        says,
        transform=axes.get_xaxis_transform(),
        ha="right",
        va="center",
        fontsize=8,
        color=MUTED,
    )
    if arms > 1:
        axes.legend(loc="upper left", frameon=False)


def _curve_words(frame: pd.DataFrame, event: str, lang: Lang) -> str:
    last = frame.groupby("arm", sort=False).tail(1)
    after = "na kwartaal" if lang == "nl" else "after quarter"
    parts = [
        f"{term(str(r['arm']), lang)}: {percent(r['estimate'], 1, lang=lang)} {after} {int(r['quarter'])}"
        for _, r in last.iterrows()
    ]
    return f"{term(f'event_{event}', lang)}. {'; '.join(parts)}"


@figure_or_sentence
def missing_patterns(results: Results, *, age_band: str = ALL_BANDS) -> Picture:
    """Draw how many persons have each pattern of answers over the waves, by arm.

    Parameters
    ----------
    results : Results
        With the table ``score_patterns``.
    age_band : str
        An age band, or ``all``.

    Returns
    -------
    Picture
        A bar per pattern, beside it a mark per wave: filled answered, open missing, a cross died before. Patterns
        that are hidden are left out.
    """
    frame, lang = results.table("score_patterns"), results.lang
    frame = frame[~frame["suppressed"] & (frame["age_band"] == age_band)]
    if frame.empty:
        return nothing_to_show(lang)
    totals = (
        frame.groupby("pattern")["n_persons"].sum().astype(float).sort_values(ascending=False, kind="stable")
    )
    patterns, arms = list(totals.index), list(dict.fromkeys(frame["arm"]))
    figure, panels = new_figure(height=0.36 * len(patterns) + 1.2, columns=1 + len(arms))
    _marks(panels[0], patterns, lang)
    for style, (axes, arm) in enumerate(zip(panels[1:], sorted(arms, reverse=True), strict=True)):
        rows = frame[frame["arm"] == arm].set_index("pattern")["n_persons"].astype(float).reindex(patterns)
        _bars(axes, list(rows.fillna(0.0)), style, lang)
        axes.set_title(term(arm, lang))
    words = [
        f"{term(str(r['arm']), lang)} {_said(r['pattern'], lang)}: {int(r['n_persons'])}"
        for _, r in frame.iterrows()
    ]
    return finish(figure, alt="; ".join(words))


def _marks(axes: Axes, patterns: list[str], lang: Lang) -> None:
    faces = {"1": COLOURS[0], ".": "white"}
    for place, pattern in enumerate(patterns):
        for wave, letter in enumerate(pattern):
            marker = "x" if letter == "+" else "o"
            axes.plot(wave, -place, marker=marker, ms=8, mfc=faces.get(letter), mec=COLOURS[0], ls="none")
    axes.set_xticks(range(len(_WAVES)), [term(f"wave_{wave}", lang) for wave in _WAVES], fontsize=8)
    axes.set_xlim(-0.6, len(_WAVES) - 0.4)
    axes.set_ylim(-len(patterns) + 0.4, 0.6)
    axes.set_yticks([])
    axes.spines[["left", "bottom"]].set_visible(False)


def _bars(axes: Axes, counts: list[float], style: int, lang: Lang) -> None:
    axes.barh([-place for place in range(len(counts))], counts, height=0.55, color=COLOURS[style])
    for place, count in enumerate(counts):
        if count:
            axes.text(count, -place, f" {number(count, lang=lang)}", va="center", fontsize=8.5)
    axes.set_ylim(-len(counts) + 0.4, 0.6)
    axes.set_xlim(0, 1.25 * max(counts))
    axes.set_yticks([])
    decimal_axis(axes.xaxis, lang)
    axes.set_xlabel("Personen" if lang == "nl" else "Persons")


def _said(pattern: str, lang: Lang) -> str:
    words = {"1": ("ja", "yes"), ".": ("nee", "no"), "+": ("overleden", "died")}
    return "-".join(words[letter][0 if lang == "nl" else 1] for letter in pattern)


@figure_or_sentence
def interrupted(results: Results, *, age_band: str = ALL_BANDS) -> Picture:
    """Draw the rate by block of 30 days with the fitted segments, and what the trend before predicts after.

    Parameters
    ----------
    results : Results
        With the tables ``monthly`` and ``interrupted_course``.
    age_band : str
        An age band, or ``all``.

    Returns
    -------
    Picture
        A panel per arm; a sentence where every value is hidden, or the plan has too few blocks.
    """
    lang = results.lang
    seen, lines = (_of_headline(results, name, age_band) for name in ("monthly", "interrupted_course"))
    if lines.empty:
        return nothing_to_show(lang)
    arms = list(dict.fromkeys(lines["arm"]))
    figure, panels = new_figure(height=3.6, columns=len(arms))
    top = max(float(seen["rate"].max()), *(float(lines[name].max()) for name in ("fitted", "expected")))
    for axes, arm in zip(panels, arms, strict=True):
        _segments(axes, seen[seen["arm"] == arm], lines[lines["arm"] == arm], lang)
        axes.set_ylim(0, 1.05 * top)
        if len(arms) > 1:
            axes.set_title(term(arm, lang))
    says = "Contacten per persoonsjaar" if lang == "nl" else "Contacts per person-year"
    panels[0].set_ylabel(says)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return finish(figure, alt=_segment_words(lines, lang))


def _of_headline(results: Results, table: str, age_band: str) -> pd.DataFrame:
    frame = results.table(table)
    chosen = (frame["outcome"] == results.study.headline.outcomes[0]) & (frame["age_band"] == age_band)
    return frame[chosen & ~frame["suppressed"]]


def _segments(axes: Axes, seen: pd.DataFrame, lines: pd.DataFrame, lang: Lang) -> None:
    words = {
        "seen": ("waargenomen", "observed"),
        "fitted": ("lijn door alle maanden", "line through all months"),
        "all_months": ("verwacht uit alle maanden ervoor", "expected from all months before"),
        "without_quarter_before": (
            "verwacht, zonder de drie maanden ervoor",
            "expected, without the three months before",
        ),
    }
    said = {name: both[0 if lang == "nl" else 1] for name, both in words.items()}
    axes.plot(seen["month"] + 0.5, seen["rate"], "o", ms=4, color=COLOURS[0], label=said["seen"])
    for style, (series, rows) in enumerate(lines.groupby("series", sort=False), start=1):
        before, after = rows[rows["month"] < 0], rows[rows["month"] >= 0]
        look: dict[str, Any] = {"color": COLOURS[style], "lw": 1.7}
        if series == "all_months":
            for part, label in ((before, said["fitted"]), (after, None)):
                axes.plot(part["month"] + 0.5, part["fitted"], color=COLOURS[0], lw=1.7, label=label)
        axes.plot(after["month"] + 0.5, after["expected"], ls=LINES[style], label=said[str(series)], **look)
    axes.axvline(0, color=INK, lw=1.2)
    axes.grid(axis="y", color=GRID, lw=0.7)
    decimal_axis(axes.xaxis, lang)
    decimal_axis(axes.yaxis, lang)
    axes.set_xlabel("Blokken van 30 dagen" if lang == "nl" else "Blocks of 30 days")


def _segment_words(lines: pd.DataFrame, lang: Lang) -> str:
    """Say for each arm the fitted and the expected rate in the last block, all months before used."""
    last = lines[lines["series"] == "all_months"].groupby("arm", sort=False).tail(1)
    words = []
    for _, row in last.iterrows():
        fitted, expected = (number(row[name], 1, lang=lang) for name in ("fitted", "expected"))
        block = number(int(row["month"]), lang=lang)
        says = f"blok {block}: lijn {fitted}, verwacht {expected}" if lang == "nl" else ""
        says = says or f"block {block}: line {fitted}, expected {expected}"
        words.append(f"{term(str(row['arm']), lang)}, {says}")
    return "; ".join(words)
