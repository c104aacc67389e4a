"""The gates of a plan: what must hold for the answer to stand."""

from typing import Annotated

from pydantic import Field

from wor_eval.plan_parts import Plan as _Plan


class Gates(_Plan):
    """What must hold for the headline to stand, declared before the answer is known; each may be left out.

    Attributes
    ----------
    balance : float, optional
        Largest absolute standardised difference of a covariate of the design after matching.
    placebo : float, optional
        How far off one (as a ratio of at least 1) the 95 % interval of the placebo contrast may lie; with 1 it must
        cover one.
    overlap : float, optional
        Smallest share of the referred who have a comparison.
    sets : int, optional
        Fewest sets; without a design, fewest persons seen in both windows.
    follow_up : float, optional
        Smallest share of window after that was observed, in either arm; for a score, of those who
        answered before, the share that answered after.
    """

    balance: Annotated[float, Field(gt=0)] | None = None
    placebo: Annotated[float, Field(ge=1)] | None = None
    overlap: Annotated[float, Field(gt=0, le=1)] | None = None
    sets: Annotated[int, Field(ge=2)] | None = None
    follow_up: Annotated[float, Field(gt=0, le=1)] | None = None

    @property
    def declared(self) -> dict[str, float]:
        """The gates that the plan declares, with their limit."""
        return {name: float(limit) for name, limit in self.model_dump().items() if limit is not None}

    def problems(self, *, has_design: bool) -> list[str]:
        """Say which gates cannot be judged without a design."""
        needs = [name for name in ("balance", "placebo", "overlap") if getattr(self, name) is not None]
        return [] if has_design else [f"gate {name} needs a [design]" for name in needs]
