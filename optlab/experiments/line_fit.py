"""The numerical example y = w x + b: do SGD and Adam end where the source article says they do?

x uniform on (-1, 1), w* = 2, b* = 1, alpha = 0.1, batch 16, 100 steps. The article names no MSE convention, no label noise and no
start, so each is a row of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from optlab import problems, rules
from optlab.analysis import is_linear
from optlab.ensemble.agreement import Agreement, compare
from optlab.ensemble.bind import philox_normals
from optlab.ensemble.philox import philox, stream_key
from optlab.ensemble.purposes import Purpose
from optlab.experiments.comparison import Run
from optlab.experiments.spec import LineFit
from optlab.experiments.sweep import simulation_cell
from optlab.objectives import Problem

CLAIMS = {"sgd": (1.95, 0.99), "adam": (1.999, 1.000)}  #: w and b after 100 steps, as the source article states them
TRUTH = (2.0, 1.0)


@dataclass(frozen=True)
class Row:
    """Where one rule ends under one reading of the example. ``mean`` and ``sd`` are over runs, for (w, b)."""

    rule: str
    convention: str
    label_noise: float
    start: str
    data: str
    mean: tuple[float, float]
    sd: tuple[float, float]
    standard_error: tuple[float, float]
    exact: tuple[float, float] | None
    claim: tuple[float, float]
    median_loss: float
    agreement: Agreement | None

    @property
    def claim_in_spread(self) -> tuple[bool, bool]:
        """Whether each claimed number lies within two standard deviations (over runs) of the measured mean."""
        return tuple(abs(c - m) <= 2 * s + 5e-4 for c, m, s in zip(self.claim, self.mean, self.sd, strict=True))  # type: ignore[return-value]


def settings(spec: LineFit, seed: int) -> list[tuple[str, float, str, str, Problem]]:
    """(convention, label noise, start, data, problem) of every reading."""
    out: list[tuple[str, float, str, str, Problem]] = []
    for convention in ("half", "full"):
        for noise in (0.0, spec.label_noise):
            out.append((convention, noise, "(0, 0)", "fresh", problems.line_fit(convention=convention, label_noise=noise)))
        out.append((convention, 0.0, "N(0, 1)", "fresh", problems.line_fit(convention=convention, theta0="normal")))
        table = fixed_table(spec.table_rows, spec.label_noise, seed)
        name = f"table of {spec.table_rows} rows"
        out.append(
            (
                convention,
                spec.label_noise,
                "(0, 0)",
                name,
                problems.least_squares(*table, sampling="subset", convention=convention, label=f"line, {spec.table_rows} rows"),
            )
        )
    return out


def fixed_table(n: int, label_noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows (x, 1) and targets of one table drawn once: x ~ U(-1, 1), y = 2 x + 1 + label_noise N(0, 1)."""
    key = stream_key(seed, "line-fit table")
    words = [int(philox(np.uint32(i), np.uint32(0), np.uint32(0), np.uint32(Purpose.DATA), *key)[0]) for i in range(n)]
    x = (np.array(words) + 0.5) * 2.0**-31 - 1
    noise = philox_normals(n, 1, seed, Purpose.DATA)[:, 0]
    return np.stack([x, np.ones(n)], 1), TRUTH[0] * x + TRUTH[1] + label_noise * noise


def count(spec: LineFit) -> int:
    """How many cells the example runs: every reading by SGD and Adam, and SGD's exact predictions."""
    return 8 * 3


def run_line_fit(spec: LineFit, seed: int, run: Run) -> list[Row]:
    """Every row of the example."""
    out = []
    for convention, noise, start, data, problem in settings(spec, seed):
        for name, claim in CLAIMS.items():
            rule = rules.get(name)
            options: dict[str, Any] = {"schedule": spec.alpha, "steps": spec.steps, "batch": spec.batch, "rng": seed, "record": "linear"}
            label = f"line fit: {name}, {convention} MSE, {data}, start {start}"
            cells = [simulation_cell(label, rule, problem, trajectories=spec.runs, **options)]
            if is_linear(rule):
                cells.append(simulation_cell(label + ", exact", rule, problem, exact=True, **options))
            simulated, *exact = run(cells)
            mean, sd = simulated.theta_mean.values[-1], np.sqrt(simulated.theta_variance.values[-1])
            out.append(Row(
                name, convention, noise, start, data, _pair(mean), _pair(sd), _pair(sd / np.sqrt(spec.runs)),
                _pair(exact[0].theta_mean.values[-1]) if exact else None, claim, float(simulated.loss_quantile.sel(quantile=0.5)[-1]),
                compare(simulated, exact[0], comparisons=8) if exact and noise else None,
            ))  # fmt: skip
    return out


def _pair(values: np.ndarray) -> tuple[float, float]:
    return float(values[0]), float(values[1])
