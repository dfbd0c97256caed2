"""Training one model: what is asked, checked; the run; its result as a dataset."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np

from optlab import rules
from optlab.codegen.cuda import device_name
from optlab.data.table_batches import TableBatches
from optlab.data.tables import INTERCEPT
from optlab.ensemble.philox import read_seed
from optlab.ensemble.plans import schedule_plan
from optlab.ensemble.specs import canonical_json
from optlab.errors import InputError, UnknownNameError
from optlab.expressions import Rule, Schedule
from optlab.nn.trainer import check_precision, chosen_backend
from optlab.objectives import whole
from optlab.quantities import labeled
from optlab.training.checkpoint import Checkpoint
from optlab.training.loop import Loop, Tell, evaluate
from optlab.training.measures import MEANINGS
from optlab.training.models import TrainerLearner, make_learner, reads_classes
from optlab.training.progress import Progress
from optlab.training.rates import fitted
from optlab.training.task import Task, read_task

if TYPE_CHECKING:
    import xarray as xr

LARGEST_EPOCHS = 10**6
DTYPES = ("float32", "float64")


@dataclass
class Training:
    """A checked run: what it depends on, its model and its data."""

    spec: dict[str, Any]  #: all that the numbers depend on, as JSON values
    task: Task
    learner: TrainerLearner
    loop: Loop

    def run(self, resume: bool = False, test: bool = True) -> xr.Dataset:
        """Train to the end, then look at the test part once, at the best weights. Raises Interrupted after Ctrl-C."""
        progress = self.loop.run(resume)
        last = self.learner.weights()
        out = self.dataset(progress, last)
        if test and self.task.test is not None and progress.best_epoch:
            self.learner.restore(self.learner.state() | progress.best)
            loss, right = evaluate(self.learner, self.task, self.task.test)
            out["test_loss"] = ((), loss, {"long_name": "mean loss on the test part, at the best epoch's weights"})
            out["test_accuracy"] = ((), right, {"long_name": "fraction right on the test part, at the best epoch's weights"})
            self.learner.restore(self.learner.state() | last)
        return out

    def close(self) -> None:
        """Let the model's threads go."""
        self.learner.close()

    def dataset(self, progress: Progress, last: dict[str, np.ndarray]) -> xr.Dataset:
        """What was measured by epoch, with the best and the last weights."""
        import xarray as xr  # half a second that the first step need not wait for

        variables: dict[str, Any] = {}
        for name, (meaning, unit) in MEANINGS.items():
            if self.task.classes or not name.endswith("accuracy"):
                variables[name] = ("epoch", progress.history[name].copy(), {"long_name": meaning, "units": unit})
        for kind, weights in (("best", progress.best), ("last", last)):
            for name, values in weights.items():
                about = {"long_name": f"{name} after the {kind} epoch"}
                variables[f"{kind}_{name}"] = (f"{name}_index", np.ravel(values).copy(), about)
        variables["best_epoch"] = ((), progress.best_epoch, {"long_name": "epoch of the best validation result; 0: none"})
        variables["diverged_at"] = ((), progress.diverged_at, {"long_name": "step, from 0, whose loss was not finite; -1: none"})
        coordinates: dict[str, Any] = {"epoch": np.arange(1, progress.epochs + 1)}
        feed = self.task.feed
        if isinstance(feed, TableBatches) and not self.task.classes and self.spec["model"] == "linear":
            about = {"long_name": "coefficients after the last epoch, in the units of the table"}
            variables["coefficient"] = ("column", self.learner.coefficients(feed)[:, 0], about)
            coordinates["column"] = [*self.task.columns, INTERCEPT]
        steps = feed.steps
        outcome = "finished" if progress.epoch > progress.epochs else f"interrupted in epoch {progress.epoch}"
        outcome = f"diverged at step {progress.diverged_at}" if progress.diverged_at >= 0 else outcome
        place = {"backend": "cpu"} if self.learner.trainer.place == "cpu" else {"device": device_name()}
        attributes = {"spec": canonical_json(self.spec), "outcome": outcome,
                      **place,
                      **{key: value for key, value in self.spec.items() if isinstance(value, (str, int, float))},
                      "steps_per_epoch": steps, **{f"{key}_samples": size for key, size in self.task.sizes.items()},
                      "elapsed": round(float(progress.seconds.sum()), 3)}  # fmt: skip
        return labeled(xr.Dataset(variables, coordinates, attributes))


