"""Every small change of a rule's equations that a programmer makes by mistake, each with its words: made from the equations themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import sympy as sp

from optlab.expressions import Rule
from optlab.printing import text
from optlab.symbols import alpha, g, symbol, t, theta
from optlab.verify.evaluation import Program

Edit = tuple[str, Program]

_VARIANTS = {
    ("eps_placement", "inside"): "eps inside the square root",
    ("eps_placement", "outside"): "eps outside the square root",
    ("eps_placement", "both"): "an eps inside the square root and one outside it",
    ("eps_placement", "before_correction"): "eps-hat: eps added before the bias correction",
    ("bias_correction", "off"): "no bias correction",
    ("bias_correction", "on"): "a bias correction that the rule does not have",
    ("bias_correction", "after_max"): "bias correction after the maximum",
    ("bias_correction", "before_max"): "bias correction before the maximum",
    ("decay", "coupled"): "weight decay coupled: an L2 penalty added to the gradient, not decoupled",
    ("decay", "decoupled"): "weight decay decoupled: taken from theta, not added to the gradient",
    ("learning_rate", "inside"): "the learning rate inside the momentum buffer",
    ("first_step", "one"): "the state starting at 1, not 0",
    ("first_step", "zero"): "the state starting at 0",
    ("first_step", "gradient"): "the state taken to be the first gradient in the first step",
    ("dampening", "none"): "no dampening",
    ("dampening", "after_first"): "dampening from the second step on",
    ("momentum", "rising"): "a momentum that rises",
    ("momentum", "constant"): "a constant momentum",
    ("centered", "on"): "the mean gradient's square taken off the mean square (centered)",
    ("centered", "off"): "the mean square not centered",
    ("learning_rate", "outside"): "the learning rate outside the momentum buffer",
}


def variant_words(variant: str, option: str) -> str:
    """How a choice of a variant is said."""
    return _VARIANTS.get((variant, option), f"{variant.replace('_', ' ')} {option!r}")


def variants(rule: Rule) -> Iterator[Edit]:
    """The rule's other spellings, one choice changed at a time, then two."""
    flips = [(key, option) for key, options in rule.variants.items() for option in options if option != rule.chosen[key]]
    groups: list[list[tuple[str, str]]] = [[flip] for flip in flips]
    groups += [[a, b] for i, a in enumerate(flips) for b in flips[i + 1 :] if a[0] != b[0]]
    for group in groups:
        changed = rule.with_(**dict(group))
        other, own = Program.of(changed), Program.of(rule)
        kept = {key: own.values.get(key, value) for key, value in other.values.items()}  # a spelling may have a parameter of its own
        yield " and ".join(variant_words(*flip) for flip in group), replace(other, values=kept)


def _with(program: Program, index: int, right: sp.Expr) -> Program:
    equations = list(program.equations)
    equations[index] = (equations[index][0], right)
    return program.with_equations(tuple(equations))


def _everywhere(program: Program, mapping: dict[sp.Basic, sp.Expr]) -> Program:
    return program.with_equations(tuple((left, right.xreplace(mapping)) for left, right in program.equations))


def _powers_of_t(program: Program) -> list[sp.Pow]:
    """The beta**t of bias corrections, in order."""
    found = {p for _, right in program.equations for p in right.atoms(sp.Pow) if p.exp == t and p.base.is_Symbol}
    return sorted(found, key=str)


def _uses(program: Program, what: sp.Symbol) -> str:
    """The left side of the first equation that uses something."""
    return next((str(left) for left, right in program.equations if right.has(what)), "")


def counting(program: Program) -> Iterator[Edit]:
    """Step counts: t - 1 and t + 1 in corrections, none at all, for one of them, with another memory, frozen."""
    powers = _powers_of_t(program)
    groups = ([powers] if len(powers) > 1 else []) + [[p] for p in powers]
    for group in groups:
        of = "" if len(group) == len(powers) else f" of {_corrected(program, group[0])}"
        first, later = sp.Eq(t, 1), sp.true
        late: list[tuple[str, sp.Expr]] = [
            ("taken at t - 1 (the step count starts at 0)", t - 1),
            ("taken at t - 1, the first step uncorrected", sp.Piecewise((sp.oo, first), (t - 1, later))),
            ("taken at t - 1, the first step as at t = 1", sp.Piecewise((sp.Integer(1), first), (t - 1, later))),
            ("taken at t + 1 (the step count starts at 1 and is raised before use)", t + 1),
            ("taken at 2 t", 2 * t),
        ]
        for words, when in late:
            if isinstance(when, sp.Piecewise) and when.args[0][0] == sp.oo:
                change = {p: sp.Piecewise((sp.Integer(0), first), (p.base ** (t - 1), later)) for p in group}
            elif isinstance(when, sp.Piecewise):
                change = {p: sp.Piecewise((p.base, first), (p.base ** (t - 1), later)) for p in group}
            else:
                change = {p: p.base**when for p in group}
            yield f"bias correction{of} {words}", _everywhere(program, change)
        yield f"bias correction{of} frozen at t = 1 (the step count is never raised)", _everywhere(program, {p: p.base for p in group})
        yield f"bias correction{of} missing", _everywhere(program, {p: sp.Integer(0) for p in group})
    for p in powers:
        for q in powers:
            if p != q:
                words = f"bias correction of {_corrected(program, p)} with {q.base} in place of {p.base}"
                yield words, _everywhere(program, {p: q})
    if not powers and any(right.has(t) for _, right in program.equations):
        for words, when in (("t - 1", t - 1), ("t + 1", t + 1)):
            yield f"steps counted as {words}", _everywhere(program, {t: when})
    elif any(right.xreplace({p: sp.Integer(0) for p in powers}).has(t) for _, right in program.equations):
        for words, when in (("t - 1", t - 1), ("t + 1", t + 1)):
            yield f"steps counted as {words} everywhere", _everywhere(program, {t: when})


