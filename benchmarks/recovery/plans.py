"""What other choices than those of the shipped matched plan do to balance, to who is left out and to the headline.

Run with ``python -m benchmarks.recovery.plans``; the table stands in ``docs/recovery.md``.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
import pandas as pd

from benchmarks.recovery.panel_cohort import panel_cohort
from wor_eval.assets import asset
from wor_eval.data.panel import Panel, simulate_panel
from wor_eval.design.diagnostics import balance
from wor_eval.design.matched import MatchedCohort
from wor_eval.design.matching import match_cohort
from wor_eval.effects.contrasts import matched_effects
from wor_eval.study import Study, read_study

OUTCOME = "gp_contacts"
PLANS = {  # entry dates offered, and what differs from the shipped design
    "shipped": (4, {}),
    "classes of ten years of age exact": (4, {"age_class": True}),
    "caliper 0.1": (4, {"caliper": 0.1}),
    "caliper 0.1, ratio 2": (4, {"caliper": 0.1, "ratio": 2}),
    "caliper 0.1, ratio 2, eight entry dates": (8, {"caliper": 0.1, "ratio": 2}),
    "with replacement, eight entry dates": (8, {"replacement": True}),
    "with replacement, caliper 0.1, eight entry dates": (8, {"replacement": True, "caliper": 0.1}),
}
HERE = Path(__file__).parent / "plans.csv"


def one_plan(panel: Panel, name: str, study: Study) -> pd.DataFrame:
    """Match one simulated study by one plan, and look at each age band."""
    entries, changes = PLANS[name]
    seed = panel.seed
    cohort = panel_cohort(panel, entries=entries, seed=seed)
    cohort.persons["age_class"] = cohort.persons["age"] // 10
    changes = dict(changes)
    exact = (*study.design.exact, "age_class") if changes.pop("age_class", False) else study.design.exact
    design = study.design.model_copy(update={**changes, "exact": exact})
    matched = match_cohort(cohort, study, design=design, outcome=OUTCOME)
    return pd.DataFrame(_bands(matched, study, panel.effects)).assign(plan=name, entries=entries, seed=seed)


def _bands(matched: MatchedCohort, study: Study, truth: dict[str, float]):
    """Give for each age band the balance, the share left out, and the error of the headline."""
    after = balance(matched, study, outcome=OUTCOME).query("sample == 'after'")
    smd = after.set_index(["age_band", "covariate"])["smd"].abs()
    found = matched_effects(matched, study, outcome=OUTCOME, contrasts=(study.headline.contrast,)).to_frame()
    found = found[found["scale"] == "ratio"].set_index("age_band")
    band = matched.cohort.persons["age_band"].to_numpy()
    for name in study.cohort.band_names:
        inside = matched.referred & (band == name)
        effect, true = found.loc[name], truth.get(name, 1.0)
        yield {
            "age_band": name,
            "age": smd[name, "age"],
            "others": smd[name].drop("age").max(),
            "left_out": float((matched.weight[inside] == 0).mean()),
            "error": float(np.log(effect["estimate"] / true)),
            "std_error": effect["std_error"],
            "covered": bool(effect["conf_low"] <= true <= effect["conf_high"]),
        }


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Give the mean and the largest difference, the share left out and the bias, by plan and age band."""
    out = rows.groupby(["plan", "entries", "age_band"], sort=False).agg(
        studies=("seed", "nunique"),
        age=("age", "mean"),
        age_largest=("age", "max"),
        others=("others", "mean"),
        left_out=("left_out", "mean"),
        bias=("error", "mean"),
        std_error=("std_error", "mean"),
        coverage=("covered", "mean"),
    )
    return out.reset_index().round(4)


def main() -> None:
    parser = argparse.ArgumentParser(prog="plans", description=__doc__)
    parser.add_argument("--studies", type=int, default=8)
    parser.add_argument("--persons", type=int, default=20_000)
    parser.add_argument("--scenario", default="effect")
    parser.add_argument("--out", type=Path, default=HERE)
    chosen = parser.parse_args()
    study = read_study(asset("analyses", "matched_cohort.toml"))
    rows = []
    for seed in range(401, 401 + chosen.studies):
        panel = simulate_panel(persons=chosen.persons, seed=seed, scenario=chosen.scenario)
        rows += [one_plan(panel, name, study) for name in PLANS]
        summary = summarise(pd.concat(rows, ignore_index=True))
        summary.to_csv(chosen.out, index=False, lineterminator="\n")
    print(summary.to_string())


if __name__ == "__main__":
    main()
