"""Strata as sets: exact matching, coarsened exact matching and subclasses of a score."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.design.sets import (
    IntArray,
    Sets,
    check_arms,
    check_score,
    check_strata,
    sets_from_groups,
)
from wor_eval.errors import DesignError


def exact_codes(columns: Mapping[str, ArrayLike]) -> IntArray:
    """Give each combination of values of some columns a code: the strata to match within.

    Parameters
    ----------
    columns : mapping of str to array_like, each of shape (n,)
        Columns that must be equal within a set, by name: numbers, text, booleans or dates.

    Returns
    -------
    ndarray of int, shape (n,)
        Codes from 0, in order of first appearance of the combination.

    Raises
    ------
    DesignError
        No columns, columns of different lengths, or missing values.

    Examples
    --------
    >>> exact_codes({"sex": ["f", "m", "f", "f"], "age_band": [65, 18, 65, 18]})
    array([0, 1, 0, 2])
    """
    import pandas as pd

    if not columns:
        raise DesignError("exact matching needs at least one column")
    coded = {name: pd.factorize(np.asarray(values))[0] for name, values in columns.items()}
    lengths = {code.size for code in coded.values()}
    if len(lengths) > 1:
        raise DesignError(
            "the columns to match on exactly must have one value per person",
            problems=[f"{name}: {code.size} values" for name, code in coded.items()],
        )
    missing = {name: int(np.count_nonzero(code < 0)) for name, code in coded.items()}
    if any(missing.values()):
        raise DesignError(
            "columns to match on exactly have missing values: give them a level of their own, or leave the "
            "persons out",
            problems=[f"{name}: {count} missing" for name, count in missing.items() if count],
        )
    strata = np.zeros(lengths.pop(), dtype=np.int64)
    for code in coded.values():
        strata = pd.factorize(strata * (int(code.max(initial=0)) + 1) + code)[0].astype(np.int64)
    return strata


def coarsen(x: ArrayLike, *, cuts: Sequence[float]) -> IntArray:
    """Cut a number into half-open bands, for coarsened exact matching.

    Parameters
    ----------
    x : array_like of float, shape (n,)
        Values; finite.
    cuts : sequence of float
        Increasing limits: ``[18, 65]`` makes below 18, 18 up to 65, and 65 and over.

    Returns
    -------
    ndarray of int, shape (n,)
        Band of each person, 0 for below the first cut. Pass it to `exact_codes` with the other columns.

    Raises
    ------
    DesignError
        Cuts that do not increase, or missing or infinite values.

    Notes
    -----
    Coarsened exact matching: Iacus, King and Porro 2012, doi:10.1093/pan/mpr013. The cuts are chosen by the
    researcher; none are made up here.

    Examples
    --------
    >>> coarsen([17, 18, 64.9, 65], cuts=[18, 65])
    array([0, 1, 1, 2])
    """
    limits = np.asarray(cuts, dtype=np.float64)
    if limits.ndim != 1 or limits.size == 0 or not np.isfinite(limits).all() or (np.diff(limits) <= 0).any():
        raise DesignError("the cuts of a band must be increasing numbers, at least one")
    values = check_score(x, np.asarray(x).size)
    return np.searchsorted(limits, values, side="right").astype(np.int64)


def exact_sets(strata: ArrayLike, treated: ArrayLike) -> Sets:
    """Make each stratum with both arms a set, with ATT weights: exact or coarsened exact matching.

    Parameters
    ----------
    strata : array_like of int, shape (n,)
        Codes from 0: see `exact_codes` and `coarsen`.
    treated : array_like of bool, shape (n,)
        True for a referred person.

    Returns
    -------
    Sets
        Comparison persons weigh the number of referred over the number of comparison persons of their
        stratum. Referred persons without a comparison person are dropped, so the estimand is the effect on
        the referred who could be matched. `pairs` is empty.

    Raises
    ------
    DesignError
        Bad input, or no stratum holds both arms.

    Notes
    -----
    Iacus, King and Porro 2012, doi:10.1093/pan/mpr013.

    Examples
    --------
    >>> sets = exact_sets([0, 0, 0, 1, 2], [1, 0, 0, 1, 0])
    >>> sets.set_id, sets.weight
    (array([ 0,  0,  0, -1, -1]), array([1. , 0.5, 0.5, 0. , 0. ]))
    """
    arm = check_arms(treated)
    return sets_from_groups(check_strata(strata, arm.size), arm)


def subclass_sets(score: ArrayLike, treated: ArrayLike, *, n_classes: int) -> Sets:
    """Cut the score at quantiles of the referred and make each class a set, with ATT weights.

    Parameters
    ----------
    score : array_like of float, shape (n,)
        Propensity score or its logit.
    treated : array_like of bool, shape (n,)
        True for a referred person.
    n_classes : int
        Number of classes, 2 or more, with about equally many referred persons each.

    Returns
    -------
    Sets
        Everyone is in a set. `pairs` is empty.

    Raises
    ------
    DesignError
        Bad input, or a class without referred or comparison persons.

    Notes
    -----
    Quantiles by linear interpolation (R's type 7); a class holds its lower limit, the last one both limits,
    as in MatchIt 4.7.1. MatchIt moves persons into a class that lacks an arm; this raises instead. Rosenbaum
    and Rubin 1984, doi:10.1080/01621459.1984.10478078.

    Examples
    --------
    >>> subclass_sets([0.2, 0.3, 0.7, 0.8, 0.1, 0.6], [1, 1, 1, 1, 0, 0], n_classes=2).weight
    array([1., 1., 1., 1., 2., 2.])
    """
    arm = check_arms(treated)
    values = check_score(score, arm.size)
    if n_classes < 2:
        raise DesignError(f"the number of classes must be 2 or more, not {n_classes}")
    limits = np.quantile(values[arm], np.arange(n_classes + 1) / n_classes)
    group = np.clip(np.searchsorted(limits, values, side="right") - 1, 0, n_classes - 1)
    empty = [
        (word, int(np.count_nonzero(np.bincount(group[which], minlength=n_classes) == 0)))
        for word, which in (("referred", arm), ("comparison", ~arm))
    ]
    if any(count for _, count in empty):
        raise DesignError(
            "not every class of the score holds both arms: ask for fewer classes",
            problems=[
                f"{count} of {n_classes} classes without {word} persons" for word, count in empty if count
            ],
        )
    return sets_from_groups(group, arm)
