"""Costs of either design: mean difference, gamma model and its checks, two-part model, parts, concentration.

Every function takes :class:`wor_eval.effects.arms.Arms`: the referred against themselves with weight 1, or both
arms of a matched cohort with their weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wor_eval.cohort.wide import DAYS_PER_YEAR, Floats, wide_outcome
from wor_eval.effects.arms import Arms, contrast_cells, contrast_of, signs_of
from wor_eval.effects.change import EXTREME_SHARES
from wor_eval.effects.costs import cost_contrast, link_test, park_test
from wor_eval.effects.fit import coefficients
from wor_eval.effects.paired import concentration
from wor_eval.effects.regression import gamma_regression
from wor_eval.effects.two_part import two_part_effects, two_part_model
from wor_eval.errors import EstimationError
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

_FIELDS = ("estimate", "std_error", "conf_low", "conf_high", "p_value")
_MISSING = dict.fromkeys(_FIELDS, np.nan)
Rows = list[tuple[str, str, dict[str, float]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class CostRows:
    """Costs as rows for a regression: one per unit and window of a contrast.

    Attributes
    ----------
    cost : ndarray, shape (r,)
        Costs per year.
    weights, cluster : ndarray, shape (r,)
        Weight times years; person or matched set.
    X : ndarray, shape (r, k)
        Constant, terms of the contrast, age, sex, conditions, logarithm of the years.
    effect : int
        Column of X that is the contrast.
    treated : ndarray of bool, shape (r,)
        Rows of the referred in window after.
    """

    cost: Floats
    weights: Floats
    cluster: NDArray[Any]
    X: Floats
    effect: int
    treated: NDArray[np.bool_]


def cost_effects(arms: Arms, study: Study, *, outcome: str) -> pd.DataFrame:
    """Estimate the contrast of the plan for one cost outcome in several ways, by age band.

    Methods: ``bootstrap_t`` and ``bca`` (difference of mean costs per person-year, intervals from the same
    draws), ``gamma`` (ratio of mean costs of those with any cost), ``park`` and ``link`` (the checks of that
    model), ``two_part`` (ratio and difference from the chance of any cost and the amount). A method that cannot
    be carried out in a band has missing values.

    Returns
    -------
    DataFrame
        ``outcome, contrast, age_band, method, scale, estimate, std_error, conf_low, conf_high, p_value,
        n_referred, n_comparison``.
    """
    import pandas as pd

    contrast = contrast_of(study, outcome)
    rows = []
    for band, part in arms.bands(study):
        for maker in (_bootstrapped, _gamma, _two_part):
            for method, scale, values in maker(part, study, outcome):
                named = {"outcome": outcome, "contrast": contrast, "age_band": band, "method": method}
                rows.append({**named, "scale": scale, **values, **part.sizes})
    return pd.DataFrame(rows)


def _bootstrapped(arms: Arms, study: Study, outcome: str) -> Rows:
    try:
        cells = contrast_cells(arms, outcome, contrast_of(study, outcome))
        found = cost_contrast(
            cells.value,
            cells.years,
            arms.cluster,
            signs=cells.signs,
            weights=arms.weight,
            replicates=study.replicates,
            seed=study.seed,
        )
    except EstimationError:
        return [(method, "difference", _MISSING) for method in ("bootstrap_t", "bca")]
    rows: Rows = []
    for method, made in (("bootstrap_t", found.bootstrap_t), ("bca", found.bca)):
        values = {"estimate": float(made.estimate), "std_error": found.linear.std_error}
        values |= {"conf_low": float(made.conf_low), "conf_high": float(made.conf_high)}
        rows.append((method, "difference", {**values, "p_value": np.nan}))
    return rows


def _gamma(arms: Arms, study: Study, outcome: str) -> Rows:
    """Fit the gamma model on costs above zero, with its checks on the same rows."""
    try:
        rows = cost_rows(arms, outcome, contrast_of(study, outcome))
        some = rows.cost > 0
        y, X, cluster = rows.cost[some], rows.X[some], rows.cluster[some]
        fit = gamma_regression(y, X, weights=rows.weights[some], clusters=cluster)
        table = coefficients(fit, scale="ratio")
        values = {field: float(getattr(table, field)[rows.effect]) for field in _FIELDS}
        mean = np.exp(X @ fit.coef)
    except EstimationError:
        return [
            ("gamma", "ratio", _MISSING),
            ("park", "power", _MISSING),
            ("link", "coefficient", _MISSING),
        ]
    return [
        ("gamma", "ratio", values),
        ("park", "power", _checked(lambda: park_test(y, mean, clusters=cluster))),
        ("link", "coefficient", _checked(lambda: link_test(y, mean, clusters=cluster))),
    ]


def _checked(test: Callable[[], Any]) -> dict[str, float]:
    try:
        found = test()
    except EstimationError:
        return _MISSING
    return {field: float(getattr(found, field)) for field in _FIELDS}


def _two_part(arms: Arms, study: Study, outcome: str) -> Rows:
    """Predict the referred after the index date with and without the effect, and average."""
    try:
        rows = cost_rows(arms, outcome, contrast_of(study, outcome))
        model = two_part_model(rows.cost, rows.X, rows.cluster, weights=rows.weights)
        with_effect = rows.X[rows.treated]
        without = with_effect.copy()
        without[:, rows.effect] = 0.0
        table = two_part_effects(
            model,
            with_effect,
            without,
            weights=rows.weights[rows.treated],
            clusters=rows.cluster[rows.treated],
        )
    except EstimationError:
        return [("two_part", scale, _MISSING) for scale in ("ratio", "difference")]
    place = {scale: table.names.index(f"cost_{scale}") for scale in ("ratio", "difference")}
    return [
        ("two_part", scale, {field: float(getattr(table, field)[at]) for field in _FIELDS})
        for scale, at in place.items()
    ]


def cost_rows(arms: Arms, outcome: str, contrast: str) -> CostRows:
    """Lay costs out as rows for a regression.

    Parameters
    ----------
    arms : Arms
        The units.
    outcome : str
        A cost outcome.
    contrast : str
        ``before_after`` or a key of :data:`wor_eval.effects.contrasts.SIGNS`.

    Returns
    -------
    CostRows
        Rows of windows that were observed; columns that say nothing new among rows with any cost are left out: the
        amount is modelled on those.
    """
    windows = sorted({window for _, window in signs_of(contrast)}, key=lambda name: name == "after")
    wide = wide_outcome(arms.cohort, outcome, windows)
    value, years = wide.value[arms.unit].ravel(), wide.years[arms.unit].ravel()
    k, seen = len(windows), years > 0
    unit = np.repeat(np.arange(len(arms)), k)[seen]
    after = np.tile(np.array(windows) == "after", len(arms))[seen]
    referred = arms.referred[unit]
    length = years[seen]
    terms = {1: [after], 2: [referred], 3: [after, referred, after & referred]}
    which = terms[(1 if k > 1 else 0) + (2 if arms.two else 0)]
    known = np.column_stack([_covariates(arms)[unit], np.log(length)])
    cost = value[seen] / length
    X = np.column_stack([np.ones(unit.size), *which, known]).astype(np.float64)
    return CostRows(
        cost=cost,
        weights=arms.weight[unit] * length,
        cluster=arms.cluster[unit],
        X=X[:, _independent(X[cost > 0], always=1 + len(which))],
        effect=len(which),
        treated=after & referred,
    )


def _independent(X: Floats, *, always: int) -> list[int]:
    """Give the first columns, and those later ones that are no combination of the columns kept before them."""
    kept = list(range(min(always, X.shape[1])))
    spread = np.sqrt((X**2).sum(axis=0))
    scaled = X / np.where(spread > 0, spread, 1.0)
    for column in range(always, X.shape[1]):
        rest = scaled[:, column]
        if rest.size:
            rest = rest - scaled[:, kept] @ np.linalg.lstsq(scaled[:, kept], rest, rcond=None)[0]
        if rest @ rest > 1e-12:
            kept.append(column)
    return kept


def _covariates(arms: Arms) -> Floats:
    """Give age, sex and number of conditions, (n, 2 or 3), those that are known of everybody."""
    persons = arms.persons
    columns = [persons["age"].to_numpy(float) / 10, (persons["sex"] == "F").to_numpy(float)]
    if "n_chronic" in persons and persons["n_chronic"].notna().all():
        columns.append(persons["n_chronic"].to_numpy(float))
    return np.column_stack(columns)


def cost_concentration(arms: Arms, study: Study, *, outcome: str) -> pd.DataFrame:
    """Say what share of the change in costs of the referred the most extreme persons carry, and the mean without.

    Returns
    -------
    DataFrame
        ``outcome, age_band, extreme_share, n_persons, n_extreme, share_of_change, mean_change,
        mean_change_without``.
    """
    import pandas as pd

    columns = ["outcome", "age_band", "extreme_share", "n_persons", "n_extreme", "share_of_change"]
    columns += ["mean_change", "mean_change_without"]
    rows = []
    for band, part in arms.where(arms.referred).bands(study):
        wide = wide_outcome(part.cohort, outcome, ("before", "after"))
        value, days = wide.value[part.unit], wide.years[part.unit] * DAYS_PER_YEAR
        both = (days > 0).all(axis=1)
        pairs = (value[both, 0], value[both, 1], days[both, 0], days[both, 1])
        for share in EXTREME_SHARES:
            if share * both.sum() < 1:
                continue
            try:
                found = concentration(*pairs, top_share=share)
            except EstimationError:  # a total change of zero: nobody carries a part of it
                continue
            numbers = (found.n_persons, found.n_extreme, found.share)
            rows.append((outcome, band, share, *numbers, found.mean_change, found.mean_change_without))
    return pd.DataFrame(rows, columns=columns)
