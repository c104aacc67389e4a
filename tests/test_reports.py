"""The reports: their sources say nothing that is not computed, and their pages stand alone and can be read by all."""

import ast
import dataclasses
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

import wor_eval
from tests import browser
from tests.saved_study import saved, saved_folder
from wor_eval.assets import asset
from wor_eval.report import strobe, tables, words
from wor_eval.report.index_words import gate_lines, likely, outcome_lines
from wor_eval.report.qmd import Chunk, Inline, Prose, Report, read_qmd
from wor_eval.report.site import BRIEF, render_site

SOURCES = sorted(path for path in asset("reports").glob("*.qmd") if not path.name.startswith("_"))
COMMON = sorted(asset("reports").glob("_*.qmd"))
STUDIES = sorted({path.name.split(".")[0] for path in SOURCES})
LANGS = pytest.mark.parametrize("lang", ["nl", "en"])
# What may stand in a caption as digits: the level of an interval, and the width of a block of days.
FIXED_BY_THE_METHOD = re.compile(r"\b(95\s?%|30 (dagen|days))")
# In running text: the key of a citation, the name of a reference, an identifier.
NAMES = re.compile(r"@[\w:-]+|\{[#.][^}]*\}|\]\([^)]*\)")
every_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)


@cache
def report(path: Path) -> Report:
    return read_qmd(path)


def chunks(path: Path) -> list[Chunk]:
    return [piece for piece in report(path).pieces if isinstance(piece, Chunk)]


def code(path: Path) -> list[str]:
    """The code of a report in order, chunks and inline expressions."""
    return [piece.code.strip() for piece in report(path).pieces if not isinstance(piece, Prose)]


# Sources


@every_source
def test_no_digit_is_typed_in_running_text(path):
    prose = "".join(piece.text for piece in report(path).pieces if isinstance(piece, Prose))
    typed = [line for line in NAMES.sub("", prose).splitlines() if re.search(r"\d", line)]
    assert not typed, "a number in a report comes from the results"


@every_source
def test_captions_hold_no_digits_but_those_of_the_method(path):
    for chunk in chunks(path):
        for option in ("fig-cap", "tbl-cap", "fig-alt"):
            text = FIXED_BY_THE_METHOD.sub("", str(chunk.options.get(option, "")))
            assert not re.search(r"\d", text), f"{chunk.label}: {option}"


@every_source
def test_titles_hold_no_digits(path):
    front = report(path).front
    assert not re.search(r"\d", f"{front['title']} {front['subtitle']}")
    assert front["lang"] == path.name.split(".")[1]


@every_source
def test_every_figure_and_table_has_a_label_and_a_caption(path):
    for chunk in chunks(path):
        assert chunk.label, chunk.place
        if chunk.label.startswith("fig-"):
            assert chunk.options.get("fig-cap")
            assert chunk.options.get("fig-alt")
        elif chunk.label.startswith("tbl-"):
            assert chunk.options.get("tbl-cap")
        else:
            assert chunk.label == "setup"


@every_source
def test_every_chunk_is_one_call_of_the_package(path):
    for piece in report(path).pieces:
        if isinstance(piece, Prose) or (isinstance(piece, Chunk) and piece.label == "setup"):
            continue
        (statement,) = ast.parse(piece.code.strip()).body
        assert isinstance(statement, ast.Expr), piece.place
        assert re.match(r"we\.\w+\.\w+\(r\b", piece.code.strip()), piece.place


@every_source
def test_a_report_imports_only_the_package(path):
    imported = []
    for text in code(path):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                imported += [alias.name for alias in node.names]
            assert not isinstance(node, ast.ImportFrom)
    assert imported == ["wor_eval"]


@every_source
def test_every_call_is_of_something_public(path):
    for text in code(path):
        for module, name in re.findall(r"we\.(\w+)\.(\w+)\(", text):
            assert module in wor_eval.__all__
            assert callable(getattr(getattr(wor_eval, module), name))
            assert not name.startswith("_")


