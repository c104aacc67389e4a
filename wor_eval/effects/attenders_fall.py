"""How far frequent attenders fall with nobody treated, and what the formulas of regression to the mean expect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from wor_eval.attenders_plan import YEARS, FrequentAttenders
from wor_eval.cohort.yearly import Yearly
from wor_eval.effects.gamma_poisson import expected_next, fit_gamma_poisson
from wor_eval.effects.regression_to_mean import barnett
from wor_eval.errors import EstimationError
from wor_eval.plan_parts import group_names

if TYPE_CHECKING:
    import pandas as pd


_Floats = NDArray[np.float64]
ALL = "all"
_Z95 = 1.959963984540054
_FEWEST = 30


def fall(yearly: Yearly, chosen: NDArray[np.bool_], plan: FrequentAttenders) -> pd.DataFrame:
    """Give the mean contacts by year of those frequent in the first year, beside everybody else.

    Only persons not referred before the end of the last year: nobody was treated.

    Returns
    -------
    DataFrame
        ``age_group, frequent, year, n_persons, mean, conf_low, conf_high``: ``frequent`` is ``first_year`` or ``not``.
    """
    import pandas as pd

    untreated = ~yearly.persons["referred"].to_numpy()
    rows: list[dict[str, Any]] = []
    for age_group in (*group_names(plan.age_groups), ALL):
        for name, group in (("first_year", chosen[:, 0]), ("not", ~chosen[:, 0])):
            counts = yearly.contacts[group & untreated & _of_age(yearly, age_group)]
            for place, year in enumerate(yearly.years):
                mean, half = _mean(counts[:, place])
                limits = {"mean": mean, "conf_low": mean - half, "conf_high": mean + half}
                about = {"age_group": age_group, "frequent": name, "year": year, "n_persons": len(counts)}
                rows.append({**about, **limits})
    return pd.DataFrame(rows)


def _of_age(yearly: Yearly, age_group: str) -> NDArray[np.bool_]:
    known = yearly.persons["age_group"].to_numpy()
    return np.ones(known.size, dtype=bool) if age_group == ALL else known == age_group


def _mean(values: _Floats) -> tuple[float, float]:
    if values.size < 2:
        return (float(values[0]), np.nan) if values.size else (np.nan, np.nan)
    return float(values.mean()), float(_Z95 * values.std(ddof=1) / np.sqrt(values.size))


def expected_falls(
    yearly: Yearly, chosen: NDArray[np.bool_], threshold: _Floats, plan: FrequentAttenders
) -> pd.DataFrame:
    """Set the untreated fall from the first year to the second beside what formulas expect of it.

    Each formula is fed, by sex and age group, with the second and third year of everybody who was not treated, and
    predicts the second year from the first; it has not seen the fall it predicts.

    Returns
    -------
    DataFrame
        ``age_group, method, n_persons, observed, conf_low, conf_high, expected, share_expected``: changes in contacts
        per person per year; the interval is that of the observed change.
    """
    import pandas as pd

    untreated = ~yearly.persons["referred"].to_numpy()
    predicted = predictions(yearly, chosen, threshold, untreated)
    rows: list[dict[str, Any]] = []
    for age_group in (*group_names(plan.age_groups), ALL):
        who = chosen[:, 0] & untreated & _of_age(yearly, age_group)
        change = yearly.contacts[who, 1] - yearly.contacts[who, 0]
        observed, half = _mean(change)
        for method, second in predicted.items():
            expected = float((second[who] - yearly.contacts[who, 0]).mean()) if who.any() else np.nan
            rows.append(
                {
                    "age_group": age_group, "method": method, "n_persons": int(who.sum()), "observed": observed,
                    "conf_low": observed - half, "conf_high": observed + half, "expected": expected,
                    "share_expected": expected / observed,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def predictions(
    yearly: Yearly, chosen: NDArray[np.bool_], threshold: _Floats, untreated: NDArray[np.bool_]
) -> Mapping[str, _Floats]:
    """Predict the second year of each frequent attender from the first, by method; missing for others."""
    stratum = (yearly.persons["sex"] + " " + yearly.persons["age_group"]).to_numpy(dtype=str)
    found = {method: np.full(stratum.size, np.nan) for method in METHODS}
    for group in np.unique(stratum):
        here = (stratum == group) & untreated
        top = here & chosen[:, 0]
        if here.sum() < _FEWEST or not top.any():
            continue
        first, pair = yearly.contacts[top, 0], yearly.contacts[here][:, 1:YEARS]
        for method, predict in METHODS.items():
            try:
                found[method][top] = predict(first, pair, float(threshold[top, 0][0]))
            except EstimationError:
                continue
    return found


def _linear(first: _Floats, pair: _Floats, line: float) -> _Floats:
    """Predict on the line of the third year on the second."""
    away = pair - pair.mean(axis=0)
    slope = float((away[:, 0] * away[:, 1]).sum() / (away[:, 0] ** 2).sum())
    predicted: _Floats = pair[:, 1].mean() + slope * (first - pair[:, 0].mean())
    return predicted


def _barnett(first: _Floats, pair: _Floats, line: float) -> _Floats:
    """Take the fall of a normal variable beyond the threshold from each count."""
    correlation = float(np.clip(np.asarray(np.corrcoef(pair.T))[0, 1], 0, 1))
    spread = float(pair[:, 0].std(ddof=1))
    down = barnett(mean=float(pair[:, 0].mean()), sd=spread, cutoff=line - 0.5, correlation=correlation)
    return first - float(down)


def _gamma_poisson(first: _Floats, pair: _Floats, line: float) -> _Floats:
    return expected_next(first, fit_gamma_poisson(pair[:, 0], pair[:, 1], model="gamma_poisson"))


def _negative_binomial(first: _Floats, pair: _Floats, line: float) -> _Floats:
    return expected_next(first, fit_gamma_poisson(pair[:, 0], pair[:, 1], model="negative_binomial"))


METHODS: Final[Mapping[str, Callable[[_Floats, _Floats, float], _Floats]]] = {
    "linear": _linear,
    "barnett": _barnett,
    "negative_binomial": _negative_binomial,
    "gamma_poisson": _gamma_poisson,
}
"""What predicts the count of the second year; how each does so stands in the modules it comes from."""
