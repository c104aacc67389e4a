"""Index dates: the referral for referred persons, drawn entry dates for everybody else.

Comparison persons have no referral, so they are offered entry dates drawn from the referral dates of the
study (rolling entry, risk-set sampling; Witman et al. 2019, doi:10.1111/1475-6773.13086). Who is eligible on
such a date is decided later, by the same rules as for the referred.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wor_eval.errors import DesignError

if TYPE_CHECKING:
    import pandas as pd

_CHUNK = 50_000


def referred_entries(referrals: pd.DataFrame) -> pd.DataFrame:
    """Give each referred person one index date: the first referral.

    Parameters
    ----------
    referrals : DataFrame
        ``person_id, referred_on``, the referrals of the study period.

    Returns
    -------
    DataFrame
        ``person_id, index_on``, one row per person.
    """
    first = referrals.sort_values(["person_id", "referred_on"]).drop_duplicates("person_id")
    return first.rename(columns={"referred_on": "index_on"})[["person_id", "index_on"]].reset_index(drop=True)


def sampled_persons(person_ids: NDArray[np.object_], *, share: float, seed: int) -> NDArray[np.object_]:
    """Draw a random share of persons, each with the same chance, whatever is known of them.

    The referred are not drawn: all of them stay. Because the draw looks at nothing, every comparison person that is
    left stands for the same number of persons, so that rates, matched contrasts and their weights keep their
    meaning; only the choice of matches and the precision get less.

    Parameters
    ----------
    person_ids : (n,) array of str
        Everybody who may serve as a comparison.
    share : float
        Chance of each person, above 0 and up to 1.
    seed : int
        Seed of the draw, which depends on the set of ids and not on their order.

    Returns
    -------
    array of str
        The persons drawn, sorted; all of them for a share of 1.

    Examples
    --------
    >>> everybody = np.array([f"p{number}" for number in range(1000)], dtype=object)
    >>> len(sampled_persons(everybody, share=0.1, seed=1))
    113
    """
    ids = np.sort(np.asarray(person_ids, dtype=object))
    drawn = np.random.default_rng([seed, 1]).random(len(ids)) < share
    return ids[drawn]


def offered_entries(
    person_ids: NDArray[np.object_], referred_on: NDArray[np.datetime64], *, entries: int, seed: int
) -> pd.DataFrame:
    """Offer each person ``entries`` entry dates, drawn from the referral dates of the study.

    A person is offered different calendar months, drawn without replacement with chances proportional to the
    number of referrals in the month; within a month the date of one of its referrals. The draw depends on the
    seed and on the set of person ids, not on the order of the rows.

    Parameters
    ----------
    person_ids : (n,) array of str
        Everybody who may serve as a comparison.
    referred_on : (r,) array of datetime64
        The index dates of the referred.
    entries : int
        Entry dates per person; at most the number of months with a referral is used.
    seed : int
        Seed of the draw.

    Returns
    -------
    DataFrame
        ``person_id, index_on``, ``entries`` rows per person.

    Raises
    ------
    DesignError
        There is no referral to take a date from.
    """
    import pandas as pd

    if len(referred_on) == 0:
        raise DesignError("no referral in the study period, so no entry date can be offered to anybody")
    rng = np.random.default_rng(seed)
    ids = np.sort(np.asarray(person_ids, dtype=object))
    dates = np.sort(referred_on.astype("datetime64[D]"))
    months, first, size = np.unique(dates.astype("datetime64[M]"), return_index=True, return_counts=True)
    entries = min(entries, len(months))
    drawn = [
        _draw_dates(rng, n=len(part), entries=entries, first=first, size=size)
        for part in np.array_split(ids, max(1, -(-len(ids) // _CHUNK)))
    ]
    index_on = dates[np.concatenate(drawn)].ravel()
    return pd.DataFrame({"person_id": np.repeat(ids, entries), "index_on": index_on.astype("datetime64[us]")})


def _draw_dates(
    rng: np.random.Generator, *, n: int, entries: int, first: NDArray[np.intp], size: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Draw positions in the sorted referral dates: (n, entries), each row in different months.

    Months without replacement with chances proportional to size are the ``entries`` largest of log size plus
    Gumbel noise (Efraimidis and Spirakis 2006, doi:10.1016/j.ipl.2005.11.003).
    """
    keys = np.log(size) + rng.gumbel(size=(n, len(size)))
    month = np.sort(np.argpartition(-keys, entries - 1, axis=1)[:, :entries], axis=1)
    within = (rng.random((n, entries)) * size[month]).astype(np.intp)
    return first[month] + within
