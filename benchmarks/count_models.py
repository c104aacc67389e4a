"""Speed and memory of the count regressions beside statsmodels: python benchmarks/count_models.py.

Each fit runs in a child process of its own, so that the peak memory is that of one fit with its data.
statsmodels gets one dummy per practice, which takes minutes at full size; it runs on the small size.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """Persons, months and practices of one panel."""

    persons: int
    months: int
    practices: int
    shuffled: bool = False

    def __str__(self) -> str:
        order = ", shuffled" if self.shuffled else ""
        return f"{self.persons:,} persons x {self.months} months, {self.practices} practices{order}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """A simulated panel of monthly contacts."""

    y: NDArray[np.float64]
    X: NDArray[np.float64]
    offset: NDArray[np.float64]
    person: NDArray[np.int64]
    practice: NDArray[np.int64]

    def with_dummies(self) -> NDArray[np.float64]:
        """Columns of the design with a dummy for each practice."""
        return np.column_stack([self.X, self.practice[:, None] == np.unique(self.practice)]).astype(float)


def simulate(size: Size, seed: int = 20240501) -> Panel:
    """Draw persons with a gamma frailty in practices with a normal effect; six covariates."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(size.persons), size.months)
    month = np.tile(np.arange(size.months), size.persons)
    referred = rng.integers(0, 2, size.persons)[person]
    after = month >= size.months // 2
    age = rng.normal(0, 1, size.persons)[person]
    sex = rng.integers(0, 2, size.persons)[person]
    X = np.column_stack([after, referred, after * referred, age, sex, np.sin(2 * np.pi * month / 12)]).astype(
        float
    )
    practice = rng.integers(0, size.practices, size.persons)[person]
    offset = np.log(rng.uniform(0.7, 1.0, person.size) / 12)
    eta = 1.2 + rng.normal(0, 0.3, size.practices)[practice] + X @ [0.05, 0.2, -0.15, 0.1, 0.1, 0.1] + offset
    y = rng.poisson(np.exp(eta) * rng.gamma(1.5, 1 / 1.5, size.persons)[person]).astype(float)
    order = rng.permutation(person.size) if size.shuffled else np.arange(person.size)
    return Panel(y=y[order], X=X[order], offset=offset[order], person=person[order], practice=practice[order])


def ours_poisson(p: Panel) -> float:
    from wor_eval.effects.regression import poisson_regression

    fit = poisson_regression(p.y, p.X, offset=p.offset, clusters=p.person, absorb=p.practice)
    return float(fit.coef[2])


def ours_negative_binomial(p: Panel) -> float:
    from wor_eval.effects.negative_binomial import negative_binomial_regression

    fit = negative_binomial_regression(p.y, p.X, offset=p.offset, clusters=p.person, absorb=p.practice)
    return float(fit.coef[2])


def ours_gee(p: Panel) -> float:
    from wor_eval.effects.gee import gee_poisson

    return float(gee_poisson(p.y, p.X, offset=p.offset, groups=p.person, absorb=p.practice).coef[2])


def peer_poisson(p: Panel) -> float:
    import statsmodels.api as sm

    model = sm.GLM(p.y, p.with_dummies(), family=sm.families.Poisson(), offset=p.offset)
    return float(model.fit(cov_type="cluster", cov_kwds={"groups": p.person}).params[2])


def peer_negative_binomial(p: Panel) -> float:
    import statsmodels.api as sm

    model = sm.NegativeBinomial(p.y, p.with_dummies(), offset=p.offset)
    cov = {"cov_type": "cluster", "cov_kwds": {"groups": p.person}}
    return float(model.fit(disp=0, method="newton", maxiter=100, **cov).params[2])


def peer_gee(p: Panel) -> float:
    import statsmodels.api as sm

    structure = sm.cov_struct.Exchangeable()
    model = sm.GEE(
        p.y, p.with_dummies(), p.person, offset=p.offset, family=sm.families.Poisson(), cov_struct=structure
    )
    return float(model.fit(ddof_scale=0).params[2])


MODELS: dict[str, tuple[Callable[[Panel], float], Callable[[Panel], float]]] = {
    "Poisson": (ours_poisson, peer_poisson),
    "NB2": (ours_negative_binomial, peer_negative_binomial),
    "GEE exchangeable": (ours_gee, peer_gee),
}


def _child(fit: Callable[[Panel], float], size: Size, repeats: int, queue: multiprocessing.Queue) -> None:
    panel = simulate(size)
    fit(simulate(Size(persons=300, months=6, practices=5)))  # imports are not part of the time
    seconds, cpu = [], []
    for _ in range(repeats):
        start, busy = time.perf_counter(), time.process_time()
        value = fit(panel)
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - busy)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    queue.put((min(seconds), min(cpu), peak, value))


def measure(fit: Callable[[Panel], float], size: Size, repeats: int) -> tuple[float, float, float, float]:
    """Least seconds and processor seconds, peak memory in MB and the estimate, from a child process."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_child, args=(fit, size, repeats, queue))
    process.start()
    result: tuple[float, float, float, float] = queue.get()
    process.join()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="fits per child process; the best is printed")
    repeats = parser.parse_args().repeats
    for size in (
        Size(persons=20_000, months=24, practices=200),
        Size(persons=20_000, months=24, practices=200, shuffled=True),
    ):
        print(f"\n{size}: practice effects absorbed, clusters by person")
        for name, (fit, _) in MODELS.items():
            best, cpu, peak, _ = measure(fit, size, repeats)
            print(f"  {name:18s} best {best:6.2f} s   processor {cpu:6.2f} s   peak {peak:5.0f} MB")
    small = Size(persons=2_000, months=24, practices=30)
    print(f"\n{small}: beside statsmodels with dummies")
    for name, (fit, peer) in MODELS.items():
        best, _, peak, value = measure(fit, small, repeats)
        theirs, _, peer_peak, peer_value = measure(peer, small, 1)
        print(
            f"  {name:18s} {best:6.3f} s {peak:5.0f} MB   statsmodels {theirs:6.2f} s {peer_peak:5.0f} MB   "
            f"ratio {theirs / best:5.0f}   difference in the coefficient {abs(value - peer_value):.0e}"
        )


if __name__ == "__main__":
    main()
