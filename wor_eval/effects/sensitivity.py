"""How strong would an unmeasured cause have to be? E-values, and Rosenbaum's bounds for matched pairs."""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, log, sqrt
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.design.weighting import BoolArray, FloatArray, referred_mask
from wor_eval.effects.influence import finite_vector
from wor_eval.errors import EstimationError

EffectScale = Literal[
    "risk_ratio",
    "rate_ratio",
    "odds_ratio",
    "odds_ratio_common",
    "hazard_ratio",
    "hazard_ratio_common",
    "mean_difference",
]

# Up to this many pairs the signed-rank distribution is computed in full; above it the normal is close.
EXACT_PAIRS = 200

# 97.5 % point of the normal distribution: an interval of 95 % has this many standard errors on each side.
NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, kw_only=True, slots=True)
class EValue:
    """E-values of an estimate and of its interval.

    Parameters
    ----------
    e_value : float
        Risk ratio that an unmeasured cause would need with both referral and outcome, beyond the covariates
        already used, to explain the whole estimate. 1 means: nothing needed.
    e_value_limit : float or None
        The same for the limit of the interval nearest to no effect; 1 when the interval holds it; None when
        that limit was not given.
    risk_ratio, risk_ratio_low, risk_ratio_high : float or None
        Estimate and limits as (approximate) risk ratios.
    """

    e_value: float
    e_value_limit: float | None
    risk_ratio: float
    risk_ratio_low: float | None
    risk_ratio_high: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RosenbaumBounds:
    """Bounds on the p-value of a paired test under hidden bias of at most gamma.

    Parameters
    ----------
    gammas : ndarray of shape (m,)
        How many times higher the odds of referral may be for one person of a pair than for the other.
    p_upper, p_lower : ndarray of shape (m,)
        Largest and smallest one-sided p-value possible with that much bias.
    tipping_gamma : float or None
        Smallest gamma at which the largest p-value reaches alpha; None when it does so without any bias.
    n_pairs : int
        Pairs that count: those with a difference other than 0.
    n_zero : int
        Pairs with difference 0, left out.
    method : {"exact", "normal"}
        How the p-values were computed.
    """

    gammas: FloatArray
    p_upper: FloatArray
    p_lower: FloatArray
    tipping_gamma: float | None
    n_pairs: int
    n_zero: int
    method: Literal["exact", "normal"]


def e_value(
    estimate: float,
    conf_low: float | None = None,
    conf_high: float | None = None,
    *,
    scale: EffectScale,
    true_value: float | None = None,
    standard_deviation: float | None = None,
) -> EValue:
    r"""Compute the E-value of an estimate and of its interval.

    With RR the risk ratio over the true value (turned round when below 1),

    .. math:: E = RR + \sqrt{RR (RR - 1)}

    Other scales are first turned into a risk ratio: a rate ratio, or an odds or hazard ratio of a rare
    outcome, is taken as one; a common outcome (over 15 % by the end of follow-up) needs
    :math:`\sqrt{OR}` or :math:`(1 - 0.5^{\sqrt{HR}}) / (1 - 0.5^{\sqrt{1/HR}})`; a difference d in
    standard deviations gives :math:`\exp(0.91 d)`, with limits at :math:`0.91 d \pm 1.78 s`. The constants
    are those of R's EValue, s being the distance from estimate to limit over 1.96.

    Parameters
    ----------
    estimate : float
        Effect on the given scale; not a logarithm.
    conf_low, conf_high : float, optional
        Limits of its interval (95 % for a mean difference).
    scale : {"risk_ratio", "rate_ratio", "odds_ratio", "odds_ratio_common", "hazard_ratio", \
"hazard_ratio_common", "mean_difference"}
        Without ``_common``, odds and hazard ratios are of a rare outcome.
    true_value : float, optional
        Effect that would remain, on the same scale. Default none: 1 for a ratio, 0 for a difference.
    standard_deviation : float, optional
        Of the outcome; required for a mean difference (1 when it is already standardised), refused otherwise.

    Returns
    -------
    EValue

    Raises
    ------
    EstimationError
        Ratios that are not above 0; limits that do not enclose the estimate; missing values; a standard
        deviation missing, not above 0, or not wanted.

    References
    ----------
    VanderWeele, Ding 2017, doi:10.7326/M16-2607; square root: VanderWeele 2017,
    doi:10.1097/EDE.0000000000000733.

    Examples
    --------
    >>> found = e_value(3.9, 1.8, 8.7, scale="risk_ratio")
    >>> round(found.e_value, 2), found.e_value_limit
    (7.26, 3.0)
    """
    limits = (conf_low, conf_high)
    _check_effect(estimate, limits, scale=scale, true_value=true_value, standard_deviation=standard_deviation)
    if scale == "mean_difference":
        unit = standard_deviation or 1.0
        ratio = exp(0.91 * estimate / unit)
        low, high = (
            None if limit is None else exp((0.91 * estimate + 1.78 * (limit - estimate) / NORMAL_95) / unit)
            for limit in limits
        )
        true = exp(0.91 * (true_value or 0.0) / unit)
    else:
        ratio = _as_risk_ratio(estimate, scale)
        low, high = (None if limit is None else _as_risk_ratio(limit, scale) for limit in limits)
        true = 1.0 if true_value is None else _as_risk_ratio(true_value, scale)
    nearest = low if ratio > true else high
    limit_value = None
    if nearest is not None:
        limit_value = _threshold(nearest / true) if (nearest > true) == (ratio > true) else 1.0
    return EValue(
        e_value=_threshold(ratio / true),
        e_value_limit=limit_value,
        risk_ratio=ratio,
        risk_ratio_low=low,
        risk_ratio_high=high,
    )


