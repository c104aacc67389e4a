"""Tables of whether it is worth it: differences, ratio, net benefit, draws, acceptability, value of research."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from wor_eval.economics.acceptability import acceptability
from wor_eval.economics.checked import Floats
from wor_eval.economics.cost_effectiveness import CostEffectiveness, cost_effectiveness
from wor_eval.economics.costs import TrajectoryCosts
from wor_eval.economics.decision import fieller_interval, icer, net_benefit, quadrants
from wor_eval.economics.draws import JointDraws, t_draws
from wor_eval.economics.estimates import CARE_ONLY, Stacked
from wor_eval.economics.guideline import guideline
from wor_eval.economics.information import partial_information, population_value
from wor_eval.economics.joint import JointDifference
from wor_eval.economics.sensitivity import break_even_price, subgroup_value
from wor_eval.effects.estimate import ALL_BANDS
from wor_eval.study import Economics, Study

if TYPE_CHECKING:
    import pandas as pd

IMPUTED: Final = "imputed"
COMPLETE: Final = "complete_case"
STRATEGIES: Final = ("usual_care", "referral")
_CURVE_POINTS: Final = 81


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What was estimated in one study.

    Attributes
    ----------
    study : Study
        The plan.
    plan : Economics
        Its economic part.
    fits : mapping of str to Stacked
        By how missing answers were dealt with; the first is the main one.
    counted : mapping of str to bool
        By perspective: whether somebody in it pays the trajectory.
    paid : TrajectoryCosts
        What the trajectories cost.
    hours : float
        Mean hours of the coach per trajectory.
    """

    study: Study
    plan: Economics
    fits: Mapping[str, Stacked]
    counted: Mapping[str, bool]
    paid: TrajectoryCosts
    hours: float

    @property
    def main(self) -> Stacked:
        """The main fit."""
        return next(iter(self.fits.values()))

    def difference(self, band: str) -> JointDifference:
        """Give cost and effect of the main perspective in one band."""
        return self.main.joint(self.plan.perspective, band)

    def sizes(self, band: str) -> dict[str, int]:
        """Give the persons behind a band."""
        at = self.main.bands.index(band)
        return {"n_referred": self.main.n_referred[at], "n_comparison": self.main.n_comparison[at]}


def incremental(found: Found) -> pd.DataFrame:
    """Give incremental cost and effect with their intervals, by method, perspective and age band."""
    rows = []
    for method, fit in found.fits.items():
        for perspective in found.counted:
            for at, band in enumerate(fit.bands):
                limits = fit.joint(perspective, band).intervals()
                for i, quantity in enumerate(("cost", "effect")):
                    rows.append(
                        {
                            "method": method,
                            "perspective": perspective,
                            "age_band": band,
                            "quantity": quantity,
                            **{name: float(getattr(limits, name)[i]) for name in _LIMITS},
                            "trajectory_counted": found.counted[perspective],
                            "n_referred": fit.n_referred[at],
                            "n_comparison": fit.n_comparison[at],
                            "n_clusters": fit.n_clusters,
                        }
                    )
    return _frame(rows)


_LIMITS: Final = ("estimate", "std_error", "conf_low", "conf_high", "p_value")


def ratios(found: Found) -> pd.DataFrame:
    """Give the ratio with dominance as a verdict, and Fieller's interval where it is bounded."""
    rows = []
    for perspective, band in _cells(found):
        fit = found.main.joint(perspective, band)
        point, limits = icer(*map(float, fit.estimate)), fieller_interval(fit)
        rows.append(
            {
                "perspective": perspective,
                "age_band": band,
                "verdict": point.verdict,
                "ratio": point.ratio,
                "bounded": limits.bounded,
                "conf_low": limits.conf_low,
                "conf_high": limits.conf_high,
                **found.sizes(band),
            }
        )
    return _frame(rows).astype({"ratio": float, "conf_low": float, "conf_high": float})


