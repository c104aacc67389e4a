"""The main job in one go: a synthetic study, its results, its reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wor_eval.assets import asset
from wor_eval.data.read import read_data
from wor_eval.data.simulate import Scenario, simulate_study
from wor_eval.errors import EstimationError
from wor_eval.report.results import save_results
from wor_eval.report.site import render_site
from wor_eval.run import run_study
from wor_eval.study import Study, StudyPlan, power_study, read_study
from wor_eval.whole import whole_folder

STUDIES = (
    "before_after",
    "matched_cohort",
    "cost_effectiveness",
    "reach",
    "frequent_attenders",
    "published_evidence",
    "matched_cohort_power",
)
_POWER = "_power"
_SIMULATIONS = 60
"""Simulated studies of each size in the demonstration; a plan of one's own asks for many more."""


def demo_plan(name: str) -> StudyPlan:
    """Give a shipped plan, or by ``<plan>_power`` its planning, small: few simulated studies and the sizes up to its own.

    Examples
    --------
    >>> demo_plan("matched_cohort_power").kind
    'power'
    """
    plan = read_study(asset("analyses", f"{name.removesuffix(_POWER)}.toml"))
    if not name.endswith(_POWER) or not isinstance(plan, Study) or plan.power is None:
        return plan
    sizes = tuple(size for size in plan.power.sizes if size <= plan.power.planned_size)
    power = plan.power.model_copy(update={"simulations": _SIMULATIONS, "sizes": sizes})
    return power_study(plan.model_copy(update={"power": power}))


def run_demo(
    folder: Path,
    *,
    persons: int = 20_000,
    seed: int = 1,
    scenario: Scenario = "effect",
    progress: Callable[[str], None] = lambda step: None,
) -> Path:
    """Simulate persons, run every shipped study on them and render the reports.

    A study that so few persons cannot carry is left out, with the reason told.

    Parameters
    ----------
    folder : Path
        Where ``data/``, ``results/`` and the pages are made. An earlier demonstration there is replaced when
        the new one is whole; anything else that stands there is not touched and is an error.
    persons, seed, scenario
        As in :func:`wor_eval.simulate_study`.
    progress : callable
        Told each step as it starts.

    Returns
    -------
    Path
        The index page.

    Raises
    ------
    WorEvalError
        The folder holds something else, or cannot be written.
    """
    earlier = (folder / "data" / "truth.csv").is_file()
    with whole_folder(folder, replace=earlier) as place:
        progress(f"[1/4] simulating {persons} persons, scenario {scenario}")
        data_folder = simulate_study(
            place / "data", persons=persons, seed=seed, scenario=scenario, format="parquet"
        )
        progress("[2/4] reading and checking the raw tables")
        data = read_data(data_folder)
        carried_out = []
        for name in STUDIES:
            progress(f"[3/4] running study {name}")
            try:
                results = run_study(data, demo_plan(name), progress=lambda step: progress(f"      {step}"))
            except EstimationError as error:  # a demonstration of few persons
                progress(f"      left out: {error}")
                continue
            save_results(results, place / "results")
            carried_out.append(name)
        progress("[4/4] rendering the reports, in Dutch and English")
        render_site(
            carried_out,
            results=place / "results",
            out=place,
            formats=("html", "pdf", "docx"),
            progress=lambda step: progress(f"      {step}"),
        )
    return folder / "index.html"
