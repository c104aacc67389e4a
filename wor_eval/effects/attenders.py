"""Every table of a study of frequent attenders: who they are, who stays, what they carry, and how far they fall."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wor_eval.attenders_plan import YEARS, FrequentAttenders
from wor_eval.cohort.yearly import Yearly, yearly_contacts
from wor_eval.effects.attenders_fall import expected_falls, fall
from wor_eval.effects.attenders_prediction import prediction_tables
from wor_eval.effects.attenders_published import published_beside
from wor_eval.effects.frequent import latent_correlation, latent_persistence, top_of_strata
from wor_eval.effects.proportions import wilson
from wor_eval.errors import DesignError
from wor_eval.plan_parts import group_names

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from wor_eval.data.read import StudyData

ALL = "all"
GROUPS = ("not", "one_year", "two_years", "three_years")
"""Frequent in the first year and so many years from then on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attenders:
    """Persons with their contacts by year, and in which years each is a frequent attender.

    Attributes
    ----------
    yearly : Yearly
        Persons and counts.
    stratum : ndarray, shape (n,)
        Sex and age group.
    chosen, tied : ndarray of bool, shape (n, 3)
        Frequent in each year; at the threshold of each year where it is shared across the line.
    threshold : ndarray, shape (n, 3)
        Threshold of the stratum in each year.
    """

    yearly: Yearly
    stratum: NDArray[np.str_]
    chosen: NDArray[np.bool_]
    tied: NDArray[np.bool_]
    threshold: NDArray[np.float64]

    @property
    def group(self) -> NDArray[np.object_]:
        """How many years running each person is a frequent attender from the first, as in :data:`GROUPS`."""
        running = np.cumprod(self.chosen, axis=1).sum(axis=1)
        group: NDArray[np.object_] = np.array(GROUPS, dtype=object)[running]
        return group

    def of_age(self, age_group: str) -> NDArray[np.bool_]:
        """Tell who is of an age group; everybody for ``all``."""
        if age_group == ALL:
            return np.ones(len(self.yearly.persons), dtype=bool)
        of_age: NDArray[np.bool_] = (self.yearly.persons["age_group"] == age_group).to_numpy()
        return of_age


def attender_tables(
    data: StudyData, plan: FrequentAttenders, *, progress: Callable[[str], None] = lambda step: None
) -> tuple[dict[str, pd.DataFrame], tuple[int, ...], list[str]]:
    """Make the tables of a study of frequent attenders.

    Parameters
    ----------
    data : StudyData
        The raw tables.
    plan : FrequentAttenders
        The plan.
    progress : callable
        Told the name of each step as it starts.

    Returns
    -------
    (dict of str to DataFrame, tuple of int, list of str)
        The tables, the three years, and notes.

    Raises
    ------
    DesignError, EstimationError
        Fewer than three whole years, or nobody registered throughout.
    """
    progress("contacts by year")
    found = attenders(yearly_contacts(data, plan), plan)
    progress("persistence and what they carry")
    tables = {
        "attender_selection": selection(found),
        "attender_persistence": persistence(found, plan),
        "attender_means": means(found, plan),
        "attender_burden": burden(found),
    }
    progress("prediction")
    tables |= prediction_tables(found.yearly, found.chosen, found.threshold, plan)
    progress("the fall with nobody treated")
    tables["attender_fall"] = fall(found.yearly, found.chosen, plan)
    tables["attender_expected"] = expected_falls(found.yearly, found.chosen, found.threshold, plan)
    tables["attender_published"] = published_beside(tables)
    gone = found.yearly.n_left_out
    notes = [f"{gone} persons registered at some time in these years but not throughout are left out"]
    return tables, found.yearly.years, notes


def attenders(yearly: Yearly, plan: FrequentAttenders) -> Attenders:
    """Tell in which years each person is a frequent attender, within sex and age group.

    Raises
    ------
    DesignError
        Nobody is one in the first year.
    """
    stratum = (yearly.persons["sex"] + " " + yearly.persons["age_group"]).to_numpy(dtype=str)
    tops = [
        top_of_strata(yearly.contacts[:, year], stratum, share=plan.share, ties=plan.ties)
        for year in range(YEARS)
    ]
    if not tops[0].chosen.any():
        raise DesignError(
            f"with share = {plan.share:g} and ties = {plan.ties} nobody of {len(stratum)} persons is a frequent attender "
            f"in {yearly.years[0]}: raise share, or let ties be include"
        )
    return Attenders(
        yearly=yearly,
        stratum=stratum,
        chosen=np.column_stack([top.chosen for top in tops]),
        tied=np.column_stack([top.tied for top in tops]),
        threshold=np.column_stack([top.threshold for top in tops]),
    )


def selection(found: Attenders) -> pd.DataFrame:
    """Give the threshold of the first year by sex and age group, and how many reach it.

    Returns
    -------
    DataFrame
        ``sex, age_group, n_persons, threshold, n_frequent, n_other, n_tied, share, mean_frequent, mean_other``.
    """
    import pandas as pd

    frame = found.yearly.persons[["sex", "age_group"]].assign(
        chosen=found.chosen[:, 0],
        tied=found.tied[:, 0],
        threshold=found.threshold[:, 0],
        contacts=found.yearly.contacts[:, 0],
    )
    parts = dict(tuple(frame.groupby(["sex", "age_group"])))
    rows = [_selected(part, sex, age) for (sex, age), part in parts.items()]
    rows.append(_selected(frame.assign(threshold=np.nan), ALL, ALL))
    return pd.DataFrame(rows)


