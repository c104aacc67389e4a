"""How well a prediction tells those with an event from those without: the area under the ROC curve."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.effects.quantity import Quantity
from wor_eval.errors import EstimationError


def area_under_curve(event: ArrayLike, score: ArrayLike, *, level: float = 0.95) -> Quantity:
    """Give the area under the ROC curve with the standard error of DeLong and an interval on the logit scale.

    Estimand: the probability that somebody with the event has a higher score than somebody without (ties count
    half). The variance is ``var(V10) / m + var(V01) / n`` with the placement values of DeLong, DeLong and
    Clarke-Pearson (1988, doi:10.2307/2531595), from ranks (Sun and Xu 2014, doi:10.1109/LSP.2014.2337313).

    Parameters
    ----------
    event : array-like of 0/1, shape (n,)
        Who has the event.
    score : array-like, shape (n,)
        Score or predicted risk.
    level : float, default 0.95
        Level of the interval.

    Returns
    -------
    Quantity
        ``estimate, std_error`` and limits; without an interval where the area is 0 or 1.

    Raises
    ------
    EstimationError
        Unusable input, or fewer than two persons with or without the event.

    Examples
    --------
    >>> found = area_under_curve([1, 1, 1, 0, 0, 0, 0], [0.9, 0.8, 0.3, 0.7, 0.2, 0.1, 0.3])
    >>> print(round(found.estimate, 3), round(found.std_error, 3))
    0.875 0.148
    """
    from scipy.special import expit, logit, ndtri
    from scipy.stats import rankdata

    y, s = np.asarray(event), np.asarray(score, dtype=float)
    if y.ndim != 1 or y.shape != s.shape or not np.isin(y, (0, 1)).all() or not np.isfinite(s).all():
        raise EstimationError("an event of 0 or 1 and a finite score for each person are needed")
    yes = y == 1
    m, n = int(yes.sum()), int((~yes).sum())
    if min(m, n) < 2:
        raise EstimationError(f"{m} persons with the event and {n} without: two of each are needed")
    overall = rankdata(s)
    of_event = (overall[yes] - rankdata(s[yes])) / n
    of_others = 1 - (overall[~yes] - rankdata(s[~yes])) / m
    area = float(of_event.mean())
    error = float(np.sqrt(of_event.var(ddof=1) / m + of_others.var(ddof=1) / n))
    low = high = float("nan")
    if 0 < area < 1:
        half = ndtri(0.5 + level / 2) * error / (area * (1 - area))
        low, high = (float(expit(logit(area) + sign * half)) for sign in (-1, 1))
    return Quantity(estimate=area, std_error=error, conf_low=low, conf_high=high, p_value=float("nan"))
