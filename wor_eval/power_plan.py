"""The planning part of a plan: how many referrals there will be, and what is taken to be so until the data are in.

Nothing about a domain has a default: every input carries its source.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wor_eval.economics_plan import Input
from wor_eval.plan_parts import Plan, Text

_MOST_PERSONS = 2_000_000


class PowerPlan(Plan):
    """What a power calculation needs to know beside the plan itself.

    ``sizes`` are the referrals per practice that are simulated, ``ratios`` the true rate ratios (no effect is always
    simulated too), ``target`` the power that is wanted, and ``errors`` what the standard errors of the test are
    robust to. ``months`` of inclusion give ``referrals_per_year`` their total. ``practice_correlation`` is the
    intra-practice correlation of the change of referred persons; ``loss`` the share that cannot be followed to the
    end of window after; ``peak_share`` the share that is referred on a peak, the others on their permanent level.
    ``candidates`` are comparison candidates per referral. ``contacts`` says where level and spread of contacts come
    from.
    """

    simulations: Annotated[int, Field(ge=20)]
    sizes: Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=2)]
    ratios: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(min_length=2)]
    target: Annotated[float, Field(gt=0.5, lt=1)]
    errors: Literal["set", "practice"]
    practices: Input
    referrals_per_year: Input
    months: Input
    older_share: Input
    peak_share: Input
    loss: Input
    practice_correlation: Input
    candidates: Input
    contacts: Text

    @model_validator(mode="after")
    def _possible(self) -> Self:
        wrong = {
            "sizes must rise": list(self.sizes) != sorted(set(self.sizes)),
            "ratios must fall": list(self.ratios) != sorted(set(self.ratios), reverse=True),
            "practices: two or more are needed": self.practices.value < 2,
            "months: give a number above zero": self.months.value <= 0,
            "referrals_per_year: give a number above zero": self.referrals_per_year.value <= 0,
            "older_share: a share between 0 and 1": self.older_share.value > 1,
            "peak_share: a share between 0 and 1": self.peak_share.value > 1,
            "loss: a share below 1": self.loss.value >= 1,
            "practice_correlation: a correlation below 1": self.practice_correlation.value >= 1,
            "candidates: ten or more per referral, or nobody will be alike": self.candidates.value < 10,
            f"sizes must hold the planned referrals per practice: {self.planned_size:g}, referrals_per_year times months "
            "over twelve": self.planned_size not in self.sizes,
            f"sizes, practices and candidates make more than {_MOST_PERSONS} persons": self._persons()
            > _MOST_PERSONS,
        }
        problems = [problem for problem, found in wrong.items() if found]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def planned_size(self) -> float:
        """Referrals per practice in the months of the plan."""
        return round(self.referrals_per_year.value * self.months.value / 12, 6)

    def _persons(self) -> float:
        return self.sizes[-1] * self.practices.value * self.candidates.value

    def inputs(self) -> dict[str, Input]:
        """Give the inputs with their sources, by name."""
        names = (
            "practices", "referrals_per_year", "months", "older_share", "peak_share", "loss",
            "practice_correlation", "candidates",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}
