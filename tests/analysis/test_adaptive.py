"""The statements about adaptive rules against hand-written twins, iterated maps and simulation."""

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import optlab as ol
from optlab import rules
from optlab.analysis.adaptive import TOPICS, analyze_adaptive, freeze, scale_invariant
from optlab.analysis.adaptive.limit_cycle import schur_cohn
from optlab.analysis.adaptive.positivity import nonnegative
from optlab.analysis.adaptive.update import is_affine, settled
from optlab.errors import InputError, NotLinearError, UnknownNameError, UnsupportedError
from optlab.rules import Parameter, Rule, State, alpha, g, lam, symbol, t, theta
from optlab.symbols import s2, z
from tests.oracles import RULES as TWINS

names = "beta beta1 beta2 eps wd m u v vmax prod P S c r C G d"
beta, beta1, beta2, eps, wd, m, u, v, vmax, prod, P, S, c, r, C, G, d = (symbol(name) for name in names.split())
LATE = 10**7  # bias corrections are 1 by then
QUICK = {"beta1": 0.9, "beta2": 0.999}  # powers of fractions are exact, and slow for many steps


def memory(default):
    return Parameter(default, within="[0, 1)")


SMALL = Parameter("1e-8", within="[0, oo)")
BOTH = {beta1: memory("9/10"), beta2: memory("999/1000"), eps: SMALL}
ADAGRAD = Rule(
    name="adagrad", parameters={eps: SMALL}, state={v: State()}, equations=((v, v + g**2), (theta, theta - alpha * g / sp.sqrt(v + eps))),
)  # fmt: skip
AVERAGES = ((m, beta1 * m + (1 - beta1) * g), (v, beta2 * v + (1 - beta2) * g**2))
AMSGRAD = Rule(
    name="amsgrad", parameters=BOTH, state={m: State(), v: State(), vmax: State()},
    equations=(*AVERAGES, (vmax, sp.Max(vmax, v)), (theta, theta - alpha * m / sp.sqrt(vmax + eps))),
)  # fmt: skip
ADAMAX = Rule(
    name="adamax", parameters=BOTH, state={m: State(), u: State()},
    equations=(AVERAGES[0], (u, sp.Max(beta2 * u, sp.Abs(g))), (theta, theta - alpha * m / (1 - beta1**t) / (u + eps))),
)  # fmt: skip
NOW, NEXT = (beta1 * (1 - sp.Rational(1, 2) * sp.Rational(24, 25) ** (step / 250)) for step in (t, t + 1))
NADAM = Rule(
    name="nadam", parameters=BOTH, state={m: State(), v: State(), prod: State(init=1, kind="scalar")},
    equations=(
        (prod, prod * NOW), *AVERAGES,
        (theta, theta - alpha * ((1 - NOW) * g / (1 - prod) + NEXT * m / (1 - prod * NEXT)) / sp.sqrt(v / (1 - beta2**t) + eps)),
    ),
)  # fmt: skip
LION = rules.get("examples/lion.py:LION")
BUILT = [
    rules.get(name)
    for name in ("rmsprop", "rmsprop(eps_placement=outside)", "adam", "adam(eps_placement=outside)", "adam(bias_correction=off)", "adamw")
]
OWN = [ADAGRAD, AMSGRAD, ADAMAX, NADAM, LION]


def label(rule):
    return rule.label()


def put(expression, rule=None, **values):
    """The expression with floats put in (exact roots of long fractions are slow), the rule's own numbers where none is given."""
    known = {} if rule is None else {key.name: value for key, value in rule.values.items()}
    floats = {name: sp.Integer(x) if name == "t" else sp.Float(float(Fraction(str(x))), 25) for name, x in {**known, **values}.items()}
    return expression.xreplace({symbol(name): x for name, x in floats.items()})


def number(expression, **values):
    return float(put(sp.sympify(expression), **values))


def at_defaults(rule, expression, **values):
    return float(put(sp.sympify(expression), rule, **values))


def twin_of(rule):
    return TWINS[rule.name], {**{str(k): Fraction(str(x)) for k, x in rule.values.items()}, **rule.chosen}


# --- first step ---


