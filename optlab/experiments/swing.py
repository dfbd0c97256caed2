"""How a rule moves along one direction: how often its step turns, how fast it is damped; measured on paths, predicted for linear rules."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import solve_discrete_lyapunov
from scipy.special import stdtrit

from optlab.analysis import is_linear, linear_form
from optlab.ensemble.moments import numeric
from optlab.expressions import Rule


def turns(path: np.ndarray) -> np.ndarray:
    """Whether the step changes its sign, at every point but the first and the last: path (..., steps + 1), turns (..., steps - 1).

    >>> turns(np.array([0.0, 1.0, 0.5, 0.75, 1.0])).tolist()
    [True, True, False]
    """
    steps = np.sign(np.diff(path))
    return steps[..., 1:] * steps[..., :-1] < 0


def factor(path: np.ndarray) -> float:
    """The factor per step by which |path| shrinks late: its largest value over the last quarter against that over the quarter before.

    >>> round(factor(0.9 ** np.arange(81.0)), 12)
    0.9
    """
    quarter = max((len(path) - 1) // 4, 1)
    last, before = np.abs(path[-quarter:]).max(), np.abs(path[-2 * quarter : -quarter]).max()
    return float((last / before) ** (1 / quarter)) if before else 0.0


def matrices(rule: Rule, alpha: float, curvature: float) -> tuple[np.ndarray, np.ndarray]:
    """One step ``s' = M s + b noise`` of a linear rule along a direction of this curvature, once it is under way."""
    (A,), (b,), (c,) = numeric(linear_form(rule).steady(), rule, np.array([alpha]))
    return A + curvature * np.outer(b, c), b


def predicted_factor(rule: Rule, alpha: float, curvature: float) -> float:
    """The spectral radius of a linear rule's step; nan for another rule.

    >>> from optlab import rules
    >>> round(predicted_factor(rules.get("sgd"), 0.5, 1.0), 12)
    0.5
    """
    return float(np.abs(np.linalg.eigvals(matrices(rule, alpha, curvature)[0])).max()) if is_linear(rule) else math.nan


def predicted_turns(rule: Rule, alpha: float, curvature: float) -> float:
    """The share of steps that turn under stationary Gaussian noise, of a linear rule; nan for another one, or an unstable step.

    Successive steps are jointly normal; with correlation r they differ in sign with probability arccos(r)/pi (Sheppard, Phil. Trans.
    R. Soc. A 192, 1899). For SGD r = -alpha curvature/2, so that it never turns less often than at every second step.

    >>> from optlab import rules
    >>> round(predicted_turns(rules.get("sgd"), 1.0, 1.0), 12)  # r = -1/2
    0.666666666667
    """
    if not is_linear(rule):
        return math.nan
    M, b = matrices(rule, alpha, curvature)
    if np.abs(np.linalg.eigvals(M)).max() >= 1:
        return math.nan
    S, step = solve_discrete_lyapunov(M, np.outer(b, b)), M[0] - np.eye(len(b))[0]  # theta' - theta = step . s + b_0 noise
    variance = step @ S @ step + b[0] ** 2
    return float(np.arccos(np.clip((step @ S @ M.T @ step + b[0] * (step @ b)) / variance, -1, 1)) / np.pi)


def mean_interval(values: np.ndarray, confidence: float) -> tuple[float, float, float]:
    """(mean, low, high) of independent values, by Student's t."""
    mean = float(values.mean())
    half = (
        float(stdtrit(len(values) - 1, (1 + confidence) / 2) * values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else math.nan
    )
    return mean, mean - half, mean + half
