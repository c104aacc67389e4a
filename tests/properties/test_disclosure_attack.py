"""The attacker: from all published tables together, with totals and differences, no small count is bounded closely.

The tables are counted from simulated persons. The attacker knows what each number counts, so that equal counts and
sums across tables are known by their meaning, sees what is published, and solves the whole as a linear system.
"""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from tests.saved_study import small_run
from wor_eval.report.counts import count_persons
from wor_eval.report.disclosure import DisclosureRule, suppress
from wor_eval.report.linked import protect_tables
from wor_eval.report.results import describe_table, load_results, save_results
from wor_eval.study import Disclosure

LIMITS = Disclosure()
BANDS, SEXES, WAYS, TYPES = ("18-64", "65+"), ("F", "M"), ("fell", "stayed", "rose"), ("a", "b", "c")
RULES = {
    "effects": DisclosureRule(
        persons=("n_referred", "n_comparison"),
        hides=("estimate",),
        group=("outcome",),
        adds_up=("age_band",),
        parameters=2,
    ),
    "change": DisclosureRule(
        persons=("n_persons",), hides=("share",), group=("outcome",), adds_up=("direction", "age_band")
    ),
    "characteristics": DisclosureRule(
        persons=("n_persons",), hides=("share",), group=("variable",), adds_up=("level", "age_band")
    ),
    "cost_parts": DisclosureRule(
        persons=("n_persons", "n_users"),
        hides=("mean",),
        group=("arm", "category"),
        adds_up=("age_band",),
        within={"n_users": "n_persons"},
        by=("category",),
        dominance="largest_share",
    ),
    "subgroups": DisclosureRule(
        persons=("n_referred", "n_comparison"), hides=(), group=("modifier",), adds_up=("level",)
    ),
}
Meaning = frozenset[str]


def simulated(seed: int, n: int) -> pd.DataFrame:
    """Persons with uneven attributes, so that small cells come in every pattern."""
    rng = np.random.default_rng(seed)

    def drawn(levels):
        return rng.choice(levels, n, p=rng.dirichlet(np.full(len(levels), 0.6)))

    arm = rng.choice(["referred", "comparison"], n)
    parts = {"age_band": drawn(BANDS), "sex": drawn(SEXES), "way": drawn(WAYS), "arm": arm}
    return pd.DataFrame({**parts, **{f"uses_{t}": rng.random(n) < rng.random() for t in TYPES}})


def tables_of(persons: pd.DataFrame) -> tuple[dict[str, pd.DataFrame], dict[str, list[list[Meaning]]]]:
    """Count tables as a study publishes them, and say of each count what it means."""
    rows: dict[str, list[dict]] = {name: [] for name in RULES}
    means: dict[str, list[list[Meaning]]] = {name: [] for name in RULES}

    def counted(*conditions: str) -> tuple[int, Meaning]:
        kept = frozenset(c for c in conditions if not c.endswith("=all"))
        inside = np.ones(len(persons), bool)
        for condition in kept:
            column, value = condition.split("=")
            inside &= persons[column].astype(str).to_numpy() == value
        return int(inside.sum()), kept

    def put(name: str, keys: dict, columns: dict[str, tuple[int, Meaning]]) -> None:
        rows[name].append({**keys, **{column: count for column, (count, _) in columns.items()}})
        means[name].append([meaning for _, meaning in columns.values()])

    for band in (*BANDS, "all"):
        arms = {f"n_{a}": counted(f"arm={a}", f"age_band={band}") for a in ("referred", "comparison")}
        for outcome in ("contacts", "costs"):
            put("effects", {"outcome": outcome, "age_band": band}, arms)
        for way in WAYS:
            found = counted("arm=referred", f"age_band={band}", f"way={way}")
            put("change", {"outcome": "contacts", "direction": way, "age_band": band}, {"n_persons": found})
        for sex in SEXES:
            found = counted("arm=referred", f"age_band={band}", f"sex={sex}")
            put("characteristics", {"variable": "sex", "level": sex, "age_band": band}, {"n_persons": found})
        for arm, kind in itertools.product(("referred", "comparison"), TYPES):
            whole = counted(f"arm={arm}", f"age_band={band}")
            part = counted(f"arm={arm}", f"age_band={band}", f"uses_{kind}=True")
            keys = {"arm": arm, "category": kind, "age_band": band}
            put("cost_parts", keys, {"n_persons": whole, "n_users": part})
    for modifier, column, levels in (("age_band", "age_band", BANDS), ("sex", "sex", SEXES)):
        for level in levels:
            arms = {f"n_{a}": counted(f"arm={a}", f"{column}={level}") for a in ("referred", "comparison")}
            put("subgroups", {"modifier": modifier, "level": level}, arms)
    frames = {name: pd.DataFrame(found) for name, found in rows.items()}
    rng = np.random.default_rng(len(persons))
    frames["effects"]["estimate"] = rng.normal(size=len(frames["effects"]))
    for name in ("change", "characteristics"):
        frames[name]["share"] = frames[name]["n_persons"] / max(len(persons), 1)
    frames["cost_parts"]["mean"] = 1.0
    frames["cost_parts"]["largest_share"] = rng.choice([0.1, 0.6], len(frames["cost_parts"]), p=[0.9, 0.1])
    return frames, means


