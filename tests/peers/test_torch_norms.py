"""Derived backward passes against torch's autograd in float64."""

import numpy as np
import pytest

from optlab import norms
from optlab.norms.record import beta, gamma
from tests.analysis.test_normalization import derived, drawn


@pytest.mark.peers
@pytest.mark.parametrize("name", norms.names())
@pytest.mark.parametrize("shape", [(2, 3), (16, 32), (64, 7)])
def test_a_norm_and_its_gradients_are_torchs(name, shape):
    import torch
    from torch.nn import functional

    arrays = drawn(11, *shape)
    data, scales, shifts, upstream = (torch.tensor(a, requires_grad=i < 3) for i, a in enumerate(arrays))
    y = {
        "batch_norm": lambda: functional.batch_norm(data, None, None, scales, shifts, training=True, eps=1e-5),
        "layer_norm": lambda: functional.layer_norm(data, shape[1:], scales, shifts, eps=1e-5),
        "rms_norm": lambda: functional.rms_norm(data, shape[1:], scales, eps=1e-5),
    }[name]()
    (y * upstream).sum().backward()
    own, dx, gradients = derived(name, *arrays, 1e-5)
    pairs = [(own, y.detach()), (dx, data.grad), (gradients[gamma], scales.grad)]
    pairs += [(gradients[beta], shifts.grad)] if beta in gradients else []
    for one, other in pairs:
        assert np.abs(one - other.numpy()).max() <= 1e-12 * max(1.0, np.abs(other.numpy()).max())
