"""What a mapping can say of one column, of columns that become rows, and of rows to keep."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

DateWriting = Literal[
    "yyyymmdd", "yyyy-mm-dd", "dd-mm-yyyy", "dd/mm/yyyy", "mm/dd/yyyy", "ddmmyyyy", "yyyymm", "yyyy", "excel", "spss",
    "stata",
]  # fmt: skip
_PART = re.compile(r"\{(?P<name>[^{}:]+)(?::0(?P<width>\d{1,2}))?\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnRule:
    """Where a column of the dictionary comes from. Exactly one of the first four is given.

    Parameters
    ----------
    columns : tuple of str
        Names of the foreign column; the first that the file has is read.
    text : str
        Text with foreign columns in braces: ``{RINPERSOONS}{RINPERSOON:09}``; ``:09`` adds zeros in front up to
        nine digits. Empty where one of the columns is empty.
    value : str, optional
        The same for every row.
    items : tuple of str
        Columns with the answers to a questionnaire, in its order; ``.`` stands for a missing answer.
    codes : mapping of str to str
        From the foreign code, or its value label, to the code of the dictionary.
    other : str, optional
        What a code that is not among them becomes; without it, it is refused.
    date : DateWriting, optional
        How the date is written.
    factor : float, optional
        What a number is multiplied by.
    shift_days : int
        Days to add to a date.
    ages : mapping of str to tuple of (int, int)
        The column holds these classes of age, each with its lowest and highest age, and becomes a year of birth.
    on : str
        The column with the day at which the ages hold.
    """

    columns: tuple[str, ...] = ()
    text: str = ""
    value: str | None = None
    items: tuple[str, ...] = ()
    codes: Mapping[str, str] = field(default_factory=dict)
    other: str | None = None
    date: DateWriting | None = None
    factor: float | None = None
    shift_days: int = 0
    ages: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    on: str = ""

    @property
    def is_rename(self) -> bool:
        """Whether the column is taken over as it is."""
        return bool(self.columns) and self == ColumnRule(columns=self.columns)

    def parts(self) -> tuple[tuple[str, str, int], ...]:
        """Return the text in parts: what stands before a column, its name, its width in digits.

        Examples
        --------
        >>> ColumnRule(text="{a}-{b:02}-01").parts()
        (('', 'a', 0), ('-', 'b', 2), ('-01', '', 0))
        """
        found, at = [], 0
        for match in _PART.finditer(self.text):
            found.append((self.text[at : match.start()], match["name"], int(match["width"] or 0)))
            at = match.end()
        return (*found, (self.text[at:], "", 0))

    def needs(self) -> tuple[tuple[str, ...], ...]:
        """Return the foreign columns it cannot do without, each as the names it may have."""
        named = [self.columns] if self.columns else [(name,) for _, name, _ in self.parts() if name]
        return (*named, *((name,) for name in self.items), *([(self.on,)] if self.on else []))


@dataclass(frozen=True, kw_only=True, slots=True)
class Unpivot:
    """Columns that become rows.

    Parameters
    ----------
    columns : tuple of str
        The columns; those that a file does not have are left out, but not all of them.
    name, value : str
        What the rules of the columns call the name of the column, and its value.
    skip_zero : bool
        Leave out rows with value 0.
    total : str
        A column that holds the sum of the columns in every row: where the file has it, rows in which the sum
        differs by more than a euro are counted and refused.
    """

    columns: tuple[str, ...]
    name: str
    value: str
    skip_zero: bool = False
    total: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Where:
    """Rows to keep: those in which a column is filled, holds one of some codes, or none of some codes."""

    column: str
    one_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()


def clean_cuts(ages: Mapping[str, tuple[int, int]]) -> tuple[int, ...]:
    """Return the ages at which classes can be told apart: the lower limits that no other class crosses.

    Examples
    --------
    >>> clean_cuts({"18-30": (18, 30), "31-60": (31, 60), "61-75": (61, 75), "75+": (75, 110)})
    (18, 31, 61)
    """
    lows = sorted({low for low, _ in ages.values()})
    return tuple(cut for cut in lows if not any(low < cut <= high for low, high in ages.values()))


@dataclass(frozen=True, kw_only=True, slots=True)
class KindBreak:
    """A day on which kinds of contact changed: over it, only some kinds together can be compared.

    Parameters
    ----------
    on : datetime.date
        First day with the new codes.
    together : frozenset of str
        The kinds that can only be compared together.
    """

    on: date
    together: frozenset[str]
