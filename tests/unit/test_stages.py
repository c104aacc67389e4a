"""A run that is killed goes on from its last finished stage, and gives the same; what is kept is closed to others."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.saved_study import raw_tables
from wor_eval.assets import asset
from wor_eval.cli import main
from wor_eval.errors import WorEvalError
from wor_eval.kept import counted_parts
from wor_eval.stages import Steps, Store, stage_store
from wor_eval.study import Study, read_study

PLAN = asset("analyses", "before_after.toml")


def plan() -> Study:
    read = read_study(PLAN)
    assert isinstance(read, Study)
    return read


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw tables as files: two processes must see the same digest."""
    place = tmp_path_factory.mktemp("study") / "data"
    place.mkdir()
    tables = raw_tables(persons=2000, scenario="effect", seed=4)
    for name in (
        "persons",
        "registrations",
        "referrals",
        "contacts",
    ):  # without costs and answers it is quick
        tables[name].to_parquet(place / f"{name}.parquet", index=False)
    return place


KILLED = """
import os, signal, sys
from wor_eval.cli import main
import wor_eval.cli
def say(text):
    print(text, flush=True)
    if "table 3 of" in text:
        os.kill(os.getpid(), signal.SIGKILL)
wor_eval.cli._say = say
main(sys.argv[1:])
"""


def test_a_killed_run_goes_on_from_its_last_finished_stage(folder: Path, tmp_path: Path, capsys) -> None:
    words = ["run", "before_after", "--data", str(folder), "--out", str(tmp_path / "results")]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *words], capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "results").exists()
    kept = tmp_path / ".wor_eval_stages" / "before_after"
    assert len(list(kept.glob("*.stage"))) == 3  # the cohort, and two tables
    assert kept.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in kept.iterdir()} == {0o600}

    assert main(words) == 0
    out = capsys.readouterr().out
    assert out.count("finished by an earlier run, taken over") == 3
    assert not kept.exists()

    words[-1] = str(tmp_path / "at_once")
    assert main([*words, "--no-stages"]) == 0
    assert not (tmp_path / ".wor_eval_stages" / "before_after").exists()
    whole, resumed = tmp_path / "at_once" / "before_after", tmp_path / "results" / "before_after"
    names = sorted(path.name for path in whole.iterdir())
    assert sorted(path.name for path in resumed.iterdir()) == names
    assert len(names) > 10
    for name in names:
        assert (resumed / name).read_bytes() == (whole / name).read_bytes(), name


def frames(value: int = 1) -> dict[str, pd.DataFrame]:
    return {
        "a": pd.DataFrame(
            {"n": [value, 2], "x": [0.1, float("nan")], "passed": [True, None], "word": ["é", None]}
        ),
        "b": pd.DataFrame({"day": pd.to_datetime(["2022-01-01"]), "kind": pd.Categorical(["u"])}),
    }


def kept(
    store: Store, *, inputs: str = "data", parts: object = None, value: int = 1
) -> dict[str, pd.DataFrame]:
    return dict(Steps(store=store, inputs=inputs).keep("stage", parts, lambda: frames(value)))


def test_a_stage_is_found_by_what_it_depends_on(tmp_path: Path) -> None:
    store = Store(folder=tmp_path / "stages")
    first = kept(store, value=1)
    assert kept(store, value=9)["a"]["n"].tolist() == [1, 2]
    assert kept(store, inputs="other data", value=9)["a"]["n"].tolist() == [9, 2]
    assert kept(store, parts={"seed": 2}, value=8)["a"]["n"].tolist() == [8, 2]
    for name, frame in frames().items():
        pd.testing.assert_frame_equal(first[name], frame)


def test_a_damaged_stage_is_made_again(tmp_path: Path) -> None:
    store = Store(folder=tmp_path / "stages")
    kept(store)
    (path,) = store.folder.glob("*.stage")
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole[:300] + bytes([whole[300] ^ 255]) + whole[301:]):
        path.write_bytes(damaged)
        assert kept(store, value=5)["a"]["n"].tolist() == [5, 2]
        path.write_bytes(whole)
    assert kept(store, value=5)["a"]["n"].tolist() == [1, 2]


def test_two_runs_side_by_side_do_not_disturb_each_other(tmp_path: Path) -> None:
    one, other = (Store(folder=tmp_path / "stages") for _ in range(2))
    kept(one)
    kept(other, inputs="its own")
    one.clear()
    assert len(list(other.folder.glob("*.stage"))) == 1
    assert kept(other, inputs="its own", value=9)["a"]["n"].tolist() == [1, 2]
    assert kept(other, value=9)["a"]["n"].tolist() == [9, 2]  # gone with the first run: made again
    other.clear()
    assert not other.folder.exists()


def test_what_a_killed_run_left_half_written_is_removed(tmp_path: Path) -> None:
    store = Store(folder=tmp_path / "stages")
    store.folder.mkdir()
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    dead, alive = (store.folder / f"x.{pid}.part" for pid in (gone.stdout.strip(), os.getppid()))
    dead.touch()
    alive.touch()
    kept(store)
    assert alive.exists()
    assert not dead.exists()


def test_a_full_disk_does_not_stop_a_run(tmp_path: Path) -> None:
    (tmp_path / "stages").write_text("a file where the folder should be")
    told: list[str] = []
    steps = Steps(say=told.append, store=Store(folder=tmp_path / "stages"), inputs="data")
    assert steps.keep("stage", None, frames)["a"]["n"].tolist() == [1, 2]
    assert "cannot be kept" in told[0]


def test_stages_never_stand_among_the_results(tmp_path: Path) -> None:
    with pytest.raises(WorEvalError, match="hold data of persons"):
        stage_store(tmp_path / "results" / "stages", study="x", results=tmp_path / "results")


def test_texts_of_a_plan_do_not_make_a_run_begin_anew() -> None:
    said = plan().model_copy(update={"title": plan().question, "assumptions": ()})
    asked = plan().model_copy(update={"seed": 1})
    assert counted_parts(said) == counted_parts(plan())
    assert counted_parts(asked) != counted_parts(plan())
