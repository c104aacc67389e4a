"""The command line ``wor-eval``: the only place that prints."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import wor_eval
from wor_eval.cli_arguments import command_parser
from wor_eval.errors import WorEvalError
from wor_eval.interruption import Interruption, interruptible


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``wor-eval``; those of the process by default.

    Returns
    -------
    int
        0, or 1 after a message on standard error; 130 after an interruption, 143 when told to stop (SIGTERM).
    """
    chosen = command_parser().parse_args(arguments)
    with interruptible() as stop:
        try:
            return COMMANDS[chosen.command](chosen)
        except KeyboardInterrupt:
            return _interrupted(stop)
        except Exception as error:
            if stop.number is not None:  # a library told of the signal in its own words
                return _interrupted(stop)
            if not isinstance(error, (WorEvalError, OSError)):
                raise
            print(f"wor-eval: {error}", file=sys.stderr)
            return 1


def _interrupted(stop: Interruption) -> int:
    print("\nwor-eval: interrupted; nothing that was there is changed", file=sys.stderr)
    return stop.code


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


COMMANDS: Final[Mapping[str, Callable[[argparse.Namespace], int]]] = {
    "simulate": _simulate,
    "check": _check,
    "map": _map,
    "new": _new,
    "sort": _sort,
    "run": _run,
    "power": _power,
    "report": _report,
    "verify": _verify,
    "codebook": _codebook,
    "demo": _demo,
    "docs": _docs,
}
"""How each command of :func:`wor_eval.cli_arguments.command_parser` is carried out."""
