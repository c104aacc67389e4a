"""The synthetic study in the layouts of CBS, Vektis, a GP system and the registration form comes back as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyreadstat
import pytest

from tests.raw_study import column, refusal
from wor_eval.assets import asset
from wor_eval.cohort.build import build_cohort
from wor_eval.cohort.comparable import refuse_what_cannot_be_told_apart
from wor_eval.data.dictionary import read_dictionary
from wor_eval.data.mapping_rules import KindBreak
from wor_eval.data.mappings import read_mapping
from wor_eval.data.read import StudyData, read_data
from wor_eval.data.simulate import simulate_panel, simulate_study, simulate_tables
from wor_eval.data.tariffs import tariff
from wor_eval.data.vektis import reference_rates
from wor_eval.errors import DesignError
from wor_eval.study import Study, read_study, study_plan

PERSONS, SEED = 900, 3


@cache
def original() -> dict[str, pd.DataFrame]:
    return simulate_tables(simulate_panel(persons=PERSONS, seed=SEED, scenario="effect"), seed=SEED)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    @cache
    def write(layout: Any) -> Path:
        folder = tmp_path_factory.mktemp("layouts") / layout
        return simulate_study(folder, persons=PERSONS, seed=SEED, layout=layout)

    return write


@pytest.fixture(scope="module")
def read_back(written: Callable[[str], Path]) -> Callable[[str], StudyData]:
    return cache(lambda layout: read_data(written(layout)))


def number(ids: pd.Series[str]) -> pd.Series[int]:
    return ids.str.replace(r"\D", "", regex=True).astype(int)


def dated() -> pd.DataFrame:
    contacts = original()["contacts"]
    return contacts[contacts["recall_days"].isna()]


def frame(data: StudyData, table: str) -> pd.DataFrame:
    return data.tables[table].to_pandas()


def test_cbs_comes_back_as_the_same_study(read_back: Callable[[str], StudyData]) -> None:
    data = read_back("cbs")
    persons = frame(data, "persons").set_index("person_id")
    assert set(persons.index) == {f"R{n:09d}" for n in range(1, PERSONS + 1)}
    truth = original()["persons"]
    assert persons["birth_year"].tolist() == truth["birth_year"].tolist()
    assert persons["sex"].tolist() == truth["sex"].tolist()
    assert persons["died_on"].notna().sum() == truth["died_on"].notna().sum()
    contacts = frame(data, "contacts")
    found = (
        pd.Series(1, contacts.index).groupby([number(contacts["person_id"]), contacts["contact_on"]]).sum()
    )
    expected = (
        dated().groupby([number(dated()["person_id"]), dated()["contact_on"].dt.date])["n_contacts"].sum()
    )
    assert found.sort_index().tolist() == expected.sort_index().tolist()


def test_cbs_costs_add_up_per_person_and_year_at_the_prices_of_the_year(
    read_back: Callable[[str], StudyData],
) -> None:
    data = read_back("cbs")
    costs = frame(data, "costs")
    found = costs["amount"].groupby([number(costs["person_id"]), costs["price_year"]]).sum()
    lines = original()["costs"].query("payer == 'zvw'")
    index = {int(row["year"]): float(row["cpi_2015_100"]) for row in tariff("cpi")}
    year = lines["from_on"].dt.year
    amount = lines["amount"] * year.map(index) / index[2023]
    expected = amount.groupby([number(lines["person_id"]), year]).sum()
    both = pd.concat([found, expected], axis=1).fillna(0.0)
    # Amounts are rounded to cents per kind of care.
    assert (both.iloc[:, 0] - both.iloc[:, 1]).abs().max() < 0.05
    assert set(costs["category"]) == {
        "hospital",
        "medication",
        "mental_health",
        "paramedical",
        "district_nursing",
    }
    assert [a.impact for a in data.assumptions] == ["high"]


def test_cbs_costs_are_refused_where_the_study_does_not_accept_the_assumption(
    written: Callable[[str], Path], tmp_path: Path
) -> None:
    place = tmp_path / "s.toml"
    place.write_text(f"[sources]\nmapping = 'cbs'\nfolder = '{written('cbs')}'\n", encoding="utf-8")
    assert "costs per calendar year: they cannot be split at an index date" in refusal(
        lambda: read_data(place)
    )


def test_cbs_sub_items_are_not_counted_and_mental_health_changes_its_column(
    written: Callable[[str], Path],
) -> None:
    mapping = read_mapping("cbs", dictionary=read_dictionary()).tables["costs"]
    assert mapping.unpivot is not None
    mapped = set(mapping.unpivot.columns)
    assert not [name for name in mapped if name.startswith("NOP")]
    for year, here, gone in (
        (2021, "ZVWKSPECGGZ", "ZVWKGGZZPMTOTAAL"),
        (2022, "ZVWKGGZZPMTOTAAL", "ZVWKSPECGGZ"),
    ):
        wide, _ = pyreadstat.read_sav(written("cbs") / f"ZVWZORGKOSTEN{year}TABV1.sav")
        assert here in wide
        assert gone not in wide
        parts = [name for name in wide if name in mapped]
        assert wide[parts].sum(axis=1).sub(wide["ZVWKTOTAAL"]).abs().max() < 0.01
        assert wide["NOPZVWKFYSIOTHERAPIE"].sum() > 0


def test_gp_system_comes_back_as_the_same_study(read_back: Callable[[str], StudyData]) -> None:
    data = read_back("his")
    assert column(data, "persons", "sex") == original()["persons"]["sex"].tolist()
    contacts = frame(data, "contacts")
    assert len(contacts) == dated()["n_contacts"].sum(), "fees are no contacts"
    assert (contacts["kind"] == "consult_long").sum() == (dated()["kind"] == "consult_long").sum()
    assert {"telephone", "email"}.isdisjoint(contacts["kind"]), "no code of their own since 2019"
    assert data.kind_break == KindBreak(
        on=date(2019, 1, 1), together=frozenset({"consult_short", "telephone", "email"})
    )
    assert len(frame(data, "referrals")) == len(original()["referrals"])


def plan(**changes: Any) -> Study:
    content = read_study(asset("analyses", "before_after.toml")).model_dump(mode="json")
    return study_plan(content | changes)  # type: ignore[return-value]


def outcome(kinds: list[str]) -> list[dict[str, Any]]:
    return [{"name": "gp_contacts", "label": {"nl": "x", "en": "x"}, "kinds": kinds}]


def effects() -> list[dict[str, Any]]:
    return [{"contrast": "before_after", "outcomes": ["gp_contacts"], "headline": True}]


@pytest.mark.parametrize(
    ("kinds", "first", "refused"),
    [
        (["telephone"], date(2018, 1, 1), True),
        (["consult_short", "email"], date(2018, 1, 1), True),
        (["consult_short", "telephone", "email"], date(2018, 1, 1), False),
        (["consult_long"], date(2018, 1, 1), False),
        ([], date(2018, 1, 1), False),
        (["telephone"], date(2019, 1, 1), False),
    ],
)
def test_kinds_of_contact_over_the_change_of_codes(
    read_back: Callable[[str], StudyData], *, kinds: list[str], first: date, refused: bool
) -> None:
    data = read_back("his")
    study = plan(outcomes=outcome(kinds), effects=effects())
    if refused:
        with pytest.raises(DesignError, match="changed on 2019-01-01: over that day only"):
            refuse_what_cannot_be_told_apart(data, study, (first, date(2024, 12, 31)))
    else:
        refuse_what_cannot_be_told_apart(data, study, (first, date(2024, 12, 31)))


RECALL = {
    "outcomes": [
        outcome([])[0] | {"exposure": "recall", "windows": {"before": (-182, 14), "after": (15, 400)}}
    ],
    "effects": effects(),
}


def test_the_form_is_refused_by_age_band_and_usable_for_all_adults(
    read_back: Callable[[str], StudyData],
) -> None:
    data = read_back("wor")
    assert data.age_cuts == (18, 31, 46, 61)
    with pytest.raises(DesignError, match="classes that cannot be split at 65; they can at 18, 31, 46, 61"):
        build_cohort(data, plan(**RECALL))
    settings = plan().cohort.model_dump(mode="json") | {"bands": [18], "entries": 0, "include": []}
    cohort = build_cohort(data, plan(cohort=settings, **RECALL))
    counted = cohort.outcomes.groupby("window", observed=True)["value"].sum()
    assert counted["before"] > 0
    assert counted["after"] > 0
    assert any("classes" in a.text.en for a in data.assumptions)


def test_the_form_keeps_recall_and_the_spider_web(read_back: Callable[[str], StudyData]) -> None:
    data = read_back("wor")
    assert set(column(data, "contacts", "recall_days")) == {91}
    web = frame(data, "questionnaires")
    assert set(web["instrument"]) == {"spider44"}
    assert set(web["items"].str.count(" ")) == {43}
    assert web["items"].str.contains(r"(?:^| )\.(?: |$)").any()
    assert set(column(data, "referrals", "referrer")) <= {*original()["referrals"]["referrer"]}
    recalled = original()["contacts"].query("recall_days.notna()")
    assert frame(data, "contacts")["n_contacts"].sum() <= recalled["n_contacts"].sum()


def test_a_class_of_age_gives_an_age_within_it(read_back: Callable[[str], StudyData]) -> None:
    data = read_back("wor")
    persons = frame(data, "persons").merge(frame(data, "referrals"), on="person_id")
    truth = original()["persons"].set_index("person_id")["birth_year"]
    said = pd.to_datetime(persons["intake_on"]).dt.year - persons["birth_year"].astype(int)
    real = pd.to_datetime(persons["intake_on"]).dt.year - persons["person_id"].map(truth)
    limits = [0, 31, 46, 61, 76, 200]
    assert (pd.cut(said, limits, right=False) == pd.cut(real, limits, right=False)).all()


def test_vektis_is_no_table_of_persons(written: Callable[[str], Path]) -> None:
    message = refusal(lambda: read_data(written("vektis")))
    assert "a row of Vektis open data is a group of insured persons, not a person" in message


def test_vektis_gives_reference_rates(written: Callable[[str], Path]) -> None:
    lines = original()["costs"].query("payer == 'zvw'")
    for year, mental in ((2019, "kosten_specialistische_ggz"), (2022, "kosten_consulten_ggz")):
        rates = reference_rates(written("vektis") / f"vektis_{year}.csv")
        total = rates.query("care == 'total'")
        here = lines[lines["from_on"].dt.year == year]
        assert total["eur"].sum() == pytest.approx(here["amount"].sum(), abs=1.0)
        assert total["insured_years"].sum() == pytest.approx(PERSONS, rel=0.15)
        assert {mental, "kosten_medisch_specialistische_zorg"} <= set(rates["care"]), "headers change by year"
        assert (rates["eur_per_insured_year"] * rates["insured_years"]).sub(rates["eur"]).abs().max() < 1e-6


def test_a_file_that_is_not_of_vektis(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a;b\n1;2\n")
    assert "has no column geslacht, leeftijdsklasse" in refusal(lambda: reference_rates(tmp_path / "x.csv"))
    text = "geslacht;leeftijdsklasse;aantal_verzekerdejaren;kosten_overig\nM;1;x;3\n"
    (tmp_path / "x.csv").write_text(text)
    assert "aantal_verzekerdejaren: not a number (1 rows)" in refusal(
        lambda: reference_rates(tmp_path / "x.csv")
    )


def test_age_limits_of_a_plan_follow_the_classes_of_the_data(read_back: Callable[[str], StudyData]) -> None:
    data = replace(read_back("his"), age_cuts=(18, 65))
    refuse_what_cannot_be_told_apart(data, plan(), (date(2019, 1, 1), date(2024, 12, 31)))
