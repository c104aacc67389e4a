"""Output appears whole or not at all: whatever happens, one of the two folders stands."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from wor_eval.errors import WorEvalError
from wor_eval.whole import whole_folder


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def make(target: Path, text: str = "new", *, replace: bool = False) -> None:
    with whole_folder(target, replace=replace) as place:
        (place / "result").write_text(text)


@pytest.fixture
def old(tmp_path):
    """A folder with an earlier result, alone in its parent."""
    make(tmp_path / "study", "old")
    return tmp_path / "study"


def test_a_folder_appears_when_it_is_whole(tmp_path):
    target = tmp_path / "deep" / "er" / "study"
    with whole_folder(target) as place:
        (place / "result").write_text("new")
        assert place.parent == target.parent, "a rename is one step only within one file system"
        assert not target.exists()
    assert contents(target) == {"result": "new"}
    assert list(target.parent.iterdir()) == [target]


def test_others_may_read_what_the_umask_lets_them(tmp_path):
    before = os.umask(0o027)
    try:
        make(tmp_path / "study")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "study").stat().st_mode) == 0o750


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("replace", [False, True])
def test_an_exception_leaves_things_as_they_were(tmp_path, error, replace):
    target = tmp_path / "study"
    if replace:
        make(target, "old")
    with pytest.raises(error), whole_folder(target, replace=replace) as place:
        (place / "result").write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == ([target] if replace else [])
    assert not replace or contents(target) == {"result": "old"}


def test_an_older_result_is_not_replaced_unasked(old):
    entered = False
    with pytest.raises(WorEvalError, match="exists and is not overwritten"), whole_folder(old):
        entered = True
    assert not entered
    assert contents(old) == {"result": "old"}
    assert list(old.parent.iterdir()) == [old]


def test_an_older_result_is_replaced_when_asked(old):
    (old / "stale").write_text("old")
    make(old, replace=True)
    assert contents(old) == {"result": "new"}
    assert list(old.parent.iterdir()) == [old]


@pytest.mark.parametrize("failing", [1, 2])
def test_a_move_that_fails_leaves_the_old_result(old, monkeypatch, failing):
    moves = 0
    move = Path.rename

    def fails_once(self, target):
        nonlocal moves
        moves += 1
        if moves == failing:
            raise PermissionError(13, "Permission denied", str(self))
        return move(self, target)

    monkeypatch.setattr(Path, "rename", fails_once)
    with pytest.raises(WorEvalError, match="Permission denied"):
        make(old, replace=True)
    assert contents(old) == {"result": "old"}
    assert list(old.parent.iterdir()) == [old]


def test_another_run_that_moves_the_result_away_at_the_same_moment_is_said(old, monkeypatch):
    move = Path.rename

    def beaten(self, target):
        if self == old:
            move(old, old.parent / "theirs")
        return move(self, target)

    monkeypatch.setattr(Path, "rename", beaten)
    with pytest.raises(WorEvalError, match="another run"):
        make(old, replace=True)
    assert [path.name for path in old.parent.iterdir()] == ["theirs"]


CRASH = """
import os, sys
from pathlib import Path
import wor_eval.whole as whole

step = int(sys.argv[2])
calls = 0

def crashing(function):
    def call(*given, **options):
        global calls
        calls += 1
        if calls == step:
            os._exit(9)
        return function(*given, **options)
    return call

with whole.whole_folder(Path(sys.argv[1]), replace=True) as place:
    (place / "result").write_text("new")
    whole.Path.rename = crashing(whole.Path.rename)
    whole.shutil.rmtree = crashing(whole.shutil.rmtree)
"""


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_crash_between_the_steps_leaves_one_of_them_whole(old, step):
    """The process dies just before a move of the old, a move of the new, or the removal of the old."""
    died = subprocess.run([sys.executable, "-c", CRASH, str(old), str(step)], check=False)
    assert died.returncode == 9
    standing = [path.parent for path in old.parent.rglob("result")]
    assert {(folder / "result").read_text() for folder in standing} == {"old", "new"}
    if step == 1:
        assert contents(old) == {"result": "old"}
    elif step == 3:
        assert contents(old) == {"result": "new"}
    for folder in old.parent.iterdir():
        assert folder == old or folder.name.startswith("."), "what is left behind is not taken for a result"


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WorEvalError, match=r"cannot write in .*file"):
        make(tmp_path / "file" / "study")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write in a read-only folder"
)
def test_a_read_only_folder_is_named(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(WorEvalError, match=r"cannot write in .*Permission denied"):
            make(tmp_path / "study")
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_that_refuses_new_files_is_named(tmp_path, monkeypatch):
    def refuse(**_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("wor_eval.whole.tempfile.mkdtemp", refuse)
    with pytest.raises(WorEvalError, match=r"cannot write in .*Permission denied"):
        make(tmp_path / "study")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    target = tmp_path / "study"
    with pytest.raises(OSError, match="No space left"), whole_folder(target) as place:
        shutil.copy(__file__, place)
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []
