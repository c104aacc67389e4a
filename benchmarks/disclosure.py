"""Protecting 200 linked tables of one study together: python -m benchmarks.disclosure

Tables of users by band, sex and kind of care, each beside the same totals, from simulated persons; a third of the
cells is small. Prints the time of the whole (limit: ten seconds) and of each table protected by itself.
"""

from __future__ import annotations

import itertools
import time

import numpy as np
import pandas as pd

from wor_eval.report.disclosure import DisclosureRule, protect_alone
from wor_eval.report.linked import protect_tables
from wor_eval.study import Disclosure

TABLES = 200
PERSONS = 4_000
BANDS, SEXES = ("18-64", "65+", "all"), ("F", "M", "all")
RULE = DisclosureRule(
    persons=("n_persons", "n_users"),
    hides=("mean",),
    group=("arm", "kind"),
    adds_up=("sex", "age_band"),
    by=("kind",),
    within={"n_users": "n_persons"},
)


def tables(seed: int = 1) -> dict[str, pd.DataFrame]:
    """Count users of 200 kinds of care by arm, sex and age band, with all totals."""
    rng = np.random.default_rng(seed)
    who = {
        "arm": rng.choice(["referred", "comparison"], PERSONS),
        "age_band": rng.choice(BANDS[:2], PERSONS),
        "sex": rng.choice(SEXES[:2], PERSONS),
    }
    found = {}
    for number in range(TABLES):
        uses = rng.random(PERSONS) < rng.choice([0.005, 0.02, 0.2])
        rows = []
        for arm, sex, band in itertools.product(("referred", "comparison"), SEXES, BANDS):
            inside = who["arm"] == arm
            inside = inside & ((who["sex"] == sex) | (sex == "all"))
            inside = inside & ((who["age_band"] == band) | (band == "all"))
            rows.append(
                (f"kind {number}", arm, sex, band, int(inside.sum()), int((inside & uses).sum()), 1.0)
            )
        columns = ["kind", "arm", "sex", "age_band", "n_persons", "n_users", "mean"]
        found[f"table {number}"] = pd.DataFrame(rows, columns=columns)
    return found


def main() -> None:
    """Time it three times."""
    made = tables()
    rules = dict.fromkeys(made, RULE)
    cells = np.concatenate([frame["n_users"] for frame in made.values()])
    print(
        f"{len(made)} tables, {cells.size} rows, {np.mean((cells > 0) & (cells < 10)):.0%} of the counts small"
    )
    for _ in range(3):
        start, busy = time.perf_counter(), time.process_time()
        protection = protect_tables(made, rules, Disclosure())
        together, worked = time.perf_counter() - start, time.process_time() - busy
        busy = time.process_time()
        alone = {name: protect_alone(frame, RULE, Disclosure()) for name, frame in made.items()}
        apart = time.process_time() - busy
        hidden = sum(found.hidden.sum() for found in protection.values())
        one_by_one = sum(found.sum() for found in alone.values())
        print(f"together {together:.2f} s ({worked:.2f} s of processor), {hidden} rows hidden")
        print(f"one by one {apart:.2f} s of processor, {one_by_one} rows hidden")


if __name__ == "__main__":
    main()
