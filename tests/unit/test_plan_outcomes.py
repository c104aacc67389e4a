"""Outcomes as a plan states them: own prices, own scoring, and input that is refused or flagged with counts."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.saved_study import raw_tables
from tests.small_cohort import TEXT
from wor_eval.cohort.as_planned import delivered_scores, planned_instrument, used_prices
from wor_eval.cohort.build import build_cohort
from wor_eval.cohort.price_index import consumer_prices
from wor_eval.cohort.prices import read_prices, unit_prices
from wor_eval.data.read import StudyData, study_data
from wor_eval.effects.arms import referred_alone
from wor_eval.effects.cost_parts import cost_parts
from wor_eval.effects.delivered import delivered, prices
from wor_eval.effects.outcome_tables import outcome_tables
from wor_eval.effects.score_tables import score_changes
from wor_eval.effects.score_waves import score_waves
from wor_eval.errors import DataError, StudyError
from wor_eval.report import delivered_tables
from wor_eval.report.results import Results
from wor_eval.study import Study, study_plan

PRICED = (
    "consult_short",
    "consult_long",
    "visit_short",
    "visit_long",
    "telephone",
    "email",
    "mental_health_nurse",
)
OTHER = {
    "item": "other", "view": "societal", "price_eur": 12.5, "price_year": 2023, "unit": "contact", "category": "gp",
    "payer": "zvw", "source": "own accounts of the practice, 2023",
}  # fmt: skip
CONTACTS = {"name": "gp_contacts", "label": TEXT}
GP_COSTS = {
    "name": "gp_costs", "label": TEXT, "table": "contacts", "measure": "cost_per_year", "prices": "societal",
    "price_year": 2023,
}  # fmt: skip
CARE = {"name": "care", "label": TEXT, "table": "costs", "measure": "cost_per_year", "price_year": 2023}


def score(**parts: Any) -> dict[str, Any]:
    start = {"name": "score", "label": TEXT, "table": "questionnaires", "measure": "mean_score"}
    return {**start, "windows": {"before": [-182, 14], "after": [182, 400]}, **parts}


def plan(*outcomes: dict[str, Any], **parts: Any) -> Study:
    named = [outcome["name"] for outcome in outcomes]
    effects = [{"contrast": "before_after", "outcomes": [CONTACTS["name"]], "headline": True}]
    effects += [{"contrast": "before_after", "outcomes": [name]} for name in named]
    content = {
        "name": "trial", "title": TEXT, "question": TEXT, "seed": 1, "replicates": 200,
        "cohort": {"bands": [18, 65]}, "windows": {"before": [-365, -1], "after": [30, 394]},
        "outcomes": [CONTACTS, *outcomes], "effects": effects,
    }  # fmt: skip
    return study_plan({**content, **parts})


@cache
def tables() -> dict[str, pd.DataFrame]:
    return raw_tables(persons=1_500, scenario="effect", seed=4)


def data(**changed: pd.DataFrame) -> StudyData:
    return study_data({**tables(), **changed})


def costs_with(**columns: Any) -> pd.DataFrame:
    return tables()["costs"].assign(**columns)


def test_contacts_times_reference_prices_by_hand() -> None:
    study = plan({**GP_COSTS, "kinds": list(PRICED)})
    cohort = build_cohort(data(), study)
    factor = consumer_prices()[2023] / consumer_prices()[2022]
    price = {item.item: item.price_eur * factor for item in read_prices(view="societal").prices}
    person = cohort.persons[cohort.persons["arm"] == "referred"]
    contacts = tables()["contacts"].assign(contact_on=lambda t: pd.to_datetime(t["contact_on"]))
    joined = person[["unit", "person_id", "index_on", "last_on"]].merge(contacts, on="person_id")
    day = (joined["contact_on"] - joined["index_on"]).dt.days
    inside = joined[(day >= -365) & (day <= -1) & joined["kind"].isin(PRICED)]
    wanted = (inside["kind"].map(price) * inside["n_contacts"].astype(float)).groupby(inside["unit"]).sum()
    found = cohort.outcomes
    found = found[(found["outcome"] == "gp_costs") & (found["window"] == "before")].set_index("unit")["value"]
    assert len(wanted) > 50
    np.testing.assert_allclose(found.reindex(wanted.index), wanted, rtol=1e-9)


def test_a_price_of_the_plan_reaches_the_report_with_its_source() -> None:
    study = plan(GP_COSTS, prices=[OTHER, {**OTHER, "item": "email", "price_eur": 1.0}])
    table = prices(study).set_index("item")
    assert table.loc["other", "source"] == OTHER["source"]
    assert (table.loc["email", "price_eur"], table.loc["email", "from_year"]) == (1.0, 2023)
    shipped = unit_prices(read_prices(view="societal"), price_year=2023).set_index("item")
    assert table.loc["telephone", "price_eur"] == shipped.loc["telephone", "price_eur"]
    found = outcome_tables(data(), referred_alone(build_cohort(data(), study)), study)
    assert set(found["cost_effects"]["outcome"]) == {"gp_costs"}
    assert set(found["cost_parts"]["payer"]) == {"zvw"}
    shown = {name: frame.assign(suppressed=False) for name, frame in found.items()}
    report = delivered_tables.prices(Results(plan=study, tables=shown, manifest={}, lang="nl"))
    assert OTHER["source"] in repr(report)


def test_care_without_a_price_is_refused_with_counts() -> None:
    contacts = tables()["contacts"]
    unpriced = int((contacts["kind"] == "other").sum())
    with pytest.raises(DataError, match=rf"{unpriced} of {len(contacts)} rows .*\[\[prices\]\]") as caught:
        build_cohort(data(), plan(GP_COSTS))
    assert list(caught.value.problems) == [f"other: {unpriced} rows"]
    # Telephone and e-mail have no tariff of their own since 2019: the payer's view says so, with counts.
    with pytest.raises(DataError, match="no payer price in 2023") as caught:
        build_cohort(data(), plan({**GP_COSTS, "prices": "payer", "kinds": list(PRICED)}))
    assert any(problem.startswith("telephone: ") for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"source": ""}, "source"),
        ({"currency": "USD"}, "EUR"),
        ({"price_eur": -1}, "greater than or equal"),
        ({"view": "patient"}, "societal"),
        ({"view": "payer"}, "no outcome has prices = 'payer'"),
    ],
)
def test_prices_of_a_plan_that_cannot_be_used(change: dict[str, Any], says: str) -> None:
    with pytest.raises(StudyError) as caught:
        plan(GP_COSTS, prices=[{**OTHER, **change}])
    assert any(says in problem for problem in caught.value.problems)


def test_unknown_payer_of_an_own_price_and_prices_twice() -> None:
    with pytest.raises(StudyError, match="prices of the plan") as caught:
        used_prices(plan(GP_COSTS, prices=[{**OTHER, "payer": "nhs"}]).outcome("gp_costs"))
    assert "payer: not a known code" in caught.value.problems[0]
    with pytest.raises(StudyError) as caught:
        plan(GP_COSTS, prices=[OTHER, OTHER])
    assert any("other (societal) stands more than once" in problem for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"prices": None}, "need prices"),
        ({"table": "costs"}, "amounts of table costs have theirs"),
        ({"payers": ["zvw"]}, "of table costs"),
        ({"price_year": None}, "need a price_year"),
        ({"subscale": "emotional"}, "of a score"),
    ],
)
def test_outcomes_that_contradict_themselves(change: dict[str, Any], says: str) -> None:
    with pytest.raises(StudyError) as caught:
        plan({**GP_COSTS, **change})
    assert any(says in problem for problem in caught.value.problems)


def test_differences_by_payer_add_up_and_leave_out_who_is_not_known() -> None:
    study = plan(CARE)
    places = tables()["municipalities"]
    given = data(municipalities=places.assign(wmo_delivered=np.arange(len(places)) > 0))
    arms = referred_alone(build_cohort(given, study))
    found = cost_parts(given, arms, study, outcome="care")
    effects = found["cost_part_effects"]
    whole = effects[(effects["category"] == "all") & (effects["age_band"] == "all")].set_index("payer")
    means = found["cost_parts"]
    means = means[(means["category"] == "all") & (means["age_band"] == "all")].set_index(["payer", "window"])
    for payer in whole.index:
        gap = means.loc[(payer, "after"), "mean"] - means.loc[(payer, "before"), "mean"]
        assert whole.loc[payer, "estimate"] == pytest.approx(gap)
        assert whole.loc[payer, "conf_low"] < gap < whole.loc[payer, "conf_high"]
    parts = effects[(effects["payer"] == "zvw") & (effects["age_band"] == "all")]
    split = parts[parts["category"] != "all"]
    assert split["estimate"].sum() == pytest.approx(whole.loc["zvw", "estimate"])
    # Municipalities that deliver no Wmo data are missing, not zero.
    assert means.loc[("wmo", "before"), "n_persons"] < means.loc[("zvw", "before"), "n_persons"]


def test_amounts_in_another_currency_are_refused() -> None:
    currency = np.where(np.arange(len(tables()["costs"])) < 3, "USD", "EUR")
    with pytest.raises(DataError) as caught:
        data(costs=costs_with(currency=currency))
    assert any("costs.currency" in problem and "3 rows" in problem for problem in caught.value.problems)
    assert data(costs=costs_with(currency="EUR")).tables["costs"].count().to_pyarrow().as_py()


def test_an_unknown_payer_is_refused() -> None:
    payer = tables()["costs"]["payer"].where(np.arange(len(tables()["costs"])) >= 2, "nhs")
    with pytest.raises(DataError) as caught:
        data(costs=costs_with(payer=payer))
    assert any("costs.payer" in problem and "2 rows" in problem for problem in caught.value.problems)


def test_mixed_price_years_are_indexed_and_counted() -> None:
    half = np.arange(len(tables()["costs"])) % 2 == 0
    lines = tables()["costs"].assign(price_year=2023)
    mixed = lines.assign(price_year=np.where(half, 2022, 2023))
    factor = consumer_prices()[2022] / consumer_prices()[2023]
    mixed["amount"] = mixed["amount"] * np.where(half, factor, 1.0)  # the same value in euros of 2022
    study = plan(CARE)
    one, other = (build_cohort(data(costs=frame), study).outcomes for frame in (lines, mixed))
    np.testing.assert_allclose(one["value"], other["value"], rtol=1e-9)
    counts = delivered(data(costs=mixed), study).set_index("check")["n_rows"]
    assert counts["n_indexed"] == half.sum()
    with pytest.raises(DataError, match="cannot be priced"):
        build_cohort(data(costs=lines.assign(price_year=1991)), study)


def test_credit_lines_are_netted_within_person_and_category_and_counted() -> None:
    lines = tables()["costs"]
    lines = lines[lines["amount"] >= 0].reset_index(drop=True)
    back = lines.iloc[:20].assign(amount=-lines["amount"].iloc[:20])
    back["from_on"] = pd.to_datetime(back["from_on"]) + pd.Timedelta(days=400)
    back["to_on"] = back["from_on"]
    study = plan(CARE)
    with_credits = data(costs=pd.concat([lines, back], ignore_index=True))
    counts = delivered(with_credits, study).set_index("check")["n_rows"]
    assert (counts["n_credits"], counts["n_equal"], counts["n_unmatched"]) == (20, 20, 0)
    # Each credit undoes its line on that line's day: the outcomes are those without either.
    without = build_cohort(data(costs=lines.iloc[20:]), study).outcomes
    found = build_cohort(with_credits, study).outcomes
    np.testing.assert_allclose(found["value"], without["value"], atol=1e-6)


def test_a_follow_up_dated_before_the_referral_is_refused() -> None:
    answers = tables()["questionnaires"].copy()
    late = answers["wave"].eq("month_6").to_numpy().nonzero()[0][:4]
    answers.loc[answers.index[late], "answered_on"] = pd.Timestamp("2012-01-01")
    with pytest.raises(DataError) as caught:
        data(questionnaires=answers)
    told = [problem for problem in caught.value.problems if "before the referral" in problem]
    assert len(told) == 1 and "4 rows" in told[0]


def answers_of(instrument: str, items: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"score": np.nan, "items": items, "instrument": instrument})


def test_a_scale_shifted_by_one_is_refused_with_what_to_do() -> None:
    shifted = answers_of("who5", ["1 2 3 4 5", "6 6 6 5 5"])
    with pytest.raises(DataError, match="the scale looks shifted: subtract 1"):
        delivered_scores(shifted, plan(score(instrument="who5")).outcome("score"))


def test_scores_out_of_range_are_refused_with_counts() -> None:
    frame = pd.DataFrame({"score": [50.0, 104.0, -4.0], "items": None})
    with pytest.raises(DataError, match="2 of 3 scores"):
        delivered_scores(frame, plan(score(instrument="who5")).outcome("score"))


def test_items_turned_round_twice_are_flagged() -> None:
    """Items 1, 2 and 4 of the MHI-5 are turned round on scoring; item 1 had been already."""
    rng = np.random.default_rng(3)
    level = rng.integers(0, 6, 200)
    instrument = planned_instrument(plan(score(instrument="mhi5")).outcome("score"))
    low, high = instrument.item_range or (0, 0)
    reverse = [item in instrument.reversed_items for item in range(1, 6)]
    raw = np.clip(low + level[:, None] + rng.integers(0, 2, (200, 5)), low, high)
    right = np.where(reverse, low + high - raw, raw)
    wrong = right.copy()
    first = instrument.reversed_items[0] - 1
    wrong[:, first] = low + high - wrong[:, first]
    counted = []
    for table in (right, wrong):
        items = [" ".join(map(str, row)) for row in table]
        counted.append(
            delivered_scores(answers_of("mhi5", items), plan(score(instrument="mhi5")).outcome("score"))
        )
    assert [one.counts["contrary_items"] for one in counted] == [0, 1]


def test_the_smallest_change_of_the_plan_makes_responders_and_says_where_it_is_from() -> None:
    """De Jong Gierveld has no published value; lower is better there."""
    rng = np.random.default_rng(5)
    people = tables()["referrals"].drop_duplicates("person_id")
    rows = []
    for shift, wave in ((0, "baseline"), (250, "month_6")):
        day = pd.to_datetime(people["referred_on"]) + pd.Timedelta(days=shift)
        lonely = rng.integers(0, 7, len(people))
        rows.append(
            pd.DataFrame(
                {"person_id": people["person_id"], "answered_on": day.dt.date, "wave": wave, "instrument": "djg6",
                 "score": lonely.astype(float), "items": None}
            )
        )  # fmt: skip
    given = data(questionnaires=pd.concat(rows, ignore_index=True))
    own = {"smallest_change": 2.0, "source": "agreed with the panel of clients"}
    with_it, without = (plan(score(instrument="djg6", **part)) for part in ({"scoring": own}, {}))
    measures = []
    for study in (with_it, without):
        waves = score_waves(given, referred_alone(build_cohort(given, study)), study, outcome="score")
        measures.append(score_changes(waves, study, outcome="score"))
    change = waves.score[:, 2] - waves.score[:, 0]
    change = change[np.isfinite(change)]
    found = measures[0][measures[0]["age_band"] == "all"].set_index("measure")
    assert found.loc["improved", "n_with"] == (change <= -2).sum()
    assert found.loc["worsened", "n_with"] == (change >= 2).sum()
    assert "improved" not in set(measures[1]["measure"])
    said = [
        repr(delivered_tables.instruments(Results(plan=s, tables={}, manifest={})))
        for s in (with_it, without)
    ]
    assert own["source"] in said[0]
    assert "the plan gives none" in said[1]


def test_a_subscale_is_scored_from_the_items_with_its_own_range() -> None:
    outcome = plan(score(instrument="djg6", subscale="emotional")).outcome("score")
    assert planned_instrument(outcome).score_range == (0.0, 3.0)
    found = delivered_scores(answers_of("djg6", ["3 1 2 1 3 1", "3 1 2 . 3 1"]), outcome)
    np.testing.assert_array_equal(found.values, [1.0, np.nan])
    assert found.counts["too_few_answers"] == 1
    with pytest.raises(StudyError, match="use one of emotional, social"):
        planned_instrument(plan(score(instrument="djg6", subscale="joy")).outcome("score"))


def test_dimensions_of_positive_health_are_means_of_the_items_the_plan_names() -> None:
    own = {"subscales": {"contentment": (1, 2, 4)}, "source": "version of 2016"}
    with pytest.raises(StudyError, match="has no total; name a subscale"):
        planned_instrument(plan(score(instrument="ph17")).outcome("score"))
    outcome = plan(score(instrument="ph17", subscale="contentment", scoring=own)).outcome("score")
    items = " ".join(["9", "3", "0", "6", *["1"] * 13])
    assert delivered_scores(answers_of("ph17", [items]), outcome).values == [6.0]
