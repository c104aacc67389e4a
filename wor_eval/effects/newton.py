"""Newton iterations of a generalised linear model whose absorbed group effects have a closed form."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from wor_eval.effects.covariance import Information, row_information
from wor_eval.effects.model_rows import Floats, ModelRows
from wor_eval.errors import EstimationError

MAX_STEPS = 60
# Squared length of a Newton step in standard errors, for unit weights: the step is below 1e-9 of one.
CONVERGED = 1e-18
# Where rounding keeps the step from getting shorter, 1e-5 of a standard error is still good enough.
_STALLED = 1e-10
# A dispersion below this, in its unit, is rounding.
EXACT = 1e-20


class Family(Enum):
    """Variance and link of the response: Poisson (log), gamma (log), normal (identity)."""

    POISSON = "Poisson regression (log link)"
    GAMMA = "gamma regression (log link)"
    LINEAR = "linear regression"

    def mean(self, eta: Floats) -> Floats:
        """Mean of the response at linear predictor (n,)."""
        return eta if self is Family.LINEAR else np.exp(eta)

    def residual(self, y: Floats, mu: Floats) -> Floats:
        """Score of each row on its linear predictor, (n,)."""
        return (y - mu) / mu if self is Family.GAMMA else y - mu

    def observed(self, y: Floats, mu: Floats) -> Floats:
        """Minus the second derivative of the log-likelihood in the linear predictor, (n,)."""
        if self is Family.POISSON:
            return mu
        return y / mu if self is Family.GAMMA else np.ones_like(mu)

    def expected(self, mu: Floats) -> Floats:
        """Its expectation, (n,)."""
        return mu if self is Family.POISSON else np.ones_like(mu)

    def variance(self, mu: Floats) -> Floats:
        """Variance function of the mean, (n,)."""
        if self is Family.POISSON:
            return mu
        return mu**2 if self is Family.GAMMA else np.ones_like(mu)

    def objective(self, y: Floats, eta: Floats, mu: Floats) -> Floats:
        """Log-likelihood of each row up to terms without eta, (n,)."""
        if self is Family.POISSON:
            return y * eta - mu
        return -y / mu - eta if self is Family.GAMMA else -((y - mu) ** 2) / 2

    def group_effect(self, rows: ModelRows, eta: Floats) -> Floats:
        """Effect of each absorbed group that maximises the likelihood at predictor eta without it, (m,)."""
        total, w = rows.absorbed.total, rows.weights
        if self is Family.POISSON:
            return np.log(total(w * rows.y)) - np.log(total(w * np.exp(eta)))
        if self is Family.GAMMA:
            return np.log(total(w * rows.y * np.exp(-eta))) - np.log(total(w))
        return total(w * (rows.y - eta)) / total(w)


@dataclass(frozen=True, kw_only=True, slots=True)
class Solution:
    """Where the iterations ended.

    Attributes
    ----------
    coef : ndarray, shape (k,)
        Coefficients.
    effects : ndarray, shape (m,)
        Effects of the absorbed groups.
    eta, mu : ndarray, shape (n,)
        Linear predictor (offset included) and mean.
    iterations : int
        Newton steps.
    """

    coef: Floats
    effects: Floats
    eta: Floats
    mu: Floats
    iterations: int


def not_converged(model: str) -> EstimationError:
    """Error for iterations that did not end."""
    return EstimationError(
        f"{model}: no convergence after {MAX_STEPS} steps; look for columns on very different scales, extreme "
        "offsets or weights, or levels with almost no events"
    )


def exact_fit() -> EstimationError:
    """Error for residuals that are rounding only: any standard error from them is zero or noise."""
    return EstimationError(
        "the model fits every row exactly, so nothing is left to estimate a standard error from; "
        "use fewer columns or groups"
    )


def solve(rows: ModelRows, family: Family, *, converged: float = CONVERGED) -> tuple[Solution, Information]:
    """Maximise the likelihood by Newton steps with halving; group effects are profiled out exactly.

    Parameters
    ----------
    rows : ModelRows
        The checked rows.
    family : Family
        Variance and link.
    converged : float
        Squared length of the step, in standard errors, at which to stop.

    Returns
    -------
    Solution
        Where the likelihood is highest.
    Information
        The observed information there.

    Raises
    ------
    EstimationError
        No convergence.
    """
    at = _at(rows, family, _start(rows, family), iterations=0)
    value, last = _value(rows, family, at), np.inf
    unit = float(rows.y @ rows.y) / rows.n if family is Family.LINEAR else 0.0  # variances are in units of y²
    for iteration in range(1, MAX_STEPS + 1):
        information = row_information(rows, rows.weights * family.observed(rows.y, at.mu))
        score = rows.score(rows.weights * family.residual(rows.y, at.mu))
        step, _, length = newton_step(information, score, np.zeros(at.effects.size))
        if settled(rows, length / (unit or 1.0), last, converged=converged):
            return at, information
        last = length / (unit or 1.0)
        proposal, value = _halving(rows, family, at, (step, value, iteration))
        if proposal is None:
            break
        at = proposal
    raise not_converged(family.value)


def settled(rows: ModelRows, length: float, last: float, *, converged: float = CONVERGED) -> bool:
    """Say whether a step of this squared length, after one of length `last`, is the end."""
    scale = float(rows.weights.mean())
    return length <= converged * scale or (last <= length <= _STALLED * scale)


def _start(rows: ModelRows, family: Family) -> Floats:
    """Coefficients of one weighted least-squares step from means halfway between y and the overall rate."""
    if family is Family.LINEAR:
        return np.zeros(len(rows.columns))
    exposure = np.exp(rows.offset - rows.offset.max())
    rate = np.dot(rows.weights, rows.y) / np.dot(rows.weights, exposure)
    mu = (rows.y + rate * exposure) / 2
    response = np.log(mu) - rows.offset + (rows.y - mu) / mu
    weight = rows.weights * family.expected(mu)
    information = row_information(rows, weight)
    pull = weight * response
    return newton_step(information, rows.score(pull), rows.group_total(pull))[0]


def _at(rows: ModelRows, family: Family, coef: Floats, *, iterations: int) -> Solution:
    eta = rows.predictor(coef)
    effects = np.zeros(0)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        if rows.absorbed.size:
            effects = family.group_effect(rows, eta)
            eta = eta + effects[rows.absorbed.codes]
        mu = family.mean(eta)
    return Solution(coef=coef, effects=effects, eta=eta, mu=mu, iterations=iterations)


def _value(rows: ModelRows, family: Family, at: Solution) -> float:
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # a step too far is halved
        return float(np.dot(rows.weights, family.objective(rows.y, at.eta, at.mu)))


def newton_step(information: Information, score: Floats, group_score: Floats) -> tuple[Floats, Floats, float]:
    """Newton step of coefficients and groups, and its squared length; a singular matrix is refused."""
    try:
        return information.step(score, group_score)
    except np.linalg.LinAlgError as error:
        raise EstimationError(
            "the information matrix is singular: columns are nearly collinear, or some have almost no events"
        ) from error


def _halving(
    rows: ModelRows, family: Family, at: Solution, move: tuple[Floats, float, int]
) -> tuple[Solution | None, float]:
    """Go along the step, halved until the likelihood does not fall."""
    step, value, iteration = move
    for halving in range(30):
        proposal = _at(rows, family, at.coef + step / 2**halving, iterations=iteration)
        proposed = _value(rows, family, proposal)
        if proposed >= value - 1e-12 * abs(value):
            return proposal, proposed
    return None, value
