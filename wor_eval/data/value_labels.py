"""Value labels of SPSS and Stata: from the code in the file to the code of the dictionary.

A file may hold 1 and 2 with the labels man and woman, or 1 and 2 with the labels yes and no. The label says
what a code means; the code alone may mean the opposite.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from wor_eval.data.schema import Column, TableSchema
from wor_eval.data.writing import as_text

if TYPE_CHECKING:
    import ibis

_TRUTH = {"ja": "true", "yes": "true", "true": "true", "nee": "false", "no": "false", "false": "false"}
UNTOLD = "code whose label says nothing"
Labels = Mapping[str, Mapping[str, str]]


def translate(
    rows: ibis.Table, header: tuple[str, ...], labels: Labels, schema: TableSchema
) -> tuple[ibis.Table, tuple[str, ...]]:
    """Replace codes by the codes of the dictionary, where value labels say which.

    Parameters
    ----------
    rows : ibis.Table
        The rows as they were delivered.
    header : tuple of str
        Names of their columns.
    labels : mapping of str to mapping of str to str
        Per column the codes with their labels.
    schema : TableSchema
        What the table should hold.

    Returns
    -------
    rows : ibis.Table
        The rows with the codes of the dictionary.
    notes : tuple of str
        Which columns were read by their labels.
    """
    changed, notes = {}, []
    for stored, name in zip(rows.columns, header, strict=True):
        found = codes_by_label(labels.get(name, {}), schema.columns.get(name))
        if any(code != target for code, target in found.items()):
            text = as_text(rows[stored])
            changed[stored] = text.cases(*found.items(), else_=text)
            notes.append(f"{name}: codes read by their value labels")
    return (rows.mutate(**changed) if changed else rows), tuple(notes)


def codes_by_label(labels: Mapping[str, str], column: Column | None) -> dict[str, str]:
    """Return for each code the code of the dictionary; nothing if no label says which.

    Where some labels do and others do not, such as *unknown*, the others become a text that no rule lets through:
    they are counted and refused, and never taken for the code of the dictionary that happens to look the same.

    Examples
    --------
    >>> from wor_eval.data.dictionary import read_dictionary
    >>> sex = read_dictionary().column("persons", "sex")
    >>> codes_by_label({"1": "Man", "2": "Vrouw"}, sex)
    {'1': 'M', '2': 'F'}
    >>> codes_by_label({"1": "low", "2": "high"}, sex)
    {}
    >>> codes_by_label({"1": "Man", "2": "Vrouw", "9": "Onbekend"}, sex)["9"]
    'code whose label says nothing'
    """
    if column is None or not (column.levels or column.type == "boolean"):
        return {}
    known = dict(_TRUTH) if column.type == "boolean" else {code.lower(): code for code in column.levels}
    for code, text in column.levels.items():
        known |= {text.nl.lower(): code, text.en.lower(): code}
    found = {code: known[label.lower()] for code, label in labels.items() if label.lower() in known}
    same = {code: code for code in labels if code not in found and code in column.levels}
    untold = {code: UNTOLD for code in labels if code not in found and code not in same}
    return {**found, **same, **untold} if found else {}
