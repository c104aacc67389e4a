"""What a mapping can do with the text of a cell. A cell that does not fit stays as it is, and is refused later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import reduce
from typing import TYPE_CHECKING

from wor_eval.data.mapping_rules import DateWriting
from wor_eval.data.schema import Column
from wor_eval.data.statistical_files import ZERO_OF_SPSS, ZERO_OF_STATA

if TYPE_CHECKING:
    import ibis

UNKNOWN = "code that the mapping does not have"
_ISO = r"^\d{4}-\d{2}-\d{2}"
_PATTERNS: Mapping[str, tuple[str, str]] = {
    "yyyymmdd": (r"^(\d{4})(\d{2})(\d{2})$", r"\1-\2-\3"),
    "ddmmyyyy": (r"^(\d{2})(\d{2})(\d{4})$", r"\3-\2-\1"),
    "dd-mm-yyyy": (r"^(\d{1,2})-(\d{1,2})-(\d{4})$", r"\3-\2-\1"),
    "dd/mm/yyyy": (r"^(\d{1,2})/(\d{1,2})/(\d{4})$", r"\3-\2-\1"),
    "mm/dd/yyyy": (r"^(\d{1,2})/(\d{1,2})/(\d{4})$", r"\3-\1-\2"),
    "yyyymm": (r"^(\d{4})-?(\d{2})$", r"\1-\2-01"),
    "yyyy": (r"^(\d{4})$", r"\1-01-01"),
}
_COUNTED: Mapping[str, tuple[date, int]] = {
    "excel": (date(1899, 12, 30), 1), "spss": (ZERO_OF_SPSS, 86_400), "stata": (ZERO_OF_STATA, 1),
}  # fmt: skip


def coded(text: ibis.Value, codes: Mapping[str, str], *, other: str | None, column: Column) -> ibis.Value:
    """Replace foreign codes.

    Parameters
    ----------
    text : ibis.Value
        The foreign codes.
    codes : mapping of str to str
        From the foreign code to the code of the dictionary; an empty one leaves the cell empty.
    other : str, optional
        What a code that is not among them becomes.
    column : Column
        The column of the dictionary: where its type or its code list binds, an unknown code becomes a text
        that no rule lets through; else it stays as it is.

    Returns
    -------
    ibis.Value
        Codes of the dictionary.
    """
    bound = bool(column.levels) or column.type != "string"
    rest = other if other is not None else UNKNOWN if bound else text
    return text.isnull().ifelse(text, text.cases(*codes.items(), else_=rest)).nullif("")


def dated(text: ibis.Value, writing: DateWriting) -> ibis.Value:
    """Return a date as yyyy-mm-dd; a cell that is not written this way becomes a text that is no date."""
    if writing in _COUNTED:
        zero, unit = _COUNTED[writing]
        return _after(zero, text.re_search(r"^\d{1,12}$").ifelse(text.try_cast("int64"), None) // unit, text)
    if writing in _PATTERNS:
        pattern, iso = _PATTERNS[writing]
        plain = text.re_replace(r"[ T]0?0:00(:00(\.0+)?)?$", "")
        parts = (
            plain.re_replace(pattern, iso).re_replace(r"-(\d)(-|$)", r"-0\1\2").re_replace(r"-(\d)$", r"-0\1")
        )
        fits = plain.re_search(pattern) | text.re_search(_ISO)
        return text.isnull().ifelse(text, fits.ifelse(parts, UNKNOWN))
    return text


def shifted(text: ibis.Value, days: int) -> ibis.Value:
    """Return a date some days later."""
    return _after_day(text.substr(0, 10).try_cast("date"), days, text)


def birth_year(text: ibis.Value, ages: Mapping[str, tuple[int, int]], *, on: ibis.Value) -> ibis.Value:
    """Return the year of birth of a person in the middle of a class of ages at a day."""
    middle = {label: str((low + min(high, low + 15)) // 2) for label, (low, high) in ages.items()}
    age = text.cases(*middle.items(), else_=UNKNOWN).try_cast("int64")
    year = on.re_extract(r"(\d{4})", 1).try_cast("int64")
    born = (year - age).cast("string")
    return text.isnull().ifelse(text, born.fill_null(UNKNOWN))


def multiplied(text: ibis.Value, factor: float) -> ibis.Value:
    """Return a number times a factor, as text; what is no number stays as it is."""
    number = text.re_replace(r"^([+-]?\d+),(\d+)$", r"\1.\2").try_cast("float64")
    return (number * factor).round(10).cast("string").fill_null(text)


def joined_items(answers: Sequence[ibis.Value]) -> ibis.Value:
    """Return answers with a space between, a dot for each that is missing; null where all are missing."""
    texts = [answer.fill_null(".") for answer in answers]
    line = reduce(lambda one, other: one + " " + other, texts)
    return line.re_search(r"^\.( \.)*$").ifelse(None, line)


def _after(zero: date, days: ibis.Value, text: ibis.Value) -> ibis.Value:
    import ibis

    return _after_day(ibis.date(zero.isoformat()), days, text)


def _after_day(day: ibis.Value, days: ibis.Value | int, text: ibis.Value) -> ibis.Value:
    import ibis

    count = ibis.literal(days) if isinstance(days, int) else days
    return (day + count.as_interval("D")).cast("date").cast("string").fill_null(text)
