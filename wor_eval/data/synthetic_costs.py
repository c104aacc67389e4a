"""Table costs of the synthetic study: dated claim lines by payer, calibrated to insured-care costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wor_eval.data.calibration import OLDEST, Floats, zvw_costs
from wor_eval.data.panel import Panel
from wor_eval.data.people import MONTHS, Ints
from wor_eval.data.synthetic_people import delivers_wmo, municipality_of, person_ids
from wor_eval.data.timeline import MONTH_START, Days, Timeline, as_dates, random_day

if TYPE_CHECKING:
    import pandas as pd

PRICE_YEAR = 2023
"""All amounts are at prices of 2023, the year of the facts, whatever the day of the line."""

ZVW_CATEGORIES = ("hospital", "medication", "mental_health", "paramedical", "district_nursing")

_AGES = np.array([18.0, 45.0, 65.0, 85.0])
_LINES = np.array([1.1, 1.4, 2.2, 3.0])
_LINE_SHARES = np.array(
    [
        [0.30, 0.40, 0.12, 0.18, 0.00],
        [0.32, 0.42, 0.08, 0.17, 0.01],
        [0.35, 0.42, 0.03, 0.17, 0.03],
        [0.32, 0.38, 0.02, 0.13, 0.15],
    ]
)
_RELATIVE_AMOUNT = np.array([4.0, 0.5, 3.0, 0.4, 3.0])
"""Yearly lines, their shares by category and their relative amounts, by age. Free: only the total is a fact."""

AMOUNT_SD = 1.0
"""Standard deviation of the log of the amount of a line. Free, with PERSON_SD set for the heavy tail."""

PERSON_SD = 1.0
"""Standard deviation of the log of a person's own level of amounts. Free."""

LEVEL_WEIGHT, EPISODE_WEIGHT = 0.6, 0.4
"""Weights of the permanent level and of the episode in the number of lines; the rest is constant. Free."""

WMO_USERS, WMO_MONTHLY = ((65, 0.01), (75, 0.05), (85, 0.15), (200, 0.30)), 350.0
WLZ_USERS, WLZ_MONTHLY = ((65, 0.002), (75, 0.01), (85, 0.05), (200, 0.15)), 5000.0
"""Share of users at the start under each age, and EUR a month. Free: no facts."""

OWN_LINES, OWN_MEAN = 0.15, 120.0
"""Yearly lines that the person pays, and their mean in EUR. Free."""

