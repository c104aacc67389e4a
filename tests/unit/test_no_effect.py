"""The change expected with no effect, method by method, against formulas and statsmodels."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import norm

from tests.small_cohort import OUTCOME, YEAR, small_cohort, small_plan
from wor_eval.effects.no_effect import no_effect_table

QUARTERS = tuple(f"quarter-{back}" for back in range(1, 5))
STUDY = small_plan(
    placebo=True,
    windows={"placebo": [-730, -366], "before": [-365, -1], "after": [30, 394], "quarters": 4},
)
N_REFERRED, N_POOL = 150, 900
CLOSE = 1e-6  # iterative fits; closed forms are exact to rounding


class Case:
    """Referred at a peak out of the same population as the pool, which has a falling trend; ages 50 to 84."""

    def __init__(self, seed=5):
        rng = np.random.default_rng(seed)
        n = N_REFERRED + N_POOL
        self.referred = np.arange(n) < N_REFERRED
        self.age = rng.integers(50, 85, n)
        self.female = rng.random(n) < 0.6
        level = rng.gamma(1.5, 4, n)
        self.placebo = rng.poisson(level)
        peak = np.where(self.referred, [[1.0], [1.0], [1.3], [2.5]], 1.0)
        self.quarters = rng.poisson(level / 4 * peak)[::-1]
        self.before = self.quarters.sum(axis=0)
        self.days_after = np.where(rng.random(n) < 0.15, 120, 365)
        self.after = rng.poisson(0.9 * level * self.days_after / 365)
        self.cohort = small_cohort(
            {
                "placebo": self.placebo,
                "before": self.before,
                "after": self.after,
                **dict(zip(QUARTERS, self.quarters, strict=True)),
            },
            days={"after": self.days_after},
            age=self.age,
            sex=np.where(self.female, "F", "M"),
            arm=np.where(self.referred, "referred", "comparison"),
        )
        self.years = np.column_stack([np.ones(n), np.ones(n), self.days_after / YEAR])
        self.counts = np.column_stack([self.placebo, self.before, self.after])

    def rates(self, chosen):
        return self.counts[chosen].sum(axis=0) / self.years[chosen].sum(axis=0)

    def influence(self, chosen):
        """Influence of each person on the three rates, by hand."""
        residual = self.counts[chosen] - self.years[chosen] * self.rates(chosen)
        return residual / self.years[chosen].sum(axis=0)


@pytest.fixture(scope="module")
def case():
    return Case()


@pytest.fixture(scope="module")
def table(case):
    frame = no_effect_table(case.cohort, STUDY, outcome=OUTCOME)
    return frame[frame["age_band"] == "all"].set_index("method")


def test_every_method_is_there_and_holds_together(case, table):
    assert list(table.index) == [
        "same_course",
        "own_earlier_year",
        "same_count",
        "same_count_earlier",
        "linear",
        "barnett",
        "gamma_poisson",
    ]
    _, before, after = case.rates(case.referred)
    # The methods on counts set persons' own rates beside each other, so their observed change is near this one.
    summed = table.loc[["same_course", "own_earlier_year", "linear", "barnett"]]
    assert summed["observed"].to_numpy() == pytest.approx(np.full(4, after - before), rel=1e-12)
    assert table["estimate"].to_numpy() == pytest.approx((table["observed"] - table["expected"]).to_numpy())
    half = norm.ppf(0.975) * table["std_error"]
    assert table["conf_low"].to_numpy() == pytest.approx((table["estimate"] - half).to_numpy(), rel=1e-9)
    assert table["conf_high"].to_numpy() == pytest.approx((table["estimate"] + half).to_numpy(), rel=1e-9)
    assert set(table["n_referred"]) == {N_REFERRED}
    assert set(table["n_comparison"]) == {N_POOL}


def test_the_table_has_a_row_per_band_and_method(case):
    frame = no_effect_table(case.cohort, STUDY, outcome=OUTCOME)
    assert list(dict.fromkeys(frame["age_band"])) == ["18-64", "65+", "all"]
    inside = case.referred & (case.age >= 65)
    assert set(frame.loc[frame["age_band"] == "65+", "n_referred"]) == {inside.sum()}


def test_same_course_is_a_poisson_model_of_the_pool(case, table):
    logs = np.log1p(case.quarters)
    year, earlier = np.log1p(case.before), np.log1p(case.placebo)
    age = case.age / 50
    X = np.column_stack(
        [np.ones(age.size), age, age**2, case.female, *logs, logs[0] ** 2, year, year**2, earlier, earlier**2]
    )
    pool, referred = ~case.referred, case.referred
    model = sm.GLM(
        case.after[pool], X[pool], family=sm.families.Poisson(), offset=np.log(case.years[pool, 2])
    )
    peer = model.fit(tol=1e-12, tol_criterion="params", maxiter=200)
    years = case.years[referred, 2]
    foretold = years * np.exp(X[referred] @ peer.params)
    rate = foretold.sum() / years.sum()
    _, before, _ = case.rates(referred)
    found = table.loc["same_course"]
    assert found["expected"] == pytest.approx(rate - before, rel=CLOSE)
    # Robust covariance of the model (the package multiplies it by G / (G - 1)), and the spread of the referred.
    score = X[pool] * (case.after[pool] - peer.mu)[:, None]
    bread = np.linalg.inv((X[pool].T * peer.mu) @ X[pool])
    cov = bread @ (score.T @ score) @ bread * pool.sum() / (pool.sum() - 1)
    gradient = foretold @ X[referred] / years.sum()
    own = case.influence(referred)[:, 2] - (foretold - rate * years) / years.sum()
    error = np.sqrt((own**2).sum() + gradient @ cov @ gradient)
    assert found["std_error"] == pytest.approx(error, rel=1e-5)


def test_the_own_earlier_year_moves_with_the_trend_of_the_pool(case, table):
    """The trend is standardised to sex and age in tens of years of the referred."""
    strata = [(sex, ten) for sex in (False, True) for ten in range(5, 9)]
    place = [strata.index((bool(f), a // 10)) for f, a in zip(case.female, case.age, strict=True)]
    place = np.array(place)
    share = np.bincount(place[case.referred], minlength=8) / np.bincount(place[~case.referred], minlength=8)
    weight = share[place[~case.referred]]
    counts, years = case.counts[~case.referred], case.years[~case.referred]
    rates = weight @ counts / (weight @ years)
    trend = rates[2] / rates[0]
    own, before, _ = case.rates(case.referred)
    found = table.loc["own_earlier_year"]
    assert found["expected"] == pytest.approx(own * trend - before, rel=1e-9)
    of_log = weight[:, None] * (counts - years * rates) / (weight @ years) / rates
    trend_variance = ((of_log[:, 2] - of_log[:, 0]) ** 2).sum()
    influence = case.influence(case.referred)
    variance = ((influence[:, 2] - trend * influence[:, 0]) ** 2).sum() + (own * trend) ** 2 * trend_variance
    assert found["std_error"] == pytest.approx(np.sqrt(variance), rel=1e-9)


def test_without_persons_of_the_same_age_there_is_no_trend(case):
    """The pool is twenty years younger: the own earlier year is taken as it is."""
    cohort = small_cohort(
        {"placebo": case.placebo, "before": case.before, "after": case.after},
        days={"after": case.days_after},
        age=np.where(case.referred, 80, 50),
        arm=np.where(case.referred, "referred", "comparison"),
    )
    frame = no_effect_table(cohort, small_plan(placebo=True), outcome=OUTCOME)
    found = frame.set_index(["age_band", "method"]).loc[("all", "own_earlier_year")]
    own, before, _ = case.rates(case.referred)
    assert found["expected"] == pytest.approx(own - before, rel=1e-9)
    assert "same_course" not in set(frame["method"]), "the plan has no quarters"


def test_linear_and_barnett_are_their_formulas(case, table):
    r = np.corrcoef(case.placebo, case.before)[0, 1]
    population = case.before.mean()
    own = case.rates(case.referred)[1]
    assert table.loc["linear", "expected"] == pytest.approx(-(1 - r) * (own - population), rel=1e-9)
    influence = case.influence(case.referred)
    error = np.sqrt(((influence[:, 2] - r * influence[:, 1]) ** 2).sum())
    assert table.loc["linear", "std_error"] == pytest.approx(error, rel=1e-9)
    spread = case.before.std()
    z = (np.quantile(case.before[case.referred], 0.1) - population) / spread
    # Barnett et al. 2005 with m = 1: within-person variance (1 - r) times the total.
    fall = (1 - r) * spread * norm.pdf(z) / norm.sf(z)
    assert table.loc["barnett", "expected"] == pytest.approx(-fall, rel=1e-9)
    error = np.sqrt(((influence[:, 2] - influence[:, 1]) ** 2).sum())
    assert table.loc["barnett", "std_error"] == pytest.approx(error, rel=1e-9)


def test_persons_beyond_what_the_pool_knows_are_not_extrapolated(case):
    """A quarter of 60 contacts that nobody in the pool had: no model of the pool can tell what follows."""
    quarters = case.quarters.copy()
    quarters[0, :20] = 60
    cohort = small_cohort(
        {
            "placebo": case.placebo,
            "before": quarters.sum(axis=0),
            "after": case.after,
            **dict(zip(QUARTERS, quarters, strict=True)),
        },
        age=case.age,
        arm=np.where(case.referred, "referred", "comparison"),
    )
    frame = no_effect_table(cohort, STUDY, outcome=OUTCOME)
    assert "same_course" not in set(frame[frame["age_band"] == "all"]["method"])
    assert "own_earlier_year" in set(frame["method"])


def test_a_band_without_comparison_persons_has_no_rows():
    counts = {"placebo": [3, 4, 5, 2], "before": [5, 6, 7, 3], "after": [3, 3, 4, 2]}
    arm = ["referred", "referred", "comparison", "comparison"]
    cohort = small_cohort(counts, age=[70, 72, 40, 45], arm=arm)
    frame = no_effect_table(cohort, small_plan(placebo=True), outcome=OUTCOME)
    assert set(frame["age_band"]) == {"all"}


def test_persons_not_seen_in_all_three_windows_are_left_out():
    n = 40
    rng = np.random.default_rng(2)
    counts = {name: rng.poisson(5, n) for name in ("placebo", "before", "after")}
    days = {"placebo": np.where(np.arange(n) % 10 == 0, 0, 365)}
    arm = np.repeat(["referred", "comparison"], n // 2)
    cohort = small_cohort(counts, days=days, arm=arm)
    frame = no_effect_table(cohort, small_plan(placebo=True), outcome=OUTCOME)
    assert set(frame["n_referred"]) == {n // 2 - 2}
