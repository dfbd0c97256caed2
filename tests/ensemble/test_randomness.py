"""The words in every order of use, and the noise of simulations, pass the tests of benchmarks/own_battery.py; bad ones do not.

A test here asks about 20 p-values at most and fails below 1e-13 or above 1 - 1e-13: less than one false alarm in 2e11 seeds,
in all of the file one in 1e10 (the laws of the 7th and 8th moment are approximations, which may make theirs a hundred times as
likely: one in 1e9). The seeds are fixed besides.
"""

import numpy as np
import pytest
import scipy.stats

import optlab as ol
from benchmarks import own_battery as battery
from benchmarks.word_orders import BAD, CHUNK, ORDERS, normal_pair, normal_pair_53
from optlab.ensemble.philox import philox, stream_key
from optlab.ensemble.purposes import Purpose

EXTREME = 1e-13
WORDS = 1 << 18
TRAJECTORIES, STEPS, DIMENSION = 4096, 16, 3


def extreme(found):
    """The p-values too near to 0 or 1."""
    return {name: p for name, p in found if not EXTREME <= p <= 1 - EXTREME}


# --- words ---


@pytest.mark.parametrize("order", ORDERS)
def test_the_words_of_each_order_are_random(order):
    words = battery.take(order, 1, WORDS)
    assert words.size == WORDS
    assert not extreme(battery.word_tests(words))


@pytest.mark.parametrize("order", BAD)
def test_bad_words_are_found_out(order):
    assert len(extreme(battery.word_tests(battery.take(order, 1, WORDS)))) >= 5


def test_one_stuck_bit_in_a_thousand_words_is_found_out():
    words = battery.take("trajectory", 1, WORDS)
    words[:: 1 << 5] |= np.uint32(1)  # half of these were odd already
    assert "bits" in extreme(battery.word_tests(words))


