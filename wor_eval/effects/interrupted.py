"""Interrupted time series: a step and a bend in monthly counts, with seasons and autocorrelation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.effects.fit import TermTable, normal_table
from wor_eval.effects.influence import finite_vector
from wor_eval.effects.model_rows import Floats
from wor_eval.effects.quantity import Quantity, difference
from wor_eval.errors import EstimationError

Change: TypeAlias = Literal["level", "slope", "level_and_slope"]
Errors: TypeAlias = Literal["newey_west", "quasi", "wider"]
_NO_EVENTS = 1e-9
"""Below this share of the largest expected count a month counts as one in which the model expects nothing at all."""

_CHANGES: dict[Change, tuple[str, ...]] = {
    "level": ("level_change",),
    "slope": ("slope_change",),
    "level_and_slope": ("level_change", "slope_change"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class InterruptedSeries:
    """A fitted interrupted time series.

    Attributes
    ----------
    terms : TermTable
        Rate ratios: ``trend`` per month, ``level_change`` at the start, ``slope_change`` per month after it.
    difference : Quantity
        Events after the start: fitted minus expected without interruption.
    fitted, expected : ndarray, shape (T,)
        Fitted counts; and with the changes taken out.
    dispersion : float
        Pearson chi-squared over its degrees of freedom: above 1 the counts vary more than Poisson.
    autocorrelation : ndarray, shape (12,)
        Of the Pearson residuals at lags 1 to 12.
    lags : int
        Lags in the Newey-West errors; 0 for quasi-Poisson errors.
    df : float
        Degrees of freedom of the intervals; infinite for normal ones.
    """

    terms: TermTable
    difference: Quantity
    fitted: Floats
    expected: Floats
    dispersion: float
    autocorrelation: Floats
    lags: int
    df: float


def interrupted_series(
    counts: ArrayLike,
    *,
    start: int,
    months: ArrayLike | None = None,
    exposure: ArrayLike | None = None,
    change: Change = "level_and_slope",
    harmonics: int = 2,
    period: float = 12.0,
    errors: Errors = "newey_west",
    lags: int | None = None,
    level: float = 0.95,
) -> InterruptedSeries:
    r"""Fit a segmented Poisson regression to monthly counts.

    ``log E(y_t) = log exposure_t + a + b t + c [t >= start] + d (t - start) [t >= start] + seasons``, with
    seasons as pairs of sine and cosine of 1, 2, … cycles per `period` (Lopez Bernal, Cummins and Gasparrini 2017,
    doi:10.1093/ije/dyw098). Estimand: exp(c), the step, and exp(d), the bend, against the trend before. Anything
    else that changed at the start is in it too, and so is a passing peak just before it.

    Parameters
    ----------
    counts : array_like, shape (T,)
        Counts of months in order; weighted counts too.
    start : int
        The first month after the interruption.
    months : array_like of int, shape (T,), optional
        Number of each month, rising; a run-in is left out by leaving its months out. None: 0, 1, ….
    exposure : array_like, shape (T,), optional
        Person-time of each month, above zero.
    change : {"level_and_slope", "level", "slope"}
        Which changes to estimate: choose it beforehand.
    harmonics : int
        Pairs of sine and cosine, 0 to 5.
    period : float
        Months in a year: 12 for calendar months, 365.25 / 30 for blocks of 30 days.
    errors : {"newey_west", "quasi", "wider"}
        Errors that allow for autocorrelation and overdispersion (Newey and West 1987, doi:10.2307/1913610; Bartlett
        weights, times T / (T - K) as statsmodels), or for overdispersion only. These are too small in a short
        series: with 36 months, coverage of 95 % intervals is 75 to 85 %. "wider" takes the larger of quasi-Poisson
        errors and Newey-West errors of residuals over one minus their leverage (as HC3, MacKinnon and White 1985,
        doi:10.1016/0304-4076(85)90158-7), with t intervals of T - K degrees of freedom.
    lags : int, optional
        Lags of Newey and West, in rows: a gap counts as none. None: the whole part of ``4 (T / 100)^(2/9)``.
    level : float
        Level of the intervals.

    Returns
    -------
    InterruptedSeries

    Raises
    ------
    EstimationError
        Missing, negative or only zero counts, so many zeros that no estimate exists, months that do not rise,
        fewer than 12 months before or 3 after the start, a first month less than 24 before it with seasons, or fewer
        months than three times the coefficients.

    Examples
    --------
    >>> months = np.arange(60)
    >>> rate = 200 * np.exp(0.002 * months + 0.1 * np.sin(months * np.pi / 6) - 0.2 * (months >= 36))
    >>> found = interrupted_series(np.random.default_rng(1).poisson(rate), start=36, change="level")
    >>> found.terms.names[1], round(float(found.terms.estimate[1]), 2)
    ('level_change', 0.8)
    """
    import statsmodels.api as sm

    month, y, size = _series(counts, exposure, months, start=start, harmonics=harmonics)
    X, names = _design(month, start, change, (harmonics, period))
    if y.size < 3 * X.shape[1]:
        raise EstimationError(
            f"{y.size} months are too few for {X.shape[1]} coefficients: use fewer harmonics"
        )
    n_lags = int(4 * (y.size / 100) ** (2 / 9)) if lags is None else lags
    if not 0 <= n_lags < y.size // 2:
        raise EstimationError("lags: at least 0 and fewer than half the months are needed")
    model = sm.GLM(y, X, family=sm.families.Poisson(), offset=np.log(size))
    plain = model.fit(tol=1e-12)
    if not plain.converged or float(plain.fittedvalues.min()) < _NO_EVENTS * float(plain.fittedvalues.max()):
        raise EstimationError("the segmented regression has no estimate: too many months without events")
    covariances = _covariances(plain, X, errors, n_lags)
    df = float(y.size - X.shape[1]) if errors == "wider" else math.inf
    uncertainty = _Uncertainty(covariances=covariances, df=df, level=level)
    return _read(
        plain, X, names, after=month >= start, of=uncertainty, lags=0 if errors == "quasi" else n_lags
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Uncertainty:
    """Covariances (K, K) of which the one with the larger error counts, degrees of freedom, level."""

    covariances: tuple[Floats, ...]
    df: float
    level: float

    def error(self, gradients: Floats) -> Floats:
        """Give the standard error of each of m combinations, (m, K) to (m,)."""
        variances = [np.einsum("ij,jk,ik->i", gradients, cov, gradients) for cov in self.covariances]
        return np.asarray(np.sqrt(np.max(variances, axis=0)))


def _covariances(plain: Any, X: Floats, errors: Errors, lags: int) -> tuple[Floats, ...]:
    bread, mean = np.asarray(plain.cov_params(scale=1.0)), np.asarray(plain.fittedvalues)
    residual = np.asarray(plain.model.endog) - mean
    T, K = X.shape
    dispersion = float(plain.pearson_chi2 / plain.df_resid)
    if errors == "quasi":
        return (dispersion * bread,)
    if errors == "newey_west":
        return (T / (T - K) * bread @ _long_run(X * residual[:, None], lags) @ bread,)
    leverage = np.einsum("ij,jk,ik->i", X, bread, X) * mean
    scores = X * (residual / np.maximum(1 - leverage, 0.05))[:, None]
    return dispersion * bread, bread @ _long_run(scores, lags) @ bread


def _long_run(scores: Floats, lags: int) -> Floats:
    """Sum of the scores' autocovariances (T, K) to (K, K), with Bartlett weights."""
    total = scores.T @ scores
    for lag in range(1, lags + 1):
        cross = scores[lag:].T @ scores[:-lag]
        total += (1 - lag / (lags + 1)) * (cross + cross.T)
    return np.asarray(total)


