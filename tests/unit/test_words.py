"""Sentences of a report follow from the saved results, in both languages, and give nothing hidden away."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from tests.saved_study import saved, saved_hidden
from wor_eval.assets import asset
from wor_eval.errors import WorEvalError
from wor_eval.report import matched_words, words
from wor_eval.report.other_headline import headline_by_name, other_outcome
from wor_eval.report.results import Results
from wor_eval.study import read_study

LANGS = pytest.mark.parametrize("lang", ["nl", "en"])
SENTENCES = (
    "title",
    "question",
    "headline",
    "regression_to_mean",
    "methods_disagree",
    "interaction",
    "assumptions",
    "period",
)


@pytest.fixture(scope="module")
def all_hidden() -> Results:
    return saved_hidden()


@LANGS
@pytest.mark.parametrize("name", SENTENCES)
def test_sentences_are_whole(name, lang):
    text = getattr(words, name)(saved(lang)).text
    assert len(text) > 10
    assert not re.search(r"\bnan\b|None|\{|\}", text)
    assert (
        getattr(words, name)(saved(lang))._repr_markdown_() == text == str(getattr(words, name)(saved(lang)))
    )


@LANGS
@pytest.mark.parametrize("name", SENTENCES)
def test_sentences_about_hidden_results_give_no_number_away(name, lang, all_hidden):
    if name in ("title", "question", "assumptions", "period"):
        return
    text = getattr(words, name)(all_hidden.in_(lang)).text
    assert not re.search(r"\d", text)
    assert text.endswith(".")


def test_the_headline_says_what_the_table_says():
    results = saved("en")
    found = words.estimate(
        results, contrast="before_after", age_band="all", method="gee_poisson", scale="ratio"
    )
    assert found is not None
    assert found.direction == "lower"
    text = words.headline(results).text
    assert found.text("en") in text
    difference = words.estimate(
        results, contrast="before_after", age_band="all", method="robust", scale="difference"
    )
    assert difference is not None
    fewer, low, high = -difference.estimate, -difference.conf_high, -difference.conf_low
    assert f"{fewer:.1f} fewer contacts per person per year (95% CI {low:.1f} to {high:.1f})" in text
    assert "At 65 and over it was" in text
    with pytest.raises(WorEvalError, match="0 effects fit sideways"):
        words.estimate(results, contrast="sideways", age_band="all", method="robust", scale="ratio")


def with_table(name: str, **columns: object) -> Results:
    results = saved("en")
    return dataclasses.replace(
        results, tables={**results.tables, name: results.table(name).assign(**columns)}
    )


def test_a_headline_that_could_not_be_estimated_is_not_called_unclear():
    nothing = dict.fromkeys(("estimate", "std_error", "conf_low", "conf_high", "p_value"), np.nan)
    text = words.headline(with_table("effects", **nothing)).text
    assert text == "The result cannot be given: too few persons or contacts stand behind it."
    frame = saved("en").table("effects")
    old = frame["age_band"] == "65+"
    partly = with_table("effects", **{name: frame[name].mask(old) for name in nothing})
    assert "65 and over" not in words.headline(partly).text
    assert "At age 18-64 it was" in words.headline(partly).text


@pytest.mark.parametrize(
    ("p", "says"), [(0.01, "differs"), (0.2, "does not demonstrably differ"), (np.nan, "cannot be given")]
)
def test_the_interaction_in_words(p, says):
    assert says in words.interaction(with_table("interaction", p_value=p)).text


@pytest.mark.parametrize(
    ("observed", "low", "high", "said"),
    [
        (-5.0, -2.0, 1.0, "explained"),
        (-5.0, 0.5, 2.0, "explained"),
        (-5.0, -3.0, -0.1, "beyond"),
        (0.0, -1.0, 1.0, "no_fall"),
        (2.0, -3.0, -1.0, "no_fall"),
        (-5.0, np.nan, np.nan, "unknown"),
    ],
)
def test_the_verdict(observed, low, high, said):
    results = with_table("regression_to_mean", observed=observed, conf_low=low, conf_high=high)
    assert words.verdict(results) == said
    assert words.verdict(results, age_band="65+") == said
    for lang in ("nl", "en"):
        text = words.regression_to_mean(results.in_(lang)).text
        assert ("cannot be said" in text or "niet te zeggen" in text) == (said == "unknown")


def test_the_verdict_takes_the_own_earlier_year_where_nobody_is_comparable():
    results = saved("en")
    frame = results.table("regression_to_mean")
    frame = frame[frame["method"] != "same_course"].copy()
    own = frame["method"] == "own_earlier_year"
    frame.loc[own, ["observed", "conf_low", "conf_high"]] = [-5.0, -3.0, -1.0]
    frame.loc[~own, ["observed", "conf_low", "conf_high"]] = [-5.0, -3.0, 1.0]
    others = {**results.tables, "regression_to_mean": frame}
    assert words.verdict(dataclasses.replace(results, tables=others)) == "beyond"
    frame = frame[frame["method"] == "linear"]
    others = {**results.tables, "regression_to_mean": frame}
    assert words.verdict(dataclasses.replace(results, tables=others)) == "unknown"
    del others["regression_to_mean"]
    assert words.verdict(dataclasses.replace(results, tables=others)) == "unknown"


def test_age_bands_as_in_a_sentence():
    assert words.age_words("18-64", "nl") == "18-64 jaar"
    assert words.age_words("65+", "nl") == "65 jaar en ouder"
    assert words.age_words("65+", "en") == "65 and over"


@pytest.mark.parametrize(
    ("lang", "scarce", "cancels"),
    [("en", "scarce", "own earlier year"), ("nl", "schaars", "eigen eerdere jaar")],
)
def test_a_difference_of_age_is_explained_where_it_is_beyond_the_limit(lang, scarce, cancels):
    rows = pd.DataFrame(
        {
            "age_band": ["65+", "65+"],
            "covariate": ["age", "n_chronic"],
            "sample": "after",
            "smd": [-0.14, 0.12],
            "flagged": True,
            "suppressed": False,
        }
    )

    def said(covariates: list[str], **changes: object) -> str:
        plan = read_study(asset("analyses", "matched_cohort.toml"))
        plan = plan.model_copy(update={"design": plan.design.model_copy(update=changes)})
        table = {"balance": rows[rows["covariate"].isin(covariates)]}
        return matched_words.balance(Results(plan=plan, tables=table, manifest={}).in_(lang)).text

    assert scarce in said(["age"]) and cancels in said(["age", "n_chronic"])
    assert scarce not in said(["n_chronic"]) and cancels not in said(["n_chronic"])
    assert scarce not in said(["age"], replacement=True)
    assert scarce not in said(["age"], method="ipw")


@LANGS
def test_a_headline_on_costs_is_told_by_its_name_and_not_as_contacts(lang):
    results = saved(lang)
    costs = next(o for o in results.study.outcomes if o.measure == "cost_per_year")
    effects = [
        effect.model_copy(update={"outcomes": (costs.name,)}) if effect.headline else effect
        for effect in results.study.effects
    ]
    plan = results.study.model_copy(update={"effects": tuple(effects)})
    about_costs = dataclasses.replace(results, plan=plan)
    assert other_outcome(results) is None
    assert other_outcome(about_costs) == costs
    ratio = words.estimate(
        results, contrast="before_after", age_band="all", method="gee_poisson", scale="ratio"
    )
    text = headline_by_name(about_costs, costs, {"all": ratio, "65+": ratio}).text
    label = costs.label.in_(lang)
    assert text.startswith(f"{label}, {'alle leeftijden' if lang == 'nl' else 'all ages'}: ")
    assert f"{label}, 65+: " in text
    assert ratio.text(lang) in text
    assert (
        "lager dan in het jaar voor" if lang == "nl" else "lower in the year after than in the year before"
    ) in text
    assert text.count("contact") == 2  # only in how to read the report
