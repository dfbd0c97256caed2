"""Small models with drawn parameters and batches, and their twins by hand."""

import numpy as np

from optlab import nn
from tests.oracles import network as twin

RESNET = nn.resnet(14, dtype="float64")  #: compiled once for all tests of whole networks


def perceptron(kind="batch"):
    """Widths that are no whole vectors."""
    return nn.mlp(features=20, hidden=(17,), norm=kind, dtype="float64")


def drawn(model, *, batch, threads=1, seed=0, rule="sgd", images=None, **options):
    """(trainer, images, labels): parameters of norms away from where they start, so that each matters."""
    trainer, rng = nn.Trainer(model, rule, batch=batch, threads=threads, rng=seed, **options), np.random.default_rng(seed)
    for name, view in trainer.named().items():
        if not name.endswith("weight") or model.start == "zero":
            view += 0.3 * rng.normal(size=view.shape)
    count = batch if images is None else images
    given = rng.normal(size=(count, *model.image_shape)).astype(model.dtype)
    return trainer, given, rng.integers(0, model.outputs, count)


def exact(trainer):
    """Copies of the parameters in float64."""
    return {name: view.astype(np.float64) for name, view in trainer.named().items()}


def by_hand(trainer, images, labels, kind):
    """(loss, gradient by name, tape) of the twin."""
    model, named = trainer.model, exact(trainer)
    images = images.astype(np.float64)
    if model.name.startswith("resnet"):
        logits, back, tape = twin.resnet(named, kind, images, len(model.layers) // 6)
    else:
        logits, back, tape = twin.perceptron(named, kind, images, len(model.layers) - 1)
    loss, slope = (twin.squared_error if model.objective == "squared_error" else twin.cross_entropy)(logits, labels)
    return loss, back(slope), tape


def furthest(trainer, expected):
    """The largest error of the trainer's gradient, relative to the largest entry of each parameter's."""
    found = trainer.layout.named(trainer.gradient)
    assert found.keys() == expected.keys()
    return max(np.abs(found[name] - value).max() / np.abs(value).max() for name, value in expected.items())
