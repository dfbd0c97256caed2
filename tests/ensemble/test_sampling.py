"""Mini-batch gradients are unbiased with the variance that theory states, and every row gets its turn."""

import itertools
import math
from array import array
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats

import optlab as ol
from optlab.objectives import Rows, Start
from optlab.symbols import z
from tests.ensemble.interpreted import interpret
from tests.oracles import sampling as twin
from tests.oracles.philox import common_key

MODES = {"full": 0, "replacement": 1, "subset": 2, "reshuffle": 3}

# --- exactly: all batches of a small table, in Fractions, through the kernel's own source ---

TABLE = [
    [Fraction(1), Fraction(2)],
    [Fraction(-3), Fraction(1, 2)],
    [Fraction(0), Fraction(5)],
    [Fraction(7, 4), Fraction(-1)],
    [Fraction(2), Fraction(2)],
]
TARGETS = [Fraction(3), Fraction(-1), Fraction(1, 4), Fraction(2), Fraction(10)]
POINT = [Fraction(1, 3), Fraction(-2, 7)]


def word_for(choice, among):
    """The least word that ``bounded`` sends to ``choice`` out of ``among``."""
    return -(-choice * 2**32 // among)


class Dealer:
    """Stands for the generator: deals the words that it is given, four a call."""

    def __init__(self):
        self.words = []

    def __call__(self, *counter):
        four, self.words = (self.words + [0] * 4)[:4], self.words[4:]
        return tuple(four)


class Small:
    """The kernel's mini-batch gradient on the first n rows, for any choice of rows."""

    def __init__(self, n, sampling, convention="half"):
        self.n, self.sampling, self.dealer = n, sampling, Dealer()
        problem = ol.problems.least_squares(
            [[1.0, 0.0]] * n, [0.0] * n, sampling=sampling if sampling != "full" else "subset", convention=convention
        )
        self.space = interpret(ol.rules.get("sgd"), problem, self.dealer, real=Fraction)
        self.matrix, self.targets = np.array(TABLE[:n], object).ravel(), np.array(TARGETS[:n], object)

    def gradients(self, batch, place=0):
        """The gradient of every equally likely sequence of draws."""
        count = self.n if self.sampling == "reshuffle" else batch
        limits = [self.n if self.sampling == "replacement" else self.n - k for k in range(count)]
        for draws in itertools.product(*map(range, limits)):
            self.dealer.words = [word_for(j, m) for j, m in zip(draws, limits, strict=True)]
            picks, order = np.arange(8) % self.n, np.arange(self.n)
            words, word, gradient = np.zeros(4, np.uint64), 0, np.empty(2, object)
            for step in range(place + 1):
                size, word = self.space["pick_rows"](
                    picks,
                    order,
                    words,
                    word,
                    0,
                    step,
                    batch,
                    self.n,
                    self.n if self.sampling == "full" else batch,
                    MODES[self.sampling],
                    0,
                    0,
                )
            fits, goals = np.empty(8, object), np.empty(8, object)
            self.space["gradient_of"](np.array(POINT, object), gradient, self.matrix, picks, fits, goals, self.targets, size)
            yield list(gradient)


def row_gradients(n, factor=1):
    out = []
    for row, target in zip(TABLE[:n], TARGETS[:n], strict=True):
        residual = sum(x * p for x, p in zip(row, POINT, strict=True)) - target
        out.append([factor * residual * x for x in row])
    return out


def mean(vectors):
    return [sum(column) / len(column) for column in zip(*vectors, strict=True)]


def trace_of_variance(vectors):
    """E |g - E g|^2, divisor n."""
    center = mean(vectors)
    return sum(sum((x - c) ** 2 for x, c in zip(v, center, strict=True)) for v in vectors) / len(vectors)


SIZES = [(n, batch) for n in (1, 2, 4) for batch in range(1, n + 1)]


@pytest.mark.parametrize(("n", "batch"), [*SIZES, (5, 1), (5, 2), (5, 3)])
def test_with_replacement_all_batches_are_unbiased_with_variance_sigma2_over_b(n, batch):
    every = list(Small(n, "replacement").gradients(batch))
    assert len(every) == n**batch
    assert mean(every) == mean(row_gradients(n))
    assert trace_of_variance(every) == trace_of_variance(row_gradients(n)) / batch


@pytest.mark.parametrize(("n", "batch"), [*SIZES, *((5, batch) for batch in range(1, 6))])
def test_subsets_are_unbiased_with_the_finite_population_variance(n, batch):
    every = list(Small(n, "subset").gradients(batch))
    assert len(every) == math.perm(n, batch)
    assert mean(every) == mean(row_gradients(n))
    factor = Fraction(n - batch, n - 1) if n > 1 else 0
    assert trace_of_variance(every) == trace_of_variance(row_gradients(n)) / batch * factor


@pytest.mark.parametrize(("n", "batch", "place"), [(4, 1, 3), (4, 2, 0), (4, 2, 1), (4, 3, 0), (4, 3, 1), (4, 4, 0), (5, 3, 1)])
def test_reshuffled_batches_are_unbiased_at_every_place_of_the_epoch(n, batch, place):
    every = list(Small(n, "reshuffle").gradients(batch, place))
    assert len(every) == math.factorial(n)
    assert mean(every) == mean(row_gradients(n))
    size = min(batch, n - place * batch)
    assert trace_of_variance(every) == trace_of_variance(row_gradients(n)) / size * Fraction(n - size, n - 1)


@pytest.mark.parametrize("convention", ["half", "full"])
def test_the_full_gradient_is_the_derivative_of_the_loss(convention):
    factor = {"half": 1, "full": 2}[convention]
    (gradient,) = Small(5, "full", convention).gradients(0)
    assert gradient == mean(row_gradients(5, factor))
    h = Fraction(1, 10**6)

    def loss(p):
        residuals = [sum(x * q for x, q in zip(row, p, strict=True)) - target for row, target in zip(TABLE, TARGETS, strict=True)]
        return factor * sum(r**2 for r in residuals) / 10

    for i in range(2):  # a quadratic's central difference is its derivative
        up, down = list(POINT), list(POINT)
        up[i], down[i] = up[i] + h, down[i] - h
        assert (loss(up) - loss(down)) / (2 * h) == gradient[i]


# --- by statistics: n = 10,000 rows through the compiled kernel ---

N = 10_000
GENERATOR = np.random.default_rng(12)
ROWS = np.column_stack([np.ones(N), GENERATOR.standard_normal(N)])
LABELS = ROWS @ [0.5, -1.0] + GENERATOR.exponential(1.0, N)
HERE = np.array([0.3, -0.2])


def one_step(sampling, batch, runs, seed=21):
    """-g of one mini-batch per run: one SGD step with alpha = 1 from 0 on targets that put the start there."""
    problem = ol.problems.least_squares(ROWS, LABELS - ROWS @ HERE, sampling=sampling)
    return ol.simulate("sgd", problem, schedule=1.0, steps=1, batch=batch, trajectories=runs, rng=seed, record=[1])


PER_ROW = (ROWS @ HERE - LABELS)[:, None] * ROWS
GRADIENT, SIGMA2, FOURTH = PER_ROW.mean(0), PER_ROW.var(0), ((PER_ROW - PER_ROW.mean(0)) ** 4).mean(0)


@pytest.mark.parametrize(("sampling", "batch", "runs"), [
    ("replacement", 1, 20_000), ("replacement", 7, 20_000), ("replacement", 100, 20_000),
    ("subset", 1, 20_000), ("subset", 10, 20_000), ("subset", 5000, 3000), ("subset", 9000, 3000),
])  # fmt: skip
def test_ten_thousand_rows_give_the_mean_and_variance_of_theory(sampling, batch, runs):
    """z-scores of the mean and of the variance of each coordinate of the gradient over all runs.

    The variance's standard error takes the exact fourth moment of a mean of ``batch`` draws, (m4 + 3 (B - 1) s^4) / B^3. Of a
    subset that is an upper bound (Hoeffding 1963: the expectation of a convex function of the mean is no larger without
    replacement), so z is if anything too small. |z| <= 7 in 28 scores: false alarm below 28 * 2.6e-12 = 7e-11 by the normal law;
    single rows have heavier tails, hence 20,000 runs. The seeds are fixed.
    """
    run = one_step(sampling, batch, runs).isel(step=0)
    variance = SIGMA2 / batch * ((N - batch) / (N - 1) if sampling == "subset" else 1)
    fourth = (FOURTH + 3 * (batch - 1) * SIGMA2**2) / batch**3
    z_mean = (run.theta_mean + GRADIENT) / np.sqrt(variance / runs)
    z_variance = (run.theta_variance - variance) / np.sqrt((fourth - variance**2 * (runs - 3) / (runs - 1)) / runs)
    assert np.abs(z_mean).max() <= 7
    assert np.abs(z_variance).max() <= 7


def test_these_statistics_would_notice_the_wrong_variance():
    """At B = 5000 the two formulas differ by a factor of two: 3,000 runs tell them apart beyond |z| = 7."""
    run = one_step("subset", 5000, 3000).isel(step=0)
    wrong = SIGMA2 / 5000
    assert (np.abs(run.theta_variance - wrong) / (wrong * math.sqrt(2 / 3000))).min() > 7


@pytest.mark.parametrize(("sampling", "batch"), [("subset", N), ("reshuffle", N), ("replacement", None)])
def test_a_batch_of_all_rows_is_the_full_gradient(sampling, batch):
    run = one_step(sampling, batch, 70).isel(step=0)
    assert np.allclose(run.theta_mean, -GRADIENT, rtol=1e-12)
    assert (run.theta_variance <= 1e-26).all()  # rounding in another order of summation only


# --- which rows: theta counts them ---


def counted(n, batch, sampling, steps, runs, seed=8):
    """How often each step of each run took each row: shape (runs, steps, n). One-hot rows and the loss -z, so theta counts."""
    problem = Rows(
        name="counted",
        dim=n,
        start=Start((0.0,) * n),
        loss=-z,
        rows=array("d", np.eye(n).ravel()),
        targets=array("d", [0.0] * n),
        sampling=sampling,
    )
    run = ol.simulate(
        "sgd", problem, schedule=1.0, steps=steps, batch=batch, trajectories=runs, keep=runs, rng=seed, common=True, record=range(steps + 1)
    )
    per_epoch = -(-n // batch)
    sizes = [min(batch, n - (k % per_epoch) * batch) if sampling == "reshuffle" else batch for k in range(steps)]
    counts = np.diff(run.theta.values, axis=1) * np.array(sizes)[:, None]
    whole = np.rint(counts)
    assert np.abs(counts - whole).max() < 1e-9
    assert np.array_equal(whole.sum(2), np.broadcast_to(sizes, whole.shape[:2]))
    return whole.astype(int)


CASES = [
    ("replacement", 7, 3),
    ("replacement", 7, 9),
    ("subset", 7, 3),
    ("subset", 13, 6),
    ("subset", 7, 7),
    ("reshuffle", 7, 3),
    ("reshuffle", 13, 5),
    ("reshuffle", 6, 2),
]


@pytest.mark.parametrize(("sampling", "n", "batch"), CASES)
def test_the_rows_are_the_twins(sampling, n, batch):
    counts = counted(n, batch, sampling, steps=8, runs=130)
    for trajectory in (0, 1, 63, 64, 129):
        expected = twin.batches(sampling, n, batch, 8, trajectory, common_key(8))
        for step, rows in enumerate(expected):
            assert counts[trajectory, step].tolist() == [rows.count(r) for r in range(n)]


@pytest.mark.parametrize(("n", "batch"), [(7, 1), (7, 3), (13, 6), (7, 7)])
def test_a_subset_repeats_no_row(n, batch):
    assert counted(n, batch, "subset", steps=10, runs=500).max() == 1


def test_replacement_does_repeat_rows():
    assert counted(7, 3, "replacement", steps=10, runs=500).max() == 3


@pytest.mark.parametrize(("n", "batch"), [(7, 3), (13, 5), (6, 2), (7, 1), (7, 7)])
def test_an_epoch_takes_every_row_exactly_once(n, batch):
    """Also where the last batch of the epoch is short."""
    per_epoch = -(-n // batch)
    counts = counted(n, batch, "reshuffle", steps=3 * per_epoch, runs=200)
    epochs = counts.reshape(200, 3, per_epoch, n).sum(2)
    assert (epochs == 1).all()
    if per_epoch > 1:
        assert (counts[:, :per_epoch] != counts[:, per_epoch : 2 * per_epoch]).any()


@pytest.mark.parametrize(("sampling", "n", "batch"), [("replacement", 7, 3), ("subset", 7, 3), ("subset", 13, 6), ("reshuffle", 7, 3)])
def test_every_row_is_taken_equally_often(sampling, n, batch):
    """Chi-square over rows at false alarm 1e-10 a test; the place within an epoch is tested on its own.

    Counts of rows in N independent subsets of size b have variance N p (1 - p), p = b/n, and sum to N b, so
    sum (c - N p)^2 / (N p (1 - p)) * (n - 1)/n is chi-square with n - 1 degrees of freedom; for single draws it is Pearson's.
    """
    steps, runs = 12, 4000
    counts = counted(n, batch, sampling, steps, runs)
    places = [range(k, steps, -(-n // batch)) for k in range(-(-n // batch))] if sampling == "reshuffle" else [range(steps)]
    for place in places:
        seen = counts[:, list(place)].sum((0, 1))
        sets = runs * len(place)
        b = counts[0, place[0]].sum()
        if sampling == "replacement":
            statistic = ((seen - sets * b / n) ** 2 / (sets * b / n)).sum()
        else:
            p = b / n
            statistic = ((seen - sets * p) ** 2).sum() / (sets * p * (1 - p)) * (n - 1) / n
        assert scipy.stats.chi2.sf(statistic, n - 1) > 1e-10


def test_pairs_of_rows_are_taken_equally_often():
    """All 21 pairs of 7 rows lie together in a subset of 3 with probability 1/7; |z| <= 7 each: 21 * 2.6e-12 = 5.4e-11."""
    counts = counted(7, 3, "subset", steps=12, runs=4000).reshape(-1, 7)
    together = (counts.T @ counts)[np.triu_indices(7, 1)]
    sets, p = len(counts), 1 / 7
    assert np.abs((together - sets * p) / math.sqrt(sets * p * (1 - p))).max() <= 7


def test_batches_of_different_steps_and_runs_are_independent():
    """Whether row 0 is taken, at two steps of a run and in two runs of a step: correlations within 7/sqrt(N) (5.2e-12 for both)."""
    taken = counted(7, 3, "subset", steps=12, runs=4000)[:, :, 0] - 3 / 7
    scale = 3 / 7 * 4 / 7
    steps = (taken[:, :-1] * taken[:, 1:]).mean() / scale
    runs = (taken[:-1] * taken[1:]).mean() / scale
    assert abs(steps) <= 7 / math.sqrt(taken[:, 1:].size)
    assert abs(runs) <= 7 / math.sqrt(taken[1:].size)
