"""Results are saved after suppression, whole, the same bytes each time, and read back as they were."""

import dataclasses
import hashlib
import json
import platform
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.saved_study import saved_folder, small_data, small_run
from wor_eval import __version__
from wor_eval.assets import asset
from wor_eval.errors import WorEvalError
from wor_eval.report.results import RESULTS_VARIABLE, Results, load_results, save_results
from wor_eval.study import study_plan

TEXT = {"nl": "a", "en": "b"}
STUDY = study_plan(
    {
        "name": "trial",
        "title": TEXT,
        "question": TEXT,
        "seed": 7,
        "windows": {"before": [-365, -1], "after": [30, 394]},
        "cohort": {},
        "outcomes": [{"name": "gp_contacts", "label": TEXT}],
        "effects": [{"contrast": "before_after", "outcomes": ["gp_contacts"], "headline": True}],
    }
)
RATES = pd.DataFrame(
    {
        "outcome": "gp_contacts",
        "arm": "referred",
        "age_band": ["18-64", "65+", "all"],
        "window": "before",
        "n_persons": [5, 70, 75],
        "events": [31.0, 400.5, 431.5],
        "person_years": [5.0, 1 / 3, 70.123456789123],
        "rate": [6.2, 1e-12, 1234567.891234],
        "largest_share": [0.4, 0.1, 0.1],
    }
)


def results(*, rates: pd.DataFrame = RATES, data: str = "f" * 64, **tables: pd.DataFrame) -> Results:
    manifest = {"study": "trial", "data_digest": data, "observed": ["2019-01-01", "2024-12-31"], "notes": []}
    return Results(plan=STUDY, tables={"rates": rates, **tables}, manifest=manifest)


def read_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_saved_table_comes_back(tmp_path):
    save_results(results(), tmp_path)
    back = load_results("trial", folder=tmp_path).table("rates")
    assert back["suppressed"].tolist() == [True, True, False]
    assert list(back.columns) == [*RATES.columns.drop("largest_share"), "suppressed"]
    assert back.loc[2, "n_persons"] == 75
    assert back.loc[:1, ["n_persons", "events", "person_years", "rate"]].isna().all(axis=None)
    # Ten significant digits are written.
    assert back.loc[2, "rate"] == pytest.approx(RATES.loc[2, "rate"], rel=1e-9)
    assert back.loc[2, "person_years"] == pytest.approx(RATES.loc[2, "person_years"], rel=1e-9)


def test_the_plan_and_the_language_come_back(tmp_path):
    save_results(results(), tmp_path)
    back = load_results("trial", lang="nl", folder=tmp_path)
    assert back.study == STUDY
    assert back.lang == "nl"
    assert back.in_("en").lang == "en"
    assert back.in_("en").tables is back.tables
    assert "rates" in repr(back)
    with pytest.raises(WorEvalError, match="have no table balance: rates"):
        back.table("balance")


def test_every_table_of_the_shipped_study_comes_back():
    run, back = small_run(), load_results("before_after", folder=saved_folder())
    assert set(back.tables) == set(run.tables)
    for name, table in back.tables.items():
        shown = ~table["suppressed"]
        before = run.tables[name][table.columns.drop("suppressed")]
        pd.testing.assert_frame_equal(
            table.loc[shown, before.columns], before[shown.to_numpy()], check_dtype=False, rtol=1e-9
        )


def test_age_bands_and_levels_stay_text(tmp_path):
    save_results(results(rates=RATES.assign(age_band=["18", "65", "all"])), tmp_path)
    assert load_results("trial", folder=tmp_path).table("rates")["age_band"].tolist() == ["18", "65", "all"]


def test_a_table_without_rows_comes_back(tmp_path):
    columns = ["outcome", "contrast", "scale", "method", "statistic", "df", "p_value"]
    empty = pd.DataFrame(columns=[*columns, "n_referred", "n_comparison"])
    save_results(results(interaction=empty), tmp_path)
    back = load_results("trial", folder=tmp_path).table("interaction")
    assert back.empty
    assert list(back.columns) == [*empty.columns, "suppressed"]


def test_same_input_same_bytes(tmp_path):
    one, two = save_results(results(), tmp_path / "one"), save_results(results(), tmp_path / "two")
    assert read_bytes(one) == read_bytes(two)
    assert not any(b"\r" in text for text in read_bytes(one).values())


def test_the_whole_flow_gives_the_same_bytes(tmp_path):
    from wor_eval.run import run_study

    again = save_results(run_study(small_data(), small_run().study), tmp_path)
    assert read_bytes(again) == read_bytes(saved_folder() / "before_after")


def test_the_same_result_is_left_as_it_stands(tmp_path):
    place = save_results(results(), tmp_path)
    written = {path: path.stat().st_mtime_ns for path in place.iterdir()}
    assert save_results(results(), tmp_path) == place
    assert {path: path.stat().st_mtime_ns for path in place.iterdir()} == written


def test_an_older_result_that_differs_is_kept_unless_it_may_be_replaced(tmp_path):
    place = save_results(results(), tmp_path)
    old = read_bytes(place)
    other = results(data="0" * 64)
    with pytest.raises(WorEvalError, match=r"holds an older result.*--replace"):
        save_results(other, tmp_path)
    assert read_bytes(place) == old
    save_results(other, tmp_path, replace=True)
    assert json.loads(read_bytes(place)["manifest.json"])["data_digest"] == "0" * 64
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trial", "trial.withheld.csv"]


def test_a_table_that_is_gone_does_not_linger(tmp_path):
    place = save_results(results(change=change()), tmp_path)
    assert (place / "change.csv").is_file()
    save_results(results(), tmp_path, replace=True)
    assert sorted(path.name for path in place.iterdir()) == ["manifest.json", "rates.csv"]


