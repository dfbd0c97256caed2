"""Training on a CUDA device: `make gpu`."""

import numpy as np
import pytest

import optlab as ol
from optlab import nn
from optlab.codegen.cuda import require
from tests.cuda import test_bf16_parity as parity
from tests.cuda.bf16_cases import LAYERS
from tests.cuda.bf16_cases import STEPS as ROUNDED_STEPS
from tests.cuda.bf16_cases import taken as rounded_steps
from tests.cuda.bf16_layers import convolved
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


@pytest.fixture(scope="module")
def rounded():
    """In bfloat16 on the device, what the tests without one find on the simulator."""
    steps = {
        name: rounded_steps(moved(nn.Trainer(model, rule, batch=max(sizes), backend="cuda", precision="bf16")), sizes)
        for name, (model, rule, sizes) in ROUNDED_STEPS.items()
    }
    return {"layers": {name: convolved(name) for name in LAYERS}, "steps": steps}


@pytest.mark.parametrize("name", LAYERS)
def test_a_convolution_in_bfloat16_is_exact_but_for_its_sums_and_one_rounding(name, rounded):
    """Tensor cores may cut bits where they align what they add: four times float32's error is allowed to each sum."""
    parity.hold_to_float64(name, rounded["layers"][name], 4 * parity.SINGLE)


@pytest.mark.parametrize("name", ROUNDED_STEPS)
def test_a_gradient_in_bfloat16_is_the_twins_that_rounds_at_the_same_places(name, rounded):
    parity.test_a_gradient_is_the_twins_that_rounds_at_the_same_places(name, rounded)
    parity.test_a_gradient_is_that_of_float64_but_for_the_roundings(name, rounded)


def test_a_step_in_bfloat16_is_float32s_but_for_the_roundings():
    """ResNet-20, batch 128: the change of the parameters and the loss; see the tests without a device for the expected part."""
    single, double = (nn.Trainer(nn.resnet20(), "momentum", backend="cuda", precision=precision) for precision in ("bf16", "full"))
    images, labels = drawn(single.model, 128)
    start = single.parameters
    np.testing.assert_array_equal(start, double.parameters)
    losses = [trainer.step(images, labels, 0.1).loss for trainer in (single, double)]
    part = parity.expected_part(single.model)
    assert abs(losses[0] - losses[1]) <= part * losses[1]
    apart = np.linalg.norm(single.parameters - double.parameters)
    assert 0 < apart <= part * np.linalg.norm(double.parameters - start)


def test_bfloat16_gives_the_same_bits_for_the_same_seed():
    options = {"model": "resnet8", "data": "synthetic", "rule": "momentum", "schedule": "cosine", "alpha": 0.1, "epochs": 2, "probe": 0}
    first, second = (ol.train(**options, batch=64, backend="cuda", precision="bf16") for _ in range(2))
    for key in first.data_vars:
        np.testing.assert_array_equal(first[key].values, second[key].values, err_msg=key)
