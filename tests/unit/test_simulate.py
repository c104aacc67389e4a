"""The synthetic study: reproducible, consistent with itself and the dictionary, honest about selection."""

import dataclasses
import doctest
import hashlib
import importlib

import numpy as np
import pytest

from wor_eval.data import simulate
from wor_eval.data.panel import simulate_panel
from wor_eval.data.people import draw_people, n_practices
from wor_eval.data.selection import draw_referrals, draw_uptake, peak_weight
from wor_eval.data.simulate import simulate_study, simulate_tables
from wor_eval.data.synthetic_items import eq5d5l_value, swemwbs_items, whole_numbers
from wor_eval.data.timeline import draw_timeline
from wor_eval.errors import StudyError

TABLES = (
    "persons",
    "registrations",
    "practices",
    "municipalities",
    "referrals",
    "contacts",
    "costs",
    "questionnaires",
)


@pytest.fixture(scope="module")
def panel():
    return simulate_panel(persons=4_000, seed=3, scenario="effect", referral_share=0.1)


@pytest.fixture(scope="module")
def tables(panel):
    return simulate_tables(panel, seed=3)


@pytest.mark.parametrize(
    "module", ["calibration", "panel", "people", "selection", "simulate", "synthetic_items", "timeline"]
)
def test_the_examples_run(module):
    assert doctest.testmod(importlib.import_module(f"wor_eval.data.{module}")).failed == 0


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("written_as", ["csv", "parquet"])
def test_same_seed_same_bytes(tmp_path, written_as):
    runs = [
        simulate_study(tmp_path / name, persons=600, seed=seed, format=written_as)
        for name, seed in (("first", 5), ("second", 5), ("third", 6))
    ]
    first, second, third = (digests(folder) for folder in runs)
    assert first == second
    assert set(first) == {f"{name}.{written_as}" for name in TABLES} | {"truth.csv", "README.txt"}
    assert {name for name in first if first[name] == third[name]} <= {
        f"municipalities.{written_as}",
        "truth.csv",
    }
    assert "simulated" in (runs[0] / "README.txt").read_text(encoding="utf-8")


def test_same_seed_same_panel():
    first, second = (simulate_panel(persons=700, seed=9, scenario="mixed") for _ in range(2))
    for field in dataclasses.fields(first):
        assert np.array_equal(getattr(first, field.name), getattr(second, field.name)), field.name


def test_the_tables_pass_the_checks_of_the_dictionary(tmp_path):
    from wor_eval.data.dictionary import read_dictionary
    from wor_eval.data.validate import check_data

    folder = simulate_study(tmp_path / "study", persons=3_000, seed=2, scenario="mixed")
    findings = check_data(folder)
    assert [str(finding) for finding in findings if finding.severity == "error"] == []
    assert [finding.rule for finding in findings] == ["negative amount"]
    made = simulate_tables(simulate_panel(persons=600, seed=1))
    for name, schema in read_dictionary().tables.items():
        # The amounts are in euros: the column that says so may be left out.
        expected = [column for column in schema.columns if column != "currency"]
        assert list(made[name].columns) == expected, name


@pytest.mark.parametrize("scenario", ["null-peak", "null-level"])
def test_without_an_effect_the_observed_counts_are_the_counterfactual_ones(scenario):
    panel = simulate_panel(persons=1_000, seed=4, scenario=scenario)
    assert np.array_equal(panel.counts, panel.counterfactual)
    truth = simulate_tables(panel, seed=4)["truth"]
    none = truth["scale"].map({"ratio": 1.0, "difference": 0.0, "difference_per_year": 0.0})
    assert (truth["effect"] == none).all()


def test_an_effect_takes_contacts_away_after_referral_only(panel):
    after = np.arange(72) > np.where(panel.referred, panel.referral_month, 72)[:, None]
    assert np.array_equal(panel.counts[~after], panel.counterfactual[~after])
    assert (panel.counts <= panel.counterfactual).all()
    for older, ratio in ((False, 0.8), (True, 0.9)):
        rows = panel.referred & (panel.older() == older)
        kept = panel.counts[rows][after[rows]].sum() / panel.counterfactual[rows][after[rows]].sum()
        assert kept == pytest.approx(ratio, abs=0.03)  # binomial: 3,000 contacts or more, SE 0.007


@pytest.fixture(scope="module")
def ingredients():
    rng = np.random.default_rng(8)
    people = draw_people(rng, 3_000)
    uptake = draw_uptake(rng, n_practices(3_000))
    counts = (rng.poisson(0.4 * people.level, (72, 3_000)) * people.registered().T).astype(np.int16)
    return people, uptake, counts


