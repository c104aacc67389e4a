"""Reference rates from Vektis open data: costs per insured year by age and sex. Never a table of persons."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from wor_eval.data.files import SUFFIXES, Unreadable
from wor_eval.data.receive import Received, connect, receive_files
from wor_eval.data.schema import TableSchema, Text
from wor_eval.data.writing import as_text
from wor_eval.errors import DataError

if TYPE_CHECKING:
    import ibis
    import pandas as pd

_SEX, _AGE, _YEARS, _COSTS = "geslacht", "leeftijdsklasse", "aantal_verzekerdejaren", "kosten_"
_LONGEST = 32
_WHOLE = (
    "kosten_medisch_specialistische_zorg",
    "kosten_paramedische_zorg_fysiotherapie",
    "kosten_geriatrische_revalidatiezorg",
)
_FULL: Mapping[str, str] = {name[:_LONGEST]: name for name in _WHOLE}
"""Names of columns that the files of some years cut off."""


def reference_rates(path: Path | str) -> pd.DataFrame:
    r"""Give the insured-care costs per insured year by age and sex.

    Parameters
    ----------
    path : pathlib.Path or str
        A file of Vektis open data, of any year: by postal code area or by municipality.

    Returns
    -------
    DataFrame
        ``sex, age_class, care, insured_years, eur, eur_per_insured_year``; ``care`` is the name of the column in
        full and small letters, and ``total`` their sum. Amounts are as in the file: not at the prices of another
        year. Mental health care has other columns since 2022: only its sum can be compared over that year.

    Raises
    ------
    DataError
        If it cannot be read, or is no such file.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "v.csv").write_text(
    ...     "GESLACHT;LEEFTIJDSKLASSE;AANTAL_VERZEKERDEJAREN;KOSTEN_FARMACIE;KOSTEN_OVERIG\n"
    ...     "M;90+;1,5;300;0\nM;90+;0,5;100;20\n"
    ... )
    >>> reference_rates(folder / "v.csv")[["care", "insured_years", "eur_per_insured_year"]].values.tolist()
    [['kosten_farmacie', 2.0, 200.0], ['kosten_overig', 2.0, 10.0], ['total', 2.0, 210.0]]
    """
    path = Path(path)
    if not path.is_file() or not path.name.lower().endswith(SUFFIXES):
        raise DataError(f"there is no file {path.name} that ends in {', '.join(SUFFIXES)}")
    nothing = Text(nl="Vektis", en="Vektis")
    schema = TableSchema(
        name="vektis", label=nothing, description=nothing, grain=nothing, required=False,
        columns=MappingProxyType({}),
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="wor_eval_") as scratch:
        try:
            return _rates(receive_files(connect(), schema, (path,), scratch=Path(scratch)), path.name)
        except Unreadable as error:
            raise DataError(f"{path.name} cannot be read", problems=[str(error.finding(path.name))]) from None


def _rates(received: Received, origin: str) -> pd.DataFrame:
    """Add up the rows of each age and sex."""
    cells = {name.lower(): received.cell(name) for name in received.header if name}
    costs = {name: cell for name, cell in cells.items() if name.startswith(_COSTS)}
    missing = [name for name in (_SEX, _AGE, _YEARS) if name not in cells] + ([] if costs else [f"{_COSTS}…"])
    if missing:
        raise DataError(f"{origin} is no file of Vektis open data: it has no column {', '.join(missing)}")
    numbers = {name: _number(cell) for name, cell in {_YEARS: cells[_YEARS], **costs}.items()}
    bad = received.count(
        {name: as_text(cells[name]).count(where=number.isnull()) for name, number in numbers.items()}
    )
    if any(bad.values()):
        problems = [f"{name}: not a number ({rows} rows)" for name, rows in bad.items() if rows]
        raise DataError(f"{origin} cannot be added up", problems=problems)
    rows = received.rows.select(sex=as_text(cells[_SEX]), age_class=as_text(cells[_AGE]), **numbers)
    rows = rows.filter(rows.sex.notnull(), rows.age_class.notnull())
    sums = {name: rows[name].fill_null(0.0).sum() for name in numbers}
    frame = rows.group_by("sex", "age_class").aggregate(**sums).to_pandas()
    return _long(frame, list(costs))


def _number(cell: ibis.Value) -> ibis.Value:
    return as_text(cell).re_replace(r"^([+-]?\d+),(\d+)$", r"\1.\2").try_cast("float64")


def _long(frame: pd.DataFrame, costs: list[str]) -> pd.DataFrame:
    """Return a row for each kind of care, with the rate per insured year."""
    frame = frame.assign(total=frame[costs].sum(axis=1))
    long = frame.melt(
        id_vars=["sex", "age_class", _YEARS], value_vars=[*costs, "total"], var_name="care", value_name="eur"
    )
    long["care"] = long["care"].replace(_FULL)
    long = long.rename(columns={_YEARS: "insured_years"})
    long["eur_per_insured_year"] = long["eur"] / long["insured_years"]
    names = ["sex", "age_class", "care", "insured_years", "eur", "eur_per_insured_year"]
    return long[names].sort_values(["sex", "age_class", "care"], ignore_index=True)
