"""The data dictionary: reading it, asking it, and what it says of a broken one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wor_eval.data.dictionary import codebook, read_dictionary
from wor_eval.errors import DataError


@pytest.fixture
def folder(tmp_path: Path, root: Path) -> Path:
    """A copy of the shipped dictionary, to be broken."""
    shutil.copytree(root / "data_dictionary" / "raw", tmp_path / "raw")
    shutil.copytree(root / "data_dictionary" / "codes", tmp_path / "codes")
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def problems(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_dictionary(folder)
    return "\n".join(caught.value.problems)


def test_shipped_dictionary_holds_the_raw_tables() -> None:
    dictionary = read_dictionary()
    assert set(dictionary.tables) == {
        "persons",
        "registrations",
        "referrals",
        "contacts",
        "costs",
        "questionnaires",
        "practices",
        "municipalities",
    }
    required = {name for name, table in dictionary.tables.items() if table.required}
    assert required == {"persons", "registrations", "referrals"}
    assert dictionary.tables["referrals"].primary_key == ("person_id", "referred_on")
    assert dictionary.tables["contacts"].primary_key == ()
    assert dictionary.tables["referrals"].ordered == (("referred_on", "intake_on", "started_on", "ended_on"),)


def test_columns_carry_their_rules() -> None:
    dictionary = read_dictionary()
    n_contacts = dictionary.column("contacts", "n_contacts")
    assert (n_contacts.optional, n_contacts.default, n_contacts.minimum) == (True, 1, 0)
    assert dictionary.column("contacts", "recall_days").maximum == 366
    assert dictionary.column("persons", "birth_year").type == "year"
    assert dictionary.column("persons", "person_id").unique
    assert dictionary.column("contacts", "person_id").refers_to == ("persons", "person_id")
    assert not dictionary.column("contacts", "person_id").unique
    assert "panel" in dictionary.column("questionnaires", "wave").levels
    assert dictionary.column("costs", "amount").minimum is None


def test_labels_by_language() -> None:
    dictionary = read_dictionary()
    assert dictionary.label("persons", "birth_year", lang="nl") == "Geboortejaar"
    assert dictionary.label("persons", "birth_year", lang="en") == "Year of birth"
    assert dictionary.code_label("costs", "payer", "wmo", lang="nl") == "gemeente (Wmo)"


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [("person", "sex", "no table 'person'"), ("persons", "gender", "no column 'gender'; it has person_id")],
)
def test_asking_for_what_is_not_there(table: str, column: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_dictionary().label(table, column, lang="nl")


def test_asking_for_an_unknown_code_or_language() -> None:
    with pytest.raises(DataError, match="it has F, M"):
        read_dictionary().code_label("persons", "sex", "X", lang="nl")
    with pytest.raises(DataError, match="'de' is not known"):
        read_dictionary().label("persons", "sex", lang="de")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("raw/persons.yaml", "name: persons", "name: people", "raw/persons.yaml: name must be 'persons'"),
        ("raw/persons.yaml", "type: year", "type: jaar", "birth_year: type must be one of"),
        ("raw/persons.yaml", "label: {nl: Geslacht, en: Sex}", "label: {nl: Geslacht}", "sex: label needs"),
        ("raw/persons.yaml", "codes: sex", "codes: gender", "there is no code list codes/gender.csv"),
        (
            "raw/persons.yaml",
            "minimum: 1, maximum: 12",
            "minimum: 12, maximum: 1",
            "minimum is above maximum",
        ),
        ("raw/persons.yaml", "minimum: 1, maximum: 12", "minimum: one", "must be numbers"),
        ("raw/persons.yaml", "minimum: 1, maximum: 12", "lowest: 1", "constraint 'lowest' is not known"),
        ("raw/persons.yaml", "unit:", "units:", "n_chronic: property 'units' is not known"),
        ("raw/persons.yaml", "primaryKey: [person_id]", "primaryKey: [id]", "primaryKey must be a list"),
        (
            "raw/persons.yaml",
            "resource: municipalities",
            "resource: cities",
            "there is no cities.municipality_code",
        ),
        ("raw/persons.yaml", "required: true\n", "required: yes please\n", "required must be true or false"),
        ("raw/persons.yaml", "disclosive: true", "disclosive: 1", "disclosive must be true or false"),
        ("raw/persons.yaml", 'description_nl: "Geslacht', 'omschrijving: "Geslacht', "needs description"),
        ("raw/persons.yaml", "- name: sex", "- name: birth_year", "field 'birth_year' occurs twice"),
        ("raw/persons.yaml", "name: persons", "name: [persons", "not valid YAML in UTF-8 at line"),
        ("raw/persons.yaml", "constraints: {required: true}", "constraints: [required]", "must be a mapping"),
        ("raw/costs.yaml", "- [from_on, to_on]", "- [from_on, amount]", "ordered (dates) must be a list"),
        (
            "raw/costs.yaml",
            "type: number",
            "type: number\n    codes: payer",
            "belong to a column of type string",
        ),
        ("raw/contacts.yaml", "default: 1", "default: one", "default must be a whole number"),
        ("raw/contacts.yaml", "'^[A-Z][0-9]", "'^[A-Z[0-9", "pattern is not a regular expression"),
        ("raw/contacts.yaml", "foreignKeys:\n", "foreignKeys: 3\nxx:\n", "foreignKeys must be a list"),
        ("raw/contacts.yaml", "fields: [person_id]", "fields: []", "a foreign key needs one field"),
        ("codes/sex.csv", "code,label_nl", "kode,label_nl", "needs the columns code"),
        ("codes/sex.csv", "F,vrouw,female", "M,vrouw,female", "code 'M' occurs twice"),
        ("codes/sex.csv", "F,vrouw,female", "F,vrouw", "line 2 needs a code and a label"),
    ],
)
def test_every_mistake_has_a_message(folder: Path, *, file: str, old: str, new: str, problem: str) -> None:
    change(folder / file, old, new)
    assert problem in problems(folder)


def test_all_mistakes_are_listed_at_once(folder: Path) -> None:
    change(folder / "raw/persons.yaml", "type: year", "type: jaar")
    change(folder / "raw/costs.yaml", "codes: payer", "codes: betaler")
    change(folder / "codes/sex.csv", "F,vrouw,female", "F,vrouw,")
    found = problems(folder)
    assert all(part in found for part in ("birth_year: type", "codes/betaler.csv", "codes/sex.csv: line 2"))


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    assert "there is no raw/<table>.yaml" in problems(tmp_path)


@pytest.mark.parametrize("content", ["", "- a list", "fields: 3", "fields: [3]", "fields: [{name: a}]"])
def test_no_file_makes_it_fail_otherwise(folder: Path, content: str) -> None:
    (folder / "raw" / "persons.yaml").write_text(content, encoding="utf-8")
    assert "raw/persons.yaml" in problems(folder)


@pytest.mark.parametrize(
    ("lang", "title", "label"), [("nl", "Codeboek", "Geslacht"), ("en", "Codebook", "Sex")]
)
def test_codebook_shows_every_column_and_code(lang: str, title: str, label: str) -> None:
    dictionary = read_dictionary()
    page = codebook(dictionary, lang=lang)  # type: ignore[arg-type]
    assert page.startswith(f"# {title}\n")
    assert f"| `sex` | {label} |" in page
    for table in dictionary.tables.values():
        assert f"(`{table.name}`)" in page
        for column in table.columns.values():
            assert f"| `{column.name}` |" in page
            assert all(f"`{code}` (" in page for code in column.levels)
    widths = {line.count("|") - line.count("\\|") for line in page.splitlines() if line.startswith("|")}
    assert widths == {7}, "every row of a pipe table has the cells of its head"


def test_codebook_in_dutch_has_no_english_words() -> None:
    page = codebook(read_dictionary(), lang="nl")
    assert not {"at least", "never empty", "whole number", "one row per"} & set(page.split("|"))
    assert "one row per" not in page


def test_reading_modules_import_no_heavy_library() -> None:
    heavy = "{'ibis', 'duckdb', 'pandas', 'pyarrow', 'yaml'}"
    code = (
        f"import sys, wor_eval.data.read, wor_eval.data.validate; sys.exit(len({heavy} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_repr_and_summary_are_short() -> None:
    dictionary = read_dictionary()
    assert repr(dictionary) == "<Dictionary: 8 tables, 47 columns>"
    assert len(dictionary.summary().splitlines()) == 8
