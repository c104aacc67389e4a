"""The economic evaluation of a study: its plan refuses what cannot be carried out, its tables agree with each other."""

import numpy as np
import pytest
from scipy.stats import t

from tests.economics_study import economic_run, plan_content
from wor_eval.economics.answers import Found
from wor_eval.economics.beyond import beyond
from wor_eval.economics.checked import persons
from wor_eval.economics.costs import TrajectoryCosts
from wor_eval.economics.estimates import (
    band_columns,
    band_contrasts,
    cost_regressions,
    impute_scores,
    pooled,
    varying,
    with_effect,
)
from wor_eval.economics.evaluated import Evaluated, _refuse_unknown_costs
from wor_eval.economics.guideline import guideline, reference_values
from wor_eval.economics.joint import system_cr2
from wor_eval.economics.payers import payer_balance, payer_costs
from wor_eval.effects.small_sample import cr2_linear
from wor_eval.errors import EstimationError, StudyError
from wor_eval.study import study_plan

BANDS = ("18-64", "65+")


def refused(content: dict) -> str:
    with pytest.raises(StudyError) as error:
        study_plan(content)
    return str(error.value)


# The plan


def test_the_shipped_plan_uses_the_facts() -> None:
    plan = study_plan(plan_content()).economics
    assert plan is not None
    assert plan.thresholds.values == reference_values()
    rates = guideline(plan.guideline or "")
    assert (rates.costs, rates.effects) == (0.03, 0.015)
    for given in plan.trajectory.inputs().values():
        assert "not a fact" in given.source.en
        assert "geen feit" in given.source.nl


def test_without_a_price_of_the_trajectory_there_is_no_plan() -> None:
    content = plan_content()
    del content["economics"]["trajectory"]
    assert "there is no default" in refused(content)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda e: e.pop("guideline"), "name the edition of the guideline"),
        (lambda e: e["effect"].update(instrument="swemwbs"), "no Dutch value set"),
        (lambda e: e["trajectory"]["coach_hour"].update(value=0.0, low=0.0), "a trajectory is not free"),
        (lambda e: e["trajectory"]["hours"].update(value=-1.0), "greater than or equal to 0"),
        (lambda e: e["trajectory"]["overhead"].pop("source"), "source"),
        (lambda e: e["trajectory"]["coach_hour"].update(high=10.0), "low, value and high must rise"),
        (lambda e: e["budget"]["eligible"]["65+"].update(value=0), "no eligible persons at 65+"),
        (lambda e: e["thresholds"].update(values=[0, 20_000]), "greater than 0"),
        (lambda e: e.update(horizon_days=730), "beyond a year"),
        (lambda e: e.update(horizon_days=180), "measure both over one horizon"),
        (lambda e: e.update(discount_rate=0.04), "Extra inputs are not permitted"),
        (lambda e: e["trajectory"].update(price_year=2024), "prices of one year"),
        (lambda e: e["costs"].update(zvw="nothing"), "which the plan does not have"),
        (lambda e: e["costs"].pop("wmo"), "pays the trajectory but has no outcome"),
        (lambda e: e["scenarios"][0]["values"].update(wages=3.0), "no input of the trajectory"),
        (lambda e: e.update(two_way=["coach_hour", "luck"]), "two_way: luck"),
        (lambda e: e["budget"]["current"]["first"].pop("65+"), "give a number for each of 18-64, 65+"),
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_carried_out_is_refused_with_the_reason(change, says) -> None:
    content = plan_content()
    change(content["economics"])
    assert says in refused(content)


def test_one_strategy_leaves_nothing_to_choose() -> None:
    content = plan_content()
    del content["design"]
    content["effects"] = [{"contrast": "before_after", "outcomes": ["gp_contacts"], "headline": True}]
    assert "nothing to choose between" in refused(content)


# The estimates


