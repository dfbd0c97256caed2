"""A panel to move alpha and beta by hand: roots in the unit circle, expected loss, noise floor, computed in the page.

The page's script computes nothing of its own about a rule: transition matrix, characteristic polynomial, limit, stationary variance and
best tuning are printed as JavaScript from the expressions that :func:`optlab.analyze` derives. What is written by hand (``explorer.js``) is
the quadratic formula, the recursion of mean and covariance, and the drawing.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files

import sympy as sp
from markupsafe import Markup

from optlab import rules
from optlab.analysis import analyze
from optlab.expressions import Rule
from optlab.reporting.style import color_of
from optlab.symbols import L, alpha, lam, mu, s2

RULES = ("sgd", "momentum", "nesterov", "ema_momentum")


def javascript(expression: sp.Basic, arguments: Iterable[sp.Symbol]) -> str:
    """An arrow function of the arguments; a matrix or a tuple becomes nested arrays.

    >>> javascript(2 / lam, [lam])
    '(lam) => 2/lam'
    """
    names = ", ".join(map(str, arguments))
    return f"({names}) => {_body(expression)}"


def _body(expression: object) -> str:
    if isinstance(expression, sp.MatrixBase):
        return _body([list(expression.row(i)) for i in range(expression.rows)])
    if isinstance(expression, (list, tuple, sp.Tuple)):
        return f"[{', '.join(map(_body, expression))}]"
    printed: str = sp.jscode(sp.sympify(expression))
    return printed


def rule_script(rule: Rule) -> str:
    """A linear rule of at most one hyper-parameter as a JavaScript object; beta is a number that a rule without one ignores."""
    mode, beta = analyze(rule), sp.Symbol("beta", nonnegative=True)
    free = [p for p in rule.parameters if p in mode.transition_matrix.free_symbols]
    named = dict.fromkeys(free, beta)
    tuned = mode.optimal()
    best = [tuned.alpha, *(tuned.parameters.values() or [sp.Integer(0)])]
    kappa = sp.Symbol("kappa", positive=True)
    ends = [sp.sympify(e).xreplace({s: L / mu for s in sp.sympify(e).free_symbols if s.name == kappa.name}) for e in best]
    parts = {
        "hyper": "true" if free else "false",
        "color": f'"{color_of(rule.name)}"',
        "transition": javascript(mode.transition_matrix.xreplace(named), (alpha, beta, lam)),
        "push": javascript(list(mode.form.steady().b.xreplace(named)), (alpha, beta)),
        "coefficients": javascript([c.xreplace(named) for c in mode.characteristic_polynomial.all_coeffs()], (alpha, beta, lam)),
        "limit": javascript(mode.stability_limit.xreplace(named), (beta, lam)),
        "variance": javascript(mode.stationary_variance.xreplace(named), (alpha, beta, lam, s2)),
        "best": javascript(ends, (mu, L)),
    }
    return "{" + ", ".join(f"{name}: {value}" for name, value in parts.items()) + "}"


def library(names: Iterable[str] = RULES) -> str:
    """The script: the rules' functions and what is computed from them, without the drawing. It defines ``Explorer``."""
    held = ",\n".join(f"  {name}: {rule_script(rules.get(name))}" for name in names)
    return f"const RULES = {{\n{held}\n}};\n{_read('explorer.js')}"


def panel(names: Iterable[str] = RULES) -> Markup:
    """Markup, style and script of the panel; it works without any outside request, and says so where scripts are off."""
    options = Markup("").join(Markup("<option>{}</option>").format(name) for name in names)
    html = _read("explorer.html").replace("OPTIONS", str(options))
    return Markup(f"{html}\n<script>\n{library(names)}\n{_read('explorer_panel.js')}</script>")


def _read(name: str) -> str:
    return files("optlab.reporting").joinpath("templates", name).read_text(encoding="utf-8")


__all__ = ["RULES", "javascript", "library", "panel", "rule_script"]
