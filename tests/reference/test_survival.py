"""Time to an event against R's survival (case 18) and lifelines."""

import itertools
import json
import warnings

import numpy as np
import pytest

from wor_eval.effects.competing import cumulative_incidence
from wor_eval.effects.cox import concordance, cox_regression, proportional_hazards
from wor_eval.effects.fit import coefficients
from wor_eval.effects.restricted_mean import restricted_mean, restricted_mean_difference
from wor_eval.effects.survival import kaplan_meier, log_rank, time_quantile

CLOSED_FORM = 1e-11
# coxph stops at a relative change of the likelihood of 1e-9, so its coefficients carry about that.
COXPH = 5e-9
TIMES = [100, 180, 365, 730]


@pytest.fixture(scope="module")
def answers(shared):
    return json.loads((shared / "reference/r/18_survival.json").read_text())


@pytest.fixture(scope="module")
def lung(shared):
    import pandas as pd

    return pd.read_csv(shared / "reference/data/lung.csv").assign(died=lambda d: d.status - 1)


@pytest.fixture(scope="module")
def rossi(shared):
    import pandas as pd

    return pd.read_csv(shared / "reference/data/rossi.csv")


@pytest.mark.parametrize("limits", [("log-log", "lo_loglog", "hi_loglog"), ("log", "lo_log", "hi_log")])
def test_kaplan_meier(lung, answers, limits):
    interval, low, high = limits
    for sex in (1, 2):
        part = lung[lung.sex == sex]
        rows = [row for row in answers["km_by_sex"] if row["strata"] == f"sex={sex}"]
        found = kaplan_meier(part.time, part.died, at=TIMES, interval=interval)
        assert found.n_risk.tolist() == [row["n_risk"] for row in rows]
        for ours, theirs in (
            ("estimate", "surv"),
            ("std_error", "se_greenwood"),
            ("conf_low", low),
            ("conf_high", high),
        ):
            np.testing.assert_allclose(getattr(found, ours), [row[theirs] for row in rows], rtol=CLOSED_FORM)


def test_median_mean_and_log_rank(lung, answers):
    for sex in (1, 2):
        part = lung[lung.sex == sex]
        median = time_quantile(kaplan_meier(part.time, part.died))
        assert median.estimate == answers["km_median"][f"sex{sex}"]
        mean = restricted_mean(part.time, part.died, horizon=365)
        peer = answers["rmst365"]
        assert (mean.estimate, mean.std_error) == pytest.approx(
            (peer[f"sex{sex}"], peer[f"se{sex}"]), rel=CLOSED_FORM
        )
    both = restricted_mean_difference(lung.time, lung.died, lung.sex == 2, horizon=365)
    assert both.estimate == pytest.approx(peer["sex2"] - peer["sex1"], rel=CLOSED_FORM)
    assert both.std_error == pytest.approx(np.hypot(peer["se1"], peer["se2"]), rel=CLOSED_FORM)
    found, peer = log_rank(lung.time, lung.died, lung.sex), answers["logrank"]
    assert (found.statistic, found.p_value) == pytest.approx((peer["chisq"], peer["p"]), rel=CLOSED_FORM)
    np.testing.assert_allclose(found.observed, peer["obs"])
    np.testing.assert_allclose(found.expected, peer["exp"], rtol=CLOSED_FORM)


def assert_cox(model, peer):
    table = coefficients(model.fit)
    for ours, theirs in (("estimate", "est"), ("std_error", "se"), ("conf_low", "lo"), ("conf_high", "hi")):
        np.testing.assert_allclose(
            getattr(table, ours), [row[theirs] for row in peer["table"]], rtol=COXPH, atol=COXPH
        )
    np.testing.assert_allclose(table.p_value, [row["p"] for row in peer["table"]], atol=COXPH)
    assert (model.loglik_null, model.fit.loglik) == pytest.approx(tuple(peer["loglik"]), abs=1e-9)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_and_concordance(lung, answers, ties):
    seen = lung.dropna(subset=["ph.ecog"])
    X = seen[["age", "sex", "ph.ecog"]].to_numpy(dtype=float)
    model, peer = cox_regression(seen.time, seen.died, X, ties=ties), answers[f"cox_{ties}"]
    assert_cox(model, peer)
    assert concordance(seen.time, seen.died, X @ model.fit.coef) == pytest.approx(
        peer["concordance"], rel=1e-12
    )


