"""Sentences about frequent attenders that follow from the results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wor_eval.attenders_plan import FrequentAttenders
from wor_eval.errors import WorEvalError
from wor_eval.language import listing, number, percent
from wor_eval.report.absent import words_or_sentence
from wor_eval.report.prose import TOO_FEW, named_interval
from wor_eval.report.results import Results
from wor_eval.report.words import Prose

if TYPE_CHECKING:
    import pandas as pd


def plan_of(results: Results) -> FrequentAttenders:
    """Give the plan of a study of frequent attenders.

    Raises
    ------
    WorEvalError
        These are the results of another kind of study.
    """
    if not isinstance(results.plan, FrequentAttenders):
        raise WorEvalError(f"results {results.plan.name} are not of a study of frequent attenders")
    return results.plan


def _row(frame: pd.DataFrame, wanted: Mapping[str, Any]) -> pd.Series[Any] | None:
    """Give the one row with these values; None where it is not there or hidden."""
    for column, value in wanted.items():
        frame = frame[frame[column] == value]
    frame = frame[~frame["suppressed"]]
    return None if frame.empty else frame.iloc[0]


def headline(results: Results) -> Prose:
    """Say how many frequent attenders there are, and how many stay so."""
    lang = results.lang
    chosen = _row(results.table("attender_selection"), {"sex": "all"})
    frame = results.table("attender_persistence")
    rows = [_row(frame, {"age_group": "all", "years": years}) for years in (2, 3)]
    if chosen is None or rows[0] is None or rows[1] is None:
        return Prose(TOO_FEW[lang])
    share = percent(float(chosen["share"]), 1, lang=lang)
    later = [
        f"{percent(float(r['share']), 1, lang=lang)} ({named_interval(r, 1, lang, times=100)})"
        for r in rows
        if r is not None
    ]
    if lang == "nl":
        return Prose(f"Van de ingeschrevenen was {share} in het eerste jaar een frequente bezoeker. Van hen was "
                     f"{later[0]} dat ook het volgende jaar, en {later[1]} alle drie de jaren.")  # fmt: skip
    return Prose(f"Of the registered {share} were frequent attenders in the first year. Of these {later[0]} were so the "
                 f"next year too, and {later[1]} in all three years.")  # fmt: skip


def definition(results: Results) -> Prose:
    """Say who counts as a frequent attender under this plan, and what is done with ties."""
    plan, lang = plan_of(results), results.lang
    share = percent(plan.share, lang=lang)
    ages = listing([str(age) for age in plan.age_groups], lang=lang)
    social = listing(list(plan.psychosocial), lang=lang)
    if lang == "nl":
        ties = {
            "include": "wie precies op de grens zit telt mee, zodat het er iets meer kunnen zijn",
            "exclude": "wie precies op de grens zit telt niet mee, zodat het er iets minder kunnen zijn",
        }[plan.ties]
        return Prose(f"Een frequente bezoeker hoort in een kalenderjaar bij de {share} met de meeste contacten, binnen "
                     f"geslacht en leeftijdsgroep (vanaf {ages} jaar); {ties}. Psychosociaal zijn contacten met een "
                     f"reden uit ICPC {social}.")  # fmt: skip
    ties = {
        "include": "those exactly at the threshold count, so that there may be slightly more",
        "exclude": "those exactly at the threshold do not count, so that there may be slightly fewer",
    }[plan.ties]
    return Prose(f"A frequent attender belongs in a calendar year to the {share} with most contacts, within sex and age "
                 f"group (from {ages} years); {ties}. Psychosocial are contacts with a reason from ICPC "
                 f"{social}.")  # fmt: skip


def fall(results: Results) -> Prose:
    """Say how far frequent attenders fall with nobody treated, and which formulas expected that."""
    lang, frame = results.lang, results.table("attender_fall")
    means = [
        _row(frame, {"age_group": "all", "frequent": "first_year", "year": year})
        for year in sorted(set(frame["year"]))
    ]
    if any(row is None for row in means):
        return Prose(TOO_FEW[lang])
    first, second, third = (float(row["mean"]) for row in means if row is not None)
    numbers = [number(value, 1, lang=lang) for value in (first, second, third)]
    drop = percent(1 - second / first, lang=lang)
    if lang == "nl":
        return Prose(f"Zonder dat iemand werd behandeld gingen de frequente bezoekers van {numbers[0]} contacten in het "
                     f"eerste jaar naar {numbers[1]} in het tweede en {numbers[2]} in het derde: een daling van {drop} "
                     f"in een jaar. **Dat is regressie naar het gemiddelde.** {_formulas(results)}")  # fmt: skip
    return Prose(f"With nobody treated, the frequent attenders went from {numbers[0]} contacts in the first year to "
                 f"{numbers[1]} in the second and {numbers[2]} in the third: a fall of {drop} in one year. **That is "
                 f"regression to the mean.** {_formulas(results)}")  # fmt: skip


def _formulas(results: Results) -> str:
    """Say what share of the fall each formula expected."""
    lang, frame = results.lang, results.table("attender_expected")
    found = {
        m: _row(frame, {"age_group": "all", "method": m})
        for m in ("gamma_poisson", "barnett", "negative_binomial")
    }
    share = {
        m: percent(float(row["share_expected"]), lang=lang)
        for m, row in found.items()
        if row is not None and row[["share_expected"]].notna().all()
    }
    if len(share) < len(found):
        return ""
    if lang == "nl":
        return (
            f"Een model met een blijvend niveau en slechte jaren verwachtte {share['gamma_poisson']} van die daling, de "
            f"formule voor een normale verdeling {share['barnett']}, en een model dat alles voor blijvend houdt "
            f"{share['negative_binomial']}."
        )
    return (
        f"A model with a permanent level and bad years expected {share['gamma_poisson']} of that fall, the formula for a "
        f"normal distribution {share['barnett']}, and a model that takes everything to be permanent "
        f"{share['negative_binomial']}."
    )


def burden(results: Results) -> Prose:
    """Say what share of contacts and costs those carry who are frequent in all three years."""
    lang = results.lang
    row = _row(results.table("attender_burden"), {"frequent": "three_years"})
    if row is None:
        return Prose(TOO_FEW[lang])
    persons, contacts = (percent(float(row[c]), 1, lang=lang) for c in ("share_persons", "share_contacts"))
    known = row[["share_costs"]].notna().all()
    costs = percent(float(row["share_costs"]), 1, lang=lang) if known else ""
    if lang == "nl":
        also = f" en {costs} van de kosten" if known else ""
        return Prose(f"Wie drie jaar achtereen frequent is, {persons} van de mensen, heeft {contacts} van de "
                     f"contacten{also} van die drie jaar.")  # fmt: skip
    also = f" and {costs} of the costs" if known else ""
    return Prose(f"Those frequent three years running, {persons} of the persons, have {contacts} of the contacts{also} "
                 "of those three years.")  # fmt: skip


@words_or_sentence
def prediction(results: Results) -> Prose:
    """Say how well staying frequent can be predicted."""
    lang = results.lang
    row = _row(results.table("attender_accuracy"), {"measure": "auc_cross_validated"})
    if row is None:
        return Prose(TOO_FEW[lang])
    area = number(float(row["estimate"]), 2, lang=lang)
    limits = named_interval(row, 2, lang)
    if lang == "nl":
        return Prose(f"Wie na het eerste jaar moet raden wie er frequent blijft, doet dat met dit model in {area} van de "
                     f"paren goed (AUC, {limits}); een half is raden, een is zeker weten.")  # fmt: skip
    return Prose(f"Guessing after the first year who stays frequent, this model gets {area} of the pairs right (AUC, "
                 f"{limits}); a half is a guess, one is certainty.")  # fmt: skip
