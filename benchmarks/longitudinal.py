"""Speed and memory of well-being, survival, cost and imputation: python benchmarks/longitudinal.py.

Each run has a child process of its own, so that the peak memory is that of one fit with its data. Peers run on
the size at which they take seconds, not minutes, and our time on that size stands beside theirs.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Data = tuple[Any, ...]


def panel(persons: int, waves: int) -> Data:
    """Scores, columns and persons of a panel with a fifth of the answers missing."""
    rng = np.random.default_rng(1)
    person, wave = np.repeat(np.arange(persons), waves), np.tile(np.arange(waves), persons)
    arm, age = rng.integers(0, 2, persons)[person], rng.normal(0, 1, persons)[person]
    X = np.column_stack([np.ones(person.size), wave, arm, wave * arm, age]).astype(float)
    y = X @ [20, 0.2, -1, 0.2, 0.5] + rng.normal(0, 3, persons)[person] + rng.normal(0, 2, person.size)
    keep = rng.random(person.size) < 0.8
    return y[keep], X[keep], person[keep], wave[keep]


def times(persons: int, clusters: int) -> Data:
    """Whole days to an event or the end of observation, five columns, clusters."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(persons, 5))
    event = np.ceil(rng.exponential(800 * np.exp(-X @ [0.2, 0.1, 0.1, -0.1, 0.0])))
    end = np.ceil(rng.uniform(200, 730, persons))
    return np.minimum(event, end), event <= end, X, rng.integers(0, clusters, persons)


def costs(windows: int, _: int) -> Data:
    """Costs of persons in two windows each, half of them zero, eight columns."""
    rng = np.random.default_rng(3)
    X = np.column_stack([np.ones(windows), rng.integers(0, 2, windows), rng.normal(size=(windows, 6))])
    some = rng.random(windows) < 1 / (1 + np.exp(-X @ np.full(8, 0.1)))
    return some * rng.gamma(0.5, 2 * np.exp(6 + X @ np.full(8, 0.1))), X, np.arange(windows) // 2


def answers(persons: int, columns: int) -> Data:
    """A table of which half the columns miss a third."""
    rng = np.random.default_rng(4)
    table = rng.normal(size=(persons, columns)) + rng.normal(size=(persons, 1))
    half = columns // 2
    table[:, half:][rng.random((persons, columns - half)) < 1 / 3] = np.nan
    return (table,)


def ours_mixed(data: Data) -> float:
    from wor_eval.effects.mixed import random_intercept

    return float(random_intercept(*data[:3]).fit.coef[3])


def peer_mixed(data: Data) -> float:
    import statsmodels.api as sm

    return float(sm.MixedLM(*data[:3]).fit().params[3])


def ours_mmrm(data: Data) -> float:
    from wor_eval.effects.mmrm import mmrm

    return float(mmrm(*data).fit.coef[3])


def ours_cox(data: Data) -> float:
    from wor_eval.effects.cox import cox_regression

    fit = cox_regression(data[0], data[1], data[2], clusters=data[3]).fit
    return float(np.sqrt(fit.cov[0, 0]))


def peer_cox(data: Data) -> float:
    import pandas as pd
    from lifelines import CoxPHFitter

    frame = pd.DataFrame(data[2]).add_prefix("x").assign(time=data[0], event=data[1], cluster=data[3])
    return float(CoxPHFitter().fit(frame, "time", "event", cluster_col="cluster").standard_errors_.iloc[0])


def ours_checks(data: Data) -> float:
    from wor_eval.effects.cox import concordance, proportional_hazards

    proportional_hazards(data[0], data[1], data[2])
    return concordance(data[0], data[1], data[2][:, 0])


def ours_incidence(data: Data) -> float:
    from wor_eval.effects.competing import cumulative_incidence

    return float(cumulative_incidence(data[0], data[1] * (1 + (data[2][:, 0] > 0))).std_error[-1])


def peer_incidence(data: Data) -> float:
    from lifelines import AalenJohansenFitter

    fitter = AalenJohansenFitter(seed=1)
    fitter.fit(data[0], data[1] * (1 + (data[2][:, 0] > 0)), event_of_interest=1)
    return float(np.sqrt(fitter.variance_.iloc[-1]))


def ours_two_part(data: Data) -> float:
    from wor_eval.effects.two_part import two_part_effects, two_part_model

    cost, X, person = data
    one, other = X.copy(), X.copy()
    one[:, 1], other[:, 1] = 1.0, 0.0
    return float(two_part_effects(two_part_model(cost, X, person), one, other, clusters=person).estimate[3])


def peer_two_part(data: Data) -> float:
    """Both parts with clustered errors in statsmodels, which has no errors of the difference."""
    import statsmodels.api as sm

    cost, X, person = data
    some = cost > 0
    family = sm.families.Gamma(sm.families.links.Log())
    first = sm.Logit(some, X).fit(disp=0, cov_type="cluster", cov_kwds={"groups": person})
    second = sm.GLM(cost[some], X[some], family=family).fit(
        cov_type="cluster", cov_kwds={"groups": person[some]}
    )
    means = []
    for value in (1.0, 0.0):
        design = X.copy()
        design[:, 1] = value
        means.append((first.predict(design) * second.predict(design)).mean())
    return float(means[0] - means[1])


