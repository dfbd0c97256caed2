"""Does each contestant of ``benchmarks/ensemble.py`` simulate the workload? Run before anything is timed.

Every statistical check allows 6.5 standard errors (false alarm 8e-11); the seeds are fixed.
"""

import numpy as np
from scipy import stats

import optlab as ol
from benchmarks import peers_cpp, peers_numpy
from benchmarks.workload import BATCH, RATE, Case, table

MASK = 0xFFFFFFFF


class CheckFailed(Exception):
    """A contestant does not compute the workload."""


def philox(counter, key):
    """Philox4x32-10 on Python's integers."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p, q = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (q >> 32) ^ c1 ^ k0, q & MASK, (p >> 32) ^ c3 ^ k1, p & MASK
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return c0, c1, c2, c3


def demand(holds, what):
    """Raise unless it holds."""
    if not holds:
        raise CheckFailed(what)


def words(library):
    """The vector Philox beside the plain one, and that beside the published answer for zeros."""
    demand(philox((0, 0, 0, 0), (0, 0)) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8), "the plain Philox is wrong")
    for first, block, key in ((0, 0, (1, 2)), (12345, 678, (0xDEADBEEF, 0xFFFFFFFF)), (2**31, 2**32 - 1, (0, MASK))):
        found = peers_cpp.words(library, first, block, key)
        for lane in range(found.shape[1]):
            demand(tuple(found[:, lane]) == philox((first + lane, block, 0, 1), key), f"C++: Philox words of trajectory {first + lane}")


def normals(library):
    """Moments to the eighth, Kolmogorov and Smirnov's distance, correlation of a block's numbers, tails."""
    for bits in (64, 32):
        found = peers_cpp.normals(library, bits, vectors=64, blocks=4096).astype(np.float64)  # (vector, block, 4, lane)
        flat = found.ravel()
        n = flat.size
        for power, moment, spread in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170), (8, 105, 2016000)):
            z = (np.mean(flat**power) - moment) / np.sqrt(spread / n)
            demand(abs(z) < 6.5, f"C++ float{bits}: moment {power} of the normals is {z:.1f} standard errors off")
        p = stats.kstest(flat, "norm").pvalue
        demand(p > 1e-10, f"C++ float{bits}: the normals' Kolmogorov-Smirnov p-value is {p:.1e}")
        for a in range(4):
            for b in range(a):
                for power in (1, 2):
                    z = np.corrcoef(found[:, :, a].ravel() ** power, found[:, :, b].ravel() ** power)[0, 1] * np.sqrt(n / 4)
                    demand(abs(z) < 6.5, f"C++ float{bits}: normals {b} and {a} of a block are correlated, z = {z:.1f}")


def exactly(case, steps):
    """Mean and variance of the loss of a linear rule, exact, at the recorded steps."""
    problem = ol.problems.quadratic(spectrum=list(case.curvature), noise=1.0)
    exact = ol.predict(case.rule, problem, schedule=RATE, steps=steps, record=list(range(0, steps + 1, case.every)))
    return exact.loss_mean.values, exact.loss_variance.values


def moments(name, prepare, case, steps=200, other=None):
    """Mean and variance of the loss at every recorded step beside the exact ones, or beside those of another contestant.

    Returns the largest z of a mean.
    """
    many, run = prepare(case)
    mean, variance = run(steps)
    if other is None:
        (expected, spread), error = exactly(case, steps), 0.0
    else:
        others, run = other(case)
        expected, spread = run(steps)
        error = spread[1:] / others
    where = f"{name}, {case.name}"
    demand(len(mean) == len(expected), f"{where}: {len(mean)} records for {len(expected)}")
    demand(abs(mean[0] / expected[0] - 1) < 1e-5, f"{where}: the loss at the start is {mean[0]:.9g}, not {expected[0]:.9g}")
    z = np.abs(mean[1:] - expected[1:]) / np.sqrt(spread[1:] / many + error)
    demand(z.max() < 6.5, f"{where}: a mean loss is {z.max():.1f} standard errors off")
    few = min(many, many if other is None else others)
    demand(np.all(np.abs(variance[1:] / spread[1:] - 1) < 8 * 4 / np.sqrt(few)), f"{where}: a variance of the loss is off")
    return float(z.max())


def divergence(library):
    """Without noise, alpha = 3 on lam = 1 doubles theta each step: beyond 100 at step 7 in every trajectory."""
    for dim in (1, 4, 10):
        for dtype in ("float64", "float32"):
            found = peers_cpp.ensemble(library, Case(dim, "sgd", dtype), 256, 20, rate=3.0, noise=0.0, limit=100.0)[2]
            demand(np.all(found == 7), f"C++ d={dim} {dtype}: trajectories diverged at steps {np.unique(found)}, not at step 7")


def rows(library):
    """SGD on mini-batches beside the exact mean; its start beside the loss of the table."""
    worst = 0.0
    for dim in (10, 100):
        data, targets = table(dim)
        problem = ol.problems.least_squares(data, targets)
        exact = ol.predict("sgd", problem, schedule=RATE, steps=50, batch=BATCH, record=[0, 50]).loss_mean.values
        for dtype in ("float64", "float32"):
            many, run = peers_cpp.prepare(library)(Case(dim, "sgd", dtype, table=True))
            mean, variance = run(50)
            z = abs(mean[1] - exact[1]) / np.sqrt(variance[1] / many)
            demand(z < 6.5 and abs(mean[0] / exact[0] - 1) < 1e-5, f"C++ rows d={dim} {dtype}: mean loss {mean}, not {exact} (z = {z:.1f})")
            worst = max(worst, z)
    return worst


def cpp(library):
    """Every check of the C++ reference; the largest z of its mean losses."""
    words(library)
    normals(library)
    divergence(library)
    prepare, worst = peers_cpp.prepare(library), rows(library)
    for dim in (1, 10, 100):
        for dtype in ("float64", "float32"):
            for rule in ("sgd", "momentum"):
                worst = max(worst, moments("C++", prepare, Case(dim, rule, dtype)))
            for rule in ("rmsprop", "adam", "adamw"):
                worst = max(worst, moments("C++", prepare, Case(dim, rule, dtype), other=peers_numpy.prepare))
    return worst
