"""Optimizers written with torch and optax, right and wrong; imported only by tests that need these libraries."""

import optax
import torch


class TorchAdam(torch.optim.Optimizer):
    """Adam as a user writes it; the switches are the mistakes."""

    mistake = ""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None and self.mistake != "closure ignored":
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            lr = self.defaults["lr"] if self.mistake == "defaults read" else group["lr"]
            for p in group["params"]:
                if p.grad is not None:
                    self.update(p, p.grad, self.state[p], lr, group)
        return None if self.mistake == "loss not returned" else loss

    def update(self, p, g, state, lr, group):
        (b1, b2), eps, wd = group["betas"], group["eps"], group["weight_decay"]
        if not state:
            kind = torch.float32 if self.mistake == "single precision" else p.dtype
            state["t"], state["m"], state["v"] = 0, torch.zeros_like(p, dtype=kind), torch.zeros_like(p, dtype=kind)
            if self.mistake == "default precision":
                state["m"], state["v"] = torch.zeros(p.shape), torch.zeros(p.shape)
        if wd and self.mistake == "L2 in place":
            g.add_(p, alpha=wd)
        elif wd:
            g = g.add(p, alpha=wd) if self.mistake == "L2" else g
            if self.mistake != "L2":
                p.mul_(1 - lr * wd)
        state["t"] += 1
        t = state["t"] - (1 if self.mistake == "late" else 0)
        state["m"].mul_(b1).add_(g, alpha=1 - b1)
        state["v"].mul_(b2).addcmul_(g, g, value=1 - b2)
        corrections = (1 - b1**t, 1 - b2**t) if t else (1.0, 1.0)
        mhat, vhat = state["m"] / corrections[0], state["v"] / corrections[1]
        p.sub_(lr * mhat / (torch.sqrt(vhat + eps) if self.mistake == "eps inside" else torch.sqrt(vhat) + eps))


def wrong_torch(mistake, **options):
    made = type("WrongAdam", (TorchAdam,), {"mistake": mistake})
    return lambda params, lr: made(params, lr=lr, **options)


class TorchMomentum(torch.optim.Optimizer):
    """Momentum whose first buffer is the gradient itself, or a copy of it."""

    copies = True

    def __init__(self, params, lr=1e-3, beta=0.9):
        super().__init__(params, {"lr": lr, "beta": beta})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if "v" in state:
                    state["v"].mul_(group["beta"]).add_(p.grad)
                else:
                    state["v"] = p.grad.clone() if self.copies else p.grad
                p.sub_(group["lr"] * state["v"])


class TorchMomentumWithoutCopy(TorchMomentum):
    copies = False


def optax_momentum(decay=0.9, mistake=""):
    """Momentum as a chain of transformations of one's own."""
    import jax

    def init(params):
        return jax.tree_util.tree_map(lambda p: 0 * p, params)

    def update(updates, state, params=None):
        share = 1 - decay if mistake == "dampened" else 1.0
        new = jax.tree_util.tree_map(lambda v, g: decay * v + share * g, state, updates)
        return (state if mistake == "old" else new), new

    return lambda lr: optax.chain(optax.GradientTransformation(init, update), optax.scale(lr if mistake == "climbs" else -lr))
