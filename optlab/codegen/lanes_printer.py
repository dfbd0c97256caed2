"""SymPy expression to Python source over lanes: no branches, fused multiply-adds written out."""

from __future__ import annotations

import sympy as sp

from optlab.codegen.printer import Printer

_CALLS = {
    sp.exp: "exp", sp.log: "log", sp.sin: "sin", sp.cos: "cos", sp.tan: "tan", sp.tanh: "tanh", sp.sinh: "sinh", sp.cosh: "cosh",
    sp.atan: "atan", sp.erf: "erf", sp.Abs: "abs", sp.asin: "asin", sp.acos: "acos",
}  # fmt: skip


class LanesPrinter(Printer):
    """Prints plain functions for :func:`optlab.codegen.lanes.traced`."""

    calls = _CALLS
    decorator = ""

    def rounded(self, name: str, argument: str) -> str:
        return f"{name}({argument})"

    def joint(self, e: sp.Basic) -> str:
        return "&" if isinstance(e, sp.And) else "|"

    def negation(self, argument: str) -> str:
        return f"({argument}) ^ True"

    def root(self, base: sp.Expr) -> str:
        return f"sqrt({self(base)})"

    def general_power(self, base: sp.Expr, exponent: sp.Expr) -> str:
        return f"power({self(base)}, {self(exponent)})"

    def helpers(self) -> str:
        self.signs = False  # sign is a function over lanes
        return super().helpers()

    def piecewise(self, e: sp.Piecewise) -> str:
        self.check_piecewise(e)
        out = self(e.args[-1][0])
        for value, condition in reversed(e.args[:-1]):
            out = f"select({self(condition)}, {self(value)}, {out})"
        return out

    def extremum(self, e: sp.Expr) -> str:
        name = "maximum" if isinstance(e, sp.Max) else "minimum"
        first, *rest = (self(arg) for arg in sorted(e.args, key=sp.default_sort_key))
        for text in rest:
            first = f"{name}({first}, {text})"
        return first

    def add(self, e: sp.Add) -> str:
        """A sum: its products are fused into the rest, ``fma(a, b, rest)``, in a fixed order."""
        terms = sorted(e.args, key=lambda a: (a.could_extract_minus_sign(), sp.default_sort_key(a)))
        products = [term for term in terms if self._is_product(term)]
        plain = [term for term in terms if term not in products]
        if not plain:
            plain, products = products[:1], products[1:]
        out = super().add(sp.Add(*plain, evaluate=False)) if len(plain) > 1 else self(plain[0])
        for product in products:
            coefficient, rest = product.as_coeff_Mul()
            factors = sorted(sp.Mul.make_args(rest), key=sp.default_sort_key)
            left, right = (coefficient, rest) if coefficient not in (1, -1) else (coefficient * factors[0], sp.Mul(*factors[1:]))
            out = f"fma({self(left)}, {self(right)}, {out})"
        return out

    def _is_product(self, term: sp.Expr) -> bool:
        if not isinstance(term, sp.Mul):
            return False
        coefficient, rest = term.as_coeff_Mul()
        factors = sp.Mul.make_args(rest)
        divides = any(f.as_base_exp()[1].is_number and f.as_base_exp()[1] < 0 and not isinstance(f, sp.exp) for f in factors)
        return not divides and (len(factors) > 1 or coefficient not in (1, -1))
