"""Turn the Markdown of a report into one self-contained HTML page with Pandoc.

Pandoc does the conversion, the citations and the embedding; `crossref.lua` beside this file numbers and
resolves references as Quarto does. Template, style sheet and further filters are those that ``_quarto.yml``
in the folder of the report names, so that both renderers make the same page.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import yaml

from wor_eval.errors import ReportError
from wor_eval.language import day
from wor_eval.study import Lang

PROJECT_FILE: Final = "_quarto.yml"
_CROSSREF: Final = Path(__file__).with_name("crossref.lua")
_PROBLEM: Final = "report-problem: "
_FIXED_TIME: Final = "315532800"  # 1 January 1980, the first day a zip file (and so a .docx) can hold
# The words of Quarto's own Dutch and English locale (src/resources/language in quarto-dev/quarto-cli).
_WORDS: Final[Mapping[Lang, Mapping[str, str]]] = {
    "nl": {
        "fig-title": "Figuur",
        "tbl-title": "Tabel",
        "sec-prefix": "Paragraaf",
        "toc-title": "Inhoudsopgave",
        "abstract-title": "Samenvatting",
    },
    "en": {
        "fig-title": "Figure",
        "tbl-title": "Table",
        "sec-prefix": "Section",
        "toc-title": "Table of contents",
        "abstract-title": "Abstract",
    },
}
_NOT_METADATA: Final = ("project", "execute", "format", "filters", "css", "template", "bibliography", "csl")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What ``_quarto.yml`` and the front matter of a report say together.

    Parameters
    ----------
    folder : Path
        Folder of the report; paths are relative to it.
    lang : {"nl", "en"}
        Language of the report.
    options : mapping
        Options of the HTML format and metadata, the front matter before the project.
    before, after : tuple of Path
        Lua filters that read the document before and after references are resolved.
    echo : bool
        Whether chunks show their code.
    """

    folder: Path
    lang: Lang
    options: Mapping[str, Any]
    before: tuple[Path, ...]
    after: tuple[Path, ...]
    echo: bool


def read_settings(folder: Path, front: Mapping[str, Any]) -> Settings:
    """Merge the project file of a folder with the front matter of a report.

    Parameters
    ----------
    folder : Path
        Folder of the report; its ``_quarto.yml`` is read if there is one.
    front : mapping
        Front matter.

    Returns
    -------
    Settings
        The front matter goes before the project.

    Raises
    ------
    ReportError
        If the project file is not valid or the language is not Dutch or English.

    Examples
    --------
    >>> read_settings(Path("nowhere"), {"lang": "nl", "toc": True}).options["toc"]
    True
    """
    project = _project(folder)
    options = {**_flat(project), **_flat(front)}
    lang = str(options.get("lang", "en"))
    if lang[:2] not in _WORDS:
        raise ReportError(f"lang: {lang} is not a language of the reports; known are {', '.join(_WORDS)}")
    filters = [*project.get("filters", ()), *front.get("filters", ())]
    entries = [entry if isinstance(entry, dict) else {"path": entry} for entry in filters]
    before = tuple(folder / entry["path"] for entry in entries if entry.get("at") == "pre-ast")
    after = tuple(folder / entry["path"] for entry in entries if entry.get("at") != "pre-ast")
    execute = {**(project.get("execute") or {}), **(front.get("execute") or {})}
    return Settings(
        folder=folder,
        lang="nl" if lang.startswith("nl") else "en",
        options=options,
        before=before,
        after=after,
        echo=bool(execute.get("echo", True)),
    )


def _project(folder: Path) -> dict[str, Any]:
    path = folder / PROJECT_FILE
    if not path.is_file():
        return {}
    try:
        project = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ReportError(f"{PROJECT_FILE} is not valid YAML", problems=str(error).splitlines()) from None
    return dict(project or {})


