"""Answers to questionnaires, drawn from a latent score: SWEMWBS, EQ-5D-5L, ladders."""

import numpy as np

from wor_eval.data.calibration import Floats, facts
from wor_eval.data.people import Ints

_DIMENSIONS = ("MO", "SC", "UA", "PD", "AD")
_WELLBEING = np.array([0.05, 0.03, 0.12, 0.08, 0.22])
_AGE = np.array([0.020, 0.012, 0.010, 0.012, 0.0])
_CHRONIC = np.array([0.20, 0.12, 0.15, 0.20, 0.05])
_LEVEL = np.array([-0.3, -1.2, -0.2, 0.2, 0.0])
_LIMITS = np.array([0.6, 1.6, 2.6, 3.6])
"""EQ-5D-5L: problems per point of well-being below the mean, per year over 50, per condition; at the mean; and
the limits between the five levels. Free."""

_OWN_SD = 0.8


def whole_numbers(rng: np.random.Generator, score: Floats, *, low: int, high: int) -> Floats:
    """Round to a whole number up or down, so that the expected value is the score.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    score : array of float
        Scores; those outside ``low`` to ``high`` are put at that limit.
    low, high : int
        Limits of the scale.

    Returns
    -------
    array of float, same shape
        Whole numbers.
    """
    return np.clip(np.floor(score + rng.random(score.shape)), low, high)


def swemwbs_items(rng: np.random.Generator, score: Floats) -> Ints:
    """Draw the seven answers of SWEMWBS from a metric score.

    The raw sum is one of the two sums whose metric scores enclose the score, with such chances that the
    expected metric score is the score (conversion: Stewart-Brown et al. 2009).

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    score : array of float, shape (n,)
        Metric scores; those outside 7 to 35 are put at that limit.

    Returns
    -------
    array of int, shape (n, 7)
        Answers 1 to 5.
    """
    metric = np.array([float(row["metric"]) for row in facts("swemwbs_conversion", folder="tariffs")])
    score = np.clip(score, metric[0], metric[-1])
    under = np.clip(np.searchsorted(metric, score, side="right") - 1, 0, metric.size - 2)
    chance = (score - metric[under]) / (metric[under + 1] - metric[under])
    raw = 7 + under + (rng.random(score.size) < chance)
    return _spread(rng, raw)


def _spread(rng: np.random.Generator, raw: Ints) -> Ints:
    """Spread sums over seven answers, then move a point between random answers where both stay in 1 to 5."""
    place = np.argsort(rng.random((raw.size, 7)), axis=1)
    items: Ints = (raw // 7)[:, None] + (place < (raw % 7)[:, None])
    row = np.arange(raw.size)
    for _ in range(3):
        pair = np.argsort(rng.random((raw.size, 7)), axis=1)[:, :2]
        more, less = items[row, pair[:, 0]], items[row, pair[:, 1]]
        moved = ((more < 5) & (less > 1)).astype(np.int64)
        items[row, pair[:, 0]] += moved
        items[row, pair[:, 1]] -= moved
    return items


def eq5d5l_items(rng: np.random.Generator, wellbeing: Floats, *, age: Ints, chronic: Ints) -> Ints:
    """Draw EQ-5D-5L profiles with the same chance events in several versions of the well-being.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    wellbeing : array of float, shape (versions, n)
        Well-being in SWEMWBS points from the population mean, in each version.
    age, chronic : array of int, shape (n,)
        Age in years and number of chronic conditions.

    Returns
    -------
    array of int, shape (versions, n, 5)
        Levels 1 to 5 of mobility, self-care, usual activities, pain and anxiety.
    """
    problems = _LEVEL + _AGE * (age[:, None] - 50) + _CHRONIC * chronic[:, None]
    problems = problems + _OWN_SD * rng.standard_normal(problems.shape)
    latent = problems - _WELLBEING * wellbeing[:, :, None]
    profiles: Ints = 1 + np.searchsorted(_LIMITS, latent).astype(np.int64)
    return profiles


def eq5d5l_value(profiles: Ints) -> Floats:
    """Value EQ-5D-5L profiles with the Dutch value set (Versteegh et al. 2016, doi:10.1016/j.jval.2016.01.003).

    Parameters
    ----------
    profiles : array of int, shape (..., 5)
        Levels 1 to 5.

    Returns
    -------
    array of float, shape (...)
        Values.

    Examples
    --------
    >>> eq5d5l_value(np.array([[2, 1, 1, 1, 1], [5, 5, 5, 5, 5]])).round(3).tolist()
    [0.918, -0.446]
    """
    rows = facts("eq5d5l_nl", folder="tariffs")
    constant = next(float(row["coefficient"]) for row in rows if row["term"] == "constant")
    loss = {(row["dimension"], row["level"]): float(row["coefficient"]) for row in rows}
    table = np.array([[loss[name, str(level)] for level in range(1, 6)] for name in _DIMENSIONS])
    lost = table[np.arange(5), profiles - 1].sum(axis=-1)
    values: Floats = np.asarray(1 + constant * (profiles > 1).any(axis=-1) + lost)
    return values
