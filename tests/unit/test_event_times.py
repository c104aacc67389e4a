"""Survival functions on small cases with a known answer, and what they refuse."""

import doctest
import importlib
import warnings

import numpy as np
import pytest

from wor_eval.effects.competing import cumulative_incidence
from wor_eval.effects.cox import concordance, cox_regression, proportional_hazards
from wor_eval.effects.restricted_mean import restricted_mean, restricted_mean_difference
from wor_eval.effects.survival import kaplan_meier, log_rank, time_quantile
from wor_eval.errors import DesignError, EstimationError


@pytest.mark.parametrize(
    "name", ["event_times", "survival", "restricted_mean", "competing", "cox", "risk_sets"]
)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(f"wor_eval.effects.{name}")).failed == 0


def cohort(n=200, seed=1):
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 2, n)
    event, end = np.ceil(rng.exponential(300 * np.exp(0.5 * arm))), np.ceil(rng.uniform(50, 365, n))
    return np.minimum(event, end), (event <= end).astype(int), arm


def test_before_the_first_event_everybody_is_left():
    curve = kaplan_meier([5, 6, 7], [1, 0, 1], at=[1, 5])
    assert curve.estimate[0] == 1.0
    assert curve.std_error[0] == 0.0
    assert np.isnan(curve.conf_low[0])
    assert curve.n_risk.tolist() == [3, 3]
    assert curve.n_event.tolist() == [0, 1]


def test_when_the_last_person_has_the_event_the_curve_is_zero_for_ever():
    curve = kaplan_meier([2, 3], [1, 1], at=[3, 9])
    assert curve.estimate.tolist() == [0.0, 0.0]
    assert np.isnan(curve.std_error).all()
    assert restricted_mean([2, 3], [1, 1], horizon=10).estimate == pytest.approx(2.5)


def test_an_event_comes_before_an_end_at_the_same_time():
    assert kaplan_meier([4, 4, 6], [1, 0, 1], at=[4]).estimate[0] == pytest.approx(2 / 3)


def test_the_median_may_never_be_reached():
    curve = kaplan_meier([1, 5, 6, 7], [1, 0, 0, 0])
    assert np.isnan(time_quantile(curve).estimate)
    assert (
        time_quantile(kaplan_meier([1, 2, 3, 4], [1, 1, 1, 1])).estimate == 2.5
    )  # R: the middle of the step


def test_weights_of_one_and_own_clusters_change_nothing():
    time, event, arm = cohort()
    each, some = np.arange(200), {"at": [100, 300]}
    plain = kaplan_meier(time, event, **some)
    for found in (
        kaplan_meier(time, event, clusters=each, **some),
        kaplan_meier(time, event, weights=np.ones(200), clusters=each, **some),
    ):
        np.testing.assert_allclose(found.std_error, plain.std_error, rtol=1e-12)
    causes = event * (1 + arm)
    plain = cumulative_incidence(time, causes, cause=2, **some)
    found = cumulative_incidence(time, causes, cause=2, clusters=each, **some)
    np.testing.assert_allclose(found.std_error, plain.std_error, rtol=1e-12)


def test_persons_with_weight_zero_are_not_there():
    time, event, arm = cohort()
    weight = (np.arange(200) % 4 > 0).astype(float)
    kept = weight > 0
    one = restricted_mean_difference(time, event, arm, horizon=200, weights=weight)
    other = restricted_mean_difference(time[kept], event[kept], arm[kept], horizon=200)
    assert one == other
    model = cox_regression(time, event, arm[:, None], weights=weight, clusters=np.arange(200))
    small = cox_regression(time[kept], event[kept], arm[kept, None], clusters=np.arange(200)[kept])
    np.testing.assert_allclose(model.fit.cov, small.fit.cov, rtol=1e-10)


def test_matched_sets_share_what_they_have_in_common():
    """Pairs with the same frailty: the difference within pairs is surer than between strangers."""
    rng = np.random.default_rng(2)
    frailty = rng.gamma(1.0, 1.0, 400)
    time = rng.exponential(100 / np.maximum(np.tile(frailty, 2), 1e-3))
    time, event = np.minimum(time, 365), time < 365
    arm, pair = np.repeat([1, 0], 400), np.tile(np.arange(400), 2)
    sets = restricted_mean_difference(time, event, arm, horizon=365, clusters=pair)
    strangers = restricted_mean_difference(time, event, arm, horizon=365)
    assert sets.estimate == strangers.estimate
    assert sets.std_error < 0.85 * strangers.std_error


