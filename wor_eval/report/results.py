"""The results of one study: tables and a manifest, saved after suppression and read back by the reports."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from wor_eval.assets import asset
from wor_eval.errors import WorEvalError
from wor_eval.report.disclosure import DisclosureRule, disclosure_rule, suppress
from wor_eval.report.linked import Protection, protect_tables, withheld
from wor_eval.report.manifest import MANIFEST, manifest_text, wrong_files
from wor_eval.study import Lang, Study, StudyPlan, study_plan
from wor_eval.whole import whole_file, whole_folder

if TYPE_CHECKING:
    import pandas as pd

RESULTS_VARIABLE: Final = "WOR_EVAL_RESULTS"
WITHHELD: Final = ".withheld.csv"


class AbsentTableError(WorEvalError):
    """Results that do not hold a table: the data had no such outcome."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TableDescription:
    """What a results table holds, as ``data_dictionary/results/`` says."""

    name: str
    columns: tuple[str, ...]
    labels: Mapping[str, Mapping[str, str]]
    rule: DisclosureRule


@dataclass(frozen=True, kw_only=True, slots=True)
class Results:
    """All results of one study.

    Attributes
    ----------
    plan : StudyPlan
        The plan that was carried out, of any kind.
    tables : mapping of str to DataFrame
        The results, as ``data_dictionary/results/`` describes them.
    manifest : mapping
        Digests, seed, versions, and what was hidden.
    lang : {"nl", "en"}
        Language in which tables, figures and words speak.
    """

    plan: StudyPlan
    tables: Mapping[str, pd.DataFrame]
    manifest: Mapping[str, Any]
    lang: Lang = "en"

    def __repr__(self) -> str:
        return f"Results({self.plan.name}: {', '.join(self.tables)})"

    @property
    def study(self) -> Study:
        """The plan of a study of effects.

        Raises
        ------
        WorEvalError
            These are the results of another kind of study.
        """
        if not isinstance(self.plan, Study):
            raise WorEvalError(
                f"results {self.plan.name} are of a study of kind {self.plan.kind}, not of effects"
            )
        return self.plan

    def in_(self, lang: Lang) -> Results:
        """Give the same results, speaking another language."""
        return replace(self, lang=lang)

    def table(self, name: str) -> pd.DataFrame:
        """Give one table.

        Raises
        ------
        AbsentTableError
            These results have no such table.
        """
        if name not in self.tables:
            raise AbsentTableError(f"results {self.plan.name} have no table {name}: {', '.join(self.tables)}")
        return self.tables[name]


def describe_table(name: str) -> TableDescription:
    """Read the description of a results table.

    Raises
    ------
    WorEvalError
        ``data_dictionary/results/`` does not describe the table.
    """
    path = asset("data_dictionary", "results", f"{name}.yaml")
    if not path.is_file():
        raise WorEvalError(f"results table {name} is not described in data_dictionary/results")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return TableDescription(
        name=name,
        columns=tuple(field["name"] for field in content["fields"]),
        labels={field["name"]: field["label"] for field in content["fields"]},
        rule=disclosure_rule(content["disclosure"]),
    )


