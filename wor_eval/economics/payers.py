"""Who pays, who gains: the balance of each payer."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.economics.checked import Codes, Floats, Persons, finite, model_columns, persons
from wor_eval.economics.costs import PAYERS, TrajectoryCosts
from wor_eval.economics.intervals import Intervals, t_intervals
from wor_eval.errors import EstimationError, StudyError

ALL_PAYERS: Final = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class PayerCosts:
    """Costs of each person by payer, with and without the trajectory.

    Attributes
    ----------
    payers : tuple of str, length P + 1
        The payers, and ``all`` of them together.
    care, net : ndarray, shape (n, P + 1)
        Euros of care over the horizon, and care with the trajectory at its payer.
    referred : ndarray, shape (n,)
        1 for referred, 0 for comparison.
    years : float
        Length of the horizon.
    """

    payers: tuple[str, ...]
    care: Floats
    net: Floats
    referred: Floats
    years: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PayerBalance:
    """What each payer pays more (above zero) or less because of referral.

    Attributes
    ----------
    payers : tuple of str, length P + 1
        The payers, and ``all`` of them together.
    trajectory : ndarray, shape (P + 1,)
        Mean cost of the trajectory.
    care, net : Intervals, shape (P + 1,)
        Difference in cost of care, and that with the trajectory: the balance.
    persons, years : float
        The unit: euros per so many referred persons, over so many years.
    """

    payers: tuple[str, ...]
    trajectory: Floats
    care: Intervals
    net: Intervals
    persons: float
    years: float

    def per(self, *, persons: float = 1.0, years: float | None = None) -> PayerBalance:
        """Give the balance per so many referred persons, over so many years (as they are, when left out).

        Raises
        ------
        EstimationError
            Persons or years that are not above zero.
        """
        span = self.years if years is None else years
        if not (np.isfinite([persons, span]).all() and persons > 0 and span > 0):
            raise EstimationError("persons and years: numbers above zero are needed")
        factor = persons / self.persons * span / self.years
        return PayerBalance(
            payers=self.payers,
            trajectory=self.trajectory * factor,
            care=self.care.times(factor),
            net=self.net.times(factor),
            persons=persons,
            years=span,
        )


def payer_costs(
    care: ArrayLike,
    referred: ArrayLike,
    *,
    payers: Sequence[str],
    trajectory: TrajectoryCosts | None,
    years: float,
) -> PayerCosts:
    """Put the costs of care of each payer and the trajectory beside each other.

    Parameters
    ----------
    care : array-like, shape (n, P)
        Euros of care by payer over one horizon, in the prices of one year.
    referred : array-like, shape (n,)
        1 for referred, 0 for comparison.
    payers : sequence of str, length P
        Payer of each column.
    trajectory : TrajectoryCosts or None
        Cost of the trajectory of each person; None is refused. Time of volunteers has no payer and stays out.
    years : float
        Length of the horizon.

    Returns
    -------
    PayerCosts

    Raises
    ------
    StudyError
        No trajectory, unknown payers, or a payer without a column for what it pays.
    EstimationError
        Unusable amounts, or a payer with no costs at all: missing is not zero.

    Examples
    --------
    >>> paid = TrajectoryCosts(
    ...     paid=np.array([490.0, 0.0]), unpaid=np.zeros(2), payer="wmo", price_year=2024, source="plan"
    ... )
    >>> payer_costs([[800, 0], [900, 50]], [1, 0], payers=["zvw", "wmo"], trajectory=paid, years=1).net
    array([[ 800.,  490., 1290.],
           [ 900.,   50.,  950.]])
    """
    if trajectory is None or not trajectory.paid.any():
        raise StudyError(
            "the cost of Welzijn op Recept itself is missing: a balance without it is no balance"
        )
    amounts, arm = finite("care", care, ndim=2), finite("referred", referred, ndim=1)
    names = tuple(payers)
    if len(set(names)) != len(names) or not set(names) <= set(PAYERS):
        raise StudyError(f"payers: each of {', '.join(PAYERS)} at most once")
    if trajectory.payer not in names:
        raise StudyError(f"payer {trajectory.payer} pays the trajectory but has no column of care costs")
    if amounts.shape != (arm.size, len(names)) or trajectory.paid.shape != arm.shape:
        raise EstimationError(
            f"care of shape {amounts.shape}, {arm.size} persons, {len(names)} payers, "
            f"{trajectory.paid.size} trajectories: unequal"
        )
    empty = [name for name, column in zip(names, amounts.T, strict=True) if not column.any()]
    if empty or not (np.isfinite(years) and years > 0):
        raise EstimationError(
            f"payers without any costs: {', '.join(empty) or 'none'} (missing is not zero: leave them out); "
            "years must be above zero"
        )
    net = amounts.copy()
    net[:, names.index(trajectory.payer)] += trajectory.paid
    care_all, net_all = (np.column_stack([m, m.sum(axis=1)]) for m in (amounts, net))
    return PayerCosts(payers=(*names, ALL_PAYERS), care=care_all, net=net_all, referred=arm, years=years)


def payer_balance(
    costs: PayerCosts,
    *,
    covariates: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> PayerBalance:
    """Give what each payer pays more or less per referred person.

    The coefficient of referral in least squares of each payer's costs, with CR2 standard errors and
    Satterthwaite df; ``all`` is estimated from the sums, so its interval knows how payers move together.

    Parameters
    ----------
    costs : PayerCosts
        Costs by payer.
    covariates : array-like, shape (n, q) or (n,), optional
        Measured before the index date.
    weights, clusters : array-like, shape (n,), optional
        Positive weights of the design; practice or matched set.
    level : float, default 0.95
        Level of the intervals, between 0 and 1.

    Returns
    -------
    PayerBalance
        In euros per referred person over the horizon: see :meth:`PayerBalance.per`.

    Raises
    ------
    EstimationError
        Unusable rows or level.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> arm, care = np.arange(60) % 2, rng.gamma(0.5, 2000.0, (60, 2))
    >>> paid = TrajectoryCosts(paid=490.0 * arm, unpaid=0.0 * arm, payer="wmo", price_year=2024, source="plan")
    >>> balance = payer_balance(payer_costs(care, arm, payers=["zvw", "wmo"], trajectory=paid, years=1))
    >>> print((balance.net.estimate - balance.care.estimate).round(2), balance.per(persons=1000).trajectory[0])
    [  0. 490. 490.] 0.0
    """
    rows = payer_rows(costs, weights, clusters)
    columns = model_columns(rows.referred, covariates)
    contrast = np.eye(columns.shape[1])[1:2]
    changed = (costs.net != costs.care).any(axis=0)
    both = np.hstack([costs.care, costs.net[:, changed]])
    found = contrast_intervals(rows, both, columns, contrast=contrast, level=level)
    own = np.arange(changed.size)
    with_trajectory = np.where(changed, changed.size + np.cumsum(changed) - 1, own)
    weight = np.ones(len(columns)) if rows.weights is None else rows.weights
    extra = np.average(costs.net - costs.care, axis=0, weights=weight * rows.referred)
    return PayerBalance(
        payers=costs.payers,
        trajectory=extra,
        care=_chosen(found, own),
        net=_chosen(found, with_trajectory),
        persons=1.0,
        years=costs.years,
    )


def payer_rows(costs: PayerCosts, weights: ArrayLike | None, clusters: ArrayLike | None) -> Persons:
    """Check the persons behind costs by payer."""
    names = {f"costs of {payer}": column for payer, column in zip(costs.payers, costs.net.T, strict=True)}
    return persons(names, costs.referred, weights=weights, clusters=clusters)


def contrast_intervals(
    rows: Persons, outcomes: Floats, columns: Floats, *, contrast: Floats, level: float
) -> Intervals:
    """Give contrasts (Y,) of the regression of every outcome (n, P): shape (P, Y). Zero contrasts are zero."""
    from wor_eval.effects.small_sample import cr2_linear

    asked = contrast.any(axis=1)
    parts = []
    for outcome in outcomes.T:
        fit = cr2_linear(outcome, columns, rows.clusters, weights=rows.weights, contrasts=contrast[asked])
        parts.append(t_intervals(fit.estimate, fit.std_error, df=fit.df, level=level))
    filled = {}
    for field in dataclasses.fields(Intervals):
        table = np.full((len(parts), asked.size), 1.0 if field.name == "p_value" else 0.0)
        table[:, asked] = np.stack([getattr(part, field.name) for part in parts])
        filled[field.name] = table
    return Intervals(**filled)


def _chosen(table: Intervals, rows: Codes) -> Intervals:
    """Give the chosen rows of a table of intervals with one column."""
    return Intervals(**{f.name: getattr(table, f.name)[rows, 0] for f in dataclasses.fields(Intervals)})
