"""Who is in, which days count and what is counted, on tables small enough to check by eye."""

import pandas as pd
import pytest

from tests.spec.ascii_tables import draw
from wor_eval.cohort.build import Cohort, build_cohort
from wor_eval.data.read import StudyData, study_data
from wor_eval.errors import DesignError
from wor_eval.study import Study, study_plan

PERSONS = """
    person_id | birth_year | birth_month | sex | municipality_code | died_on
    anna      | 1950       | 3           | F   | M1                |
    bert      | 1990       | 11          | M   | M1                | 2023-08-01
    cees      | 2010       | 1           | M   | M1                |
    dina      | 1960       | 6           | F   | M1                |
    eva       | 1958       |             | F   | M1                |
"""
REGISTRATIONS = """
    person_id | practice_id | start_on   | end_on
    anna      | P1          | 2019-01-01 | 2023-05-31
    anna      | P2          | 2023-06-01 |
    bert      | P1          | 2022-09-01 |
    cees      | P1          | 2019-01-01 |
    dina      | P2          | 2019-01-01 |
    eva       | P2          | 2019-01-01 | 2022-01-31
"""
REFERRALS = """
    person_id | referred_on | referrer
    anna      | 2023-03-01  | gp
    anna      | 2023-09-01  | gp
    bert      | 2023-03-15  | gp
    cees      | 2023-03-15  | gp
    eva       | 2023-04-01  | gp
    dina      | 2023-06-15  | gp
"""
CONTACTS = """
    person_id | contact_on | kind          | n_contacts | recall_days
    anna      | 2022-03-01 | consult_short | 1          |
    anna      | 2022-02-28 | consult_short | 1          |
    anna      | 2023-02-28 | telephone     | 2          |
    anna      | 2023-03-01 | consult_short | 1          |
    anna      | 2023-03-30 | consult_short | 1          |
    anna      | 2023-03-31 | consult_short | 1          |
    anna      | 2024-03-29 | visit_short   | 1          |
    anna      | 2024-03-30 | visit_short   | 1          |
    bert      | 2023-04-20 | consult_long  | 1          |
    anna      | 2023-03-01 | other         | 6          | 91
    anna      | 2023-05-01 | other         | 3          | 91
    dina      | 2024-12-31 | consult_short | 1          |
"""
BASE = {
    "name": "small",
    "title": {"nl": "t", "en": "t"},
    "question": {"nl": "q", "en": "q"},
    "seed": 1,
    "windows": {"placebo": [-730, -366], "before": [-365, -1], "after": [30, 394]},
    "outcomes": [{"name": "gp_contacts", "label": {"nl": "c", "en": "c"}, "table": "contacts"}],
    "effects": [{"contrast": "before_after", "outcomes": ["gp_contacts"], "headline": True}],
}
ADULT = {"column": "age", "at_least": 18, "reason": {"nl": "volwassen", "en": "adult"}}


@pytest.fixture(scope="module")
def data() -> StudyData:
    tables = {
        "persons": PERSONS,
        "registrations": REGISTRATIONS,
        "referrals": REFERRALS,
        "contacts": CONTACTS,
    }
    return study_data({name: draw(text) for name, text in tables.items()})


def plan(**cohort: object) -> Study:
    rules = {"observed_from": "2019-01-01", "observed_until": "2024-12-31", "include": [ADULT], **cohort}
    return study_plan({**BASE, "cohort": rules})


def values(cohort: Cohort, person: str) -> dict[str, tuple[float, float]]:
    unit = cohort.persons.query("person_id == @person and arm == 'referred'")["unit"].item()
    rows = cohort.outcomes[cohort.outcomes["unit"] == unit]
    return {row.window: (row.value, row.observed_days) for row in rows.itertuples()}


def test_the_first_referral_is_the_index_date_and_both_ends_of_a_window_count(data: StudyData) -> None:
    cohort = build_cohort(data, plan())
    anna = values(cohort, "anna")
    assert cohort.persons.query("person_id == 'anna'")["index_on"].item() == pd.Timestamp("2023-03-01")
    # 2022-03-01 is day -365 and 2023-02-28 day -1; 2022-02-28 is day -366, in the placebo window.
    assert anna["before"] == (3.0, 365.0)
    assert anna["placebo"] == (1.0, 365.0)
    # 2023-03-30 is day 29, 2023-03-31 day 30, 2024-03-29 day 394, 2024-03-30 day 395.
    assert anna["after"] == (2.0, 365.0)