def sums(meanings: set[Meaning]) -> list[tuple[Meaning, list[Meaning]]]:
    """Every sum that follows from what the counts mean: a group is its parts by age, sex or way; users and others."""
    splits = {"age_band": BANDS, "sex": SEXES, "way": WAYS, **{f"uses_{t}": ("True", "False") for t in TYPES}}
    found = []
    for whole in meanings:
        for column, levels in splits.items():
            if any(condition.startswith(f"{column}=") for condition in whole):
                continue
            found.append((whole, [whole | {f"{column}={level}"} for level in levels]))
    return found


def attack(
    known: dict[Meaning, int], small: set[Meaning], whole: set[Meaning]
) -> dict[Meaning, tuple[float, float]]:
    """Bound the small counts by every sum that is known, none of them negative."""
    told = [
        (total, parts) for total, parts in sums(whole) if sum(p in whole for p in parts) >= len(parts) - 1
    ]
    places = sorted({m for total, parts in told for m in (total, *parts)} | whole, key=sorted)
    column = {meaning: j for j, meaning in enumerate(places)}
    matrix = np.zeros((len(told), len(places)))
    for i, (total, parts) in enumerate(told):
        matrix[i, column[total]] -= 1
        for part in parts:
            matrix[i, column[part]] += 1
    limits = [(known[m], known[m]) if m in known else (0, None) for m in places]
    found = {}
    for meaning in small:
        ends = []
        for sign in (1.0, -1.0):
            cost = np.zeros(len(places))
            cost[column[meaning]] = sign
            solved = linprog(cost, A_eq=matrix, b_eq=np.zeros(len(told)), bounds=limits, method="highs")
            ends.append(np.inf if solved.status == 3 else sign * solved.fun)
        found[meaning] = (ends[0], ends[1])
    return found


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), n=st.integers(12, 400))
def test_no_small_count_follows_from_all_tables_together(seed, n):
    frames, means = tables_of(simulated(seed, n))
    protection = protect_tables(frames, RULES, LIMITS)
    known: dict[Meaning, int] = {}
    everything: dict[Meaning, int] = {}
    for name, frame in frames.items():
        published = suppress(frame, RULES[name], LIMITS, hidden=protection[name].hidden)
        for i, meanings in enumerate(means[name]):
            for column, meaning in zip(RULES[name].persons, meanings, strict=True):
                everything[meaning] = int(frame[column].iloc[i])
                if not published["suppressed"].iloc[i]:
                    known[meaning] = int(published[column].iloc[i])
    small = {m for m, count in everything.items() if 0 < count < LIMITS.min_persons}
    assert not small & set(known), "a small count is shown in some table"
    for meaning, (low, high) in attack(known, small, set(everything)).items():
        assert low <= 1 + 1e-6, f"{sorted(meaning)}: at least {low}"
        assert high >= LIMITS.min_persons - 1e-6, f"{sorted(meaning)}: at most {high}"


@settings(max_examples=12, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), n=st.integers(12, 400))
def test_no_value_follows_by_subtraction(seed, n):
    """Means and totals add up like counts: no line within a table has exactly one row hidden."""
    frames, _ = tables_of(simulated(seed, n))
    for name, found in protect_tables(frames, RULES, LIMITS).items():
        rule = RULES[name]
        for column in rule.adds_up:
            fixed = [*rule.group, *(other for other in rule.adds_up if other != column)]
            hidden = (
                pd.Series(found.hidden).groupby([frames[name][key] for key in fixed]).agg(["sum", "size"])
            )
            assert ((hidden["sum"] != 1) | (hidden["size"] == 1)).all(), name


