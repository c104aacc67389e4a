"""Puts the validated tables of a study on another engine: what follows is the same expressions."""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from wor_eval.errors import StudyError
from wor_eval.plan_parts import Engine

if TYPE_CHECKING:
    from wor_eval.data.read import StudyData

_QUIET: dict[str, bool | float | int | str | None] = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


@contextmanager
def on_engine(data: StudyData, engine: Engine, *, scratch: Path | None = None) -> Iterator[StudyData]:
    """Give a study whose tables are on an engine, for as long as the block lasts.

    Tables stay where they were read (DuckDB) with ``duckdb``. With ``pyspark`` they are written as Parquet to a folder
    that only this user can read, opened in Spark from there, and removed at the end. The Spark session is the one
    that is active, or one made from the settings of this installation (``spark-defaults.conf``); days are days of UTC.

    Parameters
    ----------
    data : StudyData
        The validated tables.
    engine : {"duckdb", "pyspark"}
        Where sums over the tables are made.
    scratch : pathlib.Path, optional
        Folder for the Parquet files; on a cluster, one that every worker sees. The temporary folder by default.

    Yields
    ------
    StudyData
        The same study.

    Raises
    ------
    StudyError
        Spark is not installed, or cannot start.

    Examples
    --------
    >>> import tempfile
    >>> import wor_eval as we
    >>> data = we.read_data(we.simulate_study(tempfile.mkdtemp() + "/study", persons=2000, seed=1))
    >>> with on_engine(data, "duckdb") as same:
    ...     same is data
    True
    """
    if engine == "duckdb":
        yield data
        return
    with tempfile.TemporaryDirectory(prefix="wor_eval_", dir=scratch) as folder, _spark() as backend:
        tables = {}
        for name, table in data.tables.items():
            path = Path(folder) / f"{name}.parquet"
            table.to_parquet(path)
            tables[name] = backend.read_parquet(path.as_uri())
        yield replace(data, tables=MappingProxyType(tables))


@contextmanager
def _spark() -> Iterator[Any]:
    """Give Ibis on the active Spark session; a session that was made for it is stopped at the end."""
    try:
        import ibis
        from pyspark.sql import SparkSession
    except ImportError:
        raise StudyError('engine "pyspark" needs Spark: pip install "wor-eval[spark]", and Java 17') from None
    active = SparkSession.getActiveSession()
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        session = active or SparkSession.builder.config(map=_QUIET).getOrCreate()
    except Exception as error:  # of many kinds: no Java, an older Java, no such master
        raise StudyError(
            f"Spark cannot start ({type(error).__name__}): is Java 17 installed, and JAVA_HOME set?"
        ) from None
    session.conf.set("spark.sql.session.timeZone", "UTC")
    try:
        yield ibis.pyspark.connect(session)
    finally:
        if active is None:
            session.stop()
            # Spark takes Ctrl-C to itself and does not give it back; once it has stopped, that ends in its own error.
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, on_interrupt)