def referrals(people, uptake, counts, *, peak_share):
    rng = np.random.default_rng(21)
    return draw_referrals(rng, people, counts, uptake=uptake, share=0.05, peak_share=peak_share)


def test_referral_on_a_peak_depends_on_observed_counts_only(ingredients):
    people, uptake, counts = ingredients
    month, kind = referrals(people, uptake, counts, peak_share=1.0)
    shuffled = np.random.default_rng(1).permutation(people.level)
    other = dataclasses.replace(people, level=shuffled, n_chronic=people.n_chronic[::-1])
    assert np.array_equal(referrals(other, uptake, counts, peak_share=1.0)[0], month)
    later = counts.copy()
    later[57:] = 9  # the last referral, in month 57, looks at months 54 to 56
    assert np.array_equal(referrals(people, uptake, later, peak_share=1.0)[0], month)
    earlier = counts.copy()
    earlier[:33] = 0  # the first referral, in month 36, looks at months 33 to 35
    assert np.array_equal(referrals(people, uptake, earlier, peak_share=1.0)[0], month)
    rows = np.flatnonzero(month >= 0)
    recent = sum(counts[month[rows] - back, rows] for back in (1, 2, 3))
    assert (peak_weight(recent, month[rows] - people.birth[rows]) > 0).all()
    assert set(kind[rows]) == {"peak"}


def test_referral_on_the_level_does_not_depend_on_counts(ingredients):
    people, uptake, counts = ingredients
    month, kind = referrals(people, uptake, counts, peak_share=0.0)
    assert np.array_equal(referrals(people, uptake, counts[:, ::-1], peak_share=0.0)[0], month)
    assert people.level[month >= 0].mean() > 1.5 * people.level.mean()
    assert set(kind[month >= 0]) == {"level"}


def test_who_is_referred(panel):
    rows = panel.referred
    month = panel.referral_month[rows]
    assert rows.mean() == pytest.approx(0.1, abs=0.02)  # 4,000 persons: SE 0.005
    assert panel.older()[rows].mean() == pytest.approx(0.6, abs=0.1)
    assert month.min() >= 36
    assert month.max() <= 57
    assert (panel.age(panel.referral_month)[rows] >= 18).all()
    start = panel.wor_from[panel.practice_at(panel.referral_month)[rows]]
    assert ((start >= 0) & (month >= start)).all()
    assert (panel.registered()[rows, month] & panel.registered()[rows, month + 1]).all()
    assert panel.counts[~panel.registered()].sum() == 0


def test_half_of_a_mixed_panel_is_referred_on_a_peak():
    panel = simulate_panel(persons=8_000, seed=5, scenario="mixed", referral_share=0.1)
    kinds = panel.selected_on[panel.referred]
    assert (kinds == "peak").mean() == pytest.approx(0.5, abs=0.07)  # 800 persons: SE 0.018, and overlap


def test_before_the_referral_the_dated_contacts_are_those_of_the_panel(panel, tables):
    dated = tables["contacts"][tables["contacts"]["recall_days"].isna()]
    person = dated["person_id"].str[1:].astype(int).to_numpy() - 1
    month = (dated["contact_on"].dt.year * 12 + dated["contact_on"].dt.month).to_numpy() - 2019 * 12 - 1
    counted = np.zeros_like(panel.counts)
    np.add.at(counted, (person, month), 1)
    end = np.where(panel.referred, panel.referral_month, 71)
    end = np.where(panel.death_month >= 0, np.minimum(end, panel.death_month), end)
    before = np.arange(72) < end[:, None]
    assert np.array_equal(counted[before], panel.counts[before])


def test_recalled_counts_are_close_to_the_dated_ones(tables):
    contacts = tables["contacts"]
    recalled = contacts[contacts["recall_days"].notna()]
    dated = contacts[contacts["recall_days"].isna()]
    pairs = recalled.merge(dated, on="person_id", suffixes=("", "_dated"))
    gap = (pairs["contact_on"] - pairs["contact_on_dated"]).dt.days
    true = ((gap >= 1) & (gap <= 91)).sum()
    assert set(recalled["recall_days"]) == {91}
    assert recalled["n_contacts"].sum() == pytest.approx(true, rel=0.05)  # forgotten and imagined cancel
    baseline = tables["questionnaires"].query("wave == 'baseline'").merge(tables["referrals"], on="person_id")
    days = (baseline["answered_on"] - baseline["referred_on"]).dt.days
    assert (baseline.assign(days=days).groupby("person_id")["days"].max() == 0).all()


