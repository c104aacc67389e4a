"""Time and peak memory of reading a large .sav as a study table, beside pyreadstat alone on the same file.

Run as ``python benchmarks/read_spss.py [rows in millions] [rounds]``. Each case is a new process, the cases take
turns, and the best of the rounds is given with the spread; CPU seconds, which other work on the machine disturbs
less, count the threads of DuckDB too. The limit the project sets itself: no slower than
pyreadstat by more than a third.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd


def write(folder: Path, rows: int) -> None:
    import pyreadstat

    rng = np.random.default_rng(1)
    days = np.array([date(2015, 1, 1) + timedelta(days=day) for day in range(3000)])
    frame = pd.DataFrame(
        {
            "person_id": np.array([f"{number:09d}" for number in range(20_000)])[
                rng.integers(0, 20_000, rows)
            ],
            "contact_on": days[rng.integers(0, 3000, rows)],
            "kind": rng.integers(1, 4, rows).astype(float),
            "icpc": np.array(["P76", "A04", "L03", "", "Z04.01"])[rng.integers(0, 5, rows)],
            "n_contacts": 1.0,
        }
    )
    labels = {"kind": {1: "consult_short", 2: "consult_long", 3: "telephone"}}
    pyreadstat.write_sav(
        frame,
        str(folder / "contacts.sav"),
        variable_value_labels=labels,
        variable_format={"contact_on": "DATE11"},
    )


def rows_in_duckdb(folder: Path) -> None:
    """The rows as they are stored, in DuckDB: what pyreadstat gives as a frame."""
    from wor_eval.data.dictionary import read_dictionary
    from wor_eval.data.receive import connect, receive_files

    schema = read_dictionary().tables["contacts"]
    receive_files(connect(), schema, (folder / "contacts.sav",), scratch=folder)


def cast_and_screened(folder: Path) -> None:
    """The same and every cell cast to the dictionary and screened, as when a study is read."""
    from wor_eval.data.dictionary import read_dictionary
    from wor_eval.data.load import load_sources
    from wor_eval.data.sources import find_sources

    dictionary = read_dictionary()
    loaded = load_sources(find_sources(folder, dictionary), dictionary)
    assert not loaded.findings, loaded.findings


def pyreadstat_alone(folder: Path) -> None:
    import pyreadstat

    pyreadstat.read_sav(str(folder / "contacts.sav"))


CASES: tuple[Callable[[Path], None], ...] = (rows_in_duckdb, cast_and_screened, pyreadstat_alone)


def measured(
    task: Callable[[Path], None], folder: Path, answer: multiprocessing.Queue[tuple[float, float, float]]
) -> None:
    import pyreadstat  # noqa: F401

    import wor_eval.data.read  # noqa: F401
    from wor_eval.data.receive import connect

    connect()  # what a process loads once, however large its files

    start, worked = time.perf_counter(), time.process_time()
    task(folder)
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    answer.put((seconds, worked, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def main() -> None:
    rows = int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 1_000_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # A child starts with the peak memory of its parent, so the parent must not make the data.
        writer = context.Process(target=write, args=(folder, rows))
        writer.start()
        writer.join()
        print(f"{rows:,} rows, {(folder / 'contacts.sav').stat().st_size / 2**20:.0f} MiB of .sav")
        seconds: dict[str, list[float]] = {task.__name__: [] for task in CASES}
        cpu: dict[str, list[float]] = {task.__name__: [] for task in CASES}
        memory: dict[str, float] = {}
        for task in CASES * rounds:
            answer = context.Queue()
            child = context.Process(target=measured, args=(task, folder, answer))
            child.start()
            took, worked, memory[task.__name__] = answer.get()
            seconds[task.__name__].append(took)
            cpu[task.__name__].append(worked)
            child.join()
        for case, times in seconds.items():
            spread = f"{min(times):6.2f} s (to {max(times):.2f})  CPU {min(cpu[case]):6.2f} s"
            print(f"{case:20s} {spread}  peak {memory[case]:7.0f} MiB")
        for case in ("rows_in_duckdb", "cast_and_screened"):
            ratios = [min(table[case]) / min(table["pyreadstat_alone"]) for table in (seconds, cpu)]
            print(f"{case} / pyreadstat alone: {ratios[0]:.2f}, CPU {ratios[1]:.2f} (limit 1.33)")


if __name__ == "__main__":
    main()