def people(*, n: int = 900, seed: int = 0, known: float = 1.0, effect: float = 0.0) -> Evaluated:
    """Persons of two arms in 20 practices, with costs of two payers and a score."""
    rng = np.random.default_rng(seed)
    referred = (np.arange(n) % 3 == 0).astype(float)
    practice = rng.integers(0, 20, n)
    age = rng.uniform(18, 90, n)
    before = rng.gamma(0.8, 3000.0, (n, 2))
    care = 0.6 * before + rng.gamma(0.5, 3000.0, (n, 2)) + 300 * rng.normal(size=20)[practice][:, None]
    baseline = np.clip(rng.normal(0.75, 0.15, n) - 0.1 * referred, 0, 1)
    level = 0.3 + 0.6 * baseline + effect * referred + rng.normal(0, 0.08, n)
    lost = rng.random(n) > known
    return Evaluated(
        referred=referred,
        weight=np.where(referred == 1, 1.0, 0.5),
        band=np.where(age >= 65, "65+", "18-64").astype(object),
        practice=practice.astype(str).astype(object),
        care=care,
        before=before,
        baseline=np.where(lost, np.nan, baseline),
        level=np.where(lost, np.nan, level),
        alive=np.ones(n),
        hours=5 * referred,
        contacts=3 * referred,
        known=np.column_stack([age, rng.integers(0, 2, n)]),
        payers=("zvw", "wmo"),
    )


def test_costs_and_effect_apart_are_the_stacked_regression_with_its_covariance() -> None:
    rows = people()
    total = rows.care.sum(axis=1)
    found = with_effect(cost_regressions(rows, {"societal": total}, bands=BANDS), rows)
    # The same as one system of both equations: CR2 of a block-diagonal regression. Band 65+ by its own column.
    other = (rows.band == "65+").astype(float)[:, None]
    parts = (rows.before, rows.baseline[:, None])
    columns = [band_columns(rows, BANDS, varying(np.hstack([other, rows.known, part]))) for part in parts]
    pair = persons({"c": total, "e": rows.effect}, rows.referred, weights=rows.weight, clusters=rows.practice)
    swapped = [c[:, [1, 0, *range(2, c.shape[1])]] for c in columns]
    whiten = np.diag(1 / pair.outcomes.std(axis=0))
    estimate, covariance, df = system_cr2(pair, (swapped[0], swapped[1]), whiten=whiten)
    young = found.joint("societal", "18-64")
    np.testing.assert_allclose(young.estimate, estimate, rtol=1e-9)
    np.testing.assert_allclose(young.covariance, covariance, rtol=1e-7)
    np.testing.assert_allclose(young.df, df, rtol=1e-6)


def test_all_ages_lie_between_the_bands_as_the_referred_are_spread() -> None:
    rows = people()
    found = with_effect(cost_regressions(rows, {"societal": rows.care.sum(axis=1)}, bands=BANDS), rows)
    shares = band_contrasts(rows, BANDS)[-1]
    np.testing.assert_allclose(found.estimate[:, 2], found.estimate[:, :2] @ shares, rtol=1e-9)
    assert shares.sum() == pytest.approx(1)


def test_the_costs_of_payers_add_up_to_those_of_a_perspective() -> None:
    rows = people()
    costs = {"zvw": rows.care[:, 0], "wmo": rows.care[:, 1], "both": rows.care.sum(axis=1)}
    found = cost_regressions(rows, costs, bands=BANDS)
    zvw, wmo, both = (fit.estimate for fit in found.fits)
    np.testing.assert_allclose(zvw + wmo, both, rtol=1e-9)


def test_a_balance_for_everybody_in_one_band_is_that_of_payer_balance() -> None:
    rows = people().of(people().band == "65+")
    paid = TrajectoryCosts(
        paid=450 * rows.referred, unpaid=0 * rows.referred, payer="wmo", price_year=2023, source="plan"
    )
    costs = payer_costs(rows.care, rows.referred, payers=rows.payers, trajectory=paid, years=1.0)
    covariates = varying(np.hstack([rows.known, rows.before]))
    other = payer_balance(costs, covariates=covariates, weights=rows.weight, clusters=rows.practice)
    mine = cost_regressions(rows, {"all": costs.net[:, -1]}, bands=("65+",)).fits[0]
    assert mine.estimate[0] == pytest.approx(other.net.estimate[-1])
    assert mine.std_error[0] == pytest.approx(other.net.std_error[-1])


