"""The study plan: every mistake at once, nothing unknown, and the same digest however it is laid out."""

import copy
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from wor_eval.assets import asset
from wor_eval.errors import StudyError
from wor_eval.study import Study, read_study, study_plan

TEXT = {"nl": "a", "en": "b"}
SHIPPED = sorted(asset("analyses").glob("*.toml"))
PLAN: dict[str, Any] = {
    "name": "trial",
    "title": TEXT,
    "question": TEXT,
    "seed": 1,
    "cohort": {
        "bands": [18, 65],
        "entries": 1,
        "include": [{"column": "age", "at_least": 18, "reason": TEXT}],
    },
    "windows": {"placebo": [-730, -366], "before": [-365, -1], "after": [30, 394], "quarters": 4},
    "outcomes": [{"name": "gp_contacts", "label": TEXT}],
    "design": {"ratio": 2},
    "effects": [{"contrast": "before_after", "outcomes": ["gp_contacts"], "headline": True}],
}


def with_parts(**parts: Any) -> dict[str, Any]:
    """The plan with keys of its sections, or whole sections, put in; None takes a key out."""
    content = copy.deepcopy(PLAN)
    for name, part in parts.items():
        merges = isinstance(part, dict) and isinstance(content.get(name), dict)
        content[name] = {**content[name], **part} if merges else part
        if content[name] is None:
            del content[name]
    return content


def refusal(**parts: Any) -> tuple[str, ...]:
    with pytest.raises(StudyError) as caught:
        study_plan(with_parts(**parts))
    return caught.value.problems


def test_mistakes_in_different_places_are_told_together():
    content = with_parts(
        seed=None,
        title={"nl": "a", "en": 3},
        colour="blue",
        cohort={"bands": [65, 18]},
        windows={"before": [-365, 10]},
        outcomes=[{"name": "GP contacts", "label": TEXT}],
        effects=[{"contrast": "sideways", "outcomes": ["gp_contacts"], "headline": True}],
        disclosure={"max_share": 2},
    )
    with pytest.raises(StudyError) as caught:
        study_plan(content, origin="trial.toml")
    told = {problem.split(":")[0] for problem in caught.value.problems}
    assert told >= {
        "cohort.bands",
        "colour",
        "disclosure.max_share",
        "effects.0.contrast",
        "outcomes.0.name",
        "seed",
        "title.en",
        "windows",
    }
    assert str(caught.value).startswith("trial.toml cannot be carried out as it stands\n  - ")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"windows": {"before": [-365, 10], "months": [3, 1]}}, ("before", "months")),
        (
            {"cohort": {"bands": [65, 18], "include": [{"column": "age", "reason": TEXT}]}},
            ("rising", "at_least"),
        ),
        ({"outcomes": PLAN["outcomes"] * 2, "windows": {"quarters": 0}}, ("same name", "quarters")),
    ],
)
def test_mistakes_in_one_section_are_told_together(parts, words):
    told = " ".join(refusal(**parts))
    assert all(word in told for word in words)


@pytest.mark.parametrize(
    "path",
    [
        (),
        ("title",),
        ("cohort",),
        ("cohort", "include", 0),
        ("windows",),
        ("outcomes", 0),
        ("design",),
        ("effects", 0),
    ],
)
def test_an_unknown_key_is_refused_wherever_it_stands(path):
    content = copy.deepcopy(PLAN)
    place: Any = content
    for step in path:
        place = place[step]
    place["colour"] = "blue"
    with pytest.raises(StudyError, match="Extra inputs are not permitted") as caught:
        study_plan(content)
    assert caught.value.problems[0].startswith(".".join([*map(str, path), "colour:"]))


@pytest.mark.parametrize(
    ("windows", "words"),
    [
        ({"before": [-1, -365]}, "window before ends before it starts"),
        ({"after": [394, 30]}, "window after ends before it starts"),
        ({"before": [-365, 0]}, "must end before the index date"),
        ({"after": [-1, 394]}, "must not start before the index date"),
        ({"placebo": [-730, -365]}, "placebo must end before window before starts"),
        ({"placebo": [-366, -730]}, "window placebo ends before it starts"),
        ({"months": [12, -24]}, "months must rise"),
        ({"before": [-365]}, "Field required"),
        ({"quarters": -1}, "greater than or equal to 0"),
    ],
)
def test_windows_rise_and_do_not_overlap(windows, words):
    assert any(words in problem for problem in refusal(windows=windows))


