"""Every table of a study of reach, and what in the data stands in its way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from wor_eval.cohort.registered import Registered, registered_population
from wor_eval.effects import reach
from wor_eval.effects.reach_indicators import indicators
from wor_eval.effects.reach_steps import departures, sources, steps
from wor_eval.reach_plan import Reach

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.data.read import StudyData


def reach_tables(
    data: StudyData, plan: Reach, *, progress: Callable[[str], None] = lambda step: None
) -> tuple[dict[str, pd.DataFrame], tuple[date, date]]:
    """Make the tables of a study of reach.

    Parameters
    ----------
    data : StudyData
        The raw tables.
    plan : Reach
        The plan.
    progress : callable
        Told the name of each step as it starts.

    Returns
    -------
    (dict of str to DataFrame, (date, date))
        The tables, and the first and last day of the quarters that are described.

    Raises
    ------
    DesignError, EstimationError
        There are no referrals, no registered persons, or nothing that connects the two.
    """
    progress("who is registered and who is referred")
    population = registered_population(data, plan)
    reach.check_denominators(population)
    progress("rates by age, place, income and quarter")
    tables = {
        "reach_flags": flags(data, population),
        "reach_pyramid": reach.pyramid(population, plan),
        "reach_rates": reach.reach_rates(population, plan),
        **reach.quarterly(population, plan),
        **reach.practice_funnel(population, plan, _starts(data)),
    }
    progress("steps and indicators")
    tables |= {
        "reach_sources": sources(population),
        "reach_steps": steps(population, plan),
        "reach_departures": departures(population, plan),
        "reach_indicators": indicators(population, plan),
    }
    return tables, (population.spans[0][1], population.spans[-1][2])


def _starts(data: StudyData) -> pd.DataFrame | None:
    if "practices" not in data.tables:
        return None
    return data.tables["practices"].select(practice="practice_id", wor_from="wor_from").to_pandas()


def flags(data: StudyData, population: Registered) -> pd.DataFrame:
    """Say what stands in the way of a rate: referrals that do not count, and places or quarters without persons.

    Returns
    -------
    DataFrame
        ``reason, n_units, n_referrals``: ``outside_period`` and ``not_registered`` count referrals, the others units:
        ``practice_without_registered`` practices of table practices; ``quarter_without_registered`` and
        ``quarter_with_few`` quarters of a municipality (registered time none, or below half its median).
    """
    import pandas as pd

    referrals, names = population.referrals, [name for name, _, _ in population.spans]
    everything = int(data.tables["referrals"].count().to_pyarrow().as_py())
    loose = int(referrals["practice"].isna().sum())
    rows = [("outside_period", 0, everything - len(referrals)), ("not_registered", 0, loose)]
    present = set(population.by("practice")["practice"])
    starts = _starts(data)
    if starts is not None:
        rows.append(("practice_without_registered", len(set(starts["practice"]) - present), 0))
    wide = population.by("municipality", "quarter").pivot(
        index="quarter", columns="municipality", values="person_years"
    )
    wide = wide.reindex(names).fillna(0.0)
    low = (wide > 0) & wide.lt(wide.where(wide > 0).median() / 2, axis=1)
    rows.append(("quarter_without_registered", int((wide == 0).sum().sum()), 0))
    rows.append(("quarter_with_few", int(low.sum().sum()), 0))
    return pd.DataFrame(rows, columns=["reason", "n_units", "n_referrals"])
