"""On a CUDA device: `make gpu`."""

import numpy as np
import pytest

import optlab as ol
from optlab.codegen.cuda import require
from tests.cuda.cases import CASES, options_of

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True, scope="module")
def device():
    require()


@pytest.mark.parametrize("name", CASES)
def test_the_device_gives_the_cpus_bits(name):
    found, expected = (ol.simulate(**options_of(name), backend=backend) for backend in ("auto", "cpu"))
    assert found.attrs["backend"] == "cuda"
    for key in expected.data_vars:
        np.testing.assert_array_equal(found[key].values, expected[key].values, err_msg=key)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_many_launches_give_the_cpus_bits(dtype):
    options = {
        "rule": "adam", "problem": "quadratic(condition_number=100, dim=10, noise=1)", "schedule": 0.01, "steps": 100,
        "trajectories": 50_000, "dtype": dtype, "reach": [0.5],
    }  # fmt: skip
    expected = ol.simulate(**options)
    for chunk in (None, 64):
        found = ol.simulate(**options, backend="cuda", chunk=chunk)
        for key in expected.data_vars:
            np.testing.assert_array_equal(found[key].values, expected[key].values, err_msg=key)
