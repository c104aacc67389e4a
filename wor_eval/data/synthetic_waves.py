"""Table questionnaires of the synthetic study: well-being and health of the referred and of a population panel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wor_eval.data.calibration import EPISODE_SD
from wor_eval.data.panel import Panel
from wor_eval.data.people import MONTHS, Bools, Floats, Ints
from wor_eval.data.synthetic_contacts import Contacts
from wor_eval.data.synthetic_items import eq5d5l_items, eq5d5l_value, swemwbs_items, whole_numbers
from wor_eval.data.synthetic_people import person_ids
from wor_eval.data.timeline import MONTH_START, Days, Timeline, as_dates, random_day

if TYPE_CHECKING:
    import pandas as pd

WAVES = (("baseline", 0), ("month_3", 91), ("month_6", 183), ("month_12", 365))
"""Waves of the referred, and the day after referral from which each is asked."""

LOST = (0.0, 0.12, 0.21, 0.31)
"""Share of the baseline answers not followed at each wave, besides deaths and moves. Free ("about a third")."""

ANSWERS_BASELINE, ANSWERS_PANEL = 0.9, 0.85
PANEL_SHARE, PANEL_MONTHS = 0.15, range(2, MONTHS, 6)
"""Share of the never referred adults in the population panel, asked every six months. Free."""

MEAN, PERSON_SD, STATE_SD, STATE_MEMORY, NOISE_SD = 22.5, 2.5, 2.2, 0.85, 1.0
"""Well-being in SWEMWBS points: population mean, SD between persons, SD and monthly memory of the state, SD of
the moment. Free, set so that the referred start near 18-19, as published programmes do."""

REFERRED_DIP, LEVEL_SLOPE, EPISODE_SLOPE = 3.0, 1.0, 0.6
"""How much lower the state is at the referral, per log of the permanent level, per SD of the episode. Free."""

CANTRIL_MEAN, CANTRIL_PER_POINT = 7.2, 0.25
"""Cantril ladder at the mean well-being, and steps per SWEMWBS point. Free."""

RECALL_DAYS = 91
FORGOTTEN = 0.1
"""Share of contacts not remembered; as many are imagined, so that the recalled mean is right. Free."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """Questionnaires answered: one element per person and day.

    Parameters
    ----------
    person, day : array of int
        Row number in the panel, and day from 1970-01-01.
    wave : array of str
        Code of the wave.
    wellbeing : array of float
        Latent well-being in SWEMWBS points without any effect.
    gain : array of float
        True effect at that moment, in SWEMWBS points.
    """

    person: Ints
    day: Days
    wave: npt.NDArray[np.object_]
    wellbeing: Floats
    gain: Floats


def draw_answers(
    rng: np.random.Generator, panel: Panel, timeline: Timeline, *, gain: tuple[float, float]
) -> Answers:
    """Draw who answers when, and the latent well-being at that moment.

    The state at referral is low and returns to the mean with time, with or without an effect. Who is lost
    depends on the well-being at the start, on age and on sex, so it is missing at random given these.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    panel : Panel
        Levels, episodes and referrals.
    timeline : Timeline
        Days of referral, leaving and death; nobody answers outside a registration.
    gain : tuple of float
        True effect in SWEMWBS points at every wave after baseline, at 18-64 and at 65+.

    Returns
    -------
    Answers
        Of the referred at up to four waves, and of the population panel every six months.
    """
    trait = MEAN + PERSON_SD * rng.standard_normal(panel.n) - LEVEL_SLOPE * np.log(panel.level)
    referred = _referred(rng, panel, timeline, trait=trait, gain=gain)
    others = _population(rng, panel, timeline, trait=trait)
    return Answers(
        person=np.concatenate((referred.person, others.person)),
        day=np.concatenate((referred.day, others.day)),
        wave=np.concatenate((referred.wave, others.wave)),
        wellbeing=np.concatenate((referred.wellbeing, others.wellbeing)),
        gain=np.concatenate((referred.gain, others.gain)),
    )


def _referred(
    rng: np.random.Generator, panel: Panel, timeline: Timeline, *, trait: Floats, gain: tuple[float, float]
) -> Answers:
    """Draw four waves; a row of each (4, n) array is a wave."""
    person = np.flatnonzero(panel.referred & (rng.random(panel.n) < ANSWERS_BASELINE))
    after = np.array([day for _, day in WAVES])[:, None]
    day = timeline.referred[person] + after + (after > 0) * rng.integers(0, 15, (len(WAVES), person.size))
    state = _states(rng, person.size, gaps=(3, 3, 6), start=-REFERRED_DIP)
    wellbeing = trait[person] + state + _moment(rng, panel, person, day)
    answered = _followed(rng, panel, person, wellbeing[0]) & (day <= timeline.last[person])
    answered &= np.logical_and.accumulate(answered, axis=0)
    effect = np.where(panel.older()[person], gain[1], gain[0]) * (after > 0)
    wave = np.array([[name] for name, _ in WAVES], dtype=object)
    return Answers(
        person=np.broadcast_to(person, day.shape)[answered],
        day=day[answered],
        wave=np.broadcast_to(wave, day.shape)[answered],
        wellbeing=wellbeing[answered],
        gain=effect[answered],
    )


def _population(rng: np.random.Generator, panel: Panel, timeline: Timeline, *, trait: Floats) -> Answers:
    """Draw the population panel: a row of each (12, n) array is a half-year."""
    person = np.flatnonzero(~panel.referred & (rng.random(panel.n) < PANEL_SHARE))
    month = np.array(PANEL_MONTHS)[:, None]
    day = random_day(rng, np.repeat(month.ravel(), person.size)).reshape(month.size, person.size)
    state = _states(rng, person.size, gaps=(6,) * (month.size - 1), start=0.0)
    wellbeing = trait[person] + state + _moment(rng, panel, person, day)
    answered = (rng.random(day.shape) < ANSWERS_PANEL) & ((month - panel.birth[person]) // 12 >= 18)
    answered &= (day >= timeline.first[person]) & (day <= timeline.last[person])
    return Answers(
        person=np.broadcast_to(person, day.shape)[answered],
        day=day[answered],
        wave=np.full(answered.sum(), "panel", dtype=object),
        wellbeing=wellbeing[answered],
        gain=np.zeros(answered.sum()),
    )


def _states(rng: np.random.Generator, persons: int, *, gaps: tuple[int, ...], start: float) -> Floats:
    """Draw the state at moments ``gaps`` months apart, an AR(1) whose first mean is ``start``."""
    states = [start + STATE_SD * rng.standard_normal(persons)]
    for gap in gaps:
        memory = STATE_MEMORY**gap
        fresh = STATE_SD * np.sqrt(1 - memory**2) * rng.standard_normal(persons)
        states.append(memory * states[-1] + fresh)
    return np.stack(states)


def _moment(rng: np.random.Generator, panel: Panel, person: Ints, day: Days) -> Floats:
    """Give what the episode of the month takes away, and the noise of the moment."""
    month = np.minimum(np.searchsorted(MONTH_START, day, side="right") - 1, MONTHS - 1)
    episode = np.log(panel.episode[person, month].astype(float)) / EPISODE_SD + EPISODE_SD / 2
    moment: Floats = NOISE_SD * rng.standard_normal(day.shape) - EPISODE_SLOPE * episode
    return moment


def _followed(rng: np.random.Generator, panel: Panel, person: Ints, baseline: Floats) -> Bools:
    """Tell who still answers at each wave, shape (4, n): the low, the young and men are lost more."""
    young = panel.age(panel.referral_month)[person] < 65
    risk = -0.15 * (baseline - baseline.mean()) + 0.4 * young - 0.2 * panel.female[person]
    risk = risk + rng.logistic(size=person.size)
    followed: Bools = risk <= np.quantile(risk, 1 - np.array(LOST))[:, None]
    return followed


def questionnaire_table(
    rng: np.random.Generator, panel: Panel, answers: Answers
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Build the table questionnaires, and the true effect on EQ-5D-5L.

    SWEMWBS and EQ-5D-5L are given as answers by item, the Cantril ladder as a score. The SWEMWBS items are
    drawn so that the expected metric score (conversion of Stewart-Brown et al. 2009, a fact) is the latent
    well-being. The effect on EQ-5D-5L follows from the one on well-being through free parameters, and is
    computed with the Dutch value set (Versteegh et al. 2016, a fact) from what each referred person would have
    answered with and without it.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    panel : Panel
        Ages and chronic conditions.
    answers : Answers
        Who answered when.

    Returns
    -------
    table : DataFrame
        Table questionnaires, ordered by person, day and instrument.
    eq5d5l : dict of float
        Mean effect on the EQ-5D-5L value at month 12, by age band (0 if nobody of the band answered).
    """
    import pandas as pd

    score = answers.wellbeing + answers.gain
    swemwbs = swemwbs_items(rng, score)
    age = panel.age(0)[answers.person]
    profiles = eq5d5l_items(
        rng, np.stack((score, answers.wellbeing)) - MEAN, age=age, chronic=panel.n_chronic[answers.person]
    )
    cantril = whole_numbers(rng, CANTRIL_MEAN + CANTRIL_PER_POINT * (score - MEAN), low=0, high=10)
    empty = np.full(score.size, np.nan)
    parts = {
        "cantril": (cantril, np.full(score.size, None, dtype=object)),
        "eq5d5l": (empty, _text(rng, profiles[0])),
        "swemwbs": (empty, _text(rng, swemwbs)),
    }
    base = {"person_id": person_ids(panel)[answers.person], "answered_on": as_dates(answers.day)}
    frames = [
        pd.DataFrame({**base, "wave": answers.wave, "instrument": name, "score": value, "items": items})
        for name, (value, items) in parts.items()
    ]
    rows = np.concatenate([np.lexsort((answers.day, answers.person))] * 3)
    place = np.concatenate([np.arange(score.size)] * 3) * 3 + np.repeat(np.arange(3), score.size)
    rows = rows + np.repeat(np.arange(3), score.size) * score.size
    table = pd.concat(frames, ignore_index=True).iloc[rows[np.argsort(place)]].reset_index(drop=True)
    return table, _eq5d5l_effect(panel, answers, profiles)


