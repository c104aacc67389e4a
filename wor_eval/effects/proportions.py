"""Shares with their intervals, and the difference of two estimates from their intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.errors import EstimationError

_Floats = NDArray[np.float64]


def wilson(count: ArrayLike, of: ArrayLike, *, level: float = 0.95) -> tuple[_Floats, _Floats, _Floats]:
    """Give shares with the score interval of Wilson (1927, doi:10.1080/01621459.1927.10502953).

    Parameters
    ----------
    count, of : array-like, shape (n,)
        How many, of how many.
    level : float, default 0.95
        Level of the interval.

    Returns
    -------
    (ndarray, ndarray, ndarray), shape (n,)
        Share, lower and upper limit; missing where there is nobody.

    Raises
    ------
    EstimationError
        Negative counts, or more than there are.

    Examples
    --------
    >>> [part.round(3).tolist() for part in wilson([10], [40])]
    [[0.25], [0.142], [0.402]]
    """
    from scipy.special import ndtri

    x, n = np.asarray(count, dtype=float), np.asarray(of, dtype=float)
    if (x < 0).any() or (x > n).any():
        raise EstimationError("a count lies between 0 and the number it is a share of")
    z = ndtri(0.5 + level / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = x / n
        middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return share, np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def difference_of(
    later: tuple[float, float, float], earlier: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Give the difference of two independent estimates with an interval made from theirs.

    The limits are ``d - sqrt((e1 - l1)^2 + (u0 - e0)^2)`` and ``d + sqrt((u1 - e1)^2 + (e0 - l0)^2)``: for shares
    with Wilson intervals the hybrid score interval of Newcombe (1998), in general MOVER (Zou and Donner 2008,
    doi:10.1002/sim.3095).

    Parameters
    ----------
    later, earlier : (float, float, float)
        Estimate, lower and upper limit.

    Returns
    -------
    (float, float, float)
        Difference, lower and upper limit.

    Examples
    --------
    >>> [round(v, 4) for v in difference_of((0.7, 0.5691, 0.8051), (0.6, 0.4907, 0.7008))]
    [0.1, -0.0652, 0.2516]
    """
    (e1, l1, u1), (e0, l0, u0) = later, earlier
    difference = e1 - e0
    low = difference - float(np.hypot(e1 - l1, u0 - e0))
    return difference, low, difference + float(np.hypot(u1 - e1, e0 - l0))
