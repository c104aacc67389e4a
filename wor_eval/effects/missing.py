"""Questionnaires that did not come back: how many, in whom, and in what pattern. Deaths are not missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.effects.fit import TermTable
from wor_eval.effects.logistic import logistic_regression, odds_ratios
from wor_eval.effects.model_rows import Floats, Ids, as_columns, code_ids
from wor_eval.errors import EstimationError

_Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class MissingByWave:
    """Answers by group and wave; arrays have shape (groups, waves).

    Attributes
    ----------
    groups : ndarray, shape (groups,)
        Groups, sorted.
    n_alive, n_answered, n_missing, n_died : ndarray of int
        Persons alive at the wave, those of them who answered and did not, and persons who had died.
    share_missing : ndarray
        ``n_missing / n_alive``; NaN where nobody is alive.
    """

    groups: NDArray[Any]
    n_alive: _Counts
    n_answered: _Counts
    n_missing: _Counts
    n_died: _Counts
    share_missing: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class MissingPatterns:
    """Patterns of answers over the waves, the most frequent first.

    Attributes
    ----------
    groups : ndarray, shape (groups,)
        Groups, sorted.
    patterns : tuple of str
        One letter per wave: ``1`` answered, ``.`` missing, ``+`` died before.
    n_persons : ndarray of int, shape (patterns, groups)
        Persons with each pattern.
    n_complete, n_dropout, n_intermittent : ndarray of int, shape (groups,)
        Persons with every answer (while alive), persons who stop answering, and persons who answer again after a
        missing wave.
    """

    groups: NDArray[Any]
    patterns: tuple[str, ...]
    n_persons: _Counts
    n_complete: _Counts
    n_dropout: _Counts
    n_intermittent: _Counts


@dataclass(frozen=True, kw_only=True, slots=True)
class AttritionModel:
    """Who did not answer: odds ratios of a missing answer, with the numbers behind them."""

    odds_ratios: TermTable
    n_persons: int
    n_missing: int
    n_died: int


def missing_by_wave(values: ArrayLike, groups: ArrayLike, *, died: ArrayLike | None = None) -> MissingByWave:
    """Count answers, missing answers and deaths by group and wave.

    Parameters
    ----------
    values : array_like, shape (n, waves)
        Scores of each person, waves in order of time, missing as NaN.
    groups : array_like, shape (n,)
        Arm, or arm and age band, of each person.
    died : array_like of bool, shape (n, waves), optional
        True where the person had died before the wave.

    Returns
    -------
    MissingByWave

    Raises
    ------
    EstimationError
        Wrong shapes, infinite values, answers of dead persons, or persons alive again after death.

    Examples
    --------
    >>> nan = np.nan
    >>> table = missing_by_wave([[20, nan], [18, 21], [19, nan], [22, 25]], ["a", "a", "b", "b"],
    ...     died=[[False, True], [False, False], [False, False], [False, False]])
    >>> table.n_missing, table.share_missing
    (array([[0, 0],
           [0, 1]]), array([[0. , 0. ],
           [0. , 0.5]]))
    """
    answered, dead, ids = _checked(values, groups, died)
    alive, seen, gone = (_count(ids, mask) for mask in (~dead, answered, dead))
    share = np.where(alive > 0, (alive - seen) / np.maximum(alive, 1), np.nan)
    return MissingByWave(
        groups=ids.labels,
        n_alive=alive,
        n_answered=seen,
        n_missing=alive - seen,
        n_died=gone,
        share_missing=share,
    )


def missing_patterns(
    values: ArrayLike, groups: ArrayLike, *, died: ArrayLike | None = None
) -> MissingPatterns:
    """Count the patterns of answers by group, and who stopped or skipped.

    Parameters
    ----------
    values, groups, died
        As in :func:`missing_by_wave`.

    Returns
    -------
    MissingPatterns

    Raises
    ------
    EstimationError
        As :func:`missing_by_wave`.

    Examples
    --------
    >>> nan = np.nan
    >>> found = missing_patterns([[20, nan, 22], [18, 21, nan], [19, 20, 24]], ["a", "a", "a"])
    >>> found.patterns, found.n_intermittent
    (('1.1', '11.', '111'), array([1]))
    """
    answered, dead, ids = _checked(values, groups, died)
    letters = np.where(dead, 2, np.where(answered, 1, 0))
    kinds, which = np.unique(letters, axis=0, return_inverse=True)
    counts = np.zeros((len(kinds), ids.size), dtype=np.int64)
    np.add.at(counts, (which.ravel(), ids.codes), 1)
    order = np.argsort(-counts.sum(axis=1), kind="stable")
    missing = ~answered & ~dead
    skipped = np.logical_or.accumulate(missing, axis=1)
    again, some = np.asarray((answered & skipped).any(axis=1)), np.asarray(missing.any(axis=1))
    return MissingPatterns(
        groups=ids.labels,
        patterns=tuple("".join(".1+"[letter] for letter in kinds[place]) for place in order),
        n_persons=counts[order],
        n_complete=_count(ids, ~some[:, None])[:, 0],
        n_dropout=_count(ids, (some & ~again)[:, None])[:, 0],
        n_intermittent=_count(ids, again[:, None])[:, 0],
    )


def attrition_model(
    missing: ArrayLike,
    X: ArrayLike,
    *,
    names: Sequence[str],
    died: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> AttritionModel:
    """Say who does not answer: logistic regression of a missing answer on what is known of everybody.

    Columns that tell who answers belong in the imputation. It cannot show that answers are missing at
    random: that they depend on the missing answer itself leaves no trace (see
    :func:`wor_eval.effects.tipping_point.tipping_point`).

    Parameters
    ----------
    missing : array_like of 0/1, shape (n,)
        1 where the answer is missing.
    X : array_like, shape (n, k)
        Columns known of everybody, such as arm, age and the score before; a constant is added.
    names : sequence of str, length k
        Names of the columns.
    died : array_like of bool, shape (n,), optional
        Persons who had died: they are left out.
    clusters : array_like, shape (n,), optional
        Practice of each person: cluster-robust errors.
    level : float
        Level of the intervals.

    Returns
    -------
    AttritionModel
        Odds ratios without that of the constant.

    Raises
    ------
    EstimationError
        As :func:`wor_eval.effects.logistic.logistic_regression`.

    Examples
    --------
    >>> X = [[70, 1], [30, 0], [35, 1], [60, 0], [45, 1], [28, 0], [66, 1], [50, 0]]
    >>> found = attrition_model([0, 1, 1, 0, 0, 1, 1, 0], X, names=["age", "referred"])
    >>> found.n_missing, found.odds_ratios.estimate.round(2)
    (4, array([0.9 , 3.57]))
    """
    gone, columns = np.asarray(missing), as_columns(X)
    n = gone.size
    dead = np.zeros(n, dtype=bool) if died is None else np.asarray(died, dtype=bool)
    if gone.shape != (n,) or columns.shape[1] != n or dead.shape != (n,) or len(names) != len(columns):
        raise EstimationError(f"missing, X, died: {n} persons and {len(names)} columns are needed")
    ids = None if clusters is None else np.asarray(clusters)
    if ids is not None and ids.shape != (n,):
        raise EstimationError(f"clusters: one identifier for each of {n} persons is needed")
    design = np.column_stack([np.ones(n), columns.T])[~dead]
    fit = logistic_regression(
        gone[~dead], design, names=["constant", *names], clusters=None if ids is None else ids[~dead]
    )
    table = odds_ratios(fit, level=level)
    return AttritionModel(
        odds_ratios=TermTable(
            names=table.names[1:],
            estimate=table.estimate[1:],
            std_error=table.std_error[1:],
            conf_low=table.conf_low[1:],
            conf_high=table.conf_high[1:],
            p_value=table.p_value[1:],
        ),
        n_persons=fit.n_obs,
        n_missing=fit.n_events,
        n_died=int(dead.sum()),
    )


def _checked(
    values: ArrayLike, groups: ArrayLike, died: ArrayLike | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Ids]:
    table, ids = np.asarray(values, dtype=np.float64), code_ids(groups, "groups")
    dead = np.zeros(table.shape, dtype=bool) if died is None else np.asarray(died, dtype=bool)
    if table.ndim != 2 or dead.shape != table.shape or ids.codes.size != len(table) or not table.size:
        raise EstimationError(
            f"values {table.shape}, died {dead.shape}, groups {ids.codes.shape}: persons by waves are needed"
        )
    answered = ~np.isnan(table)
    alive_again = (dead[:, :-1] & ~dead[:, 1:]).any(axis=1)
    counts = (
        ("values are infinite", int(np.isinf(table).sum())),
        ("persons answered after their death", int((answered & dead).any(axis=1).sum())),
        ("persons are alive at a wave after their death", int(alive_again.sum())),
    )
    problems = [f"{count} {what}" for what, count in counts if count]
    if problems:
        raise EstimationError("the answers cannot be counted", problems=problems)
    return answered, dead, ids


def _count(ids: Ids, mask: NDArray[np.bool_]) -> _Counts:
    """Count a mask (n, waves) by group: (groups, waves)."""
    return ids.total(mask.T.astype(np.float64)).T.astype(np.int64)