def _flat(source: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata with the options of the HTML format on top."""
    formats = source.get("format")
    html = formats.get("html") if isinstance(formats, dict) else None
    top = {name: value for name, value in source.items() if name not in ("format", "project", "filters")}
    return {**top, **(html if isinstance(html, dict) else {})}


def to_html(markdown: str, settings: Settings, *, scratch: Path) -> str:
    """Convert Markdown to one self-contained HTML page.

    Parameters
    ----------
    markdown : str
        Body of the report, without front matter.
    settings : Settings
        Metadata and options.
    scratch : Path
        Temporary folder in which the figures of the report stand.

    Returns
    -------
    str
        The page.

    Raises
    ------
    ReportError
        If a reference points at nothing, a label is used twice, a work cited is not in the bibliography,
        an image is missing, or Pandoc gives any other warning.
    """
    return convert(markdown, settings, scratch=scratch, arguments=["--to=html5", *_page_arguments(settings)])


def convert(markdown: str, settings: Settings, *, scratch: Path, arguments: Sequence[str]) -> str:
    """Convert Markdown with Pandoc, with references resolved and works cited.

    Parameters
    ----------
    markdown, settings, scratch
        As for :func:`to_html`.
    arguments : sequence of str
        The format to convert to and the options that belong to it.

    Returns
    -------
    str
        What Pandoc prints; empty where `arguments` name a file to write.

    Raises
    ------
    ReportError
        As for :func:`to_html`.
    """
    import pypandoc

    metadata = scratch / "metadata.json"
    metadata.write_text(json.dumps(_metadata(settings), default=str), encoding="utf-8")
    command = [pypandoc.get_pandoc_path(), "--from=markdown", *_arguments(settings, scratch), *arguments]
    run = subprocess.run(  # noqa: S603 - the Pandoc of the package pypandoc_binary, arguments are a list
        [*command, f"--metadata-file={metadata}"],
        input=markdown,
        cwd=scratch,
        env={**os.environ, "SOURCE_DATE_EPOCH": _FIXED_TIME},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if run.returncode:
        raise ReportError("the report cannot be converted", problems=_problems(run.stderr))
    return run.stdout


def _metadata(settings: Settings) -> dict[str, Any]:
    options = {name: value for name, value in settings.options.items() if name not in _NOT_METADATA}
    words = _WORDS[settings.lang]
    own = options.get("crossref")
    return {
        "lang": settings.lang,
        "toc-title": words["toc-title"],
        "abstract-title": words["abstract-title"],
        **options,
        "date": _date(options.get("date"), settings.lang),
        "author": _authors(options.get("author")),
        "crossref": {**words, **(own if isinstance(own, dict) else {})},
    }


def _date(value: object, lang: Lang) -> str:
    if value is None:
        return ""
    try:
        return day(value if isinstance(value, date) else date.fromisoformat(str(value)), lang=lang)
    except ValueError:
        raise ReportError(
            f"date: {value} is not a date as in 2026-03-05; a report has a fixed date"
        ) from None


def _authors(value: object) -> list[str]:
    people = value if isinstance(value, list) else [value] if value else []
    names = [person.get("name") if isinstance(person, dict) else person for person in people]
    if not all(isinstance(name, str) for name in names):
        raise ReportError("author: write a name, or a list of names")
    return [str(name) for name in names]


def _arguments(settings: Settings, scratch: Path) -> list[str]:
    options, folder = settings.options, settings.folder.resolve()
    arguments = [
        "--standalone",
        "--fail-if-warnings",
        f"--resource-path={scratch.resolve()}{os.pathsep}{folder}",
        f"--toc-depth={options.get('toc-depth', 3)}",
    ]
    arguments += [f"--lua-filter={path.resolve()}" for path in (*settings.before, _CROSSREF)]
    arguments += _citations(settings, folder)
    return arguments + [f"--lua-filter={path.resolve()}" for path in settings.after]


def _page_arguments(settings: Settings) -> list[str]:
    options, folder = settings.options, settings.folder.resolve()
    arguments = ["--embed-resources", "--mathml"]
    if options.get("toc"):
        arguments.append("--toc")
    if options.get("template"):
        arguments.append(f"--template={folder / options['template']}")
    return arguments + [f"--css={folder / sheet}" for sheet in _listed(options.get("css"))]


def _citations(settings: Settings, folder: Path) -> list[str]:
    files = _listed(settings.options.get("bibliography"))
    if not files:
        return []
    missing = [name for name in files if not (folder / name).is_file()]
    if missing:
        raise ReportError("the bibliography does not exist", problems=missing)
    styles = [f"--csl={folder / style}" for style in _listed(settings.options.get("csl"))]
    return [*(f"--bibliography={folder / name}" for name in files), *styles, "--citeproc"]


def _listed(value: object) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else [str(value)] if value else []


def _problems(message: str) -> list[str]:
    """Find the problems our filter named, else give the whole of what Pandoc said."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return [line.removeprefix(_PROBLEM) for line in lines if line.startswith(_PROBLEM)] or lines
