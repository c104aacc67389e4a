"""Mixed model for repeated measures: a few waves, each with its own variance and correlations, for small studies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.effects.fit import Fit
from wor_eval.effects.identification import check_identified
from wor_eval.effects.mixed import clusters_of_persons, orthonormal_basis, person_weights
from wor_eval.effects.mmrm_likelihood import (
    climb,
    evaluate,
    gram_gradients,
    polish,
    restricted_loglik,
    wave_sums,
)
from wor_eval.effects.model_rows import Floats, Ids, ModelRows, model_rows
from wor_eval.effects.quantity import Quantity, difference
from wor_eval.effects.sandwich import with_sandwich
from wor_eval.errors import EstimationError


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
    y: ArrayLike,
    X: ArrayLike,
    persons: ArrayLike,
    waves: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
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
    weights : array_like, shape (n,), optional
        Matching weights, the same on all rows of a person (pseudo-likelihood). They need `clusters`.
    clusters : array_like, shape (n,), optional
        Matched set, practice or person: gives a cluster-robust covariance in place of the model's own.

    Returns
    -------
    Mmrm

    Raises
    ------
    EstimationError
        Missing or infinite values, collinear columns, weights that differ within a person, two rows of a person in
        one wave, two waves that nobody answered both, fewer than two waves, or no convergence (too few persons for
        this many waves).

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
    ids = (persons, waves) if clusters is None else (persons, waves, clusters)
    if weights is not None and clusters is None:
        raise EstimationError("weights: the model's own covariance is wrong with them; give clusters too")
    rows = model_rows(
        y, X, response="real", names=names, offset=None, weights=weights, clusters=ids, absorb=None
    )
    check_identified(rows, counts=False)
    person, wave, *outer = rows.clusters
    basis, weight = orthonormal_basis(rows), person_weights(rows, person)
    sums = wave_sums(rows, (person, wave), basis, weight)
    triangle = climb(sums)
    covariance, hessian = polish(sums, triangle @ triangle.T)
    at = evaluate(sums, covariance)
    back = np.linalg.inv(basis.triangle)
    middle = np.asarray(back @ np.linalg.inv(at.gram), dtype=np.float64)
    fit = Fit(
        coef=basis.start + sums.scale * (back @ at.coef),
        cov=sums.scale**2 * (middle @ back.T),
        names=rows.names,
        method="mixed model for repeated measures, unstructured covariance (REML)",
        link="identity",
        n_obs=rows.n,
        n_clusters=0,
        n_absorbed=0,
        dispersion=sums.scale**2 * float(np.trace(covariance)) / wave.size,
        iterations=at.iterations,
        loglik=None if weights is not None else restricted_loglik(sums, at),
    )
    if outer:
        scores = _scores(rows, (person, wave), fit.coef, sums.scale**2 * covariance) * weight
        groups = clusters_of_persons(person, outer[0])
        fit = with_sandwich(fit, scores, fit.cov, clusters=(groups,), small_sample="G/(G-1)")
    return Mmrm(
        fit=fit,
        waves=wave.labels,
        wave_covariance=sums.scale**2 * covariance,
        n_persons=person.size,
        parameter_covariance=np.asarray(2 * sums.scale**4 * np.linalg.inv(hessian), dtype=np.float64),
        gradients=np.stack([middle @ g @ middle.T for g in gram_gradients(sums, at)]),
    )


def mmrm_contrast(model: Mmrm, c: ArrayLike, *, level: float = 0.95) -> Quantity:
    """Give a combination of coefficients, c'β, with a t interval.

    With the model's own covariance the degrees of freedom are Satterthwaite's; with a cluster-robust one they are
    the number of clusters less one.

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
    if model.fit.n_clusters:
        df = model.fit.n_clusters - 1.0
    return difference(float(weights @ model.fit.coef), float(np.sqrt(variance)), level=level, df=df)


def _scores(rows: ModelRows, ids: tuple[Ids, Ids], coef: Floats, covariance: Floats) -> Floats:
    """Score of each person on the coefficients, (k, persons): X'V⁻¹r without the weight."""
    (person, wave), residual = ids, rows.y - rows.predictor(coef)
    answered = np.zeros((person.size, wave.size), dtype=bool)
    answered[person.codes, wave.codes] = True
    whitened = np.zeros((person.size, wave.size))
    whitened[person.codes, wave.codes] = residual
    for kind in np.unique(answered, axis=0):
        chosen = (answered == kind).all(axis=1)
        inverse = np.linalg.inv(covariance[np.ix_(kind, kind)])
        whitened[np.ix_(chosen, kind)] = whitened[np.ix_(chosen, kind)] @ inverse
    return person.total(rows.columns * whitened[person.codes, wave.codes])
