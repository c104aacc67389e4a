"""Plans of every kind that reads data, drawn around those that ship, run to whole results or to a refusal in words.

A few draws are run here. ``WOR_EVAL_DRAWS=200 pytest tests/properties/test_plan_runs.py`` runs more of each kind.
"""

from __future__ import annotations

import copy
import os
import random
import tempfile
import tomllib
import warnings
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from wor_eval.assets import asset
from wor_eval.data.panel import simulate_panel
from wor_eval.data.read import StudyData, study_data
from wor_eval.data.simulate import simulate_tables
from wor_eval.errors import StudyError, WorEvalError
from wor_eval.report.results import Results, load_results, save_results
from wor_eval.run import run_study
from wor_eval.study import Study, StudyPlan, study_plan

DRAWS = int(os.environ.get("WOR_EVAL_DRAWS", "0"))
TEXT = {"nl": "x", "en": "x"}
Change = Callable[[dict[str, Any], random.Random], None]


@cache
def data(persons: int) -> StudyData:
    tables = simulate_tables(simulate_panel(persons=persons, seed=3, scenario="effect"), seed=3)
    tables.pop("truth")
    return study_data(tables)


def base(kind: str) -> dict[str, Any]:
    """The shipped plan of a kind, with few replicates."""
    content = {"name": kind, **tomllib.loads(asset("analyses", f"{kind}.toml").read_text(encoding="utf-8"))}
    content.pop("power", None)
    if kind == "cost_effectiveness":
        content["economics"] |= {"replicates": 1000, "imputations": 2}
    return copy.deepcopy(content) | ({"replicates": 100} if kind in EFFECTS else {})


def at(*place: str, values: list[Any]) -> Change:
    """Put one of some values at a place of the plan."""

    def change(content: dict[str, Any], rng: random.Random) -> None:
        for key in place[:-1]:
            content = content.setdefault(key, {})
        content[place[-1]] = copy.deepcopy(rng.choice(values))

    return change


def outcomes(content: dict[str, Any], rng: random.Random) -> None:
    """Other contacts, payers, categories, price years and instruments, of which some are not in the data."""
    change = {
        "contacts": [{"kinds": ["email"]}, {"exposure": "recall"}, {"icpc": ["X99"]}, {"windows": {"before": [-9, -1]}}],
        "costs": [{"payers": ["own"]}, {"payers": ["nobody"]}, {"categories": ["no_such"]}, {"price_year": 1980}],
        "questionnaires": [{"instrument": "icecap_o"}, {"instrument": "no_such"}, {"windows": {"after": [20, 21]}}],
    }  # fmt: skip
    outcome = rng.choice(content["outcomes"])
    outcome.update(rng.choice(change[outcome["table"]]))


def headline(content: dict[str, Any], rng: random.Random) -> None:
    contrasts = ["after_only", "difference_in_differences", "against_earlier_year", "before_after"]
    name = rng.choice(content["outcomes"])["name"]
    first = {"contrast": rng.choice(contrasts), "outcomes": [name], "headline": True}
    content["effects"] = [first, *content["effects"][1:]]


def rule(content: dict[str, Any], rng: random.Random) -> None:
    rules = [
        {"column": "sex", "one_of": ["F"]}, {"column": "sex", "at_least": 1},
        {"column": "income_quintile", "one_of": ["1"]}, {"column": "died_on", "at_most": 1},
        {"column": "age", "at_least": 90}, {"column": "n_chronic", "at_least": 1},
    ]  # fmt: skip
    content["cohort"]["include"] += [{**rng.choice(rules), "reason": TEXT}]


def horizon(content: dict[str, Any], rng: random.Random) -> None:
    days = rng.choice([1, 182, 360, 380, 400])
    content["economics"]["horizon_days"] = days
    content["economics"]["effect"]["followed_until"] = min(days, 150)
    for outcome in content["outcomes"]:
        if outcome["measure"] == "cost_per_year":
            outcome["windows"]["after"] = [0, days - 1]


def price_year(content: dict[str, Any], rng: random.Random) -> None:
    year = rng.choice([2010, 2019, 2025, 2030])
    content["economics"]["trajectory"]["price_year"] = year
    for outcome in content["outcomes"]:
        if outcome["measure"] == "cost_per_year":
            outcome["price_year"] = year


def payers(content: dict[str, Any], rng: random.Random) -> None:
    costs = content["economics"]["costs"]
    kept = rng.sample(sorted(costs), rng.randint(1, 3))
    content["economics"]["costs"] = {payer: costs[payer] for payer in kept}
    content["economics"]["trajectory"]["payer"] = rng.choice([*kept, "own"])


def given(**parts: float) -> dict[str, Any]:
    return {**parts, "source": TEXT}


