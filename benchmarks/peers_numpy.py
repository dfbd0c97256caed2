"""The workload in NumPy: arrays (d, R) that fit in cache, every operation in place, SFC64."""

import numpy as np

from benchmarks.workload import BETA, BETA1, BETA2, DECAY, EPS, RATE, trajectories

ELEMENTS = {"float64": 8192, "float32": 32768}  #: fastest of 2048, 8192, 32768 and 131072 on Adam


def prepare(case):
    """``(trajectories, run)`` of one case."""
    many, real = trajectories(case, ELEMENTS[case.dtype]), np.dtype(case.dtype).type
    lam = case.curvature.astype(real)[:, None]
    half = lam / 2
    theta, g, m, v, work = (np.empty((case.dim, many), real) for _ in range(5))
    rates = {name: real(value) for name, value in (("rate", RATE), ("beta", BETA), ("one", BETA1), ("two", BETA2), ("eps", EPS))}

    def sgd(t):
        np.multiply(g, rates["rate"], out=g)
        np.subtract(theta, g, out=theta)

    def momentum(t):
        np.multiply(m, rates["beta"], out=m)
        np.multiply(g, rates["rate"], out=g)
        np.subtract(m, g, out=m)
        np.add(theta, m, out=theta)

    def rmsprop(t):
        np.multiply(v, rates["beta"], out=v)
        np.multiply(g, g, out=work)
        np.multiply(work, real(1 - BETA), out=work)
        np.add(v, work, out=v)
        np.add(v, rates["eps"], out=work)
        np.sqrt(work, out=work)
        np.divide(g, work, out=work)
        np.multiply(work, rates["rate"], out=work)
        np.subtract(theta, work, out=theta)

    def adam(t):  # memories without their factor 1 - beta: two passes fewer
        first, second = (1 - BETA1) / (1 - BETA1**t), (1 - BETA2) / (1 - BETA2**t)
        np.multiply(m, rates["one"], out=m)
        np.add(m, g, out=m)
        np.multiply(v, rates["two"], out=v)
        np.multiply(g, g, out=g)
        np.add(v, g, out=v)
        np.add(v, real(EPS / second), out=work)
        np.sqrt(work, out=work)
        np.divide(m, work, out=work)
        np.multiply(work, real(RATE * first / np.sqrt(second)), out=work)
        np.subtract(theta, work, out=theta)

    def adamw(t):
        np.multiply(theta, real(1 - RATE * DECAY), out=theta)
        adam(t)

    update = {"sgd": sgd, "momentum": momentum, "rmsprop": rmsprop, "adam": adam, "adamw": adamw}[case.rule]

    def run(steps):
        generator = np.random.Generator(np.random.SFC64(1))
        theta.fill(1)
        m.fill(0)
        v.fill(0)
        mean, variance = [], []

        def record():
            np.multiply(theta, theta, out=work)
            np.multiply(work, half, out=work)
            loss = work.sum(axis=0, dtype=np.float64)
            mean.append(loss.mean())
            variance.append(loss.var(ddof=1))

        record()
        for t in range(1, steps + 1):
            generator.standard_normal(out=g, dtype=real)
            np.multiply(theta, lam, out=work)
            np.add(g, work, out=g)
            update(t)
            if t % case.every == 0:
                record()
        return np.array(mean), np.array(variance)

    return many, run
