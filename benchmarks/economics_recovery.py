"""Coverage of net benefit intervals and calibration of acceptability with 20 practices and skewed costs.

Run as ``python -m benchmarks.economics_recovery [repeats]`` (default 1,000; about 10 minutes); it writes its table into
``docs/economics_recovery.md``. The true net benefit is zero, so a 95 % interval should hold zero in 95 %, and
acceptability should lie outside 2.5-97.5 % in 5 %. Monte-Carlo error of both with 1,000 repeats: 0.7 points.

Designs: both arms in every practice (40 % referred, or 20 %), or ten practices that refer against ten that do
not. Skewness of costs: 3.4 (gamma, shape 0.35) or 6.3 (shape 0.1).
"""

import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kstest

from benchmarks.economics_page import PAGE, write_part

PRACTICES, COST, EFFECT, REPLICATES = 20, 500.0, 0.025, 1000
ZERO = COST / EFFECT
DESIGNS = ("40 % referred", "20 % referred", "by practice")
METHODS = ("CR2, t", "SUR, CR2, t", "CR1, normal", "percentile bootstrap")

Array = NDArray[np.float64]


def simulate(
    rng: np.random.Generator, n: int, *, design: str, shape: float
) -> tuple[Array, Array, Array, Array, NDArray[np.int64]]:
    sizes = rng.dirichlet(np.full(PRACTICES, 5.0))
    practice = np.concatenate(
        [np.tile(np.arange(PRACTICES), 2), rng.choice(PRACTICES, n - 2 * PRACTICES, p=sizes)]
    )
    share = {"40 % referred": 0.4, "20 % referred": 0.2, "by practice": 0.0}[design]
    referred = (rng.random(n) < share) if share else practice % 2 == 0
    frailty = rng.gamma(shape, 1 / shape, n)
    level = 3000 * np.exp(0.25 * rng.normal(size=PRACTICES))[practice]
    own_effect = COST + (300 * rng.normal(size=PRACTICES)[practice] if share else 0.0)
    before = rng.normal(0.7, 0.2, n)
    cost = level * frailty + own_effect * referred
    effect = 0.6 + 0.5 * (before - 0.7) - 0.03 * (frailty - 1) + EFFECT * referred
    effect += 0.03 * rng.normal(size=PRACTICES)[practice] + rng.normal(0, 0.15, n)
    return cost, effect, referred.astype(float), before, practice


def answers(
    data: tuple[Array, Array, Array, Array, NDArray[np.int64]], seed: int
) -> list[tuple[bool, float]]:
    """Whether each method's interval holds zero, and its probability of a positive net benefit."""
    from scipy.stats import norm

    from wor_eval.economics.decision import net_benefit
    from wor_eval.economics.draws import joint_bootstrap
    from wor_eval.economics.joint import joint_regression
    from wor_eval.economics.sur import seemingly_unrelated

    cost, effect, referred, before, practice = data
    found = []
    least = joint_regression(cost, effect, referred, covariates=before, clusters=practice)
    pair = seemingly_unrelated(cost, effect, referred, effect_covariates=before, clusters=practice).difference
    for fit in (least, pair):
        benefit = net_benefit(fit, [ZERO])
        held = benefit.limits.conf_low[0] <= 0 <= benefit.limits.conf_high[0]
        found.append((bool(held), float(benefit.probability[0])))
    X = np.column_stack([np.ones(cost.size), referred, before])
    bread, y = np.linalg.inv(X.T @ X), ZERO * effect - cost
    b = bread @ X.T @ y
    sums = np.stack([np.bincount(practice, weights=c * (y - X @ b)) for c in X.T], axis=1) @ bread[1]
    z = b[1] / np.sqrt((sums**2).sum() * PRACTICES / (PRACTICES - 1))
    found.append((bool(abs(z) < 1.96), float(norm.cdf(z))))
    joint = joint_bootstrap(
        cost, effect, referred, covariates=before, clusters=practice, replicates=REPLICATES, seed=seed
    )
    draws = ZERO * joint.draws[:, 1] - joint.draws[:, 0]
    low, high = np.quantile(draws, [0.025, 0.975])
    found.append((bool(low <= 0 <= high), float((draws > 0).mean())))
    return found


def main(repeats: int) -> None:
    rows, start = [], time.perf_counter()
    for shape, skew in ((0.35, 3.4), (0.1, 6.3)):
        for design in DESIGNS:
            for n in (200, 2000):
                rng = np.random.default_rng(n)
                found = [answers(simulate(rng, n, design=design, shape=shape), s) for s in range(repeats)]
                for method, each in zip(METHODS, zip(*found, strict=True), strict=True):
                    chance = np.array([p for _, p in each])
                    rows.append(
                        {
                            "design": design,
                            "skewness": skew,
                            "n": n,
                            "method": method,
                            "coverage": np.mean([held for held, _ in each]),
                            "too_certain": np.mean((chance < 0.025) | (chance > 0.975)),
                            "uniform_p": kstest(chance, "uniform").pvalue,
                        }
                    )
                print(
                    f"{skew} {design} {n}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True
                )
    table = pd.DataFrame(rows)
    print(table.round(3).to_string())
    write_part(PAGE, "estimators", _page(table, repeats))


def _page(table: pd.DataFrame, repeats: int) -> str:
    """Write the part of the page: one line per design, one column per method."""
    error = 100 * np.sqrt(0.95 * 0.05 / repeats)
    lines = [
        f"{repeats:,} studies per line, {PRACTICES} practices, true net benefit zero; Monte-Carlo error {error:.1f} "
        "points. Share of 95 % intervals that hold the truth, and in brackets the share of studies in which the "
        "probability of a positive net benefit lies outside 2.5-97.5 % (5 % when calibrated).",
        "",
        "| Who is referred | Skewness of costs | Persons | " + " | ".join(METHODS) + " |",
        "|:---|---:|---:|" + "---:|" * len(METHODS),
    ]
    for (skew, design, n), part in table.groupby(["skewness", "design", "n"], sort=False):
        cells = [
            f"{100 * c:.1f} ({100 * t:.1f})"
            for c, t in zip(part["coverage"], part["too_certain"], strict=True)
        ]
        lines.append(f"| {design} | {skew} | {n:,} | " + " | ".join(cells) + " |")
    first = table[table["method"] == METHODS[0]]
    lines += [
        "",
        f"Over all lines the intervals of the package (CR2, t) hold {100 * first['coverage'].mean():.1f} %; the "
        f"probability is uniform (Kolmogorov-Smirnov, p above 0.05) in {int((first['uniform_p'] > 0.05).sum())} of "
        f"{len(first)} lines.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
