"""Exact prediction under other laws of noise: against every path of noise enumerated. Nothing here is random.

First and second moments of a linear rule see only mean and variance of the noise, so draws of -1 and 1 with the same probability
stand for any law of variance 1: the average over all their paths, run by the hand-written twins, is the expectation itself.
"""

import itertools

import numpy as np
import pytest

import optlab as ol
from optlab import problems, rules
from optlab.ensemble.agreement import compare
from optlab.ensemble.budget import best_peak, final_loss
from optlab.errors import UnsupportedError
from tests.oracles import RULES as TWINS
from tests.rules.generated import as_options

RULES = {"sgd": {}, "momentum": {"beta": "1/2"}, "nesterov": {"beta": "3/4"}, "ema_momentum": {"beta": "1/3"}}
SPECTRUM, START, SIGMA, STEPS = [0.3, 1.0], [2.0, -1.0], 0.7, 6
MULTIPLICATIVE = "multiplicative"


def enumerated(name, rates, batch, law):
    """Loss mean (steps + 1,), theta mean and variance (steps + 1, d): every path of draws through the twin, coordinate by coordinate."""
    twin, options = TWINS[name], as_options(rules.get(name, **RULES[name]))
    paths = np.array(list(itertools.product([-1.0, 1.0], repeat=len(rates)))) * SIGMA / np.sqrt(batch)
    first, second = np.empty((len(rates) + 1, len(START))), np.empty((len(rates) + 1, len(START)))
    for i, (h, start) in enumerate(zip(SPECTRUM, START, strict=True)):
        ends = []
        for path in paths:
            x, states, trace = start, twin.initial(options), [start]
            for t, (rate, draw) in enumerate(zip(rates, path, strict=True), 1):
                g = h * twin.point(x, states, options)
                g = g * (1 + draw) if law == MULTIPLICATIVE else g + draw
                x, states = twin.step(x, states, g, t, rate, options)
                trace.append(x)
            ends.append(trace)
        first[:, i], second[:, i] = np.mean(ends, 0), np.mean(np.square(ends), 0)
    return second @ np.array(SPECTRUM) / 2, first, second - first**2


def quadratic(law, **options):
    return problems.quadratic(spectrum=SPECTRUM, noise=SIGMA, noise_law=law, theta0=START, **options)


