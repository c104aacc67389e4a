"""The teaching site: every page runs, its links lead somewhere, and each lesson holds."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests import browser
from tests.test_reports import Page
from wor_eval.report.docs import STAGES, api_page, render_docs
from wor_eval.report.teaching import compare, known_study


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_docs(root / "docs", tmp_path_factory.mktemp("docs") / "site").parent


@pytest.mark.slow
def test_every_page_of_the_docs_is_made_and_every_link_leads_somewhere(root: Path, site: Path) -> None:
    sources = [
        path for path in (root / "docs").iterdir() if path.suffix in (".qmd", ".md") and path.name[0] != "_"
    ]
    expected = {f"{path.stem}.html" for path in sources} | {f"api_{stage}.html" for stage in STAGES}
    assert {path.name for path in site.iterdir()} == expected
    for path in site.glob("*.html"):
        page = Page(path.read_text(encoding="utf-8"))
        assert len(page.ids) == len(set(page.ids)), path.name
        for link in page.links:
            address, _, part = unquote(link).partition("#")
            if address.startswith(("http:", "https:")):
                continue
            assert (site / address).exists() if address else part in page.ids, f"{path.name}: {link}"


@pytest.mark.slow
def test_a_page_shows_its_code_and_what_it_gives(site: Path) -> None:
    page = (site / "before_after.html").read_text(encoding="utf-8")
    assert "known_study" in page
    assert "✗ no" in page
    assert "✓ yes" in page


@pytest.mark.slow
def test_axe_finds_nothing_on_a_lesson(site: Path) -> None:
    with (
        browser.browser() as chromium,
        browser.opened(chromium, site / "matching.html", width=browser.NARROW) as page,
    ):
        assert browser.violations(page) == []
        assert browser.too_wide(page) == []


@pytest.mark.slow
@pytest.mark.parametrize("naive", ["before_after", "unmatched"])
def test_the_naive_answer_is_wrong_and_the_recommended_one_right(naive: str) -> None:
    """What the pages teach, with and without an effect; the simulated studies are the same each time."""
    for scenario in ("null-peak", "effect"):
        table = compare(known_study(scenario), naive, "quarters_earlier")
        holds = {(row[0], row[-1]) for row in table.rows}
        assert holds == {(table.rows[0][0], "✗ no"), (table.rows[-1][0], "✓ yes")}


@pytest.mark.parametrize("stage", STAGES)
def test_every_public_function_of_a_stage_is_listed(stage: str) -> None:
    listed = set(re.findall(r"^### (\w+)$", api_page(stage), re.M))
    folder = Path(__file__).parents[1] / "wor_eval" / stage
    written = {
        name
        for path in folder.glob("*.py")
        for name in re.findall(r"^(?:def|class) ([A-Za-z]\w*)", path.read_text(encoding="utf-8"), re.M)
    }
    assert written <= listed
