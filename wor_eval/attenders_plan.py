"""The plan of a study of frequent attenders: who counts as one, over which years, and what is psychosocial."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wor_eval.plan_parts import Age, Plan, StudyPlan, Year

YEARS = 3
"""Years over which persistence is followed; the published figures are of three."""


class Costs(Plan):
    """Which costs frequent attenders carry: of which payers, at prices of which year."""

    payers: tuple[str, ...] = ("zvw",)
    price_year: Year


class FrequentAttenders(StudyPlan):
    """The plan of a study of frequent attenders.

    A frequent attender has at least as many contacts in a calendar year as the ``share`` of persons with most contacts,
    within sex and ``age_groups`` (lower limits, the first the youngest age that counts). Where several persons share the
    count at the threshold, ``ties = "include"`` takes all of them and ``"exclude"`` none. ``kinds`` are the kinds of
    contact that count (none: all). ``psychosocial`` are chapters or codes of ICPC. ``first_year`` is the year of
    selection; without it, the first of the whole calendar years of the data.
    """

    kind: Literal["frequent_attenders"] = "frequent_attenders"
    first_year: Year | None = None
    share: Annotated[float, Field(gt=0, lt=0.5)] = 0.10
    age_groups: Annotated[tuple[Age, ...], Field(min_length=3)] = (15, 45, 65)
    ties: Literal["include", "exclude"] = "include"
    kinds: tuple[str, ...] = ()
    psychosocial: tuple[Annotated[str, Field(pattern=r"^[A-Z]([0-9]{2})?$")], ...] = ("P", "Z")
    costs: Costs | None = None
    folds: Annotated[int, Field(ge=2, le=50)] = 10

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if list(self.age_groups) != sorted(set(self.age_groups)) or self.age_groups[0] < 0:
            raise ValueError("age_groups must be rising ages, the lower limit of each group")
        if not self.psychosocial:
            raise ValueError("psychosocial: name the chapters or codes of ICPC that count as psychosocial")
        return self
