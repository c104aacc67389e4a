"""How far a result can be believed: which study the index sends its reader to, and what stands beside costs."""

from __future__ import annotations

import pandas as pd
import pytest

from wor_eval.assets import asset
from wor_eval.report import believed_words, words
from wor_eval.report.results import Results
from wor_eval.study import Study, read_study


def shipped(name: str) -> Study:
    plan = read_study(asset("analyses", f"{name}.toml"))
    assert isinstance(plan, Study)
    return plan


def of(tables: dict[str, pd.DataFrame], plan: Study, *, notes: list[str] | None = None, lang="en") -> Results:
    return Results(plan=plan, tables=tables, manifest={"notes": notes or []}, lang=lang)


def contrasts(**found: tuple[float, float, float]) -> pd.DataFrame:
    rows = [
        {"contrast": name, "estimate": value, "conf_low": low, "conf_high": high}
        for name, (value, low, high) in found.items()
    ]
    named = {"outcome": "care_costs", "age_band": "all", "scale": "difference", "suppressed": False}
    return pd.DataFrame(rows).assign(**named)


@pytest.mark.parametrize("lang", ["nl", "en"])
def test_the_index_sends_its_reader_to_the_comparison_with_others(lang):
    alone, matched = shipped("before_after"), shipped("matched_cohort")
    both = believed_words.which_study([alone, matched], lang)
    assert both.index(matched.title.in_(lang)) < both.index(alone.title.in_(lang))
    assert matched.title.in_(lang) not in believed_words.which_study([alone], lang)
    assert believed_words.which_study([alone], lang)
    assert believed_words.which_study([matched, shipped("cost_effectiveness")], lang) == ""


def test_simulated_persons_are_announced_and_no_others():
    plan = shipped("before_after")
    assert (
        "not about real persons" in believed_words.simulated(of({}, plan, notes=["not read: truth.csv"])).text
    )
    assert believed_words.simulated(of({}, plan, notes=["persons.csv: CSV"])).text == ""


def test_costs_stand_beside_what_other_contrasts_give_and_say_where_they_disagree():
    plan = shipped("matched_cohort")
    chosen, others = (16.0, -1473.0, 1704.0), {"after_only": (-745.0, -2231.0, 740.0)}
    calm = contrasts(against_earlier_year=chosen, **others, placebo=(10.0, -5.0, 25.0))
    said = believed_words.believed(of({"effects": calm}, plan), "care_costs").text
    assert "−745 euros (−2,231 to 740)" in said
    assert "16" not in said, "its own estimate stands above it"
    assert "do not point the same way" not in said
    torn = contrasts(against_earlier_year=chosen, difference_in_differences=(-1761.0, -3467.0, -54.0))
    assert (
        "do not point the same way" in believed_words.believed(of({"effects": torn}, plan), "care_costs").text
    )
    assert believed_words.believed(of({"effects": torn}, plan), "gp_contacts").text == ""


@pytest.mark.parametrize(("limits", "fits"), [((-5.0, 25.0), True), ((5.0, 25.0), False)])
def test_a_placebo_contrast_of_costs_that_is_off_is_said(limits, fits):
    frame = contrasts(against_earlier_year=(1.0, -1.0, 3.0), placebo=(10.0, *limits))
    said = believed_words.why_contrast(
        of({"effects": frame}, shipped("matched_cohort")), outcome="care_costs"
    )
    assert ("that fits no difference" in said.text) is fits
    assert ("ran apart in costs already" in said.text) is not fits


def test_what_was_made_alike_follows_the_plan():
    plan = shipped("matched_cohort")
    assert plan.design is not None
    other = plan.design.model_copy(update={"exact": ("practice_id",), "method": "entropy", "history": "none"})
    said = believed_words.made_alike(of({}, plan.model_copy(update={"design": other}))).text
    assert "the same practice" in said
    assert "weights" in said
    assert "quarter" not in said
    assert "as many contacts in the last quarter" in believed_words.made_alike(of({}, plan)).text


def test_the_summary_counts_the_ways_to_foretell_that_say_otherwise():
    rows = [
        ("same_course", -5.1, -2.9, -0.5),
        ("own_earlier_year", -7.6, -0.2, 1.8),
        ("barnett", -3.0, -4.8, -2.8),
    ]
    frame = pd.DataFrame(rows, columns=["method", "expected", "conf_low", "conf_high"])
    frame = frame.assign(age_band="all", observed=-6.8, suppressed=False)
    results = of({"regression_to_mean": frame}, shipped("before_after"))
    assert words.verdict(results) == "beyond"
    assert "by 1 of the 2 others" in words.other_methods(results).text
    alike = of({"regression_to_mean": frame[frame["method"] != "own_earlier_year"]}, shipped("before_after"))
    assert "say the same" in words.other_methods(alike).text
