"""Table contacts of the synthetic study: dated GP contacts, with kind and reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wor_eval.data.calibration import Floats, icpc_codes, kinds_of_contact
from wor_eval.data.panel import Panel
from wor_eval.data.people import Ints
from wor_eval.data.synthetic_people import person_ids
from wor_eval.data.timeline import MONTH_START, Days, Timeline, as_dates, random_workday

if TYPE_CHECKING:
    import pandas as pd

VISIT_WEIGHT = ((65, 0.2), (75, 0.8), (85, 2.5), (200, 6.0))
"""Relative frequency of home visits under each age. Free; their share in all contacts is a fact."""

PSYCHOSOCIAL = 0.09
"""Share of contacts with a psychosocial code in a month without an episode. Free."""

PSYCHOSOCIAL_REFERRED = 3.0
"""Factor on that share for persons referred within a year of the contact, before or after. Free."""

NURSE_SHARE = 0.2
"""Share of psychosocial consultations held by the practice's mental health nurse. Free: not in the facts."""

WITHOUT_CODE = 0.08
"""Share of contacts without an ICPC code. Free."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contacts:
    """Dated GP contacts, ordered by person and day.

    Parameters
    ----------
    person : array of int, shape (contacts,)
        Row number of the person in the panel.
    day : array of int, shape (contacts,)
        Day, in days from 1970-01-01.
    """

    person: Ints
    day: Days

    def between(self, person: Ints, start: Days, end: Days) -> Ints:
        """Count the contacts of each person from ``start`` up to and not including ``end``."""
        key = self.person * 100_000 + self.day
        counted: Ints = np.searchsorted(key, person * 100_000 + end) - np.searchsorted(
            key, person * 100_000 + start
        )
        return counted


def draw_contacts(rng: np.random.Generator, panel: Panel, timeline: Timeline) -> Contacts:
    """Spread the counterfactual counts over working days and take away what the effect prevents.

    The effect holds from day 30 after the referral, so these contacts differ from ``panel.counts`` (where it
    holds from the month after) in the referred, after the referral; before it they are the same.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    panel : Panel
        Counts and effects.
    timeline : Timeline
        Days of referral and death.

    Returns
    -------
    Contacts
        None before the registration, or after it or after death.
    """
    person, month = np.nonzero(panel.counterfactual)
    repeats = panel.counterfactual[person, month]
    person, month = np.repeat(person, repeats), np.repeat(month, repeats)
    day = random_workday(rng, month)
    order = np.argsort(person * 100_000 + day, kind="stable")
    person, day = person[order], day[order]
    ratio = np.where(panel.older(), panel.effects["65+"], panel.effects["18-64"])
    kept = 1 - timeline.share_after(person, day, day) * (1 - ratio[person])
    stays = (rng.random(person.size) < kept) & (day <= timeline.last[person])
    return Contacts(person=person[stays], day=day[stays])


def contact_table(
    rng: np.random.Generator, panel: Panel, contacts: Contacts, timeline: Timeline
) -> pd.DataFrame:
    """Build the table contacts without the self-reported counts.

    The share of each kind in all contacts is a fact (Nivel, 2017); that visits are for the old, how many
    contacts are psychosocial and which code they have is free.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    panel : Panel
        Ages and episodes.
    contacts : Contacts
        The dated contacts.
    timeline : Timeline
        Days of referral.

    Returns
    -------
    DataFrame
        Table contacts; ``n_contacts`` is 1 and ``recall_days`` empty.
    """
    import pandas as pd

    month = np.searchsorted(MONTH_START, contacts.day, side="right") - 1
    psychosocial = _psychosocial(rng, panel, contacts, month=month, timeline=timeline)
    kind = _kinds(rng, (month - panel.birth[contacts.person]) // 12)
    names = np.array([*kinds_of_contact()[0], "mental_health_nurse"], dtype=object)
    consult = np.isin(kind, np.flatnonzero(np.isin(names, ("consult_short", "consult_long"))))
    kind[psychosocial & consult & (rng.random(kind.size) < NURSE_SHARE)] = names.size - 1
    return pd.DataFrame(
        {
            "person_id": person_ids(panel)[contacts.person],
            "contact_on": as_dates(contacts.day),
            "kind": names[kind],
            "icpc": _icpc(rng, psychosocial),
            "n_contacts": np.ones(contacts.day.size, dtype=np.int64),
            "recall_days": pd.arrays.IntegerArray(  # all empty
                np.ones(contacts.day.size, dtype=np.int64), np.ones(contacts.day.size, dtype=np.bool_)
            ),
        }
    )


def _kinds(rng: np.random.Generator, age: Ints) -> Ints:
    """Draw the kind of each contact: visits by age, the shares of all kinds over all contacts as published."""
    kinds, shares = kinds_of_contact()
    visit = np.array([kind.startswith("visit") for kind in kinds])
    group = np.searchsorted([limit for limit, _ in VISIT_WEIGHT], age, side="right")
    weight = np.array([factor for _, factor in VISIT_WEIGHT])
    size = np.bincount(group, minlength=weight.size)
    chance = np.minimum(shares[visit].sum() * weight / ((weight * size).sum() / size.sum()), 0.9)
    by_group = np.where(
        visit,
        shares / shares[visit].sum() * chance[:, None],
        shares / shares[~visit].sum() * (1 - chance[:, None]),
    )
    limits = np.cumsum(by_group, axis=1)[:, :-1]
    drawn: Ints = (rng.random(age.size)[:, None] >= limits[group]).sum(axis=1)
    return drawn


def _psychosocial(
    rng: np.random.Generator, panel: Panel, contacts: Contacts, *, month: Ints, timeline: Timeline
) -> npt.NDArray[np.bool_]:
    """Tell which contacts are psychosocial: more in an episode, and within a year of a referral."""
    near = np.abs(contacts.day - timeline.referred[contacts.person]) <= 365
    share: Floats = PSYCHOSOCIAL * np.sqrt(panel.episode[contacts.person, month].astype(float))
    share = np.where(near & panel.referred[contacts.person], PSYCHOSOCIAL_REFERRED * share, share)
    return rng.random(share.size) < np.minimum(share, 0.8)


def _icpc(rng: np.random.Generator, psychosocial: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
    social = np.array(icpc_codes("psychosocial"), dtype=object)
    somatic = np.array(icpc_codes("somatic"), dtype=object)
    n = psychosocial.size
    code = np.where(
        psychosocial, social[rng.integers(0, social.size, n)], somatic[rng.integers(0, somatic.size, n)]
    )
    code[rng.random(n) < WITHOUT_CODE] = None
    return code