def test_imputation_leaves_costs_alone_and_widens_the_effect() -> None:
    whole, rows = people(effect=0.05), people(effect=0.05, known=0.5)
    total = {"societal": rows.care.sum(axis=1)}
    costs = cost_regressions(rows, total, bands=BANDS)
    filled = impute_scores(rows, seed=1, n_imputations=20)
    found = pooled([with_effect(costs, one) for one in filled])
    complete = with_effect(costs, whole)
    np.testing.assert_allclose(found.estimate[0], complete.estimate[0], rtol=1e-12)
    effect, other = found.joint("societal", "all"), complete.joint("societal", "all")
    assert effect.std_error[1] > other.std_error[1]
    # Half the answers missing at random: four standard errors is beyond chance.
    assert abs(effect.estimate[1] - 0.05) < 4 * effect.std_error[1]
    assert len(impute_scores(whole, seed=1, n_imputations=20)) == 1


def test_too_few_answers_are_counted_by_arm() -> None:
    with pytest.raises(EstimationError) as error:
        impute_scores(people(n=300, known=0.08), seed=1, n_imputations=5)
    told = str(error.value)
    assert "referred have a score at baseline; 20 are needed" in told
    assert "more persons" in told


def test_costs_that_nobody_has_throughout_are_told_by_payer() -> None:
    plan = study_plan(plan_content()).economics
    care = np.ones((3, 4))
    before = np.array([[np.nan, 1, 1, 1], [np.nan, 1, 1, 1], [1, np.nan, 1, 1]])
    with pytest.raises(
        EstimationError, match="of none of 3 matched persons the costs of every payer"
    ) as caught:
        _refuse_unknown_costs(care, before, plan)
    assert caught.value.problems[0] == "costs_zvw: 3 persons over the horizon, 1 over the year before"
    assert len(caught.value.problems) == 4
    _refuse_unknown_costs(care, np.where(np.arange(3)[:, None] == 0, 1.0, before), plan)


def test_the_difference_between_bands_is_the_interaction_of_the_regression() -> None:
    rows = people()
    total = {"societal": rows.care.sum(axis=1)}
    found = with_effect(cost_regressions(rows, total, bands=BANDS), rows).between(
        "societal", first="18-64", second="65+"
    )
    # The same regression with referral and referral at 18-64: the second coefficient is the difference.
    other = (rows.band == "65+").astype(float)[:, None]
    own = ((rows.band == "18-64") * rows.referred)[:, None]
    for at, (outcome, part) in enumerate(
        ((total["societal"], rows.before), (rows.effect, rows.baseline[:, None]))
    ):
        columns = np.hstack([own, rows.referred[:, None], np.ones((900, 1)), other, rows.known, part])
        fit = cr2_linear(
            outcome, columns, rows.practice, weights=rows.weight, contrasts=np.eye(len(columns.T))[0]
        )
        assert found.estimate[at] == pytest.approx(fit.estimate[0], rel=1e-9)
        assert found.std_error[at] == pytest.approx(fit.std_error[0], rel=1e-7)


def test_the_interval_of_the_effect_holds_the_truth() -> None:
    held, runs = 0, 60
    for seed in range(runs):
        rows = people(n=450, seed=seed, known=0.6, effect=0.04)
        costs = cost_regressions(rows, {"societal": rows.care.sum(axis=1)}, bands=BANDS)
        filled = impute_scores(rows, seed=seed, n_imputations=10)
        fit = pooled([with_effect(costs, one) for one in filled]).joint("societal", "all")
        half = t.ppf(0.975, fit.freedom(np.eye(2))[1]) * fit.std_error[1]
        held += abs(fit.estimate[1] - 0.04) < half
    # 95 % of 60 is 57; 51 is three and a half Monte Carlo standard errors below.
    assert held >= 51


# The tables


def test_every_table_is_described_and_the_draws_are_draws() -> None:
    results = economic_run()
    draws = results.table("draws")
    assert set(draws.columns) == {"replicate", "age_band", "cost", "effect", "n_referred", "n_comparison"}
    assert (draws.groupby("age_band").size() == 1000).all()
    shares = results.table("quadrants").groupby("age_band")["share"].sum()
    np.testing.assert_allclose(shares, 1)


