"""Seconds and memory of the cluster bootstrap and of CR2, beside scipy and a loop of refits.

Run as ``python benchmarks/bootstrap.py``. Each case runs in a process of its own, three times; the best time is
given, and the peak memory of the whole process with the memory before the call taken off.
"""

import multiprocessing as mp
import resource
import time

import numpy as np

PERSONS, REPLICATES = 20_000, 5_000


def data(n_clusters):
    rng = np.random.default_rng(0)
    arm = rng.integers(0, 2, PERSONS)
    X = np.column_stack(
        [
            np.ones(PERSONS),
            arm,
            rng.normal(55, 15, PERSONS),
            rng.integers(0, 2, PERSONS),
            rng.gamma(1, 5, PERSONS),
        ]
    )
    y = rng.gamma(0.7, 3000, PERSONS) + 20 * X[:, 2]
    persons = np.arange(PERSONS)
    return y, X, persons if n_clusters == PERSONS else rng.integers(0, n_clusters, PERSONS)


def adjusted_difference(n_clusters):
    from wor_eval.effects.bootstrap_estimators import bootstrap_linear

    y, X, clusters = data(n_clusters)
    return lambda: bootstrap_linear(y, X, clusters, replicates=REPLICATES, seed=1)


def rates_with_errors(n_clusters):
    from wor_eval.effects.bootstrap_estimators import bootstrap_rates

    y, X, clusters = data(n_clusters)
    arms = X[:, 1:2] == [0, 1]
    return lambda: bootstrap_rates(
        y[:, None] * arms, arms, clusters, signs=[-1, 1], replicates=REPLICATES, seed=1
    )


def scipy_adjusted_difference(replicates):
    from scipy import stats

    y, X, _ = data(PERSONS)

    def coefficient(index):
        return np.linalg.lstsq(X[index], y[index], rcond=None)[0][1]

    return lambda: stats.bootstrap(
        (np.arange(PERSONS),),
        coefficient,
        n_resamples=replicates,
        method="percentile",
        vectorized=False,
        rng=np.random.default_rng(1),
    )


def scipy_mean_difference(replicates):
    from scipy import stats

    y, X, _ = data(PERSONS)
    arms = y[X[:, 1] == 1], y[X[:, 1] == 0]

    def gap(a, b, axis):
        return a.mean(axis=axis) - b.mean(axis=axis)

    return lambda: stats.bootstrap(
        arms, gap, n_resamples=replicates, method="percentile", batch=100, rng=np.random.default_rng(1)
    )


def cr2(n_clusters):
    from wor_eval.effects.small_sample import cr2_linear

    y, X, clusters = data(n_clusters)
    return lambda: cr2_linear(y, X, clusters, contrasts=[0, 1, 0, 0, 0])


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(make, argument, runs, results):
    call = make(argument)
    before = peak_megabytes()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    results.put((min(seconds), peak_megabytes() - before, peak_megabytes()))


def report(name, make, argument, *, runs=3, scale=1.0, peer=None):
    context = mp.get_context("spawn")
    results = context.Queue()
    child = context.Process(target=measure, args=(make, argument, runs, results))
    child.start()
    seconds, extra, whole = results.get()
    child.join()
    seconds *= scale
    ratio = "" if peer is None else f"{peer / seconds:8.0f} x faster than scipy"
    print(f"{name:58s} {seconds:8.3f} s {extra:7.0f} MB more ({whole:.0f} MB in all) {ratio}")
    return seconds


def main():
    print(f"{PERSONS:,} persons, {REPLICATES:,} replicates")
    few = 100
    slow = report(
        f"scipy, adjusted difference ({few} replicates, scaled up)",
        scipy_adjusted_difference,
        few,
        runs=1,
        scale=REPLICATES / few,
    )
    for n in (PERSONS, 1000, 200, 20):
        report(f"adjusted difference, 4 covariates, {n:,} clusters", adjusted_difference, n, peer=slow)
    plain = report("scipy, difference of means", scipy_mean_difference, REPLICATES, runs=1)
    for n in (PERSONS, 1000, 200, 20):
        report(f"difference of means with standard errors, {n:,} clusters", rates_with_errors, n, peer=plain)
    for n in (PERSONS, 1000, 200, 20):
        report(f"CR2 with Satterthwaite df, {n:,} clusters", cr2, n)


if __name__ == "__main__":
    main()
