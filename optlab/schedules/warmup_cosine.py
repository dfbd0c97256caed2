"""Linear warmup over ``warmup`` steps (the first step takes peak/warmup), then cosine annealing to the floor at ``steps``."""

import sympy as sp

from optlab.schedules import Dialect, Parameter, Schedule, option, symbol, time
from optlab.schedules.cosine import SCHEDULE as COSINE
from optlab.schedules.cosine import anneal, annealed, floor, peak, steps

warmup = symbol("warmup")


def warmed(first: sp.Expr, top: sp.Expr, rise: sp.Expr, end: sp.Expr, last: sp.Expr) -> sp.Expr:
    """A straight line from ``first`` at step 0 to ``top`` at step ``rise``, half a cosine to ``last`` at ``end``: optax and keras."""
    return sp.Piecewise((first + (top - first) * time / rise, time < rise), (annealed(top, last, rise, end), time < end), (last, True))


SCHEDULE = Schedule(
    name="warmup_cosine",
    summary="a straight rise, then half a cosine down",
    reference="Goyal et al., Accurate, large minibatch SGD, arXiv:1706.02677, 2017 (warmup); Loshchilov & Hutter, ICLR 2017 (cosine)",
    expression=sp.Piecewise(
        (peak * (time + 1) / warmup, time < warmup), (anneal(peak, floor, (time - warmup) / (steps - warmup)), time < steps), (floor, True)
    ),
    parameters={**COSINE.parameters, warmup: Parameter(within="[0, oo)", integer=True, about="steps of the rise")},
    dialects={
        "optax": Dialect(
            "optax.warmup_cosine_decay_schedule", {},
            expression=warmed(*(option(name) for name in ("init_value", "peak_value", "warmup_steps", "decay_steps", "end_value"))),
            note="its step 0 takes init_value",
        ),
        "keras": Dialect(
            "keras.optimizers.schedules.CosineDecay", {},
            expression=warmed(
                option("initial_learning_rate"), option("warmup_target"), option("warmup_steps"),
                option("warmup_steps") + option("decay_steps"), option("alpha") * option("warmup_target"),
            ),
            note="its step 0 takes initial_learning_rate",
        ),
    },
)  # fmt: skip
