"""Case 11: the vaccine model of BCEA, 1,000 draws, against R (BCEA 2.3.1) and against brute force."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from wor_eval.economics.acceptability import acceptability
from wor_eval.economics.decision import icer

# Sums of 1,000 draws in another order: double precision leaves far more than 10 digits.
EXACT = 1e-10
GRID = np.arange(0, 50_001, 100.0)


@pytest.fixture(scope="module")
def draws(shared: Path) -> pd.DataFrame:
    return pd.read_csv(shared / "reference" / "data" / "bcea_vaccine_psa.csv")


@pytest.fixture(scope="module")
def answers(shared: Path) -> dict[str, Any]:
    path = shared / "reference" / "r" / "11_bcea_vaccine.json"
    return json.loads(path.read_text(encoding="utf-8"))["vaccine"]  # type: ignore[no-any-return]


def test_table_over_thresholds(draws: pd.DataFrame, answers: dict[str, Any]) -> None:
    table = pd.DataFrame(answers["table"])
    found = acceptability(draws[["c1", "c2"]], draws[["e1", "e2"]], table["k"])
    np.testing.assert_allclose(found.expected_net_benefit[:, 1], table["eib"], rtol=0, atol=EXACT)
    np.testing.assert_allclose(found.probability[:, 1], table["ceac"], rtol=0, atol=EXACT)
    np.testing.assert_allclose(found.evpi, table["evpi"], rtol=0, atol=EXACT)
    assert (found.best + 1 == table["best"]).all()


def test_ratio_and_break_even(draws: pd.DataFrame, answers: dict[str, Any]) -> None:
    cost, effect = (draws[f"{x}2"].mean() - draws[f"{x}1"].mean() for x in "ce")
    assert effect == pytest.approx(answers["delta_e_mean"], rel=EXACT)
    assert cost == pytest.approx(answers["delta_c_mean"], rel=EXACT)
    assert icer(cost, effect).ratio == pytest.approx(answers["icer"], rel=EXACT)
    best = acceptability(draws[["c1", "c2"]], draws[["e1", "e2"]], GRID).best
    assert GRID[best.argmax()] == answers["kstar"]


def test_expected_utility_at_25000(draws: pd.DataFrame, answers: dict[str, Any]) -> None:
    utility = [25_000 * draws[f"e{s}"].mean() - draws[f"c{s}"].mean() for s in (1, 2)]
    np.testing.assert_allclose(utility, answers["expected_utility_k25000"], rtol=0, atol=EXACT)
    found = acceptability(draws[["c1", "c2"]], draws[["e1", "e2"]], [25_000.0])
    assert found.expected_net_benefit[0, 1] == pytest.approx(answers["eib_k25000_manual"], abs=EXACT)


def test_every_threshold_of_the_grid_is_the_brute_force(draws: pd.DataFrame) -> None:
    """Also where a threshold is exactly the ratio of a draw."""
    cost, effect = draws[["c1", "c2"]].to_numpy(), draws[["e1", "e2"]].to_numpy()
    found = acceptability(cost, effect, GRID)
    benefit = GRID[:, None, None] * effect - cost
    np.testing.assert_allclose(
        found.probability[:, 1], (benefit[:, :, 1] > benefit[:, :, 0]).mean(axis=1), rtol=0, atol=EXACT
    )
    perfect = benefit.max(axis=2).mean(axis=1) - benefit.mean(axis=1).max(axis=1)
    np.testing.assert_allclose(found.evpi, perfect, rtol=0, atol=EXACT)
