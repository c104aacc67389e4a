"""Mixed model with a random intercept and a random slope per person: persons who differ in level and in course."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.effects.fit import Fit
from wor_eval.effects.identification import check_identified
from wor_eval.effects.influence import finite_vector
from wor_eval.effects.mixed import Likelihood, orthonormal_basis
from wor_eval.effects.model_rows import Floats, Ids, model_rows
from wor_eval.errors import EstimationError

_TOLERANCE = 1e-11


@dataclass(frozen=True, kw_only=True, slots=True)
class SlopeModel:
    """A fitted model with a random intercept and slope.

    Attributes
    ----------
    fit : Fit
        Coefficients with covariance and log-likelihood.
    var_person : ndarray, shape (2, 2)
        Covariance of intercepts and slopes of persons; singular where one of them does not vary.
    var_residual : float
        Variance of the residuals.
    likelihood : {"reml", "ml"}
        Which likelihood was maximised.
    n_persons : int
        Persons.
    """

    fit: Fit
    var_person: Floats
    var_residual: float
    likelihood: Likelihood
    n_persons: int

    @property
    def aic(self) -> float:
        """Akaike's criterion; the four variance parameters count, as in lme4."""
        return -2 * float(self.fit.loglik or 0.0) + 2 * (self.fit.coef.size + 4)


