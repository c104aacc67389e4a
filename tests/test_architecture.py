"""The rules of the house, held by reading the code: who imports whom, sizes, who opens files, the map."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "wor_eval"
STAGES = ("data", "cohort", "design", "effects", "economics", "report")
PLAN = frozenset(
    {
        "study",
        "economics_plan",
        "gates_plan",
        "outcome_plan",
        "power_plan",
        "published_plan",
        "plan_parts",
        "design_plan",
        "attenders_plan",
        "reach_plan",
    }
)
ON_TOP = (
    "errors",
    "interruption",
    "language",
    "whole",
    "assets",
    "stages",
    "kept",
    "run_effects",
    "run",
    "demo",
    "wor_eval",
)
EVERYTHING = frozenset({*STAGES, *PLAN, *ON_TOP})
TOP_LEVEL = {
    "errors": frozenset[str](),
    "assets": frozenset[str](),
    "interruption": frozenset[str](),
    "plan_parts": frozenset[str](),
    "economics_plan": frozenset({"plan_parts"}),
    "gates_plan": frozenset({"plan_parts"}),
    "design_plan": frozenset({"plan_parts"}),
    "power_plan": frozenset({"economics_plan", "plan_parts"}),
    "published_plan": frozenset({"plan_parts"}),
    "attenders_plan": frozenset({"plan_parts"}),
    "reach_plan": frozenset({"plan_parts"}),
    "study": frozenset({"errors", *PLAN}),
    "outcome_plan": frozenset({"plan_parts"}),
    "whole": frozenset({"errors"}),
    "stages": frozenset({"errors", "assets"}),
    "language": frozenset({"errors", "study"}),
    "kept": EVERYTHING - {"kept", "run_effects", "run", "demo"},
    "run_effects": EVERYTHING - {"run_effects", "run", "demo"},
    "run": EVERYTHING - {"run", "demo"},
    "demo": EVERYTHING - {"demo"},
    "cli_arguments": frozenset({"wor_eval"}),
    "cli": EVERYTHING | {"cli_arguments"},
    "wor_eval": EVERYTHING,
}
BELOW_STAGES = frozenset({*PLAN, "errors", "language", "whole", "assets"})
HEAVY = {"pandas", "scipy", "statsmodels", "matplotlib", "ibis", "duckdb", "pyarrow", "lifelines", "sklearn"}
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc"}
MAPPED = ("wor_eval", "analyses", "data_dictionary", "reports", "tests", "benchmarks")
MAX_LINES, MAX_BODY, MAX_POSITIONAL = 400, 40, 4

Function = ast.FunctionDef | ast.AsyncFunctionDef
FILES = sorted(PACKAGE.rglob("*.py"))
every_module = pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def place(path: Path) -> str:
    """The stage of a module, or the name of a top-level module (``wor_eval`` for ``__init__``)."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "wor_eval" if first == "__init__" else first


def functions(path: Path) -> Iterator[tuple[str, Function]]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, Function):
            yield f"{path.relative_to(ROOT).as_posix()}:{node.lineno} {node.name}", node


def imported(node: ast.AST) -> list[str]:
    """The modules an import statement names, dotted."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"line {node.lineno}: a relative import; write the module in full"
        name = node.module or ""
        return [f"{name}.{alias.name}" for alias in node.names] if name == "wor_eval" else [name]
    return []


def test_a_module_imports_only_from_its_left() -> None:
    wrong = []
    for path in FILES:
        here = place(path)
        if here in STAGES:
            allowed = BELOW_STAGES | set(STAGES[: STAGES.index(here) + 1])
        else:
            assert here in TOP_LEVEL, f"{here}: say in TOP_LEVEL what this new top-level module may import"
            allowed = TOP_LEVEL[here]
        names = {name for node in ast.walk(parsed(path)) for name in imported(node)}
        for name in sorted(names):
            parts = name.split(".")
            there = parts[1] if len(parts) > 1 else parts[0]
            if parts[0] == "wor_eval" and there not in allowed:
                wrong.append(f"{path.relative_to(ROOT).as_posix()} imports {name}")
    assert not wrong, "\n".join(wrong)


@every_module
def test_no_file_is_long(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{lines} lines: find the second job in it"


def body_lines(function: Function) -> int:
    """Lines from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@every_module
