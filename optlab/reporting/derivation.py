"""What is derived of a rule or a normalization, in parts and lines, before it is printed as text, LaTeX, MathML, JSON or HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sympy as sp

from optlab import bounds, rules, schedules
from optlab.analysis import analyze, is_linear, sampling
from optlab.analysis.adaptive import analyze_adaptive
from optlab.analysis.areas import statement
from optlab.analysis.invariance import statements
from optlab.analysis.mode import Mode
from optlab.analysis.normalization import backward
from optlab.analysis.optimal import REFERENCE, STATUSES, Optimal
from optlab.analysis.schedules import area
from optlab.bounds import Bound
from optlab.errors import NotLinearError, UnknownNameError, UnsupportedError
from optlab.expressions import Rule, Schedule
from optlab.norms import Norm
from optlab.printing import text
from optlab.statements import Statement
from optlab.symbols import lam

ABOUT = {
    "transition_matrix": "one step of (theta, states...) without noise",
    "characteristic_polynomial": "det(z I - M)",
    "stable_set": "learning rates at which the noiseless iteration converges",
    "stability_limit": "the end of the stable learning rates that start at 0",
    "spectral_radius": "the factor by which an error shrinks per step",
    "stationary_variance": "of theta, where the noise leaves it",
    "noise_floor": "expected loss that constant steps settle to, batches of B, noise sigma per sample",
    "alpha": "the best learning rate",
    "rate": "the worst mode's factor per step",
}


@dataclass(frozen=True)
class Line:
    """One formula: its name, what it gives, and how it is known."""

    name: str
    about: str
    expression: sp.Basic
    status: str = "derived"
    how: str = ""
    reference: str = ""
    needs: tuple[str, ...] = ()  #: conditions and assumptions under which it holds

    @property
    def label(self) -> str:
        """The name in words."""
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class Part:
    """Formulas that belong together."""

    name: str
    title: str
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()


def rule_parts(rule: Rule, *, curvature: object = None, **spectrum: object) -> list[Part]:
    """Everything derived of a rule: its mode and minimax tuning if it is linear, else what is known of adaptive rules.

    ``spectrum`` is passed to :meth:`optlab.analysis.mode.Mode.optimal`.

    >>> from optlab import rules
    >>> [part.name for part in rule_parts(rules.get("sgd"))]
    ['mode', 'optimal']
    """
    if is_linear(rule):
        mode = analyze(rule, curvature=curvature)
        return [mode_part(mode), tuning_part(mode, spectrum)] if mode.curvature == lam else [mode_part(mode)]
    return adaptive_parts(rule)


def adaptive_parts(rule: Rule) -> list[Part]:
    """What is known of an adaptive rule, a part for each topic; a part of reasons where nothing is."""
    try:
        found = analyze_adaptive(rule)
    except (NotLinearError, UnsupportedError) as error:
        return [Part("adaptive", "not linear, and no scale whose freezing would make it so", (), (str(error),))]
    parts = []
    for topic, title in TITLES.items():
        reasons = [f"no {name.replace('_', ' ')}: {reason}" for name, reason in found.topic_reasons(topic).items()]
        part = statement_part(topic, title, found.topic(topic), reasons)
        if part.lines or part.notes:
            parts.append(part)
    return parts


#: The topics of :data:`optlab.analysis.adaptive.TOPICS`, in words.
TITLES = {
    "first_step": "the first step, and a constant gradient",
    "frozen": "with its scale held fixed at P (the square under the root)",
    "minimum": "the minimum of f = lam/2 theta^2",
    "limit_cycle": "the cycle of period two",
    "stationary": "under gradient noise of variance s2",
    "weight_decay": "weight decay and the fixed point",
    "scale_invariant": "weights whose scale does not matter",
    "nonconvergence": "the example of Reddi, Kale & Kumar (2018)",
}


def mode_part(mode: Mode) -> Part:
    """Stability, radius and noise of a linear rule."""
    lines = tuple(Line(name, ABOUT[name], value) for name, value in mode.items().items())
    missing = tuple(f"{name.replace('_', ' ')}: {reason}" for name, reason in mode.reasons.items())
    return Part("mode", f"on f = {mode.curvature}/2 theta^2, gradient noise of variance s2", lines, missing)


def tuning_part(mode: Mode, spectrum: dict[str, object]) -> Part:
    """The minimax tuning, its equations and its certificate."""
    title = "best worst-case rate over curvatures in [mu, L], kappa = L/mu"
    try:
        tuned = mode.optimal(**spectrum)  # type: ignore[arg-type]
    except UnsupportedError as error:
        return Part("optimal", title, (), (str(error),))
    lines = [Line(name, ABOUT.get(name, "the best value"), value) for name, value in tuned.items().items()]
    for i, equation in enumerate(tuned.equations, 1):
        lines.append(Line(f"equation {i}", tuned.active[i - 1] if i <= len(tuned.active) else "stationary", equation))
    lines += [Line(f"polynomial of {name}", "irreducible", value) for name, value in tuned.polynomials.items()]
    return Part("optimal", title, tuple(lines), tuple(tuning_notes(tuned)))


def tuning_notes(tuned: Optimal) -> Iterable[str]:
    """The status and the certificate in sentences."""
    yield f"{tuned.status}: {STATUSES[tuned.status]}" + (f" ({tuned.reason})" if tuned.reason else "")
    for name, (low, high) in tuned.intervals.items():
        yield f"{name} is the only root of its polynomial in ({float(low):.15g} ± {float(high - low) / 2:.1g})"
    for witness in tuned.witnesses if tuned.rate is None else ():
        yield f"found at mu = {_end(tuned.mu, 1)}, L = {_end(tuned.L, REFERENCE)}: " + ", ".join(
            f"{name} = {value:.9g}" for name, value in witness.items()
        )
    certificate = tuned.certificate
    if certificate is None:
        return
    kappas = ", ".join(f"{k:g}" for k in certificate.condition_numbers)
    yield f"certificate: {'holds' if certificate.holds else 'does not hold'} at kappa = {kappas}"
    yield f"  equations: {'hold by algebra' if certificate.exact else 'not proved'}"
    weights = ", ".join(f"{m:.3g} ({name})" for name, m in certificate.multipliers.items())
    yield f"  multipliers, all >= 0: {weights}; they leave {certificate.remainder:.1g} of the gradient of the rate"
    best = f"its best is {abs(certificate.gap):.2g} (1 - rate) {'above' if certificate.gap >= 0 else 'below'}"
    yield f"  a grid of {certificate.grid} points an axis finds {'nothing' if certificate.gap >= 0 else 'something'} better ({best})"


def _end(value: sp.Expr, reference: int) -> str:
    return str(value) if value.is_number else str(reference)


def statement_lines(statements: Iterable[Statement]) -> tuple[Line, ...]:
    """Statements as lines, with what each needs."""
    return tuple(
        Line(s.name, s.about, s.expression, s.status, s.how, s.reference, (*map(text, s.conditions), *s.assumptions)) for s in statements
    )


def statement_part(name: str, title: str, statements: Sequence[Statement], reasons: Sequence[str] = ()) -> Part:
    """Statements as a part: what they need, the meaning of their symbols and why others are missing stand in the notes."""
    lines = statement_lines(statements)
    meanings = {s: meaning for statement in statements for s, meaning in statement.symbols.items()}
    return Part(name, title, lines, (*needs(lines), *(f"{s}: {meaning}" for s, meaning in meanings.items()), *reasons))


def needs(lines: Iterable[Line]) -> list[str]:
    """A note for each set of conditions and assumptions, naming the formulas that need it."""
    found: dict[tuple[str, ...], list[str]] = {}
    for line in lines:
        if line.needs:
            found.setdefault(line.needs, []).append(line.label)
    return [f"{', '.join(names)}: holds where {'; '.join(wanted)}" for wanted, names in found.items()]


def plain(part: Part) -> dict[str, object]:
    """A part as JSON values: formulas as text that ``optlab.sympify`` reads back, beside what they give and how they are known."""
    lines = {
        line.name: {"expression": str(line.expression), "about": line.about, "status": line.status}
        | ({"how": line.how} if line.how else {})
        | ({"reference": line.reference} if line.reference else {})
        | ({"needs": list(line.needs)} if line.needs else {})
        for line in part.lines
    }
    return {"title": part.title, "formulas": lines, "notes": list(part.notes)}


def bounds_of(rule: str | None = None) -> list[Bound]:
    """Every convergence bound, or those that speak of a rule. Raises UnknownNameError for a rule without any."""
    found = bounds.builtin()
    spoken = list(dict.fromkeys(bound.rule for bound in found))
    name = None if rule is None else rules.get(rule).name
    if name is not None and name not in spoken:
        raise UnknownNameError("rule with a bound", name, spoken)
    return [bound for bound in found if name is None or bound.rule == name]


def bound_part(bound: Bound) -> Part:
    """A bound, its conditions, what it assumes and how it is known."""
    lines = [Line(bound.name, "the bound", bound.expression, bound.status, bound.how, bound.reference)]
    lines += [Line(f"{s} of {bound.schedule}", "fixed by the theorem", e, bound.status) for s, e in bound.schedule_values.items()]
    lines += [Line(f"{s} of {bound.rule}", "fixed by the theorem", e, bound.status) for s, e in bound.tuning.items()]
    notes = [f"bounds {bound.measures}", *(f"assumes: {a}" for a in bound.assumptions), *(f"needs: {c}" for c in bound.conditions)]
    notes.append("symbols: " + "; ".join(f"{s} {bound.meaning(s)}" for s in bound.free_symbols if bound.meaning(s)))
    if bound.tight:
        notes.append(f"tight: attained by {bound.attained_by}")
    if not bound.explicit:
        notes.append("its absolute constant is not given")
    proof = f"; SymPy verifies {len(bound.obligations)} steps" if bound.obligations else ""
    notes += [f"{bound.status}: {bound.how}{proof}", f"reference: {bound.reference}"]
    title = f"{bound.rule}, {bound.schedule} schedule, {bound.functions.replace('_', ' ')} functions"
    return Part(bound.name, title, tuple(lines), tuple(notes))


def bound_document(bound: Bound) -> dict[str, object]:
    """A bound as JSON values, by the names of its fields."""
    return {
        "expression": str(bound.expression), "measures": bound.measures, "quantity": bound.quantity, "functions": bound.functions,
        "assumptions": list(bound.assumptions), "conditions": [str(c) for c in bound.conditions], "rule": bound.rule,
        "tuning": {str(s): str(e) for s, e in bound.tuning.items()}, "schedule": bound.schedule,
        "schedule_values": {str(s): str(e) for s, e in bound.schedule_values.items()},
        "symbols": {str(s): bound.meaning(s) for s in bound.free_symbols}, "tight": bound.tight, "attained_by": bound.attained_by,
        "status": bound.status, "how": bound.how, "obligations": len(bound.obligations), "explicit": bound.explicit,
        "reference": bound.reference,
    }  # fmt: skip


def norm_parts(norm: Norm) -> list[Part]:
    """A normalization layer: forward, backward, and what it is invariant to."""
    forward = [Line(str(left), "the mean of", integrand) for left, integrand in norm.reductions]
    forward += [
        Line("sigma", "what is divided by", norm.scale),
        Line("xhat", "normalized", norm.normalized),
        Line("y", "output", norm.output),
    ]
    forward += [Line(f"running {left}", "for inference, after each batch", value) for left, value in norm.running.items()]
    passed = backward(norm)
    back = [Line(str(left), "the mean of", integrand) for left, integrand in passed.reductions]
    back.append(Line("dx", "gradient of the input", passed.input_gradient))
    back += [Line(f"d{s}", f"summed over {axes}", integrand) for s, (integrand, axes) in passed.parameter_gradients.items()]
    return [
        Part("forward", f"forward: means over {norm.reduced}", tuple(forward)),
        Part(
            "backward",
            "backward: dy is the gradient of the output",
            tuple(back),
            ("derived by the reverse chain rule from the forward pass",),
        ),
        statement_part("invariance", "what it does not see", statements(norm)),
    ]


def schedule_parts(schedule: Schedule) -> list[Part]:
    """A schedule's formula and the area under it (with what is bound put in)."""
    known = statement(schedules.get(schedule.name)) if schedule.name in schedules.names() else None
    missing = {p for p, record in schedule.parameters.items() if record.default is None} - schedule.bound.keys()
    if schedule.bound and not missing:
        schedule = schedule.with_(**{str(p): value for p, value in schedule.values.items()})
    lines = [Line("alpha", "learning rate of step t, from 0", schedule.expression)]
    notes = [f"{s}: {record.about}" for s, record in schedule.parameters.items() if record.about]
    try:
        total = known.expression.xreplace(schedule.bound) if known and not missing else area(schedule)
        lines.append(Line("area", "the sum of the learning rates over its length", total, *((known.status, known.how) if known else ())))
        notes += [f"needs: {condition}" for condition in known.conditions] if known and not schedule.bound else []
    except UnsupportedError as error:
        notes.append(f"no area: {error}")
    return [Part("schedule", schedule.name.replace("_", " "), tuple(lines), tuple(notes))]


def batch_part() -> Part:
    """What a batch of rows does to a gradient's variance, and to stability."""
    return statement_part("mini_batches", "mini-batches of rows", sampling.statements())
