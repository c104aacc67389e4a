"""The economic evaluation of one study: from a matched cohort to all its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wor_eval.economics import answers, what_if, who_pays
from wor_eval.economics.answers import COMPLETE, IMPUTED, Found
from wor_eval.economics.beyond import beyond
from wor_eval.economics.costs import TrajectoryCosts
from wor_eval.economics.estimates import (
    CostFits,
    cost_regressions,
    impute_scores,
    perspective_costs,
    pooled,
    with_effect,
)
from wor_eval.economics.evaluated import Evaluated, evaluated, trajectories
from wor_eval.effects.estimate import ALL_BANDS
from wor_eval.errors import StudyError
from wor_eval.study import Economics, Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.data.read import StudyData
    from wor_eval.design.matched import MatchedCohort
    from wor_eval.economics.estimates import Stacked


def economic_tables(data: StudyData, matched: MatchedCohort, study: Study) -> dict[str, pd.DataFrame]:
    """Make the tables of an economic evaluation.

    Persons whose costs are not known throughout, for every payer, stay out, and are counted. Missing answers are
    imputed by arm and pooled by Rubin's rules; the complete cases stand beside it. Draws come from the t
    distribution of the pooled fit, which is calibrated with few practices (``docs/economics_recovery.md``).

    Parameters
    ----------
    data : StudyData
        The raw tables.
    matched : MatchedCohort
        Both arms, with weights.
    study : Study
        The plan, with an economic part.

    Returns
    -------
    dict of str to DataFrame
        ``completeness, incremental, icer, net_benefit, draws, quadrants, acceptability, information, break_even,
        payer_balance, budget_impact, one_way, two_way, input_scenarios`` and, with two or more
        age bands, ``subgroup_value`` and ``band_difference``;
        ``beyond`` where the plan asks for later years.

    Raises
    ------
    WorEvalError
        The plan has no economic part, or does not fit the data; the message says what and where.
    """
    plan, bands = study.economics, study.cohort.band_names
    if plan is None:
        raise StudyError(f"plan {study.name} has no [economics]")
    everybody = evaluated(data, matched, plan)
    people = everybody.of(everybody.cost_known)
    paid = trajectories(people, plan)
    found = _estimated(people, paid, study, plan)
    drawn = answers.joint_draws(found)
    contacts = _mean_of_referred(people, people.contacts)
    return {
        "completeness": completeness(everybody, bands),
        "incremental": answers.incremental(found),
        "icer": answers.ratios(found),
        "net_benefit": answers.net_benefits(found),
        "draws": answers.draws_table(found, drawn),
        "quadrants": answers.quadrant_shares(found, drawn),
        "acceptability": answers.acceptabilities(found, drawn),
        "information": answers.information(found, drawn),
        "break_even": answers.break_even(found),
        **_where_asked(found),
        "payer_balance": who_pays.balance(people, paid, plan, bands=bands),
        "budget_impact": who_pays.budgets(people, paid, plan, bands=bands),
        "one_way": what_if.one_way(found, contacts=contacts),
        "two_way": what_if.both_ways(found, contacts=contacts),
        "input_scenarios": what_if.planned(found, contacts=contacts),
    }


def _where_asked(found: Found) -> dict[str, pd.DataFrame]:
    """Make the tables that need two age bands, and that of later years where the plan adds them."""
    tables = {}
    if len(found.main.bands) > 2:  # two age bands, and all
        tables["subgroup_value"] = answers.subgroups(found)
        tables["band_difference"] = answers.band_differences(found)
    if found.plan.beyond is not None:
        tables["beyond"] = beyond(found, found.plan.beyond)
    return tables


def completeness(people: Evaluated, bands: tuple[str, ...]) -> pd.DataFrame:
    """Count by arm and age band how many matched persons have costs, effect, and both.

    Parameters
    ----------
    people : Evaluated
        All matched persons.
    bands : tuple of str
        Age bands.

    Returns
    -------
    DataFrame
        ``arm, age_band, n_matched, n_cost, n_effect, n_both``.
    """
    import pandas as pd

    rows = []
    for arm, name in ((1, "referred"), (0, "comparison")):
        for band in (*bands, ALL_BANDS):
            inside = (people.referred == arm) & ((people.band == band) | (band == ALL_BANDS))
            rows.append(
                {
                    "arm": name,
                    "age_band": band,
                    "n_matched": int(inside.sum()),
                    "n_cost": int((inside & people.cost_known).sum()),
                    "n_effect": int((inside & people.effect_known).sum()),
                    "n_both": int((inside & people.cost_known & people.effect_known).sum()),
                }
            )
    return pd.DataFrame(rows)


def _estimated(people: Evaluated, paid: TrajectoryCosts, study: Study, plan: Economics) -> Found:
    """Estimate every perspective and band: imputed, and complete cases beside it."""
    bands = study.cohort.band_names
    costs, counted = perspective_costs(people, paid, main=plan.perspective)
    filled = impute_scores(people, seed=study.seed, n_imputations=plan.imputations)
    fits = _complete(people, cost_regressions(people, costs, bands=bands), filled)
    if len(filled) > 1:
        there = people.effect_known
        answered = people.of(there)
        some = cost_regressions(answered, {name: cost[there] for name, cost in costs.items()}, bands=bands)
        fits[COMPLETE] = with_effect(some, answered)
    return Found(
        study=study,
        plan=plan,
        fits=fits,
        counted=counted,
        paid=paid,
        hours=_mean_of_referred(people, people.hours),
    )


def _complete(people: Evaluated, costs: CostFits, filled: list[Evaluated]) -> dict[str, Stacked]:
    """Give the main fit: of everybody where nothing is missing, else pooled over the imputations."""
    if len(filled) == 1:
        return {COMPLETE: with_effect(costs, people)}
    return {IMPUTED: pooled([with_effect(costs, one) for one in filled])}


def _mean_of_referred(people: Evaluated, values: np.ndarray) -> float:
    """Give the weighted mean among the referred."""
    return float(np.average(values, weights=people.weight * people.referred))
