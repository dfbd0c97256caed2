"""Logistic regression in the simulator: full-batch and mini-batch runs, and losses, against NumPy and SciPy."""

from functools import cache

import numpy as np
import pytest
from scipy.special import expit

import optlab as ol
from tests.ensemble.by_hand import path
from tests.oracles import noise_laws
from tests.oracles import sampling as twin
from tests.oracles.philox import common_key

DIMENSIONS, N, SEED = [1, 3, 10, 17, 40], 23, 5  # n is no multiple of 4 nor of 8
TOLERANCE = {"float64": 1e-10, "float32": 2e-4}


@cache
def table(d, n=N):
    generator = np.random.default_rng(d)
    rows = generator.normal(size=(n, d))
    return rows, np.where(rows @ np.linspace(1, -1, d) + generator.logistic(size=n) > 0, 1.0, -1.0)


def loss(theta, rows, labels):
    return np.logaddexp(0, -labels * (theta @ rows.T)).mean(-1)


def gradient(theta, rows, labels):
    return -(labels * expit(-labels * (rows @ theta))) @ rows / len(labels)


def simulated(d, dtype, rule="sgd", steps=25, **options):
    rows, labels = table(d)
    made = {key: options.pop(key) for key in ("sampling", "noise", "theta0") if key in options}
    problem = ol.problems.logistic_regression(rows, labels, theta0=made.pop("theta0", 0.25), **made)
    defaults = {"schedule": 0.5, "trajectories": 1, "keep": 1, "rng": SEED, "common": True, "record": range(steps + 1)}
    return ol.simulate(rule, problem, steps=steps, dtype=dtype, **(defaults | options))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("d", DIMENSIONS)
def test_full_batch_gradient_descent(d, dtype):
    rows, labels = table(d)
    run = simulated(d, dtype, batch=None)
    theta = [np.full(d, 0.25)]
    for _ in range(25):
        theta.append(theta[-1] - 0.5 * gradient(theta[-1], rows, labels))
    tolerance = TOLERANCE[dtype]
    np.testing.assert_allclose(run.theta[0], theta, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(run.loss[0], loss(np.array(theta), rows, labels), rtol=tolerance)
    assert run.loss_mean[-1] < run.loss_mean[0]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize(("sampling", "batch"), [("replacement", 5), ("subset", 9), ("reshuffle", 7)])
def test_mini_batches_take_the_twins_rows(sampling, batch, d, dtype):
    rows, labels = table(d)
    run = simulated(d, dtype, sampling=sampling, batch=batch, trajectories=66, keep=66)
    for trajectory in (0, 63, 65):
        picked = twin.batches(sampling, N, batch, 25, trajectory, common_key(SEED))
        expected = path(ol.rules.get("sgd"), lambda x, step: gradient(x, rows[picked[step]], labels[picked[step]]), [0.5] * 25, [0.25] * d)  # noqa: B023
        np.testing.assert_allclose(run.theta[trajectory], expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
        np.testing.assert_allclose(run.loss[trajectory], loss(expected, rows, labels), rtol=TOLERANCE[dtype])


@pytest.mark.parametrize(("rule", "d"), [("adam", 10), ("nesterov", 17)])
def test_other_rules_with_noise_on_top(rule, d):
    rows, labels = table(d)
    run = simulated(d, "float64", rule, sampling="subset", batch=6, noise=0.3, schedule=0.05, trajectories=3, keep=3)
    picked = twin.batches("subset", N, 6, 25, 2, common_key(SEED))

    def noisy(x, step):
        g = gradient(x, rows[picked[step]], labels[picked[step]])
        return noise_laws.noisy_gradient(g, 2, step, 6, 0.3, common_key(SEED))

    np.testing.assert_allclose(run.theta[2], path(ol.rules.get(rule), noisy, [0.05] * 25, [0.25] * d), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 200])
def test_tables_of_any_length(n):
    """Losses are summed in pieces of at least 64 rows; the last one may hold a single row."""
    rows, labels = table(3, n)
    problem = ol.problems.logistic_regression(rows, labels, theta0=[1.0, -2.0, 0.5])
    run = ol.simulate("sgd", problem, schedule=0.5, steps=3, batch=None, trajectories=1, keep=1, record=range(4))
    np.testing.assert_allclose(run.loss[0], loss(run.theta.values[0], rows, labels), rtol=1e-13, atol=1e-15)  # log(1 + small): absolute
    theta = np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(run.theta[0, 1], theta - 0.5 * gradient(theta, rows, labels), rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 30.0, 700.0, 1e6])
def test_losses_of_any_size_are_accurate(scale):
    """Margins from -scale to scale: neither overflow nor loss of accuracy."""
    rows, labels = np.linspace(-1, 1, 21)[:, None], np.tile([1.0, -1.0, 1.0], 7)
    problem = ol.problems.logistic_regression(rows, labels, theta0=scale)
    run = ol.simulate("sgd", problem, schedule=1e-3, steps=1, batch=None, trajectories=1, keep=1, record=[0, 1])
    np.testing.assert_allclose(run.loss[0, 0], loss(np.array([scale]), rows, labels), rtol=1e-13)
    step = scale - 1e-3 * gradient(np.array([scale]), rows, labels)
    np.testing.assert_allclose(run.theta[0, 1], step, rtol=1e-13, atol=1e-18)  # 1e-3 times the rounding of sums of numbers near 1
