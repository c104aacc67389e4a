"""Run the code of a report in a Python process of its own and put what it shows into Markdown.

The process is a Jupyter kernel of the interpreter that runs this package, talked to by nbclient. It reads
no personal Jupyter, IPython or matplotlib settings, so that a report looks the same on every machine. One
process serves several reports one after the other; each starts with nothing of the one before.
"""

import ast
import base64
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from wor_eval.errors import ReportError
from wor_eval.report.qmd import Chunk, Inline, Prose, Report

RESULTS_VARIABLE: Final = "WOR_EVAL_RESULTS"
_SHOWN: Final = ("text/markdown", "image/svg+xml", "image/png", "text/plain")
_SUFFIX: Final = {"image/svg+xml": "svg", "image/png": "png"}
_MATPLOTLIBRC: Final = "figure.figsize: 7, 5\nsvg.hashsalt: wor_eval\n"
# What a plotting call returns beside its picture: <Axes: …>, [<Line2D …>], Text(0.5, 1.0, 'title').
_BESIDE_A_FIGURE: Final = re.compile(r"[<(\[].*[>)\]]|Text\(.*", re.DOTALL)
_MARKDOWN_SIGNS: Final = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~^$@])")

_CLEAR: Final = """%reset -f
import os
os.chdir({folder!r})
os.environ.pop({variable!r}, None)
if {place!r}:
    os.environ[{variable!r}] = {place!r}
del os
"""

Run = Callable[[str, str], list[dict[str, Any]]]


def code_environment(results: Path | None, folder: Path) -> dict[str, str]:
    """Environment in which the code of a report runs.

    Parameters
    ----------
    results : Path, optional
        Folder with results, passed on as ``WOR_EVAL_RESULTS``.
    folder : Path
        A temporary folder for settings and scratch files.

    Returns
    -------
    dict of str to str
        The present environment with fixed hashing, dates and matplotlib settings. Temporary files stand in ``folder``
        too: the process is ended at once, and clears nothing away itself.
    """
    settings = folder / "matplotlibrc"
    settings.write_text(_MATPLOTLIBRC, encoding="utf-8")
    fixed = {
        "IPYTHONDIR": str(folder / "ipython"),
        "MATPLOTLIBRC": str(settings),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": "0",
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder)),
    }
    if results is not None:
        fixed[RESULTS_VARIABLE] = str(results.resolve())
    personal = {"PYTHONSTARTUP"}
    return {name: value for name, value in os.environ.items() if name not in personal} | fixed


def run_report(
    report: Report, *, session: "Session", folder: Path, results: Path | None = None, echo: bool = False
) -> str:
    """Run the chunks and inline code of a report in document order.

    Parameters
    ----------
    report : Report
        The report as read.
    session : Session
        The process that runs the code.
    folder : Path
        A temporary folder; figures are written here.
    results : Path, optional
        Folder with results, given to the code as ``WOR_EVAL_RESULTS``.
    echo : bool
        Show the code of chunks that do not say so themselves.

    Returns
    -------
    str
        Markdown with every chunk and inline expression replaced by what it shows.

    Raises
    ------
    ReportError
        If code fails, or shows something that the two renderers would not show alike.
    """
    if all(isinstance(piece, Prose) for piece in report.pieces):
        return "".join(_text(piece) for piece in report.pieces)
    parts: list[str] = []
    run = session.begin(report.path, results)
    for number, piece in enumerate(report.pieces, start=1):
        if isinstance(piece, Prose):
            parts.append(piece.text)
        elif isinstance(piece, Inline):
            parts.append(_inline(piece, run(piece.code, piece.name)))
        else:
            outputs = run(piece.code, piece.name)
            parts.append(_chunk(piece, outputs, stem=folder / f"chunk-{number}", echo=echo))
    return "".join(parts)


def _text(piece: Prose | Inline | Chunk) -> str:
    assert isinstance(piece, Prose)
    return piece.text


