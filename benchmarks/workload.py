"""The workload of ``benchmarks/ensemble.py``: one rule on f = 1/2 sum_i lam_i theta_i^2, theta_0 = 1, unit gradient noise.

A contestant is a function ``prepare(case) -> (trajectories, run)``: ``run(steps)`` simulates the trajectories from the start and
returns mean and variance of the loss over them at every ``case.every``-th step, step 0 included. Each contestant takes the number of
trajectories that suits it; steps come in multiples of ``SEGMENT``.
"""

from dataclasses import dataclass

import numpy as np

RULES = ("sgd", "momentum", "rmsprop", "adam", "adamw")
DIMS = (1, 10, 100, 1000)
DTYPES = ("float64", "float32")
RATE, SEGMENT = 0.01, 100
BETA, BETA1, BETA2, EPS, DECAY = 0.9, 0.9, 0.999, 1e-8, 0.01  #: the defaults of optlab's rules
ROWS, BATCH = 1000, 16  #: of the mini-batch workload


@dataclass(frozen=True)
class Case:
    """One configuration; ``table`` says that gradients come from mini-batches of rows instead."""

    dim: int
    rule: str
    dtype: str
    every: int = 10
    table: bool = False

    @property
    def curvature(self):
        return np.logspace(-2, 0, self.dim) if self.dim > 1 else np.ones(1)

    @property
    def name(self):
        what = "rows" if self.table else "quadratic"
        return f"{what} d={self.dim} {self.rule} {self.dtype}" + ("" if self.every == 10 else f" every={self.every}")


def trajectories(case, elements, multiple=1):
    """About ``elements`` coordinates in all, in a multiple of ``multiple`` trajectories."""
    return max(multiple, elements // case.dim // multiple * multiple)


def table(dim):
    """Rows and targets of the least-squares workload: standard normal features, unit noise on the targets."""
    generator = np.random.default_rng(1)
    rows = generator.standard_normal((ROWS, dim))
    return rows, rows @ np.ones(dim) + generator.standard_normal(ROWS)
