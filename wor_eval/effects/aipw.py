"""Marginal effects with influence-function standard errors: weighting, g-formula, and both together (AIPW).

The variance convention and the clusters are those of `wor_eval.effects.influence`.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.design.weighting import FloatArray, propensity_weights
from wor_eval.effects.influence import (
    ArmMean,
    MarginalEffect,
    Persons,
    Scale,
    arm_mean,
    check_persons,
    contrast_means,
    finite_vector,
    ratio_of_sums,
)
from wor_eval.errors import EstimationError


def weighted_difference(
    y: ArrayLike,
    treated: ArrayLike,
    weights: ArrayLike,
    *,
    exposure: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    scale: Scale = "difference",
) -> MarginalEffect:
    r"""Contrast the weighted means (or rates) of the two arms.

    .. math:: \bar y_a = \sum_{i \in a} w_i y_i / \sum_{i \in a} w_i t_i

    with t the exposure. The estimand is the one of the weights. The weights are taken as given: for
    propensity weights of the ATE and for entropy balancing this makes the standard error too large rather
    than too small; a bootstrap that makes the weights anew in each draw has no such error.

    Parameters
    ----------
    y : array_like of shape (n,)
        Outcome: a value, or a count of events during the exposure.
    treated : array_like of shape (n,)
        1 for referred, 0 for comparison.
    weights : array_like of shape (n,)
        0 or more.
    exposure : array_like of shape (n,), optional
        Person-time, above 0. Means become rates per unit of it.
    clusters : array_like of shape (n,), optional
        Matched set or practice.
    scale : {"difference", "log_ratio"}

    Returns
    -------
    MarginalEffect

    Raises
    ------
    DesignError
        Bad arms or weights.
    EstimationError
        Missing values, wrong shapes, an arm without weight, fewer than two clusters, no variation, or a
        log ratio of means that are not above 0.

    References
    ----------
    Lunceford, Davidian 2004, doi:10.1002/sim.1903.

    Examples
    --------
    >>> found = weighted_difference([5, 7, 2, 4, 9], [1, 1, 0, 0, 0], [1, 1, 1, 1, 0])
    >>> found.estimate, round(found.std_error, 4), found.n_persons
    (3.0, 1.1547, 4)
    """
    persons = check_persons(y, treated, weights=weights, exposure=exposure, clusters=clusters)
    means = [arm_mean(persons, arm) for arm in (persons.referred, ~persons.referred)]
    return contrast_means(persons, means[0], means[1], estimand="weighted", scale=scale)


def aipw(
    y: ArrayLike,
    treated: ArrayLike,
    propensity: ArrayLike,
    *,
    mu0: ArrayLike,
    mu1: ArrayLike | None = None,
    estimand: Literal["att", "ate"],
    weights: ArrayLike | None = None,
    exposure: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    scale: Scale = "difference",
) -> MarginalEffect:
    r"""Augmented weighting (AIPW): right when the propensity model or the outcome model is right.

    With T the arm, e the propensity, t the exposure (1 if not given) and s the weights, the two means are

    .. math::
        ATE: \quad \bar y_1 = \frac{\sum s [\mu_1 + T (y - \mu_1) / e]}{\sum s t}, \quad
        \bar y_0 = \frac{\sum s [\mu_0 + (1 - T) (y - \mu_0) / (1 - e)]}{\sum s t}

    .. math::
        ATT: \quad \bar y_1 = \frac{\sum s T y}{\sum s T t}, \quad
        \bar y_0 = \frac{\sum s [T \mu_0 + (1 - T) (y - \mu_0)\, e / (1 - e)]}{\sum s T t}

    Parameters
    ----------
    y : array_like of shape (n,)
        Outcome: a value, or a count of events during the exposure.
    treated : array_like of shape (n,)
        1 for referred, 0 for comparison.
    propensity : array_like of shape (n,)
        Probability of being referred, above 0 and below 1.
    mu0, mu1 : array_like of shape (n,)
        Outcome predicted for each person were nobody, or everybody, referred; in the unit of `y`, so with
        exposure the number of events expected in the person's own exposure. The ATT needs no `mu1`.
    estimand : {"att", "ate"}
    weights : array_like of shape (n,), optional
        Sampling weights, or how often a bootstrap draw holds each person. Default 1.
    exposure : array_like of shape (n,), optional
        Person-time, above 0. It is taken as fixed: the same for a person in either arm.
    clusters : array_like of shape (n,), optional
        Practice.
    scale : {"difference", "log_ratio"}

    Returns
    -------
    MarginalEffect

    Raises
    ------
    DesignError
        Bad propensities, arms or weights.
    EstimationError
        As in `weighted_difference`; no `mu1` for the ATE.

    Notes
    -----
    The standard error takes propensities and predictions as known. Estimating them adds nothing at first
    order when both models are right; when only one is right the estimate still holds but the standard
    error does not: use a bootstrap that refits both. For the ATE it is sd(psi) / sqrt(n).

    References
    ----------
    Robins, Rotnitzky, Zhao 1994, doi:10.1080/01621459.1994.10476818; Lunceford, Davidian 2004,
    doi:10.1002/sim.1903; ATT: Hahn 1998, doi:10.2307/2998560.

    Examples
    --------
    >>> y, arm, e = [5, 7, 2, 4], [1, 1, 0, 0], [0.5, 0.5, 0.5, 0.5]
    >>> found = aipw(y, arm, e, mu0=[3, 3, 2, 4], estimand="att")
    >>> found.estimate, found.mean_comparison
    (3.0, 3.0)
    """
    if estimand not in {"att", "ate"}:
        raise EstimationError(f"estimand is {estimand!r}: use att or ate")
    inverse = propensity_weights(propensity, treated, kind=estimand)
    persons = check_persons(y, treated, weights=weights, exposure=exposure, clusters=clusters)
    finite_vector(inverse, "propensity", persons.y.size)
    arm, outcome = persons.referred, persons.y
    low = finite_vector(mu0, "mu0", outcome.size)
    low_part = np.where(arm, 0.0, inverse * (outcome - low))
    if estimand == "att":
        referred = ratio_of_sums(persons, arm * outcome, arm * persons.exposure)
        comparison = ratio_of_sums(persons, arm * low + low_part, arm * persons.exposure)
    else:
        if mu1 is None:
            raise EstimationError(
                "the ATE needs mu1, the outcome predicted for each person were all referred"
            )
        high = finite_vector(mu1, "mu1", outcome.size)
        high_part = np.where(arm, inverse * (outcome - high), 0.0)
        referred = ratio_of_sums(persons, high + high_part, persons.exposure)
        comparison = ratio_of_sums(persons, low + low_part, persons.exposure)
    return contrast_means(persons, referred, comparison, estimand=estimand, scale=scale)


def g_formula(
    y: ArrayLike,
    treated: ArrayLike,
    *,
    design_comparison: ArrayLike,
    design_referred: ArrayLike,
    link: Literal["identity", "log"],
    estimand: Literal["att", "ate"],
    weights: ArrayLike | None = None,
    exposure: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    scale: Scale = "difference",
) -> MarginalEffect:
    r"""Standardisation: fit one outcome model, predict everybody in both arms, and average.

    The model is least squares (*identity*) or Poisson (*log*, with log exposure as offset; only the mean
    needs to be right). With :math:`\mu_a` the prediction in arm a and r = 1 (ATE) or T (ATT),

    .. math:: \bar y_a = \sum s r \mu_a / \sum s r t

    The standard error stacks the score of the model with the means, so it holds when the outcome model
    is right and the variances are not constant.

    Parameters
    ----------
    y : array_like of shape (n,)
        Outcome: a value, or a count of events during the exposure (0 or more with *log*).
    treated : array_like of shape (n,)
        1 for referred, 0 for comparison.
    design_comparison, design_referred : array_like of shape (n, p)
        Model matrix, intercept included, with each person put in that arm (interactions too). The model is
        fitted on the row of the arm the person is in.
    link : {"identity", "log"}
    estimand : {"att", "ate"}
    weights : array_like of shape (n,), optional
        Sampling weights, or how often a bootstrap draw holds each person. Default 1.
    exposure : array_like of shape (n,), optional
        Person-time, above 0; with *log* only. It is taken as fixed: the same for a person in either arm.
    clusters : array_like of shape (n,), optional
        Practice.
    scale : {"difference", "log_ratio"}

    Returns
    -------
    MarginalEffect

    Raises
    ------
    DesignError
        Bad arms or weights.
    EstimationError
        As in `weighted_difference`; a model matrix with linearly dependent columns; a model that does not
        converge; exposure with the identity link; with *log*, negative outcomes or an arm without events.

    References
    ----------
    Robins 1986, doi:10.1016/0270-0255(86)90088-6; standard error: Stefanski, Boos 2002,
    doi:10.1198/000313002753631330.

    Examples
    --------
    >>> rows0, rows1 = [[1, 0]] * 4, [[1, 1]] * 4
    >>> found = g_formula([5, 7, 2, 4], [1, 1, 0, 0], design_comparison=rows0, design_referred=rows1,
    ...                   link="log", estimand="ate", scale="log_ratio")
    >>> round(float(np.exp(found.estimate)), 4)
    2.0
    """
    persons = check_persons(y, treated, weights=weights, exposure=exposure, clusters=clusters)
    if link == "identity" and exposure is not None:
        raise EstimationError("exposure needs link='log': an identity model has no rate per unit of exposure")
    if link not in {"identity", "log"} or estimand not in {"att", "ate"}:
        raise EstimationError(f"link {link!r} or estimand {estimand!r} is not one of the choices")
    X, designs = _scaled_designs(persons, design_referred, design_comparison)
    beta = _least_squares(X, persons) if link == "identity" else _poisson(X, persons)
    fitted = _predict(X, beta, link, persons)
    slope = persons.weights * (fitted if link == "log" else 1.0)
    score = X * (persons.weights * (persons.y - fitted))[:, None]
    per_person = np.linalg.solve((X * slope[:, None]).T @ X, score.T)
    target = persons.referred.astype(float) if estimand == "att" else np.ones(fitted.size)
    means = []
    for rows in designs:
        predicted = _predict(rows, beta, link, persons)
        mean = ratio_of_sums(persons, target * predicted, target * persons.exposure)
        share = persons.weights * target / np.sum(persons.weights * target * persons.exposure)
        gradient = (share * (predicted if link == "log" else 1.0)) @ rows
        means.append(ArmMean(value=mean.value, influence=mean.influence + gradient @ per_person))
    return contrast_means(persons, means[0], means[1], estimand=estimand, scale=scale)


def _scaled_designs(
    persons: Persons, design_referred: ArrayLike, design_comparison: ArrayLike
) -> tuple[FloatArray, tuple[FloatArray, FloatArray]]:
    """Model matrix as observed and in each arm, columns scaled to unit size: it changes no prediction."""
    n = persons.y.size
    matrices = []
    for name, given in (("design_referred", design_referred), ("design_comparison", design_comparison)):
        rows = np.asarray(given, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[0] != n:
            raise EstimationError(f"{name} has shape {rows.shape}, expected ({n}, p)")
        if not np.isfinite(rows).all():
            bad = np.count_nonzero(~np.isfinite(rows))
            raise EstimationError(f"{name}: {bad} values are missing or infinite")
        matrices.append(rows)
    if matrices[0].shape != matrices[1].shape:
        raise EstimationError("design_referred and design_comparison need the same columns")
    X = np.where(persons.referred[:, None], matrices[0], matrices[1])
    size = np.sqrt(np.mean(X**2, axis=0))
    size[size == 0] = 1.0
    return X / size, (matrices[0] / size, matrices[1] / size)


def _least_squares(X: FloatArray, persons: Persons) -> FloatArray:
    root = np.sqrt(persons.weights)
    beta, _, rank, _ = np.linalg.lstsq(X * root[:, None], persons.y * root, rcond=1e-10)
    if rank < X.shape[1]:
        raise EstimationError(f"the model matrix has {X.shape[1]} columns but rank {rank}: leave columns out")
    return np.asarray(beta, dtype=np.float64)


def _poisson(X: FloatArray, persons: Persons) -> FloatArray:
    import statsmodels.api as sm

    y = persons.y
    _least_squares(X, persons)
    if (y < 0).any():
        raise EstimationError(
            f"y: {np.count_nonzero(y < 0)} of {y.size} are negative: the log link needs 0 or more"
        )
    if min(arm_mean(persons, arm).value for arm in (persons.referred, ~persons.referred)) == 0:
        raise EstimationError("an arm has no events: the log link has no estimate")
    model = sm.GLM(
        y, X, family=sm.families.Poisson(), offset=np.log(persons.exposure), freq_weights=persons.weights
    )
    result = model.fit(maxiter=100, tol=1e-9, tol_criterion="params")
    if not result.converged or not np.isfinite(result.params).all():
        raise EstimationError("the Poisson outcome model did not converge in 100 steps: use fewer covariates")
    return np.asarray(result.params, dtype=np.float64)


def _predict(X: FloatArray, beta: FloatArray, link: str, persons: Persons) -> FloatArray:
    linear = X @ beta
    return persons.exposure * np.exp(linear) if link == "log" else linear
