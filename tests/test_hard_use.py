"""Hard use: no value of a person outside the data, no network, an interrupted write, two runs, read-only folders."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.raw_study import small_frames, write_csv
from wor_eval.cli import main
from wor_eval.data.read import read_data
from wor_eval.data.simulate import simulate_study
from wor_eval.errors import DataError

CANARY = "kanarie7919"
PERSONS = "1200"
NO_NETWORK = """
import socket, sys
real = socket.socket.connect
def refuse(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise AssertionError(f"the network was asked for {address[0]}")
    return real(self, address)
socket.socket.connect = refuse
socket.getaddrinfo = lambda host, *rest, **more: (_ for _ in ()).throw(AssertionError(f"a name was looked up: {host}"))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A synthetic study in a folder with a space and letters outside ASCII, in which every id is a canary."""
    folder = simulate_study(
        tmp_path_factory.mktemp("één map ñ") / "ruwe data", persons=int(PERSONS), seed=5, format="csv"
    )
    for path in folder.glob("*.csv"):
        text = path.read_text(encoding="utf-8")
        header, _, rows = text.partition("\n")
        if header.split(",")[0] == "person_id" and path.stem != "truth":
            rows = re.sub(r"^(?=.)", CANARY, rows, flags=re.MULTILINE)
            path.write_text(f"{header}\n{rows}", encoding="utf-8")
    assert CANARY in (folder / "persons.csv").read_text(encoding="utf-8")
    return folder


def holding(folder: Path, needle: str) -> list[str]:
    """The files below a folder in whose bytes or name the needle stands."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    plain = needle.encode()
    return [str(path) for path in found if needle in path.name or plain in path.read_bytes()]


def process(code: str, *, scratch: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, with a temporary folder and a home to search afterwards."""
    environment = {
        **os.environ,
        "TMPDIR": str(scratch),
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
    }
    return subprocess.run(  # noqa: PLW1510 - the caller looks at the code it ends with
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=home,
    )


def test_no_value_of_a_person_leaves_and_nobody_is_called(data, tmp_path):
    """The whole flow from a read-only folder, without a network: run, verify, and the report in one language."""
    scratch, home, out = tmp_path / "scratch", tmp_path / "home", tmp_path / "uit voer é"
    for folder in (scratch, home, out):
        folder.mkdir()
    for path in (*data.iterdir(), data):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {path: path.read_bytes() for path in data.iterdir()}
    steps = [
        ["check", str(data)],
        ["run", "before_after", "--data", str(data), "--out", str(out / "results")],
        ["verify", str(out / "results" / "before_after"), "--data", str(data)],
        ["report", "before_after", "--results", str(out / "results"), "--out", str(out), "--lang", "nl"],
    ]
    ran = process(
        f"{NO_NETWORK}\nfrom wor_eval.cli import main\nfor step in {steps!r}:\n    assert main(step) == 0, step",
        scratch=scratch,
        home=home,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert CANARY not in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    for folder in (scratch, home, out):
        assert holding(folder, CANARY) == []
    assert {path: path.read_bytes() for path in data.iterdir()} == before
    left = [path for path in scratch.rglob("*") if path.is_file() and not path.match("*jupyter*")]
    assert left == [], "nothing is left in the temporary folder"
    page = (out / "before_after.nl.html").read_text(encoding="utf-8")
    fetched = re.findall(
        r"""(?:src|srcset)\s*=\s*["']?\s*(?:https?:)?//[^"'\s>]+|url\(\s*["']?(?:https?:)?//""", page
    )
    fetched += re.findall(r"""<link\b[^>]*href\s*=\s*["']?(?:https?:)?//[^"'\s>]+""", page)
    assert fetched == [], "a page fetches nothing when it is opened"


BROKEN = {
    "person_id twice": ("persons", "person_id", lambda frame, at: frame["person_id"].iloc[at - 1]),
    "sex": ("persons", "sex", lambda frame, at: CANARY),
    "birth_year": ("persons", "birth_year", lambda frame, at: CANARY),
    "referral of nobody": ("referrals", "person_id", lambda frame, at: CANARY),
    "date": ("referrals", "referred_on", lambda frame, at: f"{CANARY}-01-01"),
    "a date too late": ("referrals", "referred_on", lambda frame, at: "2919-07-19"),
    "practice": (
        "registrations",
        "practice_id",
        lambda frame, at: f"{CANARY} met een vrije tekst over de persoon",
    ),
    "municipality": ("persons", "municipality_code", lambda frame, at: CANARY),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_no_message_holds_a_value_of_a_broken_table(kind, tmp_path, capsys):
    table, column, value = BROKEN[kind]
    frames = small_frames()
    frame = frames[table].astype({column: object})
    frame.loc[frame.index[1], column] = planted = value(frame, 1)
    frames[table] = frame
    data = write_csv(tmp_path / "data", frames)
    assert main(["check", str(data)]) in (0, 1)
    said = "".join(capsys.readouterr())
    try:
        said += read_data(data).summary()
    except DataError as error:
        said += str(error)
    assert "Traceback" not in said
    assert CANARY not in said
    assert kind == "person_id twice" or str(planted) not in said
    others = [path for path in tmp_path.rglob("*") if path.is_file() and data not in path.parents]
    assert not [path for path in others if CANARY.encode() in path.read_bytes()]


WRITER = """
import sys, time
from pathlib import Path
from wor_eval.whole import whole_folder
target, text = Path(sys.argv[1]), sys.argv[2]
while True:
    with whole_folder(target, replace=True) as place:
        for number in range(20):
            (place / f"{number}.csv").write_text(text * 200)
            print("wrote", flush=True)
"""


def test_killed_at_any_moment_a_result_is_whole(tmp_path):
    """kill -9 while results are replaced over and over: what stands under the name is always one whole result."""
    target = tmp_path / "results"
    target.mkdir()
    for number in range(20):
        (target / f"{number}.csv").write_text("old" * 200)
    for turn in range(12):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(target), f"new{turn % 10}"], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.003 * turn)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        # Killed between two renames, the older result stands whole beside it, under its own name.
        stands = target if target.exists() else next(tmp_path.glob(".results.previous.*/results"))
        contents = {path.read_text() for path in stands.iterdir()}
        assert len(list(stands.iterdir())) == 20
        assert len(contents) == 1, "parts of two results stand together"
        if stands != target:
            stands.rename(target)


def test_two_runs_side_by_side_do_not_disturb_each_other(tmp_path):
    """Two processes replace the same result: both end well or say why, and one of them stands whole."""
    code = """
    import sys
    from pathlib import Path
    from wor_eval.errors import WorEvalError
    from wor_eval.whole import whole_folder
    for turn in range(40):
        try:
            with whole_folder(Path(sys.argv[1]), replace=True) as place:
                for number in range(5):
                    (place / f"{number}.csv").write_text(sys.argv[2] * 100)
        except WorEvalError:
            pass
    """
    target = tmp_path / "results"
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(target), text],
            stderr=subprocess.PIPE,
            text=True,
        )
        for text in ("one", "two")
    ]
    errors = [run.communicate()[1] for run in runs]
    assert errors == ["", ""]
    contents = {path.read_text() for path in target.iterdir()}
    assert len(list(target.iterdir())) == 5
    assert contents in ({"one" * 100}, {"two" * 100})
