"""The index of a run, in one language: each study with its answer, its gates and the way to every format."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import quote

from wor_eval.errors import ReportError
from wor_eval.report.index_words import OutcomeLines
from wor_eval.report.pandoc import read_settings, to_html
from wor_eval.report.render import publish_page
from wor_eval.study import Lang

INDEX_FILES: Final[Mapping[Lang, str]] = {"nl": "index.html", "en": "index.en.html"}
_FORMATS: Final = {
    (".html", "nl"): "webpagina",
    (".html", "en"): "web page",
    (".pdf", "nl"): "PDF",
    (".pdf", "en"): "PDF",
    (".docx", "nl"): "Word",
    (".docx", "en"): "Word",
}
_IN: Final[Mapping[Lang, str]] = {"nl": "In het Nederlands", "en": "In English"}
_OTHER: Final = {"nl": "Read this page in English", "en": "Lees deze pagina in het Nederlands"}
_FIGURES: Final = {"nl": "De cijfers (CSV)", "en": "The numbers (CSV)"}
_GATES: Final = {
    "nl": "Eisen die het onderzoeksplan vooraf stelde (poorten)",
    "en": "What the study plan demanded beforehand (gates)",
}
_LEGEND: Final = {
    "nl": "*Zeer waarschijnlijk* staat hier voor een 95%-betrouwbaarheidsinterval. Alle leeftijden zijn volwassenen. "
    "Wat de cijfers betekenen en waar zij op rusten, staat in elk rapport.",
    "en": "*Very likely* stands for a 95% confidence interval here. All ages are adults. What the numbers mean and "
    "what they rest on is in each report.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexPage:
    """One study on the index.

    Parameters
    ----------
    title, question : str
        In the language of the index; plain text.
    summary : str
        What must be read first, as Markdown.
    outcomes : tuple of OutcomeLines
        What was found, by outcome and age band.
    gates : tuple of str
        The gates of the plan and whether they hold, as Markdown.
    files : mapping of {"nl", "en"} to sequence of Path
        The rendered documents.
    figures : Path, optional
        Folder with the numbers.
    """

    title: str
    question: str = ""
    summary: str = ""
    outcomes: tuple[OutcomeLines, ...] = ()
    gates: tuple[str, ...] = ()
    files: Mapping[Lang, Sequence[Path]]
    figures: Path | None = None


def render_index(
    pages: Sequence[IndexPage],
    *,
    output: Path,
    reports: Path,
    title: str,
    lang: Lang = "nl",
    other: Path | None = None,
    lead: str = "",
) -> Path:
    """Write a self-contained page that says what each study found and links its reports.

    Parameters
    ----------
    pages : sequence of IndexPage
        The studies, in the order in which to list them.
    output : Path
        The page to write; links are relative to it.
    reports : Path
        Folder whose ``_quarto.yml`` names the template and the style sheet.
    title : str
        Title of the page.
    lang : {"nl", "en"}
        Language of the page.
    other : Path, optional
        The same page in the other language.
    lead : str
        What to read before the studies, as Markdown.

    Returns
    -------
    Path
        `output`.

    Raises
    ------
    ReportError
        If a document that is linked does not exist.
    """
    missing = [
        path.name for page in pages for paths in page.files.values() for path in paths if not path.is_file()
    ]
    if missing:
        raise ReportError("the index links pages that do not exist", problems=missing)
    front = {"title": title, "lang": lang, "toc": False, "number-sections": False, "bibliography": []}
    parts = [lead] if lead else []
    parts += [_entry(page, output.parent, lang) for page in pages]
    if other is not None:
        address = _address(other, output.parent)
        foreign = "en" if lang == "nl" else "nl"
        parts.insert(0, f"[{_OTHER[lang]}]({address}){{lang={foreign} hreflang={foreign}}}")
    if any(page.outcomes for page in pages):
        parts.append(_LEGEND[lang])
    with TemporaryDirectory(prefix="wor_eval-") as scratch:
        html = to_html("\n\n".join(parts), read_settings(reports, front), scratch=Path(scratch))
    return publish_page(html, output)


def _entry(page: IndexPage, folder: Path, lang: Lang) -> str:
    parts = [f"## {plain(page.title)}"]
    if page.question:
        parts.append(f"::: question\n{plain(page.question)}\n:::")
    parts += [page.summary] if page.summary else []
    for outcome in page.outcomes:
        parts.append(f"**{plain(outcome.label)}**")
        parts.append("\n".join(f"- {line}" for line in outcome.lines))
        parts += [outcome.note] if outcome.note else []
    if page.gates:
        parts.append(f"**{_GATES[lang]}**")
        parts.append("::: gates\n" + "\n".join(f"- {line}" for line in page.gates) + "\n:::")
    parts.append(f"::: formats\n{_links(page, folder, lang)}\n:::")
    body = "\n\n".join(parts)
    return f"::::: {{.index-entry}}\n{body}\n:::::"


def _links(page: IndexPage, folder: Path, lang: Lang) -> str:
    order: tuple[Lang, ...] = ("nl", "en") if lang == "nl" else ("en", "nl")
    lines = []
    for language in (known for known in order if known in page.files):
        links = [_link(path, folder, language) for path in page.files[language]]
        lines.append(f"- [{_IN[language]}: {', '.join(links)}]{{lang={language}}}")
    if page.figures is not None:
        lines.append(f"- [{_FIGURES[lang]}]({_address(page.figures, folder)}/)")
    return "\n".join(lines)


def _link(path: Path, folder: Path, lang: Lang) -> str:
    return f"[{_FORMATS[path.suffix, lang]}]({_address(path, folder)}){{hreflang={lang}}}"


def _address(path: Path, folder: Path) -> str:
    return quote(Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix())


def plain(text: str) -> str:
    r"""Plain text on one line, safe inside Markdown.

    Examples
    --------
    >>> print(plain("95% of *all*"))
    95% of \*all\*
    """
    return "".join(
        f"\\{sign}" if sign in r"\`*_{}[]()<>#+-.!|~^$@" else sign for sign in " ".join(text.split())
    )
