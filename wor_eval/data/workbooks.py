"""Reads a sheet of an Excel workbook, row by row, with its cells as they are stored."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from wor_eval.data.files import Unreadable

EXCEL = (".xlsx", ".xlsm")
DIGITS = 15
"""Most digits that a number in Excel keeps."""

_DAMAGED = "save the workbook again as .xlsx"
_OLD = b"\xd0\xcf\x11\xe0"
_UNCOMPUTED = re.compile(rb"</f>\s*(</c>|<v\s*/>|<v>\s*</v>)|<f[^>]*/>\s*(</c>|<v\s*/>|<v>\s*</v>)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """A sheet that is open.

    Parameters
    ----------
    name : str
        Its name.
    header : tuple of str
        Names of the columns; empty for a column without one.
    rows : iterator of sequence
        The rows below the header.
    day_zero : datetime.date
        The day that a date stored as a number is counted from.
    """

    name: str
    header: tuple[str, ...]
    rows: Iterator[Sequence[Any]]
    day_zero: date


@contextmanager
def open_sheet(path: Path, *, wanted: str, named: bool = False) -> Iterator[Sheet]:
    """Open one sheet of a workbook.

    Parameters
    ----------
    path : pathlib.Path
        The workbook.
    wanted : str
        Name of the sheet; the only sheet of a workbook may have any name.
    named : bool
        The sheet must have that name.

    Yields
    ------
    Sheet
        The sheet; its rows are read while they are asked for.

    Raises
    ------
    Unreadable
        If the workbook is damaged, protected or of the old kind, or there is no such sheet.
    """
    with refusing():
        book = _book(path)
    try:
        yield _sheet(book, wanted=wanted, named=named)
    finally:
        book.close()


@contextmanager
def refusing() -> Iterator[None]:
    """Turn whatever a damaged workbook leads to into `Unreadable`."""
    try:
        yield
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # openpyxl does not say what it raises on a damaged file
        raise Unreadable(f"the workbook cannot be read ({type(error).__name__})", _DAMAGED) from None


def _book(path: Path) -> Any:
    import openpyxl

    with path.open("rb") as file:
        head = file.read(4)
    if not head:
        raise Unreadable("the file is empty", "deliver the table with its header, or leave the file out")
    if head == _OLD:
        raise Unreadable(
            "the workbook is protected by a password, or of the old kind (.xls)",
            "save it as .xlsx without one",
        )
    _refuse_uncomputed(path)
    return openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)


def _refuse_uncomputed(path: Path) -> None:
    """Refuse formulas whose value was never computed: they would read as empty cells."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name):
                with archive.open(name) as part:
                    tail = b""
                    while piece := part.read(1 << 22):
                        if _UNCOMPUTED.search(tail + piece):
                            raise Unreadable(
                                "the workbook holds formulas without a computed value",
                                "open it in Excel and save it, or paste the values",
                            )
                        tail = piece[-200:]


def _sheet(book: Any, *, wanted: str, named: bool) -> Sheet:
    from openpyxl.utils.datetime import MAC_EPOCH

    names = {sheet.title.strip().lower(): sheet for sheet in book.worksheets}
    sheet = names.get(wanted.lower())
    if sheet is None and (named or len(names) != 1):
        raise Unreadable(
            f"there is no sheet {wanted}; it has {', '.join(s.title for s in book.worksheets)}",
            "give the sheet the name of the table, or name the sheet in [sources]",
        )
    sheet = sheet or next(iter(names.values()))
    sheet.reset_dimensions()
    rows = _rows(sheet)
    with refusing():
        header = _header(next(rows, ()))
    zero = date(1904, 1, 1) if book.epoch == MAC_EPOCH else date(1899, 12, 30)
    return Sheet(name=sheet.title, header=header, rows=rows, day_zero=zero)


def _rows(sheet: Any) -> Iterator[Sequence[Any]]:
    """Yield the values of the rows that hold any; refuse a cell that holds an error."""
    errors = 0
    with refusing():
        for row in sheet.iter_rows():
            errors += sum(cell.data_type == "e" for cell in row)
            values = [cell.value for cell in row]
            if any(value not in (None, "") for value in values):
                yield values
    if errors:
        raise Unreadable("cells that hold an error, such as #N/A", "correct them, or empty them", rows=errors)


def _header(row: Sequence[Any]) -> tuple[str, ...]:
    header = [str(cell).strip() if cell is not None else "" for cell in row]
    while header and not header[-1]:
        header.pop()
    if not header:
        raise Unreadable("the sheet is empty", "deliver the table with its header, or leave it out")
    places = {name: [i + 1 for i, other in enumerate(header) if other == name] for name in header if name}
    if twice := [" and ".join(map(str, at)) for at in places.values() if len(at) > 1]:
        raise Unreadable(
            f"the header has the same name twice (columns {'; '.join(twice)})",
            "give every column its own name",
        )
    return tuple(header)
