"""Logistic regression with cluster-robust errors: who has any cost, who leaves the study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.effects.ascent import Point, maximise
from wor_eval.effects.covariance import SmallSample, robust_covariance
from wor_eval.effects.fit import TermTable, normal_table
from wor_eval.effects.identification import check_identified
from wor_eval.effects.model_rows import Floats, ModelRows, model_rows
from wor_eval.errors import EstimationError


@dataclass(frozen=True, kw_only=True, slots=True)
class LogisticFit:
    """A fitted logistic regression.

    Attributes
    ----------
    coef : ndarray, shape (k,)
        Logarithms of odds ratios.
    cov : ndarray, shape (k, k)
        Their covariance: inverse information, or cluster-robust.
    names : tuple of str, length k
        Names of the columns.
    n_obs, n_events, n_clusters : int
        Rows with weight, rows with a 1, and clusters (0 without).
    loglik : float
        Weighted log-likelihood.
    iterations : int
        Newton steps.
    factor : float
        Small-sample factor inside `cov`.
    influence : ndarray, shape (G, k), or None
        Influence of each cluster; cov = factor · influence'influence.
    cluster_labels : ndarray, shape (G,), or None
        Identifier of each row of `influence`, sorted.
    """

    coef: Floats
    cov: Floats
    names: tuple[str, ...]
    n_obs: int
    n_events: int
    n_clusters: int
    loglik: float
    iterations: int
    factor: float = 1.0
    influence: Floats | None = None
    cluster_labels: NDArray[Any] | None = None


def logistic_regression(
    y: ArrayLike,
    X: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    small_sample: SmallSample = "G/(G-1)",
) -> LogisticFit:
    r"""Logistic regression: odds ratios of a yes or no.

    Estimand: β in ``log odds P(y = 1) = Xβ``. Newton's method on sums of blocks of rows, which holds a million
    rows (McCullagh and Nelder 1989).

    Parameters
    ----------
    y : array_like of 0/1, shape (n,)
        Response.
    X : array_like, shape (n, k)
        Columns of the design; no constant is added.
    names : sequence of str, length k, optional
        Names of the columns.
    weights : array_like, shape (n,), optional
        Weights, zero or more; they need `clusters`.
    clusters : array_like, shape (n,), optional
        Gives a cluster-robust covariance. None: inverse information.
    small_sample : {"G/(G-1)", "none", "G/(G-1)*(N-1)/(N-K)"}
        Factor on it; the first is the default of R's ``vcovCL``, the last that of statsmodels.

    Returns
    -------
    LogisticFit

    Raises
    ------
    EstimationError
        Missing values, other responses than 0 and 1 or only one of them, collinear columns, columns that tell
        the ones from the zeros (separation), weights without clusters.

    Examples
    --------
    >>> X = np.column_stack([np.ones(8), [1, 1, 1, 1, 0, 0, 0, 0]])
    >>> fit = logistic_regression([1, 1, 1, 0, 1, 0, 0, 0], X, names=["constant", "referred"])
    >>> odds_ratios(fit).estimate.round(2)
    array([0.33, 9.  ])
    """
    if weights is not None and clusters is None:
        raise EstimationError("weights: the model's own covariance is wrong with them; give clusters too")
    rows = model_rows(
        y, X, response="real", names=names, offset=None, weights=weights, clusters=clusters, absorb=None
    )
    _check_response(rows)
    check_identified(rows, counts=False)
    scale = np.sqrt(np.einsum("ij,ij->i", rows.columns, rows.columns) / rows.n)
    scaled = replace(rows, columns=rows.columns / scale[:, None])
    top = maximise(lambda coef: _point(scaled, coef), rows.names, model="logistic regression")
    inverse = np.asarray(np.linalg.inv(top.at.information) / np.outer(scale, scale), dtype=np.float64)
    fit = LogisticFit(
        coef=top.at.coef / scale,
        cov=inverse,
        names=rows.names,
        n_obs=rows.n,
        n_events=int(rows.y.sum()),
        n_clusters=0,
        loglik=top.at.loglik,
        iterations=top.iterations,
    )
    return _with_clusters(fit, rows, small_sample) if rows.clusters else fit


def odds_ratios(fit: LogisticFit, *, level: float = 0.95) -> TermTable:
    """Give exp(coefficient) of each column with its normal interval on the logarithmic scale.

    Parameters
    ----------
    fit : LogisticFit
        A fitted model.
    level : float
        Confidence level.

    Returns
    -------
    TermTable
        `std_error` is that of the logarithm.

    Raises
    ------
    EstimationError
        A level that is not between 0 and 1.

    Examples
    --------
    See :func:`logistic_regression`.
    """
    error = np.sqrt(np.diag(fit.cov))
    return normal_table(fit.names, fit.coef, error, level=level, ratio=True)


def predicted_share(coef: Floats, columns: Floats) -> Floats:
    """Chance of a 1 at coefficients (k,) and columns (k, n): (n,)."""
    from scipy.special import expit

    share: Floats = expit(np.einsum("j,ji->i", coef, columns))
    return share


def _check_response(rows: ModelRows) -> None:
    other = int(((rows.y != 0) & (rows.y != 1)).sum())
    if other:
        raise EstimationError(f"y: {other} of {rows.n} rows are not 0 or 1")
    if rows.y.min() == rows.y.max():
        raise EstimationError("y: all rows are the same, so there are no odds to compare")


def _point(rows: ModelRows, coef: Floats) -> Point:
    eta = rows.predictor(coef)
    share = predicted_share(coef, rows.columns)
    return Point(
        coef=coef,
        loglik=float(np.dot(rows.weights, rows.y * eta - np.logaddexp(0.0, eta))),
        score=rows.score(rows.weights * (rows.y - share)),
        information=rows.gram(rows.weights * share * (1.0 - share)),
    )


def _with_clusters(fit: LogisticFit, rows: ModelRows, small_sample: SmallSample) -> LogisticFit:
    residual = rows.weights * (rows.y - predicted_share(fit.coef, rows.columns))
    robust = robust_covariance(
        rows.columns * residual,
        fit.cov,
        clusters=rows.clusters,
        small_sample=small_sample,
        n_rows=rows.n,
        n_parameters=rows.n_parameters,
    )
    return replace(
        fit,
        cov=robust.cov,
        n_clusters=robust.n_clusters,
        factor=robust.factor,
        influence=robust.influence,
        cluster_labels=rows.clusters[0].labels,
    )
