"""Before and after against statsmodels and brute force: estimate, standard error and interval of each method."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import chi2, norm

from tests.small_cohort import OUTCOME, YEAR, paired_counts, small_cohort, small_plan
from wor_eval.effects.before_after import FEW_PRACTICES, band_interaction, before_after_effects
from wor_eval.effects.change import change_table, composition_table, concentration_table
from wor_eval.effects.estimate import Estimate
from wor_eval.errors import EstimationError

STUDY = small_plan()
CLOSE = 1e-6  # iterative fits, each stopped by its own rule
EXACT = 1e-9  # closed forms, to rounding
N = 120


class Rows:
    """The persons of a band as rows of a regression: one per window in which a person was seen."""

    def __init__(self, case, band="all"):
        inside = np.full(N, True) if band == "all" else (case.age >= 65) == (band == "65+")
        value = np.column_stack([case.before, case.after])[inside]
        days = np.column_stack([case.days_before, case.days_after])[inside]
        seen = days.ravel() > 0
        self.person = np.repeat(np.flatnonzero(inside), 2)[seen]
        self.practice = case.practice[self.person]
        self.y = value.ravel()[seen].astype(float)
        self.years = days.ravel()[seen] / YEAR
        after = np.tile([0.0, 1.0], inside.sum())[seen]
        self.X = np.column_stack([np.ones(after.size), after])
        self.n = inside.sum()
        self.pairs = value[(days > 0).all(axis=1)], days[(days > 0).all(axis=1)]

    def clustered(self, by="person"):
        """Sandwich by person, without the small-sample factors of statsmodels."""
        return {"cov_type": "cluster", "cov_kwds": {"groups": getattr(self, by), "use_correction": False}}


class Case:
    """120 persons with different observed days; some are seen in one window only."""

    def __init__(self, practices=6, seed=3):
        rng = np.random.default_rng(seed)
        self.age = rng.integers(18, 95, N)
        self.practice = np.array([f"p{i:02d}" for i in rng.integers(0, practices, N)])
        self.days_before = np.where(rng.random(N) < 0.6, 365, rng.integers(150, 365, N))
        self.days_before[rng.random(N) < 0.1] = 0
        self.days_after = np.where(rng.random(N) < 0.2, rng.integers(0, 2, N) * 200, 365)
        self.days_after[self.days_before == 0] = 365
        level = rng.gamma(1.5, 6, N)
        self.before = rng.poisson(level * self.days_before / 365)
        self.after = rng.poisson(0.8 * level * self.days_after / 365)
        self.cohort = small_cohort(
            {"before": self.before, "after": self.after},
            days={"before": self.days_before, "after": self.days_after},
            age=self.age,
            practice=self.practice,
        )
        self.effects = before_after_effects(self.cohort, STUDY, outcome=OUTCOME)

    def one(self, method, band="all", scale="ratio") -> Estimate:
        return self.effects.one(contrast="before_after", age_band=band, method=method, scale=scale)


@pytest.fixture(scope="module")
def case():
    return Case()


@pytest.fixture(scope="module")
def wide_case():
    """The same with enough practices to be clusters."""
    return Case(practices=40)


def assert_ratio(found: Estimate, log_ratio: float, error: float, *, rel: float) -> None:
    """Estimate, standard error, normal interval and p-value on the log scale."""
    assert np.log(found.estimate) == pytest.approx(log_ratio, rel=rel, abs=rel)
    assert found.std_error == pytest.approx(error, rel=rel)
    half = norm.ppf(0.975) * error
    limits = np.log([found.conf_low, found.conf_high])
    assert limits == pytest.approx([log_ratio - half, log_ratio + half], rel=10 * rel, abs=10 * rel)
    assert found.p_value == pytest.approx(2 * norm.sf(abs(log_ratio / error)), rel=100 * rel, abs=1e-12)


BANDS = pytest.mark.parametrize("band", ["18-64", "65+", "all"])


@BANDS
def test_gee_is_that_of_statsmodels(case, band):
    rows = Rows(case, band)
    model = sm.GEE(
        rows.y,
        rows.X,
        groups=rows.person,
        family=sm.families.Poisson(),
        cov_struct=sm.cov_struct.Exchangeable(),
        offset=np.log(rows.years),
    )
    # ddof_scale=0: the correlation is divided by plain counts, as here; the package adds G / (G - 1).
    peer = model.fit(ctol=1e-12, maxiter=200, ddof_scale=0)
    groups = np.unique(rows.person).size
    assert_ratio(
        case.one("gee_poisson", band),
        peer.params[1],
        peer.bse[1] * np.sqrt(groups / (groups - 1)),
        rel=CLOSE,
    )


def negative_binomial_by_hand(rows: Rows, by: str) -> tuple[float, float]:
    """statsmodels' coefficients; the sandwich with the expected information of R's glm.nb, times G / (G - 1)."""
    model = sm.NegativeBinomial(rows.y, rows.X, offset=np.log(rows.years))
    peer = model.fit(method="newton", maxiter=200, disp=0, tol=1e-12)
    beta, alpha = peer.params[:2], peer.params[2]
    mu = rows.years * np.exp(rows.X @ beta)
    bread = np.linalg.inv((rows.X.T * (mu / (1 + alpha * mu))) @ rows.X)
    scores = pd.DataFrame(rows.X * ((rows.y - mu) / (1 + alpha * mu))[:, None])
    sums = scores.groupby(getattr(rows, by)).sum().to_numpy()
    cov = bread @ (sums.T @ sums) @ bread * len(sums) / (len(sums) - 1)
    return beta[1], np.sqrt(cov[1, 1])


@BANDS
def test_negative_binomial_by_person(case, band):
    log_ratio, error = negative_binomial_by_hand(Rows(case, band), "person")
    assert_ratio(case.one("negative_binomial_person", band), log_ratio, error, rel=CLOSE)


def test_negative_binomial_by_practice(wide_case):
    log_ratio, error = negative_binomial_by_hand(Rows(wide_case), "practice")
    assert_ratio(wide_case.one("negative_binomial_practice"), log_ratio, error, rel=CLOSE)


def test_practices_are_the_clusters_where_there_are_enough(case, wide_case):
    assert np.unique(case.practice).size < FEW_PRACTICES <= np.unique(wide_case.practice).size
    assert {row.method for row in case.effects.rows if "bootstrap" in row.method} == {"bootstrap_person"}
    methods = {row.method for row in wide_case.effects.rows if row.age_band == "all"}
    assert {"negative_binomial_practice", "bootstrap_practice"} <= methods


@BANDS
def test_conditional_poisson_is_poisson_with_a_dummy_per_person(case, band):
    (value, days) = Rows(case, band).pairs
    kept = value.sum(axis=1) > 0
    value, days = value[kept], days[kept]
    person = np.repeat(np.arange(len(value)), 2)
    X = np.column_stack([np.tile([0.0, 1.0], len(value)), person[:, None] == np.arange(len(value))])
    model = sm.GLM(
        value.ravel(), X.astype(float), family=sm.families.Poisson(), offset=np.log(days.ravel() / YEAR)
    )
    # HC0 over persons.
    peer = model.fit(
        tol=1e-10,
        tol_criterion="params",
        cov_type="cluster",
        cov_kwds={"groups": person, "use_correction": False},
    )
    assert_ratio(case.one("conditional_poisson", band), peer.params[0], peer.bse[0], rel=CLOSE)


@pytest.mark.filterwarnings("ignore:The Identity link:statsmodels.tools.sm_exceptions.DomainWarning")
@BANDS
def test_the_difference_is_that_of_a_saturated_identity_model(case, band):
    rows = Rows(case, band)
    model = sm.GLM(
        rows.y, rows.X * rows.years[:, None], family=sm.families.Poisson(sm.families.links.Identity())
    )
    start = np.array([rows.y.sum() / rows.years.sum(), 0.0])
    peer = model.fit(start_params=start, tol=1e-14, tol_criterion="params", **rows.clustered())
    found = case.one("robust", band, "difference")
    error = peer.bse[1] * np.sqrt(found.n_referred / (found.n_referred - 1))  # G / (G - 1) in the variance
    assert found.estimate == pytest.approx(peer.params[1], rel=CLOSE)
    assert found.std_error == pytest.approx(error, rel=CLOSE)
    half = norm.ppf(0.975) * error
    assert [found.conf_low, found.conf_high] == pytest.approx(
        [peer.params[1] - half, peer.params[1] + half], rel=1e-5
    )
    assert found.p_value == pytest.approx(2 * norm.sf(abs(peer.params[1] / error)), rel=1e-4)


@pytest.mark.parametrize(
    ("scale", "by"), [("ratio", "person"), ("ratio", "practice"), ("difference", "person")]
)
def test_the_bootstrap_resamples_whole_clusters(case, wide_case, scale, by):
    chosen = case if by == "person" else wide_case
    names, cluster = np.unique(
        chosen.practice if by == "practice" else np.arange(N).astype(str), return_inverse=True
    )
    days = np.column_stack([chosen.days_before, chosen.days_after])
    sums = np.zeros((len(names), 4))
    np.add.at(sums, cluster, np.column_stack([chosen.before, chosen.after, days / YEAR]))
    rng = np.random.default_rng(99)
    drawn = sums[rng.integers(0, len(names), (4000, len(names)))].sum(axis=1)

    def statistic(total):
        rates = total[..., :2] / total[..., 2:]
        first, second = rates[..., 0], rates[..., 1]
        return np.log(second / first) if scale == "ratio" else second - first

    draws = statistic(drawn)
    found = chosen.one(f"bootstrap_{by}", scale=scale)
    back = np.exp if scale == "ratio" else float
    assert found.estimate == pytest.approx(back(statistic(sums.sum(axis=0))), rel=EXACT)
    # 2,000 draws against 4,000: the Monte-Carlo error of a standard error is 2 %, of a limit about 0.06 errors.
    assert found.std_error == pytest.approx(draws.std(ddof=1), rel=0.08)
    limits = np.array([found.conf_low, found.conf_high])
    ours = np.log(limits) if scale == "ratio" else limits
    assert ours == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.25 * draws.std())
    share = min((draws <= 0).mean(), (draws >= 0).mean())
    assert found.p_value == pytest.approx(2 * share, abs=0.02)


def test_the_bootstrap_depends_on_the_seed_and_on_nothing_else(case):
    again = before_after_effects(case.cohort, STUDY, outcome=OUTCOME)
    assert again == case.effects
    other = before_after_effects(case.cohort, small_plan(seed=2), outcome=OUTCOME)
    moved = {
        mine.method for mine, theirs in zip(case.effects.rows, other.rows, strict=True) if mine != theirs
    }
    assert moved == {"bootstrap_person"}


def test_the_placebo_contrast_sets_before_against_the_year_before_that():
    rng = np.random.default_rng(8)
    placebo, before = paired_counts(rng, 80, ratio=1.5)
    _, after = paired_counts(rng, 80)
    cohort = small_cohort({"placebo": placebo, "before": before, "after": after})
    effects = before_after_effects(cohort, small_plan(placebo=True), outcome=OUTCOME)
    for contrast, first, second in (("placebo", placebo, before), ("before_after", before, after)):
        found = effects.one(contrast=contrast, age_band="all", method="gee_poisson", scale="ratio")
        # Equal windows: the ratio of the sums.
        assert found.estimate == pytest.approx(second.sum() / first.sum(), rel=CLOSE)


def test_rows_come_in_a_fixed_order_with_the_persons_behind_them(case):
    frame = case.effects.to_frame()
    assert list(dict.fromkeys(frame["age_band"])) == ["18-64", "65+", "all"]
    assert len(frame) == 3 * 6
    per_band = frame.groupby("age_band")["n_referred"].unique()
    assert per_band["all"].tolist() == [N]
    assert per_band["65+"].tolist() == [int((case.age >= 65).sum())]
    assert set(frame["unit"]) == {"rate_ratio", "per_person_year"}
    assert (frame["n_comparison"] == 0).all()


def test_comparison_persons_change_nothing(case):
    arm = np.repeat(["referred", "comparison"], N)
    both = small_cohort(
        {"before": np.tile(case.before, 2), "after": np.tile(case.after, 2) * np.repeat([1, 3], N)},
        days={"before": np.tile(case.days_before, 2), "after": np.tile(case.days_after, 2)},
        age=np.tile(case.age, 2),
        practice=np.tile(case.practice, 2),
        arm=arm,
    )
    assert before_after_effects(both, STUDY, outcome=OUTCOME) == case.effects


def test_a_method_that_cannot_be_fitted_has_missing_values():
    """Nobody of 65 or over has a contact after: no ratio there; the difference exists, and so do the others."""
    age = np.repeat([40, 70], 30)
    before, after = paired_counts(np.random.default_rng(1), 60)
    cohort = small_cohort({"before": before, "after": np.where(age < 65, after, 0)}, age=age)
    effects = before_after_effects(cohort, STUDY, outcome=OUTCOME)
    for row in effects.rows:
        lost = row.age_band == "65+" and row.scale == "ratio"
        assert np.isnan([row.estimate, row.std_error, row.conf_low, row.conf_high, row.p_value]).all() == lost
    table = band_interaction(cohort, STUDY, outcome=OUTCOME).set_index("scale")
    assert np.isnan(table.loc["ratio", "p_value"])
    assert table.loc["difference", "p_value"] < 1


def test_a_window_that_nobody_was_observed_in_is_refused():
    cohort = small_cohort({"before": [1, 2, 3], "after": [1, 1, 1]}, days={"after": 0})
    with pytest.raises(EstimationError, match="nobody of arm referred was observed in window after"):
        before_after_effects(cohort, STUDY, outcome=OUTCOME)
    with pytest.raises(EstimationError, match="no outcome costs"):
        before_after_effects(cohort, STUDY, outcome="costs")


# Interaction


def test_the_ratio_interaction_is_the_wald_test_of_statsmodels(case):
    rows = Rows(case)
    old = (case.age[rows.person] >= 65).astype(float)
    X = np.column_stack([rows.X, old, old * rows.X[:, 1]])
    model = sm.GEE(
        rows.y,
        X,
        groups=rows.person,
        family=sm.families.Poisson(),
        cov_struct=sm.cov_struct.Exchangeable(),
        offset=np.log(rows.years),
    )
    peer = model.fit(ctol=1e-12, maxiter=200, ddof_scale=0)
    wald = (
        (peer.params[3] / peer.bse[3]) ** 2 * (N - 1) / N
    )  # the package multiplies the variance by G / (G - 1)
    found = band_interaction(case.cohort, STUDY, outcome=OUTCOME).set_index("scale").loc["ratio"]
    assert found["statistic"] == pytest.approx(wald, rel=1e-5)
    assert found["p_value"] == pytest.approx(chi2.sf(wald, 1), rel=1e-4)
    assert (found["df"], found["n_referred"], found["method"]) == (1, N, "gee_poisson")


def test_the_difference_interaction_of_two_bands_is_a_z_test(case):
    young, old = (case.one("robust", band, "difference") for band in ("18-64", "65+"))
    # Persons are the clusters: each band's variance comes with n / (n - 1), the joint one with N / (N - 1).
    variance = sum(e.std_error**2 * (e.n_referred - 1) / e.n_referred for e in (young, old)) * N / (N - 1)
    z = (young.estimate - old.estimate) / np.sqrt(variance)
    found = band_interaction(case.cohort, STUDY, outcome=OUTCOME).set_index("scale").loc["difference"]
    assert found["statistic"] == pytest.approx(z**2, rel=EXACT)
    assert found["p_value"] == pytest.approx(2 * norm.sf(abs(z)), rel=1e-6)


def test_one_band_has_no_interaction():
    cohort = small_cohort({"before": [3, 4, 5], "after": [1, 2, 5]}, age=40)
    table = band_interaction(cohort, STUDY, outcome=OUTCOME)
    assert table.empty
    assert list(table.columns)[:4] == ["outcome", "contrast", "scale", "method"]


# How the change is spread


def test_who_fell_stayed_and_rose(case):
    expected = {}
    for band in ("18-64", "65+", "all"):
        tally = {"fell": 0, "stayed": 0, "rose": 0}
        for value, days in zip(*Rows(case, band).pairs, strict=True):
            before, after = value[0] * days[1], value[1] * days[0]
            tally["fell" if after < before else "rose" if after > before else "stayed"] += 1
        expected[band] = tally
    table = change_table(case.cohort, STUDY, outcome=OUTCOME)
    for band, tally in expected.items():
        found = table[table["age_band"] == band].set_index("direction")
        assert found["n_persons"].to_dict() == tally
        assert found["share"].to_dict() == pytest.approx(
            {k: v / sum(tally.values()) for k, v in tally.items()}
        )


def test_what_the_most_extreme_persons_carry(case):
    table = concentration_table(case.cohort, STUDY, outcome=OUTCOME)
    for _, row in table.iterrows():
        value, days = Rows(case, row["age_band"]).pairs
        change = YEAR * (value[:, 1] / days[:, 1] - value[:, 0] / days[:, 0])
        assert change.sum() < 0
        k = int(np.ceil(row["extreme_share"] * len(change)))
        largest_falls = np.sort(change)[:k]
        assert row["n_extreme"] == k
        assert row["n_persons"] == len(change)
        assert row["share_of_change"] == pytest.approx(largest_falls.sum() / change.sum(), rel=EXACT)
        assert row["mean_change"] == pytest.approx(change.mean(), rel=EXACT)
        rest = (change.sum() - largest_falls.sum()) / (len(change) - k)
        assert row["mean_change_without"] == pytest.approx(rest, rel=EXACT)
    # Of fewer than 100 persons 1 % is nobody.
    assert set(table.query("age_band == 'all'")["extreme_share"]) == {0.05, 0.10}


def test_a_band_without_any_change_has_no_concentration():
    age = np.repeat([40, 70], 20)
    before = np.arange(40) + 1
    after = before + np.where(age < 65, -1, np.tile([-1, 1], 20))  # 65+: falls and rises cancel
    table = concentration_table(
        small_cohort({"before": before, "after": after}, age=age), STUDY, outcome=OUTCOME
    )
    assert set(table["age_band"]) == {"18-64", "all"}


def test_composition_is_a_ratio_of_sums_over_all_and_over_those_fully_seen(case):
    table = composition_table(case.cohort, outcome=OUTCOME).set_index("persons")
    longest = case.days_before.max(), case.days_after.max()
    whole = (case.days_before == longest[0]) & (case.days_after == longest[1])
    for name, kept in (("all_rows", np.full(N, True)), ("both_windows", whole)):
        rows = Rows(case)
        inside = kept[rows.person]
        model = sm.GLM(
            rows.y[inside],
            rows.X[inside],
            family=sm.families.Poisson(),
            offset=np.log(rows.years[inside]),
        )
        cluster = {"groups": rows.person[inside], "use_correction": False}
        peer = model.fit(tol=1e-14, tol_criterion="params", cov_type="cluster", cov_kwds=cluster)
        found = table.loc[name]
        assert np.log(found["estimate"]) == pytest.approx(peer.params[1], abs=CLOSE)
        assert found["std_error"] == pytest.approx(peer.bse[1], rel=CLOSE)
        limits = np.exp(peer.conf_int()[1])
        assert [found["conf_low"], found["conf_high"]] == pytest.approx(limits, rel=CLOSE)
        assert found["n_before"] == (case.days_before[kept] > 0).sum()
        assert found["n_after"] == (case.days_after[kept] > 0).sum()


def test_composition_without_events_or_without_whole_persons_is_missing():
    half = {"before": [365, 100], "after": [100, 365]}
    table = composition_table(small_cohort({"before": [3, 4], "after": [1, 2]}, days=half), outcome=OUTCOME)
    assert table.set_index("persons").loc["both_windows", ["estimate", "std_error"]].isna().all()
    table = composition_table(small_cohort({"before": [3, 4], "after": [0, 0]}), outcome=OUTCOME)
    assert table["estimate"].isna().all()
