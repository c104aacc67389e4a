"""Whatever stands in a plan or in the tables: results, or an error that says what and where; never another error."""

from __future__ import annotations

import copy
import tempfile
import tomllib
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.raw_study import Frames, only, small_frames
from tests.saved_study import raw_tables
from wor_eval.assets import asset
from wor_eval.data.read import StudyData, study_data
from wor_eval.errors import DataError, StudyError, WorEvalError
from wor_eval.report.results import Results, save_results
from wor_eval.run import run_study
from wor_eval.study import StudyPlan, study_plan

PLANS = sorted(path.stem for path in asset("analyses").glob("*.toml"))
HIDDEN = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
many = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=HIDDEN)
few = settings(max_examples=7, deadline=None, derandomize=True, suppress_health_check=HIDDEN)
some = settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=HIDDEN)


@cache
def shipped(name: str) -> dict[str, Any]:
    """A shipped plan as nested mappings."""
    return {"name": name, **tomllib.loads(asset("analyses", f"{name}.toml").read_text(encoding="utf-8"))}


def places(part: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in nested mappings and lists."""
    inside = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    found = [before] if before else []
    return found + [place for key, value in inside for place in places(value, (*before, key))]


NUMBERS = st.one_of(
    st.integers(-(10**3), 10**3),
    st.sampled_from([0, -1, 10**10, 10**30, 1e308, float("nan"), float("inf"), -0.0, 0.5]),
)
PAIRS = st.lists(st.integers(-1500, 1500), min_size=0, max_size=3)
WORDS = st.sampled_from(
    ["", "gp_contacts", "no_such_thing", "2020-01-01", "5", "age", "ñ\x00", "before_after"]
)
VALUES = st.one_of(
    NUMBERS,
    PAIRS,
    WORDS,
    st.sampled_from([None, True, False, date(2020, 1, 1), [], {}, [[]], [{}], {"nl": "x"}, ["gp_contacts"]]),
)


def put(content: Any, place: tuple[Any, ...], change: Any) -> None:
    """Change one place: a callable makes the new value from the old, None drops it."""
    for key in place[:-1]:
        content = content[key]
    if change is None:
        del content[place[-1]]
    else:
        content[place[-1]] = change(content[place[-1]])


CHANGES = st.one_of(
    st.none(),
    st.builds(lambda value: lambda old: copy.deepcopy(value), VALUES),
    st.sampled_from(
        [str, lambda old: [old], lambda old: {"value": old}, lambda old: [old, old], lambda old: True]
    ),
)


@st.composite
def broken_plans(draw: st.DrawFn) -> dict[str, Any]:
    """A shipped plan in which one to three places were dropped, swapped or filled anew."""
    content = copy.deepcopy(shipped(draw(st.sampled_from(PLANS))))
    for _ in range(draw(st.integers(1, 3))):
        put(content, draw(st.sampled_from(places(content))), draw(CHANGES))
        if not content:
            break
    return content


def checked(content: dict[str, Any]) -> StudyPlan | None:
    """The plan, or None where it was refused with a message that says where."""
    try:
        return study_plan(content)
    except StudyError as error:
        assert str(error)
        for problem in error.problems:
            place, colon, words = problem.partition(": ")
            assert place, problem
            assert colon, problem
            assert words, problem
        return None


@many
@given(content=broken_plans())
def test_a_plan_is_accepted_or_refused_with_the_place(content: dict[str, Any]) -> None:
    plan = checked(content)
    if plan is not None:
        assert len(plan.digest) == 64


TABLES = ("persons", "registrations", "referrals", "contacts")


@cache
def small_study() -> StudyData:
    """The tables that a study of contacts alone needs, read once."""
    frames = raw_tables(persons=1_000, scenario="effect")
    return study_data({name: frames[name] for name in TABLES}, dictionary=only(*TABLES))


def contacts_plan(**parts: Any) -> dict[str, Any]:
    """The shipped before-and-after plan with its contacts alone and few replicates."""
    content = copy.deepcopy(shipped("before_after"))
    content |= {"replicates": 100, "outcomes": content["outcomes"][:1], "effects": content["effects"][:1]}
    return {**content, **parts}


def run_or_refused(content: dict[str, Any]) -> Results | None:
    """Carry out and save a plan that is accepted; every refusal is one of ours, with words."""
    plan = checked(content)
    if plan is None:
        return None
    try:
        found = run_study(small_study(), plan)
        with tempfile.TemporaryDirectory() as folder:
            save_results(found, Path(folder) / "results")
    except WorEvalError as error:
        assert str(error)
        return None
    return found


SPAN = st.sampled_from([0, 1, 30, 364, 3000])
WINDOWS = st.fixed_dictionaries(
    {
        "before": st.builds(lambda start, span: [start, min(-1, start + span)], st.integers(-2500, -1), SPAN),
        "after": st.builds(lambda start, span: [start, start + span], st.integers(0, 900), SPAN),
    },
    optional={
        "placebo": st.builds(lambda start: [start, start + 364], st.integers(-4500, -800)),
        "months": st.builds(
            lambda start, span: [start, start + span], st.integers(-30, 5), st.integers(0, 30)
        ),
        "quarters": st.sampled_from([0, 1, 4]),
    },
)
COHORTS = st.fixed_dictionaries(
    {"entries": st.sampled_from([0, 1])},
    optional={
        "bands": st.sampled_from([[0], [18], [18, 40, 65], [90], [149, 150]]),
        "offered_share": st.sampled_from([1e-9, 0.5]),
        "observed_until": st.sampled_from([date(2022, 6, 1), date(2099, 1, 1)]),
        "referred_from": st.sampled_from([date(1900, 1, 1), date(2022, 6, 1), date(2100, 1, 1)]),
    },
)
GATES = st.sampled_from([{}, {"sets": 2}, {"sets": 10**9}, {"follow_up": 1e-12}])
DISCLOSURES = st.sampled_from(
    [{}, {"min_persons": 1, "min_df": 0}, {"min_persons": 10**9}, {"round_to": 10**9}]
)


@few
@given(windows=WINDOWS, cohort=COHORTS, gates=GATES, disclosure=DISCLOSURES)
def test_a_plan_that_is_accepted_runs_or_says_why_not(
    windows: dict[str, Any], cohort: dict[str, Any], gates: dict[str, Any], disclosure: dict[str, Any]
) -> None:
    found = run_or_refused(contacts_plan(windows=windows, cohort=cohort, gates=gates, disclosure=disclosure))
    if found is not None:
        effects = found.tables["effects"].dropna(subset=["estimate", "conf_low", "conf_high"])
        assert (effects["conf_low"] <= effects["estimate"]).all()
        assert (effects["estimate"] <= effects["conf_high"]).all()
        assert not np.isinf(effects["estimate"]).any()


def test_a_plan_without_months_runs() -> None:
    content = contacts_plan()
    del content["windows"]["months"]
    found = run_or_refused(content)
    assert found is not None
    assert len(found.tables["effects"])
    assert len(found.tables["interrupted"]) == 0


def test_a_plan_about_costs_alone_runs_and_speaks_of_no_frequent_attenders() -> None:
    priced = shipped("before_after")["outcomes"][2]
    effects = [{"contrast": "before_after", "outcomes": [priced["name"]], "headline": True}]
    found = run_or_refused(contacts_plan(outcomes=[priced], effects=effects))
    assert found is not None
    assert len(found.tables["cost_effects"])
    assert set(found.tables["event_curves"]["event"]) == {"drop_out"}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"windows": {"before": [-365, -1], "after": [0, 10**9]}}, "windows.after.1"),
        ({"windows": {"before": [-365, -1], "after": [0, 364], "months": [-(10**6), 1]}}, "windows.months.0"),
        ({"cohort": {"observed_until": date(9999, 6, 1)}}, "cohort.observed_until"),
        ({"cohort": {"entries": 10**9}}, "cohort.entries"),
        ({"disclosure": {"min_persons": True}}, "min_persons: true or false"),
        ({"gates": {"follow_up": float("nan")}}, "gates.follow_up"),
        ({"replicates": 10**30}, "replicates"),
    ],
)
def test_what_no_study_can_mean_is_refused_at_the_door(change: dict[str, Any], where: str) -> None:
    with pytest.raises(StudyError, match=where):
        study_plan(contacts_plan(**change))


@pytest.mark.parametrize(
    ("windows", "why"),
    [
        ({"befor": [-365, -1]}, "no window befor"),
        ({"before": [-365, -1], "after": [10, 0]}, "ends before it starts"),
        ({"before": [-365, 20], "after": [30, 60]}, "before the index date"),
        ({}, "no window is given"),
    ],
)
def test_windows_of_an_outcome_are_checked_against_those_of_the_plan(
    windows: dict[str, Any], why: str
) -> None:
    content = contacts_plan()
    content["outcomes"][0]["windows"] = windows
    with pytest.raises(StudyError, match=f"windows of outcome gp_contacts: .*{why}"):
        study_plan(content)


def test_days_long_after_the_last_contact_do_not_count_as_days_without_contacts() -> None:
    plan = study_plan(contacts_plan(cohort={"observed_until": date(2035, 1, 1)}))
    with pytest.raises(
        WorEvalError, match=r"observed_until = 2035-01-01 lies .* days after the last contact"
    ):
        run_study(small_study(), plan)


def test_before_and_after_is_no_headline_of_a_design() -> None:
    content = copy.deepcopy(shipped("matched_cohort"))
    content |= {"outcomes": content["outcomes"][:1], "effects": content["effects"][:1]}
    content["effects"][0]["contrast"] = "before_after"
    with pytest.raises(
        StudyError, match=r"before_after has no comparison persons, and the plan has a \[design\]"
    ):
        run_study(small_study(), study_plan(content))


CANARY = "kanarie7919"


def changed(frame: pd.DataFrame, column: str, value: Any) -> pd.DataFrame:
    frame = frame.astype({column: object})
    frame.loc[frame.index[0], column] = value
    return frame


CELLS = [
    CANARY,
    f"{CANARY} 2020-01-01",
    "-7919.5",
    "2919-07-19",
    7919.25,
    float("inf"),
    float("nan"),
    None,
    b"7919",
]


@st.composite
def broken_frames(draw: st.DrawFn) -> Frames:
    """The small frames in which one or two things were broken."""
    frames = {name: small_frames()[name] for name in TABLES}
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(TABLES))
        frame = frames[name]
        if not len(frame) or not len(frame.columns):
            continue
        column = draw(st.sampled_from(list(frame.columns)))
        kind = draw(
            st.sampled_from(["cell", "cell", "cell", "drop", "double", "empty", "flip", "name", "nothing"])
        )
        frames[name] = {
            "cell": lambda f, c: changed(f, c, draw(st.sampled_from(CELLS))),
            "drop": lambda f, c: f.drop(columns=c),
            "double": lambda f, c: pd.concat([f, f.iloc[:2]]),
            "empty": lambda f, c: f.iloc[:0],
            "flip": lambda f, c: f.assign(**{c: f[c].to_numpy()[::-1]}),
            "name": lambda f, c: f.assign(extra=CANARY),
            "nothing": lambda f, c: pd.DataFrame(),
        }[kind](frame, column)  # fmt: skip
    return frames


@some
@given(frames=broken_frames())
def test_broken_tables_are_read_or_refused_without_their_values(frames: Frames) -> None:
    try:
        said = study_data(frames, dictionary=only(*TABLES)).summary()
    except DataError as error:
        assert error.problems
        said = str(error)
    assert CANARY not in said
    assert "7919" not in said
