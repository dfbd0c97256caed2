"""The symbols that rules, schedules, problems and analyses share.

A SymPy symbol is its name *and* its assumptions, so two places that spell ``Symbol("alpha")`` with
different assumptions hold two different symbols. Everything in optlab therefore takes its symbols
from :func:`symbol`, which gives a name the same assumptions every time.
"""

from __future__ import annotations

import ast
import keyword
import math
import operator
from functools import cache, partial
from typing import Any

import sympy as sp
from sympy.core.function import FunctionClass
from sympy.core.parameters import distribute

from optlab.calls import parsed
from optlab.errors import InputError, short

_POSITIVE = frozenset({"alpha", "eps", "lam", "mu", "L", "s2", "sigma", "kappa", "T", "B", "n"})
_NONNEGATIVE = frozenset({"gap", "distance2", "trace"})  # what bounds are in: they may vanish
_INTEGER = frozenset({"t"})


@cache
def symbol(name: str) -> sp.Symbol:
    """The symbol of this name, always with the same assumptions.

    ``alpha, eps, lam, mu, L, s2, sigma, kappa, T, B, n`` are positive, ``t`` is a positive integer
    (a rule's step number, from 1), ``gap, distance2, trace`` are nonnegative, every other symbol is real.

    Raises InputError if the name is not a Python identifier.

    >>> symbol("beta") is symbol("beta"), symbol("alpha").is_positive
    (True, True)
    """
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise InputError(f"{name!r} cannot name a symbol: use a Python identifier such as 'beta1'")
    if name in _INTEGER:
        return sp.Symbol(name, integer=True, positive=True)
    if name in _POSITIVE:
        return sp.Symbol(name, positive=True)
    if name in _NONNEGATIVE:
        return sp.Symbol(name, nonnegative=True)
    return sp.Symbol(name, real=True)


theta = symbol("theta")  #: a parameter (one coordinate)
g = symbol("g")  #: the gradient that the rule is given (one coordinate)
alpha = symbol("alpha")  #: the learning rate of this step
t = symbol("t")  #: the step number, from 1 in rules
lam = symbol("lam")  #: the curvature of one eigen-direction
s2 = symbol("s2")  #: the variance of the gradient noise
mu = symbol("mu")  #: the smallest curvature
L = symbol("L")  #: the largest curvature
time = sp.Symbol("t", integer=True, nonnegative=True)  #: the step number of a schedule, from 0
z = symbol("z")  #: the prediction x . theta of a linear model
y = symbol("y")  #: the target of a linear model

_FUNCTIONS = {
    name: getattr(sp, name)
    for name in [
        "Abs",
        "Add",
        "Eq",
        "Ge",
        "Gt",
        "Le",
        "Lt",
        "Max",
        "Min",
        "Mul",
        "Ne",
        "Piecewise",
        "Pow",
        "Rational",
        "Integer",
        "Float",
        "And",
        "Or",
        "Not",
        "Interval",
        "Union",
        "FiniteSet",
        "EmptySet",
        "Matrix",
        "MutableDenseMatrix",
        "ImmutableDenseMatrix",
        "Heaviside",
        "Poly",
        "CRootOf",
        "Intersection",
        "acos",
        "asin",
        "atan",
        "atan2",
        "cos",
        "cosh",
        "erf",
        "exp",
        "floor",
        "harmonic",
        "zeta",
        "ceiling",
        "log",
        "sign",
        "sin",
        "sinh",
        "sqrt",
        "tan",
        "tanh",
        "pi",
        "E",
        "I",
        "oo",
        "true",
        "false",
    ]
}
_FUNCTIONS |= {"abs": sp.Abs, "max": sp.Max, "min": sp.Min, "True": sp.true, "False": sp.false}


def sympify(text: object) -> sp.Basic:
    """Read a formula back to the expression it was printed from, with optlab's symbols and assumptions.

    Unlike ``sympy.sympify`` a name such as ``beta`` or ``gamma`` is a symbol here, not a special function, and the text is never
    evaluated: it is taken apart as Python's grammar does, and built up from names, numbers and the usual functions. A function is
    one only where it is called: ``floor`` alone is a symbol, as in the schedules, also beside ``floor(x)``.

    Raises InputError if the text is not a formula.

    >>> sympify("beta/lam") == symbol("beta") / symbol("lam"), sympify("2*(beta + 1)")
    (True, 2*(beta + 1))
    >>> sympify("floor*floor(5/2)")
    2*floor
    """
    if isinstance(text, (sp.Basic, sp.MatrixBase)):
        return text
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise InputError(f"{text!r} is not a formula: give text, a number or a SymPy expression")
    source = str(text).strip()
    try:
        # without distribute(False) SymPy would turn 2*(beta + 1) into 2*beta + 2, another tree than the one that was printed
        with distribute(False):
            value = _built(parsed(source), source)
    except InputError as error:
        raise InputError(f"cannot read the formula {short(source, 200)}: {error}") from None
    except Exception as error:  # SymPy's constructors raise whatever they do
        reason = (str(error).splitlines() or [""])[0]
        raise InputError(f"cannot read the formula {short(source, 200)}: {type(error).__name__}: {reason}") from None
    if not isinstance(value, (sp.Basic, sp.MatrixBase)) or isinstance(value, (FunctionClass, type)):
        raise InputError(f"cannot read the formula {short(source, 200)}: it is not an expression")
    return value