def prepare(
    model: Any = "resnet20", *, data: Any = "cifar10", data_dir: str | os.PathLike[str] | None = None, label: str | None = None,
    target: str | None = None, columns: Sequence[str] | None = None, drop_missing: bool = False, standardize: bool = True,
    rule: Rule | str = "momentum", schedule: Schedule | str | float = "warmup_cosine", alpha: float | None = None,
    warmup: int | None = None, epochs: int = 30, batch: int = 128, rng: Any = 0, training: int | None = None,
    validation: int | None = None, augment: bool = True, decay_all: bool = False, probe: int = 8, backend: str = "cpu",
    precision: str = "full", dtype: str = "float32", threads: int | None = None, checkpoint: str | os.PathLike[str] | None = None,
    progress: Tell | None = None, task: Task | None = None,
) -> Training:  # fmt: skip
    """Check a request and set it up, without training; see :func:`train`. ``task`` shares data that were read before."""
    place = chosen_backend(backend)
    check_precision(precision, place)
    if dtype not in DTYPES:
        raise UnknownNameError("dtype", dtype, DTYPES)
    epochs, batch, probe, seed = whole(epochs, "epochs"), whole(batch, "batch"), whole(probe, "probe", low=0), read_seed(rng)
    if epochs > LARGEST_EPOCHS:
        raise InputError(f"epochs = {epochs} must be at most {LARGEST_EPOCHS}: each keeps its measures and its learning rates")
    counts = {"training": training, "validation": validation, "warmup": warmup, "threads": threads}
    for name, value in counts.items():
        if value is not None:
            whole(value, name, low=0 if name == "warmup" else 1)
    chosen = rules.get(rule)
    if task is None:
        task = read_task(
            data, folder=data_dir, label=label, target=target, columns=columns, drop_missing=drop_missing,
            classify=reads_classes(model), batch=batch, seed=seed, training=training, validation=validation, augment=augment,
            standardize=standardize, dtype=dtype,
        )  # fmt: skip
    planned = fitted(schedule, steps=epochs * task.feed.steps, alpha=alpha, warmup=warmup)
    rates = schedule_plan(planned).rates(epochs * task.feed.steps)
    learner, described = make_learner(
        model, chosen, task, batch=task.feed.batch, seed=seed, dtype=dtype, threads=threads, decay_all=decay_all, backend=place,
        precision=precision,
    )  # fmt: skip
    spec = {
        "model": described, "data": task.name, "data_fingerprint": task.fingerprint, "rule": chosen.label(),
        "rule_fingerprint": chosen.fingerprint, "schedule": planned.label(), "schedule_fingerprint": planned.fingerprint,
        "epochs": epochs, "batch": task.feed.batch, "seed": seed, "dtype": dtype, "probe": probe, "decay_all": int(decay_all),
        "training": task.sizes["training"], "validation": task.sizes["validation"], "augment": int(augment),
    }  # fmt: skip
    if place != "cpu":  # its numbers differ by rounding
        spec["backend"] = place
    if precision != "full":
        spec["precision"] = precision
    kept = Checkpoint(Path(checkpoint), spec) if checkpoint is not None else None
    return Training(spec, task, learner, Loop(learner, task, rates, epochs, probe, kept, progress))


class Options(TypedDict, total=False):
    """The options of :func:`train` that :func:`prepare` takes; their defaults stand there."""

    data: Any
    data_dir: str | os.PathLike[str] | None
    label: str | None
    target: str | None
    columns: Sequence[str] | None
    drop_missing: bool
    standardize: bool
    rule: Rule | str
    schedule: Schedule | str | float
    alpha: float | None
    warmup: int | None
    epochs: int
    batch: int
    rng: Any
    training: int | None
    validation: int | None
    augment: bool
    decay_all: bool
    probe: int
    backend: str
    precision: str
    dtype: str
    threads: int | None
    checkpoint: str | os.PathLike[str] | None
    progress: Tell | None


