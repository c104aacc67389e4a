"""The design of a plan: how comparison persons are made comparable to the referred."""

import json
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from wor_eval.plan_parts import Plan as _Plan

PAIR_METHODS: Final = ("nearest", "mahalanobis", "optimal")
"""The methods that match in pairs."""

_FOR_PAIRS: Final = ("caliper", "caliper_sd", "ratio", "replacement", "order")
_NOT_USED: Final[Mapping[str, tuple[str, ...]]] = {
    "optimal": ("order",),
    **dict.fromkeys(("full", "exact", "ipw", "overlap", "entropy"), _FOR_PAIRS),
}
"""What a design can ask and a method does not do."""


class Design(_Plan):
    """How comparison persons are made comparable to the referred.

    ``history`` says which counts before the index date count as covariates: none; the placebo year; the year
    before as one total; its quarters; or the permanent level from all earlier history together with the
    deviations from it in the last two quarters.

    ``caliper`` counts standard deviations of the logit of the propensity score, over everyone or within arms
    (``caliper_sd``), and holds for the pair methods nearest, mahalanobis and optimal alike, 0.2 unless the plan says
    otherwise; it is never a width of the Mahalanobis distance. Full and exact matching and the weights (ipw, overlap,
    entropy) have none. A plan that asks its method for what that does not do is refused.
    """

    method: Literal["nearest", "mahalanobis", "optimal", "full", "exact", "ipw", "overlap", "entropy"] = (
        "nearest"
    )
    exact: tuple[str, ...] = ("age_band", "sex")
    covariates: tuple[str, ...] = ("age",)
    history: Literal["none", "placebo", "year", "quarters", "level"] = "quarters"
    caliper: Annotated[float, Field(gt=0)] | None = 0.2
    caliper_sd: Literal["all", "pooled_within"] = "all"
    ratio: Annotated[int, Field(ge=1, le=10_000)] = 4
    replacement: bool = False
    order: Literal["largest", "smallest", "data", "random"] = "largest"
    missing: Literal["refuse", "indicator"] = "refuse"

    @model_validator(mode="after")
    def _asks_what_the_method_does(self) -> Self:
        unused = _NOT_USED.get(self.method, ())
        if "caliper" in unused and "caliper" not in self.model_fields_set:
            object.__setattr__(
                self, "caliper", None
            )  # the default is one for pairs; the plan is frozen from here on
        nothing = {name: Design.model_fields[name].default for name in unused} | {"caliper": None}
        asked = [name for name in unused if getattr(self, name) != nothing[name]]
        problems = [
            f"method {self.method} does not use {name} = {json.dumps(getattr(self, name))}: leave it out, or use "
            + ", ".join(method for method in PAIR_METHODS if name not in _NOT_USED.get(method, ()))
            for name in asked
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def history_windows(self) -> tuple[str, ...]:
        """The windows of history that the design reads, besides the earlier years of ``history = "level"``."""
        quarters = tuple(f"quarter-{back}" for back in range(1, 5))
        read = {"placebo": ("placebo",), "year": ("before",), "quarters": quarters, "level": quarters}
        recent = quarters[:1] if "recent_quarter" in self.exact else ()
        return tuple(dict.fromkeys((*recent, *read.get(self.history, ()))))
