"""The cohort and its person x window sums, made by DuckDB, by Postgres and by Spark: the same numbers."""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
import pytest

from wor_eval.assets import asset
from wor_eval.cohort.build import Cohort, build_cohort
from wor_eval.cohort.measures import dated_events
from wor_eval.cohort.persons import unit_table
from wor_eval.cohort.windows import sum_events
from wor_eval.data.engine import on_engine
from wor_eval.data.read import StudyData, study_data
from wor_eval.data.simulate import simulate_study
from wor_eval.study import Study, read_study

TABLES = ("persons", "registrations", "referrals", "contacts", "costs", "municipalities", "practices")
COUNTED = ("gp_contacts", "gp_costs", "care_costs")


@pytest.fixture(scope="module")
def study() -> Study:
    """Contacts and costs, months and quarters: every kind of window; scores are not summed by an engine."""
    plan = read_study(asset("analyses", "before_after.toml"))
    assert isinstance(plan, Study)
    kept = tuple(outcome for outcome in plan.outcomes if outcome.name in COUNTED)
    effects = tuple(effect for effect in plan.effects if effect.headline)
    return plan.model_copy(update={"outcomes": kept, "effects": effects})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> StudyData:
    folder = simulate_study(tmp_path_factory.mktemp("engines") / "study", persons=1000, seed=3)
    frames = {name: pd.read_csv(folder / f"{name}.csv", dtype=str) for name in TABLES}
    return study_data({**frames, "costs": _with_credits(frames["costs"])})


def _with_credits(costs: pd.DataFrame) -> pd.DataFrame:
    """Add credit lines of all three kinds: of an equal line, of another amount, of no line at all."""
    taken = costs.head(60).assign(amount=[f"-{amount}" for amount in costs["amount"].head(60)])
    taken.loc[taken.index[30:45], "amount"] = "-1.25"
    taken.loc[taken.index[45:], "category"] = "other"
    return pd.concat([costs, taken], ignore_index=True)


@pytest.fixture(scope="module")
def by_duckdb(data: StudyData, study: Study) -> Cohort:
    cohort = build_cohort(data, study)
    assert len(cohort.outcomes) > 5000
    assert set(cohort.outcomes["outcome"]) == set(COUNTED)
    return cohort


def same_cohort(got: Cohort, expected: Cohort) -> None:
    """Equal in every cell; sums of floats may differ in the last digits, because they are added in another order."""
    assert got.observed == expected.observed
    for name in ("persons", "attrition", "outcomes"):
        pd.testing.assert_frame_equal(getattr(got, name), getattr(expected, name), rtol=1e-12, atol=1e-9)


def several_sums(data: StudyData, study: Study, cohort: Cohort) -> pd.DataFrame:
    """Counts and amounts in one pass, in 24 blocks of 30 days."""
    costs = dated_events(data, study.outcome("care_costs"))
    windows = {f"month{block:+d}": (30 * block, 30 * block + 29) for block in range(-12, 12)}
    sums = sum_events(costs.mutate(lines=1), unit_table(cohort.persons), windows).to_pandas()
    return sums.sort_values(["unit", "window"], ignore_index=True).astype({"lines": "int64"})


def compare(elsewhere: StudyData, here: StudyData, study: Study, expected: Cohort) -> None:
    same_cohort(build_cohort(elsewhere, study), expected)
    got, wanted = (several_sums(data, study, expected) for data in (elsewhere, here))
    assert len(wanted) > 500
    pd.testing.assert_frame_equal(got, wanted, rtol=1e-12, atol=1e-9)


def test_spark_gives_the_numbers_of_duckdb(data: StudyData, study: Study, by_duckdb: Cohort) -> None:
    sql = pytest.importorskip("pyspark.sql", reason="Spark is not installed: pip install wor-eval[spark]")
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        pytest.skip("Java is not installed")
    local = {
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.wholeStage": "false",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # many small queries
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "America/New_York",  # days must not depend on it
    }
    on_interrupt = signal.getsignal(signal.SIGINT)
    session = sql.SparkSession.builder.master("local[2]").config(map=local).getOrCreate()
    try:
        with on_engine(data, "pyspark") as elsewhere:
            compare(elsewhere, data, study, by_duckdb)
    finally:
        session.stop()
        signal.signal(
            signal.SIGINT, on_interrupt
        )  # Spark keeps Ctrl-C to itself, for every test that follows


def _binaries() -> Path | None:
    """The folder of the newest Postgres server, or None."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not found and (initdb := shutil.which("initdb")):
        found = [Path(initdb).resolve().parent]
    return max(found, key=lambda path: path.parent.name) if found else None


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Postgres server of its own on a socket in a temporary folder, run by a user who is not root."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install wor-eval[postgres]")
    import ibis

    binaries = _binaries()
    if binaries is None:
        pytest.skip("no Postgres server is installed")
    folder = Path("/tmp") / f"wor_eval_pg_{os.getpid()}"  # a socket's path has at most about 100 characters
    folder.mkdir(mode=0o700)
    run = partial(subprocess.run, check=True, capture_output=True, cwd=folder)
    if os.getuid() == 0:
        user = next((name for name in ("postgres", "nobody") if _exists(name)), None)
        if user is None:
            pytest.skip("root cannot run Postgres, and there is no user postgres or nobody")
        shutil.chown(folder, user)
        run = partial(run, user=user, group=pwd.getpwnam(user).pw_gid, extra_groups=[])
    place = folder / "data"
    try:
        run([binaries / "initdb", "-D", place, "-A", "trust", "-U", "tester", "--no-sync", "-E", "UTF8"])
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        run([binaries / "pg_ctl", "-D", place, "-o", options, "-l", folder / "log", "-w", "start"])
        try:
            backend = ibis.postgres.connect(host=str(folder), user="tester", database="postgres")
            yield backend
            backend.disconnect()
        finally:
            run([binaries / "pg_ctl", "-D", place, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _exists(user: str) -> bool:
    try:
        return pwd.getpwnam(user).pw_uid > 0
    except KeyError:
        return False


def test_postgres_gives_the_numbers_of_duckdb(
    data: StudyData, study: Study, by_duckdb: Cohort, postgres: Any
) -> None:
    tables = {name: postgres.create_table(name, table.to_pyarrow()) for name, table in data.tables.items()}
    compare(replace(data, tables=MappingProxyType(tables)), data, study, by_duckdb)


def test_the_engine_is_no_part_of_the_question(study: Study) -> None:
    assert study.model_copy(update={"engine": "pyspark"}).digest == study.digest
    assert study.model_copy(update={"seed": 1}).digest != study.digest
