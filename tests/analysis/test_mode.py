"""What is derived about one eigen-direction, against iteration, eigenvalues and a Lyapunov solver."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import optlab as ol
from optlab import rules
from optlab.analysis import LinearForm, analyze, free_parameters, is_linear, linear_form
from optlab.errors import NotLinearError
from optlab.printing import text
from optlab.rules import Parameter, Rule, State, alpha, g, lam, symbol, theta
from optlab.symbols import s2, z
from tests.oracles import RULES as TWINS
from tests.rules.generated import as_options

beta, m = symbol("beta"), symbol("m")
LINEAR = ("sgd", "momentum", "nesterov", "ema_momentum")
LIMITS = {
    "sgd": 2 / lam,
    "momentum": 2 * (1 + beta) / lam,
    "nesterov": 2 * (1 + beta) / ((1 + 2 * beta) * lam),
    "ema_momentum": 2 * (1 + beta) / ((1 - beta) * lam),
}
betas = st.integers(0, 99).map(lambda k: Fraction(k, 100))
curvatures = st.floats(1e-3, 1e3)


def hand_matrix(name, options, rate, curvature):
    """The matrix of one step on curvature/2 theta^2, column by column from the hand-written twin."""
    twin = TWINS[name]
    size = 1 + len(twin.initial(options))
    columns = []
    for k in range(size):
        unit = [float(j == k) for j in range(size)]
        gradient = curvature * twin.point(unit[0], unit[1:], options)
        new, states = twin.step(unit[0], unit[1:], gradient, 5, rate, options)
        columns.append([new, *states])
    return np.array(columns).T


def hand_noise(name, options, rate):
    """How a unit of gradient noise enters theta and the states."""
    twin = TWINS[name]
    new, states = twin.step(0.0, [0.0] * len(twin.initial(options)), 1.0, 5, rate, options)
    return np.array([new, *states])


def options_of(name, b):
    return as_options(rules.get(name)) | ({"beta": b} if name != "sgd" else {})


def bound(name, b):
    return rules.get(name).with_(**({} if name == "sgd" else {"beta": str(b)}))


def number(expression, **values):
    return float(expression.subs({symbol(name): sp.Rational(str(value)) for name, value in values.items()}))


@pytest.mark.parametrize("name", LINEAR)
def test_stability_limits_are_the_known_closed_forms(name):
    assert sp.simplify(analyze(name).stability_limit - LIMITS[name]) == 0
    assert analyze(name).stable_set == sp.Interval.open(0, analyze(name).stability_limit)


@pytest.mark.parametrize("name", LINEAR)
@given(b=betas, curvature=curvatures)
def test_noiseless_iteration_converges_below_the_limit_and_not_above(name, b, curvature):
    limit = number(analyze(name).stability_limit, beta=b, lam=curvature)
    for factor, stable in ((1e-3, True), (0.5, True), (1 - 1e-3, True), (1 + 1e-3, False), (2.0, False)):
        radius = np.abs(np.linalg.eigvals(hand_matrix(name, options_of(name, b), factor * limit, curvature))).max()
        assert (radius < 1) == stable, (factor, radius)


@pytest.mark.parametrize("name", LINEAR)
def test_running_the_rule_by_hand_shrinks_below_the_limit_and_grows_above(name):
    options, twin = options_of(name, Fraction(1, 2)), TWINS[name]
    limit = number(analyze(name).stability_limit, beta="1/2", lam=3)
    for factor, low, high in ((0.98, 0.0, 1e-6), (1.02, 1e3, np.inf)):
        x, states = 1.0, twin.initial(options)
        for t in range(1, 3001):
            x, states = twin.step(x, states, 3 * twin.point(x, states, options), t, factor * limit, options)
            if abs(x) > 1e6:
                break
        assert low <= abs(x) <= high, (factor, x)


@pytest.mark.parametrize("name", LINEAR)
@given(b=betas, curvature=curvatures, part=st.floats(0.01, 1.9))
def test_spectral_radius_is_the_largest_eigenvalue(name, b, curvature, part):
    rate = part * number(analyze(name).stability_limit, beta=b, lam=curvature)
    M = hand_matrix(name, options_of(name, b), rate, curvature)
    derived = analyze(name)
    values = {"beta": b, "lam": repr(curvature), "alpha": repr(rate)}
    radius = number(derived.spectral_radius, **values)
    eigenvalues = np.linalg.eigvals(M)
    # next to a double root an eigenvalue moves like the root of the rounding error
    split = abs(eigenvalues[0] - eigenvalues[-1])
    tolerance = 1e-10 if len(M) == 1 or split > 1e-4 else 1e-7
    assert radius == pytest.approx(np.abs(eigenvalues).max(), rel=tolerance)
    entries = derived.transition_matrix.subs({symbol(k): sp.Rational(str(v)) for k, v in values.items()})
    np.testing.assert_allclose(np.array(entries, float), M, rtol=1e-12, atol=1e-12)
    coefficients = [number(c, **values) for c in derived.characteristic_polynomial.all_coeffs()]
    np.testing.assert_allclose(coefficients, np.poly(M), rtol=1e-9, atol=1e-9)


def doubled(M, noise):
    """The sum of M^k noise M'^k over all k, by doubling: SciPy's solver warns where M and its inverse are far apart in size."""
    total, power = noise.copy(), M.copy()
    for _ in range(60):
        total, power = total + power @ total @ power.T, power @ power
    return total


@pytest.mark.parametrize("name", LINEAR)
@given(b=betas, curvature=curvatures, part=st.floats(0.02, 0.95), variance=st.floats(0.1, 10))
def test_stationary_covariance_solves_the_lyapunov_equation(name, b, curvature, part, variance):
    rate = part * number(analyze(name).stability_limit, beta=b, lam=curvature)
    options = options_of(name, b)
    M, push = hand_matrix(name, options, rate, curvature), hand_noise(name, options, rate)
    solved = doubled(M, variance * np.outer(push, push))
    values = {"beta": b, "lam": repr(curvature), "alpha": repr(rate), "s2": repr(variance)}
    derived = [number(e, **values) for e in analyze(name).stationary_covariance]
    size = len(M)
    scale = np.sqrt(np.outer(np.diag(solved), np.diag(solved))).ravel()
    conditioning = 1e-9 if np.abs(np.linalg.eigvals(M)).max() < 0.999 else 1e-7  # the solver loses what 1 / (1 - radius) takes
    assert np.all(np.abs(np.array(derived) - solved.ravel()) <= conditioning * scale)
    assert number(analyze(name).stationary_variance, **values) == pytest.approx(solved[0, 0], rel=conditioning)
    assert len(derived) == size * size


@pytest.mark.parametrize("name", LINEAR)
def test_stationary_variance_is_what_long_iteration_settles_to(name):
    options, rate, curvature, variance = options_of(name, Fraction(4, 5)), 0.3, 0.7, 2.5
    M, push = hand_matrix(name, options, rate, curvature), hand_noise(name, options, rate)
    P = np.zeros_like(M)
    for _ in range(5000):
        P = M @ P @ M.T + variance * np.outer(push, push)
    assert number(analyze(name).stationary_variance, beta="4/5", lam=curvature, alpha=rate, s2=variance) == pytest.approx(
        P[0, 0], rel=1e-12
    )


def test_known_noise_floor_of_sgd():
    assert sp.simplify(analyze("sgd").stationary_variance - alpha * s2 / (lam * (2 - alpha * lam))) == 0


def test_bound_hyper_parameters_are_numbers_and_the_rest_stay_symbols():
    free, fixed = analyze("momentum"), analyze("momentum(beta=9/10)")
    assert free.transition_matrix.free_symbols == {alpha, beta, lam}
    assert fixed.transition_matrix.free_symbols == {alpha, lam}
    for name in ("characteristic_polynomial", "stability_limit", "stationary_variance"):
        assert sp.simplify(free.items()[name].subs(beta, sp.Rational(9, 10)) - fixed.items()[name]) == 0
    for rate in ("1/10", "2", "18/5"):
        radii = [number(mode.spectral_radius, beta="9/10", alpha=rate, lam=1) for mode in (free, fixed)]
        assert radii[0] == pytest.approx(radii[1], rel=1e-14)
    assert fixed.stability_limit == sp.Rational(19, 5) / lam
    assert free_parameters(rules.get("momentum")) == [beta]
    assert free_parameters(rules.get("momentum", beta=0.9)) == []


def test_the_learning_rate_inside_or_outside_the_velocity_is_the_same_iteration_of_theta():
    inside, outside = (analyze(f"momentum(learning_rate={where})") for where in ("inside", "outside"))
    assert inside.transition_matrix != outside.transition_matrix
    for name in ("characteristic_polynomial", "stability_limit", "stationary_variance"):
        assert sp.simplify(inside.items()[name] - outside.items()[name]) == 0
    for rate in ("1/10", "2", "18/5"):
        radii = [number(mode.spectral_radius, beta="9/10", alpha=rate, lam=1) for mode in (inside, outside)]
        assert radii[0] == pytest.approx(radii[1], rel=1e-14)


def test_a_first_step_convention_leaves_the_steady_behavior_alone():
    zero, gradient = (analyze(f"ema_momentum(first_step={option})") for option in ("zero", "gradient"))
    assert zero.items() == gradient.items()
    assert linear_form(zero.rule) != linear_form(gradient.rule)  # the first step itself differs


# --- recognizing linear rules ---

entries = st.fractions(-2, 2, max_denominator=9).map(lambda f: sp.Rational(f.numerator, f.denominator))
factors = st.sampled_from([sp.Integer(1), alpha, beta, 1 - beta, alpha * beta, alpha / (1 + beta)])
coefficients = st.builds(lambda a, b: a * b, entries, factors)


@st.composite
def linear_rules(draw):
    """s' = A s + b g in equations that run one after the other, with the gradient at c . s."""
    A = sp.Matrix(2, 2, [draw(coefficients) for _ in range(4)])
    b = sp.Matrix(2, 1, [draw(coefficients) for _ in range(2)])
    c = sp.Matrix(1, 2, [draw(st.sampled_from([1, 0, beta])), draw(st.sampled_from([0, 1, beta, -alpha]))])
    new_theta, old = symbol("new_theta"), sp.Matrix([theta, m])
    updates = A * old + b * g
    equations = ((new_theta, updates[0]), (m, updates[1]), (theta, new_theta))
    rule = Rule(
        name="drawn", parameters={beta: Parameter("1/2", within="[0, 1)")}, state={m: State(init=0)}, equations=equations,
        gradient_at=(c * old)[0],
    )  # fmt: skip
    return rule, A, b, c