class Session:
    """A Python process for the code of reports; it starts with the first report that has code.

    Examples
    --------
    >>> with Session() as session:
    ...     run = session.begin(Path("small.qmd"))
    ...     run("1 + 1", "a sum")[0]["data"]["text/plain"]
    '2'
    """

    def __init__(self) -> None:
        self._open = ExitStack()
        self._execute: Run | None = None

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *raised: object) -> None:
        self._open.close()

    def begin(self, qmd: Path, results: Path | None = None) -> Run:
        """Clear the process and move it beside a report; give the function that runs its code.

        Parameters
        ----------
        qmd : Path
            The report; named in messages.
        results : Path, optional
            Folder with results, given to the code as ``WOR_EVAL_RESULTS``.

        Returns
        -------
        callable
            From code and its name in messages to what the code shows.
        """
        if self._execute is None:
            folder = Path(self._open.enter_context(TemporaryDirectory(prefix="wor_eval-")))
            self._execute = self._open.enter_context(_kernel(folder))
        execute = self._execute

        def run(code: str, name: str) -> list[dict[str, Any]]:
            try:
                return execute(code, name)
            except ReportError as error:
                raise ReportError(f"{qmd.name}: {error.message}") from None

        place = str(results.resolve()) if results is not None else ""
        run(_CLEAR.format(folder=str(qmd.parent.resolve()), variable=RESULTS_VARIABLE, place=place), "start")
        return run


