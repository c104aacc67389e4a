"""Likelihood of repeated measures with a free covariance over the waves, from sums by pattern of waves.

Persons with the same waves answered share one covariance, so the likelihood needs only the cross-products of
the columns between each two waves of such a pattern: a step does not depend on the number of persons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wor_eval.effects.mixed import Basis
from wor_eval.effects.model_rows import Codes, Floats, Ids, ModelRows
from wor_eval.errors import EstimationError

_STEP = 1e-4
_POLISH = 20
_CONVERGED = 1e-16


@dataclass(frozen=True, kw_only=True, slots=True)
class Pattern:
    """Persons with the same waves: which waves (m,), weight of persons, cross-products (m, m, k + 1, k + 1)."""

    waves: Codes
    n: float
    products: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class WaveSums:
    """Patterns, in orthonormal columns and scaled residuals."""

    patterns: tuple[Pattern, ...]
    n_rows: float
    n_waves: int
    log_triangle: float
    scale: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LikelihoodAt:
    """Restricted deviance at one wave covariance, and its gradient in it (T, T), symmetric."""

    deviance: float
    gradient: Floats
    coef: Floats
    gram: Floats
    inverses: tuple[Floats, ...]
    iterations: int = 0


def wave_sums(rows: ModelRows, ids: tuple[Ids, Ids], basis: Basis, weight: Floats) -> WaveSums:
    """Sum the cross-products of the columns and the residual by pattern of waves, persons weighted."""
    (person, wave), residual = ids, basis.values[-1]
    n_rows = float(rows.weights.sum())
    if n_rows <= rows.n_parameters:
        raise EstimationError(
            f"weights that add up to {n_rows:g} rows are too few for {rows.n_parameters} coefficients"
        )
    scale = float(np.sqrt((rows.weights * residual) @ residual / (n_rows - rows.n_parameters)))
    if scale <= 1e-10 * float(np.abs(rows.y).max()):
        raise EstimationError(
            "the model fits every row exactly, so nothing is left to estimate a variance from"
        )
    scaled = np.vstack([basis.values[:-1], residual / scale]).T
    answered = np.zeros((person.size, wave.size), dtype=bool)
    answered[person.codes, wave.codes] = True
    _check_waves(answered, rows.n)
    table = np.zeros((person.size, wave.size, scaled.shape[1]))
    table[person.codes, wave.codes] = scaled
    kinds, which = np.unique(answered, axis=0, return_inverse=True)
    patterns = []
    for number, kind in enumerate(kinds):
        chosen = which.ravel() == number
        part, share = table[chosen][:, kind], weight[chosen]
        products = np.einsum("iaj,ibk->abjk", share[:, None, None] * part, part, optimize=True)
        patterns.append(Pattern(waves=np.flatnonzero(kind), n=float(share.sum()), products=products))
    return WaveSums(
        patterns=tuple(patterns),
        n_rows=n_rows,
        n_waves=wave.size,
        log_triangle=float(np.log(np.abs(np.diag(basis.triangle))).sum()),
        scale=scale,
    )


def restricted_loglik(sums: WaveSums, at: LikelihoodAt) -> float:
    """Give the restricted log-likelihood in original units, as gls does."""
    return -(at.deviance + 2 * (sums.n_rows - at.coef.size) * float(np.log(sums.scale))) / 2


def _check_waves(answered: NDArray[np.bool_], n_rows: int) -> None:
    twice = n_rows - int(answered.sum())
    if twice:
        raise EstimationError(f"{twice} rows are a second answer of a person in a wave: keep one of them")
    together = answered.T.astype(int) @ answered.astype(int)
    never = int((together == 0).sum()) // 2
    if never:
        raise EstimationError(
            f"{never} pairs of waves were never answered by the same person, so their covariance is unknown: "
            "leave a wave out, or use a random intercept"
        )


def evaluate(sums: WaveSums, covariance: Floats) -> LikelihoodAt:
    """Profile the coefficients out and differentiate; LinAlgError where the covariance is not positive."""
    k = sums.patterns[0].products.shape[-1] - 1
    parts = [covariance[np.ix_(p.waves, p.waves)] for p in sums.patterns]
    logs = [2 * np.log(np.diag(np.linalg.cholesky(part))).sum() for part in parts]
    inverses = tuple(np.asarray(np.linalg.inv(part), dtype=np.float64) for part in parts)
    both = np.zeros((k + 1, k + 1))
    for pattern, inverse in zip(sums.patterns, inverses, strict=True):
        both += np.einsum("ab,abij->ij", inverse, pattern.products)
    gram = both[:k, :k]
    coef = np.asarray(np.linalg.solve(gram, both[:k, k]), dtype=np.float64)
    residual = np.append(-coef, 1.0)
    deviance = sum(p.n * log for p, log in zip(sums.patterns, logs, strict=True))
    deviance += residual @ both @ residual + np.linalg.slogdet(gram)[1]
    deviance += 2 * sums.log_triangle + (sums.n_rows - k) * np.log(2 * np.pi)
    middle = np.outer(residual, residual)
    middle[:k, :k] += np.linalg.inv(gram)
    gradient = np.zeros_like(covariance)
    for pattern, inverse in zip(sums.patterns, inverses, strict=True):
        spread = np.einsum("ij,abij->ab", middle, pattern.products)
        gradient[np.ix_(pattern.waves, pattern.waves)] += pattern.n * inverse - inverse @ spread @ inverse
    return LikelihoodAt(deviance=float(deviance), gradient=gradient, coef=coef, gram=gram, inverses=inverses)


def climb(sums: WaveSums) -> Floats:
    """Minimise the deviance over the Cholesky factor of the wave covariance, diagonal in logs."""
    from scipy.optimize import minimize

    size = sums.n_waves
    lower = np.tril_indices(size)
    diagonal = lower[0] == lower[1]

    def triangle_of(values: Floats) -> Floats:
        triangle = np.zeros((size, size))
        triangle[lower] = np.where(diagonal, np.exp(np.clip(values, -20, 20)), values)
        return triangle

    def objective(values: Floats) -> tuple[float, Floats]:
        triangle = triangle_of(values)
        at = evaluate(sums, triangle @ triangle.T)
        slope = (2 * at.gradient @ triangle)[lower]
        return at.deviance, np.where(diagonal, slope * triangle[lower], slope)

    start = np.linalg.cholesky(0.5 * np.eye(size) + 0.5)[lower]
    start = np.where(diagonal, np.log(np.where(diagonal, start, 1.0)), start)
    try:
        found = minimize(objective, start, jac=True, method="BFGS", options={"gtol": 1e-6, "maxiter": 500})
    except np.linalg.LinAlgError as error:
        raise _too_few(sums) from error
    return triangle_of(found.x)


def _too_few(sums: WaveSums) -> EstimationError:
    return EstimationError(
        f"the covariance of {sums.n_waves} waves cannot be estimated from {sum(p.n for p in sums.patterns):g} "
        "persons: leave waves out, or use a random intercept"
    )


def polish(sums: WaveSums, covariance: Floats) -> tuple[Floats, Floats]:
    """Newton steps in the elements of the wave covariance; give it and the Hessian (q, q) of the deviance."""
    upper = np.triu_indices(sums.n_waves)
    try:
        for _ in range(_POLISH):
            hessian = _hessian(sums, covariance)
            np.linalg.cholesky(hessian)
            slope = _in_elements(evaluate(sums, covariance).gradient)
            step = np.linalg.solve(hessian, slope)
            if slope @ step < _CONVERGED * sums.n_rows:
                return covariance, hessian
            moved = np.zeros_like(covariance)
            moved[upper] = step
            covariance = covariance - (moved + moved.T - np.diag(np.diag(moved)))
    except np.linalg.LinAlgError as error:
        raise _too_few(sums) from error
    raise _too_few(sums)


def _in_elements(gradient: Floats) -> Floats:
    """Gradient in the upper triangle: an element off the diagonal stands in two places."""
    doubled: Floats = 2 * gradient - np.diag(np.diag(gradient))
    return doubled[np.triu_indices(len(gradient))]


def _hessian(sums: WaveSums, covariance: Floats) -> Floats:
    """Central differences of the exact gradient, with steps in proportion to the standard deviations."""
    spread = np.sqrt(np.diag(covariance))
    columns = []
    for a, b in zip(*np.triu_indices(sums.n_waves), strict=True):
        step = np.zeros_like(covariance)
        step[a, b] = step[b, a] = _STEP * spread[a] * spread[b]
        ahead, behind = (evaluate(sums, covariance + sign * step).gradient for sign in (1, -1))
        columns.append(_in_elements(ahead - behind) / (2 * step[a, b]))
    hessian: Floats = np.stack(columns)
    return np.asarray((hessian + hessian.T) / 2)


def gram_gradients(sums: WaveSums, at: LikelihoodAt) -> Floats:
    """Give minus the derivative of X'V⁻¹X to each element of the upper triangle, (q, k, k), in original units."""
    k = at.coef.size
    full = np.zeros((sums.n_waves, sums.n_waves, k, k))
    for pattern, inverse in zip(sums.patterns, at.inverses, strict=True):
        inner = np.einsum("ab,bcij,cd->adij", inverse, pattern.products[:, :, :k, :k], inverse, optimize=True)
        full[np.ix_(pattern.waves, pattern.waves)] += inner
    doubled = full + full.swapaxes(0, 1)
    diagonal = np.arange(sums.n_waves)
    doubled[diagonal, diagonal] /= 2
    return doubled[np.triu_indices(sums.n_waves)]
