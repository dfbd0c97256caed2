"""The records and their derived backward passes against torch's functions and autograd, in float64."""

import numpy as np
import pytest

from optlab import norms
from optlab.norms.record import beta, gamma
from optlab.symbols import symbol
from tests.norms.interpreted import drawn, forward, gradients, running_values
from tests.oracles.norms import AXIS

mean, var = symbol("mean"), symbol("var")
EPS = 1e-5


def near(own, other):
    other = other.detach().numpy()
    assert own.shape == other.shape
    assert np.abs(own - other).max() <= 1e-12 * max(1.0, np.abs(other).max())


@pytest.mark.peers
@pytest.mark.parametrize("name", norms.names())
@pytest.mark.parametrize("shape", [(2, 3), (16, 32), (64, 7), (500, 40)])
def test_a_norm_and_its_gradients_are_torchs(name, shape):
    import torch
    from torch.nn import functional

    arrays = drawn(11, *shape)
    data, scales, shifts, upstream = (torch.tensor(a, requires_grad=i < 3) for i, a in enumerate(arrays))
    y = {
        "batch_norm": lambda: functional.batch_norm(data, None, None, scales, shifts, training=True, eps=EPS),
        "layer_norm": lambda: functional.layer_norm(data, shape[1:], scales, shifts, eps=EPS),
        "rms_norm": lambda: functional.rms_norm(data, shape[1:], scales, eps=EPS),
    }[name]()
    (y * upstream).sum().backward()
    norm, parameters = norms.get(name), {gamma: arrays[1], beta: arrays[2]}
    near(forward(norm, AXIS[name], arrays[0], parameters, EPS), y)
    dx, summed = gradients(norm, AXIS[name], arrays[0], parameters, arrays[3], EPS)
    near(dx, data.grad)
    near(summed[gamma], scales.grad)
    assert (beta in summed) == (name != "rms_norm")
    if beta in summed:
        near(summed[beta], shifts.grad)


@pytest.mark.peers
def test_batch_norm_of_images_is_torchs():
    """Images are rows too: one for each place of each image."""
    import torch
    from torch.nn import functional

    images, channels, height, width = 4, 3, 5, 6
    rows = drawn(12, images * height * width, channels)

    def to_images(array):
        return torch.tensor(array.reshape(images, height, width, channels).transpose(0, 3, 1, 2).copy())

    def to_rows(tensor):
        return tensor.permute(0, 2, 3, 1).reshape(-1, channels)

    data, scales, shifts = to_images(rows[0]).requires_grad_(), *(torch.tensor(a, requires_grad=True) for a in rows[1:3])
    y = functional.batch_norm(data, None, None, scales, shifts, training=True, eps=EPS)
    (y * to_images(rows[3])).sum().backward()
    norm, parameters = norms.get("batch_norm"), {gamma: rows[1], beta: rows[2]}
    near(forward(norm, 0, rows[0], parameters, EPS), to_rows(y))
    dx, summed = gradients(norm, 0, rows[0], parameters, rows[3], EPS)
    near(dx, to_rows(data.grad))
    near(summed[gamma], scales.grad)
    near(summed[beta], shifts.grad)


@pytest.mark.peers
@pytest.mark.parametrize("weight", [0.1, 0.37])
def test_running_values_and_inference_are_torchs(weight):
    import torch
    from torch.nn import functional

    norm, features = norms.get("batch_norm"), 5
    _, scales, shifts, _ = drawn(13, 2, features)
    own = {mean: np.zeros(features), var: np.ones(features)}
    theirs = torch.zeros(features, dtype=torch.float64), torch.ones(features, dtype=torch.float64)
    parameters = torch.tensor(scales), torch.tensor(shifts)
    for seed in range(20):
        data = drawn(seed, 2 + seed, features)[0]
        functional.batch_norm(torch.tensor(data), *theirs, *parameters, training=True, momentum=weight, eps=EPS)
        own = running_values(norm, data, own, weight)
        near(own[mean], theirs[0])
        near(own[var], theirs[1])
    y = functional.batch_norm(torch.tensor(data), *theirs, *parameters, training=False, eps=EPS)
    near(forward(norm, 0, data, {gamma: scales, beta: shifts}, EPS, given=own), y)


@pytest.mark.peers
def test_defaults_are_torchs():
    import torch

    from optlab.norms.record import eps, momentum

    layers = {"batch_norm": torch.nn.BatchNorm1d(3), "layer_norm": torch.nn.LayerNorm(3)}
    for name, layer in layers.items():
        assert float(norms.get(name).defaults[eps]) == layer.eps
    assert float(norms.get("batch_norm").defaults[momentum]) == layers["batch_norm"].momentum
