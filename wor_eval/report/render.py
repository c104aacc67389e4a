"""Render a report: pages by Quarto where it is installed, else by the built-in renderer; PDF and Word always by it.

Both read the same .qmd, run its code, and make one HTML page that fetches nothing when it is viewed. A
document replaces an earlier one only when it is whole.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal, Protocol

from wor_eval.errors import ReportError
from wor_eval.report.notebook import Session, code_environment, run_report
from wor_eval.report.pandoc import Settings, read_settings, to_html
from wor_eval.report.paper import to_docx, to_pdf
from wor_eval.report.qmd import read_qmd
from wor_eval.whole import whole_file

Renderer = Literal["auto", "quarto", "builtin"]

_LEFT_BEHIND: Final = shutil.ignore_patterns("*.html", "*_files", ".quarto", ".jupyter_cache", "__pycache__")
# Quarto only warns about these; a report with a hole in it must not be published.
_QUARTO_WARNINGS: Final = ("Unable to resolve crossref", "Citeproc: citation", "Could not fetch resource")


class _Convert(Protocol):
    def __call__(self, markdown: str, settings: Settings, *, scratch: Path) -> str | bytes: ...


FORMATS: Final[Mapping[str, _Convert]] = {".html": to_html, ".pdf": to_pdf, ".docx": to_docx}
"""How the built-in renderer makes each kind of file."""


def render_report(
    qmd: Path, *, output: Path, results: Path | None = None, renderer: Renderer = "auto"
) -> Path:
    r"""Render a .qmd report to one self-contained HTML page, a PDF or a Word document.

    Parameters
    ----------
    qmd : Path
        The report. The ``_quarto.yml`` beside it gives template, style sheet, filters and options to both
        renderers.
    output : Path
        The file to write; ``.html``, ``.pdf`` or ``.docx`` says which format. An earlier file is replaced only by
        a whole new one.
    results : Path, optional
        Folder with results, given to the code of the report as ``WOR_EVAL_RESULTS``.
    renderer : {"auto", "quarto", "builtin"}
        ``auto`` takes Quarto for pages where the command ``quarto`` is found. The built-in renderer runs the code
        with nbclient in the running interpreter and converts with Pandoc (from the package ``pypandoc_binary``)
        and, for PDF, Typst (from the package ``typst``).

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
    with Session() as session:
        return render_formats(qmd, outputs=(output,), results=results, renderer=renderer, session=session)[0]


def render_formats(
    qmd: Path,
    *,
    outputs: Sequence[Path],
    session: Session,
    results: Path | None = None,
    renderer: Renderer = "auto",
) -> tuple[Path, ...]:
    """Render a .qmd report to several formats; the built-in renderer runs its code once for all of them.

    Parameters
    ----------
    qmd, results, renderer
        As in :func:`render_report`.
    outputs : sequence of Path
        The files to write.
    session : Session
        The process that runs the code.

    Returns
    -------
    tuple of Path
        `outputs`.

    Raises
    ------
    ReportError
        As in :func:`render_report`.
    """
    if results is not None and not results.is_dir():
        raise ReportError(f"{qmd.name}: there is no folder with results called {results.name}")
    unknown = sorted({output.suffix for output in outputs} - set(FORMATS))
    if unknown:
        raise ReportError(f"{', '.join(unknown)}: a report is written as {', '.join(FORMATS)}")
    quarto = _find_quarto(renderer)
    by_quarto = [output for output in outputs if quarto and output.suffix == ".html"]
    for output in by_quarto:
        assert quarto is not None
        with TemporaryDirectory(prefix="wor_eval-") as scratch:
            folder = Path(scratch)
            environment = code_environment(results, folder)
            _publish(_by_quarto(qmd, quarto=quarto, folder=folder, environment=environment), output)
    rest = [output for output in outputs if output not in by_quarto]
    if rest:
        _builtin(qmd, outputs=rest, results=results, session=session)
    return tuple(outputs)


def _find_quarto(renderer: Renderer) -> str | None:
    """Find the command to use, or None for the built-in renderer."""
    if renderer not in ("auto", "quarto", "builtin"):
        raise ReportError(f"renderer {renderer!r} is not auto, quarto or builtin")
    quarto = None if renderer == "builtin" else shutil.which("quarto")
    if renderer == "quarto" and quarto is None:
        raise ReportError("Quarto is not on the PATH; use renderer='builtin' or install it (quarto.org)")
    return quarto


def _builtin(qmd: Path, *, outputs: Sequence[Path], results: Path | None, session: Session) -> None:
    report = read_qmd(qmd)
    settings = read_settings(qmd.parent, report.front)
    with TemporaryDirectory(prefix="wor_eval-") as scratch:
        folder = Path(scratch)
        markdown = run_report(report, session=session, folder=folder, results=results, echo=settings.echo)
        for output in outputs:
            try:
                content = FORMATS[output.suffix](markdown, settings, scratch=folder)
            except ReportError as error:
                raise ReportError(f"{qmd.name}: {error.message}", problems=error.problems) from None
            _publish(content, output)


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


def _publish(content: str | bytes, output: Path) -> None:
    """Write a document, whole or not at all; a page after a check that it stands alone."""
    if isinstance(content, str):
        publish_page(content, output)
        return
    with whole_file(output) as part:
        part.write_bytes(content)


def publish_page(html: str, output: Path) -> Path:
    """Write a page, whole or not at all, after a check that it fetches nothing when it is viewed.

    Raises
    ------
    ReportError
        The page would fetch something.
    """
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
