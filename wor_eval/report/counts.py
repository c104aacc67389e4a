"""The counts of persons in all tables of a study as unknowns, and the sums that tie them together.

Whoever reads the results knows more than one table: the same count stands in several of them, age bands add up to
all ages, and a part and its remainder to a whole. Here every count becomes a variable. Counts of the same arm, age
band and level with the same number are one variable wherever they stand: what is truly the same count has the same
number, and a chance match only makes the protection stricter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from wor_eval.report.disclosure import DisclosureRule, lines

if TYPE_CHECKING:
    import pandas as pd

ALL: Final = "all"
_POPULATION: Final = ("n_persons", "n_referred", "n_comparison", "n_matched")
Key = tuple[str, str, tuple[str, ...], str, int]
Row = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Equation:
    """A sum that everybody knows: coefficients by variable, which add up to nothing."""

    terms: tuple[tuple[int, int], ...]

    def over(self, unknown: set[int]) -> list[tuple[int, int]]:
        """Give the terms whose variable is unknown."""
        return [(variable, sign) for variable, sign in self.terms if variable in unknown]


@dataclass(kw_only=True, slots=True)
class Counts:
    """The variables of a study.

    Attributes
    ----------
    value : list of int
        True number of persons of each variable.
    rows : list of set of (table, row)
        Where each variable stands; a remainder stands nowhere.
    equations : list of Equation
        The sums between them, each once.
    outside : set of int
        Variables of those who are in a total and in none of its parts: nobody publishes them, and nobody knows them.
    """

    value: list[int] = field(default_factory=list)
    rows: list[set[Row]] = field(default_factory=list)
    equations: list[Equation] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    number: dict[Key, int] = field(default_factory=dict)
    seen: set[Equation] = field(default_factory=set)
    outside: set[int] = field(default_factory=set)

    def variable(self, key: Key, row: Row | None = None) -> int:
        """Give the number of a variable, new where its key is."""
        place = self.number.setdefault(key, len(self.value))
        if place == len(self.value):
            self.value.append(key[-1])
            self.keys.append(key)
            self.rows.append(set())
        if row is not None:
            self.rows[place].add(row)
        return place

    def add(self, terms: Mapping[int, int]) -> None:
        """Add an equation; terms that cancel out are left out."""
        kept = tuple(sorted((variable, sign) for variable, sign in terms.items() if sign))
        equation = Equation(kept)
        if kept and equation not in self.seen:
            self.seen.add(equation)
            self.equations.append(equation)


def count_persons(
    tables: Mapping[str, pd.DataFrame], rules: Mapping[str, DisclosureRule], *, smallest: int
) -> tuple[Counts, dict[str, NDArray[np.int64]]]:
    """Make the variables of all tables.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The results, nothing hidden yet.
    rules : mapping of str to DisclosureRule
        How each table is protected.
    smallest : int
        Fewest persons that may be told; where parts and their total differ by fewer, the rest are in no part.

    Returns
    -------
    Counts
        Variables and equations.
    dict of str to ndarray, shape (rows, counting columns)
        Which variable stands where; -1 where a count is missing.
    """
    counts = Counts()
    bands = {str(band) for frame in tables.values() if "age_band" in frame for band in frame["age_band"]}
    where = {name: _variables(counts, (name, frame), rules[name], bands) for name, frame in tables.items()}
    for name, frame in tables.items():
        _add_lines(counts, frame, (rules[name], where[name]), smallest)
        _add_rows(counts, frame, rules[name], where[name])
    return counts, where


def _variables(
    counts: Counts, named: tuple[str, pd.DataFrame], rule: DisclosureRule, bands: set[str]
) -> NDArray[np.int64]:
    name, frame = named
    out = np.full((len(frame), len(rule.persons)), -1, dtype=np.int64)
    band, levels = _places(frame, rule, bands)
    about, own = _named(frame, rule.by), _named(frame, rule.group)
    for j, column in enumerate(rule.persons):
        arm, kind = _arms(frame, rule, column), _kind(column)
        whole = column in rule.within.values()  # not set apart by the levels of its part
        for i, value in enumerate(frame[column].to_numpy(dtype=float)):
            if np.isfinite(value):
                part = own[i] if column in rule.since else () if kind == "n_persons" else about[i]
                apart = (*levels[i], *part)
                key = (arm[i], band[i], () if whole else apart, kind, round(value))
                out[i, j] = counts.variable(key, (name, i))
    return out


def _named(frame: pd.DataFrame, columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Give the levels of some columns, row by row."""
    named = [[f"{column}={value}" for value in frame[column].astype(str)] for column in columns]
    return list(zip(*named, strict=True)) if named else [()] * len(frame)


def _kind(column: str) -> str:
    """Give what a column counts: all columns of whole groups count the same thing, ``n_events`` is ``n_event``."""
    if column in _POPULATION:
        return "n_persons"
    return column.removesuffix("_referred").removesuffix("_comparison").removesuffix("s")


