"""Standard errors and degrees of freedom that hold with few clusters: CR2 with Satterthwaite df.

Few practices make the usual cluster-robust standard error too small and its normal interval too narrow.
CR2 rescales the residuals of each cluster so that the variance is unbiased under a working model of
independent rows (Bell and McCaffrey 2002, Survey Methodology 28:169-181; Pustejovsky and Tipton 2018,
doi:10.1080/07350015.2016.1247004), and the Satterthwaite df say how many clusters really carry a
coefficient. Below about 4 df the approximation itself is poor: then say so, and do not lean on the p-value.

Nothing of the size of a cluster is ever inverted: the work is in matrices of twice the number of columns,
so both many clusters and large clusters are cheap, and no limit on their number is needed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.errors import EstimationError

_Floats = NDArray[np.float64]
_BLOCK_BYTES = 32_000_000
_RANK_TOLERANCE = 1e-13
_NULL_TOLERANCE = 1e-10
Family = Literal["poisson", "negative_binomial", "gamma"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterRobust:
    """Contrasts of regression coefficients with CR2 standard errors.

    Attributes
    ----------
    estimate, std_error, df, conf_low, conf_high, p_value : ndarray, shape (q,)
        One value per contrast, on the scale of the coefficients (logarithm for a log link). The interval and
        the two-sided p-value of zero use the t distribution with ``df`` degrees of freedom.
    covariance : ndarray, shape (q, q)
        CR2 covariance of the contrasts.
    scores : ndarray, shape (G, q)
        What each cluster, in the order of its name, adds to the contrasts: ``covariance = scores' scores``, and the
        covariance with another regression of the same clusters is ``scores' other.scores``.
    n_clusters : int
        Number of clusters.
    """

    estimate: _Floats
    std_error: _Floats
    df: _Floats
    conf_low: _Floats
    conf_high: _Floats
    p_value: _Floats
    covariance: _Floats
    scores: _Floats
    n_clusters: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rows:
    """Rows scaled to working variance 1: columns, residuals and weights, sorted by cluster."""

    columns: _Floats
    residuals: _Floats
    weights: _Floats
    starts: NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Clusters:
    """Per cluster the adjusted score and the three products that the Satterthwaite df need."""

    score: _Floats
    xs: _Floats
    xws: _Floats
    ss: _Floats


def cr2_linear(
    y: ArrayLike,
    X: ArrayLike,
    clusters: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    contrasts: ArrayLike | None = None,
    level: float = 0.95,
) -> ClusterRobust:
    """Fit (weighted) least squares with CR2 standard errors and Satterthwaite df.

    Estimand: the contrasts ``C b`` of ``b = (X'WX)^-1 X'Wy``. The working model is that of
    ``clubSandwich::vcovCR(lm)``: independent rows of equal variance, also when there are weights, because
    matching and survey weights are not inverse variances.

    Parameters
    ----------
    y : array-like, shape (n,)
        Outcome, in any unit.
    X : array-like, shape (n, p)
        Columns of the model, with the intercept; of full rank.
    clusters : array-like, shape (n,)
        Practice, matched set or person of each row.
    weights : array-like, shape (n,), optional
        Positive weights; 1 when left out.
    contrasts : array-like, shape (q, p) or (p,), optional
        Rows of contrasts; every coefficient when left out. With fixed effects for the clusters, ask only for
        the contrasts that matter: a fixed effect has no variance between clusters.
    level : float, default 0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    ClusterRobust

    Raises
    ------
    EstimationError
        Missing or infinite values, wrong shapes, columns that depend on each other, fewer than two clusters,
        or a contrast without any variance between clusters.

    References
    ----------
    Bell and McCaffrey 2002, Survey Methodology 28:169-181; Pustejovsky and Tipton 2018,
    doi:10.1080/07350015.2016.1247004.

    Examples
    --------
    Eight practices, each seen before and after: the same answer as a paired t-test on the practice means.

    >>> import numpy as np
    >>> practice = np.repeat(np.arange(8), 2)
    >>> after = np.tile([0.0, 1.0], 8)
    >>> contacts = np.array([4, 3, 6, 6, 5, 3, 7, 5, 4, 4, 8, 5, 5, 4, 6, 4.0])
    >>> fit = cr2_linear(contacts, np.column_stack([np.ones(16), after]), practice)
    >>> print(fit.estimate.round(3), fit.std_error.round(3), fit.df.round(1))
    [ 5.625 -1.375] [0.498 0.375] [7. 7.]
    """
    columns, (outcome, weight), names, contrast = _checked(X, (y, weights), clusters, contrasts)
    root = np.sqrt(weight)
    basis, triangle = _orthogonal(columns * root[:, None])
    coefficients = np.asarray(np.linalg.solve(triangle, basis.T @ (outcome * root)), dtype=float)
    residuals = outcome - columns @ coefficients
    if np.linalg.norm(residuals) <= _RANK_TOLERANCE * np.linalg.norm(outcome):
        raise EstimationError("the outcome is explained without error: no standard error can be given")
    return _cr2(_sorted_rows(columns, residuals, weight, names), triangle, (coefficients, contrast), level)


def cr2_log_link(
    y: ArrayLike,
    X: ArrayLike,
    clusters: ArrayLike,
    *,
    coefficients: ArrayLike,
    offset: ArrayLike | None = None,
    family: Family = "poisson",
    alpha: float = 0.0,
    weights: ArrayLike | None = None,
    contrasts: ArrayLike | None = None,
    level: float = 0.95,
) -> ClusterRobust:
    """Give CR2 standard errors and Satterthwaite df for a fitted model with a log link.

    The fitted model is linearised at its solution: columns ``m X``, response residuals ``y - m`` and working
    variance ``v(m)``, with ``m = exp(Xb + offset)`` and ``v = m`` (Poisson), ``m + alpha m^2`` (negative
    binomial) or ``m^2`` (gamma). Expected information is used, as in R's sandwich.

    Convention: the residuals of a cluster are multiplied by ``(I - H)^-1/2``, the root of Kauermann and
    Carroll 2001 (doi:10.1198/016214501753382309). It is unbiased under the working model just as the
    symmetric root of ``clubSandwich::vcovCR(glm)``, equals it where the working variance is constant within
    clusters, and differs by little elsewhere; clubSandwich also takes prior weights as inverse variances,
    and here they are not.

    Parameters
    ----------
    y : array-like, shape (n,)
        Counts or costs, not negative.
    X : array-like, shape (n, p)
        Columns of the model, with the intercept; of full rank.
    clusters : array-like, shape (n,)
        Practice, matched set or person of each row.
    coefficients : array-like, shape (p,)
        The fitted coefficients; they must solve the estimating equations of this family.
    offset : array-like, shape (n,), optional
        Logarithm of the person-time; 0 when left out.
    family : {"poisson", "negative_binomial", "gamma"}
        Working variance.
    alpha : float, default 0
        Overdispersion of the negative binomial.
    weights : array-like, shape (n,), optional
        Positive weights; 1 when left out.
    contrasts : array-like, shape (q, p) or (p,), optional
        Rows of contrasts; every coefficient when left out.
    level : float, default 0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    ClusterRobust
        On the logarithmic scale.

    Raises
    ------
    EstimationError
        As for :func:`cr2_linear`; also when the coefficients do not solve the estimating equations.

    Examples
    --------
    >>> import numpy as np
    >>> practice = np.repeat(np.arange(8), 2)
    >>> after = np.tile([0.0, 1.0], 8)
    >>> contacts = np.array([4, 3, 6, 6, 5, 3, 7, 5, 4, 4, 8, 5, 5, 4, 6, 4.0])
    >>> solved = [np.log(45 / 8), np.log(34 / 45)]
    >>> X = np.column_stack([np.ones(16), after])
    >>> fit = cr2_log_link(contacts, X, practice, coefficients=solved, contrasts=[0, 1])
    >>> print(np.exp(fit.estimate).round(3), fit.df.round(1))
    [0.756] [7.]
    """
    shift = np.zeros(np.shape(y)) if offset is None else offset
    columns, (outcome, weight, known), names, contrast = _checked(X, (y, weights, shift), clusters, contrasts)
    beta = np.asarray(coefficients, dtype=float)
    if beta.shape != (columns.shape[1],) or not np.isfinite(beta).all():
        raise EstimationError(f"coefficients: {columns.shape[1]} finite numbers are needed, one per column")
    negative = int((outcome < 0).sum())
    if negative:
        raise EstimationError(f"{negative} outcomes are negative: a log link cannot hold them")
    mean = np.exp(columns @ beta + known)
    scale = np.sqrt(_working_variance(mean, family, alpha))
    working = columns * (mean / scale)[:, None]
    _, triangle = _orthogonal(working * np.sqrt(weight)[:, None])
    rows = _sorted_rows(working, (outcome - mean) / scale, weight, names)
    return _cr2(rows, triangle, (beta, contrast), level)


def _working_variance(mean: _Floats, family: Family, alpha: float) -> _Floats:
    if not np.isfinite(alpha) or alpha < 0:
        raise EstimationError("alpha: a finite number of at least 0 is needed")
    variances: dict[Family, Callable[[_Floats], _Floats]] = {
        "poisson": lambda m: m,
        "negative_binomial": lambda m: m + alpha * m**2,
        "gamma": lambda m: m**2,
    }
    if family not in variances:
        raise EstimationError(f"family: one of {', '.join(variances)} is needed")
    return variances[family](mean)


def _checked(
    X: ArrayLike, vectors: tuple[ArrayLike | None, ...], clusters: ArrayLike, contrasts: ArrayLike | None
) -> tuple[_Floats, list[_Floats], NDArray[Any], _Floats]:
    """Check shapes and values of X, (y, weights, offset), clusters and contrasts; no weights are ones."""
    columns, names = np.asarray(X, dtype=float), np.asarray(clusters)
    if columns.ndim != 2 or columns.size == 0:
        raise EstimationError("X: a matrix with rows and columns is needed")
    n, p = columns.shape
    values = [np.ones(n) if v is None else np.asarray(v, dtype=float) for v in vectors]
    wanted = np.eye(p) if contrasts is None else np.atleast_2d(np.asarray(contrasts, dtype=float))
    shapes = [v.shape for v in (*values, names) if v.shape != (n,)]
    problems = [f"a vector of shape {shape}, where X has {n} rows" for shape in shapes]
    bad = sum(int((~np.isfinite(v)).sum()) for v in (columns, *values, wanted))
    if bad:
        problems.append(f"{bad} missing or infinite values in X, y, weights, offset or contrasts")
    if (values[1] <= 0).any():
        problems.append(f"{int((values[1] <= 0).sum())} weights are not positive: leave those rows out")
    if wanted.ndim != 2 or wanted.shape[1] != p:
        problems.append(f"contrasts of shape {wanted.shape}: {p} columns are needed")
    if problems:
        raise EstimationError("the rows of the regression cannot be used", problems=problems)
    return columns, values, names, wanted


def _sorted_rows(columns: _Floats, residuals: _Floats, weights: _Floats, names: NDArray[Any]) -> _Rows:
    _, codes = np.unique(names, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    if starts.size < 2:
        raise EstimationError("one cluster: a cluster-robust variance needs at least two")
    return _Rows(columns=columns[order], residuals=residuals[order], weights=weights[order], starts=starts)


def _cr2(rows: _Rows, triangle: _Floats, wanted: tuple[_Floats, _Floats], level: float) -> ClusterRobust:
    """Turn scaled rows, and coefficients with contrasts of them, into contrasts with their CR2 errors."""
    if not 0 < level < 1:
        raise EstimationError("level: a number between 0 and 1 is needed")
    coefficients, contrasts = wanted
    basis = np.asarray(np.linalg.solve(triangle.T, rows.columns.T).T, dtype=float)
    directions = np.asarray(np.linalg.solve(triangle.T, contrasts.T).T, dtype=float)
    squares: _Floats = (basis * rows.weights[:, None] ** 2).T @ basis
    clusters = _adjusted(basis, rows, squares)
    middle = clusters.score.T @ clusters.score
    unsolved = np.abs(basis.T @ (rows.weights * rows.residuals))
    if (unsolved > 1e-3 * np.sqrt(np.diag(middle)) + 1e-9 * np.abs(rows.residuals).sum()).any():
        raise EstimationError("the coefficients do not solve the estimating equations: refit to convergence")
    df, expected = _satterthwaite(clusters, directions, squares)
    plain = ((directions @ squares) * directions).sum(axis=1)
    empty = np.flatnonzero(expected <= _NULL_TOLERANCE * plain)
    if empty.size:
        raise EstimationError(
            f"contrasts at positions {', '.join(map(str, empty))} have no variance between clusters "
            "(fixed effects of the clusters?): ask for other contrasts"
        )
    scores = clusters.score @ directions.T
    return _with_limits(contrasts @ coefficients, scores, df, level=level)


def _orthogonal(weighted: _Floats) -> tuple[_Floats, _Floats]:
    """Give Q and R of the weighted columns: the columns times the inverse of R are orthonormal under the weights."""
    sizes = np.sqrt((weighted**2).sum(axis=0))
    basis, triangle = np.linalg.qr(weighted)
    # R has the singular values of the columns, and is small.
    if not sizes.all() or np.linalg.matrix_rank(triangle / sizes, tol=1e-9) < sizes.size:
        raise EstimationError("the columns of X depend on each other: leave the redundant ones out")
    return np.asarray(basis, dtype=float), np.asarray(triangle, dtype=float)


def _adjusted(basis: _Floats, rows: _Rows, squares: _Floats) -> _Clusters:
    """Adjust every cluster, in blocks of bounded memory."""
    p = basis.shape[1]
    both = np.hstack([basis, basis * rows.weights[:, None]])
    middle = np.block([[squares, -np.eye(p)], [-np.eye(p), np.zeros((p, p))]])
    bounds = np.append(rows.starts, rows.residuals.size)
    step = max(1, _BLOCK_BYTES // (8 * 8 * 4 * p * p))
    parts = []
    for first in range(0, rows.starts.size, step):
        edges = bounds[first : first + step + 1]
        pieces = [slice(a, b) for a, b in itertools.pairwise(edges)]
        grams = np.stack([both[s].T @ both[s] for s in pieces])
        sums = np.stack([both[s].T @ rows.residuals[s] for s in pieces])
        parts.append(_adjusted_block(grams, sums, middle))
    score, xs, xws, ss = (np.concatenate(group) for group in zip(*parts, strict=True))
    return _Clusters(score=score, xs=xs, xws=xws, ss=ss)


def _adjusted_block(grams: _Floats, sums: _Floats, middle: _Floats) -> tuple[_Floats, ...]:
    """Adjust clusters from their products of ``U = [X, WX]`` alone.

    The residuals of a cluster have working covariance ``I + U B U'``; with ``U = Q K^1/2`` the root is
    ``A = I + Q (G^-1/2 - I) Q'`` and ``G = I + K^1/2 B K^1/2``, so ``A`` itself is never formed. A zero
    eigenvalue of ``G`` (a fixed effect of the cluster) gets the generalised inverse 0.
    """
    p = middle.shape[0] // 2
    values, vectors = np.linalg.eigh(grams)
    kept = values > _RANK_TOLERANCE * values[:, -1:]
    root = np.sqrt(np.where(kept, values, 0.0))
    inverse = np.divide(1.0, root, out=np.zeros_like(root), where=kept)
    half = vectors * root[:, None, :] @ vectors.swapaxes(1, 2)
    half_inverse = vectors * inverse[:, None, :] @ vectors.swapaxes(1, 2)
    inner, turns = np.linalg.eigh(np.eye(2 * p) + half @ middle @ half)
    positive = np.where(inner > _NULL_TOLERANCE, inner, np.inf)
    by_root = turns * (positive**-0.5 - 1.0)[:, None, :] @ turns.swapaxes(1, 2)
    by_inverse = turns * (1.0 / positive - 1.0)[:, None, :] @ turns.swapaxes(1, 2)
    once = grams + half @ by_root @ half
    twice = grams + half @ by_inverse @ half
    score = sums + (half @ (by_root @ (half_inverse @ sums[:, :, None])))[:, :, 0]
    return score[:, p:], once[:, :p, p:], once[:, p:, p:], twice[:, p:, p:]


def _satterthwaite(clusters: _Clusters, directions: _Floats, squares: _Floats) -> tuple[_Floats, _Floats]:
    """Give the df and the working variance of each contrast, from traces of a G x G matrix never formed."""
    p = squares.shape[0]
    middle = np.block([[squares, -np.eye(p)], [-np.eye(p), np.zeros((p, p))]])
    df, expected = np.empty(len(directions)), np.empty(len(directions))
    for i, c in enumerate(directions):
        factor = np.hstack([clusters.xs @ c, clusters.xws @ c])
        own = np.einsum("gij,i,j->g", clusters.ss, c, c)
        shared = ((factor @ middle) * factor).sum(axis=1)
        cross = factor.T @ factor @ middle
        expected[i] = own.sum() + shared.sum()
        spread = (own**2).sum() + 2.0 * (own * shared).sum() + np.trace(cross @ cross)
        df[i] = expected[i] ** 2 / spread
    return df, expected


def _with_limits(estimate: _Floats, scores: _Floats, df: _Floats, *, level: float) -> ClusterRobust:
    from scipy.stats import t

    covariance = scores.T @ scores
    std_error = np.sqrt(np.diag(covariance))
    if not std_error.all():
        raise EstimationError("a contrast has no variance at all: no standard error can be given")
    half = t.ppf(0.5 + level / 2, df) * std_error
    return ClusterRobust(
        estimate=estimate,
        std_error=std_error,
        df=df,
        conf_low=estimate - half,
        conf_high=estimate + half,
        p_value=2.0 * t.sf(np.abs(estimate / std_error), df),
        covariance=covariance,
        scores=scores,
        n_clusters=len(scores),
    )
