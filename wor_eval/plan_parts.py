"""What plans are made of: what every kind of plan holds, frozen parts without unknown keys, texts in both languages."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Lang = Literal["nl", "en"]
DayNumber = Annotated[int, Field(ge=-36_525, le=36_525)]
"""A day from the index date, within a century on either side: beyond it a digit too many was typed."""
Days = tuple[DayNumber, DayNumber]
Day = Annotated[date, Field(ge=date(1900, 1, 1), le=date(2100, 12, 31))]
Age = Annotated[int, Field(le=150)]
Year = Annotated[int, Field(ge=1900, le=2100)]
Engine = Literal["duckdb", "pyspark"]


def group_names(limits: tuple[int, ...]) -> tuple[str, ...]:
    """Name half-open groups of age by their lower limits.

    Examples
    --------
    >>> group_names((18, 65))
    ('18-64', '65+')
    """
    closed = [f"{low}-{high - 1}" for low, high in pairwise(limits)]
    return (*closed, f"{limits[-1]}+")


class Plan(BaseModel):
    """A part of a plan: frozen, with no unknown keys, numbers finite, and ``true`` or ``false`` never read as 1 or 0."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, content: Any) -> Any:
        fields = cls.model_fields
        given = content.items() if isinstance(content, Mapping) else ()
        wrong = [
            name
            for name, value in given
            if isinstance(value, bool) and name in fields and fields[name].annotation is not bool
        ]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: true or false is not a value of this key")
        return content


class Text(Plan):
    """One text in both languages of the package."""

    nl: str
    en: str

    def in_(self, lang: Lang) -> str:
        """Give the text in one language."""
        return self.nl if lang == "nl" else self.en


class Assumption(Plan):
    """An assumption, printed in every report of the study."""

    text: Text
    basis: Text
    impact: Literal["low", "moderate", "high"]


class Disclosure(Plan):
    """What may leave the building; the defaults are the rules Statistics Netherlands (CBS) works with.

    Attributes
    ----------
    min_persons : int
        Fewest persons behind a number that is shown (CBS: 10).
    max_share : float
        Largest share of a total that one contributor may have (CBS: one half).
    min_df : int
        Fewest degrees of freedom of a model (CBS: 10).
    hide_zeros : bool
        Whether a count of nobody is hidden too (CBS: only where a group as a whole would be known by it).
    round_to : int
        Base to which every count of persons is rounded instead of being hidden; 0 hides. What rests on too few
        persons is hidden either way.
    """

    min_persons: Annotated[int, Field(ge=1, le=10**9)] = 10
    max_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    min_df: Annotated[int, Field(ge=0, le=10**9)] = 10
    hide_zeros: bool = False
    round_to: Annotated[int, Field(ge=0, le=10**9)] = 0


class StudyPlan(Plan):
    """What the plan of every kind of study holds.

    ``kind`` says what kind of study it is, and with that which model checks the plan, which function makes its
    tables and which report shows them. A kind whose plan says ``needs_data = False`` is carried out without raw
    tables.
    """

    needs_data: ClassVar[bool] = True

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    kind: str
    title: Text
    question: Text
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    engine: Engine = "duckdb"
    assumptions: tuple[Assumption, ...] = ()
    disclosure: Disclosure = Disclosure()

    @property
    def digest(self) -> str:
        """SHA-256 of the plan, independent of how the TOML was laid out and of the engine: that asks nothing else."""
        return plan_digest(self.model_dump(mode="json"))


def plan_digest(content: Mapping[str, Any]) -> str:
    """Give the SHA-256 of a plan as nested mappings, whatever engine it names."""
    asked = {name: value for name, value in content.items() if name != "engine"}
    return hashlib.sha256(json.dumps(asked, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
