"""The pages of a run: the reports of each study in both languages, and an index that opens them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from wor_eval.assets import asset
from wor_eval.report.kinds import shown
from wor_eval.report.render import IndexPage, render_index, render_report
from wor_eval.report.results import Results, load_results
from wor_eval.study import Lang, Study

LANGUAGES: tuple[Lang, ...] = ("nl", "en")
BRIEF: Final = "policy_brief"
"""The report of two pages beside that of an economic evaluation."""


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
        Name of the study. Its reports are ``reports/<study>.<lang>.qmd``; a plan of your own has the report of its
        kind.
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
        The code of the report fails.
    """
    found = load_results(study, folder=results)
    pages: dict[Lang, Path] = {}
    with _as_report(found, results) as (report, place):
        for lang in langs:
            progress(f"report {study}.{lang}")
            qmd = asset("reports", f"{report}.{lang}.qmd")
            pages[lang] = render_report(qmd, output=out / f"{study}.{lang}.html", results=place)
    return pages


_BRIEF_TITLE: Final = "Beleidssamenvatting: is het zijn geld waard?"
_BRIEF_SUMMARY: Final = "De kosten en baten in twee bladzijden, voor wethouders en zorgverzekeraars."


def render_brief(
    study: str,
    *,
    results: Path,
    out: Path,
    progress: Callable[[str], None] = lambda step: None,
) -> dict[Lang, Path]:
    """Render the policy brief of an economic evaluation in both languages.

    Parameters
    ----------
    study, results, out, progress
        As in :func:`render_study`.

    Returns
    -------
    dict of language to Path
        The pages, ``<study>.brief.<lang>.html``.
    """
    pages: dict[Lang, Path] = {}
    with _as_report(load_results(study, folder=results), results) as (_, place):
        for lang in LANGUAGES:
            progress(f"report {study}.brief.{lang}")
            qmd = asset("reports", f"{BRIEF}.{lang}.qmd")
            pages[lang] = render_report(qmd, output=out / f"{study}.brief.{lang}.html", results=place)
    return pages


@contextmanager
def _as_report(found: Results, results: Path) -> Iterator[tuple[str, Path]]:
    """Give the report to use and the folder it reads: a study of another name borrows the report of its kind."""
    name = found.plan.name
    if asset("reports", f"{name}.nl.qmd").is_file():
        yield name, results.resolve()
        return
    kind = shown(found.plan).report
    with TemporaryDirectory(prefix="wor_eval-") as scratch:
        shutil.copytree(results / name, Path(scratch) / kind)
        yield kind, Path(scratch)


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
        entries.append(
            IndexPage(title=found.plan.title.nl, summary=shown(found.plan).summary(found), files=pages)
        )
        if isinstance(found.plan, Study) and found.plan.economics is not None:
            brief = render_brief(study, results=results, out=out, progress=progress)
            entries.append(IndexPage(title=_BRIEF_TITLE, summary=_BRIEF_SUMMARY, files=brief))
    return render_index(
        entries,
        output=out / "index.html",
        reports=asset("reports"),
        title="Welzijn op Recept: evaluatie",
    )
