"""Scores before and after, adjusted by least squares: the change of the referred, and the arms compared."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.effects.model_rows import Floats
from wor_eval.effects.quantity import Quantity, difference
from wor_eval.effects.regression import linear_regression
from wor_eval.effects.small_sample import cr2_linear
from wor_eval.effects.wellbeing import paired_scores, two_arms
from wor_eval.errors import EstimationError


def adjusted_change(
    before: ArrayLike,
    after: ArrayLike,
    X: ArrayLike,
    *,
    at: ArrayLike,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Quantity:
    """Estimate the mean change of persons with given covariates, by least squares.

    Estimand: ``E(after - before | covariates = at)`` in a linear model. With `at` the means of the sample it is
    the mean change itself; with the score before as a covariate and `at` the mean of a reference population it
    is the change that regression to the mean leaves over.

    Parameters
    ----------
    before, after : array_like, shape (n,)
        Scores of the same persons.
    X : array_like, shape (n, p)
        Covariates, without a constant.
    at : array_like, shape (p,)
        Values of the covariates.
    clusters : array_like, shape (n,), optional
        Practice of each person: CR2 standard error with Satterthwaite's degrees of freedom. None: that of
        least squares with n - p - 1.
    level : float, default 0.95
        Level of the interval.

    Returns
    -------
    Quantity

    Raises
    ------
    EstimationError
        As :func:`wor_eval.effects.wellbeing.score_change`; columns that are constant or collinear.

    Examples
    --------
    >>> before, after = [18, 22, 15, 20, 24, 17], [21, 22, 19, 24, 23, 20]
    >>> found = adjusted_change(before, after, np.array(before)[:, None], at=[22])
    >>> round(found.estimate, 2), found.df
    (0.7, 4)
    """
    first, second = paired_scores(before, after)
    columns, values = np.asarray(X, dtype=np.float64), np.asarray(at, dtype=np.float64)
    if columns.ndim != 2 or len(columns) != first.size or values.shape != columns.shape[1:]:
        raise EstimationError(f"X of shape {columns.shape} and at of shape {values.shape}: (n, p) and (p,)")
    if not np.isfinite(values).all():
        raise EstimationError("at: every value must be finite")
    design = np.column_stack([np.ones(first.size), columns - values])
    return _coefficient(second - first, design, 0, clusters=clusters, level=level)


def ancova(
    before: ArrayLike,
    after: ArrayLike,
    referred: ArrayLike,
    *,
    X: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Quantity:
    """Compare the scores after between the arms, adjusted for the score before (analysis of covariance).

    Estimand: β in ``after = a + β referred + c before + d'X + e``: the difference between arms in persons with
    the same score before. Where persons were referred because of their score, it is biased if that score is
    measured with error (Lord's paradox): show :func:`change_difference` beside it.

    Parameters
    ----------
    before, after : array_like, shape (n,)
        Scores.
    referred : array_like of bool or 0/1, shape (n,)
        Arm of each person.
    X : array_like, shape (n, p), optional
        More covariates, without a constant.
    weights : array_like, shape (n,), optional
        Matching weights above zero; they need `clusters`.
    clusters : array_like, shape (n,), optional
        Matched set or practice: CR2 standard error with Satterthwaite's degrees of freedom. None: that of
        least squares with n minus the number of columns, as R's ``lm``.
    level : float, default 0.95
        Level of the interval.

    Returns
    -------
    Quantity

    Raises
    ------
    EstimationError
        Missing or infinite values, different shapes, an arm with fewer than two persons, collinear columns,
        weights without clusters.
    DesignError
        Arms other than 0 and 1, or an empty one.

    Examples
    --------
    >>> found = ancova([18, 22, 15, 20, 24, 17], [21, 22, 19, 19, 23, 18], [1, 1, 1, 0, 0, 0])
    >>> round(found.estimate, 2), found.df
    (1.82, 3)
    """
    first, second = paired_scores(before, after)
    design = _arm_design(referred, first.size, (first[:, None], X))
    return _coefficient(second, design, 1, weights=weights, clusters=clusters, level=level)


def change_difference(
    before: ArrayLike,
    after: ArrayLike,
    referred: ArrayLike,
    *,
    X: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Quantity:
    """Compare the change in score between the arms: difference in differences, not adjusted for the score before.

    Parameters
    ----------
    before, after, referred, X, weights, clusters, level
        As in :func:`ancova`.

    Returns
    -------
    Quantity

    Raises
    ------
    EstimationError, DesignError
        As :func:`ancova`.

    Examples
    --------
    >>> found = change_difference([18, 22, 15, 20, 24, 17], [21, 22, 19, 19, 23, 18], [1, 1, 1, 0, 0, 0])
    >>> round(found.estimate, 2)
    2.67
    """
    first, second = paired_scores(before, after)
    design = _arm_design(referred, first.size, (X,))
    return _coefficient(second - first, design, 1, weights=weights, clusters=clusters, level=level)


def _arm_design(referred: ArrayLike, n: int, parts: Sequence[ArrayLike | None]) -> Floats:
    columns = [np.asarray(part, dtype=np.float64) for part in parts if part is not None]
    if any(part.ndim != 2 or len(part) != n for part in columns):
        raise EstimationError(f"X: a matrix of {n} rows is needed")
    return np.column_stack([np.ones(n), two_arms(referred, n), *columns]).astype(np.float64)


def _coefficient(
    y: Floats,
    design: Floats,
    position: int,
    *,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None,
    level: float,
) -> Quantity:
    """One coefficient of least squares, with the classical t interval or, with clusters, that of CR2."""
    if clusters is None:
        if weights is not None:
            raise EstimationError(
                "weights: the classical standard error is wrong with them; give clusters too"
            )
        fit = linear_regression(y, design, covariance="model")
        error = math.sqrt(fit.cov[position, position])
        return difference(float(fit.coef[position]), error, level=level, df=fit.n_obs - fit.coef.size)
    wanted = np.eye(design.shape[1])[position]
    found = cr2_linear(y, design, clusters, weights=weights, contrasts=wanted, level=level)
    return difference(float(found.estimate[0]), float(found.std_error[0]), level=level, df=float(found.df[0]))
