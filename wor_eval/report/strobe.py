"""STROBE and its extension RECORD in our own words, with where a report of effects answers each item, or not.

Von Elm and others 2007, the STROBE statement (doi:10.1371/journal.pmed.0040296); Benchimol and others 2015, the RECORD
statement for studies of data that were collected for care and payment (doi:10.1371/journal.pmed.1001885).
"""

from __future__ import annotations

from typing import Final, Literal

from wor_eval.plan_parts import Text
from wor_eval.report.checklist import Item, where

Kind = Literal["before_after", "matched_cohort"]


# Number (R for RECORD), item in both languages, and where the report of each kind answers it, or why nothing does; one
# place for both where they do not differ.
_ASKED: Final[tuple[tuple[str, ...], ...]] = (
    ("1a", "Opzet in de titel", "Design in the title", "title"),
    ("1b", "Samenvatting", "Summary", "short"),
    ("R1.1", "Soort gegevens", "Kind of data", "sec-data"),
    ("R1.2", "Gebied en periode", "Region and period", "sec-data none:region"),
    ("R1.3", "Koppeling van bestanden", "Linkage of files", "none:linkage"),
    ("2", "Achtergrond", "Background", "sec-question"),
    ("3", "Doel en vraag", "Aim and question", "sec-question"),
    ("4", "Opzet in hoofdlijnen", "Main features of the design", "sec-design", "sec-who sec-balance"),
    ("5", "Plaats, data en perioden", "Setting, dates and periods", "sec-data none:region"),
    ("6a", "Wie mee mag doen, en hoe gevolgd", "Who is eligible, and how followed", "sec-who"),
    ("6b", "Waarop gematcht, en hoeveel", "What is matched on, and how many", "none:unmatched", "sec-balance tbl-design"),
    ("R6.1", "Hoe personen in de bestanden zijn gevonden", "How persons were found in the files", "sec-who"),
    ("R6.2", "Of dat vinden eerder is getoetst", "Whether that finding was validated", "none:user"),
    ("R6.3", "Koppeling in een schema", "Linkage as a diagram", "none:linkage"),
    ("7", "Uitkomsten, blootstelling, verstorende kenmerken", "Outcomes, exposure, confounders", "sec-data sec-design",
     "sec-data tbl-balance"),
    ("R7.1", "Alle codes", "All codes", "none:codebook"),
    ("8", "Bronnen en hoe gemeten", "Sources and how measured", "sec-data none:codebook"),
    ("9", "Wat tegen vertekening is gedaan", "What was done against bias", "sec-rtm", "sec-balance sec-triangulation"),
    ("10", "Hoe de omvang is bepaald", "How the size was arrived at", "none:size"),
    ("11", "Hoe getallen zijn ingedeeld", "How numbers were grouped", "sec-who sec-design", "sec-who sec-balance"),
    ("12a", "Statistische methoden", "Statistical methods", "sec-design sec-rtm", "sec-balance sec-effects"),
    ("12b", "Groepen en interacties", "Groups and interactions", "sec-effects", "sec-subgroups"),
    ("12c", "Ontbrekende gegevens", "Missing data", "sec-missing"),
    ("12d", "Uitval tijdens het volgen", "Loss to follow-up", "sec-data"),
    ("12e", "Gevoeligheidsanalysen", "Sensitivity analyses", "sec-rtm sec-robustness",
     "sec-triangulation sec-robustness"),
    ("R12.1", "Welke toegang tot de bestanden", "What access to the files", "none:user"),
    ("R12.2", "Hoe de gegevens zijn opgeschoond", "How the data were cleaned", "none:checked"),
    ("R12.3", "Hoe is gekoppeld, en hoe goed", "How linkage was done, and how well", "none:linkage"),
    ("13a", "Aantallen na elke stap", "Numbers after each step", "tbl-attrition"),
    ("13b", "Waarom personen afvielen", "Why persons left", "tbl-attrition"),
    ("13c", "Stroomschema", "Flow diagram", "fig-flow", "none:flow"),
    ("R13.1", "Keuze van personen uit de bestanden", "Selection of persons from the files", "tbl-attrition"),
    ("14a", "Kenmerken van de personen", "Characteristics of the persons", "tbl-characteristics"),
    ("14b", "Hoeveel ontbreekt, per gegeven", "How much is missing, by variable", "tbl-missing"),
    ("14c", "Hoe lang gevolgd", "How long followed", "tbl-rates", "tbl-characteristics"),
    ("15", "Gebeurtenissen of gemiddelden", "Events or means", "tbl-rates", "sec-effects"),
    ("16a", "Schattingen met onzekerheid, ruw en gecorrigeerd", "Estimates with uncertainty, crude and adjusted",
     "sec-effects sec-rtm", "sec-effects sec-triangulation"),
    ("16b", "Grenzen van klassen", "Limits of classes", "sec-who"),
    ("16c", "Ook als absoluut verschil", "As an absolute difference too", "tbl-difference"),
    ("17", "Andere analysen", "Other analyses", "sec-costs sec-wellbeing sec-events sec-robustness"),
    ("18", "Belangrijkste uitkomsten", "Key results", "short"),
    ("19", "Beperkingen", "Limitations", "sec-rtm sec-assumptions", "sec-triangulation sec-assumptions"),
    ("R19.1", "Gegevens niet voor deze vraag verzameld", "Data not collected for this question", "sec-assumptions"),
    ("20", "Uitleg van de uitkomsten", "Interpretation", "sec-rtm", "sec-triangulation"),
    ("21", "Voor wie het nog meer geldt", "For whom else it holds", "none:user"),
    ("22", "Financiering", "Funding", "none:user"),
    ("R22.1", "Plan, gegevens en programma", "Plan, data and program", "sec-provenance"),
)  # fmt: skip
_ELSEWHERE: Final = {
    "title": Text(nl="Titel", en="Title"),
    "short": Text(nl="In het kort", en="In short"),
    "none:unmatched": Text(
        nl="Niet van toepassing: ieder naast zichzelf", en="Does not apply: each beside themselves"
    ),
    "none:linkage": Text(
        nl="Niet beantwoord: de gegevens komen al gekoppeld binnen",
        en="Not answered: the data come in linked",
    ),
    "none:region": Text(
        nl="het gebied niet: aan wie het onderzoek uitvoert",
        en="not the region: for whoever carries out the study",
    ),
    "none:codebook": Text(nl="Codeboek (`wor-eval codebook`)", en="Codebook (`wor-eval codebook`)"),
    "none:checked": Text(
        nl="Elke regel van het codeboek getoetst (`wor-eval check`)",
        en="Every rule of the codebook checked (`wor-eval check`)",
    ),
    "none:size": Text(
        nl="Niet beantwoord: iedereen in de gegevens telt mee",
        en="Not answered: everybody in the data counts",
    ),
    "none:flow": Text(nl="Als tabel: @tbl-attrition", en="As a table: @tbl-attrition"),
    "none:user": Text(
        nl="Niet beantwoord: aan wie het onderzoek uitvoert",
        en="Not answered: for whoever carries out the study",
    ),
}


def items(kind: Kind) -> tuple[Item, ...]:
    """List the items in their order, with where the report of a kind answers them.

    Parameters
    ----------
    kind : {"before_after", "matched_cohort"}
        The report.

    Returns
    -------
    tuple of Item
        The 34 parts of the 22 items of STROBE, and the 13 items of RECORD.

    Examples
    --------
    >>> [item.number for item in items("matched_cohort")][:4]
    ['1a', '1b', 'R1.1', 'R1.2']
    """
    return tuple(
        Item(
            number=number,
            name=Text(nl=nl, en=en),
            where=where(places[-1] if kind == "matched_cohort" else places[0], _ELSEWHERE),
        )
        for number, nl, en, *places in _ASKED
    )
