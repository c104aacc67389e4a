"""Checks beside the headline of a matched cohort: what would have to be wrong for the answer to change."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from wor_eval.cohort.wide import wide_outcome
from wor_eval.design.matched import MatchedCohort
from wor_eval.design.matching import match_cohort
from wor_eval.design_plan import PAIR_METHODS
from wor_eval.effects.bootstrap_estimators import bootstrap_rates
from wor_eval.effects.contrasts import (
    SIGNS,
    WINDOWS,
    as_estimate,
    cluster_codes,
    contrast_rates,
    matched_effects,
)
from wor_eval.effects.estimate import ALL_BANDS, Estimate
from wor_eval.effects.few_clusters import few_practices
from wor_eval.effects.sensitivity import e_value, pair_differences, rosenbaum_bounds
from wor_eval.errors import DesignError, EstimationError
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.cohort.build import Cohort

_CALIPERS = (0.1, 0.2)
_RATIOS = (1, 4)
_HISTORIES = ("none", "year", "quarters", "level")
_GAMMAS = np.arange(1.0, 6.01, 0.05)


def specification_curve(cohort: Cohort, study: Study, *, outcome: str) -> pd.DataFrame:
    """Estimate the headline contrast over caliper, ratio, replacement and history.

    Parameters
    ----------
    cohort : Cohort
        Both arms.
    study : Study
        The plan: its design is varied, its headline contrast kept.
    outcome : str
        Name of the outcome.

    Returns
    -------
    DataFrame
        ``outcome, caliper, ratio, replacement, history, planned, estimate, std_error, conf_low, conf_high,
        n_referred, n_comparison, n_sets`` for all ages on the ratio scale; one that cannot be carried out has no
        row. ``planned`` marks the plan's own.
    """
    import pandas as pd

    if study.design is None:
        raise DesignError("the plan has no [design]: there is nothing to vary")
    histories = [h for h in _HISTORIES if h != "level" or study.windows.years > 1]
    rows = []
    for caliper, ratio, replacement, history in product(_CALIPERS, _RATIOS, (False, True), histories):
        changes = {"caliper": caliper, "ratio": ratio, "replacement": replacement, "history": history}
        try:
            design = study.design.model_copy(update={**changes, "missing": "indicator"})
            matched = match_cohort(cohort, study, design=design, outcome=outcome)
        except (DesignError, EstimationError):
            continue
        found = _headline(matched, study, outcome)
        planned = all(getattr(study.design, name) == value for name, value in changes.items())
        rows.append({"outcome": outcome, **changes, "planned": planned, **_numbers(found)})
    return pd.DataFrame(rows)


def _headline(matched: MatchedCohort, study: Study, outcome: str) -> Estimate:
    """Give the plan's headline contrast for all ages, on the ratio scale."""
    table = matched_effects(matched, study, outcome=outcome, contrasts=(study.headline.contrast,))
    return next(e for e in table.rows if e.age_band == ALL_BANDS and e.scale == "ratio")


def _numbers(found: Estimate) -> dict[str, Any]:
    names = ("estimate", "std_error", "conf_low", "conf_high", "n_referred", "n_comparison", "n_sets")
    return {name: getattr(found, name) for name in names}


