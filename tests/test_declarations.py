"""What ships as a declaration is valid by its own standard, and complete in both languages."""

import csv
from pathlib import Path
from typing import Any

import pytest
import yaml

from wor_eval.assets import asset
from wor_eval.data.dictionary import codebook, read_dictionary

RAW = sorted(asset("data_dictionary", "raw").glob("*.yaml"))
CODES = sorted(asset("data_dictionary", "codes").glob("*.csv"))


def descriptor(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


@pytest.mark.parametrize("path", RAW, ids=lambda path: path.stem)
def test_raw_tables_are_frictionless_table_schemas(path: Path) -> None:
    frictionless = pytest.importorskip(
        "frictionless", reason="the dev dependency frictionless is not installed"
    )
    report = frictionless.validate(descriptor(path), type="schema")
    assert report.valid, report.flatten(["message"])


@pytest.mark.parametrize("path", RAW, ids=lambda path: path.stem)
def test_patterns_and_limits_hold_for_frictionless_too(path: Path) -> None:
    frictionless = pytest.importorskip(
        "frictionless", reason="the dev dependency frictionless is not installed"
    )
    schema = frictionless.Schema.from_descriptor(descriptor(path))
    columns = read_dictionary().tables[path.stem].columns
    assert [field.name for field in schema.fields] == list(columns)
    for field in schema.fields:
        assert field.type == columns[field.name].type
        assert bool(field.required) == columns[field.name].required


def test_shipped_dictionary_has_no_problem() -> None:
    assert set(read_dictionary().tables) == {path.stem for path in RAW}


def test_every_code_list_is_used() -> None:
    used = {column.codes for table in read_dictionary().tables.values() for column in table.columns.values()}
    assert {path.stem for path in CODES} == used - {None}


@pytest.mark.parametrize("path", CODES, ids=lambda path: path.stem)
def test_code_lists_are_plain_utf8_with_known_columns(path: Path) -> None:
    raw = path.read_bytes()
    assert not raw.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in raw
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) <= {"code", "label_nl", "label_en", "note", "source"}
    assert all(row["code"] == row["code"].strip() for row in rows)


def test_ids_of_persons_are_disclosive_everywhere() -> None:
    for table in read_dictionary().tables.values():
        for column in table.columns.values():
            if column.name in ("person_id", "practice_id"):
                assert column.disclosive, f"{table.name}.{column.name}"


@pytest.mark.parametrize("lang", ["nl", "en"])
def test_codebook_can_be_written(lang: str) -> None:
    assert codebook(read_dictionary(), lang=lang).count("\n## ") == len(RAW)  # type: ignore[arg-type]


def test_asset_names_a_file_of_the_checkout(root: Path) -> None:
    assert asset("data_dictionary") == root / "data_dictionary"
