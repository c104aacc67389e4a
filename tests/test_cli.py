"""The command line: what it says, how it ends, and the whole flow from simulated tables to a page."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import wor_eval
from tests.raw_study import small_frames, write_csv
from wor_eval.cli import main
from wor_eval.data.simulate import simulate_study
from wor_eval.errors import DataError

COMMANDS = (
    "simulate",
    "check",
    "sort",
    "new",
    "run",
    "power",
    "report",
    "verify",
    "codebook",
    "demo",
    "docs",
)
PERSONS = "2000"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a space and an accent in its name, holding a synthetic study."""
    place = tmp_path_factory.mktemp("een map met één accent")
    assert main(["simulate", str(place / "data"), "--persons", PERSONS, "--seed", "3"]) == 0
    return place


@pytest.fixture(scope="module")
def results(folder) -> Path:
    assert (
        main(["run", "before_after", "--data", str(folder / "data"), "--out", str(folder / "results")]) == 0
    )
    return folder / "results"


def says(capsys, *arguments: object, code: int) -> tuple[str, str]:
    """Run a command; give what it wrote to standard output and to standard error."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return out, err


# Help


@pytest.mark.parametrize("command", [(), *((command,) for command in COMMANDS)])
def test_every_command_has_help(capsys, command):
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert f"usage: wor-eval{''.join(f' {name}' for name in command)}" in out
    if not command:
        assert all(f"    {name}" in out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained(capsys, command):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    lines = capsys.readouterr().out.split("options:")[1].splitlines()
    for place, line in enumerate(lines):
        if line.startswith("  -"):
            words = line.strip().split("  ")[1:]
            following = lines[place + 1] if place + 1 < len(lines) else ""
            assert words or following.startswith("      "), line


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"wor-eval {wor_eval.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["fly"], ["simulate", "x", "--scenario", "miracle"], ["run"]])
def test_wrong_use_is_refused_with_code_2(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: wor-eval")


def test_help_loads_no_heavy_library():
    """Loading them costs seconds; help must answer at once (measured in benchmarks/startup.py)."""
    code = (
        "import sys\nfrom wor_eval.cli import main\n"
        "try:\n    main(['run', '--help'])\n"
        "except SystemExit:\n    pass\n"
        "print('loaded', *sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in run.stdout.split("loaded ")[1].split()}
    heavy = {
        "pandas",
        "statsmodels",
        "matplotlib",
        "ibis",
        "duckdb",
        "pydantic",
        "scipy",
        "lifelines",
        "numpy",
    }
    assert not loaded & (heavy | {"yaml", "pyarrow", "nbclient"})


def test_the_installed_command_is_this_one():
    command = Path(sys.executable).with_name("wor-eval")
    if not command.is_file():
        pytest.skip("the package is not installed in this environment")
    run = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert run.stdout == f"wor-eval {wor_eval.__version__}\n"


# The whole flow


def test_simulated_tables_pass_the_check(folder, capsys):
    out, err = says(capsys, "check", folder / "data", code=0)
    assert out.endswith("every rule of the data dictionary holds\n")
    assert err == ""


def test_a_run_tells_its_steps_and_saves_its_results(folder, results, capsys):
    place = results / "before_after"
    manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["files"]) == {path.name for path in place.glob("*.csv")}
    before = {path: path.stat().st_mtime_ns for path in place.iterdir()}
    out, _ = says(
        capsys, "run", "before_after", "--data", folder / "data", "--out", results, code=0
    )  # the same again
    steps = [line for line in out.splitlines() if line.startswith("before_after: ")]
    assert steps[0].startswith("before_after: reading")
    assert steps[1] == "before_after: cohort"
    assert any("effects" in step for step in steps)
    assert steps[-1] == f"before_after: results stand in {place}"
    assert {path: path.stat().st_mtime_ns for path in place.iterdir()} == before


def test_a_report_is_rendered_from_saved_results(folder, results, capsys):
    pages = folder / "pagina's"
    out, err = says(
        capsys, "report", "before_after", "--results", results, "--out", pages, "--lang", "nl", code=0
    )
    page = pages / "before_after.nl.html"
    assert out.splitlines() == ["before_after: report before_after.nl", str(page)]
    assert "Huisartscontacten voor en na verwijzing" in page.read_text(encoding="utf-8")
    assert [path.name for path in pages.iterdir()] == [page.name]
    assert "Error" not in err


def test_results_of_other_data_are_not_replaced_unasked(folder, results, capsys, tmp_path):
    other = tmp_path / "andere"
    says(capsys, "simulate", other, "--persons", "1500", "--format", "parquet", code=0)
    old = (results / "before_after" / "manifest.json").read_bytes()
    _, err = says(capsys, "run", "before_after", "--data", other, "--out", results, code=1)
    assert "holds an older result" in err
    assert "--replace" in err
    assert (results / "before_after" / "manifest.json").read_bytes() == old
    copied = tmp_path / "results"
    says(capsys, "run", "before_after", "--data", other, "--out", copied, code=0)
    says(capsys, "run", "before_after", "--data", other, "--out", copied, "--replace", code=0)
    assert (copied / "before_after" / "manifest.json").read_bytes() != old


def test_results_are_verified(folder, results, capsys, tmp_path):
    place, data = results / "before_after", folder / "data"
    out, _ = says(capsys, "verify", place, "--data", data, "--plan", "before_after", code=0)
    assert out.endswith("everything is as it was\n")
    assert out.count("same    ") == 6
    edited = shutil.copytree(place, tmp_path / "before_after")
    (edited / "rates.csv").write_text("edited")
    out, _ = says(capsys, "verify", edited, "--data", data, "--plan", "matched_cohort", code=1)
    assert "DIFFERS  files     rates.csv: changed by hand\n" in out
    assert "DIFFERS  plan      the results come from another plan: " in out
    assert out.endswith("not as it was: files, plan, seed\n")
    _, err = says(capsys, "verify", tmp_path, code=1)
    assert "holds no results: name a folder results/<study>" in err


@pytest.mark.parametrize("lang", ["nl", "en"])
def test_the_codebook_can_be_printed(capsys, lang):
    out, _ = says(capsys, "codebook", "--lang", lang, code=0)
    assert out.startswith("#")
    assert "person_id" in out


def test_a_demo_replaces_only_a_demo(tmp_path, capsys, monkeypatch):
    """The pages are left out here: rendering is shown above and in test_reports."""

    def index_only(studies, *, results, out, formats, progress):
        assert (results / studies[0] / "manifest.json").is_file()
        (out / "index.html").write_text("index")

    monkeypatch.setattr("wor_eval.demo.STUDIES", ("before_after",))
    monkeypatch.setattr("wor_eval.demo.render_site", index_only)
    place = tmp_path / "demo"
    place.mkdir()
    (place / "thesis.txt").write_text("mine")
    small = ("demo", "--folder", place, "--persons", "600")
    _, err = says(capsys, *small, code=1)
    assert "exists and is not overwritten" in err
    assert (place / "thesis.txt").read_text() == "mine"
    (place / "thesis.txt").unlink()
    place.rmdir()
    for seed in ("1", "2"):
        out, _ = says(capsys, *small, "--seed", seed, code=0)
        assert out.endswith(f"Open in a browser: {(place / 'index.html').resolve()}\n")
        assert [line[:5] for line in out.splitlines() if line.startswith("[")] == [
            "[1/4]",
            "[2/4]",
            "[3/4]",
            "[4/4]",
        ]
        assert f"seed={seed}" in (place / "data" / "README.txt").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


# What goes wrong


def test_a_plan_that_is_not_there(folder, capsys, tmp_path):
    _, err = says(capsys, "run", tmp_path / "nowhere.toml", "--data", folder / "data", code=1)
    assert err == "wor-eval: there is no study plan nowhere.toml\n"


def test_a_plan_with_mistakes(folder, capsys, tmp_path):
    (tmp_path / "trial.toml").write_text("seed = -1\ncolour = 'blue'\n")
    _, err = says(capsys, "run", tmp_path / "trial.toml", "--data", folder / "data", code=1)
    assert err.startswith("wor-eval: trial.toml cannot be carried out as it stands\n  - ")
    assert "colour" in err
    assert "seed" in err


def test_a_folder_with_the_name_of_a_plan_does_not_hide_it(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "before_after").mkdir()
    _, err = says(capsys, "run", "before_after", "--data", "nowhere", code=1)
    assert "there is no folder nowhere" in err


@pytest.mark.parametrize("arguments", [("check", "nowhere"), ("run", "before_after", "--data", "nowhere")])
def test_data_that_are_not_there(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    _, err = says(capsys, *arguments, code=1)
    assert err == "wor-eval: there is no folder nowhere: give the folder that holds the raw tables\n"


@pytest.fixture
def broken(tmp_path) -> Path:
    """Tables with an unknown code, a referral of nobody and a person twice."""
    frames = small_frames()
    frames["persons"].loc[2, "sex"] = "Q7"
    frames["referrals"].loc[0, "person_id"] = "8888"
    frames["registrations"].loc[3, "end_on"] = "2014-01-01"
    return write_csv(tmp_path / "data", frames)


def test_every_broken_rule_is_told_and_no_value(broken, capsys):
    out, _ = says(capsys, "check", broken, code=1)
    lines = out.splitlines()
    errors = [line for line in lines if re.match(r"\w+(\.\w+)?: .*\(\d+ rows?\)", line)]
    assert {line.split(":")[0] for line in errors} >= {"persons.sex", "referrals.person_id"}
    assert lines[-1] == f"{len(errors)} broken rules: the data cannot be used yet"
    assert "Q7" not in out
    assert "8888" not in out


def test_broken_data_are_not_run(broken, capsys, tmp_path):
    _, err = says(capsys, "run", "before_after", "--data", broken, "--out", tmp_path / "results", code=1)
    assert err.startswith("wor-eval: the data cannot be used")
    assert "persons.sex" in err
    assert "8888" not in err
    assert not (tmp_path / "results").exists()


def test_a_study_without_results(capsys, tmp_path):
    _, err = says(capsys, "report", "before_after", "--results", tmp_path, "--out", tmp_path / "site", code=1)
    assert err == "wor-eval: there are no results of study before_after: run `wor-eval run` first\n"
    assert not (tmp_path / "site").exists()


def test_a_folder_that_is_there_already(folder, capsys):
    _, err = says(capsys, "simulate", folder / "data", "--persons", PERSONS, code=1)
    assert "is there already: remove it" in err


def test_too_few_persons(capsys, tmp_path):
    _, err = says(capsys, "simulate", tmp_path / "data", "--persons", "10", code=1)
    assert "10 is fewer than" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "code", "says_what"),
    [
        (KeyboardInterrupt(), 130, "interrupted; nothing that was there is changed"),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
        (DataError("wrong", problems=["a", "b"]), 1, "wor-eval: wrong\n  - a\n  - b\n"),
    ],
)
def test_every_failure_ends_with_a_message(monkeypatch, capsys, *, error, code, says_what):
    def fail(_folder):
        raise error

    monkeypatch.setattr(wor_eval, "check_data", fail)
    out, err = says(capsys, "check", "anything", code=code)
    assert out == ""
    assert says_what in err


def test_a_study_runs_and_reports_without_the_tables_of_its_secondary_outcomes(tmp_path: Path) -> None:
    """Whoever has contacts only gets the headline; the report says what is not in the data."""
    folder = simulate_study(tmp_path / "all", persons=3000, seed=4, scenario="effect", format="parquet")
    few = tmp_path / "few"
    few.mkdir()
    for name in ("persons", "registrations", "referrals", "contacts"):
        shutil.copy(folder / f"{name}.parquet", few)
    for study in ("before_after", "matched_cohort"):
        assert main(["run", study, "--data", str(few), "--out", str(tmp_path / "results")]) == 0
        assert (
            main(
                [
                    "report",
                    study,
                    "--results",
                    str(tmp_path / "results"),
                    "--out",
                    str(tmp_path),
                    "--lang",
                    "en",
                ]
            )
            == 0
        )
        page = (tmp_path / f"{study}.en.html").read_text(encoding="utf-8")
        assert "This outcome is not in the data of this study." in page