@every_source
def test_every_reference_points_at_something(path):
    labels = {chunk.label for chunk in chunks(path)}
    prose = "".join(piece.text for piece in report(path).pieces if isinstance(piece, Prose))
    sections = set(re.findall(r"\{#(sec-[\w-]+)\}", prose))
    named = set(re.findall(r"@((?:fig|tbl|sec)-[\w-]+)", prose))
    assert named <= labels | sections


@pytest.mark.parametrize("study", STUDIES)
def test_both_languages_are_the_same_report(study):
    dutch, english = (asset("reports", f"{study}.{lang}.qmd") for lang in ("nl", "en"))
    assert [chunk.label for chunk in chunks(dutch)] == [chunk.label for chunk in chunks(english)]
    assert [text.replace('lang="nl"', 'lang="en"') for text in code(dutch)] == code(english)
    kinds = [type(piece) for piece in report(dutch).pieces]
    assert kinds == [type(piece) for piece in report(english).pieces]
    assert kinds.count(Inline) > 0
    for chunk, other in zip(chunks(dutch), chunks(english), strict=True):
        assert set(chunk.options) == set(other.options)
    headings = [
        re.findall(r"^(#+) .*?(\{.*?\})$", "".join(p.text for p in report(path).pieces if isinstance(p, Prose)), re.M)
        for path in (dutch, english)
    ]  # fmt: skip
    assert headings[0] == headings[1]


def test_shared_parts_come_in_both_languages():
    names = {path.name.rsplit(".", 2)[0] for path in COMMON}
    for name in names:
        assert {path.name for path in COMMON} >= {f"{name}.nl.qmd", f"{name}.en.qmd"}


@pytest.mark.parametrize("study", STUDIES)
def test_a_report_belongs_to_a_study_plan(study):
    plan = {BRIEF: "cost_effectiveness", "power": "matched_cohort"}.get(study, study)
    assert asset("analyses", f"{plan}.toml").is_file()


# Pages, from a small synthetic study


class Page(HTMLParser):
    """What a reader of the page needs: images, headers, captions, identifiers, links, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.headers: list[dict[str, str | None]] = []
        self.tables = 0
        self.ids: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.html: dict[str, str | None] = {}
        self.words: list[str] = []
        self._hidden = 0
        self.feed(text)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self._hidden += tag in ("style", "script", "svg")
        if tag == "img":
            self.images.append(given)
        if tag == "th":
            self.headers.append(given)
        if tag == "html":
            self.html = given
        self.tables += tag == "table"
        if given.get("id"):
            self.ids.append(given["id"])
        if tag == "a":
            self.links.append(given.get("href") or "")
        if tag in ("img", "script", "iframe", "source", "object", "embed"):
            self.fetched.append(given.get("src") or given.get("data") or "data:")
        if tag == "link":
            self.fetched.append(given.get("href") or "")

    def handle_endtag(self, tag):
        self._hidden -= tag in ("style", "script", "svg")

    def handle_data(self, data):
        if not self._hidden:
            self.words.append(data)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The pages of the small study, in a folder whose name has a space and an accent."""
    out = tmp_path_factory.mktemp("site") / "één map"
    render_site(["before_after"], results=saved_folder(), out=out)
    return out


@pytest.fixture(scope="module")
def pages(site) -> dict[str, Page]:
    return {
        name: Page((site / file).read_text(encoding="utf-8"))
        for name, file in (
            ("nl", "before_after.nl.html"),
            ("en", "before_after.en.html"),
            ("index", "index.html"),
            ("index.en", "index.en.html"),
        )
    }


@pytest.mark.parametrize("name", ["nl", "en", "index", "index.en"])
def test_a_page_fetches_nothing(site, pages, name):
    assert all(address.startswith("data:") for address in pages[name].fetched)
    file = f"{name}.html" if name.startswith("index") else f"before_after.{name}.html"
    text = (site / file).read_text(encoding="utf-8")
    assert not re.search(r"@import|url\(\s*['\"]?(?!data:|#)", text)
    assert re.match(r"<!DOCTYPE html>", text)
    assert pages[name].html["lang"] == ("nl" if name == "index" else name.removeprefix("index."))


