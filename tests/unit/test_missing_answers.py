"""Counting missing answers, imputation, pooling and the tipping point: known cases and refusals."""

import doctest
import importlib

import numpy as np
import pytest

from wor_eval.effects.ancova import ancova
from wor_eval.effects.imputation import imputations_needed, impute
from wor_eval.effects.logistic import logistic_regression
from wor_eval.effects.missing import attrition_model, missing_by_wave, missing_patterns
from wor_eval.effects.paired_tests import paired_t
from wor_eval.effects.rubin import pool, pool_draws, pooled_wald
from wor_eval.effects.tipping_point import analyse_missing, tipping_point
from wor_eval.errors import EstimationError

nan = np.nan


@pytest.mark.parametrize("name", ["missing", "imputation", "rubin", "tipping_point", "logistic"])
def test_examples(name):
    found = doctest.testmod(importlib.import_module(f"wor_eval.effects.{name}"))
    assert found.failed == 0
    assert found.attempted > 0


WAVES = [[20, 21, 22], [18, nan, 19], [17, nan, nan], [22, 23, nan], [nan, nan, nan], [19, 20, nan]]
DIED = np.zeros((6, 3), dtype=bool)
DIED[5, 2] = True
ARMS = ["referred", "referred", "referred", "comparison", "comparison", "comparison"]


def test_counts_by_wave_leave_the_dead_out():
    table = missing_by_wave(WAVES, ARMS, died=DIED)
    assert table.groups.tolist() == ["comparison", "referred"]
    assert table.n_alive.tolist() == [[3, 3, 2], [3, 3, 3]]
    assert table.n_missing.tolist() == [[1, 1, 2], [0, 2, 1]]
    assert table.n_died.tolist() == [[0, 0, 1], [0, 0, 0]]
    np.testing.assert_allclose(table.share_missing[0], [1 / 3, 1 / 3, 1.0])


def test_patterns():
    found = missing_patterns(WAVES, ARMS, died=DIED)
    assert set(found.patterns) == {"111", "1.1", "1..", "11.", "...", "11+"}
    assert found.n_complete.tolist() == [1, 1]  # a death is no missing answer
    assert found.n_dropout.tolist() == [2, 1]
    assert found.n_intermittent.tolist() == [0, 1]
    assert found.n_persons.sum() == 6


def test_attrition_model_is_statsmodels():
    import statsmodels.api as sm

    rng = np.random.default_rng(1)
    n = 600
    X = np.column_stack([rng.integers(0, 2, n), rng.normal(50, 15, n)])
    gone = rng.random(n) < 1 / (1 + np.exp(1 - 0.5 * X[:, 0] + 0.02 * (X[:, 1] - 50)))
    practice, dead = rng.integers(0, 40, n), rng.random(n) < 0.1
    model = sm.GLM(gone[~dead], sm.add_constant(X[~dead]), family=sm.families.Binomial())
    peer = model.fit(cov_type="cluster", cov_kwds={"groups": practice[~dead]}, tol=1e-14)
    found = attrition_model(gone, X, names=["referred", "age"], died=dead, clusters=practice)
    np.testing.assert_allclose(np.log(found.odds_ratios.estimate), peer.params[1:], rtol=1e-8)
    # statsmodels multiplies by (N - 1) / (N - K) too.
    N = int((~dead).sum())
    np.testing.assert_allclose(
        found.odds_ratios.std_error, peer.bse[1:] * np.sqrt((N - 3) / (N - 1)), rtol=1e-8
    )
    assert (found.n_persons, found.n_died) == (N, int(dead.sum()))


def test_logistic_with_weights_is_statsmodels():
    import statsmodels.api as sm

    rng = np.random.default_rng(2)
    X, weight = np.column_stack([np.ones(400), rng.normal(size=(400, 2))]), rng.uniform(0.5, 2, 400)
    y, cluster = rng.random(400) < 1 / (1 + np.exp(-X @ [0.2, 0.5, -0.3])), np.arange(400) // 4
    peer = sm.GLM(y, X, family=sm.families.Binomial(), freq_weights=weight).fit(tol=1e-14)
    found = logistic_regression(y, X, weights=weight, clusters=cluster)
    np.testing.assert_allclose(found.coef, peer.params, rtol=1e-8)
    assert found.loglik == pytest.approx(peer.llf, rel=1e-10)
    share = 1 / (1 + np.exp(-X @ found.coef))
    sums = np.stack([np.bincount(cluster, weight * (y - share) * column) for column in X.T], axis=1)
    bread = np.linalg.inv((X.T * (weight * share * (1 - share))) @ X)
    np.testing.assert_allclose(found.cov, 100 / 99 * bread @ sums.T @ sums @ bread, rtol=1e-8)