BILLED_TWICE = 0.004
"""Share of insurer lines that are billed twice and credited once, which leaves all sums as they are. Free."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lines:
    """Cost lines of one kind, one element per line: who, from when until when, what and how much (EUR)."""

    person: Ints
    start: Days
    end: Days
    category: npt.NDArray[np.object_]
    payer: str
    amount: Floats


def cost_table(
    rng: np.random.Generator, panel: Panel, timeline: Timeline, *, ratio: tuple[float, float]
) -> pd.DataFrame:
    """Build the table costs.

    Facts: the yearly mean of the insurer's lines (payer zvw) by age and sex is that of Vektis 2023. GP care is
    inside that mean and has no lines of its own. Free: everything else, as stated beside each constant; Wmo,
    Wlz and own payments have no facts behind them. Lines exist while a person is registered.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    panel : Panel
        Persons, levels and episodes.
    timeline : Timeline
        First and last days and referrals.
    ratio : tuple of float
        True ratio of the insurer's costs from day 30 after referral, at 18-64 and at 65+.

    Returns
    -------
    DataFrame
        Table costs at prices of 2023, ordered by person and day. No Wmo lines for persons of municipalities
        that do not deliver them.
    """
    zvw = _billed_twice(rng, _with_effect(_insurer(rng, panel, timeline), panel, timeline, ratio), timeline)
    delivered = delivers_wmo()[municipality_of(panel)]
    wmo = _support(rng, panel, timeline, users=np.where(delivered, _by_age(panel, WMO_USERS), 0.0))
    wlz = _long_term(rng, panel, timeline)
    return _frame((zvw, wmo, wlz, _own(rng, panel, timeline)), panel)


def zvw_lines(panel: Panel) -> Floats:
    """Give the expected number of insurer lines of each person and month without any referral, (n, 72)."""
    age = (np.arange(MONTHS) - panel.birth[:, None]) / 12
    level = 1 - LEVEL_WEIGHT + LEVEL_WEIGHT * panel.level
    episode = 1 - EPISODE_WEIGHT + EPISODE_WEIGHT * panel.episode
    expected: Floats = np.interp(age, _AGES, _LINES) / 12 * level[:, None] * episode * panel.registered()
    return expected


def _insurer(rng: np.random.Generator, panel: Panel, timeline: Timeline) -> Lines:
    """Draw lines whose yearly sum has the published mean: mean lines x mean amount, all other factors mean 1."""
    repeats = rng.poisson(zvw_lines(panel))
    person, month = np.nonzero(repeats)
    person, month = np.repeat(person, repeats[person, month]), np.repeat(month, repeats[person, month])
    start = random_day(rng, month)
    alive = start <= timeline.last[person]
    person, month, start = person[alive], month[alive], start[alive]
    age = np.clip((month - panel.birth[person]) // 12, 0, OLDEST)
    shares = np.stack([np.interp(np.arange(OLDEST + 1), _AGES, share) for share in _LINE_SHARES.T], axis=1)
    limits = np.cumsum(shares, axis=1)[:, :-1]
    category = (rng.random(age.size)[:, None] >= limits[age]).sum(axis=1)
    line_mean = zvw_costs()[age, panel.female[person]] / np.interp(
        (month - panel.birth[person]) / 12, _AGES, _LINES
    )
    relative = _RELATIVE_AMOUNT[category] / (shares @ _RELATIVE_AMOUNT)[age]
    own = _log_normal(rng, panel.n, PERSON_SD)
    amount = line_mean * relative * own[person] * _log_normal(rng, person.size, AMOUNT_SD)
    long = category == ZVW_CATEGORIES.index("district_nursing")
    end = np.where(long, np.minimum(start + 27, timeline.last[person]), start)
    names = np.array(ZVW_CATEGORIES, dtype=object)
    return Lines(person=person, start=start, end=end, category=names[category], payer="zvw", amount=amount)


def _with_effect(lines: Lines, panel: Panel, timeline: Timeline, ratio: tuple[float, float]) -> Lines:
    """Multiply by the true ratio what falls on days with the effect."""
    effect = np.where(panel.older(), ratio[1], ratio[0])[lines.person]
    share = timeline.share_after(lines.person, lines.start, lines.end)
    return _replaced(lines, slice(None), amount=lines.amount * (1 - share * (1 - effect)))


def _billed_twice(rng: np.random.Generator, lines: Lines, timeline: Timeline) -> Lines:
    """Add a second bill to some lines, and the credit line that takes it back within 60 days."""
    twice = np.flatnonzero(rng.random(lines.person.size) < BILLED_TWICE)
    bill = _replaced(lines, twice, amount=lines.amount[twice])
    day = np.minimum(
        bill.end + rng.integers(1, 61, twice.size), np.maximum(timeline.last[bill.person], bill.end)
    )
    credit = Lines(
        person=bill.person, start=day, end=day, category=bill.category, payer=bill.payer, amount=-bill.amount
    )
    return _joined((lines, bill, credit))


def _support(rng: np.random.Generator, panel: Panel, timeline: Timeline, *, users: Floats) -> Lines:
    """Draw Wmo support: periods of 3 to 24 months from a random month, one line per three months."""
    person = np.flatnonzero(rng.random(panel.n) < users)
    first = rng.integers(0, MONTHS - 2, person.size)
    quarters = rng.integers(1, 9, person.size)
    level = WMO_MONTHLY * _log_normal(rng, person.size, 0.6)
    row = np.repeat(np.arange(person.size), quarters)
    number = np.arange(row.size) - np.repeat(np.cumsum(quarters) - quarters, quarters)
    return _monthly(
        person[row],
        first[row] + 3 * number,
        timeline,
        months=3,
        monthly=level[row],
        kind=("wmo_support", "wmo"),
    )


def _long_term(rng: np.random.Generator, panel: Panel, timeline: Timeline) -> Lines:
    """Draw Wlz care: from an admission, more often at a high permanent level, to the end; one line a month."""
    users = np.minimum(_by_age(panel, WLZ_USERS) * (0.5 + 0.5 * panel.level), 0.9)
    person = np.flatnonzero(rng.random(panel.n) < users)
    admission = rng.integers(0, MONTHS, person.size)
    level = WLZ_MONTHLY * _log_normal(rng, person.size, 0.3)
    row = np.repeat(np.arange(person.size), MONTHS - admission)
    month = np.concatenate([np.arange(first, MONTHS) for first in admission] or [np.empty(0, dtype=np.int64)])
    return _monthly(person[row], month, timeline, months=1, monthly=level[row], kind=("wlz_care", "wlz"))


def _monthly(
    person: Ints, month: Ints, timeline: Timeline, *, months: int, monthly: Floats, kind: tuple[str, str]
) -> Lines:
    """Build lines of whole months, cut off with their amount at the first and last day of the person."""
    month, after = np.minimum(month, MONTHS), np.minimum(month + months, MONTHS)
    start = np.maximum(MONTH_START[month], timeline.first[person])
    end = np.minimum(MONTH_START[after] - 1, timeline.last[person])
    days = np.maximum(end - start + 1, 0)
    amount = monthly * 12 / 365.25 * days
    category = np.full(person.size, kind[0], dtype=object)
    lines = Lines(person=person, start=start, end=end, category=category, payer=kind[1], amount=amount)
    return _replaced(lines, days > 0, amount=amount[days > 0])


def _own(rng: np.random.Generator, panel: Panel, timeline: Timeline) -> Lines:
    person, month = np.nonzero(rng.random((panel.n, MONTHS)) < OWN_LINES / 12 * panel.registered())
    day = random_day(rng, month)
    amount = OWN_MEAN * _log_normal(rng, person.size, 0.7)
    category = np.full(person.size, "other", dtype=object)
    lines = Lines(person=person, start=day, end=day, category=category, payer="own", amount=amount)
    alive = day <= timeline.last[person]
    return _replaced(lines, alive, amount=amount[alive])


def _by_age(panel: Panel, table: tuple[tuple[int, float], ...]) -> Floats:
    """Look up a share by age in the middle of the panel."""
    group = np.searchsorted([limit for limit, _ in table], panel.age(MONTHS // 2), side="right")
    share: Floats = np.array([value for _, value in table])[np.minimum(group, len(table) - 1)]
    return share


def _log_normal(rng: np.random.Generator, size: int, sd: float) -> Floats:
    """Draw log-normal factors with mean 1."""
    return np.exp(sd * rng.standard_normal(size) - sd**2 / 2)


def _replaced(lines: Lines, rows: slice | npt.NDArray[np.integer | np.bool_], *, amount: Floats) -> Lines:
    """Take some rows, with other amounts."""
    return Lines(
        person=lines.person[rows],
        start=lines.start[rows],
        end=lines.end[rows],
        category=lines.category[rows],
        payer=lines.payer,
        amount=amount,
    )


def _joined(parts: tuple[Lines, ...]) -> Lines:
    return Lines(
        person=np.concatenate([part.person for part in parts]),
        start=np.concatenate([part.start for part in parts]),
        end=np.concatenate([part.end for part in parts]),
        category=np.concatenate([part.category for part in parts]),
        payer=parts[0].payer,
        amount=np.concatenate([part.amount for part in parts]),
    )


def _frame(parts: tuple[Lines, ...], panel: Panel) -> pd.DataFrame:
    import pandas as pd

    lines = _joined(parts)
    payer = np.concatenate([np.full(part.person.size, part.payer, dtype=object) for part in parts])
    order = np.lexsort((lines.end, lines.start, lines.person))
    return (
        pd.DataFrame(
            {
                "person_id": person_ids(panel)[lines.person],
                "from_on": as_dates(lines.start),
                "to_on": as_dates(lines.end, present=lines.end > lines.start),
                "category": lines.category,
                "payer": payer,
                "amount": np.round(lines.amount, 2),
                "price_year": np.full(lines.person.size, PRICE_YEAR, dtype=np.int64),
            }
        )
        .iloc[order]
        .reset_index(drop=True)
    )
