"""How well does each design recover a known effect? Run with ``make recovery``.

Simulates studies in every scenario, estimates the rate ratio by every design, and writes a summary: bias on the log
scale, coverage of the 95 % interval, and how often the placebo contrast says that something is wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
import pandas as pd
from tqdm import tqdm

from benchmarks.recovery.page import write_page
from benchmarks.recovery.panel_cohort import panel_cohort
from wor_eval.assets import asset
from wor_eval.data.panel import Panel, simulate_panel
from wor_eval.design.matching import RECENT_QUARTER, match_cohort
from wor_eval.effects.contrasts import matched_effects
from wor_eval.effects.triangulation import triangulate
from wor_eval.study import Study, read_study

SCENARIOS = ("null-peak", "null-level", "mixed", "effect")
HERE = Path(__file__).parent
OUTCOME = "gp_contacts"


def one_study(job: tuple[str, int, int]) -> pd.DataFrame:
    """Simulate one study and estimate it by every design."""
    scenario, seed, persons = job
    panel = simulate_panel(persons=persons, seed=seed, scenario=scenario)
    study = read_study(asset("analyses", "matched_cohort.toml"))
    cohort = panel_cohort(panel, entries=study.cohort.entries, seed=seed)
    table = triangulate(cohort, study, outcome=OUTCOME)
    rows = pd.concat([table, *_by_length_of_history(cohort, study)], ignore_index=True)
    rows = rows[(rows["scale"] == "ratio") & (rows["age_band"] != "all")]
    return rows.assign(scenario=scenario, seed=seed, truth=rows["age_band"].map(truth(panel)))


def truth(panel: Panel) -> dict[str, float]:
    """Give the true rate ratio by age band."""
    return {band: float(panel.effects.get(band, 1.0)) for band in ("18-64", "65+")}


def _by_length_of_history(cohort, study: Study):
    """Repeat the design on level and deviations with one and two years of history (three are the plan's)."""
    for years in (1, 2):
        windows = study.windows.model_copy(update={"years": years})
        shorter = study.model_copy(update={"windows": windows})
        exact = (
            (*study.design.exact, RECENT_QUARTER)
            if RECENT_QUARTER not in study.design.exact
            else study.design.exact
        )
        design = study.design.model_copy(update={"history": "level", "exact": exact, "missing": "indicator"})
        matched = match_cohort(cohort, shorter, design=design, outcome=OUTCOME)
        found = matched_effects(matched, shorter, outcome=OUTCOME).to_frame()
        placebo = found[found["contrast"] == "placebo"].set_index(["age_band", "scale"])
        main = found[found["contrast"] == "difference_in_differences"].set_index(["age_band", "scale"])
        yield main.assign(
            design=f"level, {years} year{'s' if years > 1 else ''}",
            placebo=placebo["estimate"],
            placebo_low=placebo["conf_low"],
            placebo_high=placebo["conf_high"],
        ).reset_index()


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Give bias, spread, coverage and power of the placebo contrast by scenario, design and band."""
    low, high, true = (np.log(rows[name]) for name in ("conf_low", "conf_high", "truth"))
    rows = rows.assign(
        error=np.log(rows["estimate"]) - true,
        covered=(low <= true) & (true <= high),
        placebo_rejects=(rows["placebo_low"] > 1) | (rows["placebo_high"] < 1),
    ).dropna(subset=["error"])
    out = rows.groupby(["scenario", "design", "age_band"], sort=False).agg(
        studies=("error", "size"),
        bias=("error", "mean"),
        monte_carlo_error=("error", lambda e: e.std() / np.sqrt(e.size)),
        spread=("error", "std"),
        std_error=("std_error", "mean"),
        coverage=("covered", "mean"),
        placebo_power=("placebo_rejects", "mean"),
        referred=("n_referred", "mean"),
    )
    return out.reset_index().round(4)


def main() -> None:
    parser = argparse.ArgumentParser(prog="recovery", description=__doc__)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--persons", type=int, default=15_000)
    parser.add_argument("--scenarios", nargs="+", default=list(SCENARIOS), choices=SCENARIOS)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--out", type=Path, default=HERE / "summary.csv", help="the page goes to docs/recovery.md"
    )
    chosen = parser.parse_args()
    jobs = [(s, seed, chosen.persons) for seed in range(1, chosen.studies + 1) for s in chosen.scenarios]
    with ProcessPoolExecutor(chosen.workers) as pool:
        done = list(tqdm(pool.map(one_study, jobs, chunksize=4), total=len(jobs), file=sys.stderr))
    summary = summarise(pd.concat(done, ignore_index=True))
    summary.to_csv(chosen.out, index=False, lineterminator="\n")
    write_page(summary, HERE.parent.parent / "docs" / "recovery.md")
    print(summary.to_string())


if __name__ == "__main__":
    main()
