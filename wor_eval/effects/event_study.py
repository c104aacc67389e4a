"""The course of referred and matched comparison persons around the index date, and their ratio per block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wor_eval.cohort.wide import Floats, wide_outcome
from wor_eval.design.matched import MatchedCohort
from wor_eval.effects.contrasts import cluster_codes
from wor_eval.effects.estimate import ALL_BANDS, normal_limits
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = [
    "outcome", "age_band", "month", "estimate", "std_error", "conf_low", "conf_high", "n_referred", "n_comparison",
]  # fmt: skip


def event_study(matched: MatchedCohort, study: Study, *, outcome: str) -> pd.DataFrame:
    """Estimate the ratio of rates, referred over comparison, in each quarter before and block after referral.

    Estimand: for each window the weighted rate of the referred over that of the comparison persons, relative to
    the same ratio in the placebo year; 1 before the index date means that the two ran parallel. Errors are robust
    by set.

    Parameters
    ----------
    matched : MatchedCohort
        Sets and weights.
    study : Study
        The plan, with ``months``.
    outcome : str
        Name of the outcome.

    Returns
    -------
    DataFrame
        ``outcome, age_band, month, estimate, std_error, conf_low, conf_high, n_referred, n_comparison``;
        no row where the plan has no months.
    """
    import pandas as pd

    blocks = list(study.windows.monthly())
    wide = wide_outcome(matched.cohort, outcome, ["placebo", *blocks])
    clusters = np.unique(cluster_codes(matched, "set"), return_inverse=True)[1]
    band_of = matched.cohort.persons["age_band"].to_numpy()
    rows = []
    for band in (*study.cohort.band_names, ALL_BANDS):
        weight = matched.weight if band == ALL_BANDS else np.where(band_of == band, matched.weight, 0.0)
        base, base_influence = _log_ratio(weight, matched.referred, wide.value[:, 0], wide.years[:, 0])
        for place, block in enumerate(blocks, start=1):
            now, influence = _log_ratio(weight, matched.referred, wide.value[:, place], wide.years[:, place])
            sums = np.bincount(clusters, weights=influence - base_influence)
            error = float(np.sqrt((sums**2).sum()))
            low, high, _ = normal_limits(now - base, error)
            seen = (weight > 0) & (wide.years[:, place] > 0)
            rows.append(
                {
                    "outcome": outcome,
                    "age_band": band,
                    "month": int(block.removeprefix("month")),
                    "estimate": float(np.exp(now - base)),
                    "std_error": error,
                    "conf_low": float(np.exp(low)),
                    "conf_high": float(np.exp(high)),
                    "n_referred": int((seen & matched.referred).sum()),
                    "n_comparison": int((seen & ~matched.referred).sum()),
                }
            )
    return pd.DataFrame(rows, columns=_COLUMNS)


def _log_ratio(weight: Floats, referred: np.ndarray, value: Floats, years: Floats) -> tuple[float, Floats]:
    """Log ratio of the weighted rates of the arms, and each unit's influence on it; missing without events."""
    total, influence = 0.0, np.zeros(weight.size)
    for arm, sign in ((referred, 1.0), (~referred, -1.0)):
        w = np.where(arm, weight, 0.0)
        events, time = float(w @ value), float(w @ years)
        if events <= 0 or time <= 0:
            return np.nan, np.full(weight.size, np.nan)
        total += sign * np.log(events / time)
        influence += sign * w * (value / events - years / time)
    return total, influence
