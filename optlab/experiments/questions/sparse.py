"""A linear or logistic model half of whose features are rarely non-zero: the final excess loss of each rule at its best learning rate.

Rare features have small curvatures, so that a rule which scales by coordinate may help for that reason alone. Beside the rare table
stands a dense one of the same curvatures (``scaled``): what a rule gains on both is conditioning, what it gains on the rare one only is
rarity. Duchi, Hazan & Singer, JMLR 12, 2011 (Adagrad) claim the gain. Learning rates are found to within a factor of about 10^(1/4): a
coarser grid misjudges rules by factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field
from scipy.special import ndtri

from optlab import rules
from optlab.analysis import is_linear
from optlab.ensemble.predict import predict
from optlab.experiments.experiment import Experiment, ExperimentSpec, Run, Table
from optlab.experiments.rare_features import KINDS, minimizer, table
from optlab.experiments.spec import Count, Positive
from optlab.experiments.sweep import Cell, simulation_cell
from optlab.objectives import Rows

CONFIDENCE = 0.99
SEARCH_RUNS = 64

Kind = Literal["rare", "scaled", "standardized"]


class SparseSpec(ExperimentSpec):
    """Which rules, how rare, which tables, what budget."""

    rules: list[str] = Field(default=["sgd", "momentum", "rmsprop", "adam", "adagrad"], min_length=1)
    baseline: str = "sgd"  #: the rule that gains are over; one of ``rules``
    model: Literal["linear", "logistic"] = "linear"
    shares: list[Annotated[float, Field(gt=0, le=1)]] = Field(default=[1.0, 0.1, 0.01], min_length=1)  #: of rows with a rare feature
    kinds: list[Kind] = Field(default=["rare", "scaled"], min_length=1)
    alphas: list[Positive] = Field(default=[0.000316, 0.001, 0.00316, 0.01, 0.0316, 0.1, 0.316, 1.0, 3.16], min_length=1)
    rows: Annotated[int, Field(ge=10, le=10**7)] = 1000
    common: Annotated[int, Field(ge=1, le=1000)] = 8
    rare: Annotated[int, Field(ge=1, le=1000)] = 8
    label_noise: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
    batch: Count = 16
    steps: Count = 1000
    trajectories: Annotated[int, Field(ge=2)] = 256


def count(spec: SparseSpec) -> int:
    """A search over learning rates, then a fresh measurement at the best one, for every rule and table."""
    return len({*spec.rules, spec.baseline}) * len(spec.kinds) * len(spec.shares) * (len(spec.alphas) + 3)


def problem_of(spec: SparseSpec, kind: str, share: float) -> Rows:
    """One table."""
    return table(
        kind, spec.model, share=share, rows=spec.rows, common=spec.common, rare=spec.rare, label_noise=spec.label_noise, seed=spec.seed
    )


def measure(spec: SparseSpec, run: Run) -> xr.Dataset:
    """Search, then measure with new random numbers: the best of a search flatters itself."""
    if spec.baseline not in spec.rules:
        spec = spec.model_copy(update={"rules": [spec.baseline, *spec.rules]})
    places: list[tuple[str, float]] = [(kind, share) for kind in spec.kinds for share in spec.shares]
    made = {place: problem_of(spec, *place) for place in places}
    least = {place: minimizer(problem) for place, problem in made.items()}
    settings = [(name, *place) for name in spec.rules for place in places]
    options: dict[str, Any] = {"steps": spec.steps, "batch": spec.batch, "record": [spec.steps], "quantiles": ()}

    def cell(name: str, kind: str, share: float, alpha: float, **more: Any) -> Cell:
        about = f"{name} at {alpha:g}, {kind}, share {share:g}"
        return simulation_cell(about, rules.get(name), made[kind, share], schedule=alpha, **options, **more)

    tried = run([cell(*place, alpha, trajectories=SEARCH_RUNS, rng=spec.seed) for place in settings for alpha in spec.alphas])
    shape = (len(spec.rules), len(spec.kinds), len(spec.shares))
    searched = np.array([float(result.loss_mean[-1]) for result in tried]).reshape(len(settings), -1)
    best = np.where(np.isfinite(searched), searched, np.inf).argmin(1)
    between = [neighbors(spec.alphas, int(i)) for i in best]
    refined = run([
        cell(*place, alpha, trajectories=SEARCH_RUNS, rng=spec.seed)
        for place, pair in zip(settings, between, strict=True) for alpha in pair
    ])  # fmt: skip
    finer = np.array([float(result.loss_mean[-1]) for result in refined]).reshape(len(settings), 2)
    rates = [
        pick(spec.alphas[i], row[i], pair, pair_losses) for i, row, pair, pair_losses in zip(best, searched, between, finer, strict=True)
    ]
    measured = run([
        cell(*place, alpha, trajectories=spec.trajectories, rng=spec.seed + 1_000_003, coordinates=True)
        for place, alpha in zip(settings, rates, strict=True)
    ])  # fmt: skip
    floor = np.array([least[place[1:]][1] for place in settings])
    excess, error = (np.array([float(result[name][-1]) for result in measured]) for name in ("loss_mean", "loss_standard_error"))
    excess, z = excess - floor, float(ndtri((1 + CONFIDENCE) / 2))
    low, high = excess - z * error, excess + z * error
    exact = [prediction(spec, name, made[kind, share], alpha) for (name, kind, share), alpha in zip(settings, rates, strict=True)] - floor
    squares = np.array([square_error(result, least[place[1:]][0]) for result, place in zip(measured, settings, strict=True)])
    ends = ["lowest" if alpha <= min(spec.alphas) else "highest" if alpha >= max(spec.alphas) else "" for alpha in rates]
    outcome = np.where(np.isfinite(searched).any(1) & np.isfinite(excess), "measured", "diverged")
    over = ("rule", "kind", "share")
    base = spec.rules.index(spec.baseline)
    lows, mids, highs = (values.reshape(shape) for values in (low, excess, high))
    interval = f"of its interval, {CONFIDENCE:.0%} (normal, over runs)"
    variables: dict[str, Any] = {
        "excess": (over, mids, {"long_name": "mean loss above the least one after the last step, at the best learning rate"}),
        "excess_low": (over, lows, {"long_name": f"lower end {interval}"}),
        "excess_high": (over, highs, {"long_name": f"upper end {interval}"}),
        "predicted": (over, np.reshape(exact, shape), {"long_name": "exact expected excess, of a linear rule on the linear model"}),
        "alpha_best": (over, np.reshape(rates, shape), {"long_name": "learning rate of least loss in the search"}),
        "alpha_end": (over, np.reshape(ends, shape), {"long_name": "whether that is an end of the grid"}),
        "outcome": (over, outcome.reshape(shape), {"long_name": "diverged: at every learning rate"}),
        "gain": (over, mids[base] / mids, {"long_name": f"excess of {spec.baseline} over this excess"}),
        "gain_low": (over, ratio(lows[base], highs), {"long_name": "lower end, from the ends of both intervals"}),
        "gain_high": (over, ratio(highs[base], lows), {"long_name": "upper end, from the ends of both intervals"}),
        "searched": ((*over, "alpha"), searched.reshape(*shape, -1), {"long_name": f"mean final loss of the search ({SEARCH_RUNS} runs)"}),
    }  # fmt: skip
    for k, name in enumerate(("common", "rare")):
        part = squares[:, : spec.common] if k == 0 else squares[:, spec.common :]
        about = f"mean square error of the coefficients of {name} features"
        variables[f"error_{name}"] = (over, part.mean(1).reshape(shape), {"long_name": about})
    share = ("share", spec.shares, {"long_name": "share of rows in which a rare feature is non-zero"})
    coords = {"rule": spec.rules, "kind": list(spec.kinds), "share": share, "alpha": spec.alphas}
    return xr.Dataset(variables, coords, {"baseline": spec.baseline, "least": [least[place][1] for place in places]})


def neighbors(alphas: Sequence[float], best: int) -> tuple[float, float]:
    """Two learning rates about the best of a grid: half way (in the logarithm) to what is tried below and above it.

    >>> neighbors([0.01, 1.0, 100.0], 1)
    (0.1, 10.0)
    """
    step = [alphas[1] / alphas[0] if len(alphas) > 1 else 10.0] * 2
    if best > 0:
        step[0] = alphas[best] / alphas[best - 1]
    if best < len(alphas) - 1:
        step[1] = alphas[best + 1] / alphas[best]
    return float(f"{alphas[best] / step[0] ** 0.5:.3g}"), float(f"{alphas[best] * step[1] ** 0.5:.3g}")


def pick(alpha: float, loss: float, others: Sequence[float], losses: np.ndarray) -> float:
    """The learning rate of least loss among the grid's best and its neighbors."""
    return min([(loss if np.isfinite(loss) else np.inf, alpha), *((x, a) for x, a in zip(losses, others, strict=True) if np.isfinite(x))])[
        1
    ]


