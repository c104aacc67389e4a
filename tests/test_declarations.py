"""What ships as a declaration is valid by its own standard, and complete in both languages."""

import csv
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.saved_study import saved_folder
from wor_eval.assets import asset
from wor_eval.data.dictionary import codebook, read_dictionary

RAW = sorted(asset("data_dictionary", "raw").glob("*.yaml"))
CODES = sorted(asset("data_dictionary", "codes").glob("*.csv"))
RESULTS = sorted(asset("data_dictionary", "results").glob("*.yaml"))


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


# What is published


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_results_tables_are_frictionless_table_schemas(path: Path) -> None:
    frictionless = pytest.importorskip(
        "frictionless", reason="the dev dependency frictionless is not installed"
    )
    report = frictionless.validate(descriptor(path), type="schema")
    assert report.valid, report.flatten(["message"])
    schema = frictionless.Schema.from_descriptor(descriptor(path))
    assert [field.name for field in schema.fields] == [field["name"] for field in descriptor(path)["fields"]]


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_results_tables_speak_both_languages(path: Path) -> None:
    content = descriptor(path)
    assert content["name"] == path.stem
    assert content["grain"]
    assert content["description"]
    assert content["description_nl"]
    for part in (content, *content["fields"]):
        assert set(part["label"]) == {"nl", "en"}, part["name"]
        assert all(str(text).strip() for text in part["label"].values()), part["name"]


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_columns_of_results_tables_are_told_apart(path: Path) -> None:
    fields = descriptor(path)["fields"]
    for texts in (
        [field["name"] for field in fields],
        [field["label"]["nl"] for field in fields],
        [field["label"]["en"] for field in fields],
    ):
        assert len(texts) == len(set(texts))
    assert fields[-1]["name"] == "suppressed"


def test_saved_tables_are_valid_by_their_descriptors() -> None:
    """The files themselves, read by another program: every column there, every cell of its type."""
    frictionless = pytest.importorskip(
        "frictionless", reason="the dev dependency frictionless is not installed"
    )
    folder = saved_folder() / "before_after"
    for file in sorted(folder.glob("*.csv")):
        schema = frictionless.Schema.from_descriptor(descriptor(RESULTS[0].with_name(f"{file.stem}.yaml")))
        resource = frictionless.Resource(path=file.name, basepath=str(folder), schema=schema)
        report = resource.validate()
        assert report.valid, report.flatten(["fieldName", "message"])[:3]


# The packages it needs


def project(root: Path) -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return content


def normal(name: str) -> str:
    """A package name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(root: Path) -> dict[str, list[str]]:
    """Versions by package; a package stands twice where versions differ by platform or Python."""
    found: dict[str, list[str]] = {}
    for line in (root / "requirements.lock").read_text(encoding="utf-8").splitlines():
        exact = re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][A-Za-z0-9.+!]*)( ; .+)?", line)
        assert exact, f"not an exact version: {line}"
        found.setdefault(normal(exact[1]), []).append(exact[2])
    return found


def test_the_lock_covers_every_dependency_with_an_exact_version(root: Path) -> None:
    wanted = [*project(root)["dependencies"], *project(root)["optional-dependencies"]["dev"]]
    pins = locked(root)
    for requirement in wanted:
        name, _, limit = re.sub(r"\[.*?\]", "", requirement).partition(">=")
        versions = pins.get(normal(name))
        assert versions, f"requirements.lock lacks {name}"
        lowest = tuple(int(part) for part in limit.split("."))
        for version in versions:
            parts = tuple(int(part) for part in re.findall(r"\d+", version))
            assert parts >= lowest, f"requirements.lock has {name} {version}, and {limit} is needed"


def test_the_lock_names_no_index_and_no_machine(root: Path) -> None:
    text = (root / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"://|^-|@ |index|file:", text, re.MULTILINE)
