"""Losses and gradients of whole models against the twins written by hand, and the twins against finite differences."""

import numpy as np
import pytest

from optlab import nn
from tests.nn.small import RESNET, by_hand, drawn, exact, furthest, perceptron
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
    hold(*drawn(perceptron(kind), batch=37), kind)


def test_a_residual_network():
    """Stages of three sizes of tile, images in several chunks and several images in one, shortcuts of both kinds."""
    hold(*drawn(RESNET, batch=9), "batch")


def test_a_residual_network_in_single_precision_normalized_by_rows():
    hold(*drawn(nn.resnet(8, norm="layer", side=16), batch=11), "layer")


def test_linear_models():
    trainer, images, labels = drawn(nn.logistic(features=7, classes=5, dtype="float64"), batch=19)
    hold(trainer, images, labels, "none")
    trainer, images, _ = drawn(nn.linear(features=7, outputs=5, dtype="float64"), batch=19)
    hold(trainer, images, np.random.default_rng(1).normal(size=(19, 5)), "none")


@pytest.mark.parametrize("kind", KINDS)
def test_the_twins_are_derivatives(kind):
    """Central differences of the hand-written loss, in a few directions."""
    trainer, images, labels = drawn(perceptron(kind), batch=37)
    _, gradient, _ = by_hand(trainer, images, labels, kind)
    rng, named = np.random.default_rng(2), exact(trainer)
    for name, value in gradient.items():
        direction = rng.normal(size=value.shape)
        losses = []
        for step in (1e-6, -1e-6):
            logits, _, _ = twin.perceptron(named | {name: named[name] + step * direction}, kind, images, 1)
            losses.append(twin.cross_entropy(logits, labels)[0])
        assert abs((losses[0] - losses[1]) / 2e-6 - np.sum(value * direction)) <= 1e-6 * max(1, np.abs(value).sum())


def test_the_gradient_is_the_loss_s_own_slope():
    """Central differences of optlab's own loss in float64, steps too short for rectifiers to switch."""
    trainer, images, labels = drawn(RESNET, batch=9)
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
