"""The propensity score: the probability of referral given the covariates, by logistic regression."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.design.sets import BoolArray, FloatArray, IntArray, check_arms, check_strata
from wor_eval.errors import DesignError, EstimationError

# Rows handled at once: small enough for the processor cache, so a million rows need no copy of the data.
_CHUNK = 8_192
_MAX_ITERATIONS = 30
# Largest last step of a coefficient (per standard deviation of its covariate); what is left is its square.
_TOLERANCE = 1e-7
# Below this share of unexplained variance a covariate counts as a combination of the others.
_COLLINEAR = 1e-10


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Propensity:
    """A fitted propensity model.

    Attributes
    ----------
    names : tuple of str
        Terms, in the order of the coefficients; ``(intercept)`` first unless there are strata.
    estimate, std_error : ndarray of float, shape (terms,)
        Log odds ratio per unit of each covariate, and its standard error (inverse information).
    score : ndarray of float, shape (n,)
        Probability of referral (0-1). Missing (NaN) for persons in strata with one arm only.
    linear : ndarray of float, shape (n,)
        Logit of the score: the linear predictor.
    n_left_out : int
        Persons in strata with one arm only, whom the model does not use.
    iterations : int
        Newton steps until convergence.
    """

    names: tuple[str, ...]
    estimate: FloatArray
    std_error: FloatArray
    score: FloatArray
    linear: FloatArray
    n_left_out: int
    iterations: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Problem:
    """The rows to fit; covariates are standardised block by block, never copied as a whole."""

    X: FloatArray
    referred: FloatArray
    codes: IntArray
    n_strata: int
    mean: FloatArray
    sd: FloatArray
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Point:
    """Intercepts (per stratum) and slopes (per standard deviation), and the likelihood's shape there.

    The information has one row per stratum and covariate; because strata do not overlap only `stratum`
    (diagonal), `cross` (strata x covariates) and `slopes` (covariates x covariates) are kept.
    """

    intercept: FloatArray
    slope: FloatArray
    log_likelihood: float
    gradient_intercept: FloatArray
    gradient_slope: FloatArray
    stratum: FloatArray
    cross: FloatArray
    slopes: FloatArray

    def reduced(self) -> FloatArray:
        """Information on the slopes once the intercepts are estimated too."""
        return self.slopes - self.cross.T @ (self.cross / self.stratum[:, None])


def fit_propensity(
    X: ArrayLike, treated: ArrayLike, *, names: Sequence[str], exact_strata: ArrayLike | None = None
) -> Propensity:
    """Fit the probability of referral by logistic regression (maximum likelihood, no penalty).

    The model is ``logit P(referred | x, g) = intercept_g + x'b``; without strata there is one intercept.

    Parameters
    ----------
    X : array_like of float, shape (n, p)
        Covariates, one column each, without a constant. Categories as 0/1 columns, one level left out.
    treated : array_like of bool, shape (n,)
        True for a referred person.
    names : sequence of str, length p
        Name of each column, for messages and the coefficient table.
    exact_strata : array_like of int, shape (n,), optional
        Codes from 0 of the strata within which persons will be matched. Each stratum then has its own
        intercept, so the slopes are those within strata, and nothing may be constant within all strata.
        Strata with one arm only say nothing about the slopes: their persons are left out, score missing.
        With only a few referred persons per stratum the slopes are too large (many intercepts for few
        events); the order of the scores within a stratum hardly changes, but prefer a model without strata.

    Returns
    -------
    Propensity

    Raises
    ------
    DesignError
        Wrong shapes, missing or infinite covariates, or an empty arm.
    EstimationError
        A covariate is constant, a combination of others, or separates the arms; the message names it.

    Notes
    -----
    Newton's method on standardised covariates in blocks of rows (iteratively reweighted least squares). The
    scores of persons with the same covariates are the same to the last bit, so ties stay ties. Rosenbaum and
    Rubin 1983, doi:10.1093/biomet/70.1.41.

    Examples
    --------
    >>> X = [[20.0], [30.0], [40.0], [50.0], [60.0], [70.0]]
    >>> fit = fit_propensity(X, [0, 0, 1, 0, 1, 1], names=["age"])
    >>> fit.names, fit.estimate.round(3), fit.std_error.round(3)
    (('(intercept)', 'age'), array([-5.463,  0.121]), array([4.259, 0.091]))
    """
    arm = check_arms(treated)
    labels = tuple(names)
    matrix = check_covariates(X, arm.size, labels)
    codes = check_strata(exact_strata, arm.size)
    both = _in_both_arms(codes, arm)
    if both.all():
        problem = _standardise(matrix, arm, codes, labels)
    else:
        problem = _standardise(matrix[both], arm[both], codes[both], labels)
    best, iterations = _climb(problem)
    slope = best.slope / problem.sd
    intercept = best.intercept - slope @ problem.mean
    linear = np.full(arm.size, np.nan)
    linear[both] = _linear(problem, intercept, slope)
    estimate, std_error, terms = slope, *_slope_errors(problem, best)
    if exact_strata is None:
        terms = ("(intercept)", *terms)
        estimate = np.concatenate([intercept, slope])
        std_error = np.concatenate([[_intercept_error(problem, best)], std_error])
    return Propensity(
        names=terms,
        estimate=estimate,
        std_error=std_error,
        score=1.0 / (1.0 + np.exp(-linear)),
        linear=linear,
        n_left_out=int(np.count_nonzero(~both)),
        iterations=iterations,
    )


def check_covariates(X: ArrayLike, n: int, names: Sequence[str]) -> FloatArray:
    """Return the covariates as floats, after checking shape, names and that every value is finite.

    Parameters
    ----------
    X : array_like of float, shape (n, p)
        Covariates.
    n : int
        Number of persons.
    names : sequence of str, length p
        Name of each column.

    Raises
    ------
    DesignError
        Wrong shape, or missing or infinite values: the message names the covariates.
    """
    matrix = np.asarray(X, dtype=np.float64)
    if matrix.shape != (n, len(names)) or not names:
        raise DesignError(
            f"the covariates must be {n} rows (persons) by {len(names)} columns (names), "
            f"not of shape {matrix.shape}"
        )
    if not np.isfinite(matrix.sum(axis=0)).all():
        n_bad = np.count_nonzero(~np.isfinite(matrix), axis=0)
        raise DesignError(
            "matching needs complete covariates: impute them or leave the persons out",
            problems=[
                f"{name}: {bad} of {n} values missing or infinite"
                for name, bad in zip(names, n_bad, strict=True)
                if bad
            ],
        )
    return matrix


def _in_both_arms(codes: IntArray, arm: BoolArray) -> BoolArray:
    """Mark the persons whose stratum holds both arms."""
    n_strata = int(codes.max()) + 1
    n_referred = np.bincount(codes[arm], minlength=n_strata)
    n_all = np.bincount(codes, minlength=n_strata)
    both = ((n_referred > 0) & (n_referred < n_all))[codes]
    if not both.any():
        raise EstimationError("no stratum holds both arms: use fewer or coarser exact columns")
    return both


def _blocks(n: int) -> Iterator[slice]:
    for begin in range(0, n, _CHUNK):
        yield slice(begin, min(begin + _CHUNK, n))


def _standardise(X: FloatArray, arm: BoolArray, codes: IntArray, names: tuple[str, ...]) -> _Problem:
    """Find the mean and standard deviation of each covariate; refuse constant ones."""
    mean = X.mean(axis=0)
    squares = np.zeros(mean.size)
    for rows in _blocks(arm.size):
        centred = X[rows] - mean
        squares += np.einsum("ij,ij->j", centred, centred)
    sd = np.sqrt(squares / arm.size)
    constant = sd <= 1e-10 * np.abs(mean)
    if constant.any():
        raise EstimationError(
            "a covariate of the propensity score is the same for everyone: leave it out",
            problems=[name for name, same in zip(names, constant, strict=True) if same],
        )
    present = np.bincount(codes) > 0
    number = np.cumsum(present) - 1
    return _Problem(
        X=X,
        referred=arm.astype(np.float64),
        codes=number[codes],
        n_strata=int(present.sum()),
        mean=mean,
        sd=sd,
        names=names,
    )


def _evaluate(problem: _Problem, intercept: FloatArray, slope: FloatArray) -> _Point:
    """Sum log likelihood, gradient and information over blocks of rows."""
    from scipy import sparse

    n_strata, p = problem.n_strata, slope.size
    value, gradient_intercept, stratum = 0.0, np.zeros(n_strata), np.zeros(n_strata)
    gradient_slope, cross, slopes = np.zeros(p), np.zeros((n_strata, p)), np.zeros((p, p))
    for rows in _blocks(problem.referred.size):
        Z = (problem.X[rows] - problem.mean) / problem.sd
        y, codes = problem.referred[rows], problem.codes[rows]
        eta = Z @ slope + intercept[codes]
        odds_against = np.exp(-eta)
        probability = 1.0 / (1.0 + odds_against)
        value += y @ eta - (eta + np.log1p(odds_against)).sum()
        residual, weight = y - probability, probability * (1.0 - probability)
        gradient_intercept += np.bincount(codes, residual, n_strata)
        gradient_slope += residual @ Z
        root = np.sqrt(weight)
        Z *= root[:, None]
        stratum += np.bincount(codes, weight, n_strata)
        membership = sparse.csc_array((root, codes, np.arange(y.size + 1)), shape=(n_strata, y.size))
        cross += membership @ Z
        slopes += Z.T @ Z
    return _Point(
        intercept=intercept,
        slope=slope,
        log_likelihood=float(value),
        gradient_intercept=gradient_intercept,
        gradient_slope=gradient_slope,
        stratum=stratum,
        cross=cross,
        slopes=slopes,
    )


def _climb(problem: _Problem) -> tuple[_Point, int]:
    """Newton's method with step halving, from no effect of any covariate."""
    n_referred = np.bincount(problem.codes, problem.referred)
    odds = n_referred / (np.bincount(problem.codes) - n_referred)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        here = _evaluate(problem, np.log(odds), np.zeros(len(problem.names)))
        _refuse_collinear(problem, here)
        for iteration in range(1, _MAX_ITERATIONS + 1):
            step = _newton_step(here)
            if step is None:
                break
            here, size = _climb_along(problem, here, step)
            if size < _TOLERANCE:
                return here, iteration
    raise _separation(problem, here)


