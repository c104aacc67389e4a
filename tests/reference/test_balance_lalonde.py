"""Balance on lalonde (case 04): MatchIt 4.7.1 and cobalt 4.4.1, before and after several matchings."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from wor_eval.design.balance import BalanceTable, balance_table
from wor_eval.design.weighting import effective_sample_size

NAMES = [
    "distance",
    "age",
    "educ",
    "married",
    "nodegree",
    "re74",
    "re75",
    "raceblack",
    "racehispan",
    "racewhite",
]
BINARY = {"married", "nodegree", "raceblack", "racehispan", "racewhite"}


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict[str, Any]:
    path = shared / "reference" / "r" / "04_lalonde_matching.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def lalonde(shared: Path, reference: dict[str, Any]) -> pd.DataFrame:
    frame = pd.read_csv(shared / "reference" / "data" / "lalonde.csv", index_col="id")
    frame["distance"] = pd.Series(reference["ps"])
    for race in ("black", "hispan", "white"):
        frame[f"race{race}"] = (frame["race"] == race).astype(float)
    return frame


def pair_weights(lalonde: pd.DataFrame, pairs: list[dict[str, Any]]) -> np.ndarray:
    weights = pd.Series(0.0, index=lalonde.index)
    for pair in pairs:
        if pair["control"] is not None:
            weights[pair["treated"]] = 1.0
            weights[pair["control"]] += 1.0
    return weights.to_numpy()


def table(lalonde: pd.DataFrame, weights: np.ndarray, **options: Any) -> pd.DataFrame:
    found: BalanceTable = balance_table(
        lalonde[NAMES].to_numpy(float), lalonde["treat"].to_numpy(), weights, names=NAMES, **options
    )
    return found.to_frame().set_index(["sample", "covariate"])


MATCHED = [
    "nearest_1to1",
    "nearest_caliper_ps_exact",
    "nearest_caliper_logit",
    "nearest_caliper_logit_exact",
    "nearest_caliper_logit_austin",
    "nearest_caliper_logit_smallest",
    "nearest_caliper_logit_data",
    "optimal_pair",
]


@pytest.mark.parametrize("case", MATCHED)
def test_cobalt(case: str, lalonde: pd.DataFrame, reference: dict[str, Any]) -> None:
    weights = pair_weights(lalonde, reference[case]["pairs"])
    found = table(lalonde, weights)
    for row in reference[case]["bal"]:
        name = row["var"]
        before, after = found.loc[("before", name)], found.loc[("after", name)]
        # The same arithmetic: rounding only.
        assert before["smd"] == pytest.approx(row["un"], abs=1e-10)
        assert after["smd"] == pytest.approx(row["adj"], abs=1e-10)
        assert after["ks"] == pytest.approx(row["ks_adj"], abs=1e-10)
        if name in BINARY:
            assert row["vr_adj"] is None
            assert np.isnan(after["variance_ratio"])
        else:
            assert before["variance_ratio"] == pytest.approx(row["vr_un"], abs=1e-10)
            assert after["variance_ratio"] == pytest.approx(row["vr_adj"], abs=1e-10)
    treated = lalonde["treat"].to_numpy() == 1
    assert effective_sample_size(weights[~treated]) == pytest.approx(reference[case]["ess_c"], abs=1e-9)


def test_matchit_summary(lalonde: pd.DataFrame, reference: dict[str, Any]) -> None:
    found = table(lalonde, pair_weights(lalonde, reference["nearest_1to1"]["pairs"]))
    for sample, key in (("before", "all"), ("after", "matched")):
        for row in reference["matchit_summary_nearest"][key]:
            ours = found.loc[(sample, row["_row"])]
            # The propensities of this summary are fitted to 1e-8 only; the other columns agree to rounding.
            slack = 1e-7 if row["_row"] == "distance" else 1e-10
            assert ours["mean_referred"] == pytest.approx(row["Means Treated"], abs=slack)
            assert ours["mean_comparison"] == pytest.approx(row["Means Control"], abs=slack)
            assert ours["smd"] == pytest.approx(row["Std. Mean Diff."], abs=slack)
            assert ours["ecdf_mean"] == pytest.approx(row["eCDF Mean"], abs=slack)
            assert ours["ks"] == pytest.approx(row["eCDF Max"], abs=slack)
            if row["Var. Ratio"] is not None:
                assert ours["variance_ratio"] == pytest.approx(row["Var. Ratio"], abs=slack)


@pytest.mark.parametrize("case", MATCHED)
def test_sample_standard_deviation(case: str, lalonde: pd.DataFrame, reference: dict[str, Any]) -> None:
    found = table(lalonde, pair_weights(lalonde, reference[case]["pairs"]), binary_std="sample")
    for name, smd in reference[case]["smd"].items():
        assert found.loc[("after", name), "smd"] == pytest.approx(smd, abs=1e-10)
        before = reference["smd_unmatched"][name]
        assert found.loc[("before", name), "smd"] == pytest.approx(before, abs=1e-10)


def test_weights_with_replacement(lalonde: pd.DataFrame, reference: dict[str, Any]) -> None:
    """Unequal weights: a comparison person used several times."""
    case = reference["nearest_replace"]
    weights = pair_weights(lalonde, case["pairs"])
    found = table(lalonde, weights, binary_std="sample")
    for name, smd in case["smd"].items():
        assert found.loc[("after", name), "smd"] == pytest.approx(smd, abs=1e-10)
    treated = lalonde["treat"].to_numpy() == 1
    assert effective_sample_size(weights[~treated]) == pytest.approx(case["ess_c"], abs=1e-9)


def test_pooled_denominator(lalonde: pd.DataFrame, reference: dict[str, Any]) -> None:
    found = table(lalonde, np.ones(len(lalonde)), denominator="pooled")
    for name, smd in reference["smd_pooled_unmatched"].items():
        assert found.loc[("before", name), "smd"] == pytest.approx(smd, abs=1e-10)
        assert found.loc[("after", name), "smd"] == pytest.approx(smd, abs=1e-10)


def test_ks_against_scipy(lalonde: pd.DataFrame) -> None:
    found = table(lalonde, np.ones(len(lalonde)))
    treated = lalonde["treat"] == 1
    for name in NAMES:
        theirs = ks_2samp(lalonde.loc[treated, name], lalonde.loc[~treated, name], method="asymp").statistic
        assert found.loc[("before", name), "ks"] == pytest.approx(theirs, abs=1e-12)


def test_weights_are_as_good_as_copies(lalonde: pd.DataFrame) -> None:
    """Whole weights give the means and the KS of a data set with each person copied that often."""
    rng = np.random.default_rng(4)
    copies = rng.integers(0, 4, len(lalonde))
    treated = lalonde["treat"].to_numpy() == 1
    found = table(lalonde, copies.astype(float))
    for name in NAMES:
        x = lalonde[name].to_numpy(float)
        ours = np.repeat(x[treated], copies[treated])
        theirs = np.repeat(x[~treated], copies[~treated])
        row = found.loc[("after", name)]
        assert row["mean_referred"] == pytest.approx(ours.mean(), rel=1e-12)
        assert row["ks"] == pytest.approx(ks_2samp(ours, theirs, method="asymp").statistic, abs=1e-12)


def test_by_group_is_the_table_of_that_group(lalonde: pd.DataFrame) -> None:
    rng = np.random.default_rng(5)
    weights = rng.uniform(0.1, 2, len(lalonde))
    bands = np.where(lalonde["age"] < 30, "18-29", "30+")
    found = table(lalonde, weights, groups=bands)
    for band in ("18-29", "30+"):
        inside = bands == band
        alone = table(lalonde[inside], weights[inside])
        pd.testing.assert_frame_equal(
            found[found["group"] == band].drop(columns="group"), alone.drop(columns="group"), rtol=1e-12
        )
