"""Reading: every way in which a table may be written, and what cannot be read."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.raw_study import (
    N_PERSONS,
    Frames,
    column,
    read,
    refusal,
    rows,
    small_frames,
    study,
    write_csv,
)
from wor_eval.data.read import read_data, study_data


@pytest.fixture
def frames() -> Frames:
    return small_frames()


@pytest.fixture
def folder(tmp_path: Path, frames: Frames) -> Path:
    return write_csv(tmp_path / "raw", frames)


def test_values_arrive_as_the_dictionary_says(folder: Path) -> None:
    data = read_data(folder)
    assert column(data, "persons", "person_id") == [f"{n:04d}" for n in range(1, N_PERSONS + 1)]
    assert column(data, "persons", "municipality_code")[0] == "0034"
    assert column(data, "persons", "died_on") == [None] * (N_PERSONS - 1) + [date(2023, 5, 1)]
    assert column(data, "costs", "amount") == [1234.5, 30.0, 0.99]
    assert column(data, "costs", "to_on") == [date(2021, 12, 31), None, date(2021, 1, 1)]
    assert column(data, "municipalities", "wmo_delivered") == [True, False]
    assert column(data, "municipalities", "name")[1] == "Súdwest-Fryslân"
    assert column(data, "questionnaires", "items")[1] == "1 . 1 1 1"
    types = {str(dtype) for table in data.tables.values() for dtype in table.schema().values()}
    assert types == {"string", "int64", "float64", "date", "boolean"}


def test_absent_optional_columns_are_added_and_absent_tables_are_not(folder: Path, frames: Frames) -> None:
    frames["contacts"].drop(columns=["n_contacts", "icpc"]).to_csv(folder / "contacts.csv", index=False)
    (folder / "costs.csv").unlink()
    data = read_data(folder)
    assert list(data.tables["contacts"].columns) == list(data.dictionary.tables["contacts"].columns)
    assert column(data, "contacts", "n_contacts") == [1] * (N_PERSONS + 1)
    assert column(data, "contacts", "icpc") == [None] * (N_PERSONS + 1)
    assert str(data.tables["contacts"].schema()["icpc"]) == "string"
    assert "costs" not in data.tables


@pytest.mark.parametrize(
    ("written", "note"),
    [
        ("%d-%m-%Y", "dd-mm-yyyy"),
        ("%Y%m%d", "yyyymmdd"),
        ("%Y-%m-%d 00:00:00", "yyyy-mm-dd 00:00"),
        ("%Y-%m-%dT00:00:00", "yyyy-mm-dd 00:00"),
        ("%d-%m-%Y 0:00", "dd-mm-yyyy"),
    ],
)
def test_dates_in_one_other_way_of_writing(folder: Path, frames: Frames, *, written: str, note: str) -> None:
    contacts = frames["contacts"]
    dates = pd.to_datetime(contacts["contact_on"])
    contacts.assign(contact_on=dates.dt.strftime(written)).to_csv(folder / "contacts.csv", index=False)
    data = read(folder, "contacts")
    assert column(data, "contacts", "contact_on") == [d.date() for d in dates]
    assert any(f"contact_on: {note}" in line for line in data.notes)


def test_dates_with_slashes_need_a_day_above_twelve(folder: Path, frames: Frames) -> None:
    contacts = frames["contacts"].assign(contact_on="03/04/2021")
    contacts.to_csv(folder / "contacts.csv", index=False)
    message = refusal(lambda: read(folder, "contacts"))
    assert (
        "contacts.contact_on: it cannot be told which number is the day and which the month (13 rows)"
        in message
    )
    contacts.loc[0, "contact_on"] = "13/04/2021"
    contacts.to_csv(folder / "contacts.csv", index=False)
    assert column(read(folder, "contacts"), "contacts", "contact_on")[1] == date(2021, 4, 3)
    contacts.loc[0, "contact_on"] = "04/13/2021"
    contacts.to_csv(folder / "contacts.csv", index=False)
    assert column(read(folder, "contacts"), "contacts", "contact_on")[1] == date(2021, 3, 4)


def test_a_column_is_written_in_one_way(folder: Path, frames: Frames) -> None:
    contacts = frames["contacts"]
    contacts.loc[0, "contact_on"] = "01-02-2020"
    contacts.to_csv(folder / "contacts.csv", index=False)
    message = refusal(lambda: read(folder, "contacts"))
    assert "contacts.contact_on: not a date (1 row)" in message
    assert "several ways of writing occur together" in message


@pytest.mark.parametrize(
    "wrong", ["2021-02-30", "2021-13-01", "21-01-05", "1 mei 2021", "2021-01-05 10:30:00", "infinity"]
)
def test_what_is_no_date(folder: Path, frames: Frames, wrong: str) -> None:
    contacts = frames["contacts"]
    contacts.loc[3, "contact_on"] = wrong
    contacts.to_csv(folder / "contacts.csv", index=False)
    message = refusal(lambda: read(folder, "contacts"))
    assert "contacts.contact_on: not a date (1 row)" in message
    assert wrong not in message
    assert "required value is empty" not in message, "the same cell is not counted twice"


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        (["1234,50", "30", "0,99"], [1234.5, 30.0, 0.99]),
        (["-1,5", "+2,25", ",5"], [-1.5, 2.25, 0.5]),
        (["1e3", ".5", "-2."], [1000.0, 0.5, -2.0]),
        (["1234.567", "1.5", "0.123"], [1234.567, 1.5, 0.123]),
    ],
)
def test_decimal_signs(folder: Path, frames: Frames, *, amounts: list[str], expected: list[float]) -> None:
    frames["costs"].assign(amount=amounts).to_csv(folder / "costs.csv", index=False, sep=";")
    data = read(folder, "costs")
    assert column(data, "costs", "amount") == expected
    sign = "decimal comma" if "," in "".join(amounts) else "decimal point"
    assert any(f"amount: {sign}" in note for note in data.notes)


@pytest.mark.parametrize(
    ("amounts", "rule"),
    [
        (["1.234", "12.500", "3"], "whether the sign in the numbers marks decimals or thousands (3 rows)"),
        (["1,234", "12,500", "3"], "whether the sign in the numbers marks decimals or thousands (3 rows)"),
        (["1,5", "1.5", "3"], "not a number (1 row)"),
        (["1.234,50", "2,50", "3"], "not a number (1 row)"),
        (["€ 3", "2", "3"], "not a number (1 row)"),
        (["nan", "inf", "NA"], "not a number (3 rows)"),
        (["1e400", "-1e400", "3"], "not a number (2 rows)"),
    ],
)
def test_what_is_no_clear_number(folder: Path, frames: Frames, *, amounts: list[str], rule: str) -> None:
    frames["costs"].assign(amount=amounts).to_csv(folder / "costs.csv", index=False, sep=";")
    assert rule in refusal(lambda: read(folder, "costs"))


@pytest.mark.parametrize("wrong", ["1.5", "1.000", "1e3", "0x1F", "een", "1 000", "99999999999999999999"])
def test_what_is_no_whole_number(folder: Path, frames: Frames, wrong: str) -> None:
    contacts = frames["contacts"]
    contacts.loc[0, "n_contacts"] = wrong
    contacts.to_csv(folder / "contacts.csv", index=False)
    assert "contacts.n_contacts: not a whole number (1 row)" in refusal(lambda: read(folder, "contacts"))


def test_whole_numbers_written_with_a_zero_decimal(folder: Path, frames: Frames) -> None:
    frames["contacts"].assign(n_contacts="2.0").to_csv(folder / "contacts.csv", index=False)
    assert column(read(folder, "contacts"), "contacts", "n_contacts") == [2] * (N_PERSONS + 1)


@pytest.mark.parametrize(
    ("yes", "no"), [("true", "false"), ("TRUE", "False"), ("1", "0"), ("ja", "Nee"), ("1.0", "0.0")]
)
def test_truth_values(folder: Path, frames: Frames, *, yes: str, no: str) -> None:
    frames["municipalities"].assign(wmo_delivered=[yes, no]).to_csv(
        folder / "municipalities.csv", index=False
    )
    assert column(read(folder, "municipalities"), "municipalities", "wmo_delivered") == [True, False]


def test_spaces_around_a_cell_do_not_count(folder: Path, frames: Frames) -> None:
    text = (
        (folder / "persons.csv")
        .read_text(encoding="utf-8")
        .replace(",F,", ", F ,")
        .replace("0001,", " 0001 ,")
    )
    (folder / "persons.csv").write_text(text.replace("person_id", " person_id "), encoding="utf-8")
    assert rows(read(folder, "persons")) == rows(study(frames, "persons"))


def test_quoted_cells_hold_separators_and_line_ends(folder: Path, frames: Frames) -> None:
    frames["municipalities"].loc[0, "name"] = 'a "b", c\nd'
    frames["municipalities"].to_csv(folder / "municipalities.csv", index=False)
    assert column(read(folder, "municipalities"), "municipalities", "name")[0] == 'a "b", c\nd'


def test_extra_columns_are_noted_and_ignored(folder: Path, frames: Frames) -> None:
    frames["contacts"].assign(extra="x", **{"": "1"}).to_csv(folder / "contacts.csv", index=False)
    (folder / "contact.csv").write_text("a,b\n", encoding="utf-8")
    data = read(folder, "contacts")
    assert "extra" not in data.tables["contacts"].columns
    assert any(
        "columns that are not in the dictionary, ignored: extra, column 8" in note for note in data.notes
    )
    assert any("not read, because no table has this name: contact.csv" in note for note in data.notes)


def test_columns_of_a_type_that_holds_no_cells(folder: Path, frames: Frames) -> None:
    frames["costs"]["category"] = [["gp"], ["gp"], ["gp"]]
    frames["costs"].to_parquet(folder / "costs.parquet")
    (folder / "costs.csv").unlink()
    message = refusal(lambda: read(folder, "costs"))
    assert "costs: columns stored as a type that cannot be read: category" in message


def test_ids_stored_as_numbers(frames: Frames) -> None:
    numbers = {name: frame.copy() for name, frame in frames.items()}
    for frame in numbers.values():
        if "person_id" in frame:
            frame["person_id"] = frame["person_id"].astype("int64")
    data = study(numbers, "persons", "contacts")
    assert column(data, "persons", "person_id")[0] == "1"
    assert any("leading zeros, if there were any, were lost" in note for note in data.notes)
    assert any("they have 1 to 2 digits" in note for note in data.notes)
    numbers["contacts"]["person_id"] = numbers["contacts"]["person_id"].astype("float64")
    assert column(study(numbers, "contacts"), "contacts", "person_id")[0] == "1"
    numbers["contacts"].loc[0, "person_id"] = 2.0**53 + 2
    message = refusal(lambda: study(numbers, "contacts"))
    assert "contacts.person_id: text stored as a decimal number (1 row): store it as text" in message


def test_ids_stored_as_numbers_in_parquet(folder: Path, frames: Frames) -> None:
    frames["costs"].assign(person_id=[1.5, 2.5, np.nan]).to_parquet(folder / "costs.parquet")
    (folder / "costs.csv").unlink()
    message = refusal(lambda: read(folder, "costs"))
    assert "costs.person_id: text stored as a decimal number (2 rows)" in message


def test_frames_may_hold_any_pandas_type(frames: Frames) -> None:
    expected = rows(study_data(frames))
    typed = {name: frame.replace("", None) for name, frame in frames.items()}
    typed["persons"] = typed["persons"].astype(
        {"birth_year": "int32", "n_chronic": "float64", "sex": "category"}
    )
    typed["persons"]["income_quintile"] = pd.array([1, 5, None] * 4, dtype="Int64")
    typed["persons"]["died_on"] = pd.to_datetime(typed["persons"]["died_on"])
    typed["registrations"]["start_on"] = [date.fromisoformat(d) for d in typed["registrations"]["start_on"]]
    typed["registrations"]["end_on"] = [
        d and datetime.fromisoformat(d) for d in typed["registrations"]["end_on"]
    ]
    typed["costs"]["amount"] = typed["costs"]["amount"].astype("float64")
    typed["municipalities"]["wmo_delivered"] = [True, False]
    typed["contacts"]["recall_days"] = typed["contacts"]["recall_days"].astype("float64")
    typed["contacts"].index = pd.Index(typed["contacts"]["person_id"], name="person_id")
    before = {name: frame.copy() for name, frame in typed.items()}
    data = study_data(typed)
    assert rows(data) == expected
    assert data.digest == study_data(frames).digest, (
        "the digest does not depend on how pandas stores a column"
    )
    for name, frame in typed.items():
        pd.testing.assert_frame_equal(frame, before[name])


def test_frames_that_cannot_be_read(frames: Frames) -> None:
    contacts, costs = frames["contacts"], frames["costs"]
    broken: dict[str, Any] = frames | {
        "contacts": pd.concat([contacts, contacts[["kind"]]], axis=1),
        "costs": costs.assign(person_id=[1, "0002", "0003"]),
        "practices": [1, 2],
        "contact": contacts,
    }
    message = refusal(lambda: study_data(broken))
    assert "contacts: two columns have the same name" in message
    assert "costs: columns that mix kinds of values: person_id" in message
    assert "practices: not a frame but a list" in message
    assert "contact: unknown table: use one of persons" in message


def test_infinite_and_missing_numbers_in_frames(frames: Frames) -> None:
    frames["costs"]["amount"] = [np.inf, -np.inf, np.nan]
    message = refusal(lambda: study(frames, "costs"))
    assert "costs.amount: not a number (2 rows)" in message
    assert "costs.amount: required value is empty (1 row)" in message


def test_digest_of_frames_depends_on_every_cell(frames: Frames) -> None:
    digest = study(frames, "costs", "practices").digest
    assert digest == study(frames, "practices", "costs").digest
    frames["costs"].loc[0, "amount"] = "1234.51"
    assert study(frames, "costs", "practices").digest != digest


def test_card_and_summary(folder: Path) -> None:
    data = read_data(folder)
    assert repr(data) == (
        "<StudyData: persons, referrals, registrations, contacts, costs, municipalities, practices, "
        f"questionnaires; digest {data.digest[:12]}>"
    )
    assert "contacts: 13 rows" in data.summary()
