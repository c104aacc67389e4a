"""Does the study's own interval hold the truth? Costs by payer, QALYs and net benefit of whole simulated studies.

Run as ``python -m benchmarks.economics_study [studies] [persons]`` (default 200 studies of 10,000 persons, 15 minutes of
one processor); it writes its table into ``docs/economics_recovery.md``. Each study is a panel without an effect, referral
on an observed peak, with dated cost lines and questionnaires, matched by the shipped plan and evaluated by the package's
own regressions, imputations and Rubin's rules. Windows are whole months, which makes hundreds of studies possible. The
truth is zero for every payer, and what the trajectory costs for all of them together.

The effect is measured twice. ``drawn`` differs by nothing: whoever answered gets a score drawn alike in both arms, with
practices that differ. ``answered`` are the simulated questionnaires, in which the referred start from a dip that wears
off in some months: what an adjustment for the score at the start leaves of it is bias.
"""

import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.economics_page import PAGE, write_part
from benchmarks.recovery.panel_cohort import panel_cohort
from wor_eval.assets import asset
from wor_eval.data.panel import Panel, simulate_panel
from wor_eval.data.people import MONTHS
from wor_eval.data.simulate import simulate_tables
from wor_eval.data.synthetic_items import eq5d5l_value
from wor_eval.data.synthetic_people import person_ids
from wor_eval.data.timeline import MONTH_START
from wor_eval.design.matched import MatchedCohort
from wor_eval.design.matching import match_cohort
from wor_eval.economics.decision import net_benefit
from wor_eval.economics.estimates import cost_regressions, impute_scores, pooled, with_effect
from wor_eval.economics.evaluated import Evaluated
from wor_eval.economics.intervals import Intervals
from wor_eval.study import Study, read_study

Floats = NDArray[np.float64]
PAYERS = ("zvw", "wmo", "wlz", "own")
BANDS = ("18-64", "65+")
THRESHOLDS, TRAJECTORY, IMPUTATIONS = (20_000.0, 80_000.0), 500.0, 10
NAMES = {
    "zvw": "Insurer (€)",
    "wmo": "Municipality (€)",
    "wlz": "Care office (€)",
    "all": "All costs (€)",
    "effect": "Effect (QALY)",
    "net benefit 20000": "Net benefit at € 20,000",
    "net benefit 80000": "Net benefit at € 80,000",
}


def plan() -> Study:
    """Give the shipped plan."""
    return read_study(asset("analyses", "cost_effectiveness.toml"))


def draw_study(study: Study, *, persons: int, seed: int) -> Evaluated:
    """Simulate and match one study without an effect: the persons whose costs are known."""
    panel = simulate_panel(persons=persons, seed=seed, scenario="null-peak")
    tables = simulate_tables(panel, seed=seed)
    cohort = panel_cohort(panel, entries=study.cohort.entries, seed=seed)
    people = evaluated_panel(panel, tables, match_cohort(cohort, study, outcome="gp_contacts"))
    return people.of(people.cost_known)


def answers(people: Evaluated, *, seed: int) -> pd.DataFrame:
    """Evaluate one study with both kinds of effect: a row per quantity and age band."""
    rng, asked = np.random.default_rng([seed, 9]), people.effect_known
    names, practice = np.unique(people.practice, return_inverse=True)
    first = rng.normal(0.75, 0.2, practice.size)
    later = 0.3 + 0.6 * first + rng.normal(0, 0.12, first.size) + 0.03 * rng.normal(size=names.size)[practice]
    drawn = people.with_scores(np.where(asked, first, np.nan), np.where(asked, later, np.nan))
    both = [_answers(drawn, seed).assign(kind="drawn"), _answers(people, seed).assign(kind="answered")]
    return pd.concat(both, ignore_index=True)


