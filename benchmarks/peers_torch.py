"""The workload in PyTorch on the CPU: arrays (d, R), operations in place; eager, and one compiled step."""

import numpy as np

from benchmarks.workload import BETA1, BETA2, EPS, RATE, trajectories

ELEMENTS = 32768
RULES = ("sgd", "adam")


def _arrays(case):
    import torch

    torch.set_num_threads(1)
    real = getattr(torch, case.dtype)
    many = trajectories(case, ELEMENTS)
    lam = torch.tensor(case.curvature, dtype=real)[:, None]
    return torch, real, many, lam


def _recorder(lam, mean, variance):
    def record(theta):
        loss = (theta * theta * lam).sum(0).double() / 2
        mean.append(loss.mean())
        variance.append(loss.var())

    return record


def _run(torch, real, many, lam, case, step):
    @torch.no_grad()
    def run(steps):
        torch.manual_seed(1)
        shape = (case.dim, many)
        theta, m, v = torch.ones(shape, dtype=real), torch.zeros(shape, dtype=real), torch.zeros(shape, dtype=real)
        mean, variance = [], []
        record = _recorder(lam, mean, variance)
        record(theta)
        for t in range(1, steps + 1):
            one, two = (1 - BETA1) / (1 - BETA1**t), (1 - BETA2) / (1 - BETA2**t)
            step(theta, m, v, RATE * one / two**0.5, EPS / two)
            if t % case.every == 0:
                record(theta)
        return np.array([float(x) for x in mean]), np.array([float(x) for x in variance])

    return run


def prepare(case):
    """``(trajectories, run)`` in eager mode."""
    torch, real, many, lam = _arrays(case)
    g, work = (torch.empty((case.dim, many), dtype=real) for _ in range(2))

    def sgd(theta, m, v, rate, eps):
        g.normal_().addcmul_(lam, theta)
        theta.sub_(g, alpha=RATE)

    def adam(theta, m, v, rate, eps):  # memories without their factor 1 - beta
        g.normal_().addcmul_(lam, theta)
        m.mul_(BETA1).add_(g)
        v.mul_(BETA2).addcmul_(g, g)
        torch.add(v, eps, out=work).sqrt_()
        theta.addcdiv_(m, work, value=-rate)

    return many, _run(torch, real, many, lam, case, {"sgd": sgd, "adam": adam}[case.rule])


def prepare_compiled(case):
    """``(trajectories, run)`` with ``torch.compile`` on the step, its random numbers included."""
    torch, real, many, lam = _arrays(case)

    def sgd(theta, m, v, rate, eps):
        g = lam * theta + torch.randn_like(theta)
        theta.sub_(g, alpha=RATE)

    def adam(theta, m, v, rate, eps):
        g = lam * theta + torch.randn_like(theta)
        m.copy_(m * BETA1 + g)
        v.copy_(v * BETA2 + g * g)
        theta.sub_(rate * m / torch.sqrt(v + eps))

    torch._dynamo.reset()
    compiled = torch.compile({"sgd": sgd, "adam": adam}[case.rule])

    def step(theta, m, v, rate, eps):  # what changes from step to step is a tensor, so that it is compiled once
        compiled(theta, m, v, torch.tensor(rate, dtype=real), torch.tensor(eps, dtype=real))

    return many, _run(torch, real, many, lam, case, step)
