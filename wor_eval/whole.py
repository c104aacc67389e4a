"""Output that appears whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wor_eval.errors import WorEvalError


@contextmanager
def whole_folder(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside ``target`` that becomes ``target`` when the block ends well.

    Where the block raises, the temporary folder goes and ``target`` stays as it was. With ``replace`` an
    existing target is moved aside before the new one takes its name, and removed last: at every moment one of
    them stands whole on disk.

    Parameters
    ----------
    target : Path
        The folder to make.
    replace : bool
        Whether an existing folder may be replaced.

    Yields
    ------
    Path
        The temporary folder to write in.

    Raises
    ------
    WorEvalError
        The target exists and may not be replaced, or cannot be written.
    """
    if target.exists() and not replace:
        raise WorEvalError(f"{target} exists and is not overwritten: remove it, or name another folder")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise WorEvalError(f"cannot write in {target.parent}: {error.strerror}") from None
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        _take_place(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Give a temporary file beside ``target`` that replaces it in one step when the block ends well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _take_place(temporary: Path, target: Path) -> None:
    """Let the temporary folder take the name of the target; where another run does so at this moment, say it."""
    try:
        _replace(temporary, target) if target.exists() else temporary.rename(target)
    except OSError as error:
        raise WorEvalError(
            f"{target} could not take its place ({error.strerror}): another run replaced it at the same moment, or "
            "it is in use; run again"
        ) from None


def _replace(temporary: Path, target: Path) -> None:
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.previous.", dir=target.parent))
    previous = aside / target.name
    try:
        target.rename(previous)
        temporary.rename(target)
    except BaseException:
        if previous.exists() and not target.exists():
            previous.rename(target)
        raise
    finally:
        if target.exists() or not previous.exists():
            shutil.rmtree(aside, ignore_errors=True)


def _umask() -> int:
    """Read the process's umask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
