"""The plan of a study of reach: which period and ages, how quarters and practices are compared."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wor_eval.plan_parts import Age, Day, Plan, StudyPlan


class Funnel(Plan):
    """How practices are compared.

    ``winsorise`` is the share of the most extreme practices on each side that is drawn in before the overdispersion
    is estimated, so that true outliers do not widen the limits that should show them.
    """

    winsorise: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    overdispersion: Literal["additive", "multiplicative", "none"] = "additive"


class Reach(StudyPlan):
    """The plan of a study of reach and monitoring.

    ``age_groups`` are the lower limits of the groups of the pyramid and of standardisation, the first of them the
    youngest age that counts; ``bands`` are the lower limits of the age bands. Rates are per ``per`` person-years.
    ``intake_days``, ``activity_days`` and ``steps_days`` say within how many days of the referral an intake, a start of
    the activity and the end of the trajectory count; a referral counts for these only when it was followed so long.
    """

    kind: Literal["reach"] = "reach"
    observed_from: Day | None = None
    observed_until: Day | None = None
    age_groups: Annotated[tuple[Age, ...], Field(min_length=2)] = (18, 30, 40, 50, 60, 70, 80)
    bands: Annotated[tuple[Age, ...], Field(min_length=1)] = (18, 65)
    per: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    intake_days: Annotated[int, Field(ge=1, le=36_525)] = 60
    activity_days: Annotated[int, Field(ge=1, le=36_525)] = 120
    steps_days: Annotated[int, Field(ge=1, le=36_525)] = 365
    funnel: Funnel = Funnel()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        wrong = [
            f"{name} must be rising ages, the lower limit of each group"
            for name, limits in (("age_groups", self.age_groups), ("bands", self.bands))
            if list(limits) != sorted(set(limits)) or limits[0] < 0
        ]
        if self.bands[0] != self.age_groups[0]:
            wrong.append("bands and age_groups must start at the same youngest age")
        if self.observed_from and self.observed_until and self.observed_from > self.observed_until:
            wrong.append(f"the period {self.observed_from} to {self.observed_until} ends before it starts")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self
