"""Cost contrasts, the tests of a gamma model, and the two-part model: peers, brute force, refusals."""

import doctest
import importlib

import numpy as np
import pytest

from wor_eval.effects.costs import cost_contrast, link_test, park_test
from wor_eval.effects.two_part import two_part_effects, two_part_model
from wor_eval.effects.wellbeing import responders, score_change, standardised_difference
from wor_eval.errors import EstimationError


@pytest.mark.parametrize("name", ["costs", "two_part"])
def test_examples(name):
    assert doctest.testmod(importlib.import_module(f"wor_eval.effects.{name}")).failed == 0


def test_contrast_is_the_difference_of_means_with_the_usual_error():
    rng = np.random.default_rng(1)
    cost, arm = rng.lognormal(7, 1, 400), np.repeat([1.0, 0.0], [150, 250])
    cells = np.column_stack([arm, 1 - arm])
    found = cost_contrast(
        cells * cost[:, None], cells, np.arange(400), signs=[1, -1], replicates=4000, seed=1, strata=arm
    )
    means = cost[arm == 1].mean(), cost[arm == 0].mean()
    assert float(found.bootstrap_t.estimate) == pytest.approx(means[0] - means[1], rel=1e-12)
    welch = np.sqrt(cost[arm == 1].var() / 150 + cost[arm == 0].var() / 250)
    assert found.linear.std_error == pytest.approx(welch * np.sqrt(400 / 399), rel=1e-9)
    # 4,000 draws: 1.1 % error of a standard deviation.
    assert float(found.bca.std_error) == pytest.approx(welch, rel=0.045)
    # Costs are skewed to the right: both intervals reach further up in the arm that is smaller.
    assert found.n_clusters == 400


def test_same_seed_same_bytes():
    costs = np.random.default_rng(2).lognormal(7, 1, (100, 2))
    one, other = (
        cost_contrast(costs, np.ones((100, 2)), range(100), signs=[-1, 1], replicates=999, seed=3)
        for _ in range(2)
    )
    assert one.bca.conf_low == other.bca.conf_low


@pytest.mark.parametrize(("power", "family"), [(1.0, "poisson"), (2.0, "gamma"), (3.0, "inverse_gaussian")])
def test_park_test_finds_the_family(power, family):
    rng = np.random.default_rng(4)
    mean = np.exp(rng.normal(3, 0.7, 20_000))
    variance = 0.3 * mean**power / np.mean(mean) ** (power - 2)
    found = park_test(rng.gamma(mean**2 / variance, variance / mean), mean)
    assert found.estimate == pytest.approx(power, abs=4 * found.std_error)
    assert found.family == family
    assert (found.p_value < 0.001) == (power != 2.0)


def test_link_test_finds_a_wrong_link():
    rng = np.random.default_rng(5)
    x = rng.uniform(0, 2, 5_000)
    right = np.exp(1 + x)
    wrong = 3 + 2 * x  # additive, fitted on a log link below
    assert link_test(rng.gamma(2.0, right / 2), right).p_value > 0.01
    slope, level = np.polyfit(x, np.log(wrong), 1)
    assert link_test(rng.gamma(20.0, wrong / 20), np.exp(level + slope * x)).p_value < 0.001


def two_part_data(persons=600, seed=6):
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(persons), 2)
    arm, age = rng.integers(0, 2, persons)[person], rng.normal(0, 1, persons)[person]
    X = np.column_stack([np.ones(2 * persons), arm, age]).astype(float)
    frailty = rng.gamma(4.0, 0.25, persons)[person]
    some = rng.random(2 * persons) < 1 / (1 + np.exp(-X @ [0.3, -0.3, 0.4]))
    return some * frailty * rng.gamma(1.0, np.exp(X @ [6.0, -0.2, 0.3])), X, person


def averaged(cost, X, person):
    model = two_part_model(cost, X, person, small_sample="none")
    one, other = X.copy(), X.copy()
    one[:, 1], other[:, 1] = 1.0, 0.0
    return model, two_part_effects(model, one, other, clusters=person), (one, other)