def save_results(results: Results, folder: Path | str, *, replace: bool = False) -> Path:
    """Save results after suppression, whole or not at all.

    Parameters
    ----------
    results : Results
        As the run gave them: nothing is hidden yet.
    folder : Path or str
        Where the results of all studies stand; this study gets a folder with its name.
    replace : bool
        Whether an older result that differs may be replaced. The same result is left as it is.

    Returns
    -------
    Path
        The folder of this study: one CSV per table, and ``manifest.json``. Beside it stands
        ``<study>.withheld.csv``, which tells the output checker which rows are hidden and why; it is not published.

    Raises
    ------
    WorEvalError
        An older, different result stands there, a table is not described, or nothing can be written.
    """
    target = Path(folder) / results.plan.name
    described = {name: describe_table(name) for name in results.tables}
    protection = protect_tables(
        results.tables, {name: table.rule for name, table in described.items()}, results.plan.disclosure
    )
    files = {
        f"{name}.csv": _protected_csv(results, table, protection[name]) for name, table in described.items()
    }
    hidden = {name: int(found.hidden.sum()) for name, found in protection.items()}
    files[MANIFEST] = manifest_text(results.manifest, results.plan, files=files, hidden=hidden)
    if not _stands_already(target, files):
        _put(target, files, replace=replace)
    log = withheld(
        {name: (results.tables[name], described[name].rule, protection[name]) for name in described}
    )
    with whole_file(target.with_name(f"{target.name}{WITHHELD}")) as temporary:
        temporary.write_text(log, encoding="utf-8", newline="\n")
    return target


def _put(target: Path, files: Mapping[str, str], *, replace: bool) -> None:
    """Write the files of a study, whole or not at all."""
    if target.exists() and not replace:
        raise WorEvalError(
            f"{target} holds an older result of other data, another plan or another version: "
            "add --replace, or name another folder"
        )
    with whole_folder(target, replace=replace) as temporary:
        for name, text in files.items():
            (temporary / name).write_text(text, encoding="utf-8", newline="\n")


def _stands_already(target: Path, files: Mapping[str, str]) -> bool:
    return all(
        (target / name).is_file() and (target / name).read_text(encoding="utf-8") == text
        for name, text in files.items()
    )


def _protected_csv(results: Results, described: TableDescription, protection: Protection) -> str:
    """Give a table as CSV without what is hidden."""
    frame = suppress(
        results.tables[described.name], described.rule, results.plan.disclosure, hidden=protection.hidden
    )
    unknown = set(frame.columns) ^ set(described.columns)
    if unknown:
        raise WorEvalError(
            f"results table {described.name} is not as data_dictionary/results describes it",
            problems=sorted(unknown),
        )
    text = frame[list(described.columns)].to_csv(index=False, float_format="%.10g", lineterminator="\n")
    return str(text)


def load_results(study: str, *, lang: Lang = "en", folder: Path | str | None = None) -> Results:
    """Read the saved results of a study.

    Parameters
    ----------
    study : str
        Name of the study.
    lang : {"nl", "en"}
        Language in which tables, figures and words speak.
    folder : Path or str, optional
        Where the results of all studies stand. Without it, the folder that ``wor-eval report`` names, else
        the nearest ``results`` folder above the working directory.

    Returns
    -------
    Results
        The saved tables and manifest.

    Raises
    ------
    WorEvalError
        There are no such results, or a file is missing or was changed after it was saved.
    """
    import pandas as pd

    place = _find(study, folder)
    manifest = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
    names = [Path(name).stem for name in manifest["files"]]
    if problems := wrong_files(place, manifest["files"]):
        raise WorEvalError(
            f"results {study} are not as they were saved: run the study again", problems=problems
        )
    tables = {name: pd.read_csv(place / f"{name}.csv", dtype=_text_columns(name)) for name in names}
    return Results(plan=study_plan(manifest["plan"]), tables=tables, manifest=manifest, lang=lang)


def _text_columns(name: str) -> dict[str, str]:
    """Columns that hold text also where they look like numbers."""
    content = yaml.safe_load(asset("data_dictionary", "results", f"{name}.yaml").read_text(encoding="utf-8"))
    return {field["name"]: "str" for field in content["fields"] if field["type"] == "string"}


def _find(study: str, folder: Path | str | None) -> Path:
    named = folder or os.environ.get(RESULTS_VARIABLE)
    above = (Path.cwd(), *Path.cwd().parents)
    places = [Path(named)] if named else [folder / "results" for folder in above]
    for place in places:
        if (place / study / MANIFEST).is_file():
            return place / study
    raise WorEvalError(f"there are no results of study {study}: run `wor-eval run` first")
