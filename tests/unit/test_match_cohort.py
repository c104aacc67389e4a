"""The shipped plan with each design method, on a cohort built from synthetic raw tables."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from wor_eval.assets import asset
from wor_eval.cohort.build import Cohort, build_cohort
from wor_eval.data.read import read_data
from wor_eval.data.simulate import simulate_study
from wor_eval.design.line import caliper_width
from wor_eval.design.matched import MatchedCohort
from wor_eval.design.matching import match_cohort
from wor_eval.effects.contrasts import cluster_codes
from wor_eval.errors import DesignError, NobodyMatchedError
from wor_eval.study import Design, Study, read_study

OUTCOME = "gp_contacts"
METHODS = get_args(Design.model_fields["method"].annotation)
PAIRED = ("nearest", "mahalanobis", "optimal")


@pytest.fixture(scope="module")
def study() -> Study:
    return read_study(asset("analyses", "matched_cohort.toml"))


@pytest.fixture(scope="module")
def cohort(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("match") / "study"
    simulate_study(folder, persons=4000, seed=4, scenario="mixed", format="parquet")
    return build_cohort(read_data(folder), study)


def matched_with(cohort: Cohort, study: Study, **changes: object) -> MatchedCohort:
    """The plan's design with some changes, as a user would make them."""
    design = study.design.model_copy(update=changes)
    return match_cohort(cohort, study, design=design, outcome=OUTCOME)


def age_difference(matched: MatchedCohort, weight: np.ndarray) -> float:
    """Mean age of the referred less that of the others, in SD of the referred."""
    age, arm = matched.cohort.persons["age"].to_numpy(float), matched.referred
    means = [np.average(age[which], weights=weight[which]) for which in (arm, ~arm)]
    return float((means[0] - means[1]) / age[arm].std(ddof=1))


def logit(matched: MatchedCohort) -> np.ndarray:
    return np.log(matched.score) - np.log1p(-matched.score)


def gaps_within_sets(matched: MatchedCohort) -> np.ndarray:
    """Distance in the logit of the propensity score between a comparison person and the referred of the set."""
    sets = matched.sets.assign(
        logit=logit(matched)[matched.sets["unit"]], referred=matched.referred[matched.sets["unit"]]
    )
    own = sets[sets["referred"]].set_index("set_id")["logit"]
    others = sets[~sets["referred"]]
    return np.abs(others["logit"] - others["set_id"].map(own)).to_numpy()


@pytest.mark.parametrize("method", METHODS)
def test_the_shipped_plan_with_another_method_gives_comparable_persons(
    cohort: Cohort, study: Study, method: str
) -> None:
    matched = matched_with(cohort, study, method=method)
    weight, arm, size = matched.weight, matched.referred, matched.summary()
    assert abs(age_difference(matched, weight)) < study.gates.balance
    assert abs(age_difference(matched, weight)) < abs(age_difference(matched, np.ones(weight.size)))
    # Everybody is kept or accounted for, and at least half is kept.
    assert size["n_referred"] + sum(matched.dropped.values()) == arm.sum()
    assert size["n_referred"] > 0.5 * arm.sum()
    if method in PAIRED:
        width = caliper_width(logit(matched), arm, sd=matched.design.caliper)
        assert gaps_within_sets(matched).max() <= width + 1e-9
        assert matched.dropped["caliper"] > 0


@pytest.mark.parametrize("method", PAIRED)
def test_without_a_caliper_pairs_lie_farther_apart_and_more_are_kept(
    cohort: Cohort, study: Study, method: str
) -> None:
    free, near = (matched_with(cohort, study, method=method, caliper=caliper) for caliper in (None, 0.2))
    assert gaps_within_sets(free).max() > caliper_width(logit(free), free.referred, sd=0.2)
    assert free.summary()["n_referred"] > near.summary()["n_referred"]
    assert free.dropped["caliper"] == 0


