"""Estimators and choices of an economic evaluation: against brute force, and what they refuse."""

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest

from wor_eval import economics
from wor_eval.economics.acceptability import acceptability, efficiency_frontier, net_benefit_of_draws
from wor_eval.economics.cost_effectiveness import cost_effectiveness
from wor_eval.economics.costs import TrajectoryCosts
from wor_eval.economics.decision import (
    bootstrap_ratio_interval,
    fieller_interval,
    icer,
    quadrants,
)
from wor_eval.economics.draws import model_draws, t_draws
from wor_eval.economics.guideline import Guideline
from wor_eval.economics.information import normal_evpi, partial_information, population_value
from wor_eval.economics.joint import JointDifference, pool_imputations
from wor_eval.errors import EstimationError, StudyError

MODULES = [path.stem for path in Path(economics.__path__[0]).glob("[a-z]*.py")]


def fit_of(cost, effect, *, spread, df=np.inf):
    return JointDifference(
        estimate=np.array([cost, effect], dtype=float),
        covariance=np.asarray(spread, dtype=float),
        df=np.full(2, float(df)),
        method="given",
        n_referred=100,
        n_comparison=100,
        n_clusters=200,
    )


def draws_of(fit, replicates=40_000):
    return t_draws(fit, replicates=replicates, seed=2)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    found = doctest.testmod(importlib.import_module(f"wor_eval.economics.{name}"))
    assert found.failed == 0
    # Tables of a whole study are made in test_economics_study.py.
    assert found.attempted > 0 or name in {"intervals", "answers", "study", "what_if", "beyond"}


# --- the choice


@pytest.mark.parametrize("n_strategies", [2, 3, 5])
@pytest.mark.parametrize("ties", [False, True])
def test_acceptability_and_information_are_the_brute_force(n_strategies, ties):
    rng = np.random.default_rng(n_strategies)
    if ties:  # small integers: many equal effects, equal strategies, and thresholds that are exactly a ratio
        cost, effect = (rng.integers(-3, 4, (800, n_strategies)).astype(float) for _ in range(2))
        thresholds = np.array([2.0, 0.0, 1.0, 0.5, 3.0, 7.0])
    else:
        cost, effect = rng.normal(0, 500, (800, n_strategies)), rng.normal(0, 0.05, (800, n_strategies))
        thresholds = rng.uniform(0, 60_000, 40)
    found = acceptability(cost, effect, thresholds)
    benefit = thresholds[:, None, None] * effect - cost
    first_best = benefit.argmax(axis=2)
    shares = (first_best[:, :, None] == np.arange(n_strategies)).mean(axis=1)
    np.testing.assert_allclose(found.probability, shares, atol=1e-12)
    np.testing.assert_allclose(found.probability.sum(axis=1), 1, atol=1e-12)
    means = benefit.mean(axis=1)
    np.testing.assert_allclose(found.expected_net_benefit, means - means[:, :1], atol=1e-8)
    perfect = benefit.max(axis=2).mean(axis=1) - means.max(axis=1)
    np.testing.assert_allclose(found.evpi, perfect, atol=1e-8)
    np.testing.assert_array_equal(found.best, means.argmax(axis=1))
    np.testing.assert_allclose(found.frontier, shares[np.arange(len(shares)), found.best], atol=1e-12)


def test_differences_and_two_strategies_are_the_same():
    rng = np.random.default_rng(1)
    cost, effect = rng.normal(100, 300, 500), rng.normal(0.01, 0.02, 500)
    level = rng.normal(5000, 1000, 500)
    one = acceptability(cost, effect, [0, 2e4])
    two = acceptability(
        np.column_stack([level, level + cost]), np.column_stack([effect * 0, effect]), [0, 2e4]
    )
    np.testing.assert_allclose(one.probability, two.probability)
    np.testing.assert_allclose(one.evpi, two.evpi, atol=1e-8)


