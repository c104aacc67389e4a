"""Read a .qmd report: its front matter, included files, chunks of code and inline code.

Only the part of Quarto's language that both renderers understand is read; anything else in the way of
chunk options or shortcodes is refused, so that a report never looks different without a warning.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from wor_eval.errors import ReportError

CHUNK_OPTIONS: Final = ("label", "fig-cap", "fig-alt", "tbl-cap", "echo", "include", "output", "warning")
_FENCE: Final = re.compile(r"(?P<indent>\s*)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)$")
_PYTHON: Final = re.compile(r"\{python\}")
_OPTION: Final = "#| "
_INCLUDE: Final = re.compile(r"""\s*\{\{<\s*include\s+["']?(?P<path>[^\s"']+)["']?\s*>\}\}\s*""")
_SHORTCODE: Final = re.compile(r"\{\{<\s*(?P<name>[\w-]+)")
_INLINE: Final = re.compile(r"(?<!`)`\{python\}[ \t](?P<code>[^`]+)`")


class Line(NamedTuple):
    """One line of source, and the file and line number it came from."""

    text: str
    file: str
    number: int

    @property
    def place(self) -> str:
        """Where the line stands, for messages."""
        return f"{self.file}, line {self.number}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Prose:
    """Markdown that is passed on as it is."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Inline:
    """An expression inside a sentence, whose value takes its place."""

    code: str
    place: str

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"inline code `{self.code}` ({self.place})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """A block of Python with the options above it."""

    code: str
    options: Mapping[str, Any]
    place: str

    @property
    def label(self) -> str:
        """The label, or an empty text."""
        return str(self.options.get("label", ""))

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"chunk {self.label!r} ({self.place})" if self.label else f"chunk at {self.place}"

    def caption(self) -> str:
        """Give the caption of the figure or table, on one line."""
        text = self.options.get("fig-cap") or self.options.get("tbl-cap") or ""
        return " ".join(str(text).split())


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A report as read: the file, its front matter and its pieces in document order."""

    path: Path
    front: Mapping[str, Any]
    pieces: tuple[Prose | Inline | Chunk, ...]


def read_qmd(path: Path) -> Report:
    r"""Read a .qmd file.

    Parameters
    ----------
    path : Path
        The report. Files it includes are found relative to the file that includes them.

    Returns
    -------
    Report
        Front matter and pieces.

    Raises
    ------
    ReportError
        If a file is missing or includes itself, the front matter is not a YAML mapping, a chunk is never
        closed, a label is used twice, or an option or shortcode is not one that both renderers understand.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     qmd = Path(folder) / "small.qmd"
    ...     _ = qmd.write_text("---\ntitle: Small\n---\nOne and one is `{python} 1 + 1`.\n")
    ...     report = read_qmd(qmd)
    >>> report.front["title"], [type(piece).__name__ for piece in report.pieces]
    ('Small', ['Prose', 'Inline', 'Prose'])
    """
    lines = _lines(path)
    front, start = _front_matter(lines)
    body = [line for line in lines[start:] for line in _included(line, path.parent, (path.resolve(),))]
    pieces = tuple(_pieces(body))
    _check_labels(pieces)
    return Report(path=path, front=front, pieces=pieces)


def _lines(path: Path) -> list[Line]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        raise ReportError(
            f"{path.name}: there is no such file in {path.parent.name or path.parent}"
        ) from None
    return [Line(line, path.name, number) for number, line in enumerate(text.splitlines(), start=1)]


def _front_matter(lines: Sequence[Line]) -> tuple[dict[str, Any], int]:
    """Read the front matter and find the first line after it."""
    if not lines or lines[0].text.rstrip() != "---":
        return {}, 0
    end = next((i for i, line in enumerate(lines[1:], 1) if line.text.rstrip() in ("---", "...")), None)
    if end is None:
        raise ReportError(f"{lines[0].file}: the front matter is never closed with a line ---")
    text = "\n".join(line.text for line in lines[1:end])
    if "{python}" in text:
        raise ReportError(f"{lines[0].file}: inline code in the front matter is not run; write text there")
    return _mapping(text, f"{lines[0].file}: the front matter"), end + 1


def _mapping(text: str, what: str) -> dict[str, Any]:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ReportError(f"{what} is not valid YAML", problems=str(error).splitlines()) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ReportError(f"{what} must be a list of `key: value` lines")
    return value


