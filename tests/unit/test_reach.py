"""Reach: denominators counted by hand, what is missing is flagged, and no practice can be recognised."""

from __future__ import annotations

import tempfile
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wor_eval.assets import asset
from wor_eval.cohort.registered import quarters, registered_population
from wor_eval.data.panel import simulate_panel
from wor_eval.data.read import study_data
from wor_eval.data.simulate import simulate_tables
from wor_eval.effects.reach_indicators import PRACTICES, RATE, shares
from wor_eval.effects.reach_study import reach_tables
from wor_eval.errors import EstimationError, StudyError
from wor_eval.report import kinds, reach_figures, reach_words
from wor_eval.report import reach_tables as shown_tables
from wor_eval.report.indicators import read_indicators
from wor_eval.report.results import Results, load_results, save_results
from wor_eval.run import run_study
from wor_eval.study import read_study, study_plan

PLAN = read_study(asset("analyses", "reach.toml"))
LANGS = pytest.mark.parametrize("lang", ["nl", "en"])
_SCRATCH = tempfile.TemporaryDirectory(prefix="wor_eval-reach-")


@cache
def raw() -> dict[str, pd.DataFrame]:
    tables = simulate_tables(simulate_panel(persons=2_000, seed=3, scenario="effect"), seed=3)
    return {
        name: tables[name]
        for name in ("persons", "registrations", "referrals", "practices", "municipalities")
    }


def altered(**changes: pd.DataFrame):
    return study_data({**raw(), **changes})


@cache
def run() -> Results:
    return run_study(altered(), PLAN)


@cache
def saved_place() -> Path:
    save_results(run(), Path(_SCRATCH.name))
    return Path(_SCRATCH.name)


def test_person_years_are_days_counted_one_by_one():
    first, last = date(2022, 4, 1), date(2022, 6, 30)
    total = {"18-64": 0, "65+": 0}
    persons = raw()["persons"].set_index("person_id")
    for _, row in raw()["registrations"].iterrows():
        person = persons.loc[row["person_id"]]
        age = (
            2022 - person["birth_year"] - (person["birth_month"] > 5)
        )  # in the middle of the quarter: 16 May
        ends = [last, *(pd.Timestamp(d).date() for d in (row["end_on"], person["died_on"]) if pd.notna(d))]
        days = (min(ends) - max(first, row["start_on"].date())).days + 1
        if age >= 18 and days > 0:
            total["65+" if age >= 65 else "18-64"] += days
    found = registered_population(altered(), PLAN).by("age_band", "quarter")
    found = found[found["quarter"] == "2022-Q2"].set_index("age_band")["person_years"]
    assert found.to_dict() == pytest.approx({band: days / 365.25 for band, days in total.items()}, rel=1e-12)


def test_quarters_are_whole_calendar_quarters():
    found = quarters(date(2022, 1, 1), date(2023, 2, 10))
    assert [name for name, _, _ in found] == ["2022-Q1", "2022-Q2", "2022-Q3", "2022-Q4"]
    assert found[0][1:] == (date(2022, 1, 1), date(2022, 3, 31))
    assert all(b[1] > a[2] for a, b in pairwise(found))


def test_every_breakdown_adds_up_to_the_whole():
    rates = run().table("reach_rates")
    whole = rates[rates["dimension"] == "all"].iloc[0]
    for _, part in rates.groupby("dimension"):
        assert part["referrals"].sum() == whole["referrals"]
        assert part["person_years"].sum() == pytest.approx(whole["person_years"])
    assert run().table("reach_pyramid")["share_referred"].sum() == pytest.approx(1)
    steps = run().table("reach_steps")
    assert (steps.groupby("age_band")["n_reached"].diff().dropna() <= 0).any()
    departed = run().table("reach_departures")["n_referrals"].sum()
    all_ages = steps[steps["age_band"] == "all"].set_index("step")["n_reached"]
    assert departed == all_ages["referred"] - all_ages["completed"]


