"""Writes a proposed mapping as TOML with comments, for a person to look over and change."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wor_eval.data.propose import Match, Proposal
from wor_eval.errors import DataError
from wor_eval.whole import whole_file

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_HEAD = (
    "A proposed mapping: look over every line. wor-eval check lists what it leaves wrong.",
    "To use it, name it in [sources] of a TOML file beside the data:",
    "",
)


def write_proposal(proposal: Proposal, path: Path | str) -> Path:
    """Write a proposed mapping.

    Parameters
    ----------
    proposal : Proposal
        The mapping.
    path : pathlib.Path or str
        The TOML file to make; it may not exist.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    DataError
        If there is a file of that name.
    """
    path = Path(path)
    if path.exists():
        raise DataError(f"{path.name} exists and is not overwritten: remove it, or name another file")
    text = _document(proposal, path.stem).as_string()
    with whole_file(path) as place:
        place.write_text(text, encoding="utf-8", newline="\n")
    return path


def _document(proposal: Proposal, name: str) -> TOMLDocument:
    import tomlkit

    document = tomlkit.document()
    for line in (*_HEAD, "    [sources]", f'    mapping = "{name}"', ""):
        document.add(tomlkit.comment(line) if line else tomlkit.nl())
    table = tomlkit.table()
    table.add("file", tomlkit.string(f"(?i){re.escape(proposal.file)}", literal=True))
    table.add(tomlkit.nl())
    columns = tomlkit.table()
    for match in proposal.matches:
        columns.add(match.column.name, _rule(match))
        columns[match.column.name].comment(f"{match.reason}: {match.column.label.en}")
    for column in proposal.missing:
        says = column.description.en.rstrip(".")
        columns.add(tomlkit.comment(f'{column.name} = ""   # REQUIRED, not found: {says}'))
    found = {match.column.name for match in proposal.matches}
    for column in proposal.table.columns.values():
        if column.optional and column.name not in found:
            columns.add(tomlkit.comment(f'{column.name} = ""   # optional: {column.label.en}'))
    table.add("columns", columns)
    document.add(proposal.table.name, table)
    if proposal.unused:
        document.add(tomlkit.nl())
        document.add(tomlkit.comment(f"columns of the file that are not used: {', '.join(proposal.unused)}"))
    return document


def _rule(match: Match) -> Any:
    """Return the rule of a column: its name, with its codes where they differ, or a text of several."""
    import tomlkit

    if match.text:
        return tomlkit.item(match.text)
    if not match.codes:
        return tomlkit.item(match.foreign.name)
    codes = tomlkit.inline_table()
    for code, target in match.codes.items():
        codes.append(code, target)
    rule = tomlkit.inline_table()
    rule.append("column", match.foreign.name)
    rule.append("codes", codes)
    return rule