def robustness(
    matched: MatchedCohort, study: Study, *, outcome: str, earlier: MatchedCohort | None = None
) -> pd.DataFrame:
    """Make the table of checks beside the headline.

    - ``by_practice``: errors robust by practice; ``by_practice_cr2``: the same with CR2 errors and Satterthwaite
      degrees of freedom; ``bootstrap_practice_difference``: a cluster bootstrap over practices, percentile interval.
    - ``observed_follow_up``: the difference at the follow-up that the referred had, instead of per person-year.
    - ``negative_control``: the same contrast for the plan's negative-control outcome, which referral should not move.
    - ``placebo_index_date``: the whole study with every index date two years earlier, when nothing can have happened.
    - ``leave_one_practice_out``: the lowest and the highest estimate without the sets of one practice.
    - ``e_value``: how strongly an unmeasured cause would have to go with both referral and outcome to explain the
      estimate, and (as ``conf_low``) the limit of its interval (VanderWeele and Ding 2017, doi:10.7326/M16-2607).
    - ``rosenbaum``: by how much hidden bias may multiply the odds of referral within a pair before the paired test
      of the change from the earlier year is no longer below 5 % (Rosenbaum 2002); the first comparison person of
      each set.

    Parameters
    ----------
    matched : MatchedCohort
        The plan's design.
    study : Study
        The plan.
    outcome : str
        Name of the outcome.
    earlier : MatchedCohort, optional
        The same design on a cohort with an earlier index date.

    Returns
    -------
    DataFrame
        ``outcome, check, estimate, std_error, conf_low, conf_high, n_referred, n_comparison, n_sets`` for all ages,
        on the ratio scale.
    """
    import pandas as pd

    rows = list(_checks(matched, study, outcome))
    if earlier is not None:
        rows.append({"check": "placebo_index_date", **_numbers(_headline(earlier, study, outcome))})
    return pd.DataFrame([{"outcome": outcome, **row} for row in rows])


def _checks(matched: MatchedCohort, study: Study, outcome: str) -> Iterator[dict[str, Any]]:
    headline = _headline(matched, study, outcome)
    sizes = {name: getattr(headline, name) for name in ("n_referred", "n_comparison", "n_sets")}
    yield {"check": "headline", **_numbers(headline)}
    by_practice = matched_effects(
        matched, study, outcome=outcome, contrasts=(study.headline.contrast,), cluster="practice"
    )
    found = next(e for e in by_practice.rows if e.age_band == ALL_BANDS and e.scale == "ratio")
    yield {"check": "by_practice", **_numbers(found)}
    yield from few_practices(matched, study, outcome=outcome, sizes=sizes)
    yield from _bootstrap_difference(matched, study, outcome, sizes)
    yield from _observed_follow_up(matched, study, outcome)
    if study.negative_control is not None:
        control = _headline(matched, study, study.negative_control)
        yield {"check": "negative_control", **_numbers(control)}
    for name, estimate in _leave_one_practice_out(matched, study, outcome):
        yield {"check": name, **_numbers(estimate)}
    if np.isfinite(headline.estimate):
        strength = e_value(headline.estimate, headline.conf_low, headline.conf_high, scale="rate_ratio")
        limit = min(v for v in (strength.e_value, strength.e_value_limit or 1.0))
        yield _check("e_value", strength.e_value, limit, sizes)
    tipping = _tipping_gamma(matched, outcome)
    if tipping is not None:
        yield _check("rosenbaum", tipping, np.nan, sizes)


def _observed_follow_up(matched: MatchedCohort, study: Study, outcome: str) -> Iterator[dict[str, Any]]:
    """Give the difference over the years after that the referred were observed, on average."""
    table = matched_effects(matched, study, outcome=outcome, contrasts=(study.headline.contrast,))
    found = next(e for e in table.rows if e.age_band == ALL_BANDS and e.scale == "difference")
    years = wide_outcome(matched.cohort, outcome, ("after",)).years[:, 0]
    followed = float(years[matched.referred & (matched.weight > 0)].mean())
    scaled = {
        name: followed * getattr(found, name) for name in ("estimate", "std_error", "conf_low", "conf_high")
    }
    yield {"check": "observed_follow_up", **_numbers(found), **scaled}


def _check(name: str, estimate: float, low: float, sizes: dict[str, int]) -> dict[str, Any]:
    blank = {"std_error": np.nan, "conf_high": np.nan}
    return {"check": name, "estimate": estimate, "conf_low": low, **blank, **sizes}


