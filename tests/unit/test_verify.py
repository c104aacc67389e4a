"""Saved results are checked against their own digests, and every kind of change is named."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.raw_study import small_frames, write_csv
from tests.unit.test_results import results
from wor_eval.data.read import data_digest, read_data
from wor_eval.errors import WorEvalError
from wor_eval.report.manifest import manifest_digest
from wor_eval.report.results import save_results
from wor_eval.report.verify import verify_results
from wor_eval.study import study_plan


@pytest.fixture
def place(tmp_path) -> Path:
    return save_results(results(), tmp_path / "results")


def differs(place: Path, **given) -> dict[str, str]:
    return {check.part: "; ".join(check.differs) for check in verify_results(place, **given) if check.differs}


def change_manifest(place: Path, *, sign: bool = False, **values) -> None:
    """Write other values into the manifest; with ``sign`` also the digest that belongs to them."""
    content = json.loads((place / "manifest.json").read_text("utf-8")) | values
    if sign:
        content["digest"] = manifest_digest(content)
    (place / "manifest.json").write_text(json.dumps(content), encoding="utf-8")


def test_what_was_saved_is_as_it_was(place):
    assert differs(place) == {}
    assert [check.part for check in verify_results(place)] == ["files", "manifest", "plan", "seed", "version"]


def test_the_layout_of_a_manifest_is_not_a_difference(place):
    change_manifest(place)
    assert differs(place) == {}


def test_files_changed_lost_or_added(place):
    rates = place / "rates.csv"
    rates.write_text(rates.read_text("utf-8").replace("75", "76"), encoding="utf-8")
    (place / "persons.csv").write_text("x", encoding="utf-8")
    assert differs(place) == {"files": "rates.csv: changed by hand; persons.csv: not written by the run"}
    rates.unlink()
    assert differs(place)["files"].startswith("rates.csv: missing")


def test_a_manifest_changed_by_hand(place):
    change_manifest(place, rows_suppressed={"rates": 0})
    assert "changed by hand" in differs(place)["manifest"]
    change_manifest(place, sign=True, rows_suppressed={"rates": 0})
    assert differs(place) == {}, "whoever signs anew is found by the digest in the report"


def test_another_plan_and_another_seed(place):
    plan = json.loads((place / "manifest.json").read_text("utf-8"))["plan"]
    assert differs(place, plan=study_plan(plan)) == {}
    other = study_plan({**plan, "seed": 8, "replicates": 500})
    found = differs(place, plan=other)
    assert found["plan"] == "the results come from another plan: replicates, seed differ"
    assert found["seed"] == "7 was used, the plan given says 8"
    change_manifest(place, sign=True, plan={**plan, "seed": 9})
    assert set(differs(place)) == {"plan", "seed"}


def test_outcomes_left_out_for_want_of_data_do_not_make_another_plan(place):
    plan = json.loads((place / "manifest.json").read_text("utf-8"))["plan"]
    fuller = study_plan({**plan, "outcomes": [*plan["outcomes"], {**plan["outcomes"][0], "name": "other"}]})
    assert "plan" in differs(place, plan=fuller)
    change_manifest(place, sign=True, plan_as_given=fuller.digest)
    assert differs(place, plan=fuller) == {}


def test_other_versions(place):
    versions = json.loads((place / "manifest.json").read_text("utf-8"))["versions"]
    change_manifest(place, sign=True, versions={**versions, "pandas": "0.1"})
    assert differs(place) == {"version": f"pandas: 0.1 then, {pd.__version__} now"}


def test_other_data(tmp_path):
    folder = write_csv(tmp_path / "data", small_frames())
    digest = data_digest(folder)
    assert digest == read_data(folder).digest
    place = save_results(results(data=digest), tmp_path / "results")
    assert differs(place, data=folder) == {}
    (folder / "notes.txt").write_text("no table", encoding="utf-8")
    assert differs(place, data=folder) == {}, "a file that is not a table is no data"
    persons = folder / "persons.csv"
    persons.write_text(persons.read_text("utf-8") + "\n", encoding="utf-8")
    assert set(differs(place, data=folder)) == {"data"}
    with pytest.raises(WorEvalError, match="there is no folder"):
        verify_results(place, data=tmp_path / "nowhere")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": {}}', "\x00"])
def test_what_is_no_manifest_is_refused(place, content):
    (place / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(WorEvalError, match=r"run the study again|is not a manifest"):
        verify_results(place)
    shutil.rmtree(place)
    with pytest.raises(WorEvalError, match="holds no results"):
        verify_results(place)
