"""Kinds of study: each has a plan, a way to carry it out and a report; a kind that needs data says so."""

from __future__ import annotations

import pytest

from wor_eval import cli, run
from wor_eval.assets import asset
from wor_eval.errors import StudyError, WorEvalError
from wor_eval.plan_parts import StudyPlan
from wor_eval.report import kinds
from wor_eval.report.results import Results
from wor_eval.study import PLANS, Study, read_study, study_plan

TEXT = {"nl": "Titel", "en": "Title"}


def test_every_kind_of_plan_is_carried_out_and_shown():
    assert set(run.KINDS) == set(PLANS)
    assert set(kinds.KINDS) == set(PLANS) - {"effects"}


def test_every_shipped_plan_is_read_and_has_its_report():
    for path in asset("analyses").glob("*.toml"):
        plan = read_study(path)
        assert type(plan) is PLANS[plan.kind]
        for lang in ("nl", "en"):
            assert asset("reports", f"{kinds.shown(plan).report}.{lang}.qmd").is_file()


def test_a_plan_that_names_no_kind_is_of_effects():
    assert isinstance(read_study(asset("analyses", "before_after.toml")), Study)


@pytest.mark.parametrize("kind", ["effect", "", 3, None, []])
def test_an_unknown_kind_is_refused_with_those_there_are(kind):
    with pytest.raises(StudyError, match="kind is one of effects"):
        study_plan({"name": "x", "kind": kind, "title": TEXT, "question": TEXT, "seed": 1})


def test_the_plan_of_another_kind_is_never_read_as_one_of_effects():
    plan = StudyPlan.model_validate({"name": "x", "kind": "x", "title": TEXT, "question": TEXT, "seed": 1})
    results = Results(plan=plan, tables={}, manifest={})
    with pytest.raises(WorEvalError, match="of kind x, not of effects"):
        _ = results.study


def test_a_study_that_needs_data_says_so_without(capsys):
    assert cli.main(["run", "before_after"]) == 1
    assert "--data" in capsys.readouterr().err
