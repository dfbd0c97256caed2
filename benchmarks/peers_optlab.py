"""The workload through optlab's public call."""

import numpy as np

import optlab as ol
from benchmarks.workload import BATCH, RATE, table, trajectories

ELEMENTS, ROW_ELEMENTS = 65536, 16384
PLAIN = {"threads": 1, "quantiles": (), "coordinates": False, "schedule": RATE}


def problem(case):
    """The problem of a case."""
    if case.table:
        return ol.problems.least_squares(*table(case.dim))
    return ol.problems.quadratic(spectrum=list(case.curvature), noise=1.0)


def prepare(case):
    """``(trajectories, run)`` of one case."""
    many, on = trajectories(case, ROW_ELEMENTS if case.table else ELEMENTS, 64), problem(case)

    def run(steps):
        record = [0, steps] if case.table else np.arange(0, steps + 1, case.every).tolist()
        batch = BATCH if case.table else 1
        found = ol.simulate(case.rule, on, steps=steps, batch=batch, trajectories=many, dtype=case.dtype, record=record, **PLAIN)
        return found.loss_mean.values, found.loss_variance.values

    return many, run
