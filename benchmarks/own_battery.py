"""Statistical tests of words and of normals with NumPy and SciPy, for machines that have no battery.

Each test gives a p-value that is uniform on [0, 1] for perfect random numbers (of a count: the smaller tail, from its own end), so
a value near 0 and one near 1 both speak against them. Sources: Knuth, The Art of Computer Programming 2, 3.3.2 (frequency,
serial, correlation); Marsaglia, A current view of random number generators (1985; birthday spacings, ranks of matrices);
L'Ecuyer and Simard, On the performance of birthday spacings tests (2001; the Poisson rate m^3 / 4n); Anderson and Darling,
Asymptotic theory of certain goodness of fit criteria (1952; the limit law of their statistic).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numba import njit, uint32
from scipy import integrate, special, stats

from benchmarks.word_orders import BAD, ORDERS, fill_normals, fill_normals_53
from optlab.ensemble.philox import stream_key

WORDS, TAIL_NORMALS = 1 << 24, 1 << 28  # at share 1
RUNS, COORDINATES = 64, 8  # trajectories (or keys) and coordinates of the normals
LAGS = (1, 2, 3, 4, 5, 8, 16, 64, 256, 1024)
DAYS, BIRTHDAYS, YEARS = 2.0**32, 1 << 12, 512
FILLS = {"normals": fill_normals, "normals53": fill_normals_53}

Found = list[tuple[str, float]]


# --- p-values ---


def of_chi_square(counts: np.ndarray, expected: np.ndarray | float) -> float:
    """Pearson's statistic of all cells, whose expected counts sum to the observed."""
    return float(stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), counts.size - 1))


def of_scores(scores: np.ndarray) -> float:
    """The sum of squares of uncorrelated N(0, 1) scores."""
    return float(stats.chi2.sf((scores**2).sum(), scores.size))


def of_count(count: int, law: stats.distributions.rv_frozen) -> float:
    """A count under a discrete law: its upper tail, or one minus its lower tail, whichever is nearer to its end."""
    upper, lower = float(law.sf(count - 1)), float(law.cdf(count))
    return upper if upper < lower else 1 - lower


def anderson_darling(log_cdf: np.ndarray, log_sf: np.ndarray) -> float:
    """Anderson and Darling's test of sorted numbers by the logarithms of their law and of its complement."""
    n = log_cdf.size
    odd = 2 * np.arange(1, n + 1) - 1
    return 1 - anderson_darling_cdf(-n - float(odd @ (log_cdf + log_sf[::-1])) / n)


def anderson_darling_cdf(z: float) -> float:
    """The limit law of Anderson and Darling's statistic, by their series for the weight 1/(u (1 - u)).

    >>> [round(anderson_darling_cdf(z), 4) for z in (2.4924, 3.8782)]
    [0.95, 0.99]
    """
    if z > 50:  # the complement is below 1e-21, and the alternating series below loses it
        return 1.0
    total = 0.0
    for j in range(1000):
        a = (4 * j + 1) ** 2 * math.pi**2 / (8 * z)
        if a > 745:
            break
        part, _ = integrate.quad(lambda w, a=a: math.exp(z / (8 * (w * w + 1)) - a * (w * w + 1)), 0, np.inf, epsabs=1e-15, epsrel=1e-12)
        total += float(special.binom(-0.5, j)) * (4 * j + 1) * part
    return min(max(math.sqrt(2 * math.pi) / z * total, 0.0), 1.0)


# --- tests of words ---


def _columns(words: np.ndarray) -> list[np.ndarray]:
    """Of each of the 32 bits, its values in all words, 64 to a uint64."""
    return [np.packbits((words >> np.uint32(j)).astype(np.uint8) & 1).view(np.uint64) for j in range(32)]


def bits(words: np.ndarray) -> Iterator[tuple[str, float]]:
    """Each bit is as often 0 as 1, no two bits of a word and no two of neighbors go together."""
    n = (words.size - 1) // 64 * 64
    these, following = _columns(words[:n]), _columns(words[1 : n + 1])

    def score(column: np.ndarray) -> float:
        return (2 * int(np.bitwise_count(column).sum(dtype=np.int64)) - n) / math.sqrt(n)

    yield "bits", of_scores(np.array([score(column) for column in these]))
    yield "bit pairs of a word", of_scores(np.array([score(these[i] ^ these[j]) for i in range(32) for j in range(i)]))
    yield "bits of neighbors", of_scores(np.array([score(a ^ b) for a in these for b in following]))