@pytest.mark.parametrize("bands", [[], [65, 18], [18, 18], [-1, 65]])
def test_bands_are_rising_ages(bands):
    assert any("bands must be rising ages" in problem for problem in refusal(cohort={"bands": bands}))


@pytest.mark.parametrize(
    ("bands", "names"),
    [
        ([18, 65], ("18-64", "65+")),
        ([0], ("0+",)),
        ([18, 45, 65, 75], ("18-44", "45-64", "65-74", "75+")),
    ],
)
def test_bands_are_named_by_their_ages(bands, names):
    assert study_plan(with_parts(cohort={"bands": bands})).cohort.band_names == names


def test_a_period_ends_after_it_starts():
    told = refusal(cohort={"referred_from": date(2023, 1, 1), "referred_until": date(2022, 1, 1)})
    assert "ends before it starts" in told[0]


def headlines(*flags: bool) -> list[dict[str, Any]]:
    effect = {"contrast": "before_after", "outcomes": ["gp_contacts"]}
    return [{**effect, "headline": flag} for flag in flags]


@pytest.mark.parametrize(
    "parts",
    [
        {"effects": headlines(False)},
        {"effects": headlines(True, True)},
        {
            "outcomes": [{"name": name, "label": TEXT} for name in ("a", "b")],
            "effects": [{"contrast": "before_after", "outcomes": ["a", "b"], "headline": True}],
        },
    ],
)
def test_there_is_one_headline_on_one_outcome(parts):
    assert any("must be the headline" in problem for problem in refusal(**parts))


def test_the_headline_and_an_outcome_are_found_by_name():
    study = study_plan(with_parts(effects=headlines(False, True)))
    assert study.headline is study.effects[1]
    assert study.outcome("gp_contacts") is study.outcomes[0]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"outcomes": PLAN["outcomes"] * 2}, "two outcomes have the same name"),
        ({"outcomes": [{"name": "visits", "label": TEXT}]}, "not in the plan: gp_contacts"),
        ({"cohort": {"entries": 0}}, "a design needs comparison persons"),
        ({"windows": {"placebo": None}}, "windows.placebo is needed"),
        ({"windows": {"quarters": 3}}, "windows.quarters must be 4 or more"),
        ({"design": {"history": "level"}}, "windows.years must be 2 or more"),
        (
            {"design": None, "effects": [{**PLAN["effects"][0], "contrast": "after_only"}]},
            r"contrast after_only needs a [design]",
        ),
    ],
)
def test_the_parts_fit_together(parts, words):
    assert any(words in problem for problem in refusal(**parts))


@pytest.mark.parametrize("method", ["full", "exact", "ipw", "overlap", "entropy"])
def test_a_method_is_not_asked_for_what_it_does_not_do(method):
    design = {"method": method, "caliper": 0.2, "ratio": 2, "replacement": True, "order": "random"}
    told = refusal(design=design, windows={"before": [-1, -365]})
    assert any("window before ends before it starts" in problem for problem in told)  # all problems at once
    ours = " ".join(problem for problem in told if problem.startswith("design"))
    for words in ("caliper = 0.2", "ratio = 2", "replacement = true", 'order = "random"'):
        assert f"method {method} does not use {words}: leave it out, or use nearest, mahalanobis" in ours
    assert "caliper_sd" not in ours


def test_a_caliper_is_a_matter_of_pairs():
    assert study_plan(with_parts(design={"method": "optimal"})).design.caliper == 0.2
    plan = study_plan(with_parts(design={"method": "full", "ratio": 4}))
    assert plan.design.caliper is None
    assert study_plan(plan.model_dump(mode="json")) == plan
    with pytest.raises(StudyError, match="optimal does not use order"):
        study_plan(with_parts(design={"method": "optimal", "order": "random", "caliper": 0.1}))


def test_the_windows_of_a_plan_by_name():
    content = with_parts(windows={"months": [-1, 1], "quarters": 4, "years": 3})
    windows = study_plan(content).windows
    assert windows.monthly() == {"month-1": (-30, -1), "month+0": (0, 29), "month+1": (30, 59)}
    assert windows.quarterly()["quarter-1"] == (-91, -1)
    assert windows.quarterly()["quarter-4"] == (-364, -274)
    assert windows.yearly() == {"year-2": (-730, -366), "year-3": (-1095, -731)}
    assert list(windows.all())[:3] == ["placebo", "before", "after"]
    assert len(windows.all()) == 3 + 4 + 2 + 3


