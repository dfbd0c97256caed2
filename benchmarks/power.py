"""The power of the statistical checks: the smallest defect that each detects at its default size. Writes benchmarks/results/power.md.

A defect counts as detected where at least 19 of 20 runs with other seeds raise, the sizes being halved until that fails. The false-alarm
probability of a whole check is at most 1e-9; how often what is correct raises is measured by ``python -m tests.verify.mutations``.
"""

import inspect
from pathlib import Path

import numpy as np

from optlab.verify import check_gradient_estimator

OUT = Path(__file__).parent / "results" / "power.md"
DRAWS = inspect.signature(check_gradient_estimator).parameters["draws"].default
RUNS, WANTED, BATCH, N = 20, 19, 10, 1000
DATA = np.random.default_rng(7).normal(size=(N, 2))
FULL = DATA.mean(0)
ONE = np.sqrt(((DATA - FULL) ** 2).mean(0) / BATCH)  # one draw's standard deviation


def replacement(rng, batch=BATCH, data=DATA):
    return data[rng.integers(0, len(data), batch)].mean(0)


def shifted(size, known):
    given = {"sample_gradients": DATA, "batch": BATCH, "sampling": "replacement"} if known else {}
    return (lambda rng: replacement(rng) + size * ONE), FULL, given


def heavy(size):
    return (lambda rng: FULL + rng.standard_t(1.5, 2) + size * 0.816), FULL, {}  # 0.816 is the median of |t| at 1.5 degrees of freedom


def louder(size):
    known = {"sample_gradients": DATA, "batch": BATCH, "sampling": "replacement"}
    return (lambda rng: FULL + (replacement(rng) - FULL) * np.sqrt(1 + size)), FULL, known


def subset(size):
    batch = max(round(size * N), 2)
    known = {"sample_gradients": DATA, "batch": batch, "sampling": "replacement"}
    return (lambda rng: DATA[rng.permutation(N)[:batch]].mean(0)), FULL, known


def follower(size):
    kept = [np.zeros(2)]

    def draw(rng):
        kept[0] = size * kept[0] + np.sqrt(1 - size**2) * (replacement(rng) - FULL)
        return FULL + kept[0]

    return draw, FULL, {"sample_gradients": DATA, "batch": BATCH, "sampling": "replacement"}


CASES = [
    ("unbiased, sample gradients known (Bernstein)", "unbiased", lambda s: shifted(s, True), "standard deviations of a draw"),
    ("unbiased, nothing known (z, corrected for skewness)", "unbiased", lambda s: shifted(s, False), "standard deviations of a draw"),
    ("centered, no variance (bounded transform, Student t of 1.5)", "unbiased", heavy, "medians of the noise's size"),
    ("variance", "variance", louder, "of the variance"),
    ("subset told from replacement", "variance", subset, "of the samples in a batch"),
    ("independence", "independence", follower, "correlation with the draw before"),
]


def caught(make, size, check):
    found = 0
    for seed in range(RUNS):
        draw, full, given = make(size)
        checks = check_gradient_estimator(draw, full, rng=1000 + seed, raises=False, **given)
        found += any(c.name == check and c.passed is False for c in checks)
        if found + RUNS - 1 - seed < WANTED:
            return False
    return True


def smallest(make, check):
    """By bisection on a logarithmic scale, to a twentieth."""
    high = 0.8
    low = high / 256
    while high / low > 1.06:
        middle = float(np.sqrt(low * high))
        if caught(make, middle, check):
            high = middle
        else:
            low = middle
    return high


def main():
    rows = []
    for words, check, make, unit in CASES:
        size = smallest(make, check)
        rows.append(f"| {words} | {DRAWS} draws | {size:.2g} {unit} |")
        print(rows[-1], flush=True)
    text = f"""# Power

The smallest defect that each statistical check of `check_gradient_estimator` detects in at least {WANTED} of {RUNS} runs at its default
sample size. The false-alarm probability of the whole check is at most 1e-9. Written by `python -m benchmarks.power`.

| check | sample size | smallest defect detected |
|---|---|---|
{chr(10).join(rows)}

A bias that is smaller is found with more draws: the size falls with their root. n = {N} samples with normal gradients, |B| = {BATCH}.
"""
    OUT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
