"""An effect writes itself and is found by name; a pair of windows holds who was seen in either."""

import math

import pytest
from scipy.stats import norm

from tests.small_cohort import OUTCOME, small_cohort
from wor_eval.effects.estimate import EffectTable, Estimate, effect_table, normal_limits
from wor_eval.effects.windows import window_pair
from wor_eval.errors import EstimationError


def estimate(**parts) -> Estimate:
    values = {
        "outcome": OUTCOME,
        "contrast": "before_after",
        "age_band": "all",
        "scale": "ratio",
        "estimate": 0.87,
        "std_error": 0.05,
        "conf_low": 0.78,
        "conf_high": 0.97,
        "p_value": 0.01,
        "unit": "rate_ratio",
        "method": "gee_poisson",
        "n_referred": 100,
    }
    return Estimate(**{**values, **parts})


def test_an_estimate_writes_itself():
    assert estimate().text("nl") == "0,87 (95%-BI 0,78 tot 0,97)"
    assert str(estimate()) == "0.87 (95% CI 0.78 to 0.97)"


@pytest.mark.parametrize(
    ("scale", "low", "high", "direction"),
    [
        ("ratio", 0.7, 0.9, "lower"),
        ("ratio", 0.9, 1.0, "unclear"),
        ("ratio", 1.1, 1.2, "higher"),
        ("difference", -2.0, -0.1, "lower"),
        ("difference", -1.0, 1.0, "unclear"),
        ("difference", 0.1, 2.0, "higher"),
    ],
)
def test_the_direction_is_where_the_interval_lies(scale, low, high, direction):
    assert estimate(scale=scale, conf_low=low, conf_high=high).direction == direction


def test_one_effect_is_asked_for_exactly():
    table = EffectTable(rows=(estimate(), estimate(age_band="65+")))
    wanted = {"contrast": "before_after", "method": "gee_poisson", "scale": "ratio"}
    assert table.one(age_band="65+", **wanted).age_band == "65+"
    with pytest.raises(EstimationError, match="0 effects fit before_after, 18-64"):
        table.one(age_band="18-64", **wanted)
    with pytest.raises(EstimationError, match="2 effects fit"):
        EffectTable(rows=(estimate(), estimate())).one(age_band="all", **wanted)
    assert repr(table).startswith(
        "EffectTable(2 effects)\ngp_contacts | before_after | all | gee_poisson: 0.87"
    )


def test_parts_are_put_below_each_other():
    table = effect_table([[estimate(age_band="18-64")], [estimate(age_band="65+"), estimate()]])
    assert [row.age_band for row in table.rows] == ["18-64", "65+", "all"]
    assert len(table) == 3
    assert table.to_frame()["age_band"].tolist() == ["18-64", "65+", "all"]


def test_normal_limits_and_p_value():
    low, high, p = normal_limits(-0.3, 0.1)
    assert (low, high) == pytest.approx(
        (-0.3 - norm.ppf(0.975) * 0.1, -0.3 + norm.ppf(0.975) * 0.1), rel=1e-12
    )
    assert p == pytest.approx(2 * norm.sf(3), rel=1e-12)
    assert math.isnan(normal_limits(1.0, 0.0)[2]), "without an error nothing can be tested"


def test_a_window_pair_holds_who_was_seen_in_either_window():
    cohort = small_cohort(
        {"before": [4, 6, 0, 9], "after": [2, 0, 5, 9]},
        days={"before": [365.25, 365.25, 0, 365.25], "after": [365.25, 0, 730.5, 365.25]},
        age=[40, 70, 80, 50],
        arm=["referred", "referred", "referred", "comparison"],
    )
    pair = window_pair(cohort, OUTCOME)
    assert pair.unit.tolist() == [0, 1, 2]
    assert pair.both.tolist() == [True, False, False]
    assert pair.band("65+").unit.tolist() == [1, 2]
    assert pair.rates == pytest.approx([10 / 2, 7 / 3])
    assert pair.rate_influence().sum(axis=0) == pytest.approx([0, 0], abs=1e-12)
    assert len(window_pair(cohort, OUTCOME, arm="comparison")) == 1
    with pytest.raises(EstimationError, match="nobody was observed in one of the two windows"):
        _ = pair.where(pair.unit == 2).rates
