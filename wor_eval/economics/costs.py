"""Cost components: what a trajectory costs, and which components a perspective counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wor_eval.economics.checked import Floats, finite
from wor_eval.errors import EstimationError, StudyError

Perspective = Literal["societal", "healthcare", "municipality"]

TRAJECTORY: Final = "trajectory"
"""Category of what Welzijn op Recept itself costs."""

UNPAID: Final = "unpaid"
"""Payer of time that nobody pays for: volunteers."""

PAYERS: Final = ("zvw", "wmo", "wlz", "own")
"""Payers of cost lines, as in ``data_dictionary/codes/payer.csv``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The components that a perspective counts.

    Attributes
    ----------
    payers : frozenset of str
        Who pays.
    without : frozenset of str
        Categories that are left out although such a payer pays them.
    """

    payers: frozenset[str]
    without: frozenset[str] = frozenset()


PERSPECTIVES: Final[Mapping[Perspective, Selection]] = MappingProxyType(
    {
        "societal": Selection(payers=frozenset({*PAYERS, UNPAID})),
        "healthcare": Selection(payers=frozenset({"zvw", "wlz", "own"}), without=frozenset({"wmo_support"})),
        "municipality": Selection(payers=frozenset({"wmo"})),
    }
)
"""What each perspective counts; a trajectory counts where its payer does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrajectoryPrice:
    """What a trajectory costs, as the study gives it; there is no default price.

    Attributes
    ----------
    coach_hour : float
        Euros per hour of the coach, without overhead.
    overhead : float
        Share on top of the hours of the coach; 0.3 is 30 %.
    activity : float
        Euros for activities per person.
    volunteer_hour : float
        Euros at which an hour of a volunteer is valued.
    payer : str
        Who pays the coach and the activities: one of :data:`PAYERS`.
    price_year : int
        Year of the prices.
    source : str
        Where the prices come from; printed in the report.
    """

    coach_hour: float
    overhead: float
    activity: float
    volunteer_hour: float
    payer: str
    price_year: int
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TrajectoryCosts:
    """Cost of the trajectory of each person.

    Attributes
    ----------
    paid : ndarray, shape (n,)
        Euros paid by ``payer``: coach with overhead, and activities. 0 for comparison persons.
    unpaid : ndarray, shape (n,)
        Value in euros of the time of volunteers.
    payer, source : str
        As in the price.
    price_year : int
        Year of the prices.
    """

    paid: Floats
    unpaid: Floats
    payer: str
    price_year: int
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PerspectiveCost:
    """Total cost of each person from one perspective.

    Attributes
    ----------
    total : ndarray, shape (n,)
        Euros.
    counted : ndarray of bool, shape (k,)
        Which components are in it.
    trajectory_counted : bool
        Whether the trajectory itself is in it. If not, say so beside every number: somebody else pays.
    """

    total: Floats
    counted: NDArray[np.bool_]
    trajectory_counted: bool


def trajectory_costs(
    price: TrajectoryPrice | None,
    referred: ArrayLike,
    *,
    coach_hours: ArrayLike,
    volunteer_hours: ArrayLike = 0.0,
) -> TrajectoryCosts:
    """Give what the trajectory of each person costs: hours x price, overhead, activities, volunteers.

    Parameters
    ----------
    price : TrajectoryPrice or None
        The prices of the study; None is refused.
    referred : array-like, shape (n,)
        1 for referred; comparison persons have no trajectory.
    coach_hours, volunteer_hours : array-like, shape (n,) or a single number
        Hours per person: measured, or one mean for all.

    Returns
    -------
    TrajectoryCosts

    Raises
    ------
    StudyError
        No price, no source, an unknown payer, or prices that are not usable; all are listed.
    EstimationError
        Hours that are missing, negative or of another length.

    Examples
    --------
    >>> price = TrajectoryPrice(
    ...     coach_hour=60, overhead=0.25, activity=40, volunteer_hour=0, payer="wmo", price_year=2024, source="plan"
    ... )
    >>> trajectory_costs(price, [1, 0], coach_hours=6).paid
    array([490.,   0.])
    """
    if price is None:
        raise StudyError(
            "the cost of Welzijn op Recept itself is missing: give hours, prices, payer and source; "
            "there is no default, and without it nothing can be said about value for money"
        )
    problems = _price_problems(price)
    arm = finite("referred", referred, ndim=1)
    hours = [np.broadcast_to(np.asarray(h, dtype=float), arm.shape) for h in (coach_hours, volunteer_hours)]
    bad = sum(int((~(np.isfinite(h) & (h >= 0)) & (arm == 1)).sum()) for h in hours)
    if bad:
        raise EstimationError(f"hours: {bad} values of referred persons are missing or negative")
    coach, volunteer = (np.where(arm == 1, h, 0.0) for h in hours)
    if volunteer.any() and price.volunteer_hour <= 0:
        problems.append("volunteer_hour: hours of volunteers are given but no value of an hour")
    if problems:
        raise StudyError("the price of a trajectory cannot be used", problems=problems)
    return TrajectoryCosts(
        paid=coach * price.coach_hour * (1 + price.overhead) + price.activity * (arm == 1),
        unpaid=volunteer * price.volunteer_hour,
        payer=price.payer,
        price_year=price.price_year,
        source=price.source,
    )


