"""Derived backward passes against hand-written ones, central differences, and the statements by number."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from optlab import norms
from optlab.analysis.normalization import backward, statements
from optlab.errors import UnsupportedError
from optlab.norms import Norm
from optlab.norms.record import beta, eps, gamma, sigma, x, xhat
from optlab.symbols import symbol
from tests.oracles import norms as twin

NAMES = norms.names()
dy = symbol("dy")


def evaluate(expression, values):
    """The expression on arrays; integer and real constants stay in the arrays' precision."""
    keys = sorted(expression.free_symbols, key=str)
    return sp.lambdify(keys, expression, "numpy")(*(values[key] for key in keys))


def derived(name, data, scales, shifts, upstream, epsilon):
    """y, (dx, dgamma, dbeta) from the record and its derived backward pass."""
    norm, axis = norms.get(name), twin.AXIS[name]
    back, values = backward(norm), {x: data, gamma: scales, beta: shifts, dy: upstream, eps: epsilon}
    for left, integrand in norm.reductions:
        values[left] = np.mean(evaluate(integrand, values), axis=axis, keepdims=True)
    values[sigma] = evaluate(norm.scale, values)
    values[xhat] = evaluate(norm.normalized, values)
    for left, integrand in back.reductions:
        values[left] = np.mean(evaluate(integrand, values), axis=axis, keepdims=True)
    gradients = {p: np.sum(evaluate(integrand, values), axis=0) for p, (integrand, _) in back.parameter_gradients.items()}
    return evaluate(norm.output, values), evaluate(back.input_gradient, values), gradients


def drawn(seed, rows, features, real=np.float64):
    rng = np.random.default_rng(seed)
    shapes = [(rows, features), (features,), (features,), (rows, features)]
    return [rng.normal(size=shape).astype(real) for shape in shapes]


@pytest.mark.parametrize("name", NAMES)
@given(rows=st.integers(2, 7), features=st.integers(2, 7), seed=st.integers(0, 2**32 - 1), epsilon=st.sampled_from([1e-5, 1e-2, 1.0]))
def test_forward_and_backward_are_the_twins(name, rows, features, seed, epsilon):
    data, scales, shifts, upstream = drawn(seed, rows, features)
    y, dx, gradients = derived(name, data, scales, shifts, upstream, epsilon)
    expected = twin.backward(name, data, scales, upstream, epsilon)
    near = {"rtol": 1e-9, "atol": 1e-9 * np.abs(upstream).max() / np.sqrt(epsilon)}
    np.testing.assert_allclose(y, twin.forward(name, data, scales, shifts, epsilon), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(dx, expected[0], **near)
    np.testing.assert_allclose(gradients[gamma], expected[1], rtol=1e-9, atol=1e-9)
    assert (beta in gradients) == (name != "rms_norm")
    if beta in gradients:
        np.testing.assert_allclose(gradients[beta], expected[2], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_backward_pass_is_the_derivative(name):
    """Central differences in extended precision: their error is about step^2 and 1e-19 / step."""
    data, scales, shifts, upstream = drawn(5, 4, 5, np.longdouble)
    epsilon = np.longdouble("0.1")
    dx = derived(name, data, scales, shifts, upstream, epsilon)[1]
    found = twin.differences(name, data, scales, shifts, upstream, epsilon, np.longdouble("1e-6"))
    np.testing.assert_allclose(np.float64(dx), np.float64(found), rtol=0, atol=1e-9)


def test_what_is_stated():
    c, L = symbol("c"), symbol("norm_w")
    for name in NAMES:
        found = {item.name: item for item in statements(name)}
        assert {item.status for item in found.values()} == {"derived"}
        assert found["scale_invariance"].expression == c / sp.Abs(c)
        assert found["gradient_scaling"].expression == 1 / sp.Abs(c)
        assert found["scale_slope"].expression == eps * xhat / sigma**2
        assert found["inner_product"].expression.xreplace({eps: sp.Integer(0)}) == 0
        assert found["inner_product"].expression != 0
        assert (found["shift_slope"].expression == 0) == (name != "rms_norm")
        assert found["effective_learning_rate"].expression == symbol("alpha") / L**2
        assert found["weight_growth"].expression == symbol("theta") ** 2 + (symbol("alpha") * symbol("g")) ** 2


@pytest.mark.parametrize("name", NAMES)
def test_the_invariances_hold_by_number(name):
    data, scales, shifts, upstream = drawn(7, 6, 8)
    axis = twin.AXIS[name]
    dx = twin.backward(name, data, scales, upstream, 0.0)[0]
    np.testing.assert_allclose(np.sum(data * dx, axis=axis), 0, atol=1e-12)
    np.testing.assert_allclose(twin.forward(name, 3 * data, scales, shifts, 0.0), twin.forward(name, data, scales, shifts, 0.0), rtol=1e-12)
    np.testing.assert_allclose(twin.backward(name, 3 * data, scales, upstream, 0.0)[0], dx / 3, rtol=1e-9, atol=1e-13)
    moved = np.abs(twin.forward(name, data + 1, scales, shifts, 0.0) - twin.forward(name, data, scales, shifts, 0.0)).max()
    assert (moved > 0.1) == (name == "rms_norm")
    broken = evaluate({s.name: s for s in statements(name)}["inner_product"].expression, inner_values(name, data, scales, upstream, 0.3))
    exact = np.mean(data * twin.backward(name, data, scales, upstream, 0.3)[0], axis=axis, keepdims=True)
    np.testing.assert_allclose(np.broadcast_to(exact, np.shape(broken)), broken, rtol=1e-9, atol=1e-13)


def inner_values(name, data, scales, upstream, epsilon):
    axis = twin.AXIS[name]
    mean = np.mean(data, axis=axis, keepdims=True) * (name != "rms_norm")
    root = np.sqrt(np.mean((data - mean) ** 2, axis=axis, keepdims=True) + epsilon)
    weight = 1.0 if name == "batch_norm" else scales
    average = np.mean(upstream * weight * (data - mean) / root, axis=axis, keepdims=True)
    return {eps: epsilon, sigma: root, gamma: scales, symbol("mean_dy_xhat"): average}


def test_a_mean_that_does_not_follow_is_refused():
    ms, a = symbol("ms"), symbol("a1")
    norm = Norm(
        name="own", reductions=((ms, x**2), (a, (x - ms) ** 4)), scale=sp.sqrt(a + eps), normalized=x / sigma, output=xhat,
        reduced="features", summed="rows",
    )  # fmt: skip
    with pytest.raises(UnsupportedError, match="norm own: the mean of xhat"):
        backward(norm)
