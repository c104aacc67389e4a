"""Published evidence: every fact is an entry, what follows is recomputed, and what cannot be right is refused."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import numpy as np
import pytest

from wor_eval.assets import asset
from wor_eval.data.published import entries_digest, read_entries
from wor_eval.data.published_entry import TAKES, Entry
from wor_eval.economics.published import DESIGNS, decimals, published_tables
from wor_eval.economics.recompute import FOLLOWS, recompute
from wor_eval.effects.meta_analysis import pool_effects
from wor_eval.effects.published_numbers import persistence, wilson
from wor_eval.errors import DataError, EstimationError, StudyError
from wor_eval.run import run_study
from wor_eval.study import read_study, study_plan

PLAN = asset("analyses", "published_evidence.toml")
ENTRY = """
[source]
citation = "Made up (2024)"
reference = "none: made up for a test"
year = 2024
design = "matched"
study = { nl = "x", en = "x" }
population = { nl = "x", en = "x" }
access = { nl = "x", en = "x" }

[[printed]]
id = "difference"
quantity = { nl = "verschil", en = "difference" }
value = "VALUE"
conf_low = "LOW"
conf_high = "HIGH"
unit = "contacts_per_year"
where = { nl = "x", en = "x" }

[[effects]]
outcome = "gp_contacts"
scale = "difference"
unit = "contacts_per_year"
estimate = "difference"
"""


def entry_text(value: str, low: str, high: str) -> str:
    return ENTRY.replace("VALUE", value).replace("LOW", low).replace("HIGH", high)


def folder_of(place: Path, texts: dict[str, str]) -> Path:
    place.mkdir(exist_ok=True)
    for name, text in texts.items():
        (place / f"{name}.toml").write_text(text, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def tables():
    return run_study(None, read_study(PLAN)).tables


def one(tables, source: str, quantity: str):
    frame = tables["recomputed"]
    rows = frame[(frame["source"] == source) & (frame["quantity_en"].str.contains(quantity))]
    assert len(rows) == 1, (source, quantity)
    return rows.iloc[0]


# Every fact


def numbers_in(text: str) -> list[float]:
    """The numbers of a cell of facts: 1,956 and 28860 and -0.7, not the minus of a range or the 2 of a study's name."""
    plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    return [float(found) for found in re.findall(r"(?<![\d.\w])-?\d+(?:\.\d+)?", plain)]


def known_numbers(entries: tuple[Entry, ...], tables) -> np.ndarray:
    printed = [value for entry in entries for value, _ in entry.numbers().values()]
    return np.array([*printed, *tables["recomputed"]["recomputed"], *np.abs(printed)])


# What a row says beside its numbers: ages, years, limits of a scale, the width of an interval.
SAID_IN_WORDS = {
    15.0, 24.0, 44.0, 45.0, 50.0, 64.0, 65.0, 75.0, 95.0, 12.0, 2.0, 3.0, 10.0, 13.0, 40.0, 74.0, 18.0, 20.0, 30.0,
    1.0, 6.0, 5.0, 100.0, 2019.0, 2023.0, 2003.0, 2005.0, 2009.0, 2013.0, 2015.0, 2008.0,
}  # fmt: skip


@pytest.mark.parametrize("file", ["published_evaluations.csv", "frequent_attenders.csv"])
def test_every_number_of_the_facts_is_printed_or_recomputed(shared, tables, file):
    known = known_numbers(read_entries(), tables)
    missing = []
    with (shared / "facts" / file).open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            for column in ("printed", "value", "recomputable"):
                for number in numbers_in(row.get(column) or ""):
                    near = np.abs(known - number) <= 0.006 * max(1.0, abs(number))
                    if not near.any() and abs(number) not in SAID_IN_WORDS:
                        missing.append((row.get("study") or row.get("quantity"), column, number))
    assert not missing


def test_every_source_says_where_it_is_and_what_was_seen():
    entries = read_entries()
    assert len(entries) == 19
    for entry in entries:
        assert entry.source.found_at
        assert entry.source.access.nl
        assert entry.source.access.en
        assert entry.source.study.nl != entry.source.study.en


# Printed beside recomputed


def test_the_net_benefit_of_munford_does_not_follow(tables):
    low, high = (one(tables, "munford_2020", f"at the {which} threshold") for which in ("lower", "higher"))
    assert (low["printed"], low["recomputed"], low["gap"]) == (1956, pytest.approx(1573), pytest.approx(-383))
    assert (high["recomputed"], high["gap"]) == (pytest.approx(2133), pytest.approx(177))
    assert low["verdict"] == high["verdict"] == "does_not_follow"
    # Rounding of 0.056 hides half a thousandth of a QALY: 10 pounds at 20,000, and half a pound of cost.
    assert (low["rounding_low"], low["rounding_high"]) == (pytest.approx(1562.5), pytest.approx(1583.5))


