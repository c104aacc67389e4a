"""Person x 24 monthly windows of counts and costs over many millions of contacts: seconds, memory, peers in one run.

Run as ``python -m benchmarks.national [millions of events ...]``; 2, 10 and 50 by default. Contacts are made by
DuckDB in a temporary folder (``--folder`` to keep them): 25 per person in two years. Every task runs in a
process of its own, under the memory limit of the package; a task whose library is not installed is left out.
Seconds of the processor are shown beside those of the clock: where other work runs, only these compare.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

LIMIT = "1500MB"
INDEX, BLOCKS, LENGTH = "2023-01-01", range(-12, 12), 30
PRICES = {"consult_short": 30.0, "consult_long": 60.0, "telephone": 15.0, "visit_short": 45.0, "email": 12.0}
"""Round figures: what is measured is the time, not the money."""


def make(folder: Path, events: int, *, ordered: bool = False) -> None:
    """Write persons, registrations, referrals (3 %) and contacts; ``ordered`` sorts the contacts by person."""
    import duckdb

    folder.mkdir(parents=True, exist_ok=True)
    con = duckdb.connect(config={"memory_limit": LIMIT, "temp_directory": str(folder / "spill")})
    con.execute("SET enable_progress_bar = false")
    persons = events // 25
    name = "printf('p%09d', i * 7919 % 1000000007)"
    drawn = f"((floor({persons} * pow((hash(i, 1) % 1000003) / 1000003.0, 1.5)) + hash(i, 7) % 64)::bigint % {persons})"
    kinds = "['" + "','".join(PRICES) + "']"
    queries = {
        "persons": f"SELECT {name} person_id, 1930 + (hash(i * 3) % 75)::bigint birth_year, "
        f"CASE WHEN hash(i * 11) % 2 = 0 THEN 'F' ELSE 'M' END sex FROM range({persons}) t(i)",
        "registrations": f"SELECT person_id, 'pr' || (hash(person_id) % 5000) practice_id, DATE '2015-01-01' start_on, "
        f"NULL::date end_on FROM '{folder}/persons.parquet'",
        "referrals": f"SELECT person_id, DATE '{INDEX}' referred_on FROM '{folder}/persons.parquet' "
        "WHERE hash(person_id, 1) % 100 < 3",
        "contacts": f"SELECT {name.replace('i *', drawn + ' *')} person_id, "
        f"DATE '2022-01-01' + (i * 730 // {events})::int contact_on, "
        f"{kinds}[1 + (hash(i, 2) % {len(PRICES)})::int] kind, "
        f"['P76', 'A04', 'L03', 'Z04.01', 'K86'][1 + (hash(i, 3) % 5)::int] icpc, 1::bigint n_contacts "
        f"FROM range({events}) t(i)" + (" ORDER BY person_id" if ordered else ""),
    }
    for table, query in queries.items():
        con.execute(f"COPY ({query}) TO '{folder}/{table}.parquet' (FORMAT parquet)")


def by_package(folder: Path, out: Path, *, cohort: bool = False) -> None:
    """The path of the package: the tables as Ibis expressions, contacts priced by a join, `sum_events`."""
    import ibis

    from wor_eval.cohort.windows import sum_events
    from wor_eval.data.receive import connect

    backend = connect()
    contacts = backend.read_parquet(folder / "contacts.parquet")
    units = backend.read_parquet(folder / ("referrals.parquet" if cohort else "persons.parquet"))
    units = units.select(
        "person_id",
        unit=ibis.row_number().cast("int64"),
        index_on=ibis.date(INDEX),
        last_on=ibis.date("2024-12-31"),
    )
    units = backend.create_table("units", units)
    prices = ibis.memtable({"kind": list(PRICES), "price_eur": list(PRICES.values())})
    priced = contacts.inner_join(prices, "kind")
    events = priced.select(
        "person_id", event_on="contact_on", n="n_contacts", cost=priced.n_contacts * priced.price_eur
    )
    windows = {f"month{block:+d}": (LENGTH * block, LENGTH * block + LENGTH - 1) for block in BLOCKS}
    sum_events(events, units, windows).to_parquet(out)


def by_package_cohort(folder: Path, out: Path) -> None:
    by_package(folder, out, cohort=True)


def _duckdb(query: str, out: Path) -> None:
    import duckdb

    with tempfile.TemporaryDirectory() as spill:
        con = duckdb.connect(config={"memory_limit": LIMIT, "temp_directory": spill})
        con.execute("SET enable_progress_bar = false")
        con.execute(f"COPY ({query}) TO '{out}' (FORMAT parquet)")


def by_hand(folder: Path, out: Path) -> None:
    """What one would write by hand for this one index date."""
    price = "CASE kind " + " ".join(f"WHEN '{kind}' THEN {eur}" for kind, eur in PRICES.items()) + " END"
    first, last = LENGTH * BLOCKS[0], LENGTH * (BLOCKS[-1] + 1) - 1
    _duckdb(
        f"SELECT person_id, (contact_on - DATE '{INDEX}' - {first}) // {LENGTH} block, sum(n_contacts) n, "
        f"sum(n_contacts * {price}) cost FROM '{folder}/contacts.parquet' "
        f"WHERE contact_on - DATE '{INDEX}' BETWEEN {first} AND {last} GROUP BY ALL",
        out,
    )


def decoding(folder: Path, out: Path) -> None:
    """Only decode the columns."""
    _duckdb(
        "SELECT max(person_id) a, max(contact_on) b, max(kind) c, sum(n_contacts) d, count(*) n "
        f"FROM '{folder}/contacts.parquet'",
        out,
    )


def by_pandas(folder: Path, out: Path) -> None:
    import pandas as pd

    rows = pd.read_parquet(
        folder / "contacts.parquet", columns=["person_id", "contact_on", "kind", "n_contacts"]
    )
    day = (pd.to_datetime(rows["contact_on"]) - pd.Timestamp(INDEX)).dt.days
    rows = rows.assign(block=day // LENGTH, cost=rows["kind"].map(PRICES) * rows["n_contacts"])
    rows = rows[rows["block"].isin(BLOCKS)]
    rows.groupby(["person_id", "block"], as_index=False)[["n_contacts", "cost"]].sum().to_parquet(out)


def by_polars(folder: Path, out: Path) -> None:
    import polars as pl

    rows = pl.scan_parquet(folder / "contacts.parquet")
    day = (pl.col("contact_on") - pl.lit(INDEX).str.to_date()).dt.total_days()
    rows = rows.with_columns(
        block=day // LENGTH, cost=pl.col("kind").replace_strict(PRICES) * pl.col("n_contacts")
    )
    rows = rows.filter(pl.col("block").is_between(BLOCKS[0], BLOCKS[-1]))
    rows.group_by("person_id", "block").agg(pl.col("n_contacts", "cost").sum()).sink_parquet(out)


def checking(folder: Path, out: Path) -> None:
    """``wor-eval check``."""
    from wor_eval.data.validate import check_data

    assert not [finding for finding in check_data(folder) if finding.severity == "error"]


TASKS: tuple[Callable[[Path, Path], None], ...] = (
    decoding, by_hand, by_package, by_package_cohort, by_polars, by_pandas, checking,
)  # fmt: skip


def _timed(
    task: Callable[[Path, Path], None], folder: Path, answer: multiprocessing.Queue[tuple[float, ...]]
) -> None:
    for library in (
        "duckdb",
        "pandas",
        "pyarrow.parquet",
        "polars",
        "wor_eval.cohort.windows",
        "ibis.backends.duckdb",
    ):
        with contextlib.suppress(ImportError):
            importlib.import_module(library)
    start, spent = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as place:
        try:
            task(folder, Path(place) / "sums.parquet")
        except ImportError:
            answer.put((float("nan"),) * 3)
            return
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    answer.put((time.perf_counter() - start, time.process_time() - spent, peak))


def measure(folder: Path, tasks: tuple[Callable[[Path, Path], None], ...], label: str) -> None:
    context = multiprocessing.get_context("spawn")  # a fork would start with the memory of its parent
    for task in tasks:
        answer = context.Queue()
        child = context.Process(target=_timed, args=(task, folder, answer))
        child.start()
        wall, cpu, peak = answer.get()
        child.join()
        print(f"| {label} | {task.__name__} | {wall:.1f} | {cpu:.1f} | {peak:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("millions", type=float, nargs="*", default=[2, 10, 50])
    parser.add_argument("--folder", type=Path, help="where the contacts stand, or are made to stand")
    parser.add_argument("--only", nargs="*", help="names of tasks")
    chosen = parser.parse_args()
    tasks = tuple(task for task in TASKS if not chosen.only or task.__name__ in chosen.only)
    print("| millions | task | s | processor s | peak MB |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for millions in chosen.millions:
            for ordered in (False, True):
                label = f"{millions:g}{', by person' if ordered else ''}"
                folder = (chosen.folder or Path(scratch)) / label.replace(", ", "_").replace(" ", "_")
                if not (folder / "contacts.parquet").is_file():
                    child = multiprocessing.get_context("spawn").Process(
                        target=make, args=(folder, int(millions * 1e6)), kwargs={"ordered": ordered}
                    )
                    child.start()
                    child.join()
                measure(folder, tasks, label)


if __name__ == "__main__":
    main()
