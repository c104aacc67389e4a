"""From what each person adds to an estimate to its standard error: the arithmetic below every weighted mean.

A mean per arm is a ratio of sums, so each person adds a known amount to it (the influence). The variance
is the sum of squared influences, added up within clusters first where these are given, times G / (G - 1)
with G the number of clusters (of persons, without clusters). That is `svyglm` of R's survey, and the square
of sd(psi) / sqrt(n) for AIPW; `sandwich` HC0 and `geeglm` leave the factor out.
Intervals are 95 % and normal: with fewer than about 40 clusters they are too narrow.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.design.weighting import BoolArray, FloatArray, checked_weights, referred_mask
from wor_eval.errors import EstimationError

Scale = Literal["difference", "log_ratio"]
Estimand = Literal["att", "ate", "weighted"]


@dataclass(frozen=True, kw_only=True, slots=True)
class MarginalEffect:
    """The mean of each arm in one population, and the contrast of the two.

    Parameters
    ----------
    estimand : {"att", "ate", "weighted"}
        Mean effect in referred persons, in everybody, or in whom the weights stand for.
    scale : {"difference", "log_ratio"}
        Referred minus comparison, or the natural logarithm of referred over comparison: take exp of
        `estimate`, `conf_low` and `conf_high` for the ratio.
    estimate, std_error, conf_low, conf_high, p_value : float
        On that scale; 95 % interval and two-sided test from the normal distribution.
    mean_referred, mean_comparison : float
        Mean outcome (or rate per unit of exposure) were all referred, and were none.
    n_persons, n_clusters : int
        Persons, and clusters of persons, with a weight above 0.
    """

    estimand: Estimand
    scale: Scale
    estimate: float
    std_error: float
    conf_low: float
    conf_high: float
    p_value: float
    mean_referred: float
    mean_comparison: float
    n_persons: int
    n_clusters: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Persons:
    """Checked input, one value per person: outcome, arm, weight, exposure and cluster code.

    Parameters
    ----------
    y, weights, exposure : ndarray of shape (n,)
    referred : ndarray of bool of shape (n,)
    clusters : ndarray of int of shape (n,)
    """

    y: FloatArray
    referred: BoolArray
    weights: FloatArray
    exposure: FloatArray
    clusters: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmMean:
    """The mean of one arm, and what each person adds to its error.

    Parameters
    ----------
    value : float
    influence : ndarray of shape (n,)
        Estimate minus truth is about the sum of these.
    """

    value: float
    influence: FloatArray


def finite_vector(values: ArrayLike, name: str, n: int) -> FloatArray:
    """Give n finite floats, or refuse them by name.

    Parameters
    ----------
    values : array_like of shape (n,)
    name : str
        For the message.
    n : int
        Number of values expected.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    EstimationError
        Wrong shape; missing or infinite values.

    Examples
    --------
    >>> finite_vector([1, 2], "y", 2)
    array([1., 2.])
    """
    x = np.asarray(values, dtype=np.float64)
    if x.shape != (n,):
        raise EstimationError(f"{name} has shape {x.shape}, expected ({n},)")
    bad = int(n - np.count_nonzero(np.isfinite(x)))
    if bad:
        raise EstimationError(
            f"{name}: {bad} of {n} values are missing or infinite; impute or leave them out"
        )
    return x


def check_persons(
    y: ArrayLike,
    treated: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    exposure: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> Persons:
    """Check the input of an estimator once, and fill in weight 1, exposure 1 and one cluster per person.

    Parameters
    ----------
    y : array_like of shape (n,)
        Outcome.
    treated : array_like of shape (n,)
        1 for referred, 0 for comparison.
    weights, exposure, clusters : array_like of shape (n,), optional
        Weights 0 or more; person-time above 0; labels.

    Returns
    -------
    Persons

    Raises
    ------
    DesignError
        Bad arms or weights.
    EstimationError
        Missing values, wrong shapes, exposure not above 0, or an arm without weight.

    Examples
    --------
    >>> check_persons([3.0, 4.0], [1, 0], clusters=["b", "a"]).clusters
    array([0, 1])
    """
    n = np.asarray(y).size
    outcome = finite_vector(y, "y", n)
    referred = referred_mask(treated, n)
    s = np.ones(n) if weights is None else finite_vector(checked_weights(weights), "weights", n)
    t = np.ones(n) if exposure is None else finite_vector(exposure, "exposure", n)
    if (t <= 0).any():
        raise EstimationError(f"exposure: {np.count_nonzero(t <= 0)} of {n} are 0 or below; leave them out")
    if not s[referred].any() or not s[~referred].any():
        raise EstimationError("an arm has weights that are all 0")
    codes = np.arange(n) if clusters is None else _codes(clusters, n)
    return Persons(y=outcome, referred=referred, weights=s, exposure=t, clusters=codes)


def _codes(clusters: ArrayLike, n: int) -> NDArray[np.int64]:
    import pandas as pd

    labels = np.asarray(clusters)
    if labels.shape != (n,):
        raise EstimationError(f"clusters have shape {labels.shape}, expected ({n},)")
    codes = pd.factorize(labels)[0]
    if (codes < 0).any():
        raise EstimationError(f"clusters: {np.count_nonzero(codes < 0)} of {n} are missing")
    return np.asarray(codes, dtype=np.int64)


def ratio_of_sums(persons: Persons, top: FloatArray, bottom: FloatArray) -> ArmMean:
    """Give sum of weight x top over sum of weight x bottom, with its influences.

    Parameters
    ----------
    persons : Persons
    top, bottom : ndarray of shape (n,)

    Returns
    -------
    ArmMean

    Examples
    --------
    >>> persons = check_persons([3.0, 5.0], [1, 0])
    >>> ratio_of_sums(persons, persons.y, persons.exposure)
    ArmMean(value=4.0, influence=array([-0.5,  0.5]))
    """
    total = float(persons.weights @ bottom)
    value = float(persons.weights @ top) / total
    return ArmMean(value=value, influence=persons.weights * (top - value * bottom) / total)


def arm_mean(persons: Persons, arm: BoolArray) -> ArmMean:
    """Give the weighted mean (or rate per unit of exposure) in one arm.

    Parameters
    ----------
    persons : Persons
    arm : ndarray of bool of shape (n,)

    Returns
    -------
    ArmMean

    Examples
    --------
    >>> persons = check_persons([3.0, 5.0, 7.0], [1, 1, 0])
    >>> arm_mean(persons, persons.referred).value
    4.0
    """
    return ratio_of_sums(persons, arm * persons.y, arm * persons.exposure)


def contrast_means(
    persons: Persons, referred: ArmMean, comparison: ArmMean, *, estimand: Estimand, scale: Scale
) -> MarginalEffect:
    """Contrast two means, with the standard error from their influences.

    Parameters
    ----------
    persons : Persons
    referred, comparison : ArmMean
    estimand : {"att", "ate", "weighted"}
        Passed on to the result.
    scale : {"difference", "log_ratio"}

    Returns
    -------
    MarginalEffect

    Raises
    ------
    EstimationError
        Fewer than two clusters, no variation, or a log ratio of means that are not above 0.

    Examples
    --------
    >>> persons = check_persons([5, 7, 2, 4], [1, 1, 0, 0])
    >>> means = arm_mean(persons, persons.referred), arm_mean(persons, ~persons.referred)
    >>> found = contrast_means(persons, *means, estimand="weighted", scale="difference")
    >>> found.estimate, round(found.std_error, 4)
    (3.0, 1.1547)
    """
    from scipy.special import ndtr, ndtri

    if scale == "difference":
        estimate = referred.value - comparison.value
        influence = referred.influence - comparison.influence
    elif scale == "log_ratio":
        if referred.value <= 0 or comparison.value <= 0:
            raise EstimationError("a ratio needs both means above 0: use scale='difference'")
        estimate = float(np.log(referred.value / comparison.value))
        influence = referred.influence / referred.value - comparison.influence / comparison.value
    else:
        raise EstimationError(f"scale is {scale!r}: use difference or log_ratio")
    active = persons.weights > 0
    sums = np.bincount(persons.clusters[active], weights=influence[active])
    n_clusters = int(np.unique(persons.clusters[active]).size)
    if n_clusters < 2:
        raise EstimationError("a standard error needs at least two clusters")
    std_error = float(np.sqrt(sums @ sums * n_clusters / (n_clusters - 1)))
    if not std_error > 0:
        raise EstimationError("the outcome does not vary, so there is no standard error")
    reach = float(ndtri(0.975)) * std_error
    return MarginalEffect(
        estimand=estimand,
        scale=scale,
        estimate=estimate,
        std_error=std_error,
        conf_low=estimate - reach,
        conf_high=estimate + reach,
        p_value=float(2 * ndtr(-abs(estimate) / std_error)),
        mean_referred=referred.value,
        mean_comparison=comparison.value,
        n_persons=int(np.count_nonzero(active)),
        n_clusters=n_clusters,
    )
