"""Rendering by Quarto (a stand-in that records how it is called), and the index of reports."""

import json
import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from wor_eval.errors import ReportError
from wor_eval.report.index import IndexPage, render_index
from wor_eval.report.index_words import OutcomeLines
from wor_eval.report.render import outside_resources, render_report


@pytest.fixture
def reports(root, tmp_path):
    """A folder with the project's own style and settings."""
    folder = tmp_path / "reports"
    folder.mkdir()
    for name in ("_quarto.yml", "_template.html", "style.css", "references.bib"):
        shutil.copy(root / "reports" / name, folder)
    shutil.copytree(root / "reports" / "_filters", folder / "_filters")
    return folder


STUB = """#!{python}
import json, os, pathlib, sys
args = sys.argv[1:]
qmd = pathlib.Path(args[1])
record = {{"args": args, "results": os.environ.get("WOR_EVAL_RESULTS"), "python": os.environ["QUARTO_PYTHON"],
          "style": (qmd.parent / "style.css").is_file()}}
pathlib.Path({record!r}).write_text(json.dumps(record))
sys.stderr.write({stderr!r})
(qmd.parent / args[args.index("--output") + 1]).write_text({page!r})
sys.exit({code})
"""


@pytest.fixture
def quarto(tmp_path, monkeypatch):
    """Put a stand-in for Quarto on the PATH; returns where it records how it was called."""

    def install(*, page: str = "<p>by quarto</p>", stderr: str = "", code: int = 0) -> Path:
        record = tmp_path / "record.json"
        command = tmp_path / "bin" / "quarto"
        command.parent.mkdir()
        command.write_text(
            STUB.format(python=sys.executable, record=str(record), page=page, stderr=stderr, code=code)
        )
        command.chmod(command.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
        return record

    return install


def test_quarto_renders_where_it_is_installed(quarto, reports, tmp_path):
    record = quarto()
    (reports / "q.nl.qmd").write_text("---\ntitle: T\n---\n", encoding="utf-8")
    before = sorted(reports.iterdir())
    output = render_report(reports / "q.nl.qmd", output=tmp_path / "q.html", results=tmp_path)
    assert output.read_text(encoding="utf-8") == "<p>by quarto</p>"
    called = json.loads(record.read_text())
    assert called["args"][0] == "render" and called["args"][1].endswith("q.nl.qmd")
    assert Path(called["args"][1]).parent != reports
    assert called["args"][called["args"].index("--to") + 1] == "html"
    assert called["args"][called["args"].index("--execute-dir") + 1] == str(reports.resolve())
    assert called["results"] == str(tmp_path.resolve())
    assert called["python"] == sys.executable and called["style"]
    assert sorted(reports.iterdir()) == before


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"code": 1, "stderr": "ERROR: bad yaml\n"}, "ERROR: bad yaml"),
        ({"stderr": "WARN: Unable to resolve crossref @fig-x\n"}, "@fig-x"),
        (
            {"page": "<script src='https://cdn.example/require.js'></script>"},
            "https://cdn.example/require.js",
        ),
    ],
)
def test_quarto_page_that_is_not_whole_is_refused(quarto, reports, how, message):
    quarto(**how)
    (reports / "q.qmd").write_text("---\ntitle: T\n---\n", encoding="utf-8")
    output = reports.parent / "q.html"
    with pytest.raises(ReportError) as caught:
        render_report(reports / "q.qmd", output=output)
    assert message in str(caught.value)
    assert not output.exists()


def test_quarto_asked_for_but_absent(reports, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReportError, match="Quarto is not on the PATH"):
        render_report(reports / "q.qmd", output=tmp_path / "q.html", renderer="quarto")


def test_index_links_the_reports(reports, tmp_path):
    files = {
        lang: [tmp_path / "site" / f"a b.{lang}.{kind}" for kind in ("html", "pdf")] for lang in ("nl", "en")
    }
    files["nl"][0].parent.mkdir()
    for path in files["nl"] + files["en"]:
        path.write_text("x")
    found = OutcomeLines(label="Welbevinden", lines=("18-64 jaar: ~~hoger~~.",))
    page = IndexPage(title="Voor & na *x*", question="Eén zin over [dit]?", outcomes=(found,), files=files)
    output = render_index(
        [page], output=tmp_path / "index.html", reports=reports, title="Rapporten", lang="nl"
    )
    html = output.read_text(encoding="utf-8")
    for text in (
        "Voor &amp; na *x*",
        "Eén zin over [dit]?",
        "18-64 jaar: <del>hoger</del>.",
        "In English",
        ">PDF<",
    ):
        assert text in html
    assert 'href="site/a%20b.nl.html"' in html and 'hreflang="en"' in html
    assert outside_resources(html) == []
    files["en"][1].unlink()
    with pytest.raises(ReportError, match="do not exist"):
        render_index([page], output=output, reports=reports, title="Rapporten")
