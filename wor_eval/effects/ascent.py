"""Newton's method for a concave likelihood in a few coefficients: logistic and Cox regression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from wor_eval.effects.model_rows import Floats
from wor_eval.errors import EstimationError

_MAX_STEPS = 60
# Squared length of a step in standard errors per row: the step is below 1e-9 of one standard error.
_CONVERGED = 1e-18
_STALLED = 1e-12
# Where the information on a coefficient falls to this share of what it was at zero, it has no finite value.
_VANISHED = 1e-7

Evaluate: TypeAlias = Callable[[Floats], "Point"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """Log-likelihood, score (k,) and information (k, k) at coefficients (k,)."""

    coef: Floats
    loglik: float
    score: Floats
    information: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Top:
    """Where the likelihood is highest, the likelihood at zero, and the number of steps."""

    at: Point
    loglik_zero: float
    iterations: int


def maximise(evaluate: Evaluate, names: Sequence[str], *, model: str) -> Top:
    """Climb from coefficients of zero, halving steps that do not rise.

    Parameters
    ----------
    evaluate : callable
        From coefficients (k,) to a Point. Columns are best standardised.
    names : sequence of str, length k
        Names of the coefficients, for messages.
    model : str
        Name of the model, for messages.

    Returns
    -------
    Top

    Raises
    ------
    EstimationError
        A singular information matrix, coefficients that run to infinity, or no convergence.
    """
    first = here = evaluate(np.zeros(len(names)))
    last = np.inf
    for iteration in range(1, _MAX_STEPS + 1):
        step, length = _step(here, first, names, model=model)
        if length <= _CONVERGED or last <= length <= _STALLED:
            return Top(at=here, loglik_zero=first.loglik, iterations=iteration)
        last = length
        for halving in range(30):
            there = evaluate(here.coef + step / 2**halving)
            if there.loglik >= here.loglik - 1e-12 * abs(here.loglik):
                break
        else:
            break
        here = there
    raise EstimationError(f"{model}: no convergence after {_MAX_STEPS} steps")


def _step(here: Point, first: Point, names: Sequence[str], *, model: str) -> tuple[Floats, float]:
    """Newton step and its squared length in standard errors."""
    size, before = np.diag(here.information), np.diag(first.information)
    gone = ~(size > _VANISHED * before) | ~np.isfinite(here.coef)
    if gone.any():
        raise EstimationError(
            f"{model}: columns that tell the events apart from the others (or have hardly any events) have no "
            "finite coefficient; leave them out or merge levels",
            problems=[name for name, bad in zip(names, gone, strict=True) if bad],
        )
    scale = np.sqrt(size)
    try:
        triangle = np.linalg.cholesky(here.information / np.outer(scale, scale))
    except np.linalg.LinAlgError as error:
        raise EstimationError(
            f"{model}: the information matrix is singular: columns are nearly collinear, or together they tell "
            "the events apart from the others"
        ) from error
    half = np.linalg.solve(triangle, here.score / scale)
    step = np.asarray(np.linalg.solve(triangle.T, half) / scale, dtype=np.float64)
    return step, float(half @ half)
