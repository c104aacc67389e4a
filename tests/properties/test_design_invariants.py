"""What every design of a matched cohort must keep, whatever the method."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks.recovery.panel_cohort import panel_cohort
from wor_eval.assets import asset
from wor_eval.cohort.build import Cohort
from wor_eval.data.panel import simulate_panel
from wor_eval.design.line import caliper_width
from wor_eval.design.matched import MatchedCohort
from wor_eval.design.matching import RECENT_QUARTER, match_cohort
from wor_eval.effects.contrasts import matched_effects
from wor_eval.errors import DesignError, EstimationError
from wor_eval.study import Design, Study, read_study

OUTCOME = "gp_contacts"
EXACT = ("age_band", "sex")
METHODS = {
    "nearest": Design(exact=EXACT, ratio=2),
    "nearest with replacement": Design(exact=EXACT, ratio=2, replacement=True),
    "nearest on level": Design(exact=EXACT, history="level", ratio=1),
    "nearest, exact on the last quarter": Design(exact=(*EXACT, RECENT_QUARTER), ratio=4),
    "mahalanobis": Design(exact=EXACT, method="mahalanobis", order="data", caliper=None, ratio=1),
    "mahalanobis, caliper": Design(exact=EXACT, method="mahalanobis", ratio=2),
    "optimal": Design(exact=EXACT, method="optimal", ratio=1),
    "full": Design(exact=EXACT, method="full", caliper=None),
    "exact": Design(exact=(*EXACT, RECENT_QUARTER), method="exact", caliper=None),
    "ipw": Design(method="ipw", caliper=None),
    "overlap": Design(method="overlap", caliper=None),
    "entropy": Design(method="entropy", caliper=None),
}


@pytest.fixture(scope="module")
def study() -> Study:
    return read_study(asset("analyses", "matched_cohort.toml"))


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return panel_cohort(simulate_panel(persons=6000, seed=3, scenario="mixed"), entries=3, seed=3)


@pytest.fixture(scope="module", params=list(METHODS))
def matched(request: pytest.FixtureRequest, cohort: Cohort, study: Study) -> MatchedCohort:
    return match_cohort(cohort, study, design=METHODS[request.param], outcome=OUTCOME)


def keeps_its_promises(matched: MatchedCohort) -> None:
    """The invariant helper: every method passes it."""
    design, persons = matched.design, matched.cohort.persons
    sets = matched.sets.merge(persons, on="unit")
    weight, arm = matched.weight, matched.referred
    assert (sets["weight"] > 0).all()
    if design.method not in ("ipw", "overlap", "entropy"):
        size = sets.groupby("set_id")["arm"].nunique()
        assert (size == 2).all(), "every set holds both arms"
        month = sets["index_on"].dt.to_period("M")
        assert (
            (sets.groupby("set_id")[[n for n in design.exact if n != RECENT_QUARTER]].nunique() == 1)
            .all()
            .all()
        )
        assert (month.groupby(sets["set_id"]).nunique() == 1).all(), "sets meet within the calendar month"
    if design.caliper is not None and design.method in ("nearest", "mahalanobis", "optimal"):
        caliper_kept(matched)
    if not design.replacement:
        comparison = sets[sets["arm"] == "comparison"]
        assert not comparison["person_id"].duplicated().any(), "nobody serves twice"
    if matched.estimand == "att":
        assert np.allclose(weight[arm & (weight > 0)], 1.0)
    assert weight[~arm].sum() == pytest.approx(weight[arm].sum()), "weights sum as the estimand says"
    waiting = sets[(sets["arm"] == "comparison")]
    assert (waiting["index_on"].notna()).all()


def caliper_kept(matched: MatchedCohort) -> None:
    score = matched.score
    logit = np.log(score) - np.log1p(-score)
    width = caliper_width(logit, matched.referred, sd=matched.design.caliper, definition="all")
    sets = matched.sets.assign(
        logit=logit[matched.sets["unit"]], referred=matched.referred[matched.sets["unit"]]
    )
    head = sets[sets["referred"]].set_index("set_id")["logit"]
    others = sets[~sets["referred"]]
    assert (np.abs(others["logit"] - others["set_id"].map(head)) <= width + 1e-9).all()


def test_every_method_keeps_its_promises(matched: MatchedCohort) -> None:
    keeps_its_promises(matched)


def test_outcomes_after_the_index_date_cannot_move_a_design(
    matched: MatchedCohort, cohort: Cohort, study: Study
) -> None:
    rng = np.random.default_rng(1)
    outcomes = cohort.outcomes.copy()
    after = (outcomes["window"] == "after").to_numpy()
    outcomes.loc[after, "value"] = rng.permutation(outcomes.loc[after, "value"].to_numpy())
    again = match_cohort(replace(cohort, outcomes=outcomes), study, design=matched.design, outcome=OUTCOME)
    pd.testing.assert_frame_equal(again.sets, matched.sets)


def test_new_person_ids_give_the_same_estimate(matched: MatchedCohort, cohort: Cohort, study: Study) -> None:
    renamed = cohort.persons.assign(person_id="x" + cohort.persons["person_id"].astype(str))
    again = match_cohort(replace(cohort, persons=renamed), study, design=matched.design, outcome=OUTCOME)
    ours, theirs = (
        matched_effects(m, study, outcome=OUTCOME, contrasts=("after_only",)).to_frame()["estimate"]
        for m in (again, matched)
    )
    assert np.allclose(ours, theirs)


def test_the_order_of_the_rows_does_not_matter(cohort: Cohort, study: Study) -> None:
    # Without ties: two continuous covariates are added, so that no two scores are alike.
    rng = np.random.default_rng(2)
    persons = cohort.persons.assign(
        x=rng.normal(size=len(cohort.persons)), z=rng.normal(size=len(cohort.persons))
    )
    straight = replace(cohort, persons=persons)
    order = rng.permutation(len(persons))
    turned = persons.iloc[order].reset_index(drop=True)
    back = np.empty(len(order), dtype=int)
    back[order] = np.arange(len(order))
    outcomes = cohort.outcomes.assign(unit=back[cohort.outcomes["unit"]])
    shuffled = replace(cohort, persons=turned.assign(unit=np.arange(len(turned))), outcomes=outcomes)
    design = Design(exact=EXACT, covariates=("age", "x", "z"), ratio=1)
    first, second = (match_cohort(c, study, design=design, outcome=OUTCOME) for c in (straight, shuffled))
    pairs = [
        {
            tuple(sorted(str(p) for p in rows["person_id"]))
            for _, rows in m.sets.merge(m.cohort.persons, on="unit").groupby("set_id")
        }
        for m in (first, second)
    ]
    assert pairs[0] == pairs[1]


def test_immortal_time_cannot_arise(study: Study) -> None:
    """Persons who are referred later serve only until then, and their own time as referred starts at referral."""
    panel = simulate_panel(persons=6000, seed=3, scenario="null-peak")
    cohort = panel_cohort(panel, entries=3, seed=3)
    comparison = cohort.persons[cohort.persons["arm"] == "comparison"]
    own = panel.referral_month[comparison["person_id"].to_numpy()]
    index = (comparison["index_on"].dt.year - 2019) * 12 + comparison["index_on"].dt.month - 1
    later = own >= 0
    assert later.any()
    assert (own[later] > index[later]).all()
    after = cohort.outcomes[cohort.outcomes["window"] == "after"].set_index("unit")["observed_days"]
    left = np.minimum(own[later] - index[later] - 1, 12) * 365.25 / 12
    seen = after.reindex(comparison["unit"][later]).fillna(0.0).to_numpy()
    assert (seen <= left + 1e-6).all()


def test_a_referred_person_is_never_a_comparison_after_referral(study: Study) -> None:
    cohort = panel_cohort(simulate_panel(persons=6000, seed=5, scenario="mixed"), entries=3, seed=5)
    referred = cohort.persons[cohort.persons["arm"] == "referred"].set_index("person_id")["index_on"]
    comparison = cohort.persons[cohort.persons["arm"] == "comparison"]
    both = comparison[comparison["person_id"].isin(referred.index)]
    assert (both["index_on"] < both["person_id"].map(referred)).all()


def test_missing_covariates_are_refused_or_marked_never_dropped(cohort: Cohort, study: Study) -> None:
    holes = cohort.persons["n_chronic"].where(np.arange(len(cohort.persons)) % 7 > 0)
    lacking = replace(cohort, persons=cohort.persons.assign(n_chronic=holes))
    design = Design(exact=EXACT, covariates=("age", "n_chronic"), ratio=1)
    with pytest.raises(DesignError, match=r"n_chronic: \d+ units"):
        match_cohort(lacking, study, design=design, outcome=OUTCOME)
    marked = match_cohort(
        lacking, study, design=design.model_copy(update={"missing": "indicator"}), outcome=OUTCOME
    )
    assert marked.covariates.n_imputed == int(holes.isna().sum())
    assert "n_chronic missing" in marked.covariates.names


def test_a_constant_covariate_is_named(cohort: Cohort, study: Study) -> None:
    flat = replace(cohort, persons=cohort.persons.assign(flat=1.0))
    with pytest.raises(EstimationError, match="flat"):
        match_cohort(flat, study, design=Design(covariates=("age", "flat")), outcome=OUTCOME)


def test_a_covariate_that_tells_the_arms_apart_is_named(cohort: Cohort, study: Study) -> None:
    told = cohort.persons.assign(told=(cohort.persons["arm"] == "referred").astype(float))
    with pytest.raises(EstimationError, match="told"):
        match_cohort(
            replace(cohort, persons=told), study, design=Design(covariates=("age", "told")), outcome=OUTCOME
        )


def test_a_caliper_that_leaves_nobody_says_what_wider_ones_would_keep(cohort: Cohort, study: Study) -> None:
    design = Design(exact=EXACT, caliper=1e-12, covariates=("age", "n_chronic"), ratio=1)
    rng = np.random.default_rng(1)
    unlike = replace(cohort, persons=cohort.persons.assign(n_chronic=rng.normal(size=len(cohort.persons))))
    with pytest.raises(DesignError, match=r"SD would keep at most \d+%"):
        match_cohort(unlike, study, design=design, outcome=OUTCOME)


def test_no_comparison_persons_is_an_error(cohort: Cohort, study: Study) -> None:
    alone = cohort.persons[cohort.persons["arm"] == "referred"].reset_index(drop=True)
    with pytest.raises(DesignError, match="comparison"):
        match_cohort(replace(cohort, persons=alone), study, design=Design(), outcome=OUTCOME)


def test_history_of_any_outcome_before_the_index_date_can_be_matched_on(cohort: Cohort, study: Study) -> None:
    design = Design(
        exact=EXACT, covariates=("age", f"{OUTCOME}:half-1", f"{OUTCOME}:year-3"), history="none", ratio=1
    )
    matched = match_cohort(
        cohort, study, design=design.model_copy(update={"missing": "indicator"}), outcome=OUTCOME
    )
    assert {f"{OUTCOME}:half-1", f"{OUTCOME}:year-3"} <= set(matched.covariates.names)


def test_an_outcome_after_the_index_date_is_refused_as_a_covariate(cohort: Cohort, study: Study) -> None:
    with pytest.raises(DesignError, match="before the index date only"):
        match_cohort(cohort, study, design=Design(covariates=("age", f"{OUTCOME}:after")), outcome=OUTCOME)
