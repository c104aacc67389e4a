"""The page that says which design recovers a known effect, and where it does not."""

from pathlib import Path

import pandas as pd

NAMES = {
    "before_after": "Before and after, referred only",
    "unmatched": "Unmatched difference-in-differences",
    "covariates": "Matched on covariates",
    "placebo_year": "Matched on covariates + placebo year",
    "quarters": "Matched on quarters before",
    "quarters_earlier": "**Matched on quarters, against the earlier year**",
    "level": "Matched on permanent level and deviation (3 years)",
    "level, 2 years": "The same, 2 years of history",
    "level, 1 year": "The same, 1 year of history",
    "ancova": "ANCOVA on the covariate-matched cohort",
    "aipw": "Doubly robust (AIPW) on covariates and quarters",
}
SCENARIOS = {
    "null-peak": "No effect, referral on an observed peak",
    "null-level": "No effect, referral on a permanent level",
    "mixed": "Effect (0.80 at 18-64, 0.90 at 65+), half on a peak, half on a level",
    "effect": "Effect (0.80 at 18-64, 0.90 at 65+), referral on an observed peak",
}
VALID_BIAS, LOW, HIGH = 0.02, 0.92, 0.98

HEAD = """# Which design recovers a known effect

Made by `make recovery`: {studies} simulated studies per scenario of 15,000 persons (about {referred} referred), every
design on the same cohort, estimates by age band. *Bias* is on the log rate ratio (Monte-Carlo error about {error}),
*coverage* is that of the 95 % interval, *placebo* is the share of studies in which the placebo contrast lies off one:
the power to show that something is wrong, or (where nothing is) the false alarms. A design is called **valid** in a
scenario when its bias is under 0.02 (give or take two Monte-Carlo errors) and its coverage between 92 % and 98 % in both
bands.

## What to take from it

{verdict}

The recommended design, and the headline of `analyses/matched_cohort.toml`, matches on the quarters before referral and
sets the change **against the earlier year** instead of the year before. Matching makes the peak alike; the earlier year
takes out what lasting difference in level noisy quarters leave.

The design on permanent level and deviations is right when referral hangs on observed counts, and not when it hangs on
the level itself: a level that is estimated from a few years remains noisy, and whoever is referred has a higher level
than anybody with the same estimate. More years of history shrink that bias but do not remove it within three.

When *not* to use a design:

- Before and after, unmatched, and matching on person covariates only: not when the line of contacts rises before
  referral. Their placebo contrast says so.
- Matching on recent counts with the year before as the base, ANCOVA and AIPW: not when referral hangs on a lasting
  level. The placebo contrast of the matched designs says so in most studies of this size, and in a mixture in fewer
  than half: compare it with the recommended design.
- Any of them: not when what moves referral is neither in the counts nor in the covariates. No placebo contrast on
  counts shows that; the sensitivity analysis says how strong it would have to be.
"""


def write_page(summary: pd.DataFrame, path: Path) -> None:
    """Write the page from the summary of a recovery run."""
    parts = [
        HEAD.format(
            studies=int(summary["studies"].max()),
            referred=int(summary.groupby("age_band")["referred"].max().sum()),
            error=f"{summary['monte_carlo_error'].median():.3f}",
            verdict=_verdict(summary),
        )
    ]
    for scenario, says in SCENARIOS.items():
        rows = summary[summary["scenario"] == scenario]
        if len(rows):
            parts.append(f"## {says} (`{scenario}`)\n\n{_table(rows)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts), encoding="utf-8")


def valid(rows: pd.DataFrame) -> bool:
    """Tell whether a design is valid in a scenario, in every band."""
    slack = 2 * rows["monte_carlo_error"]
    unbiased = rows["bias"].abs() < VALID_BIAS + slack
    return bool((unbiased & rows["coverage"].between(LOW, HIGH)).all())


def _verdict(summary: pd.DataFrame) -> str:
    lines = []
    for design, name in NAMES.items():
        rows = summary[summary["design"] == design]
        good = [s for s in SCENARIOS if s in set(rows["scenario"]) and valid(rows[rows["scenario"] == s])]
        says = ", ".join(f"`{s}`" for s in good) if good else "none of the scenarios"
        lines.append(f"- {name}: valid in {says}.")
    return "\n".join(lines)


def _table(rows: pd.DataFrame) -> str:
    lines = [
        "| Design | Age | Bias | Spread | Mean SE | Coverage | Placebo | Valid |",
        "|:---|:---|---:|---:|---:|---:|---:|:---|",
    ]
    for design, name in NAMES.items():
        part = rows[rows["design"] == design]
        for _, row in part.iterrows():
            lines.append(
                f"| {name} | {row['age_band']} | {row['bias']:+.3f} | {row['spread']:.3f} | {row['std_error']:.3f} "
                f"| {row['coverage']:.0%} | {row['placebo_power']:.0%} | {'yes' if valid(part) else 'no'} |"
            )
    return "\n".join(lines) + "\n"