def same(a, b):
    return a.shape == b.shape and all(sp.simplify(x - y) == 0 for x, y in zip(a, b, strict=True))


@given(linear_rules())
def test_the_linear_form_of_a_drawn_rule_is_recovered_exactly(drawn):
    rule, A, b, c = drawn
    form = linear_form(rule)
    assert isinstance(form, LinearForm)
    assert form.states == (theta, m)
    assert same(form.A, A)
    assert same(form.b, b)
    assert same(form.c, c)
    assert same(form.transition(lam), A + lam * b * c)


@given(
    linear_rules(), st.sampled_from([g**2, theta * m, sp.sqrt(m**2 + 1), sp.sign(g), sp.Abs(theta), sp.Integer(1), g * theta, sp.Max(g, 0)])
)
def test_a_drawn_rule_with_a_nonlinear_part_is_refused_by_name(drawn, extra):
    rule = drawn[0]
    (first, update), *rest = rule.definition
    bent = rule.extend(name="bent", equations=((first, update + alpha * extra), *rest))
    assert is_linear(rule)
    assert not is_linear(bent)
    with pytest.raises(NotLinearError, match="rule bent is not linear") as caught:
        linear_form(bent)
    assert "\n" not in str(caught.value)
    with pytest.raises(NotLinearError, match="bent"):
        analyze(bent)


