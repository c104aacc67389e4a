"""Cox regression with cluster-robust errors, and its checks: proportional hazards, and concordance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.effects.ascent import maximise
from wor_eval.effects.covariance import SmallSample
from wor_eval.effects.event_times import EventTimes, event_times
from wor_eval.effects.fit import Fit
from wor_eval.effects.identification import collinear_columns
from wor_eval.effects.model_rows import Floats, as_columns, ids_of
from wor_eval.effects.risk_sets import (
    RiskSets,
    Ties,
    point_at,
    risk_sets,
    score_residuals,
    terms_at,
    weighted_moments,
)
from wor_eval.effects.sandwich import with_sandwich
from wor_eval.effects.survival import single_event, survival_steps
from wor_eval.errors import EstimationError

# Risks are equal that agree to this many decimals of their range: predictions carry rounding.
_TIED = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class CoxModel:
    """A fitted Cox model.

    Attributes
    ----------
    fit : Fit
        Logarithms of hazard ratios with covariance, and the partial log-likelihood;
        ``coefficients(fit, scale="ratio")`` gives hazard ratios. Its dispersion has no meaning here (NaN).
    loglik_null : float
        Partial log-likelihood with all hazard ratios 1.
    n_events : int
        Persons with the event.
    ties : {"efron", "breslow"}
        How events at one time were treated.
    """

    fit: Fit
    loglik_null: float
    n_events: int
    ties: Ties


@dataclass(frozen=True, kw_only=True, slots=True)
class HazardCheck:
    """Score tests of proportional hazards; each field has one entry per column, and the last is for all."""

    names: tuple[str, ...]
    statistic: Floats
    df: NDArray[np.int64]
    p_value: Floats


def cox_regression(
    time: ArrayLike,
    event: ArrayLike,
    X: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    ties: Ties = "efron",
    small_sample: SmallSample = "G/(G-1)",
) -> CoxModel:
    r"""Cox regression: hazard ratios of a time to an event.

    Estimand: β in ``hazard(t) = baseline(t) exp(Xβ)``, by the partial likelihood (Cox 1972,
    doi:10.1111/j.2517-6161.1972.tb00899.x). With competing deaths it is the cause-specific hazard, deaths as ends
    of observation. If hazards are not proportional it is an average over the follow-up: see
    :func:`proportional_hazards` and :func:`wor_eval.effects.restricted_mean.restricted_mean_difference`.

    Parameters
    ----------
    time, event
        As in :func:`wor_eval.effects.survival.kaplan_meier`.
    X : array_like, shape (n, k)
        Columns of the design, without a constant.
    names : sequence of str, length k, optional
        Names of the columns.
    weights : array_like, shape (n,), optional
        Weights, zero or more; they need `clusters`.
    clusters : array_like, shape (n,), optional
        Matched set, practice or person: cluster-robust covariance from the score residuals (Lin and Wei 1989,
        doi:10.1080/01621459.1989.10478874). None: inverse information.
    ties : {"efron", "breslow"}
        Events at one time, with weights as R's ``coxph`` takes them.
    small_sample : {"G/(G-1)", "none", "G/(G-1)*(N-1)/(N-K)"}
        Factor on the cluster-robust covariance; "none" is what ``coxph`` and lifelines do.

    Returns
    -------
    CoxModel

    Raises
    ------
    EstimationError
        Unusable input, no events, constant or collinear columns, columns that tell who had the event (no
        finite hazard ratio), weights without clusters.

    Examples
    --------
    >>> time, event = [6, 6, 7, 10, 13, 16, 1, 2, 3, 8, 12, 15], [1, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0]
    >>> model = cox_regression(time, event, [[1]] * 6 + [[0]] * 6, names=["referred"])
    >>> np.exp(model.fit.coef).round(2), model.n_events
    (array([0.59]), 9)
    """
    if weights is not None and clusters is None:
        raise EstimationError("weights: the model's own covariance is wrong with them; give clusters too")
    found, columns, labels = _checked(time, event, X, names=names, weights=weights, clusters=clusters)
    centre, scale = columns.mean(axis=1), columns.std(axis=1)
    sets, order = risk_sets(found, (columns - centre[:, None]) / scale[:, None], ties=ties)
    top = maximise(lambda coef: point_at(sets, coef), labels, model="Cox regression")
    inverse = np.asarray(np.linalg.inv(top.at.information), dtype=np.float64)
    fit = Fit(
        coef=top.at.coef / scale,
        cov=inverse / np.outer(scale, scale),
        names=labels,
        method=f"Cox regression ({ties.capitalize()} ties)",
        link="log",
        n_obs=found.time.size,
        n_clusters=0,
        n_absorbed=0,
        dispersion=float("nan"),
        iterations=top.iterations,
        loglik=top.at.loglik,
    )
    if found.clusters is not None:
        ids = ids_of(found.clusters.codes[order], found.clusters.labels)
        scores = score_residuals(sets, top.at.coef) * scale[:, None]
        fit = with_sandwich(fit, scores, fit.cov, clusters=(ids,), small_sample=small_sample)
    return CoxModel(fit=fit, loglik_null=top.loglik_zero, n_events=int(sets.died.sum()), ties=ties)


def proportional_hazards(
    time: ArrayLike,
    event: ArrayLike,
    X: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    ties: Ties = "efron",
) -> HazardCheck:
    """Test whether hazard ratios change over time, from the Schoenfeld residuals.

    Score test of adding ``column × (1 - Kaplan-Meier just before t)`` to the model: each column by itself,
    and all together (Grambsch and Therneau 1994, doi:10.1093/biomet/81.3.515). The same as ``cox.zph`` of R's
    survival from 3.0 on; older versions and lifelines use an approximation. Persons count as independent: in
    clusters the p-values are too small.

    Parameters
    ----------
    time, event, X, names, ties
        As in :func:`cox_regression`.

    Returns
    -------
    HazardCheck

    Raises
    ------
    EstimationError
        As :func:`cox_regression`; all events at one time.

    Examples
    --------
    >>> time, event = [6, 6, 7, 10, 13, 16, 1, 2, 3, 8, 12, 15], [1, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0]
    >>> check = proportional_hazards(time, event, [[1]] * 6 + [[0]] * 6, names=["referred"])
    >>> check.names, check.statistic.round(3), check.p_value.round(3)
    (('referred', 'all columns'), array([0.744, 0.744]), array([0.388, 0.388]))
    """
    from scipy.special import chdtrc

    found, columns, labels = _checked(time, event, X, names=names, weights=None, clusters=None)
    centre, scale = columns.mean(axis=1), columns.std(axis=1)
    sets, _ = risk_sets(found, (columns - centre[:, None]) / scale[:, None], ties=ties)
    top = maximise(lambda coef: point_at(sets, coef), labels, model="Cox regression")
    score, reduced = _time_score(sets, top.at.coef, found)
    size = np.diag(reduced)
    if not (size > 1e-12 * np.diag(top.at.information)).all():
        raise EstimationError("all events come at one time: hazards over time cannot be compared")
    together = float(score @ np.linalg.solve(reduced, score))
    statistic = np.append(score**2 / size, together)
    df = np.append(np.ones(len(labels), dtype=np.int64), len(labels))
    return HazardCheck(
        names=(*labels, "all columns"), statistic=statistic, df=df, p_value=chdtrc(df, statistic)
    )


def concordance(time: ArrayLike, event: ArrayLike, risk: ArrayLike) -> float:
    """Give the chance that of two persons the one with the higher risk has the event first (Harrell's C).

    Pairs count where the first event of the two is seen; an event counts as before the end of observation of
    another person at the same time; equal risks count half. As R's ``survival::concordance``.

    Parameters
    ----------
    time, event
        As in :func:`wor_eval.effects.survival.kaplan_meier`.
    risk : array_like, shape (n,)
        Predicted risk, such as ``X @ coef``.

    Returns
    -------
    float
        Between 0 and 1; 0.5 is no better than chance.

    Raises
    ------
    EstimationError
        Unusable input, or no pair to compare.

    Examples
    --------
    >>> concordance([2, 4, 6, 8], [1, 1, 0, 1], [3.0, 1.0, 2.0, 0.5])
    0.8
    """
    found = single_event(event_times(time, event))
    score = np.asarray(risk, dtype=np.float64)
    if score.shape != found.time.shape or not np.isfinite(score).all():
        raise EstimationError(f"risk: {found.time.size} finite numbers are needed")
    died = found.cause > 0
    span = max(float(np.ptp(score)), 1e-300)
    rank = np.unique(np.round((score - score.min()) / span, _TIED), return_inverse=True)[1]
    order = np.lexsort((rank, ~died, found.place))  # in a tie of times: events first, from low risk to high
    sorted_rank, first = rank[order], died[order]
    lower, equal = _later(sorted_rank, first)
    tied_rank = np.unique(np.column_stack([found.place[died], rank[died]]), axis=0, return_counts=True)[1]
    tied = np.bincount(found.place[died])
    both = (tied_rank * (tied_rank - 1) // 2).sum()
    pairs = np.arange(order.size)[::-1][first].sum() - (tied * (tied - 1) // 2).sum()
    if pairs == 0:
        raise EstimationError("no two persons can be compared: there are too few events")
    return float((lower + (equal - both) / 2) / pairs)


def _checked(
    time: ArrayLike,
    event: ArrayLike,
    X: ArrayLike,
    *,
    names: Sequence[str] | None,
    weights: ArrayLike | None,
    clusters: ArrayLike | None,
) -> tuple[EventTimes, Floats, tuple[str, ...]]:
    found = single_event(event_times(time, event, weights=weights, clusters=clusters))
    columns = as_columns(X)
    labels = tuple(names) if names is not None else tuple(f"x{j + 1}" for j in range(len(columns)))
    n = np.size(time)
    problems = []
    if columns.shape[1] != n or len(labels) != len(columns) or len(set(labels)) != len(labels):
        problems.append(
            f"X: shape {columns.T.shape} and {len(set(labels))} names where {n} persons are given"
        )
    problems += [
        f"{name}: {int(bad)} missing or infinite values"
        for name, bad in zip(labels, (~np.isfinite(columns)).sum(axis=1), strict=False)
        if bad
    ]
    if not found.cause.any():
        problems.append("event: nobody had it")
    if problems:
        raise EstimationError("the Cox model cannot be fitted", problems=problems)
    if weights is not None:
        columns = columns[:, np.asarray(weights, dtype=np.float64) > 0]
    dependent = collinear_columns(np.vstack([np.ones(columns.shape[1]), columns]))
    if dependent:
        raise EstimationError(
            "columns are constant or a combination of the columns before them; leave them out",
            problems=[labels[j - 1] for j in dependent],
        )
    return found, columns, labels


def _time_score(sets: RiskSets, coef: Floats, found: EventTimes) -> tuple[Floats, Floats]:
    """Score of the products of columns and time (k,), and its variance given the coefficients (k, k)."""
    survival = survival_steps(found).survival
    before = 1.0 - np.append(1.0, survival[:-1])
    events = found.by_time((found.cause > 0).astype(np.float64))
    before = before - (before @ events) / events.sum()
    terms = terms_at(sets, coef)
    plain = weighted_moments(sets, terms)[1]
    score, cross = weighted_moments(sets, terms, before)
    square = weighted_moments(sets, terms, before**2)[1]
    return score, np.asarray(square - cross @ np.linalg.solve(plain, cross))


def _later(rank: NDArray[np.int64], first: NDArray[np.bool_]) -> tuple[int, int]:
    """Count pairs of a position marked `first` and a later one with a lower, and with an equal, rank.

    Blocks of twice the size in each round: the left half looks its ranks up in the sorted right half.
    """
    lower = equal = 0
    place, span, size = np.arange(rank.size), int(rank.max()) + 1, 1
    while size < rank.size:
        block, right = place // (2 * size), (place // size) % 2 == 1
        keys = np.sort((block * span + rank)[right])
        ask = ~right & first
        floor = np.searchsorted(keys, block[ask] * span)
        left = np.searchsorted(keys, (block * span + rank)[ask])
        lower += int((left - floor).sum())
        equal += int((np.searchsorted(keys, (block * span + rank)[ask], side="right") - left).sum())
        size *= 2
    return lower, equal
