"""Matching algorithms beside brute force and general solvers."""

import doctest
import importlib

import numpy as np
import pytest

from wor_eval.design.coordinates import mahalanobis_coordinates
from wor_eval.design.mahalanobis import nearest_mahalanobis
from wor_eval.design.nearest import nearest_on_score
from wor_eval.design.optimal import optimal_full, optimal_pairs

MODULES = ["sets", "line", "propensity", "nearest", "mahalanobis", "optimal", "strata"]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    result = doctest.testmod(importlib.import_module(f"wor_eval.design.{name}"))
    assert result.attempted and not result.failed


# ---------------------------------------------------------------- greedy, against a quadratic search


def greedy_by_search(score, treated, strata, *, ratio, caliper, order):
    """The rules of `nearest_on_score` by walking outwards one place at a time."""
    by_score = np.argsort(score, kind="stable")
    rank = np.argsort(by_score)
    turn = np.flatnonzero(treated)
    if order != "data":
        turn = turn[np.argsort(score[turn] * (-1 if order == "largest" else 1), kind="stable")]
    free, low, high = ~treated, rank.copy(), rank.copy()
    chosen = {i: [] for i in turn}
    for _ in range(ratio):
        served = []
        for i in turn:
            fits = [
                j for j in np.flatnonzero(free & (strata == strata[i])) if abs(score[j] - score[i]) <= caliper
            ]
            if not fits:
                continue

            def wish(j, i=i):
                below = rank[j] < rank[i]
                away = low[i] - rank[j] if below else rank[j] - high[i]
                return (abs(score[j] - score[i]), away, not below)

            best = min(fits, key=wish)
            low[i], high[i] = min(low[i], rank[best]), max(high[i], rank[best])
            free[best] = False
            chosen[i].append(best)
            served.append(i)
        turn = served
    return [(i, j) for i in sorted(chosen) for j in chosen[i]]


@pytest.mark.parametrize("seed", range(60))
def test_greedy_keeps_its_rules_with_many_ties(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(8, 60))
    # Eighths are exact in binary: distances on the two sides tie exactly.
    score = rng.integers(-6, 7, n) / 8
    treated = np.arange(n) % 3 == 0
    strata = rng.integers(0, 3, n)
    how = {
        "ratio": int(rng.integers(1, 4)),
        "order": ["largest", "smallest", "data"][seed % 3],
        "caliper": [0.25, 9.0][seed % 2],
    }
    sets = nearest_on_score(score, treated, strata=strata, **how)
    assert sets.pairs.tolist() == [list(p) for p in greedy_by_search(score, treated, strata, **how)]


@pytest.mark.parametrize("seed", range(20))
def test_with_replacement_takes_the_nearest(seed):
    rng = np.random.default_rng(seed)
    score, treated, strata = rng.normal(size=60), np.arange(60) % 4 == 0, rng.integers(0, 2, 60)
    sets = nearest_on_score(score, treated, strata=strata, ratio=3, replacement=True, caliper=0.5)
    expected = []
    for i in np.flatnonzero(treated):
        fits = np.flatnonzero(~treated & (strata == strata[i]) & (np.abs(score - score[i]) <= 0.5))
        expected += [[i, j] for j in fits[np.argsort(np.abs(score[fits] - score[i]))][:3]]
    assert sets.pairs.tolist() == expected


def test_who_is_dropped_and_why():
    score = [0.1, 0.5, 0.51, 0.9, 0.4, 0.5]
    sets = nearest_on_score(score, [1, 1, 1, 1, 0, 0], strata=[0, 0, 0, 1, 0, 0], caliper=0.05)
    assert {why: rows.tolist() for why, rows in sets.dropped.items()} == {
        "no_comparison": [3],
        "caliper": [0],
        "used_up": [1],
    }
    assert sets.set_id.tolist() == [-1, -1, 0, -1, -1, 0]


# ---------------------------------------------------------------- Mahalanobis, against a full search


def mahalanobis_by_search(Z, treated, strata, *, ratio, replacement, score, caliper):
    pairs = []
    for code in np.unique(strata):
        people = np.flatnonzero(strata == code)
        place = {int(p): i for i, p in enumerate(people[np.argsort(Z[people, 0], kind="stable")])}
        free = {int(j) for j in people if not treated[j]}
        everyone = [int(i) for i in people if treated[i]]
        for group in [[i] for i in everyone] if replacement else [everyone]:
            waiting, mine = group, []
            for _ in range(ratio):
                served = []
                for i in waiting:
                    fits = sorted(j for j in free if abs(score[i] - score[j]) <= caliper)
                    if not fits:
                        continue
                    gap = np.zeros(len(fits))
                    for k in range(Z.shape[1]):
                        gap += (Z[i, k] - Z[fits, k]) ** 2
                    tied = [j for j, g in zip(fits, gap, strict=True) if g == gap.min()]
                    best = max(tied, key=lambda j, i=i: (abs(place[j] - place[i]), place[j] > place[i]))
                    free.remove(best)
                    mine.append(best)
                    pairs.append([i, best])
                    served.append(i)
                waiting = served
            if replacement:
                free.update(mine)
    return sorted(pairs, key=lambda pair: pair[0])


@pytest.mark.parametrize("seed", range(40))
def test_mahalanobis_finds_the_nearest_and_breaks_ties_as_stated(seed):
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(20, 120)), int(rng.integers(1, 4))
    # Few distinct values: many persons stand at the same point.
    X = rng.integers(0, 4, (n, p)).astype(float)
    treated, strata, score = np.arange(n) % 3 == 0, rng.integers(0, 2, n), rng.integers(0, 9, n) / 8
    names = [f"x{j}" for j in range(p)]
    how = {"ratio": 1 + seed % 3, "replacement": seed % 4 == 0, "score": score}
    caliper = 0.25 if seed % 2 else None
    sets = nearest_mahalanobis(X, treated, names=names, strata=strata, caliper=caliper, **how)
    Z = mahalanobis_coordinates(X, treated, names=names)
    expected = mahalanobis_by_search(
        Z, treated, strata, caliper=np.inf if caliper is None else caliper, **how
    )
    assert sets.pairs.tolist() == expected


