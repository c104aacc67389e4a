"""The numbers behind a figure: which tables of the results it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from wor_eval.report.results import Results

if TYPE_CHECKING:
    import pandas as pd


class _Reading(dict[str, "pd.DataFrame"]):
    """Tables that remember which of them were read."""

    def __init__(self, tables: dict[str, pd.DataFrame]) -> None:
        super().__init__(tables)
        self.read: dict[str, None] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        self.read[name] = None
        return super().__getitem__(name)


def figure_data(draw: Callable[[Results], object], results: Results) -> dict[str, pd.DataFrame]:
    """Give the tables behind a figure, as they stand in ``results/<study>/<table>.csv``.

    Parameters
    ----------
    draw : callable
        A figure function such as ``wor_eval.figures.flow``; one with options as ``lambda r: ...``.
    results : Results
        The saved results.

    Returns
    -------
    dict of str to DataFrame
        The tables that the figure reads, in the order of reading, with what is hidden missing; ``to_csv`` writes one.
    """
    tables = _Reading(dict(results.tables))
    draw(replace(results, tables=tables))
    return {name: results.tables[name] for name in tables.read}
