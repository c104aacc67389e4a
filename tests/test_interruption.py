"""A command that is stopped, by Ctrl-C or by the system, or that fails, leaves no temporary folder and no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import wor_eval
from wor_eval.assets import asset
from wor_eval.cli import main
from wor_eval.data.simulate import simulate_study
from wor_eval.interruption import interruptible
from wor_eval.report.notebook import Session

COMMAND = "import sys; from wor_eval.cli import main; sys.exit(main(sys.argv[1:]))"
STOPS = [pytest.param(number, 128 + number, id=number.name) for number in (signal.SIGINT, signal.SIGTERM)]
needs_posix = pytest.mark.skipif(os.name != "posix", reason="no signals between processes on this system")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_study(tmp_path_factory.mktemp("raw") / "data", persons=1200, seed=5, format="csv")


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command with a temporary folder of its own."""
    scratch = folder / "scratch"
    scratch.mkdir()
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        env={**os.environ, "TMPDIR": str(scratch)},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@needs_posix
@pytest.mark.parametrize(("number", "code"), STOPS)
@pytest.mark.parametrize("later", [0.0, 1.5])
def test_a_run_that_is_stopped_while_it_reads_leaves_nothing(
    *, number: signal.Signals, code: int, later: float, data: Path, tmp_path: Path
) -> None:
    given = ["run", "before_after", "--data", str(data), "--out", str(tmp_path / "out"), "--no-stages"]
    running = start(tmp_path, *given)
    deadline = time.monotonic() + 120
    while not list(
        (tmp_path / "scratch").glob("wor_eval_*")
    ):  # the engine is open: from here on there is a folder
        assert time.monotonic() < deadline
        assert running.poll() is None, running.communicate()
        time.sleep(0.02)
    time.sleep(later)
    running.send_signal(number)
    _, said = running.communicate(timeout=120)
    assert running.returncode == code, said
    assert "interrupted; nothing that was there is changed" in said
    assert "Traceback" not in said
    assert list((tmp_path / "scratch").rglob("*")) == []
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def test_a_run_that_fails_leaves_nothing(data: Path, tmp_path: Path) -> None:
    (tmp_path / "late.toml").write_text(
        asset("analyses", "before_after.toml")
        .read_text(encoding="utf-8")
        .replace("bands = [18, 65]", "bands = [18, 65]\nreferred_from = 2099-01-01"),
        encoding="utf-8",
    )
    _, said = (running := start(tmp_path, "run", "late.toml", "--data", str(data))).communicate(timeout=300)
    assert running.returncode == 1
    assert "lies in the study period" in said
    assert list((tmp_path / "scratch").rglob("*")) == []


def test_the_temporary_files_of_the_code_of_a_report_go_with_its_process() -> None:
    """The process is ended at once and clears nothing away: what it makes stands in a folder that is removed for it."""
    with Session() as session:
        run = session.begin(Path("small.qmd"))
        shown = run("import tempfile; tempfile.mkdtemp(prefix='wor_eval_')", "a folder")[0]["data"]
        made = Path(str(shown["text/plain"]).strip("'"))
        assert made.is_dir()
        assert made.parent.name.startswith("wor_eval-")
    assert not made.exists()
    assert not made.parent.exists()


@needs_posix
@pytest.mark.parametrize(("number", "code"), STOPS)
def test_a_library_that_tells_of_a_signal_in_its_own_words_was_interrupted(
    number: signal.Signals, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def query(_folder: Any) -> None:
        try:
            os.kill(os.getpid(), number)
            time.sleep(5)
        except KeyboardInterrupt:
            raise RuntimeError("Query interrupted") from None

    monkeypatch.setattr(wor_eval, "check_data", query)
    assert main(["check", "anything"]) == code
    assert "interrupted" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, "the process has its own handlers back"


def test_an_error_without_a_signal_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(_folder: Any) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(wor_eval, "check_data", wrong)
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        main(["check", "anything"])


@needs_posix
def test_a_signal_that_is_ignored_stays_ignored_and_a_thread_changes_nothing() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with interruptible() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.number is None
    finally:
        signal.signal(signal.SIGTERM, before)
    handlers: list[Any] = []

    def elsewhere() -> None:
        with interruptible():
            handlers.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert handlers == [before]
