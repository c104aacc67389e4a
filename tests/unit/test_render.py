"""Rendering a .qmd: both languages, figures, tables, references, errors, and the choice of renderer."""

import os
import re
import shutil
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from wor_eval.errors import ReportError
from wor_eval.report.render import outside_resources, render_report

SETUP = """```{python}
#| label: setup
#| include: false
import os
class Markdown:
    def __init__(self, text):
        self.text = text
    def _repr_markdown_(self):
        return self.text
class Picture:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 2 1'><g id='a'/></svg>",
                "text/plain": "Zegt zelf wat te zien is"}
print("not shown")
n = 1234
```
"""

BODY = (
    SETUP
    + """
## Kort {#sec-kort}

Er zijn `{python} n` mensen; `{python} Markdown("**−1,2**")`; `{python} "p < 0_001 *x*"`.
Zie @fig-een, [-@fig-twee], [@fig-een; @tbl-kern], @tbl-kern, @tbl-zelf en @sec-diep. Bron [@barnett2005].

{{< include _common.qmd >}}

::: {.callout-warning title="Let *op*"}
Tekst.
:::

::: {.callout-note}
Zonder titel.
:::

```{python}
#| label: fig-een
#| fig-cap: "Een *figuur*"
#| fig-alt: 'Zegt "wat" & hoe \\ te zien is'
import matplotlib.pyplot as plt
plt.plot([1, 2, 3])
plt.title("x");
```

```{python}
#| label: fig-twee
#| fig-cap: "Nog een"
Picture()
```

### Diep {#sec-diep}

```{python}
#| label: tbl-kern
#| tbl-cap: "Kern"
Markdown("| Band | n |\\n|:---|---:|\\n| 18-64 | 10 |\\n")
```

| a | b |
|---|---|
| 1 | 2 |

: Zelf geschreven {#tbl-zelf}

::: {.panel-tabset}
### Tab een
Eerst.
:::

```{python}
#| output: asis
print("**ruw**")
```

```{python}
print(os.environ["WOR_EVAL_RESULTS"] == os.environ["EXPECTED"], "resultaten")
```

$x^2$
"""
)


@pytest.fixture(scope="module")
def reports(root, tmp_path_factory):
    """A folder with the project's own style and settings."""
    folder = tmp_path_factory.mktemp("site") / "reports"
    folder.mkdir()
    for name in ("_quarto.yml", "_template.html", "style.css", "references.bib"):
        shutil.copy(root / "reports" / name, folder)
    shutil.copytree(root / "reports" / "_filters", folder / "_filters")
    (folder / "_common.qmd").write_text("Gedeelde zin van `{python} n` mensen.\n", encoding="utf-8")
    return folder


def render(folder: Path, body: str, *, front: str = "lang: en", name: str = "case", **options) -> str:
    qmd = folder / f"{name}.qmd"
    qmd.write_text(f'---\ntitle: "Titel"\n{front}\n---\n\n{body}', encoding="utf-8")
    output = folder.parent / "pages" / f"{name}.html"
    assert render_report(qmd, output=output, renderer="builtin", **options) == output
    return output.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pages(reports):
    """The same report in Dutch and in English."""
    results = reports.parent / "results"
    results.mkdir()
    os.environ["EXPECTED"] = str(results.resolve())
    front = (
        "subtitle: Onder\nauthor:\n  - name: A. Maker\n  - B. Maker\ndate: 2026-03-05\nabstract: In 't kort."
    )
    try:
        return {
            lang: render(reports, BODY, front=f"{front}\nlang: {lang}", name=f"full.{lang}", results=results)
            for lang in ("nl", "en")
        }
    finally:
        del os.environ["EXPECTED"]


