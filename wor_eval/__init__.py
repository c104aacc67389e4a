"""Evaluation of Welzijn op Recept: GP contacts, care costs and well-being around referral.

The public names stand here in the order of the flow and are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wor_eval.cohort.build import Cohort as Cohort
    from wor_eval.cohort.build import build_cohort as build_cohort
    from wor_eval.data.dictionary import Dictionary as Dictionary
    from wor_eval.data.dictionary import codebook as codebook
    from wor_eval.data.dictionary import read_dictionary as read_dictionary
    from wor_eval.data.read import StudyData as StudyData
    from wor_eval.data.read import read_data as read_data
    from wor_eval.data.read import study_data as study_data
    from wor_eval.data.simulate import simulate_study as simulate_study
    from wor_eval.data.validate import check_data as check_data
    from wor_eval.design.matched import MatchedCohort as MatchedCohort
    from wor_eval.design.matching import match_cohort as match_cohort
    from wor_eval.effects.contrasts import matched_effects as matched_effects
    from wor_eval.effects.estimate import EffectTable as EffectTable
    from wor_eval.effects.estimate import Estimate as Estimate
    from wor_eval.effects.triangulation import triangulate as triangulate
    from wor_eval.errors import DataError as DataError
    from wor_eval.errors import DesignError as DesignError
    from wor_eval.errors import EstimationError as EstimationError
    from wor_eval.errors import ReportError as ReportError
    from wor_eval.errors import StudyError as StudyError
    from wor_eval.errors import WorEvalError as WorEvalError
    from wor_eval.report import attender_figures as attender_figures
    from wor_eval.report import attender_tables as attender_tables
    from wor_eval.report import attender_words as attender_words
    from wor_eval.report import believed_words as believed_words
    from wor_eval.report import beyond_words as beyond_words
    from wor_eval.report import brief_words as brief_words
    from wor_eval.report import delivered_tables as delivered_tables
    from wor_eval.report import economics_figures as economics_figures
    from wor_eval.report import economics_tables as economics_tables
    from wor_eval.report import economics_words as economics_words
    from wor_eval.report import figures as figures
    from wor_eval.report import gate_words as gate_words
    from wor_eval.report import matched_figures as matched_figures
    from wor_eval.report import matched_tables as matched_tables
    from wor_eval.report import matched_words as matched_words
    from wor_eval.report import outcome_figures as outcome_figures
    from wor_eval.report import outcome_tables as outcome_tables
    from wor_eval.report import outcome_words as outcome_words
    from wor_eval.report import power_figures as power_figures
    from wor_eval.report import power_tables as power_tables
    from wor_eval.report import power_words as power_words
    from wor_eval.report import published_figures as published_figures
    from wor_eval.report import published_tables as published_tables
    from wor_eval.report import published_words as published_words
    from wor_eval.report import reach_figures as reach_figures
    from wor_eval.report import reach_tables as reach_tables
    from wor_eval.report import reach_words as reach_words
    from wor_eval.report import tables as tables
    from wor_eval.report import words as words
    from wor_eval.report.behind import figure_data as figure_data
    from wor_eval.report.render import render_report as render_report
    from wor_eval.report.results import Results as Results
    from wor_eval.report.results import load_results as load_results
    from wor_eval.report.results import save_results as save_results
    from wor_eval.report.verify import verify_results as verify_results
    from wor_eval.run import run_study as run_study
    from wor_eval.study import PowerStudy as PowerStudy
    from wor_eval.study import Study as Study
    from wor_eval.study import StudyPlan as StudyPlan
    from wor_eval.study import power_study as power_study
    from wor_eval.study import read_study as read_study
    from wor_eval.study import study_plan as study_plan

__version__ = "0.1.0"

_MODULES = {
    "wor_eval.errors": (
        "WorEvalError",
        "DataError",
        "StudyError",
        "DesignError",
        "EstimationError",
        "ReportError",
    ),
    "wor_eval.study": ("Study", "StudyPlan", "read_study", "study_plan", "PowerStudy", "power_study"),
    "wor_eval.run": ("run_study",),
    "wor_eval.data.dictionary": ("Dictionary", "read_dictionary", "codebook"),
    "wor_eval.data.simulate": ("simulate_study",),
    "wor_eval.data.validate": ("check_data",),
    "wor_eval.data.read": ("StudyData", "read_data", "study_data"),
    "wor_eval.cohort.build": ("Cohort", "build_cohort"),
    "wor_eval.design.matched": ("MatchedCohort",),
    "wor_eval.design.matching": ("match_cohort",),
    "wor_eval.effects.contrasts": ("matched_effects",),
    "wor_eval.effects.triangulation": ("triangulate",),
    "wor_eval.effects.estimate": ("Estimate", "EffectTable"),
    "wor_eval.report.results": ("Results", "save_results", "load_results"),
    "wor_eval.report.verify": ("verify_results",),
    "wor_eval.report.behind": ("figure_data",),
    "wor_eval.report.render": ("render_report",),
    "wor_eval.report": (
        "tables",
        "figures",
        "words",
        "gate_words",
        "believed_words",
        "matched_tables",
        "matched_figures",
        "matched_words",
        "economics_tables",
        "economics_figures",
        "economics_words",
        "brief_words",
        "delivered_tables",
        "beyond_words",
        "outcome_tables",
        "outcome_figures",
        "outcome_words",
        "published_tables",
        "published_figures",
        "published_words",
        "power_tables",
        "power_figures",
        "power_words",
        "attender_tables",
        "attender_figures",
        "attender_words",
        "reach_tables",
        "reach_figures",
        "reach_words",
    ),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}
__all__ = [name for names in _MODULES.values() for name in names]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'wor_eval' has no attribute {name!r}")
    home = _HOME[name]
    if home == "wor_eval.report":
        return import_module(f"{home}.{name}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
