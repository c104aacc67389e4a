"""What more research is worth: perfect information for persons still to come, and about one parameter."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.economics.acceptability import acceptability
from wor_eval.economics.checked import Floats, finite, strategy_draws
from wor_eval.economics.guideline import Guideline, discount_factors
from wor_eval.errors import EstimationError, StudyError

_KNOTS = 7
_FEW_VALUES = 10


def normal_evpi(estimate: ArrayLike, std_error: ArrayLike) -> Floats:
    """Give the value of perfect information from a normal net benefit of two strategies.

    ``s phi(m / s) - |m| Phi(-|m| / s)``, the unit normal loss (Claxton 1999,
    doi:10.1016/S0167-6296(98)00039-3): what :func:`wor_eval.economics.acceptability.acceptability` tends to with
    many normal draws.

    Parameters
    ----------
    estimate, std_error : array-like, shape (K,)
        Incremental net benefit in euros per person at each threshold.

    Returns
    -------
    ndarray, shape (K,)
        Euros per person.

    Raises
    ------
    EstimationError
        Missing or infinite values, or a standard error that is not positive.

    Examples
    --------
    >>> print(normal_evpi([0.0, 100.0], [100.0, 100.0]).round(1))
    [39.9  8.3]
    """
    from scipy.special import ndtr

    mean, error = finite("estimate", estimate, ndim=1), finite("std_error", std_error, ndim=1)
    if mean.shape != error.shape or (error <= 0).any():
        raise EstimationError("std_error: one positive number for each estimate is needed")
    z = np.abs(mean) / error
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(error * density - np.abs(mean) * ndtr(-z))


def population_value(
    per_person: ArrayLike, *, persons_per_year: float, years: int, guideline: Guideline | None = None
) -> Floats:
    """Multiply a value per person by the persons whom the decision will concern.

    Persons of later years are discounted at the rate for costs, the first year not.

    Parameters
    ----------
    per_person : array-like, shape (K,)
        For instance the value of perfect information, in euros per person.
    persons_per_year : float
        Persons eligible in each year, above 0.
    years : int
        Years for which the decision stands, at least 1.
    guideline : Guideline, optional
        Needed with more than one year: discount rates are not given without an edition.

    Returns
    -------
    ndarray, shape (K,)
        Euros.

    Raises
    ------
    EstimationError
        Missing or infinite values, no persons, or no years.
    StudyError
        More than one year without a guideline.

    Examples
    --------
    >>> population_value([4.0], persons_per_year=1000, years=1)
    array([4000.])
    """
    value = finite("per_person", per_person, ndim=1)
    if not (np.isfinite(persons_per_year) and persons_per_year > 0) or years < 1:
        raise EstimationError("persons_per_year and years: numbers above zero are needed")
    if years > 1 and guideline is None:
        raise StudyError(f"{years} years need discounting: name the edition of the guideline")
    factors = np.ones(1) if guideline is None else discount_factors(years, rate=guideline.costs)
    return np.asarray(value * persons_per_year * factors.sum())


def partial_information(
    cost: ArrayLike, effect: ArrayLike, parameter: ArrayLike, *, thresholds: ArrayLike
) -> Floats:
    """Give the expected value of perfect information about one parameter (EVPPI).

    Cost and effect of each strategy are regressed on the parameter; the value is that of perfect information
    among the fitted values (Strong, Oakley and Brennan 2014, doi:10.1177/0272989X13505910). The regression is
    :func:`conditional_means`. It is linear, so one fit serves every threshold. Noise that is fitted adds a
    little: with R draws about ``6 / R`` of the variance of the net benefit is taken for signal.

    Parameters
    ----------
    cost, effect : array-like, shape (R, S) or (R,)
        Joint draws by strategy, or differences from one alternative.
    parameter : array-like, shape (R,)
        The value of the parameter in each draw.
    thresholds : array-like, shape (K,)
        Euros per unit of effect, not negative.

    Returns
    -------
    ndarray, shape (K,)
        Euros per person, never above the value of information about everything.

    Raises
    ------
    EstimationError
        As for :func:`wor_eval.economics.acceptability.acceptability`, or a parameter that does not vary.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> price, health = rng.normal(100, 30, 4000), rng.normal(0.005, 0.001, 4000)
    >>> print(partial_information(price, health, price, thresholds=[20_000]).round(1))
    [11.6]
    >>> print(partial_information(price, health, health, thresholds=[20_000]).round(1))
    [7.6]
    """
    costs, effects = strategy_draws(cost, effect)
    values = finite("parameter", parameter, ndim=1)
    if values.size != len(costs):
        raise EstimationError(f"{values.size} values of the parameter beside {len(costs)} draws")
    fitted = conditional_means(np.hstack([costs, effects]), values)
    s = costs.shape[1]
    about_one = acceptability(fitted[:, :s], fitted[:, s:], thresholds).evpi
    return np.minimum(about_one, acceptability(costs, effects, thresholds).evpi)


def conditional_means(outcomes: Floats, parameter: Floats) -> Floats:
    """Give the mean of each outcome given the parameter.

    Means by value where the parameter takes at most 10 values, else least squares on a natural cubic spline
    with 7 knots at equally spaced quantiles.

    Parameters
    ----------
    outcomes : ndarray, shape (R, m)
        Draws.
    parameter : ndarray, shape (R,)
        The parameter in each draw.

    Returns
    -------
    ndarray, shape (R, m)

    Raises
    ------
    EstimationError
        The parameter does not vary, or there are fewer than 100 draws.

    Examples
    --------
    >>> x = np.linspace(0, 1, 200)
    >>> bool(np.allclose(conditional_means(np.column_stack([3 * x]), x)[:, 0], 3 * x))
    True
    """
    if len(parameter) < 100:
        raise EstimationError(f"{len(parameter)} draws: at least 100 are needed to regress on a parameter")
    values, codes, sizes = np.unique(parameter, return_inverse=True, return_counts=True)
    if values.size < 2:
        raise EstimationError("the parameter has the same value in every draw: information is worth nothing")
    if values.size <= _FEW_VALUES:
        means = np.stack([np.bincount(codes, weights=column) / sizes for column in outcomes.T], axis=1)
        return np.asarray(means[codes])
    basis, _ = np.linalg.qr(_natural_spline(parameter))
    return np.asarray(basis @ (basis.T @ outcomes))


def _natural_spline(x: Floats) -> Floats:
    """Give the columns (R, knots) of a natural cubic spline: linear beyond the outer knots."""
    knots = np.unique(np.quantile(x, np.linspace(0, 1, _KNOTS)))
    knots = (knots - knots[0]) / (knots[-1] - knots[0])
    u = (x - x.min()) / (x.max() - x.min())
    cubes = np.maximum(u[:, None] - knots, 0.0) ** 3
    bent = (cubes[:, :-1] - cubes[:, -1:]) / (knots[-1] - knots[:-1])
    return np.column_stack([np.ones(u.size), u, bent[:, :-1] - bent[:, -1:]])
