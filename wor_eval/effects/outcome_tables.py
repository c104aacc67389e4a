"""Every table of costs, scores and times to an event, of either design."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wor_eval.effects.arms import Arms, outcomes_of
from wor_eval.effects.cost_parts import cost_parts
from wor_eval.effects.cost_tables import cost_concentration, cost_effects
from wor_eval.effects.delivered import delivered, prices
from wor_eval.effects.event_tables import event_curves, event_effects, event_times_of
from wor_eval.effects.missing_tables import missing_scores, score_nonresponse, score_patterns, score_tipping
from wor_eval.effects.score_tables import impute_scores, score_changes, score_effects
from wor_eval.effects.score_waves import score_waves
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from wor_eval.data.read import StudyData

Tables = dict[str, "pd.DataFrame"]


def outcome_tables(data: StudyData, arms: Arms, study: Study) -> Tables:
    """Make the tables of the outcomes of a plan that are not contacts, and of the times to an event.

    Parameters
    ----------
    data : StudyData
        The raw tables.
    arms : Arms
        The referred alone, or both arms of a matched cohort.
    study : Study
        The plan.

    Returns
    -------
    dict of str to DataFrame
        ``cost_effects, cost_parts, cost_part_effects, cost_concentration`` for outcomes that are costs;
        ``score_change, score_effects, score_missing, score_patterns, score_nonresponse, score_tipping`` for scores;
        ``delivered`` and ``prices`` for both; ``event_curves, event_effects``.
    """
    costs = [_cost_tables(data, arms, study, name) for name in outcomes_of(study, "cost_per_year")]
    scores = [_score_tables(data, arms, study, name) for name in outcomes_of(study, "mean_score")]
    times = event_times_of(data, arms, study)
    events = {"event_curves": event_curves(times, study), "event_effects": event_effects(times, study)}
    read = {"delivered": delivered(data, study), "prices": prices(study)} if costs or scores else {}
    return {**_below_each_other(costs), **_below_each_other(scores), **read, **events}


def _below_each_other(parts: list[Tables]) -> Tables:
    import pandas as pd

    names = parts[0] if parts else {}
    return {name: pd.concat([part[name] for part in parts], ignore_index=True) for name in names}


def _cost_tables(data: StudyData, arms: Arms, study: Study, outcome: str) -> Tables:
    return {
        "cost_effects": cost_effects(arms, study, outcome=outcome),
        **cost_parts(data, arms, study, outcome=outcome),
        "cost_concentration": cost_concentration(arms, study, outcome=outcome),
    }


def _score_tables(data: StudyData, arms: Arms, study: Study, outcome: str) -> Tables:
    waves = score_waves(data, arms, study, outcome=outcome)
    imputed = impute_scores(waves, study)
    return {
        "score_change": score_changes(waves, study, outcome=outcome),
        "score_effects": score_effects(waves, imputed, study, outcome=outcome),
        "score_missing": missing_scores(waves, study, outcome=outcome),
        "score_patterns": score_patterns(waves, study, outcome=outcome),
        "score_nonresponse": score_nonresponse(waves, outcome=outcome),
        "score_tipping": score_tipping(waves, imputed, study, outcome=outcome),
    }
