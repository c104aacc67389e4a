"""Tables and figures of a report: whole, in both languages, and never more than was saved."""

import dataclasses
import inspect
import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from tests.saved_study import PERSONS, saved, saved_hidden
from wor_eval.assets import asset
from wor_eval.data.dictionary import read_dictionary
from wor_eval.report import figures, tables, terms, words
from wor_eval.report.checklist import where
from wor_eval.report.columns import HIDDEN, columns_of, report_table
from wor_eval.report.results import Results, describe_table
from wor_eval.report.terms import term

LANGS = pytest.mark.parametrize("lang", ["nl", "en"])
RATIO = {"contrast": "before_after", "scale": "ratio"}
TABLES = {
    "attrition": {},
    "characteristics": {},
    "rates": {},
    "effects": RATIO,
    "interaction": {},
    "change": {},
    "concentration": {},
    "composition": {},
    "regression_to_mean": {},
    "windows": {},
    "gates": {},
    "provenance": {},
}
FIGURES = ("flow", "forest", "course", "regression_to_mean")
every_table = pytest.mark.parametrize("name", TABLES)
every_figure = pytest.mark.parametrize("name", FIGURES)


def cells(line: str) -> list[str]:
    """The cells of one line of a pipe table; an escaped bar is part of its cell."""
    assert line.startswith("| ")
    assert line.endswith(" |")
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def shown(name: str, results: Results) -> list[list[str]]:
    """A table as a report shows it: header, alignment, rows."""
    markdown = getattr(tables, name)(results, **TABLES[name])._repr_markdown_()
    assert markdown.endswith("|\n")
    return [cells(line) for line in markdown.splitlines()]


@pytest.fixture(scope="module")
def all_hidden() -> Results:
    return saved_hidden()


# Tables


@LANGS
@every_table
def test_a_table_is_a_whole_pipe_table(name, lang):
    header, align, *rows = shown(name, saved(lang))
    assert rows
    assert all(header)
    assert all(re.fullmatch(r":---|---:", mark) for mark in align)
    assert {len(row) for row in rows} == {len(header)} == {len(align)}
    for row in rows:
        for cell in row:
            assert cell, "an empty cell says nothing: a dash is missing, a cross is hidden"
            assert cell.lower() not in ("nan", "none", "<na>")


@every_table
def test_both_languages_show_the_same_rows_in_other_words(name):
    dutch, english = shown(name, saved("nl")), shown(name, saved("en"))
    assert len(dutch) == len(english)
    assert dutch[1] == english[1]
    assert dutch[0] != english[0]


@LANGS
def test_numbers_are_written_as_the_language_does(lang):
    rows = shown("effects", saved(lang))[2:]
    sign = "," if lang == "nl" else r"\."
    to = "tot" if lang == "nl" else "to"
    for row in rows:
        assert re.fullmatch(rf"\d+{sign}\d\d", row[2])
        assert re.fullmatch(rf"\d+{sign}\d\d {to} \d+{sign}\d\d", row[3])
        assert re.fullmatch(rf"(< )?\d{sign}\d{{3}}", row[4])


def test_a_table_shows_the_saved_numbers():
    results = saved("en")
    frame = results.table("effects").query("contrast == 'before_after' and scale == 'ratio'")
    rows = shown("effects", results)[2:]
    assert len(rows) == len(frame)
    for row, (_, effect) in zip(rows, frame.iterrows(), strict=True):
        assert row[0] == term(effect["age_band"], "en")
        assert row[1] == term(effect["method"], "en")
        assert row[2] == f"{effect['estimate']:.2f}"
        assert row[3] == f"{effect['conf_low']:.2f} to {effect['conf_high']:.2f}"
        assert row[5] == f"{effect['n_referred']:.0f}"


def test_methods_can_be_chosen():
    table = tables.effects(saved("en"), **RATIO, methods=["gee_poisson"])
    assert {row[1] for row in table.rows} == {term("gee_poisson", "en")}