def test_registration_and_death_end_the_observation(data: StudyData) -> None:
    bert = values(build_cohort(data, plan()), "bert")
    # Registered from 2022-09-01 to the day before the index date: 195 days; day 30 to death on 2023-08-01: 110.
    assert bert == {"before": (0.0, 195.0), "after": (1.0, 110.0)}


def test_each_step_is_counted_with_its_reason(data: StudyData) -> None:
    cohort = build_cohort(data, plan())
    assert cohort.attrition["n_referred"].tolist() == [6, 5, 5, 4, 3]
    assert cohort.attrition["reason_en"].tolist()[-2:] == [
        "Alive and registered with a practice at the index date",
        "adult",
    ]


def test_age_counts_completed_years_and_bands_are_half_open(data: StudyData) -> None:
    cohort = build_cohort(data, plan(bands=[18, 63, 72]))
    bands = cohort.persons.set_index("person_id")["age_band"].to_dict()
    # Dina turns 63 in June 2023, the month of her referral; Anna turns 73 in March 2023.
    assert bands == {"anna": "72+", "bert": "18-62", "dina": "63-71"}


def test_an_unknown_month_of_birth_counts_as_july(data: StudyData) -> None:
    with_eva = plan(referred_from="2021-01-01", observed_until="2021-12-31")
    early = study_data(
        {
            "persons": draw(PERSONS),
            "registrations": draw(REGISTRATIONS),
            "referrals": draw("person_id | referred_on | referrer\n eva | 2021-06-30 | gp"),
            "contacts": draw(
                "person_id | contact_on | kind | n_contacts | recall_days\n eva | 2021-01-01 | telephone | 1 |"
            ),
        }
    )
    assert build_cohort(early, with_eva).persons["age"].tolist() == [62]


def test_a_recalled_count_brings_its_own_days(data: StudyData) -> None:
    recalled = {
        **BASE["outcomes"][0],
        "exposure": "recall",
    }
    study = study_plan({**BASE, "outcomes": [recalled], "cohort": {"include": [ADULT]}})
    anna = values(build_cohort(data, study), "anna")
    # Asked on 2023-03-01 about days -91 to -1; asked on 2023-05-01 about days -30 to 60, in no window.
    assert anna == {"before": (6.0, 91.0)}


def test_a_comparison_person_serves_until_the_day_before_their_own_referral(data: StudyData) -> None:
    cohort = build_cohort(data, plan(entries=1, referred_until="2023-03-31"))
    comparison = cohort.persons[cohort.persons["arm"] == "comparison"]
    assert comparison["person_id"].tolist() == ["dina"]
    assert comparison["last_on"].item() == pd.Timestamp("2023-06-14")
    rows = cohort.outcomes[cohort.outcomes["unit"] == comparison["unit"].item()].set_index("window")
    first = comparison["index_on"].item() + pd.Timedelta(days=30)
    assert rows.loc["after", "observed_days"] == (pd.Timestamp("2023-06-14") - first).days + 1


def test_nobody_left_says_after_which_step(data: StudyData) -> None:
    rule = {"column": "age", "at_least": 200, "reason": {"nl": "oud", "en": "very old"}}
    with pytest.raises(DesignError, match="very old: 0 left"):
        build_cohort(data, plan(include=[rule]))


def test_a_rule_on_an_unknown_column_says_which_there_are(data: StudyData) -> None:
    rule = {"column": "shoe_size", "at_least": 40, "reason": {"nl": "x", "en": "x"}}
    with pytest.raises(DesignError, match="shoe_size"):
        build_cohort(data, plan(include=[rule]))


def test_no_referral_in_the_period_is_an_error(data: StudyData) -> None:
    with pytest.raises(DesignError, match="none of the 6 referrals"):
        build_cohort(data, plan(referred_from="2030-01-01"))


def test_a_share_of_everybody_is_offered_entry_dates_and_every_referred_stays() -> None:
    from tests.saved_study import small_data
    from wor_eval.assets import asset
    from wor_eval.study import read_study

    plan = read_study(asset("analyses", "before_after.toml"))
    whole = build_cohort(small_data(), plan)
    fewer = plan.cohort.model_copy(update={"offered_share": 0.25})
    part = build_cohort(small_data(), plan.model_copy(update={"cohort": fewer}))
    arms = [cohort.persons["arm"].value_counts() for cohort in (whole, part)]
    assert arms[0]["referred"] == arms[1]["referred"] > 0
    # A binomial share of about 2,000 persons has a standard deviation of 0.01: 0.05 is five of them.
    assert abs(arms[1]["comparison"] / arms[0]["comparison"] - 0.25) < 0.05
