"""Effects over time and discounting: against brute force, and what they refuse."""

import csv
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.integrate import trapezoid

from wor_eval.assets import asset
from wor_eval.data.tariffs import tariff
from wor_eval.economics.guideline import Guideline, discounted, guideline, reference_values
from wor_eval.economics.qaly import (
    QALY_INSTRUMENTS,
    area_under_curve,
    baseline_adjusted,
    extrapolate,
    qalys,
    same_horizon,
)
from wor_eval.errors import EstimationError, StudyError

EDITION = Guideline(edition="A", costs=0.03, effects=0.015, source="s")


@pytest.mark.parametrize("years", [[0, 0.25, 0.5, 1], [0, 1], [0, 0.4, 1.3, 2.75], [0, 3]])
def test_area_by_year_is_the_integral_of_the_straight_lines(years):
    scores = np.random.default_rng(1).uniform(-0.4, 1, (8, len(years)))
    found = area_under_curve(scores, years)
    fine = np.linspace(0, years[-1], 110_001)
    for person, own in zip(scores, found, strict=True):
        line = np.interp(fine, years, person)
        for year, area in enumerate(own):
            inside = (fine >= year) & (fine <= year + 1)
            assert area == pytest.approx(trapezoid(line[inside], fine[inside]), abs=1e-4)
    np.testing.assert_allclose(found.sum(axis=1), trapezoid(scores, years, axis=1), rtol=1e-12)


def test_qalys_are_discounted_from_the_second_year():
    found = qalys([[0.8, 0.8]], [0, 3], instrument="eq5d5l", guideline=EDITION)
    assert found.total[0] == pytest.approx(0.8 * (1 + 1 / 1.015 + 1 / 1.015**2), rel=1e-12)
    assert found.edition == "A"
    assert qalys([[0.8, 0.8]], [0, 1], instrument="eq5d3l").edition is None


def test_qalys_need_a_value_set_utilities_a_baseline_and_an_edition():
    with pytest.raises(StudyError, match="no Dutch value set"):
        qalys([[20.0, 25.0]], [0, 1], instrument="swemwbs")
    with pytest.raises(EstimationError, match="are they scores"):
        qalys([[20.0, 25.0]], [0, 1], instrument="eq5d5l")
    with pytest.raises(StudyError, match="name the edition"):
        qalys([[0.8, 0.8]], [0, 2], instrument="eq5d5l")
    with pytest.raises(EstimationError, match="baseline"):
        area_under_curve([[0.8, 0.8]], [0.25, 1])
    with pytest.raises(EstimationError, match="missing"):
        area_under_curve([[0.8, np.nan]], [0, 1])
    with pytest.raises(EstimationError, match="moments"):
        area_under_curve([[0.8, 0.8]], [0])


def test_only_instruments_with_a_shipped_value_set_give_qalys():
    shipped = {
        path.stem.removesuffix("_nl") for path in asset("data_dictionary", "tariffs").glob("eq5d*_nl.csv")
    }
    assert not shipped or set(QALY_INSTRUMENTS) == shipped


def test_baseline_adjustment_takes_the_imbalance_out():
    rng = np.random.default_rng(2)
    referred = np.repeat([1.0, 0.0], 150)
    before = rng.normal(0.6, 0.2, 300) - 0.08 * referred
    effect = 0.2 + 0.6 * before + 0.03 * referred + rng.normal(0, 0.1, 300)
    found = baseline_adjusted(effect, referred, before)
    X = np.column_stack([np.ones(300), referred, before])
    peer = sm.OLS(effect, X).fit(cov_type="HC2")
    assert found.adjusted.estimate == pytest.approx(peer.params[1], rel=1e-9)
    assert found.adjusted.std_error == pytest.approx(peer.bse[1], rel=1e-9)
    imbalance = peer.params[2] * found.baseline.estimate
    assert found.unadjusted.estimate == pytest.approx(found.adjusted.estimate + imbalance, rel=1e-9)
    assert found.baseline.estimate < 0
    assert found.unadjusted.estimate < found.adjusted.estimate


def test_horizons_must_be_the_same():
    assert same_horizon(cost_days=365, effect_days=365) == pytest.approx(1, abs=0.001)
    with pytest.raises(StudyError, match="one horizon"):
        same_horizon(cost_days=365, effect_days=182)
    with pytest.raises(StudyError, match="above zero"):
        same_horizon(cost_days=0, effect_days=0)


def test_extrapolation_is_discounted_and_says_what_it_assumes():
    stays = extrapolate([0.04, 0.02], observed_years=1, added_years=3, decline="none", rate=0.015)
    np.testing.assert_allclose(stays.by_year[0], 0.04 / 1.015 ** np.array([1, 2, 3]))
    falls = extrapolate([0.04], observed_years=2, added_years=4, decline="linear", rate=0.0)
    assert falls.by_year.sum() == pytest.approx(0.04 * 4 / 2)  # a triangle
    assert "4 jaar" in falls.assumption.nl and "4 years" in falls.assumption.en
    with pytest.raises(EstimationError, match="at least one year"):
        extrapolate([0.04], observed_years=1, added_years=0, decline="none", rate=0.0)


def test_guideline_parameters_are_the_facts_with_their_source(shared: Path):
    with (shared / "facts" / "guideline_parameters.csv").open(encoding="utf-8", newline="") as file:
        assert list(tariff("guideline")) == list(csv.DictReader(file))
    assert all(row["source"] for row in tariff("guideline"))


def test_rates_belong_to_an_edition():
    for edition in ("ZIN 2024", "ZIN 2016", "MKBA from 2021-01-01"):
        found = guideline(edition)
        assert 0 < found.effects <= found.costs < 0.1 and found.source
    with pytest.raises(StudyError, match="ZIN 2024, ZIN 2016"):
        guideline("")
    low, middle, high = reference_values()
    assert low < middle < high


def test_discounting():
    assert discounted([[100, 100, 100]], rate=0.04)[0] == pytest.approx(100 + 100 / 1.04 + 100 / 1.04**2)
    with pytest.raises(EstimationError, match="rate"):
        discounted([[100, 100]], rate=4.0)
