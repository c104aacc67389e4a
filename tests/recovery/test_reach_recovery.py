"""Standardised rates, funnel limits and run charts find what was put in, and call no more signals than they say."""

import numpy as np

from wor_eval.effects.funnel import funnel_plot
from wor_eval.effects.run_chart import run_chart
from wor_eval.effects.standardised import direct_rates


def test_gamma_intervals_hold_the_true_rate():
    rng = np.random.default_rng(1)
    time, standard = np.array([900.0, 300.0, 80.0]), np.array([0.5, 0.3, 0.2])
    rate = np.array([0.01, 0.02, 0.06])
    count = rng.poisson(rate * time, (4000, 3))
    found = direct_rates(count, np.broadcast_to(time, count.shape), standard=standard)
    truth = (standard * rate).sum()
    inside = (found.conf_low <= truth) & (truth <= found.conf_high)
    # at least 95 %, and conservative by a few points (Fay and Feuer): Monte-Carlo error 0.3 points
    assert 0.945 < inside.mean() < 0.985
    assert abs(found.estimate.mean() / truth - 1) < 0.01


def test_a_funnel_finds_the_spread_between_practices_and_calls_one_in_twenty():
    rng = np.random.default_rng(2)
    outside, spread = [], []
    for _ in range(300):
        expected = rng.uniform(15, 60, 60)
        level = np.maximum(1 + 0.2 * rng.standard_normal(60), 0.05) ** 2  # tau 0.2 on the scale of the root
        found = funnel_plot(rng.poisson(expected * level), expected, winsorise=0)
        outside.append(((found.ratio < found.low[:, 0]) | (found.ratio > found.high[:, 0])).mean())
        spread.append(found.variance_between)
    assert abs(np.mean(outside) - 0.05) < 0.012
    # the root of a Poisson count has a variance a little above 1/4 at these numbers
    assert abs(np.sqrt(np.mean(spread)) - 0.2) < 0.02


def test_without_spread_few_practices_are_called_and_an_outlier_is():
    rng = np.random.default_rng(3)
    calls, found_outlier = [], []
    for _ in range(300):
        expected = rng.uniform(15, 60, 40)
        level = np.ones(40)
        level[0] = 2.5
        found = funnel_plot(rng.poisson(expected * level), expected)
        calls.append(((found.ratio < found.low[:, 0]) | (found.ratio > found.high[:, 0]))[1:].mean())
        found_outlier.append(found.ratio[0] > found.high[0, 0])
    assert np.mean(calls) < 0.075
    assert np.mean(found_outlier) > 0.9


def test_a_stable_rate_is_seldom_called_and_a_shift_is_found():
    rng = np.random.default_rng(4)
    time = np.full(24, 1000.0)
    stable = [run_chart(rng.poisson(0.03 * time), time) for _ in range(500)]
    moved = [
        run_chart(rng.poisson(np.where(np.arange(24) < 12, 0.03, 0.045) * time), time) for _ in range(500)
    ]
    assert np.mean([chart.outside.any() for chart in stable]) < 0.10
    assert np.mean([chart.shift for chart in stable]) < 0.12
    assert np.mean([chart.shift or chart.outside.any() for chart in moved]) > 0.9
