"""Prices, price years, credit lines and Wmo costs that are not delivered."""

import csv
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from wor_eval.cohort.cost_lines import check_costs, costs_known, count_credits, net_credits, priced_costs
from wor_eval.cohort.price_index import index_prices, price_factors
from wor_eval.cohort.prices import add_prices, join_costs, price_use, read_prices, unit_prices
from wor_eval.data.tariffs import tariff
from wor_eval.errors import DataError, StudyError

COACH = {
    "price_eur": 80.0,
    "price_year": 2024,
    "unit": "hour",
    "category": "other",
    "payer": "wmo",
    "source": "made up",
}


def facts(shared: Path, name: str) -> list[dict[str, str]]:
    with (shared / "facts" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_shipped_prices_are_those_of_the_fact_sheet(shared: Path) -> None:
    units = {(row["item"], row["price_eur"], row["price_year"]) for row in facts(shared, "unit_prices")}
    for row in tariff("reference_prices"):
        assert (row["description"], row["price_eur"], row["price_year"]) in units
    codes = {
        (f"{row['code']} {row['description_nl']}", row["tariff_eur"], row["tariff_year"])
        for row in facts(shared, "nza_codes")
    }
    for row in tariff("nza_tariffs"):
        assert (row["description"], row["price_eur"], row["price_year"]) in codes
    index = {row["year"]: row["cpi_2015_100"] for row in facts(shared, "cpi")}
    assert {row["year"]: row["cpi_2015_100"] for row in tariff("cpi")} == index


def test_index_agrees_with_the_published_price_indices(shared: Path) -> None:
    published = {row["parameter"]: float(row["value"]) for row in facts(shared, "guideline_parameters")}
    factors = price_factors([2022], 2023), price_factors([2022], 2024)
    # Published to three decimals.
    assert factors[0][2022] == pytest.approx(published["price_index_2022_to_2023"], abs=0.0005)
    assert factors[1][2022] == pytest.approx(published["price_index_2022_to_2024"], abs=0.0005)


def test_amounts_of_several_years_are_indexed_one_by_one() -> None:
    indexed = index_prices([[100.0, 100.0], [100.0, np.nan]], [[2015, 2022], [2023, 2015]], 2023)
    assert indexed[0] == pytest.approx([126.09, 100 * 126.09 / 121.43])  # CBS StatLine 83131NED
    assert indexed[1, 0] == 100
    assert np.isnan(indexed[1, 1])
    with pytest.raises(DataError, match="no consumer price index for 1999, 2031"):
        index_prices([1.0, 1.0], [1999, 2020], 2031)


def test_tariffs_hold_only_while_their_code_existed() -> None:
    payer = read_prices(view="payer")
    assert set(unit_prices(payer, price_year=2018)["item"]) >= {"telephone", "email"}
    table = unit_prices(payer, price_year=2023).set_index("item")
    assert "telephone" not in table.index
    assert table.loc["consult_short", "price_eur"] == 11.51  # NZa 12011 in 2023
    late = unit_prices(payer, price_year=2021).set_index("item").loc["consult_short"]
    assert late["from_year"] == 2020  # 2020 and 2022 are equally near: the earlier
    assert late["price_eur"] == pytest.approx(10.15 * 110.39 / 107.51)


def test_care_use_times_price() -> None:
    use = pd.DataFrame(
        {"unit": [1, 1, 2], "item": ["consult_short", "visit_long", "telephone"], "count": [2, 1, None]}
    )
    before = use.copy()
    costs = price_use(use, read_prices(view="societal"), price_year=2023)
    factor = 126.09 / 121.43
    assert costs["amount"][:2].tolist() == pytest.approx([2 * 28.74 * factor, 48.21 * factor])
    assert np.isnan(costs["amount"][2])
    assert costs["payer"].tolist() == ["zvw"] * 3
    assert costs["unit"].tolist() == [1, 1, 2]
    pd.testing.assert_frame_equal(use, before)


def test_care_without_a_price_is_refused_with_counts() -> None:
    use = pd.DataFrame({"item": ["telephone", "telephone", "massage", None, "visit_long"], "count": 1})
    with pytest.raises(DataError, match=r"4 of 5 rows .* no payer price valid in 2023") as error:
        price_use(use, read_prices(view="payer"), price_year=2023)
    assert error.value.problems == ("(empty): 1 rows", "massage: 1 rows", "telephone: 2 rows")
    with pytest.raises(DataError, match="2 of 3 counts are negative or infinite"):
        price_use(
            pd.DataFrame({"item": "visit_long", "count": [-1, np.inf, 1]}),
            read_prices(view="payer"),
            price_year=2023,
        )
    assert price_use(use.head(0), read_prices(view="payer"), price_year=2023).empty
    with pytest.raises(DataError, match="lacks the columns count"):
        price_use(use[["item"]], read_prices(view="payer"), price_year=2023)


def test_views_and_price_years_are_never_mixed() -> None:
    use = pd.DataFrame({"item": ["visit_long"], "count": [1]})
    societal = price_use(use, read_prices(view="societal"), price_year=2023)
    payer = price_use(use, read_prices(view="payer"), price_year=2023)
    earlier = price_use(use, read_prices(view="societal"), price_year=2022)
    assert len(join_costs([societal, societal])) == 2
    with pytest.raises(StudyError, match="mix the views payer and societal"):
        join_costs([societal, payer])
    with pytest.raises(StudyError, match="mix the price years 2022, 2023"):
        join_costs([societal, earlier])
    with pytest.raises(StudyError, match="no costs"):
        join_costs([])
    with pytest.raises(StudyError, match="no view"):
        read_prices(view="patient")  # type: ignore[arg-type]


def test_a_plan_can_add_and_replace_prices() -> None:
    shipped = read_prices(view="societal")
    prices = add_prices(
        shipped, {"coach_hour": COACH, "visit_long": {**COACH, "price_eur": 50, "payer": "zvw"}}
    )
    assert "coach_hour" not in shipped.items
    use = pd.DataFrame({"item": ["coach_hour", "visit_long"], "count": [3, 1]})
    costs = price_use(use, prices, price_year=2024)
    assert costs["amount"].tolist() == [240, 50]
    assert costs["payer"].tolist() == ["wmo", "zvw"]


def test_prices_of_a_plan_are_checked_all_at_once() -> None:
    wrong: dict[str, dict[str, Any]] = {
        "a": {**COACH, "currency": "GBP"},
        "b": {**COACH, "payer": "nhs", "category": "wellbeing", "price_year": 1999},
        "c": {key: value for key, value in COACH.items() if key != "source"},
        "d": {**COACH, "price_eur": float("nan")},
    }
    with pytest.raises(StudyError) as error:
        add_prices(read_prices(view="societal"), wrong)
    said = "\n".join(error.value.problems)
    for part in ("a.currency", "b.payer", "b.category", "b.price_year", "c.source", "d.price_eur"):
        assert part in said


def lines(*rows: tuple[str, str, float], **columns: Any) -> ibis.Table:
    """Cost lines of person, first day and amount."""
    frame = pd.DataFrame(list(rows), columns=["person_id", "from_on", "amount"])
    frame = frame.assign(
        **{"to_on": None, "category": "hospital", "payer": "zvw", "price_year": 2023, **columns}
    )
    return ibis.memtable(frame.astype({"to_on": "string"})).cast({"from_on": "date", "to_on": "date"})


def test_a_credit_goes_to_the_days_of_the_line_it_takes_back() -> None:
    costs = lines(
        ("a", "2023-01-10", 100.0),
        ("a", "2023-02-10", 40.0),
        ("a", "2023-03-10", -100.0),
        ("b", "2023-01-01", 70.0),
        ("b", "2023-02-01", -30.0),
        ("c", "2023-02-01", -5.0),
        to_on=["2023-01-12", None, None, None, None, None],
    )
    netted = net_credits(costs).to_pandas()
    credit = netted[netted["amount"] < 0].set_index("person_id")
    assert [str(day)[:10] for day in credit.loc[["a", "b", "c"], "from_on"]] == [
        "2023-01-10",
        "2023-01-01",
        "2023-02-01",
    ]
    assert str(credit.loc["a", "to_on"])[:10] == "2023-01-12"
    assert netted["amount"].sum() == pytest.approx(75)
    counts = count_credits(costs)
    assert (counts.n_lines, counts.n_credits, counts.n_equal) == (6, 3, 1)
    assert (counts.n_unmatched, counts.n_negative) == (1, 1)


def test_a_credit_stays_with_its_person_category_and_payer() -> None:
    costs = lines(
        ("a", "2023-01-01", 50.0),
        ("a", "2023-01-02", 50.0),
        ("b", "2023-01-03", 50.0),
        ("a", "2023-02-01", -50.0),
        category=["gp", "hospital", "hospital", "hospital"],
        payer=["zvw", "own", "zvw", "zvw"],
    )
    netted = net_credits(costs).to_pandas()
    assert str(netted.loc[netted["amount"] < 0, "from_on"].item())[:10] == "2023-02-01"


def test_costs_of_one_price_year() -> None:
    costs = lines(("a", "2022-01-01", 100.0), ("a", "2023-01-01", 100.0), price_year=[2022, 2023])
    priced = priced_costs(costs, price_year=2023).order_by("from_on").to_pandas()
    assert list(priced.columns) == ["person_id", "from_on", "to_on", "category", "payer", "amount"]
    assert priced["amount"].tolist() == pytest.approx([100 * 126.09 / 121.43, 100])
    assert (priced["to_on"] == priced["from_on"]).all()
    with pytest.raises(DataError, match="no consumer price index for 2030"):
        priced_costs(costs, price_year=2030)


def test_broken_cost_lines_are_refused_with_counts() -> None:
    costs = lines(
        ("a", "2022-01-01", 1.0),
        ("b", "2022-01-01", 1.0),
        ("c", "2022-01-01", np.nan),
        category=["hospital", "spa", "spa"],
        payer=["zvw", "nhs", "zvw"],
        price_year=[1995, 2023, 2023],
    )
    with pytest.raises(DataError) as error:
        check_costs(costs)
    said = "\n".join(error.value.problems)
    for part in ("category: 2 lines", "payer: 1 lines", "price_year: 1 lines", "amount: 1 lines"):
        assert part in said


def test_wmo_costs_that_are_not_delivered_are_missing() -> None:
    persons = ibis.memtable(
        pd.DataFrame({"person_id": ["a", "b", "c", "d"], "municipality_code": ["x", "y", None, "z"]})
    )
    places = ibis.memtable(pd.DataFrame({"municipality_code": ["x", "y"], "wmo_delivered": [True, False]}))
    known = costs_known(persons, places, payers=("zvw", "wmo")).to_pandas().set_index("person_id")["known"]
    assert known.sort_index().tolist() == [True, False, False, False]
    others = costs_known(persons, places, payers=("zvw", "own")).to_pandas()
    assert others["known"].all()
    with pytest.raises(StudyError, match="payers must be among"):
        costs_known(persons, places, payers=("nhs",))
    with pytest.raises(StudyError, match="at least one"):
        costs_known(persons, places, payers=())