@every_table
def test_hidden_rows_show_crosses_and_no_numbers(name, all_hidden):
    if name in ("windows", "provenance"):
        return
    header, _, *rows = shown(name, all_hidden)
    described = {
        label["en"]
        for field, label in describe_table(name).labels.items()
        if field in ("extreme_share", "limit", "age_band")
    }
    for row in rows:
        numeric = [cell for head, cell in zip(header[1:], row[1:], strict=True) if head not in described]
        assert tables.HIDDEN in numeric
        assert all(cell == tables.HIDDEN or not re.search(r"\d", cell) for cell in numeric)


@every_table
def test_as_many_crosses_as_hidden_cells(name):
    """Rows that are hidden in the saved table, and only those, show crosses."""
    results = saved("en")
    if name in ("windows", "provenance", "characteristics"):
        return
    frame = results.table(name)
    if name == "rates":
        frame = frame[(frame["arm"] == "referred") & (frame["outcome"] == "gp_contacts")]
    if name == "effects":
        frame = frame[(frame["contrast"] == "before_after") & (frame["scale"] == "ratio")]
    crossed = [tables.HIDDEN in row for row in shown(name, results)[2:]]
    assert crossed == frame["suppressed"].tolist()
    if name == "change":
        assert any(crossed), "the small study must hide something for this test to say anything"


def test_texts_of_a_plan_stay_within_their_cell():
    results = saved("en")
    frame = results.table("attrition").assign(reason_en="Aged 18 | or\nover")
    broken = dataclasses.replace(results, tables={**results.tables, "attrition": frame})
    header, _, *rows = shown("attrition", broken)
    assert {len(row) for row in rows} == {len(header)}
    assert rows[0][0] == r"Aged 18 \| or over"


def test_a_band_without_a_value_shows_a_dash():
    results = saved("en")
    frame = results.table("characteristics")
    gone = (frame["variable"] == "n_chronic") & (frame["age_band"] == "65+")
    partly = dataclasses.replace(results, tables={**results.tables, "characteristics": frame[~gone]})
    row = next(row for row in shown("characteristics", partly)[2:] if row[0].startswith("Chronic"))
    assert row[2] == "–"
    assert re.match(r"\d", row[1])


def test_provenance_leads_back_to_plan_and_data():
    results = saved("en")
    text = tables.provenance(results)._repr_markdown_()
    manifest = results.manifest
    for value in (manifest["plan_digest"][:16], manifest["data_digest"][:16], str(manifest["seed"])):
        assert value in text
    assert f"| {sum(manifest['rows_suppressed'].values())} |" in text
    assert f"pandas {pd.__version__}" in text


# Words for codes


def codes(results: Results) -> set[str]:
    """Every code in the results that a report shows in words."""
    shown_in_words = {
        "method",
        "scale",
        "contrast",
        "direction",
        "persons",
        "window",
        "arm",
        "variable",
        "level",
    }
    found: set[str] = set()
    for name, table in results.tables.items():
        if name.startswith(("cost_", "score_", "event_")):  # test_outcome_tables.py looks at these
            continue
        for column in shown_in_words & set(table.columns):
            found |= set(table[column].astype(str))
    return found - {"mean"}


def test_every_code_in_the_results_has_words():
    without = {code for code in codes(saved()) | {"all"} if term(code, "nl") == code}
    assert not without


def test_words_are_there_in_both_languages_and_are_not_codes():
    for code, (dutch, english) in terms._TERMS.items():
        assert dutch, code
        assert english, code
        assert "_" not in dutch + english, code