def _arms(frame: pd.DataFrame, rule: DisclosureRule, column: str) -> list[str]:
    """Give the arm that each row of a counting column is about."""
    named = [arm for arm in ("referred", "comparison") if column.endswith(f"_{arm}")]
    if named:
        return named * len(frame)
    return [str(arm) for arm in frame["arm"]] if "arm" in frame else [rule.arm] * len(frame)


def _places(
    frame: pd.DataFrame, rule: DisclosureRule, bands: set[str]
) -> tuple[list[str], list[tuple[str, ...]]]:
    """Give the age band of each row, and the other levels that set it apart; a level ``all`` sets nothing apart."""
    n = len(frame)
    band = [str(value) for value in frame["age_band"]] if "age_band" in frame else [ALL] * n
    others = [column for column in rule.adds_up if column != "age_band"]
    levels: list[tuple[str, ...]] = [() for _ in range(n)]
    for column in others:
        for i, value in enumerate(frame[column].astype(str)):
            if value in bands and value != ALL and band[i] == ALL:
                band[i] = value
            elif value != ALL:
                levels[i] = (*levels[i], f"{column}={value}")
    return band, levels


def _add_lines(
    counts: Counts, frame: pd.DataFrame, ruled: tuple[DisclosureRule, NDArray[np.int64]], smallest: int
) -> None:
    """Add the sums over the levels of each column that adds up.

    New events are left out: they count from the last point that is shown, which differs between levels; where it does
    not, their sums follow from those of all events.
    """
    rule, where = ruled
    summed = [j for j, name in enumerate(rule.persons) if name not in rule.since]
    for column in rule.adds_up:
        total = (frame[column].astype(str) == ALL).to_numpy()
        for line in lines(frame, rule, column):
            for j in summed:
                _add_line(counts, where[line, j], total[line], (column, smallest))


def _add_line(
    counts: Counts, line: NDArray[np.int64], total: NDArray[np.bool_], ruled: tuple[str, int]
) -> None:
    """Add the sum of one line; where its total is not in the table, it may stand in another."""
    column, smallest = ruled
    parts, whole = line[~total & (line >= 0)].tolist(), line[total & (line >= 0)].tolist()
    if not parts:
        return
    terms: dict[int, int] = {}
    for variable in parts:
        terms[variable] = terms.get(variable, 0) + 1
    known = sum(counts.value[variable] for variable in parts)
    for variable in whole or [counts.variable(_total_key(counts, parts, column, known))]:
        gap = counts.value[variable] - known
        if 0 <= gap < smallest:  # else the levels are no parts of it: one person can be in several
            rest = _outside(counts, variable, column, gap) if gap else {}
            counts.add({**terms, **rest, variable: terms.get(variable, 0) - 1})


def _outside(counts: Counts, whole: int, column: str, gap: int) -> dict[int, int]:
    """Give the term of those who are in a total and in no level of a column."""
    arm, band, levels, kind, _ = counts.keys[whole]
    rest = counts.variable((arm, band, levels, f"{kind} in no {column}", gap))
    counts.outside.add(rest)
    return {rest: 1}


def _total_key(counts: Counts, parts: list[int], column: str, total: int) -> Key:
    """Give the key of a total: that of its parts without the level that sets them apart."""
    arm, band, levels, kind, _ = counts.keys[parts[0]]
    same_band = column != "age_band" and all(counts.keys[part][1] == band for part in parts)
    kept = tuple(level for level in levels if not level.startswith(f"{column}="))
    return (arm, band if same_band else ALL, kept, kind, total)


def _add_rows(counts: Counts, frame: pd.DataFrame, rule: DisclosureRule, where: NDArray[np.int64]) -> None:
    """Add the sums within a row: a part and its remainder make the whole, new events and earlier ones all events."""
    column = {name: j for j, name in enumerate(rule.persons)}
    pairs = [*((part, whole, "rest") for part, whole in rule.within.items())]
    pairs += [(new, all_, "earlier") for new, all_ in rule.since.items()]
    for part, whole, kind in pairs:
        for i in range(len(frame)):
            one, both = int(where[i, column[part]]), int(where[i, column[whole]])
            if one < 0 or both < 0:
                continue
            rest = counts.value[both] - counts.value[one]
            if rest >= 0:
                key = counts.keys[one if kind == "rest" else both]
                name = f"{part} of {whole}" if kind == "rest" else key[3]
                remainder = counts.variable((*key[:3], name, rest))
                terms: dict[int, int] = {one: 1}
                for variable, sign in ((remainder, 1), (both, -1)):
                    terms[variable] = terms.get(variable, 0) + sign
                counts.add(terms)


def rows_with(
    where: Mapping[str, NDArray[np.int64]], variables: set[int]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Give for each table which rows hold one of some variables."""
    chosen = np.fromiter(variables, dtype=np.int64, count=len(variables))
    for name, places in where.items():
        yield name, np.any(np.isin(places, chosen), axis=1).astype(bool)
