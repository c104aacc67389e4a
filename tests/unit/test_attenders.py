"""Frequent attenders: what is refused, what is left out, and what the report says."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wor_eval.assets import asset
from wor_eval.cohort.yearly import yearly_contacts
from wor_eval.data.calibration import facts
from wor_eval.data.panel import simulate_panel
from wor_eval.data.read import study_data
from wor_eval.data.simulate import simulate_tables
from wor_eval.effects.attenders import attenders, burden, means, persistence, selection
from wor_eval.errors import DesignError, StudyError
from wor_eval.report import attender_figures, attender_tables, attender_words
from wor_eval.report.results import Results, load_results, save_results
from wor_eval.run import run_study
from wor_eval.study import read_study, study_plan

PLAN = read_study(asset("analyses", "frequent_attenders.toml"))
LANGS = pytest.mark.parametrize("lang", ["nl", "en"])
NEEDED = ("persons", "registrations", "referrals", "contacts", "costs", "municipalities")
_SCRATCH = tempfile.TemporaryDirectory(prefix="wor_eval-attenders-")


@cache
def raw() -> dict[str, pd.DataFrame]:
    tables = simulate_tables(simulate_panel(persons=3_000, seed=2, scenario="effect"), seed=2)
    return {name: tables[name] for name in NEEDED}


def altered(**changes: pd.DataFrame | None):
    return study_data({name: table for name, table in {**raw(), **changes}.items() if table is not None})


@cache
def run() -> Results:
    return run_study(altered(), PLAN)


@cache
def saved_place() -> Path:
    save_results(run(), Path(_SCRATCH.name))
    return Path(_SCRATCH.name)


def planned(**changes):
    return study_plan({**PLAN.model_dump(mode="json"), **changes})


def test_contacts_of_a_year_are_those_of_its_days():
    found = yearly_contacts(altered(), PLAN)
    contacts = raw()["contacts"]
    dated = contacts[contacts["recall_days"].isna()]
    count = dated.groupby(["person_id", dated["contact_on"].dt.year])["n_contacts"].sum()
    for place, year in enumerate(found.years):
        by_hand = [count.get((person, year), 0) for person in found.persons["person_id"]]
        assert found.contacts[:, place].tolist() == by_hand
    social = dated[dated["icpc"].str[0].isin(["P", "Z"]) & (dated["contact_on"].dt.year == found.years[0])]
    inside = social["person_id"].isin(found.persons["person_id"])
    assert found.psychosocial[:, 0].sum() == social.loc[inside, "n_contacts"].sum()


def test_only_persons_registered_and_alive_throughout_count():
    found = yearly_contacts(altered(), PLAN)
    died = raw()["persons"].set_index("person_id")["died_on"].reindex(found.persons["person_id"])
    assert not (died < "2022-01-01").any()
    started = (
        raw()["registrations"].groupby("person_id")["start_on"].min().reindex(found.persons["person_id"])
    )
    assert (started <= "2019-01-01").all() and found.n_left_out > 0
    assert any("left out" in note for note in run().manifest["notes"])


def test_the_parts_add_up():
    found = attenders(yearly_contacts(altered(), PLAN), PLAN)
    carried = burden(found).set_index("frequent")
    parts = carried.drop(index="all")
    for column in ("n_persons", "share_persons", "share_contacts", "share_costs"):
        assert parts[column].sum() == pytest.approx(carried.loc["all", column])
    chosen = selection(found)
    assert chosen.loc[chosen["sex"] != "all", "n_frequent"].sum() == found.chosen[:, 0].sum()


def test_ties_are_counted_and_leaving_them_out_gives_fewer():
    yearly = yearly_contacts(altered(), PLAN)
    with_ties, without = attenders(yearly, PLAN), attenders(yearly, planned(ties="exclude"))
    assert with_ties.chosen[:, 0].mean() >= 0.10 >= without.chosen[:, 0].mean()
    dropped = with_ties.chosen[:, 0] & ~without.chosen[:, 0]
    assert (dropped == (with_ties.tied[:, 0] & with_ties.chosen[:, 0])).all()


def test_ages_and_groups_without_anybody_are_missing_and_a_study_of_nobody_is_refused():
    yearly = yearly_contacts(altered(), planned(age_groups=[15, 45, 104]))
    plan = planned(age_groups=[15, 45, 104], ties="exclude")
    found = attenders(yearly, plan)
    with np.errstate(divide="raise", invalid="raise"):
        still, mean = persistence(found, plan), means(found, plan)
    assert (
        still.loc[still["age_group"] == "104+", ["share", "independent", "normal"]]
        .iloc[1:]
        .isna()
        .all(axis=None)
    )
    assert mean.loc[mean["age_group"] == "104+", ["mean", "ratio"]].isna().all(axis=None)
    alike = np.ones_like(yearly.contacts)
    with pytest.raises(DesignError, match=r"with share = 0.1 and ties = exclude nobody of \d+ persons"):
        attenders(replace(yearly, contacts=alike), plan)
    women = (yearly.persons["sex"] == "F").to_numpy()[:, None]
    chosen = selection(attenders(replace(yearly, contacts=np.where(women, alike, yearly.contacts)), plan))
    assert not np.isinf(chosen["threshold"]).any()
    assert chosen.loc[chosen["n_frequent"] == 0, "threshold"].isna().all()
    assert (chosen.loc[chosen["sex"] == "F", "n_frequent"] == 0).all()


def test_the_psychosocial_set_and_the_kinds_are_those_of_the_plan():
    everything = yearly_contacts(altered(), PLAN)
    one_code = yearly_contacts(altered(), planned(psychosocial=["P76"]))
    assert 0 < one_code.psychosocial.sum() < everything.psychosocial.sum()
    consults = yearly_contacts(altered(), planned(kinds=["consult_short", "consult_long"]))
    assert 0 < consults.contacts.sum() < everything.contacts.sum()


# What is refused


def test_fewer_than_three_whole_years_are_refused():
    contacts = raw()["contacts"]
    two = contacts[(contacts["contact_on"] >= "2019-01-01") & (contacts["contact_on"] < "2021-01-01")]
    with pytest.raises(DesignError, match=r"3 whole calendar years, 2019 to 2021.*that is 2 whole years"):
        yearly_contacts(altered(contacts=two), PLAN)


def test_years_outside_the_data_and_data_without_contacts_are_refused():
    with pytest.raises(DesignError, match="2023 to 2025"):
        yearly_contacts(altered(), planned(first_year=2023))
    with pytest.raises(DesignError, match="table contacts is not among the data"):
        yearly_contacts(altered(contacts=None), PLAN)


def test_a_year_that_is_delivered_in_part_is_not_whole():
    contacts = raw()["contacts"]
    late = contacts[contacts["contact_on"] >= "2019-03-01"]
    assert yearly_contacts(altered(contacts=late), PLAN).years == (2020, 2021, 2022)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"age_groups": [15, 65]}, "age_groups"),
        ({"age_groups": [15, 65, 45]}, "must be rising"),
        ({"psychosocial": []}, "name the chapters or codes"),
        ({"psychosocial": ["p"]}, "psychosocial"),
        ({"share": 0.6}, "share"),
        ({"ties": "half"}, "ties"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(change, says):
    with pytest.raises(StudyError) as refused:
        planned(**change)
    assert says in "; ".join(refused.value.problems)


def test_costs_that_are_not_delivered_are_missing_and_not_nothing():
    results = run_study(altered(costs=None), PLAN)
    assert results.table("attender_burden")["share_costs"].isna().all()
    text = attender_words.burden(Results(plan=PLAN, tables=_shown(results.tables), manifest={})).text
    assert "of the contacts" in text and "costs" not in text


def _shown(tables):
    return {name: frame.assign(suppressed=False) for name, frame in tables.items()}


# Published beside ours


def test_published_figures_carry_their_source_and_stand_as_published(shared):
    given = pd.read_csv(shared / "facts" / "frequent_attenders.csv")
    mine = {row["name"]: row for row in facts("frequent_attenders")}
    groups = {"not": "non-frequent", "one": "1-year frequent", "three": "3-year frequent"}
    for name, row in mine.items():
        if name.startswith("mean_"):
            _, group, age = name.split("_", 2)
            rows = given[given["quantity"] == f"mean consultations, age {age.replace('_', '-')}"]
            assert float(row["value"]) == float(rows.set_index("group").loc[groups[group], "value"])
        assert row["source"].startswith("Smits")
    table = run().table("attender_published")
    assert table["source"].str.startswith("Smits").all() and len(table) == 13
    assert table.set_index("quantity").loc["selected", "published"] == pytest.approx(100 * 3045 / 28860)


def test_other_age_groups_than_the_published_have_no_figure_of_their_own():
    results = run_study(altered(), planned(age_groups=[18, 40, 70]))
    table = results.table("attender_published").set_index("quantity")
    means = [name for name in table.index if name.startswith("mean_")]
    assert table.loc[means, "estimate"].isna().all() and np.isfinite(table.loc["selected", "estimate"])


# The report


@LANGS
def test_every_part_of_the_report_is_made_in_both_languages(lang):
    results = load_results("frequent_attenders", lang=lang, folder=saved_place())
    for name in ("headline", "definition", "fall", "burden", "prediction"):
        text = getattr(attender_words, name)(results).text
        assert text and "nan" not in text
    for name in ("selection", "persistence", "means", "burden", "prediction", "accuracy", "calibration", "fall",
                 "expected", "published"):  # fmt: skip
        table = getattr(attender_tables, name)(results)
        assert table.rows and not any("nan" in cell for row in table.rows for cell in row)
    for name in ("persistence", "fall", "expected", "calibration"):
        assert getattr(attender_figures, name)(results).alt


def test_no_saved_row_stands_on_a_few_persons():
    folder = saved_place() / "frequent_attenders"
    for file in folder.glob("attender_*.csv"):
        frame = pd.read_csv(file)
        for column in [c for c in ("n_persons", "n_frequent", "n_still", "n_events", "n_rest") if c in frame]:
            count = frame[column].dropna()
            assert ((count == 0) | (count >= PLAN.disclosure.min_persons)).all(), f"{file.name}: {column}"
