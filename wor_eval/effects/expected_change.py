"""The change to be expected with no effect, from untreated persons with the same count.

People are referred at a peak, so their counts fall by themselves. How far shows in persons who had the same
count and were not referred, in the same year or one year earlier.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.cohort.wide import DAYS_PER_YEAR
from wor_eval.effects.quantity import Quantity, difference
from wor_eval.errors import EstimationError

_Floats = NDArray[np.float64]
_Codes = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedChange:
    """The observed change of the referred beside the change to be expected with no effect.

    Attributes
    ----------
    method : str
        How the expectation was found.
    n_referred, n_untreated : int
        Persons.
    n_pooled : int
        Referred persons whose count had to share a cell with other counts, because too few untreated persons
        had it. 0 for a model.
    n_beyond : int
        Referred persons with a higher count than any untreated person (of their stratum): about them the
        untreated say nothing, and the expected fall leans on lower counts or on the model.
    observed, expected, unexplained : Quantity
        Rate after minus rate before, per person-year: as seen; with no effect; and the first minus the second.
        The standard errors hold both parts: that of the referred and that of the untreated.
    """

    method: str
    n_referred: int
    n_untreated: int
    n_pooled: int
    n_beyond: int
    observed: Quantity
    expected: Quantity
    unexplained: Quantity


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowCounts:
    """Counts of the same persons in two windows, checked: made by :func:`window_counts`.

    Attributes
    ----------
    before, after : ndarray, shape (n,)
        Counts.
    days_before : float
        Length of the first window, observed in full by everyone.
    days_after : ndarray, shape (n,)
        Days observed in the second window.
    strata : ndarray, shape (n,)
        Stratum of each person.
    """

    before: _Floats
    after: _Floats
    days_before: float
    days_after: _Floats
    strata: NDArray[Any]


def window_counts(
    before: ArrayLike,
    after: ArrayLike,
    *,
    days_before: float,
    days_after: ArrayLike,
    strata: ArrayLike | None = None,
) -> WindowCounts:
    """Check the counts of persons in two windows.

    Parameters
    ----------
    before, after : array-like, shape (n,)
        Counts of each person, not negative.
    days_before : float
        Length of the first window in days, observed in full by everyone: leave the others out. Persons can only
        be compared on a count that was gathered over the same time.
    days_after : array-like, shape (n,), or one number for everyone
        Days observed in the second window, above zero.
    strata : array-like, shape (n,), optional
        Stratum of each person, such as age band with sex; everyone in one when left out.

    Returns
    -------
    WindowCounts

    Raises
    ------
    EstimationError
        Wrong shapes, missing or negative counts, or days that are not above zero.

    Examples
    --------
    >>> window_counts([12, 9], [7, 8], days_before=365, days_after=[365, 180]).days_after
    array([365., 180.])
    """
    first, second = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    shape = first.shape
    named = np.zeros(shape) if strata is None else np.asarray(strata)
    if (
        len(shape) != 1
        or second.shape != shape
        or named.shape != shape
        or np.shape(days_after) not in {(), shape}
    ):
        raise EstimationError(
            f"counts before {shape} and after {second.shape}, days after {np.shape(days_after)} and strata "
            f"{named.shape}: the same persons are needed"
        )
    days = np.broadcast_to(np.asarray(days_after, dtype=float), shape)
    bad = {name: int((~np.isfinite(v) | (v < 0)).sum()) for name, v in (("before", first), ("after", second))}
    problems = [
        f"{name}: {number} missing, infinite or negative counts" for name, number in bad.items() if number
    ]
    if not (np.isfinite(days) & (days > 0)).all() or not 0 < days_before < np.inf:
        problems.append("days: finite lengths above zero are needed; leave out persons who are not observed")
    if first.size < 2:
        problems.append(f"{first.size} persons: at least two are needed")
    if problems:
        raise EstimationError("the counts before and after cannot be used", problems=problems)
    return WindowCounts(before=first, after=second, days_before=days_before, days_after=days, strata=named)


def expected_fall_from_untreated(
    referred: WindowCounts, untreated: WindowCounts, *, minimum: int = 5, level: float = 0.95
) -> ExpectedChange:
    """Give the change of the referred that untreated persons with the same count before had.

    Estimand: the rate after that the referred would have with no effect, if within strata the count before is all
    that sets them apart: the untreated rates after, by stratum and count before, standardised directly to the
    person-time of the referred. Counts are taken one by one; from the highest down, a count with fewer than
    ``minimum`` untreated persons shares a cell with the next lower ones (``n_pooled`` says for how many referred
    persons). It is right under selection on an observed peak, and too large a fall under selection on a
    permanent level.

    Parameters
    ----------
    referred : WindowCounts
        The referred, before and after.
    untreated : WindowCounts
        Persons who were not referred, in the same windows.
    minimum : int, default 5
        Fewest untreated persons in a cell; at least 2, for a standard error.
    level : float, default 0.95
        Level of the intervals.

    Returns
    -------
    ExpectedChange

    Raises
    ------
    EstimationError
        First windows of unequal length, or a stratum of the referred with fewer than ``minimum`` untreated.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(2)
    >>> level = rng.gamma(1.0, 4.0, 4000)
    >>> counts = rng.poisson(level[:, None], (4000, 2))
    >>> peak = (counts[:, 0] >= 10) & (rng.random(4000) < 0.3)
    >>> arms = [window_counts(*counts[who].T, days_before=365, days_after=365) for who in (peak, ~peak)]
    >>> result = expected_fall_from_untreated(*arms)
    >>> print(round(result.observed.estimate, 1), round(result.expected.estimate, 1), result.n_pooled)
    -2.2 -2.0 6
    """
    return _standardised(referred, untreated, minimum=minimum, level=level, method="untreated_same_count")


def expected_fall_from_placebo_year(
    referred: WindowCounts, untreated: WindowCounts, *, minimum: int = 5, level: float = 0.95
) -> ExpectedChange:
    """Give the change that persons with the same count had one year earlier, when nobody was treated.

    The counts before of the referred are matched to counts in the *placebo* window of the population, whose rate
    in the *before* window stands for the rate after. No after-window of others is used, so that spill-over cannot
    enter; a change between calendar years is not removed.

    Both windows lie before any referral, so the population is everyone, the later-referred included and in their
    true proportion. Leaving them out takes away those who peak again: on a German panel the expected fall
    became 13.3 visits where 7.4 was seen and 7.3 expected with everyone. The later-referred alone are no
    population either: they rise to their peak.

    Parameters
    ----------
    referred : WindowCounts
        The referred, before and after.
    untreated : WindowCounts
        The population, with its placebo window as ``before`` and its before-window as ``after``.
    minimum, level
        As in :func:`expected_fall_from_untreated`.

    Returns
    -------
    ExpectedChange

    Raises
    ------
    EstimationError
        As for :func:`expected_fall_from_untreated`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(2)
    >>> counts = rng.poisson(rng.gamma(1.0, 4.0, 4000)[:, None], (4000, 3))
    >>> peak = (counts[:, 1] >= 10) & (rng.random(4000) < 0.3)
    >>> referred = window_counts(counts[peak, 1], counts[peak, 2], days_before=365, days_after=365)
    >>> everyone = window_counts(counts[:, 0], counts[:, 1], days_before=365, days_after=365)
    >>> result = expected_fall_from_placebo_year(referred, everyone)
    >>> print(round(result.observed.estimate, 1), round(result.expected.estimate, 1))
    -2.4 -2.0
    """
    return _standardised(referred, untreated, minimum=minimum, level=level, method="placebo_year")


def compare_with_expected(
    referred: WindowCounts, rates: _Floats, reference_variance: float, *, level: float
) -> tuple[Quantity, Quantity, Quantity]:
    """Give the observed, expected and unexplained change from expected rates of the referred.

    Parameters
    ----------
    referred : WindowCounts
        The referred.
    rates : ndarray, shape (n,)
        Expected rate after of each of them, per person-year.
    reference_variance : float
        Variance of the mean of those rates from the untreated, or from the fitted model.
    level : float
        Level of the intervals.

    Returns
    -------
    tuple of Quantity
        Observed, expected and unexplained change, per person-year.
    """
    years = referred.days_after / DAYS_PER_YEAR
    total = years.sum()
    scale = DAYS_PER_YEAR / referred.days_before
    base = referred.before.mean() * scale
    seen, hoped = referred.after.sum() / total, (years * rates).sum() / total
    of_base = (referred.before * scale - base) / referred.before.size
    of_seen, of_hoped = (referred.after - seen * years) / total, years * (rates - hoped) / total

    def quantity(estimate: float, influence: _Floats, variance: float) -> Quantity:
        return difference(float(estimate), float(np.sqrt((influence**2).sum() + variance)), level=level)

    return (
        quantity(seen - base, of_seen - of_base, 0.0),
        quantity(hoped - base, of_hoped - of_base, reference_variance),
        quantity(seen - hoped, of_seen - of_hoped, reference_variance),
    )


def _standardised(
    referred: WindowCounts, pool: WindowCounts, *, minimum: int, level: float, method: str
) -> ExpectedChange:
    if minimum < 2:
        raise EstimationError("minimum: at least 2 untreated persons are needed in a cell")
    if referred.days_before != pool.days_before:
        raise EstimationError(
            f"first windows of {referred.days_before} and {pool.days_before} days: counts over unequal times "
            "cannot be compared"
        )
    codes = np.unique(np.concatenate([referred.strata, pool.strata]), return_inverse=True)[1]
    ours, theirs = codes[: referred.before.size], codes[referred.before.size :]
    cells, pool_cells, pooled, beyond = _cells((referred.before, ours), (pool.before, theirs), minimum)
    rate, variance = _cell_rates(pool, pool_cells)
    days = np.bincount(cells, weights=referred.days_after, minlength=rate.size)
    observed, expected, unexplained = compare_with_expected(
        referred, rate[cells], float(((days / days.sum()) ** 2 * variance).sum()), level=level
    )
    return ExpectedChange(
        method=method,
        n_referred=referred.before.size,
        n_untreated=int(np.isin(pool_cells, cells).sum()),
        n_pooled=int(pooled.sum()),
        n_beyond=int(beyond.sum()),
        observed=observed,
        expected=expected,
        unexplained=unexplained,
    )


def _cells(
    ours: tuple[_Floats, _Codes], theirs: tuple[_Floats, _Codes], minimum: int
) -> tuple[_Codes, _Codes, NDArray[np.bool_], NDArray[np.bool_]]:
    """Give each person a cell of stratum and count, the untreated -1 outside the strata of the referred.

    Also say which of the referred share their cell with other counts, and which lie beyond all untreated.
    """
    wanted, available = np.unique(ours[1]), np.bincount(theirs[1], minlength=int(ours[1].max()) + 1)
    short = available[wanted] < minimum
    if short.any():
        raise EstimationError(
            f"{int(short.sum())} strata with {int(np.isin(ours[1], wanted[short]).sum())} referred persons hold "
            f"fewer than {minimum} untreated persons: make the strata wider"
        )
    cells, pool_cells = np.full(ours[0].size, -1), np.full(theirs[0].size, -1)
    pooled, beyond = np.zeros(ours[0].size, dtype=bool), np.zeros(ours[0].size, dtype=bool)
    for stratum in wanted:
        mine, other = ours[1] == stratum, theirs[1] == stratum
        values, at = np.unique(np.concatenate([ours[0][mine], theirs[0][other]]), return_inverse=True)
        at_mine, at_other = at[: mine.sum()], at[mine.sum() :]
        label = _from_the_top(np.bincount(at_other, minlength=values.size), minimum)
        start = int(cells.max()) + 1
        cells[mine], pool_cells[other] = start + label[at_mine], start + label[at_other]
        pooled[mine] = np.bincount(label)[label[at_mine]] > 1
        beyond[mine] = at_mine > at_other.max()
    return cells, pool_cells, pooled, beyond


def _from_the_top(numbers: _Codes, minimum: int) -> _Codes:
    """Cut values into cells, from the highest down, as soon as a cell holds enough persons."""
    label, current, held = np.zeros(numbers.size, dtype=np.intp), 0, 0
    for i in range(numbers.size - 1, -1, -1):
        label[i] = current
        held += int(numbers[i])
        if held >= minimum:
            current, held = current + 1, 0
    # What is left at the bottom joins the cell above it.
    return np.minimum(label, current - 1)


def _cell_rates(pool: WindowCounts, cells: _Codes) -> tuple[_Floats, _Floats]:
    """Give the rate per person-year of each cell, and its variance over persons."""
    known = cells >= 0
    at, after, years = cells[known], pool.after[known], pool.days_after[known] / DAYS_PER_YEAR
    persons, total = np.bincount(at), np.bincount(at, weights=years)
    rate = np.bincount(at, weights=after) / total
    squares = np.bincount(at, weights=(after - rate[at] * years) ** 2)
    return rate, persons / (persons - 1) * squares / total**2
