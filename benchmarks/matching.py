"""Seconds and peak memory of the matching steps, beside a peer in the same run.

    python benchmarks/matching.py                  # 10,000, 100,000 and 1,000,000 candidates, and the growth
    python benchmarks/matching.py --size 1000000   # one size

Referred persons: one per hundred candidates; 200 exact strata; 20 covariates in the propensity model, 8 in
the Mahalanobis distance. Every step runs in a process of its own; its peak memory includes the data. On a
busy machine compare the CPU seconds (of all threads).
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

SIZES = (10_000, 100_000, 1_000_000)
N_STRATA = 200
NAMES = [f"x{j}" for j in range(20)]


def make(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Covariates, arm and strata, in random row order."""
    rng = np.random.default_rng(20240501)
    treated = rng.permutation(np.arange(size + size // 100) < size // 100)
    X = rng.normal(size=(treated.size, len(NAMES)))
    X += 0.3 * treated[:, None] / np.sqrt(1 + np.arange(len(NAMES)))
    return X, treated, rng.integers(0, N_STRATA, treated.size)


def logit(X: np.ndarray) -> np.ndarray:
    """A score to match on that needs no fit."""
    return X @ (0.3 / np.sqrt(1 + np.arange(X.shape[1])))


def data_only(X: np.ndarray, treated: np.ndarray, strata: np.ndarray) -> None:
    """Nothing: the memory of the data themselves."""


def propensity(X: np.ndarray, treated: np.ndarray, strata: np.ndarray) -> None:
    from wor_eval.design.propensity import fit_propensity

    fit_propensity(X, treated, names=NAMES)


def propensity_strata(X: np.ndarray, treated: np.ndarray, strata: np.ndarray) -> None:
    from wor_eval.design.propensity import fit_propensity

    fit_propensity(X, treated, names=NAMES, exact_strata=strata)


def propensity_peer(X: np.ndarray, treated: np.ndarray, strata: np.ndarray) -> None:
    import statsmodels.api as sm

    sm.Logit(treated.astype(float), sm.add_constant(X)).fit(disp=0)


def greedy(X: np.ndarray, treated: np.ndarray, strata: np.ndarray) -> None:
    from wor_eval.design.line import caliper_width
    from wor_eval.design.nearest import nearest_on_score

    score = logit(X)
    nearest_on_score(score, treated, strata=strata, ratio=4, caliper=caliper_width(score, treated))


def greedy_replacement(X: np.ndarray, treated: np.ndarray, strata: np.ndarray) -> None:
    from wor_eval.design.line import caliper_width
    from wor_eval.design.nearest import nearest_on_score

    score = logit(X)
    width = caliper_width(score, treated)
    nearest_on_score(score, treated, strata=strata, ratio=4, caliper=width, replacement=True)


def by_stratum(treated: np.ndarray, strata: np.ndarray) -> Any:
    """Yield the rows of the referred and of the comparison persons of each stratum."""
    for code in range(N_STRATA):
        here = np.flatnonzero(strata == code)
        yield here[treated[here]], here[~treated[here]]


def greedy_peer(X: np.ndarray, treated: np.ndarray, strata: np.ndarray) -> None:
    """Greedy 1:4 by distance rows: the plain way in NumPy."""
    score = logit(X)
    width = 0.2 * score.std(ddof=1)
    for referred, comparison in by_stratum(treated, strata):
        values = score[comparison].copy()
        for _ in range(4):
            for i in referred[np.argsort(-score[referred])]:
                gap = np.abs(values - score[i])
                best = gap.argmin()
                if gap[best] <= width:
                    values[best] = np.inf


def mahalanobis(X: np.ndarray, treated: np.ndarray, strata: np.ndarray) -> None:
    from wor_eval.design.mahalanobis import nearest_mahalanobis

    nearest_mahalanobis(X[:, :8], treated, names=NAMES[:8], strata=strata)


def mahalanobis_caliper(X: np.ndarray, treated: np.ndarray, strata: np.ndarray) -> None:
    from wor_eval.design.line import caliper_width
    from wor_eval.design.mahalanobis import nearest_mahalanobis

    score = logit(X)
    width = caliper_width(score, treated)
    nearest_mahalanobis(
        X[:, :8], treated, names=NAMES[:8], strata=strata, score=score, caliper=width, order="largest"
    )


def mahalanobis_peer(X: np.ndarray, treated: np.ndarray, strata: np.ndarray) -> None:
    """Greedy 1:1 on full distance matrices per stratum (scipy)."""
    from scipy.spatial.distance import cdist

    inverse = np.linalg.inv(np.cov(X[:, :8], rowvar=False))
    for referred, comparison in by_stratum(treated, strata):
        gap = cdist(X[referred, :8], X[comparison, :8], "mahalanobis", VI=inverse)
        for row in gap:
            best = row.argmin()
            gap[:, best] = np.inf


def optimal(X: np.ndarray, treated: np.ndarray, strata: np.ndarray) -> None:
    from wor_eval.design.optimal import optimal_pairs

    optimal_pairs(logit(X), treated, strata=strata)


def optimal_one_stratum(X: np.ndarray, treated: np.ndarray, strata: np.ndarray) -> None:
    from wor_eval.design.optimal import optimal_pairs

    optimal_pairs(logit(X), treated)


def optimal_peer(X: np.ndarray, treated: np.ndarray, strata: np.ndarray) -> None:
    """The whole assignment problem of each stratum (scipy)."""
    from scipy.optimize import linear_sum_assignment

    score = logit(X)
    for referred, comparison in by_stratum(treated, strata):
        linear_sum_assignment(np.abs(score[referred][:, None] - score[comparison]))


def full(X: np.ndarray, treated: np.ndarray, strata: np.ndarray) -> None:
    from wor_eval.design.optimal import optimal_full

    optimal_full(logit(X), treated, strata=strata)


def chain(X: np.ndarray, treated: np.ndarray, strata: np.ndarray) -> None:
    """Propensity score and greedy 1:4 matching."""
    from wor_eval.design.line import caliper_width
    from wor_eval.design.nearest import nearest_on_score
    from wor_eval.design.propensity import fit_propensity

    score = fit_propensity(X, treated, names=NAMES).linear
    nearest_on_score(score, treated, strata=strata, ratio=4, caliper=caliper_width(score, treated))


Step = Callable[[np.ndarray, np.ndarray, np.ndarray], None]
STEPS: dict[str, tuple[Step, str | None]] = {
    "data only": (data_only, None),
    "peer: statsmodels Logit": (propensity_peer, None),
    "propensity": (propensity, "peer: statsmodels Logit"),
    "propensity, intercept per stratum": (propensity_strata, "peer: statsmodels Logit"),
    "peer: greedy 1:4 by distance rows": (greedy_peer, None),
    "greedy 1:4, caliper": (greedy, "peer: greedy 1:4 by distance rows"),
    "greedy 1:4, replacement": (greedy_replacement, None),
    "peer: Mahalanobis 1:1 by cdist": (mahalanobis_peer, None),
    "Mahalanobis 1:1": (mahalanobis, "peer: Mahalanobis 1:1 by cdist"),
    "Mahalanobis 1:1, caliper": (mahalanobis_caliper, None),
    "peer: linear_sum_assignment": (optimal_peer, None),
    "optimal pairs": (optimal, "peer: linear_sum_assignment"),
    "optimal pairs, one stratum": (optimal_one_stratum, None),
    "optimal full": (full, None),
    "propensity + greedy 1:4": (chain, None),
}


def run_here(name: str, size: int) -> None:
    """Run one step in this process and print its seconds and peak megabytes as JSON."""
    data = make(size)
    begin, begin_cpu = time.perf_counter(), time.process_time()
    STEPS[name][0](*data)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - begin_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "megabytes": peak}))


