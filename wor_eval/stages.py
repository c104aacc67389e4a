"""Finished stages of a run, kept until the results stand: an interrupted run goes on where it was.

A stage is found by its content: the digest of the data, of the parts of the plan it depends on, and of this
package. It holds data of persons, so it never stands among the results, only its owner can read it, and it goes
when the study is done.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wor_eval.assets import asset
from wor_eval.errors import WorEvalError

if TYPE_CHECKING:
    import pandas as pd

    Frames = Mapping[str, pd.DataFrame]

_LIBRARIES = ("numpy", "scipy", "pandas", "statsmodels", "duckdb", "ibis-framework", "pyarrow")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True, kw_only=True, slots=True)
class Store:
    """A folder of finished stages, one file each.

    Parameters
    ----------
    folder : Path
        The folder; it is made when the first stage is kept, and closed to everybody but its owner.
    used : dict of str to Path
        The files that this run wrote or read.
    """

    folder: Path
    used: dict[str, Path] = field(default_factory=dict)

    def read(self, key: str) -> dict[str, pd.DataFrame] | None:
        """Give the frames of a stage; None where it is not there, or not whole."""
        import pyarrow as pa

        path = self.folder / f"{key}.stage"
        try:
            with zipfile.ZipFile(path) as stage:
                frames = {}
                for name in stage.namelist():
                    with stage.open(name) as file, pa.ipc.open_stream(file) as stream:
                        frames[name] = stream.read_all().to_pandas()
                        file.read()  # the check sum is compared at the end of the file
        except (OSError, EOFError, zipfile.BadZipFile, pa.ArrowException):
            return None
        self.used[key] = path
        return frames

    def write(self, key: str, frames: Frames) -> None:
        """Keep the frames of a stage; it appears whole or not at all.

        Raises
        ------
        OSError
            It cannot be written.
        """
        import pyarrow as pa

        self._open()
        part = self.folder / f"{key}.{os.getpid()}.part"
        try:
            with os.fdopen(os.open(part, _NEW, 0o600), "wb") as file, zipfile.ZipFile(file, "w") as stage:
                for name, frame in frames.items():
                    table = pa.Table.from_pandas(frame)
                    with (
                        stage.open(name, "w", force_zip64=True) as entry,
                        pa.ipc.new_stream(entry, table.schema) as out,
                    ):
                        out.write_table(table)
            self.used[key] = part.replace(self.folder / f"{key}.stage")
        finally:
            part.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove what this run used, and the folder if nothing else is in it."""
        for path in self.used.values():
            path.unlink(missing_ok=True)
        self.used.clear()
        try:
            self.folder.rmdir()
        except OSError:  # not empty: another run is under way, or was interrupted
            return

    def _open(self) -> None:
        """Make the folder, close it to others, and remove what a run that was killed left half-written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        for part in self.folder.glob("*.part"):
            process = part.name.split(".")[-2]
            if process.isdigit() and not _runs(int(process)):
                part.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    """Tell whether a process is under way."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@dataclass(frozen=True, kw_only=True, slots=True)
class Steps:
    """Tells how far a run is, and takes over the stages that an earlier run finished.

    Parameters
    ----------
    say : callable
        Told each step.
    store : Store, optional
        Where finished stages are kept; without it every stage is made.
    inputs : str
        Digest of the data.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> steps = Steps(say=print, store=Store(folder=Path(tempfile.mkdtemp()) / "stages"), inputs="a digest")
    >>> first = steps.keep("counts", {"seed": 1}, lambda: {"n": pd.DataFrame({"value": [1, 2]})})
    >>> again = steps.keep("counts", {"seed": 1}, lambda: {})
    counts: finished by an earlier run, taken over
    >>> again["n"].equals(first["n"])
    True
    """

    say: Callable[[str], None] = lambda step: None
    store: Store | None = None
    inputs: str = ""

    def __call__(self, step: str) -> None:
        """Tell a step."""
        self.say(step)

    def keep(self, stage: str, depends_on: Any, make: Callable[[], Frames]) -> Frames:
        """Give the frames of a stage: those that are kept, or else new ones, which are kept.

        Parameters
        ----------
        stage : str
            Name of the stage.
        depends_on : JSON
            What it depends on besides the data and this package: parts of the plan.
        make : callable
            Makes the frames.

        Returns
        -------
        mapping of str to DataFrame
            The frames; as they are read back, so that a run that goes on gives the same as one that did not stop.
        """
        if self.store is None:
            return make()
        known = json.dumps([stage, self.inputs, code_digest(), depends_on], sort_keys=True)
        key = f"{stage.replace(' ', '_')}-{hashlib.sha256(known.encode()).hexdigest()[:32]}"
        found = self.store.read(key)
        if found is not None:
            self.say(f"{stage}: finished by an earlier run, taken over")
            return found
        frames = make()
        try:
            self.store.write(key, frames)
        except OSError as error:
            self.say(f"{stage}: cannot be kept in {self.store.folder} ({error.strerror}); going on without")
            return frames
        return self.store.read(key) or frames


ALONE: Final = Steps()
"""Steps that are told to nobody, and kept nowhere."""


def stage_store(folder: Path | None, *, study: str, results: Path) -> Store:
    """Give the store of a study in a folder; by default in ``.wor_eval_stages``, beside the results.

    Raises
    ------
    WorEvalError
        The folder lies within the results, which are made to leave the building.
    """
    folder = folder or results.resolve().parent / ".wor_eval_stages"
    if folder.resolve() == results.resolve() or results.resolve() in folder.resolve().parents:
        raise WorEvalError(f"stages hold data of persons and cannot stand in {results}: name another folder")
    return Store(folder=folder / study)


@cache
def code_digest() -> str:
    """Return the SHA-256 of this package, its declarations and the versions of the libraries it counts with."""
    total = hashlib.sha256(repr([(name, version(name)) for name in _LIBRARIES]).encode())
    package, declared = Path(__file__).parent, asset("data_dictionary")
    for path in sorted((*package.rglob("*.py"), *declared.rglob("*.yaml"), *declared.rglob("*.csv"))):
        total.update(path.read_bytes())
    return total.hexdigest()