def test_expected_net_benefit_of_draws():
    rng = np.random.default_rng(1)
    cost, effect = rng.normal(size=(2000, 3)), rng.normal(size=(2000, 3))
    found = net_benefit_of_draws(cost, effect, [0.0, 2.0], level=0.9)
    benefit = 2.0 * (effect - effect[:, :1]) - (cost - cost[:, :1])
    np.testing.assert_allclose(found.estimate[1], benefit[:, 1:].mean(axis=0))
    np.testing.assert_allclose(found.conf_low[1], np.quantile(benefit[:, 1:], 0.05, axis=0))
    np.testing.assert_allclose(found.std_error[1], benefit[:, 1:].std(axis=0, ddof=1))


@pytest.mark.parametrize("seed", range(5))
def test_frontier_holds_exactly_the_strategies_that_are_best_somewhere(seed):
    rng = np.random.default_rng(seed)
    cost, effect = rng.uniform(0, 1, 9), rng.uniform(0, 1, 9)
    found = efficiency_frontier(cost, effect)
    thresholds = np.concatenate([[0], np.geomspace(1e-4, 1e4, 200_000)])
    best = set((thresholds[:, None] * effect - cost).argmax(axis=1).tolist())
    assert set(found.order) == best
    ratios = [found.ratio[s] for s in found.order[1:]]
    assert ratios == sorted(ratios)
    assert found.ratio[found.order[0]] is None
    for s, status in enumerate(found.status):
        beaten = ((cost <= cost[s]) & (effect >= effect[s])).sum() > 1
        assert status == ("on_frontier" if s in best else "dominated" if beaten else "extendedly_dominated")


def test_of_identical_strategies_the_first_stays_on_the_frontier():
    found = efficiency_frontier([0, 10, 10], [0, 1, 1])
    assert found.status == ("on_frontier", "on_frontier", "dominated")


@pytest.mark.parametrize(
    ("cost", "effect", "verdict", "ratio"),
    [
        (50, 0.1, "costs_more_for_more", 500),
        (-50, 0.1, "dominant", None),
        (0, 0.1, "dominant", None),
        (50, -0.1, "dominated", None),
        (0, -0.1, "dominated", None),
        (-50, -0.1, "saves_for_less", 500),
    ],
)
def test_ratio_or_word(cost, effect, verdict, ratio):
    found = icer(cost, effect)
    assert found.verdict == verdict
    assert found.ratio == (None if ratio is None else pytest.approx(ratio))
    for lang in ("nl", "en"):
        assert "−" not in found.text(lang) and "{" not in found.text(lang)
        assert ("€" in found.text(lang)) == (ratio is not None)


@pytest.mark.parametrize("effect", [0.05, -0.05])
def test_net_benefit_is_just_not_different_from_zero_at_the_limits_of_fieller(effect):
    fit = fit_of(400, effect, spread=[[1e4, -0.2], [-0.2, 2e-4]], df=30)
    found = fieller_interval(fit)
    assert found.bounded and found.conf_low < 400 / effect < found.conf_high
    for k in (found.conf_low, found.conf_high):
        gradient = np.array([-1, k])
        z = gradient @ fit.estimate / np.sqrt(gradient @ fit.covariance @ gradient)
        assert abs(z) == pytest.approx(2.0422724563012373, rel=1e-9)  # t quantile with 30 df


@pytest.mark.parametrize(("cost", "effect"), [(400, 0.05), (-400, -0.05), (400, -0.05), (-30, 0.05)])
def test_both_intervals_of_the_ratio_agree_where_the_effect_is_clear(cost, effect):
    fit = fit_of(cost, effect, spread=[[1e4, -0.02], [-0.02, 1e-4]])
    formula, drawn = fieller_interval(fit), bootstrap_ratio_interval(draws_of(fit, 100_000))
    # Normal draws, 100,000: Monte-Carlo error of a limit about 1 % of the width of the interval.
    width = formula.conf_high - formula.conf_low
    assert drawn.conf_low == pytest.approx(formula.conf_low, abs=0.04 * width)
    assert drawn.conf_high == pytest.approx(formula.conf_high, abs=0.04 * width)