def net_benefits(found: Found) -> pd.DataFrame:
    """Give the net benefit at each threshold of the plan and along the curve, with its interval."""
    rows = []
    for perspective, band in _cells(found):
        answer = net_benefit(found.main.joint(perspective, band), _curve(found.plan))
        for k, threshold in enumerate(answer.thresholds):
            rows.append(
                {
                    "perspective": perspective,
                    "age_band": band,
                    "threshold": float(threshold),
                    **{name: float(getattr(answer.limits, name)[k]) for name in _LIMITS},
                    **found.sizes(band),
                }
            )
    return _frame(rows)


def _curve(plan: Economics) -> Floats:
    """Give the thresholds of the curves: evenly from 0 to the highest, with those of the plan among them."""
    values = np.array(plan.thresholds.values)
    return np.union1d(np.linspace(0, values.max(), _CURVE_POINTS), values)


def _cells(found: Found) -> Iterator[tuple[str, str]]:
    return ((perspective, band) for perspective in found.counted for band in found.main.bands)


def joint_draws(found: Found) -> dict[str, JointDraws]:
    """Draw cost and effect together in each band, from the t distribution of the main fit."""
    return {
        band: t_draws(found.difference(band), replicates=found.plan.replicates, seed=found.study.seed + i)
        for i, band in enumerate(found.main.bands)
    }


def evaluation(found: Found, drawn: Mapping[str, JointDraws]) -> CostEffectiveness:
    """Put the draws together with what gives them meaning, or refuse and list why."""
    plan = found.plan
    return cost_effectiveness(
        {band: draws.by_strategy() for band, draws in drawn.items()},
        strategies=STRATEGIES,
        thresholds=plan.thresholds.values,
        perspective=plan.perspective,
        cost_days=plan.horizon_days,
        effect_days=plan.horizon_days,
        price_year=plan.trajectory.price_year,
        effect_unit=plan.effect.unit.en,
        trajectory=found.paid,
        guideline=guideline(plan.guideline or ""),
    )


def draws_table(found: Found, drawn: Mapping[str, JointDraws]) -> pd.DataFrame:
    """Give the draws of incremental cost and effect by age band; never persons."""
    frame = evaluation(found, drawn).to_frame()
    frame = frame[frame["strategy"] == STRATEGIES[1]].drop(columns="strategy")
    sizes = frame["age_band"].map(found.sizes).apply(dict)
    return frame.assign(
        n_referred=[size["n_referred"] for size in sizes],
        n_comparison=[size["n_comparison"] for size in sizes],
    ).reset_index(drop=True)


def quadrant_shares(found: Found, drawn: Mapping[str, JointDraws]) -> pd.DataFrame:
    """Give the share of the draws in each quadrant of the plane."""
    rows = []
    for band, draws in drawn.items():
        shares = quadrants(draws)
        rows += [
            {"age_band": band, "quadrant": name, "share": getattr(shares, name), **found.sizes(band)}
            for name in shares.__slots__
        ]
    return _frame(rows)


def acceptabilities(found: Found, drawn: Mapping[str, JointDraws]) -> pd.DataFrame:
    """Give acceptability, its frontier, expected net benefit and value of research along the thresholds."""
    rows = []
    for band, draws in drawn.items():
        answer = acceptability(draws.draws[:, 0], draws.draws[:, 1], _curve(found.plan))
        for k, threshold in enumerate(answer.thresholds):
            rows.append(
                {
                    "age_band": band,
                    "threshold": float(threshold),
                    "probability": float(answer.probability[k, 1]),
                    "best": STRATEGIES[answer.best[k]],
                    "frontier": float(answer.frontier[k]),
                    "expected_net_benefit": float(answer.expected_net_benefit[k, 1]),
                    "evpi": float(answer.evpi[k]),
                    **found.sizes(band),
                }
            )
    return _frame(rows)


