"""One cell of a launch: a request bound to its kernel, run chunk by chunk and reduced as it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import numpy as np

from optlab.ensemble.bind import kernel_data, scattered_starts
from optlab.ensemble.layout import BLOCK, CHUNK_BYTES, noise_kind, padded, shape_of, values_per_block, wide_of
from optlab.ensemble.philox import stream_key
from optlab.ensemble.plans import RulePlan, kernel, rule_plan, schedule_plan
from optlab.ensemble.specs import Request
from optlab.ensemble.statistics import COUNT, HIGH, LOW, M2, MEAN, NONFINITE, Counts, Tally, Tree, compiled
from optlab.objectives import Rows

MODES = {None: 0, "replacement": 1, "subset": 2, "reshuffle": 3}
LANES = 64  #: trajectories side by side, where they fit the cache
STATE_BYTES = 2 << 20  #: of the states of trajectories side by side, at most; the second-level cache is worth less than long loops
CHUNK_UPDATES = 20_000_000  #: coordinate updates of one chunk, about: 40 ms of work between two looks at the clock


#: Moments of the losses and of the coordinates, kept trajectories (coordinates, losses) and outcomes (divergence, final loss).
Found = tuple[np.ndarray, "np.ndarray | None", "tuple[np.ndarray, np.ndarray] | None", "tuple[np.ndarray, np.ndarray] | None"]


@dataclass
class Piece:
    """What one chunk of 2^level blocks of trajectories contributes."""

    first: int
    count: int
    level: int
    losses: np.ndarray
    coordinates: np.ndarray | None
    kept: tuple[np.ndarray, np.ndarray] | None
    outcomes: tuple[np.ndarray, np.ndarray] | None

    @property
    def first_block(self) -> int:
        """The number of its first block."""
        return self.first // BLOCK


class Cell:
    """A request, its compiled kernel and arguments, and the statistics so far."""

    place: Mapping[str, str] = {}  #: where its numbers come from, if not from the CPU
    chunk_bytes = CHUNK_BYTES
    most_workers: int | None = None

    def __init__(self, request: Request) -> None:
        self.request = r = request
        real = np.dtype(r.dtype)
        rule = rule_plan(r.rule)
        self.rates = schedule_plan(r.schedule).rates(r.steps)
        self.asked = r.records
        hidden = r.outcomes and (not len(r.records) or r.records[-1] != r.steps)  # the final loss is recorded, then left out
        self.records = np.append(r.records, r.steps) if hidden else r.records
        self.dim, self.real = r.problem.dim, real
        data = kernel_data(r.problem, r.dtype)
        kind = noise_kind(r.problem)
        law, batch = r.problem.noise_law, r.batch or 1
        repeat = batch if kind == "student_t" else 1  # the mean of several such numbers has a law of its own
        spread = r.problem.noise * (law.unit if kind == "student_t" else 1 / np.sqrt(batch))
        dof = law.dof or 0.0
        mode = MODES[None if r.batch is None else r.problem.sampling] if isinstance(r.problem, Rows) else 0
        scale = max(1.0, *(abs(value) for value in r.problem.start.point), r.problem.start.scatter)
        limit = np.array(min(r.limit * scale, float(np.finfo(real).max)), real)
        shape = shape_of(r.problem)
        states = rule.states + (shape != "separable") + (shape == "dense")
        self.lanes = LANES
        while shape != "rows" and self.lanes > max(16, wide_of(r.problem)) and states * self.dim * self.lanes * real.itemsize > STATE_BYTES:
            self.lanes //= 2
        self.key = np.array(stream_key(r.seed, None if r.common else r.canonical()), np.uint64)
        levels = np.append(np.array(sorted(r.reach, reverse=True), np.float64), -np.inf)
        with np.errstate(over="ignore"):
            self.head = (
                self.lanes, r.steps, np.append(self.records, -1), rule.constants.astype(real), rule.table(self.rates).astype(real),
                rule.initial.astype(real), np.array(r.problem.start.point, real), real.type(spread), real.type(dof), repeat,
                limit.view(f"u{real.itemsize}")[()], data.curvature, data.matrix, data.turn, data.targets, batch, mode, *self.key, levels,
            )  # fmt: skip
        self.states, self.shape, self.mode = rule.states, shape, mode
        self.kernel = self.compiled(rule)
        self.blocks = -(-r.trajectories // BLOCK)
        self.stop = np.zeros(1, np.int64)
        self.done = 0  # blocks, counted from the first
        self.pending: dict[int, Piece] = {}  # finished, but something before it is not
        self.losses, self.coordinates = Tree(), Tree()
        self.tallies: list[Tally] = []
        self.spare: SimpleQueue[Tally] = SimpleQueue()
        self.kept_theta = np.zeros((r.keep, len(self.asked), self.dim))
        self.kept_loss = np.zeros((r.keep, len(self.asked)))
        many = r.trajectories if r.outcomes else 0
        self.diverged_at, self.final_loss = np.full(many, -1, np.int64), np.zeros(many)

    def compiled(self, rule: RulePlan) -> Any:
        """The kernel, compiled at its first call."""
        return kernel(rule, self.request.problem, self.request.dtype, self.request.uniform_bits).run

    @property
    def updates(self) -> int:
        """Coordinate updates of one block, about: rows of a mini-batch count as well."""
        r = self.request
        work = max(1, r.steps) * self.dim
        if isinstance(r.problem, Rows):
            return BLOCK * work * (1 + (r.problem.n if r.batch is None else r.batch) // 4)
        return BLOCK * work * (self.dim if shape_of(r.problem) == "dense" else 1)

    def level(self, workers: int) -> int:
        """The size of a chunk, as the power of two of its blocks; the results do not depend on it."""
        per_block = BLOCK * 8 * len(self.records) * (1 + (self.dim if self.snapshots else 0))
        most = min(CHUNK_UPDATES // self.updates, CHUNK_BYTES // per_block, self.blocks // (4 * workers))
        return max(0, int(most).bit_length() - 1)

    @property
    def snapshots(self) -> bool:
        """Whether coordinates are recorded."""
        return self.request.coordinates or self.request.keep > 0

    def new_tally(self) -> Tally:
        """Counts for one worker."""
        r = self.request
        tally = Tally.empty(len(self.records), len(r.reach), r.steps, bool(r.quantiles))
        self.tallies.append(tally)
        return tally

    def run(self, block: int, level: int) -> Piece | None:
        """Simulate the 2^level blocks from ``block`` on, as far as there are trajectories; None if it was stopped."""
        r = self.request
        first = block * BLOCK
        count = min(BLOCK << level, r.trajectories - first)
        stride = -(-count // BLOCK) * BLOCK
        start, scattered = r.problem.start, np.empty(0, self.real)
        if start.scatter:
            scattered = scattered_starts(first, stride, start.point, start.scatter, (self.key[0], self.key[1]), self.real)
        found = self.found(first, count, stride, scattered)
        return None if found is None else Piece(first, count, level, *found)

    def found(self, first: int, count: int, stride: int, scattered: np.ndarray) -> Found | None:
        """What trajectories first .. first + count - 1 contribute; None if it was stopped."""
        r = self.request
        records, dim = len(self.records), self.dim
        watched = r.coordinates or first < r.keep
        losses = np.empty(records * stride)
        snapshots = np.empty(records * dim * stride if watched else 0, self.real)
        since, passage = np.full(stride, -1, np.int64), np.full((len(r.reach), stride), -1, np.int64)
        scratch = (*self._scratch(), losses, snapshots, since, passage.ravel(), self.stop, *self._row_scratch())
        if not self.kernel(first, count, stride, *self.head, scattered, *scratch):
            return None
        reductions = compiled()
        moments = np.empty((records, 6))
        reductions.reduce_rows(losses, records, stride, count, moments)
        coordinates = None
        if r.coordinates:
            coordinates = np.empty((records * dim, 6))
            reductions.reduce_rows(snapshots, records * dim, stride, count, coordinates)
        tally = self.spare.get()
        try:
            tally.add(losses, stride, count)
            reductions.count_events(since, passage, count, self.records, tally.width, tally.diverged, tally.reached)
        finally:
            self.spare.put(tally)
        rows = losses.reshape(records, stride)
        kept = None
        if first < r.keep:
            some = min(r.keep - first, count)
            theta = snapshots.reshape(records, dim, stride)[: len(self.asked), :, :some]
            kept = theta.transpose(2, 0, 1).astype(np.float64), rows[: len(self.asked), :some].T.copy()
        outcomes = (since[:count].copy(), rows[-1, :count].copy()) if r.outcomes else None
        return moments, coordinates, kept, outcomes

    def counts(self) -> Counts:
        """The counts so far."""
        return Counts(self.tallies)

    def add(self, piece: Piece) -> None:
        """Add a chunk; those that are not next in order wait for what is before them."""
        self.pending[piece.first_block] = piece
        self.take_pending()

    def _scratch(self) -> tuple[np.ndarray, ...]:
        """State, work, gradient, point, draws, random words, bound, losses and the levels they aim at, of trajectories side by side."""
        real, word = self.real, f"u{self.real.itemsize}"
        if self.shape == "rows":
            width = padded(self.request.problem, self.request.dtype)
            one = np.zeros(1)
            states = (np.zeros(self.states * width, real), *(np.zeros(width, real) for _ in range(4)))
            return (*states, np.zeros(0, np.uint64), np.zeros(8, word), one, one)
        rows, dense = self.lanes * self.dim, self.lanes * (self.dim + 3)
        block = values_per_block(noise_kind(self.request.problem), self.request.uniform_bits)
        work, gradient = (dense if self.shape == "dense" else 0), (0 if self.shape == "separable" else dense)
        sizes = (self.states * rows, work, gradient, gradient and rows, (block + 1) * self.lanes)
        ready = np.zeros(6 * self.lanes, np.uint64)
        return (*(np.zeros(size, real) for size in sizes), ready, np.zeros(self.lanes, word), np.zeros(self.lanes), np.zeros(self.lanes))

    def _row_scratch(self) -> tuple[np.ndarray, ...]:
        """Fits, targets, picked rows, their order, random words and values, of one trajectory over rows."""
        r, real = self.request, self.real
        if not isinstance(r.problem, Rows):
            return ()
        most = r.problem.n if r.batch is None else r.batch
        room = -(-max(most, 64) // 8) * 8
        order = np.empty(r.problem.n if self.mode >= MODES["subset"] else 0, np.int64)
        return np.zeros(room, real), np.zeros(room, real), np.arange(room) % r.problem.n, order, np.empty(32, np.uint64), np.empty(32, real)

    def take_pending(self) -> None:
        """Merge the chunks that are next in order."""
        while self.done in self.pending:
            self._merge(self.pending.pop(self.done))

    def _merge(self, piece: Piece) -> None:
        self.losses.push(piece.level, piece.losses)
        if piece.coordinates is not None:
            self.coordinates.push(piece.level, piece.coordinates)
        if piece.kept is not None:
            rows = slice(piece.first, piece.first + len(piece.kept[0]))
            self.kept_theta[rows], self.kept_loss[rows] = piece.kept
        if piece.outcomes is not None:
            rows = slice(piece.first, piece.first + piece.count)
            self.diverged_at[rows], self.final_loss[rows] = piece.outcomes
        self.done = min(self.blocks, piece.first_block + (1 << piece.level))

    @property
    def trajectories_done(self) -> int:
        """How many trajectories are simulated and counted."""
        return min(self.done * BLOCK, self.request.trajectories)

    def variables(self) -> dict[str, Any]:
        """The statistics by name: (dimensions, values, attributes)."""
        r = self.request
        shown, runs = len(self.asked), r.trajectories
        moments = self.losses.value()[:shown]
        counts = self.counts()
        mean, variance = moments[:, MEAN].copy(), moments[:, M2] / max(runs - 1, 1)
        broken = moments[:, NONFINITE] > 0
        mean[broken], variance[broken] = np.inf, np.inf
        data: dict[str, Any] = {
            "loss_mean": ("step", mean, {"long_name": "mean loss over runs"}),
            "loss_variance": ("step", variance, {"long_name": "variance of the loss over runs (divisor n - 1)"}),
            "loss_standard_error": ("step", np.sqrt(variance / runs), {"long_name": "standard error of the mean loss"}),
        }
        if r.quantiles:
            values = counts.quantiles(r.quantiles, moments[:, LOW], moments[:, HIGH])
            data["loss_quantile"] = (("quantile", "step"), values, {"long_name": "quantiles of the loss over runs"})
        diverged = np.cumsum(counts.diverged)[:shown]
        data |= {
            "loss_min": ("step", moments[:, LOW], {"long_name": "least loss of any run"}),
            "loss_max": ("step", moments[:, HIGH], {"long_name": "greatest loss of any run"}),
            "diverged": ("step", diverged.astype(np.float64), {"long_name": "runs diverged by this step"}),
            "learning_rate": ("step", np.append(self.rates, np.nan)[self.asked], {"long_name": "alpha of the step that starts here"}),
        }
        if r.reach:
            data |= self._passages(counts, runs)
        if r.coordinates:
            moments = self.coordinates.value().reshape(len(self.records), self.dim, 6)[:shown]
            with np.errstate(invalid="ignore"):
                data["theta_mean"] = (("step", "coordinate"), moments[..., MEAN])
                data["theta_variance"] = (("step", "coordinate"), moments[..., M2] / np.maximum(moments[..., COUNT] - 1, 1))
        if r.keep:
            data["theta"] = (("trajectory", "step", "coordinate"), self.kept_theta)
            data["loss"] = (("trajectory", "step"), self.kept_loss)
        if r.outcomes:
            about = {"long_name": "step at which the run diverged, -1: it did not"}
            data["diverged_at"] = ("run", self.diverged_at.astype(np.float64), about)
            data["final_loss"] = ("run", self.final_loss)
        return data

    def _passages(self, counts: Counts, runs: int) -> dict[str, Any]:
        order = np.argsort(np.argsort(-np.array(self.request.reach), kind="stable"), kind="stable")  # counted from the largest level down
        by_step = np.cumsum(counts.reached, axis=1)[order]
        at = np.minimum(self.asked // self.tallies[0].width, by_step.shape[1] - 1)
        out: dict[str, Any] = {
            "reached": (
                ("level", "step"),
                by_step[:, at].astype(np.float64),
                {"long_name": "runs whose loss has been at or below the level"},
            )
        }
        if self.request.quantiles:
            times = counts.passage_quantiles(self.request.quantiles, runs)[order]
            about = {"long_name": "quantiles over all runs of the first step with a loss at or below the level; infinite: not reached"}
            out["passage_quantile"] = (("level", "quantile"), times, about)
        return out
