"""Answers that did not come back, in either design: how many, in what pattern, in whom, and how much it matters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wor_eval.effects.arms import contrast_of
from wor_eval.effects.imputation import Imputed
from wor_eval.effects.missing import attrition_model, missing_by_wave, missing_patterns
from wor_eval.effects.score_tables import AFTER, score_analysis, used_columns
from wor_eval.effects.score_waves import WAVES, ScoreWaves
from wor_eval.effects.tipping_point import tipping_point
from wor_eval.errors import EstimationError
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

_DELTAS = 9


def missing_scores(waves: ScoreWaves, study: Study, *, outcome: str) -> pd.DataFrame:
    """Count answers and missing answers by arm, age band and wave.

    Of those asked who lived to the end of the last wave: deaths are not missing, and how few they are cannot be
    found by subtracting one wave from the next.

    Returns
    -------
    DataFrame
        ``outcome, arm, age_band, wave, n_asked, n_answered, n_missing, share_missing``.
    """
    import pandas as pd

    rows = []
    for band, part in waves.where(waves.asked & ~waves.died[:, AFTER]).bands(study):
        arm = np.where(part.arms.referred, "referred", "comparison")
        found = missing_by_wave(part.score, arm)
        for place, name in enumerate(found.groups):
            for wave, label in enumerate(WAVES):
                counts = (found.n_alive, found.n_answered, found.n_missing, found.share_missing)
                rows.append((outcome, str(name), band, label, *(count[place, wave] for count in counts)))
    columns = ["outcome", "arm", "age_band", "wave", "n_asked", "n_answered", "n_missing"]
    return pd.DataFrame(rows, columns=[*columns, "share_missing"])


def score_patterns(waves: ScoreWaves, study: Study, *, outcome: str) -> pd.DataFrame:
    """Count the patterns of answers over the waves by arm and age band: ``1`` answered, ``.`` missing, ``+`` died before.

    Returns
    -------
    DataFrame
        ``outcome, arm, age_band, pattern, n_persons``.
    """
    import pandas as pd

    rows = []
    for band, part in waves.where(waves.asked).bands(study):
        arm = np.where(part.arms.referred, "referred", "comparison")
        found = missing_patterns(part.score, arm, died=part.died)
        rows += [
            (outcome, str(name), band, pattern, int(count))
            for place, name in enumerate(found.groups)
            for pattern, count in zip(found.patterns, found.n_persons[:, place], strict=True)
            if count
        ]
    return pd.DataFrame(rows, columns=["outcome", "arm", "age_band", "pattern", "n_persons"])


def score_nonresponse(waves: ScoreWaves, *, outcome: str) -> pd.DataFrame:
    """Say who does not answer after: odds ratios of a missing answer, of those asked who are alive.

    Columns are the arm, what is known of everybody, and the score before (centred; 0 with an indicator where that
    is missing too).

    Returns
    -------
    DataFrame
        ``outcome, term, estimate, std_error, conf_low, conf_high, p_value, n_persons, n_missing``; empty where no
        model can be fitted.
    """
    import pandas as pd

    part = waves.where(waves.asked)
    before = part.score[:, 0]
    unseen = np.isnan(before)
    named = dict(zip(part.known_names, part.known.T, strict=True))
    if part.arms.two:
        named["referred"] = part.arms.referred.astype(float)
    if not unseen.all():
        named["score_before"] = np.where(unseen, 0.0, before - before[~unseen].mean())
        named["no_score_before"] = unseen.astype(float)
    varies = {name: column for name, column in named.items() if column.std() > 0}
    columns = ["outcome", "term", "estimate", "std_error", "conf_low", "conf_high", "p_value"]
    columns += ["n_persons", "n_missing"]
    try:
        found = attrition_model(
            np.isnan(part.score[:, AFTER]).astype(float),
            np.column_stack(list(varies.values())),
            names=list(varies),
            died=part.died[:, AFTER],
            clusters=part.arms.cluster,
        )
    except EstimationError:  # everybody answered, or a column tells exactly who did
        return pd.DataFrame(columns=columns)
    table = found.odds_ratios
    fields = (table.estimate, table.std_error, table.conf_low, table.conf_high, table.p_value)
    rows = [
        (outcome, name, *(float(field[place]) for field in fields), found.n_persons, found.n_missing)
        for place, name in enumerate(table.names)
    ]
    return pd.DataFrame(rows, columns=columns)


def score_tipping(waves: ScoreWaves, imputed: Imputed | None, study: Study, *, outcome: str) -> pd.DataFrame:
    """Make the imputed answers after of the referred worse, step by step, until the conclusion turns.

    The steps run to two standard deviations of the score before, for the worse; values stay within the scale.

    Returns
    -------
    DataFrame
        ``outcome, contrast, delta, estimate, std_error, conf_low, conf_high, p_value, share_cut, tips_at,
        n_persons, n_moved, n_imputations``; ``tips_at`` is missing where the conclusion stands at every step.
    """
    import pandas as pd

    columns = ["outcome", "contrast", "delta", "estimate", "std_error", "conf_low", "conf_high", "p_value"]
    columns += ["share_cut", "tips_at", "n_persons", "n_moved", "n_imputations"]
    part, contrast = waves.where(waves.asked), contrast_of(study, outcome)
    worse = -1.0 if waves.instrument.higher_is == "better" else 1.0
    try:
        if imputed is None:
            raise EstimationError("nothing is missing: there is nothing to make worse")
        found = tipping_point(
            imputed,
            score_analysis(part, contrast),
            columns=used_columns(contrast),
            shifted=AFTER,
            among=part.arms.referred,
            deltas=worse * np.linspace(0.0, 2.0, _DELTAS) * float(np.nanstd(part.score[:, 0])),
            bounds=waves.instrument.score_range,
        )
    except EstimationError:
        return pd.DataFrame(columns=columns)
    moved = int((imputed.imputed[:, AFTER] & part.arms.referred).sum())
    persons = int(np.isfinite(imputed.values[0][:, list(used_columns(contrast))]).all(axis=1).sum())
    tips = np.nan if found.tips_at is None else found.tips_at
    fields = (found.deltas, found.estimate, found.std_error, found.conf_low, found.conf_high, found.p_value)
    rows = [
        (outcome, contrast, *map(float, row), tips, persons, moved, len(imputed.values))
        for row in zip(*fields, found.share_cut, strict=True)
    ]
    return pd.DataFrame(rows, columns=columns)
