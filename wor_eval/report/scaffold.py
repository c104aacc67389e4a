"""A new study to start from: a plan with comments and reports of its own, which run as they are."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from wor_eval.assets import asset
from wor_eval.errors import StudyError
from wor_eval.report.kinds import shown
from wor_eval.study import read_study
from wor_eval.whole import whole_folder

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_BESIDE_REPORTS: Final = (
    "_quarto.yml",
    "_template.html",
    "_template.typ",
    "_reference.docx",
    "style.css",
    "references.bib",
)
_OPENING: Final = """\
# The plan of study {name}: every choice, fixed before the results are seen. It runs as it stands:
#
#     wor-eval run {name}/{name}.toml --data my_data
#     wor-eval report {name} --reports {name}/reports
#
# Try it first on simulated persons: wor-eval simulate my_data --persons 4000
# A key that is not known, or a choice that does not fit another, is named before anything is computed.

"""
# What a reader of the plan must know before a part of it; the same for every kind of plan.
_COMMENTS: Final[Mapping[str, str]] = {
    "[question]": "The question in one sentence, in both languages: it stands at the head of every report.",
    "[cohort]": "Who is in. `bands` are the age bands that every result is given for.",
    "[[cohort.include]]": "A rule that persons must meet; how many each rule leaves out is a table of the report.",
    "[windows]": "What is compared with what. Keep a run-in after the index date, and a placebo window a year before:\n"
    "what the report says about regression to the mean rests on it.",
    "[[outcomes]]": "An outcome: which raw table, and how it is counted, costed or scored.",
    "[design]": "How comparison persons are made comparable. Never on anything that is known after the index date.",
    "[[effects]]": "A contrast for one or more outcomes. Exactly one is the headline: choose it now, not afterwards.",
    "[gates]": "When the answer may not be quoted: what fails here is struck in every report.",
    "[[assumptions]]": "What is taken as true and cannot be tested; printed in every report.",
    "[[pools]]": "Which published results may be put together, and how.",
    "[disclosure]": "What may leave the building.",
    "[economics]": "Costs beside effects: perspective, horizon, thresholds and who pays.",
}


def plans() -> tuple[str, ...]:
    """Name the shipped plans that a study can be like.

    Examples
    --------
    >>> "before_after" in plans()
    True
    """
    return tuple(sorted(path.stem for path in asset("analyses").glob("*.toml")))


def new_study(name: str, folder: Path, *, like: str = "before_after") -> Path:
    """Write a study to start from, whole or not at all.

    Parameters
    ----------
    name : str
        Name of the study: lower-case letters, digits and underscores.
    folder : Path
        Where the folder of the study is made.
    like : str
        The shipped plan to start from.

    Returns
    -------
    Path
        The folder: ``<name>.toml``, and ``reports/`` with the report in Dutch and in English and what Quarto needs.

    Raises
    ------
    StudyError
        The name is not that of a study, or there is no such plan.
    WorEvalError
        The folder exists, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     made = new_study("my_study", Path(place))
    ...     sorted(path.name for path in made.iterdir())
    ['my_study.toml', 'reports']
    """
    if not _NAME.fullmatch(name):
        raise StudyError(
            f"{name} is no name of a study: lower-case letters, digits and underscores, a letter first"
        )
    if like not in plans():
        raise StudyError(f"there is no plan {like} to start from; there are {', '.join(plans())}")
    with whole_folder(folder / name) as place:
        text = asset("analyses", f"{like}.toml").read_text(encoding="utf-8")
        (place / f"{name}.toml").write_text(commented(text, name), encoding="utf-8", newline="\n")
        _write_reports(name, place / "reports", like)
    return folder / name


def commented(plan: str, name: str) -> str:
    """Put a comment before the first part of each kind in a plan.

    Parameters
    ----------
    plan : str
        The plan, as TOML.
    name : str
        Name of the new study.

    Returns
    -------
    str
        The same plan with comments.
    """
    lines, seen = [], set()
    for line in plan.splitlines():
        header = line.split("#")[0].strip()
        if header in _COMMENTS and header not in seen:
            seen.add(header)
            lines += [f"# {said}" for said in _COMMENTS[header].splitlines()]
        lines.append(line)
    return _OPENING.format(name=name) + "\n".join(lines) + "\n"


def _write_reports(name: str, place: Path, like: str) -> None:
    """Copy the report of the plan under the new name, with what it is rendered with."""
    reports, source = asset("reports"), shown(read_study(asset("analyses", f"{like}.toml"))).report
    place.mkdir()
    for lang in ("nl", "en"):
        text = (reports / f"{source}.{lang}.qmd").read_text(encoding="utf-8")
        text = re.sub(r'load_results\("\w+"', f'load_results("{name}"', text)
        (place / f"{name}.{lang}.qmd").write_text(text, encoding="utf-8", newline="\n")
    for path in (*(reports / file for file in _BESIDE_REPORTS), *reports.glob("_*.qmd")):
        shutil.copyfile(path, place / path.name)
    shutil.copytree(reports / "_filters", place / "_filters")