def pair_differences(y: ArrayLike, treated: ArrayLike, sets: ArrayLike) -> FloatArray:
    """Give the outcome of the referred minus that of the comparison person, for each matched pair.

    Parameters
    ----------
    y : array_like of shape (n,)
        Outcome of each matched person.
    treated : array_like of shape (n,)
        1 for referred, 0 for comparison.
    sets : array_like of shape (n,)
        Label of the pair of each person.

    Returns
    -------
    ndarray of shape (n / 2,)
        In order of the sorted labels.

    Raises
    ------
    DesignError
        Bad arms.
    EstimationError
        Missing values; sets that are not one referred and one comparison person: the bounds given here are
        for pairs only, so match 1:1 or keep one comparison person per set.

    Examples
    --------
    >>> pair_differences([5, 2, 4, 4], [1, 0, 0, 1], ["a", "a", "b", "b"])
    array([3., 0.])
    """
    import pandas as pd

    outcome = finite_vector(y, "y", np.asarray(y).size)
    referred = referred_mask(treated, outcome.size)
    labels = np.asarray(sets)
    if labels.shape != outcome.shape:
        raise EstimationError(f"sets have shape {labels.shape}, expected {outcome.shape}")
    codes, levels = pd.factorize(labels, sort=True)
    if (codes < 0).any():
        raise EstimationError(f"sets: {np.count_nonzero(codes < 0)} of {codes.size} are missing")
    ours = np.bincount(codes[referred], minlength=len(levels))
    theirs = np.bincount(codes[~referred], minlength=len(levels))
    wrong = int(np.count_nonzero((ours != 1) | (theirs != 1)))
    if wrong:
        raise EstimationError(
            f"{wrong} of {len(levels)} sets are not one referred and one comparison person: Rosenbaum bounds "
            "are for pairs only. Match 1:1, or keep one comparison person per set"
        )
    return np.bincount(codes, weights=np.where(referred, outcome, -outcome)).astype(np.float64)


def rosenbaum_bounds(
    differences: ArrayLike,
    gammas: ArrayLike,
    *,
    test: Literal["signed_rank", "sign"],
    alternative: Literal["greater", "less"],
    alpha: float = 0.05,
) -> RosenbaumBounds:
    r"""Bound the p-value of a paired test when hidden bias multiplies the odds of referral by at most gamma.

    The statistic is the sum of the ranks of the absolute differences over pairs with a positive difference
    (*signed_rank*, Wilcoxon), or the number of such pairs (*sign*: McNemar for a yes/no outcome). With bias
    of at most gamma each pair is positive by chance with probability between :math:`1 / (1 + \Gamma)` and
    :math:`\Gamma / (1 + \Gamma)`, which gives the two p-values. Differences of 0 are left out
    (as in R's wilcox.test); tied ranks are averaged. The sign test, and the signed-rank test up to 200
    pairs, are exact (given the ties); above that the signed-rank test is normal without continuity
    correction.

    Parameters
    ----------
    differences : array_like of shape (n_pairs,)
        Referred minus comparison, one per pair: see `pair_differences`. Pairs only.
    gammas : array_like of shape (m,)
        1 (no hidden bias) or more.
    test : {"signed_rank", "sign"}
    alternative : {"greater", "less"}
        The direction claimed: outcomes of the referred are higher, or lower.
    alpha : float
        One-sided level for `tipping_gamma`, above 0 and below 0.5.

    Returns
    -------
    RosenbaumBounds

    Raises
    ------
    EstimationError
        Missing values, wrong shapes, no pair with a difference, gammas below 1, alpha outside (0, 0.5).

    References
    ----------
    Rosenbaum 2002, Observational Studies, chapter 4, doi:10.1007/978-1-4757-3692-2; Rosenbaum 1987,
    doi:10.1093/biomet/74.1.13.

    Examples
    --------
    >>> found = rosenbaum_bounds([3, 1, 4, 2, 5, 6], [1, 2], test="sign", alternative="greater")
    >>> found.p_upper.round(4), round(found.tipping_gamma, 3)
    (array([0.0156, 0.0878]), 1.544)
    """
    d = finite_vector(differences, "differences", np.asarray(differences).size)
    gamma = finite_vector(gammas, "gammas", np.asarray(gammas).size)
    if test not in {"signed_rank", "sign"} or alternative not in {"greater", "less"}:
        raise EstimationError(f"test {test!r} or alternative {alternative!r} is not one of the choices")
    if (gamma < 1).any() or not 0 < alpha < 0.5:
        raise EstimationError(f"gammas need 1 or more and alpha (now {alpha}) above 0, below 0.5")
    scores, positive = _scores(d if alternative == "greater" else -d, test)
    exact = test == "sign" or scores.size <= EXACT_PAIRS
    tail = _sign_tail if test == "sign" else _exact_tail if exact else _normal_tail
    statistic = float(scores[positive].sum())

    def p_value(bias: float) -> float:
        return tail(scores, statistic, bias / (1 + bias))

    return RosenbaumBounds(
        gammas=gamma,
        p_upper=np.array([p_value(g) for g in gamma.tolist()]),
        p_lower=np.array([p_value(1 / g) for g in gamma.tolist()]),
        tipping_gamma=_tipping(p_value, alpha),
        n_pairs=scores.size,
        n_zero=d.size - scores.size,
        method="exact" if exact else "normal",
    )


