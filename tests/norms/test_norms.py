"""The records of the norms, and what they refuse."""

import pytest
import sympy as sp

from optlab import norms
from optlab.errors import InputError, UnknownNameError
from optlab.norms import Norm
from optlab.norms.record import eps, momentum, n, sigma, x, xhat
from optlab.symbols import symbol


def test_names_and_defaults():
    assert norms.names() == ["batch_norm", "layer_norm", "rms_norm"]
    for name in norms.names():
        norm = norms.get(name)
        assert norms.get(norm) is norm
        assert norm.name == name
        assert norm.defaults[eps] == sp.Rational(1, 100_000)
        assert norm.reference


def test_the_running_variance_is_unbiased():
    norm, var, running = norms.get("batch_norm"), symbol("var"), symbol("running")
    value = norm.running[var].xreplace({var: sp.Integer(3), n: sp.Integer(4), running: sp.Integer(1), momentum: sp.Rational(1, 10)})
    assert value == sp.Rational(13, 10)


def test_bad_input_is_refused():
    good = {"name": "own", "reductions": ((symbol("ms"), x**2),), "scale": sp.sqrt(symbol("ms") + eps), "normalized": x / sigma}
    good |= {"output": xhat, "reduced": "features", "summed": "rows"}
    assert Norm(**good).forward == x / sp.sqrt(symbol("ms") + eps)
    with pytest.raises(UnknownNameError, match="did you mean 'layer_norm'"):
        norms.get("layernorm")
    with pytest.raises(InputError, match="is no norm"):
        norms.get(3)
    for change, message in (
        ({"name": "my norm"}, "must be an identifier"),
        ({"reductions": ()}, "has no reductions"),
        ({"output": xhat * symbol("q")}, "output uses q"),
        ({"scale": symbol("q")}, "scale uses q"),
        ({"normalized": x**2 / sigma}, "must be linear in x"),
    ):
        with pytest.raises(InputError, match=message):
            Norm(**(good | change))
