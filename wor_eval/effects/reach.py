"""Reach: who is referred against who is registered, by age and sex, place, income and quarter, and by practice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wor_eval.cohort.registered import Registered
from wor_eval.effects.funnel import LEVELS, FunnelPlot, funnel_plot
from wor_eval.effects.run_chart import run_chart
from wor_eval.effects.standardised import direct_rates, expected_counts, rate_ratio
from wor_eval.errors import EstimationError
from wor_eval.reach_plan import Reach

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

ALL = "all"
STRATUM = ("age_group", "sex")
_DIMENSIONS = ("age_band", "sex", "municipality", "income")
_HIGHEST_INCOME = "5"


def counted(population: Registered, *keys: str) -> pd.DataFrame:
    """Count referrals beside the registered by some columns; a cell without either has no row.

    Returns
    -------
    DataFrame
        The columns, ``n_registered, person_years, referrals, n_referred``.
    """
    time, given = population.by(*keys), population.referrals.dropna(subset=["practice"])
    made = given.groupby(list(keys)).agg(referrals=("person_id", "size"), n_referred=("person_id", "nunique"))
    out = time.merge(made.reset_index(), on=list(keys), how="left")
    return out.fillna({"referrals": 0, "n_referred": 0}).astype({"referrals": int, "n_referred": int})


def pyramid(population: Registered, plan: Reach) -> pd.DataFrame:
    """Set the referred beside the registered by age group and sex.

    Returns
    -------
    DataFrame
        ``age_group, sex, n_referred, n_registered, share_referred, share_registered, rate``: shares of all
        referrals and of all registered time, referrals per ``per`` person-years.
    """
    frame = counted(population, *STRATUM)
    frame["share_referred"] = frame["referrals"] / frame["referrals"].sum()
    frame["share_registered"] = frame["person_years"] / frame["person_years"].sum()
    frame["rate"] = plan.per * frame["referrals"] / frame["person_years"]
    columns = ["n_referred", "n_registered", "share_referred", "share_registered", "rate"]
    return frame[[*STRATUM, *columns]]


def reach_rates(population: Registered, plan: Reach) -> pd.DataFrame:
    """Give crude and directly standardised rates for everybody and by age band, sex, municipality and income.

    The standard is the registered time of the whole study by age group and sex. By income each standardised rate is
    set against that of the highest quintile.

    Returns
    -------
    DataFrame
        ``dimension, level, n_referred, n_registered, referrals, person_years`` and estimate with limits of ``crude``,
        ``standardised`` and ``ratio``. Rates by age or sex are not standardised.
    """
    import pandas as pd

    standard = population.by(*STRATUM)
    parts = [
        _dimension(population.by().assign(**{ALL: ALL}), population, ALL, standard=standard, per=plan.per)
    ]
    parts += [
        _dimension(population.by(name), population, name, standard=standard, per=plan.per)
        for name in _DIMENSIONS
    ]
    return pd.concat(parts, ignore_index=True)


def _dimension(
    time: pd.DataFrame, population: Registered, name: str, *, standard: pd.DataFrame, per: int
) -> pd.DataFrame:
    import pandas as pd

    keys = [name] if name != ALL else []
    cells = counted(population, *dict.fromkeys((*keys, *STRATUM)))
    referrals = population.referrals.dropna(subset=["practice"]).assign(**({} if keys else {ALL: ALL}))
    levels = sorted(time[name])
    made = referrals.groupby(name)["person_id"].agg(["size", "nunique"]).reindex(levels, fill_value=0)
    out = time.set_index(name).loc[levels]
    cells = cells.assign(**({} if keys else {ALL: ALL}))
    count, exposed = (
        _wide(cells, name, column, levels=levels, standard=standard)
        for column in ("referrals", "person_years")
    )
    crude = direct_rates(count, exposed)
    share = None if name in ("age_band", "sex") else standard["person_years"].to_numpy(float)
    adjusted = direct_rates(count, exposed, standard=share)
    frame = pd.DataFrame(
        {
            "dimension": name,
            "level": levels,
            "n_referred": made["nunique"].to_numpy(),
            "n_registered": out["n_registered"].to_numpy(),
            "referrals": made["size"].to_numpy(),
            "person_years": out["person_years"].to_numpy(),
            "crude": per * crude.estimate,
            "crude_low": per * crude.conf_low,
            "crude_high": per * crude.conf_high,
        }
    )
    blank = np.nan if share is None else 1.0
    for part, values in (("", adjusted.estimate), ("_low", adjusted.conf_low), ("_high", adjusted.conf_high)):
        frame[f"standardised{part}"] = per * values * blank
    return frame.assign(**_against_highest(adjusted, name, levels))


def _against_highest(adjusted: Any, name: str, levels: list[str]) -> dict[str, Any]:
    """Set the standardised rates of quintiles of income against the highest; missing elsewhere."""
    if name != "income" or _HIGHEST_INCOME not in levels:
        return {"ratio": np.nan, "ratio_low": np.nan, "ratio_high": np.nan}
    ratio = rate_ratio(adjusted, reference=levels.index(_HIGHEST_INCOME))
    return {"ratio": ratio.estimate, "ratio_low": ratio.conf_low, "ratio_high": ratio.conf_high}


def _wide(
    cells: pd.DataFrame, name: str, column: str, *, levels: list[str], standard: pd.DataFrame
) -> NDArray[np.float64]:
    """Set out cells as an array of levels by strata, in the order of the standard."""
    import pandas as pd

    strata = pd.MultiIndex.from_frame(standard[list(STRATUM)])
    index = [name] if name not in STRATUM else []
    if not index:  # a stratum compared with others: its own cells, 0 elsewhere
        cells, index = cells.assign(level=cells[name]), ["level"]
    wide = cells.set_index([*index, *STRATUM])[column].unstack(list(STRATUM))
    found: NDArray[np.float64] = wide.reindex(index=levels, columns=strata).fillna(0).to_numpy(float)
    return found


def practice_funnel(
    population: Registered, plan: Reach, starts: pd.DataFrame | None
) -> dict[str, pd.DataFrame]:
    """Compare practices: referrals beside those to be expected from the age and sex of who is registered.

    Practices come under a number drawn with the seed of the plan, never under their own. A practice counts from the
    first whole quarter in which it refers to Welzijn op Recept; one that does not is left out.

    Parameters
    ----------
    population : Registered
        Time and referrals.
    plan : Reach
        The plan.
    starts : DataFrame, optional
        ``practice, wor_from``; without it every practice counts from the start.

    Returns
    -------
    dict of str to DataFrame
        ``reach_funnel``: ``practice, n_referred, n_registered, person_years, expected, ratio, z`` and limits, and
        ``position`` beside them; ``reach_spread``: how many practices, the overdispersion and how many lie outside.
        Empty where fewer than two practices can be compared.
    """
    import pandas as pd

    cells = _participating(counted(population, "practice", "quarter", *STRATUM), population, starts)
    persons = _participating(population.by("practice", "quarter"), population, starts)
    levels = sorted(cells["practice"].unique())
    summed = (
        cells.groupby(["practice", *STRATUM])[["referrals", "person_years", "n_referred"]].sum().reset_index()
    )
    standard = summed[list(STRATUM)].drop_duplicates().sort_values(list(STRATUM))
    count, exposed = (
        _wide(summed, "practice", c, levels=levels, standard=standard) for c in ("referrals", "person_years")
    )
    if len(levels) < 2 or not count.sum():
        return {}
    expected = expected_counts(count, exposed)
    found = funnel_plot(
        count.sum(axis=1),
        expected,
        winsorise=plan.funnel.winsorise,
        overdispersion=plan.funnel.overdispersion,
    )
    number = np.random.default_rng(plan.seed).permutation(len(levels)) + 1
    frame = pd.DataFrame(
        {
            "practice": [str(n) for n in number],
            "n_referred": summed.groupby("practice")["n_referred"].sum().reindex(levels).to_numpy(),
            "n_registered": persons.groupby("practice")["n_registered"].max().reindex(levels).to_numpy(),
            "person_years": exposed.sum(axis=1),
            "expected": expected,
            **_beside_limits(found),
        }
    )
    order = frame["practice"].astype(int).argsort()
    spread = _spread(found, frame)
    return {"reach_funnel": frame.iloc[order].reset_index(drop=True), "reach_spread": spread}


def _beside_limits(found: FunnelPlot) -> dict[str, Any]:
    """Give ratio, distance, limits and position of each practice."""
    position = np.select(
        [found.ratio > found.high[:, 1], found.ratio < found.low[:, 1], found.ratio > found.high[:, 0],
         found.ratio < found.low[:, 0]],
        ["far_above", "far_below", "above", "below"],
        "within",
    )  # fmt: skip
    limits = {
        f"{side}_{100 * level:g}".replace(".", "_"): values[:, place]
        for place, level in enumerate(LEVELS)
        for side, values in (("low", found.low), ("high", found.high))
    }
    return {"ratio": found.ratio, "z": found.z, **limits, "position": position}


def _spread(found: FunnelPlot, frame: pd.DataFrame) -> pd.DataFrame:
    """Say how much practices differ beyond chance, and how many lie outside the limits."""
    import pandas as pd

    spread = {
        "n_practices": len(frame),
        "n_referred": int(frame["n_referred"].sum()),
        "dispersion": found.dispersion,
        "limits_factor": found.factor,
        "sd_between": np.sqrt(found.variance_between),
        "n_outside_95": int((frame["position"] != "within").sum()),
        "n_outside_99_8": int(frame["position"].str.startswith("far").sum()),
    }
    return pd.DataFrame([spread])


def _participating(cells: pd.DataFrame, population: Registered, starts: pd.DataFrame | None) -> pd.DataFrame:
    """Keep the quarters of each practice that lie wholly after it began to refer."""
    import pandas as pd

    if starts is None or starts["wor_from"].isna().all():
        return cells
    first = cells["practice"].map(pd.to_datetime(starts.set_index("practice")["wor_from"]))
    begins = cells["quarter"].map({name: pd.Timestamp(day) for name, day, _ in population.spans})
    return cells[first.notna() & (first <= begins)]


def quarterly(population: Registered, plan: Reach) -> dict[str, pd.DataFrame]:
    """Give the rate by quarter with limits, and what the rules for signals find, for all and by municipality.

    Returns
    -------
    dict of str to DataFrame
        ``reach_quarters``: a row per area and quarter; ``flag`` says why a rate is missing or doubtful.
        ``reach_signals``: a row per area.
    """
    import pandas as pd

    everywhere = counted(population, "quarter").assign(area=ALL)
    by_place = counted(population, "municipality", "quarter").rename(columns={"municipality": "area"})
    names = [name for name, _, _ in population.spans]
    charts, signals = [], []
    for area, rows in pd.concat([everywhere, by_place]).groupby("area", sort=False):
        given = rows.set_index("quarter").reindex(names)
        filled = given[["referrals", "person_years", "n_referred"]].fillna(0)
        chart = run_chart(filled["referrals"], filled["person_years"])
        usual = float(filled["person_years"][filled["person_years"] > 0].median())
        low = filled["person_years"] < usual / 2
        flag = np.where(filled["person_years"] == 0, "no_registered", np.where(low, "few_registered", "ok"))
        charts.append(
            filled.assign(
                area=area, rate=plan.per * chart.rate, low=plan.per * chart.low, high=plan.per * chart.high,
                centre=plan.per * chart.centre, outside=np.where(chart.outside, "yes", "no"), flag=flag,
            ).reset_index(names="quarter")
        )  # fmt: skip
        signals.append(
            {
                "area": area, "n_referred": int(filled["n_referred"].sum()), "n_quarters": len(names),
                "centre": plan.per * chart.centre, "widening": chart.widening,
                "n_outside": int(chart.outside.sum()), "longest_run": chart.longest_run,
                "longest_allowed": chart.longest_allowed, "crossings": chart.crossings,
                "fewest_allowed": chart.fewest_allowed,
                "shift": ("yes" if chart.shift else "no") if chart.runs_known else "too_few_quarters",
            }
        )  # fmt: skip
    frame = pd.concat(charts, ignore_index=True).astype({"referrals": int, "n_referred": int})
    columns = ["area", "quarter", "n_referred", "referrals", "person_years", "rate", "low", "high", "centre"]
    return {"reach_quarters": frame[[*columns, "outside", "flag"]], "reach_signals": pd.DataFrame(signals)}


def check_denominators(population: Registered) -> None:
    """Refuse a study none of whose referred is registered: there is nothing to divide by.

    Raises
    ------
    EstimationError
        No referral lies within a registration.
    """
    if population.referrals["practice"].isna().all():
        raise EstimationError(
            f"none of the {len(population.referrals)} referrals lies within a registration of the person: "
            "look at start_on and end_on in table registrations"
        )
