"""A figure that shows itself as SVG, the same bytes each time, in the look of the reports."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wor_eval.language import number
from wor_eval.report.terms import term
from wor_eval.study import Lang

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK: Final = "#1d2733"
MUTED: Final = "#5b6570"
GRID: Final = "#d9dee3"
# Blue, orange, teal, purple: told apart in the common forms of colour blindness, and always beside a marker
# and a line style, so that no meaning hangs on colour alone.
COLOURS: Final = ("#154273", "#b4530a", "#1a7f6b", "#7a3e8e")
MARKERS: Final = ("o", "s", "D", "^")
LINES: Final = ("-", "--", "-.", ":")

_STYLE: Final[Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": False,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "wor_eval",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A finished figure.

    Attributes
    ----------
    svg : str
        The figure.
    png : bytes
        The same figure for Word and PDF.
    alt : str
        What it shows, in words.
    """

    svg: str
    png: bytes
    alt: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"image/svg+xml": self.svg, "image/png": self.png, "text/plain": self.alt}

    def __repr__(self) -> str:
        return f"Picture({self.alt})"


def new_figure(
    *,
    height: float,
    width: float = 7.2,
    rows: int = 1,
    columns: int = 1,
    heights: Sequence[float] | None = None,
) -> tuple[Figure, list[Axes]]:
    """Make an empty figure in the look of the reports; sizes in inches, heights of the rows relative to each other."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, height_ratios=heights)
    return figure, list(axes.ravel())


def finish(figure: Figure, *, alt: str) -> Picture:
    """Draw a figure to SVG and PNG."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):
        svg, png = io.StringIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
    return Picture(svg=svg.getvalue(), png=png.getvalue(), alt=alt)


def nothing_to_show(lang: Lang) -> Picture:
    """Draw a sentence where every value of a figure is hidden."""
    return sentence(term("nothing_to_show", lang))


def sentence(says: str) -> Picture:
    """Draw a sentence in the place of a figure."""
    figure, (axes,) = new_figure(height=0.8)
    axes.axis("off")
    axes.text(0.5, 0.5, says, ha="center", va="center", color=MUTED, fontsize=9)
    return finish(figure, alt=says)


def label_rows(axes: Axes, names: Sequence[str]) -> None:
    """Name the rows of a figure that stand below each other, at heights 0, -1, -2 and on."""
    axes.set_yticks([-i for i in range(len(names))], names, fontsize=8.5)
    axes.set_ylim(-len(names) + 0.4, 0.6)
    axes.tick_params(axis="y", length=0)


def percent_axis(axis: Any, lang: Lang) -> None:
    """Write the numbers along an axis, which are per cent already, with their sign."""
    axis.set_major_formatter(lambda value, _: f"{number(value, lang=lang)}%")


def decimal_axis(axis: Any, lang: str) -> None:
    """Write the numbers along an axis with the decimal and thousands signs of the language."""
    from matplotlib.ticker import FuncFormatter

    def write(value: float, _: int) -> str:
        text = f"{value:,g}".replace("-", "−")
        return text.translate(str.maketrans(",.", ".,")) if lang == "nl" else text

    axis.set_major_formatter(FuncFormatter(write))
