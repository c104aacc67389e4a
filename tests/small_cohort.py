"""A cohort built by hand from arrays, and counts of persons in two years with a known ratio between them."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from wor_eval.cohort.build import Cohort
from wor_eval.study import Study, study_plan

TEXT = {"nl": "proef", "en": "trial"}
OUTCOME = "gp_contacts"
YEAR = 365.25


def small_cohort(
    counts: dict[str, ArrayLike],
    *,
    days: dict[str, ArrayLike] | None = None,
    age: ArrayLike = 50,
    practice: ArrayLike = "p1",
    arm: ArrayLike = "referred",
    sex: ArrayLike = "F",
) -> Cohort:
    """Make a cohort of n persons.

    Parameters
    ----------
    counts : dict of str to array, shape (n,)
        Events of each person in each window.
    days : dict of str to array, shape (n,)
        Observed days, 365.25 where not given; with 0 a window has no row.
    age, practice, arm, sex : scalar or array, shape (n,)
        Who they are.
    """
    n = np.asarray(next(iter(counts.values()))).size
    ages = np.broadcast_to(age, n)
    persons = pd.DataFrame(
        {
            "unit": np.arange(n),
            "person_id": [f"p{i:05d}" for i in range(n)],
            "arm": np.broadcast_to(arm, n),
            "practice_id": np.broadcast_to(practice, n),
            "sex": np.broadcast_to(sex, n),
            "age": ages,
            "age_band": np.where(ages >= 65, "65+", "18-64"),
        }
    )
    seen = {name: np.broadcast_to((days or {}).get(name, YEAR), n) for name in counts}
    frames = [
        pd.DataFrame(
            {
                "unit": np.arange(n),
                "outcome": OUTCOME,
                "window": name,
                "value": np.asarray(values, dtype=float),
                "observed_days": seen[name].astype(float),
            }
        )[seen[name] > 0]
        for name, values in counts.items()
    ]
    return Cohort(
        persons=persons,
        outcomes=pd.concat(frames, ignore_index=True),
        attrition=pd.DataFrame({"step": []}),
        observed=(date(2019, 1, 1), date(2024, 12, 31)),
    )


def small_plan(*, placebo: bool = False, **parts: Any) -> Study:
    """Give a before-and-after plan; ``parts`` are put at its top."""
    content = {
        "name": "trial",
        "title": TEXT,
        "question": TEXT,
        "seed": 1,
        "cohort": {"bands": [18, 65]},
        "windows": {
            **({"placebo": [-730, -366]} if placebo else {}),
            "before": [-365, -1],
            "after": [30, 394],
        },
        "outcomes": [{"name": OUTCOME, "label": TEXT}],
        "effects": [{"contrast": "before_after", "outcomes": [OUTCOME], "headline": True}],
    }
    return study_plan({**content, **parts})


def paired_counts(
    rng: np.random.Generator, n: int, *, mean: float = 6.0, ratio: ArrayLike = 1.0, shape: float = 1.5
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw counts before and after of n persons: Poisson around a gamma level of their own."""
    level = mean * rng.gamma(shape, 1 / shape, n)
    return rng.poisson(level), rng.poisson(level * np.asarray(ratio))
