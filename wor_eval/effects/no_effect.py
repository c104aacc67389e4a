"""Beside every before-after change: the change that is to be expected with no effect at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wor_eval.cohort.wide import DAYS_PER_YEAR, Floats, wide_outcome
from wor_eval.effects.estimate import ALL_BANDS, normal_limits
from wor_eval.effects.expected_change import (
    ExpectedChange,
    WindowCounts,
    expected_fall_from_placebo_year,
    expected_fall_from_untreated,
    window_counts,
)
from wor_eval.effects.gamma_poisson import expected_fall_from_model
from wor_eval.effects.regression import poisson_regression
from wor_eval.effects.regression_to_mean import barnett
from wor_eval.errors import EstimationError
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.cohort.build import Cohort

_AGE_GROUP = 10
_MOST_BEYOND = 0.05
_FEWEST_IN_POOL = 100
Change = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Group:
    """One arm in an age band: events and years in (placebo, before, after), events by quarter before, and who."""

    value: Floats
    years: Floats
    quarters: Floats
    age: Floats
    female: Floats

    def where(self, chosen: NDArray[np.bool_]) -> _Group:
        return _Group(**{part.name: getattr(self, part.name)[chosen] for part in fields(self)})

    def joined(self, other: _Group) -> _Group:
        return _Group(
            **{
                part.name: np.concatenate([getattr(self, part.name), getattr(other, part.name)])
                for part in fields(self)
            }
        )

    def whole(self, window: int) -> _Group:
        """Keep who was observed in the whole of a window."""
        return self.where(self.years[:, window] >= self.years[:, window].max() - 0.5 / DAYS_PER_YEAR)

    @property
    def stratum(self) -> Floats:
        """Give sex and age in tens of years as one number."""
        stratum: Floats = self.age // _AGE_GROUP + 100 * self.female
        return stratum

    @property
    def rates(self) -> Floats:
        rates: Floats = self.value.sum(axis=0) / self.years.sum(axis=0)
        return rates

    @property
    def influence(self) -> Floats:
        influence: Floats = (self.value - self.years * self.rates) / self.years.sum(axis=0)
        return influence


def no_effect_table(cohort: Cohort, study: Study, *, outcome: str) -> pd.DataFrame:
    """Give the change expected with no effect beside the observed change, by method and age band.

    Methods, each of which asks what would have happened with no effect:

    - ``same_course``: what persons not referred had who ran the same course, that is the same counts in the
      four quarters before and in the placebo year, age and sex, by a Poisson model of their rate after. Right
      when referral was on an observed peak.
    - ``own_earlier_year``: the rate of the own placebo year, times the trend from that year to the year after
      among persons of the same sex and age (tens of years) who were not referred. Right when referral was on a
      passing peak that reaches into neither year.
    - ``same_count``: the rate after of persons not referred with the same count before;
      ``same_count_earlier``: the same one year earlier.
    - ``linear``: ``(1 - r) (mean before - population mean)`` with r the correlation of two years in everybody
      (Galton 1886, doi:10.2307/2841583).
    - ``barnett``: the fall of a normal variable beyond the cut-off that nine in ten of the referred exceed
      (Barnett et al. 2005, doi:10.1093/ije/dyh299). On skewed counts it expects too small a fall.
    - ``gamma_poisson``: the posterior mean of a gamma-distributed level with passing deviations, for counts.

    Under selection on a permanent level there is nothing to fall back to, and all but ``own_earlier_year``
    expect too large a fall.

    Parameters
    ----------
    cohort : Cohort
        With comparison persons (``entries`` in the plan) as the population that the referred come from.
    study : Study
        The plan, with a placebo window.
    outcome : str
        Name of the outcome.

    Returns
    -------
    DataFrame
        ``outcome, age_band, method, observed, expected, estimate, std_error, conf_low, conf_high, n_referred,
        n_comparison``; ``estimate`` is observed minus expected, per person-year. A method that cannot be
        carried out has no row.
    """
    import pandas as pd

    everybody, band_of = _group(cohort, study, outcome, arm="referred")
    others, band_of_others = _group(cohort, study, outcome, arm="comparison")
    rows = []
    for band in (*study.cohort.band_names, ALL_BANDS):
        referred = everybody if band == ALL_BANDS else everybody.where(band_of == band)
        pool = others if band == ALL_BANDS else others.where(band_of_others == band)
        if min(len(referred.value), len(pool.value)) < 2:
            continue
        rows += [{"outcome": outcome, "age_band": band, **row} for row in _rows(referred, pool)]
    columns = ["outcome", "age_band", "method", "observed", "expected", "estimate", "std_error", "conf_low"]
    return pd.DataFrame(rows, columns=[*columns, "conf_high", "n_referred", "n_comparison"])


def _group(cohort: Cohort, study: Study, outcome: str, *, arm: Any) -> tuple[_Group, NDArray[Any]]:
    """Take one arm: units that were observed in all three windows, and their age bands."""
    persons = cohort.persons
    main = wide_outcome(cohort, outcome, ("placebo", "before", "after"))
    quarters = wide_outcome(cohort, outcome, tuple(study.windows.quarterly()))
    group = _Group(
        value=main.value,
        years=main.years,
        quarters=quarters.value,
        age=persons["age"].to_numpy(float),
        female=(persons["sex"] == "F").to_numpy(float),
    )
    seen = np.all(group.years > 0, axis=1) & (persons["arm"] == arm).to_numpy()
    return group.where(seen), persons["age_band"].to_numpy()[seen]


def _rows(referred: _Group, pool: _Group) -> Iterator[dict[str, Any]]:
    methods: dict[str, Callable[[_Group, _Group], Change]] = {
        "same_course": _same_course,
        "own_earlier_year": _own_earlier_year,
        "same_count": _same_count,
        "same_count_earlier": _same_count_earlier,
        "linear": _linear,
        "barnett": _barnett,
        "gamma_poisson": _gamma_poisson,
    }
    for name, method in methods.items():
        try:
            observed, expected, error = method(referred, pool)
        except (EstimationError, ZeroDivisionError):
            continue
        low, high, _ = normal_limits(observed - expected, error)
        yield {
            "method": name,
            "observed": observed,
            "expected": expected,
            "estimate": observed - expected,
            "std_error": error,
            "conf_low": low,
            "conf_high": high,
            "n_referred": len(referred.value),
            "n_comparison": len(pool.value),
        }


def _observed(referred: _Group) -> float:
    _, before, after = referred.rates
    return float(after - before)


def _own_earlier_year(referred: _Group, pool: _Group) -> Change:
    """Expect the rate of the own placebo year times the trend among comparable persons."""
    placebo, before, after = referred.rates
    trend, trend_error = _trend(referred, pool)
    of_unexplained = referred.influence[:, 2] - trend * referred.influence[:, 0]
    variance = (of_unexplained**2).sum() + (placebo * trend * trend_error) ** 2
    return float(after - before), float(placebo * trend - before), float(np.sqrt(variance))


def _trend(referred: _Group, pool: _Group) -> tuple[float, float]:
    """Rate after over rate in the placebo year among the pool, weighted to the strata of the referred.

    Returns
    -------
    (float, float)
        The ratio and the standard error of its logarithm; 1 and 0 where the pool misses strata that hold more
        than a tenth of the referred, because then there is nobody to take a trend from.
    """
    strata, counts = np.unique(referred.stratum, return_counts=True)
    in_pool = np.array([(pool.stratum == s).sum() for s in strata])
    if counts[in_pool == 0].sum() > 0.1 * counts.sum():
        return 1.0, 0.0
    share = dict(zip(strata[in_pool > 0], (counts / np.maximum(in_pool, 1))[in_pool > 0], strict=True))
    weight = np.array([share.get(s, 0.0) for s in pool.stratum])[:, None]
    years = (weight * pool.years).sum(axis=0)
    rates = (weight * pool.value).sum(axis=0) / years
    influence = weight * (pool.value - pool.years * rates) / years / rates
    error = np.sqrt(((influence[:, 2] - influence[:, 0]) ** 2).sum())
    return float(rates[2] / rates[0]), float(error)


def _days(group: _Group, window: int) -> Floats:
    days: Floats = group.years[:, window] * DAYS_PER_YEAR
    return days


def _counts(group: _Group, windows: tuple[int, int]) -> WindowCounts:
    """Give the counts in two windows of those who were observed in the whole of the first."""
    first, second = windows
    seen = group.whole(first)
    length = float(np.round(_days(seen, first).max()))
    return window_counts(
        seen.value[:, first], seen.value[:, second], days_before=length, days_after=_days(seen, second)
    )


def _same_count(referred: _Group, pool: _Group) -> Change:
    return _found(expected_fall_from_untreated(_counts(referred, (1, 2)), _counts(pool, (1, 2))))


def _same_count_earlier(referred: _Group, pool: _Group) -> Change:
    """Expect what everybody with the same count had a year earlier; those referred later belong to everybody."""
    everybody = _counts(referred.joined(pool), (0, 1))
    return _found(expected_fall_from_placebo_year(_counts(referred, (1, 2)), everybody))


def _gamma_poisson(referred: _Group, pool: _Group) -> Change:
    """Expect the next count given the count before, by a model fitted to everybody's placebo and before years."""
    everybody = _counts(referred.joined(pool), (0, 1))
    return _found(expected_fall_from_model(_counts(referred, (1, 2)), everybody, model="gamma_poisson"))


