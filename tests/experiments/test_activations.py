"""Activations against a network by hand; the conditioning of a Gram matrix against NumPy's."""

import numpy as np
import pytest

from optlab.experiments.activations import activations, conditioning
from tests.nn.small import RESNET, by_hand, drawn, perceptron
from tests.oracles.network import norm as norm_by_hand


@pytest.mark.parametrize("kind", ["none", "batch", "layer", "rms"])
def test_activations_by_hand(kind):
    trainer, images, labels = drawn(perceptron(kind), batch=9)
    before = {name: value.copy() for name, value in trainer.state().items()}
    (found,) = activations(trainer, images)
    *_, tape = by_hand(trainer, images, labels, kind)
    expected = np.maximum(norm_by_hand(kind, tape.results["hidden0"], tape.parameters("hidden0")), 0)[:, 0, 0]
    np.testing.assert_allclose(found, expected, atol=1e-10)
    for name, value in trainer.state().items():
        np.testing.assert_array_equal(value, before[name])  # looking changes nothing, running values included


def test_pixels_are_rows():
    trainer, images, labels = drawn(RESNET, batch=2)
    found = activations(trainer, images)
    *_, tape = by_hand(trainer, images, labels, "batch")
    assert [rows.shape for rows in (found[0], found[-1])] == [(2 * 32 * 32, 16), (2 * 8 * 8, 64)]
    name = "stage1.block1.conv1"
    expected = np.maximum(norm_by_hand("batch", tape.results[name], tape.parameters(name)), 0)
    np.testing.assert_allclose(found[1], expected.reshape(-1, 16), atol=1e-9)


def test_conditioning():
    rows = np.random.default_rng(0).normal(size=(50, 4)) * [1.0, 2.0, 3.0, 4.0]
    condition, rank = conditioning(rows)
    assert condition == pytest.approx(np.linalg.cond(rows) ** 2)
    values = np.linalg.svd(rows, compute_uv=False) ** 2
    assert rank == pytest.approx(values.sum() ** 2 / (values**2).sum())
    dead = rows * [1, 1, 0, 1]
    assert conditioning(dead)[0] == np.inf
    assert 1 < conditioning(dead)[1] < 3
    assert np.isnan(conditioning(0 * rows)).all()
