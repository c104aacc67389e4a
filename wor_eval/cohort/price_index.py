"""Prices of one year: the consumer price index."""

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from wor_eval.data.tariffs import tariff
from wor_eval.errors import DataError

Floats = npt.NDArray[np.float64]


@cache
def consumer_prices() -> Mapping[int, float]:
    """Give the consumer price index by year, 2015 = 100 (CBS StatLine 83131NED, annual average)."""
    by_year = {int(row["year"]): float(row["cpi_2015_100"]) for row in tariff("cpi")}
    return MappingProxyType(by_year)


def price_factors(years: Sequence[int], to_year: int) -> dict[int, float]:
    r"""Give the factor that brings the prices of each year to those of one year.

    .. math:: f_y = \mathrm{CPI}_{to} / \mathrm{CPI}_y

    Parameters
    ----------
    years : sequence of int
        Price years of the amounts.
    to_year : int
        Price year that is wanted.

    Returns
    -------
    dict of int to float
        Factor of each year.

    Raises
    ------
    DataError
        A year has no consumer price index.

    References
    ----------
    CBS StatLine 83131NED, consumer prices, all items, annual average, 2015 = 100.

    Examples
    --------
    >>> round(price_factors([2022], 2023)[2022], 3)
    1.038
    """
    index = consumer_prices()
    unknown = sorted({int(year) for year in (*years, to_year)} - set(index))
    if unknown:
        raise DataError(
            f"there is no consumer price index for {', '.join(map(str, unknown))}: it runs from {min(index)} to "
            f"{max(index)}; use another price year"
        )
    return {int(year): index[to_year] / index[int(year)] for year in years}


def index_prices(amount: npt.ArrayLike, from_year: npt.ArrayLike, to_year: int) -> Floats:
    """Bring amounts to the prices of one year with the consumer price index.

    Parameters
    ----------
    amount : array-like
        Amounts in EUR; NaN stays NaN.
    from_year : int or array-like of int
        Price year of each amount, or of all.
    to_year : int
        Price year that is wanted.

    Returns
    -------
    ndarray
        Amounts at prices of ``to_year``.

    Raises
    ------
    DataError
        A year has no consumer price index; see :func:`price_factors`.

    Examples
    --------
    >>> index_prices([100.0, 100.0], [2015, 2022], 2022).round(2).tolist()
    [121.43, 100.0]
    """
    years, places = np.unique(np.asarray(from_year, dtype=np.int64), return_inverse=True)
    factors = price_factors(years.tolist(), to_year)
    factor = np.array([factors[year] for year in years.tolist()])[places]
    indexed: Floats = np.asarray(amount, dtype=float) * factor.reshape(np.shape(from_year))
    return indexed
