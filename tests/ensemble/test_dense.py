"""Rotated problems in the simulator against NumPy: a dense Hessian for quadratics, turn and turn back for others."""

import numpy as np
import pytest

import optlab as ol
from optlab.ensemble.bind import rotation_matrix
from optlab.objectives import Separable, Start
from optlab.symbols import lam, z
from tests.ensemble.by_hand import path
from tests.oracles import noise_laws
from tests.oracles.philox import common_key

DIMENSIONS, SEED, STEPS = [3, 4, 7, 33], 9, 30


def parts(d):
    """Curvatures, start and rotation."""
    return np.geomspace(0.05, 1, d), np.linspace(-1.5, 1, d), rotation_matrix(d, 3)


def quadratic(d, **options):
    spectrum, start, _ = parts(d)
    return ol.problems.quadratic(spectrum=spectrum.tolist(), theta0=start.tolist(), rotation=3, **options)


def quartic(d, **options):
    spectrum, start, _ = parts(d)
    return Separable(
        name="quartic", dim=d, start=Start(tuple(start)), loss=lam * z**4 / 4, spectrum=tuple(spectrum), rotation=3, minimum=0.0, **options
    )


LOSSES = {
    quadratic: (lambda turned, curvature: curvature / 2 * turned**2, lambda turned, curvature: curvature * turned),
    quartic: (lambda turned, curvature: curvature / 4 * turned**4, lambda turned, curvature: curvature * turned**3),
}


def check(make, rule, d, dtype, tolerance, sigma=0.3, batch=2, rate=0.1):
    curvature, start, turn = parts(d)
    loss, slope = LOSSES[make]
    run = ol.simulate(
        rule, make(d, noise=sigma), schedule=rate, steps=STEPS, batch=batch, trajectories=67, keep=67, rng=SEED, common=True, dtype=dtype,
        record=range(STEPS + 1),
    )  # fmt: skip
    for trajectory in (0, 31, 63, 64, 66):

        def gradient(x, step):
            g = turn.T @ slope(turn @ x, curvature)
            return noise_laws.noisy_gradient(g, trajectory, step, batch, sigma, common_key(SEED))  # noqa: B023

        expected = path(ol.rules.get(rule), gradient, [rate] * STEPS, start)
        np.testing.assert_allclose(run.theta[trajectory], expected, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(run.loss[trajectory], loss(expected @ turn.T, curvature).sum(1), rtol=tolerance * 10)
    return run


@pytest.mark.parametrize("rule", ["sgd", "nesterov", "adam"])
@pytest.mark.parametrize("d", DIMENSIONS)
def test_rotated_quadratics(d, rule):
    check(quadratic, rule, d, "float64", 1e-9)


@pytest.mark.parametrize("rule", ["sgd", "nesterov"])
@pytest.mark.parametrize("d", DIMENSIONS)
def test_rotated_objectives_that_are_not_quadratic(d, rule):
    check(quartic, rule, d, "float64", 1e-9, rate=0.03)


@pytest.mark.parametrize("d", [3, 33])
@pytest.mark.parametrize("make", [quadratic, quartic])
def test_in_single_precision(make, d):
    check(make, "nesterov", d, "float32", 2e-4, rate=0.03)


def test_wide_problems_run_fewer_trajectories_side_by_side_with_the_same_numbers():
    """d = 300 leaves room for 16 lanes of a cache; trajectory by trajectory the numbers are those of NumPy."""
    check(quadratic, "sgd", 300, "float64", 1e-9)


def test_the_gradient_is_taken_at_the_look_ahead_point():
    """Two noiseless steps of Nesterov by hand: the second gradient is that at theta + beta v."""
    curvature, start, turn = parts(4)
    matrix = turn.T @ np.diag(curvature) @ turn
    run = ol.simulate("nesterov(beta=0.8)", quadratic(4), schedule=0.4, steps=2, trajectories=1, keep=1, record=[0, 1, 2])
    v = -0.4 * matrix @ start
    first = start + v
    np.testing.assert_allclose(run.theta[0, 1], first, rtol=1e-12)
    v = 0.8 * v - 0.4 * matrix @ (first + 0.8 * v)
    np.testing.assert_allclose(run.theta[0, 2], first + v, rtol=1e-12)
    plain = first + 0.8 * (first - start) - 0.4 * matrix @ first
    assert np.abs(run.theta[0, 2] - plain).max() > 1e-3


@pytest.mark.parametrize("make", [quadratic, quartic])
def test_small_losses_keep_their_relative_accuracy(make):
    """Near the minimum the loss is a sum of positive terms, nothing cancels."""
    curvature, _, turn = parts(7)
    tiny = np.linspace(1e-9, 3e-9, 7)
    problem = make(7)
    moved = ol.problems.quadratic(**(dict(problem.options) | {"theta0": tiny.tolist()})) if make is quadratic else None
    moved = moved or Separable(name="quartic", dim=7, start=Start(tuple(tiny)), loss=problem.loss, spectrum=problem.spectrum, rotation=3)
    run = ol.simulate("sgd", moved, schedule=0.1, steps=0, trajectories=1)
    np.testing.assert_allclose(run.loss_mean[0], LOSSES[make][0](turn @ tiny, curvature).sum(), rtol=1e-12)