@contextmanager
def _kernel(folder: Path) -> Iterator[Run]:
    """Start a kernel and give it as a function from (code, name for messages) to its outputs."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    notebook = nbformat.v4.new_notebook()
    client = NotebookClient(notebook, km=_kernel_manager(folder), shutdown_kernel="immediate")
    with client.setup_kernel(cleanup_kc=True, cwd=str(folder), env=code_environment(None, folder)):

        def execute(code: str, name: str) -> list[dict[str, Any]]:
            cell = nbformat.v4.new_code_cell(code)
            notebook.cells.append(cell)
            try:
                client.execute_cell(cell, len(notebook.cells) - 1)
            except CellExecutionError as error:
                raise ReportError(f"{name}: {error.ename}: {error.evalue}") from None
            except DeadKernelError:
                raise ReportError(f"{name}: the Python process ended") from None
            return list(cell.outputs)

        yield execute


def _kernel_manager(folder: Path) -> Any:
    """Describe a kernel of the running interpreter, without an installed kernel specification."""
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=ERROR"]
    options = ["--HistoryManager.enabled=False", "--InlineBackend.figure_formats=svg"]

    class ThisInterpreter(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return KernelSpec(argv=command + options, display_name=kernel_name, language="python")

    manager = AsyncKernelManager(
        kernel_spec_manager=ThisInterpreter(), connection_file=str(folder / "kernel.json")
    )
    # Sockets in the temporary folder open no network port; their address may hold about 100 characters.
    if os.name == "posix" and len(str(folder)) < 80:
        manager.transport, manager.ip = "ipc", str(folder / "kernel")
    return manager


def _inline(inline: Inline, outputs: Sequence[Mapping[str, Any]]) -> str:
    """Write the value of an inline expression as Quarto does."""
    if len(outputs) != 1 or outputs[0]["output_type"] != "execute_result":
        raise ReportError(f"{inline.name} must give one value and print nothing")
    data = outputs[0]["data"]
    _refuse_html(data, inline.name)
    if "text/markdown" in data:
        return str(data["text/markdown"])
    shown = str(data["text/plain"])
    try:
        value = ast.literal_eval(shown)
    except (ValueError, SyntaxError):
        value = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return shown
    if not isinstance(value, str):
        raise ReportError(f"{inline.name} must give a text, a plain number or Markdown; format it first")
    if shown[1:-1] != value:
        raise ReportError(
            f"{inline.name} gives a text with a sign that Quarto prints as an escape, such as a hard space: "
            "give it as Markdown (an object with _repr_markdown_)"
        )
    return _MARKDOWN_SIGNS.sub(r"\\\1", value)


def _refuse_html(data: Mapping[str, Any], name: str) -> None:
    if "text/html" in data:
        raise ReportError(
            f"{name} shows text/html, for which Quarto fetches scripts from the network: "
            "show Markdown instead (a wor_eval table, not a bare data frame)"
        )


def _chunk(chunk: Chunk, outputs: Sequence[Mapping[str, Any]], *, stem: Path, echo: bool) -> str:
    """Write a chunk: its code if asked for, then what it shows."""
    if not chunk.options.get("include", True):
        return "\n"
    code = _fenced(chunk.code, "python") if chunk.options.get("echo", echo) else ""
    if chunk.options.get("output", True) is False:
        return f"{code}\n"
    shown = [_shown(output, chunk, f"{stem}-{number}") for number, output in enumerate(_kept(outputs, chunk))]
    return f"{code}\n{_labelled(chunk, [text for text in shown if text])}\n"


def _kept(outputs: Sequence[Mapping[str, Any]], chunk: Chunk) -> list[Mapping[str, Any]]:
    """Drop muted warnings and what a plotting call returns beside its picture."""
    has_image = any(set(_SUFFIX) & set(output.get("data", ())) for output in outputs)

    def dropped(output: Mapping[str, Any]) -> bool:
        if output.get("name") == "stderr":
            return not chunk.options.get("warning", True)
        if (
            output["output_type"] != "execute_result"
            or not has_image
            or set(output["data"]) != {"text/plain"}
        ):
            return False
        return bool(_BESIDE_A_FIGURE.fullmatch(output["data"]["text/plain"]))

    return [output for output in outputs if not dropped(output)]


def _labelled(chunk: Chunk, shown: Sequence[str]) -> str:
    """Put what a chunk shows in a div that carries its label and caption."""
    caption, label = chunk.caption(), chunk.label
    numbered = label.startswith(("fig-", "tbl-"))
    if numbered and len(shown) != 1:
        raise ReportError(f"{chunk.name} must show exactly one figure or table; it shows {len(shown)}")
    if numbered:
        return f"::::: {{#{label} .cell}}\n{shown[0]}\n\n{caption}\n:::::\n"
    if caption:
        raise ReportError(f"{chunk.name} has a caption but no label that starts with fig- or tbl-")
    return "\n\n".join(shown) + "\n"


def _shown(output: Mapping[str, Any], chunk: Chunk, stem: str) -> str:
    """Write one output as Markdown."""
    if output["output_type"] == "stream":
        text = str(output["text"])
        return text if chunk.options.get("output") == "asis" and output["name"] == "stdout" else _fenced(text)
    data = output["data"]
    _refuse_html(data, chunk.name)
    kind = next((kind for kind in _SHOWN if kind in data), None)
    if kind is None:
        raise ReportError(f"{chunk.name} shows {', '.join(sorted(data))}; known are {', '.join(_SHOWN)}")
    if kind == "text/markdown":
        return str(data[kind]).strip("\n") + "\n"
    if kind == "text/plain":
        return _fenced(str(data[kind]))
    path = Path(f"{stem}.{_SUFFIX[kind]}")
    path.write_bytes(data[kind].encode() if path.suffix == ".svg" else base64.b64decode(data[kind]))
    if path.suffix == ".svg" and "image/png" in data:  # for Word
        path.with_suffix(".png").write_bytes(base64.b64decode(data["image/png"]))
    return f'![]({path.name}){{alt="{_alt(chunk, data)}"}}\n'


def _alt(chunk: Chunk, data: Mapping[str, Any]) -> str:
    """Find the alternative text, ready to stand between quotes: the option, else what the object says."""
    said = str(data.get("text/plain", ""))
    alt = " ".join(str(chunk.options.get("fig-alt", "" if said.startswith("<") else said)).split())
    if not alt:
        raise ReportError(f"{chunk.name} shows a figure without fig-alt: say what it shows in words")
    return alt.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")


def _fenced(text: str, language: str = "") -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}\n"
