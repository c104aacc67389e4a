"""The documents of a run: the reports of each study in both languages, and an index that opens them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from typing import Final, Literal

from wor_eval.assets import asset
from wor_eval.report import believed_words
from wor_eval.report.index import INDEX_FILES, IndexPage, render_index
from wor_eval.report.index_words import gate_lines, outcome_lines
from wor_eval.report.kinds import shown
from wor_eval.report.notebook import Session
from wor_eval.report.render import render_formats
from wor_eval.report.results import Results, load_results
from wor_eval.study import Lang, Study

Format = Literal["html", "pdf", "docx"]
Progress = Callable[[str], None]

LANGUAGES: tuple[Lang, ...] = ("nl", "en")
BRIEF: Final = "policy_brief"
"""The report of two pages beside that of an economic evaluation."""
_TITLE: Final = {
    "nl": "Welzijn op Recept: wat de evaluatie laat zien",
    "en": "Welzijn op Recept: what the evaluation shows",
}
_BRIEF_TITLE: Final = {
    "nl": "Beleidssamenvatting: is het zijn geld waard?",
    "en": "Policy brief: is it worth its money?",
}
_BRIEF_QUESTION: Final = {
    "nl": "De kosten en baten in twee bladzijden, voor wethouders en zorgverzekeraars.",
    "en": "Costs and benefits in two pages, for aldermen and health insurers.",
}
_MOST_WORKERS: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One report in one language, to be written in several formats."""

    qmd: Path
    results: Path
    lang: Lang
    outputs: tuple[Path, ...]


def render_study(
    study: str,
    *,
    results: Path,
    out: Path,
    langs: Sequence[Lang] = LANGUAGES,
    formats: Sequence[Format] = ("html",),
    reports: Path | None = None,
    progress: Progress = lambda step: None,
) -> list[Path]:
    """Render the reports of one study from its saved results.

    Parameters
    ----------
    study : str
        Name of the study. Its reports are ``reports/<study>.<lang>.qmd``; a plan of your own has the report of its
        kind. An economic evaluation has its policy brief beside it.
    results : Path
        Folder with the results of all studies.
    out : Path
        Folder for the documents, ``<study>.<lang>.<format>``.
    langs : sequence of {"nl", "en"}
        Languages.
    formats : sequence of {"html", "pdf", "docx"}
        Formats; all of them work without network.
    reports : Path, optional
        A folder of your own with ``<study>.<lang>.qmd``, as ``wor-eval new`` makes it.
    progress : callable
        Told the name of each report as it starts.

    Returns
    -------
    list of Path
        The documents.

    Raises
    ------
    ReportError
        The code of the report fails.
    """
    with ExitStack() as borrowed:
        jobs = _jobs(study, results=results, out=out, langs=langs, formats=formats, borrowed=borrowed)
        if reports is not None:
            jobs = [_own(job, reports / f"{study}.{job.lang}.qmd", results) for job in jobs]
        carry_out(jobs, progress)
    return [path for job in jobs for path in job.outputs]


def _jobs(
    study: str,
    *,
    results: Path,
    out: Path,
    langs: Sequence[Lang],
    formats: Sequence[Format],
    borrowed: ExitStack,
) -> list[Job]:
    """List the reports of a study, and its brief where it has one."""
    found = load_results(study, folder=results)
    report, place = borrowed.enter_context(_as_report(found, results))
    names = [(report, study)] + ([(BRIEF, f"{study}.brief")] if _has_brief(found) else [])
    return [
        Job(
            qmd=asset("reports", f"{source}.{lang}.qmd"),
            results=place,
            lang=lang,
            outputs=tuple(out / f"{name}.{lang}.{kind}" for kind in formats),
        )
        for source, name in names
        for lang in langs
    ]


def _own(job: Job, qmd: Path, results: Path) -> Job:
    """Take a report of one's own for a job, unless it is for the brief."""
    if job.outputs[0].name.startswith(f"{qmd.stem}."):
        return replace(job, qmd=qmd, results=results.resolve())
    return job


