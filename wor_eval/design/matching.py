"""From a cohort and a design to comparable persons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from wor_eval.cohort.wide import wide_outcome
from wor_eval.design.coordinates import mahalanobis_coordinates
from wor_eval.design.covariates import Covariates, build_covariates
from wor_eval.design.entropy import entropy_balance
from wor_eval.design.line import caliper_width, wider_calipers
from wor_eval.design.mahalanobis import nearest_on_coordinates
from wor_eval.design.matched import MatchedCohort
from wor_eval.design.nearest import nearest_on_score
from wor_eval.design.optimal import optimal_full, optimal_pairs
from wor_eval.design.propensity import fit_propensity
from wor_eval.design.sets import Sets, set_members
from wor_eval.design.strata import exact_codes, exact_sets
from wor_eval.design.weighting import propensity_weights
from wor_eval.design_plan import PAIR_METHODS
from wor_eval.errors import DesignError, NobodyMatchedError
from wor_eval.study import Design, Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.cohort.build import Cohort

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_WEIGHTED = ("ipw", "overlap", "entropy")
_EVENTS_PER_TERM = 10
RECENT_QUARTER: Final = "recent_quarter"
# Single counts where most persons are, then classes about a quarter wide: within a class nobody differs by more
# than that from the count on which referral may have hung.
_RECENT_CUTS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 19, 25)
_ONE_ENTRY = (*_WEIGHTED, "full", "exact")
Matcher = Callable[[Ints], Sets]


def match_cohort(
    cohort: Cohort, study: Study, *, design: Design | None = None, outcome: str
) -> MatchedCohort:
    """Make comparison persons comparable to the referred.

    Referred and comparison persons always meet within the calendar month of their index date and within the
    plan's exact strata; ``recent_quarter`` among these is the number of events in the last quarter, in classes.
    Pair matching goes month by month, first month first; without replacement a person who has served in one
    month serves in no other. Full and exact matching and weighting use each comparison person at
    one entry date, drawn with the seed of the plan.

    The caliper is measured in standard deviations of the logit of the propensity score over all units (or within arms:
    ``caliper_sd``), for the pair methods nearest, mahalanobis and optimal alike: with mahalanobis it says who may be
    chosen, and the Mahalanobis distance, with the covariance of all units, who of these is nearest (MatchIt:
    ``distance = "glm", link = "linear.logit", mahvars, caliper``). The order of choosing goes by the same logit. Full
    and exact matching and weighting have no caliper: a plan that sets one with them is refused.

    Parameters
    ----------
    cohort : Cohort
        Both arms.
    study : Study
        The plan: windows, seed.
    design : Design, optional
        Another design than the plan's.
    outcome : str
        The outcome whose history counts.

    Returns
    -------
    MatchedCohort
        Sets and weights; the estimand is the ATT over the referred that found a comparison, or the effect in
        the overlap.

    Raises
    ------
    DesignError
        No comparison persons, or unusable covariates.
    NobodyMatchedError
        No shared stratum, or a caliper that leaves nobody: the message says what share of the referred each wider
        caliper would keep at most (fewer where they compete for the same comparison persons).
    EstimationError
        The propensity model cannot be fitted: a covariate is constant, a combination of others, or separates
        the arms; it is named.
    """
    chosen = design or study.design
    if chosen is None:
        raise DesignError("the plan has no [design]")
    arm = (cohort.persons["arm"] == "referred").to_numpy()
    if arm.all() or not arm.any():
        raise DesignError("a design needs referred and comparison persons: set cohort.entries in the plan")
    covariates = build_covariates(cohort, study, chosen, outcome=outcome)
    used = _one_entry(cohort, seed=study.seed) if chosen.method in _ONE_ENTRY else np.ones(arm.size, bool)
    score, linear = _propensity(cohort, covariates, chosen, used)
    if chosen.method in _WEIGHTED:
        sets, dropped = _weighted(cohort, covariates, used, (chosen, score))
    else:
        strata = _strata(cohort, chosen, outcome)
        sets, dropped = _in_sets(cohort, covariates, (used, strata), (chosen, linear, study.seed))
    return MatchedCohort(
        cohort=cohort,
        design=chosen,
        estimand="overlap" if chosen.method == "overlap" else "att",
        sets=sets,
        covariates=covariates,
        score=score,
        dropped=dropped,
    )


def _one_entry(cohort: Cohort, *, seed: int) -> NDArray[np.bool_]:
    """Keep all referred units and one random entry of each comparison person."""
    persons = cohort.persons
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(persons))
    first = ~persons["person_id"].iloc[order].where(persons["arm"].iloc[order] == "comparison").duplicated()
    kept = np.zeros(len(persons), dtype=bool)
    kept[order] = first.to_numpy()
    kept[(persons["arm"] == "referred").to_numpy()] = True
    return kept


def _propensity(
    cohort: Cohort, covariates: Covariates, design: Design, used: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Fit the propensity score, and its logit; in each age band apart where bands are exact strata."""
    arm = (cohort.persons["arm"] == "referred").to_numpy()
    matrix, names = covariates.with_squares()
    score, linear = np.full(arm.size, np.nan), np.full(arm.size, np.nan)
    band = cohort.persons["age_band"].to_numpy()
    for part in _fitted_apart(band, arm & used, len(names)) if "age_band" in design.exact else [None]:
        rows = used if part is None else used & (band == part)
        fit = fit_propensity(matrix[rows], arm[rows], names=names)
        score[rows], linear[rows] = fit.score, fit.linear
    return score, linear