def test_a_plan_is_frozen():
    study = study_plan(PLAN)
    with pytest.raises(ValidationError, match="frozen"):
        study.seed = 2  # type: ignore[misc]


TOML = """
seed = 1
title = { nl = "a", en = "b" }
question = { nl = "a", en = "b" }
{extra}
[cohort]
bands = [18, 65]
[windows]
before = [-365, -1]
after = [30, 394]
[[outcomes]]
name = "gp_contacts"
label = { nl = "a", en = "b" }
[[effects]]
contrast = "before_after"
outcomes = ["gp_contacts"]
headline = true
"""
LAID_OUT_OTHERWISE = """
# the same plan, with the keys in another order, sections spelled out and a default written down
effects = [{ headline = true, outcomes = ["gp_contacts"], contrast = "before_after" }]
outcomes = [{ label.en = "b", label.nl = "a", name = "gp_contacts" }]
question.en = "b"
question.nl = "a"
replicates = 2_000
seed = 1
[title]
en = "b"
nl = "a"
[windows]
after  = [ 30, 394 ]
before = [ -365, -1 ]
[cohort]
bands = [ 18,
          65 ]
"""


def read(folder: Path, text: str, *, name: str = "trial") -> Study:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return read_study(path)


def test_the_digest_does_not_depend_on_the_layout(tmp_path):
    plain = read(tmp_path / "one", TOML.replace("{extra}", ""))
    other = read(tmp_path / "two", LAID_OUT_OTHERWISE)
    assert plain == other
    assert plain.digest == other.digest
    assert len(plain.digest) == 64


@pytest.mark.parametrize("extra", ["replicates = 500", "[disclosure]\nmin_persons = 11"])
def test_the_digest_depends_on_every_choice(tmp_path, extra):
    plain = read(tmp_path / "one", TOML.replace("{extra}", ""))
    assert read(tmp_path / "two", TOML.replace("{extra}", extra)).digest != plain.digest
    assert read(tmp_path / "three", TOML.replace("{extra}", ""), name="other").digest != plain.digest


def test_a_saved_plan_is_the_same_plan():
    study = study_plan(with_parts(cohort={"referred_from": date(2022, 1, 1)}))
    again = study_plan(study.model_dump(mode="json"))
    assert again == study
    assert again.digest == study.digest


def test_a_plan_that_cannot_be_read(tmp_path):
    with pytest.raises(StudyError, match=r"there is no study plan nowhere\.toml"):
        read_study(tmp_path / "nowhere.toml")
    with pytest.raises(StudyError, match=r"trial\.toml is not valid TOML"):
        read(tmp_path, "seed = ")
    (tmp_path / "latin.toml").write_bytes("title = 'één'".encode("cp1252"))
    with pytest.raises(StudyError, match="not valid TOML"):
        read_study(tmp_path / "latin.toml")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_plans_can_be_read(path):
    study = read_study(path)
    assert study.name == path.stem
    assert study.assumptions, "a study states what it assumes"
    if isinstance(study, Study):
        assert {effect for effect in study.effects if effect.headline} == {study.headline}


def test_a_plan_is_shipped():
    assert "before_after" in {path.stem for path in SHIPPED}


def test_windows_of_an_outcome_hold_those_that_contrasts_and_history_read():
    shipped = tomllib.loads(asset("analyses", "matched_cohort.toml").read_text(encoding="utf-8"))
    content = {"name": "trial", **copy.deepcopy(shipped)}
    content["outcomes"][0]["windows"] = {"before": [-100, -1], "after": [0, 200]}
    with pytest.raises(StudyError) as refused:
        study_plan(content)
    said = str(refused.value)
    assert "gp_contacts: contrast against_earlier_year needs placebo;" in said
    assert "history of [design] needs quarter-1, quarter-2, quarter-3, quarter-4;" in said
    content["design"] |= {"history": "year", "exact": ["sex"]}
    content["effects"][0]["contrast"] = "difference_in_differences"
    assert study_plan(content).headline.outcomes == ("gp_contacts",)
