"""Whatever the counts: nothing small is shown, and nothing hidden can be worked out from what is shown."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from wor_eval.report.disclosure import DisclosureRule, suppress
from wor_eval.study import Disclosure

MIN = 10
LIMITS = Disclosure(min_persons=MIN)
RULE = DisclosureRule(
    persons=("n_persons",),
    hides=("share",),
    group=("outcome",),
    adds_up=("direction", "age_band"),
)
DIRECTIONS = ("fell", "stayed", "rose")
COUNT = st.one_of(st.just(0), st.integers(1, MIN - 1), st.integers(MIN, 3 * MIN), st.integers(MIN, 500))
tables = st.integers(1, 4).flatmap(
    lambda n_bands: st.lists(
        st.lists(COUNT, min_size=n_bands, max_size=n_bands), min_size=len(DIRECTIONS), max_size=3
    )
)
run = settings(max_examples=150, deadline=None, derandomize=True)


def long(cells: list[list[int]]) -> pd.DataFrame:
    """Directions by age bands, with the total over bands as the band ``all``."""
    grid = np.column_stack([cells, np.sum(cells, axis=1)])
    names = [*(f"band {i}" for i in range(grid.shape[1] - 1)), "all"]
    frame = pd.DataFrame(grid, index=DIRECTIONS, columns=names)
    frame = frame.rename_axis("direction").reset_index()
    frame = frame.melt(id_vars="direction", var_name="age_band", value_name="n_persons")
    return frame.assign(outcome="gp_contacts", share=frame["n_persons"] / 1000)


def equations(frame: pd.DataFrame) -> tuple[np.ndarray, list[np.ndarray]]:
    """What everybody knows: bands add up to ``all``, and directions to the persons of a band.

    Gives the coefficients, one row per equation, and the rows of the table that each equation joins.
    """
    rows = []
    for _, part in frame.groupby("direction", sort=False):
        rows.append(np.where(frame.index.isin(part.index), 1.0, 0.0))
        rows[-1][part.index[part["age_band"] == "all"]] = -1.0
    rows += [
        np.where(frame.index.isin(part.index), 1.0, 0.0) for _, part in frame.groupby("age_band", sort=False)
    ]
    return np.array(rows), [np.flatnonzero(row) for row in rows]


@run
@given(tables)
def test_a_count_under_the_limit_is_never_shown(cells):
    out = suppress(long(cells), RULE, LIMITS)
    shown = out.loc[~out["suppressed"], "n_persons"]
    assert ((shown == 0) | (shown >= MIN)).all()
    assert out.loc[out["suppressed"], ["n_persons", "share"]].isna().all(axis=None)


@run
@given(tables)
def test_no_line_has_one_hidden_part_or_a_small_hidden_sum(cells):
    frame = long(cells)
    hidden = suppress(frame, RULE, LIMITS)["suppressed"].to_numpy()
    size = frame["n_persons"].to_numpy()
    for signs, line in zip(*equations(frame), strict=True):
        unknown = line[hidden[line]]
        assert unknown.size != 1 or line.size == 1
        open_sum_is_known = not (signs[unknown] < 0).any() and unknown.size < line.size
        if unknown.size and open_sum_is_known:
            assert size[unknown].sum() == 0 or size[unknown].sum() >= MIN


@run
@given(tables)
def test_no_hidden_count_follows_from_all_equations_together(cells):
    frame = long(cells)
    hidden = suppress(frame, RULE, LIMITS)["suppressed"].to_numpy()
    unknown, _ = equations(frame)
    unknown = unknown[:, hidden]
    rank = np.linalg.matrix_rank(unknown) if unknown.size else 0
    # With one band "all" repeats it; then both are hidden and neither follows from the other.
    for place in range(unknown.shape[1]):
        only = np.zeros((1, unknown.shape[1]))
        only[0, place] = 1.0
        follows = np.linalg.matrix_rank(np.vstack([unknown, only])) == rank
        assert not follows


@run
@given(tables)
def test_what_is_shown_is_as_it_was_and_nothing_is_hidden_without_need(cells):
    frame = long(cells)
    out = suppress(frame, RULE, LIMITS)
    shown = ~out["suppressed"].to_numpy()
    assert (out.loc[shown, "n_persons"] == frame.loc[shown, "n_persons"]).all()
    assert (out.loc[shown, "share"] == frame.loc[shown, "share"]).all()
    small = frame["n_persons"].between(1, MIN - 1)
    assert small.any() or shown.all()
    pd.testing.assert_frame_equal(out, suppress(frame, RULE, LIMITS))


@run
@given(
    st.lists(
        st.tuples(st.integers(0, 2 * MIN), st.integers(0, 2 * MIN)), min_size=1, max_size=7
    ),  # left out per step and arm
    st.tuples(st.integers(0, 60), st.integers(0, 60)),  # left at the end
)
def test_steps_that_are_shown_differ_by_nobody_or_by_enough(left_out, left):
    counts = np.array([left, *left_out]).cumsum(axis=0)[::-1]
    frame = pd.DataFrame(counts, columns=["n_referred", "n_comparison"])
    rule = DisclosureRule(persons=("n_referred", "n_comparison"), hides=(), steps=True)
    hidden = suppress(frame, rule, LIMITS)["suppressed"].to_numpy()
    shown = counts[~hidden]
    gaps = -np.diff(shown, axis=0)
    assert ((gaps == 0) | (gaps >= MIN)).all()
    assert ((shown == 0) | (shown >= MIN)).all()
    if ((counts[-1] == 0) | (counts[-1] >= MIN)).all():
        assert not hidden[-1], "who is analysed is told"
