"""What a training grid is asked to hold: a preset or a TOML file, checked, with a default for everything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from optlab.errors import UnknownNameError
from optlab.experiments.spec import Distinct, Positive, Strict, path_of, read_toml, validated

Seeds = list[Annotated[int, Field(ge=0)]]
Names = list[str]


class Chosen(Strict):
    """One setting of a grid that is not a product."""

    rule: str
    schedule: str
    alpha: Positive


class GridSpec(Distinct):
    """Optimizer x learning rate x schedule (x model) on one set of images; or, with ``settings``, those settings only.

    Every setting is run on ``seeds``. Then each rule's best setting is run for ``final_epochs`` on ``seeds`` and ``final_seeds``, and those
    runs are compared: the same seed gives every rule the same initial weights, split and batches.
    """

    title: str = "Which optimizer, which schedule?"
    preset: str = "custom"
    data: str = "cifar10"
    label: str | None = None  #: what results are labeled with, if the files are not the official ones
    models: Names = Field(default=["resnet20"], min_length=1)
    rules: Names = Field(default=["momentum", "adam", "adamw"], min_length=1)
    rates: list[Positive] = Field(default=[0.001, 0.01, 0.1], min_length=1)
    schedules: Names = Field(default=["constant", "cosine", "warmup_cosine", "one_cycle"], min_length=1)
    settings: list[Chosen] | None = Field(default=None, min_length=1)  #: instead of rules, rates and schedules
    seeds: Seeds = Field(default=[0], min_length=1)
    final_seeds: Seeds = Field(default=[1, 2])
    epochs: Annotated[int, Field(ge=1, le=10**6)] = 30
    final_epochs: Annotated[int, Field(ge=1, le=10**6)] | None = None
    batch: Annotated[int, Field(ge=1, le=10**6)] = 128
    training: Annotated[int, Field(ge=1)] | None = None
    validation: Annotated[int, Field(ge=1)] | None = None
    augment: bool = True
    probe: Annotated[int, Field(ge=0, le=1000)] = 8
    decay_all: bool = False
    baseline: bool = True  #: a linear softmax on the same images
    dtype: Literal["float32", "float64"] = "float32"
    precision: Literal["full", "bf16"] = "full"  #: bf16: convolutions on CUDA's tensor cores; the linear softmax is in float32 all the same

    @model_validator(mode="after")
    def _one_or_the_other(self) -> GridSpec:
        named = sorted(self.model_fields_set & {"rules", "rates", "schedules"})
        if self.settings is not None and named:
            raise ValueError(f"settings stand for rules, rates and schedules: leave out {named[0]}")
        return self

    @property
    def points(self) -> list[tuple[str, str, float]]:
        """Rule, schedule and learning rate of every setting."""
        if self.settings is not None:
            return [(one.rule, one.schedule, one.alpha) for one in self.settings]
        return [(rule, schedule, rate) for rule in self.rules for schedule in self.schedules for rate in self.rates]

    @property
    def last_epochs(self) -> int:
        """Epochs of the final runs."""
        return self.final_epochs or self.epochs


#: The article's assignment, and a small one of the same shape.
PRESETS: dict[str, GridSpec] = {
    "quick": GridSpec(
        title="Which optimizer, which schedule? A quick look",
        preset="quick", models=["resnet8"], schedules=["constant", "warmup_cosine"], epochs=3, final_epochs=8, final_seeds=[1, 2],
        training=5000, validation=1000, batch=64, probe=2,
    ),
    "full": GridSpec(preset="full", seeds=[0, 1, 2], final_seeds=[3, 4]),
}  # fmt: skip


def read_grid(spec: str | Path | dict[str, Any] | GridSpec | None = None, preset: str = "quick") -> GridSpec:
    """A preset, a TOML file, a dict or the spec itself, checked.

    Raises UnknownNameError for a preset, InputError naming the file, the key and what was expected.

    >>> read_grid(preset="full").epochs, read_grid({"epochs": 2}).rates
    (30, [0.001, 0.01, 0.1])
    """
    if isinstance(spec, GridSpec):
        return spec
    if spec is None:
        if preset not in PRESETS:
            raise UnknownNameError("preset", preset, PRESETS)
        return PRESETS[preset]
    raw, where = (spec, "spec") if isinstance(spec, dict) else (read_toml(path_of(spec)), str(spec))
    return validated(GridSpec, raw, where, {"settings": Chosen})
