"""Joint draws of incremental cost and effect: by resampling, or from the fitted covariance.

Resampling makes no assumption about the shape of the distribution, but with few clusters its draws lie too
close together (Flynn and Peters 2004, doi:10.1186/1472-6963-4-33) and acceptability looks more certain than it
is: with 20 practices and a true net benefit of zero it lies outside 2.5-97.5 % in 7-10 % of studies instead of
5 % (``docs/economics_recovery.md``). With fewer than about 40 practices use :func:`t_draws`: there the
share of draws with a positive net benefit is the one-sided p-value of its t interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.economics.checked import Floats, Persons, finite, model_columns, persons, strategy_draws
from wor_eval.economics.joint import JointDifference
from wor_eval.errors import EstimationError


@dataclass(frozen=True, kw_only=True, slots=True)
class JointDraws:
    """Draws of incremental cost and effect: referred minus comparison.

    Attributes
    ----------
    estimate : ndarray, shape (2,)
        Cost and effect from the data themselves.
    draws : ndarray, shape (R, 2)
        Cost and effect in each draw.
    method : str
        How they were drawn.
    n_referred, n_comparison, n_clusters : int
        Persons by arm, and clusters (persons, where there are none).
    """

    estimate: Floats
    draws: Floats
    method: str
    n_referred: int
    n_comparison: int
    n_clusters: int

    def by_strategy(self) -> StrategyDraws:
        """Give the draws of two strategies, the comparison first with zeros."""
        zeros = np.zeros(len(self.draws))
        return StrategyDraws(
            cost=np.column_stack([zeros, self.draws[:, 0]]),
            effect=np.column_stack([zeros, self.draws[:, 1]]),
            cost_estimate=np.array([0.0, self.estimate[0]]),
            effect_estimate=np.array([0.0, self.estimate[1]]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class StrategyDraws:
    """Draws of cost and effect of two or more strategies; only differences between columns have meaning.

    Attributes
    ----------
    cost, effect : ndarray, shape (R, S)
        Draws by strategy.
    cost_estimate, effect_estimate : ndarray, shape (S,)
        The estimates from the data themselves.
    """

    cost: Floats
    effect: Floats
    cost_estimate: Floats
    effect_estimate: Floats


def joint_bootstrap(
    cost: ArrayLike,
    effect: ArrayLike,
    referred: ArrayLike,
    *,
    replicates: int,
    seed: int,
    covariates: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> JointDraws:
    """Draw persons, matched sets or practices with their cost and effect together.

    Estimand: the coefficients of referral in least squares of cost and of effect on the same covariates;
    without covariates the differences of the arms. Where every cluster lies in one arm (persons, practices that
    all refer or all do not) the arms are drawn apart and keep their size; matched sets and practices with both
    arms are drawn whole.

    Parameters
    ----------
    cost, effect, referred : array-like, shape (n,)
        Cost in euros, effect, and 1 for referred or 0 for comparison.
    replicates, seed : int
        Number of draws, and the seed; the same seed gives the same draws.
    covariates : array-like, shape (n, q) or (n,), optional
        Measured before the index date.
    weights : array-like, shape (n,), optional
        Positive weights of the design.
    clusters : array-like, shape (n,), optional
        Practice or matched set; persons when left out.

    Returns
    -------
    JointDraws

    Raises
    ------
    EstimationError
        Unusable rows, columns that depend on each other, or too few clusters to draw from.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> referred = np.arange(200) % 2
    >>> cost, effect = rng.gamma(0.5, 2000.0, 200) + 100 * referred, rng.normal(0.7, 0.2, 200)
    >>> joint = joint_bootstrap(cost, effect, referred, replicates=500, seed=1)
    >>> print(joint.draws.shape, joint.estimate[0].round(1))
    (500, 2) 154.2
    """
    from wor_eval.effects.bootstrap_estimators import bootstrap_linear

    rows = persons({"cost": cost, "effect": effect}, referred, weights=weights, clusters=clusters)
    drawn = bootstrap_linear(
        rows.outcomes,
        model_columns(rows.referred, covariates),
        rows.clusters,
        replicates=replicates,
        seed=seed,
        weights=rows.weights,
        strata=rows.referred if _one_arm_each(rows) else None,
    )
    return JointDraws(
        estimate=drawn.estimate[1],
        draws=drawn.draws[:, 1],
        method="bootstrap",
        n_referred=rows.n_referred,
        n_comparison=rows.n_comparison,
        n_clusters=rows.n_clusters,
    )


def t_draws(fit: JointDifference, *, replicates: int, seed: int) -> JointDraws:
    """Draw incremental cost and effect from the bivariate t distribution of a fit.

    ``estimate + L z sqrt(df / chi2)`` with ``L L'`` the covariance and the smaller df of the two. At every
    threshold the draws of the net benefit have the t distribution of its interval. Where answers are missing the
    draws are the sum of two such parts: that of complete data, and that of the imputations with its own df.

    Parameters
    ----------
    fit : JointDifference
        Estimates, covariance and df.
    replicates, seed : int
        Number of draws, and the seed.

    Returns
    -------
    JointDraws

    Raises
    ------
    EstimationError
        Fewer than one replicate, or a covariance that is not positive definite.

    Examples
    --------
    >>> from wor_eval.economics.joint import arm_differences
    >>> fit = arm_differences([4, 3, 5, 2, 3, 2], [7, 8, 6, 5, 6, 7], [1, 1, 1, 0, 0, 0])
    >>> t_draws(fit, replicates=100, seed=1).draws.shape
    (100, 2)
    """
    if replicates < 1:
        raise EstimationError("replicates: at least 1 is needed")
    rng = np.random.default_rng(seed)
    added = None if fit.missing is None else fit.missing.covariance
    complete = fit.covariance if added is None else fit.covariance - added
    size = np.sqrt(np.diag(complete))
    if not np.isfinite(size).all() or abs(complete[0, 1]) >= (1 - 1e-12) * size[0] * size[1]:
        raise EstimationError("cost and effect are perfectly correlated: no joint draws can be made")
    noise = _t_noise(rng, complete, float(fit.df.min()), replicates)
    if fit.missing is not None:
        noise += _t_noise(rng, fit.missing.covariance, fit.missing.df, replicates)
    return JointDraws(
        estimate=fit.estimate,
        draws=fit.estimate + noise,
        method=f"t distribution of {fit.method}",
        n_referred=fit.n_referred,
        n_comparison=fit.n_comparison,
        n_clusters=fit.n_clusters,
    )


def _t_noise(rng: np.random.Generator, covariance: Floats, df: float, replicates: int) -> Floats:
    """Draw a bivariate t around zero, shape (R, 2); the covariance may be singular."""
    size = np.sqrt(np.diag(covariance))
    unit = np.where(size > 0, size, 1.0)
    values, vectors = np.linalg.eigh(covariance / np.outer(unit, unit))
    root = unit[:, None] * vectors * np.sqrt(np.maximum(values, 0.0))
    noise = rng.standard_normal((replicates, 2)) @ root.T
    if np.isfinite(df):
        noise *= np.sqrt(df / rng.chisquare(df, replicates))[:, None]
    return np.asarray(noise)


def model_draws(cost: ArrayLike, effect: ArrayLike) -> StrategyDraws:
    """Take the draws of a decision model; their means stand as the estimates.

    Parameters
    ----------
    cost, effect : array-like, shape (R, S)
        Draws by strategy, from a probabilistic sensitivity analysis.

    Returns
    -------
    StrategyDraws

    Raises
    ------
    EstimationError
        Unequal shapes, missing or infinite draws, or one strategy only.

    Examples
    --------
    >>> model_draws([[0, 50], [0, 70]], [[0, 0.1], [0, 0.2]]).cost_estimate
    array([ 0., 60.])
    """
    finite("draws of cost", cost, ndim=2)
    costs, effects = strategy_draws(cost, effect)
    return StrategyDraws(
        cost=costs, effect=effects, cost_estimate=costs.mean(axis=0), effect_estimate=effects.mean(axis=0)
    )


def _one_arm_each(rows: Persons) -> bool:
    """Say whether no cluster holds both arms."""
    share = np.bincount(rows.clusters, weights=rows.referred) / np.bincount(rows.clusters)
    return bool(np.isin(share, (0.0, 1.0)).all())
