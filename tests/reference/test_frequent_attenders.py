"""Frequent attenders beside loops written here, the multivariate normal of SciPy, published figures and a real panel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from wor_eval.cohort.yearly import Yearly
from wor_eval.effects.attenders_fall import predictions
from wor_eval.effects.auc import area_under_curve
from wor_eval.effects.frequent import latent_correlation, latent_persistence, top_of_strata
from wor_eval.errors import EstimationError


@pytest.mark.parametrize("seed", range(3))
def test_the_area_is_that_of_all_pairs_and_its_error_that_of_delong_written_out(seed):
    rng = np.random.default_rng(seed)
    event = rng.random(80) < 0.3
    score = np.round(rng.normal(event * 0.8, 1), 1)  # with ties
    yes, no = score[event], score[~event]
    pair = (yes[:, None] > no) + 0.5 * (yes[:, None] == no)
    v10, v01 = pair.mean(axis=1), pair.mean(axis=0)
    error = np.sqrt(v10.var(ddof=1) / yes.size + v01.var(ddof=1) / no.size)
    found = area_under_curve(event.astype(int), score)
    assert found.estimate == pytest.approx(pair.mean(), rel=1e-12)
    assert found.std_error == pytest.approx(error, rel=1e-12)
    area, half = pair.mean(), 1.959963984540054 * error / (pair.mean() * (1 - pair.mean()))
    limits = [1 / (1 + np.exp(-(np.log(area / (1 - area)) + sign * half))) for sign in (-1, 1)]
    assert (found.conf_low, found.conf_high) == pytest.approx(limits, rel=1e-12)


def test_an_area_needs_two_of_each():
    with pytest.raises(EstimationError, match="1 persons with the event"):
        area_under_curve([1, 0, 0], [0.2, 0.1, 0.3])


def test_latent_persistence_is_the_orthant_of_a_multivariate_normal():
    for share, correlation in ((0.1055, 0.49), (0.1, 0.2), (0.25, 0.8)):
        z = stats.norm.ppf(1 - share)
        for years in (2, 3):
            cov = np.full((years, years), correlation) + (1 - correlation) * np.eye(years)
            both = stats.multivariate_normal(cov=cov).cdf(np.full(years, -z), rng=np.random.default_rng(1))
            # SciPy integrates by quasi Monte Carlo: its own error is about 1e-5
            assert latent_persistence(share, correlation, years=years) == pytest.approx(
                both / share, abs=1e-4
            )


def test_the_published_persistence_goes_with_the_correlation_found_earlier(shared):
    facts = pd.read_csv(shared / "facts" / "frequent_attenders.csv")
    row = facts[facts["quantity"].str.startswith("latent year-to-year correlation")].iloc[0]
    assert latent_correlation(3045 / 28860, 470 / 3045, years=3) == pytest.approx(
        float(row["value"]), abs=0.01
    )
    # and with it a third, not 30 %, is frequent the next year
    assert latent_persistence(3045 / 28860, float(row["value"]), years=2) == pytest.approx(0.325, abs=0.001)


def test_a_correlation_that_no_persistence_has_is_missing():
    assert np.isnan(latent_correlation(0.1, 0.05, years=2))
    assert latent_correlation(0.1, latent_persistence(0.1, 0.6, years=2), years=2) == pytest.approx(
        0.6, abs=1e-6
    )


def chosen_by_hand(counts, share, ties):
    """Sort, count off, and look at who has the count at the line."""
    ranked = sorted(counts, reverse=True)
    places = -(-len(counts) * share // 1)
    line = ranked[int(places) - 1]
    if line == 0:
        return [count > 0 for count in counts]
    if ties == "include" or sum(count >= line for count in counts) == places:
        return [count >= line for count in counts]
    return [count > line for count in counts]


@pytest.mark.parametrize("ties", ["include", "exclude"])
@pytest.mark.parametrize("mean", [0.05, 1.5, 8.0])
def test_the_top_is_counted_off_by_hand(ties, mean):
    rng = np.random.default_rng(3)
    counts, stratum = rng.poisson(mean, 400), rng.integers(0, 4, 400)
    found = top_of_strata(counts, stratum, share=0.1, ties=ties)
    for group in range(4):
        rows = stratum == group
        assert found.chosen[rows].tolist() == chosen_by_hand(counts[rows].tolist(), 0.1, ties)
        share = found.chosen[rows].mean()
        if mean > 1:
            assert share >= 0.1 if ties == "include" else share <= 0.1 + 1 / rows.sum()
    assert not found.chosen[counts == 0].any()


# A real panel: nobody was treated


@pytest.fixture(scope="module")
def panel(shared) -> Yearly:
    """Persons of the German panel of 1984-88 with an interview in three years running."""
    rows = pd.read_csv(shared / "reference" / "data" / "rwm5yr.csv.gz")
    wide = rows.pivot(index="id", columns="year", values="docvis")[[1984, 1985, 1986]].dropna()
    first = rows[rows["year"] == 1984].set_index("id").loc[wide.index]
    age_group = pd.cut(first["age"], [0, 40, 50, 120], right=False, labels=["-39", "40-49", "50+"]).astype(
        str
    )
    persons = pd.DataFrame(
        {
            "person_id": wide.index,
            "sex": np.where(first["female"] == 1, "F", "M"),
            "age_group": age_group.to_numpy(),
        }
    )
    nothing = np.full(wide.shape, np.nan)
    return Yearly(
        years=(1984, 1985, 1986),
        persons=persons.assign(referred=False),
        contacts=wide.to_numpy(float),
        coded=nothing,
        psychosocial=nothing,
        costs=nothing,
        n_left_out=0,
    )


def test_on_a_real_panel_the_top_falls_by_half_with_nobody_treated(panel):
    stratum = (panel.persons["sex"] + " " + panel.persons["age_group"]).to_numpy(str)
    tops = [top_of_strata(panel.contacts[:, year], stratum) for year in range(3)]
    top = tops[0].chosen
    assert 0.1 <= top.mean() < 0.16  # ties: the counts are of three months, so small
    means = panel.contacts[top].mean(axis=0)
    assert 0.4 < means[1] / means[0] < 0.65 and 0.4 < means[2] / means[0] < 0.65
    others = panel.contacts[~top].mean(axis=0)
    assert others[1] > others[0]  # and who was not at the top rises
    assert (top & tops[1].chosen).sum() / top.sum() < 0.5  # fewer than half are so the next year


def test_on_a_real_panel_the_formulas_disagree_as_they_should(panel):
    stratum = (panel.persons["sex"] + " " + panel.persons["age_group"]).to_numpy(str)
    top = top_of_strata(panel.contacts[:, 0], stratum)
    chosen = np.column_stack([top.chosen] * 3)
    threshold = np.column_stack([top.threshold] * 3)
    found = predictions(panel, chosen, threshold, np.ones(top.chosen.size, dtype=bool))
    first, second = panel.contacts[top.chosen, 0], panel.contacts[top.chosen, 1]
    observed = (second - first).mean()
    expected = {method: (values[top.chosen] - first).mean() for method, values in found.items()}
    half = 1.96 * (second - first).std() / np.sqrt(first.size)
    # the model with bad years expects the fall; everything-is-permanent and the normal formula too little of it
    assert abs(expected["gamma_poisson"] - observed) < 2 * half
    assert expected["negative_binomial"] > 0.5 * observed
    assert observed < expected["barnett"] < 0.5 * observed
