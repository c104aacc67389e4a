"""Dutch EQ-5D values beside R's eq5d: case 22, every state of both versions."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from wor_eval.cohort.instruments import adapt, read_instruments, score_items
from wor_eval.cohort.profiles import profile_values
from wor_eval.data.value_sets import read_value_set

# Values are published to three decimals and rounded to them here, so that both are the same double.
EXACT = 0.0


def states(path: Path, column: str) -> tuple[np.ndarray, np.ndarray]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    profiles = np.array([[int(level) for level in row["state"]] for row in rows], dtype=float)
    return profiles, np.array([float(row[column]) for row in rows])


@pytest.mark.parametrize(
    ("code", "column", "n"), [("eq5d5l", "nl_5l_vt", 3125), ("eq5d3l", "nl_3l_tto", 243)]
)
def test_every_state_has_the_value_of_the_peer(shared: Path, code: str, column: str, n: int) -> None:
    file = f"{code}_nl_all{n}_peer.csv"
    profiles, peer = states(shared / "reference" / "data" / file, column)
    assert len(peer) == n
    ours = score_items(profiles, read_instruments()[code]).score
    assert np.abs(ours - peer).max() == EXACT


def test_published_anchors(shared: Path) -> None:
    case = json.loads((shared / "reference" / "r" / "22_eq5d_nl.json").read_text(encoding="utf-8"))
    for code, part in (("eq5d5l", case["five"]), ("eq5d3l", case["three"])):
        for state, value in part["spot"].items():
            levels = [[int(level) for level in state]]
            assert score_items(levels, read_instruments()[code]).score[0] == value


def test_paired_example_of_the_peer(shared: Path) -> None:
    case = json.loads((shared / "reference" / "r" / "22_eq5d_nl.json").read_text(encoding="utf-8"))["prepost"]
    path = shared / "reference" / "data" / "eq5d3l_prepost_peer.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for group, mean in (("Group1", case["nl_pre_mean"]), ("Group2", case["nl_post_mean"])):
        levels = [
            [int(row[d]) for d in ("MO", "SC", "UA", "PD", "AD")] for row in rows if row["Group"] == group
        ]
        scores = score_items(levels, read_instruments()["eq5d3l"]).score
        assert scores.mean() == pytest.approx(mean, rel=1e-12)  # a mean of doubles


def test_later_dutch_set_is_a_sum_of_its_published_terms() -> None:
    later = adapt(read_instruments()["eq5d3l"], value_set="nl_2026")
    # 1 - 0.154 - 0.045 (mobility 2) - 0.360 (anxiety 3), doi:10.1007/s10198-025-01892-2
    assert score_items([[2, 1, 1, 1, 3], [1, 1, 1, 1, 1]], later).score.tolist() == [0.441, 1.0]
    assert later.score_range == (-0.723, 1.0)
    assert later.sources["scoring"] == "the study plan"


def test_icecap_o_runs_from_no_to_full_capability() -> None:
    tariff = read_value_set("icecap_o_uk")
    assert profile_values([[1] * 5, [4] * 5, [3, 4, 4, 4, 4]], tariff).tolist() == [0.0, 1.0, 0.979]
