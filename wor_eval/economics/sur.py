"""Seemingly unrelated regression of cost and effect, each with covariates of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.economics.checked import Floats, Persons, model_columns, persons
from wor_eval.economics.joint import JointDifference, joint_difference, system_cr2
from wor_eval.errors import EstimationError

ResidualDf = Literal["geometric_mean", "rows"]
SurCovariance = Literal["cr2", "model"]


@dataclass(frozen=True, kw_only=True, slots=True)
class UnrelatedRegressions:
    """Two equations estimated together.

    Attributes
    ----------
    difference : JointDifference
        The coefficients of referral, with the covariance that was asked for.
    cost, effect : ndarray, shapes (p,) and (q,)
        Coefficients of each equation: intercept, referred, covariates in their order.
    covariance : ndarray, shape (p + q, p + q)
        Model covariance of all coefficients, cost first.
    residual_covariance : ndarray, shape (2, 2)
        Of the residuals of the final fit.
    """

    difference: JointDifference
    cost: Floats
    effect: Floats
    covariance: Floats
    residual_covariance: Floats


def seemingly_unrelated(
    cost: ArrayLike,
    effect: ArrayLike,
    referred: ArrayLike,
    *,
    cost_covariates: ArrayLike | None = None,
    effect_covariates: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    covariance: SurCovariance = "cr2",
    residual_df: ResidualDf = "geometric_mean",
) -> UnrelatedRegressions:
    """Estimate incremental cost and effect by seemingly unrelated regression.

    Feasible generalised least squares in one step (Zellner 1962, doi:10.1080/01621459.1962.10480664; for
    cost-effectiveness Willan, Briggs and Hoch 2004, doi:10.1002/hec.843): each equation by least squares, the
    covariance ``S`` of their residuals, then both equations together under ``S``. With the same covariates in
    both equations it equals :func:`wor_eval.economics.joint.joint_regression`.

    Convention: the cross-products of residuals are divided by ``sqrt((n - p)(n - q))`` (``geometric_mean``, the
    default of R's ``systemfit``) or by ``n`` (``rows``, its ``noDfCor``). With equally many covariates in both
    equations this matters to the model covariance alone. The working model of CR2 is ``S`` within persons and
    independence between them.

    Parameters
    ----------
    cost, effect, referred : array-like, shape (n,)
        Cost in euros, effect, and 1 for referred or 0 for comparison.
    cost_covariates, effect_covariates : array-like, shape (n, q) or (n,), optional
        Covariates of each equation, measured before the index date.
    weights : array-like, shape (n,), optional
        Positive weights of the design; only with ``covariance="cr2"``.
    clusters : array-like, shape (n,), optional
        Practice or matched set; only with ``covariance="cr2"``.
    covariance : {"cr2", "model"}
        Covariance of the differences: cluster-robust with Satterthwaite df, or that of the model with normal
        intervals.
    residual_df : {"geometric_mean", "rows"}
        What the residual cross-products are divided by.

    Returns
    -------
    UnrelatedRegressions

    Raises
    ------
    EstimationError
        Unusable rows, columns that depend on each other, residuals that are perfectly correlated, or clusters
        or weights beside the model covariance.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> referred, before = np.arange(80) % 2, rng.gamma(2.0, 500.0, 80)
    >>> utility = rng.uniform(0.4, 0.9, 80)
    >>> cost = before + 150 * referred + rng.normal(0, 50, 80)
    >>> effect = utility + 0.05 * referred + rng.normal(0, 0.05, 80)
    >>> fit = seemingly_unrelated(
    ...     cost, effect, referred, cost_covariates=before, effect_covariates=utility
    ... )
    >>> print(fit.difference.estimate.round(2).tolist())
    [155.23, 0.04]
    """
    if covariance not in {"cr2", "model"} or residual_df not in {"geometric_mean", "rows"}:
        raise EstimationError("covariance: cr2 or model; residual_df: geometric_mean or rows")
    if covariance == "model" and (weights is not None or clusters is not None):
        raise EstimationError('covariance "model" knows no clusters or weights: ask for "cr2"')
    rows = persons({"cost": cost, "effect": effect}, referred, weights=weights, clusters=clusters)
    columns = (model_columns(rows.referred, cost_covariates), model_columns(rows.referred, effect_covariates))
    first = np.column_stack([_residuals(rows, c, i) for i, c in enumerate(columns)])
    before = _residual_covariance(first, rows, columns, residual_df)
    whiten = np.linalg.inv(np.linalg.cholesky(before))
    coefficients, spread = _generalised(rows, columns, whiten)
    parts = np.split(coefficients, [columns[0].shape[1]])
    final = np.column_stack([rows.outcomes[:, i] - columns[i] @ parts[i] for i in (0, 1)])
    return UnrelatedRegressions(
        difference=_referral(rows, columns, whiten, spread=spread if covariance == "model" else None),
        cost=parts[0],
        effect=parts[1],
        covariance=spread,
        residual_covariance=_residual_covariance(final, rows, columns, residual_df),
    )


def _referral(
    rows: Persons, columns: tuple[Floats, Floats], whiten: Floats, *, spread: Floats | None
) -> JointDifference:
    """Give the coefficients of referral with CR2 errors, or with the model covariance given."""
    estimate, covariance, df = system_cr2(rows, columns, whiten=whiten)
    if spread is None:
        return joint_difference(rows, estimate, covariance, df=df, method="seemingly unrelated, CR2")
    at = np.array([1, columns[0].shape[1] + 1])
    return joint_difference(
        rows, estimate, spread[np.ix_(at, at)], df=np.full(2, np.inf), method="seemingly unrelated, model"
    )


def _residuals(rows: Persons, columns: Floats, equation: int) -> Floats:
    """Give the residuals of one equation by (weighted) least squares."""
    root = np.ones(len(columns)) if rows.weights is None else np.sqrt(rows.weights)
    scale = np.sqrt((columns**2).mean(axis=0))
    weighted = columns / np.where(scale > 0, scale, 1) * root[:, None]
    if (
        len(columns) <= scale.size
        or np.linalg.matrix_rank(weighted, tol=1e-9 * np.sqrt(len(root))) < scale.size
    ):
        raise EstimationError("covariates depend on each other or outnumber the persons: leave some out")
    outcome = rows.outcomes[:, equation]
    solved = np.linalg.lstsq(weighted, outcome * root, rcond=None)[0]
    return np.asarray(outcome - (weighted / root[:, None]) @ solved)


def _residual_covariance(
    residuals: Floats, rows: Persons, columns: tuple[Floats, Floats], residual_df: ResidualDf
) -> Floats:
    """Give the covariance (2, 2) of residuals (n, 2)."""
    weight = np.ones(len(residuals)) if rows.weights is None else rows.weights / rows.weights.mean()
    products = (residuals * weight[:, None]).T @ residuals
    n = float(len(residuals))
    left = np.sqrt([n - c.shape[1] for c in columns]) if residual_df == "geometric_mean" else np.sqrt([n, n])
    size = np.sqrt(np.diag(products))
    if not (size > 1e-12 * np.abs(rows.outcomes).max(axis=0)).all():
        raise EstimationError("cost or effect is explained without error: no standard error can be given")
    if abs(products[0, 1]) >= (1 - 1e-12) * size[0] * size[1]:
        raise EstimationError("the residuals of cost and effect are the same: are they one variable?")
    return np.asarray(products / np.outer(left, left))


def _generalised(rows: Persons, columns: tuple[Floats, Floats], whiten: Floats) -> tuple[Floats, Floats]:
    """Give all coefficients (p + q,) and their model covariance under the whitening."""
    root = np.ones(len(rows.referred)) if rows.weights is None else np.sqrt(rows.weights)
    both = [c * root[:, None] for c in columns]
    system = np.vstack([np.hstack([m[0] * both[0], m[1] * both[1]]) for m in whiten])
    target = ((rows.outcomes * root[:, None]) @ whiten.T).T.ravel()
    scale = np.sqrt((system**2).mean(axis=0))
    basis, triangle = np.linalg.qr(system / scale)
    back = np.linalg.inv(triangle) / scale[:, None]
    return np.asarray(back @ (basis.T @ target)), np.asarray(back @ back.T)