def test_functions_are_short_and_take_few_arguments(path: Path) -> None:
    wrong = []
    for name, function in functions(path):
        given = function.args
        positional = [a.arg for a in (*given.posonlyargs, *given.args) if a.arg not in ("self", "cls")]
        if body_lines(function) > MAX_BODY:
            wrong.append(f"{name}: {body_lines(function)} lines")
        if len(positional) > MAX_POSITIONAL:
            wrong.append(f"{name}: {len(positional)} positional arguments")
        # A decorator hands on what it was given: its types are those of the function it wraps (ParamSpec).
        handed_on = (
            given.kwarg and given.kwarg.annotation and ast.unparse(given.kwarg.annotation) == "P.kwargs"
        )
        if given.kwarg and not handed_on:
            wrong.append(f"{name}: **{given.kwarg.arg}")
    assert not wrong, "\n".join(wrong)


def calls(path: Path) -> Iterator[tuple[ast.Call, str]]:
    """Each call with its name: ``print``, ``.read_text``."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node, node.func.id
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node, f".{node.func.attr}"


OPENS = re.compile(
    r"open|\.(read|write|scan)_(text|bytes|csv|parquet|json|excel|sas|spss|table)"
    r"|\.to_(csv|parquet|json|excel|pickle|feather)|\.savefig|\.(load|save|gen)(txt|z)|\.mkdir|\.rmtree|\.mkdtemp"
)


def opens(call: ast.Call, name: str) -> bool:
    """Whether a call reads or writes a file; ``x.open(row, point)`` does not: no mode, nothing else in words."""
    if name == ".open":
        return not call.args or any(
            isinstance(a, ast.Constant) and isinstance(a.value, str) for a in call.args
        )
    return OPENS.fullmatch(name) is not None


def test_only_the_two_ends_open_files() -> None:
    ends = {"data", "report", "study", "whole", "assets", "stages"}
    inside = [path for path in FILES if place(path) not in ends]
    wrong = [
        f"{path.relative_to(ROOT).as_posix()}:{call.lineno} calls {name}"
        for path in inside
        for call, name in calls(path)
        if opens(call, name)
    ]
    assert not wrong, "\n".join(wrong)


def test_only_the_command_line_prints() -> None:
    wrong = [
        f"{path.relative_to(ROOT).as_posix()}:{call.lineno}"
        for path in FILES
        if place(path) != "cli"
        for call, name in calls(path)
        if name == "print"
    ]
    assert not wrong, "\n".join(wrong)


def loaded_at_the_top(statements: Iterable[ast.AST]) -> Iterator[str]:
    """What is imported as soon as a module is: not in functions, not under TYPE_CHECKING."""
    for node in statements:
        if isinstance(node, Function) or (
            isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        ):
            continue
        yield from imported(node)
        nested = (ast.stmt, ast.excepthandler, ast.match_case)
        yield from loaded_at_the_top(
            [child for child in ast.iter_child_nodes(node) if isinstance(child, nested)]
        )


@every_module
def test_heavy_libraries_are_imported_where_they_are_used(path: Path) -> None:
    found = {name.split(".")[0] for name in loaded_at_the_top(parsed(path).body)}
    assert not found & HEAVY


@pytest.mark.parametrize("module", ["wor_eval", "wor_eval.cli"])
def test_importing_the_package_is_cheap(module: str) -> None:
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(loaded.stdout.split()) & (HEAVY | {"numpy", "pydantic", "yaml"})


def test_every_public_name_can_be_loaded() -> None:
    import wor_eval

    for name in wor_eval.__all__:
        assert getattr(wor_eval, name) is not None
    typed = {alias.asname for node in ast.walk(parsed(PACKAGE / "__init__.py")) if isinstance(node, ast.ImportFrom)
             for alias in node.names if alias.asname}  # fmt: skip
    assert typed == set(wor_eval.__all__), "the names for mypy and the names at run time differ"


@cache
def committed() -> tuple[str, ...]:
    """The files of the project: in git, or not ignored by it."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: there is no list of committed files")
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(sorted(name for name in listed.split("\0") if name and (ROOT / name).is_file()))


def test_names_say_something() -> None:
    parts = {(name, part) for name in committed() for part in Path(name).with_suffix("").parts}
    assert not [name for name, part in parts if part in SAYS_NOTHING]


