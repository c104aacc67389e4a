"""The command line ``wor-eval``: the only place that prints."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import wor_eval
from wor_eval.errors import WorEvalError

_FORMATS: Final = ("html", "pdf", "docx")
_SCENARIOS: Final = ("effect", "null-peak", "null-level", "mixed")
_WHERE: Final = "folder with the raw tables, TOML file with [sources], or database (duckdb:FILE, sqlite:FILE, postgres://...)"
Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``wor-eval``; those of the process by default.

    Returns
    -------
    int
        0, or 1 after a message on standard error; 130 after an interruption.
    """
    chosen = _parser().parse_args(arguments)
    command: Command = chosen.command
    try:
        return command(chosen)
    except WorEvalError as error:
        print(f"wor-eval: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"wor-eval: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nwor-eval: interrupted; nothing that was there is changed", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wor-eval",
        description="Evaluate Welzijn op Recept: from raw tables to a report.",
        epilog="Each command has its own --help.",
    )
    parser.add_argument("--version", action="version", version=f"wor-eval {wor_eval.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
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
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add(commands: Commands, name: str, says: str, command: Command) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=says, description=says)
    parser.set_defaults(command=command)
    return parser


def _add_simulate(commands: Commands) -> None:
    parser = _add(commands, "simulate", "write a synthetic study whose true effect is known", _simulate)
    parser.add_argument("folder", type=Path, help="folder to make; it must not exist yet")
    parser.add_argument("--persons", type=int, default=20_000, help="persons (default: 20000)")
    parser.add_argument("--seed", type=int, default=1, help="seed (default: 1)")
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
    parser = _add(
        commands, "check", "list every rule of the data dictionary that the raw tables break", _check
    )
    parser.add_argument("data", help=_WHERE)


def _add_map(commands: Commands) -> None:
    parser = _add(
        commands, "map", "propose how the columns of a foreign file become those of the codebook", _map
    )
    parser.add_argument("file", type=Path, help="file in any format that can be read")
    parser.add_argument("--table", help="table of the codebook (default: the one of which most is found)")
    parser.add_argument(
        "--out", type=Path, help="mapping to write (default: the name of the file with .toml, here)"
    )


def _add_new(commands: Commands) -> None:
    parser = _add(commands, "new", "write a plan with comments and its reports, to start a study from", _new)
    parser.add_argument("study", help="name of the study: lower-case letters, digits and underscores")
    parser.add_argument(
        "--like", default="before_after", help="shipped plan to start from (default: before_after)"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path(), help="where its folder is made (default: here)"
    )


def _add_sort(commands: Commands) -> None:
    says = "write the raw tables as Parquet sorted by person, which large studies are read and summed from in less time"
    parser = _add(commands, "sort", says, _sort)
    parser.add_argument("data", help=_WHERE)
    parser.add_argument("folder", type=Path, help="folder to make; it must not exist yet")


def _add_run(commands: Commands) -> None:
    parser = _add(commands, "run", "carry out a study plan on raw tables and save its results", _run)
    parser.add_argument("plan", type=Path, help="study plan (TOML), or the name of one that is shipped")
    parser.add_argument(
        "--data", help=f"{_WHERE}; by default the [sources] of the plan; not for studies that read none"
    )
    parser.add_argument("--out", type=Path, default=Path("results"), help="results folder (default: results)")
    parser.add_argument("--replace", action="store_true", help="replace an older result of this study")
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
    parser = _add(commands, "power", says, _power)
    parser.add_argument(
        "plan", type=Path, help="study plan (TOML) with a [power] part, or the name of one that is shipped"
    )
    parser.add_argument("--out", type=Path, default=Path("results"), help="results folder (default: results)")
    parser.add_argument("--replace", action="store_true", help="replace an older result of this plan")


def _add_report(commands: Commands) -> None:
    parser = _add(commands, "report", "render the reports of a study from its saved results", _report)
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
        commands, "verify", "recompute the digests of saved results and say what differs; 1 if anything does",
        _verify,
    )  # fmt: skip
    parser.add_argument("folder", type=Path, help="folder with the results of one study: results/STUDY")
    parser.add_argument("--data", help=f"the raw tables they should come from: {_WHERE}")
    parser.add_argument(
        "--plan", type=Path, help="study plan (TOML) they should come from, or a shipped name"
    )


def _add_codebook(commands: Commands) -> None:
    parser = _add(commands, "codebook", "print the codebook of the raw tables as Markdown", _codebook)
    parser.add_argument("--lang", choices=("nl", "en"), default="nl", help="language (default: nl)")


def _add_demo(commands: Commands) -> None:
    parser = _add(commands, "demo", "simulate, run and report in one go", _demo)
    parser.add_argument(
        "--folder", type=Path, default=Path("demo"), help="folder for everything (default: demo)"
    )
    parser.add_argument("--persons", type=int, default=20_000, help="persons (default: 20000)")
    parser.add_argument("--seed", type=int, default=1, help="seed (default: 1)")
    parser.add_argument("--scenario", choices=_SCENARIOS, default="effect", help="default: effect")


def _add_docs(commands: Commands) -> None:
    parser = _add(
        commands, "docs", "make the teaching site of a checkout: its pages run, its functions listed", _docs
    )
    parser.add_argument("source", type=Path, help="folder with the pages: docs")
    parser.add_argument("--out", type=Path, default=Path("site"), help="folder for the site (default: site)")


def _say(text: str) -> None:
    print(text, flush=True)


def _simulate(chosen: argparse.Namespace) -> int:
    folder = wor_eval.simulate_study(
        chosen.folder,
        persons=chosen.persons,
        seed=chosen.seed,
        scenario=chosen.scenario,
        format=chosen.format,
        layout=chosen.layout,
    )
    _say(f"{chosen.persons} simulated persons stand in {folder}")
    return 0