def _fitted_apart(
    band: NDArray[np.object_], referred: NDArray[np.bool_], n_terms: int
) -> list[str] | list[None]:
    """Give the bands to fit apart: all of them, or none where one has too few referred for the model.

    Ten referred per term is the usual floor (Peduzzi et al. 1996, doi:10.1016/S0895-4356(96)00236-3).
    """
    bands = [str(name) for name in np.unique(band[referred])]
    enough = all((referred & (band == name)).sum() >= _EVENTS_PER_TERM * n_terms for name in bands)
    others = set(np.unique(band)) - set(bands)
    return bands if enough and not others else [None]


def _months(cohort: Cohort) -> Ints:
    """Give each unit the number of the calendar month of its index date."""
    month = cohort.persons["index_on"].to_numpy().astype("datetime64[M]").astype(np.int64)
    return np.unique(month, return_inverse=True)[1].astype(np.int64)


def _strata(cohort: Cohort, design: Design, outcome: str) -> Ints:
    """Give each unit the number of its exact stratum: the plan's columns and the calendar month."""
    known = {*cohort.persons.columns, RECENT_QUARTER}
    missing = [name for name in design.exact if name not in known]
    if missing:
        raise DesignError(f"exact strata that the cohort does not have: {', '.join(missing)}")
    columns = {
        name: cohort.persons[name].astype(str).to_numpy() for name in design.exact if name != RECENT_QUARTER
    }
    if RECENT_QUARTER in design.exact:
        recent = wide_outcome(cohort, outcome, ("quarter-1",)).value[:, 0]
        columns[RECENT_QUARTER] = np.digitize(recent, _RECENT_CUTS)
    return exact_codes({**columns, "month": _months(cohort)}).astype(np.int64)