def _included(line: Line, folder: Path, seen: tuple[Path, ...]) -> Iterator[Line]:
    """Yield the line itself, or the lines of the file it includes."""
    match = _INCLUDE.fullmatch(line.text)
    if match is None:
        yield line
        return
    path = folder / match["path"]
    if not path.is_file():
        raise ReportError(f"{line.place}: the included file {match['path']} does not exist")
    if path.resolve() in seen:
        raise ReportError(f"{line.place}: {match['path']} includes itself")
    for inner in _lines(path):
        yield from _included(inner, path.parent, (*seen, path.resolve()))


def _pieces(lines: Sequence[Line]) -> Iterator[Prose | Inline | Chunk]:
    """Split the body at its fences: chunks become code, other fences stay as they are."""
    plain: list[Line] = []
    index = 0
    while index < len(lines):
        opening = _FENCE.fullmatch(lines[index].text)
        if opening is None:
            plain.append(lines[index])
            index += 1
            continue
        yield from _prose(plain)
        plain = []
        end = _closing(lines, index, opening["fence"])
        yield _block(lines[index : end + 1], opening)
        index = end + 1
    yield from _prose(plain)


def _closing(lines: Sequence[Line], start: int, fence: str) -> int:
    for index in range(start + 1, len(lines)):
        text = lines[index].text.strip()
        if len(text) >= len(fence) and set(text) == {fence[0]}:
            return index
    raise ReportError(f"{lines[start].place}: the block that opens here is never closed")


def _block(lines: Sequence[Line], opening: re.Match[str]) -> Prose | Chunk:
    if not _PYTHON.match(opening["info"].strip()):
        return Prose(text="\n".join(line.text for line in lines) + "\n")
    first = lines[0]
    if opening["indent"]:
        raise ReportError(f"{first.place}: a chunk must start at the left margin")
    inner = [line.text for line in lines[1:-1]]
    n_options = next((i for i, text in enumerate(inner) if not text.startswith(_OPTION)), len(inner))
    heading = "\n".join(text.removeprefix(_OPTION) for text in inner[:n_options])
    options = _mapping(heading, f"{first.place}: the options of the chunk")
    _check_options(options, first.place)
    return Chunk(code="\n".join(inner[n_options:]).strip("\n"), options=options, place=first.place)


def _check_options(options: Mapping[str, Any], place: str) -> None:
    problems = [
        f"{name}: not an option that both renderers know" for name in set(options) - set(CHUNK_OPTIONS)
    ]
    for name, value in options.items():
        if name in ("echo", "include", "warning") and not isinstance(value, bool):
            problems.append(f"{name}: must be true or false")
        elif name == "output" and value not in (True, False, "asis"):
            problems.append("output: must be true, false or asis")
        elif name in ("label", "fig-cap", "fig-alt", "tbl-cap") and not isinstance(value, str):
            problems.append(f"{name}: must be one text")
        elif "{python}" in str(value):
            problems.append(f"{name}: inline code is not run in a chunk option")
    if problems:
        known = ", ".join(CHUNK_OPTIONS)
        raise ReportError(f"{place}: chunk options; known are {known}", problems=sorted(problems))


def _check_labels(pieces: Sequence[Prose | Inline | Chunk]) -> None:
    problems, seen = [], set()
    for chunk in (piece for piece in pieces if isinstance(piece, Chunk) and piece.label):
        if chunk.label in seen:
            problems.append(f"{chunk.name}: the label is already used")
        seen.add(chunk.label)
        for prefix, option in (("fig-", "fig-cap"), ("tbl-", "tbl-cap")):
            other = chunk.options.get("tbl-cap" if option == "fig-cap" else "fig-cap")
            if chunk.label.startswith(prefix) and other:
                problems.append(f"{chunk.name}: a label {prefix}… goes with {option}")
    if problems:
        raise ReportError("the labels of the chunks cannot be used", problems=problems)


def _prose(lines: Sequence[Line]) -> Iterator[Prose | Inline]:
    """Cut the inline code out of a stretch of Markdown."""
    for line in lines:
        shortcode = _SHORTCODE.search(line.text)
        if shortcode:
            raise ReportError(
                f"{line.place}: the shortcode {shortcode['name']} is not known; only include is, alone on a line"
            )
    text = "".join(f"{line.text}\n" for line in lines)
    position = 0
    for match in _INLINE.finditer(text):
        yield Prose(text=text[position : match.start()])
        place = lines[text.count("\n", 0, match.start())].place
        yield Inline(code=match["code"].strip(), place=place)
        position = match.end()
    if text[position:]:
        yield Prose(text=text[position:])
