"""Rules in torch's dialect against torch.optim, step by step in float64."""

from fractions import Fraction

import numpy as np
import pytest

from optlab import rules
from tests.rules.generated import Generated

STEPS, RATE = 300, 0.01
SETTINGS = {
    "momentum": ("SGD", lambda v: {"momentum": v["beta"]}),
    "ema_momentum": ("SGD", lambda v: {"momentum": v["beta"], "dampening": v["beta"]}),
    "rmsprop": ("RMSprop", lambda v: {"alpha": v["beta"], "eps": v["eps"]}),
    "adam": ("Adam", lambda v: {"betas": (v["beta1"], v["beta2"]), "eps": v["eps"]}),
    "adamw": ("AdamW", lambda v: {"betas": (v["beta1"], v["beta2"]), "eps": v["eps"], "weight_decay": v["wd"]}),
    "adagrad": ("Adagrad", lambda v: {"eps": v["eps"], "initial_accumulator_value": v["start"]}),
    "nadam": ("NAdam", lambda v: {"betas": (v["beta1"], v["beta2"]), "eps": v["eps"], "momentum_decay": v["psi"]}),
    "amsgrad": ("Adam", lambda v: {"betas": (v["beta1"], v["beta2"]), "eps": v["eps"], "amsgrad": True}),
    "adamax": ("Adamax", lambda v: {"betas": (v["beta1"], v["beta2"]), "eps": v["eps"]}),
}


def test_every_torch_dialect_is_compared():
    assert set(SETTINGS) == {name for name in rules.names() if "torch" in rules.get(name).dialects}


@pytest.mark.peers
@pytest.mark.parametrize("name", SETTINGS)
def test_a_torch_dialect_is_torch(name):
    import torch

    kept = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # NAdam keeps its product of momenta in the default type
    try:
        worst = difference(torch, name)
    finally:
        torch.set_default_dtype(kept)
    assert worst <= 1e-12


def difference(torch, name):
    """The largest difference of theta over the steps, relative to the largest theta so far."""
    rule = rules.get(name).dialect("torch")
    kind, settings = SETTINGS[name]
    values = {str(key): float(Fraction(int(value.p), int(value.q))) for key, value in rule.values.items()}
    w = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimizer = getattr(torch.optim, kind)([w], lr=RATE, **settings(values))
    gradients = np.random.default_rng(0).normal(size=STEPS)
    generated, x = Generated(rule, np.full(STEPS, RATE)), 1.0
    states, size, worst = generated.states, 1.0, 0.0
    for t, gradient in enumerate(gradients, 1):
        w.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        x, states = generated.step(x, states, gradient, t)
        size = max(size, abs(x))
        worst = max(worst, abs(w.item() - x) / size)
    return worst