COHORT: list[Change] = [
    rule, outcomes, headline,
    at("cohort", "entries", values=[0, 1, 12]),
    at("cohort", "offered_share", values=[1e-9, 0.1, 0.5]),
    at("cohort", "referred_from", values=[date(2022, 6, 1), date(2000, 1, 1), date(2050, 1, 1)]),
    at("cohort", "referred_until", values=[date(2022, 12, 31), date(2022, 2, 1)]),
    at("cohort", "observed_until", values=[date(2023, 6, 30), date(2030, 1, 1)]),
    at("windows", "before", values=[[-182, -1], [-1, -1], [-365, -31], [-900, -1]]),
    at("windows", "placebo", values=[[-1095, -731], [-366, -366]]),
    at("windows", "quarters", values=[0, 8]),
    at("design", "method", values=["nearest", "mahalanobis", "optimal", "full", "exact", "ipw", "overlap", "entropy"]),
    at("design", "exact", values=[[], ["practice_id"], ["recent_quarter"], ["n_chronic"], ["person_id"], ["no_such"]]),
    at("design", "covariates", values=[[], ["age", "age"], ["sex"], ["income_quintile"], ["arm"], ["died_on"], ["none"]]),
    at("design", "history", values=["none", "placebo", "year", "quarters", "level"]),
    at("design", "caliper", values=[1e-9, 0.05, 1e6]),
    at("design", "ratio", values=[1, 10, 10_000]),
    at("design", "replacement", values=[True]),
    at("design", "missing", values=["indicator"]),
    at("gates", values=[{}, {"balance": 1e-9, "placebo": 100.0}, {"overlap": 1.0, "sets": 10**9, "follow_up": 1e-12}]),
    at("disclosure", values=[{"min_persons": 1, "min_df": 0}, {"min_persons": 10**9}, {"round_to": 10}]),
]  # fmt: skip
EFFECTS: dict[str, list[Change]] = {
    "matched_cohort": [
        *COHORT,
        at("cohort", "bands", values=[[18], [18, 40, 65], [65], [90]]),
        at("windows", "after", values=[[0, 0], [0, 364], [30, 1500], [5000, 5001]]),
        at("windows", "months", values=[[0, 0], [-3, -1], [-60, 60], [-12, 40]]),
    ],
    "cost_effectiveness": [
        *COHORT, horizon, price_year, payers,
        at("economics", "perspective", values=["healthcare", "municipality"]),
        at("economics", "guideline", values=["ZIN 2016", "no such edition"]),
        at("economics", "matched_on", values=["costs_zvw", "health", "no_such"]),
        at("economics", "effect", "instrument", values=["eq5d3l", "swemwbs", "no_such"]),
        at("economics", "effect", "baseline", values=[[-30, 0], [-365, -300], [5, 5]]),
        at("economics", "effect", "followed_until", values=[1, 365, 366]),
        at("economics", "trajectory", "coach_hour", values=[given(value=1e-9), given(value=1e9, low=0, high=1e9)]),
        at("economics", "trajectory", "hours", values=[given(value=0.0, low=0, high=2), given(value=1e6)]),
        at("economics", "thresholds", "main", values=[50_000, 80_000, 1]),
        at("economics", "thresholds", "values", values=[[1e-9, 20_000, 1e12], [20_000]]),
        at("economics", "budget", "years", values=[2, 20]),
        at("economics", "scenarios", values=[[], [{"name": "a", "label": TEXT, "values": {"coach_hour": 0.0}}]]),
        at("economics", "two_way", values=[["coach_hour", "coach_hour"], ["overhead", "activity"]]),
        at("economics", "beyond", values=[given(years=30) | {"effect": "none", "costs": "linear"}]),
    ],
}  # fmt: skip
AGES = [[18, 19], [65, 66, 110], [18, 30, 40, 50]]
MONITORING: dict[str, list[Change]] = {
    "reach": [
        at("observed_from", values=[date(2022, 2, 1), date(2000, 1, 1), date(2030, 1, 1)]),
        at("observed_until", values=[date(2023, 12, 31), date(2022, 4, 1), date(2030, 1, 1)]),
        at("age_groups", values=AGES), at("bands", values=[[18], [18, 64, 65], [65, 80]]),
        at("per", values=[1, 10**6]), at("intake_days", values=[1, 36_525]), at("steps_days", values=[1, 36_525]),
        at("funnel", values=[{"winsorise": w, "overdispersion": o} for w in (0, 0.49) for o in ("none", "additive")]),
        at("disclosure", values=[{"min_persons": 1, "min_df": 0}, {"min_persons": 10**9}, {"round_to": 10}]),
    ],
    "frequent_attenders": [
        at("first_year", values=[2015, 2021, 2022, 2050]), at("share", values=[1e-6, 0.01, 0.49]),
        at("age_groups", values=[[0, 1, 2], [18, 65, 66], [100, 101, 102]]), at("ties", values=["exclude"]),
        at("kinds", values=[["email"], ["no_such"]]), at("psychosocial", values=[["P"], ["X99"]]),
        at("costs", values=[{"payers": p, "price_year": y} for p in ([], ["own"], ["nobody"]) for y in (2023, 1950)]),
        at("folds", values=[2, 50]),
        at("disclosure", values=[{"min_persons": 1, "min_df": 0}, {"min_persons": 10**9}, {"round_to": 10}]),
    ],
}  # fmt: skip
PERSONS = {"matched_cohort": 1_000, "cost_effectiveness": 4_000, "reach": 1_000, "frequent_attenders": 1_000}
# Draws that run, rather than be refused at the door, and each go another way.
SEEDS = {"matched_cohort": [0], "cost_effectiveness": [3], "reach": [1, 2], "frequent_attenders": [0, 6]}