def test_cox_rossi(rossi, answers):
    X = rossi.drop(columns=["week", "arrest"])
    assert_cox(cox_regression(rossi.week, rossi.arrest, X, names=list(X)), answers["rossi"])


def test_cox_with_clusters(lung, answers):
    seen, peer = lung.dropna(subset=["ph.ecog", "inst"]), answers["cox_cluster_inst"]
    X = seen[["age", "sex", "ph.ecog"]]
    model = cox_regression(seen.time, seen.died, X, clusters=seen.inst, small_sample="none")
    np.testing.assert_allclose(model.fit.coef, list(peer["b"].values()), atol=COXPH)
    np.testing.assert_allclose(np.sqrt(np.diag(model.fit.cov)), list(peer["se_robust"].values()), rtol=COXPH)


def test_proportional_hazards(lung, answers):
    seen, rows = lung.dropna(subset=["ph.ecog"]), answers["cox_zph"]
    names = ["age", "sex", "ph.ecog"]
    check = proportional_hazards(seen.time, seen.died, seen[names], names=names)
    np.testing.assert_allclose(check.statistic, [row["chisq"] for row in rows], rtol=COXPH)
    np.testing.assert_allclose(check.p_value, [row["p"] for row in rows], rtol=COXPH)
    assert check.df.tolist() == [row["df"] for row in rows]


@pytest.fixture(scope="module")
def competing():
    """Admission, death, or the end of observation; no two at one time, which lifelines would jitter."""
    rng = np.random.default_rng(3)
    times = np.column_stack([rng.exponential(5, 300), rng.exponential(9, 300), rng.uniform(0, 10, 300)])
    return times.min(axis=1), np.array([1, 2, 0])[times.argmin(axis=1)]


def test_aalen_johansen_is_that_of_lifelines(competing):
    from lifelines import AalenJohansenFitter

    time, event = competing
    peer = AalenJohansenFitter(calculate_variance=True).fit(time, event, event_of_interest=1)
    found = cumulative_incidence(time, event)
    place = np.searchsorted(peer.cumulative_density_.index, found.time, side="right") - 1
    np.testing.assert_allclose(found.estimate, peer.cumulative_density_.iloc[place, 0], atol=1e-13)
    np.testing.assert_allclose(
        found.std_error, np.sqrt(peer.variance_.iloc[place].to_numpy().ravel()), atol=1e-13
    )
    some = found.estimate > 0
    np.testing.assert_allclose(
        found.conf_low[some], peer.confidence_interval_.iloc[place, 0][some], atol=1e-12
    )
    np.testing.assert_allclose(
        found.conf_high[some], peer.confidence_interval_.iloc[place, 1][some], atol=1e-12
    )


def test_aalen_johansen_without_competing_events_is_kaplan_meier(lung):
    curve, incidence = kaplan_meier(lung.time, lung.died), cumulative_incidence(lung.time, lung.died)
    np.testing.assert_allclose(incidence.estimate, 1 - curve.estimate, atol=1e-13)
    np.testing.assert_allclose(incidence.std_error, curve.std_error, atol=1e-13)


def incidence_written_out(time, event, at, weights):
    """Aalen-Johansen as a loop over the times."""
    survival, total = 1.0, 0.0
    for when in np.unique(time[(event > 0) & (time <= at)]):
        risk = weights[time >= when].sum()
        total += survival * weights[(time == when) & (event == 1)].sum() / risk
        survival *= 1 - weights[(time == when) & (event > 0)].sum() / risk
    return total


def survival_written_out(time, event, at, weights):
    """Kaplan-Meier as a loop over the times."""
    survival = 1.0
    for when in np.unique(time[(event > 0) & (time <= at)]):
        survival *= 1 - weights[(time == when) & (event > 0)].sum() / weights[time >= when].sum()
    return survival


def mean_written_out(time, event, at, weights):
    """Area under Kaplan-Meier, piece by piece."""
    edges = np.unique(np.concatenate([[0.0], time[time < at], [at]]))
    pieces = itertools.pairwise(edges)
    return sum(survival_written_out(time, event, left, weights) * (right - left) for left, right in pieces)


