"""Exact expectations of linear rules, step by step, under any schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import xarray as xr

from optlab.ensemble.bind import learning_rates
from optlab.ensemble.moments import Directions, Moments, Multiplied, OverRows
from optlab.ensemble.philox import read_seed
from optlab.ensemble.specs import ONE_RUN, Request, describe
from optlab.expressions import Rule, Schedule
from optlab.objectives import GAUSSIAN, Problem
from optlab.quantities import labeled


def predict(
    rule: Rule | str,
    problem: Problem | str,
    *,
    schedule: Schedule | float | str,
    steps: int,
    batch: int | None = 1,
    record: str | int | Sequence[int] = "linear",
    coordinates: bool | None = None,
    **simulation: Any,
) -> xr.Dataset:
    """The exact expected loss by step of a linear rule, at the steps that :func:`optlab.simulate` would record.

    The first two moments of (theta, states) obey ``s' = A s + b g`` exactly. On quadratics with additive noise each
    eigen-direction is followed on its own; on tables and fresh samples the covariance of the mini-batch gradient
    depends on the state, ``E[g g'] - E[g] E[g]'`` over rows, and is followed as an O(n d^2) map (the noise is
    multiplicative; see Bach & Moulines, NIPS 2013). With additive Gaussian noise the loss variance is exact as well; other laws
    of noise (``noise_law``, named in the attributes) have the same exact means but no variance of the loss here.

    Takes the arguments of ``simulate``; those that only concern simulation (trajectories, rng, dtype, ...) are ignored.

    Returns
    -------
    xarray.Dataset
        Over ``step``: loss_mean; loss_variance where it is exact; theta_mean, theta_variance (step, coordinate) as in ``simulate``.

    Raises
    ------
    NotLinearError
        The rule is adaptive.
    UnsupportedError
        The objective is not quadratic, batches are reshuffled (their steps are dependent), or multiplicative noise meets a
        rotation or a table.

    >>> import optlab as ol
    >>> exact = ol.predict("sgd", ol.problems.quadratic(spectrum=[1.0]), schedule=0.5, steps=3, record=[0, 1, 2, 3])
    >>> exact.loss_mean.values
    array([0.5      , 0.125    , 0.03125  , 0.0078125])
    """
    options = ONE_RUN | {key: simulation[key] for key in ONE_RUN.keys() & simulation.keys()}
    request = Request.read(
        rule, problem, schedule=schedule, steps=steps, batch=batch, record=record, coordinates=coordinates,
        seed=read_seed(simulation.get("rng", 0)), backend=simulation.get("backend", "cpu"), **options,
    )  # fmt: skip
    moments = Moments(cast("Rule", request.rule), request.problem, request.batch)
    means, seconds = moments.run(learning_rates(cast("Schedule", request.schedule), request.steps), request.records)
    law = request.problem.noise_law
    if isinstance(moments.model, OverRows):
        data = _over_rows(moments.model, means, seconds)
    elif isinstance(moments.model, Multiplied):
        data = _multiplied(moments.model, means, seconds)
    else:
        data = _by_direction(moments.model, means, seconds)
        if law != GAUSSIAN:  # its fourth moment is another, or none
            del data["loss_variance"]
    coords: dict[str, Any] = {"step": request.records}
    if request.coordinates:
        coords["coordinate"] = [str(name) for name in getattr(request.problem, "coordinates", range(request.problem.dim))]
    else:
        data = {key: value for key, value in data.items() if not key.startswith("theta")}
    named = {} if law == GAUSSIAN else {"noise_law": str(law)}
    return labeled(xr.Dataset(data, coords, describe(request) | named | {"method": "exact moments"}))


def _by_direction(model: Directions, means: np.ndarray, variances: np.ndarray) -> dict[str, Any]:
    half = model.curvature / 2
    with np.errstate(over="ignore", invalid="ignore"):
        return {
            "loss_mean": ("step", model.excess(means, variances), {"long_name": "exact expected loss"}),
            "loss_variance": ("step", (2 * variances**2 + 4 * means**2 * variances) @ half**2, {"long_name": "exact variance of the loss"}),
            "theta_mean": (("step", "coordinate"), means @ model.turn),
            "theta_variance": (("step", "coordinate"), variances @ model.turn**2),
        }


def _multiplied(model: Multiplied, means: np.ndarray, seconds: np.ndarray) -> dict[str, Any]:
    with np.errstate(over="ignore", invalid="ignore"):
        return {
            "loss_mean": ("step", model.excess(means, seconds), {"long_name": "exact expected loss"}),
            "theta_mean": (("step", "coordinate"), means),
            "theta_variance": (("step", "coordinate"), seconds - means**2),
        }


def _over_rows(model: OverRows, means: np.ndarray, seconds: np.ndarray) -> dict[str, Any]:
    with np.errstate(over="ignore", invalid="ignore"):
        turned, variances = model.variances(means, seconds)
        return {
            "loss_mean": ("step", model.least + model.excess(means, seconds), {"long_name": "exact expected loss"}),
            "theta_mean": (("step", "coordinate"), turned + model.best),
            "theta_variance": (("step", "coordinate"), variances),
        }
