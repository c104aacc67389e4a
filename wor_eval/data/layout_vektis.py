"""The synthetic study as Vektis open data: costs by year, age and sex. A row is a group of people, not a person."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

YEARS = (2019, 2022)
_SINCE_2022 = 2022
_OLDEST = 90
_COLUMNS = {
    "hospital": "kosten_medisch_specialistische_zorg", "medication": "kosten_farmacie",
    "paramedical": "kosten_paramedische_zorg_fysiotherapie", "district_nursing": "kosten_verpleging_en_verzorging",
    "other": "kosten_overig",
}  # fmt: skip
_CUT_OFF = {
    "kosten_medisch_specialistische_zorg": "kosten_medisch_specialistische_z",
    "kosten_paramedische_zorg_fysiotherapie": "kosten_paramedische_zorg_fysioth",
}
"""Names as the files of some years have them."""


def write_vektis(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write a file for a year before and one since the change of mental health care in 2022.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The synthetic tables.
    folder : pathlib.Path
        Where to write.
    """
    for year in YEARS:
        frame = _groups(tables, year)
        if year < _SINCE_2022:
            frame = frame.rename(columns=_CUT_OFF).rename(columns=str.upper)
        frame.to_csv(folder / f"vektis_{year}.csv", sep=";", decimal=",", index=False, lineterminator="\n")


def _groups(tables: Mapping[str, pd.DataFrame], year: int) -> pd.DataFrame:
    """Return the insured years and costs of one year by age and sex."""
    import pandas as pd

    first, last = pd.Timestamp(year, 1, 1), pd.Timestamp(year, 12, 31)
    spells = tables["registrations"]
    until = spells["end_on"].fillna(last).clip(upper=last)
    days = ((until - spells["start_on"].clip(lower=first)).dt.days + 1).clip(lower=0)
    insured = days.groupby(spells["person_id"]).sum().rename("days")
    people = tables["persons"].merge(insured[insured > 0].reset_index(), on="person_id")
    age = (year - people["birth_year"]).clip(upper=_OLDEST)
    people["leeftijdsklasse"] = age.astype(str) + age.eq(_OLDEST).map({True: "+", False: ""})
    people["geslacht"] = people["sex"].map({"M": "M", "F": "V"})
    lines = tables["costs"]
    lines = lines[(lines["payer"] == "zvw") & (lines["from_on"].dt.year == year)]
    mental = "kosten_consulten_ggz" if year >= _SINCE_2022 else "kosten_specialistische_ggz"
    names = lines["category"].map(_COLUMNS | {"mental_health": mental})
    costs = lines["amount"].groupby([lines["person_id"], names]).sum().unstack(fill_value=0.0)
    people = people.merge(costs.reset_index(), on="person_id", how="left")
    by = people.groupby(["geslacht", "leeftijdsklasse"], sort=True)
    frame = by.agg(aantal_bsn=("person_id", "nunique"), aantal_verzekerdejaren=("days", "sum"))
    frame["aantal_verzekerdejaren"] = (frame["aantal_verzekerdejaren"] / ((last - first).days + 1)).round(2)
    return frame.join(by[list(costs.columns)].sum().round(2)).reset_index()
