"""Curves for TensorBoard, read back record by record from the files."""

import struct

import numpy as np
import pytest
import xarray as xr

from optlab.__main__ import main
from optlab.errors import MissingDependencyError
from optlab.experiments.exports import CURVES, export_tensorboard
from optlab.experiments.runs import runs
from optlab.experiments.store import Store

SPEC = {"kind": "simulate", "rule": "adam(beta1=1/2)", "problem": "quadratic(dim=2)", "steps": 20, "trajectories": 64, "seed": 0}


def scalars(folder):
    """{(tag, step): value} of the one event file in a folder: TFRecords of a length, its checksum, an event, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = folder.glob("events.*")
    content, found, times = path.read_bytes(), {}, set()
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        event = Event.FromString(content[12 : 12 + length])
        for value in event.summary.value:
            found[value.tag, event.step] = value.simple_value
            times.add(event.wall_time)
        content = content[16 + length :]
    return found, times


@pytest.fixture
def store(tmp_path):
    found = Store(tmp_path / "cells")
    rng = np.random.default_rng(0)
    found.put(
        SPEC,
        xr.Dataset(
            {
                "loss_mean": (("alpha", "step"), rng.normal(size=(2, 3)).astype(np.float32)),
                "quantile": (("step", "alpha", "level"), rng.normal(size=(3, 2, 1)).astype(np.float32)),
                "diverged": ("step", [0, 1, 2]),
                "final": ("alpha", [1.0, 2.0]),
                "theta": (("trajectory", "step"), np.zeros((CURVES + 1, 3))),
            },
            {"alpha": [0.1, 0.3], "step": [0, 5, 20], "level": [0.5]},
        ),
    )
    found.put(SPEC | {"rule": "sgd", "kind": "training"}, xr.Dataset({"loss": ("epoch", [2.0, np.nan])}, {"epoch": [1, 2]}))
    return found


def test_every_number_comes_back_under_its_step_and_labels(store, tmp_path):
    chosen = runs(store)
    folders, left = export_tensorboard(store, chosen, tmp_path / "out")
    adam, sgd = (next(run for run in chosen if run.rule.startswith(name)) for name in ("adam", "sgd"))
    head = tmp_path / "out" / f"adam(beta1=1|2) {adam.id[:12]}"
    assert {folder.relative_to(tmp_path / "out") for folder in folders} == {
        (head / label).relative_to(tmp_path / "out")
        for label in ("", "alpha=0.1", "alpha=0.3", "alpha=0.1, level=0.5", "alpha=0.3, level=0.5")
    } | {(tmp_path / "out" / f"sgd {sgd.id[:12]}").relative_to(tmp_path / "out")}
    assert left == ["final", f"theta ({CURVES + 1:,} curves)"]
    data = xr.open_dataset(adam.path, engine="scipy").load()
    for k, alpha in enumerate(("0.1", "0.3")):
        found, times = scalars(head / f"alpha={alpha}")
        assert found == {("loss_mean", step): float(data.loss_mean[k, i]) for i, step in enumerate((0, 5, 20))}
        assert times == {adam.written}
        found, _ = scalars(head / f"alpha={alpha}, level=0.5")
        assert found == {("quantile", step): float(data["quantile"][i, k, 0]) for i, step in enumerate((0, 5, 20))}
    assert scalars(head)[0] == {("diverged", 0): 0, ("diverged", 5): 1, ("diverged", 20): 2}
    found, _ = scalars(tmp_path / "out" / f"sgd {sgd.id[:12]}")
    assert found["loss", 1] == 2.0
    assert np.isnan(found["loss", 2])  # divergence is a result


def test_the_command_says_what_it_wrote_and_left_out(store, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["runs", "export", "--all", "--store", "cells", "--format", "tensorboard"]) == 0
    out = capsys.readouterr().out
    assert "wrote 6 runs to tensorboard: tensorboard --logdir tensorboard" in out
    assert "left out: final, theta (1,001 curves)" in out
    assert main(["runs", "export", "--all", "--store", "cells", "--format", "wandb"]) == 2
    assert "tensorboard" in capsys.readouterr().err


def test_without_the_library_the_extra_is_named(store, tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("optlab.libraries.importlib.import_module", missing)
    with pytest.raises(MissingDependencyError, match=r"needs tensorboardX, which is not installed: pip install 'optlab\[tensorboard\]'"):
        export_tensorboard(store, runs(store), tmp_path)
