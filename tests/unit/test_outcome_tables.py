"""Tables of costs, scores and times to an event: the numeric functions on the arrays, weights, suppression."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from tests.saved_study import saved, small_data
from tests.small_cohort import TEXT, small_cohort, small_plan
from wor_eval.assets import asset
from wor_eval.cohort.build import Cohort, build_cohort
from wor_eval.cohort.instruments import read_instruments
from wor_eval.cohort.wide import WideOutcome
from wor_eval.effects.arms import Arms, contrast_cells, referred_alone
from wor_eval.effects.competing import cumulative_incidence
from wor_eval.effects.contrasts import contrast_rates
from wor_eval.effects.cost_tables import cost_concentration, cost_effects, cost_rows
from wor_eval.effects.costs import cost_contrast
from wor_eval.effects.cox import cox_regression
from wor_eval.effects.event_tables import event_curves, event_effects
from wor_eval.effects.missing_tables import missing_scores, score_patterns, score_tipping
from wor_eval.effects.paired_tests import paired_t
from wor_eval.effects.restricted_mean import restricted_mean_difference
from wor_eval.effects.score_tables import impute_scores, score_changes, score_effects
from wor_eval.effects.score_waves import ScoreWaves
from wor_eval.effects.survival import kaplan_meier
from wor_eval.effects.unit_times import UnitTimes, unit_times
from wor_eval.report import outcome_figures, outcome_tables, outcome_words
from wor_eval.report.disclosure import suppress
from wor_eval.report.results import describe_table
from wor_eval.study import Study, read_study

COSTS = "gp_contacts"  # the outcome of a cohort built by hand; here its values are euros
LIMITED = ("estimate", "std_error", "conf_low", "conf_high")


def cost_plan(contrast: str) -> Study:
    outcome = {
        "name": COSTS, "label": TEXT, "table": "costs", "measure": "cost_per_year", "price_year": 2023
    }  # fmt: skip
    parts = {
        "outcomes": [outcome],
        "effects": [{"contrast": contrast, "outcomes": [COSTS], "headline": True}],
    }
    if contrast == "before_after":
        return small_plan(**parts, replicates=200)
    extra = {"design": {"history": "none"}, "cohort": {"bands": [18, 65], "entries": 1}}
    windows = {"placebo": [-730, -366], "before": [-365, -1], "after": [30, 394], "quarters": 4}
    return small_plan(**parts, **extra, windows=windows, replicates=200)


@cache
def cost_cohort() -> Cohort:
    rng = np.random.default_rng(5)
    n = 300
    level = rng.lognormal(6, 1, n)
    some = rng.random((n, 2)) < 0.8
    return small_cohort(
        {"before": level * some[:, 0], "after": 0.8 * level * rng.lognormal(0, 0.5, n) * some[:, 1]},
        days={"before": 365.25, "after": rng.uniform(120, 365, n)},
        age=rng.integers(30, 90, n),
        sex=rng.choice(["F", "M"], n),
        arm=np.where(np.arange(n) < 120, "referred", "comparison"),
    )


def both_arms(weight: np.ndarray) -> Arms:
    cohort = cost_cohort()
    return Arms(
        cohort=cohort,
        unit=np.arange(300),
        referred=(cohort.persons["arm"] == "referred").to_numpy(),
        weight=weight,
        cluster=np.arange(300) % 120,
    )


def one(frame: pd.DataFrame, **named: str) -> pd.Series:
    for column, value in named.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_costs_before_and_after_are_those_of_the_bootstrap_on_the_arrays() -> None:
    arms, study = referred_alone(cost_cohort()), cost_plan("before_after")
    row = one(cost_effects(arms, study, outcome=COSTS), method="bca", age_band="all")
    rows = cost_cohort().outcomes.pivot(index="unit", columns="window", values=["value", "observed_days"])
    value = rows["value"][["after", "before"]].to_numpy()[:120]
    years = rows["observed_days"][["after", "before"]].to_numpy()[:120] / 365.25
    people = cost_cohort().persons["person_id"].to_numpy()[:120]
    found = cost_contrast(value, years, people, signs=[1, -1], replicates=200, seed=study.seed)
    assert row["estimate"] == pytest.approx(value[:, 0].sum() / years[:, 0].sum() - value[:, 1].mean())
    assert (row["conf_low"], row["conf_high"]) == (found.bca.conf_low, found.bca.conf_high)
    assert (row["n_referred"], row["n_comparison"]) == (120, 0)


def test_the_matched_contrast_of_costs_has_weights_and_is_that_of_the_effects_table() -> None:
    weight = np.where(np.arange(300) < 120, 1.0, np.random.default_rng(1).uniform(0.2, 1.5, 300))
    arms, study = both_arms(weight), cost_plan("difference_in_differences")
    row = one(cost_effects(arms, study, outcome=COSTS), method="bootstrap_t", age_band="all")
    rows = cost_cohort().outcomes.pivot(index="unit", columns="window", values=["value", "observed_days"])
    wide = WideOutcome(
        value=rows["value"][["before", "after"]].to_numpy(),
        years=rows["observed_days"][["before", "after"]].to_numpy() / 365.25,
        windows=("before", "after"),
    )
    found = contrast_rates(
        wide, arms.referred, weight=weight, clusters=np.arange(300) % 120,
        contrast="difference_in_differences", scale="difference",
    )  # fmt: skip
    assert row["estimate"] == pytest.approx(found.estimate, rel=1e-12)
    assert row["std_error"] == pytest.approx(
        found.std_error, rel=1e-9
    )  # the same influences, summed otherwise
    flat = one(cost_effects(both_arms(np.ones(300)), study, outcome=COSTS), method="bca", age_band="all")
    assert flat["estimate"] != row["estimate"]


def test_a_weight_of_two_is_a_person_twice() -> None:
    cells = contrast_cells(both_arms(np.ones(300)), COSTS, "after_only")
    assert cells.signs.tolist() == [1.0, -1.0]
    assert (cells.years[:120, 1] == 0).all()
    assert (cells.years[120:, 0] == 0).all()
    rows = cost_rows(both_arms(np.full(300, 2.0)), COSTS, "difference_in_differences")
    assert rows.X.shape == (600, 7)
    assert rows.treated.sum() == 120
    assert rows.weights.sum() == pytest.approx(
        2 * (300 + cost_cohort().outcomes["observed_days"].sum() / 365.25 - 300)
    )


def test_every_method_gives_a_number_by_band_and_one_that_cannot_be_done_none() -> None:
    table = cost_effects(both_arms(np.ones(300)), cost_plan("difference_in_differences"), outcome=COSTS)
    assert len(table) == 3 * 7
    assert np.isfinite(table[list(LIMITED)].to_numpy(float)).all()
    nothing = small_cohort({"before": np.ones(20), "after": np.ones(20)}, age=np.full(20, 70))
    table = cost_effects(referred_alone(nothing), cost_plan("before_after"), outcome=COSTS)
    assert table.set_index("method").loc["two_part", "estimate"].isna().all()  # nobody without costs
    extremes = cost_concentration(referred_alone(cost_cohort()), cost_plan("before_after"), outcome=COSTS)
    assert set(extremes["n_persons"]) == {120, *cost_cohort().persons["age_band"][:120].value_counts()}


@cache
def waves(*, two: bool = False) -> ScoreWaves:
    """Scores before, between and after of 200 persons, a fifth of the last missing for those who are low."""
    rng = np.random.default_rng(3)
    n = 200
    level = rng.normal(50, 12, n)
    score = level[:, None] + np.array([0.0, 4.0, 8.0]) + rng.normal(0, 8, (n, 3))
    score = np.clip(4 * np.round(score / 4), 0, 100)
    score[rng.random(n) < 1 / (1 + np.exp((score[:, 0] - 42) / 4)), 2] = np.nan
    score[:3, 2], died = np.nan, np.zeros((n, 3), dtype=bool)
    died[:3, 2] = True
    cohort = small_cohort(
        {"before": score[:, 0]}, age=rng.integers(30, 90, n), arm=["referred", "comparison"] * 100
    )
    referred = np.arange(n) % 2 == 0 if two else np.ones(n, dtype=bool)
    arms = Arms(
        cohort=cohort, unit=np.arange(n), referred=referred, weight=np.ones(n), cluster=np.arange(n) // 2
    )
    unit, wave = np.nonzero(np.isfinite(score))
    return ScoreWaves(
        arms=arms, score=score, died=died, asked=np.ones(n, dtype=bool),
        known=cohort.persons[["age"]].to_numpy(float), known_names=("age",),
        answer_unit=unit, answer_wave=wave, answer_score=score[unit, wave],
        instrument=read_instruments()["who5"],
    )  # fmt: skip


def score_plan(contrast: str = "before_after") -> Study:
    return cost_plan(contrast).model_copy(update={"replicates": 600})


def test_scores_are_those_of_the_paired_t_and_imputation_is_seeded() -> None:
    found = waves()
    imputed = impute_scores(found, score_plan())
    again = impute_scores(found, score_plan())
    assert imputed is not None and again is not None
    assert np.array_equal(imputed.values, again.values, equal_nan=True)
    table = score_effects(found, imputed, score_plan(), outcome=COSTS)
    row = one(table, method="complete_case", age_band="all")
    both = np.isfinite(found.score[:, 2])
    direct = paired_t(found.score[both, 2] - found.score[both, 0])
    assert row["estimate"] == pytest.approx(direct.estimate)
    assert row["conf_high"] == pytest.approx(direct.conf_high)
    filled = one(table, method="imputed", age_band="all")
    assert filled["n_imputations"] == 6
    assert filled["n_referred"] == 197  # three died: not imputed
    assert filled["estimate"] > row["estimate"]  # the low, who rise most, are the ones who did not answer


def test_two_arms_use_the_weights_and_the_mixed_model_all_answers() -> None:
    plan, found = score_plan("after_only"), waves(two=True)
    table = score_effects(found, impute_scores(found, plan), plan, outcome=COSTS)
    row = one(table, method="complete_case", age_band="all")
    seen = np.isfinite(found.score[:, 2])
    here, there = (found.score[seen & (found.arms.referred == arm), 2].mean() for arm in (True, False))
    assert row["estimate"] == pytest.approx(here - there)
    uneven = np.where(found.arms.referred, 1.0, np.linspace(0.5, 1.5, 200))
    other = replace(found, arms=replace(found.arms, weight=uneven))
    weighted = one(score_effects(other, None, plan, outcome=COSTS), method="complete_case", age_band="all")
    there = np.average(
        found.score[:, 2][seen & ~found.arms.referred], weights=uneven[seen & ~found.arms.referred]
    )
    assert weighted["estimate"] == pytest.approx(here - there)
    assert np.isfinite(table[list(LIMITED)].to_numpy(float)).all()
    assert one(table, method="mixed", age_band="all")["n_referred"] == 100


def test_deaths_are_not_missing_and_worse_answers_lower_the_estimate() -> None:
    found, plan = waves(), score_plan()
    row = one(missing_scores(found, plan, outcome=COSTS), wave="after", age_band="all")
    assert row["n_asked"] == 197
    assert row["n_missing"] == int(np.isnan(found.score[3:, 2]).sum())
    patterns = score_patterns(found, plan, outcome=COSTS).set_index(["age_band", "pattern"])["n_persons"]
    assert patterns["all", "11+"] == 3
    assert patterns.drop("all").sum() == patterns["all"].sum()
    tips = score_tipping(found, impute_scores(found, plan), plan, outcome=COSTS)
    assert (np.diff(tips.sort_values("delta")["estimate"]) > 0).all()
    changed = score_changes(found, plan, outcome=COSTS)
    assert one(changed, measure="improved", age_band="all")["n_with"] > 0


def test_too_few_answers_to_impute_from_leave_the_other_analyses() -> None:
    whole = waves()
    seen = np.flatnonzero(np.isfinite(whole.score[:, [0, 2]]).all(axis=1))[:6]
    score = np.where(np.isin(np.arange(len(whole.score)), seen)[:, None], whole.score, np.nan)
    few = replace(whole, score=score)
    assert impute_scores(few, score_plan()) is None
    table = score_effects(few, None, score_plan(), outcome=COSTS)
    assert np.isfinite(one(table, method="complete_case", age_band="all")["estimate"])
    assert np.isnan(one(table, method="imputed", age_band="all")["estimate"])


@cache
def times() -> UnitTimes:
    rng = np.random.default_rng(8)
    arms = both_arms(np.where(np.arange(300) < 120, 1.0, 0.6))
    time = np.minimum(rng.exponential(np.where(arms.referred, 500, 700)), 900).round() + 1
    cause = np.where(time > 900, 0, rng.choice([0, 1, 2], 300, p=[0.1, 0.8, 0.1]))
    return UnitTimes(arms=arms, time=time, cause=cause)


def test_times_to_an_event_are_those_of_the_numeric_functions() -> None:
    found, study = times(), cost_plan("after_only")
    curves = event_curves({"drop_out": found}, study)
    side = found.where(found.arms.referred)
    options = {"at": [364.0], "weights": side.arms.weight, "clusters": side.arms.cluster}
    part = curves[(curves["quarter"] == 4) & (curves["arm"] == "referred")]
    row = one(part, method="cumulative_incidence", age_band="all")
    direct = cumulative_incidence(side.time, side.cause, **options)
    assert row["estimate"] == direct.estimate[0]
    assert (row["n_risk"], row["n_event"]) == (direct.n_risk[0], direct.n_event[0])
    alone = kaplan_meier(side.time, side.cause == 1, **options)
    row = one(part, method="kaplan_meier", age_band="all")
    assert (row["estimate"], row["conf_low"]) == (1 - alone.estimate[0], 1 - alone.conf_high[0])
    table = event_effects({"drop_out": found}, study)
    weighted = {"weights": found.arms.weight, "clusters": found.arms.cluster}
    model = cox_regression(
        found.time, found.cause == 1, found.arms.referred[:, None].astype(float), **weighted
    )
    ratio = one(table, measure="hazard_ratio", age_band="all")
    assert ratio["estimate"] == pytest.approx(np.exp(model.fit.coef[0]))
    days = restricted_mean_difference(
        found.time, found.cause == 1, found.arms.referred, horizon=728, **weighted
    )
    assert one(table, measure="days_difference", age_band="all")["conf_low"] == days.conf_low


def test_points_with_few_new_events_are_hidden() -> None:
    curves = event_curves({"drop_out": times()}, cost_plan("after_only"))
    hidden = suppress(curves, describe_table("event_curves").rule, cost_plan("after_only").disclosure)
    few = curves["n_new"].between(1, 9) | curves["n_risk"].between(1, 9) | curves["n_event"].between(1, 9)
    assert hidden.loc[few, "suppressed"].all()
    assert hidden.loc[few, "estimate"].isna().all()
    shown = hidden[~hidden["suppressed"]]
    assert not shown.empty


@cache
def shipped() -> tuple[Study, Arms]:
    study = read_study(asset("analyses", "before_after.toml"))
    return study, referred_alone(build_cohort(small_data(), study))


def test_observation_ends_by_one_cause_within_the_data() -> None:
    study, arms = shipped()
    out = unit_times(small_data(), arms, study, event="drop_out")
    died = arms.persons["died_on"].notna().to_numpy()
    assert (out.time >= 0).all()
    assert died[out.cause == 2].all()
    care = unit_times(small_data(), arms, study, event="long_term_care")
    assert len(care.arms) <= len(arms)
    below = unit_times(small_data(), arms, study, event="below_threshold")
    assert (below.time[below.cause == 1] % 91 == 0).all()
    assert (below.time[below.cause == 1] >= 364).all()


@pytest.mark.parametrize("lang", ["nl", "en"])
def test_the_report_shows_every_table_and_hides_what_is_hidden(lang: str) -> None:
    results = saved(lang)  # type: ignore[arg-type]
    names = [name for name in vars(outcome_tables) if name.startswith(("cost_", "score_", "event_"))]
    assert len(names) == 12
    for name in names:
        table = getattr(outcome_tables, name)(results)
        assert table.rows, name
        assert "nan" not in repr(table).lower(), name
        assert not re.search(r"[a-z]_[a-z]", repr(table)), name
    for say in (outcome_words.costs, outcome_words.wellbeing, outcome_words.missing, outcome_words.events):
        assert "nan" not in say(results).text.lower()
    for picture in (
        outcome_figures.missing_patterns(results),
        outcome_figures.event_curve(results, event="below_threshold"),
    ):
        assert picture.svg.startswith("<?xml")
        assert picture.alt