def change() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "outcome": "gp_contacts",
            "age_band": "all",
            "direction": ["fell", "stayed", "rose"],
            "n_persons": 30,
            "share": 1 / 3,
        }
    )


def test_a_file_that_is_missing_or_was_changed_is_refused(tmp_path):
    place = save_results(results(change=change()), tmp_path)
    rates = place / "rates.csv"
    rates.write_text(rates.read_text().replace("75", "57"))
    (place / "change.csv").unlink()
    with pytest.raises(WorEvalError, match="run the study again") as caught:
        load_results("trial", folder=tmp_path)
    assert caught.value.problems == ("change.csv: missing", "rates.csv: changed by hand")


def test_a_result_that_was_changed_is_not_taken_for_the_same(tmp_path):
    place = save_results(results(), tmp_path)
    (place / "rates.csv").write_text("edited\n")
    with pytest.raises(WorEvalError, match="holds an older result"):
        save_results(results(), tmp_path)
    save_results(results(), tmp_path, replace=True)
    assert load_results("trial", folder=tmp_path).table("rates")["suppressed"].sum() == 2


def test_results_that_are_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(RESULTS_VARIABLE, raising=False)
    with pytest.raises(WorEvalError, match="there are no results of study trial: run `wor-eval run` first"):
        load_results("trial", folder=tmp_path / "nowhere")
    with pytest.raises(WorEvalError, match="there are no results"):
        load_results("trial")


def test_results_are_found_as_a_report_finds_them(tmp_path, monkeypatch):
    monkeypatch.delenv(RESULTS_VARIABLE, raising=False)
    save_results(results(), tmp_path / "results")
    inner = tmp_path / "reports" / "deep"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert load_results("trial").manifest["data_digest"] == "f" * 64
    save_results(results(data="0" * 64), tmp_path / "named")
    monkeypatch.setenv(RESULTS_VARIABLE, str(tmp_path / "named"))
    assert load_results("trial").manifest["data_digest"] == "0" * 64


def test_a_table_that_is_not_described_is_refused(tmp_path):
    with pytest.raises(WorEvalError, match="balance_by_moon is not described"):
        save_results(results(balance_by_moon=RATES), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_columns_that_are_not_described_are_refused(tmp_path):
    strange = RATES.assign(person_id="p1").drop(columns="rate")
    with pytest.raises(WorEvalError, match="rates is not as data_dictionary/results describes") as caught:
        save_results(results(rates=strange), tmp_path)
    assert caught.value.problems == ("person_id", "rate")
    assert list(tmp_path.iterdir()) == []


def test_the_share_of_the_largest_contributor_is_never_saved():
    assert "largest_share" in small_run().tables["rates"].columns
    for path in (saved_folder() / "before_after").iterdir():
        assert "largest_share" not in path.read_text(encoding="utf-8")


def test_no_person_is_saved():
    for path in (saved_folder() / "before_after").glob("*.csv"):
        header = path.read_text(encoding="utf-8").splitlines()[0].split(",")
        assert not {"person_id", "practice_id"} & set(header)


def test_no_small_count_is_saved():
    folder = saved_folder() / "before_after"
    limit = small_run().study.disclosure.min_persons
    for path in folder.glob("*.csv"):
        table = pd.read_csv(path)
        described = yaml.safe_load(
            asset("data_dictionary", "results", path.name).with_suffix(".yaml").read_text("utf-8")
        )
        for column in described["disclosure"]["persons"]:
            counts = table[column].dropna()
            assert ((counts == 0) | (counts >= limit)).all(), f"{path.name}: {column}"


def test_the_manifest_says_where_the_numbers_come_from():
    folder = saved_folder() / "before_after"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    study = small_run().study
    assert manifest["plan_digest"] == study.digest
    assert study_plan(manifest["plan"]) == study
    assert manifest["seed"] == study.seed
    assert manifest["data_digest"] == small_data().digest
    assert manifest["versions"]["wor_eval"] == __version__
    assert manifest["versions"]["python"] == platform.python_version()
    assert manifest["versions"]["pandas"] == pd.__version__
    tables = {path.name for path in folder.glob("*.csv")}
    assert set(manifest["files"]) == tables
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    hidden = {path.stem: int(pd.read_csv(path)["suppressed"].sum()) for path in folder.glob("*.csv")}
    assert manifest["rows_suppressed"] == hidden
    assert not {"date", "time", "host", "user"} & set(manifest), "the same bytes, whoever runs it and when"


def test_a_stricter_plan_hides_more(tmp_path):
    strict = STUDY.model_copy(update={"disclosure": STUDY.disclosure.model_copy(update={"min_persons": 80})})
    place = save_results(dataclasses.replace(results(), plan=strict), tmp_path)
    assert pd.read_csv(place / "rates.csv")["suppressed"].all()


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WorEvalError, match="cannot write in"):
        save_results(results(), tmp_path / "file")


def test_the_output_checker_is_told_what_is_hidden_and_why_but_not_what_it_was(tmp_path):
    save_results(results(), tmp_path)
    log = pd.read_csv(tmp_path / "trial.withheld.csv")
    assert log["table"].tolist() == ["rates", "rates"]
    assert log["reason"].tolist() == ["persons", "linked"]
    assert log["row"].tolist() == [
        "outcome=gp_contacts; arm=referred; age_band=18-64; window=before",
        "outcome=gp_contacts; arm=referred; age_band=65+; window=before",
    ]
    save_results(results(rates=RATES.assign(n_persons=[50, 70, 120])), tmp_path, replace=True)
    assert pd.read_csv(tmp_path / "trial.withheld.csv").empty