def prediction(spec: SparseSpec, name: str, problem: Rows, alpha: float) -> float:
    """The exact expected loss after the last step, of a linear rule on the linear model; nan for others."""
    if spec.model != "linear" or not is_linear(rules.get(name)):
        return float("nan")
    with np.errstate(over="ignore", invalid="ignore"):
        found = predict(name, problem, schedule=alpha, steps=spec.steps, batch=spec.batch, record=[spec.steps], coordinates=False)
    return float(found.loss_mean[-1])


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above/below of ends of intervals: infinite where the lower one is not above 0, 0 where the upper one is not."""
    return np.where(below > 0, np.maximum(above, 0) / np.where(below > 0, below, 1), np.inf)


def square_error(result: xr.Dataset, best: np.ndarray) -> np.ndarray:
    """E (theta_j - best_j)^2 over runs (d,) after the last step."""
    mean, variance = result.theta_mean.values[-1], result.theta_variance.values[-1]
    found: np.ndarray = variance + (mean - best) ** 2
    return found


def tables(data: xr.Dataset) -> list[Table]:
    """A table per kind: the gain of each rule, by share."""
    out = []
    for kind in data.kind.values:
        rows = []
        for rule in data.rule.values:
            for share in data.share.values:
                row = data.sel(rule=rule, kind=kind, share=share)
                predicted = "-" if np.isnan(row.predicted) else f"{float(row.predicted):.3g}"
                gain = f"{float(row.gain):.3g} [{float(row.gain_low):.3g}, {float(row.gain_high):.3g}]"
                end = f" ({row.alpha_end.item()} tried)" if row.alpha_end.item() else ""
                parts = [f"{float(row[name]):.2g}" for name in ("error_common", "error_rare")]
                rows.append(
                    [str(rule), f"{share:g}", f"{float(row.alpha_best):g}{end}", f"{float(row.excess):.3g}", predicted, gain, *parts]
                )
        headers = [
            "rule",
            "share",
            "learning rate",
            "excess loss",
            "predicted",
            f"gain over {data.attrs['baseline']}",
            "error, common",
            "rare",
        ]
        out.append(Table(f"{kind}: {KINDS[str(kind)]}", headers, rows))
    return out


def findings(data: xr.Dataset) -> list[str]:
    """Does scaling by coordinate help where features are rarest, and is it their rarity that it helps with?"""
    out, base = [], data.attrs["baseline"]
    rarest = data.isel(share=int(np.argmin(data.share.values)))
    share = float(rarest.share)
    others = [rule for rule in data.rule.values if rule != base]
    for kind in data.kind.values:
        verdicts = [f"{rule} {gain_text(rarest.sel(rule=rule, kind=kind), base)}" for rule in others]
        if verdicts:
            out.append(f"At a share of {share:g}, {kind} features: " + "; ".join(verdicts) + ".")
    if {"rare", "scaled"} <= set(data.kind.values):
        for rule in others:
            a, b = (rarest.sel(rule=rule, kind=kind) for kind in ("rare", "scaled"))
            if a.gain_low > 1:
                more = a.gain_low > b.gain_high
                less = a.gain_high < b.gain_low
                why = (
                    "gains more on rare features than on dense ones of the same curvatures: rarity itself" if more
                    else "gains less on rare features than on dense ones of the same curvatures: conditioning, not rarity" if less
                    else "gains as much on dense features of the same curvatures, as far as the intervals tell: conditioning"
                )  # fmt: skip
                out.append(f"{rule} {why} ({float(a.gain):.3g} and {float(b.gain):.3g} times).")
    return out + edges(data)


def gain_text(row: xr.Dataset, base: str) -> str:
    """In words, by the interval of the gain."""
    interval = f"[{float(row.gain_low):.3g}, {float(row.gain_high):.3g}]"
    if row.gain_low > 1:
        return f"ends {float(row.gain):.3g} times lower than {base} {interval}"
    if row.gain_high < 1:
        return f"ends {1 / float(row.gain):.3g} times higher than {base}"
    return f"cannot be told from {base} {interval}"


def edges(data: xr.Dataset) -> list[str]:
    """Where a best learning rate is an end of the grid, so that a better one may lie beyond."""
    at: Sequence[str] = [str(rule) for rule in data.rule.values if (data.alpha_end.sel(rule=rule) != "").any()]
    return [f"The best learning rate is an end of the grid somewhere for {', '.join(at)}: widen alphas."] if at else []


EXPERIMENT = Experiment(
    "sparse", SparseSpec, measure, count, tables, findings,
    {"full": SparseSpec(
        rules=rules.names(), shares=[1.0, 0.3, 0.1, 0.03, 0.01, 0.003], kinds=["rare", "scaled", "standardized"], rows=4000, steps=4000,
        alphas=[float(f"{x:.3g}") for x in np.geomspace(1e-4, 10, 16)],
    )},
)  # fmt: skip
