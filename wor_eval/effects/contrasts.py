"""Contrasts of weighted rates: after-only, difference-in-differences and placebo are signs over (arm, window)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from wor_eval.cohort.wide import Floats, WideOutcome, wide_outcome
from wor_eval.design.matched import MatchedCohort
from wor_eval.effects.estimate import ALL_BANDS, EffectTable, Estimate, Scale, effect_table
from wor_eval.errors import EstimationError
from wor_eval.study import Outcome, Study

Contrast = Literal["after_only", "difference_in_differences", "against_earlier_year", "placebo"]
# Signs over (arm, window). The placebo contrast sets two windows before the index date against each other.
SIGNS: Final[Mapping[str, Mapping[tuple[str, str], int]]] = {
    "after_only": {("referred", "after"): 1, ("comparison", "after"): -1},
    "difference_in_differences": {
        ("referred", "after"): 1,
        ("referred", "before"): -1,
        ("comparison", "after"): -1,
        ("comparison", "before"): 1,
    },
    "against_earlier_year": {
        ("referred", "after"): 1,
        ("referred", "placebo"): -1,
        ("comparison", "after"): -1,
        ("comparison", "placebo"): 1,
    },
    "placebo": {
        ("referred", "before"): 1,
        ("referred", "placebo"): -1,
        ("comparison", "before"): -1,
        ("comparison", "placebo"): 1,
    },
}
WINDOWS: Final = ("placebo", "before", "after")
FEW_CLUSTERS: Final = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class ContrastValue:
    """A contrast of rates: on the log scale for a ratio, per person-year for a difference.

    ``df`` are the degrees of freedom of the interval, infinite with many clusters.
    """

    estimate: float
    std_error: float
    df: float


MISSING_VALUE: Final = ContrastValue(estimate=np.nan, std_error=np.nan, df=np.inf)


def contrast_rates(
    wide: WideOutcome,
    referred: NDArray[np.bool_],
    *,
    weight: Floats,
    clusters: NDArray[np.int64],
    contrast: str,
    scale: Scale,
) -> ContrastValue:
    """Estimate one contrast of weighted rates.

    Each of the four rates is a ratio of weighted sums, events over person-years; the contrast adds them (or
    their logs) with the signs of :data:`SIGNS`. Where a rate after is set against an earlier one, the earlier
    one weights each person by the share of window after in which they were followed, so that those who left
    early (a comparison person by their own referral, anybody by death or moving) count as much before as after.
    Standard error: the influences of the units, summed within clusters; the variance is the sum of their
    squares times G / (G - 1). This is the sandwich variance of a saturated Poisson regression with these
    weights, with log link (ratio) or identity link (difference).

    Parameters
    ----------
    wide : WideOutcome
        Windows ``placebo, before, after``, n units.
    referred : ndarray of bool, shape (n,)
        Arm.
    weight : ndarray, shape (n,)
        Weight of each unit, zero outside the design.
    clusters : ndarray of int, shape (n,)
        Set or practice of each unit.
    contrast : str
        Key of :data:`SIGNS`.
    scale : {"ratio", "difference"}
        Ratio of rates (on the log scale) or difference per person-year.

    Returns
    -------
    ContrastValue

    Raises
    ------
    EstimationError
        A rate does not exist (no person-time), or is zero where its log is needed, or there is one cluster.
    """
    used = np.flatnonzero(weight > 0)  # few of a large cohort
    wide = wide.of_units(used)
    referred, weight = referred[used], weight[used]
    influence = np.zeros(used.size)
    estimate = 0.0
    followed = share_followed(wide, SIGNS[contrast])
    for (arm, window), sign in SIGNS[contrast].items():
        column = wide.windows.index(window)
        w = np.where(referred == (arm == "referred"), weight, 0.0)
        w = w if window == "after" else w * followed
        years = float(w @ wide.years[:, column])
        if years <= 0:
            raise EstimationError(f"no person-time of arm {arm} in window {window}")
        rate = float(w @ wide.value[:, column]) / years
        part = w * (wide.value[:, column] - rate * wide.years[:, column]) / years
        if scale == "ratio":
            if rate <= 0:
                raise EstimationError(f"no events of arm {arm} in window {window}: a ratio does not exist")
            estimate += sign * np.log(rate)
            influence += sign * part / rate
        else:
            estimate += sign * rate
            influence += sign * part
    sums = np.bincount(np.unique(clusters[used], return_inverse=True)[1], weights=influence)
    if sums.size < 2:
        raise EstimationError("one cluster: no standard error can be given; cluster on something finer")
    variance = float((sums**2).sum()) * sums.size / (sums.size - 1)
    df = float(sums.size - 1) if sums.size < FEW_CLUSTERS else np.inf
    return ContrastValue(estimate=float(estimate), std_error=float(np.sqrt(variance)), df=df)


def share_followed(wide: WideOutcome, signs: Mapping[tuple[str, str], int]) -> Floats:
    """Give the share of window after in which each unit was followed; 1 where the contrast has no such window."""
    windows = {window for _, window in signs}
    if "after" not in windows or len(windows) == 1:
        return np.ones(len(wide.years))
    years = wide.years[:, wide.windows.index("after")]
    longest = years.max(initial=0.0)
    share: Floats = years / longest if longest > 0 else np.ones(years.size)
    return share


def matched_effects(
    matched: MatchedCohort,
    study: Study,
    *,
    outcome: str,
    contrasts: Sequence[str] = tuple(SIGNS),
    method: str | None = None,
    cluster: Literal["set", "practice"] = "set",
) -> EffectTable:
    """Estimate the contrasts of a matched cohort, by age band and for all ages together.

    Estimand: the effect of referral on the rate of the referred that found a comparison (ATT), in the window
    after; ``after_only`` holds if the arms are alike but for the referral, ``difference_in_differences`` if
    they would have changed alike from the window before (as a ratio or as a difference: it cannot hold on both
    scales), ``against_earlier_year`` the same from the placebo window. ``placebo`` is the change from placebo to
    before, where nothing can have happened.

    Parameters
    ----------
    matched : MatchedCohort
        Sets and weights.
    study : Study
        The plan.
    outcome : str
        Name of the outcome.
    contrasts : sequence of str
        Keys of :data:`SIGNS`.
    method : str, optional
        Name to give to the method; that of the design by default.
    cluster : {"set", "practice"}
        What the standard errors are robust to.

    Returns
    -------
    EffectTable
        Ratio and difference for each; missing values where a band has no estimate.
    """
    name = method or matched.design.method
    view = _View(
        wide=wide_outcome(matched.cohort, outcome, WINDOWS),
        referred=matched.referred,
        weight=matched.weight,
        clusters=cluster_codes(matched, cluster),
        set_of=matched.sets["set_id"].to_numpy(),
        unit_of=matched.sets["unit"].to_numpy(),
    )
    band_of = matched.cohort.persons["age_band"].to_numpy()
    seen = np.where(np.any(view.wide.years > 0, axis=1), view.weight, 0.0)
    parts = []
    for band in (*study.cohort.band_names, ALL_BANDS):
        inside = seen if band == ALL_BANDS else np.where(band_of == band, seen, 0.0)
        parts.append((band, view.only(inside)))
    plan = study.outcome(outcome)
    return effect_table(
        _estimates(part, (outcome, contrast, band, name), plan)
        for contrast in contrasts
        for band, part in parts
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _View:
    """A matched cohort as arrays over its n units, and over the r rows of its sets."""

    wide: WideOutcome
    referred: NDArray[np.bool_]
    weight: Floats
    clusters: NDArray[np.int64]
    set_of: NDArray[np.int64]
    unit_of: NDArray[np.int64]

    def only(self, weight: Floats) -> _View:
        """Keep the units with a weight: arrays shrink to the design."""
        kept = weight > 0
        place = np.cumsum(kept) - 1
        rows = kept[self.unit_of]
        wide = WideOutcome(
            value=self.wide.value[kept], years=self.wide.years[kept], windows=self.wide.windows
        )
        return _View(
            wide=wide,
            referred=self.referred[kept],
            weight=weight[kept],
            clusters=self.clusters[kept],
            set_of=self.set_of[rows],
            unit_of=place[self.unit_of[rows]],
        )

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Count referred, comparison persons and sets."""
        n_referred = int(self.referred.sum())
        return n_referred, len(self.weight) - n_referred, int(np.unique(self.set_of).size)


