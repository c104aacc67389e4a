"""Perspectives, payers, budgets and sensitivity: against brute force, and what they refuse."""

import csv

import numpy as np
import pytest
import statsmodels.api as sm

from wor_eval.assets import asset
from wor_eval.economics.budget import budget_impact, stepwise, uptake
from wor_eval.economics.costs import (
    PAYERS,
    PERSPECTIVES,
    TrajectoryPrice,
    perspective_cost,
    trajectory_costs,
)
from wor_eval.economics.joint import joint_regression
from wor_eval.economics.payers import payer_balance, payer_costs
from wor_eval.economics.sensitivity import (
    break_even_price,
    scenarios,
    subgroup_value,
    threshold_value,
    tornado,
    two_way,
)
from wor_eval.errors import EstimationError, StudyError


def rows_of(*parts):
    with asset(*parts).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def price_of(**changes):
    plan = {
        "coach_hour": 60.0,
        "overhead": 0.25,
        "activity": 40.0,
        "volunteer_hour": 15.0,
        "payer": "wmo",
        "price_year": 2024,
        "source": "plan",
    }
    return TrajectoryPrice(**{**plan, **changes})


# --- components and perspectives


def test_payers_are_those_of_the_dictionary():
    assert [row["code"] for row in rows_of("data_dictionary", "codes", "payer.csv")] == list(PAYERS)
    categories = {row["code"] for row in rows_of("data_dictionary", "codes", "cost_category.csv")}
    assert all(chosen.without <= categories for chosen in PERSPECTIVES.values())


def test_perspectives_select_payers_and_categories():
    payers = ["zvw", "own", "wlz", "wmo", "own", "wmo", "unpaid"]
    categories = ["gp", "medication", "wlz_care", "wmo_support", "wmo_support", "trajectory", "trajectory"]
    amounts = np.array([[1.0, 10.0, 100.0, 1000.0, 10_000.0, 100_000.0, 1_000_000.0]])
    totals = {
        name: perspective_cost(amounts, payers=payers, categories=categories, perspective=name)
        for name in PERSPECTIVES
    }
    assert totals["societal"].total[0] == 1_111_111
    assert totals["healthcare"].total[0] == 111
    assert totals["municipality"].total[0] == 101_000
    assert [totals[name].trajectory_counted for name in ("societal", "healthcare", "municipality")] == [
        True,
        False,
        True,
    ]


def test_perspectives_refuse_unknown_payers_and_a_missing_trajectory():
    with pytest.raises(StudyError, match="unknown payers: insurer"):
        perspective_cost([[1.0]], payers=["insurer"], categories=["trajectory"], perspective="societal")
    with pytest.raises(StudyError, match="is missing"):
        perspective_cost([[1.0]], payers=["zvw"], categories=["gp"], perspective="societal")
    with pytest.raises(StudyError, match="none of the components"):
        perspective_cost([[1.0]], payers=["zvw"], categories=["trajectory"], perspective="municipality")
    with pytest.raises(EstimationError, match="unequal"):
        perspective_cost([[1.0, 2.0]], payers=["zvw"], categories=["trajectory"], perspective="societal")


def test_trajectory_costs_hours_overhead_activity_and_volunteers():
    found = trajectory_costs(price_of(), [1, 1, 0], coach_hours=[4, 8, np.nan], volunteer_hours=[2, 0, 0])
    np.testing.assert_allclose(found.paid, [4 * 75 + 40, 8 * 75 + 40, 0])
    np.testing.assert_allclose(found.unpaid, [30, 0, 0])


def test_trajectory_without_price_is_refused_and_mistakes_are_listed():
    with pytest.raises(StudyError, match="there is no default"):
        trajectory_costs(None, [1, 0], coach_hours=5)
    with pytest.raises(StudyError) as error:
        trajectory_costs(
            price_of(coach_hour=-1, payer="insurer", source=" ", volunteer_hour=0),
            [1, 0],
            coach_hours=5,
            volunteer_hours=1,
        )
    assert len(error.value.problems) == 4
    with pytest.raises(StudyError, match="not free"):
        trajectory_costs(price_of(coach_hour=0, activity=0), [1, 0], coach_hours=5)
    with pytest.raises(EstimationError, match="1 values"):
        trajectory_costs(price_of(), [1, 1], coach_hours=[5, np.nan])


# --- payers and budget


@pytest.fixture(scope="module")
def study():
    """400 persons in 25 practices and two bands; insurer, municipality."""
    rng = np.random.default_rng(5)
    practice, referred = np.arange(400) % 25, rng.integers(0, 2, 400).astype(float)
    band = rng.choice(["18-64", "65+"], 400)
    care = rng.gamma(0.5, 3000.0, (400, 2)) - 100 * referred[:, None]
    trajectory = trajectory_costs(price_of(), referred, coach_hours=rng.uniform(2, 9, 400))
    costs = payer_costs(care, referred, payers=["zvw", "wmo"], trajectory=trajectory, years=1.0)
    return costs, practice, band, care, trajectory


