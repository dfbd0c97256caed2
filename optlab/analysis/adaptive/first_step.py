"""How far the first step goes, what eps does to it, and the step that a constant gradient comes to."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from optlab.analysis.adaptive.constant import after, at_rest, displacement
from optlab.analysis.adaptive.positivity import domain, nonnegative
from optlab.analysis.adaptive.update import by_sign, compose, defaults, free, parameter, settled, tidy
from optlab.errors import UnsupportedError
from optlab.expressions import Rule
from optlab.statements import Statement
from optlab.symbols import g, t, theta

KINGMA = "Kingma & Ba, Adam: a method for stochastic optimization, ICLR 2015, section 2.1"


def first_step(rule: Rule) -> sp.Expr:
    """theta after the first step less theta before it, for a gradient g, exactly.

    >>> from optlab import rules
    >>> first_step(rules.get("adam"))
    -alpha*g/sqrt(eps + g**2)
    """
    first = tuple((left, right.xreplace({t: sp.Integer(1)})) for left, right in rule.equations)
    moved = sp.piecewise_fold(compose(first, rule.initial)[theta]) - theta
    return _collected(_plain_signs(moved, rule))


def _collected(moved: sp.Expr) -> sp.Expr:
    return sp.collect(sp.expand_mul(moved), theta) if moved.has(theta) else moved


def _plain_signs(expression: sp.Expr, rule: Rule) -> sp.Expr:
    """sign(x y) is sign(x) where y is positive over the hyper-parameters' domain."""
    inside = domain(rule)

    def without_positive(argument: sp.Expr) -> sp.Expr:
        factors = [f for f in sp.Mul.make_args(tidy(argument)) if f.has(g, theta, t) or not nonnegative(f, inside)]
        return sp.sign(sp.Mul(*factors))

    return expression.replace(sp.sign, without_positive)


def without_eps(rule: Rule, expression: sp.Expr) -> sp.Expr:
    """The expression as eps / g**2 goes to 0, in Abs(g) and sign(g)."""
    eps = parameter(rule, "eps")
    return by_sign(expression.xreplace({eps: sp.Integer(0)}) if eps is not None else expression)


def first_step_statements(rule: Rule) -> tuple[tuple[Statement, ...], dict[str, str]]:
    """The statements about the first step, and why those that are missing do not exist."""
    out: list[Statement] = []
    reasons: dict[str, str] = {}

    def derived(name: str, about: str, expression: sp.Basic, how: str, **more: object) -> None:
        out.append(Statement(name=name, about=about, expression=expression, status="derived", how=how, **more))  # type: ignore[arg-type]

    exact = first_step(rule)
    derived("first_step", "how far theta moves in the first step, for a gradient g", exact, "the equations at t = 1 from the initial state")
    open_rule = free(rule, "eps")
    large = without_eps(open_rule, first_step(open_rule))
    derived(
        "first_step_large", "the same where g**2 is far above eps", large, "eps put to 0, odd and even part in g", reference=KINGMA,
    )  # fmt: skip
    _eps(open_rule, derived, reasons)
    _ratio(open_rule, derived, reasons)
    try:
        states = after(rule)
        moved = _collected(_plain_signs(displacement(rule, states, rule.equations) - theta, rule))
        if moved.has(t):
            derived("constant_gradient", "how far theta moves in step t while the gradient stays g", moved, "the states' recursions summed")
        else:
            derived("constant_gradient", "how far theta moves in every step while the gradient stays g", moved, "the same for every t")
    except UnsupportedError as error:
        reasons["constant_gradient"] = str(error)
    try:
        limit = _collected(_plain_signs(displacement(open_rule, at_rest(open_rule), settled(open_rule)) - theta, rule))
        derived(
            "effective_step", "the step that a constant gradient g comes to, where g**2 is far above eps", without_eps(open_rule, limit),
            "the states at their fixed point, eps put to 0",
        )  # fmt: skip
    except UnsupportedError as error:
        reasons["effective_step"] = str(error)
    return tuple(out), reasons


def _eps(rule: Rule, derived: Callable[..., None], reasons: dict[str, str]) -> None:
    """What share of the step eps leaves, and the gradient at which it leaves half, for each place where eps may stand."""
    eps = parameter(rule, "eps")
    if eps is None:
        reasons["eps_effect"] = f"rule {rule.name} has no eps"
        return
    placements = [(f"_{option}", rule.with_(eps_placement=option)) for option in rule.variants.get("eps_placement", ())] or [("", rule)]
    size = sp.Dummy("size", positive=True)
    for suffix, placed in placements:
        step = first_step(placed).xreplace({theta: sp.Integer(0)}).xreplace({g: size})
        share = step / step.xreplace({eps: sp.Integer(0)})
        where = f"{suffix[1:]} the root" if suffix else "where the rule has it"
        derived(
            f"eps_effect{suffix}", f"the share of the first step that eps leaves, eps {where}", share.xreplace({size: sp.Abs(g)}),
            "the first step over the same with eps = 0",
        )  # fmt: skip
        half = _half(share, eps, size)
        if half is not None:
            derived(
                f"eps_half{suffix}", f"the gradient whose first step eps halves, eps {where}", half, "that share put equal to 1/2",
            )  # fmt: skip


def _half(share: sp.Expr, eps: sp.Symbol, size: sp.Symbol) -> sp.Expr | None:
    """The gradient at which the share is 1/2: the share or its square is one over something of first degree in eps."""
    for power in (1, 2):
        inverse = sp.expand(share**-power)
        slope = sp.diff(inverse, eps)
        if slope != 0 and not slope.has(eps):
            factor = sp.cancel(slope * size**power)
            return None if factor.has(size) else sp.root(eps * factor / (2**power - 1), power)
    return None


def _ratio(rule: Rule, derived: Callable[..., None], reasons: dict[str, str]) -> None:
    """How the first step without bias correction compares with the corrected one."""
    if "bias_correction" not in rule.variants:
        reasons["uncorrected_ratio"] = f"rule {rule.name} has no variant without bias correction"
        return
    corrected = next(option for option in rule.variants["bias_correction"] if option != "off")
    pair = [rule.with_(bias_correction=option) for option in ("off", corrected)]
    steps = [without_eps(each, first_step(each)).xreplace({theta: sp.Integer(0)}) for each in pair]
    ratio = sp.powsimp(sp.cancel(steps[0] / steps[1]))
    derived(
        "uncorrected_ratio", "the first step without bias correction over the one with it, where g**2 is far above eps", ratio,
        "the two variants' first steps divided", reference=KINGMA,
    )  # fmt: skip
    derived(
        "uncorrected_ratio_default", "the same at the rule's own numbers: above 1, so the uncorrected step is the larger one",
        defaults(rule, ratio), "numbers put in", reference=KINGMA,
    )  # fmt: skip