def table_with_gaps(n=300, seed=3, share=0.3):
    rng = np.random.default_rng(seed)
    before = np.clip(np.round(rng.normal(20, 4, n)), 7, 35)
    after = np.clip(np.round(before + rng.normal(1, 3, n)), 7, 35)
    values = np.column_stack([before, after, rng.normal(50, 15, n)])
    values[rng.random(n) < share, 1] = nan
    return values


def test_imputation_fills_with_values_that_were_seen():
    values = table_with_gaps()
    found = impute(values, seed=1, n_imputations=4)
    seen = ~np.isnan(values)
    for table in found.values:
        np.testing.assert_array_equal(table[seen], values[seen])
        assert set(table[~seen[:, 1], 1]) <= set(values[seen[:, 1], 1])
    assert found.chain_means.shape == (4, 10, 3)
    assert np.isfinite(found.chain_means[:, :, 1]).all() and np.isnan(found.chain_means[:, :, 0]).all()


def test_the_seed_decides_and_more_imputations_keep_the_first():
    values = table_with_gaps()
    few, many, other = (impute(values, seed=s, n_imputations=m).values for s, m in ((1, 3), (1, 6), (2, 3)))
    np.testing.assert_array_equal(few, many[:3])
    assert (few != other).any()
    assert (few[0] != few[1]).any()


def test_groups_do_not_lend_to_each_other():
    values, group = table_with_gaps(), np.arange(300) % 2
    values[group == 1, 1] += 100
    found = impute(values, seed=1, n_imputations=2, groups=group).values
    assert (found[:, group == 1, 1] > 100).all()
    assert (found[:, group == 0, 1] < 100).all()


def test_the_dead_stay_without_a_value():
    values, dead = table_with_gaps(), np.zeros((300, 3), dtype=bool)
    values[:10, 1], dead[:10, 1] = nan, True
    found = impute(values, seed=1, n_imputations=2, died=dead)
    assert np.isnan(found.values[:, :10, 1]).all()
    assert not np.isnan(found.values[:, 10:]).any()
    assert not found.imputed[:10].any()
    result = analyse_missing(values, found, lambda t, r: paired_t(t[r, 1] - t[r, 0]), columns=[0, 1])
    assert result.n_imputed == 290


def test_donors_with_one_prediction_are_all_used():
    """With one two-valued predictor every donor of a kind must be drawn, not the same few."""
    rng = np.random.default_rng(5)
    kind, score = np.repeat([0.0, 1.0], 400), np.arange(800.0)
    score[rng.random(800) < 0.5] = nan
    table = impute(np.column_stack([kind, score]), seed=1, n_imputations=2, iterations=1).values[0]
    drawn = table[np.isnan(score), 1]
    assert (
        np.unique(drawn).size > 0.4 * drawn.size
    )  # 47 %: draws with replacement from draws with replacement


def test_number_of_imputations():
    assert imputations_needed(table_with_gaps(share=0.3)) == pytest.approx(30, abs=8)
    assert imputations_needed([[1.0, 2.0], [3.0, 4.0]]) == 5
    assert impute(table_with_gaps(n=100, share=0.1), seed=1, iterations=1).values.shape[0] >= 5


def test_tipping_point_shifts_only_imputed_values_of_those_named():
    values = table_with_gaps(n=200, seed=7)
    arm = np.arange(200) % 2
    values[arm == 1, 1] += 2.0
    imputed = impute(values, seed=1, n_imputations=10, groups=arm)

    def analysis(table, rows):
        return ancova(table[rows, 0], table[rows, 1], arm[rows])

    found = tipping_point(
        imputed, analysis, columns=[0, 1], shifted=1, among=arm == 1, deltas=np.arange(-6, 1)
    )
    missing = np.isnan(values[arm == 1, 1]).mean()
    # ANCOVA moves by delta times the share imputed, up to the little that the covariate explains.
    np.testing.assert_allclose(np.diff(found.estimate), missing, rtol=0.05)
    plain = analyse_missing(values, imputed, analysis, columns=[0, 1])
    assert found.estimate[-1] == pytest.approx(plain.pooled.estimate[0])
    inside = np.interp(found.tips_at, found.deltas, found.conf_low)
    assert inside == pytest.approx(0.0, abs=1e-9)
    assert plain.pooled.conf_low[0] > 0 > found.conf_low[0]
    cut = tipping_point(
        imputed, analysis, columns=[0, 1], shifted=1, among=arm == 1, deltas=[-30], bounds=(7, 37)
    )
    assert cut.share_cut[0] > 0.9
    assert cut.share_cut[1] == 0.0


