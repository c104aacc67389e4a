"""What holds for every instrument and any answers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wor_eval.cohort.instruments import (
    adapt,
    check_scores,
    parse_items,
    read_instruments,
    responders,
    score_items,
)
from wor_eval.cohort.price_index import index_prices

INSTRUMENTS = read_instruments()
SCORED = sorted(
    code for code, instrument in INSTRUMENTS.items() if instrument.combine in ("sum", "value_set")
)


def answers(code: str) -> st.SearchStrategy[np.ndarray]:
    instrument = INSTRUMENTS[code]
    low, high = instrument.item_range or (0, 0)
    cell = st.integers(low, high).map(float) | st.just(np.nan)
    return st.integers(1, 8).flatmap(lambda n: arrays(float, (n, instrument.n_items), elements=cell))


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(SCORED))
def test_scores_stay_in_range_and_count_every_questionnaire_once(data: st.DataObject, code: str) -> None:
    instrument = INSTRUMENTS[code]
    given_answers = data.draw(answers(code))
    before = given_answers.copy()
    scores = score_items(given_answers, instrument)
    assert np.array_equal(given_answers, before, equal_nan=True)
    assert np.array_equal(check_scores(scores.score, instrument), scores.score, equal_nan=True)
    assert np.isnan(scores.score).sum() == sum(scores.missing.values())
    complete = ~np.isnan(given_answers).any(axis=1)
    assert not np.isnan(scores.score[complete]).any()
    if instrument.subscales:
        assert np.array_equal(sum(scores.subscales.values())[complete], scores.score[complete])  # type: ignore[index]


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(SCORED))
def test_a_better_answer_never_gives_a_worse_score(data: st.DataObject, code: str) -> None:
    instrument = INSTRUMENTS[code]
    low, high = instrument.item_range or (0, 0)
    row = np.array(
        data.draw(st.lists(st.integers(low, high), min_size=instrument.n_items, max_size=instrument.n_items))
    )
    item = data.draw(st.integers(0, instrument.n_items - 1))
    raised = row.copy()
    raised[item] = min(row[item] + 1, high)
    less, more = score_items([row, raised], instrument).score
    falls = (item + 1 in instrument.reversed_items) != code.startswith("eq5d")
    assert less >= more if falls else more >= less


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(SCORED))
def test_text_and_numbers_say_the_same(data: st.DataObject, code: str) -> None:
    given_answers = data.draw(answers(code))
    text = [" ".join("." if np.isnan(x) else str(int(x)) for x in row) for row in given_answers]
    assert np.array_equal(parse_items(text, INSTRUMENTS[code]), given_answers, equal_nan=True)


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from(["mhi5", "who5", "wemwbs", "djg6", "djg11", "ucla3"]))
def test_order_of_the_rows_does_not_matter(data: st.DataObject, code: str) -> None:
    given_answers = data.draw(answers(code))
    order = np.array(data.draw(st.permutations(range(len(given_answers)))))
    lenient = adapt(INSTRUMENTS[code], max_missing=2)
    assert np.array_equal(
        score_items(given_answers[order], lenient).score,
        score_items(given_answers, lenient).score[order],
        equal_nan=True,
    )


@given(arrays(float, 20, elements=st.floats(-100, 100)), st.floats(0.1, 50))
def test_turning_the_change_round_swaps_improved_and_worsened(change: np.ndarray, threshold: float) -> None:
    one = responders(change, INSTRUMENTS["mhi5"], threshold=threshold)
    other = responders(-change, INSTRUMENTS["mhi5"], threshold=threshold)
    assert (one.n_improved, one.n_neither) == (other.n_worsened, other.n_neither)
    assert one.n_improved + one.n_neither + one.n_worsened == change.size


@given(arrays(float, 10, elements=st.floats(-1e6, 1e6)), st.integers(2010, 2025), st.integers(2010, 2025))
def test_indexing_there_and_back_changes_nothing(amount: np.ndarray, first: int, second: int) -> None:
    back = index_prices(index_prices(amount, first, second), second, first)
    assert back == pytest.approx(amount, rel=1e-12)  # two products of doubles