@pytest.mark.parametrize("cost", [400, -400, 0])
@pytest.mark.parametrize("effect", [0.008, -0.008])
def test_both_intervals_say_that_they_are_unbounded(cost, effect):
    fit = fit_of(cost, effect, spread=[[1e4, -0.02], [-0.02, 1e-4]])
    for found in (fieller_interval(fit), bootstrap_ratio_interval(draws_of(fit))):
        assert not found.bounded and found.conf_low is None and found.conf_high is None


def test_quadrants_add_up_to_one():
    found = quadrants(draws_of(fit_of(50, 0.01, spread=[[1e4, 0], [0, 1e-4]])))
    total = (
        found.more_effect_more_cost
        + found.more_effect_less_cost
        + found.less_effect_less_cost
        + found.less_effect_more_cost
    )
    assert total == pytest.approx(1)


# --- information


def test_information_about_one_parameter_in_a_linear_normal_model():
    rng = np.random.default_rng(3)
    price, health = rng.normal(150, 60, 50_000), rng.normal(0.006, 0.002, 50_000)
    cost, effect = 3 * price, health
    thresholds = [20_000.0, 50_000.0, 80_000.0]
    mean = 0.006 * np.array(thresholds) - 450
    both = normal_evpi(mean, np.sqrt(180**2 + (0.002 * np.array(thresholds)) ** 2))
    # 50,000 draws: Monte-Carlo error under 1 euro on values between 9 and 60.
    np.testing.assert_allclose(acceptability(cost, effect, thresholds).evpi, both, atol=3)
    about_price = partial_information(cost, effect, price, thresholds=thresholds)
    np.testing.assert_allclose(about_price, normal_evpi(mean, np.full(3, 180.0)), atol=3)
    about_health = partial_information(cost, effect, health, thresholds=thresholds)
    np.testing.assert_allclose(about_health, normal_evpi(mean, 0.002 * np.array(thresholds)), atol=3)
    about_nothing = partial_information(cost, effect, rng.normal(size=50_000), thresholds=thresholds)
    assert (about_nothing < 1).all()


def test_information_about_a_parameter_that_bends_and_one_of_few_values():
    rng = np.random.default_rng(4)
    x, noise = rng.uniform(-1, 1, 50_000), rng.normal(0, 100, 50_000)
    benefit = 400 * np.sin(3 * x)
    found = partial_information(-(benefit + noise), np.zeros(50_000), x, thresholds=[0.0])
    exact = np.maximum(benefit, 0).mean() - max(benefit.mean(), 0)
    assert found[0] == pytest.approx(exact, rel=0.01)  # the spline bends with the sine to within 1 %
    steps = rng.integers(0, 3, 50_000)
    level = np.array([-300.0, 50.0, 200.0])[steps]
    found = partial_information(-(level + noise), np.zeros(50_000), steps, thresholds=[0.0])
    assert found[0] == pytest.approx(np.maximum(level, 0).mean() - max(level.mean(), 0), rel=0.02)


def test_value_for_the_population():
    edition = Guideline(edition="A", costs=0.03, effects=0.015, source="s")
    found = population_value([2.0, 5.0], persons_per_year=1000, years=3, guideline=edition)
    np.testing.assert_allclose(found, np.array([2000, 5000]) * (1 + 1 / 1.03 + 1 / 1.03**2))
    with pytest.raises(StudyError, match="name the edition"):
        population_value([2.0], persons_per_year=1000, years=3)
    with pytest.raises(EstimationError, match="above zero"):
        population_value([2.0], persons_per_year=0, years=1)


# --- the whole, and what is refused


