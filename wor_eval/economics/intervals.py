"""Arrays of estimates with their standard errors, intervals and p-values."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.economics.checked import Floats
from wor_eval.errors import EstimationError


@dataclass(frozen=True, kw_only=True, slots=True)
class Intervals:
    """Estimates with limits; every field has the same shape.

    Attributes
    ----------
    estimate, std_error, conf_low, conf_high, p_value : ndarray
        On the scale of the estimate; the p-value is the two-sided one of zero.
    """

    estimate: Floats
    std_error: Floats
    conf_low: Floats
    conf_high: Floats
    p_value: Floats

    def columns(self, chosen: slice) -> Intervals:
        """Give some of the last axis."""
        return Intervals(**{field.name: getattr(self, field.name)[..., chosen] for field in fields(self)})

    def times(self, factor: float) -> Intervals:
        """Give the same estimates in another unit.

        Raises
        ------
        EstimationError
            The factor is not a positive number.
        """
        if not (np.isfinite(factor) and factor > 0):
            raise EstimationError("factor: a positive number is needed")
        return Intervals(
            estimate=self.estimate * factor,
            std_error=self.std_error * factor,
            conf_low=self.conf_low * factor,
            conf_high=self.conf_high * factor,
            p_value=self.p_value,
        )


def t_intervals(
    estimate: ArrayLike, std_error: ArrayLike, *, df: ArrayLike = np.inf, level: float = 0.95
) -> Intervals:
    """Give estimates their t interval, or normal interval where the df are infinite.

    Parameters
    ----------
    estimate, std_error : array-like
        Of one shape.
    df : array-like, default infinite
        Degrees of freedom, of a shape that fits.
    level : float, default 0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    Intervals

    Raises
    ------
    EstimationError
        A standard error that is not positive, a missing or infinite value, or a level outside (0, 1).

    Examples
    --------
    >>> limits = t_intervals([100.0, -20.0], [40.0, 40.0], df=19)
    >>> print(limits.conf_low.round(1), limits.p_value.round(3))
    [  16.3 -103.7] [0.022 0.623]
    """
    from scipy.special import stdtr, stdtrit

    point, error = np.asarray(estimate, dtype=float), np.asarray(std_error, dtype=float)
    freedom = np.asarray(df, dtype=float)
    bad = int((~np.isfinite(point)).sum() + (~(np.isfinite(error) & (error > 0))).sum())
    if bad or not (freedom > 0).all():
        raise EstimationError(f"{bad} estimates or standard errors are not usable: is there any variation?")
    if not 0 < level < 1:
        raise EstimationError("level: a number between 0 and 1 is needed")
    half = stdtrit(freedom, 0.5 + level / 2) * error
    p_value = np.asarray(2.0 * stdtr(freedom, -np.abs(point) / error), dtype=float)
    return Intervals(
        estimate=point, std_error=error, conf_low=point - half, conf_high=point + half, p_value=p_value
    )
