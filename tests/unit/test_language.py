"""Numbers, dates and lists as they are written in Dutch and in English."""

import math
from datetime import date

import pytest

from wor_eval.language import MISSING, day, interval, listing, number, p_value, percent


@pytest.mark.parametrize(
    ("value", "digits", "nl", "en"),
    [
        (0, 0, "0", "0"),
        (999, 0, "999", "999"),
        (1_234_567.891, 2, "1.234.567,89", "1,234,567.89"),
        (-0.5, 1, "−0,5", "−0.5"),
        (-1000, 0, "−1.000", "−1,000"),
        (0.005, 2, "0,01", "0.01"),
        (math.inf, 1, "inf", "inf"),
    ],
)
def test_numbers(value, digits, nl, en):
    assert number(value, digits, lang="nl") == nl
    assert number(value, digits, lang="en") == en


@pytest.mark.parametrize("value", [-0.0, -0.04, -1e-12])
def test_what_rounds_to_zero_has_no_sign(value):
    assert number(value, 1, lang="nl") == "0,0"


def test_the_minus_is_not_a_hyphen():
    assert number(-3, lang="en")[0] == "\u2212"


@pytest.mark.parametrize("lang", ["nl", "en"])
@pytest.mark.parametrize("value", [None, math.nan])
def test_what_is_missing_is_a_dash(value, lang):
    assert number(value, 2, lang=lang) == MISSING
    assert percent(value, lang=lang) == MISSING
    assert p_value(math.nan, lang=lang) == MISSING


def test_percentages():
    assert percent(0.154, 1, lang="nl") == "15,4%"
    assert percent(-0.2, lang="en") == "−20%"
    assert percent(0, lang="nl") == "0%"


def test_intervals_say_to_because_a_dash_beside_a_minus_cannot_be_read():
    assert interval(-1.25, 2, 1, lang="nl") == "−1,2 tot 2,0"
    assert interval(-1.25, 2, 1, lang="en") == "−1.2 to 2.0"
    assert interval(math.nan, 2, lang="en") == f"{MISSING} to 2"


@pytest.mark.parametrize(
    ("value", "en"), [(0.0, "< 0.001"), (0.00099, "< 0.001"), (0.001, "0.001"), (0.05, "0.050"), (1, "1.000")]
)
def test_p_values(value, en):
    assert p_value(value, lang="en") == en
    assert p_value(value, lang="nl") == en.replace(".", ",")


def test_dates():
    days = [date(2024, month, 1) for month in range(1, 13)]
    assert day(days[2], lang="nl") == "1 maart 2024"
    assert day(days[2], lang="en") == "1 March 2024"
    assert len({day(date, lang="nl") for date in days}) == 12
    assert day(date(1999, 12, 31), lang="nl") == "31 december 1999"


@pytest.mark.parametrize(
    ("items", "nl"), [([], ""), (["a"], "a"), (["a", "b"], "a en b"), (["a", "b", "c"], "a, b en c")]
)
def test_lists(items, nl):
    assert listing(items, lang="nl") == nl
    assert listing(items, lang="en") == nl.replace(" en ", " and ")
