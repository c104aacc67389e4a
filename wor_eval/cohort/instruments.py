"""Scores of questionnaires: from answers to a score, its direction, and who changed enough to matter.

The rules stand in ``data_dictionary/instruments``, each with its source; see
:mod:`wor_eval.data.instruments`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wor_eval.cohort.answers import checked_answers, contrary_items, parse_items
from wor_eval.cohort.profiles import profile_values
from wor_eval.cohort.responders import FloorCeiling, Responders, floor_ceiling, responders, within_cut_off
from wor_eval.cohort.scales import check_scores, convert_raw
from wor_eval.data.instruments import CutOff, Fill, Instrument, MissingRule, adapt, read_instruments
from wor_eval.data.value_sets import read_value_set
from wor_eval.errors import StudyError

__all__ = [
    "CutOff",
    "FloorCeiling",
    "Instrument",
    "Responders",
    "Scores",
    "adapt",
    "check_scores",
    "convert_raw",
    "floor_ceiling",
    "parse_items",
    "read_instruments",
    "responders",
    "score_items",
    "within_cut_off",
]

Floats = npt.NDArray[np.float64]

_COMPLETE = MissingRule(max_missing=0, fill="person_mean")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scores:
    """Scores of one instrument.

    Parameters
    ----------
    instrument : str
        Code of the instrument.
    score : ndarray of shape (n,)
        Score; NaN where it cannot be given, and for all where the instrument has no total.
    subscales : mapping of str to ndarray of shape (n,)
        Scores of the subscales.
    n_answered : ndarray of shape (n,)
        Answered items.
    missing : mapping of str to int
        Questionnaires without a total, by reason: ``no_answers``; ``too_few_answers`` (more missing than the
        rule allows); ``no_rule`` (incomplete, and no published rule was found).
    contrary_items : tuple of int
        Items that run against the others: were items turned round before they were delivered?
    value_set : str or None
        Value set that was used.
    note : str
        What must be said beside a result.
    """

    instrument: str
    score: Floats
    subscales: Mapping[str, Floats]
    n_answered: npt.NDArray[np.int64]
    missing: Mapping[str, int]
    contrary_items: tuple[int, ...]
    value_set: str | None
    note: str

    def __repr__(self) -> str:
        scored = int((~np.isnan(self.score)).sum())
        return f"<Scores {self.instrument}: {scored} of {self.score.size} questionnaires have a score>"


def score_items(answers: npt.ArrayLike, instrument: Instrument) -> Scores:
    """Score answers by the published rule of the instrument.

    Answers of reversed items are turned round (lowest + highest - answer) and, where the instrument says so,
    counted as 0 or 1; then summed and multiplied by the factor, averaged per subscale, or valued with the
    value set. A raw sum with a conversion table becomes the converted score.

    Parameters
    ----------
    answers : array-like of shape (n, k)
        One row per questionnaire, in the order of the instrument; NaN for a missing answer.
    instrument : Instrument
        See :func:`read_instruments`; :func:`adapt` adds what only the plan can say.

    Returns
    -------
    Scores
        Scores, subscales, and why some are missing.

    Raises
    ------
    DataError
        The answers are not those of the instrument; see :func:`wor_eval.cohort.answers.checked_answers`.
    StudyError
        The plan must first say which items make up a subscale.

    References
    ----------
    The source of each rule stands in ``instrument.sources``.

    Examples
    --------
    >>> instruments = read_instruments()
    >>> score_items([[3, 3, 3, 3, 3], [3, 3, np.nan, 3, 3]], instruments["who5"]).score
    array([60., nan])
    >>> loneliness = score_items([[3, 1, 2, 1, 3, np.nan]], instruments["djg6"])
    >>> loneliness.score, loneliness.subscales["social"]
    (array([3.]), array([2.]))
    """
    matrix = checked_answers(answers, instrument)
    unknown = [name for name, items in instrument.subscales.items() if not items]
    if unknown:
        raise StudyError(
            f"instrument {instrument.code}: no public source says which items make up {', '.join(unknown)}; "
            "give them in the plan (subscales)"
        )
    points = _points(matrix, instrument)
    n_answered = (~np.isnan(matrix)).sum(axis=1)
    score = _total(points, instrument)
    return Scores(
        instrument=instrument.code,
        score=score,
        subscales=_subscales(points, instrument),
        n_answered=n_answered,
        missing=_reasons(score, n_answered, instrument),
        contrary_items=contrary_items(points) if instrument.combine == "sum" else (),
        value_set=instrument.value_set,
        note=instrument.note,
    )


def _points(matrix: Floats, instrument: Instrument) -> Floats:
    """Turn reversed items round, and count answers as 0 or 1 where the instrument says so."""
    low, high = instrument.item_range or (0, 0)
    points = matrix.copy()
    turned = [item - 1 for item in instrument.reversed_items]
    points[:, turned] = low + high - points[:, turned]
    if instrument.dichotomy_from is not None:
        points = np.where(np.isnan(points), np.nan, (points >= instrument.dichotomy_from).astype(float))
    return points


def _total(points: Floats, instrument: Instrument) -> Floats:
    if instrument.combine == "mean":
        return np.full(points.shape[0], np.nan)
    if instrument.value_set is not None:
        complete = ~np.isnan(points).any(axis=1)
        value = np.full(points.shape[0], np.nan)
        value[complete] = profile_values(points[complete], read_value_set(instrument.value_set))
        return value
    rule = instrument.missing or _COMPLETE
    total = _summed(points, allowed=rule.max_missing, fill=rule.fill) * instrument.factor
    return convert_raw(total, instrument) if instrument.conversion else total


def _subscales(points: Floats, instrument: Instrument) -> dict[str, Floats]:
    rule = instrument.missing or _COMPLETE
    scores = {}
    for name, items in instrument.subscales.items():
        part = points[:, [item - 1 for item in items]]
        summed = _summed(part, allowed=rule.subscale_max_missing, fill=rule.fill)
        scores[name] = summed / len(items) if instrument.combine == "mean" else summed
    return scores


def _summed(points: Floats, *, allowed: int, fill: Fill) -> Floats:
    """Sum answers; NaN where more are missing than allowed, or all."""
    k = points.shape[1]
    seen = (~np.isnan(points)).sum(axis=1)
    total = np.nansum(points, axis=1)
    if fill == "person_mean":
        total = total * k / np.maximum(seen, 1)
    return np.where((seen > 0) & (k - seen <= allowed), total, np.nan)


def _reasons(score: Floats, n_answered: npt.NDArray[np.int64], instrument: Instrument) -> dict[str, int]:
    silent = n_answered == 0
    # An instrument without a total has none missing: its subscales tell.
    unscored = np.zeros(score.size, dtype=bool) if instrument.combine == "mean" else np.isnan(score) & ~silent
    ruled = instrument.missing is not None
    return {
        "no_answers": int(silent.sum()),
        "too_few_answers": int(unscored.sum()) if ruled else 0,
        "no_rule": 0 if ruled else int(unscored.sum()),
    }
