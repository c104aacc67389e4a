"""Who among this year's frequent attenders will still be one: a logistic prediction, and how well it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wor_eval.attenders_plan import FrequentAttenders
from wor_eval.cohort.yearly import Yearly
from wor_eval.effects.auc import area_under_curve
from wor_eval.effects.logistic import logistic_regression
from wor_eval.effects.proportions import wilson
from wor_eval.errors import EstimationError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_FIFTHS = 5
_FEWEST_EVENTS = 20
_Z95 = 1.959963984540054


def prediction_tables(
    yearly: Yearly,
    chosen: NDArray[np.bool_],
    threshold: NDArray[np.float64],
    plan: FrequentAttenders,
) -> dict[str, pd.DataFrame]:
    """Predict from the first year who among its frequent attenders is one in all three.

    The risks are cross-validated: each person's is predicted by a model that has not seen that person.

    Returns
    -------
    dict of str to DataFrame
        ``attender_prediction``: odds ratios; ``attender_accuracy``: area under the curve (DeLong), calibration;
        ``attender_calibration``: predicted beside observed by fifth of predicted risk. Empty where fewer than 20
        persons stay or leave, or the model cannot be fitted.
    """
    who = chosen[:, 0]
    event = chosen[who].all(axis=1).astype(float)
    if min(event.sum(), (1 - event).sum()) < _FEWEST_EVENTS:
        return {}
    names, design = _design(yearly, who, threshold)
    try:
        fit = logistic_regression(event, design, names=names)
        risk = _cross_validated(event, design, folds=plan.folds, seed=plan.seed)
        return {
            "attender_prediction": _odds(fit, event),
            "attender_accuracy": _accuracy(event, design @ fit.coef, risk),
            "attender_calibration": _calibration(event, risk),
        }
    except EstimationError:
        return {}


def _design(
    yearly: Yearly, who: NDArray[np.bool_], threshold: NDArray[np.float64]
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Give what is known after the first year: nothing of the years that are predicted."""
    persons = yearly.persons[who]
    coded = yearly.coded[who, 0]
    social = np.divide(yearly.psychosocial[who, 0], coded, out=np.zeros(coded.size), where=coded > 0)
    columns = {
        "constant": np.ones(len(persons)),
        "age_10": persons["age"].to_numpy(float) / 10,
        "woman": (persons["sex"] == "F").to_numpy(float),
        "log_contacts": np.log(yearly.contacts[who, 0] / threshold[who, 0]),
        "n_chronic": persons["n_chronic"].to_numpy(float, na_value=np.nan),
        "psychosocial": social,
    }
    kept = {
        name: values
        for name, values in columns.items()
        if np.isfinite(values).all() and _varies(name, values)
    }
    return tuple(kept), np.column_stack(list(kept.values()))


def _varies(name: str, values: NDArray[np.float64]) -> bool:
    return name == "constant" or bool(np.ptp(values) > 0)


def _risk(design: NDArray[np.float64], coef: NDArray[np.float64]) -> NDArray[np.float64]:
    risk: NDArray[np.float64] = 1 / (1 + np.exp(-design @ coef))
    return risk


def _cross_validated(
    event: NDArray[np.float64], design: NDArray[np.float64], *, folds: int, seed: int
) -> NDArray[np.float64]:
    fold = np.random.default_rng(seed).permutation(event.size) % folds
    risk = np.empty(event.size)
    for k in range(folds):
        fit = logistic_regression(event[fold != k], design[fold != k])
        risk[fold == k] = _risk(design[fold == k], fit.coef)
    return risk


def _odds(fit: Any, event: NDArray[np.float64]) -> pd.DataFrame:
    import pandas as pd

    error = np.sqrt(np.diag(fit.cov))
    frame = pd.DataFrame(
        {
            "term": fit.names,
            "n_persons": event.size,
            "n_events": int(event.sum()),
            "estimate": np.exp(fit.coef),
            "std_error": error,
            "conf_low": np.exp(fit.coef - _Z95 * error),
            "conf_high": np.exp(fit.coef + _Z95 * error),
        }
    )
    return frame[frame["term"] != "constant"].reset_index(drop=True)


def _accuracy(
    event: NDArray[np.float64], score: NDArray[np.float64], risk: NDArray[np.float64]
) -> pd.DataFrame:
    """Give the area under the curve, apparent and cross-validated, and the calibration line of the latter."""
    import pandas as pd

    apparent, honest = area_under_curve(event, score), area_under_curve(event, risk)
    logit = np.log(risk / (1 - risk))
    line = logistic_regression(event, np.column_stack([np.ones(event.size), logit]))
    error = np.sqrt(np.diag(line.cov))
    rows = [
        ("auc_apparent", apparent.estimate, apparent.std_error, apparent.conf_low, apparent.conf_high),
        ("auc_cross_validated", honest.estimate, honest.std_error, honest.conf_low, honest.conf_high),
    ]
    for place, name in enumerate(("calibration_intercept", "calibration_slope")):
        value, half = float(line.coef[place]), _Z95 * float(error[place])
        rows.append((name, value, float(error[place]), value - half, value + half))
    frame = pd.DataFrame(rows, columns=["measure", "estimate", "std_error", "conf_low", "conf_high"])
    frame.insert(1, "n_persons", event.size)
    frame.insert(2, "n_events", int(event.sum()))
    return frame


def _calibration(event: NDArray[np.float64], risk: NDArray[np.float64]) -> pd.DataFrame:
    import pandas as pd

    fifth = np.argsort(np.argsort(risk, kind="stable"), kind="stable") * _FIFTHS // risk.size
    rows = []
    for k in range(_FIFTHS):
        part = event[fifth == k]
        share, low, high = wilson([part.sum()], [part.size])
        rows.append(
            {
                "fifth": k + 1, "n_events": int(part.sum()), "n_rest": int(part.size - part.sum()),
                "predicted": float(risk[fifth == k].mean()), "observed": share[0], "conf_low": low[0],
                "conf_high": high[0],
            }
        )  # fmt: skip
    return pd.DataFrame(rows)
