"""Scores as they are delivered or converted: within the range, on the right scale."""

import numpy as np
import numpy.typing as npt

from wor_eval.data.instruments import Instrument
from wor_eval.data.tariffs import tariff
from wor_eval.errors import DataError, StudyError

Floats = npt.NDArray[np.float64]


def check_scores(scores: npt.ArrayLike, instrument: Instrument) -> Floats:
    """Check scores that were delivered as such.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Scores; NaN where missing.
    instrument : Instrument
        The instrument they belong to.

    Returns
    -------
    ndarray of shape (n,)
        The scores, a copy.

    Raises
    ------
    DataError
        Scores lie outside the possible range, or are no value of the conversion table of the instrument (raw
        sums, or another table).

    Examples
    --------
    >>> from wor_eval.data.instruments import read_instruments
    >>> check_scores([52.9, np.nan], read_instruments()["pam"])
    array([52.9,  nan])
    """
    checked = score_vector(scores, "scores")
    low, high = instrument.score_range
    outside = (checked < low - 1e-9) | (checked > high + 1e-9)
    if outside.any():
        raise DataError(
            f"questionnaires.score: {outside.sum()} of {(~np.isnan(checked)).sum()} scores of instrument "
            f"{instrument.code} lie outside {low:g} to {high:g}; correct them, or give the answers by item"
        )
    if instrument.conversion:
        _check_converted(checked, instrument)
    return checked


def convert_raw(raw: npt.ArrayLike, instrument: Instrument) -> Floats:
    """Turn raw sums into scores with the conversion table of the instrument.

    Parameters
    ----------
    raw : array-like of shape (n,)
        Whole sums of the answers; NaN where missing.
    instrument : Instrument
        An instrument with a conversion table, such as SWEMWBS.

    Returns
    -------
    ndarray of shape (n,)
        Scores.

    Raises
    ------
    DataError
        A sum is not in the table.
    StudyError
        The instrument has no conversion table.

    Examples
    --------
    >>> from wor_eval.data.instruments import read_instruments
    >>> convert_raw([7, 8, 35], read_instruments()["swemwbs"])
    array([ 7.  ,  9.51, 35.  ])
    """
    if instrument.conversion is None:
        raise StudyError(f"instrument {instrument.code} has no conversion table: its sum is its score")
    sums, metric = _conversion(instrument.conversion)
    given = score_vector(raw, "raw sums")
    seen = ~np.isnan(given)
    if (strange := ~np.isin(given[seen], sums)).any():
        raise DataError(
            f"{strange.sum()} of {seen.sum()} raw sums of instrument {instrument.code} are not in the conversion "
            f"table: they must be whole numbers from {sums[0]:g} to {sums[-1]:g}"
        )
    converted = np.full(given.shape, np.nan)
    converted[seen] = metric[np.searchsorted(sums, given[seen])]
    return converted


def score_vector(values: npt.ArrayLike, what: str) -> Floats:
    """Copy one row of numbers; infinite ones are refused, NaN stands for missing."""
    vector = np.array(values, dtype=float)
    if vector.ndim != 1 or np.isinf(vector).any():
        raise DataError(f"{what} must be one row of finite numbers, NaN where missing")
    return vector


def _conversion(name: str) -> tuple[Floats, Floats]:
    rows = tariff(name)
    return np.array([float(row["raw"]) for row in rows]), np.array([float(row["metric"]) for row in rows])


def _check_converted(checked: Floats, instrument: Instrument) -> None:
    """Refuse scores that no converted sum can have; a score rounded to one decimal is let through."""
    _, metric = _conversion(instrument.conversion or "")
    seen = checked[~np.isnan(checked)]
    whole = (seen == np.floor(seen)) & ~np.isin(seen, metric)
    strange = np.abs(seen[:, None] - metric).min(axis=1, initial=np.inf) > 0.051
    if (whole | strange).any():
        raise DataError(
            f"questionnaires.score: {(whole | strange).sum()} of {seen.size} scores of instrument "
            f"{instrument.code} are in no row of its conversion table, {whole.sum()} of them whole numbers, as raw "
            "sums are: give the answers by item, or convert raw sums first (convert_raw)"
        )
