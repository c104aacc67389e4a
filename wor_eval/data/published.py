"""Reading what is published: the entries that ship with the package, and those of a user's own folders."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

from wor_eval.assets import asset
from wor_eval.data.published_entry import Entry
from wor_eval.errors import DataError


def read_entries(folders: Sequence[Path | str] = ()) -> tuple[Entry, ...]:
    """Read every published source: those of the package, and those of other folders.

    Parameters
    ----------
    folders : sequence of Path or str
        Folders with further entries, a TOML file each.

    Returns
    -------
    tuple of Entry
        In the order of their names.

    Raises
    ------
    DataError
        A folder is not there or holds no entries, two entries have one name, or an entry is not as it should be:
        no source, an interval that does not contain its estimate, a number that is not there. All of it is listed.

    Examples
    --------
    >>> [entry.source.design for entry in read_entries() if entry.name == "grant_2000"]
    ['randomised']
    """
    problems: list[str] = []
    files = [*_files(asset("reports", "published"), problems)]
    for folder in folders:
        files += _files(Path(folder), problems)
    names = [file.stem for file in files]
    problems += [
        f"{name}: two entries have this name" for name in sorted({n for n in names if names.count(n) > 1})
    ]
    entries = [entry for file in files if (entry := _read(file, problems)) is not None]
    if problems:
        raise DataError("published entries that cannot be used as they stand", problems=problems)
    return tuple(sorted(entries, key=lambda entry: entry.name))


def _files(folder: Path, problems: list[str]) -> list[Path]:
    files = sorted(folder.glob("*.toml")) if folder.is_dir() else []
    if not files:
        problems.append(f"{folder.name}: a folder with entries (*.toml) is needed")
    return files


def _read(file: Path, problems: list[str]) -> Entry | None:
    """Read one entry; what is wrong with it goes to ``problems``."""
    from pydantic import ValidationError

    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        return Entry.model_validate({"name": file.stem, **content})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file.name}: not valid TOML: {error}")
    except ValidationError as error:
        for item in error.errors():
            place = ".".join(str(part) for part in item["loc"]) or "entry"
            problems.append(f"{file.name}: {place}: {item['msg'].removeprefix('Value error, ')}")
    return None


def entries_digest(entries: Iterable[Entry]) -> str:
    """Give the SHA-256 of entries, independent of how their TOML was laid out."""
    text = "\n".join(entry.model_dump_json() for entry in entries)
    return hashlib.sha256(text.encode()).hexdigest()
