"""Mixed model with a random intercept per person: well-being scores over all waves.

A person with n answers has covariance ``var_residual (I + r 11')``, with r the ratio of the two variances, so
everything the likelihood needs is the sum of each column per person. Persons with the same number of answers
share their weights in it: after one pass over the rows, a step costs the same for 100 persons as for 100,000.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.effects.covariance import SmallSample
from wor_eval.effects.fit import Fit
from wor_eval.effects.identification import check_identified
from wor_eval.effects.model_rows import Floats, Ids, ModelRows, ids_of, model_rows, sum_by_code
from wor_eval.effects.sandwich import with_sandwich
from wor_eval.errors import EstimationError

Likelihood: TypeAlias = Literal["reml", "ml"]
# Ratios of the person variance to the residual variance that are looked at first; 0 comes before them.
_RATIOS = np.logspace(-7.0, 7.0, 141)
_EXACT = 1e-20


@dataclass(frozen=True, kw_only=True, slots=True)
class MixedModel:
    """A fitted random-intercept model.

    Attributes
    ----------
    fit : Fit
        Coefficients with covariance and log-likelihood; read it with
        :func:`wor_eval.effects.fit.coefficients`, ``contrast`` and ``wald_test``.
    var_person, var_residual : float
        Variances of the intercepts of persons and of the residuals. A person variance of 0 is an estimate at
        the edge: answers of a person are no more alike than those of different persons.
    likelihood : {"reml", "ml"}
        Which likelihood was maximised. Log-likelihoods of models with different columns are comparable
        with "ml" only.
    n_persons : int
        Persons.
    """

    fit: Fit
    var_person: float
    var_residual: float
    likelihood: Likelihood
    n_persons: int

    @property
    def correlation(self) -> float:
        """Correlation of two answers of one person (intraclass correlation)."""
        return self.var_person / (self.var_person + self.var_residual)

    @property
    def aic(self) -> float:
        """Akaike's criterion; the two variances count as parameters, as in lme4."""
        return -2 * self._loglik + 2 * (self.fit.coef.size + 2)

    @property
    def bic(self) -> float:
        """Bayesian criterion with the number of rows, as in lme4."""
        return float(-2 * self._loglik + np.log(self.fit.n_obs) * (self.fit.coef.size + 2))

    @property
    def _loglik(self) -> float:
        if self.fit.loglik is None:
            raise EstimationError("a weighted model has a pseudo-likelihood: no criterion compares it")
        return self.fit.loglik


