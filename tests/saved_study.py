"""A small synthetic study, run and saved once for all tests that look at results."""

from __future__ import annotations

import dataclasses
import tempfile
from functools import cache
from pathlib import Path

import pandas as pd

from wor_eval.assets import asset
from wor_eval.data.panel import Scenario, simulate_panel
from wor_eval.data.read import StudyData, study_data
from wor_eval.data.simulate import simulate_tables
from wor_eval.report.results import Results, load_results, save_results
from wor_eval.run import run_study
from wor_eval.study import Lang, read_study

PERSONS = 3_000
NEEDED = ("persons", "registrations", "referrals", "contacts", "costs", "questionnaires", "municipalities")
_SCRATCH = tempfile.TemporaryDirectory(prefix="wor_eval-tests-")


def raw_tables(*, persons: int, scenario: Scenario, seed: int = 1) -> dict[str, pd.DataFrame]:
    """The raw tables that the shipped before-and-after study needs."""
    tables = simulate_tables(simulate_panel(persons=persons, seed=seed, scenario=scenario), seed=seed)
    return {name: tables[name] for name in NEEDED}


@cache
def small_data() -> StudyData:
    return study_data(raw_tables(persons=PERSONS, scenario="effect"))


@cache
def small_run() -> Results:
    """The shipped study as the run gives it: nothing hidden, nothing saved."""
    return run_study(small_data(), read_study(asset("analyses", "before_after.toml")))


@cache
def saved_folder() -> Path:
    """The folder with the results of the small run, saved."""
    folder = Path(_SCRATCH.name) / "results"
    save_results(small_run(), folder)
    return folder


def saved(lang: Lang = "en") -> Results:
    """The small run, saved and read back."""
    return load_results("before_after", lang=lang, folder=saved_folder())


@cache
def saved_hidden() -> Results:
    """The small run under a plan that lets nothing out, saved and read back."""
    run = small_run()
    disclosure = run.study.disclosure.model_copy(update={"min_persons": 10 * PERSONS})
    study = run.study.model_copy(update={"disclosure": disclosure})
    folder = Path(_SCRATCH.name) / "hidden"
    save_results(dataclasses.replace(run, plan=study), folder)
    return load_results(study.name, folder=folder)
