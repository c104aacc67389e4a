"""Reading files: separators, encodings, line ends, compression, Parquet, and files that cannot be read."""

from __future__ import annotations

import gc
import gzip
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.raw_study import (
    Frames,
    read,
    refusal,
    rows,
    small_frames,
    study,
    write_csv,
)
from wor_eval.data.read import read_data


@pytest.fixture
def frames() -> Frames:
    return small_frames()


@pytest.fixture
def folder(tmp_path: Path, frames: Frames) -> Path:
    return write_csv(tmp_path / "raw", frames)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_separator_and_encoding_are_detected(
    tmp_path: Path, frames: Frames, *, separator: str, encoding: str
) -> None:
    expected = rows(study(frames, "municipalities"))
    folder = write_csv(tmp_path / "raw", frames, separator=separator, encoding=encoding)
    data = read(folder, "municipalities")
    assert rows(data) == expected
    shown = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8 with BOM", "utf-16": "UTF-16", "cp1252": "cp1252"}[
        encoding
    ]
    note = next(note for note in data.notes if note.startswith("municipalities.csv"))
    assert f"encoding {shown}" in note
    assert f"separator {'tab' if separator == chr(9) else repr(separator)}" in note


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "mixed"])
def test_line_ends_do_not_matter(folder: Path, frames: Frames, end: str) -> None:
    lines = (folder / "contacts.csv").read_text(encoding="utf-8").splitlines()
    if end == "mixed":
        text = "".join(line + ("\r\n" if place % 2 else "\n") for place, line in enumerate(lines))
    else:
        text = end.join(lines)
    (folder / "contacts.csv").write_bytes(text.encode())
    assert rows(read(folder, "contacts")) == rows(study(frames, "contacts"))


def test_gzip_and_parquet_and_parquet_parts(folder: Path, frames: Frames) -> None:
    expected = rows(read(folder, "contacts", "costs", "registrations"))
    (folder / "contacts.csv.gz").write_bytes(gzip.compress((folder / "contacts.csv").read_bytes()))
    (folder / "contacts.csv").unlink()
    typed = frames["costs"].assign(amount=frames["costs"]["amount"].astype(float))
    typed["from_on"] = pd.to_datetime(typed["from_on"])
    typed["category"] = typed["category"].astype("category")
    typed["price_year"] = typed["price_year"].astype("int16")
    typed.to_parquet(folder / "costs.parquet")
    (folder / "costs.csv").unlink()
    (folder / "registrations").mkdir()
    frames["registrations"][:5].to_parquet(folder / "registrations" / "part-0.parquet")
    frames["registrations"][5:].to_parquet(folder / "registrations" / "part-1.parquet")
    (folder / "registrations.csv").unlink()
    assert rows(read(folder, "contacts", "costs", "registrations")) == expected


def write_bytes(content: bytes, name: str = "contacts.csv") -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / "contacts.csv").unlink()
        (folder / name).write_bytes(content)

    return change


HEADER = b"person_id,contact_on,kind\n"


