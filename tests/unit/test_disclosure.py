"""What may leave the building, rule by rule, on tables small enough to check by eye."""

import numpy as np
import pandas as pd
import pytest
import yaml

from wor_eval.assets import asset
from wor_eval.report.disclosure import DisclosureRule, disclosure_rule, suppress
from wor_eval.study import Disclosure

LIMITS = Disclosure()
DESCRIPTORS = sorted(asset("data_dictionary", "results").glob("*.yaml"))
# Numbers that say which row it is, not what was found there.
NAMES_A_ROW = {"published", "step", "bin_high", "caliper", "ratio", "delta"}
# Inputs and settings of the plan: no person stands behind them.
NAMES_A_ROW |= {"limit", "lags", "n_months", "first_value", "second_value", "extra_referred", "n_imputations"}
# Registered time, and limits that follow from it and from the rate of all practices together.
NAMES_A_ROW |= {"n_units", "n_quarters", "n_practices", "person_years", "centre", "low", "high"}
COUNTS = DisclosureRule(persons=("n_persons",), hides=("share",))
BANDS = DisclosureRule(
    persons=("n_persons",),
    hides=("share",),
    group=("outcome",),
    adds_up=("age_band",),
)


def bands(young: int, old: int, *, outcome: str = "gp_contacts") -> pd.DataFrame:
    counts = [young, old, young + old]
    return pd.DataFrame(
        {
            "outcome": outcome,
            "age_band": ["18-64", "65+", "all"],
            "n_persons": counts,
            "share": [count / 1000 for count in counts],
        }
    )


def counts(*values: int) -> pd.DataFrame:
    return pd.DataFrame({"n_persons": values, "share": np.arange(len(values)) / 10})


def hidden(frame: pd.DataFrame, rule: DisclosureRule, limits: Disclosure = LIMITS) -> list[bool]:
    flags: list[bool] = suppress(frame, rule, limits)["suppressed"].tolist()
    return flags


def test_small_counts_are_hidden_and_zero_is_not():
    assert hidden(counts(0, 1, 9, 10, 500), COUNTS) == [False, True, True, False, False]


def test_the_smallest_count_is_a_setting():
    assert hidden(counts(1, 4, 5), COUNTS, Disclosure(min_persons=5)) == [True, True, False]
    assert hidden(counts(0, 1), COUNTS, Disclosure(min_persons=1)) == [False, False]


def test_a_hidden_row_keeps_its_name_and_loses_its_numbers():
    out = suppress(bands(5, 7), BANDS, LIMITS)
    assert out["age_band"].tolist() == ["18-64", "65+", "all"]
    assert out.loc[out["suppressed"], ["n_persons", "share"]].isna().all(axis=None)
    assert out["suppressed"].dtype == bool


def test_the_table_that_goes_in_is_not_changed():
    frame = bands(3, 200)
    before = frame.copy()
    suppress(frame, BANDS, LIMITS)
    pd.testing.assert_frame_equal(frame, before)


def test_counts_stay_whole_numbers():
    out = suppress(counts(3, 12), COUNTS, LIMITS)
    assert str(out["n_persons"].dtype) == "Int64"
    assert out.to_csv(index=False).splitlines() == ["n_persons,share,suppressed", ",,True", "12,0.1,False"]
    untouched = suppress(counts(30, 12), COUNTS, LIMITS)
    assert untouched["n_persons"].tolist() == [30, 12]
    assert not untouched["suppressed"].any()


def test_either_arm_being_small_hides_the_row():
    frame = pd.DataFrame({"n_referred": [5, 50, 50], "n_comparison": [50, 5, 50]})
    rule = DisclosureRule(persons=("n_referred", "n_comparison"), hides=())
    assert hidden(frame, rule) == [True, True, False]


@pytest.mark.parametrize(
    ("young", "old", "expected"),
    [
        (50, 60, [False, False, False]),
        (5, 60, [True, True, False]),  # else 65 - 60 tells the five
        (60, 5, [True, True, False]),
        (0, 60, [False, False, False]),
        (4, 5, [True, True, True]),
    ],
)
def test_a_band_cannot_be_found_from_the_others(young, old, expected):
    assert hidden(bands(young, old), BANDS) == expected


def test_lines_are_kept_apart_by_group():
    frame = pd.concat([bands(5, 60), bands(50, 60, outcome="costs")], ignore_index=True)
    assert hidden(frame, BANDS) == [True, True, False, False, False, False]


def test_hidden_parts_that_add_up_to_a_small_number_are_not_left_alone():
    """Two of one person each: 2 = 1 + 1 is known to whoever knows the total. A third part is hidden too."""
    rule = DisclosureRule(persons=("n_persons",), hides=(), adds_up=("direction",))
    frame = pd.DataFrame({"direction": ["fell", "stayed", "rose"], "n_persons": [1, 1, 90]})
    assert hidden(frame, rule) == [True, True, True]
    frame = pd.DataFrame({"direction": ["fell", "stayed", "rose", "gone"], "n_persons": [3, 0, 90, 80]})
    assert hidden(frame, rule) == [True, True, False, True], "an empty part protects nobody"


