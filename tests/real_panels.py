"""Real people as raw tables: what the flow of this package does with data that nobody simulated.

``rwm5yr`` is the German health panel (Riphahn, Wambach and Million 2003): each year a person says how often they
saw a doctor in the last three months. Those with nine or more visits at the interview of 1986 (about the top tenth)
are "referred" on the day of that interview; in truth nobody was treated. Only the year of an interview is
known, so every interview is put on 1 July and its three months on the 91 days before.

``drvisits`` holds visits in the three months before an interview in 1996 and in 1998, around a reform of German
health insurance. The "index date" lies between the two, on 1 January 1997, and everybody is "referred".
"""

from pathlib import Path

import pandas as pd

from wor_eval.study import Study, study_plan

RECALL_DAYS = 91
TEXT = {"nl": "proef", "en": "trial"}


def rwm5yr_tables(shared: Path) -> dict[str, pd.DataFrame]:
    """Give the German health panel as raw tables."""
    panel = pd.read_csv(shared / "reference" / "data" / "rwm5yr.csv.gz")
    panel["person_id"] = "p" + panel["id"].astype(str)
    first = panel.groupby("person_id").first()
    persons = pd.DataFrame(
        {
            "person_id": first.index,
            "birth_year": (first["year"] - first["age"]).to_numpy(),
            "birth_month": 7,
            "sex": first["female"].map({1: "F", 0: "M"}).to_numpy(),
        }
    )
    chosen = panel[(panel["year"] == 1986) & (panel["docvis"] >= 9)]
    return {
        "persons": persons,
        "registrations": _registered(persons["person_id"], "1983-01-01"),
        "referrals": _referred(chosen["person_id"], "1986-07-01"),
        "contacts": _recalled(panel, panel["year"].astype(str) + "-07-01", panel["docvis"]),
    }


def drvisits_tables(shared: Path) -> dict[str, pd.DataFrame]:
    """Give the doctor visits around the German reform as raw tables."""
    panel = pd.read_csv(shared / "reference" / "data" / "drvisits.csv")
    panel["person_id"] = "p" + panel["id"].astype(str)
    first = panel.groupby("person_id").first()
    year = first["reform"].map({0: 1996, 1: 1998})
    persons = pd.DataFrame(
        {
            "person_id": first.index,
            "birth_year": (year - first["age"]).to_numpy(),
            "birth_month": 1,
            "sex": "F",
        }
    )
    asked = panel["reform"].map({0: "1996-12-31", 1: "1998-01-01"})
    return {
        "persons": persons,
        "registrations": _registered(persons["person_id"], "1995-01-01"),
        "referrals": _referred(persons["person_id"], "1997-01-01"),
        "contacts": _recalled(panel, asked, panel["numvisit"]),
    }


def recall_plan(*, entries: int = 0, quarters: int = 0, placebo: bool = False) -> Study:
    """Give a before-and-after plan on self-reported counts."""
    outcome = {"name": "doctor_visits", "label": TEXT, "exposure": "recall"}
    return study_plan(
        {
            "name": "real",
            "title": TEXT,
            "question": TEXT,
            "seed": 1,
            "cohort": {
                "entries": entries,
                "bands": [18, 65],
                "observed_from": "1983-01-01",
                "observed_until": "1998-12-31",
            },
            "windows": {
                **({"placebo": [-730, -366]} if placebo else {}),
                "before": [-365, -1],
                "after": [30, 394],
                "quarters": quarters,
            },
            "outcomes": [outcome],
            "effects": [{"contrast": "before_after", "outcomes": ["doctor_visits"], "headline": True}],
        }
    )


def _registered(person_id: pd.Series, start: str) -> pd.DataFrame:
    return pd.DataFrame({"person_id": person_id, "practice_id": "panel", "start_on": start, "end_on": None})


def _referred(person_id: pd.Series, day: str) -> pd.DataFrame:
    return pd.DataFrame({"person_id": person_id, "referred_on": day, "referrer": "other"})


def _recalled(panel: pd.DataFrame, day: pd.Series, count: pd.Series) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "person_id": panel["person_id"],
            "contact_on": day,
            "kind": "other",
            "n_contacts": count,
            "recall_days": RECALL_DAYS,
        }
    )