def test_a_gradient_taken_at_a_nonlinear_point_is_refused():
    rule = Rule(name="odd", state={m: State()}, gradient_at=theta + m**2, equations=((m, g), (theta, theta - alpha * m)))
    with pytest.raises(NotLinearError, match="rule odd is not linear: the point its gradient is taken at"):
        linear_form(rule)


def test_pieces_that_are_linear_alone_but_not_together_are_refused():
    rule = Rule(name="clipped", equations=((theta, theta - alpha * sp.Piecewise((g, g < 1), (2 * g, True))),))
    with pytest.raises(NotLinearError, match="clipped"):
        linear_form(rule)


@pytest.mark.parametrize("name", ["rmsprop", "adam", "adamw", "adagrad", "nadam", "amsgrad", "adamax", "lion"])
def test_adaptive_rules_have_no_linear_form(name):
    with pytest.raises(NotLinearError, match=f"rule {name}"):
        analyze(name)


def test_a_scalar_state_is_refused():
    rule = Rule(name="counting", state={m: State(init=1, kind="scalar")}, equations=((m, m / 2), (theta, theta - alpha * m * g)))
    with pytest.raises(NotLinearError, match="rule counting carries the scalar state m"):
        analyze(rule)


# --- printing and reading back ---


@pytest.mark.parametrize("name", [*LINEAR, "momentum(learning_rate=outside)", "momentum(beta=9/10)", "nesterov(beta=1/3)"])
def test_everything_derived_reads_back_from_its_text(name):
    found = analyze(name).items()
    assert {"transition_matrix", "characteristic_polynomial", "stability_limit", "stationary_variance", "spectral_radius"} <= found.keys()
    for item, value in found.items():
        assert ol.sympify(str(value)) == value, item
        assert ol.sympify(text(value)) == value, item


def test_the_polynomial_is_in_z():
    poly = analyze("momentum").characteristic_polynomial
    assert poly.gen == z
    assert poly.as_expr().free_symbols == {alpha, beta, lam, z}