def _series(
    counts: ArrayLike, exposure: ArrayLike | None, months: ArrayLike | None, *, start: int, harmonics: int
) -> tuple[Floats, Floats, Floats]:
    """Check the series; give months, counts and exposure, each (T,)."""
    T = np.size(counts)
    y = finite_vector(counts, "counts", T)
    size = np.ones(T) if exposure is None else finite_vector(exposure, "exposure", T)
    month = np.arange(T, dtype=np.float64) if months is None else finite_vector(months, "months", T)
    before, after = int((month < start).sum()), int((month >= start).sum())
    span = start - month.min(initial=start)
    rules = (
        ((y < 0).any(), f"counts: {int((y < 0).sum())} are negative"),
        (not (y > 0).any(), "counts: all are zero"),
        ((size <= 0).any(), f"exposure: {int((size <= 0).sum())} months have none"),
        ((np.diff(month) <= 0).any(), "months: they must rise, each month once"),
        (not 0 <= harmonics <= 5, "harmonics: 0 to 5 are possible with 12 months"),
        (before < 12, f"start: {before} months before it, at least 12 are needed"),
        (
            bool(harmonics) and span < 24,
            f"start: the first month is {span:g} before it, at least 24 are needed to tell seasons from a trend",
        ),
        (after < 3, f"start: {after} months after it, at least 3 are needed"),
    )
    problems = [text for wrong, text in rules if wrong]
    if problems:
        raise EstimationError("the series cannot be analysed", problems=problems)
    return month, y, size


def _design(
    month: Floats, start: int, change: Change, seasons: tuple[int, float]
) -> tuple[Floats, tuple[str, ...]]:
    """Columns: constant, trend, changes, seasons; names of those between constant and seasons."""
    if change not in _CHANGES:
        raise EstimationError(f"change: one of {', '.join(_CHANGES)} is needed")
    after = (month >= start).astype(np.float64)
    changes = {"level_change": after, "slope_change": after * (month - start)}
    harmonics, period = seasons
    angles = [2 * np.pi * cycle * month / period for cycle in range(1, harmonics + 1)]
    waves = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    names = ("trend", *_CHANGES[change])
    columns = [np.ones(month.size), month - start, *(changes[name] for name in names[1:]), *waves]
    return np.column_stack(columns), names


def _read(
    plain: Any,
    X: Floats,
    names: tuple[str, ...],
    *,
    after: NDArray[np.bool_],
    of: _Uncertainty,
    lags: int,
) -> InterruptedSeries:
    coef = np.asarray(plain.params)
    shown, changed = slice(1, 1 + len(names)), slice(2, 1 + len(names))
    fitted = np.asarray(plain.fittedvalues)
    expected = fitted * np.exp(-X[:, changed] @ coef[changed])
    without = X.copy()
    without[:, changed] = 0.0
    gradient = X[after].T @ fitted[after] - without[after].T @ expected[after]
    residual = np.asarray(plain.resid_pearson)
    centred = residual - residual.mean()
    correlation = [float(centred[k:] @ centred[:-k]) / float(centred @ centred) for k in range(1, 13)]
    error = of.error(np.vstack([np.eye(coef.size)[shown], gradient]))
    return InterruptedSeries(
        terms=normal_table(names, coef[shown], error[:-1], level=of.level, ratio=True, df=of.df),
        difference=difference(
            float((fitted - expected)[after].sum()), float(error[-1]), level=of.level, df=of.df
        ),
        fitted=fitted,
        expected=expected,
        dispersion=float(plain.pearson_chi2 / plain.df_resid),
        autocorrelation=np.array(correlation),
        lags=lags,
        df=of.df,
    )
