"""First-passage times: medians with intervals, and what the linearized dynamics say of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy as sp
import xarray as xr
from scipy.special import bdtr, erfc

from optlab.analysis import is_linear, linear_form
from optlab.analysis.adaptive.constant import at_rest
from optlab.analysis.adaptive.frozen import Frozen, freeze
from optlab.ensemble.moments import numeric
from optlab.ensemble.predict import predict
from optlab.errors import NotLinearError, UnsupportedError
from optlab.expressions import Rule
from optlab.objectives import Separable
from optlab.symbols import g


def median_levels(runs: int, confidence: float) -> tuple[float, float]:
    """Two quantile levels between which the median lies with at least this confidence, whatever the distribution (order statistics).

    They are levels of ``simulate(quantiles=...)``, which takes the run of rank floor(level (runs - 1)), counted from 0.

    >>> low, high = median_levels(1001, 0.99)
    >>> round(low, 3), round(high, 3)
    (0.459, 0.541)
    """
    below = np.flatnonzero(bdtr(np.arange(runs // 2), runs, 0.5) <= (1 - confidence) / 2)
    rank = int(below[-1]) if len(below) else 0
    return (rank + 0.25) / max(runs - 1, 1), (runs - 1 - rank + 0.25) / max(runs - 1, 1) if rank else 1.0


@dataclass(frozen=True)
class Passage:
    """When the runs of one cell first reached the level. Steps that the budget did not see are nan (infinite for ``high``)."""

    median: float
    low: float
    high: float
    early: float  #: 5 % of the runs have arrived
    late: float  #: 95 % of the runs have arrived
    share: float  #: of runs that arrived within the budget

    @property
    def outcome(self) -> str:
        """In a word."""
        return "all" if self.share == 1 else "none" if self.share == 0 else "most" if np.isfinite(self.median) else "fewer than half"


def passage_levels(runs: int, confidence: float) -> tuple[float, ...]:
    """The ``quantiles`` that :func:`passage` reads."""
    return (*median_levels(runs, confidence), 0.05, 0.5, 0.95)


def passage(result: xr.Dataset) -> Passage:
    """The passage of a cell run with ``quantiles=passage_levels(...)`` and one level of ``reach``."""
    low, high, early, median, late = (float(value) for value in result.passage_quantile.values[0])
    share = float(result.reached.values[0, -1]) / result.attrs["trajectories"]
    lost = [value if np.isfinite(value) else np.nan for value in (median, low, early, late)]
    return Passage(lost[0], lost[1], high, lost[2], lost[3], share)


def growth(rule: Rule, alpha: float, gamma: float) -> float:
    """The factor per step by which a linear rule leaves along a direction of curvature -gamma: its transition matrix's spectral radius.

    >>> from optlab import rules
    >>> growth(rules.get("sgd"), 0.1, 1.0)
    1.1
    """
    (A,), (b,), (c,) = numeric(linear_form(rule).steady(), rule, np.array([alpha]))
    return float(np.abs(np.linalg.eigvals(A - gamma * np.outer(b, c))).max())


@lru_cache(maxsize=256)
def scale_at_rest(rule: Rule) -> tuple[Frozen, sp.Symbol, sp.Expr] | None:
    """An adaptive rule with its preconditioner held, the symbol it is held by, and what that rests at under a steady gradient g.

    None where it does not rest (Adagrad), where its rest does not tell of g (AdaBelief), where the rule has several preconditioners, or
    is not linear without them.

    >>> from optlab import rules
    >>> scale_at_rest(rules.get("adam"))[2], scale_at_rest(rules.get("lion"))[2]
    (g**2, Abs(g))
    """
    try:
        frozen = freeze(rule)
        states, now = at_rest(rule, frozen.equations), dict(frozen.equations)
    except (UnsupportedError, NotLinearError):
        return None
    if len(frozen.P) != 1:
        return None
    ((held, meaning),) = frozen.P.items()
    named = meaning
    while through := [s for s in meaning.free_symbols if s in now and s not in states]:
        meaning = meaning.xreplace({s: now[s] for s in through})
    rest, written = sp.simplify(meaning.xreplace(states)), sp.sympify(rule.analysis.get("frozen", {}).get(named, held))
    own = written.free_symbols - rule.parameters.keys()
    if len(own) == 1 and written not in own:  # the rule holds a function of P there: Adamax's scale is sqrt(P)
        rest = sp.simplify(
            sp.solve(sp.Eq(written, sp.Symbol("rest", positive=True)), next(iter(own)))[0].subs(sp.Symbol("rest", positive=True), rest)
        )
    return (frozen, held, rest) if rest.has(g) else None


@lru_cache(maxsize=512)
def linearized_rule(rule: Rule, sigma: float) -> Rule | None:
    """The linear rule that acts where noise of deviation sigma is all the gradient: the rule itself if it is linear.

    An adaptive one has its preconditioner held where it rests if g^2 is sigma^2. None where that is not known (:func:`scale_at_rest`),
    where it is no square of g, or where what remains changes with time.
    """
    if is_linear(rule):
        return rule
    found = scale_at_rest(rule)
    if found is None or found[2] != g**2 or found[0].rule.scalar_states:
        return None
    return found[0].rule.with_(**{str(found[1]): sigma**2})


def steady_step(rule: Rule) -> Callable[[np.ndarray], np.ndarray] | None:
    """How far a rule goes in a step, over alpha, once it has seen the same gradient g > 0 for long; None where that is not known.

    >>> from optlab import rules
    >>> round(float(steady_step(rules.get("momentum"))(0.5)), 6), round(float(steady_step(rules.get("adam"))(0.5)), 6)
    (5.0, 1.0)
    """
    if is_linear(rule):
        (A,), (b,), _ = numeric(linear_form(rule).steady(), rule, np.array([1.0]))
        gain = -(A[0, 1:] @ np.linalg.solve(np.eye(len(b) - 1) - A[1:, 1:], b[1:]) + b[0]) if len(b) > 1 else -b[0]
        return lambda slope: gain * np.asarray(slope)
    found = scale_at_rest(rule)
    if found is None or found[0].rule.scalar_states:
        return None
    frozen, held, rest = found
    size = sp.Symbol("size", positive=True)
    numbers = {symbol: sp.Float(float(value)) for symbol, value in rule.values.items()}
    expression = (frozen.gain.xreplace({held: rest}) * g).xreplace(numbers).xreplace({g: size})
    return None if expression.free_symbols - {size} else sp.lambdify(size, expression, "numpy")


def predicted_passage(rule: Rule, problem: Separable, *, alpha: float, distance: float, steps: int, share: float = 0.5) -> float:
    """The first step at which a share of the runs is at least ``distance`` out along the last coordinate; nan if none in the budget.

    Exact for a linear rule on a linearized saddle with Gaussian noise: theta is normal, with the moments of :func:`optlab.predict`.
    First passages are a little earlier, as a run that has been out can be back.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        exact = predict(rule, problem, schedule=alpha, steps=steps, record=range(steps + 1))
        mean, variance = exact.theta_mean.values[:, -1], exact.theta_variance.values[:, -1]
        spread = np.sqrt(2 * np.maximum(variance, np.finfo(float).tiny))
        out = (erfc((distance - mean) / spread) + erfc((distance + mean) / spread)) / 2
    arrived = np.flatnonzero((out >= share) | ~np.isfinite(variance))
    return float(arrived[0]) if len(arrived) else float("nan")


def fitted_slope(x: np.ndarray, y: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[float, float, float]:
    """The least-squares slope of y on x, and the range it takes when every y lies anywhere from its low to its high.

    >>> fitted_slope(np.array([0.0, 1.0]), np.array([0.0, 2.0]), np.array([-0.5, 1.5]), np.array([0.5, 2.5]))
    (2.0, 1.0, 3.0)
    """
    if len(x) < 2 or not np.isfinite([*y, *low, *high]).all():
        return float("nan"), float("nan"), float("nan")
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    return float(weights @ y), float(weights @ np.where(weights > 0, low, high)), float(weights @ np.where(weights > 0, high, low))