def jackknife(statistic, weights, clusters):
    """Infinitesimal jackknife: numeric derivative to each weight, added up by cluster."""
    influence, step = np.empty(weights.size), 1e-5
    for i in range(weights.size):
        change = np.zeros(weights.size)
        change[i] = step
        influence[i] = weights[i] * (statistic(weights + change) - statistic(weights - change)) / (2 * step)
    return float(np.sqrt((np.bincount(clusters, influence) ** 2).sum()))


def test_weights_and_clusters_against_numeric_derivatives(competing):
    time, event = np.ceil(4 * competing[0][:80]), competing[1][:80]  # with ties
    rng = np.random.default_rng(5)
    weights, clusters = rng.uniform(0.3, 2.0, 80), rng.integers(0, 20, 80)
    some = event > 0
    for written, found in (
        (
            lambda w: incidence_written_out(time, event, 12, w),
            cumulative_incidence(time, event, at=[12], weights=weights, clusters=clusters),
        ),
        (
            lambda w: survival_written_out(time, some, 12, w),
            kaplan_meier(time, some, at=[12], weights=weights, clusters=clusters),
        ),
    ):
        assert found.estimate[0] == pytest.approx(written(weights), rel=1e-12)
        assert found.std_error[0] == pytest.approx(
            jackknife(written, weights, clusters), rel=1e-6
        )  # central differences
    mean = restricted_mean(time, some, horizon=12, weights=weights, clusters=clusters)
    assert mean.estimate == pytest.approx(mean_written_out(time, some, 12, weights), rel=1e-12)
    error = jackknife(lambda w: mean_written_out(time, some, 12, w), weights, clusters)
    assert mean.std_error == pytest.approx(error, rel=1e-6)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_with_weights_is_lifelines_and_its_own_derivative(rossi, ties):
    from lifelines import CoxPHFitter

    part = rossi.iloc[::3].reset_index(drop=True)
    rng = np.random.default_rng(6)
    weights, clusters = rng.uniform(0.3, 2.0, len(part)), rng.integers(0, 30, len(part))
    X = part[["fin", "age", "prio"]].to_numpy(dtype=float)

    def coef(w):
        return cox_regression(part.week, part.arrest, X, weights=w, clusters=clusters, ties=ties).fit.coef

    fit = cox_regression(
        part.week, part.arrest, X, weights=weights, clusters=clusters, ties=ties, small_sample="none"
    ).fit
    for j in range(3):
        error = jackknife(lambda w, j=j: coef(w)[j], weights, clusters)
        assert np.sqrt(fit.cov[j, j]) == pytest.approx(error, rel=1e-6)  # central differences
    if ties == "efron":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frame = part[["week", "arrest", "fin", "age", "prio"]].assign(w=weights)
            peer = CoxPHFitter().fit(frame, "week", "arrest", weights_col="w", robust=True)
        np.testing.assert_allclose(fit.coef, peer.params_, atol=1e-5)  # lifelines stops at 6e-6
        assert 0 <= fit.loglik - peer.log_likelihood_ < 1e-6  # ours is the higher


def test_breslow_without_ties_is_efron(competing):
    time, event = competing
    X = np.random.default_rng(7).normal(size=(300, 2))
    both = [cox_regression(time, event == 1, X, ties=ties).fit for ties in ("efron", "breslow")]
    np.testing.assert_allclose(both[0].coef, both[1].coef, atol=1e-12)


def test_concordance_is_every_pair_counted():
    rng = np.random.default_rng(8)
    time, event, risk = rng.integers(1, 15, 120), rng.random(120) < 0.6, rng.integers(0, 6, 120)
    agree = pairs = 0.0
    for i in range(120):
        later = (time > time[i]) | ((time == time[i]) & ~event)
        later[i] = False
        if event[i]:
            pairs += later.sum()
            agree += (risk[later] < risk[i]).sum() + (risk[later] == risk[i]).sum() / 2
    assert concordance(time, event, risk.astype(float)) == pytest.approx(agree / pairs, rel=1e-14)
