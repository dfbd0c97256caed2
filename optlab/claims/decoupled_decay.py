"""Claim 12: AdamW's decoupled weight decay differs from Adam with an L2 penalty."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from optlab import problems, rules
from optlab.claims.intervals import normal_half_width
from optlab.claims.record import Claim, Findings, Measured, Part, Setting
from optlab.experiments.experiment import Run
from optlab.experiments.sweep import simulation_cell

CURVATURES, DECAY, ALPHA, STEPS = (4.0, 0.25), 0.1, 0.01, 3000
SIZES = {"quick": 2_000, "full": 20_000}
APART = 0.02  #: of the distance between start and minimum


def measure(setting: Setting, run: Run) -> Findings:
    """Where the mean ends, starting at zero with the minimum at one: how much the decay holds each coordinate back."""
    problem = problems.symbolic(
        f"{CURVATURES[0]}*(x - 1)**2/2 + {CURVATURES[1]}*(y - 1)**2/2", theta0=0.0, noise=0.5, minimum=0.0
    )  # fmt: skip
    runs = setting.pick(SIZES)
    options: dict[str, Any] = {"schedule": ALPHA, "steps": STEPS, "record": [STEPS], "trajectories": runs, "rng": setting.seed}
    kinds = ("decoupled", "coupled")
    found = run([
        simulation_cell(f"claim 12: {kind} decay", rules.get("adamw").with_(decay=kind, wd=DECAY), problem, **options) for kind in kinds
    ])  # fmt: skip
    ends = np.stack([one.theta_mean.values[-1] for one in found])
    error = np.sqrt(sum(one.theta_variance.values[-1] for one in found) / runs)
    gap, half = ends[0] - ends[1], normal_half_width(2) * error
    worst = int(np.argmax(np.abs(gap)))
    numbers = {"apart": Measured(abs(gap[worst]), max(abs(gap[worst]) - half[worst], 0.0), abs(gap[worst]) + half[worst])}
    data = xr.Dataset(
        {"end": (("decay", "coordinate"), ends, {"long_name": "mean parameter after the last step; the minimum is 1"}),
         "curvature": ("coordinate", list(CURVATURES), {"long_name": "curvature"})},
        {"decay": list(kinds), "coordinate": ["x", "y"]},
    )  # fmt: skip
    held = "; ".join(f"{kind}: {1 - ends[k, 0]:.3f} at curvature {CURVATURES[0]:g}, {1 - ends[k, 1]:.3f} at {CURVATURES[1]:g}"
                     for k, kind in enumerate(kinds))  # fmt: skip
    return Findings(numbers, data, (f"Held back from the minimum, {held}.",))


CLAIM = Claim(
    number=12,
    name="decoupled_decay",
    statement="AdamW's decoupled weight decay is not the same as Adam with an L2 penalty.",
    test=f"A quadratic of curvatures {CURVATURES[0]:g} and {CURVATURES[1]:g} whose minimum is at distance 1 from zero in both coordinates, "
    f"gradient noise 0.5, Adam at {ALPHA:g} for {STEPS} steps, decay {DECAY:g} in either form. How far apart the mean ends are, the "
    f"larger of the two coordinates; different means more than {APART:g} of that distance.",
    parts=(Part("apart", "distance between the ends", (APART, np.inf)),),
    measure=measure,
    sizes=SIZES,
    reference="Loshchilov & Hutter, Decoupled weight decay regularization, ICLR 2019, propositions 1 and 2",
)  # fmt: skip
