"""A fitted regression and what is read from it: coefficients, contrasts, joint tests."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.effects.model_rows import Codes, Floats
from wor_eval.errors import EstimationError

if TYPE_CHECKING:
    import pandas as pd

Scale: TypeAlias = Literal["link", "ratio"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AbsorbedGroups:
    """Effects of absorbed groups and what their uncertainty needs.

    Attributes
    ----------
    labels, effects, information : ndarray, shape (m,)
        Identifier, effect on the linear predictor and information of each group.
    means : ndarray, shape (p, m)
        Information-weighted mean of each column in each group.
    without_events : ndarray, shape (z,)
        Identifiers of groups whose counts are all zero; their rows are not in the fit.
    score_groups, score_clusters, scores : ndarray, shape (u,)
        Score on the effect of group `score_groups` summed within cluster `score_clusters`.
    """

    labels: NDArray[Any]
    effects: Floats
    information: Floats
    means: Floats
    without_events: NDArray[Any]
    score_groups: Codes
    score_clusters: Codes
    scores: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """A fitted regression. It exists only where the fit converged.

    Attributes
    ----------
    coef : ndarray, shape (k,)
        Coefficients on the scale of the linear predictor.
    cov : ndarray, shape (k, k)
        Their covariance, as said in `method`.
    names : tuple of str, length k
        Names of the columns.
    method : str
        Model and covariance in words.
    link : {"log", "identity"}
        Link of the mean.
    n_obs : int
        Rows used: with a positive weight, and not in an absorbed group without events.
    n_clusters : int
        Clusters behind the covariance (the fewest, with several identifiers); 0 with a model covariance.
    n_absorbed : int
        Absorbed groups.
    dispersion : float
        Pearson dispersion, sum of weighted squared Pearson residuals over N - K; over the sum of weights for
        GEE, the residual variance for a linear model.
    iterations : int
        Newton steps.
    loglik : float or None
        Weighted log-likelihood of a Poisson or negative binomial model.
    alpha, alpha_std_error : float or None
        Negative binomial dispersion, variance = mean + alpha · mean², and its standard error.
    correlation : float or None
        Working correlation of GEE.
    factor : float
        Small-sample factor inside `cov`.
    influence : ndarray, shape (G, p), or None
        Influence of each cluster; cov = factor · influence'influence. None without a single identifier.
    cluster_labels : ndarray, shape (G,), or None
        Identifier of each row of `influence`.
    groups : AbsorbedGroups or None
        The absorbed groups.
    """

    coef: Floats
    cov: Floats
    names: tuple[str, ...]
    method: str
    link: Literal["log", "identity"]
    n_obs: int
    n_clusters: int
    n_absorbed: int
    dispersion: float
    iterations: int
    loglik: float | None = None
    alpha: float | None = None
    alpha_std_error: float | None = None
    correlation: float | None = None
    factor: float = 1.0
    influence: Floats | None = None
    cluster_labels: NDArray[Any] | None = None
    groups: AbsorbedGroups | None = None

    def __repr__(self) -> str:
        lines = [f"{self.method}: {self.n_obs} rows, {self.n_clusters} clusters"]
        error = np.sqrt(np.diag(self.cov))
        lines += [f"  {n}: {b:.4g} ({s:.4g})" for n, b, s in zip(self.names, self.coef, error, strict=True)]
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True, slots=True)
class TermTable:
    """Estimates with their uncertainty, one per name; each field has shape (m,).

    For a ratio `std_error` is that of its natural logarithm. `p_value` tests a difference or coefficient of
    0 and a ratio of 1; it is missing (NaN) for a rate, where zero is no hypothesis.
    """

    names: tuple[str, ...]
    estimate: Floats
    std_error: Floats
    conf_low: Floats
    conf_high: Floats
    p_value: Floats

    def to_frame(self) -> pd.DataFrame:
        """Give the table as a frame with a column `term` first."""
        import pandas as pd

        columns = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "names"}
        return pd.DataFrame({"term": list(self.names), **columns})


@dataclass(frozen=True, kw_only=True, slots=True)
class WaldTest:
    """A joint test: chi-squared `statistic` on `df` degrees of freedom."""

    statistic: float
    df: int
    p_value: float


def normal_table(
    names: tuple[str, ...],
    estimate: Floats,
    std_error: Floats,
    *,
    level: float,
    ratio: bool,
    df: float = math.inf,
) -> TermTable:
    """Give normal intervals, or t with finite `df`; with `ratio`, estimates (m,) are logs and come back as ratios."""
    from scipy.special import stdtr, stdtrit

    if not 0 < level < 1:
        raise EstimationError("level: expected a number between 0 and 1, such as 0.95")
    width = float(stdtrit(df, 0.5 + level / 2)) * std_error
    back = np.exp if ratio else np.asarray
    return TermTable(
        names=names,
        estimate=back(estimate),
        std_error=std_error,
        conf_low=back(estimate - width),
        conf_high=back(estimate + width),
        p_value=2 * stdtr(df, -np.abs(estimate / std_error)),
    )


def two_arms_table(
    names: tuple[str, ...], plain: tuple[Floats, Floats], log_ratio: tuple[float, float], *, level: float
) -> TermTable:
    """Give the mean of each arm, their ratio, and differences, with normal intervals.

    Parameters
    ----------
    names : tuple of str, length m
        Referred, comparison, ratio, differences.
    plain : tuple of two ndarray, shape (m - 1,)
        All but the ratio, and their standard errors.
    log_ratio : (float, float)
        Logarithm of the ratio, and its standard error.
    level : float
        Confidence level.

    Returns
    -------
    TermTable
        The p-value of a mean is NaN, as zero is no hypothesis.
    """
    apart = normal_table(names[:2] + names[3:], *plain, level=level, ratio=False)
    value, error = np.array(log_ratio[:1]), np.array(log_ratio[1:])
    ratio = normal_table(names[2:3], value, error, level=level, ratio=True)
    merged = {
        name: np.insert(getattr(apart, name), 2, getattr(ratio, name)[0])
        for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value")
    }
    merged["p_value"][:2] = np.nan
    return TermTable(names=names, **merged)


def coefficients(fit: Fit, *, scale: Scale = "link", level: float = 0.95) -> TermTable:
    """Coefficients of a regression with interval and p-value.

    Parameters
    ----------
    fit : Fit
        A fitted regression.
    scale : {"link", "ratio"}
        "ratio" gives exp(coefficient) with the interval's ends transformed: a rate ratio or cost ratio.
    level : float
        Confidence level.

    Returns
    -------
    TermTable
        One row per column. Intervals are normal, as in R's ``coeftest`` for a GLM; with fewer than about 40
        clusters they are too short.

    Raises
    ------
    EstimationError
        A ratio is asked of an identity link.

    Examples
    --------
    >>> from wor_eval.effects.regression import poisson_regression
    >>> X = np.array([[1, 0], [1, 0], [1, 1], [1, 1]])
    >>> fit = poisson_regression([4, 6, 2, 3], X, names=["constant", "after"], clusters=[1, 2, 3, 4])
    >>> coefficients(fit, scale="ratio").estimate.round(2)
    array([5. , 0.5])
    """
    if scale == "ratio" and fit.link != "log":
        raise EstimationError("scale: a ratio needs a log link; a linear model has differences")
    error = np.sqrt(np.diag(fit.cov))
    return normal_table(fit.names, fit.coef, error, level=level, ratio=scale == "ratio")


def contrast(
    fit: Fit,
    c: ArrayLike,
    *,
    names: tuple[str, ...] = ("contrast",),
    scale: Scale = "link",
    level: float = 0.95,
) -> TermTable:
    """Linear combinations of coefficients, c'β, with interval and p-value.

    Parameters
    ----------
    fit : Fit
        A fitted regression.
    c : array_like, shape (k,) or (m, k)
        One combination per row.
    names : tuple of str, length m
        Their names.
    scale : {"link", "ratio"}
        As in `coefficients`.
    level : float
        Confidence level.

    Returns
    -------
    TermTable

    Raises
    ------
    EstimationError
        A wrong shape, a combination without variance, or a ratio of an identity link.

    Examples
    --------
    The rate ratio of a second band: main effect plus interaction.

    >>> from wor_eval.effects.regression import poisson_regression
    >>> X = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]] * 2)
    >>> fit = poisson_regression([8, 4, 2, 6, 8, 4, 2, 6], X, covariance="model",
    ...     names=["constant", "after", "old", "after:old"])
    >>> contrast(fit, [0, 1, 0, 1], scale="ratio").estimate.round(3)
    array([3.])
    """
    if scale == "ratio" and fit.link != "log":
        raise EstimationError("scale: a ratio needs a log link; a linear model has differences")
    C = _combinations(fit, c)
    if len(names) != len(C):
        raise EstimationError(f"names: expected {len(C)} names, found {len(names)}")
    variance = np.einsum("ij,jk,ik->i", C, fit.cov, C)
    if not (variance > 0).all():
        raise EstimationError("a contrast has no variance: all its weights are zero, or clusters are too few")
    return normal_table(names, C @ fit.coef, np.sqrt(variance), level=level, ratio=scale == "ratio")


def wald_test(fit: Fit, C: ArrayLike) -> WaldTest:
    """Wald test that all rows of Cβ are zero, such as all interactions with the age band.

    Parameters
    ----------
    fit : Fit
        A fitted regression.
    C : array_like, shape (q, k)
        One combination per row.

    Returns
    -------
    WaldTest
        ``(Cβ)' (C V C')⁻¹ (Cβ)``, chi-squared with q degrees of freedom.

    Raises
    ------
    EstimationError
        The combinations are not independent, or there are too few clusters to test them jointly.

    Examples
    --------
    >>> from wor_eval.effects.regression import poisson_regression
    >>> X = np.array([[1, 0], [1, 0], [1, 1], [1, 1]])
    >>> fit = poisson_regression([4, 6, 2, 3], X, covariance="model")
    >>> wald_test(fit, [[0, 1]]).df
    1
    """
    from scipy.special import chdtrc

    matrix = _combinations(fit, C)
    middle = matrix @ fit.cov @ matrix.T
    scale = np.sqrt(np.maximum(np.diag(middle), 1e-300))
    if np.linalg.eigvalsh(middle / np.outer(scale, scale))[0] < 1e-10:
        raise EstimationError(
            f"the {len(matrix)} combinations cannot be tested together: they depend on each other, or there "
            f"are too few clusters ({fit.n_clusters})"
        )
    value = matrix @ fit.coef
    statistic = float(value @ np.linalg.solve(middle, value))
    return WaldTest(statistic=statistic, df=len(matrix), p_value=float(chdtrc(len(matrix), statistic)))


def _combinations(fit: Fit, c: ArrayLike) -> Floats:
    C = np.atleast_2d(np.asarray(c, dtype=np.float64))
    if C.ndim != 2 or C.shape[1] != fit.coef.size or not np.isfinite(C).all():
        raise EstimationError(
            f"contrast: expected {fit.coef.size} finite weights per row, found shape {C.shape}"
        )
    return C
