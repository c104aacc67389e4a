"""The synthetic study as an export of a GP information system: text with semicolons, dates as dd-mm-yyyy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from wor_eval.data.declared import declared_codes

if TYPE_CHECKING:
    import pandas as pd

_REGISTRATION = "11000"
"""Code of the quarterly registration fee: a declaration, and no contact."""


def write_his(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write patients, registrations, declarations and referrals.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The synthetic tables.
    folder : pathlib.Path
        Where to write.
    """
    import pandas as pd

    persons, spells, referrals = tables["persons"], tables["registrations"], tables["referrals"]
    patients = pd.DataFrame(
        {
            "patientnummer": persons["person_id"],
            "geboortejaar": persons["birth_year"],
            "geboortemaand": persons["birth_month"],
            "geslacht": persons["sex"].map({"M": "M", "F": "V"}),
            "overlijdensdatum": _day(persons["died_on"]),
        }
    )
    registered = pd.DataFrame(
        {
            "patientnummer": spells["person_id"],
            "praktijk": spells["practice_id"],
            "ingeschreven": _day(spells["start_on"]),
            "uitgeschreven": _day(spells["end_on"]),
        }
    )
    referred = pd.DataFrame(
        {"patientnummer": referrals["person_id"], "verwijsdatum": _day(referrals["referred_on"])}
    )
    files = {"patienten": patients, "inschrijvingen": registered, "verwijzingen": referred}
    files["verrichtingen"] = _declarations(tables)
    for name, frame in files.items():
        frame.to_csv(folder / f"{name}.csv", sep=";", index=False, encoding="cp1252", lineterminator="\r\n")


def _declarations(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the declarations, registration fees among them."""
    import pandas as pd

    dated = declared_codes(tables["contacts"])
    frame = pd.DataFrame(
        {
            "patientnummer": dated["person_id"],
            "datum": _day(dated["contact_on"]),
            "prestatiecode": dated["code"],
            "icpc": dated["icpc"],
        }
    )
    fees = pd.DataFrame({"patientnummer": tables["persons"]["person_id"], "datum": "01-01-2020"})
    return pd.concat([frame, fees.assign(prestatiecode=_REGISTRATION, icpc=None)], ignore_index=True)


def _day(days: pd.Series[pd.Timestamp]) -> pd.Series[str]:
    return days.dt.strftime("%d-%m-%Y").fillna("")
