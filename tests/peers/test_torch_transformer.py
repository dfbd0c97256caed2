"""The encoder against PyTorch's autograd: the same weights, the same batch, float64."""

import numpy as np
import pytest

from tests.nn.test_transformer import KINDS, drawn

pytestmark = pytest.mark.peers


def forward(weights, model, tokens):
    """Logits (sequences, tokens, vocabulary) by torch's own layer_norm, rms_norm and scaled_dot_product_attention."""
    from torch.nn import functional as fn

    def linear(name, x):
        return fn.linear(x, weights[f"{name}.weight"].T, weights[f"{name}.bias"])

    def norm(name, x):
        if model.norm == "none":
            return x
        gamma = weights[f"{name}.gamma"]
        if model.norm == "layer":
            return fn.layer_norm(x, gamma.shape, gamma, weights[f"{name}.beta"], 1e-5)
        return fn.rms_norm(x, gamma.shape, gamma, 1e-5)

    def attention(name, x):
        q, k, v = (part.unflatten(-1, (model.heads, -1)).transpose(1, 2) for part in linear(f"{name}.qkv", x).chunk(3, -1))
        return linear(f"{name}.out", fn.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))

    def perceptron(name, x):
        return linear(f"{name}.down", fn.relu(linear(f"{name}.up", x)))

    x = weights["embedding"][tokens] + weights["positions"]
    for block in range(model.blocks):
        for number, inner in ((1, attention), (2, perceptron)):
            name = f"block{block}"
            at = f"{name}.norm{number}"
            x = x + inner(name, norm(at, x)) if model.norm_place == "pre" else norm(at, x + inner(name, x))
    return linear("output", norm("norm", x) if model.norm_place == "pre" else x)


@pytest.mark.parametrize(("place", "norm"), KINDS)
def test_loss_and_gradient_are_torch_s(place, norm):
    import torch
    from torch.nn import functional as fn

    trainer, tokens, labels = drawn(place, norm)
    found = trainer.gradients(tokens, labels)
    weights = {name: torch.tensor(np.array(view), requires_grad=True) for name, view in trainer.named().items()}
    logits = forward(weights, trainer.model, torch.from_numpy(tokens))
    loss = fn.cross_entropy(logits.flatten(0, 1), torch.from_numpy(labels).flatten())
    loss.backward()
    assert abs(found.loss - loss.item()) <= 1e-9 * loss.item()
    scale = max(float(weight.grad.abs().max()) for weight in weights.values())
    for name, view in trainer.layout.named(trainer.gradient).items():
        expected = weights[name].grad.numpy()
        assert np.abs(view - expected).max() <= 1e-9 * np.abs(expected).max() + 1e-15 * scale, name