@pytest.mark.parametrize(
    ("content", "name", "rule"),
    [
        (b"", "contacts.csv", "contacts: the file is empty"),
        (b"\n\n", "contacts.csv", "contacts: the file is empty"),
        (b"", "contacts.csv.gz", "contacts: the file is empty"),
        (b"\xef\xbb\xbf", "contacts.csv", "contacts: the first line is not a header"),
        (b"person_id:contact_on:kind\n0001:2021-01-01:gp\n", "contacts.csv", "the first line is not a header"),
        (HEADER.replace(b"kind", b"person_id"), "contacts.csv", "same name twice (columns 1 and 3)"),
        (b"a,b\n1,2\n", "contacts.csv", "the header holds no column of the data dictionary"),
        (HEADER + b"0001,2021-01-01\n0002\n", "contacts.csv", "a quotation mark that is not closed (2 rows)"),
        (HEADER + b"0001,2021-01-01,telephone,x\n", "contacts.csv", "as many cells as the header"),
        (HEADER + b'0001,2021-01-01,"telephone\n', "contacts.csv", "as many cells as the header"),
        (HEADER + b"0001,2021-01-01,t\x00\n", "contacts.csv", "not a text file"),
        (HEADER + b"0001,2021-01-01,\x81\n", "contacts.csv", "the bytes fit no supported encoding"),
        (HEADER + "0001,2021-01-01,é\n".encode() + b"0002,2021-01-01,\xe9\n", "contacts.csv", "mixes two encodings"),
        (HEADER.decode().encode("utf-16")[:-1], "contacts.csv", "the bytes fit no supported encoding"),
        (gzip.compress(HEADER * 500, mtime=0)[:-20], "contacts.csv.gz", "the gzip file is damaged or cut off"),
        (b"not gzip at all", "contacts.csv.gz", "the gzip file is damaged or cut off"),
        (bytes(range(256)) * 20, "contacts.parquet", "the file cannot be read"),
        (b"PAR1", "contacts.parquet", "the file cannot be read"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read(folder: Path, *, content: bytes, name: str, rule: str) -> None:
    write_bytes(content, name)(folder)
    message = refusal(lambda: read(folder, "contacts"))
    assert rule in message
    assert "missing" not in message, "an unreadable table is not also reported as missing"
    assert "telephone" not in message.replace("consult", ""), "no line of the file is shown"


def test_every_table_that_cannot_be_read_is_listed(folder: Path) -> None:
    (folder / "contacts.csv").write_bytes(HEADER + b"0001\n0002\n")
    (folder / "costs.csv").write_bytes(b"person_id,from_on,category\n0001\n0002\n0003\n")
    (folder / "practices.csv").write_bytes(b"")
    message = refusal(lambda: read(folder, "contacts", "costs", "practices"))
    assert "the data cannot be used: 3 rules are broken" in message
    assert "contacts: rows that do not have as many cells as the header" in message
    assert "not closed (2 rows)" in message
    assert "not closed (3 rows)" in message
    assert "practices: the file is empty" in message


def test_two_files_for_one_table(folder: Path, frames: Frames) -> None:
    frames["contacts"].to_parquet(folder / "contacts.parquet")
    assert "several files for one table (contacts.csv, contacts.parquet)" in refusal(
        lambda: read(folder, "contacts")
    )


def test_no_folder() -> None:
    assert "there is no folder" in refusal(lambda: read_data("no/such/folder"))


def test_a_header_that_may_be_a_person_is_not_shown(folder: Path) -> None:
    text = (folder / "persons.csv").read_text(encoding="utf-8").split("\n", 1)[1]
    (folder / "persons.csv").write_text("person_id,1950,Jansen\n" + text, encoding="utf-8")
    message = refusal(lambda: read(folder, "persons"))
    assert "Jansen" not in message
    assert "1950" not in message


def test_digest_is_of_names_and_bytes(folder: Path, tmp_path: Path, frames: Frames) -> None:
    names = ("contacts", "practices")
    digest = read(folder, *names).digest
    copy = write_csv(tmp_path / "copy", frames)
    assert digest == read(copy, *reversed(names)).digest, "neither the place nor the order counts"
    assert len(digest) == 64
    total = hashlib.sha256()
    for path in (folder / "contacts.csv", folder / "practices.csv"):
        total.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    assert digest == total.hexdigest()
    with (folder / "contacts.csv").open("a", encoding="utf-8") as file:
        file.write("0002,2022-05-05,other,,1,\n")
    assert read(folder, *names).digest != digest


def test_nothing_is_left_on_disk(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    for encoding in ("utf-8", "utf-16"):
        write_csv(folder, small_frames(), encoding=encoding)
        data = read(folder, "municipalities")
    assert [path.name.startswith("wor_eval_") for path in scratch.iterdir()]
    del data
    gc.collect()
    assert list(scratch.iterdir()) == []
    assert sorted(tmp_path.iterdir()) == before


def test_folder_names_with_signs_of_a_search_pattern(tmp_path: Path, frames: Frames) -> None:
    folder = write_csv(tmp_path / "wave [1] *?", frames)
    frames["contacts"].to_parquet(folder / "contacts.parquet")
    (folder / "contacts.csv").unlink()
    assert rows(read(folder, "contacts")) == rows(study(frames, "contacts"))
