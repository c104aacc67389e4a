"""Balance table of a national cohort: seconds and memory, beside scipy and statsmodels doing the same.

Run as ``python benchmarks/balance.py``. Each measurement runs in a process of its own. The cohort has
10,000 referred and 1,000,000 comparison persons, 20 covariates (10 continuous, 5 counts, 5 binary) and a
weight above 0 for 40,000 comparison persons. The peer computes the same rows column by column with
``statsmodels.stats.weightstats.DescrStatsW`` and ``scipy.stats.ks_2samp``; it has no weighted KS, so
it does less.
"""

import resource
import subprocess
import sys
import time

import numpy as np
from numpy.typing import NDArray

N_REFERRED, N_COMPARISON, N_WEIGHTED, COLUMNS = 10_000, 1_000_000, 40_000, 20
NAMES = [f"x{j}" for j in range(COLUMNS)]

Array = NDArray[np.float64]


def cohort() -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(1)
    n = N_REFERRED + N_COMPARISON
    treated = np.zeros(n)
    treated[:N_REFERRED] = 1
    X = rng.normal(size=(n, COLUMNS)) + 0.3 * treated[:, None]
    X[:, 10:15] = rng.poisson(np.exp(1 + 0.2 * X[:, 10:15]))
    X[:, 15:] = X[:, 15:] > 0.5
    weights = treated.copy()
    weights[N_REFERRED : N_REFERRED + N_WEIGHTED] = rng.uniform(0.1, 1, N_WEIGHTED)
    return X, treated, weights


def ours(X: Array, treated: Array, weights: Array) -> None:
    from wor_eval.design.balance import balance_table

    balance_table(X, treated, weights, names=NAMES)


def ours_by_band(X: Array, treated: Array, weights: Array) -> None:
    from wor_eval.design.balance import balance_table

    bands = np.where(X[:, 0] < 1, "18-64", "65+")
    balance_table(X, treated, weights, names=NAMES, groups=bands)


def peer(X: Array, treated: Array, weights: Array) -> None:
    from scipy.stats import ks_2samp
    from statsmodels.stats.weightstats import DescrStatsW

    referred = treated == 1
    for x in X.T:
        for w in (np.ones_like(weights), weights):
            arms = [DescrStatsW(x[arm], w[arm]) for arm in (referred, ~referred)]
            _ = (arms[0].mean - arms[1].mean) / arms[0].std, arms[0].var / arms[1].var
        ks_2samp(x[referred], x[~referred], method="asymp")


def entropy(X: Array, treated: Array, weights: Array) -> None:
    from wor_eval.design.entropy import entropy_balance

    entropy_balance(X, treated, names=NAMES)


TASKS = {"balance_table": ours, "balance_table by band": ours_by_band, "scipy + statsmodels": peer}
TASKS["entropy_balance"] = entropy


def measure(task: str) -> None:
    data = cohort()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    TASKS[task](*data)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(seconds, after / 1024, (after - before) / 1024)


def main() -> None:
    found = {}
    for task in TASKS:
        line = subprocess.run([sys.executable, __file__, task], capture_output=True, text=True, check=True)
        found[task] = [float(x) for x in line.stdout.split()]
    print(f"{N_REFERRED + N_COMPARISON:,} persons, {COLUMNS} covariates")
    print(f"{'task':24s} {'seconds':>8s} {'peak MB':>8s} {'added MB':>9s} {'x peer time':>12s}")
    for task, (seconds, peak, added) in found.items():
        ratio = seconds / found["scipy + statsmodels"][0]
        print(f"{task:24s} {seconds:8.2f} {peak:8.0f} {added:9.0f} {ratio:12.2f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1])
    else:
        main()
