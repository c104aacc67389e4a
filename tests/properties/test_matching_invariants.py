"""What every matching method promises, whatever the data: one helper for all of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wor_eval.design.mahalanobis import nearest_mahalanobis
from wor_eval.design.nearest import nearest_on_score
from wor_eval.design.optimal import optimal_full, optimal_pairs
from wor_eval.design.sets import Sets, scale_weights, set_members
from wor_eval.design.strata import exact_sets, subclass_sets
from wor_eval.errors import DesignError

CALIPER = 0.4


@dataclass(frozen=True, kw_only=True)
class Persons:
    """A small cohort without ties: score, covariates, arm and strata."""

    score: np.ndarray
    X: np.ndarray
    treated: np.ndarray
    strata: np.ndarray

    def rows(self, order: np.ndarray) -> "Persons":
        return Persons(
            score=self.score[order], X=self.X[order], treated=self.treated[order], strata=self.strata[order]
        )


@dataclass(frozen=True, kw_only=True)
class Method:
    """How to match, and what the result must keep to."""

    match: Callable[[Persons], Sets]
    ratio: int | None = 1
    caliper: float = np.inf
    replacement: bool = False
    exact: bool = True


NAMES = ["a", "b"]
METHODS = {
    "greedy": Method(match=lambda p: nearest_on_score(p.score, p.treated, strata=p.strata)),
    "greedy smallest, caliper, 1:3": Method(
        match=lambda p: nearest_on_score(
            p.score, p.treated, strata=p.strata, caliper=CALIPER, ratio=3, order="smallest"
        ),
        ratio=3,
        caliper=CALIPER,
    ),
    "greedy with replacement, 1:2": Method(
        match=lambda p: nearest_on_score(
            p.score, p.treated, strata=p.strata, caliper=CALIPER, ratio=2, replacement=True
        ),
        ratio=2,
        caliper=CALIPER,
        replacement=True,
    ),
    "Mahalanobis": Method(
        match=lambda p: nearest_mahalanobis(
            p.X, p.treated, names=NAMES, strata=p.strata, score=p.score, order="largest"
        )
    ),
    "Mahalanobis, caliper, 1:2": Method(
        match=lambda p: nearest_mahalanobis(
            p.X,
            p.treated,
            names=NAMES,
            strata=p.strata,
            score=p.score,
            order="smallest",
            caliper=CALIPER,
            ratio=2,
        ),
        ratio=2,
        caliper=CALIPER,
    ),
    "Mahalanobis with replacement, 1:2": Method(
        match=lambda p: nearest_mahalanobis(
            p.X, p.treated, names=NAMES, strata=p.strata, ratio=2, replacement=True
        ),
        ratio=2,
        replacement=True,
    ),
    "optimal pairs": Method(match=lambda p: optimal_pairs(p.score, p.treated, strata=p.strata)),
    "optimal pairs, caliper, 1:2": Method(
        match=lambda p: optimal_pairs(p.score, p.treated, strata=p.strata, caliper=CALIPER, ratio=2),
        ratio=2,
        caliper=CALIPER,
    ),
    "optimal full": Method(
        match=lambda p: optimal_full(p.score, p.treated, strata=p.strata), ratio=None, replacement=True
    ),
    "exact": Method(match=lambda p: exact_sets(p.strata, p.treated), ratio=None),
    "subclasses": Method(
        match=lambda p: subclass_sets(p.score, p.treated, n_classes=2), ratio=None, exact=False
    ),
}


def check_invariants(sets: Sets, persons: Persons, method: Method) -> None:
    """Assert every promise of a matching: the one helper for all methods."""
    arm, weight = persons.treated, sets.weight
    referred, comparison = sets.pairs[:, 0], sets.pairs[:, 1]
    members = set_members(sets)
    # arms, strata and caliper within pairs and within sets
    assert arm[referred].all() and not arm[comparison].any()
    assert (np.abs(persons.score[referred] - persons.score[comparison]) <= method.caliper).all()
    for k in range(sets.n_sets):
        people = members.person[members.set_id == k]
        assert 0 < arm[people].sum() < people.size
        assert not method.exact or np.unique(persons.strata[people]).size == 1
    # nobody twice where nobody may be used twice, and never the same pair
    assert np.unique(sets.pairs, axis=0).shape == sets.pairs.shape
    if not method.replacement:
        assert np.unique(comparison).size == comparison.size
        assert np.unique(members.person).size == members.person.size
    if method.ratio is not None:
        assert np.bincount(referred).max() <= method.ratio
    # ATT weights: 1 for the referred, and in each set as much weight in both arms
    assert set(weight[arm].tolist()) <= {0.0, 1.0} and (weight >= 0).all()
    both = [
        np.bincount(members.set_id[here], members.weight[here], sets.n_sets)
        for here in (arm[members.person], ~arm[members.person])
    ]
    np.testing.assert_allclose(both[0], both[1], rtol=1e-12)
    np.testing.assert_allclose(np.bincount(members.person, members.weight, arm.size), weight, rtol=1e-12)
    assert weight[~arm].sum() == pytest.approx((weight[arm] > 0).sum(), rel=1e-12)
    scaled = scale_weights(weight, arm)
    assert scaled[~arm].sum() == pytest.approx((weight[~arm] > 0).sum(), rel=1e-12)
    # everyone is accounted for
    assert ((sets.set_id == -1) == (weight == 0)).all()
    out = np.concatenate([np.empty(0, dtype=int), *sets.dropped.values()])
    assert sorted(out.tolist()) == np.flatnonzero(arm & (weight == 0)).tolist()


def same_partition(sets: Sets) -> set[tuple[frozenset[int], tuple[float, ...]]]:
    """The sets as a set of groups of persons, with their weights."""
    members = set_members(sets)
    return {
        (
            frozenset(members.person[members.set_id == k].tolist()),
            tuple(np.sort(members.weight[members.set_id == k]).round(12)),
        )
        for k in range(sets.n_sets)
    }


@st.composite
def cohorts(draw) -> Persons:
    n = draw(st.integers(6, 50))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    treated = rng.random(n) < draw(st.sampled_from([0.2, 0.5, 0.8]))
    treated[:3], treated[3:6] = True, False
    return Persons(
        score=rng.normal(0.5 * treated),
        X=rng.normal(size=(n, 2)) + 0.3 * treated[:, None],
        treated=treated,
        strata=rng.integers(0, draw(st.integers(1, 4)), n),
    )


FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


@pytest.mark.parametrize("name", METHODS)
@given(persons=cohorts(), seed=st.integers(0, 1000))
@FEW
def test_promises_are_kept_in_any_row_order(name, persons, seed):
    method = METHODS[name]
    try:
        sets = method.match(persons)
    except DesignError as error:
        # Nobody can be matched, or a class lacks an arm: said in words, never an empty answer.
        assert str(error)
        return
    check_invariants(sets, persons, method)
    order = np.random.default_rng(seed).permutation(persons.score.size)
    shuffled = method.match(persons.rows(order))
    check_invariants(shuffled, persons.rows(order), method)
    back = {(frozenset(order[list(people)].tolist()), w) for people, w in same_partition(shuffled)}
    assert back == same_partition(sets)


@pytest.mark.parametrize("name", METHODS)
@given(persons=cohorts())
@FEW
def test_the_names_of_the_strata_do_not_matter(name, persons):
    method = METHODS[name]
    renamed = Persons(
        score=persons.score, X=persons.X, treated=persons.treated, strata=1_000_000 - 7 * persons.strata
    )
    try:
        sets = method.match(persons)
    except DesignError:
        with pytest.raises(DesignError):
            method.match(renamed)
        return
    again = method.match(renamed)
    np.testing.assert_array_equal(sets.set_id, again.set_id)
    np.testing.assert_array_equal(sets.weight, again.weight)
    np.testing.assert_array_equal(sets.pairs, again.pairs)


@given(persons=cohorts(), seed=st.integers(0, 1000))
@FEW
def test_random_order_keeps_its_promises_and_its_seed(persons, seed):
    def match() -> Sets:
        return nearest_on_score(persons.score, persons.treated, order="random", seed=seed)

    sets = match()
    check_invariants(sets, persons, Method(match=lambda _: sets, exact=False))
    np.testing.assert_array_equal(sets.pairs, match().pairs)


@given(persons=cohorts())
@FEW
def test_the_optimum_is_never_worse_than_greedy(persons):
    def total(sets: Sets) -> tuple[int, float]:
        gap = np.abs(persons.score[sets.pairs[:, 0]] - persons.score[sets.pairs[:, 1]])
        return -len(gap), gap.sum() - 1e-12

    for caliper in (None, 1.0):
        try:
            greedy = nearest_on_score(persons.score, persons.treated, caliper=caliper)
        except DesignError:
            continue
        assert total(optimal_pairs(persons.score, persons.treated, caliper=caliper)) <= (
            total(greedy)[0],
            total(greedy)[1] + 1e-11,
        )