LARGEST_BITS = 1 << 16  #: of a number's numerator and denominator: SymPy would compute for hours, and fill the memory
LARGEST_SUM = 1 << 10  #: argument of ``harmonic`` and ``zeta``, which SymPy computes as exact fractions


def _power(base: Any, exponent: Any) -> Any:
    """``base**exponent``, refused where it is a number of very many digits."""
    if getattr(base, "is_number", False) and getattr(exponent, "is_number", False) and exponent.is_real:
        size = math.log2(abs(float(exponent)) + 1)
        if base.is_Rational and base not in (0, 1, -1):
            size += math.log2(max(int(base.p).bit_length(), int(base.q).bit_length()))
        if size > math.log2(LARGEST_BITS) and base not in (0, 1, -1):
            raise InputError(f"the power {short(str(base))}**{short(str(exponent))} has too many digits")
    return operator.pow(base, exponent)


def _exact_sum(function: Any, *arguments: Any) -> Any:
    if any(getattr(item, "is_Rational", False) and abs(item) > LARGEST_SUM for item in arguments):
        raise InputError(f"{function.__name__}({short(', '.join(map(str, arguments)))}) is more than {LARGEST_SUM}: too many digits")
    return function(*arguments)


_BINARY: dict[type, Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: _power,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_,
}  # fmt: skip
_GUARDED: dict[str, Any] = {
    "Pow": _power, "harmonic": partial(_exact_sum, sp.harmonic), "zeta": partial(_exact_sum, sp.zeta),
}  # fmt: skip
_UNARY: dict[type, Any] = {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: operator.invert}
_RELATION: dict[type, Any] = {ast.Lt: sp.Lt, ast.LtE: sp.Le, ast.Gt: sp.Gt, ast.GtE: sp.Ge}


def _built(node: ast.AST, source: str) -> Any:
    """The expression of one node of Python's grammar; InputError for what is no part of a formula."""
    if isinstance(node, ast.Name):
        return _named(node.id)
    if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
        if isinstance(node.value, bool):
            return sp.true if node.value else sp.false
        return sp.Integer(node.value) if isinstance(node.value, int) else sp.Float(ast.get_source_segment(source, node) or node.value)
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _BINARY[type(node.op)](_built(node.left, source), _built(node.right, source))
    if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        return _UNARY[type(node.op)](_built(node.operand, source))
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _RELATION:
        sides = _built(node.left, source), _built(node.comparators[0], source)
        return _RELATION[type(node.ops[0])](*sides, evaluate=not any(side.free_symbols for side in sides))
    if isinstance(node, (ast.List, ast.Tuple)):
        items = [_built(item, source) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    if isinstance(node, ast.Call):
        options = {key.arg: key.value.value for key in node.keywords if key.arg and isinstance(key.value, ast.Constant)}
        if len(options) != len(node.keywords):
            raise InputError("only plain values may follow name=")
        return _function(node.func)(*(_built(item, source) for item in node.args), **options)
    raise InputError(f"{ast.unparse(node)} is no part of a formula")


def _named(name: str) -> Any:
    """The constant or symbol of this name."""
    if name.startswith("__"):
        raise InputError("names with __ are not symbols")
    value = _FUNCTIONS.get(name)
    if value is None or (callable(value) and name[0].islower()):
        return symbol(name)
    return value


def _function(node: ast.expr) -> Any:
    """What is called: a function of the list, or Interval.open and its kin."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Interval":
        if node.attr in ("open", "Lopen", "Ropen"):
            return getattr(sp.Interval, node.attr)
        raise InputError(f"attributes such as .{node.attr} mean nothing here")
    if isinstance(node, ast.Name) and callable(_FUNCTIONS.get(node.id)):
        return _GUARDED.get(node.id) or _FUNCTIONS[node.id]
    raise InputError(f"{ast.unparse(node)} is no function that is known")
