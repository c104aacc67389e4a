"""Writes the tables of a study as Parquet, sorted by person: read where they stand, and summed in less time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wor_eval.whole import whole_folder

if TYPE_CHECKING:
    from wor_eval.data.read import StudyData


def sort_data(data: StudyData, folder: Path | str) -> Path:
    """Write the tables of a study as Parquet, each sorted by its ids and dates.

    Sums by person over a sorted file keep few persons in memory at a time. What does not fit in the memory of the
    engine is sorted in the temporary folder.

    Parameters
    ----------
    data : StudyData
        The validated tables.
    folder : pathlib.Path or str
        Folder to make; it appears whole or not at all.

    Returns
    -------
    pathlib.Path
        The folder, which `wor_eval.read_data` takes.

    Raises
    ------
    WorEvalError
        The folder exists, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import wor_eval as we
    >>> scratch = Path(tempfile.mkdtemp())
    >>> data = we.read_data(we.simulate_study(scratch / "study", persons=2000, seed=1))
    >>> ids = we.read_data(sort_data(data, scratch / "sorted")).tables["contacts"].person_id.to_pandas()
    >>> bool(ids.is_monotonic_increasing)
    True
    """
    with whole_folder(Path(folder)) as place:
        for name, table in data.tables.items():
            columns = data.dictionary.tables[name].columns.values()
            first = [
                column.name for column in columns if column.required and column.type in ("string", "date")
            ]
            ids = [column for column in first if column.endswith("_id")] or first
            dates = [column for column in first if column.endswith("_on")]
            table.order_by(*dict.fromkeys([*ids, *dates])).to_parquet(place / f"{name}.parquet")
    return Path(folder)
