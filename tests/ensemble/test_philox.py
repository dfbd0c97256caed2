"""The generator against its published vectors and its twin; no counter is used twice; the normals are normal."""

import math
import re
from array import array
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

import optlab as ol
import optlab.ensemble.templates
from optlab.ensemble.philox import bounded, philox, read_seed, stream_key
from optlab.ensemble.purposes import Purpose
from optlab.errors import InputError
from optlab.objectives import Rows, Start
from optlab.symbols import z
from tests.ensemble.interpreted import interpret, interpreted_cell
from tests.oracles import philox as twin

# Random123, tests/kat_vectors, "philox4x32 10": counter, key, output
VECTORS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]
word = st.integers(0, 2**32 - 1)


def generated(counter, key):
    return tuple(int(w) for w in philox(*map(np.uint32, counter), *map(np.uint32, key)))


@pytest.mark.parametrize("vector", VECTORS, ids=["zeros", "ones", "pi"])
def test_known_answers(vector):
    counter, key, answer = ([int(w, 16) for w in part.split()] for part in vector)
    assert list(generated(counter, key)) == answer
    assert list(twin.philox(counter, key)) == answer


@given(st.tuples(word, word, word, word), st.tuples(word, word))
def test_generated_words_are_the_twins(counter, key):
    assert generated(counter, key) == twin.philox(counter, key)


@given(word, st.integers(1, 2**31 - 1))
def test_bounded_is_the_high_half_of_the_product(w, n):
    assert bounded(np.uint32(w), n) == w * n // 2**32


def test_bounded_reaches_both_ends():
    assert bounded(np.uint32(0), 10) == 0
    assert bounded(np.uint32(2**32 - 1), 10) == 9


@given(st.integers(0, 2**63))
def test_keys_are_the_twins_and_differ_by_spec(seed):
    assert tuple(map(int, stream_key(seed, None))) == twin.common_key(seed)
    assert stream_key(seed, "a") != stream_key(seed, "b") != stream_key(seed, None)
    assert stream_key(seed, None) != stream_key(seed + 1, None)


def test_seeds():
    assert read_seed(5) == read_seed(np.int64(5)) == 5
    assert read_seed(np.random.default_rng(1)) == read_seed(np.random.default_rng(1)) != read_seed(np.random.default_rng(2))
    for bad in (-1, 1.5, "x", None, True):
        with pytest.raises(InputError, match="is no seed"):
            read_seed(bad)


# --- no counter is used twice ---


def test_purposes_are_distinct_and_as_the_twin_has_them():
    assert len({int(p) for p in Purpose}) == len(Purpose.__members__) == 9
    assert {p.name: int(p) for p in Purpose} == {p.name: getattr(twin, p.name) for p in Purpose}


def test_templates_draw_only_for_registered_purposes():
    """Every call of the generator: trajectory first, the purpose last, its block in 64 bits between them."""
    used = set()
    for path in Path(next(iter(optlab.ensemble.templates.__path__))).glob("*.py"):
        for call in re.findall(r"rounds\((.*), key0, key1\)", path.read_text()):
            who, low, high, purpose = re.fullmatch(r"(.*), (\w+) & 0xFFFFFFFF, (\w+) >> 32, (\w+)", call).groups()
            assert who in ("count_up(first + group, WIDTH)", "count_up(trajectory, WIDTH)", "trajectory")
            assert low == high
            used.add(purpose)
    assert used == {"NOISE", "DATA", "BATCH", "purpose"}
    rows = (Path(next(iter(optlab.ensemble.templates.__path__))) / "rows.py").read_text()
    drawn = re.findall(r"word_blocks\(words, trajectory, word >> 2, (.*), key0, key1\)", rows)
    assert drawn == ["BATCH if mode == SUBSET else PERMUTATION"]


def table(sampling, n, dim, noise):
    return Rows(
        name="counted", dim=dim, start=Start((0.0,) * dim, 1.0), noise=noise, loss=z**2 / 2,
        rows=array("d", np.linspace(-1, 1, n * dim)), targets=array("d", [0.0] * n), sampling=sampling,
    )  # fmt: skip


COUNTED = {  # the problem, the batch (None: all rows), and how many words of each purpose a trajectory takes in 5 steps
    "separable": (lambda: ol.problems.quadratic(condition_number=3, dim=9, noise=1.0), 3, {"NOISE": 45}),
    "rotated": (lambda: ol.problems.quadratic(condition_number=3, dim=3, noise=1.0, rotation=1), 3, {"NOISE": 15}),
    "expression": (lambda: ol.problems.symbolic("x**2 + w**2", noise=1.0), 1, {"NOISE": 10}),
    "fresh": (lambda: ol.problems.line_fit(label_noise=1), 5, {"DATA": 100}),
    "full": (lambda: table("replacement", 7, 5, 1.0), None, {"NOISE": 25}),
    "replacement": (lambda: table("replacement", 7, 5, 1.0), 9, {"NOISE": 25, "BATCH": 45}),
    "subset": (lambda: table("subset", 7, 5, 1.0), 5, {"NOISE": 25, "BATCH": 25}),
    "reshuffle": (lambda: table("reshuffle", 7, 5, 1.0), 3, {"NOISE": 25, "PERMUTATION": 14}),
}


