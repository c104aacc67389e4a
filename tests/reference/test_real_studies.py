"""The whole flow on real people (cases 01 and the German health panel)."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.real_panels import RECALL_DAYS, drvisits_tables, recall_plan, rwm5yr_tables
from wor_eval.cohort.wide import DAYS_PER_YEAR
from wor_eval.data.read import study_data
from wor_eval.report import words
from wor_eval.report.results import Results, load_results, save_results
from wor_eval.run import run_study

PER_QUARTER = RECALL_DAYS / DAYS_PER_YEAR


@pytest.fixture(scope="module")
def panel(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The German health panel, run and saved as any study."""
    folder = tmp_path_factory.mktemp("results")
    study = recall_plan(entries=1, quarters=4, placebo=True)
    save_results(run_study(study_data(rwm5yr_tables(shared)), study), folder)
    return load_results("real", folder=folder)


@pytest.fixture(scope="module")
def reform(shared: Path) -> Results:
    return run_study(study_data(drvisits_tables(shared)), recall_plan())


@pytest.fixture(scope="module")
def case(shared: Path) -> dict:
    text = (shared / "reference" / "r" / "01_drvisits_before_after.json").read_text()
    return json.loads(text)


def row(results: Results, **wanted: str) -> dict:
    frame = results.table("effects")
    for column, value in wanted.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0].to_dict()


def test_the_fall_of_untreated_frequent_visitors_is_reported(panel: Results) -> None:
    # 17.0 to 9.6 visits per quarter on the 322 persons seen in 1986 and 1987 (reference/README.md).
    seen = panel.table("composition").set_index("persons").loc["both_windows"]
    assert (seen["n_before"], seen["n_after"]) == (322, 322)
    change = (
        panel.table("concentration")
        .query("age_band == 'all' and extreme_share == 0.05")["mean_change"]
        .item()
        * PER_QUARTER
    )
    assert change == pytest.approx(9.6 - 17.0, abs=0.1)


def test_the_fall_is_laid_to_regression_to_the_mean_and_not_to_an_effect(panel: Results) -> None:
    assert words.verdict(panel) == "explained"
    assert "what regression to the mean alone produces" in words.regression_to_mean(panel).text
    assert "regressie naar het gemiddelde alleen al geeft" in words.regression_to_mean(panel.in_("nl")).text


def test_the_normal_formula_explains_too_little_of_a_skewed_fall(panel: Results) -> None:
    rows = panel.table("regression_to_mean").query("age_band == 'all'").set_index("method")
    # On all persons of 1986 it explains -4.9 of a fall of -7.4; here on those seen in 1985 and 1987 too and with
    # the correlation of 1985 and 1986, which moves it by less than a visit.
    assert rows.loc["barnett", "expected"] * PER_QUARTER == pytest.approx(-4.9, abs=1.0)
    assert rows.loc["barnett", "conf_high"] < 0
    assert rows.loc["own_earlier_year", "conf_low"] < 0 < rows.loc["own_earlier_year", "conf_high"]


def test_persons_without_a_like_are_not_compared(panel: Results) -> None:
    # Nobody outside the selection had nine visits, so a model of their course would only extrapolate.
    assert "same_course" not in set(panel.table("regression_to_mean")["method"])


def test_reform_all_rows_and_pairs_differ_as_in_case_01(reform: Results, case: dict) -> None:
    rows = reform.table("composition").set_index("persons")
    everybody = case["unadjusted"]["poisson_cluster"][1]
    pairs = case["balanced_pairs"]
    # Ratio of sums: the estimate and HC0 error of a saturated Poisson model, to rounding of R's convergence.
    assert rows.loc["all_rows", "estimate"] == pytest.approx(everybody["rr"], rel=1e-9)
    assert rows.loc["all_rows", "std_error"] == pytest.approx(everybody["se"], rel=1e-6)
    assert rows.loc["all_rows", "conf_high"] == pytest.approx(everybody["rr_hi"], rel=1e-6)
    assert rows.loc["both_windows", "estimate"] == pytest.approx(pairs["fe_poisson"]["rr_check"], rel=1e-9)
    assert rows.loc["both_windows", "std_error"] == pytest.approx(pairs["gee_exch"]["se"], rel=1e-6)
    assert (rows.loc["both_windows", "n_before"], pairs["n"]) == (709, 709)


def test_reform_conditional_poisson_as_in_case_01(reform: Results, case: dict) -> None:
    ours = row(reform, method="conditional_poisson", contrast="before_after", age_band="all")
    theirs = case["balanced_pairs"]["fe_poisson"]
    assert np.log(ours["estimate"]) == pytest.approx(theirs["logrr"], abs=1e-9)
    # The package takes HC0 over persons, as R's sandwich.
    assert ours["std_error"] == pytest.approx(theirs["se_robust_HC0"], rel=1e-6)


def test_reform_negative_binomial_as_in_case_01(reform: Results, case: dict) -> None:
    ours = row(reform, method="negative_binomial_person", contrast="before_after", age_band="all")
    theirs = case["unadjusted"]["nb_cluster"][1]
    clusters = case["n_persons"]
    assert ours["estimate"] == pytest.approx(theirs["rr"], rel=1e-6)
    # R's HC0 without adjustment; the package multiplies the variance by G / (G - 1).
    assert ours["std_error"] == pytest.approx(theirs["se"] * np.sqrt(clusters / (clusters - 1)), rel=1e-6)