def drawn(kind: str, seed: int) -> dict[str, Any]:
    """The shipped plan of a kind with one to four changes."""
    rng = random.Random(f"{kind} {seed}")
    content = base(kind)
    for change in rng.sample((EFFECTS | MONITORING)[kind], rng.randint(1, 4)):
        change(content, rng)
    return content


def accepted(content: dict[str, Any]) -> StudyPlan | None:
    try:
        return study_plan(content)
    except StudyError as error:
        assert error.problems
        return None


def run(plan: StudyPlan, persons: int) -> Results | None:
    """Carry a plan out without a warning of arithmetic; a refusal says what is wrong and is one of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return run_study(data(persons), plan)
        except WorEvalError as error:
            assert len(error.message.split()) > 5, error
            return None


def check_numbers(table: pd.DataFrame, name: str) -> None:
    """No number without bounds (but of a balance, where a covariate does not vary), and limits on either side."""
    numbers = table.select_dtypes("number").drop(columns=["smd", "variance_ratio"], errors="ignore")
    if name != "gates":
        assert not np.isinf(numbers.to_numpy(float)).any(), name
    if {"estimate", "conf_low", "conf_high"} <= set(table):
        limits = table[["conf_low", "estimate", "conf_high"]].dropna().to_numpy(float)
        assert (np.diff(limits, axis=1) >= -1e-9 * (1 + np.abs(limits[:, 1:]))).all(), name


def check_headline(found: Results) -> None:
    """The headline stands in the table of effects; it is missing only where too few persons or events are behind it."""
    if not isinstance(found.plan, Study):
        return
    effects, fixed = found.tables["effects"], found.plan.headline
    rows = effects[
        (effects["outcome"] == fixed.outcomes[0])
        & (effects["contrast"] == fixed.contrast)
        & (effects["age_band"] == "all")
    ]
    assert len(rows)
    few = (rows["n_referred"] < 2) | (rows["n_comparison"] < 2) | (rows["n_sets"] < 2)
    ratio_of_nothing = (rows["scale"] == "ratio") & (rows["n_referred"] < 100)
    assert (rows["estimate"].notna() | few | ratio_of_nothing).all()


def check_folder(found: Results, folder: Path) -> None:
    """Every table is there, read by another program as its descriptor says, and nothing else."""
    frictionless = pytest.importorskip(
        "frictionless", reason="the dev dependency frictionless is not installed"
    )
    place = save_results(found, folder)
    assert {path.name for path in place.iterdir()} == {
        "manifest.json",
        *(f"{name}.csv" for name in found.tables),
    }
    for name in found.tables:
        told = yaml.safe_load(asset("data_dictionary", "results", f"{name}.yaml").read_text(encoding="utf-8"))
        schema = frictionless.Schema.from_descriptor(told)
        report = frictionless.Resource(path=f"{name}.csv", basepath=str(place), schema=schema).validate()
        assert report.valid, (name, report.flatten(["fieldName", "message"])[:3])
    for lang in ("nl", "en"):
        assert load_results(found.plan.name, folder=folder, lang=lang).tables


CASES = [(kind, seed) for kind, seeds in SEEDS.items() for seed in (range(DRAWS) if DRAWS else seeds)]


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_a_drawn_plan_gives_whole_results_or_says_why_not(kind: str, seed: int) -> None:
    plan = accepted(drawn(kind, seed))
    found = None if plan is None else run(plan, PERSONS[kind])
    if found is None:
        assert DRAWS, "a draw of the suite runs to its end: choose another"
        return
    for name, table in found.tables.items():
        check_numbers(table, name)
    check_headline(found)
    with tempfile.TemporaryDirectory() as folder:
        check_folder(found, Path(folder))


@pytest.mark.parametrize("kind", [*EFFECTS, *MONITORING])
def test_many_drawn_plans_are_accepted_or_refused_with_the_place(kind: str) -> None:
    kept = [accepted(drawn(kind, seed)) for seed in range(150)]
    assert sum(plan is not None for plan in kept) > 30
