"""The synthetic study as the registration form of Welzijn op Recept: a workbook with a row for each form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

ITEMS = 44
_MOMENTS = {"baseline": "intake", "month_3": "3 maanden", "month_6": "6 maanden", "month_12": "12 maanden"}
_CLASSES = ((31, "18-30"), (46, "31-45"), (61, "46-60"), (76, "61-75"), (200, "75+"))
_REFERRER = {
    "gp": "huisarts", "practice_nurse": "praktijkondersteuner", "psychologist": "psycholoog",
    "physiotherapist": "fysiotherapeut", "social_work": "maatschappelijk werk", "other": "anders",
}  # fmt: skip
_REASON = {
    "loneliness": "eenzaamheid", "low_mood": "somberheid", "stress": "stress of spanning",
    "unexplained_complaints": "onverklaarde lichamelijke klachten", "life_event": "ingrijpende gebeurtenis",
    "inactivity": "weinig beweging of bezigheden", "other": "anders",
}  # fmt: skip


def write_wor(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write the forms of the referred who filled in one at intake.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The synthetic tables. The answers to the spider web are drawn around the mark on Cantril's ladder; what a plan
        estimates of them has no stored truth.
    folder : pathlib.Path
        Where to write.
    """
    import openpyxl

    forms = _forms(tables)
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("formulieren")
    sheet.append(list(forms.columns))
    for row in forms.astype(object).where(forms.notna(), None).itertuples(index=False):
        sheet.append([_plain(cell) for cell in row])
    book.save(folder / "formulieren.xlsx")


def _forms(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a row for each form that was filled in."""
    import pandas as pd

    asked = tables["questionnaires"]
    forms = asked[(asked["instrument"] == "cantril") & asked["wave"].isin(_MOMENTS)]
    forms = forms.merge(tables["referrals"].drop_duplicates("person_id"), on="person_id")
    forms = forms.merge(tables["persons"], on="person_id")
    recalled = tables["contacts"][tables["contacts"]["recall_days"].notna()]
    recalled = recalled.rename(columns={"contact_on": "answered_on"})
    forms = forms.merge(recalled[["person_id", "answered_on", "n_contacts"]], how="left")
    started = forms.groupby("person_id")["wave"].transform(lambda waves: (waves == "baseline").any())
    forms = forms[started.astype(bool)].sort_values(["person_id", "answered_on"], ignore_index=True)
    spells = tables["registrations"].drop_duplicates("person_id")[["person_id", "practice_id"]]
    forms = forms.merge(spells, on="person_id")
    age = forms["answered_on"].dt.year - forms["birth_year"]
    last = forms.groupby("person_id")["answered_on"].transform("max")
    frame = pd.DataFrame(
        {
            "clientnummer": forms["person_id"],
            "praktijk": forms["practice_id"],
            "moment": forms["wave"].map(_MOMENTS),
            "datum": forms["answered_on"].dt.date,
            "datum_verwijzing": forms["referred_on"].dt.date,
            "datum_exit": forms["ended_on"].where(forms["ended_on"] >= forms["answered_on"]).dt.date,
            "datum_laatste_formulier": last.dt.date,
            "leeftijdsklasse": [next(label for limit, label in _CLASSES if years < limit) for years in age],
            "geslacht": forms["sex"].map({"M": "man", "F": "vrouw"}),
            "verwijzer": forms["referrer"].map(_REFERRER),
            "reden": forms["reason"].map(_REASON),
            "huisartsbezoeken_3mnd": forms["n_contacts"],
        }
    )
    return pd.concat([frame, _spider(forms["score"])], axis=1)


def _spider(score: pd.Series[float]) -> pd.DataFrame:
    """Draw 44 answers from 0 to 10 around a score; one in fifty is missing."""
    import pandas as pd

    rng = np.random.default_rng([ITEMS, len(score)])
    middle = score.fillna(score.mean()).to_numpy()[:, None]
    answers = np.clip(np.round(middle + 1.5 * rng.standard_normal((len(score), ITEMS))), 0, 10)
    frame = pd.DataFrame(answers, columns=[f"sw{item:02d}" for item in range(1, ITEMS + 1)]).astype("Int64")
    return frame.mask(rng.random(answers.shape) < 0.02)


def _plain(cell: Any) -> Any:
    """Return a cell as openpyxl writes it."""
    return int(cell) if isinstance(cell, np.integer) else cell
