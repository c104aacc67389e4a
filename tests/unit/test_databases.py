"""Tables from DuckDB, SQLite and PostgreSQL arrive as the same study as from files."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from tests.engines.test_same_numbers import postgres  # noqa: F401  (a fixture: a server of its own)
from tests.raw_study import Frames, column, only, refusal, rows, small_frames
from tests.unit.test_formats import typed
from wor_eval.data.databases import shown
from wor_eval.data.read import StudyData, data_digest, read_data, study_data


def sortable(data: Any) -> dict[str, list[tuple[str, ...]]]:
    return {
        name: sorted(tuple(map(str, row.values())) for row in table) for name, table in rows(data).items()
    }


def write_duckdb(frames: Frames, path: Path) -> str:
    with duckdb.connect(str(path)) as connection:
        for name, frame in typed(frames).items():
            connection.register("frame", frame)
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM frame")
    return f"duckdb:{path}"


def write_sqlite(frames: Frames, path: Path) -> str:
    with sqlite3.connect(path) as connection:
        for name, frame in typed(frames).items():
            plain = frame.astype(object).where(frame.notna(), None)
            days = {
                c: [d.isoformat() if d else None for d in plain[c]]
                for c in plain
                if c.endswith(("_on", "_from"))
            }
            plain.assign(**days).to_sql(name, connection, index=False)
    connection.close()
    return f"sqlite:{path}"


@pytest.mark.parametrize("write", [write_duckdb, write_sqlite])
def test_a_database_is_the_same_study(tmp_path: Path, write: Any) -> None:
    frames = small_frames()
    address = write(frames, tmp_path / "study.db")
    data = read_data(address)
    assert sortable(data) == sortable(study_data(frames))
    assert data.digest == data_digest(address)
    assert len(data.digest) == 64


def test_a_table_that_is_not_in_the_database_is_not_delivered(tmp_path: Path) -> None:
    frames = small_frames()
    del frames["costs"]
    assert "costs" not in read_data(write_duckdb(frames, tmp_path / "study.db")).tables


@pytest.mark.parametrize("write", [write_duckdb, write_sqlite])
def test_sources_name_a_table_or_ask_a_question(tmp_path: Path, write: Any) -> None:
    write({"practices": small_frames()["practices"]}, tmp_path / "study.db")
    kind = "duckdb" if write is write_duckdb else "sqlite"
    place = tmp_path / "sources.toml"
    asked = "SELECT practice_id, municipality_code FROM practices WHERE practice_id = 'p02'"
    place.write_text(
        f'[sources]\npractices = {{ database = "{kind}:study.db", query = "{asked}" }}\n', encoding="utf-8"
    )
    assert column(read_data(place, dictionary=only("practices")), "practices", "municipality_code") == [
        "0363"
    ]
    for said, problem in (
        (f'database = "{kind}:study.db", table = "gone"', "study.db has no table gone"),
        (f'database = "{kind}:study.db", query = "DROP TABLE practices"', "the query does not read"),
        (f'database = "{kind}:study.db", query = "SELECT nothing FROM practices"', "cannot be"),
        (f'database = "{kind}:none.db"', "there is no database none.db"),
    ):
        place.write_text(f"[sources]\npractices = {{ {said} }}\n", encoding="utf-8")
        assert problem in refusal(lambda: read_data(place, dictionary=only("practices")))


def test_ids_that_sqlite_stored_as_numbers(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "s.db") as connection:
        connection.execute("CREATE TABLE practices (practice_id, municipality_code)")
        connection.executemany("INSERT INTO practices VALUES (?, ?)", [(12, "0034"), ("013", "0363")])
    connection.close()
    data = read_data(f"sqlite:{tmp_path / 's.db'}", dictionary=only("practices"))
    assert column(data, "practices", "practice_id") == ["12", "013"]
    assert any("practice_id in 1 of 2 rows stored as whole numbers" in note for note in data.notes)


def test_files_that_are_no_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"no database at all, but long enough to be looked at" * 40)
    for kind in ("duckdb", "sqlite"):
        message = refusal(lambda: read_data(f"{kind}:{tmp_path / 'x.db'}"))  # noqa: B023
        assert "cannot be read" in message


def test_no_password_is_ever_shown() -> None:
    assert shown("postgresql://me:secret@host:5432/study?sslmode=require") == "postgresql://host:5432/study"
    message = refusal(lambda: read_data("postgres://me:secret@127.0.0.1:1/study"))
    assert "secret" not in message
    assert "psycopg" in message or "cannot be opened" in message


def test_postgres_is_the_same_study(postgres: Any) -> None:  # noqa: F811  (the fixture)
    frames = small_frames()
    for name, frame in typed(frames).items():
        table = pa.Table.from_pandas(frame, preserve_index=False)
        kinds = [pa.string() if pa.types.is_null(field.type) else field.type for field in table.schema]
        plain = table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))
        postgres.create_table(name, plain)
    address = f"postgres://tester@/postgres?host={postgres.con.info.host}"
    data = read_data(address)
    assert sortable(data) == sortable(study_data(frames))
    assert not any("tester" in note for note in data.notes)
    assert "has no table gone" in refusal(lambda: read_from(address, "table = 'gone'"))
    assert "cannot be carried out" in refusal(
        lambda: read_from(address, "query = 'SELECT nothing FROM practices'")
    )


def read_from(address: str, said: str) -> StudyData:
    with tempfile.TemporaryDirectory() as folder:
        text = f'[sources]\npractices = {{ database = "{address}", {said} }}\n'
        (Path(folder) / "sources.toml").write_text(text, encoding="utf-8")
        return read_data(folder, dictionary=only("practices"))


def test_a_frame_of_duckdb_with_bytes_is_refused(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "d.db")) as connection:
        connection.register("frame", pd.DataFrame({"practice_id": [b"a"], "municipality_code": ["1"]}))
        connection.execute("CREATE TABLE practices AS SELECT * FROM frame")
    message = refusal(lambda: read_data(f"duckdb:{tmp_path / 'd.db'}", dictionary=only("practices")))
    assert "stored as a type that cannot be read: practice_id" in message
