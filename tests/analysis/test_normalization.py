"""Derived backward passes against hand-written ones, against differences in high precision, and the statements by number."""

from functools import cache

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import optlab as ol
from optlab import norms
from optlab.analysis import backward, statements
from optlab.errors import UnsupportedError
from optlab.norms import Norm
from optlab.norms.record import beta, eps, gamma, sigma, x, xhat
from optlab.printing import text
from optlab.symbols import symbol
from tests.norms.interpreted import drawn, dy, forward, gradients, mean, precise, state, value
from tests.oracles import norms as twin

NAMES = norms.names()
SHAPES = {"rows": st.integers(2, 7), "features": st.integers(2, 7), "seed": st.integers(0, 2**32 - 1)}
ms, average, fourth, c, shift = (symbol(name) for name in ("ms", "mean", "fourth", "c", "shift"))


@cache
def stated(norm):
    return {item.name: item for item in statements(norm)}


@pytest.mark.parametrize("name", NAMES)
def test_the_input_gradient_is_the_textbooks(name):
    assert sp.expand(backward(name).input_gradient - ol.sympify(twin.DX[name])) == 0


def test_which_means_are_taken():
    assert backward("batch_norm").reductions == ((symbol("mean_dy"), dy), (symbol("mean_dy_xhat"), dy * xhat))
    assert [f for _, f in backward("layer_norm").reductions] == [gamma * dy, gamma * dy * xhat]
    assert [f for _, f in backward("rms_norm").reductions] == [gamma * dy * xhat]
    for name in NAMES:
        norm, back = norms.get(name), backward(name)
        assert back.parameter_gradients == {p: ({gamma: dy * xhat, beta: dy}[p], norm.summed) for p in norm.parameters}
        assert back.adjoints.keys() == {left for left, _ in norm.reductions}


@pytest.mark.parametrize("name", NAMES)
@given(**SHAPES, epsilon=st.sampled_from([1e-5, 1e-2, 1.0]))
def test_the_backward_pass_is_the_twins(name, rows, features, seed, epsilon):
    data, scales, shifts, upstream = drawn(seed, rows, features)
    dx, summed = gradients(norms.get(name), twin.AXIS[name], data, {gamma: scales, beta: shifts}, upstream, epsilon)
    expected = twin.backward(name, data, scales, upstream, epsilon)
    least = float(np.min(twin.normalized(name, data, epsilon)[1]))  # what rounding is divided by
    room = 1e-12 * (1 + np.abs(upstream).max()) * (1 + np.abs(scales).max()) * (1 + np.abs(data).max()) * max(1, 1 / least)
    np.testing.assert_allclose(dx, expected[0], rtol=1e-12, atol=room * max(1, 1 / least))
    np.testing.assert_allclose(summed[gamma], expected[1], rtol=1e-12, atol=room)
    assert (beta in summed) == (name != "rms_norm")
    if beta in summed:
        np.testing.assert_allclose(summed[beta], expected[2], rtol=1e-12, atol=1e-12)


def own(**changes):
    fields = {
        "name": "own", "reductions": ((ms, x**2),), "scale": sp.sqrt(ms + eps), "normalized": x / sigma, "output": gamma * xhat + beta,
        "parameters": {gamma: 1, beta: 0}, "varying": frozenset({gamma, beta}), "reduced": "features", "summed": "rows",
    }  # fmt: skip
    return Norm(**(fields | changes))


OWN = {
    "half centered": own(reductions=((average, x), (ms, x**2)), normalized=(x - average / 2) / sigma),
    "a sign": own(normalized=-x / sigma),
    "variance last": own(reductions=((average, x), (ms, x**2 - average**2 / 4)), scale=sp.sqrt(2 * ms + eps)),
    "squared output": own(output=gamma * xhat**2 + beta * xhat),
    "saturated output": own(output=sp.tanh(gamma * xhat) + beta),
    "group scale": own(varying=frozenset()),
}


def precisely(norm, axis, rows=3, features=4, shared=False):
    """The derived dx and its central differences, with 60 digits and a step of 1e-20: an error of about 1e-40."""
    with mpmath.workdps(60):
        data, scales, shifts, upstream = map(precise, drawn(5, rows, features))
        if shared:
            scales, shifts = scales[:1], shifts[:1]
        parameters, epsilon = {gamma: scales, beta: shifts}, mpmath.mpf("0.1")
        dx = gradients(norm, axis, data, parameters, upstream, epsilon)[0]
        found = twin.differences(lambda moved: forward(norm, axis, moved, parameters, epsilon), data, upstream, mpmath.mpf("1e-20"))
        return float(np.max(np.abs(dx - found))), float(np.max(np.abs(dx)))


