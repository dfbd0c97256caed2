"""Many trajectories at once on the CPU, reduced to statistics as they run."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import numpy as np
import xarray as xr

from optlab.codegen.rules import constants_of
from optlab.ensemble import statistics
from optlab.ensemble.bind import initial_states, learning_rates, problem_data, step_table
from optlab.ensemble.kernel import kernel
from optlab.ensemble.philox import read_seed, stream_key
from optlab.ensemble.specs import Request, describe
from optlab.errors import MissingDependencyError
from optlab.expressions import Rule, Schedule
from optlab.objectives import Problem, Rows, whole

CHUNK = 256  #: trajectories reduced together; part of what fixes the order of summation
WAVE = 256  #: chunks between two merges, two reports of progress and two looks for an interrupt
MODES = {None: 0, "replacement": 1, "subset": 2, "reshuffle": 3}


def simulate(
    rule: Rule | str,
    problem: Problem | str,
    *,
    schedule: Schedule | float | str,
    steps: int,
    batch: int | None = 1,
    trajectories: int = 1000,
    rng: Any = 0,
    backend: str = "cpu",
    dtype: str = "float64",
    record: str | int | Sequence[int] = "linear",
    quantiles: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95),
    keep: int = 0,
    outcomes: bool = False,
    coordinates: bool | None = None,
    common: bool = False,
    limit: float = 1e15,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Run ``trajectories`` independent runs of the rule on the problem and return the statistics of their loss by step.

    Parameters
    ----------
    schedule
        A :class:`Schedule`, its name, or a number (the constant learning rate).
    batch
        Samples per gradient: additive noise has variance ``noise^2 / batch``; tables draw ``batch`` rows. ``None``
        means the whole table.
    record
        The steps whose loss is recorded: ``"linear"`` or ``"log"`` (about 100 steps from 0 to ``steps``), a number of
        linear steps, or the steps themselves.
    keep
        Whole trajectories kept (the first ``keep``), with their coordinates.
    outcomes
        Also return, per trajectory, the step at which it diverged (-1: it did not) and its final loss. This is the
        one option whose memory grows with the number of trajectories.
    coordinates
        Record mean and variance of each coordinate (default: when there are at most 16).
    common
        Key the random stream by the seed alone, so that runs which differ in rule or schedule share their noise.
    limit
        A run has diverged at the first step that leaves a coordinate beyond ``limit`` times the largest start (or 1),
        or not finite. It runs on, and the means include it.
    threads
        Worker threads (default: all cores). Results do not depend on it, bit for bit.

    Returns
    -------
    xarray.Dataset
        Over ``step``: loss_mean, loss_variance, loss_standard_error, loss_quantile (quantile, step), loss_min,
        loss_max, diverged (runs diverged so far); theta_mean, theta_variance (step, coordinate) where recorded.

    Raises
    ------
    InputError
        A value out of range, named.

    >>> import optlab as ol
    >>> run = ol.simulate("sgd", ol.problems.quadratic(spectrum=[1.0], noise=1.0), schedule=0.1, steps=10, trajectories=64)
    >>> run.loss_mean.dims, float(run.loss_mean[0])
    (('step',), 0.5)
    """
    request = Request.read(
        rule, problem, schedule=schedule, steps=steps, batch=batch, trajectories=trajectories, seed=read_seed(rng), backend=backend,
        dtype=dtype, record=record, quantiles=quantiles, keep=keep, outcomes=outcomes, coordinates=coordinates, common=common, limit=limit,
    )  # fmt: skip
    if backend == "cuda":
        raise MissingDependencyError("backend 'cuda' is not part of this version; use backend='cpu'")
    workers = os.cpu_count() or 1 if threads is None else whole(threads, "threads")
    return _Run(request).execute(workers, progress)


