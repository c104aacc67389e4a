"""Reports as PDF and Word: real tables and figures with their text, in the language of the report, made offline."""

import re
import shutil
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.unit.test_render import BODY
from wor_eval.errors import ReportError
from wor_eval.report.notebook import Session
from wor_eval.report.render import render_formats, render_report

WORD = {"w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main"}
LANGS = pytest.mark.parametrize("lang", ["nl", "en"])
# The picture of the shared body gives only SVG; Word needs PNG beside it, as the figures of the package have.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
PAPER_BODY = (
    BODY.replace('"text/plain": "Zegt', f'"image/png": "{PNG}", "text/plain": "Zegt')
    .replace("import matplotlib.pyplot as plt\nplt.plot([1, 2, 3])\nplt.title(\"x\");", "Picture()")
    .replace('print(os.environ["WOR_EVAL_RESULTS"] == os.environ["EXPECTED"], "resultaten")', 'print("klaar")')
)  # fmt: skip


@pytest.fixture(scope="module")
def reports(root, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("paper") / "reports"
    shutil.copytree(root / "reports", folder)
    (folder / "_common.qmd").write_text("Gedeelde zin van `{python} n` mensen.\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def documents(reports) -> dict[str, dict[str, Path]]:
    """The same report in every format and language, its code run once for each language, in one process."""
    made = {}
    with Session() as session:
        for lang in ("nl", "en"):
            qmd = reports / f"case.{lang}.qmd"
            qmd.write_text(
                f'---\ntitle: "Titel & \\"zo\\""\nsubtitle: Onder\nlang: {lang}\ntoc: true\n---\n\n{PAPER_BODY}'
            )
            outputs = [reports.parent / f"case.{lang}.{kind}" for kind in ("html", "pdf", "docx")]
            render_formats(qmd, outputs=outputs, session=session, renderer="builtin")
            made[lang] = {path.suffix: path for path in outputs}
    return made


def document(path: Path) -> ElementTree.Element:
    with zipfile.ZipFile(path) as archive:
        return ElementTree.fromstring(archive.read("word/document.xml"))


def text_of(element: ElementTree.Element) -> str:
    return " ".join("".join(node.itertext()) for node in element.iter(f"{{{WORD['w']}}}p"))


@LANGS
def test_word_has_real_tables_with_a_header_row_and_a_caption(documents, lang):
    body = document(documents[lang][".docx"])
    tables = [
        table for table in body.iter(f"{{{WORD['w']}}}tbl") if table.find(".//w:tblHeader", WORD) is not None
    ]
    assert len(tables) == 2
    rows = [list(row.iter(f"{{{WORD['w']}}}tc")) for row in tables[0].findall("w:tr", WORD)]
    assert [["".join(cell.itertext()) for cell in row] for row in rows] == [["Band", "n"], ["18-64", "10"]]
    text = text_of(body).replace("\u00a0", " ")
    word = {"nl": "Tabel", "en": "Table"}[lang]
    figure = {"nl": "Figuur", "en": "Figure"}[lang]
    for caption in (f"{word} 1: Kern", f"{word} 2: Zelf geschreven", f"{figure} 1: Een figuur"):
        assert caption in text
    assert not re.search(r"\?@|@fig-|@tbl-|@sec-|\[@", text)


@LANGS
def test_word_has_figures_with_alternative_text_and_the_language(documents, lang):
    with zipfile.ZipFile(documents[lang][".docx"]) as archive:
        media = [name for name in archive.namelist() if name.startswith("word/media/")]
        xml = archive.read("word/document.xml").decode()
        styles = archive.read("word/styles.xml").decode()
    assert media and all(name.endswith(".png") for name in media)
    assert 'descr="Zegt &quot;wat&quot; &amp; hoe \\ te zien is"' in xml
    assert 'descr="Zegt zelf wat te zien is"' in xml
    assert re.findall(r'<w:lang [^>]*w:val="([^"]+)"', styles) == [{"nl": "nl-NL", "en": "en-GB"}[lang]]


@LANGS
def test_a_pdf_is_tagged_for_screen_readers_and_says_its_language(documents, lang):
    content = documents[lang][".pdf"].read_bytes()
    assert content.startswith(b"%PDF-")
    assert b"/StructTreeRoot" in content
    assert f"/Lang({lang})".encode() in content
    assert b"/Alt" in content
    assert b"pdfuaid" in content


def test_code_runs_once_and_a_session_keeps_nothing(reports):
    first, second = reports / "first.qmd", reports / "second.qmd"
    first.write_text("---\ntitle: A\nlang: en\n---\n\n```{python}\nkept = 1\n```\n")
    second.write_text("---\ntitle: B\nlang: en\n---\n\n`{python} 'kept' in globals() and 1 or 0`\n")
    with Session() as session:
        for qmd in (first, second):
            render_formats(qmd, outputs=[qmd.with_suffix(".html")], session=session, renderer="builtin")
    assert "<p>0</p>" in second.with_suffix(".html").read_text(encoding="utf-8")


def test_an_unknown_format_is_refused(reports, tmp_path):
    with pytest.raises(ReportError, match=r"\.odt: a report is written as \.html, \.pdf, \.docx"):
        render_report(reports / "first.qmd", output=tmp_path / "first.odt")


def test_the_same_report_gives_the_same_bytes(documents, reports, tmp_path):
    for kind in (".pdf", ".docx"):
        again = render_report(reports / "case.nl.qmd", output=tmp_path / f"again{kind}", renderer="builtin")
        assert again.read_bytes() == documents["nl"][kind].read_bytes()
