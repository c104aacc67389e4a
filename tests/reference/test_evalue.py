"""E-values (case 20: R's EValue 4.1.4, and VanderWeele and Ding 2017)."""

import json
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import norm

from wor_eval.effects.sensitivity import EValue, e_value

# Closed formulas on both sides; the reference has 15 digits.
EXACT = 1e-10
Z = norm.ppf(0.975)


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict[str, Any]:
    path = shared / "reference" / "r" / "20_evalue.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


def check(found: EValue, theirs: dict[str, Any]) -> None:
    ours = (found.risk_ratio, found.risk_ratio_low, found.risk_ratio_high)
    for mine, yours in zip(ours, theirs["rr"], strict=True):
        assert mine == (None if yours is None else pytest.approx(yours, abs=EXACT))
    point, *limits = theirs["ev"]
    assert found.e_value == pytest.approx(point, abs=EXACT)
    limit = next((value for value in limits if value is not None), None)
    assert found.e_value_limit == (None if limit is None else pytest.approx(limit, abs=EXACT))


@pytest.mark.parametrize(
    ("case", "scale"),
    [
        ("rr_annals1", "risk_ratio"),
        ("rr_doc", "risk_ratio"),
        ("rr_prev", "risk_ratio"),
        ("rr_null", "risk_ratio"),
        ("rr_true15", "risk_ratio"),
        ("rr_13_true", "risk_ratio"),
        ("rr_true_between", "risk_ratio"),
        ("drvisits_nb", "rate_ratio"),
        ("or_rare", "odds_ratio"),
        ("or_common", "odds_ratio_common"),
        ("hr_rare", "hazard_ratio"),
        ("hr_common", "hazard_ratio_common"),
    ],
)
def test_ratios(case: str, scale: Any, reference: dict[str, Any]) -> None:
    theirs = reference[case]
    check(e_value(*theirs["in_"], scale=scale, true_value=theirs.get("true")), theirs)


@pytest.mark.parametrize("case", ["md", "md_neg", "ols"])
def test_mean_differences(case: str, reference: dict[str, Any]) -> None:
    theirs = reference[case]
    est, se = theirs["est"], theirs["se"]
    found = e_value(
        est, est - Z * se, est + Z * se, scale="mean_difference", standard_deviation=theirs.get("sd", 1.0)
    )
    check(found, theirs)


def test_risk_ratio_behind_the_risk_difference(reference: dict[str, Any]) -> None:
    """The E-value of a risk difference is that of the ratio of the two risks."""
    theirs = reference["rd"]
    a, b, c, d = theirs["in_"]
    found = e_value(a / (a + b) / (c / (c + d)), scale="risk_ratio")
    # The package searches on a grid of 1e-4 in the bias factor, which moves the E-value by about 2e-4.
    assert found.e_value == pytest.approx(theirs["est"], abs=5e-4)


def test_published() -> None:
    # VanderWeele and Ding 2017, doi:10.7326/M16-2607, smoking and lung cancer: 20.9 and 15.5.
    found = e_value(10.73, 8.02, 14.36, scale="risk_ratio")
    assert found.e_value_limit is not None
    assert (round(found.e_value, 1), round(found.e_value_limit, 1)) == (20.9, 15.5)
