"""What a study can accept of data that cannot answer its question exactly; printed as an assumption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wor_eval.plan_parts import Text
from wor_eval.study import Assumption


@dataclass(frozen=True, kw_only=True, slots=True)
class Supposed:
    """Something that a mapping supposes.

    Parameters
    ----------
    refusal : str
        Why the table is refused where the study does not accept it.
    assumption : Assumption
        What the report says where it does.
    """

    refusal: str
    assumption: Assumption


ASSUMPTIONS: Mapping[str, Supposed] = {
    "yearly costs spread over days": Supposed(
        refusal="costs per calendar year: they cannot be split at an index date within the year",
        assumption=Assumption(
            text=Text(
                nl="Zorgkosten zijn alleen per kalenderjaar bekend en gelijkmatig over de dagen van dat jaar verdeeld. "
                "In het jaar van verwijzing zijn de kosten vóór en na de verwijzing daardoor per dag gelijk: "
                "een verschil tussen ervoor en erna wordt te klein geschat.",
                en="Care costs are only known by calendar year and are spread evenly over the days of that year. In "
                "the year of referral the costs before and after it are therefore equal per day: a difference "
                "between before and after is estimated too small.",
            ),
            basis=Text(
                nl="Keuze van het onderzoek; de gegevens bevatten geen datum per kostenregel.",
                en="A choice of the study; the data hold no date for each cost.",
            ),
            impact="high",
        ),
    ),
}

AGES_IN_CLASSES = Assumption(
    text=Text(
        nl="Leeftijden zijn alleen in klassen bekend; ieder telt als iemand in het midden van de klasse.",
        en="Ages are only known in classes; everybody counts as a person in the middle of the class.",
    ),
    basis=Text(
        nl="Het formulier vraagt geen geboortejaar.",
        en="The form does not ask for the year of birth.",
    ),
    impact="moderate",
)
"""What a report says where ages came in classes; a study by limits within a class is refused."""
