"""The pages of a run: the reports of each study in both languages, and an index that opens them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from wor_eval.assets import asset
from wor_eval.errors import ReportError
from wor_eval.report import words
from wor_eval.report.render import IndexPage, render_index, render_report
from wor_eval.report.results import load_results
from wor_eval.study import Lang

LANGUAGES: tuple[Lang, ...] = ("nl", "en")


def render_study(
    study: str,
    *,
    results: Path,
    out: Path,
    langs: Sequence[Lang] = LANGUAGES,
    progress: Callable[[str], None] = lambda step: None,
) -> dict[Lang, Path]:
    """Render the reports of one study from its saved results.

    Parameters
    ----------
    study : str
        Name of the study; its reports are ``reports/<study>.<lang>.qmd``.
    results : Path
        Folder with the results of all studies.
    out : Path
        Folder for the pages.
    langs : sequence of {"nl", "en"}
        Languages.
    progress : callable
        Told the name of each report as it starts.

    Returns
    -------
    dict of language to Path
        The pages.

    Raises
    ------
    ReportError
        There is no report of this study, or its code fails.
    """
    load_results(study, folder=results)
    pages: dict[Lang, Path] = {}
    for lang in langs:
        qmd = asset("reports", f"{study}.{lang}.qmd")
        if not qmd.is_file():
            raise ReportError(f"there is no report {qmd.name} in reports")
        progress(f"report {study}.{lang}")
        pages[lang] = render_report(qmd, output=out / f"{study}.{lang}.html", results=results.resolve())
    return pages


def render_site(
    studies: Sequence[str],
    *,
    results: Path,
    out: Path,
    progress: Callable[[str], None] = lambda step: None,
) -> Path:
    """Render the reports of several studies and the index that opens them.

    Parameters
    ----------
    studies : sequence of str
        Names of the studies.
    results, out, progress
        As in :func:`render_study`.

    Returns
    -------
    Path
        The index.
    """
    entries = []
    for study in studies:
        pages = render_study(study, results=results, out=out, progress=progress)
        found = load_results(study, lang="nl", folder=results)
        summary = words.headline(found).text
        entries.append(IndexPage(title=found.study.title.nl, summary=summary, files=pages))
    return render_index(
        entries,
        output=out / "index.html",
        reports=asset("reports"),
        title="Welzijn op Recept: evaluatie",
    )
