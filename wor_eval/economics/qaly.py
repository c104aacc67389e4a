"""Effect over time: area under the curve, QALY, adjustment for the baseline, horizon and extrapolation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.economics.checked import Floats, finite, model_columns, persons
from wor_eval.economics.guideline import Guideline, discount_factors
from wor_eval.effects.quantity import Quantity, difference
from wor_eval.errors import EstimationError, StudyError
from wor_eval.study import Text

QALY_INSTRUMENTS: Final = ("eq5d5l", "eq5d3l")
"""Instruments with a Dutch value set (``data_dictionary/tariffs/*_nl.csv``): only these give QALYs."""

_HORIZON_SLACK_DAYS = 15
_YEAR = 365.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Qalys:
    """QALYs of persons.

    Attributes
    ----------
    by_year : ndarray, shape (n, years)
        Undiscounted, in each year since the index date.
    total : ndarray, shape (n,)
        Discounted where the horizon is longer than a year.
    instrument : str
        The instrument behind the utilities.
    edition : str or None
        Edition of the guideline whose rate was used; None within one year.
    """

    by_year: Floats
    total: Floats
    instrument: str
    edition: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BaselineAdjusted:
    """A difference between arms with and without adjustment for the baseline.

    Attributes
    ----------
    adjusted, unadjusted : Quantity
        Referred minus comparison.
    baseline : Quantity
        The difference at baseline, which the unadjusted answer contains.
    """

    adjusted: Quantity
    unadjusted: Quantity
    baseline: Quantity


@dataclass(frozen=True, kw_only=True, slots=True)
class Extrapolation:
    """A difference carried beyond what was observed.

    Attributes
    ----------
    by_year : ndarray, shape (R, years)
        Discounted difference in each added year.
    assumption : Text
        What was assumed, to be printed with every number that rests on it.
    """

    by_year: Floats
    assumption: Text


def area_under_curve(scores: ArrayLike, years: ArrayLike) -> Floats:
    """Give the area under each person's scores in each year since the index date.

    Straight lines between measurements (trapezium rule), cut at whole years.

    Parameters
    ----------
    scores : array-like, shape (n, t)
        Scores at the measurements, complete; the first is the baseline.
    years : array-like, shape (t,)
        When they were measured, in years since the index date, from 0 upwards.

    Returns
    -------
    ndarray, shape (n, Y)
        Score times years, in each of the Y years begun; the last may be part of a year.

    Raises
    ------
    EstimationError
        Missing or infinite scores, fewer than two measurements, or years that do not rise from 0.

    Examples
    --------
    >>> print(area_under_curve([[0.6, 0.8, 0.8]], [0, 0.5, 1.5]).round(2))
    [[0.75 0.4 ]]
    """
    values, at = finite("scores", scores, ndim=2), finite("years", years, ndim=1)
    if at.size != values.shape[1] or at.size < 2:
        raise EstimationError(f"{values.shape[1]} measurements at {at.size} moments: two or more are needed")
    if at[0] != 0 or (np.diff(at) <= 0).any():
        raise EstimationError(
            "years: must rise from 0, the baseline; an area without a baseline has no start"
        )
    whole = np.arange(1.0, np.ceil(at[-1]))
    knots = np.union1d(at, whole)
    width = np.diff(knots)
    year = np.floor((knots[:-1] + knots[1:]) / 2).astype(int)
    hats = np.array([np.interp(knots, at, hat) for hat in np.eye(at.size)])
    pieces = (hats[:, :-1] + hats[:, 1:]) / 2 * width
    to_year = np.zeros((width.size, year[-1] + 1))
    to_year[np.arange(width.size), year] = 1.0
    return np.asarray(values @ (pieces @ to_year))


def qalys(
    utilities: ArrayLike, years: ArrayLike, *, instrument: str, guideline: Guideline | None = None
) -> Qalys:
    """Give QALYs: the area under the curve of utilities from a Dutch value set.

    Parameters
    ----------
    utilities : array-like, shape (n, t)
        Utilities at the measurements, complete, between -1 and 1; the first is the baseline. A death counts as
        utility 0 from then on: put the zeros in.
    years : array-like, shape (t,)
        When they were measured, in years since the index date, from 0 upwards.
    instrument : str
        Code of the instrument: one of :data:`QALY_INSTRUMENTS`.
    guideline : Guideline, optional
        Needed where the horizon is longer than a year.

    Returns
    -------
    Qalys

    Raises
    ------
    StudyError
        An instrument without a Dutch value set, or a horizon beyond a year without an edition of the guideline.
    EstimationError
        As for :func:`area_under_curve`, or values that cannot be utilities.

    Examples
    --------
    >>> qalys([[0.6, 0.8]], [0, 1], instrument="eq5d5l").total
    array([0.7])
    """
    if instrument not in QALY_INSTRUMENTS:
        raise StudyError(
            f"instrument {instrument!r} has no Dutch value set, so no QALY: use its score in its own unit "
            f"(QALYs come from {', '.join(QALY_INSTRUMENTS)})"
        )
    values = finite("utilities", utilities, ndim=2)
    outside = int((np.abs(values) > 1).sum())
    if outside:
        raise EstimationError(f"{outside} of {values.size} utilities lie outside [-1, 1]: are they scores?")
    by_year = area_under_curve(values, years)
    if by_year.shape[1] == 1:
        return Qalys(by_year=by_year, total=by_year[:, 0], instrument=instrument, edition=None)
    if guideline is None:
        raise StudyError("a horizon beyond one year needs discounting: name the edition of the guideline")
    total = by_year @ discount_factors(by_year.shape[1], rate=guideline.effects)
    return Qalys(by_year=by_year, total=total, instrument=instrument, edition=guideline.edition)


def baseline_adjusted(
    effect: ArrayLike,
    referred: ArrayLike,
    baseline: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> BaselineAdjusted:
    """Give the difference in QALYs adjusted for baseline utility, beside the unadjusted one.

    Baseline utility is part of the area, so an imbalance at baseline is carried into the difference: regress
    on it (Manca, Hawkins and Sculpher 2005, doi:10.1002/hec.944). ``unadjusted = adjusted + slope x imbalance``.
    CR2 standard errors with Satterthwaite df.

    Parameters
    ----------
    effect, referred, baseline : array-like, shape (n,)
        QALYs (or another area), 1 for referred or 0 for comparison, and utility at baseline.
    weights, clusters : array-like, shape (n,), optional
        Positive weights of the design; practice or matched set.

    Returns
    -------
    BaselineAdjusted

    Raises
    ------
    EstimationError
        Unusable rows, or a baseline that does not vary.

    Examples
    --------
    >>> before = np.array([0.5, 0.6, 0.7, 0.8, 0.6, 0.7, 0.8, 0.9])
    >>> noise = np.array([0.01, -0.01, -0.01, 0.01, -0.01, 0.01, 0.01, -0.01])
    >>> after = baseline_adjusted(before + noise, [1, 1, 1, 1, 0, 0, 0, 0], before)
    >>> print(round(after.unadjusted.estimate, 2), round(abs(after.adjusted.estimate), 2))
    -0.1 0.0
    """
    from wor_eval.effects.small_sample import cr2_linear

    rows = persons({"effect": effect, "baseline": baseline}, referred, weights=weights, clusters=clusters)
    plain = model_columns(rows.referred, None)
    full = model_columns(rows.referred, rows.outcomes[:, 1])
    found = []
    for outcome, columns in ((0, full), (0, plain), (1, plain)):
        contrast = np.eye(columns.shape[1])[1]
        fit = cr2_linear(
            rows.outcomes[:, outcome], columns, rows.clusters, weights=rows.weights, contrasts=contrast
        )
        found.append(difference(float(fit.estimate[0]), float(fit.std_error[0]), df=float(fit.df[0])))
    return BaselineAdjusted(adjusted=found[0], unadjusted=found[1], baseline=found[2])


def same_horizon(*, cost_days: int, effect_days: int) -> float:
    """Check that cost and effect cover the same time, and give it in years.

    Parameters
    ----------
    cost_days, effect_days : int
        Length of the window of costs, and from baseline to the last measurement of effect.

    Returns
    -------
    float
        Years of the window of costs.

    Raises
    ------
    StudyError
        A length that is not positive, or lengths more than 15 days apart.

    Examples
    --------
    >>> round(same_horizon(cost_days=365, effect_days=360), 3)
    0.999
    """
    if cost_days <= 0 or effect_days <= 0:
        raise StudyError("horizon: costs and effects need a number of days above zero")
    if abs(cost_days - effect_days) > _HORIZON_SLACK_DAYS:
        raise StudyError(
            f"costs cover {cost_days} days and effects {effect_days}: measure both over one horizon, "
            "or extrapolate the shorter one in the plan"
        )
    return cost_days / _YEAR


def extrapolate(
    last: ArrayLike, *, observed_years: int, added_years: int, decline: Literal["none", "linear"], rate: float
) -> Extrapolation:
    """Carry a yearly difference beyond the observed years, under an assumption that is handed back in words.

    Parameters
    ----------
    last : array-like, shape (R,)
        Difference per year at the end of observation: draws, or an estimate as one value.
    observed_years : int
        Whole years observed, at least 1; discounting goes on from there.
    added_years : int
        Years to add, at least 1.
    decline : {"none", "linear"}
        The difference stays, or falls in a straight line to zero at the end of the added years.
    rate : float
        Yearly discount rate: ``costs`` or ``effects`` of a :class:`Guideline`.

    Returns
    -------
    Extrapolation

    Raises
    ------
    EstimationError
        Missing or infinite values, no years, or another decline.

    Examples
    --------
    >>> more = extrapolate([0.04], observed_years=1, added_years=2, decline="linear", rate=0.0)
    >>> print(more.by_year.round(3), more.assumption.en)
    [[0.03 0.01]] Assumed beyond the observed period: the difference falls in a straight line to zero in 2 years.
    """
    values = finite("last", last, ndim=1)
    if observed_years < 1 or added_years < 1 or decline not in {"none", "linear"}:
        raise EstimationError("extrapolation: at least one year each, and decline none or linear")
    left = np.ones(added_years) if decline == "none" else 1 - (np.arange(added_years) + 0.5) / added_years
    factors = left * discount_factors(observed_years + added_years, rate=rate)[observed_years:]
    words = {
        "none": Text(
            nl=f"het verschil blijft {added_years} jaar gelijk.",
            en=f"the difference stays the same for {added_years} years.",
        ),
        "linear": Text(
            nl=f"het verschil daalt in {added_years} jaar in een rechte lijn naar nul.",
            en=f"the difference falls in a straight line to zero in {added_years} years.",
        ),
    }[decline]
    assumption = Text(
        nl=f"Aangenomen na de waargenomen periode: {words.nl}",
        en=f"Assumed beyond the observed period: {words.en}",
    )
    return Extrapolation(by_year=values[:, None] * factors, assumption=assumption)