class Outline(HTMLParser):
    """Every start tag with its attributes, and the text of the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def words(page: str) -> str:
    return " ".join(Outline(page).text.replace("\u00a0", " ").split())


WORDS = {
    "nl": ("Figuur", "Tabel", "Paragraaf", "Inhoudsopgave", "Samenvatting", "5 maart 2026", "Referenties"),
    "en": ("Figure", "Table", "Section", "Table of contents", "Abstract", "5 March 2026", "References"),
}


@pytest.mark.parametrize("lang", ["nl", "en"])
def test_words_and_numbers_follow_the_language(pages, lang):
    figure, table, section, *others, references = WORDS[lang]
    text = words(pages[lang])
    assert f"Zie {figure} 1, 2, {figure} 1, {table} 1, {table} 1, {table} 2 en {section} 1.1." in text
    assert f"{figure} 1: Een figuur" in text
    assert f"{figure} 2: Nog een" in text
    assert f"{table} 1: Kern" in text
    assert f"{table} 2: Zelf geschreven" in text
    assert all(word in text for word in (*others, "A. Maker, B. Maker"))
    assert re.search(rf'<h2[^>]*id="references">{references}</h2>', pages[lang])
    assert Outline(pages[lang]).all("html")[0]["lang"] == lang


def test_inline_code_and_includes(pages):
    text = words(pages["nl"])
    assert "Er zijn 1234 mensen; −1,2; p < 0_001 *x*." in text
    assert "<strong>−1,2</strong>" in pages["nl"]
    assert "Gedeelde zin van 1234 mensen." in text
    assert "not shown" not in text
    assert "{python}" not in text
    assert "<strong>ruw</strong>" in pages["nl"]


def test_results_folder_reaches_the_code(pages):
    assert "True resultaten" in words(pages["nl"])


def test_citation_and_bibliography(pages):
    assert "Bron (Barnett e.a. 2005)" in words(pages["nl"])
    assert "Bron (Barnett et al. 2005)" in words(pages["en"])
    assert 'href="https://doi.org/10.1093/ije/dyh299"' in pages["nl"]


def test_callouts_name_their_kind(pages):
    assert "Waarschuwing: Let op" in words(pages["nl"]) and "Opmerking Zonder titel" in words(pages["nl"])
    assert "Warning: Let op" in words(pages["en"]) and "Note Zonder titel" in words(pages["en"])


def test_figures_are_images_with_alternative_text(pages):
    page = Outline(pages["nl"])
    images = page.all("img")
    assert [image["alt"] for image in images] == [
        'Zegt "wat" & hoe \\ te zien is',
        "Zegt zelf wat te zien is",
    ]
    assert all(image["src"].startswith("data:image/svg+xml;base64,") for image in images)
    assert sum(tag == "figcaption" for tag, _ in page.tags) == 4


def test_no_identifier_is_used_twice(pages):
    # each SVG is an image of its own, so the identifiers that matplotlib repeats cannot meet
    for page in pages.values():
        identifiers = [attrs["id"] for _, attrs in Outline(page).tags if "id" in attrs]
        assert len(identifiers) == len(set(identifiers))
        assert "<svg" not in page


def test_links_inside_the_page_arrive(pages):
    page = Outline(pages["nl"])
    identifiers = {attrs.get("id") for _, attrs in page.tags}
    targets = {link["href"][1:] for link in page.all("a") if link["href"].startswith("#")}
    assert targets <= identifiers


def test_tables_have_scopes_and_a_caption_they_are_named_by(pages):
    page = Outline(pages["nl"])
    assert {header.get("scope") for header in page.all("th")} == {"col", "row"}
    assert [table["aria-labelledby"] for table in page.all("table")] == [
        "tbl-kern-caption",
        "tbl-zelf-caption",
    ]
    assert '<td style="text-align: right;">10</td>' in pages["nl"]


def test_the_page_stands_alone(pages):
    for page in pages.values():
        assert outside_resources(page) == []
        fetched = [attrs.get("src") or "" for tag, attrs in Outline(page).tags if tag != "a"]
        assert not any(address.startswith("http") for address in fetched)
        assert Outline(page).all("link") == []
        assert "<math" in page


def test_landmarks_skip_link_and_outline(pages):
    page = Outline(pages["nl"])
    tags = [tag for tag, _ in page.tags]
    assert [tags.count(tag) for tag in ("header", "nav", "main", "h1")] == [1, 1, 1, 1]
    assert page.all("a")[0]["href"] == "#main"
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    contents = pages["nl"].split("</nav>")[0]
    assert "Diep" in contents and "Tab een" not in contents


def test_same_report_same_bytes(reports):
    body = (
        SETUP
        + "```{python}\n#| label: fig-a\n#| fig-cap: A\n#| fig-alt: B\nimport matplotlib.pyplot as plt\n"
    )
    body += "plt.plot([1, 2])\nplt.show()\n```\n"
    assert render(reports, body, name="again") == render(reports, body, name="again")


def test_failing_code_is_named_and_the_earlier_page_stays(reports):
    earlier = render(reports, "Goed.\n", name="fails")
    with pytest.raises(ReportError) as caught:
        render(
            reports, "\n```{python}\n#| label: tbl-fout\nraise ValueError('geen rijen')\n```\n", name="fails"
        )
    assert str(caught.value) == ("fails.qmd: chunk 'tbl-fout' (fails.qmd, line 7): ValueError: geen rijen")
    assert (reports.parent / "pages" / "fails.html").read_text(encoding="utf-8") == earlier
    assert [path.name for path in (reports.parent / "pages").glob(".*")] == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("Zie @fig-niets en @tbl-weg.\n", "@fig-niets points at nothing"),
        ("# Kop\n", "a heading of level 1"),
        ("Zie [@sec-a; @barnett2005].\n\n## A {#sec-a}\n", "and a citation are read as one"),
        ("Bron [@onbekend2000].\n", "onbekend2000"),
        ("![Weg](weg.png)\n", "weg.png"),
        ("::: {#tbl-x}\n| a | b |\n|---|---|\n| 1 | 2 |\n:::\n", "tbl-x has no caption"),
        ("{{< include weg.qmd >}}\n", "the included file weg.qmd does not exist"),
    ],
)
def test_holes_in_a_report_are_errors(reports, body, message):
    with pytest.raises(ReportError) as caught:
        render(reports, body)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("`{python} 'a\\u00a0b'`", "a sign that Quarto prints as an escape"),
        ("`{python} [1, 2]`", "must give a text, a plain number or Markdown"),
        ("`{python} float('nan')`", "must give a text, a plain number or Markdown"),
        ("`{python} x = 1`", "must give one value and print nothing"),
        ("`{python} 1 / 0`", "inline code `1 / 0` (case.qmd, line 6): ZeroDivisionError: division by zero"),
        ("```{python}\nimport pandas as pd\npd.DataFrame({'a': [1]})\n```", "shows text/html"),
        ("```{python}\nPicture()\nPicture()\n```", None),
        ("```{python}\n#| label: fig-a\n#| fig-cap: c\n1\n2\nNone\n```", "shows 0"),
        ("```{python}\n#| label: x\n#| fig-cap: c\nPicture()\n```", "no label that starts with fig- or tbl-"),
        ("```{python}\nimport matplotlib.pyplot as plt\nplt.plot([1]);\n```", "a figure without fig-alt"),
        ("```{python}\nimport os\nos._exit(1)\n```", "the Python process ended"),
    ],
)
def test_what_code_may_show(reports, code, message):
    body = f"{code}\n" if "Picture" not in code else f"{SETUP}\n{code}\n"
    if message is None:
        assert "data:image/svg+xml" in render(reports, body)
        return
    with pytest.raises(ReportError) as caught:
        render(reports, body)
    assert message in str(caught.value)


def test_numbering_can_be_off_and_code_shown(reports):
    page = render(
        reports,
        "## Kop\n\n```{python}\n#| echo: true\n1 + 1\n```\n",
        front="lang: en\nnumber-sections: false\ntoc: false",
    )
    assert "header-section-number" not in page.split("<main")[1]
    assert "1 + 1" in words(page)
    assert "<nav" not in page


@pytest.mark.parametrize("front", ["lang: fr", "lang: nl\ndate: today", "author:\n  - email: x"])
def test_front_matter_that_cannot_be_used(reports, front):
    with pytest.raises(ReportError):
        render(reports, "x\n", front=front)


def test_results_folder_must_exist(reports):
    with pytest.raises(ReportError, match="no folder with results called nowhere"):
        render(reports, "x\n", results=reports / "nowhere")