def test_protection_runs_over_rows_and_columns():
    table = {"fell": (4, 90), "stayed": (30, 31), "rose": (40, 50)}
    rows = [
        ("gp_contacts", direction, band, count)
        for direction, parts in table.items()
        for band, count in zip(("18-64", "65+", "all"), (*parts, sum(parts)), strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["outcome", "direction", "age_band", "n_persons"])
    rule = DisclosureRule(
        persons=("n_persons",), hides=(), group=("outcome",), adds_up=("direction", "age_band")
    )
    out = suppress(frame, rule, LIMITS).set_index(["direction", "age_band"])["suppressed"].unstack()
    # 4 is small; 90 hides it in its row and 30 in its column; 31 closes the rectangle.
    assert out.loc["fell", ["18-64", "65+", "all"]].tolist() == [True, True, False]
    assert out.loc["stayed", ["18-64", "65+", "all"]].tolist() == [True, True, False]
    assert not out.loc["rose"].any()


def test_one_large_contributor_hides_a_row_and_its_share_never_leaves():
    frame = counts(50, 50, 50, 50).assign(largest_share=[0.5, 0.51, np.nan, 0.1])
    rule = DisclosureRule(persons=("n_persons",), hides=("share",), dominance="largest_share")
    out = suppress(frame, rule, LIMITS)
    assert out["suppressed"].tolist() == [False, True, False, False]
    assert "largest_share" not in out.columns
    assert hidden(frame, rule, Disclosure(max_share=1.0)) == [False] * 4
    assert hidden(frame.drop(columns="largest_share"), rule) == [False] * 4


def test_a_model_keeps_degrees_of_freedom():
    frame = pd.DataFrame({"n_referred": [11, 12, 11], "n_comparison": [0, 0, 10]})
    rule = DisclosureRule(persons=("n_referred", "n_comparison"), hides=(), parameters=2)
    assert hidden(frame, rule) == [True, False, False]
    assert hidden(frame, rule, Disclosure(min_df=9)) == [False, False, False]


@pytest.mark.parametrize(
    ("referred", "expected"),
    [
        ([100, 90, 80], [False, False, False]),
        ([100, 100, 100], [False, False, False]),
        ([100, 96, 80], [True, False, False]),  # else four persons are known to have been left out
        ([100, 95, 91], [True, True, False]),
        ([100, 96, 90], [False, True, False]),
        ([100, 60, 4], [False, False, True]),
    ],
)
def test_steps_do_not_tell_of_a_few_persons_left_out(referred, expected):
    frame = pd.DataFrame({"n_referred": referred, "n_comparison": 1000})
    rule = DisclosureRule(persons=("n_referred", "n_comparison"), hides=(), steps=True)
    assert hidden(frame, rule) == expected


def test_a_table_without_rows():
    out = suppress(counts().astype({"n_persons": int}), COUNTS, LIMITS)
    assert list(out.columns) == ["n_persons", "share", "suppressed"]
    assert out.empty


@pytest.mark.parametrize("path", DESCRIPTORS, ids=lambda path: path.stem)
def test_every_number_of_a_results_table_is_a_key_or_is_hidden(path):
    """A column that is forgotten here would be published beside the ones that are hidden."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    rule = disclosure_rule(content["disclosure"])
    columns = {field["name"]: field["type"] for field in content["fields"]}
    named = {*rule.persons, *rule.hides, *rule.group, *rule.adds_up}
    assert named <= set(columns), "a rule names a column that the table does not have"
    numbers = {name for name, kind in columns.items() if kind in ("number", "integer")}
    if rule.persons:
        assert numbers - named <= NAMES_A_ROW
    else:
        assert not rule.hides, "published or simulated: no person of the data stands behind a row"
    assert set(content["disclosure"]) <= {
        *("persons", "hides", "group", "adds_up", "by", "within", "since", "shares", "arm"),
        *("dominance", "parameters", "steps"),
    }
    assert columns["suppressed"] == "boolean"
    assert rule.dominance not in columns
    assert {*rule.within, *rule.within.values(), *rule.since, *rule.since.values()} <= set(rule.persons)
    assert set(rule.shares) <= set(rule.hides)
    assert set(rule.shares.values()) <= set(rule.persons)


@pytest.mark.parametrize("path", DESCRIPTORS, ids=lambda path: path.stem)
def test_no_table_holds_a_minimum_a_maximum_or_a_person(path):
    fields = [field["name"] for field in yaml.safe_load(path.read_text(encoding="utf-8"))["fields"]]
    assert not [
        name for name in fields if name.split("_")[0] in {"min", "minimum", "max", "maximum", "largest"}
    ]
    assert not {"person_id", "practice_id", "unit_id"} & set(fields)


def test_zeros_are_hidden_where_the_plan_says_so():
    assert hidden(counts(0, 1, 9, 10, 500), COUNTS, Disclosure(hide_zeros=True)) == [True] * 3 + [False] * 2


def test_rounding_shows_every_count_and_none_exactly():
    """742 persons of whom 7: rounded to tens, and the share is that of the rounded numbers."""
    frame = pd.DataFrame(
        {"n_persons": [7, 14, 721], "share": [7 / 742, 14 / 742, 721 / 742], "value": [7.0, 2.5, 721.0]}
    )
    rule = DisclosureRule(persons=("n_persons",), hides=("share", "value"), shares={"share": "n_persons"})
    out = suppress(frame, rule, Disclosure(round_to=10))
    assert out["n_persons"].tolist() == [10, 10, 720]
    assert out["share"].tolist()[1:] == pytest.approx([10 / 740, 720 / 740])
    assert out["suppressed"].tolist() == [True, False, False]
    assert out.loc[0, ["share", "value"]].isna().all(), "what rests on too few persons is hidden either way"
    assert out["value"].tolist()[1:] == [2.5, 720.0], "a number that repeats a count is rounded with it"
