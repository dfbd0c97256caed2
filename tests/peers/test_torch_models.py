"""Whole models against PyTorch: the same weights, the same batches, twenty steps in float64."""

import numpy as np
import pytest

from optlab import nn
from tests.nn.small import RESNET, perceptron

pytestmark = pytest.mark.peers


RATE, EPS = 0.05, 1e-4
OWN = {"momentum": "momentum", "adamw": f"adamw(eps_placement='outside', eps={EPS})"}


def pair(kind, rule):
    """(trainer, torch module with the same weights, its optimizer)."""
    import torch

    from tests.peers import torch_models as peers

    if kind == "perceptron":
        model, module = perceptron("layer"), peers.Perceptron(20, (17,), 10, "layer")
    else:
        model, module = RESNET, peers.ResNet(14)
    trainer = nn.Trainer(model, OWN[rule], batch=8, threads=2, rng=5, decay_norms=True)
    module = peers.copied(module, trainer)
    if rule == "momentum":
        return trainer, module, torch.optim.SGD(module.parameters(), lr=RATE, momentum=0.9)
    return trainer, module, torch.optim.AdamW(module.parameters(), lr=RATE, weight_decay=0.01, eps=EPS)


@pytest.mark.parametrize(("kind", "rule"), [("resnet", "momentum"), ("resnet", "adamw"), ("perceptron", "momentum")])
def test_twenty_steps_are_torch_s(kind, rule):
    import torch
    from torch.nn import functional

    from tests.peers import torch_models as peers

    trainer, module, other = pair(kind, rule)
    rng = np.random.default_rng(0)
    for _ in range(20):
        images = rng.normal(size=(8, *trainer.model.image_shape))
        labels = rng.integers(0, 10, 8)
        given = torch.from_numpy(images.transpose(0, 3, 1, 2).copy() if images.ndim == 4 else images)
        other.zero_grad()
        loss = functional.cross_entropy(module(given), torch.from_numpy(labels))
        loss.backward()
        other.step()
        found = trainer.step(images, labels, RATE)
        assert abs(found.loss - loss.item()) <= 1e-9 * loss.item()
    for parameter, (name, array) in zip(peers.in_order(module), trainer.named().items(), strict=True):
        expected = parameter.detach()
        assert float((peers.to_torch(name, array) - expected).abs().max() / expected.abs().max()) <= 1e-9, name
    module.eval()
    with torch.no_grad():
        loss = functional.cross_entropy(module(given), torch.from_numpy(labels)).item()
    assert abs(trainer.evaluate(images, labels).loss - loss) <= 1e-9 * loss