def _corrected(program: Program, power: sp.Pow) -> str:
    """What a correction corrects: the state beside it, in a sum of quotients."""
    for left, right in program.equations:
        if right.has(power):
            states = [s for s in program.states[1:] if right.has(s)]
            return str(states[0]) if states else str(left)
    return str(power.base)


def ordering(program: Program) -> Iterator[Edit]:
    """An old state where the new one belongs, and the other way round."""
    places = {left: i for i, (left, _) in enumerate(program.equations)}
    for i, (left, right) in enumerate(program.equations):
        for state in program.states[1:]:
            if not right.has(state) or state == left:
                continue
            old = symbol(f"old_{state}")
            if places[state] < i:
                changed = _with(program, i, right.xreplace({state: old}))
                yield f"the old {state} in place of the new one in {left}", changed.with_equations(((old, state), *changed.equations))
            else:
                equations = list(program.equations)
                moved = equations.pop(places[state])
                equations.insert(i, moved)
                yield f"the new {state} in place of the old one in {left}", program.with_equations(tuple(equations))
    at = places[theta]
    right = program.equations[at][1]
    factor = sp.expand(right).coeff(theta, 1) if right.has(theta) else sp.Integer(0)
    if factor not in (0, 1):
        step = right - theta
        decay = sp.simplify(factor - 1) * theta
        rest = sp.expand(step - decay)
        yield "weight decay applied after the step, to the new theta", _with(program, at, factor * (theta + rest))


def _terms(expression: sp.Expr) -> Iterator[tuple[sp.Add, sp.Expr]]:
    """Every sum in an expression with each of its terms."""
    for node in sp.preorder_traversal(expression):
        if isinstance(node, sp.Add):
            for term in node.args:
                yield node, term


def _factors(expression: sp.Expr) -> Iterator[tuple[sp.Mul, sp.Expr]]:
    for node in sp.preorder_traversal(expression):
        if isinstance(node, sp.Mul):
            for factor in node.args:
                yield node, factor


def _replaced(program: Program, index: int, old: sp.Expr, new: sp.Expr) -> Program:
    return _with(program, index, program.equations[index][1].xreplace({old: new}))


def memories(program: Program) -> Iterator[Edit]:
    """beta and 1 - beta exchanged, dropped, or another hyper-parameter in their place; two hyper-parameters exchanged."""
    names = [p for p in program.values if p in {s for _, r in program.equations for s in r.free_symbols}]
    decays = [p for p in names if any(r.has(1 - p) or (left in program.states and r.has(p * left)) for left, r in program.equations)]
    for i, a in enumerate(decays):
        for b in decays[i + 1 :]:
            if program.values[a] != program.values[b]:
                yield f"{a} and {b} swapped", program.with_values({a: program.values[b], b: program.values[a]})
    for i, (left, right) in enumerate(program.equations):
        for p in decays:
            if not right.has(p):
                continue
            for q in decays:
                if q != p:
                    yield f"{q} in place of {p} in {left}", _replaced(program, i, p, q)
            if right.has(1 - p):
                mark = sp.Dummy()
                swapped = right.xreplace({1 - p: mark}).xreplace({p: 1 - p}).xreplace({mark: p})
                yield f"{p} and 1 - {p} exchanged in {left}", _with(program, i, swapped)
                kept = right.xreplace({1 - p: sp.Integer(1)})
                yield f"the factor 1 - {p} missing in {left}: a sum, not an average", _with(program, i, kept)
                plain = right.xreplace({1 - p: mark}).xreplace({p: sp.Integer(1)}).xreplace({mark: 1 - p})
                yield f"the factor {p} missing in {left}: nothing is forgotten", _with(program, i, plain)
            elif left in program.states[1:]:
                yield f"the gradient multiplied by 1 - {p} in {left} (dampening)", _with(program, i, right.xreplace({g: (1 - p) * g}))
                yield f"1 - {p} in place of {p} in {left}", _with(program, i, right.xreplace({p: 1 - p}))
                yield f"the factor {p} missing in {left}: nothing is forgotten", _with(program, i, right.xreplace({p: sp.Integer(1)}))