def _answers(people: Evaluated, seed: int) -> pd.DataFrame:
    """Estimate every payer, all of them, the effect and the net benefit."""
    outcomes = {payer: people.care[:, at] for at, payer in enumerate(people.payers)}
    outcomes = {name: cost for name, cost in outcomes.items() if np.ptp(cost) > 0}
    outcomes["all"] = people.care.sum(axis=1) + TRAJECTORY * people.referred
    costs = cost_regressions(people, outcomes, bands=BANDS)
    fit = pooled(
        [with_effect(costs, one) for one in impute_scores(people, seed=seed, n_imputations=IMPUTATIONS)]
    )
    rows = []
    for band in fit.bands:
        for name in fit.equations[:-1]:
            limits = fit.joint(name, band).intervals()
            rows.append({"quantity": name, "age_band": band, **_limits(limits, 0)})
        joint = fit.joint("all", band)
        rows.append({"quantity": "effect", "age_band": band, **_limits(joint.intervals(), 1)})
        benefit = net_benefit(joint, THRESHOLDS)
        for k, threshold in enumerate(THRESHOLDS):
            rows.append(
                {"quantity": f"net benefit {threshold:.0f}", "age_band": band, **_limits(benefit.limits, k)}
            )
    sizes = {"n_referred": int(people.referred.sum()), "n_comparison": int((1 - people.referred).sum())}
    answered = {"n_answered": int((people.effect_known & (people.referred == 0)).sum())}
    return pd.DataFrame(rows).assign(seed=seed, **sizes, **answered)


def _limits(limits: Intervals, at: int) -> dict[str, float]:
    names = ("estimate", "std_error", "conf_low", "conf_high", "p_value")
    return {name: float(getattr(limits, name)[at]) for name in names}


def evaluated_panel(panel: Panel, tables: dict[str, pd.DataFrame], matched: MatchedCohort) -> Evaluated:
    """Lay out matched persons of a panel as the package does, in whole months."""
    rows = np.flatnonzero(matched.weight > 0)
    units = matched.cohort.persons.iloc[rows]
    who = units["person_id"].to_numpy(int)
    month = (units["index_on"].to_numpy().astype("datetime64[M]") - np.datetime64("2019-01")).astype(int)
    referred = (units["arm"] == "referred").to_numpy(float)
    died = panel.death_month[who]
    alive = np.where((died >= 0) & (died < month + 12), np.maximum(died - month, 0) + 0.5, 12.0) / 12
    own = np.where((referred == 0) & (panel.referral_month[who] >= 0), panel.referral_month[who] - 1, MONTHS)
    last = np.minimum(panel.last_month[who], own)
    seen = (last >= month + 11) | (alive < 1)
    place = pd.Series(np.arange(panel.n), index=person_ids(panel))
    care, before = [], []
    for payer in PAYERS:
        total = _running_costs(tables["costs"], place, payer)
        ends = np.clip(np.stack([month - 12, month, month + 12]), 0, MONTHS)
        at = [total[who, end] for end in ends]
        before.append(at[1] - at[0])
        care.append(np.where(seen, at[2] - at[1], np.nan))
    first, level = _scores(tables["questionnaires"], place, (who, month, referred, alive))
    return Evaluated(
        referred=referred,
        weight=matched.weight[rows],
        band=units["age_band"].to_numpy(object),
        practice=units["practice_id"].astype(str).to_numpy(object),
        care=np.column_stack(care),
        before=np.column_stack(before),
        baseline=first,
        level=level,
        alive=alive,
        hours=5 * referred,
        contacts=3 * referred,
        known=np.column_stack(
            [units["age"], units["sex"].astype(str).str[0] == "F", units["n_chronic"]]
        ).astype(float),
        payers=PAYERS,
    )


def _running_costs(costs: pd.DataFrame, place: "pd.Series[int]", payer: str) -> Floats:
    """Give the euros of a payer up to the start of each month, shape (n, months + 1)."""
    lines = costs[costs["payer"] == payer]
    month = (lines["from_on"].to_numpy().astype("datetime64[M]") - np.datetime64("2019-01")).astype(int)
    cell = place[lines["person_id"]].to_numpy() * MONTHS + month
    by_month = np.bincount(cell, weights=lines["amount"], minlength=len(place) * MONTHS)
    running = np.cumsum(by_month.reshape(len(place), MONTHS), axis=1)
    return np.hstack([np.zeros((len(place), 1)), running])


