"""The words after ``wor-eval``: each command with its arguments and what it says of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final, TypeAlias

import wor_eval

_FORMATS: Final = ("html", "pdf", "docx")
_SCENARIOS: Final = ("effect", "null-peak", "null-level", "mixed")
_WHERE: Final = "folder with the raw tables, TOML file with [sources], or database (duckdb:FILE, sqlite:FILE, postgres://...)"


def command_parser() -> argparse.ArgumentParser:
    """Make the parser of ``wor-eval``; the command is told by its name, as ``command``."""
    whole = argparse.ArgumentParser(
        prog="wor-eval",
        description="Evaluate Welzijn op Recept: from raw tables to a report.",
        epilog="Each command has its own --help.",
    )
    whole.add_argument("--version", action="version", version=f"wor-eval {wor_eval.__version__}")
    commands = whole.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    _add_simulate(commands)
    _add_check(commands)
    _add_map(commands)
    _add_new(commands)
    _add_sort(commands)
    _add_run(commands)
    _add_power(commands)
    _add_report(commands)
    _add_verify(commands)
    _add_codebook(commands)
    _add_demo(commands)
    _add_docs(commands)
    return whole


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add(commands: Commands, name: str, says: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=says, description=says)
    return parser


def _add_size(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--persons", type=int, default=20_000, help="persons (default: 20000)")
    parser.add_argument("--seed", type=int, default=1, help="seed (default: 1)")


def _add_results(parser: argparse.ArgumentParser, *, of: str) -> None:
    parser.add_argument("--out", type=Path, default=Path("results"), help="results folder (default: results)")
    parser.add_argument("--replace", action="store_true", help=f"replace an older result of this {of}")


def _add_simulate(commands: Commands) -> None:
    parser = _add(commands, "simulate", "write a synthetic study whose true effect is known")
    parser.add_argument("folder", type=Path, help="folder to make; it must not exist yet")
    _add_size(parser)
    parser.add_argument(
        "--scenario",
        choices=_SCENARIOS,
        default="effect",
        help="who is referred and whether it helps (default: effect)",
    )
    parser.add_argument(
        "--format", choices=("csv", "parquet"), default="csv", help="file format (default: csv)"
    )
    parser.add_argument(
        "--layout",
        choices=("cbs", "vektis", "his", "wor"),
        help="write the files as that source would deliver them, to rehearse a study before the data arrive",
    )


def _add_check(commands: Commands) -> None:
    parser = _add(commands, "check", "list every rule of the data dictionary that the raw tables break")
    parser.add_argument("data", help=_WHERE)


def _add_map(commands: Commands) -> None:
    parser = _add(commands, "map", "propose how the columns of a foreign file become those of the codebook")
    parser.add_argument("file", type=Path, help="file in any format that can be read")
    parser.add_argument("--table", help="table of the codebook (default: the one of which most is found)")
    parser.add_argument(
        "--out", type=Path, help="mapping to write (default: the name of the file with .toml, here)"
    )


def _add_new(commands: Commands) -> None:
    parser = _add(commands, "new", "write a plan with comments and its reports, to start a study from")
    parser.add_argument("study", help="name of the study: lower-case letters, digits and underscores")
    parser.add_argument(
        "--like", default="before_after", help="shipped plan to start from (default: before_after)"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path(), help="where its folder is made (default: here)"
    )


def _add_sort(commands: Commands) -> None:
    says = "write the raw tables as Parquet sorted by person, which large studies are read and summed from in less time"
    parser = _add(commands, "sort", says)
    parser.add_argument("data", help=_WHERE)
    parser.add_argument("folder", type=Path, help="folder to make; it must not exist yet")


def _add_run(commands: Commands) -> None:
    parser = _add(commands, "run", "carry out a study plan on raw tables and save its results")
    parser.add_argument("plan", type=Path, help="study plan (TOML), or the name of one that is shipped")
    parser.add_argument(
        "--data", help=f"{_WHERE}; by default the [sources] of the plan; not for studies that read none"
    )
    _add_results(parser, of="study")
    parser.add_argument(
        "--engine", choices=("duckdb", "pyspark"), help="where events are summed (default: as the plan says)"
    )
    parser.add_argument(
        "--stages",
        type=Path,
        metavar="FOLDER",
        help="where finished stages are kept until the results stand, closed to others: they hold data of persons "
        "(default: .wor_eval_stages beside the results folder)",
    )
    parser.add_argument(
        "--keep-stages", action="store_true", help="do not remove them when the study is done"
    )
    parser.add_argument(
        "--no-stages", action="store_true", help="keep nothing: begin anew after an interruption"
    )


def _add_power(commands: Commands) -> None:
    says = "before the study: simulate what the headline of a plan can find, and save it as <plan>_power"
    parser = _add(commands, "power", says)
    parser.add_argument(
        "plan", type=Path, help="study plan (TOML) with a [power] part, or the name of one that is shipped"
    )
    _add_results(parser, of="plan")


def _add_report(commands: Commands) -> None:
    parser = _add(commands, "report", "render the reports of a study from its saved results")
    parser.add_argument("study", help="name of the study")
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="results folder (default: results)"
    )
    parser.add_argument("--out", type=Path, default=Path("site"), help="folder for the pages (default: site)")
    parser.add_argument("--lang", choices=("nl", "en"), help="one language (default: both)")
    parser.add_argument("--reports", type=Path, help="folder with STUDY.nl.qmd and STUDY.en.qmd of your own")
    parser.add_argument(
        "--to",
        type=_formats,
        default=("html",),
        metavar="FORMATS",
        help="formats with commas between them: html, pdf, docx (default: html)",
    )


def _formats(text: str) -> tuple[str, ...]:
    """Read a list of formats with commas between them."""
    named = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not named or set(named) - set(_FORMATS):
        raise argparse.ArgumentTypeError(f"{text}: choose from {', '.join(_FORMATS)}")
    return named


def _add_verify(commands: Commands) -> None:
    parser = _add(
        commands, "verify", "recompute the digests of saved results and say what differs; 1 if anything does"
)  # fmt: skip
    parser.add_argument("folder", type=Path, help="folder with the results of one study: results/STUDY")
    parser.add_argument("--data", help=f"the raw tables they should come from: {_WHERE}")
    parser.add_argument(
        "--plan", type=Path, help="study plan (TOML) they should come from, or a shipped name"
    )


def _add_codebook(commands: Commands) -> None:
    parser = _add(commands, "codebook", "print the codebook of the raw tables as Markdown")
    parser.add_argument("--lang", choices=("nl", "en"), default="nl", help="language (default: nl)")


def _add_demo(commands: Commands) -> None:
    parser = _add(commands, "demo", "simulate, run and report in one go")
    parser.add_argument(
        "--folder", type=Path, default=Path("demo"), help="folder for everything (default: demo)"
    )
    _add_size(parser)
    parser.add_argument("--scenario", choices=_SCENARIOS, default="effect", help="default: effect")


def _add_docs(commands: Commands) -> None:
    parser = _add(
        commands, "docs", "make the teaching site of a checkout: its pages run, its functions listed"
    )
    parser.add_argument("source", type=Path, help="folder with the pages: docs")
    parser.add_argument("--out", type=Path, default=Path("site"), help="folder for the site (default: site)")
