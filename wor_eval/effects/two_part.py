"""Two-part model of costs: whether there is any cost, and how much where there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.effects.covariance import SmallSample
from wor_eval.effects.fit import Fit, TermTable, two_arms_table
from wor_eval.effects.logistic import LogisticFit, logistic_regression, predicted_share
from wor_eval.effects.model_rows import Floats, as_columns, code_ids
from wor_eval.effects.regression import gamma_regression
from wor_eval.errors import EstimationError

QUANTITIES = ("mean_cost_referred", "mean_cost_comparison", "cost_ratio", "cost_difference")


@dataclass(frozen=True, kw_only=True, slots=True)
class TwoPartModel:
    """Both parts, with the same columns and clusters: `any_cost` over all rows, `amount` over those above zero."""

    any_cost: LogisticFit
    amount: Fit


def two_part_model(
    y: ArrayLike,
    X: ArrayLike,
    clusters: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    weights: ArrayLike | None = None,
    small_sample: SmallSample = "G/(G-1)",
) -> TwoPartModel:
    r"""Fit a logistic regression of any cost and a gamma regression with log link of the costs above zero.

    Estimand of the two together: ``E(y) = P(y > 0) E(y | y > 0)`` (Duan and others 1983,
    doi:10.1080/07350015.1983.10509330; with a gamma second part no retransformation is needed: Manning and
    Mullahy 2001, doi:10.1016/S0167-6296(01)00086-8). The parts by themselves answer no policy question: use
    :func:`two_part_effects`.

    Convention: the gamma part's sandwich has the observed information, as statsmodels, so that the errors of
    :func:`two_part_effects` are exactly the infinitesimal jackknife (R's sandwich has the expected one).

    Parameters
    ----------
    y : array_like, shape (n,)
        Costs of each person and window, zero or more. For windows of unequal length give costs per year and
        add the logarithm of the length as a column: a long window more often holds any cost.
    X : array_like, shape (n, k)
        Columns of the design; no constant is added.
    clusters : array_like, shape (n,)
        Person, matched set or practice.
    names : sequence of str, length k, optional
        Names of the columns.
    weights : array_like, shape (n,), optional
        Weights, zero or more.
    small_sample : {"G/(G-1)", "none", "G/(G-1)*(N-1)/(N-K)"}
        Factor on the cluster-robust covariance of each part.

    Returns
    -------
    TwoPartModel

    Raises
    ------
    EstimationError
        Missing or negative costs, no zeros or only zeros, and what either regression refuses.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> referred = np.repeat([0.0, 1.0], 200)
    >>> cost = rng.binomial(1, 0.6 - 0.1 * referred) * rng.gamma(1.0, 500.0 - 100 * referred)
    >>> X = np.column_stack([np.ones(400), referred])
    >>> model = two_part_model(cost, X, np.arange(400), names=["constant", "referred"])
    >>> table = two_part_effects(model, [[1, 1]] * 400, [[1, 0]] * 400, clusters=np.arange(400))
    >>> print(table.names[3], table.estimate.round(1)[3], table.std_error.round(1)[3])
    cost_difference -44.4 38.0
    """
    cost, columns = np.asarray(y, dtype=np.float64), np.asarray(X, dtype=np.float64)
    ids, w = np.asarray(clusters), np.ones(cost.size) if weights is None else np.asarray(weights, dtype=float)
    if cost.ndim != 1 or any(len(v) != cost.size for v in (columns, ids, w)):
        raise EstimationError(f"X, clusters and weights: {cost.size} rows are needed, one for each cost")
    bad = int((~(np.isfinite(cost) & (cost >= 0))).sum())
    if bad:
        raise EstimationError(
            f"y: {bad} of {cost.size} costs are missing or negative; net credit lines first"
        )
    positive = cost > 0
    any_cost = logistic_regression(
        positive, columns, names=names, weights=w, clusters=ids, small_sample=small_sample
    )
    amount = gamma_regression(
        cost[positive],
        columns[positive],
        names=names,
        weights=w[positive],
        clusters=ids[positive],
        information="observed",
        small_sample=small_sample,
    )
    return TwoPartModel(any_cost=any_cost, amount=amount)


def two_part_effects(
    model: TwoPartModel,
    X_referred: ArrayLike,
    X_comparison: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> TermTable:
    """Marginal costs from both parts: predict each person twice and average.

    Estimand: ``M_a = Σ w p(a) m(a) / Σ w`` with p the chance of any cost and m the mean above zero, for the
    columns set to referred and to comparison; given are M_1, M_0, M_1/M_0 and M_1 - M_0. Average over the
    referred for the effect in them. Standard errors from the influence of each cluster on both parts jointly.

    Parameters
    ----------
    model : TwoPartModel
        A fitted model.
    X_referred, X_comparison : array_like, shape (m, k)
        Columns of the persons averaged over, set to referred and to not referred.
    weights : array_like, shape (m,), optional
        Weights of the average, zero or more.
    clusters : array_like, shape (m,), optional
        Cluster of each person, as in the fit. Given: for the population they were drawn from. None: for these
        very persons.
    level : float
        Confidence level.

    Returns
    -------
    TermTable
        Rows as in `QUANTITIES`; the interval of the ratio is formed on the log scale and its `std_error` is
        that of the log. Means have no p-value (NaN).

    Raises
    ------
    EstimationError
        Other columns than the model's, missing values, clusters that are not in the fit.

    Examples
    --------
    See :func:`two_part_model`.
    """
    designs = as_columns(X_referred, "X_referred"), as_columns(X_comparison, "X_comparison")
    k, m = model.any_cost.coef.size, designs[0].shape[1]
    w = np.ones(m) if weights is None else np.asarray(weights, dtype=np.float64)
    if any(d.shape != (k, m) or not np.isfinite(d).all() for d in designs) or w.shape != (m,):
        raise EstimationError(
            f"X_referred, X_comparison and weights: {m} rows and {k} finite columns are needed"
        )
    if not (np.isfinite(w) & (w >= 0)).all() or not w.any():
        raise EstimationError("weights: finite numbers of at least zero are needed, not all zero")
    labels = model.any_cost.cluster_labels
    own = None if clusters is None else _Own(codes=_codes(labels, clusters, m), weights=w / w.sum())
    arms = [_arm(model, design, w / w.sum(), own) for design in designs]
    return _table(arms, level)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Own:
    """Position of each person's cluster in the fit, and its share of the weight."""

    codes: np.ndarray[tuple[int], np.dtype[np.intp]]
    weights: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class _Arm:
    """Mean cost, and the influence of each cluster on it (G,)."""

    mean: float
    influence: Floats


def _codes(
    labels: ArrayLike | None, clusters: ArrayLike, m: int
) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    known, ids = np.asarray(labels), code_ids(clusters, "clusters")
    if ids.codes.size != m:
        raise EstimationError(f"clusters: {ids.codes.size} identifiers, expected {m}")
    place = np.minimum(np.searchsorted(known, ids.labels), known.size - 1)
    unknown = int((known[place] != ids.labels).sum())
    if unknown:
        raise EstimationError(f"clusters: {unknown} clusters are not in the fit")
    return place[ids.codes]


def _arm(model: TwoPartModel, columns: Floats, share: Floats, own: _Own | None) -> _Arm:
    first, second = model.any_cost, model.amount
    chance = predicted_share(first.coef, columns)
    cost = chance * np.exp(np.einsum("j,ji->i", second.coef, columns))
    mean = float(share @ cost)
    by_chance = np.einsum("ji,i->j", columns, share * cost * (1.0 - chance))
    by_amount = np.einsum("ji,i->j", columns, share * cost)
    assert (
        first.influence is not None and second.influence is not None
    )  # both parts were fitted with clusters
    influence = np.sqrt(first.factor) * (first.influence @ by_chance)
    place = np.searchsorted(np.asarray(first.cluster_labels), np.asarray(second.cluster_labels))
    influence[place] += np.sqrt(second.factor) * (second.influence @ by_amount)
    if own is not None:
        deviation = own.weights * (cost - mean)
        influence += np.sqrt(first.factor) * np.bincount(own.codes, deviation, influence.size)
    return _Arm(mean=mean, influence=influence)


def _table(arms: list[_Arm], level: float) -> TermTable:
    one, other = arms
    pieces = [one.influence, other.influence, one.influence - other.influence]
    error = np.sqrt([float(piece @ piece) for piece in pieces])
    logs = one.influence / one.mean - other.influence / other.mean
    plain = np.array([one.mean, other.mean, one.mean - other.mean])
    log_ratio = (float(np.log(one.mean / other.mean)), float(np.sqrt(logs @ logs)))
    return two_arms_table(QUANTITIES, (plain, error), log_ratio, level=level)