@pytest.mark.parametrize("replacement", [True, False])
def test_the_mahalanobis_distance_is_that_of_everyone_within_the_caliper_of_the_score(
    cohort: Cohort, study: Study, replacement: bool
) -> None:
    """By full search: the covariance of all units, not of a month, and the caliper on the logit of the score.

    Without replacement nobody who stayed free is nearer than who was chosen.
    """
    exact = ["age_band", "sex"]
    matched = matched_with(
        cohort, study, method="mahalanobis", exact=tuple(exact), ratio=1, replacement=replacement
    )
    X, arm, score = matched.covariates.matrix, matched.referred, logit(matched)
    centred = np.where(arm[:, None], X - X[arm].mean(axis=0), X - X[~arm].mean(axis=0))
    inverse = np.linalg.inv(centred.T @ centred / (arm.size - 2))
    persons = matched.cohort.persons
    stratum = persons[exact].astype(str).agg("|".join, axis=1) + persons["index_on"].dt.strftime("%Y-%m")
    width = caliper_width(score, arm, sd=matched.design.caliper)
    pairs = matched.sets.assign(referred=arm[matched.sets["unit"]]).pivot(
        index="set_id", columns="referred", values="unit"
    )
    chosen = dict(zip(pairs[True], pairs[False], strict=True))
    taken = set() if replacement else set(persons["person_id"][pairs[False]])
    free = ~arm & ~persons["person_id"].isin(taken).to_numpy()
    assert len(chosen) > 0.5 * arm.sum()
    for person in np.flatnonzero(arm):
        near = free & (stratum == stratum[person]).to_numpy() & (np.abs(score - score[person]) <= width)
        assert person in chosen or not near.any()
        if person in chosen:
            gaps = cdist(X[[person]], X[[chosen[person], *np.flatnonzero(near)]], "mahalanobis", VI=inverse)
            # Two ways to the same distance; ties may go either way.
            assert gaps[0, 0] == pytest.approx(gaps.min(), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("method", PAIRED)
def test_what_wider_calipers_would_keep_is_what_they_keep(cohort: Cohort, study: Study, method: str) -> None:
    rng = np.random.default_rng(1)
    unlike = replace(cohort, persons=cohort.persons.assign(x=rng.normal(size=len(cohort.persons))))
    changes = {"method": method, "covariates": ("age", "x"), "ratio": 1}
    free = matched_with(
        unlike, study, **changes | {"method": "nearest", "caliper": None, "replacement": True}
    )
    arm = free.referred
    nearest = gaps_within_sets(free).min() / caliper_width(logit(free), arm, sd=1.0)
    caliper = 0.9 * nearest
    with pytest.raises(NobodyMatchedError, match=r"SD of the logit .* widen design\.caliper") as refusal:
        matched_with(unlike, study, **changes, caliper=caliper)
    said = [int(line.split()[-1].rstrip("%")) for line in refusal.value.problems]
    widths = [factor * caliper for factor in (1.5, 2, 3, 5, 10)]
    kept = [
        matched_with(unlike, study, **changes, caliper=width).summary()["n_referred"] / arm.sum()
        for width in widths
    ]
    # So near the smallest gap nobody competes: what is said as the most is what is kept.
    assert said == [round(100 * share) for share in kept]
    assert said[-1] > 0


@pytest.mark.parametrize("method", PAIRED)
def test_strata_without_company_are_not_blamed_on_the_caliper(
    cohort: Cohort, study: Study, method: str
) -> None:
    alone = replace(cohort, persons=cohort.persons.assign(own=np.arange(len(cohort.persons))))
    with pytest.raises(NobodyMatchedError, match=r"fewer columns in design\.exact, or raise") as refusal:
        matched_with(alone, study, method=method, exact=("own",))
    assert "caliper" not in str(refusal.value)


@pytest.mark.parametrize("method", ["nearest", "mahalanobis"])
def test_a_design_that_cannot_be_carried_out_says_so_itself(
    cohort: Cohort, study: Study, method: str
) -> None:
    """Only "nobody found anybody" is taken for that in a month; any other refusal reaches the user."""
    with pytest.raises(DesignError, match="unknown order of matching"):
        matched_with(cohort, study, method=method, order="closest", replacement=False)


def test_who_serves_more_than_once_is_a_cluster_and_the_others_stay_with_their_set(
    cohort: Cohort, study: Study
) -> None:
    """By counting: also who serves in several months, as another unit each time."""
    matched = matched_with(cohort, study, replacement=True)
    codes, sets = cluster_codes(matched, "set"), matched.sets
    person = matched.cohort.persons["person_id"].to_numpy()[sets["unit"]]
    times = sets.groupby(person)["set_id"].transform("size").to_numpy()
    more, once = sets[times > 1].assign(who=person[times > 1]), sets[times == 1]
    assert more["unit"].nunique() > more["who"].nunique() > 10
    assert more.assign(code=codes[more["unit"]]).groupby("who")["code"].nunique().eq(1).all()
    assert np.unique(codes[more["unit"]]).size == more["who"].nunique()
    assert (codes[once["unit"]] == once["set_id"]).all()
    assert not np.isin(codes[more["unit"]], sets["set_id"]).any()
