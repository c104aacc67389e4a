"""The plan of a study of published evidence: whose entries, and which effects are pooled."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from wor_eval.plan_parts import Plan, StudyPlan, Text


class Pool(Plan):
    """Effects that may be pooled, design by design: one outcome, on one scale, in one unit."""

    outcome: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    label: Text
    scale: Literal["difference", "ratio"]
    unit: str


class PublishedStudy(StudyPlan):
    """The plan of a study of published evidence, which reads entries instead of raw tables.

    ``folders`` are folders with entries of your own, from where the study is carried out. Fewer than ``fewest``
    comparable results are not pooled.
    """

    needs_data: ClassVar[bool] = False
    kind: Literal["published_evidence"] = "published_evidence"
    folders: tuple[str, ...] = ()
    fewest: Annotated[int, Field(ge=3)] = 3
    spread: Literal["reml", "paule_mandel"] = "reml"
    pools: Annotated[tuple[Pool, ...], Field(min_length=1)]