def random_intercept(
    y: ArrayLike,
    X: ArrayLike,
    persons: ArrayLike,
    *,
    likelihood: Likelihood = "reml",
    names: Sequence[str] | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    small_sample: SmallSample = "G/(G-1)",
) -> MixedModel:
    r"""Linear mixed model with a random intercept per person, by ML or REML.

    Estimand: β in ``E(y) = Xβ``, with ``y_ij = x_ij β + b_i + e_ij``, b and e normal and independent (Laird and
    Ware 1982, doi:10.2307/2529876). Answers may be missing at random given X and the answers that are there:
    leave their rows out. Both variances are those of R's ``lme4::lmer``; so are the log-likelihoods. The ratio
    of the variances is the root of the derivative of the profiled likelihood, the lowest over a grid of 141
    starting intervals.

    Parameters
    ----------
    y : array_like, shape (n,)
        Scores, one row per person and wave answered.
    X : array_like, shape (n, k)
        Columns of the design; no constant is added.
    persons : array_like, shape (n,)
        Whose row it is.
    likelihood : {"reml", "ml"}
        Restricted or full maximum likelihood.
    names : sequence of str, length k, optional
        Names of the columns.
    weights : array_like, shape (n,), optional
        Matching weights, the same on all rows of a person (pseudo-likelihood). They need `clusters`.
    clusters : array_like, shape (n,), optional
        Matched set, practice or person: gives a cluster-robust covariance, right also when the answers of a
        person are correlated in another way. None: the model's own covariance, as lmer.
    small_sample : {"G/(G-1)", "none", "G/(G-1)*(N-1)/(N-K)"}
        Factor on the cluster-robust covariance.

    Returns
    -------
    MixedModel
        Intervals read from its fit are normal, as ``confint(method = "Wald")``: with fewer than about 40
        persons use :func:`wor_eval.effects.mmrm.mmrm`.

    Raises
    ------
    EstimationError
        Missing or infinite values, collinear columns, nobody with two answers, no variation within persons,
        persons in more than one cluster, weights that differ within a person.

    Examples
    --------
    Six persons asked at three waves, one of whom left after the second.

    >>> person = np.repeat(np.arange(6), 3)[:17]
    >>> wave = np.tile([0.0, 1.0, 2.0], 6)[:17]
    >>> score = [20, 21, 23, 15, 15, 18, 24, 27, 26, 18, 20, 21, 22, 22, 25, 17, 16]
    >>> model = random_intercept(score, np.column_stack([np.ones(17), wave]), person, names=["constant", "wave"])
    >>> model.fit.coef.round(2), round(model.correlation, 2)
    (array([19.18,  1.3 ]), 0.93)
    """
    rows = _checked(y, X, persons, names=names, weights=weights, clusters=clusters)
    check_identified(rows, counts=False)
    ids = rows.clusters[0]
    basis = orthonormal_basis(rows)
    sums = _sums(rows, ids, person_weights(rows, ids), basis)
    at = _best(sums, reml=likelihood == "reml")
    back = np.linalg.inv(basis.triangle)
    coef = basis.start + back @ at.coef
    fit = Fit(
        coef=coef,
        cov=np.asarray(at.variance * (back @ np.linalg.solve(at.gram, back.T)), dtype=np.float64),
        names=rows.names,
        method=f"random-intercept model ({likelihood.upper()})",
        link="identity",
        n_obs=rows.n,
        n_clusters=0,
        n_absorbed=0,
        dispersion=at.variance,
        iterations=at.iterations,
        loglik=None if weights is not None else -_deviance(sums, at, reml=likelihood == "reml") / 2,
    )
    if clusters is not None:
        scores = _scores(rows, ids, coef, at) * person_weights(rows, ids)
        outer = clusters_of_persons(ids, rows.clusters[1])
        fit = with_sandwich(fit, scores, fit.cov, clusters=(outer,), small_sample=small_sample)
    return MixedModel(
        fit=fit,
        var_person=at.ratio * at.variance,
        var_residual=at.variance,
        likelihood=likelihood,
        n_persons=ids.size,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Basis:
    """Columns of a regression, orthonormal under the weights, and below them the least-squares residual.

    Attributes
    ----------
    values : ndarray, shape (k + 1, n)
        Orthonormal columns, and the residual.
    start : ndarray, shape (k,)
        Least-squares coefficients.
    triangle : ndarray, shape (k, k)
        The columns are the orthonormal ones times this: coefficients b of the residual on the orthonormal
        columns belong to ``start + inverse(triangle) b``.
    """

    values: Floats
    start: Floats
    triangle: Floats


def orthonormal_basis(rows: ModelRows) -> Basis:
    """Put a regression in a basis in which its cross-products keep all their digits."""
    root = np.sqrt(rows.weights)
    weighted = (rows.columns * root).T
    triangle = np.asarray(np.linalg.qr(weighted, mode="r"), dtype=np.float64)
    start = np.asarray(np.linalg.lstsq(weighted, rows.y * root, rcond=None)[0], dtype=np.float64)
    values = np.vstack([np.linalg.solve(triangle.T, rows.columns), rows.y - rows.predictor(start)])
    return Basis(values=values, start=start, triangle=triangle)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sums:
    """Cross-products of the orthonormal columns and, last, the least-squares residual: k + 1 by k + 1.

    `within` is around the mean of the person; `between[u]` adds n m m' over the persons with `sizes[u]` rows,
    of whom there are `persons[u]` (weighted); `rows` is the weighted number of rows.
    """

    within: Floats
    between: Floats
    sizes: Floats
    persons: Floats
    rows: float
    log_triangle: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _At:
    """The profiled likelihood at one ratio: coefficients, their cross-products, residual variance, slope."""

    ratio: float
    coef: Floats
    gram: Floats
    variance: float
    slope: float
    iterations: int = 0


def _checked(
    y: ArrayLike,
    X: ArrayLike,
    persons: ArrayLike,
    *,
    names: Sequence[str] | None,
    weights: ArrayLike | None,
    clusters: ArrayLike | None,
) -> ModelRows:
    if weights is not None and clusters is None:
        raise EstimationError("weights: the model's own covariance is wrong with them; give clusters too")
    ids = (persons,) if clusters is None else (persons, clusters)
    return model_rows(
        y, X, response="real", names=names, offset=None, weights=weights, clusters=ids, absorb=None
    )


def person_weights(rows: ModelRows, ids: Ids) -> Floats:
    """Weight of each person, (persons,); refused where the rows of a person disagree."""
    weight = np.zeros(ids.size)
    weight[ids.codes] = rows.weights
    different = np.unique(ids.codes[weight[ids.codes] != rows.weights]).size
    if different:
        raise EstimationError(f"weights: {different} persons have rows with different weights")
    return weight


def _sums(rows: ModelRows, ids: Ids, weight: Floats, basis: Basis) -> _Sums:
    count = np.bincount(ids.codes).astype(np.float64)
    if count.max() < 2:
        raise EstimationError("nobody has two answers: a random intercept cannot be told from a residual")
    means = ids.total(basis.values) / count
    inside = basis.values - means[:, ids.codes]
    within = (inside * rows.weights) @ inside.T
    if within[-1, -1] <= _EXACT * float(rows.weights @ rows.y**2):
        raise EstimationError("no answer differs within a person: there is no residual variance")
    sizes, place = np.unique(count, return_inverse=True)
    members = [place == u for u in range(sizes.size)]
    between = [(means[:, m] * (weight[m] * n)) @ means[:, m].T for m, n in zip(members, sizes, strict=True)]
    return _Sums(
        within=within,
        between=np.stack(between),
        sizes=sizes,
        persons=sum_by_code(place, weight, sizes.size),
        rows=float(rows.weights.sum()),
        log_triangle=float(np.log(np.abs(np.diag(basis.triangle))).sum()),
    )


def _evaluate(sums: _Sums, ratio: float, *, reml: bool) -> _At:
    """Profile coefficients and residual variance out, and differentiate the deviance to the ratio."""
    shrink = 1.0 / (1.0 + sums.sizes * ratio)
    both = sums.within + np.einsum("u,uij->ij", shrink, sums.between)
    change = -np.einsum("u,uij->ij", sums.sizes * shrink**2, sums.between)
    gram, pull = both[:-1, :-1], both[:-1, -1]
    coef = np.asarray(np.linalg.solve(gram, pull), dtype=np.float64)
    residual = np.append(-coef, 1.0)
    squares = float(residual @ both @ residual)
    df = sums.rows - coef.size if reml else sums.rows
    slope = df * float(residual @ change @ residual) / squares
    slope += float(sums.persons @ (sums.sizes * shrink))
    if reml:
        slope += float(np.trace(np.linalg.solve(gram, change[:-1, :-1])))
    return _At(ratio=ratio, coef=coef, gram=gram, variance=squares / df, slope=slope)


def _deviance(sums: _Sums, at: _At, *, reml: bool) -> float:
    """Minus twice the log-likelihood, constants included."""
    df = sums.rows - at.coef.size if reml else sums.rows
    value = df * (1.0 + np.log(2 * np.pi * at.variance))
    value += sums.persons @ np.log1p(sums.sizes * at.ratio)
    if reml:
        value += np.linalg.slogdet(at.gram)[1] + 2 * sums.log_triangle
    return float(value)


def _best(sums: _Sums, *, reml: bool) -> _At:
    """Find the ratio where the deviance is lowest: on a grid, then where its slope is zero."""
    from scipy.optimize import brentq

    grid = [_evaluate(sums, ratio, reml=reml) for ratio in (0.0, *_RATIOS)]
    lowest = int(np.argmin([_deviance(sums, at, reml=reml) for at in grid]))
    if lowest == len(grid) - 1:
        raise EstimationError(
            "the answers of a person hardly differ: there is no residual variance to estimate"
        )
    if lowest == 0 and grid[0].slope >= 0:
        return grid[0]
    low, high = grid[max(lowest - 1, 0)], grid[lowest + 1]
    if low.slope > 0 or high.slope < 0:
        raise EstimationError("the likelihood of the random-intercept model has no clear top")
    root, report = brentq(
        lambda ratio: _evaluate(sums, ratio, reml=reml).slope,
        low.ratio,
        high.ratio,
        xtol=1e-300,
        rtol=1e-14,
        full_output=True,
    )
    found = _evaluate(sums, float(root), reml=reml)
    return _At(
        ratio=found.ratio,
        coef=found.coef,
        gram=found.gram,
        variance=found.variance,
        slope=found.slope,
        iterations=int(report.iterations),
    )


def _scores(rows: ModelRows, ids: Ids, coef: Floats, at: _At) -> Floats:
    """Score of each person on the coefficients, (k, persons): X'V⁻¹r without the weight."""
    residual = rows.y - rows.predictor(coef)
    count = np.bincount(ids.codes)
    shrunk = at.ratio / (1.0 + count * at.ratio) * ids.total(residual)
    return (ids.total(rows.columns * residual) - ids.total(rows.columns) * shrunk) / at.variance


def clusters_of_persons(ids: Ids, clusters: Ids) -> Ids:
    """Give the cluster of each person; each must lie in one."""
    code = np.zeros(ids.size, dtype=np.intp)
    code[ids.codes] = clusters.codes
    split = np.unique(ids.codes[code[ids.codes] != clusters.codes]).size
    if split:
        raise EstimationError(f"clusters: {split} persons lie in more than one cluster; give larger clusters")
    return ids_of(code, clusters.labels)
