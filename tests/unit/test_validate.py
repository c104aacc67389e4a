"""Every rule of the data door, one broken table at a time."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.raw_study import N_PERSONS, SHIPPED, Frames, only, small_frames, write_csv
from wor_eval.data.load import load_frames
from wor_eval.data.read import read_data, study_data
from wor_eval.data.validate import Finding, check_data, check_loaded, check_tables
from wor_eval.errors import DataError

Change = Callable[[Frames], None]


@pytest.fixture
def frames() -> Frames:
    return small_frames()


def check(frames: Mapping[str, Any], *tables: str) -> tuple[Finding, ...]:
    """Check some of the tables, by the dictionary of those tables alone."""
    dictionary = only(*(tables or SHIPPED.tables))
    wanted = {name: frame for name, frame in frames.items() if name in dictionary.tables}
    return check_loaded(load_frames(wanted, dictionary), dictionary)


def found(findings: tuple[Finding, ...]) -> list[tuple[str, str, str, int]]:
    return [(f.table, f.column, f.rule, f.rows) for f in findings]


def put(frame: pd.DataFrame, column: str, *values: Any) -> None:
    """Write the first cells of a column."""
    frame[column] = [*values, *frame[column].tolist()[len(values) :]]


def test_the_small_study_keeps_every_rule(frames: Frames) -> None:
    assert check(frames) == ()


def test_missing_tables_and_columns(frames: Frames) -> None:
    del frames["referrals"]
    del frames["costs"]
    frames["persons"] = frames["persons"].drop(columns=["sex", "birth_month"])
    assert found(check(frames)) == [
        ("persons", "sex", "missing column", 0),
        ("referrals", "", "missing table", 0),
    ]


def test_tables_without_rows(frames: Frames) -> None:
    frames["referrals"], frames["costs"] = frames["referrals"][:0], frames["costs"][:0]
    findings = check(frames)
    assert found(findings) == [("referrals", "", "no rows", 0), ("costs", "", "no rows", 0)]
    assert [finding.severity for finding in findings] == ["error", "notice"]


def test_empty_values(frames: Frames) -> None:
    put(frames["persons"], "sex", "", " ", None)
    put(frames["persons"], "birth_year", "")
    assert found(check(frames, "persons")) == [
        ("persons", "birth_year", "required value is empty", 1),
        ("persons", "sex", "required value is empty", 3),
    ]


def test_wrong_type_and_empty_are_counted_apart(frames: Frames) -> None:
    put(frames["persons"], "birth_year", "", "onbekend", "19-50")
    assert found(check(frames, "persons")) == [
        ("persons", "birth_year", "not a year", 2),
        ("persons", "birth_year", "required value is empty", 1),
    ]


def test_unknown_codes(frames: Frames) -> None:
    put(frames["persons"], "sex", "X", "f")
    put(frames["questionnaires"], "instrument", "EQ5D")
    findings = check(frames, "persons", "questionnaires")
    assert found(findings) == [
        ("persons", "sex", "unknown code", 2),
        ("questionnaires", "instrument", "unknown code", 1),
    ]
    assert findings[0].remedy == "use one of F, M"
    assert "codes/instrument.csv" in findings[1].remedy


@pytest.mark.parametrize(
    ("table", "column", "value", "limit"),
    [
        ("persons", "birth_year", "1889", "at least 1890"),
        ("persons", "birth_year", "2031", "at most 2030"),
        ("persons", "birth_month", "0", "at least 1"),
        ("persons", "birth_month", "13", "at most 12"),
        ("persons", "n_chronic", "-1", "at least 0"),
        ("persons", "income_quintile", "6", "at most 5"),
        ("referrals", "n_coach_contacts", "-1", "at least 0"),
        ("contacts", "n_contacts", "-2", "at least 0"),
        ("contacts", "recall_days", "0", "at least 1"),
        ("contacts", "recall_days", "367", "at most 366"),
    ],
)
def test_out_of_range(frames: Frames, *, table: str, column: str, value: str, limit: str) -> None:
    put(frames[table], column, value)
    (finding,) = check(frames, table)
    assert (finding.column, finding.rule, finding.rows) == (column, "out of range", 1)
    assert limit in finding.remedy


@pytest.mark.parametrize(
    ("table", "column", "wrong"),
    [
        ("contacts", "icpc", ["p76", "P7", "P76.1", "P76.001", "76"]),
        ("questionnaires", "items", ["1,2,3", "1  2", "1 a 2"]),
    ],
)
def test_patterns(frames: Frames, *, table: str, column: str, wrong: list[str]) -> None:
    put(frames[table], column, *wrong)
    assert found(check(frames, table)) == [(table, column, "does not match the pattern", len(wrong))]


def test_duplicate_keys(frames: Frames) -> None:
    frames["persons"] = pd.concat([frames["persons"], frames["persons"][:2], frames["persons"][:1]])
    frames["referrals"] = pd.concat([frames["referrals"], frames["referrals"][:1]])
    findings = check(frames, "persons", "referrals")
    assert found(findings) == [
        ("persons", "person_id", "key occurs more than once", 3),
        ("referrals", "person_id, referred_on", "key occurs more than once", 1),
    ]


def test_several_contacts_on_a_day_are_no_duplicates(frames: Frames) -> None:
    frames["contacts"] = pd.concat([frames["contacts"], frames["contacts"]])
    assert check(frames, "contacts") == ()


def test_dangling_references(frames: Frames) -> None:
    put(frames["referrals"], "person_id", "9999", "1")
    put(frames["persons"], "municipality_code", "", "34")
    put(frames["registrations"], "practice_id", "p03")
    assert found(check(frames)) == [
        ("persons", "municipality_code", "does not occur in municipalities.municipality_code", 1),
        ("referrals", "person_id", "does not occur in persons.person_id", 2),
        ("registrations", "practice_id", "does not occur in practices.practice_id", 1),
    ]
    del frames["municipalities"]
    del frames["practices"]
    assert [finding.table for finding in check(frames)] == ["referrals"]


def test_one_unreadable_key_is_not_reported_again_by_every_reference(frames: Frames) -> None:
    frames["persons"]["person_id"] = [number + 0.5 for number in range(N_PERSONS)]
    assert found(check(frames)) == [("persons", "person_id", "text stored as a decimal number", N_PERSONS)]


def test_dates_to_come(frames: Frames) -> None:
    put(frames["registrations"], "end_on", "2020-12-31", "9999-12-31", "2999-01-01")
    assert found(check(frames, "registrations")) == [
        ("registrations", "end_on", "date more than a year after today", 2)
    ]


def test_a_date_within_a_year_from_today_is_allowed(frames: Frames) -> None:
    soon = (pd.Timestamp.now() + pd.Timedelta(days=300)).strftime("%Y-%m-%d")
    put(frames["registrations"], "end_on", "2020-12-31", soon)
    assert check(frames, "registrations") == ()


def test_dates_before_birth(frames: Frames) -> None:
    put(frames["persons"], "died_on", "1929-12-31", "1935-01-01")
    put(frames["referrals"], "referred_on", "1901-01-01")
    put(frames["contacts"], "contact_on", "1901-01-01", "1901-01-01")
    rule = "date before the year of birth"
    assert found(check(frames, "persons", "referrals", "contacts")) == [
        ("persons", "died_on", rule, 1),
        ("referrals", "referred_on", rule, 1),
        ("contacts", "contact_on", rule, 2),
    ]


def test_dates_out_of_order(frames: Frames) -> None:
    put(frames["referrals"], "intake_on", "2021-02-01", "", "", "2022-02-02")
    put(frames["referrals"], "ended_on", "2021-03-31")
    put(frames["registrations"], "end_on", "2014-12-31")
    put(frames["costs"], "to_on", "2020-12-31")
    assert found(check(frames, "referrals", "registrations", "costs")) == [
        ("referrals", "intake_on", "date before referred_on", 1),
        ("referrals", "started_on", "date before intake_on", 1),
        ("referrals", "ended_on", "date before started_on", 1),
        ("registrations", "end_on", "date before start_on", 1),
        ("costs", "to_on", "date before from_on", 1),
    ]


def test_contacts_outside_every_registration(frames: Frames) -> None:
    put(frames["contacts"], "contact_on", "2014-12-31", "2015-01-01")
    rule = "contact outside every registration of the person"
    assert found(check(frames)) == [("contacts", "contact_on", rule, 1)]
    frames["registrations"]["end_on"] = "2020-12-31"
    frames["registrations"] = frames["registrations"][:N_PERSONS]
    late = sum(day > "2020-12-31" for day in frames["contacts"]["contact_on"])
    assert found(check(frames)) == [("contacts", "contact_on", rule, 1 + late)]


def test_a_self_reported_count_may_fall_outside_a_registration(frames: Frames) -> None:
    contacts = frames["contacts"]
    assert contacts["contact_on"].iloc[-1] < "2015-01-01" < contacts["contact_on"].iloc[0]
    assert contacts["recall_days"].iloc[-1] == "90"
    contacts.loc[N_PERSONS, "recall_days"] = ""
    assert [finding.rows for finding in check(frames)] == [1]


@pytest.mark.parametrize(
    ("periods", "rows"),
    [
        ([("2015-01-01", "2020-12-31"), ("2021-01-01", "")], 0),
        ([("2015-01-01", "2021-01-01"), ("2021-01-01", "")], 1),
        ([("2015-01-01", ""), ("2021-01-01", "")], 1),
        ([("2015-01-01", "2022-01-01"), ("2016-01-01", "2016-02-01"), ("2017-01-01", "2018-01-01")], 2),
        ([("2015-01-01", "2015-06-01"), ("2015-01-01", "2015-03-01")], 1),
    ],
)
def test_overlapping_registrations(frames: Frames, periods: list[tuple[str, str]], rows: int) -> None:
    frames["registrations"] = pd.DataFrame(
        {
            "person_id": "0001",
            "practice_id": [f"p{place}" for place in range(len(periods))],
            "start_on": [start for start, _ in periods],
            "end_on": [end for _, end in periods],
        }
    )
    assert [finding.rows for finding in check(frames, "registrations")] == [rows][: bool(rows)]


def test_credit_lines_are_told_and_read(frames: Frames) -> None:
    put(frames["costs"], "amount", "-12.50")
    (finding,) = check(frames, "costs")
    assert (finding.rule, finding.rows, finding.severity) == ("negative amount", 1, "notice")
    data = study_data(frames)
    assert data.tables["costs"].amount.to_pyarrow().to_pylist()[0] == -12.5
    assert any("costs.amount: negative amount (1 row)" in note for note in data.notes)


def bsn(number: int) -> str:
    """A nine-digit number that passes the eleven test, made from eight digits."""
    digits = f"{number:08d}"
    last = sum(int(d) * w for d, w in zip(digits, range(9, 1, -1), strict=True)) % 11
    return "" if last == 10 else digits + str(last)


@pytest.mark.parametrize("kind", ["text", "lost zero", "number", "decimal"])
def test_citizen_service_numbers(frames: Frames, kind: str) -> None:
    numbers = [value for value in map(bsn, range(1_234_500, 1_234_600)) if value][: N_PERSONS - 1]
    form: Callable[[str], Any] = {
        "text": str,
        "lost zero": lambda v: v.lstrip("0"),
        "number": int,
        "decimal": float,
    }[kind]
    frames["persons"]["extra"] = [*map(form, numbers), None if kind != "number" else 12]
    findings = check(frames, "persons")
    assert found(findings) == [
        ("persons", "extra", "looks like a citizen service number (BSN)", N_PERSONS - 1)
    ]
    assert not any(number in str(findings) for number in numbers)


def test_a_citizen_service_number_as_id_is_refused(frames: Frames) -> None:
    numbers = [value for value in map(bsn, range(12_345_600, 12_345_700)) if value][:N_PERSONS]
    frames["persons"]["person_id"] = numbers
    rule = "looks like a citizen service number (BSN)"
    assert found(check(frames, "persons")) == [("persons", "person_id", rule, N_PERSONS)]


def test_other_numbers_of_nine_digits_are_allowed(frames: Frames) -> None:
    frames["persons"]["person_id"] = [f"{100_000_000 + number}" for number in range(N_PERSONS)]
    frames["persons"]["extra"] = "20210301"
    assert check(frames, "persons") == ()


def test_free_text(frames: Frames) -> None:
    frames["referrals"]["remarks"] = [f"heeft lang alleen gewoond in straat {n}" for n in range(4)]
    frames["contacts"]["site"] = "a long name of one and the same practice"
    frames["practices"]["practice_id"] = ["praktijk aan de lange weg", "praktijk aan de korte weg"]
    findings = check(frames, "referrals", "contacts", "practices")
    assert found(findings) == [
        ("referrals", "remarks", "looks like free text", 4),
        ("practices", "practice_id", "looks like free text", 2),
    ]
    assert "straat" not in str(findings)


@pytest.mark.parametrize(
    ("name", "classes", "across"),
    [
        ("leeftijdsklasse", ["18-60", "61-75", "76+"], "61-75"),
        ("age_class", ["18-44", "45-65", "66+"], "45-65"),
        ("leeftijd_groep", ["18 tot 60 jaar", "60 t/m 75 jaar", "75 jaar en ouder"], "60 t/m 75 jaar"),
        ("whatever", ["0-17", "18-60", "60+"], "60+"),
        ("agegroup", ["<=65", ">65", "onbekend"], "<=65"),
        ("birth_year", ["18-60", "61-75", "76+"], "61-75"),
    ],
)
def test_ages_in_classes_across_65(frames: Frames, *, name: str, classes: list[str], across: str) -> None:
    frames["persons"][name] = (classes * N_PERSONS)[:N_PERSONS]
    findings = [f for f in check(frames, "persons") if "age in classes" in f.rule]
    assert [(f.column, f.rule) for f in findings] == [(name, f"age in classes that run across 65: {across}")]
    assert "deliver birth_year" in findings[0].remedy


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("age_class", ["18-64", "65-74", "75+"]),
        ("age_class", ["18 tot 65 jaar", "65 tot 75 jaar", "75 jaar en ouder"]),
        ("age_class", ["<65", ">=65", "≥75"]),
        ("age_class", ["jong", "oud", "oudst"]),
        ("period", ["2010-2015", "2016-2020", "2021+"]),
        ("score", ["3", "61", "75"]),
        ("day", ["12-05", "31-12", "01-01"]),
    ],
)
def test_other_classes_are_only_extra_columns(frames: Frames, name: str, classes: list[str]) -> None:
    frames["persons"][name] = (classes * N_PERSONS)[:N_PERSONS]
    assert check(frames, "persons") == ()


def test_everything_is_listed_at_once_and_no_value_is_shown(tmp_path: Path, frames: Frames) -> None:
    put(frames["persons"], "sex", "Jansen")
    put(frames["persons"], "birth_year", "geheim")
    put(frames["referrals"], "person_id", "Pietersen")
    put(frames["contacts"], "contact_on", "gisteren")
    put(frames["costs"], "amount", "-1")
    folder = write_csv(tmp_path / "raw", frames)
    (folder / "practices.csv").write_bytes(b"")
    (folder / "questionnaires.csv").unlink()
    (folder / "questionnaires.csv.gz").write_bytes(gzip.compress(b"person_id,score\n" * 99)[:-9])
    findings = check_data(folder)
    assert found(findings) == [
        ("persons", "birth_year", "not a year", 1),
        ("persons", "sex", "unknown code", 1),
        ("referrals", "person_id", "does not occur in persons.person_id", 1),
        ("contacts", "contact_on", "not a date", 1),
        ("practices", "", "the file is empty", 0),
        ("questionnaires", "", "the gzip file is damaged or cut off (EOFError)", 0),
        ("costs", "amount", "negative amount", 1),
    ]
    with pytest.raises(DataError) as caught:
        read_data(folder)
    assert list(caught.value.problems) == [str(f) for f in findings if f.severity == "error"]
    shown = str(caught.value)
    assert not any(value in shown for value in ("Jansen", "geheim", "Pietersen", "gisteren"))
    assert caught.value.__context__ is None, "no other error, which may hold a value, is shown with it"


def test_check_data_of_a_good_folder_and_of_none(tmp_path: Path, frames: Frames) -> None:
    assert check_data(write_csv(tmp_path / "raw", frames)) == ()
    with pytest.raises(DataError, match="there is no folder"):
        check_data(tmp_path / "none")


def test_check_tables_leaves_the_tables_alone(frames: Frames) -> None:
    data = study_data(frames)
    assert check_tables(data.tables, data.dictionary) == ()


def test_a_finding_reads_as_a_sentence() -> None:
    finding = Finding(table="costs", column="", rule="no rows", rows=0, remedy="deliver them")
    assert str(finding) == "costs: no rows: deliver them"
