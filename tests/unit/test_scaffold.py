"""A new study runs as it is written, from plan to report, and its plan says what each part is for."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.saved_study import small_data
from wor_eval import cli
from wor_eval.assets import asset
from wor_eval.errors import StudyError, WorEvalError
from wor_eval.report.results import save_results
from wor_eval.report.scaffold import commented, new_study, plans
from wor_eval.run import run_study
from wor_eval.study import read_study


@pytest.mark.parametrize("like", plans())
def test_a_new_plan_is_the_shipped_one_with_comments(tmp_path: Path, like: str) -> None:
    made = new_study("my_study", tmp_path, like=like)
    text = (made / "my_study.toml").read_text(encoding="utf-8")
    shipped = asset("analyses", f"{like}.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text) == tomllib.loads(shipped)
    assert len([line for line in text.splitlines() if line.startswith("# ")]) >= 7, (
        "the opening and two parts"
    )
    assert read_study(made / "my_study.toml").name == "my_study"
    for lang in ("nl", "en"):
        assert 'load_results("my_study"' in (made / "reports" / f"my_study.{lang}.qmd").read_text(
            encoding="utf-8"
        )


def test_a_new_study_runs_and_reports_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["new", "my_study", "--folder", str(tmp_path)]) == 0
    assert "wor-eval run" in capsys.readouterr().out
    plan = read_study(tmp_path / "my_study" / "my_study.toml")
    few = plan.model_copy(update={"outcomes": plan.outcomes[:1], "effects": plan.effects[:1]})
    save_results(run_study(small_data(), few), tmp_path / "results")
    own = tmp_path / "my_study" / "reports" / "my_study.nl.qmd"
    own.write_text(
        own.read_text(encoding="utf-8").replace("subtitle:", "subtitle: Van mij #"), encoding="utf-8"
    )
    places = (
        "--results",
        tmp_path / "results",
        "--out",
        tmp_path / "site",
        "--reports",
        tmp_path / "my_study" / "reports",
    )
    assert cli.main(["report", "my_study", "--lang", "nl", "--to", "html,docx", *map(str, places)]) == 0
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == [
        "my_study.nl.docx",
        "my_study.nl.html",
    ]
    assert "Van mij" in (tmp_path / "site" / "my_study.nl.html").read_text(encoding="utf-8")


def test_what_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no name of a study"):
        new_study("My study", tmp_path)
    with pytest.raises(StudyError, match=r"there are .*before_after"):
        new_study("mine", tmp_path, like="nothing")
    (tmp_path / "mine").mkdir()
    with pytest.raises(WorEvalError, match="not overwritten"):
        new_study("mine", tmp_path)


def test_a_comment_stands_once_before_the_first_part_of_its_kind() -> None:
    text = commented("[[outcomes]]\na = 1\n[[outcomes]]\na = 2\n", "x")
    assert text.count("# An outcome") == 1
    assert text.index("# An outcome") < text.index("[[outcomes]]")
