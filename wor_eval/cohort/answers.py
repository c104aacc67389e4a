"""Answers to questionnaires: from text to numbers, on the right scale, in the right direction."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wor_eval.data.instruments import Instrument
from wor_eval.errors import DataError

Floats = npt.NDArray[np.float64]

_FORMAT = re.compile(r"(\.|[0-9]+)( (\.|[0-9]+))*")

ENOUGH_TO_TELL = 30
"""Complete questionnaires from which on the direction of an item is looked at. A choice, not a published rule."""


def parse_items(items: Sequence[object], instrument: Instrument) -> Floats:
    """Turn the answers by item of table questionnaires into numbers.

    Parameters
    ----------
    items : sequence of str
        Answers in the order of the instrument, one space between, ``.`` for a question not answered. What is
        no text (None, NaN) is a questionnaire without any answer.
    instrument : Instrument
        The instrument that was answered.

    Returns
    -------
    ndarray of shape (n, k)
        One row per questionnaire; NaN for a missing answer.

    Raises
    ------
    DataError
        The instrument takes scores only; a text has another form, or another number of answers than the
        instrument has items.

    Examples
    --------
    >>> from wor_eval.data.instruments import read_instruments
    >>> parse_items(["3 . 2", None], read_instruments()["ucla3"])
    array([[ 3., nan,  2.],
           [nan, nan, nan]])
    """
    _takes_answers(instrument)
    k = instrument.n_items
    there = np.array([isinstance(text, str) for text in items], dtype=bool)
    texts = [text for text in items if isinstance(text, str)]
    ill_formed = sum(_FORMAT.fullmatch(text) is None for text in texts)
    wrong_length = sum(text.count(" ") + 1 != k for text in texts) if not ill_formed else 0
    if ill_formed or wrong_length:
        said = "are not numbers or dots with one space between" if ill_formed else f"do not hold {k} answers"
        raise DataError(
            f"questionnaires.items: {ill_formed or wrong_length} of {len(texts)} rows of instrument "
            f"{instrument.code} {said}; give every answer in the order of the instrument, and a dot for a "
            "question not answered"
        )
    parsed = np.full((there.size, k), np.nan)
    if texts:
        numbers = " ".join(texts).replace(".", "nan").split(" ")
        parsed[there] = np.array(numbers, dtype=float).reshape(-1, k)
    return parsed


def checked_answers(answers: npt.ArrayLike, instrument: Instrument) -> Floats:
    """Check that answers are those of the instrument: number of items, whole numbers, scale.

    A scale that is shifted as a whole (0 to 4 where 1 to 5 is meant) is told as such. It can only be seen when
    an answer falls outside the range.

    Parameters
    ----------
    answers : array-like of shape (n, k)
        NaN for a missing answer.
    instrument : Instrument
        The instrument that was answered.

    Returns
    -------
    ndarray of shape (n, k)
        The answers, a copy.

    Raises
    ------
    DataError
        The instrument takes scores only, or has another number of items; infinite or broken answers, or
        answers outside the range, with their number and what to do.

    Examples
    --------
    >>> from wor_eval.data.instruments import read_instruments
    >>> checked_answers([[0, 1, 2]], read_instruments()["ucla3"])
    Traceback (most recent call last):
    wor_eval.errors.DataError: instrument ucla3: 1 of 3 answers, in 1 questionnaires, lie outside 1 to 3; ...
    """
    _takes_answers(instrument)
    matrix = np.array(answers, dtype=float)
    if matrix.ndim != 2 or matrix.shape[1] != instrument.n_items:
        raise DataError(
            f"instrument {instrument.code} has {instrument.n_items} items: give one row per questionnaire and "
            f"one column per item, not an array of shape {matrix.shape}"
        )
    seen = ~np.isnan(matrix)
    with np.errstate(invalid="ignore"):
        broken = seen & (matrix != np.floor(matrix)) | np.isinf(matrix)
    if broken.any():
        raise DataError(
            f"instrument {instrument.code}: {broken.sum()} of {seen.sum()} answers are not whole numbers; "
            "give answers as they were ticked, not means"
        )
    _check_scale(matrix, instrument)
    return matrix


def contrary_items(points: Floats) -> tuple[int, ...]:
    r"""Find items that run against the others, as when items to be turned round were turned round already.

    An item is named when its correlation with the sum of the other items is below :math:`-2/\sqrt{n}` among
    the n complete questionnaires, if there are at least 30.

    Parameters
    ----------
    points : ndarray of shape (n, k)
        Answers after turning round; NaN for a missing answer.

    Returns
    -------
    tuple of int
        Numbers of the items, from 1.

    Examples
    --------
    >>> level = np.arange(100) % 5.0
    >>> contrary_items(np.column_stack([level, level, level, 4 - level]))
    (4,)
    """
    complete = points[~np.isnan(points).any(axis=1)]
    n, k = complete.shape
    if n < ENOUGH_TO_TELL or k < 3:
        return ()
    centred = complete - complete.mean(axis=0)
    rest = centred.sum(axis=1, keepdims=True) - centred
    spread = np.sqrt((centred**2).sum(axis=0) * (rest**2).sum(axis=0))
    product = (centred * rest).sum(axis=0)
    correlation = np.divide(product, spread, out=np.zeros(k), where=spread > 0)
    return tuple(int(place) + 1 for place in np.flatnonzero(correlation < -2 / np.sqrt(n)))


def _takes_answers(instrument: Instrument) -> None:
    if instrument.combine == "scored_only":
        raise DataError(
            f"instrument {instrument.code} takes scores only ({instrument.licence}): give column score, not items"
        )


def _check_scale(matrix: Floats, instrument: Instrument) -> None:
    low, high = instrument.item_range or (0, 0)
    outside = (matrix < low) | (matrix > high)
    if not outside.any():
        return
    seen = matrix[~np.isnan(matrix)]
    counts = (
        f"instrument {instrument.code}: {outside.sum()} of {seen.size} answers, in {outside.any(axis=1).sum()} "
        f"questionnaires, lie outside {low} to {high}"
    )
    shift = _shift(float(seen.min()) - low, float(seen.max()) - high)
    if shift:
        verb = "subtract" if shift > 0 else "add"
        remedy = (
            f"all answers lie on {low + shift} to {high + shift}, so the scale looks shifted: {verb} {abs(shift)} "
            "and check the direction"
        )
    else:
        remedy = "correct them, or empty them and report how many"
    raise DataError(f"{counts}; {remedy}; expected: {instrument.coding}")


def _shift(under: float, over: float) -> int:
    """Give the shift that would bring all answers into the range; 0 when none would."""
    if under < 0 and over <= under:
        return int(under)
    if over > 0 and under >= over:
        return int(over)
    return 0
