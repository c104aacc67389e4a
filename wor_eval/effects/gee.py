"""Generalised estimating equations for counts, from sums over the members of each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.effects.covariance import Information, SmallSample, row_information
from wor_eval.effects.fit import Fit
from wor_eval.effects.identification import check_identified
from wor_eval.effects.model_rows import Codes, Floats, Ids, ModelRows, ids_of, model_rows
from wor_eval.effects.newton import (
    EXACT,
    MAX_STEPS,
    Family,
    exact_fit,
    newton_step,
    not_converged,
    settled,
    solve,
)
from wor_eval.effects.sandwich import absorbed_groups, with_sandwich
from wor_eval.errors import EstimationError

Working: TypeAlias = Literal["independence", "exchangeable"]
_NEAR = 1e-4


def gee_poisson(
    y: ArrayLike,
    X: ArrayLike,
    *,
    groups: ArrayLike,
    working: Working = "exchangeable",
    names: Sequence[str] | None = None,
    offset: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    absorb: ArrayLike | None = None,
    small_sample: SmallSample = "G/(G-1)",
) -> Fit:
    r"""Poisson GEE: population-averaged rate ratios of repeated counts, with a robust covariance.

    Estimand: β in ``E(y) = exp(offset + Xβ + effect of the absorbed group)``. Solves
    ``Σ_g D_g' V_g⁻¹ (y_g - μ_g) = 0`` with ``V_g = A_g^½ R A_g^½`` and R exchangeable (Liang and Zeger 1986,
    doi:10.1093/biomet/73.1.13). The inverse of R is closed-form, so only sums over the members of a group are
    needed. The correlation is ``Σ_g Σ_{i<j} r_i r_j / (φ · pairs)`` with ``φ = Σ r² / N`` and r the Pearson
    residuals.

    Convention: both divisors are plain counts, as in R's geepack. statsmodels subtracts the number of
    coefficients from each (``ddof_scale=0`` there gives the numbers here).

    Parameters
    ----------
    y : array_like, shape (n,)
        Counts, zero or more.
    groups : array_like, shape (n,)
        Whose rows are correlated, such as the person.
    working : {"exchangeable", "independence"}
        Working correlation. With "independence" β is that of `poisson_regression`.
    X, names, offset
        As in `poisson_regression`.
    weights : array_like, shape (n,), optional
        Prior weights, as √w on residual and column: a weight that is the same for all rows of a group counts
        that group w times.
    clusters : array_like, shape (n,), optional
        Coarser clusters of the robust covariance, such as the practice; each group lies in one of them.
        None: the groups.
    absorb : array_like, shape (n,), optional
        A factor, such as the practice, estimated as dummies would be; each group lies in one level of it.
    small_sample : {"G/(G-1)", "none", "G/(G-1)*(N-1)/(N-K)"}
        As in `poisson_regression`. geepack and statsmodels use "none" for GEE.

    Returns
    -------
    Fit
        With `correlation`; `dispersion` is φ.

    Raises
    ------
    EstimationError
        As `poisson_regression`; a group in two clusters or in two absorbed levels; no group with two rows; a
        correlation outside its range.

    Examples
    --------
    >>> X = np.array([[1, 0], [1, 1], [1, 0], [1, 1], [1, 0], [1, 1]])
    >>> fit = gee_poisson([4, 2, 9, 5, 1, 1], X, groups=[1, 1, 2, 2, 3, 3], names=["constant", "after"])
    >>> round(float(np.exp(fit.coef[1])), 3), round(fit.correlation, 3)
    (0.571, 0.922)
    """
    ids = (groups,) if clusters is None else (groups, clusters)
    rows = model_rows(
        y, X, response="count", names=names, offset=offset, weights=weights, clusters=ids, absorb=absorb
    )
    check_identified(rows, counts=True)
    panel = _panel(rows)
    if working == "exchangeable" and not (panel.size > 1).any():
        raise EstimationError("groups: no group has two rows, so no correlation within groups exists")
    at, iterations = _solve(rows, panel, working)
    fit = _model_fit(rows, panel, at, iterations=iterations)
    scores = at.scores
    if rows.absorbed.size:
        scores = scores - at.information.means[:, panel.level] * at.level_scores
    named = replace(fit, method=f"Poisson GEE, {working} working correlation")
    return with_sandwich(named, scores, fit.cov, clusters=(panel.clusters,), small_sample=small_sample)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Panel:
    """Groups of rows: identifiers, rows (g,), weight of their pairs, cluster ids (g,), absorbed level (g,)."""

    ids: Ids
    size: Floats
    pair_weight: float
    clusters: Ids
    level: Codes


@dataclass(frozen=True, kw_only=True, slots=True)
class _At:
    """A point: coefficients, absorbed effects, correlation, dispersion, information and scores by group."""

    coef: Floats
    effects: Floats
    correlation: float
    dispersion: float
    information: Information
    scores: Floats
    level_scores: Floats


def _panel(rows: ModelRows) -> _Panel:
    ids = rows.clusters[0]
    root = ids.total(np.sqrt(rows.weights))
    clusters = ids_of(np.arange(ids.size), ids.labels)
    if len(rows.clusters) > 1:
        outer = rows.clusters[1]
        clusters = ids_of(_parent(ids, outer.codes, "clusters"), outer.labels)
    return _Panel(
        ids=ids,
        size=np.bincount(ids.codes).astype(np.float64),
        pair_weight=float(np.sum(root**2 - ids.total(rows.weights))) / 2,
        clusters=clusters,
        level=_parent(ids, rows.absorbed.codes, "absorb") if rows.absorbed.size else rows.absorbed.codes,
    )


def _parent(ids: Ids, codes: NDArray[np.intp], what: str) -> Codes:
    """Code of the coarser identifier for each group, refused where a group has two."""
    parent = np.zeros(ids.size, dtype=np.intp)
    parent[ids.codes] = codes
    split = np.unique(ids.codes[parent[ids.codes] != codes]).size
    if split:
        raise EstimationError(
            f"{what}: {split} groups lie in more than one {what} level; a GEE group must lie in one. "
            "Use poisson_regression, which takes clusters that cross"
        )
    return parent


def _solve(rows: ModelRows, panel: _Panel, working: Working) -> tuple[_At, int]:
    """Fisher scoring with the correlation renewed at each step, from the independence solution."""
    start, _ = solve(rows, Family.POISSON, converged=_NEAR)
    coef, effects, last = start.coef, start.effects, np.inf
    for iteration in range(MAX_STEPS + 1):
        at = _evaluate(rows, panel, (coef, effects), working=working)
        level_score = _by_level(rows, panel, at.level_scores)
        step, level_step, length = newton_step(at.information, at.scores.sum(axis=1), level_score)
        if settled(rows, length, last):
            return at, iteration
        last = length
        coef, effects = coef + step, effects + level_step
    raise not_converged("GEE")


def _evaluate(rows: ModelRows, panel: _Panel, where: tuple[Floats, Floats], *, working: Working) -> _At:
    coef, effects = where
    eta = rows.predictor(coef)
    if rows.absorbed.size:
        eta += effects[rows.absorbed.codes]
    with np.errstate(over="ignore", invalid="ignore"):
        weighted_mu = rows.weights * np.exp(eta)
        root = np.sqrt(weighted_mu)
        residual = rows.weights * rows.y - weighted_mu
        pearson = residual / root
    if not np.isfinite(pearson).all():
        raise not_converged("GEE")
    total, squares = panel.ids.total(pearson), float(pearson @ pearson)
    dispersion = squares / float(rows.weights.sum())
    if dispersion <= EXACT:
        raise exact_fit()
    correlation = 0.0
    if working == "exchangeable":
        pairs = (float(total @ total) - squares) / 2
        correlation = _checked(pairs / (panel.pair_weight * dispersion), panel)
    shrink = correlation / (1 + correlation * (panel.size - 1))
    column_total = rows.column_total(panel.ids, root)
    root_total = panel.ids.total(root)
    return _At(
        coef=coef,
        effects=effects,
        correlation=correlation,
        dispersion=dispersion,
        information=_information(rows, panel, weighted_mu, (column_total, root_total, shrink)),
        scores=rows.column_total(panel.ids, residual) - column_total * (shrink * total),
        level_scores=panel.ids.total(residual) - root_total * shrink * total,
    )


def _information(
    rows: ModelRows, panel: _Panel, weight: Floats, sums: tuple[Floats, Floats, Floats]
) -> Information:
    """D'V⁻¹D up to the factor 1/(1 - correlation), which cancels in the step and in the sandwich."""
    column_total, root_total, shrink = sums
    whole = row_information(rows, weight)
    shrunk = column_total * shrink
    return Information(
        gram=whole.gram - shrunk @ column_total.T,
        cross=whole.cross - _by_level(rows, panel, shrunk * root_total),
        diagonal=whole.diagonal - _by_level(rows, panel, shrink * root_total**2),
    )


