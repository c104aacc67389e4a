"""Time to an event in either design, with death as a competing event: curves, mean times, hazards."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from wor_eval.cohort.wide import Floats
from wor_eval.effects.arms import Arms
from wor_eval.effects.competing import cumulative_incidence
from wor_eval.effects.cox import cox_regression, proportional_hazards
from wor_eval.effects.fit import coefficients
from wor_eval.effects.restricted_mean import restricted_mean, restricted_mean_difference
from wor_eval.effects.survival import Curve, kaplan_meier
from wor_eval.effects.unit_times import EVENTS, QUARTER, UnitTimes, unit_times
from wor_eval.errors import EstimationError, WorEvalError
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.data.read import StudyData

# Two years.
HORIZON = 8 * QUARTER
_FIELDS = ("estimate", "std_error", "conf_low", "conf_high", "p_value")
_MISSING = dict.fromkeys(_FIELDS, np.nan)
_BOTH = ("days_difference", "hazard_ratio", "proportional_hazards")
Row = dict[str, Any]


def event_times_of(data: StudyData, arms: Arms, study: Study) -> dict[str, UnitTimes]:
    """Give the times to every event for which the data have what is needed.

    Returns
    -------
    dict of str to UnitTimes
        By event; long-term care only where there are cost lines, the frequent-attender threshold only where the
        headline outcome counts contacts.
    """
    held = {
        "below_threshold": study.outcome(study.headline.outcomes[0]).measure == "rate_per_year",
        "long_term_care": _holds_long_term_care(data),
    }
    events = [event for event in EVENTS if held.get(event, True)]
    return {event: unit_times(data, arms, study, event=event) for event in events}


def event_curves(times: dict[str, UnitTimes], study: Study) -> pd.DataFrame:
    """Give the share of persons with each event by quarter, by arm and age band, and who are still at risk.

    ``cumulative_incidence`` (Aalen-Johansen) has death as a competing event; ``kaplan_meier``, one minus the
    share without the event, ends observation at death.

    Returns
    -------
    DataFrame
        ``event, arm, age_band, method, quarter, n_persons, n_risk, n_event, n_new, estimate, std_error,
        conf_low, conf_high``; ``n_new`` counts events since the last point that may be shown; quarters after the
        last observation have no row.
    """
    import pandas as pd

    rows = []
    for event, found in times.items():
        for band, part in _bands(found, study):
            for arm, side in _sides(part):
                for method in ("cumulative_incidence", "kaplan_meier"):
                    named = {"event": event, "arm": arm, "age_band": band, "method": method}
                    points = _spaced(_curve(side, method), study.disclosure.min_persons)
                    rows += [{**named, "n_persons": len(side.arms), **row} for row in points]
    columns = ["event", "arm", "age_band", "method", "quarter", "n_persons", "n_risk", "n_event", "n_new"]
    return pd.DataFrame(rows, columns=[*columns, "estimate", "std_error", "conf_low", "conf_high"])


def _holds_long_term_care(data: StudyData) -> bool:
    """Tell whether the data hold any cost of long-term care: where they hold none it is not delivered, not zero."""
    if "costs" not in data.tables:
        return False
    costs = data.tables["costs"]
    return bool(costs.count(where=costs.payer == "wlz").to_pyarrow().as_py())


def _bands(found: UnitTimes, study: Study) -> list[tuple[str, UnitTimes]]:
    band = found.arms.persons["age_band"].to_numpy()
    named = [(name, found.where(band == name)) for name in study.cohort.band_names]
    return [*((name, part) for name, part in named if len(part.arms)), ("all", found)]


def _sides(found: UnitTimes) -> list[tuple[str, UnitTimes]]:
    referred = found.arms.referred
    sides = [("referred", found.where(referred)), ("comparison", found.where(~referred))]
    return [(name, side) for name, side in sides if len(side.arms) > 1]


def _options(arms: Arms) -> dict[str, Any]:
    """Weights and clusters where there is a design; without one each person is a unit of weight 1."""
    if (arms.weight == 1).all() and np.unique(arms.cluster).size == len(arms):
        return {}
    return {"weights": arms.weight, "clusters": arms.cluster}


def _quarters(found: UnitTimes) -> Floats:
    ends: Floats = np.arange(0.0, HORIZON + 1, QUARTER)
    return ends[ends <= float(found.time.max())]


def _curve(side: UnitTimes, method: str) -> list[Row]:
    at, options = _quarters(side), _options(side.arms)
    try:
        if method == "kaplan_meier":
            curve = kaplan_meier(side.time, side.cause == 1, at=at, **options)
            estimate, low, high = 1 - curve.estimate, 1 - curve.conf_high, 1 - curve.conf_low
        else:
            curve = cumulative_incidence(side.time, side.cause, at=at, **options)
            estimate, low, high = curve.estimate, curve.conf_low, curve.conf_high
    except EstimationError:  # nobody had the event
        return []
    return _points(curve, (estimate, low, high))


def _points(curve: Curve, shares: tuple[Floats, Floats, Floats]) -> list[Row]:
    estimate, low, high = shares
    return [
        {
            "quarter": round(float(curve.time[place]) / QUARTER),
            "n_risk": int(curve.n_risk[place]),
            "n_event": int(curve.n_event[place]),
            "estimate": float(estimate[place]),
            "std_error": float(curve.std_error[place]),
            "conf_low": float(low[place]),
            "conf_high": float(high[place]),
        }
        for place in range(curve.time.size)
    ]


def _spaced(points: list[Row], least: int) -> list[Row]:
    """Add the events since the last point with at least so many new ones: fewer tell who had it and when."""
    last, spaced = 0, []
    for point in points:
        new = point["n_event"] - last
        last = point["n_event"] if new >= least else last
        spaced.append({**point, "n_new": new})
    return spaced


def event_effects(times: dict[str, UnitTimes], study: Study) -> pd.DataFrame:
    """Compare the time to each event: mean time without it up to two years, and hazards, by age band.

    Measures: ``mean_days_referred`` and ``mean_days_comparison`` (restricted mean, deaths as ends of
    observation), and with two arms ``days_difference``, ``hazard_ratio`` (cause-specific, Cox, clustered on the
    matched set) and ``proportional_hazards`` (only ``p_value``: whether that ratio changes over time).

    Returns
    -------
    DataFrame
        ``event, age_band, measure, estimate, std_error, conf_low, conf_high, p_value, n_referred, n_comparison,
        n_events_referred, n_events_comparison``: those of the arm that a measure is about, or of both.
    """
    import pandas as pd

    rows = []
    for event, found in times.items():
        for band, part in _bands(found, study):
            for measure, make in _measures(part).items():
                try:
                    values = make()
                except WorEvalError:
                    values = _MISSING
                named = {"event": event, "age_band": band, "measure": measure}
                rows.append({**named, **values, **_numbers(part, measure)})
    columns = ["event", "age_band", "measure", *_FIELDS, "n_referred", "n_comparison"]
    return pd.DataFrame(rows, columns=[*columns, "n_events_referred", "n_events_comparison"])


def _numbers(part: UnitTimes, measure: str) -> dict[str, int]:
    """Count the persons and events by arm behind a measure: those of the arm it is about, or of both."""
    arm, had = part.arms.referred, part.cause == 1
    sides = {"referred": arm, "comparison": ~arm}
    used = [side for side in sides if measure in (f"mean_days_{side}", *_BOTH)]
    persons = {f"n_{side}": int(mask.sum()) if side in used else 0 for side, mask in sides.items()}
    events = {
        f"n_events_{side}": int((mask & had).sum()) if side in used else 0 for side, mask in sides.items()
    }
    return {**persons, **events}


def _measures(part: UnitTimes) -> dict[str, Callable[[], dict[str, float]]]:
    made: dict[str, Callable[[], dict[str, float]]] = {
        f"mean_days_{arm}": partial(_mean_days, side) for arm, side in _sides(part)
    }
    if part.arms.two:
        made["days_difference"] = partial(_days_difference, part)
        made["hazard_ratio"] = partial(_hazard_ratio, part)
        made["proportional_hazards"] = partial(_hazards_over_time, part)
    return made


def _values(found: Any, place: int | None = None) -> dict[str, float]:
    return {
        field: float(getattr(found, field) if place is None else getattr(found, field)[place])
        for field in _FIELDS
    }


def _mean_days(side: UnitTimes) -> dict[str, float]:
    return _values(restricted_mean(side.time, side.cause == 1, horizon=HORIZON, **_options(side.arms)))


def _days_difference(part: UnitTimes) -> dict[str, float]:
    return _values(
        restricted_mean_difference(
            part.time, part.cause == 1, part.arms.referred, horizon=HORIZON, **_options(part.arms)
        )
    )


def _hazard_ratio(part: UnitTimes) -> dict[str, float]:
    model = cox_regression(
        part.time,
        part.cause == 1,
        part.arms.referred[:, None].astype(np.float64),
        names=["referred"],
        weights=part.arms.weight,
        clusters=part.arms.cluster,
    )
    return _values(coefficients(model.fit, scale="ratio"), 0)


def _hazards_over_time(part: UnitTimes) -> dict[str, float]:
    check = proportional_hazards(
        part.time, part.cause == 1, part.arms.referred[:, None].astype(np.float64), names=["referred"]
    )
    return {**_MISSING, "p_value": float(check.p_value[0])}