def _has_brief(found: Results) -> bool:
    return isinstance(found.plan, Study) and found.plan.economics is not None


def carry_out(jobs: Sequence[Job], progress: Progress = lambda step: None) -> None:
    """Render reports side by side, one process of code per processor; the first that fails ends it all.

    Parameters
    ----------
    jobs : sequence of Job
        The reports.
    progress : callable
        Told the name of each report as it starts.

    Raises
    ------
    ReportError
        The code of a report fails.
    """
    waiting: SimpleQueue[Job] = SimpleQueue()
    for job in jobs:
        waiting.put(job)

    def work() -> None:
        with Session() as session:
            while True:
                try:
                    job = waiting.get_nowait()
                except Empty:
                    return
                progress(f"report {job.outputs[0].stem}")
                render_formats(job.qmd, outputs=job.outputs, session=session, results=job.results)

    workers = min(len(jobs), os.cpu_count() or 1, _MOST_WORKERS)
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        running = [pool.submit(work) for _ in range(workers)]
        try:
            for worker in running:
                worker.result()
        finally:
            while not waiting.empty():
                waiting.get_nowait()


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
    formats: Sequence[Format] = ("html",),
    progress: Progress = lambda step: None,
) -> Path:
    """Render the reports of several studies and the index that opens them.

    Parameters
    ----------
    studies : sequence of str
        Names of the studies.
    results, out, formats, progress
        As in :func:`render_study`.

    Returns
    -------
    Path
        The index in Dutch; the English one, ``index.en.html``, stands beside it.
    """
    with ExitStack() as borrowed:
        jobs = [
            job
            for study in studies
            for job in _jobs(
                study, results=results, out=out, langs=LANGUAGES, formats=formats, borrowed=borrowed
            )
        ]
        carry_out(jobs, progress)
    for lang in LANGUAGES:
        shown_first = _in_order([load_results(study, lang=lang, folder=results) for study in studies])
        pages = [page for found in shown_first for page in _entries(found, results, jobs)]
        other = out / INDEX_FILES["en" if lang == "nl" else "nl"]
        render_index(
            pages,
            output=out / INDEX_FILES[lang],
            reports=asset("reports"),
            title=_TITLE[lang],
            lang=lang,
            other=other,
            lead=_lead(shown_first, lang),
        )
    return out / INDEX_FILES["nl"]


def _in_order(found: Sequence[Results]) -> list[Results]:
    """Put first what is best to be believed; the rest as it was given."""
    return sorted(found, key=lambda one: shown(one.plan).order)


def _lead(found: Sequence[Results], lang: Lang) -> str:
    """Say before all studies whether the persons are simulated, and which study to believe."""
    notices = dict.fromkeys(believed_words.simulated(one).text for one in found)
    return "\n\n".join(
        filter(None, [*notices, believed_words.which_study([one.plan for one in found], lang)])
    )


def _entries(found: Results, results: Path, jobs: Sequence[Job]) -> list[IndexPage]:
    """Say for the index what a study found, and where its documents are."""
    study, lang, about = found.plan.name, found.lang, shown(found.plan)

    def files(name: str) -> dict[Lang, Sequence[Path]]:
        return {
            job.lang: job.outputs for job in jobs if job.outputs[0].name.startswith(f"{name}.{job.lang}.")
        }

    beside = jobs[0].outputs[0].parent.resolve()
    figures = results / study
    entry = IndexPage(
        title=found.plan.title.in_(lang),
        question=about.question[lang] if about.question else found.plan.question.in_(lang),
        summary=about.summary(found),
        outcomes=outcome_lines(found),
        gates=gate_lines(found),
        files=files(study),
        figures=figures if beside in figures.resolve().parents else None,
    )
    if not _has_brief(found):
        return [entry]
    brief = IndexPage(title=_BRIEF_TITLE[lang], question=_BRIEF_QUESTION[lang], files=files(f"{study}.brief"))
    return [entry, brief]