def random_slope(
    y: ArrayLike,
    X: ArrayLike,
    persons: ArrayLike,
    times: ArrayLike,
    *,
    likelihood: Likelihood = "reml",
    names: Sequence[str] | None = None,
) -> SlopeModel:
    r"""Linear mixed model with a random intercept and slope per person, by ML or REML.

    Estimand: β in ``E(y) = Xβ``, with ``y_ij = x_ij β + b_i + s_i t_ij + e_ij``; (b, s) normal with any covariance,
    e independent (Laird and Ware 1982, doi:10.2307/2529876). It is ``lme4::lmer(y ~ X + (t | person))``: the same
    estimates, standard errors and log-likelihoods. The likelihood is profiled over coefficients and residual variance,
    and maximised over the Cholesky factor of the covariance of (b, s) in units of the residual variance, from several
    starts. A step needs sums per person only.

    Parameters
    ----------
    y : array_like, shape (n,)
        Scores, one row per person and wave answered.
    X : array_like, shape (n, k)
        Columns of the design, the time among them where a mean slope is wanted; no constant is added.
    persons : array_like, shape (n,)
        Whose row it is.
    times : array_like, shape (n,)
        Time of each answer.
    likelihood : {"reml", "ml"}
        Restricted or full maximum likelihood. Twice the difference of the log-likelihood from that of
        :func:`wor_eval.effects.mixed.random_intercept` tests whether slopes differ.
    names : sequence of str, length k, optional
        Names of the columns.

    Returns
    -------
    SlopeModel

    Raises
    ------
    EstimationError
        Missing or infinite values, collinear columns, times that do not vary within persons, or no convergence.

    Examples
    --------
    >>> person, time = np.repeat(np.arange(30), 4), np.tile(np.arange(4.0), 30)
    >>> rng = np.random.default_rng(1)
    >>> slope = rng.normal(0.5, 0.6, 30)
    >>> score = 20 + rng.normal(0, 2, 30)[person] + slope[person] * time + rng.normal(0, 0.5, 120)
    >>> model = random_slope(score, np.column_stack([np.ones(120), time]), person, time)
    >>> model.fit.coef.round(1), np.sqrt(np.diag(model.var_person)).round(1)
    (array([19.9,  0.4]), array([1.8, 0.5]))
    """
    rows = model_rows(
        y, X, response="real", names=names, offset=None, weights=None, clusters=(persons,), absorb=None
    )
    check_identified(rows, counts=False)
    time = finite_vector(times, "times", rows.n)
    basis = orthonormal_basis(rows)
    sums = _sums(basis.values, time, rows.clusters[0])
    scale = float(np.sqrt(basis.values[-1] @ basis.values[-1] / rows.n))
    reml = likelihood == "reml"
    theta = _best(sums, reml=reml)
    at = _profile(sums, theta, reml=reml)
    back = np.linalg.inv(basis.triangle)
    df = rows.n - rows.n_parameters if reml else rows.n
    variance = at.squares / df
    log_triangle = float(np.log(np.abs(np.diag(basis.triangle))).sum())
    deviance = at.criterion + (2 * log_triangle if reml else 0.0) + df * (1 + np.log(2 * np.pi / df))
    if scale <= 1e-10 * float(np.abs(rows.y).max()):
        raise EstimationError("the model fits every row exactly: there is no residual variance to estimate")
    factor = _factor(theta, sums.spread)
    return SlopeModel(
        fit=Fit(
            coef=basis.start + back @ at.coef,
            cov=np.asarray(variance * (back @ np.linalg.solve(at.gram, back.T)), dtype=np.float64),
            names=rows.names,
            method=f"random intercept and slope ({likelihood.upper()})",
            link="identity",
            n_obs=rows.n,
            n_clusters=0,
            n_absorbed=0,
            dispersion=variance,
            iterations=0,
            loglik=-deviance / 2,
        ),
        var_person=variance * factor @ factor.T,
        var_residual=variance,
        likelihood=likelihood,
        n_persons=rows.clusters[0].size,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sums:
    """Cross-products of columns and residual (k + 1, k + 1), and by person with (1, time): Z'Z and Z'columns."""

    whole: Floats
    inner: Floats
    cross: Floats
    spread: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _At:
    """The profiled likelihood at one factor: criterion, coefficients, cross-products, residual squares."""

    criterion: float
    coef: Floats
    gram: Floats
    squares: float


def _sums(values: Floats, time: Floats, ids: Ids) -> _Sums:
    means = ids.total(time) / ids.total(np.ones(time.size))
    within = float(((time - means[ids.codes]) ** 2).sum())
    if within <= 1e-12 * max(float(time @ time), 1e-300):
        raise EstimationError("times: nobody was asked at two times, so there is no slope to differ")
    spread = float(np.sqrt(within / time.size))
    Z = np.vstack([np.ones(time.size), time / spread])
    inner = np.stack([[ids.total(a * b) for b in Z] for a in Z])
    cross = np.stack([ids.total(values * z) for z in Z])
    return _Sums(
        whole=values @ values.T,
        inner=np.ascontiguousarray(inner.transpose(2, 0, 1)),
        cross=np.ascontiguousarray(cross.transpose(2, 0, 1)),
        spread=spread,
    )


def _factor(theta: Floats, spread: float = 1.0) -> Floats:
    """Give the lower triangle of the covariance of (intercept, slope) over the residual variance, (2, 2)."""
    return np.array([[theta[0], 0.0], [theta[1] / spread, theta[2] / spread]])


def _profile(sums: _Sums, theta: Floats, *, reml: bool) -> _At:
    """Profile coefficients and residual variance out: ``V⁻¹ = I - ZΛ (I + Λ'Z'ZΛ)⁻¹ Λ'Z'`` for each person."""
    factor = _factor(theta)
    middle = np.eye(2) + factor.T @ sums.inner @ factor
    pulled = factor.T @ sums.cross
    both = sums.whole - np.einsum("pai,paj->ij", pulled, np.linalg.solve(middle, pulled), optimize=True)
    gram, pull = both[:-1, :-1], both[:-1, -1]
    coef = np.asarray(np.linalg.solve(gram, pull), dtype=np.float64)
    residual = np.append(-coef, 1.0)
    squares = float(residual @ both @ residual)
    rows = float(sums.inner[:, 0, 0].sum())
    df = rows - coef.size if reml else rows
    criterion = df * np.log(squares) + np.linalg.slogdet(middle)[1].sum()
    if reml:
        criterion += np.linalg.slogdet(gram)[1]
    return _At(criterion=float(criterion), coef=coef, gram=gram, squares=squares)


def _best(sums: _Sums, *, reml: bool) -> Floats:
    """Minimise the criterion from several starts; the diagonal of the factor may come to lie at zero."""
    from scipy.optimize import minimize

    found = []
    for start in ((1.0, 0.0, 1.0), (1.5, -0.3, 0.2), (0.3, 0.1, 0.05)):
        simplex = minimize(
            lambda theta: _profile(sums, theta, reml=reml).criterion,
            np.array(start),
            method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": _TOLERANCE, "maxiter": 4000, "maxfev": 4000},
        )
        found.append(simplex)
    best = min(found, key=lambda one: float(one.fun))
    if not best.success:
        raise EstimationError("the model with random slopes did not converge: use a random intercept")
    return np.asarray(best.x, dtype=np.float64)