def _by_level(rows: ModelRows, panel: _Panel, values: Floats) -> Floats:
    """Sum group values (g,) or (k, g) by absorbed level: (m,) or (k, m)."""
    if not rows.absorbed.size:
        return np.zeros((*values.shape[:-1], 0))
    return Ids(codes=panel.level, labels=rows.absorbed.labels).total(values)


def _checked(correlation: float, panel: _Panel) -> float:
    lowest = -1 / (float(panel.size.max()) - 1)
    if not lowest < correlation < 1:
        raise EstimationError(
            f"groups: the working correlation {correlation:.3f} is outside its range ({lowest:.3f} to 1), so the "
            'counts do not follow an exchangeable pattern; use working="independence"'
        )
    return correlation


def _model_fit(rows: ModelRows, panel: _Panel, at: _At, *, iterations: int) -> Fit:
    """Fit with the inverse information, without its factor, as covariance."""
    return Fit(
        coef=at.coef,
        cov=at.information.inverse(),
        names=rows.names,
        method="Poisson GEE",
        link="log",
        n_obs=rows.n,
        n_clusters=0,
        n_absorbed=rows.absorbed.size,
        dispersion=at.dispersion,
        iterations=iterations,
        correlation=at.correlation,
        groups=absorbed_groups(
            rows,
            at.effects,
            at.information,
            units=panel.level,
            scores=at.level_scores,
            clusters=(panel.clusters,),
        ),
    )
