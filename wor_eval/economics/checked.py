"""What every number of an economic evaluation rests on: complete arrays of one length, and two arms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.errors import EstimationError

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, slots=True)
class Persons:
    """Persons of two arms, checked.

    Attributes
    ----------
    outcomes : ndarray, shape (n, m)
        Costs, effects or costs by payer, one column each.
    referred : ndarray, shape (n,)
        1 for referred, 0 for comparison.
    weights : ndarray, shape (n,), or None
        Weight of the design; None where all weigh the same.
    clusters : ndarray of int, shape (n,)
        Number of the practice or matched set; of the person where no clusters were given.
    """

    outcomes: Floats
    referred: Floats
    weights: Floats | None
    clusters: Codes

    @property
    def n_referred(self) -> int:
        """Referred persons."""
        return int(self.referred.sum())

    @property
    def n_comparison(self) -> int:
        """Comparison persons."""
        return int((self.referred == 0).sum())

    @property
    def n_clusters(self) -> int:
        """Clusters: what is drawn, and what the standard errors take as independent."""
        return int(self.clusters.max()) + 1


def persons(
    outcomes: Mapping[str, ArrayLike],
    referred: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> Persons:
    """Check persons of two arms, and list everything that is wrong with them at once.

    Parameters
    ----------
    outcomes : mapping of str to array-like, shape (n,)
        Outcomes by name.
    referred : array-like, shape (n,)
        1 or True for referred, 0 or False for comparison.
    weights : array-like, shape (n,), optional
        Positive weights.
    clusters : array-like, shape (n,), optional
        Practice or matched set; every person on their own when left out.

    Returns
    -------
    Persons

    Raises
    ------
    EstimationError
        Unequal lengths, missing or infinite values, weights that are not positive, an arm of fewer than two
        persons, or fewer than two clusters.

    Examples
    --------
    >>> persons({"cost": [100, 80, 95, 120]}, [1, 0, 1, 0]).n_referred
    2
    """
    arm = np.asarray(referred, dtype=float)
    values = {name: np.asarray(values, dtype=float) for name, values in outcomes.items()}
    if weights is not None:
        values["weights"] = np.asarray(weights, dtype=float)
    names = None if clusters is None else np.asarray(clusters)
    problems = _problems(arm, values, names)
    if problems:
        raise EstimationError("costs and effects cannot be compared in these rows", problems=problems)
    codes = np.arange(arm.size) if names is None else np.unique(names, return_inverse=True)[1]
    if codes.max() < 1:
        raise EstimationError("one cluster: at least two practices or matched sets are needed")
    weight = values.pop("weights", None)
    return Persons(
        outcomes=np.column_stack(list(values.values())), referred=arm, weights=weight, clusters=codes
    )


def model_columns(referred: Floats, covariates: ArrayLike | None) -> Floats:
    """Give the columns of a model: 1, referred, covariates.

    Parameters
    ----------
    referred : ndarray, shape (n,)
        1 for referred, 0 for comparison.
    covariates : array-like, shape (n, q) or (n,), optional
        Measured before the index date.

    Returns
    -------
    ndarray, shape (n, 2 + q)

    Raises
    ------
    EstimationError
        Covariates of another length, or missing or infinite.

    Examples
    --------
    >>> model_columns(np.array([1.0, 0.0]), [3.0, 5.0])
    array([[1., 1., 3.],
           [1., 0., 5.]])
    """
    first = np.column_stack([np.ones(referred.size), referred])
    if covariates is None:
        return first
    extra = np.asarray(covariates, dtype=float)
    if extra.ndim not in {1, 2} or len(extra) != referred.size:
        raise EstimationError(f"covariates of shape {extra.shape} beside {referred.size} persons")
    bad = int((~np.isfinite(extra)).sum())
    if bad:
        raise EstimationError(f"{bad} values of covariates are missing or infinite: impute them first")
    return np.hstack([first, extra.reshape(referred.size, -1)])


def finite(name: str, values: ArrayLike, *, ndim: int) -> Floats:
    """Give an array of finite numbers with so many axes.

    Raises
    ------
    EstimationError
        Another number of axes, no values, or missing or infinite ones.

    Examples
    --------
    >>> finite("prices", [1, 2], ndim=1)
    array([1., 2.])
    """
    array = np.asarray(values, dtype=float)
    if array.ndim != ndim or array.size == 0:
        raise EstimationError(f"{name}: an array of {ndim} axes with values is needed, not {array.shape}")
    bad = int((~np.isfinite(array)).sum())
    if bad:
        raise EstimationError(f"{name}: {bad} of {array.size} values are missing or infinite")
    return array


def threshold_grid(thresholds: ArrayLike) -> Floats:
    """Give thresholds, in euros per unit of effect: finite and not negative, shape (K,).

    Raises
    ------
    EstimationError
        Missing, infinite or negative thresholds, or none.

    Examples
    --------
    >>> threshold_grid([0, 20000])
    array([    0., 20000.])
    """
    grid = finite("thresholds", thresholds, ndim=1)
    if (grid < 0).any():
        raise EstimationError(
            f"{int((grid < 0).sum())} thresholds are negative: a unit of effect has a worth"
        )
    return grid


def strategy_draws(cost: ArrayLike, effect: ArrayLike) -> tuple[Floats, Floats]:
    """Give draws of cost and effect by strategy, both shape (R, S) with S at least 2.

    Parameters
    ----------
    cost, effect : array-like, shape (R, S) or (R,)
        One column per strategy. One axis means differences from a single alternative: a column of zeros is
        put before them.

    Raises
    ------
    EstimationError
        Unequal shapes, missing or infinite draws, or one strategy only.

    Examples
    --------
    >>> strategy_draws([50.0, 70.0], [0.1, 0.2])[0]
    array([[ 0., 50.],
           [ 0., 70.]])
    """
    costs, effects = np.asarray(cost, dtype=float), np.asarray(effect, dtype=float)
    if costs.shape != effects.shape:
        raise EstimationError(
            f"draws of cost {costs.shape} and of effect {effects.shape}: they must be joint"
        )
    if costs.ndim == 1:
        costs, effects = (np.column_stack([np.zeros(v.size), v]) for v in (costs, effects))
    costs, effects = finite("draws of cost", costs, ndim=2), finite("draws of effect", effects, ndim=2)
    if costs.shape[1] < 2:
        raise EstimationError("one strategy only: there is nothing to choose; give at least two")
    return costs, effects


def _problems(arm: Floats, values: Mapping[str, Floats], clusters: NDArray[np.generic] | None) -> list[str]:
    """List what is wrong with the rows."""
    n = arm.size
    found = [f"{k}: shape {v.shape} beside {n} persons" for k, v in values.items() if v.shape != (n,)]
    if arm.ndim != 1 or (clusters is not None and clusters.shape != (n,)):
        found.append("referred and clusters: one value per person is needed")
    elif clusters is not None and (unknown := _without_name(clusters)):
        found.append(f"clusters: {unknown} of {n} persons have none; leave them out or name their practice")
    for name, value in values.items():
        bad = int((~np.isfinite(value)).sum())
        if bad:
            found.append(f"{name}: {bad} of {value.size} values are missing or infinite; impute them first")
    if "weights" in values and (values["weights"] <= 0).any():
        found.append(f"weights: {int((values['weights'] <= 0).sum())} are not positive; leave those rows out")
    if not np.isin(arm, (0.0, 1.0)).all():
        found.append(f"referred: {int((~np.isin(arm, (0.0, 1.0))).sum())} values are not 0 or 1")
    elif min((arm == 0).sum(), (arm == 1).sum()) < 2:
        found.append("referred: at least two referred and two comparison persons are needed")
    return found


def _without_name(clusters: NDArray[np.generic]) -> int:
    """Count persons whose cluster is missing; whole numbers cannot be."""
    if clusters.dtype.kind in "iub":
        return 0
    import pandas as pd

    return int(pd.isna(clusters).sum())
