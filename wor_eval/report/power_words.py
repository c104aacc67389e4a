"""Sentences about a planned study that follow from its simulation, in Dutch and English."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from wor_eval.effects.estimate import ALL_BANDS
from wor_eval.errors import WorEvalError
from wor_eval.language import listing, number, percent
from wor_eval.power_plan import PowerPlan
from wor_eval.report.power_tables import fall
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.report.words import Prose, age_words
from wor_eval.study import Lang, PowerStudy, Study

if TYPE_CHECKING:
    import pandas as pd


def _plan(results: Results) -> tuple[Study, PowerPlan]:
    plan = results.plan
    if not isinstance(plan, PowerStudy) or plan.study.power is None:
        raise WorEvalError(f"results {plan.name} are not of a planned study")
    return plan.study, plan.study.power


def answer(results: Results) -> Prose:
    """Say what the study as planned can find, for all ages and by age band."""
    lang, (_, power) = results.lang, _plan(results)
    rows = results.table("power_detectable")
    rows = rows[rows["size"] == power.planned_size]
    found = {str(row["age_band"]): row for _, row in rows.iterrows()}
    overall = found.pop(ALL_BANDS)
    bands = [f"{_age(band, lang)} {_detectable(row, results)}" for band, row in found.items()]
    practices, size = number(power.practices.value, lang=lang), number(power.planned_size, lang=lang)
    months, target = number(power.months.value, lang=lang), percent(power.target, lang=lang)
    total = number(int(overall["n_referrals"]), lang=lang)
    if lang == "nl":
        return Prose(
            f"Met {practices} praktijken die in {months} maanden elk {size} mensen verwijzen ({total} "
            f"verwijzingen) vindt "
            f"het hoofdcontrast met {target} kans {_detectable(overall, results)}; {listing(bands, lang=lang)}."
        )
    return Prose(
        f"With {practices} practices that each refer {size} persons in {months} months ({total} referrals), the "
        f"headline "
        f"contrast finds {_detectable(overall, results)} with a chance of {target}; {listing(bands, lang=lang)}."
    )


def _age(band: str, lang: Lang) -> str:
    return f"bij {age_words(band, lang)}" if lang == "nl" else f"at {age_words(band, lang)}"


def _detectable(row: pd.Series[Any], results: Results) -> str:
    lang = results.lang
    if math.isnan(row["simulated"]):
        return "geen van de onderzochte dalingen" if lang == "nl" else "none of the falls that were tried"
    size = fall(row["simulated"], lang)
    return f"een daling van {size} of meer" if lang == "nl" else f"a fall of {size} or more"


def what_it_takes(results: Results) -> Prose:
    """Say what finding the next smaller fall would take: referrals per practice and months, or practices."""
    lang, (_, power) = results.lang, _plan(results)
    detectable = results.table("power_detectable")
    planned = detectable[(detectable["size"] == power.planned_size) & (detectable["age_band"] == ALL_BANDS)]
    limit = float(planned["simulated"].iloc[0])
    frame = results.table("power_needed")
    frame = frame[(frame["age_band"] == ALL_BANDS) & (frame["ratio"] > (0 if math.isnan(limit) else limit))]
    if frame.empty:
        says = {
            "nl": "Elke onderzochte daling is met deze opzet te vinden.",
            "en": "Every fall that was tried can be found with this design.",
        }
        return Prose(says[lang])
    row = frame.iloc[-1]
    return Prose(_takes_nl(row, power) if lang == "nl" else _takes_en(row, power))


def _takes_nl(row: pd.Series[Any], power: PowerPlan) -> str:
    size, practices = fall(row["ratio"], "nl"), number(row["practices"], lang="nl")
    if not row["reachable"]:
        now = number(power.practices.value, lang="nl")
        more = f"meer verwijzingen in dezelfde {now} praktijken helpen dan niet genoeg"
        return f"Om ook een daling van {size} te vinden zijn {practices} praktijken nodig; {more}."
    referrals, months = (number(row[name], lang="nl") for name in ("referrals_per_practice", "months"))
    return (
        f"Om ook een daling van {size} te vinden zijn {referrals} verwijzingen per praktijk nodig: {months} maanden "
        f"insluiten, en {number(row['months_with_follow_up'], lang='nl')} maanden tot het laatste gegeven. In "
        f"de looptijd van "
        f"het plan kan het met {practices} praktijken."
    )


def _takes_en(row: pd.Series[Any], power: PowerPlan) -> str:
    size, practices = fall(row["ratio"], "en"), number(row["practices"], lang="en")
    if not row["reachable"]:
        more = f"more referrals in the same {number(power.practices.value, lang='en')} practices do not help enough"
        return f"To find a fall of {size} as well, {practices} practices are needed; {more}."
    referrals, months = (number(row[name], lang="en") for name in ("referrals_per_practice", "months"))
    return (
        f"To find a fall of {size} as well, {referrals} referrals per practice are needed: {months} months of "
        f"inclusion, and "
        f"{number(row['months_with_follow_up'], lang='en')} months until the last data. In the time of the plan "
        f"it takes "
        f"{practices} practices."
    )


def false_alarms(results: Results) -> Prose:
    """Say how often an effect is found where there is none, by what the standard errors are robust to."""
    frame, lang, (_, power) = results.table("power"), results.lang, _plan(results)
    rows = frame[
        (frame["ratio"] == 1) & (frame["age_band"] == ALL_BANDS) & (frame["size"] == power.planned_size)
    ]
    rate = {str(row["errors"]): percent(row["power"], lang=lang) for _, row in rows.iterrows()}
    studies, chosen = (
        number(int(rows["n_studies"].iloc[0]), lang=lang),
        term(f"power_{power.errors}", lang).lower(),
    )
    if lang == "nl":
        return Prose(
            f"Zonder enig effect slaat de toets in {rate['practice']} van de {studies} gesimuleerde studies aan met "
            f"standaardfouten per praktijk, en in {rate['set']} met standaardfouten per set; bedoeld is "
            f"{percent(0.05, lang=lang)}. "
            f"Het plan kiest: {chosen}."
        )
    return Prose(
        f"With no effect at all the test rejects in {rate['practice']} of the {studies} simulated studies with "
        f"standard "
        f"errors by practice, and in {rate['set']} with standard errors by set; {percent(0.05, lang=lang)} is "
        f"meant. The plan "
        f"chooses: {chosen}."
    )


def formula(results: Results) -> Prose:
    """Say how far the formula is from the simulation at most."""
    frame, lang = results.table("power"), results.lang
    frame = frame[frame["planned"]]
    largest = float((frame["closed_form"] - frame["power"]).abs().max())
    inside = (
        (frame["closed_form"] >= frame["conf_low"]) & (frame["closed_form"] <= frame["conf_high"])
    ).mean()
    points, share = number(100 * largest, lang=lang), percent(float(inside), lang=lang)
    if lang == "nl":
        return Prose(
            f"De formule ligt in {share} van de punten binnen het Monte-Carlo-interval van de simulatie, en er "
            f"ten hoogste "
            f"{points} procentpunt naast."
        )
    return Prose(
        f"The formula lies within the Monte-Carlo interval of the simulation at {share} of the points, and at "
        f"most {points} "
        "percentage points beside it."
    )


def contrast(results: Results) -> Prose:
    """Name the headline contrast and outcome of the plan."""
    lang, (study, _) = results.lang, _plan(results)
    name = term(f"contrast_{study.headline.contrast}", lang)
    return Prose(f"{study.outcome(study.headline.outcomes[0]).label.in_(lang)}, {name[0].lower()}{name[1:]}")


def contacts(results: Results) -> Prose:
    """Say where the level and the spread of contacts come from."""
    return Prose(_plan(results)[1].contacts.in_(results.lang))
