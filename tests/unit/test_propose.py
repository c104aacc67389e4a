"""wor-eval map: a proposal that can be read back, with what is missing said."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from tests.raw_study import SHIPPED, column, only, refusal, write_csv
from wor_eval.cli import main
from wor_eval.data.proposal_file import write_proposal
from wor_eval.data.propose import propose_mapping
from wor_eval.data.read import read_data

PATIENTS = pd.DataFrame(
    {
        "Patiëntnummer": ["007", "012", "100"],
        "Geboorte jaar": ["1950", "1961", "1999"],
        "geslacht": ["V", "M", "V"],
        "overlijdensdatum": ["", "01-02-2020", ""],
        "lengte": ["170", "180", "165"],
    }
)


def test_a_proposal_reads_back_as_the_right_table(tmp_path: Path) -> None:
    write_csv(tmp_path, {"export": PATIENTS}, separator=";")
    proposal = propose_mapping(tmp_path / "export.csv", SHIPPED)
    assert proposal.table.name == "persons"
    assert proposal.missing == ()
    assert proposal.unused == ("lengte",)
    write_proposal(proposal, tmp_path / "mine.toml")
    (tmp_path / "sources.toml").write_text('[sources]\nmapping = "mine"\n', encoding="utf-8")
    data = read_data(tmp_path, dictionary=only("persons"))
    assert column(data, "persons", "person_id") == ["007", "012", "100"]
    assert column(data, "persons", "sex") == ["F", "M", "F"]
    assert sum(day is not None for day in column(data, "persons", "died_on")) == 1


def test_labels_of_spss_give_the_codes(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"RINPERSOONS": ["R"], "RINPERSOON": ["000000001"], "GEBOORTEJAAR": ["1950"], "SEKSE": [2.0]}
    )
    labels = {"SEKSE": {1.0: "Man", 2.0: "Vrouw"}}
    pyreadstat.write_sav(frame, str(tmp_path / "p.sav"), variable_value_labels=labels)
    found = {m.column.name: m for m in propose_mapping(tmp_path / "p.sav", SHIPPED, table="persons").matches}
    assert found["person_id"].text == "{RINPERSOONS}{RINPERSOON:09}"
    assert found["sex"].codes == {"1": "M", "2": "F"}


def test_codes_that_are_not_known_must_be_filled_in(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"clientnummer": ["1", "2"], "datum_verwijzing": "2020-01-01", "verwijzer": ["huisarts", "zuster"]}
    )
    write_csv(tmp_path, {"v": frame})
    proposal = propose_mapping(tmp_path / "v.csv", SHIPPED, table="referrals")
    write_proposal(proposal, tmp_path / "v.toml")
    (tmp_path / "sources.toml").write_text('[sources]\nmapping = "v"\n', encoding="utf-8")
    message = refusal(lambda: read_data(tmp_path, dictionary=only("referrals")))
    assert "referrals.referrer: fill in the code of the dictionary for 'zuster'" in message


def test_the_command_says_what_is_missing_and_overwrites_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_csv(tmp_path, {"export": PATIENTS.drop(columns="geslacht")})
    out = tmp_path / "out.toml"
    assert main(["map", str(tmp_path / "export.csv"), "--table", "persons", "--out", str(out)]) == 0
    assert "persons.sex: required, and not found: name its column in out.toml" in capsys.readouterr().out
    assert '# sex = ""   # REQUIRED, not found: Sex as registered' in out.read_text(encoding="utf-8")
    assert main(["map", str(tmp_path / "export.csv"), "--out", str(out)]) == 1
    assert "out.toml exists and is not overwritten" in capsys.readouterr().err


def test_what_cannot_be_proposed(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"")
    for path, table, message in (
        (tmp_path / "none.csv", None, "there is no file none.csv"),
        (tmp_path / "x.csv", "people", "has no table 'people'"),
        (tmp_path / "x.csv", None, "the file is empty"),
    ):
        assert message in refusal(lambda: propose_mapping(path, SHIPPED, table=table))  # noqa: B023