def first_steps(program: Program) -> Iterator[Edit]:
    """States that start otherwise."""
    for i, (left, right) in enumerate(program.equations):
        if left not in program.states[1:] or not right.has(g):
            continue
        power = 2 if right.has(g**2) else 1
        start = sp.Piecewise((g**power, sp.Eq(t, 1)), (right, True))
        yield f"{left} taken to be the first gradient{' squared' if power == 2 else ''} in the first step", _with(program, i, start)
    for state in program.states[1:]:
        for value in (0, 1):
            if program.initial[state] != value:
                yield (
                    f"{state} starting at {value}, not {program.initial[state]}",
                    replace(program, initial={**program.initial, state: value}),
                )


def epsilons(program: Program) -> Iterator[Edit]:
    """eps left out, inside or outside the root, before or after the correction."""
    eps = next((p for p in program.values if str(p) == "eps"), None)
    if eps is None or not program.values[eps]:
        return
    powers = _powers_of_t(program)
    for i, (_, right) in enumerate(program.equations):
        if not right.has(eps):
            continue
        for node in {n for n in sp.preorder_traversal(right) if isinstance(n, sp.Add) and eps in n.args}:
            rest = node - eps
            if rest.is_Pow and rest.exp == sp.S.Half:  # sqrt(x) + eps
                yield "eps inside the square root", _replaced(program, i, node, sp.sqrt(rest.base + eps))
                yield "eps squared inside the square root", _replaced(program, i, node, sp.sqrt(rest.base + eps**2))
                yield "eps inside the square root and outside it", _replaced(program, i, node, sp.sqrt(rest.base + eps) + eps)
                yield "the larger of the square root and eps, in place of their sum", _replaced(program, i, node, sp.Max(rest, eps))
            for root in {p for p in right.atoms(sp.Pow) if p.base == node and p.exp in (sp.S.Half, -sp.S.Half)}:  # sqrt(x + eps)
                sign = 2 * root.exp
                yield "eps outside the square root", _replaced(program, i, root, (sp.sqrt(rest) + eps) ** sign)
                yield "eps squared inside the square root", _replaced(program, i, root, sp.sqrt(rest + eps**2) ** sign)
                yield "eps inside the square root and outside it", _replaced(program, i, root, (sp.sqrt(node) + eps) ** sign)
        for power in powers:
            for words, factor in (("sqrt(1 - {})", sp.sqrt(1 - power)), ("1 - {}", 1 - power)):
                label = words.format(power)
                yield f"eps-hat: eps added before the bias correction (eps over {label})", _replaced(program, i, eps, eps / factor)
                yield f"eps multiplied by {label}", _replaced(program, i, eps, eps * factor)
    yield "eps missing", program.with_values({eps: 0.0})
    yield "eps missing (or next to nothing)", program.with_values({eps: 1e-300})


def functions(program: Program) -> Iterator[Edit]:
    """A square, a root, a maximum, a sign or an absolute value missing."""
    for i, (left, right) in enumerate(program.equations):
        for node in sorted({n for n in sp.preorder_traversal(right) if n.args}, key=str):
            if isinstance(node, sp.Pow) and node.exp == 2 and node.has(g):
                yield f"the square missing in {left}: {node.base} in place of {text(node)}", _replaced(program, i, node, node.base)
                yield f"the absolute value in place of the square in {left}", _replaced(program, i, node, sp.Abs(node.base))
            if isinstance(node, sp.Pow) and node.exp in (sp.S.Half, -sp.S.Half):
                yield f"the square root missing in {left}", _replaced(program, i, node, node.base ** (2 * node.exp))
            if isinstance(node, (sp.Max, sp.Min)):
                for arg in node.args:
                    yield f"the maximum missing in {left}: {text(arg)} alone", _replaced(program, i, node, arg)
                yield f"the minimum in place of the maximum in {left}", _replaced(program, i, node, sp.Min(*node.args))
            if isinstance(node, sp.sign):
                yield f"the sign missing in {left}: {text(node.args[0])} itself", _replaced(program, i, node, node.args[0])
            if isinstance(node, sp.Abs):
                yield f"the absolute value missing in {left}", _replaced(program, i, node, node.args[0])


