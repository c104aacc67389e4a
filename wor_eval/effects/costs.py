"""Costs: differences of arithmetic means with bootstrap intervals, and tests of a gamma model with log link.

Who pays needs the mean: total cost is mean times persons. So no test here is on logs or ranks (Barber and
Thompson 2000, doi:10.1002/1097-0258(20001215)19:23<3219::AID-SIM623>3.0.CO;2-P). What share of a change the most
extreme persons carry is in :func:`wor_eval.effects.paired.concentration`; models are
:func:`wor_eval.effects.regression.gamma_regression` and :mod:`wor_eval.effects.two_part`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.effects.bootstrap_estimators import bootstrap_rates
from wor_eval.effects.bootstrap_intervals import BootstrapInterval, bootstrap_interval
from wor_eval.effects.fit import contrast
from wor_eval.effects.influence import finite_vector
from wor_eval.effects.model_rows import Floats
from wor_eval.effects.quantity import Quantity, difference
from wor_eval.effects.regression import gamma_regression
from wor_eval.errors import EstimationError

VarianceFamily: TypeAlias = Literal["normal", "poisson", "gamma", "inverse_gaussian"]
_FAMILIES: tuple[VarianceFamily, ...] = ("normal", "poisson", "gamma", "inverse_gaussian")


@dataclass(frozen=True, kw_only=True, slots=True)
class CostContrast:
    """A contrast of mean costs per year.

    Attributes
    ----------
    bootstrap_t, bca : BootstrapInterval
        Studentised and BCa intervals from the same draws.
    linear : Quantity
        Linearised standard error with a normal interval, for comparison.
    n_clusters, n_redrawn : int
        Clusters drawn from, and replicates drawn again because an arm was empty.
    """

    bootstrap_t: BootstrapInterval
    bca: BootstrapInterval
    linear: Quantity
    n_clusters: int
    n_redrawn: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ParkTest:
    """Power of the mean to which the variance of costs is proportional.

    Attributes
    ----------
    estimate, std_error, conf_low, conf_high : float
        The power with its interval.
    p_value : float
        Of a power of 2, the gamma model.
    family : {"normal", "poisson", "gamma", "inverse_gaussian"}
        The family whose power (0, 1, 2, 3) is nearest.
    """

    estimate: float
    std_error: float
    conf_low: float
    conf_high: float
    p_value: float
    family: VarianceFamily


def cost_contrast(
    costs: ArrayLike,
    years: ArrayLike,
    clusters: ArrayLike,
    *,
    signs: ArrayLike,
    replicates: int,
    seed: int,
    weights: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    level: float = 0.95,
) -> CostContrast:
    """Estimate a contrast of mean costs per person-year, with bootstrap-t and BCa intervals.

    Estimand: ``Σ_k signs_k (Σ w cost_k) / (Σ w years_k)`` over cells k of arm and window. Signs (-1, 1) over
    (before, after) give a change; (1, -1) over (referred, comparison) a difference; (1, -1, -1, 1) over
    (comparison before, comparison after, referred before, referred after) a difference in differences.

    Parameters
    ----------
    costs : array_like, shape (n, k)
        Costs of each person in each cell; 0 where the person has no part in it.
    years : array_like, shape (n, k)
        Person-years in each cell; 0 where the person has no part in it.
    clusters : array_like, shape (n,)
        What is drawn: person, matched set or practice.
    signs : array_like, shape (k,)
        Sign with which each mean enters.
    replicates, seed : int
        Number of draws (5,000 is enough for two digits of an interval) and their seed.
    weights : array_like, shape (n,), optional
        Weights, zero or more.
    strata : array_like, shape (n,), optional
        Draw within these, such as the arms.
    level : float
        Level of the intervals.

    Returns
    -------
    CostContrast

    Raises
    ------
    EstimationError
        As :func:`wor_eval.effects.bootstrap_estimators.bootstrap_rates`.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> before = rng.lognormal(7.0, 1.2, 300)
    >>> costs = np.column_stack([before, 0.8 * before + rng.lognormal(5.0, 1.0, 300)])
    >>> found = cost_contrast(costs, np.ones((300, 2)), range(300), signs=[-1, 1], replicates=2000, seed=1)
    >>> print(found.bootstrap_t.estimate.round(), found.bootstrap_t.conf_low.round(), found.bca.conf_low.round())
    -202.0 -302.0 -306.0
    """
    drawn = bootstrap_rates(
        costs,
        years,
        clusters,
        signs=signs,
        replicates=replicates,
        seed=seed,
        weights=weights,
        strata=strata,
    )
    assert drawn.std_error is not None  # bootstrap_rates always gives it
    return CostContrast(
        bootstrap_t=bootstrap_interval(
            drawn.draws,
            drawn.estimate,
            method="studentised",
            level=level,
            std_error=drawn.std_error,
            std_errors=drawn.std_errors,
        ),
        bca=bootstrap_interval(
            drawn.draws, drawn.estimate, method="bca", level=level, influence=drawn.influence
        ),
        linear=difference(float(drawn.estimate), float(drawn.std_error), level=level),
        n_clusters=drawn.n_clusters,
        n_redrawn=drawn.n_redrawn,
    )


def park_test(
    y: ArrayLike, mean: ArrayLike, *, clusters: ArrayLike | None = None, level: float = 0.95
) -> ParkTest:
    """Estimate how the variance of costs rises with their mean (modified Park test).

    Regresses the squared residual on the logarithm of the fitted mean by a gamma model with log link: its slope
    is the power λ in ``variance ∝ mean^λ`` (Manning and Mullahy 2001, doi:10.1016/S0167-6296(01)00086-8).

    Parameters
    ----------
    y : array_like, shape (n,)
        Costs.
    mean : array_like, shape (n,)
        Fitted means above zero; at least two different ones.
    clusters : array_like, shape (n,), optional
        Cluster of each row.
    level : float
        Level of the interval.

    Returns
    -------
    ParkTest

    Raises
    ------
    EstimationError
        Missing values, means that are not above zero or all the same, rows that are fitted exactly.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> mean = np.exp(rng.normal(6.0, 1.0, 4000))
    >>> found = park_test(rng.gamma(2.0, mean / 2.0), mean)
    >>> round(found.estimate, 1), found.family
    (2.0, 'gamma')
    """
    logs, cost, fitted = _log_mean(y, mean)
    squared = (cost - fitted) ** 2
    if (squared == 0).any():
        raise EstimationError(f"{int((squared == 0).sum())} costs are fitted exactly: leave these rows out")
    X = np.column_stack([np.ones(logs.size), logs - logs.mean()])
    fit = gamma_regression(squared / squared.mean(), X, clusters=clusters)
    found = contrast(fit, [0, 1], level=level)
    against = difference(float(found.estimate[0]) - 2.0, float(found.std_error[0]))
    return ParkTest(
        estimate=float(found.estimate[0]),
        std_error=float(found.std_error[0]),
        conf_low=float(found.conf_low[0]),
        conf_high=float(found.conf_high[0]),
        p_value=against.p_value,
        family=_FAMILIES[int(np.clip(np.rint(found.estimate[0]), 0, 3))],
    )


def link_test(
    y: ArrayLike, mean: ArrayLike, *, clusters: ArrayLike | None = None, level: float = 0.95
) -> Quantity:
    """Test the log link of a gamma model by the square of its linear predictor (Pregibon).

    Refits the costs on the predictor and its square: with the right link and columns the square adds nothing
    (Pregibon 1980, doi:10.2307/2346405).

    Parameters
    ----------
    y : array_like, shape (n,)
        Costs above zero.
    mean : array_like, shape (n,)
        Means fitted by a log link; at least three different ones.
    clusters : array_like, shape (n,), optional
        Cluster of each row.
    level : float
        Level of the interval.

    Returns
    -------
    Quantity
        Coefficient of the square, of the predictor around its mean.

    Raises
    ------
    EstimationError
        As :func:`park_test`; costs of zero; fewer than three different means.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> mean = np.exp(rng.normal(6.0, 1.0, 4000))
    >>> round(link_test(rng.gamma(2.0, mean / 2.0), mean).p_value, 2)
    0.28
    """
    logs, cost, fitted = _log_mean(y, mean)
    if np.unique(fitted).size < 3:
        raise EstimationError("mean: a link test needs at least three different fitted means")
    centred = logs - logs.mean()
    fit = gamma_regression(
        cost, np.column_stack([np.ones(cost.size), centred, centred**2]), clusters=clusters
    )
    found = contrast(fit, [0, 0, 1], level=level)
    return difference(float(found.estimate[0]), float(found.std_error[0]), level=level)


def _log_mean(y: ArrayLike, mean: ArrayLike) -> tuple[Floats, Floats, Floats]:
    n = np.size(y)
    cost, fitted = finite_vector(y, "y", n), finite_vector(mean, "mean", n)
    low = int((fitted <= 0).sum())
    if low or n == 0 or fitted.min() == fitted.max():
        raise EstimationError(f"mean: {low} fitted means are not above zero, or all are the same")
    return np.log(fitted), cost, fitted
