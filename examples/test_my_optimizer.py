"""Checking optimizers of one's own with pytest: copy this file, put your own optimizer in, and run ``pytest test_my_optimizer.py``.

``check_optimizer`` raises with the likely mistake and the shortest gradients that show it. To see one, change a line of ``NumpyAdam``.
"""

import numpy as np
import pytest
from hypothesis import given, settings

from optlab import rules
from optlab.verify import check_gradient_estimator, check_optimizer, strategies


class NumpyAdam:
    """Adam on a list of NumPy arrays; ``step(gradients)`` changes them in place."""

    def __init__(self, params, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        self.params, self.lr, self.beta1, self.beta2, self.eps, self.t = params, lr, beta1, beta2, eps, 0
        self.m = [np.zeros_like(p) for p in params]
        self.v = [np.zeros_like(p) for p in params]

    def step(self, gradients):
        self.t += 1
        for p, g, m, v in zip(self.params, gradients, self.m, self.v, strict=True):
            if g is None:
                continue
            m[:] = self.beta1 * m + (1 - self.beta1) * g
            v[:] = self.beta2 * v + (1 - self.beta2) * g * g
            p -= self.lr * (m / (1 - self.beta1**self.t)) / (np.sqrt(v / (1 - self.beta2**self.t)) + self.eps)


def test_my_adam():
    check_optimizer(NumpyAdam, rule="adam", dialect="torch", strict=True)  # eps outside the root, as torch has it


@settings(max_examples=10, deadline=None)
@given(values=strategies.hyperparameters("adam"))
def test_my_adam_at_any_hyperparameters(values):
    numbers = {key: float(rules.Parameter(value).default) for key, value in values.items()}
    rule = rules.get("adam", **values).with_(eps_placement="outside")
    if numbers["eps"] > 0:  # without it 0 / 0 is Adam's own answer to a first gradient of zero
        check_optimizer(lambda params, lr: NumpyAdam(params, lr, **numbers), rule=rule)


def test_my_torch_adam():
    torch = pytest.importorskip("torch")

    class TorchAdam(torch.optim.Optimizer):
        def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
            super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

        @torch.no_grad()
        def step(self, closure=None):
            loss = None
            if closure is not None:
                with torch.enable_grad():
                    loss = closure()
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    state = self.state[p]
                    if not state:
                        state["t"], state["m"], state["v"] = 0, torch.zeros_like(p), torch.zeros_like(p)
                    state["t"] += 1
                    (b1, b2), t = group["betas"], state["t"]
                    state["m"].lerp_(p.grad, 1 - b1)
                    state["v"].mul_(b2).addcmul_(p.grad, p.grad, value=1 - b2)
                    scale = (state["v"] / (1 - b2**t)).sqrt() + group["eps"]
                    p.sub_(group["lr"] * state["m"] / (1 - b1**t) / scale)
            return loss

    check_optimizer(TorchAdam, rule="adam", dialect="torch", strict=True)


def test_my_mini_batches():
    data = np.random.default_rng(0).normal(size=(100, 3))  # each row stands for one sample's gradient

    def draw(rng):
        return data[rng.choice(100, size=10, replace=False)].mean(axis=0)

    check_gradient_estimator(draw, data.mean(axis=0), batch=10, sample_gradients=data, sampling="subset")
