"""Whether saved results are still what they say they are: files, plan, seed, versions and data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from wor_eval.data.read import data_digest
from wor_eval.errors import WorEvalError
from wor_eval.plan_parts import plan_digest
from wor_eval.report.manifest import MANIFEST, OWN_DIGEST, manifest_digest, versions, wrong_files
from wor_eval.study import StudyPlan

Part = Literal["files", "manifest", "plan", "seed", "version", "data"]
_NEEDED: Final = ("files", "plan", "plan_digest", "seed", "versions", "data_digest")


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """One part of saved results, recomputed.

    Attributes
    ----------
    part : {"files", "manifest", "plan", "seed", "version", "data"}
        What was recomputed.
    differs : tuple of str
        What differs from what was saved; empty where all is as it was.
    says : str
        What was compared, for a part in which nothing differs.
    """

    part: Part
    says: str
    differs: tuple[str, ...] = ()


def verify_results(
    place: Path | str, *, data: Path | str | None = None, plan: StudyPlan | None = None
) -> tuple[Checked, ...]:
    """Recompute the digests of saved results and say what differs.

    Parameters
    ----------
    place : Path or str
        Folder of one study: ``results/<study>``.
    data : Path or str, optional
        Folder with the raw tables that the results should come from; without it data are not compared.
    plan : StudyPlan, optional
        The plan as it should have been; without it the plan in the manifest is compared with its own digest.

    Returns
    -------
    tuple of Checked
        One for each part that could be compared.

    Raises
    ------
    WorEvalError
        The folder holds no results that can be read.
    """
    place = Path(place)
    manifest = read_manifest(place)
    checks = [
        _files(place, manifest["files"]),
        _manifest(manifest),
        _plan(manifest, plan),
        _seed(manifest, plan),
        _version(manifest["versions"]),
    ]
    return (*checks, _data(manifest["data_digest"], Path(data))) if data is not None else tuple(checks)


def read_manifest(place: Path) -> Mapping[str, Any]:
    """Read the manifest of saved results.

    Raises
    ------
    WorEvalError
        There is none, or it is not a manifest of this package.
    """
    try:
        content = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise WorEvalError(f"{place} holds no results: name a folder results/<study>") from None
    except (ValueError, UnicodeDecodeError):
        raise WorEvalError(f"{place / MANIFEST} cannot be read: run the study again") from None
    if not isinstance(content, dict) or (absent := [name for name in _NEEDED if name not in content]):
        parts = absent if isinstance(content, dict) else list(_NEEDED)
        raise WorEvalError(f"{place / MANIFEST} is not a manifest: it lacks {', '.join(parts)}")
    return content


def _files(place: Path, files: Mapping[str, str]) -> Checked:
    unknown = sorted(
        path.name for path in place.iterdir() if path.name not in files and path.name != MANIFEST
    )
    differs = [*wrong_files(place, files), *(f"{name}: not written by the run" for name in unknown)]
    return Checked(part="files", says=f"{len(files)} files are as they were saved", differs=tuple(differs))


def _manifest(manifest: Mapping[str, Any]) -> Checked:
    found, named = manifest_digest(manifest), str(manifest.get(OWN_DIGEST, "none"))
    says = f"digest {named[:16]}"
    wrong = f"{MANIFEST}: changed by hand (it names digest {named[:16]}, its content gives {found[:16]})"
    return Checked(part="manifest", says=says, differs=() if found == named else (wrong,))


def _plan(manifest: Mapping[str, Any], plan: StudyPlan | None) -> Checked:
    stored = manifest["plan"]
    differs = []
    if plan_digest(stored) != manifest["plan_digest"]:
        differs.append("the plan in the manifest does not have the digest beside it")
    as_given = manifest.get("plan_as_given", manifest["plan_digest"])
    if plan is not None and plan.digest != as_given:
        other = plan.model_dump(mode="json")
        parts = sorted(name for name in {*stored, *other} - {"engine"} if stored.get(name) != other.get(name))
        differs.append(f"the results come from another plan: {', '.join(parts) or 'other outcomes'} differ")
    return Checked(part="plan", says=f"plan {manifest['plan_digest'][:16]}", differs=tuple(differs))


def _seed(manifest: Mapping[str, Any], plan: StudyPlan | None) -> Checked:
    used = manifest["seed"]
    named = {"the plan in the manifest": manifest["plan"].get("seed")}
    if plan is not None:
        named["the plan given"] = plan.seed
    differs = [f"{used} was used, {where} says {seed}" for where, seed in named.items() if seed != used]
    return Checked(part="seed", says=f"seed {used}", differs=tuple(differs))


def _version(then: Mapping[str, str]) -> Checked:
    now = versions()
    differs = [
        f"{name}: {then.get(name, 'none')} then, {now.get(name, 'none')} now"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]
    return Checked(part="version", says=f"the same {len(now)} versions", differs=tuple(differs))


def _data(then: str | None, folder: Path) -> Checked:
    if then is None:
        return Checked(part="data", says="the study reads no data", differs=())
    now = data_digest(folder)
    wrong = f"the results come from other data ({then[:16]}; {folder} has {now[:16]})"
    return Checked(part="data", says=f"data {then[:16]}", differs=() if now == then else (wrong,))
