"""Value sets, conversion tables, prices and the price index that ship with the package."""

import csv
from functools import cache

from wor_eval.assets import asset


@cache
def tariff(name: str) -> tuple[dict[str, str], ...]:
    """Read one table of ``data_dictionary/tariffs``.

    Parameters
    ----------
    name : str
        Stem of the file, such as ``"cpi"`` or ``"reference_prices"``.

    Returns
    -------
    tuple of dict
        One mapping per row; the key ``source`` says where the row comes from.

    Examples
    --------
    >>> tariff("swemwbs_conversion")[1]["metric"]
    '9.51'
    """
    path = asset("data_dictionary", "tariffs", f"{name}.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))
