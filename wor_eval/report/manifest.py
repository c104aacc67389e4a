"""The manifest of saved results: what the numbers come from, with one digest of all of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from wor_eval.study import StudyPlan

MANIFEST: Final = "manifest.json"
OWN_DIGEST: Final = "digest"
_VERSIONED: Final = ("numpy", "scipy", "pandas", "statsmodels", "lifelines", "duckdb", "ibis-framework")


def manifest_text(
    about: Mapping[str, Any], study: StudyPlan, *, files: Mapping[str, str], hidden: Mapping[str, int]
) -> str:
    """Write the manifest of a study.

    Parameters
    ----------
    about : mapping
        What the run says of itself: study, digest of the data, period, notes.
    study : StudyPlan
        The plan that was carried out.
    files : mapping of str to str
        The files of the results by name, with their text.
    hidden : mapping of str to int
        Rows hidden in each table.

    Returns
    -------
    str
        JSON, the same bytes for the same results; ``digest`` is that of all the rest.
    """
    content = {
        **about,
        "plan": study.model_dump(mode="json"),
        "plan_digest": study.digest,
        "seed": study.seed,
        "versions": versions(),
        "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()},
        "rows_suppressed": dict(hidden),
    }
    content[OWN_DIGEST] = manifest_digest(content)
    return json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def manifest_digest(content: Mapping[str, Any]) -> str:
    """Give the SHA-256 of a manifest, without the digest it holds and however it is laid out.

    Examples
    --------
    >>> manifest_digest({"a": 1, "digest": "x"}) == manifest_digest({"a": 1})
    True
    """
    return digest_of({name: value for name, value in content.items() if name != OWN_DIGEST})


def digest_of(content: Any) -> str:
    """Give the SHA-256 of values as JSON with sorted keys: for a plan, what the study calls its digest."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Give the versions of Python, this package and those that compute."""
    import platform
    from importlib.metadata import version

    found = {name: version(name) for name in _VERSIONED}
    return {"wor_eval": version("wor-eval"), "python": platform.python_version(), **found}


def wrong_files(place: Path, files: Mapping[str, str]) -> list[str]:
    """Say of each saved file that is not as the manifest says what is wrong with it."""
    found = {name: _wrong(place / name, digest) for name, digest in files.items()}
    return [f"{name}: {wrong}" for name, wrong in found.items() if wrong]


def _wrong(file: Path, digest: str) -> str:
    if not file.is_file():
        return "missing"
    return "" if hashlib.sha256(file.read_bytes()).hexdigest() == digest else "changed by hand"
