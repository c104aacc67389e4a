"""The shipped economic study on a small synthetic one, run and saved once; and its plan as nested mappings."""

from __future__ import annotations

import copy
import tempfile
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from wor_eval.assets import asset
from wor_eval.data.read import study_data
from wor_eval.data.simulate import simulate_panel, simulate_tables
from wor_eval.report.results import Results, load_results, save_results
from wor_eval.run import run_study
from wor_eval.study import Lang, study_plan

PERSONS = 7_000
_SCRATCH = tempfile.TemporaryDirectory(prefix="wor_eval-tests-")


def plan_content() -> dict[str, Any]:
    """The shipped plan, to change and read anew."""
    text = asset("analyses", "cost_effectiveness.toml").read_text(encoding="utf-8")
    return {"name": "cost_effectiveness", **copy.deepcopy(tomllib.loads(text))}


@cache
def economic_run() -> Results:
    """The shipped study with few draws and imputations, as the run gives it."""
    tables = simulate_tables(simulate_panel(persons=PERSONS, seed=3, scenario="effect"), seed=3)
    tables.pop("truth")
    content = plan_content()
    content["economics"] |= {"replicates": 1000, "imputations": 12}
    return run_study(study_data(tables), study_plan(content))


@cache
def economic_folder() -> Path:
    """The folder with the results of that run, saved."""
    folder = Path(_SCRATCH.name) / "results"
    save_results(economic_run(), folder)
    return folder


def economic_saved(lang: Lang = "en") -> Results:
    """That run, saved and read back."""
    return load_results("cost_effectiveness", lang=lang, folder=economic_folder())
