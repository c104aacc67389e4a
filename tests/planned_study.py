"""The shipped plan of a matched cohort as a small planned study: simulated and saved once."""

from __future__ import annotations

import copy
import tempfile
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from wor_eval.assets import asset
from wor_eval.report.results import Results, load_results, save_results
from wor_eval.run import run_study
from wor_eval.study import Lang, Study, power_study, study_plan

_SCRATCH = tempfile.TemporaryDirectory(prefix="wor_eval-tests-")


def planned_content() -> dict[str, Any]:
    """The shipped plan with few practices, referrals and simulated studies, to change and read anew."""
    text = asset("analyses", "matched_cohort.toml").read_text(encoding="utf-8")
    content = {"name": "small", **copy.deepcopy(tomllib.loads(text))}
    content["power"] |= {"simulations": 40, "sizes": [12, 16], "ratios": [0.7, 0.4]}
    content["power"]["practices"]["value"] = 5
    content["power"]["referrals_per_year"]["value"] = 16
    content["power"]["candidates"]["value"] = 20
    content["design"]["exact"] = ["age_band"]
    return content


def planned(content: dict[str, Any] | None = None) -> Study:
    """The plan as checked."""
    plan = study_plan(content or planned_content())
    assert isinstance(plan, Study)
    return plan


@cache
def planned_run() -> Results:
    """The small planned study as the run gives it."""
    return run_study(None, power_study(planned()))


@cache
def planned_folder() -> Path:
    """The folder with its results, saved."""
    folder = Path(_SCRATCH.name) / "results"
    save_results(planned_run(), folder)
    return folder


def planned_saved(lang: Lang = "en") -> Results:
    """That run, saved and read back."""
    return load_results("small_power", lang=lang, folder=planned_folder())