def _in_sets(
    cohort: Cohort,
    covariates: Covariates,
    where: tuple[NDArray[np.bool_], Ints],
    how: tuple[Design, Floats, int],
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Match within strata, and give ``unit, set_id, weight`` with the number of referred dropped by reason."""
    import pandas as pd

    design, linear, seed = how
    used, strata = where
    arm = (cohort.persons["arm"] == "referred").to_numpy()
    matcher = _matcher(design, covariates, (arm, linear, strata), seed)
    frames: list[pd.DataFrame] = []
    dropped: dict[str, int] = {}
    n_sets = 0
    for rows in _rounds(cohort, design, used, frames):
        if not arm[rows].any():
            continue
        try:
            sets = matcher(rows) if not arm[rows].all() else None
        except NobodyMatchedError:  # nobody in this month finds anybody: the others go on
            sets = None
        if sets is None:
            _count(dropped, _alone(strata[rows], arm[rows]))
            continue
        members = set_members(sets)
        frames.append(
            pd.DataFrame(
                {"unit": rows[members.person], "set_id": members.set_id + n_sets, "weight": members.weight}
            )
        )
        n_sets += sets.n_sets
        _count(dropped, {reason: len(who) for reason, who in sets.dropped.items()})
    if n_sets == 0:
        raise _nobody(design, linear[used], arm[used], strata[used])
    return pd.concat(frames, ignore_index=True), dropped


def _count(dropped: dict[str, int], more: dict[str, int]) -> None:
    for reason, number in more.items():
        dropped[reason] = dropped.get(reason, 0) + number


def _alone(strata: Ints, arm: NDArray[np.bool_]) -> dict[str, int]:
    """Say why nobody was matched: who has company in the stratum was kept from it by the caliper."""
    company = np.isin(strata[arm], strata[~arm])
    return {"no_comparison": int((~company).sum()), "caliper": int(company.sum())}


def _rounds(
    cohort: Cohort, design: Design, used: NDArray[np.bool_], frames: list[pd.DataFrame]
) -> Iterator[Ints]:
    """Give the units to match together: month by month without those who served before, or all at once."""
    if design.replacement or design.method in _ONE_ENTRY:
        yield np.flatnonzero(used).astype(np.int64)
        return
    month = _months(cohort)
    person = cohort.persons["person_id"].astype("category").cat.codes.to_numpy()
    served = np.zeros(person.max() + 1, dtype=bool)
    comparison = (cohort.persons["arm"] == "comparison").to_numpy()
    by_month = np.argsort(month, kind="stable")
    for rows in np.split(by_month, np.flatnonzero(np.diff(month[by_month])) + 1):
        yield rows[~(served[person[rows]] & comparison[rows])].astype(np.int64)
        if frames:
            last = frames[-1]["unit"].to_numpy()
            served[person[last[comparison[last]]]] = True


def _matcher(
    design: Design, covariates: Covariates, known: tuple[NDArray[np.bool_], Floats, Ints], seed: int
) -> Matcher:
    """Give the function that matches some units.

    What is measured over everyone (the standard deviation of the caliper, the covariance of the Mahalanobis distance)
    is measured here, once, and not anew in each month.
    """
    arm, linear, strata = known
    caliper = None
    if design.caliper is not None and design.method in PAIR_METHODS:
        seen = ~np.isnan(linear)
        caliper = caliper_width(linear[seen], arm[seen], sd=design.caliper, definition=design.caliper_sd)
    if design.method == "nearest":
        return lambda rows: nearest_on_score(
            linear[rows],
            arm[rows],
            strata=_dense(strata[rows]),
            ratio=design.ratio,
            replacement=design.replacement,
            order=design.order,
            caliper=caliper,
            seed=seed,
        )
    if design.method == "mahalanobis":
        Z = mahalanobis_coordinates(covariates.matrix, arm, names=covariates.names)
        return lambda rows: nearest_on_coordinates(
            Z[rows],
            arm[rows],
            strata=_dense(strata[rows]),
            ratio=design.ratio,
            replacement=design.replacement,
            order=design.order,
            score=linear[rows],
            caliper=caliper,
            seed=seed,
        )
    if design.method == "optimal":
        return lambda rows: optimal_pairs(
            linear[rows], arm[rows], strata=_dense(strata[rows]), ratio=design.ratio, caliper=caliper
        )
    if design.method == "full":
        return lambda rows: optimal_full(linear[rows], arm[rows], strata=_dense(strata[rows]))
    return lambda rows: exact_sets(_dense(strata[rows]), arm[rows])


def _dense(codes: Ints) -> Ints:
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def _nobody(design: Design, linear: Floats, arm: NDArray[np.bool_], strata: Ints) -> DesignError:
    """Say what share of the referred each wider caliper would keep at most."""
    if (
        design.caliper is None
        or design.method not in PAIR_METHODS
        or not np.isin(strata[arm], strata[~arm]).any()
    ):
        return NobodyMatchedError(
            "no referred person has anybody to compare with in the same stratum and month: match on fewer columns "
            "in design.exact, or raise cohort.entries"
        )
    width = caliper_width(linear, arm, sd=design.caliper, definition=design.caliper_sd)
    reach = wider_calipers(linear, arm, caliper=width, strata=_dense(strata))
    return NobodyMatchedError(
        f"a caliper of {design.caliper} SD of the logit of the propensity score leaves no referred person with a "
        "comparison: widen design.caliper, or match on fewer columns in design.exact",
        problems=[
            f"{r.width / width * design.caliper:.2g} SD would keep at most {r.share:.0%}"
            for r in reach
            if r.width > width
        ],
    )


def _weighted(
    cohort: Cohort, covariates: Covariates, used: NDArray[np.bool_], how: tuple[Design, Floats]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Weight the comparison persons; each person is a set."""
    import pandas as pd

    design, score = how
    rows = np.flatnonzero(used)
    arm = (cohort.persons["arm"] == "referred").to_numpy()[rows]
    if design.method == "entropy":
        weight = entropy_balance(covariates.matrix[rows], arm, names=covariates.names).weights
    else:
        kinds: dict[str, Literal["att", "overlap"]] = {"ipw": "att", "overlap": "overlap"}
        weight = propensity_weights(score[rows], arm, kind=kinds[design.method])
    weight = weight.copy()
    weight[~arm] *= weight[arm].sum() / weight[~arm].sum()
    person = cohort.persons["person_id"].iloc[rows].astype("category").cat.codes.to_numpy()
    frame = pd.DataFrame({"unit": rows, "set_id": person, "weight": weight})
    return frame[frame["weight"] > 0].reset_index(drop=True), {}