def _newton_step(here: _Point) -> tuple[FloatArray, FloatArray] | None:
    """Return the step of the intercepts and the slopes; None where the information has vanished."""
    from scipy import linalg

    reduced = here.reduced()
    if not (np.isfinite(reduced).all() and (here.stratum > 0).all()):
        return None
    pull = here.gradient_slope - here.cross.T @ (here.gradient_intercept / here.stratum)
    try:
        slope = linalg.cho_solve(linalg.cho_factor(reduced), pull)
    except linalg.LinAlgError:
        return None
    return (here.gradient_intercept - here.cross @ slope) / here.stratum, slope


def _climb_along(
    problem: _Problem, here: _Point, step: tuple[FloatArray, FloatArray]
) -> tuple[_Point, float]:
    """Take the step, or the largest half, quarter, … of it that does not lower the likelihood."""
    slack = 1e-12 * abs(here.log_likelihood)
    for halvings in range(_MAX_ITERATIONS):
        share = 0.5**halvings
        there = _evaluate(problem, here.intercept + share * step[0], here.slope + share * step[1])
        if there.log_likelihood >= here.log_likelihood - slack:
            break
    size = max(float(np.abs(part).max()) for part in step)
    return there, share * size


def _refuse_collinear(problem: _Problem, start: _Point) -> None:
    """Raise for covariates that are a combination of earlier ones, or constant within every stratum."""
    reduced, total = start.reduced(), np.diag(start.slopes)
    found: list[str] = []
    kept: list[int] = []
    for j, name in enumerate(problem.names):
        left, partners = reduced[j, j], ""
        if kept:
            beta = np.linalg.solve(reduced[np.ix_(kept, kept)], reduced[kept, j])
            left -= reduced[kept, j] @ beta
            partners = ", ".join(
                problem.names[k]
                for k, b in zip(kept, beta, strict=True)
                if abs(b) * np.sqrt(total[k] / total[j]) > 1e-6
            )
        if left > _COLLINEAR * total[j]:
            kept.append(j)
        elif partners:
            found.append(f"{name}: a combination of {partners}")
        else:
            found.append(f"{name}: the same for everyone within each stratum")
    if found:
        raise EstimationError(
            "the propensity score cannot tell these covariates apart: leave out", problems=found
        )


