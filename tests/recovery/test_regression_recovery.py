"""Simulated practices with a known rate ratio: bias and coverage of every count and cost regression."""

import numpy as np
import pytest

from wor_eval.effects.fit import coefficients
from wor_eval.effects.g_computation import g_computation
from wor_eval.effects.gee import gee_poisson
from wor_eval.effects.negative_binomial import negative_binomial_regression
from wor_eval.effects.regression import gamma_regression, linear_regression, poisson_regression

PRACTICES, PERSONS, TIMES = 20, 25, 4
LOG_RATIO, AGE_EFFECT = np.log(0.8), 0.1
REPLICATES = 300
# 300 replicates: a coverage of 95 % has a Monte Carlo error of 1.26 points; 3 of them, and 1.5 points more
# below, because a sandwich of 500 clusters with normal quantiles is a little short.
COVERAGE = (0.95 - 0.053, 0.95 + 0.038)


def simulate(rng):
    """Persons with a gamma frailty in practices with a normal effect, four unequal periods, two after."""
    person = np.repeat(np.arange(PRACTICES * PERSONS), TIMES)
    practice = person // PERSONS
    after = np.tile([0.0, 0.0, 1.0, 1.0], PRACTICES * PERSONS)
    age = rng.normal(0, 1, PRACTICES * PERSONS)[person]
    years = rng.uniform(0.3, 1.0, person.size)
    rate = np.exp(1.2 + rng.normal(0, 0.4, PRACTICES)[practice] + LOG_RATIO * after + AGE_EFFECT * age)
    rate *= rng.gamma(2, 0.5, PRACTICES * PERSONS)[person]
    return {
        "person": person,
        "practice": practice,
        "X": np.column_stack([after, age]),
        "years": years,
        "visits": rng.poisson(rate * years),
        "cost": 30 * rate * rng.gamma(1, 1, person.size),
    }


def counts(model):
    def fit(d):
        return model(
            d["visits"], d["X"], offset=np.log(d["years"]), absorb=d["practice"], clusters=d["person"]
        )

    return fit


def gee(d):
    return gee_poisson(
        d["visits"], d["X"], offset=np.log(d["years"]), absorb=d["practice"], groups=d["person"]
    )


def costs(d):
    return gamma_regression(d["cost"], d["X"], absorb=d["practice"], clusters=d["person"])


MODELS = {
    "poisson": counts(poisson_regression),
    "negative_binomial": counts(negative_binomial_regression),
    "gee": gee,
    "gamma": costs,
}


@pytest.mark.parametrize("name", MODELS)
def test_rate_ratio_is_recovered(name):
    rng = np.random.default_rng(20240501)
    rows = []
    for _ in range(REPLICATES):
        table = coefficients(MODELS[name](simulate(rng)))
        rows.append([table.estimate, table.std_error, table.conf_low, table.conf_high])
    estimate, error, low, high = np.array(rows).transpose(1, 0, 2)
    truth = np.array([LOG_RATIO, AGE_EFFECT])
    spread = estimate.std(axis=0)
    # Four Monte Carlo errors of the mean, and the maximum-likelihood bias of a few thousandths.
    assert (np.abs(estimate.mean(axis=0) - truth) < 4 * spread / np.sqrt(REPLICATES) + 0.002).all()
    # The spread over replicates has a Monte Carlo error of 1 / sqrt(2 * 300) = 4 %; three of them.
    np.testing.assert_allclose(error.mean(axis=0), spread, rtol=0.13)
    covered = ((low < truth) & (truth < high)).mean(axis=0)
    assert (covered > COVERAGE[0]).all()
    assert (covered < COVERAGE[1]).all()


def test_marginal_rates_are_recovered():
    """Rates of the population the persons came from: influence functions carry the sampling of the ages."""
    rng = np.random.default_rng(7)
    rows = []
    for _ in range(REPLICATES):
        persons = 400
        age = rng.normal(0, 1, persons)
        group = rng.integers(0, 2, persons).astype(float)
        years = rng.uniform(0.3, 1.0, persons)
        mean = np.exp(0.5 + 0.3 * age - 0.4 * group + 0.2 * age * group) * years
        y = rng.poisson(mean * rng.gamma(2, 0.5, persons))
        X = np.column_stack([np.ones(persons), age, group, age * group])
        arms = [np.column_stack([np.ones(persons), age, np.full(persons, a), a * age]) for a in (1.0, 0.0)]
        person = np.arange(persons)
        fit = poisson_regression(y, X, offset=np.log(years), clusters=person)
        table = g_computation(fit, *arms, person_years=years, clusters=person)
        rows.append([table.estimate, table.conf_low, table.conf_high])
    estimate, low, high = np.array(rows).transpose(1, 0, 2)
    referred, comparison = np.exp(0.5 - 0.4 + 0.5**2 / 2), np.exp(0.5 + 0.3**2 / 2)  # mean of exp(normal)
    difference = referred - comparison
    truth = np.array([referred, comparison, referred / comparison, difference, difference * 0.65])
    tolerance = 4 * estimate.std(axis=0) / np.sqrt(REPLICATES) + 0.003
    assert (np.abs(estimate.mean(axis=0) - truth) < tolerance).all()
    covered = ((low < truth) & (truth < high)).mean(axis=0)
    assert (covered > COVERAGE[0]).all()
    assert (covered < COVERAGE[1]).all()


def test_errors_that_ignore_the_person_are_too_short():
    """The reason for clusters: of the effect of age, constant in a person, model errors cover far too little."""
    rng = np.random.default_rng(3)
    covered = {"model": 0, "clusters": 0, "linear": 0}
    for _ in range(100):
        d = simulate(rng)
        offset = np.log(d["years"])
        plain = poisson_regression(
            d["visits"], d["X"], offset=offset, absorb=d["practice"], covariance="model"
        )
        robust = MODELS["poisson"](d)
        linear = linear_regression(np.log(d["cost"]), d["X"], absorb=d["practice"], clusters=d["person"])
        for name, fit in (("model", plain), ("clusters", robust), ("linear", linear)):
            table = coefficients(fit)
            covered[name] += int(table.conf_low[1] < AGE_EFFECT < table.conf_high[1])
    assert covered["model"] < 85
    # 95 % of 100 has a Monte Carlo error of 2.2; four of them.
    assert covered["clusters"] > 86
    assert covered["linear"] > 86
