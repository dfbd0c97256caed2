"""Training on CUDA against the hand-written twins and the CPU, without a device: on the simulator, in float64 but for rounding."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import optlab as ol
from optlab import nn
from optlab.data.batches import ImageBatches
from tests.cuda.nn_cases import GRADIENTS, STEPS, TRAININGS, drawn, images, moved, taken
from tests.nn.small import by_hand

pytestmark = pytest.mark.cuda

#: of the largest entry; single precision over nine layers
BOUNDS = {"float64": 1e-10, "float32": 2e-5}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    out = tmp_path_factory.mktemp("simulated") / "found.pickle"
    command = [sys.executable, "-W", "error", "-m", "tests.cuda.nn_on_simulator", str(out)]
    ran = subprocess.run(
        command, env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}, cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return pickle.loads(out.read_bytes())


def norm_of(model):
    return model.layers[0].norm


class ByHand:
    """What the twins ask of a trainer: a model and its parameters by name, where CUDA's started."""

    def __init__(self, model):
        from optlab.nn.parameters import Layout

        self.model, self.layout = model, Layout(model)
        self.flat = np.zeros(self.layout.size, model.dtype)
        self.layout.start(self.flat, 0)

    def state(self):
        return {"parameters": self.flat}

    def restore(self, state):
        self.flat = state["parameters"]

    def named(self):
        return self.layout.named(self.flat)


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_the_twins(name, simulated):
    model, count = GRADIENTS[name]
    found, bound = simulated["gradients"][name], BOUNDS[model.dtype]
    at = moved(ByHand(model))
    loss, gradient, _ = by_hand(at, *drawn(model, count), norm_of(model))
    named = at.layout.named(found["gradient"])
    assert named.keys() == gradient.keys()
    assert abs(found["loss"] - loss) <= bound * max(1, loss)
    for key, value in gradient.items():
        assert np.abs(named[key] - value).max() <= bound * max(np.abs(value).max(), 1e-3), key


@pytest.mark.parametrize("name", STEPS)
def test_steps_are_the_cpus(name, simulated):
    """Losses, right answers, and all that a step depends on: parameters, the rule's states, running values, carried scalars."""
    model, rule, batch, sizes = STEPS[name]
    found, expected = simulated["steps"][name], taken(moved(nn.Trainer(model, rule, batch=batch, threads=1)), sizes)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key].shape == value.shape
        assert found[key].dtype == value.dtype
        bound = BOUNDS[model.dtype] * max(1.0, np.abs(value).max(initial=0.0))
        np.testing.assert_allclose(found[key], value, rtol=0, atol=bound, err_msg=key)


def test_batches_are_the_cpus_bits(simulated):
    expected = []
    for augment in (True, False):
        feed = ImageBatches(images(6).training, batch=5, seed=3, augment=augment, dtype="float64")
        for epoch in (1, 2):
            expected += [(x.ravel().copy(), y) for x, y in feed.epoch(epoch)]
    assert len(simulated["moves"]) == len(expected) > 0
    for (x, y), (mine, labels) in zip(expected, simulated["moves"], strict=True):
        np.testing.assert_array_equal(mine, x)
        np.testing.assert_array_equal(labels, y)


@pytest.mark.parametrize("name", TRAININGS)
def test_a_training_is_the_cpus(name, simulated):
    found, expected = xr.Dataset.from_dict(simulated["trainings"][name]), ol.train(**TRAININGS[name])
    assert (found.attrs["backend"], expected.attrs["backend"]) == ("cuda", "cpu")
    assert "simulator" in found.attrs["device"]
    assert set(found.data_vars) == set(expected.data_vars)
    for key in expected.data_vars:
        np.testing.assert_allclose(found[key].values, expected[key].values, rtol=1e-9, atol=1e-10, err_msg=key)


def test_an_interrupted_run_goes_on_to_the_same_bits(simulated):
    whole, again = simulated["interrupted"]
    assert whole.keys() == again.keys()
    for key, value in whole.items():
        np.testing.assert_array_equal(again[key], value, err_msg=key)


class Drivers:
    """Stands for launches, graphs and streams: keeps what happens in its order."""

    def __init__(self, monkeypatch, fails=False):
        import optlab.nn.cuda.graph as graph

        self.said, self.fails = [], fails
        monkeypatch.setattr(graph, "run", lambda launches, stream=0: self.said.append("launches"))
        monkeypatch.setattr(graph.cuda, "synchronize", lambda: self.said.append("wait"))
        monkeypatch.setattr(graph, "capture", self.capture)
        self.replays = graph.Replays()

    def capture(self, launches):
        if self.fails:
            raise RuntimeError("no graphs in this driver")
        self.said.append("capture")
        return self, self

    def launch(self, stream):
        self.said.append("graph")

    def sync(self):
        self.said.append("sync")


def test_a_step_is_captured_once_and_replayed(monkeypatch):
    drivers = Drivers(monkeypatch)
    drivers.replays.run("step", [], 3)
    assert drivers.said == ["launches", "wait", "capture", "wait", "graph", "graph", "sync"]
    drivers.said.clear()
    drivers.replays.run("step", [], 2)
    assert drivers.said == ["wait", "graph", "graph", "sync"]


def test_without_graphs_every_step_is_launched(monkeypatch):
    drivers = Drivers(monkeypatch, fails=True)
    for _ in range(2):
        drivers.said.clear()
        drivers.replays.run("step", [], 3)
        assert [word for word in drivers.said if word != "wait"] == ["launches"] * 3
    assert drivers.replays.reason == "RuntimeError: no graphs in this driver"