def _selected(part: pd.DataFrame, sex: str, age_group: str) -> dict[str, Any]:
    chosen = part["chosen"].to_numpy()
    threshold = part["threshold"].iloc[0]
    return {
        "sex": sex, "age_group": age_group, "n_persons": len(part),
        "threshold": threshold if np.isfinite(threshold) else np.nan,  # nobody is above the ties
        "n_frequent": int(chosen.sum()), "n_other": int((~chosen).sum()), "n_tied": int(part["tied"].sum()),
        "share": chosen.mean(), "mean_frequent": part.loc[chosen, "contacts"].mean(),
        "mean_other": part.loc[~chosen, "contacts"].mean(),
    }  # fmt: skip


def persistence(found: Attenders, plan: FrequentAttenders) -> pd.DataFrame:
    """Give how many frequent attenders of the first year are so in the years after, by age group.

    Beside it stands what two simple worlds expect: if years were independent, and if levels were normal with the
    same correlation between any two years, set to the persistence over two years.

    Returns
    -------
    DataFrame
        ``age_group, years, n_first, n_still, n_not, share, conf_low, conf_high, independent, normal, correlation``:
        of ``n_first`` persons ``n_still`` are frequent in all of the first ``years`` years.
    """
    import pandas as pd

    rows = []
    for age_group in (*group_names(plan.age_groups), ALL):
        who = found.of_age(age_group)
        chosen = found.chosen[who]
        first, selected = int(chosen[:, 0].sum()), float(chosen.mean()) if chosen.size else np.nan
        still = np.cumprod(chosen, axis=1).sum(axis=0)
        correlation = latent_correlation(selected, still[1] / max(first, 1), years=2) if first else np.nan
        share, low, high = wilson(still, np.full(YEARS, first))
        for years in range(1, YEARS + 1):
            normal = (
                latent_persistence(selected, correlation, years=years) if np.isfinite(correlation) else np.nan
            )
            rows.append(
                {
                    "age_group": age_group, "years": years, "n_first": first, "n_still": int(still[years - 1]),
                    "n_not": int(first - still[years - 1]), "share": share[years - 1],
                    "conf_low": low[years - 1], "conf_high": high[years - 1],
                    "independent": selected ** (years - 1), "normal": normal, "correlation": correlation,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def means(found: Attenders, plan: FrequentAttenders) -> pd.DataFrame:
    """Give mean contacts in the first year by age group, for three groups that the published figures also have.

    Returns
    -------
    DataFrame
        ``age_group, frequent, n_persons, mean, conf_low, conf_high, ratio``: ``frequent`` is ``not`` (in the first
        year), ``first_year`` (all who are so in it) or ``three_years``; the ratio is to ``not``.
    """
    import pandas as pd

    first, always = found.chosen[:, 0], found.chosen.all(axis=1)
    rows = []
    for age_group in (*group_names(plan.age_groups), ALL):
        base = np.nan
        for name, who in (("not", ~first), ("first_year", first), ("three_years", always)):
            counts = found.yearly.contacts[who & found.of_age(age_group), 0]
            mean, half = _mean(counts)
            base = mean if name == "not" else base
            rows.append(
                {
                    "age_group": age_group, "frequent": name, "n_persons": counts.size, "mean": mean,
                    "conf_low": mean - half, "conf_high": mean + half, "ratio": mean / base if base > 0 else np.nan,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def _mean(values: NDArray[np.float64]) -> tuple[float, float]:
    """Give a mean and half the width of its normal 95 % interval."""
    if values.size < 2:
        return (float(values[0]), np.nan) if values.size else (np.nan, np.nan)
    return float(values.mean()), float(1.959963984540054 * values.std(ddof=1) / np.sqrt(values.size))


def burden(found: Attenders) -> pd.DataFrame:
    """Give what share of persons, contacts and costs of the three years each group carries.

    Returns
    -------
    DataFrame
        ``frequent, n_persons, share_persons, share_contacts, share_costs, mean_contacts, mean_costs,
        share_psychosocial``: means per person-year; the psychosocial share is of contacts with a reason on record.
        Costs are of persons whose costs are known.
    """
    import pandas as pd

    yearly, group = found.yearly, found.group
    contacts, costs = yearly.contacts.sum(axis=1), yearly.costs.sum(axis=1)
    known = np.isfinite(costs)
    total = costs[known].sum()
    rows = []
    for name in (*GROUPS, ALL):
        who = np.ones(group.size, dtype=bool) if name == ALL else group == name
        coded = yearly.coded[who].sum()
        paid = costs[who & known]
        rows.append(
            {
                "frequent": name, "n_persons": int(who.sum()), "share_persons": who.mean(),
                "share_contacts": contacts[who].sum() / max(contacts.sum(), 1),
                "share_costs": paid.sum() / total if total else np.nan,
                "mean_contacts": contacts[who].mean() / YEARS if who.any() else np.nan,
                "mean_costs": paid.mean() / YEARS if paid.size else np.nan,
                "share_psychosocial": yearly.psychosocial[who].sum() / coded if coded else np.nan,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)