def test_what_follows_and_what_follows_within_rounding(tables):
    carnes = one(tables, "carnes_2017", "Difference-in-differences")
    assert carnes["recomputed"] == pytest.approx(-1.8)
    assert carnes["verdict"] == "nothing_printed"
    assert one(tables, "carnes_2017", "Ratio of rate ratios")["recomputed"] == pytest.approx(0.780, abs=5e-4)
    assert one(tables, "foster_2021", "Standard error")["recomputed"] == pytest.approx(0.0357, abs=5e-5)
    assert one(tables, "foster_2021", "Standard deviation")["recomputed"] == pytest.approx(1.69, abs=5e-3)
    assert one(tables, "wildman_2023", "Test statistic")["recomputed"] == pytest.approx(-2.03, abs=5e-3)
    assert one(tables, "smits_2009", "Persistence")["verdict"] == "follows"
    # 2.77 x 1.03 is 2.853; unrounded, the error of measurement can be as high as 1.035, and 2.867 rounds to 2.87.
    assert one(tables, "shah_2018", "Smallest change")["verdict"] == "within_rounding"
    assert one(tables, "wilding_2025", "Middle")["verdict"] == "within_rounding"
    assert one(tables, "torbay_2023", "second group")["verdict"] == "follows"


def test_verdicts_by_a_search_over_what_could_have_been_rounded():
    """Brute force: values within the rounding of the parts, and whether any of them rounds to what is printed."""
    for entry in read_entries():
        known = entry.numbers()
        for item in entry.recomputed:
            found = recompute(entry, item)
            if item.printed is None:
                assert math.isnan(found.gap)
                continue
            rng = np.random.default_rng(3)
            draws = [
                rng.uniform(value - half, value + half, 300) for value, half in map(known.get, item.from_)
            ]
            follow = FOLLOWS[item.how]
            values = np.array(
                [getattr(v, "value", v) for v in (follow(*part) for part in zip(*draws, strict=True))]
            )
            printed, half = known[item.printed]
            reaches = bool((np.abs(values - printed) <= half * 1.05 + 1e-9).any())
            assert reaches == (found.verdict != "does_not_follow"), (entry.name, item.quantity.en)


def test_misquotations_stand_beside_what_the_source_says(tables):
    frame = tables["misquoted"]
    assert list(frame["source"]) == ["elston_2019", "elston_2019"]
    assert frame["rests_on"].iloc[0].split() == ["no_increase", "activity"]
    assert "50" in frame["in_fact_en"].iloc[1]
    assert "65" in frame["says_en"].iloc[1]


def test_persistence_by_simulation():
    """A million liabilities with one shared part: 4 Monte-Carlo errors of a share of 105,000 persons."""
    rng = np.random.default_rng(1)
    shared_part = rng.standard_normal(1_000_000)
    years = [np.sqrt(0.49) * shared_part + np.sqrt(0.51) * rng.standard_normal(1_000_000) for _ in range(3)]
    top = np.array([year >= np.quantile(year, 1 - 0.1055) for year in years])
    for n in (2, 3):
        share = 100 * top[:n].all(axis=0).sum() / top[0].sum()
        assert persistence(10.55, 0.49, n) == pytest.approx(share, abs=0.6)


def test_wilson_beside_statsmodels():
    from statsmodels.stats.proportion import proportion_confint

    for part, whole in ((0, 10), (3, 10), (172, 215), (1000, 1000)):
        assert wilson(part, whole) == pytest.approx(
            proportion_confint(part, whole, method="wilson"), abs=1e-12
        )


# Pooling


def test_too_few_comparable_results_are_not_pooled(tables):
    pooled = tables["pooled"]
    assert not pooled["pooled"].any()
    assert pooled["estimate"].isna().all()
    assert set(pooled["design"]) == set(DESIGNS)
    assert (pooled["n_usable"] <= pooled["n_found"]).all()
    effects = tables["published_effects"]
    carnes = effects[(effects["source"] == "carnes_2017") & (effects["scale"] == "difference")].iloc[0]
    assert carnes["estimate"] == pytest.approx(-1.8)
    assert not carnes["usable"]


