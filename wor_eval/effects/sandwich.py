"""Give a fit its cluster-robust covariance, with the influence of each cluster for later averages."""

from dataclasses import replace

import numpy as np

from wor_eval.effects.covariance import Information, SmallSample, intersection, robust_covariance
from wor_eval.effects.fit import AbsorbedGroups, Fit
from wor_eval.effects.model_rows import Codes, Floats, Ids, ModelRows
from wor_eval.errors import EstimationError


def refuse_clusters(rows: ModelRows, covariance: str) -> None:
    """Refuse clusters beside a covariance that would ignore them."""
    if rows.clusters and covariance != "robust":
        raise EstimationError(
            f'clusters: a "{covariance}" covariance takes every row as independent; '
            'ask for covariance="robust", or give no clusters'
        )


def with_sandwich(
    fit: Fit,
    scores: Floats,
    inverse: Floats,
    *,
    clusters: tuple[Ids, ...],
    small_sample: SmallSample,
) -> Fit:
    """Return the fit with a sandwich covariance.

    Parameters
    ----------
    fit : Fit
        The fit, with k coefficients.
    scores : ndarray, shape (p, u)
        Score of each unit (row or GEE group) on the coefficients, and on log alpha where p = k + 1.
    inverse : ndarray, shape (p, p)
        Inverse information.
    clusters : tuple of Ids
        Cluster of each unit.
    small_sample : {"none", "G/(G-1)", "G/(G-1)*(N-1)/(N-K)"}
        Small-sample factor.

    Returns
    -------
    Fit
    """
    k = fit.coef.size
    robust = robust_covariance(
        scores,
        inverse,
        clusters=clusters,
        small_sample=small_sample,
        n_rows=fit.n_obs,
        n_parameters=k + fit.n_absorbed,
    )
    kind = "cluster-robust" if clusters else "robust"
    alpha_error = fit.alpha_std_error
    if fit.alpha is not None and len(inverse) > k:
        alpha_error = fit.alpha * float(np.sqrt(robust.cov[k, k]))
    return replace(
        fit,
        cov=robust.cov[:k, :k],
        method=f"{fit.method}, {kind} covariance x {'1' if small_sample == 'none' else small_sample}",
        n_clusters=robust.n_clusters,
        alpha_std_error=alpha_error,
        factor=robust.factor,
        influence=robust.influence,
        cluster_labels=clusters[0].labels if robust.influence is not None else None,
    )


def absorbed_groups(
    rows: ModelRows,
    effects: Floats,
    information: Information,
    *,
    units: Codes,
    scores: Floats,
    clusters: tuple[Ids, ...],
) -> AbsorbedGroups | None:
    """Keep the absorbed effects and their scores by group and cluster.

    Parameters
    ----------
    rows : ModelRows
        The rows, for labels.
    effects : ndarray, shape (m,)
        Group effects.
    information : Information
        Information with p columns.
    units : ndarray of int, shape (u,)
        Absorbed group of each unit.
    scores : ndarray, shape (u,)
        Score of each unit on the effect of its group.
    clusters : tuple of Ids
        Cluster of each unit.

    Returns
    -------
    AbsorbedGroups or None
        None where nothing is absorbed. Without a single cluster identifier the scores are empty.
    """
    if not rows.absorbed.size:
        return None
    groups, by_cluster, totals = _by_group_and_cluster(rows.absorbed, units, scores, clusters)
    return AbsorbedGroups(
        labels=rows.absorbed.labels,
        effects=effects,
        information=information.diagonal,
        means=information.means,
        without_events=rows.groups_without_events,
        score_groups=groups,
        score_clusters=by_cluster,
        scores=totals,
    )


def _by_group_and_cluster(
    absorbed: Ids, units: Codes, scores: Floats, clusters: tuple[Ids, ...]
) -> tuple[Codes, Codes, Floats]:
    none = np.zeros(0, dtype=np.intp)
    if len(clusters) != 1:
        return none, none, np.zeros(0)
    cluster = clusters[0]
    group_of = np.zeros(cluster.size, dtype=np.intp)
    group_of[cluster.codes] = units
    if np.array_equal(group_of[cluster.codes], units):
        return group_of, np.arange(cluster.size), cluster.total(scores)
    both = intersection((Ids(codes=units, labels=absorbed.labels), cluster))
    group_codes, cluster_codes = np.divmod(both.labels, cluster.size)
    return group_codes, cluster_codes, both.total(scores)
