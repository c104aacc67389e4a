"""The 28 items of CHEERS 2022 in our own words, with where the report of an economic evaluation answers each.

Husereau and others 2022, Consolidated Health Economic Evaluation Reporting Standards 2022 (BMJ 376:e067975,
doi:10.1136/bmj-2021-067975). As its authors ask, an item without an answer is called not reported, and one that does not
concern the kind of study not applicable.
"""

from __future__ import annotations

from typing import Final

from wor_eval.plan_parts import Text
from wor_eval.report.checklist import Item, where

# Item in both languages, and the sections that answer it, or why nothing does.
_ASKED: Final[tuple[tuple[str, str, str], ...]] = (
    ("Titel: economische evaluatie, en van wat", "Title: an economic evaluation, and of what", "title"),
    ("Samenvatting", "Summary", "short"),
    ("Achtergrond, vraag en belang voor beleid", "Background, question, relevance to policy", "sec-question"),
    ("Analyseplan vooraf, en waar het staat", "Analysis plan beforehand, and where", "sec-provenance"),
    ("Kenmerken van de personen", "Characteristics of the persons", "sec-who sec-missing"),
    ("Plaats en omstandigheden", "Setting and circumstances", "sec-question none:place"),
    ("Wat met wat is vergeleken, en waarom", "What is compared with what, and why", "sec-who"),
    ("Perspectief, en waarom", "Perspective, and why", "sec-method"),
    ("Tijdshorizon, en waarom", "Time horizon, and why", "sec-method"),
    ("Discontovoet", "Discount rate", "sec-method"),
    ("Welke uitkomsten", "Which outcomes", "sec-method"),
    ("Hoe uitkomsten zijn gemeten", "How outcomes were measured", "sec-method"),
    ("Hoe uitkomsten zijn gewaardeerd", "How outcomes were valued", "sec-method"),
    ("Hoe zorg en kosten zijn gewaardeerd", "How care and costs were valued", "sec-trajectory sec-method"),
    ("Munt, prijsjaar en omrekening", "Currency, price year, conversion", "sec-method"),
    ("Model: beschrijving en reden", "Model: description and reason", "none:model"),
    ("Analyse en aannames", "Analysis and assumptions", "sec-method sec-assumptions"),
    ("Verschillen tussen groepen: hoe onderzocht", "Differences between groups: how studied", "sec-groups"),
    ("Verdeling over groepen in de samenleving", "Distribution over groups in society", "sec-payers none:distribution"),
    ("Onzekerheid: hoe beschreven", "Uncertainty: how described", "sec-method sec-hangs"),
    ("Betrokkenheid van patiënten en anderen: hoe", "Engagement of patients and others: how", "none:engagement"),
    ("Alle invoer met onzekerheid en bron", "All inputs with uncertainty and source", "sec-trajectory"),
    ("Belangrijkste uitkomsten", "Main results", "sec-effects sec-worth sec-payers"),
    ("Wat onzekerheid aan het antwoord doet", "What uncertainty does to the answer", "sec-worth sec-hangs"),
    ("Wat die betrokkenheid heeft veranderd", "What that engagement changed", "none:engagement"),
    ("Bevindingen, grenzen, wat al bekend was", "Findings, limits, what was known", "short sec-assumptions none:known"),
    ("Financiering", "Funding", "none:user"),
    ("Belangen", "Interests", "none:user"),
)  # fmt: skip
_ELSEWHERE: Final = {
    "title": Text(nl="Titel", en="Title"),
    "short": Text(nl="In het kort", en="In short"),
    "none:model": Text(
        nl="Niet van toepassing: gegevens van personen, geen beslismodel",
        en="Not applicable: data of persons, no decision model",
    ),
    "none:place": Text(nl="waar precies: niet gerapporteerd", en="which places: not reported"),
    "none:distribution": Text(
        nl="alleen naar betaler en leeftijd; verder niet gerapporteerd",
        en="by payer and age only; further not reported",
    ),
    "none:engagement": Text(nl="Niet gerapporteerd", en="Not reported"),
    "none:known": Text(nl="wat al bekend was: niet gerapporteerd", en="what was known: not reported"),
    "none:user": Text(
        nl="Niet gerapporteerd: aan wie het onderzoek uitvoert",
        en="Not reported: for whoever carries out the study",
    ),
}


ITEMS: Final = tuple(
    Item(number=str(at), name=Text(nl=nl, en=en), where=where(places, _ELSEWHERE))
    for at, (nl, en, places) in enumerate(_ASKED, start=1)
)
"""The items in their order."""
