"""Where a rule is stable on one eigen-direction: the factor per step by learning rate and by its first hyper-parameter."""

from __future__ import annotations

import numpy as np
import sympy as sp
from matplotlib.axes import Axes

from optlab.analysis import analyze, is_linear
from optlab.analysis.adaptive.frozen import freeze
from optlab.expressions import Rule
from optlab.reporting.mathml import LETTERS
from optlab.reporting.style import color_of, new_figure
from optlab.symbols import alpha, lam

POINTS = 201
SHOWN = 0.95  #: the learning rates that are stable at this value of the hyper-parameter are shown


def radius_map(rule: Rule) -> tuple[sp.Matrix, sp.Symbol | None, str]:
    """The transition matrix in alpha (times curvature) and one hyper-parameter, that hyper-parameter, and what the first axis is.

    Adaptive rules are linear once their scale is held fixed; it is held at 1, so that alpha is measured in curvature over scale.
    Raises UnsupportedError or NotLinearError where there is no such matrix.

    >>> from optlab import rules
    >>> matrix, beta, axis = radius_map(rules.get("momentum"))
    >>> sorted(map(str, matrix.free_symbols)), str(beta), axis
    (['alpha', 'beta'], 'beta', 'α λ')
    """
    if is_linear(rule):
        matrix, axis = analyze(rule).transition_matrix.subs(lam, 1), "α λ"
    else:
        frozen = freeze(rule)
        unit = dict.fromkeys(frozen.held, sp.Integer(1))
        matrix, axis = frozen.transition_matrix.subs(lam, 1).xreplace(unit), "α λ / scale"
        matrix = matrix.xreplace({s: sp.Integer(0) for s in matrix.free_symbols if str(s) == "eps"})
        matrix = matrix.xreplace({s: sp.Integer(1) for s in matrix.free_symbols - {alpha, *rule.parameters}})
    hyper = [p for p in rule.parameters if p in matrix.free_symbols and str(p) not in ("wd",)]
    defaults = {p: v for p, v in rule.values.items() if p not in hyper[:1]}
    return matrix.xreplace(defaults), hyper[0] if hyper else None, axis


def draw_stability(rule: Rule, ax: Axes | None = None) -> Axes:
    """The spectral radius of one step: a map over learning rate and hyper-parameter, or a curve where there is none.

    Colored where the error shrinks; the black line is where it neither grows nor shrinks. Raises as :func:`radius_map` does.
    """
    matrix, hyper, axis = radius_map(rule)
    ax = ax or new_figure(5, 3.4).subplots()
    symbols = [alpha] if hyper is None else [alpha, hyper]
    entries = sp.lambdify(symbols, list(matrix), "numpy")
    size = matrix.shape[0]

    def radius(*at: np.ndarray) -> np.ndarray:
        shape = np.broadcast(*at).shape
        stacked = np.stack([np.broadcast_to(np.asarray(entry, float), shape) for entry in entries(*at)], -1)
        return np.abs(np.linalg.eigvals(stacked.reshape(*shape, size, size))).max(-1)

    if hyper is None:
        sizes = np.linspace(0, 2.5, POINTS)
        ax.plot(sizes, radius(sizes), color=color_of(rule.name))
        ax.axhline(1, color="black", linewidth=1)
        ax.set(xlabel=axis, ylabel="factor per step", xlim=(0, 2.5), ylim=(0, 1.6))
        return ax
    values = np.linspace(0, 0.999, POINTS)
    far = np.linspace(1e-6, 200, 20 * POINTS)
    edge = far[int(np.nonzero(radius(far, np.array(SHOWN)) < 1)[0].max(initial=0))]
    sizes = np.linspace(1e-6, 1.2 * max(edge, 2.0), POINTS)
    found = radius(sizes[:, None], values[None]).T
    filled = ax.contourf(sizes, values, np.where(found < 1, found, np.nan), levels=np.linspace(0, 1, 11), cmap="viridis_r")
    ax.contour(sizes, values, found, levels=[1.0], colors="black", linewidths=1.2)
    default = rule.values.get(hyper)
    letter = LETTERS.get(str(hyper).rstrip("0123456789"), str(hyper)) + "".join("₀₁₂₃₄₅₆₇₈₉"[int(c)] for c in str(hyper) if c.isdigit())
    if default is not None:
        ax.axhline(float(default), color="white", linewidth=1, linestyle=(0, (4, 2)))
        ax.annotate(
            f"{letter} = {float(default):g}", (0, float(default)), xytext=(4, 3), textcoords="offset points", color="white", fontsize=8
        )
    ax.set(xlabel=axis, ylabel=letter)
    ax.grid(False)
    ax.figure.colorbar(filled, ax=ax, label="factor per step", ticks=[0, 0.5, 1])
    return ax
