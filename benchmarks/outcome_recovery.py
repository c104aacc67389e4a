"""Do the report's tables of costs and scores recover a known effect: whole studies, from raw tables to table rows.

Run as ``python -m benchmarks.outcome_recovery [studies] [persons]`` (default 60 studies of 6,000 persons; about 10
minutes on an idle core); it writes ``docs/outcome_recovery.md``. In scenario ``effect`` the insurer's costs fall by
10 % at 18-64 and 5 % at 65+ and the score rises by 1.5 and 1.0 points after referral. The truth of each study is what
the effect did to its own referred persons: the same persons, drawn again without it. A third of the questionnaires
does not come back, depending on the score at the start; the dearest per cent of persons carries much of the costs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from wor_eval.assets import asset
from wor_eval.cohort.build import build_cohort
from wor_eval.cohort.wide import wide_outcome
from wor_eval.data.panel import simulate_panel
from wor_eval.data.read import StudyData, study_data
from wor_eval.data.simulate import simulate_tables
from wor_eval.design.matched import MatchedCohort
from wor_eval.design.matching import match_cohort
from wor_eval.effects.arms import matched_arms
from wor_eval.effects.cost_tables import cost_effects
from wor_eval.effects.score_tables import impute_scores, score_effects
from wor_eval.effects.score_waves import score_waves
from wor_eval.study import Study, read_study

PAGE = Path(__file__).resolve().parent.parent / "docs" / "outcome_recovery.md"
COSTS, SCORE = "care_costs", "wellbeing"
NONE = {"cost_effects": {"18-64": 1.0, "65+": 1.0}, "wellbeing_effects": {"18-64": 0.0, "65+": 0.0}}
NEEDED = ("persons", "registrations", "referrals", "contacts", "costs", "questionnaires", "municipalities")


def plan(replicates: int = 500) -> Study:
    """The shipped matched study with fewer replicates and windows."""
    study = read_study(asset("analyses", "matched_cohort.toml"))
    windows = study.windows.model_copy(update={"months": None, "years": 1})
    return study.model_copy(update={"replicates": replicates, "windows": windows})


def one_study(seed: int, persons: int, study: Study) -> pd.DataFrame:
    """Rows of the report's tables of one simulated study, each with the truth of its own persons."""
    panel = simulate_panel(persons=persons, seed=seed, scenario="effect")
    data, without = (_read(simulate_tables(panel, seed=seed, **part)) for part in ({}, NONE))
    matched = match_cohort(build_cohort(data, study), study, outcome=study.headline.outcomes[0])
    arms = matched_arms(matched)
    waves = score_waves(data, arms, study, outcome=SCORE)
    rows = pd.concat(
        [
            cost_effects(arms, study, outcome=COSTS),
            score_effects(waves, impute_scores(waves, study), study, outcome=SCORE).assign(
                scale="difference"
            ),
        ],
        ignore_index=True,
    )
    rows = rows[~rows["method"].isin(["park", "link"])]
    truth = _truth(matched, without, study)
    keys = zip(rows["outcome"], rows["age_band"], rows["scale"], strict=True)
    return rows.assign(seed=seed, truth=[truth.get(key, np.nan) for key in keys])


def _read(tables: dict[str, pd.DataFrame]) -> StudyData:
    return study_data({name: tables[name] for name in NEEDED})


def _truth(matched: MatchedCohort, without: StudyData, study: Study) -> dict[tuple[str, str, str], float]:
    """What the effect did to the matched referred: their means after, less those of the same persons without it."""
    other = build_cohort(without, study)
    if not other.persons["person_id"].equals(matched.cohort.persons["person_id"]):
        raise RuntimeError("the study without effect has other units")
    band = matched.cohort.persons["age_band"].to_numpy()
    found = {}
    for name in (COSTS, SCORE):
        one, none = (wide_outcome(cohort, name, ("after",)) for cohort in (matched.cohort, other))
        for part in (*study.cohort.band_names, "all"):
            weight = matched.weight * matched.referred * ((band == part) | (part == "all"))
            means = [weight @ wide.value[:, 0] / (weight @ wide.years[:, 0]) for wide in (one, none)]
            found[name, part, "difference"] = float(means[0] - means[1])
            if name == COSTS:
                found[name, part, "ratio"] = float(means[0] / means[1])
    return found


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Bias with its Monte-Carlo error, coverage and studies, for each row of the tables."""
    logs = (rows["scale"] == "ratio").to_numpy()
    gap = (rows["estimate"] - rows["truth"]).to_numpy()
    gap[logs] = np.log((rows["estimate"] / rows["truth"])[logs])
    inside = (rows["conf_low"] <= rows["truth"]) & (rows["truth"] <= rows["conf_high"])
    rows = rows.assign(gap=gap, inside=inside.astype(float)).dropna(subset=["estimate", "conf_low", "truth"])
    out = rows.groupby(["outcome", "method", "scale", "age_band"], sort=False).agg(
        truth=("truth", "mean"),
        bias=("gap", "mean"),
        spread=("gap", "std"),
        std_error=("std_error", "mean"),
        coverage=("inside", "mean"),
        studies=("gap", "size"),
    )
    return out.assign(noise=out["spread"] / np.sqrt(out["studies"])).reset_index()


def page(table: pd.DataFrame, studies: int, persons: int) -> str:
    """The page with the table of results."""
    head = [
        "# Recovery of costs and scores",
        "",
        f"Whole studies of the matched cohort, {studies} of {persons:,} persons in scenario `effect`, from the raw",
        "tables to the rows of the report's tables. Made by `python -m benchmarks.outcome_recovery`. The truth is what",
        "the effect did to the referred persons of each study. Bias of a ratio is on the log scale; in brackets the",
        "Monte-Carlo error.",
        "",
        "| outcome | method | scale | age | truth | bias | spread | mean SE | coverage | studies |",
        "|---|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for _, row in table.iterrows():
        digits = 0 if row["outcome"] == COSTS and row["scale"] == "difference" else 2
        numbers = [f"{row[name]:.{digits}f}" for name in ("truth", "bias", "noise", "spread", "std_error")]
        truth, bias, noise, spread, error = numbers
        named = [str(row[name]) for name in ("outcome", "method", "scale", "age_band")]
        cells = [
            *named,
            truth,
            f"{bias} ({noise})",
            spread,
            error,
            f"{row['coverage']:.0%}",
            str(row["studies"]),
        ]
        head.append("| " + " | ".join(cells) + " |")
    return "\n".join(head) + "\n"


def main() -> None:
    studies, persons = (int(given) for given in (*sys.argv[1:], *("60", "6000")[len(sys.argv) - 1 :]))
    study, rows = plan(), []
    for seed in range(1, studies + 1):
        rows.append(one_study(seed, persons, study))
        print(seed, flush=True)
        if seed % 5 == 0 or seed == studies:
            PAGE.write_text(page(summary(pd.concat(rows)), seed, persons), encoding="utf-8")


if __name__ == "__main__":
    main()
