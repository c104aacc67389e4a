"""The value of a profile of answers: EQ-5D with a Dutch value set, ICECAP-O with the UK tariff."""

import numpy as np
import numpy.typing as npt

from wor_eval.data.value_sets import ValueSet
from wor_eval.errors import DataError

Floats = npt.NDArray[np.float64]


def profile_values(profiles: npt.ArrayLike, value_set: ValueSet) -> Floats:
    r"""Value profiles of answers with a value set.

    .. math:: v = a + N_2 1(\text{some } x_j > 1) + N_3 1(\text{some } x_j = L) + \sum_j c_j(x_j)

    with :math:`a` the value before anything is added, :math:`c_j` the term of item j at its level and L the
    highest level. Sets without :math:`N_2` or :math:`N_3` have 0 there. The value is rounded to the decimals
    with which the set was published.

    Parameters
    ----------
    profiles : array-like of shape (n, k)
        Levels, from 1; for EQ-5D in the order mobility, self-care, usual activities, pain, anxiety.
    value_set : ValueSet
        See :func:`wor_eval.data.value_sets.read_value_set`.

    Returns
    -------
    ndarray of shape (n,)
        Values.

    Raises
    ------
    DataError
        The number of items is not that of the set, or an answer is no level of it (missing included).

    References
    ----------
    Versteegh et al. 2016, doi:10.1016/j.jval.2016.01.003 (EQ-5D-5L); Lamers et al. 2006, doi:10.1002/hec.1124
    (EQ-5D-3L); Coast et al. 2008, as adapted in http://www.pophealthmetrics.com/content/6/1/6/table/T1.

    Examples
    --------
    >>> from wor_eval.data.value_sets import read_value_set
    >>> profile_values([[2, 1, 1, 1, 1], [5, 5, 5, 5, 5]], read_value_set("versteegh_2016"))
    array([ 0.918, -0.446])
    """
    levels = np.asarray(profiles, dtype=float)
    if levels.ndim != 2 or levels.shape[1] != value_set.terms.shape[0]:
        raise DataError(
            f"value set {value_set.name} values {value_set.terms.shape[0]} items: give an array of one row per "
            f"person and one column per item, not of shape {levels.shape}"
        )
    strange = ~np.isin(levels, np.arange(1, value_set.levels + 1)).all(axis=1)
    if strange.any():
        raise DataError(
            f"{strange.sum()} of {strange.size} profiles have an answer that is not a level from 1 to "
            f"{value_set.levels}: leave incomplete profiles out, and correct the others"
        )
    places = levels.astype(np.int64) - 1
    added = value_set.terms[np.arange(places.shape[1]), places].sum(axis=1)
    value = value_set.intercept + added
    value += value_set.any_problem * (places > 0).any(axis=1)
    value += value_set.any_extreme * (places == value_set.levels - 1).any(axis=1)
    rounded: Floats = np.round(value, value_set.decimals) + 0.0
    return rounded