def paid(price_year=2024):
    return TrajectoryCosts(
        paid=np.array([490.0]), unpaid=np.zeros(1), payer="wmo", price_year=price_year, source="invoice"
    )


def evaluation(**changes):
    plan = {
        "draws": {
            band: draws_of(fit_of(100, 0.02, spread=[[1e4, 0], [0, 1e-4]]), 200).by_strategy()
            for band in ("18-64", "65+")
        },
        "strategies": ("usual care", "referral"),
        "thresholds": [0, 20_000],
        "perspective": "societal",
        "cost_days": 365,
        "effect_days": 365,
        "price_year": 2024,
        "effect_unit": "QALY",
        "trajectory": paid(),
    }
    plan.update(changes)
    return cost_effectiveness(plan.pop("draws"), **plan)


def test_evaluation_gives_its_draws_as_a_frame():
    found = evaluation()
    frame = found.to_frame()
    assert list(frame) == ["replicate", "age_band", "strategy", "cost", "effect"]
    assert len(frame) == 2 * 200 * 2
    referral = frame[(frame["age_band"] == "65+") & (frame["strategy"] == "referral")]
    np.testing.assert_array_equal(referral["cost"], found.bands["65+"].cost[:, 1])
    assert "65+ | referral: € 100, 0.0200 QALY" in repr(found)
    assert found.edition is None and found.trajectory_source == "invoice"


def test_evaluation_lists_everything_that_is_wrong_at_once():
    with pytest.raises(StudyError) as error:
        evaluation(strategies=("referral",), trajectory=None, cost_days=365, effect_days=180)
    assert len(error.value.problems) == 3
    text = str(error.value)
    assert "nothing to choose" in text and "Welzijn op Recept" in text and "one horizon" in text


def test_evaluation_refuses_a_long_horizon_without_edition_and_other_price_years():
    with pytest.raises(StudyError, match="name the edition"):
        evaluation(cost_days=730, effect_days=730)
    edition = Guideline(edition="ZIN 2024", costs=0.03, effects=0.015, source="s")
    assert evaluation(cost_days=730, effect_days=730, guideline=edition).edition == "ZIN 2024"
    with pytest.raises(StudyError, match="prices of 2020"):
        evaluation(trajectory=paid(2020))
    with pytest.raises(EstimationError, match="every band"):
        evaluation(draws={"18-64": model_draws([[0, 1, 2]] * 5, [[0, 1, 2]] * 5)})


def test_choices_refuse_what_is_no_choice():
    with pytest.raises(EstimationError, match="one strategy only"):
        acceptability([[1.0], [2.0]], [[1.0], [2.0]], [0])
    with pytest.raises(EstimationError, match="joint"):
        acceptability([1.0, 2.0], [1.0], [0])
    with pytest.raises(EstimationError, match="negative"):
        acceptability([1.0, 2.0], [1.0, 2.0], [-1])
    with pytest.raises(EstimationError, match="missing"):
        acceptability([1.0, np.nan], [1.0, 2.0], [0])
    with pytest.raises(EstimationError, match="at least two"):
        efficiency_frontier([1.0], [1.0])
    with pytest.raises(EstimationError, match="exactly zero"):
        icer(100, 0)
    with pytest.raises(EstimationError, match="finite"):
        icer(np.nan, 0.1)
    with pytest.raises(EstimationError, match="same value"):
        partial_information(np.arange(200.0), np.arange(200.0), np.ones(200), thresholds=[0])
    with pytest.raises(EstimationError, match="say nothing"):
        bootstrap_ratio_interval(draws_of(fit_of(1, 1, spread=np.eye(2)), 20))
    with pytest.raises(EstimationError, match="perfectly correlated"):
        t_draws(fit_of(1, 1, spread=np.ones((2, 2))), replicates=10, seed=1)
    with pytest.raises(EstimationError, match="two or more"):
        pool_imputations([fit_of(1, 1, spread=np.eye(2))])
