"""What is expected with no effect, on synthetic persons whose true effect is known, and what the report says of it."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from benchmarks.recovery.panel_cohort import panel_cohort
from tests.saved_study import raw_tables
from wor_eval.assets import asset
from wor_eval.cohort.build import build_cohort
from wor_eval.data.panel import simulate_panel
from wor_eval.data.read import study_data
from wor_eval.effects.no_effect import no_effect_table
from wor_eval.effects.windows import window_pair
from wor_eval.report import words
from wor_eval.report.results import Results, load_results, save_results
from wor_eval.study import read_study

STUDY = read_study(asset("analyses", "before_after.toml"))
PERSONS = 20_000
PER_PANEL, PANELS = 12_000, 6


@cache
def expected(scenario: str, panels: int = PANELS) -> pd.DataFrame:
    """The table of each panel, all ages, with the rate after of the referred."""
    frames = []
    for seed in range(1, panels + 1):
        cohort = panel_cohort(
            simulate_panel(persons=PER_PANEL, seed=seed, scenario=scenario), entries=1, seed=seed
        )
        table = no_effect_table(cohort, STUDY, outcome="gp_contacts")
        rate_after = window_pair(cohort, "gp_contacts").rates[1]
        frames.append(table[table["age_band"] == "all"].assign(panel=seed, rate_after=rate_after))
    return pd.concat(frames, ignore_index=True)


def method(name: str, scenario: str, panels: int = PANELS) -> pd.DataFrame:
    frame = expected(scenario, panels)
    return frame[frame["method"] == name].set_index("panel")


def assert_about(found: pd.DataFrame, truth: "pd.Series[float] | float") -> None:
    """The unexplained change is the truth, up to Monte-Carlo error and a small known bias.

    Persons referred later leave the pool at their own referral, so those who are getting worse count for less:
    the rate expected after is 1 to 2 % too low, and the unexplained change too high by as much.
    """
    miss = found["estimate"] - truth
    error = found["std_error"].mean() / np.sqrt(len(found))
    known_bias = 0.02 * found["rate_after"].mean()
    assert -4 * error < miss.mean() < known_bias + 4 * error
    held = (found["conf_low"] <= truth) & (truth <= found["conf_high"])
    # Coverage of 95 %: 4 or fewer of 6 has a chance of 3 %.
    assert held.sum() >= len(found) - 1


def test_a_peak_with_no_effect_leaves_nothing_unexplained():
    assert_about(method("same_course", "null-peak"), 0.0)


def test_a_true_effect_is_what_is_left():
    # The same panels without the effect: the same persons are referred in the same months.
    truth = method("same_course", "effect")["rate_after"] - method("same_course", "null-peak")["rate_after"]
    assert (truth < -1).all()
    assert_about(method("same_course", "effect"), truth)


def test_a_permanent_level_is_explained_by_the_own_earlier_year_only():
    panels = 3
    own = method("own_earlier_year", "null-level", panels)
    assert abs(own["estimate"].mean()) < 4 * own["std_error"].mean() / np.sqrt(panels)
    for other in ("same_course", "same_count", "linear", "gamma_poisson"):
        assert (method(other, "null-level", panels)["conf_low"] > 0).all(), "expects too large a fall"


def test_the_normal_formula_expects_too_small_a_fall_of_skewed_counts():
    barnett, course = method("barnett", "null-peak"), method("same_course", "null-peak")
    assert (barnett["expected"] > course["expected"]).all()


# What the report says, on the synthetic study that `wor-eval demo` makes (20,000 persons, seed 1)


@pytest.fixture(scope="module")
def study_of(tmp_path_factory):
    """Give the saved expectation of one scenario, read back as a report reads it."""

    @cache
    def make(scenario: str) -> Results:
        data = study_data(raw_tables(persons=PERSONS, scenario=scenario))
        table = no_effect_table(build_cohort(data, STUDY), STUDY, outcome="gp_contacts")
        manifest = {"study": STUDY.name, "data_digest": data.digest}
        folder = tmp_path_factory.mktemp(scenario)
        save_results(Results(plan=STUDY, tables={"regression_to_mean": table}, manifest=manifest), folder)
        return load_results(STUDY.name, folder=folder)

    return make


BY_ITSELF = {
    "en": "The fall is what regression to the mean alone produces",
    "nl": "De daling is wat regressie naar het gemiddelde alleen al geeft",
}
LARGER = {
    "en": "The fall is larger than regression to the mean alone produces",
    "nl": "De daling is groter dan regressie naar het gemiddelde alleen geeft",
}


@pytest.mark.parametrize("lang", ["nl", "en"])
@pytest.mark.parametrize(
    ("scenario", "verdicts"),
    [("null-peak", {"explained"}), ("effect", {"beyond"}), ("null-level", {"explained", "no_fall"})],
)
def test_the_verdict_in_words(study_of, scenario, verdicts, lang):
    results = study_of(scenario).in_(lang)
    said = words.verdict(results)
    assert said in verdicts
    text = words.regression_to_mean(results).text
    assert (BY_ITSELF[lang] in text) == (said == "explained")
    assert (LARGER[lang] in text) == (said == "beyond")


def test_the_words_carry_the_numbers_of_the_table(study_of):
    results = study_of("null-peak")
    frame = results.table("regression_to_mean").set_index(["age_band", "method"])
    row = frame.loc[("all", "same_course")]
    text = words.regression_to_mean(results).text
    assert f"{-row['observed']:.1f} was seen" in text
    assert f"a fall of {-row['expected']:.1f} contacts" in text
    dutch = words.regression_to_mean(results.in_("nl")).text
    assert f"gezien is {-row['observed']:.1f}".replace(".", ",") in dutch
