"""Choosing where an ensemble runs; nothing here needs a device or numba-cuda."""

import os
import subprocess
import sys

import numpy as np
import pytest

import optlab as ol
import optlab.codegen.cuda as cuda
from optlab.__main__ import main
from optlab.diagnosis import diagnose
from optlab.ensemble import cuda_kernel
from optlab.ensemble.cell import Cell
from optlab.ensemble.checkpoint import Checkpoint
from optlab.ensemble.cuda_kernel import kernel_source
from optlab.ensemble.specs import ONE_RUN, Request
from optlab.errors import MissingDependencyError, UnknownNameError, UnsupportedError

OPTIONS = {"schedule": 0.1, "steps": 3, "trajectories": 4}
QUADRATIC = "quadratic(condition_number=10, dim=3, noise=1)"


@pytest.fixture(autouse=True)
def fresh():
    cuda.reason_without.cache_clear()
    yield
    cuda.reason_without.cache_clear()


@pytest.fixture
def no_package(monkeypatch):
    monkeypatch.setattr(cuda, "installed", lambda: False)


@pytest.fixture
def no_driver(monkeypatch):
    monkeypatch.setattr(cuda, "installed", lambda: True)
    monkeypatch.setattr(cuda, "simulated", lambda: False)
    monkeypatch.setattr(cuda, "driver", lambda: False)


def test_without_the_package_one_line_names_the_extra(no_package):
    with pytest.raises(MissingDependencyError, match=r"^backend 'cuda': numba-cuda is not installed: pip install 'optlab\[cuda13\]'.*$"):
        ol.simulate("sgd", QUADRATIC, backend="cuda", **OPTIONS)


def test_without_a_driver_one_line_says_so(no_driver):
    with pytest.raises(MissingDependencyError, match=r"^backend 'cuda': no NVIDIA driver answers: .* backend='cpu'$"):
        ol.simulate("sgd", QUADRATIC, backend="cuda", **OPTIONS)


def test_auto_without_a_device_is_the_cpu(no_driver):
    found, expected = (ol.simulate("sgd", QUADRATIC, backend=backend, **OPTIONS) for backend in ("auto", "cpu"))
    assert "device" not in found.attrs
    np.testing.assert_array_equal(found.loss_mean.values, expected.loss_mean.values)


def test_a_backend_that_is_none_is_refused():
    with pytest.raises(UnknownNameError, match=r"unknown backend 'gpu'.*known: cpu, cuda, auto"):
        ol.simulate("sgd", QUADRATIC, backend="gpu", **OPTIONS)


@pytest.mark.parametrize("sampling", ["subset", "reshuffle"])
def test_orders_of_rows_that_no_device_holds_are_refused_in_one_line_and_run_on_the_cpu_otherwise(sampling, monkeypatch):
    monkeypatch.setattr(cuda, "reason_without", lambda: None)
    monkeypatch.setattr(cuda_kernel, "ORDER_BYTES", 64 * 4 * 2 - 1)
    table = ol.problems.least_squares([[1.0], [2.0]], [1.0, 2.0], sampling=sampling)
    with pytest.raises(UnsupportedError, match=r"^backend 'cuda': .* order of the 2 rows .* sampling='replacement' needs none.*$"):
        ol.simulate("sgd", table, backend="cuda", **OPTIONS)
    assert "device" not in ol.simulate("sgd", table, backend="auto", **OPTIONS).attrs


def test_other_tables_have_a_kernel():
    """An order of 4 million rows fits, and drawing with replacement keeps none."""
    many = ol.problems.least_squares([[1.0]] * 9, [1.0] * 9)
    assert cuda_kernel.reason_against(many) is None
    assert cuda_kernel.ORDER_BYTES > 4_000_000 * 4 * 64


@pytest.mark.parametrize(("name", "detail"), [("no_package", r"optlab\[cuda13\]"), ("no_driver", "numba-cuda is installed")])
def test_doctor_says_what_is_missing(name, detail, request, monkeypatch):
    request.getfixturevalue(name)
    monkeypatch.setattr(cuda, "driver", lambda: False)
    (item,) = [item for item in diagnose() if item.name == "CUDA"]
    assert item.state == "absent"
    assert detail.replace("\\", "") in item.detail


def test_the_loop_is_written_out_for_few_coordinates_only():
    few, many = (
        kernel_source(ol.rules.get("sgd"), ol.problems.quadratic(condition_number=10, dim=d, noise=1.0), "float64") for d in (3, 40)
    )
    assert few.count("over = advance(") == 3
    assert many.count("over = advance(") == 1


def test_what_a_thread_cannot_hold_stands_in_global_memory():
    large = kernel_source(ol.rules.get("adam"), ol.problems.quadratic(condition_number=10, dim=100, noise=1.0), "float64")
    assert "state = space[lanes * 0 + lane :]" in large
    small = kernel_source(ol.rules.get("adam"), ol.problems.quadratic(condition_number=10, dim=10, noise=1.0), "float64")
    assert "state = cuda.local.array(30, REAL)" in small


def test_the_cpu_does_not_import_cuda():
    code = (
        "import sys, optlab as ol; ol.simulate('sgd', 'quadratic(condition_number=10, dim=2)', schedule=0.1, steps=2, trajectories=2); "
        "print(sorted(m for m in sys.modules if 'cuda' in m and 'optlab' in m or m.startswith('numba_cuda') or m == 'cuda.core'))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ), check=True)
    assert ran.stdout.strip() == "[]"


def test_the_command_says_it_in_one_line_and_writes_nothing(no_package, tmp_path, capsys):
    out = tmp_path / "run.nc"
    code = main(["simulate", "--alpha", "0.1", "--steps", "3", "--backend", "cuda", "--out", str(out)])
    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    assert said.err.splitlines() == [f"optlab: backend 'cuda': numba-cuda is not installed: {cuda.INSTALL}"]
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_the_cpu_is_not_taken_up_on_a_device(tmp_path, monkeypatch):
    request = Request.read("sgd", QUADRATIC, backend="cpu", plans=True, batch=1, seed=0, **ONE_RUN | OPTIONS, record=[3], coordinates=False)
    here = Cell(request)
    monkeypatch.setattr(Cell, "place", {"backend": "cuda"})
    there = Checkpoint(tmp_path / "a.part", [Cell(request)])
    monkeypatch.undo()
    assert there.identity != Checkpoint(tmp_path / "a.part", [here]).identity
