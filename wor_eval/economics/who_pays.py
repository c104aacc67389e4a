"""Tables of who pays and who gains: the balance of each payer, and the budget of the years to come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from wor_eval.economics.budget import budget_impacts, stepwise, uptake
from wor_eval.economics.checked import Floats
from wor_eval.economics.costs import TrajectoryCosts
from wor_eval.economics.estimates import cost_regressions, varying
from wor_eval.economics.evaluated import Evaluated
from wor_eval.economics.payers import PayerCosts, payer_costs
from wor_eval.effects.estimate import ALL_BANDS
from wor_eval.study import Economics

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.economics_plan import Budget, Uptake

_UNITS: Final = {"person": 1.0, "thousand": 1000.0}
_LIMITS: Final = ("estimate", "std_error", "conf_low", "conf_high", "p_value")


def balance(
    people: Evaluated, paid: TrajectoryCosts, plan: Economics, *, bands: tuple[str, ...]
) -> pd.DataFrame:
    """Give what each payer pays more or less because of referral: care, the trajectory, and both.

    Per referred person over the horizon, and per 1,000 referred persons and year; by payer and age band.

    Parameters
    ----------
    people : Evaluated
        Persons whose costs are known.
    paid : TrajectoryCosts
        Their trajectories.
    plan : Economics
        The economic part of the plan.
    bands : tuple of str
        Age bands.

    Returns
    -------
    DataFrame
        ``per, payer, age_band, part, estimate, std_error, conf_low, conf_high, p_value, n_referred, n_comparison``;
        the mean cost of a trajectory has no uncertainty of its own.
    """
    import pandas as pd

    costs = _by_payer(people, paid, plan)
    used = [at for at, column in enumerate(costs.care.T) if np.ptp(column) > 0]
    outcomes = {f"care {costs.payers[at]}": costs.care[:, at] for at in used}
    outcomes |= {f"net {costs.payers[at]}": costs.net[:, at] for at in used}
    fits = cost_regressions(people, outcomes, bands=bands)
    rows = []
    for name, fit in zip(fits.names, fits.fits, strict=True):
        part, payer = name.split(" ")
        for b, band in enumerate(fits.bands):
            limits = {key: float(getattr(fit, key)[b]) for key in _LIMITS}
            sizes = {"n_referred": fits.n_referred[b], "n_comparison": fits.n_comparison[b]}
            rows.append({"payer": payer, "age_band": band, "part": part, **limits, **sizes})
    frame = pd.DataFrame(rows)
    return _in_units(pd.concat([frame, _trajectory_rows(frame)], ignore_index=True), costs.years)


def _by_payer(people: Evaluated, paid: TrajectoryCosts, plan: Economics) -> PayerCosts:
    return payer_costs(
        people.care,
        people.referred,
        payers=people.payers,
        trajectory=paid,
        years=plan.horizon_days / 365.25,
    )


def _trajectory_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the mean cost of the trajectory: what the net difference adds to that of care."""
    keys = ["payer", "age_band"]
    both = frame[frame["part"] == "net"].merge(
        frame[frame["part"] == "care"], on=keys, suffixes=("", "_care")
    )
    extra = (both["estimate"] - both["estimate_care"]).where(lambda v: v.abs() > 1e-6, 0.0)
    nothing = dict.fromkeys(_LIMITS[1:], np.nan)
    sizes = both[["n_referred", "n_comparison"]]
    return both[keys].assign(part="trajectory", estimate=extra, **nothing).join(sizes)


def _in_units(frame: pd.DataFrame, years: float) -> pd.DataFrame:
    """Give the balance per person over the horizon, and per 1,000 persons and year."""
    import pandas as pd

    parts = []
    for unit, persons in _UNITS.items():
        factor = persons if unit == "person" else persons / years
        scaled = {name: frame[name] * factor for name in _LIMITS[:-1]}
        parts.append(frame.assign(per=unit, **scaled))
    return pd.concat(parts, ignore_index=True)


def budgets(
    people: Evaluated, paid: TrajectoryCosts, plan: Economics, *, bands: tuple[str, ...]
) -> pd.DataFrame:
    """Give the budget impact of each uptake scenario against today's, by payer and year, for all and by band.

    Parameters
    ----------
    people, paid, plan, bands
        As for :func:`balance`.

    Returns
    -------
    DataFrame
        ``scenario, age_band, payer, year, extra_referred`` with estimate and limits; year 0 is all years together.
    """
    import pandas as pd

    costs = _by_payer(people, paid, plan)
    covariates = varying(np.hstack([people.known, people.before]))
    now, years = _shares(plan.budget.current, bands, plan.budget), plan.budget.years
    people_by_band = [plan.budget.eligible[band].value for band in bands]
    named = [
        (scenario.name, band, uptake(bands, eligible=people_by_band, share=share, compared_with=now))
        for scenario in plan.budget.scenarios
        for band, share in _one_at_a_time(_shares(scenario, bands, plan.budget), now, bands).items()
    ]
    answers = budget_impacts(
        costs,
        people.band,
        scenarios=[scenario for _, _, scenario in named],
        covariates=covariates,
        weights=people.weight,
        clusters=people.practice,
    )
    rows = []
    for (name, band, _), answer in zip(named, answers, strict=True):
        extra, sizes = answer.extra_referred.sum(axis=1), _sizes(people, band)
        for p, payer in enumerate(answer.payers):
            for y in range(years + 1):
                limits = {key: float(getattr(answer.limits, key)[p, y]) for key in _LIMITS}
                who = float(extra[y] if y < years else extra.sum())
                where = {"scenario": name, "age_band": band, "payer": payer}
                when = {"year": 0 if y == years else y + 1, "extra_referred": who}
                rows.append({**where, **when, **limits, **sizes})
    return pd.DataFrame(rows)


def _shares(part: Uptake, bands: tuple[str, ...], budget: Budget) -> Floats:
    """Give the share referred in each year and band, growing by equal steps, shape (years, B)."""
    first, last = ([end[band] for band in bands] for end in (part.first, part.last))
    return stepwise(first, last, years=budget.years)


def _one_at_a_time(then: Floats, now: Floats, bands: tuple[str, ...]) -> dict[str, Floats]:
    """Give the scenario for all bands, and with one band changed at a time where it changes.

    Examples
    --------
    >>> found = _one_at_a_time(np.array([[0.1, 0.2]]), np.array([[0.1, 0.1]]), ("18-64", "65+"))
    >>> list(found)
    ['all', '65+']
    """
    found = {ALL_BANDS: then}
    for at, band in enumerate(bands):
        if (then[:, at] != now[:, at]).any():
            found[band] = np.where(np.arange(len(bands)) == at, then, now)
    return found


def _sizes(people: Evaluated, band: str) -> dict[str, int]:
    inside = np.full(len(people.band), True) if band == ALL_BANDS else people.band == band
    return {
        "n_referred": int((inside & (people.referred == 1)).sum()),
        "n_comparison": int((inside & (people.referred == 0)).sum()),
    }
