"""The workload in JAX: jit and lax.scan over batched arrays, the fastest of two layouts and three generators."""

import os
from functools import partial
from time import perf_counter

import numpy as np

from benchmarks.workload import BETA, BETA1, BETA2, DECAY, EPS, RATE, SEGMENT, trajectories

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

ELEMENTS = 32768
VARIANTS = tuple((layout, generator) for generator in ("threefry2x32", "rbg", "unsafe_rbg") for layout in ("(d, R)", "(R, d)"))
_fastest = {}  #: by (dim, dtype), found with SGD


def update(jnp, rule, theta, m, v, g, powers):
    """New theta, memories and powers of the betas."""
    if rule == "sgd":
        return theta - RATE * g, m, v, powers
    if rule == "momentum":
        m = BETA * m - RATE * g
        return theta + m, m, v, powers
    if rule == "rmsprop":
        v = BETA * v + (1 - BETA) * g * g
        return theta - RATE * g / jnp.sqrt(v + EPS), m, v, powers
    m, v = BETA1 * m + (1 - BETA1) * g, BETA2 * v + (1 - BETA2) * g * g
    powers = powers * jnp.array([BETA1, BETA2], powers.dtype)
    rest = 1 - powers
    decay = 1 - RATE * DECAY if rule == "adamw" else 1
    return theta * decay - RATE * (m / rest[0]) / jnp.sqrt(v / rest[1] + EPS), m, v, powers


def build(case, layout, generator):
    """``(trajectories, run)`` of one layout and generator."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    many, real = trajectories(case, ELEMENTS), np.dtype(case.dtype)
    rows = layout == "(d, R)"
    lam = jnp.asarray(case.curvature, real)[:, None] if rows else jnp.asarray(case.curvature, real)
    shape, axis = ((case.dim, many), 0) if rows else ((many, case.dim), 1)
    memories = {"sgd": 0, "momentum": 1, "rmsprop": 2}.get(case.rule, 3)  # bits: m, v

    def step(carry, _):
        theta, m, v, powers, key = carry
        key, now = jax.random.split(key)
        g = lam * theta + jax.random.normal(now, shape, real)
        theta, m, v, powers = update(jnp, case.rule, theta, m, v, g, powers)
        return (theta, m, v, powers, key), None

    def moments(theta):
        loss = jnp.sum(lam * theta * theta, axis=axis, dtype=jnp.float64) / 2
        return jnp.mean(loss), jnp.var(loss, ddof=1)

    def until_record(carry, _):
        carry, _ = jax.lax.scan(step, carry, length=case.every)
        return carry, moments(carry[0])

    @partial(jax.jit, donate_argnums=0)
    def segment(carry):
        return jax.lax.scan(until_record, carry, length=SEGMENT // case.every)

    first = jax.jit(moments)

    def run(steps):
        blank = jnp.zeros((), real)
        theta = jnp.ones(shape, real)
        m = jnp.zeros(shape, real) if memories & 1 else blank
        v = jnp.zeros(shape, real) if memories & 2 else jnp.zeros((), real)
        carry = (theta, m, v, jnp.ones(2, real), jax.random.key(1, impl=generator))
        found = [tuple(x[None] for x in first(theta))]
        for _ in range(steps // SEGMENT):
            carry, moment = segment(carry)
            found.append(moment)
        mean, variance = (np.concatenate([np.asarray(part[k]) for part in found]) for k in (0, 1))
        return mean, variance

    return many, run


def fastest(case):
    """The layout and generator that took least time on SGD of this dimension and dtype."""
    place = (case.dim, case.dtype)
    if place not in _fastest:
        seconds = {}
        for variant in VARIANTS:
            _, run = build(type(case)(case.dim, "sgd", case.dtype), *variant)
            run(SEGMENT)
            times = []
            for _ in range(3):
                began = perf_counter()
                run(SEGMENT)
                times.append(perf_counter() - began)
            seconds[variant] = min(times)
        _fastest[place] = min(seconds, key=seconds.get)
    return _fastest[place]


def prepare(case):
    """``(trajectories, run)`` of the fastest variant."""
    return build(case, *fastest(case))


def variants():
    """The variant chosen for each dimension and dtype so far."""
    return dict(_fastest)
