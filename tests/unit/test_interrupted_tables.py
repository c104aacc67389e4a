"""The interrupted time series around the index date: by arm, with and without the peak, and what is said of it."""

import numpy as np
import pandas as pd
import pytest

from tests.small_cohort import small_plan
from wor_eval.effects.interrupted import interrupted_series
from wor_eval.effects.interrupted_tables import interrupted_tables
from wor_eval.report import outcome_figures, outcome_tables, outcome_words
from wor_eval.report.results import Results

MONTHS = np.arange(-24, 13)
FALSE_EFFECT = -5.0


def rates(*, peak=0.0, step=0.0, arm="referred", seed=0, persons=2000):
    """Counts by block: a level of 8 a year, a peak that builds up over half a year and wears off, a step after."""
    rng = np.random.default_rng(seed)
    rise = np.where(MONTHS < 0, np.exp(MONTHS / 3.0), np.exp(-(MONTHS + 1) / 2.0))
    rate = 8 * np.exp(step * (MONTHS > 0)) * (1 + peak * rise)
    years = np.full(MONTHS.size, persons * 30 / 365.25)
    frame = pd.DataFrame({"month": MONTHS, "events": rng.poisson(rate * years), "person_years": years})
    frame = frame.assign(outcome="gp_contacts", arm=arm, n_persons=persons, rate=frame["events"] / years)
    bands = [frame.assign(age_band=band) for band in ("18-64", "65+", "all")]
    return pd.concat(bands, ignore_index=True)


def difference(tables, *, arm="referred", series="all_months"):
    frame = tables["interrupted"]
    chosen = (frame["arm"] == arm) & (frame["series"] == series) & (frame["age_band"] == "all")
    return frame[chosen].set_index("term").loc["difference"]


def test_the_table_is_the_numeric_function_on_the_blocks():
    monthly, plan = rates(step=-0.2), small_plan()
    found = interrupted_tables(monthly, plan)
    used = monthly[(monthly["age_band"] == "65+") & ((monthly["month"] < 0) | (monthly["month"] >= 1))]
    peer = interrupted_series(
        used["events"],
        months=used["month"],
        start=0,
        exposure=used["person_years"],
        harmonics=1,
        period=365.25 / 30,
        errors="wider",
    )
    rows = found["interrupted"]
    rows = rows[(rows["age_band"] == "65+") & (rows["series"] == "all_months")].set_index("term")
    assert rows.loc["level_change", "estimate"] == pytest.approx(peer.terms.estimate[1])
    assert rows.loc["level_change", "conf_low"] == pytest.approx(peer.terms.conf_low[1])
    # A trend per block, taken to a year.
    assert rows.loc["trend", "estimate"] == pytest.approx(peer.terms.estimate[0] ** (365.25 / 30))
    years = used["person_years"][used["month"] >= 1].sum()
    assert rows.loc["difference", "estimate"] == pytest.approx(peer.difference.estimate / years)
    assert rows.loc["difference", "n_months"] == 36
    course = found["interrupted_course"]
    course = course[(course["age_band"] == "65+") & (course["series"] == "all_months")]
    np.testing.assert_allclose(course["fitted"] * used["person_years"].to_numpy(), peer.fitted)
    assert 0 not in set(course["month"])  # the run-in


def test_a_step_is_found_where_nothing_else_happens():
    found = difference(interrupted_tables(rates(step=-0.2), small_plan()))
    truth = 8 * (np.exp(-0.2) - 1)
    assert found["conf_low"] < truth < found["conf_high"]
    assert abs(found["estimate"] - truth) < 3 * found["std_error"]


def test_a_peak_fools_the_series_and_matched_persons_show_it():
    """Nothing works here: the series alone finds a fall, set against persons with the same peak it does not."""
    both = pd.concat([rates(peak=1.5), rates(peak=1.5, arm="comparison", seed=1)], ignore_index=True)
    found = interrupted_tables(both, small_plan())
    assert difference(found)["estimate"] < FALSE_EFFECT
    assert difference(found)["conf_high"] < 0
    beside = difference(found, arm="contrast")
    assert beside["conf_low"] < 0 < beside["conf_high"]
    assert abs(beside["estimate"]) < 1


def test_too_few_months_give_no_rows():
    monthly = rates()
    found = interrupted_tables(monthly[monthly["month"] > -20], small_plan())
    assert found["interrupted"].empty and found["interrupted_course"].empty


@pytest.mark.parametrize("lang", ["nl", "en"])
@pytest.mark.parametrize(("peak", "fooled"), [(1.5, True), (0.0, False)])
def test_the_report_says_that_it_is_fooled(lang, peak, fooled):
    monthly = rates(peak=peak, step=0.0 if peak else -0.2)
    tables = {"monthly": monthly, **interrupted_tables(monthly, small_plan())}
    tables = {name: frame.assign(suppressed=False) for name, frame in tables.items()}
    results = Results(plan=small_plan(), tables=tables, manifest={}, lang=lang)
    said = outcome_words.interrupted(results).text
    word = {"nl": "Dit is niet het effect", "en": "This is not the effect"}[lang]
    assert (word in said) is fooled
    assert len(outcome_tables.interrupted(results).rows) == 8
    assert str(12) in outcome_figures.interrupted(results).alt
