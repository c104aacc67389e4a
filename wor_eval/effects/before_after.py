"""Before and after referral, each person against themselves: ratios and differences of rates by age band."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wor_eval.cohort.wide import DAYS_PER_YEAR, Floats
from wor_eval.effects.bootstrap import bootstrap_draws, cluster_totals
from wor_eval.effects.estimate import ALL_BANDS, EffectTable, Estimate, Scale, effect_table, normal_limits
from wor_eval.effects.fit import Fit, wald_test
from wor_eval.effects.gee import gee_poisson
from wor_eval.effects.negative_binomial import negative_binomial_regression
from wor_eval.effects.paired import conditional_poisson
from wor_eval.effects.windows import WindowPair, window_pair
from wor_eval.errors import EstimationError
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.cohort.build import Cohort

# Below this number of clusters the sandwich and the bootstrap over practices are too narrow (Cameron and
# Miller 2015, doi:10.3368/jhr.50.2.317, call 20 to 50 few); persons are the clusters then.
FEW_PRACTICES = 20
_WINDOWS = {"before_after": ("before", "after"), "placebo": ("placebo", "before")}
Row = tuple[str, Scale, Callable[[], tuple[float, ...]]]


def before_after_effects(cohort: Cohort, study: Study, *, outcome: str) -> EffectTable:
    """Estimate the change of a rate after referral, by age band and for all ages together.

    Estimand: among the referred, events per person-year in the second window over (ratio) or minus (difference)
    those in the first. ``before_after`` sets window after against before; ``placebo`` sets before against
    placebo, where nothing can have happened. It is a change, not an effect: see ``regression_to_mean``.

    Methods: ``gee_poisson``, Poisson with exchangeable working correlation within persons (Liang and Zeger 1986,
    doi:10.1093/biomet/73.1.13); ``negative_binomial_*``, NB2; both with sandwich errors by practice, or by
    person with fewer than 20 practices; ``conditional_poisson``, given each person's total, over persons
    seen in both windows; ``robust``, the difference of two ratios of sums with errors as these;
    ``bootstrap_*``, percentile interval over practices, or persons.

    Parameters
    ----------
    cohort : Cohort
        Persons and outcomes.
    study : Study
        The plan: windows, bands, seed, replicates.
    outcome : str
        Name of the outcome.

    Returns
    -------
    EffectTable
        A method that cannot be fitted in a band has missing values there.

    Raises
    ------
    EstimationError
        Nobody was observed in one of the windows.
    """
    contrasts = ["before_after", *(["placebo"] if study.windows.placebo else [])]
    pairs = {name: window_pair(cohort, outcome, windows=_WINDOWS[name]) for name in contrasts}
    bands = (*study.cohort.band_names, ALL_BANDS)
    return effect_table(
        _band_rows(pair.band(band), study, (outcome, contrast, band))
        for contrast, pair in pairs.items()
        for band in bands
    )


def _band_rows(pair: WindowPair, study: Study, named: tuple[str, str, str]) -> Iterator[Estimate]:
    outcome, contrast, band = named
    for method, scale, estimate in _methods(pair, study):
        try:
            values = estimate()
        except EstimationError:
            values = (np.nan,) * 5
        point, error, low, high, p = values
        yield Estimate(
            outcome=outcome,
            contrast=contrast,
            age_band=band,
            scale=scale,
            estimate=point,
            std_error=error,
            conf_low=low,
            conf_high=high,
            p_value=p,
            unit="rate_ratio" if scale == "ratio" else "per_person_year",
            method=method,
            n_referred=len(pair),
        )


def _methods(pair: WindowPair, study: Study) -> list[Row]:
    by = _by(pair)
    return [
        ("gee_poisson", "ratio", lambda: _ratio(_gee(pair))),
        (f"negative_binomial_{by}", "ratio", lambda: _ratio(_negative_binomial(pair, by))),
        ("conditional_poisson", "ratio", lambda: _conditional(pair)),
        (f"bootstrap_{by}", "ratio", lambda: _bootstrap(pair, study, by=by, scale="ratio")),
        ("robust", "difference", lambda: _robust_difference(pair)),
        (f"bootstrap_{by}", "difference", lambda: _bootstrap(pair, study, by=by, scale="difference")),
    ]


def _long(pair: WindowPair, *columns: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Stack the windows: counts, design (constant, second window, columns and their products), log years, row."""
    n = len(pair)
    second = np.tile([0.0, 1.0], n)
    parts = [np.ones(2 * n), second]
    for column in columns:
        parts += [np.repeat(column, 2), np.repeat(column, 2) * second]
    seen = pair.years.ravel() > 0
    with np.errstate(divide="ignore"):
        offset = np.log(pair.years.ravel())
    row = np.repeat(np.arange(n, dtype=float), 2)
    return pair.value.ravel()[seen], np.column_stack(parts)[seen], offset[seen], row[seen]


def _gee(pair: WindowPair, *columns: Floats) -> Fit:
    y, X, offset, row = _long(pair, *columns)
    clusters = _clusters(pair)[row.astype(int)]
    return gee_poisson(y, X, groups=row, offset=offset, working="exchangeable", clusters=clusters)


def _by(pair: WindowPair) -> str:
    """Tell what errors are robust to: the practice, or the person where there are few practices."""
    return "practice" if len(np.unique(pair.practice)) >= FEW_PRACTICES else "person"


def _clusters(pair: WindowPair) -> NDArray[np.intp]:
    """Give the number of each unit's cluster."""
    names = pair.practice if _by(pair) == "practice" else np.arange(len(pair))
    return np.unique(names, return_inverse=True)[1]


