"""What may leave the building: small cells, dominance and differencing are handled when results are saved.

The rules are those that Statistics Netherlands (CBS) works with, as settings of the plan. Which columns of a
results table count persons, which are hidden with them and which parts add up to a total stands in
``data_dictionary/results/``. A hidden value is missing and its row says ``suppressed``; it is never a code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from wor_eval.study import Disclosure


Flags: TypeAlias = "NDArray[np.bool_]"


@dataclass(frozen=True, kw_only=True, slots=True)
class DisclosureRule:
    """How one results table is protected.

    Attributes
    ----------
    persons : tuple of str
        Columns that count the persons behind a row.
    hides : tuple of str
        Columns hidden with a row, besides the counts themselves.
    group : tuple of str
        Columns that name the blocks within which parts add up.
    adds_up : tuple of str
        Columns whose levels add up to a total, so that one hidden part could be found by subtraction.
    by : tuple of str
        Columns that set counts of a part of the persons (users, events) apart, besides arm, age band and what adds up.
    within : mapping of str to str
        Counts that are a part of another count of the row, so that the remainder is a count too.
    since : mapping of str to str
        Counts of what is new in a row, of a count that runs on from the row before.
    shares : mapping of str to str
        Shares, with the count of persons that each is a share of.
    arm : str
        The arm that counts without one are about.
    dominance : str, optional
        Column with the share of the largest contributor; it is used and never saved.
    parameters : int, optional
        Parameters of the model behind a row, taken from its persons for the degrees of freedom.
    steps : bool
        Whether each row counts who of the row before it is left, so that two rows tell how many were left out.
    """

    persons: tuple[str, ...]
    hides: tuple[str, ...]
    group: tuple[str, ...] = ()
    adds_up: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    within: Mapping[str, str] = field(default_factory=dict)
    since: Mapping[str, str] = field(default_factory=dict)
    shares: Mapping[str, str] = field(default_factory=dict)
    arm: str = "referred"
    dominance: str | None = None
    parameters: int | None = None
    steps: bool = False


def disclosure_rule(content: Mapping[str, Any]) -> DisclosureRule:
    """Read the ``disclosure`` part of a results descriptor."""
    lists = {key: tuple(content.get(key, ())) for key in ("persons", "hides", "group", "adds_up", "by")}
    return DisclosureRule(
        **lists,
        within=content.get("within", {}),
        since=content.get("since", {}),
        shares=content.get("shares", {}),
        arm=content.get("arm", "referred"),
        dominance=content.get("dominance"),
        parameters=content.get("parameters"),
        steps=content.get("steps", False),
    )


def suppress(
    frame: pd.DataFrame, rule: DisclosureRule, settings: Disclosure, *, hidden: Flags | None = None
) -> pd.DataFrame:
    """Hide what may not be published.

    A row is hidden when the number of persons in it is between 1 and ``settings.min_persons`` - 1, when one
    contributor has more than ``settings.max_share`` of its total, or when its model has fewer than
    ``settings.min_df`` degrees of freedom. Where exactly one part of a total is hidden, or parts that together
    hold fewer than ``settings.min_persons``, the smallest other part (or the total) is hidden with them, until
    what can be found by subtraction is neither one part nor a small number. A step of which fewer than
    ``settings.min_persons``, but not nobody, are left out before the next step that is shown is hidden.

    Parameters
    ----------
    frame : DataFrame
        A results table.
    rule : DisclosureRule
        How this table is protected.
    settings : Disclosure
        The limits of the plan.
    hidden : ndarray of bool, shape (rows,), optional
        Which rows to hide, from :func:`wor_eval.report.linked.protect_tables`; without it this table is protected
        by itself.

    Returns
    -------
    DataFrame
        The table with hidden values missing and a column ``suppressed``.
    """
    hidden = protect_alone(frame, rule, settings) if hidden is None else hidden
    out = frame.drop(columns=[rule.dominance] if rule.dominance in frame.columns else [])
    counted = list(rule.persons)
    if settings.round_to:
        out = _rounded(out, rule, settings.round_to)
        counted = []
    for column in [column for column in (*counted, *rule.hides) if column in frame.columns]:
        if hidden.any():
            out = out.assign(**{column: out[column].astype(_nullable(out[column])).mask(hidden)})
    return out.assign(suppressed=hidden)


def protect_alone(frame: pd.DataFrame, rule: DisclosureRule, settings: Disclosure) -> Flags:
    """Find out which rows of one table to hide, as if it were published alone; shape (rows,)."""
    first = np.logical_or.reduce(list(primary(frame, rule, settings).values()))
    hidden = complementary(frame, rule, first, min_persons=settings.min_persons)
    if rule.steps:
        numbers = frame[list(rule.persons)].to_numpy(float)
        hidden = hidden | small_steps(numbers, hidden, settings.min_persons)
    return hidden


def _rounded(frame: pd.DataFrame, rule: DisclosureRule, base: int) -> pd.DataFrame:
    """Round every count of persons to a base, with what repeats it, and the shares that would give it away."""
    out = frame
    for column in rule.persons:
        exact = frame[column].to_numpy(float)
        coarse = base * np.floor(exact / base + 0.5)
        for other in rule.hides:
            if frame[other].dtype.kind in "iuf":
                repeats = out[other].to_numpy(float) == exact
                out = out.assign(**{other: np.where(repeats, coarse, out[other])})
        out = out.assign(**{column: _whole(coarse)})
    for share, column in rule.shares.items():
        part, value = frame[column].to_numpy(float), frame[share].to_numpy(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            total = base * np.floor(part / value / base + 0.5)
            ratio = np.where(total > 0, out[column].to_numpy(float, na_value=np.nan) / total, np.nan)
        out = out.assign(**{share: np.minimum(ratio, 1.0)})
    return out


def _whole(values: NDArray[np.float64]) -> Any:
    import pandas as pd

    return pd.Series(values).astype("Int64").to_numpy() if np.isnan(values).any() else values.astype(np.int64)


def _nullable(values: pd.Series[Any]) -> str:
    """Give a type that can miss values; counts stay whole numbers."""
    return "Int64" if values.dtype.kind in "iu" else str(values.dtype)


def primary(frame: pd.DataFrame, rule: DisclosureRule, settings: Disclosure) -> dict[str, Flags]:
    """Find the rows that are hidden for their own sake, by reason: ``persons``, ``dominance``, ``df``."""
    none = np.zeros(len(frame), dtype=bool)
    found = {"persons": none.copy(), "dominance": none.copy(), "df": none.copy()}
    for column in rule.persons:
        count = frame[column].to_numpy(dtype=float)
        found["persons"] |= (count >= (0 if settings.hide_zeros else 1)) & (count < settings.min_persons)
    if rule.dominance in frame.columns:
        found["dominance"] = frame[rule.dominance].to_numpy(dtype=float) > settings.max_share
    if rule.parameters is not None:
        persons = frame[list(rule.persons)].sum(axis=1).to_numpy(dtype=float)
        found["df"] = persons - rule.parameters < settings.min_df
    return found


def complementary(frame: pd.DataFrame, rule: DisclosureRule, hidden: Flags, *, min_persons: int) -> Flags:
    """Hide a next part wherever the hidden ones could be found by subtraction, until nothing changes."""
    hidden = hidden.copy()
    size = frame[list(rule.persons)].sum(axis=1).to_numpy(dtype=float)
    changed = bool(rule.adds_up) and bool(hidden.any())
    while changed:
        changed = False
        for column in rule.adds_up:
            for line in lines(frame, rule, column):
                open_parts = line[~hidden[line]]
                together = size[line[hidden[line]]].sum()
                found = hidden[line].sum() == 1 or 0 < together < min_persons
                if found and len(open_parts):
                    hidden[open_parts[np.argmin(size[open_parts])]] = True
                    changed = True
    return hidden


def small_steps(counts: NDArray[np.float64], hidden: Flags, min_persons: int) -> Flags:
    """Go back from the last step and hide each from which too few are missing in the next one shown."""
    small = np.zeros(len(counts), dtype=bool)
    shown = None
    for step in np.flatnonzero(~hidden)[::-1]:
        out = np.abs(counts[step] - (counts[step] if shown is None else counts[shown]))
        small[step] = ((out > 0) & (out < min_persons)).any()
        shown = shown if small[step] else step
    return small


def lines(frame: pd.DataFrame, rule: DisclosureRule, column: str) -> list[NDArray[np.intp]]:
    """Give the rows of each line in which the levels of ``column`` add up."""
    fixed = [*rule.group, *(other for other in rule.adds_up if other != column)]
    if not fixed:
        return [np.arange(len(frame))]
    grouped = frame.groupby(fixed, sort=False, dropna=False, observed=True).indices
    return [np.sort(rows) for rows in grouped.values()]
