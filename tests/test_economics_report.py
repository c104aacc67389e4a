"""The pages of an economic evaluation: they say what the results say, and never that something saves when it may not."""

import dataclasses
import re
from pathlib import Path

import pandas as pd
import pytest

from tests import browser
from tests.economics_study import economic_folder, economic_saved
from tests.test_reports import Page
from wor_eval import demo
from wor_eval.report import (
    beyond_words,
    brief_words,
    cheers,
    economics_figures,
    economics_tables,
    economics_words,
)
from wor_eval.report.economics_words import direction
from wor_eval.report.site import render_site
from wor_eval.study import study_plan

LANGS = pytest.mark.parametrize("lang", ["nl", "en"])
JARGON = re.compile(
    r"95\s?%|CI\b|\bBI\b|p-waarde|p-value|QALY|EVPI|bootstrap|\bICER\b|net benefit|nettobaat", re.IGNORECASE
)
SAVES = re.compile(r"\bbespa\w*|\bsav(e|es|ing|ings)\b", re.IGNORECASE)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("economics") / "pages"
    render_site(["cost_effectiveness"], results=economic_folder(), out=out)
    return out


@pytest.fixture(scope="module")
def pages(site) -> dict[str, Page]:
    names = [
        f"{kind}.{lang}"
        for kind in ("cost_effectiveness", "cost_effectiveness.brief")
        for lang in ("nl", "en")
    ]
    return {name: Page((site / f"{name}.html").read_text(encoding="utf-8")) for name in names}


def test_the_index_opens_the_report_and_the_brief(site) -> None:
    text = (site / "index.html").read_text(encoding="utf-8")
    for name in ("cost_effectiveness.nl", "cost_effectiveness.brief.nl", "cost_effectiveness.brief.en"):
        assert f"{name}.html" in text


def test_axe_finds_nothing_on_the_brief_and_it_fits_a_telephone_and_paper(site) -> None:
    brief = site / "cost_effectiveness.brief.nl.html"
    with browser.browser() as chromium:
        with browser.opened(chromium, brief, width=browser.NARROW) as page:
            assert browser.violations(page) == []
            assert browser.too_wide(page) == []
        assert browser.on_paper(chromium, brief)[0] == []
        assert browser.on_paper(chromium, site / "cost_effectiveness.en.html")[0] == []


def test_the_demo_shows_the_report_and_with_it_the_brief() -> None:
    assert "cost_effectiveness" in demo.STUDIES


@LANGS
def test_the_brief_says_of_how_many_the_health_is_known(lang) -> None:
    results = economic_saved(lang)
    rows = results.table("completeness").query("age_band == 'all'").set_index("arm")
    for arm in ("referred", "comparison"):
        share = round(100 * rows.loc[arm, "n_effect"] / rows.loc[arm, "n_matched"])
        assert f"{share} op de 100" in brief_words.answered(results).text.replace(" in 100", " op de 100")


@LANGS
def test_later_years_are_told_with_their_assumption_or_not_at_all(lang) -> None:
    results = economic_saved(lang)
    nothing = {"nl": "geen extrapolatie", "en": "no extrapolation"}[lang]
    assert nothing in beyond_words.beyond(results).text
    content = results.study.model_dump(mode="json")
    content["economics"]["beyond"] = {
        "years": 3,
        "effect": "linear",
        "costs": "none",
        "source": {"nl": "Aanname van de test.", "en": "Assumption of the test."},
    }
    rows = results.table("break_even").query("age_band == 'all'").head(1)
    table = pd.concat(
        [rows.assign(quantity=name, estimate=0.123, conf_low=-1.0, conf_high=2.0)
         for name in ("cost", "effect", "net_benefit")],
        ignore_index=True,
    )  # fmt: skip
    changed = dataclasses.replace(
        results, plan=study_plan(content), tables={**results.tables, "beyond": table}
    )
    text = beyond_words.beyond(changed).text
    falls = {"nl": "daalt in 3 jaar in een rechte lijn", "en": "straight line to zero in 3 years"}[lang]
    assert falls in text
    assert {"nl": "Aanname van de test.", "en": "Assumption of the test."}[lang] in text


def test_no_page_speaks_of_saving(pages) -> None:
    for name, page in pages.items():
        assert not SAVES.search(page.text), name


def test_every_reference_is_resolved(pages) -> None:
    for name, page in pages.items():
        assert not re.search(r"\?@|@fig-|@tbl-|@sec-|\[@|\bnan\b|None", page.text), name


@LANGS
def test_the_brief_has_no_jargon_and_the_report_its_answer(pages, lang) -> None:
    results = economic_saved(lang)
    brief, report = pages[f"cost_effectiveness.brief.{lang}"], pages[f"cost_effectiveness.{lang}"]
    assert not JARGON.search(brief.text)
    plain = re.sub(r"\*+", "", economics_words.answer(results).text)
    assert " ".join(plain.split()) in report.text
    for item in cheers.ITEMS:
        assert item.name.in_(lang) in report.text


@LANGS
def test_what_covers_zero_is_called_uncertain(lang) -> None:
    results = economic_saved(lang)
    frame = results.table("payer_balance").query("per == 'person' and part == 'net' and age_band == 'all'")
    text = brief_words.payers(results).text
    unclear = [row for _, row in frame.iterrows() if direction(row) == "unclear" and row["payer"] != "all"]
    assert unclear
    for row in unclear:
        name = {"nl": "zorgverzekeraar", "en": "insurer"}[lang]
        if row["payer"] == "zvw":
            sentence = next(part for part in text.split(".") if name in part)
            assert ("zekerheid" if lang == "nl" else "certainty") in sentence


@LANGS
def test_a_clear_result_is_said_and_an_unclear_one_is_not(lang) -> None:
    results = economic_saved(lang)
    frame = results.table("net_benefit")
    clear = frame.assign(conf_low=frame["conf_low"].abs() + 1, conf_high=frame["conf_high"].abs() + 2)
    changed = type(results)(
        plan=results.plan,
        tables={**results.tables, "net_benefit": clear},
        manifest=results.manifest,
        lang=lang,
    )
    worth = {"nl": "was in dit onderzoek zijn geld waard", "en": "was worth its money"}[lang]
    assert worth in brief_words.answer(changed).text
    assert worth not in brief_words.answer(results).text


@LANGS
@pytest.mark.parametrize(
    "draw", [economics_figures.plane, economics_figures.acceptability, economics_figures.net_benefit,
             economics_figures.payers, economics_figures.budget, economics_figures.tornado],
)  # fmt: skip
def test_figures_are_the_same_bytes_each_time(draw, lang) -> None:
    results = economic_saved(lang)
    first = draw(results)
    assert first.svg == draw(results).svg
    assert len(first.alt) > 20


def test_cheers_has_its_28_items_once() -> None:
    assert [item.number for item in cheers.ITEMS] == [str(n) for n in range(1, 29)]
    table = economics_tables.cheers(economic_saved("nl"))
    assert len(table.rows) == 28
    assert all(row[2] for row in table.rows)


def test_amounts_are_rounded_as_one_says_them() -> None:
    assert [brief_words.about(v, "nl") for v in (1234.0, -86.4, 0.2, 55_900)] == [
        "€ 1.200",
        "€ 86",
        "€ 0",
        "€ 56.000",
    ]
