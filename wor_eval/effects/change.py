"""How the change is spread: who fell and rose, how few carry it, and whether the same persons were seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wor_eval.cohort.wide import DAYS_PER_YEAR
from wor_eval.effects.estimate import ALL_BANDS, normal_limits
from wor_eval.effects.paired import changes, concentration
from wor_eval.effects.windows import WindowPair, window_pair
from wor_eval.errors import EstimationError
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.cohort.build import Cohort

EXTREME_SHARES = (0.01, 0.05, 0.10)


def change_table(cohort: Cohort, study: Study, *, outcome: str) -> pd.DataFrame:
    """Count the referred whose rate fell, stayed or rose, among those seen in both windows.

    Returns
    -------
    DataFrame
        ``outcome, age_band, direction, n_persons, share``.
    """
    import pandas as pd

    pair = window_pair(cohort, outcome)
    rows = []
    for band, part in _bands(pair, study):
        found = changes(*_columns(part))
        counts = (found.n_fell, found.n_stayed, found.n_rose)
        for direction, count in zip(("fell", "stayed", "rose"), counts, strict=True):
            rows.append((outcome, band, direction, count, count / sum(counts)))
    return pd.DataFrame(rows, columns=["outcome", "age_band", "direction", "n_persons", "share"])


def concentration_table(cohort: Cohort, study: Study, *, outcome: str) -> pd.DataFrame:
    """Say what share of the total change the most extreme persons carry, and the change without them.

    Returns
    -------
    DataFrame
        ``outcome, age_band, extreme_share, n_persons, n_extreme, share_of_change, mean_change,
        mean_change_without``; no row where the total change is zero, or the share is less than one person.
    """
    import pandas as pd

    pair = window_pair(cohort, outcome)
    rows: list[dict[str, Any]] = []
    for band, part in _bands(pair, study):
        for share in EXTREME_SHARES:
            if share * len(part) < 1:
                continue
            try:
                found = concentration(*_columns(part), top_share=share)
            except EstimationError:  # a total change of zero: nobody carries a part of it
                continue
            rows.append(
                {
                    "outcome": outcome,
                    "age_band": band,
                    "extreme_share": share,
                    "n_persons": found.n_persons,
                    "n_extreme": found.n_extreme,
                    "share_of_change": found.share,
                    "mean_change": found.mean_change,
                    "mean_change_without": found.mean_change_without,
                }
            )
    columns = [
        "outcome",
        "age_band",
        "extreme_share",
        "n_persons",
        "n_extreme",
        "share_of_change",
        "mean_change",
    ]
    return pd.DataFrame(rows, columns=[*columns, "mean_change_without"])


def composition_table(cohort: Cohort, *, outcome: str) -> pd.DataFrame:
    """Set the rate ratio over all rows beside the one over persons observed for both windows in full.

    Where the two differ, part of the change comes from seeing other persons before than after.

    Returns
    -------
    DataFrame
        ``outcome, persons, n_before, n_after, estimate, std_error, conf_low, conf_high``.
    """
    import pandas as pd

    pair = window_pair(cohort, outcome)
    whole = np.isclose(pair.years, pair.years.max(axis=0)).all(axis=1)
    rows = []
    for name, part in (("all_rows", pair), ("both_windows", pair.where(whole))):
        n_before, n_after = (int(count) for count in (part.years > 0).sum(axis=0))
        estimate, error, low, high = _ratio(part)
        rows.append((outcome, name, n_before, n_after, estimate, error, low, high))
    columns = ["outcome", "persons", "n_before", "n_after", "estimate", "std_error", "conf_low", "conf_high"]
    return pd.DataFrame(rows, columns=columns)


def _ratio(pair: WindowPair) -> tuple[float, float, float, float]:
    """Give the ratio of the two rates; missing where one of them has no events."""
    try:
        first, second = pair.rates
    except EstimationError:
        return (np.nan,) * 4
    if first <= 0 or second <= 0:
        return (np.nan,) * 4
    influence = pair.rate_influence() / np.array([first, second])
    log_ratio = float(np.log(second / first))
    error = float(np.sqrt(((influence[:, 1] - influence[:, 0]) ** 2).sum()))
    low, high, _ = normal_limits(log_ratio, error)
    return float(np.exp(log_ratio)), error, float(np.exp(low)), float(np.exp(high))


def _bands(pair: WindowPair, study: Study) -> list[tuple[str, WindowPair]]:
    """Give each age band with at least two persons seen in both windows, and all of them."""
    seen = pair.where(pair.both)
    parts = [(band, seen.band(band)) for band in (*study.cohort.band_names, ALL_BANDS)]
    return [(band, part) for band, part in parts if len(part) > 1]


def _columns(pair: WindowPair) -> tuple[Any, Any, Any, Any]:
    days = pair.years * DAYS_PER_YEAR
    return pair.value[:, 0], pair.value[:, 1], days[:, 0], days[:, 1]