def test_two_part_parts_are_statsmodels():
    import statsmodels.api as sm

    cost, X, person = two_part_data()
    model, table, (one, other) = averaged(cost, X, person)
    logit = sm.GLM(cost > 0, X, family=sm.families.Binomial()).fit(tol=1e-14)
    family = sm.families.Gamma(sm.families.links.Log())
    gamma = sm.GLM(cost[cost > 0], X[cost > 0], family=family).fit(tol=1e-14)
    np.testing.assert_allclose(model.any_cost.coef, logit.params, rtol=1e-7)
    np.testing.assert_allclose(model.amount.coef, gamma.params, rtol=1e-7)
    means = [(logit.predict(design) * gamma.predict(design)).mean() for design in (one, other)]
    np.testing.assert_allclose(table.estimate, [*means, means[0] / means[1], means[0] - means[1]], rtol=1e-7)


def test_two_part_errors_are_those_of_the_infinitesimal_jackknife():
    cost, X, person = two_part_data(persons=150)
    one, other = X.copy(), X.copy()
    one[:, 1], other[:, 1] = 1.0, 0.0

    def table(weight):
        model = two_part_model(cost, X, person, weights=weight[person], small_sample="none")
        return two_part_effects(model, one, other, weights=weight[person], clusters=person)

    step, found = 1e-4, table(np.ones(150))
    moves = [(table(1 + step * e).estimate - table(1 - step * e).estimate) / (2 * step) for e in np.eye(150)]
    error = np.sqrt((np.array(moves) ** 2).sum(axis=0))
    np.testing.assert_allclose(found.std_error[[0, 1, 3]], error[[0, 1, 3]], rtol=1e-6)  # central differences
    assert found.std_error[2] == pytest.approx(error[2] / found.estimate[2], rel=1e-6)
    assert np.isnan(found.p_value[:2]).all()


def test_two_part_for_these_very_persons_is_surer():
    cost, X, person = two_part_data()
    model, table, (one, other) = averaged(cost, X, person)
    fixed = two_part_effects(model, one, other)
    assert (fixed.std_error[:2] < table.std_error[:2]).all()
    np.testing.assert_allclose(fixed.estimate, table.estimate)


def test_refused_costs():
    cost, X, person = two_part_data(persons=50)
    with pytest.raises(EstimationError, match="net credit lines"):
        two_part_model(np.where(person == 3, -5.0, cost), X, person)
    with pytest.raises(EstimationError, match="all rows are the same"):
        two_part_model(cost + 1, X, person)
    with pytest.raises(EstimationError, match="one for each cost"):
        two_part_model(cost, X[:-1], person)
    model = two_part_model(cost, X, person)
    with pytest.raises(EstimationError, match="not in the fit"):
        two_part_effects(model, X, X, clusters=person + 1000)
    with pytest.raises(EstimationError, match="finite columns"):
        two_part_effects(model, X, X[:, :2])
    with pytest.raises(EstimationError, match="not all zero"):
        two_part_effects(model, X, X, weights=np.zeros(100))
    with pytest.raises(EstimationError, match="three different"):
        link_test([1.0, 2.0, 3.0], [1.0, 2.0, 2.0])
    with pytest.raises(EstimationError, match="all are the same"):
        park_test([1.0, 2.0], [1.5, 1.5])
    with pytest.raises(EstimationError, match="fitted exactly"):
        park_test([1.0, 2.0, 4.0], [1.0, 2.5, 3.0])


def test_refused_scores():
    with pytest.raises(EstimationError, match="missing or infinite"):
        score_change([1, 2, np.nan], [2, 3, 4])
    with pytest.raises(EstimationError, match="shape"):
        score_change([1, 2], [2, 3, 4])
    with pytest.raises(EstimationError, match="variation"):
        score_change([1, 2, 3], [2, 3, 4])
    with pytest.raises(EstimationError, match="fewer than two persons"):
        standardised_difference([1.0, 2.0, 3.0], [1, 0, 0])
    with pytest.raises(EstimationError, match="above zero"):
        responders([1, 2], [2, 3], smallest_change=0, better="higher")
    with pytest.raises(EstimationError, match="higher or lower"):
        responders([1, 2], [2, 3], smallest_change=1, better="up")


def test_responders_by_the_direction_of_the_scale():
    before, after = [0.2, 0.5, 0.5, 0.9], [0.3, 0.4, 0.55, 0.9]
    up = responders(before, after, smallest_change=0.1, better="higher")
    down = responders(before, after, smallest_change=0.1, better="lower")
    assert (up.n_improved, up.n_between, up.n_worsened) == (1, 2, 1)  # 0.3 - 0.2 is 0.1, whatever its bits
    assert (down.n_improved, down.n_worsened) == (1, 1)
