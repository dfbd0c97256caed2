"""One cycle: base to peak over the first part, peak to base/100 over the rest, both by half cosines.

The peak is reached at step rise * (steps - 1) and base/100 at the last step, steps - 1.
"""

import sympy as sp

from optlab.schedules import Dialect, Parameter, Schedule, option, symbol, time
from optlab.schedules.cosine import anneal, annealed

base, peak, steps, rise = symbol("base"), symbol("peak"), symbol("steps"), symbol("rise")
last = steps - 1
top = rise * last

N, first_part = option("total_steps"), option("pct_start")
high, divisor, final = option("max_lr"), option("div_factor"), option("final_div_factor")


def cycle(low: sp.Expr, high: sp.Expr, lowest: sp.Expr, turn: sp.Expr, end: sp.Expr) -> sp.Expr:
    """Half cosines from ``low`` to ``high`` at step ``turn`` and down to ``lowest`` at ``end``."""
    zero = sp.Integer(0)
    return sp.Piecewise((annealed(low, high, zero, turn), time < turn), (annealed(high, lowest, turn, end), time < end), (lowest, True))


SCHEDULE = Schedule(
    name="one_cycle",
    summary="up once, down once, and a small rate at the end",
    reference="Smith & Topin, Super-convergence, arXiv:1708.07120, 2017",
    expression=sp.Piecewise(
        (anneal(base, peak, time / top), time < top),
        (anneal(peak, base / 100, (time - top) / (last - top)), time < last),
        (base / 100, True),
    ),
    parameters={
        base: Parameter(within="[0, oo)", about="first learning rate"),
        peak: Parameter(within="[0, oo)", about="largest learning rate"),
        steps: Parameter(within="[2, oo)", integer=True, about="length"),
        rise: Parameter("3/10", within="(0, 1)", about="fraction of the steps spent rising"),
    },
    dialects={
        "torch": Dialect(
            "torch.optim.lr_scheduler.OneCycleLR", {},
            expression=cycle(high / divisor, high, high / divisor / final, first_part * N - 1, N - 1),
            note="it moves the momentum too, unless cycle_momentum=False; after total_steps it raises an error",
        ),
        "optax": Dialect(
            "optax.cosine_onecycle_schedule", {},
            expression=cycle(
                option("peak_value") / divisor, option("peak_value"), option("peak_value") / divisor / final,
                first_part * option("transition_steps"), option("transition_steps"),
            ),
            note="it rounds pct_start * transition_steps down to a whole number",
        ),
    },
)  # fmt: skip
