"""Seconds and peak memory of reading and validating contacts, beside a bare pandas.read_csv of the same file.

Run as ``python benchmarks/read_data.py [rows in millions]``.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

PERSONS = 20_000


def write_study(folder: Path, rows: int) -> None:
    rng = np.random.default_rng(1)
    ids = np.array([f"{number:07d}" for number in range(PERSONS)])
    pd.DataFrame({"person_id": ids, "birth_year": rng.integers(1930, 2000, PERSONS), "sex": "F"}).assign(
        municipality_code=""
    ).to_csv(folder / "persons.csv", index=False)
    pd.DataFrame({"person_id": ids, "practice_id": "p1", "start_on": "2010-01-01", "end_on": ""}).to_csv(
        folder / "registrations.csv", index=False
    )
    pd.DataFrame(
        {"person_id": ids[:500], "referred_on": "2021-05-01", "referrer": "gp", "reason": ""}
        | dict.fromkeys(("intake_on", "started_on", "ended_on", "outcome", "n_coach_contacts"), "")
    ).to_csv(folder / "referrals.csv", index=False)
    days = np.datetime_as_string(np.datetime64("2015-01-01") + np.arange(3000))
    kinds = np.array(["consult_short", "consult_long", "telephone", "visit_short"])
    codes = np.array(["P76", "A04", "L03", "", "Z04.01"])
    pd.DataFrame(
        {
            "person_id": ids[rng.integers(0, PERSONS, rows)],
            "contact_on": days[rng.integers(0, 3000, rows)],
            "kind": kinds[rng.integers(0, 4, rows)],
            "icpc": codes[rng.integers(0, 5, rows)],
            "n_contacts": 1,
            "recall_days": "",
        }
    ).to_csv(folder / "contacts.csv", index=False)


def read_and_validate(folder: Path) -> None:
    from wor_eval.data.read import read_data

    read_data(folder)


def read_with_pandas(folder: Path) -> None:
    pd.read_csv(folder / "contacts.csv", dtype={"person_id": str}, parse_dates=["contact_on"])


def measured(
    task: Callable[[Path], None], folder: Path, answer: multiprocessing.Queue[tuple[float, float]]
) -> None:
    import wor_eval.data.read  # noqa: F401

    start = time.perf_counter()
    task(folder)
    seconds = time.perf_counter() - start
    answer.put((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def main() -> None:
    rows = int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 1_000_000
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # A child starts with the peak memory of its parent, so the parent must not make the data.
        writer = context.Process(target=write_study, args=(folder, rows))
        writer.start()
        writer.join()
        print(f"{rows:,} contacts, {(folder / 'contacts.csv').stat().st_size / 2**20:.0f} MiB of CSV")
        results = {}
        for task in (read_and_validate, read_with_pandas):
            answer = context.Queue()
            child = context.Process(target=measured, args=(task, folder, answer))
            child.start()
            results[task.__name__] = answer.get()
            child.join()
            seconds, megabytes = results[task.__name__]
            print(f"{task.__name__:20s} {seconds:6.2f} s  peak {megabytes:7.0f} MiB")
        ratio = results["read_and_validate"][0] / results["read_with_pandas"][0]
        print(f"read and validate / pandas read alone: {ratio:.2f}")


if __name__ == "__main__":
    main()
