"""Contacts of the synthetic study as declarations of the GP, with the codes of the day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

BREAK = date(2019, 1, 1)
"""First day on which telephone and e-mail have no code of their own."""

_BEFORE = {
    "consult_short": "12000", "consult_long": "12001", "visit_short": "12002", "visit_long": "12003",
    "telephone": "12004", "email": "12007", "mental_health_nurse": "12111", "other": "12000",
}  # fmt: skip
_SINCE = _BEFORE | {"consult_short": "12011", "telephone": "12010", "email": "12010", "other": "12010"}


def declared_codes(contacts: pd.DataFrame) -> pd.DataFrame:
    """Return the dated contacts, a row for each, with ``code``, the code by which the GP declares it.

    Parameters
    ----------
    contacts : DataFrame
        Table contacts of the synthetic study.

    Returns
    -------
    DataFrame
        ``person_id, contact_on, icpc, code``. Counts by recall are left out: nobody declares those. A contact of
        another kind is declared as the shortest consultation.
    """
    dated = contacts[contacts["recall_days"].isna()]
    dated = dated.loc[dated.index.repeat(dated["n_contacts"])].reset_index(drop=True)
    since = dated["contact_on"].dt.date >= BREAK
    code = dated["kind"].map(_SINCE).where(since, dated["kind"].map(_BEFORE))
    return dated.assign(code=code)[["person_id", "contact_on", "icpc", "code"]]
