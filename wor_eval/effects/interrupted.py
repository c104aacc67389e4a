"""Interrupted time series: a step and a bend in monthly counts, with seasons and autocorrelation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.effects.fit import TermTable, normal_table
from wor_eval.effects.influence import finite_vector
from wor_eval.effects.model_rows import Floats
from wor_eval.effects.quantity import Quantity, difference
from wor_eval.errors import EstimationError

Change: TypeAlias = Literal["level", "slope", "level_and_slope"]
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
    """

    terms: TermTable
    difference: Quantity
    fitted: Floats
    expected: Floats
    dispersion: float
    autocorrelation: Floats
    lags: int


def interrupted_series(
    counts: ArrayLike,
    *,
    start: int,
    exposure: ArrayLike | None = None,
    change: Change = "level_and_slope",
    harmonics: int = 2,
    errors: Literal["newey_west", "quasi"] = "newey_west",
    lags: int | None = None,
    level: float = 0.95,
) -> InterruptedSeries:
    r"""Fit a segmented Poisson regression to monthly counts.

    ``log E(y_t) = log exposure_t + a + b t + c [t >= start] + d (t - start) [t >= start] + seasons``, with
    seasons as pairs of sine and cosine of 1, 2, … cycles per 12 months (Lopez Bernal, Cummins and Gasparrini 2017,
    doi:10.1093/ije/dyw098). Estimand: exp(c), the step, and exp(d), the bend, against the trend before. Anything
    else that changed at the start is in it too.

    Parameters
    ----------
    counts : array_like, shape (T,)
        Counts of months in a row.
    start : int
        Position of the first month after the interruption.
    exposure : array_like, shape (T,), optional
        Person-time of each month, above zero.
    change : {"level_and_slope", "level", "slope"}
        Which changes to estimate: choose it beforehand.
    harmonics : int
        Pairs of sine and cosine, 0 to 5.
    errors : {"newey_west", "quasi"}
        Errors that allow for autocorrelation and overdispersion (Newey and West 1987, doi:10.2307/1913610; Bartlett
        weights, times T / (T - K) as statsmodels), or for overdispersion only.
    lags : int, optional
        Lags of Newey and West; None: the whole part of ``4 (T / 100)^(2/9)``.
    level : float
        Level of the intervals.

    Returns
    -------
    InterruptedSeries

    Raises
    ------
    EstimationError
        Missing, negative or only zero counts, fewer than 12 months before or 3 after the start, fewer than 24
        months before with seasons, or fewer months than three times the coefficients.

    Examples
    --------
    >>> months = np.arange(60)
    >>> rate = 200 * np.exp(0.002 * months + 0.1 * np.sin(months * np.pi / 6) - 0.2 * (months >= 36))
    >>> found = interrupted_series(np.random.default_rng(1).poisson(rate), start=36, change="level")
    >>> found.terms.names[1], round(float(found.terms.estimate[1]), 2)
    ('level_change', 0.8)
    """
    import statsmodels.api as sm

    y, size = _series(counts, exposure, start=start, harmonics=harmonics)
    X, names = _design(y.size, start, change, harmonics)
    if y.size < 3 * X.shape[1]:
        raise EstimationError(
            f"{y.size} months are too few for {X.shape[1]} coefficients: use fewer harmonics"
        )
    n_lags = int(4 * (y.size / 100) ** (2 / 9)) if lags is None else lags
    if not 0 <= n_lags < y.size // 2:
        raise EstimationError("lags: at least 0 and fewer than half the months are needed")
    model = sm.GLM(y, X, family=sm.families.Poisson(), offset=np.log(size))
    if errors == "quasi":
        n_lags, result = 0, model.fit(scale="X2", tol=1e-12)
    else:
        options = {"maxlags": n_lags, "use_correction": True}
        result = model.fit(cov_type="HAC", cov_kwds=options, tol=1e-12)
    if not result.converged:
        raise EstimationError("the segmented regression did not converge: are most counts zero?")
    return _read(result, X, names, start=start, lags=n_lags, level=level)


def _series(
    counts: ArrayLike, exposure: ArrayLike | None, *, start: int, harmonics: int
) -> tuple[Floats, Floats]:
    T = np.size(counts)
    y = finite_vector(counts, "counts", T)
    size = np.ones(T) if exposure is None else finite_vector(exposure, "exposure", T)
    before = 24 if harmonics else 12
    rules = (
        ((y < 0).any(), f"counts: {int((y < 0).sum())} are negative"),
        (not (y > 0).any(), "counts: all are zero"),
        ((size <= 0).any(), f"exposure: {int((size <= 0).sum())} months have none"),
        (not 0 <= harmonics <= 5, "harmonics: 0 to 5 are possible with 12 months"),
        (start < before, f"start: {max(start, 0)} months before it, at least {before} are needed"),
        (T - start < 3, f"start: {max(T - start, 0)} months after it, at least 3 are needed"),
    )
    problems = [text for wrong, text in rules if wrong]
    if problems:
        raise EstimationError("the series cannot be analysed", problems=problems)
    return y, size


def _design(T: int, start: int, change: Change, harmonics: int) -> tuple[Floats, tuple[str, ...]]:
    """Columns: constant, trend, changes, seasons; names of those between constant and seasons."""
    if change not in _CHANGES:
        raise EstimationError(f"change: one of {', '.join(_CHANGES)} is needed")
    month = np.arange(T, dtype=np.float64)
    after = (month >= start).astype(np.float64)
    changes = {"level_change": after, "slope_change": after * (month - start)}
    angles = [2 * np.pi * cycle * month / 12 for cycle in range(1, harmonics + 1)]
    seasons = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    names = ("trend", *_CHANGES[change])
    columns = [np.ones(T), month - start, *(changes[name] for name in names[1:]), *seasons]
    return np.column_stack(columns), names


def _read(
    result: Any, X: Floats, names: tuple[str, ...], *, start: int, lags: int, level: float
) -> InterruptedSeries:
    coef, cov = np.asarray(result.params), np.asarray(result.cov_params())
    shown = slice(1, 1 + len(names))
    changed = slice(2, 1 + len(names))
    fitted = np.asarray(result.fittedvalues)
    expected = fitted * np.exp(-X[:, changed] @ coef[changed])
    without = X.copy()
    without[:, changed] = 0.0
    gradient = X[start:].T @ fitted[start:] - without[start:].T @ expected[start:]
    residual = np.asarray(result.resid_pearson)
    centred = residual - residual.mean()
    correlation = [float(centred[k:] @ centred[:-k]) / float(centred @ centred) for k in range(1, 13)]
    terms = normal_table(names, coef[shown], np.sqrt(np.diag(cov))[shown], level=level, ratio=True)
    return InterruptedSeries(
        terms=terms,
        difference=difference(
            float((fitted - expected)[start:].sum()), float(np.sqrt(gradient @ cov @ gradient)), level=level
        ),
        fitted=fitted,
        expected=expected,
        dispersion=float(result.pearson_chi2 / result.df_resid),
        autocorrelation=np.array(correlation),
        lags=lags,
    )