def test_the_standardised_rate_of_an_area_like_the_whole_is_its_crude_rate():
    rates = run().table("reach_rates").set_index(["dimension", "level"])
    row = rates.loc[("all", "all")]
    assert row["standardised"] == pytest.approx(row["crude"])


# What is missing


def test_a_practice_without_registered_persons_is_flagged_and_not_compared():
    empty = pd.DataFrame(
        [{"practice_id": "H9999", "municipality_code": "S001", "wor_from": pd.Timestamp("2021-01-01")}]
    )
    found, _ = reach_tables(altered(practices=pd.concat([raw()["practices"], empty])), PLAN)
    flag = found["reach_flags"].set_index("reason")
    assert flag.loc["practice_without_registered", "n_units"] == 1
    assert len(found["reach_funnel"]) == len(run().table("reach_funnel"))


def test_a_quarter_without_a_denominator_has_no_rate_and_says_why():
    registered, persons = raw()["registrations"].copy(), raw()["persons"]
    there = registered["person_id"].isin(persons.loc[persons["municipality_code"] == "S003", "person_id"])
    registered.loc[there, "start_on"] = registered.loc[there, "start_on"].clip(
        lower=pd.Timestamp("2022-07-01")
    )
    ended = registered["end_on"] < registered["start_on"]
    found, _ = reach_tables(altered(registrations=registered[~ended]), PLAN)
    rows = found["reach_quarters"].query("area == 'S003'").set_index("quarter")
    assert rows.loc["2022-Q1", "flag"] == rows.loc["2022-Q2", "flag"] == "no_registered"
    assert np.isnan(rows.loc["2022-Q1", "rate"]) and rows.loc["2022-Q3", "flag"] == "ok"
    indicator = found["reach_indicators"].query(
        "area == 'S003' and quarter == '2022-Q1' and indicator == @RATE"
    )
    assert indicator["flag"].item() == "no_registered" and np.isnan(indicator["value"].item())
    flag = found["reach_flags"].set_index("reason")
    assert flag.loc["quarter_without_registered", "n_units"] == 2
    assert (
        flag.loc["not_registered", "n_referrals"] > 0
    )  # their referrals have no denominator and are not counted
    assert (
        "denominator is missing"
        in reach_words.flags(Results(plan=PLAN, tables=_suppressed(found), manifest={})).text
    )


def _suppressed(tables):
    return {name: frame.assign(suppressed=False) for name, frame in tables.items()}


def test_a_quarter_with_part_of_its_denominator_is_flagged():
    registered = raw()["registrations"].copy()
    late = registered.index % 3 > 0
    registered.loc[late, "start_on"] = registered.loc[late, "start_on"].clip(lower=pd.Timestamp("2022-04-01"))
    ended = registered["end_on"] < registered["start_on"]
    found, _ = reach_tables(altered(registrations=registered[~ended]), PLAN)
    rows = found["reach_quarters"].query("area == 'all'").set_index("quarter")
    assert rows.loc["2022-Q1", "flag"] == "few_registered"
    assert (rows["flag"] == "ok").sum() == len(rows) - 1


def test_referrals_of_nobody_who_is_registered_are_refused():
    registered = raw()["registrations"]
    nobody = registered["person_id"].isin(raw()["referrals"]["person_id"])
    with pytest.raises(EstimationError, match=r"none of the \d+ referrals lies within a registration"):
        reach_tables(altered(registrations=registered[~nobody]), PLAN)


