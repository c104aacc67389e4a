"""The gates of a plan: what must hold for the answer to stand."""

from typing import Annotated

from pydantic import Field

from wor_eval.plan_parts import Plan as _Plan


class Gates(_Plan):
    """What must hold for the headline to stand, declared before the answer is known; each may be left out.

    Attributes
    ----------
    balance : float, optional
        Largest absolute standardised difference of a covariate of the design after matching. The shipped plans take
        0.25: beyond it, adjustment by regression cannot be trusted (Rubin 2001, doi:10.1023/A:1020363010465, as summed up
        by Stuart 2010, doi:10.1214/09-STS313). From 0.1 a report flags it (Austin 2009, doi:10.1002/sim.3697).
    placebo : float, optional
        How far off one (as a ratio of at least 1) the 95 % interval of the placebo contrast may lie; with 1 it must
        cover one.
    overlap : float, optional
        Smallest share of the referred who have a comparison. The 0.8 of the shipped plans is their own choice.
    sets : int, optional
        Fewest sets; without a design, fewest persons seen in both windows. Errors robust by cluster are too small with
        few of them, where few is fewer than 20 to 50 (Cameron and Miller 2015, doi:10.3368/jhr.50.2.317); the shipped
        plans take 40.
    follow_up : float, optional
        Smallest share of window after that was observed, in either arm; for a score, of those who
        answered before, the share that answered after. The 0.8 of the shipped plans is the rule of thumb that more than
        a fifth lost puts validity in question (Sackett's, in Dettori 2011, doi:10.1055/s-0030-1267080).
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
