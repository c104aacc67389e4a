"""Declarations and scores of the questionnaires."""

import csv
from pathlib import Path

import numpy as np
import pytest
import yaml

from wor_eval.assets import asset
from wor_eval.cohort.instruments import (
    adapt,
    check_scores,
    convert_raw,
    floor_ceiling,
    parse_items,
    read_instruments,
    responders,
    score_items,
    within_cut_off,
)
from wor_eval.cohort.profiles import profile_values
from wor_eval.data.tariffs import tariff
from wor_eval.data.value_sets import read_value_set
from wor_eval.errors import DataError, StudyError

INSTRUMENTS = read_instruments()
NAN = np.nan


def test_there_is_a_declaration_for_every_code() -> None:
    with asset("data_dictionary", "codes", "instrument.csv").open(encoding="utf-8", newline="") as file:
        assert {row["code"] for row in csv.DictReader(file)} == set(INSTRUMENTS)


@pytest.mark.parametrize("name", ["eq5d5l_nl", "eq5d3l_nl", "swemwbs_conversion", "icecap_o_uk"])
def test_tables_are_those_of_the_fact_sheet(shared: Path, name: str) -> None:
    with (shared / "facts" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        assert tuple(csv.DictReader(file)) == tariff(name)


@pytest.mark.parametrize("name", sorted(path.stem for path in asset("data_dictionary", "tariffs").glob("*")))
def test_every_row_of_a_tariff_has_a_source(name: str) -> None:
    assert tariff(name)
    assert all(row["source"].strip() for row in tariff(name))


@pytest.mark.parametrize(
    ("code", "answers", "expected"),
    [
        ("who5", [5, 5, 5, 5, 5], 100),
        ("who5", [0, 1, 2, 3, 4], 40),
        # Happy all the time (5) and never nervous, down or gloomy (0) is the best possible.
        ("mhi5", [0, 0, 5, 0, 5], 100),
        ("mhi5", [5, 5, 0, 5, 0], 0),
        ("mhi5", [1, 0, 4, 2, 3], 4 * (4 + 5 + 4 + 3 + 3)),
        ("swemwbs", [1, 1, 1, 1, 1, 1, 2], 9.51),
        ("wemwbs", [4] * 14, 56),
        ("ucla3", [3, 2, 3], 8),
        ("cantril", [7], 7),
        ("djg6", [1, 3, 3, 1, 3, 1], 0),
        ("djg6", [3, 1, 1, 3, 1, 3], 6),
        ("djg6", [2, 2, 2, 2, 2, 2], 6),
        ("djg11", [3, 1, 1, 3, 1, 1, 3, 3, 1, 1, 3], 0),
        ("djg11", [1, 2, 3, 3, 1, 1, 3, 3, 1, 1, 3], 3),
        ("eq5d5l", [2, 1, 1, 1, 1], 0.918),
        ("icecap_o", [4, 4, 4, 4, 4], 1),
    ],
)
def test_scores_by_hand(code: str, answers: list[float], expected: float) -> None:
    assert score_items([answers], INSTRUMENTS[code]).score[0] == pytest.approx(expected, abs=1e-12)


def test_emotional_and_social_loneliness() -> None:
    scores = score_items([[3, 3, 1, 1, 2, 2]], INSTRUMENTS["djg6"])
    assert {name: part[0] for name, part in scores.subscales.items()} == {"emotional": 2, "social": 2}
    scores = score_items([[1, 3, 1, 1, 1, 1, 1, 1, 1, 1, 3]], INSTRUMENTS["djg11"])
    assert {name: part[0] for name, part in scores.subscales.items()} == {"emotional": 1, "social": 4}


def test_missing_answers_follow_the_published_rule() -> None:
    mhi5 = score_items(
        [[0, NAN, 5, NAN, 5], [0, NAN, NAN, NAN, 5], [NAN] * 5, [0, 0, 4, 0, 4]], INSTRUMENTS["mhi5"]
    )
    assert mhi5.score.tolist()[0] == 100
    assert np.isnan(mhi5.score).tolist() == [False, True, True, False]
    assert mhi5.n_answered.tolist() == [3, 2, 0, 5]
    assert mhi5.missing == {"no_answers": 1, "too_few_answers": 1, "no_rule": 0}
    djg6 = score_items([[3, 1, 1, 3, 1, NAN], [3, 1, 1, 3, NAN, NAN]], INSTRUMENTS["djg6"])
    assert djg6.score[0] == 5
    assert np.isnan(djg6.score[1])
    assert np.isnan(djg6.subscales["emotional"]).all()
    assert djg6.subscales["social"][0] == 3


def test_without_a_published_rule_only_complete_answers_count_until_the_plan_gives_one() -> None:
    answers = [[4.0] * 14, [4.0] * 13 + [NAN]]
    scores = score_items(answers, INSTRUMENTS["wemwbs"])
    assert np.isnan(scores.score).tolist() == [False, True]
    assert scores.missing == {"no_answers": 0, "too_few_answers": 0, "no_rule": 1}
    planned = adapt(INSTRUMENTS["wemwbs"], max_missing=3)
    assert score_items(answers, planned).score.tolist() == [56, 56]
    assert planned.sources["missing"] == "the study plan"
    with pytest.raises(StudyError, match="looked up in a table needs every answer"):
        adapt(INSTRUMENTS["swemwbs"], max_missing=1)


def test_dialogue_tools_give_means_per_dimension_and_say_so() -> None:
    with pytest.raises(StudyError, match="no public source says which items"):
        score_items(np.full((1, 17), 5.0), INSTRUMENTS["ph17"])
    web = adapt(
        INSTRUMENTS["spider44"], subscales={"first": range(1, 8), "rest": range(8, 45)}, max_missing=2
    )
    answers = np.tile(np.r_[np.arange(7.0), np.full(37, 8.0)], (2, 1))
    answers[1, :3] = NAN
    scores = score_items(answers, web)
    assert scores.subscales["first"][0] == 3
    assert np.isnan(scores.subscales["first"][1])
    assert scores.subscales["rest"].tolist() == [8, 8]
    assert np.isnan(scores.score).all()
    assert scores.missing["too_few_answers"] == 0
    assert "not a measurement instrument" in scores.note


def test_icecap_o_says_that_the_tariff_is_british() -> None:
    assert "UK tariff" in score_items([[4] * 5], INSTRUMENTS["icecap_o"]).note


def test_licensed_instruments_take_scores_only() -> None:
    assert check_scores([0, 100, NAN], INSTRUMENTS["pam"])[1] == 100
    for call in (score_items, parse_items):
        with pytest.raises(DataError, match="takes scores only"):
            call([[1, 2]], INSTRUMENTS["pam"])  # type: ignore[operator]


@pytest.mark.parametrize(
    ("code", "answers", "said"),
    [
        ("swemwbs", [[0, 1, 2, 3, 4, 4, 4]], r"1 of 7 answers, in 1 questionnaires.*0 to 4.*add 1"),
        ("who5", [[1, 2, 3, 4, 6]], r"1 of 5 answers.*1 to 6.*subtract 1"),
        ("djg6", [[0, 1, 2, 0, 1, 2]], r"2 of 6 answers.*add 1"),
        ("ucla3", [[1, 2, 5], [1, 1, 1]], r"1 of 6 answers, in 1 questionnaires.*correct them"),
        ("ucla3", [[1, 2.5, 3]], "1 of 3 answers are not whole numbers"),
        ("ucla3", [[1, np.inf, 3]], "not whole numbers"),
        ("ucla3", [[1, 2, 3, 1]], r"has 3 items.*\(1, 4\)"),
        ("cantril", [[11]], "outside 0 to 10"),
    ],
)
def test_answers_on_another_scale_are_refused(code: str, answers: list[list[float]], said: str) -> None:
    with pytest.raises(DataError, match=said):
        score_items(answers, INSTRUMENTS[code])


def test_items_already_turned_round_are_named() -> None:
    rng = np.random.default_rng(5)
    level = rng.integers(0, 6, 300)
    noisy = np.clip(level[:, None] + rng.integers(-1, 2, (300, 5)), 0, 5).astype(float)
    raw = noisy.copy()
    raw[:, [0, 1, 3]] = 5 - raw[:, [0, 1, 3]]
    assert score_items(raw, INSTRUMENTS["mhi5"]).contrary_items == ()
    assert {3, 5} <= set(score_items(noisy, INSTRUMENTS["mhi5"]).contrary_items)
    assert score_items(noisy[:20], INSTRUMENTS["mhi5"]).contrary_items == ()


def test_parsing_counts_what_it_cannot_read() -> None:
    ucla = INSTRUMENTS["ucla3"]
    assert np.isnan(parse_items([None, NAN, ". . ."], ucla)).all()
    assert parse_items([], ucla).shape == (0, 3)
    with pytest.raises(DataError, match=r"2 of 3 rows .* are not numbers or dots"):
        parse_items(["1 2 3", "1,2,3", "1  2 3"], ucla)
    with pytest.raises(DataError, match=r"1 of 2 rows .* do not hold 3 answers"):
        parse_items(["1 2 3", "1 2"], ucla)


def test_delivered_scores_are_checked() -> None:
    with pytest.raises(DataError, match=r"1 of 2 scores .* outside 0 to 100"):
        check_scores([20, 101], INSTRUMENTS["who5"])
    # 8 -> 8.50 stands in a table that circulates; 8 -> 9.51 is right (facts: swemwbs_conversion).
    with pytest.raises(DataError, match=r"2 of 4 scores .* 1 of them whole"):
        check_scores([9.51, 9.5, 8.50, 21], INSTRUMENTS["swemwbs"])
    assert check_scores([7, 35, 19.98], INSTRUMENTS["swemwbs"]).size == 3
    with pytest.raises(DataError, match="1 of 2 raw sums"):
        convert_raw([20, 36], INSTRUMENTS["swemwbs"])
    with pytest.raises(StudyError, match="no conversion table"):
        convert_raw([20], INSTRUMENTS["who5"])
    with pytest.raises(DataError, match="one row of finite numbers"):
        check_scores([[1.0]], INSTRUMENTS["who5"])


def test_responders_follow_the_direction_of_the_scale() -> None:
    answer = responders([3, 1, -3, NAN, 0], INSTRUMENTS["djg6"], threshold=2)
    assert (answer.n_improved, answer.n_worsened, answer.n_neither, answer.n_missing) == (1, 1, 2, 1)
    assert answer.status[:3].tolist() == [-1, 0, 1]
    assert responders([0.918 - 0.818], INSTRUMENTS["eq5d5l"], threshold=0.1).n_improved == 1
    assert responders([10.0], INSTRUMENTS["who5"]).n_improved == 1
    assert responders([2.87], INSTRUMENTS["swemwbs"]).basis.startswith("distribution-based")
    assert responders([2.87], adapt(INSTRUMENTS["swemwbs"], smallest_change=1.03)).basis == "the study plan"
    with pytest.raises(StudyError, match="no published smallest relevant change"):
        responders([1.0], INSTRUMENTS["mhi5"])
    with pytest.raises(StudyError, match="above 0"):
        responders([1.0], INSTRUMENTS["mhi5"], threshold=0)


def test_floor_ceiling_and_cut_offs() -> None:
    counted = floor_ceiling([0, 0, 100, 50, NAN], INSTRUMENTS["mhi5"])
    assert (counted.n, counted.n_floor, counted.n_ceiling) == (4, 2, 1)
    with pytest.raises(DataError, match="no scores"):
        floor_ceiling([NAN], INSTRUMENTS["mhi5"])
    lonely, strongly = INSTRUMENTS["djg6"].cut_offs
    assert within_cut_off([1, 2, 4, 5, NAN], lonely)[:4].tolist() == [0, 1, 1, 1]
    assert within_cut_off([4, 5], strongly).tolist() == [0, 1]


def test_profiles_must_fit_the_value_set() -> None:
    five = read_value_set("versteegh_2016")
    with pytest.raises(DataError, match="1 of 2 profiles"):
        profile_values([[1, 1, 1, 1, 6], [1, 1, 1, 1, 1]], five)
    with pytest.raises(DataError, match="1 of 1 profiles"):
        profile_values([[1, 1, 1, 1, NAN]], five)
    with pytest.raises(DataError, match=r"5 items"):
        profile_values([[1, 1]], five)
    with pytest.raises(StudyError, match="no value set"):
        read_value_set("dolan_1997")


def broken(folder: Path, **changes: object) -> str:
    declaration = yaml.safe_load(asset("data_dictionary", "instruments", "who5.yaml").read_text("utf-8"))
    (folder / "who5.yaml").write_text(yaml.safe_dump({**declaration, **changes}), encoding="utf-8")
    with pytest.raises(DataError) as error:
        read_instruments(folder)
    return str(error.value)


def test_broken_declarations_are_refused(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, object], str]] = [
        ({"colour": "red"}, "colour"),
        ({"reversed_items": [9]}, "numbered from 1 to 5"),
        ({"sources": {"scoring": "x"}}, "smallest_change is stated without a source"),
        ({"item_range": [5, 0]}, "item_range"),
        ({"cut_offs": [{"name": "x"}]}, "exactly one of"),
        ({"code": "who6"}, "the code inside is who6"),
        ({"higher_is": "nicer"}, "higher_is"),
    ]
    for place, (changes, said) in enumerate(cases):
        folder = tmp_path / str(place)
        folder.mkdir()
        assert said in broken(folder, **changes)


def test_a_plan_that_does_not_fit_is_refused() -> None:
    with pytest.raises(StudyError, match="another questionnaire"):
        adapt(INSTRUMENTS["eq5d5l"], value_set="lamers_2006")
    with pytest.raises(StudyError, match="numbered from 1 to 17"):
        adapt(INSTRUMENTS["ph17"], subscales={"fit": [1, 18]})
    with pytest.raises(StudyError, match="named twice"):
        adapt(INSTRUMENTS["ph17"], subscales={"fit": [1, 1]})
    with pytest.raises(StudyError, match="fill needs max_missing"):
        adapt(INSTRUMENTS["djg11"], fill="zero")
    with pytest.raises(StudyError, match="smallest_change"):
        adapt(INSTRUMENTS["djg11"], smallest_change=NAN)
