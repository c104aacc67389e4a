"""Reads SPSS and Stata files in chunks: missing codes left out, dates as dates, value labels beside the codes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wor_eval.data.files import Unreadable

if TYPE_CHECKING:
    import pyarrow as pa

SPSS, STATA = (".sav", ".zsav"), (".dta",)
ZERO_OF_SPSS, ZERO_OF_STATA = date(1582, 10, 14), date(1960, 1, 1)
_CHUNK = 200_000
_DAY = 86_400
_SPSS_DAYS = re.compile(r"(A|E|S|J)?DATE\d*(\.\d+)?$")
_SPSS_MOMENTS = re.compile(r"(DATETIME|YMDHMS)\d*(\.\d+)?$")
_DAMAGED = "deliver the file again, and check that it opens where it was made"


@dataclass(frozen=True, kw_only=True, slots=True)
class StatisticalFile:
    """What an SPSS or Stata file says of itself.

    Parameters
    ----------
    header : tuple of str
        Names of the variables.
    schema : pyarrow.Schema
        How their values are stored, in columns ``c0, c1, …``.
    rows : int, optional
        Number of rows the file says it has.
    labels : mapping of str to mapping of str to str
        Per variable its codes, as text, with their value labels.
    notes : tuple of str
        What was detected.
    """

    header: tuple[str, ...]
    schema: pa.Schema
    rows: int | None
    labels: Mapping[str, Mapping[str, str]]
    notes: tuple[str, ...]


def describe(path: Path) -> StatisticalFile:
    """Read what a file says of itself, and no row.

    Parameters
    ----------
    path : pathlib.Path
        A ``.sav``, ``.zsav`` or ``.dta`` file.

    Returns
    -------
    StatisticalFile
        Variables, types, value labels.

    Raises
    ------
    Unreadable
        If it is damaged, or holds no variables or one name twice.
    """
    import pyarrow as pa

    _, meta = _read(path, metadataonly=True)
    header = tuple(meta.column_names)
    if not header:
        raise Unreadable("the file holds no variables", _DAMAGED)
    if len({name.lower() for name in header}) < len(header):
        raise Unreadable("two variables have the same name", "give every variable its own name")
    kinds = [_kind(meta, name, spss=_is_spss(path)) for name in header]
    return StatisticalFile(
        header=header,
        schema=pa.schema([(f"c{place}", kind) for place, kind in enumerate(kinds)]),
        rows=meta.number_rows,
        labels={name: _labels(values) for name, values in meta.variable_value_labels.items()},
        notes=_notes(path, meta),
    )


def batches(path: Path, file: StatisticalFile) -> Iterator[pa.RecordBatch]:
    """Read the rows, some at a time.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    file : StatisticalFile
        What it says of itself.

    Yields
    ------
    pyarrow.RecordBatch
        Rows in the types of ``file.schema``; missing values, those declared by the user included, are null.

    Raises
    ------
    Unreadable
        If it is damaged or cut off.
    """
    import pyarrow as pa

    done = 0
    while True:
        # As numbers: Python dates, one object a cell, take longer than all the rest.
        columns, _ = _read(path, row_limit=_CHUNK, row_offset=done)
        stored = zip(file.header, file.schema, strict=True)
        values = [_array(columns[name], field.type, path) for name, field in stored]
        batch = pa.RecordBatch.from_arrays(values, schema=file.schema)
        yield batch
        done += batch.num_rows
        if batch.num_rows < _CHUNK:
            break
    if file.rows is not None and done != file.rows:
        raise Unreadable("the file holds fewer rows than it says: it is cut off", _DAMAGED)


def _is_spss(path: Path) -> bool:
    return path.name.lower().endswith(SPSS)


def _read(
    path: Path, *, metadataonly: bool = False, row_limit: int = 0, row_offset: int = 0
) -> tuple[Any, Any]:
    """Read with pyreadstat; its own messages may hold a piece of the file."""
    import pyreadstat

    read = pyreadstat.read_sav if _is_spss(path) else pyreadstat.read_dta
    try:
        columns, meta = read(
            str(path),
            metadataonly=metadataonly,
            row_limit=row_limit,
            row_offset=row_offset,
            output_format="dict",
            disable_datetime_conversion=True,
        )
    except Exception as error:  # whatever a damaged file leads to in a parser written in C
        raise Unreadable(f"the file cannot be read ({type(error).__name__})", _DAMAGED) from None
    return columns, meta


def _kind(meta: Any, name: str, *, spss: bool) -> pa.DataType:
    """Return how a variable is stored: the format tells whether a number is a day."""
    import pyarrow as pa

    stored, shown = meta.readstat_variable_types[name], meta.original_variable_types[name] or ""
    if stored == "string":
        return pa.string()
    if spss and _SPSS_DAYS.match(shown):
        return pa.date32()
    if (spss and _SPSS_MOMENTS.match(shown)) or (not spss and shown[:3].lower() == "%tc"):
        return pa.timestamp("s")
    if not spss and (shown[:3] == "%td" or shown[:2] == "%d"):
        return pa.date32()
    if stored == "float":
        return pa.float32()
    return pa.int64() if stored.startswith("int") else pa.float64()


def _array(values: Any, kind: pa.DataType, path: Path) -> pa.Array:
    """Return one column of a chunk; days are counted from the day the program counts from."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_string(kind):
        return pa.array(values, type=kind, from_pandas=True)
    numbers = pa.array(values, type=pa.float64(), from_pandas=True)
    try:
        if pa.types.is_date32(kind) or pa.types.is_timestamp(kind):
            zero = ZERO_OF_SPSS if _is_spss(path) else ZERO_OF_STATA
            unit = _DAY if _is_spss(path) and pa.types.is_date32(kind) else 1
            unit = 1000 if not _is_spss(path) and pa.types.is_timestamp(kind) else unit
            shift = (zero - date(1970, 1, 1)).days * (1 if pa.types.is_date32(kind) else _DAY)
            whole = pc.floor(pc.divide(numbers, float(unit)))
            counted = pc.add(whole, float(shift)).cast(pa.int64())
            return counted.cast(pa.int32()).cast(kind) if pa.types.is_date32(kind) else counted.cast(kind)
        return numbers.cast(kind, safe=not pa.types.is_float32(kind))
    except pa.ArrowInvalid:
        raise Unreadable("a variable holds numbers that are no days, or too large", _DAMAGED) from None


def _labels(values: Mapping[Any, str]) -> dict[str, str]:
    """Return the codes as text: 1, not 1.0."""
    whole = {
        code: str(int(code)) if isinstance(code, float) and code.is_integer() else str(code).strip()
        for code in values
    }
    return {whole[code]: str(label).strip() for code, label in values.items()}


def _notes(path: Path, meta: Any) -> tuple[str, ...]:
    program = "SPSS" if _is_spss(path) else "Stata"
    notes = [program]
    if meta.file_encoding:
        notes.append(f"encoding {meta.file_encoding}")
    if _is_spss(path):
        # Asked apart: with the missing codes left out, pyreadstat no longer says that there are any.
        from pyreadstat import read_sav

        _, declared = read_sav(str(path), metadataonly=True, user_missing=True, output_format="dict")
        if declared.missing_ranges:
            notes.append(f"codes declared missing are left out: {', '.join(declared.missing_ranges)}")
    return tuple(notes)
