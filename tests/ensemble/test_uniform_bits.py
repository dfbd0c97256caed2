"""``uniform_bits=53``: normals whose size comes from 53 bits."""

import math

import numpy as np
import pytest
import scipy.stats

import optlab as ol
from optlab.ensemble import draws
from optlab.errors import InputError
from tests.ensemble.by_hand import path
from tests.oracles import noise_laws as twin
from tests.oracles.philox import common_key

SPECTRUM, START = [0.3, 0.7, 1.0], [1.0, -2.0, 0.5]


@pytest.mark.parametrize(
    ("law", "kind", "dof"),
    [("gaussian", "gaussian", None), ("student_t(dof=3)", "student_t", 3.0), ("multiplicative", "multiplicative", None)],
)
@pytest.mark.parametrize("batch", [1, 3])
def test_a_trajectory_is_the_twins(law, kind, dof, batch):
    problem = ol.problems.quadratic(spectrum=SPECTRUM, theta0=START, noise=0.5, noise_law=law)
    run = ol.simulate(
        "momentum",
        problem,
        schedule=0.1,
        steps=25,
        batch=batch,
        trajectories=66,
        keep=66,
        rng=7,
        common=True,
        record=range(26),
        uniform_bits=53,
    )
    for trajectory in (0, 64, 65):
        gradient = lambda x, step: twin.noisy_gradient(np.array(SPECTRUM) * x, trajectory, step, batch, 0.5, common_key(7), kind, dof, 53)  # noqa: B023, E731
        np.testing.assert_allclose(
            run.theta[trajectory], path(ol.rules.get("momentum"), gradient, [0.1] * 25, START), rtol=1e-9, atol=1e-10
        )


def test_rows_take_the_same_numbers():
    """A table whose gradient is zero at the start: one step of SGD shows the noise itself, the same as on a quadratic."""
    runs = {"schedule": 1.0, "steps": 1, "trajectories": 70, "keep": 70, "rng": 7, "common": True, "record": [1], "uniform_bits": 53}
    table = ol.problems.least_squares(np.eye(3), np.zeros(3), noise=0.5)
    wide = ol.problems.quadratic(spectrum=[1.0] * 3, theta0=0.0, noise=0.5)
    assert np.array_equal(ol.simulate("sgd", table, **runs).theta, ol.simulate("sgd", wide, **runs).theta)


def test_the_bits_asked_for_are_part_of_the_stream():
    problem = ol.problems.quadratic(spectrum=SPECTRUM, theta0=START, noise=0.5)
    options = {"schedule": 0.1, "steps": 5, "trajectories": 64, "common": True}
    runs = [ol.simulate("sgd", problem, uniform_bits=bits, **options) for bits in (32, 53)]
    assert (runs[0].loss_mean[1:] != runs[1].loss_mean[1:]).all()
    assert '"uniform_bits":53' in runs[1].attrs["spec"]


@pytest.mark.parametrize(("words", "function", "largest"), [
    ((0, 0x3FFFFFFF + 1, 0, 0), "normals", math.sqrt(2 * 33 * math.log(2))),
    ((0, 0, 0x40000000, 0), "normals53", math.sqrt(2 * 54 * math.log(2))),
])  # fmt: skip
def test_the_largest_sizes(words, function, largest):
    """The smallest uniform number is half a unit: 2^-33 gives 6.77 standard deviations, 2^-54 gives 8.65."""
    values = getattr(draws, function)(words, np.float64)
    assert math.hypot(values[0], values[1]) == pytest.approx(largest, rel=1e-11)
    assert largest == pytest.approx({"normals": 6.77, "normals53": 8.65}[function], abs=0.01)


@pytest.mark.parametrize(
    "words", [(0, 0), (0, 2047), (0, 2048), (0, 2**32 - 1), (1, 0), (12345, 678901234), (2**31, 0), (2**32 - 1, 2**32 - 1)]
)
def test_small_uniform_numbers_keep_all_their_bits(words):
    exact = twin.uniform53(*words)
    assert 0 < draws.uniform53(*words) <= 1
    assert draws.uniform53(*words) == pytest.approx(exact, rel=2**-52, abs=0)


def test_values_have_the_normal_distribution():
    """Kolmogorov and Smirnov on 200,000 numbers at 1e-10; mean and variance within |z| <= 7 (2.6e-12 each); pairs uncorrelated."""
    problem = ol.problems.quadratic(spectrum=[1.0] * 4, theta0=0.0, noise=1.0)
    run = ol.simulate("sgd", problem, schedule=1.0, steps=1, trajectories=50_000, keep=50_000, record=[1], rng=1, uniform_bits=53)
    values = run.theta.values[:, 0]
    n = values.size
    assert scipy.stats.kstest(values.ravel(), "norm").pvalue >= 1e-10
    assert abs(values.mean()) * math.sqrt(n) <= 7
    assert abs(values.var() - 1) / math.sqrt(2 / n) <= 7
    assert np.abs(np.corrcoef(values.T) - np.eye(4)).max() <= 7 / math.sqrt(50_000)


@pytest.mark.parametrize(("options", "message"), [
    ({"uniform_bits": 53, "dtype": "float32"}, "uniform_bits = 53 needs dtype='float64'"),
    ({"uniform_bits": 64}, "uniform_bits = 64 must be 32 or 53"),
])  # fmt: skip
def test_what_is_refused(options, message):
    with pytest.raises(InputError, match=message) as caught:
        ol.simulate("sgd", ol.problems.quadratic(spectrum=[1.0], noise=1.0), schedule=0.1, steps=1, **options)
    assert "\n" not in str(caught.value)
