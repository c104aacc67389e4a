"""The synthetic study: all raw tables with a known effect, in memory or in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from wor_eval.data.layouts import Layout, write_layout
from wor_eval.data.panel import BANDS, Panel, Scenario, simulate_panel
from wor_eval.data.synthetic_contacts import contact_table, draw_contacts
from wor_eval.data.synthetic_costs import PRICE_YEAR, cost_table
from wor_eval.data.synthetic_people import people_tables, referral_table
from wor_eval.data.synthetic_waves import (
    CANTRIL_PER_POINT,
    draw_answers,
    questionnaire_table,
    recall_table,
)
from wor_eval.data.timeline import EFFECT_FROM, draw_timeline
from wor_eval.errors import StudyError
from wor_eval.whole import whole_folder

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Panel", "Scenario", "simulate_panel", "simulate_study", "simulate_tables"]

Format = Literal["csv", "parquet"]

COST_EFFECTS: Mapping[str, float] = {"18-64": 0.90, "65+": 0.95}
"""Ratio of the insurer's costs after referral in the scenarios with an effect. Free, not a fact."""

WELLBEING_EFFECTS: Mapping[str, float] = {"18-64": 1.5, "65+": 1.0}
"""Gain in SWEMWBS points after referral in the scenarios with an effect. Free, not a fact."""

_README = f"""These persons are simulated. No row is about a real person, practice or municipality.

Made by wor_eval.simulate_study(persons={{persons}}, seed={{seed}}, scenario="{{scenario}}").
The data run from 2019-01-01 to 2024-12-31; what happened before or after is not in them.
Amounts are at prices of {PRICE_YEAR}. Effects hold from {EFFECT_FROM} days after referral.

truth.csv holds the true effects by age band. Those with basis "parameter" were put in; those with
basis "computed" follow from them for the persons who were referred (eq5d5l: at month 12).
What is calibrated to published figures, with the source of each figure, is in
data_dictionary/calibration and tariffs of the package; everything else is a free parameter, stated in the code.
"""


def simulate_tables(
    panel: Panel,
    *,
    seed: int = 1,
    cost_effects: Mapping[str, float] | None = None,
    wellbeing_effects: Mapping[str, float] | None = None,
) -> dict[str, pd.DataFrame]:
    """Build the raw tables of a study from a simulated panel.

    Facts (with source in ``data_dictionary/calibration`` and ``tariffs``): the rates of contacts of the panel, the
    share of each kind of contact (Nivel, 2017), the insurer's mean cost by age and sex (Vektis, 2023), the
    conversion of SWEMWBS and the value set of EQ-5D-5L, and the ICPC codes. Free parameters: everything else, as
    stated in the modules ``synthetic_*``.

    Effects hold from day 30 after the referral and do not depend on how the trajectory went. Before it, the
    dated contacts are those of the panel; after it they are thinned anew, so they differ from ``panel.counts``.

    Parameters
    ----------
    panel : Panel
        The panel.
    seed : int
        Same panel and seed, same tables.
    cost_effects : mapping, optional
        Ratio of the insurer's costs after referral, above 0, for the bands ``18-64`` and ``65+``; by default
        0.90 and 0.95 (free), and 1 in the scenarios without an effect, where another value is refused.
    wellbeing_effects : mapping, optional
        Gain in SWEMWBS points at every wave after baseline, from -5 to 5, by band; by default 1.5 and 1.0
        (free), and 0 in the scenarios without an effect, where another value is refused.

    Returns
    -------
    dict of DataFrame
        The eight tables of the data dictionary, and ``truth``: ``scenario, outcome, age_band, scale, effect,
        basis``.

    Raises
    ------
    StudyError
        An effect is out of its range, or is asked for in a scenario without one.

    Examples
    --------
    >>> tables = simulate_tables(simulate_panel(persons=1000, seed=7, scenario="null-level"), seed=7)
    >>> list(tables)[:4]
    ['persons', 'registrations', 'practices', 'municipalities']
    >>> tables["truth"].query("outcome == 'gp_contacts' and scale == 'ratio'")["effect"].tolist()
    [1.0, 1.0]
    """
    import pandas as pd

    cost = _by_band(panel, cost_effects, COST_EFFECTS, name="cost_effects")
    gain = _by_band(panel, wellbeing_effects, WELLBEING_EFFECTS, name="wellbeing_effects")
    streams = [np.random.default_rng([seed, 2, part]) for part in range(6)]
    timeline = draw_timeline(streams[0], panel)
    contacts = draw_contacts(streams[1], panel, timeline)
    answers = draw_answers(streams[2], panel, timeline, gain=gain)
    questionnaires, eq5d5l = questionnaire_table(streams[2], panel, answers)
    dated = contact_table(streams[1], panel, contacts, timeline)
    recalled = recall_table(streams[3], panel, timeline, answers=answers, contacts=contacts)
    return {
        **people_tables(streams[4], panel, timeline),
        "referrals": referral_table(streams[4], panel, timeline),
        "contacts": pd.concat((dated, recalled), ignore_index=True),
        "costs": cost_table(streams[5], panel, timeline, ratio=cost),
        "questionnaires": questionnaires,
        "truth": _truth(panel, cost=cost, gain=gain, eq5d5l=eq5d5l),
    }


