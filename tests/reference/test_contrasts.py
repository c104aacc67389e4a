"""Weighted contrasts of rates beside regression in statsmodels, and the models beside their own definitions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from benchmarks.recovery.panel_cohort import panel_cohort
from wor_eval.assets import asset
from wor_eval.cohort.build import Cohort
from wor_eval.cohort.wide import WideOutcome, wide_outcome
from wor_eval.data.panel import simulate_panel
from wor_eval.design.level import permanent_level
from wor_eval.design.matched import MatchedCohort
from wor_eval.design.matching import match_cohort
from wor_eval.effects.adjusted import aipw_effects, ancova_effects
from wor_eval.effects.checks import robustness, specification_curve
from wor_eval.effects.contrasts import SIGNS, WINDOWS, cluster_codes, contrast_rates, matched_effects
from wor_eval.effects.event_study import event_study
from wor_eval.effects.subgroups import subgroup_effects
from wor_eval.effects.triangulation import selection_pattern, triangulate
from wor_eval.errors import DesignError, EstimationError
from wor_eval.study import Design, Study, read_study

OUTCOME = "gp_contacts"


@pytest.fixture(scope="module")
def study() -> Study:
    return read_study(asset("analyses", "matched_cohort.toml"))


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return panel_cohort(simulate_panel(persons=6000, seed=11, scenario="effect"), entries=3, seed=11)


@pytest.fixture(scope="module")
def matched(cohort: Cohort, study: Study) -> MatchedCohort:
    return match_cohort(cohort, study, outcome=OUTCOME)


def stacked(matched: MatchedCohort, contrast: str) -> pd.DataFrame:
    """One row per unit and window, as a regression wants it; earlier windows weighted by the share followed after."""
    wide = wide_outcome(matched.cohort, OUTCOME, WINDOWS)
    windows = {window for _, window in SIGNS[contrast]}
    after = wide.years[:, WINDOWS.index("after")]
    followed = after / after.max() if "after" in windows and len(windows) > 1 else np.ones(after.size)
    clusters = cluster_codes(matched, "set")
    rows = [
        pd.DataFrame(
            {
                "y": wide.value[:, i],
                "years": wide.years[:, i],
                "window": window,
                "arm": matched.referred,
                "weight": matched.weight * (1.0 if window == "after" else followed),
                "cluster": clusters,
            }
        )
        for i, window in enumerate(WINDOWS)
    ]
    frame = pd.concat(rows)
    return frame[(frame["weight"] > 0) & (frame["years"] > 0)]


@pytest.mark.parametrize("contrast", list(SIGNS))
def test_a_log_contrast_is_a_weighted_saturated_poisson_regression(
    matched: MatchedCohort, contrast: str
) -> None:
    frame = stacked(matched, contrast)
    cells = frame["arm"].map({True: "referred", False: "comparison"}) + "|" + frame["window"]
    X = pd.get_dummies(cells).astype(float)
    fit = sm.GLM(
        frame["y"],
        X,
        family=sm.families.Poisson(),
        offset=np.log(frame["years"]),
        freq_weights=frame["weight"],
    ).fit(tol=1e-12)
    # statsmodels' cluster covariance ignores that freq_weights are not counts, so the sandwich is written out.
    residual = (frame["y"] - fit.mu).to_numpy() * frame["weight"].to_numpy()
    scores = (
        pd.DataFrame(X.to_numpy() * residual[:, None]).groupby(frame["cluster"].to_numpy()).sum().to_numpy()
    )
    bread = np.linalg.inv(X.to_numpy().T @ (X.to_numpy() * (fit.mu * frame["weight"]).to_numpy()[:, None]))
    groups = scores.shape[0]
    cov = bread @ scores.T @ scores @ bread * groups / (groups - 1)
    c = np.array([SIGNS[contrast].get(tuple(name.split("|")), 0) for name in X.columns], dtype=float)
    wide = wide_outcome(matched.cohort, OUTCOME, WINDOWS)
    ours = contrast_rates(
        wide,
        matched.referred,
        weight=matched.weight,
        clusters=cluster_codes(matched, "set"),
        contrast=contrast,
        scale="ratio",
    )
    # Both solve the same equations; the fit stops at 1e-12 of the deviance.
    assert ours.estimate == pytest.approx(float(c @ fit.params), abs=1e-8)
    assert ours.std_error == pytest.approx(float(np.sqrt(c @ cov @ c)), rel=1e-8)


def test_a_difference_is_the_weighted_sum_of_four_rates(matched: MatchedCohort) -> None:
    frame = stacked(matched, "difference_in_differences")
    rates = frame.groupby(["arm", "window"]).apply(
        lambda d: (d["weight"] * d["y"]).sum() / (d["weight"] * d["years"]).sum(), include_groups=False
    )
    expected = (rates[True, "after"] - rates[True, "before"]) - (
        rates[False, "after"] - rates[False, "before"]
    )
    wide = wide_outcome(matched.cohort, OUTCOME, WINDOWS)
    ours = contrast_rates(
        wide,
        matched.referred,
        weight=matched.weight,
        clusters=cluster_codes(matched, "set"),
        contrast="difference_in_differences",
        scale="difference",
    )
    assert ours.estimate == pytest.approx(expected, abs=1e-12)


def test_effects_come_for_every_band_scale_and_contrast(matched: MatchedCohort, study: Study) -> None:
    table = matched_effects(matched, study, outcome=OUTCOME).to_frame()
    assert len(table) == 4 * 3 * 2
    assert table["estimate"].notna().all()
    assert (table["conf_low"] < table["conf_high"]).all()


def test_one_cluster_is_an_error(study: Study) -> None:
    wide = WideOutcome(value=np.ones((4, 3)), years=np.ones((4, 3)), windows=WINDOWS)
    arm = np.array([True, True, False, False])
    with pytest.raises(EstimationError, match="one cluster"):
        contrast_rates(
            wide,
            arm,
            weight=np.ones(4),
            clusters=np.zeros(4, dtype=np.int64),
            contrast="after_only",
            scale="ratio",
        )


def test_no_events_leave_no_ratio_but_a_difference(study: Study) -> None:
    value = np.array([[1.0, 1, 0], [2, 1, 0], [1, 1, 1], [1, 2, 3]])
    wide = WideOutcome(value=value, years=np.ones((4, 3)), windows=WINDOWS)
    arm = np.array([True, True, False, False])
    how = {"weight": np.ones(4), "clusters": np.arange(4), "contrast": "after_only"}
    with pytest.raises(EstimationError, match="ratio does not exist"):
        contrast_rates(wide, arm, scale="ratio", **how)
    assert contrast_rates(wide, arm, scale="difference", **how).estimate == pytest.approx(-2.0)


def test_the_level_is_the_posterior_mean_of_a_negative_binomial_effect() -> None:
    """With no passing deviation, moments and posterior mean equal those of the gamma-Poisson model."""
    rng = np.random.default_rng(5)
    n, shape, rate = 40_000, 1.5, 4.0
    level = rng.gamma(shape, 1 / shape, n)
    value = rng.poisson(level[:, None] * rate, (n, 3)).astype(float)
    persons = pd.DataFrame({"arm": "comparison", "age": 40, "sex": "F"}, index=range(n))
    cohort = Cohort(persons=persons, outcomes=None, attrition=None, observed=None)
    wide = WideOutcome(value=value, years=np.ones((n, 3)), windows=("a", "b", "c"))
    found = permanent_level(cohort, wide)
    # Sampling error of the moments at n = 40,000 is about 1.5 %.
    assert found.variance == pytest.approx(1 / shape, rel=0.05)
    assert found.overdispersion == pytest.approx(1.0, abs=0.05)
    exact = (shape + value.sum(axis=1)) / (shape + 3 * rate)
    assert np.corrcoef(found.level, exact)[0, 1] > 0.9999
    assert found.level.mean() == pytest.approx(1.0, abs=0.02)
    assert found.reliability == pytest.approx(3 * rate / (3 * rate + shape), abs=0.02)


def test_a_history_without_events_shows_no_level() -> None:
    persons = pd.DataFrame({"arm": ["comparison", "referred"], "age": 40, "sex": "F"})
    cohort = Cohort(persons=persons, outcomes=None, attrition=None, observed=None)
    wide = WideOutcome(value=np.zeros((2, 3)), years=np.ones((2, 3)), windows=("a", "b", "c"))
    with pytest.raises(DesignError, match=r"design\.history = level: the comparison persons have no events"):
        permanent_level(cohort, wide)


def test_ages_that_nobody_has_give_missing_values_and_no_error(cohort: Cohort, study: Study) -> None:
    young, old = study.cohort.band_names
    gone = cohort.outcomes["unit"].isin(cohort.persons.loc[cohort.persons["age_band"] == old, "unit"])
    unseen = replace(cohort, outcomes=cohort.outcomes[~(gone & (cohort.outcomes["window"] == "after"))])
    design = Design(history="none", ratio=1)
    matched = match_cohort(unseen, study, design=design, outcome=OUTCOME)
    adjusted = ancova_effects(matched, study, outcome=OUTCOME)
    doubly = aipw_effects(unseen, study, design.model_copy(update={"missing": "indicator"}), outcome=OUTCOME)
    for table, method in ((adjusted, "ancova"), (doubly, "aipw")):
        what = {"contrast": "after_only", "method": method, "scale": "ratio"}
        assert np.isnan(table.one(age_band=old, **what).estimate)
        assert table.one(age_band=young, **what).estimate > 0


def test_one_set_gives_no_subgroups_and_no_error(cohort: Cohort, study: Study) -> None:
    matched = match_cohort(cohort, study, design=Design(history="none", ratio=1), outcome=OUTCOME)
    one = replace(matched, sets=matched.sets[matched.sets["set_id"] == 0])
    table = subgroup_effects(one, study, outcome=OUTCOME)
    assert len(table) == 0
    assert {"level", "scale", "estimate", "n_sets", "p_interaction", "p_holm"} <= set(table)


def test_aipw_with_a_constant_model_is_the_ratio_of_means(cohort: Cohort, study: Study) -> None:
    """On covariates that tell nothing, AIPW falls back on the plain ratio of rates."""
    rng = np.random.default_rng(8)
    noise = replace(cohort, persons=cohort.persons.assign(noise=rng.normal(size=len(cohort.persons))))
    design = Design(covariates=("noise",), history="none")
    found = aipw_effects(noise, study, design, outcome=OUTCOME)
    plain = match_cohort(noise, study, design=design.model_copy(update={"method": "ipw"}), outcome=OUTCOME)
    simple = matched_effects(plain, study, outcome=OUTCOME)
    a = found.one(contrast="after_only", age_band="all", method="aipw", scale="ratio")
    b = simple.one(contrast="after_only", age_band="all", method="ipw", scale="ratio")
    assert np.log(a.estimate) == pytest.approx(np.log(b.estimate), abs=0.05)


def test_ancova_agrees_with_its_poisson_model(cohort: Cohort, study: Study) -> None:
    design = Design(history="none", ratio=1)
    matched = match_cohort(cohort, study, design=design, outcome=OUTCOME)
    ours = ancova_effects(matched, study, outcome=OUTCOME).one(
        contrast="after_only", age_band="all", method="ancova", scale="ratio"
    )
    wide = wide_outcome(cohort, OUTCOME, ("after", "before"))
    rows = (matched.weight > 0) & (wide.years > 0).all(axis=1)
    base = np.log1p(wide.value[rows, 1] / wide.years[rows, 1])
    X = np.column_stack(
        [np.ones(rows.sum()), matched.referred[rows], base, base**2, matched.covariates.matrix[rows]]
    )
    fit = sm.GLM(
        wide.value[rows, 0], X, family=sm.families.Poisson(), offset=np.log(wide.years[rows, 0])
    ).fit(
        cov_type="cluster", cov_kwds={"groups": cluster_codes(matched, "set")[rows], "use_correction": False}
    )
    groups = np.unique(cluster_codes(matched, "set")[rows]).size
    # A log link without interaction: the marginal ratio is the coefficient.
    assert np.log(ours.estimate) == pytest.approx(fit.params[1], abs=1e-7)
    assert ours.std_error == pytest.approx(fit.bse[1] * np.sqrt(groups / (groups - 1)), rel=1e-5)


def test_designs_side_by_side_and_what_they_tell(cohort: Cohort, study: Study) -> None:
    table = triangulate(cohort, study, outcome=OUTCOME)
    assert set(table["design"]) >= {
        "before_after",
        "unmatched",
        "covariates",
        "quarters",
        "level",
        "ancova",
        "aipw",
    }
    rows = table[(table["age_band"] == "all") & (table["scale"] == "ratio")].set_index("design")
    # Referral was on a peak: without the course before, the comparison sees far more than the effect.
    assert rows.loc["unmatched", "placebo_low"] > 1
    assert rows.loc["unmatched", "estimate"] < rows.loc["quarters_earlier", "estimate"]
    assert selection_pattern(table) in ("peak", "both")


@pytest.mark.parametrize(
    ("unmatched", "quarters", "pattern"),
    [
        ((1.2, 1.5), (0.9, 1.1), "peak"),
        ((0.9, 1.1), (0.6, 0.8), "level"),
        ((1.2, 1.4), (0.6, 0.8), "both"),
        ((0.9, 1.1), (0.9, 1.1), "none"),
    ],
)
def test_the_pattern_of_placebo_contrasts(unmatched: tuple, quarters: tuple, pattern: str) -> None:
    rows = [
        {"design": name, "age_band": "all", "scale": "ratio", "placebo_low": low, "placebo_high": high}
        for name, (low, high) in (("unmatched", unmatched), ("quarters", quarters))
    ]
    assert selection_pattern(pd.DataFrame(rows)) == pattern


def test_subgroups_hold_every_set_once(matched: MatchedCohort, study: Study) -> None:
    table = subgroup_effects(matched, study, outcome=OUTCOME)
    sizes = table[table["scale"] == "ratio"].groupby("modifier")["n_referred"].sum()
    assert (sizes == matched.summary()["n_referred"]).all()
    assert table["p_holm"].ge(table["p_interaction"] - 1e-12).all()


def test_checks_hold_the_headline_between_their_extremes(matched: MatchedCohort, study: Study) -> None:
    table = robustness(matched, study, outcome=OUTCOME).set_index("check")
    low, high = (table.loc[f"leave_one_practice_out_{end}", "estimate"] for end in ("lowest", "highest"))
    assert low <= table.loc["headline", "estimate"] <= high
    without = table.loc["leave_one_practice_out_lowest", ["n_referred", "n_sets"]]
    assert (without < table.loc["headline", ["n_referred", "n_sets"]]).all()
    assert table.loc["e_value", "estimate"] >= table.loc["e_value", "conf_low"] >= 1
    assert table.loc["by_practice", "estimate"] == pytest.approx(table.loc["headline", "estimate"])
    cr2 = table.loc["by_practice_cr2"]
    assert cr2["estimate"] == pytest.approx(table.loc["headline", "estimate"])
    # With few practices CR2 is wider than CR1, by less than a half with a dozen or more.
    assert 1.0 < cr2["std_error"] / table.loc["by_practice", "std_error"] < 1.5


@pytest.mark.slow
def test_the_specification_curve_holds_the_plan_once(cohort: Cohort, study: Study) -> None:
    table = specification_curve(cohort, study, outcome=OUTCOME)
    assert table["planned"].sum() == 1
    assert table["estimate"].between(0.3, 3).all()


def test_the_event_study_is_one_against_itself(cohort: Cohort, study: Study) -> None:
    """Referred persons set against copies of themselves run parallel: every ratio is 1."""
    persons = cohort.persons[cohort.persons["arm"] == "referred"].head(200).reset_index(drop=True)
    twins = persons.assign(arm="comparison", unit=persons["unit"] + len(persons))
    both = pd.concat([persons.assign(unit=range(200)), twins.assign(unit=range(200, 400))], ignore_index=True)
    rng = np.random.default_rng(1)
    counts = rng.poisson(5, (200, 37)).astype(float)
    blocks = list(study.windows.monthly())
    rows = [
        pd.DataFrame(
            {
                "unit": np.arange(400),
                "outcome": OUTCOME,
                "window": name,
                "value": np.tile(counts[:, i], 2),
                "observed_days": 30.0,
            }
        )
        for i, name in enumerate(["placebo", *blocks[:36]])
    ]
    outcomes = pd.concat(rows).astype({"outcome": "category", "window": "category"})
    same = Cohort(persons=both, outcomes=outcomes, attrition=cohort.attrition, observed=cohort.observed)
    matched = MatchedCohort(
        cohort=same,
        design=Design(),
        estimand="att",
        sets=pd.DataFrame({"unit": range(400), "set_id": np.tile(np.arange(200), 2), "weight": 1.0}),
        covariates=None,
        score=np.full(400, 0.5),
        dropped={},
    )
    table = event_study(matched, study, outcome=OUTCOME)
    seen = table[table["age_band"] == "all"].dropna(subset=["estimate"])
    assert len(seen) == 36
    assert np.allclose(seen["estimate"], 1.0)