def _bootstrap_difference(
    matched: MatchedCohort, study: Study, outcome: str, sizes: dict[str, int]
) -> Iterator[dict[str, Any]]:
    """Bootstrap the headline contrast as a difference per person-year, over practices."""
    wide = wide_outcome(matched.cohort, outcome, WINDOWS)
    used = matched.weight > 0
    cells, signs = [], []
    for (arm, window), sign in SIGNS[study.headline.contrast].items():
        inside = (matched.referred == (arm == "referred"))[used].astype(float)
        column = WINDOWS.index(window)
        cells.append((wide.value[used, column] * inside, wide.years[used, column] * inside))
        signs.append(sign)
    try:
        draws = bootstrap_rates(
            np.column_stack([events for events, _ in cells]),
            np.column_stack([years for _, years in cells]),
            cluster_codes(matched, "practice")[used],
            signs=signs,
            weights=matched.weight[used],
            replicates=study.replicates,
            seed=study.seed,
        )
    except EstimationError:
        return
    low, high = np.quantile(draws.draws, [0.025, 0.975])
    yield {
        "check": "bootstrap_practice_difference",
        "estimate": float(draws.estimate),
        "std_error": float(draws.draws.std(ddof=1)),
        "conf_low": float(low),
        "conf_high": float(high),
        **sizes,
    }


def _leave_one_practice_out(
    matched: MatchedCohort, study: Study, outcome: str
) -> Iterator[tuple[str, Estimate]]:
    """Leave out the sets whose referred person belongs to one practice, each in turn; give the extremes."""
    wide = wide_outcome(matched.cohort, outcome, WINDOWS)
    clusters = cluster_codes(matched, "set")
    practice = matched.cohort.persons["practice_id"].to_numpy()
    sets = matched.sets
    is_referred = matched.referred[sets["unit"].to_numpy()]
    practice_of_set = dict(zip(sets["set_id"][is_referred], practice[sets["unit"][is_referred]], strict=True))
    of_row = sets["set_id"].map(practice_of_set).to_numpy()
    found = []
    for left_out in sorted({name for name in practice_of_set.values() if name is not None}):
        weight, sizes = matched.part(sets[of_row != left_out])
        try:
            value = contrast_rates(
                wide,
                matched.referred,
                weight=weight,
                clusters=clusters,
                contrast=study.headline.contrast,
                scale="ratio",
            )
        except EstimationError:
            continue
        named = (outcome, study.headline.contrast, ALL_BANDS, "leave_one_out")
        found.append(as_estimate(value, named=named, scale="ratio", sizes=sizes))
    if len(found) > 1:
        found.sort(key=lambda e: e.estimate)
        yield "leave_one_practice_out_lowest", found[0]
        yield "leave_one_practice_out_highest", found[-1]


def _tipping_gamma(matched: MatchedCohort, outcome: str) -> float | None:
    """Give the bias at which the paired test stops being significant; None where there are no pairs or no effect."""
    import pandas as pd

    if matched.design.method not in PAIR_METHODS:
        return None
    wide = wide_outcome(matched.cohort, outcome, ("placebo", "after"))
    seen = np.all(wide.years > 0, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = wide.value[:, 1] / wide.years[:, 1] - wide.value[:, 0] / wide.years[:, 0]
    sets = matched.sets.assign(arm=matched.referred[matched.sets["unit"]], seen=seen[matched.sets["unit"]])
    sets = sets[sets["seen"]]
    # With replacement a comparison person can be in several sets; pairs must not share one.
    person = matched.cohort.persons["person_id"].to_numpy()[sets["unit"]]
    sets = sets[sets["arm"].to_numpy() | ~pd.Series(person).duplicated().to_numpy()]
    first = sets.sort_values(["set_id", "arm"], kind="stable").groupby(["set_id", "arm"]).head(1)
    pairs = first[first.groupby("set_id")["unit"].transform("size") == 2]
    try:
        difference = pair_differences(change[pairs["unit"]], pairs["arm"], pairs["set_id"])
        bounds = rosenbaum_bounds(difference, _GAMMAS, test="signed_rank", alternative="less")
    except EstimationError:
        return None
    return bounds.tipping_gamma
