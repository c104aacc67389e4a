"""Mappings and [sources]: foreign columns and codes become those of the dictionary, or a refusal says why not."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyreadstat
import pytest

from tests.raw_study import SHIPPED, column, only, refusal, small_frames, write_csv
from wor_eval.data.mapping_rules import clean_cuts
from wor_eval.data.mappings import read_mapping, shipped_mappings
from wor_eval.data.read import StudyData, read_data

PRACTICES = """
[practices]
file = 'praktijk(?P<jaar>\\d{4})'

[practices.columns]
practice_id = "{S}{NR:05}"
municipality_code = { column = ["GEM", "GEMEENTE"], codes = { "1" = "0034", "2" = "0363" }, other = "9999" }
wor_from = { column = "VANAF", date = "yyyymmdd" }
"""


def foreign(folder: Path, mapping: str = PRACTICES, accept: str = "", **columns: list[Any]) -> Path:
    """A folder with one foreign file of practices, a mapping and the sources that name it."""
    cells: dict[str, list[Any]] = {
        "S": ["R", "R"],
        "NR": ["12", "00345"],
        "GEM": ["1", "2"],
        "VANAF": ["20200229", ""],
    }
    write_csv(folder, {"praktijk2021": pd.DataFrame(cells | columns)})
    (folder / "ours.toml").write_text(mapping, encoding="utf-8")
    (folder / "sources.toml").write_text(f'[sources]\nmapping = "ours"\n{accept}', encoding="utf-8")
    return folder


def practices(folder: Path) -> StudyData:
    return read_data(folder, dictionary=only("practices"))


def test_columns_codes_dates_and_keys(tmp_path: Path) -> None:
    data = practices(foreign(tmp_path))
    assert column(data, "practices", "practice_id") == ["R00012", "R00345"]
    assert column(data, "practices", "municipality_code") == ["0034", "0363"]
    assert column(data, "practices", "wor_from") == [date(2020, 2, 29), None]


@pytest.mark.parametrize(
    ("rule", "cells", "expected"),
    [
        ('"{jaar}-01-01"', ["x", "x"], [date(2021, 1, 1)] * 2),
        ('{ column = "VANAF", date = "dd-mm-yyyy" }', ["1-2-2020", "29-02-2020"], [date(2020, 2, 1), date(2020, 2, 29)]),
        ('{ column = "VANAF", date = "mm/dd/yyyy" }', ["1/2/2020", ""], [date(2020, 1, 2), None]),
        ('{ column = "VANAF", date = "ddmmyyyy" }', ["01022020", ""], [date(2020, 2, 1), None]),
        ('{ column = "VANAF", date = "yyyymm" }', ["202002", "2020-03"], [date(2020, 2, 1), date(2020, 3, 1)]),
        ('{ column = "VANAF", date = "excel" }', ["44256", ""], [date(2021, 3, 1), None]),
        ('{ column = "VANAF", date = "spss" }', ["13833936000", ""], [date(2021, 3, 1), None]),
        ('{ column = "VANAF", date = "stata" }', ["22340", ""], [date(2021, 3, 1), None]),
        ('{ column = "VANAF", date = "yyyymmdd", shift_days = -1 }', ["20200301", ""], [date(2020, 2, 29), None]),
        ('{ column = "VANAF", date = "yyyymmdd" }', ["2020-13-01", "01-02-2020"], "not a date (2 rows)"),
        ('{ column = "VANAF", date = "mm/dd/yyyy" }', ["31/12/2020", "1/2/2020"], "not a date (1 row)"),
    ],
)  # fmt: skip
def test_ways_to_write_a_date(tmp_path: Path, rule: str, cells: list[str], expected: Any) -> None:
    mapping = PRACTICES.replace('{ column = "VANAF", date = "yyyymmdd" }', rule)
    folder = foreign(tmp_path, mapping, VANAF=cells)
    if isinstance(expected, str):
        assert f"practices.wor_from: {expected}" in refusal(lambda: practices(folder))
    else:
        assert column(practices(folder), "practices", "wor_from") == expected


def test_the_first_name_that_the_file_has_is_read_whatever_its_case(tmp_path: Path) -> None:
    folder = foreign(tmp_path)
    frame = pd.DataFrame({"s": ["R"], "nr": ["1"], "gemeente": ["2"], "vanaf": [""]})
    write_csv(folder, {"praktijk2021": frame})
    assert column(practices(folder), "practices", "municipality_code") == ["0363"]


def test_an_unknown_code_takes_the_other_or_is_refused(tmp_path: Path) -> None:
    folder = foreign(tmp_path, GEM=["1", "7"])
    assert column(practices(folder), "practices", "municipality_code") == ["0034", "9999"]
    mapping = '[persons]\nfile = ".*"\n[persons.columns]\nperson_id = "NR"\nbirth_year = { value = 1950 }\n'
    mapping += 'sex = { column = "GEM", codes = { "1" = "M" } }\n'
    folder = foreign(tmp_path, mapping, GEM=["1", "F"])
    message = refusal(lambda: read_data(folder, dictionary=only("persons")))
    assert "persons.sex: unknown code (1 row): use one of F, M" in message, "F is no code of theirs"


def test_several_files_of_one_table_are_put_below_each_other(tmp_path: Path) -> None:
    folder = foreign(tmp_path, PRACTICES.replace('{ column = "VANAF", date = "yyyymmdd" }', '"{jaar}-01-01"'))
    frame = pd.DataFrame({"S": ["R"], "NR": [77.0], "GEM": [2.0], "VANAF": [""]})
    pyreadstat.write_sav(frame, str(folder / "praktijk2022.sav"))
    data = practices(folder)
    found = dict(
        zip(column(data, "practices", "practice_id"), column(data, "practices", "wor_from"), strict=True)
    )
    assert found == {"R00012": date(2021, 1, 1), "R00345": date(2021, 1, 1), "R00077": date(2022, 1, 1)}


@pytest.mark.parametrize(
    ("old", "new", "problems"),
    [
        ('practice_id = "{S}{NR:05}"', "", ["practices.practice_id: required, and left unmapped (Pseudonym of the GP"]),
        ("practice_id =", "practise_id =", ["practices.practise_id: no column", "practices.practice_id: required"]),
        ("[practices", "[practises", ["practises: no table of the data dictionary"]),
        ('date = "yyyymmdd"', 'date = "Y-M-D"', ["practices.wor_from: date must be one of yyyymmdd"]),
        ('column = "VANAF"', 'colum = "VANAF"', ["wor_from: 'colum' is not known", "exactly one of column, text"]),
        ("'praktijk(", "'praktijk((", ["practices: file is not a regular expression"]),
        ("[practices.columns]", "where = [1]\n[practices.columns]", ["practices: where needs column"]),
    ],
)  # fmt: skip
def test_mistakes_in_a_mapping_are_listed(tmp_path: Path, old: str, new: str, problems: list[str]) -> None:
    message = refusal(lambda: practices(foreign(tmp_path, PRACTICES.replace(old, new))))
    for problem in problems:
        assert problem in message


def test_a_column_that_the_file_does_not_have(tmp_path: Path) -> None:
    folder = foreign(tmp_path, PRACTICES.replace('"GEM", "GEMEENTE"', '"STAD"').replace('"VANAF"', '"SINDS"'))
    message = refusal(lambda: practices(folder))
    assert "the file has no column STAD (for practices.municipality_code)" in message
    folder = foreign(tmp_path, PRACTICES.replace('"VANAF"', '"SINDS"'))
    data = practices(folder)
    assert column(data, "practices", "wor_from") == [None, None]
    assert any("not in the file, so left empty: wor_from" in note for note in data.notes)


def test_an_id_made_of_broken_numbers_is_refused(tmp_path: Path) -> None:
    folder = foreign(tmp_path)
    (folder / "praktijk2021.csv").unlink()
    frame = pd.DataFrame({"S": ["R", "R"], "NR": [12.5, 2.0**53 + 2], "GEM": ["1", "2"]})
    pyreadstat.write_sav(frame, str(folder / "praktijk2021.sav"))
    assert "text stored as a decimal number: NR (2 rows)" in refusal(lambda: practices(folder))


def test_columns_outside_the_mapping_are_screened_too(tmp_path: Path) -> None:
    folder = foreign(tmp_path, BSN=["111222333", "123456782"])
    assert "practices.BSN: looks like a citizen service number" in refusal(lambda: practices(folder))


COSTS = """
[costs]
file = 'zvw(?P<jaar>\\d{4})'
assumption = "yearly costs spread over days"
unpivot = { columns = ["A", "B", "C"], name = "item", value = "euro", skip_zero = true, total = "TOTAAL" }
[costs.columns]
person_id = "P"
from_on = "{jaar}-01-01"
to_on = "{jaar}-12-31"
category = { column = "item", codes = { A = "gp", B = "hospital", C = "other" } }
payer = { value = "zvw" }
amount = { column = "euro", factor = 0.01 }
price_year = "{jaar}"
"""
ACCEPT = 'accept = ["yearly costs spread over days"]\n'


def costs(folder: Path, *, mapping: str = COSTS, accept: str = ACCEPT, **columns: list[Any]) -> StudyData:
    cells: dict[str, list[Any]] = {
        "P": ["1", "2"],
        "A": ["100", "0"],
        "B": ["2000", "50,5"],
        "NOP_A": ["60", "0"],
    }
    write_csv(folder, {"zvw2020": pd.DataFrame(cells | columns)}, separator=";")
    (folder / "ours.toml").write_text(mapping, encoding="utf-8")
    (folder / "sources.toml").write_text(f'[sources]\nmapping = "ours"\n{accept}', encoding="utf-8")
    return read_data(folder, dictionary=only("costs"))


def test_yearly_columns_become_rows(tmp_path: Path) -> None:
    data = costs(tmp_path, TOTAAL=["2100", "50,5"])
    found = data.tables["costs"].to_pyarrow().to_pylist()
    lines = {(row["person_id"], row["category"]): row["amount"] for row in found}
    assert lines == {("1", "gp"): 1.0, ("1", "hospital"): 20.0, ("2", "hospital"): pytest.approx(0.505)}
    assert {(row["from_on"], row["to_on"]) for row in found} == {(date(2020, 1, 1), date(2020, 12, 31))}
    (assumption,) = data.assumptions
    assert assumption.impact == "high"


def test_yearly_costs_are_refused_unless_the_study_accepts_the_assumption(tmp_path: Path) -> None:
    message = refusal(lambda: costs(tmp_path, accept=""))
    assert "costs per calendar year: they cannot be split at an index date" in message
    assert "put 'yearly costs spread over days' in accept" in message


def test_sub_items_that_are_counted_twice_are_found_by_the_total(tmp_path: Path) -> None:
    twice = COSTS.replace('["A", "B", "C"]', '["A", "B", "C", "NOP_A"]').replace(
        'C = "other"', 'C = "other", NOP_A = "gp"'
    )
    message = refusal(lambda: costs(tmp_path, mapping=twice, TOTAAL=["2100", "50,5"]))
    assert "the parts do not add up to TOTAAL (more in 1 rows, less in 0)" in message
    message = refusal(lambda: costs(tmp_path, TOTAAL=["2500", "50,5"]))
    assert "the parts do not add up to TOTAAL (more in 0 rows, less in 1)" in message


@pytest.mark.parametrize("name", shipped_mappings())
def test_shipped_mappings_hold(name: str) -> None:
    mapping = read_mapping(name, dictionary=SHIPPED)
    for table in mapping.tables.values():
        for column_name, rule in table.columns.items():
            levels = SHIPPED.tables[table.table].columns[column_name].levels
            if levels:
                assert {*rule.codes.values(), *([rule.other] if rule.other else [])} <= set(levels) | {""}


def test_classes_of_age_are_clean_where_no_class_crosses() -> None:
    assert clean_cuts({"18-64": (18, 64), "65+": (65, 105)}) == (18, 65)
    assert clean_cuts({"60-70": (60, 70), "65+": (65, 105)}) == (60,)


@pytest.mark.parametrize(
    ("sources", "problem"),
    [
        ("x = 1", "has no table [sources]"),
        ('[sources]\nmapping = "nowhere"', "there is no mapping nowhere: give a TOML file, or one of cbs"),
        ('[sources]\npersons = "gone.csv"', "persons: there is no file gone.csv"),
        ('[sources]\npeople = "p.csv"', "people: neither a table of the data dictionary nor folder"),
        ('[sources]\npersons = { fil = "p.csv" }', "persons: give a file, or a table with database, file"),
        ("[sources", "is not valid TOML"),
    ],
)
def test_mistakes_in_sources(tmp_path: Path, sources: str, problem: str) -> None:
    (tmp_path / "sources.toml").write_text(sources, encoding="utf-8")
    assert problem in refusal(lambda: read_data(tmp_path))


def test_sources_name_a_file_per_table(tmp_path: Path) -> None:
    frames = small_frames()
    write_csv(tmp_path / "raw", {"practices": frames["practices"]})
    place = tmp_path / "mine.toml"
    place.write_text('[sources]\nfolder = "raw"\npractices = "practices.csv"\n', encoding="utf-8")
    named = read_data(place, dictionary=only("practices"))
    assert column(named, "practices", "practice_id") == ["p01", "p02"]
    assert named.digest == read_data(tmp_path / "raw", dictionary=only("practices")).digest


def test_no_such_place(tmp_path: Path) -> None:
    assert "there is no folder" in refusal(lambda: read_data(tmp_path / "none"))
    (tmp_path / "one.csv").write_text("a,b\n")
    assert "one.csv is one file: give the folder it is in" in refusal(lambda: read_data(tmp_path / "one.csv"))
