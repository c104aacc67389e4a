"""The pages of published evidence and of a planned study: they stand alone and say what the results say."""

from __future__ import annotations

import re

import pytest

from tests.planned_study import planned_folder, planned_saved
from tests.test_reports import Page
from wor_eval.assets import asset
from wor_eval.report import power_words, published_figures, published_tables, published_words
from wor_eval.report.results import load_results, save_results
from wor_eval.report.site import render_study
from wor_eval.run import run_study
from wor_eval.study import read_study

LANGS = pytest.mark.parametrize("lang", ["nl", "en"])


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    save_results(run_study(None, read_study(asset("analyses", "published_evidence.toml"))), folder)
    return folder


@pytest.fixture(scope="module")
def pages(evidence, tmp_path_factory):
    out = tmp_path_factory.mktemp("pages")
    found = {}
    for study, results in (("published_evidence", evidence), ("small_power", planned_folder())):
        for page in render_study(study, results=results, out=out):
            found[study, page.name.split(".")[1]] = Page(page.read_text(encoding="utf-8"))
    return found


def plain(text: str) -> str:
    return " ".join(re.sub(r"\*\*", "", text).split())


@LANGS
@pytest.mark.parametrize("study", ["published_evidence", "small_power"])
def test_a_page_stands_alone_and_shows_no_gap(pages, study, lang):
    page = pages[study, lang]
    assert all(address.startswith("data:") for address in page.fetched)
    assert not re.search(r"\b(nan|None|NaN)\b|\?@|@fig-|@tbl-|\[@", page.text)
    assert page.images
    assert all(image["alt"] for image in page.images)
    assert all(header.get("scope") in ("col", "row") for header in page.headers)
    inside = [link[1:] for link in page.links if link.startswith("#")]
    assert set(inside) <= set(page.ids)


@LANGS
def test_published_evidence_says_what_its_results_say(pages, evidence, lang):
    results = load_results("published_evidence", lang=lang, folder=evidence)
    page = pages["published_evidence", lang].text
    for words in (published_words.answer(results), published_words.misquotes(results)):
        assert plain(words.text).split(".")[0] in page
    said = published_words.what_does_not_follow(results).text
    for number in ("1.956", "1.573", "2.133") if lang == "nl" else ("1,956", "1,573", "2,133"):
        assert number in said
    assert "Munford" in said
    beside = published_tables.beside(results)
    assert beside.rows[0][0] == "Munford et al. (2020)", "what does not follow stands first"
    assert beside.rows[0][4].startswith("−383")
    assert plain(beside.rows[0][5]) == ("Volgt niet" if lang == "nl" else "Does not follow")
    assert "44%" in published_words.misquotes(results).text
    assert "Munford et al. (2020)" in published_figures.forest(results).alt


@LANGS
def test_a_planned_study_says_what_its_results_say(pages, lang):
    results, page = planned_saved(lang), pages["small_power", lang].text
    for words in (
        power_words.answer(results),
        power_words.what_it_takes(results),
        power_words.false_alarms(results),
        power_words.formula(results),
    ):
        assert plain(words.text) in page
    assert results.plan.question.in_(lang) in page