def counters(make, batch):
    """Every counter that the kernel's own source uses on four trajectories, in order."""
    seen = []

    def spy(c0, c1, c2, c3, k0, k1):
        seen.append((int(c0), int(c1), int(c2), int(c3)))
        return twin.philox(seen[-1], (int(k0), int(k1)))

    cell = interpreted_cell(spy, ol.rules.get("sgd"), make(), batch=batch)
    cell.run(0, 0)
    return seen


@pytest.mark.parametrize("shape", COUNTED)
def test_no_counter_is_used_twice(shape):
    """The kernel's real source is run by the interpreter with a generator that notes every counter it is asked for."""
    make, batch, words = COUNTED[shape]
    trajectories = 4
    seen = counters(make, batch)
    twice = [counter for counter, times in Counter(seen).items() if times > 1]
    assert not twice
    found = Counter(Purpose(c[3]).name for c in seen)
    assert found == {purpose: trajectories * math.ceil(count / 4) for purpose, count in words.items()}
    assert {c[0] for c in seen} == set(range(trajectories))
    assert {c[2] for c in seen} == {0}


def test_the_counter_test_can_fail(monkeypatch):
    """With two purposes made one, the same check finds counters used twice."""
    monkeypatch.setattr("optlab.ensemble.kernel.Purpose", [_Renamed(p) for p in Purpose])
    make, batch, _ = COUNTED["replacement"]
    assert max(Counter(counters(make, batch)).values()) == 2


def test_blocks_beyond_32_bits_go_on_in_the_next_word():
    """Position n of a stream is word n % 4 of block n // 4, whose 64 bits are two words of the counter."""
    cell = interpreted_cell(None, ol.rules.get("sgd"), ol.problems.line_fit())
    seen = []
    space = interpret(ol.rules.get("sgd"), ol.problems.line_fit(), lambda *c: seen.append(c) or (1, 2, 3, 4))
    space["add_sample"](np.zeros(2), np.zeros(2), 0, 1, 7, 2**32 + 5, 0, 0)
    assert seen == [(7, 5, 1, int(Purpose.DATA), 0, 0)]
    assert cell.lanes == 2


class _Renamed(int):
    """A purpose that gives BATCH the number of NOISE."""

    def __new__(cls, purpose):
        made = super().__new__(cls, 1 if purpose is Purpose.BATCH else int(purpose))
        made.name = purpose.name
        return made


# --- the normals ---


@pytest.fixture(scope="module")
def normals():
    """400,000 N(0, 1) numbers of the kernel, as (trajectory, coordinate)."""
    problem = ol.problems.quadratic(spectrum=[0.02, 0.1, 0.3, 0.5, 0.7, 1.0, 1.0, 1.0], theta0="normal")
    run = ol.simulate("sgd", problem, schedule=0.1, steps=0, record=[0], trajectories=50_000, keep=50_000, rng=11, common=True)
    return run.theta.values[:, 0, :]


def test_the_normals_are_the_twins(normals):
    for trajectory in (0, 1, 255, 256, 49_999):
        expected = twin.normals(trajectory, 0, twin.INITIALIZATION, 8, twin.common_key(11))
        assert np.allclose(normals[trajectory], expected, rtol=1e-12, atol=1e-15)


def test_the_normals_have_the_moments_of_the_normal_law(normals):
    """E x^k for k = 1..4 and all correlations of coordinates: 32 + 28 numbers, each z normal to within 1/sqrt(50,000).

    |z| <= 7.2 has probability 6e-13 by the normal law, so all 60 together fail falsely below 4e-11.
    """
    n = len(normals)
    for power, moment, twice in ((1, 0, 1), (2, 1, 3), (3, 0, 15), (4, 3, 105)):
        score = (np.mean(normals**power, 0) - moment) / math.sqrt((twice - moment**2) / n)
        assert np.abs(score).max() <= 7.2, power
    products = (normals.T @ normals) / math.sqrt(n)
    assert np.abs(products[np.triu_indices(8, 1)]).max() <= 7.2


def test_the_normals_pass_kolmogorov_and_smirnov(normals):
    """Each of the 8 coordinates: the p-value lies below 1e-10 with probability 1e-10 (Bonferroni over 8: 8e-10)."""
    for column in normals.T:
        assert scipy.stats.kstest(column, "norm").pvalue > 1e-10


def test_the_kolmogorov_test_would_notice_a_slip(normals):
    assert scipy.stats.kstest(normals[:, 0] * 1.1, "norm").pvalue < 1e-10