def _scores(
    questionnaires: pd.DataFrame, place: "pd.Series[int]", units: tuple[NDArray[np.intp], ...]
) -> tuple[Floats, Floats]:
    """Give the score at the start and the mean score while alive, missing without answers."""
    who, month, _, alive = units
    rows = questionnaires[questionnaires["instrument"] == "eq5d5l"]
    rows = rows[~rows["items"].str.contains(".", regex=False)]
    profiles = np.array([[int(a) for a in text.split()] for text in rows["items"]])
    rows = rows.assign(value=eq5d5l_value(profiles), who=place[rows["person_id"]].to_numpy())
    day = rows["answered_on"].to_numpy().astype("datetime64[D]").astype(int)
    answers = {
        key: (day[at], rows["value"].to_numpy()[at]) for key, at in rows.groupby("who").indices.items()
    }
    first, level = np.full(who.size, np.nan), np.full(who.size, np.nan)
    for at, person in enumerate(who):
        if person not in answers:
            continue
        when, value = answers[person]
        when = when - (MONTH_START[month[at]] + 15)
        order = np.argsort(when)
        when, value = when[order], value[order]
        before, after = (when >= -182) & (when <= 20), when > 20
        if not before.any():
            continue
        first[at] = value[before][-1]
        if (after.any() and when[after][-1] >= 150) or alive[at] < 1:
            days = np.arange(max(int(365 * alive[at]), 1))
            level[at] = np.interp(days, [0, *when[after]], [first[at], *value[after]]).mean()
    return first, level


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Give bias, spread, errors, coverage and how often the answer is too certain, by quantity and age band."""
    true = rows["quantity"].str.startswith("net benefit").map({True: -TRAJECTORY, False: 0.0})
    true = true.where(rows["quantity"] != "all", TRAJECTORY)
    rows = rows.assign(
        error=rows["estimate"] - true,
        square=rows["std_error"] ** 2,
        held=(rows["conf_low"] <= true) & (true <= rows["conf_high"]),
    )
    found = rows.groupby(["kind", "quantity", "age_band"], sort=False).agg(
        studies=("error", "size"),
        bias=("error", "mean"),
        spread=("error", "std"),
        root_mean_square_error=("square", lambda v: np.sqrt(v.mean())),
        median_error=("std_error", "median"),
        coverage=("held", "mean"),
        referred=("n_referred", "mean"),
        comparison=("n_comparison", "mean"),
        answered=("n_answered", "mean"),
    )
    return found.reset_index()


def page(found: pd.DataFrame) -> str:
    """Write the part of the page."""
    size, studies = found.iloc[0], int(found["studies"].max())
    error = 100 * np.sqrt(0.95 * 0.05 / studies)
    lines = [
        f"{studies} studies; about {size['referred']:.0f} referred and {size['comparison']:.0f} comparison persons with "
        f"known costs, of whom {size['answered']:.0f} comparison persons answered questionnaires; {IMPUTATIONS} "
        f"imputations, 20 practices. Monte-Carlo error of coverage {error:.1f} points, of bias in brackets. *Spread* is "
        "the standard deviation of the estimates over the studies; beside it the standard error as the study itself "
        "gives it: its root mean square, which should equal the spread, and its median.",
        "",
        "| Effect | Quantity | Age | Bias | Spread | Error, root mean square | Error, median | Coverage |",
        "|:---|:---|:---|---:|---:|---:|---:|---:|",
    ]
    for _, row in found.iterrows():
        if row["quantity"] not in NAMES or (row["kind"] == "answered" and "e" not in row["quantity"]):
            continue
        digits = 4 if row["quantity"] == "effect" else 0
        chance = row["spread"] / np.sqrt(row["studies"])
        numbers = [row[name] for name in ("spread", "root_mean_square_error", "median_error")]
        cells = [f"{row['bias']:.{digits}f} ({chance:.{digits}f})", *(f"{x:.{digits}f}" for x in numbers)]
        head = f"| {row['kind']} | {NAMES[row['quantity']]} | {row['age_band']} | "
        lines.append(head + " | ".join(cells) + f" | {100 * row['coverage']:.1f} |")
    return "\n".join(lines)


def main(studies: int, persons: int) -> None:
    start, study, done = time.perf_counter(), plan(), []
    for seed in range(1, studies + 1):
        done.append(answers(draw_study(study, persons=persons, seed=seed), seed=seed))
        if seed % 10 == 0:
            print(f"{seed}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    found = summary(pd.concat(done, ignore_index=True))
    print(found.round(4).to_string())
    write_part(PAGE, "study", page(found))


if __name__ == "__main__":
    asked = [*sys.argv[1:], *("200", "10000")[len(sys.argv) - 1 :]]
    main(int(asked[0]), int(asked[1]))