def test_a_step_that_was_not_followed_long_enough_has_no_value():
    late = study_plan({**PLAN.model_dump(mode="json"), "observed_until": "2024-12-31"})
    found, _ = reach_tables(altered(), late)
    rows = found["reach_indicators"].query("area == 'all' and indicator == 'completed_in_time'")
    late = rows[rows["quarter"] >= "2024-Q1"]
    assert set(late["flag"]) <= {"not_followed", "no_referrals"} and late["value"].isna().all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"age_groups": [18, 18, 40]}, "age_groups must be rising"),
        ({"bands": [20, 65]}, "same youngest age"),
        ({"observed_from": "2024-01-01", "observed_until": "2023-01-01"}, "ends before it starts"),
        ({"steps_days": 0}, "steps_days"),
        ({"cohort": {}}, "cohort"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(change, says):
    with pytest.raises(StudyError) as refused:
        study_plan({**PLAN.model_dump(mode="json"), **change})
    assert says in "; ".join(refused.value.problems)


# What leaves


def test_no_practice_can_be_recognised():
    text = (saved_place() / "reach" / "reach_funnel.csv").read_text(encoding="utf-8")
    assert not any(name in text for name in raw()["practices"]["practice_id"])
    frame = load_results("reach", folder=saved_place()).table("reach_funnel")
    limit = PLAN.disclosure.min_persons
    given = run().table("reach_funnel")
    small = (given["n_referred"] > 0) & (given["n_referred"] < limit)
    assert frame.loc[small.to_numpy(), "suppressed"].all() and small.any()
    hidden = frame[frame["suppressed"]]
    assert hidden.drop(columns=["practice", "suppressed"]).isna().all().all()
    assert len(hidden) != 1, "one hidden practice could be found by subtraction"


def test_the_number_of_a_practice_does_not_follow_its_name_or_size():
    order = run().table("reach_funnel").sort_values("practice", key=lambda c: c.astype(int))
    assert (
        not order["person_years"].is_monotonic_increasing
        and not order["person_years"].is_monotonic_decreasing
    )


# Indicators


def test_every_indicator_is_defined_once_and_computed():
    computed = set(run().table("reach_indicators")["indicator"])
    assert computed == set(read_indicators()) == {RATE, PRACTICES, *shares(PLAN)}
    for known in read_indicators().values():
        for text in (known.label, known.definition, known.numerator, known.denominator, known.source):
            assert text.nl.strip() and text.en.strip()
        assert known.days is None or hasattr(PLAN, known.days)


def test_an_indicator_is_its_numerator_over_its_denominator():
    rows = run().table("reach_indicators").query("flag == 'ok'")
    scale = np.where(rows["indicator"] == RATE, PLAN.per, 1)
    assert rows["value"].to_numpy() == pytest.approx(
        (scale * rows["numerator"] / rows["denominator"]).to_numpy()
    )
    assert ((rows["conf_low"] <= rows["value"]) & (rows["value"] <= rows["conf_high"])).all()


# The report


@LANGS
def test_every_part_of_the_report_is_made_in_both_languages(lang):
    results = load_results("reach", lang=lang, folder=saved_place())
    for name in ("headline", "signals", "practices", "equity", "steps", "sources", "flags"):
        text = getattr(reach_words, name)(results).text
        assert text and "nan" not in text
    for name in ("flags", "pyramid", "quarters", "signals", "practices", "steps", "departures", "indicators",
                 "indicator_definitions", "equity"):  # fmt: skip
        table = getattr(shown_tables, name)(results)
        assert table.rows and not any("nan" in cell for row in table.rows for cell in row)
    for draw in (reach_figures.pyramid, reach_figures.run_chart, reach_figures.funnel, reach_figures.steps):
        assert draw(results).alt
    assert kinds.shown(results.plan).summary(results) == reach_words.headline(results).text


def test_data_without_practices_and_income_give_the_same_report_with_less():
    persons = raw()["persons"].drop(columns=["income_quintile", "municipality_code"])
    data = study_data(
        {"persons": persons, "registrations": raw()["registrations"], "referrals": raw()["referrals"]}
    )
    results = Results(plan=PLAN, tables=_suppressed(reach_tables(data, PLAN)[0]), manifest={}, lang="nl")
    assert "niet in de gegevens" in reach_words.equity(results).text
    assert set(results.table("reach_rates").query("dimension == 'municipality'")["level"]) == {"unknown"}
    assert reach_figures.rates(results, dimension="municipality").alt
