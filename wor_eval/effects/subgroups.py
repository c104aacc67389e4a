"""Does the effect differ between groups: by age band, sex, and frequent attendance before referral."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wor_eval.cohort.wide import wide_outcome
from wor_eval.design.matched import MatchedCohort
from wor_eval.effects.contrasts import WINDOWS, as_estimate, cluster_codes, contrast_rates
from wor_eval.errors import EstimationError
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

# Frequent attenders: the top tenth of contacts in a year within sex and age group (Smits et al. 2009,
# doi:10.1186/1471-2458-9-36).
_TOP = 0.9
_AGE_CUTS = (45, 65)
_NUMBERS = ("estimate", "std_error", "conf_low", "conf_high", "n_referred", "n_comparison", "n_sets")
_COLUMNS = ["outcome", "modifier", "level", "scale", *_NUMBERS]


def subgroup_effects(matched: MatchedCohort, study: Study, *, outcome: str) -> pd.DataFrame:
    """Estimate the headline contrast in each level of a modifier, and test whether the levels differ.

    Estimand: the plan's headline contrast among the referred of that level, by sets: a set belongs to the level of
    its referred person. ``p_interaction`` is Cochran's test of homogeneity of the levels, which hold different sets
    and so are independent. Several modifiers are several tests: ``p_holm`` corrects for their number (Holm 1979).

    Modifiers: ``age_band``; ``sex``; ``frequent_attender``, the top tenth of events in the year before within sex
    and three age groups among all comparison persons (ties at the limit are in).

    Parameters
    ----------
    matched : MatchedCohort
        Sets and weights.
    study : Study
        The plan: its headline contrast.
    outcome : str
        Name of the outcome.

    Returns
    -------
    DataFrame
        ``outcome, modifier, level, scale, estimate, std_error, conf_low, conf_high, n_referred, n_comparison, n_sets,
        p_interaction, p_holm``; a level without an estimate has no row.
    """
    import pandas as pd

    parts = []
    for modifier, level in _modifiers(matched, outcome).items():
        of_unit = _level_of_set(matched, level)
        for scale in study.outcome(outcome).scales:
            rows = _levels(matched, study, (outcome, modifier, scale), of_unit)
            parts.append(pd.DataFrame(rows, columns=_COLUMNS).assign(p_interaction=_homogeneity(rows, scale)))
    frame = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return frame.assign(p_holm=_holm(frame))


def _modifiers(matched: MatchedCohort, outcome: str) -> dict[str, NDArray[Any]]:
    persons = matched.cohort.persons
    return {
        "age_band": persons["age_band"].to_numpy().astype(str),
        "sex": persons["sex"].to_numpy().astype(str),
        "frequent_attender": np.where(_frequent(matched, outcome), "yes", "no"),
    }


def _frequent(matched: MatchedCohort, outcome: str) -> NDArray[np.bool_]:
    persons = matched.cohort.persons
    value = wide_outcome(matched.cohort, outcome, ("before",)).value[:, 0]
    group = np.digitize(persons["age"].to_numpy(), _AGE_CUTS) + 10 * (persons["sex"] == "F").to_numpy()
    frequent = np.zeros(len(persons), dtype=bool)
    for name in np.unique(group):
        inside = group == name
        pool = inside & ~matched.referred
        if pool.any():
            limit = np.quantile(value[pool], _TOP, method="higher")
            frequent |= inside & (value >= max(limit, 1))
    return frequent


def _level_of_set(matched: MatchedCohort, level: NDArray[Any]) -> pd.Series[Any]:
    """Give each row of the sets the level of the set's referred person."""
    sets = matched.sets
    head = matched.referred[sets["unit"].to_numpy()]
    of_set = dict(zip(sets["set_id"][head], level[sets["unit"][head].to_numpy()], strict=True))
    own = sets["set_id"].map(of_set)
    return own.where(own.notna(), level[sets["unit"].to_numpy()])


def _levels(
    matched: MatchedCohort, study: Study, named: tuple[str, str, Any], of_row: pd.Series[Any]
) -> list[dict[str, Any]]:
    outcome, modifier, scale = named
    wide = wide_outcome(matched.cohort, outcome, WINDOWS)
    clusters = cluster_codes(matched, "set")
    rows = []
    for level in sorted(of_row.unique()):
        weight, sizes = matched.part(matched.sets[of_row == level])
        contrast = study.headline.contrast
        try:
            value = contrast_rates(
                wide, matched.referred, weight=weight, clusters=clusters, contrast=contrast, scale=scale
            )
        except EstimationError:
            continue
        found = as_estimate(value, named=(outcome, contrast, level, modifier), scale=scale, sizes=sizes)
        numbers = {name: getattr(found, name) for name in _NUMBERS}
        rows.append({"outcome": outcome, "modifier": modifier, "level": level, "scale": scale, **numbers})
    return rows


def _homogeneity(rows: list[dict[str, Any]], scale: str) -> float:
    from scipy.stats import chi2

    if len(rows) < 2:
        return float("nan")
    if any(row["std_error"] <= 0 for row in rows):  # all sets of a level alike: its error cannot be told
        return float("nan")
    estimate = np.array([row["estimate"] for row in rows])
    estimate = np.log(estimate) if scale == "ratio" else estimate
    precision = np.array([row["std_error"] for row in rows]) ** -2.0
    mean = (precision * estimate).sum() / precision.sum()
    return float(chi2.sf((precision * (estimate - mean) ** 2).sum(), len(rows) - 1))


def _holm(frame: pd.DataFrame) -> pd.Series[float]:
    """Correct for the number of modifiers, on each scale apart."""
    from wor_eval.effects.paired_tests import adjust_p_values

    corrected = frame["p_interaction"].copy()
    for _, rows in frame.groupby("scale"):
        first = rows.drop_duplicates("modifier").dropna(subset=["p_interaction"])
        if len(first):
            adjusted = adjust_p_values(first["p_interaction"].to_numpy(), method="holm")
            by_name = dict(zip(first["modifier"], adjusted, strict=True))
            corrected.loc[rows.index] = rows["modifier"].map(by_name)
    return corrected