def _check(chosen: argparse.Namespace) -> int:
    findings = wor_eval.check_data(chosen.data)
    errors = [finding for finding in findings if finding.severity == "error"]
    for finding in findings:
        _say(str(finding))
    if errors:
        _say(f"{len(errors)} broken rules: the data cannot be used yet")
        return 1
    _say("every rule of the data dictionary holds")
    return 0


def _map(chosen: argparse.Namespace) -> int:
    from wor_eval.data.proposal_file import write_proposal
    from wor_eval.data.propose import propose_mapping

    proposal = propose_mapping(chosen.file, wor_eval.read_dictionary(), table=chosen.table)
    path = write_proposal(proposal, chosen.out or Path(f"{proposal.file}.toml"))
    for match in proposal.matches:
        _say(f"{proposal.table.name}.{match.column.name} <- {match.foreign.name} ({match.reason})")
    for column in proposal.missing:
        _say(f"{proposal.table.name}.{column.name}: required, and not found: name its column in {path.name}")
    _say(f"{path}: look over every line, then name it in [sources]")
    return 0


def _new(chosen: argparse.Namespace) -> int:
    from wor_eval.report.scaffold import new_study

    place = new_study(chosen.study, chosen.folder, like=chosen.like)
    _say(f"{place / chosen.study}.toml: the plan, with comments; it runs as it stands")
    _say(f"{place / 'reports'}: its reports, in Dutch and English")
    _say(f"Next: wor-eval run {place / chosen.study}.toml --data FOLDER")
    return 0


def _sort(chosen: argparse.Namespace) -> int:
    from wor_eval.data.sorting import sort_data

    _say(f"the tables stand in {sort_data(wor_eval.read_data(chosen.data), chosen.folder)}")
    return 0


def _plan(path: Path) -> Path:
    """Give the plan that is named: a file, or the name of one that is shipped."""
    from wor_eval.assets import asset

    shipped = asset("analyses", f"{path.name}.toml")
    return shipped if not path.is_file() and shipped.is_file() else path


def _run(chosen: argparse.Namespace) -> int:
    from wor_eval.run import run_study
    from wor_eval.stages import stage_store

    path = _plan(chosen.plan)
    plan = wor_eval.read_study(path)
    if chosen.engine:
        plan = plan.model_copy(update={"engine": chosen.engine})
    stages = None if chosen.no_stages else stage_store(chosen.stages, study=plan.name, results=chosen.out)
    data = _data(chosen.data or (str(path) if _names_data(path) else None), plan)
    results = run_study(data, plan, progress=lambda step: _say(f"{plan.name}: {step}"), stages=stages)
    place = wor_eval.save_results(results, chosen.out, replace=chosen.replace)
    if stages is not None and not chosen.keep_stages:
        stages.clear()
    _say(f"{plan.name}: results stand in {place}")
    return 0


def _names_data(path: Path) -> bool:
    from wor_eval.data.sources import holds_sources

    return holds_sources(path)


def _power(chosen: argparse.Namespace) -> int:
    from wor_eval.run import run_study

    plan = wor_eval.power_study(wor_eval.read_study(_plan(chosen.plan)))
    results = run_study(None, plan, progress=lambda step: _say(f"{plan.name}: {step}"))
    place = wor_eval.save_results(results, chosen.out, replace=chosen.replace)
    _say(f"{plan.name}: results stand in {place}; wor-eval report {plan.name} makes the report")
    return 0


def _data(folder: str | None, plan: wor_eval.StudyPlan) -> wor_eval.StudyData | None:
    """Read the raw tables that a study needs; None where it needs none or no folder is named."""
    if folder is None or not plan.needs_data:
        return None
    _say(f"{plan.name}: reading {folder}")
    data = wor_eval.read_data(folder)
    for note in data.notes:
        _say(f"  {note}")
    return data


def _report(chosen: argparse.Namespace) -> int:
    from wor_eval.report.site import render_study

    pages = render_study(
        chosen.study,
        results=chosen.results,
        out=chosen.out,
        langs=(chosen.lang,) if chosen.lang else ("nl", "en"),
        formats=chosen.to,
        reports=chosen.reports,
        progress=lambda step: _say(f"{chosen.study}: {step}"),
    )
    for page in pages:
        _say(str(page))
    return 0


def _verify(chosen: argparse.Namespace) -> int:
    plan = wor_eval.read_study(_plan(chosen.plan)) if chosen.plan is not None else None
    checks = wor_eval.verify_results(chosen.folder, data=chosen.data, plan=plan)
    for check in checks:
        for line in check.differs or (check.says,):
            _say(f"{'DIFFERS' if check.differs else 'same':<8} {check.part:<9} {line}")
    different = [check.part for check in checks if check.differs]
    _say(f"not as it was: {', '.join(different)}" if different else "everything is as it was")
    return 1 if different else 0


def _codebook(chosen: argparse.Namespace) -> int:
    _say(wor_eval.codebook(wor_eval.read_dictionary(), lang=chosen.lang))
    return 0


def _demo(chosen: argparse.Namespace) -> int:
    from wor_eval.demo import run_demo

    index = run_demo(
        chosen.folder,
        persons=chosen.persons,
        seed=chosen.seed,
        scenario=chosen.scenario,
        progress=_say,
    )
    _say(f"Open in a browser: {index.resolve()}")
    return 0


def _docs(chosen: argparse.Namespace) -> int:
    from wor_eval.report.docs import render_docs

    index = render_docs(chosen.source, chosen.out, progress=_say)
    _say(f"Open in a browser: {index.resolve()}")
    return 0
