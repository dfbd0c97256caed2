"""Claim 8: momentum gains speed in persistent directions and loses it where the direction changes."""

from __future__ import annotations

import numpy as np
import xarray as xr

from optlab import rules
from optlab.claims.record import Claim, Findings, Measured, Part, Setting
from optlab.experiments.experiment import Run
from optlab.verify.evaluation import Program
from optlab.verify.evaluation import Setting as Fed

STEPS, TURN = 120, 80


def streams() -> dict[str, np.ndarray]:
    """Gradients of size 1: always the same, changing sign at every step, and turning round once."""
    step = np.arange(STEPS)
    return {"persistent": np.ones(STEPS), "alternating": (-1.0) ** step, "turning": np.where(step < TURN, 1.0, -1.0)}


def measure(setting: Setting, run: Run) -> Findings:
    """Steps of momentum over those of SGD on the same gradients: exact, from the rule's equations."""
    given = streams()
    fed = Fed(np.stack(list(given.values()), 1), np.ones(STEPS), np.zeros(len(given)), (len(given),))
    speed = {name: -np.diff(Program.of(rules.get(name)).run(fed), axis=0) for name in ("sgd", "momentum")}
    ratio = np.abs(speed["momentum"]) / np.abs(speed["sgd"])
    persistent, alternating, turning = ratio.T
    numbers = {
        "persistent": Measured.exact(float(persistent[-1])), "alternating": Measured.exact(float(alternating[-1])),
        "turning": Measured.exact(float(turning[TURN + 5] / turning[TURN - 1])),
    }  # fmt: skip
    back = int(np.argmax(speed["momentum"][TURN:, 2] < 0)) + 1
    data = xr.Dataset(
        {"speed": (("stream", "step"), speed["momentum"].T, {"long_name": "step of momentum over that of SGD, with its sign"})},
        {"stream": list(given), "step": np.arange(1, STEPS + 1)},
    )
    return Findings(numbers, data, (f"After the gradient turns round, momentum goes on the old way for {back - 1} steps more.",))


CLAIM = Claim(
    number=8,
    name="momentum_speed",
    statement="Momentum (β = 0.9) gains speed in persistent directions and slows down where the direction changes.",
    test=f"Momentum and SGD on the same gradients of size 1, {STEPS} steps, exact: the same sign throughout; alternating signs; one turn "
    f"after {TURN} steps. Steps of momentum over steps of SGD: gains speed means at least 2; slows down means below 1, and six steps after "
    "the turn below the speed before it.",
    parts=(
        Part("persistent", "step of momentum over step of SGD", (2.0, np.inf), "a gradient that stays"),
        Part("alternating", "step of momentum over step of SGD", (0.0, 1.0), "a gradient that changes sign at every step"),
        Part("turning", "speed six steps after the turn over that before", (0.0, 1.0), "a gradient that turns round once"),
    ),
    measure=measure,
    reference="Polyak, Some methods of speeding up the convergence of iteration methods, 1964; the limits are 1/(1 − β) and 1/(1 + β)",
)
