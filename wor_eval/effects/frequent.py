"""Frequent attenders: the top of a count within strata, and how long they stay there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.errors import EstimationError

_Floats = NDArray[np.float64]
_NODES = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class Top:
    """Who is at the top of a count within their stratum.

    Attributes
    ----------
    chosen : ndarray of bool, shape (n,)
        Who is.
    threshold : ndarray, shape (n,)
        Lowest count that is chosen in the stratum of each person; infinite where nobody is.
    tied : ndarray of bool, shape (n,)
        Who has the count at the threshold where it is shared across the line, whether chosen or not.
    """

    chosen: NDArray[np.bool_]
    threshold: _Floats
    tied: NDArray[np.bool_]


def top_of_strata(
    count: ArrayLike,
    stratum: ArrayLike,
    *,
    share: float = 0.1,
    ties: Literal["include", "exclude"] = "include",
) -> Top:
    """Choose the share of persons with the highest counts within each stratum.

    The count at rank ``ceil(share n)`` from the top is the line. Where persons with that count lie on both sides of
    it, ``include`` takes all of them (so at least the share is chosen) and ``exclude`` none (at most the share). A
    person without any contact is never chosen. Frequent attenders are taken within sex and at least three age
    groups (Smits et al. 2008, doi:10.1186/1471-2296-9-21).

    Parameters
    ----------
    count : array-like, shape (n,)
        Counts of one year.
    stratum : array-like, shape (n,)
        Stratum of each person.
    share : float, default 0.1
        Which share.
    ties : {"include", "exclude"}
        Whether those tied across the line are chosen.

    Returns
    -------
    Top

    Raises
    ------
    EstimationError
        Unusable counts, or a share outside 0 to 1.

    Examples
    --------
    >>> found = top_of_strata([9, 7, 7, 7, 2, 1, 0, 0, 0, 0], [0] * 10, share=0.2)
    >>> print(found.chosen.sum(), found.threshold[0], found.tied.sum())
    4 7.0 3
    """
    y, groups = np.asarray(count, dtype=float), np.asarray(stratum)
    if y.ndim != 1 or y.shape != groups.shape or not (np.isfinite(y) & (y >= 0)).all() or not 0 < share < 1:
        raise EstimationError(
            "counts of at least 0 with a stratum each, and a share between 0 and 1, are needed"
        )
    chosen, tied = np.zeros(y.size, dtype=bool), np.zeros(y.size, dtype=bool)
    threshold = np.full(y.size, np.nan)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        falling = np.sort(y[rows])[::-1]
        rank = int(np.ceil(share * rows.size - 1e-9))
        line = falling[rank - 1]
        across = line > 0 and (y[rows] >= line).sum() > rank
        next_one = falling[falling > line][-1:]
        limit = line if line > 0 and (ties == "include" or not across) else (*next_one, np.inf)[0]
        chosen[rows], threshold[rows] = y[rows] >= limit, limit
        tied[rows] = across & (y[rows] == line)
    return Top(chosen=chosen, threshold=threshold, tied=tied)


def latent_persistence(share: float, correlation: float, *, years: int) -> float:
    """Give the share of those at the top in one year who are so in all of some years, for normal latent levels.

    Levels of a year are standard normal with the same correlation between any two years; the top is the same share
    each year. ``P = int phi(u) Phi((sqrt(r) u - z) / sqrt(1 - r))^years du / share``, by Gauss-Hermite quadrature
    with 80 nodes.

    Parameters
    ----------
    share : float
        Share at the top.
    correlation : float
        Correlation of two years, 0 to below 1.
    years : int
        How many years in all, the first included.

    Returns
    -------
    float

    Raises
    ------
    EstimationError
        A share or correlation out of range.

    Examples
    --------
    >>> [round(latent_persistence(0.1055, 0.49, years=n), 3) for n in (2, 3)]
    [0.325, 0.156]
    """
    from scipy.special import ndtr, ndtri

    if not (0 < share < 1 and 0 <= correlation < 1 and years >= 1):
        raise EstimationError("share between 0 and 1, correlation from 0 to below 1 and years of 1 or more")
    nodes, weight = np.polynomial.hermite_e.hermegauss(_NODES)
    inside = ndtr((np.sqrt(correlation) * nodes - ndtri(1 - share)) / np.sqrt(1 - correlation))
    return float((weight / weight.sum() * inside**years).sum() / share)


def latent_correlation(share: float, persistence: float, *, years: int) -> float:
    """Give the correlation between years that goes with a persistence; the inverse of :func:`latent_persistence`.

    Parameters
    ----------
    share, persistence : float
        Share at the top, and the share of those who are so in all of the years.
    years : int
        How many years in all.

    Returns
    -------
    float
        Missing where no correlation from 0 to 0.999 gives that persistence.

    Examples
    --------
    >>> round(latent_correlation(0.1055, 0.156, years=3), 2)
    0.49
    """
    from scipy.optimize import brentq

    def gap(correlation: float) -> float:
        return latent_persistence(share, correlation, years=years) - persistence

    if gap(0.0) > 0 or gap(0.999) < 0:
        return float("nan")
    return float(brentq(gap, 0.0, 0.999))
