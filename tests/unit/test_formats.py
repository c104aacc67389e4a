"""One study in every format: the same tables, whatever the file; ids stay text, dates stay dates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat
import pytest

from tests.raw_study import SHIPPED, Frames, column, only, read, refusal, rows, small_frames, write_csv
from wor_eval.data.read import read_data, study_data


def typed(frames: Frames) -> Frames:
    """The frames as an analyst holds them: numbers as numbers, dates as dates, text as text."""
    result = {}
    for name, frame in frames.items():
        columns: dict[str, Any] = {}
        for label, cells in frame.items():
            kind, filled = SHIPPED.tables[name].columns[str(label)].type, cells.replace("", None)
            if kind in ("integer", "year", "number"):
                columns[str(label)] = pd.to_numeric(filled).astype("float64")
            elif kind == "date":
                columns[str(label)] = [date.fromisoformat(day) if day else None for day in filled]
            elif kind == "boolean":
                columns[str(label)] = (filled == "true").astype("float64")
            else:
                columns[str(label)] = filled
        result[name] = pd.DataFrame(columns)
    return result


def write_sav(frame: pd.DataFrame, path: Path) -> None:
    pyreadstat.write_sav(frame, str(path), compress=path.suffix == ".zsav")


def write_dta(frame: pd.DataFrame, path: Path) -> None:
    pyreadstat.write_dta(frame.astype({c: object for c in frame if frame[c].isna().all()}), str(path))


def write_xlsx(frame: pd.DataFrame, path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(list(frame.columns))
    for row in frame.astype(object).where(frame.notna(), None).itertuples(index=False):
        sheet.append([int(c) if isinstance(c, float) and c.is_integer() else c for c in row])
    book.save(path)


def write_parts(frame: pd.DataFrame, path: Path) -> None:
    """A folder of Parquet parts, one for each value of the last column."""
    text = frame.astype(object).where(frame.notna(), None)
    table = pa.table({name: pa.array(text[name].tolist()) for name in text})
    by = frame.columns[-1]
    if frame[by].isna().any() or frame[by].dtype != object:
        path.mkdir()
        pq.write_table(table, path / "part-0.parquet")
    else:
        pq.write_to_dataset(table, path, partition_cols=[by])


WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".sav": write_sav, ".zsav": write_sav, ".dta": write_dta, ".xlsx": write_xlsx, "": write_parts,
}  # fmt: skip


def sortable(data: Any) -> dict[str, list[tuple[str, ...]]]:
    return {
        name: sorted(tuple(map(str, row.values())) for row in table) for name, table in rows(data).items()
    }


@pytest.mark.parametrize("suffix", WRITERS, ids=lambda suffix: suffix or "parts")
def test_one_study_in_every_format_is_the_same_study(tmp_path: Path, suffix: str) -> None:
    frames = small_frames()
    expected = sortable(study_data(frames))
    for name, frame in typed(frames).items():
        WRITERS[suffix](frame, tmp_path / f"{name}{suffix}")
    data = read_data(tmp_path)
    assert sortable(data) == expected
    assert column(data, "persons", "person_id")[0] == "0001"


def sav(folder: Path, table: str, frame: pd.DataFrame, options: dict[str, Any] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    pyreadstat.write_sav(frame, str(folder / f"{table}.sav"), **(options or {}))
    return folder


PRACTICE = pd.DataFrame({"practice_id": ["p1", "p2"], "municipality_code": ["0034", "0363"]})


def test_value_labels_say_what_a_code_means(tmp_path: Path) -> None:
    frame = pd.DataFrame({"person_id": ["a", "b", "c"], "birth_year": [1950.0] * 3, "sex": [1.0, 2.0, 1.0]})
    labels = {"variable_value_labels": {"sex": {1.0: "vrouw", 2.0: "man"}}}
    data = read(sav(tmp_path, "persons", frame, labels), "persons")
    assert column(data, "persons", "sex") == ["F", "M", "F"]
    assert any("sex: codes read by their value labels" in note for note in data.notes)


def test_labels_yes_and_no_win_from_the_numbers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"municipality_code": ["1", "2"], "name": ["a", "b"], "wmo_delivered": [0.0, 1.0]})
    labels = {"variable_value_labels": {"wmo_delivered": {0.0: "ja", 1.0: "nee"}}}
    data = read(sav(tmp_path, "municipalities", frame, labels), "municipalities")
    assert column(data, "municipalities", "wmo_delivered") == [True, False]


def test_a_label_that_says_nothing_is_refused_and_the_others_are_read(tmp_path: Path) -> None:
    frame = pd.DataFrame({"municipality_code": ["1", "2"], "name": ["a", "b"], "wmo_delivered": [0.0, 1.0]})
    labels = {"variable_value_labels": {"wmo_delivered": {0.0: "weet niet", 1.0: "ja"}}}
    message = refusal(lambda: read(sav(tmp_path, "municipalities", frame, labels), "municipalities"))
    assert "municipalities.wmo_delivered: not true or false (1 row)" in message, "0 is not taken for false"


def test_codes_without_a_telling_label_are_left_to_the_code_list(tmp_path: Path) -> None:
    frame = pd.DataFrame({"person_id": ["a", "b"], "birth_year": [1950.0] * 2, "sex": [1.0, 2.0]})
    labels = {"variable_value_labels": {"sex": {1.0: "x", 2.0: "y"}}}
    message = refusal(lambda: read(sav(tmp_path, "persons", frame, labels), "persons"))
    assert "persons.sex: unknown code (2 rows): use one of F, M" in message


def test_codes_declared_missing_are_missing(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"person_id": ["a", "b"], "birth_year": [1950.0] * 2, "sex": ["F", "M"], "n_chronic": [2.0, 99.0]}
    )
    options = {"missing_ranges": {"n_chronic": [99]}}
    data = read(sav(tmp_path, "persons", frame, options), "persons")
    assert column(data, "persons", "n_chronic") == [2, None]
    assert any("codes declared missing are left out: n_chronic" in note for note in data.notes)


def test_numeric_ids_of_spss_are_restored_where_nothing_is_lost(tmp_path: Path) -> None:
    frame = PRACTICE.assign(practice_id=[1234567890123.0, 345678901234.0])
    data = read(sav(tmp_path / "whole", "practices", frame), "practices")
    assert column(data, "practices", "practice_id") == ["1234567890123", "345678901234"]
    assert any("they have 12 to 13 digits: check that no zero is missing" in note for note in data.notes)
    for broken in (12.5, 2.0**53 + 2):
        frame = PRACTICE.assign(practice_id=[broken, 2.0])
        message = refusal(lambda: read(sav(tmp_path / f"{broken}", "practices", frame), "practices"))  # noqa: B023
        assert "practices.practice_id: text stored as a decimal number (1 row)" in message


def test_float_ids_of_stata_are_exact_to_eight_digits_only(tmp_path: Path) -> None:
    frame = PRACTICE.assign(practice_id=np.array([2.0**24 + 2, 5.0], dtype="float32"))
    frame.to_stata(tmp_path / "practices.dta", write_index=False)
    assert "text stored as a decimal number (1 row)" in refusal(lambda: read(tmp_path, "practices"))


@pytest.mark.parametrize("format", ["DATE11", "ADATE10", "EDATE10", "SDATE10", "DATETIME20"])
def test_dates_of_spss(tmp_path: Path, format: str) -> None:
    days = [date(2020, 2, 29), date(1899, 12, 31)]
    cells: list[Any] = [datetime(d.year, d.month, d.day) for d in days] if "TIME" in format else days
    frame = PRACTICE.assign(wor_from=cells)
    data = read(sav(tmp_path, "practices", frame, {"variable_format": {"wor_from": format}}), "practices")
    assert column(data, "practices", "wor_from") == days


def test_spss_seconds_without_a_date_format_are_no_dates(tmp_path: Path) -> None:
    frame = PRACTICE.assign(wor_from=[13_800_000_000.0, 13_800_086_400.0])
    message = refusal(lambda: read(sav(tmp_path, "practices", frame), "practices"))
    assert "practices.wor_from: not a date (2 rows)" in message


def workbook(path: Path, sheets: dict[str, list[list[Any]]], *, epoch_1904: bool = False) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    if epoch_1904:
        from openpyxl.utils.datetime import MAC_EPOCH

        book.epoch = MAC_EPOCH
    for name, cells in sheets.items():
        sheet = book.create_sheet(name)
        for row in cells:
            sheet.append(row)
    book.save(path)
    return path.parent


HEADER = ["practice_id", "municipality_code", "wor_from"]


@pytest.mark.parametrize("epoch_1904", [False, True])
def test_excel_day_numbers_become_dates(tmp_path: Path, *, epoch_1904: bool) -> None:
    folder = workbook(
        tmp_path / "practices.xlsx",
        {"x": [HEADER, ["a", "1", 44256], ["b", "2", None]]},
        epoch_1904=epoch_1904,
    )
    expected = date(2025, 3, 2) if epoch_1904 else date(2021, 3, 1)
    assert column(read(folder, "practices"), "practices", "wor_from") == [expected, None]


def test_ids_that_excel_took_for_numbers(tmp_path: Path) -> None:
    folder = workbook(tmp_path / "practices.xlsx", {"x": [HEADER, [12, "0034"], ["0013", 363]]})
    data = read(folder, "practices")
    assert column(data, "practices", "practice_id") == ["12", "0013"]
    assert any("practice_id in 1 of 2 rows stored as whole numbers" in note for note in data.notes)
    for cell in (12.5, 1234567890123456):
        workbook(tmp_path / "practices.xlsx", {"x": [HEADER, [cell, "0034"]]})
        assert "text stored as a decimal number (1 row)" in refusal(lambda: read(folder, "practices"))


@pytest.mark.parametrize(
    ("sheets", "message"),
    [
        ({"a": [HEADER], "b": [HEADER]}, "there is no sheet practices; it has a, b"),
        ({"a": [[]]}, "the sheet is empty"),
        ({"a": [[*HEADER, "wor_from"], ["p", "1"]]}, "the header has the same name twice (columns 3 and 4)"),
        ({"a": [HEADER, ["p", "1", None, "loose"]]}, "cells to the right of the header"),
        ({"a": [HEADER, ["p", "#N/A"]]}, "cells that hold an error, such as #N/A (1 row)"),
        ({"a": [HEADER, ["p", "=1+1"]]}, "formulas without a computed value"),
        ({"a": [HEADER, ["p", "1", "01/02/2020"], ["q", "1", datetime(2020, 2, 1)]]}, "wor_from: not a date"),
        ({"a": [HEADER, ["p", "1", datetime(2020, 2, 1, 13, 5)]]}, "wor_from: not a date (1 row)"),
    ],
)  # fmt: skip
def test_workbooks_that_cannot_be_read(tmp_path: Path, sheets: dict[str, Any], message: str) -> None:
    folder = workbook(tmp_path / "practices.xlsx", sheets)
    if "#N/A" in message:
        book = openpyxl.load_workbook(folder / "practices.xlsx")
        book.worksheets[0]["B2"].data_type = "e"
        book.save(folder / "practices.xlsx")
    assert message in refusal(lambda: read(folder, "practices"))


def test_the_sheet_with_the_name_of_the_table_is_read(tmp_path: Path) -> None:
    folder = workbook(tmp_path / "practices.xlsx", {"about": [["x"]], "Practices": [HEADER, ["p", "0034"]]})
    assert column(read(folder, "practices"), "practices", "municipality_code") == ["0034"]


def test_an_old_or_protected_workbook(tmp_path: Path) -> None:
    (tmp_path / "practices.xlsx").write_bytes(b"\xd0\xcf\x11\xe0" + b"\0" * 600)
    assert "protected by a password, or of the old kind" in refusal(lambda: read(tmp_path, "practices"))


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        (["123.0", "45.0"], ["123", "45"]),
        (["1.23457E+12", "45"], None),
        (["1234567890123456.0", "45.0"], None),
        (["123.0", "a"], None),
        (["01.0", "1"], None),
    ],
)
def test_ids_in_text_that_a_program_took_for_numbers(
    tmp_path: Path, ids: list[str], found: list[str] | None
) -> None:
    folder = write_csv(tmp_path / "raw", {"practices": PRACTICE.assign(practice_id=ids)})
    if found is None:
        assert "text stored as a decimal number" in refusal(lambda: read(folder, "practices"))
    else:
        assert column(read(folder, "practices"), "practices", "practice_id") == found


def test_partitioned_parquet_keeps_leading_zeros_of_the_partition(tmp_path: Path) -> None:
    pq.write_to_dataset(
        pa.Table.from_pandas(PRACTICE), tmp_path / "practices", partition_cols=["municipality_code"]
    )
    data = study_data({"practices": PRACTICE}, dictionary=only("practices"))
    assert sortable(read(tmp_path, "practices")) == sortable(data)
