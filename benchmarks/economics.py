"""Joint bootstrap, acceptability and value of information: seconds and memory, beside plain numpy doing the same.

Run as ``python benchmarks/economics.py``. Each measurement runs in a process of its own, with one BLAS thread
(with more, OpenBLAS spins on a busy machine and small products become many times slower). ``CPU s`` counts
the making of the data too; it tells how long a task takes where nothing else runs.

- 5,000 replicates of cost and effect with four covariates, 20,000 persons drawn one by one within arms, or in
  4,000 matched sets or 100 practices, with acceptability and EVPI over 501 thresholds. The peer draws rows and solves
  least squares for each replicate; it does 50 and is scaled up.
- Acceptability and EVPI of 20,000 draws over 501 thresholds, two and four strategies. The peer holds every
  net benefit in memory.
"""

import os
import resource
import subprocess
import sys
import time

import numpy as np
from numpy.typing import NDArray

N, REPLICATES, DRAWS, PEER_REPLICATES = 20_000, 5_000, 20_000, 50
GRID = np.linspace(0, 100_000, 501)

Array = NDArray[np.float64]


def persons() -> tuple[Array, Array, Array, Array]:
    rng = np.random.default_rng(1)
    referred = np.repeat([1.0, 0.0], N // 2)
    cost = rng.gamma(0.5, 6000.0, N) + 200 * referred
    effect = rng.normal(0.7, 0.2, N) + 0.02 * referred
    return cost, effect, referred, rng.normal(size=(N, 4))


def joint(n_clusters: int | None) -> float:
    from wor_eval.economics.acceptability import acceptability
    from wor_eval.economics.draws import joint_bootstrap

    cost, effect, referred, covariates = persons()
    clusters = None if n_clusters is None else np.arange(N) % n_clusters
    start = time.perf_counter()
    drawn = joint_bootstrap(
        cost, effect, referred, replicates=REPLICATES, seed=1, covariates=covariates, clusters=clusters
    )
    acceptability(drawn.draws[:, 0], drawn.draws[:, 1], GRID)
    return time.perf_counter() - start


def joint_peer() -> float:
    cost, effect, referred, covariates = persons()
    rng = np.random.default_rng(1)
    X, Y = np.column_stack([np.ones(N), referred, covariates]), np.column_stack([cost, effect])
    start = time.perf_counter()
    for _ in range(PEER_REPLICATES):
        rows = np.concatenate([rng.integers(0, N // 2, N // 2), rng.integers(N // 2, N, N // 2)])
        np.linalg.lstsq(X[rows], Y[rows], rcond=None)
    return (time.perf_counter() - start) * REPLICATES / PEER_REPLICATES


def model_draws(strategies: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(2)
    return rng.gamma(2, 500.0, (DRAWS, strategies)), rng.normal(0.7, 0.02, (DRAWS, strategies))


def choice(strategies: int) -> float:
    from wor_eval.economics.acceptability import acceptability

    cost, effect = model_draws(strategies)
    start = time.perf_counter()
    acceptability(cost, effect, GRID)
    return time.perf_counter() - start


def choice_peer(strategies: int) -> float:
    cost, effect = model_draws(strategies)
    start = time.perf_counter()
    benefit = GRID[:, None, None] * effect - cost
    best = benefit.argmax(axis=2)
    _ = [(best == s).mean(axis=1) for s in range(strategies)]
    _ = benefit.max(axis=2).mean(axis=1) - benefit.mean(axis=1).max(axis=1)
    return time.perf_counter() - start


TASKS = {
    "joint, 20,000 persons": (lambda: joint(None), "joint, peer"),
    "joint, 4,000 sets": (lambda: joint(4000), "joint, peer"),
    "joint, 100 practices": (lambda: joint(100), "joint, peer"),
    "joint, peer": (joint_peer, "joint, peer"),
    "choice of 2": (lambda: choice(2), "choice of 2, peer"),
    "choice of 2, peer": (lambda: choice_peer(2), "choice of 2, peer"),
    "choice of 4": (lambda: choice(4), "choice of 4, peer"),
    "choice of 4, peer": (lambda: choice_peer(4), "choice of 4, peer"),
}


def measure(task: str) -> None:
    import wor_eval.economics.acceptability
    import wor_eval.economics.draws  # noqa: F401

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    processor = time.process_time()
    seconds = TASKS[task][0]()
    processor = time.process_time() - processor
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(seconds, processor, after / 1024, (after - before) / 1024)


def main() -> None:
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    found = {}
    for task in TASKS:
        line = subprocess.run(
            [sys.executable, __file__, task], capture_output=True, text=True, check=True, env=one_thread
        )
        found[task] = [float(x) for x in line.stdout.split()]
    print(f"{REPLICATES:,} replicates, {DRAWS:,} draws, {GRID.size} thresholds")
    print(f"{'task':24s} {'seconds':>8s} {'CPU s':>8s} {'peak MB':>8s} {'added MB':>9s} {'x peer time':>12s}")
    for task, (seconds, processor, peak, added) in found.items():
        ratio = seconds / found[TASKS[task][1]][0]
        print(f"{task:24s} {seconds:8.3f} {processor:8.3f} {peak:8.0f} {added:9.0f} {ratio:12.4f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1])
    else:
        main()
