"""Writes the synthetic study in the layouts in which data arrive, with the ``sources.toml`` that reads them back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from wor_eval.data.layout_cbs import write_cbs
from wor_eval.data.layout_his import write_his
from wor_eval.data.layout_vektis import write_vektis
from wor_eval.data.layout_wor import write_wor

if TYPE_CHECKING:
    import pandas as pd

Layout = Literal["cbs", "vektis", "his", "wor"]
Tables: TypeAlias = "Mapping[str, pd.DataFrame]"

WRITERS: Mapping[str, Callable[[Tables, Path], None]] = {
    "cbs": write_cbs,
    "vektis": write_vektis,
    "his": write_his,
    "wor": write_wor,
}

_SOURCES = """# Where the tables of this study come from: wor-eval check . , wor-eval run PLAN --data .
# The mapping says which file and which columns; copy it from data_dictionary/mappings to change it.
[sources]
mapping = "{layout}"
"""
_ACCEPTED = {
    "cbs": """# Costs are known by calendar year only. Without this line table costs is refused.
accept = ["yearly costs spread over days"]
"""
}


def write_layout(layout: Layout, tables: Tables, folder: Path) -> None:
    """Write the tables of a study as one of the sources would deliver them.

    Parameters
    ----------
    layout : {"cbs", "vektis", "his", "wor"}
        CBS microdata, Vektis open data, an export of a GP information system, or the registration form of
        Welzijn op Recept.
    tables : mapping of str to DataFrame
        The tables of :func:`wor_eval.data.simulate.simulate_tables`.
    folder : pathlib.Path
        An existing folder. What a source does not hold is not written: CBS has no questionnaires, the form has no
        comparison persons.
    """
    WRITERS[layout](tables, folder)
    text = _SOURCES.format(layout=layout) + _ACCEPTED.get(layout, "")
    (folder / "sources.toml").write_text(text, encoding="utf-8", newline="\n")
    tables["truth"].to_csv(folder / "truth.csv", index=False, lineterminator="\n")
