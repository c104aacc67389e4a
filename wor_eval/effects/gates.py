"""Whether the gates that the plan declared hold: balance, placebo contrast, overlap, number of sets, follow-up.

A gate is judged by age band and for all ages. What fails strikes the estimate of that band (or of all ages) in
every report; it does not stop the run, because the reason is worth reading too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from wor_eval.cohort.wide import DAYS_PER_YEAR, Floats, wide_outcome
from wor_eval.design.matched import MatchedCohort
from wor_eval.effects.contrasts import matched_effects
from wor_eval.effects.estimate import ALL_BANDS
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.cohort.build import Cohort

_COLUMNS: Final = ("gate", "age_band", "value", "limit", "verdict", "n_referred", "n_comparison")
_AT_MOST: Final = ("balance", "placebo")


@dataclass(frozen=True, kw_only=True, slots=True)
class Placebo:
    """The 95 % interval of a ratio that should be one."""

    low: float
    high: float

    @property
    def off(self) -> float:
        """How far the ratio is from one by its interval: the limit nearest to one as a ratio of at least 1."""
        if not np.isfinite([self.low, self.high]).all():
            return float("nan")
        return float(max(self.low, 1 / self.high, 1.0))


def judge(gate: str, value: float, limit: float) -> str:
    """Give ``passed``, ``failed``, or ``unknown`` where there is no value.

    Examples
    --------
    >>> judge("balance", 0.14, 0.1), judge("sets", 40, 40), judge("placebo", float("nan"), 1.0)
    ('failed', 'passed', 'unknown')
    """
    if not np.isfinite(value):
        return "unknown"
    return "passed" if (value <= limit if gate in _AT_MOST else value >= limit) else "failed"


def matched_gates(
    matched: MatchedCohort,
    study: Study,
    *,
    history: str,
    balance: pd.DataFrame,
    robustness: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Judge the gates of a matched cohort.

    ``balance``: the largest absolute standardised difference among the covariates of the design, after matching.
    ``placebo``: the placebo contrast of the matched cohort. Where the headline is the change against the earlier
    year, that contrast is off whenever noisy counts pair persons of different permanent level, which is what the
    headline takes out; then the headline's own contrast with every index date two years earlier is judged, for all
    ages. Its value is how far off one it is by its interval; 1 where the interval covers one. ``overlap``: the share of
    the referred with a comparison. ``sets``: the number of sets. ``follow_up``: the share of window after that was
    observed for the headline outcome, in the arm where it is lowest; for a score, of those who answered before, the
    share that answered after.

    Parameters
    ----------
    matched : MatchedCohort
        Sets and weights.
    study : Study
        The plan, with its gates.
    history : str
        The outcome whose history was matched on.
    balance : DataFrame
        As :func:`wor_eval.design.diagnostics.balance` gives it.
    robustness : DataFrame, optional
        As :func:`wor_eval.effects.checks.robustness` gives it.

    Returns
    -------
    DataFrame
        ``gate, age_band, value, limit, verdict, n_referred, n_comparison``; a row per gate of the plan and age band.
    """
    weight, referred = matched.weight, matched.referred
    used, sets = weight > 0, _sets_by_unit(matched)
    off = _placebos(matched, study, history, robustness)
    followed = _followed(matched.cohort, study)
    own = balance[(balance["sample"] == "after") & balance["covariate"].isin(matched.covariates.names)]
    worst = own.assign(size=own["smd"].abs()).groupby("age_band")["size"].max()
    measures: dict[str, Callable[[str, NDArray[np.bool_]], float]] = {
        "balance": lambda band, inside: float(worst.get(band, np.nan)),
        "placebo": lambda band, inside: off[band].off if band in off else np.nan,
        "overlap": lambda band, inside: _share(used[inside & referred]),
        "sets": lambda band, inside: float(np.unique(sets[inside & used & referred]).size),
        "follow_up": lambda band, inside: min(
            _weighted(followed[inside & arm], weight[inside & arm]) for arm in (referred, ~referred)
        ),
    }
    return _table(measures, matched.cohort, study, used=used)