def test_a_study_is_added_by_adding_a_file_and_pooled_with_its_own_design(tmp_path):
    folder = folder_of(
        tmp_path / "mine",
        {"a_2024": entry_text("-1.0", "-2.0", "0.0"), "b_2024": entry_text("-2.00", "-2.50", "-1.50")},
    )
    content = {"name": "mine", **plan_content(), "folders": [str(folder)]}
    tables = run_study(None, study_plan(content)).tables
    row = tables["pooled"].query("scale == 'difference' and design == 'matched'").iloc[0]
    assert row["pooled"]
    assert row["n_usable"] == 3
    errors = np.array([2.0, 1.0, 4 * 0.18]) / (2 * 1.959963984540054)
    expected = pool_effects([-1.0, -2.0, 4 * -1.13], errors)
    for name in ("estimate", "std_error", "conf_low", "prediction_high", "tau2"):
        assert row[name] == pytest.approx(getattr(expected, name), rel=1e-9)
    assert not tables["pooled"].query("design == 'randomised'")["pooled"].any()


def plan_content():
    import tomllib

    return tomllib.loads(PLAN.read_text(encoding="utf-8"))


# Bad input


def test_everything_wrong_is_said_at_once(tmp_path):
    good = entry_text("-1.0", "-2.0", "0.0")
    folder = folder_of(
        tmp_path / "bad",
        {
            "no_source": good.replace('reference = "none: made up for a test"\n', ""),
            "outside": entry_text("-3.0", "-2.0", "0.0"),
            "unknown": good.replace('estimate = "difference"', 'estimate = "nothing"'),
            "arity": good
            + '\n[[recomputed]]\nquantity = { nl = "x", en = "x" }\nhow = "ratio"\nfrom = ["difference"]\n',
            "broken": "[source\n",
            "carnes_2017": good,
        },
    )
    with pytest.raises(DataError) as caught:
        read_entries([folder, tmp_path / "not_there"])
    said = "\n".join(caught.value.problems)
    assert "no_source.toml: source: a source needs a doi, a url or a reference" in said
    assert "outside.toml: printed.0: the interval -2.0 to 0.0 does not contain its estimate -3.0" in said
    assert "unknown.toml: entry: effect on gp_contacts: there is no number nothing" in said
    assert "arity.toml: recomputed.0: ratio takes 2 numbers, not 1" in said
    assert "broken.toml: not valid TOML" in said
    assert "carnes_2017: two entries have this name" in said
    assert "not_there: a folder with entries (*.toml) is needed" in said
    assert len(caught.value.problems) == 7, said


def test_numbers_that_do_not_allow_a_recomputation_are_refused(tmp_path):
    wrong = entry_text("-1.0", "-2.0", "0.0") + (
        '\n[[recomputed]]\nquantity = { nl = "x", en = "x" }\nhow = "share"\nfrom = ["difference", "difference.low"]\n'
    )
    entries = read_entries([folder_of(tmp_path / "share", {"share_2024": wrong})])
    with pytest.raises(DataError, match="do not allow") as caught:
        published_tables(entries, read_study(PLAN))
    assert list(caught.value.problems) == [
        "share_2024: share of difference, difference.low: a share needs a part of at least 0 and at most the whole"
    ]


@pytest.mark.parametrize(
    ("estimate", "error", "says"),
    [
        ([1.0, 2.0], [1.0, 1.0], "at least 3"),
        ([1.0, 2.0, np.nan], [1.0, 1.0, 1.0], "1 studies have no usable"),
        ([1.0, 2.0, 3.0], [1.0, 0.0, 1.0], "1 studies have no usable"),
        ([1.0, 2.0, 3.0], [1.0, 1.0], "one length"),
    ],
)
def test_pooling_refuses(estimate, error, says):
    with pytest.raises(EstimationError, match=says):
        pool_effects(estimate, error)


def test_a_plan_with_a_mistake_is_refused():
    with pytest.raises(StudyError, match="cannot be carried out") as caught:
        study_plan({"name": "x", **plan_content(), "fewest": 2, "typo": 1})
    assert len(caught.value.problems) == 2


def test_each_recomputation_that_an_entry_may_name_is_there():
    assert set(FOLLOWS) == set(TAKES)


def test_the_digest_is_that_of_the_content():
    entries = read_entries()
    assert entries_digest(entries) == entries_digest(read_entries())
    assert entries_digest(entries) != entries_digest(entries[1:])


@pytest.mark.parametrize(("text", "n"), [("10.0", 1), ("-0.056", 3), ("1956", 0), (None, 0)])
def test_decimals_are_those_that_are_printed(text, n):
    assert decimals(text) == n