def perspective_cost(
    amounts: ArrayLike, *, payers: Sequence[str], categories: Sequence[str], perspective: Perspective
) -> PerspectiveCost:
    """Add up the components that a perspective counts.

    Parameters
    ----------
    amounts : array-like, shape (n, k)
        Euros of each person by component, over one horizon and in one price year.
    payers, categories : sequence of str, length k
        Payer and category of each component; the trajectory itself has category ``trajectory``.
    perspective : {"societal", "healthcare", "municipality"}
        Whose costs: see :data:`PERSPECTIVES`.

    Returns
    -------
    PerspectiveCost

    Raises
    ------
    StudyError
        An unknown perspective or payer, or no component of the trajectory.
    EstimationError
        Missing or infinite amounts, or labels of another length.

    Examples
    --------
    >>> found = perspective_cost(
    ...     [[800, 490]], payers=["zvw", "wmo"], categories=["gp", "trajectory"], perspective="healthcare"
    ... )
    >>> found.total, found.trajectory_counted
    (array([800.]), False)
    """
    values = finite("amounts", amounts, ndim=2)
    if values.shape[1] != len(payers) or len(payers) != len(categories):
        raise EstimationError(
            f"{values.shape[1]} components, {len(payers)} payers and {len(categories)} categories: unequal"
        )
    if perspective not in PERSPECTIVES:
        raise StudyError(f"perspective: one of {', '.join(PERSPECTIVES)} is needed")
    unknown = sorted(set(payers) - {*PAYERS, UNPAID})
    if unknown:
        raise StudyError(f"unknown payers: {', '.join(unknown)}; known are {', '.join((*PAYERS, UNPAID))}")
    if TRAJECTORY not in categories:
        raise StudyError("no component has category 'trajectory': the cost of Welzijn op Recept is missing")
    chosen = PERSPECTIVES[perspective]
    counted = np.array(
        [p in chosen.payers and c not in chosen.without for p, c in zip(payers, categories, strict=True)]
    )
    if not counted.any():
        raise StudyError(f"perspective {perspective}: none of the components is counted in it")
    inside = any(c == TRAJECTORY and p != UNPAID for c, p in _chosen(categories, payers, counted))
    return PerspectiveCost(total=values[:, counted].sum(axis=1), counted=counted, trajectory_counted=inside)


def _chosen(
    categories: Sequence[str], payers: Sequence[str], counted: NDArray[np.bool_]
) -> list[tuple[str, str]]:
    return [pair for pair, is_in in zip(zip(categories, payers, strict=True), counted, strict=True) if is_in]


def _price_problems(price: TrajectoryPrice) -> list[str]:
    """List what is wrong with a price."""
    found = []
    for name in ("coach_hour", "overhead", "activity", "volunteer_hour"):
        value = getattr(price, name)
        if not (np.isfinite(value) and value >= 0):
            found.append(f"{name}: a number of 0 or more is needed")
    if price.coach_hour == 0 and price.activity == 0:
        found.append("coach_hour and activity are both 0: a trajectory is not free")
    if price.payer not in PAYERS:
        found.append(f"payer: one of {', '.join(PAYERS)} is needed")
    if not price.source.strip():
        found.append("source: say where the prices come from")
    return found
