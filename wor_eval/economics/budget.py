"""The budget of the years to come: what a scenario of referral costs or spares each payer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.economics.checked import Floats, Persons, finite, model_columns
from wor_eval.economics.intervals import Intervals
from wor_eval.economics.payers import PayerCosts, contrast_intervals, payer_rows
from wor_eval.errors import EstimationError, StudyError

_LONGEST_YEAR = 1.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Uptake:
    """A scenario: which share of the eligible is referred in each year.

    Attributes
    ----------
    bands : tuple of str, length B
        Age bands.
    eligible : ndarray, shape (B,)
        Persons eligible in a year.
    share, compared_with : ndarray, shape (Y, B)
        Share of them referred in each year, and in the scenario it is compared with.
    """

    bands: tuple[str, ...]
    eligible: Floats
    share: Floats
    compared_with: Floats

    @property
    def extra_referred(self) -> Floats:
        """Persons referred more than in the other scenario, shape (Y, B)."""
        return (self.share - self.compared_with) * self.eligible


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetImpact:
    """What a scenario costs (above zero) or spares each payer, undiscounted, in constant prices.

    Attributes
    ----------
    payers : tuple of str, length P + 1
        The payers, and ``all`` of them together.
    bands : tuple of str, length B
        Age bands.
    extra_referred : ndarray, shape (Y, B)
        Persons referred more than in the scenario it is compared with.
    limits : Intervals, shape (P + 1, Y + 1)
        Euros by payer and year; the last column is all years together.
    """

    payers: tuple[str, ...]
    bands: tuple[str, ...]
    extra_referred: Floats
    limits: Intervals


def uptake(
    bands: Sequence[str], *, eligible: ArrayLike, share: ArrayLike, compared_with: ArrayLike | None = None
) -> Uptake:
    """Describe a scenario: which share of the eligible is referred in each year, by age band.

    Parameters
    ----------
    bands : sequence of str, length B
        Age bands.
    eligible : array-like, shape (B,)
        Persons eligible in a year, above 0.
    share : array-like, shape (Y, B)
        Share referred in each year: see :func:`stepwise`.
    compared_with : array-like, shape (Y, B), optional
        Share in the scenario it is compared with; nobody, when left out.

    Returns
    -------
    Uptake

    Raises
    ------
    StudyError
        Shares outside [0, 1], no eligible persons, unequal shapes, or scenarios that do not differ.

    Examples
    --------
    >>> more = uptake(["18-64", "65+"], eligible=[4000, 2000], share=stepwise([0.01, 0.02], [0.05, 0.02], years=5))
    >>> more.extra_referred[:, 0]
    array([ 40.,  80., 120., 160., 200.])
    """
    people, mine = finite("eligible", eligible, ndim=1), finite("share", share, ndim=2)
    other = np.zeros_like(mine) if compared_with is None else finite("compared_with", compared_with, ndim=2)
    if people.size != len(bands) or mine.shape[1] != len(bands) or other.shape != mine.shape:
        raise StudyError(
            f"{len(bands)} bands, {people.size} numbers of eligible, shares {mine.shape} and {other.shape}: unequal"
        )
    if (people <= 0).any():
        raise StudyError(f"eligible: {int((people <= 0).sum())} bands have no eligible persons")
    outside = int(((mine < 0) | (mine > 1)).sum() + ((other < 0) | (other > 1)).sum())
    if outside or (mine == other).all():
        raise StudyError(f"share: {outside} values lie outside [0, 1], or both scenarios are the same")
    return Uptake(bands=tuple(bands), eligible=people, share=mine, compared_with=other)


def stepwise(first: ArrayLike, last: ArrayLike, *, years: int = 5) -> Floats:
    """Give shares that grow by equal steps from the first year to the last.

    Parameters
    ----------
    first, last : array-like, shape (B,)
        Share referred in the first and in the last year, by band.
    years : int, default 5
        Number of years, at least 2.

    Returns
    -------
    ndarray, shape (years, B)

    Raises
    ------
    StudyError
        Fewer than two years, or unequal lengths.

    Examples
    --------
    >>> stepwise([0.01], [0.03], years=3)[:, 0].round(3)
    array([0.01, 0.02, 0.03])
    """
    start, end = finite("first", first, ndim=1), finite("last", last, ndim=1)
    if years < 2 or start.shape != end.shape:
        raise StudyError("stepwise growth: two years or more, and one share per band at both ends")
    return np.linspace(start, end, years)


def budget_impact(
    costs: PayerCosts,
    age_band: ArrayLike,
    *,
    scenario: Uptake,
    covariates: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> BudgetImpact:
    """Give the budget impact of a scenario for each payer and year.

    ``sum_b (extra referred in band b) x (net cost per referred person of band b)``: a contrast of one regression
    with an intercept and a coefficient of referral for each band, so that its CR2 t interval knows that bands
    share practices. Undiscounted (Sullivan et al. 2014, doi:10.1016/j.jval.2013.08.2291). All costs of a person
    fall in the year of referral and nothing is counted after the horizon.

    Parameters
    ----------
    costs : PayerCosts
        Costs by payer over a horizon of at most a year.
    age_band : array-like, shape (n,)
        Band of each person: one of those of the scenario.
    scenario : Uptake
        Persons referred by year and band.
    covariates : array-like, shape (n, q) or (n,), optional
        Measured before the index date.
    weights, clusters : array-like, shape (n,), optional
        Positive weights of the design; practice or matched set.
    level : float, default 0.95
        Level of the intervals, between 0 and 1.

    Returns
    -------
    BudgetImpact

    Raises
    ------
    StudyError
        A horizon of more than a year, or bands that are not those of the scenario.
    EstimationError
        Unusable rows, or a band with fewer than two persons in an arm.

    Examples
    --------
    >>> from wor_eval.economics.costs import TrajectoryCosts
    >>> from wor_eval.economics.payers import payer_costs
    >>> rng = np.random.default_rng(0)
    >>> arm, band = np.arange(80) % 2, np.repeat(["18-64", "65+"], 40)
    >>> paid = TrajectoryCosts(paid=490.0 * arm, unpaid=0.0 * arm, payer="wmo", price_year=2024, source="plan")
    >>> costs = payer_costs(rng.gamma(1, 900.0, (80, 1)), arm, payers=["wmo"], trajectory=paid, years=1)
    >>> plan = uptake(["18-64", "65+"], eligible=[4000, 2000], share=stepwise([0.01, 0.02], [0.05, 0.02]))
    >>> budget_impact(costs, band, scenario=plan).limits.estimate.shape
    (2, 6)
    """
    return budget_impacts(
        costs,
        age_band,
        scenarios=[scenario],
        covariates=covariates,
        weights=weights,
        clusters=clusters,
        level=level,
    )[0]


def budget_impacts(
    costs: PayerCosts,
    age_band: ArrayLike,
    *,
    scenarios: Sequence[Uptake],
    covariates: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> list[BudgetImpact]:
    """Give the budget impact of several scenarios of the same bands, from one regression per payer.

    Parameters
    ----------
    costs, age_band, covariates, weights, clusters, level
        As for :func:`budget_impact`.
    scenarios : sequence of Uptake
        At least one.

    Returns
    -------
    list of BudgetImpact
        In the order of the scenarios.

    Raises
    ------
    StudyError, EstimationError
        As for :func:`budget_impact`; also for no scenarios, or scenarios of other bands.
    """
    if costs.years > _LONGEST_YEAR:
        raise StudyError(f"a horizon of {costs.years:.1f} years cannot be placed in the year of referral")
    if len({scenario.bands for scenario in scenarios}) != 1:
        raise StudyError(f"{len(scenarios)} scenarios: at least one, all of the same age bands, is needed")
    rows, names = payer_rows(costs, weights, clusters), scenarios[0].bands
    member = _member(np.asarray(age_band), rows, names)
    covered = model_columns(rows.referred, covariates)[:, 2:]
    columns = np.hstack([member, member * rows.referred[:, None], covered])
    contrasts = [_by_year(scenario, columns.shape[1]) for scenario in scenarios]
    limits = contrast_intervals(rows, costs.net, columns, contrast=np.vstack(contrasts), level=level)
    ends = np.cumsum([len(contrast) for contrast in contrasts])
    return [
        BudgetImpact(
            payers=costs.payers,
            bands=names,
            extra_referred=scenario.extra_referred,
            limits=limits.columns(slice(end - len(contrast), end)),
        )
        for scenario, contrast, end in zip(scenarios, contrasts, ends, strict=True)
    ]


def _member(bands: NDArray[Any], rows: Persons, names: tuple[str, ...]) -> Floats:
    """Give a column for each age band, shape (n, B), or refuse bands that are unknown or too small."""
    if bands.shape != rows.referred.shape or not np.isin(bands, names).all():
        raise StudyError(f"age_band: one of {', '.join(names)} for each person is needed")
    member = np.column_stack([bands == band for band in names]).astype(float)
    small = [
        band
        for band, inside in zip(names, member.T, strict=True)
        if min((inside * rows.referred).sum(), (inside * (1 - rows.referred)).sum()) < 2
    ]
    if small:
        raise EstimationError(f"bands with fewer than two persons in an arm: {', '.join(small)}")
    return member


def _by_year(scenario: Uptake, n_columns: int) -> Floats:
    """Give the contrasts of one scenario: each year, and all years together, shape (Y + 1, columns)."""
    extra, n_bands = scenario.extra_referred, len(scenario.bands)
    contrast = np.zeros((len(extra) + 1, n_columns))
    contrast[:-1, n_bands : 2 * n_bands] = extra
    contrast[-1] = contrast[:-1].sum(axis=0)
    return contrast