def serial(words: np.ndarray) -> Iterator[tuple[str, float]]:
    """Groups of neighbors by their highest or lowest bits: all cells equally often."""
    for width, size in ((16, 1), (8, 2), (5, 3), (4, 4)):
        groups = words[: words.size // size * size].reshape(-1, size)
        for end, digits in (("high", groups >> np.uint32(32 - width)), ("low", groups & np.uint32(2**width - 1))):
            cells = np.zeros(len(groups), np.int64)
            for j in range(size):
                cells = (cells << width) | digits[:, j]
            counts = np.bincount(cells, minlength=1 << (width * size))
            yield f"{width} {end} bits of {size}", of_chi_square(counts, len(groups) / counts.size)


def correlation(words: np.ndarray) -> Iterator[tuple[str, float]]:
    """Words as numbers in (0, 1) at some lags: 12 (u - 1/2)(u' - 1/2) has mean 0 and variance 1."""
    u = (words + 0.5) / 2.0**32 - 0.5
    scores = [12 * float(u[:-k] @ u[k:]) / math.sqrt(u.size - k) for k in LAGS]
    yield "correlation at lags", of_scores(np.array(scores))
    yield "Kolmogorov-Smirnov", float(stats.kstest(u + 0.5, "uniform").pvalue)
    u = np.sort(u + 0.5)
    yield "Anderson-Darling", anderson_darling(np.log(u), np.log1p(-u))


def birthdays(words: np.ndarray) -> Iterator[tuple[str, float]]:
    """Equal spacings between 2^12 birthdays in a year of 2^32 days, summed over years: Poisson with 4 a year."""
    years = min(words.size // BIRTHDAYS, YEARS)
    spacings = np.diff(np.sort(words[: years * BIRTHDAYS].reshape(years, BIRTHDAYS).astype(np.int64), axis=1), axis=1)
    spacings.sort(axis=1)
    equal = int((np.diff(spacings, axis=1) == 0).sum())
    yield "birthday spacings", of_count(equal, stats.poisson(years * BIRTHDAYS**3 / (4 * DAYS)))


@njit
def _ranks(words):  # type: ignore[no-untyped-def]
    """How many 32 x 32 matrices over GF(2), one row a word, have rank 32, 31, and less."""
    out = np.zeros(3, np.int64)
    for m in range(words.size // 32):
        rows, rank = words[32 * m : 32 * m + 32].copy(), 0
        for bit in range(32):
            mask, pivot = uint32(1) << uint32(bit), rank
            while pivot < 32 and not rows[pivot] & mask:
                pivot += 1
            if pivot == 32:
                continue
            rows[pivot], rows[rank] = rows[rank], rows[pivot]
            for i in range(rank + 1, 32):
                if rows[i] & mask:
                    rows[i] ^= rows[rank]
            rank += 1
        out[min(32 - rank, 2)] += 1
    return out


def matrices(words: np.ndarray) -> Iterator[tuple[str, float]]:
    """Ranks of matrices of 32 words: P(rank 32 - s) = 2^(-s^2) prod_{i>s} (1 - 2^-i)^2 / prod_{i<=32-s} (1 - 2^-i)."""
    counts = _ranks(words)
    some = [
        2.0 ** -(s * s) * math.prod(1 - 2.0**-i for i in range(s + 1, 33)) ** 2 / math.prod(1 - 2.0**-i for i in range(1, 33 - s))
        for s in (0, 1)
    ]
    law = np.array([*some, 1 - sum(some)])
    yield "ranks of matrices", of_chi_square(counts, law * counts.sum())


def weights(words: np.ndarray) -> Iterator[tuple[str, float]]:
    """How many ones neighbors have: pairs of classes of the binomial law."""
    law = stats.binom.pmf(np.arange(33), 32, 0.5)
    edges = np.array([12, 14, 15, 16, 17, 18, 20])  # classes of weights up to 11, 12-13, 14, ..., 20 and more
    share = np.add.reduceat(law, np.r_[0, edges])
    kinds = np.searchsorted(edges, np.bitwise_count(words), side="right")
    pairs = kinds[: kinds.size // 2 * 2].reshape(-1, 2)
    counts = np.bincount(pairs[:, 0] * share.size + pairs[:, 1], minlength=share.size**2)
    yield "Hamming weights of 2", of_chi_square(counts, np.outer(share, share).ravel() * len(pairs))


def word_tests(words: np.ndarray) -> Found:
    """Every test of an array of uint32 words."""
    tests: tuple[Callable[[np.ndarray], Iterator[tuple[str, float]]], ...] = (bits, serial, correlation, birthdays, matrices, weights)
    return [found for test in tests for found in test(words)]


# --- tests of normals ---


def moments(x: np.ndarray) -> Iterator[tuple[str, float]]:
    """The mean of x^k for k = 1..8, its exact variance (E x^2k - (E x^k)^2) / n, and the first correction for its skewness."""

    def of(k: int) -> int:
        return 0 if k % 2 else math.prod(range(1, k, 2))

    power = np.ones_like(x)
    for k in range(1, 9):
        power *= x
        mean, variance = of(k), of(2 * k) - of(k) ** 2
        skewness = (of(3 * k) - 3 * mean * of(2 * k) + 2 * mean**3) / variance**1.5 / math.sqrt(x.size)
        score = (float(np.mean(power)) - mean) / math.sqrt(variance / x.size)
        yield f"E x^{k}", float(stats.norm.sf(score - skewness / 6 * (score**2 - 1)))


def shape(x: np.ndarray) -> Iterator[tuple[str, float]]:
    """One-dimensional fits to the normal law, and the two normals of each pair of words together."""
    x = x.ravel()
    u = special.ndtr(x)
    yield "normal Kolmogorov-Smirnov", float(stats.kstest(u, "uniform").pvalue)
    ordered = np.sort(x)
    yield "normal Anderson-Darling", anderson_darling(special.log_ndtr(ordered), special.log_ndtr(-ordered))
    counts = np.bincount((u * 4096).astype(np.int64), minlength=4096)
    yield "normal bins", of_chi_square(counts, x.size / 4096)
    cells = (u * 64).astype(np.int64)
    counts = np.bincount(cells[::2] * 64 + cells[1::2], minlength=4096)
    yield "normal pairs", of_chi_square(counts, x.size / 2 / 4096)
    yield "normal radii", float(stats.kstest(np.exp(-(x[::2] ** 2 + x[1::2] ** 2) / 2), "uniform").pvalue)


def pairwise(x: np.ndarray, what: str) -> Iterator[tuple[str, float]]:
    """Rows of x two by two: products of the numbers and of their squares (x^2 - 1)/sqrt 2."""
    upper = np.triu_indices(len(x), 1)
    yield f"{what}, products", of_scores((x @ x.T)[upper] / math.sqrt(x.shape[1]))
    y = (x**2 - 1) / math.sqrt(2)
    yield f"{what}, squares", of_scores((y @ y.T)[upper] / math.sqrt(x.shape[1]))


def steps(x: np.ndarray) -> Iterator[tuple[str, float]]:
    """Coordinates of one trajectory some steps apart; x is (trajectory, step, coordinate)."""
    lags = [k for k in LAGS if k < x.shape[1] // 2]
    for name, y in (("products", x), ("squares", (x**2 - 1) / math.sqrt(2))):
        scores = [float(np.sum(y[:, :-k] * y[:, k:])) / math.sqrt(y[:, k:].size) for k in lags]
        yield f"steps, {name}", of_scores(np.array(scores))


def normal_tests(x: np.ndarray) -> Found:
    """Every test of N(0, 1) numbers (trajectory, step, coordinate), pairs of words side by side."""
    found = [*moments(x), *shape(x), *steps(x)]
    found += pairwise(np.moveaxis(x, 2, 0).reshape(x.shape[2], -1), "coordinates")
    return found + list(pairwise(x.reshape(len(x), -1), "trajectories"))


@njit
def _count_tails(x, counts):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        for t in range(4, 7):
            if abs(x[i]) > t:
                counts[t - 4] += 1


def tails(fill: Callable[..., None], key: tuple[np.uint32, np.uint32], n: int) -> Found:
    """How many of n normals lie beyond 4, 5 and 6: binomial."""
    x, counts = np.empty(1 << 20), np.zeros(3, np.int64)
    for trajectory in range(n // x.size):
        fill(x, RUNS + trajectory, 0, *key)
        _count_tails(x, counts)
    total = n // x.size * x.size
    return [(f"|z| > {t}", of_count(int(c), stats.binom(total, 2 * stats.norm.sf(t)))) for t, c in zip((4, 5, 6), counts, strict=True)]


# --- all of them ---


def take(order: str, seed: int, n: int) -> np.ndarray:
    """The first n words of an order."""
    parts, have = [], 0
    for words in (ORDERS | BAD)[order][1](seed):
        parts.append(words.copy())
        have += words.size
        if have >= n:
            break
    return np.concatenate(parts)[:n]


def run(order: str, seed: int, share: float = 1.0) -> tuple[Found, int]:
    """The tests of words and, on orders of normals, those of normals: named p-values, and how many words or normals were looked at."""
    n = int(WORDS * share)
    found = word_tests(take(order, seed, n))
    if order not in FILLS:
        return found, n
    fill, key = FILLS[order], stream_key(seed, None)
    x = np.empty((RUNS, n // RUNS // COORDINATES, COORDINATES))
    for i in range(RUNS):
        fill(x[i].reshape(-1), i, 0, *key)
    found += normal_tests(x)
    for i in range(RUNS):  # now one trajectory under as many keys
        fill(x[i].reshape(-1), 0, 0, *stream_key(seed + i, None))
    found += pairwise(x.reshape(RUNS, -1), "keys")
    far = int(TAIL_NORMALS * share)
    return found + tails(fill, key, far), 3 * n + far