def test_the_orders_are_of_the_counters_that_they_name():
    """Block b of trajectory t is philox(t, b, 0, NOISE) under the key of the seed."""
    key = stream_key(3, None)

    def word(trajectory, n):
        return philox(*(np.uint32(c) for c in (trajectory, n // 4, 0, Purpose.NOISE)), *key)[n % 4]

    steps = [(step, trajectory, c) for step in range(2) for trajectory in range(256) for c in range(3)]
    expected = {
        "trajectory": [word(0, n) for n in range(64)],
        "lanes": [word(8 * group + lane, n) for group in range(2) for n in range(4) for lane in range(8)],
        "ensemble": [word(t, 0) for t in range(64)],
        "interleaved": [word(trajectory, 3 * step + c) for step, trajectory, c in steps],
        "reversed": [int(f"{word(0, n):032b}"[::-1], 2) for n in range(64)],
    }
    for order, words in expected.items():
        assert battery.take(order, 3, len(words)).tolist() == list(map(int, words)), order
    later = battery.take("trajectory", 3, CHUNK + 4)[CHUNK:]  # the second array goes on where the first ended
    assert later.tolist() == [int(word(0, n)) for n in range(CHUNK, CHUNK + 4)]


# --- normals ---


def noise(seed, alpha=0.5):
    """The gradient noise xi that a simulation drew, (trajectory, step, coordinate): theta <- theta - alpha (theta + xi)."""
    problem = ol.problems.quadratic(spectrum=[1.0] * DIMENSION, noise=1.0)
    every = list(range(STEPS + 1))
    run = ol.simulate("sgd", problem, schedule=alpha, steps=STEPS, record=every, trajectories=TRAJECTORIES, keep=TRAJECTORIES, rng=seed)
    theta = run.theta.values
    return ((1 - alpha) * theta[:, :-1] - theta[:, 1:]) / alpha


@pytest.fixture(scope="module")
def drawn():
    return noise(5)


def test_the_noise_of_a_simulation_is_normal(drawn):
    assert drawn.shape == (TRAJECTORIES, STEPS, DIMENSION)
    assert not extreme([*battery.moments(drawn), *battery.shape(drawn)])


def test_the_noise_does_not_depend_on_its_neighbors(drawn):
    """In steps, coordinates and trajectories: products of the numbers and of their squares."""
    along = np.swapaxes(drawn, 0, 1)  # trajectories where battery.steps looks for steps
    found = [*battery.steps(drawn), *((f"trajectories, {name}", p) for name, p in battery.steps(along))]
    found += battery.pairwise(drawn.reshape(-1, DIMENSION).T, "coordinates")
    assert not extreme(found)


def test_the_noise_of_cells_does_not_go_together(drawn):
    """Two more seeds, and another learning rate under the first seed."""
    cell = noise(5, alpha=0.25)
    assert np.std(cell) == pytest.approx(1, abs=0.02)  # 12 standard errors
    rows = np.stack([x.ravel() for x in (drawn, noise(6), noise(7), cell)])
    assert not extreme(battery.pairwise(rows, "cells"))


def test_common_random_numbers_are_found_out(drawn):
    """The same numbers twice: what the test above would see if two cells shared a key."""
    assert extreme(battery.pairwise(np.stack([drawn.ravel(), drawn.ravel()]), "cells"))


SLIPS = {
    "scale": lambda x: 1.02 * x,
    "shift": lambda x: x + 0.02,
    "skewness": lambda x: x + 0.02 * (x**2 - 1),
    "three uniforms": lambda x: 2 * (scipy.stats.norm.cdf(x).reshape(-1, 3).sum(1) - 1.5),
    "cut tails": lambda x: np.clip(x, -3, 3),
    "one radius": lambda x: np.repeat(x.ravel()[::2], 2),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_slips_of_a_normal_generator_are_found_out(drawn, slip):
    x = SLIPS[slip](drawn)
    assert extreme([*battery.moments(x), *battery.shape(x)])


def test_dependent_neighbors_are_found_out(drawn):
    x = drawn.copy()
    x[:, 1:] = (x[:, 1:] + 0.05 * x[:, :-1]) / np.sqrt(1 + 0.05**2)
    assert set(extreme(battery.steps(x))) == {"steps, products"}


def polar(x, y):
    """The uniform number behind the radius, and the angle of the pair turned to where the cosine is positive."""
    return np.exp(-(x * x + y * y) / 2), np.arctan2(y, abs(x))


@pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 5), (2**31, 2**30), (2**32 - 2, 2**32 - 1), (123456789, 987654321)])
def test_radius_and_angle_come_back_from_a_pair(a, b):
    x, y = normal_pair(np.uint32(a), np.uint32(b))
    u, angle = polar(x, y)
    assert u == pytest.approx((a + 0.5) / 2**32, rel=1e-13)
    assert angle == pytest.approx(np.pi * ((b // 2 + 0.5) / 2**31 - 0.5), abs=1e-14)
    assert (x < 0) == b % 2
    x, y = normal_pair_53(*map(np.uint32, (a, b, b, a)))
    u, angle = polar(x, y)
    assert u == pytest.approx(((a << 21 | b >> 11) + 0.5) / 2**53, rel=1e-13)
    assert angle == pytest.approx(np.pi * (((b << 21 | a >> 11) // 2 + 0.5) / 2**52 - 0.5), abs=1e-14)
    assert (x < 0) == (b << 21 | a >> 11) % 2


def test_the_ends_of_the_radius_are_finite():
    """The longest radius of either precision, and the shortest: of 53 bits it rounds to 0."""
    ones = np.uint32(2**32 - 1)
    zero = np.uint32(0)
    assert np.hypot(*normal_pair(zero, zero)) == pytest.approx(np.sqrt(66 * np.log(2)), rel=1e-14)
    assert np.hypot(*normal_pair_53(zero, zero, zero, zero)) == pytest.approx(np.sqrt(108 * np.log(2)), rel=1e-14)
    assert 0 < np.hypot(*normal_pair(ones, ones)) < 2e-5
    assert np.hypot(*normal_pair_53(ones, ones, ones, ones)) == 0


def test_tails_are_counted():
    """All words' normals lie within sqrt(-2 log 2^-33) = 6.76; beyond 4, 5 and 6 as many as the binomial law says."""
    fill, key = battery.FILLS["normals"], stream_key(2, None)
    assert not extreme(battery.tails(fill, key, 1 << 22))

    def scaled(out, *counter):
        fill(out, *counter)
        out *= 1.1

    assert extreme(battery.tails(scaled, key, 1 << 22))


def test_the_law_of_anderson_and_darling():
    """At the published 95 % and 99 % points, and the smallest and largest values in double precision."""
    assert [round(battery.anderson_darling_cdf(z), 4) for z in (2.4924, 3.8782)] == [0.95, 0.99]
    assert battery.anderson_darling_cdf(0.02) < 1e-20
    assert battery.anderson_darling_cdf(49.9) == pytest.approx(battery.anderson_darling_cdf(51), abs=1e-13)
