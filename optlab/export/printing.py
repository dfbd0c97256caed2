"""SymPy expression to plain Python, torch and jax source: numbers as they are, powers as ``x**2``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sympy as sp

from optlab.codegen.printer import Printer
from optlab.errors import UnsupportedError
from optlab.symbols import t

_NAMES = {
    sp.exp: "exp", sp.log: "log", sp.sin: "sin", sp.cos: "cos", sp.tan: "tan", sp.tanh: "tanh", sp.sinh: "sinh", sp.cosh: "cosh",
    sp.atan: "atan", sp.erf: "erf", sp.asin: "asin", sp.acos: "acos",
}  # fmt: skip
_NUMPY = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}
#: Names that the printed code uses for itself; a symbol of such a name gets an underscore behind it.
RESERVED = frozenset(
    "self torch math group state closure loss params lr options param_group parameter sign complement contextmanager kept value before "
    "jax jnp optax init update updates learning_rate point leaf leaves tree done made column parts new old max min abs float int "
    "isinstance super zip callable".split()
)

complement = sp.Function("complement")  #: complement(b, t) = 1 - b**t, where it would lose digits in single precision


def local_name(symbol: sp.Symbol) -> str:
    """The variable that a symbol is in printed code; different symbols keep different names."""
    return f"{symbol.name}_" if symbol.name.rstrip("_") in RESERVED else str(symbol.name)


class PlainPrinter(Printer):
    """Numbers alone, with :mod:`math`."""

    calls: Mapping[type, str] = {kind: f"math.{name}" for kind, name in _NAMES.items()} | {sp.Abs: "abs"}

    def __call__(self, e: sp.Basic) -> str:
        return local_name(e) if isinstance(e, sp.Symbol) else super().__call__(e)

    def number(self, e: sp.Expr) -> str:
        if not e.is_finite:
            raise UnsupportedError(f"no code for the constant {e}")
        return str(e) if isinstance(e, sp.Integer) else repr(float(e))

    def positive_power(self, base: sp.Expr, exponent: sp.Expr) -> str:
        texts = [self(e) if isinstance(e, sp.Symbol) or (isinstance(e, sp.Number) and e >= 0) else f"({self(e)})" for e in (base, exponent)]
        return "**".join(texts)

    def rounded(self, name: str, argument: str) -> str:
        return f"math.{name}({argument})"

    def extremum(self, e: sp.Expr) -> str:
        name = "max" if isinstance(e, sp.Max) else "min"
        return f"{name}({', '.join(self(arg) for arg in sorted(e.args, key=sp.default_sort_key))})"


class TorchPrinter(PlainPrinter):
    """Tensors, and numbers beside them: what holds no symbol of ``tensors`` is a number and is printed as one.

    ``like`` is the variable whose dtype and device a tensor made of numbers alone takes.
    """

    calls: Mapping[type, str] = {kind: f"torch.{name}" for kind, name in _NAMES.items()} | {sp.Abs: "torch.abs"}

    def __init__(self, tensors: Iterable[sp.Symbol], like: str = "parameter") -> None:
        super().__init__()
        self.tensors, self.like, self.scalars = set(tensors), like, PlainPrinter()

    def is_tensor(self, e: sp.Basic) -> bool:
        """Whether the expression holds a tensor."""
        return bool(e.free_symbols & self.tensors)

    def __call__(self, e: sp.Basic) -> str:
        if self.is_tensor(e):
            return super().__call__(e)
        text = self.scalars(e)
        self.signs |= self.scalars.signs
        return text

    def root(self, base: sp.Expr) -> str:
        return f"torch.sqrt({self(base)})"

    def rounded(self, name: str, argument: str) -> str:
        return f"torch.{name}({argument})"

    def joint(self, e: sp.Basic) -> str:
        return "&" if isinstance(e, sp.And) else "|"

    def negation(self, argument: str) -> str:
        return f"~({argument})"

    def extremum(self, e: sp.Expr) -> str:
        name, bound = ("maximum", "min") if isinstance(e, sp.Max) else ("minimum", "max")
        numbers = [arg for arg in e.args if not self.is_tensor(arg)]
        tensors = [self(arg) for arg in sorted(e.args, key=sp.default_sort_key) if self.is_tensor(arg)]
        out = tensors[0]
        for text in tensors[1:]:
            out = f"torch.{name}({out}, {text})"
        return f"torch.clamp({out}, {bound}={self(e.func(*numbers))})" if numbers else out

    def piecewise(self, e: sp.Piecewise) -> str:
        """A condition on numbers (the step, say) is decided in Python, one on tensors element by element."""
        self.check_piecewise(e)
        last = e.args[-1][0]
        out, is_number = self(last), not self.is_tensor(last)
        for value, condition in reversed(e.args[:-1]):
            if not self.is_tensor(condition):
                out = f"({self(value)} if {self(condition)} else {out})"
            else:
                first = self(value)
                if is_number and not self.is_tensor(value):  # two numbers would make a tensor of torch's default float type
                    first = f"{self.like}.new_tensor({first})"
                out = f"torch.where({self(condition)}, {first}, {out})"
            is_number = is_number and not self.is_tensor(value) and not self.is_tensor(condition)
        return out


class JaxPrinter(PlainPrinter):
    """Arrays and traced numbers alike: no branch of Python's on either."""

    calls: Mapping[type, str] = {kind: f"jnp.{_NUMPY.get(name, name)}" for kind, name in _NAMES.items()} | {
        sp.Abs: "jnp.abs", sp.erf: "jax.scipy.special.erf", complement: "complement",
    }  # fmt: skip

    def __init__(self, hyper: Iterable[sp.Symbol] = ()) -> None:
        super().__init__()
        self.hyper, self.complements = set(hyper), False

    def prepared(self, e: sp.Expr) -> sp.Expr:
        """The expression with every 1 - b**t, b of hyper-parameters, by its own name."""
        for power in e.atoms(sp.Pow):
            if power.exp == t and power.base.free_symbols <= self.hyper:
                e = e.replace(1 - power, complement(power.base, t))
        return e

    def __call__(self, e: sp.Basic) -> str:
        if isinstance(e, sp.core.function.AppliedUndef) and e.func == complement:
            self.complements = True
            return f"complement({self(e.args[0])}, {self(e.args[1])})"
        if isinstance(e, sp.sign):
            return f"jnp.sign({self(e.args[0])})"
        return super().__call__(e)

    def operand(self, e: sp.Basic) -> str:
        return self(e) if isinstance(e, sp.core.function.AppliedUndef) else super().operand(e)

    def root(self, base: sp.Expr) -> str:
        return f"jnp.sqrt({self(base)})"

    def rounded(self, name: str, argument: str) -> str:
        return f"jnp.{name}({argument})"

    def joint(self, e: sp.Basic) -> str:
        return "&" if isinstance(e, sp.And) else "|"

    def negation(self, argument: str) -> str:
        return f"~({argument})"

    def extremum(self, e: sp.Expr) -> str:
        name = "maximum" if isinstance(e, sp.Max) else "minimum"
        out, *rest = (self(arg) for arg in sorted(e.args, key=sp.default_sort_key))
        for text in rest:
            out = f"jnp.{name}({out}, {text})"
        return out

    def piecewise(self, e: sp.Piecewise) -> str:
        self.check_piecewise(e)
        out = self(e.args[-1][0])
        for value, condition in reversed(e.args[:-1]):
            out = f"jnp.where({self(condition)}, {self(value)}, {out})"
        return out
