"""What planning costs: simulated matched studies of the shipped plan, over all cores: python -m benchmarks.power."""

from __future__ import annotations

import argparse
import os
import resource
import time

from wor_eval.assets import asset
from wor_eval.effects.power import planned_part
from wor_eval.effects.power_simulation import Job, planned_study, simulate_many
from wor_eval.study import read_study


def main() -> None:
    parser = argparse.ArgumentParser(prog="power", description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument(
        "--referrals", type=int, default=25, help="per practice; the shipped plan has 20 practices"
    )
    chosen = parser.parse_args()
    study = read_study(asset("analyses", "matched_cohort.toml"))
    power = planned_part(study)
    planned = planned_study(study, power, referrals=chosen.referrals)
    job = Job(study=study, planned=planned, ratios=(1.0, *power.ratios), practice_sd=0.1)
    started, spent = time.perf_counter(), cpu_of_children()
    found = simulate_many(job, studies=chosen.studies, seed=1)
    clock, cpu = time.perf_counter() - started, cpu_of_children() - spent
    cores = os.cpu_count() or 1
    print(
        f"{chosen.studies} studies of {planned.practices * planned.referrals} referred, {found.shape[1]} true effects"
    )
    print(
        f"clock {clock:.0f} s on {cores} cores; processor {cpu:.0f} s, {cpu / chosen.studies:.2f} s a study"
    )
    print(
        f"with nothing else on the machine 1,000 studies take about {1000 * cpu / chosen.studies / cores:.0f} s"
    )


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