def information(found: Found, drawn: Mapping[str, JointDraws]) -> pd.DataFrame:
    """Give what more research is worth, about everything and about cost or effect alone, per person and in all."""
    rows, grid, plan = [], np.array(found.plan.thresholds.values), found.plan
    for band, draws in drawn.items():
        cost, effect = draws.draws.T
        values = {"everything": acceptability(cost, effect, grid).evpi}
        for name, parameter in (("cost", cost), ("effect", effect)):
            values[name] = partial_information(cost, effect, parameter, thresholds=grid)
        for about, worth in values.items():
            everybody = population_value(
                worth,
                persons_per_year=eligible(plan, band),
                years=plan.budget.years,
                guideline=guideline(plan.guideline or ""),
            )
            for k, threshold in enumerate(grid):
                rows.append(
                    {
                        "age_band": band,
                        "threshold": float(threshold),
                        "about": about,
                        "per_person": float(worth[k]),
                        "population": float(everybody[k]),
                        **found.sizes(band),
                    }
                )
    return _frame(rows)


def eligible(plan: Economics, band: str) -> float:
    """Give the persons eligible in a year, of one band or of all."""
    persons = {name: given.value for name, given in plan.budget.eligible.items()}
    return sum(persons.values()) if band == ALL_BANDS else persons[band]


def break_even(found: Found) -> pd.DataFrame:
    """Give the highest price of a trajectory, and of an hour, at which it is worth its money."""
    rows = []
    for band in found.main.bands:
        answer = break_even_price(
            found.main.joint(CARE_ONLY, band), [0.0, *found.plan.thresholds.values], coach_hours=found.hours
        )
        for quantity in ("per_trajectory", "per_hour"):
            limits = getattr(answer, quantity)
            for k, threshold in enumerate(answer.thresholds):
                rows.append(
                    {
                        "age_band": band,
                        "threshold": float(threshold),
                        "quantity": quantity,
                        **{name: float(getattr(limits, name)[k]) for name in _LIMITS},
                        **found.sizes(band),
                    }
                )
    return _frame(rows)


def subgroups(found: Found) -> pd.DataFrame:
    """Give what is lost by one decision for all age bands, by threshold."""
    bands, plan = found.main.bands[:-1], found.plan
    points = np.array([found.difference(band).estimate for band in bands])
    persons = np.array([eligible(plan, band) for band in bands])
    answer = subgroup_value(
        np.column_stack([np.zeros(len(bands)), points[:, 0]]),
        np.column_stack([np.zeros(len(bands)), points[:, 1]]),
        shares=persons / persons.sum(),
        thresholds=plan.thresholds.values,
    )
    return _frame(
        [
            {
                "age_band": band,
                "threshold": float(threshold),
                "best_for_all": STRATEGIES[answer.best_for_all[k]],
                "best_for_band": STRATEGIES[answer.best_by_group[k, b]],
                "lost": float(answer.lost_by_group[k, b]),
                "lost_over_all": float(answer.value[k]),
                **found.sizes(band),
            }
            for k, threshold in enumerate(answer.thresholds)
            for b, band in enumerate(bands)
        ]
    )


def band_differences(found: Found) -> pd.DataFrame:
    """Give how referral differs between the first age band and each other one: cost, effect and net benefit.

    The interaction test of the decision: whether more attention to one band is worth more than to another.
    """
    first, *others = found.main.bands[:-1]
    rows = []
    for other in others:
        fit = found.main.between(found.plan.perspective, first=first, second=other)
        own = fit.intervals()
        benefit = net_benefit(fit, found.plan.thresholds.values).limits
        cells = [("cost", np.nan, own, 0), ("effect", np.nan, own, 1)]
        cells += [("net_benefit", k, benefit, at) for at, k in enumerate(found.plan.thresholds.values)]
        smaller = min(
            found.sizes(first).items(), found.sizes(other).items(), key=lambda size: min(dict(size).values())
        )
        for quantity, threshold, limits, at in cells:
            rows.append(
                {
                    "first": first,
                    "second": other,
                    "quantity": quantity,
                    "threshold": float(threshold),
                    **{name: float(getattr(limits, name)[at]) for name in _LIMITS},
                    **dict(smaller),
                }
            )
    return _frame(rows)


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows)
