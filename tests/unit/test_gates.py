"""Gates: judged by age band as counted by hand, and what fails is struck with its reason in both languages."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from tests.saved_study import saved
from tests.small_cohort import OUTCOME, small_cohort, small_plan
from wor_eval.assets import asset
from wor_eval.design.covariates import Covariates
from wor_eval.design.matched import MatchedCohort
from wor_eval.effects.gates import Placebo, before_after_gates, judge, matched_gates
from wor_eval.errors import StudyError
from wor_eval.report import brief_words, gate_words, tables, words
from wor_eval.study import Design, Study, read_study

GATES = {"balance": 0.25, "placebo": 1.0, "overlap": 0.8, "sets": 3, "follow_up": 0.8}
N = 12


def matched_plan(contrast: str = "difference_in_differences") -> Study:
    return small_plan(
        placebo=True,
        windows={"placebo": [-730, -366], "before": [-365, -1], "after": [0, 364], "quarters": 4},
        cohort={"bands": [18, 65], "entries": 1},
        design={"history": "none", "covariates": ["age"]},
        effects=[{"contrast": contrast, "outcomes": [OUTCOME], "headline": True}],
        gates=GATES,
    )


@pytest.fixture
def matched() -> MatchedCohort:
    """Six referred, of whom five have a comparison (sets 0-4); two of the sets are of age 65 and over."""
    referred = np.arange(N) < 6
    ages = np.tile([30, 35, 40, 70, 75, 80], 2)
    days = np.where(np.arange(N) == 6, 0.0, 365.0)  # the first comparison person is not seen afterwards
    cohort = small_cohort(
        {"placebo": np.full(N, 4), "before": np.where(referred, 8, 4), "after": np.full(N, 4)},
        days={"after": days},
        age=ages,
        arm=np.where(referred, "referred", "comparison"),
    )
    pairs = [(i, i, 1.0) for i in range(5)] + [(i + 6, i, 1.0) for i in range(5)]
    return MatchedCohort(
        cohort=cohort,
        design=Design(history="none"),
        estimand="att",
        sets=pd.DataFrame(pairs, columns=["unit", "set_id", "weight"]),
        covariates=Covariates(
            names=("age",), matrix=ages[:, None].astype(float), n_imputed=0, reliability=None
        ),
        score=np.full(N, np.nan),
        dropped={"no_comparison": 1},
    )


def balance(**smd: float) -> pd.DataFrame:
    """The largest difference stands beside one that is no covariate of the design and one from before."""
    rows = [("all", "age", "after", -0.3), ("18-64", "age", "after", 0.1), ("65+", "age", "after", 0.25)]
    rows += [("all", f"{OUTCOME}:quarter-1", "after", 9.0), ("all", "age", "before", 8.0)]
    return pd.DataFrame(rows, columns=["age_band", "covariate", "sample", "smd"])


def test_gates_of_a_matched_cohort_as_counted_by_hand(matched):
    found = matched_gates(matched, matched_plan(), history=OUTCOME, balance=balance())
    table = found.set_index(["gate", "age_band"])
    value, verdict = table["value"], table["verdict"]
    assert value["balance"].to_dict() == {"18-64": 0.1, "65+": 0.25, "all": 0.3}
    assert verdict["balance"].to_dict() == {"18-64": "passed", "65+": "passed", "all": "failed"}
    assert value["overlap"].to_dict() == pytest.approx({"18-64": 1.0, "65+": 2 / 3, "all": 5 / 6})
    assert verdict["overlap"].to_dict() == {"18-64": "passed", "65+": "failed", "all": "passed"}
    assert value["sets"].to_dict() == {"18-64": 3, "65+": 2, "all": 5}
    assert verdict["sets"].to_dict() == {"18-64": "passed", "65+": "failed", "all": "passed"}
    # One of three comparison persons under 65 is not seen: two thirds, and four fifths of all.
    assert value["follow_up"].to_dict() == pytest.approx({"18-64": 2 / 3, "65+": 1.0, "all": 0.8})
    # The referred doubled from placebo to before and the others did not: nobody varies, so the interval is 2 to 2.
    assert value["placebo"].to_dict() == pytest.approx({"18-64": 2.0, "65+": 2.0, "all": 2.0})
    assert table.loc[("overlap", "65+"), ["n_referred", "n_comparison"]].tolist() == [3, 2]
    assert table.loc[("sets", "65+"), ["n_referred", "n_comparison"]].tolist() == [2, 2]


def test_the_change_against_the_earlier_year_is_judged_at_earlier_index_dates(matched):
    """Its own placebo contrast (before against placebo) is off by what it takes out: see docs/recovery.md."""
    study = matched_plan("against_earlier_year")
    row = {"check": "placebo_index_date", "estimate": 0.8, "conf_low": 0.7, "conf_high": 0.9}
    for robustness, expected in ((pd.DataFrame([row]), 1 / 0.9), (None, np.nan)):
        found = matched_gates(
            matched, study, history=OUTCOME, balance=balance(), robustness=robustness
        ).set_index(["gate", "age_band"])
        assert found.loc[("placebo", "all"), "value"] == pytest.approx(expected, nan_ok=True)
        assert found.loc[("placebo", "18-64"), "verdict"] == "unknown"


def test_gates_before_and_after():
    cohort = small_cohort(
        {"before": [1, 2, 3, 4], "after": [1, 2, 3, 4]},
        days={"after": [365.0, 365.0, 182.5, 0.0]},
        age=[30, 30, 70, 70],
        arm=["referred", "referred", "referred", "comparison"],
    )
    study = small_plan(gates={"sets": 2, "follow_up": 0.8})
    found = before_after_gates(cohort, study).set_index(["gate", "age_band"])
    assert found["value"]["sets"].to_dict() == {"18-64": 2, "65+": 1, "all": 3}
    assert found["value"]["follow_up"].to_dict() == pytest.approx({"18-64": 1.0, "65+": 0.5, "all": 2.5 / 3})
    assert found["verdict"]["follow_up"].to_dict() == {"18-64": "passed", "65+": "failed", "all": "passed"}


@pytest.mark.parametrize(
    ("low", "high", "off"), [(0.9, 1.1, 1.0), (1.2, 1.5, 1.2), (0.5, 0.8, 1.25), (np.nan, 1, np.nan)]
)
def test_how_far_a_placebo_is_off(low, high, off):
    assert Placebo(low=low, high=high).off == pytest.approx(off, nan_ok=True)


def test_a_limit_itself_is_passed():
    assert {judge("balance", 0.25, 0.25), judge("overlap", 0.8, 0.8)} == {"passed"}
    assert {judge("balance", 0.26, 0.25), judge("overlap", 0.79, 0.8)} == {"failed"}


def test_gates_that_need_a_design_are_refused_without_one():
    with pytest.raises(StudyError, match=r"gate balance needs a \[design\]; gate overlap needs"):
        small_plan(gates={"balance": 0.1, "overlap": 0.8})
    with pytest.raises(StudyError, match=r"gates\.colour"):
        small_plan(gates={"colour": 1})


@pytest.mark.parametrize("name", ["before_after", "matched_cohort", "cost_effectiveness"])
def test_every_shipped_plan_declares_gates(name):
    assert read_study(asset("analyses", f"{name}.toml")).gates.declared


# What a reader sees


def judged(lang: str, **verdicts: str):
    """The saved study with gate follow_up judged by hand in each band."""
    results = saved(lang)
    bands = ("18-64", "65+", "all")
    gates = pd.DataFrame(
        {
            "gate": "follow_up",
            "age_band": bands,
            "value": 0.654,
            "limit": 0.8,
            "verdict": [verdicts.get(band.replace("-", "_").replace("+", ""), "passed") for band in bands],
            "n_referred": 100,
            "n_comparison": 0,
            "suppressed": False,
        }
    )
    return dataclasses.replace(results, tables={**results.tables, "gates": gates})


@pytest.mark.parametrize(
    ("lang", "reason"),
    [
        ("nl", "een poort van het onderzoeksplan is niet gehaald: gevolgd: waargenomen deel van het venster erna "
               "(65%; ten minste 80%)"),
        ("en", "a gate of the study plan failed: follow-up: share of window after observed (65%; at least 80%)"),
    ],
)  # fmt: skip
def test_a_failed_gate_strikes_the_headline_and_says_why(lang, reason):
    passed, failed = words.headline(judged(lang)).text, words.headline(judged(lang, all="failed")).text
    assert "~~" not in passed
    assert passed == words.headline(saved(lang)).text
    overall = passed.split(". ")[0]
    assert failed.startswith("**Doorgestreept" if lang == "nl" else "**Struck")
    assert reason in failed
    assert f"~~{overall}" in failed
    assert failed.count("~~") == 2, "the bands stand"
    assert reason.split(": ", 1)[1] in gate_words.verdict(judged(lang, all="failed")).text


def test_a_band_is_struck_alone():
    text = words.headline(judged("en", **{"65": "failed"})).text
    assert text.count("~~") == 2
    assert text.index("At age 18-64") < text.index("~~At 65 and over")
    assert gate_words.failed(judged("en", **{"65": "failed"}), "65+") == ("follow_up",)
    assert gate_words.failed(judged("en", **{"65": "failed"})) == ()


def test_what_cannot_be_judged_is_said_and_strikes_nothing():
    results = judged("en", all="unknown")
    assert "Not to be judged with these data: follow-up" in gate_words.verdict(results).text
    assert "~~" not in words.headline(results).text


@pytest.mark.parametrize("lang", ["nl", "en"])
def test_a_study_without_gates_says_so(lang):
    results = dataclasses.replace(
        saved(lang), tables={k: v for k, v in saved().tables.items() if k != "gates"}
    )
    says = gate_words.verdict(results).text
    assert ("stelt geen poorten" if lang == "nl" else "declares no gates") in says
    assert says in tables.gates(results)._repr_markdown_()
    assert "~~" not in words.headline(results).text


def test_the_brief_does_not_quote_what_is_struck():
    """Every sentence with a number of the evaluation is kept back, without reading the tables it would quote."""
    results = judged("en", all="failed")
    quoting = ("gain", "payers", "attention", "ages", "highest_price", "more_research")
    for name in quoting:
        assert getattr(brief_words, name)(results).text.startswith("Not given: a gate")
