"""The rules of a plan that a person must meet to be in the cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wor_eval.cohort.attrition import Attrition
from wor_eval.errors import DesignError
from wor_eval.study import Rule

if TYPE_CHECKING:
    import pandas as pd


def apply_rules(units: pd.DataFrame, rules: tuple[Rule, ...], attrition: Attrition) -> pd.DataFrame:
    """Keep the units that meet the rules of the plan, one step of the attrition each.

    Parameters
    ----------
    units : DataFrame
        What is known of each unit at its index date, with ``arm``.
    rules : tuple of Rule
        ``[[cohort.include]]`` of the plan, in its order.
    attrition : Attrition
        Is told what every rule leaves.

    Returns
    -------
    DataFrame
        The units that are left.

    Raises
    ------
    DesignError
        A rule cannot be carried out on the column that it names, all of these at once; or it leaves nobody referred.
    """
    problems = [problem for rule in rules for problem in _problems(units, rule)]
    if problems:
        columns = f"columns are: {', '.join(sorted(units.columns))}"
        raise DesignError("rules of cohort.include cannot be carried out", problems=[*problems, columns])
    for rule in rules:
        units = units[_meets(units[rule.column], rule)]
        attrition.add(rule.reason, units)
    if not (units["arm"] == "referred").any():
        raise DesignError(
            "no referred person meets all rules of cohort.include",
            problems=[f"{row['reason_en']}: {row['n_referred']} left" for row in attrition.rows],
        )
    return units


def _problems(units: pd.DataFrame, rule: Rule) -> list[str]:
    """Say why a rule cannot be carried out: no such column, limits on text or dates, values that nobody has."""
    import pandas as pd

    if rule.column not in units:
        return [f"{rule.column}: the cohort has no such column"]
    values = units[rule.column]
    limits = [name for name in ("at_least", "at_most") if getattr(rule, name) is not None]
    if limits and not pd.api.types.is_numeric_dtype(values):
        return [
            f"{rule.column}: {' and '.join(limits)} are for columns of numbers; name its values in one_of"
        ]
    if rule.one_of is not None and len(values) and not _as_text(values).isin(rule.one_of).any():
        return [f"{rule.column}: one_of names no value of this column ({', '.join(rule.one_of)})"]
    return []


def _meets(values: pd.Series[Any], rule: Rule) -> pd.Series[bool]:
    """Tell which values meet a rule; an empty value does not."""
    met = values.notna()
    if rule.at_least is not None:
        met &= values >= rule.at_least
    if rule.at_most is not None:
        met &= values <= rule.at_most
    if rule.one_of is not None:
        met &= _as_text(values).isin(rule.one_of)
    return met


def _as_text(values: pd.Series[Any]) -> pd.Series[str]:
    """Write values as a plan does: a whole number without decimals, also where empty cells made it a float."""
    import pandas as pd

    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    return values.astype(str)