@pytest.mark.parametrize("name", NAMES)
def test_the_backward_pass_is_the_derivative(name):
    error, size = precisely(norms.get(name), twin.AXIS[name])
    assert error < 1e-35
    assert size > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_the_twin_is_the_derivative(name):
    with mpmath.workdps(60):
        data, scales, shifts, upstream = map(precise, drawn(6, 4, 3))
        epsilon = mpmath.mpf("0.1")
        found = twin.differences(lambda moved: twin.forward(name, moved, scales, shifts, epsilon), data, upstream, mpmath.mpf("1e-20"))
        assert np.max(np.abs(found - twin.backward(name, data, scales, upstream, epsilon)[0])) < 1e-35


@pytest.mark.parametrize("name", [name for name in OWN if name != "saturated output"])
def test_any_record_has_its_derivative(name):
    error, size = precisely(OWN[name], 1, shared=name == "group scale")
    assert error < 1e-35
    assert size > 0.1


def test_a_record_with_a_function_in_its_output_has_its_derivative():
    data, scales, shifts, upstream = drawn(5, 3, 4)
    norm, parameters = OWN["saturated output"], {gamma: scales, beta: shifts}
    dx = gradients(norm, 1, data, parameters, upstream, 0.1)[0]
    found = twin.differences(lambda moved: forward(norm, 1, moved, parameters, 0.1), data, upstream, 1e-5)
    np.testing.assert_allclose(dx, found, rtol=0, atol=1e-8)


def test_what_does_not_follow_is_refused():
    cases = {
        "mean of xhat": own(reductions=((ms, x**2), (fourth, (x - ms) ** 4)), scale=sp.sqrt(fourth + eps)),
        "square root of a linear": own(scale=ms**2 + eps),
        "no polynomial": own(reductions=((ms, sp.Abs(x)),)),
    }
    for message, norm in cases.items():
        with pytest.raises(UnsupportedError, match=message) as caught:
            backward(norm)
        assert "\n" not in str(caught.value)


def test_an_unknown_lower_moment_is_not_taken_for_zero():
    """mean(x**2 + x) gives neither the mean of x nor that of x**2: the gradient needs neither, x . dx does."""
    norm = own(reductions=((ms, x**2 + x),))
    assert precisely(norm, 1)[0] < 1e-35
    with pytest.raises(UnsupportedError, match=r"the mean of xhat.* does not follow"):
        statements(norm)


# --- statements ---


@pytest.mark.parametrize("name", NAMES)
def test_every_formula_reads_back(name):
    back = backward(name)
    formulas = [back.input_gradient, *back.adjoints.values(), *(f for _, f in back.reductions)]
    formulas += [f for f, _ in back.parameter_gradients.values()]
    for item in statements(name):
        assert item.status == "derived"
        formulas += [item.expression, *item.conditions]
    for formula in formulas:
        assert ol.sympify(str(formula)) == formula
        assert ol.sympify(text(formula)) == formula


@pytest.mark.parametrize("name", NAMES)
def test_what_is_stated(name):
    found = {key: item.expression for key, item in stated(name).items()}
    alpha, length, slope = symbol("alpha"), symbol("norm_w"), symbol("norm_g")
    assert found["scale_invariance"] == c / sp.Abs(c)
    assert found["gradient_scaling"] == 1 / c
    assert found["eps_effect"] == gamma * eps * xhat / sigma**2
    assert found["orthogonality"] != 0
    assert found["orthogonality"].xreplace({eps: sp.Integer(0)}) == 0
    assert (found["shift_invariance"] == 0) == (name != "rms_norm") == ("zero_sum" in found)
    assert found.get("zero_sum", 0) == 0
    assert found["weight_growth"] == length**2 + alpha**2 * slope**2
    assert found["turn"] == alpha * slope / length
    assert found["effective_learning_rate"] == alpha / length**2


def test_a_norm_without_an_invariance_is_not_given_one():
    bent = stated(own(reductions=((average, x), (ms, x**2)), normalized=(x - average**2) / sigma))
    assert bent["scale_invariance"].expression != c / sp.Abs(c)
    assert bent["shift_invariance"].expression != 0
    assert {"effective_learning_rate", "gradient_scaling", "zero_sum"}.isdisjoint(bent)


