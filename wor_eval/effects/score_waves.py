"""Scores of the units of a design by wave: before, between and after, with deaths and answers not yet due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from wor_eval.cohort.as_planned import planned_instrument
from wor_eval.cohort.instruments import Instrument
from wor_eval.cohort.measures import scored_answers
from wor_eval.cohort.wide import Floats, wide_outcome
from wor_eval.effects.arms import Arms
from wor_eval.study import Days, Study

if TYPE_CHECKING:
    from wor_eval.data.read import StudyData

Bools = NDArray[np.bool_]
WAVES: Final = ("before", "between", "after")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreWaves:
    """Scores of n units in three waves, and every answer behind them.

    Attributes
    ----------
    arms : Arms
        The n units.
    score : ndarray, shape (n, 3)
        Last score before, between the windows, and after; NaN without one.
    died : ndarray of bool, shape (n, 3)
        Died before the end of the wave without an answer in it: such an answer is not missing.
    asked : ndarray of bool, shape (n,)
        Units whose answers can be missing: the referred, and comparison persons who ever answered (the panel);
        without those whose observation ends before the last wave does.
    known : ndarray, shape (n, k)
        What is known of everybody: ``known_names``.
    answer_unit, answer_wave, answer_score : ndarray, shape (a,)
        All answers: whose (position among the n units), wave 0 to 2, score.
    instrument : Instrument
        Range, direction and smallest relevant change.
    """

    arms: Arms
    score: Floats
    died: Bools
    asked: Bools
    known: Floats
    known_names: tuple[str, ...]
    answer_unit: NDArray[np.int64]
    answer_wave: NDArray[np.int64]
    answer_score: Floats
    instrument: Instrument

    def where(self, chosen: Bools) -> ScoreWaves:
        """Keep some of the units."""
        place = np.cumsum(chosen) - 1
        answers = chosen[self.answer_unit]
        return ScoreWaves(
            arms=self.arms.where(chosen),
            score=self.score[chosen],
            died=self.died[chosen],
            asked=self.asked[chosen],
            known=self.known[chosen],
            known_names=self.known_names,
            answer_unit=place[self.answer_unit[answers]],
            answer_wave=self.answer_wave[answers],
            answer_score=self.answer_score[answers],
            instrument=self.instrument,
        )

    def bands(self, study: Study) -> list[tuple[str, ScoreWaves]]:
        """Give each age band of the plan, and all ages together."""
        band = self.arms.persons["age_band"].to_numpy()
        return [
            (name, self if name == "all" else self.where(band == name)) for name, _ in self.arms.bands(study)
        ]


def score_waves(data: StudyData, arms: Arms, study: Study, *, outcome: str) -> ScoreWaves:
    """Take the scores of the units of a design by wave.

    Parameters
    ----------
    data : StudyData
        The raw tables.
    arms : Arms
        The units.
    study : Study
        The plan.
    outcome : str
        An outcome with measure ``mean_score``.

    Returns
    -------
    ScoreWaves
    """
    plan = study.outcome(outcome)
    windows = plan.windows or study.windows.named()
    days = wave_days(windows["before"], windows["after"])
    persons = arms.persons.assign(unit=np.arange(len(arms)))
    answers = scored_answers(data, persons, plan)
    day, unit = answers["day"].to_numpy(), answers["unit"].to_numpy()
    wave = np.full(day.size, -1)
    for number, (first, last) in enumerate(days):
        wave[(day >= first) & (day <= last)] = number
    inside = wave >= 0
    score = np.full((len(arms), len(WAVES)), np.nan)
    # The answers are in order of time: the last one of a wave stays.
    score[unit[inside], wave[inside]] = answers["value"].to_numpy()[inside]
    died, due = _followed(persons, score, days)
    panel = np.bincount(unit, minlength=len(arms)) > 0
    known, names = _known(arms, study)
    return ScoreWaves(
        arms=arms,
        score=score,
        died=died,
        asked=due & (arms.referred | panel),
        known=known,
        known_names=names,
        answer_unit=unit[inside],
        answer_wave=wave[inside],
        answer_score=answers["value"].to_numpy(float)[inside],
        instrument=planned_instrument(plan),
    )


def wave_days(before: Days, after: Days) -> tuple[Days, Days, Days]:
    """Give the days of the three waves: the two windows, and what lies between them.

    Examples
    --------
    >>> wave_days((-182, 14), (182, 400))
    ((-182, 14), (15, 181), (182, 400))
    """
    return before, (before[1] + 1, after[0] - 1), after


def _followed(persons: Any, score: Floats, days: tuple[Days, ...]) -> tuple[Bools, Bools]:
    """Tell who died before each wave was over, and whose answer in the last wave was due."""
    end = (persons["last_on"] - persons["index_on"]).dt.days.to_numpy(float)
    death = np.full(len(end), np.nan)
    if "died_on" in persons:
        death = (persons["died_on"] - persons["index_on"]).dt.days.to_numpy(float)
    last = np.array([last for _, last in days], dtype=float)
    answered = np.isfinite(score)
    died = (death[:, None] <= last) & ~answered
    died = np.logical_or.accumulate(died, axis=1) & ~answered
    due = answered[:, -1] | died[:, -1] | (end >= last[-1])
    return died, due


def _known(arms: Arms, study: Study) -> tuple[Floats, tuple[str, ...]]:
    """Give age, sex, conditions and the headline outcome before, which belong in an imputation."""
    persons = arms.persons
    columns = {"age": persons["age"].to_numpy(float), "woman": (persons["sex"] == "F").to_numpy(float)}
    if "n_chronic" in persons and persons["n_chronic"].notna().all():
        columns["n_chronic"] = persons["n_chronic"].to_numpy(float)
    wide = wide_outcome(arms.cohort, study.headline.outcomes[0], ("before",))
    value, years = wide.value[arms.unit, 0], wide.years[arms.unit, 0]
    columns["headline_before"] = np.divide(value, years, out=np.zeros(len(arms)), where=years > 0)
    varies = {name: column for name, column in columns.items() if column.std() > 0}
    return np.column_stack(list(varies.values())), tuple(varies)
