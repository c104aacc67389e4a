"""When each unit of a design had an event: below the frequent-attender threshold, long-term care, drop-out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wor_eval.cohort.measures import dated_events
from wor_eval.cohort.persons import observation_periods, unit_table
from wor_eval.cohort.wide import DAYS_PER_YEAR, Floats, wide_outcome
from wor_eval.cohort.windows import count_events
from wor_eval.effects.arms import Arms
from wor_eval.study import Study

if TYPE_CHECKING:
    from wor_eval.data.read import StudyData

Event: TypeAlias = Literal["below_threshold", "long_term_care", "drop_out"]
EVENTS: Final[tuple[Event, ...]] = ("below_threshold", "long_term_care", "drop_out")
QUARTER: Final = 91
# Frequent attenders: the top tenth of contacts in a year within sex and age group (Smits et al. 2009,
# doi:10.1186/1471-2458-9-36).
TOP_SHARE: Final = 0.10
_TO_YEAR: Final = DAYS_PER_YEAR / (4 * QUARTER)
_WHOLE: Final = 0.99
_ENDED, _EVENT, _DIED = 0, 1, 2


@dataclass(frozen=True, kw_only=True, slots=True)
class UnitTimes:
    """Times to an event of n units.

    Attributes
    ----------
    arms : Arms
        The n units at risk on the index date.
    time : ndarray, shape (n,)
        Days from the index date to the event, the death or the end of observation.
    cause : ndarray of int, shape (n,)
        0 observation ended, 1 the event, 2 death.
    """

    arms: Arms
    time: Floats
    cause: NDArray[np.int64]

    def where(self, chosen: NDArray[np.bool_]) -> UnitTimes:
        """Keep some of the units."""
        return UnitTimes(arms=self.arms.where(chosen), time=self.time[chosen], cause=self.cause[chosen])


def unit_times(data: StudyData, arms: Arms, study: Study, *, event: Event) -> UnitTimes:
    """Give the time of every unit at risk to an event, with death as a competing event.

    ``drop_out``: end of the registration that holds the index date, other than by death. ``long_term_care``:
    first Wlz cost line, of those without one before. ``below_threshold``: of the frequent attenders of the year
    before (top tenth of their age band and sex, among units not referred), the end of the first year after the
    index date, moved up by quarters, with contacts below that threshold.

    Parameters
    ----------
    data : StudyData
        The raw tables.
    arms : Arms
        The units.
    study : Study
        The plan.
    event : {"below_threshold", "long_term_care", "drop_out"}
        Which event.

    Returns
    -------
    UnitTimes
    """
    observed = _observation(data, arms)
    if event == "drop_out":
        return observed
    still = UnitTimes(arms=arms, time=observed.time, cause=np.where(observed.cause == _DIED, _DIED, _ENDED))
    return _long_term_care(data, still) if event == "long_term_care" else _below(data, still, study)


def _observation(data: StudyData, arms: Arms) -> UnitTimes:
    """Give the end of observation: cause 1 where the registration ended, 2 by death, 0 by referral or the data."""
    import pandas as pd

    persons = arms.persons.assign(row=np.arange(len(arms)))
    spells = observation_periods(data, arms.cohort.observed).to_pandas()
    spells[["first_on", "last_on"]] = spells[["first_on", "last_on"]].apply(pd.to_datetime)
    joined = persons[["row", "person_id", "index_on"]].merge(spells, on="person_id")
    holds = (joined["first_on"] <= joined["index_on"]) & (joined["last_on"] >= joined["index_on"])
    left = joined[holds].groupby("row")["last_on"].max().reindex(persons["row"]).to_numpy()
    index, last = persons["index_on"].to_numpy(), persons["last_on"].to_numpy()
    died = (
        persons["died_on"].to_numpy()
        if "died_on" in persons
        else np.full(len(arms), np.datetime64("NaT", "us"))
    )
    end = np.where(np.isnat(left) | (left > last), last, left).astype("datetime64[ns]")
    cause = np.where(end == died, _DIED, np.where(end < last, _EVENT, _ENDED))
    days = (end - index) / np.timedelta64(1, "D")
    return UnitTimes(arms=arms, time=days.astype(np.float64), cause=cause.astype(np.int64))


def _long_term_care(data: StudyData, still: UnitTimes) -> UnitTimes:
    import pandas as pd

    costs = data.tables["costs"]
    lines = costs.filter((costs.payer == "wlz") & (costs.amount > 0))
    first = lines.group_by("person_id").aggregate(first_on=lines.from_on.min()).to_pandas()
    persons = still.arms.persons[["person_id", "index_on"]]
    start = pd.to_datetime(persons.merge(first, on="person_id", how="left")["first_on"]).to_numpy()
    day = (start - persons["index_on"].to_numpy()) / np.timedelta64(1, "D")
    came = np.isfinite(day) & (day <= still.time)
    found = UnitTimes(
        arms=still.arms,
        time=np.where(came, np.maximum(day, 0.0), still.time),
        cause=np.where(came, _EVENT, still.cause),
    )
    return found.where(~(day < 0))


def _below(data: StudyData, still: UnitTimes, study: Study) -> UnitTimes:
    """Count contacts by quarter after the index date of the frequent attenders, and add up four at a time."""
    threshold, rate = _thresholds(still.arms, study.headline.outcomes[0])
    part, own = still.where(rate >= threshold), threshold[rate >= threshold]
    counts = _quarters(data, part, study)
    years = np.cumsum(counts, axis=1)
    years[:, 4:] -= years[:, :-4].copy()
    ends = QUARTER * np.arange(1, counts.shape[1] + 1)
    below = (years * _TO_YEAR < own[:, None]) & (ends >= 4 * QUARTER) & (ends <= part.time[:, None])
    came = below.any(axis=1)
    return UnitTimes(
        arms=part.arms,
        time=np.where(came, ends[below.argmax(axis=1)], part.time),
        cause=np.where(came, _EVENT, part.cause),
    )


def _thresholds(arms: Arms, outcome: str) -> tuple[Floats, Floats]:
    """Give each unit the contacts a year that the top tenth of its age band and sex has, and its own before."""
    cohort = arms.cohort
    wide = wide_outcome(cohort, outcome, ("before",))
    years = wide.years[:, 0]
    rate = np.divide(wide.value[:, 0], years, out=np.zeros_like(years), where=years > 0)
    whole = years > _WHOLE * years.max()
    others = whole & (cohort.persons["arm"] == "comparison").to_numpy()
    seen = others if others.any() else whole
    group = (cohort.persons["age_band"].astype(str) + cohort.persons["sex"].astype(str)).to_numpy()
    limit = np.full(len(rate), np.inf)
    for name in np.unique(group[seen]):
        top = float(np.quantile(rate[seen & (group == name)], 1 - TOP_SHARE))
        limit[group == name] = max(top, 1.0)
    return limit[arms.unit], rate[arms.unit]


def _quarters(data: StudyData, still: UnitTimes, study: Study) -> Floats:
    """Count events of the headline outcome in each quarter of 91 days after the index date, (n, quarters)."""
    number = max(4, int(still.time.max(initial=0.0) // QUARTER))
    persons = still.arms.persons.assign(unit=np.arange(len(still.arms)))
    windows = {str(q): (QUARTER * q + 1, QUARTER * (q + 1)) for q in range(number)}
    events = dated_events(data, study.outcome(study.headline.outcomes[0]))
    found = count_events(events, unit_table(persons), windows).to_pandas()
    counts = np.zeros((len(persons), number))
    counts[found["unit"], found["window"].astype(int)] = found["value"]
    return counts
