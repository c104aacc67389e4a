"""A small study that keeps every rule of the data dictionary, for tests of the data door."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from wor_eval.data.dictionary import Dictionary, read_dictionary
from wor_eval.data.read import StudyData, read_data, study_data
from wor_eval.errors import DataError

Frames = dict[str, pd.DataFrame]

N_PERSONS = 12
SHIPPED = read_dictionary()


def small_frames() -> dict[str, pd.DataFrame]:
    """Every table of the dictionary, all cells as text, leading zeros in the ids."""
    ids = [f"{number:04d}" for number in range(1, N_PERSONS + 1)]
    referred = ids[:4]
    return {
        "persons": pd.DataFrame(
            {
                "person_id": ids,
                "birth_year": [str(1930 + 5 * place) for place in range(N_PERSONS)],
                "birth_month": ["1", "12", *["6"] * (N_PERSONS - 2)],
                "sex": ["F", "M"] * (N_PERSONS // 2),
                "municipality_code": ["0034", "0363"] * (N_PERSONS // 2),
                "died_on": [""] * (N_PERSONS - 1) + ["2023-05-01"],
                "n_chronic": ["0", "3"] * (N_PERSONS // 2),
                "income_quintile": ["1", "5", ""] * (N_PERSONS // 3),
            }
        ),
        "registrations": pd.DataFrame(
            {
                "person_id": [*ids, ids[0]],
                "practice_id": ["p01", "p02"] * (N_PERSONS // 2) + ["p02"],
                "start_on": ["2015-01-01"] * N_PERSONS + ["2021-01-01"],
                "end_on": ["2020-12-31", *[""] * (N_PERSONS - 1), ""],
            }
        ),
        "referrals": pd.DataFrame(
            {
                "person_id": referred,
                "referred_on": ["2021-03-01", "2021-04-15", "2021-06-30", "2022-01-10"],
                "referrer": ["gp", "practice_nurse", "other", "gp"],
                "reason": ["loneliness", "", "stress", "other"],
                "intake_on": ["2021-03-10", "", "2021-06-30", "2022-01-20"],
                "started_on": ["2021-04-01", "", "", "2022-02-01"],
                "ended_on": ["2021-09-01", "", "2021-07-15", ""],
                "outcome": ["completed", "no_show", "declined", "ongoing"],
                "n_coach_contacts": ["5", "0", "1", ""],
            }
        ),
        "contacts": pd.DataFrame(
            {
                "person_id": [*ids, ids[0]],
                "contact_on": [f"20{20 + place % 3}-02-0{1 + place % 9}" for place in range(N_PERSONS)]
                + ["2014-05-05"],
                "kind": ["consult_short", "telephone"] * (N_PERSONS // 2) + ["other"],
                "icpc": ["P76", "", "A04.01"] * (N_PERSONS // 3) + [""],
                "n_contacts": ["1"] * N_PERSONS + ["4"],
                "recall_days": [""] * N_PERSONS + ["90"],
            }
        ),
        "costs": pd.DataFrame(
            {
                "person_id": ids[:3],
                "from_on": ["2021-01-01"] * 3,
                "to_on": ["2021-12-31", "", "2021-01-01"],
                "category": ["hospital", "gp", "wmo_support"],
                "payer": ["zvw", "zvw", "wmo"],
                "amount": ["1234.50", "30", "0.99"],
                "price_year": ["2021"] * 3,
            }
        ),
        "questionnaires": pd.DataFrame(
            {
                "person_id": [ids[0], ids[0], ids[9]],
                "answered_on": ["2021-03-01", "2021-06-01", "2021-06-01"],
                "wave": ["baseline", "month_3", "panel"],
                "instrument": ["eq5d5l", "eq5d5l", "cantril"],
                "score": ["0.918", "", "7"],
                "items": ["2 1 1 1 1", "1 . 1 1 1", "7"],
            }
        ),
        "practices": pd.DataFrame(
            {
                "practice_id": ["p01", "p02"],
                "municipality_code": ["0034", "0363"],
                "wor_from": ["2020-01-01", ""],
            }
        ),
        "municipalities": pd.DataFrame(
            {
                "municipality_code": ["0034", "0363"],
                "name": ["Almere", "Súdwest-Fryslân"],
                "wmo_delivered": ["true", "false"],
            }
        ),
    }


def write_csv(
    folder: Path, frames: dict[str, pd.DataFrame], *, separator: str = ",", encoding: str = "utf-8"
) -> Path:
    """Write every frame as `<table>.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", sep=separator, encoding=encoding, index=False)
    return folder


def only(*tables: str) -> Dictionary:
    """The shipped dictionary, but with some tables only: a tenth of the time."""
    return Dictionary(tables={name: SHIPPED.tables[name] for name in tables})


def read(folder: Path, *tables: str) -> StudyData:
    return read_data(folder, dictionary=only(*tables))


def study(frames: Frames, *tables: str) -> StudyData:
    return study_data({name: frames[name] for name in tables}, dictionary=only(*tables))


def column(data: StudyData, table: str, name: str) -> list[Any]:
    values: list[Any] = data.tables[table][name].to_pyarrow().to_pylist()
    return values


def rows(data: StudyData) -> dict[str, list[dict[str, Any]]]:
    return {name: table.to_pyarrow().to_pylist() for name, table in data.tables.items()}


def refusal(task: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        task()
    return str(caught.value)
