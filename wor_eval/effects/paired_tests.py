"""Classical tests for the same persons before and after, with R's conventions, and p-values adjusted for many.

They test; they do not estimate an effect. For costs a policy question is about the mean: no test on ranks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.effects.quantity import Quantity, difference
from wor_eval.errors import EstimationError

_Floats = NDArray[np.float64]
WilcoxonMethod = Literal["exact", "normal", "normal_corrected"]
McNemarMethod = Literal["exact", "chi2", "chi2_corrected"]
_MOST_EXACT = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedTest:
    """A test on paired persons.

    Attributes
    ----------
    method : str
        Which test.
    statistic : float
        Its statistic.
    p_value : float
        Two-sided p-value.
    n_used : int
        Persons that count: those who changed.
    """

    method: str
    statistic: float
    p_value: float
    n_used: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ExactRatio:
    """Rate ratio with its exact interval; it has no standard error, and its ends can be 0 or infinite."""

    estimate: float
    conf_low: float
    conf_high: float
    p_value: float


def paired_t(change: ArrayLike, *, level: float = 0.95) -> Quantity:
    """Estimate the mean change of persons with the paired t interval.

    Parameters
    ----------
    change : array-like, shape (n,)
        After minus before of each person, in any unit.
    level : float, default 0.95
        Level of the interval.

    Returns
    -------
    Quantity
        With ``n - 1`` degrees of freedom; ``t`` is ``estimate / std_error``.

    Raises
    ------
    EstimationError
        Unusable input, or everyone has the same change.

    Examples
    --------
    Student's sleep data, as in R's ``?t.test``.

    >>> change = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    >>> result = paired_t(change)
    >>> print(round(result.estimate / result.std_error, 4), round(result.p_value, 6))
    4.0621 0.002833
    """
    values = _changes(change)
    error = float(values.std(ddof=1)) / math.sqrt(values.size)
    return difference(float(values.mean()), error, level=level, df=values.size - 1)


def wilcoxon_signed_rank(change: ArrayLike, *, method: WilcoxonMethod) -> PairedTest:
    """Test whether changes lie symmetrically about zero, by signed ranks.

    Persons without a change are left out and ties share their mean rank, as in R's ``wilcox.test``; the statistic
    is its ``V``, the sum of the ranks of the rises. ``exact`` is the permutation distribution given the ties
    (R's ``exactRankTests``), without a normal approximation.

    Parameters
    ----------
    change : array-like, shape (n,)
        After minus before of each person. Round differences of decimal numbers first: 1.9 - 0.7 and 1.3 - 0.1
        differ in the last binary digit, and are then no ties (in R neither).
    method : {"exact", "normal", "normal_corrected"}
        How the p-value is found; the corrected one is R's default with ties, zeros or 50 persons and more.

    Returns
    -------
    PairedTest

    Raises
    ------
    EstimationError
        Unusable input, nobody changed, or more than 200 changed for the exact p-value.

    Examples
    --------
    >>> result = wilcoxon_signed_rank([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4], method="exact")
    >>> print(result.statistic, result.p_value, result.n_used)
    45.0 0.00390625 9
    """
    from scipy.stats import rankdata, wilcoxon

    values = _changes(change)
    moved = values[values != 0]
    if moved.size == 0:
        raise EstimationError("nobody changed: there is nothing to test")
    ranks = rankdata(np.abs(moved))
    statistic = float(ranks[moved > 0].sum())
    if method == "exact":
        p_value = _exact_signed_rank(ranks, statistic)
    else:
        corrected = method == "normal_corrected"
        p_value = float(wilcoxon(moved, correction=corrected, method="asymptotic").pvalue)
    return PairedTest(method=f"wilcoxon_{method}", statistic=statistic, p_value=p_value, n_used=moved.size)


def sign_test(change: ArrayLike) -> PairedTest:
    """Test whether as many persons rose as fell (exact, two-sided; persons without a change are left out).

    Parameters
    ----------
    change : array-like, shape (n,)
        After minus before of each person.

    Returns
    -------
    PairedTest
        The statistic is the number that rose.

    Raises
    ------
    EstimationError
        Unusable input, or nobody changed.

    Examples
    --------
    >>> sign_test([-1, -2, -1, 3, -1, 0]).p_value
    0.375
    """
    from scipy.stats import binomtest

    values = _changes(change)
    rose, n_used = int((values > 0).sum()), int((values != 0).sum())
    if n_used == 0:
        raise EstimationError("nobody changed: there is nothing to test")
    p_value = float(binomtest(rose, n_used).pvalue)
    return PairedTest(method="sign", statistic=float(rose), p_value=p_value, n_used=n_used)


def mcnemar_any(before: ArrayLike, after: ArrayLike, *, method: McNemarMethod) -> PairedTest:
    """Test whether the share of persons with any contact changed (McNemar).

    Longer windows hold more persons with a contact: compare windows of equal length only.

    Parameters
    ----------
    before, after : array-like, shape (n,)
        Counts of each person in two windows of equal length.
    method : {"exact", "chi2", "chi2_corrected"}
        Binomial, or chi-squared without and with continuity correction (the default of R's ``mcnemar.test``).

    Returns
    -------
    PairedTest
        The statistic is chi-squared; for ``exact`` the smaller of the two numbers that changed.

    Raises
    ------
    EstimationError
        Unusable input, or nobody changed.

    Examples
    --------
    >>> print(round(mcnemar_any([0, 2, 1, 1, 3, 1], [1, 0, 0, 0, 0, 2], method="exact").p_value, 3))
    0.375
    """
    from statsmodels.stats.contingency_tables import mcnemar

    earlier, later = _changes(before) > 0, _changes(after) > 0
    if earlier.shape != later.shape:
        raise EstimationError(f"{earlier.size} persons before and {later.size} after: they must be the same")
    appeared, vanished = int((~earlier & later).sum()), int((earlier & ~later).sum())
    if appeared + vanished == 0:
        raise EstimationError("nobody went from no contact to any or back: there is nothing to test")
    table = np.array([[int((~earlier & ~later).sum()), appeared], [vanished, int((earlier & later).sum())]])
    result: Any = mcnemar(table, exact=method == "exact", correction=method == "chi2_corrected")
    return PairedTest(
        method=f"mcnemar_{method}",
        statistic=float(result.statistic),
        p_value=float(result.pvalue),
        n_used=appeared + vanished,
    )


def exact_rate_ratio(
    events_after: int, events_before: int, time_after: float, time_before: float, *, level: float = 0.95
) -> ExactRatio:
    """Compare two Poisson counts exactly, given their total: for small numbers of contacts.

    The count after is binomial given the total; the limits are Clopper and Pearson's, the p-value adds the
    outcomes that are no likelier than the one seen, as ``poisson.test`` in R does. It takes the counts to be
    Poisson: with persons who differ from each other it is too narrow.

    Parameters
    ----------
    events_after, events_before : int
        Numbers of contacts.
    time_after, time_before : float
        Person-time, in any one unit.
    level : float, default 0.95
        Level of the interval.

    Returns
    -------
    ExactRatio

    Raises
    ------
    EstimationError
        Counts that are not whole or negative, both zero, or person-time that is not above zero.

    Examples
    --------
    >>> result = exact_rate_ratio(11, 21, 800, 3011)
    >>> print(round(result.estimate, 4), round(result.conf_low, 4), round(result.conf_high, 4))
    1.9715 0.8584 4.2773
    """
    from scipy.stats import binomtest

    if events_after < 0 or events_before < 0 or events_after % 1 or events_before % 1:
        raise EstimationError("events: whole numbers of at least 0 are needed")
    if not (0 < time_after < math.inf and 0 < time_before < math.inf and 0 < level < 1):
        raise EstimationError("person-time must be finite and above zero, level between 0 and 1")
    total = int(events_after + events_before)
    if total == 0:
        raise EstimationError("no contacts in either window: their ratio does not exist")
    test = binomtest(int(events_after), total, time_after / (time_after + time_before))
    limits = test.proportion_ci(confidence_level=level, method="exact")
    points = [
        math.inf if share == 1 else share / (1 - share) * time_before / time_after
        for share in (events_after / total, limits.low, limits.high)
    ]
    return ExactRatio(
        estimate=float(points[0]),
        conf_low=float(points[1]),
        conf_high=float(points[2]),
        p_value=float(test.pvalue),
    )


def adjust_p_values(p_values: ArrayLike, *, method: Literal["holm", "bh"]) -> _Floats:
    """Adjust p-values for the number of tests.

    Parameters
    ----------
    p_values : array-like, shape (m,)
        P-values between 0 and 1. A missing one stays missing and does not count, as in R's ``p.adjust``.
    method : {"holm", "bh"}
        Family-wise error by Holm, or the false discovery rate by Benjamini and Hochberg.

    Returns
    -------
    ndarray, shape (m,)

    Raises
    ------
    EstimationError
        A p-value outside 0 to 1, or none at all.

    Examples
    --------
    >>> adjust_p_values([0.01, 0.04, 0.03], method="holm")
    array([0.03, 0.06, 0.06])
    """
    from statsmodels.stats.multitest import multipletests

    values = np.array(p_values, dtype=float)
    known = ~np.isnan(values)
    if values.ndim != 1 or not known.any() or ((values < 0) | (values > 1)).any():
        raise EstimationError("p_values: one row of numbers between 0 and 1 is needed")
    values[known] = multipletests(values[known], method={"holm": "holm", "bh": "fdr_bh"}[method])[1]
    return values


def _exact_signed_rank(ranks: _Floats, statistic: float) -> float:
    """Add up the chances of all signs, over doubled ranks so that ties stay whole numbers."""
    if ranks.size > _MOST_EXACT:
        raise EstimationError(f"{ranks.size} persons changed: an exact p-value is given up to {_MOST_EXACT}")
    doubled = np.rint(2 * ranks).astype(int)
    chances = np.zeros(int(doubled.sum()) + 1)
    chances[0] = 1.0
    for step in doubled:
        chances[step:] = (chances[step:] + chances[: chances.size - step]) / 2
        chances[:step] /= 2
    at = round(2 * statistic)
    return float(min(1.0, 2 * min(chances[: at + 1].sum(), chances[at:].sum())))


def _changes(values: ArrayLike) -> _Floats:
    column = np.asarray(values, dtype=float)
    if column.ndim != 1 or column.size < 2:
        raise EstimationError(f"shape {column.shape}: one number for each of at least two persons is needed")
    bad = int((~np.isfinite(column)).sum())
    if bad:
        raise EstimationError(f"{bad} of {column.size} persons have a missing or infinite value")
    return column