def test_costs_follow_the_payers(tables):
    costs, persons = tables["costs"], tables["persons"]
    without = tables["municipalities"].query("~wmo_delivered")["municipality_code"]
    missing = persons.loc[persons["municipality_code"].isin(without), "person_id"]
    wmo = costs.query("payer == 'wmo'")
    assert len(without) == 2
    assert len(wmo) > 0
    assert not wmo["person_id"].isin(missing).any()
    credits = costs.query("amount < 0")
    assert 0 < len(credits) < 0.01 * len(costs)
    corrected = credits.assign(amount=-credits["amount"]).merge(costs, on=["person_id", "category", "amount"])
    assert corrected.groupby(["person_id", "from_on_x"]).size().min() >= 2  # the bill stands twice
    assert set(costs["price_year"]) == {2023}
    assert 8 < len(costs) / len(persons) < 16


def test_the_effect_starts_on_day_thirty(panel):
    timeline = draw_timeline(np.random.default_rng(1), panel)
    person = np.flatnonzero(panel.referred)[:1]
    day = timeline.referred[person]
    assert timeline.share_after(person, day + 29, day + 29).tolist() == [0.0]
    assert timeline.share_after(person, day + 30, day + 30).tolist() == [1.0]
    assert timeline.share_after(person, day + 28, day + 31).tolist() == [0.5]
    other = np.flatnonzero(~panel.referred)[:1]
    assert timeline.share_after(other, day + 30, day + 30).tolist() == [0.0]


def test_items_give_the_expected_score():
    rng = np.random.default_rng(2)
    items = swemwbs_items(rng, np.full(20_000, 20.3))
    assert items.min() >= 1
    assert items.max() <= 5
    raw = items.sum(axis=1)
    assert set(raw.tolist()) == {22, 23}  # metric 19.98 and 20.73, Stewart-Brown et al. 2009
    metric = np.where(raw == 22, 19.98, 20.73)
    assert metric.mean() == pytest.approx(20.3, abs=0.02)  # SE 0.0026
    assert whole_numbers(rng, np.full(20_000, 6.25), low=0, high=10).mean() == pytest.approx(6.25, abs=0.02)
    # 21111, 33333 and 55555 as published (Versteegh et al. 2016)
    profiles = np.array([[2, 1, 1, 1, 1], [3] * 5, [5] * 5, [1] * 5])
    assert eq5d5l_value(profiles) == pytest.approx([0.918, 0.511, -0.446, 1.0], abs=1e-12)


def test_a_panel_refuses_what_it_cannot_simulate():
    with pytest.raises(StudyError) as caught:
        simulate_panel(
            persons=10, scenario="none", referral_share=0.5, peak_share=2.0, effects={"18-64": 0.8}
        )
    assert len(caught.value.problems) == 5
    with pytest.raises(StudyError, match="has no effect"):
        simulate_panel(persons=1_000, scenario="null-peak", effects={"18-64": 0.8, "65+": 0.9})
    with pytest.raises(StudyError, match="band 65\\+"):
        simulate_panel(persons=1_000, scenario="effect", effects={"18-64": 0.8, "65+": 1.2})


def test_the_tables_refuse_wrong_effects(panel):
    with pytest.raises(StudyError, match="each of the bands"):
        simulate_tables(panel, cost_effects={"18-64": 0.9})
    with pytest.raises(StudyError, match="above 0"):
        simulate_tables(panel, cost_effects={"18-64": 0.9, "65+": -1.0})
    with pytest.raises(StudyError, match="from -5 to 5"):
        simulate_tables(panel, wellbeing_effects={"18-64": 9.0, "65+": 1.0})
    null = simulate_panel(persons=600, seed=1, scenario="null-level")
    with pytest.raises(StudyError, match="has no effect"):
        simulate_tables(null, wellbeing_effects={"18-64": 1.0, "65+": 1.0})


def test_a_study_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    with pytest.raises(StudyError, match="format"):
        simulate_study(tmp_path / "study", persons=600, format="xlsx")
    (tmp_path / "there").mkdir()
    with pytest.raises(StudyError, match="remove it"):
        simulate_study(tmp_path / "there", persons=600)

    def fail(*_arguments, **_options):
        raise OSError("disk full")

    monkeypatch.setattr(simulate, "_write", fail)
    with pytest.raises(OSError, match="disk full"):
        simulate_study(tmp_path / "study", persons=600)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
