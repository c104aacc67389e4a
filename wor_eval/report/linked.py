"""Secondary suppression over all tables of a study together.

What is hidden in one table is hidden in every other where the same count stands, and so much more is hidden that the
sums between all tables leave each small count open: as far as they tell, it may be one person, and it may be as many
as may be shown. That is checked as an attacker would, with the bounds that a linear program gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from wor_eval.errors import WorEvalError
from wor_eval.report.counts import Counts, Equation, Row, count_persons, rows_with
from wor_eval.report.disclosure import DisclosureRule, complementary, primary, small_steps

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.study import Disclosure

_CLOSE: Final = 1e-6
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Protection:
    """Which rows of a table are hidden, and why.

    Attributes
    ----------
    hidden : ndarray of bool, shape (n,)
        Rows that are hidden.
    reason : ndarray of str, shape (n,)
        ``persons``, ``dominance``, ``df``, ``step``, ``subtraction`` (within the table) or ``linked`` (with another
        table); empty where a row is shown.
    """

    hidden: Flags
    reason: NDArray[np.str_]


def protect_tables(
    tables: Mapping[str, pd.DataFrame], rules: Mapping[str, DisclosureRule], settings: Disclosure
) -> dict[str, Protection]:
    """Find out what to hide in all tables of a study.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The results, nothing hidden yet.
    rules : mapping of str to DisclosureRule
        How each table is protected.
    settings : Disclosure
        The limits of the plan.

    Returns
    -------
    dict of str to Protection
        For each table.
    """
    counts, where = count_persons(tables, rules, smallest=settings.min_persons)
    first = {name: primary(frame, rules[name], settings) for name, frame in tables.items()}
    unknown = _small(counts, settings)
    safe: set[frozenset[int]] = set()
    while True:
        unknown = _protected(counts, unknown, settings, safe)
        held = dict(rows_with(where, unknown))
        shut = {
            name: complementary(
                frame,
                rules[name],
                np.logical_or.reduce([*first[name].values(), held[name]]),
                min_persons=settings.min_persons,
            )
            for name, frame in tables.items()
        }
        further = set(unknown)
        for name in [name for name in tables if rules[name].steps]:
            numbers = tables[name][list(rules[name].persons)].to_numpy(float)
            first[name]["step"] = small_steps(numbers, shut[name], settings.min_persons)
            shut[name] = shut[name] | first[name]["step"]
            further |= set(_steps(numbers, where[name], shut[name], settings))
        if further <= unknown:
            return {name: _told(first[name], held[name], shut[name]) for name in tables}
        unknown |= further


def _told(first: Mapping[str, Flags], held: Flags, shut: Flags) -> Protection:
    """Give each hidden row its first reason."""
    reason = np.full(shut.size, "", dtype="U12")
    for name, flags in (("subtraction", shut), ("linked", held), *reversed(list(first.items()))):
        reason[flags] = name
    return Protection(hidden=shut, reason=reason)


def _small(counts: Counts, settings: Disclosure) -> set[int]:
    lowest = 0 if settings.hide_zeros else 1
    return counts.outside | {
        place
        for place, value in enumerate(counts.value)
        if lowest <= value < settings.min_persons and (value or counts.rows[place])
    }


def _steps(
    numbers: NDArray[np.float64], where: NDArray[np.int64], hidden: Flags, settings: Disclosure
) -> Iterator[int]:
    """Give the counts, by arm, that differ too little from the next step that is shown."""
    for column, places in zip(numbers.T, where.T, strict=True):
        shown = ~hidden
        for step in np.flatnonzero(hidden):
            later = np.flatnonzero(shown[step + 1 :])
            gap = abs(column[step] - column[step + 1 + later[0]]) if later.size else 0
            if 0 < gap < settings.min_persons:
                yield int(places[step])


def _closed(counts: Counts, unknown: set[int], settings: Disclosure) -> set[int]:
    """Hide a next count wherever the sum of one equation tells a hidden one or bounds it below the limit."""
    unknown = set(unknown) - {-1}
    of, hidden = _by_variable(counts), _rows(counts, unknown)
    queue = list(range(len(counts.equations)))
    waiting = set(queue)
    while queue:
        place = queue.pop()
        waiting.discard(place)
        equation = counts.equations[place]
        if _tells(counts, equation, unknown, settings.min_persons):
            chosen = _cheapest(counts, {variable for variable, _ in equation.terms} - unknown, hidden)
            if chosen is not None:
                unknown.add(chosen)
                hidden |= counts.rows[chosen]
                fresh = [other for other in of[chosen] if other not in waiting]
                queue += fresh
                waiting.update(fresh)
    return unknown


def _by_variable(counts: Counts) -> list[list[int]]:
    of: list[list[int]] = [[] for _ in counts.value]
    for place, equation in enumerate(counts.equations):
        for variable, _ in equation.terms:
            of[variable].append(place)
    return of


def _tells(counts: Counts, equation: Equation, unknown: set[int], smallest: int) -> bool:
    """Tell whether the known counts of an equation give its unknown ones away."""
    terms = equation.over(unknown)
    if not terms:
        return False
    if len(terms) == 1:
        return len(equation.terms) > 1
    same_sign = len({sign > 0 for _, sign in terms}) == 1
    return same_sign and 0 < sum(counts.value[variable] for variable, _ in terms) < smallest


def _cheapest(counts: Counts, candidates: set[int], hidden: set[Row]) -> int | None:
    """Choose the count that hides the fewest rows more, then the smallest; one of nobody hides nothing."""
    useful = [variable for variable in candidates if counts.value[variable] > 0]
    if not useful:
        return None
    return min(useful, key=lambda v: (len(counts.rows[v] - hidden), counts.value[v], v))


def _rows(counts: Counts, unknown: set[int]) -> set[Row]:
    return {row for variable in unknown for row in counts.rows[variable]}


def _protected(
    counts: Counts, unknown: set[int], settings: Disclosure, safe: set[frozenset[int]]
) -> set[int]:
    """Hide further counts until every small one is left open by all sums together.

    ``safe`` remembers the groups of hidden counts that have been found so.
    """
    while True:
        unknown = _closed(counts, unknown, settings)
        parts = [part for part in _components(counts, unknown) if len(part) > 1]
        parts = [part for part in parts if _hidden(part, unknown) not in safe]
        more: set[int] = set()
        hidden = _rows(counts, unknown)
        for part, exposed in zip(parts, _exposed(counts, parts, unknown, settings.min_persons), strict=True):
            chosen = _next(counts, part, exposed, (unknown, hidden))
            if chosen is None:
                safe.add(_hidden(part, unknown))
            else:
                more.add(chosen)
        if not more:
            return unknown
        unknown = unknown | more


def _hidden(part: list[Equation], unknown: set[int]) -> frozenset[int]:
    return frozenset(variable for equation in part for variable, _ in equation.over(unknown))


def _next(
    counts: Counts, component: list[Equation], exposed: list[int], now: tuple[set[int], set[Row]]
) -> int | None:
    """Choose a count to hide beside exposed ones: in one of their own sums, else in one that bears on these."""
    unknown, hidden = now
    touching = [e for e in component if any(variable in exposed for variable, _ in e.terms)]
    for near in (touching, component) if exposed else ():
        chosen = _cheapest(counts, {v for e in near for v, _ in e.terms} - unknown, hidden)
        if chosen is not None:
            return chosen
    return None


def _components(counts: Counts, unknown: set[int]) -> list[list[Equation]]:
    """Group the equations that share an unknown count."""
    root: dict[int, int] = {variable: variable for variable in unknown}

    def find(variable: int) -> int:
        while root[variable] != variable:
            root[variable] = root[root[variable]]
            variable = root[variable]
        return variable

    live = [(equation, equation.over(unknown)) for equation in counts.equations]
    live = [(equation, terms) for equation, terms in live if terms]
    for _, terms in live:
        for variable, _ in terms[1:]:
            root[find(variable)] = find(terms[0][0])
    groups: dict[int, list[Equation]] = {}
    for equation, terms in live:
        groups.setdefault(find(terms[0][0]), []).append(equation)
    return list(groups.values())


def _exposed(
    counts: Counts, parts: list[list[Equation]], unknown: set[int], smallest: int
) -> list[list[int]]:
    """Give the small counts of each part that its equations do not leave open between one and the limit.

    The parts share no unknown, so that one linear program bounds a count of every part at once; a point that it
    finds bounds the other counts of the part too.
    """
    places = sorted({variable for part in parts for variable in _hidden(part, unknown)})
    column = {variable: j for j, variable in enumerate(places)}
    solve = _Bounds(counts, [equation for part in parts for equation in part], column)
    small = [
        [column[v] for v in sorted(_hidden(part, unknown) - counts.outside) if 0 < counts.value[v] < smallest]
        for part in parts
    ]
    tried: set[tuple[int, int]] = set()
    low, high = np.full(len(places), np.inf), np.full(len(places), -np.inf)
    while True:
        goals = [_goal(group, (low, high), tried, smallest) for group in small]
        wanted = [goal for goal in goals if goal is not None]
        if not wanted:
            break
        tried.update(wanted)
        point = solve.at(wanted)
        low, high = np.minimum(low, point), np.maximum(high, point)
    return [
        [places[j] for j in group if low[j] > 1 + _CLOSE or high[j] < smallest - _CLOSE] for group in small
    ]


def _goal(
    group: list[int],
    ends: tuple[NDArray[np.float64], NDArray[np.float64]],
    tried: set[tuple[int, int]],
    smallest: int,
) -> tuple[int, int] | None:
    """Give the next count of a part to bound, from below (1) or from above (-1)."""
    low, high = ends
    for j in group:
        for sign, found in ((1, low[j] <= 1), (-1, high[j] >= smallest)):
            if not found and (j, sign) not in tried:
                return j, sign
    return None


class _Bounds:
    """The equations over their unknown counts, to be bounded by linear programs."""

    def __init__(self, counts: Counts, equations: list[Equation], column: Mapping[int, int]) -> None:
        from scipy.sparse import csr_array

        rows, columns, signs, known = [], [], [], []
        for i, equation in enumerate(equations):
            rest = 0
            for variable, sign in equation.terms:
                if variable in column:
                    rows.append(i)
                    columns.append(column[variable])
                    signs.append(float(sign))
                else:
                    rest -= sign * counts.value[variable]
            known.append(float(rest))
        self.matrix = csr_array((signs, (rows, columns)), shape=(len(equations), len(column)))
        self.known = np.array(known)
        self.box = 4.0 * max((counts.value[variable] for variable in column), default=0) + 1000.0

    def at(self, goals: list[tuple[int, int]]) -> NDArray[np.float64]:
        """Give counts that fit all sums with some of them as low (1) or as high (-1) as can be."""
        from scipy.optimize import linprog

        cost = np.zeros(self.matrix.shape[1])
        for place, sign in goals:
            cost[place] = sign
        found = linprog(cost, A_eq=self.matrix, b_eq=self.known, bounds=(0, self.box), method="highs")
        if not found.success:  # the true counts fit: a fault of the solver, never a reason to show more
            raise WorEvalError(f"bounds of hidden counts could not be found: {found.message}")
        point: NDArray[np.float64] = found.x
        return point


def withheld(tables: Mapping[str, tuple[pd.DataFrame, DisclosureRule, Protection]]) -> str:
    """Write for the output checker which rows are hidden and why, without what they held.

    Parameters
    ----------
    tables : mapping of str to (DataFrame, DisclosureRule, Protection)
        Each table with its rule and what is hidden of it.

    Returns
    -------
    str
        CSV: ``table, row, reason``; the reasons are those of :class:`Protection`.
    """
    import pandas as pd

    rows = []
    for name, (frame, rule, protection) in tables.items():
        held = {*rule.persons, *rule.hides, rule.dominance}
        keys = [column for column in frame.columns if column not in held]
        for place in np.flatnonzero(protection.hidden):
            told = "; ".join(f"{key}={frame[key].iloc[place]}" for key in keys)
            rows.append((name, told, str(protection.reason[place])))
    frame = pd.DataFrame(rows, columns=["table", "row", "reason"])
    return str(frame.to_csv(index=False, lineterminator="\n"))
