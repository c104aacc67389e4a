"""A cohort of a study that has not been done yet, as the design will see it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from wor_eval.cohort.build import Cohort
from wor_eval.cohort.wide import DAYS_PER_YEAR
from wor_eval.data.planned import Block, Drawn
from wor_eval.study import Study, Windows

if TYPE_CHECKING:
    import pandas as pd

_DAYS_PER_MONTH: Final = DAYS_PER_YEAR / 12
_START: Final = np.datetime64("2022-01")
"""First month of referral; any will do, for persons are only compared within a month."""


def month_blocks(windows: Windows) -> dict[str, Block]:
    """Give the windows of a plan in whole months from the index date, the last month not included.

    Examples
    --------
    >>> month_blocks(Windows(before=(-365, -1), after=(30, 394)))
    {'before': (-12, 0), 'after': (1, 13)}
    """
    days = {**windows.named(), **windows.quarterly(), **windows.yearly()}
    return {
        name: (round(first / _DAYS_PER_MONTH), round((last + 1) / _DAYS_PER_MONTH))
        for name, (first, last) in days.items()
    }


def planned_cohort(drawn: Drawn, study: Study, *, outcome: str) -> Cohort:
    """Lay out drawn persons as a cohort.

    Parameters
    ----------
    drawn : Drawn
        Persons at an index date.
    study : Study
        The plan: age bands.
    outcome : str
        Name of the outcome that the contacts are.

    Returns
    -------
    Cohort
        A unit for each person; windows without observation have no row.
    """
    import pandas as pd

    return Cohort(
        persons=_persons(drawn, study),
        outcomes=_outcomes(drawn, outcome),
        attrition=pd.DataFrame({"step": []}),
        observed=(date(2020, 1, 1), date(2023, 12, 31)),
    )


def _persons(drawn: Drawn, study: Study) -> pd.DataFrame:
    import pandas as pd

    n, age = drawn.referred.size, drawn.age_months // 12
    names = np.array(study.cohort.band_names, dtype=object)
    return pd.DataFrame(
        {
            "unit": np.arange(n),
            "person_id": np.arange(n),
            "arm": np.where(drawn.referred, "referred", "comparison"),
            "index_on": (_START + drawn.month).astype("datetime64[us]"),
            "practice_id": drawn.practice,
            "sex": np.where(drawn.female == 1, "F", "M"),
            "age": age,
            "age_band": names[np.maximum(np.digitize(age, study.cohort.bands) - 1, 0)],
            "n_chronic": drawn.n_chronic.astype(float),
        }
    )


def _outcomes(drawn: Drawn, outcome: str) -> pd.DataFrame:
    import pandas as pd

    windows, n = list(drawn.counts), drawn.referred.size
    value = np.concatenate([drawn.counts[name] for name in windows]).astype(float)
    months = np.concatenate([drawn.observed[name] for name in windows])
    seen = months > 0
    only, each = np.zeros(int(seen.sum()), dtype=np.int8), np.repeat(np.arange(len(windows)), n)
    return pd.DataFrame(
        {
            "unit": np.tile(np.arange(n), len(windows))[seen],
            "outcome": pd.Categorical.from_codes(only, categories=[outcome]),
            "window": pd.Categorical.from_codes(each[seen], categories=windows),
            "value": value[seen],
            "observed_days": months[seen] * _DAYS_PER_MONTH,
        }
    )
