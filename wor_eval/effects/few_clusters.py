"""The headline contrast with errors that stay honest when there are few practices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from wor_eval.cohort.wide import wide_outcome
from wor_eval.design.matched import MatchedCohort
from wor_eval.effects.contrasts import SIGNS, WINDOWS, cluster_codes, share_followed
from wor_eval.effects.small_sample import cr2_log_link
from wor_eval.errors import EstimationError
from wor_eval.study import Study


def few_practices(
    matched: MatchedCohort, study: Study, *, outcome: str, sizes: dict[str, int]
) -> Iterator[dict[str, Any]]:
    """Give the headline contrast as a ratio with CR2 errors by practice and Satterthwaite degrees of freedom.

    The contrast is a linear combination of the log rates of a saturated, weighted Poisson model of events by arm and
    window; CR2 and its degrees of freedom follow Pustejovsky and Tipton 2018 (doi:10.1080/07350015.2016.1247004).

    Parameters
    ----------
    matched : MatchedCohort
        Sets and weights.
    study : Study
        The plan: its headline contrast.
    outcome : str
        Name of the outcome.
    sizes : dict
        Referred, comparison persons and sets, for the row.

    Yields
    ------
    dict
        One row ``by_practice_cr2``; none where the model cannot be fitted.
    """
    signs = SIGNS[study.headline.contrast]
    wide = wide_outcome(matched.cohort, outcome, WINDOWS)
    followed = share_followed(wide, signs)
    practice = cluster_codes(matched, "practice")
    parts = []
    for place, (arm, window) in enumerate(signs):
        column = WINDOWS.index(window)
        weight = matched.weight * (1.0 if window == "after" else followed)
        rows = (matched.referred == (arm == "referred")) & (weight > 0) & (wide.years[:, column] > 0)
        cell = np.full(int(rows.sum()), place)
        parts.append((wide.value[rows, column], wide.years[rows, column], weight[rows], practice[rows], cell))
    y, years, weight, clusters, cell = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    X = np.eye(len(signs))[cell.astype(int)]
    events, time = (np.bincount(cell.astype(int), weights=weight * v) for v in (y, years))
    try:
        with np.errstate(divide="ignore"):
            rates = np.log(events / time)
        found = cr2_log_link(
            y,
            X,
            clusters,
            coefficients=rates,
            offset=np.log(years),
            weights=weight,
            contrasts=np.array([list(signs.values())], dtype=float),
        )
    except EstimationError:
        return
    yield {
        "check": "by_practice_cr2",
        "estimate": float(np.exp(found.estimate[0])),
        "std_error": float(found.std_error[0]),
        "conf_low": float(np.exp(found.conf_low[0])),
        "conf_high": float(np.exp(found.conf_high[0])),
        **sizes,
    }
