"""Training on a CUDA device: `make gpu`."""

import numpy as np
import pytest

import optlab as ol
from optlab import nn
from optlab.codegen.cuda import require
from tests.cuda.nn_cases import GRADIENTS, STEPS, TRAININGS, drawn, moved, taken
from tests.cuda.test_nn_parity import BOUNDS, norm_of
from tests.nn.small import by_hand

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True, scope="module")
def device():
    require()


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_the_twins(name):
    model, count = GRADIENTS[name]
    trainer, bound = moved(nn.Trainer(model, "sgd", batch=count, backend="cuda")), BOUNDS[model.dtype]
    loss, gradient, _ = by_hand(trainer, *drawn(model, count), norm_of(model))
    found = trainer.step(*drawn(model, count), 0.0)
    assert abs(found.loss - loss) <= bound * max(1, loss)
    named = trainer.layout.named(trainer.gradient)
    for key, value in gradient.items():
        assert np.abs(named[key] - value).max() <= bound * max(np.abs(value).max(), 1e-3), key


@pytest.mark.parametrize("name", STEPS)
def test_steps_are_the_cpus(name):
    model, rule, batch, sizes = STEPS[name]
    found, expected = (taken(moved(nn.Trainer(model, rule, batch=batch, backend=place)), sizes) for place in ("auto", "cpu"))
    for key, value in expected.items():
        bound = BOUNDS[model.dtype] * max(1.0, np.abs(value).max(initial=0.0))
        np.testing.assert_allclose(found[key], value, rtol=0, atol=bound, err_msg=key)


@pytest.mark.parametrize("name", TRAININGS)
def test_a_training_is_the_cpus(name):
    found, expected = (ol.train(**TRAININGS[name], backend=place) for place in ("cuda", "cpu"))
    for key in expected.data_vars:
        np.testing.assert_allclose(found[key].values, expected[key].values, rtol=1e-9, atol=1e-10, err_msg=key)


@pytest.mark.parametrize("batch", [128, 200])
def test_a_whole_residual_network_in_single_precision(batch):
    """Layer by layer against float64 on the CPU: 1e-5 of the gradient's length; the step's parameters within 1e-4."""
    single, double = nn.resnet20(), nn.resnet(20, dtype="float64")
    images, labels = drawn(single, batch)
    there, here = nn.Trainer(single, "momentum", batch=batch, backend="cuda"), nn.Trainer(double, "momentum", batch=batch)
    here.restore(here.state() | {"parameters": there.parameters.astype(np.float64)})
    found, expected = there.step(images, labels, 0.1), here.step(images, labels, 0.1)
    assert abs(found.loss - expected.loss) <= 1e-5
    named, wanted = there.layout.named(there.gradient), here.layout.named(here.gradient)
    for key, value in wanted.items():
        assert np.linalg.norm(named[key] - value) <= 1e-5 * max(np.linalg.norm(value), 1e-3), key
    assert np.abs(there.parameters - here.parameters).max() <= 1e-4


def test_same_seed_same_bits_and_graphs_change_nothing():
    options = {"model": "resnet8", "data": "synthetic", "rule": "momentum", "schedule": "cosine", "alpha": 0.1, "epochs": 2, "probe": 0}
    first, second = (ol.train(**options, batch=64, backend="cuda") for _ in range(2))
    for key in first.data_vars:
        np.testing.assert_array_equal(first[key].values, second[key].values, err_msg=key)


def test_a_step_is_replayed_as_a_graph():
    trainer = nn.Trainer(nn.resnet8(), "adam", batch=32, backend="cuda")
    alone = nn.Trainer(nn.resnet8(), "adam", batch=32, backend="cuda")
    images, labels = drawn(trainer.model, 32)
    trainer.step(images, labels, 0.01)
    rates = np.full(6, 0.01)
    trainer.steps_on([], rates, 32)
    assert trainer._replays.reason is None
    for _ in range(7):
        alone.step(images, labels, 0.01)
    for key, value in alone.state().items():
        np.testing.assert_array_equal(trainer.state()[key], value, err_msg=key)