def simulate_study(
    folder: Path | str,
    *,
    persons: int = 20_000,
    seed: int = 1,
    scenario: Scenario = "effect",
    format: Literal["csv", "parquet"] = "csv",
    layout: Layout | None = None,
) -> Path:
    """Write a synthetic study: the raw tables, the truth and a notice that the persons are simulated.

    What is a fact and what is a free parameter is stated at :func:`simulate_panel` and
    :func:`simulate_tables`, which this function calls with their default effects.

    Parameters
    ----------
    folder : Path or str
        Folder to make; it may not exist. It appears when everything is written.
    persons : int
        Number of persons, at least 500.
    seed : int
        Same seed and arguments, same bytes.
    scenario : {"null-peak", "null-level", "effect", "mixed"}
        As in :func:`simulate_panel`.
    format : {"csv", "parquet"}
        How the eight raw tables are written; ``truth.csv`` and ``README.txt`` are always text.
    layout : {"cbs", "vektis", "his", "wor"}, optional
        Write them as that source would deliver them, with a ``sources.toml`` that reads them back: see
        :func:`wor_eval.data.layouts.write_layout`.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    StudyError
        The folder exists, or an argument is out of its range.

    Examples
    --------
    >>> import tempfile
    >>> folder = simulate_study(Path(tempfile.mkdtemp()) / "study", persons=600, seed=1)
    >>> sorted(path.name for path in folder.iterdir())[:4]
    ['README.txt', 'contacts.csv', 'costs.csv', 'municipalities.csv']
    """
    folder = Path(folder)
    if format not in get_args(Format):
        raise StudyError(f"format {format!r} is not one of {', '.join(get_args(Format))}")
    if layout is not None and layout not in get_args(Layout):
        raise StudyError(f"layout {layout!r} is not one of {', '.join(get_args(Layout))}")
    if folder.exists():
        raise StudyError(
            f"{folder.name} is there already: remove it, or give a folder that does not exist yet"
        )
    panel = simulate_panel(persons=persons, seed=seed, scenario=scenario)
    tables = simulate_tables(panel, seed=seed)
    with whole_folder(folder) as place:
        if layout is None:
            _write(tables, place, format=format)
        else:
            write_layout(layout, tables, place)
        text = _README.format(persons=persons, seed=seed, scenario=scenario)
        (place / "README.txt").write_text(text, encoding="utf-8", newline="\n")
    return folder


def _by_band(
    panel: Panel, given: Mapping[str, float] | None, default: Mapping[str, float], *, name: str
) -> tuple[float, float]:
    """Give an effect at 18-64 and at 65+: as given, the default, or none in a scenario without an effect."""
    ratio = name == "cost_effects"
    none = dict.fromkeys(BANDS, 1.0 if ratio else 0.0)
    without = panel.scenario.startswith("null")
    effects = (none if without else default) if given is None else given
    if set(effects) != set(BANDS):
        raise StudyError(f"{name}: one effect is needed for each of the bands {', '.join(BANDS)}")
    if without and dict(effects) != none:
        raise StudyError(f"{name}: scenario {panel.scenario} has no effect; leave {name} out")
    wrong = [b for b in BANDS if not (0 < effects[b] <= 10 if ratio else -5 <= effects[b] <= 5)]
    if wrong:
        allowed = "above 0 and at most 10" if ratio else "from -5 to 5"
        raise StudyError(f"{name}: the effect of {', '.join(wrong)} must be {allowed}")
    return effects["18-64"], effects["65+"]


def _truth(
    panel: Panel, *, cost: tuple[float, float], gain: tuple[float, float], eq5d5l: Mapping[str, float]
) -> pd.DataFrame:
    """List the true effects; ``computed`` ones hold for the persons referred in this panel."""
    import pandas as pd

    rows = []
    for number, band in enumerate(BANDS):
        ratio = panel.effects[band]
        yearly = (ratio - 1) * _yearly_without(panel, older=band == "65+")
        rows += [
            ("gp_contacts", band, "ratio", ratio, "parameter"),
            ("gp_contacts", band, "difference_per_year", yearly, "computed"),
            ("costs_zvw", band, "ratio", cost[number], "parameter"),
            *((f"costs_{payer}", band, "ratio", 1.0, "parameter") for payer in ("wmo", "wlz", "own")),
            ("swemwbs", band, "difference", gain[number], "parameter"),
            ("cantril", band, "difference", CANTRIL_PER_POINT * gain[number], "parameter"),
            ("eq5d5l", band, "difference", eq5d5l[band], "computed"),
        ]
    frame = pd.DataFrame(rows, columns=["outcome", "age_band", "scale", "effect", "basis"])
    frame.insert(0, "scenario", panel.scenario)
    return frame.sort_values(["outcome", "scale", "age_band"], ignore_index=True)


def _yearly_without(panel: Panel, *, older: bool) -> float:
    """Give the counterfactual yearly rate of the referred of a band in the months m+1 to m+12."""
    rows = np.flatnonzero(panel.referred & (panel.older() == older))
    month = panel.referral_month[rows, None] + np.arange(1, 13)
    registered = month <= panel.last_month[rows, None]
    if not registered.any():
        return 0.0
    counts = panel.counterfactual[rows[:, None], month] * registered
    return float(12 * counts.sum() / registered.sum())


def _write(tables: Mapping[str, pd.DataFrame], folder: Path, *, format: Format) -> None:
    """Write the tables; dates are ISO dates and empty cells have nothing between the commas."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    for name, frame in tables.items():
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
        fields = [
            pa.field(field.name, pa.date32()) if pa.types.is_timestamp(field.type) else field
            for field in table.schema
        ]
        table = table.cast(pa.schema(fields))
        if format == "parquet" and name != "truth":
            parquet.write_table(table, folder / f"{name}.parquet")
        else:
            options = csv.WriteOptions(quoting_style="none", quoting_header="none")
            csv.write_csv(table, folder / f"{name}.csv", options)