def test_every_sex_of_the_dictionary_has_a_word():
    codes_of_sex = asset("data_dictionary", "codes", "sex.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert read_dictionary().tables["persons"].columns["sex"].codes == "sex"
    for line in codes_of_sex:
        code = line.split(",")[0]
        assert term(code, "nl") != code


def test_a_code_without_words_stays_as_it_is():
    assert term("18-64", "nl") == "18-64"


# Figures


@LANGS
@every_figure
def test_a_figure_is_the_same_bytes_twice(name, lang):
    draw = getattr(figures, name)
    one, two = draw(saved(lang)), draw(saved(lang))
    assert one.svg == two.svg
    assert one.png == two.png
    assert one.png.startswith(b"\x89PNG")
    root = ET.fromstring(one.svg)
    assert root.tag.endswith("svg")
    assert not re.search(r"\d{4}-\d\d-\d\dT", one.svg), "a date would change the bytes"
    bundle = one._repr_mimebundle_()
    assert set(bundle) == {"image/svg+xml", "image/png", "text/plain"}
    assert bundle["text/plain"] == one.alt == repr(one).removeprefix("Picture(").removesuffix(")")


@LANGS
@every_figure
def test_a_figure_says_in_words_what_it_shows(name, lang):
    alt = getattr(figures, name)(saved(lang)).alt
    assert len(alt) > 20
    assert "nan" not in alt
    if name != "flow":
        assert re.search(r"\d,\d" if lang == "nl" else r"\d\.\d", alt)


def test_the_words_of_the_forest_are_the_numbers_of_the_table():
    results = saved("en")
    alt = figures.forest(results).alt
    for row in tables.effects(results, **RATIO).rows:
        assert f"{row[0]}, {row[1]}: {row[2]} ({row[3]})" in alt


def test_the_flow_says_who_was_left():
    results = saved("nl")
    alt = figures.flow(results).alt
    for row in tables.attrition(results).rows:
        assert f"{row[0]}: {row[1]}" in alt


@every_figure
def test_a_figure_draws_no_persons(name):
    """A study of thousands draws some tens of marks and ticks (the letters are other shapes)."""
    marks = len(re.findall(r'<use [^>]*href="#m', getattr(figures, name)(saved("en")).svg))
    assert marks < 150 < PERSONS


def test_no_function_of_a_report_takes_a_cohort():
    """Tables, figures and words see saved results only, so they cannot show a person."""
    for module in (tables, figures, words):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_"):
                names = set(inspect.signature(function).parameters)
                assert not names & {"cohort", "data", "persons"}, f"{module.__name__}.{name}"


@LANGS
@every_figure
def test_a_figure_of_hidden_values_says_so(name, lang, all_hidden):
    alt = getattr(figures, name)(all_hidden.in_(lang)).alt
    if name == "flow":
        assert alt.count(tables.HIDDEN) == len(all_hidden.table("attrition"))
    else:
        assert alt == term("nothing_to_show", lang)
        assert alt != "nothing_to_show"


def test_a_hidden_step_hides_what_was_left_out():
    results = saved("en")
    frame = results.table("attrition").astype({"n_referred": "float"})
    frame["n_referred"] = [500.0, np.nan, 400.0, 380.0, 360.0, 340.0, 320.0][: len(frame)]
    svg_of = figures.flow(dataclasses.replace(results, tables={**results.tables, "attrition": frame})).alt
    assert f": {tables.HIDDEN};" in svg_of


# Columns


def test_columns_write_what_is_known_and_hide_what_is_hidden() -> None:
    column = columns_of(saved("nl"), "effects")
    rows = pd.DataFrame(
        {
            "n_referred": [1200, 3],
            "estimate": [0.1234, 0.5],
            "conf_low": [0.05, 0.1],
            "conf_high": [0.2, 0.9],
            "suppressed": [False, True],
        }
    )
    shown_columns = [
        column.count("n_referred"),
        column.number("estimate", lambda row: 3 if row["n_referred"] > 1000 else 1),
        column.percent("estimate", 1).always(),
        column.interval(times=100),
    ]
    table = report_table(rows, shown_columns)
    assert table.headers[0] == describe_table("effects").labels["n_referred"]["nl"]
    assert table.headers[3] == "95%-BI"
    assert table.rows == (
        ("1.200", "0,123", "12,3%", "5,00 tot 20,00"),
        (HIDDEN, HIDDEN, "50,0%", HIDDEN),
    )


@pytest.mark.parametrize("unknown", [("conf_low",), ("conf_high",), ("conf_low", "conf_high")])
def test_an_interval_without_a_limit_is_one_dash(unknown) -> None:
    row = {"conf_low": 0.1, "conf_high": 0.2, "suppressed": False} | dict.fromkeys(unknown, np.nan)
    table = report_table(pd.DataFrame([row]), [columns_of(saved(), "effects").interval()])
    assert table.rows == (("–",),)


def test_a_checklist_refuses_a_place_it_does_not_know() -> None:
    with pytest.raises(KeyError, match="none:nowhere"):
        where("sec-who none:nowhere", {})
