"""One estimated number with its standard error, interval and p-value."""

from __future__ import annotations

import math
from dataclasses import dataclass

from wor_eval.errors import EstimationError


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantity:
    """A number that was estimated.

    Attributes
    ----------
    estimate, std_error, conf_low, conf_high, p_value : float
        For a ratio, ``std_error`` is that of its natural logarithm and the p-value is that of 1; for anything
        else the standard error is on the scale of the estimate and the p-value is that of 0.
    df : float
        Degrees of freedom of the interval; infinite for the normal distribution.
    """

    estimate: float
    std_error: float
    conf_low: float
    conf_high: float
    p_value: float
    df: float = math.inf


def difference(estimate: float, std_error: float, *, level: float = 0.95, df: float = math.inf) -> Quantity:
    """Give an estimate its t or normal interval and two-sided p-value of zero.

    Raises
    ------
    EstimationError
        The standard error is zero or not finite, or the level is not between 0 and 1.

    Examples
    --------
    >>> q = difference(-1.2, 0.5)
    >>> print(round(q.conf_low, 2), round(q.conf_high, 2), round(q.p_value, 4))
    -2.18 -0.22 0.0164
    """
    from scipy.special import stdtr, stdtrit

    if not (math.isfinite(estimate) and math.isfinite(std_error) and std_error > 0):
        raise EstimationError("no finite standard error above zero: is there any variation between persons?")
    if not 0 < level < 1:
        raise EstimationError("level: a number between 0 and 1 is needed")
    half = float(stdtrit(df, 0.5 + level / 2)) * std_error
    p_value = 2.0 * float(stdtr(df, -abs(estimate) / std_error))
    return Quantity(
        estimate=estimate,
        std_error=std_error,
        conf_low=estimate - half,
        conf_high=estimate + half,
        p_value=p_value,
        df=df,
    )


def ratio(log_estimate: float, log_std_error: float, *, level: float = 0.95) -> Quantity:
    """Give a ratio from its logarithm, with the normal interval on the logarithmic scale.

    Raises
    ------
    EstimationError
        As for :func:`difference`.

    Examples
    --------
    >>> q = ratio(0.0, 0.1)
    >>> print(q.estimate, round(q.conf_low, 3), round(q.conf_high, 3), q.p_value)
    1.0 0.822 1.217 1.0
    """
    on_log = difference(log_estimate, log_std_error, level=level)
    return Quantity(
        estimate=math.exp(log_estimate),
        std_error=log_std_error,
        conf_low=math.exp(on_log.conf_low),
        conf_high=math.exp(on_log.conf_high),
        p_value=on_log.p_value,
    )
