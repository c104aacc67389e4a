"""For teaching: small synthetic studies whose true effect is known, and what each design makes of them."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wor_eval.assets import asset
from wor_eval.cohort.build import Cohort, build_cohort
from wor_eval.data.read import StudyData, read_data
from wor_eval.data.simulate import Scenario, simulate_study
from wor_eval.language import interval, number
from wor_eval.report.columns import ReportTable
from wor_eval.report.results import RESULTS_VARIABLE
from wor_eval.report.terms import term
from wor_eval.study import Study, read_study

if TYPE_CHECKING:
    import pandas as pd

PERSONS = 6_000
OUTCOME = "gp_contacts"
_DESIGNS = {
    "before_after": "Before and after, referred only",
    "unmatched": "Unmatched difference-in-differences",
    "covariates": "Matched on covariates",
    "placebo_year": "Matched on covariates and the year before that",
    "quarters": "Matched on quarters before",
    "quarters_earlier": "Matched on quarters, against the earlier year",
    "level": "Matched on permanent level and deviation",
    "ancova": "ANCOVA on the cohort matched on covariates",
    "aipw": "Doubly robust (AIPW)",
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class KnownStudy:
    """A synthetic study of which everything is known.

    Attributes
    ----------
    data : StudyData
        The raw tables.
    plan : Study
        The shipped plan of the matched cohort, with GP contacts as its only outcome.
    cohort : Cohort
        The referred, and entry dates offered to the others.
    truth : mapping of str to float
        The true ratio of the rate of contacts, by age band.
    """

    data: StudyData
    plan: Study
    cohort: Cohort
    truth: dict[str, float]


@cache
def known_study(scenario: Scenario, *, persons: int = PERSONS, seed: int = 1) -> KnownStudy:
    """Give a synthetic study, simulated when it is first asked for in a process.

    Parameters
    ----------
    scenario : {"null-peak", "null-level", "effect", "mixed"}
        Who is referred, and whether it helps.
    persons, seed : int
        As in :func:`wor_eval.simulate_study`.

    Returns
    -------
    KnownStudy
        The study and its truth.

    Examples
    --------
    >>> known_study("null-peak", persons=800).truth
    {'18-64': 1.0, '65+': 1.0}
    """
    import pandas as pd

    folder = study_folder(scenario, persons=persons, seed=seed)
    data = read_data(folder)
    shipped = read_study(asset("analyses", "matched_cohort.toml"))
    assert isinstance(shipped, Study)
    effects = tuple(effect for effect in shipped.effects if effect.outcomes == (OUTCOME,))
    plan = shipped.model_copy(update={"outcomes": (shipped.outcome(OUTCOME),), "effects": effects})
    truth = pd.read_csv(folder / "truth.csv").query("outcome == @OUTCOME and scale == 'ratio'")
    known = dict(zip(truth["age_band"].astype(str), truth["effect"].astype(float), strict=True))
    return KnownStudy(data=data, plan=plan, cohort=build_cohort(data, plan), truth=known)


def study_folder(
    scenario: Scenario, *, persons: int = PERSONS, seed: int = 1, place: Path | None = None
) -> Path:
    """Give the folder of raw tables of a synthetic study; it is made once for all pages that are rendered together."""
    if place is None:
        place = Path(os.environ.get(RESULTS_VARIABLE) or tempfile.mkdtemp(prefix="wor_eval-"))
    folder = place / f"{scenario}-{persons}-{seed}"
    if not folder.exists():
        simulate_study(folder, persons=persons, seed=seed, scenario=scenario, format="parquet")
    return folder


@cache
def designs(known: KnownStudy) -> pd.DataFrame:
    """Carry out every design on a study, once in a process: :func:`wor_eval.triangulate` for its outcome."""
    from wor_eval.effects.triangulation import triangulate

    return triangulate(known.cohort, known.plan, outcome=OUTCOME)


def compare(known: KnownStudy, *names: str) -> ReportTable:
    """Set what designs estimate beside the truth, as ratios by age band.

    Parameters
    ----------
    known : KnownStudy
        The study.
    *names : str
        Designs of :func:`wor_eval.triangulate`, such as ``before_after`` or ``quarters_earlier``.

    Returns
    -------
    ReportTable
        A row per design and age band.
    """
    frame, rows = designs(known), []
    for name in names:
        for band, truth in known.truth.items():
            (row,) = _row(frame, name, band)
            holds = row["conf_low"] <= truth <= row["conf_high"]
            rows.append(
                (
                    _DESIGNS[name],
                    band,
                    number(row["estimate"], 2, lang="en"),
                    interval(row["conf_low"], row["conf_high"], 2, lang="en"),
                    number(truth, 2, lang="en"),
                    "✓ yes" if holds else "✗ no",
                )
            )
    return ReportTable(
        headers=("Design", "Age", "Ratio", "95% interval", "Truth", "Holds the truth"),
        rows=tuple(rows),
        align=("left", "left", "right", "right", "right", "left"),
    )


def _row(frame: pd.DataFrame, name: str, band: str) -> list[pd.Series[Any]]:
    chosen = (frame["design"] == name) & (frame["age_band"] == band) & (frame["scale"] == "ratio")
    return [row for _, row in frame[chosen].iterrows()]


def show(frame: pd.DataFrame, *, digits: int = 2) -> ReportTable:
    """Show a data frame as a table of a page.

    Parameters
    ----------
    frame : DataFrame
        What to show; numbers are rounded.
    digits : int
        Decimals.

    Returns
    -------
    ReportTable
        The texts.

    Examples
    --------
    >>> import pandas as pd
    >>> print(show(pd.DataFrame({"who": ["a"], "mean": [1.234]})))
    | who | mean |
    | :--- | ---: |
    | a | 1.23 |
    <BLANKLINE>
    """
    from pandas.api.types import is_float_dtype, is_numeric_dtype

    cells = {
        name: [number(value, digits if is_float_dtype(column) else 0, lang="en") for value in column]
        if is_numeric_dtype(column)
        else [term(str(value), "en") for value in column]
        for name, column in frame.items()
    }
    return ReportTable(
        headers=tuple(str(name) for name in frame),
        rows=tuple(zip(*cells.values(), strict=True)),
        align=tuple("right" if is_numeric_dtype(column) else "left" for _, column in frame.items()),
    )