def test_net_benefit_is_effect_times_threshold_minus_cost() -> None:
    results = economic_run()
    point = results.table("incremental").query("method == 'imputed' and perspective == 'societal'")
    cost, effect = (
        point.query(f"quantity == '{q}'").set_index("age_band")["estimate"] for q in ("cost", "effect")
    )
    for _, row in results.table("net_benefit").query("perspective == 'societal'").iterrows():
        band = row["age_band"]
        assert row["estimate"] == pytest.approx(row["threshold"] * effect[band] - cost[band])


def test_bands_differ_by_their_net_benefits() -> None:
    results = economic_run()
    main = results.table("net_benefit").query("perspective == 'societal'")
    for _, row in results.table("band_difference").query("quantity == 'net_benefit'").iterrows():
        own = main[main["threshold"] == row["threshold"]].set_index("age_band")["estimate"]
        assert row["estimate"] == pytest.approx(own["18-64"] - own["65+"])
        assert row["conf_low"] < row["estimate"] < row["conf_high"]


def test_later_years_are_added_only_where_the_plan_asks() -> None:
    assert "beyond" not in economic_run().tables
    rows = people(effect=0.05)
    costs = {"societal": rows.care.sum(axis=1) + 400 * rows.referred, "care": rows.care.sum(axis=1)}
    main = with_effect(cost_regressions(rows, costs, bands=BANDS), rows)
    asked = {"years": 4, "effect": "linear", "costs": "none", "source": {"nl": "aanname", "en": "assumption"}}
    content = plan_content()
    content["economics"]["beyond"] = asked
    study = study_plan(content)
    found = Found(
        study=study, plan=study.economics, fits={"complete_case": main}, counted={}, paid=None, hours=5.0
    )
    table = beyond(found, study.economics.beyond).query("age_band == 'all'").set_index("quantity")
    cost, care, effect = main.estimate[:, -1]
    # Care goes on unchanged at 3 % a year, the effect falls to zero at 1.5 %; the first year counts in full.
    later = sum(care / 1.03**year for year in (1, 2, 3, 4))
    left = sum(effect * (1 - (year - 0.5) / 4) / 1.015**year for year in (1, 2, 3, 4))
    assert table.loc["cost", "estimate"] == pytest.approx(cost + later)
    assert table.loc["effect", "estimate"] == pytest.approx(effect + left)
    assert table.loc["net_benefit", "estimate"] == pytest.approx(20_000 * (effect + left) - cost - later)
    # The trajectory is the same for everybody here, so the error of the cost is that of five discounted years of care.
    years = 1 + later / care
    assert table.loc["cost", "std_error"] == pytest.approx(
        years * np.sqrt(main.covariance[1, -1, 1, -1]), rel=1e-6
    )


def test_sensitivity_starts_from_the_main_answer() -> None:
    results = economic_run()
    main = results.table("net_benefit").query("perspective == 'societal' and age_band == 'all'")
    main = float(main.query("threshold == 20000")["estimate"].iloc[0])
    assert results.table("one_way")["net_benefit"].iloc[0] == pytest.approx(main)
    scenarios = results.table("input_scenarios").set_index("scenario")["net_benefit"]
    assert scenarios["base"] == pytest.approx(main)
    assert scenarios["dear"] < scenarios["base"] < scenarios["lean"]


def test_a_year_of_the_budget_is_persons_times_the_balance() -> None:
    results = economic_run()
    balance = results.table("payer_balance").query(
        "per == 'person' and part == 'net' and age_band == '18-64'"
    )
    balance = balance.set_index("payer")["estimate"]
    rows = results.table("budget_impact").query(
        "scenario == 'more_18_64' and age_band == 'all' and year == 1"
    )
    for _, row in rows.iterrows():
        assert row["extra_referred"] == pytest.approx(40)
        assert row["estimate"] == pytest.approx(40 * balance[row["payer"]], rel=1e-6)


def test_completeness_counts_rising_demands() -> None:
    rows = economic_run().table("completeness")
    assert (rows["n_both"] <= rows[["n_cost", "n_effect"]].min(axis=1)).all()
    assert (rows["n_cost"] <= rows["n_matched"]).all()
