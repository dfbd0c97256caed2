"""Adaptive rules with their scale held fixed, and whether the minimum attracts them."""

import numpy as np
import pytest
import sympy as sp

from optlab import rules
from optlab.analysis.adaptive import analyze_adaptive, freeze
from optlab.analysis.adaptive.update import settled
from optlab.errors import InputError, NotLinearError, UnsupportedError
from optlab.rules import Rule, State, alpha, g, symbol, t, theta
from optlab.symbols import lam
from tests.analysis.adaptive_rules import (
    ADAGRAD,
    ADAMAX,
    AMSGRAD,
    BUILT,
    LION,
    OTHERS,
    QUICK,
    TWINS,
    at_defaults,
    hand_map,
    jacobian,
    label,
    put,
)

beta1, eps, v, P, c, vhat, count = (symbol(name) for name in ("beta1", "eps", "v", "P", "c", "vhat", "count"))


def test_known_thresholds():
    for rule in ("adam", AMSGRAD, ADAMAX):
        found = analyze_adaptive(rule)
        assert sp.simplify(found["sharpness_threshold"].expression - (2 + 2 * beta1) / ((1 - beta1) * alpha)) == 0
        assert found["sharpness_threshold_default"].expression == 38 / alpha
    assert analyze_adaptive("rmsprop")["sharpness_threshold"].expression == 2 / alpha
    assert analyze_adaptive(ADAGRAD)["sharpness_threshold"].expression == 2 / alpha


@pytest.mark.parametrize("rule", [*BUILT, *OTHERS[:-1]], ids=label)
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
    assert {P: vhat} == freeze(rules.get("adam")).P == freeze(AMSGRAD).P
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
    counting = Rule(name="counting", state={count: State(kind="scalar")}, equations=((count, count + 1), (theta, theta - alpha * g)))
    with pytest.raises(UnsupportedError, match="does not come to rest"):
        settled(counting)


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


def test_a_bound_memory_fades_as_a_free_one_does():
    """SymPy writes (1/10)**t as 10**(-t)."""
    assert not any(right.has(t) for _, right in settled(rules.get("adam(beta1=1/10)")))
    bound = analyze_adaptive("adam(beta1=1/10)")["sharpness_threshold"].expression
    assert bound == analyze_adaptive("adam")["sharpness_threshold"].expression.subs(beta1, sp.Rational(1, 10))


@pytest.mark.parametrize(("name", "rises"), [("amsgrad", True), ("adagrad", True), ("adam", False), ("adamax", False), ("lion", False)])
def test_a_running_maximum_and_a_sum_never_fall(name, rises):
    assert freeze(rules.get(name)).never_falls == rises
