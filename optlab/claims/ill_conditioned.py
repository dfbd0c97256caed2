"""Claim 5: in an ill-conditioned valley SGD oscillates along the stiff direction and crawls along the flat one."""

from __future__ import annotations

import numpy as np
import xarray as xr

from optlab.claims.record import Claim, Findings, Measured, Part, Setting
from optlab.experiments.experiment import Run
from optlab.experiments.questions.ravine import CONFIDENCE, EXPERIMENT

SIZES = {"quick": 256, "full": 4096}
BELOW, ABOVE = 0.5, 1.5  #: learning rates, times 1/L: SGD's step along the stiff direction turns beyond 1
MOST = 0.5  #: to oscillate is to turn at more than half of the steps
SLOW = 10.0  #: to crawl is to need at least so many steps for half of the way


def measure(setting: Setting, run: Run) -> Findings:
    """The ravine experiment, SGD alone: how often the stiff step turns, how long half of the flat way takes."""
    asked = EXPERIMENT.read(seed=setting.seed, rules=["sgd"], trajectories=setting.pick(SIZES))
    result = EXPERIMENT.measure(asked, run)
    one, steps = result.sel(rule="sgd"), result.sizes["step"] - 1
    half = float(one.flat_half)
    numbers = {
        "tuned": Measured.exact(float(one.sign_changes) / (steps - 1)),
        "noisy": Measured(*(float(one[name]) for name in ("turns", "turns_low", "turns_high"))),
        "above": Measured.exact(float(result.sgd_turns_quiet.sel(sgd_rate=ABOVE))),
        "below": Measured.exact(float(result.sgd_turns_quiet.sel(sgd_rate=BELOW))),
        "flat": Measured.exact(half if np.isfinite(half) else np.inf),
    }
    data = xr.Dataset(
        {"theta": one.theta, "turns": result.sgd_turns_quiet, "noisy_turns": result.sgd_turns, "low": result.sgd_turns_low,
         "high": result.sgd_turns_high}
    ).drop_vars("rule")  # fmt: skip
    remark = (
        f"kappa = {asked.kappa:g}: at its best rate, {float(one.alpha):.3g}/L, SGD shrinks both directions by "
        f"{float(one.factor.sel(direction='stiff')):.3g} a step, the stiff one with a change of sign each time."
    )
    return Findings(numbers, data, (remark,))


_TURNS = "share of steps along the stiff direction that turn"

CLAIM = Claim(
    number=5,
    name="ill_conditioned",
    statement="On ill-conditioned losses SGD oscillates along the stiff direction and moves slowly along the flat one.",
    test="SGD on a ravine, κ = 50, 80 steps, at the learning rate that is best for it (derived), and at a half and one and a half of "
    "1/L. To oscillate is to turn at more than half of the steps; with noise 0.05 the late steps count, with Student's "
    f"{CONFIDENCE:.0%} interval over runs. To be slow is to need at least {SLOW:g} steps for half of the flat way, at the best rate.",
    parts=(
        Part("flat", "steps until half of the flat way is gone", (SLOW, np.inf), "the flat direction"),
        Part("tuned", _TURNS, (MOST, 1.0), "the stiff direction, best rate, without noise"),
        Part("noisy", _TURNS, (MOST, 1.0), "the stiff direction, best rate, with noise"),
        Part("above", _TURNS, (MOST, 1.0), f"the stiff direction, {ABOVE:g}/L, without noise"),
        Part("below", _TURNS, (MOST, 1.0), f"the stiff direction, {BELOW:g}/L, without noise"),
    ),
    measure=measure,
    sizes=SIZES,
    reference="Polyak, Some methods of speeding up the convergence of iteration methods, 1964; Sutskever et al., ICML 2013",
)
