"""The records of the norms: what they say, what they refuse, and the forward pass against the hand-written one."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import optlab as ol
from optlab import norms
from optlab.errors import InputError, UnknownNameError
from optlab.norms import Norm
from optlab.norms.record import beta, eps, gamma, momentum, sigma, x, xhat
from optlab.printing import text
from optlab.symbols import symbol
from tests.norms.interpreted import drawn, forward, running_values
from tests.oracles import norms as twin

ms, q, mean, var = (symbol(name) for name in ("ms", "q", "mean", "var"))
PLAIN = {
    "name": "own", "reductions": ((ms, x**2),), "scale": sp.sqrt(ms + eps), "normalized": x / sigma, "output": xhat,
    "reduced": "features", "summed": "rows",
}  # fmt: skip


def test_names_and_defaults():
    assert norms.names() == ["batch_norm", "layer_norm", "rms_norm"]
    for name in norms.names():
        norm = norms.get(name)
        assert norms.get(norm) is norm
        assert norm.name == name
        assert norm.defaults[eps] == sp.Rational(1, 100_000)
        assert norm.reference
        assert norm.reduced
    assert norms.get("batch_norm").defaults[momentum] == sp.Rational(1, 10)


def test_formulas_read_back():
    for norm in map(norms.get, norms.names()):
        formulas = [norm.scale, norm.normalized, norm.output, norm.forward, *norm.running.values(), *(h for _, h in norm.reductions)]
        for formula in formulas:
            assert ol.sympify(str(formula)) == formula
            assert ol.sympify(text(formula)) == formula


def test_the_fingerprint_is_of_the_mathematics():
    own = Norm(**PLAIN)
    assert own.fingerprint == Norm(**PLAIN, summary="other words").fingerprint
    assert hash(own) == hash(Norm(**PLAIN))
    other = Norm(**PLAIN | {"normalized": -x / sigma})
    assert own.fingerprint != other.fingerprint
    assert len({norm.fingerprint for norm in map(norms.get, norms.names())}) == 3


@pytest.mark.parametrize("name", norms.names())
@given(rows=st.integers(1, 7), features=st.integers(1, 7), seed=st.integers(0, 2**32 - 1), epsilon=st.sampled_from([1e-5, 1e-2, 1.0]))
def test_the_forward_pass_is_the_twins(name, rows, features, seed, epsilon):
    data, scales, shifts, _ = drawn(seed, rows, features)
    parameters = {gamma: scales, beta: shifts}
    found = forward(norms.get(name), twin.AXIS[name], data, parameters, epsilon)
    expected = twin.forward(name, data, scales, shifts, epsilon)
    room = 1e-12 * (1 + np.abs(scales).max()) * np.abs(data).max() / np.sqrt(epsilon)
    np.testing.assert_allclose(found, expected, rtol=0, atol=room + 1e-12 * np.abs(expected).max())


@given(rows=st.integers(2, 9), features=st.integers(1, 5), seed=st.integers(0, 2**32 - 1), weight=st.floats(0, 1))
def test_running_values_are_the_twins(rows, features, seed, weight):
    data, old_mean, old_var, _ = drawn(seed, rows, features)
    found = running_values(norms.get("batch_norm"), data, {mean: old_mean, var: old_var**2}, weight)
    expected = twin.updated(data, old_mean, old_var**2, weight)
    np.testing.assert_allclose(found[mean], expected[0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found[var], expected[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "my norm"}, "must be an identifier"),
        ({"reductions": ()}, "has no reductions"),
        ({"reductions": ((ms, q),)}, "the integrand of ms uses q"),
        ({"reductions": ((ms, x**2), (ms, x))}, "ms has a meaning already"),
        ({"reductions": ((sigma, x**2),)}, "sigma has a meaning already"),
        ({"reductions": ((ms, sp.Integer(2)),)}, "the same for every element"),
        ({"reductions": ((ms, "x**2"),)}, "not an expression"),
        ({"output": xhat * q}, "output uses q"),
        ({"scale": q}, "scale uses q"),
        ({"normalized": x**2 / sigma}, "must be linear in x"),
        ({"normalized": 1 / x}, "must be linear in x"),
        ({"running": {mean: mean}}, "is no reduction"),
        ({"running": {ms: ms * q}}, "the running value of ms uses q"),
        ({"varying": frozenset({gamma})}, "which are no parameters"),
    ],
)
def test_bad_records_are_refused(change, message):
    with pytest.raises(InputError, match=message) as caught:
        Norm(**(PLAIN | change))
    assert "\n" not in str(caught.value)


def test_bad_names_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'layer_norm'"):
        norms.get("layernorm")
    with pytest.raises(InputError, match="is no norm"):
        norms.get(3)
