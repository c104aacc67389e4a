"""Tables of what the answer hangs on: one input at a time, two at a time, and scenarios of the plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from wor_eval.economics.answers import Found
from wor_eval.economics.costs import PERSPECTIVES, UNPAID
from wor_eval.economics.estimates import CARE_ONLY
from wor_eval.economics.sensitivity import Model, scenarios, tornado, two_way
from wor_eval.effects.estimate import ALL_BANDS

if TYPE_CHECKING:
    import pandas as pd

_STEPS: Final = 5


def _model(found: Found, contacts: float) -> tuple[Model, dict[str, float]]:
    """Give the net benefit at the main threshold as a function of its inputs, and their base values."""
    plan = found.plan
    care = found.main.joint(CARE_ONLY, ALL_BANDS)
    payers = PERSPECTIVES[plan.perspective].payers
    base = {name: given.value for name, given in plan.trajectory.inputs().items()}
    base |= {"care": 0.0, "effect": float(care.estimate[1]), "threshold": plan.thresholds.main}

    def benefit(x: Mapping[str, float]) -> float:
        hours = x["hours"] + x.get("hours_per_contact", 0.0) * contacts
        paid = hours * x["coach_hour"] * (1 + x["overhead"]) + x["activity"]
        unpaid = x["volunteer_hours"] * x["volunteer_hour"]
        cost = x["care"] + paid * (plan.trajectory.payer in payers) + unpaid * (UNPAID in payers)
        return x["threshold"] * x["effect"] - cost

    # With nothing for care the model gives what the trajectory costs; the rest of the difference is care.
    trajectory = base["threshold"] * base["effect"] - benefit(base)
    base["care"] = float(found.difference(ALL_BANDS).estimate[0]) - trajectory
    return benefit, base


def one_way(found: Found, *, contacts: float) -> pd.DataFrame:
    """Give the net benefit with one input at a time at the ends of its range, the widest first.

    Parameters
    ----------
    found : Found
        What was estimated.
    contacts : float
        Mean contacts with the coach per trajectory.

    Returns
    -------
    DataFrame
        ``input, base, low, high, net_benefit, at_low, at_high``; costs of care and effect move over their 95 %
        intervals, the inputs of the trajectory over the ranges of the plan.
    """
    import pandas as pd

    model, base = _model(found, contacts)
    limits = found.main.joint(CARE_ONLY, ALL_BANDS).intervals()
    ranges = {
        "care": (float(limits.conf_low[0]), float(limits.conf_high[0])),
        "effect": (float(limits.conf_low[1]), float(limits.conf_high[1])),
    }
    for name, given in found.plan.trajectory.inputs().items():
        if given.low is not None and given.high is not None and given.low < given.high:
            ranges[name] = (given.low, given.high)
    if len(found.plan.thresholds.values) > 1:
        ranges["threshold"] = (found.plan.thresholds.values[0], found.plan.thresholds.values[-1])
    answer = tornado(model, base, ranges=ranges)
    return pd.DataFrame(
        [
            {
                "input": bar.name,
                "base": base[bar.name],
                "low": bar.low,
                "high": bar.high,
                "net_benefit": answer.base,
                "at_low": bar.at_low,
                "at_high": bar.at_high,
                **found.sizes(ALL_BANDS),
            }
            for bar in answer.bars
        ]
    )


def both_ways(found: Found, *, contacts: float) -> pd.DataFrame:
    """Give the net benefit over the ranges of two inputs of the plan at once."""
    import pandas as pd

    model, base = _model(found, contacts)
    inputs = found.plan.trajectory.inputs()
    grids = [
        np.linspace(inputs[name].low or 0.0, inputs[name].high or 0.0, _STEPS) for name in found.plan.two_way
    ]
    first, second = found.plan.two_way
    answer = two_way(model, base, first=(first, grids[0].tolist()), second=(second, grids[1].tolist()))
    return pd.DataFrame(
        [
            {
                "first": first,
                "first_value": float(one),
                "second": second,
                "second_value": float(other),
                "net_benefit": float(answer[i, j]),
                **found.sizes(ALL_BANDS),
            }
            for i, one in enumerate(grids[0])
            for j, other in enumerate(grids[1])
        ]
    )


def planned(found: Found, *, contacts: float) -> pd.DataFrame:
    """Give the net benefit in each scenario of the plan, the base first."""
    import pandas as pd

    model, base = _model(found, contacts)
    changes = {"base": {}, **{change.name: dict(change.values) for change in found.plan.scenarios}}
    answer = scenarios(model, base, changes=changes)
    return pd.DataFrame(
        [
            {"scenario": name, "net_benefit": float(value), **found.sizes(ALL_BANDS)}
            for name, value in answer.items()
        ]
    )