@pytest.mark.parametrize("law", [MULTIPLICATIVE, "student_t(dof=3)"])
@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("batch", [1, 3])
def test_every_path_of_noise_enumerated(name, batch, law):
    rule, schedule = rules.get(name, **RULES[name]), ol.schedules.get("inverse_sqrt", a=0.9)
    exact = ol.predict(rule, quadratic(law), schedule=schedule, steps=STEPS, batch=batch, record=range(STEPS + 1))
    loss, mean, variance = enumerated(name, [0.9 / np.sqrt(t + 1) for t in range(STEPS)], batch, law)
    np.testing.assert_allclose(exact.loss_mean, loss, rtol=1e-12)
    np.testing.assert_allclose(exact.theta_mean, mean, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(exact.theta_variance, variance, rtol=1e-11, atol=1e-14)
    assert "loss_variance" not in exact
    assert exact.attrs["noise_law"] == law


def test_a_scattered_start_under_multiplicative_noise():
    """One step of SGD by hand: E x^2 = 1 at the start, times (1 - a h)^2 + a^2 h^2 sigma^2."""
    problem = problems.quadratic(spectrum=[0.5], noise=2.0, noise_law=MULTIPLICATIVE, theta0="normal")
    exact = ol.predict("sgd", problem, schedule=0.8, steps=1, batch=4, record=[0, 1])
    np.testing.assert_allclose(exact.loss_mean, [0.25, 0.25 * (0.6**2 + 0.4**2)], rtol=1e-14)


def test_students_noise_has_the_moments_of_the_gaussian():
    """Rotated quadratics and tables too: only the variance of the loss is another, and is not claimed."""
    rows = np.random.default_rng(1).normal(size=(9, 2))
    for make in (
        lambda **noise: problems.quadratic(spectrum=SPECTRUM, rotation=4, **noise),
        lambda **noise: problems.least_squares(rows, rows @ [1.0, -2.0] + 0.1, **noise),
    ):
        options = {"schedule": 0.2, "steps": 9, "batch": 2}
        gaussian = ol.predict("momentum(beta=0.5)", make(noise=0.4), **options)
        student = ol.predict("momentum(beta=0.5)", make(noise=0.4, noise_law="student_t(dof=2.1)"), **options)
        assert np.array_equal(gaussian.loss_mean, student.loss_mean)
        assert np.array_equal(gaussian.theta_variance, student.theta_variance)
        assert "loss_variance" not in student
        assert "noise_law" not in gaussian.attrs
        budgets = [final_loss("sgd", make(noise=0.4, **law), schedule=0.2, steps=5) for law in ({}, {"noise_law": "student_t"})]
        assert np.array_equal(budgets[0].loss, budgets[1].loss)


def test_the_best_peak_under_multiplicative_noise():
    """One step of SGD: (1 - a)^2 + a^2 s^2/B is least at a = 1/(1 + s^2/B), where it is 1 - a."""
    problem = problems.quadratic(spectrum=[1.0], noise=2.0, noise_law=MULTIPLICATIVE)
    found = best_peak("sgd", problem, schedule="constant", steps=1, batch=2)
    assert found.peak == pytest.approx(1 / 3, rel=1e-9)
    assert found.final_loss == pytest.approx((1 - 1 / 3) / 2, rel=1e-12)


def test_the_final_loss_by_batch_size_under_multiplicative_noise():
    """Two steps of SGD square (1 - a)^2 + a^2 s^2/B: that is no c0 + c1/B, twice its noiseless value where the B term is sqrt(2) - 1."""
    problem = problems.quadratic(spectrum=[1.0], noise=2.0, noise_law=MULTIPLICATIVE)
    found = final_loss("sgd", problem, schedule=0.5, steps=2, batches=[1, 2, 16])
    np.testing.assert_allclose(found.loss, [(0.25 + 0.25 * 4 / B) ** 2 / 2 for B in (1, 2, 16)], rtol=1e-13)
    assert "formula" not in found.attrs
    assert found.attrs["critical_batch"] == pytest.approx(4 / (np.sqrt(2) - 1), rel=1e-9)


REFUSED = {
    "rotation": (lambda: ol.predict("sgd", quadratic(MULTIPLICATIVE, rotation=1), schedule=0.1, steps=1), "a rotation mixes them"),
    "table": (
        lambda: ol.predict("sgd", problems.least_squares([[1.0]], [1.0], noise=1, noise_law=MULTIPLICATIVE), schedule=0.1, steps=1),
        "noise that multiplies a mini-batch's gradient is not followed",
    ),
    "operator": (lambda: ol.second_moment(quadratic(MULTIPLICATIVE)), "no second-moment operator"),
    "threshold": (
        lambda: compare(*[ol.predict("sgd", quadratic("student_t"), schedule=0.1, steps=1).assign_attrs(trajectories=9)] * 2),
        r"no false-alarm probability under noise_law = student_t\(dof=5\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_known_is_refused_in_one_line(case):
    attempt, message = REFUSED[case]
    with pytest.raises(UnsupportedError, match=message) as caught:
        attempt()
    assert "\n" not in str(caught.value)


def test_the_operator_of_students_noise_is_that_of_the_gaussian():
    gaussian, student = (
        ol.second_moment(problems.quadratic(spectrum=SPECTRUM, noise=0.4, **law)) for law in ({}, {"noise_law": "student_t"})
    )
    assert np.array_equal(gaussian.stationary_covariance(0.3), student.stationary_covariance(0.3))