def drawn(text: str) -> list[str]:
    """The paths in the map of ARCHITECTURE.md: two spaces of indent a level, ``name/`` a folder."""
    block = re.search(r"^```tree\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert block, "ARCHITECTURE.md has no ```tree block"
    folders: list[str] = []
    paths = []
    for line in block[1].splitlines():
        level = (len(line) - len(line.lstrip())) // 2
        name, _, says = line.strip().partition(" ")
        assert says.strip(), f"the map says nothing of {name}"
        folders[level:] = [name]
        if not name.endswith("/"):
            paths.append("".join(folders))
    return paths


def test_the_map_is_the_tree(root: Path) -> None:
    patterns = drawn((root / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    files = [name for name in committed() if name.split("/")[0] in MAPPED]
    unmapped = [name for name in files if not any(fnmatch(name, pattern) for pattern in patterns)]
    gone = [pattern for pattern in patterns if not any(fnmatch(name, pattern) for name in files)]
    twice = sorted({pattern for pattern in patterns if patterns.count(pattern) > 1})
    told = [f"not in the map: {name}   {summary(root / name)}" for name in unmapped]
    told += [f"not in the tree: {pattern}" for pattern in gone]
    told += [f"twice in the map: {pattern}" for pattern in twice]
    assert not told, "\n".join(told)


def summary(path: Path) -> str:
    """What a module says of itself, as a start for its line in the map."""
    docstring = ast.get_docstring(parsed(path)) if path.suffix == ".py" else None
    return (docstring or "").partition("\n")[0]


def test_links_of_the_documents_lead_somewhere(root: Path) -> None:
    broken = [
        f"{name}: {target}"
        for name in committed()
        if name.endswith(".md")
        for target in re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", (root / name).read_text(encoding="utf-8"))
        if not (root / name).parent.joinpath(target.partition("#")[0]).exists()
    ]
    assert not broken, "\n".join(broken)


def test_the_version_is_the_same_everywhere(root: Path) -> None:
    import wor_eval

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    assert project["version"] == wor_eval.__version__ == str(citation["version"])
    assert f"## [{wor_eval.__version__}]" in changes


def test_no_machine_and_no_package_index_is_named() -> None:
    named = re.compile(
        r"(?<![\w.])/(?:work|farm|root|home|tmp|Users)/[\w.]"
        r"|(?<!no-emit-)(?:extra-)?index[-]url\b|https?://[\w.:-]+/(?:[\w-]+/)*simple\b"
    )
    found = []
    for name in committed():
        text = (ROOT / name).read_bytes().decode("utf-8", errors="ignore")
        found += [f"{name}: {match[0]}" for match in named.finditer(text)]
    assert not found, "\n".join(found)


def test_reports_import_only_the_package(root: Path) -> None:
    for report in sorted((root / "reports").glob("*.qmd")):
        named = re.findall(
            r"^\s*(?:import|from)\s+([\w.]+)", report.read_text(encoding="utf-8"), re.MULTILINE
        )
        assert {name.split(".")[0] for name in named} <= {"wor_eval"}, report.name


CONDA_NAMES = {
    "typst": "typst-py",
    "ibis-framework": "ibis-duckdb",
    "matplotlib": "matplotlib-base",
    "pypandoc_binary": "pypandoc",
}


def limits(requirements: list[str]) -> dict[str, str]:
    """Name and lower limit of each requirement, extras dropped."""
    parts = [re.sub(r"\[.*?\]", "", text).partition(">=") for text in requirements]
    return {name: limit for name, _, limit in parts}


def test_environment_yml_is_pyproject_toml(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    conda = limits(listed)
    assert conda.pop("python") == project["requires-python"].removeprefix(">=")
    wanted = {CONDA_NAMES.get(name, name): limit for name, limit in limits(project["dependencies"]).items()}
    only_conda = {"pip", "quarto", "pandoc"}
    assert set(conda) - only_conda == set(wanted)
    # Other packaging, other version numbers: the conda packages of Pandoc's binding carry no binary.
    assert {n: v for n, v in conda.items() if n in wanted and n != "pypandoc"} == {
        n: v for n, v in wanted.items() if n != "pypandoc"
    }