@LANGS
def test_every_figure_has_alternative_text(pages, lang):
    figures = [
        chunk for chunk in chunks(asset("reports", f"before_after.{lang}.qmd")) if "fig-alt" in chunk.options
    ]
    assert [image["alt"] for image in pages[lang].images] == [chunk.options["fig-alt"] for chunk in figures]
    assert len(figures) >= 4


@LANGS
def test_every_table_header_has_a_scope(pages, lang):
    page = pages[lang]
    expected = [
        chunk
        for chunk in chunks(asset("reports", f"before_after.{lang}.qmd"))
        if chunk.label.startswith("tbl-")
    ]
    assert page.tables == len(expected)
    assert page.headers
    assert all(header.get("scope") in ("col", "row") for header in page.headers)


@LANGS
def test_every_reference_is_resolved(pages, lang):
    page = pages[lang]
    labels = [
        chunk.label
        for chunk in chunks(asset("reports", f"before_after.{lang}.qmd"))
        if chunk.label != "setup"
    ]
    assert set(labels) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids)), "an identifier stands once"
    inside = [link[1:] for link in page.links if link.startswith("#")]
    assert set(inside) <= set(page.ids)
    assert not re.search(r"\?@|@fig-|@tbl-|@sec-|\[@", page.text)
    figure = "Figuur" if lang == "nl" else "Figure"
    assert f"{figure} 1" in page.text.replace("\u00a0", " ")


@LANGS
def test_the_page_says_what_the_results_say(pages, lang):
    text = pages[lang].text
    results = saved(lang)
    plain = re.sub(r"\*\*", "", words.headline(results).text)
    assert " ".join(plain.split()) in text
    assert results.study.question.in_(lang) in text
    for assumption in results.study.assumptions:
        assert assumption.text.in_(lang) in text
    for row in tables.effects(results, contrast="before_after", scale="ratio").rows:
        assert " ".join(row) in text
    assert tables.HIDDEN in text
    assert not re.search(r"\b(nan|None|NaN)\b", text)


def test_the_index_opens_every_page_in_both_languages(site, pages):
    for name, other in (("index", "index.en.html"), ("index.en", "index.html")):
        inside = [link for link in pages[name].links if not link.startswith("#")]
        assert set(inside) == {other, "before_after.nl.html", "before_after.en.html"}
        assert all((site / link).is_file() for link in inside)


@pytest.mark.parametrize(("name", "lang"), [("index", "nl"), ("index.en", "en")])
def test_the_index_says_what_was_found_by_outcome_and_age(pages, name, lang):
    text, results = pages[name].text, saved(lang)
    assert results.study.title.in_(lang) in text
    assert results.study.question.in_(lang) in text
    found = outcome_lines(results)
    assert [lines.label.split(":")[0].split(",")[0] for lines in found] == [
        outcome.label.in_(lang) for outcome in results.study.outcomes
    ]
    for outcome in found:
        assert len(outcome.lines) == 1 + len(results.study.cohort.band_names)
        for line in outcome.lines:
            assert re.sub(r"\*\*|~~", "", line) in text
    gates = gate_lines(results)
    assert gates
    for line in gates:
        assert line.replace("**", "") in text
    assert words.regression_to_mean(results).text.split("**")[1] in text


def test_nothing_else_is_left_in_the_folder(site):
    assert sorted(path.name for path in site.iterdir()) == [
        "before_after.en.html",
        "before_after.nl.html",
        "index.en.html",
        "index.html",
    ]


@LANGS
def test_strobe_and_record_are_answered_item_by_item(pages, lang):
    table = tables.strobe(saved(lang))
    numbers = [row[0] for row in table.rows]
    assert len(numbers) == len(set(numbers)) == 47
    assert {number.rstrip("abcde") for number in numbers if number[0] != "R"} == {
        str(n) for n in range(1, 23)
    }
    assert sum(number.startswith("R") for number in numbers) == 13
    for row in table.rows:
        assert row[1] in pages[lang].text


