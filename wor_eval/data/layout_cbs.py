"""The synthetic study as CBS microdata: SPSS files with the key RINPERSOONS and RINPERSOON, both text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from wor_eval.data.declared import declared_codes
from wor_eval.data.tariffs import tariff

if TYPE_CHECKING:
    import pandas as pd

YEARS = range(2019, 2025)
_SINCE_2022 = 2022
_HALF = 0.5
"""Share of the parts of GP and paramedical care that is written as the first sub-item. Free."""

_COLUMN = {
    "gp": "ZVWKHUISARTS", "hospital": "ZVWKZIEKENHUIS", "medication": "ZVWKFARMACIE", "paramedical": "ZVWKPARAMEDISCH",
    "district_nursing": "ZVWKWYKVERPLEGING", "other": "ZVWKOVERIG",
}  # fmt: skip
_SUB_ITEMS = {
    "ZVWKHUISARTS": ("NOPZVWKHUISARTSINSCHRIJF", "NOPZVWKHUISARTSCONSULT"),
    "ZVWKPARAMEDISCH": ("NOPZVWKFYSIOTHERAPIE", "NOPZVWKPARAMEDISCHOV"),
}


def write_cbs(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write persons, declarations of the GP and yearly costs, and the two files that a project brings itself.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The synthetic tables.
    folder : pathlib.Path
        Where to write.
    """
    persons = tables["persons"]
    frame = _keyed(persons)
    frame["GBAGESLACHT"] = persons["sex"].map({"M": "1", "F": "2"})
    frame["GBAGEBOORTEJAAR"] = persons["birth_year"].astype(str)
    frame["GBAGEBOORTEMAAND"] = persons["birth_month"].astype(str).str.zfill(2)
    frame["GEMCODE"] = persons["municipality_code"]
    frame["GBADATUMOVERLIJDEN"] = _day(persons["died_on"])
    _write(frame, folder / f"GBAPERSOON{YEARS[-1]}TABV1.sav")
    spells = tables["registrations"]
    frame = _keyed(spells).assign(PRAKTIJK=spells["practice_id"])
    frame["DATUMAANVANG"], frame["DATUMEINDE"] = _day(spells["start_on"]), _day(spells["end_on"])
    _write(frame, folder / "INSCHRIJVINGTAB.sav")
    referrals = tables["referrals"]
    frame = _keyed(referrals).assign(DATUMVERWIJZING=_day(referrals["referred_on"]))
    _write(frame.assign(DATUMINTAKE=_day(referrals["intake_on"])), folder / "WORVERWIJZINGTAB.sav")
    _write_declarations(tables["contacts"], folder)
    _write_costs(tables, folder)


def _write_declarations(contacts: pd.DataFrame, folder: Path) -> None:
    """Write one file a year, a row for each declaration."""
    dated = declared_codes(contacts)
    for year in YEARS:
        rows = dated[dated["contact_on"].dt.year == year]
        frame = _keyed(rows).assign(
            HADECLPRESTATIECODE=rows["code"], HADECLBEGINDATUMPREST=_day(rows["contact_on"])
        )
        _write(frame, folder / f"HUISARTSDECL{year}TABV1.sav")


def _write_costs(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write one file a year with a row for each registered person, at the prices of that year."""
    import pandas as pd

    lines = tables["costs"]
    lines = lines[lines["payer"] == "zvw"]
    spells, index = tables["registrations"], _prices()
    for year in YEARS:
        first, last = pd.Timestamp(year, 1, 1), pd.Timestamp(year, 12, 31)
        present = (spells["start_on"] <= last) & (spells["end_on"].isna() | (spells["end_on"] >= first))
        here = lines[lines["from_on"].dt.year == year]
        names = here["category"].map(_COLUMN | {"mental_health": _mental_health(year)})
        amounts = here["amount"] * (index[year] / here["price_year"].map(index))
        wide = amounts.groupby([here["person_id"], names]).sum().unstack(fill_value=0.0).round(2)
        wide = wide.reindex(sorted(set(spells.loc[present, "person_id"]) | set(wide.index)), fill_value=0.0)
        for name in (*_COLUMN.values(), _mental_health(year)):
            wide[name] = wide.get(name, 0.0)
        total = wide.sum(axis=1).round(2)
        for name, (one, other) in _SUB_ITEMS.items():
            wide[one] = (_HALF * wide[name]).round(2)
            wide[other] = (wide[name] - wide[one]).round(2)
        people = wide.reset_index()[["person_id"]]
        frame = pd.concat([_keyed(people), wide.reset_index(drop=True)], axis=1)
        _write(frame.assign(ZVWKTOTAAL=total.to_numpy()), folder / f"ZVWZORGKOSTEN{year}TABV1.sav")


def _mental_health(year: int) -> str:
    """Return the column of mental health care: it has another name since 2022."""
    return "ZVWKGGZZPMTOTAAL" if year >= _SINCE_2022 else "ZVWKSPECGGZ"


def _prices() -> dict[int, float]:
    """Return the consumer price index by year."""
    return {int(row["year"]): float(row["cpi_2015_100"]) for row in tariff("cpi")}


def _keyed(table: pd.DataFrame) -> pd.DataFrame:
    """Return the two parts of the key of a person, as text of one and of nine signs."""
    import pandas as pd

    number = table["person_id"].str.replace(r"\D", "", regex=True).str.zfill(9)
    return pd.DataFrame({"RINPERSOONS": "R", "RINPERSOON": number}, index=table.index)


def _day(days: pd.Series[pd.Timestamp]) -> pd.Series[str]:
    """Return days as yyyymmdd, empty where there is none."""
    return days.dt.strftime("%Y%m%d").fillna("")


def _write(frame: pd.DataFrame, path: Path) -> None:
    import pyreadstat

    pyreadstat.write_sav(frame.reset_index(drop=True), str(path), row_compress=True)
