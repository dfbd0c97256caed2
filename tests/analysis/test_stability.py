"""Jury's conditions against roots, and stable sets against brute force."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from optlab import analyze
from optlab.analysis.stability import jury_conditions, positive_set
from optlab.errors import InputError, UnsupportedError
from optlab.printing import text
from optlab.rules import Parameter, Rule, State, alpha, g, lam, symbol, theta
from optlab.symbols import sympify
from tests.analysis.drawn import three_state_rule, three_state_rules

beta, m, n = symbol("beta"), symbol("m"), symbol("n1")


@st.composite
def roots(draw):
    """One to four roots, in conjugate pairs."""
    size = draw(st.integers(1, 4))
    found = []
    while len(found) < size:
        if size - len(found) >= 2 and draw(st.booleans()):
            modulus, angle = draw(st.floats(0, 1.6)), draw(st.floats(0, np.pi))
            found += [modulus * np.exp(1j * angle), modulus * np.exp(-1j * angle)]
        else:
            found.append(draw(st.floats(-1.6, 1.6)))
    return np.array(found)


@given(roots(), st.sampled_from([sp.Integer(1), sp.Rational(1, 2), sp.Rational(9, 10)]))
def test_the_conditions_are_positive_exactly_when_every_root_is_inside(found, radius):
    largest = np.abs(found).max()
    assume(abs(largest - float(radius)) > 1e-3)
    names = sp.symbols("a:4")[: len(found)]
    conditions = sp.lambdify(names, jury_conditions([1, *names], radius), "numpy")
    inside = min(conditions(*np.real(np.poly(found))[1:])) > 0
    assert inside == (largest < radius)


def test_the_conditions_of_two_states_are_the_triangle():
    a, b = sp.symbols("a b")
    assert jury_conditions([1, a, b]) == (1 + a + b, 1 - a + b, 1 - b, 1 + b)


@settings(max_examples=30)
@given(three_state_rules())
@example((three_state_rule(sp.Rational(7, 8), sp.Rational(7, 8), [2, -2, 1]), (sp.Rational(7, 8), sp.Rational(7, 8), [2, -2, 1])))
def test_the_stable_set_of_three_states_is_that_of_the_eigenvalues(drawn):
    rule, (a, b, c) = drawn
    found = analyze(rule, curvature=1).stable_set
    symbolic = analyze(rule).stable_set
    assert symbolic.subs(lam, 1) == found
    base, slope = np.poly([1.0, float(a), float(b)]), np.array([0.0, *map(float, c)])
    pieces = found.args if isinstance(found, sp.Union) else [found] if found != sp.S.EmptySet else []
    ends = [float(sp.N(end, 30)) for piece in pieces for end in (piece.start, piece.end)]
    for value in np.r_[np.geomspace(1e-3, 20, 60), [e * f for e in ends for f in (0.999, 1.001) if np.isfinite(e)]]:
        if value <= 0 or abs(np.abs(np.roots(base + value * slope)).max() - 1) < 1e-9:
            continue
        assert bool(found.contains(sp.Rational(float(value)))) == (np.abs(np.roots(base + value * slope)).max() < 1), value


def test_a_stable_set_of_two_intervals_and_its_limit():
    """Three states: stable up to a step, then not, then again. The limit is the end of the piece that touches 0."""
    rule = three_state_rule(sp.Rational(7, 8), sp.Rational(7, 8), [2, -2, 1])
    mode = analyze(rule)
    first, second = mode.stable_set.args
    assert (first.start, mode.stability_limit) == (0, first.end)
    base, slope = np.poly([1.0, 0.875, 0.875]), np.array([0.0, 2.0, -2.0, 1.0])
    marks = [float(e * lam) for e in (first.end, second.start, second.end)]
    for position, inside in (
        (0.5 * marks[0], True),
        ((marks[0] + marks[1]) / 2, False),
        ((marks[1] + marks[2]) / 2, True),
        (2 * marks[2], False),
    ):
        assert (np.abs(np.roots(base + position * slope)).max() < 1) == inside
    for mark in marks:
        assert np.abs(np.roots(base + mark * slope)).max() == pytest.approx(1, abs=1e-9)
    assert sympify(text(mode.stable_set)) == mode.stable_set


def test_a_rule_that_is_stable_only_away_from_zero_has_the_limit_zero():
    rule = three_state_rule(sp.Rational(9, 8), sp.Rational(1, 4), [2, -1, 0])
    found = analyze(rule, curvature=1).stable_set
    assert found != sp.S.EmptySet
    assert found.inf > 0
    assert analyze(rule).stability_limit == 0


def test_ends_are_exact_algebraic_numbers():
    x = sp.Symbol("x", positive=True)
    found = positive_set([1 - x**5 - x], x)
    assert isinstance(found.end, sp.CRootOf)
    assert abs(float(found.end) ** 5 + float(found.end) - 1) < 1e-14
    assert positive_set([x - 1, 2 - x**2], x) == sp.Interval.open(1, sp.sqrt(2))
    assert positive_set([(x - 1) ** 2], x) == sp.Union(sp.Interval.open(0, 1), sp.Interval.open(1, sp.oo))
    assert positive_set([sp.Integer(-1), x], x) == sp.S.EmptySet
    with pytest.raises(UnsupportedError, match="no polynomial in x with rational coefficients"):
        positive_set([sp.sin(x)], x)


def aggregated():
    """Two velocities of different memory, averaged (Lucas et al., Aggregated momentum, ICLR 2019)."""
    b1, b2 = symbol("b1"), symbol("b2")
    record = {b: Parameter("1/2", within="[0, 1)") for b in (b1, b2)}
    equations = ((m, b1 * m - g), (n, b2 * n - g), (theta, theta + alpha * (m + n) / 2))
    return Rule(name="aggregated", parameters=record, state={m: State(), n: State()}, equations=equations)


def test_three_states_with_free_hyper_parameters_have_a_closed_limit_where_it_is_linear():
    mode = analyze(aggregated())
    b1, b2 = symbol("b1"), symbol("b2")
    assert sp.simplify(mode.stability_limit - 4 * (1 + b1) * (1 + b2) / (lam * (2 + b1 + b2))) == 0
    for values in ((0.3, 0.9), (0.0, 0.5), (0.95, 0.99)):
        limit = float(mode.stability_limit.subs({b1: values[0], b2: values[1], lam: 2}))
        for factor, inside in ((0.99, True), (1.01, False)):
            numbers = {b1: values[0], b2: values[1], lam: 2, alpha: factor * limit}
            M = np.array(mode.transition_matrix.subs(numbers), float)
            assert (np.abs(np.linalg.eigvals(M)).max() < 1) == inside


def test_four_states_are_derived_and_five_are_refused():
    states = [symbol(f"u{i}") for i in range(1, 5)]
    weights = [sp.Rational(1, 2), sp.Rational(9, 10), sp.Rational(1, 4), sp.Rational(1, 3)]

    def rule(count):
        equations = [(s, w * s - g) for s, w in zip(states[:count], weights, strict=False)]
        step = (theta, theta + alpha * sum(states[:count]) / count)
        return Rule(name="many", state={s: State() for s in states[:count]}, equations=(*equations, step))

    mode = analyze(rule(3))
    limit = float(mode.stability_limit.subs(lam, 1))
    for factor, inside in ((0.999, True), (1.001, False)):
        M = np.array(mode.transition_matrix.subs({lam: 1, alpha: factor * limit}), float)
        assert (np.abs(np.linalg.eigvals(M)).max() < 1) == inside
    with pytest.raises(UnsupportedError, match="rule many has 5 states: stability is derived for up to 4"):
        _ = analyze(rule(4)).stable_set


def test_the_radius_has_a_closed_form_where_the_polynomial_factors():
    """A state that does not feed back splits off."""
    rule = Rule(name="split", state={m: State(), n: State()}, equations=((m, m / 2 + g), (n, n / 3 + m), (theta, theta - alpha * g)))
    mode = analyze(rule)
    for size in (0.1, 1.0, 1.9, 2.5):
        M = np.array(mode.transition_matrix.subs({lam: 1, alpha: size}), float)
        assert float(mode.spectral_radius.subs({lam: 1, alpha: size})) == pytest.approx(np.abs(np.linalg.eigvals(M)).max(), rel=1e-12)
    with pytest.raises(UnsupportedError, match="factor of degree 3"):
        _ = analyze(aggregated()).spectral_radius


def test_what_cannot_be_given_as_a_set_says_what_to_bind():
    squared = Rule(
        name="squared", parameters={beta: Parameter("1/2", within="[0, 1)")}, state={m: State()}, gradient_at=theta + alpha * m,
        equations=((m, beta * m - alpha * g), (theta, theta + m - alpha * g)),
    )  # fmt: skip
    with pytest.raises(UnsupportedError, match=r"not linear in alpha|alpha\*lam alone"):
        _ = analyze(squared).stable_set
    found = analyze(squared.with_(beta="1/2"), curvature=1).stable_set
    M = analyze(squared.with_(beta="1/2"), curvature=1).transition_matrix
    for value in np.linspace(0.01, 4, 80):
        radius = np.abs(np.linalg.eigvals(np.array(M.subs(alpha, value), float))).max()
        assert bool(found.contains(sp.Rational(float(value)))) == (radius < 1)


@pytest.mark.parametrize(("value", "message"), [(0, "must be positive"), (-1, "must be positive"), ("x", "not a finite number")])
def test_a_curvature_must_be_a_positive_number(value, message):
    with pytest.raises(InputError, match=message):
        analyze("sgd", curvature=value)