def before_after_gates(cohort: Cohort, study: Study) -> pd.DataFrame:
    """Judge the gates of a before-and-after study: persons seen in both windows, and follow-up.

    Parameters
    ----------
    cohort : Cohort
        Persons and outcomes.
    study : Study
        The plan, with its gates.

    Returns
    -------
    DataFrame
        As :func:`matched_gates`.
    """
    referred = (cohort.persons["arm"] == "referred").to_numpy()
    seen = wide_outcome(cohort, study.headline.outcomes[0], ("before", "after"))
    both = np.all(seen.years > 0, axis=1)
    followed = _followed(cohort, study)
    measures: dict[str, Callable[[str, NDArray[np.bool_]], float]] = {
        "sets": lambda band, inside: float((inside & both).sum()),
        "follow_up": lambda band, inside: _weighted(followed[inside], np.ones(int(inside.sum()))),
    }
    return _table(measures, cohort, study, used=referred)


def _table(
    measures: Mapping[str, Callable[[str, NDArray[np.bool_]], float]],
    cohort: Cohort,
    study: Study,
    *,
    used: NDArray[np.bool_],
) -> pd.DataFrame:
    """Judge each declared gate in each age band; referred persons outside the design count for overlap."""
    import pandas as pd

    band_of = cohort.persons["age_band"].to_numpy().astype(str)
    referred = (cohort.persons["arm"] == "referred").to_numpy()
    rows = []
    for gate, limit in study.gates.declared.items():
        for band in (*study.cohort.band_names, ALL_BANDS):
            whole = np.ones(used.size, bool) if band == ALL_BANDS else band_of == band
            inside = whole if gate == "overlap" else whole & used
            value = measures[gate](band, inside)
            n_referred, n_comparison = (int((inside & referred).sum()), int((whole & used & ~referred).sum()))
            rows.append((gate, band, value, limit, judge(gate, value, limit), n_referred, n_comparison))
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _placebos(
    matched: MatchedCohort, study: Study, history: str, robustness: pd.DataFrame | None
) -> dict[str, Placebo]:
    if study.headline.contrast == "against_earlier_year":
        return dict(_earlier_dates(robustness))
    found = matched_effects(matched, study, outcome=history, contrasts=("placebo",)).rows
    return {e.age_band: Placebo(low=e.conf_low, high=e.conf_high) for e in found if e.scale == "ratio"}


def _earlier_dates(robustness: pd.DataFrame | None) -> Iterator[tuple[str, Placebo]]:
    if robustness is None:
        return
    for _, row in robustness[robustness["check"] == "placebo_index_date"].iterrows():
        yield ALL_BANDS, Placebo(low=row["conf_low"], high=row["conf_high"])


def _sets_by_unit(matched: MatchedCohort) -> NDArray[np.int64]:
    """Give a set of each unit, -1 outside the design; a referred unit is in one set."""
    found = np.full(len(matched.cohort.persons), -1, dtype=np.int64)
    found[matched.sets["unit"].to_numpy()] = matched.sets["set_id"].to_numpy()
    return found


def _followed(cohort: Cohort, study: Study) -> Floats:
    """Give the share of window after in which each unit was observed.

    For a score 1 where who answered before answered after too, and missing for who did not answer before.
    """
    outcome = study.outcome(study.headline.outcomes[0])
    years = wide_outcome(cohort, outcome.name, ("before", "after")).years
    if outcome.measure == "mean_score":
        return np.where(years[:, 0] > 0, (years[:, 1] > 0).astype(float), np.nan)
    first, last = (outcome.windows or study.windows.named()).get("after", study.windows.after)
    share: Floats = np.clip(years[:, 1] * DAYS_PER_YEAR / (last - first + 1), 0.0, 1.0)
    return share


def _share(chosen: NDArray[np.bool_]) -> float:
    return float(chosen.mean()) if chosen.size else float("nan")


def _weighted(values: Floats, weight: Floats) -> float:
    known = np.where(np.isfinite(values), weight, 0.0)
    return float(np.nan_to_num(values) @ known / known.sum()) if known.sum() > 0 else float("nan")