def _found(change: ExpectedChange) -> Change:
    return change.observed.estimate, change.expected.estimate, change.unexplained.std_error


def _same_course(referred: _Group, pool: _Group) -> Change:
    """Expect what a Poisson model of the pool foretells from the quarters before, the placebo year, age and sex.

    The standard error joins the spread of the referred with that of the model's coefficients.
    """
    if not referred.quarters.size:
        raise EstimationError("the plan has no quarters")
    beyond = (referred.quarters.max(axis=1) > pool.quarters.max()).mean()
    if beyond > _MOST_BEYOND or len(pool.value) < _FEWEST_IN_POOL:
        raise EstimationError("too many referred had a quarter that nobody in the pool had")
    X, names = _course(pool)
    fit = poisson_regression(pool.value[:, 2], X, offset=np.log(pool.years[:, 2]), names=names)
    X_referred, _ = _course(referred)
    _, before, after = referred.rates
    years = referred.years[:, 2]
    foretold = years * np.exp(X_referred @ fit.coef)
    expected = foretold.sum() / years.sum()
    of_expected = (foretold - expected * years) / years.sum()
    gradient = foretold @ X_referred / years.sum()
    of_unexplained = referred.influence[:, 2] - of_expected
    variance = (of_unexplained**2).sum() + gradient @ fit.cov @ gradient
    return float(after - before), float(expected - before), float(np.sqrt(variance))