def test_balance_of_each_payer_is_the_difference_of_arms(study):
    costs, practice, _, care, trajectory = study
    arm = costs.referred == 1
    found = payer_balance(costs, clusters=practice)
    assert found.payers == ("zvw", "wmo", "all")
    gap = care[arm].mean(axis=0) - care[~arm].mean(axis=0)
    np.testing.assert_allclose(found.care.estimate, [*gap, gap.sum()], rtol=1e-9)
    extra = trajectory.paid[arm].mean()
    np.testing.assert_allclose(found.trajectory, [0, extra, extra])
    np.testing.assert_allclose(found.net.estimate, found.care.estimate + found.trajectory, rtol=1e-9)
    one = joint_regression(care.sum(axis=1) + trajectory.paid, care[:, 0], arm, clusters=practice)
    assert found.net.std_error[2] == pytest.approx(one.std_error[0], rel=1e-9)
    assert found.net.conf_low[2] == pytest.approx(one.intervals().conf_low[0], rel=1e-9)


def test_balance_per_thousand_and_per_year(study):
    costs, practice, *_ = study
    one = payer_balance(costs, clusters=practice)
    many = one.per(persons=1000, years=0.5)
    np.testing.assert_allclose(many.net.conf_high, 500 * one.net.conf_high)
    np.testing.assert_allclose(many.per(persons=1, years=1.0).trajectory, one.trajectory)
    np.testing.assert_array_equal(many.net.p_value, one.net.p_value)
    with pytest.raises(EstimationError, match="above zero"):
        one.per(persons=0)


def test_budget_adds_up_bands_years_and_payers(study):
    costs, practice, band, *_ = study
    plan = uptake(
        ["18-64", "65+"],
        eligible=[5000, 3000],
        share=stepwise([0.01, 0.02], [0.05, 0.02]),
        compared_with=[[0.01, 0.02]] * 5,
    )
    found = budget_impact(costs, band, scenario=plan, clusters=practice)
    np.testing.assert_allclose(found.extra_referred, np.outer([0, 50, 100, 150, 200], [1, 0]), atol=1e-9)
    own = {b: costs.net[(band == b) & (costs.referred == 1)].mean(axis=0) for b in ("18-64", "65+")}
    own = {b: v - costs.net[(band == b) & (costs.referred == 0)].mean(axis=0) for b, v in own.items()}
    expected = np.outer(own["18-64"], [0, 50, 100, 150, 200, 500])
    np.testing.assert_allclose(found.limits.estimate, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        found.limits.estimate[-1], found.limits.estimate[:-1].sum(axis=0), rtol=1e-9, atol=1e-9
    )
    # The first year changes nothing, and that is certain.
    assert (found.limits.std_error[:, 0] == 0).all() and (found.limits.p_value[:, 0] == 1).all()
    # All years hang on one number: widths add up.
    np.testing.assert_allclose(
        found.limits.std_error[:, -1], found.limits.std_error.sum(axis=1) - found.limits.std_error[:, -1]
    )


def test_budget_of_both_bands_has_the_error_of_a_stacked_regression(study):
    costs, _, band, *_ = study
    plan = uptake(["18-64", "65+"], eligible=[1000, 1000], share=[[0.1, 0.3]])
    found = budget_impact(costs, band, scenario=plan)
    old = (band == "65+").astype(float)
    X = np.column_stack([1 - old, old, (1 - old) * costs.referred, old * costs.referred])
    peer = sm.OLS(costs.net[:, -1], X).fit(cov_type="HC2").t_test([0, 0, 100, 300])
    assert found.limits.estimate[-1, 0] == pytest.approx(peer.effect[0], rel=1e-9)
    assert found.limits.std_error[-1, 0] == pytest.approx(peer.sd[0, 0], rel=1e-9)


def test_payers_and_budgets_refuse(study):
    costs, _, band, care, trajectory = study
    arm = costs.referred
    with pytest.raises(StudyError, match="is missing"):
        payer_costs(care, arm, payers=["zvw", "wmo"], trajectory=None, years=1)
    with pytest.raises(StudyError, match="no column of care"):
        payer_costs(care, arm, payers=["zvw", "wlz"], trajectory=trajectory, years=1)
    with pytest.raises(StudyError, match="at most once"):
        payer_costs(care, arm, payers=["zvw", "zvw"], trajectory=trajectory, years=1)
    with pytest.raises(EstimationError, match="without any costs: wmo"):
        payer_costs(care * [1, 0], arm, payers=["zvw", "wmo"], trajectory=trajectory, years=1)
    with pytest.raises(EstimationError, match="unequal"):
        payer_costs(care[:9], arm, payers=["zvw", "wmo"], trajectory=trajectory, years=1)
    plan = uptake(["18-64", "65+"], eligible=[1000, 1000], share=[[0.1, 0.3]])
    with pytest.raises(StudyError, match="age_band"):
        budget_impact(costs, np.where(band == "65+", "65-74", band), scenario=plan)
    with pytest.raises(EstimationError, match="in an arm: 65"):
        budget_impact(costs, np.where(arm == 1, "18-64", band), scenario=plan)
    longer = payer_costs(care, arm, payers=["zvw", "wmo"], trajectory=trajectory, years=2)
    with pytest.raises(StudyError, match="cannot be placed"):
        budget_impact(longer, band, scenario=plan)
    with pytest.raises(StudyError, match="no eligible"):
        uptake(["18-64"], eligible=[0], share=[[0.1]])
    with pytest.raises(StudyError, match="outside"):
        uptake(["18-64"], eligible=[10], share=[[1.1]])
    with pytest.raises(StudyError, match="the same"):
        uptake(["18-64"], eligible=[10], share=[[0.1]], compared_with=[[0.1]])