def _check_effect(
    estimate: float,
    others: tuple[float | None, ...],
    *,
    scale: EffectScale,
    true_value: float | None,
    standard_deviation: float | None,
) -> None:
    given = [x for x in (estimate, *others, true_value) if x is not None]
    problems = []
    if scale not in get_args(EffectScale):
        problems.append(f"scale {scale!r} is not one of {', '.join(get_args(EffectScale))}")
    if not np.isfinite(given).all():
        problems.append("estimate, limits and true value need to be finite")
    low, high = others
    if (low is not None and low > estimate) or (high is not None and high < estimate):
        problems.append("the interval does not hold the estimate")
    if scale != "mean_difference" and min(given) <= 0:
        problems.append("a ratio needs to be above 0; give ratios, not logarithms")
    if scale == "mean_difference" and not (standard_deviation is not None and 0 < standard_deviation < inf):
        problems.append("a mean difference needs the standard deviation of the outcome, above 0")
    if scale != "mean_difference" and standard_deviation is not None:
        problems.append("standard_deviation belongs to a mean difference only")
    if problems:
        raise EstimationError("no E-value can be computed", problems=problems)


def _as_risk_ratio(ratio: float, scale: EffectScale) -> float:
    if scale == "odds_ratio_common":
        return sqrt(ratio)
    if scale == "hazard_ratio_common":
        return float((1 - 0.5 ** sqrt(ratio)) / (1 - 0.5 ** sqrt(1 / ratio)))
    return ratio


def _threshold(ratio: float) -> float:
    r = max(ratio, 1 / ratio)
    return r + sqrt(r * (r - 1))


def _scores(differences: FloatArray, test: str) -> tuple[FloatArray, BoolArray]:
    """Score of each pair that differs, and whether its difference is positive."""
    from scipy.stats import rankdata

    kept = differences[differences != 0]
    if not kept.size:
        raise EstimationError(
            f"all {differences.size} differences are 0: a paired test has nothing to compare"
        )
    scores = np.ones(kept.size) if test == "sign" else rankdata(np.abs(kept))
    return scores.astype(np.float64), kept > 0


def _sign_tail(scores: FloatArray, statistic: float, chance: float) -> float:
    """P(at least this many positive pairs), binomial."""
    from scipy.special import betainc

    return float(betainc(statistic, scores.size - statistic + 1, chance)) if statistic > 0 else 1.0


def _exact_tail(scores: FloatArray, statistic: float, chance: float) -> float:
    """P(sum of scores of positive pairs >= statistic), by adding one pair at a time to the distribution."""
    # Averaged ranks are whole or half: twice the score is a whole number.
    steps = np.rint(2 * scores).astype(np.int64)
    mass = np.zeros(int(steps.sum()) + 1)
    mass[0] = 1.0
    for step in steps.tolist():
        shifted = np.zeros_like(mass)
        shifted[step:] = mass[: mass.size - step]
        mass = (1 - chance) * mass + chance * shifted
    return float(min(mass[round(2 * statistic) :].sum(), 1.0))


def _normal_tail(scores: FloatArray, statistic: float, chance: float) -> float:
    from scipy.special import ndtr

    spread = sqrt(chance * (1 - chance) * float(scores @ scores))
    return float(ndtr((chance * float(scores.sum()) - statistic) / spread))


def _tipping(p_value: Callable[[float], float], alpha: float) -> float | None:
    from scipy.optimize import brentq

    if p_value(1.0) >= alpha:
        return None
    high = 2.0
    while p_value(high) < alpha:
        high *= 2
    return float(exp(brentq(lambda log_gamma: p_value(exp(log_gamma)) - alpha, 0.0, log(high), xtol=1e-10)))
