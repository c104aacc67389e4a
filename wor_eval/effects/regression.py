"""Poisson, gamma and linear regression with absorbed groups and cluster-robust covariance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.effects.covariance import SmallSample, projected_scores, row_information
from wor_eval.effects.fit import Fit
from wor_eval.effects.identification import check_identified
from wor_eval.effects.model_rows import Floats, ModelRows, model_rows
from wor_eval.effects.newton import EXACT, Family, exact_fit, solve
from wor_eval.effects.sandwich import absorbed_groups, refuse_clusters, with_sandwich

Covariance: TypeAlias = Literal["model", "robust"]


def poisson_regression(
    y: ArrayLike,
    X: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    offset: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | tuple[ArrayLike, ...] | None = None,
    absorb: ArrayLike | None = None,
    covariance: Literal["model", "quasi", "robust"] = "robust",
    small_sample: SmallSample = "G/(G-1)",
) -> Fit:
    r"""Poisson regression with log link: rate ratios of counts, right for any variance of the counts.

    Estimand: β in ``E(y) = exp(offset + Xβ + effect of the absorbed group)``; exp(β) is a rate ratio. With a
    robust covariance only the mean has to be right, not the Poisson variance (Gourieroux, Monfort and
    Trognon 1984, doi:10.2307/1913472), so `y` need not be whole numbers.

    Parameters
    ----------
    y : array_like, shape (n,)
        Counts, zero or more.
    X : array_like, shape (n, k)
        Columns of the design. No constant is added; leave it out with `absorb`.
    names : sequence of str, length k, optional
        Names of the columns.
    offset : array_like, shape (n,), optional
        Log of the exposure, such as the log of observed years.
    weights : array_like, shape (n,), optional
        Prior weights, zero or more. A weight of 2 on all rows of a cluster is the same as the cluster's rows
        given twice under the same cluster identifier.
    clusters : array_like, shape (n,), or tuple of these, optional
        Cluster identifier; a tuple gives several, which need not be nested. None: every row is its own.
    absorb : array_like, shape (n,), optional
        A group, such as the practice, whose effects are profiled out. Coefficients and covariance are those
        of the model with one dummy per group. Groups without any event say nothing about β: their rows are
        left out, from N too. With fewer than about 20 clusters in a group, standard errors of columns that
        are constant in a cluster are too short (by 15 % with 8 clusters, as with dummies).
    covariance : {"robust", "model", "quasi"}
        Sandwich; inverse information; that times the Pearson dispersion (quasi-Poisson). The last two take
        no clusters.
    small_sample : {"G/(G-1)", "none", "G/(G-1)*(N-1)/(N-K)"}
        Factor on the sandwich with G clusters, N rows and K coefficients (absorbed groups included). The
        first is the default of R's ``sandwich::vcovCL`` for a GLM, the last that of statsmodels. Without
        clusters G = N, so "none" is HC0, and the last N/(N-K) is HC1.

    Returns
    -------
    Fit

    Raises
    ------
    EstimationError
        Missing or infinite values, negative counts, no exposure, one cluster, constant or collinear columns,
        separation (a level whose counts are all zero), no convergence.

    Examples
    --------
    Two practices, before and after: 5 contacts after for 11 before.

    >>> X = np.array([[0], [1], [0], [1]])
    >>> fit = poisson_regression([9, 4, 2, 1], X, names=["after"], absorb=["a", "a", "b", "b"],
    ...     clusters=[1, 2, 3, 4])
    >>> fit.coef.round(4), round(float(np.exp(fit.coef[0])), 2)
    (array([-0.7885]), 0.45)
    """
    rows = model_rows(
        y, X, response="count", names=names, offset=offset, weights=weights, clusters=clusters, absorb=absorb
    )
    return _fitted(rows, Family.POISSON, covariance=covariance, small_sample=small_sample)


def gamma_regression(
    y: ArrayLike,
    X: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    offset: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | tuple[ArrayLike, ...] | None = None,
    absorb: ArrayLike | None = None,
    covariance: Covariance = "robust",
    information: Literal["expected", "observed"] = "expected",
    small_sample: SmallSample = "G/(G-1)",
) -> Fit:
    """Gamma regression with log link: ratios of mean costs above zero.

    Estimand: β in ``E(y) = exp(offset + Xβ + effect of the absorbed group)``; exp(β) is a ratio of arithmetic
    means. The variance is taken as proportional to the squared mean (McCullagh and Nelder 1989).

    Parameters
    ----------
    y : array_like, shape (n,)
        Costs above zero. With zeros use a two-part model, or `poisson_regression`, which needs the right mean
        only.
    X, names, offset, weights, clusters, absorb, small_sample
        As in `poisson_regression`.
    covariance : {"robust", "model"}
        Sandwich; or inverse expected information times the Pearson dispersion, as R's ``summary.glm``.
    information : {"expected", "observed"}
        Bread of the sandwich: expected as R's sandwich, observed (weights y/mean) as statsmodels. They differ
        because the log is not the canonical link: by some percents on skewed costs.

    Returns
    -------
    Fit

    Raises
    ------
    EstimationError
        As `poisson_regression`; costs of zero or below.

    Examples
    --------
    >>> X = np.array([[1, 0], [1, 0], [1, 1], [1, 1]])
    >>> fit = gamma_regression([100.0, 300.0, 50.0, 250.0], X, names=["constant", "after"])
    >>> np.exp(fit.coef).round(2)
    array([200.  ,   0.75])
    """
    rows = model_rows(
        y,
        X,
        response="positive",
        names=names,
        offset=offset,
        weights=weights,
        clusters=clusters,
        absorb=absorb,
    )
    return _fitted(
        rows, Family.GAMMA, covariance=covariance, information=information, small_sample=small_sample
    )


def linear_regression(
    y: ArrayLike,
    X: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | tuple[ArrayLike, ...] | None = None,
    absorb: ArrayLike | None = None,
    covariance: Covariance = "robust",
    small_sample: SmallSample = "G/(G-1)",
) -> Fit:
    """Least squares, weighted where weights are given: differences of means.

    Estimand: β in ``E(y) = Xβ + effect of the absorbed group``.

    Parameters
    ----------
    y : array_like, shape (n,)
        Response.
    X, names, weights, clusters, absorb
        As in `poisson_regression`.
    covariance : {"robust", "model"}
        Sandwich; or residual variance times (X'WX)⁻¹.
    small_sample : {"G/(G-1)", "none", "G/(G-1)*(N-1)/(N-K)"}
        As in `poisson_regression`. The last is the default of ``vcovCL`` for ``lm``, of Stata and of
        statsmodels.

    Returns
    -------
    Fit

    Raises
    ------
    EstimationError
        Missing or infinite values, one cluster, constant or collinear columns.

    Examples
    --------
    >>> X = np.array([[1, 0], [1, 0], [1, 1], [1, 1]])
    >>> linear_regression([1.0, 3.0, 6.0, 4.0], X, covariance="model").coef
    array([2., 3.])
    """
    rows = model_rows(
        y, X, response="real", names=names, offset=None, weights=weights, clusters=clusters, absorb=absorb
    )
    return _fitted(rows, Family.LINEAR, covariance=covariance, small_sample=small_sample)


def _fitted(
    rows: ModelRows,
    family: Family,
    *,
    covariance: Literal["model", "quasi", "robust"],
    small_sample: SmallSample,
    information: Literal["expected", "observed"] = "expected",
) -> Fit:
    refuse_clusters(rows, covariance)
    check_identified(rows, counts=family is Family.POISSON)
    at, bread = solve(rows, family)
    if family is Family.GAMMA and information == "expected":
        bread = row_information(rows, rows.weights)
    residual = rows.weights * family.residual(rows.y, at.mu)
    squared = (rows.y - at.mu) ** 2 / family.variance(at.mu)
    dispersion = float(np.dot(rows.weights, squared)) / (rows.n - rows.n_parameters)
    if covariance != "model" or family is not Family.POISSON:
        _refuse_exact(rows, family, dispersion)
    fit = Fit(
        coef=at.coef,
        cov=bread.inverse(),
        names=rows.names,
        method=family.value,
        link="identity" if family is Family.LINEAR else "log",
        n_obs=rows.n,
        n_clusters=0,
        n_absorbed=rows.absorbed.size,
        dispersion=dispersion,
        iterations=at.iterations,
        loglik=_poisson_loglik(rows, at.eta, at.mu) if family is Family.POISSON else None,
        groups=absorbed_groups(
            rows, at.effects, bread, units=rows.absorbed.codes, scores=residual, clusters=rows.clusters
        ),
    )
    if covariance == "robust":
        scores = projected_scores(rows, residual, bread)
        return with_sandwich(fit, scores, fit.cov, clusters=rows.clusters, small_sample=small_sample)
    scale = 1.0 if covariance == "model" and family is Family.POISSON else fit.dispersion
    return replace(fit, cov=fit.cov * scale, method=f"{fit.method}, {covariance} covariance")


def _refuse_exact(rows: ModelRows, family: Family, dispersion: float) -> None:
    unit = float(np.mean(rows.y**2)) if family is Family.LINEAR else 1.0
    if dispersion <= EXACT * unit * float(rows.weights.mean()):
        raise exact_fit()


def _poisson_loglik(rows: ModelRows, eta: Floats, mu: Floats) -> float:
    from scipy.special import gammaln

    return float(np.dot(rows.weights, rows.y * eta - mu - gammaln(rows.y + 1)))
