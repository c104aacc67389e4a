"""A large Parquet file that is already of the right types is read where it stands, and gives the same."""

from pathlib import Path

import pandas as pd
import pytest

from tests.raw_study import small_frames
from wor_eval.data import load
from wor_eval.data.read import StudyData, read_data, study_data
from wor_eval.errors import DataError


@pytest.fixture(scope="module")
def typed() -> StudyData:
    """The small study, every column stored as what it must become."""
    return study_data(small_frames())


@pytest.fixture
def folder(tmp_path: Path, typed: StudyData) -> Path:
    for name, table in typed.tables.items():
        table.to_parquet(tmp_path / f"{name}.parquet")
    return tmp_path


def in_place(data: StudyData) -> set[str]:
    """The tables that are views on files."""
    return {name for name, table in data.tables.items() if f'"files_{name}"' in str(table.compile())}


@pytest.mark.parametrize("rows", [1, 10**6])
def test_the_same_tables_in_place_and_copied(folder, typed, monkeypatch, rows):
    monkeypatch.setattr(load, "IN_PLACE_FROM", rows)
    data = read_data(folder)
    assert in_place(data) == (set(typed.tables) if rows == 1 else set())
    for name, table in typed.tables.items():
        assert data.tables[name].to_pyarrow().equals(table.to_pyarrow()), name


def test_text_with_spaces_around_it_is_copied_and_trimmed(folder, typed, monkeypatch):
    monkeypatch.setattr(load, "IN_PLACE_FROM", 1)
    contacts = pd.read_parquet(folder / "contacts.parquet")
    contacts["kind"] = " " + contacts["kind"]
    contacts.to_parquet(folder / "contacts.parquet", index=False)
    data = read_data(folder)
    assert "contacts" not in in_place(data)
    assert data.tables["contacts"].to_pyarrow().equals(typed.tables["contacts"].to_pyarrow())


def test_an_infinite_number_is_refused_however_it_is_stored(folder, typed):
    import ibis

    costs = typed.tables["costs"]
    rows = costs.count().to_pyarrow().as_py()
    costs.mutate(amount=ibis.literal(float("inf"))).to_parquet(folder / "costs.parquet")
    with pytest.raises(DataError, match=rf"costs.amount: not a number \({rows} rows?\)"):
        read_data(folder)
