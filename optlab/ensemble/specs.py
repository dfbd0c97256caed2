"""What is asked of the ensemble engine: one checked record that the simulator, the predictor and the store share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from optlab import problems, rules, schedules
from optlab._version import __version__
from optlab.ensemble.plans import RulePlan, SchedulePlan, rule_plan, schedule_plan
from optlab.errors import InputError, UnknownNameError
from optlab.objectives import Fresh, Problem, Rows, real, whole
from optlab.quantities import CONVENTIONS

if TYPE_CHECKING:
    from optlab.expressions import Rule, Schedule

BACKENDS = ("cpu", "cuda", "auto")
DTYPES = ("float64", "float32")
RECORDS = 101  #: recorded steps unless asked otherwise


@dataclass(frozen=True)
class Request:
    """A checked request; see :func:`optlab.simulate` for the meaning of each field."""

    rule: Rule | RulePlan
    problem: Problem
    schedule: Schedule | SchedulePlan
    steps: int
    batch: int | None
    trajectories: int
    seed: int
    dtype: str
    records: np.ndarray
    quantiles: tuple[float, ...]
    reach: tuple[float, ...]
    keep: int
    outcomes: bool
    coordinates: bool
    common: bool
    limit: float
    uniform_bits: int

    @staticmethod
    def read(
        rule: Rule | str,
        problem: Problem | str,
        *,
        schedule: Schedule | float | str,
        steps: int,
        backend: str,
        plans: bool = False,
        **options: Any,
    ) -> Request:
        """Check every value and resolve names (with ``plans``, to what a simulation needs of them).

        Raises InputError or UnknownNameError naming the first bad one.
        """
        if backend not in BACKENDS:
            raise UnknownNameError("backend", backend, BACKENDS)
        if options["dtype"] not in DTYPES:
            raise UnknownNameError("dtype", options["dtype"], DTYPES)
        checked, steps = problems.get(problem), whole(steps, "steps", low=0)
        batch = options["batch"]
        if batch is not None:
            batch = whole(batch, "batch")
            if batch > 2**53:
                raise InputError(f"batch = {batch} is more than 2^53, beyond which float64 does not count: give fewer samples")
            if isinstance(checked, Rows) and checked.sampling != "replacement" and batch > checked.n:
                raise InputError(
                    f"batch = {batch} is more than the table's {checked.n} rows: sampling={checked.sampling!r} takes each row once"
                )
        elif not isinstance(checked, Rows):
            raise InputError("batch=None means the whole table, and this problem has none: give a number")
        trajectories = whole(options["trajectories"], "trajectories")
        if trajectories > 2**32 or steps > 2**32:
            raise InputError("more than 2^32 trajectories or steps would use a random counter twice: split the job by seed")
        quantiles = tuple(real(q, "quantiles", low=0) for q in options["quantiles"])
        if any(q > 1 for q in quantiles):
            raise InputError(f"quantiles = {quantiles} must lie in [0, 1]")
        reach = tuple(real(level, "reach") for level in options.get("reach", ()))
        if len(set(reach)) < len(reach):
            raise InputError(f"reach = {reach} holds a level twice")
        uniform_bits = options.get("uniform_bits", 32)
        if uniform_bits not in (32, 53):
            raise InputError(f"uniform_bits = {uniform_bits!r} must be 32 or 53")
        if uniform_bits == 53 and options["dtype"] != "float64":
            raise InputError("uniform_bits = 53 needs dtype='float64': a float32 number has no room for them")
        asked = options["coordinates"]
        return Request(
            rule_plan(rule) if plans else rules.get(rule), checked,
            schedule_plan(schedule) if plans else schedules.as_schedule(schedule), steps, batch, trajectories, options["seed"],
            options["dtype"],
            recorded_steps(options["record"], steps), quantiles, reach,
            min(whole(options["keep"], "keep", low=0), trajectories), bool(options["outcomes"]),
            checked.dim <= 16 if asked is None else bool(asked), bool(options["common"]), real(options["limit"], "limit", low=1),
            uniform_bits,
        )  # fmt: skip

    def spec(self) -> dict[str, Any]:
        """What the numbers depend on, as JSON values: definitions by fingerprint, so a changed formula is another cell."""
        return {
            "rule": self.rule.label(), "rule_fingerprint": self.rule.fingerprint, "problem": self.problem.label(),
            "problem_fingerprint": self.problem.fingerprint, "schedule": self.schedule.label(),
            "schedule_fingerprint": self.schedule.fingerprint, "steps": self.steps, "batch": self.batch,
            "trajectories": self.trajectories, "seed": self.seed, "dtype": self.dtype, "records": [int(r) for r in self.records],
            "quantiles": list(self.quantiles), "reach": list(self.reach), "keep": self.keep, "outcomes": self.outcomes,
            "coordinates": self.coordinates, "common": self.common, "limit": self.limit, "uniform_bits": self.uniform_bits,
        }  # fmt: skip

    def canonical(self) -> str:
        """The cell's spec as canonical JSON, without what only says how much of the same stream to use or to record."""
        left_out = ("trajectories", "records", "quantiles", "reach", "keep", "outcomes", "coordinates", "steps", "seed", "common", "limit")
        return canonical_json({key: value for key, value in self.spec().items() if key not in left_out})


#: The options of a request that exact predictions have no use for: those of one plain run.
ONE_RUN: dict[str, Any] = {
    "trajectories": 1, "dtype": "float64", "quantiles": (), "reach": (), "keep": 0, "outcomes": False, "common": False, "limit": 1e15,
    "uniform_bits": 32,
}  # fmt: skip


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: one text per value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def recorded_steps(record: str | int | Sequence[int], steps: int) -> np.ndarray:
    """The steps to record, int64, ascending, from 0 (the start) to ``steps``.

    >>> recorded_steps("log", 1000)[:5], recorded_steps(4, 9)
    (array([0, 1, 2, 3, 4]), array([0, 3, 6, 9]))
    """
    if isinstance(record, str):
        if record == "linear":
            return recorded_steps(RECORDS, steps)
        if record == "log":
            return np.unique(
                np.concatenate([[0], np.rint(np.geomspace(1, max(steps, 1), RECORDS)).astype(np.int64), [steps]]).clip(0, steps)
            )
        raise UnknownNameError("record", record, ("linear", "log"))
    if isinstance(record, (int, np.integer)):
        return np.unique(np.rint(np.linspace(0, steps, max(whole(int(record), "record"), 1))).astype(np.int64))
    out = np.unique(np.array([whole(int(r), "record", low=0) for r in record], np.int64))
    if not len(out) or out[-1] > steps:
        raise InputError(f"record = {list(record)[:5]}... must name steps from 0 to {steps}")
    return out


def describe(request: Request) -> dict[str, Any]:
    """Attributes of a result: what was run, with which version."""
    spec = request.spec()
    out: dict[str, Any] = {"Conventions": CONVENTIONS, "source": f"optlab {__version__}", "spec": canonical_json(spec)}
    out |= {key: spec[key] for key in ("rule", "problem", "schedule", "steps", "trajectories", "seed", "dtype")}
    out["batch"] = "all rows" if request.batch is None else request.batch
    if request.problem.minimum is not None:
        out["minimum"] = request.problem.minimum
    if isinstance(request.problem, (Rows, Fresh)):
        out["sampling"] = getattr(request.problem, "sampling", "fresh")
    return out
