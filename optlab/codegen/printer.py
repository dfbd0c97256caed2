"""SymPy expression to Python source that Numba compiles without leaving the working precision.

Every constant is written ``F(...)``, F being the kernel's float type, because a bare Python float or an integer power
promotes float32 to float64 in Numba.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sympy as sp

from optlab.errors import UnsupportedError

_CALLS = {
    sp.exp: "math.exp", sp.log: "math.log", sp.sin: "math.sin", sp.cos: "math.cos", sp.tan: "math.tan",
    sp.tanh: "math.tanh", sp.sinh: "math.sinh", sp.cosh: "math.cosh", sp.atan: "math.atan", sp.erf: "math.erf",
    sp.Abs: "abs", sp.asin: "math.asin", sp.acos: "math.acos",
}  # fmt: skip
_RELATIONS = {sp.Lt: "<", sp.Le: "<=", sp.Gt: ">", sp.Ge: ">=", sp.Eq: "==", sp.Ne: "!="}


#: Names that generated code uses for itself; a symbol of such a name gets an underscore behind it.
_RESERVED = frozenset(
    "F math np njit uint32 abs float int len min max range rates constants carried table parameters step new state gradient scalars lane i "
    "parts point work update look objective full_gradient sample_gradient piece_loss piece_gradient sign LANES STATES HALF WORD "
    "TWO_PI NOISE BATCH DATA fma select sqrt floor ceil rint bits real signed narrow widen to_float join total zeros load store count_up "
    "maximum minimum exp expm1 log log1p sin cos tan sinh cosh tanh atan asin acos erf power traced WIDTH".split()
)


def name_of(symbol: sp.Symbol) -> str:
    """The Python name of a symbol in generated code; different symbols keep different names."""
    name = str(symbol.name)
    stem = name.rstrip("_")
    return f"{name}_" if stem in _RESERVED or (stem.startswith("power") and stem[5:].isdigit()) else name


class Printer:
    """Prints expressions; ``powers`` collects the integer powers whose helper functions the source needs."""

    calls: Mapping[type, str] = _CALLS
    decorator = "@njit\n"

    def __init__(self) -> None:
        self.powers: set[int] = set()
        self.signs = False

    def helpers(self) -> str:
        """Source of the helper functions that the printed code calls."""
        out = []
        for n in sorted(self.powers):
            out.append(f"{self.decorator}def power{n}(x):\n    return {' * '.join(['x'] * n)}\n")
        if self.signs:
            branches = "F(1.0) if x > F(0.0) else (F(-1.0) if x < F(0.0) else x)"
            out.append(f"@njit\ndef sign(x):  # returns its argument at 0 and at NaN\n    return {branches}\n")
        return "\n\n".join(out)

    def __call__(self, e: sp.Basic) -> str:
        if isinstance(e, sp.Symbol):
            return name_of(e)
        if isinstance(e, (sp.Number, sp.NumberSymbol)):
            return self.number(e)
        if isinstance(e, sp.Add):
            return self.add(e)
        if isinstance(e, sp.Mul):
            return self.mul(e)
        if isinstance(e, sp.Pow):
            return self.pow(e.base, e.exp)
        if isinstance(e, sp.Piecewise):
            return self.piecewise(e)
        if isinstance(e, sp.sign):
            self.signs = True
            return f"sign({self(e.args[0])})"
        if isinstance(e, (sp.Max, sp.Min)):
            return self.extremum(e)
        if type(e) in self.calls:
            return f"{self.calls[type(e)]}({self(e.args[0])})"
        if isinstance(e, (sp.floor, sp.ceiling)):
            return self.rounded("floor" if isinstance(e, sp.floor) else "ceil", self(e.args[0]))
        if type(e) in _RELATIONS:
            return f"{self.operand(e.args[0])} {_RELATIONS[type(e)]} {self.operand(e.args[1])}"
        if isinstance(e, (sp.And, sp.Or)):
            return f" {self.joint(e)} ".join(f"({self(a)})" for a in sorted(e.args, key=sp.default_sort_key))
        if isinstance(e, sp.Not):
            return self.negation(self(e.args[0]))
        raise UnsupportedError(
            f"no kernel code for {type(e).__name__} in {e}: use sums, products, powers, exp, log, trigonometry, Piecewise"
        )

    def rounded(self, name: str, argument: str) -> str:
        return f"F(math.{name}({argument}))"  # Numba's math.floor gives an integer

    def joint(self, e: sp.Basic) -> str:
        return "and" if isinstance(e, sp.And) else "or"

    def negation(self, argument: str) -> str:
        return f"not ({argument})"

    def root(self, base: sp.Expr) -> str:
        return f"math.sqrt({self(base)})"

    def general_power(self, base: sp.Expr, exponent: sp.Expr) -> str:
        return f"math.pow({self(base)}, {self(exponent)})"

    def number(self, e: sp.Expr) -> str:
        if not e.is_finite:
            raise UnsupportedError(f"no kernel code for the constant {e}")
        return f"F({float(e)!r})"

    def operand(self, e: sp.Basic) -> str:
        """Printed so that it can stand beside any operator: bare where it is a name, a number or a call."""
        text = self(e)
        bare = isinstance(e, (sp.Symbol, sp.NumberSymbol, sp.sign, sp.Piecewise, sp.Max, sp.Min)) or type(e) in self.calls
        bare |= isinstance(e, sp.Number) and e >= 0
        bare |= isinstance(e, sp.Pow) and (e.exp == sp.Rational(1, 2) or e.base == sp.E or (e.exp.is_Integer and 0 < e.exp <= 16))
        return text if bare else f"({text})"

    def add(self, e: sp.Add) -> str:
        out = ""
        for term in sorted(e.args, key=lambda a: (a.could_extract_minus_sign(), sp.default_sort_key(a))):
            negative = term.could_extract_minus_sign()
            body = -term if negative else term
            text = self(body) if not isinstance(body, (sp.Add, sp.Piecewise, sp.Max, sp.Min)) else f"({self(body)})"
            out += (" - " if negative else " + ") + text if out else ("-" if negative else "") + text
        return out

    def mul(self, e: sp.Mul) -> str:
        coefficient, rest = e.as_coeff_Mul()
        sign = "-" if coefficient < 0 else ""
        coefficient = abs(coefficient)
        above, below = [], []
        for factor in sp.Mul.make_args(rest):
            base, exponent = factor.as_base_exp()
            if exponent.is_number and exponent < 0 and not isinstance(factor, sp.exp):
                below.append(base**-exponent)
            else:
                above.append(factor)
        texts = [self.operand(a) for a in sorted(above, key=sp.default_sort_key)]
        if coefficient != 1 or not texts:
            texts.insert(0, self.number(coefficient))
        out = sign + " * ".join(texts)
        if below:
            bottom = " * ".join(self.operand(b) for b in sorted(below, key=sp.default_sort_key))
            out += f" / {bottom}" if len(below) == 1 else f" / ({bottom})"
        return out

    def pow(self, base: sp.Expr, exponent: sp.Expr) -> str:
        if base == sp.E:
            return f"{self.calls[sp.exp]}({self(exponent)})"
        if exponent == sp.Rational(1, 2):
            return self.root(base)
        if exponent.is_number and exponent < 0:
            return f"{self.number(sp.S.One)} / {self.operand(base**-exponent)}"
        return self.positive_power(base, exponent)

    def positive_power(self, base: sp.Expr, exponent: sp.Expr) -> str:
        """A power that is neither a square root nor one over something."""
        if exponent.is_Integer and exponent <= 16:
            self.powers.add(int(exponent))
            return f"power{int(exponent)}({self(base)})"
        if exponent.is_Rational and exponent.q == 2 and exponent.p < 16:
            return f"{self.operand(base ** ((exponent.p - 1) // 2))} * {self.root(base)}" if exponent.p > 1 else self.root(base)
        return self.general_power(base, exponent)

    def piecewise(self, e: sp.Piecewise) -> str:
        self.check_piecewise(e)
        out = self(e.args[-1][0])
        for value, condition in reversed(e.args[:-1]):
            out = f"({self(value)} if {self(condition)} else {out})"
        return out

    def check_piecewise(self, e: sp.Piecewise) -> None:
        if e.args[-1][1] != sp.true:
            raise UnsupportedError(f"the Piecewise {e} has no last branch for all other cases: end it with (value, True)")

    def extremum(self, e: sp.Expr) -> str:
        relation = ">" if isinstance(e, sp.Max) else "<"
        args = sorted(e.args, key=sp.default_sort_key)
        out = self(args[0])
        for arg in args[1:]:
            text = self(arg)
            out = f"({out} if {out} {relation} {text} or {out} != {out} else {text})"  # a NaN on either side stays
        return out

    def function(
        self,
        name: str,
        arguments: Sequence[sp.Symbol],
        body: Iterable[tuple[sp.Symbol, sp.Expr]],
        results: Sequence[sp.Expr],
        note: str = "",
    ) -> str:
        """Source of a function: the body's assignments in order, then the results, shared subexpressions computed once."""
        lines = [f"def {name}({', '.join(name_of(a) for a in arguments)}):"] + ([f"    # {note}"] if note else [])
        body = list(body)
        expressions = [right for _, right in body] + list(results)
        # one cse over sequential assignments is right only if no name is assigned twice (single assignment)
        used = {str(s) for expression in expressions for s in expression.free_symbols} | {str(a) for a in arguments}
        fresh = (s for s in sp.numbered_symbols("x", real=True) if s.name not in used)
        shared, reduced = sp.cse(expressions, symbols=fresh, order="none")
        pending = list(shared)
        for (left, _), right in zip(body, reduced[: len(body)], strict=True):
            pending = self._flush(pending, right, lines)
            lines.append(f"    {name_of(left)} = {self(right)}")
        for result in reduced[len(body) :]:
            pending = self._flush(pending, result, lines)
        lines.append("    return " + ", ".join(self(result) for result in reduced[len(body) :]))
        return self.decorator + "\n".join(lines) + "\n"

    def _flush(self, pending: list[tuple[sp.Symbol, sp.Expr]], wanted: sp.Expr, lines: list[str]) -> list[tuple[sp.Symbol, sp.Expr]]:
        """Write the shared subexpressions that ``wanted`` needs; keep the rest for later."""
        needed = set(wanted.free_symbols)
        for left, right in reversed(pending):
            if left in needed:
                needed |= right.free_symbols
        for left, right in pending:
            if left in needed:
                lines.append(f"    {name_of(left)} = {self(right)}")
        return [pair for pair in pending if pair[0] not in needed]
