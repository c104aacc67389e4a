"""Who changed enough to matter, and how many scores had no room to change."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wor_eval.cohort.scales import check_scores, score_vector
from wor_eval.data.instruments import CutOff, Instrument
from wor_eval.errors import DataError, StudyError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Responders:
    """Who changed by at least the smallest relevant change.

    Parameters
    ----------
    status : ndarray of shape (n,)
        1 improved, -1 worsened, 0 neither, NaN where the change is missing.
    n_improved, n_neither, n_worsened, n_missing : int
        Numbers of persons.
    threshold : float
        Smallest relevant change, in points.
    basis : str
        What the threshold rests on.
    """

    status: Floats
    n_improved: int
    n_neither: int
    n_worsened: int
    n_missing: int
    threshold: float
    basis: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FloorCeiling:
    """How many scores are the lowest and the highest possible (whatever the direction of the scale).

    Parameters
    ----------
    n : int
        Scores that are not missing.
    n_floor, n_ceiling : int
        Scores at the lowest and at the highest possible value.
    share_floor, share_ceiling : float
        The same as shares of ``n``.
    """

    n: int
    n_floor: int
    n_ceiling: int
    share_floor: float
    share_ceiling: float


def responders(
    change: npt.ArrayLike, instrument: Instrument, *, threshold: float | None = None
) -> Responders:
    """Tell who improved, and who worsened, by at least the smallest relevant change.

    Parameters
    ----------
    change : array-like of shape (n,)
        Score after minus score before; NaN where one is missing.
    instrument : Instrument
        Gives the direction and, without ``threshold``, the smallest relevant change.
    threshold : float, optional
        Smallest relevant change, in points; a change of exactly this counts.

    Returns
    -------
    Responders
        Status of each person, and numbers.

    Raises
    ------
    StudyError
        No smallest relevant change was found for the instrument, and none is given; or it is not above 0.

    Examples
    --------
    >>> from wor_eval.data.instruments import read_instruments
    >>> responders([10, 4, -12], read_instruments()["who5"]).status
    array([ 1.,  0., -1.])
    """
    if threshold is None and instrument.smallest_change is None:
        raise StudyError(
            f"instrument {instrument.code}: no published smallest relevant change was found; give one in the plan"
        )
    published = instrument.smallest_change
    size = published.value if threshold is None and published else threshold
    if size is None or not 0 < size < np.inf:
        raise StudyError(f"instrument {instrument.code}: the smallest relevant change must be above 0")
    gain = score_vector(change, "changes") * (1 if instrument.higher_is == "better" else -1)
    # Scores are decimal fractions: 0.918 - 0.818 falls just short of 0.1.
    status = np.where(np.isnan(gain), np.nan, (gain >= size - 1e-9).astype(float) - (gain <= -size + 1e-9))
    return Responders(
        status=status,
        n_improved=int((status == 1).sum()),
        n_neither=int((status == 0).sum()),
        n_worsened=int((status == -1).sum()),
        n_missing=int(np.isnan(status).sum()),
        threshold=float(size),
        basis=published.basis if threshold is None and published else "given by the plan",
    )


def floor_ceiling(score: npt.ArrayLike, instrument: Instrument) -> FloorCeiling:
    """Count the scores that cannot fall, and those that cannot rise, any further.

    Parameters
    ----------
    score : array-like of shape (n,)
        Totals, or means of a subscale; NaN where missing.
    instrument : Instrument
        Gives the lowest and highest possible score.

    Returns
    -------
    FloorCeiling
        Numbers and shares.

    Raises
    ------
    DataError
        There is no score, or one outside the possible range.

    Examples
    --------
    >>> from wor_eval.data.instruments import read_instruments
    >>> floor_ceiling([0, 3, 6, 6], read_instruments()["djg6"]).share_ceiling
    0.5
    """
    checked = check_scores(score, instrument)
    seen = checked[~np.isnan(checked)]
    if not seen.size:
        raise DataError(f"instrument {instrument.code}: there are no scores to look at")
    low, high = instrument.score_range
    n_floor, n_ceiling = int((seen <= low + 1e-9).sum()), int((seen >= high - 1e-9).sum())
    return FloorCeiling(
        n=seen.size,
        n_floor=n_floor,
        n_ceiling=n_ceiling,
        share_floor=n_floor / seen.size,
        share_ceiling=n_ceiling / seen.size,
    )


def within_cut_off(score: npt.ArrayLike, cut_off: CutOff) -> Floats:
    """Tell which scores fall within a published cut-off.

    Parameters
    ----------
    score : array-like of shape (n,)
        Scores; NaN where missing.
    cut_off : CutOff
        One of ``instrument.cut_offs``. Two cut-offs of one instrument (MHI-5 of CBS and of RIVM) differ.

    Returns
    -------
    ndarray of shape (n,)
        1 within, 0 not, NaN where the score is missing.

    Examples
    --------
    >>> from wor_eval.data.instruments import read_instruments
    >>> cbs, rivm = read_instruments()["mhi5"].cut_offs
    >>> within_cut_off([60, 56], cbs), within_cut_off([60, 56], rivm)
    (array([0., 1.]), array([1., 1.]))
    """
    given = score_vector(score, "scores")
    if cut_off.below is not None:
        within = given < cut_off.below
    elif cut_off.at_most is not None:
        within = given <= cut_off.at_most
    else:
        within = given >= (np.nan if cut_off.at_least is None else cut_off.at_least)
    return np.where(np.isnan(given), np.nan, within.astype(float))