def cluster_codes(matched: MatchedCohort, cluster: Literal["set", "practice"]) -> NDArray[np.int64]:
    """Give the number of each unit's cluster: its set, or its practice.

    With replacement a person can serve in several sets, also in different months: whoever does is a cluster of their own.
    """
    import pandas as pd

    n = len(matched.cohort.persons)
    if cluster == "practice":
        practice: NDArray[np.int64] = pd.factorize(matched.cohort.persons["practice_id"])[0].astype(np.int64)
        return practice
    codes = np.full(n, -1, dtype=np.int64)
    codes[matched.sets["unit"].to_numpy()] = matched.sets["set_id"].to_numpy()
    if matched.design.replacement:
        person = pd.factorize(matched.cohort.persons["person_id"])[0]
        units = matched.sets["unit"].to_numpy()
        shared = np.bincount(person[units])[person[units]] > 1
        codes[units[shared]] = codes.max() + 1 + person[units[shared]]
    return codes


def _estimates(view: _View, named: tuple[str, str, str, str], outcome: Outcome) -> list[Estimate]:
    rows = []
    for scale in outcome.scales:
        try:
            value = contrast_rates(
                view.wide,
                view.referred,
                weight=view.weight,
                clusters=view.clusters,
                contrast=named[1],
                scale=scale,
            )
        except EstimationError:
            value = MISSING_VALUE
        rows.append(as_estimate(value, named=named, scale=scale, sizes=view.sizes, unit=outcome.unit))
    return rows


def as_estimate(
    value: ContrastValue,
    *,
    named: tuple[str, str, str, str],
    scale: Scale,
    sizes: tuple[int, int, int],
    unit: str = "per_person_year",
) -> Estimate:
    """Give a contrast its interval and p-value, by the normal or (few clusters) the t distribution.

    Parameters
    ----------
    value : ContrastValue
        Estimate, standard error and degrees of freedom; for a ratio on the log scale.
    named : tuple of str
        Outcome, contrast, age band, method.
    scale : {"ratio", "difference"}
        A ratio comes back exponentiated, with the standard error of its log.
    sizes : tuple of int
        Referred, comparison persons, sets.
    unit : str
        Unit of a difference.

    Returns
    -------
    Estimate
    """
    from scipy.special import stdtr, stdtrit

    half = float(stdtrit(value.df, 0.975)) * value.std_error
    statistic = value.estimate / value.std_error if value.std_error > 0 else np.nan
    back = np.exp if scale == "ratio" else float
    outcome, contrast, age_band, method = named
    return Estimate(
        outcome=outcome,
        contrast=contrast,
        age_band=age_band,
        scale=scale,
        estimate=float(back(value.estimate)),
        std_error=value.std_error,
        conf_low=float(back(value.estimate - half)),
        conf_high=float(back(value.estimate + half)),
        p_value=float(2 * stdtr(value.df, -abs(statistic))),
        unit="rate_ratio" if scale == "ratio" else unit,
        method=method,
        n_referred=sizes[0],
        n_comparison=sizes[1],
        n_sets=sizes[2],
    )
