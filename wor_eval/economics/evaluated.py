"""The persons of a matched cohort as arrays: costs by payer, effect, trajectory, and what they are adjusted for."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wor_eval.cohort.courses import alive_years, coach_contacts, death_days, score_course
from wor_eval.cohort.wide import DAYS_PER_YEAR, wide_outcome
from wor_eval.economics.checked import Floats
from wor_eval.economics.costs import TrajectoryCosts, TrajectoryPrice, trajectory_costs
from wor_eval.economics.guideline import Guideline, guideline
from wor_eval.economics.qaly import area_under_curve, qalys
from wor_eval.errors import EstimationError, StudyError
from wor_eval.study import Economics

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.cohort.build import Cohort
    from wor_eval.data.read import StudyData
    from wor_eval.design.matched import MatchedCohort

_SLACK_DAYS = 15
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluated:
    """Persons of both arms over one horizon; n persons, P payers.

    Attributes
    ----------
    referred, weight : ndarray, shape (n,)
        1 for referred, 0 for comparison; weight of the design.
    band, practice : ndarray of str, shape (n,)
        Age band, and the cluster of the standard errors.
    care, before : ndarray, shape (n, P)
        Euros of care by payer over the horizon, and in the year before; missing where not known throughout.
    baseline, level : ndarray, shape (n,)
        Score at baseline, and mean score while alive; missing without answers.
    alive : ndarray, shape (n,)
        Years of the horizon that the person lived.
    hours : ndarray, shape (n,)
        Hours of the coach; 0 for comparison persons.
    contacts : ndarray, shape (n,)
        Contacts with the coach; 0 for comparison persons, and where the plan does not use them.
    known : ndarray, shape (n, q)
        Age, sex and chronic conditions: what effect and costs are adjusted for, besides what came before.
    payers : tuple of str, length P
        The payers.

    Examples
    --------
    >>> one = np.ones(2)
    >>> two = Evaluated(
    ...     referred=np.array([1.0, 0.0]), weight=one, band=np.array(["65+", "65+"], dtype=object),
    ...     practice=np.array(["a", "b"], dtype=object), care=np.array([[900.0], [np.nan]]), before=one[:, None],
    ...     baseline=one, level=0.8 * one, alive=np.array([1.0, 0.5]), hours=one, contacts=one,
    ...     known=one[:, None], payers=("zvw",),
    ... )
    >>> two.effect, two.cost_known
    (array([0.8, 0.4]), array([ True, False]))
    """

    referred: Floats
    weight: Floats
    band: NDArray[np.object_]
    practice: NDArray[np.object_]
    care: Floats
    before: Floats
    baseline: Floats
    level: Floats
    alive: Floats
    hours: Floats
    contacts: Floats
    known: Floats
    payers: tuple[str, ...]

    @property
    def effect(self) -> Floats:
        """Area under the score over the horizon, shape (n,): QALYs where the score is a utility."""
        return self.level * self.alive

    @property
    def cost_known(self) -> Bools:
        """Whose costs are known throughout, for every payer, shape (n,)."""
        return np.asarray(np.isfinite(self.care).all(axis=1) & np.isfinite(self.before).all(axis=1))

    @property
    def effect_known(self) -> Bools:
        """Who has a baseline and was followed, shape (n,)."""
        return np.asarray(np.isfinite(self.baseline) & np.isfinite(self.level))

    def of(self, rows: Bools) -> Evaluated:
        """Give some of the persons."""
        parts = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "payers"}
        return Evaluated(**{name: values[rows] for name, values in parts.items()}, payers=self.payers)

    def with_scores(self, baseline: Floats, level: Floats) -> Evaluated:
        """Give the same persons with other scores: imputed ones."""
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        return Evaluated(**{**parts, "baseline": baseline, "level": level})


def evaluated(data: StudyData, matched: MatchedCohort, plan: Economics) -> Evaluated:
    """Lay out the persons of a matched cohort for an economic evaluation.

    Costs count over the horizon of the plan and are known where the person was observed throughout, or until death,
    for every payer. The effect is the area under the score: see :func:`wor_eval.cohort.courses.score_course`.

    Parameters
    ----------
    data : StudyData
        The raw tables.
    matched : MatchedCohort
        Both arms, with weights.
    plan : Economics
        The economic part of the plan.

    Returns
    -------
    Evaluated
        Everybody with a weight and a practice.

    Raises
    ------
    WorEvalError
        The plan does not fit the data; the message says what and where.
    """
    weight = matched.weight
    rows = np.flatnonzero((weight > 0) & matched.cohort.persons["practice_id"].notna().to_numpy())
    units = matched.cohort.persons.iloc[rows]
    care, before = _costs(matched.cohort, units, plan)
    course = score_course(
        data,
        units,
        instrument=plan.effect.instrument,
        baseline=plan.effect.baseline,
        until=plan.effect.followed_until,
        horizon=plan.horizon_days,
    )
    years = alive_years(units, horizon=plan.horizon_days)
    hours, contacts = _hours(data, units, plan)
    _refuse_unknown_costs(care, before, plan)
    return Evaluated(
        referred=(units["arm"] == "referred").to_numpy(float),
        weight=weight[rows],
        band=units["age_band"].to_numpy(object),
        practice=units["practice_id"].astype(str).to_numpy(object),
        care=care,
        before=before,
        baseline=course.baseline,
        level=_mean_level(course.daily, plan) / np.where(years > 0, years, np.nan),
        alive=years,
        hours=hours,
        contacts=contacts,
        known=_known(units),
        payers=tuple(plan.costs),
    )


def _costs(cohort: Cohort, units: pd.DataFrame, plan: Economics) -> tuple[Floats, Floats]:
    """Give care and earlier costs by payer, shape (n, P) each, missing where not known throughout."""
    rows = units["unit"].to_numpy()
    days = np.minimum(death_days(units), plan.horizon_days)
    after, before = [], []
    for name in plan.costs.values():
        found = wide_outcome(cohort, name, ("before", "after"))
        seen = found.years[rows] * DAYS_PER_YEAR
        after.append(np.where(seen[:, 1] >= days - _SLACK_DAYS, found.value[rows, 1], np.nan))
        year = seen[:, 0] >= DAYS_PER_YEAR - _SLACK_DAYS
        before.append(np.where(year, found.value[rows, 0], np.nan))
    return np.column_stack(after), np.column_stack(before)


def _refuse_unknown_costs(care: Floats, before: Floats, plan: Economics) -> None:
    """Refuse payers of whose costs nothing is known throughout, for anybody."""
    known = [
        f"{name}: {int(np.isfinite(care[:, p]).sum())} persons over the horizon, "
        f"{int(np.isfinite(before[:, p]).sum())} over the year before"
        for p, name in enumerate(plan.costs.values())
    ]
    if not (np.isfinite(care) & np.isfinite(before)).all(axis=1).any():
        raise EstimationError(
            f"economics.costs: of none of {len(care)} matched persons the costs of every payer are known throughout; let "
            "windows.before of these outcomes hold the whole year before, and leave out a payer that delivers too little",
            problems=known,
        )


def _mean_level(daily: Floats, plan: Economics) -> Floats:
    """Give the area under each course, missing where there is none, shape (n,)."""
    area = np.full(len(daily), np.nan)
    there = np.isfinite(daily).all(axis=1)
    if there.sum() < 4:
        raise EstimationError(
            f"instrument {plan.effect.instrument}: {there.sum()} matched persons were followed"
        )
    years = np.arange(daily.shape[1]) / DAYS_PER_YEAR
    if plan.effect.measure == "qaly":
        found = qalys(daily[there], years, instrument=plan.effect.instrument, guideline=_rates(plan))
        area[there] = found.total
    else:
        area[there] = area_under_curve(daily[there], years).sum(axis=1)
    return area


def _rates(plan: Economics) -> Guideline:
    return guideline(plan.guideline or "")


def _hours(data: StudyData, units: pd.DataFrame, plan: Economics) -> tuple[Floats, Floats]:
    """Give hours of and contacts with the coach of each person; both 0 for comparison persons."""
    arm, price = (units["arm"] == "referred").to_numpy(float), plan.trajectory
    contacts = np.zeros(len(units))
    if price.hours_per_contact is not None:
        contacts = np.where(arm == 1, coach_contacts(data, units), 0.0)
        unknown = int(np.isnan(contacts).sum())
        if unknown:
            raise StudyError(
                f"economics.trajectory: {unknown} of {int(arm.sum())} matched referrals count no contacts with the "
                "coach; complete n_coach_contacts, or give hours without hours_per_contact"
            )
    per_contact = price.hours_per_contact.value if price.hours_per_contact else 0.0
    return arm * (price.hours.value + per_contact * contacts), contacts


def _known(units: pd.DataFrame) -> Floats:
    """Give age, sex and chronic conditions of each person; missing conditions as their mean, with a mark."""
    columns = [units["age"].to_numpy(float), (units["sex"].astype(str) == "F").to_numpy(float)]
    if "n_chronic" in units.columns:
        chronic = units["n_chronic"].to_numpy(float, na_value=np.nan)
        absent = np.isnan(chronic)
        if not absent.all():
            columns += [np.where(absent, np.nanmean(chronic), chronic), absent.astype(float)]
    return np.column_stack(columns)


def trajectories(people: Evaluated, plan: Economics) -> TrajectoryCosts:
    """Give what the trajectory of each person costs at the prices of the plan."""
    inputs = {name: given.value for name, given in plan.trajectory.inputs().items()}
    price = TrajectoryPrice(
        coach_hour=inputs["coach_hour"],
        overhead=inputs["overhead"],
        activity=inputs["activity"],
        volunteer_hour=inputs["volunteer_hour"],
        payer=plan.trajectory.payer,
        price_year=plan.trajectory.price_year,
        source=plan.trajectory.coach_hour.source.en,
    )
    return trajectory_costs(
        price,
        people.referred,
        coach_hours=people.hours,
        volunteer_hours=people.referred * inputs["volunteer_hours"],
    )
