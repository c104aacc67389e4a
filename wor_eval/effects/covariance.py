"""Normal equations with one absorbed factor, and the sandwich covariance with its small-sample factor."""

from dataclasses import dataclass
from itertools import combinations
from typing import Literal, TypeAlias

import numpy as np

from wor_eval.effects.model_rows import Floats, Ids, ModelRows, ids_of
from wor_eval.errors import EstimationError

SmallSample: TypeAlias = Literal["none", "G/(G-1)", "G/(G-1)*(N-1)/(N-K)"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Information:
    """Information matrix of p coefficients and m absorbed groups, whose own block is diagonal.

    Attributes
    ----------
    gram : ndarray, shape (p, p)
        Block of the coefficients.
    cross : ndarray, shape (p, m)
        Block between coefficients and groups.
    diagonal : ndarray, shape (m,)
        Diagonal of the block of the groups.
    """

    gram: Floats
    cross: Floats
    diagonal: Floats

    @property
    def means(self) -> Floats:
        """Information-weighted mean of each column in each group, (p, m)."""
        means: Floats = self.cross / self.diagonal
        return means

    def partial(self) -> Floats:
        """Information of the coefficients with the groups partialled out, (p, p)."""
        partial: Floats = self.gram - self.means @ self.cross.T
        return partial

    def inverse(self) -> Floats:
        """Inverse of the partial information: the coefficients' block of the full inverse, (p, p)."""
        partial = self.partial()
        scale = np.sqrt(np.diag(partial))
        if not (scale > 0).all():
            raise EstimationError("the information matrix is singular: a column has no weight left")
        inverse: Floats = np.linalg.inv(partial / np.outer(scale, scale)) / np.outer(scale, scale)
        return (inverse + inverse.T) / 2

    def step(self, score: Floats, group_score: Floats) -> tuple[Floats, Floats, float]:
        """Newton step for coefficients (p,) and groups (m,), and its squared length in standard errors.

        Raises
        ------
        numpy.linalg.LinAlgError
            The partial information is not positive definite.
        """
        partial = self.partial()
        reduced = score - self.means @ group_score
        if not (np.diag(partial) > 0).all():
            raise np.linalg.LinAlgError("a diagonal element is not positive")
        scale = np.sqrt(np.diag(partial))
        triangle = np.linalg.cholesky(partial / np.outer(scale, scale))
        half = np.linalg.solve(triangle, reduced / scale)
        step = np.linalg.solve(triangle.T, half) / scale
        group_step = (group_score - self.cross.T @ step) / self.diagonal
        return step, group_step, float(half @ half)


def row_information(rows: ModelRows, weight: Floats) -> Information:
    """Information of independent rows with weight (n,) on the linear predictor."""
    return Information(
        gram=rows.gram(weight),
        cross=rows.column_total(rows.absorbed, weight),
        diagonal=rows.group_total(weight),
    )


def projected_scores(rows: ModelRows, residual: Floats, information: Information) -> Floats:
    """Score of each row with the groups partialled out: residual · (x - mean of x in its group), (k, n)."""
    if not rows.absorbed.size:
        return rows.columns * residual
    k = len(rows.columns)
    scores = np.take(information.means[:k], rows.absorbed.codes, axis=1)
    np.subtract(rows.columns, scores, out=scores)
    scores *= residual
    return scores


@dataclass(frozen=True, kw_only=True, slots=True)
class RobustCovariance:
    """A sandwich covariance.

    Attributes
    ----------
    cov : ndarray, shape (p, p)
        Covariance, small-sample factor included.
    n_clusters : int
        Clusters (the fewest, where there are several identifiers; rows, where there is none).
    factor : float
        Small-sample factor (of a single identifier; 1 where there are several).
    influence : ndarray, shape (G, p), or None
        Influence of each cluster on the coefficients: cov = factor · influence'influence. Only with exactly
        one identifier.
    """

    cov: Floats
    n_clusters: int
    factor: float
    influence: Floats | None


def small_sample_factor(small_sample: SmallSample, *, G: int, N: int, K: int) -> float:
    """Factor on the sandwich covariance.

    Parameters
    ----------
    small_sample : {"none", "G/(G-1)", "G/(G-1)*(N-1)/(N-K)"}
        The convention.
    G, N, K : int
        Clusters, rows, coefficients (absorbed groups included).

    Returns
    -------
    float

    Examples
    --------
    >>> round(small_sample_factor("G/(G-1)", G=11, N=100, K=5), 3)
    1.1
    """
    if small_sample == "none":
        return 1.0
    factor = G / (G - 1)
    return factor if small_sample == "G/(G-1)" else factor * (N - 1) / (N - K)


def robust_covariance(
    scores: Floats,
    inverse: Floats,
    *,
    clusters: tuple[Ids, ...],
    small_sample: SmallSample,
    n_rows: int,
    n_parameters: int,
) -> RobustCovariance:
    """Sandwich covariance, with clusters in one or several ways.

    One identifier: ``A⁻¹ (Σ_c s_c s_c') A⁻¹`` with s_c the summed score of cluster c (Liang and Zeger 1986,
    doi:10.1093/biomet/73.1.13). None: every row is a cluster (HC0; with the factor in N and K, HC1).
    Several: covariances of all intersections added and subtracted, each with its own factor (Cameron,
    Gelbach and Miller 2011, doi:10.1198/jbes.2010.07136).

    Parameters
    ----------
    scores : ndarray, shape (p, n)
        Score of each unit.
    inverse : ndarray, shape (p, p)
        Inverse of the information (the bread).
    clusters : tuple of Ids
        Cluster of each unit.
    small_sample : {"none", "G/(G-1)", "G/(G-1)*(N-1)/(N-K)"}
        The factor.
    n_rows, n_parameters : int
        N and K of the factor.

    Returns
    -------
    RobustCovariance

    Raises
    ------
    EstimationError
        A variance is zero or negative: too few clusters for this many coefficients.
    """
    cov = np.zeros_like(inverse)
    influence = None
    factor = 1.0
    n_clusters = scores.shape[1] if not clusters else min(ids.size for ids in clusters)
    for sign, ids in _intersections(clusters):
        sums = scores if ids is None else ids.total(scores)
        influence = sums.T @ inverse
        factor = small_sample_factor(small_sample, G=sums.shape[1], N=n_rows, K=n_parameters)
        cov = cov + sign * factor * (influence.T @ influence)
    _check_variance(cov, scores, inverse)
    single = len(clusters) == 1
    return RobustCovariance(
        cov=(cov + cov.T) / 2,
        n_clusters=n_clusters,
        factor=factor if len(clusters) < 2 else 1.0,
        influence=influence if single else None,
    )


def _intersections(clusters: tuple[Ids, ...]) -> list[tuple[int, Ids | None]]:
    if not clusters:
        return [(1, None)]
    parts: list[tuple[int, Ids | None]] = []
    for size in range(1, len(clusters) + 1):
        sign = 1 if size % 2 else -1
        parts.extend((sign, intersection(chosen)) for chosen in combinations(clusters, size))
    return parts


def intersection(ids: tuple[Ids, ...]) -> Ids:
    """Combine identifiers: rows share a code where they share all of them; labels are the combined codes."""
    combined = ids[0]
    for other in ids[1:]:
        pair = combined.codes * other.size + other.codes
        labels, codes = np.unique(pair, return_inverse=True)
        combined = ids_of(codes, labels)
    return combined


def _check_variance(cov: Floats, scores: Floats, inverse: Floats) -> None:
    by_row = inverse @ (scores @ scores.T) @ inverse
    if not (np.diag(cov) > 1e-12 * np.diag(by_row)).all():
        raise EstimationError(
            "a cluster-robust variance is zero or negative: there are too few clusters for these columns; "
            "give a finer or a single cluster identifier"
        )
