"""Many trajectories at once, on the CPU or a CUDA device, reduced to statistics as they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from optlab.ensemble.budgeting import check_memory
from optlab.ensemble.cell import Cell
from optlab.ensemble.engine import execute
from optlab.ensemble.philox import read_seed
from optlab.ensemble.specs import Request, describe
from optlab.objectives import Problem, whole
from optlab.quantities import labeled
from optlab.threads import usable_threads

if TYPE_CHECKING:
    from optlab.expressions import Rule, Schedule


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
    reach: Sequence[float] = (),
    keep: int = 0,
    outcomes: bool = False,
    coordinates: bool | None = None,
    common: bool = False,
    limit: float = 1e15,
    uniform_bits: int = 32,
    axes: Mapping[str, Sequence[Any]] | None = None,
    threads: int | None = None,
    chunk: int | None = None,
    memory: float | None = None,
    checkpoint: str | Path | None = None,
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
    backend
        ``"cpu"``, ``"cuda"``, or ``"auto"``: CUDA where a device answers and can run the problem, else the CPU. The random words
        are the same, so are the operations of a trajectory, each rounded on its own, and the order in which statistics are reduced.
    quantiles
        Levels of the quantiles of the loss (and of first-passage times), exact to one part in 64; ``()`` for none.
    reach
        Levels of the loss whose first-passage times are followed: the first step (0 is the start) with a loss at or below.
        The loss is then computed at every step: on a logistic regression that takes a pass over the whole table.
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
    uniform_bits
        Bits of the uniform number behind the size of a normal one: with 32 it is at most 6.77 standard deviations, with
        53 at most 8.65, in float64 only, at about 1.7 times the cost.
    axes
        Parameter axes, ``{name: values}``, all in one launch: ``batch``, ``alpha`` (a constant learning rate), an option of the
        rule, the schedule or the problem. They become the first dimensions of the result; each point has the very numbers
        of its own call.
    threads
        Worker threads (default: all cores; one drives a CUDA device). Results do not depend on it, nor on ``chunk`` (blocks of 64
        trajectories handed to a thread at once), bit for bit.
    memory
        Bytes that the launch may use (default: half of the machine's); what cannot fit is refused.
    checkpoint
        A file that keeps what is done when the launch is interrupted, and from which the same call goes on.

    Returns
    -------
    xarray.Dataset
        Over ``step``: loss_mean, loss_variance, loss_standard_error, loss_quantile (quantile, step), loss_min,
        loss_max, diverged (runs diverged so far); theta_mean, theta_variance (step, coordinate) where recorded; reached
        (level, step) and passage_quantile (level, quantile) for the levels of ``reach``.

    Raises
    ------
    InputError
        A value out of range, named.
    MissingDependencyError
        ``backend="cuda"`` without a CUDA device, or without the package that drives it.
    UnsupportedError
        ``backend="cuda"`` on a table of more than 4 million rows drawn without replacement: each trajectory keeps their order.

    >>> import optlab as ol
    >>> run = ol.simulate("sgd", ol.problems.quadratic(spectrum=[1.0], noise=1.0), schedule=0.1, steps=10, trajectories=64)
    >>> run.loss_mean.dims, float(run.loss_mean[0])
    (('step',), 0.5)
    >>> grid = ol.simulate("momentum", "quadratic(condition_number=10, dim=3)", schedule=0.1, steps=10, trajectories=1,
    ...                    axes={"alpha": [0.1, 0.5], "beta": [0.0, 0.5, 0.9]})
    >>> dict(grid.loss_mean.sizes)
    {'alpha': 2, 'beta': 3, 'step': 11}
    """
    options: dict[str, Any] = {
        "steps": steps, "trajectories": trajectories, "seed": read_seed(rng), "backend": backend, "dtype": dtype, "record": record,
        "quantiles": quantiles, "reach": reach, "keep": keep, "outcomes": outcomes, "coordinates": coordinates, "common": common,
        "limit": limit, "uniform_bits": uniform_bits,
    }  # fmt: skip
    if axes:
        from optlab.ensemble.grid import points

        asked = points(rule, problem, schedule, batch, axes)
    else:
        asked = [{"rule": rule, "problem": problem, "schedule": schedule, "batch": batch}]
    requests = [Request.read(**point, **options, plans=True) for point in asked]
    make = cell_maker(backend, [request.problem for request in requests])
    workers = min(usable_threads() if threads is None else whole(threads, "threads"), make.most_workers or 2**16)
    check_memory(requests, workers, memory, make.chunk_bytes)
    cells = [make(request) for request in requests]
    execute(cells, workers, progress, None if checkpoint is None else Path(checkpoint), None if chunk is None else whole(chunk, "chunk"))
    first = requests[0]
    coords: dict[str, Any] = {"step": first.records}
    if first.quantiles:
        coords["quantile"] = np.array(first.quantiles)
    if first.reach:
        coords["level"] = np.array(first.reach)
    if first.coordinates or first.keep:
        coords["coordinate"] = [str(name) for name in getattr(first.problem, "coordinates", range(first.problem.dim))]
    about = describe(first) | (_device() if make.place else {})
    if not axes:
        return labeled(xr.Dataset(cells[0].variables(), coords, about))
    from optlab.ensemble.grid import assemble

    return assemble(axes, [cell.variables() for cell in cells], coords, about)


def _device() -> dict[str, str]:
    from optlab.codegen.cuda import device_name

    return {"backend": "cuda", "device": device_name()}


def cell_maker(backend: str, problems: Sequence[Problem]) -> type[Cell]:
    """What runs a request on this backend; ``auto`` takes CUDA where a device answers that can run all the problems.

    Raises MissingDependencyError where CUDA is asked for and cannot be used, UnsupportedError where it does not run a problem.
    """
    if backend == "cpu":
        return Cell
    from optlab.codegen.cuda import reason_without, require
    from optlab.ensemble.cuda_kernel import check_shape, reason_against

    if backend == "auto" and (reason_without() is not None or any(map(reason_against, problems))):
        return Cell
    require()
    for problem in problems:
        check_shape(problem)
    from optlab.ensemble.cuda import CudaCell

    return CudaCell
