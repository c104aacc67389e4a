"""Incremental costs and effect of a study: every perspective and age band in one regression, imputations pooled.

All equations have the same persons and their own covariates; the age bands share the slopes of the covariates. So
the costs of the payers add up to those of a perspective, and the budget of the years to come uses the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, get_args

import numpy as np

from wor_eval.economics.checked import Floats, Persons, persons
from wor_eval.economics.costs import TRAJECTORY, UNPAID, Perspective, TrajectoryCosts, perspective_cost
from wor_eval.economics.evaluated import Evaluated
from wor_eval.economics.joint import JointDifference, Missing
from wor_eval.effects.estimate import ALL_BANDS
from wor_eval.errors import EstimationError

if TYPE_CHECKING:
    from wor_eval.effects.small_sample import ClusterRobust

CARE_ONLY: Final = "care"
"""The main perspective without anything paid for the trajectory."""

_FEWEST_ANSWERS: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Stacked:
    """Contrasts of E equations in B age bands, estimated together.

    Attributes
    ----------
    equations : tuple of str, length E
        Perspectives, the care of the main one alone, and last the effect.
    bands : tuple of str, length B
        Age bands, and ``all``.
    estimate, df : ndarray, shape (E, B)
        Referred minus comparison, and degrees of freedom where no answer is missing.
    covariance : ndarray, shape (E, B, E, B)
        Covariance of all of them.
    missing : ndarray, shape (E, B, E, B), optional
        The part of it that is due to missing answers.
    n_imputations : int
        Number of imputations; 0 where nothing is missing.
    n_referred, n_comparison : tuple of int, length B
        Persons behind a band.
    n_clusters : int
        Practices.
    method : str
        How it was estimated.
    """

    equations: tuple[str, ...]
    bands: tuple[str, ...]
    estimate: Floats
    df: Floats
    covariance: Floats
    n_referred: tuple[int, ...]
    n_comparison: tuple[int, ...]
    n_clusters: int
    method: str
    missing: Floats | None = None
    n_imputations: int = 0

    def joint(self, equation: str, band: str) -> JointDifference:
        """Give one cost beside the effect, in one age band."""
        at, b = [self.equations.index(equation), len(self.equations) - 1], self.bands.index(band)
        added = None if self.missing is None else self.missing[at][:, b][:, at, b]
        return JointDifference(
            estimate=self.estimate[at, b],
            covariance=self.covariance[at][:, b][:, at, b],
            df=self.df[at, b],
            method=self.method,
            n_referred=self.n_referred[b],
            n_comparison=self.n_comparison[b],
            n_clusters=self.n_clusters,
            missing=None if added is None else Missing(covariance=added, df=self.n_imputations - 1.0),
        )

    def weighed(self, weights: Floats, band: str) -> JointDifference:
        """Give a cost and an effect that are sums of all equations, in one age band.

        Parameters
        ----------
        weights : ndarray, shape (2, E)
            How much of each equation goes into the cost and into the effect.
        band : str
            The age band.

        Returns
        -------
        JointDifference
        """
        b = self.bands.index(band)
        added = None if self.missing is None else weights @ self.missing[:, b][:, :, b] @ weights.T
        return replace(
            self.joint(self.equations[0], band),
            estimate=weights @ self.estimate[:, b],
            covariance=weights @ self.covariance[:, b][:, :, b] @ weights.T,
            df=np.array([self.df[row != 0, b].min() for row in weights]),
            missing=None if added is None else Missing(covariance=added, df=self.n_imputations - 1.0),
        )

    def between(self, equation: str, *, first: str, second: str) -> JointDifference:
        """Give how cost and effect of referral differ between two age bands: those of the first minus the second."""
        ends = [self.joint(equation, band) for band in (first, second)]
        spread = self._across(self.covariance, equation, (first, second))
        added = None if self.missing is None else self._across(self.missing, equation, (first, second))
        return replace(
            ends[0],
            estimate=ends[0].estimate - ends[1].estimate,
            covariance=spread,
            df=np.minimum(ends[0].df, ends[1].df),
            n_referred=ends[0].n_referred + ends[1].n_referred,
            n_comparison=ends[0].n_comparison + ends[1].n_comparison,
            missing=None if added is None else Missing(covariance=added, df=self.n_imputations - 1.0),
        )

    def _across(self, covariance: Floats, equation: str, bands: tuple[str, str]) -> Floats:
        """Give the covariance (2, 2) of the differences of cost and effect between two bands."""
        at = [self.equations.index(equation), len(self.equations) - 1]
        b = [self.bands.index(band) for band in bands]
        four = covariance[np.ix_(at, b, at, b)]
        sign = np.array([1.0, -1.0])
        return np.asarray(np.einsum("ebfc,b,c->ef", four, sign, sign))


@dataclass(frozen=True, kw_only=True, slots=True)
class CostFits:
    """Regressions of costs on referral by age band: they are the same in every imputation.

    Attributes
    ----------
    names : tuple of str
        The costs.
    bands : tuple of str, length B
        Age bands, and ``all``.
    fits : tuple of ClusterRobust
        For each cost a contrast per band.
    n_referred, n_comparison : tuple of int, length B
        Persons behind a band.
    """

    names: tuple[str, ...]
    bands: tuple[str, ...]
    fits: tuple[ClusterRobust, ...]
    n_referred: tuple[int, ...]
    n_comparison: tuple[int, ...]


def perspective_costs(
    people: Evaluated, paid: TrajectoryCosts, *, main: Perspective
) -> tuple[dict[str, Floats], dict[str, bool]]:
    """Give the cost of each person from every perspective that the payers of the plan allow.

    Returns
    -------
    costs : dict of str to ndarray, shape (n,)
        By perspective, and ``care``: the main one without the trajectory.
    trajectory_counted : dict of str to bool
        Whether somebody in that perspective pays the trajectory.
    """
    amounts = np.column_stack([people.care, paid.paid, paid.unpaid])
    payers = (*people.payers, paid.payer, UNPAID)
    categories = (*(CARE_ONLY for _ in people.payers), TRAJECTORY, TRAJECTORY)
    costs, counted = {}, {}
    for perspective in sorted(get_args(Perspective), key=lambda name: name != main):
        found = perspective_cost(amounts, payers=payers, categories=categories, perspective=perspective)
        if found.counted[: len(people.payers)].any():
            costs[perspective], counted[perspective] = found.total, found.trajectory_counted
        if perspective == main:
            costs[CARE_ONLY] = amounts[:, : len(people.payers)] @ found.counted[: len(people.payers)]
    return costs, counted


def cost_regressions(people: Evaluated, costs: Mapping[str, Floats], *, bands: tuple[str, ...]) -> CostFits:
    """Regress each cost on referral by age band, with CR2 errors over practices.

    Least squares with the weights of the design, adjusted for age, sex, conditions and the costs by payer in the
    year before. Referral has a coefficient in each band; ``all`` weighs them as the referred are spread.

    Parameters
    ----------
    people : Evaluated
        Persons whose costs are known, n of them.
    costs : mapping of str to ndarray, shape (n,)
        Costs by name.
    bands : tuple of str
        Age bands.

    Returns
    -------
    CostFits

    Raises
    ------
    EstimationError
        Unusable rows, or a band with fewer than two persons in an arm.
    """
    rows = persons(costs, people.referred, weights=people.weight, clusters=people.practice)
    sizes = [
        np.array([((people.band == b) & (people.referred == arm)).sum() for b in bands]) for arm in (1, 0)
    ]
    if min(size.min() for size in sizes) < 2:
        raise EstimationError("an age band has fewer than two persons with known costs in an arm")
    columns = band_columns(people, bands, adjusted_for(people, bands))
    fits = [_regression(outcome, columns, rows, band_contrasts(people, bands)) for outcome in rows.outcomes.T]
    return CostFits(
        names=tuple(costs),
        bands=(*bands, ALL_BANDS),
        fits=tuple(fits),
        n_referred=(*sizes[0].tolist(), int(sizes[0].sum())),
        n_comparison=(*sizes[1].tolist(), int(sizes[1].sum())),
    )


def with_effect(costs: CostFits, people: Evaluated) -> Stacked:
    """Regress the effect in the same way, and put it beside the costs with their covariance.

    The effect is adjusted for age, sex, conditions and the score at baseline (Manca and others 2005,
    doi:10.1002/hec.944). Costs and effect are least squares with covariates of their own, and what each practice
    adds to one and to the other gives their covariance.

    Parameters
    ----------
    costs : CostFits
        Of the same persons.
    people : Evaluated
        Those persons, with scores.

    Returns
    -------
    Stacked

    Raises
    ------
    EstimationError
        Unusable rows.
    """
    bands = costs.bands[:-1]
    rows = persons(
        {"effect": people.effect}, people.referred, weights=people.weight, clusters=people.practice
    )
    extra = varying(np.column_stack([_others(people, bands), people.known, people.baseline]))
    columns = band_columns(people, bands, extra)
    effect = _regression(people.effect, columns, rows, band_contrasts(people, bands))
    fits = [*costs.fits, effect]
    scores = np.hstack([fit.scores for fit in fits])
    shape = (len(fits), len(costs.bands))
    return Stacked(
        equations=(*costs.names, "effect"),
        bands=costs.bands,
        estimate=np.stack([fit.estimate for fit in fits]),
        df=np.stack([fit.df for fit in fits]),
        covariance=(scores.T @ scores).reshape(*shape, *shape),
        n_referred=costs.n_referred,
        n_comparison=costs.n_comparison,
        n_clusters=effect.n_clusters,
        method="least squares, CR2",
    )


def _regression(outcome: Floats, columns: Floats, rows: Persons, wanted: Floats) -> ClusterRobust:
    """Fit one equation in units of its spread; ``wanted`` (C, B) are contrasts of its first B columns."""
    from wor_eval.effects.small_sample import cr2_linear

    if not np.ptp(outcome) > 0:
        raise EstimationError("cost or effect does not vary between persons: no standard error can be given")
    scale = np.sqrt((columns**2).mean(axis=0))
    contrasts = np.zeros((len(wanted), columns.shape[1]))
    contrasts[:, : wanted.shape[1]] = wanted
    return cr2_linear(
        outcome, columns / scale, rows.clusters, weights=rows.weights, contrasts=contrasts / scale
    )


def adjusted_for(people: Evaluated, bands: tuple[str, ...]) -> Floats:
    """Give what costs are adjusted for: the age band, age, sex, conditions, costs by payer in the year before."""
    return varying(np.column_stack([_others(people, bands), people.known, people.before]))


def varying(columns: Floats) -> Floats:
    """Leave out columns that are the same for everybody.

    Examples
    --------
    >>> varying(np.array([[1.0, 5.0], [1.0, 7.0]])).tolist()
    [[5.0], [7.0]]
    """
    return columns[:, np.ptp(columns, axis=0) > 0]


def _others(people: Evaluated, bands: tuple[str, ...]) -> Floats:
    """Give a column for each age band but the first."""
    return np.column_stack(
        [people.band == band for band in bands[1:]] or [np.zeros(len(people.band))]
    ).astype(float)


def band_columns(people: Evaluated, bands: tuple[str, ...], extra: Floats) -> Floats:
    """Give the columns of a regression with referral in each age band first, shape (n, B + 1 + q)."""
    own = np.column_stack([(people.band == band) * people.referred for band in bands])
    return np.hstack([own, np.ones((len(own), 1)), extra])


def band_contrasts(people: Evaluated, bands: tuple[str, ...]) -> Floats:
    """Give the contrasts of the first B columns: each age band, and all as they are among the referred, (B + 1, B)."""
    shares = np.array([(people.weight * people.referred)[people.band == band].sum() for band in bands])
    return np.vstack([np.eye(len(bands)), shares / shares.sum()])


def pooled(fits: list[Stacked]) -> Stacked:
    """Pool the fits of imputed data sets by Rubin's rules, all equations and bands together.

    Raises
    ------
    EstimationError
        Fewer than two fits.
    """
    if len(fits) < 2:
        raise EstimationError(f"{len(fits)} fit: two or more imputations are needed")
    shape = fits[0].covariance.shape
    estimates = np.stack([fit.estimate.ravel() for fit in fits])
    between = ((1 + 1 / len(fits)) * np.cov(estimates, rowvar=False)).reshape(shape)
    return replace(
        fits[0],
        estimate=estimates.mean(axis=0).reshape(shape[:2]),
        df=np.mean([fit.df for fit in fits], axis=0),
        covariance=np.mean([fit.covariance for fit in fits], axis=0) + between,
        method=f"{fits[0].method}, {len(fits)} imputations",
        missing=between,
        n_imputations=len(fits),
    )


def impute_scores(people: Evaluated, *, seed: int, n_imputations: int | None) -> list[Evaluated]:
    """Impute the score at baseline and the mean score while alive, each arm by itself.

    Predictive mean matching within chained equations (:func:`wor_eval.effects.imputation.impute`) from age, sex,
    conditions, the costs before and over the horizon, and each other; skewed costs go in as ``log(1 + cost)``.

    Returns
    -------
    list of Evaluated
        One per imputation; the persons themselves where nothing is missing.

    Raises
    ------
    EstimationError
        An arm with too few answers to impute from; the message counts them.
    """
    from wor_eval.effects.imputation import impute

    if people.effect_known.all():
        return [people]
    _enough_answers(people)
    costs = np.log1p(np.maximum(np.column_stack([people.before, people.care]), 0.0))
    table = varying(np.column_stack([people.known, costs, people.alive]))
    table = np.column_stack([table, people.baseline, people.level])
    found = impute(table, seed=seed, n_imputations=n_imputations, groups=people.referred)
    return [people.with_scores(values[:, -2], values[:, -1]) for values in found.values]


def _enough_answers(people: Evaluated) -> None:
    """Refuse an arm in which too few persons have a score at baseline, or were followed."""
    problems = []
    for arm, name in ((1, "referred"), (0, "comparison persons")):
        inside = people.referred == arm
        for what, score in (("a score at baseline", people.baseline), ("a score afterwards", people.level)):
            seen = int(np.isfinite(score[inside]).sum())
            if seen < _FEWEST_ANSWERS:
                problems.append(
                    f"{seen} of {int(inside.sum())} {name} have {what}; {_FEWEST_ANSWERS} are needed"
                )
    if problems:
        raise EstimationError(
            "too few scores to say anything about the effect: more persons, or an effect that more of them answered",
            problems=problems,
        )
