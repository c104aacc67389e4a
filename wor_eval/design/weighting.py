"""Weights that make the comparison persons resemble the referred persons, or both resemble a population.

A weighted design is one weight per person. Which persons the weights stand for, and what they add up to,
is the estimand: it is stated in each function. Propensities come from a model fitted elsewhere.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.errors import DesignError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class OverlapSummary:
    """How far the propensities of the two arms overlap. Counts only: nobody can be read off it.

    Parameters
    ----------
    n_outside : int
        Referred persons whose propensity is below the lowest or above the highest of the comparison persons.
    share_outside : float
        The same as a share of the referred persons, 0 to 1.
    c_statistic : float
        Chance that a referred person has a higher propensity than a comparison person (ties count half):
        0.5 when the model tells nothing, near 1 when few comparable persons exist.
    edges : ndarray of shape (bins + 1,)
        Edges of equal bins from 0 to 1. A bin holds its lower edge; the last one also 1.
    count_referred, count_comparison : ndarray of int, shape (bins,)
        Persons per bin.
    weight_referred, weight_comparison : ndarray of shape (bins,)
        Sum of the weights per bin.
    """

    n_outside: int
    share_outside: float
    c_statistic: float
    edges: FloatArray
    count_referred: NDArray[np.int64]
    count_comparison: NDArray[np.int64]
    weight_referred: FloatArray
    weight_comparison: FloatArray


def referred_mask(treated: ArrayLike, n: int) -> BoolArray:
    """Give the arm of each person as a boolean array, after checking it.

    Parameters
    ----------
    treated : array_like of shape (n,)
        1 or True for referred persons, 0 or False for comparison persons.
    n : int
        Number of persons expected.

    Returns
    -------
    ndarray of bool of shape (n,)

    Raises
    ------
    DesignError
        Wrong length, another value than 0 and 1, or an empty arm.

    Examples
    --------
    >>> referred_mask([1, 0, 0], 3)
    array([ True, False, False])
    """
    arms = np.asarray(treated)
    if arms.shape != (n,):
        raise DesignError(f"treated has shape {arms.shape}, expected ({n},): give one value per person")
    wrong = int(n - np.count_nonzero((arms == 0) | (arms == 1)))
    if wrong:
        raise DesignError(f"treated: {wrong} of {n} values are not 0 or 1")
    mask = arms.astype(bool)
    if mask.all() or not mask.any():
        raise DesignError(f"{mask.sum()} of {n} persons are referred: both arms need at least one person")
    return mask


def propensity_weights(
    propensity: ArrayLike,
    treated: ArrayLike,
    *,
    kind: Literal["att", "ate", "ate_stabilised", "overlap"],
) -> FloatArray:
    r"""Turn propensities into weights for the chosen estimand.

    ================  ============  ==================  =========================================
    kind              referred      comparison          each arm sums to about
    ================  ============  ==================  =========================================
    att               1             e / (1 - e)         number referred (exact for the referred)
    ate               1 / e         1 / (1 - e)         number of persons
    ate_stabilised    p / e         (1 - p) / (1 - e)   number of persons in that arm
    overlap           1 - e         e                   sum of e (1 - e)
    ================  ============  ==================  =========================================

    Here e is the propensity and p the share referred. *att* is the mean effect in referred persons; *ate* in
    everybody; *overlap* in the persons who could well have been in either arm (ATO). Stabilising changes
    the sums, not the weighted means within an arm. Nothing is truncated: see `truncate_weights`.

    Parameters
    ----------
    propensity : array_like of shape (n,)
        Probability of being referred, above 0 and below 1.
    treated : array_like of shape (n,)
        1 for referred, 0 for comparison.
    kind : {"att", "ate", "ate_stabilised", "overlap"}
        The estimand.

    Returns
    -------
    ndarray of shape (n,)
        Weights above 0.

    Raises
    ------
    DesignError
        Propensities that are missing, outside [0, 1], or 0 or 1 (no comparable person exists: restrict
        the cohort or simplify the model); an arm that is empty.

    References
    ----------
    Robins, Hernan, Brumback 2000, doi:10.1097/00001648-200009000-00011; att: Hirano, Imbens 2001,
    doi:10.1023/A:1020371312283; overlap: Li, Morgan, Zaslavsky 2018, doi:10.1080/01621459.2016.1260466.

    Examples
    --------
    >>> propensity_weights([0.5, 0.5, 0.2], [1, 0, 0], kind="att")
    array([1.  , 1.  , 0.25])
    """
    e = checked_propensity(propensity)
    referred = referred_mask(treated, e.size)
    if kind == "att":
        return np.where(referred, 1.0, e / (1 - e))
    if kind == "overlap":
        return np.where(referred, 1 - e, e)
    if kind not in {"ate", "ate_stabilised"}:
        raise DesignError(f"kind is {kind!r}: use att, ate, ate_stabilised or overlap")
    share = float(referred.mean()) if kind == "ate_stabilised" else 1.0
    other = 1 - share if kind == "ate_stabilised" else 1.0
    return np.where(referred, share / e, other / (1 - e))


def checked_propensity(propensity: ArrayLike) -> FloatArray:
    """Give the propensities as an array of floats, or refuse them.

    Parameters
    ----------
    propensity : array_like of shape (n,)
        Probability of being referred.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    DesignError
        Not one-dimensional; missing; outside [0, 1]; exactly 0 or 1.

    Examples
    --------
    >>> checked_propensity([0.25, 0.75])
    array([0.25, 0.75])
    """
    e = np.asarray(propensity, dtype=np.float64)
    if e.ndim != 1 or e.size == 0:
        raise DesignError(f"propensity has shape {e.shape}, expected (n,)")
    counts = {
        "missing": np.count_nonzero(np.isnan(e)),
        "outside [0, 1]": np.count_nonzero((e < 0) | (e > 1)),
        "exactly 0": np.count_nonzero(e == 0),
        "exactly 1": np.count_nonzero(e == 1),
    }
    problems = [f"{count} of {e.size} propensities are {what}" for what, count in counts.items() if count]
    if problems:
        raise DesignError(
            "these propensities give no weights: restrict the cohort to persons who could be in either arm, "
            "or simplify the propensity model",
            problems=problems,
        )
    return e


def truncate_weights(weights: ArrayLike, *, lower: float = 0.01, upper: float = 0.99) -> FloatArray:
    """Set weights below a low quantile, or above a high one, to that quantile.

    Trades a little bias for less variance; the estimand is then no longer exactly the one of the weights.
    Quantiles are taken over both arms together, by linear interpolation (type 7 of R).

    Parameters
    ----------
    weights : array_like of shape (n,)
        Weights, 0 or more.
    lower, upper : float
        Quantiles, 0 <= lower < upper <= 1.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    DesignError
        Weights that are negative, missing or all 0; quantiles out of order.

    References
    ----------
    Cole, Hernan 2008, doi:10.1093/aje/kwn164.

    Examples
    --------
    >>> truncate_weights([1, 2, 3, 4, 100], lower=0.0, upper=0.75)
    array([1., 2., 3., 4., 4.])
    """
    if not 0 <= lower < upper <= 1:
        raise DesignError(f"lower is {lower} and upper is {upper}: they need 0 <= lower < upper <= 1")
    w = checked_weights(weights)
    low, high = np.quantile(w, [lower, upper])
    return np.clip(w, low, high)


def effective_sample_size(weights: ArrayLike) -> float:
    """Give the number of equally weighted persons that carry as much information: (sum w)^2 / sum w^2.

    Kish's approximation, for one arm: call it once per arm.

    Parameters
    ----------
    weights : array_like of shape (n,)
        Weights of the persons of one arm, 0 or more.

    Returns
    -------
    float
        Between 1 and the number of persons with a weight above 0.

    Raises
    ------
    DesignError
        Weights that are negative, missing or all 0.

    References
    ----------
    Kish 1965, Survey Sampling, section 11.7.

    Examples
    --------
    >>> effective_sample_size([1, 1, 1, 0])
    3.0
    """
    w = checked_weights(weights)
    w = w / w.max()
    return float(w.sum() ** 2 / (w @ w))


def checked_weights(weights: ArrayLike) -> FloatArray:
    """Give the weights as an array of floats, or refuse them.

    Parameters
    ----------
    weights : array_like of shape (n,)
        Weights, 0 or more.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    DesignError
        Not one-dimensional; missing, infinite or negative weights; all 0.

    Examples
    --------
    >>> checked_weights([1, 0, 2])
    array([1., 0., 2.])
    """
    w = np.asarray(weights, dtype=np.float64)
    if w.ndim != 1 or w.size == 0:
        raise DesignError(f"weights have shape {w.shape}, expected (n,)")
    wrong = int(w.size - np.count_nonzero(np.isfinite(w) & (w >= 0)))
    if wrong:
        raise DesignError(f"{wrong} of {w.size} weights are missing, infinite or negative")
    if not w.any():
        raise DesignError(f"all {w.size} weights are 0")
    return w


def overlap_summary(
    propensity: ArrayLike, treated: ArrayLike, weights: ArrayLike, *, bins: int = 20
) -> OverlapSummary:
    """Describe the overlap of the propensities of both arms, with counts for an overlap plot.

    Parameters
    ----------
    propensity : array_like of shape (n,)
        Probability of being referred, above 0 and below 1.
    treated : array_like of shape (n,)
        1 for referred, 0 for comparison.
    weights : array_like of shape (n,)
        Weight of each person in the design, 0 or more.
    bins : int
        Number of bins, 1 or more.

    Returns
    -------
    OverlapSummary

    Raises
    ------
    DesignError
        Bad propensities, arms or weights; fewer than one bin.

    Examples
    --------
    >>> found = overlap_summary([0.9, 0.4, 0.3, 0.6], [1, 1, 0, 0], [1, 1, 0.5, 1.5], bins=2)
    >>> found.n_outside, found.c_statistic, found.count_referred, found.weight_comparison
    (1, 0.75, array([1, 1]), array([0.5, 1.5]))
    """
    from scipy.stats import rankdata

    e = checked_propensity(propensity)
    referred, w = referred_mask(treated, e.size), checked_weights(weights)
    if w.shape != e.shape or bins < 1:
        raise DesignError(
            f"weights have shape {w.shape}, expected {e.shape}; bins is {bins}, expected 1 or more"
        )
    ours, theirs = e[referred], e[~referred]
    outside = int(np.count_nonzero((ours < theirs.min()) | (ours > theirs.max())))
    higher = rankdata(e)[referred].sum() - ours.size * (ours.size + 1) / 2
    edges = np.linspace(0, 1, bins + 1)
    return OverlapSummary(
        n_outside=outside,
        share_outside=outside / ours.size,
        c_statistic=float(higher / (ours.size * theirs.size)),
        edges=edges,
        count_referred=np.histogram(ours, edges)[0].astype(np.int64),
        count_comparison=np.histogram(theirs, edges)[0].astype(np.int64),
        weight_referred=np.histogram(ours, edges, weights=w[referred])[0],
        weight_comparison=np.histogram(theirs, edges, weights=w[~referred])[0],
    )