def decays(program: Program) -> Iterator[Edit]:
    """Weight decay missing, twice, of the wrong sign, or without the learning rate."""
    wd = next((p for p in program.values if str(p) == "wd"), None)
    if wd is None:
        return
    value = program.values[wd]
    if value:
        yield "weight decay missing", program.with_values({wd: 0.0})
        yield "weight decay applied twice", program.with_values({wd: 2 * value})
        yield "weight decay of the wrong sign", program.with_values({wd: -value})
        both = program.equations
        if not any(right.has(g + wd * theta) for _, right in both):
            yield (
                "weight decay both coupled (added to the gradient) and decoupled",
                program.with_equations(tuple((left, right.xreplace({g: g + wd * theta})) for left, right in both)),
            )
            without = tuple((left, right.xreplace({wd: sp.Integer(0)}).xreplace({g: g + wd * theta})) for left, right in both)
            words = "weight decay coupled: an L2 penalty added to the gradient, not decoupled"
            yield words, replace(program, equations=without)
        yield "weight decay not multiplied by the learning rate", _everywhere(program, {wd: wd / alpha})


def rates(program: Program) -> Iterator[Edit]:
    """The learning rate twice, not at all, or in another place."""
    for i, (left, right) in enumerate(program.equations):
        if right.has(alpha):
            yield f"the learning rate squared in {left}", _with(program, i, right.xreplace({alpha: alpha**2}))
            yield f"the learning rate missing in {left}", _with(program, i, right.xreplace({alpha: sp.Integer(1)}))
    at, states = dict(program.equations)[theta], program.states[1:]
    if at.has(alpha):
        index = [left for left, _ in program.equations].index(theta)
        for i, (left, right) in enumerate(program.equations):
            if left in states and right.has(g) and not right.has(alpha):
                inside = _with(program, i, right.xreplace({g: alpha * g}))
                yield f"the learning rate inside {left}", _with(inside, index, at.xreplace({alpha: sp.Integer(1)}))


def terms(program: Program) -> Iterator[Edit]:
    """A sign flipped, a term or a factor left out, anywhere."""
    for i, (left, right) in enumerate(program.equations):
        seen: set[tuple[sp.Basic, sp.Basic]] = set()
        for node, term in _terms(right):
            if (node, term) in seen:
                continue
            seen.add((node, term))
            yield (
                f"the sign of {text(sp.Abs(term) if term.is_number else term)} flipped in {left}",
                _replaced(program, i, node, node - 2 * term),
            )
            yield f"the term {text(term)} missing in {left}", _replaced(program, i, node, node - term)
        for node, factor in _factors(right):
            if (node, factor) in seen or factor == -1:
                continue
            seen.add((node, factor))
            yield f"the factor {text(factor)} missing in {left}", _replaced(program, i, node, node / factor)


def stale(program: Program) -> Iterator[Edit]:
    """A state that is never updated, or takes the step itself in place of its own equation."""
    for i, (left, _) in enumerate(program.equations):
        if left in program.states[1:]:
            yield f"{left} never updated", _with(program, i, left)
    if len(program.states) > 1:
        index = [left for left, _ in program.equations].index(theta)
        moved = list(program.equations)
        moved.insert(0, moved.pop(index))
        used = moved[0][1].free_symbols - {theta, g, alpha, t} - set(program.values)
        if used and used <= set(program.states):
            yield "theta updated before the states", program.with_equations(tuple(moved))


def additions(program: Program) -> Iterator[Edit]:
    """Bias corrections that the rule does not have."""
    if _powers_of_t(program):
        return
    for i, (left, right) in enumerate(program.equations):
        if left not in program.states[1:]:
            continue
        for p in program.values:
            if right.has(1 - p):
                hat = symbol(f"{left}_hat")
                later = tuple(
                    (a, b.xreplace({left: hat})) if a not in program.states[1:] else (a, b) for a, b in program.equations[i + 1 :]
                )
                equations = (*program.equations[: i + 1], (hat, left / (1 - p**t)), *later)
                yield f"a bias correction of {left} that the rule does not have", program.with_equations(equations)


def _once(base: Program, families: Iterable[Iterator[Edit]]) -> Iterator[Edit]:
    """The edits of several families, equal programs and impossible numbers left out."""
    seen = {base.key}
    for family in families:
        for words, changed in family:
            if changed.key not in seen and not any(right.has(sp.zoo, sp.nan, sp.oo, sp.I) for _, right in changed.equations):
                seen.add(changed.key)
                yield words, changed


def edited(program: Program) -> Iterator[Edit]:
    """The changes that have a name of their own, the likeliest first."""
    families = (epsilons, counting, decays, ordering, memories, first_steps, functions, rates, additions, stale)
    return _once(program, (family(program) for family in families))


def respelled(rule: Rule) -> Iterator[Edit]:
    """The rule's other spellings."""
    return _once(Program.of(rule), [variants(rule)])


def mangled(program: Program) -> Iterator[Edit]:
    """A sign flipped, a term or a factor left out."""
    return _once(program, [terms(program)])