@pytest.mark.parametrize("rule", BUILT, ids=label)
@given(gradient=st.floats(1e-6, 1e3), sign=st.sampled_from([-1, 1]), start=st.floats(-2, 2))
def test_the_first_step_is_what_the_twin_does(rule, gradient, sign, start):
    twin, options = twin_of(rule)
    after, _ = twin.step(start, twin.initial(options), sign * gradient, 1, 0.01, options)
    stated = at_defaults(rule, analyze_adaptive(rule)["first_step"].expression, alpha=0.01, g=sign * gradient, theta=start)
    assert start + stated == pytest.approx(after, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("rule", BUILT, ids=label)
@pytest.mark.parametrize("steps", [1, 2, 7, 60])
def test_step_t_under_a_constant_gradient_is_what_the_twin_does(rule, steps):
    twin, options = twin_of(rule)
    x, states = 0.5, twin.initial(options)
    for step in range(1, steps + 1):
        before = x
        x, states = twin.step(x, states, -0.3, step, 0.01, options)
    stated = at_defaults(rule, analyze_adaptive(rule)["constant_gradient"].expression, alpha=0.01, g=-0.3, theta=before, t=steps)
    assert before + stated == pytest.approx(x, rel=1e-10)


def test_adams_first_step_and_what_eps_does_in_both_places():
    found = analyze_adaptive("adam").items()
    assert found["first_step"] == -alpha * g / sp.sqrt(g**2 + eps)
    assert found["first_step_large"] == found["effective_step"] == -alpha * sp.sign(g)
    assert found["eps_effect_inside"] == sp.Abs(g) / sp.sqrt(g**2 + eps)
    assert found["eps_effect_outside"] == sp.Abs(g) / (sp.Abs(g) + eps)
    for place in ("inside", "outside"):
        half = found[f"eps_half_{place}"]
        assert sp.simplify(found[f"eps_effect_{place}"].subs(sp.Abs(g), half).subs(g**2, half**2)) == sp.Rational(1, 2)


def test_the_uncorrected_first_step_is_the_larger_one():
    found = analyze_adaptive("adam")
    assert sp.simplify(found["uncorrected_ratio"].expression - (1 - beta1) / sp.sqrt(1 - beta2)) == 0
    assert found["uncorrected_ratio_default"].expression == sp.sqrt(10)  # 3.162: larger, not much smaller
    twin = TWINS["adam"]
    moved = [twin.step(0.0, [0.0, 0.0], 1e3, 1, 1.0, {"bias_correction": option})[0] for option in ("off", "on")]
    assert moved[0] / moved[1] == pytest.approx(math.sqrt(10), rel=1e-10)


def test_adagrads_steps_under_a_constant_gradient_fade():
    found = analyze_adaptive(ADAGRAD)
    assert found["constant_gradient"].expression == -alpha * g / sp.sqrt(eps + g**2 * t)
    assert "no rest" in found.reasons["effective_step"]


# --- frozen ---


def test_known_thresholds():
    for rule in ("adam", AMSGRAD, ADAMAX):
        found = analyze_adaptive(rule)
        assert sp.simplify(found["sharpness_threshold"].expression - (2 + 2 * beta1) / ((1 - beta1) * alpha)) == 0
        assert found["sharpness_threshold_default"].expression == 38 / alpha
    assert analyze_adaptive("rmsprop")["sharpness_threshold"].expression == 2 / alpha
    assert analyze_adaptive(ADAGRAD)["sharpness_threshold"].expression == 2 / alpha


@pytest.mark.parametrize("rule", [*BUILT, *OWN[:-1]], ids=label)
@pytest.mark.parametrize("held", [1e-4, 0.3])
def test_the_frozen_limit_is_where_an_eigenvalue_leaves_the_unit_circle(rule, held):
    found = analyze_adaptive(rule)
    limit = at_defaults(rule, found["frozen_stability_limit"].expression, P=held, lam=2.5)
    for factor, stable in ((0.999, True), (1.001, False)):
        M = np.array(put(found["frozen_matrix"].expression, rule, alpha=factor * limit, P=held, lam=2.5), float)
        assert (np.abs(np.linalg.eigvals(M)).max() < 1) == stable
    gain = at_defaults(rule, freeze(rule).gain, P=held, alpha=limit)
    assert at_defaults(rule, found["sharpness_threshold"].expression, alpha=limit, P=held) == pytest.approx(2.5 * gain, rel=1e-10)


def test_what_is_held_is_found_or_named():
    assert {P: v} == freeze(rules.get("adam")).P
    assert {P: vmax} == freeze(AMSGRAD).P
    assert {P: sp.Abs(c)} == freeze(LION).P
    named = ADAGRAD.extend(name="named", analysis={"frozen": {v: symbol("Q")}})
    assert freeze(named).gain == freeze(ADAGRAD).gain
    assert {P: v} == freeze(named).P


def test_rules_that_are_not_adaptive_are_refused():
    with pytest.raises(UnsupportedError, match="rule sgd has no preconditioner to hold fixed"):
        analyze_adaptive("sgd")
    odd = Rule(name="odd", equations=((theta, theta - alpha * g**3),))
    with pytest.raises(NotLinearError, match="rule odd: theta becomes"):
        analyze_adaptive(odd)
    counting = Rule(name="counting", state={prod: State(init=0, kind="scalar")}, equations=((prod, prod + 1), (theta, theta - alpha * g)))
    with pytest.raises(UnsupportedError, match="does not come to rest"):
        settled(counting)


# --- minimum ---


def hand_map(rule, rate, curvature):
    """One late step on curvature/2 theta^2 as a map of (theta, states), by the twin."""
    twin, options = twin_of(rule)
    options = {key: float(value) if isinstance(value, Fraction) else value for key, value in options.items()}

    def step(point):
        x, states = twin.step(point[0], list(point[1:]), curvature * point[0], LATE, rate, options)
        return np.array([x, *states])

    return step


def jacobian(step, point, size):
    columns = []
    for k in range(len(point)):
        shift = np.zeros(len(point))
        shift[k] = size[k]
        columns.append((step(point + shift) - step(point - shift)) / (2 * size[k]))
    return np.array(columns).T


@pytest.mark.parametrize("name", ["rmsprop", "adam", "adamw", "adam(bias_correction=off)"])
def test_the_jacobian_at_the_minimum_and_the_eps_that_makes_it_stable(name):
    found = analyze_adaptive(name)
    relation = found["minimum_stable"].expression
    needed = at_defaults(rules.get(name), relation.rhs, alpha=0.1, lam=2)
    for factor, stable in ((1.02, True), (0.98, False)):
        rule = rules.get(name).with_(eps=repr(factor * needed))
        step = hand_map(rule, 0.1, 2.0)
        size = len(rule.state) + 1
        J = jacobian(step, np.zeros(size), np.array([1e-7] * size))
        stated = np.array(put(found["minimum_jacobian"].expression, rule, eps=factor * needed, alpha=0.1, lam=2), float)
        np.testing.assert_allclose(J, stated, rtol=1e-6, atol=1e-6)
        assert (np.abs(np.linalg.eigvals(stated)).max() < 1) == stable


def test_eps_outside_the_root_has_a_jacobian_all_the_same():
    """sqrt(v) has no derivative at 0, but it stands beside eps under a numerator that vanishes there, so the step has one."""
    inside, outside = (analyze_adaptive(f"adam(eps_placement={place})") for place in ("inside", "outside"))
    assert sp.simplify(outside["minimum_stable"].expression.rhs - alpha * lam * (1 - beta1) / (2 * (beta1 + 1))) == 0
    difference = inside["minimum_jacobian"].expression.subs(eps, eps**2) - outside["minimum_jacobian"].expression
    assert sp.simplify(difference).is_zero_matrix
    with pytest.raises(InputError, match="no derivative at the minimum"):
        _ = analyze_adaptive(ADAMAX)["minimum_jacobian"]


def test_full_batch_adam_bursts_late():
    """At alpha = 0.1 and eps = 1e-8 < (alpha/38)^2 the minimum repels: the scale fades, and after a long quiet theta bursts out."""
    needed = at_defaults(rules.get("adam"), analyze_adaptive("adam")["minimum_stable"].expression.rhs, alpha=0.1, lam=1)
    assert needed == pytest.approx((0.1 / 38) ** 2, rel=1e-12)
    assert needed > 1e-8
    x, states, path, scale = 1.0, [0.0, 0.0], [], []
    for step in range(1, 12001):
        x, states = TWINS["adam"].step(x, states, x, step, 0.1, QUICK)
        path.append(abs(x))
        scale.append(states[1])
    path, scale = np.array(path), np.array(scale)
    quiet = path[2000:5000].max()
    burst = 5000 + int(np.argmax(path[5000:] > 1e-3))
    assert quiet < 1e-6
    assert path[5000:].max() > 1e-3
    assert 6000 < burst < 10000
    assert scale[burst - 1] < needed


# --- cycles ---


def on_the_cycle(rule, amplitude, curvature):
    """theta and the states before a step, by hand: the average of an alternating gradient is -(1-b1)/(1+b1) of the next one."""
    gradient = curvature * amplitude
    if len(rule.state) == 1:
        return np.array([amplitude, gradient**2])
    b1 = float(rule.values[beta1])
    return np.array([amplitude, -(1 - b1) / (1 + b1) * gradient, gradient**2])


@pytest.mark.parametrize("eps_", ["1e-8", "1e-4", "3/10000"])
@pytest.mark.parametrize("name", ["rmsprop", "rmsprop(eps_placement=outside)", "adam(beta1=1/10)", "adam", "adam(eps_placement=outside)"])
def test_the_cycle_returns_after_two_steps_and_its_multipliers_are_the_roots_of_the_polynomial(name, eps_):
    rate = {"rmsprop": 0.1}.get(name.partition("(")[0], 0.1 if "1/10" in name else 2.0)
    curvature = 1.5
    rule, found = rules.get(name).with_(eps=eps_), analyze_adaptive(name)
    given_ = {"alpha": rate, "lam": curvature}
    amplitude = at_defaults(rule, found["cycle_amplitude"].expression, **given_)
    large = at_defaults(rule, found["cycle_amplitude_large"].expression, **given_)
    assert bool(put(found["cycle_exists"].expression, rule, **given_))
    step, point = hand_map(rule, rate, curvature), on_the_cycle(rule, amplitude, curvature)
    once = step(point)
    assert once[0] == pytest.approx(-amplitude, rel=1e-10)
    np.testing.assert_allclose(step(once), point, rtol=1e-10)
    ratio = amplitude / large
    J = jacobian(lambda p: step(step(p)), point, 1e-5 * np.abs(point))
    polynomial = sp.Poly(put(found["cycle_polynomial"].expression, rule, r=ratio), z)
    stated = np.roots([float(e) for e in polynomial.all_coeffs()]) ** 2
    np.testing.assert_allclose(np.sort(np.abs(np.linalg.eigvals(J))), np.sort(np.abs(stated)), rtol=1e-4, atol=1e-6)


def test_known_amplitudes_and_which_cycles_attract():
    rmsprop, adam, lion = (analyze_adaptive(rule) for rule in ("rmsprop", "adam", LION))
    assert rmsprop["cycle_amplitude_large"].expression == alpha / 2
    assert sp.simplify(adam["cycle_amplitude_large"].expression - alpha * (1 - beta1) / (2 * (1 + beta1))) == 0
    assert lion["cycle_amplitude"].expression == alpha / (2 - alpha * wd)
    assert rmsprop["cycle_margin_default"].expression > 0  # it attracts
    assert adam["cycle_margin_default"].expression < 0  # it repels: Adam bursts instead
    assert lion["cycle_margin_default"].expression == 0  # without weight decay it is one of a family
    assert "does not cycle" in analyze_adaptive(ADAGRAD).reasons["limit_cycle"]
    assert "does not cycle" in analyze_adaptive(AMSGRAD).reasons["limit_cycle"]


def test_rmsprop_run_by_hand_ends_on_its_cycle():
    x, states = 1.0, [0.0]
    for step in range(1, 3001):
        x, states = TWINS["rmsprop"].step(x, states, 2 * x, step, 0.1, {})
    assert abs(x) == pytest.approx(
        number(analyze_adaptive("rmsprop")["cycle_amplitude"].expression, alpha=0.1, lam=2, eps="1e-8"), rel=1e-10
    )


@given(
    st.lists(st.complex_numbers(max_magnitude=1.5, allow_nan=False), min_size=1, max_size=1),
    st.floats(-1.5, 1.5),
    st.sampled_from([1, 2, 3]),
)
def test_schur_and_cohns_conditions_are_the_unit_circle(pair, real, degree):
    roots = [[real], [pair[0], pair[0].conjugate()], [real, pair[0], pair[0].conjugate()]][degree - 1]
    radius = max(abs(root) for root in roots)
    if abs(radius - 1) > 1e-6:
        polynomial = sp.Poly([float(e) for e in np.real(np.poly(roots))], z)
        assert all(e > 0 for e in schur_cohn(polynomial)) == (radius < 1)


# --- noise ---


@pytest.mark.parametrize(("name", "rate", "tolerance"), [("rmsprop(beta=999/1000)", 0.05, 0.02), ("adam", 0.02, 0.02), ("adam", 0.1, 0.02)])
def test_the_stationary_variance_is_that_of_a_simulation(name, rate, tolerance):
    """With a long memory the measured error of the self-consistent variance is below 2 %; 4000 runs, 6.2 standard errors on top."""
    rule, found = rules.get(name), analyze_adaptive(name)
    runs = 4000
    run = ol.simulate(
        rule, ol.problems.quadratic(spectrum=[1.0], noise=1.0, theta0=0.0), schedule=rate, steps=6000, batch=1, trajectories=runs, rng=5,
        record=[6000], coordinates=True,
    )  # fmt: skip
    equation = put(found["stationary_scale"].expression.lhs, rule, alpha=rate, lam=1, s2=1)
    scale = max(float(root) for root in sp.Poly(equation, S).nroots() if abs(sp.im(root)) < 1e-9)
    stated = at_defaults(rule, found["stationary_variance"].expression, alpha=rate, lam=1, s2=1, S=scale)
    measured = float(run.theta_variance[-1, 0])
    assert abs(measured / stated - 1) < tolerance + 6.2 * math.sqrt(2 / runs)
    if "stationary_variance_large" in found.items():
        assert at_defaults(rule, found["stationary_variance_large"].expression, alpha=rate, lam=1, s2=1) == pytest.approx(stated, rel=1e-6)


# --- weight decay ---


@pytest.mark.parametrize("center", [-3.0, 0.4, 2.5])
def test_decoupled_decay_cuts_off_and_a_penalty_shrinks(center):
    decoupled, coupled = analyze_adaptive("adamw"), analyze_adaptive("adamw(decay=coupled)")
    ends = {}
    for decay in ("decoupled", "coupled"):
        x, states = 0.1, [0.0, 0.0]
        for step in range(1, 20001):
            x, states = TWINS["adamw"].step(x, states, 0.7 * (x - center), step, 0.01, QUICK | {"wd": 1, "decay": decay, "eps": 0.01})
        ends[decay] = x
    given_ = {"lam": 0.7, "c": center, "wd": 1, "eps": "1/100"}
    equation = decoupled["fixed_point"].expression
    at = {**given_, "theta": ends["decoupled"]}
    assert number(equation.lhs, **at) == pytest.approx(number(equation.rhs, **at), abs=1e-6)
    assert ends["coupled"] == pytest.approx(number(coupled["fixed_point"].expression, **given_), abs=1e-6)
    assert abs(ends["decoupled"]) <= number(decoupled["fixed_point_bound"].expression.rhs, **given_)
    assert ends["decoupled"] == pytest.approx(number(decoupled["fixed_point_large"].expression, **given_), abs=0.1)


# --- scale-invariant weights ---


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_scale_invariant_weights_settle_to_the_stated_norm(name):
    """Gradients drawn at a right angle to w, of size 1/||w||: d = 400, so a norm fluctuates by well under the 3 % allowed."""
    size, rate, decay = 400, 0.02, 0.1
    statements = {s.name: s.expression for s in scale_invariant(name)[0]}
    stated = number(statements["equilibrium_norm"], alpha=rate, wd=decay, d=size, G=1)
    rng = np.random.default_rng(0)
    w = rng.standard_normal(size)
    w *= 1.3 * stated / np.linalg.norm(w)
    mean, square, norms = np.zeros(size), np.zeros(size), []
    for step in range(1, 8001):
        gradient = rng.standard_normal(size) / math.sqrt(size)
        gradient = (gradient - w * (w @ gradient) / (w @ w)) / np.linalg.norm(w)
        if name == "sgd":
            w = w - rate * (gradient + decay * w)
        else:
            mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
            w = w * (1 - rate * decay) - rate * (mean / (1 - 0.9**step)) / np.sqrt(square / (1 - 0.999**step))
        norms.append(np.linalg.norm(w))
    assert np.mean(norms[5000:]) == pytest.approx(stated, rel=0.03)


def test_known_equilibria():
    sgd = {s.name: s.expression for s in scale_invariant("sgd")[0]}
    assert sp.simplify(sgd["equilibrium_norm"] ** 4 - alpha * G / (2 * wd)) == 0
    adamw = analyze_adaptive("adamw").items()
    assert sp.simplify(adamw["equilibrium_norm"] ** 2 / d - alpha / (2 * wd)) == 0
    assert sp.simplify(adamw["equilibrium_turning"] ** 2 - 2 * alpha * wd) == 0
    momentum = {s.name: s.expression for s in scale_invariant("momentum")[0]}
    assert number(
        momentum["equilibrium_turning"] ** 2 - 2 * alpha * wd / (1 - beta), alpha="1/10", wd="1/20", beta="9/10"
    ) == pytest.approx(0, abs=1e-15)


# --- Reddi, Kale and Kumar ---


def run_reddi(rule, height, rate, steps=30000):
    """x after the steps, by the rule's own equations evaluated in floats."""
    options = {beta1: 0.0, beta2: 1 / (1 + height**2), eps: 0.0}
    updates = [(left, sp.lambdify([*rule.state, g, theta, alpha], right.subs(options), "math")) for left, right in rule.equations]
    now = {**dict.fromkeys(rule.state, 0.0), theta: 0.2}
    for step in range(steps):
        gradient = height if step % 3 == 0 else -1.0
        for left, update in updates:
            now[left] = update(*(now[s] for s in rule.state), gradient, now[theta], rate)
        now[theta] = min(1.0, max(-1.0, now[theta]))
    return now[theta]


def test_adam_ends_at_the_worst_point_and_amsgrad_at_the_best():
    plain = AMSGRAD.extend(
        name="plain", state={m: State(), v: State()}, equations=(*AVERAGES, (theta, theta - alpha * m / sp.sqrt(v + eps)))
    )
    for rule, end in ((plain, 1), (AMSGRAD, -1)):
        for height in (2.5, 6.0):
            assert run_reddi(rule, height, 1e-3) == pytest.approx(end, abs=0.02)
    assert analyze_adaptive("adam")["reddi_end"].expression == 1
    assert analyze_adaptive("adam")["reddi_end"].status == "proved"
    assert "neither direction" in analyze_adaptive(AMSGRAD).reasons["nonconvergence"]  # run above, not proved
    assert analyze_adaptive("adam")["reddi_regret"].expression == 2 * C / 3 - sp.Rational(4, 3)
    assert analyze_adaptive(ADAGRAD)["reddi_end"].expression == -1


# --- the whole ---


@pytest.mark.parametrize("rule", [*BUILT, *OWN], ids=label)
def test_everything_reads_back_and_is_said_in_order(rule):
    found = analyze_adaptive(rule)
    assert found is analyze_adaptive(rule)
    assert len({s.name for s in found.statements}) == len(found.statements) > 5
    assert [s.name for s in found.statements] == [s.name for topic in TOPICS for s in found.topic(topic)]
    assert not found.items().keys() & found.reasons.keys()
    for name, value in found.items().items():
        assert ol.sympify(str(value)) == value, name
    for reason in found.reasons.values():
        assert "\n" not in reason
    shown = {alpha, g, t, theta, lam, s2, z, P, *rule.parameters}
    for statement in found.statements:
        assert statement.expression.free_symbols <= shown | statement.symbols.keys(), statement.name


def test_unknown_names_are_named():
    with pytest.raises(UnknownNameError, match="did you mean 'sharpness_threshold'"):
        _ = analyze_adaptive("adam")["sharpnes_threshold"]
    with pytest.raises(UnknownNameError, match="topic"):
        analyze_adaptive("adam").topic("nothing")


def test_proofs_of_positivity_refuse_what_is_not_so():
    x = sp.Dummy("x", nonnegative=True)
    assert nonnegative(x**2 + 3 * x, {})
    assert not nonnegative(x - 1, {})
    assert not nonnegative(g, {})
    assert nonnegative(sp.Max(x, 2) - 1 - x / 2 + x / 2, {})
    assert not nonnegative(1 - sp.Max(x, 2), {})
    assert is_affine(theta + 2 * g, (theta, g))
