"""The symbols that rules, schedules, problems and analyses share.

A SymPy symbol is its name *and* its assumptions, so two places that spell ``Symbol("alpha")`` with
different assumptions hold two different symbols. Everything in optlab therefore takes its symbols
from :func:`symbol`, which gives a name the same assumptions every time.
"""

from __future__ import annotations

import io
import itertools
import keyword
import tokenize
from functools import cache

import sympy as sp
from sympy.core.function import FunctionClass
from sympy.core.parameters import distribute

from optlab.errors import InputError

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
_CALLED = frozenset(name for name, value in _FUNCTIONS.items() if name[0].islower() and callable(value))  #: symbols unless called
_BARE = "__"  #: no name that is read starts so
_FUNCTIONS |= {"abs": sp.Abs, "max": sp.Max, "min": sp.Min, "True": sp.true, "False": sp.false}


def sympify(text: object) -> sp.Basic:
    """Read a formula back to the expression it was printed from, with optlab's symbols and assumptions.

    Unlike ``sympy.sympify`` a name such as ``beta`` or ``gamma`` is a symbol here, not a special function, and
    nothing but names, numbers and the usual functions is evaluated. A function is one only where it is called: ``floor`` alone
    is a symbol, as in the schedules, also beside ``floor(x)``.

    Raises InputError if the text is not a formula.

    >>> sympify("beta/lam") == symbol("beta") / symbol("lam"), sympify("2*(beta + 1)")
    (True, 2*(beta + 1))
    >>> sympify("floor*floor(5/2)")
    2*floor
    """
    if isinstance(text, sp.Basic):
        return text
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise InputError(f"{text!r} is not a formula: give text, a number or a SymPy expression")
    source = str(text)
    if source.strip() in ("True", "False"):  # SymPy's parser gives Python's own, which are no expressions
        return sp.true if source.strip() == "True" else sp.false
    names: dict[str, object] = dict(_FUNCTIONS)
    try:
        previous = ""
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
        pieces: list[str] = []
        for token, after in itertools.pairwise(tokens):
            if token.type == tokenize.NAME and token.string not in names and not keyword.iskeyword(token.string) and previous != ".":
                names[token.string] = symbol(token.string)
            if token.type == tokenize.NAME and keyword.iskeyword(token.string) and token.string not in names:
                raise InputError(f"cannot read the formula {source!r}: {token.string!r} is no part of a formula")
            if previous == "." and token.type == tokenize.NAME and token.string not in ("open", "Lopen", "Ropen"):
                raise InputError(f"cannot read the formula {source!r}: attributes such as .{token.string} mean nothing here")
            if token.string.startswith("__"):
                raise InputError(f"cannot read the formula {source!r}: names with __ are not symbols")
            previous = token.string
            if token.string in _CALLED and after.string != "(":
                pieces.append(_BARE + token.string)  # a name of its own in the text that is parsed
                names[pieces[-1]] = symbol(token.string)
            else:
                pieces.append(token.string)
        # without distribute(False) SymPy would turn 2*(beta + 1) into 2*beta + 2, another tree than the one that was printed
        with distribute(False):
            value = sp.parse_expr(
                " ".join(pieces), local_dict=names, global_dict={**_FUNCTIONS, "Symbol": sp.Symbol, "Function": sp.Function}
            )
    except InputError:
        raise
    except Exception as error:  # SymPy's parser raises whatever Python's does
        raise InputError(f"cannot read the formula {source!r}: {type(error).__name__}: {str(error).splitlines()[0]}") from None
    if isinstance(value, (FunctionClass, type)) or not isinstance(value, (sp.Basic, sp.MatrixBase)):
        raise InputError(f"cannot read the formula {source!r}: it is not an expression")
    return value
