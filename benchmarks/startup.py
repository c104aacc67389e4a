"""What it costs to start: importing the package beside importing numpy, and answering ``wor-eval --help``.

Run as ``python benchmarks/startup.py``. Each case is a new process, the cases take turns, and the best of the
runs is given. The limits the project sets itself: an import of at most 1.5 times that of numpy, and help in
under 0.3 s.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

RUNS = 15
COMMAND = Path(sys.executable).with_name("wor-eval")
CASES = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import numpy": [sys.executable, "-c", "import numpy"],
    "import wor_eval": [sys.executable, "-c", "import wor_eval"],
    "wor-eval --help": [str(COMMAND), "--help"],
    "wor-eval run --help": [str(COMMAND), "run", "--help"],
    "import pandas, statsmodels.api": [sys.executable, "-c", "import pandas, statsmodels.api"],
}


def measure(command):
    """Give the seconds and the peak memory (MB) of one process."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
    return seconds, usage.ru_maxrss / 1024


def main():
    best = {}
    for run in range(RUNS):
        for name, command in CASES.items():
            if run >= 3 and name.startswith("import pandas"):
                continue
            found = measure(command)
            best[name] = min(best.get(name, found), found)
    for name, (seconds, memory) in best.items():
        print(f"{name:32s} {seconds:7.3f} s {memory:6.0f} MB")
    bare = best["python -c pass"][0]
    ours, numpy = best["import wor_eval"][0], best["import numpy"][0]
    print(f"import wor_eval / import numpy: {ours / numpy:.2f} (limit 1.5); without starting Python: "
          f"{(ours - bare) / (numpy - bare):.2f}")  # fmt: skip
    print(f"wor-eval --help: {best['wor-eval --help'][0]:.3f} s (limit 0.3)")


if __name__ == "__main__":
    main()
