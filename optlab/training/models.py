"""Models by name, fitted to the data, and the learner that trains them."""

from __future__ import annotations

from typing import Any

import numpy as np

from optlab.calls import parse_call
from optlab.data.table_batches import TableBatches
from optlab.errors import InputError, UnknownNameError
from optlab.expressions import Rule
from optlab.training.learner import State
from optlab.training.task import Task

RESNETS = ("resnet8", "resnet20", "resnet32", "resnet44", "resnet56")
NAMES = (*RESNETS, "mlp", "logistic", "linear")
EVALUATED = ("parameters", "running")  #: what of a trainer's state an evaluation depends on


def reads_classes(model: Any) -> bool:
    """Whether the model learns classes rather than numbers."""
    if isinstance(model, str):
        return _head(model)[0] != "linear"
    return bool(getattr(model, "objective", "") != "squared_error")


def _head(model: str) -> tuple[str, dict[str, Any]]:
    head, options, positional = parse_call(model)
    if head not in NAMES:
        raise UnknownNameError("model", head, NAMES)
    if positional:
        raise InputError(f"model {model!r}: options go by name, such as {head}(norm=layer)")
    return head, options


def build_model(model: Any, shape: tuple[int, ...], classes: int, dtype: str = "float32") -> Any:
    """The model of this name or call, for inputs of this shape and so many classes; a model itself passes through.

    Raises UnknownNameError, or InputError where model and data do not fit.

    >>> build_model("resnet8", (32, 32, 3), 10).parameter_count
    75290
    """
    from optlab.nn import models

    if not isinstance(model, str):
        return model
    head, options = _head(model)
    features = int(np.prod(shape))
    try:
        if head in RESNETS:
            if len(shape) != 3 or shape[0] != shape[1] or shape[2] != 3:
                raise InputError(f"model {head} needs square images of three channels, and the inputs have shape {shape}")
            sized: dict[str, Any] = {"classes": classes, "side": shape[0], "dtype": dtype}
            return models.resnet(int(head.removeprefix("resnet")), **(sized | options))
        if head == "linear":
            return models.linear(**(dict[str, Any](features=features, dtype=dtype) | options))
        if "hidden" in options:
            options["hidden"] = tuple(np.atleast_1d(options["hidden"]).tolist())
        return getattr(models, head)(**({"features": features, "classes": classes, "dtype": dtype} | options))
    except TypeError as error:
        raise InputError(f"model {model!r}: {str(error).replace('()', '')}") from None


class TrainerLearner:
    """A :class:`optlab.nn.Trainer` as the loop takes it; inputs are laid out as the model wants them."""

    def __init__(self, trainer: Any) -> None:
        self.trainer, self.shape = trainer, trainer.model.image_shape

    @property
    def parameters(self) -> np.ndarray:
        """The flat buffer of parameters."""
        return self.trainer.parameters

    @property
    def gradient(self) -> np.ndarray:
        """The gradient of the last step's batch."""
        return self.trainer.gradient

    def _fit(self, inputs: np.ndarray) -> np.ndarray:
        return inputs.reshape(len(inputs), *self.shape)

    def step(self, inputs: np.ndarray, targets: np.ndarray, rate: float) -> tuple[float, int]:
        """One step; the mean loss before it, and how many were right."""
        found = self.trainer.step(self._fit(inputs), targets, rate)
        return found.loss, found.correct

    def evaluate(self, inputs: np.ndarray, targets: np.ndarray) -> tuple[float, int]:
        """Mean loss and how many are right."""
        found = self.trainer.evaluate(self._fit(inputs), targets)
        return found.loss, found.correct

    def state(self) -> State:
        """Everything that later steps depend on."""
        held: State = self.trainer.state()
        return held

    def restore(self, state: State) -> None:
        """Go back to a state."""
        self.trainer.restore(state)

    def coefficients(self, feed: TableBatches) -> np.ndarray:
        """Of a linear model: slopes (d,) and intercept in the units of the table, float64; of each output a column."""
        weight, shift = (np.asarray(values, np.float64) for values in self.trainer.named().values())
        slopes = weight / feed.deviation[:, None]
        return np.vstack([slopes, shift - feed.mean @ slopes])

    def close(self) -> None:
        """End the threads."""
        self.trainer.close()

    def weights(self) -> State:
        """Parameters and the norms' running values."""
        held = self.trainer.state()
        return {name: held[name] for name in EVALUATED if held[name].size}


def make_learner(
    model: Any,
    rule: Rule,
    task: Task,
    *,
    batch: int,
    seed: int,
    dtype: str,
    threads: int | None,
    decay_all: bool,
    backend: str = "cpu",
    precision: str = "full",
) -> tuple[TrainerLearner, str]:
    """The learner of a model on a task under a rule on ``"cpu"`` or ``"cuda"``, and the text that names the model in results."""
    from optlab.nn.models import Model
    from optlab.nn.trainer import Trainer

    built = build_model(model, task.shape, len(task.classes), dtype)
    if not isinstance(built, Model):
        raise InputError(f"model = {model!r} is no model: give a name ({', '.join(NAMES)}) or a model of optlab.nn")
    numbers = built.objective == "squared_error"
    if numbers == bool(task.classes) or (not numbers and built.outputs < len(task.classes)):
        wanted = "numbers" if numbers else f"{built.outputs} classes"
        raise InputError(f"model {built.name} learns {wanted}, and {task.name} has {len(task.classes) or 'no'} classes")
    if built.dtype != dtype:
        raise InputError(f"model {built.name} is {built.dtype}, and dtype = {dtype} is asked for: make them agree")
    if batch == 1 and any(layer.norm == "batch" and layer.side_after == 1 for layer in built.layers):
        raise InputError(
            "batch = 1 leaves batch normalization one value a channel, which has no variance: "
            f"give batch = 2 or more, or {built.name} another norm"
        )
    trainer = Trainer(built, rule, batch=batch, threads=threads, decay_norms=decay_all, rng=seed, backend=backend, precision=precision)
    name = model if isinstance(model, str) else built.name
    if trainer.place == "cpu":
        return TrainerLearner(trainer), name
    from optlab.nn.cuda.trainer import CudaTrainer
    from optlab.training.device import CudaLearner

    assert isinstance(trainer, CudaTrainer)
    return CudaLearner(trainer), name


__all__ = ["NAMES", "RESNETS", "TrainerLearner", "build_model", "make_learner", "reads_classes"]
