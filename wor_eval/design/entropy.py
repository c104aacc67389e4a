"""Entropy balancing: comparison weights that equal the referred means exactly, with no propensity model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.design.weighting import BoolArray, FloatArray, checked_weights, referred_mask
from wor_eval.errors import DesignError


@dataclass(frozen=True, kw_only=True, slots=True)
class EntropyBalance:
    """Weights found by entropy balancing.

    Parameters
    ----------
    weights : ndarray of shape (n,)
        The base weight for referred persons; for comparison persons the balancing weight. Both arms have
        the same sum.
    imbalance : float
        Largest gap left between the two weighted means, in standard deviations of the comparison persons.
    iterations : int
        Newton steps taken.
    """

    weights: FloatArray
    imbalance: float
    iterations: int


def entropy_balance(
    covariates: ArrayLike,
    treated: ArrayLike,
    *,
    names: Sequence[str],
    base_weights: ArrayLike | None = None,
    tolerance: float = 1e-8,
    max_iterations: int = 200,
) -> EntropyBalance:
    r"""Find the comparison weights closest to the base weights that equal the referred means exactly.

    Estimand: the mean effect in referred persons (ATT). Among all weights w >= 0 with

    .. math:: \sum_{comparison} w_i x_i / \sum_{comparison} w_i = \bar x_{referred}

    it takes those with the smallest :math:`\sum w_i \log(w_i / q_i)`, q the base weights: they are
    :math:`q_i \exp(x_i'\lambda)`, found by Newton steps with a line search on the dual. Give squares or
    products as extra columns to balance variances or covariances. For exact strata, call it once per
    stratum.

    Referred persons keep their base weight; comparison weights sum to the sum of those (as R's ebal; WeightIt
    scales each arm to its own size). Columns that others imply (a full set of dummies) do no harm.

    Parameters
    ----------
    covariates : array_like of shape (n, k)
        What to balance, one column each.
    treated : array_like of shape (n,)
        1 for referred, 0 for comparison.
    names : sequence of str, length k
        Names of the columns, for messages.
    base_weights : array_like of shape (n,), optional
        0 or more: sampling weights, or how often a bootstrap draw holds each person. Default 1.
    tolerance : float
        Largest gap allowed between the two means, in standard deviations of the comparison persons.
    max_iterations : int
        Newton steps allowed.

    Returns
    -------
    EntropyBalance

    Raises
    ------
    DesignError
        Bad input; no weights can balance the covariates (they are named); no convergence.

    References
    ----------
    Hainmueller 2012, doi:10.1093/pan/mpr025.

    Examples
    --------
    >>> found = entropy_balance([[2], [1], [2], [4]], [1, 0, 0, 0], names=["age"])
    >>> found.weights.round(4)
    array([1.   , 0.436, 0.346, 0.218])
    >>> bool(abs(found.weights[1:] @ [1, 2, 4] - 2) < 1e-7)
    True
    """
    X, referred, base = _balance_input(covariates, treated, names, base_weights)
    used = ~referred & (base > 0)
    q = base[used] / base[used].sum()
    target = base[referred] @ X[referred] / base[referred].sum()
    Z, kept = _standardised(X[used], q, target, names)
    log_q = np.log(q)
    multipliers, iterations = _dual_newton(
        Z[:, kept], log_q, penalty=0.0, tolerance=tolerance, max_iterations=max_iterations
    )
    p = _weights(Z[:, kept], log_q, multipliers)
    gap = np.abs(p @ Z)
    if gap.max(initial=0.0) > tolerance:
        if iterations == max_iterations:
            raise DesignError(
                f"entropy balancing did not converge in {iterations} steps: raise max_iterations, or leave "
                "out covariates"
            )
        raise _infeasible(Z, log_q, names)
    weights = np.where(referred, base, 0.0)
    weights[used] = p * base[referred].sum()
    return EntropyBalance(weights=weights, imbalance=float(gap.max(initial=0.0)), iterations=iterations)


def _balance_input(
    covariates: ArrayLike, treated: ArrayLike, names: Sequence[str], base_weights: ArrayLike | None
) -> tuple[FloatArray, BoolArray, FloatArray]:
    X = np.asarray(covariates, dtype=np.float64)
    if X.ndim != 2 or X.shape[1] != len(names):
        raise DesignError(f"covariates have shape {X.shape}, expected (n, {len(names)}): one column per name")
    bad = np.count_nonzero(~np.isfinite(X), axis=0)
    if bad.any():
        problems = [f"{names[j]}: {bad[j]} of {X.shape[0]}" for j in np.flatnonzero(bad).tolist()]
        raise DesignError("covariates with missing or infinite values cannot be balanced", problems=problems)
    referred = referred_mask(treated, X.shape[0])
    base = np.ones(X.shape[0]) if base_weights is None else checked_weights(base_weights)
    if base.shape != referred.shape:
        raise DesignError(f"base_weights have shape {base.shape}, expected {referred.shape}")
    if not base[referred].any() or not base[~referred].any():
        raise DesignError("an arm has base weights that are all 0")
    return X, referred, base


def _standardised(
    X: FloatArray, q: FloatArray, target: FloatArray, names: Sequence[str]
) -> tuple[FloatArray, NDArray[np.intp]]:
    """Centre at the target, scale by the standard deviation, and find columns that are not combinations."""
    from scipy.linalg import qr

    lowest, highest = X.min(axis=0), X.max(axis=0)
    slack = 1e-12 * np.maximum(np.abs(lowest), np.abs(highest))
    outside = np.flatnonzero((target < lowest - slack) | (target > highest + slack))
    if outside.size:
        raise DesignError(
            "no weights can balance these covariates: the referred mean lies outside the range of the "
            "comparison persons. Leave them out, coarsen them, or restrict the cohort",
            problems=[names[j] for j in outside.tolist()],
        )
    constant = highest == lowest
    centred = X - q @ X
    spread = np.sqrt(q @ centred**2)
    spread[constant] = 1.0
    centred /= spread
    correlation = (centred * q[:, None]).T @ centred
    _, r, order = qr(correlation, pivoting=True)
    rank = int(np.count_nonzero(np.abs(np.diag(r)) > 1e-10))
    shift = (q @ X - target) / spread
    shift[constant] = 0.0
    return centred + shift, np.sort(order[:rank])


def _infeasible(Z: FloatArray, log_q: FloatArray, names: Sequence[str]) -> DesignError:
    """Name the covariates that stay apart at the nearest point that weights can reach."""
    # The penalised dual ends where the gap is -penalty x multipliers: about the smallest gap there is.
    multipliers, _ = _dual_newton(Z, log_q, penalty=1e-2, tolerance=1e-4, max_iterations=100)
    gap = np.abs(_weights(Z, log_q, multipliers) @ Z)
    worst = np.argsort(-gap)[: np.count_nonzero(gap > gap.max() / 10)]
    return DesignError(
        "no weights of the comparison persons give the referred means of these covariates together. Leave one "
        "out, coarsen it, or restrict the cohort",
        problems=[f"{names[j]}: at best {gap[j]:.2g} standard deviations apart" for j in worst.tolist()],
    )


def _weights(Z: FloatArray, log_q: FloatArray, multipliers: FloatArray) -> FloatArray:
    """Weights q exp(Z lambda), summing to 1."""
    exponent = log_q + Z @ multipliers
    p = np.exp(exponent - exponent.max())
    return np.asarray(p / p.sum(), dtype=np.float64)


def _dual(Z: FloatArray, log_q: FloatArray, multipliers: FloatArray, penalty: float) -> float:
    """Value of the dual: log sum q exp(Z lambda), plus a ridge penalty."""
    exponent = log_q + Z @ multipliers
    top = exponent.max()
    return float(top + np.log(np.exp(exponent - top).sum()) + penalty / 2 * (multipliers @ multipliers))


def _dual_newton(
    Z: FloatArray, log_q: FloatArray, *, penalty: float, tolerance: float, max_iterations: int
) -> tuple[FloatArray, int]:
    multipliers = np.zeros(Z.shape[1])
    value = _dual(Z, log_q, multipliers, penalty)
    # The dual of a feasible target is minus a Kullback-Leibler distance, so never below log min q.
    floor = float(log_q.min()) - 1e-6 if penalty == 0 else -np.inf
    for iteration in range(max_iterations):
        p = _weights(Z, log_q, multipliers)
        mean = p @ Z
        gradient = mean + penalty * multipliers
        if np.abs(gradient).max(initial=0.0) <= tolerance or value < floor:
            return multipliers, iteration
        hessian = (Z * p[:, None]).T @ Z - np.outer(mean, mean)
        ridge = 1e-12 * max(np.trace(hessian) / mean.size, 1e-8) + penalty
        step = -np.linalg.solve(hessian + ridge * np.eye(mean.size), gradient)
        length = 1.0
        for _ in range(60):
            new_value = _dual(Z, log_q, multipliers + length * step, penalty)
            if new_value <= value + 1e-4 * length * float(gradient @ step) + 1e-13:
                break
            length /= 2
        else:
            return multipliers, iteration
        multipliers, value = multipliers + length * step, new_value
    return multipliers, max_iterations