def test_refused_counts_and_tables():
    with pytest.raises(EstimationError) as caught:
        missing_by_wave([[1.0, np.inf], [2.0, 3.0]], ["a", "a"], died=[[False, False], [True, False]])
    assert len(caught.value.problems) == 3
    with pytest.raises(EstimationError, match="persons by waves"):
        missing_patterns([[1.0, 2.0]], ["a", "b"])
    with pytest.raises(EstimationError, match="0 or 1"):
        attrition_model([0, 2, 1], [[1.0], [2.0], [3.0]], names=["age"])
    with pytest.raises(EstimationError, match="no finite coefficient"):
        attrition_model([0, 0, 1, 1], [[1.0], [2.0], [3.0], [4.0]], names=["age"])
    with pytest.raises(EstimationError, match="all rows are the same"):
        attrition_model([0, 0, 0], [[1.0], [2.0], [3.0]], names=["age"])
    with pytest.raises(EstimationError, match="nothing is missing"):
        impute([[1.0, 2.0], [3.0, 4.0]], seed=1)
    with pytest.raises(EstimationError, match="after a death"):
        impute([[1.0, nan], [3.0, 4.0]], seed=1, died=[[False, True], [True, False]])
    with pytest.raises(EstimationError, match="too few observed") as caught:
        impute(table_with_gaps(n=20, share=0.7), seed=1, groups=np.arange(20) % 2)
    assert len(caught.value.problems) == 2
    with pytest.raises(EstimationError, match="at least 2"):
        impute(table_with_gaps(), seed=1, n_imputations=1)


def test_refused_pooling():
    with pytest.raises(EstimationError, match="two imputations"):
        pool([1.0], [1.0])
    with pytest.raises(EstimationError, match="above zero"):
        pool([1.0, 2.0], [1.0, 0.0])
    with pytest.raises(EstimationError, match="df_complete"):
        pool([1.0, 2.0], [1.0, 1.0], df_complete=0)
    with pytest.raises(EstimationError, match="draws"):
        pool_draws([1.0, 2.0], np.zeros((3, 10)))
    with pytest.raises(EstimationError, match="depend on each other"):
        pooled_wald([[1.0, 1.0], [2.0, 2.0]], np.ones((2, 2, 2)))
    with pytest.raises(EstimationError, match="too few degrees"):
        pooled_wald([[1.0, 9.0], [5.0, 2.0], [0.0, 0.0], [9.0, 1.0]], [np.eye(2)] * 4, df_complete=5)


def test_nothing_between_imputations_gives_the_analysis_itself():
    found = pool([2.0, 2.0, 2.0], [0.25, 0.25, 0.25], df_complete=1000)
    assert (found.estimate[0], found.std_error[0]) == (2.0, 0.5)
    assert found.relative_increase[0] == 0
    test = pooled_wald([[2.0, 1.0]] * 3, [np.eye(2)] * 3, df_complete=100)
    assert (test.statistic, test.df_residual) == (2.5, 100)


def test_refused_analyses():
    values = table_with_gaps()
    imputed = impute(values, seed=1, n_imputations=2)

    def analysis(table, rows):
        return paired_t(table[rows, 1] - table[rows, 0])

    with pytest.raises(EstimationError, match="positions"):
        analyse_missing(values, imputed, analysis, columns=[0, 7])
    with pytest.raises(EstimationError, match="beside imputed"):
        analyse_missing(values[:5], imputed, analysis, columns=[0, 1])
    with pytest.raises(EstimationError, match="one of the columns"):
        tipping_point(imputed, analysis, columns=[0, 1], shifted=2, among=np.ones(300), deltas=[-1])
    with pytest.raises(EstimationError, match="0 imputed values"):
        tipping_point(imputed, analysis, columns=[0, 1], shifted=1, among=np.zeros(300), deltas=[-1])
