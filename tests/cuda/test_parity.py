"""The CUDA path against the CPU's, without a device, bit for bit: on the simulator, and as lowered code."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import optlab as ol
from tests.cuda.cases import CASES, options_of

pytestmark = pytest.mark.cuda


def assert_same_bits(found, expected):
    assert set(found.data_vars) == set(expected.data_vars)
    for name in expected.data_vars:
        np.testing.assert_array_equal(found[name].values, expected[name].values, err_msg=name)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    out = tmp_path_factory.mktemp("simulated") / "runs.pickle"
    command = [sys.executable, "-W", "error", "-m", "tests.cuda.on_simulator", str(out)]
    ran = subprocess.run(
        command, env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}, cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return pickle.loads(out.read_bytes())


@pytest.mark.parametrize("name", CASES)
def test_the_simulator_gives_the_cpus_bits(name, simulated):
    found = xr.Dataset.from_dict(simulated[name])
    assert found.attrs["backend"] == "cuda"
    assert_same_bits(found, ol.simulate(**options_of(name)))


@pytest.mark.parametrize("name", CASES)
def test_the_lowered_code_gives_the_cpus_bits(name, lowered):
    found = ol.simulate(**options_of(name), backend="auto")
    assert found.attrs["device"] == "the host"
    assert_same_bits(found, ol.simulate(**options_of(name)))