class _Run:
    def __init__(self, request: Request) -> None:
        self.request = r = request
        self.real = np.dtype(r.dtype)
        self.rates = learning_rates(r.schedule, r.steps)
        data = problem_data(r.problem).cast(self.real)
        mode = MODES[None if r.batch is None else r.problem.sampling] if isinstance(r.problem, Rows) else 0
        scale = max(1.0, *(abs(value) for value in r.problem.start.point), r.problem.start.scatter)
        self.kept_theta = np.zeros((r.keep, len(r.records), r.problem.dim))
        self.kept_loss = np.zeros((r.keep, len(r.records)))
        many = r.trajectories if r.outcomes else 0
        self.diverged_at, self.final_loss = np.full(many, -1, np.int64), np.zeros(many)
        with np.errstate(over="ignore"):
            self.arguments = (
                r.steps, r.records, np.array(constants_of(r.rule), self.real), step_table(r.rule, self.rates).astype(self.real),
                initial_states(r.rule).astype(self.real), np.array(r.problem.start.point, self.real),
                self.real.type(r.problem.start.scatter), self.real.type(r.problem.noise / np.sqrt(r.batch or 1)),
                self.real.type(min(r.limit * scale, np.finfo(self.real).max)), data.curvature, data.matrix, data.targets,
                r.batch or 1, mode, *stream_key(r.seed, None if r.common else r.canonical()),
            )  # fmt: skip
        self.kernel = kernel(r.rule.unbound(), r.problem, r.dtype).run_chunk

    def execute(self, workers: int, progress: Callable[[int, int], None] | None) -> xr.Dataset:
        r = self.request
        records, tracked = len(r.records), r.problem.dim if r.coordinates else 0
        totals = statistics.Totals.empty(records, tracked)
        chunks = [(first, min(CHUNK, r.trajectories - first)) for first in range(0, r.trajectories, CHUNK)]
        spare: SimpleQueue[np.ndarray] = SimpleQueue()
        for _ in range(min(workers, len(chunks))):
            spare.put(np.zeros((records, statistics.BINS), np.int32))

        def work(chunk: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            moments = statistics.empty_moments(records)
            coordinates, diverged = np.zeros((records, tracked, 3)), np.zeros(records, np.int64)
            histogram = spare.get()
            try:
                first, count = chunk
                steps, recorded, constants, table, *rest = self.arguments
                self.kernel(
                    first, count, steps, recorded, self.rates, constants, table, *rest, moments, coordinates, histogram,
                    self.kept_theta, self.kept_loss, self.diverged_at, self.final_loss, diverged,
                )  # fmt: skip
            finally:
                spare.put(histogram)
            return moments, coordinates, diverged

        with ThreadPoolExecutor(min(workers, len(chunks))) as pool:
            done = 0
            for begin in range(0, len(chunks), WAVE):
                wave = chunks[begin : begin + WAVE]
                try:
                    for (moments, coordinates, diverged), (_, count) in zip(pool.map(work, wave), wave, strict=True):
                        statistics.merge(totals.moments, moments)
                        statistics.merge(totals.coordinates, coordinates)
                        totals.diverged += diverged
                        done += count
                        if progress:
                            progress(done, r.trajectories)
                except BaseException:
                    pool.shutdown(wait=True, cancel_futures=True)
                    raise
                for _ in range(spare.qsize()):  # integer counts: any order gives the same sum
                    histogram = spare.get()
                    totals.histogram += histogram
                    histogram[:] = 0
                    spare.put(histogram)
        return self._dataset(totals)

    def _dataset(self, totals: statistics.Totals) -> xr.Dataset:
        r = self.request
        mean, m2 = totals.moments[:, statistics.MEAN].copy(), totals.moments[:, statistics.M2]
        variance = m2 / max(r.trajectories - 1, 1)
        broken = totals.moments[:, statistics.NONFINITE] > 0
        mean[broken], variance[broken] = np.inf, np.inf
        data: dict[str, Any] = {
            "loss_mean": ("step", mean, {"long_name": "mean loss over runs"}),
            "loss_variance": ("step", variance, {"long_name": "variance of the loss over runs (divisor n - 1)"}),
            "loss_standard_error": ("step", np.sqrt(variance / r.trajectories), {"long_name": "standard error of the mean loss"}),
            "loss_quantile": (
                ("quantile", "step"),
                statistics.quantiles(totals, r.quantiles),
                {"long_name": "quantiles of the loss over runs"},
            ),
            "loss_min": ("step", totals.moments[:, statistics.LOW]),
            "loss_max": ("step", totals.moments[:, statistics.HIGH]),
            "diverged": ("step", totals.diverged.astype(np.float64), {"long_name": "runs diverged by this step"}),
            "learning_rate": ("step", np.append(self.rates, np.nan)[r.records], {"long_name": "alpha of the step that starts here"}),
        }
        names = [str(c) for c in getattr(r.problem, "coordinates", range(r.problem.dim))]
        coords: dict[str, Any] = {"step": r.records, "quantile": np.array(r.quantiles)}
        if r.coordinates:
            coords["coordinate"] = names
            data["theta_mean"] = (("step", "coordinate"), totals.coordinates[..., statistics.MEAN])
            data["theta_variance"] = (("step", "coordinate"), totals.coordinates[..., statistics.M2] / max(r.trajectories - 1, 1))
        if r.keep:
            coords["coordinate"] = names
            data["theta"] = (("trajectory", "step", "coordinate"), self.kept_theta)
            data["loss"] = (("trajectory", "step"), self.kept_loss)
        if r.outcomes:
            data["diverged_at"] = (
                "run",
                self.diverged_at.astype(np.float64),
                {"long_name": "step at which the run diverged, -1: it did not"},
            )
            data["final_loss"] = ("run", self.final_loss)
        return xr.Dataset(data, coords, describe(r))
