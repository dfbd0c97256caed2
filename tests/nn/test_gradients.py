"""Losses and gradients of whole models against the twins written by hand, and the twins against finite differences."""

import numpy as np
import pytest

from optlab import nn
from tests.nn.small import by_hand, drawn, exact, furthest
from tests.oracles import network as twin

KINDS = ("batch", "layer", "rms", "none")
BOUNDS = {"float64": 1e-12, "float32": 2e-5}  #: of the largest entry; single precision over nine layers of short convolutions


def hold(trainer, images, labels, kind):
    found = trainer.step(images, labels, 0.0)
    loss, gradient, _ = by_hand(trainer, images, labels, kind)
    bound = BOUNDS[trainer.model.dtype]
    assert abs(found.loss - loss) <= bound * max(loss, 1)
    assert furthest(trainer, gradient) <= bound


@pytest.mark.parametrize("kind", KINDS)
def test_a_perceptron_with_every_norm(kind):
    """Widths that are no whole vectors, and a batch that is no whole chunk."""
    hold(*drawn(nn.mlp(features=20, hidden=(24, 17), norm=kind, dtype="float64"), batch=37), kind)


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("batch", "float64"),
        *(pytest.param(kind, "float64", marks=pytest.mark.slow) for kind in KINDS[1:]),
        pytest.param("batch", "float32", marks=pytest.mark.slow),
        pytest.param("layer", "float32", marks=pytest.mark.slow),
    ],
)
def test_a_residual_network(kind, dtype):
    hold(*drawn(nn.resnet(8, norm=kind, dtype=dtype, side=16), batch=11), kind)


@pytest.mark.slow
def test_a_network_with_plain_shortcuts_and_chunks_of_an_image():
    """Fourteen layers: blocks whose shortcut is the input itself, in stages of three sizes of tile."""
    hold(*drawn(nn.resnet(14, dtype="float64"), batch=9), "batch")


def test_linear_models():
    trainer, images, labels = drawn(nn.logistic(features=7, classes=5, dtype="float64"), batch=19)
    hold(trainer, images, labels, "none")
    trainer, images, _ = drawn(nn.linear(features=7, dtype="float64"), batch=19)
    hold(trainer, images, np.random.default_rng(1).normal(size=19), "none")


@pytest.mark.parametrize("kind", KINDS)
def test_the_twins_are_derivatives(kind):
    """Central differences of the hand-written loss, in a few directions."""
    trainer, images, labels = drawn(nn.mlp(features=20, hidden=(24, 17), norm=kind, dtype="float64"), batch=37)
    _, gradient, _ = by_hand(trainer, images, labels, kind)
    rng, named = np.random.default_rng(2), exact(trainer)
    for name, value in gradient.items():
        direction = rng.normal(size=value.shape)
        losses = []
        for step in (1e-6, -1e-6):
            logits, _, _ = twin.perceptron(named | {name: named[name] + step * direction}, kind, images, 2)
            losses.append(twin.cross_entropy(logits, labels)[0])
        assert abs((losses[0] - losses[1]) / 2e-6 - np.sum(value * direction)) <= 1e-6 * max(1, np.abs(value).sum())


def test_the_gradient_is_the_loss_s_own_slope():
    """Central differences of optlab's own loss in float64, steps too short for rectifiers to switch."""
    trainer, images, labels = drawn(nn.resnet(8, dtype="float64", side=16), batch=11)
    trainer.step(images, labels, 0.0)
    found = {name: view.copy() for name, view in trainer.layout.named(trainer.gradient).items()}
    for name, view in trainer.named().items():
        at = np.unravel_index(np.abs(found[name]).argmax(), view.shape)
        kept, losses = view[at], []
        for step in (1e-8, -1e-8):
            view[at] = kept + step
            losses.append(trainer.step(images, labels, 0.0).loss)
        view[at] = kept
        assert abs((losses[0] - losses[1]) / 2e-8 - found[name][at]) <= 1e-5 * max(abs(found[name][at]), 0.1), name
