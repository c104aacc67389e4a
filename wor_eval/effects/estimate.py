"""An effect with its uncertainty: one row, or a table of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Literal

from wor_eval.errors import EstimationError
from wor_eval.language import interval, number
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd

Scale = Literal["ratio", "difference"]
ALL_BANDS = "all"
_Z95 = 1.959963984540054


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """One effect with its uncertainty.

    Attributes
    ----------
    outcome, contrast, age_band, method : str
        What was estimated, for whom, and how.
    scale : {"ratio", "difference"}
        A ratio has its neutral value at 1 and ``std_error`` is that of its natural logarithm; a difference
        has it at 0 and ``std_error`` is on its own scale.
    estimate, std_error, conf_low, conf_high, p_value : float
        The effect, its standard error, its 95 % interval and the p-value of no effect.
    unit : str
        Unit of the estimate; ``rate_ratio`` or ``per_person_year``.
    n_referred, n_comparison, n_sets : int
        Persons behind the estimate, and matched sets (0 where there is no matching).
    """

    outcome: str
    contrast: str
    age_band: str
    scale: Scale
    estimate: float
    std_error: float
    conf_low: float
    conf_high: float
    p_value: float
    unit: str
    method: str
    n_referred: int
    n_comparison: int = 0
    n_sets: int = 0

    @property
    def neutral(self) -> float:
        """The value that means no effect: 1 for a ratio, 0 for a difference."""
        return 1.0 if self.scale == "ratio" else 0.0

    @property
    def direction(self) -> Literal["lower", "higher", "unclear"]:
        """Where the interval lies: below the neutral value, above it, or over it."""
        if self.conf_high < self.neutral:
            return "lower"
        return "higher" if self.conf_low > self.neutral else "unclear"

    def text(self, lang: Lang, *, digits: int = 2) -> str:
        """Write the estimate with its interval: ``0,87 (95%-BI 0,78 tot 0,97)``."""
        label = "95%-BI" if lang == "nl" else "95% CI"
        low_high = interval(self.conf_low, self.conf_high, digits, lang=lang)
        return f"{number(self.estimate, digits, lang=lang)} ({label} {low_high})"

    def __str__(self) -> str:
        return self.text("en")


@dataclass(frozen=True, kw_only=True, slots=True)
class EffectTable:
    """Effects in a fixed order, with columns as the fields of :class:`Estimate`."""

    rows: tuple[Estimate, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"EffectTable({len(self.rows)} effects)\n{self.summary()}"

    def to_frame(self) -> pd.DataFrame:
        """Give the effects as a frame, one row each."""
        import pandas as pd

        columns = [field.name for field in fields(Estimate)]
        return pd.DataFrame([asdict(row) for row in self.rows], columns=columns)

    def summary(self) -> str:
        """Write one line per effect."""
        return "\n".join(f"{r.outcome} | {r.contrast} | {r.age_band} | {r.method}: {r}" for r in self.rows)

    def one(self, *, contrast: str, age_band: str, method: str, scale: Scale) -> Estimate:
        """Give the single effect that fits.

        Raises
        ------
        EstimationError
            None fits, or more than one.
        """
        wanted = (contrast, age_band, method, scale)
        found = [r for r in self.rows if (r.contrast, r.age_band, r.method, r.scale) == wanted]
        if len(found) != 1:
            raise EstimationError(f"{len(found)} effects fit {', '.join(wanted)}; exactly one was asked for")
        return found[0]


def effect_table(parts: Iterable[Iterable[Estimate]]) -> EffectTable:
    """Put groups of effects below each other."""
    return EffectTable(rows=tuple(row for part in parts for row in part))


def normal_limits(estimate: float, std_error: float) -> tuple[float, float, float]:
    """Give the 95 % limits and the two-sided p-value of zero by the normal distribution."""
    half = _Z95 * std_error
    p = math.erfc(abs(estimate / std_error) / math.sqrt(2)) if std_error > 0 else math.nan
    return estimate - half, estimate + half, p