def _course(group: _Group) -> tuple[Floats, tuple[str, ...]]:
    """Give the columns of the model: constant, age, sex, and the logs of the counts with their curvature."""
    age = group.age / 50
    logs = [np.log1p(quarter) for quarter in group.quarters.T[:4]]
    year, earlier = np.log1p(group.value[:, 1]), np.log1p(group.value[:, 0])
    columns = [
        np.ones_like(age),
        age,
        age**2,
        group.female,
        *logs,
        logs[0] ** 2,
        year,
        year**2,
        earlier,
        earlier**2,
    ]
    names = ["constant", "age", "age squared", "female", *(f"quarter {i + 1}" for i in range(len(logs)))]
    names += ["quarter 1 squared", "year", "year squared", "earlier year", "earlier year squared"]
    return np.column_stack(columns), tuple(names)


def _two_years(referred: _Group, pool: _Group) -> tuple[Floats, float]:
    """Give everybody's rate in the year before, and its correlation with the rate in the placebo year."""
    everybody = referred.joined(pool)
    earlier, before = (everybody.value / everybody.years)[:, :2].T
    if not (earlier.std() > 0 and before.std() > 0):
        raise EstimationError("the rates do not vary in the population")
    return before, float(np.corrcoef(earlier, before)[0, 1])


def _linear(referred: _Group, pool: _Group) -> Change:
    """Expect a fall of (1 - r)(mean before - population mean); r and the population mean count as known."""
    before, correlation = _two_years(referred, pool)
    fall = (1.0 - correlation) * (referred.rates[1] - before.mean())
    of_unexplained = referred.influence[:, 2] - correlation * referred.influence[:, 1]
    return _observed(referred), -float(fall), float(np.sqrt((of_unexplained**2).sum()))


def _barnett(referred: _Group, pool: _Group) -> Change:
    """Expect the fall of a normal variable beyond the cut-off that nine in ten of the referred exceed."""
    before, correlation = _two_years(referred, pool)
    cutoff = float(np.quantile(referred.value[:, 1] / referred.years[:, 1], 0.1))
    fall = float(
        barnett(mean=before.mean(), sd=before.std(), cutoff=cutoff, correlation=max(0.0, correlation))
    )
    of_change = referred.influence[:, 2] - referred.influence[:, 1]
    return _observed(referred), -fall, float(np.sqrt((of_change**2).sum()))
