"""Covariates as coordinates between which the straight-line distance is the Mahalanobis distance."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.design.propensity import check_covariates
from wor_eval.design.sets import FloatArray, check_arms
from wor_eval.errors import DesignError

_BLOCK = 8192


def mahalanobis_coordinates(X: ArrayLike, treated: ArrayLike, *, names: Sequence[str]) -> FloatArray:
    """Turn covariates into coordinates whose Euclidean distance is the Mahalanobis distance.

    The covariance is pooled within arms (divisor n - 2), as Rubin (1980) and MatchIt do.

    Parameters
    ----------
    X : array_like of float, shape (n, p)
        Covariates. Collinear columns are allowed: all levels of a category give the same distances as all
        but one (the generalised inverse is used).
    treated : array_like of bool, shape (n,)
        True for a referred person.
    names : sequence of str, length p
        Name of each column, for messages.

    Returns
    -------
    ndarray of float, shape (n, rank of X)

    Raises
    ------
    DesignError
        Bad input, a covariate that is the same for everyone, or none that varies within arms.

    Notes
    -----
    Rubin 1980, doi:10.2307/2529981. Covariates are first divided by their standard deviation; the coordinates
    are those of the pivoted Cholesky factor of the inverse covariance, as in MatchIt 4.7.1, whose ties depend
    on the first coordinate.

    Examples
    --------
    >>> Z = mahalanobis_coordinates([[0.0], [2.0], [1.0], [3.0]], [1, 1, 0, 0], names=["age"])
    >>> float(abs(Z[0, 0] - Z[1, 0]).round(4))
    1.4142
    """
    from scipy.linalg import lapack

    arm = check_arms(treated)
    matrix = check_covariates(X, arm.size, names)
    if arm.size < 3:
        raise DesignError("a Mahalanobis distance needs at least three persons")
    centre = matrix.mean(axis=0)
    scaled = matrix - centre
    sd = np.sqrt(np.einsum("ij,ij->j", scaled, scaled) / (arm.size - 1))
    same = [name for name, tiny in zip(names, sd <= 1e-10 * np.abs(centre), strict=True) if tiny]
    if same:
        raise DesignError("a covariate to match on is the same for everyone: leave it out", problems=same)
    scaled /= sd
    covariance = np.zeros((len(names), len(names)))
    for members in (arm, ~arm):
        centred = scaled[members]
        centred -= centred.mean(axis=0)
        covariance += centred.T @ centred
    inverse = np.linalg.pinv(covariance / (arm.size - 2), rcond=1e-8, hermitian=True)
    factor, pivot, rank, _ = lapack.dpstrf((inverse + inverse.T) / 2)
    if rank == 0 or not inverse.any():
        raise DesignError("the covariates do not vary within the arms: there is no Mahalanobis distance")
    rotation = np.zeros((rank, len(names)))
    rotation[:, pivot - 1] = np.triu(factor)[:rank]
    return _rotate(scaled, rotation)


def _rotate(scaled: FloatArray, rotation: FloatArray) -> FloatArray:
    """Multiply term by term, so that equal rows give equal bits; in blocks that fit the processor cache."""
    coordinates = np.zeros((scaled.shape[0], rotation.shape[0]))
    for begin in range(0, scaled.shape[0], _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        columns = np.ascontiguousarray(scaled[rows].T)
        turned = np.zeros((rotation.shape[0], columns.shape[1]))
        for i, j in np.argwhere(rotation):
            turned[i] += columns[j] * rotation[i, j]
        coordinates[rows] = turned.T
    return coordinates
