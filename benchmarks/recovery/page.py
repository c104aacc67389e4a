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
