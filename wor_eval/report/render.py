"""Render a report: by Quarto where it is installed, else by the built-in renderer.

Both read the same .qmd, run its code, and make one HTML page that fetches nothing when it is viewed. The
page replaces an earlier one only when it is whole.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal
from urllib.parse import quote

from wor_eval.errors import ReportError
from wor_eval.report.notebook import code_environment, run_report
from wor_eval.report.pandoc import read_settings, to_html
from wor_eval.report.qmd import read_qmd
from wor_eval.study import Lang
from wor_eval.whole import whole_file

Renderer = Literal["auto", "quarto", "builtin"]

_LEFT_BEHIND: Final = shutil.ignore_patterns("*.html", "*_files", ".quarto", ".jupyter_cache", "__pycache__")
# Quarto only warns about these; a report with a hole in it must not be published.
_QUARTO_WARNINGS: Final = ("Unable to resolve crossref", "Citeproc: citation", "Could not fetch resource")
_LANGUAGES: Final[Mapping[Lang, str]] = {"nl": "Nederlands", "en": "English"}


def render_report(
    qmd: Path, *, output: Path, results: Path | None = None, renderer: Renderer = "auto"
) -> Path:
    r"""Render a .qmd report to one self-contained HTML page.

    Parameters
    ----------
    qmd : Path
        The report. The ``_quarto.yml`` beside it gives template, style sheet, filters and options to both
        renderers.
    output : Path
        The page to write. An earlier page is replaced only by a whole new one.
    results : Path, optional
        Folder with results, given to the code of the report as ``WOR_EVAL_RESULTS``.
    renderer : {"auto", "quarto", "builtin"}
        ``auto`` takes Quarto where the command ``quarto`` is found. The built-in renderer runs the code with
        nbclient in the running interpreter and converts with Pandoc (from the package ``pypandoc_binary``).

    Returns
    -------
    Path
        `output`.

    Raises
    ------
    ReportError
        If code in the report fails (the message gives report, chunk, error type and message), a file it
        includes is missing, a reference or citation points at nothing, or the page would fetch something.

    Examples
    --------
    >>> with TemporaryDirectory() as folder:
    ...     qmd = Path(folder) / "small.qmd"
    ...     _ = qmd.write_text("---\ntitle: Small\nlang: en\n---\n## Hello {#sec-hello}\n\nSee @sec-hello.\n")
    ...     page = render_report(qmd, output=Path(folder) / "small.html", renderer="builtin")
    ...     "Section\u00a01</a>" in page.read_text(encoding="utf-8")
    True
    """
    if results is not None and not results.is_dir():
        raise ReportError(f"{qmd.name}: there is no folder with results called {results.name}")
    quarto = _find_quarto(renderer)
    with TemporaryDirectory(prefix="wor_eval-") as scratch:
        folder = Path(scratch)
        environment = code_environment(results, folder)
        if quarto:
            html = _by_quarto(qmd, quarto=quarto, folder=folder, environment=environment)
        else:
            html = _builtin(qmd, folder=folder, environment=environment)
    return _publish(html, output)


def _find_quarto(renderer: Renderer) -> str | None:
    """Find the command to use, or None for the built-in renderer."""
    if renderer not in ("auto", "quarto", "builtin"):
        raise ReportError(f"renderer {renderer!r} is not auto, quarto or builtin")
    quarto = None if renderer == "builtin" else shutil.which("quarto")
    if renderer == "quarto" and quarto is None:
        raise ReportError("Quarto is not on the PATH; use renderer='builtin' or install it (quarto.org)")
    return quarto


def _builtin(qmd: Path, *, folder: Path, environment: Mapping[str, str]) -> str:
    report = read_qmd(qmd)
    settings = read_settings(qmd.parent, report.front)
    markdown = run_report(report, folder=folder, environment=environment, echo=settings.echo)
    try:
        return to_html(markdown, settings, scratch=folder)
    except ReportError as error:
        raise ReportError(f"{qmd.name}: {error.message}", problems=error.problems) from None


def _by_quarto(qmd: Path, *, quarto: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Let Quarto render a copy of the folder, so that nothing is left behind beside the report."""
    copy = folder / "reports"
    shutil.copytree(qmd.parent, copy, ignore=_LEFT_BEHIND)
    page = "rendered.html"
    command = [quarto, "render", str(copy / qmd.name), "--to", "html", "--output", page]
    command += [
        "--execute-dir",
        str(qmd.parent.resolve()),
        "--no-execute-daemon",
        "-M",
        "embed-resources:true",
    ]
    run = subprocess.run(  # noqa: S603 - the command found on the PATH, arguments are a list
        command,
        env={**environment, "QUARTO_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in run.stderr.splitlines() if line.strip()]
    if run.returncode or not (copy / page).is_file():
        raise ReportError(f"{qmd.name}: Quarto could not render the report", problems=said[-20:])
    holes = [line for line in said if any(warning in line for warning in _QUARTO_WARNINGS)]
    if holes:
        raise ReportError(f"{qmd.name}: Quarto warns of something missing", problems=holes)
    return (copy / page).read_text(encoding="utf-8")


def _publish(html: str, output: Path) -> Path:
    """Write a page, whole or not at all, after a check that it stands alone."""
    fetched = outside_resources(html)
    if fetched:
        raise ReportError(f"{output.name} would fetch files when it is viewed", problems=fetched)
    with whole_file(output) as part:
        part.write_text(html, encoding="utf-8", newline="\n")
    return output


def outside_resources(html: str) -> list[str]:
    """List what a page would fetch from elsewhere when it is viewed; links to follow do not count.

    Parameters
    ----------
    html : str
        The page.

    Returns
    -------
    list of str
        ``tag attribute: address`` for each, empty for a page that stands alone.

    Examples
    --------
    >>> outside_resources('<a href="https://example.org">to follow</a><img src="data:image/png;base64,AA==">')
    []
    >>> outside_resources('<script src="https://example.org/x.js"></script>')
    ['script src: https://example.org/x.js']
    """
    parser = _Resources()
    parser.feed(html)
    return parser.found


class _Resources(HTMLParser):
    """Collects the addresses that a browser fetches by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        for name, value in attrs:
            fetches = name in ("src", "srcset", "poster", "data") or (
                name == "href" and tag in ("link", "use")
            )
            if fetches and not (value or "").startswith(("data:", "#")):
                self.found.append(f"{tag} {name}: {value}")
            elif name == "style":
                self._styles(value or "")

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self._styles(data)

    def _styles(self, css: str) -> None:
        for fetch in ("@import", "url(http", 'url("http', "url('http", "url(//"):
            if fetch in css:
                self.found.append(f"style: {fetch}")


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexPage:
    """One study on the index: its title, one sentence, and a rendered report for each language.

    Parameters
    ----------
    title, summary : str
        In the language of the index; plain text.
    files : mapping of {"nl", "en"} to Path
        The rendered pages.
    """

    title: str
    summary: str
    files: Mapping[Lang, Path]


def render_index(
    pages: Sequence[IndexPage], *, output: Path, reports: Path, title: str, lang: Lang = "nl"
) -> Path:
    """Write a self-contained page that links the rendered reports.

    Parameters
    ----------
    pages : sequence of IndexPage
        The reports, in the order in which to list them.
    output : Path
        The page to write; links are relative to it.
    reports : Path
        Folder whose ``_quarto.yml`` names the template and the style sheet.
    title : str
        Title of the page.
    lang : {"nl", "en"}
        Language of the page.

    Returns
    -------
    Path
        `output`.

    Raises
    ------
    ReportError
        If a page that is linked does not exist.
    """
    missing = [path.name for page in pages for path in page.files.values() if not path.is_file()]
    if missing:
        raise ReportError("the index links pages that do not exist", problems=missing)
    front = {"title": title, "lang": lang, "toc": False, "number-sections": False, "bibliography": []}
    markdown = "\n\n".join(_index_entry(page, output.parent) for page in pages)
    with TemporaryDirectory(prefix="wor_eval-") as scratch:
        html = to_html(markdown, read_settings(reports, front), scratch=Path(scratch))
    return _publish(html, output)


def _index_entry(page: IndexPage, folder: Path) -> str:
    links = []
    for lang, path in page.files.items():
        address = quote(Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix())
        links.append(f"- [{_LANGUAGES[lang]}]({address}){{lang={lang} hreflang={lang}}}")
    text = "\n\n".join((f"## {_plain(page.title)}", _plain(page.summary), "\n".join(links)))
    return f"::::: {{.index-entry}}\n{text}\n:::::"


def _plain(text: str) -> str:
    """Plain text on one line, safe inside Markdown."""
    return "".join(
        f"\\{sign}" if sign in r"\`*_{}[]()<>#+-.!|~^$@" else sign for sign in " ".join(text.split())
    )
