"""What rolling entry costs: matching over many monthly entry dates beside the same units at one date.

Run: python benchmarks/rolling_entry.py
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import pandas as pd

from benchmarks.recovery.panel_cohort import panel_cohort
from wor_eval.assets import asset
from wor_eval.data.panel import simulate_panel
from wor_eval.design.matching import match_cohort
from wor_eval.study import read_study


def main() -> None:
    study = read_study(asset("analyses", "matched_cohort.toml"))
    cohort = panel_cohort(simulate_panel(persons=100_000, seed=1, scenario="mixed"), entries=4, seed=1)
    match_cohort(cohort, study, outcome="gp_contacts")
    for months in (1, 12, 36):
        spread = np.arange(len(cohort.persons)) % months
        index_on = pd.Timestamp("2022-01-15") + pd.to_timedelta(31 * spread, unit="D")
        moved = replace(cohort, persons=cohort.persons.assign(index_on=index_on))
        start = time.perf_counter()
        matched = match_cohort(moved, study, outcome="gp_contacts")
        seconds = time.perf_counter() - start
        units, sets = len(cohort.persons), matched.n_sets
        print(f"{units} units over {months:2d} monthly dates: {seconds:5.2f} s, {sets} sets")


if __name__ == "__main__":
    main()
