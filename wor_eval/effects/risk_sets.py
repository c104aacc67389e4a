"""Sums over the risk sets of a Cox model: partial likelihood, score, information and residuals in one sort.

A death adds a term for the mean of the columns over its risk set; with Efron's method the d deaths at one time
add d terms, with 0/d, 1/d, … of the deaths taken out of the risk set. The second moments need no sums by time:
summed over all terms, they are the cross-products of the columns weighted by each person's cumulative hazard.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wor_eval.effects.ascent import Point
from wor_eval.effects.event_times import EventTimes
from wor_eval.effects.model_rows import Codes, Floats, Ids, ids_of

Ties: TypeAlias = Literal["efron", "breslow"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RiskSets:
    """Persons in order of time, with the terms of the partial likelihood.

    Attributes
    ----------
    columns : ndarray, shape (k, n)
        Columns of the persons in that order.
    weights, died : ndarray, shape (n,)
        Weights; True where the event came.
    by_time : Ids
        Distinct time of each person.
    term_time : ndarray of int, shape (r,)
        Distinct time of each term (one per event).
    fraction : ndarray, shape (r,)
        Share of the deaths at that time that is taken out of the risk set.
    term_weight : ndarray, shape (r,)
        Mean weight of the deaths at that time.
    """

    columns: Floats
    weights: Floats
    died: NDArray[np.bool_]
    by_time: Ids
    term_time: Codes
    fraction: Floats
    term_weight: Floats

    def spread(self, values: Floats) -> Floats:
        """Sum terms (..., r) by distinct time: (..., m)."""
        sums = np.zeros((*values.shape[:-1], self.by_time.size))
        if values.shape[-1]:
            starts = np.flatnonzero(np.diff(self.term_time, prepend=-1))
            sums[..., self.term_time[starts]] = np.add.reduceat(values, starts, axis=-1)
        return sums


def risk_sets(found: EventTimes, columns: Floats, *, ties: Ties) -> tuple[RiskSets, Codes]:
    """Sort persons by time; columns (k, n) are in the order given. Gives the order (n,) too."""
    order = np.argsort(found.place, kind="stable")
    died = (found.cause > 0)[order]
    by_time = ids_of(found.place[order], found.times)
    weights = found.weights[order]
    count = by_time.total(died.astype(np.float64)).astype(np.intp)
    term_time = np.repeat(np.arange(count.size), count)
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    fraction = (np.arange(term_time.size) - first[term_time]) / count[term_time]
    mean_weight = by_time.total(weights * died) / np.maximum(count, 1)
    sets = RiskSets(
        columns=np.ascontiguousarray(columns[:, order]),
        weights=weights,
        died=died,
        by_time=by_time,
        term_time=term_time,
        fraction=fraction if ties == "efron" else np.zeros(fraction.size),
        term_weight=mean_weight[term_time],
    )
    return sets, order


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """At some coefficients: relative hazard of each person (n,), hazard (r,) and mean column (k, r) of terms."""

    relative: Floats
    hazard: Floats
    mean: Floats
    loglik: float


def terms_at(sets: RiskSets, coef: Floats) -> Terms:
    """Evaluate the terms of the partial likelihood at coefficients (k,)."""
    eta = np.einsum("j,ji->i", coef, sets.columns)
    shift = float(eta.max())
    relative = np.exp(eta - shift)
    weighted = sets.weights * relative
    totals = np.vstack([weighted, sets.columns * weighted])
    risk = np.cumsum(sets.by_time.total(totals)[:, ::-1], axis=1)[:, ::-1]
    deaths = sets.by_time.total(totals * sets.died)
    left = risk[:, sets.term_time] - sets.fraction * deaths[:, sets.term_time]
    loglik = (sets.weights * sets.died) @ (eta - shift) - sets.term_weight @ np.log(left[0])
    return Terms(
        relative=relative, hazard=sets.term_weight / left[0], mean=left[1:] / left[0], loglik=float(loglik)
    )


def cumulative(sets: RiskSets, values: Floats) -> Floats:
    """Sum terms (..., r) up to each person's time, (..., n).

    A death counts the terms at its own time by the share in which it is still in the risk set.
    """
    whole = sets.spread(values)
    own = sets.spread(values * (1.0 - sets.fraction))
    upto = np.cumsum(whole, axis=-1)
    codes = sets.by_time.codes
    return np.where(sets.died, (upto - whole + own)[..., codes], upto[..., codes])


def weighted_moments(sets: RiskSets, terms: Terms, scale: Floats | None = None) -> tuple[Floats, Floats]:
    """Score (k,) and information (k, k), with each event time weighted by `scale` (m,) where it is given."""
    by_term = np.ones(terms.hazard.size) if scale is None else scale[sets.term_time]
    by_person = sets.weights * sets.died * (1.0 if scale is None else scale[sets.by_time.codes])
    pull = sets.term_weight * by_term
    score = np.einsum("ji,i->j", sets.columns, by_person) - terms.mean @ pull
    load = sets.weights * terms.relative * cumulative(sets, terms.hazard * by_term)
    second = (sets.columns * load) @ sets.columns.T - (terms.mean * pull) @ terms.mean.T
    return score, second


def point_at(sets: RiskSets, coef: Floats) -> Point:
    """Give the partial log-likelihood with its derivatives."""
    terms = terms_at(sets, coef)
    score, information = weighted_moments(sets, terms)
    return Point(coef=coef, loglik=terms.loglik, score=score, information=information)


def score_residuals(sets: RiskSets, coef: Floats) -> Floats:
    """Score of each person, weighted: (k, n), adding up to zero at the maximum (Lin and Wei 1989)."""
    terms = terms_at(sets, coef)
    count = np.maximum(sets.spread(np.ones(terms.hazard.size)), 1.0)
    at_death = (sets.spread(terms.mean) / count)[:, sets.by_time.codes]
    own = np.where(sets.died, sets.columns - at_death, 0.0)
    expected = sets.columns * cumulative(sets, terms.hazard) - cumulative(sets, terms.hazard * terms.mean)
    return np.asarray(sets.weights * (own - terms.relative * expected))
