"""The economic evaluation of one study: joint draws by age band, with everything that gives them meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from wor_eval.economics.checked import Floats, strategy_draws, threshold_grid
from wor_eval.economics.costs import PERSPECTIVES, Perspective, TrajectoryCosts
from wor_eval.economics.draws import StrategyDraws
from wor_eval.economics.guideline import Guideline
from wor_eval.economics.qaly import same_horizon
from wor_eval.errors import EstimationError, StudyError
from wor_eval.language import number

if TYPE_CHECKING:
    import pandas as pd

_LONGEST_UNDISCOUNTED = 1.05


@dataclass(frozen=True, kw_only=True, slots=True)
class CostEffectiveness:
    """Joint draws of cost and effect by age band; ratio, net benefit and acceptability are views of them.

    Attributes
    ----------
    strategies : tuple of str, length S
        The alternatives, the comparison first.
    bands : mapping of str to StrategyDraws
        Draws by age band, each with the same number of draws and S strategies.
    thresholds : ndarray, shape (K,)
        Euros per unit of effect at which the decision is shown.
    perspective : {"societal", "healthcare", "municipality"}
        Whose costs are counted.
    horizon_years : float
        Time over which costs and effects are counted.
    price_year : int
        Year of the prices.
    effect_unit : str
        Unit of effect, such as ``QALY``.
    trajectory_source : str
        Where the price of the trajectory comes from.
    edition : str or None
        Edition of the guideline that gave the discount rates; None within one year.
    """

    strategies: tuple[str, ...]
    bands: Mapping[str, StrategyDraws]
    thresholds: Floats
    perspective: Perspective
    horizon_years: float
    price_year: int
    effect_unit: str
    trajectory_source: str
    edition: str | None

    def to_frame(self) -> pd.DataFrame:
        """Give the draws as a frame: ``replicate, age_band, strategy, cost, effect``."""
        import pandas as pd

        parts = []
        for band, draws in self.bands.items():
            replicates, n_strategies = draws.cost.shape
            parts.append(
                pd.DataFrame(
                    {
                        "replicate": np.repeat(np.arange(replicates), n_strategies),
                        "age_band": band,
                        "strategy": np.tile(np.array(self.strategies), replicates),
                        "cost": draws.cost.ravel(),
                        "effect": draws.effect.ravel(),
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)

    def summary(self) -> str:
        """Write one line per band and strategy: incremental cost and effect against the first strategy."""
        lines = []
        for band, draws in self.bands.items():
            for s, name in enumerate(self.strategies[1:], start=1):
                cost = draws.cost_estimate[s] - draws.cost_estimate[0]
                effect = draws.effect_estimate[s] - draws.effect_estimate[0]
                euros, gain = number(float(cost), lang="en"), number(float(effect), 4, lang="en")
                lines.append(f"{band} | {name}: € {euros}, {gain} {self.effect_unit}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        about = f"{self.perspective}, {self.horizon_years:.2f} years, prices of {self.price_year}"
        return f"CostEffectiveness({' against '.join(self.strategies[::-1])}; {about})\n{self.summary()}"


def cost_effectiveness(
    draws: Mapping[str, StrategyDraws],
    *,
    strategies: Sequence[str],
    thresholds: ArrayLike,
    perspective: Perspective,
    cost_days: int,
    effect_days: int,
    price_year: int,
    effect_unit: str,
    trajectory: TrajectoryCosts | None,
    guideline: Guideline | None = None,
) -> CostEffectiveness:
    """Put joint draws together with what gives them meaning, or refuse and list why.

    Parameters
    ----------
    draws : mapping of str to StrategyDraws
        Draws by age band.
    strategies : sequence of str, length S
        The alternatives, the comparison first.
    thresholds : array-like, shape (K,)
        Euros per unit of effect, not negative.
    perspective : {"societal", "healthcare", "municipality"}
        Whose costs are in the draws.
    cost_days, effect_days : int
        Time covered by costs and by effects.
    price_year : int
        Year of the prices.
    effect_unit : str
        Unit of effect.
    trajectory : TrajectoryCosts or None
        What the trajectory cost; None is refused.
    guideline : Guideline, optional
        Needed where the horizon is longer than a year.

    Returns
    -------
    CostEffectiveness

    Raises
    ------
    StudyError
        No price of a trajectory, another price year, different horizons, no edition of the guideline, or one
        strategy only; all are listed.
    EstimationError
        Draws that are not usable.

    Examples
    --------
    >>> from wor_eval.economics.draws import model_draws
    >>> paid = TrajectoryCosts(
    ...     paid=np.array([490.0]), unpaid=np.zeros(1), payer="wmo", price_year=2024, source="plan"
    ... )
    >>> cost_effectiveness(
    ...     {"all": model_draws([[0, 50], [0, 70]], [[0, 0.01], [0, 0.02]])},
    ...     strategies=["usual care", "referral"], thresholds=[20_000], perspective="societal",
    ...     cost_days=365, effect_days=365, price_year=2024, effect_unit="QALY", trajectory=paid,
    ... )
    CostEffectiveness(referral against usual care; societal, 1.00 years, prices of 2024)
    all | referral: € 60, 0.0150 QALY
    """
    problems = []
    years = 0.0
    if perspective not in PERSPECTIVES:
        problems.append(f"perspective: one of {', '.join(PERSPECTIVES)} is needed")
    if len(strategies) < 2 or len(set(strategies)) != len(strategies):
        problems.append("strategies: at least two different ones; with one there is nothing to choose")
    if trajectory is None:
        problems.append("trajectory: the cost of Welzijn op Recept itself is missing; there is no default")
    elif trajectory.price_year != price_year:
        problems.append(
            f"price_year: {price_year}, but the trajectory is in prices of {trajectory.price_year}"
        )
    try:
        years = same_horizon(cost_days=cost_days, effect_days=effect_days)
    except StudyError as error:
        problems.append(error.message)
    if years > _LONGEST_UNDISCOUNTED and guideline is None:
        problems.append(f"guideline: {years:.1f} years need discounting; name the edition of the guideline")
    if problems or trajectory is None:
        raise StudyError("this cannot be evaluated", problems=problems)
    return CostEffectiveness(
        strategies=tuple(strategies),
        bands=_checked_bands(draws, len(strategies)),
        thresholds=threshold_grid(thresholds),
        perspective=perspective,
        horizon_years=years,
        price_year=price_year,
        effect_unit=effect_unit,
        trajectory_source=trajectory.source,
        edition=None if guideline is None else guideline.edition,
    )


def _checked_bands(draws: Mapping[str, StrategyDraws], n_strategies: int) -> dict[str, StrategyDraws]:
    """Check that every band has finite draws of the same shape."""
    for found in draws.values():
        strategy_draws(found.cost, found.effect)
    shapes = {found.cost.shape for found in draws.values()}
    if len(shapes) != 1 or next(iter(shapes))[1] != n_strategies:
        raise EstimationError(
            f"draws of shapes {sorted(shapes)}: every band needs the same draws of {n_strategies} strategies"
        )
    return dict(draws)
