"""Well-being scores before and after: mean change, standardised effect sizes, and who improved.

The direction of a scale stands in the data dictionary: here a change is after minus before, whatever is better,
and only :func:`responders` has to be told.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.design.weighting import BoolArray, referred_mask
from wor_eval.effects.influence import finite_vector
from wor_eval.effects.model_rows import Floats
from wor_eval.effects.paired_tests import paired_t
from wor_eval.effects.quantity import Quantity, difference
from wor_eval.errors import EstimationError


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreChange:
    """Scores of the same persons before and after.

    Attributes
    ----------
    n_persons : int
        Persons with both scores.
    mean_before, mean_after, sd_before, sd_after, sd_change : float
        In points of the scale; standard deviations with n - 1.
    correlation : float
        Of the scores before and after; NaN where one of them does not vary.
    change : Quantity
        Mean of after minus before, paired t.
    response_mean : Quantity
        Standardised response mean, mean change over ``sd_change`` (Cohen's d_z).
    hedges_gz : float
        The same times ``1 - 3 / (4 (n - 1) - 1)``, for small samples.
    cohen_dav : float
        Mean change over the mean of ``sd_before`` and ``sd_after``.
    effect_size : float
        Mean change over ``sd_before`` (Kazis); infinite values are not given: NaN where it does not vary.
    """

    n_persons: int
    mean_before: float
    mean_after: float
    sd_before: float
    sd_after: float
    sd_change: float
    correlation: float
    change: Quantity
    response_mean: Quantity
    hedges_gz: float
    cohen_dav: float
    effect_size: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Responders:
    """How many improved by at least the smallest relevant change, how many worsened by it, and the rest.

    ``improved`` is the share that improved, with Wilson's interval; its ``p_value`` is NaN: zero is no
    hypothesis for a share.
    """

    n_improved: int
    n_between: int
    n_worsened: int
    improved: Quantity


def score_change(before: ArrayLike, after: ArrayLike, *, level: float = 0.95) -> ScoreChange:
    """Describe the change in a score, with its standardised sizes.

    The interval of the standardised response mean is exact for normal changes (noncentral t, as R's
    ``effectsize``), its standard error ``sqrt(1/n + d²/(2n))``, its p-value that of the paired t-test. The
    standardised sizes depend on how alike the persons are: compare them between studies with care, and
    report the change in points first. Names and formulas: Lakens 2013, doi:10.3389/fpsyg.2013.00863.

    Parameters
    ----------
    before, after : array_like, shape (n,)
        Scores of the same persons; those with one score only left out (say how many).
    level : float, default 0.95
        Level of the intervals.

    Returns
    -------
    ScoreChange

    Raises
    ------
    EstimationError
        Missing or infinite values, different shapes, fewer than two persons, or the same change for all.

    Examples
    --------
    >>> found = score_change([18, 22, 15, 20, 24, 17], [21, 22, 19, 24, 23, 20])
    >>> round(found.change.estimate, 2), round(found.response_mean.estimate, 2), round(found.effect_size, 2)
    (2.17, 1.01, 0.65)
    """
    first, second = paired_scores(before, after)
    moved = second - first
    change = paired_t(moved, level=level)
    n = first.size
    sd_before, sd_after, sd_change = (float(x.std(ddof=1)) for x in (first, second, moved))
    size = change.estimate / sd_change
    return ScoreChange(
        n_persons=n,
        mean_before=float(first.mean()),
        mean_after=float(second.mean()),
        sd_before=sd_before,
        sd_after=sd_after,
        sd_change=sd_change,
        correlation=float(np.corrcoef(first, second)[0, 1]) if sd_before and sd_after else math.nan,
        change=change,
        response_mean=_standardised(
            change, 1 / math.sqrt(n), math.sqrt(1 / n + size**2 / (2 * n)), level=level
        ),
        hedges_gz=size * (1 - 3 / (4 * (n - 1) - 1)),
        cohen_dav=2 * change.estimate / (sd_before + sd_after),
        effect_size=change.estimate / sd_before if sd_before else math.nan,
    )


def standardised_difference(score: ArrayLike, referred: ArrayLike, *, level: float = 0.95) -> Quantity:
    """Give the difference between two arms in pooled standard deviations: Hedges' g.

    ``g = J d`` with d referred minus comparison over the pooled standard deviation and J Hedges' exact factor
    for small samples. The interval is exact for normal scores (noncentral t) and multiplied by J, as R's
    ``effectsize::hedges_g``; the standard error is ``J sqrt(1/n1 + 1/n0 + d²/(2 (n1 + n0)))``; the p-value is
    that of the t-test with equal variances (Hedges 1981, doi:10.3102/10769986006002107).

    Parameters
    ----------
    score : array_like, shape (n,)
        Scores.
    referred : array_like of bool or 0/1, shape (n,)
        Arm of each person.
    level : float, default 0.95
        Level of the interval.

    Returns
    -------
    Quantity

    Raises
    ------
    EstimationError
        Missing or infinite values, an arm with fewer than two persons, or no variation.
    DesignError
        Arms other than 0 and 1, or an empty one.

    Examples
    --------
    >>> found = standardised_difference([21, 25, 19, 24, 18, 17, 22, 16], [1, 1, 1, 1, 0, 0, 0, 0])
    >>> round(found.estimate, 2), round(found.conf_low, 2), round(found.conf_high, 2)
    (1.29, -0.15, 2.65)
    """
    from scipy.special import gammaln

    arm = two_arms(referred, np.size(score))
    values = finite_vector(score, "score", arm.size)
    one, other = values[arm], values[~arm]
    n1, n0 = one.size, other.size
    df = n1 + n0 - 2
    squares = float(((one - one.mean()) ** 2).sum() + ((other - other.mean()) ** 2).sum())
    spread = math.sqrt(squares / df)
    gap = float(one.mean() - other.mean())
    root = math.sqrt(1 / n1 + 1 / n0)
    plain = difference(gap, spread * root, level=level, df=df)
    shrink = math.exp(gammaln(df / 2) - gammaln((df - 1) / 2)) / math.sqrt(df / 2)
    error = shrink * math.sqrt(root**2 + (gap / spread) ** 2 / (2 * (n1 + n0)))
    return _standardised(plain, shrink * root, error, level=level)


def responders(
    before: ArrayLike,
    after: ArrayLike,
    *,
    smallest_change: float,
    better: Literal["higher", "lower"],
    level: float = 0.95,
) -> Responders:
    """Count persons who improved or worsened by at least the smallest relevant change of an instrument.

    Persons at the end of the scale cannot improve, and measurement error makes responders too: compare with
    the share that worsened by as much.

    Parameters
    ----------
    before, after : array_like, shape (n,)
        Scores of the same persons.
    smallest_change : float
        In points of the scale, above zero.
    better : {"higher", "lower"}
        Which end of the scale is good.
    level : float, default 0.95
        Level of Wilson's interval, without continuity correction.

    Returns
    -------
    Responders

    Raises
    ------
    EstimationError
        As :func:`score_change`; a smallest change that is not above zero.

    Examples
    --------
    >>> found = responders([18, 22, 15, 20], [21, 22, 19, 16], smallest_change=3, better="higher")
    >>> found.n_improved, found.n_between, found.n_worsened
    (2, 1, 1)
    """
    from scipy.special import ndtri

    first, second = paired_scores(before, after)
    if better not in ("higher", "lower"):
        raise EstimationError("better: higher or lower is needed")
    if not (math.isfinite(smallest_change) and smallest_change > 0 and 0 < level < 1):
        raise EstimationError("smallest_change must be above zero, level between 0 and 1")
    gain = (second - first) * (1 if better == "higher" else -1)
    reached = gain - smallest_change > -1e-9 * smallest_change  # 0.3 - 0.2 is a change of 0.1
    worsened = int((gain + smallest_change < 1e-9 * smallest_change).sum())
    n, improved = gain.size, int(reached.sum())
    share, z = improved / n, float(ndtri(0.5 + level / 2))
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return Responders(
        n_improved=improved,
        n_between=n - improved - worsened,
        n_worsened=worsened,
        improved=Quantity(
            estimate=share,
            std_error=math.sqrt(share * (1 - share) / n),
            conf_low=middle - half,
            conf_high=middle + half,
            p_value=math.nan,
        ),
    )


def paired_scores(before: ArrayLike, after: ArrayLike) -> tuple[Floats, Floats]:
    """Give the scores of the same persons as floats, or refuse missing ones and different shapes."""
    n = np.size(before)
    return finite_vector(before, "before", n), finite_vector(after, "after", n)


def two_arms(referred: ArrayLike, n: int) -> BoolArray:
    """Give the arm of each of n persons as a mask; each arm must have two persons."""
    arm = referred_mask(referred, n)
    if min(int(arm.sum()), int((~arm).sum())) < 2:
        raise EstimationError("an arm has fewer than two persons: no standard error can be given")
    return arm


def _standardised(plain: Quantity, factor: float, error: float, *, level: float) -> Quantity:
    """Give t times a factor, with the limits of its noncentrality times that factor."""
    from scipy.special import nctdtrinc

    t = plain.estimate / plain.std_error
    low, high = (factor * float(nctdtrinc(plain.df, p, t)) for p in (0.5 + level / 2, 0.5 - level / 2))
    if not (math.isfinite(low) and math.isfinite(high)):
        raise EstimationError("no exact interval of the standardised change exists for these scores")
    return Quantity(
        estimate=factor * t,
        std_error=error,
        conf_low=low,
        conf_high=high,
        p_value=plain.p_value,
        df=plain.df,
    )
