"""Average rates if everybody, and if nobody, were referred: g-computation for models with a log link."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.effects.fit import AbsorbedGroups, Fit, TermTable, two_arms_table
from wor_eval.effects.model_rows import Codes, Floats, as_columns, code_ids, sum_by_code
from wor_eval.errors import EstimationError

QUANTITIES = (
    "rate_referred_per_person_year",
    "rate_comparison_per_person_year",
    "rate_ratio",
    "rate_difference_per_person_year",
    "difference_at_observed_follow_up",
)


def g_computation(
    fit: Fit,
    X_referred: ArrayLike,
    X_comparison: ArrayLike,
    *,
    person_years: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    absorb: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> TermTable:
    """Marginal rate ratio and differences: predict each person twice and average.

    Estimand: with ``m_i(1)`` and ``m_i(0)`` the predicted rate of person i with the columns of `X_referred` and
    of `X_comparison`, e_i the person-years and w_i the weight, ``R_a = Σ w e m(a) / Σ w e`` (events over
    person-time, per person-year). Given are R_1, R_0, R_1/R_0, R_1 - R_0, and
    ``Σ w e (m(1) - m(0)) / Σ w``: the difference in events per person over the follow-up they had.
    (Snowden, Rose and Mortimer 2011, doi:10.1093/aje/kwq472; exposure, which statsmodels' ``get_margeff``
    leaves out, is inside.)

    Parameters
    ----------
    fit : Fit
        A fit with a log link. For rates per person-year its offset is the log of years.
    X_referred, X_comparison : array_like, shape (m, k)
        Columns of the persons averaged over, one row each, set to referred and to not referred.
    person_years : array_like, shape (m,), optional
        Exposure above zero, in the unit of the fit's offset. None: one each.
    weights : array_like, shape (m,), optional
        Weights of the average, zero or more.
    absorb : array_like, shape (m,), optional
        Absorbed group of each person; required where the fit absorbed groups. Groups without events have a
        predicted rate of zero.
    clusters : array_like, shape (m,), optional
        Cluster of each person, as in the fit. Given: standard errors for the population the persons were
        drawn from, from influence functions (the average's own sampling plus that of the coefficients).
        None: for these very persons (delta method; covariates, exposure and weights held fixed).
    level : float
        Confidence level.

    Returns
    -------
    TermTable
        Rows as in `QUANTITIES`. The interval of the ratio is formed on the log scale, and its `std_error` is
        that of the log. Rates have no p-value (NaN).

    Raises
    ------
    EstimationError
        No log link, other columns than the fit's, missing values, unknown groups or clusters, clusters for a
        fit without a single cluster identifier.

    Examples
    --------
    >>> from wor_eval.effects.regression import poisson_regression
    >>> X = np.array([[1, 0], [1, 1], [1, 0], [1, 1]])
    >>> years = np.array([1.0, 0.5, 1.0, 1.0])
    >>> fit = poisson_regression([4, 1, 6, 2], X, offset=np.log(years), clusters=[1, 1, 2, 2])
    >>> table = g_computation(fit, [[1, 1]] * 4, [[1, 0]] * 4, person_years=years)
    >>> table.names[3], table.estimate.round(2)
    ('rate_difference_per_person_year', array([ 2.  ,  5.  ,  0.4 , -3.  , -2.62]))
    """
    if fit.link != "log":
        raise EstimationError("fit: g-computation of rates needs a log link; a linear model has differences")
    persons = _persons(
        fit, (X_referred, X_comparison), person_years=person_years, weights=weights, absorb=absorb
    )
    arms = [_arm(fit, persons, columns) for columns in persons.columns]
    share = persons.weights * persons.years
    totals = np.array([*(arm.total for arm in arms), share.sum(), persons.weights.sum()])
    if not (totals > 0).all():
        raise EstimationError("the average predicted rate is zero: all persons are in groups without events")
    influence = _influence(fit, arms)
    if clusters is not None:
        by_row = np.stack([arms[0].by_person, arms[1].by_person, share, persons.weights])
        influence = _with_own(fit, persons, (influence, by_row), clusters)
    return _table(totals, influence, level)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Persons:
    """Columns under both arms (k, m), person-years, weights, and code of the absorbed group (-1: no events)."""

    columns: tuple[Floats, Floats]
    years: Floats
    weights: Floats
    groups: Codes


@dataclass(frozen=True, kw_only=True, slots=True)
class _Arm:
    """Expected events by person and in total, and the total's gradient in coefficients and group effects."""

    by_person: Floats
    total: float
    gradient: Floats
    group_gradient: Floats


def _persons(
    fit: Fit,
    designs: tuple[ArrayLike, ArrayLike],
    *,
    person_years: ArrayLike | None,
    weights: ArrayLike | None,
    absorb: ArrayLike | None,
) -> _Persons:
    referred, comparison = as_columns(designs[0], "X_referred"), as_columns(designs[1], "X_comparison")
    m = referred.shape[1]
    years = np.ones(m) if person_years is None else np.asarray(person_years, dtype=np.float64)
    w = np.ones(m) if weights is None else np.asarray(weights, dtype=np.float64)
    problems = [
        f"{name}: shape {found}, expected {expected}"
        for name, found, expected in (
            ("X_referred", referred.T.shape, (m, fit.coef.size)),
            ("X_comparison", comparison.T.shape, (m, fit.coef.size)),
            ("person_years", years.shape, (m,)),
            ("weights", w.shape, (m,)),
        )
        if found != expected
    ]
    checks = (
        ("X_referred", ~np.isfinite(referred).all(axis=0), "have a missing or infinite value"),
        ("X_comparison", ~np.isfinite(comparison).all(axis=0), "have a missing or infinite value"),
        ("person_years", ~(np.isfinite(years) & (years > 0)), "are missing, zero or below"),
        ("weights", ~(np.isfinite(w) & (w >= 0)), "are missing or negative"),
    )
    problems += [f"{name}: {bad.sum()} persons {what}" for name, bad, what in checks if bad.any()]
    if problems:
        raise EstimationError("the averages cannot be formed", problems=problems)
    return _Persons(
        columns=(referred, comparison), years=years, weights=w, groups=_group_codes(fit, absorb, m)
    )


def _group_codes(fit: Fit, absorb: ArrayLike | None, m: int) -> Codes:
    if fit.groups is None and absorb is None:
        return np.zeros(0, dtype=np.intp)
    if fit.groups is None or absorb is None:
        raise EstimationError("absorb: give the group of each person exactly where the fit absorbed groups")
    ids = code_ids(absorb, "absorb")
    if ids.codes.size != m:
        raise EstimationError(f"absorb: {ids.codes.size} identifiers, expected {m}")
    place = _place(ids.labels, fit.groups.labels)
    unknown = (place < 0) & ~np.isin(ids.labels, fit.groups.without_events)
    if unknown.any():
        raise EstimationError(f"absorb: {int(unknown.sum())} groups are not in the fit")
    return place[ids.codes]


def _place(labels: NDArray[np.generic], known: NDArray[np.generic]) -> Codes:
    """Position of each label among the known ones; -1 where it is not there."""
    import pandas as pd

    return np.asarray(pd.Index(known).get_indexer(pd.Index(labels)), dtype=np.intp)


def _arm(fit: Fit, persons: _Persons, columns: Floats) -> _Arm:
    eta = np.einsum("j,ji->i", fit.coef, columns)
    if fit.groups is not None:
        eta = eta + np.append(fit.groups.effects, -np.inf)[persons.groups]  # code -1: the last, rate zero
    by_person = persons.weights * persons.years * np.exp(eta)
    group_gradient = np.zeros(0)
    if fit.groups is not None:
        m = fit.groups.labels.size
        group_gradient = sum_by_code(persons.groups % (m + 1), by_person, m + 1)[:m]
    return _Arm(
        by_person=by_person,
        total=float(by_person.sum()),
        gradient=np.einsum("ji,i->j", columns, by_person),
        group_gradient=group_gradient,
    )


def _influence(fit: Fit, arms: list[_Arm]) -> Floats:
    """Influence of the coefficients on the four totals, (u, 4): by cluster, or by a root of the covariance."""
    if fit.influence is None:
        if fit.groups is not None:
            raise EstimationError("fit: with absorbed groups the fit needs a single cluster identifier")
        values, vectors = np.linalg.eigh(fit.cov)
        root = (vectors * np.sqrt(np.maximum(values, 0.0))).T
        parts = [root @ arm.gradient for arm in arms]
    else:
        parts = [_by_cluster(fit, fit.influence, arm) for arm in arms]
    nothing = np.zeros_like(parts[0])
    return np.column_stack([*parts, nothing, nothing])


def _by_cluster(fit: Fit, influence: Floats, arm: _Arm) -> Floats:
    """Influence of each cluster on one total, (G,), through coefficients and group effects."""
    gradient = np.zeros(influence.shape[1])
    gradient[: arm.gradient.size] = arm.gradient
    groups = fit.groups
    if groups is not None:
        gradient = gradient - groups.means @ arm.group_gradient
    through = influence @ gradient
    if groups is not None:
        through = through + _through_effects(groups, arm, len(influence))
    scaled: Floats = np.sqrt(fit.factor) * through
    return scaled


def _through_effects(groups: AbsorbedGroups, arm: _Arm, n_clusters: int) -> Floats:
    """Influence (G,) that reaches the total through the scores of the absorbed groups themselves."""
    pulled = groups.scores * (arm.group_gradient / groups.information)[groups.score_groups]
    return sum_by_code(groups.score_clusters, pulled, n_clusters)


def _with_own(fit: Fit, persons: _Persons, parts: tuple[Floats, Floats], clusters: ArrayLike) -> Floats:
    """Add each cluster's own contribution to the four totals: (G + clusters without events, 4)."""
    influence, by_row = parts
    if fit.cluster_labels is None:
        raise EstimationError("clusters: the fit has no single cluster identifier to match these with")
    ids = code_ids(clusters, "clusters")
    if ids.codes.size != persons.weights.size:
        raise EstimationError(f"clusters: {ids.codes.size} identifiers, expected {persons.weights.size}")
    place = _place(ids.labels, fit.cluster_labels)
    counted = (persons.weights > 0) & (persons.groups >= 0 if persons.groups.size else True)
    unknown = np.unique(ids.codes[counted & (place[ids.codes] < 0)]).size
    if unknown:
        raise EstimationError(
            f"clusters: {unknown} clusters are not in the fit; use the identifier of the fit"
        )
    own = np.sqrt(fit.factor) * ids.total(by_row).T
    together = influence.copy()
    together[place[place >= 0]] += own[place >= 0]
    return np.vstack([together, own[place < 0]])


def _table(totals: Floats, influence: Floats, level: float) -> TermTable:
    """Turn the totals (events referred, events comparison, person-years, weight) into the five quantities."""
    events = totals[:2]
    rates = events / totals[2]
    by_cluster = influence[:, :2] / totals[2] - influence[:, 2:3] * rates / totals[2]
    logs = influence[:, 0] / events[0] - influence[:, 1] / events[1]
    follow_up = (events[0] - events[1]) / totals[3]
    spread = (influence[:, 0] - influence[:, 1] - influence[:, 3] * follow_up) / totals[3]
    pieces = [by_cluster[:, 0], by_cluster[:, 1], by_cluster[:, 0] - by_cluster[:, 1], spread]
    error = np.sqrt([float(piece @ piece) for piece in pieces])
    plain = np.array([rates[0], rates[1], rates[0] - rates[1], follow_up])
    log_ratio = (float(np.log(events[0] / events[1])), float(np.sqrt(logs @ logs)))
    return two_arms_table(QUANTITIES, (plain, error), log_ratio, level=level)
