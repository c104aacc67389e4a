"""Turns rows whose cells each have a kind of their own (a spreadsheet, SQLite) into columns of text.

How many cells of a column were stored as numbers is kept: an id stored as a number has lost its leading zeros.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from wor_eval.data.files import Unreadable

if TYPE_CHECKING:
    import pyarrow as pa

_CHUNK = 50_000


@dataclass(kw_only=True, slots=True)
class Stored:
    """How the cells of one column were stored.

    Parameters
    ----------
    numbers : int
        Cells stored as a number.
    broken : int
        Cells stored as a number that is not whole.
    imprecise : int
        Cells stored as a whole number with more digits than the program keeps.
    """

    numbers: int = 0
    broken: int = 0
    imprecise: int = 0


@dataclass(kw_only=True, slots=True)
class LooseCells:
    """Rows to turn into text, and what is noticed while that happens.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.
    rows : iterable of sequence
        Cells: text, numbers, truth values, dates or nothing.
    digits : int
        Most digits that a whole number keeps.
    stored : dict of str to Stored
        Filled in while the rows are read.
    """

    header: Sequence[str]
    rows: Iterable[Sequence[Any]]
    digits: int
    stored: dict[str, Stored] = field(default_factory=dict)

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the rows as text; a row with nothing in it is left out."""
        import pyarrow as pa

        self.stored.update({name: Stored() for name in self.header})
        width, rows = len(self.header), iter(self.rows)
        while chunk := list(islice(rows, _CHUNK)):
            filled = [row for row in chunk if any(cell not in (None, "") for cell in row)]
            beyond = sum(any(cell not in (None, "") for cell in row[width:]) for row in filled)
            if beyond:
                raise Unreadable("cells to the right of the header", "give their column a name", rows=beyond)
            columns = [
                pa.array([self._text(name, row[place] if place < len(row) else None) for row in filled], pa.string())
                for place, name in enumerate(self.header)
            ]  # fmt: skip
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    def _text(self, name: str, cell: Any) -> str | None:
        """Return one cell as text."""
        if cell is None or isinstance(cell, str):
            return cell
        if isinstance(cell, bool):
            return "true" if cell else "false"
        if isinstance(cell, datetime):
            return cell.isoformat(sep=" ")
        if isinstance(cell, date):
            return cell.isoformat()
        if isinstance(cell, int | float):
            return self._number(self.stored[name], cell)
        return str(cell)

    def _number(self, stored: Stored, cell: float) -> str:
        stored.numbers += 1
        if isinstance(cell, int) or cell.is_integer():
            limit = 10**self.digits
            stored.imprecise += abs(cell) >= (limit if isinstance(cell, int) else min(limit, 2**53))
            return str(int(cell))
        stored.broken += 1
        return repr(cell)


def text_schema(header: Sequence[str]) -> pa.Schema:
    """Return a schema of text columns ``c0, c1, …``."""
    import pyarrow as pa

    return pa.schema([(f"c{place}", pa.string()) for place in range(len(header))])