def train(model: Any = "resnet20", *, resume: bool = False, test: bool = True, **options: Unpack[Options]) -> xr.Dataset:
    """Train a model and return what was measured, by epoch.

    Parameters
    ----------
    model
        ``"resnet20"`` and its family, for images; ``"mlp"``, ``"logistic"`` (softmax regression) for images and tables; ``"linear"`` for
        tables; a call such as ``"resnet20(norm=layer)"``; or a model of :mod:`optlab.nn`.
    data
        ``"cifar10"`` (its files in ``data_dir=`` or ``$OPTLAB_DATA``), ``"synthetic"``, images, a CSV file with ``target=``, a table, or a
        pair (features, targets). ``label=`` is what results are labeled with.
    target, columns, drop_missing, standardize
        Of a table: the column to predict, the features to use, whether to drop rows with missing cells, and to give features mean 0 and
        deviation 1 (the default; ``coefficient`` is in the units of the table all the same).
    rule, schedule, alpha
        The optimizer; the schedule, whose length, warmup and peak are filled in from the run and ``alpha`` where it leaves them open.
    warmup
        Steps of the rise of schedules that have one (default: a twentieth of the run).
    epochs, batch
        Passes over the training part; samples per step. The rest of an epoch that fills no batch is left out.
    rng
        An int of at least 0 or a numpy Generator: initial weights, split, order, crops. Same seed, same bits, for any ``threads``.
    training, validation
        Images to train on (default: all that are left) and to validate on (default: a tenth; of a table's rows a fifth).
    augment
        Random crops and mirror images.
    backend
        ``"cpu"``, ``"cuda"``, or ``"auto"``: CUDA where a device answers. The two differ by rounding; on one device, same seed, same bits.
    precision
        ``"full"``: all in ``dtype``. ``"bf16"``, of ResNets on CUDA: convolutions and activations in bfloat16, float32 weights.
    decay_all
        Let a rule's weight decay act on norms and biases too.
    probe
        Batches that measure the gradient-noise scale after each epoch (0: none).
    dtype, threads
        float32 or float64; worker threads (default: all cores).
    checkpoint, resume
        A file that keeps the run's state, replaced as a whole; ``resume=True`` goes on from it with the same bits.
    test
        Look at the test part once at the end, at the weights of the best epoch.
    progress
        Told steps done, steps in all and the last epoch's result.

    Returns
    -------
    xarray.Dataset
        Over ``epoch`` from 1: training and validation loss and accuracy, gradient norm, update-to-weight ratio, gradient-noise scale,
        learning rate; ``best_epoch``, ``diverged_at`` (-1: it did not), ``test_accuracy``, and the best and last weights, flat.
        A run that diverges is a result: its later epochs are nan, ``attrs["outcome"]`` says at which step.

    Raises
    ------
    InputError
        Something asked for cannot be done; one line says what and how to mend it.
    MissingDependencyError
        ``backend="cuda"`` where there is no device or no numba-cuda.
    Interrupted
        Ctrl-C; with a checkpoint, what was done is kept.

    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 200)[:, None]
    >>> run = train("linear", data=(x, 3 * x[:, 0] + 1), rule="sgd", schedule="constant", alpha=0.5, epochs=20, batch=16, dtype="float64")
    >>> run.coefficient.values.round(6).tolist()
    [3.0, 1.0]
    """
    for name in options:
        if name not in Options.__annotations__:
            raise UnknownNameError("option of train", name, sorted(Options.__annotations__))
    prepared = prepare(model, **options)
    try:
        out = prepared.run(resume, test)
    finally:
        prepared.close()
    if prepared.loop.checkpoint is not None:
        prepared.loop.checkpoint.remove()
    return out


__all__ = ["Training", "prepare", "train"]
