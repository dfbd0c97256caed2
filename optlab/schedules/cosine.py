"""Cosine annealing from the peak to the floor over ``steps`` steps, and the floor after that."""

import sympy as sp

from optlab.schedules import Dialect, Parameter, Schedule, option, symbol, time

peak, floor, steps = symbol("peak"), symbol("floor"), symbol("steps")


def anneal(high: sp.Expr, low: sp.Expr, position: sp.Expr) -> sp.Expr:
    """Half a cosine from ``high`` at position 0 to ``low`` at position 1 (expressions)."""
    return low + (high - low) * (1 + sp.cos(sp.pi * position)) / 2


def annealed(high: sp.Expr, low: sp.Expr, start: sp.Expr, end: sp.Expr) -> sp.Expr:
    """Half a cosine from ``high`` at step ``start`` to ``low`` at step ``end``."""
    return anneal(high, low, (time - start) / (end - start))


def decayed(first: sp.Expr, share: sp.Expr, length: sp.Expr) -> sp.Expr:
    """From ``first`` to ``share`` of it over ``length`` steps, and that afterwards: as optax and keras have it."""
    return sp.Piecewise((annealed(first, share * first, sp.Integer(0), length), time < length), (share * first, True))


SCHEDULE = Schedule(
    name="cosine",
    summary="half a cosine from the peak to the floor",
    reference="Loshchilov & Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017, Eq. 5",
    expression=sp.Piecewise((anneal(peak, floor, time / steps), time < steps), (floor, True)),
    parameters={
        peak: Parameter(within="[0, oo)", about="first learning rate"),
        steps: Parameter(within="[1, oo)", integer=True, about="length"),
        floor: Parameter(0, within="[0, oo)", about="last learning rate"),
    },
    dialects={
        "torch": Dialect(
            "torch.optim.lr_scheduler.CosineAnnealingLR", {},
            expression=annealed(option("lr"), option("eta_min"), sp.Integer(0), option("T_max")),
            note="past T_max the cosine rises again",
        ),
        "optax": Dialect(
            "optax.cosine_decay_schedule", {}, expression=decayed(option("init_value"), option("alpha"), option("decay_steps"))
        ),
        "keras": Dialect(
            "keras.optimizers.schedules.CosineDecay", {},
            expression=decayed(option("initial_learning_rate"), option("alpha"), option("decay_steps")),
        ),
    },
)  # fmt: skip