def test_cumulative_incidences_and_survival_add_up_to_one():
    time, event, arm = cohort()
    causes, at = event * (1 + arm), [50, 150, 250]
    parts = [cumulative_incidence(time, causes, cause=c, at=at).estimate for c in (1, 2)]
    np.testing.assert_allclose(sum(parts) + kaplan_meier(time, event, at=at).estimate, 1.0, atol=1e-13)


def test_log_rank_is_that_of_lifelines_for_three_groups():
    from lifelines.statistics import multivariate_logrank_test

    time, event, _ = cohort()
    group = np.arange(200) % 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = multivariate_logrank_test(time, group, event)
    found = log_rank(time, event, group)
    assert (found.statistic, found.p_value) == pytest.approx((peer.test_statistic, peer.p_value), rel=1e-9)
    assert found.df == 2


def test_columns_on_any_scale_give_the_same_model():
    time, event, arm = cohort()
    age = np.random.default_rng(3).normal(50, 10, 200)
    one = cox_regression(time, event, np.column_stack([arm, age]))
    other = cox_regression(time, event, np.column_stack([arm, 1e6 * age + 1e8]))
    assert other.fit.coef[1] * 1e6 == pytest.approx(one.fit.coef[1], rel=1e-6)
    assert other.fit.loglik == pytest.approx(one.fit.loglik, rel=1e-10)


def test_hazards_that_cross_are_found():
    rng = np.random.default_rng(4)
    arm = np.repeat([0, 1], 500)
    early = rng.exponential(100, 1000) * np.where(arm == 1, 3.0, 1.0)
    time = np.where(early < 100, early, 100 + rng.exponential(100, 1000) / np.where(arm == 1, 3.0, 1.0))
    assert proportional_hazards(time, np.ones(1000), arm[:, None]).p_value[0] < 1e-6


def test_refused_times():
    with pytest.raises(EstimationError) as caught:
        kaplan_meier([5, -1, np.nan], [1, 0.5, 0], weights=[1, -1, 1])
    assert len(caught.value.problems) == 3
    with pytest.raises(EstimationError, match="competing"):
        kaplan_meier([5, 6], [1, 2])
    with pytest.raises(EstimationError, match="after the last day"):
        kaplan_meier([5, 6], [1, 0], at=[7])
    with pytest.raises(EstimationError, match="give the times"):
        kaplan_meier([5, 6], [0, 0])
    with pytest.raises(EstimationError, match="weight above zero"):
        kaplan_meier([], [])
    with pytest.raises(EstimationError, match="horizon"):
        restricted_mean([5, 6], [1, 0], horizon=8)
    with pytest.raises(EstimationError, match="no finite standard error"):
        restricted_mean([5, 6], [0, 0], horizon=4)
    with pytest.raises(EstimationError, match="numbered 3"):
        cumulative_incidence([5, 6], [1, 2], cause=3)
    with pytest.raises(DesignError):
        restricted_mean_difference([5, 6], [1, 1], [1, 1], horizon=4)
    with pytest.raises(EstimationError, match="at least two groups"):
        log_rank([5, 6], [1, 1], ["a", "a"])
    with pytest.raises(EstimationError, match="level"):
        kaplan_meier([5, 6], [1, 0], level=95)


def test_refused_cox_models():
    time, event, arm = cohort()
    X = arm[:, None].astype(float)
    with pytest.raises(EstimationError, match="give clusters"):
        cox_regression(time, event, X, weights=np.ones(200))
    with pytest.raises(EstimationError, match="nobody had it"):
        cox_regression(time, np.zeros(200), X)
    with pytest.raises(EstimationError, match="constant"):
        cox_regression(time, event, np.column_stack([X, np.ones(200)]))
    with pytest.raises(EstimationError, match="missing or infinite"):
        cox_regression(time, event, np.where(X == 1, np.nan, X))
    with pytest.raises(EstimationError, match="no finite coefficient") as caught:
        cox_regression(time, event * arm, X, names=["referred"])
    assert caught.value.problems == ("referred",)
    with pytest.raises(EstimationError, match="names"):
        cox_regression(time, event, X, names=["a", "b"])
    with pytest.raises(EstimationError, match="one time"):
        proportional_hazards([5, 5, 5, 9, 9], [1, 1, 1, 0, 0], [[0], [1], [0], [1], [1]])
    with pytest.raises(EstimationError, match="no two persons"):
        concordance([5, 5], [1, 1], [0.0, 1.0])
    with pytest.raises(EstimationError, match="finite numbers"):
        concordance([5, 6], [1, 1], [0.0, np.nan])