def test_a_count_hidden_in_one_table_is_hidden_in_the_others():
    """Five young persons of 65: whoever knows the 60 older and the total knows them."""
    persons = pd.DataFrame(
        {
            "age_band": ["18-64"] * 5 + ["65+"] * 60,
            "sex": ["F", "M"] * 32 + ["F"],
            "way": ["fell"] * 65,
            "arm": "referred",
            **{f"uses_{t}": True for t in TYPES},
        }
    )
    frames, _ = tables_of(persons)
    alone = frames["subgroups"]
    assert not suppress(alone[alone["modifier"] == "age_band"].iloc[1:], RULES["subgroups"], LIMITS)[
        "suppressed"
    ].any()
    protection = protect_tables(frames, RULES, LIMITS)
    bands = frames["subgroups"]["level"].isin(BANDS).to_numpy()
    assert protection["subgroups"].hidden[bands].all()
    assert set(protection["effects"].reason) <= {"persons", "df", "linked", "subtraction", ""}
    shown = frames["effects"][~protection["effects"].hidden]
    assert set(shown["age_band"]) <= {"all"}


def test_nothing_is_hidden_where_nothing_is_small():
    persons = pd.DataFrame(
        list(itertools.product(BANDS, SEXES, WAYS, ("referred", "comparison"), range(20))),
        columns=["age_band", "sex", "way", "arm", "copy"],
    )
    half = persons["copy"] % 2 == 0
    frames, _ = tables_of(persons.assign(**{f"uses_{t}": half for t in TYPES}))
    frames["cost_parts"]["largest_share"] = 0.1
    assert not any(found.hidden.any() for found in protect_tables(frames, RULES, LIMITS).values())


@pytest.mark.parametrize("least", [10, 25, 60])
def test_no_small_count_of_a_real_study_follows_from_its_published_files(tmp_path, least):
    """The whole folder of results of a small study, as the attacker finds it, at three limits."""
    run = small_run()
    limits = Disclosure(min_persons=least)
    plan = run.plan.model_copy(update={"disclosure": limits})
    save_results(type(run)(plan=plan, tables=run.tables, manifest=run.manifest), tmp_path)
    published = load_results(plan.name, folder=tmp_path).tables
    rules = {name: describe_table(name).rule for name in run.tables}
    counts, where = count_persons(run.tables, rules, smallest=least)
    shown = {
        int(variable)
        for name, table in published.items()
        for variable in where[name][~table["suppressed"].to_numpy()].ravel()
    }
    small = [v for v, value in enumerate(counts.value) if 0 < value < least and counts.rows[v]]
    assert small, "there is something to attack"
    assert not shown & set(small)
    unknown = sorted(set(range(len(counts.value))) - shown)
    column = {variable: j for j, variable in enumerate(unknown)}
    told = counts.equations
    matrix, rest = np.zeros((len(told), len(unknown))), np.zeros(len(told))
    for i, equation in enumerate(told):
        for variable, sign in equation.terms:
            if variable in column:
                matrix[i, column[variable]] += sign
            else:
                rest[i] -= sign * counts.value[variable]
    used = np.abs(matrix).sum(axis=1) > 0
    for variable in small:
        for sign, limit in ((1.0, 1.0), (-1.0, -float(least))):
            cost = np.zeros(len(unknown))
            cost[column[variable]] = sign
            solved = linprog(cost, A_eq=matrix[used], b_eq=rest[used], bounds=(0, None), method="highs")
            assert solved.status == 3 or solved.fun <= limit + 1e-6, counts.keys[variable]


def test_points_that_count_new_events_over_other_spans_are_not_summed():
    """Of one band the last point shown is a quarter back, of all ages two: their new events do not add up."""
    curves = pd.DataFrame(
        {
            "event": "drop_out", "arm": "comparison", "method": "kaplan_meier",
            "age_band": ["18-64", "65+", "all"] * 3, "quarter": [1] * 3 + [2] * 3 + [3] * 3,
            "n_persons": [1007, 1052, 2059] * 3, "n_risk": 900, "estimate": 0.1, "std_error": 0.1,
            "conf_low": 0.1, "conf_high": 0.1,
            "n_event": [6, 7, 13, 10, 12, 22, 16, 19, 35], "n_new": [6, 7, 13, 10, 12, 9, 6, 7, 22],
        }
    )  # fmt: skip
    effects = pd.DataFrame({"age_band": ["18-64", "65+", "all"], "n_persons": [1007, 1052, 2059]})
    rules = {
        "event_curves": describe_table("event_curves").rule,
        "effects": DisclosureRule(persons=("n_persons",), hides=(), adds_up=("age_band",), arm="comparison"),
    }
    protection = protect_tables({"event_curves": curves, "effects": effects}, rules, LIMITS)
    assert protection["event_curves"].hidden.any()
    assert not protection["effects"].hidden.any()
