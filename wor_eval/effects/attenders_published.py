"""Published figures on frequent attenders, with their source, beside those of this study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from wor_eval.data.calibration import facts

if TYPE_CHECKING:
    import pandas as pd

_MEANS = {"not": "not", "one": "first_year", "three": "three_years"}


def published_beside(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Set each published figure beside the same figure of this study.

    Returns
    -------
    DataFrame
        ``quantity, published, unit, source, n_persons, estimate, conf_low, conf_high``. Where this study has no such
        figure (other age groups, no prediction), the estimate is missing.
    """
    import pandas as pd

    published = {row["name"]: row for row in facts("frequent_attenders")}
    rows = []
    for name, (value, unit) in _figures(published).items():
        found = _ours(name, tables) or {}
        blank = {"n_persons": 0, "estimate": np.nan, "conf_low": np.nan, "conf_high": np.nan}
        source = published[_SOURCE_ROW.get(name, name)]["source"]
        rows.append({"quantity": name, "published": value, "unit": unit, "source": source, **blank, **found})
    return pd.DataFrame(rows)


_SOURCE_ROW = {"selected": "frequent_one_year"}


def _figures(published: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[float, str]]:
    value = {name: float(row["value"]) for name, row in published.items()}
    figures = {
        "selected": (100 * value["frequent_one_year"] / value["cohort_size"], "percent"),
        "persistence_next_year": (value["persistence_next_year"], "percent"),
        "persistence_three_years": (value["persistence_three_years"], "percent"),
        "auc": (value["auc"], "auc"),
    }
    means = {name: (value[name], "contacts") for name in value if name.startswith("mean_")}
    return figures | means


def _ours(name: str, tables: Mapping[str, pd.DataFrame]) -> dict[str, Any] | None:
    makers: dict[str, Callable[[], dict[str, Any] | None]] = {
        "selected": lambda: _selected(tables["attender_selection"]),
        "persistence_next_year": lambda: _still(tables["attender_persistence"], 2),
        "persistence_three_years": lambda: _still(tables["attender_persistence"], 3),
        "auc": lambda: _auc(tables.get("attender_accuracy")),
    }
    if name in makers:
        return makers[name]()
    _, group, age = name.split("_", 2)
    frame = tables["attender_means"]
    rows = frame[(frame["frequent"] == _MEANS[group]) & (frame["age_group"] == age.replace("_", "-"))]
    if rows.empty:
        return None
    row = rows.iloc[0]
    return {
        "n_persons": int(row["n_persons"]),
        "estimate": row["mean"],
        "conf_low": row["conf_low"],
        "conf_high": row["conf_high"],
    }


def _selected(frame: pd.DataFrame) -> dict[str, Any]:
    from wor_eval.effects.proportions import wilson

    row = frame[frame["sex"] == "all"].iloc[0]
    return _percent(int(row["n_frequent"]), *(v[0] for v in wilson([row["n_frequent"]], [row["n_persons"]])))


def _still(frame: pd.DataFrame, years: int) -> dict[str, Any]:
    row = frame[(frame["age_group"] == "all") & (frame["years"] == years)].iloc[0]
    return _percent(int(row["n_still"]), row["share"], row["conf_low"], row["conf_high"])


def _percent(persons: int, share: float, low: float, high: float) -> dict[str, Any]:
    return {"n_persons": persons, "estimate": 100 * share, "conf_low": 100 * low, "conf_high": 100 * high}


def _auc(frame: pd.DataFrame | None) -> dict[str, Any] | None:
    if frame is None:
        return None
    row = frame[frame["measure"] == "auc_cross_validated"].iloc[0]
    return {"n_persons": int(row["n_events"]), **{c: row[c] for c in ("estimate", "conf_low", "conf_high")}}
