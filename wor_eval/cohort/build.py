"""Who is in the cohort, who is out and why, and what was counted in which window."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from wor_eval.cohort.attrition import Attrition
from wor_eval.cohort.comparable import refuse_what_cannot_be_told_apart
from wor_eval.cohort.inclusion import apply_rules
from wor_eval.cohort.outcomes import measure_outcomes
from wor_eval.cohort.persons import (
    describe,
    enter,
    keep_present,
    observation_periods,
    observed_period,
    unit_table,
)
from wor_eval.cohort.windows import observed_days
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.data.read import StudyData


@dataclass(frozen=True, kw_only=True, slots=True)
class Cohort:
    """The persons of a study at their index date, with their outcomes.

    Attributes
    ----------
    persons : DataFrame
        One row per unit, that is one person at one index date: ``unit, person_id, arm, index_on, last_on,
        practice_id, sex, age, age_band, …, days_<window>``. ``arm`` is ``referred`` or ``comparison``.
    outcomes : DataFrame
        ``unit, outcome, window, value, observed_days``.
    attrition : DataFrame
        ``step, reason_nl, reason_en, n_referred, n_comparison``.
    observed : tuple of date
        First and last day of observation in these data.
    """

    persons: pd.DataFrame
    outcomes: pd.DataFrame
    attrition: pd.DataFrame
    observed: tuple[date, date]

    def __repr__(self) -> str:
        arms = self.persons["arm"].value_counts()
        return f"Cohort({arms.get('referred', 0)} referred, {arms.get('comparison', 0)} comparison)"

    def summary(self) -> pd.DataFrame:
        """Give the number of units by arm and age band."""
        counts: pd.DataFrame = self.persons.groupby(["arm", "age_band"], observed=True).size().unstack("arm")
        return counts


def build_cohort(data: StudyData, study: Study, *, shift_days: int = 0) -> Cohort:
    """Build the cohort of a study: index dates, rules, windows, outcomes.

    A referred person enters at the first referral of the study period. Comparison persons, when the plan
    asks for them, enter at dates drawn from the referral dates; a later-referred person serves until the day
    before their own referral. Both arms pass the same rules, in the same order, and each step is counted.

    Age is taken in completed years at the index date. Where the month of birth is unknown, 1 July of the
    year of birth is used.

    Parameters
    ----------
    data : StudyData
        The checked raw tables.
    study : Study
        The plan.
    shift_days : int
        Days to move every index date, for a placebo index date: with -730 the windows lie two years earlier, and
        the referred too are only observed until the day before their referral.

    Returns
    -------
    Cohort
        Persons, outcomes and attrition.

    Raises
    ------
    DesignError
        Nobody is left, a rule names a column that the cohort does not have, or the plan asks for ages or kinds
        of contact that the data cannot tell apart.

    Examples
    --------
    >>> import tempfile
    >>> import wor_eval as we
    >>> from wor_eval.assets import asset
    >>> folder = we.simulate_study(tempfile.mkdtemp() + "/study", persons=2000, seed=1, scenario="effect")
    >>> cohort = we.build_cohort(we.read_data(folder), we.read_study(asset("analyses", "before_after.toml")))
    >>> sorted(cohort.persons["age_band"].unique())
    ['18-64', '65+']
    """
    attrition = Attrition()
    observed = observed_period(data, study)
    refuse_what_cannot_be_told_apart(data, study, observed)
    units = enter(data, study, attrition, shift_days=shift_days)
    units = describe(data, units, observed)
    units = keep_present(units, attrition)
    units = _add_days(data, units, study, observed)
    units = apply_rules(units, study.cohort.include, attrition)
    units = _order(units, study)
    outcomes = measure_outcomes(data, units, study, observed)
    return Cohort(persons=units, outcomes=outcomes, attrition=attrition.to_frame(), observed=observed)


def _add_days(
    data: StudyData, units: pd.DataFrame, study: Study, observed: tuple[date, date]
) -> pd.DataFrame:
    """Add ``days_<window>``: the days of each window in which the unit was observed."""
    windows = study.windows.named()
    days = observed_days(observation_periods(data, observed), unit_table(units), windows).to_pandas()
    wide = days.pivot(index="unit", columns="window", values="observed_days").reindex(
        index=units["unit"], columns=list(windows), fill_value=0
    )
    wide = wide.fillna(0).astype(int).add_prefix("days_")
    return units.merge(wide.reset_index(), on="unit")


def _order(units: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Add the age band and order the units: by arm, person and index date, numbered anew."""
    import pandas as pd

    plan = study.cohort
    bands = pd.cut(units["age"], [*plan.bands, 1000], right=False, labels=list(plan.band_names))
    units = units.assign(age_band=bands.astype(str).where(bands.notna()))
    units = units[units["age_band"].notna()].sort_values(
        ["arm", "person_id", "index_on"], ascending=[False, True, True]
    )
    units = units.drop(columns=["unit"]).reset_index(drop=True)
    return units.assign(unit=range(len(units)))
