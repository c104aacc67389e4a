"""No process that makes a report asks the network: not the command, nor the one that runs the code of the report."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.saved_study import saved_folder

GUARD = '''
"""Told of every use of a socket by Python itself, in whichever process this folder is on the path of."""
import os, sys

def note(line):
    with open(os.environ["NETWORK_LOG"], "a", encoding="utf-8") as log:
        log.write(f"{line}\\n")

def near(host):
    return host in (None, "localhost") or str(host).startswith("127.") or str(host) == "::1"

def hear(event, told):
    if event in ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"):
        address = told[1]
        asked = [address[0]] if isinstance(address, tuple) else []
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        asked = [told[0]]
    else:
        return
    if not all(near(host) for host in asked):
        note(f"asked {event} {asked[0]!r}")
        raise OSError(f"the network was asked for {asked[0]}")

sys.addaudithook(hear)
note(f"started {sys.orig_argv}")
'''
REPORT = "from wor_eval.cli import main\nimport sys\nsys.exit(main(sys.argv[1:]))"
ASKING = """
from pathlib import Path
from wor_eval.errors import ReportError
from wor_eval.report.notebook import Session
with Session() as session:
    run = session.begin(Path("small.qmd"))
    assert run("1 + 1", "a sum")[0]["data"]["text/plain"] == "2"
    for code in ("import urllib.request as r; r.urlopen('http://192.0.2.1/', timeout=1)",
                 "import socket; socket.getaddrinfo('example.org', 80)",
                 "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))"):
        try:
            run(code, "asking")
        except ReportError as error:
            assert "the network was asked for" in str(error), error
        else:
            raise SystemExit("the code of a report reached the network")
"""


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A temporary folder with a short path: the address of a socket in it holds about 100 characters."""
    with tempfile.TemporaryDirectory(prefix="net") as folder:
        yield Path(folder)


def watched(command: list[str], scratch: Path, root: Path) -> tuple[list[str], str]:
    """Run a command and say what its Python processes did with sockets, and what went wrong if it failed."""
    guard, log = scratch / "guard", scratch / "log"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": f"{guard}{os.pathsep}{root}",
        "NETWORK_LOG": str(log),
        "TMPDIR": str(scratch),
    }
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=scratch, check=False)
    failed = "" if ran.returncode == 0 else f"{ran.returncode}: {(ran.stdout + ran.stderr)[-2000:]}"
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else [], failed


def kernels(log: list[str]) -> list[str]:
    return [line for line in log if line.startswith("started") and "ipykernel_launcher" in line]


def report(out: Path) -> list[str]:
    given = ["--results", str(saved_folder()), "--out", str(out), "--lang", "nl"]
    return [sys.executable, "-c", REPORT, "report", "before_after", *given]


def test_the_code_of_a_report_is_heard_when_it_asks_the_network(scratch: Path, root: Path) -> None:
    """The guard has teeth: it hears the process that runs the code, and what is asked there is refused."""
    log, failed = watched([sys.executable, "-c", ASKING], scratch, root)
    assert not failed, failed
    assert len(kernels(log)) == 1
    asked = [line.split()[1] for line in log if line.startswith("asked")]
    assert asked == ["socket.getaddrinfo", "socket.getaddrinfo", "socket.sendto"]


def apart() -> list[str]:
    """What starts a command where nothing can be called, this machine neither; nothing where that is not allowed."""
    alone = ["unshare", "--map-root-user", "--net"]
    able = shutil.which("unshare") is not None
    return alone if able and not subprocess.run([*alone, "true"], check=False).returncode else []


def test_no_process_of_a_report_uses_a_socket_beyond_this_machine(scratch: Path, root: Path) -> None:
    """Python is heard everywhere; in a network of its own, where that can be had, Pandoc and ZeroMQ are cut off too."""
    log, failed = watched([*apart(), *report(scratch / "site")], scratch, root)
    assert not failed, failed
    assert kernels(log), "the code of the report ran in a process that was heard"
    assert [line for line in log if not line.startswith("started")] == []
    assert "</html>" in (scratch / "site" / "before_after.nl.html").read_text(encoding="utf-8")
