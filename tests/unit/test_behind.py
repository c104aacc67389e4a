"""Every figure gives the saved tables behind it."""

import pandas as pd
import pytest

from tests.saved_study import saved, saved_folder
from wor_eval.report import figures
from wor_eval.report.behind import figure_data


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("flow", "attrition"),
        ("forest", "effects"),
        ("course", "monthly"),
        ("regression_to_mean", "regression_to_mean"),
    ],
)
def test_a_figure_gives_the_csv_behind_it(name, table):
    found = figure_data(getattr(figures, name), saved("nl"))
    assert table in found
    for read, frame in found.items():
        csv = pd.read_csv(saved_folder() / "before_after" / f"{read}.csv", dtype={"age_band": str})
        assert list(csv.columns) == list(frame.columns)
        assert csv["suppressed"].tolist() == frame["suppressed"].tolist()
        numbers = csv.select_dtypes("number").columns
        pd.testing.assert_frame_equal(csv[numbers], frame[numbers], check_dtype=False)
