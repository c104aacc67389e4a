"""Balance: how alike the two arms are, covariate by covariate, before and after matching or weighting."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.design.weighting import BoolArray, FloatArray, checked_weights, referred_mask
from wor_eval.errors import DesignError

if TYPE_CHECKING:
    import pandas as pd

Denominator = Literal["referred", "pooled", "all"]
BinaryStd = Literal["proportion", "sample"]

# Relative rounding error below which a difference or a spread counts as none.
ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class BalanceTable:
    """Balance of the covariates: one row per group, covariate and sample; each column an array of length m.

    Parameters
    ----------
    group : ndarray of str
        "all", or the label of a group.
    covariate : ndarray of str
    sample : ndarray of str
        "before" (everybody, weight 1) or "after" (with the weights).
    mean_referred, mean_comparison : ndarray
        (Weighted) means, in the unit of the covariate.
    smd : ndarray
        Standardised mean difference: referred minus comparison over the denominator. Infinite when the means
        differ and the denominator is 0.
    variance_ratio : ndarray
        Variance of the referred over that of the comparison persons. NaN for a binary covariate, whose
        variance follows from its mean, and where a single person carries all the weight of an arm.
    ks : ndarray
        Largest distance between the two cumulative distributions (Kolmogorov-Smirnov; eCDF max).
    ecdf_mean : ndarray
        Mean distance between them over the values that occur.
    flagged : ndarray of bool
        True where the absolute standardised mean difference is above the threshold.
    denominator : {"referred", "pooled", "all"}
        What `smd` was divided by.
    threshold : float
        The threshold for `flagged`.
    """

    group: NDArray[np.str_]
    covariate: NDArray[np.str_]
    sample: NDArray[np.str_]
    mean_referred: FloatArray
    mean_comparison: FloatArray
    smd: FloatArray
    variance_ratio: FloatArray
    ks: FloatArray
    ecdf_mean: FloatArray
    flagged: BoolArray
    denominator: Denominator
    threshold: float

    def to_frame(self) -> "pd.DataFrame":
        """Give the columns as a data frame, one row per group, covariate and sample."""
        import pandas as pd

        columns = [field.name for field in fields(self) if field.name not in {"denominator", "threshold"}]
        return pd.DataFrame({name: getattr(self, name) for name in columns})

    def summary(self) -> str:
        """Say in one line per sample how many covariates are flagged, and the largest difference."""
        lines = []
        for sample in ("before", "after"):
            rows = self.sample == sample
            flagged, largest = np.count_nonzero(self.flagged[rows]), np.abs(self.smd[rows]).max()
            lines.append(
                f"{sample}: {flagged} of {np.count_nonzero(rows)} with |SMD| above {self.threshold:g}, "
                f"largest {largest:.3f}"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"BalanceTable (denominator: {self.denominator})\n{self.summary()}"


def balance_table(
    covariates: ArrayLike,
    treated: ArrayLike,
    weights: ArrayLike,
    *,
    names: Sequence[str],
    groups: ArrayLike | None = None,
    denominator: Denominator = "referred",
    binary_std: BinaryStd = "proportion",
    threshold: float = 0.1,
) -> BalanceTable:
    r"""Compare the two arms on each covariate, before and after, overall and within each group.

    The standardised mean difference is

    .. math:: SMD = (\bar x_{referred} - \bar x_{comparison}) / s

    with s taken **before** matching, so that both samples are on one scale: the standard deviation of
    the referred (ATT), the root of the mean of the two variances (*pooled*, ATE), or that of everybody
    (*all*). Within a group, s is that of the group. A binary covariate (only 0 and 1) has
    s = sqrt(p (1 - p)) as in MatchIt and cobalt (*proportion*), or the sample standard deviation with n - 1
    (*sample*).

    Weighted variances are as in MatchIt and cobalt:
    :math:`\sum w (x - \bar x)^2 \cdot \sum w / ((\sum w)^2 - \sum w^2)`, which is n - 1 for equal weights.
    The mean eCDF distance runs over the distinct values of everybody in the group, matched or not; for
    a binary covariate it is the difference in shares (MatchIt).

    Parameters
    ----------
    covariates : array_like of shape (n, k)
        Numbers; categories as one 0/1 column per level.
    treated : array_like of shape (n,)
        1 for referred, 0 for comparison.
    weights : array_like of shape (n,)
        Weight after matching; 0 for persons not matched.
    names : sequence of str, length k
        Names of the covariates.
    groups : array_like of shape (n,), optional
        Group of each person (age band). Rows for "all" come first, then one block per group.
    denominator : {"referred", "pooled", "all"}
        See above.
    binary_std : {"proportion", "sample"}
        See above.
    threshold : float
        Absolute standardised mean difference above which a row is flagged.

    Returns
    -------
    BalanceTable

    Raises
    ------
    DesignError
        Wrong shapes; missing values (named, with counts); an arm of a group with fewer than two persons
        before, or no weight after.

    References
    ----------
    Austin 2009, doi:10.1002/sim.3697; Austin, Stuart 2015, doi:10.1002/sim.6607.

    Examples
    --------
    >>> x = [[1.0], [3.0], [1.0], [3.0], [8.0]]
    >>> table = balance_table(x, [1, 1, 0, 0, 0], [1, 1, 1, 1, 0], names=["contacts"])
    >>> table.smd.round(3)
    array([-1.414,  0.   ])
    >>> table
    BalanceTable (denominator: referred)
    before: 1 of 1 with |SMD| above 0.1, largest 1.414
    after: 0 of 1 with |SMD| above 0.1, largest 0.000
    """
    X, referred, w = _checked(covariates, treated, weights, names)
    if denominator not in {"referred", "pooled", "all"} or binary_std not in {"proportion", "sample"}:
        raise DesignError(
            f"denominator {denominator!r} or binary_std {binary_std!r} is not one of the choices"
        )
    masks = _group_masks(groups, referred, w)
    binary = [bool(((column == 0) | (column == 1)).all()) for column in X.T]
    blocks: list[FloatArray] = []
    for mask in masks.values():
        inside = slice(None) if mask.all() else np.flatnonzero(mask)
        arm = referred[inside]
        samples = (_arm_weights(arm, np.ones(arm.size)), _arm_weights(arm, w[inside]))
        blocks.extend(
            _one_covariate(
                X[inside, j], arm, samples, binary=b, denominator=denominator, binary_std=binary_std
            )
            for j, b in enumerate(binary)
        )
    values = np.concatenate(blocks)
    return BalanceTable(
        group=np.repeat(list(masks), 2 * len(names)),
        covariate=np.tile(np.repeat(list(names), 2), len(masks)),
        sample=np.tile(["before", "after"], len(names) * len(masks)),
        mean_referred=values[:, 0],
        mean_comparison=values[:, 1],
        smd=values[:, 2],
        variance_ratio=values[:, 3],
        ks=values[:, 4],
        ecdf_mean=values[:, 5],
        flagged=np.abs(values[:, 2]) > threshold,
        denominator=denominator,
        threshold=threshold,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sample:
    """Weights of one sample: each arm summing to 1, and both in one array with the comparison negative."""

    referred: FloatArray
    comparison: FloatArray
    signed: FloatArray


def _arm_weights(referred: BoolArray, weights: FloatArray) -> _Sample:
    first, second = weights[referred], weights[~referred]
    first, second = first / first.sum(), second / second.sum()
    signed = np.empty(referred.size)
    signed[referred], signed[~referred] = first, -second
    return _Sample(referred=first, comparison=second, signed=signed)


def _one_covariate(
    x: FloatArray,
    referred: BoolArray,
    samples: tuple[_Sample, _Sample],
    *,
    binary: bool,
    denominator: Denominator,
    binary_std: BinaryStd,
) -> FloatArray:
    """Rows before and after: mean_referred, mean_comparison, smd, variance_ratio, ks, ecdf_mean."""
    arms = x[referred], x[~referred]
    size = float(np.abs(x).max())
    moments = [(_moments(arms[0], s.referred), _moments(arms[1], s.comparison)) for s in samples]
    spread = _spread(x, moments[0], denominator=denominator, proportion=binary and binary_std == "proportion")
    rows = np.empty((2, 6))
    for row, ((mean_r, var_r), (mean_c, var_c)) in zip(rows, moments, strict=True):
        row[:3] = mean_r, mean_c, _ratio(mean_r - mean_c, spread, size)
        row[3] = np.nan if binary else _variance_ratio(var_r, var_c, size)
        row[4:] = abs(mean_r - mean_c)
    if not binary:
        order = np.argsort(x)
        ordered = x[order]
        last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
        for row, sample in zip(rows, samples, strict=True):
            row[4:] = _ecdf_distance(sample.signed[order], last)
    return rows


def _spread(
    x: FloatArray,
    before: tuple[tuple[float, float], tuple[float, float]],
    *,
    denominator: Denominator,
    proportion: bool,
) -> float:
    """Denominator of the standardised mean difference, from the means and variances before matching."""
    if denominator == "all":
        return float(x.std(ddof=0 if proportion else 1))
    first, second = (mean * (1 - mean) if proportion else variance for mean, variance in before)
    return float(np.sqrt(first if denominator == "referred" else (first + second) / 2))


def _moments(x: FloatArray, p: FloatArray) -> tuple[float, float]:
    """Weighted mean and variance (reliability weights p, summing to 1)."""
    mean = float(p @ x)
    lost = float(p @ p)
    return mean, float(p @ (x - mean) ** 2) / (1 - lost) if lost < 1 - ROUNDING else np.nan


def _ratio(gap: float, spread: float, size: float) -> float:
    if abs(gap) <= ROUNDING * size:
        return 0.0
    return gap / spread if spread > ROUNDING * size else float(np.copysign(np.inf, gap))


def _variance_ratio(first: float, second: float, size: float) -> float:
    none = (ROUNDING * size) ** 2
    if second <= none:
        return 1.0 if first <= none else np.inf
    return first / second


def _ecdf_distance(ordered: FloatArray, last: NDArray[np.intp]) -> tuple[float, float]:
    """Largest and mean distance between the cumulative distributions, at the last of each tied value."""
    distance = np.abs(np.cumsum(ordered)[last])
    return float(distance.max()), float(distance.mean())


def _checked(
    covariates: ArrayLike, treated: ArrayLike, weights: ArrayLike, names: Sequence[str]
) -> tuple[FloatArray, BoolArray, FloatArray]:
    X = np.asfortranarray(covariates, dtype=np.float64)
    if X.ndim != 2 or X.shape[1] != len(names) or not names:
        raise DesignError(f"covariates have shape {X.shape}, expected (n, {len(names)}): one column per name")
    bad = [np.count_nonzero(~np.isfinite(column)) for column in X.T]
    if any(bad):
        raise DesignError(
            "covariates with missing or infinite values have no balance: impute, or add a column that says "
            "missing",
            problems=[
                f"{name}: {count} of {X.shape[0]}" for name, count in zip(names, bad, strict=True) if count
            ],
        )
    referred = referred_mask(treated, X.shape[0])
    w = checked_weights(weights)
    if w.shape != referred.shape:
        raise DesignError(f"weights have shape {w.shape}, expected {referred.shape}")
    return X, referred, w


def _group_masks(groups: ArrayLike | None, referred: BoolArray, weights: FloatArray) -> dict[str, BoolArray]:
    """Who is in "all" and in each group, after checking that every arm of each has somebody."""
    masks: dict[str, BoolArray] = {"all": np.ones(referred.size, dtype=bool)}
    if groups is not None:
        import pandas as pd

        labels = np.asarray(groups)
        if labels.shape != referred.shape:
            raise DesignError(f"groups have shape {labels.shape}, expected {referred.shape}")
        codes, levels = pd.factorize(labels, sort=True)
        if (codes < 0).any():
            raise DesignError(f"groups: {np.count_nonzero(codes < 0)} of {codes.size} are missing")
        masks |= {str(level): codes == code for code, level in enumerate(levels)}
        if len(masks) != len(levels) + 1:
            raise DesignError("groups: a label that is 'all', or two that print alike; rename them")
    problems = []
    for label, mask in masks.items():
        for arm, members in (("referred", mask & referred), ("comparison", mask & ~referred)):
            if np.count_nonzero(members) < 2:
                problems.append(f"{label}, {arm}: {np.count_nonzero(members)} persons before, need 2")
            elif not weights[members].any():
                problems.append(f"{label}, {arm}: nobody has a weight above 0 after")
    if problems:
        raise DesignError("balance cannot be computed: merge groups or match again", problems=problems)
    return masks
