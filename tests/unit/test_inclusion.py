"""The rules of a plan: who is in, and what a rule cannot ask of a column."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from wor_eval.cohort.attrition import Attrition
from wor_eval.cohort.inclusion import apply_rules
from wor_eval.errors import DesignError
from wor_eval.study import Rule, Text

UNITS = pd.DataFrame(
    {
        "arm": ["referred", "referred", "comparison", "comparison"],
        "sex": ["F", "M", "F", None],
        "age": [40, 70, 66, 18],
        "quintile": [1.0, 3.0, float("nan"), 3.0],  # whole numbers become floats beside an empty cell
        "died_on": pd.to_datetime(["2023-01-01", None, None, None]),
        "person_id": list("abcd"),
    }
)


def kept(*rules: dict[str, Any]) -> str:
    made = tuple(Rule(reason=Text(nl="r", en="r"), **rule) for rule in rules)
    return "".join(apply_rules(UNITS, made, Attrition())["person_id"])


@pytest.mark.parametrize(
    ("rule", "who"),
    [
        ({"column": "age", "at_least": 40, "at_most": 69}, "ac"),
        ({"column": "sex", "one_of": ("F",)}, "ac"),
        ({"column": "age", "one_of": ("40", "18")}, "ad"),
        ({"column": "quintile", "one_of": ("3",)}, "bd"),
        ({"column": "quintile", "at_least": 1}, "abd"),
        ({"column": "quintile", "one_of": ("1", "3"), "at_most": 2}, "a"),
    ],
)
def test_a_rule_keeps_who_meets_it_and_an_empty_cell_does_not(rule: dict[str, Any], who: str) -> None:
    assert kept(rule) == who


def test_every_rule_that_cannot_be_carried_out_is_named_at_once() -> None:
    with pytest.raises(DesignError) as refused:
        kept(
            {"column": "sex", "at_least": 1},
            {"column": "died_on", "at_most": 5, "at_least": 1},
            {"column": "sex", "one_of": ("female",)},
            {"column": "urbanity", "at_least": 5},
            {"column": "age", "at_least": 18},
        )
    said = refused.value.problems
    assert said[:4] == (
        "sex: at_least are for columns of numbers; name its values in one_of",
        "died_on: at_least and at_most are for columns of numbers; name its values in one_of",
        "sex: one_of names no value of this column (female)",
        "urbanity: the cohort has no such column",
    )
    assert len(said) == 5


def test_a_rule_that_leaves_nobody_referred_shows_how_many_each_rule_left() -> None:
    with pytest.raises(DesignError, match="no referred person meets all rules") as refused:
        kept({"column": "sex", "one_of": ("F",)}, {"column": "age", "at_least": 60})
    assert refused.value.problems == ("r: 1 left", "r: 0 left")