# --- sensitivity


def benefit(x):
    return 20_000 * x["qaly"] - x["cost"] - x["price"] * x["hours"]


BASE = {"qaly": 0.04, "cost": 100.0, "price": 60.0, "hours": 6.0}


def test_tornado_two_way_and_scenarios():
    found = tornado(benefit, BASE, ranges={"cost": (0, 200), "qaly": (0.01, 0.07), "hours": (5, 7)})
    assert found.base == pytest.approx(340)
    assert [bar.name for bar in found.bars] == ["qaly", "cost", "hours"]
    assert [bar.width for bar in found.bars] == pytest.approx([1200, 200, 120])
    grid = two_way(benefit, BASE, first=("price", [50, 70]), second=("hours", [4, 6, 8]))
    np.testing.assert_allclose(grid, 700 - np.outer([50, 70], [4, 6, 8]))
    assert scenarios(benefit, BASE, changes={"as planned": {}, "dear": {"price": 90, "hours": 8}}) == {
        "as planned": pytest.approx(340),
        "dear": pytest.approx(-20),
    }
    assert threshold_value(benefit, BASE, name="price", between=(0, 500)) == pytest.approx(700 / 6)


def test_sensitivity_refuses():
    with pytest.raises(EstimationError, match="unknown inputs: rent"):
        scenarios(benefit, BASE, changes={"x": {"rent": 1}})
    with pytest.raises(EstimationError, match="hold their base value"):
        tornado(benefit, BASE, ranges={"cost": (200, 300)})
    with pytest.raises(EstimationError, match="negative on the whole range"):
        threshold_value(benefit, BASE, name="price", between=(200, 500))
    with pytest.raises(EstimationError, match="no finite number"):
        tornado(lambda x: x["a"] / 0.0 if x["a"] == 0 else np.inf, {"a": 1.0}, ranges={"a": (0.5, 2)})
    with pytest.raises(EstimationError, match="twice"):
        two_way(benefit, BASE, first=("cost", [1]), second=("cost", [1]))


def test_break_even_price_makes_the_net_benefit_zero(study):
    costs, practice, _, care, _ = study
    effect = np.random.default_rng(0).normal(0.7, 0.1, 400) + 0.03 * costs.referred
    before = joint_regression(care.sum(axis=1), effect, costs.referred, clusters=practice)
    found = break_even_price(before, [20_000], coach_hours=6)
    at_price = care.sum(axis=1) + found.per_trajectory.estimate[0] * costs.referred
    after = joint_regression(at_price, effect, costs.referred, clusters=practice)
    assert 20_000 * after.estimate[1] == pytest.approx(after.estimate[0], rel=1e-9)
    np.testing.assert_allclose(6 * found.per_hour.conf_low, found.per_trajectory.conf_low)
    with pytest.raises(EstimationError, match="above zero"):
        break_even_price(before, [20_000], coach_hours=0)


def test_subgroup_value_is_the_brute_force():
    rng = np.random.default_rng(6)
    cost, effect = rng.normal(0, 500, (3, 4)), rng.normal(0, 0.05, (3, 4))
    shares, thresholds = np.array([0.5, 0.3, 0.2]), [0.0, 20_000.0, 80_000.0]
    found = subgroup_value(cost, effect, shares=shares, thresholds=thresholds)
    for i, k in enumerate(thresholds):
        worth = k * effect - cost
        assert found.value[i] == pytest.approx(shares @ worth.max(axis=1) - (shares @ worth).max(), abs=1e-9)
        assert found.best_for_all[i] == (shares @ worth).argmax()
        np.testing.assert_array_equal(found.best_by_group[i], worth.argmax(axis=1))
        np.testing.assert_allclose(
            found.lost_by_group[i], worth.max(axis=1) - worth[:, found.best_for_all[i]]
        )
    with pytest.raises(EstimationError, match="adding up to 1"):
        subgroup_value(cost, effect, shares=[0.5, 0.5, 0.5], thresholds=[0])
    with pytest.raises(EstimationError, match="two strategies"):
        subgroup_value(cost[:, :1], effect[:, :1], shares=shares, thresholds=[0])
