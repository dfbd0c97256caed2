"""Real mini-batches, on paper: the moments of a batch's Hessian, the variance of its mean, and the stability limits that follow."""

from __future__ import annotations

from functools import lru_cache

import sympy as sp

from optlab import rules
from optlab.analysis.linear import linear_form
from optlab.bounds.record import Obligation
from optlab.statements import Statement
from optlab.symbols import alpha, lam, symbol

B, n, sigma = symbol("B"), symbol("n"), symbol("sigma")
square = symbol("square")  #: the mean over rows of h (x) h
outer = symbol("outer")  #: H (x) H, H the mean over rows of h
kurtosis = symbol("kurtosis")  #: E[h^2] / E[h]^2
d = symbol("d")  #: the number of coordinates
SAMPLINGS = ("replacement", "subset")
_MEANINGS = {square: "mean of h (x) h over the rows", outer: "H (x) H, where H is the mean of h over the rows"}


def pair(sampling: str) -> sp.Expr:
    """E[h_a (x) h_b] of two different places of a batch: H (x) H if drawn independently, else over the n (n - 1) pairs of other rows."""
    return outer if sampling == "replacement" else (n**2 * outer - n * square) / (n * (n - 1))


def batch_square(sampling: str) -> sp.Expr:
    """E[H_B (x) H_B] of the mean H_B of a batch: B places with themselves, B (B - 1) ordered pairs of different places.

    >>> batch_square("replacement")
    outer - outer/B + square/B
    """
    return sp.expand((B * square + B * (B - 1) * pair(sampling)) / B**2) if sampling == "replacement" else _by_excess(sampling)


def _by_excess(sampling: str) -> sp.Expr:
    whole = (B * square + B * (B - 1) * pair(sampling)) / B**2
    extra = sp.factor(sp.expand(sp.diff(whole, square)))
    left = sp.factor(sp.cancel(sp.diff(whole, outer)))
    return extra * square + left * outer


def factor(sampling: str) -> sp.Expr:
    """What the covariance of one row is multiplied by in the mean of a batch.

    >>> factor("subset")
    (-B + n)/(B*(n - 1))
    """
    return sp.factor(sp.diff(batch_square(sampling), square))


@lru_cache(maxsize=1)
def gaussian_moments() -> tuple[sp.Expr, sp.Expr]:
    """E[x^2] and E[x^4] of a standard normal number, integrated."""
    x = sp.Dummy("x", real=True)
    second, fourth = (sp.integrate(x**p * sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi), (x, -sp.oo, sp.oo)) for p in (2, 4))
    return second, fourth


def gaussian_fourth() -> tuple[sp.Expr, sp.Expr]:
    """E[x x' S x x'] of Gaussian rows of identity covariance, on S = I and on S = diag(1, -1, 0, ...): their two multiples of S."""
    second, fourth = gaussian_moments()
    identity = fourth + (d - 1) * second**2  # E[x_1^2 |x|^2]
    traceless = fourth - second**2  # E[x_1^2 (x_1^2 - x_2^2)]
    return sp.expand(identity), sp.expand(traceless)


def mean_square_limit(square_over_curvature: sp.Expr, curvature: sp.Expr = lam) -> sp.Expr:
    """The end of the alpha > 0 at which E[(1 - alpha h)^2] < 1, for SGD as its linear form says, E[h] = curvature, E[h^2] given."""
    h = sp.Dummy("h")
    step = sp.Poly(sp.expand(linear_form(rules.get("sgd")).transition(h)[0] ** 2 - 1), h)
    change = sum(c * {0: 1, 1: curvature, 2: square_over_curvature}[k[0]] for k, c in step.terms())
    return sp.factor(sp.solve(sp.cancel(change / alpha), alpha)[0])


def gaussian_limit() -> tuple[sp.Expr, tuple[Obligation, ...]]:
    """The limit for Gaussian rows of identity covariance, and the steps that prove it.

    >>> limit, steps = gaussian_limit()
    >>> limit, all(step.holds() for step in steps)
    (2*B/(B + d + 1), True)
    """
    second, fourth = gaussian_moments()
    identity, traceless = gaussian_fourth()
    limits = [mean_square_limit(sp.expand(value / B + (1 - 1 / B)), sp.Integer(1)) for value in (identity, traceless)]
    more, extra = (sp.Dummy(name, nonnegative=True) for name in ("more", "extra"))
    where = {d: 1 + more, B: 1 + extra}
    return limits[0], (
        Obligation("E[x x' S x x'] = 2 S + tr(S) I for symmetric S, as E[x_i^4] = 3 E[x_i^2]^2", fourth - 3 * second**2),
        Obligation("it is d + 2 times S on multiples of I", identity - (2 + d)),
        Obligation("it is twice S on traceless S", traceless - 2),
        Obligation("the limit of the first is the lower one for d >= 1, B >= 1", limits[1] - limits[0], at_least=True, where=where),
    )


@lru_cache(maxsize=1)
def statements() -> tuple[Statement, ...]:
    """What is said of mini-batches of rows."""
    out = []
    for sampling in SAMPLINGS:
        drawn = "drawn independently" if sampling == "replacement" else "drawn without replacement from n"
        out.append(Statement(
            name=f"batch_second_moment_{sampling}", about=f"E[H_B (x) H_B] of a batch of B rows {drawn}", expression=batch_square(sampling),
            status="derived", how="B places with themselves and B (B - 1) pairs of places, each pair's mean from the table's sums",
            symbols=_MEANINGS,
        ))  # fmt: skip
        out.append(Statement(
            name=f"batch_variance_{sampling}", about=f"variance of the mean of B rows {drawn}, sigma^2 that of one row (divisor n)",
            expression=sigma**2 * factor(sampling), status="derived", how="the coefficient of square in E[H_B (x) H_B]",
            symbols={sigma: "standard deviation of one row's gradient"},
        ))  # fmt: skip
    one = batch_square("replacement").xreplace({square: kurtosis * lam**2, outer: lam**2})
    out.append(Statement(
        name="mean_square_limit_scalar", about="the learning rate below which SGD is mean-square stable in one dimension",
        expression=mean_square_limit(one), status="derived", how="E[(1 - alpha h_B)^2] = 1 solved for alpha",
        symbols={kurtosis: "E[h^2]/E[h]^2 of one row's curvature h = x^2"}, assumptions=("rows drawn independently",),
    ))  # fmt: skip
    limit, proved = gaussian_limit()
    out.append(Statement(
        name="mean_square_limit_gaussian", about="the same for Gaussian rows of identity covariance in d dimensions", expression=limit,
        status="proved" if all(step.holds() for step in proved) else "stated", how="; ".join(step.about for step in proved),
        symbols={d: "number of coordinates"}, conditions=(sp.Ge(d, 1), sp.Ge(B, 1)), assumptions=("rows drawn independently, fresh",),
        reference="Defossez & Bach, Averaged least-mean-squares, AISTATS 2015",
    ))  # fmt: skip
    return tuple(out)
