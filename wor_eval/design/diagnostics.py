"""How comparable the arms are: balance of the covariates, overlap of the propensities, size of the design."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wor_eval.cohort.wide import wide_outcome
from wor_eval.design.balance import balance_table
from wor_eval.design.level import permanent_level
from wor_eval.design.matched import MatchedCohort
from wor_eval.errors import DesignError
from wor_eval.study import Study

if TYPE_CHECKING:
    import pandas as pd

# What Austin 2009 (doi:10.1002/sim.3697) takes for a negligible difference, after others.
SMD_LIMIT = 0.1
_BINS = 20


def balance(matched: MatchedCohort, study: Study, *, outcome: str) -> pd.DataFrame:
    """Compare the covariates of the arms before and after matching, by age band and for all ages.

    The standardised difference is divided by the standard deviation of the unmatched referred (binary covariates:
    the root of p(1-p)), as MatchIt does for the ATT. Beside the design's covariates stand the counts of the placebo
    year and of each quarter before the index date, whatever the design matched on.

    Parameters
    ----------
    matched : MatchedCohort
        Sets and weights.
    study : Study
        The plan: bands.
    outcome : str
        The outcome whose history is shown.

    Returns
    -------
    DataFrame
        ``outcome, age_band, covariate, sample, mean_referred, mean_comparison, smd, variance_ratio, ks, flagged,
        n_referred, n_comparison``; ``flagged`` marks an absolute standardised difference above 0.1.
    """
    import pandas as pd

    matrix, names = _shown(matched, study, outcome)
    band = matched.cohort.persons["age_band"].to_numpy().astype(str)
    parts = []
    for groups, weight in ((None, matched.weight), (band, matched.weight)):
        try:
            table = balance_table(
                matrix, matched.referred, weight, names=names, groups=groups, threshold=SMD_LIMIT
            )
        except DesignError:
            continue
        parts.append(table.to_frame())
    frame = pd.concat(parts, ignore_index=True).drop_duplicates(["group", "covariate", "sample"])
    frame = frame.rename(columns={"group": "age_band"}).drop(columns=["ecdf_mean"], errors="ignore")
    frame = frame.merge(_counts(matched, study), on=["age_band", "sample"], how="left")
    columns = [
        "age_band",
        "covariate",
        "sample",
        "mean_referred",
        "mean_comparison",
        "smd",
        "variance_ratio",
        "ks",
    ]
    return frame[[*columns, "flagged", "n_referred", "n_comparison"]].assign(outcome=outcome)


def _shown(matched: MatchedCohort, study: Study, outcome: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Give the covariates with all history: the design's own columns of history stand among them."""
    history = wide_outcome(matched.cohort, outcome, ("placebo", *study.windows.quarterly()))
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = np.where(history.years > 0, history.value / history.years, 0.0)
    own = [i for i, name in enumerate(matched.covariates.names) if not name.startswith(f"{outcome}:")]
    names = [matched.covariates.names[i] for i in own]
    levels = [i for i, name in enumerate(matched.covariates.names) if name.endswith(":level")]
    columns = [matched.covariates.matrix[:, own], matched.covariates.matrix[:, levels], rates]
    names += [matched.covariates.names[i] for i in levels]
    names += [f"{outcome}:{window}" for window in history.windows]
    return np.column_stack(columns), tuple(names)


def _counts(matched: MatchedCohort, study: Study) -> pd.DataFrame:
    import pandas as pd

    band = matched.cohort.persons["age_band"].to_numpy()
    rows = []
    for name in (*study.cohort.band_names, "all"):
        inside = np.ones(band.size, bool) if name == "all" else band == name
        for sample, used in (("before", inside), ("after", inside & (matched.weight > 0))):
            n_referred = int((used & matched.referred).sum())
            rows.append((name, sample, n_referred, int(used.sum()) - n_referred))
    return pd.DataFrame(rows, columns=["age_band", "sample", "n_referred", "n_comparison"])


def overlap(matched: MatchedCohort, *, outcome: str) -> pd.DataFrame:
    """Count persons by class of the logit of the propensity score, by arm, as they are and weighted.

    Parameters
    ----------
    matched : MatchedCohort
        Sets and weights.
    outcome : str
        Name of the outcome.

    Returns
    -------
    DataFrame
        ``outcome, arm, bin_low, bin_high, n_persons, share, share_weighted``; the outermost classes hold
        everything beyond them.
    """
    import pandas as pd

    known = np.isfinite(matched.score)
    with np.errstate(divide="ignore"):
        logit = np.log(matched.score[known]) - np.log1p(-matched.score[known])
    arm, weight = matched.referred[known], matched.weight[known]
    low, high = np.quantile(logit[arm], [0.005, 0.995])
    edges = np.linspace(np.floor(low), np.ceil(high), _BINS + 1)
    place = np.clip(np.digitize(logit, edges) - 1, 0, _BINS - 1)
    rows = []
    for name, inside in (("referred", arm), ("comparison", ~arm)):
        count = np.bincount(place[inside], minlength=_BINS)
        weighted = np.bincount(place[inside], weights=weight[inside], minlength=_BINS)
        rows += [
            {
                "outcome": outcome,
                "arm": name,
                "bin_low": edges[i],
                "bin_high": edges[i + 1],
                "n_persons": int(count[i]),
                "share": count[i] / count.sum(),
                "share_weighted": weighted[i] / weighted.sum(),
            }
            for i in range(_BINS)
        ]
    return pd.DataFrame(rows)


def design_numbers(matched: MatchedCohort, study: Study, *, outcome: str) -> pd.DataFrame:
    """Give the size of the design: persons, sets, effective comparison persons, who was dropped.

    With two or more years of history also its reliability: what share of the differences in earlier counts is
    permanent. Below one, matching on those counts leaves a difference in permanent level.

    Returns
    -------
    DataFrame
        ``outcome, measure, value, n_persons``; ``n_persons`` is the count itself where the measure counts persons,
        else the number of referred in the design.
    """
    import pandas as pd

    numbers: dict[str, float] = dict(matched.summary())
    counted = set(numbers)
    if study.windows.years > 1:
        earlier = ("quarter-3", "quarter-4", *study.windows.yearly())
        history = wide_outcome(matched.cohort, outcome, earlier)
        numbers["reliability"] = permanent_level(matched.cohort, history).reliability
    numbers["n_imputed"] = matched.covariates.n_imputed
    counted.add("n_imputed")
    rows = [
        (outcome, name, float(value), int(value) if name in counted else int(numbers["n_referred"]))
        for name, value in numbers.items()
    ]
    return pd.DataFrame(rows, columns=["outcome", "measure", "value", "n_persons"])