def measured(name, epsilon):
    """A record's state with the backward means, and its dx by the twin."""
    data, scales, shifts, upstream = drawn(7, 6, 8)
    if name == "batch_norm":
        scales = np.abs(scales)
    norm, axis = norms.get(name), twin.AXIS[name]
    values = state(norm, axis, data, {gamma: scales, beta: shifts}, epsilon) | {dy: upstream}
    values |= {left: mean(integrand, values, axis) for left, integrand in backward(name).reductions}
    values[symbol("mean_x")] = np.mean(data, axis=axis, keepdims=True)
    return values, axis, (data, scales, shifts), twin.backward(name, data, scales, upstream, epsilon)[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("epsilon", [0.3, 1e-5, 0.0])
def test_the_inner_product_with_the_input(name, epsilon):
    values, axis, (data, *_), dx = measured(name, epsilon)
    found = value(stated(name)["orthogonality"].expression, values)
    expected = np.mean(data * dx, axis=axis, keepdims=True)
    np.testing.assert_allclose(np.broadcast_to(found, expected.shape if name != "batch_norm" else (1, 8)), expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_the_inner_product_is_what_eps_breaks(name):
    """Two ways to one number: x . dx, and dy times the derivative of y at c x by c (Euler)."""
    found, back = stated(name), backward(name)
    by_scaling = sp.expand(dy * found["eps_effect"].expression)
    names = {integrand: left for left, integrand in back.reductions}
    fixed, varying = by_scaling.as_independent(dy, xhat, *norms.get(name).varying, as_Add=False)
    assert sp.expand(fixed * names[varying] - found["orthogonality"].expression) == 0


@pytest.mark.parametrize("name", NAMES)
def test_eps_breaks_scale_invariance_as_stated(name):
    values, _, (data, scales, shifts), _ = measured(name, 0.3)
    by = 1e-5
    up, down = (twin.forward(name, (1 + sign * by) * data, scales, shifts, 0.3) for sign in (1, -1))
    np.testing.assert_allclose(value(stated(name)["eps_effect"].expression, values), (up - down) / (2 * by), rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_the_invariances_hold_by_number(name):
    values, _, (data, scales, shifts), dx = measured(name, 0.0)
    at, upstream = twin.forward(name, data, scales, shifts, 0.0), values[dy]
    np.testing.assert_allclose(twin.forward(name, 3 * data, scales, shifts, 0.0), at, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(twin.normalized(name, -3 * data, 0.0)[0], -twin.normalized(name, data, 0.0)[0], rtol=1e-12)
    np.testing.assert_allclose(twin.backward(name, 3 * data, scales, upstream, 0.0)[0], dx / 3, rtol=1e-9, atol=1e-13)
    moved = twin.normalized(name, data + 0.7, 0.3)[0] - twin.normalized(name, data, 0.3)[0]
    given_shift = value(stated(name)["shift_invariance"].expression, measured(name, 0.3)[0] | {shift: 0.7})
    np.testing.assert_allclose(moved, np.broadcast_to(given_shift, moved.shape), rtol=0, atol=1e-12)
    assert (np.abs(moved).max() > 0.1) == (name == "rms_norm")
    if "zero_sum" in stated(name):
        np.testing.assert_allclose(np.sum(dx, axis=twin.AXIS[name]), 0, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32 - 1), length=st.floats(0.3, 3.0), rate=st.floats(1e-4, 1.0))
def test_sgd_on_the_weights_before_a_norm(name, seed, length, rate):
    """x = inputs @ weights, eps = 0: one step of SGD lengthens and turns the weights as stated."""
    rng = np.random.default_rng(seed)
    inputs, weights, scales, upstream = (rng.normal(size=shape) for shape in ((12, 5), (5, 4), (4,), (12, 4)))
    weights *= length / np.sqrt(np.sum(weights**2))

    def slope(at):
        return inputs.T @ twin.backward(name, inputs @ at, scales, upstream, 0.0)[0]

    gradient, after = slope(weights), weights - rate * slope(weights)
    values = {symbol("alpha"): rate, symbol("norm_w"): length, symbol("norm_g"): np.sqrt(np.sum(gradient**2))}
    found = {key: value(stated(name)[key].expression, values) for key in ("weight_growth", "turn", "effective_learning_rate")}
    room = 1e-9 * (1 + values[symbol("norm_g")] ** 2)
    assert np.sum(after**2) == pytest.approx(found["weight_growth"], abs=room)
    along = np.sum(after * weights) / length
    turned = np.sqrt(np.sum((after - along * weights / length) ** 2)) / along
    assert turned == pytest.approx(found["turn"], abs=room)
    unit = weights / length
    same = unit - found["effective_learning_rate"] * slope(unit)
    np.testing.assert_allclose(same / np.sqrt(np.sum(same**2)), after / np.sqrt(np.sum(after**2)), rtol=0, atol=room)