def ours_bootstrap(data: Data) -> float:
    from wor_eval.effects.costs import cost_contrast

    both = np.column_stack([data[0][::2], data[0][1::2]])
    found = cost_contrast(
        both, np.ones(both.shape), np.arange(len(both)), signs=[-1, 1], replicates=5000, seed=1
    )
    return float(found.bootstrap_t.conf_low)


def ours_impute(data: Data) -> float:
    from wor_eval.effects.imputation import impute

    return float(impute(data[0], seed=1, n_imputations=5).values.mean())


def peer_impute(data: Data) -> float:
    import pandas as pd
    from statsmodels.imputation.mice import MICEData

    np.random.seed(1)  # noqa: NPY002  (MICEData draws from the global state)
    frame = MICEData(pd.DataFrame(data[0]).add_prefix("x"), k_pmm=5)
    for _ in range(5):
        frame.update_all(10)
    return float(frame.data.to_numpy().mean())


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A function, its data by size, and the limit the project sets itself; a peer with its own size."""

    name: str
    make: Callable[[int, int], Data]
    sizes: tuple[tuple[int, int], ...]
    ours: Callable[[Data], float]
    peer: Callable[[Data], float] | None = None
    peer_size: tuple[int, int] | None = None


CASES = (
    Case(
        name="random intercept, persons x waves",
        make=panel,
        sizes=((2_000, 24), (20_000, 5), (100_000, 5)),
        ours=ours_mixed,
        peer=peer_mixed,
        peer_size=(2_000, 24),
    ),
    Case(name="MMRM, persons x waves", make=panel, sizes=((200, 5), (20_000, 5)), ours=ours_mmrm),
    Case(
        name="Cox with cluster-robust errors, persons / clusters",
        make=times,
        sizes=((20_000, 5_000), (200_000, 50_000)),
        ours=ours_cox,
        peer=peer_cox,
        peer_size=(20_000, 5_000),
    ),
    Case(
        name="proportional hazards and concordance", make=times, sizes=((200_000, 50_000),), ours=ours_checks
    ),
    Case(
        name="Aalen-Johansen at every day",
        make=times,
        sizes=((200_000, 50_000),),
        ours=ours_incidence,
        peer=peer_incidence,
        peer_size=(20_000, 5_000),
    ),
    Case(
        name="two-part model and effects, person-windows",
        make=costs,
        sizes=((1_000_000, 0),),
        ours=ours_two_part,
        peer=peer_two_part,
        peer_size=(1_000_000, 0),
    ),
    Case(
        name="bootstrap-t and BCa, 5,000 draws, windows",
        make=costs,
        sizes=((40_000, 0),),
        ours=ours_bootstrap,
    ),
    Case(
        name="5 imputations of 10 rounds, persons x columns",
        make=answers,
        sizes=((2_000, 8), (20_000, 8)),
        ours=ours_impute,
        peer=peer_impute,
        peer_size=(2_000, 8),
    ),
)


def _child(fit: Callable[[Data], float], data: tuple[Any, ...], pipe: Any) -> None:
    warnings.simplefilter("ignore")
    make, size, small = data
    fit(make(*small))  # imports are not part of the time
    given = make(*size)
    start = time.perf_counter()
    value = fit(given)
    seconds = time.perf_counter() - start
    pipe.send((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, value))


def measure(fit: Callable[[Data], float], case: Case, size: tuple[int, int]) -> tuple[float, float, float]:
    """Seconds, peak memory in MB and the value, from a child process."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    small = (300, min(size[1], 100))
    process = context.Process(target=_child, args=(fit, (case.make, size, small), send))
    process.start()
    send.close()  # so that a child that fails ends the wait
    result: tuple[float, float, float] = receive.recv()
    process.join()
    return result


def main() -> None:
    for case in CASES:
        print(f"\n{case.name}")
        for size in case.sizes:
            seconds, peak, _ = measure(case.ours, case, size)
            print(f"  {size[0]:>9,} {size[1]:>6,}   {seconds:7.2f} s {peak:6.0f} MB")
        if case.peer is not None and case.peer_size is not None:
            ours, _, value = measure(case.ours, case, case.peer_size)
            theirs, peak, peer_value = measure(case.peer, case, case.peer_size)
            size = case.peer_size
            print(
                f"  {size[0]:>9,} {size[1]:>6,}   {theirs:7.2f} s {peak:6.0f} MB   {case.peer.__name__}, "
                f"ratio {theirs / ours:.0f}, values {value:.6g} and {peer_value:.6g}"
            )


if __name__ == "__main__":
    main()
