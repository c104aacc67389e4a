"""The indicators of monitoring as data_dictionary/indicators/ defines them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from wor_eval.assets import asset
from wor_eval.plan_parts import Text


@dataclass(frozen=True, kw_only=True, slots=True)
class Indicator:
    """What an indicator means.

    Attributes
    ----------
    name : str
        As in the results.
    unit : {"rate", "share"}
        How its value is written.
    days : str, optional
        Setting of the plan with the days within which something counts.
    label, definition, numerator, denominator, source : Text
        In both languages.
    """

    name: str
    unit: str
    label: Text
    definition: Text
    numerator: Text
    denominator: Text
    source: Text
    days: str | None = None


def read_indicators(study: str = "reach") -> Mapping[str, Indicator]:
    """Read the indicators of a kind of study, in the order of the file.

    Examples
    --------
    >>> read_indicators()["share_women"].label.en
    'Women'
    """
    content = yaml.safe_load(
        asset("data_dictionary", "indicators", f"{study}.yaml").read_text(encoding="utf-8")
    )
    found = [_indicator(entry) for entry in content["indicators"]]
    return {indicator.name: indicator for indicator in found}


def _indicator(entry: Mapping[str, object]) -> Indicator:
    texts = ("label", "definition", "numerator", "denominator", "source")
    days = entry.get("days")
    return Indicator(
        name=str(entry["name"]),
        unit=str(entry["unit"]),
        days=None if days is None else str(days),
        **{name: Text.model_validate(entry[name]) for name in texts},
    )
