"""The count of who is left after each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wor_eval.study import Text

if TYPE_CHECKING:
    import pandas as pd


class Attrition:
    """Counts units per arm after each step of building a cohort."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, reason: Text, units: pd.DataFrame) -> None:
        """Note how many units of each arm are left, and why the others are not."""
        left = units["arm"].value_counts()
        self.rows.append(
            {
                "step": len(self.rows),
                "reason_nl": reason.nl,
                "reason_en": reason.en,
                "n_referred": int(left.get("referred", 0)),
                "n_comparison": int(left.get("comparison", 0)),
            }
        )

    def to_frame(self) -> pd.DataFrame:
        """Give ``step, reason_nl, reason_en, n_referred, n_comparison``."""
        import pandas as pd

        return pd.DataFrame(self.rows)