def test_mahalanobis_distance_is_that_of_the_pooled_covariance():
    rng = np.random.default_rng(1)
    X, treated = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 3)), np.arange(40) < 15
    centred = np.where(treated[:, None], X - X[treated].mean(axis=0), X - X[~treated].mean(axis=0))
    inverse = np.linalg.inv(centred.T @ centred / 38)
    step = X[0] - X[20]
    Z = mahalanobis_coordinates(X, treated, names=["a", "b", "c"])
    # Two ways to the same number in double precision.
    assert ((Z[0] - Z[20]) ** 2).sum() == pytest.approx(step @ inverse @ step, rel=1e-10)


def test_all_levels_of_a_category_give_the_distances_of_all_but_one():
    rng = np.random.default_rng(2)
    level, age, treated = rng.integers(0, 3, 60), rng.normal(size=60), np.arange(60) % 3 == 0
    full = np.column_stack([age, level == 0, level == 1, level == 2]).astype(float)
    gaps = [
        ((Z[0] - Z) ** 2).sum(axis=1)
        for Z in (
            mahalanobis_coordinates(full, treated, names=["age", "l0", "l1", "l2"]),
            mahalanobis_coordinates(full[:, :3], treated, names=["age", "l0", "l1"]),
        )
    ]
    np.testing.assert_allclose(gaps[0], gaps[1], rtol=1e-9, atol=1e-12)


def test_far_neighbours_are_found_when_the_near_ones_are_taken():
    # Everyone wants the same corner: the known neighbours run out and the search widens.
    rng = np.random.default_rng(3)
    X = np.concatenate([rng.normal(4, 0.01, (150, 2)), rng.normal(size=(600, 2))])
    treated = np.arange(750) < 150
    sets = nearest_mahalanobis(X, treated, names=["a", "b"], ratio=2)
    Z = mahalanobis_coordinates(X, treated, names=["a", "b"])
    zeros = np.zeros(750)
    expected = mahalanobis_by_search(
        Z, treated, zeros, ratio=2, replacement=False, score=zeros, caliper=np.inf
    )
    assert sets.pairs.tolist() == expected


# ---------------------------------------------------------------- optimal, against general solvers


@pytest.mark.parametrize("seed", range(150))
def test_optimal_pairs_reach_the_optimum_of_the_whole_assignment_problem(seed):
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(seed)
    n, ratio = int(rng.integers(4, 45)), 1 + seed % 3
    score = np.round(rng.normal(size=n), int(rng.integers(0, 6)))
    treated = rng.random(n) < rng.choice([0.2, 0.5, 0.8])
    treated[0], treated[1] = True, False
    strata = rng.integers(0, rng.integers(1, 4), n)
    strata[:2] = 0
    score[1] = score[0]
    caliper = 0.3 if seed % 2 else np.inf
    rows, columns = np.repeat(np.flatnonzero(treated), ratio), np.flatnonzero(~treated)
    gap = np.abs(score[rows][:, None] - score[columns])
    allowed = (gap <= caliper) & (strata[rows][:, None] == strata[columns])
    # Unpruned, with one way out per row that costs more than any total: most pairs first, then least distance.
    cost = np.hstack([np.where(allowed, gap, 1e4), np.full((rows.size, rows.size), 1e4)])
    i, j = linear_sum_assignment(cost)
    best = [gap[a, b] for a, b in zip(i, j, strict=True) if b < columns.size and allowed[a, b]]
    sets = optimal_pairs(
        score, treated, strata=strata, ratio=ratio, caliper=None if np.isinf(caliper) else caliper
    )
    mine = np.abs(score[sets.pairs[:, 0]] - score[sets.pairs[:, 1]])
    assert mine.size == len(best)
    # Sums of at most 45 distances near 1: rounding only.
    assert mine.sum() == pytest.approx(sum(best), abs=1e-10)


@pytest.mark.parametrize("seed", range(60))
def test_full_matching_reaches_the_optimum_of_the_cover_problem(seed):
    from scipy.optimize import linprog

    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 40))
    score = np.round(rng.normal(size=n), int(rng.integers(0, 6)))
    treated = rng.random(n) < rng.choice([0.2, 0.5, 0.8])
    treated[0], treated[1] = True, False
    gap = np.abs(score[treated][:, None] - score[~treated])
    m, k = gap.shape
    # Every person in at least one pair; on a bipartite graph the linear programme has whole-number optima.
    rows = np.kron(np.eye(m), np.ones(k))
    columns = np.kron(np.ones(m), np.eye(k))
    best = linprog(gap.ravel(), A_ub=-np.vstack([rows, columns]), b_ub=-np.ones(m + k)).fun
    sets = optimal_full(score, treated)
    mine = np.abs(score[sets.pairs[:, 0]] - score[sets.pairs[:, 1]]).sum()
    # The tolerance of the solver.
    assert mine == pytest.approx(best, abs=1e-7)
    assert (sets.set_id >= 0).all()


def test_full_matching_with_tied_scores_has_one_hub_per_set():
    rng = np.random.default_rng(4)
    score, treated = rng.integers(0, 3, 80) / 4, rng.random(80) < 0.5
    sets = optimal_full(score, treated)
    for k in range(sets.n_sets):
        here = treated[sets.set_id == k]
        assert min(here.sum(), (~here).sum()) == 1
