"""What happened to each unit in each window: person x outcome x window."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from wor_eval.cohort.persons import observation_periods, unit_table
from wor_eval.cohort.windows import count_events, observed_days, outcome_frame, recall_counts
from wor_eval.errors import DesignError
from wor_eval.study import Outcome, Study

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from wor_eval.data.read import StudyData


def measure_outcomes(
    data: StudyData, units: pd.DataFrame, study: Study, observed: tuple[date, date]
) -> pd.DataFrame:
    """Measure every outcome of the plan in every window of the plan.

    Returns
    -------
    DataFrame
        ``unit, outcome, window, value, observed_days``. Windows in which a unit was not observed have no row.

    Raises
    ------
    DesignError
        An outcome has no event at all for anybody in the cohort.
    """
    import pandas as pd

    frames = [_measure(data, units, study, (outcome, observed)) for outcome in study.outcomes]
    return pd.concat(frames, ignore_index=True)


def _measure(
    data: StudyData, units: pd.DataFrame, study: Study, of: tuple[Outcome, tuple[date, date]]
) -> pd.DataFrame:
    outcome, observed = of
    windows = study.windows.all()
    events = _events(data, outcome)
    joined = unit_table(units)
    if outcome.exposure == "recall":
        counts = recall_counts(events.filter(events.recall_days.notnull()), joined, windows)
        frame = outcome_frame(counts.drop("observed_days"), counts.drop("value"), outcome=outcome.name)
    else:
        values = count_events(events.filter(events.recall_days.isnull()), joined, windows)
        days = observed_days(observation_periods(data, observed), joined, windows)
        frame = outcome_frame(values, days, outcome=outcome.name)
    if not frame["value"].any():
        raise DesignError(
            f"outcome {outcome.name}: no event of table {outcome.table} falls in any window of the cohort; "
            "look at exposure, kinds and icpc in the plan"
        )
    return frame


def _events(data: StudyData, outcome: Outcome) -> ir.Table:
    """Give the rows of the table that count for an outcome: ``person_id, event_on, amount, recall_days``."""
    table = data.tables[outcome.table]
    if outcome.kinds:
        table = table.filter(table.kind.isin(outcome.kinds))
    if outcome.icpc:
        table = table.filter(table.icpc.left(3).isin(outcome.icpc))
    return table.select(
        "person_id", event_on=table.contact_on, amount=table.n_contacts, recall_days=table.recall_days
    )
