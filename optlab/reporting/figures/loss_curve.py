"""The loss of one ensemble by step: mean (solid), exact expectation (dashed), bound (dotted), spread of the runs (band)."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from optlab.reporting.style import BOUND, SIMULATION, THEORY, color_of, new_figure


def draw_loss_curve(
    simulated: xr.Dataset | None,
    exact: xr.Dataset | None = None,
    *,
    bound: np.ndarray | None = None,
    ax: Axes | None = None,
    color: str | None = None,
    label: str | None = None,
    band: bool = True,
    log_steps: bool = True,
) -> Axes:
    """Draw the excess loss (loss less its minimum, where that is known). Step 0 is drawn at 0.7 on a logarithmic axis."""
    ax = ax or new_figure(6, 4).subplots()
    source = simulated if simulated is not None else exact
    assert source is not None
    minimum = float(source.attrs.get("minimum", 0.0))
    color = color or color_of(str(source.attrs.get("rule", "")))

    def steps(data: xr.Dataset) -> np.ndarray:
        return np.where(data.step.values == 0, 0.7, data.step.values) if log_steps else data.step.values

    mean = source.loss_mean.values
    positive = bool((np.isfinite(mean) & (mean > minimum)).any())  # else there is nothing that a logarithmic axis could show

    def visible(values: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            excess = np.asarray(values, float) - minimum
            return np.where(((excess > 0) | (not positive)) & np.isfinite(excess), excess, np.nan)

    if simulated is not None:
        x = steps(simulated)
        if band and simulated.sizes.get("quantile", 0) >= 2:
            low, high = simulated.loss_quantile.values[0], simulated.loss_quantile.values[-1]
            ax.fill_between(x, visible(low), visible(high), color=color, alpha=0.18, linewidth=0)
        mean, error = simulated.loss_mean.values, 1.96 * simulated.loss_standard_error.values
        with np.errstate(invalid="ignore"):
            low, high = mean - error, mean + error
        ax.fill_between(x, visible(low), visible(high), color=color, alpha=0.45, linewidth=0)
        ax.plot(x, visible(mean), color=color, label=label, **SIMULATION)
    if exact is not None:
        ax.plot(steps(exact), visible(exact.loss_mean.values), color="black" if simulated is not None else color, linewidth=1.1, **THEORY)
    if bound is not None:
        ax.plot(steps(source), bound, linewidth=1.3, **BOUND)
    if log_steps:
        ax.set_xscale("log")
    if positive:
        ax.set_yscale("log")
    ax.minorticks_off()
    return ax
