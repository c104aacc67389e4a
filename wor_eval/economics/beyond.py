"""Costs and effect with the years added that the plan asks for, under its assumptions; nothing is added by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from wor_eval.economics.answers import Found
from wor_eval.economics.decision import net_benefit
from wor_eval.economics.estimates import CARE_ONLY
from wor_eval.economics.guideline import guideline
from wor_eval.economics.qaly import extrapolate

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.economics_plan import Beyond

_LIMITS: Final = ("estimate", "std_error", "conf_low", "conf_high", "p_value")


def beyond(found: Found, asked: Beyond) -> pd.DataFrame:
    """Give cost, effect and net benefit with later years added, each at its present value.

    The yearly difference in care and in effect goes on as the plan assumes and is discounted; the trajectory is paid
    once. All is linear in what was estimated, so the interval is that of the same fit, and knows nothing of how sure
    the assumption is.

    Parameters
    ----------
    found : Found
        What was estimated over one year.
    asked : Beyond
        The years that the plan adds, and its assumptions.

    Returns
    -------
    DataFrame
        ``age_band, quantity, threshold`` with estimate and limits.
    """
    import pandas as pd

    rates = guideline(found.plan.guideline or "")
    factors = [
        float(
            extrapolate(
                [1.0], observed_years=1, added_years=asked.years, decline=decline, rate=rate
            ).by_year.sum()
        )
        for decline, rate in ((asked.costs, rates.costs), (asked.effect, rates.effects))
    ]
    names, rows = found.main.equations, []
    weights = np.zeros((2, len(names)))
    weights[0, names.index(found.plan.perspective)] = 1.0
    weights[0, names.index(CARE_ONLY)] += factors[0]
    weights[1, -1] = 1.0 + factors[1]
    main = found.plan.thresholds.main
    for band in found.main.bands:
        fit = found.main.weighed(weights, band)
        own, benefit = fit.intervals(), net_benefit(fit, [main]).limits
        for quantity, limits, at in (("cost", own, 0), ("effect", own, 1), ("net_benefit", benefit, 0)):
            rows.append(
                {
                    "age_band": band,
                    "quantity": quantity,
                    "threshold": main if quantity == "net_benefit" else np.nan,
                    **{name: float(getattr(limits, name)[at]) for name in _LIMITS},
                    **found.sizes(band),
                }
            )
    return pd.DataFrame(rows)