def run_child(name: str, size: int) -> dict[str, float]:
    """Run one step in a fresh process."""
    command = [sys.executable, __file__, "--size", str(size), "--step", name]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def report(sizes: tuple[int, ...]) -> None:
    """Print one table per size; growth is seconds at this size over seconds at the size before."""
    before: dict[str, float] = {}
    for size in sizes:
        print(f"\n{size // 100:,} referred to {size:,} candidates, {N_STRATA} strata")
        print(f"{'':38}{'seconds':>9}{'CPU s':>8}{'peak MB':>9}{'of peer':>9}{'growth':>8}")
        seconds: dict[str, float] = {}
        for name, (_, peer) in STEPS.items():
            found = run_child(name, size)
            seconds[name] = found["seconds"]
            ratio = f"{seconds[name] / seconds[peer]:9.2f}" if peer else " " * 9
            grown = f"{seconds[name] / before[name]:8.1f}" if before.get(name) else ""
            row = f"{name:38}{seconds[name]:9.2f}{found['cpu']:8.2f}{found['megabytes']:9.0f}"
            print(f"{row}{ratio}{grown}", flush=True)
        before = seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, choices=SIZES)
    parser.add_argument("--step", choices=STEPS)
    asked = parser.parse_args()
    if asked.step:
        run_here(asked.step, asked.size)
    else:
        report((asked.size,) if asked.size else SIZES)


if __name__ == "__main__":
    main()
