"""Sentences about costs, scores, missing answers and times to an event that follow from the results."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from wor_eval.effects.estimate import ALL_BANDS
from wor_eval.language import number, percent
from wor_eval.report.absent import words_or_sentence
from wor_eval.report.prose import TOO_FEW, named_interval
from wor_eval.report.results import Results
from wor_eval.report.terms import term
from wor_eval.report.words import Prose
from wor_eval.study import Lang

if TYPE_CHECKING:
    import pandas as pd


def _row(frame: pd.DataFrame, column: str, value: str, *, event: str | None = None) -> pd.Series[Any] | None:
    """Give the first row with this value, for all ages; None where there is none, or it is hidden or missing."""
    chosen = (frame[column] == value) & (frame["age_band"] == ALL_BANDS) & ~frame["suppressed"]
    if event is not None:
        chosen &= frame["event"] == event
    frame = frame[chosen].dropna(subset=["estimate"])
    return None if frame.empty else frame.iloc[0]


def _direction(row: pd.Series[Any]) -> str:
    if row["conf_high"] < 0:
        return "lower"
    return "higher" if row["conf_low"] > 0 else "unclear"


def _of_each(results: Results, table: str, say: Callable[[pd.DataFrame, Lang], str]) -> Prose:
    """Say the same of each outcome of a table, with its label where there are several."""
    frame, lang = results.table(table), results.lang
    parts = []
    for outcome, rows in frame.groupby("outcome", sort=False):
        label = results.study.outcome(str(outcome)).label.in_(lang)
        said = say(rows, lang)
        parts.append(f"*{label}*: {said}" if frame["outcome"].nunique() > 1 else said)
    return Prose(" ".join(parts) or TOO_FEW[lang])


@words_or_sentence
def costs(results: Results) -> Prose:
    """Say how mean costs of the referred differ, all ages, with the bootstrap-t interval."""
    return _of_each(results, "cost_effects", _costs)


def _costs(frame: pd.DataFrame, lang: Lang) -> str:
    row = _row(frame, "method", "bootstrap_t")
    if row is None:
        return TOO_FEW[lang]
    size = number(abs(row["estimate"]), 0, lang=lang)
    amount, limits = number(row["estimate"], 0, lang=lang), named_interval(row, 0, lang)
    alone = row["contrast"] == "before_after"
    if lang == "nl":
        beside = "het jaar ervoor" if alone else "te verwachten was op grond van vergelijkbare mensen"
        says = {
            "lower": f"De zorgkosten waren na de verwijzing gemiddeld {size} euro per persoonsjaar lager dan {beside}",
            "higher": f"De zorgkosten waren na de verwijzing gemiddeld {size} euro per persoonsjaar hoger dan {beside}",
            "unclear": f"De zorgkosten verschillen niet duidelijk van die van {beside}"
            if alone
            else f"De zorgkosten verschillen niet duidelijk van wat {beside}",
        }[_direction(row)]
        return f"{says} (verschil {amount} euro; {limits})."
    beside = "in the year before" if alone else "was to be expected from comparable persons"
    says = {
        "lower": f"After referral care costs were on average {size} euros per person-year lower than {beside}",
        "higher": f"After referral care costs were on average {size} euros per person-year higher than {beside}",
        "unclear": f"Care costs do not differ clearly from those {beside}"
        if alone
        else f"Care costs do not differ clearly from what {beside}",
    }[_direction(row)]
    return f"{says} (difference {amount} euros; {limits})."


@words_or_sentence
def concentration(results: Results) -> Prose:
    """Say what the change in costs is without the most extreme persons, the fewest that may be shown."""
    return _of_each(results, "cost_concentration", _concentration)


def _concentration(frame: pd.DataFrame, lang: Lang) -> str:
    rows = frame[(frame["age_band"] == ALL_BANDS) & ~frame["suppressed"]].sort_values("extreme_share")
    if rows.empty:
        return TOO_FEW[lang]
    row = rows.iloc[0]
    share = percent(row["extreme_share"], lang=lang)
    whole, without = (number(row[name], 0, lang=lang) for name in ("mean_change", "mean_change_without"))
    fell = row["mean_change"] < 0
    if lang == "nl":
        return (
            f"De kosten van een verwezen persoon veranderden van ervoor naar erna gemiddeld {whole} euro per jaar; "
            f"zonder de {share} met de grootste {'daling' if fell else 'stijging'} is dat {without} euro. Hier telt "
            "ieder even zwaar, hoe lang ook gevolgd."
        )
    return (
        f"The costs of a referred person changed by {whole} euros a year on average from before to after; without the "
        f"{share} with the largest {'fall' if fell else 'rise'} it is {without} euros. Everybody counts the same here, "
        "however long followed."
    )


@words_or_sentence
def wellbeing(results: Results) -> Prose:
    """Say what the effect on the score is among those who answered, and in the analyses beside it."""
    return _of_each(results, "score_effects", _wellbeing)


def _wellbeing(frame: pd.DataFrame, lang: Lang) -> str:
    found = {method: _row(frame, "method", method) for method in ("complete_case", "ancova", "imputed")}
    row, adjusted = found["complete_case"], found["ancova"]
    if row is None:
        return TOO_FEW[lang]
    alone = row["contrast"] == "before_after"
    said, limits = number(row["estimate"], 1, lang=lang), named_interval(row, 1, lang)
    if lang == "nl":
        what = (
            f"veranderde de score gemiddeld met {said} punt"
            if alone
            else f"verschilt de score gemiddeld {said} punt van die van vergelijkbare mensen"
        )
        text = f"Onder wie antwoordde {what} ({limits})."
    else:
        what = "The score changed by" if alone else "The difference in score with comparable persons is"
        text = f"{what} {said} points{' on average' if alone else ''} among those who answered ({limits})."
    return text if adjusted is None else f"{text} {_adjusted(adjusted, lang, alone=alone)}"


def _adjusted(row: pd.Series[Any], lang: Lang, *, alone: bool) -> str:
    said, limits = number(row["estimate"], 1, lang=lang), named_interval(row, 1, lang)
    if lang == "nl":
        if alone:
            return (
                "Wie werd verwezen toen de score laag was, stijgt ook vanzelf: bij de gemiddelde score van "
                f"niet-verwezen mensen blijft een verandering van {said} punt over ({limits})."
            )
        return (
            f"Bij een gelijke score ervoor is het {said} punt ({limits}); die vergelijking is vertekend als mensen "
            "juist bij een lage score worden verwezen."
        )
    if alone:
        return (
            "Persons referred when their score was low rise by themselves too: at the mean score of those not "
            f"referred a change of {said} points is left ({limits})."
        )
    return (
        f"At the same score before it is {said} points ({limits}); that comparison is biased where persons are "
        "referred because their score is low."
    )


@words_or_sentence
def missing(results: Results) -> Prose:
    """Say how many answers are missing, what imputing them does, and how much worse they must be to matter."""
    tables = {name: results.table(name) for name in ("score_missing", "score_effects", "score_tipping")}

    def say(frame: pd.DataFrame, lang: Lang) -> str:
        outcome = frame["outcome"].iloc[0]
        return _missing({name: part[part["outcome"] == outcome] for name, part in tables.items()}, lang)

    return _of_each(results, "score_missing", say)


def _missing(tables: dict[str, pd.DataFrame], lang: Lang) -> str:
    table = tables["score_missing"]
    rows = table[(table["age_band"] == ALL_BANDS) & (table["wave"] == "after") & ~table["suppressed"]]
    gone = [
        f"{term(str(r['arm']), lang).lower()} {percent(r['share_missing'], lang=lang)}"
        for _, r in rows.iterrows()
    ]
    lead = "Ontbrekend erna" if lang == "nl" else "Missing after"
    parts = [f"{lead}: {', '.join(gone)}."] if gone else []
    row = _row(tables["score_effects"], "method", "imputed")
    if row is not None:
        parts += [_imputed(row, lang), _tips(tables["score_tipping"], lang)]
    return " ".join(part for part in parts if part) or TOO_FEW[lang]


def _imputed(row: pd.Series[Any], lang: Lang) -> str:
    said, limits = number(row["estimate"], 1, lang=lang), named_interval(row, 1, lang)
    times = number(float(row["n_imputations"]), lang=lang)
    if lang == "nl":
        return f"Met ontbrekende antwoorden {times} keer ingevuld is de uitkomst {said} punt ({limits})."
    return f"With missing answers imputed {times} times the result is {said} points ({limits})."


def _tips(frame: pd.DataFrame, lang: Lang) -> str:
    frame = frame[~frame["suppressed"]]
    if frame.empty:
        return ""
    row = frame.iloc[0]
    if frame["tips_at"].isna().all():
        far = number(frame["delta"].abs().max(), 1, lang=lang)
        if lang == "nl":
            return f"Ook als ingevulde scores van verwezen mensen {far} punt slechter waren, keert de conclusie niet om."
        return (
            f"Even if imputed scores of the referred were {far} points worse, the conclusion does not turn."
        )
    size = number(abs(row["tips_at"]), 1, lang=lang)
    if lang == "nl":
        return f"De conclusie keert om als ingevulde scores van verwezen mensen {size} punt slechter waren."
    return f"The conclusion turns if imputed scores of the referred were {size} points worse."


@words_or_sentence
def events(results: Results) -> Prose:
    """Say for each event how the mean time without it differs between the arms, or is among the referred."""
    frame, lang = results.table("event_effects"), results.lang
    parts = []
    for event in dict.fromkeys(frame["event"]):
        both = _row(frame, "measure", "days_difference", event=event)
        own = _row(frame, "measure", "mean_days_referred", event=event)
        name = term(f"event_{event}", lang)
        if both is not None:
            days = "dagen verschil" if lang == "nl" else "days of difference"
            said = f"{number(both['estimate'], 0, lang=lang)} {days} ({named_interval(both, 0, lang)})"
        elif own is not None:
            days = "dagen" if lang == "nl" else "days"
            said = f"{number(own['estimate'], 0, lang=lang)} {days} ({named_interval(own, 0, lang)})"
        else:
            said = "te weinig personen" if lang == "nl" else "too few persons"
        parts.append(f"{name}: {said}")
    lead = (
        "Gemiddelde tijd zonder de gebeurtenis, tot twee jaar na de indexdatum"
        if lang == "nl"
        else "Mean time without the event, up to two years after the index date"
    )
    return Prose(f"{lead}. {'; '.join(parts)}.")


# A trend before of more than so much a year, with certainty, cannot be the course of an untroubled population.
_STEEP: Final = 1.1


@words_or_sentence
def interrupted(results: Results) -> Prose:
    """Say what an interrupted time series makes of the year after, and whether a peak before drives it."""
    lang = results.lang
    found = _series_rows(results, "referred")
    if found is None:
        return Prose(
            "Er zijn te weinig maanden voor of na de verwijzing voor een onderbroken tijdreeks."
            if lang == "nl"
            else "There are too few months before or after referral for an interrupted time series."
        )
    parts = [_beside_trend(found["difference", "all_months"], lang)]
    without = found.get(("difference", "without_quarter_before"))
    if without is not None:
        parts.append(_without_peak(without, lang))
    beside = _series_rows(results, "contrast")
    if beside is None:
        parts.append(_driven_by_peak(found, lang))
    else:
        other = _series_rows(results, "comparison") or {}
        parts.append(_beside_comparison(other, beside["difference", "all_months"], lang))
    return Prose(" ".join(parts))


def _series_rows(results: Results, arm: str) -> dict[tuple[str, str], pd.Series[Any]] | None:
    """Give the rows of an arm by term and series, all ages; None where the difference is not there."""
    frame = results.table("interrupted")
    frame = frame[(frame["arm"] == arm) & (frame["age_band"] == ALL_BANDS) & ~frame["suppressed"]]
    frame = frame[frame["outcome"] == results.study.headline.outcomes[0]]
    rows = {(str(row["term"]), str(row["series"])): row for _, row in frame.iterrows()}
    return rows if ("difference", "all_months") in rows else None


def _beside_trend(row: pd.Series[Any], lang: Lang) -> str:
    size = number(abs(row["estimate"]), 1, lang=lang)
    limits = named_interval(row, 1, lang)
    if lang == "nl":
        way = "minder" if row["estimate"] < 0 else "meer"
        return (
            f"Als onderbroken tijdreeks gelezen waren er na de verwijzing {size} contacten per persoonsjaar {way} dan "
            f"de trend ervoor voorspelt (verschil {number(row['estimate'], 1, lang=lang)}; {limits})."
        )
    way = "fewer" if row["estimate"] < 0 else "more"
    return (
        f"Read as an interrupted time series there were {size} contacts per person-year {way} after referral than the "
        f"trend before predicts (difference {number(row['estimate'], 1, lang=lang)}; {limits})."
    )


def _without_peak(row: pd.Series[Any], lang: Lang) -> str:
    said, limits = number(row["estimate"], 1, lang=lang), named_interval(row, 1, lang)
    if lang == "nl":
        return f"Zonder de drie maanden net voor de verwijzing is dat {said} ({limits})."
    return f"Without the three months just before referral it is {said} ({limits})."


def _driven_by_peak(found: dict[tuple[str, str], pd.Series[Any]], lang: Lang) -> str:
    """Say that the line is fooled where contacts rose towards the referral, and what remains open where not."""
    trend = found.get(("trend", "all_months"))
    whole, without = found["difference", "all_months"], found.get(("difference", "without_quarter_before"))
    moved = without is not None and abs(whole["estimate"] - without["estimate"]) > without["std_error"]
    steep = trend is not None and trend["conf_low"] > _STEEP
    if lang == "nl":
        return (
            "**Dit is niet het effect van de verwijzing.** "
            "De contacten liepen naar de verwijzing toe op, en de tijdreeks trekt die stijging "
            "door alsof zij was blijven duren. Een piek zakt vanzelf: de onderbroken tijdreeks is hier misleid door "
            "regressie naar het gemiddelde, sterker nog dan de vergelijking van voor met na."
            if steep or moved
            else "Een stijging net voor de verwijzing bepaalt dit verschil niet. Wat verder met de verwijzing samenvalt, "
            "zit er wel in: lees het naast de verandering die zonder effect te verwachten is."
        )
    return (
        "**This is not the effect of the referral.** "
        "Contacts rose towards the referral, and the time series draws that rise on as if it "
        "would have lasted. A peak subsides by itself: the interrupted time series is fooled here by regression to the "
        "mean, more even than the comparison of before with after."
        if steep or moved
        else "A rise just before referral does not drive this difference. Whatever else coincides with the referral is "
        "in it: read it beside the change that is to be expected with no effect."
    )


def _beside_comparison(
    other: dict[tuple[str, str], pd.Series[Any]], beside: pd.Series[Any], lang: Lang
) -> str:
    row = other.get(("difference", "all_months"))
    if row is None:
        return TOO_FEW[lang]
    said, limits = number(beside["estimate"], 1, lang=lang), named_interval(beside, 1, lang)
    theirs = number(row["estimate"], 1, lang=lang)
    if lang == "nl":
        return (
            f"Maar vergelijkbare mensen met hetzelfde verloop, die niet werden verwezen, weken {theirs} van hun eigen "
            f"trend af: zoveel doet de piek vanzelf. Het verschil tussen beide reeksen is {said} ({limits})."
        )
    return (
        f"But comparable persons with the same course, who were not referred, departed {theirs} from their own trend: "
        f"that much a peak does by itself. The difference between the two series is {said} ({limits})."
    )
