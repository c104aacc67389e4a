"""Propensity score, calipers and strata beside statsmodels and by hand, and what matching refuses."""

import numpy as np
import pytest

from wor_eval.design.line import caliper_width, wider_calipers
from wor_eval.design.mahalanobis import nearest_mahalanobis
from wor_eval.design.nearest import nearest_on_score
from wor_eval.design.optimal import optimal_full, optimal_pairs
from wor_eval.design.propensity import fit_propensity
from wor_eval.design.sets import set_members
from wor_eval.design.strata import coarsen, exact_codes, exact_sets, subclass_sets
from wor_eval.errors import DesignError, EstimationError

# ---------------------------------------------------------------- propensity


@pytest.mark.parametrize("n", [400, 20_011])
def test_propensity_beside_statsmodels(n):
    import statsmodels.api as sm

    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, 4)) * [1, 10, 1000, 1e-3] + [0, 50, 2e4, 0]
    treated = rng.random(n) < 1 / (1 + np.exp(2 - X[:, 0] - 0.05 * (X[:, 1] - 50)))
    names = ["a", "b", "c", "d"]
    fit = fit_propensity(np.asfortranarray(X), treated, names=names)
    peer = sm.GLM(treated.astype(float), sm.add_constant(X), family=sm.families.Binomial()).fit(tol=1e-14)
    # Badly scaled columns: statsmodels loses some digits there.
    np.testing.assert_allclose(fit.estimate, peer.params, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(fit.std_error, peer.bse, rtol=1e-6)
    np.testing.assert_allclose(fit.score, peer.fittedvalues, atol=1e-9)
    np.testing.assert_array_equal(fit.score, 1 / (1 + np.exp(-fit.linear)))


def test_strata_are_intercepts():
    import statsmodels.api as sm

    rng = np.random.default_rng(5)
    n, strata = 900, np.repeat([0, 1, 2, 7, 4], 180)
    X = rng.normal(size=(n, 2)) + strata[:, None] / 4
    treated = (rng.random(n) < 1 / (1 + np.exp(1 - X[:, 0]))) & (strata != 4)
    fit = fit_propensity(X, treated, names=["a", "b"], exact_strata=strata)
    both = strata != 4
    design = np.column_stack([X[both], *(strata[both] == g for g in (0, 1, 2, 7))]).astype(float)
    peer = sm.GLM(treated[both].astype(float), design, family=sm.families.Binomial()).fit(tol=1e-14)
    # The same maximum by two programs.
    np.testing.assert_allclose(fit.estimate, peer.params[:2], rtol=1e-8)
    np.testing.assert_allclose(fit.std_error, peer.bse[:2], rtol=1e-6)
    np.testing.assert_allclose(fit.score[both], peer.fittedvalues, atol=1e-9)
    assert np.isnan(fit.score[~both]).all() and fit.n_left_out == 180


def test_the_same_person_has_the_same_score_in_every_block():
    rng = np.random.default_rng(6)
    X = np.tile(rng.normal(size=(1, 5)), (30_001, 1))
    X[:200] = rng.normal(size=(200, 5))
    fit = fit_propensity(X, rng.random(30_001) < 0.3, names=list("abcde"))
    assert np.unique(fit.score[200:]).size == 1


def good(n=60, seed=7):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    return X, rng.random(n) < 1 / (1 + np.exp(-X[:, 0]))


def test_propensity_names_what_is_wrong():
    X, treated = good()
    with pytest.raises(DesignError, match=r"income: 2 of 60 values missing"):
        fit_propensity(np.where(np.arange(60)[:, None] < [0, 2], np.nan, X), treated, names=["age", "income"])
    with pytest.raises(DesignError, match=r"60 rows .* by 1 columns"):
        fit_propensity(X, treated, names=["age"])
    with pytest.raises(EstimationError, match=r"same for everyone.*\n  - flag"):
        fit_propensity(np.column_stack([X, np.full(60, 0.1)]), treated, names=["age", "income", "flag"])
    with pytest.raises(EstimationError, match=r"sum: a combination of age, income"):
        fit_propensity(np.column_stack([X, X.sum(axis=1)]), treated, names=["age", "income", "sum"])
    with pytest.raises(EstimationError, match=r"\n  - marker: separates the arms$"):
        fit_propensity(np.column_stack([X, treated * 3 + 1.0]), treated, names=["age", "income", "marker"])
    with pytest.raises(EstimationError, match=r"\n  - rare: separates the arms$"):
        rare = (np.cumsum(~treated) == 3) & ~treated
        fit_propensity(np.column_stack([X, rare]), treated, names=["age", "income", "rare"])
    with pytest.raises(EstimationError, match=r"together with the others"):
        fit_propensity(X, X @ [1.0, 1.0] > 0, names=["age", "income"])
    with pytest.raises(DesignError, match=r"60 referred and 0 comparison"):
        fit_propensity(X, np.ones(60, bool), names=["age", "income"])


def test_propensity_refuses_what_strata_hide():
    X, treated = good()
    strata = np.arange(60) % 3
    with pytest.raises(EstimationError, match=r"band: the same for everyone within each stratum"):
        fit_propensity(np.column_stack([X, strata]), treated, names=["a", "b", "band"], exact_strata=strata)
    with pytest.raises(EstimationError, match="no stratum holds both arms"):
        fit_propensity(X, treated, names=["a", "b"], exact_strata=treated.astype(int))


# ---------------------------------------------------------------- calipers and strata


def test_caliper_definitions():
    score, treated = np.array([0.0, 1.0, 2.0, 6.0, 8.0]), np.array([0, 0, 0, 1, 1])
    # SD of everyone: sqrt(11.8); mean of the within variances 1 and 2: sqrt(1.5).
    assert caliper_width(score, treated) == pytest.approx(0.2 * np.sqrt(11.8))
    pooled = caliper_width(score, treated, sd=0.5, definition="pooled_within")
    assert pooled == pytest.approx(0.5 * np.sqrt(1.5))
    with pytest.raises(DesignError, match="same for everyone"):
        caliper_width(np.ones(5), treated)
    with pytest.raises(DesignError, match="at least two persons"):
        caliper_width([0.0, 1.0, 2.0], [1, 0, 0], definition="pooled_within")


def test_wider_calipers_are_in_the_message():
    score, treated = [0.5, 0.9, 0.2, 0.61], [1, 1, 0, 0]
    reach = {round(row.width, 3): row.share for row in wider_calipers(score, treated, caliper=0.1)}
    assert reach == {0.1: 0.0, 0.15: 0.5, 0.2: 0.5, 0.3: 1.0, 0.5: 1.0, 1.0: 1.0}
    for match in (nearest_on_score, optimal_pairs):
        with pytest.raises(DesignError, match=r"within the caliper of 0\.1.*\n  - a caliper") as caught:
            match(score, treated, caliper=0.1)
        assert caught.value.problems[1] == "a caliper of 0.15 would reach 50.0% of the referred"


def test_exact_codes_and_bands():
    codes = exact_codes(
        {"sex": np.array(["f", "m", "f"], dtype=object), "band": coarsen([17, 40, 70], cuts=[18, 65])}
    )
    assert codes.tolist() == [0, 1, 2]
    with pytest.raises(DesignError, match=r"\n  - sex: 1 missing$"):
        exact_codes({"sex": np.array(["f", None], dtype=object), "age": [1, 2]})
    with pytest.raises(DesignError, match=r"\n  - sex: 2 values\n  - age: 1 values"):
        exact_codes({"sex": ["f", "m"], "age": [1]})
    with pytest.raises(DesignError, match="at least one column"):
        exact_codes({})
    with pytest.raises(DesignError, match="increasing"):
        coarsen([1.0], cuts=[65, 18])
    with pytest.raises(DesignError, match="missing or infinite"):
        coarsen([np.nan], cuts=[18])


def test_members_of_shared_sets():
    sets = nearest_on_score([0.5, 0.5, 0.5, 0.9], [1, 1, 0, 0], ratio=2, replacement=True)
    members = set_members(sets)
    assert sets.set_id.tolist() == [0, 1, -2, -2]
    assert members.person.tolist() == [0, 2, 3, 1, 2, 3]
    assert members.set_id.tolist() == [0, 0, 0, 1, 1, 1]
    assert members.weight.tolist() == [1.0, 0.5, 0.5, 1.0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"score": [0.1, np.nan, 0.3]}, "score of 1 of 3 persons is missing or infinite"),
        ({"score": [0.1, 0.3]}, "3 persons, but the score has shape"),
        ({"treated": [1, 1, 1]}, "3 referred and 0 comparison"),
        ({"treated": [0, 1, 2]}, "arm of 1 of 3 persons is not 0 or 1"),
        ({"treated": [[1], [0], [0]]}, "one value per person"),
        ({"strata": [0, 0]}, "strata have shape"),
        ({"strata": [0.0, 0.0, 0.0]}, "whole-number codes"),
        ({"strata": [0, 0, -1]}, "whole-number codes"),
        ({"strata": [0, 1, 1]}, "no stratum holds both"),
        ({"ratio": 0}, "ratio must be 1 or more"),
        ({"caliper": -0.1}, "width of 0 or more"),
        ({"caliper": np.nan}, "width of 0 or more"),
        ({"order": "random"}, "needs a seed"),
        ({"order": "closest"}, "unknown order"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    call = {"score": [0.1, 0.2, 0.3], "treated": [1, 0, 0]} | arguments
    with pytest.raises(DesignError, match=message):
        nearest_on_score(**call)
    if "order" not in arguments:
        with pytest.raises(DesignError, match=message):
            optimal_pairs(**call)


def test_bad_mahalanobis_input_is_refused():
    X, treated = good(12)
    for bad, message in (
        ({"caliper": 0.1}, "give the score too"),
        ({"order": "largest"}, "needs a score"),
        ({"names": ["age"]}, "by 1 columns"),
        ({"strata": treated.astype(int)}, "no stratum holds both"),
    ):
        with pytest.raises(DesignError, match=message):
            nearest_mahalanobis(X, treated, **({"names": ["age", "income"]} | bad))
    with pytest.raises(DesignError, match=r"same for everyone.*\n  - flag"):
        nearest_mahalanobis(np.column_stack([X, np.ones(12)]), treated, names=["a", "b", "flag"])
    with pytest.raises(DesignError, match="do not vary within the arms"):
        nearest_mahalanobis(treated[:, None], treated, names=["arm"])


def test_bad_strata_input_is_refused():
    with pytest.raises(DesignError, match="no stratum holds both"):
        exact_sets([0, 1, 1], [1, 0, 0])
    with pytest.raises(DesignError, match="2 or more"):
        subclass_sets([0.1, 0.2, 0.3], [1, 0, 0], n_classes=1)
    with pytest.raises(DesignError, match=r"1 of 2 classes without comparison persons"):
        subclass_sets([0.1, 0.9, 0.2], [1, 1, 0], n_classes=2)
    with pytest.raises(DesignError, match="no stratum holds both"):
        optimal_full([0.1, 0.2, 0.3], [1, 0, 0], strata=[0, 1, 1])


def test_inputs_are_left_as_they_were():
    X, treated = good()
    score, strata = X[:, 0].copy(), np.arange(60) % 2
    before = [a.copy() for a in (X, treated, score, strata)]
    fit_propensity(X, treated, names=["a", "b"], exact_strata=strata)
    nearest_on_score(score, treated, strata=strata)
    nearest_mahalanobis(X, treated, names=["a", "b"], strata=strata, score=score, caliper=1.0)
    optimal_pairs(score, treated, strata=strata)
    optimal_full(score, treated, strata=strata)
    subclass_sets(score, treated, n_classes=2)
    for now, then in zip((X, treated, score, strata), before, strict=True):
        np.testing.assert_array_equal(now, then)