@pytest.mark.parametrize("kind", ["before_after", "matched_cohort"])
@LANGS
def test_strobe_points_at_parts_of_the_report_it_stands_in(kind, lang):
    path = asset("reports", f"{kind}.{lang}.qmd")
    prose = "".join(piece.text for piece in report(path).pieces if isinstance(piece, Prose))
    there = {chunk.label for chunk in chunks(path)} | set(re.findall(r"\{#(sec-[\w-]+)\}", prose))
    named = {place for item in strobe.items(kind) for place in re.findall(r"@([\w-]+)", item.where.in_(lang))}
    assert named <= there


# Pages in a browser


@pytest.fixture(scope="module")
def chromium():
    with browser.browser() as opened:
        yield opened


@pytest.mark.parametrize("file", ["before_after.nl.html", "index.en.html"])
@pytest.mark.parametrize("width", [browser.NARROW, 1280])
def test_axe_finds_nothing_and_nothing_sticks_out(site, chromium, file, width):
    with browser.opened(chromium, site / file, width=width) as page:
        assert browser.violations(page) == []
        assert browser.too_wide(page) == []


@pytest.mark.parametrize("file", ["before_after.en.html", "index.html"])
def test_a_page_fits_on_paper(site, chromium, file):
    sticks_out, pdf = browser.on_paper(chromium, site / file)
    assert sticks_out == []
    assert pdf.startswith(b"%PDF-")


def test_the_keyboard_goes_to_the_text_the_contents_and_what_scrolls(site, chromium):
    with browser.opened(chromium, site / "before_after.en.html", width=browser.NARROW) as page:
        order = browser.focus_order(page, presses=3)
        assert order[0] == "A.skip-link true"
        assert order[1].startswith("SUMMARY")
        page.focus("#main")
        inside = browser.focus_order(page, presses=40)
    assert all(place.endswith("true") for place in inside), "what has the focus shows it"
    assert any(place.startswith("DIV.figure-scroll") for place in inside)
    assert any(place.startswith("DIV.table-scroll") for place in inside)


def test_axe_and_the_ruler_do_find_what_is_wrong(chromium, tmp_path):
    pale, wide = "<p style='color:#ccc'>pale</p>", "<div style='width:900px'>wide</div>"
    (tmp_path / "wrong.html").write_text(f"<html><body><img src='data:,'>{pale}{wide}</body></html>")
    with browser.opened(chromium, tmp_path / "wrong.html", width=browser.NARROW) as page:
        found = " ".join(browser.violations(page))
        for rule in ("html-has-lang", "image-alt", "color-contrast", "document-title"):
            assert rule in found
        assert "the page scrolls to the side" in browser.too_wide(page)


@LANGS
def test_a_gate_that_fails_strikes_the_lines_of_its_age_band_on_the_index(lang):
    results = saved(lang)
    gates = results.table("gates")
    off = gates.assign(verdict=gates["verdict"].where(gates["age_band"] != "65+", "failed"), suppressed=False)
    changed = dataclasses.replace(results, tables={**results.tables, "gates": off})
    (_, younger, older) = outcome_lines(changed)[0].lines
    assert "~~" in older
    assert "~~" not in younger
    said = {"nl": "✗", "en": "✗"}[lang], {"nl": "niet gehaald", "en": "failed"}[lang]
    assert any(all(word in line for word in said) for line in gate_lines(changed))


def test_an_interval_is_said_in_words():
    assert likely(0.7, (0.6, 0.8), lang="nl") == "30% lager, en zeer waarschijnlijk tussen 20% en 40% lager"
    assert likely(1.2, (1.1, 1.3), lang="en") == "20% higher, and very likely between 10% and 30% higher"
    assert (
        likely(0.9, (0.7, 1.1), lang="en") == "no clear difference: it may be 30% lower, but also 10% higher"
    )
    assert likely(-250.0, (-400.0, -90.0), lang="en", unit="euros") == (
        "250 euros lower, and very likely between 90 and 400 euros lower"
    )


def test_a_limit_that_is_almost_no_difference_does_not_look_like_none():
    assert likely(0.86, (0.73, 1.004), lang="nl").endswith("27% lager zijn, maar ook 0,4% hoger")
    assert likely(0.9, (0.01, 1.7), lang="nl", unit="punt") == (
        "0,9 punt hoger, en zeer waarschijnlijk tussen 0,01 en 1,7 punt hoger"
    )
