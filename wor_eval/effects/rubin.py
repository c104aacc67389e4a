"""Rubin's rules: one answer from the analyses of several imputed data sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.effects.model_rows import Floats
from wor_eval.errors import EstimationError


@dataclass(frozen=True, kw_only=True, slots=True)
class Pooled:
    """Estimates pooled over imputations; each field but the last has shape (k,).

    Attributes
    ----------
    estimate, std_error, conf_low, conf_high, p_value : ndarray
        Pooled estimate, t interval and two-sided p-value of zero.
    df : ndarray
        Degrees of freedom of Barnard and Rubin.
    within, between : ndarray
        Mean variance of an analysis, and variance between imputations.
    relative_increase : ndarray
        Increase of the variance because of missing data, ``(1 + 1/m) between / within``.
    fraction_missing : ndarray
        Fraction of missing information.
    n_imputations : int
        Number of imputations m.
    """

    estimate: Floats
    std_error: Floats
    conf_low: Floats
    conf_high: Floats
    p_value: Floats
    df: Floats
    within: Floats
    between: Floats
    relative_increase: Floats
    fraction_missing: Floats
    n_imputations: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PooledTest:
    """Joint test of several estimates: F `statistic` on `df` and `df_residual` degrees of freedom."""

    statistic: float
    df: int
    df_residual: float
    p_value: float


def pool(
    estimates: ArrayLike, variances: ArrayLike, *, df_complete: ArrayLike = np.inf, level: float = 0.95
) -> Pooled:
    """Pool estimates and their variances over imputations.

    Total variance ``within + (1 + 1/m) between`` (Rubin 1987); degrees of freedom of Barnard and Rubin 1999
    (doi:10.1093/biomet/86.4.948), as ``mice::pool``. The variances may be of any kind: model, cluster-robust,
    or that of bootstrap draws (:func:`pool_draws`).

    Parameters
    ----------
    estimates : array_like, shape (m,) or (m, k)
        Estimates from each imputed data set.
    variances : array_like, shape (m,) or (m, k)
        Their squared standard errors.
    df_complete : float or array_like, shape (k,)
        Degrees of freedom of the analysis without missing data: rows minus columns, or clusters minus 1, or
        Satterthwaite's. Infinite: those of Rubin 1987.
    level : float
        Level of the interval.

    Returns
    -------
    Pooled

    Raises
    ------
    EstimationError
        Fewer than two imputations, wrong shapes, missing values, variances that are not above zero.

    Examples
    --------
    >>> found = pool([10.1, 9.4, 11.2, 10.6, 9.9], [1.21, 1.30, 1.05, 1.18, 1.25], df_complete=117)
    >>> found.estimate.round(2), found.std_error.round(3), found.df.round(2)
    (array([10.24]), array([1.329]), array([25.88]))
    """
    from scipy.special import stdtr, stdtrit

    values, spread = _imputations(estimates), _imputations(variances)
    if values.shape != spread.shape or not (spread > 0).all():
        raise EstimationError("variances: one above zero is needed for each estimate")
    if not 0 < level < 1:
        raise EstimationError("level: a number between 0 and 1 is needed")
    m = len(values)
    estimate, within, between = values.mean(axis=0), spread.mean(axis=0), values.var(axis=0, ddof=1)
    total = within + (1 + 1 / m) * between
    error, increase = np.sqrt(total), (1 + 1 / m) * between / within
    df = _barnard_rubin((1 + 1 / m) * between / total, m, np.asarray(df_complete, dtype=np.float64))
    half = stdtrit(df, 0.5 + level / 2) * error
    return Pooled(
        estimate=estimate,
        std_error=error,
        conf_low=estimate - half,
        conf_high=estimate + half,
        p_value=2 * stdtr(df, -np.abs(estimate / error)),
        df=df,
        within=within,
        between=between,
        relative_increase=increase,
        fraction_missing=(increase + 2 / (df + 3)) / (increase + 1),
        n_imputations=m,
    )


def pool_draws(
    estimates: ArrayLike, draws: ArrayLike, *, df_complete: ArrayLike = np.inf, level: float = 0.95
) -> Pooled:
    """Pool estimates whose variance in each imputed data set is that of bootstrap draws.

    Imputation first and bootstrap within each (Schomaker and Heumann 2018, doi:10.1002/sim.7654), as for costs
    and effects in Ben and others 2023.

    Parameters
    ----------
    estimates : array_like, shape (m,) or (m, k)
        Estimates from each imputed data set.
    draws : array_like, shape (m, replicates) or (m, replicates, k)
        Draws in each.
    df_complete, level
        As in :func:`pool`; clusters minus 1 for a cluster bootstrap.

    Returns
    -------
    Pooled

    Raises
    ------
    EstimationError
        As :func:`pool`.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> found = pool_draws([10.1, 9.4, 11.2], rng.normal(10.0, 1.1, (3, 2000)))
    >>> found.within.round(2), found.between.round(2)
    (array([1.21]), array([0.82]))
    """
    values, each = _imputations(estimates), np.asarray(draws, dtype=np.float64)
    each = each[:, :, None] if each.ndim == 2 else each
    if each.ndim != 3 or each.shape[::2] != values.shape or each.shape[1] < 2:
        raise EstimationError(f"draws of shape {each.shape} do not fit estimates of shape {values.shape}")
    return pool(values, each.var(axis=1, ddof=1), df_complete=df_complete, level=level)


def pooled_wald(estimates: ArrayLike, covariances: ArrayLike, *, df_complete: float = np.inf) -> PooledTest:
    """Test that several pooled estimates are all zero (the D1 statistic).

    ``F = Q' U⁻¹ Q / (k (1 + r))`` with Q the mean estimate, U the mean covariance and r the mean relative increase
    ``(1 + 1/m) tr(B U⁻¹) / k`` (Li, Raghunathan and Rubin 1991, doi:10.1080/01621459.1991.10475152); degrees
    of freedom of Reiter 2007 (doi:10.1093/biomet/asm028), as ``mice::D1``.

    Parameters
    ----------
    estimates : array_like, shape (m, k)
        The k estimates tested, from each imputed data set.
    covariances : array_like, shape (m, k, k)
        Their covariances.
    df_complete : float
        Degrees of freedom without missing data; infinite: those of Li and others.

    Returns
    -------
    PooledTest

    Raises
    ------
    EstimationError
        Wrong shapes, missing values, or covariances that are singular.

    Examples
    --------
    >>> estimates = [[1.0, 0.4], [1.3, 0.2], [0.8, 0.5], [1.1, 0.1]]
    >>> test = pooled_wald(estimates, [np.diag([0.2, 0.1])] * 4, df_complete=50)
    >>> round(test.statistic, 2), test.df, round(test.df_residual, 1)
    (2.39, 2, 12.8)
    """
    from scipy.special import fdtrc

    values, covariance = _imputations(estimates), np.asarray(covariances, dtype=np.float64)
    m, k = values.shape
    if covariance.shape != (m, k, k) or not np.isfinite(covariance).all():
        raise EstimationError(
            f"covariances of shape {covariance.shape}: finite ones of ({m}, {k}, {k}) are needed"
        )
    mean, within = values.mean(axis=0), covariance.mean(axis=0)
    if np.linalg.eigvalsh(within)[0] <= 1e-14 * np.trace(within):
        raise EstimationError(
            "covariances: the estimates cannot be tested together, they depend on each other"
        )
    apart = values - mean
    between = apart.T @ apart / (m - 1)
    increase = (1 + 1 / m) * float(np.trace(np.linalg.solve(within, between))) / k
    statistic = float(mean @ np.linalg.solve(within, mean)) / (k * (1 + increase))
    df = _residual_df(increase, k, m, complete=df_complete) if increase > 0 else df_complete
    return PooledTest(
        statistic=statistic, df=k, df_residual=df, p_value=float(fdtrc(k, min(df, 1e12), statistic))
    )


def _imputations(values: ArrayLike) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    found = found[:, None] if found.ndim == 1 else found
    if found.ndim != 2 or len(found) < 2 or not np.isfinite(found).all():
        raise EstimationError(
            f"finite values of at least two imputations are needed, one row for each: found {found.shape}"
        )
    return found


def _barnard_rubin(share: Floats, m: int, complete: Floats) -> Floats:
    """Degrees of freedom from the share of the variance that lies between imputations."""
    if not (complete > 0).all():
        raise EstimationError("df_complete: a number above zero is needed")
    old = (m - 1) / np.maximum(share, 1e-4) ** 2  # mice's floor: without missing data the df are not infinite
    known = np.where(np.isfinite(complete), complete, 1.0)
    observed = (known + 1) / (known + 3) * known * (1 - share)
    return np.asarray(np.where(np.isfinite(complete), old * observed / (old + observed), old))


def _residual_df(r: float, k: int, m: int, *, complete: float) -> float:
    """Residual degrees of freedom of D1: Reiter's, or Li's without a complete-data df or with few imputations."""
    t = k * (m - 1)
    if t <= 4:
        return t * (1 + 1 / k) * (1 + 1 / r) ** 2 / 2
    if not np.isfinite(complete):
        return 4 + (t - 4) * (1 + (1 - 2 / t) / r) ** 2
    a = r * t / (t - 2)
    star = (complete + 1) / (complete + 3) * complete
    c0, c1, c2 = 1 / (t - 4), star - 2 * (1 + a), star - 4 * (1 + a)
    if c2 <= 0:
        raise EstimationError(
            "too few degrees of freedom without missing data for this much missing information: test fewer "
            "estimates, or each by itself"
        )
    z = 1 / c2 + c0 * (
        a**2 * c1 / ((1 + a) ** 2 * c2)
        + 8 * a**2 * c1 / ((1 + a) * c2**2)
        + 4 * a**2 / ((1 + a) * c2)
        + 4 * a**2 / (c2 * c1)
        + 16 * a**2 * c1 / c2**3
        + 8 * a**2 / c2**2
    )
    return float(4 + 1 / z)
