"""Random-effects meta-analysis: the mean of effects that differ between studies, and where the next one may lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.errors import EstimationError

Floats = NDArray[np.float64]
Spread = Literal["reml", "paule_mandel"]
FEWEST: Final = 3
"""Fewest studies that are pooled: with two, a spread between studies cannot be told from chance."""
_GRID: Final = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Pooled:
    """A pooled effect.

    Attributes
    ----------
    estimate, std_error, conf_low, conf_high, p_value : float
        Mean of the effects, by Hartung and Knapp.
    prediction_low, prediction_high : float
        95 % limits of the true effect of a next study.
    tau2 : float
        Variance of the true effects between studies.
    i2 : float
        Share of the variance of the estimates that lies between studies (0-1).
    q, q_p_value : float
        Cochran's test of no spread.
    n_studies : int
    """

    estimate: float
    std_error: float
    conf_low: float
    conf_high: float
    p_value: float
    prediction_low: float
    prediction_high: float
    tau2: float
    i2: float
    q: float
    q_p_value: float
    n_studies: int


def pool_effects(
    estimate: ArrayLike, std_error: ArrayLike, *, spread: Spread = "reml", level: float = 0.95
) -> Pooled:
    """Pool effects of studies that may differ in their true effect.

    Estimand: the mean of the true effects of the population of studies. Model: ``y_i ~ N(θ_i, s_i²)``,
    ``θ_i ~ N(μ, τ²)``. τ² by restricted maximum likelihood, or by Paule and Mandel (the τ² at which the
    weighted sum of squares equals its degrees of freedom; doi:10.6028/jres.087.022). With weights
    ``w_i = 1/(s_i² + τ²)``: ``μ = Σ w y / Σ w``, variance by Hartung and Knapp (doi:10.1002/sim.1009)
    ``Σ w (y - μ)² / ((k-1) Σ w)`` and a t interval with k-1 degrees of freedom; prediction interval
    ``μ ± t_{k-2} √(τ² + se²)`` (Higgins et al. 2009, doi:10.1111/j.1467-985X.2008.00552.x). With few studies that
    one holds the effect of a next study somewhat less often than its level says (91 % of 6,000 simulated sets of 12;
    Partlett and Riley 2017, doi:10.1002/sim.7140).

    Parameters
    ----------
    estimate, std_error : array-like, shape (k,)
        Effects on one scale (ratios as logs) and their standard errors.
    spread : {"reml", "paule_mandel"}
        How τ² is estimated.
    level : float
        Level of both intervals.

    Returns
    -------
    Pooled

    Raises
    ------
    EstimationError
        Fewer than three studies, or a missing or unusable number.

    Examples
    --------
    >>> pooled = pool_effects([-0.5, -0.1, -0.3, 0.1], [0.1, 0.1, 0.2, 0.15])
    >>> round(pooled.estimate, 2), pooled.prediction_low < pooled.conf_low
    (-0.2, True)
    """
    from scipy.special import chdtrc, stdtr, stdtrit

    y, variance = _usable(estimate, std_error)
    k = y.size
    tau2 = _reml(y, variance) if spread == "reml" else _paule_mandel(y, variance)
    weight = 1 / (variance + tau2)
    mean = float(weight @ y / weight.sum())
    error = float(np.sqrt(weight @ (y - mean) ** 2 / ((k - 1) * weight.sum())))
    half = float(stdtrit(k - 1, 0.5 + level / 2)) * error
    reach = float(stdtrit(k - 2, 0.5 + level / 2)) * float(np.sqrt(tau2 + error**2))
    q = _sum_of_squares(y, 1 / variance)
    return Pooled(
        estimate=mean,
        std_error=error,
        conf_low=mean - half,
        conf_high=mean + half,
        p_value=float(2 * stdtr(k - 1, -abs(mean) / error)) if error > 0 else np.nan,
        prediction_low=mean - reach,
        prediction_high=mean + reach,
        tau2=tau2,
        i2=tau2 / (tau2 + _typical_variance(variance)),
        q=q,
        q_p_value=float(chdtrc(k - 1, q)),
        n_studies=k,
    )


def _usable(estimate: ArrayLike, std_error: ArrayLike) -> tuple[Floats, Floats]:
    y, s = np.asarray(estimate, dtype=float), np.asarray(std_error, dtype=float)
    if y.shape != s.shape or y.ndim != 1:
        raise EstimationError("effects and standard errors must be two lists of one length")
    if y.size < FEWEST:
        raise EstimationError(f"{y.size} studies: at least {FEWEST} are needed to pool")
    bad = int((~(np.isfinite(y) & np.isfinite(s) & (s > 0))).sum())
    if bad:
        raise EstimationError(f"{bad} studies have no usable effect or standard error: leave them out")
    return y, s**2


def _sum_of_squares(y: Floats, weight: Floats) -> float:
    mean = weight @ y / weight.sum()
    return float(weight @ (y - mean) ** 2)


def _typical_variance(variance: Floats) -> float:
    """Give the typical within-study variance of Higgins and Thompson (doi:10.1002/sim.1186)."""
    weight = 1 / variance
    return float((variance.size - 1) * weight.sum() / (weight.sum() ** 2 - weight @ weight))


def _largest(y: Floats, variance: Floats) -> float:
    """Give a τ² beyond which neither estimator can lie."""
    return 10 * float(y.var(ddof=1) + variance.max())


def _paule_mandel(y: Floats, variance: Floats) -> float:
    from scipy.optimize import brentq

    def beyond(tau2: float) -> float:
        return _sum_of_squares(y, 1 / (variance + tau2)) - (y.size - 1)

    return 0.0 if beyond(0.0) <= 0 else float(brentq(beyond, 0.0, _largest(y, variance), xtol=1e-14))


def _reml(y: Floats, variance: Floats) -> float:
    """Find the highest restricted likelihood: the best of a grid, refined; zero where that is no worse."""
    from scipy.optimize import minimize_scalar

    def loss(tau2: float) -> float:
        return float(_restricted_loss(y, variance, np.array([tau2]))[0])

    grid = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, _GRID) * _largest(y, variance)])
    best = int(np.argmin(_restricted_loss(y, variance, grid)))
    ends = (grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)])
    found = minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-12 * (1 + ends[1])})
    return 0.0 if loss(0.0) <= found.fun else float(found.x)


def _restricted_loss(y: Floats, variance: Floats, tau2: Floats) -> Floats:
    """Give minus twice the restricted log likelihood at each τ², less its constant, shape of ``tau2``."""
    weight = 1 / (variance + tau2[:, None])
    together = weight.sum(axis=1)
    mean = weight @ y / together
    squares = (weight * (y - mean[:, None]) ** 2).sum(axis=1)
    loss: Floats = -np.log(weight).sum(axis=1) + np.log(together) + squares
    return loss
