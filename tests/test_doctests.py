"""Every example in a docstring or in the README runs, and shows what it says it shows."""

import doctest
import pkgutil
import re
import shutil
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

import wor_eval
from wor_eval.data.simulate import simulate_study

OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
MODULES = ["wor_eval", *sorted(found.name for found in pkgutil.walk_packages(wor_eval.__path__, "wor_eval."))]
BLOCK = re.compile(r"^```(?:python|pycon)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@cache
def examples(module: str) -> list[doctest.DocTest]:
    return [test for test in doctest.DocTestFinder().find(import_module(module)) if test.examples]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_run(module, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    for test in examples(module):
        doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=said.append)
    assert not said, "".join(said)


def test_there_are_examples():
    assert sum(len(examples(module)) for module in MODULES) > 100


def readme_blocks(root: Path) -> list[str]:
    return BLOCK.findall((root / "README.md").read_text(encoding="utf-8"))


def test_the_examples_of_the_readme_run(root, monkeypatch, tmp_path):
    """In one session, in a folder where the plans stand as in the checkout and a synthetic study as `data`."""
    blocks = readme_blocks(root)
    if not blocks:
        pytest.skip("the README has no block of Python")
    shutil.copytree(root / "analyses", tmp_path / "analyses")
    if any(">>>" not in block for block in blocks):
        simulate_study(tmp_path / "data", persons=2_000, seed=1)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    said: list[str] = []
    for number, block in enumerate(blocks, start=1):
        if ">>>" in block:
            test = doctest.DocTestParser().get_doctest(block, names, f"README block {number}", None, None)
            doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=said.append, clear_globs=False)
            names.update(test.globs)
        else:
            exec(compile(block, f"README block {number}", "exec"), names)
    assert not said, "".join(said)


def test_the_readme_names_commands_that_exist(root, capsys):
    """`wor-eval run …` in the README: the command and its options are those of the command line."""
    from wor_eval.cli import main

    text = (root / "README.md").read_text(encoding="utf-8")
    for command, rest in re.findall(r"^\s*(?:\$ )?wor-eval ([a-z]+)(.*)$", text, re.MULTILINE):
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0, command
        known = capsys.readouterr().out
        for option in re.findall(r"--[a-z]+", rest):
            assert option in known, f"wor-eval {command} {option}"
