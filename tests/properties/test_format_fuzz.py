"""Whatever is in an SPSS, Stata, Excel, SQLite or mapping file: the right table or a DataError, never another error."""

from __future__ import annotations

import io
import sqlite3
import tempfile
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyreadstat
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.raw_study import only
from wor_eval.data.read import read_data
from wor_eval.errors import DataError

quick = settings(
    max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
KINDS = ["sav", "zsav", "dta", "xlsx", "sqlite"]
CODES = ["0034", "0363", "1234", "0007"]


@cache
def whole(kind: str) -> bytes:
    """A good file of practices."""
    days = [date(2020, 1, 1) + timedelta(days=40 * place) for place in range(4)]
    frame = pd.DataFrame(
        {"practice_id": [f"p{place}" for place in range(4)], "municipality_code": CODES, "wor_from": days}
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"practices.{kind}"
        if kind in ("sav", "zsav"):
            pyreadstat.write_sav(frame, str(path), compress=kind == "zsav")
        elif kind == "dta":
            pyreadstat.write_dta(frame, str(path))
        elif kind == "xlsx":
            book = openpyxl.Workbook()
            assert book.active is not None
            for row in [list(frame.columns), *frame.itertuples(index=False)]:
                book.active.append(list(row))
            book.save(path)
        else:
            with sqlite3.connect(path) as connection:
                frame.astype(str).to_sql("practices", connection, index=False)
            connection.close()
        return path.read_bytes()


def right_or_refused(content: bytes, kind: str) -> list[dict[str, Any]] | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"practices.{kind}"
        path.write_bytes(content)
        try:
            data = read_data(f"sqlite:{path}" if kind == "sqlite" else folder, dictionary=only("practices"))
        except DataError as error:
            assert error.problems
            return None
        found: list[dict[str, Any]] = data.tables["practices"].to_pyarrow().to_pylist() if data.tables else []
        return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_file_is_read(kind: str) -> None:
    found = right_or_refused(whole(kind), kind)
    assert found is not None
    assert [row["municipality_code"] for row in found] == CODES
    assert found[0]["wor_from"] == date(2020, 1, 1)


@quick
@given(kind=st.sampled_from(KINDS), content=st.binary(max_size=400), head=st.integers(0, 200))
@example(kind="sav", content=b"", head=4)
@example(kind="xlsx", content=b"PK\x03\x04", head=0)
def test_random_bytes(kind: str, content: bytes, head: int) -> None:
    right_or_refused(whole(kind)[:head] + content, kind)


@quick
@given(kind=st.sampled_from(KINDS), share=st.floats(0, 0.999))
@example(kind="sav", share=0.97)
@example(kind="zsav", share=0.97)
@example(kind="dta", share=0.97)
def test_a_file_that_was_cut_off(kind: str, share: float) -> None:
    found = right_or_refused(whole(kind)[: int(share * len(whole(kind)))], kind)
    if found is not None and found:
        assert [row["municipality_code"] for row in found] == CODES


@quick
@given(kind=st.sampled_from(["sav", "dta", "xlsx"]), at=st.floats(0, 1), byte=st.integers(0, 255))
def test_one_byte_that_was_changed(kind: str, at: float, byte: int) -> None:
    content = bytearray(whole(kind))
    content[min(int(at * len(content)), len(content) - 1)] = byte
    right_or_refused(bytes(content), kind)


CELLS = st.one_of(
    st.none(),
    st.integers(-(10**17), 10**17),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.dates(date(1900, 3, 1), date(2100, 1, 1)),
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=8),
)


@quick
@given(cells=st.lists(CELLS, min_size=1, max_size=6))
@example(cells=["0012", 12])
@example(cells=[1234567890123])
@example(cells=[0.1 + 0.2])
def test_ids_of_a_workbook_are_the_text_that_was_there_or_refused(cells: list[Any]) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(["practice_id", "municipality_code"])
    for cell in cells:
        book.active.append([None if isinstance(cell, str) and cell.startswith("=") else cell, "1"])
    buffer = io.BytesIO()
    book.save(buffer)
    found = right_or_refused(buffer.getvalue(), "xlsx")
    if found is None:
        return
    for cell, row in zip(cells, found, strict=True):
        if isinstance(cell, str):
            assert row["practice_id"] == cell.strip(" ") or not cell.strip()
        elif isinstance(cell, int) and not isinstance(cell, bool):
            assert row["practice_id"] == str(cell)
            assert abs(cell) < 10**15


@quick
@given(
    ids=st.lists(st.integers(0, 10**17), min_size=1, max_size=6, unique=True),
    kind=st.sampled_from(["sav", "dta"]),
)
@example(ids=[1234567890123], kind="sav")
@example(ids=[2**53 + 1], kind="sav")
def test_numeric_ids_come_back_to_the_last_digit_or_are_refused(ids: list[int], kind: str) -> None:
    frame = pd.DataFrame({"practice_id": [float(number) for number in ids], "municipality_code": "1"})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"practices.{kind}"
        (pyreadstat.write_sav if kind == "sav" else pyreadstat.write_dta)(frame, str(path))
        found = right_or_refused(path.read_bytes(), kind)
    if found is not None:
        assert [row["practice_id"] for row in found] == [str(number) for number in ids]
    else:
        assert max(ids) >= 2**53, "below it every whole number is known to the last digit"


@quick
@given(
    days=st.lists(st.dates(date(1950, 1, 1), date(2024, 12, 31)), min_size=1, max_size=8),
    written=st.sampled_from(["%Y-%m-%d", "%d-%m-%Y", "%Y%m%d", "%d/%m/%Y", "cell", "number"]),
)
def test_dates_of_a_workbook_come_back_or_are_refused(days: list[date], written: str) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(["practice_id", "municipality_code", "wor_from"])
    for place, day in enumerate(days):
        serial = (day - date(1899, 12, 30)).days
        cell: Any = day if written == "cell" else serial if written == "number" else day.strftime(written)
        book.active.append([f"p{place}", "1", cell])
    buffer = io.BytesIO()
    book.save(buffer)
    found = right_or_refused(buffer.getvalue(), "xlsx")
    unclear = "/" in written and all(day.day <= 12 for day in days)
    assert (found is None) == unclear
    if found is not None:
        assert [row["wor_from"] for row in found] == days


@quick
@given(text=st.text(max_size=200), name=st.sampled_from(["sources.toml", "mine.toml"]))
@example(text="[sources]\nmapping = 3", name="sources.toml")
@example(text="[practices]\ncolumns = 3", name="mine.toml")
@example(text="[practices.columns]\npractice_id = {items = 3}", name="mine.toml")
@example(text="[practices]\nwhere = 3\n[practices.columns]\npractice_id = [1]", name="mine.toml")
@example(text="[practices.columns]\npractice_id = {column='a', codes={a=[1]}}", name="mine.toml")
@example(text="practices = 1", name="mine.toml")
@example(
    text="[practices]\nunpivot = {columns=[1]}\n[practices.columns]\npractice_id = {column=[1]}",
    name="mine.toml",
)
def test_random_declarations(text: str, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "practices.csv").write_text("practice_id,municipality_code\np,1\n", encoding="utf-8")
        (place / "sources.toml").write_text('[sources]\nmapping = "mine"\n', encoding="utf-8")
        (place / name).write_text(text, encoding="utf-8", errors="replace")
        try:
            read_data(folder, dictionary=only("practices"))
        except DataError:
            return
