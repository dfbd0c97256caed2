"""SymPy expressions as presentation MathML, with hats and subscripts read from symbol names."""

from __future__ import annotations

import re
from typing import Any

import sympy as sp
from sympy.printing.mathml import MathMLPresentationPrinter

from optlab.expressions import Rule
from optlab.printing import PositiveFirst
from optlab.symbols import theta

LETTERS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "eps": "ε", "epsilon": "ε", "eta": "η", "theta": "θ", "kappa": "κ",
    "lam": "λ", "lamda": "λ", "lambda": "λ", "mu": "μ", "nu": "ν", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "psi": "ψ",
    "omega": "ω", "pi": "π", "xi": "ξ", "zeta": "ζ",
}  # fmt: skip


_SQUARES = {"s2": "s", "distance2": "R"}
_WORDS = {"gap": "Δ", "trace": "tr Σ", "whitened": "tr H⁻¹Σ"}


class _Printer(PositiveFirst, MathMLPresentationPrinter):
    def _print_Symbol(self, sym: sp.Symbol, style: str = "plain") -> Any:
        name = sym.name
        if name in _SQUARES:
            return self._power(_SQUARES[name], "2")
        if name in _WORDS:
            return self._text(_WORDS[name])
        match = re.fullmatch(r"([A-Za-z]+?)(hat)?_?(\d*)", name)
        if not match:
            return self._text(name)
        base, hat, number = match.groups()
        node = self._text(LETTERS.get(base, base))
        if hat:
            node = self._pair("mover", node, self._operator("^"))
        if number:
            digits = self.dom.createElement("mn")
            digits.appendChild(self.dom.createTextNode(number))
            node = self._pair("msub", node, digits)
        return node

    def _print_Mul(self, expr: sp.Mul) -> Any:
        """Factor by factor, so that 2 (beta + 1) / lam stays factored."""
        coefficient, rest = expr.as_coeff_Mul()
        number = sp.Rational(abs(coefficient)) if coefficient.is_Rational else abs(coefficient)
        above = [sp.Integer(number.p)] if number.is_Rational and number.p != 1 else [] if number.is_Rational else [number]
        below = [sp.Integer(number.q)] if number.is_Rational and number.q != 1 else []
        for factor in rest.as_ordered_factors():
            base, exponent = factor.as_base_exp()
            if exponent.is_number and exponent.is_negative:
                below.append(base**-exponent)
            else:
                above.append(factor)
        node = self._product(above)
        if below:
            node = self._pair("mfrac", node, self._product(below))
        return self._pair("mrow", self._operator("-"), node) if coefficient.is_negative else node

    def _product(self, factors: list[sp.Expr]) -> Any:
        row = self.dom.createElement("mrow")
        for position, factor in enumerate(factors or [sp.Integer(1)]):
            if position:
                row.appendChild(self._operator("&#x2062;"))
            if factor.is_Add and len(factors) > 1:
                row.appendChild(self._operator("("))
                row.appendChild(self._print(factor))
                row.appendChild(self._operator(")"))
            else:
                row.appendChild(self._print(factor))
        return row

    def _print_Piecewise(self, expr: sp.Piecewise) -> Any:
        table = self.dom.createElement("mtable")
        for value, condition in expr.args:
            row = self.dom.createElement("mtr")
            when = self._text(" otherwise") if condition == sp.true else self._pair("mrow", self._text(" if "), self._print(condition))
            for content in (self._print(value), when):
                cell = self.dom.createElement("mtd")
                cell.appendChild(content)
                row.appendChild(cell)
            table.appendChild(row)
        return self._pair("mrow", self._operator("{"), table)

    def _text(self, text: str) -> Any:
        node = self.dom.createElement("mi")
        node.appendChild(self.dom.createTextNode(text))
        return node

    def _operator(self, text: str) -> Any:
        node = self.dom.createElement("mo")
        node.appendChild(self.dom.createTextNode(text))
        return node

    def _pair(self, tag: str, first: Any, second: Any) -> Any:
        node = self.dom.createElement(tag)
        node.appendChild(first)
        node.appendChild(second)
        return node

    def _power(self, base: str, exponent: str) -> Any:
        digits = self.dom.createElement("mn")
        digits.appendChild(self.dom.createTextNode(exponent))
        return self._pair("msup", self._text(base), digits)

    def write_out(self, fence: Any) -> None:
        """Parentheses as operators: SymPy 1.13 has ``<mfenced>``, which browsers no longer draw."""
        if fence.tagName != "mfenced":
            return
        fence.tagName = fence.nodeName = "mrow"
        for later in fence.childNodes[1:]:
            fence.insertBefore(self._operator(","), later)
        fence.insertBefore(self._operator(fence.getAttribute("open") or "("), fence.firstChild)
        fence.appendChild(self._operator(fence.getAttribute("close") or ")"))
        for name in ("open", "close"):
            if fence.hasAttribute(name):
                fence.removeAttribute(name)


def _body(expression: sp.Basic) -> str:
    printer = _Printer({"mul_symbol": "&#x2062;"})
    node = printer._print(expression)
    for fence in [node, *node.getElementsByTagName("mfenced")]:
        printer.write_out(fence)
    text: str = node.toxml()
    text = text.replace("<mo>-</mo>", "<mo>−</mo>").replace("<mo><</mo>", "<mo>&lt;</mo>")
    return text.replace("&amp;#x2062;", "&#x2062;").replace("&amp;InvisibleTimes;", "&#x2062;")


def mathml(expression: sp.Basic, display: bool = False) -> str:
    """A <math> element.

    >>> from optlab.symbols import alpha
    >>> mathml(alpha)
    '<math><mi>α</mi></math>'
    """
    opening = '<math display="block">' if display else "<math>"
    return f"{opening}{_body(expression)}</math>"


def equations(rule: Rule) -> str:
    """A rule's equations as one aligned MathML table, in the order in which they run."""
    rows = []
    if rule.gradient_at != theta:
        point = f"<mrow><mo>∇</mo><mi>f</mi><mrow><mo>(</mo>{_body(rule.gradient_at)}<mo>)</mo></mrow></mrow>"
        rows.append(("<mi>g</mi>", point))
    rows += [(_body(left), _body(right)) for left, right in rule.equations]
    cells = "".join(
        f'<mtr><mtd style="text-align: right">{left}</mtd><mtd><mo>←</mo></mtd><mtd style="text-align: left">{right}</mtd></mtr>'
        for left, right in rows
    )
    return f'<math display="block"><mtable>{cells}</mtable></math>'
