"""Rubin's rules against mice on 20 fixed imputations (case 19)."""

import json

import numpy as np
import pytest

from wor_eval.effects.regression import linear_regression
from wor_eval.effects.rubin import pool, pool_draws, pooled_wald

ROUNDING = 1e-10


@pytest.fixture(scope="module")
def answers(shared):
    return json.loads((shared / "reference/r/19_mice_rubin.json").read_text())


@pytest.fixture(scope="module")
def fits(shared):
    import pandas as pd

    data = pd.read_csv(shared / "reference/data/nhanes_imputed20.csv")
    return [
        linear_regression(
            part.bmi, np.column_stack([np.ones(len(part)), part.hyp, part.chl]), covariance="model"
        )
        for _, part in data.groupby(".imp")
    ]


def test_each_analysis(fits, answers):
    for fit, peer in zip(fits, answers["per_imputation"], strict=True):
        np.testing.assert_allclose(
            fit.coef, [peer["est_int"], peer["est_hyp"], peer["est_chl"]], rtol=ROUNDING
        )
        np.testing.assert_allclose(
            np.diag(fit.cov), [peer["v_int"], peer["v_hyp"], peer["v_chl"]], rtol=ROUNDING
        )


def test_pool(fits, answers):
    rows = answers["nhanes_lm"]
    found = pool([fit.coef for fit in fits], [np.diag(fit.cov) for fit in fits], df_complete=rows[0]["dfcom"])
    names = {
        "estimate": "est",
        "std_error": "se",
        "df": "df",
        "p_value": "p",
        "conf_low": "lo",
        "conf_high": "hi",
        "within": "ubar",
        "between": "b",
        "relative_increase": "riv",
        "fraction_missing": "fmi",
    }
    for ours, theirs in names.items():
        np.testing.assert_allclose(getattr(found, ours), [row[theirs] for row in rows], rtol=ROUNDING)
    assert found.n_imputations == 20


def test_joint_test(fits, answers):
    peer = answers["D1"]
    found = pooled_wald([fit.coef[1:] for fit in fits], [fit.cov[1:, 1:] for fit in fits], df_complete=22)
    ours = (found.statistic, found.df, found.df_residual, found.p_value)
    assert ours == pytest.approx((peer["F"], peer["df1"], peer["df2"], peer["p"]), rel=ROUNDING)


def test_one_estimate(answers):
    peer = answers["pool_scalar"]
    found = pool(peer["Q"], peer["U"], df_complete=peer["n"] - peer["k"])
    assert found.df[0] == pytest.approx(peer["df_barnard_rubin"], rel=ROUNDING)
    assert found.estimate[0] == pytest.approx(peer["qbar"], rel=ROUNDING)
    assert found.std_error[0] ** 2 == pytest.approx(peer["t"], rel=ROUNDING)
    assert found.relative_increase[0] == pytest.approx(peer["r"], rel=ROUNDING)
    assert found.fraction_missing[0] == pytest.approx(peer["fmi"], rel=ROUNDING)
    assert pool(peer["Q"], peer["U"]).df[0] == pytest.approx(peer["df_rubin_inf"], rel=ROUNDING)


def test_draws_give_the_variance_of_the_draws(answers):
    peer = answers["pool_scalar"]
    rng = np.random.default_rng(1)
    draws = rng.normal(0, np.sqrt(peer["U"])[:, None], (5, 40_000))
    found = pool_draws(peer["Q"], draws, df_complete=117)
    # The variance of 40,000 draws has a relative error of 0.7 %, its mean over 5 one of 0.3 %.
    assert found.within[0] == pytest.approx(peer["ubar"], rel=0.01)
    assert found.between[0] == pytest.approx(peer["b"], rel=ROUNDING)