def _negative_binomial(pair: WindowPair, by: str) -> Fit:
    y, X, offset, row = _long(pair)
    clusters = pair.practice[row.astype(int)] if by == "practice" else row
    return negative_binomial_regression(y, X, offset=offset, clusters=clusters)


def _ratio(fit: Fit) -> tuple[float, ...]:
    """Read the ratio of the second window to the first from a log-link fit."""
    log_ratio, error = float(fit.coef[1]), float(np.sqrt(fit.cov[1, 1]))
    low, high, p = normal_limits(log_ratio, error)
    return float(np.exp(log_ratio)), error, float(np.exp(low)), float(np.exp(high)), p


def _conditional(pair: WindowPair) -> tuple[float, ...]:
    both = pair.where(pair.both)
    days = both.years * DAYS_PER_YEAR
    ratio = conditional_poisson(both.value[:, 0], both.value[:, 1], days[:, 0], days[:, 1]).ratio
    return ratio.estimate, ratio.std_error, ratio.conf_low, ratio.conf_high, ratio.p_value


def _robust_difference(pair: WindowPair) -> tuple[float, ...]:
    first, second = pair.rates
    influence = np.bincount(_clusters(pair), weights=np.diff(pair.rate_influence(), axis=1)[:, 0])
    factor = influence.size / max(influence.size - 1, 1)
    error = float(np.sqrt((influence**2).sum() * factor))
    difference = float(second - first)
    return difference, error, *normal_limits(difference, error)


def _bootstrap(pair: WindowPair, study: Study, *, by: str, scale: Scale) -> tuple[float, ...]:
    """Percentile interval; the p-value is twice the smaller share of draws beyond no change."""
    clusters = pair.practice if by == "practice" else np.arange(len(pair))
    totals = cluster_totals(np.hstack([pair.value, pair.years]), clusters)

    def statistic(sums: Floats) -> Floats:
        first, second = sums[:, 0] / sums[:, 2], sums[:, 1] / sums[:, 3]
        return np.log(second / first) if scale == "ratio" else second - first

    found = bootstrap_draws(totals, statistic=statistic, replicates=study.replicates, seed=study.seed)
    low, high = np.quantile(found.draws, [0.025, 0.975])
    error = float(found.draws.std(ddof=1))
    beyond = min((found.draws <= 0).mean(), (found.draws >= 0).mean())
    p = min(1.0, 2 * max(float(beyond), 1 / study.replicates))
    back = np.exp if scale == "ratio" else float
    return float(back(found.estimate)), error, float(back(low)), float(back(high)), p


def band_interaction(cohort: Cohort, study: Study, *, outcome: str) -> pd.DataFrame:
    """Test whether the change differs between the age bands, as a ratio and as a difference.

    Estimand: the ratio of ratios (``gee_poisson``) and the difference of differences (``robust``) of each band
    against the first; a Wald test that none differs.

    Parameters
    ----------
    cohort, study, outcome
        As in :func:`before_after_effects`.

    Returns
    -------
    DataFrame
        ``outcome, contrast, scale, method, statistic, df, p_value, n_referred, n_comparison``; no row where
        there are fewer than two bands with persons, missing values where the change of a band cannot be estimated.
    """
    import pandas as pd

    pair = window_pair(cohort, outcome)
    bands = [band for band in study.cohort.band_names if (pair.age_band == band).any()]
    columns = [
        "outcome",
        "contrast",
        "scale",
        "method",
        "statistic",
        "df",
        "p_value",
        "n_referred",
        "n_comparison",
    ]
    if len(bands) < 2:
        return pd.DataFrame(columns=columns)
    rows = []
    for scale, method, test in (
        ("ratio", "gee_poisson", _ratio_interaction),
        ("difference", "robust", _difference_interaction),
    ):
        try:
            statistic, df, p = test(pair, bands)
        except EstimationError:
            statistic, df, p = np.nan, len(bands) - 1, np.nan
        rows.append((outcome, "before_after", scale, method, statistic, df, p, len(pair), 0))
    return pd.DataFrame(rows, columns=columns)


def _ratio_interaction(pair: WindowPair, bands: list[str]) -> tuple[float, int, float]:
    fit = _gee(pair, *[(pair.age_band == band).astype(float) for band in bands[1:]])
    products = np.eye(fit.coef.size)[3::2]
    test = wald_test(fit, products)
    return test.statistic, test.df, test.p_value


def _difference_interaction(pair: WindowPair, bands: list[str]) -> tuple[float, int, float]:
    """Wald test that the differences of the bands are one: bands may share practices, so jointly by cluster."""
    from scipy.stats import chi2

    clusters = _clusters(pair)
    size = int(clusters.max()) + 1
    differences, sums = [], []
    for band in bands:
        inside = pair.age_band == band
        part = pair.where(inside)
        first, second = part.rates
        differences.append(second - first)
        influence = np.diff(part.rate_influence(), axis=1)[:, 0]
        sums.append(np.bincount(clusters[inside], weights=influence, minlength=size))
    against_first = np.hstack([-np.ones((len(bands) - 1, 1)), np.eye(len(bands) - 1)])
    apart = against_first @ np.array(differences)
    cov = against_first @ np.cov(np.array(sums), ddof=1) @ against_first.T * size
    statistic = float(apart @ np.linalg.solve(cov, apart))
    return statistic, len(bands) - 1, float(chi2.sf(statistic, len(bands) - 1))
