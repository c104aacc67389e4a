"""Mixed model for repeated measures: a few waves, each with its own variance and correlations, for small studies.

Persons with the same waves answered share one covariance, so the likelihood needs only the cross-products of
the columns between each two waves of such a pattern: a step does not depend on the number of persons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.effects.fit import Fit
from wor_eval.effects.identification import check_identified
from wor_eval.effects.mixed import Basis, orthonormal_basis
from wor_eval.effects.model_rows import Codes, Floats, Ids, ModelRows, model_rows
from wor_eval.effects.quantity import Quantity, difference
from wor_eval.errors import EstimationError

_STEP = 1e-4
_POLISH = 20
_CONVERGED = 1e-16


@dataclass(frozen=True, kw_only=True, slots=True)
class Mmrm:
    """A fitted mixed model for repeated measures.

    Attributes
    ----------
    fit : Fit
        Coefficients, their covariance and the restricted log-likelihood. For intervals use
        :func:`mmrm_contrast`: normal ones are too short in a small study.
    waves : ndarray, shape (T,)
        Waves in sorted order.
    wave_covariance : ndarray, shape (T, T)
        Covariance of the answers of one person given the columns.
    n_persons : int
        Persons.
    parameter_covariance : ndarray, shape (q, q)
        Covariance of the q = T(T + 1)/2 elements of the upper triangle of `wave_covariance`, row by row.
    gradients : ndarray, shape (q, k, k)
        Derivative of the covariance of the coefficients to these elements.
    """

    fit: Fit
    waves: NDArray[Any]
    wave_covariance: Floats
    n_persons: int
    parameter_covariance: Floats
    gradients: Floats


def mmrm(
    y: ArrayLike, X: ArrayLike, persons: ArrayLike, waves: ArrayLike, *, names: Sequence[str] | None = None
) -> Mmrm:
    r"""Fit a linear model with an unstructured covariance over the waves, by REML.

    Estimand: β in ``E(y) = Xβ``, where the answers of one person have an unstructured covariance, the same for
    all persons (Mallinckrodt and others 2008, doi:10.1177/009286150804200402). With the before-score, wave, arm
    and wave by arm among the columns it gives the difference between arms at each wave, under answers that are
    missing at random. Model-based covariance, as ``nlme::gls(corSymm, varIdent, method = "REML")``; its
    log-likelihood is that of ``gls`` too.

    Parameters
    ----------
    y : array_like, shape (n,)
        Scores, one row per person and wave answered.
    X : array_like, shape (n, k)
        Columns of the design; no constant is added.
    persons, waves : array_like, shape (n,)
        Whose row it is, and of which wave. At most one row per person and wave.
    names : sequence of str, length k, optional
        Names of the columns.

    Returns
    -------
    Mmrm

    Raises
    ------
    EstimationError
        Missing or infinite values, collinear columns, two rows of a person in one wave, two waves that nobody
        answered both, fewer than two waves, or no convergence (too few persons for this many waves).

    Examples
    --------
    Eight persons, two waves, half of them referred.

    >>> person, wave = np.repeat(np.arange(8), 2), np.tile([1, 2], 8)
    >>> referred = (person < 4) * 1.0
    >>> score = [14, 18, 12, 13, 17, 20, 15, 18, 15, 14, 13, 12, 18, 20, 11, 12]
    >>> late = wave == 2
    >>> X = np.column_stack([np.ones(16), late, referred, late * referred])
    >>> model = mmrm(score, X, person, wave, names=["constant", "late", "referred", "late:referred"])
    >>> at_late = mmrm_contrast(model, [0, 0, 1, 1])
    >>> round(at_late.estimate, 2), round(at_late.std_error, 2), round(at_late.df, 1)
    (2.75, 2.41, 6.0)
    """
    ids = (persons, waves)
    rows = model_rows(
        y, X, response="real", names=names, offset=None, weights=None, clusters=ids, absorb=None
    )
    check_identified(rows, counts=False)
    person, wave = rows.clusters
    basis = orthonormal_basis(rows)
    sums = _sums(rows, person, wave, basis)
    triangle = _climb(sums)
    covariance, hessian = _polish(sums, triangle @ triangle.T)
    at = _evaluate(sums, covariance)
    back = np.linalg.inv(basis.triangle)
    outer = np.asarray(back @ np.linalg.inv(at.gram), dtype=np.float64)
    fit = Fit(
        coef=basis.start + sums.scale * (back @ at.coef),
        cov=sums.scale**2 * (outer @ back.T),
        names=rows.names,
        method="mixed model for repeated measures, unstructured covariance (REML)",
        link="identity",
        n_obs=rows.n,
        n_clusters=0,
        n_absorbed=0,
        dispersion=sums.scale**2 * float(np.trace(covariance)) / wave.size,
        iterations=at.iterations,
        loglik=-(at.deviance + 2 * (rows.n - len(outer)) * np.log(sums.scale)) / 2,
    )
    return Mmrm(
        fit=fit,
        waves=wave.labels,
        wave_covariance=sums.scale**2 * covariance,
        n_persons=person.size,
        parameter_covariance=np.asarray(2 * sums.scale**4 * np.linalg.inv(hessian), dtype=np.float64),
        gradients=np.stack([outer @ g @ outer.T for g in _gram_gradients(sums, at)]),
    )


def mmrm_contrast(model: Mmrm, c: ArrayLike, *, level: float = 0.95) -> Quantity:
    """Give a combination of coefficients, c'β, with the t interval of Satterthwaite's degrees of freedom.

    ``df = 2 v² / (g' A g)`` with v = c'Vc, g its derivative to the elements of the wave covariance and A their
    covariance from the observed information, as the R package ``mmrm`` does by default. With complete answers of
    two arms, a difference at one wave has n - 2.

    Parameters
    ----------
    model : Mmrm
        A fitted model.
    c : array_like, shape (k,)
        Weight of each coefficient.
    level : float, default 0.95
        Level of the interval.

    Returns
    -------
    Quantity

    Raises
    ------
    EstimationError
        A wrong shape, or weights that are all zero.

    Examples
    --------
    See :func:`mmrm`.
    """
    weights = np.asarray(c, dtype=np.float64)
    if weights.shape != model.fit.coef.shape or not np.isfinite(weights).all() or not weights.any():
        raise EstimationError(f"c: {model.fit.coef.size} finite weights are needed, not all of them zero")
    variance = float(weights @ model.fit.cov @ weights)
    gradient = np.einsum("i,qij,j->q", weights, model.gradients, weights)
    df = 2 * variance**2 / float(gradient @ model.parameter_covariance @ gradient)
    return difference(float(weights @ model.fit.coef), float(np.sqrt(variance)), level=level, df=df)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pattern:
    """Persons with the same waves: which waves (m,), how many persons, cross-products (m, m, k + 1, k + 1)."""

    waves: Codes
    n: int
    products: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sums:
    """Patterns, in orthonormal columns and scaled residuals."""

    patterns: tuple[_Pattern, ...]
    n_rows: int
    n_waves: int
    log_triangle: float
    scale: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _At:
    """Restricted deviance at one wave covariance, and its gradient in it (T, T), symmetric."""

    deviance: float
    gradient: Floats
    coef: Floats
    gram: Floats
    inverses: tuple[Floats, ...]
    iterations: int = 0


def _sums(rows: ModelRows, person: Ids, wave: Ids, basis: Basis) -> _Sums:
    residual = basis.values[-1]
    scale = float(np.sqrt(residual @ residual / (rows.n - rows.n_parameters)))
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
        part = table[which.ravel() == number][:, kind]
        products = np.einsum("iaj,ibk->abjk", part, part, optimize=True)
        patterns.append(_Pattern(waves=np.flatnonzero(kind), n=len(part), products=products))
    return _Sums(
        patterns=tuple(patterns),
        n_rows=rows.n,
        n_waves=wave.size,
        log_triangle=float(np.log(np.abs(np.diag(basis.triangle))).sum()),
        scale=scale,
    )


def _check_waves(answered: NDArray[np.bool_], n_rows: int) -> None:
    twice = n_rows - int(answered.sum())
    if twice:
        raise EstimationError(
            f"{twice} rows are a second answer of a person in the same wave: keep one of them"
        )
    together = answered.T.astype(int) @ answered.astype(int)
    never = int((together == 0).sum()) // 2
    if never:
        raise EstimationError(
            f"{never} pairs of waves were never answered by the same person, so their covariance is unknown: "
            "leave a wave out, or use a random intercept"
        )


def _evaluate(sums: _Sums, covariance: Floats) -> _At:
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
    return _At(deviance=float(deviance), gradient=gradient, coef=coef, gram=gram, inverses=inverses)


def _climb(sums: _Sums) -> Floats:
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
        at = _evaluate(sums, triangle @ triangle.T)
        slope = (2 * at.gradient @ triangle)[lower]
        return at.deviance, np.where(diagonal, slope * triangle[lower], slope)

    start = np.linalg.cholesky(0.5 * np.eye(size) + 0.5)[lower]
    start = np.where(diagonal, np.log(np.where(diagonal, start, 1.0)), start)
    try:
        found = minimize(objective, start, jac=True, method="BFGS", options={"gtol": 1e-6, "maxiter": 500})
    except np.linalg.LinAlgError as error:
        raise _too_few(sums) from error
    return triangle_of(found.x)


def _too_few(sums: _Sums) -> EstimationError:
    return EstimationError(
        f"the covariance of {sums.n_waves} waves cannot be estimated from {sum(p.n for p in sums.patterns)} "
        "persons: leave waves out, or use a random intercept"
    )


def _polish(sums: _Sums, covariance: Floats) -> tuple[Floats, Floats]:
    """Newton steps in the elements of the wave covariance; give it and the Hessian (q, q) of the deviance."""
    upper = np.triu_indices(sums.n_waves)
    try:
        for _ in range(_POLISH):
            hessian = _hessian(sums, covariance)
            np.linalg.cholesky(hessian)
            slope = _in_elements(_evaluate(sums, covariance).gradient)
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


def _hessian(sums: _Sums, covariance: Floats) -> Floats:
    """Central differences of the exact gradient, with steps in proportion to the standard deviations."""
    spread = np.sqrt(np.diag(covariance))
    columns = []
    for a, b in zip(*np.triu_indices(sums.n_waves), strict=True):
        step = np.zeros_like(covariance)
        step[a, b] = step[b, a] = _STEP * spread[a] * spread[b]
        ahead, behind = (_evaluate(sums, covariance + sign * step).gradient for sign in (1, -1))
        columns.append(_in_elements(ahead - behind) / (2 * step[a, b]))
    hessian: Floats = np.stack(columns)
    return np.asarray((hessian + hessian.T) / 2)


def _gram_gradients(sums: _Sums, at: _At) -> Floats:
    """Minus the derivative of X'V⁻¹X to each element of the upper triangle, (q, k, k), in original units."""
    k = at.coef.size
    full = np.zeros((sums.n_waves, sums.n_waves, k, k))
    for pattern, inverse in zip(sums.patterns, at.inverses, strict=True):
        inner = np.einsum("ab,bcij,cd->adij", inverse, pattern.products[:, :, :k, :k], inverse, optimize=True)
        full[np.ix_(pattern.waves, pattern.waves)] += inner
    doubled = full + full.swapaxes(0, 1)
    diagonal = np.arange(sums.n_waves)
    doubled[diagonal, diagonal] /= 2
    return doubled[np.triu_indices(sums.n_waves)]