def _eq5d5l_effect(panel: Panel, answers: Answers, profiles: Ints) -> dict[str, float]:
    difference = eq5d5l_value(profiles[0]) - eq5d5l_value(profiles[1])
    last = answers.wave == "month_12"
    older = panel.older()[answers.person]
    return {
        band: float(difference[last & rows].mean()) if (last & rows).any() else 0.0
        for band, rows in (("18-64", ~older), ("65+", older))
    }


def _text(rng: np.random.Generator, items: Ints) -> npt.NDArray[np.object_]:
    """Write answers as text, 1 in 300 as not answered."""
    signs = np.full((items.shape[0], 2 * items.shape[1] - 1), ord(" "), dtype=np.uint8)
    signs[:, ::2] = np.where(rng.random(items.shape) < 1 / 300, ord("."), items + ord("0"))
    return signs.view(f"S{signs.shape[1]}").ravel().astype(f"U{signs.shape[1]}").astype(object)


def recall_table(
    rng: np.random.Generator, panel: Panel, timeline: Timeline, *, answers: Answers, contacts: Contacts
) -> pd.DataFrame:
    """Build the rows of table contacts with self-reported counts of the referred, over the last 91 days.

    The recalled mean is that of the dated contacts (free: :data:`FORGOTTEN`). Counts over days before the
    registration are left out.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    panel : Panel
        The persons.
    timeline : Timeline
        First days.
    answers : Answers
        Who answered when.
    contacts : Contacts
        The dated contacts.

    Returns
    -------
    DataFrame
        Rows of table contacts with ``recall_days`` 91 and kind ``other``.
    """
    import pandas as pd

    asked = (answers.wave != "panel") & (answers.day - RECALL_DAYS >= timeline.first[answers.person])
    person, day = answers.person[asked], answers.day[asked]
    true = contacts.between(person, day - RECALL_DAYS, day)
    said = rng.binomial(true, 1 - FORGOTTEN) + rng.poisson(FORGOTTEN * true)
    return pd.DataFrame(
        {
            "person_id": person_ids(panel)[person],
            "contact_on": as_dates(day),
            "kind": "other",
            "icpc": np.full(person.size, None, dtype=object),
            "n_contacts": said.astype(np.int64),
            "recall_days": pd.array(np.full(person.size, RECALL_DAYS), dtype="Int64"),
        }
    )
