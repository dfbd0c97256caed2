"""An experiment: one question, what it can be asked with, the cells that answer it, and the labelled answer.

A file of :mod:`optlab.experiments.questions` holds one: ``EXPERIMENT``. It is a function (``optlab.experiments.NAME(...)``) and a command
(``optlab NAME``); both take the same spec, a TOML file or single keys.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import xarray as xr
from pydantic import Field

from optlab._version import __version__
from optlab.ensemble.specs import canonical_json
from optlab.errors import InputError, UnknownNameError, short
from optlab.experiments.catalog import QUESTIONS
from optlab.experiments.cluster import connected
from optlab.experiments.spec import Distinct, read_toml, validated
from optlab.experiments.store import Store, default_store
from optlab.experiments.sweep import Cell, Progress, Runner
from optlab.quantities import CONVENTIONS, labeled

Run = Callable[[list[Cell]], list[xr.Dataset]]


class ExperimentSpec(Distinct):
    """What every experiment can be asked with."""

    title: str | None = None  #: of the figure and the page; by default the question
    seed: Annotated[int, Field(ge=0)] = 0  #: same seed, same numbers


@dataclass(frozen=True)
class Table:
    """What is printed: ``rows`` under ``headers``."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[int] = (0,)  #: columns of text, set to the left


S = TypeVar("S", bound=ExperimentSpec)


@dataclass(frozen=True)
class Experiment(Generic[S]):
    """One question.

    Parameters
    ----------
    name
        As in :data:`~optlab.experiments.catalog.QUESTIONS`.
    spec
        The kind of spec it takes. Its defaults are the experiment that a first look wants: under a minute on two cores.
    measure
        The spec and what runs cells, to the result. It may run cells in turns (a search first, then what it found), many at a time.
    count
        How many cells that takes, for the progress bar.
    tables
        What is printed of a result.
    findings
        What a result says, in sentences with its numbers: computed from them, never typed.
    presets
        Other specs by name, such as ``full``.
    """

    name: str
    spec: type[S]
    measure: Callable[[S, Run], xr.Dataset]
    count: Callable[[S], int]
    tables: Callable[[xr.Dataset], list[Table]]
    findings: Callable[[xr.Dataset], list[str]]
    presets: dict[str, S] = field(default_factory=dict)

    @property
    def question(self) -> str:
        """What it asks."""
        return QUESTIONS[self.name]

    def read(self, spec: str | Path | dict[str, Any] | S | None = None, *, preset: str | None = None, **keys: Any) -> S:
        """A checked spec: of a TOML file, a dict, a preset or the defaults; single ``keys`` go over it.

        Raises InputError naming the file, the key and what was expected; UnknownNameError for a preset.
        """
        if preset is not None and preset not in self.presets:
            raise UnknownNameError("preset", preset, sorted(self.presets) or ["(none)"])
        if preset is not None and spec is not None:
            raise InputError(f"give a spec or the preset {preset!r}, not both")
        where = str(spec) if isinstance(spec, (str, Path)) else "spec"
        if isinstance(spec, (str, Path)):
            raw = read_toml(Path(spec))
        elif isinstance(spec, dict):
            raw = dict(spec)
        else:
            if spec is not None and not isinstance(spec, self.spec):
                raise InputError(f"{short(spec)} is no spec of {self.name}: give the path of a TOML file, or a dict")
            given = self.presets[preset] if preset is not None else spec
            raw = {} if given is None else given.model_dump()
        return validated(self.spec, raw | keys, where, {})

    def __call__(
        self, spec: str | Path | dict[str, Any] | S | None = None, *, preset: str | None = None, store: str | Path | Store | None = None,
        cluster: str | None = None, progress: Progress | None = None, on_damage: Callable[[str], None] | None = None, **keys: Any,
    ) -> xr.Dataset:  # fmt: skip
        """Run what is not in the store and return the labelled result.

        Parameters
        ----------
        spec, preset, keys
            A TOML file, a dict, a spec or a preset's name; keys of the spec by name, such as ``kappas=[10, 100]``.
        store
            A folder (or a :class:`Store`) of finished cells (default: ``store`` in your cache folder): what is there is not run again.
        cluster
            The address of a Dask scheduler whose workers compute the cells, such as ``tcp://host:8786``.
        progress
            Told cells done, cells in all, and what is running.
        on_damage
            Told of a damaged file that was set aside.
        """
        asked = self.read(spec, preset=preset, **keys)
        kept = store if isinstance(store, Store) else Store(store or default_store(), on_damage)
        with connected(cluster) as machines:
            runner = Runner(kept, progress, self.count(asked), machines)
            result = self.measure(asked, runner)
        about = {
            "Conventions": CONVENTIONS, "source": f"optlab {__version__}", "experiment": self.name, "title": asked.title or self.question,
            "spec": canonical_json(asked.model_dump(mode="json")), "cells_computed": runner.computed, "cells_read": runner.read,
        }  # fmt: skip
        return labeled(result.assign_attrs(result.attrs | about))


def spec_of(result: xr.Dataset) -> dict[str, Any]:
    """The spec that a result was made with, as a dict."""
    held: dict[str, Any] = json.loads(result.attrs["spec"])
    return held
