"""Negative binomial (NB2) regression by maximum likelihood, with weights and absorbed groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.effects.covariance import Information, SmallSample, projected_scores, row_information
from wor_eval.effects.fit import Fit
from wor_eval.effects.identification import check_identified
from wor_eval.effects.model_rows import Floats, ModelRows, model_rows
from wor_eval.effects.newton import MAX_STEPS, Family, newton_step, not_converged, settled, solve
from wor_eval.effects.sandwich import absorbed_groups, refuse_clusters, with_sandwich
from wor_eval.errors import EstimationError

Bread: TypeAlias = Literal["expected", "observed", "joint"]
_MODEL = "negative binomial regression (NB2, log link)"
_SMALLEST = 1e-8
_NEAR = 1e-4
_FARTHEST = 4.0
_LARGEST_COUNT = 10_000_000
_TOO_EVEN = (
    "the counts vary no more than Poisson counts with these means, so the dispersion has its maximum at zero; "
    "use poisson_regression with a robust covariance"
)


def negative_binomial_regression(
    y: ArrayLike,
    X: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    offset: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | tuple[ArrayLike, ...] | None = None,
    absorb: ArrayLike | None = None,
    covariance: Literal["model", "robust"] = "robust",
    information: Bread = "expected",
    small_sample: SmallSample = "G/(G-1)",
) -> Fit:
    """Negative binomial regression: rate ratios of counts whose variance is mean + alpha · mean².

    Estimand: β in ``E(y) = exp(offset + Xβ + effect of the absorbed group)``; exp(β) is a rate ratio. β and
    alpha jointly maximise the weighted log-likelihood (Lawless 1987, doi:10.2307/3314912); alpha is 1/theta
    of R's ``glm.nb``. Weights are honoured, which statsmodels' discrete NegativeBinomial does not do.

    Parameters
    ----------
    y : array_like, shape (n,)
        Counts, whole numbers.
    X, names, offset, weights, clusters, absorb, small_sample
        As in `poisson_regression`. Absorbed effects are estimated like dummies, so alpha is too small where
        groups have few rows; β is hardly touched.
    covariance : {"robust", "model"}
        Sandwich, or inverse information.
    information : {"expected", "observed", "joint"}
        Information matrix, also the bread of the sandwich. "expected": of β given alpha, as R's ``glm.nb`` and
        sandwich. "observed": the same with second derivatives, as a statsmodels GLM with alpha fixed.
        "joint": second derivatives of β and alpha together, as Stata's ``nbreg`` and statsmodels'
        NegativeBinomial. All three agree in large samples where the mean is right.

    Returns
    -------
    Fit
        `alpha_std_error` is that of a model with β known ("expected", "observed": as ``SE.theta`` of
        ``glm.nb``), or that of the joint covariance, robust where it is ("joint").

    Raises
    ------
    EstimationError
        As `poisson_regression`; counts that are not whole; counts that vary no more than Poisson counts.

    Examples
    --------
    >>> y = [0, 3, 9, 1, 0, 2, 0, 5]
    >>> X = np.column_stack([np.ones(8), np.arange(8) >= 4])
    >>> fit = negative_binomial_regression(y, X, names=["constant", "after"])
    >>> fit.coef.round(3), round(fit.alpha, 2)
    (array([ 1.179, -0.619]), 1.3)
    """
    rows = model_rows(
        y,
        X,
        response="whole_count",
        names=names,
        offset=offset,
        weights=weights,
        clusters=clusters,
        absorb=absorb,
    )
    refuse_clusters(rows, covariance)
    check_identified(rows, counts=True)
    tails = _tails(rows)
    at, iterations = _maximise(rows, tails)
    bread = (
        _joint_information(rows, at, tails) if information == "joint" else _given_alpha(rows, at, information)
    )
    fit = _model_fit(rows, at, (tails, bread), iterations=iterations)
    named = replace(fit, method=f"{_MODEL}, {information} information")
    if covariance == "model":
        return replace(named, method=f"{named.method}, model covariance")
    return _robust(named, rows, at, (bread, small_sample))


@dataclass(frozen=True, kw_only=True, slots=True)
class _At:
    """A point: coefficients (k,), group effects (m,), alpha; log-likelihood and its slope in log alpha.

    By row (n,): mean, 1 + alpha·mean and log of that over alpha.
    """

    coef: Floats
    effects: Floats
    alpha: float
    mu: Floats
    inflation: Floats
    logs: Floats
    loglik: float
    slope: float


def _tails(rows: ModelRows) -> Floats:
    """Weight of the rows with a count above j, for j = 0, 1, …: gamma functions of counts become sums.

    log Γ(y + 1/a) - log Γ(1/a) + y log a = Σ_{j<y} log(1 + a j), without cancellation for small a.
    """
    if rows.y.max() > _LARGEST_COUNT:
        raise EstimationError(
            f"y: counts above {_LARGEST_COUNT} are not counts of contacts; use gamma_regression"
        )
    often = np.bincount(rows.y.astype(np.intp), weights=rows.weights)
    tails: Floats = often[::-1].cumsum()[::-1][1:]
    return tails


def _at(rows: ModelRows, tails: Floats, coef: Floats, *, effects: Floats, alpha: float) -> _At:
    eta = rows.predictor(coef)
    if rows.absorbed.size:
        eta += effects[rows.absorbed.codes]
    grown = alpha * np.arange(tails.size)
    with np.errstate(over="ignore", invalid="ignore"):
        mu = np.exp(eta)
        inflation = 1 + alpha * mu
        logs = np.log1p(alpha * mu) / alpha
        by_row = rows.y * eta - (alpha * rows.y + 1) * logs
        loglik = np.dot(rows.weights, by_row) + np.dot(tails, np.log1p(grown))
        slope = np.dot(rows.weights, _row_slope(rows, (mu, inflation, logs), alpha))
    return _At(
        coef=coef,
        effects=effects,
        alpha=alpha,
        mu=mu,
        inflation=inflation,
        logs=logs,
        loglik=float(loglik),
        slope=float(slope + np.dot(tails, grown / (1 + grown))),
    )


def _start(rows: ModelRows, tails: Floats) -> _At:
    """Poisson fit with the moment estimate of alpha; refuse where the score of alpha at zero is not positive."""
    poisson, _ = solve(rows, Family.POISSON, converged=_NEAR)
    excess = float(np.dot(rows.weights, (rows.y - poisson.mu) ** 2 - rows.y))
    if excess <= 0:
        raise EstimationError(_TOO_EVEN)
    alpha = min(max(excess / float(np.dot(rows.weights, poisson.mu**2)), 1e-3), 20.0)
    return _at(rows, tails, poisson.coef, effects=poisson.effects, alpha=alpha)


def _maximise(rows: ModelRows, tails: Floats) -> tuple[_At, int]:
    """Newton steps in (β, group effects, log alpha), halved until the likelihood does not fall."""
    at = _start(rows, tails)
    last = np.inf
    for iteration in range(MAX_STEPS + 1):
        step, group_step, length = _step(rows, at, tails)
        if settled(rows, length, last):
            return at, iteration
        last = length
        at = _along(rows, tails, at, (step, group_step))
    raise not_converged(_MODEL)


def _step(rows: ModelRows, at: _At, tails: Floats) -> tuple[Floats, Floats, float]:
    residual = _residual(rows, at)
    score = np.append(rows.score(residual), at.slope)
    group_score = rows.group_total(residual)
    joint = _joint_information(rows, at, tails)
    try:
        return joint.step(score, group_score)
    except np.linalg.LinAlgError:
        return newton_step(_without_cross(joint), score, group_score)


def _along(rows: ModelRows, tails: Floats, at: _At, step: tuple[Floats, Floats]) -> _At:
    """Go along the step; first no further than `_FARTHEST` on any row, then halved until the likelihood holds."""
    move, group_move = step
    change = rows.predictor(move[:-1]) - rows.offset
    size = min(1.0, _FARTHEST / max(float(np.abs(change).max()), abs(float(move[-1])), 1e-300))
    for _ in range(30):
        alpha = at.alpha * float(np.exp(size * move[-1]))
        if alpha < _SMALLEST:
            raise EstimationError(_TOO_EVEN)
        effects = at.effects + size * group_move
        proposal = _at(rows, tails, at.coef + size * move[:-1], effects=effects, alpha=alpha)
        if proposal.loglik >= at.loglik - 1e-12 * abs(at.loglik):
            return proposal
        size /= 2
    raise not_converged(_MODEL)


def _residual(rows: ModelRows, at: _At) -> Floats:
    """Weighted score of each row on its linear predictor."""
    residual: Floats = rows.weights * (rows.y - at.mu) / at.inflation
    return residual


def _without_cross(joint: Information) -> Information:
    """Drop the block between β and log alpha: positive definite away from the maximum too."""
    gram, cross = joint.gram.copy(), joint.cross.copy()
    gram[-1, :-1] = gram[:-1, -1] = 0.0
    gram[-1, -1] = max(abs(gram[-1, -1]), 1e-6 * float(np.trace(gram[:-1, :-1])))
    cross[-1] = 0.0
    return Information(gram=gram, cross=cross, diagonal=joint.diagonal)


def _row_slope(rows: ModelRows, by_row: tuple[Floats, Floats, Floats], alpha: float) -> Floats:
    """Score of each row on log alpha, without the part that depends on the count only."""
    mu, inflation, logs = by_row
    slope: Floats = logs - (alpha * rows.y + 1) * mu / inflation
    return slope


def _log_alpha_information(rows: ModelRows, at: _At, tails: Floats) -> float:
    """Minus the second derivative of the log-likelihood in log alpha."""
    a, share, grown = at.alpha, at.mu / at.inflation, at.alpha * np.arange(tails.size)
    second = 2 * at.logs - 2 * share - a * (a * rows.y + 1) * share**2
    curvature = np.dot(rows.weights, second) + np.dot(tails, (grown / (1 + grown)) ** 2)
    return float(curvature) - at.slope


def _joint_information(rows: ModelRows, at: _At, tails: Floats) -> Information:
    """Observed information of (β, log alpha), with the groups apart."""
    beta = _given_alpha(rows, at, "observed")
    mixed = rows.weights * at.alpha * at.mu * (rows.y - at.mu) / at.inflation**2
    k = at.coef.size
    gram = np.empty((k + 1, k + 1))
    gram[:k, :k] = beta.gram
    gram[k, :k] = gram[:k, k] = rows.score(mixed)
    gram[k, k] = _log_alpha_information(rows, at, tails)
    cross = np.vstack([beta.cross, rows.group_total(mixed)])
    return Information(gram=gram, cross=cross, diagonal=beta.diagonal)


def _given_alpha(rows: ModelRows, at: _At, information: Bread) -> Information:
    """Information of β at this alpha."""
    weight = rows.weights * at.mu / at.inflation
    if information == "observed":
        weight = weight * (1 + at.alpha * rows.y) / at.inflation
    return row_information(rows, weight)


def _model_fit(rows: ModelRows, at: _At, how: tuple[Floats, Information], *, iterations: int) -> Fit:
    """Fit with the inverse information as covariance."""
    from scipy.special import gammaln

    tails, bread = how
    inverse = bread.inverse()
    k = at.coef.size
    precision = 1 / inverse[k, k] if len(inverse) > k else _log_alpha_information(rows, at, tails)
    squared = (rows.y - at.mu) ** 2 / (at.mu * at.inflation)
    return Fit(
        coef=at.coef,
        cov=inverse[:k, :k],
        names=rows.names,
        method=_MODEL,
        link="log",
        n_obs=rows.n,
        n_clusters=0,
        n_absorbed=rows.absorbed.size,
        dispersion=float(np.dot(rows.weights, squared)) / (rows.n - rows.n_parameters),
        iterations=iterations,
        loglik=at.loglik - float(np.dot(rows.weights, gammaln(rows.y + 1))),
        alpha=at.alpha,
        alpha_std_error=at.alpha / float(np.sqrt(precision)),
        groups=absorbed_groups(
            rows,
            at.effects,
            bread,
            units=rows.absorbed.codes,
            scores=_residual(rows, at),
            clusters=rows.clusters,
        ),
    )


def _robust(fit: Fit, rows: ModelRows, at: _At, how: tuple[Information, SmallSample]) -> Fit:
    bread, small_sample = how
    residual = _residual(rows, at)
    scores = projected_scores(rows, residual, bread)
    if len(bread.gram) > at.coef.size:
        scores = np.vstack([scores, _projected_log_alpha(rows, at, bread)])
    return with_sandwich(fit, scores, bread.inverse(), clusters=rows.clusters, small_sample=small_sample)


def _projected_log_alpha(rows: ModelRows, at: _At, joint: Information) -> Floats:
    """Weighted score of each row on log alpha with the groups partialled out, (n,)."""
    grown = at.alpha * np.arange(int(rows.y.max()))
    below = np.concatenate([[0.0], np.cumsum(grown / (1 + grown))])
    own = _row_slope(rows, (at.mu, at.inflation, at.logs), at.alpha)
    score: Floats = rows.weights * (below[rows.y.astype(np.intp)] + own)
    if rows.absorbed.size:
        score = score - _residual(rows, at) * joint.means[-1][rows.absorbed.codes]
    return score