def _separation(problem: _Problem, here: _Point) -> EstimationError:
    """Return the error for a model without a maximum, with the covariates that separate the arms."""
    arm = problem.referred == 1
    one, other = problem.X[arm], problem.X[~arm]
    apart = (one.min(axis=0) >= other.max(axis=0)) | (one.max(axis=0) <= other.min(axis=0))
    finite = np.nan_to_num(np.abs(here.slope), nan=np.inf)
    together = finite >= 0.1 * finite.max()
    word = "separates the arms" if apart.any() else "may separate the arms together with the others here"
    return EstimationError(
        "the propensity score has no maximum-likelihood estimate: covariates tell the arms apart, wholly or for "
        "some persons. Leave them out or make them coarser, or restrict both arms to where they overlap",
        problems=[
            f"{name}: {word}"
            for name, bad in zip(problem.names, apart if apart.any() else together, strict=True)
            if bad
        ],
    )


def _linear(problem: _Problem, intercept: FloatArray, slope: FloatArray) -> FloatArray:
    """Add up the linear predictor term by term, so that equal rows give equal bits in every block."""
    linear = intercept[problem.codes]
    for rows in _blocks(linear.size):
        block = problem.X[rows]
        for j, b in enumerate(slope):
            linear[rows] += block[:, j] * b
    return linear


def _slope_errors(problem: _Problem, best: _Point) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the standard error of each slope in the unit of its covariate, and the names."""
    return np.sqrt(np.diag(np.linalg.inv(best.reduced()))) / problem.sd, problem.names


def _intercept_error(problem: _Problem, best: _Point) -> float:
    """Return the standard error of the single intercept, at covariates zero."""
    lever = best.cross[0] / best.stratum[0] + problem.mean / problem.sd
    return float(np.sqrt(1.0 / best.stratum[0] + lever @ np.linalg.inv(best.reduced()) @ lever))
