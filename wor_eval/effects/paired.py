"""Counts of the same persons before and after: rates, their ratio, who changed, and who carries the change.

Person-time counts: every function takes the days observed in each window. A year is 365.25 days.
None of this says what the referral did: people are referred at a peak. Show regression to the mean beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.cohort.wide import DAYS_PER_YEAR
from wor_eval.effects.quantity import Quantity, difference, ratio
from wor_eval.errors import EstimationError

_Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedRates:
    """Rates before and after in the same persons.

    Attributes
    ----------
    n_persons : int
        Persons with both windows.
    events_before, events_after, years_before, years_after : float
        Contacts and person-years.
    rate_before, rate_after : float
        Contacts per person-year.
    difference : Quantity
        Rate after minus rate before, per person-year.
    ratio : Quantity or None
        Rate after over rate before; None where one of the windows has no contacts (use
        :func:`wor_eval.effects.paired_tests.exact_rate_ratio`).
    """

    n_persons: int
    events_before: float
    events_after: float
    years_before: float
    years_after: float
    rate_before: float
    rate_after: float
    difference: Quantity
    ratio: Quantity | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ConditionalPoisson:
    """Fixed-effects Poisson rate ratio.

    Attributes
    ----------
    ratio : Quantity
        Rate after over rate before, with the person-robust standard error of its logarithm.
    model_std_error : float
        Standard error of the logarithm if the counts of a person were Poisson.
    n_informative : int
        Persons with at least one contact: the others say nothing.
    """

    ratio: Quantity
    model_std_error: float
    n_informative: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """How many persons have a lower, the same and a higher rate after than before."""

    n_fell: int
    n_stayed: int
    n_rose: int

    @property
    def shares(self) -> tuple[float, float, float]:
        """Shares of the persons: fell, stayed, rose."""
        n = self.n_fell + self.n_stayed + self.n_rose
        return self.n_fell / n, self.n_stayed / n, self.n_rose / n


@dataclass(frozen=True, kw_only=True, slots=True)
class Concentration:
    """What the persons with the largest change in the direction of the total carry.

    Attributes
    ----------
    n_persons, n_extreme, n_tied : int
        All persons; the extreme ones; persons just outside them with the same change as the last of them.
    share : float
        Their part of the total change. Above 1 when the others together moved the other way.
    mean_change, mean_change_without : float
        Mean of the personal changes, contacts per person-year, with and without them.
    """

    n_persons: int
    n_extreme: int
    n_tied: int
    share: float
    mean_change: float
    mean_change_without: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pairs:
    before: _Floats
    after: _Floats
    days_before: _Floats
    days_after: _Floats

    @property
    def change(self) -> _Floats:
        """Change in the rate of each person, per person-year."""
        return DAYS_PER_YEAR * (self.after / self.days_after - self.before / self.days_before)


def paired_rates(
    before: ArrayLike, after: ArrayLike, days_before: ArrayLike, days_after: ArrayLike, *, level: float = 0.95
) -> PairedRates:
    """Compare the rates before and after of the same persons.

    Estimand: ratio and difference of ``sum(counts) / sum(person-time)`` of the two windows. The standard error
    is linearised by person, without a small-sample factor: that of a Poisson regression or GEE with an offset and
    person-clustered HC0 errors (Liang and Zeger 1986, doi:10.1093/biomet/73.1.13), in closed form.

    Parameters
    ----------
    before, after : array-like, shape (n,)
        Counts of each person in the two windows, not negative.
    days_before, days_after : array-like, shape (n,)
        Days observed in each window, above zero: leave out persons without one of them, and say how many.
    level : float, default 0.95
        Level of the intervals, which are normal; the ratio on its logarithm.

    Returns
    -------
    PairedRates

    Raises
    ------
    EstimationError
        Unusable input, fewer than two persons, no contacts at all, or no variation.

    Examples
    --------
    >>> year = [365.25] * 6
    >>> result = paired_rates([6, 3, 9, 4, 7, 5], [4, 3, 5, 5, 3, 4], year, year)
    >>> print(round(result.difference.estimate, 3), round(result.ratio.estimate, 3))
    -1.667 0.706
    """
    pairs = _checked(before, after, days_before, days_after)
    events = pairs.before.sum(), pairs.after.sum()
    years = pairs.days_before.sum() / DAYS_PER_YEAR, pairs.days_after.sum() / DAYS_PER_YEAR
    rates = events[0] / years[0], events[1] / years[1]
    if not any(events):
        raise EstimationError("nobody has a contact in either window")
    lift = (pairs.after - rates[1] * pairs.days_after / DAYS_PER_YEAR) / years[1]
    base = (pairs.before - rates[0] * pairs.days_before / DAYS_PER_YEAR) / years[0]
    quotient = None
    if all(events):
        log_error = math.sqrt(((lift / rates[1] - base / rates[0]) ** 2).sum())
        quotient = ratio(math.log(rates[1] / rates[0]), log_error, level=level)
    return PairedRates(
        n_persons=pairs.before.size,
        events_before=float(events[0]),
        events_after=float(events[1]),
        years_before=float(years[0]),
        years_after=float(years[1]),
        rate_before=float(rates[0]),
        rate_after=float(rates[1]),
        difference=difference(float(rates[1] - rates[0]), math.sqrt(((lift - base) ** 2).sum()), level=level),
        ratio=quotient,
    )


def conditional_poisson(
    before: ArrayLike, after: ArrayLike, days_before: ArrayLike, days_after: ArrayLike, *, level: float = 0.95
) -> ConditionalPoisson:
    """Estimate the rate ratio within persons, by Poisson regression with a fixed effect for each person.

    Given the total ``n_i`` of a person, the count after is binomial with chance
    ``RR d_after / (RR d_after + d_before)``. With the same two windows for everyone this is the ratio of the
    sums. Robust standard error: HC0 over persons, right under any distribution of the counts (Wooldridge 1999,
    Journal of Econometrics 90:77-97).

    Parameters
    ----------
    before, after, days_before, days_after, level
        As in :func:`paired_rates`.

    Returns
    -------
    ConditionalPoisson

    Raises
    ------
    EstimationError
        Unusable input, or no contacts in one of the windows.

    Examples
    --------
    >>> result = conditional_poisson([6, 3, 9, 4], [4, 3, 5, 5], [365] * 4, [365, 365, 180, 365])
    >>> print(round(result.ratio.estimate, 3), result.n_informative)
    0.987 4
    """
    pairs = _checked(before, after, days_before, days_after)
    totals = pairs.before + pairs.after
    if not pairs.before.any() or not pairs.after.any():
        raise EstimationError("one of the windows has no contacts: the ratio within persons does not exist")
    log_time = np.log(pairs.days_after / pairs.days_before)
    log_ratio = math.log(
        pairs.after.sum() / pairs.days_after.sum() * pairs.days_before.sum() / pairs.before.sum()
    )
    for _ in range(50):
        chance = 1.0 / (1.0 + np.exp(-(log_ratio + log_time)))
        information = float((totals * chance * (1.0 - chance)).sum())
        step = float((pairs.after - totals * chance).sum()) / information
        log_ratio += step
        if abs(step) < 1e-12:
            break
    else:
        raise EstimationError(
            "the ratio within persons did not converge: are the windows of very unequal length?"
        )
    robust = math.sqrt(((pairs.after - totals * chance) ** 2).sum()) / information
    return ConditionalPoisson(
        ratio=ratio(log_ratio, robust, level=level),
        model_std_error=information**-0.5,
        n_informative=int((totals > 0).sum()),
    )


def changes(before: ArrayLike, after: ArrayLike, days_before: ArrayLike, days_after: ArrayLike) -> Changes:
    """Count who fell, stayed and rose, by their rates.

    Parameters
    ----------
    before, after, days_before, days_after
        As in :func:`paired_rates`.

    Returns
    -------
    Changes
        A person stayed if the two rates are exactly equal. With windows of unequal length that hardly happens
        but at zero contacts: compare the shares only between windows of equal length.

    Raises
    ------
    EstimationError
        Unusable input.

    Examples
    --------
    >>> changes([6, 3, 9, 0], [4, 6, 5, 0], [365] * 4, [365, 730, 365, 365])
    Changes(n_fell=2, n_stayed=2, n_rose=0)
    """
    pairs = _checked(before, after, days_before, days_after)
    sign = np.sign(pairs.after * pairs.days_before - pairs.before * pairs.days_after)
    return Changes(
        n_fell=int((sign < 0).sum()), n_stayed=int((sign == 0).sum()), n_rose=int((sign > 0).sum())
    )


def concentration(
    before: ArrayLike,
    after: ArrayLike,
    days_before: ArrayLike,
    days_after: ArrayLike,
    *,
    n_extreme: int | None = None,
    top_share: float | None = None,
) -> Concentration:
    """Say what part of the total change a few persons carry, and the mean change without them.

    The extreme persons are those with the largest change in rate in the direction of the total: if the total
    fell, the largest falls. Without them the mean moves as far as leaving out so many persons can move it.

    Parameters
    ----------
    before, after, days_before, days_after
        As in :func:`paired_rates`.
    n_extreme : int, optional
        How many persons; at least 1 and fewer than all.
    top_share : float, optional
        Or the share of the persons, rounded up to whole persons. Give one of the two.

    Returns
    -------
    Concentration

    Raises
    ------
    EstimationError
        Unusable input, not exactly one of the two options, or a total change of zero.

    Examples
    --------
    >>> year = [365.25] * 5
    >>> concentration([30, 5, 6, 4, 5], [10, 5, 5, 5, 3], year, year, n_extreme=1).share.__round__(3)
    0.909
    """
    pairs = _checked(before, after, days_before, days_after)
    n = pairs.before.size
    if (n_extreme is None) == (top_share is None):
        raise EstimationError("give n_extreme or top_share, one of the two")
    k = n_extreme if n_extreme is not None else math.ceil((top_share or 0.0) * n - 1e-9)
    if not 1 <= k < n:
        raise EstimationError(f"at least 1 and fewer than {n} extreme persons are needed")
    change = pairs.change
    total = float(change.sum())
    if math.isclose(total, 0.0, abs_tol=1e-9 * float(np.abs(change).sum())):
        raise EstimationError("the total change is zero: nobody can carry a part of it")
    ordered = np.sort(np.sign(total) * change)[::-1]
    carried = float(ordered[:k].sum())
    return Concentration(
        n_persons=n,
        n_extreme=k,
        n_tied=int((ordered[k:] == ordered[k - 1]).sum()),
        share=carried / abs(total),
        mean_change=total / n,
        mean_change_without=math.copysign(1.0, total) * (abs(total) - carried) / (n - k),
    )


def _checked(before: ArrayLike, after: ArrayLike, days_before: ArrayLike, days_after: ArrayLike) -> _Pairs:
    """Check the four columns together and list all that is wrong."""
    given = {"before": before, "after": after, "days_before": days_before, "days_after": days_after}
    columns = {name: np.asarray(values, dtype=float) for name, values in given.items()}
    n = columns["before"].size
    problems = []
    for name, column in columns.items():
        if column.shape != (n,):
            problems.append(f"{name}: shape {column.shape} where {n} persons are needed")
        elif not np.isfinite(column).all():
            problems.append(f"{name}: {int((~np.isfinite(column)).sum())} missing or infinite values")
        elif name.startswith("days") and (column <= 0).any():
            problems.append(f"{name}: {int((column <= 0).sum())} persons are not observed: leave them out")
        elif (column < 0).any():
            problems.append(f"{name}: {int((column < 0).sum())} negative counts")
    if n < 2:
        problems.append(f"{n} persons: at least two are needed")
    if problems:
        raise EstimationError("the counts before and after cannot be compared", problems=problems)
    return _Pairs(**columns)
